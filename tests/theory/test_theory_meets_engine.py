"""Two ways to one number: theory's formula, which knows no graph, and the engine's gradient, which knows no formula."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, grad, hessian, history, jacobian, linear, nn, sigmoid, sqrt, square, tanh
from tinygrad_vg.theory import jacobians, landscape, meanfield, powers, products, rates

ENTRIES = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_theory.json").read_text(encoding="utf-8"))


def entries(kind):
    return pytest.mark.parametrize("entry", [pytest.param(e, id=e["id"]) for e in ENTRIES if e["kind"] == kind])


def twice(output, source):
    """Slope and curvature at a Scalar."""
    first = grad(output, source, create_graph=True)
    return first.data, grad(first, source)


@entries("cliff_point")
def test_the_cliff_and_its_gradient(entry):
    p, value, tol = entry["params"], entry["value"], entry["tol"]["rel"]
    w, b, x = Scalar(p["w"]), Scalar(p["b"]), p["x0"]
    for _ in range(p["T"]):
        x = w * sigmoid(x) + b
    loss = square(sigmoid(x) - p["target"])
    engine = (loss.data, *grad(loss, [w, b]))
    assert engine == pytest.approx(landscape.cliff(p["w"], p["b"], p["T"], p["x0"], p["target"]), rel=1e-10)
    assert engine == pytest.approx((value["loss"], value["dLdw"], value["dLdb"]), rel=tol)


@entries("sigmoid_scalar_chain")
def test_a_sigmoid_chain_splits_into_its_slopes_and_its_weights(entry):
    p, value, tol = entry["params"], entry["value"], entry["tol"]["rel"]
    x = first = Scalar(p["x0"])
    for _ in range(p["n"]):
        x = sigmoid(p["w"] * x + p["b"])
    chain, theory = Chain(x, first), jacobians.sigmoid_chain(p["w"], p["b"], p["x0"], p["n"])
    slopes = math.prod(float(edge.local) for node in history(x) if node.op == "sigmoid" for edge in node.edges)
    assert chain.gradients[0] == pytest.approx(theory["gradient"], rel=1e-12)
    assert slopes == pytest.approx(theory["slopes"], rel=1e-12)
    assert (x.data, grad(x, first), slopes) == pytest.approx((value["x_n"], value["grad"], value["act_factor"]), rel=tol)
    assert abs(grad(x, first)) <= jacobians.product_bound(abs(p["w"]), "sigmoid", p["n"]) * (1 + 1e-12)


@entries("funnel")
def test_funnels(entry):
    p, value = entry["params"], entry["value"]
    x = Scalar(p["r"])
    engine = twice(abs(x) ** p["p"], x)
    assert engine == pytest.approx(landscape.funnel(p["r"], p["p"]), rel=1e-12)
    assert engine == pytest.approx((value["grad"], value["curv"]), rel=entry["tol"]["rel"])


@entries("smoothed_spike")
def test_smoothed_spikes(entry):
    e = entry["params"]["e"]
    for at in (entry["params"]["x"], 0.0, -0.3):
        x = Scalar(at)
        assert twice(sqrt(x * x + e * e), x) == pytest.approx(landscape.spike(at, e), rel=1e-10)


@entries("eigen_mode_overshoot")
def test_one_step_from_an_exploding_mode(entry):
    p, value, rel = entry["params"], entry["value"], entry["tol"]["rel"]
    lam = Scalar(p["lam"])
    loss = 0.5 * square(p["c"] * lam ** p["T"] - p["y"])
    slope, curvature = twice(loss, lam)
    assert (loss.data, slope, curvature) == pytest.approx(landscape.eigen_mode(p["lam"], p["T"], p["c"], p["y"]), rel=1e-11)
    assert (loss.data, slope, curvature) == pytest.approx((value["loss"], value["grad"], value["curvature"]), rel=rel)
    after, log_loss = landscape.overshoot(p["lam"], p["T"], p["c"], p["y"], p["lr"])
    assert lam.data - p["lr"] * slope == pytest.approx(after, rel=1e-12)
    assert math.log(0.5 * (p["c"] * (lam.data - p["lr"] * slope) ** p["T"] - p["y"]) ** 2) == pytest.approx(log_loss, rel=1e-9)


@entries("linear_rnn_symmetric")
def test_the_gradient_of_a_symmetric_recurrence(entry):
    p, n = entry["params"], entry["params"]["n"]
    Q = np.linalg.qr(np.random.default_rng(3).normal(size=(n, n)))[0]  # another Q than the entry's: the law does not ask which
    W, g, h = Q @ np.diag(p["lam"]) @ Q.T, np.arange(1.0, n + 1), Tensor(np.ones(n))
    last, start = h, h
    for _ in range(p["T"]):
        last = W @ last
    assert last.data == pytest.approx(powers.eigen_solution(Q, p["lam"], p["T"], np.ones(n)), rel=1e-9)
    assert grad(last, start, seed=g) == pytest.approx(powers.eigen_solution(Q, p["lam"], p["T"], g), rel=1e-9)


@entries("nonnormal")
def test_the_norms_of_powers_are_those_of_the_jacobians_of_a_linear_recurrence(entry):
    W, h = np.array(entry["params"]["W"]), Tensor(np.ones(2))
    last, logs = h, powers.log_norms(W, 12)
    for t in range(1, 13):
        last = W @ last
        assert np.linalg.norm(jacobian(last, h), 2) == pytest.approx(math.exp(logs[t]), rel=1e-12)


@entries("product_bound")
def test_no_recurrent_net_exceeds_the_product_bound(entry):
    p = entry["params"]
    name, activation = ("sigmoid", sigmoid) if p["gamma"] == 0.25 else ("tanh", tanh)
    rng = np.random.default_rng(0)
    W = rng.normal(size=(5, 5))
    W *= p["normW"] / np.linalg.norm(W, 2)
    h = start = Tensor(np.zeros(5))
    for _ in range(p["T"]):
        h = activation(W @ h)
    worst = np.linalg.norm(jacobian(h, start), 2)
    assert 0 < worst <= jacobians.product_bound(p["normW"], name, p["T"])


@entries("identity")
def test_a_sigmoid_layer_in_tanhs_clothes_has_the_same_jacobian(entry):
    rng = np.random.default_rng(1)
    t = first_t = Tensor(rng.normal(size=4))
    h = first_h = Tensor((1 + first_t.data) / 2)
    for _ in range(8):
        W, b = rng.normal(size=(4, 4)), rng.normal(size=4)
        V, c = meanfield.as_sigmoid(W, b)
        t, h = tanh(W @ t + b), sigmoid(V @ h + c)
    assert h.data == pytest.approx((1 + t.data) / 2, abs=1e-14)
    assert jacobian(h, first_h) == pytest.approx(jacobian(t, first_t), rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("tied", [False, True])
def test_the_largest_stable_step_is_two_over_the_curvature(tied):
    L = 6
    w = Tensor(np.ones(1 if tied else L))
    product = w[0]
    for k in range(1, L):
        product = product * w[0 if tied else k]
    curvature = np.linalg.eigvalsh(hessian(0.5 * square(product - 1.0), w)).max()
    assert 2 / curvature == pytest.approx(powers.largest_stable_step(L, tied), rel=1e-12)


@pytest.mark.parametrize("a, b, K", [(0.5, 3, 4), (0.9, 2, 6)])
def test_the_rms_slope_of_a_fractal_over_its_period(a, b, K):
    """A mean over more points than twice the highest frequency is exact."""
    x = Tensor(np.arange(4 * b**K) / (2 * b**K))
    y = sum(a**k * np.cos(b**k * np.pi * x) for k in range(K + 1))
    assert np.sqrt(np.mean(grad(y.sum(), x) ** 2)) == pytest.approx(landscape.fractal_slope(a, b, K), rel=1e-10)


@pytest.mark.parametrize("L", [2, 5])
def test_gradient_descent_on_a_deep_linear_mode_takes_the_time_of_the_flow(L):
    s, start, end, lr, w, steps = 2.0, 1.0, 1.98, 5e-4, Tensor(np.ones(L)), 0
    while np.prod(w.data) < end:
        (g,) = grad(0.5 * square(s - np.prod(w)), [w])
        w.data, steps = w.data - lr * g, steps + 1
    assert steps * lr == pytest.approx(landscape.mode_time(L, s, start, end), rel=0.005)


@entries("minimal_rnn_meanfield")
def test_a_gated_net_of_256_units_has_the_slope_of_mean_field_theory(entry):
    """Untied weights, 40 steps, 8 draws. A finite N lies below theory, by 0.015 at sw2 = 25: within the tolerance, and no chance (see the docstring)."""
    (sw2, b), N, T, logs = (entry["params"]["sw2"], entry["params"]["b"]), 256, 40, []
    theory = rates.minimal_rnn(sw2, b)
    for rng in map(np.random.default_rng, range(10, 18)):
        h = start = Tensor(math.sqrt(theory["q"]) * rng.normal(size=N))
        for _ in range(T):
            W, x = math.sqrt(sw2 / N) * rng.normal(size=(N, N)), rng.normal(size=N)
            u = sigmoid(W @ h + b)
            h = u * h + (1 - u) * x
        g = rng.normal(size=N)
        logs.append(math.log(np.linalg.norm(grad(h, start, seed=g)) / np.linalg.norm(g)) / T)
    assert np.mean(logs) == pytest.approx(theory["slope"], abs=entry["tol"]["per_key"]["mc_abs"])


@pytest.mark.parametrize("name, scale", [("linear", 1.0), ("relu", math.sqrt(2)), ("tanh", 1.4), ("sigmoid", 1.0)])
def test_the_slope_and_the_spread_of_a_layer_of_finite_width(name, scale):
    """Sixty nets of width 64, depth 20 at once; the mean is known to 4 standard errors, the sd to 40 %."""
    N, L, seeds, rng = 64, 20, 60, np.random.default_rng(5)
    q = meanfield.q_star(name, scale**2) if name in ("tanh", "sigmoid") else 1.0
    phi, z = nn.ACTIVATIONS[name], Tensor(math.sqrt(q) * rng.normal(size=(seeds, 1, N)))
    start = z
    for _ in range(L):
        z = linear(phi(z), nn.init.normal((seeds, N, N), rng, scale))
    g = rng.normal(size=z.shape)
    logs = np.log(np.linalg.norm(grad(z, start, seed=g), axis=-1) / np.linalg.norm(g, axis=-1)).ravel()
    sd = products.log_gain_sd(name, N, L, q)
    assert np.mean(logs) / L == pytest.approx(meanfield.slope(name, scale**2, width=N), abs=4 * sd / math.sqrt(seeds) / L + 0.003)
    assert np.std(logs) == pytest.approx(sd, rel=0.4)


@pytest.mark.parametrize(("a", "L"), [(0.3, 64), (1.0, 24)])
def test_residual_tanh_layers_gain_what_the_recursion_says_and_not_what_a_branch_that_keeps_lengths_would(a, L):
    found, N = [], 128
    for seed in range(8):
        rng = np.random.default_rng(seed)
        h = first = Tensor(rng.normal(size=N), name="x")
        for _ in range(L):
            h = h + a * tanh(linear(h, np.sqrt(1.5 / N) * rng.normal(size=(N, N))))
        found.append(Chain(h, first, seed=rng.normal(size=N)).log_product[0])
    predicted = rates.residual_layers("tanh", a, 1.5, L)
    assert predicted.shape == (L,) and np.all(np.diff(predicted) < 0)
    assert np.mean(found) == pytest.approx(predicted.sum(), abs=0.25) and predicted.sum() < 0.8 * L * rates.residual(a)
