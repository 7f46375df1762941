"""Where are finished cells kept?  In a file of lines: the first says what makes them, each other one holds a point and its result.

A line is written at once: whatever ends a run, no more than the last is cut short, and the next to write takes that one off.
Several processes may share a file: each locks the points that it is at, one byte for each, and the operating system takes the locks
from a process that ends, however it ends. (A point's byte is its hash, nearly always beyond the end of the file. On Windows, which has
no such locks, nothing is lost, but each process runs every cell.)
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ..text.files import checked_path
from ..text.numbers import numbers
from .results import Grid, Result, plain, value

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

Place = str | os.PathLike[str]


class Store:
    """Finished cells: those of a file, as far as they are known here.

    head   {"cell": name, "axes": names, "made_by": as of source.made_by}, compared with the file's      stale_ok  as for grid.run
    cells  {point as a tuple: result}                                                                    file      None: memory alone
    """

    def __init__(self, head: dict[str, Any], stale_ok: bool = False, file: Any = None):
        self.head, self.stale_ok, self.file = head, stale_ok, file
        self.cells: dict[tuple, Result] = {}
        self.size, self.lines = 0, 0
        self.lock()
        changed, _ = self.read()
        if file and (changed or not self.lines):
            self.write(head | ({"stale_ok": True} if changed else {}))
        self.unlock()

    def claim(self, key: tuple, wait: bool = False) -> bool:
        """Whether the point is ours to run: it is not finished, and no other process is at it."""
        if key in self.cells or not self.lock(key, wait):
            return False
        self.read()
        if key in self.cells:
            self.unlock(key)
        return key not in self.cells

    def done(self, key: tuple, result: Result | None) -> None:
        """The point is no longer ours; its result, if there is one, is kept. OSError, naming the file, if it cannot be written."""
        if self.file and result is not None:
            self.lock()
            if self.read()[1]:
                self.file.truncate(self.size)
            self.write({"point": plain(key), "result": numbers(result)})
            self.unlock()
            self.cells[key] = result
        self.unlock(key)

    def read(self) -> tuple[dict[str, str], bytes]:
        """Learn what was written since: what `take` gives, and a last line that was cut short."""
        if not self.file:
            return {}, b""
        self.file.seek(self.size)
        content = self.file.read()
        end = content.rfind(b"\n") + 1 or (0 if self.size else len(content))
        self.size += end
        return self.take(content[:end], self.file.name), content[end:]

    def take(self, content: bytes, name: Place) -> dict[str, str]:
        """Put the cells of these lines of a file among ours; {what: how} of what made them and is no longer so.

        ValueError, naming the file, for what is no store of this cell over these axes, a line that is no finished cell, a point with two
        results, and, without stale_ok, for what has changed.
        """
        changed: dict[str, str] = {}
        for line in content.splitlines():
            self.lines += 1
            saved = parsed(line)
            if "cell" in saved or self.lines == 1:
                changed = self.changes(saved, name) | ({} if saved.get("stale_ok") else changed)
                continue
            try:
                key, result = plain(saved["point"]), {x: value(y) for x, y in saved["result"].items()}
                dict(zip(self.head["axes"], key, strict=True))
                old = self.cells.setdefault(key, result)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise ValueError(f"line {self.lines} of {name!r} is no finished cell; take it out, and its cell is run again") from None
            if old is not result and numbers(old) != numbers(result):
                raise ValueError(f"the point {key} gave {numbers(old)} and, in {name!r}, {numbers(result)}; take one of them out")
        if changed and not self.stale_ok:
            told = "; ".join(f"{what} {how}" for what, how in changed.items())
            raise ValueError(f"what {name!r} holds was made otherwise: {told}; give another file, or stale_ok=True to keep all the same")
        return changed

    def changes(self, saved: dict[str, Any], name: Place) -> dict[str, str]:
        """What a head says otherwise than ours; ValueError if it is none of this cell over these axes."""
        saved, self.head = renamed(saved, self.head), renamed(self.head, saved)
        cell, axes, new = self.head.values()
        if saved.get("cell") != cell or saved.get("axes") != axes:
            what = f"{saved['cell']} over {', '.join(saved['axes'])}" if "cell" in saved else "something else"
            raise ValueError(f"{name!r} holds {what}, not {cell} over {', '.join(axes)}; give another file")
        old = saved.get("made_by", dict.fromkeys(new, "unknown"))  # a name that only one has comes with other code that names it
        return {x: f"was {old[x]}, is {new[x]}" for x in new if x in old and old[x] != new[x]}

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, whole."""
        content = json.dumps(line).encode() + b"\n"
        try:
            while content:
                content = content[self.file.write(content) :]
        except OSError as error:
            raise OSError(error.errno, f"a finished cell could not be kept: {error.strerror}", self.file.name) from error
        self.size, self.lines = self.file.tell(), self.lines + 1

    def lock(self, key: tuple = (), wait: bool = True) -> bool:
        """Whether the point, or without one the end of the file, is locked for this process now."""
        try:
            if self.file and fcntl:
                fcntl.lockf(self.file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, byte(key))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def unlock(self, key: tuple = ()) -> None:
        """Gives back the lock on this key's byte; nothing where files cannot be locked."""
        if self.file and fcntl:
            fcntl.lockf(self.file, fcntl.LOCK_UN, 1, byte(key))


@contextmanager
def opened(path: Place | None, head: dict[str, Any], stale_ok: bool = False) -> Iterator[Store]:
    """The store at a path, made if it is missing; without a path, one in memory."""
    with nullcontext() if path is None else open(str(checked_path(path, (".jsonl",))), "a+b", buffering=0) as file:
        yield Store(head, stale_ok, file)


def merge(target: Place, first: Place, *others: Place, stale_ok: bool = False) -> int:
    """Add the cells of several stores, say of several machines, to one, made if it is missing; how many cells it then holds.

    Equal results of one point are one. ValueError, before anything is written, for a first one that is none, for unequal results, for
    stores of other cells or axes and, without stale_ok, of other code or versions.
    """
    paths = [first, *others, *([target] if os.path.exists(target) else [])]
    contents = {os.fspath(path): Path(path).read_bytes() for path in paths}
    found = Store(head_in(contents[os.fspath(first)], first), stale_ok)
    for path, content in contents.items():
        found.lines = 0
        found.take(content[: content.rfind(b"\n") + 1], path)
    with opened(target, found.head, stale_ok) as store:
        for key in [key for key in found.cells if key not in store.cells]:
            store.done(key, found.cells[key])
        return len(store.cells)


def load(path: Place) -> Grid:
    """What a store holds, to be read: it needs no cell, asks not what code made it, and changes nothing.

    The values of an axis are those of the finished cells, numbers in order. Points that are not finished, or failed, are missing.
    ValueError for what is no store, a line that is no finished cell, or stores of several cells in one; FileNotFoundError.
    """
    content = Path(path).read_bytes()
    found = Store(head_in(content, path), stale_ok=True)
    found.take(content[: content.rfind(b"\n") + 1], os.fspath(path))
    axes = {name: dict.fromkeys(key[k] for key in found.cells) for k, name in enumerate(found.head["axes"])}
    numeric = {name: all(isinstance(x, (int, float)) for x in values) for name, values in axes.items()}
    grid = Grid({name: sorted(values) if numeric[name] else values for name, values in axes.items()})
    grid.results = {key: found.cells[key] for key in grid.keys if key in found.cells}
    return grid


def head_in(content: bytes, path: Place) -> dict[str, Any]:
    """The last head in a store; ValueError, naming the file, if it has none."""
    heads = [saved for line in content.splitlines() if "cell" in (saved := parsed(line)) and isinstance(saved.get("axes"), list)]
    if not heads:
        raise ValueError(f"{os.fspath(path)!r} is no store: it has no line that names its cell; give a file that grid.run(store=…) wrote")
    return {name: heads[-1].get(name, {}) for name in ("cell", "axes", "made_by")}


def renamed(head: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A head whose script was known as `__main__`, under the name that the other has for it, if it is of the same cell."""
    name, known = (str(one.get("cell", "")) for one in (head, other))
    if not name.startswith("__main__.") or not known.endswith(name.removeprefix("__main__")):
        return head
    return json.loads(json.dumps(head).replace("__main__.", known.removesuffix(name.removeprefix("__main__."))))


def parsed(line: bytes) -> dict[str, Any]:
    """A line as a dictionary; {} if it is none."""
    try:
        saved = json.loads(line)
    except ValueError:
        return {}
    return saved if isinstance(saved, dict) else {}


def byte(key: tuple) -> int:
    """The number of a point, the same in every process; that of the next seed is the next: many such locks cost little."""
    if not key:
        return 0
    *others, last = plain(key)
    far, near = divmod(last, 2**20) if isinstance(last, int) else (last, 0)
    return 1 + near + (int.from_bytes(hashlib.sha256(json.dumps([others, far]).encode()).digest()[:5], "big") << 20)
