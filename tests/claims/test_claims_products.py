"""Claims C12 to C22: the laws behind the rows hold on paths that share no code with them."""

import itertools
import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_vg import Chain, Scalar, Tensor, grad, nn, paths, scalars, uses
from tinygrad_vg.claims import recurrences
from tinygrad_vg.claims.rows import deep, products, quotes

ENTRIES = json.loads((pathlib.Path(__file__).parent.parent / "data" / "reference_products.json").read_text(encoding="utf-8"))


def entries(kind):
    found = [entry for entry in ENTRIES if entry["kind"] == kind]
    return pytest.mark.parametrize("entry", found, ids=[entry["id"] for entry in found])


# C14: which slopes are gone


@pytest.mark.parametrize("activation, slope", [("tanh", lambda z: 1 / np.cosh(z) ** 2), ("sigmoid", lambda z: 0.25 / np.cosh(z / 2) ** 2), ("relu", lambda z: z > 0)])
def test_the_slopes_on_the_edges_are_those_of_a_forward_pass_by_hand(activation, slope):
    value = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0)}[activation]
    chain = deep.layered(6, 64, activation, 3.0, 0)
    rng, h, by_hand = np.random.default_rng(0), chain.stations[0][0].data, []
    for _ in range(6):
        z = rng.normal(0, 1 / 8, (64, 64)) * 3.0 @ h
        h = value(z)
        by_hand.append(slope(z))
    np.testing.assert_allclose(deep.unit_slopes(chain), by_hand, rtol=1e-9, atol=1e-15)


# C15 and C16: paths of a ReLU network


def walked(sizes):
    """(gradient, active paths, all paths) of the sine net, by plain NumPy: gates from a forward pass, then every path on foot."""
    h, gates, weights = np.cos(1 + np.arange(sizes[0])), [], []
    for layer, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        W = np.array([[math.sin(1 + 3 * i + 7 * j + 11 * layer) for j in range(n_in)] for i in range(n_out)])
        h = W @ h if not layer else W @ np.maximum(h, 0)
        gates.append(h > 0)
        weights.append(W)
    gates[-1] = np.ones(1, dtype=bool)
    g, active, count = np.zeros(sizes[0]), 0, 0
    for walk in itertools.product(*map(range, sizes)):
        count += 1
        if all(gate[unit] for gate, unit in zip(gates, walk[1:])):
            active += 1
            g[walk[0]] += math.prod(W[i, j] for W, j, i in zip(weights, walk, walk[1:]))
    return g, active, count


@entries("relu_paths")
def test_paths_walked_one_by_one_give_gradient_and_counts(entry):
    sizes, value = entry["params"]["sizes"], entry["value"]
    g, active, count = walked(sizes)
    y, x = quotes.sine_net(sizes)
    found = [paths(y, one) for one in x]
    np.testing.assert_allclose(g, value["grad_x"], rtol=1e-11)
    np.testing.assert_allclose(grad(y, list(x)), g, rtol=1e-12)
    assert y.data == pytest.approx(value["y"], rel=1e-11)
    assert (active, count) == (value["active_paths"], value["total_paths"])
    assert (sum(each.active for each in found), sum(each.count for each in found)) == (active, count)


@given(st.floats(0.1, 3), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_weights_times_s_scale_the_gradient_of_a_relu_net_by_s_to_its_depth(s, L):
    plain, scaled = (deep.layered(L, 32, "relu", deep.times(by, nn.init.he), 0).log_product[0] for by in (1.0, s))
    assert scaled - plain == pytest.approx(L * math.log(s), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_path_through_sigmoids_has_slopes_above_a_quarter_per_layer(seed):
    net = nn.MLP([4] * 7, "sigmoid", "he", leaf=scalars, rng=seed)
    x = scalars(np.cos(np.arange(4)), name="x")
    assert all(path.slopes <= 0.25**5 * (1 + 1e-12) for path in paths(net(x)[0], x[0], top=200).top)


# C17: batch norm, both faces


@entries("batchnorm_explosion")
def test_batch_norm_makes_a_relu_net_explode_at_the_predicted_rate(outcomes, entry):
    rate = outcomes["C17"].found.figures["ReLU, batch norm: nats per layer"]
    for key in ("slope_pred", "slope_mc"):
        assert rate == pytest.approx(entry["value"][key], abs=entry["tol"]["per_key"][f"mc_vs_{key}_abs"])


def test_without_batch_norm_the_same_relu_net_neither_grows_nor_shrinks_much():
    x = Tensor(np.random.default_rng(1).normal(size=(8, 256)))
    log = Chain(nn.MLP([256] * 33, "relu", "he")(x), x, seed=np.random.default_rng(2).normal(size=(8, 256))).log_product[0]
    assert abs(log / 32) < 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_on_other_draws_too_eight_sigmoid_layers_learn_with_batch_norm_only(seed):
    def last(norm):
        points, labels = quotes.two_moons(128, rng=seed)
        net = nn.MLP([2, *[12] * 7, 2], "sigmoid", norm=norm, rng=seed)
        return quotes.fit(net, lambda net, b: nn.cross_entropy(net(b[0]), b[1]), [(points, labels)] * 150, quotes.SGD(net, 0.3), 150).losses[-1]

    assert last(None) == pytest.approx(math.log(2), abs=0.005)
    assert last("batch") < 0.3


# C18 and C19: averages and powers


@entries("scalar_chain")
def test_powers_of_one_weight(entry):
    w, n = entry["params"]["w"], entry["params"]["n"]
    assert abs(products.gradients([w] * n, Scalar(1.0))[-1]) == pytest.approx(entry["value"]["grad"], rel=1e-12)


@given(st.lists(st.floats(0.2, 2) | st.floats(-2, -0.2), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_geometric_mean_decides_whatever_the_order(weights):
    mean_log = np.mean(np.log(np.abs(weights)))
    for order in (weights, sorted(weights)):
        assert np.log(abs(products.gradients(order, Scalar(1.0))[-1])) == pytest.approx(len(weights) * mean_log, abs=1e-9)


def test_matrices_in_turn_follow_their_singular_values_and_one_alone_its_eigenvalues():
    W = np.array([[0.0, 2.0], [0.4802, 0.0]])
    in_turn = products.gradients([W.T, W] * 10, Tensor([1.0, 1.0]), np.array([1.0, 0.0]))
    alone = products.gradients([W] * 20, Tensor([1.0, 1.0]), np.array([1.0, 0.0]))
    in_turn, alone = (np.linalg.norm(g, axis=1) for g in (in_turn, alone))
    assert in_turn[20] == pytest.approx(np.linalg.norm(np.linalg.matrix_power(W @ W.T, 10), 2), rel=1e-12)
    assert alone[20] == pytest.approx(0.98**20, rel=1e-12)
    assert np.linalg.svd(W, compute_uv=False) == pytest.approx([2, 0.4802])


def test_the_gradient_of_a_repeated_weight_is_a_sum_of_t_equal_uses():
    w, h = Scalar(0.9, name="w"), Scalar(1.0, name="x")
    for t in range(1, 21):
        h = (w * h).named("h", t)
    assert [use.gradient for use in uses(h, w)] == pytest.approx([0.9**19] * 20, rel=1e-12)


# C20 and C21: random factors


@entries("product_variance")
def test_moments_of_the_logarithm_of_a_product(entry):
    n, v, value = entry["params"]["n"], entry["params"]["v"], entry["value"]
    rng, runs = np.random.default_rng(7), 20_000
    draw = {"normal": lambda: rng.normal(size=runs), "uniform": lambda: rng.uniform(-math.sqrt(3), math.sqrt(3), runs), "rademacher": lambda: rng.choice([-1.0, 1.0], runs)}
    p = np.abs(products.gradients([math.sqrt(v) * draw[entry["params"]["dist"]]() for _ in range(n)], Tensor(np.ones(runs)), np.ones(runs))[-1])
    assert np.mean(np.log(p)) == pytest.approx(value["mean_log_abs"], abs=5 * value["std_log_abs"] / math.sqrt(runs) + 1e-12)
    assert np.std(np.log(p)) == pytest.approx(value["std_log_abs"], rel=0.05, abs=1e-12)
    if value["kurtosis_of_product"] < 20:  # else no sample shows it
        assert np.mean(p**2) == pytest.approx(value["var"], abs=5 * math.sqrt(value["kurtosis_of_product"] / runs) * value["var"])


@entries("choose_variance")
def test_the_chosen_variance_gives_back_the_one_wished_for_where_the_factors_have_one_size(entry):
    v_star, n = entry["params"]["v_star"], entry["params"]["n"]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (n, 50))
    assert np.mean(products.gradients(math.sqrt(entry["value"]) * signs, Tensor(np.ones(50)), np.ones(50))[-1] ** 2) == pytest.approx(v_star, rel=1e-12)


@entries("lognorm_sq_per_layer")
def test_mean_and_spread_of_the_log_gain_per_layer_are_sums_of_digammas(entry):
    N, value = entry["params"]["N"], entry["value"]
    L, runs = (10, 2) if N == 400 else (20, 4 if N == 100 else 4000 // N)
    for kind, activation in (("lin", "linear"), ("relu", "relu")):
        if activation == "relu" and N < 50:
            continue  # some layers of narrow nets die
        steps = 2 * np.diff(products.untied(N, L, runs, activation, rng=N)[0], axis=0)
        assert steps.mean() == pytest.approx(value[f"{kind}_mean"], abs=4 * math.sqrt(value[f"{kind}_var"] / steps.size))
        assert steps.var() == pytest.approx(value[f"{kind}_var"], rel=1.0 if steps.size < 100 else 0.3)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_the_random_walk_scale_shifts_every_net_by_the_same_and_leaves_the_spread(activation):
    plain, scaled = products.untied(16, 30, 5, activation, rng=3)
    per_layer = {"linear": 1 / 32, "relu": 1.2 / 13.6}[activation]
    np.testing.assert_allclose(scaled - plain, per_layer * np.arange(31)[:, None] * np.ones(5), atol=1e-9)


def test_log_gains_are_those_of_a_backward_pass_by_hand():
    (Ws, h, seed), kept = next(recurrences.draws(12, 8, 3, rng=0)), []
    for W in math.sqrt(2) * Ws.swapaxes(0, 1):
        z = np.einsum("soi,sbi->sbo", W, h)
        h = np.maximum(z, 0)
        kept.append((W, z > 0))
    g = seed
    for W, gate in reversed(kept):
        g = np.einsum("soi,sbo->sbi", W, g * gate)
    by_hand = np.log(np.linalg.norm(g[:, 0], axis=1) / np.linalg.norm(seed[:, 0], axis=1))
    np.testing.assert_allclose(products.untied(12, 8, 3, "relu", rng=0)[0][8], by_hand, rtol=1e-10)


# C22: what the proof assumes


def test_the_gradient_of_the_tanh_net_is_that_of_backpropagation_through_time_by_hand():
    W = nn.init.spectrum(np.linspace(-1.2, 1.2, 8), rng=1)
    W = (W + W.T) / 2
    x, h, g = np.random.default_rng(4).normal(size=(50, 8)), np.zeros(8), np.linalg.eigh(W)[1][:, -1]
    slopes = []
    for t in range(50):
        h = np.tanh(W @ h + x[t])
        slopes.append(1 - h * h)
    for d in reversed(slopes):
        g = W.T @ (d * g)
    logs, largest = products.recurrent(W, "tanh", 1.0, 4)
    assert logs[50] == pytest.approx(math.log(np.linalg.norm(g)), abs=1e-9)
    assert largest < 1


def test_input_does_not_enter_the_gradient_of_a_linear_net_and_does_that_of_a_tanh_net():
    W = np.diag([1.2, 0.5])
    assert products.recurrent(W, "linear", 0.0, 0)[0] == pytest.approx(products.recurrent(W, "linear", 1.0, 0)[0], abs=1e-12)
    assert products.recurrent(W, "tanh", 0.0, 0)[0][50] - products.recurrent(W, "tanh", 1.0, 0)[0][50] > 5


@pytest.mark.parametrize("t", [1, 7, 200])
def test_a_jordan_block_grows_like_t_though_its_eigenvalues_are_1(t):
    gain = np.linalg.norm(products.gradients([np.array([[1.0, 1.0], [0.0, 1.0]])] * t, Tensor([1.0, 1.0]), np.array([1.0, 0.0])), axis=1)
    assert gain[t] == pytest.approx(math.hypot(1, t), rel=1e-12)
