"""How do the gradients of many losses walk back at once?  From state to state, with a row for each loss.

    G_a = D_a + Σ_b G_b J_ba        a matrix (losses, numbers of a) at each state, its rows ∂L_t/∂a

D_a is what arrives without passing another state: one sweep for each loss. J_ba is ∂b/∂a with all other states held fixed: a few
sweeps over the nodes between two states. As every path is cut where it passes a state, it is exact in any graph; where most ways pass
none, one sweep for each loss is cheaper. Each row has an exponent of its own. Of large arrays only the windows that are read are walked.

    a, b  nodes of states, b younger      G  gradients, (rows, n)      E  exponents: the gradient is G · 2^E      J  Jacobian
"""

from collections import defaultdict
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Node, describe, guard, sweep
from ..autodiff.guards import check_all_unchanged, check_walk
from .factors import norm
from .stations import Group, behind, named
from .window import narrowed

DEARER = 2  # times one sweep for each loss
LARGE = 50_000  # numbers in an array: with fewer, to cut windows costs more than it saves
LOWEST = -(10**8)  # the exponent of a row of zeros: below that of any other


class Pile:
    """What has arrived at a node: a row G · 2^E for each loss, and whether any path led here from it."""

    def __init__(self, losses: int, size: int):
        self.G, self.E = np.zeros((losses, size)), np.full(losses, LOWEST)
        self.hit = np.zeros(losses, dtype=bool)

    def add(self, rows: Any, G: np.ndarray, E: Any) -> None:
        """Add G · 2^E to these rows, which are not named twice."""
        G, E = even(G, E)
        top = np.maximum(self.E[rows], E)
        self.G[rows] = np.ldexp(self.G[rows], (self.E[rows] - top)[:, None]) + np.ldexp(G, (E - top)[:, None])
        self.E[rows], self.hit[rows] = top, True


class Piece:
    """The graph from a node back to the first states before it, at which every path ends: .ends."""

    def __init__(self, node: Node, states: set[Node], useful: set[Node], narrow: bool = False):
        self.ops = behind([node], states, useful)
        self.ends = {parent for op in self.ops for parent in op.variables if parent in states}
        if narrow and any(op.size >= LARGE for op in self.ops):
            self.ops = narrowed(self.ops, self.ends)
        self.node, self.inside = self.ops[-1], self.ends.union(self.ops)

    def pull(self, g: Any) -> dict[Node, np.ndarray]:
        """The gradient g at the node pulled back to the ends."""
        gradients = {self.node: g}
        sweep(self.ops, gradients, wanted=(), inside=self.inside)
        return {end: end.finalise(part) for end, part in gradients.items() if end in self.ends}

    def carry(self, G: np.ndarray) -> dict[Node, np.ndarray]:
        """Many rows at once: G J, with the dense Jacobian, if that takes fewer sweeps. In it inf would meet zeros: then row by row."""
        if len(G) > self.node.size and np.all(np.isfinite(G)):
            J = self.pull_rows(np.eye(self.node.size))
            if all(np.all(np.isfinite(part)) for part in J.values()):
                return {end: G @ part for end, part in J.items()}
        return self.pull_rows(G)

    def pull_rows(self, G: np.ndarray) -> dict[Node, np.ndarray]:
        """G J, one pull for each row of G (rows, size): for each end an array (rows, its size)."""
        pulled = [self.pull(row.reshape(self.node.shape)) for row in G]
        return {end: np.array([part[end] for part in pulled]).reshape(len(G), end.size) for end in (pulled[0] if pulled else ())}


def carried(losses: list[Any], groups: list[Group]) -> tuple[np.ndarray, np.ndarray]:
    """(norms, exponents), each (losses, groups): |∂L_t/∂h_s| = norm · 2^exponent, the members of a group held fixed beside each other.

    ValueError if another state lies between members of a group; RuntimeError if a leaf changed since, or under no_grad().
    """
    order, states = behind(losses), {node for group in groups for node in group}
    for loss in losses:
        check_walk(loss, [])
    check_all_unchanged(order)
    useful, cut, pieces = dependents(order, states), states.union(losses), dict[Node, Piece]()
    narrow = safe_to_narrow(losses, order, states, useful)
    affordable = DEARER * len(losses) * len(order)
    for node in order:
        if node in cut:
            pieces[node] = Piece(node, states, useful, narrow)
            affordable -= min(node.size, len(losses)) * len(pieces[node].ops) * (node in states)
            if affordable < 0 and all(len(group) == 1 for group in groups):
                return one_by_one(losses, [node for (node,) in groups], order, useful)
    for group in groups:
        check_apart(group, pieces)
    return walked_back(losses, pieces, groups)


def safe_to_narrow(losses: list[Any], order: list[Node], states: set[Node], useful: set[Node]) -> bool:
    """Whether arrays are large, and what lies outside of a window stays 0: no zero meets an infinite slope on its way back."""
    if guard.get() is not None or all(node.size < LARGE for node in useful):
        return False
    gradients = {loss: loss.as_gradient(0.0, "zero") for loss in losses}
    sweep(order, gradients, wanted=states, inside=useful)
    return all(not np.any(node.finalise(g)) for node, g in gradients.items() if node in states)


def one_by_one(losses: list[Any], states: list[Node], order: list[Node], useful: set[Node]) -> tuple[np.ndarray, np.ndarray]:
    """The same, of one sweep for each loss: where a way leads past all states, as an LSTM's c past its h, pieces are long and overlap."""
    norms, place, keep = np.zeros((len(losses), len(states))), {node: k for k, node in enumerate(order)}, set(states)
    for t, loss in enumerate(losses):
        gradients = {loss: loss.start(None)}
        sweep(order[: place[loss] + 1], gradients, wanted=keep, inside=useful)
        norms[t] = [norm(node.finalise(gradients[node])) if node in gradients else 0.0 for node in states]
    return norms, np.zeros(norms.shape, dtype=int)


def check_apart(group: Group, pieces: dict[Node, Piece]) -> None:
    """ValueError if a path from one member of a group to another passes a state outside the group."""
    members, oldest = set(group), min(node.birth for node in group)
    stack = [end for node in group if node in pieces for end in pieces[node].ends - members]
    seen = set(stack)
    while stack:
        between = stack.pop()
        if inside := pieces[between].ends & members:
            way = f"it uses {named(tuple(inside))}, so they cannot be held fixed beside each other; give them as two states"
            raise ValueError(f"{describe(between)} lies between members of the state {named(group)}: {way}")
        new = {end for end in pieces[between].ends - seen if end.birth > oldest}
        seen |= new
        stack += new


def walked_back(losses: list[Any], pieces: dict[Node, Piece], groups: list[Group]) -> tuple[np.ndarray, np.ndarray]:
    """From the losses, and the youngest state, to the oldest: note what arrived there, then hand it on to the states before.

    What comes from another member of the same group waits apart: it counts on the way back, not in the length at that group.
    """
    n, belongs = len(losses), defaultdict[Node, set[int]](set)
    norms, exponents = np.zeros((n, len(groups))), np.full((n, len(groups)), LOWEST)
    for s, group in enumerate(groups):
        for node in group:
            belongs[node].add(s)
    waiting = {loss: {frozenset[int](): Pile(n, loss.size)} for loss in losses}
    for t, loss in enumerate(losses):
        waiting[loss][frozenset()].add([t], np.ravel(loss.start(None))[None], np.zeros(1, dtype=int))
    for a in reversed(pieces):
        if piles := waiting.pop(a, None):
            for s in belongs[a]:
                fixed = summed([pile for shared, pile in piles.items() if s not in shared], n, a.size)
                norms[:, s], exponents[:, s] = longer(norms[:, s], exponents[:, s], fixed)
            total = summed(list(piles.values()), n, a.size)
            rows = np.flatnonzero(total.hit)
            for b, G in pieces[a].carry(total.G[rows]).items() if pieces[a].ends else ():
                piles, shared = waiting.setdefault(b, {}), frozenset(belongs[a] & belongs[b])
                if shared not in piles:
                    piles[shared] = Pile(n, b.size)
                piles[shared].add(rows, G, total.E[rows])
    return norms, exponents


def summed(piles: list[Pile], losses: int, size: int) -> Pile:
    """The sum of what waits in several piles."""
    if len(piles) == 1:
        return piles[0]
    total = Pile(losses, size)
    for pile in piles:
        total.add(rows := np.flatnonzero(pile.hit), pile.G[rows], pile.E[rows])
    return total


def even(G: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same rows, each scaled by a power of two so that its largest entry is about 1; rows with nan or inf stay as they are."""
    largest = np.max(np.abs(G), axis=1, initial=0.0)
    shift = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    return np.ldexp(G, -shift[:, None]), np.where(largest == 0, LOWEST, E + shift)


def longer(norm: np.ndarray, E: np.ndarray, pile: Pile) -> tuple[np.ndarray, np.ndarray]:
    """√(a² + b²) of the lengths so far, norm · 2^E, and those of the rows of a pile."""
    G, F = even(pile.G, pile.E)
    top = np.maximum(E, F)
    return np.hypot(np.ldexp(norm, E - top), np.ldexp(np.sqrt(np.sum(G * G, axis=1)), F - top)), top
