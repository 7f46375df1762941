"""What happened to the gradient while the net learned?  A film as a map, training step by time step, and as a page, river after river.

A cell of the map has the colour of the kind of factor that took most in that link, or that of growth; its shade says how much, on one
scale for all films: none where nothing is lost, full where a link halves or doubles the gradient.
"""

import base64
import math
import struct
import zlib
from html import escape
from typing import Any

import numpy as np

from ..text.files import checked_path, save_whole
from ..text.numbers import number
from ..text.tables import evenly
from ..training.history import History
from .axes import at_edge, edges, name_axis, patches, words
from .colours import FALL, INKS, RISE, SPECIAL, ZERO
from .page import asset, document, dressed, filled
from .river import PARTS, River, river_of
from .river_picture import frame_of, river_picture
from .typography import power

MOST, FULL, BEND = 60, math.log(2), 0.6  # frames in a page; nats of a full shade, and how fast it comes
GROWN, ENDED = len(PARTS), len(PARTS) + 1  # what a cell says besides who took most
SHADES = [*(INKS[f"{ink}-mark"][0] for ink in PARTS.values()), RISE, SPECIAL[ZERO]]


def film(history: History, path: Any, about: str = "") -> Any:
    """Write history.film as a page of its own, .html: the river of each watched step, and a slider that moves it through training.

    about  what was run, in a few words.   The path. ValueError for a difference, without a watched step, or for another suffix
    """
    if not isinstance(history, History):
        raise TypeError(f"film draws the History that fit(..., watch=Every(50)) returns; got {type(history).__name__}")
    if any("difference" in frame for frame in history.film):
        raise ValueError("a difference of two runs is no river; plot(a - b, 'film') draws its map")
    place, rivers = checked_path(path, [".html"]), evenly(rivers_of(history, about), MOST)
    frame, last, script = frame_of(rivers, {}), rivers[-1], asset("page_film.js")
    found = f"what arrives at {last.names[0]} of the gradient at {last.names[-1]} goes from {power(rivers[0].logs[0])} to "
    found += power(last.logs[0])
    pictures = [river_picture(river, frame=frame._replace(links=len(river.nats))).element("") for river in rivers]
    fields = {"stills": "".join(f"<div{' hidden' * (k < len(rivers))}>{one}</div>" for k, one in enumerate(pictures, 1)), "script": script}
    fields |= {"found": escape(found), "last": str(len(rivers) - 1), "map": address(tints(rivers)[0])}
    body = filled("page_film.html", fields)
    save_whole(place, document(escape(f"In training, {found}"), body, [script], [dressed("page_film.css")], "img-src data:; ").encode())
    return place


def rivers_of(history: History, about: str = "") -> list[River]:
    """Each frame as a river, from the last state back."""
    if not history.film:
        raise ValueError("this History has no film; watch the training: fit(..., watch=Every(50))")
    return [river_of(frame, f"{about}{', ' * bool(about)}step {frame['step']}, loss {number(frame['loss'], 2)}"
                     + f", clipping hid {frame['clipped']:.1f} nats" * (frame["clipped"] > 0)) for frame in history.film]


def tints(rivers: list[River], grown: str = RISE) -> tuple[Any, set[int]]:
    """The map (links, frames, 4), source first: red, green, blue and how opaque; and what its cells say. Shorter chains end at the top."""
    high = max(len(river.nats) for river in rivers)
    nats, says = np.zeros((high, len(rivers))), np.zeros((high, len(rivers)), int)
    for j, river in enumerate(rivers):
        with np.errstate(invalid="ignore"):
            own, total = slice(high - len(river.nats), high), -np.diff(river.logs)
        nats[own, j], most = total, np.argmin([[row[part] for part in PARTS] for row in river.nats], axis=1)
        says[own, j] = np.where(np.isfinite(total), np.where(total > 0, GROWN, most), ENDED)
    hues = np.array([[int((grown if k == GROWN else shade)[c : c + 2], 16) / 255 for c in (1, 3, 5)] for k, shade in enumerate(SHADES)])
    opaque = np.minimum(np.where(says == ENDED, 1.0, np.abs(nats) / FULL), 1.0) ** BEND
    return np.concatenate([hues[says], opaque[..., None]], axis=-1), set(says.ravel().tolist())


def film_map(ax: Any, history: History) -> None:
    """Each link at each watched step: the colour of who took most, the shade of how much; of a difference, of who takes more."""
    rivers, frames = rivers_of(history), history.film
    x, two = np.array([frame["step"] for frame in frames]), "difference" in frames[0]
    names, grown = max((river.names for river in rivers), key=len), FALL if two else RISE
    cells, said = tints(rivers, grown)
    ax.pcolormesh(edges(x), np.arange(len(names)), cells, rasterized=True)
    name_axis(ax.yaxis, names)
    cut = x[[frame["clipped"] > 0 for frame in frames]]
    at_edge(ax, cut, (1.0, "v"), SPECIAL[ZERO], "")
    takes = f"who takes {'more than in the other run' if two else 'the gradient'}{' (▼ clipped)' * bool(len(cut))}"
    words(ax, f"From {names[-1]} back to {names[0]}: {takes}", "step", "station")
    grey, more = [part for k, part in enumerate(PARTS) if k in said and PARTS[part] == "rest"], " take more" if two else " take most"
    called = [f"{', '.join(grey) if ink == 'rest' else part}{more}" for part, ink in PARTS.items()]
    called += ["less is taken" if two else "it grows", "0 or not finite"]
    shades = {called[k]: grown if k == GROWN else SHADES[k] for k in sorted(said)}
    patches(ax, shades, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)


def address(tints: Any) -> str:
    """A map as the address of a PNG, the last link above."""
    high, wide = tints.shape[:2]
    rows = np.round(255 * tints[::-1]).astype("u1").reshape(high, -1)
    data = struct.pack(">IIBBBBB", wide, high, 8, 6, 0, 0, 0), zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)), b""
    chunks = [(len(x), kind + x) for kind, x in zip((b"IHDR", b"IDAT", b"IEND"), data)]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", n) + x + struct.pack(">I", zlib.crc32(x)) for n, x in chunks)
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
