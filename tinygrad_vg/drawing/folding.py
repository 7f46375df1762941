"""Which nodes share a box?  A picture of fifty steps is read more easily as one step with a loop.

    fold None      every node its own box             "layer"   one box for each step or layer
    fold "states"  the same in few words, and of many steps only the first and the last: for a slide
    fold "names"   one box for each named node, with all that leads to it alone: a unit of a net of Scalars, a gate of an LSTM
    fold "rolled"  nodes that play the same part in each step share a box, and the way to the next step is a loop
    steps (a, b)   these steps in full; before and after them one box each (with fold "layer", one for each step)

A unit is what becomes one box: a node, or several with the same key. What comes after the last step is one in every fold.
"""

import heapq
import math
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Node
from ..chain.factors import norm
from ..chain.links import Link
from .elements import label_of
from .groups import called
from .steps import Timeline, family, frontiers, indexed, succession

FEW, SEVERAL, KEPT = 4, 8, 2  # weights and steps drawn one by one in fold "states"; of more steps, so many at either end
ABOVE = 300  # boxes, aliases included: "auto" folds
MODES = ("auto", None, "layer", "states", "names", "rolled")


class Key(NamedTuple):
    """What the nodes of one box have in common: of what kind it is, what is written on it, and which of several such it is."""

    kind: str  # "step", "more" (steps), "weights", "end", "unit", "call" or "role"
    label: str = ""
    number: int = 0


Keys = dict[Node, Key]


def check_mode(fold: Any, window: Any) -> None:
    """ValueError unless fold is one of the modes and steps is a pair (first, last), or both are left out."""
    if fold not in MODES:
        raise ValueError(f"fold is 'auto', None, 'layer', 'states', 'names' or 'rolled', got {fold!r}")
    pair = tuple(window) if isinstance(window, (tuple, list)) else ()
    if window is not None and not (len(pair) == 2 and all(isinstance(x, (int, np.integer)) for x in pair) and pair[0] <= pair[1]):
        raise ValueError(f"steps is a pair (first, last) of whole numbers, first not above last, got {window!r}")
    if window is not None and fold == "rolled":
        raise ValueError("fold='rolled' draws all steps as one, so it leaves no room for steps=(first, last); choose one of the two")


def folded(order: list[Node], time: Timeline, fold: str | None, window: tuple[int, int] | None) -> tuple[str | None, Keys]:
    """How a history is folded (fold, but no longer "auto"), and the key of each node that shares its box.

    ValueError if it is to be folded and the names speak of no steps or layers, or not of these.
    """
    if fold is None and window is None:
        return None, {}
    how = fold if fold != "auto" else None if window is not None else automatic(order, time)
    if not time.step and (how not in (None, "names") or window is not None):
        raise ValueError(f"no steps or layers to fold: {unread(order)}, or draw without folding")
    if how == "rolled":
        return how, several(roles(order, time) | after(order, time))
    key = stretches(order, time, how, window)
    key = several(key | (units(order, time.weights, set(key)) if how == "names" else after(order, time)))
    calls = called(order) if fold else {}
    key |= {node: Key("call", *call) for node, call in calls.items() if node not in key or key[node].kind == "end"}
    return how, several(key)


def several(key: Keys) -> Keys:
    """The keys that more than one node has."""
    many = Counter(key.values())
    return {node: one for node, one in key.items() if many[one] > 1}


def stretches(order: list[Node], time: Timeline, how: str | None, window: tuple[int, int] | None) -> Keys:
    """Each step or layer, or all before a window and all after it; of many, for a slide, all but the first and the last few as one."""
    low, high = window or (math.inf, -math.inf)
    outside = sorted({t for t in time.step.values() if not low <= t <= high})
    if window is not None and time.step and len(outside) == len(set(time.step.values())):
        there = f"they run from {outside[0]} to {outside[-1]}"
        raise ValueError(f"there are no steps from {low} to {high} to draw; {there}")
    if how in ("layer", "states"):
        of = {t: Key("step", time.label(t)) for t in outside}
    else:
        ends = {t: f"{outside[0]} … {low - 1}" if t < low else f"{high + 1} … {outside[-1]}" for t in outside if window}
        of = {t: Key("step", time.label(text)) for t, text in ends.items()}
    if how == "states":
        middle = sorted({t for node, t in time.step.items() if t in of and node.rule is not None})
        middle = middle[KEPT:-KEPT] if len(middle) > SEVERAL else []
        of |= dict.fromkeys(middle, Key("more", f"{len(middle)} more like these"))
    found = {node: of[t] for node, t in time.step.items() if t in of and node not in time.weights}
    boxed = how == "states" and len(time.weights) > FEW
    return found | {node: Key("weights", "shared weights") for node in order if boxed and node in time.weights}


def after(order: list[Node], time: Timeline) -> Keys:
    """What comes after the last step: the loss and all that leads from the last state to it."""
    end, known = Key("end", label_of(order[-1])), time.weights.union(time.step)
    return {node: end for node in order if time.step and node not in known and node.rule is not None}


def units(order: list[Node], weights: set[Node], taken: set[Node]) -> Keys:
    """The named node that each node leads to, if it leads to that one alone. Arrays that are leaves stay what they are."""
    children: dict[Node, set[Key]] = {}
    found: Keys = {}
    for node in reversed(order):
        ends = children.get(node, set())
        if node in taken or node in weights or node.rule is None and np.shape(node.data) != ():
            continue
        alone = len(ends) == 1 and not (node.name and node.rule is not None)
        found[node] = next(iter(ends)) if alone else Key("unit", "", node.birth)
        for parent in node.variables:
            children.setdefault(parent, set()).add(found[node])
    return found


def unread(order: list[Node]) -> str:
    """Why the names speak of no steps: an edge that goes back in index, or no names at all."""
    step = indexed(order)
    for node, before in succession(order, step):
        if step[node] < step[before]:
            back = f"{label_of(node)} is computed from {label_of(before)}"
            return f"indices must not fall along an edge, but {back}; number the states in the order in which they are computed"
    return "they are read off the indices of names, such as h[3]; name the states with h.named('h', t)"


def automatic(order: list[Node], time: Timeline) -> str | None:
    """No fold up to 300 boxes or without steps; above, a recurrence is rolled, and layers become one box each."""
    boxes = sum(1 + len(node.parents) - len(node.variables) for node in order) + len(time.aliases)
    if not time.step or boxes <= ABOVE:
        return None
    return "rolled" if time.weights or len(set(time.step.values())) > ABOVE else "layer"


def roles(order: list[Node], time: Timeline) -> Keys:
    """What part each node plays in its step. Nodes of several steps with the same part are drawn as one.

    A named node is known by its name without the step, any other by its op, what it is computed from, and which of several such it is.
    """
    step = {node: t for node, t in time.step.items() if node not in time.weights}
    faces: dict[Node, Hashable] = {node: family(node) for node in indexed(order)}
    part: Keys = {}
    numbers: dict[Hashable, int] = {}
    met: Counter = Counter()

    def seen(parent: Any, here: int) -> Hashable:
        """How a parent looks from a step: a state by its name, a node of the same step by its role, one of another by its op."""
        if not isinstance(parent, Node):
            return "constant"
        if parent not in step:
            return id(parent)
        return faces.get(parent) or (part[parent] if step[parent] == here else ("earlier", parent.op))

    for node in (node for node in order if node in step):
        mark = faces.get(node) or (node.op, tuple(seen(parent, step[node]) for parent in node.parents)), node.rule is None
        met[step[node], mark] += 1
        part[node] = Key("role", "", numbers.setdefault((mark, met[step[node], mark]), len(numbers)))
    return part


def arranged(order: list[Node], key: Keys) -> list[list[Node]]:
    """The units, each a list of its nodes, after the units they need; where a loop needs itself, the oldest comes first."""
    units: dict[Hashable, list[Node]] = {}
    for node in order:
        units.setdefault(key.get(node, node), []).append(node)
    members = list(units.values())
    return [members[i] for i in by_need(members, {node: i for i, nodes in enumerate(members) for node in nodes})] if key else members


def by_need(members: list[list[Node]], unit: dict[Node, int]) -> Iterable[int]:
    """Kahn's topological sort, the oldest first; when a loop leaves nothing free, the oldest of the rest is taken all the same."""
    needs = [{unit[parent] for node in nodes for parent in node.variables} - {i} for i, nodes in enumerate(members)]
    needed_by = [list[int]() for _ in members]
    for i, needed in enumerate(needs):
        for j in needed:
            needed_by[j].append(i)
    free, done, rest = [i for i, needed in enumerate(needs) if not needed], dict[int, None](), iter(range(len(members)))
    while len(done) < len(members):
        i = heapq.heappop(free) if free else next(j for j in rest if j not in done)
        done[i] = None
        for j in needed_by[i]:
            needs[j].discard(i)
            if not needs[j] and j not in done:
                heapq.heappush(free, j)
    return done


def loop_gain(order: list[Node], time: Timeline) -> tuple[int, float] | None:
    """(n, nats): how many steps a gradient is carried back through from the last to the first, and the log of what is left of it.

    Exact: the frontier after step t (all that later steps use of it) stops every path, and from frontier to frontier the
    gradient is pulled, rescaled at each so that nothing underflows. None without gradients or with fewer than two frontiers.
    """
    fronts, output, nats = loop_frontiers(order, time), order[-1], 0.0
    if len(fronts) < 2 or output.grad is None:
        return None
    g = Link(fronts[-1], (output,), dependents(order, fronts[-1])).pull(output.grad)  # of each, the others held fixed
    path, size = set(time.step) - time.weights, norm(g)
    if not size:
        return None
    for start, end in zip(fronts[-2::-1], fronts[:0:-1]):
        g = Link(start, end, path).pull(g / size)
        size = norm(g)
        if not 0 < size < math.inf:
            return len(fronts) - 1, -math.inf if size == 0 else math.nan
        nats += math.log(size)
    return len(fronts) - 1, nats


def loop_frontiers(order: list[Node], time: Timeline) -> list[tuple[Node, ...]]:
    """What later steps use, step by step, from the state before the first on; of the last, the same states. Weights are left out."""
    lead = set(indexed(order))  # to a named state: not what only adds up a loss along the way
    for child in reversed(order):
        if child in lead:
            lead.update(child.variables)
    step = {node: t for node, t in time.step.items() if node in lead and node not in time.weights}
    first, last = min((t for node, t in step.items() if node.rule is not None), default=0), max(step.values(), default=0)
    start = max((t for t in step.values() if t < first), default=first)
    found = [nodes for t, nodes in frontiers(order, step, rest=-math.inf).items() if t >= start]
    states = {family(node) for nodes in found for node in nodes if node.name}
    ends = tuple(node for node in order if step.get(node) == last and node.name and family(node) in states)
    return found + [ends] * bool(ends)
