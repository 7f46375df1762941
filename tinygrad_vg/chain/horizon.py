"""How far back does the gradient reach?  The number of links after which the gain has fallen below a tolerance.

A loss is one number, so the Jacobian of it is one row, and its own gradient is the only one there is. What would another
loss have? Typical and worst therefore begin at the last state: the first station back from the output with more than one number.

    g  gradient      J  Jacobian of where the count begins with respect to a station      n  size of where it begins
"""

import math
from typing import Any

import numpy as np

from ..autodiff.maps import DENSE_LIMIT, unit_arrays
from ..text.lines import Result, clean
from .chain import Chain
from .factors import log, scaled

NAMES = ("actual", "typical", "worst")


class Horizon(Result):
    """How many links back the gain first falls below the tolerance; None: it never does.

    .actual   for the chain's own gradient, counted from the output
    .typical  for a random one, |J|_F / √n        .worst  for the luckiest, σ_max(J); both counted from .start
    .start    the name of the first station back from the output that has more than one number; the output, if none has
    .gains    {name: [ln gain at each station, from where it is counted back]}; typical and worst end where both are decided

    typical and worst are None, and without gains, where .start or a station before it has more than 2,000 numbers.
    """

    kept = ("tolerance", "links", "start", *NAMES, "gains")

    def __init__(self, chain: Chain, tolerance: float = 1e-3):
        if not tolerance > 0:
            raise ValueError(f"the tolerance is a gain above 0, as 1e-3; got {tolerance}")
        self.tolerance, self.links = tolerance, len(chain.links)
        self.gains: dict[str, list[float]] = {"actual": chain.log_product[::-1], "typical": [], "worst": []}
        back = chain.gradients[::-1]
        self.skipped = next((k for k, g in enumerate(back) if g.size > 1), 0)
        self.output, self.start = chain.names[-1], chain.names[-1 - self.skipped]
        if max(g.size for g in back[self.skipped :]) <= DENSE_LIMIT:
            with np.errstate(all="ignore"):
                self.follow(chain.links[: self.links - self.skipped], back[self.skipped].shape)
        self.actual, self.typical, self.worst = (self.first_below(self.gains[name]) for name in NAMES)

    def follow(self, links: list[Any], shape: tuple[int, ...]) -> None:
        """Pull every row of J back, link by link, its size kept apart as a logarithm."""
        rows: Any = list(unit_arrays(shape))
        n, exponent = len(rows), 0
        for link in [None, *reversed(links)]:
            J = np.array([link.pull(row) for row in rows] if link else rows, dtype=float)
            rows, shift, size = scaled(J)
            exponent += shift
            top = float(np.linalg.norm(rows.reshape(n, -1), 2)) if np.all(np.isfinite(rows)) else math.nan
            self.gains["typical"].append(log(size / math.sqrt(n)) + exponent * math.log(2))
            self.gains["worst"].append(log(top) + exponent * math.log(2) if top == top else math.nan)
            if self.first_below(self.gains["worst"]) is not None or top != top:
                return

    def first_below(self, gains: list[float]) -> int | None:
        """The first station, counted from where the gains begin, whose gain is below the tolerance."""
        return next((k for k, gain in enumerate(gains) if gain < math.log(self.tolerance)), None)

    def __str__(self) -> str:
        return "\n".join([f"links back until the gain is below {self.tolerance:.3g}", *map(self.line, NAMES)])

    def line(self, name: str) -> str:
        """One of the three, in words."""
        reach, gains = getattr(self, name), self.gains[name]
        if not gains:
            return f"  {name:8} not computed: more than {DENSE_LIMIT} numbers at a station"
        links, begin = (self.links, self.output) if name == "actual" else (self.links - self.skipped, self.start)
        end = f"10^{gains[-1] / math.log(10):+.2f} after all {links}" if len(gains) > links else "undefined"
        return f"  {name:8} {reach if reach is not None else f'never ({end})'}" + f", counted from {clean(begin)}" * (self.skipped > 0)


def horizon(chain: Chain, tolerance: float = 1e-3) -> Horizon:
    """How many links back the gain falls below the tolerance, for the actual, typical and worst gradient (these from the last state)."""
    return Horizon(chain, tolerance)
