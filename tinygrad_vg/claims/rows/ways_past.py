"""Is there a way past?  Skips in time and depth, gates, and the calculus on paper: claims P22 to P25 of the post. (P26 is a note.)

    h  state      c  cell (memory)      f, z  gate that keeps      W  weight      g  gradient      J  Jacobian      d  delay      T, t  time
"""

import math
from typing import Any

import numpy as np

from ... import Chain, Scalar, Tensor, explain, history, linear, nn, paths, square
from ...exercises import EXERCISES, grade
from ..claim import Found, measures
from .deep import curve, layered, through, times
from .index import all_carried_out

UNITS = 48


@measures("P22")
def skips() -> Found:
    """Skips in time, skips in depth, and the paths through ten residual blocks, by the branches they pass."""
    delays = {d: delayed(d) for d in (1, 5, 10)}
    deep = {kind: [layered(50, 64, "tanh", 0.5, seed, residual=kind == "residual") for seed in range(5)] for kind in ("residual", "plain")}
    gains = {kind: [math.exp(chain.log_product[0]) for chain in chains] for kind, chains in deep.items()}
    (before, *_), (after, *_) = deep["residual"][0].stations[1:3]
    W = next(node for node in history(after)[::-1] if node.name and node.name.base == "layer2.W")
    J = (1 - np.square(after.data - before.data))[:, None] * W.data  # of tanh(W h)
    share = by_branches()
    figures = {
        "kept, d = 10": delays[10][-1], "kept, d = 5": delays[5][-1], "kept, d = 1": delays[1][-1],
        "residual, least of 5 seeds": min(gains["residual"]), "residual, most of 5 seeds": max(gains["residual"]),
        "plain, most of 5 seeds": max(gains["plain"]),
        "Jacobian − (I + J)": float(np.max(np.abs(deep["residual"][0].links[1].dense() - np.eye(64) - J))),
        "paths through 10 blocks": sum(n for n, _ in share.values()),
        "branches passed, mean": sum(k * part for k, (_, part) in share.items())}
    curves = {f"delay {d}, weight 0.9": (np.arange(0, 101, d), np.array(y)) for d, y in delays.items()}
    curves |= {f"{kind} layers": curve(chains[0]) for kind, chains in deep.items()}
    rows = [f"  {k:2} of 10 branches: {n:4} paths, {100 * part:5.1f} % of the gradient" for k, (n, part) in sorted(share.items())]
    return Found(figures, curves, ("steps or layers back", "|gradient|"), lines="\n".join(["ten residual blocks x + 0.5 x", *rows]))


def delayed(d: int) -> list[float]:
    """∂h[100]/∂h[100 − k], k = 0, d, 2d, … 100, where h[t] = 0.9 h[t − d]."""
    cell = nn.SkipCell(1, 1, "linear", delay=d, rng=0)
    cell.W_hh.data, cell.W_skip.data = [[0.0]], [[0.9]]
    states = nn.unroll(cell, np.ones((100, 1)))
    states[-1][0].sum().backward()
    return [float(states[k][0].grad[0]) for k in range(100, -1, -d)]


def by_branches() -> dict[int, tuple[int, float]]:
    """{k: (how many paths through ten blocks y + 0.5 y pass k branches, their share of the gradient)}."""
    x = y = Scalar(1.0, name="x")
    for _ in range(10):
        y = y + 0.5 * y
    found, share = paths(y, x, top=2**10), dict[int, tuple[int, float]]()
    for path in found.top:
        k = sum(node.op == "multiply" for node in path.nodes)
        n, part = share.get(k, (0, 0.0))
        share[k] = n + 1, part + path.product / found.total
    return share


@measures("P23")
def long_short_term() -> Found:
    """Nats over fifty steps of an LSTM, in all and by the forget gates alone, and ∂c[2]/∂c[1] − diag(f)."""
    states = nn.unroll(nn.LSTMCell(2, 4, rng=0), np.random.default_rng(0).normal(size=(3, 2)))
    J, f = Chain(states[-1][0].sum(), states[0][1], states[1:]).links[1].dense(), gates(states[-1][0], "f")
    return split(lstm, "f", "cell", {"∂c/∂c − diag(f)": float(np.max(np.abs(J[4:, 4:] - np.diag(f[1]))))})


@measures("P24")
def gated_unit() -> Found:
    """Beside the nats, ∂h[2]/∂h[1] minus the formula in GRUCell's documentation."""
    cell = nn.GRUCell(2, 4, rng=0)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(2, 2)))
    r, z, n = (gates(states[2], gate)[-1][:, None] for gate in "rzn")
    h, s = states[1].data[:, None], (cell.W_hn.data @ states[1].data + cell.b_hn.data)[:, None]
    W_r, W_z, W_n = cell.W_hr.data, cell.W_hz.data, cell.W_hn.data
    J = z * np.eye(4) + (h - n) * z * (1 - z) * W_z + (1 - z) * (1 - n**2) * (r * W_n + s * r * (1 - r) * W_r)
    off = through(states[1:], np.ones(4)).links[0].dense() - J
    return split(gru, "z", "carry", {"∂h/∂h − formula": float(np.max(np.abs(off)))})


@measures("P25")
def matrix_calculus() -> Found:
    """The printed formulas' largest difference from the engine, and how many exercises tell right from 0."""
    rng = np.random.default_rng(0)
    W, h, b = (Tensor(rng.normal(size=shape), name=name) for name, shape in {"W": (3, 4), "h": (4,), "b": (3,)}.items())
    z = linear(h, W, b).named("z")
    s = np.tanh(z).named("s")
    loss = square(s).sum().named("loss")
    count, error = all_carried_out(loss)
    zero = "def {0.name}({0.arguments}): return 0.0"
    answers = {n: [passes(n, text) for text in (one.solution, zero.format(one))] for n, one in EXERCISES.items()}
    figures = {
        "printed formulas − engine": error, "formulas carried out": count, "exercises": len(answers),
        "solutions that pass": sum(right for right, _ in answers.values()),
        "answers 0 that pass": sum(zero for _, zero in answers.values())}
    return Found(figures, chain=Chain(loss, h), lines="\n\n".join(str(explain(node)) for node in (z, s)))


def passes(number: int, text: str) -> bool:
    """Whether exercise `number` accepts this text of a function."""
    space: dict[str, Any] = {}
    exec(text, space)
    return grade(number, space).passed


def split(make: Any, gate: str, carry: str, more: dict[str, float]) -> Found:
    """Nats over fifty steps, in all and by the keeping gate alone, for three biases; and over 200 steps with large weights."""
    figures, curves = {f"σ({b})^50": constant(make(b, 0), gate) for b in (0, 1, 5)} | more, {}
    for name, (b, scale, steps) in {"bias 0": (0, 1, 50), "bias 1": (1, 1, 50), "bias 5": (5, 1, 50), "W_h × 10": (1, 10, 200)}.items():
        nats = np.mean([passed(make(b, seed, scale), gate, seed, steps) for seed in range(5)], axis=0)
        for way, logs in zip(("in all", f"by the {carry}"), nats):
            figures[f"nats {way}, {name}"] = float(logs[-1])
            if name != "bias 0":
                curves[f"{name}, {way}"] = (np.arange(steps + 1), logs)
    figures["nats a step, W_h × 10"] = figures["nats in all, W_h × 10"] / 200
    return Found(figures, curves, ("steps back", "ln gain of the gradient, nats"))


def passed(cell: Any, gate: str, seed: int, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """ln gain of the gradient after 0 … steps, in all, and by the product of the keeping gates alone, (steps + 1,) each.

    At the memory, the c of an LSTM or the h of a GRU, from a loss at the last h, g ~ N(0, I); inputs N(0, 0.25).
    """
    rng = np.random.default_rng(seed)
    states = nn.unroll(cell, rng.normal(0, 0.5, (steps, cell.n_in)))
    loss = (cell.output(states[-1]) * rng.normal(size=cell.n_hidden)).sum()
    loss.backward()
    memory = [state[-1] if isinstance(state, tuple) else state for state in states][::-1]
    g = np.array([node.grad for node in memory])
    kept = np.cumprod([np.ones(cell.n_hidden), *gates(loss, gate)[::-1]], axis=0) * g[0]
    return tuple(np.log(np.linalg.norm(x, axis=1) / np.linalg.norm(g[0])) for x in (g, kept))


def gates(output: Any, base: str) -> list[np.ndarray]:
    """The values of a gate, f[1], f[2], …"""
    return [node.data for node in history(output) if node.name and node.name.base == base]


def constant(cell: Any, gate: str) -> float:
    """The gain over fifty steps of the cell without weights, whose gates stand still."""
    for name, leaf in cell.parameters().items():
        if name.startswith("W_"):
            leaf.data = np.zeros(leaf.shape)
    return float(np.exp(passed(cell, gate, 0)[0][-1]))


def lstm(bias: float, seed: int, scale: float = 1.0) -> nn.LSTMCell:
    """An LSTM cell of UNITS with this forget bias; `scale` times N(0, 1/n) weights."""
    return nn.LSTMCell(UNITS, UNITS, ("normal", times(scale)), forget_bias=bias, rng=seed)


def gru(bias: float, seed: int, scale: float = 1.0) -> nn.GRUCell:
    """A GRU cell of UNITS with b_z = bias; `scale` times N(0, 1/n) weights."""
    cell = nn.GRUCell(UNITS, UNITS, ("normal", times(scale)), rng=seed)
    cell.b_z.data = np.full(UNITS, bias)
    return cell
