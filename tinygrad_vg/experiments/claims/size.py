"""How large, how small, and is it the sigmoid?  Claims P1 to P8 of the post."""

from __future__ import annotations

import numpy as np

from .claim import Found, claim, near


@claim(
    "P4", "half", "What makes gradients vanish is the flat tails of the sigmoid.",
    "At its very best, in the middle, the slope of a sigmoid is 1/4: ten layers that saturate nowhere leave less than a millionth.",
    {"0.25^10": near(0.25**10, rel=1e-9), "slope at 0": near(0.25, 1e-15), "0.25^50": near(0.25**50, rel=1e-9)},
)  # fmt: skip
def flat_tails() -> Found:
    from ... import Chain, Scalar

    x = Scalar(0.0, name="x")
    h = x
    best = []
    for t in range(1, 51):
        h = (h - h.data).sigmoid().named("h", t)  # each sigmoid where it is steepest
        best.append(Chain(h, x).gradients[0].item())
    n = np.arange(1, 51)
    return Found(
        {"0.25^10": best[9], "slope at 0": best[0], "0.25^50": best[-1]}, {"gradient": (n, best)}, ("layers", "|gradient| at the input"),
    )  # fmt: skip
