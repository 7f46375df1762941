"""Nasty cases: dtypes that are not float64, and gradients of gradients."""

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, concatenate, einsum, grad, gradcheck, hessian, hvp, maximum, nn, relu, scalars, stack, tanh, where
from tinygrad_vg import abs as absolute

# --- dtype ------------------------------------------------------------------------------------------------------------


def test_dtype_01_the_gradient_has_the_dtype_of_its_leaf():
    x, y = Tensor(np.ones((10, 10), "f4")), Tensor(np.ones((10, 10)))
    (x**2 * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
    assert np.all(x.grad == 2)


def test_dtype_02_python_numbers_do_not_promote():
    x = Tensor(np.ones(3, "f4"))
    y = (x * 2.0 + 1).mean()
    y.backward()
    assert y.dtype == x.grad.dtype == np.float32 and np.allclose(x.grad, 2 / 3)


@pytest.mark.parametrize("op", ["exp", "log1p", "sqrt", "square", "tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "softplus", "sum",
                                "mean", "var", "max", "prod", "logsumexp", "softmax", "log_softmax"])  # fmt: skip
def test_dtype_02_no_op_leaves_float32_forward_or_backward(op):
    x = Tensor(np.array([0.5, 1.5], "f4"))
    y = getattr(x, op)()
    y.sum().backward()
    assert y.dtype == y.data.dtype == y.grad.dtype == x.grad.dtype == np.float32


def test_dtype_04_integers_become_float64_and_the_repr_shows_it():
    x = Tensor([1, 2, 3])
    (x / 2).sum().backward()
    assert x.dtype == np.float64 and repr(x) == "Tensor([1., 2., 3.])" and x.grad.tolist() == [0.5] * 3


def test_dtype_05_there_is_no_integer_tensor():
    # ours: no dtype= and no requires_grad=; every Tensor is differentiated with respect to, so every Tensor is floating
    with pytest.raises(TypeError, match="dtype"):
        Tensor(np.array([1, 2]), dtype=int)
    with pytest.raises(TypeError, match="float32 or float64, not int64"):
        Tensor([1.0, 2.0]).astype(np.int64)


def test_dtype_07_text_objects_and_ragged_lists_are_refused():
    with pytest.raises(TypeError, match="not <U1"):
        Tensor(np.array(["a"]))
    with pytest.raises(TypeError, match="not object"):
        Tensor(np.array([object()]))
    with pytest.raises(ValueError, match="regular array.*inhomogeneous"):
        Tensor([[1, 2], [3]])
    with pytest.raises(TypeError, match="not bool; a condition belongs in where"):
        Tensor([True])


def test_dtype_08_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="not complex128; take .real and .imag"):
        Tensor(np.array([1 + 2j]))
    for op in (lambda: Tensor([1.0]) * 1j, lambda: Tensor([1.0]) + np.array([1j]), lambda: Scalar(1.0) * 1j, lambda: Scalar(1j), lambda: Tensor([1.0]) * np.complex64(1j)):
        with pytest.raises(TypeError, match="complex|Scalar needs one real number"):
            op()


@pytest.mark.parametrize("dtype, kept", [("f2", np.float64), ("f4", np.float32)])
def test_dtype_09_ties_are_counted_in_a_wide_type(dtype, kept):
    x = Tensor(np.ones(70_000, dtype))  # ours: float16 becomes float64
    x.max().backward()
    assert x.dtype == x.grad.dtype == kept and np.all(x.grad == kept(1 / 70_000))


def test_dtype_10_the_seed_is_cast_to_the_dtype_of_the_output():
    for leaf, seed in (("f8", "f4"), ("f4", "f8"), ("f8", "i8")):
        x = Tensor(np.ones(3, leaf))
        y = x * 2
        y.backward(np.ones(3, seed))
        assert y.grad.dtype == x.grad.dtype == np.dtype(leaf) and x.grad.tolist() == [2.0] * 3


@pytest.mark.parametrize("array", [np.arange(3.0)[::-1], np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array([1.0, 2.0], dtype=">f8"), np.arange(8.0)[::3]])
def test_dtype_11_strides_orders_and_endianness_make_no_difference(array):
    x = Tensor(array)
    (x * x).sum().backward()
    assert x.dtype == np.float64 and np.array_equal(x.data, array)
    assert x.grad.shape == array.shape and np.array_equal(x.grad, 2 * array)


def test_dtype_11_extended_precision_becomes_float64_in_every_position():
    long = np.longdouble(2)
    for y in (Tensor(np.array([long])) * 1.0, Tensor([1.0]) * np.array([long]), Tensor([1.0]) * long, long * Tensor([1.0])):
        assert y.dtype == np.float64


@pytest.mark.parametrize("array, name", [(np.ma.array([1.0, 2.0], mask=[0, 1]), "MaskedArray"), (np.ones((2, 2)).view(np.matrix), "matrix")])
def test_dtype_12_masked_arrays_and_matrices_are_refused_in_words(array, name):
    with pytest.raises(TypeError, match=f"{name} would lose its special meaning"):
        Tensor(array)
    for op in (lambda a: Tensor([1.0, 2.0]) * a, lambda a: a * Tensor([1.0, 2.0]), lambda a: Tensor(np.ones((2, 2))) @ a, lambda a: where(a > 1, Tensor([1.0, 2.0]), 0.0)):
        with pytest.raises(TypeError, match=f"{name}|would lose its gradient"):
            op(array)


@pytest.mark.parametrize("op", [lambda a, b: a @ b, lambda a, b: einsum("ij,jk", a, b), lambda a, b: concatenate([a, b]), lambda a, b: stack([a, b])])
def test_dtype_12_a_mask_is_not_lost_in_a_structure_op_either(op):
    for special in (np.ma.masked_array(np.ones((2, 2)), mask=np.eye(2)), np.ones((2, 2)).view(np.matrix)):
        with pytest.raises(TypeError, match=type(special).__name__):
            op(Tensor(np.ones((2, 2))), special)


# --- higher-order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_higher_order_01_the_gradient_of_a_gradient_of_a_gradient(leaf):
    x = leaf(2.0)
    g = grad(x**3, x, create_graph=True)
    g2 = grad(g, x, create_graph=True)
    g3 = grad(g2, x)
    assert (g.data, g2.data, g3) == (12.0, 12.0, 6.0)
    assert x.grad is None


def test_higher_order_02_a_hessian_vector_product_by_hand():
    # the 74 stored products are checked elsewhere; here the formula Wᵀ diag(-2 y (1 - y²)) W v
    rng = np.random.default_rng(0)
    W, x, v = rng.normal(size=(4, 3)), Tensor(rng.normal(size=3)), rng.normal(size=3)
    y = tanh(W @ x)
    by_hand = W.T @ (-2 * y.data * (1 - y.data**2) * (W @ v))
    assert np.allclose(hvp(y.sum(), x, v), by_hand, rtol=1e-12)
    assert np.allclose(hessian(y.sum(), x) @ v, by_hand, rtol=1e-12)


@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_the_hessian_of_a_model_times_a_vector_is_that_of_its_weights_in_one_long_vector(leaf):
    rng = np.random.default_rng(0)
    net, x, y = nn.MLP([2, 3, 1], leaf=leaf, rng=0), rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    shapes = {name: np.shape(w) for name, w in net.parameters().items()}
    moved = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    values = [np.vectorize(lambda w: w.item(), otypes=[float])(w) if leaf is scalars else w.data for w in net.parameters().values()]
    p = Tensor(np.concatenate([w.ravel() for w in values]), name="p")
    W1, b1, W2, b2 = (part.reshape(shape) for part, shape in zip(np.split(p, cuts), shapes.values()))
    H = hessian(nn.mse(tanh(x @ W1.T + b1) @ W2.T + b2, y), p)
    expected = dict(zip(shapes, np.split(H @ np.concatenate([v.ravel() for v in moved.values()]), cuts)))
    found = hvp(nn.mse(net(x), y), net, moved)
    assert found.keys() == shapes.keys()
    assert all(np.shape(g) == shapes[name] and np.allclose(g.ravel(), expected[name], rtol=1e-10) for name, g in found.items())
    if leaf is Tensor:
        listed = hvp(nn.mse(net(x), y), list(net.parameters().values()), list(moved.values()))
        assert all(np.array_equal(a, b) for a, b in zip(listed, found.values()))


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_higher_order_04_an_inner_gradient_is_not_confused_with_the_outer(leaf):
    x, y = leaf(1.0), leaf(5.0)
    inner = grad(x * y, y, create_graph=True)
    assert inner.data == 1.0 and grad(x * inner, x) == 2.0


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("op", [absolute, relu, lambda x: maximum(x, 0.0), lambda x: maximum(x, -x)])
@pytest.mark.parametrize("point", [-1.5, 0.0, 1.5])
def test_higher_order_05_piecewise_linear_ops_have_second_derivative_zero_even_at_the_kink(leaf, op, point):
    x = leaf(point)
    g = grad(op(x), x, create_graph=True)
    assert grad(g, x) == 0.0


def test_higher_order_05_max_over_ties_has_second_derivative_zero():
    x = Tensor([2.0, 2.0, 1.0])
    assert np.array_equal(hessian(x.max(), x), np.zeros((3, 3)))
    assert np.array_equal(hessian((x.max()) ** 2, x), 2 * np.outer([0.5, 0.5, 0], [0.5, 0.5, 0]))


def test_higher_order_05_the_slopes_of_smooth_ops_are_right_in_second_order():
    x = Tensor([-1.3, 0.4, 2.0])
    for op in ("elu", "gelu", "softplus", "sigmoid", "softmax", "logsumexp", "prod", "var"):
        assert gradcheck(lambda x: getattr(x, op)(), x, order=2)
