"""And the sentences in between?  Claims P5b, P12b, P19b, C11b, C15b, C18b and C19b: of the debate, and easily passed over.

    w  weight      x  input      z  pre-activation      q  eigenvector      h  state      n, L  layers      lr  learning rate      T  time
"""

import math
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from ... import Chain, Scalar, Tensor, grad, log, nn, square
from ...training import SGD, Adam
from ..claim import Found, measures
from ..models import hidden_layers
from ..recurrences import tied_or_not
from . import sharing
from .deep import layered, unit_slopes


@measures("P5b")
def by_a_parameter() -> Found:
    """|∂L/∂w| of one sigmoid unit: with a large input, and with a loss whose slope makes up for σ′."""
    def slope(z: float, x: float, loss: Any) -> float:
        w = Scalar(z / x, name="w")
        return abs(grad(loss((w * x).sigmoid()), w))

    σ, z = 1 / (1 + math.exp(-10)), np.linspace(-15, 0, 61)
    losses = {"½ (y − 1)²": lambda y: 0.5 * square(y - 1.0), "−ln y": lambda y: -log(y)}
    figures = {
        "at z = 10, x = 1e5: ∂y/∂w": slope(10, 1e5, lambda y: y), "at z = 10, x = 1: ∂y/∂w": slope(10, 1.0, lambda y: y),
        "σ′ · x · what comes after, off by": abs(slope(10, 3.0, losses["½ (y − 1)²"]) / (σ * (1 - σ) * 3 * (1 - σ)) - 1),
        "at z = −10, x = 1, loss −ln y: ∂L/∂w": slope(-10, 1.0, losses["−ln y"])}
    curves = {f"loss {name}": (z, np.array([slope(at, 1.0, loss) for at in z])) for name, loss in losses.items()}
    return Found(figures, curves, ("z = w x, x = 1", "|∂L/∂w|"))


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


@measures("P19b")
def redesign() -> Found:
    """The share of draws with gain from 1/1000 to 1000 after 100 steps, RNN and LSTM; sweep beside product of links."""
    rnn, lstm = partial(nn.RNNCell, init=("xavier", "orthogonal")), partial(nn.LSTMCell, forget_bias=5.0)
    cells: dict[str, Any] = {"RNN, quiet inputs": (rnn, 0.1), "RNN, noise": (rnn, 1.0), "LSTM, noise": (lstm, 1.0)}
    shares = {name: sharing.reach(make, noise, seeds=30) for name, (make, noise) in cells.items()}
    states = nn.unroll(nn.LSTMCell(2, 4, rng=0), np.random.default_rng(0).normal(size=(20, 2)))
    loss = states[-1][0].sum()
    g = Chain(loss, states[0][1], states[1:]).gradients[0]
    figures = {f"{name}: in range after 100 steps": share[-1] for name, share in shares.items()}
    figures["LSTM: sweep − product of its links"] = float(np.max(np.abs(g - grad(loss, states[0][1]))))
    return Found(figures, {name: (np.arange(101), y) for name, y in shares.items()}, ("steps back", "share of the draws in range"))


@measures("C11b")
def three_meanings() -> Found:
    """Thirty ReLU layers of 64 units, Xavier's weights, and what three people measure who speak of vanishing; twenty draws."""
    logs, ratios, least = [], [], []
    for seed in range(20):
        chain = layered(30, 64, "relu", "xavier", seed)
        layers = [h for (h,) in chain.stations[1:]]
        first, last = grad(chain.output, [layers[k].parents[0].parents[1] for k in (0, -1)], chain.seed)
        logs.append(chain.log_product[::-1])
        ratios.append(math.log(np.linalg.norm(first) / np.linalg.norm(last)))
        found = unit_slopes(chain)
        least.append(found[np.array([h.data for h in layers]) > 0].min())
    mean = np.mean(logs, axis=0)
    figures = {
        "the state's: nats of 30 layers": mean[-1], "the weights': ln first ÷ last layer": float(np.mean(ratios)),
        "the activation's: least slope where it is on": min(least)}
    return Found(figures, {"|∂L/∂h|": (np.arange(31), mean)}, ("layers back", "ln gain, mean of 20 draws"))


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


@measures("C18b")
def update_size() -> Found:
    """The first step of SGD and of Adam, lr 1, on h[n], all n weights 0.98, each its own or one for all."""

    def step(rule: Any, n: int, shared: bool = False) -> float:
        ws = {k: Scalar(0.98, name="w") for k in range(1 if shared else n)}
        h = list(accumulate(range(n), lambda h, k: ws[0 if shared else k] * h, initial=Scalar(1.0)))[-1]
        h.backward()
        rule(ws, 1.0).step()
        return float(abs(ws[0].data - 0.98))

    n = np.array([1, 100, 200, 300, 400, 500])
    sizes = {"SGD": [step(SGD, k) for k in n], "SGD, one weight": [step(SGD, k, True) for k in n], "Adam": [step(Adam, k) for k in n]}
    figures = {f"{name}: n = 500 ÷ n = 100": size[5] / size[1] for name, size in sizes.items()}
    return Found(figures, {name: (n, np.array(y)) for name, y in sizes.items()}, ("layers n", "size of the first update"))


@measures("C19b")
def particular_to_recurrent() -> Found:
    """Nats and sd of 20 sigmoid layers; the sd of the ln gain with W shared and with a W for each step."""
    logs = dict(zip(("its own", "shared"), tied_or_not(16, 128, 80).values()))
    deep = [layered(20, 64, "sigmoid", 1.0, seed).log_product[0] for seed in range(20)]
    figures: dict[str, float] = {"sigmoid, 20 layers of their own: nats": float(np.mean(deep)), "its sd over draws": float(np.std(deep))}
    for name, found in logs.items():
        figures[f"linear, W {name}: in range after one scalar"] = sharing.in_range(found[128] - found[128].mean())
    figures["sd of ln gain, shared ÷ its own"] = logs["shared"][128].std() / logs["its own"][128].std()
    curves = {f"W {name}": (np.arange(129), found.std(axis=1)) for name, found in logs.items()}
    return Found(figures, curves, ("layers back", "sd of the ln gain over 80 draws"))
