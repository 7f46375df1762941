"""How is a product read?  One row per link, from the output back to the source: its factor, its gain, the product so far."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..text.lines import clean, cut
from ..text.numbers import figure, signed
from ..text.tables import MOST, WIDTH, folded, inserted, layout
from .factors import norm

CHEAP = 200  # numbers on either side of a link, up to which its matrix is written out for the table


def table(chain: Any, width: int = WIDTH, most: int = MOST, typical: bool = False) -> str:
    """The chain as text, at most `width` columns; above `most` links only the first, the worst and the last are shown."""
    logs = [x / math.log(10) for x in chain.log_product[:-1]][::-1]
    gains = [link.gain for link in reversed(chain.links)]
    shown = folded(len(logs), most, lambda k: gains[k])
    rows = rows_of(chain, [k for k in shown if isinstance(k, int)], typical)
    scale = max((abs(x) for x in logs if math.isfinite(x)), default=0.0) or 1.0
    parts = [0.0, *(logs[k] / scale for k in shown if isinstance(k, int))]
    lines = layout(rows, parts, width)
    return "\n".join(inserted(lines, shown, lambda a, b: f"{b - a} links, together 10^{signed(logs[b - 1] - logs[a - 1])}", width))


def rows_of(chain: Any, wanted: list[int], typical: bool) -> list[tuple[str, ...]]:
    """The heading and the cells of the rows wanted, counted from the output; a column that says nothing is left out."""
    links, logs = chain.links[::-1], chain.log_product[-2::-1]
    pairs = [typical_and_worst(links[k]) if typical else ("", "") for k in wanted]
    some = any(pair[0] for pair in pairs)
    head = ("link", "multiplied by", "gain", *(("typical", "worst") if some else ()), "log10 product")
    rows = [
        (clean(links[k].name), clean(links[k].factor), figure(links[k].gain), *(pair if some else ()), signed(logs[k] / math.log(10)))
        for k, pair in zip(wanted, pairs)
    ]
    return [head, *rows]


def typical_and_worst(link: Any) -> tuple[str, str]:
    """|J|_F / √n and σ_max of a link, as text; blank for a single number and where the matrix is not cheap."""
    rows, across = math.prod(link.shape_out), math.prod(link.shape_in)
    if not 1 < max(rows, across) <= CHEAP or not min(rows, across):
        return "", ""
    with np.errstate(all="ignore"):
        J = link.dense()
    if not np.all(np.isfinite(J)):
        return "", ""
    return figure(norm(J) / math.sqrt(rows)), figure(float(np.linalg.norm(J, 2)))


def side_by_side(chains: Sequence[Any], names: Sequence[str] | None = None, width: int = WIDTH) -> str:
    """Several chains in one table, counted back from the output: for each the gain of the link and log10 of the product so far.

    names  what to call them; else what each leads from and to. ValueError for none, or for another number of names.
    """
    names = [f"{c.names[-1]}→{c.names[0]}" for c in chains] if names is None else list(names)
    if not chains or len(names) != len(chains):
        raise ValueError(f"side_by_side needs a list of chains and a name for each; got {len(chains)} chains and {len(names)} names")
    n, room = max(len(c.links) for c in chains), max((width - 6) // len(chains) - 1, 14)
    shown = folded(n, MOST, lambda k: min(c.links[::-1][k].gain for c in chains if k < len(c.links)))
    rows = [("links", *(cut(clean(name), room, middle=True) for name in names)), ("back", *["gain  product"] * len(chains))]
    rows += [(str(k + 1), *(gain_and_product(chain, k) for chain in chains)) for k in shown if isinstance(k, int)]
    lines = layout(rows, [], max(width, 6 + len(chains) * 15), texts=1)
    return "\n".join([lines[0], *inserted(lines[1:], shown, lambda a, b: f"{b - a} rows left out", width)])


def gain_and_product(chain: Any, k: int) -> str:
    """A cell: of the link that is the k-th from the output, and up to it; blank if there is none."""
    if k >= len(chain.links):
        return ""
    return f"{figure(chain.links[-1 - k].gain)} {signed(chain.log_product[-2 - k] / math.log(10)):>8}"


def html_table(chain: Any) -> str:
    """The table for a notebook: text only, every name escaped."""
    shown = folded(len(chain.links), MOST, lambda k: chain.links[-1 - k].gain)
    head, *rows = rows_of(chain, [k for k in shown if isinstance(k, int)], True)
    cells = iter(rows)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in next(cells))}</tr>"
        if isinstance(k, int)
        else f'<tr><td colspan="{len(head)}">… {k[1] - k[0]} links …</td></tr>'
        for k in shown
    )
    return f"<table><thead><tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr></thead><tbody>{body}</tbody></table>"
