"""What do the sources say, and is it so?  Claims C14 to C17 of the comments: an encyclopaedia, and two papers. (C12 and C13 are notes.)

    x  input      h  hidden layer      W  weights      φ  activation      L  depth      s  scale of the weights
"""

import math
from itertools import accumulate
from typing import Any

import numpy as np

from ... import Tensor, grad, nn, paths, relu, scalars
from ...training import SGD, fit, two_moons
from ..claim import Found, measures
from ..models import hidden_layers
from .deep import curve, layered, times, unit_slopes


@measures("C14")
def one_sided() -> Found:
    """The share of slopes below 1/100 by the scale of the weights, and nats of 20 layers, by activation."""
    scales = np.geomspace(0.5, 20, 12)
    below = lambda a, s: float(np.mean(unit_slopes(layered(6, 64, a, float(s), 0)) < 0.01))  # noqa: E731
    share = {a: [below(a, s) for s in scales] for a in ("tanh", "sigmoid", "relu")}
    steep = unit_slopes(layered(6, 64, "relu", 20.0, 0))
    figures: dict[str, float] = {"relu: smallest slope that is not 0": steep[steep > 0].min()}
    figures |= {f"{a}: share below 1/100, s = {s}": below(a, s) for a in share for s in (1, 20)}
    for a in ("relu", "leaky_relu", "softplus", "tanh"):
        chains = [layered(20, 64, a, "he" if "relu" in a else 1.0, seed) for seed in range(10)]
        figures[f"{a}: nats of 20 layers"] = float(np.mean([chain.log_product[0] for chain in chains]))
    return Found(figures, {a: (scales, y) for a, y in share.items()}, ("scale s of the weights", "share of slopes below 1/100"))


def sine_net(sizes: list[int]) -> tuple[Any, Any]:
    """A ReLU net with no draw in it, one node per number: W_ij = sin(1 + 3i + 7j + 11l), l the layer from 0; its output and input."""
    x = h = scalars(np.cos(1 + np.arange(sizes[0])), name="x")
    for layer, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        W = np.sin(1 + 3 * np.arange(n_out)[:, None] + 7 * np.arange(n_in) + 11 * layer)
        h = W @ relu(h) if layer else W @ h
    return h[0], x


@measures("C15")
def active_paths() -> Found:
    """The gradient of a ReLU net beside the sum of its active paths' products of weights; the gain at half the weights."""
    y, x = sine_net([3, 4, 4, 3, 1])
    found = [paths(y, one, top=144) for one in x]
    gradient = np.array(grad(y, list(x)))
    weights = np.array([sum(path.weights for path in each.top) for each in found])
    whole, halved = (layered(30, 32, "relu", times(s, nn.init.he), 0) for s in (1.0, 0.5))
    figures = {
        "sum of products of weights − gradient": float(np.max(np.abs(weights - gradient))),
        "active paths": sum(each.active for each in found),
        "paths": sum(each.count for each in found), "He nets of ten that pass nothing": sum(map(passes_nothing, range(10))),
        "largest |slope − 1| on an active path": max(abs(path.slopes - 1) for each in found for path in each.top),
        "half the weights: factor per layer": math.exp((halved.log_product[0] - whole.log_product[0]) / 30)}
    curves = {"He's weights": curve(whole), "half of them": curve(halved)}
    return Found(figures, curves, ("layers back", "|gradient|"), lines=str(found[0]))


def pieces(patterns: np.ndarray) -> int:
    """How many linear models a net is along a line, from its units' being on or off at each point of it: (points, units)."""
    return 1 + int(np.sum(np.any(patterns[1:] != patterns[:-1], axis=1)))


@measures("C15b")
def linear_models() -> Found:
    """Pieces on a line of inputs, of random nets 16 wide, and of the one that folds the line in two at each of L layers."""
    L, line, counts = np.arange(1, 11), np.linspace(-4, 4, 4096)[:, None], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        net, x = nn.MLP([8, *[16] * 10, 1], "relu", "he", rng=rng), rng.normal(size=8) + line * rng.normal(size=8)
        on = [h.data > 0 for h in hidden_layers(net(Tensor(x)))]
        counts.append([pieces(np.concatenate(on[:k], axis=1)) for k in L])
    fold = lambda y, _: 2 * np.maximum(y, 0) - 4 * np.maximum(y - 0.5, 0)  # noqa: E731
    tents = list(accumulate(L, fold, initial=(np.arange(2**13) + 0.5) / 2**13))
    folded = [pieces(np.transpose([y > 0.5 for y in tents[:k]])) for k in L]
    random = np.mean(counts, axis=0)
    figures = {"folded, 10 layers of 2: pieces": folded[-1], "random, 10 layers of 16: pieces ÷ units": random[-1] / 160}
    figures["random: pieces of 10 layers ÷ of 5"] = random[9] / random[4]
    return Found(figures, {"folded, 2 a layer": (L, folded), "random, 16 a layer": (L, random)}, ("layers", "linear pieces on a line"))


@measures("C16")
def two_readings() -> Found:
    """Nats of the slopes along the heaviest path through ten layers, by activation."""
    figures, curves = dict[str, float](), {}
    for activation, name in {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}.items():
        runs = [logs for seed in range(10) if (logs := heaviest_slopes(activation, seed))]
        nats = [math.fsum(logs) for logs in runs]
        figures |= {f"nats of slopes, {name}, mean": float(np.mean(nats)), f"{name}, least": max(nats), f"{name}, most": min(nats)}
        figures[f"{name}, nets with an active path, of 10"] = len(runs)
        curves[name] = (np.arange(11), np.cumsum([0.0, *runs[0]]))
    return Found(figures, curves, ("layers passed on the heaviest path", "nats of slopes so far"))


def passes_nothing(seed: int) -> bool:
    """Whether the first output of a ReLU net, ten layers of six units, has no gradient at all in the first input."""
    net, x = nn.MLP([6] * 12, "relu", "he", rng=seed), Tensor(np.cos(np.arange(6)))
    return bool(grad(net(x)[0], x)[0] == 0)


def heaviest_slopes(activation: str, seed: int) -> list[float]:
    """ln φ′ at each of the ten units on the heaviest path through a net six units wide; [] if no path is active."""
    net = nn.MLP([6] * 12, activation, "he", leaf=scalars, rng=seed)
    x = scalars(np.cos(np.arange(6)), name="x")
    top = paths(net(x)[0], x[0], top=1).top
    return [math.log(slope) for path in top for node, slope in zip(path.nodes[1:], path.factors) if node.op == activation]


def moons(L: int, norm: str | None, steps: int) -> list[float]:
    """Losses of a sigmoid net of L layers, 12 units, on two moons (128 points, SGD, lr 0.3), until one is below 0.3; seed 0."""
    net = nn.MLP([2, *[12] * (L - 1), 2], "sigmoid", norm=norm)
    batches, done = [two_moons(128)] * steps, lambda h: h.losses[-1] < 0.3
    return fit(net, lambda net, batch: nn.cross_entropy(net(batch[0]), batch[1]), batches, SGD(net, 0.3), steps, after=done).losses


@measures("C17")
def both_faces() -> Found:
    """Sigmoids on two moons; and how the gradient of 32 ReLU layers of 256 units, batch 128, grows from layer 28 back to 6."""
    logs = layered(32, 256, "relu", "he", 1, batch=128, norm="batch").log_product
    runs = {"eight layers": moons(8, None, 1000), "eight layers, batch norm": moons(8, "batch", 1000), "two layers": moons(2, None, 1000)}
    figures = {
        "eight layers: loss after 1000 steps": runs["eight layers"][-1],
        "the same with batch norm: steps to 0.3": len(runs["eight layers, batch norm"]),
        "two layers: steps to 0.3": len(runs["two layers"]),
        "ReLU, batch norm: nats per layer": (logs[6] - logs[28]) / 22}
    return Found(figures, {name: (1 + np.arange(len(y)), y) for name, y in runs.items()}, ("step", "loss"))
