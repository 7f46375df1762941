"""What is left of many numbers?  max, min, logsumexp; and var, prod and softmax, written out in the ops there are.

max and logsumexp are a diagonal, then a sum: y moves by Σ w_i dx_i. For max the weights pick the largest entry (entries
that tie share equally), for logsumexp they are softmax(x).

    x  input      y  value      g  gradient      w  weights
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .core import Node, plain
from .maps import Diagonal, LinearMap, Rule, apply, selected
from .structure import Sum, concatenate, getitem, mean, reshape, sum, transpose
from .table import exp, log, square, where


class Weighted(Rule):
    """The rule of a reduction along axes whose derivative is a weight for each entry: ∂y/∂x_i = w_i."""

    text: str
    selects = False  # where the weight is 0, an entry receives exactly 0
    weights: Any  # weights(y, x) = w

    def __init__(self, name: str, axis: Any, keepdims: bool):
        self.name, self.axis, self.keepdims = name, axis, bool(keepdims)

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        (x,) = xs
        g, w = self.spread(g, x), self.weights(self.spread(y, x), x)
        return selected(g, w) if self.selects else g * w

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        (x,) = xs
        w = self.weights(self.spread(y, x), x)
        return Sum(axis=self.axis, keepdims=self.keepdims).local(0, y, xs) @ Diagonal(w, x.shape, "w", self.selects)

    def spread(self, g: Any, x: Any) -> Any:
        """g, or y, with its reduced axes back as axes of size 1."""
        return reshape(g, np.empty(x.shape, bool).any(axis=self.axis, keepdims=True).shape)

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        return f"Σ diag(w), w = {self.text}"


class Extreme(Weighted):
    """max or min. The weights are constants: the second derivative is zero."""

    text = "1 at the entry that is chosen, 1/k where k tie"
    selects = True

    def value(self, x: Any) -> Any:
        if x.dtype != object:
            return getattr(np, self.name)(x, axis=self.axis, keepdims=self.keepdims)
        numbers = numbers_of(x)
        w = self.weights(getattr(np, self.name)(numbers, axis=self.axis, keepdims=True), numbers)
        return sum(where(w > 0, x, 0.0) * w, self.axis, self.keepdims)

    def weights(self, y: Any, x: Any) -> Any:
        chosen = (plain(x) == plain(y)) | np.isnan(plain(x))  # a nan, if there is one, is the extreme
        return chosen / np.sum(chosen, axis=self.axis, keepdims=True)


class LogSumExp(Weighted):
    text = "softmax(x)"

    def value(self, x: Any) -> Any:
        top = largest(x, self.axis)
        y = log(sum(exp(x - top), self.axis, keepdims=True)) + top
        return y if self.keepdims else sum(y, self.axis)

    def weights(self, y: Any, x: Any) -> Any:
        return softmax(x, self.axis)


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
    values = numbers_of(plain(x))
    top = np.max(values.real, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, top.dtype.type(0))


def numbers_of(x: Any) -> np.ndarray:
    """The plain numbers of an array, also of one of Scalars."""
    x = np.asarray(x)
    x = np.array([plain(v) for v in x.flat], dtype=float).reshape(x.shape) if x.dtype == object else x
    return x.astype(float) if x.dtype.kind in "biu" else x


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
    shape, axes = x.shape, tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim or 1)
    if not axes or not x.ndim:
        return reshape(x, shape)
    rest = [a for a in range(x.ndim) if a not in set(axes)]
    y = transpose(x, (*rest, *axes))
    y = reshape(y, (*y.shape[: len(rest)], math.prod(y.shape[len(rest) :])))
    while (n := y.shape[-1]) > 1:
        pairs = y[..., : n // 2] * y[..., n // 2 : n // 2 * 2]
        y = concatenate([pairs, y[..., -1:]], axis=-1) if n % 2 else pairs
    y = getitem(y, (..., 0)) if n else sum(y, -1) + 1.0
    return reshape(y, np.empty(shape, bool).any(axis=axis, keepdims=True).shape) if keepdims else y
