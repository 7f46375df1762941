"""Where do all steps lie side by side in one array, and what of it is which step's?

    x = relu(stack(h))        z[t] = … + linear(x[:, t], W)

Between the stack and the selections one array holds the gradients of all steps, each with an account of its own. So a walk carries what
each selection hands back through it alone (all of it is linear): then it comes to its own step, and to no other.
"""

from collections.abc import Iterable

from ..autodiff.core import Node
from ..autodiff.structure import Join, Select

MOST = 200_000_000  # numbers, all selections together, that are carried, in a second or two; beyond it the steps share one account


def columns_of(order: list[Node], inside: set[Node], apart: Iterable[Node] = ()) -> set[Node]:
    """The nodes from a stack of at least three parts on that are made of it and of leaves alone, and that lead to selections only."""
    made = {node for node in order if type(node.rule) is Join and len(node.parents) > 2}
    if not made:
        return made
    for node in order:
        if not made.isdisjoint(node.variables) and all(x in made or x.rule is None or x not in inside for x in node.variables):
            made.add(node)
    made.difference_update(apart)
    numbers = 0
    for node in reversed(order):
        for parent in made.intersection(node.variables):
            if isinstance(node.rule, Select):
                numbers += parent.size
            elif node not in made:
                made.remove(parent)
    return made if numbers <= MOST else set()
