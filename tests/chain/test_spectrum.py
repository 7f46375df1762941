"""The spectrum of a chain: identities that hold for any matrices, ten thousand links, and the reference numbers."""

import json
import math
import pathlib
import tracemalloc

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, linear, nn, relu, tanh
from tinygrad_vg.chain.eigen import eigen_view
from tinygrad_vg.chain.product import LogProduct, blocks, log_sizes
from tinygrad_vg.chain.spectrum import Spectrum
from tinygrad_vg.nn import init
from tinygrad_vg.text.numbers import from_log
from tinygrad_vg.theory.powers import log_norms

ENTRIES = json.loads((pathlib.Path(__file__).parent.parent / "data" / "reference_spectrum.json").read_text())


def logs_of(product):
    """ln singular values of a LogProduct, largest first."""
    return log_sizes(product.d[None], product.U[None])[0]


def entries(*kinds):
    return pytest.mark.parametrize("entry", [pytest.param(e, id=e["id"]) for e in ENTRIES if e["kind"] in kinds])


def linear_chain(matrices, seed=None):
    """h[t] = W_t h[t−1], as a Chain with one link per step."""
    n = matrices[0].shape[1]
    states = [Tensor(np.zeros(n), name="h")]
    for t, W in enumerate(matrices, start=1):
        states.append(linear(states[-1], W).named("h", t))
    return Chain(states[-1], states[0], seed=np.ones(states[-1].size) if seed is None else seed)


def tanh_states(T, n, *, scale=1.2, seed=0):
    rng = np.random.default_rng(seed)
    cell = nn.RNNCell(2, n, init=("normal", lambda shape, rng: init.normal(shape, rng, scale)), rng=rng)
    return nn.unroll(cell, 0.3 * rng.normal(size=(T, 2)))


def tanh_chain(T, n, **options):
    states = tanh_states(T, n, **options)
    return Chain(states[-1], states[0], through=states[1:-1], seed=np.arange(1.0, n + 1))


def dct(n):
    j, k = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    Q = np.sqrt(2 / n) * np.cos(np.pi * (2 * j + 1) * k / (2 * n))
    Q[:, 0] /= np.sqrt(2)
    return Q


def log_singular_values(M):
    return np.log(np.linalg.svd(M, compute_uv=False))


# ---- identities


@pytest.mark.parametrize("seed", range(5))
def test_running_singular_values_are_those_of_the_product_multiplied_out(seed):
    chain = tanh_chain(6, 4, seed=seed)
    spectrum = Spectrum(chain)
    M = np.eye(4)
    assert np.allclose(spectrum.running[-1], 0)
    for k in reversed(range(6)):
        J = chain.links[k].dense()
        M = J.T @ M
        assert np.allclose(spectrum.singular_values[k], np.linalg.svd(J, compute_uv=False), rtol=1e-13)
        assert spectrum.radius[k] == pytest.approx(np.max(np.abs(np.linalg.eigvals(J))), rel=1e-12)
        reference = log_singular_values(M)
        trust = 1e-13 * np.exp(reference[0] - reference)  # what forming the product costs the small ones
        assert np.all(np.abs(spectrum.running[k] - reference) < 1e-12 + trust)


@pytest.mark.parametrize("T", [3, 40, 1000])
def test_the_exponents_add_up_to_the_mean_log_determinant(T):
    chain = tanh_chain(T, 5)
    spectrum = Spectrum(chain)
    logdet = sum(np.linalg.slogdet(link.dense())[1] for link in chain.links)
    assert np.sum(spectrum.lyapunov) == pytest.approx(logdet / T, rel=1e-11)
    assert np.sum(spectrum.running[0]) == pytest.approx(logdet, rel=1e-9)


@pytest.mark.parametrize("T", [40, 200])
def test_small_singular_values_are_as_good_as_large_ones(T):
    """The smallest of M is one over the largest of the inverse, whose product is formed without loss."""
    rng = np.random.default_rng(T)
    matrices = [rng.normal(size=(6, 6)) / math.sqrt(6) for _ in range(T)]
    spectrum = Spectrum(linear_chain(matrices))
    inverse, log = np.eye(6), 0.0
    for W in matrices:
        inverse = inverse @ np.linalg.inv(W)
        size = np.linalg.norm(inverse)
        inverse, log = inverse / size, log + math.log(size)
    assert spectrum.running[0][-1] == pytest.approx(-(np.log(np.linalg.norm(inverse, 2)) + log), rel=1e-9)
    assert spectrum.running[0][0] - spectrum.running[0][-1] > 37  # out of reach of an SVD of the product


@pytest.mark.parametrize("first", [np.diag([1.0, 0.5]), np.eye(2), np.diag([0.5, 1.0])])
def test_a_slow_direction_that_comes_first_is_not_lost_behind_a_fast_one(first):
    """Jᵀ is upper triangular with its slow direction first, and the frame of the first link is the axes: no QR step turns it."""
    T, W = 400, np.array([[0.1, 0.0], [1.0, 0.9]])
    spectrum = Spectrum(linear_chain([W] * T + [first]))
    inverse, log = np.linalg.inv(first).T, 0.0
    for _ in range(T):
        inverse = inverse @ np.linalg.inv(W).T
        size = np.linalg.norm(inverse)
        inverse, log = inverse / size, log + math.log(size)
    assert spectrum.running[0][1] == pytest.approx(-(np.log(np.linalg.norm(inverse, 2)) + log), rel=1e-11)
    assert np.sum(spectrum.running[0]) == pytest.approx(T * math.log(0.09) + np.linalg.slogdet(first)[1], rel=1e-11)
    assert np.allclose(spectrum.lyapunov, np.log([0.9, 0.1]), atol=0.05)


def test_a_range_that_no_float_holds_is_cut_at_its_widest_gaps():
    assert blocks(np.array([0.0, -10.0, -700.0, -705.0])) == [(2, 4), (0, 2)]
    assert blocks(np.array([])) == []
    product = LogProduct(np.eye(3))
    W = np.diag([2.0, 1.0, 0.5]) + 0.1 * np.triu(np.ones((3, 3)), 1)
    for _ in range(3000):
        product.pull(W.T)
    assert np.allclose(logs_of(product) / 3000, np.log([2, 1, 0.5]), atol=1e-3)
    assert np.sum(logs_of(product)) == pytest.approx(0, abs=1e-8)


# ---- what the last digits of the links decide

JORDAN = json.loads((pathlib.Path(__file__).parent.parent / "data" / "jordan.json").read_text())


def jordan(case):
    return case["diag"] * np.eye(case["n"]) + case["super"] * np.eye(case["n"], k=1)


@pytest.mark.parametrize("turned", [False, True], ids=["upper", "lower"])
@pytest.mark.parametrize("case", JORDAN, ids=lambda case: "{n}-{diag}-{super}-{T}".format(**case))
def test_of_a_product_far_from_normal_the_largest_is_right_and_what_is_not_known_says_so(case, turned):
    W, T, want = jordan(case), case["T"], np.array(case["logs"])
    spectrum = Spectrum(linear_chain([W.T if turned else W] * T))
    found, known = spectrum.running[0], spectrum.known[0]
    assert found[0] == pytest.approx(want[0], abs=1e-10) and known[0]
    assert np.all(np.abs(found - want)[known] < 0.01)
    assert np.all(np.diff(found) <= 0)
    text = str(spectrum)
    assert (text.count("?") > 0) == (not known[-1]) == (case["T"] > 100 or case["n"] > 8)
    largest = [running[0] for running in spectrum.running[::-1]]
    assert largest == pytest.approx(log_norms(W, T), abs=1e-9)  # at every station
    kept = json.loads(json.dumps(spectrum.to_dict(), allow_nan=False))
    assert kept["known"][0] == known.tolist() and kept["lyapunov_known"] == spectrum.lyapunov_known.tolist()


def test_exponents_that_are_only_rounding_are_marked():
    spectrum = Spectrum(linear_chain([jordan({"n": 10, "diag": 0.5, "super": 2.0})] * 400))
    assert not spectrum.lyapunov_known[0]  # -0.537, and no vector grows faster than -0.559
    line = next(line for line in str(spectrum).splitlines() if "Lyapunov" in line)
    assert line.count("?") == 2


def test_without_exact_zeros_not_even_the_largest_is_known():
    """The same matrix seen from a turned basis: every entry is rounded, and 400 steps make nats of it."""
    Q = dct(10)
    spectrum = Spectrum(linear_chain([Q @ jordan({"n": 10, "diag": 0.5, "super": 2.0}) @ Q.T] * 400))
    assert not spectrum.known[0][0] and spectrum.known[-2][0]
    assert max(map(len, str(spectrum).splitlines())) <= 80


NORMAL = {
    "tanh": lambda: tanh_chain(300, 6),
    "wild": lambda: tanh_chain(300, 6, scale=3.0),
    "tied": lambda: linear_chain([np.random.default_rng(0).normal(size=(8, 8)) / 3] * 400),
    "orthogonal": lambda: linear_chain([dct(8)] * 400),
    "symmetric": lambda: linear_chain([dct(4) @ np.diag([1.1, -0.9, 0.5, 0.3]) @ dct(4).T] * 200),
    "shear": lambda: linear_chain([np.array([[0.9, 5.0], [0.0, 0.9]])] * 200),
    "graded": lambda: linear_chain([np.diag([1.0, 1e-5])] * 200),
}


@pytest.mark.parametrize("name", NORMAL)
def test_of_usual_products_everything_is_known(name):
    spectrum = Spectrum(NORMAL[name]())
    assert all(np.all(known) for known in spectrum.known) and np.all(spectrum.lyapunov_known)
    assert "?" not in str(spectrum)


def test_what_was_lost_beside_something_larger_comes_back():
    """A plain product keeps 300 powers of ten: the second direction is 10^−400 of the first, which then falls to 10^−800."""
    spectrum = Spectrum(linear_chain([np.diag([1e-2, 1.0])] * 400 + [np.diag([1.0, 1e-1])] * 400))
    assert spectrum.running[0][0] == pytest.approx(-400 * math.log(10), rel=1e-12)
    assert spectrum.running[0][1] == pytest.approx(-800 * math.log(10), rel=1e-12)


def test_the_rank_is_at_most_that_of_each_link():
    """Units dead at different steps: what is zero in the product was printed as rounding before."""
    masks = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 1, 1], [0, 1, 1, 1, 0]])
    W = np.random.default_rng(0).normal(size=(5, 5))
    spectrum = Spectrum(linear_chain([np.diag(masks[t % 3]) @ W for t in range(30)]))
    assert np.all(np.isneginf(spectrum.running[0][3:])) and np.all(np.isfinite(spectrum.running[0][:1]))
    assert np.all(spectrum.known[0])


def test_the_angle_is_right_far_from_normal():
    W = jordan({"n": 10, "diag": 0.5, "super": 2.0})
    M = np.linalg.matrix_power(W.T / 0.5, 400) / 1e30
    g = np.random.default_rng(0).normal(size=10)
    top, moved = np.linalg.svd(M)[0][:, 0], M @ g
    cosine = abs(top @ moved) / np.linalg.norm(moved)
    spectrum = Spectrum(linear_chain([W] * 400, seed=g))
    assert math.cos(math.radians(spectrum.angle)) == pytest.approx(cosine, abs=1e-12)


def test_exponents_and_singular_values_agree_for_normal_links_and_differ_for_others():
    Q, eigenvalues = dct(4), np.array([1.1, -0.9, 0.5, 0.3])
    normal = Spectrum(linear_chain([Q @ np.diag(eigenvalues) @ Q.T] * 30))
    assert np.allclose(normal.lyapunov, np.log(np.abs(eigenvalues)), rtol=1e-12)
    assert np.allclose(normal.running[0] / 30, normal.lyapunov, rtol=1e-12)
    shear = Spectrum(linear_chain([np.array([[0.9, 5.0], [0.0, 0.9]])] * 30))
    assert abs(shear.running[0][0] / 30 - shear.lyapunov[0]) > 1e-4
    assert shear.running[0][0] > 0 > np.log(shear.radius[0])


@pytest.mark.parametrize("T", [2, 20, 200])
def test_no_frame_of_k_directions_outgrows_the_k_largest_singular_values(T):
    spectrum = Spectrum(tanh_chain(T, 5, scale=2.0))
    behind = np.cumsum(spectrum.running[0]) / T - np.cumsum(spectrum.lyapunov)
    assert np.all(behind > -1e-9) and behind[-1] == pytest.approx(0, abs=1e-9) and behind[1] > 1e-4 / T


def test_the_logarithm_of_the_gain_is_the_chains():
    chain = tanh_chain(50, 6)
    product, seed = LogProduct(np.eye(6)), chain.gradients[-1]
    for link in chain.links[::-1]:
        product.pull(link.dense())
    gain = np.linalg.norm(product.scaled() @ seed) / np.linalg.norm(seed)
    assert math.log(gain) + np.max(product.d) == pytest.approx(chain.log_product[0], rel=1e-12)


def test_the_angle_is_that_between_the_gradient_and_the_top_singular_vector():
    chain = tanh_chain(3, 4)
    M = np.linalg.multi_dot([link.dense().T for link in chain.links])
    top, g = np.linalg.svd(M)[0][:, 0], chain.gradients[0]
    cosine = abs(top @ g) / np.linalg.norm(g)
    assert Spectrum(chain).angle == pytest.approx(math.degrees(math.acos(cosine)), rel=1e-8)


def test_links_of_unequal_sizes_and_a_loss_leave_as_many_directions_as_the_narrowest():
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=7), name="x")
    h = tanh(linear(x, rng.normal(size=(3, 7)))).named("h", 1)
    y = linear(h, rng.normal(size=(5, 3))).named("y")
    spectrum = Spectrum(Chain(y, x, seed=np.ones(5)))
    assert [len(s) for s in spectrum.running] == [3, 3, 3, 5]
    assert len(spectrum.lyapunov) == 3
    chain = Chain(y, x, seed=np.ones(5))
    M = np.linalg.multi_dot([link.dense().T for link in chain.links])
    assert np.allclose(spectrum.running[0], log_singular_values(M)[:3], rtol=1e-10)
    loss = Chain((y * y).sum().named("loss"), x)
    alone = Spectrum(loss)
    assert len(alone.lyapunov) == 1
    assert alone.running[0][0] == pytest.approx(loss.log_product[0], rel=1e-12)
    assert "take a state as output" in str(alone)


def test_a_dead_relu_is_minus_infinity_and_not_a_wrong_number():
    x = Tensor([1.0, -2.0, 3.0], name="x")
    y = linear(relu(x), np.diag([2.0, 3.0, 4.0])).named("y")
    spectrum = Spectrum(Chain(y, x, seed=np.ones(3)))
    assert np.allclose(spectrum.running[0][:2], np.log([4, 2]))
    assert spectrum.running[0][2] == -math.inf
    assert "-inf" in str(spectrum)
    assert json.loads(json.dumps(spectrum.to_dict()))["running"][0][2] == "-inf"
    x = Tensor([-1.0, -2.0], name="x")
    dead = Spectrum(Chain((relu(x) * 3.0).named("y"), x, seed=np.ones(2)))
    assert np.all(dead.running[0] == -math.inf) and math.isnan(dead.angle)
    assert str(dead)


def test_what_is_too_large_or_not_finite_is_refused_with_a_way_out():
    x = Tensor(np.zeros(2001), name="x")
    with pytest.raises(ValueError, match="x has 2001 numbers.*through"):
        Spectrum(Chain(tanh(x), x, seed=np.ones(2001)))
    nothing = Tensor(np.zeros(0), name="e")
    with pytest.raises(ValueError, match="e has no numbers"):
        Spectrum(Chain((nothing * 2).sum(), nothing))
    x = Tensor([0.0, 1.0], name="x")
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="the link .* nan or inf"):
        Spectrum(Chain(np.sqrt(x).named("y"), x, seed=np.ones(2)))


@pytest.mark.parametrize("T", [1, 60])
def test_it_prints_in_80_columns_and_survives_json(T):
    spectrum = Spectrum(tanh_chain(T, 3))
    text = str(spectrum)
    assert max(map(len, text.splitlines())) <= 80
    assert "Lyapunov exponents" in text and "ln singular values" in text
    assert ("more rows" in text) == (T > 40)
    assert json.loads(json.dumps(spectrum.to_dict()))["lyapunov"] == spectrum.lyapunov.tolist()


# ---- ten thousand links


@pytest.mark.parametrize("scale", [0.7, 1.2, 3.0])
def test_a_tanh_recurrence_over_many_steps_stays_finite(scale):
    spectrum = Spectrum(tanh_chain(2000, 6, scale=scale))
    assert np.all(np.isfinite(spectrum.lyapunov)) and all(np.all(np.isfinite(logs)) for logs in spectrum.running)
    assert np.all(np.diff(spectrum.lyapunov) < 0.01)


@pytest.mark.slow
def test_ten_thousand_steps_of_tanh_and_linear_recurrences_stay_finite():
    T = 10_000
    assert np.all(np.isfinite(Spectrum(tanh_chain(T, 6)).running))
    W = np.random.default_rng(3).normal(size=(6, 6)) / 2
    spectrum = Spectrum(linear_chain([W] * T))
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(W))))[::-1]
    assert np.all(np.isfinite(spectrum.running))
    assert np.allclose(spectrum.lyapunov, expected, atol=2e-3)
    assert np.allclose(spectrum.running[0] / T, expected, atol=2e-3)


def test_what_is_kept_grows_linearly_with_the_links_and_holds_no_dense_jacobian():
    n, held = 24, []
    for T in (50, 100):
        chain = tanh_chain(T, n)
        tracemalloc.start()
        spectrum = Spectrum(chain)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert [len(spectrum.singular_values), len(spectrum.running)] == [T, T + 1]
    assert held[1] < 2.2 * held[0]
    assert held[1] - held[0] < 50 * n * n * 8 / 2  # half of what the Jacobians would take


# ---- reference numbers


@entries("lyapunov_gaussian_untied")
def test_untied_gaussian_links_have_newmans_exponents(entry):
    N, T = entry["params"]["N"], entry["params"]["T"]
    rng, product = np.random.default_rng(0), LogProduct(np.eye(N))
    for _ in range(T):
        product.pull(rng.normal(size=(N, N)) / math.sqrt(N))
    ours, expected, tol = product.stretched / T, np.array(entry["value"]["spectrum"]), entry["tol"]["per_key"]
    assert np.max(np.abs(ours - expected)[: N // 2]) < tol["abs_top_half"]
    assert abs(ours[-1] - expected[-1]) < tol["abs_last"]


def test_untied_gaussian_links_have_newmans_exponents_through_a_chain_too():
    expected = next(e for e in ENTRIES if e["id"] == "D.newman.N8")["value"]["spectrum"]
    rng = np.random.default_rng(1)
    spectrum = Spectrum(linear_chain([rng.normal(size=(8, 8)) / math.sqrt(8) for _ in range(4000)]))
    assert np.max(np.abs(spectrum.lyapunov - expected)[:4]) < 0.03
    assert np.allclose(spectrum.running[0] / 4000, spectrum.lyapunov, atol=5e-3)


@entries("mean_lyapunov_gaussian")
def test_the_mean_exponent_of_gaussian_links_is_the_mean_log_determinant(entry):
    N, rng, product = entry["params"]["N"], np.random.default_rng(2), LogProduct(np.eye(entry["params"]["N"]))
    T = 400
    for _ in range(T):
        product.pull(rng.normal(size=(N, N)) / math.sqrt(N))
    sd = math.sqrt(2 * math.log(N)) / N / math.sqrt(T)  # of ln |det W| / N, over T draws, and then some
    assert np.mean(product.stretched) / T == pytest.approx(entry["value"], abs=5 * sd)


@pytest.mark.slow
@entries("wide_limit_spectrum")
def test_wide_links_have_the_same_spectrum_tied_or_not(entry):
    N, tol = entry["params"]["N"], entry["tol"]["abs"]
    rng, T = np.random.default_rng(0), 150
    at = [round(q * N) for q in entry["params"]["quantiles"]]
    draws = [rng.normal(size=(N, N)) / math.sqrt(N) for _ in range(5)]
    tied = np.mean([np.sort(np.log(np.abs(np.linalg.eigvals(W))))[::-1] for W in draws], axis=0)
    untied = LogProduct(np.eye(N))
    for _ in range(T):
        untied.pull(rng.normal(size=(N, N)) / math.sqrt(N))
    assert np.allclose(np.sort(untied.stretched / T)[::-1][at], entry["value"]["untied"], atol=tol)
    assert np.allclose(tied[at], entry["value"]["tied_mc"], atol=tol)
    assert np.allclose(entry["value"]["limit"], [0.5 * math.log(1 - q) for q in entry["params"]["quantiles"]])


@entries("orthogonal_norm")
def test_an_orthogonal_recurrence_neither_grows_nor_shrinks_any_direction(entry):
    n, T = entry["params"]["n"], entry["params"]["T"]
    g = np.arange(1.0, n + 1)
    chain = linear_chain([dct(n)] * T, seed=g)
    spectrum = Spectrum(chain)
    assert math.exp(chain.log_product[0]) == pytest.approx(entry["value"], rel=entry["tol"]["rel"])
    assert np.max(np.abs(spectrum.running)) < 1e-11


@entries("linear_rnn_symmetric")
def test_a_symmetric_recurrence_acts_on_each_eigen_coordinate_alone(entry):
    params, value, rel = entry["params"], entry["value"], entry["tol"]["rel"]
    n, T, Q = params["n"], params["T"], dct(params["n"])
    W = Q @ np.diag(params["lam"]) @ Q.T
    W = (W + W.T) / 2
    g = np.ones(n) if params["g"] == "ones" else np.eye(n)[0]
    view = eigen_view(W, g, T=T)
    pulled = view.after(T)
    assert view.kind == "symmetric"
    assert pulled == pytest.approx(value["grad"], rel=rel)
    assert np.linalg.norm(pulled) == pytest.approx(value["norm"], rel=rel)
    parts = np.exp(view.log_factors) * np.abs(view.coordinates)
    assert parts[0] ** 2 / np.sum(parts**2) == pytest.approx(value["cos2_top"], rel=rel)
    rate = math.log(np.linalg.norm(view.after(T + 1)) / value["norm"])
    assert rate == pytest.approx(value["rate_lastlog"], rel=1e-9)
    assert np.allclose(Spectrum(linear_chain([W] * T, seed=g)).lyapunov, np.log(np.sort(np.abs(params["lam"]))[::-1]), rtol=1e-10)


@entries("nonnormal", "nonnormal_chain")
def test_a_matrix_that_is_not_normal_first_grows(entry):
    params, value, rel = entry["params"], entry["value"], entry["tol"]["rel"]
    W = np.array(params["W"]) if "W" in params else params["diag"] * np.eye(params["n"]) + params["super"] * np.eye(params["n"], k=1)
    view = eigen_view(W, h0=np.ones(len(W)), T=1000)
    assert view.kind == "defective" and view.coordinates is None
    assert view.radius == pytest.approx(value["rho"], rel=rel)
    assert math.exp(view.log_norms[1]) == pytest.approx(value["sigma_max"], rel=rel)
    assert view.peak == (value["peak_t"], pytest.approx(value["peak_norm"], rel=rel))
    for t, root in value["gelfand"].items():
        assert math.exp(view.log_norms[int(t)] / int(t)) == pytest.approx(root, rel=rel)
    if "first_t_below_1" in value:
        assert 1 + np.argmax(view.log_norms[1:] < 0) == value["first_t_below_1"]
    assert np.allclose(view.after(3), W @ W @ W @ np.ones(len(W)))
    assert Spectrum(linear_chain([W] * value["peak_t"])).running[0][0] == pytest.approx(math.log(value["peak_norm"]), rel=1e-9)


# ---- eigen-coordinates


def test_a_complex_pair_turns_once_in_its_period():
    angle = 2 * math.pi / 8
    W = 0.9 * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    view = eigen_view(Tensor(W, name="W"), h0=[1.0, 0.0], T=8)
    assert view.kind == "normal"
    assert np.abs(np.angle(view.eigenvalues)) == pytest.approx([angle, angle])
    assert np.allclose(view.after(8), [0.9**8, 0.0])
    assert "i" in str(view).splitlines()[2]


@pytest.mark.parametrize("seed", range(4))
def test_eigen_coordinates_give_the_recurrence_itself(seed):
    rng = np.random.default_rng(seed)
    W, v = rng.normal(size=(5, 5)) / 2, rng.normal(size=5)
    for given, A in (({"g": v}, W.T), ({"h0": v}, W)):
        view = eigen_view(W, **given, T=12)
        assert view.kind == "non-normal"
        assert np.allclose(view.after(12), np.linalg.matrix_power(A, 12) @ v)
        assert np.allclose(view.log_norms[12], np.log(np.linalg.norm(np.linalg.matrix_power(W, 12), 2)))
        assert max(map(len, str(view).splitlines())) <= 80
        json.dumps(view.to_dict())


def test_eigen_view_says_what_it_needs_and_takes_a_nilpotent_matrix():
    with pytest.raises(ValueError, match="either g"):
        eigen_view(np.eye(2))
    with pytest.raises(ValueError, match=r"W \(n, n\)"):
        eigen_view(np.ones((2, 3)), g=np.ones(2))
    with pytest.raises(ValueError, match="nan"):
        eigen_view(np.eye(2) * np.nan, g=np.ones(2))
    view = eigen_view([[0.0, 1.0], [0.0, 0.0]], g=[1.0, 0.0], T=3)
    assert view.log_norms.tolist() == [0.0, 0.0, -math.inf, -math.inf]
    assert json.dumps(view.to_dict()) and str(view)


@pytest.mark.parametrize("t", [1.0, 1e-30, 1e-100, 0.0])
@pytest.mark.parametrize("s", [0.5, 0.1, 1e-3])
def test_a_direction_that_is_zero_or_far_behind_does_not_spoil_the_others(s, t):
    """[[s, 1], [0, 1]]^k has the singular values of its closed form, whatever stands beside it; once the second was lost."""
    block = np.array([[s, 1.0], [0.0, 1.0]])
    J, product = np.zeros((3, 3)), LogProduct(np.eye(3))
    J[:2, :2], J[2, 2] = block.T, t
    for k in range(1, 41):
        product.pull(J)
        largest = math.log(np.linalg.norm(np.linalg.matrix_power(block, k), 2))
        want = sorted([largest, k * math.log(s) - largest, k * math.log(t) if t else -math.inf], reverse=True)
        assert logs_of(product) == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_power_of_ten_in_few_digits_has_one_digit_before_the_point():
    for nats in np.linspace(-30, 30, 4001) * math.log(10) / 3:
        mantissa = from_log(nats).partition("e")[0]
        assert "e" not in from_log(nats) or 1 <= float(mantissa) < 10
    assert from_log(-5.0001 * math.log(10)) == "1.0e-05"


def test_what_grew_in_an_eigen_coordinate_prints_whatever_its_size():
    printed = [str(eigen_view([[w]], g=[c], T=1000)).splitlines()[2].split()[-1] for w, c in [(0, 2), (2, 0), (150, 2), (0.005, 2), (1, 0.5)]]
    assert printed == ["0", "0", "2.47e+2176", "1.87e-2301", "0.5"]
