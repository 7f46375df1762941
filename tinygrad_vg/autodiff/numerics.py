"""What may stand in a row beside operands and ops?  NumPy's ufuncs, and a few words for what a formula cannot say by itself.

Each has two meanings: on arrays (and nodes, which NumPy's functions record), and on Python's numbers. a and b are operands.
"""

import math
from typing import Any

import numpy as np

from .core import Node, plain
from .maps import OPS, selected

K = 2 * math.sqrt(2 / math.pi)  # of gelu
M = K * 0.044715


def exp_or_inf(a: Any) -> Any:
    """exp that quietly becomes inf where it overflows, for formulas in which that is the right limit."""
    if type(a) is np.ndarray and a.dtype.kind == "f" and a.size and a.item(a.argmax()) < 88:
        return np.exp(a)  # nothing overflows, not even in float32; errstate takes longer than a small exp
    with np.errstate(over="ignore"):
        return np.exp(a)


def below(a: Any) -> Any:
    """exp(a) - 1 where a ≤ 0, else 0; a float stays one, so that it does not decide the dtype."""
    return math.expm1(min(a, 0.0)) if type(a) is float else np.expm1(np.where(plain(a) > 0, 0.0, a))


def base(a: Any, b: Any) -> Any:
    """a; but 1 where b is 0, so that the slope b * base(a, b) ** (b - 1) of a ** b is 0 there; of a node b only if 1 / a is not finite."""
    if type(b) is float and b:
        return a
    flat = plain(b) == 0
    if isinstance(b, Node):  # the slope of the slope is 1 / a
        flat = flat & ~(np.abs(plain(a)) >= 1e-300)
    return np.where(flat, 1.0, a) if np.any(flat) else a


def positive(a: Any, b: Any) -> Any:
    """a; but 1 where a = 0 and b ≥ 0, so that the slope y * log(positive(a, b)) of a ** b is 0 there: 0 ** b is flat."""
    flat = (plain(a) == 0) & (plain(b) >= 0)
    return np.where(flat, 1.0, a) if np.any(flat) else a


def gelu_gate(a: Any) -> Any:
    """σ(K a + M a³), about the share of a standard normal below a: what gelu lets through. Beyond ±99 it is 0 or 1."""
    a = np.minimum(np.maximum(a, -99.0), 99.0)
    return OPS["sigmoid"](a * (K + M * a * a))


def gelu_slope(a: Any) -> Any:
    """gate + a · gate (1 − gate) (K + 3 M a²)."""
    gate, a = gelu_gate(a), np.minimum(np.maximum(a, -99.0), 99.0)
    return gate * (1 + a * (1 - gate) * (K + 3 * M * a * a))


def on_one_number(function: Any) -> Any:
    """A function of NumPy's, from floats to a float, without warnings."""
    return np.errstate(all="ignore")(lambda *xs: float(function(*map(np.float64, xs))))


ON_ARRAYS: dict[str, Any] = {f.__name__: f for f in (np.where, selected, exp_or_inf, below, base, positive, gelu_gate, gelu_slope)}
ON_ARRAYS |= {"inf": math.inf, "pi": math.pi}
ON_NUMBERS: dict[str, Any] = {f: getattr(math, f) for f in "exp log log1p expm1 sqrt pow sin cos tan sinh cosh tanh inf pi".split()}
ON_NUMBERS |= {
    "where":      lambda condition, a, b: a if condition else b,
    "selected":   lambda g, slope: g * slope if slope else 0.0,
    "maximum":    lambda a, b: a if a >= b or a != a else b,
    "minimum":    lambda a, b: a if a <= b or a != a else b,
    "sign":       lambda a: float((a > 0) - (a < 0)) if a == a else a,
    "exp_or_inf": math.exp,  # where it overflows, the whole op is done again as NumPy does it
    "below":      below,
    "base":       lambda a, b: a if b else 1.0,
    "positive":   lambda a, b: 1.0 if a == 0 and b >= 0 else a}
