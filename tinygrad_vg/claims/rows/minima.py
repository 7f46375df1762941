"""What does a small gradient say about a minimum?  Claims C9 to C11 of the comments.

    f  a function with its minimum at 0      r  distance from it      w, u, v  weights      x  input, or position      L  loss
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import Scalar, Tensor, cos, grad, hessian, nn, relu, sqrt, square
from ... import abs as absolute
from ...training import SGD, Adam, RMSProp
from ..claim import Found, measures
from .deep import descending, layered, unit_slopes


@measures("C9")
def funnels() -> Found:
    """Slopes near the minimum of √|x|, |x|, x², x⁴, of a rounded |x| and of a fractal."""
    shapes: dict[str, Callable[[Any], Any]] = {"√|x|": lambda x: absolute(x) ** 0.5, "|x|": absolute, "x²": square, "x⁴": lambda x: x**4}
    r = np.logspace(-12, 0, 49)
    tip = Scalar(0.01, name="x")
    figures = {
        "slope of |x| at 1e-12": slope(absolute, 1e-12), "slope of √|x| at 1e-4": slope(shapes["√|x|"], 1e-4),
        "slope of x² at 1e-3": slope(square, 1e-3),
        "slope of x⁴ at 1e-3": slope(shapes["x⁴"], 1e-3), "slope of √(x² + e²) at e": grad(sqrt(square(tip) + 1e-4), tip),
        "its curvature at 0, times e": 0.01 * float(hessian(sqrt(square(at := Scalar(0.0)) + 1e-4), at)),
        "slope of |x| at 0": slope(absolute, 0.0),
        "rms slope of the fractal": rms_slope(np.arange(2**18) / 2**17),
        "the same within 0.001 of 1": rms_slope(1 + np.linspace(-1e-3, 1e-3, 4001))}
    curves = {name: (np.log10(r), np.array([slope(f, x) for x in r])) for name, f in shapes.items()}
    return Found(figures, curves, ("log10 of the distance from the minimum", "slope"))


def slope(f: Callable[[Any], Any], x: float) -> float:
    """df/dx at x."""
    leaf = Scalar(x, name="x")
    return float(grad(f(leaf), leaf))


def rms_slope(x: np.ndarray) -> float:
    """Root mean square slope at x of Σ_k 0.5^k cos(3^k π x), k = 0 … 10; its lowest point is x = 1, where every cosine is −1."""
    leaf = Tensor(x, name="x")
    f = sum(0.5**k * cos(3**k * math.pi * leaf) for k in range(11))
    return float(np.sqrt(np.mean(np.square(grad(f.sum(), leaf)))))


@measures("C10")
def two_gradients() -> Found:
    """∂/∂w beside ∂/∂x at a fit; the curvature of two minima of one function; |∂L/∂x| beside its bound."""
    w, x = Scalar(50.0, name="w"), Scalar(0.7, name="x")
    y = w * x
    noisy = 1 + 0.1 * np.random.default_rng(0).normal(size=1000)
    flat, sharp = np.array([1.0, 1.0]), np.array([10.0, 0.1])
    curvature = [float(np.linalg.eigvalsh(hessian(squared_error(weights := Tensor(p)), weights))[-1]) for p in (flat, sharp)]
    figures = {
        "slope in the weight, at the fit": grad(square(y - 50.0 * x.data), w), "slope in the input, there": grad(y, x),
        "curvature, sharp ÷ flat": curvature[1] / curvature[0],
        "outputs, sharp − flat": float(np.max(np.abs(unit(sharp, noisy) - unit(flat, noisy)))),
        "|∂L/∂x| ÷ its bound, at most": max(share_of_bound(seed) for seed in range(50))}
    away = np.linspace(-0.5, 0.5, 100)
    curves = {name: (away, np.sqrt([squared_error(p + [0, d]) for d in away])) for name, p in {"flat": flat, "sharp": sharp}.items()}
    return Found(figures, curves, ("distance from the minimum along v", "rms error"))


def unit(p: Any, x: Any) -> Any:
    """v relu(u x), p = (u, v): the same function of x for (10 u, v / 10)."""
    return p[1] * relu(p[0] * x)


def squared_error(p: Any) -> Any:
    """Of the unit, which should give back its input, over x = 0.1, 0.2, … 1."""
    x = np.arange(1, 11) / 10
    return square(unit(p, x) - x).mean()


def share_of_bound(seed: int) -> float:
    """|∂L/∂x| ÷ (σ_max(W) |∂L/∂W| / |x|), W the first layer of a random tanh net."""
    rng = np.random.default_rng(seed)
    net, x = nn.MLP([3, 4, 1], rng=rng), Tensor(rng.normal(size=3), name="x")
    loss = square(net(x) - 1.0).sum()
    W = net.layer(1).W
    of_x, of_W = (np.linalg.norm(g) for g in grad(loss, [x, W]))
    return float(of_x * np.linalg.norm(x.data) / (np.linalg.norm(W.data, 2) * of_W))


@measures("C11")
def hard_to_reach() -> Found:
    """Steps of descent on x⁸ over those on x², plain, with RMSProp and with Adam."""
    rules: dict[str, Any] = {"": SGD, "RMSProp": lambda leaves, lr: RMSProp(leaves, lr, 0.9), "Adam": Adam}
    walks = {(rule, n): walk(make, n) for rule, make in rules.items() for n in (2, 8)}
    ratio = {rule: (len(walks[rule, 8]) - 1) / (len(walks[rule, 2]) - 1) for rule in rules}
    figures = {"steps on x⁸ ÷ on x²": ratio[""], "steps on x²": len(walks["", 2]) - 1, "steps on x⁸": len(walks["", 8]) - 1}
    figures |= {f"the same ratio, {rule}": ratio[rule] for rule in ("RMSProp", "Adam")}
    curves = {f"x{'²' if n == 2 else '⁸'}": (np.log10(np.arange(1, len(walks["", n]))), walks["", n][1:]) for n in (2, 8)}
    return Found(figures, curves, ("log10 of the step", "distance from the minimum"))


def walk(make: Any, n: int) -> np.ndarray:
    """The distances from 1 down to 0.25 or less, going down x^n at a rate of 0.01."""
    x, far = Scalar(1.0, name="x"), []
    for _ in descending(make({"x": x}, 0.01), lambda: x**n):
        far.append(abs(x.data))
        if far[-1] <= 0.25:
            break
    return np.array(far)


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
