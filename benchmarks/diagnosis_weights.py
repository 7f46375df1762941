"""Weights, gates and constants too small or too large: how are contraction and explosion planted?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_attention import Attention
from diagnosis_draws import Draw, among, coin, data, fresh, last, sequence, whole, widths
from diagnosis_nets import Build, Net, Pass, criterion, feed, recipe, recur, small

from tinygrad_vg import Tensor, leaky_relu, nn, relu, tanh


def scaled(net: nn.MLP, b: Build, small: float, gain: float) -> nn.MLP:
    """The hidden matrices: random of that scale, or orthogonal, times the gain that suits the activation, where the cause is put right."""
    for k in range(1, net.depth + 1):
        W = net.layer(k).W
        W.data = b.either(nn.init.normal(W.shape, k, small), gain * nn.init.orthogonal(W.shape, k))
    return net


@recipe("contracting weights", 3)
def mlp_small_weights(r: Draw) -> Callable[[Build], Net]:
    """A deep MLP whose matrices start at a quarter of what its activation wants."""
    f, gain = among(r, ("tanh", 1.0), ("linear", 1.0), ("relu", 1.4), ("elu", 1.0))
    sizes, small, ask = widths(r, 7, 14), gain * r.uniform(0.15, 0.35), among(r, "first", "model")
    x, y = data(r, sizes[0], sizes[-1])
    return lambda b: feed(b, scaled(nn.MLP(sizes, b.phi(f)), b, small, gain), x, y, ask)


@recipe("contracting weights", 3)
def rnn_small_weights(r: Draw) -> Callable[[Build], Net]:
    """A recurrent matrix of radius 0.2 to 0.6; with leaky units that hardly remember, or a second connection as small."""
    (xs, n, seed), kind, rho = sequence(r, 15, 40), among(r, "plain", "linear", "leaky", "skip"), r.uniform(0.2, 0.6)
    ask, y = among(r, "h0", "W_hh"), last(r, xs.shape[1])

    def build(b: Build) -> Net:
        f, size = b.phi("linear" if kind == "linear" else "tanh"), xs.shape[2]
        if kind == "leaky":
            cell: Any = nn.LeakyCell(size, n, f, tau=b.either(1.3, 60.0), rng=seed)
        else:
            cell = nn.SkipCell(size, n, f, delay=2, rng=seed) if kind == "skip" else nn.RNNCell(size, n, f, rng=seed)
        for k, W in enumerate([cell.W_hh, *([cell.W_skip] if kind == "skip" else [])]):
            W.data = b.either(rho, 1.0) / (1 + (kind == "skip")) * nn.init.orthogonal((n, n), seed + k * (kind == "linear"))
        return recur(b, cell, nn.Linear(n, 2, rng=seed), xs, y, ask)

    return build


@recipe("contracting weights")
def lstm_shut(r: Draw) -> Callable[[Build], Net]:
    """An LSTM whose forget gates are closed."""
    (xs, n, seed), bias = sequence(r, 15, 30), r.uniform(-7, -3)
    y, ask = last(r, xs.shape[1]), among(r, "h0", "W_hg")

    def build(b: Build) -> Net:
        cell = nn.LSTMCell(xs.shape[2], n, forget_bias=b.either(bias, 6.0), rng=seed)
        return recur(b, cell, nn.Linear(n, 2, rng=seed), xs, y, ask)

    return build


@recipe("contracting weights")
def gru_shut(r: Draw) -> Callable[[Build], Net]:
    """A GRU that replaces its state at every step; what is left of the way back are small weights and a half open reset gate."""
    (xs, n, seed), bias = sequence(r, 15, 30), r.uniform(-7, -3)
    y, ask = last(r, xs.shape[1]), among(r, "h0", "W_hn")

    def build(b: Build) -> Net:
        cell = nn.GRUCell(xs.shape[2], n, rng=seed)
        cell.b_z.data = np.full(n, b.either(bias, 6.0))
        return recur(b, cell, nn.Linear(n, 2, rng=seed), xs, y, ask)

    return build


@recipe("contracting weights")
def faint_attention(r: Draw) -> Callable[[Build], Net]:
    """Attention upon attention, without skips, with values scaled down; asked at what goes in."""
    d, T, layers, scale = whole(r, 4, 8), whole(r, 3, 5), whole(r, 2, 3), r.uniform(0.01, 0.05)
    x, y, seed = r.normal(size=(T, d)), r.normal(size=(T, d)), fresh(r)

    def build(b: Build) -> Net:
        rng, start = np.random.default_rng(seed), Tensor(x, name="x")
        parts = [Attention(d, rng, b) for _ in range(layers)]
        for part in parts:
            part.W_v.data = b.either(scale, 1.0) * nn.init.orthogonal((d, d), rng)
            part.W_o.data = nn.init.orthogonal((d, d), rng)
        return stacked(parts, start, y)

    return build


def stacked(parts: list, start: Tensor, y: np.ndarray) -> Net:
    """One part after another, from a leaf, which is asked about."""

    def forward() -> Pass:
        h = start
        for part in parts:
            h = part(h)
        return Pass(criterion(h, y), h, start)

    return Net({"start": start}, forward)


@recipe("contracting weights")
def scaled_down(r: Draw) -> Callable[[Build], Net]:
    """A constant of 1e-7 to 1e-4 in the middle of a small model of one's own: a unit, a temperature, a residual branch's scale."""
    n, (x, y), c, f = whole(r, 4, 11), data(r, 3, 2), 10 ** r.uniform(-7, -4), among(r, tanh, relu, leaky_relu)
    first, second, divided = r.normal(size=(3, n)), r.normal(size=(n, 2)) / np.sqrt(n), coin(r)

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            h, s = b.phi(f)(x @ m["W"]), b.either(c, 1.0)
            p = (h / (1 / s) if divided else s * h) @ m["V"]
            return Pass(criterion(p, y), p, m["W"])

        return small({"W": first, "V": second}, passing)

    return build


@recipe("exploding", 3)
def mlp_large_weights(r: Draw) -> Callable[[Build], Net]:
    """A deep MLP whose matrices start at two to four times what its activation wants."""
    f, gain, low, high = among(r, ("tanh", 1.0, 3.0, 5.0), ("linear", 1.0, 1.6, 2.5), ("relu", 1.4, 1.8, 2.8))
    sizes, large, ask = widths(r, 14, 24), gain * r.uniform(low, high), among(r, "first", "model")
    (x, y), twice = data(r, sizes[0], sizes[-1], False), 2 if f == "tanh" else 1
    sizes = [sizes[0], *[2 * sizes[1]] * twice * (len(sizes) - 2), sizes[-1]]
    return lambda b: feed(b, scaled(nn.MLP(sizes, b.phi(f)), b, large, gain), x, y, ask)


@recipe("exploding", 3)
def rnn_large_weights(r: Draw) -> Callable[[Build], Net]:
    """A linear or ReLU RNN, or one with a second connection, whose matrices stretch by 1.4 to 1.9 at each step."""
    (xs, n, seed), kind, rho = sequence(r, 25, 40), among(r, "linear", "relu", "skip"), r.uniform(1.4, 1.9)
    ask, y = among(r, "h0", "W_hh"), r.normal(size=(xs.shape[1], 2))

    def build(b: Build) -> Net:
        f, size = b.phi("relu" if kind == "relu" else "linear"), xs.shape[2]
        cell: Any = nn.SkipCell(size, n, f, delay=3, rng=seed) if kind == "skip" else nn.RNNCell(size, n, f, rng=seed)
        cell.W_hh.data = b.either(rho, 1.0) * (np.eye(n) if kind == "relu" else nn.init.orthogonal((n, n), seed))
        if kind == "skip":
            cell.W_skip.data = b.either(0.3, 0.0) * nn.init.orthogonal((n, n), seed + 1)
        return recur(b, cell, nn.Linear(n, 2, rng=seed), np.abs(xs) / 10, y, ask)

    return build


@recipe("exploding")
def scaled_up(r: Draw) -> Callable[[Build], Net]:
    """A constant of 1e4 to 1e7 in the middle of a small model: metres read as micrometres."""
    n, (x, y), c, f = whole(r, 4, 11), data(r, 3, 2, False), 10 ** r.uniform(4, 7), among(r, tanh, relu)
    first, second = r.normal(size=(3, n)), r.normal(size=(n, 2)) / np.sqrt(n)

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            p = b.either(c, 1.0) * f(x @ m["W"]) @ m["V"]
            return Pass(criterion(p, y), p, m["W"])

        return small({"W": first, "V": second}, passing)

    return build


@recipe("exploding")
def relu_and_batch_norm(r: Draw) -> Callable[[Build], Net]:
    """Forty layers and more of batch norm and ReLU: every layer multiplies the gradient by 1.2 (Yang et al. 2019)."""
    sizes, seed = [4, *[whole(r, 12, 19)] * whole(r, 40, 55), 2], fresh(r)
    x = r.normal(size=(whole(r, 12, 23), 4))
    y = r.normal(size=(len(x), 2))

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("relu"), "he", norm=b.either("batch", None), rng=seed)
        return feed(b, net if b.right != "cause" else scaled(net, b, 0.0, 1.4), x, y, "first")

    return build


@recipe("exploding")
def residual_at_full_size(r: Draw) -> Callable[[Build], Net]:
    """Residual layers whose branches are as large as what they are added to; sound: divided by the square root of the depth."""
    sizes, seed, f = [4, *[whole(r, 8, 15)] * whole(r, 30, 44), 2], fresh(r), among(r, "linear", "relu")
    x, y = r.normal(size=(8, 4)), r.normal(size=(8, 2))

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi(f), "he", residual=b.either(1.0, 1 / len(sizes)), rng=seed)
        return feed(b, net, x, y, "first")

    return build
