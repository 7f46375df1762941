"""A watched run keeps the exact blame of a chain, step by step, and is to the last bit the run that it would have been."""

import json
import math

import numpy as np
import pytest

from tinygrad_vg import Chain, nn, tanh, training
from tinygrad_vg.training import SGD, Adam, Every, History, fit
from tinygrad_vg.training.film import between, film_table, minus

CELLS = {
    "rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell, "skip": lambda n, m, **options: nn.SkipCell(n, m, delay=2, **options),
    "stacked": lambda n, m, rng: nn.Stacked([nn.LSTMCell(n, m, rng=rng), nn.GRUCell(m, m, rng=rng, name="1")]),
}  # fmt: skip


class Noisy(nn.Module):
    """A cell whose last state is dropped in part: it draws from a generator at every step."""

    def __init__(self, cell):
        self.cell, self.readout, self.rng = cell, nn.Linear(5, 1, rng=1), np.random.default_rng(7)


def regress(model, batch):
    states = nn.unroll(model.cell, batch[0])
    h = model.cell.output(states[-1])
    return nn.mse(model.readout(h * (model.rng.uniform(size=h.shape) > 0.3)), batch[1]), states


def run(cell="rnn", steps=7, make=Adam, **options):
    model = Noisy(CELLS[cell](2, 5, rng=0))
    return model, fit(model, regress, training.adding(6, 4, rng=0), make(model, 0.05), steps, clip=0.5, **options)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("watch", [Every(3), Every(1, lambda loss, states: Chain(loss, between(loss, states).source))], ids=["states", "own chain"])
def test_watching_changes_no_bit_of_the_training(cell, watch):
    (plain, alone), (watched, history) = run(cell), run(cell, watch=watch)
    assert all(np.array_equal(x.data, watched.parameters()[name].data) for name, x in plain.parameters().items())
    assert plain.rng.bit_generator.state == watched.rng.bit_generator.state
    assert (alone.losses, alone.records, alone.film) == (history.losses, history.records, [])
    assert [frame["step"] for frame in history.film] == list(range(1, 8, watch.steps))


@pytest.mark.parametrize("cell", CELLS)
def test_a_frame_is_the_chain_and_its_blame_to_the_last_bit_and_its_links_add_up(cell):
    made = []

    def chain(loss, states):
        found = between(loss, states)
        made.append((found, found.blame()))
        return found

    _, history = run(cell, watch=Every(2, chain))
    assert len(made) == len(history.film) == 4
    for (chain, blame), frame in zip(made, history.film):
        assert frame["stations"] == chain.names and frame["logs"] == chain.log_product
        assert frame["links"] == [{kind: x for kind, x in row["parts"].items() if x} for row in blame.by_link]
        assert frame["gates"] == {name: gate.open for name, gate in blame.gates.items() if math.isfinite(gate.open)}
        for link, before, after in zip(frame["links"], frame["logs"], frame["logs"][1:]):
            assert math.fsum(link.values()) == pytest.approx(before - after, abs=1e-9)
        assert math.fsum(frame["nats"].values()) == pytest.approx(frame["logs"][0], abs=1e-9)


def test_what_clipping_hid_is_the_log_of_the_factor_that_the_record_keeps():
    for make in (lambda p: training.clip_norm(p, 0.01), lambda p: training.clip_value(p, 1e-3)):
        model = Noisy(nn.RNNCell(2, 5, rng=0))
        took = []
        history = fit(model, regress, training.adding(6, 4, rng=0), SGD(model, 0.01), 3, clip=lambda p: took.append(make(p)) or took[-1], watch=Every(1))
        assert [frame["clipped"] for frame in history.film] == pytest.approx([math.log(did.before / did.after) for did in took])
        assert min(frame["clipped"] for frame in history.film) > 0


def test_the_default_chain_takes_a_loss_at_every_step_and_plain_arrays_for_a_first_state():
    cell = nn.RNNCell(2, 5, rng=0)

    def loss(cell, x):
        states = nn.unroll(cell, x, np.zeros(5))
        return sum(((h * h).sum() for h in states[2:]), (states[1] * states[1]).sum()), states

    history = fit(cell, loss, [np.ones((4, 2))] * 2, SGD(cell, 0.01), 2, watch=Every(1))
    assert [len(frame["links"]) for frame in history.film] == [3, 3]


def test_a_deep_net_is_watched_by_the_layers_that_its_loss_hands_out():
    net = nn.Module()
    net.layers = [nn.Linear(3, 3, rng=k) for k in range(4)]

    def loss(net, x):
        hs = [tanh(net.layers[0](x)).named("h", 1)]
        for k, layer in enumerate(net.layers[1:], 2):
            hs.append(tanh(layer(hs[-1])).named("h", k))
        return (hs[-1] * hs[-1]).sum(), hs

    history = fit(net, loss, [np.ones(3)] * 3, SGD(net, 0.1), 3, watch=Every(2))
    assert [frame["stations"] for frame in history.film] == [["h[1]", "h[2]", "h[3]", "h[4]"]] * 2


def test_a_gradient_that_ends_is_kept_and_survives_json():
    cell = nn.RNNCell(2, 3, "relu", rng=0)
    cell.b_h.data = np.full(3, -9.0)

    def loss(cell, x):
        states = nn.unroll(cell, x)
        return (states[-1] + 1.0).sum(), states

    history = fit(cell, loss, [np.ones((4, 2))], SGD(cell, 0.0001), 1, watch=Every(1))
    (frame,) = History.from_dict(json.loads(json.dumps(history.to_dict()))).film
    assert frame == history.film[0]
    assert frame["logs"][0] == -math.inf and "h[4]" in frame["ended"]
    assert math.isnan((history - history).film[0]["logs"][0]) and "nan" in str(history - history)


def test_print_names_what_was_not_there_in_the_first_frame():
    cell = nn.RNNCell(1, 4, rng=0)
    cell.W_hh.data = np.zeros((4, 4))

    def loss(cell, batch):
        states = nn.unroll(cell, batch)
        return nn.mse(states[-1], np.full((3, 4), 0.5)), states

    history = fit(cell, loss, [np.random.default_rng(0).normal(size=(6, 3, 1))] * 8, SGD(cell, 0.5), 8, watch=Every(4))
    rows = film_table(history.film).splitlines()
    assert not history.film[0]["nats"] and [row.split()[:3] for row in rows[2:]] == [["activation", "nats", "0.00"], ["weight", "nats", "0.00"]]


@pytest.mark.parametrize("stop", [3, 4, 6])
def test_a_resumed_run_keeps_the_film(stop, tmp_path):
    whole = run(watch=Every(3))[1]
    run(watch=Every(3), steps=stop, checkpoint=tmp_path / "run.npz")
    again = run(watch=Every(3), checkpoint=tmp_path / "run.npz", resume=True)[1]
    assert again.film == whole.film and str(again) == str(whole)
    old = {name: part for name, part in whole.to_dict().items() if name != "film"}
    assert History.from_dict(old).film == []


def test_a_difference_is_what_one_has_more_at_the_steps_that_both_have():
    a, b = run("lstm", watch=Every(2))[1], run("gru", watch=Every(3))[1]
    ab, ba = a - b, b - a
    assert [frame["step"] for frame in ab.film] == [1, 7]
    for frame, other in zip(ab.film, ba.film):
        assert [*frame["nats"].values()] == pytest.approx([-other["nats"][name] for name in frame["nats"]])
        assert math.fsum(frame["nats"].values()) == pytest.approx(frame["logs"][0], abs=1e-9)
        assert frame["logs"] == pytest.approx([-x for x in other["logs"]])
    assert all(not any(link.values()) for frame in (a - a).film for link in frame["links"])
    assert str(ab).startswith("step") and "across" not in str(ab)


def frames(weight, gate, clipped):
    """A film of four links, in which these are known."""
    return [{"step": 1 + 10 * k, "loss": 1.0, "stations": list("abcde"), "logs": [w, *[0.0] * 4], "links": [{}] * 4, "nats": {"weight": w},
             "gates": {"f": f}, "clipped": c, "ended": ""} for k, (w, f, c) in enumerate(zip(weight, gate, clipped))]


def test_print_says_when_the_weights_cross_the_edge_a_gate_closes_and_what_clipping_hid():
    printed = film_table(frames([-1, -0.5, 0.01, 2, 3], [0.9, 0.7, 0.49, 0.3, 0.2], [0, 0, 0, 0.5, 2.5]))
    told = " ".join(printed.split())
    assert "weight nats: from -1.00 across 0 at step 31; 3.00 at last" in told
    assert "gate f open: from 0.90 across 1/2 at step 31; 0.20 at last" in told
    assert "clipping cut 2 of 5 frames, most at step 41: it hid 2.5 nats" in told and "+3.0 nats beside" in told
    assert max(map(len, printed.splitlines())) <= 80
    calm = film_table(frames([-1, -0.9], [0.9, 0.8], [0, 0]))
    assert not any(word in calm for word in ("across", "clipping"))


def test_what_a_history_has_not_is_said_with_what_it_has():
    history = History([1.0], [{"step": 1, "gradients": {"W": 2.0}}])
    assert history.column("gradients", "W").tolist() == [2.0]
    for asked in (["radii"], ["radii", "W"], ["step", "W"]):
        with pytest.raises(KeyError, match=r"recorded: step, gradients \(by name\)"):
            history.column(*asked)
    with pytest.raises(ValueError, match=r"what to_dict\(\) gave"):
        History.from_dict({"film": []})


def test_what_cannot_be_watched_is_refused_in_words():
    model = Noisy(nn.RNNCell(2, 5, rng=0))
    with pytest.raises(ValueError, match=r"let loss_fn return \(loss, states\); or say which: Every\(50, lambda"):
        fit(model, lambda *both: regress(*both)[0], training.adding(6, 4), SGD(model, 0.1), 1, watch=Every(1))
    for wrong in (50, Every(0), Every(2.5), Every("1")):
        with pytest.raises(ValueError, match=r"as in watch=Every\(50\); got"):
            run(watch=wrong)
    with pytest.raises(TypeError, match="that returns a Chain; it returned None"):
        run(watch=Every(1, lambda loss, states: None))
    with pytest.raises(TypeError, match="unsupported operand"):
        History() - 3
    with pytest.raises(ValueError, match="no watched step in common"):
        run(watch=Every(1))[1] - History()
    with pytest.raises(ValueError, match="differ in length at step 1: 4 links and 3"):
        minus(frames([0.0], [0.5], [0])[0], {"links": [{}] * 3})
