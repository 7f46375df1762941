"""Is the second derivative right at 0, at 1, far out?  Where rows branch or cancel, every op that works entry by entry is held to its definition.

The truth knows no rule of differentiation: the value alone, in decimal numbers of hundreds of digits, and differences of it,

    f_ab  =  (f(a+h, b+h) - f(a+h, b-h) - f(a-h, b+h) + f(a-h, b-h)) / 4h²         f_aa  =  (f(a+2h) - 2 f(a) + f(a-2h)) / 4h²

    f  the op      a, b, c  its operands      h  the step      g  its gradient      H  its second derivatives, H[i, j] = ∂²y/∂x_i ∂x_j
"""

import math
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, Context, Decimal, DivisionByZero, InvalidOperation, localcontext
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import OPS, Scalar, Tensor, grad, hessian
from tinygrad_vg.autodiff import more_rows, table
from tinygrad_vg.autodiff.rows import Elementwise

NEAR = [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
FAR = [-1e8, -40.0, -20.0, 1e-300, 20.0, 40.0, 1e8]
ROWS = {f.rule.name: f.rule for f in [*vars(table).values(), *vars(more_rows).values()] if isinstance(getattr(f, "rule", None), Elementwise)}
BY_ENTRY = sorted(name for name, op in OPS.items() if name in ROWS or isinstance(getattr(op, "rule", None), Elementwise))

# ---------------------------------------------------------------- the truth: values, of decimals

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798214808651")
LN_2 = Decimal(2).ln(Context(prec=1000))
TEN = Decimal(10)


def sine(a):
    """By its series, after whole turns have been taken off."""
    a = a.remainder_near(2 * PI)
    term = total = a
    for n in range(1, 60):
        term *= -a * a / (2 * n * (2 * n + 1))
        total += term
    return total


def arctan(a):
    """Of the half angle until the series is short."""
    halved = 0
    while abs(a) > Decimal("0.05"):
        a, halved = a / (1 + (1 + a * a).sqrt()), halved + 1
    return sum_of(a, lambda term, n: -term * a * a * (2 * n - 1) / (2 * n + 1)) * 2**halved


def arctan2(a, b):
    """The angle of the point (b, a), from whichever axis is nearer."""
    if abs(a) > abs(b):
        return (PI / 2).copy_sign(a) - arctan(b / a)
    return arctan(a / b) + (PI.copy_sign(a) if b < 0 else 0)


def sum_of(term, following):
    """A series, until it no longer changes."""
    total, n = term, 0
    while term and total + term != total or n < 2:
        n += 1
        term = following(term, n)
        total += term
    return total


def erf(a):
    """By the series whose terms are all of one sign."""
    return 2 / PI.sqrt() * (-a * a).exp() * sum_of(a, lambda term, n: term * 2 * a * a / (2 * n + 1))


def cbrt(a):
    return (abs(a).ln() / 3).exp().copy_sign(a) if a else a


def down(a):
    return a.to_integral_value(ROUND_FLOOR)


def added(a, b):
    """ln(exp a + exp b): beside the larger nothing is left of one that is 3,000 below."""
    far = abs(a - b) > 3000
    return max(a, b) if far else max(a, b) + (1 + (-abs(a - b)).exp()).ln()


def near_gelu(a):
    K = 2 * (2 / PI).sqrt()
    return a / (1 + (-K * a * (1 + Decimal("0.044715") * a * a)).exp())


# fmt: off
VALUES = {
    "add":      lambda a, b: a + b,               "subtract": lambda a, b: a - b,                "multiply": lambda a, b: a * b,
    "divide":   lambda a, b: a / b,               "power":    lambda a, b: a**b,                 "negative": lambda a: -a,
    "abs":      abs,                              "sign":     lambda a: Decimal(1).copy_sign(a), "square":   lambda a: a * a,
    "sqrt":     lambda a: a.sqrt(),               "exp":      lambda a: a.exp(),                 "expm1":    lambda a: a.exp() - 1,
    "log":      lambda a: a.ln(),                 "log1p":    lambda a: (1 + a).ln(),            "sin":      sine,
    "cos":      lambda a: sine(a + PI / 2),       "tanh":     lambda a: 1 - 2 / (1 + (2 * a).exp()),
    "sigmoid":  lambda a: 1 / (1 + (-a).exp()),   "softplus": lambda a: (1 + a.exp()).ln(),      "gelu":     lambda a: a * (1 + erf(a / Decimal(2).sqrt())) / 2,
    "relu":     lambda a: max(a, Decimal(0)),     "maximum":  max,                               "minimum":  min,
    "leaky_relu": lambda a, slope: a if a > 0 else slope * a,
    "elu":        lambda a, alpha: a if a > 0 else alpha * (a.exp() - 1),
    "where":      lambda condition, a, b: a if condition else b,
    "clip":       lambda a, lo, hi: min(max(a, lo), hi),
    "tan":        lambda a: sine(a) / sine(a + PI / 2),            "arctan":  arctan,         "arctan2": arctan2,
    "arcsin":     lambda a: arctan(a / (1 - a * a).sqrt()),        "arccos":  lambda a: PI / 2 - arctan(a / (1 - a * a).sqrt()),
    "sinh":       lambda a: (a.exp() - (-a).exp()) / 2,            "cosh":    lambda a: (a.exp() + (-a).exp()) / 2,
    "arcsinh":    lambda a: (abs(a) + (a * a + 1).sqrt()).ln().copy_sign(a),
    "arccosh":    lambda a: (a + (a * a - 1).sqrt()).ln(),         "arctanh": lambda a: ((1 + a) / (1 - a)).ln() / 2,
    "exp2":       lambda a: (a * LN_2).exp(),                      "log2":    lambda a: a.ln() / LN_2,
    "log10":      lambda a: a.log10(),                             "reciprocal": lambda a: 1 / a,
    "cbrt":       cbrt,                                            "hypot":   lambda a, b: (a * a + b * b).sqrt(),
    "deg2rad":    lambda a: a * PI / 180,                          "rad2deg": lambda a: a * 180 / PI,
    "sinc":       lambda a: sine(PI * a) / (PI * a) if a else Decimal(1),
    "logaddexp":  added,                                           "logaddexp2": lambda a, b: added(a * LN_2, b * LN_2) / LN_2,
    "fmax":       max,                                             "fmin":    min,
    "remainder":  lambda a, b: a - b * down(a / b),                "fmod":    lambda a, b: a - b * down(abs(a / b)).copy_sign(a / b),
    "xlogy":      lambda a, b: a * b.ln(),                         "erf":     erf,            "erfc":    lambda a: 1 - erf(a),
    "gelu_tanh":  near_gelu,
}

# The points at which there is no second derivative, or none from both sides
LEFT_OUT = {
    "divide":     ("pole at b = 0",                        lambda a, b: b == 0),
    "power":      ("a > 0 (0 ** b, and whole exponents: below); a ** (b - 2) overflows", lambda a, b: a <= 0 or a == 1e-300 and 0 <= b < 1e-9),
    "abs":        ("kink at 0",                            lambda a: a == 0),
    "sign":       ("step at 0",                            lambda a: a == 0),
    "relu":       ("kink at 0",                            lambda a: a == 0),
    "leaky_relu": ("kink at a = 0",                        lambda a, slope: a == 0),
    "elu":        ("the second derivative jumps at a = 0", lambda a, alpha: a == 0),
    "sqrt":       ("vertical at 0, not real below",        lambda a: a <= 0),
    "log":        ("pole at 0, not real below",            lambda a: a <= 0),
    "log1p":      ("pole at -1, not real below",           lambda a: a <= -1),
    "maximum":    ("kink at a = b",                        lambda a, b: a == b),
    "minimum":    ("kink at a = b",                        lambda a, b: a == b),
    "clip":       ("kinks at the bounds, which may be equal", lambda a, lo, hi: a in (lo, hi) or lo >= hi),
    "tan":        ("so far out a last digit of a is no small angle", lambda a: abs(a) > 1e3),
    "arctan2":    ("the cut; beyond 1e150 and below 1e-150 squares leave the floats", lambda a, b: a == 0 >= b or 0 < abs(a) < 1e-9 or 0 < abs(b) < 1e-9),
    "arcsin":     ("vertical at ±1, not real beyond",      lambda a: abs(a) >= 1),
    "arccos":     ("vertical at ±1, not real beyond",      lambda a: abs(a) >= 1),
    "arccosh":    ("vertical at 1, not real below",        lambda a: a <= 1),
    "arctanh":    ("poles at ±1, not real beyond",         lambda a: abs(a) >= 1),
    "log2":       ("pole at 0, not real below",            lambda a: a <= 0),
    "log10":      ("pole at 0, not real below",            lambda a: a <= 0),
    "reciprocal": ("pole at 0",                            lambda a: a == 0),
    "cbrt":       ("vertical at 0",                        lambda a: a == 0),
    "hypot":      ("a tip at 0",                           lambda a, b: 0 <= abs(a) < 1e-9 and 0 <= abs(b) < 1e-9),
    "sinc":       ("a last digit of a is no small angle",  lambda a: abs(a) > 2),
    "fmax":       ("kink at a = b",                        lambda a, b: a == b),
    "fmin":       ("kink at a = b",                        lambda a, b: a == b),
    "remainder":  ("jumps where b divides a, not sure where a / b has no digits behind the point", lambda a, b: b == 0 or a / b % 1 == 0 or abs(a / b) < 1e-9),
    "fmod":       ("likewise",                             lambda a, b: b == 0 or a / b % 1 == 0 or abs(a / b) < 1e-9),
    "xlogy":      ("pole at b = 0, not real below",        lambda a, b: b <= 0),
    "erf":        ("its series is too long",               lambda a: abs(a) > 20),
    "erfc":       ("its series is too long",               lambda a: abs(a) > 20),
    "gelu":       ("its series is too long",               lambda a: abs(a) > 20),
}

# Slopes of the form y (1 - y): where y is rounded to 1 they are off by as much, and may be 0
ROUNDED = {"tanh": 2e-15, "sigmoid": 2e-16, "softplus": 2e-16, "gelu_tanh": 1e-12, "gelu": 1e-15, "sinc": 2e-15, "logaddexp": 2e-16, "logaddexp2": 2e-16, "hypot": 1e-15, "erfc": 3e-16, "arccos": 2e-16,
           "arctan2": 1e-15, "xlogy": 1e-15, "remainder": 1e-14, "fmod": 1e-14, "cosh": 1e-15}
LEVEL = {"logaddexp", "logaddexp2"}  # near 0 they change as slowly as elsewhere, so their differences need no smaller step
# fmt: on


def derivatives(name, point):
    """The value, gradient and Hessian by differences, of decimals."""
    f, xs = VALUES[name], [Decimal(x) for x in point]
    h = TEN**-30 * (1 if name in LEVEL else min([1, *(abs(x) for x in xs if x)]))
    free = nodes_of(name)

    @cache
    def moved(steps):
        return f(*[x + h * n for x, n in zip(xs, steps)])

    def at(*moves):
        return moved(tuple(sum(sign for j, sign in moves if j == i) for i in range(len(xs))))

    g = {i: (at((i, 1)) - at((i, -1))) / (2 * h) for i in free}
    H = {(i, j): sum(s * t * at((i, s), (j, t)) for s in (1, -1) for t in (1, -1)) / (4 * h * h) for i in free for j in free}
    return at(), g, H


@cache
def truth(name, point):
    """The same as floats; None where there is no second derivative, or where any of these numbers is beyond the floats."""
    if name in LEFT_OUT and LEFT_OUT[name][1](*point):
        return None
    digits = (400 if name in LEVEL else 1000) if any(0 < abs(x) < 1e-9 for x in point) else 160  # so many that h² is not lost
    with localcontext(Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, DivisionByZero])):
        y, g, H = derivatives(name, point)
        found = float(y), {i: float(part) for i, part in g.items()}, {ij: float(part) for ij, part in H.items()}
    return found if all(map(math.isfinite, [found[0], *found[1].values(), *found[2].values()])) else None


# ---------------------------------------------------------------- the engine


def nodes_of(name):
    """Which operands may be nodes."""
    return [i for i, slope in enumerate(ROWS[name].slopes) if slope is not None]


@cache
def points(name):
    return list(product(*[NEAR if slope is None else NEAR + FAR for slope in ROWS[name].slopes]))


@cache
def smooth_points(name):
    return [point for point in points(name) if truth(name, point)]


def engine(name, xs, nodes):
    """Value, gradient and Hessian of the op at xs (numbers: Scalars; arrays: Tensors, a point for each entry), these operands nodes."""
    leaf = Tensor if isinstance(xs[0], np.ndarray) else Scalar
    xs = [leaf(x) if i in nodes else x for i, x in enumerate(xs)]
    leaves, y = [xs[i] for i in nodes], OPS[name](*xs)
    one = np.ones(y.shape)
    g = grad(y, leaves, seed=one, create_graph=True) if y.shape else grad(y, leaves, create_graph=True)
    H = {(i, j): part for i, row in zip(nodes, g) for j, part in zip(nodes, grad(row, leaves, seed=one if y.shape else None))}
    return y.data, {i: row.data for i, row in zip(nodes, g)}, H


def of_each_point(found, k):
    """Of arrays the k-th entries."""
    y, g, H = found
    return y[k], {i: part[k] for i, part in g.items()}, {ij: part[k] for ij, part in H.items()}


def wrong(name, point, found):
    """A line for each number that is not the truth's."""
    y, g, H = truth(name, point)
    pairs = {"the value": (found[0], y)} | {f"g[{i}]": (part, g[i]) for i, part in found[1].items()}
    pairs |= {f"H[{i}, {j}]": (part, H[i, j]) for (i, j), part in found[2].items()}
    allowed = {what: 1e-11 * abs(want) + 1e-60 + ROUNDED.get(name, 0) for what, (_, want) in pairs.items()}
    return [f"{name}{point}: {what} is {got}, not {want}" for what, (got, want) in pairs.items() if not abs(got - want) <= allowed[what]]


def choices(name):
    """Every choice of operands that are nodes, the others constants."""
    nodes = nodes_of(name)
    return [chosen for n in range(1, len(nodes) + 1) for chosen in combinations(nodes, n)]


def strictly():
    """Where everything is finite, NumPy has nothing to warn of."""
    return np.errstate(divide="raise", over="raise", invalid="raise", under="ignore")


def test_every_op_that_works_entry_by_entry_has_a_value_here():
    assert set(VALUES) == set(BY_ENTRY) == set(ROWS)
    assert set(LEFT_OUT) < set(VALUES) and all(len(smooth_points(name)) >= 4 for name in BY_ENTRY)
    count("points at which second derivatives were taken", sum(len(smooth_points(name)) for name in BY_ENTRY))


@pytest.mark.parametrize("name", BY_ENTRY)
def test_tensors_have_the_second_derivatives_of_the_definition_and_no_warning(name):
    columns = [np.array(column) for column in zip(*smooth_points(name))]
    for nodes in choices(name):
        with strictly():
            found = engine(name, columns, nodes)
        lines = [line for k, point in enumerate(smooth_points(name)) for line in wrong(name, point, of_each_point(found, k))]
        assert not lines, f"{len(lines)} wrong\n" + "\n".join(lines[:20])


@pytest.mark.parametrize("name", BY_ENTRY)
def test_scalars_have_the_second_derivatives_of_the_definition(name):
    for nodes in choices(name):
        lines = [line for point in smooth_points(name) for line in wrong(name, point, engine(name, point, nodes))]
        assert not lines, f"{len(lines)} wrong\n" + "\n".join(lines[:20])


# Where f_ab does not exist (it goes to -inf as a goes to 0)
NEVER_SYMMETRIC = {"power": [(0.0, 0.0), (0.0, 1.0)]}


@pytest.mark.parametrize("name", [name for name in BY_ENTRY if len(nodes_of(name)) > 1])
def test_the_hessian_is_symmetric_at_every_point_also_at_kinks_and_poles(name):
    everywhere = [point for point in points(name) if point not in NEVER_SYMMETRIC.get(name, [])]
    with np.errstate(all="ignore"):
        arrays = engine(name, [np.array(column) for column in zip(*everywhere)], nodes_of(name))
    of_tensors = [of_each_point(arrays, k)[2] for k in range(len(everywhere))]
    of_scalars = [engine(name, point, nodes_of(name))[2] for point in everywhere]
    lines = [
        f"{name}{point}: H[{i}, {j}] is {H[i, j]}, H[{j}, {i}] is {H[j, i]}"
        for found in (of_tensors, of_scalars)
        for point, H in zip(everywhere, found)
        for i, j in combinations(nodes_of(name), 2)
        if not np.isclose(H[i, j], H[j, i], rtol=1e-12, atol=2e-300 + ROUNDED.get(name, 0), equal_nan=True)
    ]
    assert not lines, f"{len(lines)} wrong\n" + "\n".join(lines[:20])


# ---------------------------------------------------------------- powers


@pytest.mark.parametrize("n", [-2, -1, 0, 1, 2, 20])
def test_a_whole_exponent_has_its_second_derivative_for_every_base(n):
    bases = [a for a in NEAR + FAR if n >= 0 or abs(a) > 1e-300]  # beyond them a pole
    want = [n * (n - 1) * a ** (n - 2) if n * (n - 1) else 0.0 for a in bases]
    x = Tensor(bases)
    with strictly():
        (H,) = np.diagonal(hessian((x**n).sum(), x)[None], axis1=1, axis2=2)
    assert np.allclose(H, want, rtol=1e-12, atol=0)
    for a, curvature in zip(bases, want):
        s = Scalar(a)
        assert hessian(s**n, s) == pytest.approx(curvature, rel=1e-12, abs=0)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("a", [0.0, 1e-310, -1e-300, 1e-200, -1e-160, 1.0])
def test_to_the_zero_is_flat_in_every_order_also_beside_zero(leaf, a):
    x = leaf(a)
    y = x**0
    with strictly():
        for _ in range(3):
            y = grad(y, x, create_graph=True)
            assert y.item() == 0


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("b, curvature", [(2.0, 2.0), (20.0, 0.0), (1e8, 0.0)])
def test_zero_to_a_power_is_flat_in_the_exponent(leaf, b, curvature):
    a, b = leaf(0.0), leaf(b)
    g = grad(a**b, [a, b], create_graph=True)
    assert [[float(part) for part in grad(row, [a, b])] for row in g] == [[curvature, 0], [0, 0]]


def test_a_power_is_steep_in_both_operands_where_the_exponent_is_zero():
    x = Tensor([0.25, 0.0])
    want = [[0, 4], [4, math.log(0.25) ** 2]]
    assert np.allclose(hessian(x[0] ** x[1], x), want, rtol=1e-14, atol=0)
    assert np.allclose(hessian(np.power(x[0], x[1]), x), want, rtol=1e-14, atol=0)
    assert want[1][1] == pytest.approx(1.92, abs=0.005)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_power_has_its_third_derivative_where_the_exponent_is_zero(leaf):
    a, b = leaf(0.25), leaf(0.0)
    for order in ([a, b, b], [b, a, b], [b, b, a]):
        y = a**b
        for x in order:
            y = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(2 * math.log(0.25) / 0.25, rel=1e-14) == pytest.approx(-11.09, abs=0.005)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_power_inside_other_ops_is_steep_too(leaf):
    a, b = leaf(2.0), leaf(0.0)
    y = (3 * a**b - 1) ** 2
    for first, second in ((a, b), (b, a)):
        assert float(grad(grad(y, first, create_graph=True), second)) == pytest.approx(6, rel=1e-14)
    assert vg.gradcheck(lambda a, b: (3 * a**b - 1) ** 2, a, b, order=2)
