"""How does a row of text become an op?  It is compiled once, into plain functions: the value, and what each operand receives.

    tanh(a)   value  tanh(a)   slope  1 - y * y          def value(a):        return tanh(a)
                                                         def pull_a(g, y, a): return g * (1.0 - y * y)

And that twice: for arrays the functions in the text are NumPy's, which record on nodes, so that the derivative has a graph,
too; for Python's numbers they are math's. A debugger that steps in, and a traceback, show the row.

    a, b, c  operands      y  value      g  gradient with respect to y
"""

from __future__ import annotations

import ast
import linecache
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .core import Node, plain
from .maps import Broadcast, Diagonal, LinearMap, Rule, apply, selected, unbroadcast

OPS: dict[str, Any] = {}  # every op by name: the registry
BUILT_IN: set[str] = set()  # the names that nobody may take
SAMPLES = [0.5, 2.0, -1.5]  # a row must run on one of these


class Elementwise(Rule):
    """A row of the table: the rule of a node whose entries each depend on the matching entries of its parents.

    slopes   ∂y/∂operand for each operand, as text; None for one that takes constants only
    value(a, b), pull_a(g, y, a, b), pull_b …, in self.pulls, and pull(g, y, a, b), all of them in one go
    selects, saturates, rectifies, largest_slope  the facts of the op: see elementwise()
    """

    on_floats = False
    number_row: Any = None  # the kind of row that scalar.py has for numbers

    def __init__(self, signature: str, value: str, slopes: tuple[str | None, ...]):
        self.name, self.operands, self.arguments = read_signature(signature, len(slopes))
        self.text, self.slopes = value, slopes
        self.takes_constants = None in slopes
        self.selects = self.saturates = self.rectifies = False
        self.largest_slope: float | None = None

    def compile(self) -> None:
        """The text as functions. ValueError for a name that means nothing."""
        self.value, self.pull, *self.pulls = functions_of(self, self.on_floats)  # type: ignore[method-assign]

    @cached_property
    def on_numbers(self) -> Any:
        """The same row for Scalars."""
        return self.number_row(self)

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives of g, arrays: g times the slope, the copies of a broadcast parent added up."""
        y, parents = node._value, node.parents
        try:
            if len(parents) == 1:
                return self.pull(g, y, parents[0]._value)
            if len(parents) == 2 and inside is None:
                a, b = parents
                if type(a) is type(b):
                    x, z = a._value, b._value
                    parts = self.pull(g, y, x, z)
                    return parts if x.shape == z.shape else (unbroadcast(parts[0], x.shape), unbroadcast(parts[1], z.shape))
                if isinstance(a, Node):
                    return unbroadcast(self.pulls[0](g, y, a._value, b), a._value.shape), None
                return None, unbroadcast(self.pulls[1](g, y, a, b._value), b._value.shape)
            return super().parts(node, g, inside)
        except ZeroDivisionError:  # Python has no 1 / 0, NumPy has
            xs = [x._value if isinstance(x, Node) else np.asarray(x, y.dtype) for x in parents]
            return self.parts_from(node, g, inside, y, xs)

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        return unbroadcast(self.pulls[i](g, y, *xs), xs[i].shape)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: a diagonal, and before it the broadcasting of x_i to the shape of y, if there was any."""
        d = self.pulls[i](1.0, y, *xs)
        diagonal = Diagonal(d, np.shape(y), str(self.slopes[i]), self.selects)
        return diagonal if np.shape(xs[i]) == np.shape(y) else diagonal @ Broadcast(shape=np.shape(y)).local(0, y, [xs[i]])

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        """The row's text, with names in place of letters where there are any."""
        letters = {"y": y} | {letter: name or letter for letter, name in zip(self.operands, names)}
        return Words(letters.get).of(self.slopes[i] or "''")

    def of_constants(self, *xs: Any) -> Any:
        given = [x if isinstance(x, (np.ndarray, float, int)) else numbers_or_scalars(x, self.name) for x in xs]
        return self.map_entries(*given) if any_objects(given) else self.value(*given)

    def check_constants(self, operands: tuple) -> None:
        """TypeError for a node where the row takes constants only."""
        for letter, slope, x in zip(self.operands, self.slopes, operands):
            if slope is None and isinstance(x, Node):
                given = f"must be a constant, got a {type(x).__name__}; pass its .data, or compare it: x > 0"
                raise TypeError(f"{self.name}: {letter} {given}")

    def map_entries(self, *operands: Any) -> Any:
        """On an object array of Scalars: one op per entry, plain numbers among the entries lifted."""
        entries = np.broadcast(*(as_object(x) for x in operands))
        result = np.empty(entries.shape, dtype=object)
        made = [apply(self, *numbers) for numbers in entries]
        result.reshape(-1)[:] = [y.item() if isinstance(y, np.ndarray) else y for y in made]  # where() makes 0-d arrays of numbers
        return result if result.shape else result.item()


def elementwise(
    signature: str, value: str, *slopes: str | None, selects: bool = False, saturates: bool = False, rectifies: bool = False,
    largest_slope: float | None = None,
) -> Any:  # fmt: skip
    """Add an elementwise op: `swish = elementwise("swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)")`.

    signature  name and operands, with defaults if there are any
    value      the formula: operators, the ops of the table, NumPy's ufuncs by name, where
    slopes     for each operand ∂y/∂operand, which may use y; None: that operand takes constants only

    What verdict and blame ask of an op: selects, where its slope is 0 the operand is cut off and receives exactly 0, even of an
    infinite gradient; saturates, its slope goes to 0 far out; rectifies, it is flat on one side; largest_slope, of its first operand.

    Numbers in the text are floats, 2 means 2.0. Returns the op as a function of numbers, arrays, Scalars, Tensors or object arrays of
    Scalars; where NumPy has a function of this name, that records, too. An op of your own can be given a new row, one of the
    package's cannot. ValueError for a row that cannot be right, before anything is registered.
    """
    rule = Elementwise(signature, value, slopes)
    if rule.name in BUILT_IN:
        raise ValueError(f"there is an op {rule.name} already; choose another name")
    rule.selects, rule.saturates, rule.rectifies, rule.largest_slope = selects, saturates, rectifies, largest_slope
    rule.compile()
    if BUILT_IN:  # the package's own rows are tested
        check_runs(rule)
    a, *more = rule.operands
    call = f"apply(rule, {', '.join(rule.operands)})" if more else f"{a}.record(rule, ({a},)) if isinstance({a}, Node) else rule.of_constants({a})"
    names = {"apply": apply, "rule": rule, "Node": Node, "inf": math.inf}
    op = defined(f"op {rule.name}", f"def {rule.name}({rule.arguments}):\n    return {call}\n", names)[rule.name]
    rows = "".join(f"    ∂y/∂{x} = {row or 'none, a constant'}\n" for x, row in zip(rule.operands, slopes))
    op.__doc__, op.rule = f"{rule.name}, entry by entry: y = {value}\n\n{rows}", rule
    OPS[rule.name] = op
    return op


def read_signature(signature: str, slopes: int) -> tuple[str, list[str], str]:
    """(name, operands, the text in the brackets); ValueError for what cannot be a signature."""
    try:
        (function,) = ast.parse(f"def {signature}: ...").body
        operands = [argument.arg for argument in function.args.args]  # type: ignore[attr-defined]
    except (SyntaxError, AttributeError, ValueError):
        raise ValueError(f"{signature!r} is no signature; write name(operands), as in 'swish(a)'") from None
    taken = {x for x in operands if x in {"g", "y", "np", "apply", "rule"} or x in OPS}
    if slopes != len(operands) or not 1 <= len(operands) <= 3 or taken:
        raise ValueError(f"{signature} needs one to three operands, each with a slope (or None), and none with the name of an op, g, y or np")
    return function.name, operands, signature.partition("(")[2].rstrip().removesuffix(")")  # type: ignore[attr-defined]


def functions_of(rule: Elementwise, on_numbers: bool) -> list[Any]:
    """[value, pull of each operand (None for a constant)], of arrays or of Python's numbers, in one text that debuggers find."""
    names: dict[str, Any] = {"selected": selected_number if on_numbers else selected}

    def meaning(word: str) -> str:
        if word not in (*rule.operands, "y"):
            names[word] = meaning_of(word, on_numbers, rule)
        return word

    words = Words(meaning, floats=True, power=on_numbers)
    functions, pulls = [("value", rule.arguments, words.of(rule.text))], []
    for letter, slope in zip(rule.operands, rule.slopes):
        if slope is not None:
            row = words.of(slope)
            pull = f"selected(g, {row})" if rule.selects else {"1.0": "g", "-1.0": "-g"}.get(row, f"g * ({row})")
            functions.append((f"pull_{letter}", f"g, y, {', '.join(rule.operands)}", pull))
            pulls.append(pull)
    if None not in rule.slopes:
        functions.append(("pull", f"g, y, {', '.join(rule.operands)}", ", ".join(pulls) + ","))
    if "**" in rule.text + "".join(map(str, rule.slopes)) and on_numbers:
        names["pow"] = math.pow  # which raises where ** would leave the reals
    text = f"# {rule.name}({rule.arguments}) of {'numbers' if on_numbers else 'arrays'}: y = {rule.text}\n"
    text += "".join(f"\n\ndef {name}({arguments}):\n    return {formula}\n" for name, arguments, formula in functions)
    made = defined(f"row {rule.name}, of {'numbers' if on_numbers else 'arrays'}", text, names)
    return [made["value"], made.get("pull"), *(made.get(f"pull_{letter}") for letter in rule.operands)]


class Words(ast.NodeTransformer):
    """A formula with other words in it: word(w) in place of each name w; with `floats` 1.0 for 1, with `power` pow(a, b) for a ** b."""

    def __init__(self, word: Callable[[str], str | None], floats: bool = False, power: bool = False):
        self.word, self.floats, self.power = word, floats, power

    def of(self, text: str) -> str:
        try:
            return ast.unparse(self.visit(ast.parse(text.strip(), mode="eval")))
        except SyntaxError as error:
            raise ValueError(f"{text!r} is no formula: {error.msg}") from None

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Name(self.word(node.id) or node.id)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return self.visit(ast.Name(node.attr)) if isinstance(node.value, ast.Name) and node.value.id == "np" else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> Any:
        return ast.Constant(float(node.value)) if self.floats and type(node.value) is int else node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        return ast.Call(ast.Name("pow"), [node.left, node.right], []) if self.power and isinstance(node.op, ast.Pow) else node


def meaning_of(word: str, on_numbers: bool, rule: Elementwise) -> Any:
    """What a word of a row means. On arrays NumPy's function of that name comes first: it is quick, and records on nodes."""
    if on_numbers and word in ON_NUMBERS:
        return ON_NUMBERS[word]
    found = ON_ARRAYS.get(word, getattr(np, word, None))
    if word not in ON_ARRAYS and not isinstance(found, np.ufunc):
        found = OPS.get(word)
    if found is None or not isinstance(getattr(found, "rule", rule), Elementwise):
        raise ValueError(f"{word} means nothing in the row of {rule.name}; use its operands, y, ops that work entry by entry, or NumPy's ufuncs")
    if not on_numbers or not callable(found):
        return found
    return OPS[word].rule.on_numbers.value if word in OPS else on_one_number(found)


def defined(title: str, text: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names that the text defines, beside those it is given; its lines are kept for debuggers, tracebacks and inspect."""
    file = f"<{title}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    exec(compile(text, file, "exec"), names)
    return names


def check_runs(rule: Elementwise) -> None:
    """ValueError unless the row gives one real number on some numbers, its slopes too."""
    problem: Any = None
    for x in SAMPLES:
        xs = [x] * len(rule.operands)
        try:
            with np.errstate(all="ignore"):
                y = rule.on_numbers.value(*xs)
                answers = [float(y), *(float(pull(1.0, float(y), *xs)) for pull in rule.on_numbers.pulls if pull)]
            return
        except (ArithmeticError, ValueError) as error:
            problem = problem or error
        except Exception as error:
            raise ValueError(f"the row of {rule.name} does not run at {x}: {type(error).__name__}: {error}") from error
    raise ValueError(f"the row of {rule.name} runs at none of {SAMPLES}: {problem}")


def any_objects(xs: Any) -> bool:
    """Whether an object array, of Scalars that is, is among the operands."""
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in xs)


def as_object(x: Any) -> Any:
    """x as an array that NumPy's object loops can walk: a Scalar becomes an object array of shape ()."""
    return np.array(x, dtype=object) if isinstance(x, Node) else np.asarray(x)


# ---------------------------------------------------------------- words of the table that are no ops


def selected_number(g: float, slope: float) -> float:
    """selected() of numbers."""
    return g * slope if slope else 0.0


def exp_or_inf(a: Any) -> Any:
    """exp that quietly becomes inf where it overflows, for formulas in which that is the right limit."""
    if type(a) is np.ndarray and a.dtype.kind == "f" and a.size and a.item(a.argmax()) < 88:
        return np.exp(a)  # nothing overflows, not even in float32; errstate takes longer than a small exp
    with np.errstate(over="ignore"):
        return np.exp(a)


def base(a: Any, b: Any) -> Any:
    """a; but 1 where b = 0 and 1 / a is not finite, so that the slope b * base(a, b) ** (b - 1) of a ** b is 0 there."""
    if type(b) is float and b:
        return a
    flat = (plain(b) == 0) & ~(np.abs(plain(a)) > 1e-300)
    return np.where(flat, 1.0, a) if np.any(flat) else a


def positive(a: Any, b: Any) -> Any:
    """a; but 1 where a = 0 and b ≥ 0, so that the slope y * log(positive(a, b)) of a ** b is 0 there: 0 ** b is flat."""
    flat = (plain(a) == 0) & (plain(b) >= 0)
    return np.where(flat, 1.0, a) if np.any(flat) else a


K, M = 2 * math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi) * 0.044715


def gelu_gate(a: Any) -> Any:
    """σ(K a + M a³), about the share of a standard normal below a: what gelu lets through. Beyond ±99 it is 0 or 1."""
    a = np.minimum(np.maximum(a, -99.0), 99.0)
    return OPS["sigmoid"](a * (K + M * a * a))


def gelu_slope(a: Any) -> Any:
    """gate + a · gate (1 − gate) (K + 3 M a²)."""
    gate, a = gelu_gate(a), np.minimum(np.maximum(a, -99.0), 99.0)
    return gate * (1 + a * (1 - gate) * (K + 3 * M * a * a))


def on_one_number(function: Any) -> Any:
    """A function of NumPy's, from floats to a float."""

    def number(*xs: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(*xs))

    return number


ON_ARRAYS: dict[str, Any] = {
    "where": np.where, "inf": math.inf, "pi": math.pi, "base": base, "positive": positive, "exp_or_inf": exp_or_inf,
    "gelu_gate": gelu_gate, "gelu_slope": gelu_slope,
}  # fmt: skip
ON_NUMBERS: dict[str, Any] = {name: getattr(math, name) for name in "exp log log1p expm1 sqrt sin cos tan sinh cosh tanh inf pi".split()}
ON_NUMBERS |= {
    "exp_or_inf": math.exp,  # where it overflows, the whole op is done again as NumPy does it
    "maximum": lambda a, b: a if a >= b or a != a else b,
    "minimum": lambda a, b: a if a <= b or a != a else b,
    "where": lambda condition, a, b: a if condition else b,
    "sign": lambda a: float((a > 0) - (a < 0)) if a == a else a,
    "base": lambda a, b: 1.0 if b == 0 and not abs(a) > 1e-300 else a,
    "positive": lambda a, b: 1.0 if a == 0 and b >= 0 else a,
}
