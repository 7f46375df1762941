"""What does the graph look like?  draw(output) takes its picture; the Drawing can be shown, saved, or read as DOT."""

from __future__ import annotations

import os
import warnings
from collections.abc import Container
from functools import cached_property
from pathlib import Path
from typing import Any

from ..autodiff.node import Node
from ..nn.saving import checked_path, save_whole
from .columns import columns_svg
from .dot import dot_text
from .elements import Picture, picture
from .render import engine, render

LIMIT, TIME_LIMIT = 5_000, 20.0


def draw(output: Node, *, limit: int = LIMIT, time_limit: float = TIME_LIMIT) -> Drawing:
    """The graph `output` was computed from, as a Drawing: values in the boxes, local derivatives on the arrows.

    limit       the most boxes to draw
    time_limit  the most seconds Graphviz may take for the layout

    Gradients are shown where a backward pass has left them; none is run. The Drawing is of this moment: what is computed or
    assigned later does not change it. TypeError if output is not a Scalar or Tensor, ValueError above the limit.
    """
    if not 0 < time_limit < 1e6:
        raise ValueError(f"time_limit is a number of seconds above 0, got {time_limit}")
    return Drawing(picture(output, limit), time_limit)


class Drawing:
    """A picture of a graph, as draw() returns it. In a notebook it shows itself.

    .dot  the text in the DOT language      .svg  the picture as SVG text      .save(path)  as .dot, .svg, .png or .pdf
    """

    def __init__(self, picture: Picture, time_limit: float = TIME_LIMIT):
        self.picture, self.time_limit = picture, time_limit

    @cached_property
    def dot(self) -> str:
        """The picture as DOT text: the same graph gives the same text."""
        return dot_text(self.picture)

    @cached_property
    def svg(self) -> str:
        """The picture as one <svg> element, laid out by Graphviz; without it, or (with a warning) if it fails, in plain columns."""
        if engine("svg") is None:
            return columns_svg(self.picture)
        try:
            text = render(self.dot, "svg", self.time_limit).decode()
            return text[text.index("<svg") :]
        except (RuntimeError, TimeoutError, ValueError) as error:
            warnings.warn(f"drawn in plain columns instead: {error}", RuntimeWarning, stacklevel=3)
            return columns_svg(self.picture)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture, in the format its suffix names, and return the path. The file is complete or untouched.

        ValueError for a suffix other than .dot .svg .png .pdf, IsADirectoryError for a folder, FileNotFoundError if the folder is
        missing; for .png and .pdf RuntimeError without an engine or if it fails, TimeoutError if it takes too long.
        """
        place = checked_path(path, (".dot", ".svg", ".png", ".pdf"))
        save_whole(place, self.rendered(place.suffix.lower()[1:]))
        return place

    def rendered(self, format: str) -> bytes:
        """The content of a file of that format."""
        texts = {"dot": lambda: self.dot, "svg": lambda: self.svg}
        return texts[format]().encode() if format in texts else render(self.dot, format, self.time_limit)

    def _repr_mimebundle_(self, include: Container[str] | None = None, exclude: Container[str] | None = None) -> dict[str, Any]:
        """What a notebook shows; never raises."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["image/svg+xml"] = self.svg
        except Exception as error:
            bundle["text/plain"] += f", not shown: {error}"
        return {kind: shown for kind, shown in bundle.items() if (include is None or kind in include) and kind not in (exclude or ())}

    def __repr__(self) -> str:
        boxes, arrows = len(self.picture.boxes), len(self.picture.arrows)
        return f"Drawing({boxes} box{'es' * (boxes != 1)}, {arrows} arrow{'s' * (arrows != 1)})"
