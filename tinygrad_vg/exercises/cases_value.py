"""What is wrong with an engine?  Small programs are run with its class and with ours; values and gradients must agree.

A program is text, so that it can be shown: it makes leaves and computes y, the last of its names.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from .. import Scalar, history
from .cases import slipped
from .grading import Case, Fault, numbers

FIRST = [  # the small ones first; a value used twice; 2⁴⁰ paths; 15,000 values deep
    "y = a + b", "y = a * b", "y = a.tanh()", "y = a * a", "y = a + a", "u = a * b\ny = u.tanh() + u",
    "u = a.tanh()\nv = u * b\ny = u * v + a",
    "y = a\nfor _ in range(40):\n    y = y.tanh() + b * y", "y = a\nfor _ in range(5000):\n    y = (b * y).tanh() + a"]


def programs(rng: Any) -> Iterator[Case]:
    """(a number, a program), and what y was computed from, by name: Scalars with their gradients."""
    for k in count():
        leaves = "".join(f"{name} = Value({x:.3f})\n" for name, x in zip("ab", rng.uniform(0.1, 0.9, 2)))
        text = leaves + (FIRST[k] if k < len(FIRST) else drawn(rng, k - 5))
        names = ran(text, Scalar)
        names["y"].backward()
        yield (0.5, text), {name: x for name, x in names.items() if x.grad is not None}


def drawn(rng: Any, size: int) -> str:
    """So many random lines, each of values before it."""
    names, lines = ["a", "b"], []
    for name in [*(f"u{k}" for k in range(1, size)), "y"]:
        one, other = (names[-k] for k in rng.integers(1, 3, size=2))
        lines.append(f"{name} = " + str(rng.choice([f"{one} + {other}", f"{one} * {other}", f"{one}.tanh() * {other}"])))
        names.append(name)
    return "\n".join(lines)


def ran(text: str, kind: Any) -> dict[str, Any]:
    """The names of a program and what they stand for, Value being `kind`."""
    space: dict[str, Any] = {"Value": kind}
    exec(text, space)  # one of the texts above
    return {name: x for name, x in space.items() if name not in ("Value", "_", "__builtins__")}


def value_wrong(given: Any, wanted: dict[str, Any], _: float, text: str) -> Fault | None:
    """The first value that is wrong, oldest first; else the first gradient, youngest first."""
    found = ran(text, type(given))
    for name, right in wanted.items():
        if fault := numbers(found[name].data, right.data, what=f"{name}.data"):
            return fault
    found["y"].backward()
    for name, right in reversed(wanted.items()):
        if fault := numbers(found[name].grad, right.grad, what=f"{name}.grad"):
            nodes = history(wanted["y"])
            parts = [child.grad * float(edge.local) for child in nodes for edge in child.edges if edge.parent is right]
            return slipped(fault, found[name].grad, parts, right, {node: node.grad for node in nodes})
    return None
