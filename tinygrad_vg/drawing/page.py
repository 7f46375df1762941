"""How does a picture become a page?  One HTML file that needs nothing else: the graph as SVG, its numbers and maps as JSON, one script.

With a chain it opens on the river: where the gradient went. The graph is the second view; it steps through the forward and the
backward pass, and lies packed in the page, as all its large data does, until it is asked for. Both recompute the gradient when a
factor is replaced. The page makes no request: its policy allows the scripts and style sheets in it, known by their hashes, and
nothing besides. Without JavaScript the first view still shows. The same picture gives the same bytes.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from ..text.lines import clean
from .beside import headline, look
from .canvas import Canvas, sheet
from .colours import INKS
from .elements import Arrow, Picture, from_start, heat, norm, one_line, with_gain, with_gradient
from .graph import draw_key, graph_svg, key_height, key_width
from .layout import MARGIN, layout
from .page_data import BUDGET, Store, js_number, page_data
from .river import FINDINGS, PARTS, River, told
from .river_data import river_data
from .river_picture import river_picture

MOST = 3_000  # boxes
INKED = "".join(f"{head}{{{''.join(f'--{role}:{pair[k]};' for role, pair in INKS.items())}}}{tail}\n"
                for k, head, tail in ((0, ":root", ""), (1, "@media screen and (prefers-color-scheme: dark){:root", "}")))
SCRIPTS = (  # three, in reading order
    ("page_base.js", "page_open.js"), tuple(f"page_river{part}.js" for part in ("_sweep", "_words", "_stage", "_card", "")),
    ("page_base.js", "page_sweep.js", "page_graph.js", "page.js"))


def page_html(picture: Picture, rivers: Mapping[str, River] | None = None, title: str = "", *, budget: int = BUDGET) -> str:
    """The whole page as text, one HTML document.

    title   what it is called; without one, like its output
    rivers  {name: river} to compare; the page opens on the first, that of the graph
    budget  the most numbers in maps the page carries, and as many again in values and gradients

    ValueError above 3,000 boxes.
    """
    output = next((box.name for box in picture.boxes[::-1] if box.kind == "output"), "a graph")
    name, store = escape(one_line(title) or output), Store(budget)
    if rivers:
        return river_page(rivers, picture, name, store)
    fields, (*_, script) = {"title": name, "level": "h1"} | graph_fields(picture, store, True), drawn_scripts()
    return document(name, filled("page_graph.html", fields) + f"<script>{script}</script>", [script], [dressed("page.css")])


def river_page(rivers: Mapping[str, River], picture: Picture, name: str, store: Store) -> str:
    """The page that opens on a river; the graph, its script, its style and all large data lie packed in it."""
    first, style, scripts = next(iter(rivers.values())), asset("page.css"), drawn_scripts()
    models = [river_data(one, clean(label), store, one is first) for label, one in rivers.items()]
    graph = filled("page_graph.html", {"title": name, "level": "h2"} | graph_fields(picture, store))
    data = {"models": models, "blobs": [*map(len, store.planes)], "graph": graph, "river": scripts[1], "script": scripts[2], "style": style}
    data["parts"], data["looks"] = PARTS, [look(k) for k in range(1, len(models) + 1)]
    data["findings"] = [(js_number(below), *words) for below, *words in FINDINGS]
    words = {name: "".join(run(*one) for one in runs) for name, runs in (("finding", first.title), ("about", first.below))}
    lines = json_text(data).encode() + b"\n" + b"".join(store.planes)
    words |= {"still": river_picture(first).element(), "packed": packed(lines), "script": scripts[0]}
    return document(escape(told(headline(rivers))), filled("page_river.html", words), scripts, [dressed("page_river.css"), style])


def drawn_scripts() -> list[str]:
    """The scripts of a drawing's page: what opens the river, the river, and the graph; alone, a graph has the last."""
    opening, river, graph = ("".join(map(asset, parts)) for parts in SCRIPTS)
    return [opening, f'"use strict";\n{{\n{river}}}', graph]  # in a block, for the graph has the same names


def document(title: str, body: str, scripts: list[str], styles: list[str], more: str = "", code: str = "") -> str:
    """A page that opens in the first style and allows these scripts and styles; besides only `more`, as "img-src data:; ", and `code`."""
    allowed = {"hashes": " ".join([*map(digest, scripts), code]).strip(), "styles": " ".join(map(digest, styles)), "more": more}
    return filled("page.html", {"title": title, "body": body, "style": styles[0]} | allowed)


def dressed(name: str) -> str:
    """A style sheet with all that it builds on: the inks, and what both views have."""
    return INKED + asset("page_base.css") + sheet() + asset(name)


def packed(content: bytes) -> str:
    """What a page's script unpacks: base 64 of a gzip, the same for the same content."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def graph_fields(picture: Picture, store: Store, alone: bool = False) -> dict[str, str]:
    """What the view of the graph shows: its picture, its legend, its numbers; its arrays too, if it is alone, else in the store only.

    ValueError above 3,000 boxes.
    """
    if len(picture.boxes) > MOST:
        raise ValueError(f"a page of {len(picture.boxes):,} boxes is above the limit of {MOST:,}; draw less of it: "
                         "draw(output, fold='layer'), fold='rolled', or steps=(first, last)")
    picture = with_gradients(picture)
    found = layout(picture)
    data = page_data(picture, found, store)
    return {
        "note": escape("; ".join(picture.captions)), "legend": key_svg(picture),
        "graph": graph_svg(picture, found), "data": json_text(data | {"blobs": store.blobs} if alone else data)}


def run(words: str, role: str) -> str:
    """Words in their ink."""
    return escape(words) if role in ("ink", "soft") else f'<b class="{role}">{escape(words)}</b>'


def filled(name: str, fields: Mapping[str, str], room: str = __package__) -> str:
    """A template of a room with its {{fields}} filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], asset(name, room))


def json_text(data: Any) -> str:
    """JSON that can not end the script that it stands in."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def asset(name: str, room: str = __package__) -> str:
    """A file of a room; without its indents, and a script without its lines of comment."""
    text = files(room).joinpath(name).read_text(encoding="utf-8")
    return re.sub(r"^[ \t]+(?=\S)", "", re.sub(r"^ *//.*\n", "", text, flags=re.M) if name.endswith(".js") else text, flags=re.M)


def digest(text: str) -> str:
    """The hash by which a content security policy knows a script or a style sheet."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def with_gradients(picture: Picture) -> Picture:
    """The picture as one pass from the output gives it, run or not: its gradients in the boxes, its gains on the arrows."""
    found = [box.gradient if box.of is None else picture.boxes[box.of].gradient for box in picture.boxes]
    boxes = [box if g is None else with_gradient(box, g) if box.of is None else box._replace(heat=heat(g))
             for box, g in zip(picture.boxes, found)]
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
    legend = picture._replace(note="")
    canvas = Canvas(max(1.0, key_width(legend) - 2 * MARGIN), key_height(legend, 0), "what the colours mean")
    with canvas.group("", "", -MARGIN):
        draw_key(canvas, legend, 0, 0)
    return canvas.element()
