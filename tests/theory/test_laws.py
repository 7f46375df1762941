"""What must hold whatever the digits: identities between the formulas, limits, orders, and ranges that are refused."""

import ast
import itertools
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import theory
from tinygrad_vg.theory import gaussian, jacobians, landscape, meanfield, memory, powers, products, rates

ROOM = pathlib.Path(theory.__file__).parent
NAMES = list(gaussian.ACTIVATIONS)


def test_theory_imports_no_other_room():
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, path.name
                assert node.level == 1 or node.module in ("__future__", "typing", "collections.abc", "functools"), path.name
            if isinstance(node, ast.Import):
                assert {name.name for name in node.names} <= {"math", "numpy"}, path.name


# ---- the Gaussian means


@pytest.mark.parametrize("k", range(9))
def test_the_quadrature_knows_the_moments_of_a_gaussian(k):
    exact = math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0
    assert gaussian.mean(lambda x: x**k) == pytest.approx(exact, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("q", [0.1, 1.0, 30.0, 400.0])
def test_steins_lemma_ties_every_activation_to_its_slope(name, q):
    """E x φ(x) = q E φ′(x)."""
    phi, slope = gaussian.activation(name)
    assert gaussian.mean(lambda x: x * phi(x), q) == pytest.approx(q * gaussian.mean(slope, q), rel=1e-9)


@pytest.mark.parametrize("c", [0.0, 0.3, 0.9])
def test_pairs_have_the_correlation_asked_for_and_relus_closed_form(c):
    """Of relu: E φ(u) φ(v) = q (√(1 − c²) + c (π − arccos c)) / 2π (Cho & Saul 2009)."""
    assert gaussian.mean_pair(lambda x: x, 2.0, c) == pytest.approx(2 * c, abs=1e-9)
    relu = gaussian.ACTIVATIONS["relu"][0]
    exact = 2 * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / (2 * math.pi)
    assert gaussian.mean_pair(relu, 2.0, c) == pytest.approx(exact, rel=1e-3), "made for smooth functions; kinks cost all but 3 digits"


# ---- mean field

BOUNDED = [(name, sw2, sb2) for name, sw2, sb2 in itertools.product(("tanh", "sigmoid"), (0.3, 1.0, 1.7, 5.0, 150.0), (0.0, 0.05, 1.0))]


@pytest.mark.parametrize("name, sw2, sb2", BOUNDED)
def test_q_star_is_where_the_variance_stays(name, sw2, sb2):
    q = meanfield.q_star(name, sw2, sb2)
    phi, _ = gaussian.activation(name)
    assert sw2 * gaussian.mean(lambda x: phi(x) ** 2, q) + sb2 == pytest.approx(q, rel=1e-10, abs=1e-15)
    assert sb2 <= q <= sw2 + sb2


@pytest.mark.parametrize("name, sw2, sb2", [case for case in BOUNDED if meanfield.q_star(*case) > 0])
def test_c_star_is_where_the_correlation_stays_and_chaos_is_where_it_is_below_one(name, sw2, sb2):
    q, c, chi = meanfield.q_star(name, sw2, sb2), meanfield.c_star(name, sw2, sb2), meanfield.chi1(name, sw2, sb2)
    phi, _ = gaussian.activation(name)
    assert (sw2 * gaussian.mean_pair(phi, q, c) + sb2) / q == pytest.approx(c, abs=1e-6)
    assert (c < 1) == (chi > 1)
    assert meanfield.depth_scale(name, sw2, sb2) > 0


@pytest.mark.parametrize("sw2, sb2", [(1.2, 0.1), (2.5, 0.05), (9.0, 0.3)])
def test_the_depth_scale_is_how_fast_correlations_approach_c_star(sw2, sb2):
    """e^(−1/ξ) is the slope of the map c → c′ at c*, by a difference quotient from below."""
    q, c, e = meanfield.q_star("tanh", sw2, sb2), meanfield.c_star("tanh", sw2, sb2), 1e-4
    new = [(sw2 * gaussian.mean_pair(np.tanh, q, at) + sb2) / q for at in (c, c - e)]
    assert -1 / math.log((new[0] - new[1]) / e) == pytest.approx(meanfield.depth_scale("tanh", sw2, sb2), rel=5e-4)


@pytest.mark.parametrize("name, sb2", [("tanh", 0.0), ("tanh", 1e-4), ("tanh", 0.3), ("tanh", 4.0), ("sigmoid", 0.0), ("sigmoid", 2.0)])
def test_on_the_edge_of_chaos_a_gradient_keeps_its_size(name, sb2):
    sw2, q = meanfield.edge_of_chaos(name, sb2)
    assert meanfield.q_star(name, sw2, sb2) == pytest.approx(q, rel=1e-6, abs=1e-12)
    assert meanfield.slope(name, sw2, sb2) == pytest.approx(0.0, abs=1e-7)
    assert meanfield.slope(name, 0.99 * sw2, sb2) < 0 < meanfield.slope(name, 1.01 * sw2, sb2)


@pytest.mark.parametrize("name", NAMES)
def test_larger_weights_give_larger_gradients_in_wide_nets(name):
    slopes = [meanfield.slope(name, sw2, 0.1) for sw2 in np.geomspace(0.05, 500, 25)]
    assert np.all(np.diff(slopes) > 0)


def test_large_sigmoid_weights_follow_their_power_law():
    """χ₁ → σ_w / (6 √π): a window of width 1/σ_w in which E σ′² is 1/6."""
    misses = [meanfield.chi1("sigmoid", s * s) / (s / (6 * math.sqrt(math.pi))) - 1 for s in (15.0, 30.0, 60.0)]
    assert np.diff(np.log2(misses)) == pytest.approx(-1, abs=0.1), "what is missing falls like 1/σ_w"


@pytest.mark.parametrize("name, times_width", [("linear", -0.5), ("relu", -1.25)])
def test_the_finite_width_correction_is_the_first_term_of_the_exact_one(name, times_width):
    sw2 = meanfield.HOMOGENEOUS[name]
    assert meanfield.slope(name, sw2, width=100) == pytest.approx(times_width / 100, rel=1e-9)
    misses = [abs(products.layer_log_gain(name, N)[0] / 2 - meanfield.slope(name, sw2, width=N)) for N in (25, 50, 100, 200)]
    assert np.diff(np.log2(misses)) == pytest.approx(-2, abs=0.35), "what is missing falls like 1/N²"


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_both_correction_terms_vanish_in_the_limit(name):
    assert meanfield.slope(name, 1.5, 0.05, width=10**9) == pytest.approx(meanfield.slope(name, 1.5, 0.05), abs=1e-8)


# ---- products


def test_digamma_and_trigamma_at_places_that_are_known():
    assert products.digamma([1.0, 0.5, 2.0]) == pytest.approx([-np.euler_gamma, -np.euler_gamma - 2 * math.log(2), 1 - np.euler_gamma], rel=1e-14)
    assert products.trigamma([1.0, 0.5]) == pytest.approx([math.pi**2 / 6, math.pi**2 / 2], rel=1e-14)
    x = np.geomspace(0.01, 100, 40)
    assert products.digamma(x + 1) - products.digamma(x) == pytest.approx(1 / x, rel=1e-11)
    assert (products.digamma(x + 1e-4) - products.digamma(x - 1e-4)) / 2e-4 == pytest.approx(products.trigamma(x), rel=1e-3)
    grown = (products.digamma(x * 1.0001) - products.digamma(x * 0.9999)) / (0.0002 * x)
    assert grown == pytest.approx(products.trigamma(x), rel=1e-6)


@pytest.mark.parametrize("kind, n", [("rademacher", 12), ("uniform", 4), ("normal", 3)])
def test_products_of_drawn_factors_have_the_moments_given(kind, n):
    rng = np.random.default_rng(0)
    draw = {"rademacher": lambda s: rng.choice([-1.0, 1.0], s), "uniform": lambda s: rng.uniform(-1, 1, s) * math.sqrt(3), "normal": rng.normal}[kind]
    w = math.sqrt(0.9) * (draw((200_000, n)) if kind != "normal" else rng.normal(size=(200_000, n)))
    p, theirs = np.prod(w, axis=1), products.product(kind, 0.9, n)
    logs = np.log(np.abs(p))
    assert np.mean(p * p) == pytest.approx(theirs["var"], rel=0.06)
    assert np.mean(logs) == pytest.approx(theirs["mean_log"], abs=0.02)
    assert np.std(logs) == pytest.approx(theirs["sd_log"], rel=0.01, abs=1e-9)


@pytest.mark.parametrize("target, n", [(4.0, 10), (0.01, 100), (1.0, 3)])
def test_the_chosen_variance_gives_the_product_the_one_wanted_but_not_the_typical_size(target, n):
    p = products.product("normal", products.choose_variance(target, n), n)
    assert p["var"] == pytest.approx(target, rel=1e-12)
    assert p["typical"] / math.sqrt(p["var"]) == pytest.approx(math.exp(-0.6351814 * n), rel=1e-5)


def test_a_narrow_relu_layer_loses_what_the_digamma_sum_says():
    rng, N = np.random.default_rng(0), 3
    W, v = rng.normal(size=(100_000, N, N)) * math.sqrt(2 / N), np.ones(N) / math.sqrt(N)
    y = np.maximum(W @ v, 0)
    logs = np.log((y * y).sum(1)[y.any(axis=1)])
    mean, var = products.layer_log_gain("relu", N)
    assert (np.mean(logs), np.var(logs)) == pytest.approx((mean, var), rel=0.02)


def test_the_lyapunov_exponents_add_up_to_the_log_of_the_determinant():
    rng, N = np.random.default_rng(0), 16
    logdets = np.linalg.slogdet(rng.normal(size=(2000, N, N)) / math.sqrt(N)).logabsdet / N
    assert np.mean(logdets) == pytest.approx(np.mean(products.lyapunov(N)), abs=4 * np.std(logdets) / math.sqrt(2000))


def test_the_largest_lyapunov_exponent_is_the_slope_of_a_linear_layer():
    for N in (2, 17, 300):
        assert products.lyapunov(N)[0] == pytest.approx(products.layer_log_gain("linear", N)[0] / 2, rel=1e-12)


def test_wide_spectra_tend_to_the_limit():
    q = np.array([0.0, 0.1, 0.5, 0.9])
    misses = [np.abs(products.lyapunov(N)[(q * N).astype(int)] - products.wide_exponent(q)).max() for N in (100, 1000, 10000)]
    assert misses[2] < misses[1] < misses[0] < 0.1
    assert misses[2] < 1e-3
    assert products.wide_exponent([0.0, 0.75]) == pytest.approx([0.0, -math.log(2)], rel=1e-14), "the inner quarter of the disc: radius ½"


# ---- powers, bounds, rates, landscapes, memory


@pytest.mark.parametrize("seed", range(5))
def test_gelfands_roots_stay_above_the_radius_and_reach_it(seed):
    W = np.random.default_rng(seed).normal(size=(6, 6))
    radius = np.max(np.abs(np.linalg.eigvals(W)))
    roots = [powers.gelfand(W, t) for t in (1, 5, 50, 2000)]
    assert min(roots) >= radius * (1 - 1e-9)
    assert roots[-1] == pytest.approx(radius, rel=5e-3)


def test_log_norms_are_those_of_the_powers_and_do_not_underflow():
    W = np.random.default_rng(0).normal(size=(4, 4))
    exact = [np.linalg.norm(np.linalg.matrix_power(W, t), 2) for t in range(9)]
    assert np.exp(powers.log_norms(W, 8)) == pytest.approx(exact, rel=1e-12)
    assert powers.log_norms(0.01 * np.eye(2), 1000)[-1] == pytest.approx(1000 * math.log(0.01), rel=1e-12)


def test_the_top_eigenvector_takes_over_and_the_rate_becomes_its_own():
    lam, c = [1.1, -0.9, 0.5], np.ones(3)
    tops = [powers.shares(lam, c, t)[0] for t in range(60)]
    assert np.all(np.diff(tops) > 0)
    assert tops[-1] > 1 - 1e-9
    assert powers.step_rate(lam, c, 500) == pytest.approx(math.log(1.1), rel=1e-12)
    assert powers.step_rate(lam, [0.0, 1.0, 0.0], 500) == pytest.approx(math.log(0.9), rel=1e-12), "what is not excited does not count"
    assert powers.shares([2.0, 0.5], [0.0, 1.0], 2000).tolist() == [0, 1], "nor does how far it would have grown"


def test_gates_leaks_and_skips_agree_where_they_are_the_same():
    assert powers.leaky(10, 50) == pytest.approx(powers.residual(-0.1, 50), rel=1e-14)
    assert powers.forget(math.log(9), 50) == pytest.approx(powers.leaky(10, 50), rel=1e-12)
    assert powers.delay(0.9, 100, 10) == pytest.approx(powers.delay(0.9, 10, 1), rel=1e-14)
    quiet = rates.forget_gate(1.0, 0.0)
    assert 20 * quiet["rms"] == pytest.approx(math.log(powers.forget(1.0, 20)), rel=1e-12)
    assert quiet["var_log"] == pytest.approx(0, abs=1e-25)


def test_a_noisy_gate_forgets_faster_than_on_average():
    for b, sd in itertools.product((-1.0, 0.0, 3.0), (0.1, 1.0, 3.0)):
        f = rates.forget_gate(b, sd)
        assert f["typical"] < math.log(f["mean"]) < f["rms"] < 0


def test_a_gate_that_is_hardly_disturbed_keeps_what_its_bias_says():
    m = rates.minimal_rnn(1e-9, 2.0)
    assert m["slope"] == pytest.approx(math.log(powers.forget(2.0, 1)), abs=1e-8)
    slopes = [rates.minimal_rnn(1.0, b)["slope"] for b in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert np.all(np.diff(slopes) > 0)
    assert slopes[-1] < 0


def test_batch_norm_always_explodes_and_for_linear_less_the_larger_the_batch():
    assert rates.batch_norm("relu") == pytest.approx(0.5 * math.log(math.pi / (math.pi - 1)), rel=1e-9)
    assert rates.batch_norm("linear") == pytest.approx(0.0, abs=1e-12)
    assert min(rates.batch_norm(name) for name in ("relu", "tanh", "sigmoid")) > 0
    assert np.all(np.diff([rates.batch_norm("linear", B) for B in (4, 8, 32, 1000)]) < 0)


def test_a_residual_branch_of_one_over_root_depth_costs_half_a_nat_at_any_depth():
    assert [L * rates.residual(L**-0.5) for L in (100, 10_000, 10**6)] == pytest.approx([0.5] * 3, abs=3e-3)


def test_only_tanh_with_orthogonal_weights_comes_near_an_isometry():
    variances = [jacobians.singular_value_variance("tanh", 20, q, True) for q in (1.0, 0.1, 0.01, 0.001)]
    assert np.all(np.diff(variances) < 0)
    assert variances[-1] < 1e-3
    assert {round(jacobians.singular_value_variance("relu", 20, q, True), 9) for q in (1.0, 0.1, 0.001)} == {20.0}
    assert min(jacobians.singular_value_variance(name, 20, 0.001, False) for name in NAMES) >= 20


@pytest.mark.parametrize("start, end", [(0.001, 1.9), (0.5, 1.98), (1.0, 1.01)])
def test_a_mode_of_two_layers_takes_the_logistic_time(start, end):
    exact = math.log(end * (2 - start) / (start * (2 - end))) / (2 * 2)
    assert landscape.mode_time(2, 2.0, start, end) == pytest.approx(exact, rel=1e-11)


def test_slopes_and_curvatures_are_derivatives():
    e = 1e-6
    for x in (0.3, 1.2):
        for f, two in ((lambda x: x**1.7, landscape.funnel(x, 1.7)), (lambda x: math.hypot(x, 0.5), landscape.spike(x, 0.5))):
            assert (f(x + e) - f(x - e)) / (2 * e) == pytest.approx(two[0], rel=1e-8)
        _, by_w, by_b = landscape.cliff(4.0 + x, -2.0, T=8)
        assert (landscape.cliff(4 + x + e, -2.0, T=8)[0] - landscape.cliff(4 + x - e, -2.0, T=8)[0]) / (2 * e) == pytest.approx(by_w, rel=1e-5)
        assert (landscape.cliff(4 + x, -2 + e, T=8)[0] - landscape.cliff(4 + x, -2 - e, T=8)[0]) / (2 * e) == pytest.approx(by_b, rel=1e-5)
        loss, slope, curvature = landscape.eigen_mode(x, 7, 1.3, 0.4)
        up, down = landscape.eigen_mode(x + e, 7, 1.3, 0.4), landscape.eigen_mode(x - e, 7, 1.3, 0.4)
        assert ((up[0] - down[0]) / (2 * e), (up[1] - down[1]) / (2 * e)) == pytest.approx((slope, curvature), rel=1e-6, abs=1e-8)


def test_fractals_get_steeper_without_bound_where_ab_is_one_or_more():
    assert landscape.fractal_slope(0.5, 2, 100) == pytest.approx(math.pi * math.sqrt(101 / 2), rel=1e-12)
    assert landscape.fractal_slope(0.4, 2, 300) == pytest.approx(landscape.fractal_slope(0.4, 2, 200), rel=1e-12)


def test_a_shift_register_remembers_all_it_has_room_for_and_nothing_more():
    N = 7
    recalled = memory.linear_capacity(np.eye(N, k=-1), np.eye(N)[0], 20)
    assert recalled == pytest.approx([1.0] * N + [0.0] * (20 - N), abs=1e-12)


def test_the_capacity_of_drawn_reservoirs_is_what_regression_recovers():
    """R² of a least-squares readout of x[t − k], over 20,000 random inputs."""
    rng, N = np.random.default_rng(0), 4
    W = rng.normal(size=(N, N))
    W, v = 0.8 * W / np.max(np.abs(np.linalg.eigvals(W))), rng.normal(size=N)
    x, H = rng.normal(size=20_000), np.zeros((20_000, N))
    for t in range(1, 20_000):
        H[t] = W @ H[t - 1] + v * x[t]
    for k, capacity in enumerate(memory.linear_capacity(W, v, 100)[:8]):
        past, states = x[100 - k : 20_000 - k], H[100:]
        left = past - states @ np.linalg.lstsq(states, past, rcond=None)[0]
        assert 1 - left @ left / (past @ past) == pytest.approx(capacity, abs=0.02)


def test_the_baselines_are_the_losses_of_those_who_know_nothing():
    u = np.random.default_rng(0).uniform(size=(200_000, 2)).sum(axis=1)
    for answer in (1.0, 0.4):
        assert np.mean((u - answer) ** 2) == pytest.approx(memory.adding_baseline(answer), rel=0.01)
    assert memory.copy_baseline(0, letters=2, length=10) == pytest.approx(math.log(2) / 2)


# ---- ranges

OUTSIDE = {
    "an eigenvector matrix that is not orthogonal": lambda: powers.eigen_solution([[1, 1], [0, 1]], [1, 2], 3, [1, 1]),
    "a half-life of 1": lambda: powers.half_life(1.0),
    "a leak faster than a step": lambda: powers.leaky(0.5, 3),
    "a delay that does not divide the time": lambda: powers.delay(0.9, 10, 3),
    "a transient that does not end": lambda: powers.transient([[1.01, 1], [0, 1.01]], 100),
    "powers that are zero": lambda: powers.log_norms([[0, 1], [0, 0]], 3),
    "means that the grid cannot resolve": lambda: meanfield.q_star("tanh", 1e5),
    "pairs that the grid cannot resolve": lambda: meanfield.c_star("tanh", 1000.0),
    "an unknown factor": lambda: products.product("cauchy", 1.0, 2),
    "a product of negative variance": lambda: products.choose_variance(-1.0, 2),
    "digamma at 0": lambda: products.digamma([1.0, 0.0]),
    "log gains of tanh": lambda: products.layer_log_gain("tanh", 10),
    "a quantile of 1": lambda: products.wide_exponent(1.0),
    "an unknown activation": lambda: jacobians.product_bound(1.0, "gelu", 3),
    "a negative norm": lambda: jacobians.product_bound(-1.0, "tanh", 3),
    "no layers": lambda: jacobians.singular_value_variance("tanh", 0, 1.0, True),
    "negative weights' variance": lambda: meanfield.q_star("tanh", -1.0),
    "relu's length at its edge": lambda: meanfield.q_star("relu", 2.0, 0.1),
    "the correlation of nothing": lambda: meanfield.c_star("tanh", 0.5),
    "relu's edge as a curve": lambda: meanfield.edge_of_chaos("relu", 0.1),
    "the depth scale of exploding linear nets": lambda: meanfield.depth_scale("linear", 1.5),
    "relu's batch norm at a finite batch": lambda: rates.batch_norm("relu", 8),
    "a batch of three": lambda: rates.batch_norm("linear", 3),
    "a gate without weights": lambda: rates.minimal_rnn(0.0, 1.0),
    "decay that turns the sign": lambda: rates.l2_shrinkage(1.0, 1.0, 3),
    "a funnel at its tip": lambda: landscape.funnel(0.0, 0.5),
    "a spike that is not smoothed": lambda: landscape.spike(0.0, 0.0),
    "a fractal without period": lambda: landscape.fractal_slope(0.5, 2.5, 3),  # type: ignore[arg-type]
    "a mode that starts beyond its goal": lambda: landscape.mode_time(2, 1.0, 1.5, 1.9),
    "a reservoir that never settles": lambda: memory.linear_capacity(np.eye(2), [1, 1], 10),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_outside_its_range_theory_is_silent(what):
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        OUTSIDE[what]()


# ---- at the border: a number, or ValueError with words


BEYOND = {
    "log_gain_sd": lambda: products.log_gain_sd("linear", 10, -1), "slope": lambda: meanfield.slope("tanh", 1.0, width=0),
    "gelfand": lambda: powers.gelfand(np.eye(2), 0), "log_norms": lambda: powers.log_norms(np.eye(2), -1),
    "leaky": lambda: powers.leaky(10, -1), "forget": lambda: powers.forget(1.0, -1), "half_life": lambda: powers.half_life(math.inf),
    "residual": lambda: powers.residual(1.0, -1), "residual, large": lambda: powers.residual(9.0, 400),
    "delay": lambda: powers.delay(0.0, -5, 5), "delay, large": lambda: powers.delay(10.0, 4000, 1),
    "forget_gate, open": lambda: rates.forget_gate(800, 0), "forget_gate, shut": lambda: rates.forget_gate(-800, 0),
    "eigen_mode": lambda: landscape.eigen_mode(1e300, 3, 1.0, 1.0), "eigen_mode, squared": lambda: landscape.eigen_mode(1e100, 3, 1.0, 1.0),
    "eigen_mode, of an array": lambda: landscape.eigen_mode(np.float64(1e154), 2, 1.0, 1.0),
    "overshoot": lambda: landscape.overshoot(1e300, 3, 1.0, 1.0, 0.1), "funnel": lambda: landscape.funnel(1e-300, 0.5),
    "spike": lambda: landscape.spike(0.0, 1e-200), "fractal_slope": lambda: landscape.fractal_slope(0.9, 1000, 200),
    "sigmoid_chain": lambda: jacobians.sigmoid_chain(1e308, 0.0, 0.5, 2), "sigmoid_chain, back": lambda: jacobians.sigmoid_chain(1.0, 0.0, 0.5, -1),
    "product_bound": lambda: jacobians.product_bound(1e200, "tanh", 2), "product": lambda: products.product("normal", 1.0, 1000),
}  # fmt: skip


@pytest.mark.parametrize("ask", BEYOND.values(), ids=BEYOND)
def test_what_no_float_can_hold_and_what_makes_no_sense_is_refused_with_words(ask):
    with pytest.raises(ValueError, match="; got |beyond the largest number") as refused:
        ask()
    assert "math domain" not in str(refused.value)


def test_a_step_that_lands_on_the_minimum_has_the_log_of_nothing_left():
    assert landscape.overshoot(1.0, 2, 1.0, 1.0, 0.1) == (1.0, -math.inf)


@pytest.mark.parametrize("b", [-300.0, -40.0, 0.0, 40.0, 700.0])
def test_a_gate_without_noise_keeps_what_its_bias_says_at_both_ends(b):
    gate, log_f = rates.forget_gate(b, 0), -max(-b, 0.0) - math.log1p(math.exp(-abs(b)))
    assert gate["mean"] == pytest.approx(math.exp(log_f), rel=1e-12)
    assert (gate["typical"], gate["rms"]) == pytest.approx((log_f, log_f), rel=1e-12, abs=1e-15)
    assert gate["timescale"] == pytest.approx(-1 / log_f, rel=1e-9)


@pytest.mark.parametrize("name, sw2", [("linear", 1.0), ("relu", 2.0), ("tanh", 1.0)])
def test_on_the_edge_the_slope_is_exactly_zero_and_the_depth_scale_infinite(name, sw2):
    assert meanfield.chi1(name, sw2) == 1 and f"{meanfield.slope(name, sw2):+.4f}" == "+0.0000"
    assert meanfield.depth_scale(name, sw2) == math.inf


def test_a_little_off_the_edge_the_depth_scale_is_finite():
    assert meanfield.depth_scale("tanh", 1 - 1e-9) == pytest.approx(1e9, rel=1e-6)
