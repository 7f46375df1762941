"""What repeats?  A stretch of the graph that comes again and again, a turn each time: time steps, equal layers, the sum of their losses.

Nothing here looks at names. Two nodes may stand at the same place of two turns if their ops and shapes are the same; and the turns are a
loop if each operand means the same in all of them:

    same     a node of this turn                    fixed   what is outside, one for all turns: a weight
    carried  a node so many turns back: a state     family  what is outside, another one in each turn: inputs, the weights of layers
    series   a node of an earlier loop, turn by turn

In the first turns a carried operand comes from outside: the state that the loop starts from.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..autodiff.structure import Select
from ..text.formulas import number_of
from .lines import dtype_of, whole_numbers

FEWEST = 3  # turns
FIRST = 8  # turns that are tried before all; what is carried over more turns than that is not found
GAPS = 8  # distances that are tried from one node


class Loop:
    """turns[k][j]  the node at place j of turn k      slots  {(j, operand): ("same", place) | ("carried", place, turns back) | ("fixed",)
    | ("family", key) | ("series", loop, place, turn at the start)}

    starts  {(place, turns before the first): what the loop starts from}      families  {key: a member for each turn}
    """

    def __init__(self, turns: list[list[Any]]):
        self.turns, self.count = turns, len(turns)
        self.slots: dict[tuple[int, int], tuple] = {}
        self.starts: dict[tuple[int, int], Any] = {}
        self.families: dict[Any, list[Any]] = {}

    last = property(lambda self: self.turns[-1], doc="The turn that stands for all.")
    def lag(self, place: int) -> int: return max((-turn for j, turn in self.starts if j == place), default=0)


def find(made: list[Any], wrt: set[Any]) -> list[Loop]:
    """The loops of a graph, oldest first; made: its nodes with a rule, oldest first."""
    tokens = [token(node) for node in made]
    uses = Counter(x for node in made for x in node.parents if isinstance(x, Node) and x.rule is None)
    following, seen = [0] * len(made), dict[Any, int]()  # where the same token comes next
    for k in reversed(range(len(made))):
        following[k] = seen.get(tokens[k], 0)
        seen[tokens[k]] = k
    places: dict[Any, tuple[Loop, int, int]] = {}
    loops, ends, k = list[Loop](), dict[int, int](), 0
    while k < len(made):
        best: Loop | None = None
        for start, period, count in candidates(k, tokens, following, ends):
            if best is None or period * count > len(best.turns) * len(best.last):
                turns = [made[start + t * period : start + (t + 1) * period] for t in range(count)]
                best = longest(turns, (places, uses, wrt), best)
        if best:
            loops.append(best)
            places |= {node: (best, t, j) for t, turn in enumerate(best.turns) for j, node in enumerate(turn)}
            while k < len(made) and made[k].birth <= best.last[-1].birth:
                k += 1
        else:
            k += 1
    return loops


def longest(turns: list[Any], known: tuple, best: Loop | None) -> Loop | None:
    """The loop of as many of the turns as are one; `best`, if no more nodes are in it than in that."""
    if len(turns) > FIRST and not checked(turns[:FIRST], *known):
        return best
    if found := checked(turns, *known):
        return found
    few, many = FEWEST - 1, len(turns)  # so many are a loop, so many are not
    while many - few > 1:
        middle = (few + many) // 2
        if part := checked(turns[:middle], *known):
            few, found = middle, part
        else:
            many = middle
    return found if found and (not best or len(found.turns) * len(found.last) > len(best.turns) * len(best.last)) else best


def candidates(k: int, tokens: list[Any], following: list[int], ends: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """(start, period, turns): stretches of equal tokens from node k on; the first turn may be unlike the others."""
    again = k
    for _ in range(GAPS):
        if not (again := following[again]):
            return
        period = again - k
        if ends.get(period, -1) < k:
            end = k
            while end + period < len(tokens) and tokens[end] == tokens[end + period]:
                end += 1
            ends[period] = end
        count = (ends[period] - k) // period + 1
        if count >= FEWEST:
            yield k, period, count
        if count > FEWEST:
            yield k + period, period, count - 1


def token(node: Any) -> Any:
    """What two nodes must have in common to stand at the same place of two turns."""
    rule, facts = node.rule, [str(getattr(node.rule, fact, "")) for fact in ("axis", "keepdims", "shape", "axes", "dtype", "subscripts")]
    parts = whole_numbers(rule.index) if isinstance(rule, Select) else []
    index = [part.shape if isinstance(part, np.ndarray) else str(part) for part in parts]
    return rule.name, node.shape, str(dtype_of(node)), len(node.parents), *facts, *index


def operands(node: Any) -> list[Any]:
    """The parents of a node, and the arrays of an index."""
    arrays = [part for part in node.rule.index if isinstance(part, np.ndarray)] if isinstance(node.rule, Select) else []
    return [*node.parents, *arrays]


def key_of(x: Any) -> Any:
    """What tells one operand from another: of a node itself, of a constant its value."""
    if isinstance(x, Node):
        return id(x), "node"
    return number_of(x) if number_of(x) is not None else (str(x.dtype), x.shape, x.tobytes())


def checked(turns: list[list[Any]], places: dict[Any, Any], uses: Counter, wrt: set[Any]) -> Loop | None:
    """The turns as a loop, if every operand means the same in each of them."""
    loop = Loop(turns)
    here = {node: (t, j) for t, turn in enumerate(turns) for j, node in enumerate(turn)}
    alike: list[tuple[tuple[int, int], list[Any]]] = []  # constants of one value, which may be inputs that happen to be equal
    for j, nodes in enumerate(zip(*turns)):
        for i, xs in enumerate(zip(*map(operands, nodes))):
            inside = isinstance(xs[-1], Node) and xs[-1] in here
            slot = carried(loop, xs, here) if inside else outside(loop, list(xs), here, places, alike, (j, i))
            if slot is None:
                return None
            loop.slots[j, i] = slot
    if not loop.families and loop.starts:
        for place, members in alike:
            key = tuple(map(key_of, members))
            loop.families[key], loop.slots[place] = members, ("family", key)
    if {slot[0] for slot in loop.slots.values()} <= {"same", "family"}:  # nothing that the turns have in common
        return None
    for key, members in loop.families.items():
        if isinstance(members[0], Node):
            within = sum(slot == ("family", key) for slot in loop.slots.values())
            if any(uses[x] != within for x in members) or len({x in wrt for x in members}) > 1 or len(set(members)) < len(members):
                return None
    return loop


def carried(loop: Loop, xs: tuple[Any, ...], here: dict[Any, tuple[int, int]]) -> tuple | None:
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
    return ("carried", place, back) if back else ("same", place)


def outside(loop: Loop, xs: list[Any], here: Any, places: Any, alike: list[Any], slot: tuple[int, int]) -> tuple | None:
    """The slot of an operand that comes from outside the loop."""
    keys = [key_of(x) for x in xs]
    arrays = all(isinstance(x, np.ndarray) and x.ndim for x in xs)
    if all(key == keys[0] for key in keys):
        if arrays and len(set(map(id, xs))) > 1:
            alike.append((slot, xs))
        return ("fixed",)
    if all(isinstance(x, Node) and x in places for x in xs):
        (other, first, place), follow = places[xs[0]], [places[x] for x in xs]
        return ("series", other, place, first) if follow == [(other, first + k, place) for k in range(len(xs))] else None
    leaves = all(isinstance(x, Node) and x.rule is None and x not in here for x in xs)
    if not (leaves or arrays) or len({(x.shape, dtype_of(x)) for x in xs}) > 1:
        return None
    loop.families[tuple(keys)] = xs
    return "family", tuple(keys)
