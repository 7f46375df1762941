"""What does the factorial look like?  Four tables in 80 columns, a verdict from their numbers, and a picture."""

import math
from typing import Any

import numpy as np

from ..drawing.axes import new_axes, words
from ..text.tables import table
from .recurrences import Cell, moments

COLOURS = {"linear": "#7a7a7a", "tanh": "#4a86c8", "relu": "#c99700", "sigmoid": "#c8504a"}


def page(found: Any) -> str:
    """Slopes, attribution, growth, counter-examples, verdict."""
    blocks = [slopes(found), attributions(found), growth(found), examples(found), verdict(found)]
    return "\n\n".join(block for block in blocks if block)


def slopes(found: Any) -> str:
    """One row for each activation and scale, untied and tied beside each other."""
    n = len(next(iter(found.parts.values())))
    head = ["activation", "s", *(name for tying in ("untied", "tied") for name in (tying, "sd", "φ′", "|W|", "align"))]
    cells = [(activation, s) for activation, tying, s in found.parts if tying == "untied"]
    rows = [(a, f"{s:.3g}", *group(found, (a, "untied", s)), *group(found, (a, "tied", s))) for a, s in cells]
    dead = sum(found.summary(cell)[0][2] for cell in found.parts)
    note = [f"{dead} gradients became exactly zero and are left out"] if dead else []
    lines = [f"nats per step back: width {found.N}, {found.T} steps, {n} draws", table(rows, head), *note]
    return "\n".join([*lines, "φ′: slopes of the activation; |W|: size of the weights; align: direction"])


def group(found: Any, cell: Cell) -> list[str]:
    """A cell's texts: nats per step back, their sd over the draws, and the nats of each kind of factor."""
    (slope, sd, _), parts = found.summary(cell)
    return [f"{slope:+.3f}", f"{sd:.3f}".lstrip("0"), *(f"{nats + 0.0:+.2f}" for nats in parts.values())]


def attributions(found: Any) -> str:
    """The difference from the base, split among the factors, ± its standard error."""
    if not found.targets():
        return ""
    rows = []
    for target in found.targets():
        parts = list(found.attribution(target).values())
        cells = [f"{mean:+.3f} ±{se:5.3f}" for mean, se in map(mean_and_error, parts)]
        rows.append((f"({target[0]}, {target[1]}, {target[2]:g})", *cells, f"{mean_and_error(sum(parts))[0]:+.3f}"))
    title = "from (linear, untied, 1) to …: Shapley parts of the change, ± standard error"
    return f"{title}\n{table(rows, ('', 'activation', 'tying', 'scale', 'sum'))}"


def mean_and_error(x: Any) -> tuple[float, float]:
    """The mean of what is finite, and its standard error."""
    mean, sd = moments(x)
    return mean, sd / math.sqrt(max(np.isfinite(x).sum(), 1))


def growth(found: Any) -> str:
    """The sd of the log gain at each T, and the exponent."""
    if not found.growth:
        return ""
    rows = [
        (row["activation"], row["tying"], f"{row['scale']:.3g}", *(f"{x:.2f}" for x in [*row["sd"], row["exponent"]]))
        for row in found.growth]
    shown = table(rows, ("", "", "s", *(f"T={T}" for T in found.growth[0]["T"]), "p"), left=2)
    return f"how the log gain spreads over draws: sd in nats, and p of sd ~ T^p\n{shown}"


def examples(found: Any) -> str:
    """One row for each counter-example."""
    rows = []
    for row in found.examples:
        at = f"{row['log gain']:+.2f}" + (f" ±{row['sd']:.2f}" if row["sd"] >= 0.005 else "")
        rows.append((row["claim"], row["network"], at, f"{row['slopes'] + 0.0:+.2f}", f"{row['weights'] + 0.0:+.2f}"))
    return table(rows, ("sentence", "but", "log gain", "φ′", "W"), left=2)


def verdict(found: Any) -> str:
    """Is it the sigmoid, or tying?  Answered by the figures above."""
    if ("sigmoid", "tied", 1.0) not in found.targets():
        return ""
    parts = {k: moments(x)[0] for k, x in found.attribution(("sigmoid", "tied", 1.0)).items()}
    first = f"On the mean: the sigmoid {parts['activation']:+.3f} nats a step, tying {parts['tying']:+.3f}."
    p = {tying: [row["exponent"] for row in found.growth if row["tying"] == tying] for tying in ("untied", "tied")}
    if not p["tied"]:
        return first
    untied, tied = np.mean(p["untied"]), np.mean(p["tied"])
    return f"{first}\nOn the spread: sd ~ T^{untied:.2f} untied, T^{tied:.2f} tied (½: errors average out)."


def picture(found: Any, ax: Any = None) -> Any:
    """Slope against scale, one colour per activation, tied solid, untied dashed, sd as bars; needs matplotlib. Returns the Figure."""
    ax = new_axes()[0] if ax is None else ax
    for activation in dict.fromkeys(cell[0] for cell in found.parts):
        for tying, look in (("untied", "--o"), ("tied", "-s")):
            cells = sorted(cell for cell in found.parts if cell[:2] == (activation, tying))
            means, sds, _ = zip(*(found.summary(cell)[0] for cell in cells))
            shown = {"color": COLOURS.get(activation), "label": f"{activation}, {tying}", "markersize": 4, "capsize": 2}
            ax.errorbar([cell[2] for cell in cells], means, sds, fmt=look, **shown)
    ax.axhline(0, color="#888888", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xticks(scales := sorted({cell[2] for cell in found.parts}), [f"{s:g}" for s in scales])
    ax.minorticks_off()
    words(ax, "The activation and the scale set the slope; tying hardly does", "scale s of the weights", "nats per step back", outside=True)
    return ax.figure
