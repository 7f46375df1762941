"""What does it look like?

A chain as a river, and a graph as plain boxes and arrows, laid out; each as SVG, PNG, PDF, and as a page that sends the gradient back
and steps through both passes. And plots of chains, spectra, uses and runs.

Reading order: steps (what belongs together) · typography · colours · elements (boxes and arrows) · groups, folding and merged (one box
for many nodes) · sketch (from history to picture) · layers, layout (where everything goes) · canvas, graph (shapes and words) · dot ·
river (the finding), beside, river_picture, river_data · page_data, page · drawing (draw and Drawing); then terminal · axes ·
comparison · plots · cliff.
"""

from .cliff import cliff
from .drawing import Drawing, draw
from .film import film
from .groups import group
from .plots import plot
from .terminal import spark, terminal_plot

__all__ = ["Drawing", "cliff", "draw", "film", "group", "plot", "spark", "terminal_plot"]
