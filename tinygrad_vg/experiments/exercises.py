"""Can you do it yourself?  Ten exercises in matrix calculus that check themselves against the engine.

Each asks for one function; an answer is graded on random inputs, and the first that is wrong is shown.

    W weight (out, in)      h state      z pre-activation      y output      g gradient with respect to y or z      T steps
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import grad
from ..autodiff.products import linear
from ..autodiff.reductions import softmax
from ..autodiff.scalar import Scalar
from ..autodiff.table import relu, sigmoid, tanh
from ..autodiff.tensor import Tensor

Case = tuple[tuple, Any]  # arguments, and the right answer
WITHIN, CASES = 1e-9, 20


class Exercise(NamedTuple):
    """A function to write.

    name, arguments  its name and what it takes, as text      asks  what it should return      hint  where to start
    cases(rng)  arguments and right answers, without end
    solution  the body of a right answer      within  how near the answer must be, relative to its size
    """

    name: str
    arguments: str
    asks: str
    hint: str
    solution: str
    cases: Callable[[Any], Iterator[Case]]
    within: float = WITHIN

    def __str__(self) -> str:
        return f"Write  def {self.name}({self.arguments})\n\n{self.asks}\n\nHint: {self.hint}"


class Grade(NamedTuple):
    """passed, and in words why (or what went wrong, and a hint)."""

    passed: bool
    words: str

    def __str__(self) -> str:
        return self.words


def grade(number: int, answer: str | Path | Mapping[str, Any]) -> Grade:
    """Grade an answer, a Python file (which is run) or a namespace that holds the function. ValueError for no such exercise,
    OSError for a file that cannot be read."""
    exercise = numbered(number)
    try:
        space = answer if isinstance(answer, Mapping) else runpy.run_path(str(answer))
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        return Grade(False, f"{answer} does not run: {type(error).__name__}: {error}")
    function = space.get(exercise.name)
    if not callable(function):
        return Grade(False, f"there is no function {exercise.name}({exercise.arguments}) yet; define it in your file")
    for k, (arguments, wanted) in zip(range(CASES), exercise.cases(np.random.default_rng(0))):
        if wrong := why_wrong(function, arguments, wanted, exercise.within):
            return Grade(False, f"{k} of {CASES} cases are right; then {wrong}\nHint: {exercise.hint}")
    return Grade(True, f"right, on {CASES} random cases: {exercise.name} is what the engine says")


def numbered(number: int) -> Exercise:
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number}; they are numbered 1 to {len(EXERCISES)}")
    return EXERCISES[number]


def why_wrong(function: Any, arguments: tuple, wanted: Any, within: float) -> str:
    """What is wrong with one answer, in words; '' if it is right."""
    shown = ", ".join(np.array2string(np.asarray(x), precision=4, threshold=8) if np.ndim(x) else f"{x}" for x in arguments)
    try:
        answer = function(*(np.array(x) if np.ndim(x) else x for x in arguments))
        if answer is None:
            return f"the function returns nothing\n  for ({shown})"
        given = np.asarray(answer, dtype=float)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}\n  for ({shown})"
    wanted = np.asarray(wanted, dtype=float)
    if given.shape != wanted.shape:
        return f"the answer has shape {given.shape}, wanted {wanted.shape}\n  for ({shown})"
    if not np.all(np.abs(given - wanted) <= within * np.maximum(np.abs(wanted), 1e-3)):
        return f"the answer is {rounded(given)}, wanted {rounded(wanted)}\n  for ({shown})"
    return ""


def rounded(x: np.ndarray) -> str:
    return np.array2string(x, precision=5, threshold=8)


# The right answers come from the engine: each function gives arguments and what it says to them, without end.


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


EXERCISES: dict[int, Exercise] = {
    1: Exercise(
        "tanh_slope", "y", "The derivative of y = tanh(z) with respect to z, as a function of y, its value.",
        "d tanh/dz = 1/cosh², and cosh² − sinh² = 1.", "return 1 - y * y", tanh_slopes,
    ),
    2: Exercise(
        "neuron", "w, x, b", "The three derivatives of y = σ(w x + b) with respect to w, x and b, as a list.",
        "∂y/∂z = y (1 − y) with z = w x + b; then ∂z/∂w = x.",
        "y = 1 / (1 + np.exp(-(w * x + b))); s = y * (1 - y); return [s * x, s * w, s]", neuron_gradients,
    ),
    3: Exercise(
        "gain", "w, h0, T", "∂h_T/∂h_0 of the recurrence h_t = σ(w h_{t−1}), T steps from h_0.",
        "It is a product of T factors w h_t (1 − h_t), each at its own h_t.",
        "p = 1.0\n    for _ in range(T):\n        h0 = 1 / (1 + np.exp(-w * h0)); p *= w * h0 * (1 - h0)\n    return p", scalar_rnns,
    ),
    4: Exercise(
        "back_to_h", "g, W, h", "∂L/∂h for z = W h, given g = ∂L/∂z: in indices, ∂L/∂h_j = Σ_i g_i W_ij.",
        "The sum runs over the first index of W, so W is transposed.", "return W.T @ g", linear_layers(0),
    ),
    5: Exercise(
        "back_to_W", "g, W, h", "∂L/∂W for z = W h, given g = ∂L/∂z: an array of W's shape.",
        "∂z_k/∂W_ij = δ_ki h_j, so ∂L/∂W_ij = g_i h_j.", "return np.outer(g, h)", linear_layers(1),
    ),
    6: Exercise(
        "softmax_back", "y, g", "∂L/∂z for y = softmax(z), given y and g = ∂L/∂y, without building a matrix.",
        "∂y_i/∂z_j = y_i (δ_ij − y_j): multiply by g_i and sum over i.", "return y * (g - g @ y)", softmaxes,
    ),
    7: Exercise(
        "rnn_gradient", "W, h, g", "∂L/∂W of h[t] = tanh(W h[t−1]), t = 1 … T, given all states h (T + 1, n) and g = ∂L/∂h[T].",
        "At each step δ = (1 − h[t]²) g; it adds δ h[t−1]ᵀ to the gradient, and g becomes Wᵀ δ.",
        "G = np.zeros_like(W)\n    for t in range(len(h) - 1, 0, -1):\n"
        "        d = (1 - h[t] ** 2) * g; G += np.outer(d, h[t - 1]); g = W.T @ d\n    return G", rnn_gradients,
    ),
    8: Exercise(
        "worst_gain", "W, slope, T", "The most that |gradient| can grow over T steps h_t = φ(W h_{t−1}), if |φ′| ≤ slope everywhere.",
        "One step multiplies by at most slope · σ_max(W), the largest singular value, not the largest eigenvalue.",
        "return (slope * np.linalg.norm(W, 2)) ** T", contractions,
    ),
    9: Exercise(
        "relu_scale", "n", "The standard deviation of the weights with which a wide ReLU layer of n units keeps the length of a gradient.",
        "Half of the gates are closed, so E|Wᵀ D g|² = n σ² |g|² / 2. (Graded within 5 %, against random layers.)",
        "return np.sqrt(2 / n)", relu_scales, 0.05,
    ),
    10: Exercise(
        "forget_bias", "T, kept", "The bias of an LSTM's forget gate (other inputs 0) with which the cell keeps this share over T steps.",
        "σ(b)^T = kept; solve for b.", "return -np.log(kept ** (-1 / T) - 1)", forget_biases,
    ),
}  # fmt: skip
