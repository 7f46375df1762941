"""What is a node?  A value, the rule that made it, the parents it was made from, and the order of its birth.

Nothing else is needed for the chain rule. A node knows its parents and never its children, so a graph has no
reference cycles, and dropping the output frees it all. A node is born after its parents, so *age is a topological
order*: walk a history oldest first and it is forward mode, youngest first and it is reverse mode.

`Scalar` (one number) and `Tensor` (an array) are the two kinds of node; a plain number or array is a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from operator import index as as_integer
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from .maps import LinearMap

births = count(1)  # shared by births and changes, so that the two can be compared; never printed
latest_change = [0]
recording: ContextVar[bool] = ContextVar("recording", default=True)
AnyNode = TypeVar("AnyNode", bound="Node")


class Name(NamedTuple):
    """A base and an index: ('h', (3,)) prints as h[3], ('W_hh', ()) as W_hh."""

    base: str
    index: tuple[int, ...] = ()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.base}[{','.join(map(str, self.index))}]" if self.index else self.base


class Node:
    """One value in a graph of computations.

    data     the value                                        rule     what made it (None: a leaf)
    grad     d output / d self after output.backward()        parents  what it was made from, constants included
    name     a Name, or None                                  edges    one for each parent that is a node
    """

    __slots__ = ("_value", "_grad", "_name", "_parents", "rule", "birth", "changed", "__weakref__")
    _value: Any
    _grad: Any
    _name: Name | None
    _parents: tuple
    rule: Any
    birth: int
    changed: int  # when a leaf was last given new data; 0: never

    # What each kind of node adds:
    #   record(rule, operands)   the node that a rule makes           local(i)         ∂self/∂parent i, a linear map
    #   contributions(g, …)      what each parent receives of g       settle(g)        g, complete, as it is stored
    #   like(value, what)        value in this node's shape           owned(g, taken)  g sharing no memory
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def name(self) -> Name | None:
        return self._name

    def named(self: AnyNode, base: str, *index: int) -> AnyNode:
        """Name the node, once, and return it: `h.named("h", t)` is h[t]. A second, different name raises ValueError."""
        name = Name(str(base), tuple(as_integer(i) for i in index))
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

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # A comparison is a plain bool or bool array and records nothing. Nodes hash by identity; `==` may make an array, so
    # the package itself compares nodes with `is`, sets and dicts only.
    # fmt: off
    def __eq__(self, other: object) -> Any: return False if other is None else self._value == plain(other)  # noqa: E704
    def __ne__(self, other: object) -> Any: return True if other is None else self._value != plain(other)  # noqa: E704
    def __lt__(self, other: Any) -> Any: return self._value < plain(other)  # noqa: E704
    def __le__(self, other: Any) -> Any: return self._value <= plain(other)  # noqa: E704
    def __gt__(self, other: Any) -> Any: return self._value > plain(other)  # noqa: E704
    def __ge__(self, other: Any) -> Any: return self._value >= plain(other)  # noqa: E704
    # fmt: on
    __hash__ = object.__hash__

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A leaf copies and pickles as its value and name; a graph does neither."""
        if self.rule is not None:
            raise TypeError(f"{describe(self)} is part of a graph, which is neither copied nor pickled; take its value with .data")
        return type(self), (plain(self), None if self._name is None else self._name)


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


def history(output: Node) -> list[Node]:
    """Every node that `output` was computed from, itself included, oldest first (parents before children)."""
    if not isinstance(output, Node):
        raise TypeError(f"history needs a node (a Scalar or a Tensor), got {type(output).__name__}")
    seen, stack = {output}, [output]
    while stack:
        for parent in stack.pop()._parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("birth"))


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside `with no_grad():` (or under `@no_grad()`) ops compute values and record nothing. Per thread and task."""
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)


class Unrecorded:
    """The rule of a node computed under no_grad(): it has a value and no past."""

    name = "no_grad"


UNRECORDED = Unrecorded()


def plain(x: Any) -> Any:
    """The value behind a node; anything else as it is."""
    return x.data if isinstance(x, Node) else x


def describe(node: Any) -> str:
    """How messages call a node: its name, else what made it. Never a counter or an address."""
    if not isinstance(node, Node):
        return "a constant"
    kind = type(node).__name__
    return str(node._name) if node._name else f"an unnamed {kind}" if node.rule is None else f"the {kind} made by {node.op}"


def changed_now(leaf: Node) -> None:
    """Stamp the leaf: it has just been given new data."""
    leaf.changed = latest_change[0] = next(births)


def check_unchanged(child: Node, parent: Node) -> None:
    """RuntimeError if the parent, a leaf, was given new data after the child was computed from the old."""
    if parent.changed > child.birth:
        raise RuntimeError(
            f"{describe(parent)} was given new data after {child.op} used it, so the derivative at {describe(child)} "
            "no longer fits the value; run the forward pass again"
        )
