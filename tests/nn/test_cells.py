"""Every cell is its formula: of Scalars or of Tensors, in a batch or one by one, with one seed or many, in one stretch or cut."""

import copy

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, grad, gradcheck, history, jacobian, scalars
from tinygrad_vg.nn.gated import GRUCell, LSTMCell
from tinygrad_vg.nn.linear_cells import LRUCell, MinGRUCell, SelectiveCell
from tinygrad_vg.nn.recurrent import LeakyCell, RNNCell, SkipCell, Stacked, cut, unroll

CELLS = {
    "rnn": lambda **o: RNNCell(2, 3, **o),
    "linear rnn": lambda **o: RNNCell(2, 3, "linear", **o),
    "softplus rnn": lambda **o: RNNCell(2, 3, "softplus", **o),
    "leaky": lambda **o: LeakyCell(2, 3, tau=4.0, **o),
    "leaky, one tau per unit": lambda **o: LeakyCell(2, 3, tau=np.array([1.0, 2.0, 9.0]), **o),
    "skip": lambda **o: SkipCell(2, 3, delay=3, **o),
    "linear skip": lambda **o: SkipCell(2, 3, "linear", delay=2, **o),
    "skip of one step": lambda **o: SkipCell(2, 3, delay=1, **o),
    "lstm": lambda **o: LSTMCell(2, 3, **o),
    "gru": lambda **o: GRUCell(2, 3, **o),
    "lru": lambda **o: LRUCell(2, 4, **o),
    "mingru": lambda **o: MinGRUCell(2, 3, **o),
    "selective": lambda **o: SelectiveCell(2, 3, **o),
    "stacked": lambda **o: Stacked([LSTMCell(2, 3, name="1", **o), GRUCell(3, 2, name="2", **o), SkipCell(2, 3, delay=2, name="3", **o)]),
}
every_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS.keys())


def flat(state):
    """The leaves or nodes of a state, nested tuples opened."""
    return [x for part in state for x in flat(part)] if isinstance(state, tuple) else [state]


def numbers(x, what="data"):
    """The data, or the gradients, of a Tensor or of an object array of Scalars."""
    return getattr(x, what) if isinstance(x, Tensor) else np.array([getattr(s, what) for s in x.flat], float).reshape(x.shape)


def replace(model, path, value):
    """Put value in the place that parameters() calls `path`, as in cells.0.W_hi."""
    *way, name = path.split(".")
    for step in way:
        model = model[int(step)] if isinstance(model, list) else getattr(model, step)
    setattr(model, name, value)


def randomised(model, seed=0):
    """The model with nothing left at zero: biases too are drawn."""
    rng = np.random.default_rng(seed)
    for path, leaf in model.parameters().items():
        value = 0.7 * rng.normal(size=leaf.shape)
        replace(model, path, Tensor(value, leaf.name) if isinstance(leaf, Tensor) else scalars(value, leaf.flat[0].name.base))
    return model


def loss_of(states, cell):
    """A number that sees every state, each entry with another weight."""
    hs = [cell.output(state) for state in states[1:]]
    return sum((h * np.cos(np.arange(np.size(h)) + t).reshape(np.shape(h))).sum() for t, h in enumerate(hs))


@every_cell
def test_a_cell_of_scalars_and_one_of_tensors_have_the_same_gradients(make):
    inputs, results = np.random.default_rng(0).normal(size=(5, 2)), []
    for leaf in (Tensor, scalars):
        cell = randomised(make(leaf=leaf))
        states = unroll(cell, inputs)
        loss = loss_of(states, cell)
        loss.backward()
        results.append([numbers(leaf, "grad") for leaf in (*cell.parameters().values(), *flat(states[0]))])
    for a, b in zip(*results):
        assert np.max(np.abs(a - b)) < 1e-13 * max(1, np.max(np.abs(a)))


@every_cell
def test_gradcheck_passes_for_every_parameter_and_the_first_state(make):
    cell = randomised(make())
    inputs, first = np.random.default_rng(1).normal(size=(4, 2, 2)), flat(cell.initial_state(2))
    paths = list(cell.parameters())

    def loss(*leaves):
        for path, leaf in zip(paths, leaves):
            replace(cell, path, leaf)
        state = filled(cell.initial_state(2), list(leaves[len(paths) :]))
        return loss_of(unroll(cell, inputs, state), cell)

    starts = [0.3 * np.random.default_rng(2).normal(size=leaf.shape) for leaf in first]
    assert gradcheck(loss, *cell.parameters().values(), *starts)


def filled(state, leaves):
    """The leaves in the shape of the state, nested as it is."""
    return tuple([filled(part, leaves) for part in state]) if isinstance(state, tuple) else leaves.pop(0)


@every_cell
def test_a_batch_is_its_samples_one_by_one(make):
    cell, inputs = randomised(make()), np.random.default_rng(3).normal(size=(6, 4, 2))
    together = unroll(cell, inputs)
    G = grad(cell.output(together[-1]).sum(), list(cell.parameters().values()))
    alone = [unroll(cell, inputs[:, k]) for k in range(4)]
    for t in range(7):
        for whole, *single in zip(flat(together[t]), *[flat(states[t]) for states in alone]):
            assert np.max(np.abs(whole.data - np.stack([h.data for h in single]))) < 1e-14
    parts = [grad(cell.output(states[-1]).sum(), list(cell.parameters().values())) for states in alone]
    for whole, *single in zip(G, *parts):
        assert np.max(np.abs(whole - sum(single))) < 1e-13 * max(1, np.max(np.abs(whole)))


@every_cell
def test_a_run_of_seeds_is_its_runs_one_by_one(make):
    seeds, inputs = [3, 8, 5], np.random.default_rng(4).normal(size=(6, 3, 4, 2))
    cell = make(seeds=seeds)
    states = unroll(cell, inputs)
    loss = cell.output(states[-1]).sum() + cell.output(states[2]).sum()
    loss.backward()
    for k, seed in enumerate(seeds):
        single = make(rng=seed)
        alone = unroll(single, inputs[:, k])
        (single.output(alone[-1]).sum() + single.output(alone[2]).sum()).backward()
        for whole, part in zip(flat(states[-1]), flat(alone[-1])):
            assert np.max(np.abs(whole.data[k] - part.data)) < 1e-13
        for (name, whole), part in zip(cell.parameters().items(), single.parameters().values()):
            assert np.array_equal(whole.data[k], part.data), name
            assert np.max(np.abs(whole.grad[k] - part.grad)) < 1e-13 * max(1, np.max(np.abs(part.grad))), name
        for whole, part in zip(flat(states[0]), flat(alone[0])):
            assert (whole.grad is None) == (part.grad is None)
            assert part.grad is None or np.max(np.abs(whole.grad[k] - part.grad)) < 1e-13


def test_seeds_and_scalars_go_together():
    inputs = np.random.default_rng(4).normal(size=(3, 2, 1, 2))
    a, b = (unroll(GRUCell(2, 3, leaf=leaf, seeds=2), inputs) for leaf in (Tensor, scalars))
    assert np.max(np.abs(numbers(a[-1]) - numbers(b[-1]))) < 1e-15
    assert b[-1][1, 0, 2].name.index == (3, 1, 0, 2)


def test_a_number_of_seeds_draws_that_many_different_cells():
    cell = LSTMCell(2, 3, seeds=4)
    assert cell.W_hf.shape == (4, 3, 3)
    assert cell.b_f.shape == (4, 3)
    assert len({float(W[0, 0]) for W in cell.W_hf.data}) == 4
    with pytest.raises(ValueError, match=r"initial_state\(batch=1\)"):
        cell.initial_state()
    with pytest.raises(ValueError, match=r"must be \(seeds, batch, in\)"):
        unroll(cell, np.ones((5, 4, 2)))


@every_cell
def test_on_plain_arrays_a_cell_computes_and_records_nothing(make):
    cell, inputs = randomised(make()), np.random.default_rng(5).normal(size=(4, 2))
    recorded = unroll(cell, inputs)
    for path, leaf in cell.parameters().items():
        replace(cell, path, leaf.data)
    states = unroll(cell, inputs, filled(cell.initial_state(), [leaf.data for leaf in flat(recorded[0])]))
    assert all(type(h) is np.ndarray for state in states for h in flat(state))
    for h, expected in zip(flat(states[-1]), flat(recorded[-1])):
        assert np.array_equal(h, expected.data)
    assert cell.parameters() == {}


@every_cell
def test_a_second_unroll_goes_on_where_the_first_ended(make):
    cell, inputs = randomised(make()), np.random.default_rng(6).normal(size=(7, 2))
    whole, first = unroll(cell, inputs), unroll(cell, inputs[:3])
    second = unroll(cell, inputs[3:], first[-1])
    assert [str(h.name) for h in flat(second[-1])] == [str(h.name) for h in flat(whole[-1])]
    a, b = (grad(cell.output(states[-1]).sum(), list(cell.parameters().values())) for states in (whole, second))
    assert all(np.array_equal(x, y) for x, y in zip(a, b))


# ---- names


def names_at(states, t):
    return sorted({node.name.base for h in flat(states[-1]) for node in history(h) if node.name and node.name.index[:1] == (t,)})


@pytest.mark.parametrize(
    ("kind", "bases"),
    [("rnn", "h z"), ("leaky", "h z"), ("linear rnn", "h"), ("skip", "h z"), ("lstm", "c f g h i o"), ("gru", "h n r z"),
     ("lru", "W_hh W_in h r"), ("mingru", "f h n z"), ("selective", "B a dt h u"), ("stacked", "c1 f1 g1 h1 h2 h3 i1 n2 o1 r2 z2 z3")],
)  # fmt: skip
def test_what_the_textbook_names_carries_its_name_and_time_step(kind, bases):
    states = unroll(CELLS[kind](), np.ones((4, 2)))
    assert all(names_at(states, t) == bases.split() for t in (2, 3))
    of_scalars = unroll(CELLS[kind](leaf=scalars), np.ones((4, 2)))
    for h, same in zip(flat(states[3]), flat(of_scalars[3])):
        assert same[1].name == (h.name.base, (*h.name.index, 1))


def test_first_states_are_named_leaves():
    assert [str(h.name) for h in SkipCell(2, 3, delay=3).initial_state()] == ["h[0]", "h[-1]", "h[-2]"]
    assert [str(h.name) for h in LSTMCell(2, 3).initial_state(4)] == ["h[0]", "c[0]"]
    assert LSTMCell(2, 3, leaf=scalars).initial_state()[1][2].name.index == (0, 2)
    assert all(h.shape == (4, 3) and h.rule is None for h in LSTMCell(2, 3).initial_state(4))


def test_no_two_nodes_share_a_name():
    for make in CELLS.values():
        states = unroll(make(), np.ones((5, 2)))
        nodes = {node for state in states for h in flat(state) for node in history(h) if node.name}
        assert len({node.name for node in nodes}) == len(nodes)


def test_parameters_have_the_names_that_weight_files_are_matched_with():
    assert list(RNNCell(2, 3).parameters()) == ["W_xh", "W_hh", "b_h"]
    assert list(SkipCell(2, 3, delay=2).parameters()) == ["W_xh", "W_hh", "b_h", "W_skip"]
    assert list(LSTMCell(2, 3).parameters()) == "W_xi W_hi b_i W_xf W_hf b_f W_xg W_hg b_g W_xo W_ho b_o".split()
    assert list(GRUCell(2, 3).parameters()) == "W_xr W_hr b_r W_xz W_hz b_z W_xn W_hn b_n b_hn".split()
    assert list(Stacked([RNNCell(2, 3, name="1"), RNNCell(3, 3, name="2")]).parameters())[2:4] == ["cells.0.b_h", "cells.1.W_xh"]
    assert str(LSTMCell(2, 3, name="2").W_hf.name) == "W_hf2"


# ---- what each formula says


def node(h, base):
    return next(n for n in history(h) if n.op != "leaf" and n.name and n.name.base == base).data


def test_the_step_jacobian_of_a_leaky_cell_is_what_its_docstring_says():
    cell = randomised(CELLS["leaky"]())
    h0, x = Tensor(np.array([0.2, -0.4, 0.1])), np.array([0.3, -0.8])
    z = cell.W_hh.data @ h0.data + cell.W_xh.data @ x + cell.b_h.data
    expected = 0.75 * np.eye(3) + 0.25 * (1 - np.tanh(z) ** 2)[:, None] * cell.W_hh.data
    assert jacobian(cell(x, h0), h0) == pytest.approx(expected, abs=1e-14)


def test_the_step_jacobians_of_a_skip_cell_are_what_its_docstring_says():
    cell = randomised(CELLS["skip"]())
    rng = np.random.default_rng(7)
    state = tuple([Tensor(0.5 * rng.normal(size=3)) for _ in range(3)])
    h, *older = cell(rng.normal(size=2), state)
    slope = (1 - h.data**2)[:, None]
    assert jacobian(h, state[0]) == pytest.approx(slope * cell.W_hh.data, abs=1e-14)
    assert jacobian(h, state[2]) == pytest.approx(slope * cell.W_skip.data, abs=1e-14)
    assert not np.any(jacobian(h, state[1]))
    assert older[0] is state[0]
    assert older[1] is state[1]


def test_the_step_jacobian_of_an_lstm_is_what_its_docstring_says():
    cell = randomised(CELLS["lstm"]())
    rng = np.random.default_rng(8)
    h0, c0 = Tensor(rng.normal(size=3)).named("h", 0), Tensor(rng.normal(size=3)).named("c", 0)
    h, c = cell(rng.normal(size=2), (h0, c0))
    i, f, g, o = (node(h, base) for base in "ifgo")
    assert h.data == pytest.approx(o * np.tanh(c.data), abs=1e-15)
    assert c.data == pytest.approx(f * c0.data + i * g, abs=1e-15)
    assert jacobian(c, c0) == pytest.approx(np.diag(f), abs=1e-15)
    by_f, by_i, by_g = c0.data * f * (1 - f), g * i * (1 - i), i * (1 - g**2)
    expected = by_f[:, None] * cell.W_hf.data + by_i[:, None] * cell.W_hi.data + by_g[:, None] * cell.W_hg.data
    assert jacobian(c, h0) == pytest.approx(expected, abs=1e-14)


def test_the_step_jacobian_of_a_gru_is_what_its_docstring_says():
    cell = randomised(CELLS["gru"]())
    rng = np.random.default_rng(9)
    h0 = Tensor(rng.normal(size=3)).named("h", 0)
    h = cell(rng.normal(size=2), h0)
    r, z, n = (node(h, base) for base in "rzn")
    s = cell.W_hn.data @ h0.data + cell.b_hn.data
    assert h.data == pytest.approx((1 - z) * n + z * h0.data, abs=1e-15)
    expected = np.diag(z) + ((h0.data - n) * z * (1 - z))[:, None] * cell.W_hz.data
    expected += ((1 - z) * (1 - n**2))[:, None] * (r[:, None] * cell.W_hn.data + (s * r * (1 - r))[:, None] * cell.W_hr.data)
    assert jacobian(h, h0) == pytest.approx(expected, abs=1e-14)


def test_a_leaky_cell_with_tau_one_is_an_rnn_and_the_forget_bias_is_where_b_f_starts():
    inputs = np.random.default_rng(0).normal(size=(5, 2))
    a, b = unroll(RNNCell(2, 3, rng=1), inputs), unroll(LeakyCell(2, 3, rng=1, tau=1), inputs)
    assert all(np.array_equal(x.data, y.data) for x, y in zip(a, b))
    assert LSTMCell(2, 3, forget_bias=2.5).b_f.data.tolist() == [2.5, 2.5, 2.5]
    assert LSTMCell(2, 3).b_f.data.tolist() == [1.0, 1.0, 1.0]
    assert LSTMCell(2, 3, forget_bias=[1, 2, 3], seeds=2).b_f.data.tolist() == [[1.0, 2.0, 3.0]] * 2
    assert not np.any(LSTMCell(2, 3).b_i.data)


def test_the_weights_from_x_and_from_h_may_start_differently():
    cell = RNNCell(2, 3, "relu", ("normal", "identity"))
    assert np.array_equal(cell.W_hh.data, np.eye(3))
    assert np.array_equal(cell.W_xh.data, RNNCell(2, 3, init="normal").W_xh.data)


# ---- truncation


@every_cell
@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_no_gradient_passes_a_cut_and_inside_it_is_that_of_the_shortened_run(make, leaf):
    cell, inputs = randomised(make(leaf=leaf)), np.random.default_rng(10).normal(size=(8, 2))
    states = unroll(cell, inputs, truncate=3)
    full = unroll(cell, inputs)
    for a, b in zip(flat(states[-1]), flat(full[-1])):
        assert np.array_equal(numbers(a), numbers(b)), "the values do not notice"
    loss = cell.output(states[-1]).sum()
    loss.backward()
    cut_gradients = [numbers(p, "grad") for p in cell.parameters().values()]
    for h in [h for state in states[:7] for h in flat(state)]:
        assert all(s.grad is None for s in (np.ravel(h) if leaf is scalars else [h])), "states[0] … states[6] lie before the cut"
    for p in cell.parameters().values():
        for s in np.ravel(p) if leaf is scalars else [p]:
            s.zero_grad()
    short = unroll(cell, inputs[6:], cut(full[6]))
    cell.output(short[-1]).sum().backward()
    for a, p in zip(cut_gradients, cell.parameters().values()):
        assert np.array_equal(a, numbers(p, "grad"), equal_nan=True)


def test_a_loss_at_the_cut_still_reaches_back_to_the_one_before():
    cell, inputs = RNNCell(2, 3), np.random.default_rng(11).normal(size=(6, 2))
    states = unroll(cell, inputs, truncate=3)
    states[3].sum().backward()
    assert np.all(states[0].grad != 0)
    assert np.array_equal(states[0].grad, grad((full := unroll(cell, inputs))[3].sum(), full[0]))


def test_a_truncated_state_goes_on_as_a_leaf_of_the_same_name():
    states = unroll(LSTMCell(2, 3), np.ones((4, 2)), truncate=2)
    leaves = {str(node.name) for node in history(states[-1][0]) if node.rule is None and node.name.index}
    assert leaves == {"h[2]", "c[2]"}
    assert [str(h.name) for h in states[4]] == ["h[4]", "c[4]"]


def test_cut_leaves_plain_arrays_alone():
    h = np.ones(3)
    assert cut((h, None))[0] is h


# ---- the chain through each cell


@pytest.mark.parametrize("kind", ["rnn", "linear rnn", "softplus rnn", "leaky", "gru", "lru", "mingru", "selective"])
def test_the_chain_through_the_states_multiplies_to_the_gradient_at_every_state(kind):
    cell = randomised(CELLS[kind]())
    inputs = np.random.default_rng(12).normal(size=(6, 2))
    states = unroll(cell, inputs)
    loss = (states[-1] * states[-1]).sum()
    chain = Chain(loss, states[0], through=states)
    loss.backward()
    fresh = cut(states[2])
    step = jacobian(cell(inputs[2], fresh), fresh)
    assert chain.names == [f"h[{t}]" for t in range(7)] + ["sum"]
    for h, g in zip(states, chain.gradients):
        assert np.max(np.abs(h.grad - g)) < 1e-13 * max(1, np.max(np.abs(g)))
    assert chain.links[2].local.dense() == pytest.approx(step, abs=1e-14)


def test_the_chain_through_an_lstm_takes_h_and_c_as_one_station():
    cell = randomised(CELLS["lstm"]())
    states = unroll(cell, np.random.default_rng(13).normal(size=(6, 2)))
    loss = (states[-1][0] * states[-1][0]).sum()
    for source in states[0]:
        chain = Chain(loss, source, through=states[1:])
        assert chain.names[1:3] == ["{h[1], c[1]}", "{h[2], c[2]}"]
        assert chain.gradients[0] == pytest.approx(grad(loss, source), rel=1e-12)
    h, c = states[2]
    fresh = cut((h, c))
    alone = cell.output(unroll(cell, np.random.default_rng(13).normal(size=(6, 2))[2:], fresh)[-1])
    together = np.concatenate(grad((alone * alone).sum(), list(fresh)))
    assert chain.gradients[2] == pytest.approx(together, rel=1e-12), "h[2] and c[2] as if each were a leaf"


@pytest.mark.parametrize("kind", ["skip", "linear skip"])
def test_the_chain_through_a_delay_takes_the_newest_states_as_one_station(kind):
    cell = randomised(CELLS[kind]())
    states = unroll(cell, np.random.default_rng(14).normal(size=(6, 2)))
    loss = (states[-1][0] * states[-1][0]).sum()
    d = cell.delay
    chain = Chain(loss, states[0][0], through=states[d::d])
    assert chain.names[1] == "{" + ", ".join(f"h[{t}]" for t in range(d, 0, -1)) + "}"
    assert chain.gradients[0] == pytest.approx(grad(loss, states[0][0]), rel=1e-12)


@pytest.mark.parametrize("kind", ["skip", "linear skip"])
def test_stations_of_a_delay_may_overlap(kind):
    cell = randomised(CELLS[kind]())
    states = unroll(cell, np.random.default_rng(14).normal(size=(6, 2)))
    loss = (states[-1][0] * states[-1][0]).sum()
    chain = Chain(loss, states[0][0], through=states[cell.delay :])
    assert chain.gradients[0] == pytest.approx(grad(loss, states[0][0]), rel=1e-12)
    companion = chain.links[1].local.dense()
    assert np.array_equal(companion[3:, :-3], np.eye(3 * cell.delay - 3)), "h[t−1] is handed on as it is"


def test_the_chain_through_a_stack_of_cells_takes_their_states_as_one_station():
    cell = randomised(CELLS["stacked"]())
    states = unroll(cell, np.random.default_rng(15).normal(size=(6, 2)))
    loss = (cell.output(states[-1]) ** 2).sum()
    through = [tuple(flat(states[t])) for t in (2, 4)]
    chain = Chain(loss, states[0][0][0], through=through)
    assert chain.names[1] == "{h1[2], c1[2], h2[2], h3[2], h3[1]}"
    assert chain.gradients[0] == pytest.approx(grad(loss, states[0][0][0]), rel=1e-12)


def test_the_next_cell_of_a_stack_sees_the_h_below_it():
    lower, upper = RNNCell(2, 3, name="1", rng=1), LSTMCell(3, 2, name="2", rng=2)
    inputs = np.random.default_rng(16).normal(size=(5, 2))
    together = unroll(Stacked([lower, upper]), inputs)
    below = unroll(lower, inputs)
    above = unroll(upper, below[1:])
    assert np.array_equal(together[-1][0].data, below[-1].data)
    assert np.array_equal(together[-1][1][0].data, above[-1][0].data)
    assert Stacked([lower, upper]).output(together[-1]) is together[-1][1][0]


# ---- errors and small matters


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: LeakyCell(2, 3, tau=0.5), "a time constant in steps, 1 .* or more; got 0.5"),
        (lambda: SkipCell(2, 3, delay=0), "1 or more; got 0"),
        (lambda: unroll(RNNCell(2, 3), np.ones((4, 2)), truncate=0), "1 or more, or None for all; got 0"),
        (lambda: LSTMCell(2, 3)(np.ones(2), Tensor(np.ones((2, 3)))), "a tuple of 2, .*got one Tensor"),
        (lambda: SkipCell(2, 3, delay=3)(np.ones(2), (np.ones(3), np.ones(3))), "a tuple of 3, .*got 2 parts"),
        (lambda: Stacked([RNNCell(2, 3), GRUCell(3, 3)]), "two stacked cells have the name ''"),
        (lambda: RNNCell(2, 3, "sigmoyd"), "got 'sigmoyd'"),
        (lambda: GRUCell(2, 3)(np.ones(3), np.ones(3)), r"x \(3,\), W \(3, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_an_empty_sequence_gives_the_first_state_alone():
    states = unroll(RNNCell(2, 3), [])
    assert [str(h.name) for h in states] == ["h[0]"]


@every_cell
def test_cells_copy_and_the_copy_shares_nothing(make):
    cell = make()
    twin = copy.deepcopy(cell)
    for mine, its in zip(cell.parameters().values(), twin.parameters().values()):
        assert mine is not its
        assert np.array_equal(mine.data, its.data)
    inputs = np.ones((3, 2))
    for a, b in zip(flat(unroll(cell, inputs)[-1]), flat(unroll(twin, inputs)[-1])):
        assert np.array_equal(a.data, b.data)
