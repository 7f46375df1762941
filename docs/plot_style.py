"""How do the book's plots look?  As wide as a page, with words at the ends of curves, in the inks of the pictures.

An SVG is drawn in the light inks; a sheet of style in it names the other ink of each pair, for a dark screen. Its words stay words.
"""

import io
import math
import re
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinygrad_vg import Chain, nn
from tinygrad_vg.drawing.colours import INKS

INK = {role: light for role, (light, _) in INKS.items()}
BLUE, ORANGE, GREEN, PURPLE, RED, SOFT, LINE = (INK[role] for role in ("flow", "slopes", "weights", "gates", "growth", "soft", "line"))
LOOK: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "tinygrad_vg", "font.family": "DejaVu Sans", "font.size": 10, "text.color": INK["ink"],
    "axes.labelcolor": SOFT, "axes.edgecolor": INK["ghost"], "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelsize": 9,
    "ytick.labelsize": 9, "xtick.minor.size": 0, "ytick.minor.size": 0, "axes.facecolor": INK["page"], "figure.facecolor": INK["page"],
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "axes.titlesize": 10.5, "axes.titlepad": 8,
    "axes.titleweight": "bold", "lines.linewidth": 2.2, "lines.markersize": 5, "figure.constrained_layout.use": True}
BACK, LOG = "steps back", "ln |gradient|, nats"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def panels(columns: int = 1, rows: int = 1, high: float = 3.2, **shared: Any) -> tuple[Figure, Any]:
    """A figure 700 pixels wide, and its axes."""
    figure = Figure(figsize=(7.3, high))
    return figure, figure.subplots(rows, columns, squeeze=False, **shared).ravel()


def labelled(ax: Any, title: str, x: str, y: str, **more: Any) -> Figure:
    """The axes with their words; at the ticks of logarithmic ones stands 10⁻³, not a formula."""
    ax.set(xlabel=x, ylabel=y, **more)
    ax.set_title(title)
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(lambda value, _: tick(math.log10(value)) if value > 0 else "")
    return ax.figure


def tick(exponent: float) -> str:
    return "10" + f"{exponent:.0f}".translate(RAISED)


def curve(ax: Any, x: Any, y: Any, name: str, shade: str, look: str = "-", up: float = 0.0, **more: Any) -> None:
    """A curve, and at its end, or where it leaves the axes, its name, so many points higher."""
    low, high = ax.get_ylim() if not ax.get_autoscaley_on() else (-math.inf, math.inf)
    ax.plot(x, y, look, color=shade, **more)
    k = np.flatnonzero((np.array(y) >= low) & (np.array(y) <= high))[-1]
    ax.annotate(name, (x[k], y[k]), (5, up), textcoords="offset points", va="center", color=shade)


def beside(plain: str, reference: Any, found: dict[str, Any], x: str) -> Figure:
    """Each curve of nats in a panel, with the plain one as a dashed line."""
    figure, axes = panels(4, 2, high=4.4, sharex=True, sharey=True)
    for ax, (name, logs) in zip(axes, found.items()):
        shade = RED if logs[-1] > 1 else BLUE
        ax.axhline(0, color=LINE, linewidth=1)
        ax.plot(reference, "--", color=SOFT, linewidth=1.4)
        ax.plot(logs, color=shade)
        ax.set_title(f"{name}\n", fontsize=9)
        ax.text(0, 1.03, signed(logs[-1]), transform=ax.transAxes, fontsize=9, color=shade)
        ax.locator_params(nbins=3)
    figure.supxlabel(f"{x}  ·  dashed: {plain}, {signed(reference[-1])}", fontsize=9.5, color=SOFT)
    figure.supylabel("ln |gradient|", fontsize=9.5, color=SOFT)
    return figure


def signed(nats: float) -> str:
    return f"{nats:+.1f} nats".replace("-", "−")


def back(states: list[Any], seed: Any) -> np.ndarray:
    """ln (|gradient| / |seed|) at each state, the last one first."""
    return np.array(Chain(states[-1], states[0], through=states[1:], seed=seed).log_product[::-1])


def unrolled(cell: Any, inputs: np.ndarray) -> np.ndarray:
    """The same of a cell, from its last output back to its first state."""
    states = nn.unroll(cell, inputs)
    source = states[0][-1] if isinstance(cell, nn.LSTMCell) else cell.output(states[0])
    through = states[cell.delay : -1] if isinstance(cell, nn.SkipCell) else states[1:-1]
    return np.array(Chain(cell.output(states[-1]), source, through=through, seed=np.ones(cell.n_hidden)).log_product[::-1])


def svg(figure: Figure) -> str:
    """As an SVG that depends on nothing but the figure: no date, no ids by chance."""
    figure.savefig(buffer := io.StringIO(), format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = re.sub(r" +\n", "\n", buffer.getvalue()).replace("'DejaVu Sans'", "'DejaVu Sans',Verdana,sans-serif")
    used = [(f"{kind}: {light}", f"{kind}:{dark}") for light, dark in dict(INKS.values()).items() for kind in ("fill", "stroke")]
    dark = "".join(f'[style*="{here}"]{{{there}!important}}' for here, there in used if here in text)
    return text.replace(" <defs>", f" <style>@media(prefers-color-scheme:dark){{{dark}}}</style>\n <defs>", 1)
