"""Which statements?  The graph as a program: a forward pass, and a backward pass that quotes it, last line first.

A node gets a line if it is named, used twice, or needed by a pull; any other is written into the line that uses it. The pulls of a line
stand below its quote, see backward.py. Of a loop the last turn is written, and stands for all.

    v3  the value of node 3      c0  a constant      a3  the array of node 3's values, turn by turn      s3_0  where that starts
"""

import ast
from collections import Counter
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Node
from ..autodiff.guards import Unrecorded
from ..autodiff.scalar import Scalar
from ..autodiff.structure import Select
from ..text.formulas import number_of
from .lines import dtype_of, index_text, is_double
from .loops import Loop, Search, key_of, operands
from .named import Named
from .statements import Put, Repeat, Statement, line, symbols
from .words import pull, value

LONGEST = 8  # names in a line


class Program:
    """The forward pass of a graph, and what the backward pass needs to know.

    forward  statements and loops of them      arguments  {symbol: a leaf, a constant, or a list of them, one for each turn}
    alone  all nodes are Scalars      nodes  {symbol: node}      place  {node: (loop, turn, place)}
    kept  nodes whose values of all turns are kept      whole  {leaf: the loop that takes it as xs[0], xs[1] …}
    pinned  loops of which a certain turn is used outside, so that their number of turns is fixed
    pulls  {node: [(parent, pull)]}, the gradient itself called g      members  {a node with a line: those written into its line}
    """

    def __init__(self, order: list[Any], wrt: list[Any], roll: bool):
        self.output, self.wrt = order[-1], wrt
        self.symbol = {node: f"v{k}" for k, node in enumerate(order)}
        self.nodes = {symbol: node for node, symbol in self.symbol.items()}
        self.single = all(map(is_double, order))  # one dtype throughout: a number is a number
        self.alone = all(isinstance(x, Scalar) for x in order)
        self.constants, self.families = dict[Any, str](), dict[Any, str]()
        self.arguments: dict[str, Any] = {self.symbol[x]: x for x in order if x.rule in (None, Unrecorded)}
        made = [node for node in order if self.symbol[node] not in self.arguments]
        search = Search(made if roll else [], set(wrt))
        self.loops, self.place = search.loops, search.places
        self.lengths: dict[Loop, tuple[Any, int]] = {}  # {loop: (the argument, or the loop, that says how many turns, so many less)}
        self.whole = self.taken_whole(made)
        self.factors = {number_of(x) for node in made if node.op in ("divide", "multiply") for i, x in enumerate(node.parents)
                        if not self.mean_over(node, i)}
        self.kept, self.pinned = set[Any](), {loop for loop in self.loops if self.counts_otherwise(loop)}
        for loop in self.loops:
            self.add_families(loop)
        self.marked = dependents(order, wrt)
        written = [x for x in made if self.last(x) is x]
        self.pulls = {node: self.pulls_of(node) for node in written if node in self.marked}
        self.wishes = dict[str, str]()  # {symbol: the name that it would like}
        self.values, self.skipped = dict[Any, ast.expr](), set[Any]()  # lines that are not those of the op alone; nodes without a line
        Named(self, made)
        self.members: dict[Any, list[Any]] = {}
        self.forward = self.lines(written)

    def add_families(self, loop: Loop) -> None:
        """The arguments that have another value in each turn; and from which of them, or which loop, the number of turns is read."""
        for key, members in loop.families.items():
            rep = members[-1]
            symbol = self.families.setdefault(key, self.symbol[rep] if isinstance(rep, Node) else f"c{len(self.families)}f")
            for x in members if isinstance(rep, Node) else []:
                self.arguments.pop(self.symbol[x], None)
            self.arguments[symbol] = members
        sources = [(slot[1], slot[1].count - loop.count) for slot in loop.slots.values() if slot[0] == "series"]
        own = [(self.families[key], 0) for key in loop.families] + [(self.symbol[x], 0) for x, by in self.whole.items() if by is loop]
        self.lengths[loop] = next(iter([s for s in sources if not s[1]] + own + sources), (None, 0))

    def ref(self, x: Any) -> ast.expr:
        """What stands for a node, a number or a constant array."""
        if isinstance(x, Node):
            return ast.Name(self.symbol[x])
        if (number := number_of(x)) is not None:
            typed = not self.single and not isinstance(x, (int, float))
            return line(f"np.{x.dtype}(c)", c=ast.Constant(number)) if typed else ast.Constant(number)
        if x.dtype.kind in "iu" and x.ndim == 1 and list(x) == list(range(x.size)):
            return line(f"np.arange({x.size})")
        if (key := key_of(x)) not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.arguments[self.constants[key]] = x
        return ast.Name(self.constants[key])

    def pulls_of(self, node: Any) -> list[tuple[Any, ast.expr]]:
        """(parent, pull) for each edge along which a gradient is wanted."""
        wanted = [(i, x) for i, x in enumerate(node.parents) if isinstance(x, Node) and x in self.marked]
        return [(x, pull(node, i, ast.Name("g"), self.ref(node), self.codes(node))) for i, x in wanted]

    def codes(self, node: Any) -> list[ast.expr]:
        """The code of each operand."""
        loop, _, j = self.place.get(node, (None, 0, 0))
        found = []
        for i, x in enumerate(operands(node)):
            kind, *slot = loop.slots[j, i] if loop else ("fixed",)
            if loop and kind == "count":
                first, step = slot
                found.append(counted(self.loops.index(loop), first, step, loop.count))
            elif kind == "family" and not isinstance(x, Node):
                found.append(ast.Name(self.families[slot[0]]))
            elif averaged := self.mean_over(node, i):
                found.append(line(averaged[0], T=ast.Name(f"T{self.loops.index(averaged[1])}")))
            else:
                found.append(ast.Constant(int(x)) if i >= len(node.parents) and not np.ndim(x) else self.ref(x))
        return found

    def mean_over(self, node: Any, i: int) -> tuple[str, Loop] | None:
        """(the number, the loop) where a sum over all turns is divided by how many there are, or multiplied by 1 / T."""
        number = number_of(node.parents[i]) if i < len(node.parents) else None
        others = [x for x in node.parents if isinstance(x, Node) and x in self.place]
        text = {"divide": "T" if i else "", "multiply": "1 / T"}.get(node.op, "")
        if number is None or not text or len(others) != 1 or node in self.place:
            return None
        loop, turn, j = self.place[others[0]]
        running = others[0].op in ("add", "subtract") and ("carried", j, 1) in (loop.slots[j, 0], loop.slots[j, 1])
        found = running and turn == loop.count - 1 and number == (loop.count if text == "T" else 1 / loop.count)
        return (text, loop) if found else None

    def taken_whole(self, made: list[Any]) -> dict[Any, Loop]:
        """{leaf: the loop that takes xs[0], xs[1] … of it, a turn each, all or from the end on}: it says how many turns there are."""
        ways: dict[Any, set[Any]] = {}
        for node in made:
            for x in node.parents:
                if isinstance(x, Node) and x.rule is None:
                    ways.setdefault(x, set()).add(self.taking(node))
        return {x: loop for x, (loop, *others) in ways.items() if loop and not others}

    def taking(self, node: Any) -> Loop | None:
        """The loop, if in it the node takes all of its parent, one index a turn."""
        loop, _, j = self.place.get(node, (None, 0, 0))
        if not loop or not isinstance(node.rule, Select) or index_text(node.rule.index)[0].split(",")[0] != "i0":
            return None
        n, slot = node.parents[0].shape[0], loop.slots[j, 1]
        return loop if loop.count == n and slot in (("count", 0, 1), ("count", n - 1, -1)) else None

    def counts_otherwise(self, loop: Loop) -> bool:
        """Whether a count of the loop is of something that does not say how many turns there are, or a number in it may be that."""
        near = range(loop.count, loop.count + 3)  # a first or a last step may stand outside the loop
        if self.factors & {*near, *(1 / n for n in near)}:
            return True
        counts = [(loop.last[j].parents[0], i) for (j, i), slot in loop.slots.items() if slot[0] == "count"]
        return any(i > 1 or self.whole.get(x) is not loop for x, i in counts)

    def last(self, x: Any) -> Any:
        """The node of the last turn that stands for x; x itself outside loops."""
        return self.place[x][0].last[self.place[x][2]] if x in self.place else x

    def loop_of(self, x: Any) -> Any:
        return self.place[x][0] if x in self.place else None

    def lines(self, written: list[Any]) -> list[Any]:
        """The forward pass."""
        codes = {node: self.values.get(node) or value(node, self.codes(node)) for node in written if node not in self.skipped}
        uses, needed = Counter[Any](), set[Any]()
        for node, code in codes.items():
            pulled = [self.nodes[name] for _, part in self.pulls.get(node, ()) for name in symbols(part) if name in self.nodes]
            read = [self.nodes[name] for name in symbols(code) if name in self.nodes]
            uses.update(map(self.last, read))
            needed |= set(map(self.last, pulled))
            for x in read:
                self.look_at(node, x, False, needed)
            for x in pulled:
                self.look_at(node, x, True, needed)
        needed |= {loop.last[j] for loop in self.loops for j, _ in loop.starts} | {self.output}
        needed |= {self.last(x) for loop in self.loops for x in loop.starts.values() if isinstance(x, Node)}
        inlined: dict[str, Any] = {}
        items: list[Any] = []
        for node, code in codes.items():
            inside = [self.nodes[name] for name in symbols(code) if name in inlined]
            self.members[node] = sorted((m for child in inside for m in (child, *self.members.pop(child))), key=lambda m: -m.birth)
            code = Put(inlined).visit(code)
            if node.name or uses[node] > 1 or node in needed or len(symbols(code)) > LONGEST:
                self.add(items, node, Statement(self.symbol[node], code))
            else:
                inlined[self.symbol[node]] = code
        return [x for item in items for x in (*(self.before(item) if isinstance(item, Repeat) else ()), item)]

    def look_at(self, node: Any, x: Any, pulled: bool, needed: set[Any]) -> None:
        """x, which the line or a pull of `node` reads: must it have a line of its own, and must its values of all turns be kept?"""
        if x not in self.place and self.loop_of(node):
            needed.add(x)  # computed once, before the loop
        if x in self.place:
            loop, turn, j = self.place[x]
            outer, last = self.loop_of(node) is not loop, turn == loop.count - 1
            needed |= {loop.last[j]} if outer or not last else set()
            if outer and not last and not self.loop_of(node):
                self.pinned.add(loop)
            if pulled and not outer or outer and (not last or self.loop_of(node)) or loop.lag(j) > 1:
                self.kept.add(loop.last[j])

    def add(self, items: list[Any], node: Any, statement: Statement) -> None:
        """The statement, into the loop that it is part of. An older value read after the newer is there must be kept."""
        loop = self.loop_of(node)
        if loop and not (items and isinstance(items[-1], Repeat) and items[-1].loop is loop):
            items.append(Repeat(loop, []))
        body = items[-1].body if loop else items
        if loop:
            done = {self.nodes[other.target] for other in body}
            read = [self.nodes[name] for name in symbols(statement.code) if name in self.nodes]
            self.kept |= {self.last(x) for x in read if self.loop_of(x) is loop and x is not self.last(x) and self.last(x) in done}
        body.append(statement)

    def before(self, item: Repeat) -> list[Statement]:
        """What stands before a loop: room for what is kept, and what is carried into the first turn."""
        loop = item.loop
        statements = self.rooms([node for node in loop.last if node in self.kept], "a")
        for (place, turn), x in loop.starts.items():
            node = loop.last[place]
            symbol = f"s{self.symbol[node][1:]}_{-turn}" if node in self.kept else self.symbol[node]
            statements.append(Statement(symbol, self.ref(x)))
        return statements

    def rooms(self, nodes: list[Any], kind: str) -> list[Statement]:
        """Arrays for the values, or the gradients, of nodes in all turns, those of one shape in a line."""
        alike: dict[str, list[str]] = {}
        for node in nodes:
            alike.setdefault(ast.unparse(self.room("empty", node)), []).append(f"{kind}{self.symbol[node][1:]}")
        return [Statement(", ".join(arrays), line(room if len(arrays) == 1 else f"({room} for _ in range({len(arrays)}))"))
                for room, arrays in alike.items()]

    def room(self, how: str, node: Any) -> ast.expr:
        """An array with a place for each turn, from 1 to T, and for what comes before."""
        loop, _, j = self.place[node] if node in self.place else (self.loop_with(node), 0, -1)
        typed = "" if is_double(node) else f", np.{dtype_of(node)}"
        extra = max(loop.lag(j), 1)
        size = f"T + {extra}" if not node.shape else f"({', '.join([f'T + {extra}', *map(str, node.shape)])})"
        return line(f"np.{how}({size}{typed})", T=ast.Name(f"T{self.loops.index(loop)}"))

    def loop_with(self, leaf: Any) -> Loop:
        """The loop that has another such leaf in each turn."""
        return next(loop for loop in self.loops for members in loop.families.values() if members[-1] is leaf)


def counted(number: int, first: int, step: int, turns: int) -> ast.expr:
    """The code of a number that is `first` in the first turn of loop `number`, and goes up by `step` from turn to turn."""
    if step == -1 and first == turns - 1:
        return line("T - t", T=ast.Name(f"T{number}"), t=ast.Name(f"t{number}"))
    factor, start = {1: "t", -1: "-t"}.get(step, f"{step} * t"), first - step
    return line(f"{factor} {'+' if start > 0 else '-'} {abs(start)}" if start else factor, t=ast.Name(f"t{number}"))
