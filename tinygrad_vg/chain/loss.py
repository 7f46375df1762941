"""Where does the loss end and the model begin?  At the prediction: what the loss compares with a target, or what it scores.

From the output down a node belongs to the loss while all its children do: sums and means, at most one penalty, then the error. What is
neutral, a sign or a constant factor, belongs to the loss only above one of these. A sigmoid or softmax right under its log is the loss's,
one under log(p + ε) is the model's: it can be flat there.
"""

import math

import numpy as np

from ..autodiff.core import Node, by_birth
from .factors import norm

PENALTIES = {"square": "square", "abs": "square", "power": "square", "log": "log", "log1p": "log", "logsumexp": "end", "softplus": "end"}
LOGISTIC = {"sigmoid", "exp"}  # under a log: −log σ(z), −log softmax(z)
NEUTRAL = {"add", "subtract", "multiply", "divide", "negative", "getitem", "reshape", "transpose", "astype", "sqrt", "sum"}
NEUTRAL |= {"where", "maximum", "minimum"}  # of Huber's loss
ORDER = ["", "square", "log", "end"]


def loss_part(output: Node, path: list[Node]) -> set[Node]:
    """The nodes of the path that belong to the loss: from the output down, while every child belongs to it."""
    on_path, core, ahead = set(path), set[Node](), {output}
    states: dict[Node, str | None] = {output: ""}  # what the children of a node make of it; None: it belongs to the model
    for node in reversed(path):
        if not ahead:
            break
        ahead.discard(node)
        state = states.get(node) if node.rule is not None else None
        after, is_core = role(node, state, on_path) if state is not None else (None, False)
        if is_core:
            core.add(node)
        states[node] = None if after is None else state
        for parent in on_path.intersection(node.variables):
            before = states.get(parent, "")
            states[parent] = None if after is None or before is None else max(before, after, key=ORDER.index)
            if states[parent] is not None:
                ahead.add(parent)
    for node in sorted((node for node, state in states.items() if state is not None), key=by_birth):
        if any(parent in core for parent in node.variables):  # what is neutral belongs to the loss only above something that does
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
    if op in LOGISTIC and state == "log" or op == "negative" and state == "end" and not node.name:  # as in softplus(−z)
        return "end", True
    if op == "add" and state == "log" and len(varying) == 1:
        return None, False  # log(p + ε) is bounded: p is the prediction
    weight = op in ("multiply", "divide") and len(node.variables) > 1 and not (op == "divide" and state == "log")
    return (state, False) if op in NEUTRAL and state != "end" and not weight else (None, False)


def relative_error(loss: set[Node], path: set[Node]) -> float:
    """The error of the predictions over how much the targets differ (or a thousandth of them); of a log, the loss. nan: not known."""
    errors, spreads, scored, others = [], [], set[Node](), set[Node]()
    for node in loss:
        below = {x for x in node.variables if x in path and x not in loss}
        constants = [x for x in node.parents if not isinstance(x, Node)]
        if node.op == "subtract" and len(below) == 1 and constants and np.size(constants[0]) == node.size:
            errors.append(norm(node.data))
            spreads.append(spread(np.asarray(constants[0], float)))
        elif node.op in ("log", "log1p", "logsumexp"):
            scored |= below
        else:
            others |= below
    if others - scored or 0.0 in spreads:  # something else is asked for, too; or the targets have no scale
        return math.nan
    if errors:
        return norm(np.array(errors)) / norm(np.array(spreads))
    return norm(max(loss, key=by_birth).data) if scored else math.nan


def spread(target: np.ndarray) -> float:
    """How much the targets differ; a thousandth of their size if they do not; 0 of a single one that is as good as 0."""
    around = norm(target - np.mean(target))
    if around > 1e-12 * norm(target):
        return around
    return 0.0 if target.size == 1 and norm(target) < 2e-6 else 1e-3 * norm(target)
