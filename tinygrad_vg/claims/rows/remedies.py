"""What helps?  Clipping, echo states and leaky units: claims P18 to P21 of the post. (P22 to P25 are in ways_past.)

    w, W  weight      b  bias      h  state      g  gradient      T, t  time      ρ  spectral radius      τ  time constant
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import Chain, Tensor, history, nn, square, uses
from ...training import SGD, clip_norm, clip_value
from ..claim import Found, measures
from .deep import of_radius, through
from .recurrence import BIAS, descent, miss

STEPS = 300  # of descent


@measures("P18")
def over_the_cliff() -> Found:
    """Losses and longest steps of descent at a cliff, plain, clipped by norm and by value; the clipped gradient's cosine."""
    methods: dict[str, Any] = {"plain": None, "norm": clip_norm, "value": clip_value}
    losses, walks, _ = zip(*(descent(STEPS, 0.05, clip, w=4.5, b=BIAS) for clip in methods.values()))
    figures = {f"last ÷ best loss, {name}": run[-1] / run.min() for name, run in zip(methods, losses)}
    figures |= {f"last loss, {name}": run[-1] for name, run in zip(methods, losses)}
    figures |= {f"longest step, {name}": float(np.max(np.hypot(*np.diff(walk, axis=0).T))) for name, walk in zip(methods, walks)}
    figures |= {f"worst ÷ first loss, {name}": run.max() / run[0] for name, run in zip(methods, losses)}
    figures |= {"cosine, by norm": cosine_after(clip_norm), "cosine, by value": cosine_after(clip_value)}
    shown = zip(("plain", "clipped by norm", "clipped by value"), losses)
    return Found(figures, {name: (np.arange(STEPS), run) for name, run in shown}, ("step", "loss"))


def cosine_after(clip: Callable[..., Any]) -> float:
    """Between the gradient (1, 2, 3, 4, 5) and what clipping it to 1 leaves."""
    w, g = Tensor(np.zeros(5), name="w"), np.arange(1.0, 6.0)
    (w * g).sum().backward()
    clip({"w": w}, 1.0)
    return float(w.grad @ g / (np.linalg.norm(w.grad) * np.linalg.norm(g)))


@measures("P19")
def symptom() -> Found:
    """Two linear networks, their gradients clipped; the second one then takes the clipped step."""
    rate, threshold, curves, shares, left = 0.01, 1.0, {}, [], []
    for rho in (0.6, 1.3):
        cell = nn.RNNCell(3, 12, "linear", ("normal", of_radius(rho)), rng=0)
        chain, old = unrolled(cell), np.array(cell.W_hh.data)
        chain.output.backward()
        clipped = clip_norm({"W_hh": cell.W_hh}, threshold)
        before = uses(chain.output, cell.W_hh)
        after = uses(chain.output, cell.W_hh, seed=clipped.factor)  # the parts of the gradient that clipping leaves
        shares += [abs(a.share - b.share) for a, b in zip(after, before)]
        left.append(miss(cell.W_hh.grad, sum(use.gradient for use in after)))
        for name, parts in {"": before, ", clipped": after}.items():
            curves[f"ρ = {rho}{name}"] = (np.arange(1, 31), np.array([use.norm for use in parts]))
    SGD({"W_hh": cell.W_hh}, rate).step()
    moved = np.linalg.svd(old, compute_uv=False) - np.linalg.svd(cell.W_hh.data, compute_uv=False)
    nats = chain.log_product[0], unrolled(cell).log_product[0]
    first_to_last = [norms[0] / norms[-1] for _, norms in curves.values()]
    figures = {
        "change of a use's share": max(shares), "clipped gradient − sum of its parts": max(left),
        "first ÷ last use, ρ = 0.6": first_to_last[0],
        "the same, clipped ÷ not": first_to_last[1] / first_to_last[0],
        "move of σ ÷ (rate × threshold)": float(np.max(np.abs(moved)) / (rate * threshold)),
        "ρ after the clipped step": float(np.max(np.abs(np.linalg.eigvals(cell.W_hh.data)))),
        "nats over 30 steps, before it": nats[0], "nats over 30 steps, after it": nats[1]}
    return Found(figures, curves, ("time step of the use", "|part of the gradient of W_hh|"))


def unrolled(cell: Any) -> Chain:
    """Thirty steps of noise, a squared error at their end, and the chain from it back to h[0]."""
    rng = np.random.default_rng(0)
    start = Tensor(rng.normal(size=cell.n_hidden)).named("h", 0)
    states = nn.unroll(cell, rng.normal(size=(30, cell.n_in)), start)
    loss = square(states[-1] - rng.normal(size=cell.n_hidden)).sum().named("loss")
    return Chain(loss, start, through=states)


@measures("P20")
def echo() -> Found:
    """Leaves behind a reservoir's last state, besides h[0]; its memory by ρ; what is left of its start after 300 steps."""
    made = {rho: nn.Reservoir(1, 50, radius=rho, input_scale=0.1, rng=0) for rho in (0.5, 0.9, 0.99, 1.2)}
    recall = {rho: nn.memory_capacity(reservoir, 60, steps=1500) for rho, reservoir in made.items()}
    memory, lags = {rho: float(curve.sum()) for rho, curve in recall.items()}, np.arange(60)
    start = Tensor(np.zeros(50)).named("h", 0)
    last = nn.unroll(made[0.9], np.ones((20, 1)), start)[-1]
    left = {rho: washout(made[rho]) for rho in (0.9, 1.2)}
    figures = {
        "leaves other than h[0]": len([node for node in history(last) if node.rule is None and node is not start]),
        "memory at ρ = 0.9": memory[0.9], "memory ÷ units, most": max(memory.values()) / 50,
        "memory at 0.5 ÷ at 0.9": memory[0.5] / memory[0.9], "memory at 0.99 ÷ at 0.9": memory[0.99] / memory[0.9],
        "memory at 1.2 ÷ at 0.9": memory[1.2] / memory[0.9],
        "recall of lag 5, ρ = 0.9": recall[0.9][5], "recall of lag 40, ρ = 0.9": recall[0.9][40],
        "nats of washout a step, 0.9": math.log(left[0.9][200] / left[0.9][100]) / 100,
        "left after 300 steps, 1.2": left[1.2][300]}
    curves = {f"ρ = {rho}": (lags, np.where(curve < 0.01, 0, curve)) for rho, curve in recall.items()}  # below is chance
    return Found(figures, curves, ("lag", "squared correlation of recalled and true input"))


def washout(reservoir: nn.Reservoir) -> np.ndarray:
    """|h − h'| over 300 steps of the same input, from two different starts."""
    x = np.random.default_rng(1).uniform(-1, 1, (300, 1))
    starts = np.zeros(reservoir.n_hidden), np.random.default_rng(2).uniform(-1, 1, reservoir.n_hidden)
    ours, theirs = (np.stack(nn.unroll(reservoir, x, start)) for start in starts)
    return np.linalg.norm(ours - theirs, axis=1)


@measures("P21")
def leaky() -> Found:
    """|gradient| after 100 steps with time constants 1, 10 and 100; a leaky cell's Jacobian beside its formula."""
    curves = {f"τ = {tau}": np.exp(fading(tau, 0.5)) for tau in (1, 10, 100)}
    alone = fading(100, 0.0)
    cell = nn.LeakyCell(2, 5, tau=100, rng=0)
    states = nn.unroll(cell, np.ones((2, 2)))
    J = through(states[1:], np.ones(5)).links[0].dense()
    slopes = 1 - np.square(100 * (states[2].data - 0.99 * states[1].data))
    nats = {name: np.mean([noisy(tau, seed) for seed in range(5)]) for name, tau in {"plain": 1, "τ = 10": 10, "τ = 100": 100}.items()}
    figures = {
        "kept after 100 steps": curves["τ = 100"][100], "without the leak": curves["τ = 1"][100],
        "time constant ÷ τ, τ = 100": -1 / (alone[1] - alone[0]) / 100,
        "Jacobian − formula": float(np.max(np.abs(J - 0.99 * np.eye(5) - 0.01 * slopes[:, None] * cell.W_hh.data))),
        **{f"nats over 100 steps, {name}": float(x) for name, x in nats.items()}}
    return Found(figures, {name: (np.arange(101), y) for name, y in curves.items()}, ("steps back", "|gradient|, recurrent weight 0.5"))


def fading(tau: float, weight: float) -> np.ndarray:
    """ln |∂h[100]/∂h[100 − k]|, k = 0 … 100, of one linear leaky unit with this recurrent weight."""
    cell = nn.LeakyCell(1, 1, "linear", tau=tau, rng=0)
    cell.W_hh.data = [[weight]]
    return np.array(through(nn.unroll(cell, np.ones((100, 1))), np.ones(1)).log_product[::-1])


def noisy(tau: float, seed: int) -> float:
    """ln gain over 100 steps of a leaky tanh network of 48 units, ρ = 0.9, each driven by noise of its own, N(0, 0.3²)."""
    rng = np.random.default_rng(seed)
    cell = nn.LeakyCell(48, 48, "tanh", ("identity", of_radius(0.9)), tau=tau, rng=rng)
    return through(nn.unroll(cell, rng.normal(0, 0.3, (100, 48))), rng.normal(size=48)).log_product[0]
