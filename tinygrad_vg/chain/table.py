"""How is a product read?  One row per link, from the output back to the source: its factor, its gain, the product so far."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..text import tables
from ..text.lines import clean, cut
from ..text.numbers import figure, signed
from ..text.tables import BAR, WIDTH, folded
from .factors import norm

CHEAP = 200  # numbers on either side of a link, up to which its matrix is written out for the table
DECADES = 6  # as long as a bar gets: the same in every table, so that two of them can be compared
HEAD = ("link", "multiplied by", "gain", "typical", "worst", "log10 product")
LEGEND = f"bar: {BAR // DECADES} columns a decade, ▒ above 1, » beyond {DECADES}"


def table(chain: Any, width: int = WIDTH, typical: bool = False) -> str:
    """The chain as text, at most `width` columns: a row for each link, from the output back, with log10 of the product so far as a bar.

    Of many links only the first, the worst and the last are shown.
    """
    links, logs = chain.links[::-1], [log / math.log(10) for log in chain.log_product[-2::-1]]

    def told(out: Sequence[int]) -> str:
        return f"{len(out)} links, together 10^{signed(logs[out[-1]] - logs[out[0] - 1])}"

    def row(k: int) -> tuple:
        aside = typical_and_worst(links[k]) if typical else ("", "")
        return links[k].name, links[k].factor, figure(links[k].gain), *aside, signed(logs[k]), logs[k] / DECADES

    shown = folded(range(len(links)), lambda k: links[k].gain, told)
    rows = [k if isinstance(k, str) else row(k) for k in shown]
    return f"{tables.table(rows, HEAD, left=2, width=width)}\n{LEGEND}"


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
    n, room = max(len(c.links) for c in chains), max((width - 5) // len(chains) - 2, 14)

    def cell(c: Any, k: int) -> str:
        return f"{figure(c.links[-1 - k].gain)} {signed(c.log_product[-2 - k] / math.log(10)):>8}" if k < len(c.links) else ""

    shown = folded(range(n), lambda k: min(c.links[-1 - k].gain for c in chains if k < len(c.links)))
    rows = [k if isinstance(k, str) else (str(k + 1), *(cell(c, k) for c in chains)) for k in shown]
    heads = ("links", *(cut(clean(name), room, middle=True) for name in names)), ("back", *["gain  product"] * len(chains))
    return tables.table(rows, *heads, width=width)
