"""How does torch move numbers about?  Views, pieces, padding, assignments to a part, each as nodes of the engine's own ops."""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...autodiff.rearranging import take_along_axis
from ...autodiff.structure import along, broadcast_to, concatenate, expand_dims, getitem, reshape, stack
from .. import convolution

LARGEST = 1 << 26  # entries of what an op makes from sizes that a file names


def room(*sizes: int) -> None:
    """ValueError for an array that would be so large that only a damaged file can have asked for it."""
    if math.prod(sizes) > LARGEST:
        raise ValueError(f"an array of shape {sizes} has more than {LARGEST:,} entries")


def at(x: Any, axis: int, index: int) -> Any:
    """x[index] along an axis. Of what was stacked along it, the part itself: the last of the outputs is the last state."""
    parts = stacked(x, axis)
    return parts[index] if parts else getitem(x, along(x, axis, index))


def between(x: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """x[start:end:step] along an axis; x itself, if that is all of it."""
    parts, n = stacked(x, axis), np.shape(x)[axis]
    if (taken := range(n)[start:end:step]) == range(n):
        return x
    return stack(parts[start:end:step], axis) if parts and taken else getitem(x, along(x, axis, slice(start, end, step)))


def stacked(x: Any, axis: int) -> Any:
    """The parts that x was stacked from along this axis, or None."""
    rule, axis = getattr(x, "rule", None), normalize_axis_index(axis, np.ndim(x))
    return x.parents if rule is not None and rule.name == "stack" and rule.axis % np.ndim(x) == axis else None


def padded(x: Any, pad: Any, value: float | None = None, mode: str = "constant") -> Any:
    """x with so many of `value`, or 0, before and after each axis, the last axis first; negative: so many cut off."""
    if mode != "constant":
        raise NotImplementedError(f"padding in the mode {mode!r}")
    pairs = [*zip(pad[-2::-2], pad[::-2])]
    for axis, (before, after) in enumerate(pairs, -len(pairs)):
        x = between(x, axis, max(-before, 0), np.shape(x)[axis] - max(-after, 0))
    more, lead = [(max(before, 0), max(after, 0)) for before, after in pairs], np.ndim(x) - len(pairs)
    room(*np.shape(x)[:lead], *(n + sum(two) for n, two in zip(np.shape(x)[lead:], more)))
    return convolution.padded(x, more, value or 0.0)


def put_one(x: Any, part: Any, axis: int, index: int) -> Any:
    """x with x[index] along an axis replaced (select_scatter)."""
    k = index % np.shape(x)[axis]
    return put(x, expand_dims(part, axis), axis, k, k + 1)


def put(x: Any, part: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """x with x[start:end] along an axis replaced (slice_scatter)."""
    first, stop, _ = slice(start, end).indices(np.shape(x)[axis])
    if step != 1:
        raise NotImplementedError("an assignment to x[start:end:step] with a step")
    return concatenate([p for p in (between(x, axis, 0, first), part, between(x, axis, stop)) if np.shape(p)[axis]], axis)


def tiled(x: Any, repeats: Any) -> Any:
    """x, repeated so many times along each axis (torch's repeat)."""
    room(*repeats, *np.shape(x))
    return np.tile(x, repeats)


def gathered(x: Any, axis: int, index: Any, sparse_grad: bool = False) -> Any:
    """y[i, j] = x[i, index[i, j]], for the places that index has: gather."""
    for a, n in enumerate(index.shape):
        x = x if a == axis % np.ndim(x) else between(x, a, 0, n)
    return take_along_axis(x, index, axis)


def pieces(x: Any, size: Any, dim: int = 0) -> list[Any]:
    """x in pieces of one size, or of the given ones."""
    n = np.shape(x)[dim]
    ends = np.cumsum(size) if isinstance(size, list) else np.minimum(np.arange(size, n + size, size), n)
    return [between(x, dim, int(a), int(b)) for a, b in zip([0, *ends], ends)]


def squeezed(x: Any, dim: Any = None) -> Any:
    """x without its axes of size 1, or those of `dim` that are; another stays."""
    shape = np.shape(x)
    axes = range(len(shape)) if dim is None else normalize_axis_tuple(dim, len(shape)) if shape else ()
    return reshape(x, [n for a, n in enumerate(shape) if n != 1 or a not in axes])


def flattened(x: Any, start: int = 0, end: int = -1) -> Any:
    """x, the axes from start to end made one."""
    shape = np.shape(x) or (1,)
    start, end = (normalize_axis_index(axis, len(shape)) for axis in (start, end))
    return reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def expanded(x: Any, size: Any, implicit: bool = False) -> Any:
    """x repeated to a size, −1 for an axis that stays."""
    shape = (1,) * (len(size) - np.ndim(x)) + np.shape(x)
    return broadcast_to(x, tuple(n if m == -1 else m for m, n in zip(size, shape)))


def spread(xs: list[Any]) -> list[Any]:
    """Each repeated to the shape that they have together."""
    shape = np.broadcast_shapes(*map(np.shape, xs))
    return [x if np.shape(x) == shape else broadcast_to(x, shape) for x in xs]


def unflattened(x: Any, dim: int, sizes: Any) -> Any:
    """x, one axis made several."""
    shape, dim = np.shape(x), normalize_axis_index(dim, np.ndim(x))
    return reshape(x, (*shape[:dim], *sizes, *shape[dim + 1 :]))
