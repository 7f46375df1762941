"""How is the backward pass written?  Each line of the forward pass is quoted, last line first, and below it stand its pulls.

What a node receives from several children is one sum, written where the last of them gives its part. In a loop

    what is carried   g_h is, at first, the gradient at h[t]; a turn ends with that at h[t-1] under the same name
    weights, inputs   g_W += …, from zeros before the loop; g_x[t] = …
    what is used outside, too, in any turn   has an array of gradients, g_h[t]
"""

import ast
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from itertools import dropwhile
from typing import Any

from ..autodiff.core import Node
from .lines import dtype_of, typed
from .loops import Loop
from .program import LONGEST, Program
from .stack import at_once
from .statements import Statement, added, by_loop, is_put_back, is_short, line, put_in, symbols

TERMS = 4  # in a sum of pulls
TOGETHER = 6  # gradients that are zero at first, in a line


class Backward:
    """statements  the backward pass      gradients  {symbol of an argument: that of its gradient}

    apart  carried gradients, p3, that need a name of their own, since that of this turn is still read
    """

    def __init__(self, program: Program, stack: bool):
        self.program, self.symbols, self.stack = program, program.symbols, stack and not program.alone
        self.statements: list[Statement] = []
        self.loop: Loop | None = None  # that of the line whose pulls are written
        self.start = 0  # where the statements of that loop begin
        self.behind: list[Statement] = []  # what stands behind it instead, see stack.py
        self.kept: list[Any] = []  # nodes whose gradients of all turns are kept for that
        self.terms: dict[str, list[ast.expr]] = {}  # of a gradient, g3 or p3: what it was given so far
        self.known: dict[str, ast.expr] = {}  # how it is written
        self.gradients: dict[str, str] = {}
        self.returned, self.apart, self.declared = set[str](), set[str](), set[Any]()
        self.waiting: Counter[str] = Counter()  # parts still to come
        self.within: dict[Any, set[Any]] = {}  # {loop: nodes outside that its pulls lead to}
        self.array: set[Any] = set()  # nodes of loops that have an array of gradients
        self.carry: set[Any] = set()  # nodes of loops whose gradient is carried from turn to turn
        self.once: set[Any] = set()  # leaves that are given one part, or one in each turn
        self.plan()
        self.run()
        self.gradients = {x: self.gradients[x] for x in program.arguments if x in self.gradients}

    def g(self, x: Any) -> str: return self.symbols.of("g", x)
    def p(self, x: Any) -> str: return self.symbols.of("p", x)

    def way(self, loop: Loop | None, x: Any) -> str:
        """How a part for x gets there from a line of `loop`, or of none: it is here, in a turn before, outside, or in another array."""
        place = self.program.at(x)
        if place.loop is loop and (x.rule or not loop):
            return "back" if place.ago else "here"
        return "other" if place.loop else "outside"

    def starts(self, loop: Loop) -> list[tuple[Any, int, Any]]:
        """(node, turn, what it starts from) of all that is carried into the first turn, where gradients are wanted."""
        found = [(loop.last[j], turn, x) for (j, turn), x in loop.starts.items()]
        return [(node, turn, x) for node, turn, x in found if isinstance(x, Node) and {node, x} <= self.program.marked]

    def plan(self) -> None:
        """How many parts each node receives, and of a node of a loop whether its gradient is carried from turn to turn, or has an array."""
        program, afar = self.program, dict[Any, set[Any]]()  # of a node of a loop: who gives it parts, but for its own turn
        edges = [(program.at(node).loop, x) for node, pulls in program.pulls.items() for x, _ in pulls]
        edges += [(None, x) for loop in program.loops for _, _, x in self.starts(loop)] + [(None, program.output)]
        for loop, x in edges:
            last, way = program.last(x), self.way(loop, x)
            if way == "outside":
                self.within.setdefault(loop, set()).add(x)
            elif way == "here":
                self.waiting[self.g(x)] += 1
            else:
                afar.setdefault(last, set()).add("before" if way == "back" else loop is None and x is last)
                self.waiting[self.p(last)] += way == "back"
        self.waiting.update(self.g(x) for outer in self.within.values() for x in outer)
        self.once = {x for (_, x), n in Counter(edges).items() if n == 1 and not x.rule}
        for node, givers in afar.items():
            carried = "before" in givers and False not in givers and program.at(node).loop.lag(program.at(node).j) == 1
            (self.carry if carried else self.array).add(node)

    def run(self) -> None:
        output = self.program.output
        one = ast.Constant(1.0) if self.program.single else line(f"np.{dtype_of(output)}(1)")
        self.hand([(output, one if not output.shape else line(f"np.ones({output.shape}, np.{dtype_of(output)})"))])
        for loop, lines in by_loop(self.program.forward[::-1]):
            if loop:
                self.pull_loop(loop, lines)
            else:
                self.pull_lines(lines)

    def write(self, s: Statement) -> None: self.statements.append(s._replace(loop=self.loop))

    def hand(self, parts: Iterable[tuple[Any, ast.expr]]) -> None:
        """Give each node its part of the gradient; where it is the last part, the sum is written below."""
        finished: list[str] = []
        for x, term in parts:
            self.give(x, term, finished)
        for symbol in finished:
            if symbol in self.terms:  # else it was written into the line of a member
                self.complete(symbol)

    def pull_lines(self, lines: list[Statement]) -> None:
        """Each line that has pulls, quoted, and they: of its root, then of the nodes written into it, youngest first."""
        for s in lines:
            root = self.symbols[s.target].of
            nodes = [node for node in (root, *self.program.members[root]) if node in self.program.pulls]
            if nodes:
                self.write(s._replace(quote=True))
            self.hand((x, put_in(code, self.gradient_of(node))) for node in nodes for x, code in self.program.pulls[node])

    def give(self, x: Any, term: ast.expr, finished: list[str]) -> None:
        """A part for x; finished: the gradients that have all their parts now."""
        last, way, g = self.program.last(x), self.way(self.loop, x), self.g(x)
        if way in ("back", "other") and last in self.array:
            self.declare(last)
            self.write(Statement(g, term, "=" if last in self.once else "+="))
        elif way == "outside":
            if self.stack and (total := at_once(self, term)):
                self.behind.append(Statement(g, total, "+="))
            else:
                self.write(added(g, term))
        else:
            symbol = self.p(last) if way == "back" else g
            self.terms.setdefault(symbol, []).append(term)
            self.waiting[symbol] -= way != "other"  # which are there before the loop begins
            finished += [symbol] if way != "other" and not self.waiting[symbol] else []

    def declare(self, x: Any) -> None:
        """Room for the gradients of x in all turns, once, before the loop that adds to them: zeros, unless each is written once."""
        if x not in self.declared:
            self.declared.add(x)
            whole = self.symbols.of("G", x)
            self.insert([Statement(whole, self.program.room("empty" if x in self.once else "zeros", x))])
            self.gradients |= {} if x.rule else {self.program.symbol(x): f"{whole}[1:]"}

    def body(self) -> list[Statement]:
        """The statements of the loop so far."""
        return [s for s in self.statements[self.start :] if not s.quote]

    def insert(self, statements: list[Statement]) -> None:
        """Write what stands before the loop whose lines are being written."""
        place = self.start if self.loop else len(self.statements)
        self.statements[place:place] = statements
        self.start += len(statements)

    def pull_loop(self, loop: Loop, lines: list[Statement]) -> None:
        """The backward pass of a loop: what it starts from, its lines, and what is handed on to what was there before it."""
        wanted = [node for node in loop.last if node in self.program.pulls]
        if not wanted:
            return
        outer = sorted(self.within.get(loop, ()), key=lambda x: x.birth)
        fresh = {self.g(x): x for x in outer if self.g(x) not in self.terms}
        first = len(self.statements)
        self.before(outer, wanted)
        self.loop, self.start, self.behind, self.kept = loop, len(self.statements), [], []
        self.pull_lines(lines)
        for node in wanted:
            if node in self.carry:
                self.hand_on(node)
        self.insert(self.program.rooms(self.kept, "G"))
        added_to = {s.target.partition("[")[0] for s in self.body() if s.sign == "+="}
        self.statements[first:first] = self.zeros([fresh.pop(g) for g in [*fresh] if g in added_to])
        self.loop = None
        for s in self.behind:
            self.write(s._replace(sign="=" if fresh.pop(s.target, None) is not None else "+="))
        self.after(loop, outer)

    def zeros(self, xs: list[Any]) -> list[Statement]:
        """The gradients that a loop adds to, zero at first, a few in a line."""
        found = []
        for k in range(0, len(xs), TOGETHER):
            names, like = (", ".join(self.symbols.of(kind, x) for x in xs[k : k + TOGETHER]) for kind in "gv")
            found.append(Statement(names, line(f"map(np.zeros_like, ({like}))" if "," in names else f"np.zeros_like({like})")))
        return found

    def before(self, outer: list[Any], wanted: list[Any]) -> None:
        """The sums so far that a loop adds to, and the gradients carried into its last turn."""
        for symbol in map(self.g, outer):
            if (terms := self.terms.pop(symbol, [])) and not is_symbol(symbol, terms):
                self.add(symbol, [line("np.array(g)", g=terms[0]), *terms[1:]])
        for node in wanted:
            symbol = self.g(node)
            if node in self.carry:
                self.add(symbol, self.terms.pop(symbol, []) or [zeros_of(node)])
            elif node in self.array:
                self.declare(node)
            if node in self.carry | self.array:
                self.terms[symbol] = [ast.Name(symbol)]

    def hand_on(self, node: Any) -> None:
        """The gradient for the turn before gets the name of this turn's; if that is still read, at the end of the turn."""
        g, before = self.g(node), self.p(node)
        later = [*dropwhile(lambda s: s.target != before, self.body())][1:]
        if any(g in (s.target, *symbols(s.code)) for s in later):
            self.apart.add(before)
            self.write(Statement(g, ast.Name(before)))

    def after(self, loop: Loop, outer: list[Any]) -> None:
        """What came before the loop receives what was added up in it, or was carried to its start."""
        name = self.program.name
        starts = [(x, name("g", node) if node in self.carry else name("G", node, 1 + turn)) for node, turn, x in self.starts(loop)]
        self.hand([(x, name("g", x)) for x in outer] + starts)

    def gradient_of(self, node: Any) -> ast.expr:
        """What stands for the gradient of a node: its name; or, where it is used once, the term itself."""
        if (symbol := self.g(node)) not in self.known:
            first, *others = self.terms[symbol]
            uses = sum(symbols(code).count("g") for _, code in self.program.pulls[node])
            brief = is_short(first) or uses == 1 and len(symbols(first)) <= LONGEST
            if others or not brief or is_put_back(first):
                self.complete(symbol)
            else:
                self.known[symbol], = self.terms.pop(symbol)
        return self.known[symbol]

    def complete(self, symbol: str) -> None:
        """All parts are there: a statement that adds them, unless another name or a number stands for the sum."""
        (kind, x), terms = self.symbols[symbol], self.terms.pop(symbol)
        held, leaf = is_symbol(self.g(x), terms), x.rule is None  # held: it was added up in a loop, or is the same in the turn before
        also = kind == "g" and len(terms) == 1 and is_short(terms[0]) and not leaf
        self.known[symbol] = terms[0] if also else ast.Name(symbol)
        if not held and not also:
            self.add(symbol, [self.own(terms[0])] if leaf and x.shape and len(terms) == 1 else terms, leaf)
        if leaf:
            self.gradients[self.program.symbol(x)] = symbol

    def add(self, symbol: str, terms: list[ast.expr], leaf: bool = False) -> None:
        """symbol = the sum of the terms, in lines of a few of them; what belongs to parts of it is put there, one after the other."""
        kind, x = self.symbols[symbol]
        if kind == "g" and all(is_put_back(term) for term in terms):
            parts = [added(symbol, term) for term in terms]
            for s in [Statement(symbol, zeros_of(x)), *(parts if len(parts) > 1 else [parts[0]._replace(sign="=")])]:
                self.write(s)
            return
        for k in range(0, len(terms), TERMS):
            so_far = [ast.Name(symbol)] if k else []
            code = reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), [*so_far, *terms[k : k + TERMS]])
            code = code if leaf or symbols(code) else line("np.float64(g)", g=code)  # a number that may be asked for its shape
            self.write(Statement(symbol, code))

    def own(self, term: ast.expr) -> ast.expr:
        """The gradient of a leaf shares memory with no other leaf's, and can be written to."""
        whole = term.value if isinstance(term, ast.Subscript) else term
        name = whole.id if isinstance(whole, ast.Name) and whole.id[0] != "G" else ""
        shared = name in self.returned or isinstance(term, ast.Call) and ast.unparse(term.func) == "np.broadcast_to"
        self.returned |= {name} - {""}
        return line("g.copy()", g=term) if shared else term


def zeros_of(x: Any) -> ast.expr:
    """Zeros of a node's shape and dtype."""
    return line(f"np.zeros({x.shape[0] if len(x.shape) == 1 else x.shape}{typed(x)})")


def is_symbol(symbol: str, terms: list[ast.expr]) -> bool:
    """Whether the terms are this symbol alone."""
    return len(terms) == 1 and isinstance(terms[0], ast.Name) and terms[0].id == symbol
