"""The further layers and the losses, with PyTorch's weights: PyTorch's outputs and every gradient, to 1e-12.

The answers were made once, with PyTorch 2.14, by tests/data/make_torch_layers.py; no torch is needed here.
"""

import pathlib

import numpy as np
import pytest

from tinygrad_vg import Tensor, log_softmax, nn, scalars, stack, sum

B, T, D = 2, 5, 6
CELLS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}
LAYERS = {
    "embedding": lambda **o: nn.Embedding(7, 3, **o),
    "conv1d": lambda **o: nn.Conv1d(3, 4, 3, **o),
    "conv1d_strided": lambda **o: nn.Conv1d(3, 4, 3, 2, 2, dilation=2, **o),
    "conv1d_single": lambda **o: nn.Conv1d(3, 4, 2, bias=False, **o),
    "conv2d": lambda **o: nn.Conv2d(2, 3, 3, **o),
    "conv2d_strided": lambda **o: nn.Conv2d(2, 3, (3, 2), (2, 1), (1, 0), **o),
    "maxpool1d": lambda **o: nn.MaxPool1d(3, 2, 1),
    "maxpool2d": lambda **o: nn.MaxPool2d(2),
    "avgpool1d": lambda **o: nn.AvgPool1d(3, 2, 1),
    "avgpool2d": lambda **o: nn.AvgPool2d((2, 3), 1),
    "rmsnorm": lambda **o: nn.RMSNorm(D, **o),
    "groupnorm": lambda **o: nn.GroupNorm(2, D, **o),
    "groupnorm_plain": lambda **o: nn.GroupNorm(3, D, **o),
    "attention": lambda **o: nn.Attention(D, **o),
    "attention_heads": lambda **o: nn.Attention(D, 3, causal=True, **o),
    "attention_cross": lambda **o: nn.Attention(D, 2, bias=False, **o),
    "block_pre": lambda **o: nn.TransformerBlock(D, 2, "pre", 8, causal=True, **o),
    "block_post": lambda **o: nn.TransformerBlock(D, 2, "post", 8, causal=True, **o),
    "sequential": lambda **o: nn.MLP([3, 4, 4, 2], norm="batch", **o),
} | {f"bidirectional_{kind}": lambda kind=kind, **o: nn.Bidirectional(CELLS[kind](3, 4, **o), CELLS[kind](3, 4, name="r", **o)) for kind in CELLS}
LOSSES = {
    "cross_entropy": lambda x, labels: nn.cross_entropy(x, labels),
    "cross_entropy_time": lambda x, labels: nn.cross_entropy(x, labels, ignore_index=-100),
    "cross_entropy_weight": lambda x, labels, weight: nn.cross_entropy(x, labels, ignore_index=-100, weight=weight),
    "cross_entropy_smooth": lambda x, labels: nn.cross_entropy(x, labels, label_smoothing=0.1),
    "cross_entropy_all": lambda x, labels, weight: nn.cross_entropy(x, labels, ignore_index=-100, weight=weight, label_smoothing=0.2),
    "binary": nn.binary_cross_entropy,
    "binary_weight": lambda x, target, pos_weight: nn.binary_cross_entropy(x, target, pos_weight=pos_weight),
    "huber": lambda x, target: nn.huber(x, target, 0.7),
    "kl": lambda x, p: nn.kl(log_softmax(x), p),
}
BIASES = {"b_h", "b_i", "b_f", "b_g", "b_o", "b_r", "b_z"}  # the sum of two of PyTorch's, each of which has the gradient of the sum


@pytest.fixture(scope="module")
def answers():
    with np.load(pathlib.Path(__file__).parents[1] / "data" / "torch_layers.npz") as file:
        every = dict(file)

    def of(case, kind):
        return {key.split("/")[2]: array for key, array in every.items() if key.split("/")[:2] == [case, kind]}

    of.cases = {key.split("/")[0] for key in every}
    return of


def values(x):
    return x.data if hasattr(x, "data") and not isinstance(x, np.ndarray) else np.vectorize(lambda s: getattr(s, "data", s), otypes=[float])(x)


def gradient(leaf):
    return leaf.grad if isinstance(leaf, Tensor) else np.vectorize(lambda s: 0.0 if s.grad is None else s.grad, otypes=[float])(leaf)


def agree(ours, theirs):
    assert np.shape(ours) == theirs.shape
    assert np.max(np.abs(ours - theirs)) <= 1e-12 * max(1, np.max(np.abs(theirs)))


def called(case, layer, x=None, i=None, context=None, mask=None):
    """The output of the layer for the inputs that PyTorch's had; a causal layer makes its own mask."""
    if case.startswith(("bidirectional", "biasless")):
        return stack(layer(x))
    options = {} if context is None else {"context": context}
    return layer(i) if case == "embedding" else layer(x, **options)


def of_the_layer(case, theirs):
    """PyTorch's gradients by our names: the loader is asked to cut them up as it does the weights."""
    twin = LAYERS[case]()
    gradients = {name: array for name, array in theirs.items() if name not in ("x", "context")}
    if case.startswith("sequential"):
        gradients |= {f"{k}.running_{what}": np.zeros(4) for k in (1, 4) for what in ("mean", "var")}
    nn.load_weights(twin, gradients, say=lambda text: None)
    return {name: leaf.data for name, leaf in twin.parameters().items()}


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("case", LAYERS)
def test_layers_give_pytorchs_outputs_and_gradients(answers, case, leaf):
    layer, theirs = LAYERS[case](leaf=leaf), answers(case, "grad")
    parameters = layer.parameters()
    if parameters:
        nn.load_weights(layer, answers(case, "state"), say=lambda text: None)
    inputs = {name: array if name in ("i", "mask") else leaf(array) for name, array in answers(case, "in").items()}
    y = called(case, layer, **inputs)
    agree(values(y), answers(case, "out")["y"])
    sum(y * answers(case, "seed")["y"]).backward()
    for name in {"x", "context"} & set(inputs):
        agree(gradient(inputs[name]), theirs[name])
    for name, array in of_the_layer(case, theirs).items() if parameters else ():
        agree((2 if name.split(".")[-1] in BIASES else 1) * gradient(parameters[name]), array)


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("case", LOSSES)
def test_losses_give_pytorchs_values_and_gradients(answers, case, leaf):
    inputs = answers(case, "in")
    x = leaf(inputs.pop("x"))
    loss = LOSSES[case](x, **inputs)
    agree(values(loss), answers(case, "out")["y"])
    (loss * answers(case, "seed")["y"]).backward()
    agree(gradient(x), answers(case, "grad")["x"])


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_takes_the_weights_of_one_without_biases(answers, kind, biased):
    case, said = f"biasless_{kind}", []
    cell = nn.load_weights(CELLS[kind](3, 4, bias=biased), answers(case, "state"), say=said.append)
    x = Tensor(answers(case, "in")["x"])
    y = stack([cell.output(state) for state in nn.unroll(cell, x)[1:]])
    agree(y.data, answers(case, "out")["y"])
    sum(y * answers(case, "seed")["y"]).backward()
    agree(x.grad, answers(case, "grad")["x"])
    assert not said if not biased else said[0].startswith("there are no biases, so these are 0: b_")


def test_every_case_of_the_file_is_asked(answers):
    assert answers.cases == {*LAYERS, *LOSSES, *(f"biasless_{kind}" for kind in CELLS)}
