"""Nasty cases: numbers too large or too small, arrays with nothing in them, and dtypes that are not float64."""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, exp, expand_dims, log, logsumexp, max, mean, min, sigmoid, softmax, tanh, where
from tinygrad_vg.autodiff.core import births

BOTH = pytest.mark.parametrize("leaf", [Scalar, Tensor])


@pytest.fixture
def quiet():
    with np.errstate(all="ignore"):
        yield


# --- overflow ---------------------------------------------------------------------------------------------------------


def test_overflow_01_sigmoid_of_large_numbers_is_silent():
    x = Tensor([-800.0, 800.0])
    y = sigmoid(x)
    y.sum().backward()
    assert y.data.tolist() == [0.0, 1.0] and x.grad.tolist() == [0.0, 0.0]
    assert [sigmoid(Scalar(v)).data for v in (-800.0, 800.0)] == [0.0, 1.0]


@BOTH
def test_overflow_02_sigmoid_keeps_its_digits_where_it_is_small(leaf):
    x = leaf(-40.0)
    y = sigmoid(x)
    y.backward()
    assert float(y.data) == pytest.approx(4.248354255291589e-18, rel=1e-15, abs=0)
    assert float(x.grad) == pytest.approx(4.248354255291589e-18, rel=1e-15, abs=0)


@BOTH
def test_overflow_04_tanh_of_a_large_number_is_one_with_slope_zero(leaf):
    x = leaf(800.0)
    y = tanh(x)
    y.backward()
    assert (y.data, x.grad) == (1.0, 0.0)


@BOTH
def test_overflow_05_exp_overflows_to_inf_and_still_prints(leaf, quiet):
    x = leaf(1000.0)
    y = exp(x)
    y.backward()
    assert (y.data, x.grad) == (math.inf, math.inf)
    assert "inf" in repr(y) and f"{y:.3f}" == "inf" and float(y.edges[0].local) == math.inf and y.edges[0].formula == "y"


def test_overflow_05_exp_of_a_tensor_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="overflow"):
        exp(Tensor(1000.0))


def test_overflow_07_logsumexp_of_nothing_but_minus_inf(quiet):
    x = Tensor([-math.inf, -math.inf])
    y = logsumexp(x)
    y.backward()
    assert y.data == -math.inf
    assert np.isnan(x.grad).all()  # ours: the softmax of the row, as torch and jax have it, not zeros


def test_overflow_08_softmax_takes_minus_inf_for_a_masked_entry():
    x = Tensor([-math.inf, 1.0, 2.0])
    y = softmax(x)
    y.backward(np.array([1.0, 2.0, 3.0]))
    s = 1 / (1 + math.e)
    assert np.allclose(y.data, [0.0, s, 1 - s], rtol=1e-15)
    assert np.allclose(x.grad, [0.0, -s * (1 - s), s * (1 - s)], rtol=1e-14)


def test_overflow_09_logsumexp_of_huge_numbers_is_finite():
    x = Tensor([1e308, 1e308])
    y = logsumexp(x)
    y.backward()
    assert y.data == 1e308 and x.grad.tolist() == [0.5, 0.5]


def test_overflow_10_where_cannot_hide_an_inf_in_the_branch_not_taken(quiet):
    x = Tensor(100.0)
    y = where(x > 0, x + 1, exp(10 * x))
    y.backward()
    assert y.data == 101.0 and math.isnan(x.grad)  # 1 + 0 * inf, as everywhere; the next test is the way out


def test_overflow_11_where_inside_where_is_safe():
    x = Tensor([2.0, 0.0])
    safe = where(x > 0, x, 1.0)
    where(x > 0, log(safe), x).sum().backward()
    assert x.grad.tolist() == [0.5, 1.0]


def test_overflow_12_an_infinite_value_can_have_a_finite_gradient(quiet):
    x = Tensor([1e200, 1e-200])
    y = (x * x).sum()
    y.backward()
    assert y.data == math.inf and x.grad.tolist() == [2e200, 2e-200]


def test_overflow_13_mean_is_numpys_mean(quiet):
    x = Tensor(np.full(10, 1e308))
    y = mean(x)
    y.backward()
    assert y.data == np.mean(x.data) == math.inf and x.grad.tolist() == [0.1] * 10


# --- empty-and-size ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0, 3), (0,), (3, 0, 2)])
def test_empty_and_size_01_the_sum_of_nothing_is_zero(shape):
    x = Tensor(np.zeros(shape))
    y = x.sum()
    y.backward()
    assert y.data == 0.0 and x.grad.shape == shape


@pytest.mark.parametrize("extreme", [max, min])
def test_empty_and_size_02_the_largest_of_nothing_is_an_error_with_the_shape(extreme):
    with pytest.raises(ValueError, match=r"^(max|min): .*(zero-size|empty).*x \(0,\)"):
        extreme(Tensor(np.zeros((0,)), name="x"))


def test_empty_and_size_04_a_weight_that_no_sample_used_has_gradient_zero():
    X, W = Tensor(np.zeros((0, 4))), Tensor(np.ones((4, 2)))
    (X @ W).sum().backward()
    assert X.grad.shape == (0, 4) and np.array_equal(W.grad, np.zeros((4, 2)))


def test_empty_and_size_06_softmax_and_logsumexp_of_nothing(quiet):
    x, v = Tensor(np.zeros((2, 0))), Tensor(np.zeros((0,)))
    y, z = softmax(x, axis=1), logsumexp(v)
    y.sum().backward()
    z.backward()
    assert y.shape == x.grad.shape == (2, 0)
    assert z.data == -math.inf and v.grad.shape == (0,) and "-inf on an empty axis" in logsumexp.__doc__


def test_empty_and_size_07_a_0d_tensor_has_no_axis_one():
    with pytest.raises(ValueError, match=r"sum: axis 1 is out of bounds.*dimension 0.*x \(\)"):
        Tensor(5.0, name="x").sum(axis=1)
    with pytest.raises(ValueError, match=r"mean: axis 0 is out of bounds.*dimension 0.*x \(\)"):
        Tensor(5.0, name="x").mean(axis=0)


@pytest.mark.parametrize("op", ["sum", "max", "min", "prod"])
def test_empty_and_size_07_axis_zero_of_a_0d_tensor_is_what_numpy_makes_of_it(op):
    # ours: NumPy is the language, and np.sum(np.array(5.), axis=0) is 5.0
    x = Tensor(5.0)
    y = getattr(x, op)(axis=0)
    y.backward()
    assert y.data == getattr(np, op)(np.array(5.0), axis=0) == 5.0 and y.shape == () and x.grad == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x.sum(axis=(0, 0)),
        lambda x: x.sum(axis=5),
        lambda x: x.mean(axis=-3),
        lambda x: x.max(axis=2),
        lambda x: x.transpose((0, 0)),
        lambda x: x.transpose((0, 1, 2)),
    ],
)
def test_empty_and_size_08_wrong_axes_are_an_error_before_a_node_is_made(wrong):
    x = Tensor(np.ones((2, 3)), name="x")
    before = next(births)
    with pytest.raises(ValueError, match=r"axis|axes") as error:
        wrong(x)
    assert next(births) == before + 1 and "x (2, 3)" in str(error.value)


@pytest.mark.parametrize("axis", [(0, 0), 5, -3])
def test_empty_and_size_08_composed_reductions_check_their_axes_too(axis):
    for op in ("var", "prod", "logsumexp", "softmax", "log_softmax"):
        with pytest.raises(ValueError, match="axis|axes"):
            getattr(Tensor(np.ones((2, 3))), op)(axis=axis)


def test_empty_and_size_09_a_shape_that_does_not_fit_is_an_error_with_the_sizes():
    with pytest.raises(ValueError, match=r"one unknown dimension.*\(2, 3\)"):
        Tensor(np.ones((2, 3))).reshape((2, -1, -1))
    with pytest.raises(ValueError, match=r"size 6 into shape \(4,\)"):
        Tensor(np.ones((2, 3))).reshape((4,))


def test_empty_and_size_10_forty_axes_work_and_sixty_five_are_numpys_error():
    x = Tensor(np.full((1,) * 40, 3.0))
    y = (x * x).sum(axis=39)
    y.sum().backward()
    assert y.ndim == 39 and x.grad.shape == (1,) * 40 and x.grad.item() == 6.0
    with pytest.raises(ValueError, match="64"):
        expand_dims(Tensor(np.ones((1,) * 64)), 0)
