"""The reference values that a closed form can answer: each, whole, within its tolerance (1e-8 where a key names none).

ANSWERS holds, for each kind, what theory says: a value of the same shape as the entry's. Only what was measured by sampling, and is
therefore nobody's closed form, is left out of the comparison, by name; it is compared where theory predicts it, further down.
"""

import collections
import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import theory
from tinygrad_vg.theory import gaussian, jacobians, landscape, meanfield, memory, powers, products, rates

ENTRIES = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_theory.json").read_text(encoding="utf-8"))
MEASURED = {"slope_mc", "mc", "se", "smax_mc", "tied_mc", "sd", "numerical_total", "numerical_rank"}


def dct(n):
    j, k = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    Q = np.sqrt(2 / n) * np.cos(np.pi * (2 * j + 1) * k / (2 * n))
    Q[:, 0] /= np.sqrt(2)
    return Q


def symmetric(n, Q, lam, T, g):
    Q, g = dct(n), np.ones(n) if g == "ones" else np.eye(n)[0]
    at_start = powers.eigen_solution(Q, lam, T, g)
    return dict(grad=at_start, norm=np.linalg.norm(at_start), cos2_top=powers.shares(lam, Q.T @ g, T)[0], rate_lastlog=powers.step_rate(lam, Q.T @ g, T))


def nonnormal(W, ts, T=1000):
    t, peak, below = powers.transient(W, T)
    gelfand = {str(t): powers.gelfand(W, t) for t in ts}
    return dict(rho=np.max(np.abs(np.linalg.eigvals(W))), sigma_max=powers.gelfand(W, 1), peak_norm=peak, peak_t=t, gelfand=gelfand, first_t_below_1=below)


def nonnormal_chain(n, diag, super):
    W = diag * np.eye(n) + super * np.eye(n, k=1)
    answer = nonnormal(W, (1, 10, 100, 400))
    del answer["first_t_below_1"]
    return answer


def product_variance(dist, v, n):
    p = products.product(dist, v, n)
    return dict(var=p["var"], kurtosis_of_product=p["kurtosis"], mean_log_abs=p["mean_log"], std_log_abs=p["sd_log"], geometric_mean_abs=p["typical"])


def lognorm(N):
    (lin_mean, lin_var), (relu_mean, relu_var) = (products.layer_log_gain(kind, N) for kind in ("linear", "relu"))
    answer = dict(lin_mean=lin_mean, lin_var=lin_var, relu_mean=relu_mean, relu_var=relu_var, relu_death_prob=0.5**N)
    for kind, short in (("linear", "lin"), ("relu", "relu")):
        answer |= {f"g_{short}_exact": products.random_walk_gain(kind, N), f"g_{short}_SA": products.random_walk_gain(kind, N, exact=False)}
    return answer | dict(hanin_var=4 * products.log_gain_sd("relu", N, 1) ** 2)


def mean_field(act, sw2, sb2):
    at = (act, sw2, sb2)
    answer = dict(q_star=meanfield.q_star(*at), chi1=meanfield.chi1(*at), slope_log_grad=meanfield.slope(*at), slope_finite_width_N300=meanfield.slope(*at, width=300))
    if act == "tanh":
        answer |= dict(c_star=meanfield.c_star(*at) if answer["q_star"] else None, xi_c=meanfield.depth_scale(*at))
    return answer


def without_length(act, sw2):
    rate = meanfield.slope(act, sw2)
    correction = 64 * (meanfield.slope(act, sw2, width=64) - rate)
    return dict(chi1=meanfield.chi1(act, sw2), slope_log_grad_inf=rate, slope_correction=f"{correction:.9g}/N")


def edge(name, sb2):
    sw2, q = meanfield.edge_of_chaos(name, sb2)
    return dict(sw2=sw2, q_star=q)


def batch_norm(act, B, N, L):
    rate = rates.batch_norm(act, B if act == "linear" else None)
    return dict(slope_pred=rate, gain_pred=math.exp(rate))


def forget_moments(b_f, preact_sd):
    f = rates.forget_gate(b_f, preact_sd)
    return dict(Ef=f["mean"], half_log_Ef2=f["rms"], E_log_f=f["typical"], var_log_f=f["var_log"], memory_timescale=f["timescale"])


def overshoot(lam, T, c, y, lr, loss):
    value, slope, curvature = landscape.eigen_mode(lam, T, c, y)
    after, log_loss = landscape.overshoot(lam, T, c, y, lr)
    return dict(loss=value, grad=slope, curvature=curvature, lam_after=after, loss_after_log10=log_loss / math.log(10))


def minimal_rnn(sw2, b, **_):
    m = rates.minimal_rnn(sw2, b)
    return dict(q_star=m["q"], chi=m["chi"], Eu2=m["keep"], slope_log_grad=m["slope"])


def stable_step(L, loss):
    steps = {name: powers.largest_stable_step(L, name == "tied") for name in ("tied", "untied")}
    return steps | {f"hess_{name}": 2 / lr for name, lr in steps.items()}


def wide(N, quantiles):
    exponents = products.lyapunov(N)
    return dict(limit=products.wide_exponent(quantiles), untied=[exponents[round(q * N)] for q in quantiles])


def spread(w, T):
    (mean, tied), (same, untied) = products.scalar_spread(T, True), products.scalar_spread(T, False)
    assert mean == same
    return dict(sd_tied=tied, sd_untied=untied, mean_either=mean)


def capacity(N, rho):
    """Of a draw of our own, whose numerical rank need not be theirs: the bound, and that it is met by the rank."""
    rng = np.random.default_rng(0)
    W = rng.normal(size=(N, N))
    W *= rho / np.max(np.abs(np.linalg.eigvals(W)))
    recalled = memory.linear_capacity(W, rng.normal(size=N), 400)
    assert recalled.sum() <= N + 1e-6
    assert recalled.sum() == pytest.approx(round(recalled.sum()), abs=1e-6)
    assert np.all(recalled <= 1 + 1e-9)
    return dict(total_bound=len(W))


def exponent(act, scale, N, T, seeds):
    """The growth of the sd from T = 25 to 200."""
    q = meanfield.q_star(act, scale**2) if act == "tanh" else 1.0
    sds = [products.log_gain_sd(act, N, L, q) for L in T[1:]]
    return dict(exponent_T25_200=np.polyfit(np.log(T[1:]), np.log(sds), 1)[0])


def curvatures(f, e, x):
    slope, curvature = landscape.spike(x, e)
    return dict(grad=slope, curv0=landscape.spike(0.0, e)[1], curv=curvature)


ANSWERS = {
    "linear_rnn_symmetric": symmetric,
    "scalar_chain": lambda w, n: dict(grad=powers.residual(w - 1, n), log=-n * math.log(2) / powers.half_life(w), half_life=powers.half_life(w)),
    "sigmoid_bound": lambda n: jacobians.product_bound(1.0, "sigmoid", n),
    "sigmoid_scalar_chain": lambda w, b, x0, n, map: dict(
        zip(("x_n", "grad", "act_factor", "weight_factor"), jacobians.sigmoid_chain(w, b, x0, n).values())
    ),
    "product_variance": product_variance,
    "choose_variance": lambda v_star, n: products.choose_variance(v_star, n),
    "residual_scalar": lambda a, n: powers.residual(a, n),
    "leaky_scalar": lambda tau, n: powers.leaky(tau, n),
    "forget_product": lambda b, n: powers.forget(b, n),
    "skip_linear": lambda lam, T, d, rule: powers.delay(lam, T, d),
    "nonnormal": lambda W: nonnormal(W, (1, 10, 100, 1000)),
    "nonnormal_chain": nonnormal_chain,
    "orthogonal_norm": lambda n, W, T, g: math.exp(powers.log_norms(dct(n), T)[-1]),
    "cliff_point": lambda w, b, T, x0, target, map: dict(zip(("loss", "dLdw", "dLdb"), landscape.cliff(w, b, T, x0, target))),
    "funnel": lambda f, p, r: dict(zip(("grad", "curv"), landscape.funnel(r, p))),
    "smoothed_spike": curvatures,
    "lognorm_sq_per_layer": lognorm,
    "meanfield_tanh": mean_field,
    "meanfield_sigmoid": mean_field,
    "meanfield_relu": without_length,
    "meanfield_linear": without_length,
    "edge_of_chaos_tanh": lambda sb2: edge("tanh", sb2),
    "edge_of_chaos_sigmoid_zero_bias": lambda sb2: edge("sigmoid", sb2) | dict(sw=math.sqrt(edge("sigmoid", sb2)["sw2"])),
    "batchnorm_explosion": batch_norm,
    "residual_meanfield": lambda block, alpha, L, N, W1, W2: dict(slope_pred=rates.residual(alpha), total_gain_pred=math.exp(L * rates.residual(alpha))),
    "jacobian_sv_variance": lambda act, orthogonal, q, sw2, sb2, L: dict(
        var_of_JJT_eigs_over_mean2=jacobians.singular_value_variance(act, L, q, orthogonal)
    ),
    "forget_gate_moments": forget_moments,
    "scalar_spread": spread,
    "saxe_mode_time": lambda L, s, u0, uf, ode: dict(t=landscape.mode_time(L, s, u0, uf), t_times_L=L * landscape.mode_time(L, s, u0, uf)),
    "fractal_rms_slope": lambda f, a, b, K: dict(rms_slope=landscape.fractal_slope(a, b, K)),
    "eigen_mode_overshoot": overshoot,
    "minimal_rnn_meanfield": minimal_rnn,
    "product_bound": lambda normW, gamma, T: jacobians.product_bound(normW, {0.25: "sigmoid", 1.0: "tanh"}[gamma], T),
    "max_stable_lr_product": stable_step,
    "lyapunov_gaussian_untied": lambda N, T, W: dict(spectrum=products.lyapunov(N)),
    "wide_limit_spectrum": wide,
    "copy_memoryless_loss": lambda T: memory.copy_baseline(T),
    "adding_baseline_mse": lambda predict: memory.adding_baseline(predict),
    "l2_slope_shift": lambda lr, lam, steps: dict(
        shrink=math.exp(rates.l2_shrinkage(lr, lam, steps)), slope_shift_linear=rates.l2_shrinkage(lr, lam, steps)
    ),
    "explode_to_nonfinite": lambda L, w0, lr, tied, loss: dict(first_nonfinite_step=landscape.first_overflow(L, w0, lr, tied)),
    "esn_memory_capacity_linear": capacity,
    "mean_lyapunov_gaussian": lambda N: np.mean(products.lyapunov(N)),
    "relu_xavier_gain": lambda L: dict(log_rms_gain=L * meanfield.slope("relu", 1.0), rms_gain=math.exp(L * meanfield.slope("relu", 1.0))),
    "glorot_backprop_slope": lambda init, **_: dict(pred_linear=meanfield.slope("linear", 1 / 3 if init.startswith("standard") else 1.0)),
    "sd_exponent": exponent,
}
ELSEWHERE = {"cliff_max_grid", "identity", "tied_vs_untied_log_gain"}  # below


def entries(*kinds):
    return pytest.mark.parametrize("entry", [pytest.param(e, id=e["id"]) for e in ENTRIES if e["kind"] in kinds])


def tolerance(tol, key):
    """The entry's own, for the whole or for this key; 1e-8 of the value where it has none."""
    own = tol.get("per_key", tol)
    rel = own.get(f"{key}_rel", own.get(key, own.get("rel", 0.0 if "abs" in own or f"{key}_abs" in own else 1e-8)))
    return dict(rel=rel, abs=own.get(f"{key}_abs", own.get("abs", 1e-14)))


def compare(ours, theirs, limits, where):
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for key in theirs:
            compare(ours[key], theirs[key], limits, f"{where}.{key}")
    elif theirs is None or isinstance(theirs, str):
        assert ours == theirs, where
    else:
        assert np.asarray(ours, dtype=float) == pytest.approx(np.asarray(theirs, dtype=float), **limits), where


@entries(*ANSWERS)
def test_theory_gives_the_reference_value(entry):
    ours, theirs = ANSWERS[entry["kind"]](**entry["params"]), entry["value"]
    if not isinstance(theirs, dict):
        return compare(ours, theirs, tolerance(entry["tol"], ""), entry["id"])
    assert ours.keys() == theirs.keys() - MEASURED
    for key in ours:
        compare(ours[key], theirs[key], tolerance(entry["tol"], key), f"{entry['id']}: {key}")
    return None


def test_every_entry_has_its_answer_and_there_are_more_than_120():
    kinds = collections.Counter(entry["kind"] for entry in ENTRIES)
    assert kinds.keys() == ANSWERS.keys() | ELSEWHERE
    assert len({entry["id"] for entry in ENTRIES}) == len(ENTRIES) > 120


def test_a_value_that_is_off_by_a_little_is_refused():
    with pytest.raises(AssertionError, match="here.b"):
        compare({"a": 1.0, "b": [2.0, 3.0]}, {"a": 1.0, "b": [2.0, 3.0000001]}, tolerance({}, "b"), "here")


# ---- what takes more than a formula


@entries("cliff_max_grid")
def test_the_steepest_point_of_the_cliff_is_where_the_scan_finds_it(entry):
    """2.2 million runs of fifty steps, some thousands at a time."""
    w, b = np.linspace(0, 7, 1401), np.linspace(-4, 0, 1601)
    steepest = (0.0, 0.0, 0.0)
    for rows in np.array_split(w, 350):
        _, by_w, by_b = landscape.cliff(rows[:, None], b)
        size = np.hypot(by_w, by_b)
        i, j = np.unravel_index(np.argmax(size), size.shape)
        steepest = max(steepest, (size[i, j], rows[i], b[j]))
    compare(dict(zip(("max_grad", "w", "b"), steepest)), entry["value"], entry["tol"], entry["id"])


@entries("identity")
def test_a_centred_sigmoid_net_of_four_times_the_weights_is_the_tanh_net(entry):
    assert entry["value"]["ok"]
    rng, t, J_tanh, J_sigmoid = np.random.default_rng(0), np.tanh(np.linspace(-1, 1, 6)), np.eye(6), np.eye(6)
    h = (1 + t) / 2
    for _ in range(12):
        W, b = rng.normal(size=(6, 6)), rng.normal(size=6)
        V, c = meanfield.as_sigmoid(W, b)
        t, h = np.tanh(W @ t + b), gaussian.sigmoid(V @ h + c)
        J_tanh, J_sigmoid = (1 - t * t)[:, None] * W @ J_tanh, (h * (1 - h))[:, None] * V @ J_sigmoid
        assert h == pytest.approx((1 + t) / 2, abs=1e-14)
        assert J_sigmoid == pytest.approx(J_tanh, rel=1e-9, abs=1e-12 * np.abs(J_tanh).max())
    for sw2, q in ((0.5, 0.3), (1.0, 1.0), (4.0, 2.1)):
        assert 16 * sw2 * meanfield.slope_moment("sigmoid", 2, 4 * q) == pytest.approx(sw2 * meanfield.slope_moment("tanh", 2, q), rel=1e-12)


@entries("tied_vs_untied_log_gain")
def test_untied_linear_layers_walk_at_random_as_the_chi_square_says(entry):
    """The untied half of the entry. What a tied draw does is in its largest eigenvalue, and has no closed form at finite N."""
    value, (mean, var) = entry["value"], products.layer_log_gain("linear", entry["params"]["N"])
    assert mean / 2 == pytest.approx(value["untied_mean_per_step"], rel=1e-9)
    assert math.sqrt(var) / 2 == pytest.approx(value["untied_std_per_sqrt_step"], rel=1e-9)
    for T, (measured, sd) in value["mean_std_log_gain"]["untied"].items():
        assert measured == pytest.approx(int(T) * mean / 2, abs=5 * sd / math.sqrt(200))
        assert sd == pytest.approx(math.sqrt(int(T) * var) / 2, rel=entry["tol"]["per_key"]["sd_rel"])


# ---- what others measured, against what theory predicts


@entries("batchnorm_explosion")
def test_measured_batch_norm_nets_explode_at_the_predicted_rate(entry):
    allowed = entry["tol"]["per_key"]["mc_vs_slope_pred_abs"]
    assert entry["value"]["slope_mc"] == pytest.approx(batch_norm(**entry["params"])["slope_pred"], abs=allowed)


@entries("residual_meanfield")
def test_measured_residual_nets_gain_what_is_predicted(entry):
    assert entry["value"]["slope_mc"] == pytest.approx(rates.residual(entry["params"]["alpha"]), abs=entry["tol"]["per_key"]["slope_abs"])


@entries("sd_exponent")
def test_the_measured_spread_of_untied_nets_is_the_predicted_one(entry):
    """80 draws know a standard deviation to 8 %; the formula is first order in 1/N, and N is 32."""
    act, scale, N, T, _ = entry["params"].values()
    q = meanfield.q_star(act, scale**2) if act == "tanh" else 1.0
    assert [products.log_gain_sd(act, N, L, q) for L in T] == pytest.approx(entry["value"]["sd"], rel=0.25)


@entries("wide_limit_spectrum")
def test_the_eigenvalues_of_one_wide_matrix_follow_the_limit(entry):
    N, q, rng = entry["params"]["N"], np.array(entry["params"]["quantiles"]), np.random.default_rng(0)
    draws = [np.sort(np.log(np.abs(np.linalg.eigvals(rng.normal(size=(N, N)) / math.sqrt(N)))))[::-1] for _ in range(5)]
    tied = np.mean(draws, axis=0)[np.round(q * N).astype(int)]
    assert tied == pytest.approx(theory.products.wide_exponent(q), abs=entry["tol"]["abs"])
    assert tied == pytest.approx(entry["value"]["tied_mc"], abs=entry["tol"]["abs"])


def orthogonal(N, rng):
    Q, R = np.linalg.qr(rng.normal(size=(N, N)))
    return Q * np.sign(np.diag(R))


def spread_of_jacobian(act, orthogonal_weights, q, sw2, sb2, L, rng, N=400):
    """Var / mean² of the eigenvalues of J Jᵀ, from traces; the first pre-activation drawn at its variance q."""
    phi, slope = gaussian.ACTIVATIONS[act]
    z, J = math.sqrt(q) * rng.normal(size=N), np.eye(N)
    for _ in range(L):
        W = math.sqrt(sw2) * (orthogonal(N, rng) if orthogonal_weights else rng.normal(size=(N, N)) / math.sqrt(N))
        J = W @ (slope(z)[:, None] * J)
        z = W @ phi(z) + math.sqrt(sb2) * rng.normal(size=N)
    gram = J @ J.T
    return N * np.sum(gram**2) / np.trace(gram) ** 2 - 1


@entries("jacobian_sv_variance")
def test_random_jacobians_spread_their_singular_values_as_predicted(entry):
    p, tol = entry["params"], entry["tol"]["per_key"]
    rng = np.random.default_rng(0)
    ours = np.mean([spread_of_jacobian(p["act"], p["orthogonal"], p["q"], p["sw2"], p["sb2"], p["L"], rng) for _ in range(4)])
    predicted = jacobians.singular_value_variance(p["act"], p["L"], p["q"], p["orthogonal"])
    assert ours == pytest.approx(predicted, rel=tol["mc_rel"], abs=tol["mc_abs"])
    assert entry["value"]["mc"] == pytest.approx(predicted, rel=tol["mc_rel"], abs=tol["mc_abs"])
