"""Which statements?  The graph as a program: a forward pass, and a backward pass that quotes it, last line first.

A node gets a line if it is named, used twice, or needed by a pull; any other is written into the line that uses it. The pulls of a line
stand below its quote. What a node receives from several children is one sum, written where the last of them gives its part.

    pull  what an operand receives of the gradient g      term  a pull with g put in      root  a node that has a line
"""

import ast
from collections import Counter
from typing import Any

from ..autodiff.calculus import dependents
from ..autodiff.core import Node
from ..autodiff.guards import Unrecorded
from ..text.formulas import number_of
from .lines import dtype_of, is_double
from .statements import Put, Quote, Statement, is_short, line, symbols
from .words import pull, value

LONGEST = 8  # names in a line
TERMS = 4  # in a sum of pulls
PLACE = "g"  # stands for the gradient in a pull


class Program:
    """The statements of a graph.

    forward, backward  lists of statements (and, backward, of quotes)      arguments  {symbol: a leaf or a constant}
    nodes  {symbol: node}      gradients  {symbol of a leaf: that of its gradient}
    """

    def __init__(self, order: list[Any], wrt: list[Any]):
        self.output, self.wrt = order[-1], wrt
        self.symbol = {node: f"v{k}" for k, node in enumerate(order)}
        self.nodes = {symbol: node for node, symbol in self.symbol.items()}
        self.single = all(map(is_double, order))  # one dtype throughout: a number is a number
        self.constants: dict[Any, str] = {}
        self.arguments: dict[str, Any] = {self.symbol[x]: x for x in order if x.rule in (None, Unrecorded)}
        made = [node for node in order if self.symbol[node] not in self.arguments]
        marked = dependents(order, wrt)
        self.pulls = {node: self.pulls_of(node, marked) for node in made if node in marked}
        needed = {name for pulls in self.pulls.values() for _, code in pulls for name in symbols(code)}
        self.members: dict[Any, list[Any]] = {}  # {root: the nodes that are written into its line}
        self.forward = self.lines(made, needed)
        self.backward: list[Statement | Quote] = []
        self.gradients: dict[str, str] = {}
        Backward(self).run()
        self.gradients = {x: self.gradients[x] for x in self.arguments if x in self.gradients}

    def ref(self, x: Any) -> ast.expr:
        """What stands for a node, a number or a constant array."""
        if isinstance(x, Node):
            return ast.Name(self.symbol[x])
        if (number := number_of(x)) is not None:
            typed = not self.single and not isinstance(x, (int, float))
            return line(f"np.{x.dtype}(c)", c=ast.Constant(number)) if typed else ast.Constant(number)
        key = (x.dtype, x.shape, x.tobytes())
        if key not in self.constants:
            self.constants[key] = f"c{len(self.constants)}"
            self.arguments[self.constants[key]] = x
        return ast.Name(self.constants[key])

    def pulls_of(self, node: Any, marked: set[Any]) -> list[tuple[Any, ast.expr]]:
        """(parent, pull) for each edge along which a gradient is wanted; the gradient itself is called g."""
        return [(x, pull(node, i, ast.Name(PLACE), self.ref)) for i, x in enumerate(node.parents) if isinstance(x, Node) and x in marked]

    def lines(self, made: list[Any], needed: set[str]) -> list[Statement]:
        """The forward pass."""
        codes = {node: value(node, self.ref) for node in made}
        uses = Counter(name for code in codes.values() for name in symbols(code))
        inlined: dict[str, Any] = {}
        statements = []
        for node, code in codes.items():
            symbol = self.symbol[node]
            inside = [self.nodes[name] for name in symbols(code) if name in inlined]
            members = [m for child in inside for m in (child, *self.members.pop(child))]
            self.members[node] = sorted(members, key=lambda m: -m.birth)
            code = Put(inlined).visit(code)
            if node.name or node is self.output or uses[symbol] > 1 or symbol in needed or len(symbols(code)) > LONGEST:
                statements.append(Statement(symbol, code))
            else:
                inlined[symbol] = code
        return statements


class Backward:
    """The backward pass in the making: terms holds, for each node, what its children gave so far."""

    def __init__(self, program: Program):
        self.program, self.statements = program, program.backward
        self.waiting = Counter(x for pulls in program.pulls.values() for x, _ in pulls)  # parts still to come
        self.terms: dict[Any, list[ast.expr]] = {}
        self.known: dict[Any, ast.expr] = {}  # the gradient of a node, as it is written
        self.returned: set[str] = set()  # symbols of arrays that are a leaf's gradient already

    def run(self) -> None:
        program = self.program
        one = ast.Constant(1.0) if program.single else line(f"np.{dtype_of(program.output)}(1)")
        seed = one if not program.output.shape else line(f"np.ones({program.output.shape}, np.{dtype_of(program.output)})")
        self.complete(program.output, [seed])
        for statement in reversed(program.forward):
            root = program.nodes[statement.target]
            if root in program.pulls:
                self.statements.append(Quote(statement))
                self.pull_line(root)
        for leaf in program.wrt:
            if program.symbol.get(leaf) in program.arguments and program.symbol[leaf] not in program.gradients:
                self.complete(leaf, [line(f"np.zeros({leaf.shape}, np.{dtype_of(leaf)})")])

    def pull_line(self, root: Any) -> None:
        """The pulls of a line: of its root, then of the nodes written into it, youngest first."""
        finished, members = [], set(self.program.members[root])
        for node in (root, *self.program.members[root]):
            for parent, code in self.program.pulls.get(node, ()):
                g = self.gradient_of(node)
                self.terms.setdefault(parent, []).append(put_in(code, g))
                self.waiting[parent] -= 1
                if not self.waiting[parent] and parent not in members:
                    finished.append(parent)
        for parent in finished:
            self.complete(parent, self.terms.pop(parent))

    def gradient_of(self, node: Any) -> ast.expr:
        """What stands for the gradient of a node: its name; or, where it is used once, the term itself."""
        if node not in self.known:
            terms, pulls = self.terms.pop(node), self.program.pulls[node]
            uses = sum(symbols(code).count(PLACE) for _, code in pulls)
            short = len(terms) == 1 and (is_short(terms[0]) or uses == 1 and len(symbols(terms[0])) <= LONGEST)
            self.complete(node, terms) if not short else self.known.setdefault(node, terms[0])
        return self.known[node]

    def complete(self, node: Any, terms: list[ast.expr]) -> None:
        """All parts are there: a statement that adds them, unless another name or a number stands for the sum."""
        symbol = self.program.symbol[node].replace("v", "g")
        leaf = node.rule is None
        if len(terms) == 1 and is_short(terms[0]) and not leaf:
            self.known[node] = terms[0]
            return
        terms = [self.own(terms[0])] if leaf and node.shape and len(terms) == 1 else terms
        for k in range(0, len(terms), TERMS):
            part = terms[k : k + TERMS]
            code = part[0]
            for term in part[1:]:
                code = ast.BinOp(code, ast.Add(), term)
            code = code if leaf or symbols(code) else line("np.float64(g)", g=code)  # a number that may be asked for its shape
            self.statements.append(Statement(symbol, code if not k else ast.BinOp(ast.Name(symbol), ast.Add(), code)))
        self.known[node] = ast.Name(symbol)
        if leaf:
            self.program.gradients[self.program.symbol[node]] = symbol

    def own(self, term: ast.expr) -> ast.expr:
        """The gradient of a leaf shares memory with no other leaf's, and can be written to."""
        name = term.id if isinstance(term, ast.Name) else ""
        shared = name in self.returned or isinstance(term, ast.Call) and ast.unparse(term.func) == "np.broadcast_to"
        self.returned |= {name} - {""}
        return line("g.copy()", g=term) if shared else term


def put_in(code: ast.expr, g: ast.expr) -> ast.expr:
    """A pull with the gradient put in; a bare number becomes NumPy's where it is asked for its sum, shape or part."""
    asked = any(isinstance(part, (ast.Attribute, ast.Subscript)) and isinstance(part.value, ast.Name) and part.value.id == PLACE
                for part in ast.walk(code))
    return Put({PLACE: line("np.float64(g)", g=g) if asked and not symbols(g) else g}).visit(code)
