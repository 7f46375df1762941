"""What became of the reports of users of other engines?  Their programs, each test named by its id, with the values that are right."""

import numpy as np
import pytest
from rows import row

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, clip, elu, exp, expm1, grad, maximum, relu, sigmoid, softmax, softplus, sqrt, square, tanh, where


def test_public_fully_masked_row():
    s = Tensor([[0.1, 0.2], [0.3, 0.4]])
    with np.errstate(all="ignore"):
        p = softmax(where(np.array([[True, True], [False, False]]), s, -np.inf), axis=-1)
        p = where(np.isnan(p.data), 0.0, p)
        assert np.allclose(grad(square(p).sum(), s), [[-0.02491684, 0.02491684], [0, 0]], atol=1e-8)
        assert grad(square(p).sum(), s)[1].tolist() == [0, 0]


@pytest.mark.parametrize("f", [relu, lambda x: clip(x, 0.0, None), lambda x: maximum(x, 0.0), lambda x: where(x > 0, x, 0.0)])
def test_public_sqrt_of_relu(f):
    x = Tensor([-1.0, 4.0])
    with np.errstate(all="ignore"):
        assert grad(sqrt(f(x)).sum(), x).tolist() == [0, 0.25]
        assert vg.gradcheck(lambda x: sqrt(relu(x)), x)


@pytest.mark.parametrize("x, want", [(1.0, 0.5), (-1.0, 0.0)])
def test_public_norm_of_relu(x, want):
    w = Tensor([[0.5]])
    with np.errstate(all="ignore"):
        assert grad(0.5 * sqrt(square(relu(w * x)).sum()) ** 2, w) == want


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_public_elu_far_left(leaf):
    """elu and expm1 are right; sigmoid at 40 and tanh at 20 are 0, for y (1 - y) and 1 - y² are."""
    slopes = [float(grad(f(x := leaf(at)), x)) for f, at in ((elu, -40.0), (expm1, -40.0), (exp, -40.0), (sigmoid, -40.0))]
    assert slopes == pytest.approx([4.248354255291589e-18] * 4, rel=1e-13, abs=0)
    assert [float(grad(f(x := leaf(at)), x)) for f, at in ((sigmoid, 40.0), (tanh, 20.0), (tanh, -20.0))] == [0, 0, 0]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_public_softplus_fourth_derivative(leaf):
    y = softplus(x := leaf(1e-8))
    for _ in range(4):
        y = grad(y, x, create_graph=True)
    assert y.item() == pytest.approx(-0.125, abs=1e-9)
    assert grad(softplus(x := leaf(0.0)), x) == 0.5 and softplus(leaf(89.0)).item() == 89 and grad(softplus(x := leaf(1000.0)), x) == 1


def test_public_unrolled_sgd_of_a_list():
    rng = np.random.default_rng(0)
    y, x = Tensor(rng.normal(size=(3, 1))), [Tensor(rng.normal(size=(1, 3))), Tensor(rng.normal(size=1))]

    def loss(x):
        return np.sum(np.tanh(x[0] @ y + x[1]))

    for _ in range(5):
        x = [p - 0.1 * g for p, g in zip(x, grad(loss(x), x, create_graph=True))]
    assert np.allclose(grad(loss(x), y).ravel(), [0.01916368, -0.11347385, 0.05971851], atol=1e-8)


def test_public_missing_ufunc_advice():
    """np.arctan records; and where a ufunc has no row, the advice of the error, followed to the letter, works."""
    x = Tensor([0.5, -2.0])
    assert np.allclose(grad(np.arctan(x).sum(), x), [0.8, 0.2], rtol=1e-15)
    with pytest.raises(TypeError, match=r"give it a row with elementwise\(\)"):
        np.copysign(x, 1.0)
    with row("copysign(a, b)", "np.copysign(a, b)", "copysign(sign(a), b) * sign(a)", None) as copysign:
        for f in (copysign, np.copysign):
            assert grad((f(x, -1.0) * [1.0, 10.0]).sum(), x).tolist() == [-1, 10]
    with pytest.raises(TypeError, match="np.copysign has no derivative here"):
        np.copysign(x, 1.0)


def test_public_bad_row_is_kept():
    """A typing error in a row is told when the row is written, and the name stays free."""
    with pytest.raises(ValueError, match="coss means nothing in the row of mysin"):
        vg.elementwise("mysin(a)", "sin(a)", "coss(a)")
    assert "mysin" not in vg.OPS
    with row("mysin(a)", "sin(a)", "cos(a)") as mysin:
        x = Tensor([0.5])
        assert np.allclose(grad(mysin(x).sum(), x), [0.87758256], atol=1e-8)
