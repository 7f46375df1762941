"""Where did the nan come from?  Inside `with detect_anomaly():` the first node that makes a nan or an inf is named.

Forward, the op that made it; backward, the edge whose local derivative did. Either with the source line that called the op.
"""

import linecache
import sys
from typing import Any

import numpy as np

from ..hints import Switch
from .node import Node, describe, plain, switched


class Watch:
    """Looks at every value and gradient as it is made, and remembers which source line made which node."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}  # by birth

    def made(self, node: Node) -> None:
        """A node was made, forward."""
        self.lines[node.birth] = calling_line()
        if not np.all(np.isfinite(node._value)):
            parents = ", ".join(f"{describe(p)} = {brief(p)}" for p in node.parents)
            raise FloatingPointError(f"{node.op} made {brief(node._value)} of {parents}{self.where(node)}")

    def passes(self, child: Node, g: Any, inside: Any) -> None:
        """The gradient g of a child is about to be handed on, backward."""
        g = plain(child.settle(g))
        for edge in child.edges:
            if inside is None or edge.parent in inside:
                local, parent = edge.local, edge.parent
                part = parent.settle(local.pull(g))
                if not np.all(np.isfinite(part)):
                    raise FloatingPointError(
                        f"backward through {child.op}, from {describe(child)} to {describe(parent)}: gradient {brief(g)} times local "
                        f"derivative {edge.formula} = {brief(local.d) if hasattr(local, 'd') else local.text} gave {brief(part)}"
                        f"{self.where(child)}"
                    )

    def where(self, node: Node) -> str:
        """The source line that made the node, as the end of a message."""
        return f"; {self.lines.get(node.birth, 'the op ran outside detect_anomaly(), so its source line is not known')}"


@Switch
def detect_anomaly() -> Any:
    """Inside `with detect_anomaly():` the first nan or inf, forward or backward, raises FloatingPointError.

    The message names the op, its node and parents with their values, and the line of your source. Per thread and task.
    Costs a check per op, so use it to find a fault, not to train.
    """
    return switched(watch=Watch())


def calling_line() -> str:
    """The innermost line outside this room and outside NumPy, as 'file.py:12: code'."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "numpy").startswith((__package__, "numpy")):
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"


def brief(x: Any) -> str:
    """A value in at most a line."""
    return np.array2string(np.asarray(plain(x), dtype=float), threshold=6, edgeitems=2, precision=4).replace("\n", "")
