"""What is a program made of, before it is text?  Statements: a target and the code that it is given, in symbols.

    v3  the value of node 3 of the graph      g3  its gradient      c0  a constant      (ast.Name nodes with these ids)

program.py and backward.py list the others. Only at the end are the symbols given the names of the graph; nothing is read out of a text.
"""

import ast
import math
from typing import Any, NamedTuple

from ..text.formulas import Rewriting, parsed

COLUMNS = 110


class Put(Rewriting):
    """A line with other words in it: a name becomes the code that stands for it."""

    def __init__(self, words: dict[str, ast.expr]):
        self.words = words

    def visit_Name(self, node: Any) -> Any: return self.words.get(node.id, node)


def line(text: str, **words: ast.expr) -> ast.expr:
    """The code of a line, with these words put in."""
    return Put(words).visit(parsed(text))


class Statement(NamedTuple):
    """`target = code`, or `target += code`."""

    target: str
    code: ast.expr
    sign: str = "="


class Quote(NamedTuple):
    """A statement of the forward pass, as a comment above its pulls."""

    statement: Statement


class Repeat(NamedTuple):
    """Statements that are run for every turn of a loop, forward or backwards."""

    loop: Any
    body: list[Any]
    backwards: bool = False


def symbols(code: ast.AST) -> list[str]:
    """Every name that occurs in the code, as often as it does."""
    return [node.id for node in ast.walk(code) if isinstance(node, ast.Name)]


def statements_of(items: list[Any]) -> list[Statement]:
    """All statements, those in loops among them; no quotes."""
    inner = [s for item in items for s in (item.body if isinstance(item, Repeat) else [item])]
    return [s for s in inner if isinstance(s, Statement)]


def is_short(code: ast.AST) -> bool:
    """Whether the code can be written into any other line: a symbol or a number, also np.float32(1)."""
    number = isinstance(code, ast.Call) and [isinstance(a, ast.Constant) for a in code.args] == [True]
    return isinstance(code, (ast.Name, ast.Constant)) or number and isinstance(code, ast.Call) and isinstance(code.func, ast.Attribute)


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


def text_of(item: Any, names: Any) -> list[str]:
    """A statement, a quote or a loop as lines of Python; names.get(symbol) says what stands for a symbol."""
    if isinstance(item, Repeat):
        inner = names.within(item.loop)
        return [inner.head(item.backwards), *(f"    {row}" for part in item.body for row in text_of(part, inner))]
    if isinstance(item, Quote):
        return [f"# {row}" for row in text_of(item.statement, names)]
    target, code = (ast.unparse(Figures(names).visit(part)) for part in (parsed(item.target), item.code))
    return [f"{target.strip('()')} {item.sign} {code}"]


def wrapped(head: str, words: list[str], tail: str) -> str:
    """A list of words in brackets, over several lines where one is too short."""
    lines, indent = [head], " " * len(head)
    for word in [f"{word}, " for word in words[:-1]] + words[-1:]:
        if len(lines[-1]) + len(word) > COLUMNS and lines[-1] not in (head, indent):
            lines.append(indent)
        lines[-1] += word
    return "\n".join(row.rstrip() for row in lines) + tail
