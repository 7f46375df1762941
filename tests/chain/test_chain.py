"""The product of the links is the gradient, exactly, and the chain says so in words that fit a terminal."""

import json
import math

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, grad, history, linear, nn, scalars, square, stack, tanh


def tanh_rnn(T=8, n=5, seed=0, activation="tanh"):
    rng = np.random.default_rng(seed)
    cell, readout = nn.RNNCell(3, n, activation, init="normal", rng=rng), nn.Linear(n, 4, rng=rng)
    inputs = rng.normal(size=(T, 3))
    states = nn.unroll(cell, inputs)
    loss = nn.cross_entropy(readout(states[-1]), 2).named("loss")
    return cell, readout, inputs, states, loss


def relative(a, b):
    return float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))


def test_links_grad_hand_written_bptt_and_complex_step_agree_on_a_tanh_rnn():
    cell, readout, inputs, states, loss = tanh_rnn()
    loss.backward()
    chain = Chain(loss, states[0])

    product = chain.links[-1].dense()
    for link in reversed(chain.links[:-1]):
        product = product @ link.dense()

    W_xh, W_hh, b, W, c = (leaf.data for leaf in (cell.W_xh, cell.W_hh, cell.b_h, readout.W, readout.b))

    def forward(h):
        hs = [h]
        for x in inputs:
            hs.append(np.tanh(W_hh @ hs[-1] + W_xh @ x + b))
        z = W @ hs[-1] + c
        return hs, z

    hs, z = forward(np.zeros(5))
    delta = np.exp(z) / np.exp(z).sum() - np.eye(4)[2]
    by_hand = W.T @ delta
    for h in reversed(hs[1:]):
        by_hand = W_hh.T @ ((1 - h * h) * by_hand)

    def complex_loss(h):
        z = forward(h)[1]
        return np.log(np.exp(z).sum()) - z[2]

    step = [complex_loss(1e-30j * e).imag / 1e-30 for e in np.eye(5)]
    for answer in (chain.gradients[0], product[0], by_hand, step):
        assert relative(answer, states[0].grad) < 1e-12


def test_every_gradient_of_the_chain_is_the_grad_of_its_station():
    _, _, _, states, loss = tanh_rnn()
    loss.backward()
    chain = Chain(loss, states[0])
    for (node,), g in zip(chain.stations, chain.gradients):
        assert relative(g, node.grad) < 1e-12


def test_stations_of_an_rnn_are_found_by_themselves():
    _, _, _, states, loss = tanh_rnn(T=4)
    stations = {node for (node,) in Chain(loss, states[0]).stations}
    assert stations >= set(states) | {loss}
    assert [node.name for (node,) in Chain(loss, states[0], through=states).stations] == [s.name for s in states] + [loss.name]


def test_no_edge_jumps_over_a_station_of_a_random_graph():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pool = [Scalar(0.3, name="x")]
        for _ in range(rng.integers(3, 25)):
            a, b = (pool[i] for i in rng.integers(max(0, len(pool) - 4), len(pool), 2))
            pool.append([a * b + 0.5, a + b, tanh(a), a - 0.5 * b][rng.integers(4)])
        output, source = pool[-1], pool[0]
        expected = grad(output, source)
        if source not in set(history(output)):
            continue
        chain = Chain(output, source)
        assert math.prod(float(link) for link in chain.links) == pytest.approx(expected, rel=1e-12, abs=1e-300), seed
        assert float(chain.gradients[0]) == pytest.approx(expected, rel=1e-12, abs=1e-300), seed


def test_a_link_passes_the_dot_test_and_its_matrix_is_the_complex_step_jacobian():
    cell, _, inputs, states, loss = tanh_rnn()
    link = Chain(loss, states[0], through=states).links[3]
    rng = np.random.default_rng(1)
    t, g = rng.normal(size=5), rng.normal(size=5)
    assert float(link.push(t) @ g) == pytest.approx(float(t @ link.pull(g)), rel=1e-12)
    h = states[3].data
    step = [np.tanh(cell.W_hh.data @ (h + 1e-30j * e) + cell.W_xh.data @ inputs[3] + cell.b_h.data).imag / 1e-30 for e in np.eye(5)]
    assert relative(link.dense(), np.transpose(step)) < 1e-12


def test_a_branch_between_stations_is_one_link():
    x = Scalar(0.7, name="x")
    a = (x * 2.0).named("a")
    b = (tanh(a) + a).named("b")
    chain = Chain(square(b), x, through=[a, b])
    assert [link.name for link in chain.links] == ["x → a", "a → b", "b → square"]
    assert float(chain.links[1]) == pytest.approx(2 - math.tanh(1.4) ** 2, rel=1e-12)


def test_a_group_of_nodes_can_be_a_station_where_none_of_them_alone_is():
    h, c, x = (Tensor(np.array(v), name=n) for v, n in (([0.1, 0.2], "h"), ([0.3, -0.4], "c"), ([0.5, 0.6], "x")))
    w = Tensor(np.array([[0.5, -0.3], [0.2, 0.7]]), name="w")
    start = (h * 1.0 + x * c).named("s")
    pairs = [(start, tanh(start))]
    for t in (1, 2, 3):
        h0, c0 = pairs[-1]
        gate = linear(h0, w)
        c1 = (c0 * gate + tanh(h0)).named("c", t)
        pairs.append(((c1 * tanh(h0)).named("h", t), c1))
    loss = (pairs[-1][0] + pairs[-1][1]).sum().named("loss")
    loss.backward()
    chain = Chain(loss, start, through=pairs[1:])
    assert relative(chain.gradients[0], start.grad) < 1e-12
    assert chain.links[1].shape_in == (4,)
    with pytest.raises(ValueError, match=r"h\[1\] does not separate s from loss: the edge .* leaks past it"):
        Chain(loss, start, through=[pairs[1][0]])


def test_overlapping_groups_are_exact():
    rng = np.random.default_rng(3)
    W, V = Tensor(0.5 * rng.normal(size=(3, 3)), name="W"), Tensor(0.5 * rng.normal(size=(3, 3)), name="V")
    h = [Tensor(rng.normal(size=3), name="x")]
    h.append(tanh(W @ h[0]).named("h", 1))
    for t in range(2, 8):
        h.append(tanh(W @ h[-1] + V @ h[-2]).named("h", t))
    loss = square(h[-1]).sum().named("loss")
    chain = Chain(loss, h[0], through=[(h[t], h[t - 1]) for t in range(2, 8)])
    assert relative(chain.gradients[0], grad(loss, h[0])) < 1e-12
    product = chain.links[-1].dense()
    for link in reversed(chain.links[:-1]):
        product = product @ link.dense()
    assert relative(product[0], grad(loss, h[0])) < 1e-12


def test_states_of_scalars_are_groups_and_members_on_no_path_are_left_out():
    cell = nn.RNNCell(2, 3, leaf=scalars, rng=1)
    states = nn.unroll(cell, np.ones((4, 2)))
    output = states[-1].sum()
    chain = Chain(output, states[0][0], through=states)
    assert chain.stations[1] == tuple(states[1])
    assert float(chain.gradients[0]) == pytest.approx(grad(output, states[0][0]), rel=1e-12)


def test_random_groups_are_exact_or_refused():
    made = refused = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        pool = [Scalar(0.3, name="x")]
        for _ in range(rng.integers(4, 14)):
            a, b = (pool[i] for i in rng.integers(max(0, len(pool) - 3), len(pool), 2))
            pool.append([a * b + 0.5, a + b, tanh(a), a - 0.5 * b][rng.integers(4)])
        output, source = pool[-1], pool[0]
        inner = [node for node in history(output) if source in set(history(node)) and node not in {source, output}]
        groups = [tuple(inner[i] for i in rng.integers(0, len(inner), rng.integers(1, 4))) for _ in range(rng.integers(1, 4)) if inner]
        try:
            chain = Chain(output, source, through=groups)
        except ValueError:
            refused += 1
            continue
        made += 1
        assert float(chain.gradients[0].sum()) == pytest.approx(grad(output, source), rel=1e-11, abs=1e-300), seed
        step = np.ones(())
        for link in chain.links:
            step = link.push(step)
        assert float(np.sum(step)) == pytest.approx(grad(output, source), rel=1e-11, abs=1e-300), seed
    assert min(made, refused) > 50


def test_groups_that_do_not_follow_from_each_other_are_refused():
    x = Scalar(1.0, name="x")
    a = (x * 2.0).named("a")
    b = (a * 3.0).named("b")
    d = (b * 5.0).named("d")
    y = (d + b).named("y")
    with pytest.raises(ValueError, match="is not computed from b alone"):
        Chain(y, x, through=[b, (a, d)])
    assert float(Chain(y, x, through=[a, b, b]).gradients[0]) == 36.0


def test_where_branches_merge_the_factor_says_so_and_a_sum_is_bracketed():
    x = Scalar(0.5, name="x")
    y = (tanh(x) + x.sin()).named("y")
    assert Chain(y, x).links[0].factor == "(2 branches)"
    h = (x * 0.9).named("h")
    z = (tanh(h).named("s") * 0.9).named("z")
    assert Chain(z, x, through=[z]).links[0].factor == "0.9 · (1 - s * s) · 0.9"


def test_wide_and_unseen_characters_keep_to_80_columns():
    x = Scalar(0.5, name="重みの行列と偏りの長い名前" * 4)
    y = tanh(x * 2.0).named("line\nbreak \x1b[31m and more words to make it a long name")
    text = str(Chain(y, x))
    assert "\x1b" not in text
    assert len(text.splitlines()) == 4
    wide = [sum(2 if ord(c) > 0x2E80 and ord(c) < 0xFFFD else 1 for c in line) for line in text.splitlines()]
    assert max(wide) <= 80


def test_infinite_and_undefined_gains_are_shown_and_warn_nobody():
    x = Scalar(1.0, name="x")
    y = x
    for _ in range(4):
        y = y * 1e300
    assert Chain(y, x).log_product[0] == pytest.approx(1200 * math.log(10))
    y = Scalar(0.0, name="x")
    chain = Chain((y.sqrt() * 1.0).named("r"), y)
    assert "∞" in str(chain)


def test_a_product_far_below_the_smallest_float_keeps_its_logarithm():
    x = Scalar(1.0, name="x")
    y = x
    for _ in range(10_000):
        y = y * 0.5
    chain = Chain(y, x)
    assert chain.log_product[0] == pytest.approx(-10_000 * math.log(2), rel=1e-12)
    assert float(chain.gradients[0]) == 0.0
    assert "10^-" in str(chain)
    assert len(str(chain).splitlines()) < 40


def test_what_cannot_be_chained_is_refused_by_name():
    x, y = Scalar(1.0, name="x"), Scalar(2.0, name="y")
    z = (x * 3.0).named("z")
    with pytest.raises(ValueError, match="z does not depend on y"):
        Chain(z, y)
    with pytest.raises(TypeError, match="source of a chain must be a node"):
        Chain(z, np.ones(2))
    with pytest.raises(TypeError, match=r"write through=\[z\]"):
        Chain(z, x, through=z)
    with pytest.raises(ValueError, match="y lies on no path from x to z"):
        Chain(z, x, through=[y])
    with pytest.raises(ValueError, match=r"has shape \(2,\), so it has no single gradient"):
        Chain(*doubled())
    x.data = 5.0
    with pytest.raises(RuntimeError, match="x was given new data"):
        Chain(z, x)


def doubled():
    u = Tensor(np.ones(2), name="u")
    return u * 2, u


def test_a_link_used_after_its_weight_was_assigned_refuses():
    cell, _, _, states, loss = tanh_rnn()
    chain = Chain(loss, states[0], through=states)
    cell.W_hh.data = cell.W_hh.data * 0.5
    with pytest.raises(RuntimeError, match="W_hh was given new data"):
        chain.links[0].pull(np.ones(5))


def test_the_table_fits_80_columns_and_the_dictionary_survives_json():
    _, _, _, states, loss = tanh_rnn(T=60)
    for chain in (Chain(loss, states[0]), Chain(loss, states[0], through=states)):
        assert max(map(len, str(chain).splitlines())) <= 80
        again = json.loads(json.dumps(chain.to_dict(), allow_nan=False))
        assert [link["gain"] for link in again["links"]] == [link.gain for link in chain.links]
    assert "links, together 10^" in str(chain)


def test_a_dead_relu_ends_the_product_at_an_exact_zero():
    x = Tensor([-1.0, -2.0], name="x")
    y = x.relu().named("y")
    chain = Chain(y.sum(), x)
    assert chain.log_product[0] == -math.inf
    assert "-inf" in str(chain)
    assert json.dumps(chain.to_dict(), allow_nan=False)


def test_stations_may_be_joined_tensors():
    x = Tensor(np.arange(3.0), name="x")
    y = stack([x, tanh(x)])
    chain = Chain(y.sum(), x)
    assert np.allclose(chain.gradients[0], 1 + 1 / np.cosh(np.arange(3.0)) ** 2, rtol=1e-12)


def product(chain):
    """The matrices of the links, multiplied."""
    whole = chain.links[-1].dense()
    for link in reversed(chain.links[:-1]):
        whole = whole @ link.dense()
    return whole


@pytest.mark.parametrize("options", [{}, {"residual": True}, {"norm": "batch"}, {"norm": "layer", "residual": 0.5}], ids=str)
def test_the_links_of_a_deep_network_multiply_to_the_gradient(options):
    x = Tensor(np.random.default_rng(0).normal(size=(6, 4)), name="x")
    net = nn.MLP([4, 8, 8, 8, 3], "tanh", rng=0, **options)
    loss = nn.cross_entropy(net(x), np.arange(6) % 3)
    hidden = [node for node in history(loss) if node.name and node.name.base == "h"]
    for through in (None, hidden):
        chain = Chain(loss, x, through=through)
        assert relative(product(chain).reshape(x.shape), grad(loss, x)) < 1e-12
        assert relative(chain.gradients[0], grad(loss, x)) < 1e-12


@pytest.mark.parametrize(
    ("kind", "options", "first"),
    [(nn.LeakyCell, {"tau": 5}, 1), (nn.SkipCell, {"delay": 3}, 3), (nn.LSTMCell, {}, 1), (nn.GRUCell, {}, 1)],
)
def test_the_links_of_every_cell_multiply_to_the_gradient(kind, options, first):
    cell = kind(3, 5, rng=0, **options)
    states = nn.unroll(cell, np.random.default_rng(1).normal(size=(9, 3)))
    loss, source = square(cell.output(states[-1])).sum(), cell.output(states[0])
    for through in (None, states[first:]):
        chain = Chain(loss, source, through=through)
        assert relative(product(chain)[0], grad(loss, source)) < 1e-12


# ---- one factor replaced


def test_a_factor_replaced_by_the_identity_leaves_the_product_of_the_others():
    _, _, _, states, loss = tanh_rnn()
    chain = Chain(loss, states[0], through=states)
    gains = [link.gain for link in chain.links]
    for other in (
        chain.replace(3),
        chain.replace("h[3] → h[4]"),
        chain.replace("h[3]"),
        chain.replace(-6, np.eye(5)),
        chain.replace(3, np.ones(5)),
    ):
        without = [link.dense() for k, link in enumerate(chain.links) if k != 3]
        expected = without[-1]
        for J in reversed(without[:-1]):
            expected = expected @ J
        assert relative(other.gradients[0], expected[0]) < 1e-12
        assert other.log_product[3] == pytest.approx(other.log_product[4], abs=1e-12)
        assert other.blame().total == pytest.approx(sum(other.blame().parts.values()), abs=1e-9)
        assert "[" in other.table()
    assert [link.gain for link in chain.links] == gains


def test_a_link_without_the_recurrent_weight_keeps_its_slopes():
    cell, _, _, states, loss = tanh_rnn()
    chain = Chain(loss, states[0], through=states)
    g, h = chain.gradients[3], states[3].data
    for weight in (cell.W_hh, "W_hh"):
        other = chain.replace(2, without=weight)
        assert relative(other.gradients[2], (1 - h * h) * g) < 1e-12
    with pytest.raises(ValueError, match="V is no factor of"):
        chain.replace(2, without="V")


def test_a_map_that_does_not_fit_is_refused_by_its_shapes():
    _, _, _, states, loss = tanh_rnn()
    chain = Chain(loss, states[0], through=states)
    with pytest.raises(ValueError, match=r"h\[2\] → h\[3\] takes shape \(5,\) to \(5,\); give a linear map, a matrix"):
        chain.replace(2, np.ones((5, 4)))
    with pytest.raises(ValueError, match=r"the map given takes \(5,\) to \(\)"):
        chain.replace(2, chain.links[-1])
    with pytest.raises(KeyError, match="no links are called 'z'"):
        chain.replace("z")
    with pytest.raises(IndexError):
        chain.replace(99)


# ---- how far back


def test_the_horizon_of_a_power_is_a_logarithm():
    W = Tensor(0.5 * np.eye(3), name="W")
    h = [Tensor(np.ones(3), name="x")]
    for t in range(1, 31):
        h.append((W @ h[-1]).named("h", t))
    horizon = Chain(h[-1], h[0], seed=np.ones(3)).horizon(1e-3)
    assert (horizon.actual, horizon.typical, horizon.worst) == (10, 10, 10)
    assert Chain(h[5], h[0], seed=np.ones(3)).horizon(1e-3).actual is None
    assert "never (10^-1.51 after all 5)" in str(Chain(h[5], h[0], seed=np.ones(3)).horizon())
    assert json.loads(json.dumps(horizon.to_dict(), allow_nan=False))["worst"] == 10
    with pytest.raises(ValueError, match="the tolerance is a gain above 0"):
        Chain(h[5], h[0], seed=np.ones(3)).horizon(0)


def test_typical_and_worst_are_those_of_the_whole_product_even_where_it_underflows():
    rng = np.random.default_rng(0)
    h = [Tensor(rng.normal(size=4), name="x")]
    W = [0.6 * rng.normal(size=(4, 4)) for _ in range(8)]
    for t, w in enumerate(W, 1):
        h.append(tanh(linear(h[-1], Tensor(w, name="W"))).named("h", t))
    chain = Chain(h[-1], h[0], through=h, seed=rng.normal(size=4))
    horizon = chain.horizon(1e-300)
    J = product(chain)
    assert horizon.gains["typical"][-1] == pytest.approx(math.log(np.linalg.norm(J) / 2), rel=1e-12)
    assert horizon.gains["worst"][-1] == pytest.approx(math.log(np.linalg.norm(J, 2)), rel=1e-12)
    assert horizon.gains["actual"][-1] == chain.log_product[0]
    y = Tensor(np.ones(2), name="y")
    end = y
    for _ in range(1200):
        end = end * 0.5
    assert Chain(end, y, seed=np.ones(2)).horizon(1e-300).worst == math.floor(300 / math.log10(2)) + 1


def test_a_loss_counts_typical_and_worst_from_the_last_state():
    """From one number a single direction leads back: the three were always equal."""
    cell = nn.RNNCell(3, 6, init=("normal", nn.init.normal), rng=0)
    cell.W_hh.data = np.diag([0.9, 0.8, 0.5, 0.3, 0.2, 0.1])
    h = nn.unroll(cell, np.zeros((40, 3)))
    loss = (h[-1][3] * 5.0).sum().named("loss")
    horizon, state = Chain(loss, h[0], through=h).horizon(0.02), Chain(h[-1], h[0], through=h, seed=np.eye(6)[3]).horizon(0.02)
    assert (horizon.start, state.start) == ("h[40]", "h[40]")
    assert (horizon.typical, horizon.worst) == (state.typical, state.worst) == (29, 38)  # 0.9ᵗ / √6 and 0.9ᵗ below 0.02
    assert horizon.gains["worst"] == state.gains["worst"] and horizon.gains["worst"][0] == 0.0
    assert horizon.gains["worst"][-1] == pytest.approx(38 * math.log(0.9), rel=1e-12)
    assert (horizon.actual, state.actual) == (6, 4)  # 5 · 0.3ᵗ, one link further from the loss, and 0.3ᵗ
    lines = str(horizon).splitlines()
    assert lines[1].endswith("counted from loss") and all(line.endswith("counted from h[40]") for line in lines[2:])
    assert "never (10^-1.83 after all 40), counted from h[40]" in str(Chain(loss, h[0], through=h).horizon())
    assert "counted" not in str(state) and horizon.to_dict()["start"] == "h[40]"


def test_a_chain_of_single_numbers_has_one_horizon():
    x = Scalar(1.0, name="x")
    horizon = Chain((x * 0.01).named("y") * 0.01, x).horizon()
    assert (horizon.actual, horizon.typical, horizon.worst) == (2, 2, 2)
    assert "counted" not in str(horizon)


def test_a_large_station_before_the_last_state_leaves_only_an_actual_horizon():
    x = Tensor(np.ones(2001), name="x")
    y = (x[:3] * 0.1).named("y")
    assert Chain(y.sum(), x).horizon().gains["worst"] == []
    wide = Tensor(np.ones(3), name="w")
    big = Chain(linear(wide, np.ones((2001, 3))), wide, seed=np.ones(2001)).horizon()
    assert big.typical is None and "not computed" in str(big)


def test_a_large_station_has_only_an_actual_horizon():
    x = Tensor(np.ones(2001), name="x")
    horizon = Chain((x * 0.1).sum(), x).horizon(1e-9)
    assert (horizon.typical, horizon.gains["worst"]) == (None, [])
    assert "not computed" in str(horizon)


def test_the_detail_of_a_replaced_chain_is_that_of_the_replaced_one():
    x, W = Tensor([0.1, 0.2, 0.3], "x"), Tensor(np.ones((2, 3)), "W")
    z = linear(np.tanh(x), W).named("z")
    chain = Chain((z * z).sum(), x, through=[z])
    replaced = chain.replace("x → z", np.zeros((2, 3)))
    assert replaced.log_product[0] == replaced.detailed().log_product[0] == -math.inf
    assert chain.log_product[0] == pytest.approx(chain.detailed().log_product[0], abs=1e-12)
    with pytest.raises(ValueError, match=r"W takes shape \(3,\) to \(2,\) in x → z, so the identity cannot stand in its place"):
        chain.replace("x → z", without="W")


def test_a_chain_without_links_reaches_itself():
    s = Scalar(1.0, name="s")
    assert Chain(s, s).horizon().actual is None
