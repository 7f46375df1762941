"""How much of the signal arrives?  The signal is the gradient at the prediction, the loss's input; from there a walk keeps accounts.

    log gain = ln |gradient at the source| − ln |signal|      its account, in nats by kind of factor, is blame's (see account.py)
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents, differentiable, jvp
from ..autodiff.core import Node, by_birth
from ..autodiff.structure import Join
from .account import Walk
from .arrivals import Arrival, arrived
from .factors import called
from .loss import loss_part, relative_error
from .stations import behind
from .uses import next_names

MIXED = -2


class Flow:
    """The gradient of `output`, from its predictions to all that the sources are used in, with accounts. Errors as in backward().

    connected    whether any path leads to a source             order        the history of the output
    predictions  {node: Arrival}: what the loss was made from   log_signal   ln of the gradient's length there
    walk         the accounts from there on                     error        the relative error of the predictions, or nan
    asks         whether the signal is more than what rounding left of a loss that is met
    broken       where a nan or inf first arose, or None        sent         {prediction: the gradient that it sends}
    moves        of the leaves that are judged those that a step changes, and that are not used step after step
    """

    def __init__(self, output: Node, sources: Iterable[Node], seed: Any = None, order: Any = None, moves: Iterable[Node] = ()):
        self.output, self.seed, self.order = output, seed, order or differentiable(output)
        self.sources, self.moves, self.broken = set(sources), set(moves), None
        reached = dependents(self.order, self.sources)
        self.connected = output in reached
        self.path = [node for node in self.order if node in reached]
        self.loss = loss_part(output, self.path) - self.sources if seed is None and output.size == 1 else set[Node]()
        self.error = relative_error(self.loss, set(self.path))
        if self.connected:
            self.predictions = self.through_loss({output: arrived(output.start(seed))})
            self.walk_from(self.predictions)

    def through_loss(self, at: dict[Node, Arrival]) -> dict[Node, Arrival]:
        """What arrives at the predictions, oldest first."""
        if not self.loss:
            return at
        above = {parent for node in self.loss for parent in node.variables} - self.loss
        part = [node for node in self.path if node in self.loss or node in above]
        walk = Walk(part, at, stop=above)
        self.broken = walk.broken
        return {node: walk.at[node] for node in sorted(above, key=by_birth) if node in walk.at}

    def walk_from(self, sending: dict[Node, Arrival]) -> None:
        """From some of the predictions to the sources."""
        self.sent = {node: np.ldexp(part.c, part.e) for node, part in sending.items()}
        self.asks = any(not part.zero for part in sending.values())
        given = {node: part._replace(zero=None) for node, part in sending.items()}
        self.walk = Walk([node for node in self.path if node not in self.loss], given, apart=self.sources)
        self.log_signal, self.broken = self.walk.base, self.broken or self.walk.broken

    @property
    def where(self) -> str:
        """The predictions, as a sentence calls them."""
        return called(next(iter(self.predictions))) + " and others" * (len(self.predictions) > 1)

    @cached_property
    def last(self) -> Flow | None:
        """The same, of the last prediction alone, or of its last step; None if there is no other."""
        node, part = list(self.predictions.items())[-1]
        if len(self.predictions) == 1:
            if (step := last_step(node, part.c, self.path)) is None:
                return None
            part = arrived(part.c * step, part.e)._replace(zero=part.zero)
        flow = copy(self)
        flow.walk_from({node: part})
        return flow

    @cached_property
    def names(self) -> dict[Node, Any]:
        """What is near each node."""
        return next_names(self.order)

    def way(self, node: Node) -> tuple[Node, Node, Any]:
        """From where to where, and with which seed, the chain goes that the account is of."""
        return (*self.sent, node, *self.sent.values()) if len(self.sent) == 1 else (self.output, node, self.seed)


def last_step(prediction: Node, c: np.ndarray, path: list[Node]) -> np.ndarray | None:
    """1 where a prediction depends on the last of the parts that were joined on the way to it and that receive anything of its
    gradient c, 0 elsewhere. None if they are mixed on the way, or if there is one alone."""
    joins = [node for node in behind([prediction], within=set(path)) if type(node.rule) is Join]
    if not joins or len(joins[-1].parents) < 3 or len({np.shape(x) for x in joins[-1].parents}) > 1:
        return None
    part = part_of(prediction, joins[-1])
    asked = part[c != 0]
    if not np.any(asked >= 0) or np.any(asked == MIXED) or np.all(asked == np.max(asked)):
        return None
    return (part == np.max(asked)).astype(prediction.data.dtype)


def part_of(node: Node, join: Node) -> np.ndarray:
    """Of each entry of a node the number of the part of a join that it depends on; −1 for none, MIXED for several.

    The number is found bit by bit: which entries move if all parts do whose number has that bit, which if all others do.
    """
    moves, numbers = np.random.default_rng(0).normal(size=join.shape), np.zeros(join.shape, dtype=int)
    for k in range(len(join.parents)):
        numbers[join.rule.index(k, join.data)] = k
    found = np.zeros(node.shape, dtype=int)
    for bit in range((len(join.parents) - 1).bit_length()):
        has = numbers >> bit & 1
        with_it, without = (np.asarray(jvp(node, join, moves * which)) != 0 for which in (has, 1 - has))
        found = np.where(with_it | without, found + (with_it << bit) * (found >= 0), np.minimum(found, -1))
        found[with_it & without] = MIXED
    return found
