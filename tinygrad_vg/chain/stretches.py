"""What did each edge contribute?  The sweep between two stations, with the parts of every node's gradient kept apart.

Where branches merge, a node's gradient is g = Σ c_i. Its shares p_i = ⟨c_i, g⟩ / |g|² sum to 1, and for each c_i, pulled
back from a child with gradient g_i,

    ln|g| = Σ p_i (ln|g_i| + ln(|c_i| / |g_i|) + ln(|g| / |c_i|))       the last term is the merge's

Applied to every node in turn, oldest first, this splits the log of any graph's gradient exactly: a signed average over
paths. A group of stations is a merge of its members.

    g  gradient      c  what one edge contributes to it      w  a node's weight in the average
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, describe
from ..text.numbers import jsonable
from .factors import family, log, log_size, norm, scaled, unfit
from .links import Link, Replaced, normalisations
from .stations import Group, named, packed, unpacked


class Part(NamedTuple):
    """What one child contributes to a node's gradient; child None: the station at the end of the stretch, itself."""

    child: Node | None
    c: np.ndarray
    family: str
    size: float | None  # ln of the factor's size, where it has one
    before: float  # |gradient of the child|


class Stretch:
    """A piece of a link between two groups of stations: the contributions to each node's gradient, kept apart."""

    def __init__(self, start: Group, end: Group, ops: list[Node], norms: dict[Node, Link]):
        self.start, self.end, self.ops, self.norms = start, end, ops, norms
        self.inside = {*ops, *start}
        self.merges: list[dict[str, Any]] = []

    def pull(self, g: np.ndarray) -> np.ndarray:
        """The gradient at the start; what every node received of it, edge by edge, stays in .received and .gradients."""
        self.before = norm(g)
        self.received: dict[Node, list[Part]] = {node: [] for node in self.inside}
        self.gradients: dict[Node, np.ndarray] = {}
        for node, c in unpacked(self.end, g).items():
            self.received[node].append(Part(None, c, "merge", None, self.before))
        for node in reversed(self.ops):
            self.hand_on(node)
        for node in dict.fromkeys(self.start):
            self.settle(node)
        return packed(self.start, self.gradients)

    def hand_on(self, node: Node) -> None:
        """Give each parent its part of the node's gradient; a normalisation hands on in one step."""
        if not self.settle(node):
            return
        g = self.gradients[node]
        if normalisation := self.norms.get(node):
            (x,) = normalisation.start
            self.received[x].append(Part(node, normalisation.pull(g), "norm", None, norm(g)))
            return
        for edge in [edge for edge in node.edges if edge.parent in self.inside]:
            local, kind = edge.local, family(edge)
            self.received[edge.parent].append(Part(node, np.asarray(local.pull(g)), kind, log_size(edge, local, kind), norm(g)))

    def settle(self, node: Node) -> bool:
        """Add up what the node received; False if that is nothing."""
        parts = [part.c for part in self.received[node]]
        if parts:
            self.gradients[node] = np.asarray(node.finalise(sum(parts[1:], parts[0])))
        return bool(parts)

    def finite_terms(self, after: float) -> list[tuple[str, float, str]]:
        """The terms; one for all if entries that reach nobody (as of a concatenation) make some of them infinite."""
        terms = list(self.terms())
        if all(math.isfinite(nats) for _, nats, _ in terms):
            return terms
        self.merges = []
        return [("other", log(after) - log(self.before), "")]

    def terms(self) -> Iterator[tuple[str, float, str]]:
        """(kind, nats, the activation's op or ''), exact: they sum to ln(|g at the start| / |g at the end|)."""
        members = [(node, norm(self.gradients[node])) for node in self.start if node in self.gradients]
        whole = norm(packed(self.start, self.gradients))
        weight = dict.fromkeys(self.inside, 0.0)
        for node, size in members:
            share = (size / whole) ** 2
            weight[node] += share
            if share:
                yield "merge", share * (log(whole) - log(size)), ""
        for node in [*dict.fromkeys(self.start), *self.ops]:
            if weight[node] and node in self.gradients:
                yield from self.terms_of(node, weight)

    def terms_of(self, node: Node, weight: dict[Node, float]) -> Iterator[tuple[str, float, str]]:
        """The terms of one node's parts; each part's share of the node's weight is passed on to the child."""
        g, parts = self.gradients[node], self.received[node]
        ratios = shares([part.c for part in parts], g)
        if len(parts) > 1:
            self.merges.append(merged(node, weight[node], parts, ratios, g))
        for part, ratio in zip(parts, ratios):
            w = weight[node] * ratio
            if not w:
                continue
            gain = log(norm(part.c)) - log(part.before)
            yield "merge", w * (log(norm(g)) - log(norm(part.c))), ""
            if part.child is not None:
                weight[part.child] += w
            if part.size is None:
                yield part.family, w * gain, ""
            else:
                op = part.child.op if part.family == "activation" and part.child is not None else ""
                yield f"{part.family} size", w * part.size, op
                yield f"{part.family} alignment", w * (gain - part.size), op

    def why_ended(self, g: np.ndarray) -> dict[str, str] | None:
        """Where, going back, the gradient was first zero or not finite; None if it still is a direction at the start."""
        why = unfit(g)
        if why == "zero":
            return self.first_zero()
        for node in reversed([*self.start, *self.ops] if why else []):
            if node in self.gradients and (why := unfit(self.gradients[node])) not in (None, "zero"):
                return {"at": describe(node), "why": str(why)}
        return {"at": describe(self.start[0]), "why": why} if why else None

    def first_zero(self) -> dict[str, str]:
        """Follow the zeros from the start towards the output, up to the one that comes of something else than a zero."""
        node = self.start[0]
        while True:
            parts = self.received[node]
            if any(norm(part.c) for part in parts):
                return {"at": describe(node), "why": "cancelled: its branches sum to zero"}
            dead = [part for part in parts if part.child is not None and norm(self.gradients[part.child])]
            if dead:
                reasons = [(why_zero(part, node, self.gradients[part.child]), part.child) for part in dead if part.child is not None]
                why, child = max(reasons, key=lambda reason: reason[0].startswith("underflowed"))
                return {"at": describe(child), "why": why}
            further = next((part.child for part in parts if part.child is not None), None)
            if further is None:
                return {"at": describe(node), "why": "it received no gradient"}
            node = further


class ReplacedStretch:
    """A factor put in by hand: one term, "other"."""

    merges: list[dict[str, Any]] = []

    def __init__(self, link: Replaced):
        self.link = link

    def pull(self, g: np.ndarray) -> np.ndarray:
        """The gradient at the start."""
        self.before = norm(g)
        return np.asarray(self.link.pull(g))

    def finite_terms(self, after: float) -> list[tuple[str, float, str]]:
        return [("other", log(after) - log(self.before), "")]

    def why_ended(self, g: np.ndarray) -> dict[str, str] | None:
        return {"at": self.link.name, "why": why} if (why := unfit(g)) else None


def stretches(link: Any) -> Iterator[Any]:
    """A link's stretches, from its end back to its start; the nodes within a normalisation are no stations."""
    if isinstance(link, Replaced):
        yield ReplacedStretch(link)
        return
    norms = normalisations(link)
    hidden = {node for inner in norms.values() for node in inner.ops[:-1]}
    cuts = [station for station in link.stations if station[0] not in hidden]
    after = len(link.ops)
    for start, end in zip(cuts[-2::-1], cuts[:0:-1]):
        before = 0 if start is cuts[0] else bisect_right(link.ops, start[0].birth, key=attrgetter("birth"))
        yield Stretch(start, end, link.ops[before:after], norms)
        after = before


def shares(parts: list[np.ndarray], g: np.ndarray) -> list[float]:
    """⟨c_i, g⟩ / |g|² of each part, scaled so that they sum to 1 to the last digit; zeros if g is zero."""
    if len(parts) == 1 or not norm(g):
        return [1.0 if norm(g) else 0.0] * len(parts)
    unit = np.ravel(g / norm(g)).astype(float)
    raw = [float(np.ravel(c) @ unit) / norm(g) for c in parts]
    return [p / sum(raw) for p in raw]


def merged(node: Node, weight: float, parts: list[Part], ratios: list[float], g: np.ndarray) -> dict[str, Any]:
    """How the branches met at a node."""
    apart = norm(np.array([norm(part.c) for part in parts]))
    return {
        "at": named((node,)),
        "weight": weight,
        "shares": [[named((part.child,)) if part.child is not None else "itself", p] for part, p in zip(parts, ratios)],
        "interference": jsonable(log(norm(g)) - log(apart)) if norm(g) else "-inf",
        "negative": math.fsum(-p for p in ratios if p < 0),
    }


def why_zero(part: Part, parent: Node, g: np.ndarray) -> str:
    """Why an edge handed on nothing of a gradient that is not zero."""
    child = part.child
    if child is None:
        return "dead"
    locals_ = [edge.local for edge in child.edges if edge.parent is parent]
    if any(norm(np.asarray(local.pull(scaled(g)))) for local in locals_):
        return "underflowed: too small for a float"
    if part.family == "activation":
        return f"dead: the slope of {child.op} is 0 wherever a gradient arrives"
    return f"dead: {child.op} hands on an exact zero"
