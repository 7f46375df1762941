"""How does a graph become a picture?  Unit by unit, oldest first: a box each, and an arrow for each parent slot.

A weight used in many steps is drawn once; the steps that use it get small alias boxes, or, folded, say so in words.
"""

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node, history, sweep
from ..autodiff.guards import Unrecorded, latest_change
from .elements import Arrow, Box, Group, Picture, alias_box, constant_box, counted, edge_arrow, from_start, heat, input_name, node_box
from .folding import ABOVE, Key, Keys, arranged, check_mode, folded, loop_gain
from .merged import ended_arrow, ended_box, folded_arrow, folded_box, rolled_arrow, rolled_box, with_loop_gain
from .steps import rows, timeline

SHARED = "shared weights"
NAME_STEPS = 'name the states of your steps or layers, h.named("h", t)'
Frame = tuple[float, str]  # its place among the frames, and its label


def picture(output: Node, limit: int, fold: str | None = None, window: tuple[int, int] | None = None) -> Picture:
    """Everything that is drawn for `output`, boxes numbered in drawing order. ValueError above `limit` boxes."""
    check_mode(fold, window)
    with np.errstate(all="ignore"):
        return Sketch(history(output), limit, fold, window).picture()


class Sketch:
    """A picture being drawn."""

    def __init__(self, order: list[Node], limit: int, fold: str | None, window: tuple[int, int] | None):
        self.order, self.limit, self.asked, self.time = order, limit, fold, timeline(order)
        self.step, self.weights = self.time.step, self.time.weights
        self.how, self.key = folded(order, self.time, fold, window)
        self.units = arranged(order, self.key)
        self.check_limit(len(self.units))
        self.row = rows(order, self.time)
        self.stale = stale(order)
        self.gradients = gradients(order, self.stale)
        self.leaving = leaving(order, self.key)
        self.first, self.last = min(self.step.values(), default=0), max(self.step.values(), default=0)
        self.start = min((self.step[node] for node in self.key if node in self.step), default=0)  # the first step that is folded
        self.boxes: list[Box] = []
        self.frames: dict[Frame, list[int]] = {}  # and the boxes in each
        self.number: dict[Any, int] = {}  # of the box of each node, and of each alias (node, step)
        self.slots: list[tuple[int | None, int, int | None, Edge | None]] = []  # a constant's box, the head, which of its slots, the edge
        self.arrow_of: list[Callable[..., Arrow]] = []  # of each box: what makes an arrow into it, of tail, head and edges

    def picture(self) -> Picture:
        """The Picture, unit by unit in order of computation: one node, a rolled step, or a fold."""
        for unit in self.units:
            alone = len(unit) == 1 or self.key[unit[0]].kind == "role"
            (self.draw if alone else self.draw_folded)(unit)
        groups = [Group(label, boxes) for (_, label), boxes in sorted(self.frames.items(), key=lambda item: item[0][0])]
        return Picture(from_start(self.boxes, heat(self.order[-1].grad)), self.arrows(), groups, self.note())

    def add(self, box: Box, frame: Frame | None, arrow: Callable[..., Arrow] = Arrow) -> int:
        """The number of a box newly put in a frame; ValueError above the limit of boxes."""
        self.check_limit(len(self.boxes) + 1)
        self.boxes.append(box)
        self.arrow_of.append(arrow)
        if frame is not None:
            self.frames.setdefault(frame, []).append(len(self.boxes) - 1)
        return len(self.boxes) - 1

    def draw(self, unit: list[Node]) -> None:
        """One node, or all that play the same part in their steps, as one box, with the constants and the aliases it needs."""
        node, here, constants = unit[-1], self.step.get(unit[-1]), dict[int, int]()
        frame, letter = self.frame(node), self.time.letter
        for i, column in enumerate(zip_longest(*(one.parents for one in unit), fillvalue=node)):
            if found := [x for x in column if not isinstance(x, Node)]:
                name = input_name(node, found[-1], letter if len(unit) > 1 else here if letter == "t" else None)
                constants[i] = self.add(constant_box(found[-1], len(found), name), frame)
            elif self.how != "rolled" and self.far(column[0], node) and (column[0], here) not in self.number:
                self.number[column[0], here] = self.add(alias_box(column[0], self.number[column[0]]), frame)
        if len(unit) == 1:
            head = self.add(self.box_of(node), frame, edge_arrow)
        else:
            box = rolled_box(unit, self.row.get(node), letter)
            head = self.add(box, frame, partial(rolled_arrow, step=self.step, letter=letter))
        self.number |= dict.fromkeys(unit, head)
        for one in unit:
            edges = {edge.index: edge for edge in one.edges}
            self.slots += [(constants.get(i), head, i, edges.get(i)) for i in range(len(one.parents))]

    def box_of(self, node: Node) -> Box:
        """The Box of one node, as the output, a leaf or between."""
        kind = "output" if node is self.order[-1] else "leaf" if node.rule is None else "node"
        return node_box(node, kind, self.row.get(node), self.gradients.get(node), node in self.stale)

    def far(self, parent: Node, child: Node) -> bool:
        """Whether a long arrow would be needed: from a shared weight, or from an inner node to one of many steps."""
        return (parent not in self.key or parent in self.weights) and (parent, self.step.get(child)) in self.time.aliases

    def draw_folded(self, unit: list[Node]) -> None:
        """Several steps, or one, as one box; the arrows inside it and those from shared weights are counted."""
        own, exits, key = set(unit), [node for node in unit if node in self.leaving], self.key[unit[0]]
        entering = [edge for node in unit for edge in node.edges if edge.parent not in own]
        used = dict.fromkeys(edge.parent for edge in entering if self.far(edge.parent, edge.child))
        drawn = [edge for edge in entering if not self.far(edge.parent, edge.child)]
        inside = sum(len(node.parents) for node in unit) - len(drawn)
        make: Callable[..., Arrow]
        if len(exits) == 1 and (key.kind == "unit" or key.kind == "end" and exits[0].size == 1):
            box, make = ended_box(self.box_of(exits[0]), unit, inside), partial(ended_arrow, end=exits[0], unit=unit)
        else:
            box = folded_box(key.label, unit, exits, list(used), inside, few_words=self.how == "states")
            make = partial(folded_arrow, exits=exits, word="together" if key.kind == "more" else "gain")
        uses = tuple(dict.fromkeys(self.number[parent] for parent in used))
        head = self.add(box._replace(uses=uses), self.frame_of(key, unit, exits[-1]), make)
        self.number |= dict.fromkeys(unit, head)
        self.slots += [(None, head, None, edge) for edge in drawn]

    def arrows(self) -> list[Arrow]:
        """One for each slot of a box that does not depend on the step; into a fold, one for all edges that lead the same way."""
        merged: dict[tuple, list[Any]] = {}
        for constant, head, slot, edge in self.slots:
            tail = constant if edge is None else self.number.get((edge.parent, self.step.get(edge.child)), self.number[edge.parent])
            merged.setdefault((tail, head, slot), []).append(edge)
        made = [self.arrow_of[head](tail, head, edges) if edges[0] else Arrow(tail, head, count=len(edges))
                for (tail, head, _), edges in merged.items()]
        return made if self.how != "rolled" or self.stale else with_loop_gain(made, loop_gain(self.order, self.time))

    def frame(self, node: Node) -> Frame | None:
        """The frame of a node: all steps that are rolled, the shared weights, its step, or None."""
        t = self.step.get(node)
        if self.how == "rolled" and (node in self.weights or t is not None and t >= self.start):
            return self.start + 0.5, f"{self.time.label(f'{self.start} … {self.last}')}, drawn as one"
        if node in self.weights:
            return self.first - 2, SHARED
        return None if t is None else (t, self.time.label(t))

    def frame_of(self, key: Key, unit: list[Node], end: Node) -> Frame | None:
        """The frame of a folded box: none to be seen around steps, which stand where the first of them would."""
        return (min(map(self.step.__getitem__, unit)), "") if key.kind in ("step", "more") else self.frame(end)

    def note(self) -> str:
        """What was folded; or how it could be."""
        kinds = {key.kind for key in self.key.values()}
        if kinds <= {"end"}:
            unread = self.asked == "auto" and len(self.boxes) > ABOVE and not self.step
            return f"{counted(len(self.boxes), 'box')}: {NAME_STEPS}, and draw folds them" if unread else ""
        many = f"{counted(len(self.key), 'node')} are folded into {counted(len(set(self.key.values())), 'box')}"
        return many + "; the steps use the shared weights" * any(box.uses for box in self.boxes)

    def check_limit(self, boxes: int) -> None:
        """ValueError above the limit: nobody could read the picture, and laying it out would take minutes."""
        if boxes > self.limit:
            ways = [f"fold={how!r}" for how in ("rolled", "layer") if self.step and how != self.how]
            fold = f"fold it ({' or '.join(ways)}), " if ways else "" if self.step else f"{NAME_STEPS}, so that it folds, "
            lift = f"draw a smaller part, or lift the limit (limit={2 * boxes})"
            raise ValueError(f"the graph has more than {self.limit:,} boxes; {fold}{lift}")


def stale(order: list[Node]) -> set[Node]:
    """The leaves that were given new data after something was computed from them."""
    if latest_change[0] < order[0].birth:
        return set()
    return {parent for node in order for parent in node.variables if parent.changed > node.birth}


def leaving(order: list[Node], key: Keys) -> set[Node]:
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
