"""Too small by factors below 1, too large by factors above: how are saturation, shallow slopes, weights and explosion planted?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_attention import Attention, Block
from diagnosis_draws import Draw, among, coin, data, fresh, last, sequence, signs, whole, widths
from diagnosis_nets import Build, Net, Pass, criterion, feed, recipe, recur, small

from tinygrad_vg import Scalar, Tensor, exp, nn, sigmoid, square


def hand_sigmoid(z: Any) -> Any:
    """Sigmoid as one writes it first."""
    return 1 / (1 + exp(-z))


def hand_tanh(z: Any) -> Any:
    """tanh from two exponentials."""
    return (exp(z) - exp(-z)) / (exp(z) + exp(-z))


def softsign(z: Any) -> Any:
    """z / (1 + |z|)."""
    return z / (1 + abs(z))


@recipe("saturated", 3)
def mlp_driven_flat(r: Draw) -> Callable[[Build], Net]:
    """One layer of an MLP is driven flat by its biases (behind a norm: by the norm's β); with skips, asked at its weights."""
    sizes, f, seed = widths(r, 2, 5), among(r, "tanh", "sigmoid"), fresh(r)
    norm, residual, k = among(r, None, "batch", "layer"), coin(r, 0.3), whole(r, 1, len(sizes) - 2)
    push, (x, y) = signs(r, sizes[k], 8, 14) * (2 if f == "sigmoid" else 1), data(r, sizes[0], sizes[-1])

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi(f), norm=norm, residual=residual, rng=seed)
        (getattr(net, f"norm{k}").beta if norm else net.layer(k).b).data = push
        return feed(b, net, x, y, net.layer(k).W if residual else "first")

    return build


@recipe("saturated")
def rnn_driven_flat(r: Draw) -> Callable[[Build], Net]:
    """A tanh RNN with inputs that are not scaled: 20 to 300 where 1 is meant."""
    (xs, n, seed), ask = sequence(r, 5, 20), among(r, "h0", "W_hh")
    xs, y = xs * r.uniform(40, 600), r.normal(size=(xs.shape[1], 2))
    init = ("xavier", "orthogonal")
    return lambda b: recur(b, nn.RNNCell(xs.shape[2], n, b.phi("tanh"), init, rng=seed), nn.Linear(n, 2, rng=seed), xs, y, ask)


@recipe("saturated")
def attention_too_sure(r: Draw) -> Callable[[Build], Net]:
    """Queries and keys so large that every softmax is 0 and 1; alone, or in a transformer block."""
    d, T, scale, name, alone = whole(r, 4, 8), whole(r, 4, 8), r.uniform(8, 25), among(r, "W_q", "W_k"), coin(r)
    x, y, seed = r.normal(size=(T, d)), r.normal(size=(T, d)), fresh(r)

    def build(b: Build) -> Net:
        net = (Attention if alone else Block)(d, np.random.default_rng(seed), b)
        inner = net if alone else net.attention
        inner.W_q.data, inner.W_k.data = scale * inner.W_q.data, scale * inner.W_k.data
        return feed(b, net, x, y, getattr(inner, name))

    return build


@recipe("saturated", 3)
def hand_written_flat(r: Draw) -> Callable[[Build], Net]:
    """A model in a dictionary, with a sigmoid, tanh or softsign of one's own, far from 0."""
    f, low = among(r, (hand_sigmoid, 12), (hand_tanh, 9), (softsign, 150))
    n, (x, y) = whole(r, 4, 11), data(r, 3, 2)
    start = {"W_1": r.normal(size=(3, n)), "b_1": signs(r, n, low, 2 * low), "W_2": r.normal(size=(n, 2)) / np.sqrt(n)}
    return lambda b: by_hand(start, [b.phi(f)], x, y)


@recipe("saturated")
def wrong_and_sure(r: Draw) -> Callable[[Build], Net]:
    """A squared error on probabilities that are near 0 and 1, and wrong."""
    n, two, (x, _) = whole(r, 2, 5), coin(r), data(r, 3, 2)
    x, W = x + 3.0, np.full((3, n), 0.1)
    W[:, 0] = r.uniform(2.5, 5) * (1.0 if two else 0.7)
    y = np.eye(n)[np.full(len(x), 1)] if not two else np.tile(np.r_[0.0, np.full(n - 1, 0.5)], (len(x), 1))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            z = x @ m["W"]
            p = b.phi(sigmoid)(z[:, :1]) if two else b.soft(z)
            return Pass(nn.mse(p, y[:, :1] if two else y), p, m["W"])

        return small({"W": W}, passing)

    return build


@recipe("saturated", 1)
def scalars_flat(r: Draw) -> Callable[[Build], Net]:
    """Numbers one by one: h ← tanh(w h + c) with c of 3 to 5."""
    return scalar_chain(r, "tanh", whole(r, 4, 9), r.uniform(0.8, 1.3), r.uniform(3, 5))


@recipe("shallow slopes", 3)
def deep_sigmoid(r: Draw) -> Callable[[Build], Net]:
    """Many layers of sigmoids around their centres."""
    sizes, seed, ask = widths(r, 7, 16), fresh(r), among(r, "first", "model")
    init, (x, y) = among(r, "xavier", "orthogonal"), data(r, sizes[0], sizes[-1])
    return lambda b: feed(b, nn.MLP(sizes, b.phi("sigmoid"), init, rng=seed), x, y, ask)


@recipe("shallow slopes")
def sigmoid_rnn(r: Draw) -> Callable[[Build], Net]:
    """A sigmoid RNN with a loss at its end."""
    (xs, n, seed), ask = sequence(r, 8, 30), among(r, "h0", "W_hh")
    y = last(r, xs.shape[1])
    init = ("xavier", "orthogonal")
    return lambda b: recur(b, nn.RNNCell(xs.shape[2], n, b.phi("sigmoid"), init, rng=seed), nn.Linear(n, 2, rng=seed), xs, y, ask)


@recipe("shallow slopes")
def hand_written_deep(r: Draw) -> Callable[[Build], Net]:
    """Sigmoids or softsigns of one's own, eight layers or more, biases that keep softsign at slopes of a quarter."""
    f, depth, n, (x, y) = among(r, hand_sigmoid, softsign), whole(r, 8, 12), whole(r, 5, 9), data(r, 3, 2)
    start: dict[str, Any] = {}
    for k in range(1, depth + 1):
        start[f"W_{k}"] = nn.init.orthogonal((3 if k == 1 else n, n), r) * (0.5 if k == 1 else 1)
        start[f"b_{k}"] = signs(r, n, 0.8, 1.2) * (f is softsign)
    start[f"W_{depth + 1}"] = r.normal(size=(n, 2)) / np.sqrt(n)
    return lambda b: by_hand(start, [b.phi(f)] * depth, x, y, b)


@recipe("shallow slopes")
def settled_tanh(r: Draw) -> Callable[[Build], Net]:
    """A tanh RNN whose units hold themselves at 0.8 to 0.9: each step has slopes of a third, and weights of 1.4 to 1.6."""
    T, n, batch, w = whole(r, 12, 29), whole(r, 4, 9), whole(r, 2, 4), r.uniform(1.4, 1.6)
    start, y = signs(r, batch * n, 0.7, 0.9).reshape(batch, n), r.normal(size=(batch, 2))

    def build(b: Build) -> Net:
        cell = nn.RNNCell(1, n, b.phi("tanh"), rng=0)
        cell.W_hh.data = w * np.eye(n)
        xs, out = np.zeros((T, batch, 1)), nn.Linear(n, 2, rng=1)
        net = recur(b, cell, out, xs, y, state=lambda: Tensor(start, name="h[0]"))
        net.facts["least singular value of the weights"] = w
        return net

    return build


@recipe("shallow slopes", 1)
def leaky_relu_below(r: Draw) -> Callable[[Build], Net]:
    """Leaky ReLUs, all below 0: a hundredth at each layer, and no bound anywhere."""
    sizes, seed = widths(r, 3, 5), fresh(r)
    x, y = data(r, sizes[0], sizes[-1])

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("leaky_relu"), rng=seed)
        for k in range(1, len(sizes) - 1):
            net.layer(k).b.data = np.full(sizes[k], -6.0)
        return feed(b, net, x, y)

    return build


@recipe("shallow slopes", 1)
def scalars_shallow(r: Draw) -> Callable[[Build], Net]:
    """Numbers one by one: h ← σ(w h), a dozen times."""
    return scalar_chain(r, "sigmoid", whole(r, 7, 13), r.uniform(0.8, 1.2), 0.0)


def by_hand(start: dict, fs: list, x: np.ndarray, y: np.ndarray, b: Build | None = None) -> Net:
    """A model in a dictionary: W_1, b_1, …; no bias in the last layer."""
    model = {name: Tensor(value, name=name) for name, value in start.items()}
    if b is not None:
        b.weights(model)

    def forward() -> Pass:
        h = x
        for k, f in enumerate(fs, 1):
            h = f(h @ model[f"W_{k}"] + model[f"b_{k}"])
        p = h @ model[f"W_{len(fs) + 1}"]
        return Pass(criterion(p, y), p, model["W_1"])

    return Net(model, forward)


def scalar_chain(r: Draw, f: str, depth: int, w: float, c: float) -> Callable[[Build], Net]:
    """h ← f(w h + c), `depth` times, each with a w of its own, from x; asked at x."""
    start, target = r.uniform(-1, 1), r.uniform(1.5, 2.5)

    def build(b: Build) -> Net:
        model = [Scalar(start, name="x"), *[Scalar(1.0 if b.right == "weights" else w) for _ in range(depth)]]

        def forward() -> Pass:
            h = model[0]
            for v in model[1:]:
                h = b.phi(f)(v * h + c)
            return Pass(square(h - target), h, model[0])

        return Net(model, forward)

    return build
