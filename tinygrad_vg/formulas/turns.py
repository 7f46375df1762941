"""How many turns does a loop make?  As many as there are entries in an argument of which each turn takes one: T = len(x).

Where no argument says so, T is an argument itself. A loop over what an earlier loop made has as many turns as that one, or a few less.
T is fixed, as it was recorded, if another T would be wrong: a certain turn is used outside, or a number may be how many turns there are.
"""

from collections import Counter
from typing import Any

from ..autodiff.core import Node
from ..text.formulas import number_of
from .lines import index_text
from .loops import Loop, operands


class Turns:
    """Gives each loop of a program its T; see Loop.

    whole  {leaf: the loop that takes it as xs[0], xs[1] …}      recorded  {T: how many those were}
    taken  {symbol of an argument: the first loop that takes one of its entries in each turn}
    """

    def __init__(self, program: Any):
        self.program = program
        self.whole: dict[Any, Loop] = {}
        self.recorded: dict[str, int] = {}
        self.taken: dict[str, Loop] = {}
        for loop in program.loops:
            whole = self.taken_whole(loop)
            self.whole |= dict.fromkeys(whole, loop)
            own = [*map(program.symbol, [*loop.families, *whole])]
            loop.T, loop.less = self.named(loop, own)
            self.recorded[loop.T] = loop.count + loop.less
            self.taken |= dict.fromkeys(own, loop) | self.taken

    def named(self, loop: Loop, own: list[str]) -> tuple[str, int]:
        """(T, less) of a loop: that of a loop of as many turns, else of an argument, else of a longer loop; else a new one."""
        earlier = [(other.count - loop.count, other.T, other.less) for other, _ in loop.series]
        for fewer, T, less in sorted(earlier, key=lambda found: found[0] != 0):
            if not fewer or not own:
                return T, less + fewer
        if own and (first := self.taken.get(own[0])):
            return first.T, first.less
        leaves = any(isinstance(key, Node) for key in loop.families)
        fixed = [operands(loop.last[j])[i] for (j, i), slot in loop.slots.items() if slot.kind == "fixed"]
        letter = "K" if leaves and not any(isinstance(x, Node) and x in self.program.marked for x in fixed) else "T"
        before = [T for T in self.recorded if T.startswith(letter)]
        return f"{letter}{len(before) + 1 if before else ''}", 0

    @property
    def fixed(self) -> dict[str, int]:
        """Of the recorded those that cannot be others."""
        pinned = {loop.T for loop in self.pinned()}
        return {T: n for T, n in self.recorded.items() if T in pinned}

    def taken_whole(self, loop: Loop) -> list[Any]:
        """The leaves of which each turn takes another entry, all of them or from the end on, and that nothing else uses."""
        T, children = loop.count, self.program.children
        steps = [loop.last[j] for (j, i), slot in loop.slots.items()
                 if slot.kind == "count" and i == 1 and (slot.first, slot.step) in ((0, 1), (T - 1, -1))]
        uses = Counter(node.parents[0] for node in steps if index_text(node.rule.index)[0].split(",")[0] == "i0")
        return [x for x, n in uses.items() if x.rule is None and len(x.data) == T and len(children[x]) == n * T]

    def pinned(self) -> set[Loop]:
        """The loops of which another number of turns would be wrong."""
        program = self.program
        found = {program.at(x).loop for s in program.forward if not s.loop for x in program.read(s.code) if program.at(x).ago}
        numbers = {number_of(x) for node in program.order if node.op in ("divide", "multiply") for i, x in enumerate(node.parents)
                   if not program.mean_over(node, i)}
        for loop in program.loops:
            near = {loop.count + k for k in range(3)}  # a first or a last step may stand outside the loop
            counts = [(loop.last[j].parents[0], i) for (j, i), slot in loop.slots.items() if slot.kind == "count"]
            if numbers & {*near, *(1 / n for n in near)} or any(i > 1 or self.whole.get(x) is not loop for x, i in counts):
                found.add(loop)
        return found
