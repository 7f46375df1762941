"""And arrays?  A Tensor is the same node with an array in it; an edge's local derivative becomes a linear map.

Nothing else is new: the sweep is the same, and so are the rows of the table. NumPy's own functions record on Tensors.

    g  gradient      y  value      xs  the parents' values
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .maps import LinearMap
from .node import Node, describe, new, plain
from .operators import Operators
from .sweep import backward
from .written import Written, defined, renamed


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

    __slots__ = ("_parents", "_xs", "hand_on")  # the parents, their values, and how a gradient goes on to them
    __getitem__: Any
    backward = backward

    def __init__(self, data: Any, name: Any = None):
        super().__init__(leaf_array(data), name)
        self.forget()

    def forget(self) -> None:
        """A Tensor without parents."""
        self._parents, self._xs, self.hand_on = (), (), hand_on

    shape = property(lambda self: self._value.shape)
    ndim = property(lambda self: self._value.ndim)
    size = property(lambda self: self._value.size)
    dtype = property(lambda self: self._value.dtype)

    @staticmethod
    def record(rule: Any, operands: tuple) -> Tensor:
        """The Tensor that `rule` makes of `operands` (Tensors and constants); the derivative waits until somebody asks."""
        operands = tuple([x if isinstance(x, Tensor) else constant(x, rule.name) for x in operands])
        xs = [x._value if isinstance(x, Tensor) else x for x in operands]
        try:
            y = rule.value(*xs)
        except (ValueError, IndexError) as error:
            raise unfit(rule, operands, error) from None
        node = new(Tensor)
        node._parents, node._xs, node.hand_on = operands, xs, hand_on
        return node.made_by(rule, y)

    @staticmethod
    def maker(rule: Written, kinds: tuple[type, ...]) -> Any:
        """The function that makes the Tensor of operands of these kinds: what record() does, for a rule that is text."""
        letters, nodes = rule.letters(kinds), ["_a", "_b", "_c"][: len(kinds)]
        copies = [f"{x} = _constant({x}, {rule.name!r})" for x, kind in zip(nodes, kinds) if not issubclass(kind, (Tensor, float, int))]
        arms = [
            ARM.format(node=node, letter=letter, pull=pull)
            for node, letter, pull, kind in zip(nodes, rule.operands, rule.pulls, kinds)
            if issubclass(kind, Tensor)
        ]
        words = {"nodes": ", ".join(nodes), "letters": ", ".join(rule.operands), "values": ", ".join(letters.values())}
        going = defined(HAND_ON.format(arms="".join(arms), **words), {**rule.names, "_rule": rule})
        names = {"_rule": rule, "_hand_on": going, "_new": new, "_Tensor": Tensor, "_constant": constant, "_unfit": unfit}
        return defined(MAKE.format(copies="; ".join(copies), value=renamed(rule.text, letters), **words), {**rule.values, **names})

    def local(self, i: int) -> LinearMap:
        return self.rule.local(i, self._value, self._xs)

    def settle(self, g: Any) -> Any:
        """A gradient that is complete: the waiting products carried out, in this node's dtype."""
        g = g.total() if isinstance(g, Waiting) else g
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
        raise TypeError(f"{describe(self)} would lose its gradient as a plain array; take its value with .data, or use an op of ours")

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


def hand_on(self: Tensor, g: Any, gradients: dict[Node, Any], inside: Any, graph: bool) -> None:
    """Add to each parent's gradient the pull of this node's (for a graph, made of nodes)."""
    rule, parents = self.rule, self._parents
    y, xs = (self, parents) if graph else (self._value, self._xs)
    for i, x in enumerate(parents):
        if isinstance(x, Tensor) and (inside is None or x in inside):
            part = rule.back(i, g, y, xs)
            if getattr(part, "shape", None) != x.shape:
                part = rule.fitted(part, x.shape)
            gradients[x] = gradients[x] + part if x in gradients else part


# The same two, record and hand_on, for a rule that is text: the text pasted in, and no loop.
MAKE = """
def make({nodes}):
    {copies}
    try:
        y = {value}
    except (ValueError, IndexError) as error:
        raise _unfit(_rule, ({nodes},), error) from None
    self = _new(_Tensor)
    self._parents, self._xs, self.hand_on = ({nodes},), ({values},), _hand_on
    return self.made_by(_rule, y)
"""
HAND_ON = """
def hand_on(self, g, gradients, inside, graph):
    y, ({letters},) = (self, self._parents) if graph else (self._value, self._xs)
    {nodes}, = self._parents
    {arms}
"""
ARM = """
    if inside is None or {node} in inside:
        part = {pull}
        if part.shape != {letter}.shape:
            part = _rule.fitted(part, {letter}.shape)
        gradients[{node}] = gradients[{node}] + part if {node} in gradients else part
"""


def unfit(rule: Any, operands: tuple, error: Exception) -> Exception:
    """The error of NumPy, with the names and shapes of what was given."""
    given = ", ".join(f"{describe(x)} {np.shape(x)}" for x in operands)
    kind = ValueError if isinstance(error, ValueError) else IndexError
    return kind(f"{rule.name}: {error} (given {given}){getattr(rule, 'advice', '')}")


class Waiting:
    """Contributions gᵀ x to the gradient of a weight, kept as pairs and carried out together as one matrix product.

    A weight of an RNN receives one such product at each time step. G and X, the g's and x's of all steps laid below each
    other, give their sum in one go: Gᵀ X. Every `CHUNK` bytes the pairs so far are carried out, so memory stays small.
    """

    CHUNK = 1 << 18
    __slots__ = ("factors", "shape", "done")
    __array_ufunc__ = None
    done: Any

    def __init__(self, g: np.ndarray, x: np.ndarray):
        self.factors, self.done = [g, x], None
        self.shape = (g.shape[-1], x.shape[-1])

    def __add__(self, other: Any) -> Waiting:
        if type(other) is Waiting:
            self.factors += other.factors
            other = other.done
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self.factors and len(self.factors) * self.factors[-1].nbytes > self.CHUNK:
            self.done, self.factors = self.total(), []
        return self

    __radd__ = __add__

    def total(self) -> np.ndarray:
        """Gᵀ X, plus what was carried out before."""
        if not self.factors:
            return self.done
        product = below(self.factors[0::2]).T.dot(below(self.factors[1::2]))
        return product if self.done is None else self.done + product


def below(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays (n,), (batch, n), … laid below each other: (rows, n)."""
    return rows(parts[0]) if len(parts) == 1 else np.concatenate([part if part.ndim == 2 else rows(part) for part in parts])


def rows(x: Any) -> Any:
    """x as a matrix, its last axis as it is."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def leaf_array(data: Any) -> np.ndarray:
    """A locked copy of `data` in float32 or float64; TypeError for what cannot be differentiated with respect to."""
    if isinstance(data, Node):
        raise TypeError(f"{describe(data)} is a node already; Tensor(x.data) starts a new graph from its value")
    array = real_array(data, "fiu", "a Tensor")
    return locked_copy(array.astype(kept_dtype(array.dtype), order="C", copy=False))


def constant(x: Any, what: str) -> Any:
    """x as a constant of the graph: numbers as they are, arrays copied unless they are read-only already."""
    if type(x) is not np.ndarray or x.dtype is not DOUBLE:
        if isinstance(x, (float, int, np.number, np.bool_)) and not isinstance(x, np.complexfloating):
            return np.float64(x) if isinstance(x, (np.longdouble, np.float16)) else x
        x = real_array(x, "fiub", what)
        if x.dtype.kind == "f":
            x = x.astype(kept_dtype(x.dtype), copy=False)
    return x if is_locked(x) else locked_copy(x)


def real_array(x: Any, kinds: str, what: str) -> np.ndarray:
    """x as an array of the kinds of real numbers allowed (f float, i u integer, b bool); else an error that says what to do."""
    if isinstance(x, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"a {type(x).__name__} would lose its special meaning; pass np.asarray(…) of it, and mask with where()")
    if isinstance(x, Node):
        raise TypeError(f"{what} needs Tensors or plain numbers, got {describe(x)}; a Scalar and a Tensor do not mix: pass its .data")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{what} needs a regular array of numbers: {error}") from None
    if array.dtype.kind not in kinds:
        hint = HINTS.get(array.dtype.kind, "convert it to numbers first")
        given = f"{array.dtype}; {hint}" if isinstance(x, (np.ndarray, list, tuple)) else type(x).__name__
        raise TypeError(f"{what} needs real numbers (float64 or float32) or arrays of them, not {given}")
    return array


def kept_dtype(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize == 4 else np.float64)


DOUBLE = np.dtype(np.float64)
HINTS = {
    "b": "a condition belongs in where(), a mask of numbers is array.astype(float)",
    "c": "take .real and .imag as two arrays",
    "O": "Scalars go through NumPy's operators on the object array itself, without a Tensor",
}


def locked(array: np.ndarray) -> np.ndarray:
    """A read-only view whose memory is read-only too, so that it cannot be unlocked; the array itself if it is one already."""
    if is_locked(array):
        return array
    owner: Any = array
    while isinstance(owner, np.ndarray):  # the array, the array it is a view of, and so on
        owner.setflags(write=False)
        owner = owner.base
    return array.view()


def locked_copy(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.setflags(False)  # by place: by name it takes three times as long
    return copy.view()


def is_locked(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return True


def apply(rule: Any, *operands: Any) -> Any:
    """A rule on its operands: recorded as a node if any of them is a node, else just computed on arrays."""
    for x in operands:
        if isinstance(x, Node):
            return x.record(rule, operands)
    return rule.value(*map(np.asarray, operands))
