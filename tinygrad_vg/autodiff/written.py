"""How does text become an engine?  A rule is written down once, as text, and compiled into what runs.

    value    y in terms of the operands, as in `a * b`
    pulls    what each operand receives of a gradient g with respect to y, as in `g * (b)`; None: it takes constants only

The value is pasted into a function that makes a node from operands of certain kinds, the pulls into one that hands its
gradient on to them. The templates of both say how a node is built, so they are in scalar.py and tensor.py.

    a, b, c  operands (the rule's own letters)      _a, _b, _c  the same as nodes      y  value      g  gradient
"""

import linecache
import re
from typing import Any

from .arrays import numbers_or_scalars
from .maps import Rule
from .node import Node

NODES = ("_a", "_b", "_c")
RESERVED = {"g", "y", "self", "part", "gradients", "inside", "graph", "operands", "error", "make", "hand_on"}  # words of the templates


class Written(Rule):
    """A rule whose value and pulls are text. values: what the names in the value mean; names: those in the pulls."""

    broadcasts = False  # whether a pull may give more than the operand, copies that are still to be added up

    def __init__(self, name: str, operands: list[str], text: str, pulls: list[str | None], values: dict, names: dict):
        self.name, self.operands, self.text, self.pulls, self.values, self.names = name, operands, text, pulls, values, names
        self.value = compiled(f"lambda {', '.join(operands)}: {text}", values)  # type: ignore[method-assign]
        letters = {letter: f"xs[{i}]" for i, letter in enumerate(operands)}
        cases = "".join(f"({renamed(str(pull), letters)}) if i == {i} else " for i, pull in enumerate(pulls))
        self.back = compiled(f"lambda i, g, y, xs: {cases}None", names)  # type: ignore[method-assign]
        self.makers = Makers(self)

    def __call__(self, *operands: Any) -> Any:
        make: Any = self.makers
        for x in operands:
            make = make[type(x)]
        return make(*operands)

    def maker(self, kinds: tuple[type, ...]) -> Any:
        """The function that applies the rule to operands of these kinds: to nodes by making a node."""
        for letter, pull, kind in zip(self.operands, self.pulls, kinds):
            if pull is None and issubclass(kind, Node):
                raise TypeError(f"{self.name}: {letter} must be a constant, got a {kind.__name__}; pass its .data, or compare it: x > 0")
        node: Any = next((kind for kind in kinds if issubclass(kind, Node)), None)
        return node.maker(self, kinds) if node else self.on_constants

    def for_arrays(self, text: str) -> str:
        """The text as it is pasted in where its letters mean arrays."""
        return text

    def on_constants(self, *xs: Any) -> Any:
        return self.value(*[numbers_or_scalars(x, self.name) for x in xs])

    def letters(self, kinds: tuple[type, ...]) -> dict[str, str]:
        """What to put in place of each letter to get at the value: _a._value of a node, _a of a constant."""
        return {
            letter: f"{node}._value" if issubclass(kind, Node) else node
            for letter, node, kind in zip(self.operands, NODES, kinds)
        }


class Makers(dict):
    """The makers of a rule by the kinds of its operands, as in makers[Tensor][float]; each compiled when it is first met.

    kinds  of the operands so far; by that of the next there is a maker, or, while more are to come, Makers again
    """

    def __init__(self, rule: Written, *kinds: type):
        self.rule, self.kinds = rule, kinds

    def __missing__(self, kind: type) -> Any:
        kinds = (*self.kinds, kind)
        self[kind] = self.rule.maker(kinds) if len(kinds) == len(self.rule.operands) else Makers(self.rule, *kinds)
        return self[kind]


def renamed(text: str, letters: dict[str, str]) -> str:
    """A text with other words for its letters; a keyword, as in f(a, slope=0.1), is no letter."""
    return re.sub(r"(?<![\w.])[^\W\d]\w*(?!\w|\s*=(?!=))", lambda word: letters.get(word[0], word[0]), text)


def in_floats(text: str) -> str:
    """A text with 1.0 in place of 1: to NumPy, a float times an array is a third less work than a whole number."""
    return re.sub(r"(?<![\w.])(?<![\d.][eE][+-])\d+(?![\w.])", r"\g<0>.0", text)


def compiled(text: str, names: dict[str, Any]) -> Any:
    """The value of the text, an expression."""
    return eval(compile(text, with_source(text), "eval"), names)


def defined(name: str, text: str, names: dict[str, Any]) -> Any:
    """The function of that name that the text, a def, defines."""
    exec(compile(text, with_source(text), "exec"), names := dict(names))
    return names[name]


def with_source(text: str) -> str:
    """A file name for the text, under which debuggers, tracebacks and inspect find its lines."""
    name = f"<rule {len(linecache.cache)}: {text.strip().splitlines()[0]}>"
    linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    return name
