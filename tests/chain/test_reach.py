"""reach(): every pair of a loss and a state, against grad(), Chain and PyTorch; what it prints, and what it refuses."""

import io
import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import (
    Chain,
    Scalar,
    Tensor,
    concatenate,
    detect_anomaly,
    drawing,
    einsum,
    exp,
    grad,
    history,
    linear,
    logsumexp,
    mean,
    multiply,
    nn,
    no_grad,
    reach,
    relu,
    reshape,
    scalars,
    softmax,
    sqrt,
    square,
    stack,
    swapaxes,
    tanh,
    transpose,
    var,
    where,
)
from tinygrad_vg.autodiff.core import sweep
from tinygrad_vg.chain import carried
from tinygrad_vg.chain.reach import Lag
from tinygrad_vg.chain.stations import members
from tinygrad_vg.chain.window import narrowed
from tinygrad_vg.drawing.colours import colour

TORCH = json.loads((pathlib.Path(__file__).parent.parent / "data" / "reach.json").read_text())


def recurrent(cell, T=7, n_in=3, seed=0, leaf=Tensor):
    """A loss at every step, and the states."""
    rng = np.random.default_rng(seed)
    states = nn.unroll(cell, rng.normal(size=(T, n_in)))
    V = leaf(rng.normal(size=(2, cell.n_hidden)), "V")
    return [square(linear(cell.output(h), V)).sum() for h in states[1:]], states


def attention(x, W, Q, K, V):
    """The states tanh(W x), and what causal attention makes of them: scores of later steps are −inf."""
    states = [tanh(linear(row, W)).named("h", t) for t, row in enumerate(x)]
    H = stack(states)
    scores = linear(H, Q) @ linear(H, K).T / math.sqrt(len(K.data)) + np.triu(np.full((len(x), len(x)), -np.inf), 1)
    return states, softmax(scores) @ linear(H, V)


def causal(T=7, n=4, seed=0):
    rng = np.random.default_rng(seed)
    states, out = attention(rng.normal(size=(T, 3)), *(Tensor(rng.normal(size=(n, k))) for k in (3, n, n, n)))
    return [square(out[t]).sum() for t in range(T)], states


def held_fixed(loss, state):
    """|∂loss/∂state| by one sweep that goes through no member of the state: straight from the definition."""
    group = list(dict.fromkeys(members(state)))
    gradients = {loss: loss.start(None)}
    sweep([node for node in history(loss) if node not in set(group)], gradients, wanted=())
    return math.sqrt(sum(float(np.sum(np.square(node.finalise(gradients[node])))) for node in group if node in gradients))


def check(losses, states, at=None):
    found = reach(losses, states, at)
    for t, loss in enumerate(losses):
        for s, state in enumerate(states):
            want = held_fixed(loss, state)
            assert found.matrix[t, s] == pytest.approx(want, rel=1e-12, abs=0), (t, s)
            assert math.exp(found.log_matrix[t, s]) == pytest.approx(want, rel=1e-12, abs=0), (t, s)
    return found


# ---- every pair


@pytest.mark.parametrize("T", [1, 4, 12])
def test_every_pair_of_an_rnn_is_the_length_of_grad(T):
    losses, states = recurrent(nn.RNNCell(3, 5, rng=0), T)
    found = check(losses, states).matrix
    assert found.shape == (T, T + 1)
    for t, loss in enumerate(losses):
        assert found[t] == pytest.approx([np.linalg.norm(grad(loss, h)) for h in states], rel=1e-12, abs=0)
        assert np.all(found[t, : t + 2] > 0) and np.all(found[t, t + 2 :] == 0)


CELLS = {
    "lstm": lambda: nn.LSTMCell(3, 4, rng=1),
    "gru": lambda: nn.GRUCell(3, 4, rng=1),
    "skip": lambda: nn.SkipCell(3, 4, delay=3, rng=1),
    "leaky": lambda: nn.LeakyCell(3, 4, tau=4.0, rng=1),
    "stacked": lambda: nn.Stacked([nn.LSTMCell(3, 3, name="1", rng=1), nn.RNNCell(3, 4, name="2", rng=2)]),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("T", [2, 9])
def test_every_pair_of_any_cell_is_the_gradient_with_the_other_members_held_fixed(name, T):
    cell = CELLS[name]()
    cell.n_hidden = 4
    check(*recurrent(cell, T))


def test_a_batch_counts_all_its_numbers():
    cell = nn.RNNCell(3, 4, rng=0)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(6, 5, 3)))
    check([square(h).mean() for h in states[1:]], states)


def test_causal_attention_with_a_mask_of_minus_infinity_reaches_nothing_later():
    losses, states = causal()
    found = check(losses, states).matrix
    for t, loss in enumerate(losses):
        assert found[t] == pytest.approx([np.linalg.norm(grad(loss, h)) for h in states], rel=1e-12, abs=0)
    assert np.all(found[np.tril_indices(7)] > 0) and np.all(found[np.triu_indices(7, 1)] == 0)


def test_two_layers_of_attention_are_states_with_many_ways_between_them():
    rng = np.random.default_rng(0)
    weights = lambda: [Tensor(rng.normal(size=(4, 4))) for _ in range(4)]  # noqa: E731
    first, out = attention(rng.normal(size=(5, 4)), *weights())
    second = [tanh(out[t] + first[t]) for t in range(5)]
    losses = [square(y).sum() for y in attention(second, *weights())[0]]
    check(losses, first)
    check(losses, second)
    check(losses, [*first, *second])


def test_scalars_reach_as_arrays_do():
    pair = []
    for leaf in (Tensor, scalars):
        losses, states = recurrent(nn.RNNCell(3, 3, rng=0, leaf=leaf), 4, leaf=leaf)
        pair.append(reach([loss if leaf is Tensor else np.asarray(loss, dtype=object).item() for loss in losses], states))
    assert pair[1].matrix == pytest.approx(pair[0].matrix, rel=1e-12, abs=0)
    w, h = Scalar(0.5, name="w"), [Scalar(1.0, name="h[0]")]
    for t in range(1, 6):
        h.append((w * h[-1]).named("h", t))
    found = reach(h[1:], h)  # a loss that is a state itself
    assert found.matrix.tolist() == [[0.5 ** (t - s) if s <= t else 0.0 for s in range(6)] for t in range(1, 6)]


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell"])
def test_recurrent_nets_reach_as_they_do_in_pytorch(name):
    case = TORCH["cases"][name]
    cell = nn.load_weights(getattr(nn, name)(2, 3), {key: np.array(value) for key, value in case["weights"].items()})
    states = nn.unroll(cell, np.array(TORCH["x"]))
    losses = [square(linear(cell.output(h), np.array(TORCH["V"])) - y).sum() for h, y in zip(states[1:], np.array(TORCH["targets"]))]
    assert reach(losses, states).matrix == pytest.approx(np.array(case["matrix"]), rel=1e-12, abs=0)


def test_causal_attention_reaches_as_it_does_in_pytorch():
    case = TORCH["cases"]["attention"]
    states, out = attention(np.array(TORCH["x"]), *(Tensor(case["weights"][name]) for name in "WQKV"))
    losses = [square(linear(out[t], np.array(TORCH["V"])) - y).sum() for t, y in enumerate(np.array(TORCH["targets"]))]
    assert reach(losses, states).matrix == pytest.approx(np.array(case["matrix"]), rel=1e-11, abs=0)


def test_a_state_of_an_lstm_is_the_station_of_a_chain():
    losses, states = recurrent(nn.LSTMCell(3, 4, rng=0), 6)
    found = reach(losses[-1:], states)
    chain = Chain(losses[-1], states[0][1], through=states[1:])
    lengths = [np.linalg.norm(g) for g in chain.gradients[1:-1]]
    assert found.matrix[0, 1:] == pytest.approx(lengths, rel=1e-12)
    assert found.log_matrix[0, 1:] == pytest.approx(chain.log_product[1:-1], abs=1e-12)
    of_h, of_c = (np.linalg.norm(grad(losses[-1], part)) for part in states[3])
    assert math.hypot(of_h, of_c) > 1.01 * found.matrix[0, 3]  # .grad of c counts the way through h once more


def test_layers_read_one_after_the_other_may_be_one_state():
    """A bidirectional net, and two layers of which the lower was run through first: members of a state far apart in age."""
    rng = np.random.default_rng(0)
    x, there, back = rng.normal(size=(5, 3)), nn.RNNCell(3, 4, rng=0), nn.RNNCell(3, 4, rng=1, name="b")
    right, left = nn.unroll(there, x)[1:], nn.unroll(back, x[::-1])[:0:-1]
    found = check([square(a + b).sum() for a, b in zip(right, left)], list(zip(right, left)))
    assert np.all(found.matrix > 0) and len(found.by_lag()) == 5
    upper = nn.unroll(nn.RNNCell(4, 4, rng=2, name="u"), right)[1:]
    check([square(h).sum() for h in upper], list(zip(right, upper)))


def test_a_state_whose_members_have_another_state_between_them_is_refused():
    losses, h = recurrent(nn.RNNCell(3, 4, rng=0), 5)
    with pytest.raises(ValueError, match=r"h\[2\] lies between members of the state \{h\[1\], h\[3\]\}: it uses h\[1\], so they cannot"):
        reach(losses, [(h[1], h[3]), h[2]], at=[1] * 5)
    check(losses, [(h[1], h[3]), h[4]], at=[0, 0, 0, 1, 1])  # without h[2] among the states there is nothing to refuse


# ---- attention: each loss reads a few rows of large arrays


@pytest.fixture
def windows(monkeypatch):
    """Windows are cut whatever the size; the largest array of each graph that a loss is walked back through."""
    monkeypatch.setattr(carried, "LARGE", 0)
    largest = []

    def watched(ops, ends):
        small = narrowed(ops, ends)
        largest.append(max(node.size for node in small))
        return small

    monkeypatch.setattr(carried, "narrowed", watched)
    return largest


def masked(T):
    return np.triu(np.full((T, T), -np.inf), 1)


def mixed(H, rng, make):
    """Causal attention over H (…, T, n), by itself or in heads. Each way is one that people write it in."""
    *_, T, n = H.shape
    Q, K, V = (linear(H, Tensor(rng.normal(size=(n, n)))) for _ in "QKV")
    if make == "heads":  # (heads, T, n / 2)
        q, k, v = (transpose(reshape(x, T, 2, n // 2), 1, 0, 2) for x in (Q, K, V))
        return reshape(transpose(softmax(q @ swapaxes(k, -1, -2) + masked(T)) @ v, 1, 0, 2), T, n)
    if make == "joined":
        ways = [(Q[..., a], K[..., a], V[..., a]) for a in (slice(0, n // 2), slice(n // 2, n))]
        return concatenate([softmax(where(masked(T) < 0, -1e9, q @ swapaxes(k, -1, -2))) @ v for q, k, v in ways], axis=-1)
    if make == "einsum":
        return einsum("...qk,...kd->...qd", softmax(einsum("...qd,...kd->...qk", Q, K) + masked(T)), V)
    if make == "normed":  # a residual connection, a layer norm, the softmax by logsumexp
        scores = Q @ swapaxes(K, -1, -2) + masked(T)
        y = H + exp(scores - logsumexp(scores, axis=-1, keepdims=True)) @ V
        return (y - mean(y, axis=-1, keepdims=True)) / sqrt(var(y, axis=-1, keepdims=True) + 1e-5)
    return softmax(Q @ swapaxes(K, -1, -2) / math.sqrt(n) + masked(T)) @ V


WAYS = ["plain", "heads", "joined", "einsum", "normed"]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_attention_reaches_as_one_sweep_for_each_loss(way, layers, windows):
    rng, T, n = np.random.default_rng(0), 9, 4
    W, lower = Tensor(rng.normal(size=(n, 3))), []
    states = [tanh(linear(row, W)).named("h", t) for t, row in enumerate(rng.normal(size=(T, 3)))]
    H = stack(states)
    for _ in range(layers):
        H = mixed(H, rng, way)
        lower.append(H)
    check([square(H[t]).sum() for t in range(T)], states)
    assert max(windows) < T * T if layers == 1 else windows  # no scores of all with all in any of them
    check([square(H[t] - H[t - 1]).sum() for t in range(1, T)], states, at=range(1, T))  # two rows each
    check([H[t, 1] * H[-1, 0] + H[2:5].sum() for t in range(T)], states)


@pytest.mark.parametrize("way", ["plain", "einsum", "normed"])
def test_a_batch_of_sequences_is_read_at_one_step_of_all(way, windows):
    rng, T = np.random.default_rng(0), 8
    states = [Tensor(rng.normal(size=(3, 4))).named("h", t) for t in range(T)]
    H = mixed(stack(states, axis=1), rng, way)
    check([square(H[:, t]).sum() for t in range(T)], states)
    assert max(windows) < 3 * T * T
    check([square(H[1, t : t + 2]).sum() for t in range(T)], states)
    check([H[..., t, :].max() for t in range(T)], states)


def test_states_between_two_layers_of_attention_are_passed_one_by_one(windows):
    rng, T = np.random.default_rng(0), 6
    x = [Tensor(rng.normal(size=4), f"x{t}") for t in range(T)]
    out = mixed(stack(x), rng, "plain")
    h = [tanh(out[t]).named("h", t) for t in range(T)]
    y = mixed(stack(h), rng, "plain")
    check([square(y[t]).sum() for t in range(T)], x + h, at=range(T, 2 * T))


def test_rows_that_are_mixed_after_attention_are_still_right(windows):
    rng, T = np.random.default_rng(0), 7
    states = [Tensor(rng.normal(size=4), f"h{t}") for t in range(T)]
    out = mixed(stack(states), rng, "plain")
    sums = np.tril(np.ones((T, T))) @ out  # so far
    turned = swapaxes(out, 0, 1), swapaxes(reshape(out, 4, T), 0, 1)
    for rows in (sums, out[::-1], out[::2], out[[3, 3, 0, 5]], *turned, softmax(out, axis=0)):
        check([square(rows[t]).sum() for t in range(len(rows.data))], states, at=range(len(rows.data)))


def test_where_a_zero_meets_an_infinite_slope_on_the_way_no_window_is_cut(windows):
    """By the chain rule it is 0 · ∞, nan, and that is told though the row itself is fine."""
    x = Tensor([[1.0, 4.0], [0.0, 1.0]], "x")
    losses = [sqrt(x * 1.0)[t].sum() for t in range(2)]
    with np.errstate(all="ignore"):
        want = [np.linalg.norm(grad(loss, x)) for loss in losses]
        assert np.array_equal(reach(losses, [x], at=[0, 0]).matrix[:, 0], want, equal_nan=True)
    assert np.isnan(want[0]) and not windows
    reach([tanh(x * 1.0)[t].sum() for t in range(2)], [x], at=[0, 0])
    assert windows


def test_under_a_guard_windows_are_left_alone(windows):
    losses, states = causal()
    with no_grad():
        inside = reach(losses, states).matrix
    with detect_anomaly():
        assert np.array_equal(reach(losses, states).matrix, inside)
    assert not windows
    assert reach(losses, states).matrix == pytest.approx(inside, rel=1e-13, abs=0)
    assert windows


# ---- zero, nan, far below the smallest float


def test_there_is_an_exact_zero_where_no_path_leads():
    cell = nn.RNNCell(3, 4, rng=0)
    states = nn.unroll(cell, np.ones((6, 3)), truncate=3)
    found = check([square(h).sum() for h in states[1:]], states)
    assert np.all(found.matrix[3:, :3] == 0) and found.log_matrix[3, 0] == -math.inf
    alone = reach([square(Tensor(1.0, "x"))], states)
    assert not np.any(alone.matrix) and "nothing arrives at lag 0" in str(alone)


def test_a_dead_relu_is_zero_and_counted():
    cell = nn.RNNCell(1, 1, "relu", rng=0)
    h = [Tensor([1.0], "h0"), Tensor([2.0], "h1")]
    losses = [h[0].sum(), (relu(-1.0 * h[0]) * h[1]).sum()]
    assert reach(losses, h).by_lag()[1] == Lag(1, 0.0, 0.0, -math.inf, -math.inf, 1, 1)
    assert "zeros" in str(reach(losses, h)) and cell


def test_nan_and_infinity_are_told_and_do_not_spread_to_other_losses():
    h = [Tensor([0.0, 1.0], "h0")]
    for t in range(1, 5):
        h.append(sqrt(h[-1]) if t == 2 else multiply(h[-1], 0.5))
    losses = [h[1].sum(), h[1][1] + 0.0, h[3][1] + 0.0, h[3].sum(), h[4].sum()]
    found = reach(losses, h, at=[1, 1, 3, 3, 4])
    with np.errstate(all="ignore"):
        want = np.array([[np.linalg.norm(grad(loss, state)) for state in h] for loss in losses])
    assert np.array_equal(found.matrix, want, equal_nan=True)
    assert np.any(np.isnan(want)) and np.any(np.isinf(want))  # 0 · ∞ of the loss that reads the other entry
    assert "not known: nan or inf is among them" in str(found) and "nan" in str(found)
    assert found.reach() is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_many_losses_over_an_infinite_slope_are_what_each_is_alone():
    h = [Tensor([0.0, 1.0], "h0")]
    h += [multiply(h[0], 0.5), sqrt(multiply(h[0], 0.5))]
    losses = [h[2][k % 2] * (k + 1.0) for k in range(5)]  # more rows than numbers, so a dense Jacobian is tried
    with np.errstate(all="ignore"):
        want = [[np.linalg.norm(grad(loss, state)) for state in h] for loss in losses]
    assert np.array_equal(reach(losses, h, at=[2] * 5).matrix, np.array(want), equal_nan=True)


def test_logarithms_go_on_where_the_matrix_underflows():
    h = [Tensor([1.0, 2.0], "h")]
    for _ in range(400):
        h.append(h[-1] * 1e-3)
    found = reach([state.sum() for state in h[1:]], h)
    assert found.matrix[-1, 0] == 0.0 and found.log_matrix[-1, 0] == pytest.approx(math.log(math.sqrt(2)) - 1200 * math.log(10), rel=1e-13)
    assert found.by_lag()[-1].log_mean == pytest.approx(found.log_matrix[-1, 0]) and "1.41e-1200" in str(found)
    assert found.reach(1e-299) == 100


def test_ways_of_very_different_size_add_up():
    """A short way and one that shrinks by 10^−400 meet at one state; where the short one is closed, the long one is told."""
    x = Tensor([1.0, 1.0], "x")
    far = x
    for _ in range(4):
        far = far * 1e-100
    losses = [(far + gate * x).sum() for gate in (1.0, 0.0, 1e-320)]
    mid = [node for node in history(losses[0]) if node.op == "multiply"][:3]
    logs = reach(losses, [x, *mid], at=[0, 0, 0]).log_matrix[:, 0] - math.log(math.sqrt(2))
    assert logs == pytest.approx([0.0, -400 * math.log(10), math.log(1e-320)], rel=1e-12)


# ---- by lag


def test_lags_count_steps_back_from_the_loss():
    losses, states = recurrent(nn.RNNCell(3, 5, rng=0), 6)
    found = reach(losses, states)
    assert found.lags.tolist() == [[t + 1 - s for s in range(7)] for t in range(6)]
    for row in found.by_lag():
        same = [found.matrix[t, t + 1 - row.lag] for t in range(6) if t + 1 - row.lag >= 0]
        assert (row.pairs, row.zeros) == (len(same), 0)
        assert (row.mean, row.typical) == pytest.approx((np.mean(same), math.exp(np.mean(np.log(same)))), rel=1e-12)
    assert [row.lag for row in found.by_lag()] == list(range(7))
    assert reach(losses, states[1:]).lags[0, 0] == 0
    some = reach([losses[2], losses[5]], states, at=[3, 6])
    assert np.array_equal(some.matrix, found.matrix[[2, 5]]) or some.matrix == pytest.approx(found.matrix[[2, 5]], rel=1e-14)
    assert some.lags.tolist() == [found.lags[2].tolist(), found.lags[5].tolist()]


def halving(T=20, by=0.5):
    h = [Scalar(1.0, name="h0")]
    for _ in range(T):
        h.append(h[-1] * by)
    return reach(h[1:], h)


def test_the_reach_is_the_first_lag_from_which_on_less_arrives():
    assert halving().reach(1e-3) == 10 and halving().reach(0.4) == 2
    assert halving().reach(1e-9) is None and halving(by=1.0).reach() is None
    assert "at lag 20, the largest, 1 of lag 0 still arrives" in str(halving(by=1.0))
    assert "from lag 10 on less than 0.001 of lag 0 arrives" in str(halving())
    h = [Scalar(1.0, name="h0")]
    for factor in (1.0, 1e-4, 1e4, 1e-4):
        h.append(h[-1] * factor)
    assert reach(h[-1:], h).log_matrix[0].tolist() == pytest.approx(np.log([1e-4, 1e-4, 1.0, 1e-4, 1.0]))
    assert reach(h[-1:], h).reach() == 3  # not 1: at lag 2 all of it arrives again
    with pytest.raises(ValueError, match="the tolerance is a share above 0"):
        halving().reach(0.0)


@pytest.mark.parametrize("T", [1, 5, 100])
def test_it_prints_in_80_columns_shows_itself_and_survives_json(T):
    losses, states = recurrent(nn.LSTMCell(3, 2, rng=0), T)
    found = reach(losses, states)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == (4 + T + 1 if T < 40 else 25)
    assert found._repr_html_().startswith("<pre") and repr(found) == str(found)
    kept = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert kept["matrix"] == found.matrix.tolist() and kept["states"][1] == "{h[1], c[1]}"
    assert kept["by_lag"][0]["mean"] == found.by_lag()[0].mean


def test_a_loss_at_every_step_looks_healthy_and_by_lag_it_is_not():
    """A stranger's finding: nearby terms outshout the far ones in the sum."""
    cell = nn.RNNCell(2, 4, rng=0)
    cell.W_hh.data = 0.5 * np.eye(4)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(60, 2)))
    losses = [square(h).sum() for h in states[1:]]
    total = [np.linalg.norm(g) for g in grad(sum(losses, 0.0), states[1:])]
    found = reach(losses, states)
    assert min(total) > 0.03 * max(total)
    assert found.reach(1e-3) <= 10 and found.log_matrix[-1, 0] < -40


# ---- speed


def test_a_thousand_losses_and_states_take_few_sweeps(monkeypatch):
    calls = []
    monkeypatch.setattr(carried, "sweep", lambda *args, **kw: calls.append(1) or sweep(*args, **kw))
    losses, states = recurrent(nn.RNNCell(3, 16, rng=0), 300)
    reach(losses, states)
    assert len(calls) <= 300 + 300 * 16
    calls.clear()
    wide, states = recurrent(nn.RNNCell(3, 64, rng=0), 10)
    reach(wide, states)
    assert len(calls) <= 10 + 10 * 11 / 2  # never more than one whole sweep for each loss


def test_where_a_way_leads_past_all_states_each_loss_takes_one_sweep(monkeypatch):
    cell, T = nn.LSTMCell(3, 8, rng=0), 30
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(T, 3)))
    losses, hs = [nn.mse(h, np.ones(8)) for h, _ in states[1:]], [h for h, _ in states]
    sweeps = []
    monkeypatch.setattr(carried, "sweep", lambda *given, **named: sweeps.append(given) or sweep(*given, **named))
    found = reach(losses, hs).matrix
    assert len(sweeps) == T
    for t in (0, 7, T - 1):
        np.testing.assert_allclose(found[t], [np.linalg.norm(g) for g in grad(losses[t], hs)], rtol=1e-12, atol=0)


# ---- what it refuses


def test_bad_input_is_refused_in_words():
    losses, states = recurrent(nn.RNNCell(3, 4, rng=0), 3)
    for wrong, kind, message in (
        (([], states), ValueError, "losses is empty"),
        ((losses, []), ValueError, "states is empty"),
        ((losses[0], states), TypeError, r"losses is a list, one node for each step, such as \[L\[t\]"),
        ((losses, states[0]), TypeError, r"states is a list, as nn.unroll returns it; for one, write \[h\[0\]\]"),
        (([1.0], states), TypeError, r"losses\[0\] must be a node .* got float"),
        (([states[1]], states), ValueError, r"losses\[0\], h\[1\], has shape \(4,\); a loss is one number: reduce it with .sum\(\)"),
        ((losses, [states[0], np.ones(4)]), TypeError, r"states\[1\] must be a node, an array of Scalars, or a tuple .* got ndarray"),
        ((losses, [(states[0], None)]), TypeError, r"states\[0\] must be a node"),
        ((losses, [(), states[0]]), ValueError, r"states\[0\] is empty"),
        ((losses, states[:2]), ValueError, "3 losses and 2 states; say with at="),
        ((losses, states, [1, 2]), ValueError, "at must hold 3 positions from 0 to 3"),
        ((losses, states, [1, 2, 4]), ValueError, "at must hold 3 positions from 0 to 3"),
        ((losses, states, [1.0, 2.0, 3.0]), ValueError, "at must hold 3 positions"),
    ):
        with pytest.raises(kind, match=message):
            reach(*wrong)


def test_a_changed_leaf_and_a_loss_without_a_past_are_refused():
    cell = nn.RNNCell(3, 4, rng=0)
    losses, states = recurrent(cell, 3)
    with no_grad():
        unrecorded = square(states[-1]).sum()
    with pytest.raises(RuntimeError, match="computed under no_grad"):
        reach([unrecorded], states)
    cell.W_hh.data = np.eye(4)
    with pytest.raises(RuntimeError, match="W_hh was given new data"):
        reach(losses, states)


def test_it_touches_no_gradient_and_takes_generators():
    losses, states = recurrent(nn.RNNCell(3, 4, rng=0), 3)
    found = reach((loss for loss in losses), iter(states))
    assert all(state.grad is None for state in states) and found.matrix.shape == (3, 4)


# ---- pictures


@pytest.fixture
def figures():
    return pytest.importorskip("matplotlib.figure", reason="needs matplotlib")


def test_the_map_has_a_colour_for_each_power_of_ten_and_is_blank_after_the_loss(figures):
    from matplotlib.colors import to_hex

    ax = drawing.plot(halving()).axes[0]
    (mesh,) = ax.collections
    blank, shades = mesh.get_alpha() == 0, mesh.to_rgba(mesh.get_array())
    assert blank.shape == (20, 21) and blank.sum() == sum(range(20))
    assert len(np.unique(shades[~blank], axis=0)) == 8  # 1 begins the decade of 10⁰; 0.5²⁰ is beyond the scale
    assert [to_hex(shades[3, s]) for s in (4, 0)] == [colour(0.5), colour(-1.5)]  # 0.5⁴ is in the decade of 10⁻²
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("state at s", "loss at t")
    assert len(drawing.plot(halving(), "lag").axes[0].lines) == 2


def test_maps_of_several_stand_side_by_side_on_one_scale(figures):
    figure = drawing.plot({"halving": halving(), "even": halving(by=1.0)})
    maps = [ax for ax in figure.axes if ax.collections and ax.get_xlabel()]
    assert [ax.get_title(loc="left") for ax in maps] == ["halving", "even"]
    assert maps[0].collections[0].get_clim() == maps[1].collections[0].get_clim()
    curves = drawing.plot({"halving": halving(), "even": halving(by=1.0)}, "lag").axes[0]
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["halving", "even"]
    own = figures.Figure()
    left, right = own.subplots(1, 2)
    assert drawing.plot({"halving": halving(), "even": halving(by=1.0)}, ax=left) is own and drawing.plot(halving(), ax=right) is own
    with pytest.raises(ValueError, match="several maps need axes of a grid"):
        drawing.plot({"halving": halving()}, ax=figures.Figure().add_axes([0, 0, 1, 1]))
    for made in (figure, own):
        made.savefig(io.BytesIO(), format="png")


def test_zero_nan_and_infinity_have_looks_of_their_own(figures):
    with np.errstate(all="ignore"):
        h = [Tensor([0.0, 1.0], "h0")]
        h += [sqrt(h[0]), relu(h[0] - 5.0), h[0] * math.inf]
        found = reach([h[1].sum(), h[1][1] + 0.0, h[2].sum()], h, at=[1, 1, 2])
    legend = drawing.plot(found).axes[0].get_legend()
    assert {text.get_text() for text in legend.get_texts()} == {"exact zero", "overflow", "nan"}
