"""And without Graphviz?  SVG by hand: one block of columns for each step, children to the right of their parents.

Within a step a box stands as far from the right as the longest way from it to the end of the step. The rows of states are kept
free of other boxes, so time runs straight along the top.

    x, y  the centre of a box      wide, high  its size
"""

from __future__ import annotations

import math
from collections import Counter
from html import escape
from typing import NamedTuple

from ..chain.text import width
from .colours import ARROW_SPAN, GREY, colour, fill_of, ink, legend, span_of, thickness
from .elements import Arrow, Box, Picture

LINE, GAP_X, GAP_Y, MARGIN, SWATCH = 15.0, 44.0, 26.0, 24.0, 56.0
FONT = 'font-family="Helvetica,Arial,sans-serif" text-anchor="middle"'


class Place(NamedTuple):
    x: float
    y: float
    wide: float
    high: float


def columns_svg(picture: Picture) -> str:
    """The whole picture as one SVG element, laid out in columns. Needs nothing but Python."""
    places = layout(picture)
    span = span_of(box.heat for box in picture.boxes)
    right = max(place.x + place.wide / 2 for place in places) + MARGIN
    bottom = max(place.y + place.high / 2 for place in places) + MARGIN
    parts = [frame(group.label, [places[i] for i in group.boxes]) for group in picture.groups]
    twins: Counter = Counter()
    for arrow in picture.arrows:
        parts.append(arrow_svg(arrow, places[arrow.tail], places[arrow.head], 12.0 * twins[arrow.tail, arrow.head]))
        twins[arrow.tail, arrow.head] += 1
    parts += [box_svg(i, box, place, span) for i, (box, place) in enumerate(zip(picture.boxes, places))]
    key = legend([box.heat for box in picture.boxes], [arrow.heat for arrow in picture.arrows])
    wide, high = max(right, 500.0 if key else 0), bottom + 22 * len(key) + MARGIN
    parts += [legend_svg(title, entries, bottom + 22 * i + 8) for i, (title, entries) in enumerate(key)]
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>"])


def layout(picture: Picture) -> list[Place]:
    """Where each box goes: columns from left to right, boxes stacked in them."""
    table = columns(picture)
    sizes = [(12 + 6.4 * max(map(width, box.lines)), 10 + LINE * len(box.lines)) for box in picture.boxes]
    slot, pitch = slots(picture, table), GAP_Y + max(high for _, high in sizes)
    top, x = 2 * MARGIN + pitch / 2 - pitch * min(slot.values()), MARGIN
    places: dict[int, Place] = {}
    words: dict[int, int] = {}  # how wide the labels of the arrows into a box are
    for arrow in picture.arrows:
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
        if group.get(arrow.tail, last) == group.get(arrow.head, last):
            depth[arrow.tail] = max(depth[arrow.tail], depth[arrow.head] + 1)
    table: dict[tuple[int, int], list[int]] = {}
    for i, d in enumerate(depth):
        table.setdefault((group.get(i, last), -d), []).append(i)
    return [table[key] for key in sorted(table)]


def box_svg(i: int, box: Box, p: Place, span: float) -> str:
    fill = fill_of(box.kind, box.heat, span)
    line = 'stroke-dasharray="4 3"' if box.kind == "alias" else 'stroke-width="2.5"' if box.kind == "output" else ""
    corner = 0 if box.kind in ("leaf", "constant") else 6
    shape = rectangle(p.x - p.wide / 2, p.y - p.high / 2, p.wide, p.high, f'rx="{corner}" fill="{fill}" stroke="{GREY}" {line}')
    return f'<g id="n{i}"><title>{escape(box.tooltip)}</title>{shape}{text(box.lines, p.x, p.y, ink(fill), 11)}</g>'


def arrow_svg(arrow: Arrow, tail: Place, head: Place, lower: float) -> str:
    """A curve from box to box, with its label over the first third; `lower` than its twin if the child uses the parent twice."""
    x, y, X, Y = tail.x + tail.wide / 2, tail.y + lower, head.x - head.wide / 2 - 6, head.y + lower
    middle, shade = max((x + X) / 2, x + 20), colour(arrow.heat, ARROW_SPAN, GREY)
    dots = ' stroke-dasharray="2 3"' if arrow.heat == -math.inf else ""
    line = f'fill="none" stroke="{shade}" stroke-width="{thickness(arrow.heat):.2g}"{dots}'
    curve = f'<path d="M{x:.1f},{y:.1f} C{middle:.1f},{y:.1f} {middle:.1f},{Y:.1f} {X:.1f},{Y:.1f}" {line}/>'
    point = f'<polygon points="{X:.1f},{Y - 3.5:.1f} {X + 6:.1f},{Y:.1f} {X:.1f},{Y + 3.5:.1f}" fill="{shade}"/>'
    words = text(arrow.lines, x + 0.34 * (X - x), y + 0.22 * (Y - y) - 6 - 5.5 * len(arrow.lines), GREY, 9)
    return f"<g><title>{escape(arrow.tooltip)}</title>{curve}{point}{words}</g>"


def around(places: list[Place]) -> tuple[float, float, float, float]:
    """left, top, right and bottom of a frame around boxes, with room for its name on top."""
    left, right = min(p.x - p.wide / 2 for p in places), max(p.x + p.wide / 2 for p in places)
    top, bottom = min(p.y - p.high / 2 for p in places), max(p.y + p.high / 2 for p in places)
    return left - 12, top - 26, right + 12, bottom + 12


def frame(name: str, places: list[Place]) -> str:
    left, top, right, bottom = around(places)
    shape = rectangle(left, top, right - left, bottom - top, f'rx="8" fill="none" stroke="{GREY}" stroke-width="0.7"')
    return f"<g>{shape}{text((name,), (left + right) / 2, top + 10, GREY, 11)}</g>"


def rectangle(x: float, y: float, wide: float, high: float, look: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" {look}/>'


def text(lines: tuple[str, ...], x: float, y: float, fill: str, size: int) -> str:
    """Lines of text, centred around (x, y)."""
    pitch = 1.36 * size
    top = y + 0.35 * size - pitch * (len(lines) - 1) / 2
    look = f'fill="{fill}" font-size="{size}" {FONT}'
    return "".join(f'<text x="{x:.1f}" y="{top + pitch * k:.1f}" {look}>{escape(line)}</text>' for k, line in enumerate(lines))


def legend_svg(title: str, entries: list, y: float) -> str:
    parts = [text((title,), MARGIN + 45, y, GREY, 10)]
    for k, (fill, name) in enumerate(entries):
        x = MARGIN + 110 + k * SWATCH
        parts += [rectangle(x, y - 9, SWATCH, 18, f'fill="{fill}"'), text((name,), x + SWATCH / 2, y, ink(fill), 10)]
    return "<g>" + "".join(parts) + "</g>"
