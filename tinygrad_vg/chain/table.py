"""How is a product read?  One row per link, from the output back to the source: its factor, its gain, the product so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .text import clean, cut, padded
from .text import width as columns

if TYPE_CHECKING:
    from .chain import Chain

WIDTH, MOST, LEAST_BAR = 80, 40, 12
HEAD = ("link", "multiplied by", "gain", "log10 product")


def table(chain: Chain, width: int = WIDTH, most: int = MOST) -> str:
    """The chain as text, at most `width` columns; above `most` links only the first, the worst and the last are shown."""
    logs = [x / math.log(10) for x in chain.log_product[:-1]]
    scale = max((abs(x) for x in logs if math.isfinite(x)), default=0.0) or 1.0
    rows = [(clean(link.name), clean(link.factor), figure(link.gain), signed(log)) for link, log in zip(chain.links, logs)]
    lines = layout([HEAD, *reversed(rows)], [0.0, *(log / scale for log in reversed(logs))], width)
    if len(rows) > most:
        lines = folded(lines, [link.gain for link in reversed(chain.links)], [*reversed(logs)])
    return "\n".join(lines)


def layout(rows: list[tuple[str, ...]], parts: list[float], width: int) -> list[str]:
    """Columns as wide as their widest entry; the two of text are cut if they must be, the bars take what is left."""
    widths = [max(columns(row[k]) for row in rows) for k in range(4)]
    room = width - widths[2] - widths[3] - LEAST_BAR - 4
    widths[0] = min(widths[0], max(room - widths[1], room // 3))
    widths[1] = min(widths[1], room - widths[0])
    lines = []
    for (name, text, gain, log), part in zip(rows, parts):
        name, text = cut(name, widths[0], middle=True), cut(text, widths[1])
        left = f"{padded(name, widths[0])} {padded(text, widths[1])} {gain:>{widths[2]}} {log:>{widths[3]}} "
        lines.append((left + bar(part, width - sum(widths) - 4)).rstrip())
    return lines


def folded(lines: list[str], gains: list[float], logs: list[float]) -> list[str]:
    """The heading, the first ten rows, the worst one, the last ten; how many are left out, and their gain, in between."""
    head, rows, ends = lines[0], lines[1:], 10
    worst = min(range(ends, len(rows) - ends), key=lambda k: gains[k])

    def left_out(a: int, b: int) -> list[str]:
        return [f"  … {b - a} links, together 10^{signed(logs[b - 1] - logs[a - 1])} …"] if b > a else []

    middle = left_out(ends, worst) + [rows[worst]] + left_out(worst + 1, len(rows) - ends)
    return [head, *rows[:ends], *middle, *rows[-ends:]]


def figure(x: float) -> str:
    """Three significant digits; nothing that is not zero prints as 0."""
    return f"{x:.3g}" if x == 0 or not math.isfinite(x) or 1e-3 <= abs(x) < 1e4 else f"{x:.2e}"


def signed(log: float) -> str:
    """A logarithm with two decimals and its sign; more decimals where two would show nothing."""
    return f"{log:+.2f}" if abs(log) >= 0.005 or log == 0 else f"{log:+.0e}"


def bar(part: float, width: int) -> str:
    """part (from -1 to 1) of the width, to the eighth of a column: solid below 1 (negative logarithm), hatched above."""
    if not math.isfinite(part):
        return "0" if part < 0 else "∞" if part > 0 else "nan"
    eighths = round(8 * width * abs(part))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip() if part < 0 else "▒" * (eighths // 8)

