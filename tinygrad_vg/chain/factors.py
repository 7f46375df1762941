"""What does one edge multiply by?  A slope, a weight, a gate, a constant: in words, and how large, whatever the direction.

    g  gradient      φ′  slope of an activation      W  weight (out, in)
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node, plain
from ..autodiff.maps import Composed, LinearMap, LinearOperation
from ..autodiff.products import Einsum, Linear, Product
from ..autodiff.rows import Elementwise
from .stations import Group

KINDS = (
    "activation size", "activation alignment", "weight size", "weight alignment", "gate", "norm", "merge", "scale", "other",
)  # fmt: skip
LINEAR = {"add", "subtract", "negative", "multiply", "divide"}  # elementwise, and yet no activations
ARITHMETIC = LINEAR | set("power square sqrt exp expm1 log log1p".split())


def family(edge: Edge) -> str:
    """What an edge multiplies by: activation (a slope), weight, gate (another node), norm, scale (a constant), other.

    Layers name their boundary nodes, and the names decide where there are any; else the op does.
    """
    child, rule, i = edge.child, edge.child.rule, edge.index
    if child.name and child.name.base == "x̂":
        return "norm"
    pairs = isinstance(rule, Product) and i < 2 and (not isinstance(rule, Einsum) or len(rule.labels) == 2 and not rule.deltas)
    factors = pairs or rule.name == "multiply" or rule.name == "divide" and i == 0
    if not factors:
        return "activation" if isinstance(rule, Elementwise) and rule.name not in ARITHMETIC else "other"
    other = origin(child.parents[1 - i])
    if isinstance(other, Node) and other.rule is not None:  # it was computed: of a product with a leaf, the leaf's own input
        return "other" if isinstance(rule, Product) and origin(edge.parent).rule is None else "gate"
    return "weight" if isinstance(other, Node) or isinstance(rule, Product) else "scale"


def adds(edge: Edge) -> bool:
    """Whether the parent is a summand of the child: of a + b, or what linear adds to its product."""
    return edge.child.op == "add" or isinstance(edge.child.rule, Linear) and edge.index == 2


def origin(x: Any) -> Any:
    """The node that x is a rearrangement of: W for W.T."""
    while isinstance(x, Node) and isinstance(x.rule, LinearOperation):
        x = x.parents[0]
    return x


def log_size(edge: Edge, local: LinearMap, kind: str) -> float | None:
    """ln of a factor's size, which knows no direction: ln rms(φ′), ln(|W|_F / √n_out); None for what has no size of its own."""
    rule, i = edge.child.rule, edge.index
    if kind not in ("activation", "weight"):
        return None
    if not isinstance(rule, Product):
        diagonal = local.outer if isinstance(local, Composed) else local
        d = np.asarray(getattr(diagonal, "d", 1.0), dtype=float)
        return log(norm(d) / math.sqrt(d.size or 1))
    x, W = (np.asarray(plain(edge.child.parents[k])) for k in (i, 1 - i))
    if isinstance(rule, Einsum):
        entries = norm(W) * math.sqrt(math.prod(n for label, n in zip(rule.labels[i], x.shape) if label not in rule.labels[1 - i]))
        return log(entries / math.sqrt(edge.child.size or 1))
    n_in = W.shape[-2 if rule.name == "matmul" and i == 0 and W.ndim > 1 else -1]
    return log(norm(W) / math.sqrt(W.size / (n_in or 1) or 1))


def factor(edge: Edge) -> str:
    """An edge's factor in the product that pulls the gradient back: diag(1 - y * y), W_hhᵀ, 1."""
    text = edge.formula_here
    if isinstance(edge.child.rule, Elementwise):
        return text if text in ("1", "-1") or not edge.child.shape else f"diag({text})"
    if adds(edge) and edge.parent.shape == edge.child.shape:
        return "1"
    return f"{text}ᵀ" if re.fullmatch(r"[\w.,\[\]]+", text) else f"({text})ᵀ"


def direct(start: Group, end: Group, ops: list[Node]) -> str | None:
    """The factor on the way from start to end that passes no activation and no weight: `1` of a skip connection, `diag(f[3])`
    of an LSTM's memory. None if there is none; of several the one with the fewest factors."""
    ways: dict[Node, list[str]] = {node: [] for node in start}
    for node in ops:
        for edge in node.edges:
            if edge.parent in ways and (family(edge) in ("gate", "scale") or factor(edge) == "1"):
                way = [factor(edge), *ways[edge.parent]] if factor(edge) != "1" else ways[edge.parent]
                if node not in ways or len(way) < len(ways[node]):
                    ways[node] = way
    first = set(start)
    found = [ways[node] for node in end if node in ways and node not in first]
    shortest = min(found, key=lambda way: len(way), default=None)
    return None if shortest is None else " · ".join(shortest) or "1"


def norm(g: Any) -> float:
    """|g|, the Euclidean length over all entries; neither over- nor underflows on the way."""
    g = np.asarray(g, dtype=float).ravel()
    top = float(np.abs(g).max(initial=0.0))
    if 1e-120 < top < 1e120:
        return math.sqrt(np.add.reduce(g * g))  # not g.dot(g), whose last digit depends on where g lies in memory
    return top * math.sqrt(np.add.reduce((g / top) ** 2)) if 0 < top < math.inf else top


def exp(log: float) -> float:
    return math.exp(log) if log < 709 else math.inf


def log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def scaled(g: np.ndarray) -> np.ndarray:
    """g by a power of two that brings its length to about 1; no digit is lost."""
    return np.asarray(np.ldexp(g, -math.frexp(norm(g))[1])) if unfit(g) is None else np.asarray(g)


def unfit(g: np.ndarray) -> str | None:
    """Why g has no direction: "zero", "nan", "inf"; None if it has one."""
    size = norm(g)
    return "zero" if size == 0 else "nan" if np.any(np.isnan(g)) else "inf" if not math.isfinite(size) else None
