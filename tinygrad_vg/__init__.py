"""tinygrad_vg: reverse-mode automatic differentiation, small enough to read, that shows where the gradient went.

>>> from tinygrad_vg import Scalar
>>> x = Scalar(0.5, name="x")
>>> y = (x * 2).tanh()
>>> y.backward()
>>> print(f"dy/dx = {x.grad:.4f} = " + " × ".join(f"({edge.formula})" for node in (y, x * 2) for edge in node.edges))
dy/dx = 0.8399 = (1 - y * y) × (b)
"""

import importlib

from . import drawing, nn
from .autodiff.anomaly import detect_anomaly
from .autodiff.calculus import hessian, hvp, jacobian
from .autodiff.check import gradcheck
from .autodiff.derivatives import absolute as abs
from .autodiff.derivatives import (
    add, clip, cos, divide, elementwise, elu, exp, expm1, gelu, gelu_gate, leaky_relu, log, log1p, maximum, minimum, multiply,
    negative, power, relu, sigmoid, sign, sin, softplus, sqrt, square, subtract, tanh, where,
)  # fmt: skip
from .autodiff.maps import LinearMap, LinearOperation, Rule
from .autodiff.node import Edge, Node, history, no_grad
from .autodiff.products import einsum, linear, matmul
from .autodiff.protocols import OPS
from .autodiff.reductions import log_softmax, logsumexp, max, min, prod, softmax, var
from .autodiff.scalar import Scalar, scalars
from .autodiff.structure import (
    astype, broadcast_to, concatenate, diagonal, expand_dims, getitem, mean, reshape, split, squeeze, stack, sum, swapaxes,
    take, transpose,
)  # fmt: skip
from .autodiff.sweep import grad, jvp
from .autodiff.tensor import Tensor, apply
from .chain import Chain, explain, paths, uses, verdict
from .drawing import draw

__version__ = "0.1.0"

def __getattr__(name: str) -> object:
    """The rooms that are entered seldom wait until somebody names them."""
    if name in ROOMS:
        return importlib.import_module(f".{name}", __name__)
    from .hints import PACKAGE, missing

    raise missing(__name__, name, PACKAGE, [*__all__, *ROOMS])


ROOMS = {"experiments", "theory", "training"}

# what `from tinygrad_vg import *` brings: all of the above but the names that Python itself has
__all__ = [name for name in dir() if not name.startswith("_") and name not in {"ROOMS", "abs", "importlib", "max", "min", "sum"}]
