"""How much of the signal arrives?  One sweep from the prediction to the source that keeps accounts as it goes.

The loss part of a graph turns a prediction into one number; the gradient at the prediction is the *signal*. From there
the sweep carries, with every gradient, the log gain so far and what it is made of: slopes (elementwise activations),
weights (all other factors) and merges (where paths meet). At a merge the contributions count by their share of Σ |c_i|²,
and what is left, ln |Σ c_i| less their mean log, is the merge's own: the three always add up to the log gain.

    c  contribution to a gradient, kept near 1; the contribution itself is c · 2^e, so nothing underflows
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Edge, Node, describe, history
from ..autodiff.guards import check_all_unchanged
from ..autodiff.products import Product
from ..autodiff.rows import Elementwise
from .factors import LINEAR, adds, norm
from .zeros import CANCELLED, Zero, why_zero

FLAT = 0.1  # a slope below a tenth of the best its op has is flat: a sigmoid above 0.974, a tanh above 0.949
OFF = 0.9  # rectifiers that stop nine tenths of the gradient are dead; to stop half of it is their normal work
SLOPES, WEIGHTS, MERGES, DEAD, SATURATED, COUNT = range(6)  # the columns of an account: nats, and the number of factors;
OPS: list[str] = []  # and of the slopes, how many nats are those of each of these, the activations met so far

# How the loss is told from the model: at most one penalty, then the error; what is neutral belongs to the loss above either.
PENALTIES = {"square": "square", "abs": "square", "power": "square", "log": "log", "log1p": "log", "logsumexp": "end", "softplus": "end"}
LOGISTIC = {"sigmoid", "exp"}  # under a log: −log σ(z), −log softmax(z)
NEUTRAL = {"add", "subtract", "multiply", "divide", "negative", "getitem", "reshape", "transpose", "astype", "sqrt", "sum"}
NEUTRAL |= {"where", "maximum", "minimum"}  # of Huber's loss
ORDER = ["", "square", "log", "end"]


class Part(NamedTuple):
    """A contribution c · 2^e to a gradient, its account, and if it is 0, the reason."""

    c: np.ndarray
    e: int
    account: np.ndarray
    zero: Zero | None = None

    @property
    def log(self) -> float:
        size = norm(self.c)
        return math.log(size) + self.e * math.log(2) if 0 < size < math.inf else -math.inf if size == 0 else size

    @property
    def op(self) -> str:
        """The activation whose slopes cost most, or were 0; '' if that is none of OPS."""
        slopes = self.account[COUNT + 1 :]
        return self.zero.op if self.zero else OPS[int(np.argmin(slopes))] if np.any(slopes < 0) else ""


class Flow:
    """The gradient of `output` with respect to a group of sources, with its account. Errors as in backward().

    connected    whether any path leads there (if not, nothing else is set)
    predictions  what the loss was computed from       log_signal  ln of the gradient's length there
    arrived      the Part that reaches the sources     infinite    what first made an inf or nan, or ''
    at(nodes)    the Part that reaches some of the sources

    through  the sources follow one another, as the uses of a weight do: each is handed on, too
    """

    def __init__(self, output: Node, sources: list[Node], seed: Any = None, through: bool = False):
        order = history(output)
        reached = dependents(order, sources)
        self.path, self.sources, self.through = [node for node in order if node in reached], set(sources), through
        self.on_path, self.connected, self.met = set(self.path), output in reached, np.zeros(3)
        OPS.extend(sorted({node.op for node in self.path if is_activation(node)} - set(OPS)))
        if self.connected:
            check_all_unchanged(order)
            self.infinite = next((f"{describe(x)} is inf or nan" for x in self.path if not np.all(np.isfinite(x.data))), "")
            loss = loss_part(output, self.path) - self.sources if seed is None and output.size == 1 else set()
            with np.errstate(all="ignore"):
                self.follow({output: [Part(*scaled(np.asarray(output.start(seed), float), 0), empty())]}, loss)

    def follow(self, parts: dict[Node, list[Part]], loss: set[Node]) -> None:
        """The sweep: first through the loss; the account starts afresh at the prediction and ends at the sources."""
        for node in reversed([node for node in self.path if node in loss]):
            self.hand_on(node, merged(parts.pop(node)), parts)
        direct = {node: merged(part) for node, part in parts.items()}
        self.predictions = sorted(direct, key=attrgetter("birth"))
        self.log_signal = log_length(part.log for part in direct.values())
        parts = {node: [part._replace(account=share(part.log - self.log_signal))] for node, part in direct.items()}
        self.met[:] = 0
        self.reached: dict[Node, Part] = {}
        for node in reversed(self.path):
            if node in parts:
                part = merged(parts.pop(node))
                if node in self.sources:
                    self.reached[node] = part
                if node not in self.sources or self.through:
                    self.hand_on(node, part, parts)
        self.arrived = self.at(self.path)

    def at(self, nodes: Iterable[Node]) -> Part:
        """What reaches those of the nodes that are sources, as one vector."""
        found = [self.reached[node] for node in nodes if node in self.reached]
        return laid_together(found) if found else Part(np.zeros(1), 0, empty(), CANCELLED)

    def hand_on(self, node: Node, part: Part, parts: dict[Node, list[Part]]) -> None:
        """To each parent on the path its contribution, the edge's gain added to the account."""
        for edge in node.edges:
            if edge.parent in self.on_path:
                local = edge.local
                c, e = scaled(np.asarray(local.pull(part.c), float), part.e)
                if not np.all(np.isfinite(c)):
                    self.infinite = self.infinite or f"the derivative of {describe(node)} is inf or nan"
                new = Part(c, e, part.account, part.zero)
                d = slope(edge, local)
                entry = share(0.0) if part.zero else self.entry_of(edge, d, part, new.log - part.log)
                zero = part.zero or (None if np.any(c) else why_zero(edge, d is not None))
                parts.setdefault(edge.parent, []).append(new._replace(account=part.account + entry, zero=zero))

    def entry_of(self, edge: Edge, d: np.ndarray | None, part: Part, gain: float) -> np.ndarray:
        """What the edge adds to the account; its slopes are counted, each weighted by the squared gradient that it meets."""
        entry = empty()
        rule = edge.child.rule
        entry[COUNT] = d is not None or isinstance(rule, Product) and not adds(edge) or rule.name in ("multiply", "divide")
        entry[WEIGHTS if d is None else SLOPES] = gain
        if d is not None:
            d = np.broadcast_to(np.abs(d), part.c.shape)
            g = part.c**2 / np.sum(part.c**2)
            off, flat = d == 0, d < FLAT * (rule.largest_slope or 0.0)
            self.met += [np.mean(off), np.mean(flat), 1.0]
            entry[DEAD] = gain * (rule.largest_slope is None and np.sum(g * off) > OFF)
            entry[SATURATED] = gain * bool(np.sum(g * flat) > 0.5)
            entry[COUNT + 1 + OPS.index(rule.name)] = gain
        return entry


def empty() -> np.ndarray:
    """An account with nothing in it."""
    return np.zeros(COUNT + 1 + len(OPS))


def is_activation(node: Node) -> bool:
    """Whether the node's op has slopes: elementwise, and not linear."""
    return isinstance(node.rule, Elementwise) and node.rule.name not in LINEAR


def merged(parts: list[Part]) -> Part:
    """The sum of contributions. Exactly 0 though some of them are not: they cancelled."""
    if len(parts) == 1:
        return parts[0]
    e = max(part.e for part in parts if not part.zero) if not all(part.zero for part in parts) else 0
    c = np.sum([np.ldexp(part.c, part.e - e) for part in parts], axis=0)
    zero = None if np.any(c) else reason(parts) or CANCELLED
    whole = Part(*scaled(c, e), empty(), zero)
    return whole._replace(account=mean_account(parts, whole.log))


def laid_together(parts: list[Part]) -> Part:
    """Gradients of several sources, as one long vector."""
    if len(parts) == 1:
        return parts[0]
    e = max(part.e for part in parts)
    c = np.concatenate([np.ldexp(part.c, part.e - e).ravel() for part in parts])
    return Part(c, e, mean_account(parts, log_length(part.log for part in parts)), reason(parts))


def reason(parts: list[Part]) -> Zero | None:
    """Why all of the parts are 0; None if they are not. That a state is 0 is a reason only where there is no other."""
    zeros = [part.zero for part in parts if part.zero]
    return min(zeros, key=lambda zero: zero.kind == "zero state") if len(zeros) == len(parts) else None


def mean_account(parts: list[Part], log: float) -> np.ndarray:
    """The accounts of contributions, each by its share of Σ |c_i|²; the rest of the log goes to the merge."""
    live = [part for part in parts if not part.zero and math.isfinite(part.log)]
    if not live or not math.isfinite(log):
        return empty()
    logs = np.array([part.log for part in live])
    shares = np.exp(2 * (logs - log_length(logs)))
    account = np.sum([p * part.account for p, part in zip(shares, live)], axis=0)
    return account + share(log - float(shares @ logs))


def share(nats: float) -> np.ndarray:
    """An account with an entry for a merge (or for the parts of a prediction)."""
    account = empty()
    account[MERGES] = nats if math.isfinite(nats) else 0.0
    return account


def scaled(c: np.ndarray, e: int) -> tuple[np.ndarray, int]:
    """c · 2^e with c near 1."""
    top = float(np.max(np.abs(c), initial=0.0))
    shift = math.frexp(top)[1] if math.isfinite(top) else 0
    return np.ldexp(c, -shift), e + shift


def log_length(logs: Iterable[float]) -> float:
    """ln √Σ exp(2 l): the log length of a vector, from those of its parts."""
    values = np.array(list(logs))
    top = float(np.max(values, initial=-math.inf))
    return top + 0.5 * math.log(float(np.sum(np.exp(2 * (values - top))))) if math.isfinite(top) else top


def slope(edge: Edge, local: Any) -> np.ndarray | None:
    """The slopes on the edge of an activation; None for other edges."""
    if not is_activation(edge.child):
        return None
    return np.asarray(getattr(local, "outer", local).d, float)


def loss_part(output: Node, path: list[Node]) -> set[Node]:
    """The nodes of the path that belong to the loss: from the output down, while every child belongs to it."""
    on_path, states, core = set(path), {output: ""}, set()
    blocked: set[Node] = set()
    for node in reversed(path):
        state = states.get(node, "") if node not in blocked and node.rule is not None else None
        after, is_core = (None, False) if state is None else role(node, state, on_path)
        if is_core:
            core.add(node)
        for parent in node.variables:
            if after is None:
                blocked.add(parent)
            else:
                states[parent] = max(states.get(parent, ""), after, key=ORDER.index)
        if after is None:
            states.pop(node, None)
    for node in path:  # what is neutral belongs to the loss only above something that does
        if node in states and any(parent in core for parent in node.variables):
            core.add(node)
    return core


def role(node: Node, state: str, on_path: set[Node]) -> tuple[str | None, bool]:
    """(the state below the node, or None if it belongs to the model; whether it makes a loss by itself)."""
    op = node.op
    varying = [x for x in node.variables if x in on_path]
    squared = op == "multiply" and len(varying) == 2 and varying[0] is varying[1]
    if op in ("mean", "sum") and state == "":
        return "", True
    if (op in PENALTIES or squared) and state == "":
        return PENALTIES.get(op, "square"), True
    if op == "subtract" and state == "square" and len(varying) == 1:
        return "end", True
    if op in LOGISTIC and state == "log":
        return "end", True
    weight = op in ("multiply", "divide") and len(node.variables) > 1 and not (op == "divide" and state == "log")
    return (state, False) if op in NEUTRAL and state != "end" and not weight else (None, False)
