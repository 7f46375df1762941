"""Which nodes can no path avoid?  The stations, where the chain is cut.

Among the nodes that lie on a path from source to output, in age order, a node is a station exactly when no edge jumps
over it. A station asked for by hand may also be a group of nodes, when only together they stop every path.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.calculus import dependents
from ..autodiff.core import Node, by_birth, describe, history
from ..autodiff.structure import Join

Group = tuple[Node, ...]
Edges = Any  # pairs (child, parent)


def paths_between(source: Node, output: Node) -> list[Node]:
    """The nodes on any path from source to output, oldest first; ValueError if there is no path."""
    order = history(output)
    reached = dependents(order, [source])
    if output not in reached:
        raise ValueError(f"{describe(output)} does not depend on {describe(source)}: there is no path between them, and the gradient is 0")
    return [node for node in order if node in reached]


def behind(ends: Iterable[Node], stop: Any = (), within: Any = None, silent: Edges = ()) -> list[Node]:
    """What `ends` are computed from, these included, oldest first; a walk back that ends at `stop`, without it, and stays `within`."""
    found = set(ends)
    stack = list(found)
    while stack:
        child = stack.pop()
        for parent in child.variables:
            if parent not in found and parent not in stop and (within is None or parent in within) and (child, parent) not in silent:
                found.add(parent)
                stack.append(parent)
    return sorted(found, key=by_birth)


def silent_edges(path: list[Node], seed: Any) -> set[tuple[Node, Node]]:
    """(stack or concatenation, part) for each part of which the output takes nothing, such as the steps that a loss does not read.

    A walk back over which entries the seed can reach at all; how large a gradient is plays no role, so that none underflows.
    """
    inside = set(path)
    joins = {node for node in path if type(node.rule) is Join and len(inside.intersection(node.variables)) > 1}
    after, asked, silent = dependents(path, joins) if joins else set(), {path[-1]: np.not_equal(seed, 0)}, set()
    for node in reversed(path):
        if node not in after or node not in asked or not np.any(where := asked.pop(node)):
            continue
        g = node.finalise(np.asarray(where * (1.5 + np.cos(np.arange(node.size))).reshape(node.shape), node.data.dtype))
        loud: set[Node] = set()
        for parent, part in zip(node.parents, node.rule.parts(node, g, inside)):
            if part is not None:
                reached = np.not_equal(part.total() if isinstance(part, list) else part, 0)  # type: ignore[attr-defined]
                asked[parent] = asked.get(parent, False) | reached
                loud |= {parent} if np.any(reached) else set()
        if node in joins:
            silent |= {(node, parent) for parent in inside.intersection(node.variables) - loud}
    return silent


def still_open(path: list[Node], silent: Edges) -> list[Node]:
    """The nodes on any path that takes no silent edge; [] if there is none."""
    order, reached = behind(path[-1:], within=set(path), silent=silent), {path[0]}
    for node in order:
        if any(parent in reached and (node, parent) not in silent for parent in node.variables):
            reached.add(node)
    return [node for node in order if node in reached] if path[-1] in reached else []


def automatic(path: list[Node], silent: Edges = ()) -> list[Group]:
    """Every station of the path, oldest first: one scan, keeping the farthest child that any node so far reaches."""
    youngest: dict[Node, int] = {}  # the place of each node's youngest child
    for k, node in enumerate(path):
        youngest.update((parent, k) for parent in node.variables if (node, parent) not in silent)
    stations: list[Group] = []
    reach = 0
    for k, node in enumerate(path):
        if reach <= k:
            stations.append((node,))
        reach = max(reach, youngest.get(node, k))
    return stations


def chosen(through: Iterable[Any], path: list[Node]) -> list[Group]:
    """The stations asked for, oldest first, between the source and the output. TypeError or ValueError for what cannot be one."""
    if isinstance(through, Node):
        raise TypeError(f"through is a list of stations; for one, write through=[{describe(through)}]")
    on_path, groups = set(path), []
    for station in through:
        group = tuple(members(station))
        groups.append(tuple([node for node in group if node in on_path]))
        if not groups[-1]:
            raise ValueError(f"{named(group)} lies on no path from {describe(path[0])} to {describe(path[-1])}")
    ends = [(path[0],), (path[-1],)]
    inner = [group for group in groups if not {path[0], path[-1]} & set(group)]
    return ends[:1] + sorted(inner, key=lambda group: max(node.birth for node in group)) + ends[1:]


def members(station: Any) -> list[Node]:
    """The nodes of a station: one, or a group of them, nested as the state of stacked cells is. Those on no path are left out later."""
    if isinstance(station, (tuple, list)):
        return [node for part in station for node in members(part)]
    if isinstance(station, np.ndarray) and station.dtype == object:
        return [node for part in station.flat for node in members(part)]
    if not isinstance(station, Node):
        raise TypeError(f"a station is a node or a group of nodes; got {type(station).__name__}")
    return [station]


def why_not(start: Group, end: Group, path: list[Node], silent: Edges = ()) -> str:
    """Why a path from the source reaches `end` without passing `start`."""
    if leak := leaking_edge(start, path, silent):
        return (
            f"{named(start)} does not separate {describe(path[0])} from {describe(path[-1])}: the edge "
            f"{describe(leak[0])} → {describe(leak[1])} leaks past it; make the station a group that stops that path too, "
            "take a state as the output (with a seed), or one term of the loss"
        )
    return f"{named(end)} is not computed from {named(start)} alone; choose stations of which each follows from the one before"


def leaking_edge(group: Group, path: list[Node], silent: Edges = ()) -> tuple[Node, Node] | None:
    """An edge by which a path goes round the group, or None if every path from path[0] to path[-1] stops at it."""
    members, after = set(group), dependents(path, group)
    past, leak = {path[0]} - members, None
    for node in path:
        for parent in node.variables:
            if node not in members and parent in past and (node, parent) not in silent:
                past.add(node)
                leak = leak or ((parent, node) if node in after or node is path[-1] else None)
    return leak if path[-1] in past else None


def named(group: Group) -> str:
    """h[3], or {h[3], c[3]}; a node without a name is called by its op."""
    names = [str(node.name or (node.op if node.rule else describe(node))) for node in group]
    return names[0] if len(group) == 1 else "{" + ", ".join(names) + "}"


def packed(group: Group, values: dict[Node, Any]) -> np.ndarray:
    """The values of the members: one member's as it is, several laid end to end."""
    parts = [np.asarray(values[node] if node in values else np.zeros(node.shape)) for node in group]
    return parts[0] if len(parts) == 1 else np.concatenate([part.ravel() for part in parts])


def unpacked(group: Group, array: Any) -> dict[Node, np.ndarray]:
    """The opposite of packed."""
    if len(group) == 1:
        return {group[0]: array}
    parts = np.split(np.asarray(array), np.cumsum([node.size for node in group])[:-1])
    return {node: part.reshape(node.shape) for node, part in zip(group, parts)}


def shape_of(group: Group) -> tuple[int, ...]:
    """The shape of a station of one node; of several, laid end to end, (sum of their sizes,)."""
    return group[0].shape if len(group) == 1 else (int(np.sum([node.size for node in group])),)
