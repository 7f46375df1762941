"""Why is a gradient nan or infinite?  The data hold it, a slope is infinite there, or a value is beyond the numbers of its dtype.

An inf that a constant put there, the −inf of a mask, is no fault as long as what flows back is finite: nobody asks here then.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.core import Node, plain
from .factors import called
from .zeros import Reason

SINGULAR = {"sqrt", "log", "log1p", "power", "divide"}  # ops with a place where slope or value is infinite


def why_not_finite(order: Iterable[Node], broken: Any) -> Reason:
    """From the oldest node on: a nan in a constant; an inf in one, or an op that makes what is not finite; else the slope."""
    order = list(order)
    for node in order:
        if node.rule is None and np.any(np.isnan(node.data)):
            return Reason("overflowed", f"{called(node)} itself holds a nan, which a step before this pass left in it", "leaf")
        if found := of_constants(node, np.isnan, "a nan"):
            return found
    for node in order:
        if node.rule is not None and not np.all(np.isfinite(node.data)) and all(np.all(np.isfinite(plain(x))) for x in node.parents):
            return made(node)
        if spoils(node) and (found := of_constants(node, np.isinf, "an inf")):
            return found
    if broken and broken[2] is not None:
        return slope_of(broken[2], broken[0])
    return Reason("overflowed", "the product is beyond its dtype")


def of_constants(node: Node, holds: Any, what: str) -> Reason | None:
    """The data, if a constant among the operands holds one."""
    bad = next((x for x in node.parents if not isinstance(x, Node) and np.any(holds(np.asarray(x)))), None)
    if bad is None:
        return None
    return Reason("nan in the data", f"a constant of {called(node)} ({node.op}) holds {what}: {place(bad, holds)}", node.op)


def spoils(node: Node) -> bool:
    """Whether an inf in a constant makes a nan, or an inf that is no mask: −inf that is added, or chosen, is put there on purpose."""
    return bool(np.any(np.isnan(node.data)) or node.op not in ("add", "where", "maximum", "minimum", "clip"))


def place(x: Any, holds: Any) -> str:
    """Where in an array the first of them is."""
    index = tuple(int(i) for i in np.argwhere(holds(np.atleast_1d(np.asarray(x))))[0])
    return f"the first at {list(index)}" if np.ndim(x) else "the number itself"


def made(node: Node) -> Reason:
    """A value that an op made of finite operands: at a place where it has none, or beyond the dtype."""
    if node.op == "divide" and isinstance(node.parents[0], Node) and node.parents[0].op == "exp" and not np.all(plain(node.parents[1])):
        return Reason("nan in the data", f"a whole row of {called(node)} is masked by −inf, so its softmax is 0 / 0", node.op)
    operands = ", ".join(called(x) for x in node.parents)
    if node.op in SINGULAR and any(np.any(plain(x) == 0) for x in node.parents):
        return Reason("infinite slope", f"{node.op} of {operands} at 0 is not finite, nor is its slope", node.op)
    dtype = np.asarray(node.data).dtype
    return Reason("overflowed", f"{called(node)} is beyond the largest number of {dtype}", node.op)


def slope_of(child: Node, parent: Node) -> Reason:
    """A slope that is infinite, times a gradient that is finite."""
    at = " at 0" if any(np.any(plain(x) == 0) for x in child.parents) else ""
    if child.op in SINGULAR:
        return Reason("infinite slope", f"the slope of {child.op}{at} is infinite, on the way to {called(parent)}", child.op)
    return Reason("overflowed", f"the derivative of {called(child)} is beyond its dtype", child.op)
