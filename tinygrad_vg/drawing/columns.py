"""And without Graphviz?  SVG by hand: one block of columns for each step, children to the right of their parents.

Within a step a box stands as far from the right as the longest way from it to the end of the step. The rows of states are kept
free of other boxes, so time runs straight along the top. An arrow over several columns is led between the boxes it passes (over
many, below them all), and one that leads back (the loop of a recurrence) on a lane of its own above all of them.

    x, y  the centre of a box      wide, high  its size      points  where an arrow runs, pairs (x, y) from tail to head
"""

import math
from collections import Counter
from html import escape
from itertools import chain, pairwise
from textwrap import wrap
from typing import NamedTuple

from ..text.lines import width
from .colours import ARROW_SPAN, GREY, colour, fill_of, ink, thickness
from .elements import Arrow, Box, Picture

LINE, GAP_X, GAP_Y, MARGIN, SWATCH, CORNER = 15.0, 44.0, 26.0, 24.0, 56.0, 8.0
FRAME = 12, 26  # room in a frame around boxes, and on top for its name
FAR = 12  # columns that an arrow passes one by one; a longer one runs below all boxes
FONT = 'font-family="Helvetica,Arial,sans-serif" text-anchor="middle"'
Points = list[tuple[float, float]]


class Place(NamedTuple):
    x: float
    y: float
    wide: float
    high: float


def columns_svg(picture: Picture) -> str:
    """The whole picture as one SVG element, laid out in columns. Needs nothing but Python."""
    places = layout(picture)
    parts, wide, high = graph_svg(picture, places, routes(picture, places))
    wide = max(wide, 500.0 if picture.legend or picture.captions else 0)
    room = max(60, int((wide - 2 * MARGIN) / 5.5))
    lines = [line for caption in picture.captions for line in wrap(caption, room)]
    look = f'fill="{GREY}" font-size="11" {FONT[:-7]}start"'
    parts += [f'<text x="{MARGIN:.1f}" y="{high + 16 * k:.1f}" {look}>{escape(line)}</text>' for k, line in enumerate(lines)]
    high += 16 * len(lines) + 4 * bool(lines)
    parts += [legend_svg(title, entries, high + 22 * i + 8) for i, (title, entries) in enumerate(picture.legend)]
    return whole_svg(parts, wide, high + 22 * len(picture.legend) + MARGIN)


def whole_svg(parts: list[str], wide: float, high: float) -> str:
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>"])


def graph_svg(picture: Picture, places: list[Place], ways: list[Points]) -> tuple[list[str], float, float]:
    """Frames, arrows and boxes, in this order, and the size of the whole."""
    _, _, right, bottom = bounds(places)
    parts = [frame(k, group.label, [places[i] for i in group.boxes]) for k, group in enumerate(picture.groups)]
    parts += [arrow_svg(k, arrow, way) for k, (arrow, way) in enumerate(zip(picture.arrows, ways))]
    parts += [box_svg(i, box, place) for i, (box, place) in enumerate(zip(picture.boxes, places))]
    return parts, max([right + MARGIN, *(way[1][0] + 8 for arrow, way in zip(picture.arrows, ways) if arrow.loop)]), bottom + MARGIN


def layout(picture: Picture) -> list[Place]:
    """Where each box goes: columns from left to right, boxes stacked in them."""
    table = columns(picture)
    sizes = [(12 + 6.4 * max(map(width, box.lines)), 10 + LINE * len(box.lines)) for box in picture.boxes]
    slot, pitch = slots(picture, table), GAP_Y + max(high for _, high in sizes)
    top, x = 2 * MARGIN + max(lanes(picture).values(), default=0) + pitch / 2 - pitch * min(slot.values()), MARGIN
    places: dict[int, Place] = {}
    words = [0] * len(sizes)  # how wide the labels of the arrows into a box are
    for arrow in picture.arrows:
        if not arrow.loop:
            words[arrow.head] = max([words[arrow.head], *map(width, arrow.lines)])
    for column in table:
        wide = max(sizes[i][0] for i in column)
        x += GAP_X + 5.2 * max(words[i] for i in column) if x > MARGIN else 0
        places |= {i: Place(x + wide / 2, top + pitch * slot[i], *sizes[i]) for i in column}
        x += wide
    return [places[i] for i in range(len(picture.boxes))]


def lanes(picture: Picture) -> dict[int, float]:
    """How far above the frames each loop, label included, reaches; the short ones run below the long ones."""
    high, found = 4.0, {}
    for _, k in sorted((arrow.tail - arrow.head, k) for k, arrow in enumerate(picture.arrows) if arrow.loop):
        high += 10 + 12.3 * len(picture.arrows[k].lines)
        found[k] = high
    return found


def slots(picture: Picture, table: list[list[int]]) -> dict[int, float]:
    """How far down each box stands: the rows of states on top, the others at about the height of what they lead to."""
    row, children = [box.row for box in picture.boxes], [list[int]() for _ in picture.boxes]
    for arrow in picture.arrows:
        if not arrow.loop:
            children[arrow.tail].append(arrow.head)
    rows = 1 + max((k for k in row if k is not None), default=-1)
    crossed = {i for group in picture.groups for i in group.boxes if any(row[j] is not None for j in group.boxes)}
    slot: dict[int, float] = {}
    for column in reversed(table):
        wished = {i: sum(slot[c] for c in children[i]) / max(1, len(children[i])) for i in column}
        free = sorted((i for i in column if row[i] is None), key=lambda i: (wished[i], i))
        first = rows * (column[0] in crossed) if rows else -(len(free) - 1) / 2
        slot |= {i: float(row[i] or 0) for i in column} | {i: first + k for k, i in enumerate(free)}
    return slot


def columns(picture: Picture) -> list[list[int]]:
    """The boxes of each column, from left to right: step by step, and in a step by the longest way to its end.

    Children come after their parents, so a walk from the last box sees every child first.
    """
    group = {i: number for number, members in enumerate(picture.groups) for i in members.boxes}
    last, depth = len(picture.groups), [0] * len(picture.boxes)
    for arrow in sorted(picture.arrows, key=lambda arrow: -arrow.head):
        if not arrow.loop and group.get(arrow.tail, last) == group.get(arrow.head, last):
            depth[arrow.tail] = max(depth[arrow.tail], depth[arrow.head] + 1)
    table: dict[tuple[int, int], list[int]] = {}
    for i, d in enumerate(depth):
        table.setdefault((group.get(i, last), -d), []).append(i)
    return [table[key] for key in sorted(table)]


def routes(picture: Picture, places: list[Place]) -> list[Points]:
    """The points of each arrow: from the right of its tail to the left of its head, past the boxes of the columns in between."""
    table = columns(picture)
    column = {i: k for k, members in enumerate(table) for i in members}
    sides = [bounds([places[i] for i in members])[::2] for members in table]
    taken = [[(places[i].y - places[i].high / 2 - 5, places[i].y + places[i].high / 2 + 5) for i in members] for members in table]
    lane, (_, top, _, bottom) = lanes(picture), bounds(places)
    twins: Counter = Counter()
    ways = []
    for n, arrow in enumerate(picture.arrows):
        a, b, lower = places[arrow.tail], places[arrow.head], 12.0 * twins[arrow.tail, arrow.head]
        twins[arrow.tail, arrow.head] += 1
        start, end = (a.x + a.wide / 2, a.y + lower), (b.x - b.wide / 2 - 6, b.y + lower)
        first, last = column[arrow.tail], column[arrow.head]
        if arrow.loop:  # up beside the column of its tail, along its lane, down beside the column of its head
            k, y = list(lane).index(n), top - MARGIN - lane[n] + 12.3 * len(arrow.lines)
            up, down = sides[first][1] + 8 + 4 * k, sides[last][0] - 16 - 4 * k
            ways.append([start, (up, start[1]), (up, y), (down, y), (down, end[1]), end])
        else:
            ways.append(past(start, end, sides[first : last + 1], taken[first + 1 : last], bottom + 17))
    return ways


def past(start: tuple, end: tuple, sides: list, taken: list, floor: float) -> Points:
    """The way from a box in the first of these columns to one in the last, between the boxes of the others; past many, along the floor."""
    way = [start, (sides[0][1], start[1])]
    if len(taken) > FAR:
        way += [(sides[1][0] - 6, floor), (sides[-2][1] + 6, floor)]
    for (left, right), boxes in zip(sides[1:-1], taken if len(taken) <= FAR else []):
        share = ((left + right) / 2 - start[0]) / (end[0] - start[0])
        y = passage(start[1] + share * (end[1] - start[1]), boxes)
        way += [(left - 6, y), (right + 6, y)]
    return [*way, (sides[-1][0] - 6, end[1]), end]


def passage(y: float, taken: list[tuple[float, float]]) -> float:
    """The height nearest to y at which a column is free, and from now on taken."""
    free = min((z for z in [y, *chain(*taken)] if not any(low < z < high for low, high in taken)), key=lambda z: abs(z - y))
    taken.append((free - 4, free + 4))
    return free


def box_svg(i: int, box: Box, p: Place) -> str:
    fill = fill_of(box.kind, box.heat)
    line = 'stroke-dasharray="4 3"' if box.kind == "alias" else 'stroke-width="2.5"' if box.kind == "output" else ""
    corner = 0 if box.kind in ("leaf", "constant") else 6
    shape = rectangle(-p.wide / 2, -p.high / 2, p.wide, p.high, f'rx="{corner}" fill="{fill}" stroke="{GREY}" {line}')
    if box.kind == "folded":  # a double border
        around = f'class="border" rx="{corner + 3}" fill="none" stroke="{GREY}"'
        shape += rectangle(-p.wide / 2 - 3, -p.high / 2 - 3, p.wide + 6, p.high + 6, around)
    inside = f"<title>{escape(box.tooltip)}</title>{shape}{text(box.lines, 0, 0, ink(fill), 11)}"
    return f'<g id="n{i}" class="box {box.kind}" transform="translate({p.x:.1f},{p.y:.1f})">{inside}</g>'


def arrow_svg(k: int, arrow: Arrow, way: Points) -> str:
    """A curve from box to box, with its label where it nears its head; a loop's stands on its lane."""
    shade, X, Y = colour(arrow.heat, ARROW_SPAN, GREY), *way[-1]
    dots = ' stroke-dasharray="2 3"' if arrow.heat == -math.inf else ""
    line = f'fill="none" stroke="{shade}" stroke-width="{thickness(arrow.heat):.2g}"{dots}'
    point = f'<polygon points="{X:.1f},{Y - 3.5:.1f} {X + 6:.1f},{Y:.1f} {X:.1f},{Y + 3.5:.1f}" fill="{shade}"/>'
    (x, y), (X, Y) = way[2:4] if arrow.loop else way[-3:-1]
    if arrow.loop:
        x, y = (x + X) / 2, y - 3 - 6.1 * len(arrow.lines)
    else:  # above the first third of the last bend: before it there is room
        x, y = x + 0.34 * (X - x), y + 0.22 * (Y - y) - (6 + 5.5 * len(arrow.lines))
    words = f'<g transform="translate({x:.1f},{y:.1f})">{text(arrow.lines, 0, 0, GREY, 9)}</g>'
    shape = f'<path d="{rounded(way) if arrow.loop else curve(way)}" {line}/>{point}{words}'
    return f'<g id="a{k}" class="arrow"><title>{escape(arrow.tooltip)}</title>{shape}</g>'


def curve(way: Points) -> str:
    """Through the points: straight along a column, bent between two."""
    parts = [f"M{way[0][0]:.1f},{way[0][1]:.1f}"]
    for (x, y), (X, Y) in pairwise(way):
        middle = (x + X) / 2
        parts.append(f"L{X:.1f},{Y:.1f}" if y == Y else f"C{middle:.1f},{y:.1f} {middle:.1f},{Y:.1f} {X:.1f},{Y:.1f}")
    return " ".join(parts)


def rounded(way: Points) -> str:
    """Straight from point to point, with round corners."""
    parts = [f"M{way[0][0]:.1f},{way[0][1]:.1f}"]
    for before, corner, after in zip(way, way[1:], way[2:]):
        (x, y), (X, Y) = (towards(corner, other) for other in (before, after))
        parts.append(f"L{x:.1f},{y:.1f} Q{corner[0]:.1f},{corner[1]:.1f} {X:.1f},{Y:.1f}")
    return " ".join([*parts, f"L{way[-1][0]:.1f},{way[-1][1]:.1f}"])


def towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A little way from a corner to another point, at most halfway."""
    long = math.dist(corner, other)
    part = min(CORNER, long / 2) / long if long else 0.0
    return corner[0] + part * (other[0] - corner[0]), corner[1] + part * (other[1] - corner[1])


def bounds(places: list[Place], room: float = 0, head: float = 0) -> tuple[float, float, float, float]:
    """left, top, right and bottom of boxes, with room around them and more of it on top."""
    left, right = min(p.x - p.wide / 2 for p in places), max(p.x + p.wide / 2 for p in places)
    top, bottom = min(p.y - p.high / 2 for p in places), max(p.y + p.high / 2 for p in places)
    return left - room, top - head, right + room, bottom + room


def frame(k: int, name: str, places: list[Place]) -> str:
    """The frame of the k-th group, its name on top."""
    left, top, right, bottom = bounds(places, *FRAME)
    shape = rectangle(left, top, right - left, bottom - top, f'rx="8" fill="none" stroke="{GREY}" stroke-width="0.7"')
    return f'<g id="g{k}" class="frame">{shape}{text((name,), (left + right) / 2, top + 10, GREY, 11)}</g>'


def rectangle(x: float, y: float, wide: float, high: float, look: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" {look}/>'


def text(lines: tuple[str, ...], x: float, y: float, fill: str, size: int) -> str:
    """Lines of text, centred around (x, y)."""
    pitch = 1.36 * size
    top = y + 0.35 * size - pitch * (len(lines) - 1) / 2
    look = f'fill="{fill}" font-size="{size}" {FONT}'
    return "".join(f'<text x="{x:.1f}" y="{top + pitch * k:.1f}" {look}>{escape(line)}</text>' for k, line in enumerate(lines))


def legend_svg(title: str, entries: list, y: float) -> str:
    parts, x = [text((title,), MARGIN + 45, y, GREY, 10)], MARGIN + 110
    for fill, name in entries:
        wide = max(SWATCH, 10 + 5.6 * len(name))
        parts += [rectangle(x, y - 9, wide, 18, f'fill="{fill or "none"}"'), text((name,), x + wide / 2, y, ink(fill), 10)]
        x += wide
    return '<g class="legend">' + "".join(parts) + "</g>"
