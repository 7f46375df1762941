"""Where does everything stand?  One layout, for the SVG, the PNG, the PDF and the page.

Columns follow each other to the right, or downwards, and wrap into bands like words into lines: as many bands as bring the picture near
16:9 and its type to what can be read; few boxes stay in one if they can. An arrow to another band, and one that leads back (the loop
of a recurrence), runs on a lane of its own between the bands. Shared weights that no arrow leaves stand in lines below all.

    x, y  the centre of a box      wide, high  its size      way  the points of an arrow, from tail to head
"""

import math
from collections.abc import Container
from itertools import groupby
from typing import Any, NamedTuple

from ..text.lines import width
from .elements import Arrow, Box, Picture
from .layers import FAR, Columns, columns, heights, mesh, spaced, untangle

TYPE, LINE = 18.0, 23.0  # of all words, and from line to line
PAGE, WIDEST, TARGET = 1280.0, 2.4, 16 / 9  # a slide: its width; the widest picture, and the best, width / height
FEW, LONGEST = 12, PAGE * TYPE / 14  # so few boxes, none of them folded, do not wrap up to this width, where type has 14 pixels
SMALL = math.log(TYPE / 10)  # how much smaller type is that has less than 10 pixels
GAP, GAP_ACROSS, MARGIN, LANE, TIP = 26.0, 16.0, 20.0, 12.0, 9.0
TRIED, MANY = 4, 1_000  # ways to cut that are laid out, if there are not so many boxes that this would take seconds
FRAME, NAME = 14.0, 28.0  # room in a frame around boxes, and on top for its name
ORDERED = ("subtract", "divide", "power", "matmul")  # a − b is not b − a
Points = list[tuple[float, float]]


class Place(NamedTuple):
    """A box's centre (x, y), its width and its height, in pixels."""

    x: float
    y: float
    wide: float
    high: float


class Layout(NamedTuple):
    """Where everything goes, in pixels: a place for each box, a way for each arrow, the size of the whole."""

    places: list[Place]
    ways: list[Points]
    labels: Points  # the middle of the words on each arrow
    square: list[bool]  # whether an arrow runs on a lane, with corners
    band: list[int]  # of each box
    wide: float
    high: float
    down: bool = False


def letters(line: str) -> float:
    """About how wide a line is."""
    return 0.58 * TYPE * width(line)


def size_of(box: Box) -> tuple[float, float]:
    """Its lines, the first of them bold, with some room around them."""
    wide = [letters(line) * (1.12 if k == 0 else 1.0) for k, line in enumerate(box.lines)]
    return max(wide, default=0.0) + 20, LINE * len(box.lines) + 12


def layout(picture: Picture, down: bool = False, below: Any = lambda wide: 0.0) -> Layout:
    """Where boxes, arrows and words go.  below: how high is what stands below the graph, of its width."""
    linked = {i for arrow in picture.arrows for i in arrow[:2]}
    apart = [i for group in picture.groups for i in group.boxes if i not in linked and group.label] if linked else []
    plan = Plan(picture, columns(picture, set(apart)), down)
    sizes = [size_of(picture.boxes[i]) for i in apart]

    def cost(wide: float, high: float, bands: int) -> float:
        return unfit(wide, high + strip(sizes, wide)[1] + below(wide), bands)

    def scale(made: Layout) -> float:
        return min(PAGE / made.wide, PAGE / TARGET / (made.high + strip(sizes, made.wide)[1] + below(made.wide)))

    likely = sorted(plan.cuttings(), key=lambda bands: cost(*plan.turned(plan.extent(bands)), len(bands)))
    tried = map(plan.made, likely[: TRIED if len(picture.boxes) <= MANY else 1])
    found = min(tried, key=lambda made: cost(made.wide, made.high, max(made.band)))
    if len(picture.boxes) - len(apart) <= FEW:
        one, least = plan.made([plan.table]), (0.5 if down else 0.6) * scale(found)  # an arrow that wraps goes all the way up
        longest = PAGE if any(box.nodes > 1 for box in picture.boxes) else LONGEST
        found = one if one.wide <= longest and scale(one) >= least else found
    spots, lines = strip(sizes, found.wide)
    places, band = dict(enumerate(found.places)), dict(enumerate(found.band))
    places |= {i: Place(x, found.high + y, w, h) for i, (x, y), (w, h) in zip(apart, spots, sizes)}
    band |= dict.fromkeys(apart, max(found.band) + 1)
    wide = max([found.wide, *(places[i].x + places[i].wide / 2 + FRAME + MARGIN for i in apart)])
    return found._replace(places=list(places.values()), band=list(band.values()), wide=wide, high=found.high + lines)


def unfit(wide: float, high: float, bands: int) -> float:
    """How much smaller than on a slide its type would be; then how much of it is empty, how far it is from 16:9, how often it wraps.

    Too wide counts once more: what is too high can be scrolled, and is read as it is in a text. So does type that is too small to read.
    """
    padded = max(high, wide / WIDEST)
    smaller = max(0.0, math.log(wide / PAGE), math.log(padded * TARGET / PAGE))
    smaller += 0.5 * (wide > PAGE) + 0.25 * (smaller > SMALL)
    return smaller + 0.5 * (padded - high) / padded + 0.1 * abs(math.log(wide / padded / TARGET)) + 0.03 * bands


def strip(sizes: list[tuple[float, float]], wide: float) -> tuple[Points, float]:
    """Boxes in lines as wide as the picture, in a frame: their centres, and how high all of it is."""
    if not sizes:
        return [], 0.0
    x, y, high, spots = MARGIN + FRAME, NAME, max(h for _, h in sizes), []
    for w, _ in sizes:
        if x > MARGIN + FRAME and x + w > max(wide, 500.0) - MARGIN - FRAME:
            x, y = MARGIN + FRAME, y + high + GAP_ACROSS
        spots.append((x + w / 2, y + high / 2))
        x += w + GAP_ACROSS
    return spots, y + high + FRAME + MARGIN


class Plan:
    """Columns and their sizes, along (u) and across (v); from them bands, and from these places and ways."""

    def __init__(self, picture: Picture, table: Columns, down: bool):
        self.picture, self.table, self.down = picture, table, down
        self.sizes = [self.turned(size_of(box)) for box in picture.boxes]
        self.side: dict[int, tuple[float, float]] = {}  # of the column of each box, from left to right
        self.heads, self.tails = dict[int, list[int]](), dict[int, list[int]]()
        for e, arrow in enumerate(picture.arrows):
            self.heads.setdefault(arrow.head, []).append(e)
            self.tails.setdefault(arrow.tail, []).append(e)
        self.row = {i: box.row for i, box in enumerate(picture.boxes) if box.row is not None}
        self.ordered = [i for i, box in enumerate(picture.boxes) if box.op in ORDERED]
        self.crossed = {i for group in picture.groups if any(j in self.row for j in group.boxes) for i in group.boxes}
        self.column = {i: k for k, members in enumerate(table) for i in members}
        self.framed = {i: k for k, group in enumerate(picture.groups) if group.label for i in group.boxes}
        self.long = [max(self.sizes[i][0] for i in members) for members in table]
        border = 2 * FRAME + NAME * down
        self.gap = [GAP + border * (k > 0 and self.frame(k) != self.frame(k - 1)) for k in range(len(table))]
        for arrow in picture.arrows:
            if not arrow.loop:
                k = self.column[arrow.head]
                self.gap[k] = max(self.gap[k], GAP + self.spread(arrow)[0])

    def frame(self, k: int) -> int:
        """The number of the frame that column k stands in; −1 if in none."""
        return self.framed.get(self.table[k][0], -1)

    def spread(self, arrow: Arrow) -> tuple[float, float]:
        """The room its words take, along and across."""
        return self.turned((max(map(letters, arrow.lines), default=0.0), 20.0 * len(arrow.lines)))

    def turned(self, pair: tuple[float, float]) -> tuple[float, float]:
        """x and y as u and v, or back: in a picture that runs down both are exchanged."""
        return (pair[1], pair[0]) if self.down else pair

    def cuttings(self) -> list[list[Columns]]:
        """Ways to cut the columns into bands. A frame stays whole; one that is wider than a band has bands of its own."""
        pieces = [list(run) for key, run in groupby(range(len(self.table)), key=lambda k: (self.frame(k), k if self.frame(k) < 0 else 0))]
        whole = self.along(range(len(self.table)))
        found: list[list[list[int]]] = []
        while whole > max(self.long) or not found:  # ever shorter bands, by a tenth each time
            most, bands, open_ = max(whole, max(self.long)), list[list[int]](), False
            whole /= 1.1
            for piece in pieces:
                if open_ and self.along([*bands[-1], *piece]) <= most:
                    bands[-1] += piece
                    continue
                parts = [list[int]()]
                for k in piece:
                    if parts[-1] and self.along([*parts[-1], k]) > most:
                        parts.append([])
                    parts[-1].append(k)
                bands += parts
                open_ = len(parts) == 1
            if bands not in found:
                found.append(bands)
        return [[[self.table[k] for k in band] for band in bands] for bands in found]

    def along(self, ks: Any) -> float:
        """The length of these columns in a row, with the gaps between them."""
        return sum(self.long[k] + self.gap[k] for k in ks) - self.gap[next(iter(ks), 0)] if ks else 0.0

    def extent(self, bands: list[Columns]) -> tuple[float, float]:
        """About how long and how high the picture will be."""
        rows = 1 + max(self.row.values(), default=-1)
        high = 0.0
        for band in bands:
            tall = [sum(self.sizes[i][1] + GAP_ACROSS for i in column) + 60 * (rows - sum(i in self.row for i in column)) * (rows > 0)
                    for column in band]
            high += max(tall) + 2 * NAME + FRAME
        return max(self.along([self.column[column[0]] for column in band]) for band in bands) + 2 * (MARGIN + FRAME), high + MARGIN

    def made(self, bands: list[Columns]) -> Layout:
        """All of it but the boxes apart, which are put in the corner."""
        band_of = {i: k for k, band in enumerate(bands) for column in band for i in column}
        lanes, gutter = self.lanes(band_of, len(bands))
        first = MARGIN + (NAME if self.down else FRAME) + LANE * sum(a != b for a, b, *_ in lanes.values())
        at, ways, tops, end, top = dict[int, tuple[float, float]](), dict[int, Points](), list[float](), 0.0, MARGIN
        for k, band in enumerate(bands):
            row = {i: r for i, r in self.row.items() if band_of.get(i) == k}
            found = mesh(self.picture, band, row)
            untangle(found, row, self.ordered)
            under = [column[0] in self.crossed for column in band]
            v = heights(found, {i: size[1] for i, size in enumerate(self.sizes)}, row, under, GAP_ACROSS)
            tops.append(top)
            head = NAME if not self.down and any(i in self.framed for column in band for i in column) else 0.0
            shift = top + gutter[k] + head - min(v[i] - self.sizes[i][1] / 2 for column in band for i in column)
            x, side = first, dict[int, tuple[float, float]]()
            for column, items in zip(band, found.columns):
                c = self.column[column[0]]
                x += self.gap[c] if x > first else 0.0
                side |= dict.fromkeys(items, (x, x + self.long[c]))
                x += self.long[c]
            at |= {i: (sum(side[i]) / 2, v[i] + shift) for column in band for i in column}
            self.side |= {i: side[i] for column in band for i in column}
            ways |= {e: [(z, v[p] + shift) for p in points for z in side[p]] for e, points in found.points.items()}
            end, top = max(end, x), max(at[i][1] + self.sizes[i][1] / 2 for column in band for i in column) + FRAME
        turns = {e: self.turns(e, lane, n, [*tops, top]) for n, (e, lane) in enumerate(lanes.items())}
        ways = self.joined(at, ways | turns, lanes)
        return self.laid_out(at, ways, lanes, band_of, (end + FRAME + MARGIN, top + gutter[-1] + MARGIN - FRAME))

    def laid_out(self, at: Any, ways: dict[int, Points], lanes: Any, band_of: dict[int, int], size: tuple[float, float]) -> Layout:
        """All of it as x and y."""
        boxes, arrows, turned = self.picture.boxes, range(len(self.picture.arrows)), self.turned
        labels = self.labels(at, ways, lanes)
        return Layout(
            [Place(*turned(at.get(i, (0.0, 0.0))), *size_of(box)) for i, box in enumerate(boxes)],
            [list(map(turned, ways[e])) for e in arrows], [turned(labels[e]) for e in arrows], [e in lanes for e in arrows],
            [band_of.get(i, 0) for i in range(len(boxes))], *turned(size), self.down)

    def lanes(self, band_of: dict[int, int], n: int) -> tuple[dict[int, tuple[int, int, float, float]], list[float]]:
        """Of each arrow that needs lanes: the gutter it enters, that it leaves, and how deep it runs in them; and how high each gutter is.

        Gutter k lies above band k. An arrow ahead enters the one below its tail; one that leads back, that above it.
        """
        high, found = [GAP_ACROSS] * (n + 1), {}
        for e, arrow in enumerate(self.picture.arrows):
            a, b = band_of[arrow.tail], band_of[arrow.head]
            far = self.column[arrow.head] - self.column[arrow.tail] > FAR
            if not (arrow.loop or a != b or far):
                continue
            enter, leave = (a, b) if arrow.loop else (a + 1, b + (a == b))
            high[enter] += LANE + self.spread(arrow)[1]
            high[leave] += LANE * (enter != leave)
            found[e] = (enter, leave, high[enter] - LANE, high[leave] - LANE)
        return found, high

    def turns(self, e: int, lane: tuple[int, int, float, float], n: int, tops: list[float]) -> Points:
        """The n-th way on lanes: from the column of the tail along one, perhaps down the margin and along another, to that of the head."""
        (enter, leave, deep, deeper), arrow = lane, self.picture.arrows[e]
        a, b = self.side[arrow.tail][1] + 10 + 3 * (n % 6), self.side[arrow.head][0] - 15 - 3 * (n % 6)
        y, z, margin = tops[enter] + deep, tops[leave] + deeper, MARGIN / 2 + LANE * (n % 12)
        return [(a, y), *([] if enter == leave else [(margin, y), (margin, z)]), (b, z)]

    def joined(self, at: dict[int, tuple[float, float]], ways: dict[int, Points], lanes: Container[int]) -> dict[int, Points]:
        """The ways from box to box; into a box side by side, in the order of where they come from. A lane is entered and left squarely."""
        found = {}
        for i, es in self.heads.items():
            room = min(14.0, (self.sizes[i][1] - 14) / len(es))
            es.sort(key=lambda e: (ways[e][-1] if ways[e] and e not in lanes else at[self.picture.arrows[e].tail])[1])
            for k, e in enumerate(es):
                tail = self.picture.arrows[e].tail
                start = at[tail][0] + self.sizes[tail][0] / 2, at[tail][1]
                end = at[i][0] - self.sizes[i][0] / 2 - TIP, at[i][1] + room * (k - (len(es) - 1) / 2)
                corners = [(ways[e][0][0], start[1]), *ways[e], (ways[e][-1][0], end[1])] if e in lanes else ways[e]
                found[e] = [start, *corners, end]
        return found

    def labels(self, at: Any, ways: dict[int, Points], lanes: Any) -> dict[int, tuple[float, float]]:
        """The middle of each arrow's words: at the end that it shares with fewer others; those in one gap are moved apart.

        One line stands beside the end of its arrow, on the side that it bends away from, and of several into one box, the upper above;
        of one that has passed columns and comes in a little outside all others, where it bends.
        """
        found, order, gaps = {}, dict[int, float](), dict[int, list[int]]()
        for e, arrow in enumerate(self.picture.arrows):
            way = ways[e]
            if e in lanes:
                found[e] = ((way[2][0] + way[3][0]) / 2, way[2][1] - self.spread(arrow)[1] / 2 - 5)
                continue
            early = len(way) == 2 and len(self.tails[arrow.tail]) == 1 and len(self.heads[arrow.head]) > 1
            (x, y), (X, Y) = way[:2] if early else way[-2:]
            left, right = (self.side[arrow.tail][1], X) if early else (x, self.side[arrow.head][0])
            order[e] = (ways[e][0][1] + ways[e][-1][1]) / 2
            among, half = self.heads[arrow.head], self.spread(arrow)[0] / 2
            if len(arrow.lines) != 1 or self.down:
                share = 0.25 if early else 0.5 if len(self.tails[arrow.tail]) == 1 else 0.75
                found[e] = ((left + right) / 2 - 2, y + share * (Y - y))
            else:
                outer = len(way) > 2 and (8 < y - Y < 80 and e == among[-1] or 8 < Y - y < 80 and e == among[0])
                below = 2 * among.index(e) >= len(among) if len(among) > 1 else y < Y - 8
                free = e == among[-1] or len(ways[among[among.index(e) + 1]]) == 2  # nothing comes in from far below
                below = free and (Y < y - 8 or abs(Y - y) <= 8 and e == among[-1]) if early or outer else below
                order[e] = (y if early or outer else Y) + (14 if below else -14)
                middle = (left + right) / 2 - 2
                found[e] = min(left + half + 6, middle) if early or outer else max(X - half - 4, middle), order[e]
            gaps.setdefault(self.column[arrow.tail] + 1 if early else self.column[arrow.head], []).append(e)
        for es in gaps.values():
            es = sorted((e for e in es if self.picture.arrows[e].lines), key=lambda e: order[e])
            moved = spaced([found[e][1] for e in es], [self.spread(self.picture.arrows[e])[1] + 2 for e in es])
            found |= {e: (found[e][0], z) for e, z in zip(es, moved)}
        return found
