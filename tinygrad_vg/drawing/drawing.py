"""What does the graph look like?  draw(output) takes its picture; the Drawing can be shown, saved, or read as DOT."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..autodiff.core import Node, describe, history
from ..chain import Chain
from ..text.files import checked_path, save_whole
from .beside import matched
from .canvas import Canvas, sheet
from .dot import dot_text
from .elements import Picture, counted
from .graph import canvas_of
from .notebook import shown
from .page import page_html
from .river import River, river
from .river_picture import frame_of, river_picture
from .sketch import picture

LIMIT = 5_000
LONGEST_SIDE = 16_000  # dots of a PNG; a larger picture has fewer dots per inch than the 144 of others
FORMATS = (".dot", ".svg", ".png", ".pdf", ".html")


def draw(
    output: Node | Chain, fold: str | None = "auto", *, steps: tuple[int, int] | None = None, chain: Chain | None = None,
    read: Iterable[Any] | None = None, about: str = "", beside: Mapping[str, Chain] | None = None, losses: Iterable[Node] = (),
    axis_of: Iterable[Chain] = (), direction: str = "right", limit: int = LIMIT,
) -> Drawing:
    """The graph `output` was computed from, as a Drawing: values in the boxes, local derivatives on the arrows.

    Of a Chain, the river: how much of the gradient arrives at each station, and which factors did it, as a picture of 1280 × 720;
    its page opens on the river, and the graph is the second view.

    fold        None: every node its own box; "layer": one box for each step or layer; "states": the same with names and gradients only,
                and one box for all that comes after, for a slide; "rolled": all steps drawn as one, with a loop;
                "auto": None up to 300 boxes, above that rolled where steps share weights, else by layer
    steps       (first, last): these steps in full, and a box for what comes before and for what comes after
    chain       a Chain of this graph: the page (.html) opens on its river
    read        of a river: what was read on the way to each station but the first, oldest first; a text, or a list
    about       what was run, in a few words: the title of a graph, below that of a river
    beside      of a river: {name: chain} to compare with, itself among them to give it a name; lines in the picture, whose title
                compares them, on the page to choose from; chains cut at every op meet at the names that all share
    axis_of     of a river: the chains of a series of pictures, so that all of these have one axis: give each the same
    losses      of a river: the loss at each step; on the page, point at what was read: which earlier steps reach its prediction?
    direction   "right" or "down": where the forward pass runs to; on a page always to the right
    limit       the most boxes to draw

    Steps and layers are read off the names' indices: h[3] belongs to step 3. The picture shows the gradients that a backward pass
    has left, and none where there was none. The page shows those of a pass from the output: draw runs one for it, which touches no
    .grad. The Drawing is of this moment: what is computed or assigned later does not change it.

    TypeError if output is not a Scalar, Tensor or Chain or chain not a Chain, and for what belongs to a river of a graph, or the reverse;
    ValueError above the limit, for a limit that is not positive, for a fold, steps or a direction that do not exist, for names that
    speak of no steps where it is to be folded, for the chain of another graph, and for chains beside that share no names.
    """
    if not isinstance(limit, (int, np.integer)) or limit < 1:
        raise ValueError(f"limit is the most boxes to draw, a whole number from 1 on, got {limit!r}")
    if direction not in ("right", "down"):
        raise ValueError(f"direction is 'right' or 'down', where the forward pass runs to; got {direction!r}")
    if isinstance(output, Chain):
        if chain is not None or direction != "right":
            raise TypeError("chain and direction belong to a graph: draw(chain.output, …); a river runs to the right. To compare, beside=…")
        return RiverDrawing(picture(output.output, limit, fold, steps), output, read, about, beside or {}, losses, axis_of)
    if read is not None or beside or losses or axis_of:
        belong = "read, beside, losses and axis_of belong to a river"
        raise TypeError(f"{belong}: draw(Chain({describe(output)}, …), …); got the output alone")
    if chain is not None and not isinstance(chain, Chain):
        raise TypeError(f"chain is a Chain to show beside the graph, got {type(chain).__name__}")
    if chain is not None and chain.output not in set(history(output)):
        raise ValueError(f"the chain starts at {describe(chain.output)}, which is no part of the graph of {describe(output)}; draw that")
    return Drawing(picture(output, limit, fold, steps), chain, describe(output), direction, about)


class Drawing:
    """A picture of a graph, as draw() returns it. In a notebook it shows itself.

    .dot   the text in the DOT language            .svg  the picture as SVG text
    .html  a page that steps through the passes    .save(path)  as .dot, .svg, .png, .pdf or .html
    """

    def __init__(self, picture: Picture, chain: Chain | None = None, title: str = "graph", direction: str = "right", about: str = ""):
        self.picture, self.chain, self.title, self.direction, self.about = picture, chain, about or title, direction, about

    @cached_property
    def rivers(self) -> dict[str, River]:
        """What the page opens on: the river of the chain, if there is one."""
        return {"": river(self.chain, None, self.about)} if self.chain is not None else {}

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text: the same graph gives the same text."""
        return dot_text(self.picture)

    @cached_property
    def canvas(self) -> Canvas:
        """Everything laid out and drawn, ready to become SVG, PNG or PDF."""
        return canvas_of(self.picture, self.direction == "down", self.title, self.about)

    @cached_property
    def svg(self) -> str:
        """The picture as the text of an SVG file, light or dark with who looks at it."""
        return self.canvas.svg + "\n"

    @cached_property
    def html(self) -> str:
        """The page: one self-contained HTML document that steps through the forward and the backward pass.

        ValueError above 3,000 boxes.
        """
        return page_html(self.picture, self.rivers, self.title)

    def save(self, path: str | os.PathLike[str], theme: str = "") -> Path:
        """Write the picture, in the format its suffix names, and return the path. The file is complete or untouched.

        theme  "light" or "dark": of .svg, .png and .pdf. Without one an SVG is as who looks at it, PNG and PDF are light

        ValueError for another theme, or one for a page or DOT, and for a suffix other than .dot .svg .png .pdf .html; IsADirectoryError
        for a folder, FileNotFoundError if the folder is missing; for .png and .pdf ImportError without matplotlib; for .html ValueError
        above 3,000 boxes.
        """
        place = checked_path(path, FORMATS)
        if theme and (theme not in ("light", "dark") or place.suffix.lower() in (".dot", ".html")):
            raise ValueError(f"theme is 'light' or 'dark', of .svg, .png or .pdf; a page is as who looks at it; got {theme!r}")
        save_whole(place, self.rendered(place.suffix.lower()[1:], theme))
        return place

    def rendered(self, format: str, theme: str = "") -> bytes:
        """The content of a file of that format."""
        if format in ("dot", "svg", "html"):
            return getattr(self, format).replace(f"<style>{sheet()}", f"<style>{sheet(theme)}").encode()
        longest = max(self.canvas.wide, self.canvas.high)
        return self.canvas.rendered(format, min(144, int(72 * LONGEST_SIDE / longest)), theme == "dark")

    def _repr_mimebundle_(self, include: Container[str] | None = None, exclude: Container[str] | None = None) -> dict[str, Any]:
        """What a notebook shows; never raises."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle |= shown(self.svg, lambda: self.rendered("png"), bundle["text/plain"])
        except Exception as error:
            bundle["text/plain"] += f", not shown: {error}"
        return {kind: part for kind, part in bundle.items() if (include is None or kind in include) and kind not in (exclude or ())}

    @property
    def size(self) -> str:
        """How much is drawn, in words: `24 boxes, 20 arrows`."""
        return f"{counted(len(self.picture.boxes), 'box')}, {counted(len(self.picture.arrows), 'arrow')}"

    def __repr__(self) -> str:
        return f"Drawing({self.size})"


class RiverDrawing(Drawing):
    """The picture of a chain as a river, as draw(chain) returns it, with the same names as a Drawing; .dot is that of the graph."""

    def __init__(
        self, picture: Picture, chain: Chain, read: Any, about: str, beside: Mapping[str, Chain], losses: Iterable[Node],
        axis_of: Iterable[Chain],
    ):
        super().__init__(picture, chain, describe(chain.output))
        heard, others = None if read is None else list(read), {name: other for name, other in beside.items() if other is not chain}
        series = [*axis_of]
        if "" in others or not all(isinstance(one, Chain) for one in (*others.values(), *series)):
            raise TypeError("beside is {name: a Chain to compare with}, each with a name, and axis_of some Chains")
        self.label = next((name for name, other in beside.items() if other is chain), "")
        told = f" in place of {self.label}" if self.label else ""
        found = {name: river(other, heard, f"{name}{told}") for name, other in others.items()}
        self.rivers = matched({self.label: river(chain, heard, about, losses)} | found)
        self.river, self.beside = self.rivers[self.label], {name: one for name, one in self.rivers.items() if name != self.label}
        self.frame = frame_of([self.river, *map(river, series)], self.beside)

    @cached_property
    def canvas(self) -> Canvas:
        """The river as shapes on a Canvas, drawn when first asked for."""
        return river_picture(self.river, self.beside, self.frame, self.label)

    def __repr__(self) -> str:
        return f"Drawing({self.canvas.title})"
