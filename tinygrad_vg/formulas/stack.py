"""What can be done once, after the loop?  What every step adds to a weight's gradient is one product of all steps.

    in the loop   g_W_hh += np.outer(g_z, h[t - 1])        behind it   g_W_hh = g_z[1:].T @ h[:-1]
                  g_b_h += g_z                                         g_b_h = g_z[1:].sum(axis=0)
"""

import ast
from typing import Any

from .statements import Put, Statement, line, symbols

FORMS = {  # a term of one turn, and the sum of those of all turns
    "np.outer(a, b)": "a.T @ b",
    "a.T @ b": "a.reshape(-1, A).T @ b.reshape(-1, B)",
    "a": "a.sum(axis=0)",
    "a.sum(axis=0)": "a.sum(axis=(0, 1))",
    "a[0]": "a.sum(axis=(0, 1))"}


def stacked(backward: Any, loop: Any, fresh: set[str]) -> list[Statement]:
    """What stands behind the loop whose lines were just written, taken out of it; fresh: the gradients that only it adds to."""
    stack = Stack(backward, loop, backward.statements[backward.start :])
    backward.insert(backward.program.rooms(stack.kept, "G"))
    found: list[Statement] = []
    for s, code in stack.moved.items():
        backward.statements.remove(s)
        once = s.target in fresh - stack.left - {f.target for f in found}
        found.append(Statement(s.target, code, "=" if once else "+="))
    return found


class Stack:
    """Of one loop: moved, the statements that are not needed in it; left, what the others add to; kept, nodes whose gradients are kept."""

    def __init__(self, backward: Any, loop: Any, body: list[Statement]):
        self.backward, self.program, self.loop = backward, backward.program, loop
        self.given = {s.target for s in body if s.sign == "=" and not s.quote}
        self.moved: dict[Statement, ast.expr] = {}
        self.kept: list[Any] = []
        for s in body:
            symbol = self.program.symbols.get(s.target) if s.sign == "+=" else None
            outside = symbol and not self.program.at(symbol.of).loop
            if outside and (code := self.at_once(s.code)):
                self.moved[s] = code
        self.left = {s.target.partition("[")[0] for s in body if s.sign == "+=" and s not in self.moved}

    def at_once(self, code: ast.expr) -> ast.expr | None:
        """The sum of a term over all turns, as one line; None if it is none of those that can be so written."""
        letters = dict(zip(dict.fromkeys(name for name in symbols(code) if name in self.program.symbols), "abc"))
        form = FORMS.get(ast.unparse(Put({name: ast.Name(letter) for name, letter in letters.items()}).visit(code)))
        words = {letter: whole for name, letter in letters.items() if form and (whole := self.whole(name))}
        if not form or len(words) < len(letters):
            return None
        for name in letters:
            kind, x = self.program.symbols[name]
            if kind == "g" and x not in self.backward.array:
                self.kept.append(x)
                self.backward.array.add(x)
        sizes = {letter.upper(): ast.Constant(self.shape(name)[-1]) for name, letter in letters.items() if self.shape(name)}
        return line(form, **words, **sizes)

    def shape(self, symbol: str) -> tuple[int, ...]:
        x = self.program.arguments.get(symbol, self.program.symbols[symbol].of)
        return (x[-1] if isinstance(x, list) else x).shape

    def whole(self, symbol: str) -> ast.expr | None:
        """What a symbol of the loop is in all its turns, as one array: all but what comes before the first turn, or all but the last."""
        kind, x = self.program.symbols[symbol]
        if isinstance(self.program.arguments.get(symbol), list):
            return line("np.array(x)", x=self.program.name("a", x, "1:"))
        place = self.program.at(x)
        if kind == "g":
            there, name, stretch = symbol in self.given and x not in self.backward.carry, "G", "1:"
        else:
            there = self.program.last(x) in self.program.kept and self.loop.lag(place.j) < 2 and place.ago < 2
            name, stretch = "a", ":-1" if place.ago else "1:"
        return self.program.name(name, x, stretch) if there and place.loop is self.loop else None
