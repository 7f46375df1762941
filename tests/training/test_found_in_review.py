"""Faults that a reading of the room brought up, each mended."""

import numpy as np
import pytest

from tinygrad_vg import Tensor, nn, training


def squares(model, x):
    return ((model["w"] - x) ** 2).sum()


def one_weight():
    return {"w": Tensor([1.0], name="w")}


def test_a_run_that_ends_early_is_saved_too_and_a_hopeless_path_is_refused_before_the_first_step(tmp_path):
    model = one_weight()
    history = training.fit(model, squares, [3.0] * 3, training.SGD(model, 0.1), 10, checkpoint=tmp_path / "run.npz")
    assert history.steps == 3
    again = one_weight()
    training.fit(again, squares, [3.0] * 3, training.SGD(again, 0.1), 3, checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(again["w"].data, model["w"].data)
    fresh = one_weight()
    with pytest.raises(FileNotFoundError, match="no folder"):
        training.fit(fresh, squares, [3.0] * 3, training.SGD(fresh, 0.1), 3, checkpoint=tmp_path / "none" / "run.npz")
    assert fresh["w"].data.tolist() == [1.0]


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_a_list_of_batches_is_wound_forward_when_a_run_is_taken_up_again(tmp_path, rng):
    batches, whole, parted = [1.0, -2.0, 3.0, 0.5, 2.0, -1.0], one_weight(), one_weight()
    training.fit(whole, squares, batches, training.SGD(whole, 0.1), 6, rng=rng)
    training.fit(parted, squares, batches, training.SGD(parted, 0.1), 2, rng=rng, checkpoint=tmp_path / "run.npz")
    training.fit(parted, squares, batches, training.SGD(parted, 0.1), 6, rng=rng, checkpoint=tmp_path / "run.npz", resume=True)
    assert np.array_equal(whole["w"].data, parted["w"].data)


@pytest.mark.parametrize("start", [None, np.zeros((4, 3))])
def test_states_of_stacks_and_plain_first_states_are_recorded(start):
    cell = nn.RNNCell(2, 3) if start is not None else nn.Stacked([nn.LSTMCell(2, 3, name="1"), nn.LSTMCell(3, 3, name="2")])

    def loss(model, x):
        states = nn.unroll(model, x, start)
        return nn.mse(model.output(states[-1]) if start is None else states[-1], np.ones((4, 3))), states

    history = training.fit(cell, loss, [np.ones((5, 4, 2))] * 2, training.SGD(cell, 0.1), 2)
    assert len(history.records[0]["states"]) == 6
    assert history.records[0]["states"][-1] > 0


def test_a_leaf_with_two_names_is_stepped_once():
    w = Tensor([1.0])
    (w * 2.0).sum().backward()
    training.SGD({"a": w, "b": w}, 0.1).step()
    assert w.data.tolist() == [0.8]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [({"record": 0}, ValueError, "1 or more"), ({"radius": "W_hh"}, ValueError, "no square parameter is called W_hh")],
)
def test_settings_are_checked_before_the_first_step(options, error, message):
    model = one_weight()
    with pytest.raises(error, match=message):
        training.fit(model, squares, [3.0], training.SGD(model, 0.1), 1, **options)
    with pytest.raises(TypeError, match="the optimiser must be one of this room"):
        training.fit(model, squares, [3.0], training.SGD, 1)
    assert model["w"].data.tolist() == [1.0]


def test_small_things():
    assert repr(training.SGD(one_weight(), np.float64(0.5))) == "SGD(1 parameters, lr=0.5, 0 steps taken)"
    assert type(training.SGD(one_weight(), 0.1, np.float64(0.9)).momentum) is float
    with pytest.raises(ValueError, match="at least one step"):
        training.copy_memory(0)
    with pytest.raises(ValueError, match="arrays of one shape"):
        training.nrmse(np.ones((5, 1)), np.arange(5.0))


def test_two_biases_of_a_small_dtype_do_not_wrap_around():
    cell = nn.RNNCell(2, 2)
    state = {"weight_ih": np.ones((2, 2)), "weight_hh": np.ones((2, 2)), "bias_ih": np.full(2, 100, np.int8), "bias_hh": np.full(2, 100, np.int8)}
    nn.load_weights(cell, state)
    assert cell.b_h.data.tolist() == [200.0, 200.0]
