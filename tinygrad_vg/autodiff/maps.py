"""What does an edge carry?  The local derivative: a linear map, applied without being written out; and the rule that gives it.

A linear map J takes a small change t of its input to the change of its output (push, J t: forward mode), and a
gradient g with respect to its output to the gradient with respect to its input (pull, Jᵀ g: reverse mode).
Forward mode pushes these maps, the chain multiplies them, the drawing prints them. The sweep multiplies by the same rows
without building a map for each edge; that it gives edge.local.pull(g), to rounding, is a law (tests/autodiff/test_laws.py).
"""

import math
from copy import copy
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .core import Node, describe, plain

DENSE_LIMIT = 2_000
BOOL = np.dtype(bool)
OPS: dict[str, Any] = {}  # every op by name: the registry


class LinearMap:
    """J : arrays of shape_in → arrays of shape_out. Subclasses give the shapes, `_push`, `_pull` and `text`.

    push(t) = J t      pull(g) = Jᵀ g      .T      J @ K      .dense()      .singular_values()      float(J) if 1×1
    """

    __array_ufunc__ = None  # array @ J is an error of Python's, not NumPy's
    text = "J"
    shape_in: tuple[int, ...] = ()
    shape_out: tuple[int, ...] = ()
    def _push(self, t: Any) -> Any: raise TypeError(f"{type(self).__name__} has no push; give it a method _push(t) that returns J t")
    def _pull(self, g: Any) -> Any: raise TypeError(f"{type(self).__name__} has no pull; give it a method _pull(g) that returns Jᵀ g")

    def push(self, t: Any) -> Any:
        """J t: t of shape_in gives an array of shape_out (Jacobian–vector product, forward mode). ValueError for another shape."""
        return self._push(shaped(t, self.shape_in, "push"))

    def pull(self, g: Any) -> Any:
        """Jᵀ g: g of shape_out gives an array of shape_in (vector–Jacobian product, reverse mode). ValueError for another shape."""
        part = self._pull(shaped(g, self.shape_out, "pull"))
        if (given := getattr(part, "shape", type(part).__name__)) != self.shape_in:
            raise ValueError(f"the pull of {self.text} must give an array of shape {self.shape_in}, got {given}")
        return part

    T = property(lambda self: Transposed(self), doc="Jᵀ: push and pull change places.")

    def __matmul__(self, other: Any) -> Any:
        """J @ K: first K, then J."""
        if not isinstance(other, LinearMap):
            return NotImplemented
        if self.shape_in != other.shape_out:
            raise ValueError(f"J @ K: J takes shape {self.shape_in}, but K gives shape {other.shape_out}")
        return Composed(self, other)

    def dense(self) -> np.ndarray:
        """The matrix of the map, a row per output entry and a column per input entry, in C order. ValueError above 2,000 of either."""
        rows, columns = math.prod(self.shape_out), math.prod(self.shape_in)
        if rows > DENSE_LIMIT or columns > DENSE_LIMIT:
            raise ValueError(f"a dense map of {rows} × {columns} is above the limit of {DENSE_LIMIT}; use push and pull")
        if rows > columns:  # fewer pushes than pulls
            return self.T.dense().T
        return np.array([self.pull(e).ravel() for e in unit_arrays(self.shape_out)]).reshape(rows, columns)

    def singular_values(self) -> np.ndarray:
        """Of the dense matrix, largest first: by what factors the map stretches. ValueError if it holds a nan or inf."""
        if not np.all(np.isfinite(matrix := self.dense())):
            raise ValueError(f"{self} holds nan or inf, so it has no singular values")
        return np.linalg.svd(matrix, compute_uv=False)

    def __float__(self) -> float:
        if math.prod(self.shape_in) != 1 or math.prod(self.shape_out) != 1:
            raise TypeError(f"only a 1×1 map is one number; this one takes {self.shape_in} to {self.shape_out}; use .dense()")
        return float(self.pull(np.ones(self.shape_out)).item())
    def __str__(self) -> str: return self.text
    def __repr__(self) -> str: return f"{type(self).__name__}({self.text}: {self.shape_in} -> {self.shape_out})"


class Rule:
    """How a node is made from its parents, and the local derivative on each of its edges: what an op is to the engine.

    An op of your own is a subclass with a name, value(*xs) and local(i, y, xs), applied with apply(rule, *operands).
    In y (the value) and xs (the operands) it is given arrays, or, when the derivative is itself recorded, Tensors.
    """

    name = "op"
    takes_constants = False  # whether some operands may not be nodes
    forth: Any = None  # forth(i, t, y, xs), what t in place of x_i pushes: with back, it may stand in place of local
    def value(self, *xs: Any) -> Any: raise TypeError(f"{type(self).__name__} needs a method value(*xs) that returns an array")

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: the map that pushes with forth and pulls with back."""
        if not self.forth or type(self).back is Rule.back:
            raise TypeError(f"{type(self).__name__} needs a method local(i, y, xs) that returns the linear map ∂y/∂x_i")
        push, pull = (lambda t: self.forth(i, t, y, xs)), (lambda g: self.back(i, g, y, xs))
        return FunctionMap(push, pull, np.shape(xs[i]), np.shape(y), self.formula(i))

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """What x_i receives of g. Rules of the engine may write it out, for speed."""
        return self.local(i, y, xs).pull(g)

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives of g; None for a constant, and for a node outside."""
        return self.parts_from(node, g, inside, node._value, [x._value if isinstance(x, Node) else x for x in node._parents])

    def parts_of_nodes(self, node: Any, g: Any, inside: Any = None) -> Any:
        """The same made of nodes: a graph of the derivative."""
        return [part.total() if hasattr(part, "total") else part for part in self.parts_from(node, g, inside, node, node._parents)]

    def parts_from(self, node: Any, g: Any, inside: Any, y: Any, xs: Any) -> list:
        """What each parent receives of g, from y and xs: arrays or nodes. ValueError for a part of another shape than its parent's."""
        wanted = [isinstance(x, Node) and (inside is None or x in inside) for x in node._parents]
        try:
            parts = [self.back(i, g, y, xs) if asked else None for i, asked in enumerate(wanted)]
        except Exception as error:
            error.add_note(f"while differentiating {self.name} of {', '.join(map(describe, node.variables))}")
            raise
        for part, x in zip(parts, node._parents):
            shape = getattr(part, "shape", () if type(part) is float else type(part).__name__)
            if part is not None and shape != x.shape and not isinstance(part, list):  # a list waits to be added up
                raise ValueError(f"the derivative of {self.name} gave {shape} for a parent of shape {x.shape}")
        return parts

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        """∂y/∂x_i as text, in the letters of the rule or, where they are given, in the names of the operands and of y."""
        return self.name

    def of_constants(self, *xs: Any) -> Any:
        """The value of plain operands; a list of Tensors becomes one Tensor first, so that it is recorded."""
        if any(map(holds_tensors, xs)):
            return apply(self, *[OPS["stack"](x) if holds_tensors(x) else x for x in xs])
        return self.value(*[numbers_or_scalars(x, self.name) for x in xs])
    def __repr__(self) -> str: return f"{type(self).__name__}({self.name!r})"


def holds_tensors(x: Any) -> bool:
    """Whether x is a list of Tensors and numbers, or of such lists."""
    return isinstance(x, (list, tuple)) and any(isinstance(part, Node) and hasattr(part, "dtype") or holds_tensors(part) for part in x)


def apply(rule: Any, *operands: Any) -> Any:
    """A rule on its operands: recorded as a node if any of them is a node, else just computed on arrays.

    rule      a Rule: an object with name, value(*xs) and local(i, y, xs), as in docs/your_own_op.md
    operands  Tensors or Scalars, lists of them, constants. TypeError for others; ValueError or IndexError, with shapes, if they do not fit
    """
    for x in operands:
        if isinstance(x, Node):
            return x.record(rule, operands)
    return rule.of_constants(*operands)


class Transposed(LinearMap, Rule):
    """Jᵀ: push and pull change places. Of a linear operation it is an operation again, the rule of the nodes it makes."""

    def __init__(self, map: LinearMap):
        self.map, self.shape_in, self.shape_out = map, map.shape_out, map.shape_in
        self.name = self.text = f"{map.text}ᵀ" if map.text.isidentifier() else f"({map.text})ᵀ"

    T = property(lambda self: self.map)
    def _push(self, t: Any) -> Any: return self.map._pull(t)
    def _pull(self, g: Any) -> Any: return self.map._push(g)
    value = _push
    def local(self, i: int, y: Any, xs: Any) -> LinearMap: return self


class Composed(LinearMap):
    """J @ K, the chain rule for two links: push through K then J, pull through Jᵀ then Kᵀ."""

    def __init__(self, outer: LinearMap, inner: LinearMap):
        self.outer, self.inner, self.text = outer, inner, f"{outer.text} · {inner.text}"
        self.shape_in, self.shape_out = inner.shape_in, outer.shape_out
    def _push(self, t: Any) -> Any: return self.outer._push(self.inner._push(t))
    def _pull(self, g: Any) -> Any: return self.inner._pull(self.outer._pull(g))


class Diagonal(LinearMap):
    """Each entry by its own factor: ∂y_i/∂x_j = d_i δ_ij. selects: where d is 0 the entry is cut off, 0 even of an infinite g."""

    def __init__(self, d: Any, shape: tuple[int, ...], text: str = "d", selects: bool = False):
        self.d, self.text, self.selects = d, f"diag({text})" if shape else text, selects
        self.shape_in = self.shape_out = shape
    def _push(self, t: Any) -> Any: return selected(t, self.d) if self.selects else t * self.d
    _pull = _push  # type: ignore[assignment]  # a diagonal is its own transpose

    @np.errstate(invalid="ignore")
    def dense(self) -> np.ndarray:
        """d_i δ_ij, with 0 off the diagonal also where an entry is inf."""
        return np.diag(super().dense().diagonal())


def selected(g: Any, slope: Any) -> Any:
    """g * slope, but exactly 0 where the slope is 0: what was cut off receives nothing, not even of an infinite g."""
    if getattr(slope, "dtype", None) is BOOL:
        return np.where(slope, g, 0.0)
    cut: Any = plain(slope) == 0
    if isinstance(slope, Node):  # a slope of 0 may depend on something: only what would spoil the product is taken out
        cut = cut & ~np.isfinite(plain(g))
    part: Any = np.where(cut, 0.0, g) * slope if np.any(cut) else g * slope
    cut_back = isinstance(part, Node) and np.any(cut)  # on the way back through the derivative, too
    return np.where(cut, 0.0, part) if cut_back else part


class FunctionMap(LinearMap):
    """A map given as two functions."""

    def __init__(self, push: Any, pull: Any, shape_in: tuple[int, ...], shape_out: tuple[int, ...], text: str):
        self._push, self._pull = push, pull  # type: ignore[method-assign]
        self.shape_in, self.shape_out, self.text = shape_in, shape_out, text


class LinearOperation(LinearMap, Rule):
    """An operation that is linear (reshape, sum, selection …) is its own local map, and the rule of its node.

    Subclasses say what it does to an array (`value`) and what its transpose does (`adjoint`, where self.shape_in is the shape of the
    operand). Of a node either one makes a node, whose rule is again such a map. Parameters have names: Reshape(shape=(2, 3)).
    """

    ready = False  # whether the shapes are known
    text = property(lambda self: self.name)
    def __init__(self, **parameters: Any): vars(self).update(parameters)
    def _push(self, t: Any) -> Any:        return t.record(self, (t,)) if isinstance(t, Node) else self.value(t)
    def _pull(self, g: Any) -> Any:        return g.record(self.T, (g,)) if isinstance(g, Node) else self.adjoint(g)
    def adjoint(self, g: Any) -> Any: raise TypeError(f"{type(self).__name__} needs a method adjoint(g) that returns its transpose times g")

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """The operation itself, now that the shapes are known; a copy if it serves a node of other shapes."""
        shapes = xs[0].shape, y.shape
        map = copy(self) if self.ready and shapes != (self.shape_in, self.shape_out) else self  # one rule may serve several nodes
        (map.shape_in, map.shape_out), map.ready = shapes, True
        return map


class Broadcast(LinearOperation):
    """Repeat along new and stretched axes, as broadcasting does; the transpose adds up what was repeated."""

    name, shape = "broadcast_to", ()
    def value(self, x: Any) -> Any: return np.broadcast_to(x, self.shape)
    def adjoint(self, g: Any) -> Any: return unbroadcast(g, self.shape_in)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g (an array or a Tensor) over the axes that broadcasting added to `shape` or stretched."""
    if g.shape == shape:
        return g
    if g.size != math.prod(shape):
        single = (1,) * (g.ndim - len(shape)) + shape
        g = g.sum(axis=tuple([i for i, n in enumerate(g.shape) if n != single[i]]), keepdims=True)
    return g.reshape(shape)


def unit_arrays(shape: tuple[int, ...]) -> Any:
    """The unit arrays of a shape, one after the other."""
    n = math.prod(shape)
    return (np.eye(1, n, i).reshape(shape) for i in range(n))


def shaped(x: Any, shape: tuple[int, ...], verb: str) -> Any:
    """x as a node or a read-only array, if it has the shape; else ValueError."""
    if not isinstance(x, Node):
        x = np.asarray(x).view()
        x.setflags(False)  # not to be written into: others hold the same gradient
    if x.shape != shape:
        raise ValueError(f"{verb} needs shape {shape}, got {x.shape}")
    return x
