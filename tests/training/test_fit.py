"""A run learns, remembers, says what went wrong, and can be taken up again to the last bit."""

import io
import json
import math
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, log, nn, scalars, square, tanh, training
from tinygrad_vg.nn.mlp import MLP
from tinygrad_vg.training import SGD, Adam, AdamW, Batches, Diverged, History, RMSProp, fit
from tinygrad_vg.training.history import radii, state_norms
from tinygrad_vg.training.leaves import value

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_training.json").read_text())


class Net(nn.Module):
    """Two layers, with dropout and running statistics of its own."""

    def __init__(self, rng=0, dropout=0.0, leaf=Tensor):
        rng = np.random.default_rng(rng)
        self.hidden, self.readout = nn.Linear(2, 16, rng=rng, leaf=leaf), nn.Linear(16, 2, rng=rng, leaf=leaf)
        self.rng, self.dropout, self.running = np.random.default_rng(99), dropout, np.zeros(16)

    def __call__(self, x):
        h = tanh(self.hidden(x))
        if self.dropout:
            self.running = 0.9 * self.running + 0.1 * h.data.mean(0)
            h = h * ((self.rng.uniform(size=h.shape) > self.dropout) / (1 - self.dropout))
        return self.readout(h)


class Recurrent(nn.Module):
    def __init__(self, n_in, n_out, rng=0):
        self.cell, self.readout = nn.RNNCell(n_in, 6, rng=rng), nn.Linear(6, n_out, rng=rng)


def classify(net, batch):
    return nn.cross_entropy(net(batch[0]), batch[1])


def regress(model, batch):
    states = nn.unroll(model.cell, batch[0])
    return nn.mse(model.readout(states[-1]), batch[1]), states


def moons(rng=0):
    return training.minibatches(*training.two_moons(), 50, rng)


def test_an_mlp_learns_the_two_moons():
    net = Net()
    history = fit(net, classify, moons(), Adam(net, 0.02), 400)
    points, labels = training.two_moons(400, rng=7)
    assert np.mean(net(points).data.argmax(1) == labels) > 0.97
    assert history.losses[0] > 0.4 > 0.1 > np.mean(history.losses[-20:])


def test_tensors_and_scalars_learn_the_same():
    losses = []
    for leaf in (Tensor, scalars):
        net = Net(leaf=leaf)
        history = fit(net, classify, training.minibatches(*training.two_moons(), 3, 0), SGD(net, 0.1, 0.9), 3, clip=0.5)
        losses.append((history.losses, history.column("norm").tolist(), value(net.hidden.W).ravel().tolist()))
    for a, b in zip(*losses):
        assert a == pytest.approx(b, rel=1e-12)


def test_the_history_records_what_happened():
    model = Recurrent(2, 1)
    old = {name: leaf.data for name, leaf in model.parameters().items()}
    history = fit(model, regress, training.adding(7, 4, 0), SGD(model, 0.1), 1, clip=1e-3, radius=True)
    (record,) = history.records
    g = {name: leaf.grad / record["factor"] for name, leaf in model.parameters().items()}
    assert record["gradients"] == pytest.approx({name: np.linalg.norm(x) for name, x in g.items()})
    assert record["norm"] == pytest.approx(math.sqrt(sum(x**2 for x in record["gradients"].values())))
    assert record["factor"] == pytest.approx(1e-3 / record["norm"])
    assert record["lr"] == 0.1 and record["loss"] == history.losses[0]
    change = np.linalg.norm(model.cell.W_hh.data - old["cell.W_hh"]) / np.linalg.norm(old["cell.W_hh"])
    assert record["ratios"]["cell.W_hh"] == pytest.approx(change)
    assert record["ratios"]["cell.b_h"] == pytest.approx(1)  # it was 0
    assert record["radii"] == {"cell.W_hh": pytest.approx(np.abs(np.linalg.eigvals(model.cell.W_hh.data)).max())}
    assert len(record["states"]) == 8
    loss, states = regress(model_at(old), next(training.adding(7, 4, 0)))
    loss.backward()
    assert record["states"] == pytest.approx([np.linalg.norm(h.grad) for h in states])


def model_at(values):
    model = Recurrent(2, 1)
    for name, leaf in model.parameters().items():
        leaf.data = values[name]
    return model


def test_the_radius_of_every_recurrent_weight_or_of_those_named():
    W, V = np.diag([0.5, -2.0]), np.zeros((2, 3))
    parameters = {"cell.W_hf": Tensor(W), "cell.W_xh": Tensor(W), "W_hh": Tensor(V), "W_h1": scalars(np.stack([W, 3 * W]))}
    assert radii(parameters, True) == {"cell.W_hf": 2.0, "W_h1": 6.0}
    assert radii(parameters, ["cell.W_xh"]) == {"cell.W_xh": 2.0}
    with pytest.raises(ValueError, match="no square parameter is called W; there are cell.W_hf, "):
        radii(parameters, ["W"])


def test_pairs_of_states_and_states_of_scalars_have_a_norm_too():
    a, b, c = Tensor([1.0]), Tensor([2.0]), scalars([3.0, 4.0])
    loss = (a * 3 + b * 4).sum()
    loss.backward()
    (c * np.array([5.0, 12.0])).sum().backward()
    assert state_norms([(a, b), c, Tensor([1.0])]) == [5.0, 13.0, 0.0]


def test_seeds_along_an_axis_learn_as_each_would_alone():
    task = training.adding(6, 4, 0)
    batches = [next(task) for _ in range(5)]

    def go(seeds):
        model = nn.Module()
        model.cell, model.readout = nn.RNNCell(2, 6, seeds=seeds), nn.Linear(6, 1, seeds=seeds)

        def loss(model, batch):
            inputs, targets = (np.stack([x] * len(seeds), axis=-3) for x in batch)
            return len(seeds) * nn.mse(model.readout(nn.unroll(model.cell, inputs)[-1]), targets)

        fit(model, loss, batches, SGD(model, 0.1, 0.9), 5, clip=lambda p: training.clip_norm(p, 0.1, per_seed=True))
        return model.cell.W_hh.data

    assert go([3, 4]) == pytest.approx(np.concatenate([go([3]), go([4])]), rel=1e-12)


def test_only_every_tenth_step_is_recorded_when_asked():
    net = Net()
    history = fit(net, classify, moons(), SGD(net, 0.1), 25, record=10)
    assert history.column("step").tolist() == [1, 11, 21]
    assert history.steps == len(history.losses) == 25


def test_the_history_is_a_table_and_survives_json():
    model = Recurrent(2, 1)
    history = fit(model, regress, training.adding(40, 4, 0), SGD(model, 0.1), 30, clip=1.0, radius=["cell.W_hh"])
    text = str(history)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("step", "cell.W_hh", "readout.b", "[0]", "… 25 more", "[40]", "spectral radius of", "|Δw| / |w| of"):
        assert word in text
    again = History.from_dict(json.loads(json.dumps(history.to_dict())))
    assert (again.records, again.losses) == (history.records, history.losses)
    assert history.column("states").shape == (30, 41)
    assert str(History()) == "0 steps, none recorded"


def test_gradient_norms_of_any_model_print_as_a_table():
    net = Net(leaf=scalars)
    classify(net, training.two_moons(3)).backward()
    net.spare = Scalar(2.0)
    lines = training.gradient_table(net).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == ["parameter", *net.parameters()]
    assert "spare 1 2 none".split() in [line.split() for line in lines]


def test_after_can_end_a_run():
    net = Net()
    assert fit(net, classify, moons(), SGD(net, 0.1), 50, after=lambda history: history.steps == 7).steps == 7


def test_clipping_by_value_is_a_function_away():
    net = Net()
    history = fit(net, classify, moons(), SGD(net, 0.1), 2, clip=lambda p: training.clip_value(p, 1e-4))
    assert history.column("factor").min() > 0.5  # the share that was cut
    assert max(np.abs(leaf.grad).max() for leaf in net.parameters().values()) == 1e-4


# --- when a value stops being finite


def product_model(p):
    w = [Scalar(p["w0"], name="w")] * p["L"] if p["tied"] else [Scalar(p["w0"], name=f"w{k}") for k in range(p["L"])]
    return {str(x.name): x for x in w}, lambda model, batch: square(math.prod(w[1:], start=w[0]) - 1) * 0.5


@pytest.mark.parametrize("entry", [e for e in REFERENCE if e["kind"] == "explode_to_nonfinite"], ids=lambda e: e["id"])
def test_an_explosion_is_noticed_at_the_step_where_it_happens(entry):
    model, loss = product_model(entry["params"])
    expected = entry["value"]["first_nonfinite_step"]
    try:
        fit(model, loss, [None] * 50, SGD(model, entry["params"]["lr"]), 50)
    except Diverged as error:
        assert error.step == expected
        assert error.history.steps == expected - 1
        assert "w" in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.step, again.history.losses) == (str(error), error.step, error.history.losses)
    else:
        assert expected is None


@pytest.mark.parametrize("tied", [False, True])
def test_the_largest_stable_step_of_a_product(tied):
    (entry,) = [e for e in REFERENCE if e["kind"] == "max_stable_lr_product"]
    L, largest = entry["params"]["L"], entry["value"]["tied" if tied else "untied"]
    for lr, converges in ((0.9 * largest, True), (1.1 * largest, False)):
        model, loss = product_model({"w0": 1 + 1e-9, "L": L, "tied": tied})
        losses = fit(model, loss, [None] * 60, SGD(model, lr), 60).losses
        assert (losses[-1] < losses[0]) is converges


def test_the_first_node_and_its_line_are_named_forward():
    w = Tensor([2.0, 1.0], name="w")

    def loss(model, batch):
        return log(w - 1.5).sum()  # the culprit

    with pytest.raises(Diverged, match=r"step 1: the loss is nan: log made .* of .*test_fit\.py:\d+: return log.*the culprit"):
        fit({"w": w}, loss, [None], SGD({"w": w}, 0.1), 1)


def test_the_first_node_is_named_backward():
    w = Tensor([0.0], name="w")
    with pytest.raises(Diverged, match=r"step 1: the gradient of w is not finite: backward through sqrt, from .* to w"):
        fit({"w": w}, lambda model, batch: np.sqrt(w).sum(), [None], SGD({"w": w}, 0.1), 1)
    assert w.data[0] == 0


def test_a_step_that_overflows_names_the_parameter():
    w = Tensor([1.0], name="w")
    with pytest.raises(Diverged, match=r"step 1: w is not finite after a step along its gradient, of length 1e\+200, with learning rate 1e\+150"):
        fit({"w": w}, lambda model, batch: (w * 1e200).sum(), [None], SGD({"w": w}, 1e150), 1)


def test_a_parameter_that_was_not_finite_before_is_named():
    w = Tensor([math.inf], name="w")
    with pytest.raises(Diverged, match=r"step 1: the loss is inf; w was not finite before the step"):
        fit({"w": w}, lambda model, batch: w.sum(), [None], SGD({"w": w}, 0.1), 1)


def test_the_batch_is_gone_through_again_with_the_same_random_numbers():
    w, rng, seen = Tensor([1.0], name="w"), np.random.default_rng(0), []

    def loss(model, batch):
        seen.append(rng.uniform())
        return log(w - 1 - (seen[-1] < 2) * 1.0).sum()

    with pytest.raises(Diverged, match="log made"):
        fit({"w": w}, loss, [None], SGD({"w": w}, 0.1), 1, rng=rng)
    assert len(seen) == 2 and seen[0] == seen[1]


@pytest.mark.parametrize(("result", "given"), [(1.0, "float"), (Tensor([1.0, 2.0], name="y"), r"y, shape \(2,\)")])
def test_a_loss_that_is_no_single_node_is_refused(result, given):
    w = Tensor([1.0])
    with pytest.raises(TypeError, match=f"loss_fn must return one number .* got {given}"):
        fit({"w": w}, lambda model, batch: result, [None], SGD({"w": w}, 0.1), 1)


# --- interrupted and resumed


class Interrupted(BaseException):
    pass


def run(optimiser, path=None, stop=None, resume=False, steps=20):
    """A run with dropout, noise in the batches and running statistics; stopped in the middle of step `stop`."""
    net = Net(dropout=0.3)
    count = [0]

    def loss(net, batch):
        count[0] += 1
        if count[0] == stop:
            net.rng.uniform(size=5)
            raise Interrupted
        return classify(net, batch)

    points, labels = training.two_moons()

    def draw(rng):
        k = rng.integers(0, 200, 10)
        return points[k] + rng.normal(0, 0.05, (10, 2)), labels[k]

    history = fit(
        net, loss, Batches(draw, 5), optimiser(net), steps, clip=1.0, checkpoint=path, every=3 if path else None, resume=resume, record=4
    )  # fmt: skip
    return net, history


OPTIMISERS = {
    "sgd": lambda net: SGD(net, training.cosine(0.1, 20)),
    "momentum": lambda net: SGD(net, 0.1, 0.9, nesterov=True),
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": lambda net: AdamW(net, training.warm_up(0.01, 10)),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("stop", sorted({int(k) for k in np.random.default_rng(0).integers(4, 21, 6)}))
def test_a_run_interrupted_anywhere_and_resumed_ends_with_the_same_bits(name, stop, tmp_path):
    whole, history = run(OPTIMISERS[name])
    path = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        run(OPTIMISERS[name], path, stop)
    net, again = run(OPTIMISERS[name], path, resume=True)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(whole.parameters().values(), net.parameters().values()))
    assert np.array_equal(whole.running, net.running)
    assert whole.rng.bit_generator.state == net.rng.bit_generator.state
    assert (again.losses, again.records) == (history.losses, history.records)
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_dropout_and_batch_norm_resume_too(tmp_path):
    def go(path, steps, **options):
        net = MLP([2, 8, 8, 2], norm="batch", dropout=0.3, rng=1)
        fit(net, classify, moons(2), Adam(net, 0.01), steps, checkpoint=path, **options)
        return net.state_dict()

    whole = go(tmp_path / "whole.npz", 12)
    go(tmp_path / "run.npz", 5)
    resumed = go(tmp_path / "run.npz", 12, resume=True)
    assert list(whole) == list(resumed)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    assert any("running_mean" in name for name in whole)


def test_batches_without_a_generator_are_wound_forward(tmp_path):
    def go(steps, **options):
        w = {"w": Tensor([0.0])}
        fit(w, lambda w, x: square(w["w"] - x).sum(), iter(range(10)), SGD(w, 0.1), steps, checkpoint=tmp_path / "run.npz", **options)
        return w["w"].data[0]

    go(4)
    assert go(9, resume=True) == go(9)


def test_scalars_resume_too(tmp_path):
    def go(steps, **options):
        net = Net(leaf=scalars)
        task = training.minibatches(*training.two_moons(), 2, 0)
        fit(net, classify, task, SGD(net, 0.1, 0.9), steps, checkpoint=tmp_path / "run.npz", **options)
        return value(net.hidden.W)

    go(2)
    assert np.array_equal(go(4, resume=True), go(4))


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_kind_of_generator_is_saved_whole(kind, tmp_path):
    rng, w = np.random.Generator(kind(3)), {"w": Tensor([0.0])}
    rng.integers(0, 9, 3, dtype=np.int32)
    training.save_run(tmp_path / "run.npz", w, SGD(w, 0.1), [rng], History())
    expected, later = rng.uniform(size=4), np.random.Generator(kind(8))
    training.load_run(tmp_path / "run.npz", w, SGD(w, 0.1), [later])
    assert np.array_equal(later.uniform(size=4), expected)


def test_a_file_that_does_not_fit_changes_nothing_and_says_why(tmp_path):
    path = tmp_path / "run.npz"
    run(OPTIMISERS["adam"], path, steps=3)
    net = Net(dropout=0.3)
    before = {name: leaf.data for name, leaf in net.parameters().items()}
    rngs = [np.random.default_rng(0), np.random.default_rng(1)]
    with pytest.raises(ValueError, match=r"hidden\.W\.m is unknown"):
        training.load_run(path, net, SGD(net, 0.1), rngs)
    with pytest.raises(ValueError, match=r"\[PCG64, PCG64\], this run has 0; pass fit the same rng"):
        training.load_run(path, net, Adam(net), [])
    net.hidden.W = Tensor(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"the model, .*hidden\.W is float64 \(16, 2\), expected float64 \(3, 2\)"):
        training.load_run(path, net, Adam(net), rngs)
    assert all(np.array_equal(leaf.data, before[name]) for name, leaf in net.parameters().items() if name != "hidden.W")
    with pytest.raises(FileNotFoundError):
        training.load_run(tmp_path / "none.npz", net, Adam(net), rngs)
    with pytest.raises(ValueError, match="need a checkpoint"):
        fit(net, classify, moons(), Adam(net), 3, resume=True)


def test_a_damaged_file_is_refused_and_changes_nothing(tmp_path):
    path, rng = tmp_path / "run.npz", np.random.default_rng(0)
    run(OPTIMISERS["adam"], path, steps=3)
    whole = path.read_bytes()
    net = Net(dropout=0.3)
    optimiser, rngs = Adam(net), [np.random.default_rng(0), np.random.default_rng(1)]
    before = state_of(net, optimiser, rngs)
    refused = 0
    for k in range(200):
        damaged = bytearray(whole[: rng.integers(0, len(whole))] if k % 2 else whole)
        if damaged:
            damaged[rng.integers(0, len(damaged))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            training.load_run(path, net, optimiser, rngs)
        except ValueError:
            refused += 1
            assert state_of(net, optimiser, rngs) == before
        else:  # a bit that no reader looks at, such as a date in the zip: all that counts came through
            now = state_of(net, optimiser, rngs)
            path.write_bytes(whole)
            training.load_run(path, net, optimiser, rngs)
            assert state_of(net, optimiser, rngs) == now
            net, optimiser, rngs = Net(dropout=0.3), None, [np.random.default_rng(0), np.random.default_rng(1)]
            optimiser = Adam(net)
    assert refused > 150


def state_of(net, optimiser, rngs):
    arrays = net.parameters() | {"running": Tensor(net.running)}
    return repr([*(leaf.data.tolist() for leaf in arrays.values()), optimiser.state_dict(), [g.bit_generator.state for g in rngs]])


def test_a_file_is_complete_or_untouched(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    run(OPTIMISERS["sgd"], path, steps=3)
    whole = path.read_bytes()

    def full_disk(handle):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        run(OPTIMISERS["sgd"], path, steps=3)
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


# --- the progress line


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_progress_shows_on_a_terminal_and_nowhere_else(stream, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    net = Net()
    fit(net, classify, moons(), SGD(net, 0.1), 3)
    text = sys.stderr.getvalue()
    assert ("\rstep 3/3  loss 0." in text and text.endswith("\n")) if shown else text == ""


def test_a_piped_run_writes_nothing():
    code = (
        "from tinygrad_vg import training as t, Tensor, square\n"
        "w = {'w': Tensor([1.0])}; t.fit(w, lambda w, _: square(w['w']).sum(), [0] * 5, t.SGD(w, 0.1), 5)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
