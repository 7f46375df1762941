"""What does the page know?  Boxes, arrows with their linear maps, and the chain, as plain JSON; arrays as base64, each once.

The page multiplies by the engine's own maps, so they travel with it: one number, a diagonal, or the entries of a matrix. The
budget is in numbers; maps between computed nodes come first, and what exceeds it is left out and said to be left out.

    blob  an array, base64 of its little-endian bytes (float64, or int32 for indices), known by its place in a list
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import numpy as np

from ..autodiff.maps import Diagonal, LinearMap
from . import colours
from .columns import Place, Points
from .elements import Arrow, Box, Picture, number

BUDGET = 300_000  # numbers in maps, and as many again in values and gradients
LARGEST_ARRAY, LARGEST_MATRIX = 4_096, 250_000
WORD = re.compile(r"[^\W\d]\w*(?:\.\w+)*(?:\[[\d,]+\])?(?![\w(])")  # a letter or a name in a formula, but no function


class Store:
    """Blobs within a budget for each kind of use; equal ones are kept, and counted, once."""

    def __init__(self, budget: int):
        self.left = {"maps": budget, "arrays": budget}
        self.blobs: list[str] = []
        self.place: dict[tuple[str, bytes], int] = {}

    def add(self, use: str, *arrays: np.ndarray) -> list[int] | None:
        """The places of these arrays; None if they no longer fit."""
        keys = [(a.dtype.str, a.tobytes()) for a in arrays]
        size = sum(a.size for a, key in zip(arrays, keys) if key not in self.place)
        if size > self.left[use]:
            return None
        self.left[use] -= size
        for key in keys:
            if key not in self.place:
                self.place[key] = len(self.blobs)
                self.blobs.append(base64.b64encode(key[1]).decode())
        return [self.place[key] for key in keys]


def page_data(picture: Picture, places: list[Place], ways: list[Points], budget: int = BUDGET) -> dict[str, Any]:
    """The picture for the page; the same picture gives the same data."""
    store = Store(budget)
    looks = {name: getattr(colours, name) for name in ("BLUE", "WHITE", "RED", "GREY", "DARK", "PALE", "SPECIAL", "ARROW_SPAN")}
    return {
        "boxes": [box_data(box, place, store) for box, place in zip(picture.boxes, places)],
        "arrows": arrows_data(picture, ways, store),
        "groups": [{"label": group.label, "boxes": list(group.boxes)} for group in picture.groups],
        "looks": looks | {"span": colours.span_of(box.heat for box in picture.boxes)},
        "blobs": store.blobs,
    }


def arrows_data(picture: Picture, ways: list[Points], store: Store) -> list[dict[str, Any]]:
    """Every arrow; the maps between computed nodes are stored first, those from leaves if there is room."""
    arrows, operands = picture.arrows, dict[int, list[Box]]()
    for arrow in arrows:
        box = picture.boxes[arrow.tail]
        operands.setdefault(arrow.head, []).append(box if box.of is None else picture.boxes[box.of])
    carried: dict[int, Any] = {}
    for k in sorted(range(len(arrows)), key=lambda k: aside(picture, arrows[k])):
        carried[k] = map_data(arrows[k].local, store)
    return [
        arrow_data(arrow, picture.boxes[arrow.head], operands[arrow.head])
        | {"map": carried[k], "size": None if carried[k] else contribution(arrow, picture), "way": [round(z, 1) for p in ways[k] for z in p]}
        for k, arrow in enumerate(arrows)
    ]


def aside(picture: Picture, arrow: Arrow) -> bool:
    """Whether an arrow comes from a leaf: its map is needed only for the leaf's own gradient."""
    return picture.boxes[arrow.tail].kind in ("leaf", "alias", "constant")


def box_data(box: Box, place: Place, store: Store) -> dict[str, Any]:
    name, op = parted(box)
    return {
        "name": name, "op": op, "kind": box.kind, "lines": list(box.lines), "tooltip": box.tooltip, "of": box.of, "nodes": box.nodes,
        "shape": list(np.shape(box.value if box.value is not None else box.gradient)),
        "value": array_data(box.value, store), "gradient": array_data(box.gradient, store), "place": [round(x, 1) for x in place],
    }  # fmt: skip


def parted(box: Box) -> tuple[str, str]:
    """Name and op of a title: `h[3] = tanh` is ("h[3]", "tanh"); what has no name goes by its op."""
    if box.kind in ("node", "output"):
        name, _, op = box.name.rpartition(" = ")
        return name or op, op
    return box.name or " ".join(box.lines), {"folded": "several nodes"}.get(box.kind, box.kind)


def array_data(x: Any, store: Store) -> Any:
    """A number as itself; an array as {"blob"}, or {"left_out"} where it is too large; both with the norm; None as None."""
    if x is None or np.shape(x) == ():
        return None if x is None else plain(float(x))
    a = np.asarray(x, dtype=float)
    found = store.add("arrays", a.astype("<f8")) if a.size <= LARGEST_ARRAY else None
    return {"blob": found[0], "shape": list(a.shape)} if found else {"left_out": a.size, "norm": plain(size_of(a)), "shape": list(a.shape)}


def plain(x: float) -> Any:
    """A JSON number; nan and the infinities as text, the way JavaScript writes them."""
    return x if math.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def size_of(x: Any) -> float:
    """√Σx², nan if there is one."""
    a = np.asarray(x, dtype=float).ravel()
    top = float(np.max(np.abs(a), initial=0.0))
    return top * float(np.linalg.norm(a / top)) if 0 < top < math.inf else top


def map_data(local: LinearMap | None, store: Store) -> dict[str, Any] | None:
    """A linear map: {"kind": "scale" (x times), "diagonal", "dense" or "sparse"}, `rows` × `columns`; None if it is not carried."""
    if local is None:
        return None
    rows, columns = math.prod(local.shape_out), math.prod(local.shape_in)
    ends = {"rows": rows, "columns": columns}
    with np.errstate(all="ignore"):
        if rows == columns == 1:
            return ends | {"kind": "scale", "x": plain(float(local))}
        if isinstance(local, Diagonal) and rows:
            entries = diagonal(np.broadcast_to(np.asarray(local.d, "<f8"), local.shape_in).ravel(), store)
            return entries and ends | entries
        if not 0 < rows * columns <= LARGEST_MATRIX or store.left["maps"] <= 0:
            return None
        try:
            matrix = np.ascontiguousarray(local.dense(), dtype="<f8")
        except (TypeError, ValueError):  # a map of the user's own without push, or too large
            return None
    entries = matrix_data(matrix, store)
    return entries and ends | entries


def diagonal(d: np.ndarray, store: Store) -> dict[str, Any] | None:
    """A diagonal; one number if all its entries are equal, as in sums and identities."""
    if np.all(d == d[0]):
        return {"kind": "scale", "x": plain(float(d[0]))}
    found = store.add("maps", d)
    return {"kind": "diagonal", "d": found[0]} if found else None


def matrix_data(matrix: np.ndarray, store: Store) -> dict[str, Any] | None:
    """All entries, or those that are not zero with their places, whichever is less."""
    flat = matrix.ravel()
    index = np.flatnonzero(flat)
    if 2 * index.size < flat.size:
        found = store.add("maps", index.astype("<i4"), flat[index])
        return {"kind": "sparse", "index": found[0], "d": found[1]} if found else None
    found = store.add("maps", flat)
    return {"kind": "dense", "d": found[0]} if found else None


def contribution(arrow: Arrow, picture: Picture) -> Any:
    """|Jᵀ g|, for an arrow whose map is not in the page; None where there is no g."""
    g = picture.boxes[arrow.head].gradient
    if arrow.local is None or g is None:
        return None
    with np.errstate(all="ignore"):
        return plain(size_of(arrow.local.pull(g)))


def arrow_data(arrow: Arrow, head: Box, operands: list[Box]) -> dict[str, Any]:
    """Formula, and for Scalars the formula with numbers in it, beside what is drawn."""
    text = ""
    if arrow.local is not None:
        text = arrow.tooltip.partition("\n")[0].removeprefix("∂child/∂parent = ")
        if not arrow.local.shape_in and not arrow.local.shape_out:
            text = text.removesuffix(f" = {number(float(arrow.local), 17)}")
    return {
        "tail": arrow.tail, "head": arrow.head, "lines": list(arrow.lines), "tooltip": arrow.tooltip, "count": arrow.count,
        "loop": arrow.loop, "formula": text, "numbers": substituted(text, head, operands),
    }  # fmt: skip


def substituted(formula: str, head: Box, operands: list[Box]) -> str:
    """The formula with this graph's numbers for its letters: `1 - y * y` is `1 - 0.42 * 0.42`. Scalars only, else nothing."""
    if not formula or any(np.shape(box.value) or box.value is None for box in (head, *operands)):
        return ""
    known = dict(zip("ab", operands)) | {"y": head} | {parted(box)[0]: box for box in [*operands, head] if box.kind != "constant"}
    return WORD.sub(lambda word: figure(known[word[0]].value) if word[0] in known else word[0], formula)


def figure(x: float) -> str:
    """A number in a formula; a negative one in brackets."""
    return f"({number(x)})" if x < 0 else number(x)
