"""What made a result?  The code of its cell, all of your own that the cell reaches by name, and the versions it ran on.

A store keeps this with its cells, so that stale ones can be refused. The code that runs counts (byte code): comments, layout and
docstrings may change. Not seen: files that are read, names looked up as text, the inside of installed libraries. This package counts
as installed in site-packages; elsewhere it may be edited, and each of its files counts as it is.
"""

import hashlib
import sys
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, cached_property, partial, partialmethod
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .. import __version__

LONG = 24  # characters; of what is longer the hash is kept
EMPTY = "()"  # a list or dictionary that is still empty will collect something: it is no constant
LIBRARIES = {"site-packages", "dist-packages"}
PARTS: dict[type, tuple[str, ...]] = {
    partial: ("func", "args", "keywords"), partialmethod: ("func", "args", "keywords"), MethodType: ("__func__", "__self__"),
    property: ("fget", "fset"), cached_property: ("func",), staticmethod: ("__func__",), classmethod: ("__func__",),
    type(cache(len)): ("__wrapped__",)}  # fmt: skip


def head_of(cell: Any, axes: Iterable[str]) -> dict[str, Any]:
    """The first line of a store: which cell over which axes, and what makes it. ValueError for a cell without a name of its own."""
    name = getattr(cell, "__qualname__", "<no name>")
    if name.endswith(">"):
        raise ValueError(f"a cell whose results are kept in a file needs a name of its own; write it with def, not as {cell!r}")
    return {"cell": f"{imported(cell.__module__)}.{name}", "axes": [*axes], "made_by": made_by(cell)}


def made_by(cell: Any) -> dict[str, str]:
    """{name: version, value, or hash}: Python, NumPy, this package, the cell, and each function, class and constant that it reaches."""
    found = {"python": "{}.{}".format(*sys.version_info), "numpy": np.__version__, "tinygrad_vg": version(Path(__file__).parents[1])}
    reached, texts = {f"{imported(cell.__module__)}.{cell.__qualname__}": cell}, dict[int, str]()
    while reached:
        name, thing = reached.popitem()
        if name not in found:
            text = texts[id(thing)] = texts.get(id(thing)) or described(thing, name, reached, cell.__module__)
            brief = len(text) <= LONG and "code " not in text
            found |= {} if text == EMPTY else {name: text if brief else f"code {hashlib.sha256(text.encode()).hexdigest()[:8]}"}
    return found


@cache
def version(package: Path) -> str:
    """This package's version; if it is not installed among the libraries, where it may be edited, with a hash of its files."""
    if LIBRARIES & {*package.parts}:
        return __version__
    files = (path.read_bytes() for path in sorted(package.rglob("*.py")))
    return f"{__version__} {hashlib.sha256(b''.join(files)).hexdigest()[:8]}"


def described(x: Any, name: str, reached: dict[str, Any], home: str) -> str:
    """x as text, the same in every process. What it names joins `reached`.

    name  how x was reached: what a function closes over is named after it      home  the cell's module, looked into wherever it lies
    """
    inside = partial(described, name=name, reached=reached, home=home)
    if parts := next((parts for kind, parts in PARTS.items() if isinstance(x, kind)), ()):
        x = [getattr(x, part) for part in parts]
    if isinstance(x, (set, frozenset, Mapping)):
        x = x.items() if isinstance(x, Mapping) else sorted(map(inside, x))
    if isinstance(x, (list, tuple, ItemsView)):
        return f"({', '.join(inside(y, name=f'{name}[{k}]') for k, y in enumerate(x))})"
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{x.shape}{hashlib.sha256(x.tobytes()).hexdigest()}"
    if isinstance(x, CodeType):
        return f"code {x.co_code.hex()} {x.co_names} {inside(x.co_consts)}"
    kind = x if isinstance(x, (FunctionType, type)) else type(x)
    full, own = f"{imported(kind.__module__)}.{kind.__qualname__}", is_own(kind.__module__, home)
    if own and isinstance(x, FunctionType):
        reached |= {f"{name}.{key}": y for key, y in held(x)} | dict(named(x.__globals__, names_in(x.__code__), home))
        return inside((x.__code__, x.__defaults__, x.__kwdefaults__)).replace(repr(x.__doc__), "")
    if own:
        reached |= {f"{full}.{key}": y for key, y in vars(kind).items() if isinstance(y, FunctionType) or not key.startswith("__")}
    text = inside((x.__bases__, sorted(vars(x)))) if own and isinstance(x, type) else repr(x)
    if x is kind and not own or " at 0x" not in text:
        return full if x is kind and not own else text
    with suppress(RecursionError):  # an object that holds itself is known by its class alone
        return f"{full}{inside(vars(x))}" if own and x is not kind and hasattr(x, "__dict__") else full
    return full


def held(f: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function closes over; what else it wraps; and, of a functools.singledispatch, its other forms."""
    closed = dict(zip(f.__code__.co_freevars, [cell.cell_contents for cell in f.__closure__ or ()]))
    more = [(name, vars(f)[name]) for name in ("__wrapped__", "registry") if name in vars(f)]
    yield from closed.items()
    yield from ((name, x) for name, x in more if not any(x is y for y in closed.values()))


def imported(module: str) -> str:
    """The name under which a module is imported: of the script that runs, `__main__`, its stem; a notebook has no other."""
    main = sys.modules.get(module) if module == "__main__" else None
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return spec.name if spec else Path(file).stem if file else module


def names_in(code: CodeType) -> set[str]:
    """Every name in a code, and in the codes within."""
    return {*code.co_names}.union(*(names_in(x) for x in code.co_consts if isinstance(x, CodeType)))


def named(scope: dict[str, Any], names: set[str], home: str) -> Iterator[tuple[str, Any]]:
    """What these names stand for in a module, and in modules of your own that it names."""
    for name in sorted(names & scope.keys()):
        if not isinstance(scope[name], ModuleType):
            yield f"{imported(scope.get('__name__', ''))}.{name}", scope[name]
        elif is_own(scope[name].__name__, home):
            yield from named(vars(scope[name]), names - {name}, home)


def is_own(module: str, home: str) -> bool:
    """Whether a module is the cell's, or at least belongs neither to Python nor to this package nor to an installed library."""
    top = module.partition(".")[0]
    folders = Path(getattr(sys.modules.get(top), "__file__", None) or "").parts
    return module == home or not ({top} & {"tinygrad_vg", *sys.stdlib_module_names} or LIBRARIES & {*folders})
