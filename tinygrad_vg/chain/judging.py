"""Which reason is it?  From the account of a walk (see flow) to the kind of a verdict, and the numbers in words.

What stops the gradient altogether comes first; then two numbers decide, the error and the log gain. A weight that is used step after
step is judged by the use that is farthest from the loss and by the nearest one: a sum over uses is large if the last few are, and that
says nothing of how far the gradient reaches. With a loss at every step only the last one is followed, for the near ones outshout it.
"""

import math
from typing import NamedTuple

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.products import Product
from ..text.lines import clean
from ..text.numbers import from_log
from .account import ASKED, SCALED, SHARE, by_kind, by_label
from .arrivals import Arrival
from .causes import costliest, forgiven, grouped, shrunk, usual_cost
from .factors import called, exp, log, norm, origin
from .flow import Flow
from .kinds import SOUND, Verdict
from .reasons import Reason, one_sided, why_not_finite
from .sites import at_use

SMALL_ERROR = 1e-4  # of the spread of the targets
SMALL_SIGNAL = 1e-3  # where that is not known
SMALL_INPUT = 1e-3  # of what a weight multiplies, the largest entry
TINY_ERROR = 1e-6  # whatever the chain does: there is nothing left to learn
NOT_SMALL = 0.1  # a gradient of this size is none that has vanished, though much of a large signal was lost
FAR = 4.0  # nats, a factor of 55 either way: no one step size suits both ends. A sigmoid MLP of depth 5 loses 4.3 and does not learn
NORMED = 2.0  # nats: a norm divides a weight's gradient by the weight's own scale, and its size says less
UNUSED = ("zero state", "disconnected")  # a use that multiplies a state of 0, or that nothing reads, says nothing of the others
THOUSANDTH = math.log(1e-3)


class Parameter(NamedTuple):
    """What is judged, one leaf or an array of Scalars: where, for each leaf, and the gradient that each received."""

    name: str
    leaves: list[Node]
    sites: list[list[Node]]  # the nodes that each leaf makes, if it is judged at its uses, or else itself
    received: list[np.ndarray]
    recurs: bool  # whether the uses are steps
    at_uses: bool


def of_uses(flow: Flow, parameter: Parameter) -> Verdict:
    """The verdict on a parameter at its first use that is read and does not only meet a state of 0; if its uses are steps, at its
    last, too."""
    sites = parameter.sites
    whole, flow = flow, parameter.recurs and flow.connected and flow.last or flow
    arrivals = read_uses(flow, sites)
    last = len(arrivals) - 1
    k = next((k for k, part in enumerate(arrivals) if not part.zero or part.zero.kind not in UNUSED), 0)
    if not parameter.recurs or not arrivals:
        return judged(flow, parameter, at_use(sites, k))
    shares = (x for term, x in arrivals[last].account.items() if term in (SCALED, SHARE) or term.label.startswith("1 − "))
    step = forgiven(sum(shares), math.log(last + 1))  # n uses of 1/n each: the steps of a solver, a GRU that keeps n states
    far = judged(flow, parameter, at_use(sites, k), f"farthest {k + 1}", step)
    skipped = (f"\nUses 1 to {k} meet" if k > 1 else "\nUse 1 meets") + " a state of exactly 0." if k else ""
    if k == last:
        far.why += skipped
        return far
    near = judged(flow, parameter, at_use(sites, last), f"nearest {last + 1}", step)
    within = far.numbers and near.numbers and near.kind in SOUND and far.numbers["log_gain"] - near.numbers["log_gain"] > -FAR
    if within and far.kind in ("contracting weights", "shallow slopes", "saturated", "cancelled"):
        far.kind, far.op = "healthy", ""  # it is the way into the weight that is long, not the way back in time
    decides, word, other = (near, "farthest", far) if far.kind in SOUND and near.kind not in SOUND else (far, "nearest", near)
    gains = {f"{at}_log_gain": use.numbers["log_gain"] for at, use in (("nearest", near), ("farthest", far)) if use.numbers}
    also = f"The {word}, in {other.source}, arrives with {other.numbers.get('log_gain', math.nan):+.2f} nats: {other.kind}. See uses()."
    decides.numbers |= {"uses": last + 1.0, "predictions": float(len(whole.predictions)), **gains}
    if lag := lost_from(arrivals):
        decides.numbers["reach"] = float(lag)
        several = "There are several predictions; of the last one l" if flow is not whole else "L"
        also += f"\n{several}ess than a thousandth arrives further back than {lag} of {last} steps." * (decides.kind not in SOUND)
    decides.why += f"{skipped}\n{also}"
    decides.op = "recurrent weights" if decides.op == "weights" else decides.op
    return decides


def read_uses(flow: Flow, sites: list[list[Node]]) -> list[Arrival]:
    """What arrives at each use, up to the last one that is read: a net that reads backwards has steps after it."""
    arrivals = [flow.walk.together(at_use(sites, k)) for k in range(max(map(len, sites)))] if flow.connected else []
    while len(arrivals) > 1 and (zero := arrivals[-1].zero) and zero.kind == "disconnected":
        arrivals.pop()
    return arrivals


def judged(flow: Flow, parameter: Parameter, nodes: list[Node], use: str = "", step: float = 0.0) -> Verdict:
    """The verdict on what arrives at some nodes, as one vector.

    use   "nearest 60": one of several uses that make up what was received; the source says where that is
    step  nats that constant factors, or the other halves of gates, take on the way into every use, and that so many uses make good
    """
    source = name = parameter.name
    if use:
        word, k = use.split()
        source = clean(str(flow.names[nodes[0]] or called(nodes[0])))
        name = f"the {word} use of {name}, in {source} ({k} of {max(map(len, parameter.sites))})"
    if not flow.connected or flow.walk.inside.isdisjoint(nodes):
        return Verdict("disconnected", f"{called(flow.output)} does not depend on {name}, so the gradient is 0.", {}, source)
    part, way = flow.walk.together(nodes), flow.way(nodes[0])
    numbers = numbers_of(flow, part)
    if not all(np.all(np.isfinite(g)) for g in (*parameter.received, flow.output.data)):
        seeded = flow.seed is not None and not np.all(np.isfinite(plain(flow.seed)))
        broken = Reason("nan in the data", "The seed is not finite") if seeded else why_not_finite(flow.order, flow.broken)
        why = f"{broken.what}; signal {numbers['signal']:.3g} at {flow.where}."
        return Verdict(broken.kind, why, numbers, source, broken.op, way)
    kind, op = stopped(flow, part, parameter) or small_or_large(flow, part, numbers["log_gain"], parameter.at_uses, step)
    own = norm(np.concatenate([np.ravel(g) for g in parameter.received]))
    if kind == "healthy" and log(own) < flow.log_signal - FAR and 0 < largest_input(parameter) < SMALL_INPUT:
        kind = "small inputs"
    size = f"{own:.3g}" if own else from_log(part.log, 3)
    if parameter.at_uses:  # it arrives at the use; in the weight it is multiplied once more
        size = from_log(part.log, 3) + f" there, {own:.3g} in it" * (not use)
    return Verdict(kind, sentence(flow, part, kind, numbers, name, size), numbers, source, op, way)


def largest_input(parameter: Parameter) -> float:
    """The largest |entry| of all that a weight multiplies; inf for what is no weight, or not judged as one."""
    uses = [(leaf, use) for leaf, own in zip(parameter.leaves, parameter.sites) for use in own]
    edges = [edge for leaf, use in uses for edge in use.edges if origin(edge.parent) is leaf]
    products = (isinstance(edge.child.rule, Product) and edge.index < 2 <= len(edge.child.parents) for edge in edges)
    if not parameter.at_uses or not all(products):
        return math.inf
    return max((float(np.max(np.abs(plain(edge.child.parents[1 - edge.index])), initial=0.0)) for edge in edges), default=math.inf)


def lost_from(arrivals: list[Arrival]) -> int | None:
    """How many uses back less than a thousandth of the nearest one's gradient arrives, and no more from there on; None if never."""
    last, least = len(arrivals) - 1, arrivals[-1].log + THOUSANDTH
    far = next((last - k for k, part in enumerate(arrivals) if not part.log < least), last)
    return far if far < last else None


def stopped(flow: Flow, part: Arrival, parameter: Parameter) -> tuple[str, str] | None:
    """The kind, and the op of what is 0, if the gradient is 0 but for rounding."""
    if flow.log_signal == -math.inf or not flow.asks or part.zero and flow.error < SMALL_ERROR:
        return "converged", part.zero.op if part.zero else ""
    if part.zero:
        by_weights = part.zero.kind == "contracting weights" and isinstance(part.zero.leaf, Node)
        return part.zero.kind, ("start" if part.zero.leaf in flow.moves else "weights") if by_weights else part.zero.op
    tiny = math.log(np.finfo(np.result_type(*parameter.received)).tiny)
    arrives = any(np.any(g) for g in parameter.received) or parameter.at_uses and part.log > tiny
    return None if arrives else ("underflowed", "")


def small_or_large(flow: Flow, part: Arrival, gain: float, weight: bool, step: float) -> tuple[str, str]:
    """The kind, from the error, the log gain, and for a small gain the part of the account that cost most; and whose part that is.

    weight  whether a weight is judged, at its use: what it multiplies is its own affair
    """
    signal, error = flow.log_signal, log(flow.error)
    known = math.isfinite(flow.error)
    if known and error < math.log(SMALL_ERROR) and gain <= FAR and error < max(gain, math.log(TINY_ERROR)):
        return "converged", ""
    if signal < math.log(SMALL_SIGNAL) and signal < gain and signal + gain < 0 and not known:
        return "converged", ""
    account = grouped(part)
    mixed = any(one_sided(block.ops[-1]) for block in flow.walk.blocks.values() if block.kind == "attention")
    usual = step + usual_cost(flow, part, mixed, weight)
    far = FAR + NORMED * (account["norms"] != 0)
    if part.log > math.log(NOT_SMALL) and gain < 0:
        far = 2 * FAR
    if -far <= gain - usual and gain <= FAR:
        return "healthy", ""
    if gain > 0:
        return "exploding", ""
    return shrunk(flow, part, account, mixed)


def numbers_of(flow: Flow, part: Arrival) -> dict[str, float]:
    """The two numbers that decide, and the account: by kind, as blame's, and summed up. Where the signal is 0 there is no gain."""
    gain = part.log - flow.log_signal if math.isfinite(flow.log_signal) else math.nan
    nats, counts = grouped(part), by_label(part.account, "count")
    weights = sum(nats[name] for name in ("weights", "gates", "attention", "norms"))
    sums = {"slopes": nats["slopes"], "weights": weights, "merges": nats["merges"]}
    error = {"error": flow.error} if math.isfinite(flow.error) else {}
    first = {"signal": exp(flow.log_signal), **error, "log_gain": gain, "factors": counts["factors"]}
    per = {"per_factor": gain / (counts["factors"] or 1), "zero_slopes": counts["zero slopes"] / (counts["slopes"] or 1)}
    return first | per | sums | by_kind(part.account)


def sentence(flow: Flow, part: Arrival, kind: str, n: dict[str, float], name: str, size: str) -> str:
    """The numbers in words, three lines at most."""
    if n["signal"] == 0:
        return "The seed is exactly 0." if flow.seed is not None else f"The signal, |gradient| at {flow.where}, is exactly 0."
    if part.zero:
        share = f" ({n['zero_slopes']:.0%} of all slopes are 0)" if part.zero.op and n["zero_slopes"] > 0 else ""
        at = f"{called(part.zero.at)}: " if part.zero.kind == "cancelled" and part.zero.at is not None else ""
        exactly = "exactly 0" if part.log == -math.inf else "0 but for rounding"
        return f"signal {n['signal']:.3g} at {flow.where}, and {exactly} of it arrives at {name}:\n{at}{part.zero.what}{share}."
    factors = f"{n['factors']:.{2 if 0 < n['factors'] < 1 else 0}f}"
    error = f", error {n['error']:.3g} of the targets' spread" if kind == "converged" and "error" in n else ""
    return (
        f"signal {n['signal']:.3g} at {flow.where}{error}; log gain {n['log_gain']:+z.2f} nats from there to {name}, "
        f"{n['per_factor']:+z.2f} for each of {factors} factor{'s' * (factors != '1')}:\n"
        f"{account_in_words(flow, part)}. So |gradient| = {size}."
    )


def account_in_words(flow: Flow, part: Arrival) -> str:
    """slopes −17.82 (sigmoid), gates −3.10 (f is open to 0.50), …: what is not there is left out, but for slopes, weights and merges.

    Constant factors are counted with the weights where a kind is decided, and named by themselves, as blame names them; so is what
    the loss asks of this prediction, of all that it asks.
    """
    told, apart = [], {"constant factors": by_kind(part.account)["scale"], "share of the loss": part.account.get(ASKED, 0.0)}
    groups = grouped(part)
    groups["weights"] -= apart["constant factors"]
    groups["merges"] -= apart["share of the loss"]
    for name, nats in (groups | apart).items():
        kind = {"slopes": "activation", "gates": "gate"}.get(name)
        of = costliest(flow, part, kind) if kind and nats else ""
        if of and kind == "gate":
            of += f" is open to {flow.walk.openings[of]:.2f}"
        if round(nats, 2) or name in ("slopes", "weights", "merges"):
            told.append(f"{name} {nats:+z.2f}" + f" ({of})" * bool(of))
    return ", ".join(told)
