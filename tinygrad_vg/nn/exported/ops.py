"""What do torch's small ops compute, where none of ours does quite the same?  Arguments come in torch's order.

Shape and dtype of a result are looked after elsewhere.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...autodiff.core import Node, plain
from ...autodiff.reductions import var
from ...autodiff.structure import split
from ...autodiff.table import elu, expm1, sigmoid, softplus, where
from .shapes import room


def times(x: Any, alpha: float) -> Any:
    """α x, and no node for α = 1."""
    return x if alpha == 1 else x * alpha


def axes_of(dim: Any) -> Any:
    """torch's dim as NumPy's axis: a list as a tuple, an empty one as None, all axes."""
    return tuple(dim) if isinstance(dim, list) and dim else None if isinstance(dim, list) else dim


def divided(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    """a / b, or rounded down (floor) or towards 0 (trunc), without a gradient then."""
    return np.floor_divide(plain(a), plain(b)) if rounding_mode == "floor" else np.trunc(plain(a) / plain(b)) if rounding_mode else a / b


def soft_plus(a: Any, beta: float = 1, threshold: float = 20) -> Any:
    """ln(1 + exp(β a))/β, a itself where β a is above the threshold."""
    y = softplus(times(a, beta)) / beta
    return where(plain(a) * beta > threshold, a, y) if (plain(a) * beta > threshold).any() else y


def elu_of(a: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    """elu, selu and celu: scale · a above 0, scale · alpha (exp(input_scale · a) − 1) below."""
    return times(elu(times(a, input_scale), alpha) if input_scale == 1 else where(a > 0, a, alpha * expm1(times(a, input_scale))), scale)


def reduced(op: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction with torch's dim and keepdim; no dim, or an empty list, is all of them."""
    return lambda x, dim=None, keepdim=False: op(x, axes_of(dim), keepdims=keepdim)


def chosen(op: Callable[..., Any], argument: Callable[..., Any]) -> Callable[..., Any]:
    """max or min along an axis, and where it is."""
    return lambda x, dim, keepdim=False: (op(x, dim, keepdims=keepdim), argument(plain(x), dim, keepdims=keepdim))


def variance(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """Σ (x − mean)² / (n − correction); correction: 1, or 0 where `unbiased` is False, if left out."""
    return var(x, axes_of(dim), int(unbiased if correction is None else correction), keepdim)


def glu(x: Any, dim: int = -1) -> Any:
    """Half of x, the other half its gate."""
    a, b = split(x, 2, dim)
    return a * sigmoid(b)


def dropout(x: Any, p: float, train: bool, *, rng: Any) -> tuple[Any, Any]:
    """(y, mask): each entry kept with probability 1 − p, and divided by it."""
    if not train or p == 0:
        return x, np.ones(np.shape(x), bool)
    mask = rng.random(np.shape(x)) >= p
    return x * mask / (1 - p) if p < 1 else x * 0.0, mask


def shape_of(x: Any) -> tuple:
    """The shape that a size names, or that of an array."""
    return np.shape(x) if isinstance(x, (Node, np.ndarray)) else tuple(x)


def filled(x: Any, value: Any) -> np.ndarray:
    """An array of equal entries, of a shape or of that of an array; they take no room until its shape has been checked."""
    return np.broadcast_to(np.asarray(value), shape_of(x))


def drawn(draw: str) -> Callable[..., Any]:
    """Random numbers, of a shape or of that of an array."""
    def op(x: Any, *, rng: Any) -> Any:
        room(*shape_of(x))
        return getattr(rng, draw)(shape_of(x))
    return op


def counted(*ends: Any) -> np.ndarray:
    """arange."""
    start, end, step = (*(ends if len(ends) > 1 else (0, *ends)), 1)[:3]
    room(int((end - start) / step))
    return np.arange(start, end, step)
