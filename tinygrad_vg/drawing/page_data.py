"""What does the page know?  Boxes, arrows with their linear maps, and the chain, as plain JSON; arrays as base64, each once.

The page multiplies by the engine's own maps, so they travel with it. The budget is in numbers; maps between computed nodes come
first, and what exceeds it is left out and said to be left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..chain import Chain
from ..chain.blame_table import ROUNDING
from ..chain.table import typical_and_worst
from ..text.lines import clean
from . import colours
from .columns import Place, Points
from .elements import Arrow, Box, Picture, label_of, norm, value
from .page_maps import Store, array_data, js_number, map_data

LOOKS = ("BLUE", "WHITE", "RED", "FALL", "RISE", "GREY", "DARK", "PALE", "SPECIAL", "BLAME", "ARROW_SPAN")
OF_BOX = ("name", "op", "title", "kind", "lines", "tooltip", "of", "uses", "nodes")
OF_ARROW = ("tail", "head", "lines", "tooltip", "count", "loop")
Data = dict[str, Any]
BUDGET = 300_000  # numbers in maps, and as many again in values and gradients
MOST = 2_000  # links


def page_data(picture: Picture, places: list[Place], ways: list[Points], budget: int = BUDGET, *, chain: Chain | None = None) -> Data:
    """The picture, and a chain of its graph, for the page; the same picture gives the same data."""
    store = Store(budget)
    return {
        "boxes": [box_data(box, place, store) for box, place in zip(picture.boxes, places)],
        "arrows": arrows_data(picture, ways, store),
        "groups": [group._asdict() for group in picture.groups],
        "looks": {name: getattr(colours, name) for name in LOOKS} | {"span": picture.span},
        "blobs": store.blobs,
        "chain": None if chain is None else chain_data(chain, picture),
    }


def box_data(box: Box, place: Place, store: Store) -> Data:
    return {name: getattr(box, name) for name in OF_BOX} | {
        "shape": np.shape(box.gradient if box.value is None else box.value),
        "value": array_data(box.value, store),
        "gradient": array_data(box.gradient, store),
        "grad": None if box.grad is None else value(box.grad, 17),
        "place": [round(x, 1) for x in place],
    }


def arrows_data(picture: Picture, ways: list[Points], store: Store) -> list[Data]:
    """Every arrow; the maps between computed nodes are stored first, those from leaves, for a leaf's own gradient, if there is room."""
    arrows, kinds = picture.arrows, [picture.boxes[arrow.tail].kind for arrow in picture.arrows]
    order = sorted(range(len(arrows)), key=lambda k: kinds[k] in ("leaf", "alias", "constant"))
    carried = {k: map_data(arrows[k].local, store) for k in order}
    return [
        {name: getattr(arrow, name) for name in OF_ARROW}
        | {"formula": "" if arrow.local is None else arrow.formula, "numbers": arrow.numbers}
        | {"map": carried[k], "size": None if carried[k] else contribution(arrow, picture)}
        | {"way": [round(z, 1) for point in ways[k] for z in point]}
        for k, arrow in enumerate(arrows)
    ]


def contribution(arrow: Arrow, picture: Picture) -> Any:
    """|Jᵀ g|, for an arrow whose map is not in the page; None where there is no g."""
    g = picture.boxes[arrow.head].gradient
    if arrow.local is None or g is None:
        return None
    with np.errstate(all="ignore"):
        return js_number(norm(arrow.local.pull(g)))


def chain_data(chain: Chain, picture: Picture) -> Data:
    """The chain tab: a row per link, from the output back, each with the number of the box that holds the very value of its start."""
    place = {(id(box.value), box.name): i for i, box in reversed(list(enumerate(picture.boxes))) if box.kind != "constant"}
    rows = [
        {
            "link": clean(link.name), "factor": clean(link.factor), "gain": js_number(link.gain), "log10": js_number(log / math.log(10)),
            "box": place.get((id(start.data), label_of(start))), "wide": typical_and_worst(link) if len(chain.links) <= 100 else ("", ""),
        }
        for link, log, (start, *_) in zip(chain.links, chain.log_product, chain.stations)
    ]  # fmt: skip
    return {"rows": rows[::-1][:MOST], "blame": blame_data(chain), "ends": [clean(chain.names[-1]), clean(chain.names[0])]}


def blame_data(chain: Chain) -> Data:
    """The sentence, and the nats of each link by kind; kinds that did nothing are left out."""
    with np.errstate(all="ignore"):
        blame = chain.blame()
    kinds = [kind for kind in blame.parts if any(abs(row["parts"][kind]) > ROUNDING for row in blame.by_link)]
    rows = [{"link": clean(row["link"]), "parts": [js_number(row["parts"][kind]) for kind in kinds]} for row in blame.by_link[::-1]]
    return {"sentence": clean(blame.sentence), "kinds": kinds, "rows": rows[:MOST], "sum": [js_number(blame.parts[kind]) for kind in kinds]}
