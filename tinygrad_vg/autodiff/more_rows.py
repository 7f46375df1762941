"""Which further functions work entry by entry?  The rest of NumPy's, a few of SciPy's, gelu, and `%`: a row for each, as in table.py.

None of them is needed to understand the others, so they stand apart. np.arctan(t) and scipy.special.erf(t) record from here on.
"""

import math
from typing import Any

import numpy as np

from . import scalar, tensor
from .numerics import ON_ARRAYS, ON_NUMBERS
from .protocols import NUMPY, SCIPY
from .rows import BUILT_IN, OPS, elementwise
from .scalar import Scalar
from .table import log, log1p, softplus
from .tensor import Tensor
from .variable import Variable

K, M = (c * 2 * math.sqrt(2 / math.pi) for c in (1.0, 0.044715))  # of gelu, its approximation by tanh


def gelu_gate(a: Any) -> Any:
    """Φ(a), the share of a standard normal below a: what gelu lets through."""
    return 0.5 * OPS["erfc"](-math.sqrt(0.5) * a)


def gelu_slope(a: Any) -> Any:
    """Φ(a) + a φ(a), φ the density of the standard normal; beyond ±99 the second is 0."""
    near = np.minimum(np.maximum(a, -99.0), 99.0)
    return gelu_gate(a) + near * np.exp(-0.5 * near * near) / math.sqrt(2 * math.pi)


def tanh_gate(a: Any) -> Any:
    """σ(K a + M a³), about the share of a standard normal below a: what the approximation lets through. Beyond ±99 it is 0 or 1."""
    a = np.minimum(np.maximum(a, -99.0), 99.0)
    return OPS["sigmoid"](a * (K + M * a * a))


def tanh_gate_slope(a: Any) -> Any:
    """gate + a · gate (1 − gate) (K + 3 M a²)."""
    gate, a = tanh_gate(a), np.minimum(np.maximum(a, -99.0), 99.0)
    return gate * (1 + a * (1 - gate) * (K + 3 * M * a * a))


def sinc_slope(a: Any) -> Any:
    """(cos πa − sinc a) / a; near 0, where that cancels, its series Σ (−1)^k 2k π^2k a^(2k−1) / (2k+1)!."""
    near = np.abs(a) < 0.5
    apart, series = np.where(near, 1.0, a), 0.0 * a
    for k in range(12, 0, -1):
        series = series * a * a + (-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
    return np.where(near, series * a, (np.cos(math.pi * apart) - np.sin(math.pi * apart) / (math.pi * apart)) / apart)


ON_ARRAYS |= {f.__name__: f for f in (gelu_gate, gelu_slope, tanh_gate, tanh_gate_slope, np.sinc, sinc_slope)}
ON_NUMBERS |= {"fmod": math.fmod}

# op                       signature            value, y                           ∂y/∂a                          ∂y/∂b
tan         = elementwise("tan(a)",            "tan(a)",                          "1 + y * y")
arcsin      = elementwise("arcsin(a)",         "arcsin(a)",                       "1 / sqrt((1 - a) * (1 + a))")
arccos      = elementwise("arccos(a)",         "arccos(a)",                       "-1 / sqrt((1 - a) * (1 + a))")
arctan      = elementwise("arctan(a)",         "arctan(a)",                       "1 / (1 + a * a)",             saturates=True, largest_slope=1.0)
arctan2     = elementwise("arctan2(a, b)",     "arctan2(a, b)",                   "b / (a * a + b * b)",         "-a / (a * a + b * b)")
sinh        = elementwise("sinh(a)",           "sinh(a)",                         "cosh(a)")
cosh        = elementwise("cosh(a)",           "cosh(a)",                         "sinh(a)")
arcsinh     = elementwise("arcsinh(a)",        "arcsinh(a)",                      "1 / hypot(1, a)")
arccosh     = elementwise("arccosh(a)",        "arccosh(a)",                      "1 / sqrt((a - 1) * (a + 1))")
arctanh     = elementwise("arctanh(a)",        "arctanh(a)",                      "1 / ((1 - a) * (1 + a))")
exp2        = elementwise("exp2(a)",           "exp2(a)",                         "y * log(2)",                  saturates=True)
log2        = elementwise("log2(a)",           "log2(a)",                         "1 / (a * log(2))")
log10       = elementwise("log10(a)",          "log10(a)",                        "1 / (a * log(10))")
reciprocal  = elementwise("reciprocal(a)",     "1 / a",                           "-y * y")
cbrt        = elementwise("cbrt(a)",           "cbrt(a)",                         "1 / (3 * y * y)")
deg2rad     = elementwise("deg2rad(a)",        "deg2rad(a)",                      "pi / 180")
rad2deg     = elementwise("rad2deg(a)",        "rad2deg(a)",                      "180 / pi")
sinc        = elementwise("sinc(a)",           "sinc(a)",                         "sinc_slope(a)")
hypot       = elementwise("hypot(a, b)",       "hypot(a, b)",                     "a / where(y == 0, 1.0, y)",   "b / where(y == 0, 1.0, y)")
logaddexp   = elementwise("logaddexp(a, b)",   "logaddexp(a, b)",                 "sigmoid(a - b)",              "sigmoid(b - a)")
logaddexp2  = elementwise("logaddexp2(a, b)",  "logaddexp2(a, b)",                "sigmoid((a - b) * log(2))",   "sigmoid((b - a) * log(2))")
fmax        = elementwise("fmax(a, b)",        "fmax(a, b)",                      "(y == a) - 0.5 * (a == b)",   "(y == b) - 0.5 * (a == b)",   rectifies=True, selects=True)
fmin        = elementwise("fmin(a, b)",        "fmin(a, b)",                      "(y == a) - 0.5 * (a == b)",   "(y == b) - 0.5 * (a == b)",   rectifies=True, selects=True)
remainder   = elementwise("remainder(a, b)",   "remainder(a, b)",                 "1",                           "-rint((a - y) / b)")
fmod        = elementwise("fmod(a, b)",        "fmod(a, b)",                      "1",                           "-rint((a - y) / b)")
xlogy       = elementwise("xlogy(a, b)",       "a * log(where(a == 0, a + 1, b))", "log(where((a == 0) & (b <= 0), 1.0, b))", "where((a == 0) & (b <= 0), 0.0, a / where((a == 0) & (b <= 0), 1.0, b))")
erf         = elementwise("erf(a)",            math.erf,                          "2 / sqrt(pi) * exp(-a * a)",  saturates=True, largest_slope=1.13)
erfc        = elementwise("erfc(a)",           math.erfc,                         "-2 / sqrt(pi) * exp(-a * a)", saturates=True, largest_slope=1.13)
exact_gelu  = elementwise("gelu(a)",           "a * gelu_gate(a)",                "gelu_slope(a)",               saturates=True, largest_slope=1.13)
gelu_tanh   = elementwise("gelu_tanh(a)",      "a * tanh_gate(a)",                "tanh_gate_slope(a)",          saturates=True, largest_slope=1.13)


def gelu(a: Any, approximate: str | None = None) -> Any:
    """a Φ(a), Φ(a) the share of a standard normal below a, as in PyTorch; "tanh": a σ(1.6 a + 0.07 a³), within 5e-4; else ValueError."""
    if approximate not in (None, "none", "tanh"):
        raise ValueError(f"gelu: approximate is None, the exact one, or 'tanh'; got {approximate!r}")
    return gelu_tanh(a) if approximate == "tanh" else exact_gelu(a)


OPS["gelu"], gelu.rule = gelu, exact_gelu.rule  # type: ignore[attr-defined]
BUILT_IN.update(OPS)

# the operator %, and NumPy's functions on object arrays of Scalars, which ask each entry for a method
Scalar.__mod__, Scalar.__rmod__ = scalar.of_two(remainder)  # type: ignore[attr-defined,operator]
Tensor.__mod__, Tensor.__rmod__ = tensor.of_two(remainder)  # type: ignore[attr-defined,operator]
for _op in (tan, arcsin, arccos, arctan, sinh, cosh, arcsinh, arccosh, arctanh, exp2, log2, log10, cbrt, deg2rad, rad2deg, gelu):
    setattr(Variable, _op.__name__, _op)

# the same by other names
NUMPY |= {np.radians: deg2rad, np.degrees: rad2deg}
SCIPY |= {"expit": OPS["sigmoid"], "log_expit": lambda x: -softplus(-x), "logit": lambda x: log(x) - log1p(-x)}
