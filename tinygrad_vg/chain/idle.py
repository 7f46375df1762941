"""Does this parameter matter at all?  A gradient that is 0 only because its terms cancel: change the parameter, and look at the loss.

The bias before a batch norm, or of the keys in attention, changes nothing whatever its value; at an optimum either way is worse.
"""

import math
from typing import Any

import numpy as np

from ..autodiff.core import Node
from .factors import log, norm, origin
from .flow import Flow
from .judging import Parameter
from .kinds import IDLE, Verdict
from .reasons import lost
from .sites import Sites

SMALL = {8: 20, 4: 9}  # nats below what arrives at the last use, by bytes of a number, so that it is worth a closer look
NO_CHANGE = {8: 1e-12, 4: 1e-5}  # of a loss, relative to what it is computed from, by bytes of a number


def unless_idle(found: Verdict, flow: Flow, parameter: Parameter, sites: Sites) -> Verdict:
    """The verdict, unless the leaves receive only what rounding left: then whether they matter decides."""
    leaves = parameter.leaves
    if found.kind == "cancelled" or any(cancels(flow, leaf, sites[leaf], g) for leaf, g in zip(leaves, parameter.received)):
        does = what_it_does(flow.order, leaves)
        if does == "converged":
            why = f"The terms of the gradient of {found.source} cancel but for rounding, and any other value of it is worse."
            found.kind, found.why, found.op = does, why, ""
        if does == "cancelled":
            why = f"No value of {found.source} changes the loss: what it adds is taken off again, and it is superfluous."
            found.kind, found.why, found.op = does, f"{why}\n{found.why}", IDLE
    return found


def cancels(flow: Flow, leaf: Node, sites: list[Node], received: np.ndarray) -> bool:
    """Whether what a leaf received is no more than rounding left of terms that cancel, though its last use has a gradient."""
    part = flow.walk.at.get(sites[-1]) if sites and flow.connected else None
    if part is None or part.zero or not part.size or log(norm(received)) > part.log - SMALL[received.dtype.itemsize]:
        return False
    places = [i for i, x in enumerate(sites[-1].parents) if origin(x) is leaf]
    underflows = part.log < math.log(np.finfo(received.dtype).tiny)
    return bool(places) and not underflows and lost(sites[-1], places[0], part.c, norm(np.ldexp(received, -part.e)))


def moved(order: list[Node], leaves: list[Node], step: float) -> float:
    """The value of the last node if these leaves had other values: each entry a step of its own, up or down."""
    values: dict[Any, Any] = {}
    for leaf in leaves:
        w = np.asarray(leaf.data)
        values[leaf] = leaf.data + step * (norm(w) / math.sqrt(w.size or 1) or 1.0) * np.cos(np.arange(w.size)).reshape(w.shape)
    for node in order:
        if node.rule is not None and any(x in values for x in node.variables):
            values[node] = node.rule.value(*[values.get(x, x._value) if isinstance(x, Node) else x for x in node.parents])
    return float(np.sum(np.asarray(values.get(order[-1], order[-1].data))))


def what_it_does(order: list[Node], leaves: list[Node]) -> str:
    """"cancelled" if no value of these leaves changes the loss, "converged" if either way is worse, else ''."""
    with np.errstate(all="ignore"):
        here, up, down = (moved(order, leaves, step) for step in (0.0, 0.3, -0.3))
    scale = NO_CHANGE[getattr(order[-1].data, "itemsize", 8)] * (max([abs(here), *(norm(x.data) for x in order[-1].variables)]) or 1.0)
    if abs(up - here) <= scale and abs(down - here) <= scale:
        return "cancelled"
    return "converged" if up > here and down > here else ""
