"""What is everything called?  As in the graph, as far as Python allows; what nobody named gets a letter by its op.

    h[3] → h3, in a loop over all h[t] → h      out.W → out_W      W[0,1] → W0_1      a second of the same name → h2 or h3_2

The gradient of h is g_h. A loop over time counts t from 1 to T; one over layers counts k from 1 to K, see turns.py.
"""

import builtins
import copy
import keyword
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..text.formulas import parsed
from .loops import shifted
from .prelude import HELPERS
from .statements import Symbol

LETTERS = {"leaf": "w", "no_grad": "c", "linear": "z", "matmul": "z", "einsum": "z", "subtract": "d", "add": "z", "multiply": "p",
           "divide": "q", "exp": "e", "sum": "s", "mean": "m", "getitem": "part", "logsumexp": "log_sum",
           "concatenate": "joined", "stack": "joined"}
RESERVED = {"np", "math", "t", "k", "VALUES", "forward_and_backward", *HELPERS, *keyword.kwlist, *dir(builtins)}


class Names:
    """What stands for each symbol of a program; in a loop, names.within(loop), h[t] stands where outside stands h[T]."""

    def __init__(self, program: Any, backward: Any):
        self.program, self.backward, self.symbols = program, backward, program.symbols
        self.taken, self.numbers, self.bases = RESERVED | program.turns.recorded.keys(), dict[str, int](), dict[str, str]()
        self.loop: Any = None
        self.owners = {x: root for root, members in program.members.items() for x in members}

    def within(self, loop: Any) -> "Names":
        inner = copy.copy(self)
        inner.loop = loop
        return inner

    def remark(self, target: str) -> str:
        """On the line that makes the gradient of the turn before."""
        symbol = self.symbols.get(target)
        return f"  # of {self.name(symbol.of)}[{self.loop.letter} - 1]" if symbol and symbol.kind == "p" else ""

    def get(self, text: str, default: Any = None) -> Any:
        """What is written for a symbol; the default for any other word."""
        if text not in self.symbols:
            return default
        symbol = self.symbols[text]
        name = "g_" * (symbol.kind in "gGp") + self.name(symbol.of) + "_before" * (text in self.backward.apart)
        return parsed(f"{name}[{place}]" if (place := self.index(symbol)) else name)

    def role(self, x: Any) -> str:
        """For what has no name: of a state that of what it starts from, h for h0; of what has no line that of its line, in_h."""
        if not isinstance(x, Node) or x.name or x is self.program.output:
            return ""
        if x in self.owners:
            return "in_" + self.name(self.owners[x])
        loop, _, j = self.program.at(x)
        first = next((start for (place, _), start in loop.starts.items() if place == j), None) if loop else None
        if not (label := getattr(first, "name", None)):
            return ""
        return identifier(label.base.rstrip("0123456789") or "h" if label.index or label.base[-1].isdigit() else label.base[0])

    def index(self, symbol: Symbol) -> str:
        """The place in an array, [t - 1]; nothing for what is no array."""
        program, (kind, x) = self.program, symbol
        if kind in "aGp":
            return ""
        if isinstance(program.arguments.get(program.symbol(x)), list):
            return str(self.loop.letter)
        loop, turn, _ = place = program.at(x)
        if not loop or program.last(x) not in (program.kept if kind == "v" else self.backward.array):
            return ""
        if loop is self.loop:
            return shifted(loop.letter, -place.ago)
        if self.loop and (loop, start := turn - self.loop.count + 1) in self.loop.series:
            return shifted(self.loop.letter, start)
        return str(turn + 1) if place.ago else loop.length()

    def name(self, x: Any) -> str: return self.base(self.program.symbol(self.program.last(x)))

    def base(self, symbol: str) -> str:
        """The name of a node, a constant, or a list of them."""
        if symbol not in self.bases:
            x = self.program.arguments.get(symbol, self.symbols[symbol].of)
            many = isinstance(x, list) or isinstance(x, Node) and bool(self.program.at(x).loop)
            one = x[-1] if isinstance(x, list) else x
            wished = self.program.wishes.get(symbol) or self.role(one) or wish(one, x is self.program.output, many)
            if isinstance(x, list) and wished != wish(x[0], False, many):  # layer2_W, layer3_W …
                wished = "".join(c for c in wished if not c.isdigit())
            name = unique(wished, self.taken, self.numbers)
            self.taken |= {name, f"g_{name}"}
            self.bases[symbol] = name
        return self.bases[symbol]


def wish(x: Any, is_output: bool, many: bool) -> str:
    """What a node or a constant would best be called; many: it is one of those of a loop."""
    if not isinstance(x, Node):
        kind = np.asarray(x).dtype.kind
        mask = kind == "b" or not many and np.ndim(x) > 1 and np.min(x, initial=0) < -99 and np.isin(x, (0, np.min(x))).all()
        return "labels" if kind in "iu" else "mask" if mask else "x" if many else "c"
    if x.name:
        base, index = x.name.base, "_".join(map(str, x.name.index)).replace("-", "m")
        return identifier(base if many else base + index)
    return ("loss" if x.size == 1 else "y") if is_output else LETTERS.get(x.op, "a")


def identifier(text: str) -> str:
    """text with what Python does not take in a name replaced."""
    text = "".join(c if ("a" + c).isidentifier() else "_" for c in text)
    return text if text.isidentifier() else f"_{text}"


def unique(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The name, with a number behind it if it is taken."""
    found = name
    while found in taken or f"g_{found}" in taken:
        numbers[name] = numbers.get(name, 1) + 1
        found = f"{name}{'_' * name[-1].isdigit()}{numbers[name]}"
    return found
