"""And arrays?  A Tensor is the same node with an array in it; an edge's local derivative becomes a linear map.

Nothing else is new: the sweep is the same, and so are the rows of the table. NumPy's own functions record on Tensors.

    g  gradient      y  value      xs  the parents' values
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..hints import refuse
from .arrays import LOST, constant, leaf_array, locked, numbers_or_scalars
from .maps import LinearMap
from .node import BIRTH, BIRTH_NAMES, Node, describe, plain
from .operators import Operators
from .sweep import backward
from .waiting import Waiting
from .written import NODES, Written, defined, renamed


class Tensor(Operators):
    """An array to differentiate with respect to: Tensor([[1., 2.]]), Tensor(array, name="W").

    .data  the value, a read-only float64 array (float32 if given float32; integers become float64)
           on a leaf it may be assigned: W.data = W.data - 0.1 * W.grad
    .grad  an array of the same shape and dtype, or None before backward()
    .backward(seed=None, keep=True)  fills .grad of its whole history; leaves accumulate over calls

    The array is copied in. A plain array in an expression is a constant: it is never given a gradient.
    Raises TypeError for bool, complex, object and text arrays, masked arrays and matrices.

    >>> W = Tensor([[1., 2.], [3., 4.]], name="W")
    >>> np.sum(np.square(W @ [1., 1.])).backward()
    >>> W.grad
    array([[ 6.,  6.],
           [14., 14.]])
    """

    __slots__ = ("_parents", "hand_on")  # what it was made from, and how a gradient is handed on to them
    _parents: tuple
    hand_on: Any
    __getitem__: Any
    backward = backward

    def __init__(self, data: Any, name: Any = None, **unknown: Any):
        """A leaf with a copy of these numbers; TypeError for what has no derivative (see the class)."""
        if unknown:
            refuse(self, unknown)
        super().__init__(leaf_array(data), name)
        self.forget()

    def forget(self) -> None:
        """A Tensor without parents."""
        self._parents, self.hand_on = (), hand_on_by_rule

    # fmt: off
    shape = property(lambda self: self._value.shape, doc="The length of every axis, a tuple; () of a single number.")
    ndim  = property(lambda self: self._value.ndim,  doc="How many axes there are.")
    size  = property(lambda self: self._value.size,  doc="How many entries there are.")
    dtype = property(lambda self: self._value.dtype, doc="float64 or float32, of the value and of the gradient.")
    # fmt: on

    @staticmethod
    def record(rule: Any, operands: tuple) -> Tensor:
        """The Tensor that `rule` makes of `operands` (Tensors and constants); the derivative waits until somebody asks."""
        operands = tuple([x if isinstance(x, Tensor) else constant(x, rule.name) for x in operands])
        try:
            y = rule.value(*values(operands))
        except (ValueError, IndexError) as error:
            raise unfit(rule, operands, error) from None
        return born(rule, operands, y)

    @staticmethod
    def maker(rule: Written, kinds: tuple[type, ...]) -> Any:
        """The function that makes the Tensor of operands of these kinds: what record() does, for a rule that is text."""
        letters, nodes = rule.letters(kinds), NODES[: len(kinds)]
        numbers = {x: kind for x, kind in zip(nodes, kinds) if issubclass(kind, (float, int))}
        copies = [f"{x} = _constant({x}, {rule.name!r})" for x, kind in zip(nodes, kinds) if not issubclass(kind, (Tensor, float, int))]
        zeros = [f"{x} = {x} or y.dtype.type({x})" for x, kind in numbers.items() if kind is not bool]  # 1 / 0 is inf to NumPy's 0
        if not rule.broadcasts:  # a product: the text speaks of arrays
            copies, zeros = [*copies, *(f"{x} = _array({x})" for x in numbers)], []
        value = rule.for_arrays(renamed(rule.text, letters))
        text = MAKE.format(nodes=", ".join(nodes), copies="; ".join(copies), value=value, zeros="; ".join(zeros))
        names = {"_Tensor": Tensor, "_constant": constant, "_array": np.asarray, "_unfit": unfit, "_rule": rule, **BIRTH_NAMES}
        return defined("make", text, {**rule.values, **names, "_hand_on": handing(rule, kinds)})

    def local(self, i: int) -> LinearMap:
        return self.rule.local(i, self._value, values(self._parents))

    def settle(self, g: Any) -> Any:
        """A gradient that is complete: what waits summed, in this node's dtype; a leaf's shares memory with no other."""
        if isinstance(g, Waiting):
            g = np.asarray(g.total())  # of a single number NumPy makes no array
        elif self.rule is None and not isinstance(g, Node):
            g = self.owned(g)
        return g if g.dtype is self._value.dtype else g.astype(self._value.dtype)

    def like(self, value: Any, what: str) -> Any:
        """value as an array (or Tensor) of this node's shape and dtype; 0 stands for zeros, a number for a 1-element array."""
        if isinstance(value, Tensor) and value.shape == self.shape:
            return value
        array = constant(plain(value), what)
        if np.size(array) == 1 and (self.size == 1 or not np.any(array)):
            array = np.full(self.shape, np.asarray(array).item())
        if np.shape(array) != self.shape:
            raise ValueError(f"{what} must have shape {self.shape}, that of {describe(self)}; got {np.shape(array)}")
        return np.array(array, dtype=self.dtype)

    def owned(self, g: Any) -> np.ndarray:
        """g as an array that shares memory with no other gradient."""
        return g.copy() if type(g) is np.ndarray else np.array(g)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(f"{describe(self)} {LOST}; several Tensors become one with stack([…])")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"{describe(self)} is a single number and has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a Tensor is not changed in place, the graph needs its value; build a new one with where() or concatenate()")

    def closed(self, value: Any) -> np.ndarray:
        return locked(np.asarray(value))

    def digits(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=50, edgeitems=2)
        return text if self.dtype == np.float64 else f"{text}, dtype={self.dtype}"


def handing(rule: Written, kinds: tuple[type, ...]) -> Any:
    """The hand_on of Tensors made of operands of these kinds: what hand_on_by_rule() does, for a rule that is text."""
    letters, nodes = rule.letters(kinds), NODES[: len(kinds)]
    several = sum(not issubclass(kind, (float, int)) for kind in kinds) > 1  # only then can one be broadcast to the other
    arms = [
        ARM.format(node=node, letter=letter, pull=rule.for_arrays(str(pull)), broadcasts=rule.broadcasts and several)
        for node, letter, pull, kind in zip(nodes, rule.operands, rule.pulls, kinds)
        if issubclass(kind, Tensor)
    ]
    text = HAND_ON.format(nodes=", ".join(nodes), letters=", ".join(letters), values=", ".join(letters.values()), arms="".join(arms))
    return defined("hand_on", text, {**rule.names, "_rule": rule, "_by_rule": hand_on_by_rule})


def hand_on_by_rule(self: Tensor, g: Any, gradients: dict[Node, Any], inside: Any, graph: bool) -> None:
    """Add to each parent's gradient the pull of this node's (for a graph, made of nodes)."""
    rule, parents = self.rule, self._parents
    y: Any = self if graph else self._value
    if g.dtype is not y.dtype:  # another dtype; or it waits, and has none
        g = self.settle(g)
    xs = parents if graph else values(parents)
    for i, x in enumerate(parents):
        if isinstance(x, Tensor) and (inside is None or x in inside):
            part = rule.back(i, g, y, xs)
            if graph and isinstance(part, Waiting):
                part = part.total()  # a node may be added to it
            if not isinstance(part, Waiting) and getattr(part, "shape", None) != x.shape:
                part = rule.fitted(part, x.shape)
            gradients[x] = gradients[x] + part if x in gradients else part


# How record() makes a node …
BORN = """
def born(_rule, operands, y):
    self = _new(_Tensor)
    self._parents, self.hand_on = operands, _hand_on
""" + BIRTH
born = defined("born", BORN, {**BIRTH_NAMES, "_Tensor": Tensor, "_hand_on": hand_on_by_rule})

# … and record() and hand_on_by_rule() once more, for a rule that is text: the text pasted in, and no loop. Of tanh the
# lines that matter are `y = tanh(_a._value)` and, on the way back, `part = g * (1.0 - y * y)`.
MAKE = """
def make({nodes}):
    {copies}
    try:
        y = {value}
    except (ValueError, IndexError) as error:
        raise _unfit(_rule, ({nodes},), error) from None
    {zeros}
    self = _new(_Tensor)
    self._parents, self.hand_on = ({nodes},), _hand_on
""" + BIRTH
HAND_ON = """
def hand_on(self, g, gradients, inside, graph):
    if graph:
        return _by_rule(self, g, gradients, inside, graph)
    {nodes}, = self._parents
    y, {letters} = self._value, {values}
    if g.dtype is not y.dtype:
        g = self.settle(g)
    {arms}
"""
ARM = """
    if inside is None or {node} in inside:
        part = {pull}
        if {broadcasts} and part.shape != {letter}.shape:
            part = _rule.fitted(part, {letter}.shape)
        gradients[{node}] = gradients[{node}] + part if {node} in gradients else part
"""


def values(xs: Any) -> list:
    """The values of Tensors, constants as they are."""
    return [x._value if isinstance(x, Tensor) else x for x in xs]


def unfit(rule: Any, operands: tuple, error: Exception) -> Exception:
    """The error of NumPy, with the names and shapes of what was given."""
    given = ", ".join(f"{describe(x)} {np.shape(x)}" for x in operands)
    kind = ValueError if isinstance(error, ValueError) else IndexError
    return kind(f"{rule.name}: {error} (given {given}){getattr(rule, 'advice', '')}")


def apply(rule: Any, *operands: Any) -> Any:
    """A rule on its operands: recorded as a node if any of them is a node, else just computed on arrays.

    rule      a Rule: an object with name, value(*xs) and local(i, y, xs), as in docs/your_own_op.md
    operands  Tensors (or Scalars), and constants: arrays and numbers

    ValueError or IndexError, with the names and shapes of the operands, where value() finds that they do not fit;
    TypeError for an operand that is neither a node nor real numbers.
    """
    for x in operands:
        if isinstance(x, Node):
            return x.record(rule, operands)
    return rule.value(*[numbers_or_scalars(x, rule.name) for x in operands])
