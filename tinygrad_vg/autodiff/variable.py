"""How does a node behave in Python?  Its operators, its value and gradient, its name, how it prints.

`a += b` makes a new node and rebinds the name, as for Python's numbers. A comparison is a plain bool or bool array and records
nothing. Nodes hash by identity; since `==` may make an array, the package compares nodes with `is`, sets and dicts only.
"""

import operator
from typing import Any, NoReturn

from . import table as d
from .core import Node, backward, describe, plain
from .guards import check_unchanged, check_walk, put_in_place

ONE_OPERAND = [d.OPS[op] for op in "abs exp log log1p expm1 sqrt square sin cos tanh sigmoid relu sign softplus".split()]


def reflected(method: Any) -> Any:
    """a ∘ b as a method of b: 2 * x asks x."""
    def op(b: Any, a: Any) -> Any: return method(a, b)
    return op


class Name(tuple):  # a NamedTuple has a line without source
    """A base and an index: Name("h", (3,)) prints as h[3], Name("W_hh") as W_hh."""

    __slots__ = ()
    base, index = property(operator.itemgetter(0)), property(operator.itemgetter(1))
    def __new__(cls, base: str, index: tuple[int, ...] = ()) -> Any: return tuple.__new__(cls, (base, index))
    def __getnewargs__(self) -> tuple: return tuple(self)
    def __str__(self) -> str: return f"{self.base}[{','.join(map(str, self.index))}]" if self.index else self.base


class Variable(Node):
    """What Scalars and Tensors share. Each says itself how its value is kept from writing, and printed."""

    __slots__ = ()
    backward, check = backward, check_walk
    leaky_relu, elu, clip, maximum, minimum = d.leaky_relu, d.elu, d.clip, d.maximum, d.minimum
    abs, exp, log, log1p, expm1, sqrt, square, sin, cos, tanh, sigmoid, relu, sign, softplus = ONE_OPERAND
    read_only = value_text = None  # type: Any

    def __init__(self, value: Any, name: Any):
        super().__init__(value, name if name is None or isinstance(name, Name) else Name(str(name)))

    @property
    def data(self) -> Any:
        """The value: a float, or a read-only array. A leaf's may be assigned; ValueError on other nodes and for another shape."""
        self._value = self.read_only(self._value)
        return self._value

    @data.setter
    def data(self, value: Any) -> None:
        put_in_place({self: self.as_data(value)})

    def as_data(self, value: Any) -> Any:
        """value as this leaf keeps it; ValueError on other nodes and for another shape."""
        if self.rule is not None:
            raise ValueError(f"{describe(self)} was computed by {self.op}; only the data of a leaf can be assigned")
        new = type(self)(value)  # type: ignore[call-arg]
        if new.shape != self.shape:
            raise ValueError(f"{describe(self)} has shape {self.shape}; data of shape {new.shape} cannot replace its value")
        same = getattr(new, "dtype", None) is getattr(self, "dtype", None)
        return new._value if same else self.read_only(self.finalise(new._value))

    @property
    def grad(self) -> Any:
        """d output / d self after output.backward(); None before. A leaf's is its own, an interior node's is read-only."""
        if self.rule is not None and self._grad is not None:
            self._grad = self.read_only(self.finalise(self._grad))
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if isinstance(value, Node):
            raise TypeError(f"the gradient of {describe(self)} is a plain value, not a node; assign {describe(value)}.data")
        self._grad = None if value is None else self.as_gradient(value, f"the gradient of {describe(self)}")

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def detach(self) -> Any:
        """The plain value, a float or a read-only array: a constant wherever it is used."""
        return self.data

    def item(self) -> float:
        """The value as a Python number; ValueError unless there is exactly one."""
        if self.size != 1:
            raise ValueError(f"item() needs exactly one number; {describe(self)} has shape {self.shape}")
        return float(self._value.item() if self.shape else self._value)

    def named(self, base: str, *index: int) -> Any:
        """Name the node, once, and return it: `h.named("h", t)` is h[t]. A second, different name raises ValueError."""
        name = Name(str(base), tuple(map(operator.index, index)))
        if self._name not in (None, name):
            raise ValueError(f"this node is already named {self._name}; a node is named once, so it cannot be {name}")
        self._name = name
        return self

    def start(self, seed: Any, graph: bool = False) -> Any:
        """The gradient that a walk back from here starts from: the seed, or 1 if this is one number."""
        if seed is None and self.size != 1:
            way = "so it has no single gradient; pass a seed of that shape or reduce it with .sum()"
            raise ValueError(f"{describe(self)} has shape {self.shape}, {way}")
        return self.as_gradient(1.0 if seed is None else seed if graph else plain(seed), "the seed")

    def local(self, i: int) -> Any:
        """∂self/∂parent i, a linear map. RuntimeError if an operand has changed since."""
        for parent in self.variables:
            check_unchanged(self, parent)
        return self.rule.local(i, self._value, [x._value if isinstance(x, Node) else x for x in self._parents])

    def __pos__(self) -> Any:                return self
    def __neg__(self) -> Any:                return d.negative(self)
    def __abs__(self) -> Any:                return d.absolute(self)
    def __eq__(self, other: object) -> Any:  return False if other is None else self._value == plain(other)
    def __ne__(self, other: object) -> Any:  return True if other is None else self._value != plain(other)
    def __lt__(self, other: Any) -> Any:     return self._value < plain(other)
    def __le__(self, other: Any) -> Any:     return self._value <= plain(other)
    def __gt__(self, other: Any) -> Any:     return self._value > plain(other)
    def __ge__(self, other: Any) -> Any:     return self._value >= plain(other)
    __hash__ = Node.__hash__
    def __format__(self, spec: str) -> str:  return format(self.item(), spec) if spec else str(self)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of {describe(self)}, shape {self.shape}, is ambiguous; use (x.data > 0).any() or .all()")
        return bool(self.item())

    def __float__(self) -> NoReturn:
        way = "take its value with .item(); for math.exp(x), math.tanh(x) … write x.exp(), x.tanh() …, or tanh(x) from tinygrad_vg; "
        way += "the entries of an array are collected in a list and joined: stack([…])"
        raise TypeError(f"{describe(self)} would lose its gradient as a plain number; {way}")
    __int__ = __float__

    def __repr__(self) -> str:
        origin = f", name={str(self._name)!r}" if self._name else f", op={self.op!r}" if self.rule is not None else ""
        return f"{type(self).__name__}({self.value_text()}{origin})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A leaf copies and pickles as its value and name; a graph does neither."""
        if self.rule is not None:
            raise TypeError(f"{describe(self)} is part of a graph, which is neither copied nor pickled; take its value with .data")
        return type(self), (plain(self), self._name)
