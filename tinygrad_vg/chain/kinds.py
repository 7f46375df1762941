"""What can a verdict say?  One of a dozen kinds of reason, what each means, and what usually helps."""

from __future__ import annotations

import math
from typing import Any

from ..text.lines import Result, clean, cut, wrapped
from ..text.tables import MOST, folded
from .chain import Chain

SOUND = ("healthy", "converged", "zero state")  # nothing has shrunk the gradient
IDLE = "idle"  # of a parameter that changes nothing
KINDS = {  # kind: what it means, what usually helps; the worst first
    "nan in the data":     ("a constant is nan or inf", "look at the data: leave out or fill in what is missing"),
    "infinite slope":      ("an op where its slope is infinite", "an epsilon, sqrt(x + 1e-12), or leave out what is 0"),
    "overflowed":          ("a value beyond its dtype", "smaller weights or inputs, or a norm; detect_anomaly() tells where"),
    "disconnected":        ("no path leads from the output to the source", "is it used at all? Else look for .data, detach(), no_grad()"),
    "dead":                ("rectifiers (or selections) that are off stop it", "smaller steps, a higher bias, He init, or a leaky ReLU"),
    "underflowed":         ("the product is below the smallest number of its dtype", "bring the gains to 1; float64 only delays it"),
    "cancelled":           ("paths meet and subtract each other", "look for branches, or a normalisation, that undo each other"),
    "exploding":           ("the factors multiply to much more than 1", "orthogonal or smaller weights; gates; clip the gradient"),
    "saturated":           ("activations near their bounds, where they are flat", "smaller weights or inputs, or a norm before them"),
    "shallow slopes":      ("slopes below 1 though not near a bound", "tanh or ReLU, a normalisation, or a way past: skips, gates"),
    "contracting weights": ("weights (gates, constant factors) that shrink", "larger or orthogonal weights; a bias that opens the gates"),
    "small inputs":        ("what the weights multiply is small", "standardise the inputs, a larger embedding, or a norm"),
    "converged":           ("the loss asks for nothing", "nothing: the error is almost 0 here"),
    "zero state":          ("a factor, a state or an input, is exactly 0", "nothing, if later steps carry it; else a state that is not 0"),
    "healthy":             ("signal and gain are in their usual range", "nothing")}

PAST = "a normalisation, or a way past: skips, gates"
ADVICE = {  # where it depends on the activation, or on what shrinks
    ("shallow slopes", "tanh"): f"smaller inputs, ReLU, {PAST}", ("dead", "where"): "a condition that selects it somewhere",
    ("shallow slopes", "relu"): f"He init, {PAST}",        ("dead", "maximum"):   "look at which side is the larger",
    ("shallow slopes", "leaky_relu"): f"a steeper slope below 0, {PAST}",
    ("saturated", "clip"): "wider bounds, or smaller inputs", ("dead", "minimum"): "look at which side is the smaller",
    ("saturated", "softmax"): "smaller scores: divide them by a temperature, or by √d in attention",
    ("dead", "sign"): "sign has no slope anywhere: a smooth stand-in, tanh, or y + (sign(y.data) − y.data), a straight-through estimate",
    ("overflowed", "leaf"): "in data, leave out what is missing; in weights, take those from before the step that spoilt them",
    ("cancelled", IDLE): "nothing: leave it out, or leave it alone",
    ("contracting weights", "attention"): "larger scores or values; a residual connection past the attention",
    ("contracting weights", "norms"): "smaller inputs to the normalisation, which divides by their spread",
    ("contracting weights", "norms after sums"): "the norm inside the branch (pre-norm; norm_first=True), so that a way past stays free",
    ("contracting weights", "loss"): "a larger weight for that part of the loss, unless its error is small already",
    ("contracting weights", "start"): "nothing, if it is meant so (a head, ReZero, LoRA): ask again after some steps",
    ("contracting weights", "weights"): "larger or orthogonal weights",
    ("contracting weights", "constant factors"): "constant factors nearer to 1",
    ("contracting weights", "recurrent weights"): "orthogonal recurrent weights, or a cell with gates (LSTM, GRU)"}
MEANS = {  # where the kind's own words would be too wide: by the first word of op
    "norms": "normalisations, which divide by the spread of what they get", "gate": "gates that let little through",
    "attention": "attention that hands on little", "constant": "constant factors below 1",
    "start": "weights that are exactly 0; they have a gradient themselves, so the first step opens the way",
    "loss": "a prediction of which the loss asks little"}


class Verdict(Result):
    """Why a gradient is small or large.

    .kind     a key of KINDS             .why  one sentence with the numbers            .helps  what usually does
    .numbers  {'signal', 'error', 'log_gain', 'per_factor', 'slopes', 'weights', 'merges' (nats), each of blame's kinds (nats),
              'zero_slopes' (a share)} and for a weight used step after step: those of the use that decides, and
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

    def __init__(self, kind: str, why: str, numbers: dict[str, float], source: str, op: str = "", way: Any = None):
        self.kind, self.why, self.numbers, self.source, self.op, self.way = kind, why, numbers, source, op, way
        self.parts: list[Verdict] = []

    @property
    def helps(self) -> str:
        """What usually does."""
        steps = self.numbers.get("uses", 0)  # f ** steps = 1 / e (Tallec & Ollivier 2018)
        if (self.kind, self.op) == ("shallow slopes", "relu") and steps > 1:
            return "recurrent weights that begin as the identity, or a cell with gates (LSTM, GRU)"  # Le, Jaitly & Hinton 2015
        if self.op == "constant factors" and steps > 1:
            return f"constant factors nearer to 1: 1 − 1/{steps:.0f} keeps a state for {steps:.0f} steps"
        if not self.op.startswith("gate "):
            return ADVICE.get((self.kind, self.op), KINDS[self.kind][1])
        way, gate = ("shuts", self.op[9:]) if self.op.startswith("gate 1 − ") else ("opens", self.op[5:])
        bias = f"a bias that {way} the gate {gate}{', and its like in the other layers' * self.op[-1].isdigit()}"
        more = gate.rpartition(".")[2][:1] in ("f", "z") and way == "opens" and steps > 1
        return f"{bias}: ln {steps:.0f} = {math.log(steps):.1f} keeps a state for {steps:.0f} steps" if more else bias

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
        ill = [part for part in self.parts if part.kind != "healthy"] if len(self.parts) > MOST else []
        rows = folded([f"  {cut(clean(part.source), 24, middle=True):24} {part.kind:20} {part.figures()}" for part in ill or self.parts])
        rows += [f"  … {len(self.parts) - len(ill)} more, healthy …"] * (len(self.parts) > len(ill) > 0)
        head = [f"{self.kind}{f' at {self.source}' if self.parts else ''}: {self.means}."]
        return wrapped("\n".join([*head, self.why, f"What usually helps: {self.helps}.", *rows]))

    def figures(self) -> str:
        """"signal 0.03, log gain -3.51" (in nats): those of the two that are known."""
        known = [(name, self.numbers[key]) for name, key in (("signal", "signal"), ("log gain", "log_gain")) if key in self.numbers]
        return ", ".join(f"{name} {x:+.2f}" if name == "log gain" else f"{name} {x:.3g}" for name, x in known)

    def __repr__(self) -> str:
        return f"Verdict({self.kind!r}{f' at {self.source}' if self.source else ''}: {self.figures()})"
