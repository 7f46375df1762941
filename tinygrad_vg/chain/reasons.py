"""Why is a gradient exactly 0, what rounding left of a 0, nan or infinite?

Behind a factor x that is 0 stands what made it so: a rectifier that is off, a state that begins at 0, a weight. What is not finite was
in the data, or stands at a place where a slope is infinite, or is beyond the numbers of its dtype. An inf that a constant put there, the
−inf of a mask, is no fault as long as what flows back is finite: nobody asks here then.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.maps import Broadcast, LinearOperation
from ..autodiff.products import Linear, Product
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Join, Select
from .factors import called, norm, origin

CANCELLATION = {8: 1e-13, 4: 1e-5}  # by bytes of a number: a sum smaller than so much of its terms' is what rounding left
NEARLY_NOTHING = {8: 1e-12, 4: 1e-4}  # of what came, so that it is worth a closer look
SINGULAR = {"sqrt", "log", "log1p", "power", "divide"}  # ops with a place where slope or value is infinite


class Reason(NamedTuple):
    """Why a gradient is 0 or not finite: the kind of verdict, in words, the op that did it, at which node; by which leaf."""

    kind: str
    what: str
    op: str = ""
    at: Node | None = None
    leaf: Any = None


def lost(child: Node, i: int | None, g: Any, size: float) -> bool:
    """Whether a contribution this small is what rounding left of terms that cancel: compared with the same sum of their sizes."""
    if i is None:
        return True  # a normalisation or a softmax takes off what is constant
    rule, parent = child.rule, child.parents[i]
    xs = [np.abs(plain(x)) for x in child.parents]
    if isinstance(rule, Product):
        bound = rule.back(i, np.abs(np.asarray(g)), np.abs(child.data), xs)
        bound = bound.total() if isinstance(bound, list) else bound  # type: ignore[attr-defined]
    elif isinstance(rule, (Elementwise, Broadcast)) and parent.shape != child.shape:
        bound = child.rule.local(i, child.data, xs).pull(np.abs(g) * np.ones(child.shape))
    else:
        return False
    return 0 < norm(bound) and size <= CANCELLATION[np.asarray(child.data).dtype.itemsize] * norm(bound)


def why_zero(child: Node, i: int | None, parent: Node, rounding: bool = False, kind: str = "") -> Reason:
    """Why a contribution is 0 though the gradient that met the edge is not; kind: of the block, where one hands it on."""
    op = child.op
    if i is None and kind == "attention" and one_sided(child):
        return Reason("saturated", "the softmax gives all to one entry, and there its slope is 0", "softmax", child)
    if i is None:
        return Reason("cancelled", f"what meets {called(child)} is a constant, which it takes off", at=child)
    if rounding:
        return Reason("cancelled", f"its terms sum to 0 in {op}, but for rounding", at=parent)
    if isinstance(child.rule, Elementwise) and op not in ("add", "subtract", "negative", "multiply", "divide"):
        kind = "saturated" if child.rule.saturates else "dead" if child.rule.rectifies else "shallow slopes"
        return Reason(kind, f"the slope of {op} is 0 wherever a gradient arrives", op, child)
    k = 1 - int(i)
    if op not in ("multiply", "divide") and not isinstance(child.rule, Product) or k not in range(len(child.parents)):
        unread = isinstance(child.rule, (Join, Select, LinearOperation))
        kind = "disconnected" if unread else "contracting weights"
        return Reason(kind, f"{called(parent)} is not read" if unread else f"{called(child)} hands on nothing", at=child)
    x = child.parents[k]
    if np.any(plain(x)):
        if isinstance(child.rule, Product):
            return Reason("cancelled", f"{called(x)} sends it to 0", at=child)
        off = x.op if rectifies(x) else ""
        return Reason("dead" if off else "contracting weights", f"{called(x)}, which multiplies it, is 0 wherever it arrives", off, child)
    kind, first, op = why_factor_zero(child, k)
    because = f" because {called(first)} is" if isinstance(x, Node) and origin(x) is not first and not op else ""
    off = f": its {op} is off" if op else ""
    return Reason(kind, f"{called(parent)} is multiplied by {called(x)}, which is 0{because}{off}", op, child, first)


def one_sided(p: Node) -> bool:
    """Whether a softmax gives nearly all to one entry, nearly everywhere. (Of what is no softmax: no.)"""
    values = np.asarray(p.data, float)
    return bool(p.shape and np.all(values >= 0)) and float(np.mean(values * (1 - values))) * p.shape[-1] < 0.05


def rectifies(x: Any) -> bool:
    """Whether x was made by an op that is flat on one side."""
    return isinstance(x, Node) and getattr(x.rule, "rectifies", False)


def why_factor_zero(child: Node, k: int) -> tuple[str, Any, str]:
    """(kind, what was 0 first, the rectifier's op) of the k-th operand of a product, which is 0: back to where the 0 comes from."""
    first = child
    while True:
        x = origin(child.parents[k])
        if not isinstance(x, Node) or x.rule is None:
            return ("zero state" if is_state(child, k, child is not first) else "contracting weights"), x, ""
        if rectifies(x) and any(np.any(parent.data) for parent in x.variables):
            return "dead", x, x.op
        zeros = [i for i, parent in enumerate(x.parents[:2]) if not np.any(plain(parent))]
        if not zeros:
            return "contracting weights", x, ""
        made = [i for i in zeros if isinstance(origin(x.parents[i]), Node) and origin(x.parents[i]).rule is not None]
        child, k = x, zeros[-1] if isinstance(x.rule, Linear) else (made or zeros)[0]


def is_state(child: Node, k: int, behind: bool) -> bool:
    """Whether a leaf or constant, the k-th operand, is a state or an input, not a weight: as well as an op can tell.

    behind  it is not the factor itself, but what made the factor 0: w · h[0], of Scalars, in the product with a gate
    """
    if isinstance(child.rule, Linear):
        return k == 0
    if isinstance(child.rule, Product):
        return np.ndim(plain(child.parents[k])) < 2
    if child.op in ("multiply", "divide"):
        other = origin(child.parents[1 - k])
        return isinstance(other, Node) and (is_gate(other) or behind and other.rule is None)
    return True


def is_gate(x: Node) -> bool:
    """σ(z), 1 − z, a hard sigmoid, or the exp(z) of what was computed, as a state space model keeps its state."""
    kept = x.op == "exp" and x.variables[0].rule is not None
    return kept or x.op in ("sigmoid", "clip") or x.op == "subtract" and not isinstance(x.parents[0], Node)


def why_not_finite(order: Iterable[Node], broken: Any) -> Reason:
    """From the oldest node on: a nan in a leaf or constant; an inf in one, or an op that makes what is not finite; else the slope."""
    order = list(order)
    for node in order:
        if found := brought(node, np.isnan, "a nan"):
            return found
    for node in order:
        if node.rule is not None and not np.all(np.isfinite(node.data)) and all(np.all(np.isfinite(plain(x))) for x in node.parents):
            return made(node)
        if spoils(node) and (found := brought(node, np.isinf, "an inf")):
            return found
    if broken and broken[2] is not None:
        return slope_of(broken[2], broken[0])
    return Reason("overflowed", "the product is beyond its dtype")


def brought(node: Node, holds: Any, what: str) -> Reason | None:
    """What came in from outside, if a constant or a leaf among the operands (or the node, a leaf itself) holds one."""
    bad = next((x for x in (*node.parents, node) if getattr(x, "rule", None) is None and np.any(holds(plain(x)))), None)
    if bad is None:
        return None
    if isinstance(bad, Node):
        where = place(plain(bad), holds)
        return Reason("overflowed", f"{called(bad)} itself holds {what}, of data, or of a step before this pass: {where}", "leaf")
    return Reason("nan in the data", f"a constant of {called(node)} ({node.op}) holds {what}: {place(bad, holds)}", node.op)


def spoils(node: Node) -> bool:
    """Whether an inf in an operand makes a nan, or an inf that is no mask: −inf that is added, or chosen, is put there on purpose."""
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
