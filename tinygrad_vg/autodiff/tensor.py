"""And arrays?  A Tensor is the same node with an array in it; an edge's local derivative becomes a linear map.

Nothing else is new: the sweep is the same, and so are the rows of the table. NumPy's own functions record on Tensors.

    g  gradient      y  value      xs  the parents' values
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .anomaly import anomaly
from .maps import LinearMap
from .node import UNRECORDED, Name, Node, births, changed_now, describe, plain, recording
from .operators import Operators
from .sweep import backward


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

    __slots__ = ()
    __getitem__: Any
    backward = backward

    def __init__(self, data: Any, name: Any = None):
        self._value, self._grad, self.rule, self._parents = leaf_array(data), None, None, ()
        self._name = name if name is None or isinstance(name, Name) else Name(str(name))
        self.birth, self.changed = next(births), 0

    @property
    def data(self) -> np.ndarray:
        if not isinstance(self._value, np.ndarray) or self._value.flags.writeable:
            self._value = locked(np.asarray(self._value))
        return self._value

    @data.setter
    def data(self, value: Any) -> None:
        if self.rule is not None:
            raise ValueError(f"{describe(self)} was computed by {self.op}; only the data of a leaf can be assigned")
        array = leaf_array(value)
        if array.shape != self.shape:
            raise ValueError(f"{describe(self)} has shape {self.shape}; data of shape {array.shape} cannot replace its value")
        self._value = locked(array.astype(self.dtype, copy=False))
        changed_now(self)

    @property
    def grad(self) -> np.ndarray | None:
        if self.rule is not None and self._grad is not None:
            self._grad = locked(np.asarray(self._grad))
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = None if value is None else np.array(self.like(value, f"the gradient of {describe(self)}"))

    shape = property(lambda self: self._value.shape)
    ndim = property(lambda self: self._value.ndim)
    size = property(lambda self: self._value.size)
    dtype = property(lambda self: self._value.dtype)

    def detach(self) -> np.ndarray:
        """The plain, read-only array: a constant wherever it is used."""
        return self.data

    @staticmethod
    def record(rule: Any, operands: tuple) -> Tensor:
        """The Tensor that `rule` makes of `operands` (Tensors and constants); the derivative waits until somebody asks."""
        operands = tuple([x if isinstance(x, Tensor) else constant(x, rule) for x in operands])
        try:
            y = rule.value(*[x._value if isinstance(x, Tensor) else x for x in operands])
        except (ValueError, IndexError) as error:
            kind = ValueError if isinstance(error, ValueError) else IndexError
            given = ", ".join(f"{describe(x)} {np.shape(x)}" for x in operands)
            raise kind(f"{rule.name}: {error} (given {given}){getattr(rule, 'advice', '')}") from None
        node = Tensor.__new__(Tensor)
        node._value, node._grad, node._name, node.changed = y, None, None, 0
        if not recording.get():
            rule, operands = UNRECORDED, ()
        node.rule, node._parents, node.birth = rule, operands, next(births)
        if watch := anomaly.get():
            watch.made(node)
        return node

    def local(self, i: int) -> LinearMap:
        return self.rule.local(i, self._value, [x._value if isinstance(x, Tensor) else x for x in self._parents])

    def contributions(self, g: Any, inside: Any, graph: bool) -> Iterator[tuple[Node, Any]]:
        """What each parent receives from this node's gradient: the local derivative's pull (for a graph, made of nodes)."""
        y = self if graph else self._value
        xs = self._parents if graph else [x._value if isinstance(x, Tensor) else x for x in self._parents]
        for i, parent in enumerate(self._parents):
            if isinstance(parent, Tensor) and (inside is None or parent in inside):
                part = self.rule.back(i, g, y, xs)
                if getattr(part, "shape", None) != parent.shape:
                    given = getattr(part, "shape", type(part).__name__)
                    raise ValueError(f"the derivative of {self.op} gave {given} for {describe(parent)}, which has shape {parent.shape}")
                yield parent, part

    def settle(self, g: Any) -> Any:
        """A gradient that is complete: the waiting products carried out, in this node's dtype."""
        g = g.total() if isinstance(g, Waiting) else g
        return g if g.dtype is self._value.dtype else g.astype(self._value.dtype)

    def like(self, value: Any, what: str) -> Any:
        """value as an array (or Tensor) of this node's shape and dtype; 0 stands for zeros, a number for a 1-element array."""
        if isinstance(value, Tensor) and value.shape == self.shape:
            return value
        array = constant(plain(value), self)
        if np.shape(array) != self.shape and np.size(array) == 1 and (self.size == 1 or not np.any(array)):
            array = np.full(self.shape, np.asarray(array).item())
        if np.shape(array) != self.shape:
            raise ValueError(f"{what} must have shape {self.shape}, that of {describe(self)}; got {np.shape(array)}")
        return np.array(array, dtype=self.dtype)

    def owned(self, g: Any, taken: set[int]) -> np.ndarray:
        """g as an array that shares memory with no other gradient; `taken` are the ids of those given out already."""
        g = np.asarray(g)
        if g.base is not None or id(g) in taken or not g.flags.writeable:
            g = g.copy()
        taken.add(id(g))
        return g

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

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="Tensor(", threshold=50, edgeitems=2)
        dtype = "" if self.dtype == np.float64 else f", dtype={self.dtype}"
        label = f", name={str(self._name)!r}" if self._name else f", op={self.op!r}" if self.rule is not None else ""
        return f"Tensor({text}{dtype}{label})"


class Waiting:
    """Contributions gᵀ x to the gradient of a weight, kept as pairs and carried out together as one matrix product.

    A weight of an RNN receives one such product at each time step. G and X, the g's and x's of all steps laid below each
    other, give their sum in one go: Gᵀ X. Every `CHUNK` bytes the pairs so far are carried out, so memory stays small.
    """

    CHUNK = 1 << 18
    __slots__ = ("g", "x", "shape", "bytes", "done")
    done: Any
    __array_ufunc__ = None

    def __init__(self, g: np.ndarray, x: np.ndarray):
        self.g, self.x, self.shape, self.bytes, self.done = [g], [x], (g.shape[1], x.shape[1]), g.nbytes + x.nbytes, None

    def __add__(self, other: Any) -> Waiting:
        if isinstance(other, Waiting):
            self.g, self.x, self.bytes = self.g + other.g, self.x + other.x, self.bytes + other.bytes
            other = other.done
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self.bytes > self.CHUNK:
            self.done, self.g, self.x, self.bytes = self.total(), [], [], 0
        return self

    __radd__ = __add__

    def total(self) -> np.ndarray:
        """Gᵀ X, plus what was carried out before."""
        if not self.g:
            return self.done
        G, X = (parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in (self.g, self.x))
        return G.T.dot(X) if self.done is None else self.done + G.T.dot(X)


def leaf_array(data: Any) -> np.ndarray:
    """A locked copy of `data` in float32 or float64; TypeError for what cannot be differentiated with respect to."""
    if isinstance(data, Node):
        raise TypeError(f"{describe(data)} is a node already; Tensor(x.data) starts a new graph from its value")
    if isinstance(data, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"a {type(data).__name__} would lose its special meaning; pass np.asarray(…) of it, and mask with where()")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"a Tensor needs a regular array of numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        raise TypeError(f"a Tensor holds real numbers (float64 or float32), not {array.dtype}; {hint(array.dtype)}")
    return locked(np.array(array, dtype=kept_dtype(array.dtype), order="C"))


def constant(x: Any, rule: Any) -> Any:
    """x as a constant of the graph: numbers as they are, arrays copied unless they are read-only already."""
    if isinstance(x, (float, int, np.number, np.bool_)) and not isinstance(x, np.complexfloating):
        return x if not isinstance(x, (np.longdouble, np.float16)) else np.float64(x)
    if isinstance(x, (list, tuple)):
        x = np.array(x)
    if not isinstance(x, np.ndarray) or isinstance(x, (np.ma.MaskedArray, np.matrix)) or x.dtype.kind not in "fiub":
        what = f"an array of {x.dtype}; {hint(x.dtype)}" if type(x) is np.ndarray else type(x).__name__
        what += "; a Scalar and a Tensor do not mix: pass its .data" if isinstance(x, Node) else ""
        raise TypeError(f"{getattr(rule, 'name', None) or 'this'} needs Tensors, real numbers or plain arrays of them, got {what}")
    if x.dtype.kind == "f" and x.dtype != kept_dtype(x.dtype):
        return locked(x.astype(kept_dtype(x.dtype)))
    return locked(x.copy()) if any(owner.flags.writeable for owner in owners(x)) else x


def kept_dtype(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float32 if dtype.kind == "f" and dtype.itemsize == 4 else np.float64)


def hint(dtype: np.dtype) -> str:
    """What to do about an array that is not of real numbers."""
    return {
        "b": "a condition belongs in where(), a mask of numbers is array.astype(float)",
        "c": "take .real and .imag as two arrays",
        "O": "Scalars go through NumPy's operators on the object array itself, without a Tensor",
    }.get(dtype.kind, "convert it to numbers first")


def locked(array: np.ndarray) -> np.ndarray:
    """A read-only view whose memory is read-only too, so that it cannot be unlocked."""
    for owner in owners(array):
        owner.setflags(write=False)
    return array.view()


def owners(array: Any) -> Iterator[np.ndarray]:
    """The array, the array it is a view of, and so on."""
    while isinstance(array, np.ndarray):
        yield array
        array = array.base


def apply(rule: Any, *operands: Any) -> Any:
    """A rule on its operands: recorded as a node if any of them is a node, else just computed on arrays."""
    for x in operands:
        if isinstance(x, Node):
            return x.record(rule, operands)
    return rule.value(*map(np.asarray, operands))
