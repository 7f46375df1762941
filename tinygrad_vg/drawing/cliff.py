"""What does an exploding gradient do to a step?  The loss along one weight, and the steps an optimiser took on it, numbered.

A wall in the loss, and beside it a flat floor: a step that touches the wall is thrown far out ("On the difficulty of training recurrent
neural networks", Pascanu, Mikolov & Bengio 2013, figure 6); with clipping it stays.

    w  weight
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff.core import plain
from .axes import HUGE, as_text, line, new_axes, outline, rescale, words
from .colours import DARK, FALL, PALE, RISE
from .elements import counted
from .terminal import sequence

MOST, NEAR = 30, 14.0  # the most numbers beside steps, and how near to each other, in pixels
EDGE = 0.02  # of the width: how close to the edge a step stands that is outside


def cliff(loss_of: Callable[[float], Any], weights: Any, path: Any = None, *, ax: Any = None, name: str = "weight") -> Any:
    """Draw loss_of(w) over the weights, and on it the positions in path, numbered from 0; return the Figure.

    loss_of  w → the loss, a number or a node with one     weights  (n,) positions, in any order
    path     (k,) positions visited; one outside the weights stands at the edge, with its value beside it
    ax       draw into these axes; the figure returned is theirs      name  of the weight, for the axis

    The loss axis is logarithmic where losses differ more than a thousandfold. A loss too large for the axis, above 1e250 or beyond
    what a float holds, is a mark at its edge, and so is one that is no number. ImportError without matplotlib, ValueError without weights.
    """
    x = np.sort(sequence(weights))
    y = losses(loss_of, x)
    ax = new_axes()[0] if ax is None else ax
    line(ax, x, y, "", color=FALL)
    rescale(ax, x, y)
    steps = ""
    if path is not None and len(path):
        walk(ax, loss_of, sequence(path), x, y)
        steps = f", {counted(len(path) - 1, 'step')}"
    words(ax, f"The loss along {as_text(name)}{steps}", as_text(name), "loss")
    return ax.figure


def losses(loss_of: Callable[[float], Any], weights: np.ndarray) -> np.ndarray:
    """loss_of each weight; inf where Python's floats overflow, nan where it is not defined."""
    found = []
    with np.errstate(all="ignore"):
        for w in weights.tolist():
            try:
                found.append(float(plain(loss_of(w))))
            except (OverflowError, FloatingPointError):
                found.append(math.inf)
            except (ValueError, ZeroDivisionError):
                found.append(math.nan)
    return np.array(found)


def walk(ax: Any, loss_of: Callable[[float], Any], path: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Dots where the optimiser was, arrows from each to the next; what lies outside the picture, at its edge."""
    finite, margin = y[np.abs(y) <= HUGE] if np.any(np.abs(y) <= HUGE) else np.ones(1), EDGE * (x[-1] - x[0])
    at = np.clip(np.where(np.isnan(path), x[-1] + margin, path), x[0] - margin, x[-1] + margin)
    found = losses(loss_of, path)
    up = np.clip(np.where(np.isnan(found), math.inf, found), finite.min(), finite.max())
    arrow = dict(arrowstyle="-|>", color=RISE, alpha=0.7, linewidth=1, shrinkA=3, shrinkB=3, connectionstyle="arc3,rad=-0.15")
    ax.plot(at, up, "o", color=RISE, markersize=5, markeredgecolor=PALE, zorder=4, label="steps of the optimiser")
    ax.get_xlim(), ax.get_ylim()  # asked for, they are brought up to date
    pixels = ax.transData.transform(np.column_stack([at, up]))
    for k in range(len(path) - 1):
        if math.dist(pixels[k], pixels[k + 1]) >= NEAR:
            ax.annotate("", (at[k + 1], up[k + 1]), (at[k], up[k]), arrowprops=arrow)
    for k in apart(pixels):
        text = f"{k}" if x[0] <= path[k] <= x[-1] else f"{k}: at {path[k]:.3g}"
        look = {"ha": "right" if at[k] > x[-1] else "left", "fontsize": 9, "color": DARK, "path_effects": outline(2), "zorder": 6}
        away = (-6 if at[k] > x[-1] else 5, -13 if up[k] == finite.max() else 5)
        ax.annotate(text, (at[k], up[k]), away, textcoords="offset points", **look)


def apart(pixels: np.ndarray) -> list[int]:
    """Which steps get a number: the last and the first, and others not too near to one that has one."""
    kept: list[int] = []
    for k in [len(pixels) - 1, *range(len(pixels) - 1)]:
        if len(kept) < MOST and all(math.dist(pixels[k], pixels[other]) >= NEAR for other in kept):
            kept.append(k)
    return kept
