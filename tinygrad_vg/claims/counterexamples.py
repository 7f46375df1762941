"""Is either one necessary, or enough?  Five sentences of the debate, each with a network that says otherwise.

    x  state      w  weight      W  weights (N, N)      g  gradient      T  steps
"""

from typing import Any

import numpy as np

from .. import Chain, Scalar, nn
from ..nn.layers import each, generators
from ..training.learning import Row
from .recurrences import draws, log_gains, measured, states


def counter_examples(N: int = 64, T: int = 50, depth: int = 20, seeds: int = 20, rng: Any = 0) -> list[Row]:
    """Rows of {claim, network, log gain (nats, mean over seeds), sd, slopes, weights}: what the two factors did, and both together."""
    (untied,) = measured([("sigmoid", "untied", 1.0)], N, depth, seeds, rng, lambda h, g: log_gains(h[-1], g).sum(axis=0)).values()
    Q = each(generators(rng, seeds), lambda rng: nn.init.orthogonal((1, N, N), rng))
    _, h, g = next(draws(1, 1, seeds, rng))
    h, g = (np.broadcast_to(x, (seeds, 1, N)) for x in (h, g))
    tied = log_gains(states(("linear", "tied", 1.0), np.broadcast_to(Q, (seeds, T, N, N)), h)[-1], g).sum(axis=0)
    return [
        one_unit("sigmoids are needed", "x ← 0.9 x", T, 0.9),
        one_unit("sigmoids are enough", "x ← σ(4 x − 2), from 0.5", T, 4.0, -2.0),
        *(one_unit("sigmoids only shrink", f"x ← σ(5 x − 2.5), from {x}", T, 5.0, -2.5, x) for x in (0.5, 0.501)),
        many("tying is needed", f"σ MLP of {depth} layers, {depth} W", untied),
        many("tying is enough", "h ← Q h, one orthogonal Q", tied)]


def one_unit(claim: str, network: str, T: int, w: float, b: float | None = None, x: float = 0.5) -> Row:
    """T steps of one unit, x ← w x, or x ← σ(w x + b): the chain of scalars from the last x to the first."""
    first = state = Scalar(x, name="x")
    for _ in range(T):
        state = w * state if b is None else (w * state + b).sigmoid()
    chain = Chain(state, first)
    parts = chain.blame().parts
    slopes = parts["activation size"] + parts["activation alignment"]
    gain = chain.log_product[0]
    return {"claim": claim, "network": network, "log gain": gain, "sd": 0.0, "slopes": slopes, "weights": gain - slopes}


def many(claim: str, network: str, logs: np.ndarray) -> Row:
    """The same of many draws of a wide network; logs (seeds, 3), the sum of log_gains over all steps."""
    slopes, gain = float(logs[:, 0].mean()), logs.sum(axis=1)
    measured = {"log gain": float(gain.mean()), "sd": float(gain.std(ddof=1)), "slopes": slopes, "weights": float(gain.mean()) - slopes}
    return {"claim": claim, "network": network, **measured}
