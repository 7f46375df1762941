"""How does an array or a linear map travel to the page?  As base64, each once, within a budget of numbers.

A map is one number, a diagonal, or the entries of its matrix, all or those that are not zero, whichever is less.

    blob  an array's little-endian bytes (float64, or int32 for indices), known by its place in a list
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from ..autodiff.maps import Diagonal, LinearMap
from ..chain.factors import norm

LARGEST_ARRAY, LARGEST_MATRIX = 4_096, 250_000


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


def map_data(local: LinearMap | None, store: Store) -> dict[str, Any] | None:
    """A linear map: {"kind": "scale" (x times), "diagonal", "dense" or "sparse"}, `rows` × `columns`; None if it is not carried."""
    if local is None:
        return None
    entries: dict[str, Any] | None
    rows, columns = math.prod(local.shape_out), math.prod(local.shape_in)
    with np.errstate(all="ignore"):
        if rows == columns == 1:
            entries = scale(float(local))
        elif isinstance(local, Diagonal) and rows:
            d = np.broadcast_to(np.asarray(local.d, "<f8"), local.shape_in).ravel()  # of sums and identities one number, again and again
            entries = scale(float(d[0])) if np.all(d == d[0]) else kept(store, "diagonal", d=d)
        elif not 0 < rows * columns <= LARGEST_MATRIX or store.left["maps"] <= 0:
            return None
        else:
            try:
                entries = matrix_data(np.ascontiguousarray(local.dense(), dtype="<f8").ravel(), store)
            except (TypeError, ValueError):  # a map of the user's own without push, or too large
                return None
    return entries and {"rows": rows, "columns": columns} | entries


def scale(x: float) -> dict[str, Any]:
    return {"kind": "scale", "x": js_number(x)}


def matrix_data(entries: np.ndarray, store: Store) -> dict[str, Any] | None:
    """All entries, or those that are not zero with their places, whichever is less."""
    index = np.flatnonzero(entries)
    if 2 * index.size < entries.size:
        return kept(store, "sparse", index=index.astype("<i4"), d=entries[index])
    return kept(store, "dense", d=entries)


def kept(store: Store, kind: str, **arrays: np.ndarray) -> dict[str, Any] | None:
    found = store.add("maps", *arrays.values())
    return {"kind": kind, **dict(zip(arrays, found))} if found else None
