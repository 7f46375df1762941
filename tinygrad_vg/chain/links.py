"""What lies between two stations?  A link: the linear map from one to the next, made of the edges in between.

Its pull is the engine's own sweep, kept between the two stations; its push is forward mode over the same edges.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node, sweep
from ..autodiff.guards import check_all_unchanged
from ..autodiff.maps import Diagonal, FunctionMap, LinearMap
from ..text.lines import cut
from .factors import adds, direct, factor, handles
from .stations import Group, automatic, behind, named, packed, shape_of, unpacked


class Link(LinearMap):
    """∂end/∂start for two neighbouring stations of a chain, as a linear map.

    name     'h[2] → h[3]'         ops   the nodes after start, up to and including end, oldest first
    factor   what the gradient is multiplied by, as text
    gain     |gradient at start| / |gradient at end|, set by the chain that the link belongs to
    """

    def __init__(self, start: Group, end: Group, path: set[Node], silent: Any = ()):
        self.start, self.end, self.silent = start, end, silent
        self.shape_in, self.shape_out = shape_of(start), shape_of(end)
        self.ops = behind(set(end).difference(start), set(start), path, silent)
        self.inside = set(self.ops) | set(start)
        self.gain = float("nan")

    name = property(lambda link: f"{named(link.start)} → {named(link.end)}")
    text = property(lambda link: cut(f"∂({named(link.end)})/∂({named(link.start)})", 60, middle=True))
    local = property(lambda link: link)

    def _pull(self, g: Any) -> np.ndarray:
        check_all_unchanged(self.ops)
        gradients: dict[Node, Any] = dict(unpacked(self.end, np.asarray(g)))
        sweep(self.ops, gradients, wanted=set(self.start), inside=self.inside)
        return packed(self.start, {node: node.finalise(gradients[node]) for node in self.start if node in gradients})

    def _push(self, t: Any) -> np.ndarray:
        tangents: dict[Node, Any] = dict(unpacked(self.start, np.asarray(t)))
        for node in self.ops:
            parts = [self.map_of(edge).push(tangents[edge.parent]) for edge in self.edges_of(node)]
            tangents[node] = sum(parts[1:], parts[0])
        return packed(self.end, tangents)

    def edges_of(self, node: Node) -> list[Edge]:
        """The edges into a node that belong to this link."""
        return [edge for edge in node.edges if edge.parent in self.inside]

    def map_of(self, edge: Edge) -> LinearMap:
        """What an edge multiplies by: its local derivative."""
        return edge.local

    @property
    def stations(self) -> list[Group]:
        """Start, end, and the stations in between, if both ends are single nodes."""
        single = len(self.start) == len(self.end) == 1
        return automatic([*self.start, *self.ops], self.silent) if single else [self.start, self.end]

    @property
    def steps(self) -> list[Link]:
        """The links between its stations."""
        return [Link(a, b, self.inside, self.silent) for a, b in zip(self.stations, self.stations[1:])]

    @property
    def factor(self) -> str:
        """What the gradient is multiplied by, in matrix order: `W_hhᵀ · diag(1 - h[3] * h[3])`. Branches are only counted."""
        if len(self.start) > 1 or len(self.end) > 1:
            way = direct(self.start, self.end, self.ops)
            return f"{way} + …" if way else f"({len(self.ops)} ops that branch)" if len(self.ops) > 1 else "(1 op that branches)"
        factors = [f for f in map(factor_of_step, self.steps) if f != "1"]
        simple = [f if len(factors) == 1 or re.fullmatch(r"[\w.,\[\]ᵀ]+|diag\(.*\)|\(.*\)ᵀ?", f) else f"({f})" for f in factors]
        return " · ".join(simple) or "1"


def factor_of_step(step: Link) -> str:
    """The factor of a link with no station within."""
    edges = step.edges_of(step.end[0])
    if len(step.ops) == len(edges) == 1:
        return factor(edges[0])
    way = direct(step.start, step.end, step.ops) if any(map(adds, edges)) else None
    return f"({way} + branch)" if way else f"({len(edges)} branches)"


class Replaced(LinearMap):
    """A link whose map was put in by hand: the same stations, another factor."""

    def __init__(self, link: Any, local: LinearMap):
        self.start, self.end, self.name, self.ops, self.stations = link.start, link.end, link.name, link.ops, [link.start, link.end]
        self.shape_in, self.shape_out, self.gain = link.shape_in, link.shape_out, float("nan")
        self.local, self.factor = local, f"[{local.text}]"
        self.text = self.factor

    def _pull(self, g: Any) -> Any: return self.local._pull(g)
    def _push(self, t: Any) -> Any: return self.local._push(t)


def as_map(given: Any, link: Any) -> LinearMap:
    """What may replace a link: a linear map, a number or a diagonal (its shape that of the link's ends), or a matrix (out, in).

    ValueError if the shapes do not fit.
    """
    ends = f"{link.name} takes shape {link.shape_in} to {link.shape_out}"
    if isinstance(given, LinearMap):
        if (given.shape_in, given.shape_out) != (link.shape_in, link.shape_out):
            raise ValueError(f"{ends}; the map given takes {given.shape_in} to {given.shape_out}")
        return given
    M = np.asarray(given, dtype=float)
    if link.shape_in == link.shape_out and M.shape in ((), link.shape_in):
        return Diagonal(M, link.shape_in, f"{M:.4g}" if not M.shape else "given")
    if M.shape != (math.prod(link.shape_out), math.prod(link.shape_in)):
        raise ValueError(f"{ends}; give a linear map, a matrix (out, in), or, if both ends have one shape, a number or a diagonal")
    push = lambda t: (M @ np.ravel(t)).reshape(link.shape_out)  # noqa: E731
    pull = lambda g: (M.T @ np.ravel(g)).reshape(link.shape_in)  # noqa: E731
    return FunctionMap(push, pull, link.shape_in, link.shape_out, "M")


class Without(Link):
    """A link as it is, but for each edge whose factor is called `what`, a node or text: there the identity stands.

    ValueError if no factor of the link is called so, or if one gives another shape than it takes.
    """

    def __init__(self, link: Any, what: Any):
        vars(self).update(vars(link.local))
        called = what if isinstance(what, str) else named((what,))
        edges = [edge for node in link.ops for edge in self.edges_of(node)] if isinstance(link.local, Link) else []
        found = [edge for edge in edges if what in handles(edge.child, edge.index)]
        if not found:
            names = {handle for edge in edges for handle in handles(edge.child, edge.index) if isinstance(handle, str)}
            raise ValueError(f"{called} is no factor of {link.name}; there are {cut(', '.join(sorted(names)), 200) or 'none by name'}")
        for edge in found:
            if edge.parent.shape != edge.child.shape:
                ends = f"{edge.parent.shape} to {edge.child.shape}"
                raise ValueError(f"{called} takes shape {ends} in {link.name}, so the identity cannot stand in its place")
        self.left_out = {**vars(link.local).get("left_out", {}), **{(edge.child, edge.index): called for edge in found}}

    text = property(lambda link: f"without {', '.join(dict.fromkeys(link.left_out.values()))}")

    def map_of(self, edge: Edge) -> LinearMap:
        """The identity where a factor is left out, elsewhere the local derivative."""
        return Diagonal(1.0, edge.parent.shape, "1") if (edge.child, edge.index) in self.left_out else edge.local

    def _pull(self, g: Any) -> np.ndarray:
        gradients: dict[Node, Any] = dict(unpacked(self.end, np.asarray(g)))
        for node in reversed(self.ops):
            for edge in self.edges_of(node) if node in gradients else ():
                part = self.map_of(edge).pull(gradients[node])
                gradients[edge.parent] = gradients[edge.parent] + part if edge.parent in gradients else part
        return packed(self.start, gradients)
