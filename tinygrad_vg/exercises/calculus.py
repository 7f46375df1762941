"""What is the right answer to exercises 1 to 10?  The engine says, on random inputs.

Each function yields cases without end: arguments, and what the engine says to them.

    W weight (out, in)      h state      z pre-activation      y output      g gradient with respect to y or z      T steps
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import Scalar, Tensor, grad, linear, relu, sigmoid, softmax, tanh
from .grading import Case


def tanh_slopes(rng: Any) -> Iterator[Case]:
    while True:
        z = Scalar(rng.normal())
        y = z.tanh()
        yield (y.data,), grad(y, z)


def neuron_gradients(rng: Any) -> Iterator[Case]:
    while True:
        w, x, b = map(Scalar, rng.normal(size=3))
        yield (w.data, x.data, b.data), [grad(sigmoid(w * x + b), leaf) for leaf in (w, x, b)]


def scalar_rnns(rng: Any) -> Iterator[Case]:
    while True:
        w, T = rng.uniform(0.5, 4.0), int(rng.integers(1, 20))
        start = h = Scalar(rng.uniform())
        for _ in range(T):
            h = sigmoid(w * h)
        yield (w, start.data, T), grad(h, start)


def linear_layers(of: int) -> Callable[[Any], Iterator[Case]]:
    """∂L/∂h (0) or ∂L/∂W (1) of z = W h, given g = ∂L/∂z."""

    def cases(rng: Any) -> Iterator[Case]:
        while True:
            m, n = rng.integers(2, 5, size=2)
            h, W, g = Tensor(rng.normal(size=n)), Tensor(rng.normal(size=(m, n))), rng.normal(size=m)
            yield (g, W.data, h.data), grad(linear(h, W), [h, W], seed=g)[of]

    return cases


def softmaxes(rng: Any) -> Iterator[Case]:
    while True:
        z = Tensor(rng.normal(size=rng.integers(2, 6)))
        y, g = softmax(z), rng.normal(size=z.size)
        yield (y.data, g), grad(y, z, seed=g)


def rnn_gradients(rng: Any) -> Iterator[Case]:
    while True:
        T, n = int(rng.integers(1, 6)), int(rng.integers(2, 4))
        W, h, states = Tensor(rng.normal(size=(n, n))), Tensor(rng.normal(size=n)), []
        for _ in range(T + 1):
            states.append(h)
            h = tanh(linear(h, W))
        g = rng.normal(size=n)
        yield (W.data, np.array([state.data for state in states]), g), grad(states[-1], W, seed=g)


def contractions(rng: Any) -> Iterator[Case]:
    while True:
        W, T = rng.normal(size=(4, 4)), int(rng.integers(1, 30))
        yield (W, 0.25, T), (0.25 * np.linalg.svd(W, compute_uv=False)[0]) ** T


def relu_scales(rng: Any) -> Iterator[Case]:
    while True:
        n = int(rng.integers(100, 400))
        W, z = Tensor(rng.normal(size=(n, n))), rng.normal(size=(50, n))
        g = rng.normal(size=(50, n))
        pulled = grad(linear(h := Tensor(z), W) * (relu(z) > 0), h, seed=g)
        yield (n,), float(np.linalg.norm(g) / np.linalg.norm(pulled))


def forget_biases(rng: Any) -> Iterator[Case]:
    while True:
        T, kept = int(rng.integers(5, 200)), rng.uniform(0.1, 0.9)
        yield (T, kept), float(-np.log(kept ** (-1 / T) - 1))
