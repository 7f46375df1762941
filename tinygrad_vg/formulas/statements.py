"""What is a program made of, before it is text?  Statements: a target and the code that it is given, in symbols.

A symbol is an ast.Name: a letter, and the number of a node of the graph or of a constant. Only at the end is it given a name of
the graph; nothing is read out of a text.

    v3  the value of node 3       a3  the array of its values in all turns of a loop        c4  a constant
    g3  the gradient of node 3    G3  the array of them                                     p3  that of the turn before
"""

import ast
import math
import textwrap
from itertools import groupby
from typing import Any, NamedTuple

from ..text.formulas import Rewriting, constant, parsed

COLUMNS = 109


class Symbol(NamedTuple):
    """What a symbol stands for; of: a node, or what tells a constant from others."""

    kind: str
    of: Any


class Symbols(dict[str, Symbol]):
    """All symbols of a program, {as they are written: what they stand for}."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def of(self, kind: str, x: Any) -> str:
        """The symbol of this kind for x."""
        text = f"{kind}{self.numbers.setdefault(x, len(self.numbers))}"
        self[text] = Symbol(kind, x)
        return text


class Put(Rewriting):
    """A line with other words in it: a name becomes the code that stands for it."""

    def __init__(self, words: dict[str, ast.expr]):
        self.words = words

    def visit_Name(self, node: Any) -> Any: return self.words.get(node.id, node)


def line(text: str, **words: ast.expr) -> ast.expr:
    """The code of a line, with these words put in."""
    return Put(words).visit(parsed(text))


class Statement(NamedTuple):
    """`target = code`, or `target += code`; run in each turn of a loop, or in none; quote: a comment above its pulls."""

    target: str
    code: ast.expr
    sign: str = "="
    loop: Any = None
    quote: bool = False


def by_loop(statements: list[Statement]) -> list[tuple[Any, list[Statement]]]:
    """Statements that follow each other and belong to one loop, or to none, together."""
    return [(loop, [*group]) for loop, group in groupby(statements, lambda s: s.loop)]


def symbols(code: ast.AST) -> list[str]:
    """Every name that occurs in the code, from left to right, as often as it does."""
    if isinstance(code, ast.Name):
        return [code.id]
    return [name for part in ast.iter_child_nodes(code) if part._fields for name in symbols(part)]


def is_short(code: ast.AST) -> bool:
    """Whether the code can be written into any other line: a symbol, a place in its array, or a number, also np.float32(1)."""
    if isinstance(code, ast.Subscript) and isinstance(code.slice, ast.Constant):
        return is_short(code.value)
    if isinstance(code, ast.Call):
        return isinstance(code.func, ast.Attribute) and [*map(type, code.args)] == [ast.Constant]
    return isinstance(code, (ast.Name, ast.Constant))


def put_in(code: ast.expr, g: ast.expr) -> ast.expr:
    """A pull with the gradient put in; a bare number becomes NumPy's where it is asked for its sum, shape or part."""
    asked = any(isinstance(part, (ast.Attribute, ast.Subscript)) and isinstance(part.value, ast.Name) and part.value.id == "g"
                for part in ast.walk(code))
    if constant(g) == 1 and isinstance(code, ast.BinOp) and isinstance(code.op, ast.Mult) and getattr(code.left, "id", "") == "g":
        return code.right  # 1 times a factor
    return Put({"g": line("np.float64(g)", g=g) if asked and not symbols(g) else g}).visit(code)


def is_put_back(term: Any) -> bool:
    """Whether a term is a call of put_back, which lays a part of a gradient into its place."""
    return isinstance(term, ast.Call) and getattr(term.func, "id", "") == "put_back"


def added(symbol: str, term: ast.expr) -> Statement:
    """symbol += term; where the term is put back into zeros, only there: g_xs[t - 1] += g."""
    if isinstance(term, ast.Call) and is_put_back(term):
        g, _, index = term.args
        return Statement(ast.unparse(index).replace("np.s_", symbol, 1), g, "+=")
    return Statement(symbol, term, "+=")


class Figures(Put):
    """The code with names in the place of symbols, and numbers in all their digits."""

    def visit_Constant(self, node: Any) -> Any:
        x = node.value
        if not isinstance(x, float):
            return node
        if math.copysign(1, x) < 0:
            return ast.UnaryOp(ast.USub(), self.visit(ast.Constant(-x)))
        if not math.isfinite(x):
            return ast.Name("np.inf" if x > 0 else "np.nan")
        return ast.Name(repr(int(x) if x == int(x) and x < 1e15 else x))

    def visit_Call(self, node: Any) -> Any:
        """A number alone as an argument keeps its point: np.full(3, 1.0) is an array of floats."""
        code: Any = self.generic_visit(node)
        args = [ast.Name(ast.unparse(given)) if is_number(given) else a for given, a in zip(node.args, code.args)]
        return ast.Call(code.func, args, code.keywords)


def is_number(code: ast.AST) -> bool:
    """Whether the code is a float, or worked out of floats alone."""
    if isinstance(code, ast.BinOp):
        return is_number(code.left) and is_number(code.right)
    code = code.operand if isinstance(code, ast.UnaryOp) else code
    return isinstance(code, ast.Constant) and isinstance(code.value, float) and math.isfinite(code.value)


def text_of(s: Statement, names: Any) -> str:
    """A statement as a line of Python; names.get(symbol) says what stands for a symbol."""
    target, code = (ast.unparse(Figures(names).visit(part)) for part in (parsed(s.target), s.code))
    return f"{'# ' * s.quote}{target.strip('()')} {s.sign} {code}{names.remark(s.target)}"


def rows_of(statements: list[Statement], names: Any, backwards: bool) -> list[str]:
    """The lines of a pass, loops with their heads; without one where the gradient goes through a loop as it is."""
    found: list[str] = []
    for loop, body in by_loop(statements):
        inner = names.within(loop)
        turns = loop and (f"{loop.length()}, 0, -1" if backwards else f"1, {loop.length(1)}")
        head = [f"for {loop.letter} in range({turns}):"] if loop and not all(s.quote for s in body) else []
        found += head + [f"{'    ' * len(head)}{text_of(s, inner)}" for s in body]
    return found


def wrapped(head: str, words: list[str], tail: str) -> str:
    """A list of words in brackets, over several lines where one is too short."""
    text = ", ".join(word.replace(" ", "\xa0") for word in words)  # a word is not cut
    text = textwrap.fill(text, COLUMNS, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False) or head
    return text.replace("\xa0", " ") + tail
