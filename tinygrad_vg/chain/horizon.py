"""How far back does the gradient reach?  The number of links after which the gain has fallen below a tolerance.

    g  gradient      J  Jacobian of the output with respect to a station      n  size of the output
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autodiff.maps import DENSE_LIMIT, unit_arrays
from ..text.lines import Printed
from ..text.numbers import jsonable
from .chain import Chain
from .factors import log, norm

NAMES = ("actual", "typical", "worst")


class Horizon(Printed):
    """How many links back from the output the gain first falls below the tolerance; None: it never does.

    .actual   for the chain's own gradient        .typical  for a random one, |J|_F / √n        .worst  for the luckiest, σ_max(J)
    .gains    {name: [ln gain at each station, from the output back]}; typical and worst end where both are decided

    typical and worst are None, and without gains, where the output or a station has more than 2,000 numbers.
    """

    def __init__(self, chain: Chain, tolerance: float = 1e-3):
        if not tolerance > 0:
            raise ValueError(f"the tolerance is a gain above 0, as 1e-3; got {tolerance}")
        self.tolerance, self.links = tolerance, len(chain.links)
        self.gains: dict[str, list[float]] = {"actual": chain.log_product[::-1], "typical": [], "worst": []}
        if max(math.prod(shape) for shape in [chain.output.shape, *(link.shape_in for link in chain.links)]) <= DENSE_LIMIT:
            with np.errstate(all="ignore"):
                self.follow(chain)
        self.actual, self.typical, self.worst = (self.first_below(self.gains[name]) for name in NAMES)

    def follow(self, chain: Chain) -> None:
        """Pull every row of J back, link by link, its size kept apart as a logarithm."""
        rows = list(unit_arrays(chain.output.shape))
        n, exponent = len(rows), 0
        for link in [None, *reversed(chain.links)]:
            J = np.array([link.pull(row) for row in rows] if link else rows, dtype=float)
            shift = math.frexp(norm(J))[1] if 0 < norm(J) < math.inf else 0
            rows, exponent = [np.ldexp(row, -shift) for row in J], exponent + shift
            flat = np.reshape(rows, (n, -1))
            top = float(np.linalg.norm(flat, 2)) if np.all(np.isfinite(flat)) else math.nan
            self.gains["typical"].append(log(norm(flat) / math.sqrt(n)) + exponent * math.log(2))
            self.gains["worst"].append(log(top) + exponent * math.log(2) if top == top else math.nan)
            if self.first_below(self.gains["worst"]) is not None or top != top:
                return

    def first_below(self, gains: list[float]) -> int | None:
        """The first station, counted from the output, whose gain is below the tolerance."""
        return next((k for k, gain in enumerate(gains) if gain < math.log(self.tolerance)), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; nan and infinities as text."""
        gains = {name: [jsonable(gain) for gain in self.gains[name]] for name in NAMES}
        return {"tolerance": self.tolerance, "links": self.links, **{name: getattr(self, name) for name in NAMES}, "gains": gains}

    def __str__(self) -> str:
        return "\n".join([f"links back until the gain is below {self.tolerance:.3g}", *map(self.line, NAMES)])

    def line(self, name: str) -> str:
        """One of the three, in words."""
        reach, gains = getattr(self, name), self.gains[name]
        if not gains:
            return f"  {name:8} not computed: more than {DENSE_LIMIT} numbers at a station"
        end = f"10^{gains[-1] / math.log(10):+.2f} after all {self.links}" if len(gains) > self.links else "undefined"
        return f"  {name:8} {reach if reach is not None else f'never ({end})'}"

    def __repr__(self) -> str:
        return f"Horizon(tolerance={self.tolerance:.3g}, actual={self.actual}, typical={self.typical}, worst={self.worst})"


def horizon(chain: Chain, tolerance: float = 1e-3) -> Horizon:
    """How many links back from the output the gain falls below the tolerance, for the actual, typical and worst gradient."""
    return Horizon(chain, tolerance)
