"""How does the whole read?  One function: what it takes and checks, both passes, what it returns; above it the helpers that it calls."""

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.scalar import Scalar
from ..text.formulas import parsed
from .backward import Backward
from .lines import dtype_of
from .naming import Names
from .numbers import Alone
from .prelude import ALONE, HELPERS, WITH_MATH, helpers
from .program import Program
from .statements import Put, rows_of, symbols, wrapped

HEAD = '''"""{what} and its gradient, forward, then backward.
What was recorded is fixed: dtypes, shapes{but}, the numbers in the code, and which way each `if` went."""
import numpy as np'''


class Whole:
    """The text of a program.

    values  {argument: as recorded}     leaves   {argument: the leaf, or those of all turns}, whose gradients it returns
    taken   {argument: the loop each turn of which takes an entry}    lengths  {T: n}, the numbers of turns that are arguments themselves
    turns   see turns.py      fixed  {T: n}, the numbers of turns that cannot be others      what  the name of the output
    """

    def __init__(self, program: Program, stack: bool):
        self.program, self.backward = program, Backward(program, stack)
        self.turns, self.fixed = program.turns, program.turns.fixed
        self.naming: Any = Names(program, self.backward)
        self.passes = [program.whole(), self.backward.statements]
        if program.alone:
            self.passes = [[s._replace(code=Alone().visit(s.code)) for s in part] for part in self.passes]
        statements = [s for s in sum(self.passes, []) if not s.quote]
        self.named(used={name for s in statements for name in symbols(s.code)} | {program.symbol(program.output)})
        self.helpers = helpers(s.code for s in statements)
        texts = HELPERS | (ALONE if program.alone else {})
        self.text = "\n\n".join([self.head(), *(texts[name] for name in self.helpers), self.body()])

    def named(self, used: set[str]) -> None:
        """The arguments, by name: those of the symbols that are used."""
        program, gradients = self.program, self.backward.gradients
        arguments = {symbol: x for symbol, x in program.arguments.items() if symbol in used or symbol in gradients}
        spoken = {*used, *gradients}
        for x in program.order:  # who has a name keeps it
            if x.name and {program.symbol(x), program.symbols.of("g", x)} & spoken:
                self.naming.name(x)
        self.names = {symbol: self.naming.base(symbol) for symbol in arguments}
        self.values = {self.names[symbol]: value_of(x) for symbol, x in arguments.items()}
        self.leaves = {self.names[symbol]: arguments[symbol] for symbol in gradients}
        self.what = self.naming.name(program.output)
        self.taken = {self.names[symbol]: loop for symbol, loop in self.turns.taken.items() if symbol in self.names}
        self.said = {loop.T: name for name, loop in reversed(self.taken.items()) if not loop.less}
        self.lengths = {T: n for T, n in self.turns.recorded.items() if T not in {*self.fixed, *self.said}}

    def head(self) -> str:
        """What it is, and which modules it needs."""
        free = [T for T in self.turns.recorded if T not in self.fixed]
        but = f" but for {' and '.join(free)}" if free else ""
        math = self.program.alone or WITH_MATH & {*self.helpers}
        return HEAD.format(what=self.what, but=but) + ("\nimport math" if math else "")

    def body(self) -> str:
        """The function itself."""
        first, program = next(iter(self.leaves), "x"), self.program
        forward, backward = (rows_of(part, self.naming, bool(k)) for k, part in enumerate(self.passes))
        inner = [name for name in self.naming.bases.values() if name.startswith("in_")]
        inside = f"; g_{inner[0]} that of what stands inside the line of {inner[0][3:]}" if inner else ""
        lines = ["# forward", *self.opening(), *forward, "", f"# backward: g_{first} is ∂{self.what}/∂{first}{inside}", *backward]
        gradients = [f'"{self.names[leaf]}": {self.written(g)}' for leaf, g in self.backward.gradients.items()]
        lines.append(wrapped(f"return {self.written(program.symbol(program.output))}, {{", gradients, "}"))
        text = "\n".join(f"    {part}" if part else "" for row in lines for part in row.split("\n"))
        given = [*self.values, *(f"{T}={n}" for T, n in self.lengths.items())]
        overflows = not program.alone and bool({"sigmoid", "exp_or_inf"} & {*self.helpers})
        quiet = '@np.errstate(over="ignore")  # sigmoid(-1000) is 1 / inf\n' * overflows
        return quiet + wrapped("def forward_and_backward(", given, "):") + "\n" + text + "\n"

    def written(self, symbol: str) -> str: return ast.unparse(Put(self.naming).visit(parsed(symbol)))

    def opening(self) -> Iterator[str]:
        """The lines before the forward pass: numbers of turns, checks of the arguments, and those of which each turn takes one."""
        yield from (f"{T} = len({name})  # {len(self.values[name])} when this was recorded" for T, name in self.said.items())
        yield from (f"{T} = {n}" for T, n in self.fixed.items() if T not in self.said)
        kinds: dict[str, list[str]] = {}
        for name, x in self.values.items():
            loop = self.taken.get(name)
            free = loop if loop and loop.T not in self.fixed else None
            shape = [free.length(), *x.shape[1:]] if free else np.shape(x)
            kinds.setdefault(str(dtype_of(x)), []).append(f"{name}=({', '.join(map(str, (name, *shape)))}{',' * (not shape)})")
        yield from (wrapped(f'check("{kind}", ', arguments, ")") for kind, arguments in kinds.items())
        indexed = {self.names.get(self.program.symbol(x)) for x in self.turns.whole}  # x[t - 1]
        floats = ".tolist()" * self.program.alone
        yield from (f"{name} = [None, *{name}{floats}]  # {name}[1] … {name}[{loop.length()}]"
                    for name, loop in self.taken.items() if name not in indexed)


def value_of(x: Any) -> Any:
    """The value of an argument: of a leaf or a constant, or of one for each turn, on top of each other."""
    if isinstance(x, list):
        return np.stack([plain(member) for member in x])
    return x.data if isinstance(x, Scalar) else np.asarray(plain(x))[()]
