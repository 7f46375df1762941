"""Why is this gradient small or large?  A verdict: one of a dozen reasons, and the two numbers that decide.

    signal    the gradient's length at the prediction, the loss's input: how much the loss asks for
    log gain  ln |gradient at the source| / |signal|, in nats: what the chain makes of it

A gradient that is small because the loss asks for nothing has converged; one that is small because the chain lost it has
vanished, and the account of the log gain (see flow) says to what. The norm of a weight's gradient decides nothing: it is
large where activations are large, whatever the chain did. A model is judged at the first use of each of its parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.node import Node, describe, history
from ..autodiff.sweep import grad
from .chain import jsonable
from .flow import COUNT, DEAD, MERGES, SATURATED, SLOPES, WEIGHTS, Flow
from .stations import members
from .text import clean, cut, wrapped

# fmt: off
KINDS = {  # kind: what it means, what usually helps; the worst first
    "overflowed":          ("an inf or a nan", "find where it is born with detect_anomaly(); scale the weights down or normalise"),
    "disconnected":        ("no path leads from the output to the source", "look for .data, detach(), no_grad() or a cut on the way"),
    "dead":                ("rectifiers that are off let nothing through", "smaller steps, a higher bias, He init, or a leaky ReLU"),
    "underflowed":         ("the product is below the smallest number of its dtype", "bring the gains to 1; float64 only delays it"),
    "cancelled":           ("paths meet and subtract each other", "look for branches, or a normalisation, that undo each other"),
    "exploding":           ("the factors multiply to much more than 1", "clip the gradient; orthogonal or smaller weights; gates"),
    "saturated":           ("activations near their bounds, where they are flat", "smaller weights or inputs, or a norm before them"),
    "shallow slopes":      ("slopes below 1 though not near a bound", "tanh or ReLU, a normalisation, or a way past: skips, gates"),
    "contracting weights": ("weights (gates, constant factors) that shrink", "larger or orthogonal weights; a bias that opens the gates"),
    "converged":           ("the loss asks for nothing", "nothing: the error is almost 0 here"),
    "healthy":             ("signal and gain are in their usual range", "nothing"),
}
# fmt: on

SMALL_SIGNAL = 1e-3  # an mse error of 5e-4 for one output: what is left of a loss of order 1 is below 1e-6
FAR = 4.0  # nats, a factor of 55 either way: no one step size suits both ends. A sigmoid MLP of depth 5 loses 4.3 and does not learn


class Verdict:
    """Why a gradient is small or large.

    .kind     a key of KINDS             .why  one sentence with the numbers            .helps  what usually does
    .numbers  {'signal', 'log_gain', 'per_factor', 'slopes', 'weights', 'merges' (nats), 'zero_slopes', 'flat_slopes' (shares)}
    .source   the name of what was judged
    .parts    for a model, the verdict on each parameter; its own kind is that of the worst

    >>> from tinygrad_vg import Scalar, sigmoid, square
    >>> from tinygrad_vg.chain.verdict import verdict
    >>> h = x = Scalar(0.5, name="x")
    >>> for _ in range(13):
    ...     h = sigmoid(h - 0.5)
    >>> print(verdict(square(h - 1.0), x))
    shallow slopes: slopes below 1 though not near a bound.
    signal 1 at the Scalar made by sigmoid; log gain -18.02 nats from there to x, -1.39 for each of 13 factors:
    slopes -18.02, weights +0.00, merges +0.00. So |gradient| = 1.49e-08.
    What usually helps: tanh or ReLU, a normalisation, or a way past: skips, gates.
    """

    def __init__(self, kind: str, why: str, numbers: dict[str, float], source: str = "", parts: Iterable[Verdict] = ()):
        self.kind, self.why, self.numbers, self.source, self.parts = kind, why, numbers, source, list(parts)
        self.helps = KINDS[kind][1]

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers and text; nan and infinities as text, so json.dumps takes it."""
        numbers = {name: jsonable(x) for name, x in self.numbers.items()}
        plain = {"kind": self.kind, "why": self.why, "helps": self.helps, "source": self.source, "numbers": numbers}
        return plain | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})

    def __str__(self) -> str:
        rows = [f"  {cut(clean(part.source), 24):24} {part.kind:20} {part.figures()}" for part in self.parts]
        head = [f"{self.kind}{f' at {self.source}' if self.parts else ''}: {KINDS[self.kind][0]}."]
        return wrapped("\n".join([*head, self.why, f"What usually helps: {self.helps}.", *rows]))

    def figures(self) -> str:
        known = [(name, self.numbers[key]) for name, key in (("signal", "signal"), ("log gain", "log_gain")) if key in self.numbers]
        return ", ".join(f"{name} {x:+.2f}" if name == "log gain" else f"{name} {x:.3g}" for name, x in known)

    def __repr__(self) -> str:
        return f"Verdict({self.kind!r}{f' at {self.source}' if self.source else ''}: {self.figures()})"


def verdict(output: Node, source: Any, seed: Any = None, *, losses: Any = None) -> Verdict:
    """Why the gradient of `output` with respect to `source` is small or large.

    source  a node; a group of nodes (the state of an LSTM, an array of Scalars), taken as one vector; or a model: anything
            with parameters(), or {name: leaf}. Each parameter is judged where it is first used, and the worst names the whole
    seed    the gradient to start from; needed if the output has several entries. The output is the prediction then
    losses  the training so far, if there was any: a list of losses, or a History. It adds a sentence and decides nothing

    TypeError for what is neither; ValueError and RuntimeError as in backward().
    """
    if hasattr(source, "parameters") or isinstance(source, dict):
        leaves = source if isinstance(source, dict) else source.parameters()
        result = of_model(output, {name: members(as_group(leaf)) for name, leaf in leaves.items()}, seed)
    else:
        group = members(as_group(source))
        result = judged(Flow(output, group, seed), output, group, seed, describe(group[0]) + (", …" if len(group) > 1 else ""))
    return result if losses is None else with_history(result, losses)


def as_group(source: Any) -> Any:
    """One node, or what holds several; TypeError for what holds none."""
    if isinstance(source, (tuple, list, np.ndarray)) and len(members(list(source))) == 0:
        raise TypeError("an empty group of sources has no gradient to judge; name at least one node")
    return source


def of_model(output: Node, parameters: dict[str, list[Node]], seed: Any) -> Verdict:
    """The verdict on each parameter, at its first use; the kind of the worst for all."""
    if not parameters:
        raise TypeError("a model without parameters has no gradient to judge")
    first: dict[Node, Node] = {}
    for node in history(output):
        for parent in node.variables:
            if parent.rule is None:
                first.setdefault(parent, node)
    parts: dict[tuple[Node, ...], Verdict] = {}
    verdicts = []
    for name, leaves in parameters.items():
        sites = tuple(dict.fromkeys(first.get(leaf, leaf) for leaf in leaves))
        if sites not in parts:
            parts[sites] = judged(Flow(output, list(sites), seed), output, list(sites), seed, name)
        verdicts.append(Verdict(parts[sites].kind, parts[sites].why, parts[sites].numbers, name))
    worst = min(verdicts, key=lambda v: (list(KINDS).index(v.kind), -abs(v.numbers.get("log_gain", 0.0))))
    return Verdict(worst.kind, worst.why, worst.numbers, worst.source, verdicts)


def judged(flow: Flow, output: Node, sources: list[Node], seed: Any, name: str) -> Verdict:
    """From the account to the verdict: what stops the gradient altogether comes first, then the two numbers decide."""
    if not flow.connected:
        return Verdict("disconnected", f"{describe(output)} does not depend on {name}, so the gradient is 0.", {}, name)
    numbers = numbers_of_flow(flow)
    with np.errstate(all="ignore"):
        actual = [np.asarray(g) for g in grad(output, sources, seed)]
    kind = stopped(flow, actual) or small_or_large(flow.log_signal, numbers["log_gain"], flow.arrived.account)
    return Verdict(kind, sentence(flow, kind, numbers, name), numbers, name)


def stopped(flow: Flow, actual: list[np.ndarray]) -> str:
    """The kind, if the gradient is exactly 0 or not finite; else ''."""
    if flow.infinite or not all(np.all(np.isfinite(g)) for g in actual):
        return "overflowed"
    if flow.log_signal == -math.inf:
        return "converged"
    return flow.arrived.zero or ("" if any(np.any(g) for g in actual) else "underflowed")


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


def numbers_of_flow(flow: Flow) -> dict[str, float]:
    """The two numbers that decide, and the account. Where the signal is 0 there is no gain."""
    log, account, met = flow.arrived.log, flow.arrived.account, flow.met
    gain = log - flow.log_signal if math.isfinite(flow.log_signal) else math.nan
    parts = {"slopes": account[SLOPES], "weights": account[WEIGHTS], "merges": account[MERGES]}
    shares = {"zero_slopes": met[0] / (met[2] or 1), "flat_slopes": met[1] / (met[2] or 1)}
    per_factor = gain / account[COUNT] if account[COUNT] else gain
    first = {"signal": exp(flow.log_signal), "log_gain": gain, "factors": account[COUNT], "per_factor": per_factor}
    return {name: float(x) for name, x in (first | parts | shares).items()}


def sentence(flow: Flow, kind: str, n: dict[str, float], name: str) -> str:
    """The numbers in words, three lines at most."""
    where = describe(flow.predictions[0]) + (" and others" if len(flow.predictions) > 1 else "")
    if kind == "overflowed":
        beyond = f"The product is {power(flow.arrived.log)}, beyond the largest number of its dtype"
        return f"{flow.infinite or beyond}; signal {n['signal']:.3g} at {where}."
    if n["signal"] == 0:
        return f"The signal, |gradient| at {where}, is exactly 0."
    if flow.arrived.zero:
        return f"signal {n['signal']:.3g} at {where}, and exactly 0 of it arrives at {name}; {n['zero_slopes']:.0%} of the slopes are 0."
    return (
        f"signal {n['signal']:.3g} at {where}; log gain {n['log_gain']:+.2f} nats from there to {name}, "
        f"{n['per_factor']:+.2f} for each of {n['factors']:.0f} factor{'s' * (n['factors'] != 1)}:\n"
        f"slopes {n['slopes']:+.2f}, weights {n['weights']:+.2f}, merges {n['merges']:+.2f}. So |gradient| = {power(flow.arrived.log)}."
    )


def with_history(result: Verdict, losses: Any) -> Verdict:
    """The verdict with a sentence on how training went: whether the loss fell."""
    past = [float(x) for x in getattr(losses, "losses", losses)]
    if past:
        moved = f"In {len(past)} steps the loss went from {past[0]:.3g} to {past[-1]:.3g}"
        stuck = past[-1] > 0.9 * past[0] and result.kind not in ("converged", "healthy")
        result.why += f"\n{moved}{', so it is stuck' if stuck else ''}."
        result.numbers |= {"first_loss": past[0], "last_loss": past[-1]}
    return result


def exp(log: float) -> float:
    return math.exp(log) if log < 709 else math.inf


def power(log: float) -> str:
    """exp(log) with three digits, also where that is no float."""
    return f"{math.exp(log):.3g}" if abs(log) < 700 else f"10^{log / math.log(10):.1f}"
