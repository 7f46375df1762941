"""Closed forms and mean-field theory, met by networks that are really built: MLP, norms and residual blocks, through grad and Chain.

The entries are those of the project's reference.json (value, tolerance, source); conventions: slope = d ln|g| / d layer,
sw2: W ~ N(0, sw2 / N), sb2: b ~ N(0, sb2).
"""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, grad, history, nn, scalars
from tinygrad_vg.nn.layers import ACTIVATIONS, Linear, Residual
from tinygrad_vg.nn.mlp import MLP
from tinygrad_vg.nn.weights import load_weights

ENTRIES = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_layers.json").read_text(encoding="utf-8"))


def entries(kind, fast=None):
    """The entries of a kind as parameters of a test; all but those in `fast` are marked slow (None: none are)."""
    marks = {True: (), False: pytest.mark.slow}
    return [
        pytest.param(e["params"], e["value"], e["tol"], id=e["id"], marks=marks[fast is None or e["id"] in fast])
        for e in ENTRIES
        if e["kind"] == kind
    ]


def nodes(output, base):
    """{k: the node named base[k]} of the history."""
    return {node.name.index[0]: node for node in history(output) if node.name and node.name.base == base and node.name.index}


def size(x):
    return float(np.linalg.norm(x))


def scaled(variance):
    """An init with W ~ N(0, variance / n_in)."""
    return lambda shape, rng: nn.init.normal(shape, rng, scale=math.sqrt(variance))


def slope_of(model, x, rng):
    """ln of the gain of a random gradient on its way from the output z[K] back to z[1], per layer."""
    y = model(x)
    stations = nodes(y, "z")
    chain = Chain(y, stations[1], through=[stations[k] for k in sorted(stations)], seed=rng.normal(size=y.shape))
    return chain.log_product[0] / (len(stations) - 1)


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("params, value, tol", entries("residual_scalar"))
def test_a_residual_chain_multiplies_one_plus_a(params, value, tol, leaf):
    n, a = params["n"], params["a"]
    x, unit = Scalar(0.7, name="x"), Residual(lambda x: x, a)
    y = x
    for _ in range(n):
        y = unit(y)
    assert float(Chain(y, x).gradients[0]) == pytest.approx(value, rel=tol["rel"])
    net, start = MLP([1] * (n + 2), "linear", init=lambda shape, rng: np.ones(shape), residual=a, leaf=leaf), leaf(np.array([0.7]))
    y = net(start) if leaf is Tensor else net(start)[0]
    (g,) = grad(y, [start if leaf is Tensor else start[0]])
    assert float(np.squeeze(g)) == pytest.approx(value, rel=tol["rel"])


@pytest.mark.parametrize("leaf", [Tensor, scalars])
@pytest.mark.parametrize("params, value, tol", entries("relu_paths"))
def test_a_relu_network_is_the_sum_over_its_active_paths(params, value, tol, leaf):
    sizes = params["sizes"]
    net = MLP(sizes, "relu", leaf=leaf)
    for k in range(1, net.depth + 1):
        i, j = np.indices((sizes[k], sizes[k - 1]))
        load_weights(net.layer(k), {"W": np.sin(1 + 3 * i + 7 * j + 11 * (k - 1)), "b": np.zeros(sizes[k])})
    x = leaf(np.cos(1.0 + np.arange(sizes[0])))
    y = net(x) if leaf is Tensor else net(x)[0]
    assert y.item() == pytest.approx(value["y"], rel=tol["rel"])
    g = grad(y, [x])[0] if leaf is Tensor else grad(y, list(x))
    assert np.ravel(g) == pytest.approx(value["grad_x"], rel=tol["rel"])
    if leaf is Tensor:
        active = [np.count_nonzero(h.data) for h in nodes(y, "h").values()]
        assert len(active) == net.depth - 1
        assert sizes[0] * math.prod(active) == value["active_paths"] and math.prod(sizes) == value["total_paths"]


@pytest.mark.parametrize("params, value, tol", entries("meanfield_tanh", ["B1.tanh.sw2_1.0.sb2_0.05", "B1.tanh.sw2_4.0.sb2_0.0"])
                         + entries("meanfield_sigmoid", ["B2.sigmoid.sw2_4.0.sb2_0"]))  # fmt: skip
def test_the_slope_of_a_wide_network_is_the_mean_fields(params, value, tol):
    N, L, act, rng = 300, 20, params["act"], np.random.default_rng(0)
    slopes = []
    for _ in range(30):
        net = MLP([N] * (L + 2), act, init=scaled(params["sw2"]), rng=rng)
        for k in range(1, L + 2):
            net.layer(k).b.data = math.sqrt(params["sb2"]) * rng.normal(size=N)
        x = ACTIVATIONS[act](math.sqrt(value["q_star"]) * rng.normal(size=N))
        slopes.append(slope_of(net, Tensor(x), rng))
    tol = tol["per_key"]
    assert np.mean(slopes) == pytest.approx(value["slope_log_grad"], abs=tol["mc_abs_vs_slope_log_grad"])
    assert np.mean(slopes) == pytest.approx(value["slope_finite_width_N300"], abs=tol["mc_abs_vs_slope_finite_width_N300"])


@pytest.mark.parametrize("params, value, tol", entries("meanfield_relu") + entries("meanfield_linear"))
def test_relu_and_linear_networks_lose_what_theory_says_at_width_50(params, value, tol):
    N, L, runs, rng = 50, 20, 100, np.random.default_rng(1)
    net = MLP([N] * (L + 2), params["act"], init=scaled(params["sw2"]), seeds=runs, rng=rng)
    y = net(Tensor(rng.normal(size=(runs, 1, N))))
    seed = rng.normal(size=y.shape)
    first = nodes(y, "z")[1] if params["act"] == "relu" else nodes(y, "h")[1]
    (g,) = grad(y, [first], seed=seed)
    slope = np.mean(np.log(np.linalg.norm(g, axis=2) / np.linalg.norm(seed, axis=2))) / L
    finite = value["slope_log_grad_inf"] + float(value["slope_correction"].removesuffix("/N")) / N
    assert slope == pytest.approx(finite, abs=tol["per_key"]["mc_abs_slope"])


@pytest.mark.parametrize("params, value, tol", entries("relu_xavier_gain", ["C.he.xavier_relu.20"]))
def test_xavier_halves_the_squared_gradient_of_relu_at_every_layer(params, value, tol):
    N, L, rng = 200, params["L"], np.random.default_rng(2)
    logs = np.array([L * slope_of(MLP([N] * (L + 2), "relu", rng=rng), rng.normal(size=N), rng) for _ in range(40)])
    assert math.exp(value["log_rms_gain"]) == pytest.approx(value["rms_gain"], rel=tol["rel"])
    assert 0.5 * math.log(np.mean(np.exp(2 * logs))) == pytest.approx(value["log_rms_gain"], abs=0.15)  # 40 runs: se about .08
    he = np.array([L * slope_of(MLP([N] * (L + 2), "relu", "he", rng=rng), rng.normal(size=N), rng) for _ in range(10)])
    assert np.mean(he) == pytest.approx(-1.25 * L / N, abs=0.5)


@pytest.mark.parametrize("params, value, tol", entries("glorot_backprop_slope"))
def test_glorots_two_inits_differ_by_about_root_three_a_layer(params, value, tol):
    N, L, rng = params["N"], params["L"], np.random.default_rng(3)
    init = "uniform" if "standard" in params["init"] else "xavier"
    slopes = []
    for _ in range(20):
        net, x = MLP([N] * (L + 2), "tanh", init, rng=rng), Tensor(params["x_sd"] * rng.normal(size=N))
        last = nodes(net(x), "h")[L]
        slopes.append(Chain(last, x, seed=rng.normal(size=N)).log_product[0] / L)
    assert np.mean(slopes) == pytest.approx(value["mc"], abs=tol["per_key"]["abs"])  # pred_linear leaves tanh's slope out


@pytest.mark.parametrize("params, value, tol", entries("batchnorm_explosion", ["B3.bn.linear.B8"]))
def test_batch_norm_makes_gradients_explode_at_the_rate_of_theory(params, value, tol):
    N, B, L, rng = params["N"], params["B"], params["L"], np.random.default_rng(4)
    slopes = []
    for _ in range(6):
        net = MLP([N] * (L + 2), params["act"], init="normal", norm="batch", rng=rng)
        y = net(rng.normal(size=(B, N)))
        stations = nodes(y, "x̂")  # one for each norm; backward step s is station L − s
        g = grad(y, [stations[L - 3], stations[2]], seed=rng.normal(size=y.shape))
        slopes.append(math.log(size(g[1]) / size(g[0])) / (L - 5))
    tol = tol["per_key"]
    assert np.mean(slopes) == pytest.approx(value["slope_mc"], abs=tol["mc_vs_slope_mc_abs"])
    assert np.mean(slopes) == pytest.approx(value["slope_pred"], abs=tol["mc_vs_slope_pred_abs"])


def residual_log_gain(N, L, a, activation, variance, rng):
    """ln |g at x| / |g at the end| through L blocks x + a W2 φ(W1 x), W1 ~ N(0, variance/N), W2 ~ N(0, 1/N)."""
    y = x = Tensor(rng.normal(size=N))
    for _ in range(L):
        block = MLP([N, N, N], activation, init=scaled(variance), rng=rng)
        y = Residual(lambda h, f=block: f(h) / math.sqrt(variance), a)(y)
    seed = rng.normal(size=N)
    return math.log(size(grad(y, [x], seed=seed)[0]) / size(seed))


@pytest.mark.parametrize("params, value, tol", entries("residual_meanfield", ["B4.res.1.0000.20", "B4.res.0.5000.30"]))
def test_a_residual_network_gains_root_one_plus_a_squared_a_block(params, value, tol):
    rng, L = np.random.default_rng(5), params["L"]
    logs = [residual_log_gain(params["N"], L, params["alpha"], "relu", 2.0, rng) for _ in range(10)]
    assert np.mean(logs) / L == pytest.approx(value["slope_pred"], abs=tol["per_key"]["slope_abs"])
    assert math.log(value["total_gain_pred"]) == pytest.approx(L * value["slope_pred"], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("params, value, tol", entries("residual_tanh_subexponential"))
def test_a_residual_tanh_network_gains_less_than_exponentially(params, value, tol):
    rng = np.random.default_rng(6)
    for L, expected in value["total_log_gain"].items():
        logs = [residual_log_gain(params["N"], int(L), 1.0, "tanh", 1.0, rng) for _ in range(6)]
        assert np.mean(logs) == pytest.approx(expected, abs=tol["per_key"]["abs"])


def test_the_linear_layer_is_the_matrix_it_is_made_of():
    layer = Linear(3, 2, rng=1)
    (edge,) = [edge for edge in layer(Tensor(np.ones(3))).edges if edge.parent.name is None]
    assert np.array_equal(edge.local.dense(), layer.W.data)
