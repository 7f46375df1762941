"""How is a name written?  With its indices, as plain text (h[3]_i) and as TeX (h_{3,i}); and a row of the table as TeX."""

import ast
import re

from ..text.numbers import SUBSCRIPTS

GREEK = {"gamma": r"\gamma", "beta": r"\beta", "alpha": r"\alpha", "tau": r"\tau", "δ": r"\delta"}
FUNCTIONS = {"exp", "log", "sin", "cos", "tanh"}
OPERATORS = {ast.Add: " + ", ast.Sub: " - ", ast.Mult: r" \, ", ast.BitAnd: r" \wedge "}
SIGNS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: r"\ge", ast.LtE: r"\le", ast.Eq: "=", ast.NotEq: r"\ne"}
FIGURES = {code: chr(figure) for figure, code in SUBSCRIPTS.items()}
ESCAPES = {"\\": r"\textbackslash ", "~": r"\textasciitilde ", "^": r"\textasciicircum "} | {c: "\\" + c for c in "{}$&%#_"}


def entry(name: str, index: str) -> str:
    """One entry of a named array as plain text: W_ij, h[3]_i, W_hh,ij, g₁,i; without an index the name itself."""
    if not index:
        return name
    return f"{name},{index}" if "_" in name or ord(name[-1]) in FIGURES else f"{name}_{index}"


def tex_entry(name: str, index: str = "") -> str:
    """The same as TeX: W_{ij}, h_{3,i}, W_{hh,ij}, g_{1,i}."""
    name = re.sub("[₀-₉]+$", lambda digits: f"[{digits[0].translate(FIGURES)}]", name)
    found = re.fullmatch(r"([^\[\]]+?)(?:\[([-\d,]+)\])?", name)
    if not found:
        return rf"\text{{{escaped(name)}}}" + (f"_{{{index}}}" if index else "")
    base, *below = re.split("_", found[1], maxsplit=1)
    base = base if re.fullmatch(r"[a-zA-Z]", base) else GREEK.get(base, rf"\mathrm{{{escaped(base)}}}")
    below = [*(escaped(part) for part in below), *([found[2]] if found[2] else []), *([index] if index else [])]
    return base + (f"_{{{','.join(below)}}}" if below else "")


def escaped(text: str) -> str:
    """Any text, safe inside \\text{…} and \\mathrm{…}."""
    return "".join(ESCAPES.get(c, c) for c in text)


def tex_formula(text: str, names: dict[str, str]) -> str:
    """A row of the table as TeX, its letters replaced: `1 - y * y` with y ↦ h_{3,i}."""
    return written(ast.parse(text, mode="eval").body, names)


def written(tree: ast.expr, names: dict[str, str]) -> str:
    """One node of the row's syntax tree, and all below it."""
    match tree:
        case ast.Name(id=name):
            return names.get(name, tex_entry(name))
        case ast.Constant(value=value):
            return f"{float(value):g}" if isinstance(value, (int, float)) else escaped(repr(value))
        case ast.UnaryOp(operand=a):
            return f"-{bracketed(a, names)}"
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            return rf"\frac{{{written(a, names)}}}{{{written(b, names)}}}"
        case ast.BinOp(left=a, op=ast.Pow(), right=b):
            base = rf"\left({written(a, names)}\right)" if isinstance(a, (ast.BinOp, ast.UnaryOp)) else written(a, names)
            return f"{{{base}}}^{{{written(b, names)}}}"
        case ast.BinOp(left=a, op=op, right=b):
            write = bracketed if isinstance(op, ast.Mult) else written
            right = bracketed(b, names) if isinstance(op, ast.Sub) else write(b, names)
            return f"{write(a, names)}{OPERATORS.get(type(op), ' ? ')}{right}"
        case ast.Compare(left=a, ops=ops, comparators=others):
            return rf"[{written(a, names)}" + "".join(f" {SIGNS[type(op)]} {written(b, names)}" for op, b in zip(ops, others)) + "]"
        case ast.Call(func=ast.Name(id=name), args=args):
            f = rf"\{name}" if name in FUNCTIONS else rf"\mathrm{{{escaped(name)}}}"
            return f + r"\left(" + ", ".join(written(a, names) for a in args) + r"\right)"
    return rf"\text{{{escaped(ast.unparse(tree))}}}"


def bracketed(tree: ast.expr, names: dict[str, str]) -> str:
    """The same, in brackets if it is a sum or a difference."""
    inner = written(tree, names)
    sums = isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)) or isinstance(tree, ast.UnaryOp)
    return rf"\left({inner}\right)" if sums else inner
