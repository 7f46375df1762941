"""How much of the signal arrives?  The signal is the gradient at the prediction, the loss's input; from there a walk keeps accounts.

    log gain = ln |gradient at the source| − ln |signal|      its account, in nats by kind of factor, is blame's (see account.py)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from ..autodiff.calculus import dependents, differentiable
from ..autodiff.core import Node, by_birth
from .account import Arrival, Walk
from .factors import called
from .loss import loss_part, relative_error
from .stations import Group


class Flow:
    """The gradient of `output`, from its predictions to all that the sources are used in, with accounts. Errors as in backward().

    connected    whether any path leads to a source             order        the history of the output
    predictions  what the loss was computed from                log_signal   ln of the gradient's length there
    walk         the accounts from there on                     error        the relative error of the predictions, or nan
    asks         whether the signal is more than what rounding left of a loss that is met

    last  True: only the last prediction sends its signal, as if the others had no loss
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
        self.asks = not self.loss or any(not at[node].zero for node in sending)
        self.walk = Walk([node for node in self.path if node not in self.loss], given, apart=self.sources)
        self.log_signal, self.broken = self.walk.base, self.broken or self.walk.broken

    @property
    def where(self) -> str:
        """The predictions, as a sentence calls them."""
        return called(self.predictions[0]) + " and others" * (len(self.predictions) > 1)

    @cached_property
    def last(self) -> Flow | None:
        """The same, of the last prediction alone; None if there is no other."""
        return Flow(self.output, self.sources, self.seed, True, self.order) if len(self.predictions) > 1 else None

    def at(self, nodes: Iterable[Node]) -> Arrival:
        """What arrives at some of the sources, as one vector."""
        return self.walk.together(nodes)
