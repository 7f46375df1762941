"""Which nodes share a box?  A picture of fifty steps is read more easily as one step with a loop.

    fold None      every node its own box             "layer"   one box for each step or layer
    fold "states"  the same in few words, and of many steps only the first and the last: for a slide
    fold "names"   one box for each named node, with all that leads to it alone: a unit of a net of Scalars, a gate of an LSTM
    fold "rolled"  all steps drawn as one: nodes that play the same role in each step share a box, and the way to the next step is a loop
    steps (a, b)   these steps in full; before and after them one box each (with fold "layer", one for each step)

What comes after the last step, the loss, is one box in every fold. A unit is what becomes one box: a node, or a key that several
nodes share.
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
from .steps import Steps, family, indexed, succession, timed

END, WEIGHTS, MORE = "end", "weights", "more"  # keys: of what comes after the last step; in fold "states" of many weights and steps
FEW, SEVERAL, KEPT = 4, 8, 2  # weights and steps drawn one by one in fold "states"; of more steps, so many at either end
ABOVE = 300  # boxes, aliases included: "auto" folds
MODES = ("auto", None, "layer", "states", "names", "rolled")


class Fold(NamedTuple):
    """How a history is folded: key of each node that shares its box, and in which way."""

    how: str | None  # None, "layer", "states", "names" or "rolled"
    key: dict[Node, Hashable]
    label: dict[Hashable, str]


def check_mode(fold: Any, window: Any) -> None:
    """ValueError unless fold is one of the modes and steps is a pair (first, last), or both are left out."""
    if fold not in MODES:
        raise ValueError(f"fold is 'auto', None, 'layer', 'states', 'names' or 'rolled', got {fold!r}")
    pair = tuple(window) if isinstance(window, (tuple, list)) else ()
    if window is not None and not (len(pair) == 2 and all(isinstance(x, (int, np.integer)) for x in pair) and pair[0] <= pair[1]):
        raise ValueError(f"steps is a pair (first, last) of whole numbers, first not above last, got {window!r}")
    if window is not None and fold == "rolled":
        raise ValueError("fold='rolled' draws all steps as one, so it leaves no room for steps=(first, last); choose one of the two")


def folded(order: list[Node], step: Steps, weights: set[Node], fold: str | None, window: tuple[int, int] | None) -> Fold:
    """The fold of a history; ValueError if it is to be folded and the names speak of no steps or layers, or not of these."""
    word = "t =" if timed(order, weights) else "layer"
    if window is not None and step and not any(window[0] <= t <= window[1] for t in step.values()):
        there = f"they run from {min(step.values())} to {max(step.values())}"
        raise ValueError(f"there are no steps from {window[0]} to {window[1]} to draw; {there}")
    if not step and (fold not in (None, "names") or window is not None):
        raise ValueError(f"no steps or layers to fold: {unread(order)}, or draw without folding")
    if fold == "rolled":
        parts = roles(order, {node: t for node, t in step.items() if node not in weights})
        return single(Fold("rolled", parts | after(order, step, weights), {END: label_of(order[-1])}))
    key: dict[Node, Hashable] = {}
    names: dict[Hashable, str] = {t: f"{word} {t}" for t in step.values()}
    low, high = window or (math.inf, -math.inf)
    if window is not None and fold in (None, "names"):
        names |= {-1: f"{word} {min(step.values())} … {low - 1}", 1: f"{word} {high + 1} … {max(step.values())}"}
        key = {node: -1 if t < low else 1 for node, t in step.items() if node not in weights and not low <= t <= high}
    elif fold in ("layer", "states"):
        key = {node: t for node, t in step.items() if node not in weights and not low <= t <= high}
        if fold == "states":
            key |= {node: WEIGHTS for node in order if node in weights and len(weights) > FEW}
            key, names = elided(key, names)
    if fold == "names":
        key |= units(order, weights, set(key))
    else:
        key |= after(order, step, weights)
    return single(Fold(fold or "layer", key, names | {END: label_of(order[-1]), WEIGHTS: "shared weights"}))


def after(order: list[Node], step: Steps, weights: set[Node]) -> dict[Node, Hashable]:
    """What comes after the last step: the loss and all that leads from the last state to it."""
    return {node: END for node in order if step and node not in step and node not in weights and node.rule is not None}


def elided(key: dict[Node, Hashable], names: dict[Hashable, str]) -> tuple[dict[Node, Hashable], dict[Hashable, str]]:
    """Of more than SEVERAL steps the first and the last few, and one box for all in between."""
    steps = sorted({t for node, t in key.items() if isinstance(t, int) and node.rule is not None})
    middle = set(steps[KEPT:-KEPT]) if len(steps) > SEVERAL else set()
    return {node: MORE if t in middle else t for node, t in key.items()}, names | {MORE: f"{len(middle)} more like these"}


def units(order: list[Node], weights: set[Node], taken: set[Node]) -> dict[Node, Hashable]:
    """The named node that each node leads to, if it leads to that one alone. Arrays that are leaves stay what they are."""
    children: dict[Node, set[Hashable]] = {}
    found: dict[Node, Hashable] = {}
    for node in reversed(order):
        ends = children.get(node, set())
        if node in taken or node in weights or node.rule is None and np.shape(node.data) != ():
            continue
        alone = len(ends) == 1 and not (node.name and node.rule is not None)
        found[node] = next(iter(ends)) if alone else ("unit", node.birth)
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


def with_groups(fold: Fold, order: list[Node]) -> Fold:
    """The fold, and a box for each call that was made in a group, of the nodes that have none yet."""
    calls = {node: ("call", *call) for node, call in called(order).items() if node not in fold.key or fold.key[node] == END}
    return single(fold._replace(how=fold.how or "layer", key=fold.key | calls, label=fold.label | {key: key[2] for key in calls.values()}))


def automatic(order: list[Node], step: Steps, weights: set[Node], aliases: int) -> str | None:
    """No fold up to 300 boxes or without steps; above, a recurrence is rolled, and layers become one box each."""
    if not step or sum(1 + len(node.parents) - len(node.variables) for node in order) + aliases <= ABOVE:
        return None
    return "rolled" if weights or len(set(step.values())) > ABOVE else "layer"


def single(fold: Fold) -> Fold:
    """The fold, but a key that one node alone has is no fold."""
    many = Counter(fold.key.values())
    return fold._replace(key={node: key for node, key in fold.key.items() if many[key] > 1})


def roles(order: list[Node], step: Steps) -> dict[Node, Hashable]:
    """What part each node plays in its step. Nodes of several steps with the same part are drawn as one.

    A named node is known by its name without the step, any other by its op, what it is computed from, and which of several such it is.
    """
    faces: dict[Node, Hashable] = {node: family(node) for node in indexed(order)}
    part: dict[Node, Hashable] = {}
    numbers: dict[Hashable, int] = {}
    met: Counter = Counter()

    def seen(parent: Any, here: int) -> Hashable:
        """How a parent looks from a step: a state by its name, a node of the same step by its role, one of another by its op."""
        if not isinstance(parent, Node):
            return "constant"
        if parent not in step:
            return id(parent)
        return faces.get(parent) or (("role", part[parent]) if step[parent] == here else ("earlier", parent.op))

    for node in (node for node in order if node in step):
        mark = faces.get(node) or (node.op, tuple(seen(parent, step[node]) for parent in node.parents)), node.rule is None
        met[step[node], mark] += 1
        part[node] = numbers.setdefault((mark, met[step[node], mark]), len(numbers))
    return part


def arranged(order: list[Node], key: dict[Node, Hashable]) -> list[list[Node]]:
    """The units, each a list of its nodes, after the units they need; where a loop needs itself, the oldest comes first."""
    units: dict[Hashable, list[Node]] = {}
    for node in order:
        units.setdefault(("unit", key[node]) if node in key else node, []).append(node)
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


def loop_gain(order: list[Node], step: Steps) -> tuple[int, float] | None:
    """(n, nats): how many steps a gradient is carried back through from the last to the first, and the log of what is left of it.

    step  of each node that is no shared weight

    Exact: the frontier after step t (all that later steps use of it) stops every path, and from frontier to frontier the
    gradient is pulled, rescaled at each so that nothing underflows. None without gradients or with fewer than two frontiers.
    """
    fronts, output, nats = frontiers(order, step), order[-1], 0.0
    if len(fronts) < 2 or output.grad is None:
        return None
    g = Link(fronts[-1], (output,), dependents(order, fronts[-1])).pull(output.grad)  # of each, the others held fixed
    path, size = set(step), norm(g)
    if not size:
        return None
    for start, end in zip(fronts[-2::-1], fronts[:0:-1]):
        g = Link(start, end, path).pull(g / size)
        size = norm(g)
        if not 0 < size < math.inf:
            return len(fronts) - 1, -math.inf if size == 0 else math.nan
        nats += math.log(size)
    return len(fronts) - 1, nats


def frontiers(order: list[Node], step: Steps) -> list[tuple[Node, ...]]:
    """After each step what later states still use of it and of those before, oldest first; after the last, the same states of it."""
    rank = {t: k for k, t in enumerate(sorted(set(step.values())))}  # the steps may be numbered with gaps
    reach = reached(order, step)
    last_use: dict[Node, int] = {}
    for child in order:
        for parent in child.variables if child in reach and child in step else ():
            if step.get(parent, math.inf) < step[child]:
                last_use[parent] = max(last_use.get(parent, 0), rank[step[child]])
    found: dict[int, list[Node]] = {}
    for node in sorted(last_use, key=lambda node: node.birth):
        for k in range(rank[step[node]], last_use[node]):
            found.setdefault(k, []).append(node)
    kinds, last = {family(node) for node in last_use if node.name}, max(rank, default=0)
    ends = [node for node in order if step.get(node) == last and node.name and family(node) in kinds]
    first = min((rank[t] for node, t in step.items() if node.rule is not None), default=0) - 1
    return [tuple(found[k]) for k in sorted(found) if k >= first] + ([tuple(ends)] if ends else [])


def reached(order: list[Node], step: Steps) -> set[Node]:
    """The nodes that lead to a named state, themselves included: not what only adds up a loss along the way."""
    lead = set(indexed(order))
    for child in reversed(order):
        if child in lead:
            lead.update(child.variables)
    return lead
