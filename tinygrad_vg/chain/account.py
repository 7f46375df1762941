"""What is the log of a gradient made of?  One walk back, with an account of every gradient that it meets.

Where branches merge, a node's gradient is g = Σ c_i. Its shares p_i = ⟨c_i, g⟩ / |g|² sum to 1, and for each c_i, which a
child with gradient g_i gives,

    ln|g| = Σ p_i (ln|g_i| + ln(|c_i| / |g_i|)) + merge

so the account of g is the mean of its children's, each with the gain of its edge, and what is left is the merge's own: nats by
kind of factor that add up to ln|g|, in any graph. Blame is the account of a chain's links, verdict that of a model's weights.

    g  gradient of a node, as g · 2^e with g near 1, so that nothing underflows      c  what one child gives of it
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node
from ..autodiff.scalar import Scalar
from .blocks import Block, blocks_of
from .factors import ACTIVATION, GATE, KINDS, Factor, factor_of, log, norm, origin, scaled, slopes, unfit
from .stations import unpacked
from .zeros import NEARLY_NOTHING, Zero, lost, why_zero

N = len(KINDS)
MERGE = KINDS.index("merge")
COUNT, OFF, FLAT, MET, DEAD, SATURATED = range(N, N + 6)  # factors; slopes 0, flat, met; nats of rectifiers that are off, of flat slopes
COUNTS = slice(COUNT, MET + 1)
LABELS = N + 6  # then nats by op of the activations, and by name of the gates
ROUNDING = {8: 1.5e-14, 4: 8e-6, 2: 0.05}  # by bytes of a number: a sum smaller than so much of its parts is what rounding left
NEAR = (1e-12, 1e12)  # sizes that a product of float32 numbers survives
LN2 = math.log(2)
SCALE = Factor(KINDS.index("scale"))  # of what is handed on as it is


class Arrival(NamedTuple):
    """A gradient, or one child's part of it: c · 2^e, its log, its account; and if it is 0, or mere rounding, why."""

    c: Any
    e: int
    size: float  # |c|
    log: float  # ln |c · 2^e|
    account: np.ndarray
    zero: Zero | None = None
    child: Node | None = None  # who gave the part


class Walk:
    """The gradients that arrive at the nodes of `order` from those given at `start`; .at[node] is an Arrival.

    order   the nodes, parents before children; no other receives anything
    start   {node: gradient, or Arrival}; the accounts begin at 0 for |all of them|, .base is the ln of that
    apart   nodes that no block may hide: what is asked about      stop  nodes that hand nothing on

    .at       of these, and of the ends of blocks; the others are forgotten on the way
    .labels   {op of an activation, or "gate f": its column}        .gates  {"gate f": its nodes}
    .merges   [(node, parts, shares, ln (|g| / √Σ|c|²))], if asked for     .broken  where a nan or inf first arose: (node, which, child)
    """

    def __init__(self, order: list[Node], start: Mapping[Node, Any], apart: Iterable[Node] = (), stop: Iterable[Node] = (), *,
                 merges: bool = False):
        self.inside, self.stop = set(order), set(stop)
        self.blocks: dict[Node, Block] = blocks_of(order, self.inside, (*apart, *start, *stop))
        kept = {*apart, *stop, *self.blocks}
        self.factors: dict[tuple[Node, int], Factor] = {}
        self.labels: dict[str, int] = {}
        self.gates: dict[str, list[Node]] = defaultdict(list)
        with np.errstate(all="ignore"):
            self.look_at(order)
        self.at: dict[Node, Arrival] = {}
        self.merges: list[tuple[Node, list[Arrival], list[float], float]] | None = [] if merges else None
        self.broken: Any = None
        given = {node: g if isinstance(g, Arrival) else self.arrival(g) for node, g in start.items()}
        self.base = log_length(part.log for part in given.values())
        self.received: dict[Node, list[Arrival]] = {
            node: [part._replace(account=self.entry(MERGE, part.log - self.base))] for node, part in given.items()
        }
        with np.errstate(all="ignore"):
            for node in reversed(order):
                if parts := self.received.pop(node, None):
                    arrival = self.settle(node, parts)
                    self.hand_on(node, arrival)
                    if node in kept:
                        self.at[node] = arrival

    def look_at(self, order: list[Node]) -> None:
        """The factor on every edge, but for what sums hand on; a column for each label; the gates by name."""
        sizes: dict[tuple, float | None] = {}
        for child in order:
            block, adds = self.blocks.get(child), child.op == "add"
            for i, x in enumerate((block.start,) if block else child.parents):
                if isinstance(x, Node) and x in self.inside and not (adds and x.shape == child.shape):
                    factor = self.factors[child, i] = factor_of(child, i, block, sizes)
                    if factor.label:
                        self.labels.setdefault(factor.label, LABELS + len(self.labels))
                    if factor.column == GATE:
                        self.gates[factor.label].append(origin(child.parents[1 - i]))

    @cached_property
    def openings(self) -> dict[str, float]:
        """How far each gate is open."""
        return {name: opening(nodes) for name, nodes in self.gates.items()}

    def factor(self, child: Node, i: int = 0) -> Factor:
        """What the edge to the i-th parent multiplies by, or the block that ends at the child."""
        return self.factors.get((child, i), SCALE)

    def arrival(self, g: Any) -> Arrival:
        """A gradient that the walk begins with."""
        g, e, size = scaled(g if np.asarray(g).dtype.kind == "f" else np.asarray(g, float))
        return Arrival(g, e, size, log(size) + e * LN2, self.entry(MERGE, 0.0))

    def entry(self, column: int, nats: float) -> np.ndarray:
        """An account with one entry."""
        account = np.zeros(LABELS + len(self.labels))
        account[column] = nats if math.isfinite(nats) else 0.0
        return account

    def settle(self, node: Node, parts: list[Arrival]) -> Arrival:
        """What the node received, added up; the account is the mean of the parts', by their signed shares."""
        if len(parts) == 1 and (NEAR[0] < parts[0].size < NEAR[1] or not 0 < parts[0].size < math.inf):
            return parts[0]
        some = [part for part in parts if part.size]
        if not some:
            return parts[0]._replace(zero=worst_reason(parts))
        g, e, size = added(some)
        if not math.isfinite(size):
            return Arrival(g, e, size, size, some[0].account)
        nats, top = log(size) + e * LN2, max(part.log for part in some)
        rounded = len(some) > 1 and nats <= top + math.log(ROUNDING[getattr(g, "itemsize", 8)] * len(some))
        zero = None if any(not part.zero for part in some) else worst_reason(parts)
        if rounded and not zero:
            zero = Zero("cancelled", "its branches sum to zero" + ", but for rounding" * (size > 0), node)
        if not size:
            return Arrival(g, 0, 0.0, -math.inf, self.entry(MERGE, 0.0), zero)
        if rounded or not nats > top - 600:
            raw = [math.exp(2 * (part.log - top)) for part in some]
        else:
            raw = [math.ldexp(float(np.add.reduce(np.multiply(part.c, g, dtype=float), axis=None)), part.e - e) for part in some]
        whole = sum(raw)
        shares = [p / whole for p in raw]
        account = self.mean(some, shares, nats)
        if len(some) > 1 and self.merges is not None:
            self.merges.append((node, some, shares, nats - log_length([part.log for part in some])))
        return Arrival(g, e, size, nats, account, zero)

    def mean(self, parts: list[Arrival], shares: list[float], nats: float) -> np.ndarray:
        """The mean of the parts' accounts by signed shares, but a count has no sign; what is left of the nats is the merge's own."""
        account = shares[0] * parts[0].account
        for p, part in zip(shares[1:], parts[1:]):
            account += p * part.account
        if min(shares) < 0:
            account[COUNTS] = sum(abs(p) * part.account[COUNTS] for p, part in zip(shares, parts)) / sum(map(abs, shares))
        account[MERGE] += nats - self.base - sum(account[:N].tolist())
        return account

    def hand_on(self, child: Node, a: Arrival) -> None:
        """To each parent its part, with the gain of the edge in its account."""
        if child.rule is None or child in self.stop:
            return
        if not math.isfinite(a.size):
            self.broken = self.broken or (child, unfit(a.c), None)
        if not a.size:
            for parent in child.variables:
                if parent in self.inside:
                    self.received.setdefault(parent, []).append(a)
        elif block := self.blocks.get(child):
            self.give(child, block.start, None, block.pull(a.c), a)
        else:
            g = child.finalise(float(a.c) if isinstance(child, Scalar) else a.c)
            for i, part in enumerate(child.rule.parts(child, g, self.inside)):
                if part is not None:
                    self.give(child, child.parents[i], i, part.total() if isinstance(part, list) else part, a)  # type: ignore[attr-defined]

    def give(self, child: Node, parent: Node, i: int | None, c: Any, a: Arrival) -> None:
        """One part: its gain goes to the kind of its factor, split into size and alignment where the factor has a size."""
        if c is a.c:  # handed on as it is, as a sum does
            self.received.setdefault(parent, []).append(Arrival(c, a.e, a.size, a.log, a.account, a.zero, child))
            return
        size, zero = norm(c), a.zero
        factor = self.factor(child, i or 0)
        if not math.isfinite(size):
            self.broken = self.broken or (parent, unfit(c), child)
        if size == 0 or size < NEARLY_NOTHING[getattr(a.c, "itemsize", 8)] * a.size and not zero and lost(child, i, a.c, size):
            zero = zero or why_zero(child, i, parent, size > 0, self.blocks[child].kind if i is None else "")
        gain = log(size) - math.log(a.size)
        account = a.account if zero and not size else self.with_gain(a, factor, child, i, gain)
        self.received.setdefault(parent, []).append(Arrival(c, a.e, size, a.log + gain, account, zero, child))

    def with_gain(self, a: Arrival, factor: Factor, child: Node, i: int | None, gain: float) -> np.ndarray:
        """The account with the entries of an edge: its nats, and what its slopes were."""
        account = a.account.copy()
        account[COUNT] += factor.counts
        if factor.label:
            account[self.labels[factor.label]] += gain
        if factor.size is None or not math.isfinite(factor.size):
            account[factor.column] += gain
        else:
            account[factor.column] += factor.size
            account[factor.column + 1] += gain - factor.size
        if factor.column == ACTIVATION:
            account[OFF] += factor.off
            account[FLAT] += factor.flat
            account[MET] += 1
            if gain < -0.3 and (factor.off if factor.largest is None else factor.flat):
                self.look_closer(slopes(child, i or 0, self.blocks.get(child)), factor, a, gain, account)
        return account

    def look_closer(self, d: np.ndarray, factor: Factor, a: Arrival, gain: float, account: np.ndarray) -> None:
        """The gain is that of slopes which are 0, or flat, if most of the gradient meets those."""
        if d.shape == np.shape(a.c):
            share = np.square(np.asarray(a.c, float) / a.size)
            account[DEAD] += gain * (factor.largest is None and float(np.sum(share[d == 0])) > 0.9)
            account[SATURATED] += gain * (float(np.sum(share[np.abs(d) < 0.1 * (factor.largest or 0.0)])) > 0.5)

    def together(self, nodes: Iterable[Node]) -> Arrival:
        """What arrives at several nodes, as one long vector."""
        parts = [self.at[node] for node in nodes if node in self.at]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Arrival(np.zeros(1), 0, 0.0, -math.inf, self.entry(MERGE, 0.0), Zero("cancelled", "it receives nothing"))
        whole = log_length(part.log for part in parts)
        live = [part for part in parts if not part.zero]
        if not math.isfinite(whole):
            return parts[0]._replace(zero=worst_reason(parts), log=whole)
        account = self.mean(parts, [math.exp(2 * (part.log - whole)) for part in parts], whole)
        return Arrival(None, 0, 1.0, whole, account, None if live else worst_reason(parts))


def walk_through(links: list[Any], g: np.ndarray) -> Walk:
    """The walk through some links in a row, from the gradient at their end to their start."""
    start = dict.fromkeys(links[0].start)
    order = [*sorted(start, key=lambda node: node.birth), *(node for link in links for node in link.ops if node not in start)]
    return Walk(order, unpacked(links[-1].end, g), stop=start, merges=True)


def opening(gates: list[Node]) -> float:
    """How far a gate is open: the mean of its values; nan where they are not between 0 and 1."""
    values = np.concatenate([gate._value for gate in gates], axis=None)
    return float(np.mean(values)) if values.size and np.min(values) >= 0 and np.max(values) <= 1 else math.nan


def added(parts: list[Arrival]) -> tuple[Any, int, float]:
    """The sum of the parts as g · 2^e, one after the other, and |g|; where they cancel altogether, the next begins at its own scale."""
    g, e = parts[0].c, parts[0].e
    for part in parts[1:]:
        if part.e == e:
            g = g + part.c
        elif not np.any(g):
            g, e = part.c, part.e
        else:
            top = max(e, part.e)
            g, e = np.ldexp(g, e - top) + np.ldexp(part.c, part.e - top), top
    size = norm(g)
    if NEAR[0] < size < NEAR[1]:
        return np.asarray(g), e, size
    g, shift, size = scaled(g)
    return g, e + shift, size


def worst_reason(parts: list[Arrival]) -> Zero | None:
    """Why all of the parts are 0. That a state is 0 is a reason only where there is no other."""
    return min((part.zero for part in parts if part.zero), key=lambda zero: zero.kind == "zero state", default=None)


def log_length(logs: Iterable[float]) -> float:
    """ln √Σ exp(2 l): the log length of a vector, from those of its parts."""
    return float(0.5 * np.logaddexp.reduce([2 * log for log in logs] or [-math.inf]))
