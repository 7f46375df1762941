"""What of the loss at one step reaches the state at another?  One number for each pair: |∂L_t/∂h_s|.

With a loss at every step, the gradient of their sum looks healthy though nothing is learned over long distances: the terms next to a
state outshout the far ones. Told apart by lag, the distance from the loss's step back to the state, they show what arrives.

    L  loss      h  state      t  step of a loss      s  step of a state      k  lag
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, describe
from ..text.lines import Result
from ..text.numbers import from_log, signed
from ..text.tables import folded, table
from .carried import carried
from .stations import Group, members, named
from .table import DECADES, LEGEND


class Lag(NamedTuple):
    """All pairs of a loss and a state so many steps before it.

    mean     of their |∂L_t/∂h_s|           log_mean     its logarithm, nats, right also where the mean underflows
    typical  their geometric mean, zeros left out           log_typical  its logarithm
    pairs    how many                       zeros        how many of them are exactly 0
    """

    lag: int
    mean: float
    typical: float
    log_mean: float
    log_typical: float
    pairs: int
    zeros: int


class Reach(Result):
    """How much of each loss reaches each state: made by reach(). Rows are losses, columns are states, in the order given.

    .matrix      |∂L_t/∂h_s| (losses, states); 0 where no path leads from the loss to the state
    .log_matrix  its logarithm, nats, right also where the matrix under- or overflows; −inf for 0. (Between one state and
                 the next the sweep is an ordinary one: if that alone underflows, it is 0.)
    .lags        (losses, states): steps from the loss back to the state; negative for states after the loss's own step
    .losses .states  their names
    """

    kept = ("losses", "states", "lags", "matrix", "log_matrix", "by_lag")

    def __init__(self, losses: list[Node], groups: list[Group], at: np.ndarray):
        with np.errstate(all="ignore"):
            norms, exponents = carried(losses, groups)
            self.matrix = np.ldexp(norms, exponents)
            self.log_matrix = np.where(norms == 0, -np.inf, np.log(norms) + exponents * math.log(2))
        self.losses, self.states = [named((loss,)) for loss in losses], [named(group) for group in groups]
        self.lags = at[:, None] - np.arange(len(groups))

    def by_lag(self) -> list[Lag]:
        """For each distance from a loss's step back to a state: mean and geometric mean over all such pairs. Nearest first, from lag 0."""
        order = np.argsort(self.lags, axis=None, kind="stable")
        lags, logs = self.lags.ravel()[order], self.log_matrix.ravel()[order]
        found, starts = np.unique(lags, return_index=True)
        return [lag_of(k, same) for k, same in zip(found.tolist(), np.split(logs, starts[1:])) if k >= 0]

    def reach(self, tolerance: float = 1e-3) -> int | None:
        """The first lag from which on the mean is less than `tolerance` times that of lag 0. None: never, or nan is among them."""
        if not tolerance > 0:
            raise ValueError(f"the tolerance is a share above 0, as 1e-3; got {tolerance}")
        rows = self.by_lag()
        shares = self.shares(rows)
        far = [k for k, share in enumerate(shares) if not share < math.log(tolerance)]  # nan counts as far
        first = far[-1] + 1 if far else 0
        return rows[first].lag if first < len(rows) else None

    def shares(self, rows: list[Lag]) -> list[float]:
        """ln of the mean at each lag, relative to that at lag 0; nan if nothing finite arrives there."""
        start = next((row.log_mean for row in rows if row.lag == 0), math.nan)
        return [row.log_mean - start if math.isfinite(start) else math.nan for row in rows]

    def __str__(self) -> str:
        rows = self.by_lag()
        logs = [share / math.log(10) for share in self.shares(rows)]
        cells = [
            (str(r.lag), str(r.pairs), from_log(r.log_mean, 3), from_log(r.log_typical, 3), str(r.zeros or ""), signed(x), x / DECADES)
            for r, x in zip(rows, logs)
        ]
        what = f"|∂L/∂h| of {len(self.losses)} losses at {len(self.states)} states, by lag: steps back from the loss"
        shown = table(folded(cells), ("lag", "pairs", "mean", "typical", "zeros", "log10 of lag 0"))
        return "\n".join([what, shown, LEGEND, self.sentence()])

    def sentence(self, tolerance: float = 1e-3) -> str:
        """How far back it reaches, in words."""
        rows = self.by_lag()
        shares, lag = self.shares(rows), self.reach(tolerance)
        if any(share != share for share in shares):
            strange = np.any(np.isnan(self.log_matrix) | np.isposinf(self.log_matrix))
            return f"how far it reaches is not known: {'nan or inf is among them' if strange else 'nothing arrives at lag 0'}"
        if lag is None:
            return f"at lag {rows[-1].lag}, the largest, {from_log(shares[-1])} of lag 0 still arrives: more than {tolerance:g}"
        return f"from lag {lag} on less than {tolerance:g} of lag 0 arrives"


def reach(losses: Iterable[Any], states: Iterable[Any], at: Iterable[int] | None = None) -> Reach:
    """The length of the gradient of each loss at each state: matrix[t, s] = |∂L_t/∂h_s|, over all numbers of the state.

    losses  nodes of one number each, the terms of the loss: one for each step
    states  what nn.unroll returns; each a node, an array of Scalars, or a tuple of these, such as the (h, c) of an LSTM
    at      for each loss the position in `states` of the state of its own step, from which lags are counted. Left out, both
            lists end at the same step: with T losses and T + 1 states the first loss belongs to states[1]

    The numbers of a tuple are varied each by itself, the other members held fixed, as at a station of a Chain: for an LSTM it is
    the derivative by the vector (h, c) that the next step receives. (.grad of c also counts the way from c into the h
    of the same step, a second time.) So matrix[t, s] is the length of Chain(losses[t], …).gradients at that station.

    Two sweeps for each loss at most, and far fewer where states are linked by small Jacobians: a thousand steps of 16 units take
    a second or two. (Give an LSTM's (h, c): past h alone the way through c leads on, and that takes a sweep for each loss.)
    Of a large array a sweep walks through what its loss reads: of a thousand steps of causal attention one row of all the scores.

    TypeError for what is no node, ValueError for empty lists, losses that are not one number, or a tuple between whose members
    another state lies; RuntimeError if a leaf changed since the forward pass.

    >>> from tinygrad_vg import Scalar, reach
    >>> w, h = Scalar(0.2, name="w"), [Scalar(1.0, name="h[0]")]
    >>> for t in range(1, 6):
    ...     h.append((w * h[-1]).named("h", t))
    >>> print(reach([2.0 * state for state in h[1:]], h))
    |∂L/∂h| of 5 losses at 6 states, by lag: steps back from the loss
    lag  pairs      mean   typical  log10 of lag 0
    0        5         2         2           +0.00
    1        5       0.4       0.4           -0.70  █▍
    2        4      0.08      0.08           -1.40  ██▊
    3        3     0.016     0.016           -2.10  ████▎
    4        2    0.0032    0.0032           -2.80  █████▋
    5        1  6.40e-04  6.40e-04           -3.49  ███████
    bar: 2 columns a decade, ▒ above 1, » beyond 6
    from lag 5 on less than 0.001 of lag 0 arrives
    """
    terms, groups = losses_of(losses), states_of(states)
    return Reach(terms, groups, steps_of(at, len(terms), len(groups)))


def losses_of(losses: Iterable[Any]) -> list[Node]:
    """The losses as a list of nodes of one number each."""
    if isinstance(losses, Node):
        raise TypeError(f"losses is a list, one node for each step, such as [L[t] for t in range(T)]; got {describe(losses)} by itself")
    terms = list(losses)
    if not terms:
        raise ValueError("losses is empty; give a list of nodes, one loss for each step")
    for t, loss in enumerate(terms):
        if not isinstance(loss, Node):
            raise TypeError(f"losses[{t}] must be a node (a Scalar or a Tensor), got {type(loss).__name__}; leave out .data and .item()")
        if loss.size != 1:
            raise ValueError(f"losses[{t}], {describe(loss)}, has shape {loss.shape}; a loss is one number: reduce it with .sum()")
    return terms


def states_of(states: Iterable[Any]) -> list[Group]:
    """The states as groups of nodes."""
    if isinstance(states, Node):
        raise TypeError(f"states is a list, as nn.unroll returns it; for one, write [{describe(states)}]")
    groups = []
    for s, state in enumerate(states):
        try:
            groups.append(tuple(dict.fromkeys(members(state))))
        except TypeError as error:
            way = "a node, an array of Scalars, or a tuple of these, such as the (h, c) of an LSTM"
            raise TypeError(f"states[{s}] must be {way}; got {type(state).__name__}") from error
        if not groups[-1]:
            raise ValueError(f"states[{s}] is empty; a state has at least one node")
    if not groups:
        raise ValueError("states is empty; give a list of states, as nn.unroll returns it")
    return groups


def steps_of(at: Iterable[int] | None, T: int, S: int) -> np.ndarray:
    """The position of the state of each loss's own step."""
    if at is None and T > S:
        raise ValueError(f"there are {T} losses and {S} states; say with at= which state belongs to the step of each loss")
    places = np.arange(S - T, S) if at is None else np.array(list(at))
    if places.shape != (T,) or places.dtype.kind != "i" or not np.all((0 <= places) & (places < S)):
        raise ValueError(f"at must hold {T} positions from 0 to {S - 1}, one for each loss; got {places.tolist()}")
    return places


def lag_of(lag: int, logs: np.ndarray) -> Lag:
    """Means of exp(logs), formed without under- or overflow."""
    alive = logs[logs != -np.inf]
    with np.errstate(all="ignore"):
        mean = float(np.logaddexp.reduce(logs)) - math.log(len(logs))
        typical = float(np.mean(alive)) if len(alive) else -math.inf
        return Lag(lag, float(np.exp(mean)), float(np.exp(typical)), mean, typical, len(logs), len(logs) - len(alive))
