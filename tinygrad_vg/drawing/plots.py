"""What do the numbers look like as curves?  Figures of chains, blame, spectra, uses and runs, by matplotlib (the extra `plot`).

Colours are those of the drawings: blue shrinks, red grows.

    x  stations or links by number, source on the left, output on the right: the gradient runs from right to left
    y  log10 where sizes are compared, nats in blame
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..chain import Blame, Chain, Reach, Spectrum, Uses
from ..chain.blame import LEAST
from ..chain.factors import KINDS
from ..training.history import History
from .axes import as_text, cells, decades, line, mark, outline, rescale, scale, shown, stacked, ticks, words
from .colours import ARROW_SPAN, BLAME, DARK, FALL, GREEN, GREY, ORANGE, RISE, colour
from .comparison import COMPARED, NAMED, OF_USE, PANELS, of_one_by_lag, over_steps, per_link, places_of, recorded, runs
from .elements import counted, heat
from .film import film_map
from .reaches import reach_map

DOTS, ROUNDED = 20_000, 1e-13  # the most dots; a singular value that is only rounding
BAR = (0.8, 1.0)  # how wide one is, of few and of many
BARS = 300  # the most that are drawn one by one


def plot(thing: Any, kind: str | None = None, *, ax: Any = None, theory: Any = None, limits: Any = None) -> Any:
    """Draw what was measured, and return the matplotlib Figure: plot(chain).savefig("chain.png"). In a notebook it shows itself.

    Several of one type are compared, a curve each: plot({"tanh": chain, "LSTM": other}), of a Chain's "gradient", a Spectrum's largest
    singular value, Uses, or a History's loss, norm, lr and factor. Several Reaches stand side by side, on one scale.

    thing   kind: what is drawn (the first is the one without `kind`)
    Chain     "gradient": log10 |gradient| at each station, relative to the seed     "heatmap": the same by station and unit
              "blame": nats of each link by kind of factor, stacked, and their sum
    Blame     "blame"
    Spectrum  "links": singular values of each link      "running": of the product from the output back to each station, log10
    Uses      "share": each use's signed share of the gradient, by time (of uses.by_lag(): by lag)      "norm": its size
    Reach     "map": log10 |∂L[t]/∂h[s]|, loss at t by state at s      "lag": its means by the distance between them
    History   panels of loss, gradient, learning rate and clipping; or one of "loss", "norm", "lr", "factor", "gradients",
              "ratios", "radii", "states", if it was recorded; "film" (who took most of each link, a map), "nats", "gates", if watched
    Grid      the name of a value: its mean over the axis `seed`, over one other axis as a curve ± sd, over two as a map

    ax      draw into these axes, which keep their own colours; the figure returned is theirs
    theory  a dashed line beside a chain's gradient or a running spectrum: predicted nats per link; or a function of the number of
            links back from the output, giving the log gain in nats; or an array of that, one for each station, source first.
            Of a Grid, also over its map: a number, a function of what is to the right, or an array, one for each of its values
    limits  of a Grid: the least and the largest value that is shown, (low, high)

    ImportError without matplotlib; TypeError for another thing, or several types; ValueError for a kind
    it does not have, or nothing to draw.
    """
    several = isinstance(thing, dict)
    table, things, which = (COMPARED, [*thing.values()], "several") if several else (PLOTS, [thing], f"a {type(thing).__name__}")
    if not things:
        raise ValueError("nothing to compare: the dict is empty; it holds a name and a Chain, Spectrum, Uses, Reach or History each")
    kinds = next((kinds for cls, kinds in table.items() if all(isinstance(one, cls) for one in things)), getattr(thing, "plots", None))
    if not kinds:
        known, got = (", ".join(dict.fromkeys(cls.__name__ for cls in some)) for some in (table, map(type, things)))
        what = f"a dict of several {known}, all of one kind" if several else f"a {known}, or a dict of several of one kind"
        raise TypeError(f"plot draws {what}; got {got}")
    names = [next(iter(kinds)) if kind is None else kind]
    if names[0] not in kinds:
        raise ValueError(f"there is no plot {kind!r} of {which}; {'to compare ' * several}there is {', '.join(kinds)}")
    more = {name: given for name, given in (("theory", theory), ("limits", limits)) if given is not None}
    if foreign := more.keys() - inspect.signature(kinds[names[0]]).parameters.keys():
        goes = "theory goes with one Chain's plot 'gradient', one Spectrum's 'running', or a Grid"
        goes = "limits go with a Grid" if "limits" in foreign else goes
        raise ValueError(f"{goes}, not with {names[0]!r} of {which}")
    if kind is None and ax is None and isinstance(things[0], History):
        names = [key for key in PANELS if all(recorded(run, key) for run in things)] or names
    draws = [kinds[name] if name == names[0] else partial(kinds[name], named=False) for name in names]
    return stacked(ax, draws, thing, **more)


def gradient(ax: Any, chain: Chain, theory: Any = None) -> None:
    """The product so far at each station; a dot is as blue or red as the link that starts there shrank or grew the gradient."""
    logs, n = decades(chain.log_product), len(chain.links)
    with np.errstate(divide="ignore"):
        gains = [*np.log10([link.gain for link in chain.links]).tolist(), None]
    line(ax, np.arange(n + 1), logs, "measured" + per_link(chain), color=GREY)
    for shade, did, sign in ((FALL, "shrunk", -1), (RISE, "grown", 1)):
        if any(gain is not None and sign * gain > 0 for gain in gains):
            ax.plot([], [], "o", color=shade, label=f"{did} by the link to its right")
    dots = [colour(gain, ARROW_SPAN, GREY) for gain in gains]
    ax.scatter(np.arange(n + 1), shown(logs), c=dots, s=36 if n <= 100 else 12, zorder=3)
    mark(ax, np.arange(n + 1), logs)
    predict(ax, theory, n)
    ticks(ax, chain.names)
    words(ax, f"The gradient from {as_text(chain.names[-1])} back to {as_text(chain.names[0])}", "station", "log10 (|gradient| / |seed|)")


def heatmap(ax: Any, chain: Chain) -> None:
    """Every number of the gradient at each station; source and output are left out if they have another size than the rest."""
    sizes = [np.size(g) for g in chain.gradients]
    first, last = (0, len(sizes)) if len(sizes) < 3 else (int(sizes[0] != sizes[1]), len(sizes) - int(sizes[-1] != sizes[-2]))
    for name, size in zip(chain.names[first:last], sizes[first:last]):
        if size != sizes[first]:
            raise ValueError(f"a heatmap needs stations of one size; {chain.names[first]} has {sizes[first]} numbers, {name} has {size}")
    with np.errstate(divide="ignore"):
        logs = np.log10(np.abs([np.ravel(g) for g in chain.gradients[first:last]])).T
    start = heat(chain.gradients[-1]) or 0.0
    logs -= start if math.isfinite(start) else 0.0
    scale([ax], cells(ax, logs, np.arange(first, last)), logs, "log10 (|gradient| / |seed|)")
    ticks(ax, chain.names)
    words(ax, f"The gradient of {as_text(chain.names[-1])} at each unit", "station", "unit")


def blamed(ax: Any, blame: Blame | Chain) -> None:
    """Nats by link and kind, stacked away from 0, and the sum as a line."""
    blame = blame.blame() if isinstance(blame, Chain) else blame
    rows, x = blame.by_link, np.arange(len(blame.by_link))
    above, below = np.zeros(len(rows)), np.zeros(len(rows))
    ax.use_sticky_edges = False  # room below the bars, too
    for kind in KINDS:
        nats = np.array([row["parts"][kind] for row in rows])
        if np.any(np.abs(nats) > LEAST):
            base = np.where(nats > 0, above, below)
            if len(rows) <= BARS:
                ax.bar(x, nats, BAR[len(x) > 60], base, color=BLAME[kind], label=kind)
            else:  # the same as one area, drawn at once
                ax.fill_between(x, base, base + nats, step="mid", color=BLAME[kind], linewidth=0, label=kind)
            above, below = above + np.maximum(nats, 0), below + np.minimum(nats, 0)
    total, thin = np.array([row["total"] for row in rows]), 1.5 if len(rows) <= 60 else 0.7
    line(ax, x, total, "total", drawstyle="steps-mid", color=DARK, linewidth=thin, path_effects=outline(2 * thin), zorder=4)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlim(-1, max(len(rows), 4))
    ticks(ax, [row["link"] for row in rows])
    (source, _), (_, output) = (rows[k]["link"].split(" → ", 1) for k in (0, -1)) if rows else [("", "the output")] * 2
    back = f", which ends at {as_text(blame.ended['at'])}" if blame.ended else f" back to {as_text(source)}: {blame.total:+.1f} nats in all"
    words(ax, f"Who changed the gradient from {as_text(output)}{back}", "link", "nats", outside=True)


def of_links(ax: Any, spectrum: Spectrum) -> None:
    """Largest, median and smallest singular value of each link, all as faint dots; what is only rounding counts as 0."""
    ax.set_yscale("log")
    rows = [np.where(s > ROUNDED * s[0], s, 0.0) for s in map(np.asarray, spectrum.singular_values)]
    spread(ax, rows, lambda s: np.where(s > 0, s, np.nan), np.log, zero="zero")
    ax.axhline(1, color=GREY, linewidth=0.8)
    ticks(ax, spectrum.links)
    words(ax, "What each link can do to any gradient", "link", "singular values", outside=True)


def running(ax: Any, spectrum: Spectrum, theory: Any = None) -> None:
    """The same of the product so far, in powers of ten; what only the last digits of the links decide is left out."""
    rows = [np.where(known, logs, np.nan) for known, logs in zip(spectrum.known, spectrum.running)]
    spread(ax, rows, decades, lambda logs: np.where(np.isnan(logs), 0.0, logs))
    ax.axhline(0, color=GREY, linewidth=0.8)
    predict(ax, theory, len(spectrum.links))
    ticks(ax, spectrum.stations)
    whole = all(np.all(known) for known in spectrum.known)
    title = f"What the product can do, from {as_text(spectrum.stations[-1])} back{'' if whole else ', where known'}"
    words(ax, title, "station", "log10 of singular values of the product", outside=True)


def spread(ax: Any, rows: Sequence[Any], height: Callable[..., Any], log: Callable[..., Any], zero: str = "exact zero") -> None:
    """Rows of values, largest first: three lines and dots; one line if no row has more than one value."""
    x, rows = np.arange(len(rows)), [np.asarray(row) for row in rows]
    several = max(map(len, rows)) > 1
    if several and sum(map(len, rows)) <= DOTS:
        dots = np.repeat(x, [len(row) for row in rows])
        ax.plot(dots, shown(height(np.concatenate(rows))), ".", color=GREY, alpha=0.7, markersize=5, markeredgewidth=0, label="each")
    lines = [("largest", 0.0, RISE), ("median", 0.5, GREY), ("smallest", 1.0, FALL)] if several else [("the only direction", 0.0, GREY)]
    with np.errstate(all="ignore"):
        for label, part, shade in lines:
            line(ax, x, height(at_part(rows, part)), label, color=shade, marker="o" if len(x) <= 60 else "", markersize=3)
        mark(ax, x, log(at_part(rows, 1.0)), zero)  # the smallest is the first to be zero


def at_part(rows: list[np.ndarray], part: float) -> np.ndarray:
    """Of each row, in order, the value that far along, exactly: 0 the first, 0.5 the middle (of two, the smaller), 1 the last."""
    return np.array([row[math.ceil(part * (len(row) - 1))] for row in rows])


def by_use(ax: Any, uses: Uses, key: str) -> None:
    """Shares as bars, orange where a use pulls against the others; or norms as a line."""
    (x, at), y = places_of(uses), np.array([getattr(use, key) for use in uses])
    if key == "share":
        for where, shade, label in ((~(y < 0), GREEN, "with the whole"), (y < 0, ORANGE, "against it")):
            ax.bar(x[where], shown(y[where]), color=shade, width=BAR[len(x) > 60], label=label if np.any(y < 0) else None)
        ax.axhline(0, color=GREY, linewidth=0.8)
        mark(ax, x, np.where(np.isfinite(y), 0.0, y))
    else:
        line(ax, x, y, "", color=GREY, marker="o", markersize=3)
        rescale(ax, x, y)
    words(ax, f"The gradient of {as_text(uses.weight)}, by {uses.by}", at, OF_USE[key], whole=True)


def one_run(ax: Any, history: History, key: str, named: bool = True) -> None:
    """One quantity over the steps of one run."""
    runs(ax, {"": history}, key, named)


def states(ax: Any, history: History) -> None:
    """The gradient at each time step while training."""
    x, values = over_steps(history, "states")
    length = max(map(len, values))
    with np.errstate(divide="ignore"):
        logs = np.log10([norms + [math.nan] * (length - len(norms)) for norms in values]).T
    scale([ax], cells(ax, logs, x), logs, "log10 |∂loss/∂h[t]|")
    words(ax, f"{counted(history.steps, 'step')} of training", "step", "time t of the state")


def predict(ax: Any, theory: Any, n: int) -> None:
    """What theory says, dashed: a number of nats per link, a function of the links back, or n + 1 log gains, source first."""
    if theory is None:
        return
    back, label = np.arange(n, -1, -1), "theory"
    if callable(theory):
        logs = np.array([float(theory(k)) for k in back.tolist()])
    elif np.ndim(theory) == 0:
        logs, label = float(theory) * back, f"theory, {float(theory):+.3g} nats per link"
    else:
        logs = np.asarray(theory, dtype=float)
    if logs.shape != (n + 1,):
        raise ValueError(f"theory needs one log gain for each of the {n + 1} stations, source first; got shape {logs.shape}")
    line(ax, np.arange(n + 1), decades(logs), label, color=ORANGE, linestyle="--", linewidth=2)


PLOTS: dict[type, dict[str, Callable[..., None]]] = {
    Chain: {"gradient": gradient, "heatmap": heatmap, "blame": blamed},
    Blame: {"blame": blamed},
    Spectrum: {"links": of_links, "running": running},
    Uses: {key: partial(by_use, key=key) for key in ("share", "norm")},
    Reach: {"map": reach_map, "lag": of_one_by_lag},
    History: {key: partial(one_run, key=key) for key in [*PANELS, *NAMED]} | {"states": states, "film": film_map}}
