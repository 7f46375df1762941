"""What does a colour say?  How large, on a logarithmic scale: blue has shrunk, red has grown, white is as large as it was.

Colour-blind safe (after ColorBrewer's RdBu). An exact zero, nan and inf have looks of their own. The scale of the boxes is the same
in every picture, page and plot: |gradient| relative to the start of the backward pass, a shade for each power of ten down to 10^−6
and up to 10^6, and one dark shade for what is beyond. So equal sizes have equal colours everywhere.
"""

import math
from typing import NamedTuple

from .typography import decade

BLUE, WHITE, RED = "#2166ac", "#f7f7f7", "#b2182b"
BROWN, TEAL = "#8c510a", "#01665e"  # of values, not of sizes: below 0 and above, with WHITE between
NAVY, MAROON = "#0b1f4d", "#5c0a16"  # beyond either end of the scale
DECADES = 6  # powers of ten from the middle of the scale of boxes to either end
GREY = "#808080"  # readable on a white page and on a dark one, and so are blue and red for lines:
FALL, RISE = "#2f7fd4", "#d8434e"
SHADES = (FALL, "#d55e00", "#009e73", "#cc79a7", GREY)  # to tell curves apart, colour-blind safe (after Okabe & Ito)
GREEN, ORANGE = "#009e73", "#e69f00"  # orange is also what theory says, dashed
DARK, PALE = "#000000", "#ffffff"
ZERO = "zero"
SPECIAL = {ZERO: "#3d3d3d", "nan": "#c51b7d", "inf": "#e69f00"}
BLAME = {  # the kinds of factors in plots, in the river's colours: size dark, alignment light; greys for what the river calls the rest
    "activation size": "#f2a33a", "activation alignment": "#f8d9a8", "weight size": "#38b58b", "weight alignment": "#a9dfcc",
    "gate": "#a884d6", "norm": "#8a4b38", "attention": "#4d565f", "merge": "#8d959e", "scale": "#b4bac0", "other": "#d5d9dc"}
INKS = {  # of rivers, pages and pictures, on a light page and on a dark one: at least 4.5 : 1 for words
    "page": ("#fbfbf9", "#121519"), "card": ("#ffffff", "#1a1e23"), "ink": ("#16191d", "#eef0f2"), "soft": ("#565d65", "#aab2ba"),
    "line": ("#d9dcdf", "#343b43"), "faint": ("#eef0f1", "#252b31"), "ghost": ("#767e87", "#8a939d"),
    "flow": ("#1f5fbf", "#8db8ff"), "flow-mark": ("#c3d9f6", "#274672"),
    "slopes": ("#a35400", "#ffb454"), "slopes-mark": ("#f2a33a", "#c9791a"),
    "weights": ("#00704f", "#5fd3ab"), "weights-mark": ("#38b58b", "#1f8f6c"),
    "gates": ("#6b3fa0", "#c9a6ff"), "gates-mark": ("#a884d6", "#7d5bb5"),
    "norms": ("#6b2d1a", "#c9886a"), "norms-mark": ("#8a4b38", "#e0b8a8"),
    "rest": ("#565d65", "#aab2ba"), "rest-mark": ("#9aa2ab", "#6d7680"),
    "growth": ("#b2182b", "#ff8a8a"), "now": ("#b0187f", "#ff8ad4")}
ARROW_SPAN = math.log10(4)  # powers of ten from the middle of the scale of arrows to its end


class Entry(NamedTuple):
    """One field of the legend."""

    colour: str
    text: str


def colour(heat: float | None, span: float = DECADES, middle: str = WHITE) -> str:
    """#rrggbb for log10 of a size; the middle of the scale is WHITE for boxes, GREY for arrows (and a dotted one is an exact 0)."""
    if heat is None or heat == -math.inf and middle == GREY:
        return middle
    if not math.isfinite(heat):
        return SPECIAL[special(heat)]
    if middle == WHITE and abs(heat) > span + 1e-9:
        return NAVY if heat < 0 else MAROON
    less, more = (FALL, RISE) if middle == GREY else (BLUE, RED)
    return mix(middle, more if heat > 0 else less, min(1.0, abs(heat) / span))


def thickness(heat: float | None) -> float:
    """Of an arrow, in points: the further its gain is from 1, the thicker."""
    return 1.2 + 1.6 * (min(1.0, abs(heat) / ARROW_SPAN) if heat else 0.0)


def fill_of(kind: str, heat: float | None) -> str:
    """Of a box: a constant is grey, it has no gradient."""
    return "#e2e2e2" if kind == "constant" else colour(heat)


def special(heat: float) -> str:
    """The key of a heat that is no finite number: "nan", "inf", or ZERO for −inf."""
    return "nan" if heat != heat else "inf" if heat > 0 else ZERO


def mix(start: str, end: str, share: float) -> str:
    """The colour `#rrggbb` at a share from 0 to 1 of the way from start to end."""
    a, b = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (start, end))
    return "#" + "".join(f"{round(x + share * (y - x)):02x}" for x, y in zip(a, b))


def ink(fill: str) -> str:
    """Dark or white, whichever has more contrast on `fill` (relative luminance, WCAG 2); on no fill that of soft words."""
    if not fill:
        return "soft"
    parts = [int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return DARK if luminance > 0.18 else PALE


def legend(boxes: list[float | None], arrows: list[float | None]) -> list[tuple[str, list[Entry]]]:
    """The rows of the legend: a title and its fields; only for what the picture shows, and red only where something has grown."""
    grown = any(heat is not None and 0.005 < heat < math.inf for heat in boxes)
    scale = [Entry(NAVY, "less"), *(Entry(colour(k), decade(k)) for k in range(-DECADES, DECADES * grown + 1, 2))]
    ends = [f"≤ {10.0**-ARROW_SPAN:.4g}", "", "1", "", f"≥ {10.0**ARROW_SPAN:.4g}"]
    gains = [Entry(colour(k / 2 * ARROW_SPAN, ARROW_SPAN, GREY), text) for k, text in enumerate(ends, -2)]
    rows = [("box: |gradient|", scale, boxes, SPECIAL[ZERO]), ("arrow: gain", gains, arrows, "")]
    return [(title, fields + odd(heats, zero)) for title, fields, heats, zero in rows if any(heat is not None for heat in heats)]


def odd(heats: list[float | None], zero: str) -> list[Entry]:
    """Fields for an exact zero (of an arrow a dotted line, on no ground), nan and inf, of those that are there."""
    found = {special(heat) for heat in heats if heat is not None and not math.isfinite(heat)}
    looks = {name: Entry(shade, name) for name, shade in SPECIAL.items()} | {ZERO: Entry(zero, ZERO if zero else "···· zero")}
    return [entry for name, entry in looks.items() if name in found]
