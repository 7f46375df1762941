"""Claims P9 to P17: the laws behind the rows hold on paths that share no code with them."""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, grad, linear, nn
from tinygrad_vg.claims import recurrences
from tinygrad_vg.claims.claim import CLAIMS
from tinygrad_vg.claims.ledger import picture
from tinygrad_vg.claims.rows import recurrence, sharing


@pytest.mark.slow
def test_nothing_has_moved_in_the_latch():
    one = CLAIMS["P17"].run()
    assert one.moved == []
    assert picture(one.found) is not None
    figures = one.found.figures
    for name in ("RNN", "RNN, one unit", "LSTM", "LSTM, forget bias 3"):
        success = [figures[f"{name}: success at length {k}"] for k in (5, 10, 20, 40)]
        assert success == sorted(success, reverse=True), "the longer, the rarer"
    assert figures["LSTM, forget bias 3: success at length 40"] > figures["RNN: success at length 40"]


# P9


@pytest.mark.parametrize("T", [0, 1, 7, 100])
def test_states_and_gradients_of_a_linear_cell_are_powers_of_its_matrix(T):
    rng = np.random.default_rng(T)
    W, h, g = rng.normal(size=(5, 5)) / 2, rng.normal(size=5), rng.normal(size=5)
    _, states = recurrence.recurrence(W, h, T)
    np.testing.assert_allclose(states[-1].data, np.linalg.matrix_power(W, T) @ h, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad(states[-1], states[0], seed=g), np.linalg.matrix_power(W.T, T) @ g, rtol=1e-9, atol=1e-12)


# P10, P11 and P13


def test_each_eigenvector_keeps_its_direction_and_is_multiplied_by_its_eigenvalue():
    W, Q = recurrence.symmetric(5)
    for x, q in zip(recurrence.LAMBDAS, Q.T):
        back = recurrence.backward(recurrence.chain_of(W, 10, q))
        np.testing.assert_allclose(back[10], x**10 * q, atol=1e-12)


def test_the_spectrum_keeps_what_the_states_lose(outcomes):
    figures = outcomes["P10"].found.figures
    assert figures["0.5^100"] == pytest.approx(0.5**100, rel=1e-9)
    assert figures["0.5^100 as the states have it"] > 1e3 * 0.5**100


def test_the_long_product_of_a_symmetric_matrix_has_the_closed_form_of_its_eigenvalues():
    j, k = np.arange(4)[:, None], np.arange(4)
    Q = np.sqrt(2 / 4) * np.cos(np.pi * (2 * j + 1) * k / 8) / np.where(k, 1, np.sqrt(2))
    W = Q * np.array([1.1, 0.9, 0.5, -0.3]) @ Q.T
    for T, norm in ((20, 13.454999898651222), (100, 27561.22467964476)):  # reference A1
        assert np.linalg.norm(recurrence.backward(recurrence.chain_of(W, T, np.ones(4)))[T]) == pytest.approx(norm, rel=1e-11)


@pytest.mark.parametrize("size, T", [(0.5, 20), (0.99, 50), (1.0, 200), (1.1, 50)])
@pytest.mark.parametrize("theta", [0.0, 0.3, math.pi / 2, math.pi])
def test_only_the_size_of_an_eigenvalue_counts(size, T, theta):
    W = size * np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    assert recurrence.chain_of(W, T, [0.6, 0.8]).log_product[0] == pytest.approx(T * math.log(size), abs=1e-11)


def test_the_angle_to_the_top_eigenvector_shrinks_by_the_ratio_of_the_two_largest():
    for two in (0.99, 0.7):
        W = nn.init.spectrum([1.05, two, 0.1], 3)
        back = recurrence.backward(recurrence.chain_of(W, 60, [1.0, 2.0, 3.0]))
        top = np.linalg.eigh(W)[1][:, -1]
        along = back @ top
        tan = np.linalg.norm(back - along[:, None] * top, axis=1) / np.abs(along)
        assert (tan[40] / tan[20]) ** (1 / 20) == pytest.approx(two / 1.05, rel=1e-3)


# P12 and P13b


@pytest.mark.parametrize("det", [1, -1])
def test_rotation_or_reflection_every_gradient_keeps_its_length(det):
    Q = nn.init.orthogonal((6, 6), 1)
    Q[:, 0] *= det * np.sign(np.linalg.det(Q))
    logs = recurrence.chain_of(Q, 200, np.arange(6.0)).spectrum().running[0]
    assert np.linalg.det(Q) == pytest.approx(det)
    np.testing.assert_allclose(logs, 0, atol=1e-11)


@pytest.mark.parametrize("W", [[[0.9, 5.0], [0.0, 0.9]], [[0.99, 1.0], [0.0, 0.99]], [[0.5, 100.0], [0.0, 0.5]]])
def test_the_worst_gain_lies_between_the_powers_of_radius_and_norm(W):
    W = np.array(W)
    worst, t = recurrence.worst(W, 60), np.arange(61)
    np.testing.assert_allclose(worst, [np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in t], rtol=1e-9)
    assert np.all(worst >= W[0, 0] ** t * (1 - 1e-12))
    assert np.all(worst <= np.linalg.norm(W, 2) ** t * (1 + 1e-12))


def test_a_jordan_block_has_the_powers_of_its_closed_form():
    back = recurrence.backward(recurrence.chain_of(np.array([[0.9, 5.0], [0.0, 0.9]]), 50, [1.0, 0.0]))
    t = np.arange(51)
    np.testing.assert_allclose(back, np.column_stack([0.9**t, 5 * t * 0.9 ** (t - 1.0)]), rtol=1e-12, atol=1e-300)


# P14


def test_descent_on_both_weights_meets_the_wall_where_it_is_known_to():
    """From w = 4.5, b = −2.3 with lr 0.05: 1.0e-5 at step 15, then a gradient of 66, a jump of 3.3, and 0.0893 for good."""
    losses, _, sizes = recurrence.descent(60, 0.05, w=4.5, b=-2.3)
    jump = int(np.argmax(sizes))
    assert losses[15] == pytest.approx(1.0133e-5, rel=1e-3) and int(np.argmin(losses)) == 15
    assert sizes[jump] == pytest.approx(66.4, abs=0.1)
    assert losses[jump + 1] == pytest.approx(0.0893, abs=1e-4) and losses[-1] == pytest.approx(0.0893, abs=1e-3)


def test_until_the_wall_every_step_makes_the_loss_smaller_and_after_it_none_does():
    losses, *_ = recurrence.descent(60, 0.3, w=5.0)
    assert np.all(np.diff(losses[:22]) < 0)
    assert np.all(losses[25:] > 2 * losses[0])


def test_the_slope_of_the_wall_is_that_of_central_differences():
    for w in (4.2, 4.5, 5.0, 6.0):
        leaf = Scalar(w)
        up, down = (recurrence.loss_of(w + d).data for d in (1e-6, -1e-6))
        assert grad(recurrence.loss_of(leaf), leaf) == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-9)


def test_a_step_along_one_eigenvector_leaves_the_other_as_it_was(outcomes):
    moved = outcomes["P14"].found.figures["exploding input: W moved by"]
    assert moved == pytest.approx(1e-3 * 50 * 1.1**49 * (1.1**50 - 1), rel=1e-9)


# P15 and P16


def test_a_walk_through_one_matrix_is_that_of_its_power_and_through_many_that_of_their_product():
    W, _, g = next(recurrences.draws(8, 20, 3, rng=2))
    cells = [("linear", tying, 0.9) for tying in ("tied", "untied")]
    found = dict(zip(("tied", "untied"), recurrences.walks(cells, 8, 20, 3, rng=2)))
    for seed in range(3):
        for tying, matrices in (("tied", [W[seed, 0]] * 20), ("untied", W[seed])):
            pulled = 0.9**20 * np.linalg.multi_dot([g[seed, 0], *matrices[::-1]])
            assert found[tying][20, seed] == pytest.approx(math.log(np.linalg.norm(pulled) / np.linalg.norm(g[seed, 0])), abs=1e-9)


def test_a_scalar_on_every_weight_shifts_each_log_gain_alike():
    rng = np.random.default_rng(0)
    Ws, g = rng.normal(size=(20, 3, 1, 8, 8)) / 3, rng.normal(size=(3, 1, 8))

    def gains(c):
        states = [Tensor(np.zeros((3, 1, 8)))]
        for W in Ws:
            states.append(linear(states[-1], Tensor(c * W[:, 0])))
        return np.log(np.linalg.norm(grad(states[-1], states[0], seed=g), axis=(1, 2)))

    np.testing.assert_allclose(gains(1.3) - gains(1.0), 20 * math.log(1.3), atol=1e-10)


def test_independent_layers_lose_what_the_width_and_the_scale_say(outcomes):
    """ln 0.95 − 1/(2N) for each layer, the wide limit of ln 0.95 + ½ (ψ(N/2) + ln(2/N))."""
    mean = outcomes["P15"].found.figures["mean ln gain, independent"]
    expected = 100 * (math.log(0.95) - 1 / (2 * sharing.N))
    assert mean == pytest.approx(expected, abs=5 * 1.28 / math.sqrt(100))


def test_a_gain_a_thousandfold_or_a_thousandth_is_just_in_range():
    assert sharing.in_range(np.log([999.0, 1001.0, 1 / 999, 1 / 1001, 1.0])) == 0.6
    assert sharing.in_range(np.array([-math.inf])) == 0


def test_in_a_relu_cell_of_the_identity_no_gradient_ever_grows():
    cell = nn.RNNCell(3, sharing.N, "relu", ("xavier", "identity"), seeds=range(10))
    gains = np.exp(sharing.log_gains(nn.unroll(cell, np.random.default_rng(0).normal(size=(40, 10, 1, 3))), 10, 0))
    assert np.all(gains[1:] <= gains[:-1])
    assert gains[0] == pytest.approx(1) and np.all(gains[-1] < 0.9)


# P17


def test_the_interval_is_wilsons():
    low, high = sharing.interval(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert sharing.interval(0.0, 60)[0] == pytest.approx(0, abs=1e-12) and sharing.interval(1.0, 60)[1] == pytest.approx(1)
    for p in (0.1, 0.5, 0.9):  # its ends are where p is just 1.96 standard deviations away
        for end in sharing.interval(p, 60):
            assert abs(p - end) == pytest.approx(1.96 * math.sqrt(end * (1 - end) / 60), rel=1e-9)


def test_a_short_latch_is_learnt_by_all_and_an_untrained_one_by_few():
    assert sharing.latched(nn.RNNCell, 4, seeds=10, updates=300) == 1
    assert sharing.latched(nn.RNNCell, 30, seeds=10, updates=1) < 0.5
