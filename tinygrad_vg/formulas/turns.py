"""How many turns does a loop make?  As many as there are entries in an argument of which each turn takes one: T = len(x).

Where no argument says so, T is an argument itself. A loop over what an earlier loop made has as many turns as that one, or a few less.
T is fixed, as it was recorded, if another T would be wrong: a certain turn is used outside, or a number may be how many turns there are.
"""

from typing import Any

from ..autodiff.core import Node
from ..autodiff.structure import Select
from ..text.formulas import number_of
from .lines import index_text
from .loops import Loop, Slot


class Turns:
    """names     {loop: (T, less)}: it has T − less turns; K in place of T for layers, each with weights of its own
    recorded  {T: how many those were}      fixed  the same of those that cannot be others
    whole     {leaf: the loop that takes it as xs[0], xs[1] …}
    taken     {symbol of an argument: the first loop that takes one of its entries in each turn}
    """

    def __init__(self, program: Any, backward: Any):
        self.program = program
        self.whole = {x: loop for x, (loop, *others) in self.takers().items() if loop and not others}
        self.names: dict[Loop, tuple[str, int]] = {}
        self.taken: dict[str, Loop] = {}
        for loop in program.loops:
            own = [program.family(loop, key) for key in loop.families]
            own += [program.symbol(x) for x, by in self.whole.items() if by is loop]
            self.names[loop] = self.named(loop, own, backward.within[loop])
            self.taken |= dict.fromkeys(own, loop) | self.taken
        self.recorded = {T: loop.count + less for loop, (T, less) in self.names.items()}
        pinned = {self.names[loop][0] for loop in self.pinned()}
        self.fixed = {T: n for T, n in self.recorded.items() if T in pinned}

    def named(self, loop: Loop, own: list[str], weights: Any) -> tuple[str, int]:
        """(T, less) of a loop: that of a loop of as many turns, else of an argument, else of a longer loop; else a new one."""
        earlier = [(other.count - loop.count, *self.names[other]) for other, _ in loop.series]
        for fewer, T, less in sorted(earlier, key=lambda found: found[0] != 0):
            if not fewer or not own:
                return T, less + fewer
        if own and own[0] in self.taken:
            return self.names[self.taken[own[0]]]
        leaves = any(isinstance(members[-1], Node) for members in loop.families.values())
        letter = "K" if leaves and all(map(loop.varies, weights)) else "T"
        before = {T for T, _ in self.names.values() if T.startswith(letter)}
        return f"{letter}{len(before) + 1 if before else ''}", 0

    def count(self, loop: Loop, more: int = 0) -> str:
        """The number of turns, T, and so many more."""
        name, less = self.names[loop]
        return shifted(name, more - less)

    def letter(self, loop: Any) -> str: return "k" if self.names[loop][0].startswith("K") else "t"

    def head(self, loop: Loop, backwards: bool) -> str:
        turns = f"{self.count(loop)}, 0, -1" if backwards else f"1, {self.count(loop, 1)}"
        return f"for {self.letter(loop)} in range({turns}):"

    def takers(self) -> dict[Any, set[Any]]:
        """{leaf: the loops that take all of it, an index a turn, all or from the end on; None for what else uses it}"""
        found: dict[Any, set[Any]] = {}
        for node in self.program.order:
            loop, _, j = self.program.at(node)
            one = loop and isinstance(node.rule, Select) and index_text(node.rule.index)[0].split(",")[0] == "i0"
            n = loop.count if loop else 0
            way = loop.slots[j, 1] if one else Slot()
            whole = way.kind == "count" and len(node.parents[0].data) == n and (way.first, way.step) in ((0, 1), (n - 1, -1))
            for x in node.parents:
                if isinstance(x, Node) and x.rule is None:
                    found.setdefault(x, set()).add(loop if whole else None)
        return found

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


def shifted(name: str, by: int) -> str:
    """t, t + 1 or t - 1, as it is written."""
    return f"{name} {'+' if by > 0 else '-'} {abs(by)}" if by else name
