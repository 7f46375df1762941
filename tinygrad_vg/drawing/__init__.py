"""What does it look like?

A graph as plain boxes and arrows, then laid out, then as SVG, PNG, PDF or DOT: values and gradients in the boxes, the local derivative
on every arrow. The same as a page that steps through both passes; and plots of chains, spectra, uses and runs.

Reading order: steps (what belongs together) · colours · typography · elements (boxes and arrows) · groups, folding and merged (one box
for many nodes) · sketch (from history to picture) · layers, layout (where everything goes) · canvas, graph (shapes and words) · dot ·
page_data, page · drawing (draw and Drawing); then terminal · axes · comparison · plots · cliff.
"""

from .cliff import cliff
from .drawing import Drawing, draw
from .groups import group
from .plots import plot
from .terminal import spark, terminal_plot

__all__ = ["Drawing", "cliff", "draw", "group", "plot", "spark", "terminal_plot"]
