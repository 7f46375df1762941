"""A nan in the data, or a slope without end: how are they planted?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from diagnosis_draws import Draw, among, coin, data, fresh, sequence, signs, whole, widths
from diagnosis_nets import Build, Net, Pass, feed, recipe, recur, small

from tinygrad_vg import log, nn, relu, sqrt, square, tanh, where


@recipe("nan in the data", 3)
def bad_targets(r: Draw) -> Callable[[Build], Net]:
    """A nan, or an inf, among the targets of an MLP."""
    sizes, seed, bad = widths(r, 1, 3), fresh(r), among(r, np.nan, np.nan, np.inf)
    (x, y), ask, f = data(r, sizes[0], sizes[-1], False), among(r, "first", "model"), among(r, "tanh", "relu")
    spoiled = spoil(r, y, bad)

    def build(b: Build) -> Net:
        net = feed(b, nn.MLP(sizes, b.phi(f), rng=seed), x, b.either(spoiled, y), ask)
        return Net(net.model, net.forward, {"data": [spoiled]})

    return build


def spoil(r: Draw, a: np.ndarray, bad: float) -> np.ndarray:
    """A copy with one number, or a few, that is bad."""
    a = a.copy()
    a.reshape(-1)[r.choice(a.size, whole(r, 1, 3), replace=False)] = bad
    return a


@recipe("nan in the data", 3)
def bad_inputs(r: Draw) -> Callable[[Build], Net]:
    """A nan among the inputs of an MLP, with a norm or without."""
    sizes, seed = widths(r, 1, 3), fresh(r)
    (x, y), norm, f, ask = data(r, sizes[0], sizes[-1]), among(r, None, "layer"), among(r, "tanh", "sigmoid"), among(r, "first", "model")
    spoiled = spoil(r, x, np.nan)

    def build(b: Build) -> Net:
        net = feed(b, nn.MLP(sizes, b.phi(f), norm=norm, rng=seed), b.either(spoiled, x), y, ask)
        return Net(net.model, net.forward, {"data": [spoiled]})

    return build


@recipe("nan in the data")
def bad_step(r: Draw) -> Callable[[Build], Net]:
    """One bad number in one step of a sequence."""
    (xs, n, seed), ask, gru, bad = sequence(r, 5, 12), among(r, "h0", "model"), coin(r), among(r, np.nan, np.inf)
    y, spoiled = r.normal(size=(xs.shape[1], 2)), spoil(r, xs, bad)

    def build(b: Build) -> Net:
        cell = nn.GRUCell(xs.shape[2], n, rng=seed) if gru else nn.RNNCell(xs.shape[2], n, b.phi("tanh"), rng=seed)
        net = recur(b, cell, nn.Linear(n, 2, rng=seed), b.either(spoiled, xs), y, ask)
        return Net(net.model, net.forward, {"data": [spoiled]})

    return build


@recipe("nan in the data", 1)
def bad_weights_of_samples(r: Draw) -> Callable[[Build], Net]:
    """Weights of the samples from 0/0: a class that has no member."""
    (x, y), f = data(r, 3, 2, False), among(r, tanh, relu)
    weights, W = spoil(r, np.ones((len(x), 1)), np.nan), r.normal(size=(3, 2))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            p = f(x @ m["W"])
            return Pass((b.either(weights, 1.0) * square(p - y)).mean(), p, m["W"])

        return small({"W": W}, passing, data=[weights])

    return build


@recipe("infinite slope")
def pairwise_distances(r: Draw) -> Callable[[Build], Net]:
    """All distances between points, and the root of the zeros on the diagonal."""
    n, d = whole(r, 3, 7), whole(r, 2, 3)
    start, target = r.normal(size=(n, d)), np.abs(r.normal(size=(n, n)))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            D = sqrt(square(m["X"][:, None] - m["X"][None]).sum(axis=-1) + b.either(0.0, 1e-6))
            return Pass(nn.mse(D, target), D, m["X"])

        return small({"X": start}, passing, kink=(np.sqrt, 0.0))

    return build


@recipe("infinite slope")
def root_of_nothing(r: Draw) -> Callable[[Build], Net]:
    """The length of a group of weights that start at 0; or the spread of a unit that is constant: the root is 0, and fine."""
    n, (x, y), spread = whole(r, 3, 8), data(r, 3, 2, False), coin(r)
    W, V, k = r.normal(size=(3, n)), r.normal(size=(n, 2)), whole(r, 0, n - 1)
    W[:, k] = 0.0

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            h = x @ m["W"]
            of = square(h - h.mean(axis=0)).mean(axis=0) if spread else square(m["W"]).sum(axis=0)
            p = tanh(h) @ V
            return Pass(nn.mse(p, y) + 0.01 * sqrt(of + b.either(0.0, 1e-6)).sum(), p, m["W"])

        return small({"W": W}, passing, kink=(np.sqrt, 0.0))

    return build


@recipe("infinite slope")
def entropy_with_zeros(r: Draw) -> Callable[[Build], Net]:
    """Σ p log p where p has zeros, which a where() keeps out of the value and not out of the gradient."""
    n, start = whole(r, 4, 8), r.uniform(0.1, 1, whole(r, 4, 8))
    start[: whole(r, 1, 2)] = 0.0

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            p = m["p"]
            terms = where(p.data > 0, p * log(p + b.either(0.0, 1e-6)), 0.0)
            return Pass(square(terms.sum() + 1.0 / n), terms, p)

        return small({"p": start / start.sum()}, passing, kink=(log_or_0, 0.0))

    return build


def log_or_0(p: float) -> float:
    """ln p, and at 0 what the smallest p of the quotients has, so that they are taken from there."""
    return float(np.log(max(p, 1e-10)))


@recipe("infinite slope")
def power_below_one(r: Draw) -> Callable[[Build], Net]:
    """|h| to a power below 1, and some h are 0: a gamma correction, a signed root."""
    n, (x, y), a = whole(r, 3, 8), data(r, 3, 2, False), r.uniform(0.3, 0.7)
    W, V, k = r.normal(size=(3, n)), r.normal(size=(n, 2)), whole(r, 0, n - 1)
    W[:, k] = 0.0

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            p = (square(x @ m["W"]) + b.either(0.0, 1e-6)) ** (a / 2) @ V
            return Pass(nn.mse(p, y), p, m["W"])

        return small({"W": W}, passing, kink=(lambda s: s ** (a / 2), 0.0))

    return build


@recipe("infinite slope")
def guarded_division(r: Draw) -> Callable[[Build], Net]:
    """n / d where d is not 0, else 0: the value is guarded, the slope of the quotient at d = 0 is not."""
    n, k = whole(r, 4, 9), whole(r, 1, 2)
    top, start, y = r.normal(size=n), signs(r, n, 0.5, 2), r.normal(size=n)
    start[:k] = 0.0

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            d = m["d"]
            p = where(d.data != 0, top / (d + b.either(0.0, np.where(start == 0, 1e-3, 0.0))), 0.0)
            return Pass(nn.mse(p, y), p, d)

        return small({"d": start}, passing, kink=(lambda s: 1 / max(s, 1e-10), 0.0))

    return build
