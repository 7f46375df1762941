"""What repeats is written as a loop, and the loop is right: for every cell, every way to sum a loss, and other numbers of turns."""

import numpy as np
import pytest
from by_hand_agrees import off
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, by_hand, nn

CELLS = {"rnn": (nn.RNNCell, {}), "lstm": (nn.LSTMCell, {}), "gru": (nn.GRUCell, {}), "leaky": (nn.LeakyCell, {"tau": 3.0}), "skip": (nn.SkipCell, {"delay": 3}), "lru": (nn.LRUCell, {}),
         "mingru": (nn.MinGRUCell, {}), "selective": (nn.SelectiveCell, {})}


def network(kind, T, batch, way, seed=0):
    """The loss of a cell that runs T steps, and is read out at the last or at every one."""
    make, options = CELLS[kind]
    rng, cell, out = np.random.default_rng(seed), make(3, 4, rng=seed, **options), nn.Linear(4, 2, rng=seed, name="out")
    xs, targets = rng.normal(size=(T, *batch, 3)), rng.normal(size=(T, *batch, 2))
    state = cell.initial_state(*batch)
    if way == "one loop":
        total = 0
        for x, target in zip(xs, targets):
            state = cell(x, state)
            total = total + nn.mse(out(h_of(state, kind)), target)
        return total
    hs = [h_of(state, kind) for state in nn.unroll(cell, xs, state)[1:]]
    if way == "last":
        return nn.mse(out(hs[-1]), targets[0])
    if way == "two loops":
        return sum(nn.mse(out(h), target) for h, target in zip(hs, targets))
    if way == "three loops":
        return sum([nn.mse(out(h), target) for h, target in zip(hs, targets)])
    return vg.mean(vg.square(out(vg.stack(hs)) - targets))


def h_of(state, kind):
    return state[0] if kind in ("lstm", "skip") else state


LOOPS = ["last", "one loop", "two loops", "three loops"]


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
@pytest.mark.parametrize("way", [*LOOPS, "stacked"])
def test_a_recurrence_is_written_right_rolled_and_straight_and_at_other_lengths(kind, batch, way):
    loss = network(kind, 6, batch, way)
    program = by_hand(loss)
    assert "for t in range(1, T + 1):" in program.text
    assert off(program, loss) <= 1e-12
    assert off(by_hand(loss, roll=False), loss) <= 1e-12
    assert off(by_hand(loss, stack=True), loss) <= 1e-12
    for T in (5, 11) if way != "stacked" else ():
        other = network(kind, T, batch, way, seed=1)
        there = by_hand(other)
        assert there.arguments == program.arguments and off(there, other) <= 1e-12
        value, gradients = program(**there.values)
        assert abs(value - other.data) <= 1e-12
        for name, gradient in there()[1].items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-11, atol=1e-12)
            count("gradients of programs at another length")


def test_a_program_recorded_on_four_steps_runs_a_thousand():
    program, loss = by_hand(network("rnn", 4, (), "last")), network("rnn", 1000, (), "last", seed=1)
    value, gradients = program(**by_hand(loss).values)
    want = vg.grad(loss, [leaf for leaf in vg.history(loss) if leaf.rule is None])
    assert max(np.max(np.abs(g - w)) for g, w in zip(gradients.values(), want)) <= 1e-12


def test_where_a_certain_step_is_used_the_length_is_fixed():
    program = by_hand(network("rnn", 6, (), "stacked"))
    assert "x=(x, 6, 3)" in program.text
    with pytest.raises(ValueError, match=r"x must be float64 \(6, 3\), as it was recorded; got float64 \(7, 3\)"):
        program(x=np.ones((7, 3)))
    with pytest.raises(ValueError, match=r"target must be float64 \(6, 2\)"):
        by_hand(network("rnn", 6, (), "two loops"))(target=np.ones((7, 2)))


@pytest.mark.parametrize("options", [{}, {"residual": True, "norm": "layer"}, {"norm": "batch", "activation": "relu"}], ids=str)
def test_equal_layers_are_a_loop_over_k(options):
    model, x = nn.MLP([4, *[6] * 6, 3], **options), np.random.default_rng(0).normal(size=(5, 4))
    loss = nn.cross_entropy(model(x), np.array([0, 1, 2, 0, 1]))
    program = by_hand(loss, model)
    assert "for k in range(1, K + 1):" in program.text
    assert off(program, loss) <= 1e-12


def test_a_loop_without_inputs_takes_its_number_of_turns():
    y = Tensor(0.3, name="x")
    for _ in range(10):
        y = y * y * 0.5
    program = by_hand(y)
    assert program.arguments == ["x", "T"] and off(program, y) <= 1e-15
    assert program(T=1)[1]["x"] == pytest.approx(0.3)
    w, s = Scalar(0.9, name="w"), Scalar(0.5, name="s")
    for _ in range(10):
        s = (w * s).sigmoid()
    assert off(by_hand(s), s) <= 1e-15


def test_float32_stays_float32_in_a_loop():
    W, h = Tensor(np.eye(3, dtype=np.float32) * 0.5, name="W"), Tensor(np.ones(3, np.float32), name="h0")
    for _ in range(5):
        h = vg.tanh(W @ h)
    loss = vg.sum(h * h)
    program = by_hand(loss)
    assert "for t" in program.text and off(program, loss) <= 1e-6
    value, gradients = program()
    assert {np.asarray(g).dtype for g in (value, *gradients.values())} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype, within", [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_steps_read_from_a_computed_array_are_one_loop_in_either_dtype(dtype, within):
    rng, labels = np.random.default_rng(0), np.random.default_rng(1).integers(0, 5, (2, 12))
    E, W, U = (Tensor(rng.normal(size=shape).astype(dtype), name=name) for name, shape in {"E": (5, 3), "W": (4, 4), "U": (4, 3)}.items())
    embedded, h = E[labels].named("embedded"), Tensor(np.zeros((2, 4), dtype)).named("h", 0)
    for t, x in enumerate([embedded[:, t] for t in range(12)], start=1):
        h = np.tanh(vg.linear(h, W) + vg.linear(x, U)).named("h", t)
    loss = vg.square(h).mean().named("loss")
    written = by_hand(loss, [E, W, U])
    assert len(written.text.splitlines()) < 60 and "embedded[:, t - 1]" in written.text
    for g, wanted in zip(written()[1].values(), vg.grad(loss, [E, W, U])):
        assert g.dtype == dtype and np.max(np.abs(g - wanted)) < within * np.max(np.abs(wanted))


def test_a_recurrence_of_fifty_steps_fits_a_page():
    for kind, most in {"rnn": 40, "lstm": 75}.items():
        loss = network(kind, 50, (), "last")
        weights = [leaf for leaf in vg.history(loss) if leaf.rule is None and not leaf.name.index and leaf.name.base[:3] != "out"]
        lines = by_hand(loss, weights).text.splitlines()
        assert len([line for line in lines if line]) <= most


@pytest.mark.parametrize("kind", ["rnn", "lstm", "skip"])
@pytest.mark.parametrize("way", [*LOOPS, "stacked"])
def test_any_choice_of_leaves_may_be_asked_for(kind, way):
    loss = network(kind, 6, (2,), way)
    for leaf in [node for node in vg.history(loss) if node.rule is None]:
        assert off(by_hand(loss, leaf), loss) <= 1e-12, leaf.name


def test_a_step_whose_weight_alone_is_wanted_is_not_taken_for_one_of_the_loop():
    W, h, *b = (Tensor(np.full(shape, 0.5), name=name) for name, shape in {"W": (2, 2), "h0": 2, **{f"b{t}": 2 for t in range(6)}}.items())
    leaves = [W, *b]
    for x in b:
        h = vg.tanh(W @ h) + x * x
    for n in range(1, 8):
        assert off(by_hand(vg.sum(h * h), leaves[:n]), vg.sum(h * h)) <= 1e-14


def graphs():
    """{what it is: loss}: graphs with several loops, or with steps that are used by themselves."""
    rng = np.random.default_rng(0)
    enc, dec, out = nn.RNNCell(3, 8, rng=0, name="e"), nn.RNNCell(2, 8, rng=1, name="d"), nn.Linear(8, 4, rng=1, name="out")
    xs, ys = rng.normal(size=(12, 3)), rng.normal(size=(7, 2))
    first, hs, back = nn.unroll(enc, xs[:5])[-1], nn.unroll(enc, xs), nn.unroll(dec, ys[::-1])
    pair = nn.Stacked([nn.LSTMCell(3, 4, name="1"), nn.RNNCell(4, 4, name="2")])
    return {
        "encoder and decoder": vg.mean(vg.square(nn.unroll(dec, ys, first)[-1] + first)),
        "a decoder that begins at a state in between": vg.sum(nn.unroll(dec, ys, hs[5])[-1] ** 2) + vg.sum(hs[-1] ** 2),
        "both directions": sum(vg.sum(a * b) for a, b in zip(hs[1:8], back[:0:-1])),
        "labels that are numbers": sum(nn.cross_entropy(out(h), label) for h, label in zip(hs[1:], [0, 2, 1, 3, 1])),
        "inputs that are a Tensor": vg.sum(nn.unroll(enc, Tensor(xs[:6], name="X"))[-1] ** 2),
        "two layers": vg.sum(pair.output(nn.unroll(pair, xs)[-1]) ** 2),
        "a loss that begins late": sum(vg.sum(h * h) for h in hs[5:]),
        "a loss that ends early": sum(vg.sum(h * h) for h in hs[:6]) + vg.sum(hs[-1]),
        "the index goes down": vg.sum(steps_back(enc, Tensor(xs[:6], name="X")) ** 2),
        "of what was computed": vg.sum(sum(vg.tanh(part * 0.9**t) for t, part in enumerate(parts_of(Tensor(xs, name="X") @ np.eye(3)))) ** 2),
        "rows of a table": vg.sum(nn.unroll(enc, parts_of(Tensor(xs, name="E"), [0, 3, 3, 1]))[-1] ** 2),
        "targets of differences": sum(vg.sum(vg.square(d - y)) for d, y in zip([vg.tanh(b - a) for a, b in zip(hs[1:], hs[2:])], rng.normal(size=(11, 8)))),
        "windows": sum(vg.sum(vg.tanh(Tensor(xs, name="X")[t : t + 3])) for t in range(9)),
        "truncated": vg.sum(nn.unroll(enc, xs, truncate=4)[-1] ** 2),
        "transposed once": vg.sum(steps_of(enc.W_hh.T * 0.5, nn.unroll(enc, xs[:1])[0]) ** 2)}


def parts_of(X, places=range(8)):
    return [X[t] for t in places]


def steps_back(cell, X):
    h = cell.initial_state()
    for t in range(len(X.data) - 1, -1, -1):
        h = cell(X[t], h)
    return h


def steps_of(W, h):
    for _ in range(5):
        h = vg.tanh(W @ h)
    return h


@pytest.mark.parametrize("what", graphs())
def test_several_loops_and_steps_used_by_themselves_are_written_right(what):
    loss = graphs()[what]
    for options in ({}, {"stack": True}, {"roll": False}):
        assert off(by_hand(loss, **options), loss) <= 1e-12


def random_recurrence(seed, T, data):
    """One number computed by T turns of a random body with up to three states; None if it depends on nothing."""
    rng, values = np.random.default_rng(seed), np.random.default_rng(data)
    W = [Tensor(0.5 * values.normal(size=(3, 3)), name=f"W{i}") for i in range(2)]
    states = [Tensor(values.normal(size=3), name=f"s{i}") for i in range(rng.integers(1, 4))]
    n, plan = len(states), rng.integers(0, 60, (rng.integers(3, 9), 3)).tolist()
    picks, in_loop, total = rng.integers(0, 99, n).tolist(), rng.random() < 0.5, 0.0
    for _ in range(T):
        pool = [*states, values.normal(size=3)]
        for op, i, j in plan:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            ways = [lambda: vg.tanh(W[j % 2] @ a), lambda: a * b * 0.5, lambda: (a + b) * 0.5, lambda: vg.sigmoid(a), lambda: vg.tanh(a - b), lambda: W[i % 2] @ b]
            pool.append(ways[op % 6]())
        states = [pool[n + 1 + pick % len(plan)] for pick in picks]
        total = total + vg.sum(states[0] * states[0]) if in_loop and isinstance(states[0], Tensor) else total
    total = total + sum(vg.sum(state * state) for state in states if isinstance(state, Tensor))  # else a constant, as recorded
    return total if isinstance(total, Tensor) else None


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_random_recurrences_are_written_right_also_at_another_length(first):
    for seed in range(first, first + 100):
        if (loss := random_recurrence(seed, 6, seed)) is None:
            continue
        program = by_hand(loss)
        count("random recurrences written by hand")
        assert off(program, loss) <= 1e-11, f"{seed}\n{program}"
        assert off(by_hand(loss, stack=True), loss) <= 1e-11, seed
        other = random_recurrence(seed, 9, seed + 1)
        there = by_hand(other)
        if there.arguments == program.arguments and not program.fixed and " in range(" in program.text:
            value, gradients = program(**there.values, **there.lengths)
            assert abs(value - other.data) <= 1e-10 * max(1, abs(value)), f"{seed}\n{program}"
            for name, gradient in there()[1].items():
                np.testing.assert_allclose(gradients[name], gradient, rtol=1e-9, atol=1e-10)
            count("random recurrences at another length")


def test_xs_of_a_tensor_labels_and_numbers_that_change_are_read_in_the_loop():
    cell, out = nn.RNNCell(3, 8, rng=0), nn.Linear(8, 4, rng=1, name="out")

    def loss(T):
        rng, total = np.random.default_rng(T), 0
        for t, h in enumerate(nn.unroll(cell, parts_of(Tensor(rng.normal(size=(T, 3)), name="X"), range(T)))[1:]):
            total = total + 0.9**t * nn.cross_entropy(out(h), int(rng.integers(4)))
        return total

    program, longer = by_hand(loss(5)), by_hand(output := loss(30))
    assert {"X[t - 1]", "labels[t]", "g_X[t - 1] += "} <= {part for part in ("X[t - 1]", "labels[t]", "g_X[t - 1] += ") if part in program.text}
    assert program.arguments == longer.arguments and len(program.text.splitlines()) == len(longer.text.splitlines())
    value, gradients = program(**longer.values)
    assert off(longer, output) <= 1e-12
    for name, gradient in longer()[1].items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-11, atol=1e-12)


def test_scalar_nodes_of_many_points_are_one_loop_of_plain_numbers():
    rng = np.random.default_rng(0)
    model, points = nn.MLP([2, 4, 4, 1], activation="tanh", leaf=vg.scalars, rng=0), rng.normal(size=(60, 3))
    loss = sum((model(p[:2])[0] - float(p[2])) ** 2 for p in points) / 60
    program = by_hand(loss)
    assert off(program, loss) <= 1e-12
    assert "math.tanh" in program.text and "np." not in program.text[program.text.index("# forward") :]
    assert len(program.text.splitlines()) < 170 and all(type(g) is float for g in program()[1].values())
    with pytest.raises(ValueError, match=r"x must be float64 \(60,\)"):
        program(x=points)


def test_parts_that_go_different_ways_are_no_loop():
    x, W = Tensor(np.ones(3), name="x"), [Tensor(np.eye(3), name=name) for name in ("Wq", "Wk", "Wv")]
    q, k, v = (w @ x for w in W)
    program = by_hand(vg.sum(vg.softmax(q * k) * v))
    assert program.arguments[:4] == ["x", "Wq", "Wk", "Wv"] and "for t" not in program.text


def test_stacked_sums_over_the_steps_are_one_product():
    loss = network("rnn", 6, (), "last")
    program = by_hand(loss, stack=True)
    assert "g_W_hh = g_z[1:].T @ h[:-1]" in program.text and "g_b_h = g_z[1:].sum(axis=0)" in program.text and "+=" not in program.text
    longer = network("rnn", 40, (), "last", seed=1)
    value, gradients = program(**by_hand(longer).values)
    for name, gradient in by_hand(longer)()[1].items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-11, atol=1e-12)


def test_a_gradient_that_goes_through_a_loop_as_it_is_has_no_empty_loop():
    h, a = Tensor([1.0, 2.0], name="h0"), Tensor([0.5, -1.0], name="a")
    for _ in range(6):
        h = h + 0.25
    for options in ({}, {"stack": True}):
        assert off(by_hand(vg.sum(h * a), **options), vg.sum(h * a)) == 0
    total = 0
    for x in np.random.default_rng(0).normal(size=(6, 2)):
        total = total + (a + x)
    loss = vg.sum(total * total)
    assert off(by_hand(loss, stack=True), loss) <= 1e-14


def test_the_last_state_read_at_every_step_is_not_the_state_of_that_step():
    W, h = Tensor(0.5 * np.random.default_rng(0).normal(size=(3, 3)), name="W"), Tensor(np.ones(3), name="h0")
    hs = [h := vg.tanh(W @ h) for _ in range(6)]
    loss = sum(vg.sum(x * h) for x in hs)
    assert off(by_hand(loss), loss) <= 1e-14


def test_a_number_that_may_be_how_many_steps_there_are_is_never_wrong():
    rng = np.random.default_rng(0)

    def loss(T, way):
        states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.ones((T, 3)))[1:]
        return {"outside": lambda: sum(vg.sum(h * h) for h in states) / T, "times": lambda: sum(vg.sum(h * h) for h in states) * (1 / T),
                "inside": lambda: sum(vg.sum(h * h) / T for h in states)}[way]()

    for way in ("outside", "times"):
        program = by_hand(loss(6, way))
        assert program(x=np.ones((11, 3)))[0] == pytest.approx(loss(11, way).item(), rel=1e-12)
    with pytest.raises(ValueError, match=r"x must be float64 \(6, 3\)"):
        by_hand(loss(6, "inside"))(x=rng.normal(size=(11, 3)))


def test_softmax_in_a_loop_needs_no_largest_entries_of_each_step():
    W, h = Tensor(np.random.default_rng(0).normal(size=(3, 3)), name="W"), Tensor(np.ones(3), name="h0")
    for _ in range(6):
        h = vg.softmax(W @ h)
    program = by_hand(vg.sum(h * h))
    assert program.arguments == ["W", "h0", "T"] and off(program, vg.sum(h * h)) <= 1e-15
