"""What may stand in a row beside operands and ops?  NumPy's ufuncs, and a few words for what a formula cannot say by itself.

Each has two meanings: on arrays (and nodes, which NumPy's functions record), and on Python's numbers. a and b are operands.
"""

import math
from typing import Any

import numpy as np

from .core import Node, plain
from .maps import selected


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


def on_every_entry(function: Any, n: int) -> Any:
    """A function of n numbers as one of n arrays, which keeps float32; a ufunc is one already."""
    def on_arrays(*xs: Any) -> Any:
        dtype = np.result_type(*xs)
        return np.asarray(called(*xs)).astype(dtype if dtype.kind == "f" else float)[()]

    called = np.frompyfunc(function, n, 1)
    return function if isinstance(function, np.ufunc) else on_arrays


def on_one_number(function: Any) -> Any:
    """A function of NumPy's, from floats to a float, without warnings."""
    return np.errstate(all="ignore")(lambda *xs: float(function(*map(np.float64, xs))))


ON_ARRAYS: dict[str, Any] = {f.__name__: f for f in (np.where, selected, exp_or_inf, below, base, positive)}
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
