"""What is computed along an axis?  Running sums and products, differences, slopes and areas, means, quantiles; sums with a mask.

Written in the ops there are, so that every derivative follows; the running sum is a linear operation of its own.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .core import Node, plain
from .maps import OPS, LinearOperation, apply
from .products import matmul
from .protocols import NUMPY
from .rearranging import flip, pad, sort
from .reductions import max, min, var
from .structure import along, astype, broadcast_to, concatenate, expand_dims, getitem, mean, reshape, sum, swapaxes, take, transpose
from .table import maximum, minimum, sqrt, where
from .tensor import Tensor


class CumulativeSum(LinearOperation):
    """y_i = x_0 + … + x_i along an axis; backward each x_i receives g_i and all that come after."""

    name, axis = "cumsum", 0
    def value(self, x: Any) -> Any:   return np.cumsum(x, self.axis)
    def adjoint(self, g: Any) -> Any: return np.flip(np.cumsum(np.flip(g, self.axis), self.axis), self.axis)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """The running sum along `axis`; of the flattened x if it is None."""
    return cumsum(reshape(x, -1), 0) if axis is None else apply(CumulativeSum(axis=normalize_axis_index(axis, np.ndim(x))), x)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """The running product along `axis`: of pairs, then of pairs of pairs, without a division, so that zeros do no harm."""
    if axis is None:
        return cumprod(reshape(x, -1), 0)
    n, k = np.shape(x)[axis], 1
    while k < n:
        first, rest, before = (getitem(x, along(x, axis, part)) for part in (slice(k), slice(k, None), slice(n - k)))
        x, k = concatenate([first, before * rest], axis), 2 * k
    return x


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Each entry less the one before it, n times."""
    axis = normalize_axis_index(axis, np.ndim(x))
    one = (*np.shape(x)[:axis], 1, *np.shape(x)[axis + 1 :])
    if prepend is not None or append is not None:
        x = concatenate([part if np.ndim(part) else broadcast_to(part, one) for part in (prepend, x, append) if part is not None], axis)
    for _ in range(n):
        x = getitem(x, along(x, axis, slice(1, None))) - getitem(x, along(x, axis, slice(-1)))
    return x


def gradient(f: Any, *spacing: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """np.gradient: slopes by differences. Along each axis a matrix times f, that which NumPy makes of the unit vectors."""
    if any(isinstance(h, Node) for h in spacing):
        raise TypeError("np.gradient: the spacing is a constant; pass its .data")
    axes, found = normalize_axis_tuple(range(np.ndim(f)) if axis is None else axis, np.ndim(f)), []
    for k, h in zip(axes, spacing * len(axes) if len(spacing) == 1 else spacing or (1.0,) * len(axes), strict=True):
        D = np.gradient(np.eye(np.shape(f)[k], dtype=f.dtype), h, axis=0, edge_order=edge_order)  # type: ignore[call-overload]
        found.append(swapaxes(swapaxes(f, k, -1) @ D.T, k, -1) if np.ndim(f) > 1 else matmul(D, f))
    return found[0] if len(found) == 1 else tuple(found)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area under y over x: widths times the mean of neighbours."""
    right, left = (getitem(y, along(y, axis, part)) for part in (slice(1, None), slice(-1)))
    dx = dx if x is None else diff(x, axis=axis) if np.ndim(x) > 1 else lengthwise(diff(x), y, axis)
    return sum(dx * (left + right) / 2.0, axis)


def lengthwise(v: Any, x: Any, axis: int) -> Any:
    """A vector as it broadcasts with x, along one axis of it."""
    return reshape(v, (-1, *[1] * (np.ndim(x) - 1 - normalize_axis_index(axis, np.ndim(x)))))


def convolve(x: Any, v: Any, mode: str = "full") -> Any:
    """Σ_k x_(i-k) v_k of two vectors: every window of x times v turned round; modes full, same and valid."""
    x, v = (v, x) if np.size(v) > np.size(x) else (x, v)
    n, m = np.size(x), np.size(v)
    start, count = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[mode]
    windows = np.arange(start, start + count)[:, None] + np.arange(m)
    return matmul(getitem(pad(x, m - 1) if m > 1 else x, windows), flip(v))


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Through the points (xp, fp), xp ascending, on straight lines; before and behind all of them as at the ends."""
    xp, fp = (z if isinstance(z, Node) else np.asarray(z, float) for z in (xp, fp))
    at, knots = np.asarray(plain(x)), np.asarray(plain(xp))
    i = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    x0, x1, y0, y1 = (getitem(z, k) for z in (xp, fp) for k in (i, i + 1))
    y = where(at == knots[-1], fp[-1], y0 + (x - x0) * ((y1 - y0) / (x1 - x0)))
    return where(at < knots[0], fp[0] if left is None else left, where(at > knots[-1], fp[-1] if right is None else right, y))


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, axis: int = 0) -> Any:
    """num numbers from start to stop, in even steps, along a new axis."""
    kind, ndim = np.result_type(plain(start), plain(stop), 1.0), np.maximum(np.ndim(start), np.ndim(stop))
    s = np.linspace(0.0, 1.0, num, endpoint, dtype=kind).reshape(-1, *[1] * ndim)
    return NUMPY[np.moveaxis](start * (1.0 - s) + stop * s, 0, axis)


def root(x: Any, p: Any = 2) -> Any:
    """x^(1/p); but at x = 0, where it is vertical, the derivative is 0, as that of a norm."""
    zero = plain(x) == 0
    x = where(zero, 1.0, x) if (any_zero := np.any(zero)) else x
    y = sqrt(x) if p == 2 else x ** (1.0 / p)
    return where(zero, 0.0, y) if any_zero else y


def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    """The mean, each entry with its weight: Σ w x / Σ w."""
    if weights is None:
        return mean(x, axis, keepdims)
    w = weights if np.shape(weights) == np.shape(x) else broadcast_to(lengthwise(weights, x, axis), np.shape(x))
    return sum(x * w, axis, keepdims) / sum(w, axis, keepdims)


def quantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """The q-quantile along `axis`: between those two of the sorted entries where NumPy's is among 0, 1, 2 …; nan if one is nan."""
    axes = tuple(range(np.ndim(x))) if axis is None else normalize_axis_tuple(axis, np.ndim(x))
    kept = [k for k in range(np.ndim(x)) if k not in axes]
    ordered = sort(reshape(transpose(x, (*kept, *axes)), (*(np.shape(x)[k] for k in kept), -1)))
    place = np.quantile(np.arange(np.shape(ordered)[-1], dtype=float), q, method=method)  # type: ignore[call-overload]
    low, high = (take(ordered, ends.astype(int), -1) for ends in (np.floor(place), np.ceil(place)))
    y = low + (high - low) * np.asarray(place - np.floor(place), x.dtype)
    if np.any(lost := np.isnan(plain(getitem(ordered, (..., -1))))):
        y = where(lost[(...,) + (None,) * np.ndim(q)], np.nan, y)
    y = NUMPY[np.moveaxis](y, range(-np.ndim(q), 0), range(np.ndim(q))) if np.ndim(q) else y
    return expand_dims(y, tuple(k + np.ndim(q) for k in axes)) if keepdims else y


def reduction(name: str, neutral: float, joined: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """sum, mean, prod, max or min with NumPy's keywords: initial, one more number, and where, a mask of the entries that count."""
    def op(x: Any, axis: Any = None, *none: Any, keepdims: bool = False, dtype: Any = None, initial: Any = None, where: Any = True) -> Any:
        if any(further is not None for further in none) or initial is not None and not joined:
            raise TypeError(f"np.{name} on a Tensor: an argument too many; after axis, they are given by name")
        x = x if dtype is None else astype(x, dtype)
        if where is True:
            y = OPS[name](x, axis, keepdims=keepdims)
        else:
            y = OPS["sum" if name == "mean" else name](OPS["where"](where, x, neutral), axis, keepdims=keepdims)
            y = y / np.sum(np.broadcast_to(where, np.shape(x)), axis, dtype=x.dtype, keepdims=keepdims) if name == "mean" else y
        return y if initial is None else joined(y, initial)  # type: ignore[misc]
    return op


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """The covariances of the rows of m (or of its columns, if rowvar is False), one row for each variable."""
    X = concatenate([reshape(x, (1, -1)) if np.ndim(x) < 2 else x if rowvar else transpose(x) for x in (m, y) if x is not None], 0)
    X = X - mean(X, 1, keepdims=True)
    return (X @ transpose(X) / (np.shape(X)[1] - (1 - bias if ddof is None else ddof))).squeeze()


NUMPY |= {getattr(np, name): function for names, function in {
    "sum": reduction("sum", 0.0, OPS["add"]), "prod": reduction("prod", 1.0, OPS["multiply"]), "mean": reduction("mean", 0.0),
    "max amax": reduction("max", -math.inf, maximum), "min amin": reduction("min", math.inf, minimum), "cumsum": cumsum, "cumprod": cumprod,
    "diff": diff, "gradient": gradient, "trapezoid": trapezoid, "convolve": convolve, "interp": interp, "linspace": linspace,
    "average": average, "quantile": quantile, "cov": cov, "std": lambda x, axis=None, **how: root(NUMPY[np.var](x, axis, **how)),
    "var": lambda x, axis=None, *, ddof=0, correction=None, keepdims=False: var(x, axis, correction or ddof, keepdims),
    "percentile": lambda x, q, axis=None, **how: quantile(x, np.asarray(q) / 100, axis, **how),
    "median": lambda x, axis=None, *, keepdims=False: quantile(x, 0.5, axis, keepdims=keepdims),
    "ptp": lambda x, axis=None, *, keepdims=False: max(x, axis, keepdims) - min(x, axis, keepdims),
    "nansum": lambda x, axis=None, **how: NUMPY[np.sum](x, axis, where=~np.isnan(plain(x)), **how),
    "nanmean": lambda x, axis=None, **how: NUMPY[np.mean](x, axis, where=~np.isnan(plain(x)), **how),
    "polyval": lambda p, x: functools.reduce(lambda y, k: y * x + p[k], range(len(p)), 0.0)}.items() for name in names.split()}

for _name in "std cumsum cumprod trace ravel repeat".split():  # the methods that NumPy's arrays have
    setattr(Tensor, _name, NUMPY[getattr(np, _name)])
    getattr(Tensor, _name).__name__ = _name
