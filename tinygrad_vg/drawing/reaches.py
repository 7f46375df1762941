"""How is a Reach drawn as a map?  The loss at t by the state at s, a colour for each power of ten.

What lies after the loss's own step, and is exactly 0, is left blank: nothing comes from there.
"""

from typing import Any

import numpy as np

from ..chain.reach import Reach
from .axes import as_text, cells, decades, name_axis, paint, scale, words


def reach_map(ax: Any, reach: Reach) -> None:
    """The loss at t by the state at s."""
    maps([ax], {"What of the loss at t reaches the state at s": reach})


def reach_maps(ax: Any, reaches: dict[Any, Reach]) -> None:
    """One map beside the other in the place of ax."""
    figure, place = ax.figure, ax.get_subplotspec()
    if place is None:
        raise ValueError("several maps need axes of a grid, as fig.subplots() makes them; or leave out ax")
    ax.set_axis_off()
    panels = [figure.add_subplot(part, facecolor="none") for part in place.subgridspec(1, len(reaches))]
    for panel in panels:
        paint(panel, ax.xaxis.label.get_color())
    maps(panels, {as_text(str(name)): reach for name, reach in reaches.items()})


def maps(axes: list[Any], reaches: dict[str, Reach]) -> None:
    """Each in axes of its own, by its title, and one scale for all."""
    logs = [decades(reach.log_matrix) for reach in reaches.values()]
    for ax, (title, reach), found in zip(axes, reaches.items(), logs):
        mesh = cells(ax, found, np.arange(found.shape[1]), 1, (reach.lags < 0) & np.isneginf(found), "exact zero")
        ax.invert_yaxis()
        words(ax, title, "state at s", "loss at t", whole=True)
        name_axis(ax.yaxis, [str(t) for t in reach.lags[:, 0]])
    for ax in axes[1:]:
        ax.set_ylabel("")
    scale(axes, mesh, np.concatenate([found.ravel() for found in logs]), "log10 |∂L[t]/∂h[s]|")
