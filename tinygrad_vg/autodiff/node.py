"""What is a node?  A value, the rule that made it, the parents it was made from, and the order of its birth.

Nothing else is needed for the chain rule. A node knows its parents and never its children, so a graph has no
reference cycles, and dropping the output frees it all. A node is born after its parents, so *age is a topological
order*: walk a history oldest first and it is forward mode, youngest first and it is reverse mode.

`Scalar` (one number) and `Tensor` (an array) are the two kinds of node; a plain number or array is a constant.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from ..hints import AbsentFromNodes, Switch

if TYPE_CHECKING:
    from .maps import LinearMap

births = count(1)  # shared by births and changes, so that the two can be compared; never printed
latest_change = [0]
AnyNode = TypeVar("AnyNode", bound="Node")


class Mode(NamedTuple):
    """What is out of the ordinary: recording is False inside no_grad(), watch is the Watch of detect_anomaly()."""

    recording: bool = True
    watch: Any = None


mode: ContextVar[Mode | None] = ContextVar("mode", default=None)  # None: nothing; one look per op


class Name(NamedTuple):
    """A base and an index: ('h', (3,)) prints as h[3], ('W_hh', ()) as W_hh."""

    base: str
    index: tuple[int, ...] = ()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.base}[{','.join(map(str, self.index))}]" if self.index else self.base


class Node(AbsentFromNodes):
    """One value in a graph of computations.

    data     the value                                        rule     what made it (None: a leaf)
    grad     d output / d self after output.backward()        parents  what it was made from, constants included
    name     a Name, or None                                  edges    one for each parent that is a node

    backward(seed=None, keep=True) fills .grad of its whole history; leaves accumulate over calls.
    """

    __slots__ = ("_value", "_grad", "_name", "rule", "birth", "changed", "__weakref__")

    # What each kind of node adds:
    #   record(rule, operands)   the node that a rule makes           maker(rule, kinds)  the same for a rule that is text, compiled
    #   local(i)                 ∂self/∂parent i, a linear map        _parents            what it was made from
    #   hand_on(self, g, …)      adds to each parent's its part of g  settle(g)           g, complete, as it is read
    #   like(value, what)        value in this node's shape           owned(g)            g sharing no memory
    #   closed(value)            value, not to be written into        digits()            the value, as it is printed
    #   forget()                 the node without its parents
    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, value: Any, name: Any):
        """A leaf: no rule made it, and it has no parents."""
        self._value, self._grad = value, None
        self._name = name if name is None or isinstance(name, Name) else Name(str(name))
        self.rule: Any = None
        self.birth, self.changed = next(births), 0  # changed: when a leaf was last given new data; 0: never

    def noticed(self: AnyNode, now: Mode) -> AnyNode:
        """A new node where something is out of the ordinary: under no_grad() it forgets where it came from."""
        if not now.recording:
            self.rule = Unrecorded
            self.forget()
        if now.watch:
            now.watch.made(self)
        return self

    @property
    def data(self) -> Any:
        """The value: a float, or a read-only array. A leaf's may be assigned; ValueError on other nodes and for another shape."""
        self._value = self.closed(self._value)
        return self._value

    @data.setter
    def data(self, value: Any) -> None:
        if self.rule is not None:
            raise ValueError(f"{describe(self)} was computed by {self.op}; only the data of a leaf can be assigned")
        new = type(self)(value)  # type: ignore[call-arg]
        if new.shape != self.shape:
            raise ValueError(f"{describe(self)} has shape {self.shape}; data of shape {new.shape} cannot replace its value")
        self._value = self.closed(self.settle(new._value))
        self.changed = latest_change[0] = next(births)

    @property
    def grad(self) -> Any:
        """d output / d self after output.backward(); None before. A leaf's is its own, an interior node's is read-only."""
        if self.rule is not None and self._grad is not None:
            self._grad = self.closed(self.settle(self._grad))
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if isinstance(value, Node):
            raise TypeError(f"the gradient of {describe(self)} is a plain value, not a node; assign {describe(value)}.data")
        self._grad = None if value is None else self.like(value, f"the gradient of {describe(self)}")

    def detach(self) -> Any:
        """The plain value, a float or a read-only array: a constant wherever it is used."""
        return self.data

    @property
    def name(self) -> Name | None:
        """A Name, given at birth or by named(); or None."""
        return self._name

    def named(self: AnyNode, base: str, *index: int) -> AnyNode:
        """Name the node, once, and return it: `h.named("h", t)` is h[t]. A second, different name raises ValueError."""
        name = Name(str(base), tuple(map(operator.index, index)))
        if self._name and self._name != name:
            raise ValueError(f"this node is already named {self._name}; a node is named once, so it cannot be {name}")
        self._name = name
        return self

    @property
    def parents(self) -> tuple:
        """What the node was made from: nodes and constants, in the order of the operands."""
        return self._parents

    @property
    def op(self) -> str:
        """The name of the op that made this node; 'leaf' if none did."""
        return "leaf" if self.rule is None else self.rule.name

    @property
    def variables(self) -> list[Node]:
        """The parents that are nodes, in order; x * x has x twice."""
        return [parent for parent in self._parents if isinstance(parent, Node)]

    @property
    def edges(self) -> list[Edge]:
        """One edge for each parent that is a node; each carries the local derivative."""
        return [Edge(self, i) for i, parent in enumerate(self._parents) if isinstance(parent, Node)]

    def item(self) -> float:
        """The value as a Python number; ValueError unless there is exactly one."""
        if self.size != 1:
            raise ValueError(f"item() needs exactly one number; {describe(self)} has shape {self.shape}")
        return float(self._value.item() if self.shape else self._value)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of {describe(self)}, shape {self.shape}, is ambiguous; use (x.data > 0).any() or .all()")
        return bool(self.item())

    def __float__(self) -> NoReturn:
        way = "take its value with .item(); in place of math.tanh(x) write x.tanh(), or tanh(x) from tinygrad_vg"
        raise TypeError(f"{describe(self)} would lose its gradient as a plain number; {way}")

    __int__ = __float__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        origin = f", name={str(self._name)!r}" if self._name else f", op={self.op!r}" if self.rule is not None else ""
        return f"{type(self).__name__}({self.digits()}{origin})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A leaf copies and pickles as its value and name; a graph does neither."""
        if self.rule is not None:
            raise TypeError(f"{describe(self)} is part of a graph, which is neither copied nor pickled; take its value with .data")
        return type(self), (plain(self), self._name)


# How the life of every new node begins, once it has its parents. As text: it is pasted into the functions that make nodes.
BIRTH = """
    self._value, self.rule = y, _rule
    self._grad = self._name = None
    self.changed = 0
    self.birth = _next(_births)
    return self if _mode() is None else self.noticed(_mode())
"""
BIRTH_NAMES = {"_new": object.__new__, "_next": next, "_births": births, "_mode": mode.get}


class Edge:
    """From a child to one of its parents, carrying the local derivative ∂child/∂parent."""

    __slots__ = ("child", "index")

    def __init__(self, child: Node, index: int):
        self.child, self.index = child, index

    @property
    def parent(self) -> Node:
        return self.child.parents[self.index]

    @property
    def local(self) -> LinearMap:
        """∂child/∂parent as a linear map: what the sweep multiplies by. RuntimeError if the parent has changed since."""
        check_unchanged(self.child, self.parent)
        return self.child.local(self.index)

    @property
    def formula(self) -> str:
        """The local derivative as text, in the letters of the op's row: `1 - y * y` on the edge from tanh(a) to a."""
        return self.child.rule.formula(self.index)

    @property
    def formula_here(self) -> str:
        """The same in this graph's names: `1 - h[3] * h[3]`."""
        names = [f"{p:.4g}" if isinstance(p, (int, float)) else getattr(p, "name", None) for p in self.child.parents]
        return self.child.rule.formula(self.index, [name and str(name) for name in names], str(self.child.name or "y"))

    def __repr__(self) -> str:
        return f"Edge({describe(self.child)} -> {describe(self.parent)}: {self.formula})"


class History(list):
    """Nodes, oldest first. `x in history` asks for this very node, not for one of the same value."""

    def __contains__(self, x: object) -> bool:
        return any(x is node for node in self)


def history(output: Node) -> list[Node]:
    """Every node that `output` was computed from, itself included, oldest first (parents before children)."""
    stack = [as_node(output, "history")]
    seen = set(stack)
    while stack:
        for parent in stack.pop()._parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return History(sorted(seen, key=operator.attrgetter("birth")))


def as_node(x: Any, what: str) -> Node:
    """x itself, if it is a node; else TypeError, which says how a gradient is asked for."""
    if isinstance(x, Node):
        return x
    way = "call it first, y = f(x), then grad(y, x)" if callable(x) else "plain values have no history: leave out .data and .item()"
    raise TypeError(f"{what} needs a node (a Scalar or a Tensor), got {type(x).__name__}; {way}")


@contextmanager
def switched(**changes: Any) -> Iterator[None]:
    """Inside the with-block the mode is changed. Per thread and task."""
    token = mode.set((mode.get() or Mode())._replace(**changes))
    try:
        yield
    finally:
        mode.reset(token)


@Switch
def no_grad() -> Any:
    """Inside `with no_grad():` (or under `@no_grad()`) ops compute values and record nothing. Per thread and task."""
    return switched(recording=False)


class Unrecorded:
    """The rule of a node computed under no_grad(): it has a value and no past."""

    name = "no_grad"


def plain(x: Any) -> Any:
    """The value behind a node; anything else as it is."""
    return x.data if isinstance(x, Node) else x


def describe(node: Any) -> str:
    """How messages call a node: its name, else what made it. Never a counter or an address."""
    if not isinstance(node, Node):
        return "a constant"
    kind = type(node).__name__
    return str(node._name) if node._name else f"an unnamed {kind}" if node.rule is None else f"the {kind} made by {node.op}"


def check_unchanged(child: Node, parent: Node) -> None:
    """RuntimeError if the parent, a leaf, was given new data after the child was computed from the old."""
    if parent.changed > child.birth:
        raise RuntimeError(
            f"{describe(parent)} was given new data after {child.op} used it, so the derivative at {describe(child)} "
            "no longer fits the value; run the forward pass again"
        )
