"""Linear maps on their own: shapes are checked, products are associative, and what cannot be is refused in words."""

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, linear, log, tanh
from tinygrad_vg.autodiff.maps import Diagonal


def maps():
    W, h = Tensor([[0.5, -1.0, 0.2], [2.0, 0.3, 0.1]], name="W"), Tensor([0.1, 0.2, 0.3], name="h")
    y = tanh(linear(h, W))
    return y.edges[0].local, y.parents[0].edges[0].local


def test_a_product_of_maps_is_the_product_of_their_matrices_and_its_transpose_turns_it_round():
    D, W = maps()
    assert np.allclose((D @ W).dense(), D.dense() @ W.dense())
    assert np.allclose((D @ W).T.dense(), W.dense().T @ D.dense().T)
    assert np.allclose((D @ W).T.T.dense(), (D @ W).dense())
    assert np.allclose((D @ W).singular_values(), np.linalg.svd(D.dense() @ W.dense())[1])


def test_shapes_that_do_not_fit_are_named():
    D, W = maps()
    with pytest.raises(ValueError, match=r"J takes shape \(3,\), but K gives shape \(2,\)"):
        W @ D
    with pytest.raises(ValueError, match=r"push needs shape \(3,\), got \(2,\)"):
        W.push(np.ones(2))
    with pytest.raises(ValueError, match=r"pull needs shape \(2,\), got \(3,\)"):
        W.pull(np.ones(3))
    with pytest.raises(TypeError, match="unsupported operand|does not support ufuncs"):
        W @ np.ones((3, 3))
    with pytest.raises(TypeError, match="unsupported operand|does not support ufuncs"):
        np.ones((3, 3)) @ W


def test_a_map_of_one_number_is_a_float_and_no_other_is():
    x = Scalar(0.5)
    assert float((x * 3.0).edges[0].local) == 3.0
    with pytest.raises(TypeError, match=r"only a 1×1 map is one number; this one takes \(3,\) to \(2,\)"):
        float(maps()[1])


def test_a_matrix_that_would_be_too_large_is_refused():
    x = Tensor(np.ones(3000))
    with pytest.raises(ValueError, match="3000 × 3000 is above the limit of 2000; use push and pull"):
        tanh(x).edges[0].local.dense()


def test_an_infinite_slope_stays_on_the_diagonal_and_has_no_singular_values():
    with np.errstate(divide="ignore"):
        J = log(Tensor([0.0, 2.0])).edges[0].local
        assert J.dense().tolist() == [[np.inf, 0.0], [0.0, 0.5]]
    with pytest.raises(ValueError, match="nan or inf"):
        J.singular_values()
    assert Diagonal(np.array([2.0, 3.0]), (2,)).dense().tolist() == [[2.0, 0.0], [0.0, 3.0]]


def test_rules_and_maps_print_without_addresses():
    D, W = maps()
    assert repr(W) == "FunctionMap(W: (3,) -> (2,))"
    assert repr(tanh(Scalar(0.5)).rule) == "NumberRow('tanh')"
