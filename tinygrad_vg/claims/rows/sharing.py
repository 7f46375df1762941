"""Is it the sharing of weights?  Claims P15 to P17, P19b and C19b: the same weights at each step or new ones, and how often it goes well.

    W  weights      ρ  spectral radius      h  state      g  gradient      T  steps      N  width      p  share of successes
"""

import math
from functools import partial
from typing import Any

import numpy as np

from ... import Chain, grad, nn, no_grad, training
from ...training.learning import Recurrent, for_seeds
from ..claim import Found, measures
from ..recurrences import tied_or_not
from .deep import layered, of_radius

N, T = 32, 100


def log_gains(states: list[Any], seeds: int, rng: Any) -> np.ndarray:
    """ln |∂/∂h[t]| of a random unit seed at the last state, after 0, 1, …, T steps back: (T + 1, seeds), each seed by itself."""
    g = np.random.default_rng(rng).normal(size=(seeds, 1, N))
    g /= np.linalg.norm(g, axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(grad(states[-1], states[::-1], g), axis=(2, 3)))


def in_range(logs: np.ndarray) -> float:
    """The share of gains from a thousandth to a thousandfold."""
    return float(np.mean(np.abs(logs) <= math.log(1000)))


@measures("P15")
def not_shared() -> Found:
    """Mean, sd and growth of the ln gain over T steps, with independent weights and with shared ones."""
    figures, curves = dict[str, float](), {}
    for name, logs in zip(("independent", "shared"), tied_or_not(N, T, 100, 0.95).values()):
        sd = logs.std(axis=1)
        figures |= {f"mean ln gain, {name}": logs[T].mean(), f"sd of ln gain, {name}": sd[T]}
        figures[f"growth of the sd, T^…, {name}"] = np.polyfit(np.log(np.arange(25, T + 1)), np.log(sd[25:]), 1)[0]
        figures[f"in range after one scalar, {name}"] = in_range(logs[T] - logs[T].mean())
        curves[name] = (np.arange(T + 1), sd)
    figures["sd of ln gain, shared over independent"] = figures["sd of ln gain, shared"] / figures["sd of ln gain, independent"]
    return Found(figures, curves, ("steps back", "sd of ln |gradient| over the draws"))


@measures("C19b")
def particular_to_recurrent() -> Found:
    """Nats and sd of 20 sigmoid layers; the sd of the ln gain with W shared and with a W for each step."""
    logs = dict(zip(("its own", "shared"), tied_or_not(16, 128, 80).values()))
    deep = [layered(20, 64, "sigmoid", 1.0, seed).log_product[0] for seed in range(20)]
    figures: dict[str, float] = {"sigmoid, 20 layers of their own: nats": float(np.mean(deep)), "its sd over draws": float(np.std(deep))}
    for name, found in logs.items():
        figures[f"linear, W {name}: in range after one scalar"] = in_range(found[128] - found[128].mean())
    figures["sd of ln gain, shared ÷ its own"] = logs["shared"][128].std() / logs["its own"][128].std()
    curves = {f"W {name}": (np.arange(129), found.std(axis=1)) for name, found in logs.items()}
    return Found(figures, curves, ("layers back", "sd of the ln gain over 80 draws"))


def reach(make: Any, noise: float = 1.0, seeds: int = 60) -> np.ndarray:
    """Share of the draws in range after 0, 1, …, T steps back; inputs are N(0, noise²)."""
    cell = make(3, N, seeds=range(seeds))
    states = nn.unroll(cell, np.random.default_rng(4).normal(0.0, noise, size=(T, seeds, 1, 3)))
    memories = [state[-1] if isinstance(state, tuple) else state for state in states]  # of an LSTM, c
    return np.array([in_range(logs) for logs in log_gains(memories, seeds, 5)])


@measures("P16")
def almost_unavoidable() -> Found:
    """The share of draws with gain from 1/1000 to 1000 after T steps, by ρ, and of special starts and cells."""
    radii = (0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
    shares = np.array([reach(partial(nn.RNNCell, init=("xavier", of_radius(rho)))) for rho in radii])
    orthogonal = partial(nn.RNNCell, init=("xavier", "orthogonal"))
    figures = {f"tanh, ρ = {rho:g}: in range": share for rho, share in zip(radii, shares[:, T])}
    figures |= {
        "tanh, orthogonal, quiet inputs: in range": reach(orthogonal, 0.1)[T],
        "tanh, orthogonal: in range": reach(orthogonal)[T],
        "ReLU, identity: in range": reach(partial(nn.RNNCell, activation="relu", init=("xavier", "identity")))[T],
        "LSTM, forget bias 5: in range": reach(partial(nn.LSTMCell, forget_bias=5.0))[T]}
    curves = {f"T = {t}": (radii, shares[:, t]) for t in (25, 50, 100)}
    return Found(figures, curves, ("spectral radius of W_hh", "share of draws in range"))


@measures("P19b")
def redesign() -> Found:
    """The share of draws with gain from 1/1000 to 1000 after 100 steps, RNN and LSTM; sweep beside product of links."""
    rnn, lstm = partial(nn.RNNCell, init=("xavier", "orthogonal")), partial(nn.LSTMCell, forget_bias=5.0)
    cells: dict[str, Any] = {"RNN, quiet inputs": (rnn, 0.1), "RNN, noise": (rnn, 1.0), "LSTM, noise": (lstm, 1.0)}
    shares = {name: reach(make, noise, seeds=30) for name, (make, noise) in cells.items()}
    states = nn.unroll(nn.LSTMCell(2, 4, rng=0), np.random.default_rng(0).normal(size=(20, 2)))
    loss = states[-1][0].sum()
    g = Chain(loss, states[0][1], states[1:]).gradients[0]
    figures = {f"{name}: in range after 100 steps": share[-1] for name, share in shares.items()}
    figures["LSTM: sweep − product of its links"] = float(np.max(np.abs(g - grad(loss, states[0][1]))))
    return Found(figures, {name: (np.arange(101), y) for name, y in shares.items()}, ("steps back", "share of the draws in range"))


def interval(p: float, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share p of n (Wilson 1927)."""
    z = 1.96  # standard errors
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return middle - half, middle + half


def latched(make: Any, length: int, units: int = 4, seeds: int = 60, updates: int = 400) -> float:
    """The share of runs that hold a bit over the length: plain SGD, and in the end the right sign for 95 % of 500 new sequences."""

    def loss(model: Any, batch: Any) -> Any:
        return seeds * nn.mse(model(batch[0])[0], batch[1])  # the sum over the seeds of their own losses

    model = Recurrent(make(1, units, seeds=range(seeds)), 1, seeds=range(seeds))
    task = lambda length, batch, rng: training.latch(length, batch, rng=rng)  # noqa: E731
    training.fit(model, loss, for_seeds(task, length, seeds, 8), training.SGD(model, 0.1), updates, record=updates)
    inputs, targets = next(for_seeds(task, length, seeds, 500, rng=10**6))
    with no_grad():
        right = np.sign(model(inputs)[0].data) == np.sign(targets)
    return float(np.mean(right.mean(axis=(1, 2)) >= 0.95))


@measures("P17")
def near_certain() -> Found:
    """The share of runs that learn to latch a bit, by the length of the sequence, with 95 % intervals."""
    cells = {
        "RNN, one unit": partial(latched, nn.RNNCell, units=1), "RNN": partial(latched, nn.RNNCell), "LSTM": partial(latched, nn.LSTMCell),
        "LSTM, forget bias 3": partial(latched, partial(nn.LSTMCell, forget_bias=3.0))}
    lengths, seeds = (5, 10, 20, 40), 60
    shares = {name: np.array([run(length=length) for length in lengths]) for name, run in cells.items()}
    figures = {f"{name}: success at length {k}": float(p) for name, ps in shares.items() for k, p in zip(lengths, ps)}
    curves: dict[str, Any] = {name: (lengths, ps) for name, ps in shares.items()}
    for name in ("RNN", "LSTM, forget bias 3"):
        ends = np.array([interval(p, seeds) for p in shares[name]]).T
        curves |= {f"{name}, 95 % {end}": (lengths, ps) for end, ps in zip(("from", "to"), ends)}
        figures |= {f"{name}: 95 % {end} at length 40": float(ps[-1]) for end, ps in zip(("from", "to"), ends)}
    return Found(figures, curves, ("length of the sequence", "share of runs that succeed"))
