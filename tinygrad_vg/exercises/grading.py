"""Is an answer right, and if not, what is wrong, and at which line?

The function is called on case after case. While it runs it is watched: which lines of its file ran, which returned last,
and for how long.
"""

import ast
import contextlib
import inspect
import linecache
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .. import Node, Scalar, history

Case = tuple[tuple, Any]  # arguments, and the right answer
WITHIN, CASES, SECONDS = 1e-9, 20, 5.0


class Fault(NamedTuple):
    """What is wrong, in words, and what the statement looks like that may be to blame. By default it is the last one that returned."""

    words: str
    suspect: Callable[[ast.stmt], bool] = lambda statement: False


def numbers(given: Any, wanted: Any, *_: Any, within: float = WITHIN, what: str = "the answer") -> Fault | None:
    """How numbers or arrays differ by more than `within`, relative to their size; None if they do not."""
    given, wanted = np.asarray(given, dtype=float), np.asarray(wanted, dtype=float)
    if given.shape != wanted.shape:
        return Fault(f"{what} has shape {given.shape}, wanted {wanted.shape}")
    if not np.all(np.abs(given - wanted) <= within * np.maximum(np.abs(wanted), 1e-3)):
        digits = 5 if rounded(given, 5) != rounded(wanted, 5) else 12
        space = "\n" if given.ndim else " "
        return Fault(f"{what} is {rounded(given, digits)},{space}wanted {rounded(wanted, digits)}{likeness(given, wanted)}")
    return None


def likeness(given: np.ndarray, wanted: np.ndarray) -> str:
    """That a wrong answer has the right numbers, but elsewhere; else ''."""
    if wanted.ndim == 2 and given.T.shape == wanted.shape and np.allclose(given.T, wanted, rtol=WITHIN):
        return "; transposed it would be right"
    return "; the right numbers, in another order" if wanted.ndim == 1 and np.allclose(np.sort(given), np.sort(wanted), rtol=WITHIN) else ""


class Exercise(NamedTuple):
    """A function to write.

    answer  a right answer; its docstring is the question      cases(rng)  arguments and right answers, without end
    hint    where to start      check(given, wanted, *arguments)  what is wrong with what was given: a Fault, or None
    slips   {what to say: a wrong answer that many have given}
    uses    answers to earlier exercises that it calls      times  how many cases      right  what is said when all are right
    """

    answer: Callable
    cases: Callable[[Any], Iterator[Case]]
    hint: str
    check: Callable[..., Fault | None] = numbers
    uses: tuple[Callable, ...] = ()
    times: int = CASES
    right: str = "{name} is what the engine says"
    slips: Mapping[str, Callable] = MappingProxyType({})

    @property
    def name(self) -> str:
        """The name that the learner's function must have."""
        return self.answer.__name__

    @property
    def arguments(self) -> str:
        """The names of its arguments, as in `def`: "w, x, b"; not of those with a default."""
        return ", ".join(name for name, x in inspect.signature(self.answer).parameters.items() if x.default is x.empty)

    @property
    def head(self) -> str:
        """The line it begins with, but for the colon."""
        return f"class {self.name}" if isinstance(self.answer, type) else f"def {self.name}({self.arguments})"

    @property
    def solution(self) -> str:
        """A right answer, the text of a whole Python file."""
        texts = [inspect.getsource(function) for function in (*self.uses, self.answer)]
        ours = [name for name in ("Chain", "history") if f"{name}(" in "".join(texts)]
        heads = ["import numpy as np\n"] * ("np." in "".join(texts)) + [f"from tinygrad_vg import {', '.join(ours)}\n"] * bool(ours)
        return "\n\n".join(["\n".join(heads)] * bool(heads) + texts)

    def __str__(self) -> str:
        return f"Write  {self.head}\n\n{inspect.getdoc(self.answer)}"

    def __repr__(self) -> str:  # without the answer and the hint
        return str(self)


class Grade(NamedTuple):
    """passed, and in words why, or what went wrong and where."""

    passed: bool
    words: str

    def __str__(self) -> str:
        return self.words


def judged(exercise: Exercise, function: Any) -> Grade:
    """The grade of a function: of the first case that goes wrong it says what, at which line, and for which arguments."""
    if not callable(function):
        what = exercise.head.replace("def", "function")
        return Grade(False, f"there is no {what} yet; define it in your file")
    for k, (arguments, wanted) in zip(range(exercise.times), exercise.cases(np.random.default_rng(0))):
        shown = inputs(exercise.arguments.split(", "), arguments)
        if wrong := first_fault(exercise, function, arguments, wanted):
            begun = f"{k} of {exercise.times} cases are right; {'then ' * (k > 0)}" if exercise.times > 1 else ""
            return Grade(False, f"{begun}{wrong}\n{shown}")
    tried = f"on {exercise.times} random cases" if exercise.times > 1 else "on a net of its kind"
    return Grade(True, f"right, {tried}: {exercise.right.format(name=exercise.name)}")


def first_fault(exercise: Exercise, function: Any, arguments: tuple, wanted: Any) -> str:
    """What is wrong with one answer, in words, and the line to look at; '' if it is right."""
    run, takes = Run(function), len(exercise.arguments.split(", "))
    copies = [x.copy() if isinstance(x, (dict, np.ndarray)) else x for x in arguments]  # the function may change them
    try:
        with run:
            given = function(*copies[:takes])
        with run if arguments[takes:] else contextlib.nullcontext():  # a further argument, g, is for what was returned
            fault = Fault("the function returns nothing") if given is None else exercise.check(given, wanted, *arguments)
        slip = next((words for words, wrong in exercise.slips.items() if fault and not numbers(given, wrong(*arguments))), "")
    except (Exception, SystemExit) as error:
        if isinstance(error, TimeoutError) and (isinstance(arguments[0], Scalar) or isinstance(arguments[-1], str)):
            error.args = (f"{error}; visit each node once",)
        return told(error, run.file, run.last)
    return fault.words + f"; {slip}" * bool(slip) + place(run.file, run.suspected(fault)) if fault else ""


class Run:
    """A function, and one that it returned, are called and watched: `last` is the line where a function of its file returned last,
    `ran` are the lines that ran. After SECONDS a TimeoutError stops it. If a debugger watches already, it goes on undisturbed."""

    def __init__(self, function: Any):
        parts = vars(function).values() if isinstance(function, type) else [inspect.unwrap(function)]
        code = next((code for part in parts if (code := getattr(part, "__code__", None))), None)
        self.file: str = code.co_filename if code else ""
        self.last: int = code.co_firstlineno if code else 0
        self.ran: set[int] = set()

    def __enter__(self) -> None:
        self.end = time.monotonic() + SECONDS
        if sys.gettrace() is None:
            sys.settrace(self.watch)

    def __exit__(self, *_: Any) -> None:
        if sys.gettrace() == self.watch:
            sys.settrace(None)

    def watch(self, frame: Any, event: str, _: Any) -> Any:
        """The trace function: notes the line; TimeoutError after SECONDS."""
        if frame.f_code.co_filename != self.file:
            return None
        frame.f_trace_opcodes = True  # a loop on one line is not seen by its lines
        self.ran.add(frame.f_lineno)
        if event == "return":
            self.last = frame.f_lineno
        if time.monotonic() > self.end:
            raise TimeoutError(f"stopped after {SECONDS:g} seconds; a loop without end, or far too many steps")
        return self.watch

    def suspected(self, fault: Fault) -> int:
        """The line of the one statement that ran and looks like the culprit; else the line that returned."""
        linecache.checkcache(self.file)
        with contextlib.suppress(SyntaxError):
            tree = ast.parse("".join(linecache.getlines(self.file)))
            found = {n.lineno for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno in self.ran and fault.suspect(n)}
            if len(found) == 1:
                return found.pop()
        return self.last


def told(error: BaseException, file: str, line: int = 0) -> str:
    """An exception, and the innermost line of this file that it went through (else the line given)."""
    through = [n for frame, n in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f"{type(error).__name__}: {error}{place(file, [line, *through][-1])}"


def place(file: str, line: int) -> str:
    """File, line and source as they are told, on lines of their own; '' if there is no line."""
    linecache.checkcache(file)
    source = linecache.getline(file, line).strip()
    return (f"\n  at {file}:{line}" + (f"\n      {source}" if source else "")) if line else ""


def inputs(names: list[str], arguments: tuple) -> str:
    """The arguments of a case as they are told, one a line; those without a name are g. A graph is told op by op."""
    if isinstance(arguments[-1], str):
        return f"  of this program:\n{textwrap.indent(arguments[-1], '    ')}"
    lines = [f"  for {name} = {valued(x, len(name) + 9)}" for name, x in zip_longest(names, arguments, fillvalue="g")]
    for graph in (x for x in arguments if isinstance(x, Scalar) and x.parents):
        nodes = history(graph)
        lines += [f"    {node.name} = {made(node)}" for node in nodes] if len(nodes) <= 16 else [f"    in a graph of {extent(nodes)}"]
    return "\n".join(lines)


def extent(nodes: list[Node]) -> str:
    """How many nodes, edges and paths a graph has, given its history."""
    ways = {nodes[-1]: 1}
    for edge in (edge for child in reversed(nodes) for edge in child.edges):
        ways[edge.parent] = ways.get(edge.parent, 0) + ways[edge.child]
    n = sum(count for node, count in ways.items() if not node.parents)
    found = f"{n:,}" if n < 10**6 else f"{'about ' * (n.bit_count() > 1)}2^{n.bit_length() - 1}"
    return f"{len(nodes):,} nodes, {sum(len(node.edges) for node in nodes):,} edges, {found} paths"


def valued(x: Any, indent: int = 0) -> str:
    """An argument or an answer as text, long ones cut; lines after the first are indented."""
    if isinstance(x, dict):
        return "{" + ", ".join(f"{node.name}: {g:.4g}" for node, g in x.items()) + "}"
    if isinstance(x, list):
        return f"[{valued(x[0])}, … {valued(x[-1])}]"
    if isinstance(x, Node):
        return str(x.name)
    if np.size(x) > 1000:
        return f"an array of shape {np.shape(x)}"
    return rounded(x, 4, " " * indent) if np.ndim(x) else f"{x}"


def made(node: Node) -> str:
    """`multiply(v[0], 0.5)`, or a leaf's value."""
    return f"{node.op}({', '.join(map(valued, node.parents))})" if node.parents else f"{node.data:.4g}"


def rounded(x: np.ndarray, digits: int, prefix: str = "") -> str:
    """An array as text, with so many digits and `…` in the middle if it is long."""
    return np.array2string(x, precision=digits, threshold=8, prefix=prefix, max_line_width=78)
