"""Which use of a shared weight does the gradient come from?  One row per use: its own gradient, and its share of the whole.

A weight used T times receives T contributions, one along each edge that leads to it, and its gradient is their sum:

    G = Σ_i g_i      share_i = ⟨g_i, G⟩ / |G|²      Σ_i share_i = 1      (a negative share: this use pulls against the others)

    g  gradient      G  the whole gradient      t  time
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import dependents, differentiable
from ..autodiff.core import Node, contributions, describe, sweep
from ..autodiff.variable import Name
from ..text.lines import Result, clean, cut
from ..text.numbers import figure, percent
from ..text.tables import folded, table
from .factors import norm


class Use(NamedTuple):
    """One row: what a single use of the weight (or all at one distance from the loss) contributes.

    index     the time step, or the lag; or 1, 2, …, oldest first, where no name tells a time
    name      where the use is: z[3], or the op if nothing there has a name
    gradient  the weight's shape      norm  |gradient|      share  signed, of the whole      cumulative  shares up to here
    """

    index: int  # type: ignore[assignment]  # not the method of a tuple
    name: str
    gradient: np.ndarray
    share: float
    norm: float
    cumulative: float


class Uses(Result, Sequence):
    """The uses of a weight, a sequence of Use; .rows, .total (the sum of all, the weight's gradient), by_lag()."""

    kept = ("weight", "by", "total", "rows")

    def __init__(self, weight: str, parts: Iterable[tuple[int, str, Any]], by: str = "use"):
        parts = list(parts)
        self.weight, self.by = weight, by
        self.total: np.ndarray = np.sum([g for _, _, g in parts], axis=0)
        shares = [share_of(g, self.total) for _, _, g in parts]
        self.rows = [
            Use(index, name, np.asarray(g), share, norm(g), so_far)
            for (index, name, g), share, so_far in zip(parts, shares, accumulate(shares))
        ]

    def __getitem__(self, i: Any) -> Any:
        return self.rows[i]

    def __len__(self) -> int:
        return len(self.rows)

    def by_lag(self) -> Uses:
        """One row per distance between the use and the loss, nearest first: index = T − t, where T is the last time step.

        Uses at the same step count together. If the loss has a term at every step, T is the last of them and a row holds all
        terms after its step; for the distance to one term, ask for the uses of that term.
        """
        last = max(use.index for use in self)
        parts: dict[int, list[Use]] = {}
        for use in self:
            parts.setdefault(last - use.index, []).append(use)
        named = [(lag, same[0].name, np.sum([use.gradient for use in same], axis=0)) for lag, same in sorted(parts.items())]
        return Uses(self.weight, named, "lag")

    def __str__(self) -> str:
        longest = max((abs(use.share) for use in self if math.isfinite(use.share)), default=0.0) or 1.0
        rows = [
            (use.name, str(use.index), figure(use.norm), percent(use.share), percent(use.cumulative), -use.share / longest) for use in self
        ]
        several = f"{len(self)} {self.by}{'s' * (len(self) != 1)}"
        head = f"the gradient of {clean(self.weight)}, norm {figure(norm(self.total))}, over its {several}"
        return f"{cut(head, 80)}\n{table(folded(rows), ('at', self.by, 'norm', 'share', 'so far'))}"


def uses(output: Node, weight: Any, seed: Any = None) -> Uses:
    """Split the gradient of `output` with respect to `weight` by use: one row for each edge that leads to the weight.

    weight  a node; or an object array of Scalars, as scalars() makes it: then the k-th uses of its entries, or those at the
            same time step, make one row with an array of the weight's shape
    seed    as in backward()

    The index of a row is the time in the name of the op that uses the weight, or of the next named node after it; where any
    use has no such name, uses are numbered. The gradients take (number of uses) × (size of the weight) numbers. Touches no
    .grad.  ValueError if the output does not depend on the weight, TypeError for what is not a node; else as in backward().

    >>> from tinygrad_vg import Scalar, uses
    >>> w, h = Scalar(0.5, name="w"), 1.0
    >>> for t in (1, 2, 3):
    ...     h = (w * h).named("h", t)
    >>> print(uses(h, w))
    the gradient of w, norm 0.75, over its 3 uses
    at    use  norm   share   so far
    h[1]    1  0.25  33.3 %   33.3 %  ████████████
    h[2]    2  0.25  33.3 %   66.7 %  ████████████
    h[3]    3  0.25  33.3 %  100.0 %  ████████████
    """
    order, several = differentiable(output), isinstance(weight, np.ndarray) and weight.dtype == object
    places: dict[Node, tuple] = {}
    for place, node in np.ndenumerate(weight) if several else [((), weight)]:
        if not isinstance(node, Node):
            raise TypeError(f"uses needs a weight that is a node, or an array of Scalars; got {type(node).__name__}")
        places[node] = place
    parts = parts_of(order, places, output.start(seed))
    name = next(iter(places)).name
    called = describe(weight) if not several else name.base if name else "an array of Scalars"
    if not parts:
        raise ValueError(f"{describe(output)} does not depend on {called}: it is used nowhere, and the gradient is 0")
    if several:
        return Uses(called, gathered(parts, weight.shape))
    return Uses(called, [(index, at, g) for index, at, _, g in parts])


def parts_of(order: list[Node], weights: dict[Node, tuple], seed: Any) -> list[tuple[int, str, tuple, Any]]:
    """For each edge to one of the weights, oldest first: index, name of its place, the entry it leads to, its gradient."""
    inner = dependents(order, weights) - {weight for weight in weights if weight.rule is None}
    users = [node for node in order if any(parent in weights for parent in node.variables)]
    gradients = {order[-1]: seed}
    sweep(order, gradients, wanted=set(users), inside=inner)
    with np.errstate(all="ignore"):
        pulled = [(u, w, w.finalise(part)) for u, w, part in contributions(users, gradients, inside=weights)][::-1]
    names, counts = next_names(order), dict.fromkeys(weights, 0)
    timed = all(names[user] and names[user].index for user in users)
    parts = []
    for user, parent, g in pulled:
        counts[parent] += 1
        index = names[user].index[0] if timed else counts[parent]
        parts.append((index, str(names[user] or user.op), weights[parent], g))
    return parts


def next_names(order: list[Node]) -> dict[Node, Any]:
    """Each node's own name, or else that of the oldest node after it on the way to the output; None if none has a name."""
    names: dict[Node, Name | None] = {order[-1]: order[-1].name}
    for node in reversed(order):
        for parent in node.variables:
            names[parent] = parent.name or names[node] or names.get(parent)
    return names


def gathered(parts: list[tuple[int, str, tuple, Any]], shape: tuple[int, ...]) -> list[tuple[int, str, Any]]:
    """The uses of single entries put together to arrays, one for each index."""
    rows: dict[int, tuple[int, str, np.ndarray]] = {}
    for index, at, place, g in parts:
        at = at.partition("[")[0] + f"[{index}]" if "[" in at else at
        rows.setdefault(index, (index, at, np.zeros(shape)))[2][place] += g
    return [rows[index] for index in sorted(rows)]


def share_of(g: Any, total: Any) -> float:
    """⟨g, G⟩ / |G|²; nan if G is 0. Neither over- nor underflows on the way."""
    top = float(np.max(np.abs(total), initial=0.0))
    with np.errstate(all="ignore"):
        return float(np.sum(g / top * (total / top)) / np.sum(np.square(total / top))) if top else math.nan
