"""A weight that is used step after step: judged by its farthest and its nearest use, in the same words however it is written."""

import math
import tracemalloc

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, grad, linear, nn, relu, scalars, sigmoid, square, stack, tanh, verdict
from tinygrad_vg.chain.flow import Flow
from tinygrad_vg.chain.kinds import Verdict
from tinygrad_vg.formulas.explain import explain


def wrong_by_one(y):
    """A squared error, every entry of it 1."""
    return vg.sum(square(y - (y.data - 1.0)))


def recurrent(steps, cell):
    return nn.unroll(cell, 0.3 * np.random.default_rng(7).normal(size=(steps, cell.n_in)))


def by_hand(product, T=60, factor=0.9, size=6):
    """h = tanh(U x + W h + b) from zeros: (loss, {W, U, b}); `product` writes the three terms."""
    rng = np.random.default_rng(7)
    W, b = Tensor(factor * np.eye(size), name="W"), Tensor(np.zeros(size), name="b")
    U, h = Tensor(0.1 * rng.normal(size=(size, 3)), name="U"), Tensor(np.zeros(size), name="h0")
    for t, x in enumerate(0.3 * rng.normal(size=(T, 3)), start=1):
        h = tanh(product(x, h, W, U, b)).named("h", t)
    return wrong_by_one(h), {"W": W, "U": U, "b": b}


WRITTEN = {
    "h @ W.T": lambda x, h, W, U, b: x @ U.T + h @ W.T + b,
    "W @ h": lambda x, h, W, U, b: U @ x + W @ h + b,
    "linear": lambda x, h, W, U, b: linear(x, U) + linear(h, W, b),
    "einsum": lambda x, h, W, U, b: b + vg.einsum("ij,j->i", U, x) + vg.einsum("ij,j->i", W, h),
}


def same(a, b):
    return a.kind == b.kind and a.numbers == pytest.approx(b.numbers) and a.helps == b.helps


# a state that is 0 ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("T", [5, 20, 60])
@pytest.mark.parametrize(("cell", "weight", "at"), [(nn.GRUCell, "W_xr", "r[2]"), (nn.LSTMCell, "W_xf", "f[2]")])
def test_a_use_that_only_meets_the_zero_initial_state_does_not_decide(cell, weight, at, T):
    model = cell(3, 8, rng=1)
    loss = wrong_by_one(model.output(recurrent(T, model)[-1]))
    v = verdict(loss, model)
    part = next(part for part in v.parts if part.source == weight)
    assert all(np.isfinite(p.numbers["log_gain"]) for p in v.parts)
    assert f"the farthest use of {weight}, in {at} (2 of {T})" in part.why and "Use 1 meets a state of exactly 0." in part.why
    assert "dead" not in str(v) and "rectifier" not in str(v)


def test_the_cells_of_scalars_are_judged_likewise():
    cell = nn.GRUCell(2, 3, leaf=scalars)
    states = nn.unroll(cell, [np.full(2, 0.3)] * 4)
    v = verdict(np.sum(square(states[-1] - 1.0)), cell)
    assert all(np.isfinite(part.numbers["log_gain"]) for part in v.parts)


@pytest.mark.parametrize(
    ("cell", "weight", "reason"),
    [
        (nn.GRUCell, "W_xr", "r[1] is multiplied by the Tensor made by linear, which is 0 because h[0] is."),
        (nn.LSTMCell, "W_xf", "f[1] is multiplied by c[0], which is 0."),
    ],
)
def test_where_the_state_is_all_that_is_0_it_is_named(cell, weight, reason):
    model = cell(3, 8, rng=1)
    loss = wrong_by_one(model.output(recurrent(1, model)[-1]))
    for v in (verdict(loss, {weight: getattr(model, weight)}), verdict(loss, getattr(model, weight))):
        assert v.kind == "zero state" and reason in v.why and "slopes" not in v.why


def test_no_factor_is_called_a_rectifier_that_is_none():
    x, c = Tensor(np.full(3, -900.0), name="x"), Tensor(np.ones(3), name="c")
    v = verdict(wrong_by_one(sigmoid(x) * c), c)
    assert v.kind == "contracting weights" and "c is multiplied by the Tensor made by sigmoid, which is 0." in v.why
    v = verdict(wrong_by_one(relu(x) * c), c)
    assert v.kind == "dead" and "its relu is off" in v.why


def test_a_dead_rectifier_on_the_way_to_the_first_use_is_not_passed_over():
    cell = nn.RNNCell(3, 4, "relu")
    states = recurrent(6, cell)
    dead = relu(states[3] - 1000.0)
    h = cell(np.ones(3), dead)
    v = verdict(wrong_by_one(h), cell)
    assert v.kind == "dead" and v.op == "relu"


def test_a_scale_that_begins_at_0_is_a_weight_and_a_gate_of_1_minus_z_meets_a_state():
    x, scale, state = Tensor([0.5, 1.0], name="x"), Tensor(np.zeros(2), name="scale"), Tensor(np.zeros(2), name="h0")
    assert verdict(wrong_by_one((x - x.mean()) * scale), x).kind == "contracting weights"
    v = verdict(wrong_by_one((1 - x) * state), x)
    assert v.kind == "zero state" and "multiplied by h0, which is 0" in v.why


# however it is written -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("written", WRITTEN)
def test_the_same_model_gets_the_same_verdict_however_its_product_is_written(written):
    (loss, leaves), (reference, others) = by_hand(WRITTEN[written]), by_hand(WRITTEN["linear"])
    for name in leaves:
        a, b = verdict(loss, leaves[name]), verdict(reference, others[name])
        assert a.kind == b.kind == "contracting weights"
        assert a.numbers["log_gain"] == pytest.approx(b.numbers["log_gain"])
        assert f"the farthest use of {name}, in h[1] (1 of 60)" in a.why
    assert np.linalg.norm(grad(loss, leaves["W"])) > 0.5


def test_a_weight_is_seen_through_every_rearrangement_of_it():
    v = {}
    for name, W in {"plain": lambda W: W, "turned": lambda W: W.T.T, "cut": lambda W: W[0:6], "shaped": lambda W: W.reshape(36).reshape(6, 6)}.items():
        loss, leaves = by_hand(lambda x, h, w, U, b, W=W: W(w) @ h + U @ x)
        v[name] = verdict(loss, {"W": leaves["W"]})
    assert all(same(v["plain"].parts[0], one.parts[0]) for one in v.values())


# the farthest and the nearest use --------------------------------------------------------------------------------------
def test_a_vanished_rnn_is_not_healthy_however_one_asks():
    loss, leaves = by_hand(WRITTEN["W @ h"], factor=0.5)
    W = leaves["W"]
    alone, of_list, of_dict = verdict(loss, W), verdict(loss, list(leaves.values())), verdict(loss, leaves)
    assert alone.kind == of_list.kind == of_dict.kind == "contracting weights"
    assert same(of_list, of_dict) and [p.source for p in of_list.parts] == ["W", "U", "b"]
    assert same(alone, of_dict.parts[0])
    assert alone.numbers["log_gain"] == alone.numbers["farthest_log_gain"] < -39 and alone.numbers["uses"] == 60
    assert abs(alone.numbers["nearest_log_gain"]) < 1
    assert "The nearest, in h[60], arrives with" in alone.why and "healthy. See uses()." in alone.why


def test_the_gain_of_a_use_is_that_of_the_gradient_there():
    loss, leaves = by_hand(WRITTEN["linear"], T=10)
    v = verdict(loss, leaves["W"])
    products = [node for node in vg.history(loss) if node.op == "linear" and leaves["W"] in set(node.variables)]
    for key, node in (("farthest_log_gain", products[0]), ("nearest_log_gain", products[-1])):
        assert v.numbers["signal"] * np.exp(v.numbers[key]) == pytest.approx(np.linalg.norm(grad(loss, node)))


def test_where_the_farthest_use_is_sound_the_nearest_decides():
    """A state that is carried past a readout which shrinks only what came last."""
    w, h, sum_ = Scalar(1.0, name="w"), Scalar(1.0, name="h0"), 0.0
    for _ in range(5):
        h = (w * h).tanh() * 1.0
        sum_ = sum_ + h
    last = 1e-6 * (w * h)
    v = verdict(square(sum_ + last - 9.0), w)
    assert v.kind == "contracting weights" and v.numbers["log_gain"] == v.numbers["nearest_log_gain"] == pytest.approx(np.log(1e-6))
    assert "The farthest" in v.why


def test_uses_that_cancel_to_exactly_0_are_judged_as_a_whole():
    w, x = Scalar(1.0, name="w"), Scalar(2.0, name="x")
    a = w * x
    b = w * a
    c = w * b
    v = verdict(square(3.0 * a - c + 5.0), w)  # ∂/∂w (3 w x − w³ x) = 3 x (1 − w²) = 0
    assert grad(square(3.0 * a - c + 5.0), w) == 0 and v.kind == "cancelled"


def test_what_is_used_twice_in_one_step_is_no_recurrence():
    """The initial state of a GRU, or the input of a residual block, is judged by the whole of its gradient."""
    cell = nn.GRUCell(3, 8)
    states = recurrent(3, cell)
    loss = wrong_by_one(states[-1])
    x = Tensor(np.ones(3), name="x")
    for output, source in ((loss, states[0]), (wrong_by_one(x + tanh(x - 50.0)), x)):
        v = verdict(output, source)
        assert v.kind == "healthy" and "uses" not in v.numbers
        assert v.numbers["signal"] * np.exp(v.numbers["log_gain"]) == pytest.approx(np.linalg.norm(grad(output, source)))


def test_a_list_is_a_model_a_tuple_or_an_array_of_scalars_one_vector():
    a, b = Tensor([1.0], name="a"), Tensor([2.0], name="a")
    v = verdict(vg.sum(square(a * b)), [a, b])
    assert [part.source for part in v.parts] == ["a (1)", "a (2)"]
    assert not verdict(vg.sum(square(a * b)), (a, b)).parts
    x = scalars([1.0, 2.0], "x")
    assert not verdict(np.sum(square(x)), list(x)).parts


# many small steps ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("steps", [50, 200])
def test_a_solver_of_many_small_steps_is_healthy_however_small_they_are(steps):
    """Each use receives 1/n of the gradient, and there are n of them: the sum does not depend on n."""
    net, y = nn.MLP([2, 8, 2], rng=0), Tensor([1.0, 0.0]).named("y", 0)
    for t in range(1, steps + 1):
        y = (y + 2 / steps * net(y)).named("y", t)
    loss = nn.mse(y, np.zeros(2))
    assert verdict(loss, net).kind == "healthy"
    assert np.linalg.norm(vg.grad(loss, net)["layer2.b"]) > 0.5


def test_a_small_step_excuses_no_loss_that_grows_with_the_distance_nor_one_that_the_uses_do_not_make_good():
    for keep, step, T in ((0.9, 0.1, 100), (0.999, 1e-6, 20)):
        W, h = Tensor(nn.init.orthogonal((6, 6), 0), name="W"), Tensor(np.ones(6)).named("h", 0)
        for t in range(1, T + 1):
            h = (keep * h + step * tanh(W @ h)).named("h", t)
        assert verdict(wrong_by_one(h), W).kind == "contracting weights"


# the activation's name -------------------------------------------------------------------------------------------------
def test_the_verdict_names_the_activation_and_does_not_advise_what_is_there_already():
    h = x = Scalar(0.8, name="x")
    for _ in range(30):
        h = tanh(1.5 * h)
    v = verdict(square(h - 2.0), x)
    assert v.kind == "shallow slopes" and v.op == "tanh" and "(tanh)" in v.why
    assert "tanh" not in v.helps and "ReLU" in v.helps
    z = Tensor([1.0, 2.0], name="z")
    v = verdict(wrong_by_one(vg.where(np.array([False, False]), z, 3.0)), z)
    assert v.op == "where" and "ReLU" not in v.helps


# one line for sixty uses -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("written", ["h @ W.T", "W @ h", "linear"])
def test_the_uses_of_a_weight_fold_into_one_sum_over_time_however_they_are_written(written):
    loss, leaves = by_hand(WRITTEN[written])
    e = {name: explain(loss, of=leaf).text for name, leaf in leaves.items()}
    assert all(len(text.splitlines()) == 3 for text in e.values())
    assert "∂L/∂W_ij = Σ_t δ_t,i h_t−1,j" in e["W"] and "t = 1 … 60, δ_t = ∂L/∂(what h[t] is the tanh of)" in e["W"]
    assert "∂L/∂U_ij = Σ_t δ_t,i x_t,j" in e["U"] and "∂L/∂b_i = Σ_t δ_t,i" in e["b"]


def test_with_a_batch_the_folded_sum_runs_over_it_too():
    W, H = Tensor(0.5 * np.eye(3), name="W"), Tensor(np.ones((4, 3)))
    for t in range(1, 5):
        H = tanh(H @ W.T).named("h", t)
    assert "∂L/∂W_ij = Σ_t Σ_n δ_t,ni h_t−1,nj" in explain(vg.sum(square(H)), of=W).text


# a loss at every step, read from one array ------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_loss_on_the_stacked_steps_is_judged_as_the_sum_of_its_terms_is(make, axis):
    rng, T = np.random.default_rng(0), 30
    cell, head = make(3, 6, rng=0), nn.Linear(6, 4, rng=1)
    states, labels = nn.unroll(cell, rng.normal(size=(T, 5, 3))), rng.integers(0, 4, (T, 5))
    hs = [cell.output(state) for state in states[1:]]
    apart = verdict(sum((nn.cross_entropy(head(h), y) / T for h, y in zip(hs, labels)), 0.0), cell)
    logits = head(vg.stack(hs, axis=axis))
    aim = labels if axis == 0 else labels.T
    v = verdict(nn.cross_entropy(vg.reshape(logits, (-1, 4)), aim.ravel()), cell)
    assert [part.kind for part in v.parts] == [part.kind for part in apart.parts]
    for key in ("log_gain", "signal", "nearest_log_gain"):
        assert [part.numbers[key] for part in v.parts] == pytest.approx([part.numbers[key] for part in apart.parts]), key
    assert v.numbers.get("reach") == apart.numbers.get("reach") and ("the last of several" in v.why) == ("the last of several" in apart.why)


def test_steps_that_are_mixed_behind_the_stack_are_one_prediction():
    cell, mix = nn.RNNCell(3, 6, rng=0), np.random.default_rng(1).normal(size=(8, 8))
    hs = vg.stack(recurrent(8, cell)[1:])
    (sent,) = Flow(vg.sum(square(hs * 2.0 - 5.0)), [cell.W_hh]).last.sent.values()
    assert np.flatnonzero(sent.any(axis=1)).tolist() == [7] and sent[7].all()
    assert Flow(vg.sum(square(mix @ hs - 5.0)), [cell.W_hh]).last is None


def tagged(T=40):
    """The logits of an RNN with W_hh = 0.5 I at every step, (T, 2, 4), its labels, and its two weights."""
    rng = np.random.default_rng(0)
    cell, head = nn.RNNCell(3, 8, rng=0), nn.Linear(8, 4, rng=1)
    cell.W_hh.data = 0.5 * np.eye(8)
    logits = head(stack(nn.unroll(cell, rng.normal(size=(T, 2, 3)))[1:]))
    return logits, rng.integers(0, 4, (T, 2)), {"W_hh": cell.W_hh, "W": head.W}


@pytest.mark.parametrize("left", [0, 1, 5, 30])
@pytest.mark.parametrize("how", ["ignored", "weighed", "sliced", "one row"])
def test_steps_at_the_end_that_the_loss_does_not_read_hide_nothing(how, left):
    logits, labels, model = tagged()
    read = len(labels) - left
    if how == "ignored":
        labels[read:] = -100
        loss = nn.cross_entropy(logits, labels, ignore_index=-100)
    elif how == "weighed":
        loss = vg.sum(square(logits - 1.0) * (np.arange(40) < read)[:, None, None])
    elif how == "sliced":
        loss = nn.cross_entropy(vg.reshape(logits[:read], (-1, 4)), labels[:read].ravel())
    else:  # a sentence shorter than the other
        labels[read:, 1] = -100
        loss = nn.cross_entropy(logits, labels, ignore_index=-100)
        read = len(labels)
    found = verdict(loss, model)
    recurrent, head = found.parts
    assert recurrent.kind == "contracting weights" and recurrent.numbers["reach"] < 10 and head.kind == "healthy"
    assert recurrent.numbers["log_gain"] < -0.55 * read


@pytest.mark.parametrize("stacked", [True, False])
def test_steps_at_the_beginning_that_the_loss_does_not_read_are_no_cut(stacked):
    rng, (cell, head) = np.random.default_rng(0), (nn.RNNCell(3, 8, rng=0), nn.Linear(8, 4, rng=1))
    hs = nn.unroll(cell, rng.normal(size=(20, 2, 3)))[1:]
    out = head(stack(hs)) if stacked else stack([head(h) for h in hs])
    found = verdict(nn.cross_entropy(out[5:], rng.integers(0, 4, (15, 2))), {"W": head.W, "b": head.b})
    assert [part.kind for part in found.parts] == ["healthy", "healthy"]


@pytest.mark.parametrize("between", [
    relu, lambda x: x * 2.0, lambda x: linear(x, Tensor(nn.init.orthogonal((8, 8), 1))), nn.LayerNorm(8)])
def test_what_lies_between_two_layers_all_steps_in_one_array_does_not_mix_the_accounts_of_the_steps(between):
    """The same nets, step by step and with the steps of the first side by side: the same accounts."""
    rng, lower, upper = np.random.default_rng(0), nn.RNNCell(3, 8, rng=0), nn.RNNCell(8, 8, rng=1)
    lower.W_hh.data, upper.W_hh.data = 0.5 * np.eye(8), 0.5 * nn.init.orthogonal((8, 8), 2)
    hs = nn.unroll(lower, rng.normal(size=(30, 2, 3)))[1:]
    apart, joined = [between(h) for h in hs], between(stack(hs, axis=1))
    found = [verdict(wrong_by_one(nn.unroll(upper, xs)[-1]), lower.W_xh) for xs in (apart, [joined[:, t] for t in range(30)])]
    assert found[0].kind == found[1].kind == "contracting weights"
    for key in ("log_gain", "factors", "slopes", "weights", "merges", "nearest_log_gain", "reach"):
        assert found[1].numbers[key] == pytest.approx(found[0].numbers[key], abs=1e-6), key


def test_what_is_dead_behind_steps_that_lie_side_by_side_is_said_to_be_so():
    lower, upper = nn.RNNCell(3, 8, rng=0), nn.RNNCell(8, 8, activation="relu", rng=1)
    upper.b_h.data = np.full(8, -50.0)
    y = relu(stack(nn.unroll(lower, np.random.default_rng(0).normal(size=(12, 2, 3)))[1:]))
    found = verdict(wrong_by_one(nn.unroll(upper, [y[t] for t in range(12)])[-1]), lower)
    assert {part.kind for part in found.parts} == {"dead"} and "the slope of relu is 0" in found.why


def test_a_mean_over_steps_of_which_few_sentences_reach_the_last_is_no_cancellation():
    rng, cell, head = np.random.default_rng(0), nn.GRUCell(3, 8, rng=0), nn.Linear(8, 3, rng=1)
    lengths = np.array([40] + [15] * 31)
    read = (np.arange(40) < lengths[:, None])[..., None].astype(float)
    states = stack(nn.unroll(cell, rng.normal(size=(40, 32, 3)))[1:], axis=1)
    pooled = vg.sum(states * read, axis=1) / lengths[:, None]
    found = verdict(nn.cross_entropy(head(pooled), rng.integers(0, 3, 32)), cell)
    assert {part.kind for part in found.parts} == {"healthy"}


@pytest.mark.parametrize("how", ["a product of matrices", "multiplied and summed"])
def test_attention_over_the_steps_is_no_gate_however_it_is_written(how):
    cell, ask, head = nn.RNNCell(3, 8, init="orthogonal", rng=0), nn.Linear(8, 1, rng=1), nn.Linear(8, 3, rng=2)
    hs = stack(nn.unroll(cell, 0.3 * np.random.default_rng(0).normal(size=(50, 3)))[1:])
    shares = vg.softmax(ask(hs).reshape(50))
    read = shares @ hs if how == "a product of matrices" else vg.sum(vg.reshape(shares, (50, 1)) * hs, axis=0)
    found = verdict(nn.cross_entropy(head(read), 1), cell)
    assert found.kind == "healthy" and "gates" not in found.why and "attention" in found.why


# the chain that was judged ------------------------------------------------------------------------------------------------
def test_the_chain_of_a_verdict_has_the_log_gain_that_decided():
    cell = nn.RNNCell(3, 6, rng=0)
    states, net = recurrent(20, cell), nn.MLP([3, 5, 5, 2], "sigmoid", rng=0)
    hs = vg.stack(states[1:])
    for loss, model in [(wrong_by_one(states[-1]), cell), (wrong_by_one(hs), cell), (wrong_by_one(net(np.ones((4, 3)))), net),
                        (sum((wrong_by_one(h) for h in states[1:]), 0.0), cell)]:
        v = verdict(loss, model)
        for part in (v, *v.parts):
            chain = part.chain()
            assert chain.log_product[0] == pytest.approx(part.numbers["log_gain"]), part
            assert chain.blame().total == pytest.approx(part.numbers["log_gain"])
    assert verdict(vg.sum(square(Tensor([1.0], name="a"))), Tensor([2.0], name="b")).chain() is None


def test_binary_cross_entropy_which_takes_the_logits_twice_has_one_prediction():
    net, rng = nn.MLP([4, 8, 8, 1], "sigmoid", rng=0), np.random.default_rng(0)
    logits = net(rng.normal(size=(16, 4)))
    found = verdict(nn.binary_cross_entropy(logits, rng.integers(0, 2, (16, 1))), net)
    assert "at z[3];" in found.why and found.chain().log_product[0] == pytest.approx(found.numbers["log_gain"])


# what it advises ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("steps", "helps"), [(60, "recurrent"), (1, "larger or orthogonal")])
def test_only_weights_of_a_recurrence_are_advised_to_have_gates(steps, helps):
    cell = nn.RNNCell(3, 6, rng=0)
    cell.W_hh.data, net = 0.3 * np.eye(6), nn.MLP([6] * 20, "linear", rng=0)
    for w in net.parameters().values():
        w.data = w.data * 0.3 if w.ndim == 2 else w.data
    v = verdict(wrong_by_one(recurrent(steps, cell)[-1]), cell) if steps > 1 else verdict(wrong_by_one(net(np.ones((4, 6)))), net)
    assert v.kind == "contracting weights" and helps in v.helps and ("gates" in v.helps) == (steps > 1)


def test_a_forget_gate_is_advised_a_bias_for_as_many_steps_as_there_are():
    cell = nn.LSTMCell(3, 6, forget_bias=0, rng=0)
    found = verdict(wrong_by_one(recurrent(50, cell)[-1][0]), cell)
    assert found.op == "gate f" and found.helps == "a bias that opens the gate f: ln 50 = 3.9 keeps a state for 50 steps"
    both = nn.Stacked([nn.LSTMCell(3, 6, forget_bias=0, rng=0, name="1"), nn.LSTMCell(6, 6, forget_bias=0, rng=1, name="2")])
    states = nn.unroll(both, 0.3 * np.random.default_rng(7).normal(size=(50, 3)))
    assert "the gate f2, and its like in the other layers: ln 50 =" in verdict(wrong_by_one(both.output(states[-1])), both).helps


@pytest.mark.parametrize(("residual", "helps"), [(True, "inside the branch"), (False, "smaller inputs")])
def test_a_norm_after_the_sum_is_told_from_a_norm_without_a_way_past(residual, helps):
    rng, x = np.random.default_rng(0), Tensor(np.random.default_rng(1).normal(size=(4, 6)), name="x")
    h = x
    for _ in range(12):
        branch = h @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 9.0 * rng.normal(size=(4, 6))
        h = (h if residual else np.tanh(Tensor(np.zeros(6), name="b"))) + branch
        h = h - h.mean(axis=-1, keepdims=True)
        h = h / np.sqrt(np.square(h).mean(axis=-1, keepdims=True) + 1e-5)
    found = verdict(wrong_by_one(h @ rng.normal(size=(6, 2))), x)
    assert found.kind == "contracting weights" and helps in found.helps and found.means.startswith("normalisations")


def test_a_model_of_many_parameters_is_printed_on_one_page():
    net = nn.MLP([3] * 41, "sigmoid", rng=0)
    found = verdict(wrong_by_one(net(np.ones((2, 3)))), net)
    assert len(found.parts) == 80 and len(str(found).splitlines()) < 40 and "… 54 more rows …" in str(found)


def test_what_a_gru_takes_in_by_the_other_half_of_an_open_gate_is_no_loss_up_to_one_share_for_each_step():
    cell, readout = nn.GRUCell(3, 16, rng=0), nn.Linear(16, 2, rng=1)
    x = np.random.default_rng(0).normal(size=(60, 3))

    def found(bias):
        cell.b_z.data = np.full(16, float(bias))
        return verdict(nn.cross_entropy(readout(nn.unroll(cell, x)[-1]).named("logits"), 1), cell.W_xn)

    shut, opened = found(0), found(math.log(60))
    assert (shut.kind, shut.op) == ("contracting weights", "gate z") and "ln 60 = 4.1" in shut.helps
    assert opened.kind == "healthy" and "1 − z is open to 0.0" in opened.why


def test_a_leak_that_is_a_plain_number_is_named_and_how_near_to_1_it_should_be():
    W = Tensor(nn.init.orthogonal((8, 8), 0), name="W")
    y = Tensor(np.ones(8), name="h")
    for t in range(1, 41):
        y = (0.5 * y + tanh(0.01 * linear(y, W))).named("h", t)
    found = verdict(nn.mse(y, np.ones(8)), W)
    assert (found.kind, found.op) == ("contracting weights", "constant factors") and "1 − 1/40 keeps" in found.helps


def test_of_a_net_that_reads_backwards_the_steps_behind_what_is_read_do_not_count():
    cell, x = nn.LSTMCell(3, 8, forget_bias=3.0, rng=0), np.random.default_rng(0).normal(size=(20, 3))
    out = stack([h for h, _ in nn.unroll(cell, x)[1:]])
    found = verdict(nn.mse(out[10], np.ones(8)), cell.W_hf)  # of twenty steps the first eleven are read
    assert found.kind == "healthy" and math.isfinite(found.numbers["log_gain"])


@pytest.mark.parametrize("gate", ["f", "z2", "enc.f", "layers.0.z"])
def test_the_bias_that_keeps_a_state_is_said_of_every_forget_gate(gate):
    assert "ln 40 = 3.7 keeps a state for 40 steps" in Verdict("contracting weights", "", {"uses": 40.0}, "", f"gate {gate}").helps


def test_memory_grows_with_the_steps_though_all_of_them_lie_in_one_array():
    """Two layers, between them one array of all states, and an embedding of all inputs before them: a step's part is no array of all steps."""
    peaks = []
    for T in (40, 80):
        table, rng = Tensor(0.1 * np.random.default_rng(0).normal(size=(9, 16)), "table"), np.random.default_rng(1)
        x, first, second = table[rng.integers(0, 9, (T, 8))], nn.RNNCell(16, 16, rng=0), nn.RNNCell(16, 16, rng=1)
        between = tanh(stack([state * 1.1 for state in nn.unroll(first, x)[1:]]))
        loss = square(nn.unroll(second, between)[-1]).sum()
        tracemalloc.start()
        found = verdict(loss, {"table": table, "W": first.W_hh, "W2": second.W_hh})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.kind != "healthy" and len(found.parts) == 3
    assert peaks[1] < 2.6 * peaks[0]
