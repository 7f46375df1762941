"""What clipping and penalties do to a gradient is known in closed form."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, grad, gradcheck, nn, scalars, sigmoid, square, training
from tinygrad_vg.training import SGD, clip_norm, clip_value, l2_penalty, vanishing_penalty
from tinygrad_vg.training.leaves import gradient, value

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_training.json").read_text())


def entries(kind):
    return [entry for entry in REFERENCE if entry["kind"] == kind]


def with_gradient(g, leaf=Tensor):
    w = leaf(np.zeros(len(g)), name="w")
    np.sum(w * np.asarray(g)).backward()
    return w


@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_clipping_by_norm_keeps_the_direction_and_by_value_does_not(leaf):
    (entry,) = entries("clip_norm")
    g = np.arange(1.0, entry["params"]["n"] + 1)
    w = with_gradient(g, leaf)
    done = clip_norm({"w": w}, entry["params"]["threshold"])
    assert done.before == pytest.approx(math.sqrt(55), rel=1e-14)
    assert done.after == pytest.approx(entry["value"]["norm_after"], rel=1e-12)
    assert done.factor == pytest.approx(1 / math.sqrt(55), rel=1e-12)
    assert gradient(w)[0] == pytest.approx(entry["value"]["first_component"], rel=1e-12)
    assert cosine(gradient(w), g) == pytest.approx(entry["value"]["cos_direction"], rel=1e-12)

    w = with_gradient(g, leaf)
    cut = clip_value({"w": w}, 1.0)
    assert cosine(gradient(w), g) == pytest.approx(entry["value"]["value_clip_cos"], rel=1e-12)
    assert (cut.after, cut.share) == (pytest.approx(math.sqrt(5)), 4 / 5)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_a_short_gradient_is_left_alone():
    w = with_gradient([0.3, 0.4])
    before = w.grad
    assert clip_norm({"w": w}, 1.0) == (0.5, 0.5, 1.0)
    assert w.grad is before
    assert clip_norm({"w": with_gradient([0.0])}, 1.0) == (0.0, 0.0, 1.0)
    assert clip_norm({"w": Tensor([1.0])}, 1.0) == (0.0, 0.0, 1.0)


def test_an_infinite_threshold_only_measures():
    for entries_of_g, before in (([3.0, 4.0], 5.0), ([0.0, 0.0], 0.0)):
        w = with_gradient(entries_of_g)
        assert clip_norm({"w": w}, np.inf) == (before, before, 1.0)
        assert np.array_equal(w.grad, entries_of_g)
    assert np.array_equal(clip_norm({"w": with_gradient([[3.0, 4.0], [0.0, 0.0]])}, np.inf, per_seed=True).factor, [1.0, 1.0])


def test_a_gradient_far_below_the_threshold_stays():
    assert clip_norm({"w": with_gradient([5e-324])}, 1e10).factor == 1.0


def test_lengths_neither_over_nor_underflow():
    assert clip_norm({"w": with_gradient([3e200, 4e200])}, 1.0).before == pytest.approx(5e200)
    assert clip_norm({"w": with_gradient([3e-200, 4e-200])}, 1.0).before == pytest.approx(5e-200)


def test_lengths_of_single_precision_do_not_overflow_either():
    w = Tensor(np.zeros(2, dtype=np.float32))
    w.grad = np.array([3e30, 4e30], dtype=np.float32)
    assert clip_norm({"w": w}, 1.0).before == pytest.approx(5e30, rel=1e-6)
    assert w.grad.dtype == np.float32 and w.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-6)


def test_every_seed_is_clipped_by_itself():
    W, b = Tensor(np.zeros((2, 1, 2))), Tensor(np.zeros((2, 1)))
    W.grad, b.grad = [[[3.0, 0.0]], [[0.3, 0.0]]], [[4.0], [0.4]]
    done = clip_norm({"W": W, "b": b}, 1.0, per_seed=True)
    assert done.before == pytest.approx([5.0, 0.5])
    assert done.factor == pytest.approx([0.2, 1.0])
    assert W.grad.ravel() == pytest.approx([0.6, 0, 0.3, 0])
    assert b.grad.ravel() == pytest.approx([0.8, 0.4])


@pytest.mark.parametrize("clip", [clip_norm, clip_value])
def test_clipping_refuses_what_it_cannot_mend(clip):
    w = Tensor([1.0, 2.0])
    w.grad = [math.nan, 1.0]
    with pytest.raises(FloatingPointError, match="the gradient of w is not finite"):
        clip({"w": w}, 1.0)
    with pytest.raises(ValueError, match="threshold must be positive; got 0"):
        clip({"w": w}, 0)


def test_clipping_carries_descent_over_the_cliff():
    (entry,) = entries("cliff_gd")
    p = entry["params"]

    def descend(clip):
        w, b, losses, norms = Scalar(p["w"]), Scalar(p["b"]), [], []
        optimiser = SGD({"w": w, "b": b}, p["lr"])
        for _ in range(p["steps"]):
            optimiser.zero_grad()
            loss = cliff(w, b)
            loss.backward()
            losses.append(loss.item())
            norms.append(math.hypot(w.grad, b.grad))
            if clip:
                assert clip_norm(optimiser.parameters, clip).after <= clip * (1 + 1e-15)
            optimiser.step()
        return losses[-1], math.hypot(w.data - p["w"], b.data - p["b"]), max(norms)

    expected = entry["value"]
    assert descend(None) == pytest.approx((expected["plain_final"], expected["plain_travel"], expected["plain_max_grad"]), rel=1e-4)
    assert descend(p["clip"])[:2] == pytest.approx((expected["clip_final"], expected["clip_travel"]), rel=1e-4)


def cliff(w, b):
    x = 0.5
    for _ in range(50):
        x = w * sigmoid(x) + b
    return square(sigmoid(x) - 0.7)


@pytest.mark.parametrize("entry", entries("l2_slope_shift"), ids=lambda e: e["id"])
def test_weight_decay_lowers_the_slope_of_every_linear_factor(entry):
    p = entry["params"]
    w = Tensor([1.0])
    optimiser = SGD({"w": w}, p["lr"], weight_decay=p["lam"])
    for _ in range(p["steps"]):
        w.grad = [0.0]
        optimiser.step()
    assert w.data[0] == pytest.approx(entry["value"]["shrink"], rel=1e-10)
    assert math.log(w.data[0]) == pytest.approx(entry["value"]["slope_shift_linear"], rel=1e-10)


@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_the_l2_penalty_is_the_integral_of_weight_decay(leaf):
    cell = nn.RNNCell(2, 3, leaf=leaf)
    penalty = l2_penalty(cell, 0.1)
    penalty.backward()
    assert penalty.item() == pytest.approx(0.05 * sum(np.sum(value(w) ** 2) for w in cell.parameters().values()))
    assert gradient(cell.W_hh) == pytest.approx(0.1 * value(cell.W_hh), rel=1e-14)
    assert l2_penalty({"w": Scalar(3.0)}, 2.0).item() == 9.0


def unrolled(W_hh, W_xh, b_h, activation="tanh", every_step=True, batch=2, T=4):
    rng = np.random.default_rng(1)
    cell = nn.RNNCell(2, 3, activation)
    cell.W_hh, cell.W_xh, cell.b_h = W_hh, W_xh, b_h
    inputs, V = rng.normal(size=(T, batch, 2)), rng.normal(size=(T + 1, batch, 3))
    states = nn.unroll(cell, inputs)
    loss = sum(np.sum(square(h) * v) for h, v in zip(states[1:] if every_step else states[-1:], V))
    return loss, states


def weights(scale=1.0):
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 3)) * scale, rng.normal(size=(3, 2)), rng.normal(size=3)


@pytest.mark.parametrize("every_step", [True, False])
def test_the_vanishing_penalty_is_pascanus_formula(every_step):
    W, W_x, b = map(Tensor, weights())
    loss, states = unrolled(W, W_x, b, every_step=every_step)
    g = grad(loss, states)
    expected = 0.0
    for t in range(len(states) - 1):
        pulled = (g[t + 1] * (1 - states[t + 1].data ** 2)) @ W.data
        expected += np.mean((np.linalg.norm(pulled, axis=1) / np.linalg.norm(g[t + 1], axis=1) - 1) ** 2)
    assert vanishing_penalty(loss, states).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
def test_the_vanishing_penalty_is_differentiated_in_full(activation):
    assert gradcheck(lambda *w: vanishing_penalty(*unrolled(*w, activation)), *weights())


def test_the_vanishing_penalty_counts_no_step_without_a_gradient():
    def last_of_one(W, W_x, b):
        loss, states = unrolled(W, W_x, b)
        return vanishing_penalty(square(states[2][0]).sum(), states)  # later states, and the other sequence, get no gradient

    W, W_x, b = map(Tensor, weights())
    omega = last_of_one(W, W_x, b)
    omega.backward()
    assert np.all(np.isfinite(W.grad)) and omega.item() > 0
    assert gradcheck(last_of_one, *weights())


def test_the_vanishing_penalty_survives_gradients_whose_squares_underflow():
    W, W_x, b = map(Tensor, weights())
    loss, states = unrolled(W, W_x, b, every_step=False)
    assert vanishing_penalty(loss * 1e-200, states).item() == pytest.approx(vanishing_penalty(loss, states).item(), rel=1e-12)


def test_descending_the_vanishing_penalty_brings_gains_towards_one():
    model = dict(zip(("W_hh", "W_xh", "b_h"), map(Tensor, weights(0.3))))
    history = training.fit(
        model, lambda m, _: vanishing_penalty(*unrolled(*m.values(), every_step=False)), [None] * 60, SGD(model, 0.1), 60
    )
    assert history.losses[-1] < history.losses[0] / 10


def test_an_lstms_pairs_are_refused():
    with pytest.raises(TypeError, match="one per time step; got tuple"):
        vanishing_penalty(Tensor(1.0), [(Tensor(1.0), Tensor(1.0))])
