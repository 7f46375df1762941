"""The experiments run small and fast, and at full size show what they claim (slow)."""

import json

import numpy as np
import pytest

from tinygrad_vg.training import learning

TEXT = "it is the product of all the factors, and not any one of them, that decides where the gradient goes. " * 20


@pytest.mark.parametrize(
    "small",
    [
        lambda: learning.order_of_two(10, 100, 2, penalty=0.5),
        lambda: learning.long_sums(4, 20, 2),
        lambda: learning.letters(TEXT, 10, 8),
    ],
)
def test_an_experiment_prints_a_table_returns_it_and_repeats_itself(small, capsys):
    rows = small()
    text = capsys.readouterr().out
    assert all(key in text.splitlines()[0] for key in rows[0])
    assert len(text.splitlines()) == 1 + len(rows)
    json.dumps(rows)
    assert small() == rows


def test_every_seed_gets_batches_of_its_own():
    inputs, labels = next(learning.for_seeds(learning.temporal_order, 12, 2, 3))
    assert (inputs.shape, labels.shape) == ((12, 2, 3, 6), (2, 3))
    assert not np.array_equal(inputs[:, 0], inputs[:, 1])


def test_a_text_is_learned_below_its_unigram_entropy():
    for row in learning.letters(TEXT, 100, 16):
        assert row["loss"] < row["unigram entropy"] - 0.3


def test_a_deep_sigmoid_network_stays_at_chance_and_batch_norm_wakes_it():
    pytest.importorskip("sklearn")
    shallow, deep, normalised = learning.deep_sigmoid(steps=400)
    assert deep["accuracy"] < 0.15 < 0.85 < min(shallow["accuracy"], normalised["accuracy"])
    assert deep["|g| first"] < 1e-10 * deep["|g| last"]


@pytest.mark.slow
def test_digits_are_learned():
    pytest.importorskip("sklearn")
    (row,) = learning.digits_mlp()
    assert row["accuracy"] > 0.95


@pytest.mark.slow
def test_clipping_solves_temporal_order_where_plain_descent_does_not():
    plain, clipped = learning.order_of_two()
    assert clipped["solved"] > plain["solved"]


@pytest.mark.slow
def test_an_lstm_adds_over_60_steps_and_tanh_does_not():
    tanh, lstm = learning.long_sums()
    assert np.mean(lstm["mse"]) < np.mean(tanh["mse"])
    assert lstm["solved"] > tanh["solved"]
