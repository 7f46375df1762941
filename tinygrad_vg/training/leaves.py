"""What is a parameter?  A Tensor, a Scalar, or an object array of Scalars: here each is read and written as one array.

    w  value      g  gradient
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..autodiff.core import Node, describe, set_grad
from ..chain.factors import norm
from ..nn.weights import entries

Parameters = Mapping[str, Any]  # {name: leaf}


def value(leaf: Any) -> Any:
    """The value: a float or an array."""
    return leaf.data if isinstance(leaf, Node) else np.array([x.data for x in leaf.flat]).reshape(leaf.shape)


def values(parameters: Parameters) -> dict[str, Any]:
    """{name: array or number} of the leaves, without their graph."""
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
    """√ Σ x², over all arrays together; no square over- or underflows.

    per_seed: the first axis of every array counts seeds, and each has its own length; an array (seeds,).
    """
    arrays = list(arrays)
    if per_seed and arrays:
        return np.array([length(of_one) for of_one in zip(*arrays)])
    return norm([norm(x) for x in arrays])


def leaves_of(state: Any) -> list[Any]:
    """The parts of a state, however nested, that can have a gradient: plain arrays cannot."""
    if isinstance(state, tuple):
        return [leaf for part in state for leaf in leaves_of(part)]
    return [state] if isinstance(state, Node) or state.dtype == object else []
