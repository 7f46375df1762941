"""Along which paths does the gradient of one number reach another?  All of them: it is the sum over paths of the product of slopes.

    ∂y/∂x = Σ_paths Π_edges slope

There may be 2^60 of them. They are counted, added up and ranked without being walked one by one: a node's paths are its parents'
paths, each made longer by an edge, and parents are older than their children (Glorot, Bordes & Bengio 2011 for ReLU networks).
"""

import heapq
import math
from collections import Counter
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import differentiable
from ..autodiff.core import Node, describe
from ..autodiff.rows import Elementwise
from ..autodiff.scalar import Scalar
from ..text.lines import Result, clean, cut
from ..text.numbers import SUBSCRIPTS, figure, from_log, numbers, percent
from ..text.tables import folded, table
from .blocks import LINEAR
from .factors import log
from .stations import paths_between

Step = tuple[Node, float, int]  # a parent, the slope on the edge from it, and which operand it is
Sums = tuple[int, int, float, float]


class Path(NamedTuple):
    """One path, from source to output: its nodes, the slope of each edge, and their product.

    operands which operand of the next node each node is, 1 for the first
    log      ln |product|, right even where the product underflows
    weights  the product of the slopes of + − × / alone: along an active path of a ReLU network the whole product
    slopes   the product of the others, those of activations
    """

    nodes: tuple[Node, ...]
    factors: tuple[float, ...]
    product: float
    log: float
    weights: float
    slopes: float
    operands: tuple[int, ...]

    def __str__(self) -> str:
        """The named nodes on the way; all of them, by their ops, if none between the ends has a name."""
        inner = [node for node in self.nodes[1:-1] if node.name] or self.nodes[1:-1]
        return " → ".join(map(called, [self.nodes[0], *inner, *self.nodes[1:][-1:]]))

    def whole(self) -> str:
        """All nodes on the way."""
        return " → ".join(map(called, self.nodes))

    def numbered(self) -> str:
        """All nodes on the way, and where a node has several operands, which one is meant: x →₂ multiply."""
        which = [str(k).translate(SUBSCRIPTS) * (len(node.parents) > 1) for k, node in zip(self.operands, self.nodes[1:])]
        return called(self.nodes[0]) + "".join(f" →{k} {called(node)}" for k, node in zip(which, self.nodes[1:]))


class Paths(Result):
    """Every path from `source` to `output`, two Scalars, as numbers; made by paths().

    .count         how many, exactly (a Python int)           .total     the sum of their products: the gradient
    .active        how many have no slope of exactly 0        .top       the heaviest by |product|, a list of Path
    .log_absolute  ln Σ |product|                             .cancellation  |Σ product| / Σ |product|: 1 if all pull together
    """

    kept = ("source", "output", "total", "log_absolute", "count", "active", "cancellation")

    def __init__(self, output: Scalar, source: Scalar, top: int):
        self.source, self.output = describe(source), describe(output)
        steps = steps_between(source, output)
        self.count, self.active, self.total, self.log_absolute = sums(steps)
        self.top = [path_of(ranked) for ranked in heaviest(steps, top)[output]]

    @property
    def cancellation(self) -> float:
        """|Σ product| / Σ |product|, from 0 (all cancels) to 1; nan where no path is active or the sum itself under- or overflows."""
        if self.log_absolute == -math.inf or not math.isfinite(self.total):
            return math.nan
        return math.exp(min(0.0, log(abs(self.total)) - self.log_absolute)) if self.total or self.log_absolute > -700 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, so json.dumps takes it: nan and infinities as text, counts above 2^14000 in hex."""
        counts = {name: n if n.bit_length() < 14_000 else hex(n) for name, n in (("count", self.count), ("active", self.active))}
        top = [numbers(path._asdict() | {"nodes": text}) for text, path in zip(apart(self.top), self.top)]
        return super().to_dict() | counts | {"top": top}

    def __str__(self) -> str:
        active = "all active" if self.active == self.count else f"{big(self.active)} active"
        head = [
            f"{big(self.count)} paths from {clean(self.source)} to {clean(self.output)}, {active}",
            f"sum {figure(self.total)} = the gradient; |sum| / sum of |products| = {figure(self.cancellation)}"]
        shown = apart(self.top)
        head += ["→₁, →₂: as first, as second operand of the next node"] * any("→₁" in text or "→₂" in text for text in shown)
        rows = [(text, size_of(path), percent(math.exp(path.log - self.log_absolute))) for text, path in zip(shown, self.top)]
        return "\n".join([*(cut(line, 80) for line in head), table(folded(rows), ("path", "product", "of |all|"))])


def apart(top: list[Path]) -> list[str]:
    """The paths as text: by named nodes; where two would read the same, with all nodes; and if they still do, with their operands."""
    texts = [*map(str, top)]
    for longer in (Path.whole, Path.numbered):
        often = Counter(texts)
        texts = [longer(path) if often[text] > 1 else text for text, path in zip(texts, top)]
    return texts


def called(node: Node) -> str:
    """The name of a node on a path, or its op."""
    return clean(str(node.name or (node.op if node.rule else describe(node))))


def paths(output: Scalar, source: Scalar, top: int = 10) -> Paths:
    """Count, add up and rank the paths of a graph of Scalars, without walking them one by one: see Paths.

    top  how many of the heaviest to keep; paths whose product is exactly 0 are never among them

    Time and memory grow with (number of edges) × top. TypeError for Tensors, ValueError if there is no path, if a slope is
    nan or infinite, or if top is negative; RuntimeError if a leaf changed since the forward pass.

    >>> from tinygrad_vg import Scalar, paths
    >>> x = h = Scalar(1.0, name="x")
    >>> for k in range(60):
    ...     h = h + 0.5 * h
    >>> paths(h, x, top=0).count == 2**60
    True
    """
    for node, role in ((output, "output"), (source, "source")):
        if not isinstance(node, Scalar):
            raise TypeError(
                f"the {role} must be a Scalar, got {type(node).__name__}; paths are of graphs of numbers: "
                "build the model of scalars() (leaf=scalars), or use Chain for Tensors"
            )
    if top < 0:
        raise ValueError(f"top is how many paths to keep, 0 or more; got {top}")
    return Paths(output, source, top)


def steps_between(source: Node, output: Node) -> dict[Node, list[Step]]:
    """The nodes after `source`, oldest first, each with its edges to parents on a path; `source` itself comes first, with none."""
    differentiable(output)
    path = paths_between(source, output)
    inside = set(path)
    after = {node: [(edge.parent, slope(edge), edge.index + 1) for edge in node.edges if edge.parent in inside] for node in path[1:]}
    return {source: [], **after}


def slope(edge: Any) -> float:
    """The slope on an edge between two Scalars; ValueError if it is not finite."""
    value = float(edge.local.d)
    if not math.isfinite(value):
        raise ValueError(f"the slope of {describe(edge.child)} to {describe(edge.parent)} is {value}; paths need finite slopes")
    return value


def sums(steps: dict[Node, list[Step]]) -> Sums:
    """Over all paths to the last node: how many, how many active, the sum of their products, ln of the sum of |products|."""
    waiting = Counter(parent for edges in steps.values() for parent, *_ in edges)
    so_far: dict[Node, Sums] = {}
    for node, edges in steps.items():
        old = [(*so_far[parent], slope) for parent, slope, _ in edges]
        count, active = sum(n for n, *_ in old), sum(n for _, n, *_, slope in old if slope)
        total = sum(slope * part for _, _, part, _, slope in old)
        log_absolute = float(np.logaddexp.reduce([part + log(abs(slope)) for *_, part, slope in old]))
        so_far[node] = (count, active, total, log_absolute) if edges else (1, 1, 1.0, 0.0)
        for parent, *_ in edges:  # large numbers: keep them no longer than needed
            waiting[parent] -= 1
            if not waiting[parent]:
                del so_far[parent]
    return so_far[node]


def heaviest(steps: dict[Node, list[Step]], k: int) -> dict[Node, list[tuple]]:
    """For each node its k heaviest paths from the source, heaviest first: the best k of the parents' best k, one edge longer.

    A path is (−ln |product|, last node, slope of its last edge, its operand, the path before it), so paths share their beginnings.
    """
    best: dict[Node, list[tuple]] = {}
    for node, edges in steps.items():
        longer = [[(old[0] - log(abs(slope)), node, slope, i, old) for old in best[parent]] for parent, slope, i in edges if slope]
        best[node] = list(heapq.merge(*longer, key=itemgetter(0)))[:k] if edges else [(0.0, node, 1.0, 0, None)][:k]
    return best


def path_of(ranked: tuple) -> Path:
    """The path that `heaviest` left as a linked list."""
    weight, steps = -ranked[0], list[tuple]()
    while ranked is not None:
        _, *step, ranked = ranked
        steps += [(*step,)]
    nodes, (_, *factors), (_, *operands) = zip(*steps[::-1])  # the source's own entry has no edge
    weights = math.prod(f for node, f in zip(nodes[1:], factors) if linear(node))
    slopes = math.prod(f for node, f in zip(nodes[1:], factors) if not linear(node))
    return Path(nodes, tuple(factors), math.prod(factors), weight, float(weights), float(slopes), tuple(operands))


def linear(node: Node) -> bool:
    """Whether the slopes of this op are weights or constants, not those of an activation."""
    return isinstance(node.rule, Elementwise) and node.op in LINEAR


def size_of(path: Path) -> str:
    """The product; where it underflows or overflows, its sign is lost."""
    return figure(path.product) if path.product and math.isfinite(path.product) else from_log(path.log)


def big(n: int) -> str:
    """A count in full, with separators; above 10^18 by its size too."""
    return f"{n:,}" if n < 10**18 else f"about 10^{int(math.log10(n))}" if n.bit_length() > 200 else f"{n:,} (10^{math.log10(n):.1f})"
