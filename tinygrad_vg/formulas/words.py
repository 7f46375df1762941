"""How is an op written in NumPy?  Its value as a line of code; and for each operand what it receives of the gradient, as another.

    y  value      g  gradient at y      a, b  operands      code  a syntax tree: ast puts the brackets where they must be

An elementwise op is its row of the table, with NumPy's functions in it; the others are in lines.py. A line keeps the dtype.
"""

import ast
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..autodiff.maps import OPS
from ..autodiff.rows import Elementwise
from ..text.formulas import Rewriting, Simpler, constant, parsed, simplified
from .lines import dtype_of, fitted, is_double, texts
from .prelude import HELPERS
from .statements import Put, line

# where the row is not what one would write, or would lose float32
CALLED = {
    "abs": "np.abs(a)", "sigmoid": "sigmoid(a)", "softplus": "softplus(a)",
    "elu": "np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0)))"}
LARGER, SMALLER = (f"np.where(a {sign} b, g, np.where(a == b, 0.5 * g, 0))" for sign in "><")
SELECTED = {
    "relu": ["np.where(y > 0, g, 0)"],
    "leaky_relu": ["np.where(a > 0, g, g * slope)", "np.where(a > 0, 0, g * a)"],
    "elu": ["np.where(a > 0, g, g * alpha * np.exp(np.minimum(a, 0)))", "np.where(a > 0, 0, g * np.expm1(np.minimum(a, 0)))"],
    "maximum": [LARGER, SMALLER], "minimum": [SMALLER, LARGER],
    "where": ["", "np.where(condition, g, 0)", "np.where(condition, 0, g)"],
    "clip": ["np.where((lo <= a) & (a <= hi), g, 0)", "np.where((a < lo) & (lo < hi), g, 0)", "np.where((a > hi) | (lo >= hi), g, 0)"]}


class Spelled(Put):
    """A row of the table with the operands put in; its functions are NumPy's, or the program's own."""

    def visit_Call(self, node: Any) -> Any:
        name, args = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id, [self.visit(a) for a in node.args]
        if name not in HELPERS and not isinstance(getattr(np, name, None), np.ufunc) and name not in ("where", "sinc"):  # another op
            if OPS[name].rule.function:
                raise NotImplementedError(f"by_hand has no words for {name}, whose value is a function")
            return type(self)(dict(zip(OPS[name].rule.operands, args))).visit(parsed(OPS[name].rule.text))
        return ast.Call(ast.Name(name) if name in HELPERS else parsed(f"np.{name}"), args, [])

    def visit_Name(self, node: Any) -> Any: return parsed(f"np.{node.id}") if node.id in ("inf", "pi") else super().visit_Name(node)


class Folded(Rewriting):
    """What is computed of numbers alone, worked out: NumPy's float64 would spoil a line of float32."""

    def visit_Attribute(self, node: Any) -> Any:
        return ast.Constant(np.pi) if ast.unparse(node) == "np.pi" else self.generic_visit(node)

    def visit_Call(self, node: Any) -> Any:
        code: Any = self.generic_visit(node)
        numbers, name = [constant(a) for a in code.args], getattr(code.func, "attr", "")
        ufunc = getattr(np, name, None)
        return ast.Constant(float(ufunc(*numbers))) if isinstance(ufunc, np.ufunc) and None not in numbers else code


class Slope(Spelled, Simpler):
    """The same, worked out where an operand is a number; without base and positive where 0 ** 0 cannot be."""

    def visit_Call(self, node: Any) -> Any:
        code = super().visit_Call(node)
        name = getattr(code.func, "id", "") if isinstance(code, ast.Call) else ""
        free = name == "base" and constant(code.args[1]) or name == "positive" and (constant(code.args[0]) or 0) > 0
        return code.args[0] if free else code


def value(node: Node, xs: list[ast.expr]) -> ast.expr:
    """The line that computes the node. NotImplementedError for an op that has no words."""
    rule = node.rule
    if not isinstance(rule, Elementwise):
        text, _ = texts(node)
        return with_operands(text if isinstance(text, str) else text(node), node, xs)
    if rule.name == "add" and constant(xs[0]) == 0 and node.shape == np.shape(node.parents[1]):
        return xs[1]  # Python's sum() begins with 0
    words = dict(zip(rule.operands, xs))
    code = line(CALLED[rule.name], **words) if rule.name in CALLED else Spelled(words).visit(parsed(rule.text))
    return code if is_double(node) else Folded().visit(code)


def with_operands(text: str, node: Node, xs: list[ast.expr], **g: ast.expr) -> ast.expr:
    """A line in the letters of lines.py, with what they stand for."""
    n = len(node.parents)
    letters = [*(f"x{k}" for k in range(n)), *(f"i{k}" for k in range(len(xs) - n))]
    return line(text, **dict(zip("xWb", xs)), **dict(zip("AB", xs)), **dict(zip(letters, xs)), **g)


def pull(node: Node, i: int, g: ast.expr, y: ast.expr, xs: list[ast.expr]) -> ast.expr:
    """The line that gives operand i of the node its part of the gradient g, in the operand's shape and dtype."""
    rule, x = node.rule, node.parents[i]
    if isinstance(rule, Elementwise):
        code = of_row(node, i, g, y, xs)
        code = line(fitted("c", node.shape, x.shape), c=code) if node.shape != x.shape else code
    else:
        _, text = texts(node)
        code = with_operands(text if isinstance(text, str) else text(node, i), node, xs, g=g)
    code = code if is_double(node) else Folded().visit(code)
    compared = not is_double(node) and any(isinstance(part, ast.Compare) for part in ast.walk(code))  # 0.5 * (a == b) is a float64
    narrow = dtype_of(node) != dtype_of(x) or compared and rule.name not in SELECTED
    return line(f"c.astype(np.{dtype_of(x)})", c=code) if narrow else code


def of_row(node: Node, i: int, g: ast.expr, y: ast.expr, xs: list[ast.expr]) -> ast.expr:
    """g times the slope; 0 where an op that selects has slope 0."""
    rule = node.rule
    words = dict(zip(rule.operands, xs)) | {"y": y, "g": g}
    if rule.name in SELECTED:
        return line(SELECTED[rule.name][i], **words)
    slope = Slope(words).visit(parsed(rule.slopes[i]))
    if constant(slope) == 0:
        return line("np.zeros_like(g)", g=g)
    if rule.selects:
        return line("np.where(s != 0, g * s, 0)", s=slope, g=g)
    return line("-g", g=g) if constant(slope) == -1 else simplified(ast.BinOp(g, ast.Mult(), slope))
