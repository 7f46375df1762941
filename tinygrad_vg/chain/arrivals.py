"""What arrives at a node?  A gradient, or one child's part of it, with its log and its account; and how parts are added up.

    g = Σ c_i        ln|g| by its own log, for |g| may be below the smallest number

A selection hands back an array that is 0 but where it selected: n steps taken from one array would be n arrays of its size. So its
part stays small, as Placed, until it is added to the others.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node
from ..autodiff.structure import BASIC, DeferredSelections
from .factors import log, norm, scaled
from .reasons import Reason

NEAR = (1e-12, 1e12)  # sizes that a product of float32 numbers survives
LN2 = math.log(2)


class Arrival(NamedTuple):
    """A gradient, or one child's part of it: c · 2^e, its log, its account; and if it is 0, or mere rounding, why."""

    c: Any
    e: int
    size: float  # |c|
    log: float  # ln |c · 2^e|
    account: dict[Any, float]
    zero: Reason | None = None
    child: Node | None = None  # who gave the part


class Placed(NamedTuple):
    """What a selection hands back of g: zeros with g in them, not yet made."""

    selection: Any
    g: np.ndarray

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.g.itemsize


def part_of(given: Any) -> Any:
    """What a rule gives a parent, as an array; as Placed, of a selection in which no entry stands twice."""
    if isinstance(given, DeferredSelections) and BASIC.issuperset(map(type, given[0][0].index)):
        return Placed(*given[0])
    return given.total() if hasattr(given, "total") else given


def arrived(g: Any, e: int = 0) -> Arrival:
    """The gradient g · 2^e, that a walk begins with."""
    g, shift, size = scaled(g if np.asarray(g).dtype.kind == "f" else np.asarray(g, float))
    return Arrival(g, e + shift, size, log(size) + (e + shift) * LN2, {})


def as_array(part: Arrival) -> Arrival:
    """The part, its c an array: zeros are put around what was selected."""
    return part._replace(c=part.c.selection.adjoint(part.c.g)) if isinstance(part.c, Placed) else part


def alone(part: Arrival) -> Arrival:
    """The part, its c no view, which would hold the array of all steps in memory."""
    return part._replace(c=part.c.copy()) if getattr(part.c, "base", None) is not None else part


def added(parts: list[Arrival]) -> tuple[Any, int, float]:
    """The sum of the parts as g · 2^e, and |g|."""
    top = max(part.e for part in parts)
    placed = [part for part in parts if isinstance(part.c, Placed)]
    arrays = [part for part in parts if not isinstance(part.c, Placed)] or [as_array(placed.pop())]
    terms = [at_power(part.c, part.e - top) for part in arrays]
    g = np.asarray(sum(terms[1:], terms[0]))
    g = g.copy() if placed else g
    for part in placed:
        part.c.selection.add(g, at_power(part.c.g, part.e - top))
    if NEAR[0] < (size := norm(g)) < NEAR[1]:
        return g, top, size
    g, shift, size = scaled(g)
    return g, top + shift, size


def at_power(c: Any, e: int) -> Any:
    """c · 2^e."""
    return c if e == 0 else np.ldexp(c, e)


def inner(part: Arrival, g: Any) -> float:
    """⟨c, g⟩."""
    c, there = (part.c.g, g[part.c.selection.index]) if isinstance(part.c, Placed) else (part.c, g)
    return float(np.add.reduce(np.multiply(c, there, dtype=float), axis=None))


def worst_reason(parts: list[Arrival]) -> Reason | None:
    """Why all of the parts are 0. That a state is 0 is a reason only where there is no other."""
    return min((part.zero for part in parts if part.zero), key=lambda zero: zero.kind == "zero state", default=None)


def log_length(logs: Iterable[float]) -> float:
    """ln √Σ exp(2 l): the log length of a vector, from those of its parts."""
    return float(0.5 * np.logaddexp.reduce([2 * log for log in logs] or [-math.inf]))
