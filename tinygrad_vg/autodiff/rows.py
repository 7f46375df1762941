"""How does a row of text become an op?  It is compiled once, into plain functions: the value, and what each operand receives.

    multiply(a, b)   value  a * b     slopes  b and a          def value(a, b):        return a * b
                                                               def pull_a(g, y, a, b): return g * b
                                                               def pull(g, y, a, b):   return g * b, g * a

And that twice: for arrays the functions in the text are NumPy's, which record on nodes, so that the derivative has a graph,
too; for Python's numbers they are math's. A debugger that steps in, and a traceback, show the row. Where an op selects, the
product is selected(g, slope): exactly 0 where the slope is.

    a, b, c  operands      x, z  their values      y  value      g  gradient with respect to y
"""

import ast
import linecache
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .core import Node
from .maps import OPS, Broadcast, Diagonal, LinearMap, Rule, apply, unbroadcast
from .numerics import ON_ARRAYS, ON_NUMBERS, on_one_number

BUILT_IN: set[str] = set()  # ops that nobody may replace
RESERVED = {"g", "y", "np", "apply", "inf", "pow", "pull", "rule", "selected", "value"}  # words of the compiled text
ONCE = "return {0}"
TWICE = "try:\n        return {0}\n    except (ArithmeticError, ValueError):  # NumPy has an answer\n        return {1}"
FLOAT = np.float64  # a number without axes


class Elementwise(Rule):
    """A row of the table: the rule of a node whose entries each depend on the matching entries of its parents.

    Compiled: value(a, b); pull_a(g, y, a, b) …, in self.pulls; and pull(g, y, a, b), all of them in one go.
    """

    on_floats = False
    number_row: Any = None  # scalar.py gives its kind of row here
    on_numbers = cached_property(lambda self: self.number_row(self))  # the same row for Scalars
    selects = saturates = rectifies = False  # the facts of the op: see elementwise()
    largest_slope: float | None = None
    on_arrays: Any
    pulls: list[Any]

    def __init__(self, signature: str, value: str, *slopes: str | None, **facts: Any):
        self.name, self.operands, self.arguments = read_signature(signature, len(slopes))
        self.text, self.slopes, self.takes_constants = value, slopes, None in slopes
        vars(self).update(facts)
        self.compile()

    def compile(self) -> None:
        """The text as functions, in one piece that debuggers find. ValueError for a word that means nothing."""
        names = dict(ON_NUMBERS if self.on_floats else ON_ARRAYS)

        def meaning(word: str) -> None:
            if word not in (*self.operands, "y", *names):
                names[word] = meaning_of(word, self.on_floats, self.name)

        words, operands = Words(meaning, floats=True, power=self.on_floats), ", ".join(self.operands)
        rows = {a: words.of(slope) for a, slope in zip(self.operands, self.slopes) if slope is not None}
        pulls = {a: f"selected(g, {s})" if self.selects else {"1.0": "g", "-1.0": "-g"}.get(s, f"g * ({s})") for a, s in rows.items()}
        calls = {a: f"pull_{a}(g, y, {operands})" for a in pulls}
        together, one_by_one = ("".join(f"{parts.get(a)}, " for a in self.operands) for parts in (pulls, calls))
        formulas = [(f"value({self.arguments})", words.of(self.text), f"numpy_value({operands})")]
        formulas += [(calls[a], pull, f"numpy_{a}(g, y, {operands})") for a, pull in pulls.items()]
        formulas += [(f"pull(g, y, {operands})", together, one_by_one)]
        if self.on_floats:  # where Python's floats raise or leave the reals, 1 / 0., (-8.) ** (1 / 3), NumPy's do not
            numpys = [("value", self.on_arrays.value), *zip(self.operands, self.on_arrays.pulls)]
            names |= {f"numpy_{name}": on_one_number(function) for name, function in numpys}
        functions = {signature: (TWICE if self.on_floats else ONCE).format(formula, again) for signature, formula, again in formulas}
        kind = "numbers" if self.on_floats else "arrays"
        made = defined(f"row {self.name}, of {kind}", f"# {self.name}({self.arguments}) = {self.text}, of {kind}", functions, names)
        self.value, self.pull = made["value"], made["pull"]  # type: ignore[method-assign]
        self.pulls = [made.get(f"pull_{a}") for a in self.operands]

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What each parent receives of g, arrays: g times the slope, the copies of a broadcast parent added up."""
        y, parents = node._value, node._parents
        try:
            if len(parents) == 1:
                return self.pull(g, y, parents[0]._value)
            if len(parents) == 2:
                a, b = parents
                if type(a) is type(b) or isinstance(a, Node) and isinstance(b, Node):
                    if inside is None or a in inside and b in inside:
                        x, z = a._value, b._value
                        parts = self.pull(g, y, x, z)
                        if type(x) is FLOAT is type(z) or x.shape == z.shape:
                            return parts
                        return unbroadcast(parts[0], x.shape), unbroadcast(parts[1], z.shape)
                elif isinstance(a, Node):
                    return unbroadcast(self.pulls[0](g, y, a._value, b), a._value.shape), None
                else:
                    return None, unbroadcast(self.pulls[1](g, y, a, b._value), b._value.shape)
            return super().parts(node, g, inside)
        except ZeroDivisionError:  # Python has no 1 / 0, NumPy has
            return self.parts_from(node, g, inside, y, [x._value if isinstance(x, Node) else np.asarray(x, y.dtype) for x in parents])

    def parts_of_nodes(self, node: Any, g: Any, inside: Any = None) -> Any:
        xs = node._parents
        asked = [isinstance(x, Node) and (inside is None or x in inside) for x in xs]
        return [unbroadcast(pull(g, node, *xs), x.shape) if ask else None for pull, x, ask in zip(self.pulls, xs, asked)]

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any: return unbroadcast(self.pulls[i](g, y, *xs), xs[i].shape)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: a diagonal, and before it the broadcasting of x_i to the shape of y, if there was any."""
        diagonal = Diagonal(self.pulls[i](1.0, y, *xs), np.shape(y), str(self.slopes[i]), self.selects)
        return diagonal if np.shape(xs[i]) == np.shape(y) else diagonal @ Broadcast(shape=np.shape(y)).local(0, y, [xs[i]])

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        """The row's text, with names in place of letters where there are any."""
        letters = {"y": y} | {letter: name or letter for letter, name in zip(self.operands, names)}
        return Words(letters.get).of(self.slopes[i] or "''")

    def of_constants(self, *xs: Any) -> Any:
        given = [x if isinstance(x, (float, int)) else numbers_or_scalars(x, self.name) for x in xs]
        return self.map_entries(*given) if any_objects(given) else self.value(*given)

    def check_constants(self, operands: tuple) -> None:
        """TypeError for a node where the row takes constants only."""
        for letter, slope, x in zip(self.operands, self.slopes, operands):
            if slope is None and isinstance(x, Node):
                way = "pass its .data, or compare it: x > 0"
                raise TypeError(f"{self.name}: {letter} must be a constant, got a {type(x).__name__}; {way}")

    def map_entries(self, *operands: Any) -> Any:
        """On an object array of Scalars: one op per entry, plain numbers among the entries lifted."""
        def one(*xs: Any) -> Any:
            y = apply(self, *xs)
            return y.item() if isinstance(y, np.ndarray) else y  # where() makes 0-d arrays of numbers

        return np.frompyfunc(one, len(operands), 1)(*map(as_object, operands))


def elementwise(signature: str, value: str, *slopes: str | None, **facts: Any) -> Any:
    """Add an elementwise op: `swish = elementwise("swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)")`.

    signature  name and operands, with defaults if there are any
    value      the formula, in floats (2 means 2.0): operators, the ops of the table, NumPy's ufuncs by name, where
    slopes     for each operand ∂y/∂operand, which may use y; None: that operand takes constants only
    facts      selects=True: where its slope is 0 the operand is cut off and receives exactly 0, even of an infinite gradient. For verdict:
               saturates=True, its slope goes to 0 far out; rectifies=True, it is flat on one side; largest_slope=1.0, its largest size

    Returns the op as a function of numbers, arrays, Scalars, Tensors or object arrays of Scalars; where NumPy has a function of this
    name, that records, too (but not on object arrays). An op of your own can be given a new row, one of the package's cannot.
    ValueError for a row that cannot be right, before anything is registered.
    """
    if unknown := facts.keys() - {"selects", "saturates", "rectifies", "largest_slope"}:
        raise TypeError(f"elementwise() knows no fact {', '.join(unknown)}; it takes selects, saturates, rectifies and largest_slope")
    name = signature.partition("(")[0].strip()
    if name in BUILT_IN:
        raise ValueError(f"there is an op {name} already; choose another name")
    rule = Elementwise(signature, value, *slopes, **facts)
    if BUILT_IN:  # the package's own rows are tested
        check_runs(rule)
    a, operands = rule.operands[0], ", ".join(rule.operands)
    alone = f"{a}.record(rule, ({a},)) if isinstance({a}, Node) else rule.of_constants({a})"  # as apply() does, for speed
    call = {f"{name}({rule.arguments})": ONCE.format(f"apply(rule, {operands})" if "," in operands else alone)}
    op = OPS[name] = defined(f"op {name}", f"# y = {value}", call, {"apply": apply, "rule": rule, "Node": Node, "inf": math.inf})[name]
    rows = "".join(f"    ∂y/∂{x} = {row or 'none, a constant'}\n" for x, row in zip(rule.operands, slopes))
    op.__doc__, op.rule = f"{name}, entry by entry: y = {value}\n\n{rows}", rule
    return op


def read_signature(signature: str, slopes: int) -> tuple[str, list[str], str]:
    """(name, operands, the text in the brackets); ValueError for what cannot be a signature."""
    try:
        function: Any = ast.parse(f"def {signature}: ...").body[0]
        operands = [argument.arg for argument in function.args.args]
    except (SyntaxError, AttributeError):
        raise ValueError(f"{signature!r} is no signature: a row needs one to three operands, as in 'swish(a)'") from None
    taken = {function.name, *operands} & RESERVED | set(operands) & OPS.keys()
    if slopes != len(operands) or not 1 <= len(set(operands)) == len(operands) <= 3 or taken:
        way = f"none with the name of an op, or one of {', '.join(sorted(RESERVED))}"
        raise ValueError(f"{signature} needs one to three operands, each with a slope (or None), and {way}")
    return function.name, operands, ast.unparse(function.args)


class Words(ast.NodeTransformer):
    """A formula with other words in it: word(w) for each name w, if not None; `floats`: 1.0 for 1; `power`: pow(a, b) for a ** b."""

    def __init__(self, word: Callable[[str], Any], floats: bool = False, power: bool = False):
        self.word, self.floats, self.power = word, floats, power

    def of(self, text: str) -> str:
        try:
            return ast.unparse(self.visit(ast.parse(text.strip(), mode="eval")))
        except SyntaxError as error:
            raise ValueError(f"{text!r} is no formula: {error.msg}") from None

    def visit_Attribute(self, node: Any) -> Any:  # np.arctan: arctan
        return self.visit(ast.Name(node.attr)) if getattr(node.value, "id", "") == "np" else self.generic_visit(node)

    def visit_Name(self, node: Any) -> Any: return ast.Name(self.word(node.id) or node.id)
    def visit_Constant(self, node: Any) -> Any: return ast.Constant(float(node.value)) if self.floats and type(node.value) is int else node

    def visit_BinOp(self, node: Any) -> Any:
        self.generic_visit(node)
        return ast.Call(ast.Name("pow"), [node.left, node.right], []) if self.power and isinstance(node.op, ast.Pow) else node


def meaning_of(word: str, on_floats: bool, row: str) -> Any:
    """What a word of a row means. On arrays NumPy's ufunc of that name comes first: it is quick, and records on nodes."""
    ufunc, rule = getattr(np, word, None), getattr(OPS.get(word), "rule", None)  # type: Any, Any
    found = ON_ARRAYS.get(word, ufunc if isinstance(ufunc, np.ufunc) else isinstance(rule, Elementwise) and OPS[word])
    if not found:
        way = "use its operands, y, ops that work entry by entry, or NumPy's ufuncs"
        raise ValueError(f"{word} means nothing in the row of {row}; {way}")
    if not on_floats:
        return found
    return rule.on_numbers.value if word in BUILT_IN or found is OPS.get(word) else on_one_number(found)


def defined(title: str, heading: str, functions: dict[str, str], names: dict[str, Any]) -> dict[str, Any]:
    """The functions {signature: body}, and the names that they use. Debuggers, tracebacks and inspect find their lines."""
    text = heading + "".join(f"\n\n\ndef {signature}:\n    {body}" for signature, body in functions.items()) + "\n"
    while (file := f"<{title}>") in linecache.cache:  # of a row that was replaced
        title += "'"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    exec(compile(text, file, "exec"), names)
    return names


def check_runs(rule: Elementwise) -> None:
    """ValueError unless the value and the slopes at 1/2 are real numbers."""
    xs = [0.5] * len(rule.operands)
    try:
        y = rule.on_numbers.value(*xs)
        with np.errstate(all="ignore"):
            of_array = np.ravel(rule.value(*[np.array([x, x]) for x in xs]))[0]
        for number in (y, of_array, *(pull(1.0, y, *xs) for pull in rule.on_numbers.pulls if pull)):
            if not isinstance(number, float):
                raise TypeError(f"got {number!r} in place of a real number")
    except Exception as error:
        raise ValueError(f"the row of {rule.name} does not run at 0.5: {type(error).__name__}: {error}") from error


def any_objects(xs: Any) -> bool:
    """Whether an object array, of Scalars that is, is among the operands."""
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in xs)


def as_object(x: Any) -> Any:
    """x as an array that NumPy's object loops can walk: a Scalar becomes an object array of shape ()."""
    return np.array(x, dtype=object) if isinstance(x, Node) else np.asarray(x)
