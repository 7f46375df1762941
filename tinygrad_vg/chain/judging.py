"""Which reason is it?  From the account of a sweep (see flow) to the kind of a verdict, and the numbers in words.

What stops the gradient altogether comes first; then two numbers decide, the signal and the log gain. A weight that is used
step after step is judged by the use that is farthest from the loss and by the nearest one: a sum over uses is large if the
last few are, and that says nothing of how far the gradient reaches.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import grad
from ..autodiff.core import Node, describe
from .factors import exp
from .flow import COUNT, DEAD, MERGES, SATURATED, SLOPES, WEIGHTS, Flow, Part
from .sites import at_use, recurs

SMALL_SIGNAL = 1e-3  # an mse error of 5e-4 for one output: what is left of a loss of order 1 is below 1e-6
FAR = 4.0  # nats, a factor of 55 either way: no one step size suits both ends. A sigmoid MLP of depth 5 loses 4.3 and does not learn
OF_SLOPES = ("dead", "saturated", "shallow slopes")
SOUND = ("healthy", "converged", "zero state")  # nothing has shrunk the gradient


class Judgement(NamedTuple):
    """What a Verdict is made of."""

    kind: str
    why: str
    numbers: dict[str, float]
    source: str
    op: str = ""


class Parameter(NamedTuple):
    """A parameter, one leaf or an array of Scalars, and for each of its leaves the nodes that it makes."""

    output: Node
    order: list[Node]  # the history of the output
    names: dict[Node, Any]  # what is near each node
    name: str
    sites: list[list[Node]]


def judged(flow: Flow, output: Node, sources: list[Node], seed: Any, name: str, part: Part | None = None) -> Judgement:
    """From the account to the verdict on the sources, or on the part of them that is given."""
    if not flow.connected:
        return Judgement("disconnected", f"{describe(output)} does not depend on {name}, so the gradient is 0.", {}, name)
    part = part or flow.arrived
    numbers = numbers_of(flow, part)
    with np.errstate(all="ignore"):
        actual = [np.asarray(g) for g in grad(output, sources, seed)]
    kind = stopped(flow, part, actual) or small_or_large(flow.log_signal, numbers["log_gain"], part.account)
    return Judgement(kind, sentence(flow, part, kind, numbers, name), numbers, name, part.op if kind in OF_SLOPES else "")


def of_uses(uses: Parameter, seed: Any) -> Judgement:
    """The verdict on a parameter at its first use that does not only meet a state of 0; if its uses are steps, at its last, too."""
    output, sites, last = uses.output, uses.sites, max(map(len, uses.sites)) - 1
    steps = recurs(uses.order, max(sites, key=len))
    if not steps:
        first = Flow(output, at_use(sites, 0), seed)
        if last == 0 or not first.connected or not is_zero_state(first.arrived):
            return judged(first, output, at_use(sites, 0), seed, uses.name)
    flow = Flow(output, [node for own in sites for node in own], seed, through=True)
    k = next((k for k in range(last + 1) if not is_zero_state(flow.at(at_use(sites, k)))), 0)
    far = use_judged(uses, flow, k, "farthest", seed)
    skipped = (f"\nUses 1 to {k} meet" if k > 1 else "\nUse 1 meets") + " a state of exactly 0." if k else ""
    if not steps or k == last:
        return far._replace(why=f"{far.why}{skipped}")
    near = use_judged(uses, flow, last, "nearest", seed)
    decides, word, other = (near, "farthest", far) if far.kind in SOUND and near.kind not in SOUND else (far, "nearest", near)
    gains = {"nearest_log_gain": near.numbers["log_gain"], "farthest_log_gain": far.numbers["log_gain"]}
    also = f"The {word}, in {other.source}, arrives with {other.numbers['log_gain']:+.2f} nats: {other.kind}. See uses()."
    return decides._replace(why=f"{decides.why}{skipped}\n{also}", numbers=decides.numbers | {"uses": last + 1.0} | gains)


def use_judged(uses: Parameter, flow: Flow, k: int, word: str, seed: Any) -> Judgement:
    """The verdict on the k-th use; its source says where that is."""
    nodes = at_use(uses.sites, k)
    where = str(uses.names[nodes[0]] or describe(nodes[0]))
    count = max(map(len, uses.sites))
    name = f"the {word} use of {uses.name}, in {where} ({k + 1} of {count})"
    return judged(flow, uses.output, nodes, seed, name, flow.at(nodes))._replace(source=where)


def is_zero_state(part: Part) -> bool:
    """Whether nothing arrives only because a state or an input is exactly 0."""
    return part.zero is not None and part.zero.kind == "zero state"


def stopped(flow: Flow, part: Part, actual: list[np.ndarray]) -> str:
    """The kind, if the gradient is exactly 0 or not finite; else ''."""
    if flow.infinite or not all(np.all(np.isfinite(g)) for g in actual):
        return "overflowed"
    if flow.log_signal == -math.inf:
        return "converged"
    return part.zero.kind if part.zero else "" if any(np.any(g) for g in actual) else "underflowed"


def small_or_large(signal: float, gain: float, account: np.ndarray) -> str:
    """The kind, from ln |signal|, the log gain, and for a small gain the part of the account that cost most."""
    if signal < math.log(SMALL_SIGNAL) and signal < gain and signal + gain < 0:
        return "converged"
    if abs(gain) <= FAR:
        return "healthy"
    if gain > 0:
        return "exploding"
    least = min((SLOPES, WEIGHTS, MERGES), key=lambda k: account[k])
    if least != SLOPES:
        return "contracting weights" if least == WEIGHTS else "cancelled"
    half = account[SLOPES] / 2
    return "dead" if account[DEAD] <= half else "saturated" if account[SATURATED] <= half else "shallow slopes"


def numbers_of(flow: Flow, part: Part) -> dict[str, float]:
    """The two numbers that decide, and the account. Where the signal is 0 there is no gain."""
    log, account, met = part.log, part.account, flow.met
    gain = log - flow.log_signal if math.isfinite(flow.log_signal) else math.nan
    parts = {"slopes": account[SLOPES], "weights": account[WEIGHTS], "merges": account[MERGES]}
    shares = {"zero_slopes": met[0] / (met[2] or 1), "flat_slopes": met[1] / (met[2] or 1)}
    per_factor = gain / account[COUNT] if account[COUNT] else gain
    first = {"signal": exp(flow.log_signal), "log_gain": gain, "factors": account[COUNT], "per_factor": per_factor}
    return {name: float(x) for name, x in (first | parts | shares).items()}


def sentence(flow: Flow, part: Part, kind: str, n: dict[str, float], name: str) -> str:
    """The numbers in words, three lines at most."""
    where = describe(flow.predictions[0]) + (" and others" if len(flow.predictions) > 1 else "")
    if kind == "overflowed":
        beyond = f"The product is {power(part.log)}, beyond the largest number of its dtype"
        return f"{flow.infinite or beyond}; signal {n['signal']:.3g} at {where}."
    if n["signal"] == 0:
        return f"The signal, |gradient| at {where}, is exactly 0."
    if part.zero:
        share = f" ({n['zero_slopes']:.0%} of all slopes are 0)" if part.zero.op and n["zero_slopes"] > 0 else ""
        return f"signal {n['signal']:.3g} at {where}, and exactly 0 of it arrives at {name}:\n{part.zero.what}{share}."
    op = f" ({part.op})" if kind in OF_SLOPES and part.op else ""
    return (
        f"signal {n['signal']:.3g} at {where}; log gain {n['log_gain']:+.2f} nats from there to {name}, "
        f"{n['per_factor']:+.2f} for each of {n['factors']:.{2 if 0 < n['factors'] < 1 else 0}f} factor{'s' * (n['factors'] != 1)}:\n"
        f"slopes {n['slopes']:+.2f}{op}, weights {n['weights']:+.2f}, merges {n['merges']:+.2f}. So |gradient| = {power(part.log)}."
    )


def power(log: float) -> str:
    """exp(log) with three digits, also where that is no float."""
    return f"{math.exp(log):.3g}" if abs(log) < 700 else f"10^{log / math.log(10):.1f}"
