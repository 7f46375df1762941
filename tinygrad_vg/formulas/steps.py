"""How large is what each line makes?  The program is run and watched: after every assignment the line, and the size of the result.

    t=6  g_h = W_hh.T @ g_z      |g_h| = 1.05e-01      the size: the length of the vector of all entries
"""

import ast
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .statements import symbols

FUNCTION = "forward_and_backward"


class Step(NamedTuple("Step", [("line", str), ("name", str), ("size", float)])):
    """(line, name, size): a line that was run, what it made, and the size of that; .turn says in which turn, if it stands in a loop."""

    turn = ""

    def __str__(self) -> str: return f"{self.turn:6}{self.line:54}  |{self.name}| = {self.size:.2e}"


class Watched(ast.NodeTransformer):
    """The program in which each value, once assigned, is handed to __seen__(place, value, turn), and what that returns assigned instead.

    places  of each assignment the statement, the name, the letters of its loops, and how many with the same name and loops came before
    """

    def __init__(self) -> None:
        self.letters: tuple[str, ...] = ()
        self.places: list[tuple[Any, str, tuple[str, ...], int]] = []
        self.counts = Counter[Any]()

    def visit_FunctionDef(self, node: Any) -> Any:
        return self.generic_visit(node) if node.name == FUNCTION else node

    def visit_For(self, node: Any) -> Any:
        outer = self.letters
        self.letters = tuple(dict.fromkeys((*outer, *symbols(node.target))))
        node = self.generic_visit(node)
        self.letters = outer
        return node

    def visit_While(self, node: Any) -> Any: return node  # no letter counts its turns

    def visit_Assign(self, node: Any) -> Any:
        lines, letters = [] if is_open(node) else [node], self.letters
        turn = ", ".join(f"{t}={t}" for t in letters)
        for name in map(ast.unparse, targets(node)):
            code = f"{name} = __seen__({len(self.places)}, {'...' if is_open(node) else name}, {turn})"
            lines += ast.parse("\n" * (node.lineno - 1) + code).body
            self.places.append((node, name, letters, self.counts[name, letters]))
            self.counts[name, letters] += 1
        return lines

    visit_AugAssign = visit_Assign


def targets(node: Any) -> list[Any]:
    """The names and the places in arrays to which an assignment gives values."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return [x for x in (target.elts if isinstance(target, ast.Tuple) else [target]) if isinstance(x, (ast.Name, ast.Subscript))]


def is_open(node: Any) -> bool:
    """Whether an assignment has only `...` on its right."""
    return isinstance(node.value, ast.Constant) and node.value.value is ...


@lru_cache(maxsize=4)
def compiled(text: str, file: str) -> tuple[Any, Watched]:
    """The program as code that hands on its values, and where they are assigned."""
    watched = Watched()
    return compile(watched.visit(ast.parse(text, file)), file, "exec"), watched


def function_of(text: str, seen: Callable[..., Any], file: str = "<by hand, step by step>") -> Callable[..., Any]:
    """The function of a program; seen(statement, key, value, turn) is told every value that is assigned, and returns what to go on with.

    key  (name, which one of those that assign it in such a loop, -1 the last, turn): the same for the same line of two programs
    """
    code, watched = compiled(text, file)

    def handed(place: int, x: Any, /, **turn: Any) -> Any:
        node, name, letters, number = watched.places[place]
        return seen(node, (name, number - watched.counts[name, letters], str(turn)), x, turn)

    space: dict[str, Any] = {"__seen__": handed, "__name__": file}
    exec(code, space)
    if FUNCTION not in space:
        raise NameError(f"there is no function {FUNCTION}")
    function: Callable[..., Any] = space[FUNCTION]
    return function


def watched(text: str, values: dict[str, Any], of: str | None) -> list[Step]:
    """The steps of a run of the program; of: only those that make this name, at any turn."""
    steps: list[Step] = []

    def seen(node: Any, key: Any, x: Any, turn: dict[str, int]) -> Any:
        room = isinstance(x, (list, map)) or "np.empty" in ast.unparse(node.value)  # nothing is in it yet
        if not room and of in (None, key[0].partition("[")[0]):
            steps.append(step := Step(ast.unparse(node), key[0], float(np.linalg.norm(np.ravel(x)))))
            step.turn = "".join(f"{t}={n}" for t, n in turn.items())
        return x

    function_of(text, seen)(**values)
    return steps
