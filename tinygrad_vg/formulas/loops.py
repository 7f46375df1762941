"""What repeats?  A stretch of the graph that comes again and again, a turn each time: time steps, equal layers, the sum of their losses.

Nothing here looks at names. Two nodes may stand at the same place of two turns if their ops and shapes are the same; and the turns are a
loop if each operand means the same in all of them:

    fixed    what is outside, one for all turns: a weight
    family   what is outside, another one in each turn: inputs, labels, the weights of layers
    carried  a node of the loop, of this turn or so many turns back: a state
    series   a node of an earlier loop, by turns
    count    a whole number that goes up or down with the turns: the index in xs[t]

In the first turns a carried operand comes from outside: the state that the loop starts from.
"""

from bisect import bisect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Select
from ..text.formulas import number_of
from .lines import dtype_of, index_text, is_double

FEWEST = 3  # turns
FIRST = 8  # turns that are tried before all; what is carried over more turns than that is not found
GAPS = 8  # distances that are tried from one node
FACTS = ("axis", "keepdims", "shape", "axes", "dtype", "subscripts")  # of a rule


class Slot(NamedTuple):
    """What an operand means in all turns of a loop."""

    kind: str = "fixed"
    key: Any = None  # family: which one
    place: int = 0  # carried, series: where the node stands in its turn
    back: int = 0  # carried: how many turns ago that was
    loop: Any = None  # series: of which loop
    first: int = 0  # series, count: the turn, or the number, in the first turn
    step: int = 0  # count: from turn to turn


class Loop:
    """turns[k][j]  the node at place j of turn k      slots  {(j, operand): what it means}

    starts  {(place, turns before the first): what the loop starts from}
    families  {the last, of leaves, or their keys, of constants: a member for each turn}
    T, less  it has T − less turns; K in place of T for layers, each with weights of its own: see turns.py
    """

    T, less = "T", 0

    def __init__(self, turns: list[list[Any]]):
        self.turns, self.count = turns, len(turns)
        self.slots: dict[tuple[int, int], Slot] = {}
        self.starts: dict[tuple[int, int], Any] = {}
        self.families: dict[Any, list[Any]] = {}

    last = property(lambda self: self.turns[-1], doc="The turn that stands for all.")
    size = property(lambda self: self.count * len(self.last), doc="How many nodes are in it.")
    letter = property(lambda self: "k" if self.T.startswith("K") else "t", doc="What counts the turns.")
    def length(self, more: int = 0) -> str: return shifted(self.T, more - self.less)
    def lag(self, place: int) -> int: return max((-turn for j, turn in self.starts if j == place), default=0)

    series = property(lambda self: [(slot.loop, slot.first) for slot in self.slots.values() if slot.kind == "series"],
                      doc="(an earlier loop, its turn at the start of this one) for each that goes in step with this one.")


def shifted(name: str, by: int) -> str:
    """t, t + 1 or t - 1, as it is written."""
    return f"{name} {'+' if by > 0 else '-'} {abs(by)}" if by else name


class Place(NamedTuple):
    """Where a node stands: in no loop, or in one, at place j of a turn."""

    loop: Any = None
    turn: int = 0
    j: int = 0

    @property
    def ago(self) -> int:
        """How many turns before the last."""
        return self.loop.count - 1 - self.turn if self.loop else 0


NOWHERE = Place()


class Search:
    """The loops of a graph, oldest first.

    made    its nodes with a rule, oldest first      marked  those whose gradients are wanted     children  {node: those that use it}
    places  {node of a loop: where it stands}        known  {node: its operands}
    """

    def __init__(self, made: list[Any], marked: set[Any], children: dict[Any, list[Any]]):
        self.made, self.marked, self.children = made, marked, children
        self.known = {node: operands(node) for node in made}
        self.uses = {x: len(nodes) for x, nodes in children.items() if x.rule is None}
        self.tokens = [self.token(node) for node in made]
        weights = [tuple(id(x) for x in node.parents if isinstance(x, Node) and self.uses.get(x, 0) > 1) for node in made]
        self.alike = [places_of([*zip(self.tokens, weights)]), places_of(self.tokens)]  # with the same weights, or with any
        self.ends: dict[int, int] = {}
        self.places: dict[Any, Place] = {}
        self.loops: list[Loop] = []
        for k, node in enumerate(made):
            behind = not self.loops or node.birth > self.loops[-1].last[-1].birth
            if behind and (loop := self.at(k)):
                self.loops.append(loop)
                self.places |= {node: Place(loop, t, j) for t, turn in enumerate(loop.turns) for j, node in enumerate(turn)}
        for loop in [loop for loop in self.loops if not loop.starts and self.taken_apart(loop)]:
            self.loops.remove(loop)
            self.places = {node: place for node, place in self.places.items() if place.loop is not loop}

    def taken_apart(self, loop: Loop) -> bool:
        """Whether turns that hand nothing on are used in different ways, as q, k and v of attention: then they are no loop."""
        later = {earlier for other in self.loops for earlier, _ in other.series}
        readers = {user for turn in loop.turns for node in turn for user in self.children.get(node, ()) if user not in self.places}
        return loop not in later and len(readers) > 1

    def at(self, k: int) -> Loop | None:
        """The loop of most nodes that begins at node k or, if its first turn is unlike the others, a turn later."""
        best: Loop | None = None
        for start, period, count in self.candidates(k):
            if not best or period * count > best.size:
                turns = [self.made[start + t * period : start + (t + 1) * period] for t in range(count)]
                if (found := self.longest(turns)) and (not best or found.size > best.size):
                    best = found
        return best

    def candidates(self, k: int) -> Iterator[tuple[int, int, int]]:
        """(start, period, turns): stretches of equal tokens from node k on."""
        ahead = [places[k][(first := bisect(places[k], k)) : first + GAPS] for places in self.alike]
        for period in dict.fromkeys(place - k for places in ahead for place in places):
            if self.ends.get(period, -1) < k:
                end = k
                while end + period < len(self.tokens) and self.tokens[end] == self.tokens[end + period]:
                    end += 1
                self.ends[period] = end
            count = (self.ends[period] - k) // period + 1
            if count >= FEWEST:
                yield k, period, count
            if count > FEWEST:
                yield k + period, period, count - 1

    def longest(self, turns: list[Any]) -> Loop | None:
        """The loop of as many of the turns as are one."""
        if len(turns) > FIRST and not self.checked(turns[:FIRST]):
            return None
        if found := self.checked(turns):
            return found
        most = FEWEST - 1 + bisect(range(FEWEST, len(turns)), False, key=lambda n: not self.checked(turns[:n]))
        return self.checked(turns[:most]) if most >= FEWEST else None

    def token(self, node: Any) -> Any:
        """What two nodes must have in common to stand at the same place of two turns."""
        rule = node.rule
        facts = () if isinstance(rule, Elementwise) else [str(getattr(rule, fact, "")) for fact in FACTS]
        index = [index_text(rule.index)[0]] if isinstance(rule, Select) else []
        return rule.name, node.shape, dtype_of(node), *facts, *index, *(getattr(x, "shape", ()) for x in self.known[node])

    def checked(self, turns: list[list[Any]]) -> Loop | None:
        """The turns as a loop, if every operand means the same in each of them."""
        loop = Loop(turns)
        here = {node: (t, j) for t, turn in enumerate(turns) for j, node in enumerate(turn)}
        alike: list[tuple[tuple[int, int], list[Any]]] = []  # constants of one value, which may be inputs that happen to be equal
        for j, nodes in enumerate(zip(*turns)):
            for i, xs in enumerate(zip(*(self.known[node] for node in nodes))):
                inside = isinstance(xs[-1], Node) and xs[-1] in here
                slot = carried(loop, xs, here) if inside else self.outside(loop, list(xs), here, alike, (j, i))
                if slot is None:
                    return None
                loop.slots[j, i] = slot
        if not loop.families and loop.starts:
            for place, members in alike:
                key = tuple(map(key_of, members))
                loop.families[key], loop.slots[place] = members, Slot("family", key=key)
        parents = [slot for (j, i), slot in loop.slots.items() if i < len(loop.last[j].parents)]
        if all(slot.kind == "family" or slot.kind == "carried" and not slot.back for slot in parents):
            return None  # the turns have nothing in common
        starts = [(x, loop.last[j]) for (j, _), x in loop.starts.items() if isinstance(x, Node)]
        unlike = any(x in self.marked and node not in self.marked for x, node in starts)  # a gradient is wanted of the start alone
        right = not unlike and not self.ambiguous(loop) and all(self.is_family(loop, members) for members in loop.families.values())
        return loop if right else None

    def ambiguous(self, loop: Loop) -> bool:
        """Whether it goes along with an earlier loop, and reads one of that loop's values in all of its turns, too."""
        along = {earlier for earlier, _ in loop.series}
        fixed = [self.known[loop.last[j]][i] for (j, i), slot in loop.slots.items() if slot.kind == "fixed"]
        return any(isinstance(x, Node) and x in self.places and self.places[x].loop in along for x in fixed)

    def is_family(self, loop: Loop, members: list[Any]) -> bool:
        """Whether no member is used outside the loop; and either all gradients are wanted, or none."""
        if not isinstance(members[0], Node):
            return True
        within = sum(slot.key is members[-1] for slot in loop.slots.values())
        wanted = {x in self.marked for x in members}
        return all(self.uses[x] == within for x in members) and len(wanted) == 1 and len(set(members)) == len(members)

    def outside(self, loop: Loop, xs: list[Any], here: Any, alike: list[Any], at: tuple[int, int]) -> Slot | None:
        """The slot of an operand that comes from outside the loop."""
        if isinstance(first := xs[0], Node):
            if all(x is first for x in xs):
                return Slot()
            if first.rule is not None and first not in self.places or self.uses.get(first, 0) > 3 * len(loop.last):
                return None  # it is of no family, or is used outside
        keys = [key_of(x) for x in xs]
        arrays = all(isinstance(x, np.ndarray) and x.ndim for x in xs)
        if all(key == keys[0] for key in keys):
            if arrays and len(set(map(id, xs))) > 1:
                alike.append((at, xs))
            return Slot()
        if all(isinstance(x, Node) and x in self.places for x in xs):
            (other, first, place), follow = self.places[xs[0]], [self.places[x] for x in xs]
            in_step = follow == [(other, first + k, place) for k in range(len(xs))]
            return Slot("series", loop=other, place=place, first=first) if in_step else None
        node = loop.last[at[0]]
        numbers = all(number_of(x) is not None for x in xs)
        if at[1] >= len(node.parents) and numbers and len({b - a for a, b in zip(xs, xs[1:])}) == 1:
            return Slot("count", first=int(xs[0]), step=int(xs[1] - xs[0]))
        leaves = all(isinstance(x, Node) and x.rule is None and x not in here for x in xs)
        if not (leaves or arrays or numbers and is_double(node)) or len({(getattr(x, "shape", ()), dtype_of(x)) for x in xs}) > 1:
            return None
        key = xs[-1] if leaves else tuple(keys)
        loop.families[key] = xs
        return Slot("family", key=key)


def places_of(tokens: list[Any]) -> list[list[int]]:
    """For each token all places where it stands, in order."""
    found = dict[Any, list[int]]()
    for k, token in enumerate(tokens):
        found.setdefault(token, []).append(k)
    return [found[token] for token in tokens]


def operands(node: Any) -> list[Any]:
    """The parents of a node, and the numbers and arrays of an index."""
    return [*node.parents, *(index_text(node.rule.index)[1] if isinstance(node.rule, Select) else [])]


def key_of(x: Any) -> Any:
    """What tells one operand from another: of a node itself, of a constant its value."""
    if isinstance(x, Node):
        return id(x), "node"
    return number_of(x) if number_of(x) is not None else (str(x.dtype), x.shape, x.tobytes())


def carried(loop: Loop, xs: tuple[Any, ...], here: dict[Any, tuple[int, int]]) -> Slot | None:
    """The slot of an operand that is a node of the loop, of this turn or an earlier one."""
    t, place = here[xs[-1]]
    back = loop.count - 1 - t
    for k, x in enumerate(xs):
        if k >= back:
            if not isinstance(x, Node) or here.get(x) != (k - back, place):
                return None
        elif isinstance(x, Node) and x in here or key_of(loop.starts.setdefault((place, k - back), x)) != key_of(x):
            return None
        elif isinstance(x, Node) and x.shape != xs[-1].shape:
            return None
    return Slot("carried", place=place, back=back)
