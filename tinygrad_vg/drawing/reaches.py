"""How is a Reach drawn?  As a map, the loss at t by the state at s, a colour for each power of ten; or as a curve by lag.

The colours are those of the drawings, on their one scale, so that maps of several nets can be compared: white is 1, blue ends at
10^−6 and red at 10^6, and one dark shade is beyond. What lies after the loss's own step, and is exactly 0, is left blank: nothing comes
from there.
"""

from functools import partial
from typing import Any

import numpy as np

from ..chain.reach import Reach
from .axes import as_text, colour_bar, decades, line, mark, name_at, paint, patches, whole_numbers, words
from .colours import DECADES, FALL, GREY, SPECIAL, ZERO, colour

ENDS = DECADES + 1  # powers of ten drawn on either side of the middle: those of the scale, and one for all beyond
SHADES = [colour(k + 0.5) for k in range(-ENDS, ENDS)]
ODD = {"exact zero": ZERO, "overflow": "inf", "nan": "nan"}  # in the legend, and in SPECIAL


def codes_of(reach: Reach) -> Any:
    """The number of the colour of each pair, in SHADES and then ODD; masked where it is left blank."""
    logs = decades(reach.log_matrix)
    steps = np.floor(np.clip(np.nan_to_num(logs), -ENDS, ENDS - 0.5)).astype(int) + ENDS
    codes = np.select([np.isneginf(logs), np.isposinf(logs), np.isnan(logs)], [len(SHADES) + k for k in range(3)], steps)
    return np.ma.masked_array(codes, (reach.lags < 0) & np.isneginf(logs))


def image(ax: Any, reach: Reach, title: str) -> None:
    """The map itself, and a legend of what has no logarithm, if there is any."""
    from matplotlib.colors import ListedColormap

    codes, shades = codes_of(reach), SHADES + [SPECIAL[key] for key in ODD.values()]
    ax.imshow(codes, cmap=ListedColormap(shades), vmin=-0.5, vmax=len(shades) - 0.5, aspect="auto", interpolation="nearest")
    found = set(codes.compressed().tolist())
    odd = {name: SPECIAL[key] for k, (name, key) in enumerate(ODD.items(), len(SHADES)) if k in found}
    patches(ax, odd, loc="upper right", fontsize=9)
    words(ax, title, "state at s", "loss at t", whole=True)
    whole_numbers(ax.yaxis)
    ax.yaxis.set_major_formatter(partial(name_at, [str(t) for t in reach.lags[:, 0]]))


def scale(axes: list[Any], reaches: list[Reach]) -> None:
    """One bar for all: the fixed scale, cut to the powers of ten that are there."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    codes = np.concatenate([codes_of(reach).compressed() for reach in reaches])
    steps = codes[codes < len(SHADES)] - ENDS
    low, high = int(np.min(steps, initial=0)), int(np.max(steps, initial=-1)) + 1
    shades = ScalarMappable(BoundaryNorm(np.arange(-ENDS, ENDS + 1), len(SHADES)), ListedColormap(SHADES))
    bar = axes[0].figure.colorbar(shades, ax=axes, ticks=range(low, high + 1))
    colour_bar(bar, "log10 |∂L[t]/∂h[s]|", low, high, axes[0].xaxis.label.get_color(), which="both", length=0)


def reach_map(ax: Any, reach: Reach) -> None:
    """The loss at t by the state at s."""
    image(ax, reach, "What of the loss at t reaches the state at s")
    scale([ax], [reach])


def reach_maps(ax: Any, reaches: dict[Any, Reach]) -> None:
    """One map beside the other in the place of ax, and one scale for all."""
    figure, place = ax.figure, ax.get_subplotspec()
    if place is None:
        raise ValueError("several maps need axes of a grid, as fig.subplots() makes them; or leave out ax")
    ax.set_axis_off()
    panels = [figure.add_subplot(part, facecolor="none") for part in place.subgridspec(1, len(reaches))]
    for panel, (name, reach) in zip(panels, reaches.items()):
        paint(panel, ax.xaxis.label.get_color())
        image(panel, reach, as_text(str(name)))
    for panel in panels[1:]:
        panel.set_ylabel("")
    scale(panels, list(reaches.values()))


def reach_curve(ax: Any, reach: Reach) -> None:
    """By lag: the mean over all pairs, and the geometric mean of those that are not 0."""
    rows = reach.by_lag()
    x = np.array([row.lag for row in rows])
    for key, label, shade in (("log_mean", "mean", FALL), ("log_typical", "typical", GREY)):
        y = decades([getattr(row, key) for row in rows])
        line(ax, x, y, label, color=shade, marker="o" if len(x) <= 60 else "", markersize=3)
        mark(ax, x, y)
    words(ax, "What of a loss reaches the state so many steps before", "lag: steps back", "log10 |∂L/∂h|", whole=True)
