"""How does `a * b` find its row?  Python's operators, and the methods a.tanh() …, spelled as ops of the table.

`a += b` makes a new node and rebinds the name, as for Python's numbers. A comparison is a plain bool or bool array and
records nothing. Nodes hash by identity; since `==` may make an array, the package itself compares nodes with `is`, sets
and dicts only.
"""

from typing import Any

from . import derivatives as d
from .node import Node, plain

add, subtract, multiply, divide, power = (op.rule.makers for op in (d.add, d.subtract, d.multiply, d.divide, d.power))
negative, absolute = d.negative.rule.makers, d.absolute.rule.makers


class Operators(Node):
    """What Scalars and Tensors share: arithmetic and the elementwise ops of one operand. Each records a node."""

    __slots__ = ()

    # fmt: off

    def __add__(self, other: Any) -> Any:      return add[type(self)][type(other)](self, other)
    def __radd__(self, other: Any) -> Any:     return add[type(other)][type(self)](other, self)
    def __sub__(self, other: Any) -> Any:      return subtract[type(self)][type(other)](self, other)
    def __rsub__(self, other: Any) -> Any:     return subtract[type(other)][type(self)](other, self)
    def __mul__(self, other: Any) -> Any:      return multiply[type(self)][type(other)](self, other)
    def __rmul__(self, other: Any) -> Any:     return multiply[type(other)][type(self)](other, self)
    def __truediv__(self, other: Any) -> Any:  return divide[type(self)][type(other)](self, other)
    def __rtruediv__(self, other: Any) -> Any: return divide[type(other)][type(self)](other, self)
    def __pow__(self, other: Any) -> Any:      return power[type(self)][type(other)](self, other)
    def __rpow__(self, other: Any) -> Any:     return power[type(other)][type(self)](other, self)
    def __neg__(self) -> Any:                  return negative[type(self)](self)
    def __abs__(self) -> Any:                  return absolute[type(self)](self)
    def __pos__(self) -> Any:                  return self

    def __eq__(self, other: object) -> Any:    return False if other is None else self._value == plain(other)
    def __ne__(self, other: object) -> Any:    return True if other is None else self._value != plain(other)
    def __lt__(self, other: Any) -> Any:       return self._value < plain(other)
    def __le__(self, other: Any) -> Any:       return self._value <= plain(other)
    def __gt__(self, other: Any) -> Any:       return self._value > plain(other)
    def __ge__(self, other: Any) -> Any:       return self._value >= plain(other)
    # fmt: on
    __hash__ = Node.__hash__

    exp, log, log1p, expm1, sqrt, square = d.exp, d.log, d.log1p, d.expm1, d.sqrt, d.square
    sin, cos, tanh, sigmoid, relu, sign = d.sin, d.cos, d.tanh, d.sigmoid, d.relu, d.sign
    leaky_relu, elu, gelu, softplus, clip = d.leaky_relu, d.elu, d.gelu, d.softplus, d.clip
    abs, maximum, minimum = d.absolute, d.maximum, d.minimum
