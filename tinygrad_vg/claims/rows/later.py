"""How did the debate go on?  Claims E1 to E5, of what came after it: what a state remembers, what gates see, where descent stays.

Each is measured on many draws at once, `seeds` 0 to 19 if left out, along a leading axis.

    λ  weight of a state      ν  λ = exp(−exp ν)      h  state      x  input      z  gate      a, b  what the input makes of a state
    lr  learning rate      m  momentum      v  direction      p  parity, ±1      t, T  time
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ... import Tensor, exp, grad, hvp, linear, nn, sigmoid, square, stack, tanh, theory
from ...autodiff.arrays import locked
from ...nn.layers import each, generators
from ...training import SGD, Adam
from ..claim import Found, measures
from .deep import curve, descending, through
from .ways_past import gates

SEEDS, LAMBDAS = range(20), (0.5, 0.9, 0.99, 0.999)


def sensitivity(λ: float, scaled: bool, seeds: Iterable[int], runs: int = 20) -> float:
    """The mean of (dh/dλ)² after 6 / (1 − λ) steps of h ← λ h + x, x white; or of (dh/dν)², with x scaled by √(1 − λ²)."""
    T, size = int(6 / (1 - λ)), math.sqrt(1 - λ * λ) if scaled else 1.0
    x = size * each(generators(0, list(seeds)), lambda rng: rng.normal(size=(T, runs))).swapaxes(0, 1)
    leaf = Tensor(np.full(x.shape[1:], math.log(-math.log(λ)) if scaled else λ))
    weight, h = exp(-exp(leaf)) if scaled else leaf, 0.0 * leaf
    for now in locked(np.ascontiguousarray(x)):
        h = weight * h + now
    return float(np.mean(grad(h.sum(), leaf) ** 2))


def sensitivities(scaled: bool, by: str, seeds: Iterable[int]) -> Found:
    """The mean square of dh/dλ (dh/dν if scaled) at each of LAMBDAS, beside theory; how it grows with 1/(1 − λ)."""
    found = np.array([sensitivity(λ, scaled, seeds) for λ in LAMBDAS])
    predicted = map(theory.memory.lru_sensitivity if scaled else theory.memory.sensitivity, LAMBDAS)
    figures = {f"λ = {λ}: measured ÷ theory": x / y for λ, x, y in zip(LAMBDAS, found, predicted)}
    figures |= {"largest ÷ smallest": found.max() / found.min(), "power of 1/(1 − λ), from 0.99 on": math.log10(found[3] / found[2])}
    return Found(figures, {f"E (dh/d{by})²": (-np.log10(1 - np.array(LAMBDAS)), found)}, ("−log10 (1 − λ)", f"mean square of dh/d{by}"))


@measures("E1")
def curse_of_memory(seeds: Iterable[int] = SEEDS) -> Found:
    """The mean square of dh/dλ as λ → 1, x as it is."""
    return sensitivities(False, "λ", seeds)


@measures("E2")
def bounded_again(seeds: Iterable[int] = SEEDS) -> Found:
    """The mean square of dh/dν as λ → 1, x scaled by √(1 − λ²)."""
    return sensitivities(True, "ν", seeds)


@measures("E3")
def gates_that_do_not_look(seeds: Iterable[int] = SEEDS) -> Found:
    """Chains of twenty steps beside the products of their keeping gates; of a GRU, whose gates see h, what lies off the diagonal."""
    n, figures, curves = 8, dict[str, float](), {}
    for name, cell, gate in (("minGRU", nn.MinGRUCell, "f"), ("selective", nn.SelectiveCell, "a"), ("GRU", nn.GRUCell, "z")):
        off, shares = [], []
        for rng in generators(0, list(seeds)):
            states = nn.unroll(cell(n, n, "normal", rng=rng), rng.normal(size=(20, n)))
            chain = through(states, np.ones(n))
            J = np.linalg.multi_dot([link.dense() for link in chain.links[::-1]])
            off.append(np.abs(J - np.diag(np.prod(gates(states[-1], gate), axis=0))).max())
            shares.append(1 - np.sum(np.diag(J) ** 2) / np.sum(J**2))
        figures |= {f"{name}: |chain − product of gates|": max(off), f"{name}: share off the diagonal": float(np.mean(shares))}
        curves[name] = curve(chain)
    return Found(figures, curves, ("steps back", "|gradient|"))


def parity(squash: Any, seeds: Iterable[int], T: int = 12, updates: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """(runs,) share of answers at step 40 less than 1 off, and the mean loss at each update, of four states h ← a h + b, read out linearly.

    a = squash(of the bit), b of the bit; Adam learns the parity of the bits so far at each of T steps, batches of 16.
    """
    rngs = generators(0, list(seeds))
    net = {name: Tensor(each(rngs, lambda rng: rng.normal(size=(1, 1, 4))), name=name) for name in ("a0", "a1", "b0", "b1", "out")}

    def outputs(x: np.ndarray) -> Any:
        a, b = squash(net["a0"] + (net["a1"] - net["a0"]) * x), net["b0"] + (net["b1"] - net["b0"]) * x
        h = [np.ones((len(rngs), x.shape[2], 4))]
        for t in range(x.shape[1]):
            h.append(a[:, t] * h[-1] + b[:, t])
        return (stack(h[1:], 1) * net["out"]).sum(axis=-1)

    def error(T: int, batch: int) -> Any:
        x = each(rngs, lambda rng: rng.integers(0, 2, (T, batch, 1)))
        p = 1 - 2 * (np.cumsum(x, axis=1)[..., 0] % 2)
        return outputs(x) - p

    def loss() -> Any:
        return square(error(T, 16)).mean(axis=(1, 2)).sum()

    losses = [float(value.data) for _, value in zip(range(updates), descending(Adam(net, 0.1), loss))]
    return np.mean(np.abs(error(40, 200).data[:, 39]) < 1, axis=1), np.array(losses) / len(rngs)


@measures("E4")
def no_parity(seeds: Iterable[int] = SEEDS) -> Found:
    """The share of linear recurrences that learn parity, with eigenvalues in (0, 1) and in (−1, 1)."""
    (positive, first), (signed, second) = parity(sigmoid, seeds), parity(tanh, seeds)
    figures = {
        "0 < λ < 1: best of the runs": positive.max(), "−1 < λ < 1: share of runs that are right": np.mean(signed > 0.95),
        "0 < λ < 1: share of runs that are right": np.mean(positive > 0.95), "0 < λ < 1: last loss": first[-10:].mean()}
    curves = {name: (np.arange(10, len(y)), y[10:]) for name, y in (("0 < λ < 1", first), ("−1 < λ < 1", second))}
    return Found(figures, curves, ("update", "mean squared error, of a guess 1"))


def sharpened(
    lr: float, seeds: Iterable[int], steps: int, every: int, m: float = 0.0, *,
    units: int = 8, points: int = 12, target: Callable[[Any], Any] = lambda x: np.sin(3 * x),
) -> tuple[np.ndarray, np.ndarray]:
    """Tanh nets that fit a curve by descent on all of it: |largest curvature| every so many steps, (…, runs); all losses (steps, runs)."""
    rngs, x = generators(0, list(seeds)), np.linspace(-1, 1, points)[:, None]
    net = {f"W{k}": Tensor(each(rngs, partial(nn.init.normal, shape))) for k, shape in enumerate(((units, 1), (units, units), (1, units)))}
    leaves, optimiser, sharpness, found = list(net.values()), SGD(net, lr, m), [], []
    v = [each(rngs, partial(nn.init.normal, leaf.shape[1:])) for leaf in leaves]
    for step in range(steps):
        h: Any = np.array([x] * len(rngs))
        for k, W in enumerate(leaves):
            h = linear(tanh(h) if k else h, W)
        losses = square(h - target(x)).mean(axis=(1, 2))
        if step % every == 0:
            for _ in range(3 if step else 50):  # power iteration, from where the last one ended
                size = np.sqrt(sum(np.sum(part**2, axis=(1, 2), keepdims=True) for part in v))
                v = hvp(losses.sum(), leaves, [part / size for part in v])
            sharpness.append(np.sqrt(sum(np.sum(part**2, axis=(1, 2)) for part in v)))
        found.append(losses.data)
        optimiser.zero_grad()
        losses.sum().backward()
        optimiser.step()
    return np.array(sharpness), np.array(found)


@measures("E5")
def edge_of_stability(seeds: Iterable[int] = SEEDS) -> Found:
    """The largest curvature over its limit at the end of descent, by learning rate and momentum."""
    figures, curves = dict[str, float](), {}
    for name, lr, m in (("lr 0.15", 0.15, 0.0), ("lr 0.2", 0.2, 0.0), ("lr 0.3, momentum 0.5", 0.3, 0.5)):
        sharpness = sharpened(lr, seeds, 700, 10, m)[0] / theory.landscape.sharpness_limit(lr, m)
        last = sharpness[-10:].mean(axis=0)
        figures |= {f"{name}: at the end ÷ limit, mean": last.mean(), f"{name}: share within 15 %": float(np.mean(np.abs(last - 1) < 0.15))}
        figures |= {f"{name}: at the start ÷ limit, mean": sharpness[0].mean()}
        curves[name] = (10 * np.arange(len(sharpness)), sharpness.mean(axis=1))
    return Found(figures, curves, ("step", "largest curvature ÷ its limit"))
