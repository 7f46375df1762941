"""What do torch's small ops compute, where none of ours does quite the same?  Arguments come in torch's order.

Shape and dtype of a result are looked after elsewhere, so dtype=, layout=, device= and memory_format= are taken and not used.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...autodiff.core import Node, plain
from ...autodiff.reductions import var
from ...autodiff.structure import split
from ...autodiff.table import elu, expm1, power, sigmoid, softplus, square, where
from .shapes import room


def same(x: Any, *_: Any, **how: Any) -> Any:
    """x itself: a copy, a dropout that was exported in eval(); what is asked of dtype and layout is done to every result."""
    return x


def nothing(*_: Any, **how: Any) -> None:
    """What torch checks, and what was checked when the file was read."""


def silu(a: Any) -> Any:
    """a σ(a)."""
    return a * sigmoid(a)


def times(x: Any, alpha: float) -> Any:
    """α x, and no node for α = 1."""
    return x if alpha == 1 else x * alpha


def add(a: Any, b: Any, alpha: float = 1) -> Any:
    """a + α b."""
    return a + times(b, alpha)


def addmm(b: Any, x: Any, W: Any, beta: float = 1, alpha: float = 1) -> Any:
    """β b + α x W."""
    return times(b, beta) + times(x @ W, alpha)


def axes_of(dim: Any) -> Any:
    """torch's dim as NumPy's axis: a list as a tuple, an empty one as None, all axes."""
    return tuple(dim) if isinstance(dim, list) and dim else None if isinstance(dim, list) else dim


def divided(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    """a / b, or rounded down (floor) or towards 0 (trunc), without a gradient then."""
    return a / b if rounding_mode is None else {"floor": np.floor, "trunc": np.trunc}[rounding_mode](plain(a) / plain(b))


def powered(a: Any, b: Any) -> Any:
    """a^b, as a square for b = 2."""
    return square(a) if type(b) in (int, float) and b == 2 else power(a, b)


def soft_plus(a: Any, beta: float = 1, threshold: float = 20) -> Any:
    """ln(1 + exp(β a))/β, a itself where β a is above the threshold."""
    y = softplus(times(a, beta)) / beta
    return where(plain(a) * beta > threshold, a, y) if (plain(a) * beta > threshold).any() else y


def elu_of(a: Any, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    """elu, selu and celu: scale · a above 0, scale · alpha (exp(input_scale · a) − 1) below."""
    return times(elu(times(a, input_scale), alpha) if input_scale == 1 else where(a > 0, a, alpha * expm1(times(a, input_scale))), scale)


def reduced(op: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction with torch's dim and keepdim; no dim, or an empty list, is all of them."""
    return lambda x, dim=None, keepdim=False, **how: op(x, axes_of(dim), keepdims=keepdim)


def chosen(op: Callable[..., Any], argument: Callable[..., Any]) -> Callable[..., Any]:
    """max or min along an axis, and where it is; of all; or of two arrays."""
    return lambda x, dim, keepdim=False: (op(x, dim, keepdims=keepdim), argument(plain(x), dim, keepdims=keepdim))


def variance(x: Any, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    """Σ (x − mean)² / (n − correction)."""
    return var(x, axes_of(dim), 1 if correction is None else int(correction), keepdim)


def variance_of(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> Any:
    """The same by its older arguments."""
    return variance(x, dim, correction=int(unbiased), keepdim=keepdim)


def glu(x: Any, dim: int = -1) -> Any:
    """Half of x, the other half its gate."""
    a, b = split(x, 2, dim)
    return a * sigmoid(b)


def compared(op: Callable[..., Any]) -> Callable[..., Any]:
    """Two arrays, their values alone: there is no gradient in a comparison."""
    return lambda a, b: op(plain(a), plain(b))


def looked_at(op: Callable[..., Any]) -> Callable[..., Any]:
    """The values of one array."""
    return lambda a: op(plain(a))


def constant(size: Any, value: Any) -> np.ndarray:
    """An array of equal entries, which take no room until its shape has been checked."""
    return np.broadcast_to(np.asarray(value), tuple(size))


def filled(value: float) -> Callable[..., Any]:
    """An op that gives an array of this size, every entry `value`."""
    return lambda size, **how: constant(size, value)


def filled_like(value: float) -> Callable[..., Any]:
    """An op that gives an array of the shape of x, every entry `value`."""
    return lambda x, **how: constant(np.shape(x), value)


def counted(*ends: Any, **how: Any) -> np.ndarray:
    """arange."""
    start, end, step = (*(ends if len(ends) > 1 else (0, *ends)), 1)[:3]
    room(int((end - start) / step))
    return np.arange(start, end, step)


def dropout(x: Any, p: float, train: bool, *, rng: Any) -> tuple[Any, Any]:
    """(y, mask): each entry kept with probability 1 − p, and divided by it."""
    if not train or p == 0:
        return x, np.ones(np.shape(x), bool)
    mask = rng.random(np.shape(x)) >= p
    return x * mask / (1 - p) if p < 1 else x * 0.0, mask


def drawn(draw: str) -> Callable[..., Any]:
    """Random numbers of a shape, or of the shape of an array."""
    def op(x: Any, *, rng: Any, **how: Any) -> Any:
        shape = np.shape(x) if isinstance(x, (Node, np.ndarray)) else tuple(x)
        room(*shape)
        return getattr(rng, draw)(shape)
    return op
