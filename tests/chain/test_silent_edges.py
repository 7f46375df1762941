"""A loss that reads some rows of a stack depends on those alone: the states of the other steps do not leak past a station."""

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, concatenate, linear, nn, relu, reshape, stack, tanh, transpose, verdict

T = 6


def language_model(weight=0.6, seed=0, batch=2):
    """States h[0] … h[T], stacked as an exported RNN stacks them (batch, T, n), and the logits of each step."""
    rng = np.random.default_rng(seed)
    W, V = Tensor(weight * np.linalg.qr(rng.normal(size=(4, 4)))[0], name="W"), Tensor(rng.normal(size=(3, 4)), name="V")
    states = [Tensor(rng.normal(size=(batch, 4))).named("h", 0)]
    for t in range(1, T + 1):
        states.append(tanh(linear(states[-1], W) + rng.normal(size=4)).named("h", t))
    return states, linear(stack(states[1:], 1), V), W


@pytest.mark.parametrize("t", [0, 3, T - 1])
def test_the_chain_of_one_step_goes_through_its_states_and_is_the_gradient(t):
    states, logits, _ = language_model()
    loss = nn.cross_entropy(logits[:, t], np.zeros(2, int))
    loss.backward()
    given, found = Chain(loss, states[0], through=states[1 : t + 2]), Chain(loss, states[0])
    assert given.names[:-1] == [f"h[{s}]" for s in range(t + 2)] and set(given.names) <= set(found.names)
    for chain in (given, found, given.detailed()):
        assert np.allclose(chain.gradients[0], states[0].grad, rtol=1e-12)
        assert chain.log_product[0] == pytest.approx(np.log(np.linalg.norm(states[0].grad)), abs=1e-12)
    assert np.allclose(np.prod([link.gain for link in given.links]), np.linalg.norm(states[0].grad))
    with pytest.raises(ValueError, match="lies on no path"):
        Chain(logits[:, 0].sum(), states[0], through=states[1:])


def test_a_loss_at_every_step_still_leaks_past_a_state():
    states, logits, _ = language_model()
    for loss in (nn.cross_entropy(logits, np.zeros((2, T), int)), nn.cross_entropy(logits[:, -2:], np.zeros((2, 2), int))):
        with pytest.raises(ValueError, match="leaks past it"):
            Chain(loss, states[0], through=states[1:])


def test_a_seed_that_asks_for_one_step_of_many_is_enough():
    states, logits, W = language_model()
    flat = reshape(logits, (-1, 3))
    seed = np.zeros((2, T, 3))
    seed[:, -1] = 1.0
    chain = Chain(flat, states[0], states[1:], seed=seed.reshape(-1, 3))
    flat.backward(seed.reshape(-1, 3))
    assert np.allclose(chain.gradients[0], states[0].grad, rtol=1e-12) and len(chain.links) == T + 1
    assert "h[3]" in verdict(nn.cross_entropy(flat, np.zeros(2 * T, int)), W).chain().names


def test_a_part_that_underflows_is_not_silent():
    h = x = Tensor(np.ones((2, 1)), name="x")
    parts = []
    for t in range(1, 30):
        h = (h * 1e-30).named("h", t)
        parts.append(h)
    whole, weights = stack(parts), np.zeros((29, 1, 1))
    weights[0], weights[-1] = 1e-200, 1.0
    loss = (whole * weights * 1e-200).sum()  # the first part's gradient is 0 as a float, but it is asked for
    with pytest.raises(ValueError, match="leaks past it"):
        Chain(loss, x, through=parts)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_later_layer_that_reads_a_stack_step_by_step(axis):
    states, _, W = language_model()
    upper, second = stack(states[1:], axis), [Tensor(np.zeros((2, 4)), name="k")]
    for t in range(T):
        x = transpose(upper, (1, 0, 2))[t] if axis else upper[t]
        second.append(relu(linear(second[-1], W) + x + 1.0).named("k", t + 1))
    loss = concatenate([second[T - 1], second[T]], -1)[:, 4:].sum()
    loss.backward()
    assert np.allclose(Chain(loss, states[0]).gradients[0], states[0].grad, rtol=1e-12)
    assert Chain(loss, second[0], second[1:]).names[-2] == f"k[{T}]"
