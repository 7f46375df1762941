"""What is there to draw?  Boxes, arrows and groups: the graph as plain text and numbers, before any question of layout.

A box is a node, a constant, or an alias (`W_hh ↗`: this step uses the weight drawn elsewhere). An arrow is one parent slot:
a * a has two. Nothing here keeps a node alive, so a picture does not keep its graph.

    heat  log10 of |gradient| (box) or of the gain (arrow): -inf is an exact zero, None is unknown
    gain  |contribution to the parent's gradient| / |gradient of the child|; for a Scalar |local derivative|
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.node import Edge, Node, history
from ..autodiff.scalar import Scalar
from ..chain.text import clean
from .steps import rows, shared, steps

SHARED = "shared weights"
LONGEST_NAME, LONGEST_LABEL = 200, 28


class Box(NamedTuple):
    lines: tuple[str, ...]
    tooltip: str
    kind: str  # "leaf", "node", "output", "constant" or "alias"
    heat: float | None = None
    row: int | None = None


class Arrow(NamedTuple):
    tail: int  # the numbers of the boxes
    head: int
    lines: tuple[str, ...] = ()
    tooltip: str = "a constant: no derivative"
    heat: float | None = None


class Group(NamedTuple):
    label: str
    boxes: list[int]


class Picture(NamedTuple):
    boxes: list[Box]
    arrows: list[Arrow]
    groups: list[Group]  # from first to last; boxes in no group come after them


def picture(output: Node, limit: int) -> Picture:
    """Everything that is drawn for `output`, boxes numbered in drawing order. ValueError above `limit` boxes."""
    order = history(output)
    check_limit(len(order), limit)
    return Sketch(order, limit).picture()


class Sketch:
    """A picture being drawn, oldest node first."""

    def __init__(self, order: list[Node], limit: int):
        self.order, self.limit, self.step = order, limit, steps(order)
        (self.weights, self.hubs), self.row = shared(order, self.step), rows(order, self.step)
        self.stale = {edge.parent for node in order for edge in node.edges if changed(edge)}
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.members: dict[Any, list[int]] = {}
        self.number: dict[Any, int] = {}

    def picture(self) -> Picture:
        with np.errstate(all="ignore"):
            for node in self.order:
                tails = [self.tail(parent, node) for parent in node.parents]
                group = SHARED if node in self.weights else self.step.get(node)
                self.number[node] = self.add(self.box(node), group)
                edges = {edge.index: edge for edge in node.edges}
                self.arrows += [arrow(tail, self.number[node], edges.get(i)) for i, tail in enumerate(tails)]
        return Picture(self.boxes, self.arrows, self.groups())

    def add(self, box: Box, group: Any) -> int:
        check_limit(len(self.boxes) + 1, self.limit)
        self.boxes.append(box)
        self.members.setdefault(group, []).append(len(self.boxes) - 1)
        return len(self.boxes) - 1

    def tail(self, parent: Any, child: Node) -> int:
        """The box an arrow into `child` starts from: the parent's own, a new one for a constant, this step's alias."""
        here = self.step.get(child)
        if not isinstance(parent, Node):
            return self.add(constant_box(parent), here)
        near = here in (self.step.get(parent), self.step.get(parent, 0) + 1)
        if parent not in self.weights and (near or parent not in self.hubs):
            return self.number[parent]
        if (parent, here) not in self.number:
            self.number[parent, here] = self.add(alias_box(parent), here)
        return self.number[parent, here]

    def box(self, node: Node) -> Box:
        kind = "output" if node is self.order[-1] else "leaf" if node.rule is None else "node"
        lines, full = [title(node), value(node.data)], [title(node), f"value {value(node.data, 17)}"]
        if node.grad is not None:
            lines.append(f"grad {number(node.grad)}" if np.shape(node.grad) == () else f"|grad| {number(norm(node.grad))}")
            full.append(f"gradient {value(node.grad, 17)}")
        if node in self.stale:
            lines.append("changed since it was used")
        return Box(tuple(lines), "\n".join(full), kind, heat(node.grad), self.row.get(node))

    def groups(self) -> list[Group]:
        word = "t =" if self.weights else "layer"
        named = [Group(SHARED, self.members[SHARED])] if SHARED in self.members else []
        return named + [Group(f"{word} {step}", self.members[step]) for step in sorted(set(self.step.values()) & self.members.keys())]


def arrow(tail: int, head: int, edge: Edge | None) -> Arrow:
    """The arrow of one parent slot, with its derivative unless the parent is a constant."""
    if edge is None:
        return Arrow(tail, head)
    formula = short(clean(edge.formula_here), LONGEST_NAME)
    if changed(edge):
        return Arrow(tail, head, (short(formula),), f"∂child/∂parent = {formula}\nthe parent has changed since")
    if isinstance(edge.child, Scalar):
        slope = float(edge.local)
        return Arrow(tail, head, (number(slope),), f"∂child/∂parent = {formula} = {number(slope, 17)}", heat(slope))
    ratio = gain(edge)
    if ratio is None:
        return Arrow(tail, head, (short(formula),), f"∂child/∂parent = {formula}")
    lines = (short(formula),) if formula == "1" and ratio == 1 else (short(formula), f"gain {number(ratio)}")
    return Arrow(tail, head, lines, f"∂child/∂parent = {formula}\ngain {number(ratio, 17)}", heat(ratio))


def gain(edge: Edge) -> float | None:
    """|Jᵀ g| / |g|, g the gradient of the child; None where there is no g, or nothing but zeros."""
    g = edge.child.grad
    if g is None or norm(g) == 0:
        return None
    return norm(edge.local.pull(g)) / norm(g)


def changed(edge: Edge) -> bool:
    return edge.parent.changed > edge.child.birth


def alias_box(node: Node) -> Box:
    name = str(node.name) if node.name else node.op
    return Box((f"{short(clean(name), LONGEST_NAME)} ↗",), f"{title(node)}\ndrawn once, used here too", "alias", heat(node.grad))


def constant_box(x: Any) -> Box:
    lines = (number(x),) if isinstance(x, (int, float)) else ("constant", value(x))
    return Box(lines, f"a constant, {value(x, 17)}", "constant")


def title(node: Node) -> str:
    """`h[3] = tanh`; without a name the op alone."""
    name = short(clean(str(node.name)), LONGEST_NAME) if node.name else ""
    op = short(clean(node.op), LONGEST_NAME)
    return f"{name} = {op}" if name and node.rule is not None else name or op


def value(x: Any, digits: int = 4) -> str:
    """One number as itself; an array as its shape and norm."""
    return number(x, digits) if np.shape(x) == () else f"{'×'.join(map(str, np.shape(x)))}, norm {number(norm(x), digits)}"


def number(x: Any, digits: int = 4) -> str:
    """Significant digits, so that nothing but zero prints as 0."""
    return "0" if x == 0 else format(float(x), f".{digits}g")


def norm(x: Any) -> float:
    """√Σx², scaled so that it does not under- or overflow on the way."""
    x = np.abs(np.asarray(x, dtype=float)).ravel()
    top = float(x.max(initial=0.0))
    return top * float(np.linalg.norm(x / top)) if 0 < top < math.inf else top


def heat(x: Any) -> float | None:
    size = None if x is None else norm(x)
    return size if size is None or size != size else math.log10(size) if size else -math.inf


def short(text: str, longest: int = LONGEST_LABEL) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def check_limit(boxes: int, limit: int) -> None:
    """ValueError above the limit: nobody could read the picture, and laying it out would take minutes."""
    if boxes > limit:
        raise ValueError(
            f"the graph has more than {limit:,} boxes; draw a smaller part, or lift the limit: draw(output, limit={2 * boxes})"
        )
