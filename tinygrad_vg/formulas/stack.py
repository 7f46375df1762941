"""What can be done once, after the loop?  What every step adds to a weight's gradient is one product of all steps.

    in the loop   g_W_hh += np.outer(g_z, h[t - 1])        behind it   g_W_hh = g_z[1:].T @ h[:-1]
                  g_b_h += g_z                                         g_b_h = g_z[1:].sum(axis=0)
"""

import ast
from typing import Any

from .statements import Put, line, symbols

FORMS = {  # a term of one turn, and the sum of those of all turns
    "np.outer(a, b)": "a.T @ b",
    "a.T @ b": "a.reshape(-1, A).T @ b.reshape(-1, B)",
    "a": "a.sum(axis=0)",
    "a.sum(axis=0)": "a.sum(axis=(0, 1))",
    "a[0]": "a.sum(axis=(0, 1))"}


def at_once(backward: Any, code: ast.expr) -> ast.expr | None:
    """The sum of a term over all turns of the loop, as one line, for which gradients are kept; None if it is none of those above."""
    program = backward.program
    letters = dict(zip(dict.fromkeys(name for name in symbols(code) if name in program.symbols), "abc"))
    form = FORMS.get(ast.unparse(Put({name: ast.Name(letter) for name, letter in letters.items()}).visit(code)))
    words = {letter: stretch for name, letter in letters.items() if form and (stretch := in_all_turns(backward, name))}
    if not form or len(words) < len(letters):
        return None
    for kind, x in map(program.symbols.get, letters):
        if kind == "g" and x not in backward.array:
            backward.kept.append(x)
            backward.array.add(x)
    sizes = {letter.upper(): ast.Constant(shape[-1]) for name, letter in letters.items() if (shape := shape_of(program, name))}
    return line(form, **words, **sizes)


def shape_of(program: Any, symbol: str) -> tuple[int, ...]:
    """The shape of what a symbol stands for in one turn."""
    x = program.arguments.get(symbol, program.symbols[symbol].of)
    return (x[-1] if isinstance(x, list) else x).shape


def in_all_turns(backward: Any, symbol: str) -> ast.expr | None:
    """What a symbol of the loop is in all its turns, as one array: all but what comes before the first turn, or all but the last."""
    program, loop, (kind, x) = backward.program, backward.loop, backward.program.symbols[symbol]
    if isinstance(program.arguments.get(symbol), list):
        return line("np.array(x)", x=program.name("a", x, "1:"))
    place = program.at(x)
    if kind == "g":
        there, name, stretch = x not in backward.carry and symbol in (s.target for s in backward.body() if s.sign == "="), "G", "1:"
    else:
        there = program.last(x) in program.kept and loop.lag(place.j) < 2 and place.ago < 2
        name, stretch = "a", ":-1" if place.ago else "1:"
    return program.name(name, x, stretch) if there and place.loop is loop else None
