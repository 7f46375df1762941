"""How does one number carry its derivative?  A Scalar: a float, the row that made it, and its parents.

Forward, the row's value makes the node. Backward, each parent receives g times the row's slope; the sweep adds it up.

    a, b  parents      x, z  their values      y  the node's value      g  its gradient
"""

from typing import Any

import numpy as np

from . import table as d
from .arrays import number
from .core import Node, describe, new_node
from .maps import Diagonal, LinearMap, Rule
from .rows import Elementwise, any_objects, as_object
from .variable import ONE_OPERAND, Variable, reflected


class NumberRow(Elementwise):
    """A row of the table compiled for floats: the rule of Scalars."""

    on_floats, parts_of_nodes = True, Rule.parts_of_nodes

    def __init__(self, row: Elementwise):
        vars(self).update(vars(row), on_numbers=self, on_arrays=row)
        self.compile()

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives: g times the slope. None for a constant, and for a node outside."""
        parents, y = node._parents, node._value
        if len(parents) == 1:
            return self.pull(g, y, parents[0]._value)
        if len(parents) == 2 and inside is None:
            a, b = parents
            if not isinstance(b, Node):
                return self.pulls[0](g, y, a._value, b), None
            if not isinstance(a, Node):
                return None, self.pulls[1](g, y, a, b._value)
            return self.pull(g, y, a._value, b._value)
        xs = [a._value if isinstance(a, Node) else a for a in parents]
        return [f(g, y, *xs) if isinstance(a, Node) and (inside is None or a in inside) else None for f, a in zip(self.pulls, parents)]

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """g times the slope; y and xs are nodes: the derivative's own graph."""
        return self.on_arrays.pulls[i](g, y, *xs)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: one number, as a map."""
        return Diagonal(self.pulls[i](1.0, y, *xs), (), str(self.slopes[i]), self.selects)


Elementwise.number_row = NumberRow


def of_one(op: Any) -> Any:
    """y = f(a) as a method of Scalars: it makes a new node."""
    row, value = op.rule.on_numbers, op.rule.on_numbers.value
    def method(a: Any) -> Any:
        return new_node(Scalar, value(a._value), row, (a,))
    return method


def of_two(op: Any) -> tuple[Any, Any]:
    """y = f(a, b) as a method of a, and as one of b, as in 2 * b. The other may be a number."""
    row, value = op.rule.on_numbers, op.rule.on_numbers.value
    def method(a: Any, b: Any) -> Any:
        x = a._value if isinstance(a, Scalar) else a
        z = b._value if isinstance(b, Scalar) else b
        if type(x) is float and type(z) is float:
            return new_node(Scalar, value(x, z), row, (a, b))
        return Scalar.record(op.rule, (a, b))
    return method, reflected(method)


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
    shape, ndim, size = (), 0, 1
    __add__, __radd__ = of_two(d.add)
    __sub__, __rsub__ = of_two(d.subtract)
    __mul__, __rmul__ = of_two(d.multiply)
    __truediv__, __rtruediv__ = of_two(d.divide)
    __pow__, __rpow__ = of_two(d.power)

    def __init__(self, data: Any, name: Any = None):
        """A leaf with this number; TypeError for what is not one real number."""
        super().__init__(number(data, "Scalar"), name)

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """What `rule` makes of `operands`: a Scalar, or an object array. To an op on arrays a Scalar is an object array of shape ()."""
        row = rule.on_numbers if isinstance(rule, Elementwise) else None
        if row and not any_objects(operands):
            rule.check_constants(operands)
            operands = tuple([x if isinstance(x, Scalar) else number(x, rule.name) for x in operands])
            return new_node(Scalar, row.value(*[x._value if isinstance(x, Scalar) else x for x in operands]), row, operands)
        for x in operands:
            if isinstance(x, Node) and not isinstance(x, Scalar):
                raise TypeError(f"{rule.name}: a Scalar and a Tensor do not mix; pass the .data of {describe(x)}")
        result = rule.map_entries(*operands) if row else rule.value(*map(as_object, operands))
        return result.item() if np.shape(result) == () and isinstance(result, np.ndarray) else result

    def as_gradient(self, value: Any, what: str) -> Any: return value if isinstance(value, Scalar) else number(value, what)
    def finalise(self, g: Any) -> Any:                   return g
    def own_copy(self, g: Any) -> float:                 return float(g)
    def read_only(self, value: float) -> float:          return value
    def value_text(self) -> str:                         return repr(self._value)


for _op in ONE_OPERAND:
    setattr(Scalar, _op.__name__, of_one(_op))
