"""What is the derivative of each op?  One row per op, and the row is text.

    signature, value y, and the local derivative with respect to each operand, in terms of the operands and of y

A row is compiled once and then serves everywhere: a Scalar's slope (floats), the diagonal on a Tensor's edge (arrays),
the factor inside the sweep, `g * (row)`, the derivative's own graph (the row is fed nodes), and the text `edge.formula`.
It holds the local derivative and nothing else: no gradient from above, no broadcasting.

    a, b  operands      y  value      g  gradient with respect to y
"""

import math
import re
from typing import Any

import numpy as np

from .arrays import numbers_or_scalars
from .maps import Diagonal, LinearMap, Spread, unbroadcast
from .node import Node
from .written import RESERVED, Written, compiled, in_floats, renamed

OPS: dict[str, Any] = {}  # every op by name: the registry
ON_NODES: dict[str, Any] = {"inf": math.inf, "K": 2 * math.sqrt(2 / math.pi), "M": 2 * math.sqrt(2 / math.pi) * 0.044715}
ON_ARRAYS: dict[str, Any] = dict(ON_NODES)  # what the functions in a value mean on arrays …
ON_NUMBERS: dict[str, Any] = dict(ON_NODES)  # … and in a value or slope on Python numbers; in other slopes (ON_NODES) they are the ops themselves


class Elementwise(Written):
    """A row of the table: the rule of a node whose entries each depend on the matching entries of its parents."""

    broadcasts = True

    def __init__(self, name: str, operands: list[str], value: str, slopes: tuple[str | None, ...]):
        text, *self.rows = [row and in_floats(row) for row in (value, *slopes)]
        pulls = [row and {"1.0": "g", "-1.0": "-g"}.get(row, f"g * ({row})") for row in self.rows]
        super().__init__(name, operands, str(text), pulls, ON_ARRAYS, ON_NODES)
        self.slopes = slopes
        self.diagonals: list[Any] = [row and compiled(f"lambda y, {', '.join(operands)}: {row}", ON_NODES) for row in self.rows]

    def local(self, i: int, y: Any, xs: Any) -> LinearMap:
        """∂y/∂x_i: a diagonal, and before it the broadcasting of x_i to the shape of y, if there was any."""
        diagonal = Diagonal(self.diagonals[i](y, *xs), np.shape(y), str(self.slopes[i]))
        return diagonal if np.shape(xs[i]) == np.shape(y) else diagonal @ Spread(shape=np.shape(y)).local(0, y, [xs[i]])

    fitted = staticmethod(unbroadcast)  # type: ignore[assignment]

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        """The row's text, with names in place of letters where there are any."""
        return renamed(self.slopes[i] or "", {"y": y} | {letter: name or letter for letter, name in zip(self.operands, names)})

    def on_constants(self, *xs: Any) -> Any:
        given = [x if isinstance(x, (np.ndarray, float, int)) else numbers_or_scalars(x, self.name) for x in xs]
        return self.each(*given) if any_objects(given) else self.value(*given)

    def each(self, *operands: Any) -> np.ndarray:
        """On an object array of Scalars: one op per entry, plain numbers among the entries lifted."""
        entries = np.broadcast(*(as_object(x) for x in operands))
        result = np.empty(entries.shape, dtype=object)
        made = [self(*numbers) for numbers in entries]
        result.reshape(-1)[:] = [y.item() if isinstance(y, np.ndarray) else y for y in made]  # where() makes 0-d arrays of numbers
        return result if result.shape else result.item()


def elementwise(signature: str, value: str, *slopes: str | None) -> Any:
    """Add an elementwise op: `swish = elementwise("swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)")`.

    signature  name and operands, with defaults if there are any
    value      the formula: operators, the ops of this table, where, maximum, minimum
    slopes     for each operand ∂y/∂operand, which may use y; None: that operand takes constants only

    Numbers in the text are floats, 2 means 2.0. Names that begin with _ are the engine's. Returns the op as a function of numbers, arrays, Scalars, Tensors or object arrays of Scalars.
    """
    name, _, arguments = signature.strip().removesuffix(")").partition("(")
    operands = re.findall(r"(\w+)(?:=[^,]+)?", arguments)
    taken = {x for x in operands if x in RESERVED or x in ON_NODES or x.startswith("_")}
    if len(slopes) != len(operands) or not 1 <= len(set(operands)) == len(operands) <= 3 or taken:
        raise ValueError(
            f"{signature} needs one to three operands, each with a derivative (or None), and none with the name of an op, a name that "
            f"begins with _, or one of {', '.join(sorted(RESERVED))}"
        )
    if name in OPS or name in RESERVED or name.startswith("_") or not name.isidentifier():
        raise ValueError(f"there is an op {name} already; choose another name" if name in OPS else f"{name!r} cannot be the name of an op")
    rule = Elementwise(name, operands, value, slopes)
    kinds = "".join(f"[_type({x})]" for x in operands)
    function = compiled(f"lambda {arguments}: _makers{kinds}({', '.join(operands)})", {**ON_NODES, "_makers": rule.makers, "_type": type})
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}, entry by entry: y = {value}\n\n" + "".join(
        f"    ∂y/∂{x} = {row or 'none, a constant'}\n" for x, row in zip(operands, slopes)
    )
    function.rule = rule
    OPS[name] = ON_NODES[name] = function
    ON_ARRAYS.setdefault(name, rule.value)
    ON_NUMBERS.setdefault(name, compiled(f"lambda {', '.join(operands)}: {value}", ON_NUMBERS))
    return function


def any_objects(xs: Any) -> bool:
    """Whether an object array, of Scalars that is, is among the operands."""
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in xs)


def as_object(x: Any) -> Any:
    """x as an array that NumPy's object loops can walk: a Scalar becomes an object array of shape ()."""
    return np.array(x, dtype=object) if isinstance(x, Node) else np.asarray(x)


def exp_or_inf(a: Any) -> Any:
    """exp that quietly becomes inf where it overflows, for formulas in which that is the right limit."""
    if type(a) is np.ndarray and a.dtype.kind == "f" and a.size and a.item(a.argmax()) < 88:
        return np.exp(a)  # nothing overflows, not even in float32; errstate takes longer than a small exp
    with np.errstate(over="ignore"):
        return np.exp(a)


# The same, filled in. Rows that follow may use the ops of rows before them.
ON_ARRAYS |= {name: getattr(np, name) for name in "exp log log1p expm1 sqrt sin cos tanh maximum minimum where sign".split()}
ON_ARRAYS |= {"exp_or_inf": exp_or_inf}
ON_NUMBERS |= {name: getattr(math, name) for name in "exp log log1p expm1 sqrt sin cos tanh".split()}
ON_NUMBERS |= {
    "exp_or_inf": math.exp,  # where it overflows, the whole op is done again as NumPy does it
    "maximum": lambda a, b: a if a >= b or a != a else b,
    "minimum": lambda a, b: a if a <= b or a != a else b,
    "where": lambda condition, a, b: a if condition else b,
    "sign": lambda a: float((a > 0) - (a < 0)) if a == a else a,
}
for names in (ON_ARRAYS, ON_NUMBERS, ON_NODES):
    names["positive"] = compiled("lambda a, b: where((a == 0) & (b >= 0), 1.0, a)", names)  # 0 ** b is flat in b ≥ 0, as log 1 = 0
    names["below"] = compiled("lambda a: expm1(minimum(a, 0.0))", names)
    names["near"] = compiled("lambda a: minimum(maximum(a, -99.0), 99.0)", names)  # beyond, gelu's gate is 0 or 1
    names["gelu_z"] = compiled("lambda a: near(a) * (K + M * near(a) * near(a))", names)
    names["gelu_dz"] = compiled("lambda a: K + 3 * M * near(a) * near(a)", names)

ON_ARRAYS["below"] = lambda a: ON_NUMBERS["below"](a) if type(a) is float else np.expm1(np.minimum(a, 0.0))  # a float stays weak

# fmt: off
# op                     signature                    value, y                             ∂y/∂a                        ∂y/∂b
add        = elementwise("add(a, b)",                 "a + b",                             "1",                         "1")
subtract   = elementwise("subtract(a, b)",            "a - b",                             "1",                         "-1")
multiply   = elementwise("multiply(a, b)",            "a * b",                             "b",                         "a")
divide     = elementwise("divide(a, b)",              "a / b",                             "1 / b",                     "-y / b")
power      = elementwise("power(a, b)",               "a ** b",                            "b * a ** (b - 1 * (b != 0))",
                                                                                           "y * log(positive(a, b))")
negative   = elementwise("negative(a)",               "-a",                                "-1")
absolute   = elementwise("abs(a)",                    "maximum(a, -a)",                    "sign(a)")
sign       = elementwise("sign(a)",                   "sign(a)",                           "0.0")
square     = elementwise("square(a)",                 "a * a",                             "2 * a")
sqrt       = elementwise("sqrt(a)",                   "sqrt(a)",                           "0.5 / y")
exp        = elementwise("exp(a)",                    "exp(a)",                            "y")
expm1      = elementwise("expm1(a)",                  "expm1(a)",                          "y + 1")
log        = elementwise("log(a)",                    "log(a)",                            "1 / a")
log1p      = elementwise("log1p(a)",                  "log1p(a)",                          "1 / (1 + a)")
sin        = elementwise("sin(a)",                    "sin(a)",                            "cos(a)")
cos        = elementwise("cos(a)",                    "cos(a)",                            "-sin(a)")
tanh       = elementwise("tanh(a)",                   "tanh(a)",                           "1 - y * y")
sigmoid    = elementwise("sigmoid(a)",                "1 / (1 + exp_or_inf(-a))",          "y * (1 - y)")
softplus   = elementwise("softplus(a)",               "maximum(a, 0.0) + log1p(exp(minimum(a, -a)))",
                                                                                           "sigmoid(a)")
relu       = elementwise("relu(a)",                   "maximum(a, 0.0)",                   "a > 0")
leaky_relu = elementwise("leaky_relu(a, slope=0.01)", "where(a > 0, a, slope * a)",        "where(a > 0, 1.0, slope)",
                                                                                           "where(a > 0, 0.0, a)")
elu        = elementwise("elu(a, alpha=1.0)",         "where(a > 0, a, alpha * below(a))", "where(a > 0, 1.0, y + alpha)",
                                                                                           "where(a > 0, 0.0, below(a))")
gelu_gate  = elementwise("gelu_gate(a)",              "sigmoid(gelu_z(a))",                "y * (1 - y) * gelu_dz(a)")
gelu       = elementwise("gelu(a)",                   "a * gelu_gate(a)",
                                                                           "gelu_gate(a) * (1 + near(a) * (1 - gelu_gate(a)) * gelu_dz(a))")
maximum    = elementwise("maximum(a, b)",             "maximum(a, b)",                     "(a > b) + 0.5 * (a == b)",
                                                                                           "(a < b) + 0.5 * (a == b)")
minimum    = elementwise("minimum(a, b)",             "minimum(a, b)",                     "(a < b) + 0.5 * (a == b)",
                                                                                           "(a > b) + 0.5 * (a == b)")
bounded    = elementwise("clip(a, lo, hi)",           "minimum(maximum(a, lo), hi)",       "(lo <= a) & (a <= hi)", None, None)
where      = elementwise("where(condition, a, b)",    "where(condition, a, b)",            None, "where(condition, 1.0, 0.0)",
                                                                                                 "where(condition, 0.0, 1.0)")
# fmt: on


def clip(a: Any, lo: Any = None, hi: Any = None) -> Any:
    """a, but not below lo and not above hi (constants; None: no bound): slope 1 from lo to hi, both included, 0 outside."""
    return bounded(a, -math.inf if lo is None else lo, math.inf if hi is None else hi)


OPS["clip"] = clip
