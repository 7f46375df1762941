"""With PyTorch's weights, every layer gives PyTorch's outputs and all of PyTorch's gradients, to 1e-12.

The answers were made once, with PyTorch 2.13, by tests/data/make_torch_answers.py; no torch is needed here.
"""

import pathlib

import numpy as np
import pytest

from tinygrad_vg import Tensor, nn, scalars, stack, sum
from tinygrad_vg.nn.layers import ACTIVATIONS, Linear
from tinygrad_vg.nn.norms import BatchNorm, LayerNorm
from tinygrad_vg.nn.recurrent import RNNCell, Stacked, unroll
from tinygrad_vg.nn.weights import load_weights

gated = pytest.importorskip("tinygrad_vg.nn.gated")
N_IN, N = 3, 4

# case: how the layer is made; how its parameters' gradients are cut out of PyTorch's
LAYERS = {
    "linear": lambda leaf: Linear(N_IN, N, leaf=leaf),
    "linear_vector": lambda leaf: Linear(N_IN, N, leaf=leaf),
    "layernorm": lambda leaf: LayerNorm(N, leaf=leaf),
    "batchnorm_train": lambda leaf: BatchNorm(N, leaf=leaf),
    "batchnorm_eval": lambda leaf: BatchNorm(N, leaf=leaf).eval(),
}
CELLS = {
    "rnn_tanh": (lambda leaf: RNNCell(N_IN, N, leaf=leaf), "h"),
    "rnn_relu": (lambda leaf: RNNCell(N_IN, N, "relu", leaf=leaf), "h"),
    "lstm": (lambda leaf: gated.LSTMCell(N_IN, N, leaf=leaf), "ifgo"),
    "gru": (lambda leaf: gated.GRUCell(N_IN, N, leaf=leaf), "rzn"),
}


@pytest.fixture(scope="module")
def answers():
    with np.load(pathlib.Path(__file__).parents[1] / "data" / "torch_answers.npz") as file:
        every = dict(file)

    def of(case, kind):
        return {key.split("/")[2]: array for key, array in every.items() if key.split("/")[:2] == [case, kind]}

    return of


def plain(x):
    """The values of a Tensor, or of an object array of Scalars."""
    return x.data if isinstance(x, Tensor) else np.vectorize(lambda s: getattr(s, "data", s), otypes=[float])(x)


def gradient(leaf):
    return leaf.grad if isinstance(leaf, Tensor) else np.vectorize(lambda s: s.grad, otypes=[float])(leaf)


def agree(ours, theirs):
    assert ours.shape == theirs.shape
    assert np.max(np.abs(ours - theirs)) <= 1e-12 * max(1, np.max(np.abs(theirs)))


def expected_of_cell(theirs, letters):
    """PyTorch's gradients by our names, written out once more: the weights' test must not lean on what it tests."""
    rows = {gate: slice(k * N, (k + 1) * N) for k, gate in enumerate(letters)}
    mine = {f"W_x{gate}": theirs["weight_ih_l0"][cut] for gate, cut in rows.items()}
    mine |= {f"W_h{gate}": theirs["weight_hh_l0"][cut] for gate, cut in rows.items()}
    mine |= {f"b_{gate}": theirs["bias_ih_l0"][cut] for gate, cut in rows.items()}
    return mine | ({"b_hn": theirs["bias_hh_l0"][rows["n"]]} if "n" in rows else {})


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("case", LAYERS)
def test_layers_give_pytorchs_outputs_and_gradients(answers, case, leaf):
    layer, x = load_weights(LAYERS[case](leaf), answers(case, "state")), leaf(answers(case, "in")["x"])
    y = layer(x)
    agree(plain(y), answers(case, "out")["y"])
    sum(y * answers(case, "seed")["y"]).backward()
    theirs = answers(case, "grad")
    agree(gradient(x), theirs["x"])
    for leaf, name in zip(layer.parameters().values(), ("weight", "bias")):
        agree(gradient(leaf), theirs[name])
    for name, array in layer.buffers().items():
        agree(array, answers(case, "after")[name])


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("case", CELLS)
def test_cells_give_pytorchs_states_and_gradients(answers, case, leaf):
    make, letters = CELLS[case]
    cell, inputs = load_weights(make(leaf), answers(case, "state")), answers(case, "in")
    xs = [leaf(x) for x in inputs["x"]]
    first = (leaf(inputs["h0"]), leaf(inputs["c0"])) if case == "lstm" else leaf(inputs["h0"])
    states = unroll(cell, xs, first)
    hs = [state[0] if case == "lstm" else state for state in states[1:]]
    ours = {"y": stack(hs), "h": hs[-1]} | ({"c": states[-1][1]} if case == "lstm" else {})
    for name, array in answers(case, "out").items():
        agree(plain(ours[name]), array)
    terms = [sum(ours[name] * seed) for name, seed in answers(case, "seed").items()]
    sum(stack(terms)).backward()
    theirs = answers(case, "grad")
    agree(np.stack([gradient(x) for x in xs]), theirs["x"])
    for state, name in zip(first if case == "lstm" else [first], ("h0", "c0")):
        agree(gradient(state), theirs[name])
    expected = expected_of_cell(theirs, letters)
    assert set(expected) == set(cell.parameters())
    for name, leaf in cell.parameters().items():
        agree(gradient(leaf), expected[name])


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu"])
def test_activations_give_pytorchs_values_and_slopes(answers, name):
    case = "activation_" + {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "gelu": "GELU"}.get(name, name.capitalize())
    x = Tensor(answers(case, "in")["x"])
    y = ACTIVATIONS[{"gelu": "gelu_tanh"}.get(name, name)](x)  # the answer is that of approximate="tanh"
    y.backward(answers(case, "seed")["y"])
    agree(y.data, answers(case, "out")["y"])
    agree(x.grad, answers(case, "grad")["x"])


def test_a_stack_takes_the_layers_of_one_pytorch_lstm():
    stacked = Stacked([gated.LSTMCell(N_IN, N, name="1"), gated.LSTMCell(N, N, name="2")])
    rng = np.random.default_rng(0)
    state = {f"{name}_l{k}": rng.normal(size=(4 * N, *shape)) for k in (0, 1) for name, shape in (
        ("weight_ih", (N_IN if k == 0 else N,)), ("weight_hh", (N,)), ("bias_ih", ()), ("bias_hh", ()))}  # fmt: skip
    load_weights(stacked, {f"lstm.{name}": array for name, array in state.items()}, prefix="lstm.")
    second = stacked.parameters()
    assert np.array_equal(second["cells.1.W_xf"].data, state["weight_ih_l1"][N : 2 * N])
    assert np.array_equal(second["cells.0.b_o"].data, (state["bias_ih_l0"] + state["bias_hh_l0"])[3 * N :])
    assert nn.unroll(stacked, np.ones((2, N_IN)))[-1][1][0].shape == (N,)
