"""Claims C1 to C11: the laws behind the rows hold on paths that share no code with them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_vg import Tensor, grad, gradcheck, nn, square, theory
from tinygrad_vg.claims.rows import comments, deep, minima
from tinygrad_vg.training import SGD

# C1: index notation


def test_the_gradient_in_index_notation_passes_central_differences():
    rng = np.random.default_rng(1)
    x, start, target = rng.normal(size=(4, 2, 3)), rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    W, V, b = rng.normal(size=(5, 5)) / 2, rng.normal(size=(5, 3)), rng.normal(size=5)

    def states(W, V, b, h):
        return [h, *(h := np.tanh(h @ W.T + step @ V.T + b) for step in x)]

    h = states(W, V, b, start)
    given_by_hand, leaves = comments.by_hand(h, x, W, 2 * (h[-1] - target)), [W, V, b, start]
    for k, g in enumerate(given_by_hand):
        toward = rng.normal(size=g.shape)
        up, down = ([*leaves[:k], leaves[k] + e * toward, *leaves[k + 1 :]] for e in (1e-6, -1e-6))
        slope = (np.sum((states(*up)[-1] - target) ** 2) - np.sum((states(*down)[-1] - target) ** 2)) / 2e-6
        assert np.sum(g * toward) == pytest.approx(slope, rel=1e-6)


# C2, C6 and C8: deep networks


@pytest.mark.parametrize("activation, scale", [("sigmoid", 1.0), ("relu", "he"), ("linear", 0.5)])
def test_slopes_and_weights_are_all_there_is_to_a_plain_net(activation, scale):
    chain = deep.layered(10, 16, activation, scale, 3)
    parts = chain.blame().parts
    both = sum(x for kind, x in parts.items() if kind.split()[0] in ("activation", "weight"))
    assert both == pytest.approx(chain.log_product[0], abs=1e-9)


@settings(deadline=None)  # a busy machine is no fault
@given(st.floats(0.1, 3.0), st.integers(1, 8))
def test_scaling_the_weights_of_a_relu_net_scales_its_gain_by_that_power(scale, depth):
    one, other = (deep.layered(depth, 16, "relu", s, 0).log_product[0] for s in (1.0, scale))
    assert other - one == pytest.approx(depth * math.log(scale), abs=1e-9)


@pytest.mark.parametrize("activation, batch", [("relu", 128), ("linear", 32)])
def test_batch_norm_explodes_at_the_rate_theory_gives(activation, batch):
    logs = deep.layered(40, 128, activation, 1.0, 5, batch=batch, norm="batch").log_product[::-1]
    assert (logs[38] - logs[3]) / 35 == pytest.approx(theory.rates.batch_norm(activation, batch if activation == "linear" else None), abs=0.02)


# C3 and C4: the slope of a sigmoid


@given(st.floats(-36, 36))
def test_the_slope_of_a_sigmoid_is_positive_even_and_below_a_quarter(z):
    slope, mirrored = comments.sigmoid_slopes(np.array([z, -z]))
    assert 0 < slope <= 0.25
    assert slope == pytest.approx(0.25 / math.cosh(z / 2) ** 2, rel=1e-9, abs=3e-16)
    assert mirrored == pytest.approx(slope, rel=1e-9, abs=3e-16)


# C7: decay


@pytest.mark.parametrize("rho", [1.1, 0.95])
def test_decay_shrinks_every_weight_by_what_theory_says_whatever_it_does_to_the_gradient(rho):
    radii, nats = comments.decayed(rho)
    assert radii[1000] == pytest.approx(rho * math.exp(theory.rates.l2_shrinkage(0.1, 0.001, 1000)), rel=1e-9)
    np.testing.assert_allclose(nats, 50 * np.log(radii[::50]), atol=1e-9)
    assert np.all(np.diff(nats) < 0)


def test_weight_decay_of_the_optimiser_is_the_same_step():
    w = Tensor([1.1], name="w")
    optimiser = SGD({"w": w}, 0.1, weight_decay=0.001)
    for _ in range(100):
        optimiser.zero_grad()
        (w * 0.0).sum().backward()
        optimiser.step()
    assert w.data[0] == pytest.approx(comments.decayed(1.1)[0][100], rel=1e-9)


# C9 to C11: minima


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 4.0])
def test_the_slope_of_a_funnel_is_what_theory_says(p):
    for r in (1e-6, 1e-3, 0.7):
        assert minima.slope(lambda x, p=p: minima.absolute(x) ** p, r) == pytest.approx(theory.landscape.funnel(r, p)[0], rel=1e-9)


def test_the_fractal_is_as_steep_as_its_series_says_and_lowest_where_the_claim_says():
    assert minima.rms_slope(np.arange(2**18) / 2**17) == pytest.approx(theory.landscape.fractal_slope(0.5, 3, 10), rel=1e-8)
    x = np.linspace(0, 2, 20001)
    f = sum(0.5**k * np.cos(3**k * np.pi * x) for k in range(11))
    assert x[np.argmin(f)] == pytest.approx(1.0) and f.min() == pytest.approx(-2 + 0.5**10)


def test_the_flat_and_the_sharp_unit_are_one_function_and_both_at_their_minimum():
    x = np.linspace(-2, 2, 101)
    np.testing.assert_allclose(minima.unit(np.array([1.0, 1.0]), x), minima.unit(np.array([10.0, 0.1]), x), rtol=1e-12)
    for p in ([1.0, 1.0], [10.0, 0.1]):
        leaf = Tensor(p)
        np.testing.assert_allclose(grad(minima.squared_error(leaf), leaf), 0, atol=1e-12)
    assert gradcheck(lambda p: minima.squared_error(p), Tensor([1.3, 0.8]))


@given(st.integers(0, 10**6))
def test_no_input_gradient_passes_the_bound_by_the_first_layer(seed):
    assert 0 <= minima.share_of_bound(seed) <= 1 + 1e-12


def test_in_the_last_layer_there_is_no_such_bound():
    net, x = nn.MLP([1, 1, 1], "linear", rng=0), Tensor([1.0], name="x")
    for name, value in {"layer1": 100.0, "layer2": 1.0}.items():
        getattr(net, name).W.data = [[value]]
    of_x, of_W2 = grad(square(net(x) - 101.0).sum(), [x, net.layer(2).W])
    assert abs(of_x[0]) == pytest.approx(abs(of_W2[0, 0]))  # both 100 |g|: rescaling the layers changes one and not the other
    net.layer(1).W.data, net.layer(2).W.data = [[1.0]], [[100.0]]
    again_x, again_W2 = grad(square(net(x) - 101.0).sum(), [x, net.layer(2).W])
    assert abs(again_x[0]) == pytest.approx(abs(of_x[0])) and abs(again_W2[0, 0]) == pytest.approx(abs(of_W2[0, 0]) / 100)


@pytest.mark.parametrize("n", [2, 8])
def test_the_walk_down_a_power_is_its_recurrence(n):
    x, far = 1.0, [1.0]
    while x > 0.25:
        x -= 0.01 * n * x ** (n - 1)
        far.append(x)
    np.testing.assert_allclose(minima.walk(SGD, n), far, rtol=1e-9)
