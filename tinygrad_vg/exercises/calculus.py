"""What is the right answer to exercises 1 to 10?  The engine says, on random inputs.

Each function gives a case: arguments, and what the engine says to them.

    W weight (out, in)      h state      z pre-activation      y output      g gradient with respect to y or z      T steps
"""

from typing import Any

import numpy as np

from .. import Scalar, Tensor, grad, linear, relu, sigmoid, softmax, tanh
from .grading import Case


def tanh_slope(rng: Any) -> Case:
    z = Scalar(rng.normal())
    y = z.tanh()
    return (y.data,), grad(y, z)


def neuron(rng: Any) -> Case:
    w, x, b = map(Scalar, rng.normal(size=3))
    return (w.data, x.data, b.data), grad(sigmoid(w * x + b), [w, x, b])


def scalar_rnn(rng: Any) -> Case:
    w, T = rng.uniform(0.5, 4.0), int(rng.integers(1, 20))
    start = h = Scalar(rng.uniform())
    for _ in range(T):
        h = sigmoid(w * h)
    return (w, start.data, T), grad(h, start)


def linear_layer(rng: Any, of: int) -> Case:
    """∂L/∂h (0) or ∂L/∂W (1) of z = W h, given g = ∂L/∂z."""
    m, n = rng.integers(2, 5, size=2)
    h, W, g = Tensor(rng.normal(size=n)), Tensor(rng.normal(size=(m, n))), rng.normal(size=m)
    return (g, W.data, h.data), grad(linear(h, W), [h, W], seed=g)[of]


def softmax_back(rng: Any) -> Case:
    z = Tensor(rng.normal(size=rng.integers(2, 6)))
    y, g = softmax(z), rng.normal(size=z.size)
    return (y.data, g), grad(y, z, seed=g)


def rnn_gradient(rng: Any) -> Case:
    T, n = int(rng.integers(1, 6)), int(rng.integers(2, 4))
    W, states = Tensor(rng.normal(size=(n, n))), [Tensor(rng.normal(size=n))]
    for _ in range(T):
        states.append(tanh(linear(states[-1], W)))
    g = rng.normal(size=n)
    return (W.data, np.array([h.data for h in states]), g), grad(states[-1], W, seed=g)


def worst_gain(rng: Any) -> Case:
    W, T = rng.normal(size=(4, 4)), int(rng.integers(1, 30))
    return (W, 0.25, T), (0.25 * np.linalg.svd(W, compute_uv=False)[0]) ** T


def relu_scale(rng: Any) -> Case:
    n = int(rng.integers(100, 400))
    W, z, g = Tensor(rng.normal(size=(n, n))), Tensor(rng.normal(size=(50, n))), rng.normal(size=(50, n))
    pulled = grad(linear(z, W) * (relu(z.data) > 0), z, seed=g)
    return (n,), float(np.linalg.norm(g) / np.linalg.norm(pulled))


def forget_bias(rng: Any) -> Case:
    T, kept = int(rng.integers(5, 200)), rng.uniform(0.1, 0.9)
    return (T, kept), float(-np.log(kept ** (-1 / T) - 1))
