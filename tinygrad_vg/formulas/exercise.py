"""Can you write the backward pass yourself?  Lines of the program are left open; filled in, each is graded.

Open are those first from which one learns something. The program filled in is run beside the true one and compared, each line by itself: a
wrong value is replaced by the right one where it is assigned, so that no line below suffers from it.
"""

import ast
import contextlib
import traceback
from collections import Counter
from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np

from .prelude import called
from .statements import symbols
from .steps import FUNCTION, function_of, is_open, targets

PLAIN = {"array", "copy", "empty", "float64", "map", "zeros", "zeros_like"}  # calls that nobody has to derive
FILE, END = "<your program>", 10**9  # END: behind all lines


def with_blanks(text: str, blanks: int, rng: Any) -> str:
    """The program with so many right-hand sides of its backward pass left open; ValueError if it has fewer.

    Drawn by rng: an outer product, a product, a slope, another of each …; other lines, as sums, when these have run out.
    """
    lines, seen = text.split("\n"), Counter[str]()
    start = next(n for n, row in enumerate(lines, 1) if row.strip().startswith("# backward"))
    found = [node for node in assignments(text) if node.lineno > start and kind(node.value)]
    if not 1 <= blanks <= len(found):
        raise ValueError(f"blanks must be from 1 to {len(found)}, the lines of this backward pass that can be left open; got {blanks}")

    def turn(node: Any) -> tuple[bool, int]:
        seen[what := kind(node.value)] += 1
        return what == "other", seen[what]

    drawn = sorted([found[i] for i in np.random.default_rng(rng).permutation(len(found))], key=turn)[:blanks]
    for number, node in reversed([*enumerate(sorted(drawn, key=lambda node: node.lineno), 1)]):
        (line := copy(node)).value = ast.Constant(...)
        lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{ast.unparse(line)}  # ← {number}"]
    return "\n".join(lines)


@lru_cache(maxsize=4)
def assignments(text: str) -> list[Any]:
    """The statements of a program that assign, += among them; never changed."""
    return [node for node in ast.walk(ast.parse(text, FILE)) if isinstance(node, (ast.Assign, ast.AugAssign))]


def kind(code: ast.expr) -> str:
    """What a line is: outer, product, slope or other; '' if it is only another name, or zeros."""
    calls, signs = called(code), {type(part.op) for part in ast.walk(code) if isinstance(part, ast.BinOp) and symbols(part)}
    if isinstance(code, (ast.Name, ast.Subscript, ast.Constant, ast.Tuple)) or isinstance(code, ast.Call) and calls[0] in PLAIN:
        return ""
    if isinstance(getattr(code, "left", None), ast.List):  # [0.0] * (T + 1)
        return ""
    if "outer" in calls or "einsum" in calls or ast.MatMult in signs:
        return "outer" if "outer" in calls else "product"
    return "slope" if signs & {ast.Mult, ast.Div, ast.Pow} or {"where", "softmax"} & {*calls} or isinstance(code, ast.IfExp) else "other"


def findings(truth: str, values: dict[str, Any], text: str) -> list[str]:
    """What is wrong with a program, line by line, then gradient by gradient; nothing if it computes what the true one does.

    Compared with the values given, and with others, so that a number written for a formula does not pass.
    """
    with np.errstate(all="ignore"):
        runs = [Truth(truth, [*values.values()]), *others(truth, values)]
        if not any(Judge(run, text, False).found for run in runs):
            return []
        here, *there = (Judge(run, text, True).found for run in runs)
    found = {n: (head, f"right with the recorded values, with others {words}") for one in there for n, (head, words) in one.items()} | here
    return ["".join(found[n]) for n in sorted(found)]


def others(truth: str, values: dict[str, Any]) -> list["Truth"]:
    """A run with other numbers of the same shapes and signs, labels and masks as they are; none if they are an error to the program."""
    rng = np.random.default_rng(0)

    def moved(x: Any) -> Any:
        if np.asarray(x).dtype.kind != "f":
            return x
        other = np.where(np.equal(x, 0), 0.3 * rng.normal(size=np.shape(x)), x * rng.uniform(0.5, 1.5, np.shape(x)))
        return other.astype(x.dtype) if isinstance(x, np.ndarray) else type(x)(other)

    with contextlib.suppress(ArithmeticError, ValueError):
        return [Truth(truth, [*map(moved, values.values())])]
    return []


class Truth:
    """One run of the true program: what is right for each line and turn, and what is returned."""

    def __init__(self, text: str, case: list[Any]):
        self.text, self.case, self.right, self.code = text, case, dict[Any, Any](), dict[Any, Any]()
        self.value, self.gradients = function_of(text, self.keep)(*map(copy, case))

    def keep(self, node: Any, key: Any, x: Any, _: Any) -> Any:
        room = isinstance(node.value, (ast.Call, ast.GeneratorExp)) and "empty" in called(node.value)  # nothing is in it yet
        if isinstance(x, (np.ndarray, np.generic, float, int)) and not room:
            self.right[key], self.code[key] = copy(x), node.value
        return x


class Judge:
    """One run of a program beside a run of the true one.

    found  {line: (what it says, what is wrong)}; what is returned stands behind all lines, an exception without a line before them
    lines  whether to judge each line, with the right values for what it reads; else only what is returned
    """

    def __init__(self, truth: Truth, text: str, lines: bool):
        self.lines, self.right, self.code, self.doubtful = lines, truth.right, truth.code, set[str]()
        self.found: dict[int, tuple[str, str]] = {}
        self.first: list[int] = []  # the line found wrong that reads something doubtful
        try:
            self.read(text, truth.text)
            result = function_of(text, self.compare, FILE)(*map(copy, truth.case))
            if not (isinstance(result, (tuple, list)) and len(result) == 2 and isinstance(result[1], dict)):
                raise TypeError(f"{FUNCTION} must return the value and a dictionary of gradients")
        except (Exception, SystemExit) as error:
            self.caught(error, text)
        else:
            returned = [("value", result[0], truth.value), *((name, result[1].get(name), g) for name, g in truth.gradients.items())]
            for k, (name, got, want) in enumerate(returned):
                if words := difference(got, np.asarray(want), f"g_{name}" if k else name):
                    self.found[END + k] = f"{name}: ", words

    def compare(self, node: Any, key: Any, x: Any, turn: dict[str, int]) -> Any:
        """What to go on with: x if it is right."""
        if key not in self.right or not self.lines:
            return x
        want = np.asarray(self.right[key])
        if x is not ...:
            if not (words := difference(np.full(want.shape, x) if isinstance(x, (float, int, np.generic)) else x, want, key[0])):
                return x
            doubtful = sorted({*symbols(node.value)} & self.doubtful)
            self.first += [node.lineno] if doubtful and not self.first else []
            if not doubtful or self.first == [node.lineno]:  # what comes of a value that cannot be judged is told once
                at = "".join(f"at {t}={n} " for t, n in turn.items())
                mine, true = map(ast.unparse, (node.value, self.code[key]))
                words += "; the right product, but for a .T" * (mine != true and mine.replace(".T", "") == true.replace(".T", ""))
                self.note(node.lineno, ast.unparse(node), at + words + "".join(f"; look at {name}, too" for name in doubtful))
        return copy(self.right[key])

    def note(self, n: int, says: str, words: str) -> None:
        self.found.setdefault(n, (f"line {n}  {says}: " if n else "", words))

    def read(self, text: str, truth: str) -> None:
        """What can be seen without a run: what is left open; and names that the true program has not, or assigns more often."""
        for node in filter(is_open, assignments(text)):
            self.note(node.lineno, ast.unparse(node), "left open")
        names, known = (Counter(x for node in assignments(t) for y in targets(node) for x in symbols(y)[:1]) for t in (text, truth))
        self.doubtful = {x for x in names | known if not known[x] or names[x] < known[x]}

    def caught(self, error: BaseException, text: str) -> None:
        """An exception, at the line of the function where it came up."""
        if isinstance(error, SyntaxError):
            n = error.lineno or 0
        else:
            frames = [(at, n) for at, n in traceback.walk_tb(error.__traceback__) if at.f_code.co_filename == FILE]
            n = [0, *(n for _, n in frames), *(n for at, n in frames if at.f_code.co_name == FUNCTION)][-1]
        says = dict(enumerate(text.split("\n"), 1)).get(n, "").partition("  #")[0].strip()
        self.note(n, says, f"{type(error).__name__}: {' '.join(str(getattr(error, 'msg', error)).split())}")


def difference(got: Any, want: Any, name: str) -> str:
    """How a value is off, in words; '' if it is right."""
    if got is None:
        return "missing"
    if type(got) is type(want) and np.array_equal(got, want):
        return ""
    try:
        got = np.asarray(got, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return f"a {type(got).__name__}, not numbers"
    within = 1e-3 if want.dtype == np.float32 else 1e-8

    def close(a: Any, b: Any) -> bool:
        size = np.abs(b[np.isfinite(b)]).max(initial=0)
        return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=within * size or 1e-12, equal_nan=True)

    if close(got, want) or close(got.T, want):
        return "" if close(got, want) else "transposed"
    if got.shape != want.shape:
        return f"shape {got.shape} where it should be {want.shape}"
    if not np.isfinite(got).all():
        return "not finite"
    factor = got.flat[k := np.argmax(np.abs(want))] / want.flat[k]
    if factor and close(got, factor * want):
        return "wrong sign" if factor == -1 else f"off by a factor {factor:.{3 if abs(factor - 1) > 0.01 else 9}g}"
    sizes = [f"{np.linalg.norm(x):.3g}" for x in (got, want)]
    return f"off, though |{name}| is right" if sizes[0] == sizes[1] else f"off; |{name}| is {sizes[0]} where it should be {sizes[1]}"
