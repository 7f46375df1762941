"""What does one edge multiply by?  A slope, a weight, a gate, a constant: in words, and how large, whatever the direction.

    g  gradient      φ′  slope of an activation      W  weight (out, in)
"""

import math
import re
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Edge, Node, describe, plain
from ..autodiff.maps import Broadcast, Diagonal, LinearOperation
from ..autodiff.products import Einsum, Linear, Product
from ..autodiff.reductions import Weighted
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Join
from ..text.lines import clean
from .blocks import Block
from .stations import Group

KINDS = (
    "activation size", "activation alignment", "weight size", "weight alignment", "gate", "attention", "norm", "merge", "scale", "other")
FEW = 200  # numbers, for which one call of C is faster than several of NumPy
UNIT = {"add", "subtract", "negative"}  # slopes of 1 and −1


class Factor(NamedTuple):
    """What an edge multiplies by, as far as it is known whatever the gradient."""

    kind: str  # "activation", "weight", "gate", …
    label: str = ""  # the op of an activation, the name of a gate
    counts: bool = True  # whether it is a factor, and no mere sum or rearrangement
    size: float | None = None  # ln of the size of a weight, or of the slopes
    slopes: np.ndarray | None = None  # of an activation
    largest: float | None = None  # the largest slope that it can have


SCALE = Factor("scale", counts=False)  # of what is handed on as it is


def slopes(child: Node, i: int, block: Block | None) -> np.ndarray:
    """The slopes of an activation, one for each entry of the child."""
    if block:
        return np.asarray(block.pull(np.ones(block.start.shape)[()]), float)
    xs = [x._value if isinstance(x, Node) else x for x in child.parents]
    rule = child.rule
    if isinstance(rule, Elementwise):
        return np.asarray(rule.pulls[i](1.0, child._value, *xs), float)
    return np.asarray(rule.weights(*xs) if isinstance(rule, Weighted) else diagonal(child, i), float)


def diagonal(child: Any, i: int) -> np.ndarray | None:
    """The slopes of a rule of one's own that works entry by entry, as two pushes tell; None if it does not."""
    if child.parents[i].shape != child.shape:
        return None
    local, t = child.local(i), np.cos(np.arange(float(child.size))).reshape(child.shape)
    d = np.asarray(local.d if isinstance(local, Diagonal) else local.push(np.ones(child.shape, child.dtype)), dtype=float)
    return d if isinstance(local, Diagonal) or np.allclose(local.push(t), d * t, equal_nan=True) else None


def factor_of(child: Node, i: int, block: Block | None, sizes: dict[tuple, float | None]) -> Factor:
    """The factor on the edge from a node to its i-th parent, or that of the block that ends there; sizes keeps those of weights."""
    kind = block.kind if block else kind_of(child, i)
    if kind == "activation":
        d, largest = slopes(child, i, block), 1.0 if block else getattr(child.rule, "largest_slope", None)
        return Factor(kind, child.op, True, log(norm(d)) - 0.5 * math.log(d.size or 1), d, largest)
    if kind == "weight":
        weight = child.parents[1 - i]
        key = (weight if isinstance(weight, Node) else id(weight), child.op, i, getattr(child.rule, "subscripts", ""))
        if key not in sizes:
            sizes[key] = log_size(child, i)
        return Factor(kind, size=sizes[key])
    if kind == "gate":
        return Factor(kind, gate_name(origin(child.parents[1 - i])))
    constant = kind == "scale" and child.op in ("multiply", "divide")
    return Factor(kind, "", bool(block) or kind == "attention" or constant or isinstance(child.rule, Product) and i < 2)


def kind_of(child: Node, i: int) -> str:
    """What the edge to the i-th parent multiplies by: an activation's slope, a weight, a gate or attention (computed nodes), a norm,
    a constant (scale); or it is where branches merge, or other."""
    rule = child.rule
    if isinstance(rule, Product) and not (i == 2 and isinstance(rule, Linear)):
        pairs = not isinstance(rule, Einsum) or len(rule.labels) == 2 and not rule.deltas
        if not pairs or is_weight(child.parents[1 - i]):
            return "weight" if pairs else "other"
        return "scale" if is_weight(child.parents[i]) else "attention"  # a weight's own input is a scale to it
    if isinstance(rule, (Broadcast, Join)) or isinstance(rule, Linear) or isinstance(rule, Elementwise) and rule.name in UNIT:
        return "scale" if child.parents[i].shape == child.shape else "merge"  # of copies; of parts
    if isinstance(rule, Elementwise):
        if rule.name != "multiply" and not (rule.name == "divide" and i == 0):
            return "activation"
        other = origin(child.parents[1 - i])
        if child.parents[0] is child.parents[1]:
            return "activation"  # x · x
        if is_softmax(other) or is_softmax(origin(child.parents[i])):
            return "attention"
        return "scale" if not isinstance(other, Node) else "weight" if is_weight(other) else "gate"
    if isinstance(rule, (Weighted, LinearOperation)):
        return "activation" if isinstance(rule, Weighted) else "scale"
    return "other" if diagonal(child, i) is None else "activation"


def gate_name(gate: Any) -> str:
    """The base of a gate's name; of the other half of a named one `1 − z`, by which a GRU takes in; else its op."""
    if gate.name:
        return str(gate.name.base)
    other = gate.parents[1] if gate.op == "subtract" and np.all(plain(gate.parents[0]) == 1) else None
    return f"1 − {other.name.base}" if isinstance(other, Node) and other.name else gate.op


def is_softmax(x: Any) -> bool:
    """Whether x is eᶻ over a sum, as a softmax is written."""
    return isinstance(x, Node) and x.op == "divide" and isinstance(x.parents[0], Node) and x.parents[0].op == "exp"


def is_weight(x: Any) -> bool:
    """Whether x is a leaf, a constant, or computed under a weight's name, W_…, as those of an LRU are, from its eigenvalues."""
    x = origin(x)
    return not isinstance(x, Node) or x.rule is None or x.name is not None and str(x.name.base).startswith("W_")


def handles(child: Node, i: int) -> set[Any]:
    """What the factor on an edge is called: by its op, an activation; by the other operand, a product: that node, f[3], and f."""
    kind = kind_of(child, i)
    if kind == "activation":
        return {child.op}
    other = child.parents[1 - i] if kind in ("weight", "gate", "attention") else None
    nodes = {x for x in (other, origin(other)) if isinstance(x, Node)}
    return nodes | {text for x in nodes if x.name for text in (str(x.name), str(x.name).partition("[")[0])}


def adds(edge: Edge) -> bool:
    """Whether the parent is a summand of the child: of a + b, or what linear adds to its product."""
    return edge.child.op == "add" or isinstance(edge.child.rule, Linear) and edge.index == 2


def rearranges(node: Node) -> bool:
    """Whether the node only rearranges its one parent: W.T, W[0], W in another dtype."""
    return isinstance(node.rule, LinearOperation) and node.op not in ("sum", "mean")


def origin(x: Any) -> Any:
    """The node that x is a rearrangement of: W for W.T and W[0]."""
    while isinstance(x, Node) and rearranges(x):
        x = x.parents[0]
    return x


def log_size(child: Node, i: int) -> float | None:
    """ln of a weight's size, which knows no direction: ln(|W|_F / √n_out)."""
    rule = child.rule
    W = np.asarray(plain(child.parents[1 - i]))
    if not isinstance(rule, Product):
        return log(norm(W if rule.name == "multiply" else 1 / W) / math.sqrt(W.size or 1))
    if isinstance(rule, Einsum):
        shape = np.shape(plain(child.parents[i]))
        entries = norm(W) * math.sqrt(math.prod(n for label, n in zip(rule.labels[i], shape) if label not in rule.labels[1 - i]))
        return log(entries / math.sqrt(child.size or 1))
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
            lets_pass = node.op in ("multiply", "divide") and kind_of(node, edge.index) in ("gate", "scale")
            if edge.parent in ways and (lets_pass or factor(edge) == "1"):
                way = [factor(edge), *ways[edge.parent]] if factor(edge) != "1" else ways[edge.parent]
                if node not in ways or len(way) < len(ways[node]):
                    ways[node] = way
    first = set(start)
    found = [ways[node] for node in end if node in ways and node not in first]
    shortest = min(found, key=lambda way: len(way), default=None)
    return None if shortest is None else " · ".join(shortest) or "1"


def called(node: Any) -> str:
    """How a sentence calls a node, in signs that can be seen."""
    return clean(describe(node))


def norm(g: Any) -> float:
    """|g|, the Euclidean length over all entries; neither over- nor underflows on the way."""
    g = np.asarray(g, dtype=float).ravel()
    if g.size < FEW and math.isfinite(size := math.hypot(*g.tolist())):
        return size
    top = float(np.abs(g).max())
    if not 0 < top < math.inf:
        return top
    unit = g / top
    return top * math.sqrt(np.add.reduce(unit * unit))  # not unit.dot(unit), whose last digit depends on where it lies in memory


def exp(log: float) -> float:
    """eˣ as a float, inf where it would overflow."""
    return math.exp(log) if log < 709.78 else math.inf


def log(x: float) -> float:
    """ln x in nats: −inf at 0, nan below."""
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def scaled(g: Any) -> tuple[np.ndarray, int, float]:
    """g as h · 2^e: (h, e, |h|), with |h| about 1, so that no digit is lost; of what is 0, or not finite, e is 0."""
    size = norm(g)
    e = math.frexp(size)[1] if 0 < size < math.inf else 0
    return np.ldexp(g, -e), e, math.ldexp(size, -e)


def unfit(g: np.ndarray) -> str | None:
    """Why g has no direction: "zero", "nan", "inf"; None if it has one."""
    size = norm(g)
    return "zero" if size == 0 else "nan" if np.any(np.isnan(g)) else "inf" if not math.isfinite(size) else None
