"""The same model code runs on arrays, on Tensors and on object arrays of Scalars, and reads like its formula."""

import math

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, gradcheck, history, nn, scalars, sigmoid


def values(leaf):
    return leaf.data if isinstance(leaf, Tensor) else np.array([s.data for s in leaf.flat]).reshape(leaf.shape)


def gradients(leaf):
    return leaf.grad if isinstance(leaf, Tensor) else np.array([s.grad for s in leaf.flat]).reshape(leaf.shape)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
def test_an_rnn_of_scalars_and_one_of_tensors_agree(activation):
    inputs = np.random.default_rng(0).normal(size=(4, 3))
    losses, all_gradients = [], []
    for leaf in (Tensor, scalars):
        cell, readout = nn.RNNCell(3, 4, activation, leaf=leaf, rng=1), nn.Linear(4, 3, leaf=leaf, rng=2)
        states = nn.unroll(cell, inputs)
        loss = nn.cross_entropy(readout(states[-1]), 1)
        loss.backward()
        losses.append(loss.item())
        all_gradients.append([gradients(p) for p in (*cell.parameters().values(), *readout.parameters().values(), states[0])])
    assert losses[0] == pytest.approx(losses[1], rel=1e-13)
    for a, b in zip(*all_gradients):
        assert np.max(np.abs(a - b)) < 1e-13


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "linear"])
def test_gradcheck_passes_for_cell_readout_and_losses(activation):
    rng = np.random.default_rng(3)
    cell, readout = nn.RNNCell(2, 3, activation, rng=rng), nn.Linear(3, 4, rng=rng)
    inputs, labels, target = rng.normal(size=(3, 2, 2)), np.array([1, 3]), rng.normal(size=(2, 4))

    def loss(W_xh, W_hh, b_h, W, b, h):
        cell.W_xh, cell.W_hh, cell.b_h, readout.W, readout.b = W_xh, W_hh, b_h, W, b
        y = readout(nn.unroll(cell, inputs, h)[-1])
        return nn.cross_entropy(y, labels) + nn.mse(y, target)

    assert gradcheck(loss, *cell.parameters().values(), *readout.parameters().values(), np.zeros((2, 3)))


def test_states_and_pre_activations_carry_their_time_step():
    states = nn.unroll(nn.RNNCell(2, 3), np.ones((3, 2)))
    assert [str(h.name) for h in states] == ["h[0]", "h[1]", "h[2]", "h[3]"]
    assert [str(node.name) for node in history(states[-1]) if node.name and node.name.base == "z"] == ["z[1]", "z[2]", "z[3]"]
    linear_states = nn.unroll(nn.RNNCell(2, 3, "linear"), np.ones((2, 2)))
    assert str(linear_states[-1].name) == "h[2]"
    scalar_states = nn.unroll(nn.RNNCell(2, 3, leaf=scalars), np.ones((2, 2)))
    assert str(scalar_states[2][1].name) == "h[2,1]"


def test_gradients_reach_the_first_state_and_its_batch():
    cell = nn.RNNCell(2, 3)
    states = nn.unroll(cell, np.ones((4, 5, 2)))
    assert states[0].shape == (5, 3)
    nn.mse(states[-1], np.zeros((5, 3))).backward()
    assert states[0].grad.shape == (5, 3)
    assert np.all(states[0].grad != 0)


def test_a_model_runs_on_plain_arrays_without_a_graph():
    cell = nn.RNNCell(2, 3)
    for name, leaf in cell.parameters().items():
        setattr(cell, name, leaf.data)
    states = nn.unroll(cell, np.ones((4, 2)), np.zeros(3))
    assert all(type(h) is np.ndarray for h in states)
    assert cell.parameters() == {}


def test_cross_entropy_is_the_mean_negative_log_probability():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -(math.log(p[0, 1]) + math.log(p[1, 2])) / 2
    assert nn.cross_entropy(Tensor(logits), [1, 2]).item() == pytest.approx(expected, rel=1e-14)
    assert nn.cross_entropy(logits, [1, 2]) == pytest.approx(expected, rel=1e-14)
    assert nn.cross_entropy(np.array([1000.0, 0.0]), 1) == 1000.0


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (np.zeros((2, 3)), [0.0, 1.0], TypeError, "whole numbers"),
        (np.zeros((2, 3)), [0, 3], ValueError, "between 0 and 2; got 0 to 3"),
        (np.zeros((2, 3)), [0, -1], ValueError, "between 0 and 2; got -1 to 0"),
        (np.zeros((2, 3)), [0], ValueError, r"got \(2, 3\) and \(1,\)"),
        (np.zeros((2, 3)), 1, ValueError, r"got \(2, 3\) and \(\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(logits, labels, error, message):
    with pytest.raises(error, match=message):
        nn.cross_entropy(Tensor(logits), labels)


def test_mse_does_not_broadcast_by_accident():
    with pytest.raises(ValueError, match=r"output \(3, 1\) and target \(3,\)"):
        nn.mse(Tensor(np.ones((3, 1))), np.ones(3))


def test_initial_values_have_the_spread_they_promise():
    n = 400
    assert np.std(nn.init.normal((n, n), 0, scale=1.5)) == pytest.approx(1.5 / math.sqrt(n), rel=0.01)
    assert np.std(nn.init.xavier((n, 3 * n), 0)) == pytest.approx(math.sqrt(2 / (4 * n)), rel=0.01)
    assert np.std(nn.init.he((n, n), 0)) == pytest.approx(math.sqrt(2 / n), rel=0.01)
    assert np.max(np.abs(nn.init.uniform((n, n), 0))) <= 1 / math.sqrt(n)
    for shape in ((5, 5), (7, 3), (3, 7)):
        assert np.linalg.svd(nn.init.orthogonal(shape, 0))[1] == pytest.approx(1.0, abs=1e-12)
    assert np.max(np.abs(np.linalg.eigvals(nn.init.with_radius(nn.init.normal((9, 9), 0), 1.3)))) == pytest.approx(1.3)
    with pytest.raises(ValueError, match="cannot be scaled"):
        nn.init.with_radius(np.triu(np.ones((3, 3)), 1), 1.0)


def test_the_same_seed_gives_the_same_model_and_a_generator_is_used_up():
    assert np.array_equal(nn.RNNCell(2, 3, rng=5).W_hh.data, nn.RNNCell(2, 3, rng=5).W_hh.data)
    rng = np.random.default_rng(5)
    assert not np.array_equal(nn.RNNCell(2, 3, rng=rng).W_hh.data, nn.RNNCell(2, 3, rng=rng).W_hh.data)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="sigmoid, tanh, relu, linear, .*; got 'sigmoyd'"):
        nn.RNNCell(2, 3, "sigmoyd")
    with pytest.raises(ValueError, match="xavier, he, orthogonal, identity; got 'glorot'"):
        nn.Linear(2, 3, init="glorot")
    assert nn.RNNCell(2, 3, sigmoid).activation is sigmoid


def test_a_scalar_rnn_has_one_node_per_number_and_a_chain_through_it():
    cell = nn.RNNCell(1, 1, leaf=scalars, rng=4)
    states = nn.unroll(cell, np.ones((5, 1)))
    chain = Chain(states[-1][0], states[0][0])
    slopes = [1 - states[t][0].data ** 2 for t in range(1, 6)]
    w = cell.W_hh[0, 0].data
    assert isinstance(states[0][0], Scalar)
    assert float(chain.gradients[0]) == pytest.approx(math.prod(slopes) * w**5, rel=1e-12)


def test_an_array_of_no_steps_still_tells_its_batch():
    assert nn.unroll(nn.RNNCell(2, 3), np.zeros((0, 5, 2)))[0].shape == (5, 3)
    assert nn.unroll(nn.RNNCell(2, 3, seeds=4), np.zeros((0, 4, 5, 2)))[0].shape == (4, 5, 3)


def test_initial_values_of_a_wrong_shape_and_layers_without_units_are_refused():
    with pytest.raises(ValueError, match=r"init gave shape \(4,\), expected \(3, 2\)"):
        nn.Linear(2, 3, init=lambda shape, rng: np.zeros(4))
    with pytest.raises(ValueError, match=r"one input and one unit or more; got weights of shape \(0, 2\)"):
        nn.RNNCell(2, 0)
    with pytest.raises(ValueError, match="one for each of the 3 units"):
        nn.LeakyCell(2, 3, tau=[2.0, 3.0])
    assert nn.LeakyCell(2, 3, tau=[2, 3, 4])(np.ones(2), np.ones(3)).shape == (3,)


def test_batch_norm_takes_a_batch_and_its_units_and_nothing_else():
    norm = nn.BatchNorm(3)
    with pytest.raises(ValueError, match=r"takes x of shape \(batch, 3\); got \(4, 5, 3\)"):
        norm(np.ones((4, 5, 3)))
    assert norm.running_mean.shape == (3,)


def test_modules_in_nested_lists_are_found():
    class Nested(nn.Module):
        def __init__(self):
            self.blocks = [[nn.Linear(2, 2)], {"last": (nn.Linear(2, 1),)}]

    assert list(Nested().parameters()) == ["blocks.0.0.W", "blocks.0.0.b", "blocks.1.last.0.W", "blocks.1.last.0.b"]
