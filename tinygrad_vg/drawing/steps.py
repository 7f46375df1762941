"""Which boxes belong together?  All that is computed in one time step, or in one layer, read off the names' indices.

h[3] and z[3] belong to step 3, and so do the unnamed nodes between h[2] and h[3]. What comes after the last step (the
loss) belongs to none. Indices count as steps only if they never fall along an edge and somewhere grow along a path, so the
units h[0], h[1] of one layer, which do not depend on each other, are not taken for moments in time.

    order  a history, oldest first      step  {node: its step}
"""

import math
from bisect import bisect_left
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from ..autodiff.core import Node
from ..chain.links import Replaced

Steps = dict[Node, int]
HUB = 3  # an inner node used in more steps than this is drawn like a shared weight


class Timeline(NamedTuple):
    """The steps of a history, and what is used in several of them."""

    step: Steps
    weights: set[Node]  # leaves used in several steps
    aliases: set[tuple[Node, int | None]]  # what is drawn as a small box in which step, in place of a long arrow
    letter: str  # "t" of moments in time, "k" of layers

    def label(self, t: Any) -> str:
        """t = 3, layer 3; of several steps, `1 … 3`, the same."""
        return f"t = {t}" if self.letter == "t" else f"layer {t}"


def timeline(order: list[Node]) -> Timeline:
    """The timeline of a history. Steps are moments, not layers, if they share weights or there is a state before the first, as h[0]."""
    step = steps(order)
    weights, aliases = shared(order, step)
    return Timeline(step, weights, aliases, "t" if weights or any(node.rule is None for node in indexed(order)) else "k")


def steps(order: list[Node]) -> Steps:
    """The step of each node that has one; {} if the names do not speak of steps."""
    step = indexed(order)
    if not grows(order, step):
        return {}
    join_children(order, step)
    join_parents(order, step)
    join_children(order, step)
    return step


def indexed(order: list[Node]) -> Steps:
    """The first index of every computed node that has one, and of leaves that share its base: h[0] is the state before h[1]."""
    numbered = [node for node in order if node.name and node.name.index]
    bases = {node.name.base for node in numbered if node.rule is not None}
    return {node: node.name.index[0] for node in numbered if node.name.base in bases}


def grows(order: list[Node], step: Steps) -> bool:
    """Whether the indices never fall from a node to what is computed from it, and grow at least once."""
    growth = [step[node] - step[before] for node, before in succession(order, step)]
    return any(growth) and min(growth) >= 0


def succession(order: list[Node], step: Steps) -> Iterator[tuple[Node, Node]]:
    """Each node with an index, and of the nodes with one that lead to it without another between them, that with the largest; and that
    with the smallest, if it is the same state, earlier: h[2] is computed from h[1], and from gates z[2] that have not seen it."""
    for which in (max, min):
        latest: dict[Node, Node] = {}
        for node in order:
            before = which((latest[parent] for parent in node.variables if parent in latest), key=step.__getitem__, default=None)
            if node in step and before is not None and (which is max or family(node) == family(before)):
                yield node, before
            if node in step or before is not None:
                latest[node] = node if node in step else before  # type: ignore[assignment]


def join_children(order: list[Node], step: Steps) -> None:
    """Put every node that has no step yet into the first step that needs it."""
    fixed = set(step)
    for child in reversed(order):
        for parent in child.variables if child in step else ():
            if parent not in fixed:
                step[parent] = min(step.get(parent, step[child]), step[child])


def join_parents(order: list[Node], step: Steps) -> None:
    """Put what no named node needs, such as a loss at each step, into the step it is computed from; after the last, into none."""
    last, reached = max(step.values()), dict(step)
    for node in order:
        if node not in reached and (before := [reached[parent] for parent in node.variables if parent in reached]):
            reached[node] = max(before)
            if reached[node] < last:
                step[node] = reached[node]


def borders(chain: Any) -> list[tuple[Node, ...]]:
    """For each step that a chain goes through, what hands its gradient to the steps before: its states, h[t], or {h[t], c[t]}."""
    order = [*chain.stations[0], *(node for link in chain.links for node in link.ops)]
    silent = set().union(*(link.silent for link in chain.links if not isinstance(link, Replaced)))
    return list(frontiers(order, steps(order), silent).values())


def frontiers(order: list[Node], step: Steps, silent: Container = (), rest: float = math.inf) -> dict[int, tuple[Node, ...]]:
    """Of each step that makes something for later ones, all that these use of it and of those before, oldest first.

    silent  (child, parent) of edges that do not count      rest  the step of nodes that have none: after all others, or, −inf, before
    """
    last: dict[Node, float] = {}  # the latest step that takes a node
    for child in order:
        for parent in child.variables:
            if (child, parent) not in silent:
                last[parent] = max(last.get(parent, -math.inf), step.get(child, rest))
    moments, found = sorted(set(step.values())), dict[int, list[Node]]()
    for node in (node for node in order if node in step):
        for t in moments[bisect_left(moments, step[node]) : bisect_left(moments, last.get(node, -math.inf))]:
            found.setdefault(t, []).append(node)
    return {t: tuple(found[t]) for t in sorted(found) if any(step[node] == t for node in found[t])}


def shared(order: list[Node], step: Steps) -> tuple[set[Node], set[tuple[Node, int | None]]]:
    """Leaves used in several steps (weights); and what is drawn as a small alias box in which step, in place of a long arrow.

    These are the weights, and other nodes used in many steps (hubs) wherever their step is neither this one nor the one before.
    """
    uses: dict[Node, dict[int | None, None]] = {}
    for child in order if step else ():
        for parent in child.variables:
            uses.setdefault(parent, {})[step.get(child)] = None
    states = indexed(order)
    weights = {node for node, used in uses.items() if len(used) > 1 and node.rule is None and node not in states}
    hubs = {node for node, used in uses.items() if len(used) > HUB} - weights
    aliases = {(weight, t) for weight in weights for t in uses[weight]}
    return weights, aliases | {(hub, t) for hub in hubs for t in uses[hub] if t not in (step.get(hub), step.get(hub, 0) + 1)}


def rows(order: list[Node], time: Timeline) -> dict[Node, int]:
    """The nodes on the way from h[t-1] to h[t], to be drawn in one straight row; each such state has a row of its own.

    None for several units of a layer, each of which is computed from all of the layer before.
    """
    row: dict[Node, int] = {}
    number: dict[tuple, int] = {}
    for state in order:
        for node in way_back(state, time.step) if state in time.step and state.name and state.name.index else []:
            row.setdefault(node, number.setdefault(family(state), len(number)))
    return row if time.letter == "t" or len(number) == 1 else {}


def way_back(state: Node, step: Steps) -> list[Node]:
    """The shortest way from a state to the same state one step before, both included; [] if it does not depend on that."""
    child_of, queue = {state: state}, [state]
    for child in queue:
        for parent in child.variables:
            if parent in child_of:
                continue
            child_of[parent] = child
            if family(parent) == family(state) and step.get(parent, 0) < step[state]:
                way = [parent]
                while way[-1] is not state:
                    way.append(child_of[way[-1]])
                return way
            if step.get(parent) == step[state]:
                queue.append(parent)
    return []


def family(node: Node) -> tuple:
    """What a state keeps from step to step: its base and all its indices but the first."""
    return (node.name.base, node.name.index[1:]) if node.name else ()
