"""How is a table laid out?  Columns as wide as they must be, names to the left, figures to the right, bars in what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .lines import cut, padded
from .lines import width as columns

WIDTH, MOST, LEAST_BAR, ENDS = 80, 40, 12, 10


def layout(rows: list[tuple[str, ...]], parts: list[float], width: int, texts: int = 2) -> list[str]:
    """Columns as wide as their widest entry; those of text are cut if they must be, the bars take what is left."""
    widths = [max(columns(row[k]) for row in rows) for k in range(len(rows[0]))]
    room = max(width - sum(widths[texts:]) - LEAST_BAR * bool(parts) - len(widths), 4 * texts)
    if texts > 1:
        widths[0] = min(widths[0], max(room - widths[1], room // 3, min(room - 4, 14)))
    widths[texts - 1] = min(widths[texts - 1], room - sum(widths[: texts - 1]))
    lines = []
    for row, part in zip(rows, parts or [0.0] * len(rows)):
        cells = [padded(cut(cell, w, middle=not k), w) for k, (cell, w) in enumerate(zip(row[:texts], widths))]
        left = " ".join([*cells, *(f"{cell:>{w}}" for cell, w in zip(row[texts:], widths[texts:]))])
        lines.append(f"{left} {bar(part, width - sum(widths) - len(widths))}".rstrip())
    return lines


def folded(n: int, most: int, size: Callable[[int], float]) -> list[Any]:
    """Which of n rows to show: the first ten, the worst, the last ten; what is left out between them as a pair (from, to)."""
    if n <= most:
        return list(range(n))
    worst = min(range(ENDS, n - ENDS), key=size)
    gaps = [(a, b) for a, b in ((ENDS, worst), (worst + 1, n - ENDS)) if b > a]
    middle = [worst, *gaps] if len(gaps) == 1 and gaps[0][0] > worst else [*gaps[:1], worst, *gaps[1:]]
    return [*range(ENDS), *middle, *range(n - ENDS, n)]


def inserted(lines: list[str], shown: list[Any], told: Callable[[int, int], str], width: int) -> list[str]:
    """The heading and the rows, with a line in place of those left out."""
    rows = iter(lines[1:])
    return [lines[0], *(next(rows) if isinstance(k, int) else cut(f"  … {told(*k)} …", width) for k in shown)]


def bar(part: float, width: int) -> str:
    """part (from -1 to 1) of the width, to the eighth of a column: solid below 1 (negative logarithm), hatched above."""
    if not math.isfinite(part):
        return "0" if part < 0 else "∞" if part > 0 else "nan"
    eighths = round(8 * max(width, 0) * abs(part))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip() if part < 0 else "▒" * (eighths // 8)


def aligned(rows: Sequence[tuple[str, ...]], left: int = 1, widest: int = 30) -> list[str]:
    """Rows of text as lines: one column, of names, to the left and cut if it is long, the others to the right."""
    rows = [(*row[:left], cut(row[left], widest, middle=True), *row[left + 1 :]) for row in rows]
    widths = [max(map(columns, column)) for column in zip(*rows)]
    return [" ".join(padded(x, w) if k == left else x.rjust(w) for k, (x, w) in enumerate(zip(row, widths))) for row in rows]


def shortened(lines: list[str]) -> list[str]:
    """A heading and rows; of more than 40 rows the first and last ten, and how many are in between."""
    if len(lines) <= MOST + 1:
        return lines
    return [*lines[: ENDS + 1], f"  … {len(lines) - 1 - 2 * ENDS} more rows …", *lines[-ENDS:]]
