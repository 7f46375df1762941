"""Who shrank the gradient?  The log of a chain's gain, in nats, split among the factors that made it; the parts add up.

    activation size   ln rms(φ′)             activation alignment   ln(|D g| / |g|) − size
    weight size       ln(|W|_F / √n_out)     weight alignment       ln(|Wᵀ g| / |g|) − size
    gate, norm, scale, other                 ln(|c| / |g|)          one term for each edge
    merge             where branches meet, by signed shares (see stretches.py)

    g  gradient      D  diagonal of slopes φ′      c  what an edge contributes
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autodiff.core import describe
from ..text.lines import Printed
from ..text.numbers import jsonable
from .blame_table import blame_table, told
from .chain import Chain
from .factors import KINDS, norm, scaled, unfit
from .stretches import stretches


class Blame(Printed):
    """A chain's log gain in nats, split among activation, weight, gate, norm, merge, scale (constant factors), other.

    .total    ln(|gradient at the source| / |seed|); -inf where it is exactly zero
    .parts    {kind: nats}, over all links; they sum to .total within 1e-9 · (1 + Σ|parts|), unless the table ended
    .by_link  [{"link", "total", "parts"}], source first
    .merges   [{"at", "link", "weight", "shares", "interference", "negative"}]: how branches met, in nats; interference
              ln(|g| / √Σ|c|²) is 0 for branches at right angles, negative where they work against each other
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

    def __init__(self, chain: Chain):
        self.chain_text = f"{describe(chain.output)} back to {describe(chain.source)}"
        self.total = chain.log_product[0]
        self.ended: dict[str, str] | None = None
        self.by_link: list[dict[str, Any]] = []
        self.merges: list[dict[str, Any]] = []
        self.slopes: dict[str, float] = {}  # ln gain by activation, for the sentence
        with np.errstate(all="ignore"):
            self.walk(chain)
        self.parts = {kind: math.fsum(row["parts"][kind] for row in self.by_link) for kind in KINDS}

    def walk(self, chain: Chain) -> None:
        """From the output back, link by link, each on a gradient of length about 1, until it is zero or not finite."""
        g = chain.gradients[-1]
        if why := unfit(g):
            self.ended = {"link": chain.names[-1], "at": chain.names[-1], "why": why if why != "zero" else "the seed is zero"}
        for link in reversed(chain.links if not self.ended else []):
            g, row = self.link(link, scaled(g))
            if self.ended:
                break
            self.by_link.append(row)
        self.by_link.reverse()

    def link(self, link: Any, g: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """One link: the gradient at its start, and its row. Its own stations cut it into stretches, each walked by itself."""
        terms: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for stretch in stretches(link):
            g = stretch.pull(scaled(g))
            if why := stretch.why_ended(g):
                self.ended = {"link": link.name, **why}
                break
            for kind, nats, op in stretch.finite_terms(norm(g)):
                terms[kind].append(nats)
                if op:
                    self.slopes[op] = self.slopes.get(op, 0.0) + nats
            self.merges += [{"link": link.name, **merge} for merge in stretch.merges]
        parts = {kind: math.fsum(nats) for kind, nats in terms.items()}
        return g, {"link": link.name, "total": math.fsum(parts.values()), "parts": parts}

    @property
    def sentence(self) -> str:
        """The table in a sentence: `the sigmoid's slopes cost 28.8 of 29.0 nats; the weights cost 0.2`."""
        return told(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, every digit kept; nan and infinities as text, so json.dumps takes it."""
        return {
            "total": jsonable(self.total), "parts": self.parts, "by_link": self.by_link, "merges": self.merges,
            "ended": self.ended, "sentence": self.sentence,
        }  # fmt: skip

    def __str__(self) -> str:
        return blame_table(self)

    def __repr__(self) -> str:
        return f"Blame({self.chain_text}: {self.sentence})"


def blame(chain: Chain) -> Blame:
    """Who shrank (or grew) the gradient: the log gain in nats, split exactly among the factors."""
    return Blame(chain)
