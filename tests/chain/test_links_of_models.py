"""Each link's matrix is the complex-step Jacobian of the same piece of code, for every cell and for the layers of a network."""

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, history, nn, square

CELLS = {
    "rnn": lambda: nn.RNNCell(2, 3, rng=1),
    "sigmoid rnn": lambda: nn.RNNCell(2, 3, "sigmoid", rng=1),
    "leaky": lambda: nn.LeakyCell(2, 3, tau=4.0, rng=1),
    "skip": lambda: nn.SkipCell(2, 3, delay=3, rng=1),
    "lstm": lambda: nn.LSTMCell(2, 3, rng=1),
    "gru": lambda: nn.GRUCell(2, 3, rng=1),
    "lru": lambda: nn.LRUCell(2, 4, rng=1),
    "mingru": lambda: nn.MinGRUCell(2, 3, rng=1),
    "selective": lambda: nn.SelectiveCell(2, 3, rng=1),
    "reservoir": lambda: nn.Reservoir(2, 3, leak=0.5, rng=1),
}


def plain_copy(cell):
    """The same cell with arrays for weights: what it computes then, it computes on complex numbers too."""
    copy = type(cell).__new__(type(cell))
    vars(copy).update({name: value.data if isinstance(value, Tensor) else value for name, value in vars(cell).items()})
    return copy


def packed(state):
    return np.concatenate([np.ravel(part) for part in state]) if isinstance(state, tuple) else np.ravel(state)


def unpacked(vector, like):
    if not isinstance(like, tuple):
        return vector
    return tuple(np.split(vector, len(like)))


@pytest.mark.parametrize("name", CELLS)
def test_the_link_from_state_to_state_is_the_jacobian_of_the_cell(name):
    cell, inputs = CELLS[name](), np.random.default_rng(0).normal(size=(7, 2))
    states = nn.unroll(cell, inputs)
    late = 4  # from here on every state is made of computed nodes
    loss = square(cell.output(states[-1])).sum()
    source = states[late][0] if isinstance(states[late], tuple) else states[late]
    whole = Chain(loss, cell.output(states[0]), through=states[late:])
    link = next(link for link in whole.links if len(link.start) == len(link.end) and source in set(link.start))
    plain, x = plain_copy(cell), inputs[late]
    values = packed(tuple(s.data for s in states[late]) if isinstance(states[late], tuple) else states[late].data)
    columns = [packed(plain(x, unpacked(values + 1e-30j * e, states[late]))).imag / 1e-30 for e in np.eye(len(values))]
    assert np.max(np.abs(link.dense() - np.transpose(columns))) < 1e-12


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("residual", [False, 0.5])
def test_the_link_from_layer_to_layer_is_the_jacobian_of_the_layer(norm, residual):
    net = nn.MLP([3, 4, 4, 2], norm=norm, residual=residual, rng=0)
    loss = square(net(Tensor(np.random.default_rng(0).normal(size=(3, 3)), name="x"))).sum()
    layers = {node.name.index[0]: node for node in history(loss) if node.name and node.name.base == "h"}
    link = next(link for link in Chain(loss, layers[1], through=[layers[2]]).links if link.name == "h[1] → h[2]")
    W, b = net.layer2.W.data, net.layer2.b.data

    def layer(h):
        z = h @ W.T + b
        if norm:
            axis, scale = (0, net.norm2) if norm == "batch" else (1, net.norm2)
            centred = z - z.mean(axis, keepdims=True)
            z = scale.gamma.data * centred / np.sqrt((centred**2).mean(axis, keepdims=True) + scale.eps) + scale.beta.data
        return residual * np.tanh(z) + h if residual else np.tanh(z)

    h = layers[1].data
    columns = [layer(h + 1e-30j * e.reshape(h.shape)).imag.ravel() / 1e-30 for e in np.eye(h.size)]
    assert np.max(np.abs(link.dense() - np.transpose(columns))) < 1e-12
