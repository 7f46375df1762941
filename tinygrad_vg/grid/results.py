"""What came of a grid of runs?  Numbers by point: as arrays, as a mean and a spread over the seeds, as a table, a file, a plot."""

import csv
import io
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..drawing.grids import draw
from ..text.files import checked_path, save_whole
from ..text.lines import clean, cut
from ..text.numbers import around, brief, number, numbers
from ..text.tables import folded
from ..text.tables import table as columns_of

AXES = 56  # columns of a table that the axes keep beside a wide array
Point = dict[str, Any]
Result = Mapping[str, Any]


class Grid:
    """What came of a grid of runs. It prints as a table, and drawing.plot(grid, value) draws it.

    axes     {name: values}                 results  {point as a tuple, in the order of the axes: {name: number or array}}
    failed   {point: error as text}         array(value)  shape: one entry per value of each axis; nan where a cell failed or is missing
    """

    def __init__(self, axes: Mapping[str, Iterable[Any]]):
        self.axes = {name: list(values) for name, values in axes.items()}
        self.results: dict[tuple, Result] = {}
        self.failed: dict[tuple, str] = {}

    @property
    def keys(self) -> Iterator[tuple]:
        """Every point of the grid as a tuple, the last axis running fastest."""
        return itertools.product(*self.axes.values())

    @property
    def plots(self) -> dict[str, Callable[..., None]]:
        """{value that the cells gave: what draws it, for drawing.plot}."""
        return {name: partial(draw, value=name) for result in self.results.values() for name in result}

    def __len__(self) -> int:
        return math.prod(map(len, self.axes.values()))

    def at(self, **fixed: Any) -> "Grid":
        """The part of the grid where these axes have one value each: found.at(leak=0.3). ValueError for one that they do not have."""
        axes = dict(self.axes)
        for name, x in fixed.items():
            axes[name] = [y for y in self.axes.get(name, []) if plain(y) == plain(x)]
            if not axes[name]:
                known = f"it is one of {self.axes[name]}" if name in self.axes else f"the axes are {', '.join(self.axes)}"
                raise ValueError(f"there is no {name} = {x!r}; {known}")
        part = Grid(axes)
        part.results = {key: self.results[key] for key in part.keys if key in self.results}
        part.failed = {key: self.failed[key] for key in part.keys if key in self.failed}
        return part

    def row(self, key: tuple) -> dict[str, Any]:
        """A point and what its cell gave, if it did not fail."""
        return dict(zip(self.axes, map(plain, key))) | dict(self.results.get(key, {}))

    def array(self, value: str) -> np.ndarray:
        """One value over the grid, an axis of the array for each of the grid's, then those of the value itself, if it is an array.

        Arrays shorter than the longest end in nan. KeyError if no cell has the value, ValueError unless it has as many axes in each.
        """
        shapes = [np.shape(result[value]) for result in self.results.values() if value in result]
        if not shapes:
            had = ", ".join(sorted(self.plots)) or ": ".join(["none", *[*self.failed.values()][:1]])
            raise KeyError(f"no cell has a value {value!r}; they have {had}")
        if len({len(shape) for shape in shapes}) > 1:
            raise ValueError(f"{value!r} has not as many axes in each cell; its shapes are {', '.join(map(str, dict.fromkeys(shapes)))}")
        longest = np.max(shapes, axis=0).astype(int).tolist()
        whole = np.full((len(self), *longest), math.nan)
        for k, key in enumerate(self.keys):
            x = self.results.get(key, {}).get(value, math.nan)
            place: tuple[Any, ...] = (k, *map(slice, np.shape(x)))
            whole[place] = x
        return whole.reshape([len(values) for values in self.axes.values()] + longest)

    def mean(self, value: str, over: str = "seed") -> np.ndarray:
        """The array, averaged over one axis, which its shape loses; nan and infinities, as of cells that failed, are left out.

        nan where nothing is left. KeyError if no cell has the value, ValueError if there is no such axis.
        """
        return self.reduced(value, over, np.nanmean)

    def sd(self, value: str, over: str = "seed") -> np.ndarray:
        """The standard deviation in place of the mean, of a sample (n − 1); nan where fewer than two are left."""
        return self.reduced(value, over, partial(np.nanstd, ddof=1))

    def quantile(self, value: str, q: Any, over: str = "seed") -> np.ndarray:
        """The q-quantile in its place, 0 ≤ q ≤ 1; of a list of them the array has one axis more, its first."""
        return self.reduced(value, over, partial(np.nanquantile, q=q))

    def reduced(self, value: str, over: str, by: Callable[..., Any]) -> np.ndarray:
        """The array without one axis, by a function that leaves out nan."""
        if over not in self.axes:
            raise ValueError(f"there is no axis {over!r} to average over; the axes are {', '.join(self.axes)}")
        x = self.array(value)
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of nothing but nan
            return by(np.where(np.isfinite(x), x, math.nan), axis=list(self.axes).index(over))

    def table(self, value: str, over: str = "seed") -> str:
        """Mean ± sd over one axis: a row for each value of the first of the others, a column for each of the second.

        Without an axis `seed` the values alone. Further axes have one value. KeyError if no cell has the value; ValueError if it is
        an array, or if more than two axes have several values: hold them with `at`.
        """
        alone = over == "seed" and over not in self.axes
        mean = self.array(value) if alone else self.mean(value, over)
        sd = np.full_like(mean, math.nan) if alone else self.sd(value, over)
        others = {name: [*map(axis_text, values)] for name, values in self.axes.items() if name != over}
        fixed = [name for name, values in others.items() if len(values) == 1][::-1][: max(0, len(others) - 2)]
        names = [name for name in others if name not in fixed]
        if len(names) > 2 or mean.ndim > len(others):
            raise ValueError(f"a table has two axes; {value!r} is over {', '.join(names)}, {mean.shape}; hold some, with .at(…)")
        rows, columns = [*(others[name] for name in names), [""], [""]][:2]
        heads = [*names[:1], *(f"{name}={x}" for name in names[1:] for x in columns)] if names[1:] else [*names, value]
        cells = np.array([*map(around, mean.flat, sd.flat)]).reshape(len(rows), len(columns))
        averaged = [] if alone else [f"mean ± sd over {over} ({len(self.axes[over])})"]
        title = ", ".join([value, *averaged, *(f"{name} = {others[name][0]}" for name in fixed)])
        return "\n".join([title, columns_of([(x, *row) for x, row in zip(rows, cells.tolist())], heads)])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and text."""
        axes = {name: [numbers(plain(x)) for x in values] for name, values in self.axes.items()}
        failed = {str(key): error for key, error in self.failed.items()}
        return {"axes": axes, "cells": [numbers(self.row(key)) for key in self.keys], "failed": failed}

    def save(self, path: str | os.PathLike[str]) -> None:
        """One row for each cell as a .csv: its point, what it gave, every digit kept, arrays as columns x[0], x[1] …, and its error."""
        place, rows = checked_path(path, (".csv",)), []
        for key in self.keys:
            entries = {f"{name}{list(k) or ''}": x for name, y in self.results.get(key, {}).items() for k, x in np.ndenumerate(y)}
            error = {"failed": self.failed[key]} if key in self.failed else {}
            rows.append(dict(zip(self.axes, map(plain, key))) | entries | error)
        writer = csv.DictWriter(text := io.StringIO(newline=""), dict.fromkeys(name for row in rows for name in row))
        writer.writeheader()
        writer.writerows(rows)
        save_whole(place, text.getvalue().encode())

    def __str__(self) -> str:
        names = [*self.axes, *self.plots]
        cells = [key if isinstance(key, str) else [told(self.row(key).get(name, "")) for name in names] for key in folded(list(self.keys))]
        failures = [cut(clean(f"failed at {key}: {error}"), 80) for key, error in self.failed.items()]
        return "\n".join([columns_of(cells, names, left=len(self.axes), name=AXES // (len(self.axes) or 1)), *folded(failures, most=10)])

    def __repr__(self) -> str:
        done, failed = len(self.results), len(self.failed)
        missing = f", {left} missing" if (left := len(self) - done - failed) else ""
        return f"Grid({' × '.join(f'{len(v)} {k}' for k, v in self.axes.items())}: {done} done, {failed} failed{missing})"


def told(x: Any) -> str:
    """A number, an array, a text or a tuple as a cell of a table."""
    return brief(x) if isinstance(x, np.ndarray) else number(x) if isinstance(x, (int, float)) else str(x)


def axis_text(x: Any) -> str:
    """A value of an axis, with the digits that tell it from others."""
    return number(x, 6) if isinstance(x, (int, float)) else str(x)


def value(x: Any) -> Any:
    """A number or an array of them as floats; nan and infinities may be text."""
    return np.array(np.asarray(x).tolist(), dtype=float) if np.ndim(x) else float(x)


def plain(x: Any) -> Any:
    """One form for equal values of any type, also in tuples: 1.0, True and np.int64(1) are 1."""
    if isinstance(x, (tuple, list)):
        return tuple(map(plain, x))
    x = x.item() if isinstance(x, np.generic) else x
    return int(x) if isinstance(x, bool) or isinstance(x, float) and x.is_integer() else x
