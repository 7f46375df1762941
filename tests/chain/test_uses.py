"""The uses of a shared weight add up to its gradient, to the last digits, whatever the graph."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, grad, history, linear, nn, scalars, square, tanh
from tinygrad_vg.chain.uses import uses

ENTRIES = json.loads((pathlib.Path(__file__).parent.parent / "data" / "reference_spectrum.json").read_text())


def relative(a, b):
    return float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))


def assert_adds_up(found, expected):
    total = sum((use.gradient for use in found), np.zeros(np.shape(expected)))
    assert relative(total, expected) < 1e-13
    assert relative(found.total, expected) < 1e-13
    assert sum(use.share for use in found) == pytest.approx(1, abs=1e-12)
    assert found[-1].cumulative == pytest.approx(1, abs=1e-12)
    for use in found:
        assert use.norm == pytest.approx(np.linalg.norm(use.gradient), rel=1e-14)
        assert use.share == pytest.approx(np.sum(use.gradient * expected) / np.sum(np.square(expected)), abs=1e-12)


def rnn(leaf, T=6, n=4, seed=0, batch=None):
    rng = np.random.default_rng(seed)
    cell = nn.RNNCell(3, n, init="normal", leaf=leaf, rng=rng)
    states = nn.unroll(cell, rng.normal(size=(T, 3) if batch is None else (T, batch, 3)))
    return cell, states, np.sum(square(states[-1] - 0.3)).named("loss")


def values(array):
    return array.grad if isinstance(array, Tensor) else np.vectorize(lambda x: x.grad, otypes=[float])(array)


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize("leaf", [Tensor, scalars], ids=["tensors", "scalars"])
@pytest.mark.parametrize("name", ["W_hh", "W_xh", "b_h"])
def test_the_uses_of_a_recurrent_weight_are_its_time_steps_and_add_up_to_grad(leaf, name, batch):
    cell, _, loss = rnn(leaf, batch=batch)
    found = uses(loss, getattr(cell, name))
    loss.backward()
    assert [use.index for use in found] == [1, 2, 3, 4, 5, 6]
    assert found[2].name == "z[3]"
    assert_adds_up(found, values(getattr(cell, name)))


def test_numbers_and_arrays_say_the_same_of_every_step():
    (one, _, a), (other, _, b) = rnn(Tensor), rnn(scalars)
    for x, y in zip(uses(a, one.W_hh), uses(b, other.W_hh)):
        assert x.index == y.index and np.allclose(x.gradient, y.gradient, rtol=1e-12) and x.share == pytest.approx(y.share)


def test_one_scalar_of_a_recurrence_has_one_use_per_step():
    cell, _, loss = rnn(scalars)
    w = cell.W_hh[1, 2]
    found = uses(loss, w)
    assert [use.index for use in found] == [1, 2, 3, 4, 5, 6]
    assert sum(use.gradient for use in found) == pytest.approx(grad(loss, w), rel=1e-13)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell], ids=["lstm", "gru"])
def test_gated_cells_add_up_weight_by_weight(kind):
    rng = np.random.default_rng(1)
    cell = kind(2, 5, rng=rng)
    state = nn.unroll(cell, rng.normal(size=(7, 2)))[-1]
    loss = np.sum(square(cell.output(state)))
    loss.backward()
    for name, leaf in cell.parameters().items():
        found = uses(loss, leaf)
        assert len(found) == 7, name
        assert_adds_up(found, leaf.grad)


def test_a_weight_used_twice_in_one_expression_and_tied_layers():
    rng = np.random.default_rng(2)
    W, x = Tensor(rng.normal(size=(4, 4)), name="W"), rng.normal(size=(3, 4))
    for output in (np.sum(tanh(x @ W @ W)), np.sum(square(tanh(linear(tanh(linear(x, W)), W)))), np.sum(W * W), np.sum(W @ W.T)):
        found = uses(output, W)
        assert [use.index for use in found] == [1, 2]
        assert_adds_up(found, grad(output, W))
    a = Scalar(3.0, name="a")
    found = uses(a * a * a + a, a)
    assert "over its 4 uses\n" in str(found) and "over its 1 use\n" in str(uses(a + 1, a))
    assert len(found) == 4
    assert sum(use.gradient for use in found) == grad(a * a * a + a, a) == 28


def test_a_network_uses_each_weight_once():
    net = nn.MLP([3, 5, 4, 1], rng=np.random.default_rng(0))
    loss = np.sum(square(net(np.random.default_rng(1).normal(size=(6, 3)))))
    for leaf in net.parameters().values():
        found = uses(loss, leaf)
        assert len(found) == 1 and found[0].share == pytest.approx(1)
        assert_adds_up(found, grad(loss, leaf))


def test_an_interior_node_a_seed_and_float32():
    x = Tensor(np.array([1.0, 2.0], dtype=np.float32), name="x")
    h = (x * 2).named("h", 1)
    y = tanh(h) + h * h
    seed = np.array([1.0, -3.0])
    found = uses(y, h, seed=seed)
    assert len(found) == 3 and found[0].gradient.dtype == np.float32
    assert np.allclose(found.total, grad(y, h, seed=seed))


def test_entries_that_depend_on_each_other_still_add_up():
    a = Scalar(2.0, name="a")
    b = a * a
    y = b * a
    found = uses(y, np.array([a, b]))
    assert found.total.tolist() == [grad(y, a), grad(y, b)]


def test_by_lag_sums_to_the_same_and_starts_at_the_loss():
    cell, _, loss = rnn(Tensor)
    found = uses(loss, cell.W_hh)
    lags = found.by_lag()
    assert [row.index for row in lags] == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(lags[0].gradient, found[-1].gradient)
    assert_adds_up(lags, grad(loss, cell.W_hh))
    a = Scalar(0.5, name="a")
    twice = uses((a * (a * a).named("h", 1)).named("h", 2), a)
    assert [row.index for row in twice] == [1, 1, 2]
    assert [row.index for row in twice.by_lag()] == [0, 1]
    assert sum(row.gradient for row in twice.by_lag()) == pytest.approx(0.75)


def test_no_gradient_is_touched():
    cell, _, loss = rnn(Tensor)
    uses(loss, cell.W_hh)
    assert all(node.grad is None for node in history(loss))


def test_shares_survive_gradients_whose_squares_underflow():
    w, x = Tensor([1.0, 2.0], name="w"), 1e-200
    found = uses(np.sum(w * x + w * (2 * x)), w)
    assert [use.share for use in found] == pytest.approx([1 / 3, 2 / 3])
    assert found[0].norm == pytest.approx(math.sqrt(2) * 1e-200)


def test_a_gradient_of_zero_has_no_shares():
    w = Tensor([1.0], name="w")
    found = uses((w - w).sum(), w)
    assert [use.norm for use in found] == [1, 1] and all(math.isnan(use.share) for use in found)
    assert "nan %" in str(found) and json.loads(json.dumps(found.to_dict()))["rows"][0]["share"] == "nan"


def test_a_weight_without_entries_has_uses_too():
    empty = Tensor(np.zeros((0, 2)), name="W")
    found = uses(np.tanh(empty).sum(), empty)
    assert len(found) == 1 and found.total.shape == (0, 2) and math.isnan(found[0].share) and "W" in str(found)


def test_errors_say_what_to_do():
    w, other = Tensor([1.0, 2.0], name="w"), Tensor([1.0], name="other")
    with pytest.raises(ValueError, match="does not depend on other"):
        uses(np.sum(w), other)
    with pytest.raises(ValueError, match="does not depend on w"):
        uses(w, w, seed=[1.0, 1.0])
    with pytest.raises(ValueError, match="pass a seed"):
        uses(w * 2, w)
    with pytest.raises(TypeError, match="a weight that is a node"):
        uses(np.sum(w), np.ones(2))
    with pytest.raises(TypeError, match="history needs a node"):
        uses(3.0, w)
    y = np.sum(w * 2)
    w.data = [0.0, 0.0]
    with pytest.raises(RuntimeError, match="new data"):
        uses(y, w)


@pytest.mark.parametrize("T", [3, 200])
def test_it_prints_in_80_columns_folds_and_survives_json(T):
    cell, _, loss = rnn(Tensor, T=T)
    for found in (uses(loss, cell.W_hh), uses(loss, cell.W_hh).by_lag()):
        lines = str(found).splitlines()
        assert max(map(len, lines)) <= 80
        assert len(lines) == (5 if T == 3 else 23)
        assert ("180 more rows" in str(found)) == (T == 200)
        again = json.loads(json.dumps(found.to_dict()))
        assert again["rows"][-1]["gradient"] == found[-1].gradient.tolist()


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["id"]) for e in ENTRIES if e["kind"] == "tied_grad_lag_share"])
def test_where_in_time_the_gradient_of_a_tied_weight_comes_from(entry):
    params, value, tol = entry["params"], entry["value"], entry["tol"]["per_key"]
    N, T, found = params["N"], params["T"], {name: [] for name in value}
    for seed in range(params["seeds"]):
        rng = np.random.default_rng(seed)
        W = Tensor(nn.init.with_radius(rng.normal(size=(N, N)), params["radius"]), name="W_hh")
        h = Tensor(params["h0_sd"] * rng.normal(size=N), name="h")
        for t in range(1, T + 1):
            h = tanh(linear(h, W) + params["u_sd"] * rng.normal(size=N)).named("h", t)
        lags = uses(h, W, seed=rng.normal(size=N)).by_lag()
        shares = np.array([row.share for row in lags])
        found["share_last10"].append(np.sum(shares[:10]))
        found["share_last25"].append(np.sum(shares[:25]))
        found["share_oldest10"].append(np.sum(shares[-10:]))
        found["norm_ratio_lag50"].append(lags[-1].norm / np.linalg.norm(lags.total))
    for name in ("share_last10", "share_last25", "share_oldest10"):
        assert np.mean(found[name]) == pytest.approx(value[name], abs=tol["share_abs"]), name
    ratio = np.mean(found["norm_ratio_lag50"]) / value["norm_ratio_lag50"]
    assert 1 / tol["norm_ratio_factor"] < ratio < tol["norm_ratio_factor"]
    assert ratio == pytest.approx(1, abs=1e-6)  # the entry's own draws
