"""A reservoir is a leaky cell of constants: it is inspected like a cell, and fitted by least squares."""

import copy

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, grad, jacobian, scalars
from tinygrad_vg.nn.recurrent import LeakyCell, unroll
from tinygrad_vg.nn.reservoir import Reservoir, memory_capacity


def test_its_weights_are_constants_scaled_to_the_radius():
    reservoir = Reservoir(2, 30, radius=0.7, input_scale=0.4, rng=1)
    assert np.max(np.abs(np.linalg.eigvals(reservoir.W_hh))) == pytest.approx(0.7)
    assert 0.36 < np.max(np.abs(reservoir.W_xh)) <= 0.4
    assert reservoir.parameters() == {}
    assert all(type(W) is np.ndarray and not W.flags.writeable for W in (reservoir.W_xh, reservoir.W_hh, reservoir.b_h))


def test_it_is_the_leaky_cell_of_the_same_weights():
    reservoir, inputs = Reservoir(2, 5, leak=0.3, rng=2), np.random.default_rng(0).normal(size=(6, 2))
    cell = LeakyCell(2, 5, tau=1 / 0.3)
    cell.W_xh, cell.W_hh = Tensor(reservoir.W_xh), Tensor(reservoir.W_hh)
    expected = np.stack([h.data for h in unroll(cell, inputs)[1:]])
    assert reservoir.states(inputs) == pytest.approx(expected, abs=1e-15)
    a, expected = reservoir.states(inputs), np.zeros(5)
    for t in range(6):
        expected = 0.7 * expected + 0.3 * np.tanh(reservoir.W_hh @ expected + reservoir.W_xh @ inputs[t])
        assert a[t] == pytest.approx(expected, abs=1e-14)


def test_a_gradient_flows_through_it_to_the_first_state_and_its_chain_can_be_inspected():
    reservoir, inputs = Reservoir(2, 4, leak=0.5, rng=3), np.random.default_rng(1).normal(size=(7, 2))
    states = unroll(reservoir, inputs)
    loss = (states[-1] ** 2).sum()
    chain = Chain(loss, states[0], through=states)
    assert chain.gradients[0] == pytest.approx(grad(loss, states[0]), rel=1e-12)
    slopes = 1 - np.tanh(reservoir.W_hh @ states[2].data + reservoir.W_xh @ inputs[2]) ** 2
    assert chain.links[2].local.dense() == pytest.approx(0.5 * np.eye(4) + 0.5 * slopes[:, None] * reservoir.W_hh, abs=1e-13)
    of_scalars = Reservoir(2, 4, leak=0.5, rng=3, leaf=scalars)
    ends = unroll(of_scalars, inputs)
    row = [grad(ends[-1][1], s) for s in ends[0]]
    assert jacobian(states[-1], states[0])[1] == pytest.approx(row, rel=1e-12)


def test_states_of_a_batch_and_of_seeds():
    inputs = np.random.default_rng(2).normal(size=(6, 3, 2))
    reservoir = Reservoir(2, 5, rng=4)
    assert reservoir.states(inputs)[:, 1] == pytest.approx(reservoir.states(inputs[:, 1]), abs=1e-15)
    many = Reservoir(2, 5, seeds=[4, 9])
    assert many.states(np.stack([inputs, inputs], axis=1))[:, 0] == pytest.approx(reservoir.states(inputs), abs=1e-15)
    assert np.max(np.abs(np.linalg.eigvals(many.W_hh)), axis=-1) == pytest.approx(0.9)


def test_below_radius_one_it_forgets_where_it_started():
    reservoir, inputs = Reservoir(1, 20, radius=0.8, rng=5), np.random.default_rng(3).normal(size=(200, 1))
    a, b = (unroll(reservoir, inputs, start)[-1] for start in (np.zeros(20), np.ones(20)))
    assert np.max(np.abs(a - b)) < 1e-12


def test_the_readout_is_ridge_regression():
    rng = np.random.default_rng(6)
    H, Y = rng.normal(size=(80, 7)), rng.normal(size=(80, 2))
    readout = Reservoir.fit(H, Y, washout=10, ridge=0.5)
    h, y = H[10:] - H[10:].mean(0), Y[10:] - Y[10:].mean(0)
    assert readout.W.data == pytest.approx(np.linalg.solve(h.T @ h + 0.5 * np.eye(7), h.T @ y).T, abs=1e-12)
    assert readout(H[10:]).data.mean(0) == pytest.approx(Y[10:].mean(0))

    def cost(W, b):
        return ((H[10:] @ W.T + b - Y[10:]) ** 2).sum() + 0.5 * (W * W).sum()

    W, b = readout.W, readout.b
    assert np.max(np.abs(np.concatenate([np.ravel(g) for g in grad(cost(W, b), [W, b])]))) < 1e-12, "its gradient is zero"


def test_what_is_linear_in_the_states_is_found_exactly_in_a_batch_too():
    reservoir = Reservoir(1, 6, rng=7)
    H = reservoir.states(np.random.default_rng(4).uniform(-1, 1, (150, 3, 1)))
    readout = reservoir.fit(H, H @ np.arange(6.0) + 2.0, washout=20, ridge=0)
    assert readout.W.data[0] == pytest.approx(np.arange(6.0), abs=1e-7)
    assert readout.b.data[0] == pytest.approx(2.0, abs=1e-8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Reservoir(1, 3, leak=0.0), "above 0 and at most 1; got 0.0"),
        (lambda: Reservoir(1, 3, leak=1.5), "above 0 and at most 1; got 1.5"),
        (lambda: Reservoir.fit(np.ones((5, 2)), np.ones(4)), r"states \(5, 2\), targets \(4,\), washout 100"),
        (lambda: Reservoir.fit(np.ones((5, 2)), np.ones(5), washout=5), "a washout below T"),
        (lambda: Reservoir.fit(np.ones((5, 2, 3, 4)), np.ones((5, 2, 3))), r"states \(5, 2, 3, 4\)"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_memory_fades_with_the_lag_and_a_larger_radius_remembers_longer():
    short, long = (memory_capacity(Reservoir(1, 30, radius=rho, input_scale=0.1, rng=8), 40) for rho in (0.3, 0.9))
    assert short[0] > 0.99
    assert short[15:].max() < 0.1 < 0.5 < long[8]
    assert short.sum() < long.sum() < 31


def test_a_reservoir_copies():
    twin = copy.deepcopy(reservoir := Reservoir(1, 4, rng=9))
    assert np.array_equal(twin.states(np.ones((5, 1))), reservoir.states(np.ones((5, 1))))
