"""tinygrad_vg: reverse-mode automatic differentiation, small enough to read, that shows where the gradient went.

>>> from tinygrad_vg import Scalar, history
>>> x = Scalar(0.5, name="x")
>>> y = (2 * x).named("z").tanh().named("y")
>>> y.backward()
>>> print(f"dy/dx = {x.grad:.4f}")
dy/dx = 0.8399
>>> for node in reversed(history(y)):
...     for edge in node.edges:
...         print(f"d{node.name}/d{edge.parent.name} = {edge.formula_here} = {float(edge.local):.4f}")
dy/dz = 1 - y * y = 0.4200
dz/dx = 2 = 2.0000
"""

import importlib

import numpy as _np

from . import drawing, hints, nn
from .autodiff import linear_algebra as _further  # with it along and rearranging: NumPy's further functions record
from .autodiff.calculus import grad, hessian, hvp, jacobian, jvp
from .autodiff.check import gradcheck
from .autodiff.core import Edge, Node, history
from .autodiff.guards import detect_anomaly, no_grad
from .autodiff.maps import LinearMap, LinearOperation, Rule, apply
from .autodiff.more_rows import (
    arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cbrt, cosh, deg2rad, erf, erfc, exp2, fmax, fmin, fmod, gelu, gelu_tanh,
    hypot, log2, log10, logaddexp, logaddexp2, rad2deg, reciprocal, remainder, sinc, sinh, tan, xlogy)
from .autodiff.products import einsum, linear, matmul
from .autodiff.protocols import OPS
from .autodiff.reductions import log_softmax, logsumexp, max, min, prod, softmax, var
from .autodiff.rows import elementwise
from .autodiff.scalar import Scalar
from .autodiff.table import absolute as abs
from .autodiff.tensor import Tensor, scalars
from .autodiff.table import (
    add, clip, cos, divide, elu, exp, expm1, leaky_relu, log, log1p, maximum, minimum, multiply,
    negative, power, relu, sigmoid, sign, sin, softplus, sqrt, square, subtract, tanh, where)
from .autodiff.structure import (
    astype, broadcast_to, concatenate, diagonal, expand_dims, getitem, mean, reshape, split, squeeze, stack, sum, swapaxes,
    take, transpose)
from .chain import Chain, paths, reach, uses, verdict
from .formulas import by_hand, explain
from .nn import load_model
from .drawing import draw, group

__version__ = "0.2.0"

def __getattr__(name: str) -> object:
    """The rooms that are entered seldom wait until somebody names them."""
    if name in ROOMS:
        return importlib.import_module(f".{name}", __name__)
    raise hints.missing(__name__, name, hints.PACKAGE, [*__all__, *ROOMS])


ROOMS = {"claims", "grid", "theory", "training"}

# what `from tinygrad_vg import *` brings; of abs, max, min and sum Python has its own
__all__ = [
    "Chain", "Edge", "LinearMap", "LinearOperation", "Node", "OPS", "Rule", "Scalar", "Tensor", "add", "apply", "arccos", "arccosh",
    "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "astype", "broadcast_to", "by_hand", "cbrt", "clip", "concatenate", "cos",
    "cosh", "deg2rad", "detect_anomaly", "diagonal", "divide", "draw", "drawing", "einsum", "elementwise", "elu", "erf", "erfc",
    "exp", "exp2", "expand_dims", "explain", "expm1", "fmax", "fmin", "fmod", "gelu", "gelu_tanh", "getitem", "grad", "gradcheck",
    "group", "hessian", "history", "hvp", "hypot", "jacobian", "jvp", "leaky_relu", "linear", "load_model", "log", "log10", "log1p",
    "log2", "log_softmax", "logaddexp", "logaddexp2", "logsumexp", "matmul", "maximum", "mean", "minimum", "multiply", "negative",
    "nn", "no_grad", "paths", "power", "prod", "rad2deg", "reach", "reciprocal", "relu", "remainder", "reshape", "scalars",
    "sigmoid", "sign", "sin", "sinc", "sinh", "softmax", "softplus", "split", "sqrt", "square", "squeeze", "stack", "subtract",
    "swapaxes", "take", "tan", "tanh", "theory", "training", "transpose", "uses", "var", "verdict", "where", "xlogy"]

hints.attach(globals())

# glibc gives a freed graph's memory back to the system and fetches it anew, page by page. Once a block of 16 MB has come and
# gone it keeps up to twice as much (mallopt(3), M_MMAP_THRESHOLD; not if MALLOC_… is set). The block itself costs no bytes.
_np.empty(1 << 24, _np.uint8)
