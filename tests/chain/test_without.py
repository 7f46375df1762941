"""A factor is left out of a link wherever it stands, also in a branch; the rest of the link is as it was."""

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, nn, square


def residual(T=5, n=4, a=0.5, batch=()):
    """Weights W[t] and states h[t] = h[t−1] + a tanh(W[t] h[t−1]), and their chain."""
    rng = np.random.default_rng(0)
    weights, states = [], [Tensor(rng.normal(size=(*batch, n)), name="h[0]")]
    for t in range(1, T + 1):
        weights.append(Tensor(rng.normal(size=(n, n)), name=f"W[{t}]"))
        states.append((states[-1] + a * np.tanh(states[-1] @ weights[-1].T)).named("h", t))
    return weights, states, Chain(square(states[-1]).sum().named("loss"), states[0], through=states)


def parts(weights, states, t, a=0.5):
    """W[t] and the slopes φ′ at step t."""
    W = weights[t - 1].data
    return W, 1 - np.tanh(W @ states[t - 1].data) ** 2, np.eye(len(W))


def product(chain):
    """The links as matrices, multiplied."""
    whole = chain.links[-1].dense()
    for link in reversed(chain.links[:-1]):
        whole = whole @ link.dense()
    return whole.ravel()


def test_the_slopes_in_a_residual_branch_are_one_and_the_skip_stays():
    weights, states, chain = residual()
    W, _, eye = parts(weights, states, 3)
    other = chain.replace("h[2] → h[3]", without="tanh")
    assert np.allclose(other.links[2].dense(), eye + 0.5 * W, rtol=1e-14)
    assert np.allclose(other.gradients[0], product(other), rtol=1e-12)
    assert other.links[2].factor == "[without tanh]" and chain.links[2].factor == "(1 + branch)"


def test_a_weight_in_a_residual_branch_is_the_identity_and_the_skip_and_the_slopes_stay():
    weights, states, chain = residual()
    _, slopes, eye = parts(weights, states, 3)
    for weight in ("W[3]", "W", weights[2]):
        other = chain.replace("h[2] → h[3]", without=weight)
        assert np.allclose(other.links[2].dense(), eye + 0.5 * np.diag(slopes), rtol=1e-14)
        assert np.allclose(other.gradients[0], product(other), rtol=1e-12)
        assert np.allclose(other.links[2].push(slopes), other.links[2].dense() @ slopes, rtol=1e-12)


def test_several_factors_are_left_out_one_after_the_other():
    _, _, chain = residual()
    other = chain.replace(2, without="tanh").replace(2, without="W")
    assert np.allclose(other.links[2].dense(), 1.5 * np.eye(4), rtol=1e-14)
    assert other.links[2].factor == "[without tanh, W]"
    assert np.allclose(other.detailed().gradients[0], other.gradients[0], rtol=1e-14)
    with pytest.raises(ValueError, match=r"W is no factor of h\[2\] → h\[3\]; there are none by name"):
        chain.replace(2).replace(2, without="W")


def test_every_edge_of_the_name_is_left_out():
    W, x = Tensor([[0.5, 2.0], [1.0, -1.0]], name="W"), Tensor([0.3, -0.4], name="x")
    y = (np.tanh(W @ np.tanh(W @ x)) + x).named("y")
    chain = Chain(y, x, through=[], seed=[1.0, 2.0])
    inner = np.tanh(W.data @ x.data)
    slopes = (1 - np.tanh(W.data @ inner) ** 2) * (1 - inner**2)
    assert np.allclose(chain.replace(0, without="W").links[0].dense(), np.eye(2) + np.diag(slopes), rtol=1e-14)
    assert np.allclose(chain.replace(0, without="tanh").links[0].dense(), np.eye(2) + W.data @ W.data, rtol=1e-14)


def test_an_lstm_without_its_forget_gate_keeps_the_whole_memory_and_the_ways_through_the_gates():
    cell = nn.LSTMCell(2, 3, rng=0)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(4, 2)))
    chain = Chain(square(states[-1][0]).sum(), states[0][1], through=states[1:])
    place = chain.index("{h[2], c[2]} -> {h[3], c[3]}")
    c, old = states[3][1].data, chain.links[place].dense()
    named = {node.name.base: node.data for node in chain.links[place].ops if node.name}
    o, slopes, f = named["o"], 1 - np.tanh(c) ** 2, named["f"]
    more = 1 - f  # what ∂c[3]/∂c[2] has more than before
    expected = old.copy()
    expected[3:, 3:] += np.diag(more)
    expected[:3, 3:] += np.diag(o * slopes * more)
    for gate in ("f", "f[3]"):
        other = chain.replace(place, without=gate)
        assert np.allclose(other.links[place].dense(), expected, rtol=1e-13)
        assert np.allclose(other.gradients[0], product(other), rtol=1e-11)


def test_a_batch_and_scalars_too():
    weights, states, chain = residual(batch=(2,))
    J = chain.replace(0, without="tanh").links[0].dense()
    assert np.allclose(J, np.kron(np.eye(2), np.eye(4) + 0.5 * weights[0].data), rtol=1e-14)
    x, w = Scalar(0.5, name="x"), Scalar(3.0, name="w")
    chain = Chain((x + (w * x).tanh()).named("y"), x, through=[])
    assert float(chain.replace(0, without="tanh").links[0]) == 4.0
    assert float(chain.replace(0, without="w").gradients[0]) == pytest.approx(2 - np.tanh(1.5) ** 2)


def test_a_bias_a_summand_and_a_source_are_no_factors():
    cell = nn.RNNCell(2, 3, rng=0)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(2, 2)))
    chain = Chain(square(states[-1]).sum(), states[0], through=states)
    for name in ("b_h", "W_xh", "h[0]", "sigmoid"):
        with pytest.raises(ValueError, match=r"is no factor of h\[0\] → h\[1\]; there are W_hh, tanh"):
            chain.replace(0, without=name)


def test_a_link_is_found_by_either_arrow_and_any_spaces():
    _, _, chain = residual()
    assert {chain.index(name) for name in ("h[3] → h[4]", "h[3] -> h[4]", "h[3]→h[4]", "h[3]->h[4]", "h[3]", -3)} == {3}


def test_a_group_of_one_op_is_counted_in_the_singular():
    x = Tensor([0.3, -0.4], name="x")
    h = (2.0 * x).named("h")
    s = np.tanh(h).named("s")
    chain = Chain((h + s).named("y"), x, through=[h, (h, s)], seed=[1.0, 2.0])
    assert [link.factor for link in chain.links] == ["diag(2)", "(1 op that branches)", "1 + …"]
