"""Why is this gradient small or large?  A verdict: one of a dozen reasons, and the two numbers that decide.

    signal    the gradient's length at the prediction, the loss's input: how much the loss asks for
    log gain  ln |gradient at the source| / |signal|, in nats: what the chain makes of it

A gradient that is small because the loss asks for nothing has converged; one that is small because the chain lost it has
vanished, and the account of the log gain (see flow) says to what. The norm of a weight's gradient decides nothing: it is
large where activations are large, whatever the chain did. A model is judged at the first use of each of its parameters,
and a weight that is used step after step at its first, farthest use and its last, nearest one (see judging).
"""

import math
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from ..autodiff.calculus import differentiable, gradients
from ..autodiff.core import Node
from ..nn.layers import is_leaf
from ..nn.models import parameters_of
from .factors import called
from .flow import Flow
from .idle import unless_idle
from .judging import Parameter, of_uses
from .kinds import IDLE, KINDS, SOUND, Verdict
from .sites import recurs, sites_of
from .stations import members


def verdict(output: Node, source: Any, seed: Any = None, *, losses: Any = None) -> Verdict:
    """Why the gradient of `output` with respect to `source` is small or large.

    source  a node; a group of nodes (the state of an LSTM, an array of Scalars), taken as one vector; or a model: anything
            with parameters(), {name: leaf}, or a list of leaves. Each parameter is judged where it is first used, and the
            worst names the whole. A weight that is used step after step is judged by its farthest and its nearest use
    seed    the gradient to start from; needed if the output has several entries. The output is the prediction then
    losses  the training so far, if there was any: a list of losses, or a History. It adds a sentence and decides nothing

    TypeError for what is neither; ValueError and RuntimeError as in backward().
    """
    leaves = of_parameters(source)
    named = {name: group_of(leaf) for name, leaf in leaves.items()} if leaves is not None else {"": group_of(source)}
    if not named:
        raise TypeError("a model without parameters has no gradient to judge")
    with np.errstate(all="ignore"):
        parts = judge_each(output, named, seed, alone=leaves is None)
    result = parts[0]
    if leaves is not None:
        result = copy(min([part for part in parts if part.op != IDLE] or parts, key=badness))
        result.parts = parts
    return result if losses is None else with_history(result, losses)


def of_parameters(source: Any) -> dict[str, Any] | None:
    """{name: leaf} of a model, of a dict, or of a list of leaves that are not the entries of one array; None for what is one vector."""
    if isinstance(source, list):
        arrays = {x.name.base if isinstance(x, Node) and x.name and x.name.index and not x.shape else id(x) for x in source}
        return parameters_of(source) if len(arrays) > 1 and all(map(is_leaf, source)) else None
    return parameters_of(source) if hasattr(source, "parameters") or isinstance(source, Mapping) else None


def group_of(source: Any) -> list[Node]:
    """The nodes of a source, each once; TypeError for what holds none."""
    if not (group := list(dict.fromkeys(members(source)))):
        raise TypeError("an empty group of sources has no gradient to judge; name at least one node")
    return group


def judge_each(output: Node, groups: dict[str, list[Node]], seed: Any, alone: bool = False) -> list[Verdict]:
    """The verdict on each group of nodes: on parameters at their uses; alone, as one vector, unless its uses are steps that have
    a gradient. Of steps without one the sum is judged, as one vector, too."""
    order, every = differentiable(output), list(dict.fromkeys(node for group in groups.values() for node in group))
    sites = sites_of(order, every)
    received = dict(zip(every, map(np.asarray, gradients(order, every, seed))))
    parameters = []
    for name, group in groups.items():
        uses, got = [sites[leaf] for leaf in group if sites[leaf]], [received[leaf] for leaf in group]
        steps = recurs(order, max(uses, key=len, default=[])) and all(node.rule is None for node in group)
        at_uses = not nothing_in(got) if steps else not alone
        where = uses if uses and at_uses else [[node] for node in group]
        called_so = name or called(group[0]) + ", …" * (len(group) > 1)
        parameters.append(Parameter(called_so, group, where, got, steps and at_uses, at_uses))
    used = [node for one in parameters if one.at_uses for use in one.sites for node in use]
    moves = [leaf for one in parameters if not one.recurs for leaf in one.leaves if np.any(received[leaf])]
    flow: Any = Flow(output, used, seed, order, moves) if used else None
    verdicts = []
    for one in parameters:
        its = flow if one.at_uses else Flow(output, one.leaves, seed, order)
        verdicts.append(unless_idle(of_uses(its, one), its, one, sites))
        verdicts[-1].source = one.name
    return verdicts


def badness(v: Verdict) -> tuple[float, float]:
    """Worst first, by kind; of those that shrink a gradient by how much, and to exactly 0 before all else that is finite."""
    gain, at = v.numbers.get("log_gain", 0.0), list(KINDS).index
    shrunk = v.kind in ("dead", "cancelled", "saturated", "shallow slopes", "contracting weights")
    return (at("dead") if gain == -math.inf else at("exploding") + 0.5) if shrunk else at(v.kind), -abs(gain)


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
        result.numbers = result.numbers | {"first_loss": past[0], "last_loss": past[-1]}
    return result
