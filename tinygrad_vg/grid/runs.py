"""How does it depend on everything at once?  One run for each point of a grid, on one processor, several, or a cluster.

    axes   {"depth": [10, 20], "scale": [0.9, 1.1], "seed": range(3)}: the grid has a cell for every combination
    cell   a function of one value per axis, defined in a module (workers import it), that returns {name: number or array}

The results are the same however the grid is run: a cell depends on its point alone. If it takes an argument `rng`, it gets a
generator of its own, seeded by its point. Finished cells are kept in a file, one line each, as they come.
"""

import contextlib
import hashlib
import inspect
import itertools
import json
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any

import numpy as np

from ..text.lines import clean
from .results import Grid, Point, Result, plain, value
from .source import head_of
from .store import Place, Store, opened

IN_FLIGHT = 64  # batches handed to an executor and not yet back: a million cells are never all waiting at once
Cell = Callable[..., Result]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
GUARD = 'no worker could start: each imports the script, and runs what is not under `if __name__ == "__main__":`; put grid.processes there'


def run(
    cell: Cell, axes: Mapping[str, Iterable[Any]], *, executor: Executor | None = None, store: Place | None = None, batch: int = 1,
    progress: Callable[[int, int], None] | None = None, stale_ok: bool = False,
) -> Grid:
    """Run the cell at every point of the grid.

    executor  any concurrent.futures.Executor: processes(4), or that of a dask Client, client.get_executor(pure=False); None: here
    store     a .jsonl file to keep finished cells in; what it holds already is not run again (cells that failed are), nor is what
              another process that uses it is at
    batch     cells per task: cells much shorter than 50 ms are better sent in batches
    progress  called with (cells done, cells in all) as they come
    stale_ok  take from the store what other code or versions made, too, and count it as made by these from now on

    A cell that raises is noted in .failed and does not stop the others; if a worker dies, so are all cells that could not be run.
    Before anything is run, TypeError for what is no cell, no axes or no executor, and for axes that the cell does not take, ValueError
    for axes and batches that make no grid, a file that was kept by another cell or grid, and results of other code or versions.
    OSError if the file cannot be written.
    """
    grid = checked(cell, axes, batch, executor)
    with opened(store, head_of(cell, grid.axes) if store else {}, stale_ok) as kept:
        grid.results = {key: kept.cells[key] for key in grid.keys if key in kept.cells}
        left: Iterable[tuple] = grid.keys
        while left:
            points, left = ours(left, grid, kept, busy := list[tuple]()), busy
            for point, result, error in itertools.chain.from_iterable(outcomes(cell, batched(points, batch), executor)):
                kept.done(key := tuple(point.values()), None if error else result)
                grid.failed.update({key: error} if error else {})
                grid.results.update({} if error else {key: result})
                if progress:
                    progress(len(grid.results) + len(grid.failed), len(grid))
            if busy:
                kept.claim(busy[0], wait=True)
    grid.results = {key: grid.results[key] for key in grid.keys if key in grid.results}
    grid.failed = {key: grid.failed[key] for key in grid.keys if key in grid.failed}
    return grid


def ours(keys: Iterable[tuple], grid: Grid, kept: Store, busy: list[tuple]) -> Iterator[Point]:
    """The points that are for us to run; those that another process is at join `busy`."""
    for key in keys:
        if kept.claim(key):
            yield dict(zip(grid.axes, key))
        elif key in kept.cells:
            grid.results[key] = kept.cells[key]
        else:
            busy.append(key)


def batched(points: Iterator[Point], n: int) -> Iterator[list[Point]]:
    """The points in lists of n, the last one shorter."""
    while some := list(itertools.islice(points, n)):
        yield some


def checked(cell: Any, axes: Mapping[str, Iterable[Any]], batch: int, executor: Any) -> Grid:
    """The grid, empty; ValueError or TypeError, in words, for what cannot be run."""
    if not callable(cell) or not isinstance(axes, Mapping):
        raise TypeError(f'run takes a cell, a function, and axes, as in {{"depth": [10, 20], "seed": range(3)}}; got {cell!r}, {axes!r}')
    if not (executor is None or hasattr(executor, "submit")):
        raise TypeError(f"executor is what `with grid.processes(4) as executor:` gives, or another one that has submit(); got {executor!r}")
    if not axes or not isinstance(batch, (int, np.integer)) or batch < 1:
        raise ValueError(f"a grid needs at least one axis, and batches of a whole number of cells, at least one; got {[*axes]}, {batch=}")
    if "rng" in axes:
        raise ValueError("'rng' cannot be an axis: a cell's argument of that name is its own generator; call the axis 'seed'")
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValueError(f"axis {name!r} needs a list of values; got {values!r}")
    fit_names(cell, axes)
    grid = Grid(axes)
    for name, values in grid.axes.items():
        known = dict[Any, Any]()
        for x in values:
            try:
                hash(x), json.dumps(key := plain(x))
            except TypeError:
                key = math.nan
            if key != key or key in known:
                other = f"a number, a text, or a tuple of them; got {x!r}" if key != key else f"there once; got {known[key]!r} and {x!r}"
                raise ValueError(f"a value of axis {name!r} is {other}")
            known[key] = x
    return grid


def fit_names(cell: Any, axes: Iterable[str]) -> None:
    """TypeError if the cell does not take what the axes are called; of a cell that does not tell its arguments nothing is known."""
    try:
        taken = inspect.signature(cell).parameters.values()
    except ValueError:
        return
    unknown = [] if any(p.kind is p.VAR_KEYWORD for p in taken) else [*{*axes} - {p.name for p in taken if p.kind is not p.VAR_POSITIONAL}]
    missing = [p.name for p in taken if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [name for name in missing if name not in {*axes, "rng"}]
    told = [f"{word} {', '.join(names)}" for word, names in (("does not take", sorted(unknown)), ("needs", missing)) if names]
    if told:
        raise TypeError(f"the cell {' and '.join(told)}; it takes {', '.join(p.name for p in taken)}, and the axes are {', '.join(axes)}")


def outcomes(cell: Any, batches: Iterator[list[Point]], executor: Executor | None) -> Iterator[list[tuple]]:
    """The outcomes of the batches, as they come; at most IN_FLIGHT of them are out at once, and Ctrl-C takes those back."""
    if executor is None:
        yield from (run_batch(cell, points) for points in batches)
        return
    out = dict[Future, list[Point]]()
    try:
        while True:
            for points in itertools.islice(batches, IN_FLIGHT - len(out)):
                try:
                    future = executor.submit(run_batch, cell, points)
                except BrokenExecutor as error:
                    (future := Future()).set_exception(error)
                out[future] = points
            if not out:
                return
            for future in wait(out, return_when=FIRST_COMPLETED).done:
                points, failure = out.pop(future), future.exception()
                yield [(point, {}, told(failure)) for point in points] if failure else future.result()
    finally:
        for future in out:
            future.cancel()


def run_batch(cell: Cell, points: list[Point]) -> list[tuple]:
    """What a worker does: each point, with one thread of linear algebra. (point, result, error as text or '')."""
    with one_thread():
        return [run_cell(cell, point) for point in points]


def run_cell(cell: Cell, point: Point) -> tuple[Point, Result, str]:
    """(point, figures, ""); or (point, {}, what went wrong). A cell that takes `rng` gets the point's own."""
    given = {**point, "rng": np.random.default_rng(seed_of(point))} if "rng" in inspect.signature(cell).parameters else point
    try:
        result = cell(**given)
        if not isinstance(result, Mapping) or result.keys() & point.keys():
            raise TypeError(f"a cell returns {{name: number or array}}, with other names than the axes; got {result!r}")
        return point, {str(name): figure(name, x) for name, x in result.items()}, ""
    except Exception as error:
        return point, {}, told(error)


def figure(name: Any, x: Any) -> Any:
    """A value as floats; TypeError, naming it, if it is none."""
    try:
        return value(x)
    except (TypeError, ValueError):
        raise TypeError(f"the value {str(name)!r} is {x!r}; a cell returns numbers and arrays of them") from None


def told(error: BaseException) -> str:
    """An error as one line."""
    if isinstance(error, BrokenExecutor):
        return "not run: a worker died, of this cell or of another one (out of memory?)"
    return clean(f"{type(error).__name__}: {error}")[:300]


def seed_of(point: Point) -> list[int]:
    """Numbers that depend on the point alone: the same in every process and on every machine, and for 1 and 1.0."""
    digest = hashlib.sha256(json.dumps({name: plain(x) for name, x in point.items()}, sort_keys=True).encode()).digest()
    return [int.from_bytes(digest[k : k + 4], "big") for k in range(0, 16, 4)]


def one_thread() -> contextlib.AbstractContextManager:
    """One thread of linear algebra: workers do not fight, sums do not depend on their number. Without threadpoolctl, as it is."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    return threadpool_limits(1)


@contextlib.contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """An executor of so many fresh processes, each with one thread of linear algebra. Call it under `if __name__ == "__main__":`.

    RuntimeError if it is not, or if for another reason no worker can start; ImportError where there are no processes, in a browser.
    """
    from concurrent.futures import ProcessPoolExecutor

    if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that imports a script, which calls this: no guard
        sys.exit(1)  # its parent says why
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read when a worker imports NumPy
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
            pool.submit(os.getpid).result()
            yield pool
    except BrokenExecutor:
        raise RuntimeError(GUARD) from None
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def end_with_parent() -> None:
    """Let a worker end when its parent does, however it ends: on its own it would wait for ever."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
