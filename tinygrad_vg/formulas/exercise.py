"""Can you write the backward pass yourself?  Lines of the program are left open, those first from which one learns something."""

import ast
from collections import Counter
from typing import Any

import numpy as np

from .statements import symbols

PLAIN = {"array", "copy", "empty", "float64", "map", "zeros", "zeros_like"}  # calls that nobody has to derive


def with_blanks(text: str, blanks: int, rng: Any) -> str:
    """The program with so many right-hand sides of its backward pass left open; ValueError if it has fewer.

    Drawn by rng: an outer product, a product, a slope, another of each …; other lines, as sums, when these have run out.
    """
    lines, seen = text.split("\n"), Counter[str]()
    start = next(n for n, row in enumerate(lines, 1) if row.strip().startswith("# backward"))
    found = [node for node in assignments(ast.parse(text)) if node.lineno > start and kind(node.value)]
    if not 1 <= blanks <= len(found):
        raise ValueError(f"blanks must be from 1 to {len(found)}, the lines of this backward pass that can be left open; got {blanks}")

    def turn(node: Any) -> tuple[bool, int]:
        seen[what := kind(node.value)] += 1
        return what == "other", seen[what]

    drawn = sorted([found[i] for i in np.random.default_rng(rng).permutation(len(found))], key=turn)[:blanks]
    for number, node in reversed([*enumerate(sorted(drawn, key=lambda node: node.lineno), 1)]):
        node.value = ast.Constant(...)
        lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{ast.unparse(node)}  # ← {number}"]
    return "\n".join(lines)


def assignments(tree: ast.AST) -> list[Any]: return [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AugAssign))]


def called(code: ast.AST) -> list[str]:
    """The functions that some code calls, the outermost first."""
    return [getattr(part.func, "attr", getattr(part.func, "id", "")) for part in ast.walk(code) if isinstance(part, ast.Call)]


def kind(code: ast.expr) -> str:
    """What a line is: outer, product, slope or other; '' if it is only another name, or zeros."""
    calls, signs = called(code), {type(part.op) for part in ast.walk(code) if isinstance(part, ast.BinOp) and symbols(part)}
    if isinstance(code, (ast.Name, ast.Subscript, ast.Constant, ast.Tuple)) or isinstance(code, ast.Call) and calls[0] in PLAIN:
        return ""
    if isinstance(getattr(code, "left", None), ast.List):  # [0.0] * (T + 1)
        return ""
    if "outer" in calls or "einsum" in calls or ast.MatMult in signs:
        return "outer" if "outer" in calls else "product"
    return "slope" if signs & {ast.Mult, ast.Div, ast.Pow} or {"where", "softmax"} & {*calls} or isinstance(code, ast.IfExp) else "other"
