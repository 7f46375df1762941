"""What does a row of one's own have to be, and what does one get for it?  It is checked when it is written; then it is an op like any other.

a, b  operands      y  value      s  Scalar      t  Tensor
"""

import inspect
import linecache
import math
import traceback

import numpy as np
import pytest
from rows import row

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, elementwise, grad, gradcheck, verdict
from tinygrad_vg.autodiff import table
from tinygrad_vg.autodiff.rows import Elementwise

ROWS = {f.rule.name: f.rule for f in vars(table).values() if isinstance(getattr(f, "rule", None), Elementwise)}

# ---------------------------------------------------------------- a row is checked when it is written

# fmt: off
WRONG = {
    "an unknown word in the value":     (("rows_f(a)", "coss(a)", "1"),                        "coss means nothing in the row of rows_f"),
    "an unknown word in a slope":       (("rows_f(a)", "sin(a)", "coss(a)"),                   "coss means nothing in the row of rows_f"),
    "an operand that is not there":     (("rows_f(a)", "a * b", "b"),                          "b means nothing"),
    "an unknown word of NumPy's":       (("rows_f(a)", "np.coss(a)", "1"),                     "coss means nothing"),
    "another module":                   (("rows_f(a)", "math.sin(a)", "math.cos(a)"),          "math means nothing"),
    "a function that is no ufunc":      (("rows_f(a)", "np.cumsum(a)", "1"),                   "cumsum means nothing"),
    "an op that is not entry by entry": (("rows_f(a)", "softmax(a)", "1"),                     "softmax means nothing"),
    "itself":                           (("rows_f(a)", "rows_f(a)", "1"),                      "rows_f means nothing"),
    "no formula":                       (("rows_f(a)", "a +", "1"),                            "'a \\+' is no formula"),
    "a slope that is no formula":       (("rows_f(a)", "a", "1 1"),                            "'1 1' is no formula"),
    "an index":                         (("rows_f(a)", "a[0]", "1"),                           "does not run at 0.5: TypeError"),
    "a method":                         (("rows_f(a)", "a.sum()", "1"),                        "does not run at 0.5: AttributeError"),
    "too few operands for a word":      (("rows_f(a)", "hypot(a)", "1"),                       "does not run at 0.5: TypeError"),
    "a slope that does not run":        (("rows_f(a)", "a", "a.mean()"),                       "does not run at 0.5: AttributeError"),
    "a complex number":                 (("rows_f(a)", "a * 1j", "1"),                         "0.5j in place of a real number"),
    "a complex slope":                  (("rows_f(a)", "a", "1j"),                             "in place of a real number"),
    "a comparison":                     (("rows_f(a)", "a > 0", "0"),                          "True in place of a real number"),
    "a comparison of NumPy's":          (("rows_f(a)", "isnan(a)", "0"),                       "in place of a real number"),
    "a pair":                           (("rows_f(a)", "a, a", "1"),                           "in place of a real number"),
    "text":                             (("rows_f(a)", "'a'", "1"),                            "'a' in place of a real number"),
    "nothing":                          (("rows_f(a)", "None", "1"),                           "None in place of a real number"),
    "no slope":                         (("rows_f(a)", "a"),                                   "each with a slope"),
    "a slope too many":                 (("rows_f(a)", "a", "1", "1"),                         "each with a slope"),
    "no operand":                       (("rows_f()", "1"),                                    "needs one to three operands"),
    "four operands":                    (("rows_f(a, b, c, d)", "a", "1", "0", "0", "0"),      "needs one to three operands"),
    "no signature":                     (("rows_f", "a", "1"),                                 "'rows_f' is no signature"),
}
# fmt: on


@pytest.mark.parametrize("given, message", WRONG.values(), ids=WRONG)
def test_a_row_that_cannot_be_right_is_refused_and_nothing_is_registered(given, message):
    before = dict(vg.OPS)
    try:
        with pytest.raises(ValueError, match=message):
            elementwise(*given)
        assert dict(vg.OPS) == before
    finally:
        vg.OPS.pop("rows_f", None)
    with row("rows_f(a)", "a * a", "2 * a") as f:  # the name is free
        assert f(3.0) == 9


def test_an_unknown_fact_is_refused_and_the_known_ones_are_named():
    with pytest.raises(TypeError, match="no fact saturate; it takes selects, saturates, rectifies and largest_slope"):
        elementwise("rows_f(a)", "a", "1", saturate=True)
    assert "rows_f" not in vg.OPS


def test_a_row_may_be_undefined_at_some_numbers():
    with row("rows_root(a)", "sqrt(a - 1)", "0.5 / y") as f:
        assert f(5.0) == 2 and grad(f(s := Scalar(5.0)), s) == 0.25 and np.isnan(f(Scalar(0.0)).data)


@pytest.mark.parametrize("name", sorted(vg.OPS))
def test_an_op_of_the_package_cannot_be_replaced(name):
    before, kept = vg.OPS[name], dict(linecache.cache)
    with pytest.raises(ValueError, match=f"there is an op {name} already|none with the name of an op"):
        elementwise(f"{name}(a)", "a * 7", "7")
    linecache.cache.update(kept)
    assert vg.OPS[name] is before


@pytest.mark.parametrize("signature", ["tanh(a)", "rows_f(a)"])
def test_a_row_that_is_refused_does_not_show_as_the_source_of_the_one_that_holds(signature):
    with row("rows_f(a)", "a * 2", "2"):
        holds, kept = vg.OPS[signature.removesuffix("(a)")], dict(linecache.cache)
        sources = [inspect.getsource(f) for f in functions_of(holds)]
        with pytest.raises(ValueError):
            elementwise(signature, "a > 7", "7")
        try:
            assert [inspect.getsource(f) for f in functions_of(holds)] == sources
        finally:
            linecache.cache.update(kept)


def test_an_op_of_ones_own_can_be_given_a_new_row_which_everything_uses():
    """An arctan is first given a slope that is wrong, then the right one."""
    s, t = Scalar(0.5), Tensor([0.5, -2.0])
    with row("rows_f(a)", "np.arctan(a)", "1 / (1 + a)") as f:
        assert grad(f(s), s) == pytest.approx(1 / 1.5)
    with row("rows_f(a)", "2 * a", "2") as wrong, row("rows_f(a)", "np.arctan(a)", "1 / (1 + a * a)") as right:
        assert vg.OPS["rows_f"] is right is not wrong
        for f in (right, np.arctan):
            assert grad(f(s), s) == pytest.approx(0.8) and f(s).item() == np.arctan(0.5)
            assert np.allclose(grad(f(t).sum(), t), [0.8, 0.2]) and np.array_equal(f(t).data, np.arctan(t.data))
            assert np.array_equal(f(np.array([0.5, 3.0])), np.arctan([0.5, 3.0])) and f(0.5) == np.arctan(0.5)
        assert [y.item() for y in right(vg.scalars([0.5, 3.0]))] == np.arctan([0.5, 3.0]).tolist()


# ---------------------------------------------------------------- NumPy's ufuncs, by name and as np.NAME

# fmt: off
UFUNCS = {
    "arctan":     "1 / (1 + a * a)",      "tan":     "1 + y * y",             "arcsin":  "1 / sqrt(1 - a * a)",
    "arccos":     "-1 / sqrt(1 - a * a)", "arcsinh": "1 / sqrt(1 + a * a)",   "arctanh": "1 / (1 - a * a)",
    "exp2":       "y * log(2)",           "log2":    "1 / (a * log(2))",      "log10":   "1 / (a * log(10))",
    "reciprocal": "-y * y",               "cbrt":    "1 / (3 * y * y)",       "deg2rad": "pi / 180",
    "radians":    "np.pi / 180",          "rad2deg": "180 / np.pi",
}
# fmt: on


@pytest.mark.parametrize("written", ["{}(a)", "np.{}(a)"])
@pytest.mark.parametrize("name, slope", UFUNCS.items())
def test_a_ufunc_may_be_the_value_of_a_row_which_is_that_of_the_package(name, slope, written):
    values, ufunc = [0.25, 0.75], getattr(np, name)
    with row(f"rows_{name}(a)", written.format(name), slope) as op:
        for f in (op, ufunc):
            t = Tensor(values)
            assert np.allclose(f(t).data, ufunc(values), rtol=1e-15) and f(t).op.endswith({"radians": "deg2rad"}.get(name, name) if f is ufunc else name)
            assert gradcheck(f, t, order=2) and gradcheck(f, Scalar(0.25), order=2)
            assert f(Tensor(np.float32(values))).dtype == np.float32
            assert f(Scalar(0.25)).item() == pytest.approx(ufunc(0.25), rel=1e-15)
        xs = vg.scalars(values)
        vg.sum(op(xs)).backward()
        assert np.allclose([x.grad for x in xs], grad(op(t).sum(), t), rtol=1e-14)


@pytest.mark.parametrize("cosh", ["cosh(a)", "np.cosh(a)"])
def test_a_ufunc_may_be_the_slope_of_a_row_and_with_its_own_row_is_differentiated_again(cosh):
    with row("rows_sinh(a)", "sinh(a)", cosh) as sinh:
        assert gradcheck(sinh, Tensor([0.5, -2.0]), order=3) and gradcheck(sinh, Scalar(0.5), order=3)
    with row("rows_f(a)", "a * a", "2 * heaviside(a, 0.5) * a - 2 * heaviside(-a, 0.5) * -a") as f:
        assert gradcheck(f, Tensor([0.5, -2.0]))
        with pytest.raises(TypeError, match="np.heaviside has no derivative here"):
            gradcheck(f, Tensor([0.5, -2.0]), order=2)


def test_a_ufunc_of_two_operands_records_on_nodes_constants_and_both():
    with row("rows_hypot(a, b)", "np.hypot(a, b)", "a / y", "b / y") as hypot:
        for f in (hypot, np.hypot):
            assert gradcheck(f, Tensor([3.0, 5.0]), Tensor([[4.0], [12.0]]), order=2) and gradcheck(f, Scalar(3.0), Scalar(4.0), order=2)
            assert gradcheck(lambda t, f=f: f(t, np.array([4.0, 12.0])), Tensor([3.0, 5.0]))
            assert gradcheck(lambda t, f=f: f(np.array([4.0, 12.0]), t), Tensor([3.0, 5.0]))
            assert f(Scalar(3.0), 4.0).item() == f(3.0, Scalar(4.0)).item() == 5
            assert f(np.array([3.0]), np.array([4.0])) == 5


def test_a_row_works_on_an_object_array_of_scalars():
    with row("rows_arctan(a)", "np.arctan(a)", "1 / (1 + a * a)") as arctan:
        xs = vg.scalars([0.5, -2.0])
        vg.sum(arctan(xs)).backward()
        assert np.allclose([x.grad for x in xs], grad(arctan(t := Tensor([0.5, -2.0])).sum(), t), rtol=1e-14)


@pytest.mark.parametrize(
    "other", [Scalar(4.0), 4.0, vg.scalars([4.0, 12.0]), np.array([4.0, 12.0])], ids=["Scalar", "number", "Scalars", "array"]
)
def test_a_ufunc_of_two_operands_records_on_object_arrays_of_scalars(other):
    with row("rows_hypot(a, b)", "np.hypot(a, b)", "a / y", "b / y") as hypot:
        want = hypot(np.array([3.0, 5.0]), np.array([getattr(x, "data", x) for x in np.ravel(np.array(other, object))], float))
        for f in (hypot,):  # NumPy's own asks the entries for a method, and finds those of the package only
            for ys in (f(vg.scalars([3.0, 5.0]), other), f(other, vg.scalars([3.0, 5.0]))):
                assert [y.item() for y in ys] == want.tolist()


def test_a_function_of_numpy_records_from_the_moment_it_has_a_row():
    x = Tensor([0.5, -2.0, 0.0])
    with row("heaviside(a, b)", "np.heaviside(a, b)", "0", "1.0 * (a == 0)") as heaviside:
        for f in (heaviside, np.heaviside):
            assert f(x, 0.5).data.tolist() == [1, 0, 0.5] and grad(f(x.data, b := Tensor(0.5)).sum(), b) == 1
    with pytest.raises(TypeError, match="np.heaviside has no derivative here"):
        np.heaviside(x, 0.5)


@pytest.mark.parametrize("erfc", [math.erfc, lambda a: 1 - math.erf(a), np.frompyfunc(math.erfc, 1, 1)], ids=["math", "lambda", "frompyfunc"])
def test_the_value_of_a_row_may_be_a_function_of_a_number(erfc):
    t, s = Tensor([0.5, -2.0]), Scalar(0.5)
    with row("rows_erfc(a)", erfc if not isinstance(erfc, np.ufunc) else lambda a: float(erfc(a)), "-2 / sqrt(pi) * exp(-a * a)", saturates=True) as f:
        assert gradcheck(f, t, order=3) and gradcheck(f, s, order=3) and np.allclose(f(t).data, vg.erfc(t).data, rtol=1e-15)
        assert f(Tensor(np.float32([0.5]))).dtype == np.float32 and f(Tensor(np.zeros((0, 2)))).shape == (0, 2) and f(0.5) == pytest.approx(math.erfc(0.5))
        assert [y.item() for y in f(vg.scalars([0.5, -2.0]))] == pytest.approx(f(t).data.tolist(), rel=1e-15)
        assert f.rule.text == "rows_erfc(a)" and "return rows_erfc(a)\n" in inspect.getsource(f.rule.value)
        assert vg.explain(f(t)).text and verdict(f(30 * t).sum(), t).kind in ("saturated", "dead", "shallow slopes")
        with pytest.raises(NotImplementedError, match="by_hand has no words for rows_erfc"):
            vg.by_hand(f(t).sum(), t)


def test_a_function_that_fails_is_refused_when_the_row_is_written():
    for wrong in (lambda a: a[0], lambda a: "text", lambda: 1.0):
        with pytest.raises(ValueError, match="the row of rows_f does not run at 0.5"):
            elementwise("rows_f(a)", wrong, "1")
    assert "rows_f" not in vg.OPS


def test_a_ufunc_of_scipy_records_with_the_row_that_it_is_the_value_of():
    special = pytest.importorskip("scipy.special")
    x = Tensor([0.5, 2.0])
    with pytest.raises(TypeError, match="^erfcx has no derivative here"):
        special.erfcx(x)
    with row("erfcx(a)", special.erfcx, "2 * a * y - 2 / sqrt(pi)") as erfcx:
        for f in (erfcx, special.erfcx):
            assert gradcheck(f, x, order=2) and f(x).op == "erfcx" and np.array_equal(f(x).data, special.erfcx(x.data))
    for ours, name in ((vg.sigmoid, "expit"), (vg.erf, "erf"), (vg.erfc, "erfc"), (vg.expm1, "expm1"), (vg.cbrt, "cbrt"), (vg.exp2, "exp2"), (vg.log1p, "log1p")):
        assert np.allclose(getattr(special, name)(x).data, getattr(special, name)(x.data), rtol=1e-15), name
        assert getattr(special, name)(x).op == ours.rule.name
    assert np.allclose(special.log_expit(x).data, special.log_expit(x.data)) and np.allclose(special.logit(x / 4).data, special.logit(x.data / 4))
    zeros = Tensor([0.0, 0.0, 2.0]), Tensor([0.0, 2.0, 0.5])
    assert np.array_equal(special.xlogy(*zeros).data, special.xlogy(zeros[0].data, zeros[1].data))
    assert [part.tolist() for part in grad(special.xlogy(*zeros).sum(), list(zeros))] == [[0, np.log(2), np.log(0.5)], [0, 0, 4]]
    for name in ("logsumexp", "softmax"):  # no ufuncs: NumPy is not asked
        with pytest.raises(TypeError, match="use an op of ours"):
            getattr(special, name)(x)


# ---------------------------------------------------------------- the facts of an op


def test_the_facts_are_kept_for_arrays_and_for_numbers():
    with row("rows_f(a)", "maximum(a, 0)", "a > 0", selects=True, rectifies=True) as f, row("rows_g(a)", "tanh(a)", "1 - y * y", saturates=True, largest_slope=1.0) as g, row("rows_h(a)", "a", "1") as h:  # fmt: skip
        for op, facts in ((f, (True, False, True, None)), (g, (False, True, False, 1.0)), (h, (False, False, False, None))):
            for rule in (op.rule, op.rule.on_numbers):
                assert (rule.selects, rule.saturates, rule.rectifies, rule.largest_slope) == facts


@pytest.mark.parametrize("leaf", [Scalar, lambda x: Tensor([x])])
def test_an_op_that_selects_cuts_off_and_one_that_does_not_multiplies(leaf):
    for selects, want in ((True, 0), (False, np.nan)):
        with row("rows_f(a)", "maximum(a, 0)", "a > 0", selects=selects) as f, np.errstate(all="ignore"):
            x = leaf(-1.0)
            assert np.array_equal(np.ravel(grad(vg.sqrt(f(x)), x)), [want], equal_nan=True)


@pytest.mark.parametrize("x, total", [(Scalar(300.0), lambda y: y), (Tensor([300.0, 400.0]), lambda y: y.sum())], ids=["Scalar", "Tensor"])
def test_the_verdict_knows_an_activation_by_its_facts(x, total):
    for facts, kind in (({"saturates": True, "largest_slope": 1.0}, "saturated"), ({}, "shallow slopes")):
        with row("rows_arctan(a)", "np.arctan(a)", "1 / (1 + a * a)", **facts) as arctan:
            assert verdict(total(arctan(x)), x).kind == kind
    assert verdict(total(np.arctan(x)), x).kind == "saturated"


# ---------------------------------------------------------------- the source


def functions_of(op):
    """What a row was compiled to, of arrays and of numbers; nothing if the op is no row."""
    return [
        f
        for rule in ((op.rule, op.rule.on_numbers) if isinstance(getattr(op, "rule", None), Elementwise) else ())
        for f in (rule.value, rule.pull, *filter(None, rule.pulls))
    ]


def test_the_source_of_a_row_of_ones_own_is_to_be_had():
    with row("rows_f(a, b)", "np.arctan(a) * b", "b / (1 + a * a)", "arctan(a)") as f:
        assert inspect.getsource(f).startswith("def rows_f(a, b):\n")
        for rule in (f.rule, f.rule.on_numbers):
            assert "return arctan(a) * b\n" in inspect.getsource(rule.value)
            assert "return g * (b / (1.0 + a * a))\n" in inspect.getsource(rule.pulls[0])
            assert "return g * arctan(a)\n" in inspect.getsource(rule.pulls[1]).replace("(arctan(a))", "arctan(a)")
            assert "def pull(g, y, a, b):\n" in inspect.getsource(rule.pull)


@pytest.mark.parametrize("name", ROWS)
def test_the_source_of_every_row_of_the_table_is_to_be_had(name):
    for f in functions_of(next(op for op in vars(table).values() if getattr(op, "rule", None) is ROWS[name])):
        assert f.__name__ in inspect.getsource(f) and inspect.getsourcefile(f)


def test_a_row_that_was_replaced_still_shows_its_own_text():
    with row("rows_f(a)", "a * 2", "2") as old, row("rows_f(a)", "a * 3", "3") as new:
        assert old(1.0) == 2 and new(1.0) == 3
        for f, digit in ((old, "2"), (new, "3")):
            assert all(f"{digit}.0" in inspect.getsource(part) for part in functions_of(f))


def test_the_traceback_of_an_array_row_that_fails_shows_its_text():
    with row("rows_inverse(a)", "1 / a", "-y * y") as f, np.errstate(divide="raise"):
        with pytest.raises(FloatingPointError) as failure:
            f(Tensor([1.0, 0.0]))
        assert "return 1.0 / a" in "".join(traceback.format_exception(failure.type, failure.value, failure.tb))


@pytest.mark.parametrize("leaf", [Scalar, lambda x: Tensor([x])])
def test_the_traceback_of_a_row_that_fails_shows_its_text_forward_and_backward(leaf, monkeypatch):
    def fails(x):
        raise RuntimeError("not today")

    with row("rows_f(a)", "tan(a)", "1 + tan(a) * y") as f:
        x = leaf(0.5)
        y = f(x)
        for rule in (f.rule, f.rule.on_numbers):
            monkeypatch.setitem(rule.value.__globals__, "tan", fails)
        for call, line in ((lambda: f(x), "return tan(a)"), (lambda: grad(y, x), "return g * (1.0 + tan(a) * y)")):
            with pytest.raises(RuntimeError, match="not today") as failure:
                call()
            assert line in "".join(traceback.format_exception(failure.type, failure.value, failure.tb))
