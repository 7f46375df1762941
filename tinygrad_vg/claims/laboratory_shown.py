"""What does the laboratory look like?  One table in 80 columns, remarks that its figures decide, and one picture."""

import math
from collections.abc import Callable
from typing import Any

from ..drawing.axes import new_axes, words
from ..drawing.colours import BLUE, GREY, RED, mix
from ..text.lines import wrapped
from ..text.numbers import figure
from ..text.tables import table

Friend = tuple[bool, str] | None  # whether the figures bear the sentence out, and which; None where its rows were not run
TITLES = {"recurrent": "the order of two symbols in {T} steps, 32 units", "deep": "a teacher of 5 classes, {L} layers of 32 units"}
HEADS = ("remedy", "typical", "worst", "reach", "trained", "right", "cost")
LEGEND = """\
typical, worst: ln gain per step (layer) back at the start, of a random gradient
and of the luckiest; reach: steps until the typical gain is below 1/1000;
trained: typical after training; right: share of fresh examples; cost: time of
an update, the plain one's = 1; ±: standard deviation over seeds"""


def page(found: Any) -> str:
    """The table, family by family, and the remarks."""
    s = found.setting
    lines = [f"{s.seeds} seeds, {s.updates} updates of Adam, the same data for all of a family"]
    for (family, title), rate in zip(TITLES.items(), s.rates):
        rows = [line for row in found.rows if row["family"] == family for line in lines_of(row)]
        if rows:
            lines += ["", f"{family}: {title.format(T=s.T, L=s.L)} (rate {rate:g})", table(rows, HEADS)]
    return "\n".join([*lines, "", LEGEND, "", *remarks(found)])


def lines_of(row: Any) -> list[Any]:
    """A row of the table, and its note."""
    reach = f"{row['reach']:.0f}" if math.isfinite(row["reach"]) else f"> {row['longest']}"
    typical, trained = (f"{row[x]:+.3f} ±{row[sd]:.3f}" for x, sd in (("typical", "sd"), ("trained", "trained sd")))
    right = f"{sum(row['right']) / len(row['right']):.2f} ±{row['right sd']:.2f}"
    line = (row["remedy"], typical, f"{row['worst']:+.3f}", reach, trained, right, f"{row['cost']:.1f}")
    return [line, *([f"  {row['note']}"] if row["note"] else [])]


def remarks(found: Any) -> list[str]:
    """The false friends, each with the figures that decide; a sentence that they do not bear out says so."""
    answers = ((sentence, judge(found)) for sentence, judge in FRIENDS.items())
    told = [f"- {'' if answer[0] else 'Not seen here: '}{sentence}. {answer[1]}" for sentence, answer in answers if answer]
    return ["False friends", *map(wrapped, told)]


def decay(found: Any) -> Friend:
    """L2, judged where the gradient vanishes; where it hardly does, in the recurrent net, which learns, a short run goes either way."""
    pairs = {family: (found.row(family, plain), found.row(family, "L2")) for family, plain in (("deep", "sigmoid"), ("recurrent", "tanh"))}
    told = [
        f"{family} {plain['trained']:+.2f} ± {plain['trained sd']:.2f} without, {l2['trained']:+.2f} ± {l2['trained sd']:.2f} with it"
        for family, (plain, l2) in pairs.items() if plain and l2]
    plain, l2 = pairs["deep"]
    why = f"It shrinks the weights, a factor of every step: nats per step after training, {'; '.join(told)}."
    return (l2["trained"] < plain["trained"], why) if plain and l2 else None


def norms(found: Any) -> Friend:
    """Batch norm: nats per layer, with and without, and the factor over all layers."""
    a, b = (found.row("deep", name) for name in ("ReLU, He", "batch norm, ReLU"))
    if not (a and b):
        return None
    total, n = figure(math.exp(b["typical"] * b["longest"])), b["longest"]
    why = f"{b['typical']:+.3f} nats a layer, {a['typical']:+.3f} without it: × {total} over {n} layers"
    return b["typical"] > max(0, a["typical"]) + 0.05, f"{why} (in wide nets +0.192, Yang et al. 2019)."


def clipped(found: Any) -> Friend:
    """Clipping: the first layer's gradient and the last one's, before and after."""
    before, by_norm, by_value = found.clipping.values()
    same = math.isclose(by_norm[0] / by_norm[1], before[0] / before[1], rel_tol=1e-9)
    told = ", ".join(f"{how} {figure(first)} and {figure(last)}" for how, (first, last) in found.clipping.items())
    return same and by_norm[0] < before[0] >= by_value[0], f"|∂loss/∂W| of a sigmoid net's first and last layer: {told}. It only shortens."


FRIENDS: dict[str, Callable[[Any], Friend]] = {
    "L2 worsens vanishing": decay, "batch norm makes deep ReLU nets explode": norms, "clipping does not restore what vanished": clipped}


def picture(found: Any, axes: Any = None) -> Any:
    """Per family: a hollow dot where the typical gain starts, a full one where training leaves it, the redder the fewer are right.

    In nats per step; needs matplotlib. Returns the Figure.
    """
    families = [family for family in TITLES if any(row["family"] == family for row in found.rows)]
    places = new_axes(len(families)) if axes is None else list(axes)
    for ax, family in zip(places, families):
        panel(ax, family, [row for row in found.rows if row["family"] == family])
    if axes is None:
        places[0].figure.set_size_inches(7.5, 1.2 + 0.23 * len(found.rows))
    return places[0].figure


def panel(ax: Any, family: str, rows: list[Any]) -> None:
    """One family: remedies from top to bottom, nats per step to the right, linear near 0."""
    for y, row in enumerate(rows[::-1]):
        right = sum(row["right"]) / len(row["right"])
        colour = mix(RED, BLUE, min(1.0, max(0.0, (right - 0.2) / 0.8)))
        ax.plot([row["typical"], row["trained"]], [y, y], color=GREY, linewidth=1)
        ax.plot(row["typical"], y, "o", color=colour, markerfacecolor="none", label="at the start" if not y else None)
        ax.errorbar(row["trained"], y, xerr=row["trained sd"], fmt="o", color=colour, label="after training" if not y else None)
        ax.text(1.01, y, f"{right:.2f}", transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=GREY)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_xscale("symlog", linthresh=0.5, linscale=1.5)
    ticks = (-8, -4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(rows)), [row["remedy"] for row in rows[::-1]])
    words(ax, f"{family}: what a step does to the gradient; at the right edge, the share right", "nats per step, typical", "")
