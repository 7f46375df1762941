"""How is a grid drawn?  One value, averaged over the axis `seed`: over one other axis as a curve ± sd, over two as a map.

    x  what lies to the right: the last axis      y  the curve's value; of a map the first axis, upwards      z  a map's values (y, x)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .axes import as_text, colour_bar, edges, line, mark, name_axis, outline, shown, ticks, words
from .colours import BROWN, DARK, FALL, ORANGE, PALE, SPECIAL, TEAL, WHITE
from .terminal import is_wide

FINE, EVEN, FEW = 400, 1.5, 8  # points of a curve of theory; how unequal the steps of a geometric axis may be; ticks of one
EXTEND = ("neither", "min", "max", "both")  # of a bar of colours: where there is more than it shows


def draw(ax: Any, grid: Any, value: str, theory: Any = None, limits: tuple[float, float] | None = None) -> None:
    """Draw one value of a Grid over its axes but `seed`, and an array's own; those with one value are in the title.

    theory  y at each x: a function of x, a number, or an array      limits  the least and the largest value that is shown
    ValueError if more than two are left, or nothing.
    """
    y, sd, title = grid.array(value), None, as_text(value)
    if not y.size:
        raise ValueError(f"there is nothing to draw: {value!r} is empty, of shape {y.shape}")
    if limits is not None and not (np.shape(limits) == (2,) and -np.inf < limits[0] < limits[1] < np.inf):
        raise ValueError(f"limits are the least and the largest value to be shown, (low, high); got {limits!r}")
    sizes = grid.axes | {f"{value}[{k}]": range(n) for k, n in enumerate(y.shape[len(grid.axes) :])}
    if len(sizes) > 1 and "seed" in sizes:
        y, sd, title = grid.mean(value), grid.sd(value), f"{title}, mean of {len(sizes.pop('seed'))} seeds"
    over = {name: values for name, values in sizes.items() if len(values) > 1} or dict([*sizes.items()][:1])
    title = as_text(", ".join([title, *(f"{name} = {values[0]}" for name, values in sizes.items() if name not in over)]), 70)
    if len(over) > 2:
        held = next(f"{name}={values[0]!r}" for name, values in over.items() if name in grid.axes)
        raise ValueError(f"a value is drawn over one axis or two, not over {', '.join(over)}; hold some, as in .at({held})")
    *up, right = map(Along.of, over.values())
    if up:
        heat_map(ax, y.reshape([*map(len, over.values())]), up[0], right, as_text(value), theory, limits)
    else:
        curve(ax, y.ravel(), None if sd is None else sd.ravel(), right, theory, limits)
    words(ax, title, [*over][-1], [as_text(value), *over][len(over) - 1], above=len(over) == 2)


class Along(NamedTuple):
    """One axis of a grid, as it is drawn: x in order, where each stands among the axis's values, names for ticks, or none, a logarithm."""

    x: np.ndarray
    order: np.ndarray
    names: list[str]
    log: bool

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Along":
        """Numbers lie where they are, on a logarithmic axis if their ratios are more even than their steps, or if they differ much."""
        values = list(values)
        numeric = all(isinstance(x, (int, float, np.number)) and not isinstance(x, bool) and np.isfinite(x) for x in values)
        x = np.array(values, dtype=float) if numeric else np.arange(len(values), dtype=float)
        order = np.argsort(x)
        x = x[order]
        log = numeric and bool(x[0] > 0) and (is_wide(x) or uneven(np.log(x)) < min(uneven(x), EVEN))
        return cls(x, order, [] if numeric else [*map(str, values)], log)

    def edges(self) -> np.ndarray:
        """Where the boxes of a map begin, and where the last one ends."""
        return np.exp(edges(np.log(self.x))) if self.log else edges(self.x)

    def dress(self, ax: Any, axis: Any, name: str) -> None:
        """The scale and the ticks of an axis, x or y by name."""
        if self.log:
            ax.set(**{f"{name}scale": "log"})
            some = self.x[:: -(-len(self.x) // FEW)]
            axis.set_ticks(some, [f"{x:.3g}" for x in some])
            axis.set_ticks([], minor=True)
        elif self.names and name == "x":
            ticks(ax, self.names)
        elif self.names:
            name_axis(axis, self.names)


def uneven(x: np.ndarray) -> float:
    """The largest step by the smallest one."""
    steps = np.diff(x)
    return float(np.max(steps) / np.min(steps)) if len(steps) else 1.0


def curve(ax: Any, y: np.ndarray, sd: np.ndarray | None, along: Along, theory: Any, limits: Any) -> None:
    """A line, and a band of one standard deviation to either side."""
    x, y = along.x, y[along.order]
    line(ax, x, y, "", color=FALL, marker="o", markersize=4)
    if sd is not None:
        low, high = shown(y - sd[along.order]), shown(y + sd[along.order])
        ax.fill_between(x, low, high, color=FALL, alpha=0.25, linewidth=0, label="± sd over the seeds")
    mark(ax, x, y)
    along.dress(ax, ax.xaxis, "x")
    predict(ax, theory, along, x, "theory", color=ORANGE, linestyle="--")
    ax.set_ylim(limits)


def heat_map(ax: Any, z: np.ndarray, up: Along, along: Along, value: str, theory: Any, limits: Any) -> None:
    """The first axis upwards, the second to the right; numbers are where they lie, and a box ends half-way to the next."""
    drawn = np.ma.masked_invalid(shown(z)[np.ix_(up.order, along.order)])
    mesh = ax.pcolormesh(along.edges(), up.edges(), drawn, rasterized=True, **coloured(drawn.compressed(), limits))
    along.dress(ax, ax.xaxis, "x")
    up.dress(ax, ax.yaxis, "y")
    if drawn.min() < 0 < drawn.max() and not (along.names or up.names):
        ax.contour(along.x, up.x, drawn, [0], colors=DARK, linewidths=1)
        ax.plot([], [], color=DARK, linewidth=1, label="zero", path_effects=outline(2))
    if not np.all(np.isfinite(z)):
        ax.plot([], [], "s", color=SPECIAL["nan"], label="nan or overflow")
    sides = ax.get_xlim(), ax.get_ylim()
    predict(ax, theory, along, along.edges(), color=PALE, alpha=0.8)
    predict(ax, theory, along, along.edges(), "theory", color=DARK, linestyle="--", path_effects=outline(2.5))
    ax.set(xlim=sides[0], ylim=sides[1])
    colour_bar([ax], mesh, value)


def coloured(known: np.ndarray, limits: Any) -> dict[str, Any]:
    """A map's colours, and the values at their ends: lighter is larger; of both signs brown is below 0, white is 0, teal above."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    least, most = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    low, high = limits or (least, most)
    shades: Any = colormaps["cividis"]
    if least < 0 < most:
        shades, high = LinearSegmentedColormap.from_list("signs", [BROWN, WHITE, TEAL]), max(abs(low), abs(high))
        low = -high
    shades = shades.with_extremes(bad=SPECIAL["nan"])
    shades.colorbar_extend = EXTEND[int(least < low) + 2 * int(most > high)]
    return {"cmap": shades, "vmin": low, "vmax": high}


def predict(ax: Any, theory: Any, along: Along, x: np.ndarray, label: str = "", **look: Any) -> None:
    """What theory says: a function of x, from the first x to the last; a number; or one for each value of the axis."""
    if theory is None:
        return
    if callable(theory) and not along.names:
        x = np.geomspace(x[0], x[-1], FINE) if along.log else np.linspace(x[0], x[-1], FINE)
        y = np.array([float(theory(one)) for one in x.tolist()])
    elif np.ndim(theory) == 0 and not callable(theory):
        y = np.full(len(x), float(theory))
    else:
        x, y = along.x, np.array([theory(name) for name in along.names] if callable(theory) else theory, dtype=float)
        if y.shape != x.shape:
            raise ValueError(f"theory needs one number for each of the {len(x)} values to the right; got shape {y.shape}")
        y = y[along.order]
    line(ax, x, y, label, linewidth=2, **look)
