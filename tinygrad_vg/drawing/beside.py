"""How do several rivers share a picture?  Each with a line and a name of its own, under a title that compares what arrives.

    box  (left, top, right, bottom), in pixels      span  heights of a line over a stretch of x
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ..text.lines import clean, cut
from .canvas import Canvas, Points, Run, room
from .river import PARTS, River, told
from .typography import power

Box = tuple[float, float, float, float]
INK = "now", "ink", "soft"
DASHES = "12 6", "2.5 4.5", "18 5 3 5", "12 4 3 4 3 4", "24 5", "6 3 6 9", "3 9"  # 21 pairs, none twice; "6 5" is what the page replaced
NAMED, LONGEST = 3, 28  # rivers in the title, characters of a name
UNDER, LINE = 30.0, 1224.0  # pixels below the river for words; of a line of the heading
NEAR, CROSSED = 24.0, 100.0  # pixels from its line's end to a name that needs no leader; that a name goes to stand on no line
SAMPLE, CLEAR, SIZE = 36.0, 4.0, 18.0  # pixels before a name for a piece of its line; between words and lines; of type


def matched(rivers: dict[str, River]) -> dict[str, River]:
    """The rivers; of other numbers of links and cut at every op, for not all stations are named, cut at the names that all share.

    ValueError if they share none
    """
    named = [{name: k for k, (name, at) in enumerate(zip(one.names, one.at)) if one.names.count(name) == 1
              and all(node.name for node in one.chain.stations[at])} for one in rivers.values()]
    steps = [len(one.nats) for one in rivers.values()]
    whole = [len(found.keys() | one.names[:1]) == len(one.names) for found, one in zip(named, rivers.values())]
    if len(set(steps)) == 1 or all(whole):
        return rivers
    common = set.intersection(*map(set, named))
    shared = [[k for name, k in found.items() if 0 < k < last and name in common] for found, last in zip(named, steps)]
    order = [[one.names[k] for k in at] for one, at in zip(rivers.values(), shared)]
    if not shared[0] or order != order[:1] * len(order):
        raise ValueError(
            f"the chains have {', '.join(map(str, steps))} links, cut at every op, and share no names of stations between their ends; "
            "cut each at its states: Chain(loss, source, through=[n for n in history(loss) if n.name and n.name.base == 'h'])")
    return {name: cut_at(one, [0, *at, last]) for (name, one), at, last in zip(rivers.items(), shared, steps)}


def cut_at(river: River, stations: list[int]) -> River:
    """A river with these stations only."""
    some: Any = {field: [getattr(river, field)[k] for k in stations] for field in ("at", "names", "read", "sizes", "logs")}
    nats = [{part: math.fsum(row[part] for row in river.nats[a:b]) for part in PARTS} for a, b in pairwise(stations)]
    return river._replace(**some, nats=nats, seeds=[river.seeds[k] for k in stations] if river.seeds else None)


def look(k: int) -> tuple[str, str, float, str]:
    """(ink, no fill, width, dash) of the line of river k; the first is the main one."""
    return (INK[(k - 1) % len(INK)], "", 3.0, DASHES[(k - 1) % len(DASHES)]) if k else ("flow", "", 4.0, "")


def called(name: str) -> str:
    """A river's name as it is shown."""
    return cut(clean(name), LONGEST, middle=True) or "This one"


def headline(rivers: Mapping[str, River]) -> list[Run]:
    """The finding of a river; of several what arrives in each, and where, three at most, in the ink of its line."""
    if len(rivers) == 1:
        return next(iter(rivers.values())).title
    shown, each = [*rivers.items()][:NAMED], []
    apart = len({river.names[0] for _, river in shown}) > 1  # they arrive at states of other names
    for k, (name, river) in enumerate(shown):
        each.append((f"{called(name)}: {power(river.logs[0])}", look(k)[0]))
        each.append((f"{'' if k else ' arrives'} at {river.names[0]}" * (apart or not k) + "; ", "ink"))
    return [*each[:-1], (each[-1][0][:-2], "ink")]


def subtitle(rivers: Mapping[str, River]) -> list[Run]:
    """What was run, and the parts in nats; of several rivers who did it in each, the same words once, as many as two lines hold."""
    first, *others = rivers.values()
    if not others:
        return first.below
    found = [one.culprit or [(one.ended or "It is no number.", "ink")] for one in rivers.values()]
    names: dict[str, list[Run]] = {}
    for k, (name, who) in enumerate(zip(rivers, found)):
        names.setdefault(told(who), []).extend([(", ", "soft"), (called(name), look(k)[0])])
    said = {told(who): clause(who) for who in found}
    each = [[*runs[1:], (": ", "soft"), *said[words], ("; ", "soft")] for words, runs in names.items()]
    while len(each) > 1 and any(room(told(runs), SIZE) > LINE for runs in lines_of([first.below[0], *sum(each, [])], SIZE)):
        each.pop()
    return [first.below[0], *sum(each, [])[:-1], (".", "soft")]


def clause(sentence: list[Run]) -> list[Run]:
    """A sentence as a part of another."""
    runs = [(words, "soft" if ink == "ink" else ink) for words, ink in sentence]
    runs[0] = runs[0][0][0].lower() + runs[0][0][1:], runs[0][1]
    return [*runs[:-1], (runs[-1][0].rstrip("."), runs[-1][1])]


def lines_of(runs: list[Run], size: float, bold: bool = False) -> list[list[Run]]:
    """Words too wide for a line in two, the first as long as it may be: after a sentence, or one that is compared, or after a comma."""
    ends = [k for marks in ((". ", "; "), (", ",)) for k in reversed(range(1, len(runs))) if runs[k - 1][0].endswith(marks)]
    first = [k for k in ends if room(told(runs[:k]), size, bold) <= LINE]
    k = next((k for k in first if room(told(runs[k:]), size, bold) <= LINE), (first or ends or [0])[0])
    return [runs[:k], runs[k:]] if k and room(told(runs), size, bold) > LINE else [runs]


def lines_beside(canvas: Canvas, rivers: Mapping[str, River], lines: list[Points], field: Box) -> None:
    """The lines of all rivers but the first, which is there; where each ends its name, and how much arrives, none on another."""
    for k, points in enumerate(lines):
        if k and points:
            canvas.path(points, *look(k))
    left, top, right, foot = field
    taken: list[Box] = [(right - 240, foot - UNDER + 4, right, foot)]  # the way of the gradient
    named = [(lines[k][0], k, f"{called(name)}: {power(river.logs[0])}") for k, (name, river) in enumerate(rivers.items()) if lines[k]]
    for end, k, words in sorted(named, key=lambda one: one[0][1]):
        wide = SAMPLE + room(words, SIZE, bold=True)
        around = [lines[k], *filter(None, lines), [(left, foot - UNDER), (right, foot - UNDER)]]
        x, y = free_place(around, wide, (left + 8, top, right, foot), taken)
        taken.append((x, y - 14, x + wide, y + 4))
        if math.dist(end, (x, y - 6)) > NEAR:
            canvas.path([end, (x, y - 6)], look(k)[0])
        canvas.path([(x, y - 6), (x + SAMPLE - 6, y - 6)], *look(k))
        canvas.words(x + SAMPLE, y, words, look(k)[0], SIZE, bold=True, halo=4)


def free_place(lines: list[Points], wide: float, field: Box, taken: list[Box]) -> tuple[float, float]:
    """Where words stand best: on no other words, near the end of the first line, on the left, and on no line, if free room is near."""
    left, top, right, foot = field
    y, found, end = np.arange(top + 14, foot - 4, 2.0), [], lines[0][0]
    for x in np.arange(left + 8, right - wide, 12.0):
        at = np.linspace(x - CLEAR, x + wide + CLEAR, 100)
        spans = [np.interp(at, *np.array(points).T) for points in lines]
        gaps = [np.maximum(span.min() - (y + 4), y - 14 - span.max()) for span in spans[1:]]
        met = CROSSED * sum((gap < CLEAR).astype(float) for gap in gaps)
        met += 1000 * sum((a < x + wide + CLEAR) & (x - CLEAR < c) & (b < y + 4) & (y - 14 < d) for a, b, c, d in taken)
        cost = met + abs(y - 5 - end[1]) + 0.5 * abs(x - end[0])
        found.append((float(cost.min()), float(x), float(y[cost.argmin()])))
    return min(found)[1:]
