"""What follows from the gradient?  Jacobians, Hessians, and the Hessian times a vector, all from the same sweep."""

import math
from typing import Any

import numpy as np

from .maps import unit_arrays
from .node import Node
from .sweep import grad, jvp


def jacobian(output: Node, input: Node) -> np.ndarray:
    """∂output/∂input as an array of shape output.shape + input.shape.

    One reverse sweep for each number of the output, or one forward sweep for each of the input, whichever are fewer.
    TypeError for a function: call it first.
    """
    check_nodes("jacobian", output, input)
    if math.prod(output.shape) <= math.prod(input.shape):
        rows = [grad(output, input, seed=e) for e in unit_arrays(output.shape)]
        return np.array(rows, dtype=float).reshape(output.shape + input.shape)
    columns = [np.ravel(jvp(output, input, e)) for e in unit_arrays(input.shape)]
    return np.array(columns, dtype=float).T.reshape(output.shape + input.shape)


def hessian(output: Node, input: Node) -> np.ndarray:
    """∂²output/∂input² as an array of shape input.shape * 2; ValueError unless the output is one number."""
    check_nodes("hessian", output, input)
    return jacobian(grad(output, input, create_graph=True), input)


def hvp(output: Node, input: Node, vector: Any) -> Any:
    """The Hessian of `output`, one number, times a vector of the input's shape, without building the Hessian.

    Reverse over reverse: the gradient of ⟨gradient, vector⟩. A float for a Scalar, an array for a Tensor.
    """
    check_nodes("hvp", output, input)
    g = grad(output, input, create_graph=True)
    return grad(g, input, seed=input.like(vector, "the vector"))


def check_nodes(what: str, output: Any, input: Any) -> None:
    """TypeError unless both are nodes."""
    for x in (output, input):
        if not isinstance(x, Node):
            way = f"; call it first, y = f(x), then {what}(y, x)" if callable(x) else ""
            raise TypeError(f"{what} needs two nodes, an output and one of the inputs it was computed from; got {type(x).__name__}{way}")
