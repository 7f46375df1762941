"""How does one number carry its derivative?  A Scalar: a float, the row that made it, and its parents.

Forward, the row's value makes the node. Backward, each parent receives g times the row's slope; the sweep adds it up.

    a, b  parents      x, z  their values      y  the node's value      g  its gradient
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import table as d
from .arrays import number
from .core import Node, describe, new_node
from .maps import Diagonal, LinearMap
from .numerics import on_one_number
from .rows import Elementwise, any_objects, as_object
from .variable import Variable


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
            return on_one_number(self.on_arrays.value)(*xs)

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives: g times the slope. None for a constant, and for a node outside."""
        parents, y = node._parents, node._value
        if inside is not None:
            return [part if part is not None and x in inside else None for x, part in zip(parents, self.parts(node, g))]
        try:
            if len(parents) == 1:
                return self.pull(g, y, parents[0]._value)
            if len(parents) == 2:
                a, b = parents
                if not isinstance(b, Node):
                    return self.pulls[0](g, y, a._value, b), None
                if not isinstance(a, Node):
                    return None, self.pulls[1](g, y, a, b._value)
                return self.pull(g, y, a._value, b._value)
        except (ArithmeticError, ValueError):
            pass
        xs = [x._value if isinstance(x, Node) else x for x in parents]
        return [self.local(i, y, xs)._pull(g) if isinstance(x, Node) else None for i, x in enumerate(parents)]

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        return self.on_arrays.back(i, g, y, xs)  # of nodes

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        try:
            slope = self.pulls[i](1.0, y, *xs)
        except (ArithmeticError, ValueError):
            slope = on_one_number(self.on_arrays.pulls[i])(1.0, y, *xs)
        return Diagonal(slope, (), str(self.slopes[i]), self.selects)


Elementwise.number_row = NumberRow


def of_one(op: Any) -> Any:
    """y = f(a) as a method of Scalars: it makes a new node."""
    row = op.rule.on_numbers
    return lambda a: new_node(Scalar, row.of(a._value), row, (a,))


def of_two(op: Any) -> tuple[Any, Any]:
    """y = f(a, b) as a method of a, and as one of b, as in 2 * b. The other may be a number."""
    row = op.rule.on_numbers
    value = row.value

    def method(a: Any, b: Any) -> Any:
        x = a._value if isinstance(a, Scalar) else a
        z = b._value if isinstance(b, Scalar) else b
        if type(x) is not float or type(z) is not float:
            return Scalar.record(op.rule, (a, b))
        try:
            y = value(x, z)
        except (ArithmeticError, ValueError):
            y = row.of(x, z)
        return new_node(Scalar, y if type(y) is float else float(y), row, (a, b))

    return method, lambda b, a: method(a, b)


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
    __add__, __radd__ = of_two(d.add)
    __sub__, __rsub__ = of_two(d.subtract)
    __mul__, __rmul__ = of_two(d.multiply)
    __truediv__, __rtruediv__ = of_two(d.divide)
    __pow__, __rpow__ = of_two(d.power)
    __neg__, __abs__ = of_one(d.negative), of_one(d.absolute)

    def __init__(self, data: Any, name: Any = None):
        """A leaf with this number; TypeError for what is not one real number."""
        super().__init__(number(data, "Scalar"), name)

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """The Scalar that `rule` makes of `operands`. To an op on arrays a Scalar is an object array of shape ()."""
        if isinstance(rule, Elementwise) and not any_objects(operands):
            rule.check_constants(operands)
            operands, row = tuple([x if isinstance(x, Scalar) else number(x, rule.name) for x in operands]), rule.on_numbers
            return new_node(Scalar, row.of(*[x._value if isinstance(x, Scalar) else x for x in operands]), row, operands)
        for x in operands:
            if isinstance(x, Node) and not isinstance(x, Scalar):
                raise TypeError(f"{rule.name}: a Scalar and a Tensor do not mix; pass the .data of {describe(x)}")
        result = rule.map_entries(*operands) if isinstance(rule, Elementwise) else rule.value(*map(as_object, operands))
        return result.item() if np.shape(result) == () and isinstance(result, np.ndarray) else result

    def as_gradient(self, value: Any, what: str) -> Any: return value if isinstance(value, Scalar) else number(value, what)
    def finalise(self, g: Any) -> Any:                   return g
    def own_copy(self, g: Any) -> float:                 return float(g)
    def read_only(self, value: float) -> float:          return value
    def value_text(self) -> str:                         return repr(self._value)
