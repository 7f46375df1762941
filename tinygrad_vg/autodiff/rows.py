"""How does a row of text become an op?  It is compiled once, into plain functions: the value, and what each operand receives.

    multiply(a, b)   value  a * b     slopes  b and a          def value(a, b):        return a * b
    a, b  operands   x, z  their values   y  value             def pull_a(g, y, a, b): return g * b
    g  gradient with respect to y                              def pull(g, y, a, b):   return g * b, g * a

And that twice: for arrays with NumPy's functions, which record on nodes, so that the derivative has a graph, too; for Python's numbers
with math's. Debuggers and tracebacks show the row. Where an op selects, the product is selected(g, slope): exactly 0 where the slope is.
"""

import ast
import linecache
import math
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .core import Node
from .maps import OPS, Broadcast, Diagonal, LinearMap, Rule, apply, unbroadcast
from .numerics import ON_ARRAYS, ON_NUMBERS, on_every_entry, on_one_number

BUILT_IN: set[str] = set()  # ops that nobody may replace
RESERVED = {"g", "y", "np", "apply", "inf", "pow", "pull", "rule", "selected", "value"}  # words of the compiled text
TWICE = "try:\n        return {0}\n    except (ArithmeticError, ValueError):  # NumPy has an answer\n        return {1}"
FLOAT = np.float64  # a number without axes


class Elementwise(Rule):
    """A row of the table: the rule of a node whose entries each depend on the matching entries of its parents."""

    on_floats = False
    number_row: Any = None  # scalar.py gives its kind of row here
    on_numbers = cached_property(lambda self: self.number_row(self))  # the same row for Scalars
    selects = saturates = rectifies = False  # the facts of the op: see elementwise()
    largest_slope: float | None = None
    on_arrays: Any

    def __init__(self, signature: str, value: Any, *slopes: str | None, **facts: Any):
        """ValueError for what cannot be a signature, and for a name that is taken."""
        try:
            function: Any = ast.parse(f"def {signature}: ...").body[0]
        except SyntaxError:
            raise ValueError(f"{signature!r} is no signature: a row needs one to three operands, as in 'swish(a)'") from None
        self.name, self.arguments, operands = function.name, ast.unparse(function.args), [a.arg for a in function.args.args]
        if self.name in BUILT_IN:
            raise ValueError(f"there is an op {self.name} already; choose another name")
        taken = {self.name, *operands} & RESERVED | set(operands) & OPS.keys()
        if len(slopes) != len(operands) or not 1 <= len(set(operands)) == len(operands) <= 3 or taken:
            way = f"none with the name of an op, or one of {', '.join(sorted(RESERVED))}"
            raise ValueError(f"{signature} needs one to three operands, each with a slope (or None), and {way}")
        self.operands, self.slopes, self.takes_constants = operands, slopes, None in slopes
        self.function = None if isinstance(value, str) else value
        self.text = f"{self.name}({', '.join(operands)})" if self.function else value
        vars(self).update(facts)
        self.compile()

    def compile(self) -> None:
        """The text as functions that debuggers find: value(a, b); pull_a(g, y, a, b) …, in self.pulls; pull(g, y, a, b), all in one go."""
        def meaning(word: str) -> None:
            if word not in (*self.operands, "y", *names):
                names[word] = self.meaning_of(word)

        names, operands = dict(ON_NUMBERS if self.on_floats else ON_ARRAYS), ", ".join(self.operands)
        if self.function:
            names[self.name] = on_one_number(self.function) if self.on_floats else on_every_entry(self.function, len(self.operands))
        words = Words(meaning, floats=True, power=self.on_floats)
        rows = {a: words.of(slope) for a, slope in zip(self.operands, self.slopes) if slope is not None}
        pulls = {a: f"selected(g, {s})" if self.selects else {"1.0": "g", "-1.0": "-g"}.get(s, f"g * ({s})") for a, s in rows.items()}
        calls = {a: f"pull_{a}(g, y, {operands})" for a in pulls}
        together, one_by_one = ("".join(f"{parts.get(a)}, " for a in self.operands) for parts in (pulls, calls))
        formulas = [(f"value({self.arguments})", words.of(self.text), f"numpy_value({operands})")]
        formulas += [(calls[a], pull, f"numpy_{a}(g, y, {operands})") for a, pull in pulls.items()]
        formulas += [(f"pull(g, y, {operands})", together, one_by_one)]
        if self.on_floats:  # where Python's floats raise or leave the reals, 1 / 0., (-8.) ** (1 / 3), NumPy's do not
            numpys = zip(("value", *self.operands), (self.on_arrays.value, *self.on_arrays.pulls))
            names |= {f"numpy_{name}": on_one_number(function) for name, function in numpys}
        kind, body = ("numbers", TWICE) if self.on_floats else ("arrays", "return {0}")
        functions = {signature: body.format(formula, again) for signature, formula, again in formulas}
        made = defined(f"row {self.name}, of {kind}", f"# {self.name}({self.arguments}) = {self.text}, of {kind}", functions, names)
        self.value, self.pull = made["value"], made["pull"]  # type: ignore[method-assign]
        self.pulls: list[Any] = [made.get(f"pull_{a}") for a in self.operands]

    def meaning_of(self, word: str) -> Any:
        """What a word of the row means, else ValueError. On arrays NumPy's ufunc comes first: it is quick, and records on nodes."""
        ufunc, rule = getattr(np, word, None), getattr(OPS.get(word), "rule", None)  # type: Any, Any
        found = ON_ARRAYS.get(word, ufunc if isinstance(ufunc, np.ufunc) else isinstance(rule, Elementwise) and OPS[word])
        if not found:
            way = "use its operands, y, ops that work entry by entry, or NumPy's ufuncs"
            raise ValueError(f"{word} means nothing in the row of {self.name}; {way}")
        if not self.on_floats:
            return found
        return rule.on_numbers.value if word in BUILT_IN or found is OPS.get(word) else on_one_number(found)

    @np.errstate(all="ignore")
    def check_runs(self) -> None:
        """ValueError unless the value, of numbers and of arrays, and the slopes at 1/2 are real numbers."""
        xs = [0.5] * len(self.operands)
        try:
            y, of_array = self.on_numbers.value(*xs), np.ravel(self.value(*map(np.array, zip(xs, xs))))[0]
            for number in (y, of_array, *(pull(1.0, y, *xs) for pull in self.on_numbers.pulls if pull)):
                if not isinstance(number, float):
                    raise TypeError(f"got {number!r} in place of a real number")
        except Exception as error:
            raise ValueError(f"the row of {self.name} does not run at 0.5: {type(error).__name__}: {error}") from error

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
        """g times the slope for each parent, made of nodes."""
        xs = node._parents
        asked = [isinstance(x, Node) and (inside is None or x in inside) for x in xs]
        return [unbroadcast(pull(g, node, *xs), x.shape) if ask else None for pull, x, ask in zip(self.pulls, xs, asked)]
    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any: return unbroadcast(self.pulls[i](g, y, *xs), xs[i].shape)

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: a diagonal, and before it the broadcasting of x_i to the shape of y, if there was any."""
        diagonal = Diagonal(self.pulls[i](1.0, y, *xs), np.shape(y), str(self.slopes[i]), self.selects)
        return diagonal if np.shape(xs[i]) == np.shape(y) else diagonal @ Broadcast(shape=np.shape(y)).local(0, y, [xs[i]])
    def formula(self, i: int, names: Any = (), y: str = "y") -> str: return Words({}.get).of(self.slopes[i] or "''")

    def of_constants(self, *xs: Any) -> Any:
        """The value of numbers and arrays; of an object array of Scalars entry by entry."""
        given = [x if isinstance(x, (float, int)) else numbers_or_scalars(x, self.name) for x in xs]
        return self.map_entries(*given) if any_objects(given) else self.value(*given)

    def check_constants(self, operands: tuple) -> None:
        """TypeError for a node where the row takes constants only."""
        for letter, slope, x in zip(self.operands, self.slopes, operands):
            if slope is None and isinstance(x, Node):
                raise TypeError(f"{self.name}: {letter} must be a constant, got a {type(x).__name__}; pass its .data, or compare it: x > 0")

    def map_entries(self, *operands: Any) -> Any:
        """On an object array of Scalars: one op per entry, plain numbers among the entries lifted."""
        def one(*xs: Any) -> Any:
            y = apply(self, *xs)
            return y.item() if isinstance(y, np.ndarray) else y  # where() makes 0-d arrays of numbers

        return np.frompyfunc(one, len(operands), 1)(*map(as_object, operands))


def elementwise(signature: str, value: Any, *slopes: str | None, **facts: Any) -> Any:
    """Add an elementwise op: `swish = elementwise("swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)")`.

    signature  name and operands, with defaults if there are any
    value      the formula, in floats (2 means 2.0): operators, the ops of the table, NumPy's ufuncs by name, where;
               or a function of as many numbers: a ufunc, of SciPy's too, which then records, or any other, called for every entry
    slopes     for each operand ∂y/∂operand, which may use y; None: that operand takes constants only
    facts      selects=True: where its slope is 0 the operand is cut off and receives exactly 0, even of an infinite gradient. For verdict:
               saturates=True, its slope goes to 0 far out; rectifies=True, it is flat on one side; largest_slope=1.0, its largest size

    Returns the op as a function of numbers, arrays, Scalars, Tensors or object arrays of Scalars; where NumPy has a function of this
    name, that records, too (but not on object arrays). An op of your own can be given a new row, one of the package's cannot.
    ValueError for a row that cannot be right, before anything is registered.
    """
    if unknown := facts.keys() - {"selects", "saturates", "rectifies", "largest_slope"}:
        raise TypeError(f"elementwise() knows no fact {', '.join(unknown)}; it takes selects, saturates, rectifies and largest_slope")
    rule = Elementwise(signature, value, *slopes, **facts)
    if BUILT_IN:  # the package's own rows are tested
        rule.check_runs()
    name, a, operands = rule.name, rule.operands[0], ", ".join(rule.operands)
    alone = f"{a}.record(rule, ({a},)) if isinstance({a}, Node) else rule.of_constants({a})"  # as apply() does, for speed
    call = {f"{name}({rule.arguments})": "return " + (f"apply(rule, {operands})" if "," in operands else alone)}
    op = OPS[name] = defined(f"op {name}", f"# y = {rule.text}", call, {"apply": apply, "rule": rule, "Node": Node, "inf": math.inf})[name]
    rows = "".join(f"    ∂y/∂{x} = {row or 'none, a constant'}\n" for x, row in zip(rule.operands, slopes))
    op.__doc__, op.rule = f"{name}, entry by entry: y = {rule.text}\n\n{rows}", rule
    return op


class Words(ast.NodeTransformer):
    """A formula with other words in it: word(w) for each name w, if not None; `floats`: 1.0 for 1; `power`: pow(a, b) for a ** b."""

    def __init__(self, word: Any, floats: bool = False, power: bool = False):
        self.word, self.floats, self.power = word, floats, power

    def of(self, text: str) -> str:
        """The text with the words put in; ValueError if it is no formula."""
        try:
            return ast.unparse(self.visit(ast.parse(text.strip(), mode="eval")))
        except SyntaxError as error:
            raise ValueError(f"{text!r} is no formula: {error.msg}") from None

    def visit_Attribute(self, node: Any) -> Any:
        """np.arctan: arctan."""
        return self.visit(ast.Name(node.attr)) if getattr(node.value, "id", "") == "np" else self.generic_visit(node)

    def visit_Name(self, node: Any) -> Any: return ast.Name(self.word(node.id) or node.id)
    def visit_Constant(self, node: Any) -> Any: return ast.Constant(float(node.value)) if self.floats and type(node.value) is int else node

    def visit_BinOp(self, node: Any) -> Any:
        """pow(a, b) for a ** b, if asked."""
        self.generic_visit(node)
        return ast.Call(ast.Name("pow"), [node.left, node.right], []) if self.power and isinstance(node.op, ast.Pow) else node


def defined(title: str, heading: str, functions: dict[str, str], names: dict[str, Any]) -> dict[str, Any]:
    """The functions {signature: body}, and the names that they use. Debuggers, tracebacks and inspect find their lines."""
    text = heading + "".join(f"\n\n\ndef {signature}:\n    {body}" for signature, body in functions.items()) + "\n"
    while (file := f"<{title}>") in linecache.cache:  # of a row that was replaced
        title += "'"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    exec(compile(text, file, "exec"), names)
    return names


def any_objects(xs: Any) -> bool:
    """Whether an object array, of Scalars that is, is among the operands."""
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in xs)


def as_object(x: Any) -> Any:
    """x as an array that NumPy's object loops can walk: a Scalar becomes an object array of shape ()."""
    return np.array(x, dtype=object) if isinstance(x, Node) else np.asarray(x)
