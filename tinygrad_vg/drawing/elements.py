"""What is there to draw?  Boxes, arrows and groups, as plain text and numbers, before any question of layout.

A box is a node, a constant, an alias (`W_hh ↗`: this step uses the weight drawn elsewhere), or several nodes folded into one.
An arrow is one parent slot, or several between the same two boxes: a * a has two arrows. Nothing here keeps a node alive, so a
picture does not keep its graph.

    heat  log10 of |gradient| / |gradient of the output| (box) or of the gain (arrow): -inf is an exact zero, None is unknown
    gain  |contribution to the parent's gradient| / |gradient of the child|; for a Scalar |local derivative|
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Edge, Node, plain
from ..autodiff.scalar import Scalar
from ..chain.factors import norm
from ..text.formulas import derivative
from ..text.lines import clean, cut
from ..text.numbers import number
from .colours import Entry, legend
from .typography import formula, small, titled
from .typography import named as set_name

LONGEST_NAME, LONGEST_LABEL = 200, 24
LETTERS = {"linear": "x"}  # what an op calls its first operand, where that says more than "constant"


class Box(NamedTuple):
    """What is drawn for a node, for several folded into one, or for another use of one."""

    lines: tuple[str, ...]
    tooltip: str
    kind: str  # "leaf", "node", "output", "constant", "alias" or "folded"
    heat: float | None = None
    row: int | None = None
    name: str = ""  # of a node without one, its op
    op: str = ""
    value: Any = None  # the number or array itself; of a folded box nothing
    gradient: Any = None  # in a backward pass from the output, also where none has been run
    grad: Any = None  # what passes that were run have left: perhaps of another output, or the sum over several
    of: int | None = None  # an alias: the box it stands for
    nodes: int = 1  # how many nodes it stands for, and how many of their arrows it does not show
    inside: int = 0
    uses: tuple[int, ...] = ()  # the boxes of the weights that these arrows come from
    within: str = ""  # what else is in the box of a node that others are folded into

    @property
    def title(self) -> str:
        """`h[3] = tanh`; without a name the op alone."""
        return self.name if self.op in ("", "leaf", self.name) else f"{self.name} = {self.op}"


class Arrow(NamedTuple):
    """What is drawn for an edge, or for several: from the box of an operand (tail) to that of the result (head)."""

    tail: int  # the numbers of the boxes
    head: int
    lines: tuple[str, ...] = ()
    tooltip: str = "a constant: no derivative"
    heat: float | None = None
    formula: str = ""  # of the local derivative, the local derivative as a linear map, and as a number if it is a Scalar's
    local: Any = None
    slope: float | None = None
    count: int = 1  # type: ignore[assignment]  # how many edges it stands for
    numbers: str = ""  # the formula with this graph's numbers in it, where all of them are single
    word: str | None = None  # what stands on it in place of the formula, and what is told beside it
    note: str = ""

    @property
    def loop(self) -> bool:
        """Whether it leads back in the picture: to the next step, in a recurrence rolled into one."""
        return self.tail >= self.head


class Group(NamedTuple):
    """Boxes drawn in one frame: a time step, a layer, or what is shared."""

    label: str
    boxes: list[int]


class Picture(NamedTuple):
    """All that is to be drawn, before any place is chosen."""

    boxes: list[Box]
    arrows: list[Arrow]
    groups: list[Group]  # from first to last; boxes in no group come after them
    note: str = ""  # what was folded, if anything was, or how it could be

    @property
    def legend(self) -> list[tuple[str, list[Entry]]]:
        """Headings, and the colours and words under each, for the heats that occur."""
        return legend([box.heat for box in self.boxes], [arrow.heat for arrow in self.arrows])

    @property
    def captions(self) -> list[str]:
        """What stands above the legend, line by line: the note, and why there are no gradients if there are none."""
        bare = bool(self.arrows) and all(box.heat is None for box in self.boxes)
        return [self.note] * bool(self.note) + ["no gradients: call backward() on the output before draw()"] * bare


def node_box(node: Node, kind: str, row: int | None, gradient: Any, stale: bool) -> Box:
    """Name and op, value (or shape and norm), .grad."""
    box = with_gradient(Box((), "", kind, None, row, label_of(node), one_line(node.op), node.data, gradient, node.grad), node.grad)
    return box._replace(lines=(*box.lines, "changed since it was used")) if stale else box


def with_gradient(box: Box, g: Any) -> Box:
    """The box of a node as it shows the gradient g: in its lines, its tooltip and its colour."""
    title = titled(box.name, "" if box.within else box.op)
    lines, full = [title, brief(box.value, box.kind)], [box.title, f"value {value(box.value, 17)}"]
    if g is not None:
        lines.append(f"grad {small(g, 3)}" if np.shape(g) == () else f"|grad| {small(norm(g))}")
        full.append(f"gradient {value(g, 17)}")
    if box.grad is not None and g is not box.grad and not np.array_equal(g, box.grad, equal_nan=True):
        full.append(f".grad, accumulated over passes, {value(box.grad, 17)}")
    return box._replace(lines=tuple(lines), tooltip="\n".join([*full, box.within] if box.within else full), heat=heat(g))


def alias_box(node: Node, of: int) -> Box:
    """A small box for another use of a node that is drawn elsewhere, at box number `of`."""
    name = label_of(node)
    return Box((f"{set_name(name)} ↗",), f"{name}\ndrawn once, used here too", "alias", heat(node.grad), name=name, of=of)


def constant_box(x: Any, times: int = 1, called: str = "constant") -> Box:
    """A number as itself, an array by the name it is called by, in all steps that have one."""
    lines, words = (small(x),) if isinstance(x, (int, float)) else (set_name(called), brief(x, "constant")), f"a constant, {value(x, 17)}"
    if times > 1:
        lines, words, x = (lines[0], f"× {times}"), f"{words}, the last of {times}", None
    return Box(lines, words, "constant", name=" ".join(lines), value=x, nodes=times)


def input_name(child: Node, parent: Any, step: Any) -> str:
    """What a constant array is called: x, or x[3] in step 3, if its op says so."""
    letter = LETTERS.get(child.op) if parent is child.parents[0] else None
    return "constant" if letter is None else letter if step is None else f"{letter}[{step}]"


def edge_arrow(tail: int, head: int, edges: list[Edge]) -> Arrow:
    """The arrow of one edge, with its derivative."""
    (edge,) = edges
    arrow = Arrow(tail, head, formula=one_line(edge.formula_here))
    if changed(edge):
        return with_gain(arrow._replace(note="an operand has changed since"), None)
    slope = float(edge.local) if isinstance(edge.child, Scalar) else None
    numbers = "" if any(map(np.shape, (edge.child, *edge.child.parents))) else derivative(edge, figure)
    return with_gain(arrow._replace(local=edge.local, slope=slope, numbers=numbers), gain(edge))


def figure(x: Any) -> str:
    """A single value as it stands in a formula; a negative one in brackets."""
    return f"({number(plain(x))})" if plain(x) < 0 else number(plain(x))


def with_gain(arrow: Arrow, ratio: float | None) -> Arrow:
    """The arrow of one edge with its derivative, of a Scalar the number, and the gain there is (1 times the gradient needs none)."""
    words, note = f"∂child/∂parent = {arrow.formula}", f"\n{arrow.note}" * bool(arrow.note)
    if arrow.slope is not None:
        told = f"{words} = {number(arrow.slope, 17)}{note}"
        return arrow._replace(lines=(arrow.word or small(arrow.slope, 3),), tooltip=told, heat=heat(arrow.slope))
    label = [cut(formula(arrow.formula), LONGEST_LABEL)] if arrow.word is None else []
    if ratio is None:
        return arrow._replace(lines=tuple(label), tooltip=words + note, heat=None)
    gain_line = [f"gain {small(ratio)}"] if label != ["1"] or ratio != 1 else []
    return arrow._replace(lines=(*label, *gain_line), tooltip=f"{words}\ngain {number(ratio, 17)}{note}", heat=heat(ratio))


def gain(edge: Edge) -> float | None:
    """|Jᵀ g| / |g|, g the gradient of the child (of a Scalar |J|); None where there is no g, nothing but zeros, or no J any more."""
    if changed(edge):
        return None
    if isinstance(edge.child, Scalar):
        return abs(float(edge.local))
    g = edge.child.grad
    size = 0.0 if g is None else norm(g)
    if not size or edge.formula == "1" and edge.parent.shape == edge.child.shape:
        return 1.0 if size else None
    return norm(edge.local.pull(g)) / size


def changed(edge: Edge) -> bool:
    """Whether the derivative no longer fits: it reads every operand when it is asked for."""
    return any(parent.changed > edge.child.birth for parent in edge.child.variables)


def label_of(node: Node) -> str:
    """The name; without one the op."""
    return one_line(str(node.name) if node.name and str(node.name) else node.op)


def one_line(text: str) -> str:
    """As much of it as fits; of combining marks, which have no width, at most a few on each letter."""
    return cut(clean(text[: 4 * LONGEST_NAME]), LONGEST_NAME)


def counted(n: int, what: str) -> str:
    """1 arrow, 2 arrows, 2 boxes."""
    return f"{n:,} {what}{'' if n == 1 else 'es' if what.endswith('x') else 's'}"


def value(x: Any, digits: int = 4) -> str:
    """One number as itself; an array as its shape and norm."""
    return number(x, digits) if np.shape(x) == () else f"{shape_of(x)}, norm {number(norm(x), digits)}"


def brief(x: Any, kind: str) -> str:
    """The same for a picture: of what is computed the shape is left out."""
    if np.shape(x) == ():
        return small(x, 3)
    return f"{shape_of(x)}, norm {small(norm(x))}" if kind in ("leaf", "constant") else f"norm {small(norm(x))}"


def shape_of(x: Any) -> str:
    """2×3"""
    return "×".join(map(str, np.shape(x)))


def from_start(boxes: list[Box], start: float | None) -> list[Box]:
    """The boxes with their heat relative to that of the gradient that the backward pass starts with, if that is a size at all."""
    shift = start if start is not None and math.isfinite(start) else 0.0
    return [box if box.heat is None else box._replace(heat=box.heat - shift) for box in boxes]


def heat(x: Any) -> float | None:
    """log10 of the size of a number or an array; -inf for an exact zero, nan and inf as they are."""
    size = None if x is None else abs(x) if type(x) is float else norm(x)
    return size if size is None or size != size else math.log10(size) if size else -math.inf
