"""How does it depend on everything at once?  One run for each point of a grid, on one processor, several, or a cluster.

    axes   {"depth": [10, 20], "scale": [0.9, 1.1], "seed": range(3)}: the grid has a cell for every combination
    cell   a function of one value per axis, defined in a module (workers import it), that returns {name: number}

The results are the same however the grid is run: a cell depends on its point alone. If it takes an argument `rng`, it gets a
generator of its own, seeded by its point. Finished cells are kept in a file, one line each, as they come.
"""

import contextlib
import hashlib
import inspect
import itertools
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import Any

import numpy as np

from ..text.lines import clean, cut
from ..text.numbers import number
from ..text.tables import records
from .store import Point, Store, as_text, jsonables, kept, plain

IN_FLIGHT = 64  # batches handed to an executor and not yet back: a million cells are never all waiting at once
Cell = Callable[..., Mapping[str, float]]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Grid:
    """What came of a grid of runs.

    axes     {name: values}                 results  {point as a tuple, in the order of the axes: {name: number}}
    failed   {point: error as text}         array(value)  shape: one entry per value of each axis; nan where a cell failed
    """

    def __init__(self, axes: Mapping[str, Iterable[Any]]):
        self.axes = {name: list(values) for name, values in axes.items()}
        self.results: dict[tuple, dict[str, float]] = {}
        self.failed: dict[tuple, str] = {}

    @property
    def points(self) -> Iterator[Point]:
        """Every point of the grid, the last axis running fastest."""
        return (dict(zip(self.axes, values)) for values in itertools.product(*self.axes.values()))

    def __len__(self) -> int:
        return math.prod(map(len, self.axes.values()))

    def at(self, point: Point) -> dict[str, float]:
        """What the cell at a point gave; {} if it failed."""
        return self.results.get(tuple(point.values()), {})

    def array(self, value: str) -> np.ndarray:
        """One value over the grid, an axis of the array for each of the grid's; KeyError if no cell has it."""
        if not any(value in result for result in self.results.values()):
            raise KeyError(f"no cell has a value {value!r}; they have {', '.join(sorted(set().union(*self.results.values()))) or 'none'}")
        flat = [self.at(point).get(value, math.nan) for point in self.points]
        return np.array(flat, dtype=float).reshape([len(values) for values in self.axes.values()])

    def mean(self, value: str, over: str) -> np.ndarray:
        """The array, averaged over one axis, which its shape loses; nan and infinities, as of cells that failed, are left out.

        nan where nothing is left. KeyError if no cell has the value, ValueError if there is no such axis.
        """
        if over not in self.axes:
            raise ValueError(f"there is no axis {over!r} to average over; the axes are {', '.join(self.axes)}")
        x, axis = self.array(value), list(self.axes).index(over)
        known = np.isfinite(x)
        with np.errstate(invalid="ignore"):
            return np.where(known, x, 0.0).sum(axis) / known.sum(axis)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and text."""
        axes = {name: list(map(plain, values)) for name, values in self.axes.items()}
        cells = [{name: plain(x) for name, x in point.items()} | jsonables(self.at(point)) for point in self.points]
        return {"axes": axes, "cells": cells, "failed": {str(key): error for key, error in self.failed.items()}}

    def __str__(self) -> str:
        rows = [{**point, **self.at(point)} for point in self.points]
        cells = records([{name: number(x) if isinstance(x, (int, float)) else str(x) for name, x in row.items()} for row in rows], left=0)
        return "\n".join([cells, *(cut(clean(f"failed at {key}: {error}"), 80) for key, error in self.failed.items())])

    def __repr__(self) -> str:
        return f"Grid({' × '.join(f'{len(v)} {k}' for k, v in self.axes.items())}: {len(self.results)} done, {len(self.failed)} failed)"


def run(
    cell: Cell, axes: Mapping[str, Iterable[Any]], *, executor: Executor | None = None, store: Store = None, batch: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Grid:
    """Run the cell at every point of the grid.

    executor  any concurrent.futures.Executor: processes(4), or that of a dask Client, client.get_executor(pure=False); None: here
    store     a .jsonl file to keep finished cells in; what it holds already is not run again (cells that failed are)
    batch     cells per task: cells much shorter than 50 ms are better sent in batches
    progress  called with (cells done, cells in all) as they come

    A cell that raises is noted in .failed and does not stop the others; if a worker dies, so are all cells that could not be run.
    ValueError, before anything is run, for axes and batches that make no grid, and a file that was kept by another cell or grid.
    """
    grid = checked(axes, batch)
    with kept(store, cell, grid) as keep:
        kept_before = set(grid.results)
        todo = (point for point in grid.points if tuple(point.values()) not in kept_before)
        batches = iter(lambda: list(itertools.islice(todo, batch)), [])
        for point, result, error in itertools.chain.from_iterable(outcomes(cell, batches, executor)):
            if error:
                grid.failed[tuple(point.values())] = error
            else:
                grid.results[tuple(point.values())] = result
                keep(point, result)
            if progress:
                progress(len(grid.results) + len(grid.failed), len(grid))
    grid.results = {key: grid.results[key] for key in itertools.product(*grid.axes.values()) if key in grid.results}
    return grid


def checked(axes: Mapping[str, Iterable[Any]], batch: int) -> Grid:
    """The grid, empty; ValueError, in words, for what cannot be run."""
    if not axes or not isinstance(batch, (int, np.integer)) or batch < 1:
        raise ValueError(f"a grid needs at least one axis, and batches of a whole number of cells, at least one; got {[*axes]}, {batch=}")
    if "rng" in axes:
        raise ValueError("'rng' cannot be an axis: a cell's argument of that name is its own generator; call the axis 'seed'")
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValueError(f"axis {name!r} needs a list of values; got {values!r}")
    grid = Grid(axes)
    for name, value in ((name, value) for name, values in grid.axes.items() for value in values):
        try:
            hash(value), as_text({name: value})
        except TypeError:
            raise ValueError(f"a value of axis {name!r} is a number, a text, or a tuple of them; got {value!r}") from None
    return grid


def outcomes(cell: Any, batches: Iterator[list[Point]], executor: Executor | None) -> Iterator[list[tuple]]:
    """The outcomes of the batches, as they come; at most IN_FLIGHT of them are out at once, and Ctrl-C takes those back."""
    if executor is None:
        yield from (run_batch(cell, points) for points in batches)
        return
    out = dict[Future, list[Point]]()
    try:
        while True:
            for points in itertools.islice(batches, IN_FLIGHT - len(out)):
                out[submitted(executor, cell, points)] = points
            if not out:
                return
            for future in wait(out, return_when=FIRST_COMPLETED).done:
                points, error = out.pop(future), future.exception()
                yield future.result() if error is None else [(point, {}, told(error)) for point in points]
    finally:
        for future in out:
            future.cancel()


def submitted(executor: Executor, cell: Any, points: list[Point]) -> Future:
    """A future of the batch; one that has failed already if the executor's workers have died."""
    try:
        return executor.submit(run_batch, cell, points)
    except BrokenExecutor as error:
        failed: Future = Future()
        failed.set_exception(error)
        return failed


def run_batch(cell: Cell, points: list[Point]) -> list[tuple]:
    """What a worker does: each point, with one thread of linear algebra. (point, result, error as text or '')."""
    with one_thread():
        return [run_cell(cell, point) for point in points]


def run_cell(cell: Cell, point: Point) -> tuple[Point, dict[str, float], str]:
    given = {**point, "rng": np.random.default_rng(seed_of(point))} if "rng" in inspect.signature(cell).parameters else point
    try:
        return point, {name: float(x) for name, x in cell(**given).items()}, ""
    except Exception as error:
        return point, {}, told(error)


def told(error: BaseException) -> str:
    """An error as one line."""
    if isinstance(error, BrokenExecutor):
        return "not run: a worker died, of this cell or of another one (out of memory?)"
    return clean(f"{type(error).__name__}: {error}")[:300]


def seed_of(point: Point) -> list[int]:
    """Numbers that depend on the point alone: the same in every process and on every machine."""
    digest = hashlib.sha256(as_text(point).encode()).digest()
    return [int.from_bytes(digest[k : k + 4], "big") for k in range(0, 16, 4)]


def one_thread() -> contextlib.AbstractContextManager:
    """One thread of linear algebra: workers do not fight, sums do not depend on their number. Without threadpoolctl, as it is."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    return threadpool_limits(1)


@contextlib.contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """An executor of so many fresh processes, each with one thread of linear algebra. Call it under `if __name__ == "__main__":`."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read when a worker imports NumPy
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of a dask cluster at tcp://host:port, or, at "local", of one made here of two workers with a thread each."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError('a cluster needs dask: pip install -e ".[cluster]"') from error
    with contextlib.ExitStack() as stack:
        if address == "local":
            address = stack.enter_context(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
        client = stack.enter_context(Client(address))
        yield stack.enter_context(client.get_executor(pure=False))
