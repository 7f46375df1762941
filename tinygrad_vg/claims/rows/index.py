"""Can the formula be carried out as it is printed?  An index formula of explain(), evaluated with numpy's einsum and nothing else.

Einstein's convention: an index that the left side has not is summed over.   ∂L/∂W_ij = g_i h_j   is   einsum("i,j->ij", g, h)

    W  weight      h  state      g  gradient at the node
"""

import re
from typing import Any

import numpy as np

from ... import explain, grad, history
from ...autodiff.core import Node, plain
from ...formulas.rules import names, operand


def carried_out(formula: str, values: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """The right side of `∂L/∂W_ij = Σ_n g_ni h_nj`, an array of `shape`, from the arrays that the names stand for."""
    left, right = re.split(r" \+?= ", formula)  # += where the parent is used more than once
    own = re.split("[_,]", left)[-1] if shape else ""
    factors = [factor(text, values) for text in re.findall(r"\([^()]*\)|\S+", right) if not text.startswith("Σ")]
    labels = [label for label, _ in factors]
    lonely = [(i, np.ones(n)) for i, n in zip(own, shape) if i not in "".join(labels)]  # g spread over i
    return np.einsum(",".join([*labels, *(i for i, _ in lonely)]) + "->" + own, *(x for _, x in factors + lonely))


def factor(text: str, values: dict[str, Any]) -> tuple[str, Any]:
    """(labels, array) of one factor: `W_hh,ij`, `g`, `2`, or a bracket such as `(1 - h_i * h_i)`."""
    labels = ""
    for name in sorted(values, key=len, reverse=True):
        entry = re.compile(rf"(?<![\w'\]]){re.escape(name)}(?:{',' if '_' in name else '_'}([a-z]+))?(?![\w'\[,])")
        if found := entry.search(text):
            labels, text = found[1] or labels, entry.sub(f"values[{name!r}]", text)
    return labels, eval(text, {"__builtins__": {}}, {"values": values})  # the text is a row of our own table


def all_carried_out(loss: Node) -> tuple[int, float]:
    """(how many, the largest error): the formula of every edge of the graph below the loss, beside what the sweep multiplies by."""
    nodes = [node for node in history(loss) if node.rule is not None]
    gradients, errors = grad(loss, nodes), []
    for node, g in zip(nodes, gradients):
        for edge, row in zip(node.edges, explain(node).rows):
            values = {operand(edge, k): np.asarray(plain(x)) for k, x in enumerate(node.parents)} | {names(edge)[0]: node.data, "g": g}
            errors.append(np.max(np.abs(carried_out(row["index"], values, edge.parent.shape) - edge.local.pull(g))))
    return len(errors), float(max(errors))
