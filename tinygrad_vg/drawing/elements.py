"""What is there to draw?  Boxes, arrows and groups, as plain text and numbers, before any question of layout.

A box is a node, a constant, an alias (`W_hh ↗`: this step uses the weight drawn elsewhere), or several nodes folded into one.
An arrow is one parent slot, or several between the same two boxes: a * a has two arrows. Nothing here keeps a node alive, so a
picture does not keep its graph.

    heat  log10 of |gradient| (box) or of the gain (arrow): -inf is an exact zero, None is unknown
    gain  |contribution to the parent's gradient| / |gradient of the child|; for a Scalar |local derivative|
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.node import Edge, Node
from ..autodiff.scalar import Scalar
from ..chain.factors import norm
from ..chain.text import clean

LONGEST_NAME, LONGEST_LABEL = 200, 28


class Box(NamedTuple):
    lines: tuple[str, ...]
    tooltip: str
    kind: str  # "leaf", "node", "output", "constant", "alias" or "folded"
    heat: float | None = None
    row: int | None = None
    name: str = ""
    value: Any = None  # the number or array itself; of a folded box nothing
    gradient: Any = None  # in a backward pass from the output, also where none has been run
    of: int | None = None  # an alias: the box it stands for
    nodes: int = 1  # how many nodes it stands for, and how many of their arrows it does not show
    inside: int = 0


class Arrow(NamedTuple):
    tail: int  # the numbers of the boxes
    head: int
    lines: tuple[str, ...] = ()
    tooltip: str = "a constant: no derivative"
    heat: float | None = None
    local: Any = None  # the linear map, if it is one edge
    count: int = 1  # type: ignore[assignment]  # how many edges it stands for

    @property
    def loop(self) -> bool:
        """Whether it leads back in the picture: to the next step, in a recurrence rolled into one."""
        return self.tail >= self.head


class Group(NamedTuple):
    label: str
    boxes: list[int]


class Picture(NamedTuple):
    boxes: list[Box]
    arrows: list[Arrow]
    groups: list[Group]  # from first to last; boxes in no group come after them
    note: str = ""  # what was folded, if anything was


def node_box(node: Node, kind: str, row: int | None, gradient: Any, stale: bool) -> Box:
    """Name and op, value (or shape and norm), gradient."""
    lines, full = [title(node), value(node.data)], [title(node), f"value {value(node.data, 17)}"]
    if node.grad is not None:
        lines.append(f"grad {number(node.grad)}" if np.shape(node.grad) == () else f"|grad| {number(norm(node.grad))}")
        full.append(f"gradient {value(node.grad, 17)}")
    if stale:
        lines.append("changed since it was used")
    return Box(tuple(lines), "\n".join(full), kind, heat(node.grad), row, title(node), node.data, gradient)


def alias_box(node: Node, of: int) -> Box:
    name = label_of(node)
    return Box((f"{name} ↗",), f"{title(node)}\ndrawn once, used here too", "alias", heat(node.grad), name=name, of=of)


def constant_box(x: Any, times: int = 1) -> Box:
    lines = (number(x),) if isinstance(x, (int, float)) else ("constant", value(x))
    many = (f"× {times}",) if times > 1 else ()
    words = f"a constant, {value(x, 17)}" + (f", the last of {times}" if many else "")
    return Box(lines[:1] + many if many else lines, words, "constant", value=None if many else x, nodes=times)


def edge_arrow(tail: int, head: int, edge: Edge | None) -> Arrow:
    """The arrow of one parent slot, with its derivative unless the parent is a constant."""
    if edge is None:
        return Arrow(tail, head)
    formula = short(clean(edge.formula_here), LONGEST_NAME)
    words = f"∂child/∂parent = {formula}"
    if changed(edge):
        return Arrow(tail, head, (short(formula),), f"{words}\nthe parent has changed since")
    if isinstance(edge.child, Scalar):
        slope = float(edge.local)
        return Arrow(tail, head, (number(slope),), f"{words} = {number(slope, 17)}", heat(slope), edge.local)
    ratio = gain(edge)
    if ratio is None:
        return Arrow(tail, head, (short(formula),), words, local=edge.local)
    lines = (short(formula),) if formula == "1" and ratio == 1 else (short(formula), f"gain {number(ratio)}")
    return Arrow(tail, head, lines, f"{words}\ngain {number(ratio, 17)}", heat(ratio), edge.local)


def gain(edge: Edge, size: float | None = None) -> float | None:
    """|Jᵀ g| / |g|, g the gradient of the child (of a Scalar |J|); None where there is no g, nothing but zeros, or no J any more.

    size  |g|, if it is known already
    """
    if changed(edge):
        return None
    if isinstance(edge.child, Scalar):
        return abs(float(edge.local))
    g = edge.child.grad
    size = 0.0 if g is None else norm(g) if size is None else size
    if not size or edge.formula == "1" and edge.parent.shape == edge.child.shape:
        return 1.0 if size else None
    return norm(edge.local.pull(g)) / size


def changed(edge: Edge) -> bool:
    return edge.parent.changed > edge.child.birth


def title(node: Node) -> str:
    """`h[3] = tanh`; without a name the op alone."""
    op = short(clean(node.op), LONGEST_NAME)
    return f"{label_of(node)} = {op}" if node.name and str(node.name) and node.rule is not None else label_of(node)


def label_of(node: Node) -> str:
    """The name; without one the op."""
    return short(clean(str(node.name) if node.name and str(node.name) else node.op), LONGEST_NAME)


def value(x: Any, digits: int = 4) -> str:
    """One number as itself; an array as its shape and norm."""
    return number(x, digits) if np.shape(x) == () else f"{'×'.join(map(str, np.shape(x)))}, norm {number(norm(x), digits)}"


def number(x: Any, digits: int = 4) -> str:
    """Significant digits, so that nothing but zero prints as 0."""
    return "0" if x == 0 else format(float(x), f".{digits}g")


def heat(x: Any) -> float | None:
    """log10 of the size of a number or an array; -inf for an exact zero, nan and inf as they are."""
    size = None if x is None else abs(x) if type(x) is float else norm(x)
    return size if size is None or size != size else math.log10(size) if size else -math.inf


def short(text: str, longest: int = LONGEST_LABEL) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
