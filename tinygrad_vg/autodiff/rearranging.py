"""How is an array turned, cut, padded, repeated, sorted, joined?  NumPy's other functions that only move entries, all by selecting.

What such a function does to the numbers 1, 2, 3 … of the entries says where every entry of its result comes from; 0 is filled.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from .core import Node, plain
from .protocols import LOOK, NUMPY
from .structure import concatenate, getitem, reshape, transpose
from .table import where
from .tensor import Tensor


def numbered(x: Any) -> np.ndarray:
    """The numbers 1, 2, 3 … of the entries of x, in its shape."""
    return np.arange(1, np.size(x) + 1).reshape(np.shape(x))


def chosen(x: Any, places: Any, fill: Any = 0.0) -> Any:
    """The entries of x with these numbers; where a place is 0, the number `fill`."""
    if np.all(places):
        return getitem(reshape(x, -1), places - 1)
    fill = fill if isinstance(fill, Node) else np.asarray(fill, x.dtype)
    return getitem(concatenate([reshape(fill, 1), reshape(x, -1)]), places)


def moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that moves entries, for Tensors; of what it puts between them it may know zeros only."""
    def op(*args: Any, **named: Any) -> Any:
        x = args[0] if args else named.pop(next(iter(named)))
        places = function(numbered(x), *args[1:], **named)
        return type(places)([chosen(x, part) for part in places]) if isinstance(places, (list, tuple)) else chosen(x, places)

    return op


def turned(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy's that puts the axes into another order: axis k is known by its length, k + 1."""
    def op(x: Any, *args: Any, **named: Any) -> Any:
        result = function(np.broadcast_to(0, range(1, np.ndim(x) + 1)), *args, **named)
        return transpose(x, tuple(n - 1 for n in result.shape))

    return op


def each_moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same of several arrays, with a result for each."""
    def op(*xs: Any, **how: Any) -> Any:
        found = function(*map(numbered, xs), **how)
        return chosen(xs[0], found) if isinstance(found, np.ndarray) else tuple(map(chosen, xs, found))

    return op


def flip(x: Any, axis: Any = None) -> Any:
    """Back to front along `axis`, or along all."""
    axes = range(np.ndim(x)) if axis is None else normalize_axis_tuple(axis, np.ndim(x))
    return getitem(x, tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(np.ndim(x))))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0.0) -> Any:
    """More entries on every side: a number, also a node; or entries again (modes edge, reflect, symmetric, wrap)."""
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or np.size(constant_values) != 1:
        raise TypeError("np.pad on a Tensor: mode is constant, with one number, edge, reflect, symmetric or wrap; else concatenate()")
    return chosen(x, np.pad(numbered(x), pad_width, mode), constant_values)  # type: ignore[call-overload]


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """For every line along `axis` entries of its own, as argsort gives them."""
    return chosen(x, np.take_along_axis(numbered(x), indices, axis))


def sort(x: Any, axis: int | None = -1, kind: Any = None, stable: Any = None) -> Any:
    """In ascending order along `axis`; each entry keeps its gradient. Of entries that tie, the first stays first."""
    return take_along_axis(x, np.argsort(plain(x), axis=axis, kind="stable"), axis)


def block(arrays: Any) -> Any:
    """One array of a nested list of parts, their entries numbered through."""
    parts: list[Any] = []

    def numbers(tree: Any) -> Any:
        if isinstance(tree, list):
            return list(map(numbers, tree))
        parts.append(tree)
        return numbered(tree) + sum(map(np.size, parts[:-1]))

    places = np.block(numbers(arrays))
    return chosen(concatenate([reshape(x, -1) for x in parts]), places)


def select(condlist: Any, choicelist: Any, default: Any = 0.0) -> Any:
    """For every entry the choice whose condition comes first."""
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        default = where(plain(condition), choice, default)
    return default


NUMPY |= {function: moved(function) for function in (
    np.rot90, np.roll, np.tile, np.repeat, np.resize, np.delete, np.diag, np.diagflat, np.array_split, np.hsplit, np.vsplit, np.dsplit,
    sliding_window_view)}
NUMPY |= {function: turned(function) for function in (np.moveaxis, np.rollaxis, np.matrix_transpose, np.linalg.matrix_transpose)}
NUMPY |= {function: each_moved(function) for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d, np.meshgrid)}
NUMPY |= {function: lambda x, *args, **named: x for function in (np.copy, np.real, np.conjugate, np.real_if_close)}
NUMPY |= {
    np.flip: flip, np.flipud: lambda m: flip(m, 0), np.fliplr: lambda m: flip(m, 1), np.pad: pad,
    np.take_along_axis: take_along_axis, np.sort: sort, np.block: block, np.select: select,
    np.tril: lambda m, k=0: where(np.tril(np.ones(m.shape, bool), k), m, 0.0),
    np.triu: lambda m, k=0: where(np.triu(np.ones(m.shape, bool), k), m, 0.0),
    np.partition: lambda x, kth, axis=-1, kind="introselect": take_along_axis(x, np.argpartition(plain(x), kth, axis, kind), axis),
    np.append: lambda arr, values, axis=None: concatenate([arr, values], axis),
    np.column_stack: lambda tup: concatenate([reshape(x, (-1, 1)) if np.ndim(x) < 2 else x for x in tup], 1),
    np.dstack: lambda tup: concatenate([NUMPY[np.atleast_3d](x) for x in tup], 2)}
if hasattr(np, "unstack"):  # NumPy 2.1 and later
    NUMPY[np.unstack] = moved(np.unstack)

# there is no gradient to lose in what only says where entries are, or in which bin
LOOK |= {getattr(np, name) for name in """argwhere flatnonzero unique searchsorted digitize histogram bincount argpartition lexsort isin
    nanargmax nanargmin array_equiv isneginf isposinf isreal iscomplex imag logical_and logical_or logical_not save savetxt""".split()}

Tensor.mT = property(NUMPY[np.matrix_transpose], doc="Every matrix of a batch transposed: the last two axes exchanged.")  # type: ignore[attr-defined]
