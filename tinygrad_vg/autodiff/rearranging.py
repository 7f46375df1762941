"""How is an array turned, cut, padded, repeated, sorted, joined?  NumPy's other functions that only move entries, all by selecting.

What such a function does to the numbers 1, 2, 3 … of the entries says where every entry of its result comes from; 0 is filled.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from .core import Node, plain
from .protocols import NUMPY
from .structure import concatenate, getitem, reshape, transpose
from .table import where
from .tensor import Tensor


def numbered(x: Any, parts: list[Any]) -> Any:
    """x, an array or a list of arrays, with the numbers 1, 2, 3 … for its entries, counted through; the arrays are put into `parts`."""
    if isinstance(x, (list, tuple)):
        return [numbered(part, parts) for part in x]
    parts.append(x)
    return np.arange(1, np.size(x) + 1).reshape(np.shape(x)) + sum(map(np.size, parts[:-1]))


def chosen(x: Any, places: Any, fill: Any = 0.0) -> Any:
    """The entries of x with these numbers; where a place is 0, the number `fill`."""
    if np.all(places):
        return getitem(reshape(x, -1), places - 1)
    return getitem(concatenate([reshape(fill if isinstance(fill, Node) else np.asarray(fill, x.dtype), 1), reshape(x, -1)]), places)


def moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that moves the entries of an array, or of a list of them; between them it may put zeros only."""
    def op(*args: Any, **named: Any) -> Any:
        parts: list[Any] = []
        places = function(numbered(args[0] if args else named.pop(next(iter(named))), parts), *args[1:], **named)
        x = parts[0] if len(parts) == 1 else concatenate(parts, None)
        return type(places)([chosen(x, part) for part in places]) if isinstance(places, (list, tuple)) else chosen(x, places)
    return op


def turned(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that puts the axes into another order: axis k is known by its length, k + 1."""
    def op(x: Any, *args: Any, **named: Any) -> Any:
        result = function(np.broadcast_to(0, range(1, np.ndim(x) + 1)), *args, **named)
        return transpose(x, tuple(n - 1 for n in result.shape))
    return op


def each_moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same of several arrays, given one by one."""
    op = moved(lambda xs, **how: function(*xs, **how))
    return lambda *xs, **how: op(xs, **how)


def flip(x: Any, axis: Any = None) -> Any:
    """Back to front along `axis`, or along all."""
    axes = range(np.ndim(x)) if axis is None else normalize_axis_tuple(axis, np.ndim(x))
    return getitem(x, tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(np.ndim(x))))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0.0) -> Any:
    """More entries on every side: a number, also a node; or entries again (modes edge, reflect, symmetric, wrap)."""
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or np.size(constant_values) != 1:
        raise TypeError("np.pad on a Tensor: mode is constant, with one number, edge, reflect, symmetric or wrap; else concatenate()")
    return chosen(x, np.pad(numbered(x, []), pad_width, mode), constant_values)  # type: ignore[call-overload]


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """For every line along `axis` entries of its own, as argsort gives them."""
    return chosen(x, np.take_along_axis(numbered(x, []), indices, axis))


def sort(x: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Any:
    """In ascending order along `axis`; each entry keeps its gradient. Of entries that tie, the first stays first."""
    return take_along_axis(x, np.argsort(plain(x), axis=axis, kind="stable"), axis)


NUMPY |= {function: moved(function) for function in (
    np.rot90, np.roll, np.tile, np.repeat, np.resize, np.delete, np.diag, np.diagflat, np.array_split, np.hsplit, np.vsplit, np.dsplit,
    np.block, np.column_stack, np.dstack, sliding_window_view, getattr(np, "unstack", np.roll))}  # unstack: NumPy 2.1 and later
NUMPY |= {function: turned(function) for function in (np.moveaxis, np.rollaxis, np.matrix_transpose, np.linalg.matrix_transpose)}
NUMPY |= {function: each_moved(function) for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d, np.meshgrid)}
NUMPY |= {function: lambda x, *args, **named: x for function in (np.copy, np.real, np.conjugate, np.real_if_close)}
NUMPY |= {np.flip: flip, np.flipud: lambda m: flip(m, 0), np.fliplr: lambda m: flip(m, 1), np.pad: pad,
    np.take_along_axis: take_along_axis, np.sort: sort, np.select: lambda condlist, choicelist, default=0.0: reduce(
        lambda y, pair: where(plain(pair[0]), pair[1], y), [*zip(condlist, choicelist)][::-1], default),
    np.tril: lambda m, k=0: where(np.tril(np.ones(m.shape, bool), k), m, 0.0),
    np.triu: lambda m, k=0: where(np.triu(np.ones(m.shape, bool), k), m, 0.0),
    np.partition: lambda x, kth, axis=-1, kind="introselect": take_along_axis(x, np.argpartition(plain(x), kth, axis, kind), axis),
    np.append: lambda arr, values, axis=None: concatenate([arr, values], axis)}

Tensor.mT = property(NUMPY[np.matrix_transpose], doc="Every matrix of a batch transposed: the last two axes exchanged.")  # type: ignore[attr-defined]
