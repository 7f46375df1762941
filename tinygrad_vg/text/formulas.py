"""How is a derivative written short?  The row of an op, with names and numbers put in, and what can be worked out worked out.

    b * base(a, b) ** (b - 1)     with b = 2 and a named x     2 * x
    y * (1 - y)                   y without a name             sigmoid(z) * (1 - sigmoid(z))

Names replace letters; a number replaces a constant; what nobody named stands as its own formula, an operand only if that is
short. `base` and `positive`, which are there for 0 ** 0, are left out. Nodes and rules are known here by their attributes only.
"""

import ast
import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

SHORT = 12  # characters of the formula that may stand for an operand without a name
Names = Callable[[Any], Any]  # what a node is called, or None


def name_of(node: Any) -> Any:
    """The name of a node; None if it has none or is no node."""
    return getattr(node, "name", None)


def derivative(edge: Any, name: Names = name_of) -> str:
    """∂child/∂parent in the names of this graph: `1 - h[3] * h[3]`, `3 * x ** 2`."""
    child, rule, i = edge.child, edge.child.rule, edge.index
    if not hasattr(rule, "slopes"):
        texts = [shown(number) if (number := number_of(x)) is not None else name(x) for x in child.parents]
        return str(rule.formula(i, [text and str(text) for text in texts], str(name(child) or "y")))
    if rule.slopes[i] in ("1", "-1"):
        return str(rule.slopes[i])
    words = dict(zip(rule.operands, operands(child, name)))
    return written(rule.slopes[i], words | {"y": named(child, name) or value(rule, words)})


def row(edge: Any) -> str:
    """The same in the letters of the op, y too; only numbers are put in: `3 * a ** 2`."""
    rule, numbers = edge.child.rule, map(number_of, edge.child.parents)
    return written(rule.slopes[edge.index], {a: ast.Constant(x) for a, x in zip(rule.operands, numbers) if x is not None})


def operands(node: Any, name: Names) -> list[ast.expr]:
    """What stands for each operand: a number, a name, a short formula, or the letter of the op, the same one for the same node."""
    found: dict[int, ast.expr] = {}
    taken = {str(name(x)) for x in node.parents}
    for letter, x in zip(node.rule.operands, node.parents):
        if id(x) not in found:
            free = next((a for a in (letter, *"abcduvw") if a not in taken), letter)
            found[id(x)] = named(x, name) or brief(x, name) or ast.Name(free)
            taken.add(getattr(found[id(x)], "id", ""))
    return [found[id(x)] for x in node.parents]


def named(x: Any, name: Names) -> ast.expr | None:
    """A number, or a name, as it stands in a formula; None for what has neither."""
    number, text = number_of(x), str(name(x) or "")
    return ast.Constant(number) if number is not None else ast.Name(text) if text else None


def brief(x: Any, name: Names, depth: int = 2) -> ast.expr | None:
    """The formula of a node without a name, if it is short, and all in it is named."""
    rule: Any = getattr(x, "rule", None)
    if not depth or not hasattr(rule, "slopes"):
        return None
    parts = [named(parent, name) or brief(parent, name, depth - 1) for parent in x.parents]
    if None in parts:
        return None
    tree = value(rule, dict(zip(rule.operands, parts)))
    return tree if len(text_of(tree)) <= SHORT else None


def value(rule: Any, words: dict[str, Any]) -> ast.expr:
    """The value of a row: `a / b`, or the op's name where it takes more than one operator, `sigmoid(a)`."""
    tree = parsed(rule.text)
    parts = [part for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr)]
    plain = isinstance(tree, (ast.BinOp, ast.UnaryOp)) and all(isinstance(part, ast.Name) for part in parts)
    return Simpler(words).visit(tree if plain else ast.Call(ast.Name(rule.name), [ast.Name(a) for a in rule.operands], []))


def number_of(x: Any) -> float | None:
    """x, if it is a single plain number."""
    return float(x) if isinstance(x, (int, float)) or type(x).__module__ == "numpy" and x.shape == () and x.dtype.kind in "iuf" else None


def written(formula: str, words: dict[str, Any]) -> str:
    """The formula with other words in it, worked out; numbers in four digits."""
    return text_of(Simpler(words).visit(parsed(formula)))


def text_of(tree: ast.expr) -> str:
    """A formula's tree as text, numbers with four digits."""
    return ast.unparse(Figures().visit(tree))


parsed = cache(lambda text: ast.parse(text.strip(), mode="eval").body)  # never changed, see Rewriting


class Rewriting(ast.NodeTransformer):
    """A walk that makes a new tree and leaves the old one as it is."""

    def generic_visit(self, node: Any) -> Any:
        """A new node of the same type, its expressions visited."""
        fields = ((name, [self.visit(x) for x in part] if isinstance(part, list) else part) for name, part in ast.iter_fields(node))
        return type(node)(**{name: self.visit(part) if isinstance(part, ast.expr) else part for name, part in fields})


class Figures(Rewriting):
    """Numbers as they are printed: a negative one is a minus and a number, so that brackets come where they must."""

    def visit_Constant(self, node: Any) -> Any:
        """x as `x`, −x as a minus and `x`."""
        x = node.value
        return ast.UnaryOp(ast.USub(), ast.Name(shown(-x))) if x < 0 else ast.Name(shown(x))


def shown(x: float) -> str:
    """A number with four digits: 0.3333."""
    return f"{x:.4g}"


class Simpler(Rewriting):
    """A formula with the words put in, simplified from the inside out."""

    def __init__(self, words: dict[str, Any]):
        self.words = words

    def visit_Name(self, node: Any) -> Any:
        """What stands for the name, or the name itself."""
        return self.words.get(node.id, node)

    def visit_Constant(self, node: Any) -> Any:
        """The number as a float."""
        return ast.Constant(float(node.value))

    def visit_Attribute(self, node: Any) -> Any:
        """`np.arctan` as `arctan`."""
        return self.visit(ast.Name(node.attr))

    def visit_Call(self, node: Any) -> Any:
        """f(a), simplified inside; base(a) and positive(a) are a."""
        f, args = node.func if isinstance(node.func, ast.Name) else self.visit(node.func), [self.visit(a) for a in node.args]
        return args[0] if getattr(f, "id", "") in ("base", "positive") else ast.Call(f, args, node.keywords)

    def visit_BinOp(self, node: Any) -> Any:
        """What the table SIMPLER makes of it, once its parts are simplified."""
        return simplified(self.generic_visit(node))

    visit_UnaryOp = visit_BinOp


def constant(tree: ast.expr) -> Any:
    """The number that a tree is; None if it is none."""
    return tree.value if isinstance(tree, ast.Constant) else None


SIMPLER = """
    a + 0           a
    0 + a           a
    a - 0           a
    0 - a           -a
    0 * a           0
    a * 0           0
    1 * a           a
    a * 1           a
    -1 * a          -a
    a * (1 / b)     a / b
    f * f           f ** 2
    a / 1           a
    a / b / b       a / b ** 2
    a / b / d       a / (b * d)
    a ** 0          1
    a ** 1          a
    x ** k          1 / x ** -k
    (a ** m) ** n   a ** (m * n)
    -(-a)           a
    -(a / b)        -a / b
    -(c * a)        -c * a
"""
KINDS: dict[str, Any] = {  # what a letter of the table stands for; the others for anything
    "c": lambda tree: constant(tree) is not None,
    "k": lambda tree: constant(tree) is not None and tree.value < 0,
    **dict.fromkeys("mn", lambda tree: constant(tree) is not None and tree.value % 1 == 0),
    "x": lambda tree: constant(tree) is None,
    "f": lambda tree: not isinstance(tree, ast.Name)}
COMPUTED: dict[type, Any] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.USub: lambda x: 0.0 - x}
RULES: dict[type, list[tuple[ast.expr, ast.expr]]] = {}


def simplified(tree: Any) -> ast.expr:
    """An operation on what is simplified already: numbers are computed (no quotients or powers), else the first rule that fits is used."""
    numbers = [constant(part) for part in ast.iter_child_nodes(tree) if isinstance(part, ast.expr)]
    if type(tree.op) in COMPUTED and None not in numbers:
        return ast.Constant(COMPUTED[type(tree.op)](*numbers))
    for form, simpler in RULES.get(type(tree.op), []):
        found: dict[str, ast.expr] = {}
        if fits(form, tree, found):
            return Simpler(found).visit(simpler)
    return tree


def fits(form: Any, tree: Any, found: dict[str, ast.expr]) -> bool:
    """Whether a tree has a form of the table; what each letter stands for goes into `found`."""
    if isinstance(form, ast.Name):
        kind = KINDS.get(form.id)
        there = found.setdefault(form.id, tree)
        return (kind is None or kind(tree)) and (there is tree or ast.dump(there) == ast.dump(tree))
    if isinstance(form, ast.Constant):
        return bool(constant(tree) == form.value)
    parts = zip(ast.iter_child_nodes(form), ast.iter_child_nodes(tree))
    return type(form) is type(tree) and all(fits(part, below, found) for part, below in parts)


for words in SIMPLER.strip().splitlines():
    form, simpler = (Simpler({}).visit(parsed(side)) for side in re.split("   +", words.strip()))
    RULES.setdefault(type(form.op), []).append((form, simpler))
