"""How does one number carry its derivative?  A Scalar: a float, the row that made it, and its parents.

Forward, the row's value makes the node. Backward, each parent receives g times the row's slope, and the sweep adds it up.

    a, b  parents      x, z  their values      y  the node's value      g  its gradient
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .core import Node, describe, new_node
from .maps import Diagonal, LinearMap, Rule
from .rows import Elementwise, any_objects, as_object
from .variable import Name, Variable, give_operators


class Scalar(Variable):
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

    __slots__ = ()
    shape: tuple[int, ...] = ()
    ndim, size = 0, 1

    def __init__(self, data: Any, name: Any = None):
        """A leaf with this number; TypeError for what is not one real number."""
        super().__init__(number(data, "Scalar"), name)

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """The Scalar that `rule` makes of `operands`, whatever they are. To an op on arrays a Scalar is an object array of shape ()."""
        if not isinstance(rule, Elementwise) or any_objects(operands):
            for x in operands:
                if isinstance(x, Node) and not isinstance(x, Scalar):
                    raise TypeError(f"{rule.name}: a Scalar and a Tensor do not mix; pass the .data of {describe(x)}")
            result = rule.map_entries(*operands) if isinstance(rule, Elementwise) else rule.value(*map(as_object, operands))
            return result.item() if np.shape(result) == () and isinstance(result, np.ndarray) else result
        rule.check_constants(operands)
        operands = tuple([x if isinstance(x, Scalar) else number(x, rule.name) for x in operands])
        return new_node(Scalar, rule.on_numbers.of(*[x._value if isinstance(x, Scalar) else x for x in operands]), rule.on_numbers, operands)

    def as_gradient(self, value: Any, what: str) -> Any:
        """value as a number; a Scalar as it is (a seed that is itself to be differentiated)."""
        return value if isinstance(value, Scalar) else number(value, what)

    # fmt: off
    def finalise(self, g: Any) -> Any:           return g
    def own_copy(self, g: Any) -> float:         return float(g)
    def read_only(self, value: float) -> float:  return value
    def value_text(self) -> str:                 return repr(self._value)
    # fmt: on


class NumberRow(Elementwise):
    """A row of the table compiled for floats: the rule of Scalars."""

    on_floats = True

    def __init__(self, row: Elementwise):
        vars(self).update(vars(row), on_numbers=self, on_arrays=row)
        self.compile()

    def of(self, *xs: float) -> float:
        """y = f(xs). Where Python's floats raise or leave the reals, 1 / 0., (-8.) ** (1 / 3), NumPy decides."""
        try:
            return float(self.value(*xs))
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                return float(self.on_arrays.value(*map(np.float64, xs)))

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives: g times the slope. None for a constant, and for a node outside."""
        parents, y = node.parents, node._value
        try:
            if len(parents) == 1:
                return self.pull(g, y, parents[0]._value)
            if len(parents) == 2 and inside is None:
                a, b = parents
                if not isinstance(b, Node):
                    return self.pulls[0](g, y, a._value, b), None
                if not isinstance(a, Node):
                    return None, self.pulls[1](g, y, a, b._value)
                return self.pull(g, y, a._value, b._value)
            return Rule.parts(self, node, g, inside)
        except (ArithmeticError, ValueError):
            with np.errstate(all="ignore"):
                xs = [np.float64(x._value if isinstance(x, Node) else x) for x in parents]
                parts = self.on_arrays.parts_from(node, np.float64(g), inside, np.float64(y), xs)
            return [part if part is None else float(part) for part in parts]

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        return self.on_arrays.back(i, g, y, xs) if isinstance(g, Node) else self.pulls[i](g, y, *xs)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        return Diagonal(self.back(i, 1.0, y, xs), (), str(self.slopes[i]), self.selects)


def op_of_one(rule: Elementwise) -> Any:
    """y = f(a): the op as a method of Scalars, which makes a new node."""
    row = rule.on_numbers
    value = row.value

    def op(a: Any) -> Any:
        try:
            y = value(a._value)
        except (ArithmeticError, ValueError):
            y = row.of(a._value)
        return new_node(Scalar, y if type(y) is float else float(y), row, (a,))

    return op


def op_of_two(rule: Elementwise) -> Any:
    """y = f(a, b), one of them a Scalar: a new node. The other may be a number."""
    row = rule.on_numbers
    value = row.value

    def op(a: Any, b: Any) -> Any:
        x = a._value if isinstance(a, Scalar) else a
        z = b._value if isinstance(b, Scalar) else b
        if type(x) is not float or type(z) is not float:
            return Scalar.record(rule, (a, b))
        try:
            y = value(x, z)
        except (ArithmeticError, ValueError):
            y = row.of(x, z)
        return new_node(Scalar, y if type(y) is float else float(y), row, (a, b))

    return op


Elementwise.number_row = NumberRow
give_operators(Scalar, op_of_one, op_of_two)


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


def number(x: Any, what: str) -> float:
    """x as a float, if it is one real number; else TypeError."""
    if type(x) is float:
        return x
    if isinstance(x, np.ndarray) and x.shape == () and x.dtype.kind in "fiub":
        x = x[()]
    if isinstance(x, (int, float, np.floating, np.integer, np.bool_)):
        try:
            return float(x)
        except OverflowError:
            return math.inf if x > 0 else -math.inf
    if isinstance(x, Node):
        raise TypeError(f"{what} needs one plain number, got {describe(x)}; a Scalar and a Tensor do not mix: pass {describe(x)}.data")
    shape = f" of shape {np.shape(x)}; for arrays use a Tensor, or scalars(array)" if isinstance(x, (np.ndarray, list, tuple)) else ""
    raise TypeError(f"{what} needs one real number, got {type(x).__name__}{shape}")
