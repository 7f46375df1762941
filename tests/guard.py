"""Did every test run?  One that is shadowed by its twin, never collected, or skipped without a reason says nothing, and looks like a pass."""

import ast
from collections import Counter
from pathlib import Path

NO_REASON = {"", "unconditional skip"}


def written(tree: ast.AST) -> list[str]:
    """The names of the test functions of a file, those inside classes too, as they stand in its text."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test"))]
    return [node.name for body in bodies for node in body.body if isinstance(node, functions) and node.name.startswith("test")]


def twins(tree: ast.AST) -> list[str]:
    """Functions and classes of a file that a later one of the same name hides."""
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    bodies = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    counts = [Counter(node.name for node in body.body if isinstance(node, named) and not node.decorator_list) for body in bodies]
    return [name for count in counts for name, n in count.items() if n > 1] + twin_tests(tree)


def twin_tests(tree: ast.AST) -> list[str]:
    return [name for name, n in Counter(written(tree)).items() if n > 1]


def missing(path: Path, collected: set[str]) -> list[str]:
    """What is wrong with a test file of which these names were collected."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"{path.name}: {name} is there twice; the later hides the earlier" for name in sorted(set(twins(tree)))]
    return wrong + [f"{path.name}: {name} was not collected" for name in written(tree) if name not in collected]


def without_reason(reports: list) -> list[str]:
    """Skips that do not say why. A report's longrepr is (file, line, 'Skipped: why')."""
    whys = {report.nodeid: report.longrepr[2].removeprefix("Skipped").strip(": ") for report in reports if isinstance(report.longrepr, tuple)}
    return [f"{test} was skipped without a reason" for test, why in whys.items() if why in NO_REASON]
