"""How is a line written for numbers that stand alone?  In Python's own floats, which are several times as fast as NumPy's.

    np.tanh(a) → math.tanh(a)      np.where(a > 0, g, 0) → g if a > 0 else 0      np.empty(T + 1) → [0.0] * (T + 1)

What leaves the reals is an error there: 1 / 0, math.log(0), math.exp(1000).
"""

import ast
import math
from typing import Any

from ..text.formulas import Rewriting, constant
from .statements import line

WORDS = {"abs": "abs(a)", "sign": "(a > 0) - (a < 0)", "square": "a * a", "maximum": "max(a, b)", "minimum": "min(a, b)",
         "where": "b if a else c", "array": "a", "empty": "[zero] * (a)", "zeros": "[zero] * (a)"}
ZERO = ast.Name("0.0")


class Alone(Rewriting):
    """A line of NumPy that is all about single numbers, in plain Python."""

    def visit_Call(self, node: Any) -> Any:
        code: Any = self.generic_visit(node)
        name = getattr(code.func, "attr", "")
        if isinstance(code.func, ast.Name):  # map(np.zeros_like, (a, b)): a zero for each
            return line(f"[zero] * {len(code.args[1].elts)}", zero=ZERO) if code.func.id == "map" else code
        if name == "zeros_like" or name == "zeros" and ast.unparse(code.args[0]) == "()":  # of shape ()
            return ZERO
        if name == "float64":  # of a number
            return code.args[0] if isinstance(code.args[0], ast.BinOp) else ast.Name(repr(float(ast.literal_eval(code.args[0]))))
        if name in WORDS:
            return line(WORDS[name], zero=ZERO, **dict(zip("abc", code.args)))
        return line(f"math.{name}(x)", x=code.args[0]) if hasattr(math, name) else code

    def visit_BinOp(self, node: Any) -> Any:
        """A power that is no whole number is math.pow, which refuses (-8) ** (1 / 3) where Python would make a complex number of it."""
        code: Any = self.generic_visit(node)
        whole = isinstance(code.op, ast.Pow) and float(constant(code.right) or 0.5).is_integer()
        return code if whole or not isinstance(code.op, ast.Pow) else line("math.pow(a, b)", a=code.left, b=code.right)
