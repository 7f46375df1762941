"""How is a table printed?  Names to the left, figures to the right, columns as wide as they must be, in lines of 80 columns.

A row is a sequence of cells. A cell is text, or a float, which becomes a bar: a share of BAR columns, from -1 to 1.
A string in place of a row is a line of its own: a title, a note, or what is said of the rows left out.
"""

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from .lines import clean, cut
from .lines import width as columns
from .numbers import shown

WIDTH, MOST, ENDS = 80, 40, 10
BAR, NAME = 12, 4  # columns of a bar; columns that a name keeps, if no more are asked for
Row = Any  # a sequence of cells, or a line of its own


def table(rows: Sequence[Row], *heads: Row, left: int = 1, width: int = WIDTH, name: int = NAME) -> str:
    """The rows below their heads, in lines of at most `width` columns; a column that says nothing is left out.

    left  how many columns are text, which is cut where it is too long. The others are figures and bars, which never are: those
          that do not fit beside the names follow in a second table below
    name  columns that such a text keeps, whatever stands beside it

    >>> print(table([("W", "0.5", -0.25), ("b", "12", 0.5)], ("name", "|g|")))
    name  |g|
    W     0.5  ███
    b      12  ▒▒▒▒▒▒
    """
    lines = [row if isinstance(row, str) else [bar(x) if isinstance(x, float) else clean(x) for x in row] for row in (*heads, *rows)]
    whole = zip_longest(*(row for row in lines if not isinstance(row, str)), fillvalue="")
    sizes = {k: max(map(columns, column)) for k, column in enumerate(whole) if any(column[len(heads) :])}
    names, parts = [k for k in sizes if k < left], list[list[int]]([[]])
    room = max(width - sum(min(sizes[k], name) + 1 for k in names), NAME)
    for k in (k for k in sizes if k >= left):
        sizes[k] = min(sizes[k], room)
        if parts[-1] and sum(sizes[j] + 1 for j in parts[-1]) + sizes[k] > room:
            parts.append([])
        parts[-1].append(k)
    return "\n\n".join("\n".join(block(lines, {k: sizes[k] for k in [*names, *part]}, left, width)) for part in parts)


def block(lines: list[Row], sizes: dict[int, int], left: int, width: int) -> list[str]:
    """These columns beside each other, two blanks apart if there is room; else text gives way, the first column half as much."""
    gap = "  " if sum(sizes.values()) + 2 * len(sizes) - 2 <= width else " "
    while sum(sizes.values()) + len(sizes) - 1 > width:
        sizes[max((k for k in sizes if k < left), key=lambda k: sizes[k] * (1 + (k > 0)))] -= 1
    return [
        "\n".join(cut(clean(line), width) for line in row.split("\n")) if isinstance(row, str)
        else gap.join(filled(row[k], n, k, left) for k, n in sizes.items() if k < len(row)).rstrip()
        for row in lines]


def filled(text: str, n: int, place: int, left: int) -> str:
    """A cell in n columns; in the first place, that of names, it is cut in its middle."""
    text = cut(text, n, middle=not place)
    blanks = " " * (n - columns(text))
    return text + blanks if place < left else blanks + text


def folded(items: Sequence[Any], worst: Any = None, told: Any = None, most: int = MOST) -> list[Any]:
    """The items; of more than `most` the first ten, the least by `worst`, the last ten, and a line in place of those between.

    worst  item -> number        told  items -> what to say of those left out; else how many they are
    """
    n, ends = len(items), min(ENDS, most // 2)
    if n <= most:
        return list(items)
    least = [min(range(ends, n - ends), key=lambda k: worst(items[k]))] if worst else []
    lines, after = [], 0
    for k in sorted({*range(ends), *least, *range(n - ends, n)}):
        if out := items[after:k]:
            lines.append(f"  … {told(out) if told else f'{len(out)} more rows'} …")
        lines.append(items[k])
        after = k + 1
    return lines


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, from the first to the last at even distances."""
    return [items[k] for k in sorted({round(k * (len(items) - 1) / (most - 1)) for k in range(most)})]


def bar(part: float) -> str:
    """A share of BAR columns, to the eighth: solid below 0 (of a logarithm: shrunk), hatched above; it ends in » beyond 1."""
    if not math.isfinite(part):
        return f"{'0' if part < 0 else '∞' if part > 0 else 'nan':{BAR}}"
    full, eighths = divmod(round(8 * BAR * min(abs(part), 1.0)), 8)
    drawn = "█" * full + " ▏▎▍▌▋▊▉"[eighths] if part < 0 else "▒" * full
    return f"{drawn[: BAR - 1] + '»' if abs(part) > 1 else drawn:{BAR}}"[:BAR]


def records(rows: list[dict[str, Any]], left: int = 1) -> str:
    """Dictionaries as a table below the names of their entries; where a row lacks a name, it is blank."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return table([[shown(row[name]) if name in row else "" for name in names] for row in rows], names, left=left)
