"""What does it look like?

A graph as plain boxes and arrows, then as DOT, then as a picture: values and gradients in the boxes, the local derivative
on every arrow. The same as a page that steps through both passes; and plots of chains, spectra, uses and runs.

Reading order: steps (what belongs together) · colours · elements (boxes and arrows) · folding and merged (one box for many nodes) ·
sketch (from history to picture) · columns (without Graphviz) · dot · render (with it) · page_data, page · drawing (draw
and Drawing); then terminal · axes · comparison · plots · cliff.
"""

from .cliff import cliff
from .drawing import Drawing, draw
from .plots import plot
from .terminal import spark, terminal_plot

__all__ = ["Drawing", "cliff", "draw", "plot", "spark", "terminal_plot"]
