"""Where are finished cells kept?  In a file of lines: the first says which cell and axes, each other one holds a point and its result.

A line is written at once, so whatever ends the run, no more than the last one is cut short.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..text.numbers import jsonable

Point = dict[str, Any]
Store = str | os.PathLike[str] | None


@contextlib.contextmanager
def kept(store: Store, cell: Any, grid: Any) -> Iterator[Callable[[Point, dict[str, float]], None]]:
    """A function that keeps a finished cell. What the file holds goes into the grid first; a last line cut short is taken off."""
    if store is None:
        yield lambda point, result: None
        return
    name = getattr(cell, "__qualname__", "<no name>")
    if name.endswith(">"):
        raise ValueError(f"a cell whose results are kept in a file needs a name of its own; write it with def, not as {cell!r}")
    head = {"cell": f"{cell.__module__}.{name}", "axes": list(grid.axes)}
    with open(store, "a+", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.seek(0)
        whole = [line for line in file if line.endswith("\n")]
        check_head(whole, head, Path(store))
        take(whole[1:], grid, Path(store))
        file.seek(0)
        file.truncate(len("".join(whole).encode(errors="surrogateescape")))

        def keep(point: Point, result: dict[str, float]) -> None:
            file.write(json.dumps({"point": [plain(x) for x in point.values()], "result": jsonables(result)}) + "\n")
            file.flush()

        if not whole:
            file.write(as_text(head) + "\n")
        yield keep


def check_head(whole: list[str], head: dict[str, Any], store: Path) -> None:
    """ValueError, before anything is changed, if the file is no store of this cell over these axes."""
    try:
        found = json.loads(whole[0]) if whole else {} if store.stat().st_size else head
    except json.JSONDecodeError:
        found = {}
    if found != head:
        what = f"{found['cell']} over {', '.join(found['axes'])}" if isinstance(found, dict) and "cell" in found else "something else"
        raise ValueError(f"{str(store)!r} holds {what}, not {head['cell']} over {', '.join(head['axes'])}; give another file")


def take(lines: list[str], grid: Any, store: Path) -> None:
    """Put the cells of a file into the grid, those of other points left out. ValueError for a line that is no finished cell."""
    wanted = {as_text({"point": [plain(x) for x in point.values()]}): tuple(point.values()) for point in grid.points}
    for number, line in enumerate(lines, 2):
        try:
            saved = json.loads(line)
            key, result = wanted.get(as_text({"point": saved["point"]})), {name: float(x) for name, x in saved["result"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"line {number} of {str(store)!r} is no finished cell; take the line out, and its cell is run again") from None
        if key is not None:
            grid.results[key] = result


def as_text(point: Point) -> str:
    """The same text for the same values, on every machine."""
    return json.dumps({name: plain(x) for name, x in point.items()}, sort_keys=True)


def jsonables(result: Mapping[str, float]) -> dict[str, Any]:
    """nan and infinities as text."""
    return {name: jsonable(x) for name, x in result.items()}


def plain(x: Any) -> Any:
    return x.item() if isinstance(x, np.generic) else x
