"""What becomes of a product of many factors?  Claims C18 to C22: averages, variances and eigenvalues, and where each misleads.

    w  weight, a number      W  weights, a matrix      n, L  how many factors, layers      lr  learning rate      N  width
    v  variance of a weight      x  input      h  state      g  scale of the weights      t  time      λ  eigenvalue
"""

import math
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import numpy as np

from ... import Scalar, Tensor, grad, nn
from ...training import SGD, Adam
from ..claim import Found, measures
from ..recurrences import walks
from .deep import through


def gradients(factors: Iterable[Any], x: Any, seed: Any = None) -> np.ndarray:
    """The gradient at h[n − k], k from 0 to n, from the seed at h[n], where each factor makes a state of the one before; h[0] = x.

    A factor is a number, or one for each of several products, or a matrix.
    """
    states = list(accumulate(factors, lambda h, W: W @ h if np.ndim(W) == 2 else W * h, initial=x))
    return np.array(grad(states[-1], states[::-1], seed))


@measures("C18")
def averages() -> Found:
    """Products of factors of mean 0.98, all equal and in turn, and of two matrices whose eigenvalues are ±0.98."""
    two, W = [0.5, 1.46], np.array([[0.0, 2.0], [0.4802, 0.0]])
    same = gradients([0.98] * 500, Scalar(1.0))
    mixed = gradients(two * 50, Scalar(1.0))
    matrices = np.linalg.norm(gradients([W.T, W] * 50, Tensor([1.0, 1.0]), np.array([1.0, 0.0])), axis=1)
    figures = {
        "0.5 and 1.46 in turn, n = 100": mixed[100],
        "mean of these weights": float(np.mean(two)),
        "all 0.98, n = 100": same[100],
        "all 0.98, n = 500": same[500],
        "largest |eigenvalue| of the two matrices": float(max(abs(np.linalg.eigvals(each)).max() for each in (W, W.T))),
        "the matrices in turn, n = 100": matrices[100]}
    n = np.arange(101)
    curves = {"all 0.98": (n, same[:101]), "0.5 and 1.46 in turn": (n, mixed), "two matrices of |λ| = 0.98 in turn": (n, matrices)}
    return Found(figures, curves, ("factors n", "gradient"))


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


@measures("C19")
def one_weight() -> Found:
    """∂h/∂x = w^t and ∂h/∂w = t w^(t−1) of h ← w h, for |w| below, at and above 1."""
    figures, curves = {}, {}
    for value, t in [(0.9, 100), (1.0, 100), (1.1, 100), (-1.1, 99)]:
        w, x = Scalar(value, name="w"), Scalar(1.0, name="x")
        h = x
        for _ in range(t):
            h = w * h
        figures[f"∂h/∂x at w = {value:g}, t = {t}"], figures[f"∂h/∂w at w = {value:g}, t = {t}"] = grad(h, [x, w])
        curves[f"w = {value:g}"] = (np.arange(t + 1), np.abs(gradients([value] * t, x)))
    return Found(figures, curves, ("steps t", "|gradient|"))


def untied(N: int, L: int, runs: int, activation: str = "linear", rng: Any = 0) -> list[np.ndarray]:
    """ln gain of nets of N units after 0 … L layers back, (L + 1, runs): weights as drawn (He's for ReLU), and scaled by g."""
    drawn = math.sqrt(2) if activation == "relu" else 1.0
    return walks([(activation, "untied", s) for s in (drawn, nn.init.random_walk_gain(N, activation))], N, L, runs, rng)


@measures("C20")
def variance() -> Found:
    """Mean of the logarithm, median and variance of products of n normal numbers, and of 50 layers of N = 64."""
    rng, (wide,), one = np.random.default_rng(0), walks([("linear", "untied", 1.0)], 64, 50, 320), np.ones(50_000)
    p, four = (gradients(rng.normal(0, v**0.5, (n, 50_000)), Tensor(one), one) for n, v in ((50, 1.0), (4, 0.5**0.25)))
    figures = {
        "mean of ln |product|, n = 50, v = 1": float(np.mean(np.log(np.abs(p[50])))),
        "share below 1/1000": float(np.mean(np.abs(p[50]) < 1e-3)),
        "variance of these 50000 draws": float(np.var(p[50])),
        "variance, n = 4, v = 0.5^(1/4)": float(np.var(four[4])),
        "mean of ln gain, 50 layers of N = 64": float(np.mean(wide[50])),
        "median |product|, n = 50": float(np.median(np.abs(p[50])))}
    n = np.arange(51)
    curves = {"promised: √(v^n)": (n, 1.0 ** (n / 2)), "median |product| of numbers": (n, np.median(np.abs(p), axis=1))}
    return Found(figures, curves | {"median gain, N = 64": (n, np.exp(np.median(wide, axis=1)))}, ("factors n", "size of the product"))


@measures("C21")
def random_walk() -> Found:
    """Mean and sd of the ln gain of deep linear and ReLU nets, with weights as drawn and scaled by g."""
    (narrow, narrow_g), (wide, wide_g), (he, mended) = untied(8, 100, 200), untied(64, 100, 40), untied(64, 50, 40, "relu")
    figures = {
        "N = 8, L = 100: mean over 200 nets": narrow[100].mean(),
        "N = 8: sd": narrow[100].std(),
        "N = 64, L = 100: mean over 40 nets": wide[100].mean(),
        "N = 64: sd": wide[100].std(),
        "N = 8, scaled by g: mean": narrow_g[100].mean(),
        "N = 64, scaled by g: mean": wide_g[100].mean(),
        "ReLU, N = 64, L = 50, He: mean over 40": he[50].mean(),
        "ReLU, scaled: mean": mended[50].mean()}
    k, walks = np.arange(101), {"N = 8": narrow, "N = 8, scaled by g": narrow_g, "N = 64": wide}
    curves = {f"{name}: mean": (k, y.mean(axis=1)) for name, y in walks.items()} | {"N = 8: sd": (k, narrow.std(axis=1))}
    return Found(figures, curves | {"N = 64: sd": (k, wide.std(axis=1))}, ("layers back", "ln |gradient|"))


def recurrent(W: np.ndarray, activation: str, noise: float, rng: int) -> tuple[list[float], float]:
    """50 steps of h ← φ(W h + noise): ln |gradient| at h[50], h[49], … for a seed along the top eigenvector of W; and max |h|."""
    cell = nn.RNNCell(len(W), len(W), activation, ("identity", lambda shape, rng: W))
    states = nn.unroll(cell, noise * np.random.default_rng(rng).normal(size=(50, len(W))))
    top = np.linalg.eigh(W)[1][:, -1]
    return through(states, top).log_product[::-1], float(max(np.abs(h.data).max() for h in states))


@measures("C22")
def proof_of_instability() -> Found:
    """The ln gain of 50 steps and max |h| with ρ = 1.2: tanh and linear, with input and without; of a Jordan block."""
    W = nn.init.spectrum(np.linspace(-1.2, 1.2, 32), rng=0)
    W = (W + W.T) / 2
    tanh = [recurrent(W, "tanh", 1.0, rng) for rng in range(8)]
    straight, high = recurrent(W, "linear", 1.0, 0)
    quiet, _ = recurrent(W, "tanh", 0.0, 0)
    mean = np.mean([logs for logs, _ in tanh], axis=0)
    jordan = np.linalg.norm(gradients([np.array([[1.0, 1.0], [0.0, 1.0]])] * 50, Tensor([1.0, 1.0]), np.array([1.0, 0.0])), axis=1)
    figures = {
        "tanh, with input: mean ln gain of 50 steps": float(mean[50]),
        "tanh: largest |h|": max(largest for _, largest in tanh),
        "linear, with input: ln gain": straight[50],
        "tanh, without input: ln gain": quiet[50],
        "linear: largest |h|": high,
        "Jordan block, t = 50: gain": jordan[50]}
    drawn = {"linear": straight, "tanh, with input": mean, "Jordan block": np.log(jordan)}
    return Found(figures, {name: (np.arange(51), y) for name, y in drawn.items()}, ("steps back", "ln |gradient|"))
