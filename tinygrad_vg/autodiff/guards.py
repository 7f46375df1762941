"""What may go wrong without a word?  A leaf changed under its graph, a nan, an op that should not record: three guards.

no_grad() records nothing, detect_anomaly() stops at the first nan or inf; and no walk back begins if a used leaf was given new data.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from itertools import chain, starmap
from typing import Any

import numpy as np

from ..text.numbers import brief
from ..text.source import calling_line
from .core import Edge, Node, births, describe, guard, plain, set_changed, set_value

latest_change = [0]  # when a leaf was last given new data, on the clock of births


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
            if not np.all(np.isfinite(node._value)) and (made := made_anew(node)):
                raise FloatingPointError(f"{made}; {self.lines[node.birth]}")

    def passes(self, child: Any, g: Any, parts: Any) -> None:
        """What a child's parents receive of its gradient g was computed."""
        for i, part in enumerate(parts if self.watching else ()):
            if part is not None and not np.all(np.isfinite(plain(part := child._parents[i].finalise(part)))):
                edge, local = Edge(child, i), child.local(i)
                slope = f"{edge.formula} = {brief(plain(local.d)) if hasattr(local, 'd') else local.text}"
                what = f"backward through {child.op}, from {describe(child)} to {describe(edge.parent)}"
                product = f"gradient {brief(plain(child.finalise(g)))} times local derivative {slope} gave {brief(plain(part))}"
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


def made_anew(node: Any) -> str:
    """The first nan, or inf that no operand holds in that place, and what it was made of; '' if there is none, as at a mask's −inf."""
    values, entrywise = [np.asarray(plain(x), float) for x in node._parents], hasattr(node.rule, "pulls")
    new = np.isinf(node._value)
    for x in values:
        new = new & np.isfinite(x) if entrywise else new & np.all(np.isfinite(x))
    if not np.any(new := new | np.isnan(node._value)):
        return ""
    at = tuple(int(i) for i in np.argwhere(new)[0])
    there = [np.broadcast_to(x, np.shape(node._value))[at] if entrywise else x for x in values]
    of = ", ".join(f"{describe(p)} = {brief(x)}" for p, x in zip(node._parents, there))
    return f"{node.op} made {brief(node._value[at] if at else node._value)}{f' at {list(at)}' if at else ''} of {of}"


class Unrecorded:
    """The rule of a node computed under no_grad(): it has a value and no past."""

    name = "no_grad"
    parts = parts_of_nodes = staticmethod(lambda node, g, inside=None: ())


def put_in_place(values: dict, also: Iterable = ()) -> None:
    """New values for leaves, when that was, and (object, attribute, value)s: one call of C, so that Ctrl-C cannot fall inside."""
    when = chain(map(set_changed, values, births), map(latest_change.__setitem__, [0], births))
    deque(chain(map(set_value, values, values.values()), when, starmap(object.__setattr__, also)), maxlen=0)


def check_unchanged(child: Node, parent: Node) -> None:
    """RuntimeError if the parent, a leaf, was given new data after the child was computed from the old."""
    if parent.changed > child.birth:
        way = f"so the derivative at {describe(child)} no longer fits the value; run the forward pass again"
        carried = "; a state of an earlier pass is carried over with .detach(), of an LSTM each part"
        raise RuntimeError(f"{describe(parent)} was given new data after {child.rule.name} used it, {way}{carried}")


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
