"""How does one number carry its derivative?  A Scalar: a float, its parents, and a slope for each.

The slopes ∂y/∂a, ∂y/∂b, ∂y/∂c are computed in the forward pass, by the op's row. The reverse sweep multiplies by them.

    y  value      a, b, c  operands      da, db, dc  slopes (None for a constant)      g  gradient
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .derivatives import Elementwise
from .maps import Diagonal, LinearMap
from .node import UNRECORDED, Name, Node, births, changed_now, describe, recording
from .operators import Operators
from .sweep import anomaly, backward


class Scalar(Operators):
    """One number to differentiate with respect to: Scalar(2.0), Scalar(2.0, name="w").

    .data  the number (float); on a leaf it may be assigned            .grad  float, or None before backward()
    .backward(seed=None, keep=True)  fills .grad of its whole history; leaves accumulate over calls

    Arithmetic follows IEEE 754 as NumPy does, without warnings: Scalar(1.) / Scalar(0.) is inf.

    >>> x = Scalar(3.0, name="x")
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> x.grad
    8.0
    """

    __slots__ = ("a", "b", "c", "da", "db", "dc")
    a: Any
    b: Any
    c: Any
    da: float | None
    db: float | None
    dc: float | None
    __array_priority__ = 1000
    shape: tuple[int, ...] = ()
    ndim, size = 0, 1
    backward = backward

    def __init__(self, data: Any, name: Any = None):
        self._data, self._grad, self.rule = number(data, "Scalar"), None, None
        self._name = name if name is None or isinstance(name, Name) else Name(str(name))
        self.birth, self.changed = next(births), 0
        self.a = self.b = self.c = self.da = self.db = self.dc = None

    @property
    def data(self) -> float:
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if self.rule is not None:
            raise ValueError(f"{describe(self)} was computed by {self.op}; only the data of a leaf can be assigned")
        self._data = number(value, "Scalar.data")
        changed_now(self)

    @property
    def grad(self) -> float | None:
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = None if value is None else number(value, "Scalar.grad")

    @property
    def parents(self) -> tuple:
        return tuple([x for x in (self.a, self.b, self.c) if x is not None])

    def detach(self) -> float:
        """The plain number."""
        return self._data

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """The Scalar that `rule` makes of `operands`: its value and, in the same go, its slopes."""
        if not isinstance(rule, Elementwise):
            raise TypeError(f"{rule.name} works on arrays, not on a Scalar; use a Tensor, or an object array from scalars()")
        wanted = tuple([type(x) is Scalar for x in operands])
        try:
            numbers = [x._data if is_node else number(x, rule.name) for x, is_node in zip(operands, wanted)]
        except ObjectArray:
            return rule.each(*operands)
        y, *slopes = evaluate(rule, numbers, wanted)
        node = Scalar.__new__(Scalar)
        node._data, node._grad, node._name, node.changed, node.birth = y, None, None, 0, next(births)
        node.rule, node.a, node.b, node.c, node.da, node.db, node.dc = UNRECORDED, None, None, None, None, None, None
        if recording.get():
            node.rule = rule
            node.a, node.b, node.c = [x if is_node else n for x, is_node, n in zip(operands, wanted, numbers)] + [None] * (3 - rule.arity)
            node.da, node.db, node.dc = slopes
        if watch := anomaly.get():
            watch.made(node)
        return node

    def local(self, i: int) -> LinearMap:
        return Diagonal((self.da, self.db, self.dc)[i], (), self.rule.slopes[i])

    def contributions(self, g: Any, inside: Any, graph: bool) -> list[tuple[Node, Any]]:
        """What each parent receives from this node's gradient: the gradient times the slope."""
        slopes = ((self.a, self.da), (self.b, self.db), (self.c, self.dc))
        if graph:  # the rows fed nodes, so that the product can be differentiated again
            return [(x, self.rule.pulls[i](g, self, *self.parents)) for i, (x, slope) in enumerate(slopes) if slope is not None and x in inside]
        return [(x, g * slope) for x, slope in slopes if slope is not None and (inside is None or x in inside)]

    def settle(self, g: Any) -> Any:
        return g

    def like(self, value: Any, what: str) -> Any:
        """value as a number; a Scalar as it is (a seed that is itself to be differentiated)."""
        return value if isinstance(value, Scalar) else number(value, what)

    def owned(self, g: Any, taken: set[int]) -> float:
        return float(g)

    def lifted(self, g: Any) -> Scalar:
        return g if isinstance(g, Scalar) else Scalar(g)

    def __repr__(self) -> str:
        label = f", name={str(self._name)!r}" if self._name else f", op={self.op!r}" if self.rule is not None else ""
        return f"Scalar({self._data!r}{label})"


def scalars(array: Any, name: str | None = None) -> np.ndarray:
    """An object array of Scalars, one for each number of `array`, named W[0,0] … if a name is given.

    The same model code runs on it, with one node per number.

    >>> W = scalars([[1., 2.], [3., 4.]], name="W")
    >>> (W @ np.array([1., 10.]))[0]
    Scalar(21.0, op='add')
    """
    values = np.asarray(array)
    result = np.empty(values.shape, dtype=object)
    for index, value in np.ndenumerate(values):
        result[index] = Scalar(value, name=None if name is None else Name(name, index))
    return result


def evaluate(rule: Elementwise, numbers: list, wanted: tuple) -> tuple:
    """Value and slopes with plain floats; where Python would raise or leave the reals, again as NumPy does."""
    try:
        result = rule.on_numbers(wanted)(*numbers)
        if type(result[0]) is float:
            return result
    except (ArithmeticError, ValueError):
        pass
    with np.errstate(all="ignore"):
        xs = [np.float64(x) for x in numbers]
        y = rule.value(*xs)
        slopes = [float(rule.diagonals[i](y, *xs)) if want else None for i, want in enumerate(wanted)]
    return (float(y), *slopes, None, None)[:4]


class ObjectArray(TypeError):
    """An array of Scalars where one number was expected: the op goes through it entry by entry."""


def number(x: Any, what: str) -> float:
    """x as a float, if it is one real number; else TypeError."""
    if type(x) is float:
        return x
    if isinstance(x, (int, float, np.floating, np.integer, np.bool_)):
        try:
            return float(x)
        except OverflowError:
            return math.copysign(math.inf, x)
    if isinstance(x, np.ndarray) and x.shape == () and x.dtype.kind in "fiub":
        return float(x)
    if isinstance(x, np.ndarray) and x.dtype == object:
        raise ObjectArray(f"{what} needs one number, got an object array")
    if isinstance(x, Node):
        raise TypeError(f"{what} needs one plain number, got {describe(x)}; a Scalar and a Tensor do not mix: pass {describe(x)}.data")
    shape = f" of shape {np.shape(x)}; for arrays use a Tensor, or scalars(array)" if isinstance(x, (np.ndarray, list, tuple)) else ""
    raise TypeError(f"{what} needs one real number, got {type(x).__name__}{shape}")
