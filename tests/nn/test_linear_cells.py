"""Cells that are linear in their state: the chain is a product that is known beforehand, and the gradients are those written by hand."""

import math
import re

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, by_hand, grad, history, nn, reach, scalars, square, uses, verdict
from tinygrad_vg.nn.linear_cells import LRUCell, MinGRUCell, SelectiveCell

T, N = 12, 4
MAKERS = {"lru": LRUCell, "mingru": MinGRUCell, "selective": SelectiveCell}
every_cell = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def run(make, seed=0, steps=T, **options):
    """A cell, drawn, its inputs, its states from a state that is not 0, and the loss ½ |h[T]|²."""
    rng = np.random.default_rng(seed)
    cell, x = make(3, N, rng=seed, **options), rng.normal(size=(steps, 3))
    states = nn.unroll(cell, x, Tensor(rng.normal(size=N)).named("h", 0))
    return cell, x, states, 0.5 * square(states[-1]).sum()


def at(output, base):
    """{t: value} of the nodes that carry the name."""
    return {node.name.index[0]: node.data for node in history(output) if node.name and node.name.base == base and node.name.index}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# ---- the chain, beforehand


@pytest.mark.parametrize("make, gate", [(MinGRUCell, "f"), (SelectiveCell, "a")])
def test_the_chain_is_the_product_of_the_gates(make, gate):
    _, _, states, loss = run(make)
    gates, chain = at(loss, gate), Chain(states[-1], states[0], through=states, seed=np.ones(N))
    product = np.prod([gates[t] for t in range(1, T + 1)], axis=0)
    assert np.max(np.abs(chain.gradients[0] / product - 1)) < 1e-12
    assert np.max(np.abs(grad(loss, states[0]) / (states[-1].data * product) - 1)) < 1e-12
    assert np.sort(chain.spectrum().running[0]) == pytest.approx(np.sort(np.log(product)), rel=1e-12)


def test_the_chain_of_an_lru_is_a_product_of_rotations_times_r():
    cell, _, states, _ = run(LRUCell, steps=50)
    λ = np.exp(-np.exp(cell.nu.data)) * np.exp(1j * cell.theta.data)
    g = np.random.default_rng(1).normal(size=N)
    chain = Chain(states[-1], states[0], through=states, seed=g)
    expected = (g[:2] + 1j * g[2:]) * np.conj(λ) ** 50  # the transpose of a rotation turns back
    assert chain.gradients[0] == pytest.approx(np.r_[expected.real, expected.imag], rel=1e-12)
    r = np.sort(np.repeat(np.abs(λ), 2))[::-1]
    assert chain.spectrum().singular_values[7] == pytest.approx(r, rel=1e-12)
    assert np.exp(chain.spectrum().running[0]) == pytest.approx(r**50, rel=1e-12)


def test_by_hand_carries_the_gradient_of_a_mingru_back_without_a_matrix():
    carried = {}
    for make in (MinGRUCell, nn.GRUCell):
        loop = by_hand(run(make)[3]).text.partition("for t in range(T, 0, -1):")[2]
        carried[make] = re.findall(r"^ +g_h(?:_before)? \+?= .*", loop, re.MULTILINE)
    assert "g_h * f[t]" in carried[MinGRUCell][0]
    assert not any(re.search("@|dot|einsum|outer", line) for line in carried[MinGRUCell])
    assert any("@" in line for line in carried[nn.GRUCell])


# ---- the gradients of every parameter, written by hand


def backprop_of_lru(cell, x, hs, g):
    ν, θ, W = cell.nu.data, cell.theta.data, cell.W_xh.data
    λ = np.exp(-np.exp(ν) + 1j * θ)
    r, h = np.abs(λ), [h[:2] + 1j * h[2:] for h in hs]
    γ, u, g, by_λ, by_γ, by_W = np.sqrt(1 - r * r), x @ (W[:2] + 1j * W[2:]).T, g[:2] + 1j * g[2:], 0, 0, 0
    for t in range(len(x), 0, -1):
        by_λ, by_γ, by_W = by_λ + g * np.conj(h[t - 1]), by_γ + (g * np.conj(u[t - 1])).real, by_W + np.outer(g * γ, x[t - 1])
        g = g * np.conj(λ)
    by_r = (by_λ * np.exp(-1j * θ)).real - by_γ * r / γ
    return {"nu": by_r * -r * np.exp(ν), "theta": (by_λ * np.conj(1j * λ)).real, "W_xh": np.r_[by_W.real, by_W.imag]}


def backprop_of_mingru(cell, x, hs, g):
    W_z, W_n, b_z, b_n = (leaf.data for leaf in (cell.W_xz, cell.W_xn, cell.b_z, cell.b_n))
    total = dict.fromkeys(["W_xz", "b_z", "W_xn", "b_n"], 0.0)
    for t in range(len(x), 0, -1):
        z, n = sigmoid(W_z @ x[t - 1] + b_z), W_n @ x[t - 1] + b_n
        by_z, by_n = g * (n - hs[t - 1]) * z * (1 - z), g * z
        for name, part in {"W_xz": np.outer(by_z, x[t - 1]), "b_z": by_z, "W_xn": np.outer(by_n, x[t - 1]), "b_n": by_n}.items():
            total[name] = total[name] + part
        g = g * (1 - z)
    return total


def backprop_of_selective(cell, x, hs, g):
    p = {name: leaf.data for name, leaf in cell.parameters().items()}
    total, A = dict.fromkeys(p, 0.0), np.exp(p["A_log"])
    for t in range(len(x), 0, -1):
        z = p["W_xdt"] @ x[t - 1] + p["b_dt"]
        Δ, B, u = np.log1p(np.exp(z)), p["W_xB"] @ x[t - 1], p["W_xu"] @ x[t - 1]
        a = np.exp(-Δ * A)
        by_a = g * hs[t - 1] * a
        by_z = (g * B * u - by_a * A) * sigmoid(z)
        parts = {
            "W_xdt": np.outer(by_z, x[t - 1]), "b_dt": by_z, "W_xu": np.outer(g * Δ * B, x[t - 1]),
            "W_xB": np.outer(np.sum(g * Δ * u, keepdims=True), x[t - 1]), "A_log": -by_a * Δ * A}
        total = {name: total[name] + part for name, part in parts.items()}
        g = g * a
    return total


@pytest.mark.parametrize("make, backprop", [(LRUCell, backprop_of_lru), (MinGRUCell, backprop_of_mingru), (SelectiveCell, backprop_of_selective)])
def test_every_gradient_is_that_of_backpropagation_written_by_hand(make, backprop):
    for seed in range(3):
        cell, x, states, loss = run(make, seed)
        expected = backprop(cell, x, [h.data for h in states], states[-1].data)
        for name, g in zip(cell.parameters(), grad(loss, list(cell.parameters().values()))):
            assert g == pytest.approx(expected[name], rel=1e-11, abs=1e-13), name
        assert {*expected} == {*cell.parameters()}


# ---- where an LRU begins, and why


def test_the_eigenvalues_of_an_lru_begin_on_a_ring_uniformly_by_area():
    cell = LRUCell(1, 20_000, r_min=0.5, r_max=0.9, max_phase=1.0, init="zeros", leaf=lambda array, name: array)
    r = np.exp(-np.exp(cell.nu))
    assert 0.5 <= r.min() < 0.501 and 0.899 < r.max() <= 0.9 and 0 < cell.theta.min() and cell.theta.max() <= 1
    share = (r**2 - 0.25) / (0.81 - 0.25)
    assert np.mean(share) == pytest.approx(0.5, abs=0.01) and np.var(share) == pytest.approx(1 / 12, abs=0.003)
    assert np.all(np.abs(LRUCell(2, 6, r_min=0.7, r_max=0.7, seeds=3).nu.data - math.log(-math.log(0.7))) < 1e-12)


def squared(make, name, λ, seeds=400):
    """E(∂h[T]/∂p)² of unit 0, p the parameter called so, with white inputs, T so long that h[0] is forgotten; and its standard error."""
    steps = int(8 / (1 - λ))
    cell = make(seeds)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(steps, seeds, 1, 1)))
    g = grad(states[-1][:, 0, 0].sum(), cell.parameters()[name])
    return np.mean(g[..., 0] ** 2), np.std(g[..., 0] ** 2) / math.sqrt(seeds)


@pytest.mark.parametrize("λ", [0.5, 0.9, 0.99, pytest.param(0.999, marks=pytest.mark.slow)])
def test_the_derivative_in_an_eigenvalue_explodes_as_it_nears_1_and_that_in_nu_stays_level(λ):
    """The curse of memory (Zucchet & Orvieto 2024): (1 + λ²)/(1 − λ²)³; in ν, γ with it, (λ ln λ / (1 − λ²))², 1/4 in the limit."""
    def plain(seeds):
        cell = nn.RNNCell(1, 1, "linear", seeds=seeds)
        cell.W_hh.data, cell.W_xh.data = np.full((seeds, 1, 1), λ), np.ones((seeds, 1, 1))
        return cell

    def lru(seeds):
        cell = LRUCell(1, 2, r_min=λ, r_max=λ, max_phase=0, seeds=seeds)
        cell.W_xh.data = np.ones((seeds, 2, 1))
        return cell

    for make, name, expected in (
        (plain, "W_hh", (1 + λ**2) / (1 - λ**2) ** 3), (lru, "nu", (λ * math.log(λ) / (1 - λ**2)) ** 2)):
        mean, error = squared(make, name, λ)
        assert abs(mean - expected) < 4 * error and error < 0.12 * expected


# ---- known to what asks


@every_cell
def test_blame_knows_every_factor_and_reach_is_the_product(make):
    cell, _, states, loss = run(make)
    blame = Chain(loss, states[0], through=states).blame()
    kinds = {kind for kind, nats in blame.parts.items() if abs(nats) > 1e-9}
    carries = {"weight size", "weight alignment"} if make is LRUCell else {"gate"}
    assert carries < kinds <= carries | {"activation size", "activation alignment", "scale", "merge"}
    assert sum(abs(row["parts"]["other"]) + abs(row["parts"]["attention"]) for row in blame.by_link) == 0
    if make is LRUCell:
        r = np.exp(-np.exp(cell.nu.data))
        assert blame.by_link[3]["parts"]["weight size"] == pytest.approx(0.5 * np.log(np.mean(r * r)), rel=1e-12)
    found = reach([0.5 * square(h).sum() for h in states[1:]], states)
    assert found.matrix[-1, 0] == pytest.approx(np.linalg.norm(grad(loss, states[0])), rel=1e-12)


@pytest.mark.parametrize("make, name", [(LRUCell, "nu"), (MinGRUCell, "W_xz"), (SelectiveCell, "W_xdt"), (SelectiveCell, "A_log")])
def test_uses_lists_every_step_and_verdict_passes_by_the_first_state(make, name):
    cell = make(3, N)
    loss = square(nn.unroll(cell, np.random.default_rng(0).normal(size=(T, 3)))[-1]).sum()
    leaf = cell.parameters()[name]
    found = uses(loss, leaf)
    assert [use.index for use in found] == [*range(1, T + 1)]
    assert sum(use.gradient for use in found) == pytest.approx(grad(loss, leaf), rel=1e-12)
    judged = verdict(loss, cell)
    assert all(math.isfinite(part.numbers["log_gain"]) for part in judged.parts), "h[0] is 0: the first use hands on nothing"
    assert not any("gate h" in part.helps for part in judged.parts), "a state is no gate to open"


@pytest.mark.parametrize("name", ["h", "h[0]"])
@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_the_matrix_of_an_lru_is_a_weight_of_scalars_too_and_without_a_time(leaf, name):
    cell, h = LRUCell(3, N, leaf=leaf), leaf(np.arange(1.0, N + 1))
    first = cell.label(0, h=h) if name == "h[0]" else h
    last = cell(np.ones(3), cell(np.ones(3), first))
    blame = Chain((last * last).sum(), np.ravel(first)[0] if leaf is scalars else first).blame()
    assert blame.parts["weight size"] != 0 == blame.parts["gate"] == blame.parts["attention"]


@every_cell
def test_weights_are_saved_and_loaded(make, tmp_path):
    cell, other = make(3, N, rng=1), make(3, N, rng=2)
    nn.save_weights(cell, tmp_path / "w.npz")
    nn.load_weights(other, tmp_path / "w.npz")
    assert {*cell.state_dict()} == {*cell.parameters()}, "no constants in the file"
    for a, b in zip(cell.parameters().values(), other.parameters().values()):
        assert np.array_equal(a.data, b.data)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: LRUCell(2, 3), "come in pairs.*must be even, got 3"),
        (lambda: LRUCell(2, 4, r_min=0.9, r_max=0.8), "got 0.9 and 0.8"),
        (lambda: LRUCell(2, 4, r_min=1.0, r_max=1.0), "r_min below 1"),
        (lambda: LRUCell(2, 4, r_max=1.1), "got 0.9 and 1.1"),
        (lambda: LRUCell(2, 4, r_min=0, r_max=0), "r_max above 0; got 0 and 0"),
        (lambda: LRUCell(2, 4, max_phase=math.nan), "max_phase, in radians, a finite number; got nan"),
        (lambda: LRUCell(2, -4), r"one unit or more; got weights of shape \(-4, 2\)"),
        (lambda: SelectiveCell(2, 4.0), r"got weights of shape \(4.0, 2\)"),
        (lambda: SelectiveCell(2, 4, dt_min=0.0), "0 < dt_min ≤ dt_max < 700; got 0.0 and 0.1"),
        (lambda: SelectiveCell(2, 4, dt_max=math.inf), "got 0.001 and inf"),
    ])
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
