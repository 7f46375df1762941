"""Numbers beyond the dtype: how are underflow and overflow planted?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from diagnosis_draws import Draw, among, coin, data, fresh, sequence, whole
from diagnosis_nets import Build, Net, Pass, feed, recipe, recur, small

from tinygrad_vg import Tensor, exp, log, nn, prod, sigmoid, tanh


def narrow(b: Build) -> Callable:
    """Leaves in float32; in float64 where the cause is put right."""
    return lambda array, name=None: Tensor(np.asarray(array, b.either(np.float32, np.float64)), name=name)


def cast(b: Build, *arrays: np.ndarray) -> list[np.ndarray]:
    """Arrays in the dtype of narrow()."""
    return [a.astype(b.either(np.float32, np.float64)) for a in arrays]


@recipe("underflowed", 3)
def deep_sigmoid_float32(r: Draw) -> Callable[[Build], Net]:
    """Eighty sigmoid layers and more, in float32."""
    n, depth, seed = whole(r, 4, 8), whole(r, 80, 129), fresh(r)
    x, y = r.normal(size=(6, 3)), r.normal(size=(6, 2))

    def build(b: Build) -> Net:
        net = nn.MLP([3, *[n] * depth, 2], b.phi("sigmoid"), leaf=narrow(b), rng=seed)
        return feed(b, net, *cast(b, x, y), "first")

    return build


@recipe("underflowed", 3)
def rnn_float32(r: Draw) -> Callable[[Build], Net]:
    """A tanh or sigmoid RNN in float32, of a hundred steps."""
    (xs, n, seed), f, rho = sequence(r, 80, 120), among(r, "tanh", "sigmoid"), r.uniform(0.1, 0.25)
    y = r.normal(size=(xs.shape[1], 2))

    def build(b: Build) -> Net:
        cell = nn.RNNCell(xs.shape[2], n, b.phi(f), leaf=narrow(b), rng=seed)
        cell.W_hh.data = cast(b, (4 if f == "sigmoid" else 1) * rho * nn.init.orthogonal((n, n), seed))[0]
        return recur(b, cell, nn.Linear(n, 2, leaf=narrow(b), rng=seed), *cast(b, xs, y))

    return build


@recipe("underflowed", 3)
def likelihood_float32(r: Draw) -> Callable[[Build], Net]:
    """A likelihood in float32: the product of two hundred probabilities or more."""
    x, one_by_one = r.normal(size=(whole(r, 180, 299), 3)), coin(r)
    start, side = 0.3 * r.normal(size=3), r.choice([-1.0, 1.0], len(x))

    def build(b: Build) -> Net:
        w, (x_,) = narrow(b)(start, name="w"), cast(b, side[:, None] * x)

        def forward() -> Pass:
            p = sigmoid(x_ @ w)
            total = p[0]
            for k in range(1, len(x) if one_by_one else 1):
                total = total * p[k]
            return Pass(-(total if one_by_one else prod(p)), p, w)

        return Net({"w": w}, forward)

    return build


@recipe("overflowed")
def own_softmax(r: Draw) -> Callable[[Build], Net]:
    """exp(z) / Σ exp(z) as one writes it, with logits above 710."""
    n, (x, _), scale = whole(r, 3, 6), data(r, 3, 2), r.uniform(800, 2000)
    W, y = r.normal(size=(3, n)), r.integers(0, n, len(x))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            z = b.either(scale, 5.0) * tanh(x @ m["W"])
            p = exp(z) / exp(z).sum(axis=-1, keepdims=True)
            return Pass(-log(p[np.arange(len(x)), y]).mean(), z, m["W"])

        return small({"W": W}, passing, ln=float(scale * np.tanh(x @ W).max()))

    return build


@recipe("overflowed")
def grown_float32(r: Draw) -> Callable[[Build], Net]:
    """A deep ReLU network in float32 whose weights are a hundred thousand times too large."""
    n, depth, size, seed = whole(r, 6, 13), whole(r, 9, 13), 10 ** r.uniform(5, 7), fresh(r)
    x, y, ask = r.normal(size=(6, 3)), r.normal(size=(6, 2)), among(r, "first", "model")

    def build(b: Build) -> Net:
        net = nn.MLP([3, *[n] * depth, 2], b.phi("relu"), "he", leaf=narrow(b), rng=seed)
        for k in range(1, depth + 2):
            net.layer(k).W.data = cast(b, size * net.layer(k).W.data)[0]
        return feed(b, net, *cast(b, x, y), ask)

    return build


@recipe("overflowed")
def large_error_float32(r: Draw) -> Callable[[Build], Net]:
    """Targets of 1e20 to 1e30 in float32: fine in themselves, but their squares are not."""
    (x, y), u = data(r, 3, 2, False), 10 ** r.uniform(20, 30)

    def build(b: Build) -> Net:
        return feed(b, nn.MLP([3, 6, 2], b.phi("tanh"), leaf=narrow(b), rng=0), *cast(b, x, u * y))

    return build


@recipe("overflowed")
def counts_by_exp(r: Draw) -> Callable[[Build], Net]:
    """A rate exp(z) with inputs that nobody scaled: Poisson regression."""
    x, w = r.normal(size=(whole(r, 10, 29), 3)), r.normal(size=3)
    x, y = x * r.uniform(1000, 3000) / np.abs(x @ w).max(), r.poisson(2.0, len(x)).astype(float)
    x = x * np.sign((x @ w)[np.abs(x @ w).argmax()])

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            z = b.either(x, x / 1000) @ m["w"]
            return Pass((exp(z) - y * z).mean(), z, m["w"])

        return small({"w": w}, passing, ln=float((x @ w).max()))

    return build


@recipe("overflowed")
def gradient_alone(r: Draw) -> Callable[[Build], Net]:
    """A linear RNN from zeros: all values are 0, and the gradient is 5^500 or more."""
    n, rho, T = whole(r, 2, 4), r.uniform(5, 12), whole(r, 460, 519)
    y = r.normal(size=(2, 2))

    def build(b: Build) -> Net:
        cell = nn.RNNCell(2, n, b.phi("linear"), rng=0)
        cell.W_hh.data = b.either(rho, 1.0) * nn.init.orthogonal((n, n), 1)
        net = recur(b, cell, nn.Linear(n, 2, rng=2), np.zeros((T, 2, 2)), y)
        return Net(net.model, net.forward, {"ln": T * np.log(rho)})

    return build
