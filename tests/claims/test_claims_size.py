"""Claims P1 to P8: the laws behind the rows hold on paths that share no code with them."""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, gradcheck, jvp, nn, sigmoid, square, tanh, verdict
from tinygrad_vg.claims.claim import CLAIMS
from tinygrad_vg.claims.rows import deep, size


def by_hand(Ws, x, slope, value, g):
    """|gradient| after 0, 1, … layers back, in plain numpy."""
    zs, sizes = [], [np.linalg.norm(g)]
    for W in Ws:
        zs.append(W @ x)
        x = value(zs[-1])
    for W, z in zip(Ws[::-1], zs[::-1]):
        g = W.T @ (slope(z) * g)
        sizes.append(np.linalg.norm(g))
    return np.array(sizes)


# P1


@pytest.mark.parametrize("phi, value, slope", [
    ("sigmoid", lambda z: 1 / (1 + np.exp(-z)), lambda z: 0.25 / np.cosh(z / 2) ** 2), ("tanh", np.tanh, lambda z: 1 / np.cosh(z) ** 2),
])  # fmt: skip
def test_a_deep_chain_is_backprop_by_hand(phi, value, slope):
    chain = deep.layered(50, 64, phi, 1.0, 3)
    Ws = [h.parents[0].parents[1].data for (h,) in chain.stations[1:]]
    right = by_hand(Ws, chain.stations[0][0].data, slope, value, chain.seed)
    np.testing.assert_allclose(np.exp(chain.log_product[::-1]), right / right[0], rtol=1e-9)


def test_five_layers_lose_a_tenth_of_the_decades_of_fifty(outcomes):
    _, gradient = outcomes["P1"].found.curves["sigmoid"]
    assert math.log(gradient[5]) / math.log(gradient[50]) == pytest.approx(0.1, abs=0.02)


# P2


def test_the_first_step_is_the_closed_form():
    _, w, what = size.descend(1.5, None, steps=1)
    assert w == pytest.approx(1.5 - 0.1 * 50 * 1.5**49 * (1.5**50 - 1), rel=1e-12)
    assert what == ""


@pytest.mark.parametrize("w", [1.5, 1.75, 2.0])
def test_what_overflows_is_named_and_is_the_first_state_beyond_the_largest_float(w):
    _, now, what = size.descend(w, None)
    t = next(t for t in range(1, 51) if t * math.log10(abs(now)) > math.log10(np.finfo(float).max))
    assert f"step 2: the loss is inf: multiply made {'-' * (now < 0 and t % 2)}inf" in what
    assert f"h[{t - 1}] =" in what


def test_a_clipped_step_is_no_longer_than_the_learning_rate():
    _, w, _ = size.descend(1.5, 1.0, steps=1)
    assert w == pytest.approx(1.4, abs=1e-12)


# P3


def test_an_update_below_half_a_rounding_error_is_none_though_its_gradient_is_not(outcomes):
    figures = outcomes["P3"].found.figures
    update = 0.1 * figures["|gradient| of layer 1"]
    assert update > 0
    assert 0.25 - update == 0.25
    share = outcomes["P3"].found.curves["changed in 50 steps"][1]
    assert share[0] == share[9] == 0 and share[-1] == share[-5] == 1


# P4 and P5


def test_no_slope_of_a_sigmoid_is_above_a_quarter():
    x = Tensor(np.linspace(-20, 20, 4001), name="x")
    slopes = jvp(sigmoid(x), x, np.ones(4001))
    assert 0 < slopes.min() and slopes.max() == 0.25 == slopes[2000]


def test_the_chain_of_steepest_sigmoids_is_a_power_of_a_quarter(outcomes):
    n, gradient = outcomes["P4"].found.curves["gradient"]
    np.testing.assert_allclose(gradient, 0.25**n, rtol=1e-12)


def test_a_saturated_slope_falls_as_the_exponential():
    assert all(jvp(sigmoid(x := Scalar(z)), x, 1.0) == pytest.approx(math.exp(-abs(z)), rel=1e-4) for z in (-30.0, -10.0, 10.0, 30.0))


# P6


@pytest.mark.parametrize("exponent", [-12, -10, -8, -6])
def test_what_the_loss_does_not_ask_for_is_never_called_lost(exponent):
    chain, told = size.case(tanh, 10.0**exponent)
    assert told.kind == "converged"
    assert abs(chain.gradients[0].item()) == pytest.approx(10.0**exponent, rel=1e-6)


@pytest.mark.parametrize("error", [0.1, 0.67, 5.0])
def test_what_the_chain_lost_is_never_called_converged(error):
    assert size.case(sigmoid, error)[1].kind == "shallow slopes"


def test_the_gradient_alone_cannot_tell():
    far = 1e-8 / 0.25**13
    (a, *_), (b, *_) = (size.case(phi, error)[0].gradients for phi, error in ((tanh, 1e-8), (sigmoid, far)))
    assert a.item() == pytest.approx(b.item(), rel=1e-6)


def test_a_trained_net_has_converged_and_a_deep_sigmoid_at_its_start_has_not():
    w = Scalar(0.0, name="w")
    for _ in range(200):
        loss = square(w * 2.0 - 1.0)
        loss.backward()
        w.data -= 0.1 * w.grad
        w.zero_grad()
    assert verdict(square(w * 2.0 - 1.0 - 1e-9), w).kind == "converged"
    net = nn.MLP([2, *[8] * 12, 1], "sigmoid", rng=0)
    assert verdict(nn.mse(net(np.ones((1, 2))), np.ones((1, 1))), net.layer(1).W).kind == "shallow slopes"


# P7


def test_thirty_slopes_are_those_of_a_loop():
    x, product = 0.5, 1.0
    for _ in range(30):
        x = 1 / (1 + math.exp(-x))
        product *= x * (1 - x)
    chain = CLAIMS["P7"].measure().chain
    assert math.prod(link.gain for link in chain.links) == pytest.approx(product, rel=1e-12)
    fixed = 0.659046068407410
    assert chain.links[-1].gain == pytest.approx(fixed * (1 - fixed), rel=1e-9)


# P8


@pytest.mark.parametrize("seed", [100, 101])
def test_a_centred_sigmoid_net_is_a_tanh_net_in_states_and_gradients(seed):
    as_tanh, centred, _ = size.deep_nets(seed)
    for one, other in zip(as_tanh.stations, centred.stations):
        np.testing.assert_allclose(2 * other[0].data - 1, one[0].data, atol=1e-12)
    np.testing.assert_allclose(centred.log_product, as_tanh.log_product, atol=1e-9)


def test_slopes_and_weights_add_up_to_the_whole():
    for chain in size.deep_nets(7):
        assert sum(deep.split(chain)) == pytest.approx(chain.log_product[0], abs=1e-9)


def test_a_tenth_less_of_a_rotation_is_a_tenth_less_of_any_gradient():
    for T in (1, 10, 50):
        logs = deep.layered(T, 16, "linear", deep.times(0.9, nn.init.orthogonal), 5).spectrum().running[0]
        np.testing.assert_allclose(logs, T * math.log(0.9), atol=1e-12)


def test_the_engine_agrees_with_the_complex_step_on_a_centred_net():
    Ws = [np.asarray(nn.init.normal((4, 4), k)) for k in range(3)]

    def net(s):
        for W in Ws:
            s = sigmoid(4 * W @ s - 2 * W.sum(axis=1))
        return square(s).sum()

    assert gradcheck(net, Tensor(np.full(4, 0.3)))
