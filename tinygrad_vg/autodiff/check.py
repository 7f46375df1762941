"""Is the derivative right?  Compare it with a derivative that knows nothing of graphs.

Complex step: f(x + ih) = f(x) + ih f′(x) + O(h²), so Im f(x + ih) / h with h = 1e-30 is f′(x) to the last digit (Squire & Trapp 1998).
Where a function does not compute on plain complex arrays, central differences (f(x + h) - f(x - h)) / 2h are good to about ten digits.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .calculus import grad, jacobian
from .core import Node, plain
from .maps import unit_arrays
from .scalar import Scalar
from .tensor import Tensor

COMPLEX_STEP, WEIGHTS = 1e-30, np.cos(np.arange(1.0, 30.0))  # h; and what entries are weighted with to become one number
STEP, SINGLE_STEP = (6e-6, 1e-6), (5e-3, 1e-2)  # of differences, about the cube root of epsilon, and what error to allow


def gradcheck(function: Callable[..., Any], *inputs: Any, order: int = 1, rtol: float | None = None) -> bool:
    """True if the derivatives of `function` at `inputs` are right, every entry of every Jacobian; else raises.

    function  takes one node for each input and returns one node
    inputs    Scalars (checked as Scalars); Tensors, arrays or numbers (checked as float64 Tensors)
    order     2: the derivatives of the gradient as well, and so on
    rtol      allowed error / max(1, |derivative|): 1e-10 by the complex step, 1e-6 by differences (no complex arrays, or order above 1)

    AssertionError names the worst entry. ValueError says "not differentiable here" where the slopes from the two sides differ.
    """
    if order not in (1, 2, 3, 4):
        raise ValueError(f"gradcheck checks derivatives of order 1 to 4, got order={order!r}")
    leaves = [Scalar(x.data) if isinstance(x, Scalar) else Tensor(numbers_or_scalars(plain(x), "gradcheck").astype(float)) for x in inputs]
    output = function(*leaves)
    if not isinstance(output, Node):
        raise TypeError(f"gradcheck needs a function that returns one Scalar or Tensor, got {type(output).__name__}")
    for k, leaf in enumerate(leaves):
        compare(function, leaves, k, jacobian(output, leaf).reshape(output.size, leaf.size), rtol)
    # the gradient of the weighted output, its entries weighted in turn, is one number, to be checked like any other
    def derivative(*xs: Any) -> Any: return weighted(grad(weighted([function(*xs)]), list(xs), create_graph=True))
    return order == 1 or gradcheck(derivative, *leaves, order=order - 1, rtol=rtol)


def compare(function: Callable, leaves: list, k: int, J: np.ndarray, rtol: float | None) -> None:
    """Raise unless J, a matrix, is the Jacobian of the function with respect to leaf k."""
    def f(shift: Any) -> np.ndarray:  # the function's value, flat, with leaf k moved
        return np.ravel(plain(function(*[type(x)(x.data + shift if i == k else x.data) for i, x in enumerate(leaves)])))

    step, rough = STEP if f(0.0).dtype == np.float64 else SINGLE_STEP
    right, left, right_near, left_near = (differences(f, leaves[k].data, part * step) for part in (1, -1, 1 / 8, -1 / 8))
    gap, central, exact = np.abs(right - left), (right + left) / 2, complex_step(function, leaves, k)
    kink = (gap > 1e-3 * np.maximum(1, np.abs(central))) & (np.abs(right_near - left_near) > gap / 2)  # a bend shrinks with the step
    if np.any(kink):
        row, column = at = tuple(np.argwhere(kink)[0])
        slopes = f"slope {left[at]:.6g} to the left, {right[at]:.6g} to the right"
        raise ValueError(f"not differentiable here: output entry {row} along input {k}, entry {column}: {slopes}")
    trusted = exact is not None and np.allclose(exact, central, rtol=1e-4, atol=1e-5)
    truth, method, allowed = (exact, "complex step", rtol or 1e-10) if trusted else (central, "central differences", rtol or rough)
    error = np.abs(J - truth) / np.maximum(1.0, np.abs(truth))
    if not np.all(error <= allowed):
        row, column = at = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
        said = f"the engine says {J[at]:.17g}, {method} {truth[at]:.17g} (off by {error[at]:.2g}, allowed {allowed:.0e})"
        raise AssertionError(f"the derivative of output entry {row} with respect to input {k}, entry {column}: {said}")


def complex_step(function: Callable, leaves: list, k: int) -> Any:
    """∂output/∂leaf k as a matrix; None if the function does not compute with complex arrays, or if the leaf has no entries."""
    xs = [np.asarray(x.data).astype(complex) for x in leaves]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            ys = [function(*xs[:k], xs[k] + 1j * COMPLEX_STEP * e, *xs[k + 1 :]) for e in unit_arrays(leaves[k].shape)]
    except (TypeError, AttributeError, ValueError, np.exceptions.ComplexWarning):
        ys = []
    return np.array([np.imag(y).ravel() / COMPLEX_STEP for y in ys]).T if ys and all(map(np.iscomplexobj, ys)) else None


def differences(f: Callable, x: Any, step: float) -> np.ndarray:
    """∂f/∂x, of f(shift of x), by one-sided differences: to the right, or with a negative step to the left."""
    here, steps = f(0.0), step * np.maximum(1.0, np.abs(np.where(np.isfinite(x), x, 1.0)).ravel())
    columns = [(f(e * h) - here) / h for e, h in zip(unit_arrays(np.shape(x)), steps)]
    return np.reshape(columns, (len(columns), here.size)).T


def weighted(nodes: list) -> Any:
    """One number that depends on every entry of every node, each with a weight of its own."""
    parts = [x * w if isinstance(x, Scalar) else (x * np.resize(WEIGHTS, x.shape)).sum() for x, w in zip(nodes, WEIGHTS)]
    return sum(parts[1:], parts[0])
