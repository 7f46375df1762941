"""What does it look like?

A graph as plain boxes and arrows, then as DOT, then as a picture: values and gradients in the boxes, the local derivative
on every arrow.

Reading order: steps (what belongs together) · elements (boxes and arrows) · colours · dot · render (Graphviz) · columns (without it) ·
drawing (draw and Drawing).
"""

from .drawing import Drawing, draw

__all__ = ["Drawing", "draw"]
