"""What is reverse mode?  Remember what was computed from what; then walk back and multiply by local derivatives.

    ∂L/∂parent  =  Σ ∂L/∂child · ∂child/∂parent        the chain rule: a sum over the children of the parent

A node knows its value, the rule that made it, and the parents it was made from; never its children, so there are no
reference cycles, and dropping the output frees the graph. It is born after its parents. So in the order of age,
youngest first, every child comes before its parents (a *topological order*), and when the walk arrives at a node, its gradient is complete.

    L  the output      g  ∂L/∂node, the gradient of a node      part  what one child gives to the gradient of one parent
"""

import os
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import count
from operator import attrgetter
from threading import RLock
from typing import Any

from ..text.formulas import derivative


def history(output: Any) -> "History":
    """Every node that `output` was computed from, itself included, oldest first: parents before children."""
    found, stack = {as_node(output, "history")}, [output]
    while stack:
        for parent in stack.pop()._parents:
            if isinstance(parent, Node) and parent not in found:
                found.add(parent)
                stack.append(parent)
    return History(sorted(found, key=by_birth))


def sweep(order: list, gradients: dict, wanted: Any = None, inside: Any = None, graph: bool = False) -> None:
    """Carry the given gradients back through `order`, a history, adding to the dictionary as it goes.

    wanted  the nodes whose gradients are kept, None for all; another node's is dropped once it has been used. Leaves keep theirs
    inside  a set of nodes: no other node receives a gradient
    graph   True: gradients are nodes themselves, so that they can be differentiated again
    """
    watcher = guard.get()
    take = gradients.get if wanted is None else gradients.pop
    special = wanted or watcher
    for child in reversed(order):
        if child.rule is None or (g := take(child, None)) is None:  # a leaf; or nothing reached it
            continue
        if isinstance(g, list):  # parts that wait to be added up: DeferredSum in tensor.py
            g = g.total()  # type: ignore[attr-defined]
        # one part for each parent: g times the local derivative, ∂L/∂child · ∂child/∂parent
        parts = child.rule.parts_of_nodes(child, g, inside) if graph else child.rule.parts(child, g, inside)
        for parent, part in zip(child._parents, parts):
            if part is not None:  # None: for a constant, or a node outside
                so_far = gradients.get(parent)
                gradients[parent] = part if so_far is None else so_far + part  # the chain rule
        if special:
            if wanted and child in wanted:
                gradients[child] = g
            if watcher:
                watcher.passes(child, g, parts)


def contributions(order: list, gradients: dict, inside: Any = None) -> Iterator[tuple[Any, Any, Any]]:
    """The same walk for whoever looks at every part: (child, parent, part), and adds it to `gradients`. All of them are kept."""
    for child in reversed(order):
        if child.rule is not None and child in gradients:
            g = gradients[child] = child.finalise(gradients[child])
            for parent, part in zip(child._parents, child.rule.parts(child, g, inside)):
                if part is not None:
                    yield child, parent, part


def backward(output: Any, seed: Any = None, keep: bool = True) -> None:
    """Fill .grad of every node `output` was computed from: the gradient of `output` (or of seed · output).

    seed  the gradient to start from, of the output's shape; may be left out if the output is one number
    keep  False: fill the leaves only, and drop each interior gradient as soon as it has been used

    The gradients of leaves accumulate over calls (zero_grad() forgets them), those of interior nodes do not. Threads may share leaves.
    Nothing is filled until all is computed: an exception or Ctrl-C leaves every .grad as it was. ValueError for a seed that is missing
    or of another shape, RuntimeError if a leaf changed since the forward pass or the output was computed under no_grad().
    """
    order = history(output)
    output.check(order)
    gradients = {output: output.start(seed)}
    sweep(order, gradients, wanted=None if keep else ())
    with filling: fill(gradients)  # noqa: E701  (on one line, so that no line stands between the two and the release of the lock)


def fill(gradients: dict) -> None:
    """Each node's .grad, a leaf's added to what it has: all in one call of C, so that Ctrl-C cannot fall inside."""
    for node, g in gradients.items():
        if node.rule is None:
            g = node.finalise(g)
            gradients[node] = g if node._grad is None else node.own_copy(node._grad + g)
    deque(map(set_grad, gradients, gradients.values()), maxlen=0)


new, by_birth = object.__new__, attrgetter("birth")
births = count(1)  # of nodes, and of changes to leaves, so that the two can be compared; never printed
guard: ContextVar[Any] = ContextVar("guard", default=None)  # the watcher of every new node and every part, see guards.py
filling = RLock()  # held by the thread that fills; a signal handler of that thread may come in, too
if hasattr(os, "register_at_fork"):  # not on Windows; a child must not wait for a thread that it does not have
    os.register_at_fork(before=filling.acquire, after_in_parent=filling.release, after_in_child=filling.release)


class Node:
    """One value in a graph of computations: a Scalar is a number, a Tensor an array.

    rule  what made it, None for a leaf      birth  its age      changed  when a leaf was last given new data, 0 for never
    """

    __slots__ = ("_value", "_grad", "_name", "rule", "_parents", "birth", "changed", "__weakref__")
    rule: Any
    _parents: tuple[Any, ...]
    # In variable.py, scalar.py and tensor.py:
    data = grad = shape = size = named = backward = record = start = as_gradient = finalise = own_copy = None  # type: Any

    def __init__(self, value: Any, name: Any):
        """A leaf: no rule made it, and it has no parents."""
        self._value, self._grad, self._name = value, None, name
        self.rule, self._parents, self.birth, self.changed = None, (), next(births), 0

    name = property(attrgetter("_name"), doc="A Name, given at birth or by named(); or None.")
    parents = property(attrgetter("_parents"), doc="What the node was made from: nodes and constants, in the order of the operands.")
    op = property(lambda node: "leaf" if node.rule is None else node.rule.name, doc="The name of the op that made this node, or 'leaf'.")
    variables = property(lambda node: [parent for parent in node._parents if isinstance(parent, Node)],
                         doc="The parents that are nodes, in order; x * x has x twice.")
    edges = property(lambda node: [Edge(node, i) for i, parent in enumerate(node._parents) if isinstance(parent, Node)],
                     doc="One edge for each parent that is a node; each carries the local derivative.")


set_grad, set_value, set_changed = (Node.__dict__[slot].__set__ for slot in ("_grad", "_value", "changed"))  # in C


class Edge:
    """From a child to one of its parents, carrying the local derivative ∂child/∂parent."""

    __slots__ = ("child", "index")

    def __init__(self, child: Any, index: int):
        self.child, self.index = child, index

    parent = property(lambda edge: edge.child._parents[edge.index], doc="The node at the other end.")
    local = property(lambda edge: edge.child.local(edge.index),
                     doc="∂child/∂parent as a linear map, made on request. RuntimeError if an operand has changed since.")
    formula = property(lambda edge: edge.child.rule.formula(edge.index),
                       doc="The local derivative as text, in the letters of the op's row: `1 - y * y` for tanh(a).")
    formula_here = property(derivative, doc="The same in this graph's names, worked out: `1 - h[3] * h[3]`, `3 * x ** 2`.")

    def __repr__(self) -> str:
        return f"Edge({describe(self.child)} -> {describe(self.parent)}: {self.formula})"


def new_node(kind: Any, value: Any, rule: Any, parents: tuple) -> Any:
    """The node of this kind that `rule` made of `parents`."""
    node = new(kind)
    node._value, node.rule, node._parents = value, rule, parents
    node._grad = node._name = None
    node.birth, node.changed = next(births), 0
    if (watcher := guard.get()) is not None:
        watcher.made(node)
    return node


class History(list):
    """Nodes, oldest first. `x in history` asks for this very node, not for one of the same value."""

    def __contains__(self, x: object) -> bool:
        return any(x is node for node in self)


def as_node(x: Any, what: str) -> Any:
    """x itself, if it is a node; else TypeError, which says how a gradient is asked for."""
    if isinstance(x, Node):
        return x
    way = "plain values are constants: leave out .data and .item(); np.round, argmax, comparisons give no node either"
    way = "call it first, y = f(x), then grad(y, x)" if callable(x) else way
    way = "give it one leaf of the model's parameters()" if hasattr(x, "parameters") else way
    raise TypeError(f"{what} needs a node (a Scalar or a Tensor), got {type(x).__name__}; {way}")


def plain(x: Any) -> Any:
    """The value behind a node; anything else as it is."""
    return x.data if isinstance(x, Node) else x


def describe(node: Any) -> str:
    """How messages call a node: its name, else what made it. Never a counter or an address."""
    if not isinstance(node, Node):
        return "a constant"
    kind = type(node).__name__
    return str(node._name) if node._name else f"an unnamed {kind}" if node.rule is None else f"the {kind} made by {node.rule.name}"
