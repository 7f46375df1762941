"""What do powers of one matrix do?  Claims P9 to P13b of the post: the linear recurrence and its eigenvalues.

    W  weights      Q  orthogonal      λ  eigenvalue      ρ  largest |λ|      σ  largest singular value      h  state      g  gradient
    t  time, or steps so far      T  steps
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import Chain, Tensor, grad, nn
from ..claim import Found, measures

LAMBDAS = np.array([1.1, 0.99, 0.9, -0.5])


def recurrence(W: np.ndarray, h: Any, T: int) -> tuple[nn.RNNCell, list[Tensor]]:
    """h[t] = W h[t−1], T times from h: the cell and its states."""
    cell = nn.RNNCell(1, len(W), "linear", ("zeros", lambda shape, rng: W))
    return cell, nn.unroll(cell, np.zeros((T, 1)), Tensor(h).named("h", 0))


def chain_of(W: np.ndarray, T: int, g: Any) -> Chain:
    """The chain of T steps, from the seed g at the last state."""
    states = recurrence(W, np.zeros(len(W)), T)[1]
    return Chain(states[-1], states[0], through=states, seed=g)


def backward(chain: Chain) -> np.ndarray:
    """(T + 1, n) gradients, after 0, 1, …, T steps back."""
    return np.array([g.ravel() for g in chain.gradients[::-1]])


def symmetric(rng: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """W = Q Λ Qᵀ with the eigenvalues LAMBDAS, and Q."""
    Q = nn.init.orthogonal((4, 4), rng)
    return Q * LAMBDAS @ Q.T, Q


def miss(found: Any, right: Any) -> float:
    """|found − right| / |right|."""
    return float(np.linalg.norm(np.asarray(found) - right) / np.linalg.norm(right))


def powers(W: np.ndarray, T: int) -> Iterator[np.ndarray]:
    return (np.linalg.matrix_power(W, t) for t in range(T + 1))


@measures("P9")
def hidden_states() -> Found:
    T, rng = 50, np.random.default_rng(0)
    W, h0, g = nn.init.normal((8, 8), rng), rng.normal(size=8), rng.normal(size=8)
    cell, states = recurrence(W.T, h0, T)
    forth, back = ([P @ x for P in powers(M, T)] for M, x in ((W.T, h0), (W, g)))
    found = grad(states[-1], [*states[::-1], cell.W_hh], seed=g)
    figures = {
        "states, relative error": max(map(miss, [h.data for h in states], forth)),
        "gradients, relative error": max(map(miss, found[:-1], back)),
        "∂L/∂Wᵀ, relative error": miss(found[-1], sum(np.outer(back[T - t], forth[t - 1]) for t in range(1, T + 1))),
    }
    sizes = {"|h[t]|": [np.linalg.norm(h.data) for h in states], "|∂L/∂h[t]|": [np.linalg.norm(x) for x in found[-2::-1]]}
    return Found(figures, {name: (np.arange(T + 1), y) for name, y in sizes.items()}, ("t", "length"))


@measures("P10")
def eigen_coordinates() -> Found:
    W, Q = symmetric()
    h = np.array([state.data for state in recurrence(W, Q.sum(axis=1), 100)[1]])
    chain = chain_of(W, 100, np.ones(4))
    figures = {"both sides at t = 100, off by": miss(h[100], Q @ LAMBDAS**100)}
    figures |= {f"{abs(x)}^100": math.exp(log) for x, log in zip(LAMBDAS, chain.spectrum().running[0])}
    coordinates = np.abs(h @ Q)
    figures["0.5^100 as the states have it"] = coordinates[100, 3]
    curves = {f"λ = {x}": (np.arange(101), y) for x, y in zip(LAMBDAS, coordinates.T)}
    return Found(figures, curves, ("t", "|eigen-coordinate| of h[t]"))


@measures("P11")
def less_than_one() -> Found:
    """One W for each kind of eigenvalue, from the seed (1, 0) back."""
    c, s = math.cos(0.5), math.sin(0.5)
    Ws = {"λ = −1.1": [[-1.1]], "λ = −0.9": [[-0.9]], "λ = 1": [[1.0]], "0.99 e^(±iθ)": [[0.99 * c, -0.99 * s], [0.99 * s, 0.99 * c]]}
    figures: dict[str, float] = {}
    curves = {}
    for name, W in Ws.items():
        chain = chain_of(np.array(W), 50, np.eye(len(W))[0])
        first = backward(chain)[:, 0]
        figures[f"{name}: gain of 50 steps"] = math.exp(chain.log_product[0])
        figures[f"{name}: sign changes"] = int(np.sum(first[1:] * first[:-1] < 0))
        curves[name] = (np.arange(51), first)
    return Found(figures, curves, ("steps back", "gradient, first coordinate"))


@measures("P12")
def rotation() -> Found:
    Qs = nn.init.orthogonal((200, 8, 8), 0)
    dets = np.linalg.det(Qs)
    chain = chain_of(Qs[np.argmin(dets)], 1000, np.arange(1.0, 9.0))
    figures = {
        "share with determinant −1": float(np.mean(dets < 0)),
        "||det| − 1|, largest": float(np.max(np.abs(np.abs(dets) - 1))),
        "|gain − 1| of one step, largest": max(abs(link.gain - 1) for link in chain.links),
        "|gain − 1| of 1000 steps": abs(math.exp(chain.log_product[0]) - 1),
    }
    off = np.abs(np.expm1(chain.log_product[::-1]))
    return Found(figures, {"reflection": (np.arange(1001), off)}, ("steps back", "|gain − 1|"))


@measures("P13")
def dominated() -> Found:
    W, Q = symmetric()
    coordinates = backward(chain_of(W, 100, Q.sum(axis=1))) @ Q
    tan = np.linalg.norm(coordinates[:, 1:], axis=1) / np.abs(coordinates[:, 0])
    figures = {
        "tan of the angle at t = 100": tan[100], "cos at t = 10": 1 / math.hypot(1, tan[10]), "cos at t = 50": 1 / math.hypot(1, tan[50]),
        "factor per step, t = 50 to 100": (tan[100] / tan[50]) ** (1 / 50),
    }  # fmt: skip
    return Found(figures, {"tan of the angle": (np.arange(101), tan)}, ("steps back", "tan of the angle to the top eigenvector"))


@measures("P13b")
def non_normal() -> Found:
    t = np.arange(101)
    norms = worst(np.array([[0.9, 5.0], [0.0, 0.9]]), 100)
    figures = {
        "largest |W^t|": norms.max(), "at t": int(norms.argmax()), "|W^50|": norms[50],
        "first below 1 at t": int(np.flatnonzero(norms < 1)[0]), "σ": norms[1], "|W^100|^(1/100)": norms[100] ** 0.01,
        "ten units, ρ = 0.5: largest |W^t|": worst(0.5 * np.eye(10) + np.diag([2.0] * 9, 1), 40).max(),
    }  # fmt: skip
    curves = {"|W^t|": (t, norms), "ρ^t": (t, 0.9**t), "σ^t, the bound": (t[:7], norms[1] ** t[:7])}
    return Found(figures, curves, ("steps back, t", "worst gain"))


def worst(W: np.ndarray, T: int) -> np.ndarray:
    """The largest singular value of the product over 0, 1, …, T steps, from the chain."""
    return np.exp([logs[0] for logs in chain_of(W, T, np.ones(len(W))).spectrum().running[::-1]])
