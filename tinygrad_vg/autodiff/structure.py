"""What moves numbers around without changing them?  Reshape, transpose, select, join, add up: the linear operations.

Each is its own local derivative, so a class says two things only: what it does, and what its transpose does.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .core import Node
from .maps import Broadcast, LinearMap, LinearOperation, Rule, apply
from .tensor import DeferredSum

BASIC = {int, slice, type(None), type(Ellipsis)}


class Reshape(LinearOperation):
    """The same numbers, in C order, in another shape."""

    name, shape = "reshape", ()
    def value(self, x: Any) -> Any:   return np.reshape(x, self.shape)
    def adjoint(self, g: Any) -> Any: return g.reshape(self.shape_in)


class Transpose(LinearOperation):
    """Axis k of the result is axis axes[k] of x. The way back sorts them again."""

    name, advice = "transpose", "; the matrices of a batch are transposed by swapaxes(x, -1, -2)"
    axes: tuple[int, ...]
    def value(self, x: Any) -> Any:   return np.transpose(x, self.axes)
    def adjoint(self, g: Any) -> Any: return np.transpose(g, np.argsort([axis % g.ndim for axis in self.axes]))


class Cast(LinearOperation):
    """Another dtype. The way back needs no cast: every gradient is stored in the dtype of its node."""

    name, dtype = "astype", np.float64
    def value(self, x: Any) -> Any:   return x.astype(self.dtype)
    def adjoint(self, g: Any) -> Any: return g


class Select(LinearOperation):
    """x[index]. Its transpose puts g back into zeros; an entry selected twice gets both."""

    name = "getitem"
    def __init__(self, index: tuple): self.index = index
    def value(self, x: Any) -> Any:   return x[self.index]
    def adjoint(self, g: Any) -> Any: return DeferredSelections([(self, g)]).total()

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """g where x was selected, 0 elsewhere; of arrays it waits for the other selections from x."""
        map = self.local(i, y, xs)
        return map._pull(g) if isinstance(g, Node) else DeferredSelections([(map, g)])

    def add(self, x: np.ndarray, g: Any) -> None:
        """Add g to the entries of x that are selected."""
        if not BASIC.issuperset(map(type, self.index)):  # an entry may be selected twice
            np.add.at(x, self.index, g)
        elif np.ndim(part := x[self.index]):
            part += g  # it is a view; x[index] += g would write the sum once more
        else:
            x[self.index] += g


class DeferredSelections(DeferredSum):
    """[(selection, g), …]: as many wait as make up the whole array, which is then made once for all of them."""

    def add_up(self) -> np.ndarray:
        """An array of the shape of x: each g added where it was selected."""
        whole = np.zeros(self[0][0].shape_in, self[0][1].dtype)
        for selection, g in self:
            selection.add(whole, g)
        return whole

    def most(self) -> int: return math.prod(self[-1][0].shape_in) // (self[-1][1].size or 1)


class Sum(LinearOperation):
    """Add up along axes; its transpose spreads g evenly. For the mean, both are divided by the number of entries."""

    name, axis, keepdims = "sum", None, False
    def value(self, x: Any) -> Any: return getattr(np, self.name)(x, axis=self.axis, keepdims=self.keepdims)

    def adjoint(self, g: Any) -> Any:
        """g for each entry that was summed, g / n in a mean of n."""
        x = np.empty(self.shape_in, g.dtype)
        part = g if self.name == "sum" else g / max(x.size // max(g.size, 1), 1)
        x[...] = part if self.keepdims or self.axis is None else np.expand_dims(part, self.axis)
        return x


class Join(Rule):
    """concatenate and stack: the parents' values side by side. The map from each parent is the transpose of a selection."""

    def __init__(self, name: str, axis: Any):
        if isinstance(axis, (Node, np.ndarray)):
            raise TypeError("arrays are joined as one list, stack([a, b]) or concatenate([a, b]); the second argument is the axis")
        self.name, self.axis = name, axis

    def value(self, *xs: Any) -> Any:
        """The arrays joined; .ends is where each of them ends."""
        y = getattr(np, self.name)(xs, axis=self.axis)
        self.ends = np.cumsum([0] + [1 if self.name == "stack" else x.shape[self.axis] for x in xs])
        return y

    def index(self, i: int, y: Any) -> tuple:
        """Where the value of parent i lies in y."""
        return along(y, self.axis, i if self.name == "stack" else slice(self.ends[i], self.ends[i + 1]))
    def local(self, i: int, y: Any, xs: Any) -> LinearMap: return Select(self.index(i, y)).local(0, xs[i], [y]).T
    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any: return g[self.index(i, y)]
    def formula(self, i: int, names: Any = (), y: str = "y") -> str: return f"part {i} of {self.name}"


def reshape(x: Any, *shape: Any) -> Any:
    """x in another shape of the same size, C order; one entry may be -1. reshape(x, (2, 3)) or x.reshape(2, 3)."""
    return apply(Reshape(shape=shape[0] if len(shape) == 1 else shape), x)


def transpose(x: Any, *axes: Any) -> Any:
    """The axes of x in another order; all reversed if none are given. transpose(x, (1, 0)) or x.transpose(1, 0)."""
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return apply(Transpose(axes=tuple(range(np.ndim(x))[::-1] if order is None or not len(order) else order)), x)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    i, j = (normalize_axis_index(axis, np.ndim(x)) for axis in (axis1, axis2))
    return transpose(x, tuple({i: j, j: i}.get(k, k) for k in range(np.ndim(x))))


def expand_dims(x: Any, axis: Any) -> Any:
    """x with axes of size 1 put in at `axis`."""
    return reshape(x, np.expand_dims(np.empty(np.shape(x), bool), axis).shape)


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without its axes of size 1 (those in `axis`, or all)."""
    return reshape(x, np.squeeze(np.empty(np.shape(x), bool), axis).shape)


def broadcast_to(x: Any, shape: Any) -> Any:
    """x repeated to `shape`, a tuple: new axes first, size 1 stretched, else ValueError. An entry's gradient is the sum over its copies."""
    return apply(Broadcast(shape=shape), x)


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum along `axis`, an int, a tuple of them, or None for all; keepdims: it stays, with size 1. ValueError if x has no such axis."""
    return apply(Sum(axis=axis, keepdims=keepdims), x)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean along `axis`, with the arguments and errors of sum(). Of n entries each gets 1/n of the gradient of their mean."""
    return apply(Sum(axis=axis, keepdims=keepdims, name="mean"), x)


def getitem(x: Any, index: Any) -> Any:
    """x[index], as NumPy has it. The gradient goes back to the entries chosen; an entry chosen twice gets both.

    index  a whole number, a slice, None, ..., an integer array, a mask; or a tuple of them, one for each axis
    IndexError for a place that is not there, TypeError for an index that is a node or no whole number.
    """
    index = index if isinstance(index, tuple) else (index,)
    return apply(Select(index if BASIC.issuperset(map(type, index)) else tuple(map(index_part, index))), x)


def index_part(part: Any) -> Any:
    """One part of an index, arrays copied; TypeError for a node, whose values are not whole numbers."""
    if isinstance(part, Node):
        raise TypeError("an index must be whole numbers, a mask or slices; a node is neither: use x[indices.data.astype(int)]")
    if isinstance(part, (np.ndarray, list)):
        return np.array(part, dtype=int if isinstance(part, list) and not np.size(part) else None)
    return int(part) if isinstance(part, np.integer) else part


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries of x at `indices` along `axis`; of the flattened x if axis is None."""
    return take(reshape(x, -1), indices, 0) if axis is None else getitem(x, along(x, axis, np.asarray(indices)))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal in the plane of two axes, as the last axis of the result."""
    return take(x, np.diagonal(np.arange(np.size(x)).reshape(np.shape(x)), offset, axis1, axis2))


def concatenate(xs: Any, axis: int | None = 0) -> Any:
    """The arrays (or Tensors) of the list `xs` joined along an axis they have: concatenate([a, b]) of (2, n) and (3, n) is (5, n).

    axis  which one; None: each is flattened first. ValueError if their shapes differ elsewhere, or if there are none.
    """
    return apply(Join("concatenate", axis), *xs) if axis is not None else concatenate([reshape(x, -1) for x in xs])


def stack(xs: Any, axis: int = 0) -> Any:
    """The arrays (or Tensors) of the list `xs` joined along a new axis: stack([a, b]) of two (n,) is (2, n).

    axis  where the new axis goes in the result. ValueError if they are not all of one shape, or if there are none.
    """
    return apply(Join("stack", axis), *xs)


def along(x: Any, axis: int, part: Any) -> tuple:
    """The index that takes `part` of one axis and all of those before it."""
    return (slice(None),) * normalize_axis_index(axis, np.ndim(x)) + (part,)


def split(x: Any, sections: Any, axis: int = 0) -> list:
    """x cut along `axis` into equal parts (a number) or at the given places (a list), as np.split does."""
    if isinstance(sections, Node) or isinstance(sections, int) and sections < 1:
        raise ValueError(f"split needs a number of equal parts, 1 or more, or a list of places; got {sections!r}")
    places = np.split(np.arange(np.shape(x)[normalize_axis_index(axis, np.ndim(x))]), sections)
    return [getitem(x, along(x, axis, slice(p[0], p[-1] + 1) if len(p) else slice(0, 0))) for p in places]


def astype(x: Any, dtype: Any) -> Any:
    """x in float32 or float64; TypeError for any other dtype of a Tensor."""
    dtype = np.dtype(dtype)
    if isinstance(x, Node) and dtype not in (np.float32, np.float64):
        raise TypeError(f"a Tensor is float32 or float64, not {dtype}; take plain values with .data.astype({dtype})")
    return apply(Cast(dtype=dtype), x)
