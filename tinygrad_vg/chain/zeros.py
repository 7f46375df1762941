"""Why is this contribution exactly 0, or what rounding left of a 0?  A flat activation, a factor that is 0, or terms that cancel.

Behind a factor x that is 0 stands what made it so: a rectifier that is off, a state that begins at 0, a weight.
"""

from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.maps import Broadcast
from ..autodiff.products import Linear, Product
from ..autodiff.rows import Elementwise
from .factors import called, norm, origin

CANCELLATION = {8: 1e-13, 4: 1e-5}  # by bytes of a number: a sum smaller than so much of its terms' is what rounding left
NEARLY_NOTHING = {8: 1e-12, 4: 1e-4}  # of what came, so that it is worth a closer look


class Reason(NamedTuple):
    """Why a gradient is 0 or not finite: the kind of verdict that it leads to, in words, the op that did it, at which node."""

    kind: str
    what: str
    op: str = ""
    at: Node | None = None


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
        return Reason("contracting weights", f"{called(child)} hands on nothing", at=child)
    x = child.parents[k]
    if np.any(plain(x)):
        if isinstance(child.rule, Product):
            return Reason("cancelled", f"{called(x)} sends it to 0", at=child)
        off = x.op if rectifies(x) else ""
        return Reason("dead" if off else "contracting weights", f"{called(x)}, which multiplies it, is 0 wherever it arrives", off, child)
    kind, first, op = why_factor_zero(child, k)
    because = f" because {called(first)} is" if isinstance(x, Node) and origin(x) is not first and not op else ""
    off = f": its {op} is off" if op else ""
    return Reason(kind, f"{called(parent)} is multiplied by {called(x)}, which is 0{because}{off}", op, child)


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
