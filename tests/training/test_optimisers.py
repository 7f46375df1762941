"""Every step is PyTorch's, on Tensors and on Scalars alike."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, cos, nn, scalars, square, training
from tinygrad_vg.training import SGD, Adam, AdamW, RMSProp
from tinygrad_vg.training.leaves import gradient, value

PYTORCH = json.loads((pathlib.Path(__file__).parents[1] / "data" / "optimisers.json").read_text())
OURS = {"SGD": SGD, "RMSprop": RMSProp, "Adam": Adam, "AdamW": AdamW}
i, j = np.meshgrid(np.arange(4.0), np.arange(6.0), indexing="ij")
A = np.sin(1 + i + 2 * j)


def problem(w):
    """Σ cos(A w) + |w|⁴ / 8, as in make_optimisers.py."""
    flat = w.reshape(6)
    return np.sum(cos(A @ flat)) + square(np.sum(square(flat))) / 8


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("case", PYTORCH["cases"], ids=lambda case: case["title"])
def test_ten_steps_are_those_of_pytorch(case, leaf):
    w = leaf(np.cos(np.arange(6.0)).reshape(2, 3), name="w")
    optimiser = OURS[case["optimiser"]]({"w": w}, **case["settings"])
    for expected in case["path"]:
        optimiser.zero_grad()
        problem(w).backward()
        optimiser.step()
        assert value(w).ravel() == pytest.approx(expected, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam, AdamW])
def test_a_single_scalar_is_a_parameter_too(make):
    x, X = Scalar(2.0), Tensor([2.0])
    for leaf in (x, X):
        optimiser = make({"x": leaf}, lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            np.sum(square(leaf)).backward() if leaf is X else square(leaf).backward()
            optimiser.step()
    assert x.data == X.data[0] != 2.0


def test_schedules_are_those_of_pytorch():
    ours = {"step_decay": training.step_decay(0.4, 3, 0.5), "cosine": training.cosine(0.4, 8, 0.01)}
    for name, rates in PYTORCH["schedules"].items():
        assert [ours[name](t) for t in range(9)] == pytest.approx(rates, rel=1e-12)


def test_an_optimiser_follows_its_schedule():
    w = Tensor([0.0])
    optimiser = SGD({"w": w}, lr=training.warm_up(training.constant(1.0), 2))
    for expected in (-0.5, -1.5, -2.5):
        w.grad = [1.0]
        optimiser.step()
        assert w.data[0] == expected


def test_a_parameter_without_a_gradient_stays_as_it_is():
    w, unused = Tensor([1.0]), Tensor([3.0])
    optimiser = AdamW({"w": w, "unused": unused}, lr=0.1)
    square(w).sum().backward()
    optimiser.step()
    assert unused.data[0] == 3.0 != w.data[0] + 2
    assert optimiser.memory["unused"].t == 0


def test_zero_grad_forgets_every_gradient():
    cell = nn.RNNCell(1, 2, leaf=scalars)
    nn.mse(nn.unroll(cell, np.ones((2, 1)))[-1], np.zeros(2)).backward()
    assert gradient(cell.W_hh) is not None
    SGD(cell, lr=0.1).zero_grad()
    assert all(gradient(leaf) is None for leaf in cell.parameters().values())


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.9), RMSProp, Adam])
def test_memory_taken_over_gives_the_same_next_steps(make):
    def steps(optimiser, w, n):
        for _ in range(n):
            optimiser.zero_grad()
            problem(w).backward()
            optimiser.step()

    w = Tensor(np.ones((2, 3)))
    optimiser = make({"w": w})
    steps(optimiser, w, 3)
    other = Tensor(w.data)
    successor = make({"w": other})
    successor.load_state_dict(optimiser.state_dict())
    steps(optimiser, w, 3)
    steps(successor, other, 3)
    assert np.array_equal(w.data, other.data)


def test_memory_that_does_not_fit_is_refused_whole_and_by_name():
    optimiser = Adam({"w": Tensor([1.0])})
    state = optimiser.state_dict()
    wrong = {"t": np.array(7), "w.t": state["w.t"], "w.m": np.zeros(2), "b.m": np.zeros(1)}
    with pytest.raises(ValueError, match=r"w\.v is missing; b\.m is unknown; w\.m is float64 \(2,\), expected float64 \(1,\)"):
        optimiser.load_state_dict(wrong)
    assert optimiser.t == 0


def test_settings_that_make_no_sense_are_refused():
    w = {"w": Tensor([1.0])}
    for make, message in [
        (lambda: SGD(w, -1), "lr must be a number from 0 on; got -1"),
        (lambda: SGD(w, 0.1, momentum=math.nan), "momentum must be a number from 0 on"),
        (lambda: SGD(w, 0.1, nesterov=True), "nesterov needs momentum"),
        (lambda: Adam(w, betas=(0.9, 1.0)), "betas must lie"),
        (lambda: training.cosine(0.1, 0), "steps must be at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match=r"a model with parameters\(\), a dictionary \{name: leaf\}, a list or tuple of leaves, or one leaf; got a float"):
        SGD(0.5, 0.1)


def test_float32_stays_float32():
    w = Tensor(np.ones(3, dtype=np.float32))
    for make in (SGD, RMSProp, Adam, AdamW):
        optimiser = make({"w": w}, lr=0.1)
        w.grad = np.ones(3)
        optimiser.step()
        assert w.data.dtype == np.float32
        assert {x.dtype for key, x in optimiser.state_dict().items() if not key.endswith("t")} == {np.dtype(np.float32)}


def test_an_optimiser_of_your_own_is_two_lines():
    class SignDescent(training.Optimiser):
        def update(self, w, g, s, lr):
            return w - lr * np.sign(g)

    w = Tensor([1.0, -1.0])
    square(w).sum().backward()
    SignDescent({"w": w}, lr=0.25).step()
    assert w.data.tolist() == [0.75, -0.75]
