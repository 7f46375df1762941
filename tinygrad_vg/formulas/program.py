"""Which statements?  The graph as a program: a forward pass, and a backward pass that quotes it, last line first.

A node gets a line if it is named, used twice, or needed by a pull; any other is written into the line that uses it. The pulls of a line
stand below its quote, see backward.py. Of a loop the last turn is written, and stands for all.
"""

import ast
from collections import Counter
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Node
from ..autodiff.guards import Unrecorded
from ..autodiff.scalar import Scalar
from ..text.formulas import number_of, parsed
from .lines import is_double, typed
from .loops import NOWHERE, Loop, Place, Search, Slot, key_of, operands, shifted
from .named import Named
from .statements import Put, Statement, Symbols, by_loop, line, symbols
from .turns import Turns
from .words import pull, value

LONGEST = 8  # names in a line


class Program:
    """The forward pass of a graph, and what the backward pass needs to know.

    forward  a statement for each line      arguments  {symbol: a leaf, a constant, or a list of them, one for each turn}
    alone  all nodes are Scalars      order  all nodes, oldest first      kept  nodes whose values of all turns are kept
    pulls  {node: [(parent, pull)]}, the gradient itself called g      members  {a node with a line: those written into its line}
    """

    def __init__(self, order: list[Any], wrt: list[Any], roll: bool):
        self.order, self.output, self.symbols = order, order[-1], Symbols()
        self.single = all(map(is_double, order))  # one dtype throughout: a number is a number
        self.alone = all(isinstance(x, Scalar) for x in order)
        self.arguments: dict[str, Any] = {self.symbol(x): x for x in order if x.rule in (None, Unrecorded)}
        made = [node for node in order if node.rule not in (None, Unrecorded)]
        self.children: dict[Any, list[Any]] = {}  # {node: those that use it, as often as they do}
        for node in made:
            for x in node.parents:
                if isinstance(x, Node):
                    self.children.setdefault(x, []).append(node)
        self.marked = dependents(order, wrt)
        search = Search(made if roll else [], self.marked, self.children)
        self.loops, self.places = search.loops, search.places
        self.kept = set[Any]()
        for loop in self.loops:
            self.add_families(loop)
        self.turns = Turns(self)
        written = [x for x in made if self.last(x) is x]
        self.pulls = {node: self.pulls_of(node) for node in written if node in self.marked}
        self.wishes = dict[str, str]()  # {symbol: the name that it would like}
        self.values, self.skipped = dict[Any, ast.expr](), set[Any]()  # lines that are not those of the op alone; nodes without a line
        Named(self)
        self.members: dict[Any, list[Any]] = {}
        self.forward = self.lines(written)

    def add_families(self, loop: Loop) -> None:
        """The arguments that have another value in each turn; leaves have places in the loop, behind its nodes."""
        for key, members in loop.families.items():
            for t, x in enumerate(members if isinstance(key, Node) else []):
                self.arguments.pop(self.symbol(x), None)
                self.places[x] = Place(loop, t, len(loop.turns[t]))
                loop.turns[t].append(x)
            self.arguments[self.symbol(key)] = members

    def symbol(self, x: Any) -> str:
        """That of the value of a node, or of a constant or a family of them known by its key."""
        return self.symbols.of("v" if isinstance(x, Node) else "c", x)

    def name(self, kind: str, x: Any, index: Any = "") -> ast.expr:
        """The symbol of x as code; index: a place in the array that it is."""
        return parsed(f"{self.symbols.of(kind, x)}[{index}]") if index != "" else ast.Name(self.symbols.of(kind, x))

    def read(self, *codes: ast.expr) -> list[Any]:
        """The nodes whose values are read, as often as they are."""
        found = [self.symbols[name] for code in codes for name in symbols(code) if name in self.symbols]
        return [symbol.of for symbol in found if symbol.kind == "v"]

    def at(self, x: Any) -> Place: return self.places.get(x, NOWHERE)

    def last(self, x: Any) -> Any:
        """The node of the last turn that stands for x; x itself outside loops."""
        loop, _, j = self.at(x)
        return loop.last[j] if loop else x

    def ref(self, x: Any) -> ast.expr:
        """What stands for a node, a number or a constant array."""
        if isinstance(x, Node):
            return ast.Name(self.symbol(x))
        if (number := number_of(x)) is not None:
            bare = self.single or isinstance(x, (int, float))
            return ast.Constant(number) if bare else line(f"np.{x.dtype}(c)", c=ast.Constant(number))
        if x.dtype.kind in "iu" and x.ndim == 1 and list(x) == list(range(x.size)):
            return line(f"np.arange({x.size})")
        self.arguments.setdefault(symbol := self.symbol(key_of(x)), x)
        return ast.Name(symbol)

    def pulls_of(self, node: Any) -> list[tuple[Any, ast.expr]]:
        """(parent, pull) for each edge along which a gradient is wanted."""
        wanted = [(i, x) for i, x in enumerate(node.parents) if isinstance(x, Node) and x in self.marked]
        return [(x, pull(node, i, ast.Name("g"), self.ref(node), self.codes(node))) for i, x in wanted]

    def codes(self, node: Any) -> list[ast.expr]:
        """The code of each operand."""
        loop, _, j = self.at(node)
        found = []
        for i, x in enumerate(operands(node)):
            slot = loop.slots[j, i] if loop else Slot()
            if slot.kind == "count":
                found.append(counted(loop, slot))
            elif slot.kind == "family":
                found.append(ast.Name(self.symbol(slot.key)))
            elif averaged := self.mean_over(node, i):
                found.append(line(averaged))
            else:
                found.append(ast.Constant(int(x)) if i >= len(node.parents) and not np.ndim(x) else self.ref(x))
        return found

    def mean_over(self, node: Any, i: int) -> str:
        """T or 1 / T, where a sum over all turns is divided by how many there are, or multiplied; else nothing."""
        number = number_of(node.parents[i]) if i < len(node.parents) else None
        others = [x for x in node.parents if isinstance(x, Node) and self.at(x).loop]
        if number is None or node.op not in ("divide", "multiply") or len(others) != 1 or self.at(node).loop:
            return ""
        loop, turn, j = self.at(others[0])
        running = others[0].op in ("add", "subtract") and Slot("carried", place=j, back=1) in (loop.slots[j, 0], loop.slots[j, 1])
        n, text = (loop.count, loop.length()) if node.op == "divide" and i else (1 / loop.count, f"1 / ({loop.length()})")
        return text if running and turn == loop.count - 1 and number == n and (i or node.op == "multiply") else ""

    def lines(self, written: list[Any]) -> list[Statement]:
        """A statement for each node that gets a line."""
        codes = {node: self.values.get(node) or value(node, self.codes(node)) for node in written if node not in self.skipped}
        needed, inlined, statements, done = self.needed(codes), dict[str, Any](), list[Statement](), set[Any]()
        for node, code in codes.items():
            inside = [x for x in self.read(code) if self.symbol(x) in inlined]
            self.members[node] = sorted((m for child in inside for m in (child, *self.members.pop(child))), key=lambda m: -m.birth)
            code = Put(inlined).visit(code)
            if node.name or node in needed or len(symbols(code)) > LONGEST:
                statements.append(Statement(self.symbol(node), code, loop=self.at(node).loop))
                older = {self.last(x) for x in self.read(code) if self.at(x).ago and self.at(x).loop is self.at(node).loop}
                self.kept |= older & done  # read after the newer is there
                done.add(node)
            else:
                inlined[self.symbol(node)] = code
        return statements

    def whole(self) -> list[Statement]:
        """The forward pass, with what stands before each loop."""
        return [s for loop, body in by_loop(self.forward) for s in (self.before(loop) if loop else []) + body]

    def needed(self, codes: dict[Any, ast.expr]) -> set[Any]:
        """The nodes that need a line of their own; notes whose values of all turns must be kept."""
        uses, found = Counter[Any](), {self.output}
        for node, code in codes.items():
            here, read, pulled = self.at(node).loop, self.read(code), self.read(*(part for _, part in self.pulls.get(node, ())))
            uses.update(map(self.last, read))
            found |= {self.last(x) for x in read if self.at(x).ago or self.at(x).loop is not here} | {*map(self.last, pulled)}
            for x in {*read, *pulled}:
                loop, _, j = self.at(x)
                far = x in {*pulled} if loop is here else here or self.at(x).ago
                if loop and (far or loop.lag(j) > 1):
                    self.kept.add(loop.last[j])
        starts = [(loop.last[j], x) for loop in self.loops for (j, _), x in loop.starts.items()]
        found |= {self.last(x) for pair in starts for x in pair if isinstance(x, Node)}
        return found | {node for node in codes if uses[node] > 1}

    def before(self, loop: Loop) -> list[Statement]:
        """What stands before a loop: room for what is kept, and what is carried into the first turn."""
        statements = self.rooms([node for node in loop.last if node in self.kept and node.rule], "a")
        for (place, turn), x in loop.starts.items():
            node = loop.last[place]
            symbol = f"{self.symbols.of('a', node)}[{1 + turn}]" if node in self.kept else self.symbol(node)
            statements.append(Statement(symbol, self.ref(x)))
        return statements

    def rooms(self, nodes: list[Any], kind: str) -> list[Statement]:
        """Arrays for the values, or the gradients, of nodes in all turns, those of one shape in a line."""
        alike: dict[str, list[str]] = {}
        for node in nodes:
            alike.setdefault(ast.unparse(self.room("empty", node)), []).append(self.symbols.of(kind, node))
        return [Statement(", ".join(arrays), line(room if len(arrays) == 1 else f"({room} for _ in range({len(arrays)}))"))
                for room, arrays in alike.items()]

    def room(self, how: str, node: Any) -> ast.expr:
        """An array with a place for each turn, from 1 to T, and for what comes before."""
        loop, _, j = self.at(node)
        extra = max(loop.lag(j), 1)
        size = ", ".join([loop.length(extra), *map(str, node.shape)])
        return line(f"np.{how}({f'({size})' if node.shape else size}{typed(node)})")


def counted(loop: Loop, count: Slot) -> ast.expr:
    """The code of a number that goes up by a step from turn to turn; t is 1 in the first."""
    if count.step == -1 and count.first == loop.count - 1:
        return line(f"{loop.length()} - {loop.letter}")
    factor = {1: "", -1: "-"}.get(count.step, f"{count.step} * ") + loop.letter
    return line(shifted(factor, count.first - count.step))
