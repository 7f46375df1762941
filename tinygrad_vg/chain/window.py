"""Which part of each array does one loss read?  A graph of these parts alone, so that walking back costs no more than was read.

    Y = A B       rows 3 to 5 of Y need rows 3 to 5 of A and all of B

A window is a slice for each axis of an array. The table NEEDS says which windows of its operands a rule needs for a window of its
value; a rule that is not there needs all of them. The new nodes have the rules of the old and views of their values.

    x  operand      y  value      w  window of y; None: all of it
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..autodiff.core import Node, new_node, plain
from ..autodiff.maps import Broadcast
from ..autodiff.products import Einsum, Linear, Matmul
from ..autodiff.reductions import Extreme, LogSumExp
from ..autodiff.rows import Elementwise
from ..autodiff.structure import BASIC, Cast, Join, Reshape, Select, Sum, Transpose
from ..autodiff.tensor import Tensor


def whole(x: Any) -> Any:
    """The window that holds all of x: one slice for each axis."""
    return tuple([slice(0, n) for n in np.shape(x)])


def fitted(w: Any, x: Any) -> Any:
    """The window of an operand that is broadcast to y: axes match from the last, and one of size 1 stays."""
    shape = np.shape(x)
    return tuple([slice(0, 1) if n == 1 else s for n, s in zip(shape, w[len(w) - len(shape) :])])


def of_matmul(rule: Any, w: Any, y: Any, A: Any, B: Any) -> Any:
    """Of y = A B: the rows of A and the columns of B in the window, each over all k; None if one is a vector."""
    k = slice(0, A.shape[-1])
    return None if A.ndim < 2 or B.ndim < 2 else [fitted((*w[:-1], k), A), fitted((*w[:-2], k, w[-1]), B)]


def of_linear(rule: Any, w: Any, y: Any, x: Any, W: Any, *b: Any) -> Any:
    """Of y = x Wᵀ + b: rows of x, rows of W, entries of b; None if each sequence has a W of its own."""
    k = slice(0, W.shape[-1])
    return None if W.ndim != 2 else [(*w[:-1], k), (w[-1], k), *(fitted(w, z) for z in b)]


def of_einsum(rule: Any, w: Any, y: Any, *xs: Any) -> Any:
    """Of an einsum: the window of each operand, label by label, whole where a label is summed; None if a label repeats."""
    at = dict(zip(rule.out, w))
    found = [fitted([at.get(label, slice(0, n)) for label, n in zip(labels, x.shape)], x) for labels, x in zip(rule.labels, xs)]
    return None if rule.deltas else found


def of_reduction(rule: Any, w: Any, y: Any, x: Any) -> Any:
    """All along the axes that are reduced."""
    axes = sorted(normalize_axis_tuple(range(x.ndim) if rule.axis is None else rule.axis, x.ndim))
    kept = list(w)
    for a in () if rule.keepdims else axes:
        kept.insert(a, None)
    return [tuple([slice(0, n) if a in axes else kept[a] for a, n in enumerate(x.shape)])]


def of_reshape(rule: Any, w: Any, y: Any, x: Any) -> Any:
    """The leading axes that x and y share, if the window is all of the others."""
    k = next((a for a, (n, m) in enumerate(zip(x.shape, y.shape)) if n != m), min(x.ndim, y.ndim))
    return [w[:k] + whole(x)[k:]] if w[k:] == whole(y)[k:] else None


def of_join(rule: Any, w: Any, y: Any, *xs: Any) -> Any:
    """The same of each part, if the window is all along the axis on which they were joined."""
    a = rule.axis % y.ndim
    return [w[:a] + whole(x)[a : x.ndim - y.ndim + a + 1] + w[a + 1 :] for x in xs] if w[a] == whole(y)[a] else None


def of_selection(rule: Any, w: Any, y: Any, x: Any) -> Any:
    """What is selected, if that is a window: then x[index] is a reshape of it."""
    if not (BASIC.issuperset(map(type, rule.index)) and y[w].size):
        return None
    places = [np.broadcast_to(place, x.shape)[rule.index][w].flat for place in np.indices(x.shape, sparse=True)]
    found = [slice(int(place[0]), int(place[-1]) + 1) for place in places]
    lengths = [s.stop - s.start for s in found]
    return [tuple(found)] if min(lengths, default=1) > 0 and math.prod(lengths) == y[w].size else None


NEEDS: dict[type, Any] = {
    Elementwise: lambda rule, w, y, *xs: [fitted(w, x) for x in xs],
    Broadcast:   lambda rule, w, y, x: [fitted(w, x)],
    Cast:        lambda rule, w, y, x: [w],
    Transpose:   lambda rule, w, y, x: [tuple([w[k] for k in np.argsort([a % x.ndim for a in rule.axes])])],
    Sum: of_reduction, Extreme: of_reduction, LogSumExp: of_reduction, Reshape: of_reshape, Join: of_join, Select: of_selection,
    Matmul: of_matmul, Linear: of_linear, Einsum: of_einsum}


def needs(child: Any, w: Any) -> Any:
    """The windows of its operands that the window w of a node needs, each None if it is all; None: all of all of them."""
    row = NEEDS.get(type(child.rule))
    if row is None or w is None and row is not of_selection:  # of a whole only a selection needs less
        return None
    xs = [plain(x) for x in child._parents]
    found = row(child.rule, w or whole(child._value), child._value, *xs)
    return found and [None if v == whole(x) else v for v, x in zip(found, xs)]


def hull(v: Any, w: Any) -> Any:
    """The smallest window that holds two."""
    return v and w and tuple([slice(min(s.start, r.start), max(s.stop, r.stop)) for s, r in zip(v, w)])


def windows_of(ops: list[Any]) -> tuple[dict, dict]:
    """For each node the smallest window that holds all that is needed of it; and what it needs of its operands itself."""
    windows, needed, inside = {ops[-1]: None}, {}, set(ops)  # type: dict[Any, Any], dict[Any, Any], set[Any]
    for child in reversed(ops):
        needed[child] = found = needs(child, windows[child])
        if found is None:
            windows[child] = None
        for x, need in zip(child._parents, found or [None] * len(child._parents)):
            if isinstance(x, Node) and x in inside:
                windows[x] = hull(windows.get(x, need), need)
    return windows, needed


def narrowed(ops: list[Any], ends: set) -> list[Any]:
    """The graph `ops`, oldest first, cut to what its last node needs, all of which is kept. Paths end at the nodes `ends`."""
    windows, needed = windows_of(ops)
    made, found = dict[Any, Any](), list[Any]()

    def operand(x: Any, need: Any) -> Any:
        """This window of x: of a constant, of the node itself, or of what was made in its place."""
        if not isinstance(x, Node) or x not in windows and x not in ends:
            return x if need is None else plain(x)[need]
        there, w = made.get(x, x), windows.get(x)
        if need == w:
            return there
        part = tuple([slice(s.start - r.start, s.stop - r.start) for s, r in zip(need, w or whole(x._value))])
        found.append(new_node(Tensor, x._value[need], Select(part), (there,)))
        return found[-1]

    for child in ops:
        parents, w, wanted = child._parents, windows[child], needed[child]
        if w is None and not any(map(windows.get, child.variables if wanted else ())):
            wanted = None  # a selection from what is there whole stays as it is
        if made or wanted:
            parents = tuple(map(operand, parents, wanted or [None] * len(parents)))
        if wanted or any(a is not b for a, b in zip(parents, child._parents)):
            rule = Reshape() if wanted and type(child.rule) is Select else child.rule  # of_selection
            made[child] = new_node(Tensor, child._value[w] if w else child._value, rule, parents)
        found.append(made.get(child, child))
    return found
