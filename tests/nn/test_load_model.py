"""PyTorch's own programs, opened without PyTorch: its outputs and all of its gradients, names, lines, blame; no other file opens.

The files were made by tests/data/make_exported.py; no torch is needed here.
"""

import copy
import functools
import gc
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Chain, Tensor, by_hand, history, load_model, nn, reach, uses, verdict
from tinygrad_vg.nn.exported.aten import OPS, SIZES
from tinygrad_vg.nn.exported.program import read_export

DATA = pathlib.Path(__file__).parents[1] / "data"
FILES = {path.stem: path for path in sorted((DATA / "exported").glob("*.pt2"))}
SAME = sorted(FILES.keys() - {"random", "random_core", "float32"})


@functools.cache
def answers():
    """{case: {key: array}}, from one vector for each case."""
    with np.load(DATA / "exported.npz") as file:
        vectors = dict(file)
    layout, every = json.loads(vectors.pop("layout").tobytes()), {}
    for case, keys in layout.items():
        ends = np.cumsum([int(np.prod(shape)) for shape, _ in keys.values()])[:-1]
        parts = np.split(vectors[case], ends)
        every[case] = {key: part.reshape(shape).astype(dtype) for (key, (shape, dtype)), part in zip(keys.items(), parts)}
    return every


def run(case):
    """The model, its inputs (leaves where they are floats), its outputs, the loss, and {name: node} of all that have one."""
    model, known = load_model(FILES[case]), answers()[case]
    inputs = [known[f"in/{k}"] for k in range(len(model.inputs))]
    inputs = [Tensor(x, name) if x.dtype.kind == "f" else x for name, x in zip(model.inputs, inputs)]
    outputs = model(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = (sum((y * y).sum() for y in outputs) / 2).named("L")
    return model, inputs, outputs, loss, {str(node.name): node for node in history(loss) if node.name}


def agree(ours, theirs):
    assert np.shape(ours) == theirs.shape
    assert np.max(np.abs(ours - theirs), initial=0) <= 1e-10 * max(1, np.max(np.abs(theirs), initial=0))


# ---------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("case", SAME)
def test_outputs_loss_and_every_gradient_are_pytorchs(case):
    model, inputs, outputs, loss, _ = run(case)
    loss.backward()
    known = answers()[case]
    for k, y in enumerate(outputs):
        agree(y.data, known[f"out/{k}"])
    agree(loss.item(), known["loss"])
    leaves = model.parameters() | {str(k): x for k, x in enumerate(inputs) if isinstance(x, Tensor)}
    for name, leaf in leaves.items():
        agree(np.zeros(leaf.shape) if leaf.grad is None else leaf.grad, known[f"grad/{name}"])
    assert {key for key in known if key.startswith("grad/")} == {f"grad/{name}" for name in leaves}
    count("gradients of exported models", len(leaves))


def test_every_row_of_the_table_of_ops_has_a_sample():
    seen = {step.target for path in FILES.values() for step in read_export(path).steps}
    rows = {}
    for target, function in OPS.items():
        rows.setdefault(id(function), []).append(target.removeprefix("torch.ops.aten."))
    sampled = {id(OPS[target]) for target in seen}
    left = [names[0] for key, names in rows.items() if key not in sampled]
    assert set(left) <= {f"_operator.{name}" for name in SIZES} | {"_safe_softmax.default"}
    assert len(OPS) > 240


def test_remainders_floors_and_truths_are_torchs_where_a_quotient_rounds():
    def op(name, *args, **how):
        return np.asarray(OPS[f"torch.ops.aten.{name}"](*args, **how)).tolist()

    x = np.array([1.0, -1.0, 5.3])  # 1 / 0.1 is 10, and yet 0.1 goes into 1 only nine times: as a float it is a little more
    assert op("remainder.Scalar", x, 0.1) == [a % 0.1 for a in x]
    assert op("fmod.Scalar", x, 0.1) == [math.fmod(a, 0.1) for a in x]
    assert op("div.Tensor_mode", x, 0.1, rounding_mode="floor") == [9.0, -10.0, 52.0]
    assert op("div.Tensor_mode", x[:2], 0.1, rounding_mode="trunc") == [10.0, -10.0]
    assert op("logical_and.default", np.array([1, 2, 0]), np.array([2, 2, 1])) == [True, True, False]
    assert op("logical_or.default", np.array([1.5, 0.0]), np.array([0.0, 0.0])) == [True, False]
    assert op("roll.default", np.array([[1, 2], [3, 4]]), [1]) == [[4, 1], [2, 3]]


def test_torch_is_not_needed():
    code = f"import sys, numpy, tinygrad_vg as vg; vg.load_model({str(FILES['rnn'])!r})(numpy.ones((3, 5, 2))); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_dropout_and_noise_are_drawn_from_the_models_own_generator():
    for case in ("random", "random_core"):
        x = np.ones((3, 4))
        first, again, other = (load_model(FILES[case], rng=seed)(x) for seed in (0, 0, 1))
        assert all(np.array_equal(a.data, b.data) for a, b in zip(first, again))
        assert not any(np.array_equal(a.data, b.data) for a, b in zip(first, other))
        kept = first[0].data != 0
        layer = load_model(FILES[case]).parameters()
        y = x @ layer["layer.weight"].data.T + layer["layer.bias"].data
        np.testing.assert_allclose(first[0].data[kept], (y / 0.75)[kept])


def test_float32_stays_float32():
    model = load_model(FILES["float32"])
    assert {leaf.dtype for leaf in model.parameters().values()} == {np.dtype(np.float32)}
    y, known = model(answers()["float32"]["in/0"]), answers()["float32"]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, known["out/0"], rtol=1e-4)


# ---------------------------------------------------------------- a model like ours


def test_states_of_fused_nets_are_named_by_time_so_chain_uses_reach_and_by_hand_work():
    model, _, (y,), loss, names = run("rnn")
    states = [names[f"h[{t}]"] for t in range(6)]
    chain = Chain(loss, states[0], through=states[1:])
    assert {f"h[{t}]" for t in range(6)} <= {str(station[0].name) for station in chain.stations}
    every = uses(loss, model.parameters()["rnn.weight_hh_l0"])
    assert len(every) == 5
    agree(sum(use.gradient for use in every), vg.grad(loss, model.parameters()["rnn.weight_hh_l0"]))
    program = by_hand(loss)
    assert "for t in range(1, T + 1):" in program.source and "h[t] = np.tanh(z)" in program.source
    agree(program()[0], np.asarray(loss.item()))
    assert verdict(loss, model).kind == "shallow slopes"


def test_lstm_states_are_groups_of_h_and_c():
    model = load_model(FILES["lstm_states"])
    loss = sum((y * y).sum() for y in model(answers()["lstm_states"]["in/0"])[:1])
    names = {str(node.name): node for node in history(loss) if node.name}
    groups = [(names[f"h[{t}]"], names[f"c[{t}]"]) for t in range(6)]
    chain = Chain(loss, names["c[0]"], through=groups[1:])
    assert len(chain.links) >= 6
    agree(chain.blame().total, np.asarray(sum(chain.blame().parts.values())))


def test_a_loss_at_each_step_reaches_back():
    model, _, (y,), _, names = run("lstm2")
    losses = [(y[:, t] * y[:, t]).sum() for t in range(5)]
    matrix = reach(losses, [names[f"h1[{t}]"] for t in range(1, 6)]).matrix
    assert np.all(np.triu(matrix, 1) == 0) and np.all(np.diag(matrix) > 0)


@pytest.mark.parametrize("case", ["lstm2", "lstm_both_ways", "lstm_by_cell", "cells"])
def test_layers_and_directions_have_names_of_their_own(case):
    names = run(case)[-1]
    wanted = {"lstm2": "h1[0] c1[5] h2[5] i2[3]", "lstm_both_ways": "h1[0] h1r[0] h2[5] c2r[1]", "lstm_by_cell": "h[1] h[5] head",
              "cells": "rnn.h[1] relu.h[5] lstm.c[5] gru.h[5] lstm.f[2]"}
    assert set(wanted[case].split()) <= names.keys()


def test_layers_are_named_by_the_path_of_their_module():
    names = run("encoder_post")[-1]
    assert {"encoder.layers.norm1[0]", "encoder.layers.linear2[1]", "head", "encoder.layers.0.linear1.weight"} <= names.keys()
    assert {f"layers[{k}]" for k in range(12)} <= run("mlp_sigmoid_core")[-1].keys()


@pytest.mark.parametrize("case, source", [
    ("rnn", "h[0]"), ("gru", "h[0]"), ("lstm2", "c1[0]"), ("lstm_both_ways", "c1[0]"), ("lstm_by_cell", "h[1]"), ("mlp_tanh", "x"),
    ("mlp_sigmoid_core", "x"), ("resnet_train", "x"), ("resnet_eval", "x"), ("encoder_post", "x"), ("encoder_pre", "x"), ("cnn", "x"),
    ("gpt", "wpe.weight"), ("gpt_core", "wpe.weight"), ("scan", "x"), ("mamba", "x"), ("unet", "x"), ("vae", "x")])
def test_blame_leaves_next_to_nothing_to_other(case, source):
    *_, loss, names = run(case)
    parts = Chain(loss, names[source]).blame().parts
    assert abs(parts.get("other", 0)) < 0.05 * sum(map(abs, parts.values()))


@pytest.mark.parametrize("case", ["rnn", "lstm2", "gru_time_first", "mlp_bn_train", "encoder_pre", "gpt", "resnet_eval", "unet", "vae", "mamba"])
def test_the_program_by_hand_gives_the_same_gradients(case):
    model, *_, loss, _ = run(case)
    program = by_hand(loss)
    value, gradients = program()
    loss.backward()
    agree(value, np.asarray(loss.item()))
    for name, leaf in program.leaves.items():
        for one, g in zip(leaf, gradients[name]) if isinstance(leaf, list) else [(leaf, gradients[name])]:
            agree(g, one.grad)


def test_where_names_the_line_of_the_source():
    model, _, (y,), loss, names = run("mlp_tanh")
    script = (DATA / "make_exported.py").read_text(encoding="utf-8").splitlines()
    for node, code in ((names["layers[3]"], "x = self.activation(layer(x))"), (y, "return self.head(x)")):
        place, _, line = model.where(node).partition("  ")
        file, _, number = place.partition(":")
        assert (file, line) == ("make_exported.py", code) and script[int(number) - 1].strip() == code
    assert model.where(loss) is None and model.where(model.parameters()["head.bias"]) is None
    inside = [model.where(node) for node in history(loss) if str(node.name) == "h[2]" or node.op == "tanh"]
    assert set(inside) == {model.where(names["layers[3]"])}


def test_where_forgets_a_graph_that_is_gone():
    model, _, _, loss, _ = run("rnn")
    assert len(model._lines) > 20
    del _, loss
    gc.collect()
    assert not model._lines


def test_it_is_a_module_with_a_state_that_saves_loads_and_copies(tmp_path):
    model = load_model(FILES["mlp_bn_train"])
    assert set(model.buffers()) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    x = answers()["mlp_bn_train"]["in/0"]
    model(x)
    assert model.buffers()["1.num_batches_tracked"] == 1 and np.any(model.buffers()["1.running_mean"])
    nn.save_weights(model, tmp_path / "w.npz")
    other = load_model(FILES["mlp_bn_train"])
    nn.load_weights(other, tmp_path / "w.npz")
    assert np.array_equal(other.buffers()["1.running_mean"], model.buffers()["1.running_mean"])
    twin = copy.deepcopy(model)
    twin.parameters()["0.weight"].data = np.zeros((6, 4))
    assert np.any(model.parameters()["0.weight"].data) and not np.array_equal(twin(x).data, model(x).data)
    assert "0.weight 6×4" in repr(model)


def test_tied_weights_are_one_leaf():
    model = load_model(FILES["gpt"])
    assert "head.weight" not in model.parameters() and "wte.weight" in model.parameters()


def test_sizes_that_were_left_open_are_open():
    model = load_model(FILES["any_batch"])
    assert model.inputs == {"x": ((None, 4), "float64")}
    assert model(np.ones((7, 4))).shape == (7, 2)
    model = load_model(FILES["any_size"])
    assert [y.shape for y in model(np.ones((2, 4, 2)))] == [(2,), (2, 2), (4,)]


# ---------------------------------------------------------------- what is told


def test_wrong_inputs_are_told_what_was_exported():
    model = load_model(FILES["rnn"])
    with pytest.raises(TypeError, match="takes 1 inputs, x; got 2"):
        model(1, 2)
    with pytest.raises(ValueError, match=r"the input x must have shape \(3, 5, 2\), that of the export .*; got \(4, 5, 2\)"):
        model(np.ones((4, 5, 2)))
    with pytest.raises(ValueError, match="the input tokens must be int64; got float64"):
        load_model(FILES["gpt"])(np.ones((2, 5)))


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_pickle_is_refused_by_its_name_with_what_to_write(suffix):
    with pytest.raises(ValueError, match=r"is a pickle, .* torch.export.save\(torch.export.export\(model, inputs\)"):
        load_model("weights" + suffix)


def test_a_file_that_is_not_there_says_so():
    with pytest.raises(FileNotFoundError):
        load_model("nowhere.pt2")


def test_a_model_says_where_something_that_has_a_gradient_was_detached():
    cuts = {case: dict(run(case)[0].cuts) for case in ("moves", "compared_raw")}  # the second detaches a constant alone
    assert cuts["compared_raw"] == {} and [(line[:20], times) for line, times in cuts["moves"].items()] == [("make_exported.py:307", 1)]
