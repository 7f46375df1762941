"""Every task has the shapes it promises, the baseline it quotes, and no memory but its rng."""

import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_vg import nn, training
from tinygrad_vg.training import (
    adding,
    characters,
    copy_memory,
    delayed_recall,
    latch,
    minibatches,
    narma10,
    parity,
    sines,
    spirals,
    teacher,
    temporal_order,
    two_moons,
)  # fmt: skip

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_training.json").read_text())
TEXT = "the quick brown fox jumps over the lazy dog, and the dog sleeps on. " * 3

TASKS = {  # what makes it, and the shapes of inputs and answers
    "adding": (lambda rng: adding(12, 5, rng), (12, 5, 2), (5, 1)),
    "copy_memory": (lambda rng: copy_memory(7, 5, rng), (27, 5, 10), (27, 5)),
    "temporal_order": (lambda rng: temporal_order(30, 5, rng), (30, 5, 6), (5,)),
    "latch": (lambda rng: latch(9, 5, rng=rng), (9, 5, 1), (5, 1)),
    "parity": (lambda rng: parity(6, 5, rng), (6, 5, 1), (5,)),
    "delayed_recall": (lambda rng: delayed_recall(8, 3, 5, rng=rng), (8, 5, 4), (5, 5)),
    "narma10": (lambda rng: narma10(50, 5, rng), (50, 5, 1), (50, 5, 1)),
    "sines": (lambda rng: sines(9, 5, rng), (9, 5, 1), (9, 5, 1)),
    "teacher": (lambda rng: teacher(6, 4, 5, rng=rng), (5, 6), (5,)),
    "characters": (lambda rng: characters(TEXT, 9, 5, rng), (9, 5, len(training.alphabet(TEXT))), (9, 5)),
    "minibatches": (lambda rng: minibatches(*two_moons(), 5, rng), (5, 2), (5,)),
}


@pytest.mark.parametrize("name", TASKS)
def test_shapes_determinism_and_going_on_from_a_saved_state(name):
    make, inputs, answers = TASKS[name]
    task, same, other = make(3), make(3), make(4)
    x, y = next(task)
    assert (x.shape, y.shape) == (inputs, answers)
    assert x.dtype == float
    assert y.dtype.kind == ("f" if y.shape[-1:] == (1,) else "i")
    x2, y2 = next(same)
    assert np.array_equal(x, x2) and np.array_equal(y, y2)
    assert not np.array_equal(x, next(other)[0])
    state = task.rng.bit_generator.state
    x3, y3 = next(task)
    assert not np.array_equal(x, x3)
    task.rng.bit_generator.state = state
    assert all(map(np.array_equal, (x3, y3), next(task)))


def test_adding_has_two_marks_and_their_sum():
    x, y = next(adding(11, 3000, 0))
    assert np.all(x[..., 1].sum(0) == 2)
    assert np.all(x[:5, :, 1].sum(0) == 1)
    assert np.sum(x[..., 0] * x[..., 1], axis=0) == pytest.approx(y[:, 0])


def test_answering_one_in_adding_costs_a_sixth():
    (entry,) = [e for e in REFERENCE if e["kind"] == "adding_baseline_mse"]
    _, y = next(adding(10, 200_000, 0))
    assert entry["value"] == 1 / 6
    assert np.mean((y - 1) ** 2) == pytest.approx(entry["value"], rel=0.01)


@pytest.mark.parametrize("entry", [e for e in REFERENCE if e["kind"] == "copy_memoryless_loss"], ids=lambda e: e["id"])
def test_the_memoryless_loss_of_copying(entry):
    T = entry["params"]["T"]
    assert training.memoryless_loss(T) == pytest.approx(entry["value"], rel=1e-12)
    _, labels = next(copy_memory(T, 3, 0))
    logits = np.full((T + 20, 3, 10), -1e4)
    logits[: T + 10, :, 8] = 0
    logits[T + 10 :, :, :8] = 0
    assert nn.cross_entropy(logits.reshape(-1, 10), labels.ravel()) == pytest.approx(entry["value"], rel=1e-12)


def test_copying_asks_for_the_symbols_after_the_sign():
    x, labels = next(copy_memory(5, 4, 0))
    shown = x.argmax(-1)
    assert np.all(shown[:10] < 8) and np.all(shown[10:14] == 8) and np.all(shown[14] == 9) and np.all(shown[15:] == 8)
    assert np.all(labels[:15] == 8) and np.array_equal(labels[15:], shown[:10])


@pytest.mark.parametrize("T", [10, 15, 30, 100])
def test_temporal_order_shows_two_of_a_and_b_where_it_should(T):
    x, labels = next(temporal_order(T, 2000, 0))
    shown = x.argmax(-1)
    assert np.all((shown < 2).sum(0) == 2)
    places = np.array([np.flatnonzero(column < 2) for column in shown.T])
    assert places[:, 0].min() >= T // 10 and places[:, 0].max() <= T // 5
    assert places[:, 1].min() >= 4 * T // 10 and places[:, 1].max() <= T // 2
    pairs = shown.T[np.arange(2000)[:, None], places]
    assert np.array_equal(labels, 2 * pairs[:, 0] + pairs[:, 1])
    assert np.bincount(labels) / 2000 == pytest.approx(np.full(4, 1 / 4), abs=0.04)


def test_latch_holds_a_bit_and_then_makes_noise():
    x, y = next(latch(50, 2000, noise=0.5, held=4, rng=0))
    assert np.array_equal(x[:4], np.broadcast_to(np.sign(y), (4, 2000, 1)))
    assert np.std(x[4:]) == pytest.approx(0.5, rel=0.01)
    assert np.mean(y**2) == pytest.approx(0.64)


def test_parity_counts_ones_and_recall_looks_back():
    x, labels = next(parity(7, 4000, 0))
    assert np.array_equal(labels, x[..., 0].sum(0) % 2)
    assert labels.mean() == pytest.approx(0.5, abs=0.03)
    x, labels = next(delayed_recall(9, 4, 5, rng=0))
    assert np.array_equal(labels, x[:-4].argmax(-1))


def test_narma_follows_its_equation_and_never_runs_away():
    x, y = next(narma10(2000, 20, 0))
    u, y = x[..., 0], y[..., 0]
    assert np.all(np.abs(y) <= 2)
    for t in (20, 500):  # y[t] here is the textbook's y[t + 1]
        expected = 0.3 * y[t - 1] + 0.05 * y[t - 1] * y[t - 10 : t].sum(0) + 1.5 * u[t - 9] * u[t] + 0.1
        assert y[t] == pytest.approx(expected, rel=1e-13)
    assert training.nrmse(np.full_like(y, y.mean()), y) == pytest.approx(1, rel=1e-12)


def test_sines_go_on():
    x, y = next(sines(40, 4000, 0))
    assert np.array_equal(x[1:], y[:-1])
    assert np.mean(y**2) == pytest.approx(0.5, rel=0.02)


def test_points_come_in_even_classes():
    for (points, labels), classes in ((two_moons(300, 0.0, 1), 2), (spirals(300, 3, noise=0.0, rng=1), 3)):
        assert points.shape == (300, 2)
        assert np.bincount(labels).tolist() == [300 // classes] * classes
    upper = two_moons(300, 0.0, 1)[0][::2]
    assert np.hypot(*upper.T) == pytest.approx(1)


def test_a_teacher_uses_all_its_classes_and_is_one_network():
    task = teacher(16, 5, 4000, rng=2)
    (_, first), (_, second) = next(task), next(task)
    shares = np.bincount(first, minlength=5) / 4000
    assert shares.min() > 0.1
    assert np.abs(shares - np.bincount(second, minlength=5) / 4000).max() < 0.05


def test_characters_are_windows_and_the_next_letter():
    x, labels = next(characters(TEXT, 9, 5, 0))
    letters = np.array(list(training.alphabet(TEXT)))
    shown, answer = letters[x.argmax(-1)], letters[labels]
    assert np.array_equal(shown[1:], answer[:-1])
    assert all("".join(column) in TEXT for column in shown.T)
    frequencies = np.array([TEXT.count(letter) for letter in training.alphabet(TEXT)]) / len(TEXT)
    assert training.unigram_entropy(TEXT) == pytest.approx(-np.sum(frequencies * np.log(frequencies)))
    assert training.unigram_entropy("aaaa") == 0 == len(training.alphabet(""))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: adding(1), "at least two steps"),
        (lambda: temporal_order(9), "at least 10 steps"),
        (lambda: delayed_recall(4, 4), "from 0 to T - 1 = 3; got 4"),
        (lambda: characters("short", 5), "the text has 5 characters"),
        (lambda: minibatches(np.ones((3, 2)), np.ones(3, int), 4), "a size of 1 to 3"),
    ],
)
def test_what_cannot_be_asked_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_digits_are_split_the_same_way_always():
    pytest.importorskip("sklearn")
    (x, y), (x_test, y_test) = training.digits()
    assert (x.shape, x_test.shape) == ((1437, 64), (360, 64))
    assert x.min() == 0 and x.max() == 1
    assert set(y) == set(y_test) == set(range(10))
    assert np.array_equal(training.digits()[1][0], x_test)
    assert np.bincount(y_test).max() / 360 < 0.15
    assert math.isclose(x_test.sum() + x.sum(), 1797 * 64 * 0.3052601, rel_tol=1e-3)


def test_without_scikit_learn_the_digits_name_the_command_that_installs_it():
    code = "import sys; sys.modules['sklearn'] = None; sys.modules['sklearn.datasets'] = None\nimport tinygrad_vg.training as t; t.digits()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert 'pip install -e ".[data]"' in done.stderr.splitlines()[-1]
