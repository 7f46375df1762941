"""What becomes of a product of many factors?  Claims C18 to C22: averages, variances and eigenvalues, and where each misleads.

    w  weight, a number      W  weights, a matrix      n, L  how many factors, layers      N  width      v  variance of a weight
    x  input      h  state      g  scale of the weights      t  time      λ  eigenvalue
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import nn
from ...autodiff.calculus import grad
from ...autodiff.products import linear
from ...autodiff.scalar import Scalar
from ...autodiff.tensor import Tensor
from ...chain import Chain
from ...nn.layers import activation_of
from ..claim import Found, above, below, claim, near
from .deep import sizes_back


def gradients(factors: list[Any], x: Any, seed: Any = None) -> np.ndarray:
    """|∂h[n]/∂h[n − k]|, k from 0 to n, where each factor, a number or a matrix, makes a state of the one before; h[0] = x."""
    states = [x]
    for W in factors:
        states.append(W @ states[-1] if np.ndim(W) else W * states[-1])
    return np.array([np.linalg.norm(g) for g in grad(states[-1], states[::-1], seed)])


@claim(
    "C18", "half", "If the weights are 0.98 on average, an update shrinks like 0.98^n.",
    "It does if each of them is 0.98. What counts for numbers is the geometric mean: weights 0.5 and 1.46 in turn are 0.98 on "
    "average and shrink by 0.854. Matrices have no such number: of two whose eigenvalues are all ±0.98, the product in "
    "turn doubles a gradient at each step, since their largest singular value is 2 and the one passes on what the other stretches.",
    {"0.5 and 1.46 in turn, n = 100": near(0.73**50, rel=1e-12), "mean of these weights": near(0.98, 1e-12),
     "all 0.98, n = 100": near(0.13261955589475294, rel=1e-12), "all 0.98, n = 500": near(0.98**500, rel=1e-12),
     "largest |eigenvalue| of the two matrices": near(0.98, 1e-12), "the matrices in turn, n = 100": near(2.0**100, rel=1e-9)},
)  # fmt: skip
def averages() -> Found:
    two, W = [0.5, 1.46], np.array([[0.0, 2.0], [0.4802, 0.0]])
    same = gradients([0.98] * 500, Scalar(1.0))
    mixed = gradients(two * 50, Scalar(1.0))
    matrices = gradients([W.T, W] * 50, Tensor([1.0, 1.0]), np.array([1.0, 0.0]))
    figures = {
        "0.5 and 1.46 in turn, n = 100": mixed[100],
        "mean of these weights": float(np.mean(two)),
        "all 0.98, n = 100": same[100],
        "all 0.98, n = 500": same[500],
        "largest |eigenvalue| of the two matrices": float(max(abs(np.linalg.eigvals(each)).max() for each in (W, W.T))),
        "the matrices in turn, n = 100": matrices[100],
    }
    n = np.arange(101)
    curves = {"all 0.98": (n, same[:101]), "0.5 and 1.46 in turn": (n, mixed), "two matrices of |λ| = 0.98 in turn": (n, matrices)}
    return Found(figures, curves, ("factors n", "gradient"))


@claim(
    "C19", "true",
    "A weight multiplied by itself again and again vanishes or explodes, according to its size (Goodfellow et al. 2016, 10.7).",
    "w^t, to the last digits: a size below 1 vanishes, above 1 explodes, exactly 1 stays, and the sign does not matter for the size. "
    "The weight's own gradient, t w^(t − 1), has the same fate, only t times larger.",
    {"∂h/∂x at w = 0.9, t = 100": near(0.9**100, rel=1e-12), "∂h/∂x at w = 1, t = 100": near(1.0),
     "∂h/∂x at w = 1.1, t = 100": near(1.1**100, rel=1e-12), "∂h/∂x at w = -1.1, t = 99": near(-(1.1**99), rel=1e-12),
     "∂h/∂w at w = 0.9, t = 100": near(100 * 0.9**99, rel=1e-12)},
)  # fmt: skip
def one_weight() -> Found:
    figures, curves = {}, {}
    for value, t in [(0.9, 100), (1.0, 100), (1.1, 100), (-1.1, 99)]:
        w, x = Scalar(value, name="w"), Scalar(1.0, name="x")
        h = x
        for _ in range(t):
            h = w * h
        figures[f"∂h/∂x at w = {value:g}, t = {t}"], figures[f"∂h/∂w at w = {value:g}, t = {t}"] = grad(h, [x, w])
        curves[f"w = {value:g}"] = (np.arange(t + 1), gradients([value] * t, x))
    return Found(figures, curves, ("steps t", "|gradient|"))


def untied(N: int, L: int, runs: int, activation: str = "linear", start: Any = nn.init.normal, rng: Any = 0) -> np.ndarray:
    """ln |gradient k layers back|, k from 0 to L, of nets h ← φ(W h) of N units, each with its own weights: (L + 1, runs)."""
    rng, φ = np.random.default_rng(rng), activation_of(activation)
    layers = [Tensor(rng.normal(size=(runs, 1, N)))]
    for _ in range(L):
        layers.append(φ(linear(layers[-1], start((runs, N, N), rng))))
    sizes = sizes_back(layers, rng.normal(size=(runs, 1, N)))
    return np.log(sizes / sizes[0])


def products(factors: Any) -> np.ndarray:
    """The gradient through the last k = 0 … n of n factors, for as many products at once as a factor has numbers: (n + 1, runs)."""
    states = [Tensor(np.ones(np.shape(factors[0])))]
    for w in factors:
        states.append(states[-1] * w)
    return np.array(grad(states[-1], states[::-1], np.ones(states[0].shape)))


@claim(
    "C20", "half", "A product of n independent weights of variance v has variance v^n, so v = (v*)^(1/n) keeps its size.",
    "The variance is right and misleading. At v = 1 the typical product of 50 normal numbers is 2e−14, near e^(−0.635 · 50), and of "
    "50000 draws hardly one is as large as 1/1000: the variance 1 is the work of draws too rare to be met, and a sample shows next to "
    "none of it. Width is what saves the rule: with matrices the same loss is about 1/(2N) a layer, at N = 64 less than half a nat in "
    "50 layers.",
    {"mean of ln |product|, n = 50, v = 1": near(-(np.euler_gamma + math.log(2)) / 2 * 50, 0.15), "share below 1/1000": above(0.999),
     "variance of these 50000 draws": below(0.05), "variance, n = 4, v = 0.5^(1/4)": near(0.5, 0.06),
     "mean of ln gain, 50 layers of N = 64": near(-50 / 128, 0.1)},
)  # fmt: skip
def variance() -> Found:
    rng, wide = np.random.default_rng(0), np.concatenate([untied(64, 50, 40, rng=seed) for seed in range(8)], axis=1)
    p, four = products(rng.normal(size=(50, 50_000))), products(rng.normal(0, 0.5 ** (1 / 8), (4, 50_000)))
    figures = {
        "mean of ln |product|, n = 50, v = 1": float(np.mean(np.log(np.abs(p[50])))),
        "share below 1/1000": float(np.mean(np.abs(p[50]) < 1e-3)),
        "variance of these 50000 draws": float(np.var(p[50])),
        "variance, n = 4, v = 0.5^(1/4)": float(np.var(four[4])),
        "mean of ln gain, 50 layers of N = 64": float(np.mean(wide[50])),
        "median |product|, n = 50": float(np.median(np.abs(p[50]))),
    }
    n = np.arange(51)
    curves = {"promised: √(v^n)": (n, 1.0 ** (n / 2)), "median |product| of numbers": (n, np.median(np.abs(p), axis=1))}
    return Found(figures, curves | {"median gain, N = 64": (n, np.exp(np.median(wide, axis=1)))}, ("factors n", "size of the product"))


@claim(
    "C21", "true", "Very deep feed-forward nets with carefully chosen scaling avoid the problem (Sussillo & Abbott 2014).",
    "ln |gradient| walks at random. Its drift, −1/(2N) a layer, is what the scale g = exp(1/(2N)) takes away, for ReLU a g near √2; "
    "its spread, √(L/(2N)), no scale takes away, but width does. So wide nets of a hundred layers are safe, and narrow ones are not.",
    {"N = 8, L = 100: mean over 200 nets": near(-6.51, 0.6), "N = 8: sd": near(2.66, 0.4),
     "N = 64, L = 100: mean over 40 nets": near(-0.785, 0.4), "N = 64: sd": near(0.88, 0.3),
     "N = 8, scaled by g: mean": near(-0.26, 0.6), "N = 64, scaled by g: mean": near(0.0, 0.4),
     "ReLU, N = 64, L = 50, He: mean over 40": near(-1.0, 0.5), "ReLU, scaled: mean": near(0.0, 0.5)},
)  # fmt: skip
def random_walk() -> Found:
    narrow, narrow_g = untied(8, 100, 200), untied(8, 100, 200, start=nn.init.random_walk, rng=1)
    wide, wide_g = untied(64, 100, 40, rng=2), untied(64, 100, 40, start=nn.init.random_walk, rng=3)
    he = untied(64, 50, 40, "relu", nn.init.he, rng=4)
    mended = untied(64, 50, 40, "relu", lambda shape, rng: nn.init.random_walk(shape, rng, "relu"), rng=5)
    figures = {
        "N = 8, L = 100: mean over 200 nets": narrow[100].mean(),
        "N = 8: sd": narrow[100].std(),
        "N = 64, L = 100: mean over 40 nets": wide[100].mean(),
        "N = 64: sd": wide[100].std(),
        "N = 8, scaled by g: mean": narrow_g[100].mean(),
        "N = 64, scaled by g: mean": wide_g[100].mean(),
        "ReLU, N = 64, L = 50, He: mean over 40": he[50].mean(),
        "ReLU, scaled: mean": mended[50].mean(),
    }
    k, walks = np.arange(101), {"N = 8": narrow, "N = 8, scaled by g": narrow_g, "N = 64": wide}
    curves = {f"{name}: mean": (k, y.mean(axis=1)) for name, y in walks.items()} | {"N = 8: sd": (k, narrow.std(axis=1))}
    return Found(figures, curves | {"N = 64: sd": (k, wide.std(axis=1))}, ("layers back", "ln |gradient|"))


def recurrent(W: np.ndarray, activation: str, noise: float, rng: int) -> tuple[list[float], float]:
    """50 steps of h ← φ(W h + noise): ln |gradient| at h[50], h[49], … for a seed along the top eigenvector of W; and max |h|."""
    cell = nn.RNNCell(len(W), len(W), activation, ("identity", lambda shape, rng: W))
    states = nn.unroll(cell, noise * np.random.default_rng(rng).normal(size=(50, len(W))))
    top = np.linalg.eigh(W)[1][:, -1]
    return Chain(states[-1], states[0], through=states, seed=top).log_product[::-1], float(max(np.abs(h.data).max() for h in states))


@claim(
    "C22", "half", "The proof by eigenvalues shows that RNNs are unstable.",
    "It shows it for a net that is linear, diagonalisable and without input. With W of radius 1.2, gradients of a linear net grow by "
    "1.2^50, and so do those of a tanh net without input, at h = 0. With input its states stay below 1, its slopes multiply, and the "
    "same W lets the gradient vanish. A Jordan block, whose eigenvalues are 1, should do neither and grows by √(1 + t²).",
    {"tanh, with input: mean ln gain of 50 steps": below(-10.0), "tanh: largest |h|": below(1.0),
     "linear, with input: ln gain": near(50 * math.log(1.2), 1e-9), "tanh, without input: ln gain": near(50 * math.log(1.2), 1e-9),
     "linear: largest |h|": above(10.0), "Jordan block, t = 50: gain": near(math.sqrt(1 + 50**2), rel=1e-12)},
)  # fmt: skip
def proof_of_instability() -> Found:
    W = nn.init.spectrum(np.linspace(-1.2, 1.2, 32), rng=0)
    W = (W + W.T) / 2
    tanh = [recurrent(W, "tanh", 1.0, rng) for rng in range(8)]
    straight, high = recurrent(W, "linear", 1.0, 0)
    quiet, _ = recurrent(W, "tanh", 0.0, 0)
    mean = np.mean([logs for logs, _ in tanh], axis=0)
    jordan = gradients([np.array([[1.0, 1.0], [0.0, 1.0]])] * 50, Tensor([1.0, 1.0]), np.array([1.0, 0.0]))
    figures = {
        "tanh, with input: mean ln gain of 50 steps": float(mean[50]),
        "tanh: largest |h|": max(largest for _, largest in tanh),
        "linear, with input: ln gain": straight[50],
        "tanh, without input: ln gain": quiet[50],
        "linear: largest |h|": high,
        "Jordan block, t = 50: gain": jordan[50],
    }
    drawn = {"linear": straight, "tanh, with input": mean, "Jordan block": np.log(jordan)}
    return Found(figures, {name: (np.arange(51), y) for name, y in drawn.items()}, ("steps back", "ln |gradient|"))
