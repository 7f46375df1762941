"""What does an explosion do to learning?  Claim P14 of the post: one input in a direction that explodes, and a step too far.

    w  one weight      b  bias      q  eigenvector      W  weights      h  state      T  steps      lr  learning rate
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import Scalar, grad, nn, no_grad, square
from ...training import SGD
from ..claim import Found, measures
from .recurrence import recurrence

BIAS = -2.3


def loss_of(w: Any, b: Any = BIAS) -> Scalar:
    """(σ(x[50]) − 0.7)² after x[t] = w σ(x[t−1]) + b, from x[0] = 0.5 (Pascanu, Mikolov & Bengio 2013, figure 6)."""
    x = Scalar(0.5)
    for _ in range(50):
        x = w * x.sigmoid() + b
    return square(x.sigmoid() - 0.7)


def descent(steps: int, lr: float, clip: Callable[..., Any] | None = None, **start: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SGD on w, or on w and b, from `start`: the loss, the place and |gradient| before each step; `clip` is to 0.1."""
    leaves = {name: Scalar(x, name=name) for name, x in start.items()}
    optimiser, losses, places, sizes = SGD(leaves, lr), [], [], []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = loss_of(**leaves)
        loss.backward()
        losses.append(loss.data)
        places.append([leaf.data for leaf in leaves.values()])
        sizes.append(math.hypot(*(leaf.grad for leaf in leaves.values())))
        if clip:
            clip(leaves, 0.1)
        optimiser.step()
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
    from ...drawing import cliff

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
        "vanishing input: loss after over before": vanishes["after"] / vanishes["before"],
    }  # fmt: skip
    return Found(
        figures, {"descent on w": (np.arange(30), losses)}, ("step", "loss"),
        picture=lambda: cliff(lambda w: loss_of(w).data, np.linspace(4, 16, 601), w, name="w"),
    )  # fmt: skip
