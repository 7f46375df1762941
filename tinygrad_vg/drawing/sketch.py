"""How does a graph become a picture?  Unit by unit, oldest first: a box each, and an arrow for each parent slot.

A weight used in many steps is drawn once; the steps that use it get small alias boxes, or, folded, say so in words.
"""

import math
from itertools import zip_longest
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node, history, sweep
from ..autodiff.guards import Unrecorded, latest_change
from ..chain.factors import norm
from .elements import Arrow, Box, Group, Picture, alias_box, constant_box, counted, edge_arrow, from_start, heat, input_name, node_box
from .folding import ABOVE, END, MORE, WEIGHTS, Fold, arranged, automatic, check_mode, folded, loop_gain, with_groups
from .merged import ended_arrow, ended_box, folded_arrow, folded_box, rolled_arrow, rolled_box, with_loop_gain
from .steps import rows, shared, steps, timed

SHARED, ROLLED = "shared weights", "rolled"
NAME_STEPS = 'name the states of your steps or layers, h.named("h", t)'


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
        self.word, self.letter = ("t =", "t") if timed(order, self.weights) else ("layer", "k")
        self.asked = fold
        if fold == "auto":
            fold = None if window is not None else automatic(order, self.step, self.weights, len(self.aliases))
        self.fold: Fold = folded(order, self.step, self.weights, fold, window) if fold or window or self.asked else Fold(None, {}, {})
        self.fold = with_groups(self.fold, order) if self.asked and self.fold.how != "rolled" else self.fold
        self.rolled = self.fold.how == "rolled"
        self.first = min((self.step[node] for node in self.fold.key if node in self.step), default=0)  # step that is folded
        self.units = arranged(order, self.fold.key)
        self.check_limit(len(self.units))
        self.row = rows(order, self.step)
        if self.letter == "k" and len(set(self.row.values())) > 1:  # the units of a layer are no rows: each is computed from all before
            self.row = {}
        self.stale = stale(order)
        self.gradients = gradients(order, self.stale)
        self.leaving = leaving(order, self.fold.key)
        self.sizes = {node: norm(node.grad) for node in self.fold.key if node.grad is not None}
        self.stretch: dict[int, tuple[list[Node], list[Node]]] = {}  # of a box of a stretch: all nodes in it, and those that leave it
        self.boxes: list[Box] = []
        self.slots: list[tuple[Any, int, Edge | None]] = []  # from a box, or a node whose box may not be drawn yet, to a box
        self.members: dict[Any, list[int]] = {}  # of each group
        self.number: dict[Any, int] = {}  # of the box of each node, and of each alias (node, step)

    def picture(self) -> Picture:
        """The Picture, unit by unit in order of computation: one node, a rolled step, or a fold."""
        for unit in self.units:
            if len(unit) == 1:
                self.draw(unit[0])
            elif self.rolled and self.fold.key[unit[0]] != END:
                self.draw_rolled(unit)
            else:
                self.draw_folded(unit)
        return Picture(from_start(self.boxes, heat(self.order[-1].grad)), self.arrows(), self.groups(), self.note())

    def add(self, box: Box, group: Any) -> int:
        """The number of a box newly put in a group; ValueError above the limit of boxes."""
        self.check_limit(len(self.boxes) + 1)
        self.boxes.append(box)
        self.members.setdefault(group, []).append(len(self.boxes) - 1)
        return len(self.boxes) - 1

    def draw(self, node: Node) -> None:
        """One node, with its constants and the aliases it needs."""
        tails = [self.tail(parent, node) for parent in node.parents]
        self.number[node] = self.add(self.box_of(node), self.group_of(node))
        edges = {edge.index: edge for edge in node.edges}
        self.slots += [(tail, self.number[node], edges.get(i)) for i, tail in enumerate(tails)]

    def box_of(self, node: Node) -> Box:
        """The Box of one node, as the output, a leaf or between."""
        kind = "output" if node is self.order[-1] else "leaf" if node.rule is None else "node"
        return node_box(node, kind, self.row.get(node), self.gradients.get(node), node in self.stale)

    def tail(self, parent: Any, child: Node) -> int | Node:
        """Where an arrow into `child` starts: at the parent's own box, at a new one for a constant, at this step's alias."""
        here = self.step.get(child)
        if not isinstance(parent, Node):
            name = input_name(child, parent, here if self.letter == "t" else None)
            return self.add(constant_box(parent, called=name), self.group_of(child))
        if self.rolled or not self.far(parent, child):
            return parent
        if (parent, here) not in self.number:
            self.number[parent, here] = self.add(alias_box(parent, self.number[parent]), here)
        return self.number[parent, here]

    def far(self, parent: Node, child: Node) -> bool:
        """Whether a long arrow would be needed: from a shared weight, or from an inner node to one of many steps."""
        return (parent not in self.fold.key or parent in self.weights) and (parent, self.step.get(child)) in self.aliases

    def draw_folded(self, unit: list[Node]) -> None:
        """Several steps, or one, as one box; the arrows inside it and those from shared weights are counted."""
        own, exits, key = set(unit), [node for node in unit if node in self.leaving], self.fold.key[unit[0]]
        entering = [edge for node in unit for edge in node.edges if edge.parent not in own]
        used = dict.fromkeys(edge.parent for edge in entering if self.far(edge.parent, edge.child))
        drawn = [edge for edge in entering if not self.far(edge.parent, edge.child)]
        inside = sum(len(node.parents) for node in unit) - len(drawn)
        if self.ended(key, exits):
            box = ended_box(self.box_of(exits[0]), unit, inside)
        else:
            box = folded_box(self.fold.label[key], unit, exits, list(used), inside, few_words=self.fold.how == "states")
        uses = tuple(dict.fromkeys(self.number[parent] for parent in used))
        head = self.add(box._replace(uses=uses), self.frame_of(key, exits))
        self.stretch[head] = unit, exits
        self.number |= dict.fromkeys(unit, head)
        self.slots += [(edge.parent, head, edge) for edge in drawn]

    def ended(self, key: Any, exits: list[Node]) -> bool:
        """Whether what is folded shows as its one end: the loss, or a named node with all that leads to it alone."""
        return len(exits) == 1 and (key == END and exits[0].size == 1 or isinstance(key, tuple) and key[0] == "unit")

    def frame_of(self, key: Any, exits: list[Node]) -> Any:
        """The group of a folded box: a unit stands in its step, the loss in none, anything else by itself."""
        if key == WEIGHTS:
            return SHARED
        return self.group_of(exits[-1]) if key == END or isinstance(key, tuple) else ("folded", key)

    def draw_rolled(self, unit: list[Node]) -> None:
        """What plays the same part in every step, as one box."""
        slots = zip_longest(*(node.parents for node in unit), fillvalue=unit[0])
        columns = [[x for x in same if not isinstance(x, Node)] for same in slots]
        names = [input_name(unit[-1], same[-1], self.letter) if same else "" for same in columns]
        tails = [(self.add(constant_box(same[-1], len(same), name), ROLLED), len(same)) for same, name in zip(columns, names) if same]
        head = self.add(rolled_box(unit, self.row.get(unit[-1]), self.letter, self.sizes), ROLLED)
        self.number |= dict.fromkeys(unit, head)
        self.slots += [(tail, head, None) for tail, times in tails for _ in range(times)]
        self.slots += [(edge.parent, head, edge) for node in unit for edge in node.edges]

    def arrows(self) -> list[Arrow]:
        """One for each slot; into a folded box, one for all slots that lead the same way."""
        merged: dict[tuple, list[Edge | None]] = {}
        for k, (tail, head, edge) in enumerate(self.slots):
            way = () if head in self.stretch or self.boxes[head].kind == "folded" else (k,)
            role = (edge.index,) if edge and self.rolled and head not in self.stretch else ()
            merged.setdefault((self.number[tail] if isinstance(tail, Node) else tail, head, *way, *role), []).append(edge)
        made = [self.arrow(tail, head, edges) for (tail, head, *_), edges in merged.items()]
        if not self.rolled or self.stale:
            return made
        return with_loop_gain(made, loop_gain(self.order, {node: t for node, t in self.step.items() if node not in self.weights}))

    def arrow(self, tail: int, head: int, edges: list[Edge | None]) -> Arrow:
        """The Arrow for these edges: one edge, a stretch, a rolled step's, or a constant's (None) into a fold."""
        known, folded = [edge for edge in edges if edge], self.boxes[head].kind == "folded"
        if head in self.stretch:
            unit, exits = self.stretch[head]
            if not folded:
                return ended_arrow(tail, head, known, exits[0], unit)
            return folded_arrow(tail, head, known, exits, "together" if self.fold.key.get(unit[0]) == MORE else "gain")
        if not folded:
            return edge_arrow(tail, head, edges[0])
        if not known:
            return Arrow(tail, head, count=len(edges))
        return rolled_arrow(tail, head, known, self.step, self.letter, self.sizes)

    def group_of(self, node: Node) -> Any:
        """The key of the node's frame: ROLLED, SHARED (a weight), its step, or None."""
        if self.rolled and (node in self.weights or self.step.get(node, -math.inf) >= self.first):
            return ROLLED
        return SHARED if node in self.weights else self.step.get(node)

    def groups(self) -> list[Group]:
        """Shared weights first, then what belongs to one step or layer, in their order; a folded box needs no frame."""
        first, last = min(self.step.values(), default=0), max(self.step.values(), default=0)
        known: dict[Any, tuple[float, str]]
        known = {SHARED: (first - 2, SHARED), ROLLED: (self.first + 0.5, f"{self.word} {self.first} … {last}, drawn as one")}
        for node, key in self.fold.key.items():  # of a unit nothing is known here; a folded box stands where its first step would
            start, _ = known.get(("folded", key), (math.inf, ""))
            known["folded", key] = (min(start, self.step.get(node, last + 1)), "")
        placed = {key: known.get(key, (key, f"{self.word} {key}")) for key in self.members if key is not None}
        return [Group(placed[key][1], self.members[key]) for key in sorted(placed, key=lambda key: placed[key][0])]

    def note(self) -> str:
        """What was folded, and how to see it unfolded; or how it could be."""
        if not self.fold.key or set(self.fold.key.values()) == {END}:
            unread = self.asked == "auto" and len(self.boxes) > ABOVE and not self.step
            return f"{counted(len(self.boxes), 'box')}: {NAME_STEPS}, and draw folds them" if unread else ""
        many = f"{counted(len(self.fold.key), 'node')} are folded into {counted(len(set(self.fold.key.values())), 'box')}"
        return f"{many}: fold=None draws each, steps=(first, last) some"

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
