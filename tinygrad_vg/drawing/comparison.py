"""How do several compare?  Chains, spectra, uses or runs of one kind as curves in one figure, each in its colour, by name.

The colours are colour-blind safe and readable on white and on black; markers and, from the sixth curve on, dashes tell them apart, too.

    things  name → Chain, Spectrum, Uses, Reach or History
    x       time step or layer where the names of the stations tell it, else the number
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..chain import Chain, Reach, Spectrum, Uses
from ..training.history import History
from .axes import as_text, decades, line, mark, rescale, words
from .colours import BLAME, GREY, SHADES
from .elements import counted
from .reaches import reach_maps

NAMED = {"gradients": "|gradient| of each", "ratios": "|Δw| / |w|", "radii": "spectral radius", "nats": "all links, nats", "gates": "open"}
PANELS = {"loss": "loss", "norm": "|gradient|", "lr": "learning rate", "factor": "clipping factor"}
OF_USE = {"share": "share of the gradient", "norm": "|gradient| of the use"}
MARKERS, MARKED, DASHES = "os^DX", 60, ("-", "--", ":", "-.")  # signs on curves of at most that many points
MOST_NAMES = 20  # in a legend
BLAMED = {kind.removesuffix(" size"): shade for kind, shade in BLAME.items()}


def curve(ax: Any, k: int, x: np.ndarray, y: np.ndarray, label: str, shade: str = "") -> str:
    """The k-th curve, in the colour returned."""
    shade = shade or SHADES[k % len(SHADES)]
    look = {"marker": MARKERS[k % len(MARKERS)] if len(x) <= MARKED else "", "linestyle": DASHES[k // len(SHADES) % len(DASHES)]}
    line(ax, x, y, label, color=shade, markersize=4, linewidth=1.6, **look)
    return shade


def marked(ax: Any, k: int, x: np.ndarray, y: np.ndarray, label: str) -> None:
    """A curve of logarithms; what has none stands at the edge, in the colour of the curve."""
    mark(ax, x, y, shade=curve(ax, k, x, y, label))


def gradients(ax: Any, chains: dict[Any, Chain]) -> None:
    """log10 |gradient| at each station, and what a link takes or gives on average."""
    told = [times(chain) for chain in chains.values()]
    for k, ((name, chain), x) in enumerate(zip(chains.items(), told)):
        at = np.arange(len(chain.links) + 1) if None in told else np.array(x, dtype=float)
        marked(ax, k, at, decades(chain.log_product), as_text(str(name)) + per_link(chain))
    below = "station" if None in told else "time step or layer"
    words(ax, "The gradient on its way back", below, "log10 (|gradient| / |seed|)", whole=True)


def per_link(chain: Chain) -> str:
    """", -0.21 nats per link", the mean over the chain; "" if its gain is 0, inf or nan."""
    whole, n = chain.log_product[0], len(chain.links)
    return f", {whole / n:+.3g} nats per link" if n and math.isfinite(whole) else ""


def times(chain: Chain) -> list[int] | None:
    """The first index in the name of each station, if it grows from each to the next; source and output without one stand beside."""
    found: list[Any] = [name.index[0] if (name := first.name) and name.index else None for first, *_ in chain.stations]
    if len(found) > 1:
        found[0] = found[1] - 1 if found[0] is None and found[1] is not None else found[0]
        found[-1] = found[-2] + 1 if found[-1] is None and found[-2] is not None else found[-1]
    return found if None not in found and all(a < b for a, b in pairwise(found)) else None


def largest(ax: Any, spectra: dict[Any, Spectrum], running: bool) -> None:
    """The largest singular value of each link; or of the product so far, in powers of ten."""
    for k, (name, spectrum) in enumerate(spectra.items()):
        y = np.array([row[0] for row in (spectrum.running if running else spectrum.singular_values)])
        (marked if running else curve)(ax, k, np.arange(len(y)), decades(y) if running else y, as_text(str(name)))
    ax.axhline(0 if running else 1, color=GREY, linewidth=0.8)
    if running:
        words(ax, "What each product can do", "station", "log10 of the largest singular value of the product", whole=True)
    else:
        words(ax, "What each link can do to any gradient", "link", "largest singular value", whole=True)


def by_use(ax: Any, several: dict[Any, Uses], key: str) -> None:
    """What each use of a shared weight contributes."""
    places = [places_of(uses) for uses in several.values()]
    together(ax, [(x, [getattr(use, key) for use in several[name]], name) for (x, _), name in zip(places, several)], scaled=key == "norm")
    if key == "share":
        ax.axhline(0, color=GREY, linewidth=0.8)
    heading = next(iter(several.values())).by
    words(ax, f"The gradient of a shared weight, by {heading}", places[0][1], OF_USE[key], whole=True)


def places_of(uses: Uses) -> tuple[np.ndarray, str]:
    """Where the uses stand, by their index if each has its own, else by their number; and what that is."""
    index = [use.index for use in uses]
    if len(set(index)) < len(index):
        return np.arange(1, len(index) + 1), "use, oldest first"
    return np.array(index), "lag: steps before the last" if uses.by == "lag" else "time step"


def by_lag(ax: Any, reaches: dict[Any, Reach]) -> None:
    """The mean of |∂L/∂h| at each lag."""
    lags(ax, [(name, reach, "log_mean") for name, reach in reaches.items()])


def of_one_by_lag(ax: Any, reach: Reach) -> None:
    """The mean over all pairs, and the geometric mean of those that are not 0."""
    lags(ax, [("mean", reach, "log_mean"), ("typical", reach, "log_typical")])


def lags(ax: Any, curves: list[tuple[Any, Reach, str]]) -> None:
    """Curves by lag, in powers of ten: a name, of what, and which mean."""
    for k, (name, reach, key) in enumerate(curves):
        rows = reach.by_lag()
        marked(ax, k, np.array([row.lag for row in rows]), decades([getattr(row, key) for row in rows]), as_text(str(name)))
    words(ax, "What of a loss reaches the state so many steps before", "lag: steps back", "log10 of the mean |∂L/∂h|", whole=True)


def runs(ax: Any, histories: dict[Any, History], key: str, named: bool = True) -> None:
    """One quantity over the steps of training, of one run, "", or of several; of a run's parameters, gates, … a curve each."""
    curves: list[tuple[np.ndarray, Any, Any]] = []
    for name, run in histories.items():
        x, values = over_steps(run, key, name)
        if key in NAMED:
            parts = dict.fromkeys(part for found in values for part in found)
            curves += [(x, [found.get(part, math.nan) for found in values], part) for part in parts]
        else:
            curves.append((x, values, name if named else ""))
    together(ax, curves, nats=key == "nats")
    if key in ("lr", "factor") and ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0)
    title = "Training" if len(histories) > 1 else f"{counted(run.steps, 'step')} of training"
    words(ax, title, "step", (PANELS | NAMED)[key], outside=True)


def together(ax: Any, curves: list[tuple[np.ndarray, Any, Any]], scaled: bool = True, nats: bool = False) -> None:
    """Curves on one axis, logarithmic if sizes differ more than a thousandfold."""
    for k, (x, y, name) in enumerate(curves):
        curve(ax, k, x, np.asarray(y, dtype=float), as_text(str(name)) if k < MOST_NAMES else "", BLAMED[name] if nats else "")
    if scaled and curves:
        rescale(ax, *(np.concatenate(parts) for parts in list(zip(*curves))[:2]))


def over_steps(run: History, key: str, name: str = "") -> tuple[np.ndarray, Any]:
    """The steps at which a quantity was recorded, and what was. ValueError if it was not."""
    if not recorded(run, key):
        there = ", ".join(one for one in (*PANELS, *NAMED, "states") if recorded(run, one)) or "nothing"
        raise ValueError(f"{f'the History {name!r}' if name else 'this History'} has no {key!r}; recorded: {there}")
    if key == "loss":
        return np.arange(1, run.steps + 1), run.losses
    records = [record for record in (*run.records, *run.film) if key in record]
    return np.array([record["step"] for record in records]), [record[key] for record in records]


def recorded(run: History, key: str) -> bool:
    """Whether the run has kept this quantity at any step."""
    return bool(run.losses) if key == "loss" else any(key in record for record in (*run.records, *run.film))


COMPARED: dict[type, dict[str, Callable[..., None]]] = {
    Chain: {"gradient": gradients},
    Spectrum: {"links": partial(largest, running=False), "running": partial(largest, running=True)},
    Uses: {key: partial(by_use, key=key) for key in ("share", "norm")},
    Reach: {"map": reach_maps, "lag": by_lag},
    History: {key: partial(runs, key=key) for key in PANELS}}
