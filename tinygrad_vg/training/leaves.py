"""What is a parameter?  A Tensor, a Scalar, or an object array of Scalars: here each is read and written as one array.

    w  value      g  gradient
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..autodiff.core import Node, describe, set_grad
from ..nn.weights import entries

Parameters = Mapping[str, Any]  # {name: leaf}


def value(leaf: Any) -> Any:
    """The value: a float or an array."""
    return leaf.data if isinstance(leaf, Node) else np.array([x.data for x in leaf.flat]).reshape(leaf.shape)


def values(parameters: Parameters) -> dict[str, Any]:
    return {name: value(leaf) for name, leaf in parameters.items()}


def gradient(leaf: Any) -> Any:
    """The gradient, a float or an array; None if backward() has not reached the leaf (nor any of its Scalars)."""
    if isinstance(leaf, Node):
        return leaf.grad
    gs = [x.grad for x in leaf.flat]
    return None if all(g is None for g in gs) else np.array([g or 0.0 for g in gs]).reshape(leaf.shape)


def assign_gradients(parameters: Parameters, gradients: Parameters) -> None:
    """Give parameters other gradients of their shapes, or None: all of them at once, Ctrl-C cannot fall inside."""
    new = {x: part for name, g in gradients.items() for x, part in entries(parameters[name], g)}
    new = {x: None if g is None else x.as_gradient(g, f"the gradient of {describe(x)}") for x, g in new.items()}
    deque(map(set_grad, new.keys(), new.values()), maxlen=0)


def gradients_of(parameters: Parameters) -> dict[str, Any]:
    """{name: gradient} of the parameters that have one."""
    return {name: g for name, leaf in parameters.items() if (g := gradient(leaf)) is not None}


def length(arrays: Iterable[Any], per_seed: bool = False) -> Any:
    """√ Σ x², over all arrays together, scaled where a square would over- or underflow.

    per_seed: the first axis of every array counts seeds, and each has its own length; an array (seeds,).
    """
    arrays = list(arrays)
    if not per_seed and 1e-30 < (squares := sum(float(np.vdot(x, x)) for x in arrays)) < 1e30:
        return math.sqrt(squares)
    rows = [np.reshape(x, (len(x) if per_seed else 1, -1)) for x in arrays]
    if not rows:
        return 0.0
    largest = np.max([np.max(np.abs(x), axis=1, initial=0.0) for x in rows], axis=0)
    unit = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
    lengths = unit * np.sqrt(np.sum([np.sum(np.square(x / unit[:, None]), axis=1) for x in rows], axis=0))
    return lengths if per_seed else float(lengths[0])
