"""Why is this gradient small or large?  A verdict: one of a dozen reasons, and the two numbers that decide.

    signal    the gradient's length at the prediction, the loss's input: how much the loss asks for
    log gain  ln |gradient at the source| / |signal|, in nats: what the chain makes of it

A gradient that is small because the loss asks for nothing has converged; one that is small because the chain lost it has
vanished, and the account of the log gain (see flow) says to what. The norm of a weight's gradient decides nothing: it is
large where activations are large, whatever the chain did. A model is judged at the first use of each of its parameters,
and a weight that is used step after step at its first, farthest use and its last, nearest one (see judging).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..autodiff.calculus import differentiable, gradients
from ..autodiff.core import Node
from ..nn.layers import is_leaf
from ..nn.models import parameters_of
from ..text.lines import Result, clean, cut, wrapped
from ..text.tables import folded
from .chain import Chain
from .factors import called
from .flow import Flow
from .idle import cancels, what_it_does
from .judging import SOUND, Judgement, Parameter, judged, of_uses
from .sites import Sites, recurs, sites_of
from .stations import members
from .uses import next_names

IDLE = "idle"  # of a parameter that changes nothing
KINDS = {  # kind: what it means, what usually helps; the worst first
    "nan in the data":     ("a constant is nan or inf", "look at the data: leave out or fill in what is missing"),
    "infinite slope":      ("an op where its slope is infinite", "an epsilon, sqrt(x + 1e-12), or leave out what is 0"),
    "overflowed":          ("a value beyond its dtype", "smaller weights or inputs, or a norm; detect_anomaly() tells where"),
    "disconnected":        ("no path leads from the output to the source", "look for .data, detach(), no_grad() or a cut on the way"),
    "dead":                ("rectifiers (or selections) that are off stop it", "smaller steps, a higher bias, He init, or a leaky ReLU"),
    "underflowed":         ("the product is below the smallest number of its dtype", "bring the gains to 1; float64 only delays it"),
    "cancelled":           ("paths meet and subtract each other", "look for branches, or a normalisation, that undo each other"),
    "exploding":           ("the factors multiply to much more than 1", "clip the gradient; orthogonal or smaller weights; gates"),
    "saturated":           ("activations near their bounds, where they are flat", "smaller weights or inputs, or a norm before them"),
    "shallow slopes":      ("slopes below 1 though not near a bound", "tanh or ReLU, a normalisation, or a way past: skips, gates"),
    "contracting weights": ("weights (gates, constant factors) that shrink", "larger or orthogonal weights; a bias that opens the gates"),
    "converged":           ("the loss asks for nothing", "nothing: the error is almost 0 here"),
    "zero state":          ("a factor, a state or an input, is exactly 0", "nothing, if later steps carry it; else a state that is not 0"),
    "healthy":             ("signal and gain are in their usual range", "nothing")}

PAST = "a normalisation, or a way past: skips, gates"
ADVICE = {  # where it depends on the activation, or on what shrinks
    ("shallow slopes", "tanh"): f"ReLU, {PAST}",           ("dead", "where"):     "a condition that selects it somewhere",
    ("shallow slopes", "relu"): f"He init, {PAST}",        ("dead", "maximum"):   "look at which side is the larger",
    ("shallow slopes", "leaky_relu"): f"a steeper slope below 0, {PAST}",
    ("saturated", "clip"): "wider bounds, or smaller inputs", ("dead", "minimum"): "look at which side is the smaller",
    ("saturated", "softmax"): "smaller scores: divide them by a temperature, or by √d in attention",
    ("dead", "sign"): "sign has no slope anywhere: a smooth stand-in, tanh, or y + (sign(y.data) − y.data), a straight-through estimate",
    ("cancelled", IDLE): "nothing: leave it out, or leave it alone",
    ("contracting weights", "attention"): "larger scores or values; a residual connection past the attention",
    ("contracting weights", "norms"): "smaller inputs to the normalisation, which divides by their spread",
    ("contracting weights", "norms after sums"): "the norm inside the branch (pre-norm; norm_first=True), so that a way past stays free",
    ("contracting weights", "weights"): "larger or orthogonal weights",
    ("contracting weights", "recurrent weights"): "orthogonal recurrent weights, or a cell with gates (LSTM, GRU)"}
MEANS = {  # where the kind's own words would be too wide: by the first word of op
    "norms": "normalisations, which divide by the spread of what they get", "gate": "gates that let little through",
    "attention": "attention that hands on little"}

class Verdict(Result):
    """Why a gradient is small or large.

    .kind     a key of KINDS             .why  one sentence with the numbers            .helps  what usually does
    .numbers  {'signal', 'error', 'log_gain', 'per_factor', 'slopes', 'weights', 'merges' (nats), each of blame's kinds (nats),
              'zero_slopes', 'flat_slopes' (shares)} and for a weight used step after step: those of the use that decides, and
              'uses', 'nearest_log_gain', 'farthest_log_gain'; 'reach', the steps beyond which less than a thousandth arrives
    .source   the name of what was judged              .op   the activation, gate or kind of factor it speaks of, or ''
    .parts    for a model, the verdict on each parameter; its own kind is that of the worst
    .chain()  the Chain from the prediction back to the use that decides; None if no path leads there

    >>> from tinygrad_vg import Scalar, sigmoid, square
    >>> from tinygrad_vg.chain.verdict import verdict
    >>> h = x = Scalar(0.5, name="x")
    >>> for _ in range(13):
    ...     h = sigmoid(h - 0.5)
    >>> print(verdict(square(h - 1.0), x))
    shallow slopes: slopes below 1 though not near a bound.
    signal 1 at the Scalar made by sigmoid; log gain -18.02 nats from there to x, -1.39 for each of 13 factors:
    slopes -18.02 (sigmoid), weights +0.00, merges +0.00. So |gradient| = 1.49e-08.
    What usually helps: tanh or ReLU, a normalisation, or a way past: skips, gates.
    """

    kept = ("kind", "why", "helps", "source", "numbers")

    def __init__(self, kind: str, why: str, numbers: dict[str, float], source: str = "", op: str = "", way: Any = None,
                 parts: Iterable[Verdict] = ()):
        self.kind, self.why, self.numbers, self.source, self.parts, self.op, self.way = kind, why, numbers, source, list(parts), op, way
        self.helps = ADVICE.get((kind, op), KINDS[kind][1])
        if op.startswith("gate "):
            self.helps = f"a bias that opens the gate {op[5:]}{', and its like in the other layers' * op[-1].isdigit()}"
            if op.startswith("gate f") and (steps := numbers.get("uses", 0)) > 1:  # f ** steps = 1 / e (Tallec & Ollivier 2018)
                self.helps += f": ln {steps:.0f} = {math.log(steps):.1f} keeps a state for {steps:.0f} steps"

    def to_dict(self) -> dict[str, Any]:
        """What a Result keeps, and the verdicts of the parts, if there are any."""
        return super().to_dict() | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})

    def chain(self) -> Chain | None:
        """The Chain that the verdict was read off, from the output back to the source; None if it was read off none."""
        if not self.way:
            return None
        output, source, seed = self.way
        return Chain(output, source, seed=seed)

    @property
    def means(self) -> str:
        """The kind in words."""
        narrow = MEANS.get(self.op.partition(" ")[0]) if self.kind == "contracting weights" else None
        return narrow or KINDS[self.kind][0]

    def __str__(self) -> str:
        rows = [f"  {cut(clean(part.source), 24, middle=True):24} {part.kind:20} {part.figures()}" for part in self.parts]
        head = [f"{self.kind}{f' at {self.source}' if self.parts else ''}: {self.means}."]
        return wrapped("\n".join([*head, self.why, f"What usually helps: {self.helps}.", *folded(rows)]))

    def figures(self) -> str:
        """"signal 0.03, log gain -3.51" (in nats): those of the two that are known."""
        known = [(name, self.numbers[key]) for name, key in (("signal", "signal"), ("log gain", "log_gain")) if key in self.numbers]
        return ", ".join(f"{name} {x:+.2f}" if name == "log gain" else f"{name} {x:.3g}" for name, x in known)

    def __repr__(self) -> str:
        return f"Verdict({self.kind!r}{f' at {self.source}' if self.source else ''}: {self.figures()})"


def verdict(output: Node, source: Any, seed: Any = None, *, losses: Any = None) -> Verdict:
    """Why the gradient of `output` with respect to `source` is small or large.

    source  a node; a group of nodes (the state of an LSTM, an array of Scalars), taken as one vector; or a model: anything
            with parameters(), {name: leaf}, or a list of leaves. Each parameter is judged where it is first used, and the
            worst names the whole. A weight that is used step after step is judged by its farthest and its nearest use
    seed    the gradient to start from; needed if the output has several entries. The output is the prediction then
    losses  the training so far, if there was any: a list of losses, or a History. It adds a sentence and decides nothing

    TypeError for what is neither; ValueError and RuntimeError as in backward().
    """
    with np.errstate(all="ignore"):
        if (leaves := of_parameters(source)) is not None:
            result = of_model(output, {name: members(as_group(leaf)) for name, leaf in leaves.items()}, seed)
        else:
            group = list(dict.fromkeys(members(as_group(source))))
            result = of_leaf(output, group, seed, called(group[0]) + (", …" if len(group) > 1 else ""))
    return result if losses is None else with_history(result, losses)


def of_parameters(source: Any) -> dict[str, Any] | None:
    """{name: leaf} of a model, of a dict, or of a list of leaves that are not the entries of one array; None for what is one vector."""
    if isinstance(source, list):
        arrays = {x.name.base if isinstance(x, Node) and x.name and x.name.index and not x.shape else id(x) for x in source}
        return parameters_of(source) if len(arrays) > 1 and all(map(is_leaf, source)) else None
    return parameters_of(source) if hasattr(source, "parameters") or isinstance(source, Mapping) else None


def as_group(source: Any) -> Any:
    """One node, or what holds several; TypeError for what holds none."""
    if isinstance(source, (tuple, list, np.ndarray)) and len(members(list(source))) == 0:
        raise TypeError("an empty group of sources has no gradient to judge; name at least one node")
    return source


def of_leaf(output: Node, group: list[Node], seed: Any, name: str) -> Verdict:
    """The verdict on one source, as one vector; on a leaf that is used, that on its uses, unless their sum is 0."""
    order = differentiable(output)
    sites = sites_of(order, group) if all(node.rule is None for node in group) else {}
    used = [sites[leaf] for leaf in group if sites.get(leaf)]
    received = [np.asarray(g) for g in gradients(order, group, seed)]
    steps = bool(used) and not nothing_in(received) and recurs(order, max(used, key=len))
    flow = Flow(output, [node for own in used for node in own] if steps else group, seed, order=order)
    if steps:
        found = of_uses(flow, Parameter(name, used, received, steps, next_names(order)))
    else:
        found = judged(flow, group, name, received, weight=False)
    return Verdict(*idle(flow, group, sites, received, found)._replace(source=name))


def of_model(output: Node, parameters: dict[str, list[Node]], seed: Any) -> Verdict:
    """The verdict on each parameter, at its first use; the kind of the worst for all, those that do nothing left aside."""
    if not parameters:
        raise TypeError("a model without parameters has no gradient to judge")
    order, every = differentiable(output), list(dict.fromkeys(leaf for leaves in parameters.values() for leaf in leaves))
    names, sites = next_names(order), sites_of(order, every)
    received = dict(zip(every, map(np.asarray, gradients(order, every, seed))))
    flow = Flow(output, [node for leaf in every for node in sites[leaf] or [leaf]], seed, order=order)
    steps: dict[Any, bool] = {}
    verdicts, matter = [], []
    for name, leaves in parameters.items():
        own, got = [sites[leaf] or [leaf] for leaf in leaves], [received[leaf] for leaf in leaves]
        longest = max(own, key=len)
        if (key := tuple(longest[:5])) not in steps:
            steps[key] = recurs(order, longest)
        if nothing_in(got) and steps[key]:
            verdicts.append(of_leaf(output, leaves, seed, name))
        else:
            found = of_uses(flow, Parameter(name, own, got, steps[key], names))
            verdicts.append(Verdict(*idle(flow, leaves, sites, got, found)._replace(source=name)))
        matter += verdicts[-1:] if verdicts[-1].op != IDLE else []
    worst = min(matter or verdicts, key=badness)
    return Verdict(worst.kind, worst.why, worst.numbers, worst.source, worst.op, worst.way, verdicts)


def badness(v: Verdict) -> tuple[float, float]:
    """Worst first, by kind; of those that shrink a gradient by how much, and to exactly 0 before all else that is finite."""
    gain, at = v.numbers.get("log_gain", 0.0), list(KINDS).index
    shrunk = v.kind in ("dead", "cancelled", "saturated", "shallow slopes", "contracting weights")
    return (at("dead") if gain == -math.inf else at("exploding") + 0.5) if shrunk else at(v.kind), -abs(gain)


def idle(flow: Flow, leaves: list[Node], sites: Sites, received: list[np.ndarray], found: Judgement) -> Judgement:
    """The judgement, unless the leaves receive only what rounding left: then whether they matter decides."""
    if found.kind == "cancelled" or any(cancels(flow, leaf, sites.get(leaf, []), g) for leaf, g in zip(leaves, received)):
        does = what_it_does(flow.order, leaves)
        if does == "converged":
            why = f"The terms of the gradient of {found.source} cancel but for rounding, and any other value of it is worse."
            return found._replace(kind=does, why=why, op="")
        if does == "cancelled":
            why = f"No value of {found.source} changes the loss: what it adds is taken off again, and it is superfluous."
            return found._replace(kind=does, why=f"{why}\n{found.why}", op=IDLE)
    return found


def nothing_in(received: list[np.ndarray]) -> bool:
    """Whether the gradients are all 0, or some not finite."""
    return not any(np.any(g) for g in received) or not all(np.all(np.isfinite(g)) for g in received)


def with_history(result: Verdict, losses: Any) -> Verdict:
    """The verdict with a sentence on how training went: whether the loss fell."""
    past = [float(x) for x in getattr(losses, "losses", losses)]
    if past:
        moved = f"In {len(past)} steps the loss went from {past[0]:.3g} to {past[-1]:.3g}"
        stuck = past[-1] > 0.9 * past[0] and result.kind not in SOUND
        result.why += f"\n{moved}{', so it is stuck' if stuck else ''}."
        result.numbers |= {"first_loss": past[0], "last_loss": past[-1]}
    return result

