"""How large is what each line makes?  The program is run and watched: after every assignment the line, and the size of the result.

    t=6  g_h = W_hh.T @ g_z      |g_h| = 1.05e-01      the size: the length of the vector of all entries
"""

import ast
from typing import Any, NamedTuple

import numpy as np


class Step(NamedTuple):
    """A line that was run, in which turn if it stands in a loop, what it made, and the size of that."""

    line: str
    name: str
    size: float
    turn: str = ""

    def __str__(self) -> str: return f"{self.turn:6}{self.line:54}  |{self.name}| = {self.size:.2e}"


class Watched(ast.NodeTransformer):
    """The program with a call behind each assignment, which is told the line, the name and the value."""

    letters: tuple[str, ...] = ()

    def visit_FunctionDef(self, node: Any) -> Any:
        return self.generic_visit(node) if node.name == "forward_and_backward" else node

    def visit_For(self, node: Any) -> Any:
        self.letters = (f"{node.target.id}={node.target.id}",)
        node = self.generic_visit(node)
        self.letters = ()
        return node

    def visit_Assign(self, node: Any) -> Any:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        seen = [f"seen({ast.unparse(node)!r}, {ast.unparse(x)!r}, {ast.unparse(x)}, {', '.join(self.letters)})" for x in names]
        return [node, *(ast.parse(call).body[0] for call in seen)]

    visit_AugAssign = visit_Assign


def watched(text: str, values: dict[str, Any], of: str | None) -> list[Step]:
    """The steps of a run of the program; of: only those that make this name, at any turn."""
    steps: list[Step] = []

    def seen(line: str, name: str, x: Any, **turn: int) -> None:
        if not isinstance(x, (list, map)) and of in (None, name.partition("[")[0]):
            steps.append(Step(line, name, float(np.linalg.norm(np.ravel(x))), "".join(f"{t}={n}" for t, n in turn.items())))

    space: dict[str, Any] = {"seen": seen}
    exec(compile(ast.fix_missing_locations(Watched().visit(ast.parse(text))), "<by hand, step by step>", "exec"), space)
    space["forward_and_backward"](**values)
    return steps
