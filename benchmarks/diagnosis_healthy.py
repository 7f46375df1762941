"""What learns, and is not to be called ill?  The controls: gradients of moderate size at every leaf, and a loss that falls.

Layers and losses; recurrences and attention are in diagnosis_sequences.py.
A leaf that has no gradient by construction, and needs none (a bias before batch norm), is `idle`; its model is asked about all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_draws import Draw, among, coin, fresh, whole, widths
from diagnosis_nets import Build, Net, Pass, feed, known, recipe, small, train
from diagnosis_vanishing import hand_sigmoid, hand_tanh, softsign

from tinygrad_vg import Tensor, exp, log, maximum, nn, scalars, square, where

UNITS = [1e-4, 1e9]


def lesson(r: Draw, n_in: int, n_out: int, size: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Something that can be learned: targets by a tanh of a mixture of the inputs; half the time as classes."""
    x = r.normal(size=(size or whole(r, 16, 40), n_in))
    y = np.tanh(x @ r.normal(size=(n_in, n_out)) * 1.5)
    return (x, y) if n_out == 1 or coin(r) else (x, y.argmax(-1))


@recipe("healthy", 4)
def mlp(r: Draw) -> Callable[[Build], Net]:
    """An MLP as it is usually begun."""
    f, init = among(r, ("tanh", "xavier"), ("relu", "he"), ("elu", "xavier"), ("gelu", "he"), ("softplus", "he"))
    sizes, seed, ask = widths(r, 1, 4), fresh(r), among(r, "first", "model")
    x, y = lesson(r, sizes[0], sizes[-1])
    return lambda b: feed(b, nn.MLP(sizes, b.phi(f), init, rng=seed), x, y, ask)


@recipe("healthy", 3)
def sigmoid_but_shallow(r: Draw) -> Callable[[Build], Net]:
    """One or two layers of sigmoids."""
    sizes, seed, ask = widths(r, 1, 2), fresh(r), among(r, "first", "model")
    x, y = lesson(r, sizes[0], sizes[-1])
    return lambda b: known(feed(b, nn.MLP(sizes, b.phi("sigmoid"), rng=seed), x, y, ask), steps=250, lr=0.05)


@recipe("healthy", 4)
def mlp_with_norm(r: Draw) -> Callable[[Build], Net]:
    """Batch or layer norm, several layers; batch norm leaves the biases before it idle."""
    sizes, seed, ask, f = widths(r, 2, 6), fresh(r), among(r, "first", "model"), among(r, "relu", "tanh", "sigmoid")
    norm, (x, y) = among(r, "batch", "layer"), lesson(r, sizes[0], sizes[-1])

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi(f), norm=norm, rng=seed)
        idle = [net.layer(k).b for k in range(1, len(sizes) - 1)] if norm == "batch" else []
        return known(feed(b, net, x, y, ask), idle=idle)

    return build


@recipe("healthy", 3)
def mlp_with_skips(r: Draw) -> Callable[[Build], Net]:
    """Residual layers, ten to twenty, their branches divided by the square root of the depth."""
    sizes, seed, ask, f = widths(r, 10, 20), fresh(r), among(r, "first", "model"), among(r, "relu", "tanh", "sigmoid")
    x, y = lesson(r, sizes[0], sizes[-1])
    return lambda b: feed(b, nn.MLP(sizes, b.phi(f), residual=len(sizes) ** -0.5, rng=seed), x, y, ask)


@recipe("healthy", 3)
def other_units(r: Draw) -> Callable[[Build], Net]:
    """A linear model from 0 whose targets are in units of 1e-4 or 1e9: the signal is small or large, and learns."""
    u, x = among(r, *UNITS), r.normal(size=(40, whole(r, 2, 4)))
    y, small = u * (x @ r.normal(size=(x.shape[1], 2)) + 0.1 * r.normal(size=(40, 2))), coin(r)

    def build(b: Build) -> Net:
        net = nn.Linear(x.shape[1], 2, "zeros")
        if small:
            net.W.data = 0.9 * np.linalg.lstsq(x, y, rcond=None)[0].T
        return known(feed(b, net, x, y, "model" if small else "first"), lr=0.05 * u)

    return build


@recipe("healthy", 3)
def half_trained(r: Draw) -> Callable[[Build], Net]:
    """A network in the middle of its training: its loss has fallen to a few hundredths, its gradient too, and it goes on."""
    sizes, seed, steps, ask = widths(r, 1, 3), fresh(r), whole(r, 60, 139), among(r, "first", "model")
    x, y = lesson(r, sizes[0], sizes[-1])
    return lambda b: train(feed(b, nn.MLP(sizes, b.phi("tanh"), rng=seed), x, y, ask), steps, 0.02)


@recipe("healthy", 4)
def other_losses(r: Draw) -> Callable[[Build], Net]:
    """A hinge, a Huber loss, a Gaussian likelihood with its own spread, a sum in place of a mean, a penalty on the weights."""
    sizes, seed, ask = [3, whole(r, 6, 16), 2], fresh(r), among(r, "first", "model")
    kind = among(r, hinge, huber, gaussian, total, penalised)
    x, y = r.normal(size=(whole(r, 16, 40), 3)), r.normal(size=(3, 1))
    y = np.sin(x @ y) if kind is not hinge else np.sign(x @ y)

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("tanh"), rng=seed)

        def forward() -> Pass:
            p = net(x)
            return Pass(kind(p, y, net), p, net if ask == "model" else net.layer(1).W, net.layer(1).W)

        return known(Net(net, forward), lr=0.03)

    return build


def hinge(p: Any, y: np.ndarray, net: nn.MLP) -> Any:
    """max(0, 1 − y (p₁ − p₀)), the mean."""
    return maximum(1 - y * (p[:, 1:] - p[:, :1]), 0.0).mean()


def huber(p: Any, y: np.ndarray, net: nn.MLP) -> Any:
    """e² / 2 near 0, |e| − ½ beyond 1; of both outputs."""
    e = p - y
    return where(np.abs(e.data) < 1, 0.5 * square(e), abs(e) - 0.5).mean()


def gaussian(p: Any, y: np.ndarray, net: nn.MLP) -> Any:
    """−ln N(y; p₀, exp p₁), without its constant, which would make a share of the loss mean little."""
    return (exp(-2 * p[:, 1:]) * square(y - p[:, :1]) / 2 + p[:, 1:]).mean() + 3.0


def total(p: Any, y: np.ndarray, net: nn.MLP) -> Any:
    """The sum of the squared errors."""
    return square(p - y).sum()


def penalised(p: Any, y: np.ndarray, net: nn.MLP) -> Any:
    """The mean squared error and a little of the squared weights."""
    return nn.mse(p, np.tile(y, 2)) + 1e-4 * sum(square(leaf).sum() for leaf in net.parameters().values())


@recipe("healthy", 3)
def some_units_off(r: Draw) -> Callable[[Build], Net]:
    """A ReLU network with a third of its units off, dropout on, and rows of padding that a mask keeps out of the loss."""
    sizes, seed, p = [3, whole(r, 9, 18), whole(r, 9, 18), 2], fresh(r), r.uniform(0.05, 0.2)
    x, y = r.normal(size=(30, 3)), r.normal(size=(3, 2))
    y, kept = np.tanh(x @ y), (np.arange(30) < whole(r, 15, 25))[:, None] * 1.0

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("relu"), "he", dropout=p, rng=seed)
        net.layer(1).b.data = np.where(np.arange(sizes[1]) % 3, 0.0, -20.0)

        def forward() -> Pass:
            z = net(x)
            return Pass((kept * square(z - y)).sum() / kept.sum(), z, net, net.layer(1).W)

        return Net(net, forward)

    return build


@recipe("healthy", 1)
def large_batch(r: Draw) -> Callable[[Build], Net]:
    """Four thousand examples: the mean makes every entry of the signal small."""
    sizes, seed, f = [4, whole(r, 6, 16), whole(r, 2, 4)], fresh(r), among(r, "tanh", "relu")
    x, y = lesson(r, 4, sizes[-1], 4096)
    return lambda b: known(feed(b, nn.MLP(sizes, b.phi(f), rng=seed), x, y, "model"), steps=100)


@recipe("healthy", 3)
def hand_written(r: Draw) -> Callable[[Build], Net]:
    """A model in a dictionary with an activation of one's own, and −log(σ(z) + ε) for a loss."""
    f, n, x = among(r, hand_sigmoid, hand_tanh, softsign), whole(r, 5, 13), r.normal(size=(30, 3))
    side, seed, one = np.sign(x @ r.normal(size=(3, 1))), fresh(r), coin(r)

    def build(b: Build) -> Net:
        rng = np.random.default_rng(seed)

        def passing(m: dict) -> Pass:
            z = b.phi(f)(x @ m["W"] + m["b"]) @ m["V"]
            return Pass(-log(hand_sigmoid(side * z) + 1e-9).mean(), z, m["W"] if one else m, m["W"])

        return small({name: rng.normal(size=shape) for name, shape in (("W", (3, n)), ("b", n), ("V", (n, 1)))}, passing)

    return build


@recipe("healthy", 3)
def numbers_one_by_one(r: Draw) -> Callable[[Build], Net]:
    """A small MLP of Scalars, one example at a time; or an MLP in float32."""
    single, f, seed, target = coin(r), among(r, "tanh", "sigmoid"), fresh(r), r.uniform(1, 2, 2)
    x, leaf = r.normal(size=3).astype(np.float32), lambda array, name=None: Tensor(np.asarray(array, np.float32), name=name)

    def build(b: Build) -> Net:
        net = nn.MLP([3, 5, 4, 2], b.phi(f), leaf=scalars if single else leaf, rng=seed)
        return known(feed(b, net, x.astype(float) if single else x, target if single else target.astype(np.float32), "model"), steps=60)

    return build
