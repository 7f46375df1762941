"""Nothing arrives, for a factor is 0 or a sum is: how are dead units and cancellation planted?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_attention import Attention, Block
from diagnosis_draws import Draw, among, coin, data, fresh, sequence, whole, widths
from diagnosis_nets import Build, Net, Pass, criterion, feed, leaves, numbers, recipe, recur, small

from tinygrad_vg import Tensor, maximum, nn, relu, scalars, sigmoid, sign, softmax, tanh, where


@recipe("dead", 3)
def relu_off(r: Draw) -> Callable[[Build], Net]:
    """A ReLU network with one layer whose biases are far below 0, as after a step that was too large; small ones also of Scalars."""
    single = coin(r, 0.3)
    sizes, seed = widths(r, 2, 5) if not single else [3, 4, 4, 2], fresh(r)
    k, push, ask, (x, y) = whole(r, 1, len(sizes) - 2), r.uniform(-60, -15), among(r, "first", "model"), data(r, sizes[0], sizes[-1])

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("relu"), "he", leaf=scalars if single else Tensor, rng=seed)
        for leaf in leaves(net.layer(k).b) if single else [net.layer(k).b]:
            leaf.data = push + 0 * leaf.data
        return feed(b, net, x[0] if single else x, y[0] if single else y, ask)

    return build


@recipe("dead")
def relu_rnn_off(r: Draw) -> Callable[[Build], Net]:
    """A ReLU RNN whose biases fell below 0."""
    (xs, n, seed), push, ask = sequence(r, 4, 10), r.uniform(-40, -10), among(r, "h0", "W_hh", "W_xh")
    y = r.normal(size=(xs.shape[1], 2))

    def build(b: Build) -> Net:
        cell = nn.RNNCell(xs.shape[2], n, b.phi("relu"), ("xavier", "orthogonal"), rng=seed)
        cell.b_h.data = np.full(n, push)
        return recur(b, cell, nn.Linear(n, 2, rng=seed), xs, y, ask)

    return build


def step(z: Any) -> Any:
    """0 or 1."""
    return (sign(z) + 1) / 2


@recipe("dead")
def steps_for_activations(r: Draw) -> Callable[[Build], Net]:
    """Perceptrons: sign, or a step from 0 to 1, in one layer or in all."""
    sizes, seed, f, one = widths(r, 1, 4), fresh(r), among(r, sign, step), coin(r)
    (x, y), ask = data(r, sizes[0], sizes[-1]), among(r, "first", "model")

    def build(b: Build) -> Net:
        stiff, soft, count = b.phi(f), b.phi("tanh"), iter(range(1000))
        return feed(b, nn.MLP(sizes, lambda z: soft(z) if one and next(count) % (len(sizes) - 2) else stiff(z), rng=seed), x, y, ask)

    return build


@recipe("dead")
def feed_forward_off(r: Draw) -> Callable[[Build], Net]:
    """A transformer block whose ReLUs are all off: the skip works, the inner matrix learns nothing."""
    d, T, seed, push, name = whole(r, 4, 8), whole(r, 4, 8), fresh(r), r.uniform(-60, -25), among(r, "W_1", "b_1")
    x, y = r.normal(size=(T, d)), r.normal(size=(T, d))

    def build(b: Build) -> Net:
        block = Block(d, np.random.default_rng(seed), b)
        block.b_1.data = np.full(4 * d, push)
        return feed(b, block, x, y, getattr(block, name))

    return build


def relu_by_where(z: Any) -> Any:
    """A ReLU as an if."""
    return where(numbers(z) > 0, z, 0.0)


def relu_by_maximum(z: Any) -> Any:
    """A ReLU as a maximum."""
    return maximum(z, 0.0)


@recipe("dead")
def own_relu_off(r: Draw) -> Callable[[Build], Net]:
    """A ReLU of one's own, by where or maximum, behind a shift that is too far."""
    f, n, shift, (x, y) = among(r, relu_by_where, relu_by_maximum), whole(r, 4, 11), r.uniform(12, 50), data(r, 3, 2)
    first, second = r.normal(size=(3, n)), r.normal(size=(n, 2)) / np.sqrt(n)

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            p = b.phi(f)(x @ m["W"] - shift) @ m["V"]
            return Pass(criterion(p, y), p, m["W"])

        return small({"W": first, "V": second}, passing)

    return build


@recipe("cancelled", 3)
def bias_before_batch_norm(r: Draw) -> Callable[[Build], Net]:
    """A bias that batch norm takes off again."""
    sizes, seed, f = widths(r, 1, 4), fresh(r), among(r, "sigmoid", "tanh", "relu")
    k, (x, y) = whole(r, 1, len(sizes) - 2), data(r, sizes[0], sizes[-1])

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi(f), norm=b.either("batch", None), rng=seed)
        return feed(b, net, x, y, net.layer(k).b)

    return build


@recipe("cancelled")
def shift_before_norm(r: Draw) -> Callable[[Build], Net]:
    """One number added to all units before layer norm, or to all logits before softmax."""
    n, (x, _), norm = whole(r, 3, 8), data(r, 3, 2), coin(r)
    layer = nn.LayerNorm(n)
    W, V, start, y = r.normal(size=(3, n)), r.normal(size=(n, n)), r.normal(size=1), r.integers(0, n, len(x))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            spread = b.either(m["s"], m["s"] * np.linspace(-1, 1, n))
            p = tanh(layer(x @ W + spread)) @ V if norm else tanh(x @ W) @ V + spread
            return Pass(nn.cross_entropy(p, y), p, m["s"])

        return small({"s": start}, passing)

    return build


@recipe("cancelled")
def key_bias(r: Draw) -> Callable[[Build], Net]:
    """The bias of attention's keys: it adds the same to all scores of a row. Sound: that of the queries."""
    d, T, seed = whole(r, 4, 8), whole(r, 4, 8), fresh(r)
    x, y = r.normal(size=(T, d)), r.normal(size=(T, d))

    def build(b: Build) -> Net:
        net = Attention(d, np.random.default_rng(seed), b, bias=b.either("key", "query"))
        return feed(b, net, x, y, net.bias)

    return build


@recipe("cancelled")
def twin_branches(r: Draw) -> Callable[[Build], Net]:
    """Two branches that take each other off: f(W x) − f(W x), or a skip around −1 times the same."""
    n, f, skip, (x, y) = whole(r, 3, 8), among(r, tanh, sigmoid, relu), coin(r), data(r, 3, 2, False)
    first, second = r.normal(size=(3, n)), r.normal(size=(n, 2))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            h, c = x @ m["W"], b.either(1.0, 0.5)
            p = (h + (-c) * h if skip else f(c * h) - f(h)) @ m["V"]
            return Pass(criterion(p, y), p, m["W"])

        return small({"W": first, "V": second}, passing)

    return build


@recipe("cancelled")
def sum_of_norm(r: Draw) -> Callable[[Build], Net]:
    """The sum of what a norm gives, which is 0 whatever goes in: a check of gradients that goes wrong."""
    shape, kind = (whole(r, 4, 11), whole(r, 3, 8)), among(r, "batch", "layer", "softmax")
    start, uneven = r.normal(size=shape), r.normal(size=shape)

    def build(b: Build) -> Net:
        norm = {"batch": nn.BatchNorm(shape[1]), "layer": nn.LayerNorm(shape[1]), "softmax": softmax}[kind]

        def passing(m: dict) -> Pass:
            p = norm(m["x"])
            return Pass(b.either(p.sum(), (uneven * p).sum()), p, m["x"])

        return small({"x": start}, passing)

    return build
