"""Why is this contribution exactly 0?  A flat activation, or a factor x that is 0; and behind x, what made it so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Edge, Node, describe, plain
from ..autodiff.maps import LinearOperation
from ..autodiff.products import Linear, Product


class Zero(NamedTuple):
    """The kind of verdict that an exact 0 leads to, what is 0 in words, and the activation's op if it is one."""

    kind: str
    what: str
    op: str = ""


CANCELLED = Zero("cancelled", "what meets there sums to 0")


def why_zero(edge: Edge, activation: bool) -> Zero:
    """Why a contribution is exactly 0 though the gradient that met the edge is not."""
    child, op = edge.child, edge.child.op
    if activation:
        kind = "saturated" if child.rule.saturates else "dead" if child.rule.rectifies else "shallow slopes"
        return Zero(kind, f"the slope of {op} is 0 wherever the gradient meets it", op)
    k = 1 - edge.index
    if op not in ("multiply", "divide") and not isinstance(child.rule, Product) or k not in range(len(child.parents)):
        return Zero("contracting weights", f"{describe(child)} hands on nothing")
    x = child.parents[k]
    if np.any(plain(x)):
        if isinstance(child.rule, Product):
            return Zero("cancelled", f"{describe(x)} sends it to 0")
        off = x.op if rectifies(x) else ""
        return Zero("dead" if off else "contracting weights", f"{describe(x)}, which multiplies it, is 0 wherever it arrives", off)
    kind, first, op = why_factor_zero(child, k)
    because = f" because {describe(first)} is" if isinstance(x, Node) and rearranged(x) is not first and not op else ""
    off = f": its {op} is off" if op else ""
    return Zero(kind, f"{describe(edge.parent)} is multiplied by {describe(x)}, which is 0{because}{off}", op)


def rectifies(x: Any) -> bool:
    """Whether x was made by an op that is flat on one side."""
    return isinstance(x, Node) and getattr(x.rule, "rectifies", False)


def why_factor_zero(child: Node, k: int) -> tuple[str, Any, str]:
    """(kind, what was 0 first, the rectifier's op) of the k-th operand of a product, which is 0: back to where the 0 comes from."""
    first = child
    while True:
        x = rearranged(child.parents[k])
        if not isinstance(x, Node) or x.rule is None:
            return ("zero state" if is_state(child, k, child is not first) else "contracting weights"), x, ""
        if rectifies(x) and any(np.any(parent.data) for parent in x.variables):
            return "dead", x, x.op
        zeros = [i for i, parent in enumerate(x.parents[:2]) if not np.any(plain(parent))]
        if not zeros:
            return "contracting weights", x, ""
        made = [i for i in zeros if isinstance(rearranged(x.parents[i]), Node) and rearranged(x.parents[i]).rule is not None]
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
        other = rearranged(child.parents[1 - k])
        return isinstance(other, Node) and (is_gate(other) or behind and other.rule is None)
    return True


def is_gate(x: Node) -> bool:
    """σ(z), 1 − z, or a hard sigmoid."""
    return x.op in ("sigmoid", "clip") or x.op == "subtract" and not isinstance(x.parents[0], Node)


def linear_of(node: Node) -> bool:
    """Whether the node only rearranges its one parent: W.T, W[0], W in another dtype."""
    return isinstance(node.rule, LinearOperation) and node.op not in ("sum", "mean")


def rearranged(x: Any) -> Any:
    """The node that x is a rearrangement of: W for W.T and W[0]."""
    while isinstance(x, Node) and linear_of(x):
        x = x.parents[0]
    return x
