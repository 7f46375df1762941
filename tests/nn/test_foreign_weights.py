"""Weights of other libraries and other names: what is matched is said, what could mean two things is refused."""

import pathlib

import numpy as np
import pytest

from tinygrad_vg import Tensor, nn, relu
from tinygrad_vg.nn.models import state_of

rng = np.random.default_rng(0)


def linear(n_in, n_out, name):
    return {f"{name}.weight": rng.normal(size=(n_out, n_in)), f"{name}.bias": rng.normal(size=n_out)}


def norm(n, name):
    return {f"{name}.weight": rng.normal(size=n), f"{name}.bias": rng.normal(size=n), f"{name}.running_mean": rng.normal(size=n),
            f"{name}.running_var": rng.random(n), f"{name}.num_batches_tracked": np.int64(3)}  # fmt: skip


def lstm(n_in, n, end, prefix=""):
    shapes = {"weight_ih": (4 * n, n_in), "weight_hh": (4 * n, n), "bias_ih": (4 * n,), "bias_hh": (4 * n,)}
    return {f"{prefix}{name}{end}": rng.normal(size=shape) for name, shape in shapes.items()}


class Reader(nn.Module):
    def __init__(self):
        self.cell, self.readout = nn.LSTMCell(3, 4), nn.Linear(4, 4)


def refused(model, source, **options):
    """The lines of the error, and nothing has changed."""
    before = state_of(model)
    with pytest.raises(ValueError, match="nothing was loaded") as caught:
        nn.load_weights(model, source, **options)
    assert all(np.array_equal(before[name], array) for name, array in state_of(model).items())
    return str(caught.value).split("\n  ")


def test_a_sequential_becomes_an_mlp_by_order_and_shape_and_that_is_said(capsys):
    state = linear(3, 4, "0") | norm(4, "1") | linear(4, 4, "3") | norm(4, "4") | linear(4, 2, "6")
    net = nn.load_weights(nn.MLP([3, 4, 4, 2], norm="batch"), state)
    assert capsys.readouterr().out == (
        "matched by kind, shape and number: 0. → layer1., 1. → norm1., 3. → layer2., 4. → norm2., 6. → layer3.\n")  # fmt: skip
    assert np.array_equal(net.layer2.W.data, state["3.weight"]) and np.array_equal(net.norm2.running_var, state["4.running_var"])


def test_layers_are_counted_not_spelled():
    state = dict(sorted(item for k in range(12) for item in linear(2, 2, f"net.{2 * k}").items()))  # 10 before 2, as in safetensors
    net = nn.load_weights(nn.MLP([2] * 13), state, say=lambda text: None)
    assert all(np.array_equal(net.layer(k + 1).W.data, state[f"net.{2 * k}.weight"]) for k in range(12))


def test_names_that_agree_but_for_the_attribute_are_matched(capsys):
    state = lstm(3, 4, "_l0", "lstm.") | linear(4, 4, "fc")
    net = nn.load_weights(Reader(), state)
    assert capsys.readouterr().out == "matched by kind, shape and number: fc. → readout., lstm.…_l0 → cell.\n"
    assert np.array_equal(net.cell.W_hf.data, state["lstm.weight_hh_l0"][4:8]) and np.array_equal(net.readout.W.data, state["fc.weight"])
    mine = {name.replace("cell.", "rnn."): array for name, array in net.state_dict().items()}
    assert np.array_equal(nn.load_weights(Reader(), mine).cell.b_o.data, net.cell.b_o.data)
    assert capsys.readouterr().out == "matched by kind, shape and number: rnn. → cell.\n"


def test_a_dictionary_of_leaves_has_its_own_names_only():
    w = Tensor(np.zeros(2), name="w")
    assert refused({"w": w}, {"v": np.ones(2)})[1:] == ["missing: w (2,)", "unexpected: v"]


def test_what_could_mean_two_things_is_not_guessed():
    class Pair(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    assert len(refused(Pair(), linear(2, 2, "encoder") | linear(2, 2, "decoder"))) == 9
    assert "unexpected: fc3.weight" in refused(nn.MLP([2, 2, 2]), linear(2, 2, "fc1") | linear(2, 2, "fc2") | linear(2, 2, "fc3"))
    assert "missing: layer1.b (4,)" in refused(nn.MLP([3, 4]), {"0.weight": np.ones((5, 3)), "0.bias": np.ones(5)})


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "_orig_mod.module.", "net."])
def test_a_prefix_is_named(prefix):
    state = {prefix + name: array for name, array in nn.MLP([3, 4, 2]).state_dict().items()}
    assert refused(nn.MLP([3, 4, 2]), state)[1] == f"every name begins with {prefix!r}; pass prefix={prefix!r}"
    nn.load_weights(nn.MLP([3, 4, 2]), state, prefix)
    assert f"pass prefix={prefix!r}" in refused(nn.LSTMCell(3, 4), lstm(3, 4, "_l0", prefix))[1]


def test_a_checkpoint_is_opened_and_a_module_is_not_one():
    net = nn.MLP([3, 4, 2], rng=1)
    for key in ("state_dict", "model_state_dict"):
        other = nn.load_weights(nn.MLP([3, 4, 2], rng=2), {"epoch": 3, key: net.state_dict(), "optimizer": {"lr": 0.1}})
        assert np.array_equal(other.layer1.W.data, net.layer1.W.data)
    with pytest.raises(TypeError, match=r"takes the weights, not the MLP that has them; pass its state_dict\(\)"):
        nn.load_weights(net, net)


def test_weights_without_biases_are_those_of_layers_with_bias_false(capsys):
    state = {"0.weight": np.ones((4, 3)), "2.weight": np.ones((2, 4))}
    assert list(nn.load_weights(nn.MLP([3, 4, 2], bias=False), state).parameters()) == ["layer1.W", "layer2.W"]
    net = nn.MLP([3, 4, 2])
    net.layer1.b.data = np.ones(4)
    assert not nn.load_weights(net, state).layer1.b.data.any()
    assert capsys.readouterr().out.splitlines()[-1] == "there are no biases, so these are 0: layer1.b, layer2.b"
    assert refused(net, {"layer1.weight": np.ones((4, 3)), "layer2.weight": np.ones((2, 4)), "layer2.bias": np.ones(2)})[1:] == [
        "missing: layer1.bias (4,)"]  # fmt: skip
    assert "unexpected: bias" in refused(nn.Linear(3, 4, bias=False), {"weight": np.ones((4, 3)), "bias": np.ones(4)})


def test_a_bidirectional_cell_takes_both_halves():
    state = lstm(3, 4, "_l0") | lstm(3, 4, "_l0_reverse")
    net = nn.load_weights(nn.Bidirectional(nn.LSTMCell(3, 4), nn.LSTMCell(3, 4, name="r")), state)
    assert np.array_equal(net.reverse.W_xi.data, state["weight_ih_l0_reverse"][:4]) and np.array_equal(net.forward.W_xi.data, state["weight_ih_l0"][:4])

    class Tower(nn.Module):
        def __init__(self):
            self.out = nn.Linear(4, 1)
            self.layers = [nn.Bidirectional(nn.LSTMCell(n, 2), nn.LSTMCell(n, 2, name="r")) for n in (3, 4, 4)]

    state = {name: array for k, n in enumerate((3, 4, 4)) for end in ("", "_reverse") for name, array in lstm(n, 2, f"_l{k}{end}").items()}
    state |= linear(4, 1, "out")
    assert np.array_equal(nn.load_weights(Tower(), state).layers[2].reverse.W_hi.data, state["weight_hh_l2_reverse"][:2])
    said = []
    renamed = nn.load_weights(Tower(), {f"rnn.{name}".replace("rnn.out", "fc"): array for name, array in state.items()}, say=said.append)
    assert np.array_equal(renamed.layers[1].reverse.W_hi.data, state["weight_hh_l1_reverse"][:2]) and len(said) == 1


def test_nan_and_inf_are_refused_unless_asked_for():
    state = nn.Linear(2, 2).state_dict()
    state["W"][0] = np.nan, np.inf
    assert refused(nn.Linear(2, 2), state)[1] == "W has 2 of 4 numbers that are nan or inf; if they are to be kept, pass finite=False"
    assert np.isnan(nn.load_weights(nn.Linear(2, 2), state, finite=False).W.data[0, 0])
    assert "0.weight has 1 of 4" in refused(nn.MLP([2, 2]), {"0.weight": np.array([[np.nan, 1], [1, 1]]), "0.bias": np.ones(2)})[1]


def test_a_long_list_of_errors_is_cut_in_one_order():
    state = {f"old{k}": np.ones(1) for k in range(20)}
    lines = refused(nn.MLP([2] * 5), state)
    assert lines[1] == "missing: layer1.W (2, 2)" and lines[-1] == "… and 16 more" and len(lines) == 14
    assert lines == refused(nn.MLP([2] * 5), dict(reversed(state.items())))
    assert lines[9:13] == [f"unexpected: old{k}" for k in range(4)]


# ---------------------------------------------------------------- Keras: its formulas, written out


def keras_cell(n_in, n, count, bias):
    return {"kernel": rng.normal(size=(n_in, count * n)), "recurrent_kernel": rng.normal(size=(n, count * n)), "bias": rng.normal(size=bias)}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_keras_simple_rnn_and_lstm():
    x, h, c = rng.normal(size=3), rng.normal(size=4), rng.normal(size=4)
    w = keras_cell(3, 4, 1, 4)
    cell = nn.load_weights(nn.RNNCell(3, 4), {f"rnn/simple_rnn_cell/{name}:0": array for name, array in w.items()}, "rnn/simple_rnn_cell/")
    assert np.allclose(cell(x, Tensor(h)).data, np.tanh(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]), rtol=0, atol=1e-14)
    w = keras_cell(3, 4, 4, 16)
    cell = nn.load_weights(nn.LSTMCell(3, 4), w)
    i, f, g, o = np.split(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4)
    expected = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    new_h, new_c = cell(x, (Tensor(h), Tensor(c)))
    assert np.allclose(new_c.data, expected, rtol=0, atol=1e-14) and np.allclose(new_h.data, sigmoid(o) * np.tanh(expected), rtol=0, atol=1e-14)


def test_keras_gru_and_the_one_whose_formula_is_another():
    x, h, w = rng.normal(size=3), rng.normal(size=4), keras_cell(3, 4, 3, (2, 12))
    cell = nn.load_weights(nn.GRUCell(3, 4), w)
    (xz, xr, xn), (hz, hr, hn) = np.split(x @ w["kernel"] + w["bias"][0], 3), np.split(h @ w["recurrent_kernel"] + w["bias"][1], 3)
    z = sigmoid(xz + hz)
    expected = z * h + (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn)
    assert np.allclose(cell(x, Tensor(h)).data, expected, rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="reset_after=False"):
        nn.load_weights(nn.GRUCell(3, 4), w | {"bias": w["bias"][0]})


def test_keras_dense_convolution_norm_and_embedding():
    state = {"dense/kernel": rng.normal(size=(3, 4)), "dense/bias": rng.normal(size=4), "batch/gamma": np.ones(4), "batch/beta": np.zeros(4),
             "batch/moving_mean": rng.normal(size=4), "batch/moving_variance": rng.random(4), "dense_1/kernel": np.ones((4, 2)),
             "dense_1/bias": np.zeros(2)}  # fmt: skip
    net, x = nn.load_weights(nn.MLP([3, 4, 2], "relu", norm="batch"), state, say=lambda text: None).eval(), rng.normal(size=(5, 3))
    z = (x @ state["dense/kernel"] + state["dense/bias"] - state["batch/moving_mean"]) / np.sqrt(state["batch/moving_variance"] + 1e-5)
    assert np.allclose(net(x).data, relu(z) @ state["dense_1/kernel"], rtol=0, atol=1e-12)
    kernel = rng.normal(size=(3, 2, 5, 4))
    conv = nn.load_weights(nn.Conv2d(5, 4, (3, 2)), {"conv/kernel": kernel, "conv/bias": np.zeros(4)}, "conv/")
    assert np.array_equal(conv.weight.data[1, 2], kernel[:, :, 2, 1])
    assert nn.load_weights(nn.Embedding(3, 2), {"embeddings": np.ones((3, 2))}).weight.data.all()


def test_torch_answers_of_a_stack_load_into_any_model_of_that_form():
    with np.load(pathlib.Path(__file__).parents[1] / "data" / "torch_layers.npz") as file:
        state = {key.removeprefix("block_pre/state/"): array for key, array in file.items() if key.startswith("block_pre/state/")}
    block = nn.load_weights(nn.TransformerBlock(6, 2, "pre", 8), state)
    mine = block.state_dict()
    assert mine.keys() == state.keys() and all(np.array_equal(mine[name], array) for name, array in state.items())
    assert {name: leaf.name and str(leaf.name) for name, leaf in block.parameters().items()} == {name: name for name in mine}
