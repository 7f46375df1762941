"""What took most of a gradient that shrank, and how much is no loss to speak of?  From the account of what arrives to a kind and its op."""

import math

from ..autodiff.core import by_birth
from .account import ASKED, MEAN, MERGE, by_kind, by_label
from .arrivals import Arrival
from .flow import Flow
from .stations import behind

ATTENTION = 6.0  # nats: a softmax over many entries has small slopes, and that is its usual work
INTO_A_GATE = 6.0  # nats: a gate that is open has a small slope, and what it lets through multiplies it
AVERAGED = 5.0  # nats: a mean over n positions takes ln √n
SHUT = 0.01  # of a gate, on average
GROUPS = {  # of the kinds of factors: what is neither is with the weights
    "activation": "slopes", "weight": "weights", "gate": "gates", "attention": "attention", "norm": "norms", "merge": "merges",
    "scale": "weights", "other": "weights"}


def grouped(part: Arrival) -> dict[str, float]:
    """Nats by group of kinds."""
    nats = dict.fromkeys(GROUPS.values(), 0.0)
    for kind, x in by_kind(part.account).items():
        nats[GROUPS[kind.partition(" ")[0]]] += x
    return nats


def shrunk(flow: Flow, part: Arrival, account: dict[str, float], mixed: bool) -> tuple[str, str]:
    """The kind of what costs most of a small gain, and whose part it is; mixed: whether a softmax is one-sided.

    Constants that are parts of a sum, as in a mean, have cost only what the sum does not give back.
    """
    mean = forgiven(part.account.get(MEAN, 0.0), AVERAGED)
    account["weights"] -= mean
    scale = by_kind(part.account)["scale"] - mean
    given_back = max(min(account["merges"], -scale), 0.0)
    account["weights"] += given_back
    asked = part.account.get(ASKED, 0.0)
    if part.account.get(MERGE, 0.0) + asked > account["merges"] / 2:  # it is only that a stack has many parts
        del account["merges"]
    least = min(account, key=account.__getitem__)
    if least == "merges" and asked <= account["merges"] / 2:
        return "contracting weights", "loss"
    if least == "slopes":
        by_met = {met: sum(x for term, x in part.account.items() if term.met == met) for met in ("dead", "saturated")}
        most = [met for met, nats in by_met.items() if nats <= account["slopes"] / 2]
        return (*most, "shallow slopes")[0], costliest(flow, part, "activation")
    if least == "attention" and mixed:
        return "saturated", "softmax"
    least += " after sums" * (least == "norms" and after_sums(flow))
    least = "constant factors" if least == "weights" and scale + given_back <= account["weights"] / 2 else least
    gate = costliest(flow, part, "gate") if least == "gates" else ""
    return ("cancelled", "") if least == "merges" else ("contracting weights", f"gate {gate}" if gate else least)


def costliest(flow: Flow, part: Arrival, kind: str) -> str:
    """The activation, or the gate, that cost most; what is no share, such as a state that multiplies, is no gate to open.

    A gate on the state's own way, less than half open, comes first: where it lets nothing through, all that arrives has taken the long
    way through the weights, and met other gates there.
    """
    nats = by_label(part.account, kind)
    costs = [label for label, x in nats.items() if x < 0]
    if kind == "gate":
        opened = flow.walk.openings
        costs = [label for label in costs if not math.isnan(opened[label])]
        own = [label for label in nats if opened[label] < 0.5 and label in flow.walk.carrying]
        costs = own if costs and own else costs
    return min(costs, key=nats.__getitem__, default="")


def after_sums(flow: Flow) -> bool:
    """Whether most normalisations take what a branch was added to, and nothing else does, so that no way leads past them: post-norm."""
    norms = {end: block.start for end, block in flow.walk.blocks.items() if block.kind == "norm"}
    own = {op for end in norms for op in flow.walk.blocks[end].ops}
    past = {x for node in flow.path if node not in own for x in node.variables}
    starts = [start for start in norms.values() if start not in norms]  # the mean is taken off first, then comes the division
    alone = (start.variables for start in starts if start.op == "add" and start not in past)
    sums = [sorted(variables, key=by_birth) for variables in alone if len(variables) == 2]
    branches = (any(x in set(node.variables) for node in behind([y], stop={x})) for x, y in sums if y.rule is not None)
    return sum(branches) > len(starts) / 2


def usual_cost(flow: Flow, part: Arrival, mixed: bool, weight: bool) -> float:
    """Nats that are no loss to speak of: of a softmax that is not saturated, of a weight's way into a gate, and of a mean over positions,
    for in the weights before it what comes to them adds up again."""
    account, gates, opened = grouped(part), by_label(part.account, "gate"), flow.walk.openings
    ajar = weight and not any(opened[gate] < SHUT for gate in gates)
    into = sum(x for gate, x in gates.items() if math.isnan(opened[gate])) if ajar else 0.0  # a state multiplies on the way into a gate
    softmax = 0.0 if mixed else forgiven(account["attention"], ATTENTION)
    mean = forgiven(part.account.get(MEAN, 0.0), AVERAGED)
    return softmax + mean + (forgiven(into + account["slopes"], INTO_A_GATE) if into < 0 else 0.0)


def forgiven(nats: float, most: float) -> float:
    """The nats that are lost, if they are, up to so many."""
    return max(min(nats, 0.0), -most)
