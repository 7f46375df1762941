"""How does the whole read?  One function: what it takes and checks, both passes, what it returns; above it the helpers that it calls."""

import ast
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.scalar import Scalar
from .backward import Backward
from .lines import dtype_of
from .naming import Names
from .numbers import alone
from .prelude import ALONE, HELPERS, WITH_MATH, helpers
from .program import Program
from .statements import rows_of, symbols, wrapped

HEAD = '''"""{what} and its gradient, forward, then backward.
What was recorded is fixed: dtypes, shapes{but}, the numbers in the code, and which way each `if` went."""
import numpy as np'''


class Whole:
    """The text of a program.

    values  {argument: as recorded}     leaves   {argument: the leaf, or those of all turns}, whose gradients it returns
    turns   {argument: T}, of those of which each turn takes one     lengths  {T: n}, the numbers of turns that are arguments themselves
    fixed   {T: n}, those that cannot be others       free  T that can     what     the name of the output
    """

    def __init__(self, program: Program, stack: bool):
        self.program, self.backward = program, Backward(program, stack)
        self.naming = Names(program, self.backward)
        if program.alone:
            program.forward, self.backward.statements = alone(program.forward), alone(self.backward.statements)
        statements = [s for s in (*program.forward, *self.backward.statements) if not s.quote]
        self.named(used={name for s in statements for name in symbols(s.code)} | {program.symbol(program.output)})
        self.counted()
        self.helpers = helpers(s.code for s in statements)
        texts = HELPERS | (ALONE if program.alone else {})
        self.text = "\n\n".join([self.head(), *(texts[name] for name in self.helpers), self.body()])

    def named(self, used: set[str]) -> None:
        """The arguments, by name: those of the symbols that are used."""
        program, gradients = self.program, self.backward.gradients
        arguments = {symbol: x for symbol, x in program.arguments.items() if symbol in used or symbol in gradients}
        for x in program.order:  # who has a name keeps it
            if x.name and {program.symbol(x), program.symbols.of("g", x)} & {*used, *gradients}:
                self.naming.name(x)
        self.names = {symbol: self.naming.base(symbol) for symbol in arguments}
        self.values = {self.names[symbol]: value_of(x) for symbol, x in arguments.items()}
        self.leaves = {self.names[symbol]: arguments[symbol] for symbol in gradients}
        self.what = self.naming.name(program.output)

    def counted(self) -> None:
        """What says how many turns each loop has."""
        program, naming = self.program, self.naming
        self.turns = {name: naming.lengths[symbol] for symbol, name in self.names.items() if symbol in naming.lengths}
        for loop in program.loops:  # others of as many turns
            for key in loop.families:
                if name := self.names.get(program.family(loop, key)):
                    self.turns.setdefault(name, naming.length(loop)[0])
        self.fixed = {naming.length(loop)[0]: loop.count + program.lengths[loop][1] for loop in program.pinned}
        recorded = {naming.length(loop)[0]: loop.count + naming.length(loop)[1] for loop in program.loops}
        self.free = [T for T in recorded if T not in self.fixed]
        self.lengths = {T: recorded[T] for T in self.free if T not in self.turns.values()}

    def head(self) -> str:
        """What it is, and which modules it needs."""
        but = f" but for {' and '.join(self.free)}" if self.free else ""
        math = self.program.alone or WITH_MATH & {*self.helpers}
        return HEAD.format(what=self.what, but=but) + ("\nimport math" if math else "")

    def body(self) -> str:
        """The function itself."""
        first, program = next(iter(self.leaves), "x"), self.program
        forward, backward = rows_of(program.forward, self.naming, False), rows_of(self.backward.statements, self.naming, True)
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

    def written(self, symbol: str) -> str: return ast.unparse(self.naming.get(symbol))

    def opening(self) -> Iterator[str]:
        """The lines before the forward pass: numbers of turns, checks of the arguments, and those of which each turn takes one."""
        for T, name in {T: name for name, T in reversed(self.turns.items())}.items():
            yield f"{T} = len({name})  # {len(self.values[name])} when this was recorded"
        yield from (f"{T} = {n}" for T, n in self.fixed.items() if T not in self.turns.values())
        kinds: dict[str, list[str]] = {}
        for name, x in self.values.items():
            n = self.turns.get(name)
            shape = [self.fixed.get(n, n), *x.shape[1:]] if n else np.shape(x)
            kinds.setdefault(str(dtype_of(x)), []).append(f"{name}=({', '.join(map(str, (name, *shape)))}{',' * (not shape)})")
        yield from (wrapped(f'check("{kind}", ', arguments, ")") for kind, arguments in kinds.items())
        indexed = {self.names.get(self.program.symbol(x)) for x in self.program.whole}  # x[t - 1]
        floats = ".tolist()" * self.program.alone
        yield from (f"{name} = [None, *{name}{floats}]  # {name}[1] … {name}[{T}]" for name, T in self.turns.items() if name not in indexed)


def value_of(x: Any) -> Any:
    """The value of an argument: of a leaf or a constant, or of one for each turn, on top of each other."""
    if isinstance(x, list):
        return np.stack([plain(member) for member in x])
    return x.data if isinstance(x, Scalar) else np.asarray(plain(x))[()]
