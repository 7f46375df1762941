"""How is a graph drawn?  Frames, arrows and boxes on a canvas, and below them what the colours mean."""

import math
from itertools import pairwise
from textwrap import wrap
from typing import Any

from ..text.lines import cut
from .canvas import Canvas
from .colours import ARROW_SPAN, GREY, Entry, colour, fill_of, ink, thickness
from .elements import Arrow, Box, Picture, one_line
from .layout import FRAME, LINE, MARGIN, NAME, TIP, TYPE, Layout, Place, Points, layout, letters

CORNER, SWATCH = 9.0, 46.0
BETWEEN = 30.0  # the rows of the legend


def canvas_of(picture: Picture, down: bool = False, title: str = "a graph", about: str = "") -> Canvas:
    """The whole picture: what it is of, if that is known, the graph, what is to be said of it, and the legend."""
    head, told = BETWEEN * bool(about), cut(one_line(about), 90)
    found = layout(picture, down, lambda wide: head + key_height(picture, wide))
    wide = max(found.wide, min(key_width(picture), 1280.0), 1.12 * letters(told) + 2 * MARGIN if told else 0.0)
    high = head + found.high + key_height(picture, wide)
    space = max(0.0, wide / 2.4 - high)  # no picture is flatter than that
    canvas = Canvas(wide, high + space, one_line(title))
    if told:
        canvas.words(MARGIN, MARGIN + TYPE, told, "ink", TYPE + 2, bold=True)
    with canvas.group("", "", (wide - found.wide) / 2, head + space / 2):
        draw_graph(canvas, picture, found)
    draw_key(canvas, picture, wide, high + space - key_height(picture, wide))
    return canvas


def graph_svg(picture: Picture, found: Layout) -> str:
    """The graph alone, for the page, where an arrow and its words are one."""
    canvas = Canvas(found.wide, found.high, "the graph")
    draw_graph(canvas, picture, found, together=True)
    return canvas.element("")


def draw_graph(canvas: Canvas, picture: Picture, found: Layout, together: bool = False) -> None:
    """Frames first, then arrows, then their words, so that no arrow strikes them, then boxes, each over what came before."""
    for k, group in enumerate(picture.groups):
        draw_frame(canvas, k, group.label, [found.places[i] for i in group.boxes])
    for k, arrow in enumerate(picture.arrows):
        draw_arrow(canvas, k, arrow, found, together)
    for k, arrow in enumerate(() if together else picture.arrows):
        draw_words(canvas, arrow, found.labels[k], f"w{k}", "words")
    for i, box in enumerate(picture.boxes):
        draw_box(canvas, i, box, found.places[i])


def draw_box(canvas: Canvas, i: int, box: Box, p: Place) -> None:
    """One box, centred at p, with its lines of text; a folded one has a second border."""
    fill, corner = fill_of(box.kind, box.heat), 0 if box.kind in ("leaf", "constant") else 7
    with canvas.group(f"n{i}", f"box {box.kind}", p.x, p.y, box.tooltip):
        shape = (-p.wide / 2, -p.high / 2, p.wide, p.high)
        canvas.rectangle(*shape, fill, "soft", corner, line=3.0 if box.kind == "output" else 1.0)
        if box.kind == "folded":  # a second border
            canvas.rectangle(shape[0] - 3.5, shape[1] - 3.5, p.wide + 7, p.high + 7, "", "soft", corner + 3)
        for n, line in enumerate(box.lines):
            y = 0.35 * TYPE + LINE * (n - (len(box.lines) - 1) / 2)
            canvas.words(0, y, line, ink(fill), TYPE, "middle", bold=n == 0 and box.kind != "alias", italic=box.kind == "alias")


def draw_arrow(canvas: Canvas, k: int, arrow: Arrow, found: Layout, worded: bool) -> None:
    """A curve from box to box, or straight with round corners; worded: with its words."""
    shade, way, square, down = colour(arrow.heat, ARROW_SPAN, GREY), found.ways[k], found.square[k], found.down
    with canvas.group(f"a{k}", "arrow", hover=arrow.tooltip):
        canvas.curve(rounded(way) if square else curve(way, down), shade, thickness(arrow.heat), "2 4" if arrow.heat == -math.inf else "")
        canvas.path(tip(way[-1], down), fill=shade)
        if worded:
            draw_words(canvas, arrow, found.labels[k])


def draw_words(canvas: Canvas, arrow: Arrow, middle: tuple[float, float], id: str = "", kind: str = "") -> None:
    """What stands on an arrow, line by line."""
    with canvas.group(id, kind, *middle):
        for n, line in enumerate(arrow.lines):
            canvas.words(0, 0.35 * TYPE + 20 * (n - (len(arrow.lines) - 1) / 2), line, "soft", TYPE, "middle", halo=7)


def tip(end: tuple[float, float], down: bool) -> Points:
    """The head of an arrow."""
    x, y = end
    return [(x - 4.5, y), (x, y + TIP), (x + 4.5, y)] if down else [(x, y - 4.5), (x + TIP, y), (x, y + 4.5)]


def curve(way: Points, down: bool = False) -> list[tuple[str, Points]]:
    """Through the points: straight along a column, bent between two."""
    path = [("M", [way[0]])]
    for (x, y), (X, Y) in pairwise(way):
        bends = [(x, (y + Y) / 2), (X, (y + Y) / 2)] if down else [((x + X) / 2, y), ((x + X) / 2, Y)]
        path.append(("L", [(X, Y)]) if (x == X if down else y == Y) else ("C", [*bends, (X, Y)]))
    return path


def rounded(way: Points) -> list[tuple[str, Points]]:
    """Straight from point to point, with round corners."""
    path = [("M", [way[0]])]
    for before, corner, after in zip(way, way[1:], way[2:]):
        path += [("L", [towards(corner, before)]), ("Q", [corner, towards(corner, after)])]
    return [*path, ("L", [way[-1]])]


def towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A little way from a corner to another point, at most halfway."""
    long = math.dist(corner, other)
    part = min(CORNER, long / 2) / long if long else 0.0
    return corner[0] + part * (other[0] - corner[0]), corner[1] + part * (other[1] - corner[1])


def draw_frame(canvas: Canvas, k: int, name: str, places: list[Place]) -> None:
    """The frame of the k-th group, its name on top; a group without a name has none to be seen."""
    left, right = min(p.x - p.wide / 2 for p in places) - FRAME, max(p.x + p.wide / 2 for p in places) + FRAME
    top, bottom = min(p.y - p.high / 2 for p in places) - NAME, max(p.y + p.high / 2 for p in places) + FRAME
    spare = max(0.0, letters(name) + 2 * FRAME - (right - left)) / 2
    left, right = left - spare, right + spare
    with canvas.group(f"g{k}", "frame"):
        canvas.rectangle(left, top, right - left, bottom - top, "", "line" if name else "", 9)
        canvas.words((left + right) / 2, top + 20, name, "soft", TYPE, "middle")


def rows_of(picture: Picture, wide: float) -> list[Any]:
    """What stands below the graph, line by line: words, or a row of the legend."""
    room = max(30, int((max(wide, 560.0) - 2 * MARGIN) / (0.6 * TYPE)))
    return [line for caption in picture.captions for line in wrap(caption, room)] + list(picture.legend)


def key_height(picture: Picture, wide: float) -> float:
    """The height of the key in pixels, at this width."""
    return BETWEEN * len(rows_of(picture, wide)) + MARGIN / 2


def key_width(picture: Picture) -> float:
    """The widest row of the legend, or of words that wrap."""
    legend = [2 * MARGIN + 150 + sum(swatch(entry) for entry in entries) for _, entries in picture.legend]
    return max([*legend, 560.0 * bool(picture.captions)], default=0.0)


def swatch(entry: Entry) -> float:
    """The width in pixels of an entry's patch of colour, with room for its text."""
    return max(SWATCH if entry.text else SWATCH / 2, letters(entry.text) + 12)


def draw_key(canvas: Canvas, picture: Picture, wide: float, top: float) -> None:
    """The captions and the colours of the legend, row by row from `top` down."""
    for k, row in enumerate(rows_of(picture, wide)):
        y = top + BETWEEN * (k + 0.5)
        if isinstance(row, str):
            canvas.words(MARGIN, y + 0.35 * TYPE, row, "soft", TYPE)
            continue
        with canvas.group("", "legend"):
            canvas.words(MARGIN, y + 0.35 * TYPE, row[0], "soft", TYPE)
            x = MARGIN + 150
            for entry in row[1]:
                canvas.rectangle(x, y - 12, swatch(entry), 24, entry.colour, "line")
                canvas.words(x + swatch(entry) / 2, y + 0.35 * TYPE, entry.text, ink(entry.colour), TYPE, "middle")
                x += swatch(entry)
