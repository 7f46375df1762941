"""How does one number carry its derivative?  A Scalar: a float, its parents, and a slope for each.

The slopes ∂y/∂a, ∂y/∂b, ∂y/∂c are computed in the forward pass, by the op's row. The reverse sweep multiplies by them.

    y  value      a, b, c  operands      da, db, dc  slopes (None for a constant)      g  gradient
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..hints import refuse
from .derivatives import ON_NUMBERS, Elementwise, any_objects, as_object
from .maps import Diagonal, LinearMap
from .node import BIRTH, BIRTH_NAMES, Name, Node, describe
from .operators import Operators
from .sweep import backward
from .written import Written, defined, renamed


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

    __slots__ = ("_a", "_b", "_c", "_da", "_db", "_dc")  # no tuples: the garbage collector would look at each of them
    _a: Any  # the operands; of fewer than three the last are None …
    _b: Any
    _c: Any
    _da: float | None  # … and the slopes, None for a constant
    _db: float | None
    _dc: float | None
    shape: tuple[int, ...] = ()
    ndim, size = 0, 1
    backward = backward

    def __init__(self, data: Any, name: Any = None, **unknown: Any):
        """A leaf with this number; TypeError for what is not one real number."""
        if unknown:
            refuse(self, unknown)
        super().__init__(number(data, "Scalar"), name)
        self.forget()

    def forget(self) -> None:
        """A Scalar without parents."""
        self._a = self._b = self._c = self._da = self._db = self._dc = None

    @property
    def _parents(self) -> tuple:
        if self._b is None:
            return () if self._a is None else (self._a,)
        return (self._a, self._b) if self._c is None else (self._a, self._b, self._c)

    @property
    def slopes(self) -> tuple:
        """∂self/∂parent for each parent; None for a constant."""
        return (self._da, self._db, self._dc)[: len(self._parents)]

    @staticmethod
    def record(rule: Any, operands: tuple) -> Any:
        """The Scalar that `rule` makes of `operands`. To an op on arrays a Scalar is an object array of shape ()."""
        if isinstance(rule, Elementwise):
            return rule(*operands)
        for x in operands:
            if isinstance(x, Node) and not isinstance(x, Scalar):
                raise TypeError(f"{rule.name}: a Scalar and a Tensor do not mix; pass the .data of {describe(x)}")
        result = rule.value(*map(as_object, operands))
        return result.item() if np.shape(result) == () and isinstance(result, np.ndarray) else result

    @staticmethod
    def maker(rule: Written, kinds: tuple[type, ...]) -> Any:
        """The function that makes a Scalar of operands of these kinds: its value and, in the same go, its slopes."""
        if not isinstance(rule, Elementwise):
            return lambda *xs: Scalar.record(rule, xs)
        if not all(issubclass(kind, Scalar) or kind is float for kind in kinds):
            return lambda *xs: rule.each(*xs) if any_objects(xs) else rule(*as_floats(xs, rule.name))
        letters = rule.letters(kinds)
        slopes = [renamed(str(row), letters) if issubclass(kind, Scalar) else "None" for row, kind in zip(rule.rows, kinds)]
        text = MAKE.format(value=renamed(rule.text, letters), slopes=", ".join([*slopes, "None", "None"][:3]))
        return defined("make", text, {**ON_NUMBERS, **BIRTH_NAMES, "_rule": rule, "_Scalar": Scalar, "_as_numpy": as_numpy})

    def local(self, i: int) -> LinearMap:
        return Diagonal(self.slopes[i], (), self.rule.slopes[i])

    def slopes_as_nodes(self, inside: Any) -> list:
        """The slopes of those parents that are to receive a gradient, made of nodes by the row."""
        xs, rule = self._parents, self.rule
        slopes = [
            rule.diagonals[i](self, *xs) if isinstance(x, Scalar) and (inside is None or x in inside) else None for i, x in enumerate(xs)
        ]
        return [*slopes, None, None][:3]

    @staticmethod  # the sweep calls node.hand_on(node, …): a Tensor's is a function of its rule
    def hand_on(self: Scalar, g: Any, gradients: dict[Node, Any], inside: Any, graph: bool) -> None:
        """Add to each parent's gradient this node's times the slope (for a graph, times the row). A loop would take twice the time."""
        a, b, c = self._a, self._b, self._c
        da, db, dc = self.slopes_as_nodes(inside) if graph else (self._da, self._db, self._dc)
        if da is not None and (inside is None or a in inside):
            gradients[a] = gradients[a] + g * da if a in gradients else g * da
        if db is not None and (inside is None or b in inside):
            gradients[b] = gradients[b] + g * db if b in gradients else g * db
        if dc is not None and (inside is None or c in inside):
            gradients[c] = gradients[c] + g * dc if c in gradients else g * dc

    def like(self, value: Any, what: str) -> Any:
        """value as a number; a Scalar as it is (a seed that is itself to be differentiated)."""
        return value if isinstance(value, Scalar) else number(value, what)

    # fmt: off

    def settle(self, g: Any) -> Any:         return g
    def owned(self, g: Any) -> float:        return float(g)
    def closed(self, value: float) -> float: return value
    def digits(self) -> str:                 return repr(self._value)
    # fmt: on


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


# How a Scalar is made. Of a * b the two lines in the middle are:  y = _a._value * _b._value
#                                                                   self._da, … = _b._value, _a._value, None
# A y that is not a float: Python raised, or left the reals, and NumPy does it again.
MAKE = """
def make(_a, _b=None, _c=None):
    self = _new(_Scalar)
    try:
        y = {value}
        self._da, self._db, self._dc = {slopes}
    except (ArithmeticError, ValueError):
        y = None
    if type(y) is not float:
        y, self._da, self._db, self._dc = _as_numpy(_rule, _a, _b, _c)
    self._a, self._b, self._c = _a, _b, _c
""" + BIRTH


def as_floats(xs: tuple, what: str) -> list:
    """Scalars as they are, other numbers as floats."""
    return [x if isinstance(x, Scalar) else number(x, what) for x in xs]


def as_numpy(rule: Elementwise, *operands: Any) -> tuple:
    """y and three slopes as NumPy computes them, for where Python's floats raise or leave the reals: 1 / 0., (-8.) ** (1 / 3)."""
    operands = operands[: len(rule.operands)]
    with np.errstate(all="ignore"):
        xs = [np.float64(x._value if isinstance(x, Scalar) else x) for x in operands]
        y = rule.value(*xs)
        slopes = [float(rule.diagonals[i](y, *xs)) if isinstance(x, Scalar) else None for i, x in enumerate(operands)]
    return float(y), *[*slopes, None, None][:3]


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
