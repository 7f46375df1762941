"""What lies between two stations?  A link: the linear map from one to the next, made of the edges in between.

Its pull is the engine's own sweep, kept between the two stations; its push is forward mode over the same edges.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

import numpy as np

from ..autodiff.derivatives import Elementwise
from ..autodiff.maps import LinearMap
from ..autodiff.node import Edge, Node
from ..autodiff.sweep import check_all_unchanged, sweep
from .stations import Group, automatic, named, packed, shape_of, unpacked
from .text import cut


class Link(LinearMap):
    """∂end/∂start for two neighbouring stations of a chain, as a linear map.

    name     'h[2] → h[3]'         ops   the nodes after start, up to and including end, oldest first
    factor   what the gradient is multiplied by, as text
    gain     |gradient at start| / |gradient at end|, set by the chain that the link belongs to
    """

    def __init__(self, start: Group, end: Group, path: set[Node]):
        self.start, self.end, self.name = start, end, f"{named(start)} → {named(end)}"
        self.shape_in, self.shape_out = shape_of(start), shape_of(end)
        self.ops = nodes_between(start, end, path)
        self.inside = set(self.ops) | set(start)
        self.gain = float("nan")
        self.text = cut(f"∂({named(end)})/∂({named(start)})", 60, middle=True)

    @property
    def local(self) -> LinearMap:
        return self

    def _pull(self, g: Any) -> np.ndarray:
        check_all_unchanged(self.ops)
        gradients: dict[Node, Any] = dict(unpacked(self.end, np.asarray(g)))
        sweep(self.ops, gradients, keep=set(self.start), inside=self.inside)
        return packed(self.start, {node: node.settle(gradients[node]) for node in self.start if node in gradients})

    def _push(self, t: Any) -> np.ndarray:
        tangents: dict[Node, Any] = dict(unpacked(self.start, np.asarray(t)))
        for node in self.ops:
            parts = [edge.local.push(tangents[edge.parent]) for edge in self.edges_of(node)]
            tangents[node] = sum(parts[1:], parts[0])
        return packed(self.end, tangents)

    def edges_of(self, node: Node) -> list[Edge]:
        """The edges into a node that belong to this link."""
        return [edge for edge in node.edges if edge.parent in self.inside]

    @property
    def factor(self) -> str:
        """What the gradient is multiplied by, in matrix order: `W_hhᵀ · diag(1 - h[3] * h[3])`. Branches are only counted."""
        if len(self.start) > 1 or len(self.end) > 1:
            return f"({len(self.ops)} ops that branch)"
        factors, stations = [], automatic([*self.start, *self.ops])
        for (a,), (b,) in zip(stations, stations[1:]):
            edges = self.edges_of(b)
            whole = len(edges) == 1 and edges[0].parent is a
            factors.append(factor(edges[0]) if whole else f"({len(edges)} branches)")
        factors = [f for f in factors if f != "1"]
        simple = [f if len(factors) == 1 or re.fullmatch(r"[\w.,\[\]ᵀ]+|diag\(.*\)|\(.*\)ᵀ?", f) else f"({f})" for f in factors]
        return " · ".join(simple) or "1"


def nodes_between(start: Group, end: Group, path: set[Node]) -> list[Node]:
    """The nodes on paths from start to end, without start, oldest first: walk back from end and stop at start."""
    stop = set(start)
    stack = [node for node in end if node not in stop]
    seen = set(stack)
    while stack:
        for parent in stack.pop().variables:
            if parent in path and parent not in seen and parent not in stop:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("birth"))


def factor(edge: Edge) -> str:
    """An edge's factor in the product that pulls the gradient back: diag(1 - y * y), W_hhᵀ, 1."""
    text = edge.formula_here
    if isinstance(edge.child.rule, Elementwise):
        return text if text in ("1", "-1") or not edge.child.shape else f"diag({text})"
    return f"{text}ᵀ" if re.fullmatch(r"[\w.,\[\]]+", text) else f"({text})ᵀ"
