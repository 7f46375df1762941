"""What is the derivative of each op?  One row per op: its value y, and the local derivative for each operand, as text.

A row holds the local derivative and nothing else: no gradient from above, no broadcasting. rows.py compiles it into functions,

    def value(a): return tanh(a)          def pull(g, y, a): return g * (1 - y * y),          (a part for each operand)

for numbers, and again for arrays; it is the text `edge.formula`, too, and fed with nodes it is the derivative's own graph.

    a, b  operands      y  value      g  gradient      saturates, rectifies, selects, largest_slope  facts: elementwise() in rows.py
"""

from typing import Any

from .rows import OPS, elementwise

# op                     signature                    value, y                             ∂y/∂a                        ∂y/∂b
add        = elementwise("add(a, b)",                 "a + b",                             "1",                         "1")
subtract   = elementwise("subtract(a, b)",            "a - b",                             "1",                         "-1")
multiply   = elementwise("multiply(a, b)",            "a * b",                             "b",                         "a")
divide     = elementwise("divide(a, b)",              "a / b",                             "1 / b",                     "-y / b")
power      = elementwise("power(a, b)",               "a ** b",                            "b * base(a, b) ** (b - 1)", "y * log(positive(a, b))")
negative   = elementwise("negative(a)",               "-a",                                "-1")
absolute   = elementwise("abs(a)",                    "maximum(a, -a)",                    "sign(a)",                   rectifies=True)
sign       = elementwise("sign(a)",                   "sign(a)",                           "0.0",                       rectifies=True)
square     = elementwise("square(a)",                 "a * a",                             "2 * a")
sqrt       = elementwise("sqrt(a)",                   "sqrt(a)",                           "0.5 / y")
exp        = elementwise("exp(a)",                    "exp(a)",                            "y",                         saturates=True)
expm1      = elementwise("expm1(a)",                  "expm1(a)",                          "exp(a)",                    saturates=True)
log        = elementwise("log(a)",                    "log(a)",                            "1 / a")
log1p      = elementwise("log1p(a)",                  "log1p(a)",                          "1 / (1 + a)")
sin        = elementwise("sin(a)",                    "sin(a)",                            "cos(a)")
cos        = elementwise("cos(a)",                    "cos(a)",                            "-sin(a)")
tanh       = elementwise("tanh(a)",                   "tanh(a)",                           "1 - y * y",                 saturates=True, largest_slope=1.0)
sigmoid    = elementwise("sigmoid(a)",                "1 / (1 + exp_or_inf(-a))",          "y * (1 - y)",               saturates=True, largest_slope=0.25)
softplus   = elementwise("softplus(a)",               "maximum(a, 0.0) + log1p(exp(minimum(a, -a)))",
                                                                                           "sigmoid(a)",                saturates=True, largest_slope=1.0)
relu       = elementwise("relu(a)",                   "maximum(a, 0.0)",                   "a > 0",                     rectifies=True, selects=True)
leaky_relu = elementwise("leaky_relu(a, slope=0.01)", "where(a > 0, a, slope * a)",        "where(a > 0, 1.0, slope)",  "where(a > 0, 0.0, a)", selects=True)
elu        = elementwise("elu(a, alpha=1.0)",         "where(a > 0, a, alpha * below(a))",
                                                                                           "where(a > 0, 1.0, alpha * exp(where(a > 0, 0.0, a)))", "where(a > 0, 0.0, below(a))",
                                                                                           saturates=True, selects=True, largest_slope=1.0)
maximum    = elementwise("maximum(a, b)",             "maximum(a, b)",                     "(a > b) + 0.5 * (a == b)",  "(a < b) + 0.5 * (a == b)",
                                                                                           rectifies=True, selects=True)
minimum    = elementwise("minimum(a, b)",             "minimum(a, b)",                     "(a < b) + 0.5 * (a == b)",  "(a > b) + 0.5 * (a == b)",
                                                                                           rectifies=True, selects=True)
where      = elementwise("where(condition, a, b)",    "where(condition, a, b)",            None, "condition != 0", "condition == 0",
                                                                                           rectifies=True, selects=True)
bounded    = elementwise("clip(a, lo, hi)",           "minimum(maximum(a, lo), hi)",       "(lo <= a) & (a <= hi)",     "(a < lo) & (lo < hi)", "(a > hi) | (lo >= hi)",
                                                                                           saturates=True, selects=True, largest_slope=1.0)


def clip(a: Any, lo: Any = None, hi: Any = None) -> Any:
    """a, but not below lo and not above hi (None: no bound): slope 1 from lo to hi, both included, 0 outside, where it is the bound's."""
    return bounded(a, float("-inf") if lo is None else lo, float("inf") if hi is None else hi)


OPS["clip"], clip.rule = clip, bounded.rule  # type: ignore[attr-defined]
