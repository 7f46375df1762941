"""What is left of many numbers?  max, min, logsumexp; and var, prod and softmax, written out in the ops there are.

Each of the first three is a diagonal, then a sum: the value y moves by Σ w_i dx_i, x the input. Only the weights w differ.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .core import Node, plain
from .maps import Diagonal, LinearMap, Rule, apply
from .structure import Sum, along, concatenate, getitem, mean, reshape, sum
from .table import exp, log, square, where


class Weighted(Rule):
    """The rule of a reduction along axes whose derivative is a weight for each entry: ∂y/∂x_i = w_i."""

    text: str  # what the weights are
    weights: Any  # weights(x) = w
    selects = False  # where the weight is 0, an entry receives exactly 0

    def __init__(self, name: str, axis: Any, keepdims: bool):
        self.name, self.axis, self.keepdims = name, axis, bool(keepdims)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """Σ diag(w): a diagonal, then a sum."""
        return Sum(axis=self.axis, keepdims=self.keepdims).local(0, y, xs) @ Diagonal(self.weights(*xs), xs[0].shape, "w", self.selects)
    def formula(self, i: int, names: Any = (), y: str = "y") -> str: return f"Σ diag(w), w = {self.text}"


class Extreme(Weighted):
    """max or min. The weights are constants: the second derivative is zero."""

    text, selects = "1 at the entry that is chosen, 1/k where k tie", True

    def value(self, x: Any) -> Any:
        """max x or min x along the axis; of Scalars Σ w x."""
        if x.dtype != object:
            return getattr(np, self.name)(x, axis=self.axis, keepdims=self.keepdims)
        w = self.weights(numbers_of(x))
        return sum(where(w > 0, x, 0.0) * w, self.axis, self.keepdims)

    def weights(self, x: Any) -> Any:
        """1/k at each of the k entries that tie, else 0."""
        x = plain(x)
        chosen = (x == getattr(np, self.name)(x, axis=self.axis, keepdims=True)) | np.isnan(x)  # a nan, if there is one, is the extreme
        return chosen / np.sum(chosen, axis=self.axis, keepdims=True)


class LogSumExp(Weighted):
    """log Σ exp(x). The weights are softmax(x)."""

    text = "softmax(x)"

    def value(self, x: Any) -> Any:
        """ln Σ exp(x − m) + m, with m = max x."""
        top = largest(x, self.axis)
        y = log(sum(exp(x - top), self.axis, keepdims=True)) + top
        return y if self.keepdims else sum(y, self.axis)
    def weights(self, x: Any) -> Any: return softmax(x, self.axis)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest entry along `axis`; entries that tie share the gradient equally. ValueError on an empty axis."""
    return apply(Extreme("max", axis, keepdims), x)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest entry along `axis`; entries that tie share the gradient equally. ValueError on an empty axis."""
    return apply(Extreme("min", axis, keepdims), x)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log Σ exp(x) along `axis`, without overflow; its gradient is softmax(x). -inf on an empty axis."""
    return apply(LogSumExp("logsumexp", axis, keepdims), x)


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / Σ exp(x) along `axis`, without overflow: the largest entry, as a constant, is taken off first."""
    e = exp(x - largest(x, axis))
    return e / sum(e, axis, keepdims=True)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """x - logsumexp(x) along `axis`: the log of softmax, exact where softmax underflows."""
    return x - logsumexp(x, axis, keepdims=True)


def largest(x: Any, axis: Any) -> np.ndarray:
    """The largest value along `axis`, as plain numbers; 0 where it is not finite."""
    top = np.max(numbers_of(plain(x)).real, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, top.dtype.type(0))


def numbers_of(x: Any) -> np.ndarray:
    """The plain numbers of an array, also of one of Scalars."""
    x = np.asarray(x)
    return np.vectorize(plain, otypes=[float])(x) if x.dtype == object else x.astype(float) if x.dtype.kind in "biu" else x


def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance along `axis`: Σ (x - mean)² / (n - ddof). ValueError unless ddof is a whole number from 0 to n - 1."""
    centre = mean(x, axis, keepdims=True)
    count = math.prod(n for n, m in zip(np.shape(x), np.shape(centre)) if n != m)
    if not isinstance(ddof, (int, np.integer)) or ddof < 0 or ddof >= count and ddof:
        raise ValueError(f"var: ddof must be a whole number, at least 0 and below {count}, the count of entries; got {ddof!r}")
    return sum(square(x - centre), axis, keepdims) / (count - ddof)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product along `axis`, multiplied in pairs, then pairs of pairs: exact with zeros, in every order of derivative."""
    if not isinstance(x, Node):
        return np.prod(x, axis=axis, keepdims=keepdims)  # type: ignore[call-overload,unused-ignore]
    y, n_axes = x, len(x.shape)
    axes = set(range(n_axes) if axis is None else normalize_axis_tuple(axis, n_axes or 1)[:n_axes])
    for a in axes:
        while (n := y.shape[a]) > 1:
            first, second = (getitem(y, along(y, a, slice(k, k + n // 2))) for k in (0, n // 2))
            y = concatenate([first * second, getitem(y, along(y, a, slice(n - 1, n)))], a) if n % 2 else first * second
        y = y if n else sum(y, a, keepdims=True) + 1.0
    return reshape(y, y.shape) if keepdims else getitem(y, tuple(0 if a in axes else slice(None) for a in range(n_axes)))
