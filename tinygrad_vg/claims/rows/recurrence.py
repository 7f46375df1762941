"""What do powers of one matrix do?  Claims P9 to P14 of the post: the linear recurrence, its eigenvalues, and a step too far.

    W  weights      Q  orthogonal      λ  eigenvalue      ρ  largest |λ|      σ  largest singular value      h  state      g  gradient
    t  time, or steps so far      T  steps      w  one weight      b  bias      q  eigenvector      lr  learning rate
"""

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from ... import Chain, Scalar, Tensor, grad, nn, no_grad, square
from ...drawing import cliff
from ...training import SGD
from ..claim import Found, measures
from .deep import descending, through

LAMBDAS, BIAS = np.array([1.1, 0.99, 0.9, -0.5]), -2.3


def recurrence(W: np.ndarray, h: Any, T: int) -> tuple[nn.RNNCell, list[Tensor]]:
    """h[t] = W h[t−1], T times from h: the cell and its states."""
    cell = nn.RNNCell(1, len(W), "linear", ("zeros", lambda shape, rng: W))
    return cell, nn.unroll(cell, np.zeros((T, 1)), Tensor(h).named("h", 0))


def chain_of(W: np.ndarray, T: int, g: Any) -> Chain:
    """The chain of T steps, from the seed g at the last state."""
    return through(recurrence(W, np.zeros(len(W)), T)[1], g)


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


@measures("P9")
def hidden_states() -> Found:
    """States, gradients and ∂L/∂Wᵀ of h ← Wᵀ h beside (Wᵀ)^t h[0], W^t g and Σ of outer products."""
    T, rng = 50, np.random.default_rng(0)
    W, h0, g = nn.init.normal((8, 8), rng), rng.normal(size=8), rng.normal(size=8)
    cell, states = recurrence(W.T, h0, T)
    forth, back = ([np.linalg.matrix_power(M, t) @ x for t in range(T + 1)] for M, x in ((W.T, h0), (W, g)))
    found = grad(states[-1], [*states[::-1], cell.W_hh], seed=g)
    figures = {
        "states, relative error": max(map(miss, [h.data for h in states], forth)),
        "gradients, relative error": max(map(miss, found[:-1], back)),
        "∂L/∂Wᵀ, relative error": miss(found[-1], sum(np.outer(back[T - t], forth[t - 1]) for t in range(1, T + 1)))}
    sizes = {"|h[t]|": [np.linalg.norm(h.data) for h in states], "|∂L/∂h[t]|": [np.linalg.norm(x) for x in found[-2::-1]]}
    return Found(figures, {name: (np.arange(T + 1), y) for name, y in sizes.items()}, ("t", "length"))


@measures("P10")
def eigen_coordinates() -> Found:
    """Eigen-coordinates of h[t], W symmetric, and the singular values of 100 links, beside λ^100."""
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
    figures, curves = dict[str, float](), {}
    for name, W in Ws.items():
        chain = chain_of(np.array(W), 50, np.eye(len(W))[0])
        first = backward(chain)[:, 0]
        figures[f"{name}: gain of 50 steps"] = math.exp(chain.log_product[0])
        figures[f"{name}: sign changes"] = int(np.sum(first[1:] * first[:-1] < 0))
        curves[name] = (np.arange(51), first)
    return Found(figures, curves, ("steps back", "gradient, first coordinate"))


@measures("P12")
def rotation() -> Found:
    """Determinants of 200 random orthogonal matrices, and |gain − 1| of 1000 steps with a reflection."""
    Qs = nn.init.orthogonal((200, 8, 8), 0)
    dets = np.linalg.det(Qs)
    chain = chain_of(Qs[np.argmin(dets)], 1000, np.arange(1.0, 9.0))
    figures = {
        "share with determinant −1": float(np.mean(dets < 0)), "||det| − 1|, largest": float(np.max(np.abs(np.abs(dets) - 1))),
        "|gain − 1| of one step, largest": max(abs(link.gain - 1) for link in chain.links),
        "|gain − 1| of 1000 steps": abs(math.exp(chain.log_product[0]) - 1)}
    off = np.abs(np.expm1(chain.log_product[::-1]))
    return Found(figures, {"reflection": (np.arange(1001), off)}, ("steps back", "|gain − 1|"))


@measures("P12b")
def projections() -> Found:
    """A unit vector h in the eigenvectors' basis: of a symmetric W, and of one whose eigenvectors are nearly parallel."""
    rng, θ = np.random.default_rng(0), np.linspace(0, math.pi, 181)
    A = rng.normal(size=(8, 8))
    Q, h = np.linalg.eigh(A + A.T)[1], rng.normal(size=8)
    V, around = np.linalg.eig(np.array([[0.9, 5.0], [0.0, 0.89]]))[1], np.array([np.cos(θ), np.sin(θ)])
    skew, projected = np.linalg.solve(V, around), V.T @ around
    figures = {
        "symmetric: coordinates − projections": float(np.max(np.abs(np.linalg.solve(Q, h) - Q.T @ h))),
        "not normal: largest coordinate": float(np.abs(skew).max()), "not normal: largest projection": float(np.abs(projected).max())}
    curves = {"coordinate": (θ, skew[0]), "projection": (θ, projected[0])}
    return Found(figures, curves, ("direction of h, rad", "on the first eigenvector"))


@measures("P13")
def dominated() -> Found:
    """The angle of the gradient to the top eigenvector of a symmetric W, and its factor per step."""
    W, Q = symmetric()
    coordinates = backward(chain_of(W, 100, Q.sum(axis=1))) @ Q
    tan = np.linalg.norm(coordinates[:, 1:], axis=1) / np.abs(coordinates[:, 0])
    figures = {
        "tan of the angle at t = 100": tan[100], "cos at t = 10": 1 / math.hypot(1, tan[10]), "cos at t = 50": 1 / math.hypot(1, tan[50]),
        "factor per step, t = 50 to 100": (tan[100] / tan[50]) ** (1 / 50)}
    return Found(figures, {"tan of the angle": (np.arange(101), tan)}, ("steps back", "tan of the angle to the top eigenvector"))


@measures("P13b")
def non_normal() -> Found:
    """|W^t| of matrices that are not normal: how far it rises above 1 though ρ < 1, and when it is below again."""
    t = np.arange(101)
    norms = worst(np.array([[0.9, 5.0], [0.0, 0.9]]), 100)
    figures = {
        "largest |W^t|": norms.max(), "at t": int(norms.argmax()), "|W^50|": norms[50],
        "first below 1 at t": int(np.flatnonzero(norms < 1)[0]), "σ": norms[1], "|W^100|^(1/100)": norms[100] ** 0.01,
        "ten units, ρ = 0.5: largest |W^t|": worst(0.5 * np.eye(10) + np.diag([2.0] * 9, 1), 40).max()}
    curves = {"|W^t|": (t, norms), "ρ^t": (t, 0.9**t), "σ^t, the bound": (t[:7], norms[1] ** t[:7])}
    return Found(figures, curves, ("steps back, t", "worst gain"))


def worst(W: np.ndarray, T: int) -> np.ndarray:
    """The largest singular value of the product over 0, 1, …, T steps, from the chain."""
    return np.exp([logs[0] for logs in chain_of(W, T, np.ones(len(W))).spectrum().running[::-1]])


def loss_of(w: Any, b: Any = BIAS) -> Scalar:
    """(σ(x[50]) − 0.7)² after x[t] = w σ(x[t−1]) + b, from x[0] = 0.5 (Pascanu, Mikolov & Bengio 2013, figure 6)."""
    x = Scalar(0.5)
    for _ in range(50):
        x = w * x.sigmoid() + b
    return square(x.sigmoid() - 0.7)


def descent(steps: int, lr: float, clip: Callable[..., Any] | None = None, **start: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SGD on w, or on w and b, from `start`: the loss, the place and |gradient| before each step; `clip` is to 0.1."""
    leaves = {name: Scalar(x, name=name) for name, x in start.items()}
    losses, places, sizes = [], [], []
    for loss in islice(descending(SGD(leaves, lr), lambda: loss_of(**leaves)), steps):
        losses.append(loss.data)
        places.append([leaf.data for leaf in leaves.values()])
        sizes.append(math.hypot(*(leaf.grad for leaf in leaves.values())))
        if clip:
            clip(leaves, 0.1)
    return np.array(losses), np.array(places), np.array(sizes)


def one_step(direction: int, lr: float = 1e-3) -> dict[str, float]:
    """One step of SGD on W = Q diag(1.1, 0.5) Qᵀ: an eigenvector goes in, fifty steps later it should come out as it was."""
    Q = nn.init.orthogonal((2, 2), 0)
    q = Q[:, direction]

    def loss_at(W: np.ndarray) -> tuple[Any, Any]:
        cell, states = recurrence(W, q, 50)
        return 0.5 * square(states[-1] - q).sum(), cell.W_hh

    W = Q * np.array([1.1, 0.5]) @ Q.T
    before, W_hh = loss_at(W)
    moved = lr * grad(before, W_hh)
    with no_grad():
        after = loss_at(W - moved)[0]
    return {"before": before.item(), "after": after.item(), "moved": float(np.linalg.norm(moved))}


@measures("P14")
def overshoot() -> Found:
    """Descent off a cliff: the loss and w after the jump; one step on exploding and on vanishing inputs."""
    losses, places, sizes = descent(30, 0.3, w=5.0)
    w = places[:, 0]
    jump, best = int(np.argmax(sizes)), int(np.argmin(losses))
    explodes, vanishes = one_step(0), one_step(1)
    figures = {
        "cliff: loss after the jump, over the first": losses[jump + 1] / losses[0],
        "cliff: loss at best, over the first": losses[best] / losses[0], "cliff: steps of progress lost": best,
        "cliff: w after the jump": w[jump + 1], "cliff: |gradient| behind it": sizes[jump + 1],
        "exploding input: loss": explodes["before"], "exploding input: W moved by": explodes["moved"],
        "exploding input: log10 of the loss after": math.log10(explodes["after"]), "vanishing input: W moved by": vanishes["moved"],
        "vanishing input: loss after over before": vanishes["after"] / vanishes["before"]}
    return Found(
        figures, {"descent on w": (np.arange(30), losses)}, ("step", "loss"),
        picture=lambda: cliff(lambda w: loss_of(w).data, np.linspace(4, 16, 601), w, name="w"))
