"""What do all plots share?  Axes in grey on no background, curves that show what no axis can hold, and names as plain text.

matplotlib is imported where a figure is made, and never pyplot: nothing global changes, and no display is needed.
"""

import math
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np

from ..text.lines import clean, cut, width
from .colours import DECADES, GREY, PALE, SPECIAL, ZERO, colour
from .terminal import is_wide

MISSING = 'plots need matplotlib: pip install -e ".[plot]"'
CHARACTER, HUGE = 0.09, 1e250  # inches, of a tick's label; beyond it matplotlib's own arithmetic overflows
END = DECADES + 1  # powers of ten that maps show on either side of 1: those of the scale, and one shade for all beyond
BELOW, HALFWAY, ABOVE = (0.02, "v"), (0.5, "X"), (0.98, "^")  # where at the edge, and the marker


def new_axes(rows: int = 1) -> list[Any]:
    """Axes of a figure of their own, one below the other, grey on no background."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(MISSING) from error
    figure: Any = Figure(figsize=(7.5, 4.2 if rows == 1 else 0.6 + 1.6 * rows), layout="constrained", facecolor="none")
    figure._repr_png_ = partial(png, figure)  # what a notebook asks for
    for ax in (all_axes := figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]):
        ax.set_facecolor("none")
        ax.spines[["top", "right"]].set_visible(False)
        paint(ax, GREY)
    return list(all_axes)


def paint(ax: Any, shade: str) -> None:
    """Frame, ticks and words in one colour."""
    ax.tick_params(which="both", colors=shade)
    ax.spines[:].set_color(shade)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(shade)


def stacked(ax: Any, draws: list[Any], thing: Any, **more: Any) -> Any:
    """Each drawing of the thing in axes of its own (or the one in ax): the first keeps its title, the last says what is to the right."""
    panels = [ax] if ax is not None else new_axes(len(draws))
    for panel, draw in zip(panels, draws):
        draw(panel, thing, **more)
    for above, below in zip(panels, panels[1:]):
        above.set_xlabel("")
        below.set_title("", loc="left")
    return panels[0].figure


def png(figure: Any) -> bytes:
    """A matplotlib figure as the bytes of a PNG, 120 dots per inch."""
    figure.savefig(buffer := BytesIO(), format="png", dpi=120)
    return buffer.getvalue()


def cells(ax: Any, logs: np.ndarray, x: np.ndarray, fine: int = 32, blank: Any = None, zero: str = "zero") -> Any:
    """Numbers (rows, columns) as colours on the one scale, `fine` shades for each power of ten; what has no logarithm in its own.

    blank  (rows, columns), True where nothing is drawn      zero  what the legend calls -inf
    """
    from matplotlib.colors import ListedColormap

    shades: Any = ListedColormap([colour((k + 0.5) / fine) for k in range(-END * fine, END * fine)])
    shades = shades.with_extremes(under=SPECIAL[ZERO], over=SPECIAL["inf"], bad=SPECIAL["nan"])
    placed = np.where(np.isinf(logs), np.sign(logs) * (END + 1), np.clip(logs, -END, END))
    opaque = None if blank is None else np.where(blank, 0.0, 1.0)
    y = np.arange(len(logs) + 1) - 0.5
    mesh = ax.pcolormesh(edges(x), y, placed, cmap=shades, vmin=-END, vmax=END, rasterized=True, alpha=opaque)
    there = logs if blank is None else logs[~blank]
    found = {zero: (ZERO, np.isneginf(there)), "nan": ("nan", np.isnan(there)), "overflow": ("inf", np.isposinf(there))}
    odd = {label: SPECIAL[key] for label, (key, where) in found.items() if np.any(where)}
    patches(ax, odd, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    whole_numbers(ax.yaxis)
    return mesh


def edges(x: np.ndarray) -> np.ndarray:
    """Where the columns of a map begin, and where the last one ends: half-way between their x."""
    half = np.diff(x, append=x[-1] + 1 if len(x) < 2 else 2 * x[-1] - x[-2]) / 2
    return np.array([x[0] - half[0], *(x + half)])


def scale(axes: list[Any], mesh: Any, logs: np.ndarray, meaning: str) -> None:
    """One bar beside these axes for the cells in all of them, cut to the powers of ten that are there."""
    finite = np.clip(logs[np.isfinite(logs)], -END, END)
    low, high = math.floor(np.min(finite, initial=0.0)), math.ceil(np.max(finite, initial=0.0))
    bar = colour_bar(axes, mesh, meaning)
    bar.ax.set_ylim(low, max(high, low + 1))
    whole_numbers(bar.ax.yaxis)


def colour_bar(axes: list[Any], mesh: Any, meaning: str) -> Any:
    """The scale of colours beside these axes, in the colour of their words."""
    bar, text = axes[0].figure.colorbar(mesh, ax=axes), axes[0].xaxis.label.get_color()
    bar.set_label(meaning, color=text)
    bar.ax.tick_params(colors=text)
    bar.outline.set_edgecolor(text)
    return bar


def patches(ax: Any, shades: dict[str, str], **place: Any) -> None:
    """A legend of what these colours mean, if there are any."""
    from matplotlib.patches import Patch

    if shades:
        handles = [Patch(facecolor=shade, edgecolor=GREY, label=label) for label, shade in shades.items()]
        ax.legend(handles=handles, frameon=False, labelcolor=ax.xaxis.label.get_color(), **place)


def outline(linewidth: float = 3.0) -> list[Any]:
    """So that what is dark shows on a dark page, too."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=linewidth, foreground=PALE)]


def line(ax: Any, x: Any, y: np.ndarray, label: str, **look: Any) -> None:
    """A curve, broken where y is not finite, or too large to draw. A label may begin with _, which matplotlib would hide."""
    ax.plot(x, shown(y), label=f" {label}" if label.startswith("_") else label or None, **look)


def shown(y: np.ndarray) -> np.ndarray:
    """y with nan where it is too large to draw (|y| > HUGE) or not finite."""
    return np.where(np.abs(y) <= HUGE, y, np.nan)


def mark(ax: Any, x: Any, y: np.ndarray, zero: str = "exact zero", shade: str = "") -> None:
    """What is not finite, at the edge of the axes: -inf, the logarithm of an exact zero, below, inf above, nan half-way."""
    at_edge(ax, x[np.isneginf(y)], BELOW, shade or SPECIAL[ZERO], zero)
    at_edge(ax, x[np.isnan(y)], HALFWAY, shade or SPECIAL["nan"], "nan")
    at_edge(ax, x[np.isposinf(y)], ABOVE, shade or SPECIAL["inf"], "overflow")


def at_edge(ax: Any, x: np.ndarray, edge: tuple[float, str], shade: str, label: str) -> None:
    """One sign for each x, if there is any."""
    if len(x):
        size, rim = (7, 1.0) if len(x) <= 40 else (4, 0.0)
        look = {"color": shade, "marker": edge[1], "markersize": size, "markeredgecolor": GREY, "markeredgewidth": rim}
        ax.plot(x, np.full(len(x), edge[0]), linestyle="", label=label, transform=ax.get_xaxis_transform(), clip_on=False, zorder=5, **look)


def rescale(ax: Any, x: np.ndarray, y: np.ndarray) -> None:
    """A logarithmic y axis where sizes differ more than a thousandfold, and a mark where there is nothing to show on it.

    If some values are negative, it is logarithmic both ways, and linear around 0.
    """
    finite, zeros = y[np.abs(y) <= HUGE], np.zeros(len(y), dtype=bool)
    if is_wide(finite) and np.all(finite >= 0):
        ax.set_yscale("log", nonpositive="mask")
        zeros = y == 0
    elif is_wide(finite):
        sizes = np.abs(finite[finite != 0])
        ax.set_yscale("symlog", linthresh=(least := float(np.quantile(sizes, 0.05, method="lower"))))
        powers = 10.0 ** np.unique(np.linspace(math.log10(least), math.log10(np.max(sizes)), 4)[1:].round())
        ax.set_yticks([*-powers[::-1], 0, *powers])
    at_edge(ax, x[zeros], BELOW, SPECIAL[ZERO], "exact zero")
    at_edge(ax, x[np.isnan(y)], HALFWAY, SPECIAL["nan"], "nan")
    at_edge(ax, x[y > HUGE], ABOVE, SPECIAL["inf"], f"above {HUGE:g} or overflow")
    at_edge(ax, x[y < -HUGE], BELOW, SPECIAL["inf"], f"below {-HUGE:g} or overflow")


def ticks(ax: Any, names: list[str]) -> None:
    """Names below whole numbers, as many as have room."""
    texts = [as_text(name, 18) for name in names]
    room = ax.get_position().width * ax.figure.get_figwidth() if hasattr(ax.figure, "get_figwidth") else 4.0
    name_axis(ax.xaxis, texts, max(2, int(room / CHARACTER / (2 + max(map(width, texts), default=1)))))


def name_axis(axis: Any, texts: list[str], most: int = 10) -> None:
    """These names at whole numbers, about `most` of them."""
    whole_numbers(axis, most)
    axis.set_major_formatter(partial(name_at, texts))


def name_at(texts: list[str], x: float, position: int | None = None) -> str:
    """The name at a tick: texts[x] for a whole x in range, "" elsewhere."""
    return texts[round(x)] if 0 <= round(x) < len(texts) and abs(x - round(x)) < 1e-6 else ""


def whole_numbers(axis: Any, most: int = 10) -> None:
    """Ticks at whole numbers only, about `most` of them, 12 at most."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(min(most, 12), integer=True, min_n_ticks=1))


def words(ax: Any, title: str, x: str, y: str, outside: bool = False, whole: bool = False, above: bool = False) -> None:
    """Title and labels, and a legend if there is anything to tell apart, each once: where it hides least, to the right, or above.

    whole  only whole numbers below
    """
    if whole:
        whole_numbers(ax.xaxis)
    text = ax.xaxis.label.get_color()
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    handles, labels = ax.get_legend_handles_labels()
    once = {label: handles[labels.index(label)] for label in labels}
    ax.set_title(title + "\n" * bool(above and once), loc="left", fontsize=11, color=text)
    if once:
        right: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if ax.figure.get_layout_engine() else {}
        where = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "borderaxespad": 0.1} if above else right if outside else {}
        ax.legend(list(once.values()), list(once), frameon=False, labelcolor=text, fontsize=9, **where)


def decades(logs: Any) -> np.ndarray:
    """Nats as powers of ten."""
    return np.asarray(logs, dtype=float) / math.log(10)


def as_text(name: str, longest: int = 40) -> str:
    """A name as text: in one line, not too long, and without mathematics between dollars."""
    return cut(clean(name), longest, middle=True).replace("$", r"\$")
