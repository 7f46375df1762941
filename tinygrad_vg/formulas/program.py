"""Which statements?  The graph as a program: a forward pass, and a backward pass that quotes it, last line first.

A node gets a line if it is named, used twice, or needed by a pull; any other is written into the line that uses it. The pulls of a line
stand below its quote, see backward.py. Of a loop the last turn is written, and stands for all.

    v3  the value of node 3      c0  a constant      a3  the array of node 3's values, turn by turn      s3_0  where that starts
"""

import ast
from collections import Counter
from typing import Any

from ..autodiff.calculus import dependents
from ..autodiff.core import Node
from ..autodiff.guards import Unrecorded
from ..text.formulas import number_of
from .lines import dtype_of, is_double
from .loops import Loop, find, key_of, operands
from .statements import Put, Repeat, Statement, line, symbols
from .words import pull, value

LONGEST = 8  # names in a line


class Program:
    """The forward pass of a graph, and what the backward pass needs to know.

    forward  statements and loops of them      arguments  {symbol: a leaf, a constant, or a list of them, one for each turn}
    nodes  {symbol: node}      place  {node: (loop, turn, place)}      kept  nodes whose values of all turns are kept
    pinned  loops of which a certain turn is used outside, so that their number of turns is fixed
    pulls  {node: [(parent, pull)]}, the gradient itself called g      members  {a node with a line: those written into its line}
    """

    def __init__(self, order: list[Any], wrt: list[Any], roll: bool):
        self.output, self.wrt = order[-1], wrt
        self.symbol = {node: f"v{k}" for k, node in enumerate(order)}
        self.nodes = {symbol: node for node, symbol in self.symbol.items()}
        self.single = all(map(is_double, order))  # one dtype throughout: a number is a number
        self.constants, self.families = dict[Any, str](), dict[Any, str]()
        self.arguments: dict[str, Any] = {self.symbol[x]: x for x in order if x.rule in (None, Unrecorded)}
        made = [node for node in order if self.symbol[node] not in self.arguments]
        self.loops = find(made, set(wrt)) if roll else []
        self.place = {x: (loop, t, j) for loop in self.loops for t, turn in enumerate(loop.turns) for j, x in enumerate(turn)}
        self.lengths: dict[Loop, tuple[Any, int]] = {}  # {loop: (the argument, or the loop, that says how many turns, so many less)}
        for loop in self.loops:
            self.add_families(loop)
        self.marked = dependents(order, wrt)
        written = [x for x in made if x not in self.place or x in set(self.place[x][0].last)]
        self.pulls = {node: self.pulls_of(node) for node in written if node in self.marked}
        self.members: dict[Any, list[Any]] = {}
        self.kept, self.pinned = set[Any](), set[Loop]()
        self.forward = self.lines(written)

    def add_families(self, loop: Loop) -> None:
        """The arguments that have another value in each turn; and from which of them, or which loop, the number of turns is read."""
        for key, members in loop.families.items():
            rep = members[-1]
            symbol = self.families.setdefault(key, self.symbol[rep] if isinstance(rep, Node) else f"c{len(self.families)}f")
            for x in members if isinstance(rep, Node) else []:
                self.arguments.pop(self.symbol[x], None)
            self.arguments[symbol] = members
        for (j, i), (kind, *slot) in loop.slots.items():
            if kind == "family" and not isinstance(x := operands(loop.last[j])[i], Node):
                self.constants[id(x)] = self.families[slot[0]]
        sources = [(slot[1], slot[1].count - loop.count) for slot in loop.slots.values() if slot[0] == "series"]
        own = [(self.families[key], 0) for key in loop.families]
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
        if id(x) in self.constants:
            return ast.Name(self.constants[id(x)])
        if (key := key_of(x)) not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.arguments[self.constants[key]] = x
        return ast.Name(self.constants[key])

    def pulls_of(self, node: Any) -> list[tuple[Any, ast.expr]]:
        """(parent, pull) for each edge along which a gradient is wanted."""
        wanted = [(i, x) for i, x in enumerate(node.parents) if isinstance(x, Node) and x in self.marked]
        return [(x, pull(node, i, ast.Name("g"), self.ref)) for i, x in wanted]

    def last(self, x: Any) -> Any:
        """The node of the last turn that stands for x; x itself outside loops."""
        return self.place[x][0].last[self.place[x][2]] if x in self.place else x

    def loop_of(self, x: Any) -> Any:
        return self.place[x][0] if x in self.place else None

    def lines(self, written: list[Any]) -> list[Any]:
        """The forward pass."""
        codes = {node: value(node, self.ref) for node in written}
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
        loop, rooms = item.loop, dict[str, list[str]]()
        for node in (node for node in loop.last if node in self.kept):
            rooms.setdefault(ast.unparse(self.room("empty", node)), []).append(f"a{self.symbol[node][1:]}")
        statements = []
        for room, arrays in rooms.items():
            code = line(room if len(arrays) == 1 else f"({room} for _ in range({len(arrays)}))")
            statements.append(Statement(", ".join(arrays), code))
        for (place, turn), x in loop.starts.items():
            node = loop.last[place]
            symbol = f"s{self.symbol[node][1:]}_{-turn}" if node in self.kept else self.symbol[node]
            statements.append(Statement(symbol, self.ref(x)))
        return statements

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
