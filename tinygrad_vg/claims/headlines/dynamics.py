"""How long does learning take, and when it stops, is it done or stuck?  Deep linear nets, orthogonal starts, plateaus.

    W  weights, W[L] … W[1] x      M = U S Vᵀ  what the product is to become      L  number of layers      s  singular value
"""

import math
from functools import reduce
from typing import Any

import numpy as np

from ... import Chain, Tensor, grad
from ...nn import MLP, mse
from ...nn.init import normal, orthogonal
from ...training import SGD, fit
from ...training.learning import Row
from ..models import hidden_layers
from .deep import SETTING, SYNTHETIC, learned
from .headline import Checks, headline


@headline(
    "saxe-linear-nets", "Saxe, McClelland & Ganguli 2014",
    "From orthogonal weights a linear net learns in a time that hardly depends on its depth; from Gaussian ones it does.",
    "8 × 8, L = 2 … 80, lr .05/L, until the loss is 1 % of ½|M|²; singular values of M from 1.5 to 2.5; 3 seeds, 4,000 steps at most.",
    "The orthogonal weights are aligned with M, W[L] … W[1] = U Vᵀ: with others runs can stall, where a determinant has the wrong sign.",
    slow=True, known="From memory")
def saxe(full: bool) -> tuple[list[Row], Checks]:
    """Steps until linear nets of 2 to 80 layers are learned, from orthogonal and from Gaussian starts."""
    depths = (2, 5, 10, 20, 40, 80)
    found = {L: linear_steps(L, "orthogonal") for L in depths}
    gaussian = {L: linear_steps(L, "gaussian") for L in (depths if full else (2, 10))}
    starts = {"orthogonal": found, "Gaussian": gaussian}
    return [{"start": start, "L": L, "steps": steps} for start, runs in starts.items() for L, steps in runs.items()], {
        "Orthogonal: 80 layers take no more steps than 2": max(known(found[80])) <= max(known(found[2])),
        "Orthogonal: 10 layers and 80 differ by less than 10 %": bool(abs(np.mean(known(found[80])) / np.mean(known(found[10])) - 1) < 0.1),
        "Gaussian, 2 layers: learns, in at least twice the steps": min(known(gaussian[2])) > 2 * max(known(found[2])),
        "Gaussian, 10 layers and more: never": not any(known(steps) for L, steps in gaussian.items() if L >= 10)}


def known(steps: list[int | None]) -> list[int]:
    """The runs that ended, of those that may not have."""
    return [n for n in steps if n is not None]


def linear_steps(L: int, start: str) -> list[int | None]:
    """Steps of gradient descent, lr .05/L, until ½|W[L] … W[1] − M|² < 1 % of ½|M|²; None for a seed of 3 that takes more than 4,000."""
    rng, shape = np.random.default_rng(L), (3, 8, 8)
    Q = [orthogonal(shape, rng) for _ in range(L + 1)]
    M = Q[L] * np.linspace(1.5, 2.5, 8) @ Q[0].swapaxes(-1, -2)
    Ws: list[Any] = [Tensor(Q[k + 1] @ Q[k].swapaxes(-1, -2) if start == "orthogonal" else normal(shape, rng)) for k in range(L)]
    enough, steps = 0.01 * np.sum(M**2, axis=(1, 2)), list[int | None]([None] * 3)
    optimiser = SGD({f"W{k}": W for k, W in enumerate(Ws)}, 0.05 / L)
    for step in range(4001):
        missing = reduce(lambda product, W: W @ product, Ws) - M
        close = np.sum(missing.data**2, axis=(1, 2)) < enough
        steps = [step if before is None and now else before for before, now in zip(steps, close)]
        if None not in steps:
            break
        optimiser.zero_grad()
        (0.5 * (missing * missing).sum()).backward(keep=False)
        optimiser.step()
    return steps


@headline(
    "orthogonal-tanh", "Saxe, McClelland & Ganguli 2014", "Orthogonal starts keep very deep nets trainable.",
    f"{SETTING}, lr .01; tanh, L = 10, 30, 60, orthogonal and, beside it, W ~ N(0, 1/n).", SYNTHETIC,
    slow=True, known="From memory")
def orthogonal_tanh(full: bool) -> tuple[list[Row], Checks]:
    """Accuracy of tanh nets of 10 to 60 layers from orthogonal and Gaussian starts."""
    depths = (10, 30, 60) if full else (10, 30)
    rows = [{"start": "orthogonal", **learned(L, "tanh", "orthogonal")} for L in depths]
    checks = {f"{L} layers learn: above .7": row["accuracy"] > 0.7 for L, row in zip(depths, rows)}
    if full:
        rows += [{"start": "Gaussian", **learned(L, "tanh", 1.0)} for L in depths]
        checks["60 layers: above Gaussian's by .1"] = rows[2]["accuracy"] > rows[5]["accuracy"] + 0.1
    return rows, checks


@headline(
    "converged-or-vanished", "a question of the text this project answers",
    "Gradients are small at a minimum, too: how is that told from vanishing?",
    "16 random points, targets 0 and 1, width 32, 6,000 full-batch steps, lr .05, momentum .9: tanh with 5 layers, sigmoid with 10.",
    "Not a published experiment. The sigmoid net's output bias learns the mean, then all gradients are small: only the gain tells.")
def converged_or_vanished(full: bool) -> tuple[list[Row], Checks]:
    """Loss, |g| and gain at a minimum and on a plateau, before and after training."""
    rows = [row for L, activation in ((5, "tanh"), (10, "sigmoid")) for row in start_and_end(L, activation, 6000)]
    (_, minimum), (start, plateau) = rows[:2], rows[2:]
    return rows, {
        "tanh ends at a minimum: loss below 1e-20": minimum["loss"] < 1e-20,
        "sigmoid ends on a plateau: loss within 1 % of the targets' variance": abs(plateau["loss"] / 0.25 - 1) < 0.01,
        "In both the first layer's gradient is then below 1e-6": max(minimum["|g| first"], plateau["|g| first"]) < 1e-6,
        "The ratio first/last tells the sigmoid net at its start: below e^-10": start["ln ratio"] < -10,
        "At its end the ratio does not tell any more: within e^±1": abs(plateau["ln ratio"]) < 1,
        "The gain tells: above e^-3 at the minimum, below e^-10 on the plateau": minimum["ln gain"] > -3 and plateau["ln gain"] < -10}


def start_and_end(L: int, activation: str, steps: int) -> list[Row]:
    """Before the first step and after the last: loss, |g| of the first and the last hidden layer and ln of their ratio, ln gain.

    The gain is that of a gradient of ones at the output on its way to h[1]: it does not know the loss.
    """
    points, targets = np.random.default_rng(0).normal(size=(16, 4)), np.arange(16.0)[:, None] % 2
    net = MLP([4, *[32] * L, 1], activation)

    def row(step: int) -> Row:
        output = net(points)
        loss, chain = mse(output, targets), Chain(output, hidden_layers(output)[0], seed=np.ones((16, 1)))
        first, last = (float(np.linalg.norm(g)) for g in grad(loss, [net.layer(k).W for k in (1, L)]))
        sizes = {"|g| first": first, "|g| last": last, "ln ratio": math.log(first / last), "ln gain": chain.log_product[0]}
        return {"net": f"{activation}, L = {L}", "step": step, "loss": float(loss.item()), **sizes}

    start = row(0)
    fit(net, lambda net, _: mse(net(points), targets), [None] * steps, SGD(net, 0.05, 0.9), steps, record=steps)
    return [start, row(steps)]
