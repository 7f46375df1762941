"""What does the page know?  Boxes, and arrows with their linear maps, as plain JSON; arrays as base64, each once.

The page multiplies by the engine's own maps, so they travel with it. The budget is in numbers; maps between computed nodes come
first, and what exceeds it is left out and said to be left out.

A map is one number, a diagonal, or the entries of its matrix, all or those that are not zero, whichever is less.

    blob  an array's little-endian bytes (float64, or int32 for indices), known by its place in a list
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from ..autodiff.maps import Diagonal, LinearMap
from . import colours
from .elements import Arrow, Box, Picture, norm, value
from .layout import Layout, Place

LOOKS = ("BLUE", "WHITE", "RED", "NAVY", "MAROON", "FALL", "RISE", "GREY", "DARK", "PALE", "SPECIAL", "ARROW_SPAN", "DECADES")
OF_BOX = ("name", "op", "title", "kind", "lines", "of", "uses", "nodes")
OF_ARROW = ("tail", "head", "lines", "count", "loop")
Data = dict[str, Any]
BUDGET = 300_000  # numbers in maps, and as many again in values and gradients
LARGEST_ARRAY, LARGEST_MATRIX = 4_096, 250_000


def page_data(picture: Picture, found: Layout, store: Store) -> Data:
    """The picture for the page; the same picture gives the same data."""
    return {
        "boxes": [box_data(box, place, k, store) for box, place, k in zip(picture.boxes, found.places, found.band)],
        "arrows": arrows_data(picture, found, store),
        "groups": [group._asdict() for group in picture.groups],
        "looks": {name: getattr(colours, name) for name in LOOKS}}


def box_data(box: Box, place: Place, band: int, store: Store) -> Data:
    """What the page's script is told of a box: its arrays through the store, its place rounded to 0.1 pixels."""
    return {name: getattr(box, name) for name in OF_BOX} | {
        "shape": np.shape(box.gradient if box.value is None else box.value),
        "value": array_data(box.value, store),
        "gradient": array_data(box.gradient, store),
        "grad": None if box.grad is None else value(box.grad, 17),
        "place": [round(x, 1) for x in place], "band": band}


def arrows_data(picture: Picture, found: Layout, store: Store) -> list[Data]:
    """Every arrow; the maps between computed nodes are stored first, those from leaves, for a leaf's own gradient, if there is room."""
    arrows, kinds = picture.arrows, [picture.boxes[arrow.tail].kind for arrow in picture.arrows]
    order = sorted(range(len(arrows)), key=lambda k: kinds[k] in ("leaf", "alias", "constant"))
    carried = {k: map_data(arrows[k].local, store) for k in order}
    return [{name: getattr(arrow, name) for name in OF_ARROW}
        | {"formula": "" if arrow.local is None else arrow.formula, "numbers": arrow.numbers}
        | {"map": carried[k], "size": None if carried[k] else contribution(arrow, picture)}
        | {"way": [round(z, 1) for point in found.ways[k] for z in point], "square": found.square[k]}
        | {"label": [round(z, 1) for z in found.labels[k]]} for k, arrow in enumerate(arrows)]


def contribution(arrow: Arrow, picture: Picture) -> Any:
    """|Jᵀ g|, for an arrow whose map is not in the page; None where there is no g."""
    g = picture.boxes[arrow.head].gradient
    if arrow.local is None or g is None:
        return None
    with np.errstate(all="ignore"):
        return js_number(norm(arrow.local.pull(g)))


class Store:
    """Blobs within a budget for each kind of use; equal ones are kept, and counted, once."""

    def __init__(self, budget: int):
        self.left = {"maps": budget, "arrays": budget}
        self.place: dict[tuple[str, bytes], int] = {}

    @property
    def planes(self) -> list[bytes]:
        """Every array: the first bytes of all its numbers, then the second bytes, …: so they pack better."""
        return [np.frombuffer(data, "u1").reshape(-1, int(kind[2:])).T.tobytes() for kind, data in self.place]

    @property
    def blobs(self) -> list[str]:
        """The planes as text."""
        return [base64.b64encode(plane).decode() for plane in self.planes]

    def add(self, use: str, *arrays: np.ndarray) -> list[int] | None:
        """The places of these arrays; None if they no longer fit."""
        keys = [(a.dtype.str, a.tobytes()) for a in arrays]
        size = sum(a.size for a, key in zip(arrays, keys) if key not in self.place)
        if size > self.left[use]:
            return None
        self.left[use] -= size
        return [self.place.setdefault(key, len(self.place)) for key in keys]


def array_data(x: Any, store: Store) -> Any:
    """A number as itself; an array as {"blob"}, or {"left_out"} where it is too large, with its norm; None as None."""
    if x is None or np.shape(x) == ():
        return None if x is None else js_number(float(x))
    a = np.asarray(x, dtype=float)
    found = store.add("arrays", a.astype("<f8")) if a.size <= LARGEST_ARRAY else None
    return {"blob": found[0], "shape": list(a.shape)} if found else {"left_out": a.size, "norm": js_number(norm(a)), "shape": list(a.shape)}


def js_number(x: float) -> Any:
    """A JSON number; nan and the infinities as text, the way JavaScript writes them."""
    return x if math.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"


def map_data(local: LinearMap | None, store: Store) -> Data | None:
    """A linear map: {"kind": "scale" (x times), "diagonal", "dense" or "sparse"}, `rows` × `columns`; None if it is not carried."""
    if local is None:
        return None
    entries: Data | None
    rows, columns = math.prod(local.shape_out), math.prod(local.shape_in)
    with np.errstate(all="ignore"):
        if rows == columns == 1:
            entries = {"kind": "scale", "x": js_number(float(local))}
        elif isinstance(local, Diagonal) and rows:
            d = np.broadcast_to(np.asarray(local.d, "<f8"), local.shape_in).ravel()
            same = np.all(d == d[0])  # as in sums and identities
            entries = {"kind": "scale", "x": js_number(float(d[0]))} if same else kept(store, "diagonal", d=d)
        elif not 0 < rows * columns <= LARGEST_MATRIX or store.left["maps"] <= 0:
            return None
        else:
            try:
                entries = matrix_data(np.ascontiguousarray(local.dense(), dtype="<f8").ravel(), store)
            except (TypeError, ValueError):  # a map of the user's own without push, or too large
                return None
    return entries and {"rows": rows, "columns": columns} | entries


def matrix_data(entries: np.ndarray, store: Store) -> Data | None:
    """All entries, or those that are not zero with their places, whichever is less."""
    index = np.flatnonzero(entries)
    if 2 * index.size < entries.size:
        return kept(store, "sparse", index=index.astype("<i4"), d=entries[index])
    return kept(store, "dense", d=entries)


def kept(store: Store, kind: str, **arrays: np.ndarray) -> Data | None:
    """Arrays for a map of this kind, in the store; None if they are too large for it."""
    found = store.add("maps", *arrays.values())
    return {"kind": kind, **dict(zip(arrays, found))} if found else None
