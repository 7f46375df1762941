"""Where is a leaf used?  The nodes it makes with something else, oldest first: its sites, whichever way it was written.

W.T, W[0], W.astype(…) are no uses yet: h @ W.T is one, as linear(h, W) and W @ h are. A leaf that is used in two roles
(in a layer and in a penalty) is followed in the one that it has most often.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from ..autodiff.core import Node, by_birth
from .factors import adds, rearranges

Sites = dict[Node, list[Node]]


def sites_of(order: list[Node], leaves: Iterable[Node]) -> Sites:
    """For each leaf the nodes it makes, oldest first, in its commonest role: the op, and which operand it is."""
    found: dict[Node, dict[tuple[str, int], list[Node]]] = {leaf: {} for leaf in leaves}
    same: dict[Node, Node] = {leaf: leaf for leaf in found if leaf.rule is None}  # W.T: W
    for node in order:
        for i, parent in enumerate(node.parents):
            if isinstance(parent, Node) and parent in same:
                if rearranges(node):
                    same[node] = same[parent]
                else:
                    found[same[parent]].setdefault((node.op, i), []).append(node)
    return {leaf: max(uses.values(), key=len, default=[]) for leaf, uses in found.items()}  # of several roles the first


def at_use(sites: list[list[Node]], k: int) -> list[Node]:
    """The k-th use of each of several leaves, the last where there are fewer; k = −1 is the last of all."""
    return list(dict.fromkeys([own[min(k, len(own) - 1)] for own in sites]))


def recurs(order: list[Node], sites: list[Node]) -> bool:
    """Whether the uses follow one another, as the steps of a recurrence do: at least two of the first five build on the one before.

    Use k + 1 builds on use k if its operands depend on it, or if what its product is added to does.
    """
    step = (order[-1].birth - sites[0].birth) // len(sites) if sites else 0
    sites = sites[:5]
    if len(sites) < 3:
        return False
    number = {site: k for k, site in enumerate(sites)}
    latest: dict[Node, int] = {}  # the last use that a node depends on
    alone: dict[Node, int] = {}  # a product, or a sum with it, that has not met the use before
    found = set()
    first = bisect_left(order, sites[0].birth, key=by_birth)
    end = bisect_right(order, sites[-1].birth + step, key=by_birth)  # with the step after
    for node in order[first:end]:
        carries = node.op == "subtract" or rearranges(node)
        added = {edge.parent for edge in node.edges if carries or adds(edge)}
        before = {latest[x] for x in node.variables if x in latest} | {alone[x] for x in node.variables if x in alone and x not in added}
        for k in [number[node]] if node in number else [alone[x] for x in added if x in alone]:
            alone[node] = k
            if k - 1 in before:
                found.add(k)
        if before:
            latest[node] = max(before)
    return len(found) >= 2
