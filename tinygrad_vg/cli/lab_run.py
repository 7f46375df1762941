"""What happens when a program of the lab is run?  It prints as in an interactive session, and what it drew becomes a page.

Called in the browser, by lab_worker.js; nothing here knows of one. Both functions return JSON.
"""

import ast
import contextlib
import json
import linecache
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..chain import Chain
from ..drawing import draw
from ..drawing.drawing import Drawing
from ..exercises import grade
from ..text.lines import wrapped

PROGRAM, ANSWER = "program.py", "answer.py"  # in the current folder, so that tracebacks, inspect and pdb find the lines


def run(source: str) -> str:
    """Run a program, plain or with `>>>` before its lines; bare expressions are printed.

    line  of the program, where an exception left it; 0 if none did     page  of what it drew last, else of its last chain
    note  why there is no page
    """
    drawings: list[Any] = []
    chains: list[Any] = []
    with noticed(Drawing, drawings), noticed(Chain, chains):
        line = executed(unprompted(source))
    try:
        made = drawings or [draw(chain) for chain in chains]
        return json.dumps({"line": line, "page": made[-1].html if made else "", "note": ""})
    except Exception as error:
        return json.dumps({"line": line, "page": "", "note": f"There is no picture: {error}"})


def graded(number: int, source: str) -> str:
    """Grade an answer to an exercise and print what is to be said of it: `passed`, and the `line` to look at, 0 if there is none."""
    Path(ANSWER).write_text(source, encoding="utf-8")
    found = grade(number, ANSWER)
    print(wrapped(str(found), hang=0))
    line = re.search(rf"{ANSWER}(?::|, line )(\d+)", found.words)  # of an answer that does not run, as SyntaxError says it
    return json.dumps({"passed": found.passed, "line": int(line[1]) if line else 0})


def unprompted(source: str) -> str:
    """A session as it stands in the docs without its prompts and answers, every line where it was; any other text as it is."""
    lines = source.splitlines()
    prompted = any(line.startswith(">>> ") for line in lines)
    return "\n".join(line[4:] if line.startswith((">>> ", "... ")) else "" for line in lines) if prompted else source


def executed(source: str) -> int:
    """Run the program. 0, or the line where an exception left it, which is printed as Python prints it."""
    Path(PROGRAM).write_text(source, encoding="utf-8")
    linecache.checkcache(PROGRAM)
    try:
        body = [one for one in ast.parse(source, PROGRAM).body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
        exec(compile(ast.Interactive(body), PROGRAM, "single"), {"__name__": "__main__", "__file__": PROGRAM})
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException as error:
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename != PROGRAM:
            trace = trace.tb_next
        traceback.print_exception(error.with_traceback(trace))
        lines = [n for frame, n in traceback.walk_tb(trace) if frame.f_code.co_filename == PROGRAM]
        return lines[-1] if lines else getattr(error, "lineno", None) or 0
    return 0


@contextlib.contextmanager
def noticed(kind: type, last: list[Any]) -> Iterator[None]:
    """Inside, `last` holds the instance made last, but for those that a chain makes of itself."""
    start: Any = kind.__init__  # type: ignore[misc]

    def started(self: Any, *arguments: Any, **named: Any) -> None:
        start(self, *arguments, **named)
        if not sys._getframe(1).f_globals.get("__name__", "").startswith(Chain.__module__):
            last[:] = [self]

    setattr(kind, "__init__", started)  # noqa: B010
    try:
        yield
    finally:
        setattr(kind, "__init__", start)  # noqa: B010
