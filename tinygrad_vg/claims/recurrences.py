"""What does a random recurrence do to a gradient?  Many draws at once, each followed back on its own, edge by edge.

    h[t] = φ(W_t h[t−1]),  W_t ~ N(0, s²/N)      tied: W_t = W_1 at every step      untied: a draw of its own for every step

A cell is (activation, tying, scale s). All cells of one rng share their draws, seed by seed, and differ in nothing but the three.

    h  state      W  weights (N, N)      g  gradient      T  steps      N  width      s  scale      φ  activation
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import Node, Tensor, linear, nn
from ..autodiff.arrays import locked
from ..nn.layers import each, generators

Cell = tuple[str, str, float]
TYING, KINDS = ("untied", "tied"), ("slopes", "size of W", "alignment")
BLOCK = 4_000_000  # numbers in the weights drawn at once


def draws(N: int, T: int, seeds: int, rng: Any = 0) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(W, h, g) of block after block of seeds: (seeds, T, N, N) of variance 1/N; h[0] and the last gradient, (seeds, 1, N), N(0, 1)."""
    every, size = generators(rng, seeds), max(1, BLOCK // (T * N * N))
    for k in range(0, seeds, size):
        block = every[k : k + size]
        W = each(block, lambda rng: nn.init.normal((T, N, N), rng))
        h, g = (each(block, lambda rng: rng.normal(size=(1, N))) for _ in range(2))
        yield W, h, g


def states(cell: Cell, W: np.ndarray, h: np.ndarray) -> list[Tensor]:
    """[h[0], …, h[T]], each (seeds, 1, N), of one cell.  Before an activation that bends, h[0] is halved: N(0, ½²)."""
    activation, tying, s = cell
    φ, chain = nn.ACTIVATIONS[activation], [Tensor(h if activation == "linear" else 0.5 * h).named("h", 0)]
    first = locked(s * W[:, 0])
    for t in range(1, W.shape[1] + 1):
        W_t = first if tying == "tied" else locked(s * W[:, t - 1])
        chain.append(φ(linear(chain[-1], W_t)).named("h", t))
    return chain


def measured(
    cells: Iterable[Cell], N: int, T: int, seeds: int, rng: Any, figures: Callable[[list[Tensor], np.ndarray], np.ndarray]
) -> dict[Cell, np.ndarray]:
    """{cell: figures(states, last gradient), (seeds, …)}: each cell on the same draws, block after block."""
    found: dict[Cell, list[np.ndarray]] = {cell: [] for cell in cells}
    for W, h, g in draws(N, T, seeds, rng):
        for cell, blocks in found.items():
            blocks.append(figures(states(cell, W, h), g))
    return {cell: np.concatenate(blocks) for cell, blocks in found.items()}


def log_gains(last: Node, g: np.ndarray) -> np.ndarray:
    """What each step, from `last` back, did to each seed's gradient: (T, seeds, 3) nats, by KINDS; the three add up to its log gain.

    The gradient is pulled through the local derivative of every edge. size of W = ln(|W|_F / √N); alignment is the rest of what W
    did, and knows the direction; slopes is what the diagonal of φ′ did. -inf from where a seed's gradient is exactly zero.
    """
    rows, node, slope = [], last, np.zeros(len(g))
    g = g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
    with np.errstate(divide="ignore"):
        while edges := node.edges:
            g = edges[0].local.pull(g)
            gain = np.linalg.norm(g, axis=(1, 2), keepdims=True)
            g, gain = g / np.where(gain > 0, gain, 1.0), np.log(gain.ravel())
            if node.op == "linear":
                W = np.asarray(node.parents[1])
                size = 0.5 * np.log(np.einsum("sij,sij->s", W, W) / W.shape[1])
                rows.append([slope, size, gain - size])
                slope = np.zeros(len(g))
            else:
                slope = gain
            node = edges[0].parent
    return np.array(rows).swapaxes(1, 2)


def walks(cells: Iterable[Cell], N: int, T: int, seeds: int, rng: Any = 0) -> list[np.ndarray]:
    """Of each cell the ln gain after 0, 1, …, T steps back, (T + 1, seeds)."""
    found = measured(cells, N, T, seeds, rng, lambda h, g: log_gains(h[-1], g).sum(axis=2).T)
    return [np.cumsum([np.zeros(seeds), *logs.T], axis=0) for logs in found.values()]


def tied_or_not(N: int, T: int, seeds: int, s: float = 1.0) -> dict[str, np.ndarray]:
    """{tying: the walks of a linear recurrence, (T + 1, seeds)}."""
    return dict(zip(TYING, walks([("linear", tying, s) for tying in TYING], N, T, seeds)))


def moments(x: np.ndarray) -> tuple[float, float]:
    """Mean and sd of what is finite; nan where there is too little of it."""
    x = x[np.isfinite(x)]
    return float(np.mean(x)) if len(x) else math.nan, float(np.std(x, ddof=1)) if len(x) > 1 else math.nan
