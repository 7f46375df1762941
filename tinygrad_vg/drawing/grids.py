"""How is a grid drawn?  One value, averaged over the axis `seed`: over one other axis as a curve ± sd, over two as a map."""

from typing import Any

import numpy as np

from .axes import as_text, colour_bar, line, mark, name_axis, patches, shown, ticks, words
from .colours import BROWN, FALL, SPECIAL, TEAL, WHITE
from .terminal import is_wide


def draw(ax: Any, grid: Any, value: str) -> None:
    """Draw one value of a Grid over its axes but `seed`, and an array's own; those with one value are in the title.

    ValueError if more than two are left, or nothing.
    """
    y, sd, title = grid.array(value), None, as_text(value)
    if not y.size:
        raise ValueError(f"there is nothing to draw: {value!r} is empty, of shape {y.shape}")
    sizes = grid.axes | {f"{value}[{k}]": range(n) for k, n in enumerate(y.shape[len(grid.axes) :])}
    if len(sizes) > 1 and "seed" in sizes:
        y, sd, title = grid.mean(value), grid.sd(value), f"{title}, mean of {len(sizes.pop('seed'))} seeds"
    over = {name: values for name, values in sizes.items() if len(values) > 1} or dict([*sizes.items()][:1])
    title = as_text(", ".join([title, *(f"{name} = {values[0]}" for name, values in sizes.items() if name not in over)]), 70)
    if len(over) > 2:
        raise ValueError(f"a value is drawn over one axis or two, not over {', '.join(over)}; run it with one value for each of the others")
    if len(over) == 2:
        heat_map(ax, y.reshape([*map(len, over.values())]), over, as_text(value))
    else:
        curve(ax, y.ravel(), None if sd is None else sd.ravel(), *over.values())
    words(ax, title, [*over][-1], [as_text(value), *over][len(over) - 1])


def curve(ax: Any, y: np.ndarray, sd: np.ndarray | None, values: Any) -> None:
    """A line, and a band of one standard deviation to either side."""
    numeric = all(isinstance(x, (int, float, np.number)) and np.isfinite(x) for x in values)
    x = np.array(values, dtype=float) if numeric else np.arange(len(values))
    order = np.argsort(x)
    line(ax, x[order], y[order], "", color=FALL, marker="o", markersize=4)
    if sd is not None:
        low, high = shown((y - sd)[order]), shown((y + sd)[order])
        ax.fill_between(x[order], low, high, color=FALL, alpha=0.25, linewidth=0, label="± sd over the seeds")
    mark(ax, x, y)
    if not numeric:
        ticks(ax, [*map(str, values)])
    elif is_wide(x) and np.all(x > 0):
        ax.set_xscale("log")


def heat_map(ax: Any, y: np.ndarray, over: dict[str, Any], value: str) -> None:
    """The first axis upwards, the second to the right, in boxes of one size.

    Lighter is larger; where values have both signs, brown is below 0 and teal above.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    rows, columns = ([*map(str, values)] for values in over.values())
    shades, drawn = colormaps["cividis"], shown(y)
    known, top = drawn[np.isfinite(drawn)], None
    if np.min(known, initial=0.0) < 0 < np.max(known, initial=0.0):
        shades, top = LinearSegmentedColormap.from_list("signs", [BROWN, WHITE, TEAL]), np.max(np.abs(known))
    mesh = ax.imshow(drawn, shades.with_extremes(bad=SPECIAL["nan"]), origin="lower", aspect="auto", vmin=top and -top, vmax=top)
    ticks(ax, columns)
    name_axis(ax.yaxis, rows)
    colour_bar([ax], mesh, value)
    patches(ax, {} if np.all(np.isfinite(y)) else {"nan or overflow": SPECIAL["nan"]}, loc="upper right", fontsize=9)
