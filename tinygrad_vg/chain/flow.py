"""How much of the signal arrives?  The signal is the gradient at the prediction, the loss's input; from there a walk keeps accounts.

    log gain = ln |gradient at the source| − ln |signal|      its account, in nats by kind of factor, is blame's (see account.py)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents, differentiable, jvp
from ..autodiff.core import Node, by_birth
from ..autodiff.structure import Join
from .account import Arrival, Walk
from .factors import called
from .loss import loss_part, relative_error
from .stations import Group, behind


class Flow:
    """The gradient of `output`, from its predictions to all that the sources are used in, with accounts. Errors as in backward().

    connected    whether any path leads to a source             order        the history of the output
    predictions  what the loss was computed from                log_signal   ln of the gradient's length there
    walk         the accounts from there on                     error        the relative error of the predictions, or nan
    asks         whether the signal is more than what rounding left of a loss that is met

    last  True: only the last prediction sends its signal, or the last step of one that was put together of steps
    sent  {prediction: the gradient that it sends}, where that is finite
    """

    def __init__(self, output: Node, sources: Iterable[Node], seed: Any = None, last: bool = False, order: Any = None):
        self.output, self.seed, self.order = output, seed, order or differentiable(output)
        self.sources = set(sources)
        reached = dependents(self.order, self.sources)
        self.connected = output in reached
        self.path = [node for node in self.order if node in reached]
        self.sources_on_path = self.sources & set(self.order)
        self.loss = loss_part(output, self.path) - self.sources if seed is None and output.size == 1 else set[Node]()
        self.error = relative_error(self.loss, set(self.path))
        if self.connected:
            self.follow(last)

    def follow(self, last: bool) -> None:
        """Through the loss to the predictions, and from there on."""
        start: Group = (self.output,)
        self.broken = None
        at: dict[Node, Any] = {self.output: self.output.start(self.seed)}
        if self.loss:
            above = {parent for node in self.loss for parent in node.variables} - self.loss
            part = [node for node in self.path if node in self.loss or node in above]
            walk = Walk(part, at, stop=above)
            self.broken = walk.broken
            start, at = tuple(node for node in part if node in above and node in walk.at), dict(walk.at)
        self.predictions = sorted(start, key=by_birth)
        sending = self.predictions[-1:] if last else self.predictions
        given = {node: at[node]._replace(zero=None) if self.loss else at[node] for node in sending}
        self.sent = {node: np.ldexp(part.c, part.e) if self.loss else part for node, part in given.items()}
        if last and self.one_step is not None:
            given = self.sent = {node: part * self.one_step for node, part in self.sent.items()}
        self.asks = not self.loss or any(not at[node].zero for node in sending)
        self.walk = Walk([node for node in self.path if node not in self.loss], given, apart=self.sources)
        self.log_signal, self.broken = self.walk.base, self.broken or self.walk.broken

    @property
    def where(self) -> str:
        """The predictions, as a sentence calls them."""
        return called(self.predictions[0]) + " and others" * (len(self.predictions) > 1)

    @cached_property
    def last(self) -> Flow | None:
        """The same, of the last prediction alone, or of its last step; None if there is no other."""
        several = len(self.predictions) > 1 or self.one_step is not None
        return Flow(self.output, self.sources, self.seed, True, self.order) if several else None

    @cached_property
    def one_step(self) -> np.ndarray | None:
        """1 where the only prediction is of the last step, if it was put together of steps that do not mix; else None."""
        return last_step(self.predictions[0], self.path) if len(self.predictions) == 1 else None

    def way(self, node: Node) -> tuple[Node, Node, Any]:
        """From where to where, and with which seed, the chain goes that the account is of."""
        return (*self.sent, node, *self.sent.values()) if len(self.sent) == 1 else (self.output, node, self.seed)

    def at(self, nodes: Iterable[Node]) -> Arrival:
        """What arrives at some of the sources, as one vector."""
        return self.walk.together(nodes)


def last_step(prediction: Node, path: list[Node]) -> np.ndarray | None:
    """1 where a prediction depends on the last of the parts that were joined on the way to it, 0 elsewhere; None if on others, too."""
    joins = [node for node in behind([prediction], within=set(path)) if type(node.rule) is Join]
    if not joins or len(joins[-1].parents) < 3 or len({np.shape(x) for x in joins[-1].parents}) > 1:
        return None
    moves = np.random.default_rng(0).normal(size=joins[-1].shape)
    last, y = np.zeros(moves.shape), joins[-1].data
    last[joins[-1].rule.index(len(joins[-1].parents) - 1, y)] = 1.0
    of_last, of_others = (np.asarray(jvp(prediction, joins[-1], moves * part)) != 0 for part in (last, 1.0 - last))
    return None if np.any(of_last & of_others) or not np.any(of_last) else of_last.astype(prediction.data.dtype)
