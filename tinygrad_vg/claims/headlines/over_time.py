"""Which recurrent nets remember?  A latch, the order of two symbols, sums of two numbers, and echo states.

    T  time steps      x  state of the latch      w  its weight      u  its trained inputs      h  horizon of a prediction
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from ... import Tensor, no_grad, tanh
from ...autodiff.core import plain
from ...nn import LSTMCell, Reservoir, RNNCell, mse
from ...training import SGD, Batches, clip_value, fit, nrmse
from ...training.learning import Row, narma_run, order_run, smart_tanh, sums_run
from ...training.tasks import Batch
from .headline import Checks, headline


@headline(
    "latch", "Bengio, Simard & Frasconi 1994",
    "The success of gradient descent falls with length and noise; by the Deep Learning Book (10.7) it reaches 0 at lengths of 10 to 20.",
    "One tanh unit, three inputs trained for each class, then noise; target ±.8; lr .1, 400 updates of 8, 100 trials; a success gets "
    "more than 95 % of 200 signs right.",
    "Entries of the gradient are clipped to ±1. Where success ends moves with noise, lr and budget.", slow=True)
def latch(full: bool) -> tuple[list[Row], Checks]:
    """Share of runs that hold one bit, against length, noise and the weight at the start."""
    lengths, noises, starts = ((5, 20, 40, 80), (0.0, 0.8), (0.5, 1.0, 2.0)) if full else ((5, 20, 80), (0.8,), (0.5,))
    by_T = {T: latch_run(T) for T in lengths}
    by_noise = {0.2: by_T[20]} | {noise: latch_run(20, noise) for noise in noises}
    by_w = {1.25: by_T[20]} | {w: latch_run(20, w=w) for w in starts}
    checks = {
        "Success falls with T": falls(by_T),
        "Success falls with noise": falls(by_noise),
        "A weight that starts at 1/2, contracting, never latches": by_w[0.5]["success"] == 0,
        "It is gone at T = 20 (with noise .2, w = 1.25)": by_T[20]["success"] < 0.05}
    return [*by_T.values(), *(row for rows in (by_noise, by_w) for row in rows.values() if row is not by_T[20])], checks


def falls(rows: Mapping[Any, Row]) -> bool:
    """Whether success never rises from one setting to the next, and falls by half in all."""
    success = [rows[key]["success"] for key in sorted(rows)]
    return success == sorted(success, reverse=True) and success[-1] < success[0] / 2


@cache
def latch_run(T: int, noise: float = 0.2, w: float = 1.25, *, updates: int = 400, trials: int = 100) -> Row:
    """x[t] = tanh(w x[t−1] + u[t, class]) for the first three steps, with noise in place of u after; all trials as one model."""
    model = {"w": Tensor(np.full((trials, 1), w), name="w"), "u": Tensor(np.zeros((trials, 3, 2)), name="u")}
    every = np.arange(trials)[:, None]

    def final(model: dict, batch: Batch) -> Any:
        shocks, classes = batch
        x: Any = tanh(model["u"][every, 0, classes])
        for t in range(1, T):
            x = tanh(model["w"] * x + (model["u"][every, t, classes] if t < 3 else shocks[t]))
        return x

    def draw(rng: np.random.Generator, batch: int = 8) -> Batch:
        classes = rng.integers(0, 2, (trials, batch))
        return noise * rng.normal(size=(T, trials, batch)), classes

    def loss(model: dict, batch: Batch) -> Any:
        return trials * mse(final(model, batch), 1.6 * batch[1] - 0.8)

    fit(model, loss, Batches(draw, 1), SGD(model, 0.1), updates, clip=lambda leaves: clip_value(leaves, 1.0), record=updates)
    with no_grad():
        test = draw(np.random.default_rng(99), 200)
        right = np.mean((plain(final(model, test)) > 0) == test[1], axis=1)
    success, end = float(np.mean(right > 0.95)), float(model["w"].data.mean())
    return {"T": T, "noise": noise, "w at start": w, "success": success, "w at end": end}


@headline(
    "temporal-order", "Pascanu, Mikolov & Bengio 2013, sec. 4.1.1",
    "50 units, lr .01, clipping at 1, up to 5 million updates: as T grows SGD fails first, then SGD clipped, last with the penalty.",
    "tanh, radius .95, lr .05, updates of 20, 4 seeds; T = 20 and 30; solved: errs on less than 1 % of 500 sequences.",
    "A larger lr, at most 9,000 updates, lengths of 20 and 30 for their 50 to 200; dense weights.", slow=True)
def temporal_order(full: bool) -> tuple[list[Row], Checks]:
    """Seeds that solve it, by descent, clipped, and with the penalty."""
    if not full:
        rows = [order_row(10, 600, method) for method in ("SGD", "clipped")]
        return rows, {"T = 10: both solve it, every seed": all(row["solved"] == 4 for row in rows)}
    short = [order_row(20, 2500, method) for method in METHODS]
    sgd, clipped = long = [order_row(30, 9000, method) for method in ("SGD", "clipped")]
    fell_back = any(best < 0.5 and last > 0.6 for best, last in zip(sgd["best"], sgd["last"]))
    return short + long, {
        "T = 30: SGD solves none of 4": sgd["solved"] == 0,
        "T = 30: clipping solves at least two more": clipped["solved"] >= sgd["solved"] + 2,
        "T = 30: SGD had learned (an error below .5) and fell back (above .6)": fell_back,
        "T = 20: with clipping as many as without, or more": short[1]["solved"] >= short[0]["solved"],
        "T = 20: with the penalty, too": short[2]["solved"] >= short[0]["solved"]}


METHODS: dict[str, tuple[float | None, float]] = {"SGD": (None, 0.0), "clipped": (1.0, 0.0), "with penalty": (1.0, 0.5)}


@cache
def order_row(T: int, updates: int, method: str) -> Row:
    """Solved seeds of 4; each seed's best and last error, on 500 sequences, tested every 100 updates."""
    errors = order_run(T, updates, 4, *METHODS[method])
    solved, best, last = int(np.sum(errors.min(axis=0) < 0.01)), errors.min(axis=0).tolist(), errors[-1].tolist()
    return {"T": T, "method": method, "solved": solved, "best": best, "last": last, "updates": 100 * len(errors)}


CELLS: dict[str, Any] = {
    "tanh": lambda n_in, n, seeds: RNNCell(n_in, n, "tanh", ("normal", smart_tanh), seeds=seeds),
    "orthogonal": lambda n_in, n, seeds: RNNCell(n_in, n, "tanh", ("normal", "orthogonal"), seeds=seeds),
    "IRNN": lambda n_in, n, seeds: RNNCell(n_in, n, "relu", ("normal", "identity"), seeds=seeds),
    "LSTM": LSTMCell}
ADDING = "40 units, Adam 3e-3, clipping at 1, up to 2,500 updates of 20, 4 seeds; solved: a mean squared error below .02 on 100 batches."


@cache
def sums(kind: str, T: int) -> Row:
    """Two marked numbers of T are added."""
    return sums_run(kind, CELLS[kind], T, 2500, 4)


@headline(
    "adding", "Hochreiter & Schmidhuber 1997, experiment 4, table 7",
    "LSTM of 93 weights: T = 100, 500, 1000 after 74, 209, 853 thousand sequences; recurrent nets without gates fail.",
    f"T = 10 and 60. {ADDING}", "A modern LSTM with forget gate, and Adam; T is at most 60, sequences at most 50,000.", slow=True)
def adding(full: bool) -> tuple[list[Row], Checks]:
    """Seeds that learn to add, by kind of net."""
    kinds = ("tanh", "orthogonal", "LSTM") if full else ("tanh", "orthogonal")
    rows = [sums(kind, T) for T in ((10, 60) if full else (10,)) for kind in kinds]
    solved = [row["solved"] for row in rows]
    checks = {"T = 10: every net solves it, every seed": min(solved[: len(kinds)]) == 4}
    if full:
        checks["T = 60: the LSTM solves it, three seeds of 4 and more"] = solved[5] >= 3
        checks["T = 60: tanh solves none, whether random or orthogonal at the start"] = solved[3] == solved[4] == 0
    return rows, checks


@headline(
    "irnn", "Le, Jaitly & Hinton 2015", "A ReLU net that starts at W = I does about as well as an LSTM on long sums.",
    f"T = 60. {ADDING}", "T = 60 for their hundreds; 40 units. An independent run left half of its seeds stuck.", slow=True)
def irnn(full: bool) -> tuple[list[Row], Checks]:
    """Seeds of a ReLU net from the identity that learn to add."""
    if not full:
        return [sums("IRNN", 10)], {"T = 10: every seed solves it": sums("IRNN", 10)["solved"] == 4}
    rows = [sums(kind, 60) for kind in ("tanh", "IRNN", "LSTM")]
    tanh, irnn, lstm = (row["solved"] for row in rows)
    return rows, {
        "It solves more seeds than a tanh net": irnn > tanh,
        "It solves as many as an LSTM, give or take one": abs(irnn - lstm) <= 1}


@headline(
    "narma-10", "Atiya & Parlos 2000 (the task); Jaeger 2003",
    "An echo state network, of which only the readout is fitted, follows a system with a memory of ten steps.",
    "Radius .9, inputs scaled by .5, ridge 1e-8, 2,000 steps to fit and 2,000 to test, 8 seeds; NRMSE, 1 for the mean.",
    "Linear readout of the state alone. Sequences in which the system runs away are drawn again.", slow=True, known="From memory")
def narma(full: bool) -> tuple[list[Row], Checks]:
    """Error of readouts of reservoirs, by their size and radius."""
    sizes, radii, seeds = ((50, 100, 200), (0.2, 0.5, 1.2, 2.0), 8) if full else ((50, 100), (0.2, 2.0), 3)
    by_size = {n: followed(n, 0.9, seeds) for n in sizes}
    by_radius = {0.9: by_size[100]} | {rho: followed(100, rho, seeds) for rho in radii}
    found = [row["NRMSE"] for row in by_size.values()]
    checks = {
        "More units follow better": found == sorted(found, reverse=True),
        "The best radius is .9: smaller forgets, larger is unstable": min(by_radius, key=lambda rho: by_radius[rho]["NRMSE"]) == 0.9}
    return [*by_size.values(), *(by_radius[rho] for rho in radii)], checks


def followed(units: int, radius: float, seeds: int) -> Row:
    """NRMSE over seeds, mean and sd."""
    found = narma_run(units, radius, seeds)
    return {key: found[key] for key in ("units", "radius", "NRMSE", "sd")}


@headline(
    "mackey-glass", "Jaeger & Haas 2004",
    "An echo state network, running freely, predicts a chaotic series (delay 17) 84 steps ahead. (Its figures were not read.)",
    "300 units, radius .9, bias U(±.2), ridge 1e-8, 3,000 steps to fit, 2,000 to test, 4 seeds; one readout for each horizon.",
    "Direct readout, not free-running: no figure to compare with theirs. Without the bias tanh is odd, and horizon 17 is ten times worse.",
    known="From memory")
def mackey(full: bool) -> tuple[list[Row], Checks]:
    """Error of direct readouts 1, 17 and 84 steps ahead."""
    rows = mackey_run((1, 17, 84), 4 if full else 2)
    errors = [row["NRMSE"] for row in rows]
    return rows, {
        "The error grows with the horizon": errors == sorted(errors),
        "17 steps ahead, the delay itself: below 1e-3": errors[1] < 1e-3,
        "84 steps ahead: below .2": errors[2] < 0.2}


def mackey_run(horizons: tuple[int, ...], seeds: int = 4) -> list[Row]:
    """NRMSE of predicting tanh(series − 1), `h` steps ahead, the mean over seeds and the worst."""
    errors: dict[int, list[float]] = {h: [] for h in horizons}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        series = np.tanh(mackey_glass(5000 + max(horizons), rng) - 1)
        reservoir = Reservoir(1, 300, radius=0.9, rng=rng)
        reservoir.b_h = rng.uniform(-0.2, 0.2, 300)
        states = reservoir.states(series[:5000, None])
        for h in horizons:
            targets = series[h : 5000 + h]
            readout = Reservoir.fit(states[:3000], targets[:3000])
            errors[h].append(nrmse(plain(readout(states[3000:]))[:, 0], targets[3000:]))
    return [{"h": h, "NRMSE": float(np.mean(found)), "worst": max(found)} for h, found in errors.items()]


def mackey_glass(steps: int, rng: Any) -> np.ndarray:
    """ẋ = .2 x(t−17) / (1 + x(t−17)¹⁰) − .1 x, once per unit of time, from time 300 on (Mackey & Glass 1977), by Runge–Kutta."""
    per, washout = 10, 300
    dt, lag = 1 / per, 17 * per
    x = list(np.random.default_rng(rng).uniform(0.8, 1.4, lag + 1))
    gains = [0.2 * y / (1 + y**10) for y in x]
    for t in range((steps + washout) * per):
        y, old, new = x[-1], gains[t], gains[t + 1]
        middle = (old + new) / 2
        a = old - 0.1 * y
        b = middle - 0.1 * (y + dt / 2 * a)
        c = middle - 0.1 * (y + dt / 2 * b)
        d = new - 0.1 * (y + dt * c)
        x.append(y + dt / 6 * (a + 2 * b + 2 * c + d))
        gains.append(0.2 * x[-1] / (1 + x[-1] ** 10))
    return np.array(x[lag + 1 :: per])[washout:][:steps]
