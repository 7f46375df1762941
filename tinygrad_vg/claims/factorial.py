"""Is it the sigmoid, or is it multiplying by the same weights?  Change one thing at a time, and split the difference.

A cell is (activation, tying, scale s), as in recurrences. Measured is its slope, the change of ln |gradient| per step back, in nats, on
a gradient that is brought to length 1 at every edge, so that nothing underflows.

    T  steps      N  width      s  scale      x  state      w  weight      g  gradient      sd  over the draws of W, the seeds
"""

import math
from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np

from .. import Chain, Scalar, nn
from ..nn.layers import each, generators
from ..training.learning import Row
from .factorial_shown import page, picture
from .recurrences import KINDS, TYING, Cell, draws, log_gains, measured, moments, states

FACTORS = ("activation", "tying", "scale")
SCALES = dict.fromkeys(("linear", "tanh", "relu", "sigmoid"), (0.7, 1.0, 1.4, 4.0))
BASE: Cell = ("linear", "untied", 1.0)
TARGETS: tuple[Cell, ...] = (
    ("sigmoid", "tied", 1.0), ("sigmoid", "tied", 4.0), ("tanh", "tied", 0.7), ("tanh", "tied", 1.4), ("relu", "tied", 1.0),
    ("relu", "tied", 1.4))
EDGE = {"linear": 1.0, "tanh": 1.4, "relu": math.sqrt(2)}  # scales near which the gradient keeps its size


def shapley(value: Callable[[Any], Any], base: Sequence, target: Sequence) -> list[Any]:
    """value(target) − value(base), split among the places where the two differ: what changing one adds, the mean over all orders.

    The parts sum to the difference, do not depend on any order, and a place where base and target agree gets 0 (Shapley 1953).

    >>> shapley(lambda c: c[0] * c[1], base=(1, 1), target=(3, 5))
    [6.0, 8.0]
    """
    orders = list(permutations(range(len(base))))
    parts: list[Any] = [0.0] * len(base)
    for order in orders:
        cell = list(base)
        for k in order:
            before, cell[k] = value(tuple(cell)), target[k]
            parts[k] = parts[k] + (value(tuple(cell)) - before) / len(orders)
    return parts


def growth(N: int = 32, lengths: Sequence[int] = (25, 50, 100, 200), seeds: int = 80, rng: Any = 1, scales: Any = None) -> list[Row]:
    """How the log gain over T steps spreads over draws: mean and sd at each T, and the exponent p of sd ~ T^p (least squares in logs).

    scales  {activation: s}, the edge of chaos if left out.  Independent factors average out, p = ½; one draw repeated does not, p = 1.
    """
    cells: list[Cell] = [(a, tying, s) for a, s in (EDGE if scales is None else scales).items() for tying in TYING]
    figures = lambda h, g: np.stack([log_gains(h[T], g).sum(axis=(0, 2)) for T in lengths], axis=1)  # noqa: E731
    return [spread(cell, lengths, logs) for cell, logs in measured(cells, N, max(lengths), seeds, rng, figures).items()]


def spread(cell: Cell, lengths: Sequence[int], logs: np.ndarray) -> Row:
    """A row of `growth`; logs (seeds, lengths). Seeds whose gradient died are left out, and counted."""
    alive = np.isfinite(logs).all(axis=1)
    mean, sd = zip(*map(moments, logs[alive].T))
    line = np.polyfit(np.log(lengths), np.log(sd), 1) if len(lengths) > 1 and min(sd) > 0 else [math.nan]
    named = {"activation": cell[0], "tying": cell[1], "scale": cell[2], "T": list(lengths), "mean": list(mean), "sd": list(sd)}
    return {**named, "exponent": float(line[0]), "dead": int(np.sum(~alive))}


def counter_examples(N: int = 64, T: int = 50, depth: int = 20, seeds: int = 20, rng: Any = 0) -> list[Row]:
    """Rows of {claim, network, log gain (nats, mean over seeds), sd, slopes, weights}: what the two factors did, and both together."""
    (untied,) = measured([("sigmoid", "untied", 1.0)], N, depth, seeds, rng, lambda h, g: log_gains(h[-1], g).sum(axis=0)).values()
    Q = each(generators(rng, seeds), lambda rng: nn.init.orthogonal((1, N, N), rng))
    _, h, g = next(draws(1, 1, seeds, rng))
    h, g = (np.broadcast_to(x, (seeds, 1, N)) for x in (h, g))
    tied = log_gains(states(("linear", "tied", 1.0), np.broadcast_to(Q, (seeds, T, N, N)), h)[-1], g).sum(axis=0)
    return [
        one_unit("sigmoids are needed", "x ← 0.9 x", T, 0.9),
        one_unit("sigmoids are enough", "x ← σ(4 x − 2), from 0.5", T, 4.0, -2.0),
        *(one_unit("sigmoids only shrink", f"x ← σ(5 x − 2.5), from {x}", T, 5.0, -2.5, x) for x in (0.5, 0.501)),
        many("tying is needed", f"σ MLP of {depth} layers, {depth} W", untied),
        many("tying is enough", "h ← Q h, one orthogonal Q", tied)]


def one_unit(claim: str, network: str, T: int, w: float, b: float | None = None, x: float = 0.5) -> Row:
    """T steps of one unit, x ← w x, or x ← σ(w x + b): the chain of scalars from the last x to the first."""
    first = state = Scalar(x, name="x")
    for _ in range(T):
        state = w * state if b is None else (w * state + b).sigmoid()
    chain = Chain(state, first)
    parts = chain.blame().parts
    slopes = parts["activation size"] + parts["activation alignment"]
    gain = chain.log_product[0]
    return {"claim": claim, "network": network, "log gain": gain, "sd": 0.0, "slopes": slopes, "weights": gain - slopes}


def many(claim: str, network: str, logs: np.ndarray) -> Row:
    """The same of many draws of a wide network; logs (seeds, 3), the sum of log_gains over all steps."""
    slopes, gain = float(logs[:, 0].mean()), logs.sum(axis=1)
    measured = {"log gain": float(gain.mean()), "sd": float(gain.std(ddof=1)), "slopes": slopes, "weights": float(gain.mean()) - slopes}
    return {"claim": claim, "network": network, **measured}


def as_text(cell: Cell) -> str:
    """The cell's key in JSON: `tanh|tied|1.0`."""
    return "|".join(map(str, cell))


class Factorial:
    """What `run` found.

    .parts     {cell: (seeds, 3)} nats per step, by KINDS; their sum is the slope      .slopes(cell)  that sum, (seeds,)
    .growth    the rows of `growth`      .examples  the rows of `counter_examples`
    .attribution(target, base)  the slope's difference, split among FACTORS
    """

    def __init__(self, N: int, T: int, parts: dict[Cell, np.ndarray], growth: list[Row], examples: list[Row]):
        self.N, self.T, self.parts, self.growth, self.examples = N, T, parts, growth, examples

    def slopes(self, cell: Cell) -> np.ndarray:
        """Nats per step, one for each seed, nan where its gradient became zero; KeyError for a cell that was not run."""
        if cell not in self.parts:
            raise KeyError(f"the cell {cell} was not run; those that were: {', '.join(map(as_text, self.parts))}")
        total = self.parts[cell].sum(axis=1)
        return np.where(np.isfinite(total), total, np.nan)

    def attribution(self, target: Cell, base: Cell = BASE) -> dict[str, np.ndarray]:
        """{factor: (seeds,) nats per step}: the Shapley parts of slope(target) − slope(base), seed by seed."""
        zero = np.zeros(len(self.slopes(base)))
        return {factor: zero + part for factor, part in zip(FACTORS, shapley(self.slopes, base, target))}

    def targets(self) -> list[Cell]:
        """The cells of TARGETS whose attribution from BASE can be computed from what was run."""
        return [target for target in TARGETS if all(cell in self.parts for cell in product(*zip(BASE, target)))]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text: cells as 'sigmoid|tied|1.0', means and sds over the seeds that live."""
        slopes, shares = ({as_text(cell): self.summary(cell)[k] for cell in self.parts} for k in (0, 1))
        shown = {as_text(target): {k: moments(x)[0] for k, x in self.attribution(target).items()} for target in self.targets()}
        found = {"slopes": slopes, "parts": shares, "attribution": shown, "growth": self.growth, "examples": self.examples}
        return {"N": self.N, "T": self.T, "seeds": len(next(iter(self.parts.values()))), **found}

    def summary(self, cell: Cell) -> tuple[list[Any], dict[str, float]]:
        """[mean slope, sd, how many gradients became zero], and the mean of each of KINDS: over the seeds whose gradient lives."""
        living = self.parts[cell][np.isfinite(self.parts[cell]).all(axis=1)]
        parts = {kind: moments(nats)[0] for kind, nats in zip(KINDS, living.T)}
        return [*moments(living.sum(axis=1)), len(self.parts[cell]) - len(living)], parts

    plot, __str__ = picture, page


def run(
    N: int = 64, T: int = 50, seeds: int = 40, *, scales: dict[str, Sequence[float]] | None = None,
    lengths: Sequence[int] = (25, 50, 100, 200), rng: Any = 0,
) -> Factorial:
    """Activation × tying × scale, the growth of the spread (width 32, twice the seeds), and the counter-examples.

    N, T, seeds  width, steps, draws      scales  {activation: scales}, SCALES if left out      lengths  T's of the growth; () for none
    About ten seconds as it stands. ValueError for fewer than two seeds, which have no spread, or less than one step.
    """
    if seeds < 2 or T < 1:
        raise ValueError(f"a spread needs two seeds or more, and a slope one step; got seeds={seeds}, T={T}")
    cells: list[Cell] = [(a, tying, s) for a, each in (SCALES if scales is None else scales).items() for s in each for tying in TYING]
    parts = measured(cells, N, T, seeds, rng, lambda h, g: log_gains(h[-1], g).mean(axis=0))
    grown = growth(32, lengths, 2 * seeds, rng) if lengths else []
    return Factorial(N, T, parts, grown, counter_examples(N, seeds=seeds, rng=rng))
