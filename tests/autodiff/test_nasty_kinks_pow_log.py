"""Nasty cases: kinks and ties, powers, and logs, quotients and roots at the edge of their domain.

Tensors follow NumPy, warnings included, so `quiet` (np.errstate) is used where a warning is expected. Scalars never warn.
"""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, abs, clip, detect_anomaly, grad, gradcheck, max, maximum, minimum, prod, relu, sign

LN2 = math.log(2)
BOTH = pytest.mark.parametrize("leaf", [Scalar, Tensor])


@pytest.fixture
def quiet():
    with np.errstate(all="ignore"):
        yield


def same(actual, expected):
    return np.array_equal(actual, expected, equal_nan=True)


# --- kinks-ties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extreme, data", [("max", [2.0, 2.0, 1.0]), ("min", [-2.0, -2.0, -1.0])])
def test_kinks_ties_01_the_largest_entries_share_the_gradient(extreme, data):
    x = Tensor(data)
    getattr(x, extreme)().backward()
    assert x.grad.tolist() == [0.5, 0.5, 0.0]
    assert "tie share the gradient equally" in max.__doc__


def test_kinks_ties_01_ties_are_shared_along_each_row_for_itself():
    x = Tensor([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]])
    x.max(axis=1).sum().backward()
    assert x.grad.tolist() == [[1 / 3] * 3, [0.0, 1.0, 0.0]]


@pytest.mark.parametrize("op", [maximum, minimum])
@pytest.mark.parametrize("leaf", [Scalar, lambda v: Tensor([v])])
def test_kinks_ties_03_two_equal_operands_get_half_each(op, leaf):
    a, b = leaf(1.0), leaf(1.0)
    op(a, b).backward()
    assert (a.grad, b.grad) == (0.5, 0.5)
    assert "0.5 * (a == b)" in op.__doc__


@BOTH
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_kinks_ties_05_relu_has_slope_zero_at_zero(leaf, zero):
    x = leaf(zero)
    relu(x).backward()
    assert x.grad == 0.0 and "a > 0" in relu.__doc__


@BOTH
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_kinks_ties_06_abs_has_slope_zero_at_zero(leaf, zero):
    x = leaf(zero)
    y = abs(x)
    y.backward()
    assert (y.data, x.grad) == (0.0, 0.0) and "sign(a)" in abs.__doc__


def test_kinks_ties_07_clip_has_slope_one_at_its_bounds():
    x = Tensor([0.0, 1.0, 0.5, -1.0, 2.0])
    clip(x, 0, 1).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert "both included" in clip.__doc__


@BOTH
def test_kinks_ties_08_clip_with_crossed_bounds_gives_the_upper_one_as_numpy_does(leaf):
    x = leaf(1.5)
    y = clip(x, 2, 1)
    y.backward()
    assert y.data == np.clip(1.5, 2, 1) == 1 and x.grad == 0.0


def test_kinks_ties_09_a_comparison_is_a_plain_mask_and_records_nothing():
    x = Tensor([1.0, -2.0, 0.0])
    mask = x < 0
    assert type(mask) is np.ndarray and mask.tolist() == [False, True, False]
    (x * mask).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]
    assert (Scalar(1.0) > 0) is True


@pytest.mark.parametrize("x", [Scalar(0.0), Tensor(0.0), Tensor([1.0, 0.0])])
def test_kinks_ties_10_gradcheck_says_that_a_kink_is_not_differentiable(x):
    with pytest.raises(ValueError, match="not differentiable here: .*input 0, entry .* -?0 to the left.* 1 to the right"):
        gradcheck(relu, x)


@pytest.mark.parametrize("x", [Scalar(0.0), Tensor([1.0, 0.0])])
def test_kinks_ties_10_gradcheck_is_not_fooled_by_a_symmetric_kink(x):
    with pytest.raises(ValueError, match="not differentiable here: .*input 0, entry .* -1 to the left.* 1 to the right"):
        gradcheck(abs, x)


@pytest.mark.parametrize("leaf", [Scalar, lambda v: Tensor([v])])
def test_kinks_ties_11_sign_has_gradient_zero_and_steps_give_plain_values(leaf):
    x = leaf(0.0)
    y = sign(x)
    y.backward()
    assert (y.data, x.grad) == (0.0, 0.0)
    for step in (np.floor, np.ceil, np.rint, np.trunc):
        assert step(x) == 0 and not isinstance(step(x), (Scalar, Tensor))  # their derivative is 0 wherever there is one
    with pytest.raises(TypeError):
        round(x)


def test_kinks_ties_11_argmax_is_a_plain_index():
    assert np.argmax(Tensor([1.0, 3.0, 2.0])) == 1
    assert type(np.round(Tensor([1.2]))) is np.ndarray


# --- pow --------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("exponent, value, slope", [(2, 0.0, 0.0), (1, 0.0, 1.0), (3, 0.0, 0.0), (0, 1.0, 0.0)])
@pytest.mark.parametrize("kind", [int, float])
def test_pow_01_powers_of_zero_are_exact_and_silent(leaf, exponent, value, slope, kind):
    x = leaf(0.0)
    y = x ** kind(exponent)
    y.backward()
    assert (y.data, x.grad) == (value, slope)


@BOTH
def test_pow_02_zero_to_the_zero_is_one_with_both_gradients_zero(leaf):
    x, p = leaf(0.0), leaf(0.0)
    y = x**p
    y.backward()
    assert (y.data, x.grad, p.grad) == (1.0, 0.0, 0.0)


def test_pow_03_the_exponent_of_zero_has_gradient_zero():
    a, b = Tensor([0.0, 2.0]), Tensor([1.0, 1.0])
    (a**b).sum().backward()
    assert b.grad.tolist() == [0.0, 2 * LN2] == [0.0, 1.3862943611198906]
    assert a.grad.tolist() == [1.0, 1.0]


@BOTH
def test_pow_04_a_constant_exponent_needs_no_logarithm(leaf):
    x = leaf(-2.0)
    y = x**3
    y.backward()
    assert (y.data, x.grad) == (-8.0, 12.0)


@BOTH
def test_pow_06_a_root_of_a_negative_number_is_nan_and_is_named_when_watched(leaf, quiet):
    assert math.isnan((leaf(-8.0) ** (1 / 3)).data)
    with detect_anomaly(), pytest.raises(FloatingPointError, match=r"power made nan of x = -8., a constant = 0.3333.*test_nasty_kinks"):
        leaf(-8.0, name="x") ** (1 / 3)


def test_pow_06_numpy_warns_of_a_nan_on_a_tensor():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        y = Tensor(-8.0) ** (1 / 3)
    assert math.isnan(y.data)


@BOTH
def test_pow_08_the_reciprocal_of_zero_is_inf_with_slope_minus_inf(leaf, quiet):
    x = leaf(0.0)
    y = x**-1
    y.backward()
    assert (y.data, x.grad) == (math.inf, -math.inf)


def test_pow_08_the_warning_is_numpys_own_on_a_tensor_and_none_on_a_scalar():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        Tensor(0.0) ** -1
    assert (Scalar(0.0) ** -1).data == math.inf


@BOTH
def test_pow_09_the_power_modulo_is_refused(leaf):
    with pytest.raises(TypeError):
        pow(leaf(2.0), leaf(3.0), 5)


def test_pow_10_base_and_exponent_broadcast():
    x, p = Tensor([2.0]), Tensor([1.0, 2.0, 3.0])
    (x**p).sum().backward()
    assert x.grad.tolist() == [1.0 + 4.0 + 12.0]
    assert np.allclose(p.grad, 2**p.data * LN2, rtol=1e-15)


# --- log-div-sqrt -----------------------------------------------------------------------------------------------------


@BOTH
def test_log_div_sqrt_01_the_log_of_zero(leaf, quiet):
    x = leaf(0.0)
    y = x.log()
    y.backward()
    assert (y.data, x.grad) == (-math.inf, math.inf)


@BOTH
def test_log_div_sqrt_03_zero_over_zero(leaf, quiet):
    a, b = leaf(0.0), leaf(0.0)
    y = a / b
    y.backward()
    assert math.isnan(y.data) and a.grad == math.inf and math.isnan(b.grad)


@pytest.mark.parametrize("a, b", [(1.0, 0.0), (-1.0, 0.0), (1.0, -0.0), (0.0, 0.0), (math.inf, math.inf), (1.0, math.inf), (1e308, 1e-308)])
def test_log_div_sqrt_04_scalars_and_tensors_divide_alike(a, b, quiet):
    results = []
    for leaf in (Scalar, Tensor):
        x, z = leaf(a), leaf(b)
        y = x / z
        y.backward()
        results.append([float(v) for v in (y.data, x.grad, z.grad)])
    assert same(*results)
    if str((a, b)) == "(1.0, 0.0)":
        assert results[0] == [math.inf, math.inf, -math.inf]


@BOTH
def test_log_div_sqrt_05_the_honest_product_of_zero_and_inf_is_nan_and_shown(leaf, quiet):
    x = leaf(0.0, name="x")
    (x.sqrt() ** 2).backward()
    assert math.isnan(x.grad)
    with detect_anomaly():
        y = x.sqrt() ** 2
        with pytest.raises(FloatingPointError, match=r"through sqrt.* to x: gradient 0\.? times local derivative 0\.5 / y = inf gave nan"):
            y.backward()


def test_log_div_sqrt_06_the_explicit_norm_has_no_gradient_at_zero_and_norm_has_0(quiet):
    x = Tensor(np.zeros(3))
    (x * x).sum().sqrt().backward()
    assert same(x.grad, [math.nan] * 3)
    assert same(grad(np.linalg.norm(x), x), [0.0] * 3)


def test_log_div_sqrt_08_a_product_with_one_zero_has_one_slope():
    x = Tensor([0.0, 2.0, 3.0])
    y = prod(x)
    y.backward()
    assert y.data == 0.0 and x.grad.tolist() == [6.0, 0.0, 0.0]


def test_log_div_sqrt_09_a_product_with_two_zeros_has_none():
    x = Tensor([0.0, 0.0, 3.0])
    prod(x).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


@BOTH
def test_log_div_sqrt_10_x_log_x_at_zero_is_nan_and_the_first_culprit_is_named(leaf, quiet):
    x = leaf(0.0, name="x")
    y = x * x.log()
    y.backward()
    assert math.isnan(y.data) and math.isnan(x.grad)
    with detect_anomaly(), pytest.raises(FloatingPointError, match=r"log made -inf of x = 0"):  # ours: -inf is named before 0 * -inf
        x * x.log()
    z = x.log()
    with detect_anomaly(), pytest.raises(FloatingPointError, match=r"multiply made nan of x = 0.*, the \w+ made by log = -inf"):
        x * z
