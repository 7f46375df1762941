"""What is everything called?  As in the graph, as far as Python allows; what nobody named gets a letter by its op.

    h[3] → h3      out.W → out_W      W[0,1] → W0_1      a second node of the same name → h3_2      gradient of h → g_h
"""

import ast
import builtins
import keyword
from typing import Any

from ..autodiff.core import Node
from .prelude import HELPERS

LETTERS = {"leaf": "w", "no_grad": "c", "linear": "z", "matmul": "z", "einsum": "z", "subtract": "d", "multiply": "p", "divide": "q",
           "exp": "e", "sum": "s", "mean": "m", "getitem": "part", "concatenate": "joined", "stack": "joined", "logsumexp": "log_sum"}
RESERVED = {"np", "T", "t", "k", "EXPECTED", "VALUES", "forward_and_backward", *HELPERS, *keyword.kwlist, *dir(builtins)}


def names_of(program: Any, used: list[str]) -> dict[str, ast.expr]:
    """The name of each symbol of the program that is used, and of the gradient of each node."""
    names: dict[str, ast.expr] = {}
    taken = set(RESERVED)
    numbers: dict[str, int] = {}
    for symbol in used:
        value = "v" + symbol[1:] if symbol[0] == "g" else symbol
        if value not in names:
            x = program.arguments[value] if symbol[0] == "c" else program.nodes[value]
            name = unique(wish(x, x is program.output), taken, numbers)
            taken |= {name, f"g_{name}"}
            names |= {"g" + value[1:]: ast.Name(f"g_{name}")} if value[0] == "v" else {}
            names[value] = ast.Name(name)
    return names


def wish(x: Any, is_output: bool) -> str:
    """What a node or a constant would best be called."""
    if not isinstance(x, Node):
        return "labels" if x.dtype.kind in "iu" else "mask" if x.dtype == bool else "c"
    if x.name:
        base, index = x.name.base, "_".join(map(str, x.name.index)).replace("-", "m")
        base = base if base.isidentifier() or not index else base + "_"
        return identifier(base + index)
    return ("loss" if x.size == 1 else "y") if is_output else LETTERS.get(x.op, "a")


def identifier(text: str) -> str:
    """text with what Python does not take in a name replaced."""
    text = "".join(c if c.isidentifier() or ("a" + c).isidentifier() else "_" for c in text)
    return text if text.isidentifier() else f"_{text}"


def unique(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The name, with a number behind it if it is taken."""
    found = name
    while found in taken or f"g_{found}" in taken:
        numbers[name] = numbers.get(name, 1) + 1
        found = f"{name}{'_' * name[-1].isdigit()}{numbers[name]}"
    return found
