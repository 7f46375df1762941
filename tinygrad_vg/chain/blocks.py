"""Which ops belong together?  A normalisation, a softmax, an activation written in other ops: a block, from one node to another.

    (x − m) / √(v + ε)      e / Σ e      x / (1 + |x|)      1 / (1 + exp(−x))

Several paths lead through it, or steps that only together are a slope; apart they say nothing. A block is one factor, known by its
form, whatever its nodes are called, and it is walked in one step.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..autodiff.core import Node, by_birth, sweep
from ..autodiff.maps import LinearOperation
from ..autodiff.rows import Elementwise

LINEAR = {"add", "subtract", "negative", "multiply", "divide"}  # elementwise, and yet no activations by themselves
CURVED = {"exp", "expm1", "log", "log1p", "power", "square", "sqrt", "abs"}  # what activations are written with
MEANS = {"sum", "mean"}
ENDS = {"divide", "multiply", "subtract", "log", "power"}
LONGEST = 12  # ops in a block


class Block(NamedTuple):
    """Ops that are one factor: kind "norm", "attention" (a softmax) or "activation"; the last of them is the end."""

    kind: str
    start: Node
    ops: list[Node]

    def pull(self, g: Any) -> Any:
        """The gradient at the start, of one at the end."""
        end = self.ops[-1]
        gradients = {end: g}
        sweep(self.ops, gradients, wanted={self.start}, inside={self.start, *self.ops[:-1]})
        return self.start.finalise(gradients[self.start])


def blocks_of(order: list[Node], inside: set[Node], apart: Iterable[Node] = ()) -> dict[Node, Block]:
    """{end: block} of the blocks among the nodes of `order` that are inside; no node of `apart` lies within one."""
    children: Counter[Node] = Counter()
    found: dict[Node, Block] = {}
    apart, hidden = set(apart), set[Node]()
    for node in reversed(order):
        if node.op in ENDS and node not in hidden and (block := block_to(node, inside)):
            children = children or Counter(parent for node in order for parent in node.variables)
            within = block.ops[:-1]
            used = Counter(parent for op in block.ops for parent in op.variables)
            if apart.isdisjoint(within) and all(children[op] == used[op] for op in within):
                found[node] = block
                hidden |= set(within)
    return found


def block_to(end: Node, inside: set[Node]) -> Block | None:
    """The smallest block that ends here: back through its ops until all paths have met in one node."""
    ops, front = [end], varying(end, inside)
    while len(front) > 1:
        node = max(front, key=by_birth)
        if len(ops) > LONGEST or not isinstance(node.rule, (Elementwise, LinearOperation)):
            return None
        ops.append(node)
        front.remove(node)
        front |= varying(node, inside)
    if not front:
        return None
    names = {op.op for op in ops}
    (met,) = front
    curve = [] if end.op == "subtract" else curved_before(met, inside)
    ops += curve
    if not len(ops) > 1 or (end.op == "subtract" and "mean" not in names):
        return None
    (start,) = varying(ops[-1], inside) if curve else front
    kind = "activation" if not names & MEANS else "attention" if "sum" in names and curve and curve[-1].op == "exp" else "norm"
    return Block(kind, start, ops[::-1]) if kind != "activation" or is_slope(ops, start) else None


def curved_before(node: Node, inside: set[Node]) -> list[Node]:
    """The ops in a row that lead to a node, youngest first, as far back as one of them is curved: 1 + e, e = exp(x)."""
    row: list[Node] = []
    last = 0
    while (node.op in CURVED or node.op in LINEAR) and len(parents := varying(node, inside)) == 1 and len(row) < LONGEST:
        if len(node.variables) > 1 and node.op not in CURVED:
            break  # with a leaf or what comes from elsewhere
        row.append(node)
        last = len(row) if node.op in CURVED else last
        (node,) = parents
    return row[:last]


def is_slope(ops: list[Node], start: Node) -> bool:
    """Whether the block is an activation: each entry of its end depends on the matching entry of the start alone, in a curve."""
    entrywise = all(isinstance(op.rule, Elementwise) and op.shape == start.shape for op in ops)
    return entrywise and any(op.op not in LINEAR for op in ops) and all(set(op.variables) <= {start, *ops} for op in ops)


def varying(node: Node, inside: set[Node]) -> set[Node]:
    """The parents that lie on the way to the source."""
    return {parent for parent in node.parents if isinstance(parent, Node) and parent in inside}
