"""There is nothing to do, or no way to it: how are convergence and disconnection planted?

    u  the unit of the targets
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_draws import Draw, among, coin, data, fresh, sequence, whole, widths
from diagnosis_nets import Build, Net, Pass, criterion, feed, recipe, recur, small, together

from tinygrad_vg import Tensor, log, nn, sigmoid, softmax, tanh, training

UNITS = [1e-4, 1.0, 1e9]


def linear_model(start: np.ndarray, x: np.ndarray, y: np.ndarray, **facts: Any) -> Net:
    """x W against y."""

    def passing(m: dict) -> Pass:
        p = x @ m["W"]
        return Pass(criterion(p, y), p, m["W"], target=y)

    return small({"W": start}, passing, **facts)


@recipe("converged", 3)
def least_squares(r: Draw) -> Callable[[Build], Net]:
    """Linear least squares with noise, at its optimum: the errors are not small, but nothing is better. In units of 1e-4, 1, 1e9."""
    x, u = r.normal(size=(whole(r, 15, 59), whole(r, 2, 5))), among(r, *UNITS)
    y = u * (x @ r.normal(size=(x.shape[1], 2)) + r.uniform(0.1, 1) * r.normal(size=(len(x), 2)))
    return lambda b: linear_model(np.linalg.lstsq(x, y, rcond=None)[0], x, y, noise=True)


@recipe("converged")
def logistic_optimum(r: Draw) -> Callable[[Build], Net]:
    """Logistic regression on classes that overlap, after Newton's method."""
    x = r.normal(size=(whole(r, 40, 89), 3))
    y = (r.random(len(x)) < 1 / (1 + np.exp(-x @ r.normal(size=3)))).astype(float)
    w = np.zeros(3)
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        w = w - np.linalg.solve((x.T * (p * (1 - p))) @ x, x.T @ (p - y))

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            z = x @ m["w"]
            return Pass(-(y * log(sigmoid(z)) + (1 - y) * log(1 - sigmoid(z))).mean(), z, m["w"])

        return small({"w": w}, passing, noise=True)

    return build


@recipe("converged", 3)
def met_by_mlp(r: Draw) -> Callable[[Build], Net]:
    """An MLP whose targets are met to 1e-8 to 1e-12 of their size; other units than 1 are asked about at the last layer, which has them."""
    sizes, seed, f = widths(r, 1, 4), fresh(r), among(r, "tanh", "relu", "sigmoid", "elu")
    (x, _), u, off = data(r, sizes[0], sizes[-1]), among(r, *UNITS), 10 ** r.uniform(-12, -8)
    norm = among(r, None, "layer")

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi(f), norm=norm, rng=seed)
        final = net.layer(len(sizes) - 1)
        final.W.data = u * final.W.data
        p = net(x).data
        y = p + off * p.std() * np.random.default_rng(seed).normal(size=p.shape)
        return feed(b, net, x, y, "model" if u == 1 and not norm else final.W if u != 1 else "first")

    return build


@recipe("converged")
def met_by_recurrence(r: Draw) -> Callable[[Build], Net]:
    """An RNN, LSTM or GRU whose targets are met, at its end or at every step."""
    (xs, n, seed), off, every = sequence(r, 4, 10), 10 ** r.uniform(-12, -8.5), coin(r)
    kind, ask = among(r, nn.RNNCell, nn.LSTMCell, nn.GRUCell), "model"

    def build(b: Build) -> Net:
        cell, out = kind(xs.shape[2], n, rng=seed), nn.Linear(n, 2, rng=seed)
        out.b.data = np.array([1.0, -1.0])
        states = nn.unroll(cell, xs)[1:]
        p = np.array([out(cell.output(h)).data for h in states])
        ys = p + off * p.std() * np.random.default_rng(seed).normal(size=p.shape)
        return recur(b, cell, out, xs, ys if every else ys[-1], ask, every)

    return build


@recipe("converged")
def sure_and_right(r: Draw) -> Callable[[Build], Net]:
    """A classifier whose logits are 25 to 40 ahead for the right class, by cross-entropy or by −log(σ(z) + ε)."""
    sizes, seed, own, lead = widths(r, 1, 3), fresh(r), coin(r, 0.4), r.uniform(25, 40)
    x, sizes[-1] = r.normal(size=(whole(r, 8, 19), sizes[0])), 1 if own else 3

    def build(b: Build) -> Net:
        net = nn.MLP(sizes, b.phi("tanh"), rng=seed)
        z, final = net(x).data, net.layer(len(sizes) - 1)
        ordered = np.sort(np.abs(z) if own else z, axis=-1)
        final.W.data = lead / (ordered[:, -1] - (0 if own else ordered[:, -2])).min() * final.W.data
        return feed(b, net, x, z.argmax(-1), final.W) if not own else own_likelihood(net, x, np.where(z > 0, 1.0, -1.0), final.W)

    return build


def own_likelihood(net: nn.MLP, x: np.ndarray, side: np.ndarray, source: Tensor) -> Net:
    """−log(σ(side z) + 1e-12), as one writes it."""

    def forward() -> Pass:
        z = net(x)
        return Pass(-log(sigmoid(side * z) + 1e-12).mean(), z, source)

    return Net(net, forward, {"error": float(np.max(1 / (1 + np.exp(side * net(x).data))))})


@recipe("converged")
def trained_to_the_end(r: Draw) -> Callable[[Build], Net]:
    """A linear model really trained, by gradient descent, until its targets are met; in units of 1e-4, 1, 1e9."""
    x, u = r.normal(size=(40, whole(r, 2, 4))), among(r, *UNITS)
    y = u * x @ r.normal(size=(x.shape[1], 2))

    def build(b: Build) -> Net:
        net = linear_model(np.zeros((x.shape[1], 2)), x, y)
        optimiser = training.SGD(net.model, 0.5)
        for _ in range(120):
            net.forward().loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return net

    return build


@recipe("disconnected", 3)
def data_on_the_way(r: Draw) -> Callable[[Build], Net]:
    """.data, or detach(), taken in the middle of a network, and gone on with as an array, or as a new leaf."""
    n, f, (x, y) = whole(r, 3, 8), among(r, tanh, sigmoid), data(r, 3, 2)
    leave = among(r, lambda h: h.data, lambda h: h.detach(), lambda h: Tensor(h.data))
    shapes, every, seed = {"W": (3, n), "V": (n, n), "U": (n, 2)}, coin(r, 0.4), fresh(r)

    def build(b: Build) -> Net:
        rng = np.random.default_rng(seed)

        def passing(m: dict) -> Pass:
            h = f(x @ m["W"])
            p = f(b.either(leave, lambda h: h)(h) @ m["V"]) @ m["U"]
            return Pass(criterion(p, y), p, m if every else m["W"], m["W"])

        return small({name: rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}, passing)

    return build


@recipe("disconnected")
def truncated(r: Draw) -> Callable[[Build], Net]:
    """Backpropagation through time, cut every few steps; asked at the first state."""
    (xs, n, seed), cut, gru = sequence(r, 8, 14), whole(r, 2, 5), coin(r)
    y = r.normal(size=(xs.shape[1], 2))

    def build(b: Build) -> Net:
        cell = nn.GRUCell(xs.shape[2], n, rng=seed) if gru else nn.RNNCell(xs.shape[2], n, b.phi("tanh"), rng=seed)
        out = nn.Linear(n, 2, rng=seed)

        def forward() -> Pass:
            states = nn.unroll(cell, xs, truncate=b.either(cut, None))
            p = out(states[-1])
            return Pass(nn.mse(p, y), p, states[0])

        return Net(together(cell=cell, out=out), forward)

    return build


@recipe("disconnected")
def not_used(r: Draw) -> Callable[[Build], Net]:
    """Two heads, and only one in the loss; or an LSTM's last cell, whose output alone is read."""
    (xs, n, seed), lstm = sequence(r, 3, 6), coin(r)
    y = r.normal(size=(xs.shape[1], 2))

    def build(b: Build) -> Net:
        cell, out, other = nn.LSTMCell(xs.shape[2], n, rng=seed), nn.Linear(n, 2, rng=seed), nn.Linear(n, 2, rng=seed + 1)

        def forward() -> Pass:
            h, c = nn.unroll(cell, xs)[-1]
            scaled = c * 2.0
            p = out(h) + (b.either(0.0, scaled.sum()) if lstm else b.either(0.0, other(h)))
            return Pass(nn.mse(p, y), p, scaled if lstm else other.W)

        return Net(together(cell=cell, out=out, other=other), forward)

    return build


@recipe("disconnected")
def hard_choice(r: Draw) -> Callable[[Build], Net]:
    """Attention that takes the best place by argmax: which one it was has no derivative. Sound: softmax."""
    T, d = whole(r, 4, 8), whole(r, 3, 6)
    x, y, w, V = r.normal(size=(T, d)), r.normal(size=d), r.normal(size=d) / np.sqrt(d), nn.init.normal((d, d), r)

    def build(b: Build) -> Net:
        def passing(m: dict) -> Pass:
            scores = x @ m["w"]
            p = (softmax(scores) @ x if b.right == "cause" else x[int(np.argmax(scores.data))]) @ m["V"]
            return Pass(nn.mse(p, y), p, m["w"])

        return small({"w": w, "V": V}, passing)

    return build


@recipe("disconnected", 1)
def target_network(r: Draw) -> Callable[[Build], Net]:
    """A second network that makes the targets, and is not to be moved by them; asked at it."""
    sizes, seed, x = widths(r, 1, 3), fresh(r), r.normal(size=(whole(r, 6, 19), 3))
    sizes[0] = 3

    def build(b: Build) -> Net:
        net, slow = nn.MLP(sizes, b.phi("tanh"), rng=seed), nn.MLP(sizes, b.phi("tanh"), rng=seed + 1)

        def forward() -> Pass:
            p, y = net(x), slow(x)
            return Pass(((p - b.either(y.data, y)) ** 2).mean(), p, slow, slow.layer(1).W)

        return Net(net, forward)

    return build
