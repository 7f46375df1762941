"""And without Graphviz?  SVG by hand: one block of columns for each step, children to the right of their parents.

Within a step a box stands as far from the right as the longest way from it to the end of the step. The rows of states are kept
free of other boxes, so time runs straight along the top. An arrow over several columns is led between the boxes it passes, and
one that leads back (the loop of a recurrence) in an arc above all of them.

    x, y  the centre of a box      wide, high  its size      points  where an arrow runs, pairs (x, y) from tail to head
"""

from __future__ import annotations

import math
from collections import Counter
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import NamedTuple

from ..chain.text import width
from .colours import ARROW_SPAN, GREY, colour, fill_of, ink, legend, span_of, thickness
from .elements import Arrow, Box, Picture

LINE, GAP_X, GAP_Y, MARGIN, SWATCH, ARC = 15.0, 44.0, 26.0, 24.0, 56.0, 62.0
FONT = 'font-family="Helvetica,Arial,sans-serif" text-anchor="middle"'
Points = list[tuple[float, float]]


class Place(NamedTuple):
    x: float
    y: float
    wide: float
    high: float


def columns_svg(picture: Picture) -> str:
    """The whole picture as one SVG element, laid out in columns. Needs nothing but Python."""
    parts, wide, high = graph_svg(picture)
    key = legend([box.heat for box in picture.boxes], [arrow.heat for arrow in picture.arrows])
    wide = max(wide, 500.0 if key or picture.note else 0)
    for k, line in enumerate(wrap(picture.note, max(60, int((wide - 2 * MARGIN) / 5.5)))):
        parts.append(f'<text x="{MARGIN:.1f}" y="{high + 16 * k:.1f}" fill="{GREY}" font-size="11" {FONT[:-7]}start">{escape(line)}</text>')
        high += 16 * (k > 0) + 20 * (k == 0)
    parts += [legend_svg(title, entries, high + 22 * i + 8) for i, (title, entries) in enumerate(key)]
    return whole_svg(parts, wide, high + 22 * len(key) + MARGIN)


def whole_svg(parts: list[str], wide: float, high: float) -> str:
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>"])


def graph_svg(picture: Picture) -> tuple[list[str], float, float]:
    """Frames, arrows and boxes, in this order, and the size of the whole."""
    places = layout(picture)
    span = span_of(box.heat for box in picture.boxes)
    right = max(place.x + place.wide / 2 for place in places) + MARGIN
    bottom = max(place.y + place.high / 2 for place in places) + MARGIN
    parts = [frame(k, group.label, [places[i] for i in group.boxes]) for k, group in enumerate(picture.groups)]
    parts += [arrow_svg(k, arrow, way) for k, (arrow, way) in enumerate(zip(picture.arrows, routes(picture, places)))]
    parts += [box_svg(i, box, place, span) for i, (box, place) in enumerate(zip(picture.boxes, places))]
    return parts, right, bottom


def layout(picture: Picture) -> list[Place]:
    """Where each box goes: columns from left to right, boxes stacked in them."""
    table = columns(picture)
    sizes = [(12 + 6.4 * max(map(width, box.lines)), 10 + LINE * len(box.lines)) for box in picture.boxes]
    slot, pitch = slots(picture, table), GAP_Y + max(high for _, high in sizes)
    arc = ARC * any(arrow.loop for arrow in picture.arrows)
    top, x = 2 * MARGIN + arc + pitch / 2 - pitch * min(slot.values()), MARGIN
    places: dict[int, Place] = {}
    words: dict[int, int] = {}  # how wide the labels of the arrows into a box are
    for arrow in picture.arrows:
        if not arrow.loop:
            words[arrow.head] = max([words.get(arrow.head, 0), *map(width, arrow.lines)])
    for column in table:
        wide = max(sizes[i][0] for i in column)
        x += GAP_X + 5.2 * max(words.get(i, 0) for i in column) if x > MARGIN else 0
        places |= {i: Place(x + wide / 2, top + pitch * slot[i], *sizes[i]) for i in column}
        x += wide
    return [places[i] for i in range(len(picture.boxes))]


def slots(picture: Picture, table: list[list[int]]) -> dict[int, float]:
    """How far down each box stands: the rows of states on top, the others at about the height of what they lead to."""
    children: dict[int, list[int]] = {}
    for arrow in picture.arrows:
        if not arrow.loop:
            children.setdefault(arrow.tail, []).append(arrow.head)
    rows = 1 + max((box.row for box in picture.boxes if box.row is not None), default=-1)
    crossed = {i for group in picture.groups for i in group.boxes if any(picture.boxes[j].row is not None for j in group.boxes)}
    slot: dict[int, float] = {}
    for column in reversed(table):
        wished = {i: sum(slot[c] for c in children.get(i, ())) / max(1, len(children.get(i, ()))) for i in column}
        free = sorted((i for i in column if picture.boxes[i].row is None), key=lambda i: (wished[i], i))
        first = rows * (column[0] in crossed) if rows else -(len(free) - 1) / 2
        slot |= {i: float(picture.boxes[i].row or 0) for i in column} | {i: first + k for k, i in enumerate(free)}
    return slot


def columns(picture: Picture) -> list[list[int]]:
    """The boxes of each column. Children come after their parents, so a walk from the last box sees every child first."""
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
    sides = [(min(places[i].x - places[i].wide / 2 for i in m), max(places[i].x + places[i].wide / 2 for i in m)) for m in table]
    taken = [[(places[i].y - places[i].high / 2 - 5, places[i].y + places[i].high / 2 + 5) for i in members] for members in table]
    twins: Counter = Counter()
    ways = []
    for arrow in picture.arrows:
        a, b, lower = places[arrow.tail], places[arrow.head], 12.0 * twins[arrow.tail, arrow.head]
        twins[arrow.tail, arrow.head] += 1
        if arrow.loop:
            ways.append([(a.x, a.y - a.high / 2), (b.x, b.y - b.high / 2 - 6)])
            continue
        x, X, between = a.x + a.wide / 2, b.x - b.wide / 2 - 6, range(column[arrow.tail] + 1, column[arrow.head])
        way = [(x, a.y + lower), (sides[column[arrow.tail]][1], a.y + lower)]
        for k in between:
            middle = sum(sides[k]) / 2
            y = passage(a.y + lower + (b.y - a.y) * (middle - x) / (X - x), taken[k])
            way += [(sides[k][0] - 6, y), (sides[k][1] + 6, y)]
        ways.append([*way, (sides[column[arrow.head]][0] - 6, b.y + lower), (X, b.y + lower)])
    return ways


def passage(y: float, taken: list[tuple[float, float]]) -> float:
    """The height nearest to y at which a column is free, and from now on taken."""
    wished = [y, *(edge for low, high in taken for edge in (low, high))]
    free = min((z for z in wished if not any(low < z < high for low, high in taken)), key=lambda z: abs(z - y))
    taken.append((free - 4, free + 4))
    return free


def box_svg(i: int, box: Box, p: Place, span: float) -> str:
    fill = fill_of(box.kind, box.heat, span)
    line = 'stroke-dasharray="4 3"' if box.kind == "alias" else 'stroke-width="2.5"' if box.kind == "output" else ""
    corner = 0 if box.kind in ("leaf", "constant") else 6
    shape = rectangle(-p.wide / 2, -p.high / 2, p.wide, p.high, f'rx="{corner}" fill="{fill}" stroke="{GREY}" {line}')
    if box.kind == "folded":  # a double border
        around = f'class="border" rx="{corner + 3}" fill="none" stroke="{GREY}"'
        shape += rectangle(-p.wide / 2 - 3, -p.high / 2 - 3, p.wide + 6, p.high + 6, around)
    inside = f"<title>{escape(box.tooltip)}</title>{shape}{text(box.lines, 0, 0, ink(fill), 11)}"
    return f'<g id="n{i}" class="box {box.kind}" transform="translate({p.x:.1f},{p.y:.1f})">{inside}</g>'


def arrow_svg(k: int, arrow: Arrow, way: Points) -> str:
    """A curve from box to box, with its label where it nears its head; a loop's stands on its arc."""
    shade = colour(arrow.heat, ARROW_SPAN, GREY)
    dots = ' stroke-dasharray="2 3"' if arrow.heat == -math.inf else ""
    line = f'fill="none" stroke="{shade}" stroke-width="{thickness(arrow.heat):.2g}"{dots}'
    X, Y = way[-1]
    tip = [(X - 3.5, Y), (X, Y + 6), (X + 3.5, Y)] if arrow.loop else [(X, Y - 3.5), (X + 6, Y), (X, Y + 3.5)]
    point = f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in tip)}" fill="{shade}"/>'
    x, y = label_place(arrow, way)
    words = f'<g transform="translate({x:.1f},{y:.1f})">{text(arrow.lines, 0, 0, GREY, 9)}</g>'
    shape = f'<path d="{arc(way) if arrow.loop else curve(way)}" {line}/>{point}{words}'
    return f'<g id="a{k}" class="arrow"><title>{escape(arrow.tooltip)}</title>{shape}</g>'


def curve(way: Points) -> str:
    """Through the points: straight along a column, bent between two."""
    parts = [f"M{way[0][0]:.1f},{way[0][1]:.1f}"]
    for (x, y), (X, Y) in pairwise(way):
        middle = (x + X) / 2
        bent = f"C{middle:.1f},{y:.1f} {middle:.1f},{Y:.1f} {X:.1f},{Y:.1f}"
        parts.append(f"L{X:.1f},{Y:.1f}" if y == Y else bent)
    return " ".join(parts)


def arc(way: Points) -> str:
    (x, y), (X, Y) = way
    top, side = apex(way), 18 if x == X else 0
    return f"M{x + side:.1f},{y:.1f} C{x + 2 * side:.1f},{top:.1f} {X - 2 * side:.1f},{top:.1f} {X:.1f},{Y:.1f}"


def apex(way: Points) -> float:
    """How high the handles of an arc are; the curve itself reaches three quarters of the way up."""
    return min(way[0][1], way[1][1]) - ARC * 4 / 3


def label_place(arrow: Arrow, way: Points) -> tuple[float, float]:
    """Above the first third of the last bend (before it there is room for it), or on top of an arc."""
    high = 6 + 5.5 * len(arrow.lines)
    if arrow.loop:
        return (way[0][0] + way[1][0]) / 2, min(way[0][1], way[1][1]) - ARC - high + 4
    (x, y), (X, Y) = way[-3:-1]
    return x + 0.34 * (X - x), y + 0.22 * (Y - y) - high


def around(places: list[Place]) -> tuple[float, float, float, float]:
    """left, top, right and bottom of a frame around boxes, with room for its name on top."""
    left, right = min(p.x - p.wide / 2 for p in places), max(p.x + p.wide / 2 for p in places)
    top, bottom = min(p.y - p.high / 2 for p in places), max(p.y + p.high / 2 for p in places)
    return left - 12, top - 26, right + 12, bottom + 12


def frame(k: int, name: str, places: list[Place]) -> str:
    left, top, right, bottom = around(places)
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
        parts += [rectangle(x, y - 9, wide, 18, f'fill="{fill}"'), text((name,), x + wide / 2, y, ink(fill), 10)]
        x += wide
    return '<g class="legend">' + "".join(parts) + "</g>"
