"""What may go wrong without a word?  A leaf changed under its graph, a nan, an op that should not record: three guards.

no_grad() records nothing, detect_anomaly() stops at the first nan or inf; and no walk back begins if a used leaf was given new data.
"""

import linecache
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import chain, starmap
from typing import Any

import numpy as np

from .core import Edge, Node, births, describe, guard, plain, set_changed, set_value

latest_change = [0]  # when a leaf was last given new data, on the clock of births
PASSED_OVER = [str(__package__), "numpy"]  # a line of these modules is not the user's; hints.attach() adds its own


class Guard:
    """Looks at every node that is made and, if it watches, at every part of a gradient."""

    recording, watching = True, False

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}  # which source line made a node, by birth

    def made(self, node: Any) -> None:
        """A node was made. Under no_grad() it forgets where it came from."""
        if not self.recording:
            node.rule, node._parents = Unrecorded, ()
        if self.watching:
            self.lines[node.birth] = calling_line()
            if not np.all(np.isfinite(node._value)):
                parents = ", ".join(f"{describe(p)} = {brief(p)}" for p in node._parents)
                raise FloatingPointError(f"{node.op} made {brief(node._value)} of {parents}; {self.lines[node.birth]}")

    def passes(self, child: Any, g: Any, parts: Any) -> None:
        """What a child's parents receive of its gradient g was computed."""
        for i, part in enumerate(parts if self.watching else ()):
            if part is not None and not np.all(np.isfinite(plain(part := child._parents[i].finalise(part)))):
                edge, local = Edge(child, i), child.local(i)
                slope = f"{edge.formula} = {brief(local.d) if hasattr(local, 'd') else local.text}"
                what = f"backward through {child.op}, from {describe(child)} to {describe(edge.parent)}"
                product = f"gradient {brief(child.finalise(g))} times local derivative {slope} gave {brief(part)}"
                line = self.lines.get(child.birth, "the op ran outside detect_anomaly(), so its source line is not known")
                raise FloatingPointError(f"{what}: {product}; {line}")


@contextmanager
def switched(**changes: Any) -> Iterator[None]:
    """Inside the with-block another guard looks on: the one that did, with these changes."""
    token = guard.set(copy(guard.get() or Guard()))
    vars(guard.get()).update(changes)
    try:
        yield
    finally:
        guard.reset(token)


def no_grad() -> Any:
    """Inside `with no_grad():` (or under `@no_grad()`) ops compute values and record nothing. Per thread and task."""
    return switched(recording=False)


def detect_anomaly() -> Any:
    """Inside `with detect_anomaly():` the first nan or inf, forward or backward, raises FloatingPointError. Per thread and task.

    The message names the op, its node and parents with their values, and the line of your source. Costs a check per op, not for training.
    """
    return switched(watching=True)


class Unrecorded:
    """The rule of a node computed under no_grad(): it has a value and no past."""

    name = "no_grad"
    parts = parts_of_nodes = staticmethod(lambda node, g, inside=None: ())


def calling_line() -> str:
    """The innermost line outside this room and outside NumPy, as 'file.py:12: code'."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "numpy").startswith(tuple(PASSED_OVER)):
        frame = frame.f_back
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"


def brief(x: Any) -> str:
    """A value in at most a line."""
    return np.array2string(np.asarray(plain(x), dtype=float), threshold=6, edgeitems=2, precision=4).replace("\n", "")


def put_in_place(values: dict, also: Iterable = ()) -> None:
    """New values for leaves, when that was, and (object, attribute, value)s: one call of C, so that Ctrl-C cannot fall inside."""
    when = chain(map(set_changed, values, births), map(latest_change.__setitem__, [0], births))
    deque(chain(map(set_value, values, values.values()), when, starmap(object.__setattr__, also)), maxlen=0)


def check_unchanged(child: Node, parent: Node) -> None:
    """RuntimeError if the parent, a leaf, was given new data after the child was computed from the old."""
    if parent.changed > child.birth:
        way = f"so the derivative at {describe(child)} no longer fits the value; run the forward pass again"
        raise RuntimeError(f"{describe(parent)} was given new data after {child.rule.name} used it, {way}")


def check_all_unchanged(order: list) -> None:
    """RuntimeError if any leaf was given new data after one of these nodes was computed from it."""
    first = next((node.birth for node in order if node.rule is not None), 0)
    for child in order if latest_change[0] > first else ():  # something was assigned since the first was made: look closely
        for parent in child.variables:
            check_unchanged(child, parent)


def check_walk(output: Node, order: list) -> None:
    """RuntimeError if there is nothing to walk back through, or if a leaf changed since."""
    if output.rule is Unrecorded:
        raise RuntimeError(f"{describe(output)}: computed under no_grad(), so there is no history to differentiate; compute it outside")
    check_all_unchanged(order)
