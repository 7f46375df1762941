"""And without Graphviz?  SVG by hand: one block of columns for each step, children to the right of their parents.

Within a step a box stands as far from the right as the longest way from it to the end of the step. The row of states comes
first in every column, so time runs straight along the top.

    x, y  the centre of a box      wide, high  its size
"""

from __future__ import annotations

import unicodedata
from html import escape
from typing import NamedTuple

from .colours import ARROW_SPAN, GREY, colour, ink, legend, span_of
from .elements import Arrow, Box, Picture

LINE, GAP_X, GAP_Y, MARGIN, SWATCH = 15.0, 100.0, 26.0, 24.0, 46.0
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
    parts += [arrow_svg(arrow, places[arrow.tail], places[arrow.head]) for arrow in picture.arrows]
    parts += [box_svg(i, box, place, span) for i, (box, place) in enumerate(zip(picture.boxes, places))]
    key = legend([box.heat for box in picture.boxes], [arrow.heat for arrow in picture.arrows])
    wide, high = max(right, 500.0 if key else 0), bottom + 22 * len(key) + MARGIN
    parts += [legend_svg(title, entries, bottom + 22 * i + 8) for i, (title, entries) in enumerate(key)]
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>"])


def layout(picture: Picture) -> list[Place]:
    """Where each box goes: columns from left to right, boxes stacked in them, rows of states on top."""
    table = columns(picture)
    rank = {i: (picture.boxes[i].row is None, picture.boxes[i].row or 0) for i in range(len(picture.boxes))}
    sizes = [(12 + 6.4 * max(map(width, box.lines)), 10 + LINE * len(box.lines)) for box in picture.boxes]
    places, x, tall = {}, MARGIN, max(high for _, high in sizes)
    for column in table:
        wide = max(sizes[i][0] for i in column)
        for k, i in enumerate(sorted(column, key=rank.__getitem__)):
            y = k if picture.groups else k - (len(column) - 1) / 2 + max(map(len, table)) / 2
            places[i] = Place(x + wide / 2, 2 * MARGIN + tall / 2 + y * (tall + GAP_Y), *sizes[i])
        x += wide + GAP_X
    return [places[i] for i in range(len(picture.boxes))]


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


def width(text: str) -> int:
    """Columns of a fixed-width font: East Asian characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def box_svg(i: int, box: Box, p: Place, span: float) -> str:
    fill = "#e2e2e2" if box.kind == "constant" else colour(box.heat, span)
    line = 'stroke-dasharray="4 3"' if box.kind == "alias" else 'stroke-width="2.5"' if box.kind == "output" else ""
    corner = 0 if box.kind in ("leaf", "constant") else 6
    shape = f'<rect x="{p.x - p.wide / 2:.1f}" y="{p.y - p.high / 2:.1f}" width="{p.wide:.1f}" height="{p.high:.1f}" rx="{corner}"'
    return f'<g id="n{i}"><title>{escape(box.tooltip)}</title>{shape} fill="{fill}" stroke="{GREY}" {line}/>{text(box.lines, p.x, p.y, ink(fill), 11)}</g>'


def arrow_svg(arrow: Arrow, tail: Place, head: Place) -> str:
    x, y, X, Y = tail.x + tail.wide / 2, tail.y, head.x - head.wide / 2 - 6, head.y
    bend, shade = max((X - x) / 2, 20.0), colour(arrow.heat, ARROW_SPAN, GREY)
    curve = f'<path d="M{x:.1f},{y:.1f} C{x + bend:.1f},{y:.1f} {X - bend:.1f},{Y:.1f} {X:.1f},{Y:.1f}" fill="none" stroke="{shade}" stroke-width="1.4"/>'
    point = f'<polygon points="{X:.1f},{Y - 3.5:.1f} {X + 6:.1f},{Y:.1f} {X:.1f},{Y + 3.5:.1f}" fill="{shade}"/>'
    words = text(arrow.lines, (x + X) / 2, (y + Y) / 2 - 4 - LINE * len(arrow.lines) / 2, GREY, 9)
    return f"<g><title>{escape(arrow.tooltip)}</title>{curve}{point}{words}</g>"


def frame(name: str, places: list[Place]) -> str:
    left, right = min(p.x - p.wide / 2 for p in places) - 12, max(p.x + p.wide / 2 for p in places) + 12
    top, bottom = min(p.y - p.high / 2 for p in places) - 26, max(p.y + p.high / 2 for p in places) + 12
    shape = f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="8" fill="none" stroke="{GREY}" stroke-width="0.7"/>'
    return f"<g>{shape}{text((name,), (left + right) / 2, top + 10, GREY, 11)}</g>"


def text(lines: tuple[str, ...], x: float, y: float, fill: str, size: int) -> str:
    """Lines of text, centred around (x, y)."""
    top = y + 0.35 * size - LINE * (len(lines) - 1) / 2
    return "".join(
        f'<text x="{x:.1f}" y="{top + LINE * k:.1f}" fill="{fill}" font-size="{size}" {FONT}>{escape(line)}</text>' for k, line in enumerate(lines)
    )


def legend_svg(title: str, entries: list, y: float) -> str:
    parts = [text((title,), MARGIN + 45, y, GREY, 10)]
    for k, (fill, name) in enumerate(entries):
        x = MARGIN + 110 + k * SWATCH
        parts.append(f'<rect x="{x:.1f}" y="{y - 9:.1f}" width="{SWATCH}" height="18" fill="{fill}"/>{text((name,), x + SWATCH / 2, y, ink(fill), 10)}')
    return "<g>" + "".join(parts) + "</g>"
