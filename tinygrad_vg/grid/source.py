"""What made a result?  The code of its cell, all of your own that the cell reaches by name, and the versions it ran on.

A store keeps this with its cells, so that stale ones can be refused. The code that runs counts (byte code): comments, layout and
docstrings may change. Not seen: files that are read, names looked up as text, the inside of installed libraries.
"""

import hashlib
import sys
from collections.abc import ItemsView, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from .. import __version__

LONG = 24  # characters; of what is longer the hash is kept
EMPTY = "()"  # a list or dictionary that is still empty will collect something: it is no constant


def head_of(cell: Any, axes: Iterable[str]) -> dict[str, Any]:
    """The first line of a store: which cell over which axes, and what makes it. ValueError for a cell without a name of its own."""
    name = getattr(cell, "__qualname__", "<no name>")
    if name.endswith(">"):
        raise ValueError(f"a cell whose results are kept in a file needs a name of its own; write it with def, not as {cell!r}")
    return {"cell": f"{imported(cell.__module__)}.{name}", "axes": [*axes], "made_by": made_by(cell)}


def made_by(cell: Any) -> dict[str, str]:
    """{name: version, value, or hash}: Python, NumPy, this package, the cell, and each function, class and constant that it reaches."""
    found = {"python": "{}.{}".format(*sys.version_info), "numpy": np.__version__, "tinygrad_vg": __version__}
    reached = {f"{imported(cell.__module__)}.{cell.__qualname__}": cell}
    while reached:
        name, thing = reached.popitem()
        if name not in found and (text := described(thing, reached, cell.__module__)) != EMPTY:
            found[name] = text if len(text) <= LONG else f"code {hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return found


def described(x: Any, reached: dict[str, Any], home: str) -> str:
    """x as text, the same in every process. What it names joins `reached`; `home` is the cell's module, looked into wherever it lies."""
    inside = partial(described, reached=reached, home=home)
    x = next((y for key in ("__func__", "fget", "__wrapped__") if isinstance(y := getattr(x, key, None), FunctionType)), x)
    if isinstance(x, (set, frozenset, dict, partial)):
        x = x.items() if isinstance(x, dict) else (x.func, x.args, x.keywords) if isinstance(x, partial) else sorted(map(inside, x))
    if isinstance(x, (list, tuple, ItemsView)):
        return f"({', '.join(map(inside, x))})"
    if isinstance(x, np.ndarray):
        return f"{x.dtype}{x.shape}{hashlib.sha256(x.tobytes()).hexdigest()}"
    if isinstance(x, CodeType):
        return f"{x.co_code.hex()} {x.co_names} {inside(x.co_consts)}"
    kind = x if isinstance(x, (FunctionType, type)) else type(x)
    full, own = f"{imported(kind.__module__)}.{kind.__qualname__}", is_own(kind.__module__, home)
    if own and isinstance(x, FunctionType):
        code, closed = x.__code__, [cell.cell_contents for cell in x.__closure__ or ()]
        reached |= {f"{full}.{name}": y for name, y in zip(code.co_freevars, closed)} | dict(named(x.__globals__, names_in(code), home))
        return inside((code, x.__defaults__, x.__kwdefaults__)).replace(repr(x.__doc__), "")
    if own:
        reached |= {f"{full}.{name}": y for name, y in vars(kind).items() if isinstance(y, FunctionType) or not name.startswith("__")}
    text = inside((x.__bases__, sorted(vars(x)))) if own and isinstance(x, type) else repr(x)
    if x is kind and not own or " at 0x" not in text:
        return full if x is kind and not own else text
    with suppress(RecursionError):  # an object that holds itself is known by its class alone
        return f"{full}{inside(vars(x))}" if own and x is not kind and hasattr(x, "__dict__") else full
    return full


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
    for name in names & scope.keys():
        if not isinstance(scope[name], ModuleType):
            yield f"{imported(scope.get('__name__', ''))}.{name}", scope[name]
        elif is_own(scope[name].__name__, home):
            yield from named(vars(scope[name]), names - {name}, home)


def is_own(module: str, home: str) -> bool:
    """Whether a module is the cell's, or at least belongs neither to Python nor to this package nor to an installed library."""
    top = module.partition(".")[0]
    folders = Path(getattr(sys.modules.get(top), "__file__", None) or "").parts
    return module == home or not ({top} & {"tinygrad_vg", *sys.stdlib_module_names} or {"site-packages", "dist-packages"} & {*folders})
