"""How is the backward pass written?  Each line of the forward pass is quoted, last line first, and below it stand its pulls.

What a node receives from several children is one sum, written where the last of them gives its part. In a loop

    what is carried   g_h is, at first, the gradient at h[t]; a turn ends with that at h[t-1] under the same name
    weights, inputs   g_W += …, from zeros before the loop; g_x[t] = …
    what is used outside, too, in any turn   has an array of gradients, g_h[t]

    g3  the gradient of node 3      p3  that of the turn before      G3  the array of them      z3_0  a place in it before the first turn
"""

import ast
from collections import Counter
from typing import Any

from ..autodiff.core import Node
from .lines import dtype_of, zeros_of
from .loops import Loop
from .program import LONGEST, Program
from .stack import stacked
from .statements import Quote, Repeat, Statement, added, grouped, is_put_back, is_short, line, put_in, symbols

TERMS = 4  # in a sum of pulls


class Backward:
    """statements  the backward pass      gradients  {symbol of an argument: that of its gradient}

    apart  carried gradients, p3, that need a name of their own, since that of this turn is still read
    """

    def __init__(self, program: Program, stack: bool):
        self.program, self.symbol = program, program.symbol
        self.statements: list[Any] = []
        self.outer: list[Any] | None = None  # in a loop, the statements before it
        self.terms: dict[Any, list[ast.expr]] = {}  # what a node was given so far
        self.known: dict[Any, ast.expr] = {}  # the gradient of a node, as it is written
        self.gradients: dict[str, str] = {}
        self.returned, self.apart, self.declared = set[str](), set[str](), set[Any]()
        self.waiting: Counter = Counter()  # parts still to come
        self.within: dict[Any, set[Any]] = {}  # {loop: nodes outside that its pulls lead to}
        self.parts: Counter = Counter()  # how many times the pulls of a loop add to a node outside
        self.array: set[Any] = set()  # nodes of loops that have an array of gradients
        self.carry: set[Any] = set()  # nodes of loops whose gradient is carried from turn to turn
        self.count()
        self.run()
        if stack:
            self.statements = stacked(self)
        self.statements = grouped(self.statements)
        order = [*program.arguments]
        self.gradients = {x: self.gradients[x] for x in order if x in self.gradients}

    def count(self) -> None:
        """How many parts each node receives, and by which way those of loops: beyond, from where others come than of its own loop."""
        place, beyond, back = self.program.place, dict[Any, set[Any]](), Counter[Any]()
        for node, pulls in self.program.pulls.items():
            loop = self.program.loop_of(node)
            for x, _ in pulls:
                if self.program.loop_of(x) is loop and (not loop or x is self.program.last(x)):
                    self.waiting[x] += 1
                elif x in place and place[x][0] is loop:
                    back[self.program.last(x)] += 1
                elif x in place:
                    beyond.setdefault(self.program.last(x), set()).add("turns" if loop or x is not self.program.last(x) else "last")
                elif loop:
                    self.within.setdefault(loop, set()).add(x)
                    self.parts[x] += 1
                else:
                    self.waiting[x] += 1
        self.waiting.update(x for outer in self.within.values() for x in outer)
        if self.program.output in place:
            beyond.setdefault(self.program.output, set()).add("last")
        self.sort(beyond, back)

    def sort(self, beyond: dict[Any, set[Any]], back: Counter) -> None:
        """Which gradients of a loop's nodes are carried from turn to turn, and which have an array; back: parts given by later turns."""
        place = self.program.place
        for loop in self.program.loops:
            for (j, _), x in loop.starts.items():
                if isinstance(x, Node) and x in self.program.marked and loop.last[j] in self.program.marked:
                    if x in place:
                        beyond.setdefault(self.program.last(x), set()).add("last" if x is self.program.last(x) else "turns")
                    else:
                        self.waiting[x] += 1
            for node in loop.last:
                if back[node] and loop.lag(place[node][2]) == 1 and beyond.get(node, set()) <= {"last"}:
                    self.carry.add(node)
                    self.waiting["p", node] = back[node]
                elif back[node] or node in beyond:
                    self.array.add(node)

    def run(self) -> None:
        program = self.program
        one = ast.Constant(1.0) if program.single else line(f"np.{dtype_of(program.output)}(1)")
        shape = program.output.shape
        self.give(program.output, one if not shape else line(f"np.ones({shape}, np.{dtype_of(program.output)})"), None, [])
        if program.output not in program.place:
            self.complete(program.output, self.terms.pop(program.output))
        for item in reversed(program.forward):
            if isinstance(item, Repeat):
                self.pull_loop(item)
            elif (node := program.nodes.get(item.target)) not in program.place:
                self.pull_line(item, node, None)

    def pull_line(self, statement: Statement, root: Any, loop: Loop | None) -> None:
        """A line, quoted, and its pulls: of its root, then of the nodes written into it, youngest first; nothing for one without pulls."""
        if not any(node in self.program.pulls for node in (root, *self.program.members.get(root, ()))):
            return
        self.statements.append(Quote(statement))
        finished: list[Any] = []
        members = set(self.program.members[root])
        for node in (root, *self.program.members[root]):
            for parent, code in self.program.pulls.get(node, ()):
                self.give(parent, put_in(code, self.gradient_of(node)), loop, finished)
        for x in finished:
            if x not in members:
                self.complete(x, self.terms.pop(x))

    def give(self, x: Any, term: ast.expr, loop: Loop | None, finished: list[Any]) -> None:
        """A part for x, given by a line of `loop`, or by one outside."""
        place, last = self.program.place, self.program.last(x)
        inside = x in place and place[x][0] is loop
        if inside and x is not last and last in self.carry:
            x = "p", last
        elif x in place and not (inside and x is last) and last in self.array:
            self.declare(last)
            self.statements.append(Statement(f"g{self.symbol[x][1:]}", term, "+="))
            return
        elif loop and not inside:
            if family := any(x is members[-1] for members in loop.families.values()):
                self.declare(x)
            once = family and self.parts[x] == 1
            self.statements.append(added(f"g{self.symbol[x][1:]}", term) if not once else Statement(f"g{self.symbol[x][1:]}", term))
            return
        self.terms.setdefault(x, []).append(term)
        if x not in place or inside:
            self.waiting[x] -= 1
            if not self.waiting[x]:
                finished.append(x)

    def declare(self, x: Any) -> None:
        """Room for the gradients of x in all turns, once, before the loop that adds to them: zeros, unless each is written once."""
        if x not in self.declared:
            self.declared.add(x)
            before = self.statements if self.outer is None else self.outer
            before.append(Statement(f"G{self.symbol[x][1:]}", self.program.room("empty" if self.parts[x] == 1 else "zeros", x)))

    def pull_loop(self, item: Repeat) -> None:
        """The backward pass of a loop: what it starts from, its lines, and what is handed on to what was there before it."""
        loop, outer = item.loop, self.statements
        wanted = [node for node in loop.last if node in self.program.pulls]
        if not wanted:
            return
        self.before(loop, wanted)
        body: list[Any] = []
        self.outer, self.statements = outer, body
        for statement in reversed(item.body):
            self.pull_line(statement, self.program.nodes[statement.target], loop)
        for node in wanted:
            if node in self.carry:
                self.hand_on(node, body)
        self.outer, self.statements = None, outer
        outer.append(Repeat(loop, body, backwards=True))
        self.after(loop)

    def before(self, loop: Loop, wanted: list[Any]) -> None:
        """The gradients that a loop adds to, and those carried into its last turn."""
        for x in sorted(self.within.get(loop, ()), key=lambda x: x.birth):
            symbol = f"g{self.symbol[x][1:]}"
            if any(x is members[-1] for members in loop.families.values()):
                self.declare(x)
            elif terms := self.terms.pop(x, None):
                if [ast.unparse(term) for term in terms] != [symbol]:
                    self.add(symbol, [line("np.array(g)", g=terms[0]), *terms[1:]])
            else:
                self.statements.append(Statement(symbol, line(f"np.zeros_like({self.symbol[x]})")))
        for node in wanted:
            symbol = f"g{self.symbol[node][1:]}"
            if node in self.carry:
                self.add(symbol, self.terms.pop(node, []) or [zeros_of(node)])
            elif node in self.array:
                self.declare(node)
            if node in self.carry or node in self.array:
                self.known.pop(node, None)
                if self.waiting[node] > 0:
                    self.terms[node] = [ast.Name(symbol)]
                else:
                    self.known[node] = ast.Name(symbol)

    def hand_on(self, node: Any, body: list[Any]) -> None:
        """The gradient for the turn before gets the name of this turn's; if that is still read, at the end of the turn."""
        number = self.symbol[node][1:]
        first = next((k for k, s in enumerate(body) if isinstance(s, Statement) and s.target == f"p{number}"), len(body))
        if any(f"g{number}" in (s.target, *symbols(s.code)) for s in body[first + 1 :] if isinstance(s, Statement)):
            self.apart.add(f"p{number}")
            body.append(Statement(f"g{number}", ast.Name(f"p{number}")))

    def after(self, loop: Loop) -> None:
        """What came before the loop receives what was added up in it, or was carried to its start."""
        finished: list[Any] = []
        for x in self.within.get(loop, ()):
            symbol = f"g{self.symbol[x][1:]}"
            if any(x is members[-1] for members in loop.families.values()):
                self.gradients[self.symbol[x]] = f"r{self.symbol[x][1:]}"
            else:
                self.give(x, ast.Name(symbol), None, finished)
        for (j, turn), x in loop.starts.items():
            if isinstance(x, Node) and x in self.program.marked and (node := loop.last[j]) in self.program.marked:
                name = f"g{self.symbol[node][1:]}" if node in self.carry else f"z{self.symbol[node][1:]}_{-turn}"
                self.give(x, ast.Name(name), None, finished)
        for x in finished:
            self.complete(x, self.terms.pop(x))

    def gradient_of(self, node: Any) -> ast.expr:
        """What stands for the gradient of a node: its name; or, where it is used once, the term itself."""
        if node not in self.known:
            terms, pulls = self.terms.pop(node), self.program.pulls[node]
            uses = sum(symbols(code).count("g") for _, code in pulls)
            brief = is_short(terms[0]) or uses == 1 and len(symbols(terms[0])) <= LONGEST
            short = len(terms) == 1 and brief and not is_put_back(terms[0])
            self.complete(node, terms) if not short else self.known.setdefault(node, terms[0])
        return self.known[node]

    def complete(self, x: Any, terms: list[ast.expr]) -> None:
        """All parts are there: a statement that adds them, unless another name or a number stands for the sum."""
        if isinstance(x, tuple):
            number = self.symbol[x[1]][1:]
            if [ast.unparse(term) for term in terms] != [f"g{number}"]:
                self.add(f"p{number}", terms)
            return
        symbol, leaf = f"g{self.symbol[x][1:]}", x.rule is None
        held = [ast.unparse(term) for term in terms] == [symbol]  # added up in a loop
        if len(terms) == 1 and is_short(terms[0]) and not leaf and not held:
            self.known[x] = terms[0]
            return
        if not held:
            self.add(symbol, [self.own(terms[0])] if leaf and x.shape and len(terms) == 1 else terms, leaf)
        self.known[x] = ast.Name(symbol)
        if leaf:
            self.gradients[self.symbol[x]] = symbol

    def add(self, symbol: str, terms: list[ast.expr], leaf: bool = False) -> None:
        """symbol = the sum of the terms, in lines of a few of them; what belongs to parts of it is put there, one after the other."""
        if symbol[0] == "g" and all(is_put_back(term) for term in terms):
            parts = [added(symbol, term) for term in terms]
            self.statements.append(Statement(symbol, zeros_of(self.program.nodes[f"v{symbol[1:]}"])))
            self.statements += parts if len(parts) > 1 else [parts[0]._replace(sign="=")]
            return
        for k in range(0, len(terms), TERMS):
            code = terms[k] if not k else ast.BinOp(ast.Name(symbol), ast.Add(), terms[k])
            for term in terms[k + 1 : k + TERMS]:
                code = ast.BinOp(code, ast.Add(), term)
            code = code if leaf or symbols(code) else line("np.float64(g)", g=code)  # a number that may be asked for its shape
            self.statements.append(Statement(symbol, code))

    def own(self, term: ast.expr) -> ast.expr:
        """The gradient of a leaf shares memory with no other leaf's, and can be written to."""
        whole = term.value if isinstance(term, ast.Subscript) else term
        name = whole.id if isinstance(whole, ast.Name) else ""
        shared = name in self.returned or isinstance(term, ast.Call) and ast.unparse(term.func) == "np.broadcast_to"
        self.returned |= {name} - {""}
        return line("g.copy()", g=term) if shared else term
