"""How does a picture become a page?  One HTML file that needs nothing else: the graph as SVG, its numbers and maps as JSON, one script.

The page steps through the forward and the backward pass and recomputes the gradient when a factor is replaced. It makes no
request: its policy allows the one script and the one style sheet in it, known by their hashes, and nothing besides. Without
JavaScript the graph still shows. The same picture gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html import escape
from importlib.resources import files

import numpy as np

from ..chain import Chain
from ..chain.text import clean
from . import columns
from .colours import legend
from .columns import MARGIN, graph_svg, layout, legend_svg, routes, whole_svg
from .elements import LONGEST_NAME, Arrow, Box, Picture, heat, norm, number, short
from .page_chain import chain_data
from .page_data import BUDGET, page_data, parted

MOST = 3_000  # boxes
SCRIPTS = ("page_sweep.js", "page_graph.js", "page.js")  # one script, in reading order


def page_html(picture: Picture, chain: Chain | None = None, title: str = "", *, budget: int = BUDGET) -> str:
    """The whole page as text.

    chain   its table and its blame stand beside the graph
    budget  the most numbers in maps the page carries, and as many again in values and gradients

    ValueError above 3,000 boxes.
    """
    if len(picture.boxes) > MOST:
        raise ValueError(
            f"a page of {len(picture.boxes):,} boxes is above the limit of {MOST:,}; draw less of it: draw(output, fold='layer'), "
            "fold='rolled', or steps=(first, last)"
        )
    picture = with_gradients(picture)
    places = layout(picture)
    data = page_data(picture, places, routes(picture, places), budget)
    data["chain"] = chain_data(chain, picture) if chain is not None else None
    script, style = "\n".join(map(asset, SCRIPTS)), asset("page.css")
    fields = {
        "title": escape(short(clean(title), LONGEST_NAME) or name_of(picture)), "note": escape(picture.note),
        "script": script, "style": style,
        "script_hash": digest(script), "style_hash": digest(style), "graph": whole_svg(*graph_svg(picture)), "legend": key_svg(picture),
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }  # fmt: skip
    return re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], asset("page.html"))


def asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """The hash by which a content security policy knows a script or a style sheet."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def name_of(picture: Picture) -> str:
    """What the page is called if nobody says: after its output."""
    return next((parted(box)[0] for box in picture.boxes[::-1] if box.kind == "output"), "a graph")


def with_gradients(picture: Picture) -> Picture:
    """The picture with the gradients of one pass from the output in its boxes, and the gains on its arrows, run or not."""
    boxes = [with_gradient(box, picture.boxes) for box in picture.boxes]
    with np.errstate(all="ignore"):
        arrows = [with_gain(arrow, boxes[arrow.head]) for arrow in picture.arrows]
    return picture._replace(boxes=boxes, arrows=arrows)


def with_gradient(box: Box, boxes: list[Box]) -> Box:
    real = box if box.of is None else boxes[box.of]
    if real.gradient is None:
        return box
    if box.of is not None:
        return box._replace(heat=heat(real.gradient))
    single = np.shape(box.gradient) == ()
    line = f"grad {number(box.gradient)}" if single else f"|grad| {number(norm(box.gradient))}"
    others = [text for k, text in enumerate(box.lines) if k < 2 or not text.startswith(("grad ", "|grad| "))]
    return box._replace(heat=heat(box.gradient), lines=(*others[:2], line, *others[2:]))


def with_gain(arrow: Arrow, head: Box) -> Arrow:
    if arrow.heat is not None or arrow.local is None or head.gradient is None or norm(head.gradient) == 0:
        return arrow
    ratio = norm(arrow.local.pull(head.gradient)) / norm(head.gradient)
    words = () if arrow.lines == ("1",) and ratio == 1 else (f"gain {number(ratio)}",)
    return arrow._replace(heat=math.log10(ratio) if ratio else -math.inf, lines=arrow.lines + words)


def key_svg(picture: Picture) -> str:
    """The legend as a picture of its own, which stays in sight while the graph moves."""
    key = legend([box.heat for box in picture.boxes], [arrow.heat for arrow in picture.arrows])
    most = max((len(entries) for _, entries in key), default=0)
    parts = [legend_svg(title, entries, 12.0 + 22 * k) for k, (title, entries) in enumerate(key)]
    return whole_svg(parts, MARGIN + 150 + most * columns.SWATCH, 22.0 * len(key) + 2) if key else ""
