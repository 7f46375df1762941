"""And arrays?  A Tensor is the same node with an array in it; an edge's local derivative becomes a linear map.

Nothing else is new: the sweep is the same, and so are the rows of the table. NumPy's own functions record on Tensors.
"""

import sys
from typing import Any

import numpy as np

from . import table as d
from .arrays import LOST, constant, leaf_array, locked
from .core import Node, describe, new_node, plain
from .scalar import Scalar
from .variable import Name, Variable, reflected


def of_two(op: Any) -> tuple[Any, Any]:
    """y = f(a, b) as a method of a, and as one of b, in 2 * b. The other may be a constant. x and z are their values."""
    rule, value = op.rule, op.rule.value
    def method(a: Any, b: Any) -> Any:
        x = a._value if isinstance(a, Tensor) else (a := a if type(a) is float else constant(a, rule.name))
        z = b._value if isinstance(b, Tensor) else (b := b if type(b) is float else constant(b, rule.name))
        try:
            return new_node(Tensor, value(x, z), rule, (a, b))
        except (ValueError, IndexError) as error:
            raise unfit(rule, (a, b), error) from None
    return method, reflected(method)


class Tensor(Variable):
    """An array to differentiate with respect to: Tensor([[1., 2.]]), Tensor(array, name="W").

    .data  the value, a read-only float64 array (float32 if given float32); a leaf's may be assigned: W.data = W.data - 0.1 * W.grad
    .grad  an array of the same shape and dtype, or None before backward()
    .backward(seed=None, keep=True)  fills .grad of its whole history; leaves accumulate over calls

    The array is copied in, integers become float64. A plain array in an expression is a constant: it is never given a gradient.
    Raises TypeError for bool, complex, object and text arrays, masked arrays and matrices.

    >>> W = Tensor([[1., 2.], [3., 4.]], name="W")
    >>> np.sum(np.square(W @ [1., 1.])).backward()
    >>> W.grad
    array([[ 6.,  6.],
           [14., 14.]])
    """

    __slots__ = ()
    __getitem__: Any
    __add__, __radd__ = of_two(d.add)
    __sub__, __rsub__ = of_two(d.subtract)
    __mul__, __rmul__ = of_two(d.multiply)
    __truediv__, __rtruediv__ = of_two(d.divide)
    __pow__, __rpow__ = of_two(d.power)

    def __init__(self, data: Any, name: Any = None):
        super().__init__(leaf_array(data), name)

    shape = property(lambda self: self._value.shape, doc="The length of every axis, a tuple; () of a single number.")
    ndim  = property(lambda self: self._value.ndim,  doc="How many axes there are.")
    size  = property(lambda self: self._value.size,  doc="How many entries there are.")
    dtype = property(lambda self: self._value.dtype, doc="float64 or float32, of the value and of the gradient.")

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """The Tensor that `rule` makes of `operands`, Tensors and constants."""
        if rule.takes_constants:
            rule.check_constants(operands)
        if len(operands) > 1:
            operands = tuple([x if isinstance(x, Tensor) else constant(x, rule.name) for x in operands])
        try:
            if len(operands) == 1:  # the same as below, for speed
                return new_node(Tensor, rule.value(operands[0]._value), rule, operands)
            return new_node(Tensor, rule.value(*[x._value if isinstance(x, Tensor) else x for x in operands]), rule, operands)
        except (ValueError, IndexError) as error:
            raise unfit(rule, operands, error) from None

    def finalise(self, g: Any) -> Any:
        """A gradient that is complete: what waits summed, in this node's dtype; a leaf's shares memory with no other."""
        if isinstance(g, DeferredSum):
            g = np.asarray(g.total())  # of a single number NumPy makes no array
        elif self.rule is None and not isinstance(g, Node):
            g = self.own_copy(g)
        return g if g.dtype is self._value.dtype else g.astype(self._value.dtype)

    def as_gradient(self, value: Any, what: str) -> Any:
        """value as an array (or Tensor) of this node's shape and dtype; 0 stands for zeros, a number for a 1-element array."""
        if isinstance(value, Tensor) and value.shape == self.shape:
            return value
        array = constant(plain(value), what)
        if np.size(array) == 1 and (self.size == 1 or not np.any(array)):
            array = np.full(self.shape, np.asarray(array).item())
        if np.shape(array) != self.shape:
            raise ValueError(f"{what} must have shape {self.shape}, that of {describe(self)}; got {np.shape(array)}")
        return np.array(array, dtype=self.dtype)

    def own_copy(self, g: Any) -> np.ndarray:        return g.copy() if type(g) is np.ndarray else np.array(g)
    def read_only(self, value: Any) -> np.ndarray:   return locked(np.asarray(value))
    def __iter__(self) -> Any:                       return iter([self[i] for i in range(len(self))])
    def __contains__(self, value: Any) -> bool:      return bool(np.any(self == value))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        way = "several Tensors become one with stack([…]), also nested, as in mean(stack([a, b])); for array.dot(x) write array @ x"
        if sys._getframe(1).f_globals.get("__name__", "").startswith("scipy."):
            way = "SciPy's functions take plain arrays, but for its ufuncs as scipy.special.erf; np.linalg's and logsumexp, softmax record"
        raise TypeError(f"{describe(self)} {LOST}; {way}")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"{describe(self)} is a single number and has no length")
        return self.shape[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a Tensor is not changed in place, the graph needs its value; build a new one with where() or concatenate()")

    def value_text(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=50, edgeitems=2)
        return text if self.dtype == np.float64 else f"{text}, dtype={self.dtype}"


def scalars(array: Any, name: str | None = None) -> np.ndarray:
    """An object array of Scalars, one for each number, named W[0,0] … if a name is given: the same model code runs on it.

    >>> W = scalars([[1., 2.], [3., 4.]], name="W")
    >>> (W @ np.array([1., 10.]))[0]
    Scalar(21.0, op='add')
    """
    result = np.empty(np.shape(array), dtype=object)
    for index, value in np.ndenumerate(array):
        result[index] = Scalar(value, None if name is None else Name(name, index))
    return result


class DeferredSum(list):
    """Parts of one gradient, of a weight that is used n times, that wait: added one by one they would make n arrays of its full size."""

    __array_ufunc__ = None  # array + deferred is left to __radd__
    done: Any = None  # the sum of those that wait no longer
    add_up: Any  # each kind: the sum of those that wait
    most: Any  # and how many like the last may wait

    def __add__(self, other: Any) -> Any:
        """Changes self in place, by the other's parts or an array; nobody else holds what is waiting."""
        if type(other) is type(self):
            self += other
            other = other.done
        elif isinstance(other, DeferredSum):
            other = other.total()
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self and len(self) > self.most():
            self.total()
        return self

    __radd__ = __add__

    def total(self) -> Any:
        """The sum of all parts."""
        if self:
            self.done = self.add_up() if self.done is None else self.done + self.add_up()
            self.clear()
        return self.done


def unfit(rule: Any, operands: tuple, error: Exception) -> Exception:
    """The error of NumPy, with the names and shapes of what was given."""
    given = ", ".join(f"{describe(x)} {np.shape(x)}" for x in operands)
    kind = type(error) if type(error) is np.linalg.LinAlgError else ValueError if isinstance(error, ValueError) else IndexError
    return kind(f"{rule.name}: {str(error).removeprefix(f'{rule.name}: ')} (given {given}){getattr(rule, 'advice', '')}")
