"""The closed forms of what came after 1991: beside a sum, a simulation, and the engine's own gradient."""

import math

import numpy as np
import pytest

from tinygrad_vg import Tensor, exp, grad, linear, nn, relu, square
from tinygrad_vg.theory import landscape, memory, rates
from tinygrad_vg.training import SGD

# the curse of memory


@pytest.mark.parametrize("λ", [-0.9, 0.0, 0.5, 0.9, 0.99])
def test_the_sensitivity_is_its_series(λ):
    k = np.arange(1, 5000)
    assert memory.sensitivity(λ) == pytest.approx(np.sum(k**2.0 * λ ** (2.0 * k - 2)), rel=1e-9)


@pytest.mark.parametrize("λ", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("moves", [False, True])
def test_the_sensitivity_in_nu_is_the_sum_of_the_squares_of_the_engines_gradient_by_each_input(λ, moves):
    """h = Σ γ λ^k x_(t−k): E (dh/dν)² over white x is the sum over k of the squares of d(γ λ^k)/dν."""
    ν = Tensor([math.log(-math.log(λ))] * 1500)
    lam = exp(-exp(ν))
    weight = lam ** np.arange(1500.0) * ((1 - square(lam)) ** 0.5 if moves else math.sqrt(1 - λ * λ))
    assert np.sum(grad(weight.sum(), ν) ** 2) == pytest.approx(memory.lru_sensitivity(λ, moves), rel=1e-9)


def test_the_limits_are_a_half_and_a_quarter_where_the_plain_one_explodes():
    assert [memory.lru_sensitivity(1 - 1e-6, moves) for moves in (False, True)] == pytest.approx([0.5, 0.25], rel=1e-4)
    assert memory.sensitivity(1 - 1e-6) * 4e-18 == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("call", [
    lambda: memory.sensitivity(1.0), lambda: memory.lru_sensitivity(0.0), lambda: memory.lru_sensitivity(1.0),
    lambda: memory.linear_capacity(np.eye(2) / 2, [1, 1], 0), lambda: memory.linear_capacity(np.ones((2, 3)), [1, 1], 3),
    lambda: memory.copy_baseline(0, 8, 0), lambda: landscape.cliff(1.0, 0.0, -1), lambda: landscape.eigen_mode(-0.5, 2.5, 1.0, 1.0),
    lambda: landscape.first_overflow(0, 1.5, 0.1, True), lambda: landscape.fractal_slope(0.5, 2, -1), lambda: rates.minimal_rnn(1.0, -800.0),
    lambda: rates.l2_shrinkage(0.1, 0.1, -3), lambda: rates.pre_norm(2.5, scaled=True), lambda: rates.pre_norm(3, math.inf),
    lambda: rates.minimal_rnn(1.0, math.nan), lambda: landscape.sharpness_limit(0.0), lambda: landscape.sharpness_limit(0.1, 1.0), lambda: rates.pre_norm(0), lambda: rates.pre_norm(3, -1.0),
])  # fmt: skip
def test_outside_its_range_a_function_says_so(call):
    with pytest.raises(ValueError, match="got"):
        call()


# the edge of stability


@pytest.mark.parametrize("momentum, nesterov", [(0.0, False), (0.5, False), (0.9, False), (0.9, True)])
def test_just_below_the_limit_descent_shrinks_and_just_above_it_grows(momentum, nesterov):
    limit = landscape.sharpness_limit(0.1, momentum, nesterov)
    for H, shrinks in ((0.99 * limit, True), (1.01 * limit, False)):
        x = Tensor([1.0], name="x")
        rule, far = SGD({"x": x}, 0.1, momentum, nesterov=nesterov), []
        for _ in range(3000):
            rule.zero_grad()
            (0.5 * H * square(x)).sum().backward()
            rule.step()
            far.append(abs(x.data[0]))
            if far[-1] > 1e6:
                break
        assert (far[-1] < 1e-3) if shrinks else (far[-1] > 1e3)


# the curse of depth


@pytest.mark.parametrize("scaled", [False, True])
def test_a_pre_norm_stream_grows_and_its_blocks_pass_gradients_on_as_the_closed_form_says(scaled):
    N, L, v, rng = 256, 24, 0.5, np.random.default_rng(0)
    h, norm = Tensor(rng.normal(size=(64, N))), nn.LayerNorm(N)
    stream = [h]
    for block in range(1, L + 1):
        W, V = rng.normal(size=(N, N)) * math.sqrt(2 / N), rng.normal(size=(N, N)) * math.sqrt(v / N)
        stream.append(stream[-1] + linear(relu(linear(norm(stream[-1]) / (math.sqrt(block) if scaled else 1), W)), V))
    rms, gain = rates.pre_norm(L, v, scaled)
    np.testing.assert_allclose([np.sqrt(np.mean(square(h.data))) for h in stream], rms, rtol=0.06)  # one draw of the weights
    g = np.array([np.linalg.norm(g) for g in grad(stream[-1], stream, rng.normal(size=(64, N)))])
    np.testing.assert_allclose(g[:-1] / g[1:], gain, rtol=0.02)
    assert math.prod(gain) == pytest.approx(rms[-1], rel=1e-12)
