"""Initial values have the spread, the spectrum and the shape they promise, each seed by itself."""

import math

import numpy as np
import pytest

from tinygrad_vg import nn

init = nn.init
RANDOM = [init.normal, init.uniform, init.random_walk, init.xavier, init.he, init.orthogonal]


@pytest.mark.parametrize("start", [init.zeros, init.identity, *RANDOM])
def test_every_one_takes_two_axes_or_three(start):
    assert start((4, 3), 0).shape == (4, 3)
    assert start((5, 4, 3), rng=np.random.default_rng(0)).shape == (5, 4, 3)
    assert np.array_equal(start((5, 4, 3), 7), start((5, 4, 3), 7))


@pytest.mark.parametrize("start", RANDOM)
def test_seeds_are_drawn_independently(start):
    W = start((3, 40, 40), 0)
    pairs = np.corrcoef(W.reshape(3, -1))[np.triu_indices(3, 1)]
    assert np.all(np.abs(pairs) < 0.1)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 7, 3), (4, 3, 7)])
def test_orthogonal_has_all_singular_values_one(shape):
    assert np.linalg.svd(init.orthogonal(shape, 0), compute_uv=False) == pytest.approx(1.0, abs=1e-12)


def test_identity_is_the_identity_for_every_seed_and_writable():
    W = init.identity((2, 3, 3))
    assert np.array_equal(W[1], np.eye(3))
    W[0, 0, 0] = 5.0
    assert W[1, 0, 0] == 1.0


@pytest.mark.parametrize("n", [5, 10, 50, 100])
def test_a_random_walk_is_a_normal_start_times_its_gain(n):
    for activation, g in (("linear", math.exp(1 / (2 * n))), ("relu", math.sqrt(2) * math.exp(1.2 / (max(n, 6) - 2.4)))):
        W = init.random_walk((n, n), 3, activation)
        assert np.max(np.abs(W - g * init.normal((n, n), 3))) < 1e-14
        assert init.random_walk_gain(n, activation) == pytest.approx(g, rel=1e-15)
    assert np.array_equal(init.of_name("random_walk")((n, n), 3), init.random_walk((n, n), 3))


def test_a_random_walk_for_other_activations_is_refused():
    with pytest.raises(ValueError, match="its gain for linear and relu; got 'tanh'"):
        init.random_walk((3, 3), 0, "tanh")


def in_order(numbers):
    return np.array(sorted(numbers, key=lambda x: (round(x.real, 9), round(x.imag, 9))))


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ([0.9, -0.5, 0.1], [0.9, -0.5, 0.1]),
        ([0.9, 0.6 + 0.8j], [0.9, 0.6 + 0.8j, 0.6 - 0.8j]),
        ([0.6 - 0.8j], [0.6 + 0.8j, 0.6 - 0.8j]),
        ([0.6 + 0.8j, 0.2, 0.6 - 0.8j], [0.6 + 0.8j, 0.6 - 0.8j, 0.2]),
        ([1j, 1j, -0.3j, 0.3j, 1.0, -1j, -1j], [1j, -1j, 1j, -1j, 0.3j, -0.3j, 1.0]),
        ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
    ],
)
def test_spectrum_gives_the_eigenvalues_asked_for(asked, got):
    W = init.spectrum(asked, 1)
    assert W.dtype == np.float64
    assert W.shape == (len(got), len(got))
    assert np.max(np.abs(in_order(np.linalg.eigvals(W)) - in_order(np.array(got, complex)))) < 1e-12
    assert np.max(np.abs(W @ W.T - W.T @ W)) < 1e-14, "W is normal"
    assert np.linalg.svd(W, compute_uv=False) == pytest.approx(sorted(np.abs(got), reverse=True), abs=1e-12)


def test_spectrum_of_several_seeds_takes_a_row_for_each():
    W = init.spectrum([[0.9, 0.5], [0.3, 0.2]], 0)
    assert W.shape == (2, 2, 2)
    assert np.linalg.eigvalsh(W) == pytest.approx(np.array([[0.5, 0.9], [0.2, 0.3]]))


@pytest.mark.parametrize("lonely", [[1j, -1j, 0.5 + 0.5j], [1j, 1j, -1j], [0.2 - 0.1j, 0.3, 2j, -2j]])
def test_a_complex_eigenvalue_without_its_partner_is_refused(lonely):
    with pytest.raises(ValueError, match="give all in pairs, or one of each"):
        init.spectrum(lonely)


def test_the_eigenvalues_of_any_real_matrix_can_be_asked_for_again():
    eigenvalues = np.linalg.eigvals(init.normal((9, 9), 4))
    assert np.max(np.abs(in_order(np.linalg.eigvals(init.spectrum(eigenvalues, 0))) - in_order(eigenvalues))) < 1e-12


def test_with_radius_scales_each_seed_to_its_own_radius():
    W = init.with_radius(init.normal((3, 6, 6), 0), 1.3)
    assert np.max(np.abs(np.linalg.eigvals(W)), axis=-1) == pytest.approx(1.3)
    W = init.with_radius(init.normal((3, 6, 6), 0), np.array([0.5, 1.0, 2.0]))
    assert np.max(np.abs(np.linalg.eigvals(W)), axis=-1) == pytest.approx([0.5, 1.0, 2.0])
    with pytest.raises(ValueError, match="cannot be scaled"):
        init.with_radius(np.stack([np.eye(3), np.triu(np.ones((3, 3)), 1)]), 1.0)
