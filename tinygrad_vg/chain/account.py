"""What is the log of a gradient made of?  One walk back, with an account of every gradient that it meets.

Where branches merge, a node's gradient is g = Σ c_i, with shares p_i = ⟨c_i, g⟩ / |g|² that sum to 1. If c_i comes from a child
with gradient g_i, then

    ln|g| = Σ p_i (ln|g_i| + ln(|c_i| / |g_i|)) + merge

so the account of g is the mean of its children's, each with the gain of its edge; what is left is the merge's own. Nats by kind of
factor add up to ln|g|, in any graph. Blame is the account of a chain's links, verdict that of a model's weights.

    g  gradient of a node, as g · 2^e with g near 1, so that nothing underflows      c  what one child gives of it
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, by_birth
from ..autodiff.products import Product
from ..autodiff.scalar import Scalar
from ..autodiff.structure import Join
from .arrivals import LN2, NEAR, Arrival, Placed, added, alone, arrived, as_array, inner, log_length, part_of, worst_reason
from .blocks import blocks_of
from .columns import columns_of
from .factors import KINDS, SCALE, factor_of, log, norm, origin, unfit
from .reasons import NEARLY_NOTHING, Reason, lost, why_zero
from .stations import behind, unpacked

ROUNDING = {8: 1.5e-14, 4: 8e-6, 2: 0.05}  # by bytes of a number: a sum smaller than so much of its parts is what rounding left


class Term(NamedTuple):
    """What the nats of an account are entered under. A term of the kind "count" is no nats: "factors", "slopes", "zero slopes"."""

    kind: str
    label: str = ""  # the op of an activation, the name of a gate, "share" of what a stack hands to one of its parts
    met: str = ""  # "dead" or "saturated": most of the gradient met slopes that are 0, or flat
    place: str = ""  # where it happened, if it was asked for


Account = dict[Term, float]
SCALED, MEAN = Term("scale"), Term("scale", "mean")
MERGE, SHARE, ASKED = Term("merge"), Term("merge", "share"), Term("merge", "asked")  # asked: by the loss, of one of several predictions
FACTORS, SLOPES, ZERO_SLOPES = (Term("count", what) for what in ("factors", "slopes", "zero slopes"))


def nowhere(node: Node) -> str:
    """The place of a node, where places are not asked for."""
    return ""


class Walk:
    """The gradients that arrive at the nodes of `order` from those given at `start`; .at[node] is an Arrival.

    order   the nodes, parents before children; no other receives anything
    start   {node: Arrival}; the accounts begin at 0 for |all of them|, .base is the ln of that
    apart   nodes that no block may hide: what is asked about      stop  nodes that hand nothing on
    where   of each node the place that its terms are entered under, such as a line of source

    .at       of these, the ends of blocks, and columns; the others are forgotten on the way
    .gates    {name: the gates of that name}      .gated  {name: what they are factors of}
    .merges   [(node, parts, shares, ln (|g| / √Σ|c|²))], if asked for     .broken  where a nan or inf first arose: (node, which, child)
    """

    def __init__(self, order: list[Node], start: Mapping[Node, Arrival], apart: Iterable[Node] = (), stop: Iterable[Node] = (), *,
                 merges: bool = False, where: Callable[[Node], str] = nowhere):
        self.inside, self.stop, self.where = set(order), set(stop), where
        self.blocks = blocks_of(order, self.inside, (*apart, *start, *stop))
        columns = columns_of(order, self.inside, (*start, *stop))
        kept = {*apart, *stop, *self.blocks, *columns}
        self.sizes: dict[tuple, float | None] = {}  # of weights
        self.gates: dict[str, list[Node]] = defaultdict(list)
        self.gated: dict[str, set[Node]] = defaultdict(set)
        self.at: dict[Node, Arrival] = {}
        self.merges: list[tuple[Node, list[Arrival], list[float], float]] | None = [] if merges else None
        self.broken: Any = None
        self.base = log_length(part.log for part in start.values())
        share = {node: part.log - self.base for node, part in start.items()}
        self.received: dict[Node, list[Arrival]] = {
            node: [part._replace(account={ASKED: share[node] if math.isfinite(share[node]) else 0.0})] for node, part in start.items()}
        with np.errstate(all="ignore"):
            for node in reversed(order):
                if parts := self.received.pop(node, None):
                    arrival = self.settle(node, parts)
                    self.hand_on(node, arrival, columns if node in columns else self.inside)
                    if node in columns:
                        self.hand_on_apart(node, parts, columns)
                    if node in kept:
                        self.at[node] = arrival

    @cached_property
    def openings(self) -> dict[str, float]:
        """How far each gate is open."""
        return {name: opening(nodes) for name, nodes in self.gates.items()}

    @cached_property
    def carrying(self) -> set[str]:
        """The gates on a state's own way: what they multiply was made of what they had multiplied before, and no weight lies between."""
        return {name for name, gates in self.gates.items() if carries(self.gated[name], set(gates))}

    def settle(self, node: Node, parts: list[Arrival]) -> Arrival:
        """What the node received, added up; the account is the mean of the parts', by their signed shares."""
        if len(parts) == 1 and (NEAR[0] < parts[0].size < NEAR[1] or not 0 < parts[0].size < math.inf):
            return as_array(parts[0])
        some = [part for part in parts if part.size]
        if not some:
            return as_array(parts[0])._replace(zero=worst_reason(parts))
        g, e, size = added(some)
        if not math.isfinite(size):
            return Arrival(g, e, size, size, some[0].account)
        nats, top = log(size) + e * LN2, max(part.log for part in some)
        rounded = len(some) > 1 and nats <= top + math.log(ROUNDING[getattr(g, "itemsize", 8)] * len(some))
        zero = None if any(not part.zero for part in some) else worst_reason(parts)
        if rounded and not zero:
            zero = Reason("cancelled", "its branches sum to zero" + ", but for rounding" * (size > 0), at=node)
        if not size:
            return Arrival(g, 0, 0.0, -math.inf, {}, zero)
        if rounded or not nats > top - 600:
            raw = [math.exp(2 * (part.log - top)) for part in some]
        else:
            raw = [math.ldexp(inner(part, g), part.e - e) for part in some]
        whole = sum(raw)
        shares = [p / whole for p in raw]
        account = self.mean(some, shares, nats, self.where(node))
        if len(some) > 1 and self.merges is not None:
            self.merges.append((node, some, shares, nats - log_length([part.log for part in some])))
        return Arrival(g, e, size, nats, account, zero)

    def mean(self, parts: list[Arrival], shares: list[float], nats: float, place: str = "") -> Account:
        """The mean of the parts' accounts by signed shares, but a count has no sign; what is left of the nats is the merge's own."""
        account, counted = dict[Term, float](), sum(map(abs, shares))
        for p, part in zip(shares, parts):
            size = abs(p) / counted
            for term, x in part.account.items():
                account[term] = account.get(term, 0.0) + (size if term.kind == "count" else p) * x
        merge = MERGE._replace(place=place) if place else MERGE
        account[merge] = account.get(merge, 0.0) + nats - self.base - sum([x for term, x in account.items() if term.kind != "count"])
        return account

    def hand_on_apart(self, node: Node, parts: list[Arrival], columns: set[Node]) -> None:
        """What comes to a column from outside, each part by itself through the columns behind it, to whatever lies before them."""
        outside, merges, region, self.merges = self.received, self.merges, behind([node], within=columns)[::-1], None
        for part in parts:
            if part.child not in columns:
                self.received = {node: [part]}
                for child in region:
                    if here := self.received.pop(child, None):
                        self.hand_on(child, self.settle(child, here), self.inside)
                for parent, there in self.received.items():
                    outside[parent] = [*outside.get(parent, []), *(alone(a) for a in there if a.size or parent not in outside)]
        self.received, self.merges = outside, merges

    def hand_on(self, child: Node, a: Arrival, inside: set[Node]) -> None:
        """To each parent inside its part, with the gain of the edge in its account."""
        if child.rule is None or child in self.stop:
            return
        if not math.isfinite(a.size):
            self.broken = self.broken or (child, unfit(a.c), None)
        if not a.size:
            for parent in inside.intersection(child.variables):
                self.received.setdefault(parent, []).append(a)
        elif block := self.blocks.get(child):
            if block.start in inside:
                self.give(child, block.start, None, block.pull(a.c), a)
        else:
            g = child.finalise(float(a.c) if isinstance(child, Scalar) else a.c)
            for i, part in enumerate(child.rule.parts(child, g, inside)):
                if part is not None:
                    self.give(child, child.parents[i], i, part_of(part), a)

    def give(self, child: Node, parent: Node, i: int | None, c: Any, a: Arrival) -> None:
        """One part: its gain goes to the kind of its factor, split into size and alignment where the factor has a size."""
        if c is a.c:  # handed on as it is, as a sum does
            self.received.setdefault(parent, []).append(Arrival(c, a.e, a.size, a.log, a.account, a.zero, child))
            return
        size, zero = norm(c.g if isinstance(c, Placed) else c), a.zero
        if not math.isfinite(size):
            self.broken = self.broken or (parent, unfit(c), child)
        if size == 0 or size < NEARLY_NOTHING[getattr(a.c, "itemsize", 8)] * a.size and not zero and lost(child, i, a.c, size):
            zero = zero or why_zero(child, i, parent, size > 0, self.blocks[child].kind if i is None else "")
        gain = log(size) - math.log(a.size)
        account = a.account if zero and not size else self.with_gain(a, child, i or 0, gain)
        self.received.setdefault(parent, []).append(Arrival(c, a.e, size, a.log + gain, account, zero, child))

    def with_gain(self, a: Arrival, child: Node, i: int, gain: float) -> Account:
        """The account with the entries of an edge: its nats, split into size and alignment if it has a size, and what is counted."""
        summand = child.op == "add" and child.parents[i].shape == child.shape
        factor = SCALE if summand else factor_of(child, i, self.blocks.get(child), self.sizes)
        kind, label, met, entries = factor.kind, factor.label, "", {FACTORS: 1.0} if factor.counts else {}
        label = SHARE.label if kind == "merge" and isinstance(child.rule, Join) else MEAN.label if child.op == "mean" else label
        if kind == "gate":
            self.gates[label].append(origin(child.parents[1 - i]))
            self.gated[label].add(child)
        if factor.slopes is not None:
            met = met_by(factor.slopes, factor.largest, a, gain)
            entries |= {SLOPES: 1.0, ZERO_SLOPES: 1 - np.count_nonzero(factor.slopes) / (factor.slopes.size or 1)}
        if factor.size is not None and math.isfinite(factor.size):
            entries |= {Term(f"{kind} size", label, met): factor.size, Term(f"{kind} alignment", label, met): gain - factor.size}
        else:
            entries[Term(kind if factor.size is None else f"{kind} size", label, met)] = gain
        if place := self.where(child):
            entries = {term._replace(place=place): x for term, x in entries.items()}
        return a.account | {term: a.account.get(term, 0.0) + x for term, x in entries.items()}

    def together(self, nodes: Iterable[Node]) -> Arrival:
        """What arrives at several nodes, as one long vector."""
        parts = [self.at[node] for node in nodes if node in self.at]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Arrival(np.zeros(1), 0, 0.0, -math.inf, {}, Reason("cancelled", "it receives nothing"))
        whole = log_length(part.log for part in parts)
        live = [part for part in parts if not part.zero]
        if not math.isfinite(whole):
            return parts[0]._replace(zero=worst_reason(parts), log=whole)
        account = self.mean(parts, [math.exp(2 * (part.log - whole)) for part in parts], whole)
        return Arrival(None, 0, 1.0, whole, account, None if live else worst_reason(parts))


def met_by(d: np.ndarray, largest: float | None, a: Arrival, gain: float) -> str:
    """"dead" or "saturated" if most of what arrives meets slopes that are 0, or flat, and they cost something."""
    if gain >= -0.3 or d.shape != np.shape(a.c):
        return ""
    flat = d == 0 if largest is None else np.abs(d) < 0.1 * largest
    share = float(np.sum(np.square(np.asarray(a.c, float) / a.size)[flat])) if np.any(flat) else 0.0
    return "dead" * (share > 0.9) if largest is None else "saturated" * (share > 0.5)


def by_kind(account: Account) -> dict[str, float]:
    """Nats by kind of factor."""
    nats = dict.fromkeys(KINDS, 0.0)
    for term, x in account.items():
        if term.kind != "count":
            nats[term.kind] += x
    return nats


def by_place(account: Account) -> dict[str, dict[str, float]]:
    """Nats by kind of factor, and "factors", how many there were, for each place."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys((*KINDS, "factors"), 0.0))
    for term, x in account.items():
        if term.kind != "count" or term.label == FACTORS.label:
            found[term.place][term.label if term.kind == "count" else term.kind] += x
    return dict(found)


def by_label(account: Account, kind: str) -> dict[str, float]:
    """What was entered under a kind, by label: the nats of the activations by op, of the gates by name."""
    found: dict[str, float] = defaultdict(float)
    for term, x in account.items():
        if term.kind.partition(" ")[0] == kind:
            found[term.label] += x
    return found


def walk_through(links: list[Any], g: np.ndarray, where: Callable[[Node], str] = nowhere) -> Walk:
    """The walk through some links in a row, from the gradient at their end to their start."""
    start = dict.fromkeys(links[0].start)
    order = [*sorted(start, key=lambda node: node.birth), *(node for link in links for node in link.ops if node not in start)]
    return Walk(order, {node: arrived(c) for node, c in unpacked(links[-1].end, g).items()}, stop=start, merges=True, where=where)


def carries(gated: set[Node], gates: set[Node]) -> bool:
    """Whether a way without weights leads from the last of some products with gates back to another of them."""
    last = max(gated, key=by_birth)
    front, met = [x for x in last.variables if origin(x) not in gates], set[Node]()
    while front:
        node = front.pop()
        if node in gated:
            return True
        if node not in met and not (isinstance(node.rule, Product) and len(node.variables) > 1):
            met.add(node)
            front += node.variables
    return False


def opening(gates: list[Node]) -> float:
    """How far a gate is open: the mean of its values; nan where they are not between 0 and 1."""
    values = np.concatenate([gate._value for gate in gates], axis=None)
    return float(np.mean(values)) if values.size and np.min(values) >= 0 and np.max(values) <= 1 else math.nan
