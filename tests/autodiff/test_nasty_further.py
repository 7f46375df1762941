"""Nasty cases of our own, found by trying every operand with every operator and every function of NumPy."""

import decimal
import fractions
import math
import operator

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, einsum, elu, gelu, grad, jvp, leaky_relu, max, min, relu, scalars, sigmoid, softplus, take, tanh

A, C = np.arange(12.0).reshape(3, 4) - 5, np.arange(24.0).reshape(2, 3, 4) - 7


def agrees_or_is_refused(f, *arrays):
    """A NumPy function gives on Tensors what it gives on arrays, or raises; it never gives something else."""
    expected = f(*arrays)
    try:
        y = f(*map(Tensor, arrays))
    except (TypeError, ValueError):
        return True
    return type(y) is Tensor and y.shape == np.shape(expected) and np.allclose(y.data, expected)


@pytest.mark.parametrize("other", [np.array(2.5), np.array([1.0, 2.0]), np.ones((2, 2))])
def test_a_scalar_has_no_matrix_product(other):
    for op in (lambda a, b: a @ b, lambda a, b: b @ a, np.matmul):
        with pytest.raises((TypeError, ValueError)):  # a RecursionError is neither
            op(Scalar(2.0), other)


def test_an_integer_too_large_for_a_float_is_inf_on_a_scalar():
    assert (Scalar(1.0) + 10**400).data == math.inf and (Scalar(1.0) * -(10**400)).data == -math.inf
    assert Scalar(10**400).data == math.inf


@pytest.mark.parametrize("a, b", [(C, C.swapaxes(1, 2)), (A, C.swapaxes(1, 2)), (np.ones(4), C.swapaxes(1, 2)), (C, A.T), (C, np.ones(4)), (A, 2.0 * np.ones(()))])
def test_numpys_dot_is_not_matmul_on_stacks(a, b):
    assert agrees_or_is_refused(np.dot, a, b)


@pytest.mark.parametrize("f", [lambda a: np.mean(a, 0, np.float64), lambda a: np.sum(a, 0, np.float64), lambda a: np.prod(a, 0, np.float64), lambda a: np.max(a, 0, np.zeros(4)),
                               lambda a: np.min(a, 0, np.zeros(4)), lambda a: np.var(a, 0, np.float64), lambda a: np.sum(a, 1, None, np.zeros(3))])  # fmt: skip
def test_numpys_positional_dtype_and_out_are_not_taken_for_keepdims(f):
    assert agrees_or_is_refused(f, A)


@pytest.mark.parametrize("f", [np.trace, lambda c: np.diagonal(c, 1, 0, 2), lambda c: np.take(c, [0, -1], axis=-2), lambda c: np.ravel(c), lambda c: np.hstack([c, c]),
                               lambda c: np.vstack([c, c]), lambda c: np.outer(c, c), lambda c: np.split(c, [1, 9], axis=1)[1]])  # fmt: skip
def test_numpys_functions_of_three_axes_agree(f):
    assert agrees_or_is_refused(f, C)


@pytest.mark.parametrize("axis", [5, -4])
def test_take_refuses_an_axis_that_is_not_there(axis):
    with pytest.raises((ValueError, IndexError)):
        take(Tensor(C), [0, 1], axis=axis)


def test_an_empty_list_of_indices_selects_nothing():
    for index, shape in (([], (0, 4)), ((slice(None), []), (3, 0))):
        x = Tensor(A)
        y = x[index]
        y.sum().backward()
        assert y.shape == A[index].shape == shape and not np.any(x.grad)


@pytest.mark.parametrize("extreme", [max, min])
def test_ties_are_shared_in_an_object_array_of_scalars_as_in_a_tensor(extreme):
    xs = scalars([2.0, 2.0])
    extreme(xs).backward()
    assert [x.grad for x in xs] == [0.5, 0.5]


@pytest.mark.parametrize("op", [sigmoid, tanh, relu, leaky_relu, elu, softplus, gelu])
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("a", [1e308, -1e308, 1e160, -1e160])
def test_activations_neither_overflow_nor_lose_their_slope_far_out(op, leaf, a):
    x = leaf(a)
    y = op(x)
    y.backward()
    assert not math.isnan(y.data) and math.isfinite(x.grad)


def test_the_variance_of_columns_that_are_not_there_is_empty():
    x = Tensor(np.zeros((2, 0)))
    y = x.var(axis=0)
    y.sum().backward()
    assert y.shape == (0,) and x.grad.shape == (2, 0)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_node_as_seed_or_tangent_is_taken_by_value_or_refused_in_words(leaf):
    x = leaf(2.0)
    y = x * 3.0
    for f in (lambda v: grad(y, x, seed=v), lambda v: jvp(y, x, v), lambda v: y.backward(v) or x.grad):
        try:
            result = f(leaf(1.0))
        except TypeError as error:
            assert "seed" in str(error) or "tangent" in str(error)
        else:
            assert result == 3.0 and not isinstance(result, (Scalar, Tensor))


@pytest.mark.parametrize("subscripts, shapes", [("ij,j,i->", [(2, 3), (1,), (1,)]), ("ij,jk", [(2, 3), (1, 2)]), ("i,i->i", [(3,), (1,)]), ("ij,ij->j", [(1, 3), (2, 1)])])
def test_einsum_stretches_axes_of_one_in_any_operand(subscripts, shapes):
    xs = [Tensor(np.random.default_rng(k).normal(size=shape)) for k, shape in enumerate(shapes)]
    einsum(subscripts, *xs).sum().backward()
    for k, x in enumerate(xs):
        for index in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[index] = 1.0  # einsum is linear in each operand
            assert x.grad[index] == pytest.approx(np.einsum(subscripts, *[unit if i == k else y.data for i, y in enumerate(xs)]).sum())


def test_every_operator_on_every_operand_gives_a_node_or_a_type_error():
    strangers = [2.5, 3, True, np.float32(2.5), np.float64(2.5), np.int64(3), np.bool_(True), np.float16(2.5), np.array(2.5), np.array([1.0, 2.0]), np.array([1, 2]), [1.0, 2.0], (1, 2),
                 np.ones(2, "f4"), np.array([True, False]), None, "x", b"x", 1j, object(), {}, {1}, decimal.Decimal(2), fractions.Fraction(1, 2), Scalar(2.0), Tensor([1.0, 2.0]),
                 np.datetime64("2020-01-01"), np.array(["a", "b"]), slice(1), range(2), np.add, int]  # fmt: skip
    ops = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul, operator.floordiv, operator.mod]
    with np.errstate(all="ignore"):
        for node in (Scalar(2.0), Tensor(2.0), Tensor([1.0, 2.0]), Tensor(np.ones(2, "f4"))):
            for stranger in strangers:
                for op in ops if not isinstance(stranger, (str, bytes)) else ops[:-1]:  # "x" % y is formatting
                    for left, right in ((node, stranger), (stranger, node)):
                        try:
                            y = op(left, right)
                        except (TypeError, ValueError) as error:
                            assert len(str(error)) > 10
                        else:
                            assert isinstance(y, (Scalar, Tensor)) and (type(y) is Scalar or y.dtype in (np.float32, np.float64)), (left, op, right)
