"""How does a river become a picture?  Three rows on one axis: what was read, the gradient as a river, and the factors as bars.

All of it is in powers of ten, and a bar is as long as the river falls over its link: the bars of a link are its slope.

    x(k)  where station k stands      y(d)  the height of d powers of ten      u  pixels for one power of ten
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from .beside import LINE, SIZE, UNDER, called, free_place, headline, lines_beside, lines_of, subtitle
from .canvas import Canvas, Points, Run, room
from .river import PARTS, River, told
from .typography import decade, power

WIDE, HIGH, LEFT, RIGHT, TOP, FOOT = 1280.0, 720.0, 112.0, 60.0, 196.0, 26.0
GAP, THIN = 46.0, 14.0  # between river and bars; below the longest bar
LEAST_BAR, LEAST_RANGE, HORIZON, BIG = 7.0, 2.0, 3.0, 28.0  # pixels; powers of ten; pixels of the title
STEPS = (1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 5000, 10_000)
TEN = math.log(10)
DASHED = "6 5"


class Frame(NamedTuple):
    """Where things stand: the number of links, powers of ten from top to bottom of the river, pixels for one, the bars' zero."""

    links: int
    top: float
    bottom: float
    u: float
    zero: float

    def x(self, k: float) -> float:
        """Pixels from the left, after k links back."""
        return LEFT + k * (WIDE - LEFT - RIGHT) / max(1, self.links)

    def y(self, decades: float) -> float:
        """Pixels from the top, at a height in decades (log10)."""
        return TOP + (self.top - decades) * self.u


def river_picture(river: River, beside: Mapping[str, River] | None = None, frame: Frame | None = None, name: str = "") -> Canvas:
    """The picture of a river, 1280 × 720, with others as lines beside it, by name; in a frame that several pictures share."""
    others = beside or {}
    rivers, frame = {name: river, **others}, frame or frame_of([river], others)
    title = headline(rivers)
    canvas = Canvas(WIDE, HIGH, told(title))
    heading(canvas, title, subtitle(rivers))
    read(canvas, river, frame)
    axis(canvas, frame)
    flow(canvas, river, frame)
    if others:
        lines = [line(one, frame) for one in rivers.values()]
        lines_beside(canvas, rivers, lines, (LEFT, TOP - 24, WIDE - RIGHT, frame.y(frame.bottom) + UNDER))
        whose = [(f"Bars of {called(name) if name else 'this one'}: ", "flow"), *river.parts]
        while room(told(whose), SIZE) > WIDE - LEFT - 28:
            whose = whose[:-2]
        canvas.words(LEFT, HIGH - 10, whose)
    else:
        ends(canvas, river, frame)
    canvas.words(WIDE - RIGHT, frame.y(frame.bottom) + 24, "← the gradient flows back", "soft", anchor="end", italic=True)
    bars(canvas, river, frame)
    return canvas


def decades(river: River) -> list[float]:
    """log10 |gradient| at each station: the river's logs are in nats."""
    return [log / TEN for log in river.logs]


def frame_of(rivers: list[River], others: Mapping[str, River]) -> Frame:
    """One unit for river and bars: both together fill the height, of each of the rivers; of others the lines do."""
    finite = [d for one in (*rivers, *others.values()) for d in decades(one) if math.isfinite(d)]
    top, bottom = max([0.3, *finite]), min([-LEAST_RANGE, *finite])
    long = [x / TEN for river in rivers for row in binned(river) for bar in heaps(row).values() for x in bar if math.isfinite(x)]
    up, down = max(long, default=0.0), -min(long, default=0.0)
    u = (HIGH - TOP - FOOT - GAP - THIN) / (top - bottom + max(0.0, up) + max(0.0, down))
    return Frame(len(rivers[0].nats), top, bottom, u, TOP + (top - bottom + max(0.0, up)) * u + GAP)


def heading(canvas: Canvas, title: list[Run], below: list[Run]) -> None:
    """The finding, and below it what was run; each of one size in all pictures, on two lines if it must."""
    big, small = lines_of(title, BIG, True), lines_of(below, SIZE)
    y, step, close = (50.0, 34.0, 22.0) if len(big) == 1 else (36.0, 34.0, 22.0) if len(small) == 1 else (30.0, 29.0, 20.0)
    for runs, size, high, bold in [*((runs, BIG, step, True) for runs in big), *((runs, SIZE, close, False) for runs in small)]:
        canvas.words(28, y, runs, size=max(SIZE, min(size, LINE / room(told(runs), 1.0, bold))), bold=bold)
        y += high


def read(canvas: Canvas, river: River, frame: Frame) -> None:
    """What was read, each as dark as the gradient that reaches it; below, the names of some stations."""
    each = (WIDE - LEFT - RIGHT) / max(1, frame.links)
    fits = max((room(word, 24) for word in river.read), default=0.0) <= each * (1 if max(map(len, river.read)) > 1 else 1.6)
    for k, (word, d) in enumerate(zip(river.read, decades(river))) if fits else ():
        share = min(1.0, 1 + d / 6) if math.isfinite(d) else 0.0
        canvas.words(frame.x(k), 136, word if word.strip() else "␣" * bool(word), size=24, anchor="middle", bold=True, mono=True,
                     opacity=max(0.62, share))
    wide = max(room(name, 18) for name in river.names) + 14
    every = next(step for step in (1, 2, 5, *STEPS[4:], 10**9) if step * each >= wide)
    for k, name in enumerate(river.names):
        if k == frame.links or k % every == 0 and frame.x(frame.links) - frame.x(k) >= wide:
            canvas.words(frame.x(k), 166, name, "soft", anchor="middle")


def axis(canvas: Canvas, frame: Frame) -> None:
    """A line for every few powers of ten, and where a thousandth is left."""
    step = next(s for s in STEPS if (frame.top - frame.bottom) / s <= 6)
    for exponent in range(step * math.floor(frame.top / step), math.ceil(frame.bottom) - 1, -step):
        y = frame.y(exponent)
        canvas.path([(LEFT - 10, y), (WIDE - RIGHT + 10, y)], "line")
        canvas.words(LEFT - 18, y + 6, decade(exponent), "soft", anchor="end")


def ended(river: River) -> int:
    """How many stations have no gradient, or none that is finite."""
    return 1 + max((k for k, d in enumerate(decades(river)) if not math.isfinite(d)), default=-1)


def line(river: River, frame: Frame) -> Points:
    """Where the stations stand that have a gradient; all rivers begin on the right."""
    shift = frame.links - len(river.nats)
    return [(frame.x(k + shift), frame.y(d)) for k, d in enumerate(decades(river)) if k >= ended(river) and k + shift >= 0]


def flow(canvas: Canvas, river: River, frame: Frame) -> None:
    """The river: an area, a line, a dot for each station."""
    points, none, foot = line(river, frame), ended(river), frame.y(frame.bottom)
    if len(points) > 1:
        canvas.path([(points[0][0], foot), *points, (points[-1][0], foot)], fill="flow-mark")
        canvas.path(points, "flow", line=4)
    dead = [(frame.x(k), foot) for k in range(none)]
    for k, (x, y) in [*enumerate(points, none), *enumerate(dead)]:
        told = f"{power(river.logs[k], 3)} of the gradient at {river.names[-1]}" if k >= none else f"{river.sizes[k]}"
        told, role, r = f"{river.names[k]}: {told}", "flow" if k >= none else "ink", 5 if frame.links <= 60 else 2
        canvas.dot(x, y, r, role, told, station=k, gradient=repr(river.sizes[k]))


def ends(canvas: Canvas, river: River, frame: Frame) -> None:
    """The value where the river ends, and its horizon."""
    k, heights, foot = ended(river), decades(river), frame.y(frame.bottom)
    if 0 < k < len(heights):
        canvas.words(frame.x(k) - 12, foot - 8, f"{'0' if river.logs[k - 1] == -math.inf else 'not finite'} from here back", "ink",
                     anchor="end", bold=True)
    elif not k and len(heights) > 1:
        points, value = line(river, frame), power(river.logs[0])
        field = LEFT, TOP - 24, WIDE - RIGHT, foot + UNDER
        x, y = free_place([points, points, [(LEFT, foot), (WIDE, foot)]], room(value, 20, bold=True), field, [])
        canvas.words(x, y, value, "flow", 20, bold=True, halo=4)
    far = next((j for j in reversed(range(k, len(heights))) if heights[j] < -HORIZON), None)
    if far is not None and far > k and foot - frame.y(-HORIZON) > 90:  # something lies behind it
        x = frame.x(far)
        canvas.path([(x, frame.y(-HORIZON)), (x, foot)], "soft", dash=DASHED)
        side, anchor = (8, "start") if x < WIDE * 0.55 else (-8, "end")
        canvas.words(x + side, foot - 44, f"below 1/1000 from {river.names[far]} back", "soft", anchor=anchor)


def binned(river: River) -> list[dict[str, float]]:
    """The links' nats, or means of several links in a row where bars of each would be too thin."""
    each = (WIDE - LEFT - RIGHT) / max(1, len(river.nats))
    many = max(1, math.ceil(LEAST_BAR * max(1, len(river.shown)) / each))
    rows = [river.nats[k : k + many] for k in range(0, len(river.nats), many)]
    return [{part: math.fsum(row[part] for row in some) / len(some) for part in PARTS} for some in rows]


def heaps(row: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Of each ink its nats that shrink and its nats that grow: parts of opposite sign are not summed."""
    return {ink: (math.fsum(min(row[part], 0.0) for part in PARTS if PARTS[part] == ink),
                  math.fsum(max(row[part], 0.0) for part in PARTS if PARTS[part] == ink)) for ink in PARTS.values()}


def bars(canvas: Canvas, river: River, frame: Frame) -> None:
    """For each link a bar for each ink, down where it shrinks the gradient, up where it grows it."""
    rows, shown = binned(river), river.shown
    many = math.ceil(frame.links / len(rows)) if rows else 1
    canvas.path([(LEFT - 10, frame.zero), (WIDE - RIGHT + 10, frame.zero)], "soft")
    for y, word in ((-8, "grows"), (22, "shrinks")):
        canvas.words(LEFT - 18, frame.zero + y, word, "soft", anchor="end")
    for i, (a, b) in enumerate(pairwise([*range(0, frame.links, many), frame.links])):
        wide = (frame.x(b) - frame.x(a)) * 0.86 / max(1, len(shown))
        start = (frame.x(a) + frame.x(b) - wide * len(shown)) / 2
        for ink, nats in [(ink, nats) for ink, found in heaps(rows[i]).items() if ink in shown for nats in found]:
            high, x = abs(nats) / TEN * frame.u, start + wide * (len(shown) - 1 - shown.index(ink))
            of = ", ".join(f"{part} × {power(x, 3)}" for part, x in rows[i].items() if PARTS[part] == ink and x * nats > 0)
            told = f"{river.names[a]} to {river.names[b]}: {of}" + " each, on average" * (b - a > 1)
            if 0.5 <= high < HIGH:
                canvas.rectangle(x, frame.zero - high * (nats > 0), wide * 0.9, high, f"{ink}-mark", r=2, hover=told)
