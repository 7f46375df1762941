"""In which column, and how far down, does each box stand?  Children right of their parents, few crossings, states in straight rows.

    column  the numbers of its boxes, top first; from len(boxes) on, points at which a long arrow passes the column
    u, v    along the columns and across them: right and down, or down and right in a picture that runs down
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import pairwise, permutations
from typing import NamedTuple

from .elements import Picture

FAR = 12  # columns that an arrow passes one by one; a longer one runs around
SWEEPS, POINT = 12, 12.0  # how often the order is tried anew; the room an arrow takes when it passes a column
LITTLE = 40  # boxes and points: of so few the order is tried again from its mirror image
Columns = list[list[int]]


class Mesh(NamedTuple):
    """Columns in which every arrow goes from one to the next, by points in the columns it passes."""

    columns: Columns
    left: dict[int, list[int]]  # neighbours in the column before, and in the column after
    right: dict[int, list[int]]
    points: dict[int, list[int]]  # of each arrow that passes columns


def columns(picture: Picture, apart: set[int]) -> Columns:
    """The boxes of each column, but those apart: step by step, and in a step by the longest way to its end.

    Children come after their parents, so a walk from the last box sees every child first.
    """
    group = {i: number for number, members in enumerate(picture.groups) for i in members.boxes}
    last, depth = len(picture.groups), [0] * len(picture.boxes)
    for arrow in sorted(picture.arrows, key=lambda arrow: -arrow.head):
        if not arrow.loop and group.get(arrow.tail, last) == group.get(arrow.head, last):
            depth[arrow.tail] = max(depth[arrow.tail], depth[arrow.head] + 1)
    table: dict[tuple[int, int], list[int]] = {}
    for i, d in enumerate(depth):
        if i not in apart:
            table.setdefault((group.get(i, last), -d), []).append(i)
    return [table[key] for key in sorted(table)]


def mesh(picture: Picture, band: Columns, row: dict[int, int]) -> Mesh:
    """The columns of one band, with the points of its long arrows; those along a row of states are in that row, too."""
    place = {i: k for k, members in enumerate(band) for i in members}
    found = Mesh([list(members) for members in band], {}, {}, {})
    free = len(picture.boxes)
    for e, arrow in enumerate(picture.arrows):
        if arrow.loop or arrow.tail not in place or arrow.head not in place or place[arrow.head] - place[arrow.tail] > FAR:
            continue
        way = [arrow.tail]
        level = row.get(arrow.tail)
        clear = level is not None and row.get(arrow.head) == level and not any(
            row.get(i) == level for column in found.columns[place[arrow.tail] + 1 : place[arrow.head]] for i in column)
        for k in range(place[arrow.tail] + 1, place[arrow.head]):
            if clear:
                row[free] = level  # type: ignore[assignment]
            found.columns[k].append(free)
            way.append(free)
            free += 1
        found.points[e] = way[1:]
        for a, b in pairwise([*way, arrow.head]):
            found.right.setdefault(a, []).append(b)
            found.left.setdefault(b, []).append(a)
    return found


def untangle(found: Mesh, row: dict[int, int], ordered: Iterable[int] = ()) -> None:
    """Sort every column by the medians of its neighbours, to and fro; the order with the fewest crossings stays. Rows are on top.

    ordered  boxes whose operands are to enter in their order, first on top, where that costs no crossing
    """
    def sort(column: list[int], near: dict[int, list[int]], place: dict[int, int]) -> None:
        def median(item: int) -> float:
            around = sorted(place[other] for other in near.get(item, []))
            return (around[(len(around) - 1) // 2] + around[len(around) // 2]) / 2 if around else here[item]

        here = {item: k for k, item in enumerate(column)}
        column.sort(key=lambda item: (item not in row, row.get(item, 0), median(item), operand.get(item, 0)))

    operand = {item: k for head in ordered for k, item in enumerate(found.left.get(head, []))}
    best, least = [list(column) for column in found.columns], (crossings(found) + 1, 0)
    little = sum(map(len, found.columns)) <= LITTLE
    for sweep in range(SWEEPS * (1 + little)):
        if sweep == SWEEPS:
            found.columns[:] = [column[::-1] for column in best]
        order, near = (found.columns, found.left) if sweep % 2 else (found.columns[::-1], found.right)
        for column, after in pairwise(order):
            sort(column, {}, {})
            sort(after, near, {item: k for k, item in enumerate(column)})
        if (tangled := (crossings(found), upside_down(found, ordered))) < least:
            best, least = [list(column) for column in found.columns], tangled
        if not any(least):
            break
    found.columns[:] = [sorted(column, key=lambda item: (item not in row, row.get(item, 0))) for column in best]


def upside_down(found: Mesh, ordered: Iterable[int]) -> int:
    """How many operands stand above the one before them."""
    place = {item: k for column in found.columns for k, item in enumerate(column)}
    return sum(place[b] < place[a] for head in ordered for a, b in pairwise(found.left.get(head, [])))


def crossings(found: Mesh) -> int:
    """How many pairs of arrows cross on the way from column to column."""
    total = 0
    for column, after in pairwise(found.columns):
        place, ends = {item: k for k, item in enumerate(after)}, list[int]()
        for item in column:
            heads = sorted(place[head] for head in found.right.get(item, []))
            total += sum(len(ends) - bisect_left(ends, head + 1) for head in heads)
            for head in heads:
                insort(ends, head)
    return total


def heights(found: Mesh, size: dict[int, float], row: dict[int, int], under: list[bool], gap: float) -> dict[int, float]:
    """v of every box and point: near its neighbours, in the order of its column, and below the rows of states where these run."""
    high = [max((size.get(i, POINT) for i in row if row[i] == k), default=0.0) for k in range(1 + max(row.values(), default=-1))]
    line = {i: sum(high[: row[i]]) + gap * row[i] + high[row[i]] / 2 for i in row}
    floor = sum(high) + gap * len(high)
    v, free = dict(line), [[item for item in column if item not in row] for column in found.columns]
    rooms = [[size.get(item, POINT) + (gap if item in size else 4) for item in column] for column in free]
    both = permutations((found.right, found.left))
    around = [[[[*a.get(item, []), *b.get(item, [])] for item in column] for column in free] for a, b in both]
    for sweep in range(30 if len(size) < 500 else 6):
        for k, column in enumerate(free) if sweep % 2 else reversed([*enumerate(free)]):
            known = [[v[other] for other in near if other in v] for near in around[sweep % 2][k]]
            middle = sum(v[item] for item in column if item in v) / max(1, sum(item in v for item in column))
            wanted = [sum(ends) / len(ends) if ends else v.get(item, middle) for item, ends in zip(column, known)]
            v |= zip(column, spaced(wanted, rooms[k], floor if line and under[k] else None))
    return v


def spaced(wanted: list[float], rooms: list[float], floor: float | None = None) -> list[float]:
    """The places nearest to those wanted, in this order, with room for each; none above the floor (which is high up: v runs down).

    Neighbours that want the same place are pooled around their mean: isotonic regression by pooling, Ayer et al. 1955.
    """
    offsets, at = [], 0.0
    for k, room in enumerate(rooms):
        at += (rooms[k - 1] + room) / 2 if k else 0.0
        offsets.append(at)
    pools: list[list[float]] = []  # sum, number
    for want, offset in zip(wanted, offsets):
        pools.append([want - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, number = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += number
    means = [total / number for total, number in pools for _ in range(int(number))]
    least = -float("inf") if floor is None else floor + (rooms[0] / 2 if rooms else 0.0)
    return [max(mean, least) + offset for mean, offset in zip(means, offsets)]
