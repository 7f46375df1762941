"""And where there is no window?  Plots made of characters: a sparkline of sizes, and a curve in 80 columns.

What has no place on a scale keeps a sign of its own: 0 an exact zero on a logarithmic scale, ∞ overflow, ? not a number.
"""

import math
import sys
from typing import Any

import numpy as np

from ..text.lines import clean, cut
from ..text.numbers import figure
from ..text.tables import WIDTH

WIDE = 1e3  # the ratio of sizes from which a scale is better logarithmic
LEVELS = "▁▂▃▄▅▆▇█"
ASCII = str.maketrans(LEVELS + "●·│└─∞", "_.:-=+*#" + "*.|+-!")


def spark(values: Any, *, log: bool = True, width: int = WIDTH, plain: bool | None = None) -> str:
    """Sizes as one line of bars, such as the norms of gradients through time.

    values  (n,) numbers; above `width` of them, a bar shows the largest of its share (or nan, if there is one)
    log     the height of a bar is log10 |value|; False: the value itself      plain  ASCII only; None: if stdout takes nothing else

    ValueError if empty.

    >>> spark([1, 0.1, 0.01, 0.001, 0, float("inf")])
    '█▆▃▁0∞'
    """
    y = sequence(values)
    with np.errstate(divide="ignore"):
        heights = np.log10(np.abs(y)) if log else y
    heights = np.array([part.max() for part in np.array_split(heights, min(len(heights), max(width, 1)))])
    shares = places(heights, 7)
    return shown("".join(LEVELS[round(s)] if math.isfinite(s) else sign_of(h) for s, h in zip(shares, heights)), plain)


def terminal_plot(
    y: Any, x: Any = None, *, width: int = WIDTH, height: int = 12, log: bool | None = None,
    title: str = "", xlabel: str = "", plain: bool | None = None,
) -> str:
    """A curve as text: `height` rows of at most `width` columns, and below them the axis.

    y, x    (n,) numbers; without x, 0, 1, 2, …      log    logarithmic y axis; None: if sizes differ more than a thousandfold
    plain   ASCII only; None: if stdout takes nothing else

    ValueError if empty, if x and y differ in length, for an x that is not finite, for negative numbers with log=True, or below
    30 columns or 3 rows.

    >>> print(terminal_plot([1, 0.5, 0.25, 0.125], width=40, height=4, title="gain", xlabel="links back"))
    gain
        1 │●··
          │   ······
    0.417 │         ·●··········
    0.125 │                     ●·········●
          └────────────────────────────────
           0          links back          3
    """
    y = sequence(y)
    x = np.arange(len(y)) if x is None else sequence(x)
    if len(x) != len(y) or not np.all(np.isfinite(x)):
        raise ValueError(f"x needs as many numbers as y, all of them finite; got {len(x)} for {len(y)}")
    if width < 30 or height < 3:
        raise ValueError(f"a plot takes 30 columns and 3 rows, or more; got {width} and {height}")
    if log and np.any(y < 0):
        raise ValueError(f"a logarithmic axis has no place for negative numbers, such as {float(np.nanmin(y))}; use log=False")
    log = is_wide(y) and not np.any(y < 0) if log is None else log
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.log10(y) if log else y
    labels = scale_labels(heights, height, log)
    gutter = max(map(len, labels))
    columns = width - gutter - 3
    rows = zip(labels, canvas(x, heights, columns, height))
    head = clean(title) + " (log scale)" * log
    lines = [cut(head.strip(), width)] * bool(head) + [f"{label:>{gutter}} │{row}".rstrip() for label, row in rows]
    return shown("\n".join([*lines, *axis(x, xlabel, gutter, columns)]), plain)


def canvas(x: np.ndarray, heights: np.ndarray, columns: int, height: int) -> list[str]:
    """The rows, top first: lines between neighbouring points, then the points, then what is not finite at an edge."""
    grid = [[" "] * columns for _ in range(height)]
    across, up = np.rint(places(x, columns - 1)).astype(int), places(heights, height - 1)
    for a, b, left, right in zip(across, across[1:], up, up[1:]):
        for c in range(a + 1, b) if math.isfinite(left + right) else ():
            grid[-1 - round(left + (right - left) * (c - a) / (b - a))][c] = "·"
    for c, place, h in zip(across, up, heights):
        row = round(place) if math.isfinite(place) else height - 1 if h == math.inf else 0
        grid[-1 - row][c] = "●" if math.isfinite(place) else sign_of(h)
    return ["".join(row) for row in grid]


def axis(x: np.ndarray, xlabel: str, gutter: int, columns: int) -> list[str]:
    """The line below the rows, and its ends."""
    first, last = figure(float(x.min())), figure(float(x.max()))
    room = columns - len(first) - len(last)
    ends = first + f"{cut(clean(xlabel), room - 2):^{room}}" + last if len(x) > 1 else f"{first:^{columns}}"
    return [" " * (gutter + 1) + "└" + "─" * columns, (" " * (gutter + 2) + ends).rstrip()]


def scale_labels(heights: np.ndarray, height: int, log: bool) -> list[str]:
    """What stands beside the rows: the ends and the middle of the scale; of constant data the one value, in the middle."""
    finite, row = heights[np.isfinite(heights)], height // 2
    if not finite.size:
        return [""] * height
    low, high = float(finite.min()), float(finite.max())
    middle = high + row / (height - 1) * (low - high)
    told = {row: middle} if constant(finite) else {0: high, row: middle, height - 1: low}
    return [figure(10.0 ** told[k] if log else told[k]) if k in told else "" for k in range(height)]


def places(values: np.ndarray, top: int) -> np.ndarray:
    """Finite values on a scale from 0 to top, constant ones in the middle; nan for the others."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size or constant(finite):
        return np.where(np.isfinite(values), top // 2, np.nan)
    low, high = finite.min() / 2, finite.max() / 2  # halves: their difference does not overflow
    return np.array([(v / 2 - low) / (high - low) * top if math.isfinite(v) else math.nan for v in values.tolist()])


def constant(finite: np.ndarray) -> bool:
    """The same but for rounding."""
    return bool(finite.max() / 2 - finite.min() / 2 <= 1e-12 * np.max(np.abs(finite)))


def is_wide(values: np.ndarray) -> bool:
    """Do sizes differ by more than a thousand?  One in twenty, such as the bottom of a parabola, does not count, nor does 0."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    return bool(sizes.size and np.max(sizes) / WIDE > np.quantile(sizes, 0.05, method="lower"))


def sign_of(height: float) -> str:
    """The sign for a height that is not finite: "?" for nan, "0" for −inf, of which a size is the exponential."""
    return "?" if height != height else "∞" if height > 0 else "0"


def sequence(values: Any) -> np.ndarray:
    """(n,) floats; ValueError if there is none, or if they have more axes."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"a plot needs a sequence of numbers, at least one; got an array of shape {array.shape}")
    return array


def shown(text: str, plain: bool | None) -> str:
    """The text, in ASCII where that is asked for, or where stdout cannot show more."""
    if plain is None:
        try:
            "".join(map(chr, ASCII)).encode(getattr(sys.stdout, "encoding", None) or "utf-8")
        except (UnicodeEncodeError, LookupError):
            plain = True
    return text.translate(ASCII) if plain else text
