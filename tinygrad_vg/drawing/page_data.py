"""What does the page know?  Boxes, arrows with their linear maps, and the chain, as plain JSON; arrays as base64, each once.

The page multiplies by the engine's own maps, so they travel with it. The budget is in numbers; maps between computed nodes come
first, and what exceeds it is left out and said to be left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import colours
from .columns import Place, Points
from .elements import Arrow, Box, Picture, norm, value
from .page_maps import Store, array_data, js_number, map_data

LOOKS = ("BLUE", "WHITE", "RED", "FALL", "RISE", "GREY", "DARK", "PALE", "SPECIAL", "BLAME", "ARROW_SPAN")
BUDGET = 300_000  # numbers in maps, and as many again in values and gradients


def page_data(picture: Picture, places: list[Place], ways: list[Points], budget: int = BUDGET) -> dict[str, Any]:
    """The picture for the page; the same picture gives the same data."""
    store = Store(budget)
    looks = {name: getattr(colours, name) for name in LOOKS}
    return {
        "boxes": [box_data(box, place, store) for box, place in zip(picture.boxes, places)],
        "arrows": arrows_data(picture, ways, store),
        "groups": [{"label": group.label, "boxes": list(group.boxes)} for group in picture.groups],
        "looks": looks | {"span": colours.span_of(box.heat for box in picture.boxes)},
        "blobs": store.blobs,
    }


def arrows_data(picture: Picture, ways: list[Points], store: Store) -> list[dict[str, Any]]:
    """Every arrow; the maps between computed nodes are stored first, those from leaves if there is room."""
    arrows, carried = picture.arrows, dict[int, Any]()
    for k in sorted(range(len(arrows)), key=lambda k: aside(picture, arrows[k])):
        carried[k] = map_data(arrows[k].local, store)
    return [
        arrow_data(arrow)
        | {"map": carried[k], "size": None if carried[k] else contribution(arrow, picture)}
        | {"way": [round(z, 1) for point in ways[k] for z in point]}
        for k, arrow in enumerate(arrows)
    ]


def aside(picture: Picture, arrow: Arrow) -> bool:
    """Whether an arrow comes from a leaf: its map is needed only for the leaf's own gradient."""
    return picture.boxes[arrow.tail].kind in ("leaf", "alias", "constant")


def box_data(box: Box, place: Place, store: Store) -> dict[str, Any]:
    return {
        "name": box.name, "op": box.op, "title": box.title, "kind": box.kind, "lines": list(box.lines), "tooltip": box.tooltip,
        "of": box.of, "uses": list(box.uses), "nodes": box.nodes,
        "shape": list(np.shape(box.value if box.value is not None else box.gradient)),
        "value": array_data(box.value, store), "gradient": array_data(box.gradient, store),
        "grad": None if box.grad is None else value(box.grad, 17), "place": [round(x, 1) for x in place],
    }  # fmt: skip


def contribution(arrow: Arrow, picture: Picture) -> Any:
    """|Jᵀ g|, for an arrow whose map is not in the page; None where there is no g."""
    g = picture.boxes[arrow.head].gradient
    if arrow.local is None or g is None:
        return None
    with np.errstate(all="ignore"):
        return js_number(norm(arrow.local.pull(g)))


def arrow_data(arrow: Arrow) -> dict[str, Any]:
    """Formula, and for Scalars the formula with numbers in it, beside what is drawn."""
    formula = arrow.formula if arrow.local is not None else ""
    return {
        "tail": arrow.tail, "head": arrow.head, "lines": list(arrow.lines), "tooltip": arrow.tooltip, "count": arrow.count,
        "loop": arrow.loop, "formula": formula, "numbers": arrow.numbers,
    }  # fmt: skip
