"""How does a graph become a picture?  Unit by unit, oldest first: a box each, and an arrow for each parent slot.

A weight used in many steps is drawn once; the steps that use it get small alias boxes, or, folded, say so in words.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Edge, Node, history, sweep
from ..autodiff.guards import Unrecorded, latest_change
from ..chain.factors import norm
from .elements import Arrow, Box, Group, Picture, alias_box, constant_box, counted, edge_arrow, node_box
from .folding import ABOVE, WEIGHTS, Fold, arranged, automatic, check_mode, folded, loop_gain
from .merged import folded_arrow, folded_box, rolled_arrow, rolled_box, state_box, with_loop_gain
from .steps import rows, shared, steps

SHARED, ROLLED = "shared weights", "rolled"
NAME_STEPS = 'name the states of your steps or layers, h.named("h", t)'


class Slot(NamedTuple):
    """A parent slot, waiting to become an arrow: from a box, or a node whose box may not be drawn yet, to a box."""

    tail: int | Node
    head: int
    edge: Edge | None


def picture(output: Node, limit: int, fold: str | None = None, window: tuple[int, int] | None = None) -> Picture:
    """Everything that is drawn for `output`, boxes numbered in drawing order. ValueError above `limit` boxes."""
    check_mode(fold, window)
    with np.errstate(all="ignore"):
        return Sketch(history(output), limit, fold, window).picture()


class Sketch:
    """A picture being drawn."""

    def __init__(self, order: list[Node], limit: int, fold: str | None, window: tuple[int, int] | None):
        self.order, self.limit, self.step = order, limit, steps(order)
        self.weights, self.aliases = shared(order, self.step)
        self.asked = fold
        if fold == "auto":
            fold = None if window is not None else automatic(order, self.step, self.weights, len(self.aliases))
        self.fold: Fold = folded(order, self.step, self.weights, fold, window)
        self.cells = {node: t for node, t in self.step.items() if node not in self.weights}
        self.first = min((self.step[node] for node in self.fold.key if node in self.step), default=0)  # step that is folded
        self.units = arranged(order, self.fold.key)
        self.check_limit(len(self.units))
        self.row = rows(order, self.step)
        self.stale = stale(order)
        self.gradients = gradients(order, self.stale)
        self.leaving = leaving(order, self.fold.key)
        self.sizes = {node: norm(node.grad) for node in self.fold.key if node.grad is not None}
        self.exits: dict[int, list[Node]] = {}  # of each folded box
        self.boxes: list[Box] = []
        self.slots: list[Slot] = []
        self.members: dict[Any, list[int]] = {}  # of each group
        self.number: dict[Any, int] = {}  # of the box of each node, and of each alias (node, step)

    def picture(self) -> Picture:
        for unit in self.units:
            if len(unit) == 1:
                self.draw(unit[0])
            elif self.fold.how == "rolled":
                self.draw_rolled(unit)
            else:
                self.draw_folded(unit)
        return Picture(self.boxes, self.arrows(), self.groups(), self.note())

    def add(self, box: Box, group: Any) -> int:
        self.check_limit(len(self.boxes) + 1)
        self.boxes.append(box)
        self.members.setdefault(group, []).append(len(self.boxes) - 1)
        return len(self.boxes) - 1

    def draw(self, node: Node) -> None:
        """One node, with its constants and the aliases it needs."""
        tails = [self.tail(parent, node) for parent in node.parents]
        kind = "output" if node is self.order[-1] else "leaf" if node.rule is None else "node"
        box = node_box(node, kind, self.row.get(node), self.gradients.get(node), node in self.stale)
        self.number[node] = self.add(box, self.group_of(node))
        edges = {edge.index: edge for edge in node.edges}
        self.slots += [Slot(tail, self.number[node], edges.get(i)) for i, tail in enumerate(tails)]

    def tail(self, parent: Any, child: Node) -> int | Node:
        """Where an arrow into `child` starts: at the parent's own box, at a new one for a constant, at this step's alias."""
        here = self.step.get(child)
        if not isinstance(parent, Node):
            return self.add(constant_box(parent), self.group_of(child))
        if self.fold.how == "rolled" or not self.far(parent, child):
            return parent
        if (parent, here) not in self.number:
            self.number[parent, here] = self.add(alias_box(parent, self.number[parent]), here)
        return self.number[parent, here]

    def far(self, parent: Node, child: Node) -> bool:
        """Whether a long arrow would be needed: from a shared weight, or from an inner node to one of many steps."""
        return (parent not in self.fold.key or parent in self.weights) and (parent, self.step.get(child)) in self.aliases

    def draw_folded(self, unit: list[Node]) -> None:
        """Several steps, or one, as one box; the arrows inside it and those from shared weights are counted."""
        own, inside, used = set(unit), 0, dict[Node, None]()
        exits = [node for node in unit if node in self.leaving]
        slots = []
        for node in unit:
            edges = {edge.index: edge for edge in node.edges}
            for i, parent in enumerate(node.parents):
                inner = parent in own if isinstance(parent, Node) else True
                if inner or self.far(parent, node):
                    inside += 1
                    used |= {} if inner else {parent: None}
                else:
                    slots.append((parent, edges[i]))
        key = self.fold.key[unit[0]]
        make = state_box if self.fold.how == "states" else folded_box
        box = make(self.fold.label[key], unit, exits, list(used), inside)
        uses = tuple(dict.fromkeys(self.number[parent] for parent in used))
        head = self.add(box._replace(uses=uses), SHARED if key == WEIGHTS else ("folded", key))
        self.exits[head] = exits
        self.number |= dict.fromkeys(unit, head)
        self.slots += [Slot(parent, head, edge) for parent, edge in slots]

    def draw_rolled(self, unit: list[Node]) -> None:
        """What plays the same part in every step, as one box."""
        constants: dict[int, list[Any]] = {}
        for node in unit:
            for i, parent in enumerate(node.parents):
                constants.setdefault(i, []).extend([] if isinstance(parent, Node) else [parent])
        tails = {i: self.add(constant_box(same[-1], len(same)), ROLLED) for i, same in constants.items() if same}
        head = self.add(rolled_box(unit, self.row.get(unit[-1]), self.letter, self.sizes), ROLLED)
        self.number |= dict.fromkeys(unit, head)
        self.slots += [Slot(tails[i], head, None) for i, same in constants.items() for _ in same]
        self.slots += [Slot(edge.parent, head, edge) for node in unit for edge in node.edges]

    def arrows(self) -> list[Arrow]:
        """One for each slot; into a folded box, one for all slots that lead the same way."""
        merged: dict[tuple, list[Edge | None]] = {}
        for k, (tail, head, edge) in enumerate(self.slots):
            way = () if self.boxes[head].kind == "folded" else (k,)
            role = (edge.index,) if edge and self.fold.how == "rolled" else ()
            merged.setdefault((self.number[tail] if isinstance(tail, Node) else tail, head, *way, *role), []).append(edge)
        made = [self.arrow(tail, head, edges) for (tail, head, *_), edges in merged.items()]
        return with_loop_gain(made, loop_gain(self.order, self.cells)) if self.fold.how == "rolled" and not self.stale else made

    def arrow(self, tail: int, head: int, edges: list[Edge | None]) -> Arrow:
        known = [edge for edge in edges if edge]
        if self.boxes[head].kind != "folded":
            return edge_arrow(tail, head, edges[0])
        if not known:
            return Arrow(tail, head, count=len(edges))
        if self.fold.how == "rolled":
            return rolled_arrow(tail, head, known, self.step, self.letter, self.sizes)
        return folded_arrow(tail, head, known, self.exits[head])

    @property
    def letter(self) -> str:
        return "t" if self.weights else "k"

    def group_of(self, node: Node) -> Any:
        if self.fold.how == "rolled" and (node in self.weights or self.step.get(node, -math.inf) >= self.first):
            return ROLLED
        return SHARED if node in self.weights else self.step.get(node)

    def groups(self) -> list[Group]:
        """Shared weights first, then what belongs to one step or layer, in their order; a folded box needs no frame."""
        word = "t =" if self.weights else "layer"
        first, last = min(self.step.values(), default=0), max(self.step.values(), default=0)
        start: dict[Any, int] = {}  # of each folded box, its first step
        for node, key in self.fold.key.items():
            start[key] = min(start.get(key, last + 1), self.step.get(node, last + 1))
        placed: list[tuple[float, Group]] = []
        for key, boxes in self.members.items():
            if key == SHARED:
                placed.append((first - 2, Group(SHARED, boxes)))
            elif key == ROLLED:
                low = min(start.values())
                placed.append((low + 0.5, Group(f"{word} {low} … {last}, drawn as one", boxes)))
            elif isinstance(key, tuple):
                placed.append((start[key[1]], Group("", boxes)))
            elif key is not None:
                placed.append((key, Group(f"{word} {key}", boxes)))
        return [group for _, group in sorted(placed, key=lambda pair: pair[0])]

    def note(self) -> str:
        """What was folded, and how to see it unfolded; or how it could be."""
        if not self.fold.key:
            unread = self.asked == "auto" and len(self.boxes) > ABOVE and not self.step
            return f"{counted(len(self.boxes), 'box')}: {NAME_STEPS}, and draw folds them" if unread else ""
        many = f"{counted(len(self.fold.key), 'node')} are folded into {counted(len(set(self.fold.key.values())), 'box')}"
        return f"{many}; draw(output, fold=None) draws each, steps=(first, last) some of the steps"

    def check_limit(self, boxes: int) -> None:
        """ValueError above the limit: nobody could read the picture, and laying it out would take minutes."""
        if boxes > self.limit:
            ways = [f"fold={how!r}" for how in ("rolled", "layer") if self.step and how != self.fold.how]
            fold = f"fold it ({' or '.join(ways)}), " if ways else "" if self.step else f"{NAME_STEPS}, so that it folds, "
            lift = f"draw a smaller part, or lift the limit (limit={2 * boxes})"
            raise ValueError(f"the graph has more than {self.limit:,} boxes; {fold}{lift}")


def stale(order: list[Node]) -> set[Node]:
    """The leaves that were given new data after something was computed from them."""
    if latest_change[0] < order[0].birth:
        return set()
    return {parent for node in order for parent in node.variables if parent.changed > node.birth}


def leaving(order: list[Node], key: dict[Node, Any]) -> set[Node]:
    """The nodes that are used outside the box they share, and the output."""
    if not key:
        return set()
    alone = object()
    used = {parent for node in order for parent in node.variables if key.get(parent, alone) != key.get(node)}
    return used | {order[-1]}


def gradients(order: list[Node], stale: set[Node]) -> dict[Node, Any]:
    """The gradients of one backward pass from the output; none where the output is not one number and has no gradient yet."""
    output = order[-1]
    if stale or output.rule is Unrecorded or output.grad is None and output.size != 1:
        return {}
    found = {output: output.start(output.grad)}
    sweep(order, found)
    return {node: node.finalise(g) for node, g in found.items()}
