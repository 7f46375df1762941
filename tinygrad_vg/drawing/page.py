"""How does a picture become a page?  One HTML file that needs nothing else: the graph as SVG, its numbers and maps as JSON, one script.

The page steps through the forward and the backward pass and recomputes the gradient when a factor is replaced. It makes no
request: its policy allows the one script and the one style sheet in it, known by their hashes, and nothing besides. Without
JavaScript the graph still shows. The same picture gives the same bytes.
"""

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from ..chain import Chain
from .canvas import Canvas, dark_sheet
from .elements import Arrow, Picture, from_start, heat, norm, one_line, with_gain, with_gradient
from .graph import draw_key, graph_svg, key_height, key_width
from .layout import layout
from .page_data import BUDGET, page_data

MOST = 3_000  # boxes
SCRIPTS = ("page_sweep.js", "page_graph.js", "page.js")  # one script, in reading order


def page_html(picture: Picture, chain: Chain | None = None, title: str = "", *, budget: int = BUDGET) -> str:
    """The whole page as text, one HTML document.

    title   what it is called; without one, like its output
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
    found = layout(picture)
    script, style = "\n".join(map(asset, SCRIPTS)), asset("page.css") + dark_sheet()
    output = next((box.name for box in picture.boxes[::-1] if box.kind == "output"), "a graph")
    data = json.dumps(page_data(picture, found, budget, chain=chain), allow_nan=False, separators=(",", ":"))
    fields = {
        "title": escape(one_line(title) or output), "note": escape("; ".join(picture.captions)),
        "script": script, "style": style,
        "script_hash": digest(script), "style_hash": digest(style),
        "graph": graph_svg(picture, found), "legend": key_svg(picture),
        "data": data.replace("<", "\\u003c")}
    return re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], asset("page.html"))


def asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """The hash by which a content security policy knows a script or a style sheet."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def with_gradients(picture: Picture) -> Picture:
    """The picture as one pass from the output gives it, run or not: its gradients in the boxes, its gains on the arrows."""
    found = [box.gradient if box.of is None else picture.boxes[box.of].gradient for box in picture.boxes]
    boxes = [
        box if g is None else with_gradient(box, g) if box.of is None else box._replace(heat=heat(g))
        for box, g in zip(picture.boxes, found)
    ]
    with np.errstate(all="ignore"):
        arrows = [with_gain_for(found[arrow.head], arrow) for arrow in picture.arrows]
    output = next((heat(box.gradient) for box in boxes if box.kind == "output"), None)
    return picture._replace(boxes=from_start(boxes, output) if any(g is not None for g in found) else boxes, arrows=arrows)


def with_gain_for(g: Any, arrow: Arrow) -> Arrow:
    """The arrow with its gain for the gradient g of its head; a Scalar's does not depend on g."""
    if arrow.local is None or arrow.slope is not None or g is None:
        return arrow
    return with_gain(arrow, norm(arrow.local.pull(g)) / norm(g) if norm(g) else None)


def key_svg(picture: Picture) -> str:
    """The legend as a picture of its own, which stays in sight while the graph moves."""
    legend = picture._replace(note="", boxes=picture.boxes)
    canvas = Canvas(key_width(legend), key_height(legend, 0), "what the colours mean")
    draw_key(canvas, legend, 0, 0)
    return canvas.bare
