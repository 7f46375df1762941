"""Who shrank the gradient?  The log of a chain's gain, in nats, split among the factors that made it; the parts add up.

    activation size   ln rms(φ′)             activation alignment   ln(|D g| / |g|) − size
    weight size       ln(|W|_F / √n_out)     weight alignment       ln(|Wᵀ g| / |g|) − size
    gate, attention, norm, scale, other      ln(|c| / |g|)          one term for each edge, or block of ops
    merge             where branches meet, by signed shares (see account.py)

    g  gradient      D  diagonal of slopes φ′      c  what an edge contributes
"""

import math
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, describe
from ..text.lines import Result, clean, wrapped
from ..text.numbers import jsonable, signed
from ..text.tables import folded, table
from .account import ROUNDING, Account, Walk, by_kind, by_label, opening, walk_through
from .arrivals import Arrival
from .blocks import blocks_of
from .chain import Chain
from .columns import columns_of
from .factors import KINDS, scaled, unfit
from .links import Link, Replaced
from .stations import named

LEAST, MOST = 1e-12, 1.0  # nats: less is rounding; more is none
SHORT = {
    "activation size": "slopes", "activation alignment": "·align", "weight size": "weights", "weight alignment": "·align"}
CALLED = {
    "activation": "the activations' slopes", "weight": "the weights", "gate": "the gates", "attention": "attention",
    "norm": "the normalisations", "merge": "the merging of branches", "scale": "constant factors", "other": "everything else"}


class Gate(NamedTuple):
    """What the gates of one name did to a gradient, in nats, and how far they were open, from 0 to 1."""

    nats: float
    open: float


class Blame(Result):
    """A chain's log gain in nats, split among activation, weight, gate, attention, norm, merge, scale (constant factors), other.

    .total    ln(|gradient at the source| / |seed|); -inf where it is exactly zero
    .parts    {kind: nats}, over all links; they sum to .total within 1e-9 · (1 + Σ|parts|), unless the table ended
    .by_link  [{"link", "total", "parts"}], source first
    .slopes, .gates  {op: nats} of the activations; {name: Gate} of the gates, each with .nats and .open, the mean of its values
    .merges   [{"at", "link", "shares", "interference", "negative", "rounding"}]: how branches met; interference, in nats,
              ln(|g| / √Σ|c|²), is 0 for branches at right angles, negative where they work against each other; rounding: they
              cancel, and what is left is no more than rounding
    .ended    None; or where, going back from the output, the gradient was first zero, nan or infinite, and why: then .parts
              and .by_link hold what was passed before, and are not the whole of .total

    print() shows a table and a sentence (.sentence).

    >>> from tinygrad_vg import Scalar, Chain
    >>> w, x = Scalar(0.9, name="w"), Scalar(0.5, name="x")
    >>> print(Chain((w * x).sigmoid().named("h"), x).blame())
    nats by link slopes weights total
    multiply → h  -1.44         -1.44
    x → multiply          -0.11 -0.11
    sum           -1.44   -0.11 -1.54
    the sigmoid's slopes cost 1.4 of 1.5 nats; the weights cost 0.1
    """

    kept = ("total", "parts", "by_link", "slopes", "gates", "merges", "ended", "sentence")

    def __init__(self, chain: Chain):
        self.total = chain.log_product[0]
        self.ended: dict[str, str] | None = None
        self.by_link: list[dict[str, Any]] = []
        self.merges: list[dict[str, Any]] = []
        self.account: Account = defaultdict(float)
        self.gate_nodes: dict[str, list[Node]] = defaultdict(list)
        if why := unfit(chain.gradients[-1]):
            self.ended = {"link": chain.names[-1], "at": chain.names[-1], "why": why if why != "zero" else "the seed is zero"}
        with np.errstate(all="ignore"):
            for run in runs(chain):
                if not self.ended:
                    self.follow(chain, run)
        self.by_link.reverse()
        self.slopes = by_label(self.account, "activation")
        nats = sorted(by_label(self.account, "gate").items())
        self.gates = {name: Gate(x, opening(self.gate_nodes[name])) for name, x in nats}
        self.parts = {kind: math.fsum(row["parts"][kind] for row in self.by_link) for kind in KINDS}

    def follow(self, chain: Chain, run: range) -> None:
        """Back through a run of links, on a gradient of length about 1: a row for each, unless it is zero or not finite then."""
        links, logs = chain.links[run.start : run.stop], chain.log_product[run.start : run.stop + 1]
        accounts = [*self.accounts(chain, run, links, logs), dict.fromkeys(KINDS, 0.0)]
        if self.ended:
            first = next((link for link, log in reversed(list(zip(links, logs))) if log == -math.inf), links[0])
            self.ended = {"link": first.name, **self.ended}
            return
        for link, before, after in reversed(list(zip(links, accounts, accounts[1:]))):
            parts = {kind: before[kind] - after[kind] for kind in KINDS}
            self.by_link.append({"link": link.name, "total": math.fsum(parts.values()), "parts": parts})

    def accounts(self, chain: Chain, run: range, links: list[Any], logs: list[float]) -> list[dict[str, float]]:
        """Nats by kind at each station of a run, for the gradient at its end; the first alone if it ends. logs: the chain's own."""
        if isinstance(links[0], Replaced):  # a factor put in by hand
            why = unfit(chain.directions[run.start])
            self.ended = {"at": links[0].name, "why": why} if why else None
            return [only("other", logs[0] - logs[1])]
        walk = walk_through(links, scaled(chain.directions[run.stop])[0])
        whole = walk.together(dict.fromkeys(links[0].start))
        self.ended, first = why_ended(walk, whole), by_kind(whole.account)
        if self.ended:
            return [first]
        self.note(walk, whole, links)
        if not all(map(math.isfinite, first.values())):  # an inf that reaches nobody, as of a concatenation, is in it
            first = only("other", whole.log - walk.base)
        left = logs[0] - logs[-1] - math.fsum(first.values())
        first["merge"] += left if LEAST < abs(left) < MOST else 0.0  # rounding: the sweep adds up in another order
        return [first, *(within(walk, link.start[0], log - logs[-1]) for link, log in zip(links[1:], logs[1:]))]

    def note(self, walk: Walk, whole: Arrival, links: list[Link]) -> None:
        """What the slopes and gates of some links did, and how their branches met."""
        for term, x in whole.account.items():
            self.account[term] += x
        for name, gates in walk.gates.items():
            self.gate_nodes[name] += gates
        where = {node: link.name for link in links for node in (*link.ops, *link.start)}
        self.merges += [{"link": where[merge[0]], **met(*merge)} for merge in walk.merges or ()]

    @property
    def sentence(self) -> str:
        """The table in a sentence: `the sigmoid's slopes cost 28.8 of 29.0 nats; the weights cost 0.2`."""
        return told(self)

    def __str__(self) -> str:
        """Nats by link (from the output back) and kind, the sum, and the sentence; what is zero, or mere rounding, is left blank."""
        whole = {"link": "sum", "parts": self.parts, "total": math.fsum(self.parts.values())}
        shown = folded(self.by_link[::-1], lambda row: row["total"], left_out)
        head = ("nats by link", *(SHORT.get(kind, kind) for kind in self.parts), "total")
        rows = [row if isinstance(row, str) else cells(row) for row in (*shown, whole)]
        return f"{table(rows, head)}\n{wrapped(clean(self.sentence), hang=0)}"


def runs(chain: Chain) -> list[range]:
    """The links from the output back, one by one; together those that a block of ops, as of a softmax, or columns reach over."""
    order = [*chain.stations[0], *(node for link in chain.links for node in link.ops)]
    apart = {node for group in chain.stations if len(group) > 1 for node in group}
    apart |= {node for link in chain.links if isinstance(link, Replaced) for node in (*link.start, *link.end)}
    apart |= {chain.source, chain.output}
    hidden = {node for block in blocks_of(order, set(order), apart).values() for node in block.ops[:-1]}
    hidden |= columns_of(order, set(order), apart)
    cuts = [k for k, group in enumerate(chain.stations) if hidden.isdisjoint(group)]
    return [range(a, b) for a, b in zip(cuts, cuts[1:])][::-1]


def within(walk: Walk, station: Node, nats: float) -> dict[str, float]:
    """Nats by kind at a station where all steps lie side by side; or in a block of ops: what arrives at its end, the rest is its own."""
    if station in walk.at:
        return by_kind(walk.at[station].account)
    end, block = next((end, block) for end, block in walk.blocks.items() if station in set(block.ops[:-1]))
    account = by_kind(walk.at[end].account)
    account["activation alignment" if block.kind == "activation" else block.kind] += nats - math.fsum(account.values())
    return account


def only(kind: str, nats: float) -> dict[str, float]:
    """Nats of one kind alone."""
    return dict.fromkeys(KINDS, 0.0) | {kind: nats}


def why_ended(walk: Walk, whole: Arrival) -> dict[str, str] | None:
    """Where the gradient was first zero or not finite, and why; None if it is still a direction."""
    if walk.broken and not math.isfinite(whole.log):
        return {"at": describe(walk.broken[0]), "why": str(walk.broken[1])}
    if whole.log == -math.inf and whole.zero:
        return {"at": describe(whole.zero.at) if whole.zero.at is not None else "its start", "why": f"{whole.zero.kind}: {whole.zero.what}"}
    return None


def met(node: Any, parts: list[Arrival], shares: list[float], interference: float) -> dict[str, Any]:
    """How the branches met at a node."""
    children = [named((part.child,)) if part.child is not None else "itself" for part in parts]
    return {
        "at": named((node,)), "shares": [[child, jsonable(p)] for child, p in zip(children, shares)],
        "interference": jsonable(interference), "negative": jsonable(math.fsum(-p for p in shares if p < 0)),
        "rounding": interference < math.log(ROUNDING[min(getattr(part.c, "itemsize", 8) for part in parts)] * 10)}


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row's texts: the link, its nats by kind (blank below LEAST), their total."""
    return row["link"], *(signed(x) if abs(x) > LEAST else "" for x in row["parts"].values()), signed(row["total"])


def left_out(rows: list[dict[str, Any]]) -> str:
    """The row that stands for links not shown: how many, and the sum of their nats."""
    return f"{len(rows)} links, together {signed(math.fsum(row['total'] for row in rows))}"


def told(blame: Any) -> str:
    """The largest contributors in words, largest first; what is under a hundredth of the largest is not mentioned."""
    sums = {group: math.fsum(x for kind, x in blame.parts.items() if kind.partition(" ")[0] == group) for group in CALLED}
    order = sorted((group for group in sums if abs(sums[group]) > LEAST), key=lambda group: -abs(sums[group]))
    order = [group for k, group in enumerate(order) if k < 2 or abs(sums[group]) > 0.01 * abs(sums[order[0]])]
    total = math.fsum(blame.parts.values())
    clauses = [f"{words_of(group, blame)} {verb(sums[group])} {amount(sums[group])}" for group in order]
    if clauses and sums[order[0]] * total > 0 and abs(sums[order[0]]) <= abs(total):
        clauses[0] += f" of {amount(total)} nats"
    elif clauses:
        clauses[0] += f" nats, and the sum is {total:+.1f}" if abs(total) >= 0.05 else f" nats, and the sum is {signed(total)}"
    if blame.ended:
        clauses.insert(0, f"the gradient ends at {blame.ended['at']} ({blame.ended['why']}), in the link {blame.ended['link']}")
    return "; ".join(clauses) or "nothing changed the gradient's length"


def words_of(group: str, blame: Any) -> str:
    """The sigmoid's slopes, if nearly all of it is its; of the gates the one that cost most, and how far it is open."""
    if group == "gate" and (gates := {name: gate for name, gate in blame.gates.items() if math.isfinite(gate.open)}):
        name = min(gates, key=lambda name: gates[name].nats)
        return f"the gates (most of all {name}, open to {gates[name].open:.2f})"
    sizes = {op: abs(nats) for op, nats in blame.slopes.items()} if group == "activation" else {}
    op = max(sizes, key=sizes.__getitem__, default="")
    return f"the {op}'s slopes" if op and sizes[op] >= 0.95 * math.fsum(sizes.values()) else CALLED[group]


def verb(nats: float) -> str:
    """What these nats did to the gradient: below 0 they cost, above they added."""
    return "cost" if nats < 0 else "added"


def amount(nats: float) -> str:
    """Nats with one decimal; two significant digits where that would show nothing."""
    return f"{abs(nats):.1f}" if abs(nats) >= 0.05 else f"{abs(nats):.1g}"


def blame(chain: Chain) -> Blame:
    """Who shrank (or grew) the gradient: the log gain in nats, split exactly among the factors."""
    return Blame(chain)
