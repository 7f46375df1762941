"""Claims P18 to P26: the laws behind the rows hold on paths that share no code with them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_vg import Chain, Tensor, nn, theory, uses
from tinygrad_vg.claims.claim import CLAIMS
from tinygrad_vg.claims.rows import deep, index, recurrence, remedies, ways_past
from tinygrad_vg.training import clip_norm, clip_value

# P18: the cliff


def test_the_descents_are_those_of_a_recurrence_for_the_loss_and_its_slopes():
    for clip, rule in {None: lambda g: g, clip_norm: lambda g: g * min(1, 0.1 / np.linalg.norm(g)), clip_value: lambda g: np.clip(g, -0.1, 0.1)}.items():
        losses, places, _ = recurrence.descent(16, 0.05, clip, w=4.5, b=-2.3)
        at = np.array([4.5, -2.3])
        for step in range(16):
            loss, *g = theory.landscape.cliff(*at)
            assert losses[step] == pytest.approx(float(loss), rel=1e-9)
            np.testing.assert_allclose(places[step], at, rtol=1e-9)
            at = at - 0.05 * rule(np.array(g, dtype=float))


@given(st.lists(st.floats(-9, 9, allow_subnormal=False), min_size=2, max_size=6), st.floats(0.01, 3))
def test_clipping_by_norm_keeps_every_direction_and_by_value_every_sign(g, threshold):
    w = Tensor(np.zeros(len(g)), name="w")
    for clip in (clip_norm, clip_value):
        w.zero_grad()
        (w * np.array(g)).sum().backward()
        clip({"w": w}, threshold)
        assert np.all(w.grad * np.array(g) >= 0) and np.max(np.abs(w.grad)) <= threshold * (1 + 1e-12)
        if clip is clip_norm:
            assert w.grad @ g == pytest.approx(np.linalg.norm(w.grad) * np.linalg.norm(g), rel=1e-9, abs=1e-300)


# P19: what clipping leaves


@pytest.mark.parametrize("rho", [0.6, 1.3])
def test_the_parts_of_the_gradient_are_powers_of_W_on_the_last_error(rho):
    cell = nn.RNNCell(3, 12, "linear", ("normal", deep.of_radius(rho)), rng=0)
    chain = remedies.unrolled(cell)
    h, g = [group[0].data for group in chain.stations[:-1]], chain.gradients[-2]
    for use in uses(chain.output, cell.W_hh):
        pulled = np.linalg.matrix_power(cell.W_hh.data.T, 30 - use.index) @ g
        np.testing.assert_allclose(use.gradient, np.outer(pulled, h[use.index - 1]), rtol=1e-9, atol=1e-9 * use.norm)


# P20: echo states


def test_a_linear_reservoir_remembers_what_its_controllability_says():
    reservoir = nn.Reservoir(1, 12, "linear", radius=0.9, rng=0)
    wanted = theory.memory.linear_capacity(reservoir.W_hh, reservoir.W_xh[:, 0], 30)
    found = nn.memory_capacity(reservoir, 30, steps=4000)
    assert float(np.sum(wanted)) <= 12 + 1e-6
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_two_starts_of_a_linear_reservoir_differ_by_a_power_of_W():
    reservoir = nn.Reservoir(1, 50, "linear", radius=0.9, input_scale=0.1, rng=0)
    apart = np.random.default_rng(2).uniform(-1, 1, 50)
    wanted = [np.linalg.norm(np.linalg.matrix_power(reservoir.W_hh, t) @ apart) for t in (0, 7, 60)]
    np.testing.assert_allclose(remedies.washout(reservoir)[[0, 7, 60]], wanted, rtol=1e-6)


def test_a_reservoir_has_nothing_to_train():
    reservoir = nn.Reservoir(2, 5, rng=0)
    assert reservoir.parameters() == {} and not reservoir.W_hh.flags.writeable


# P21 and P22: leaks and skips


@pytest.mark.parametrize("tau", [2, 10, 100])
def test_a_unit_that_only_leaks_keeps_what_theory_says(tau):
    assert math.exp(remedies.fading(tau, 0.0)[50]) == pytest.approx(theory.powers.leaky(tau, 50), rel=1e-9)
    assert remedies.fading(tau, 0.5)[50] == pytest.approx(50 * math.log(1 - 1 / tau + 0.5 / tau), rel=1e-9)


@pytest.mark.parametrize("d", [1, 4, 5, 20])
def test_a_delay_keeps_what_theory_says_and_nothing_in_between(d):
    assert ways_past.delayed(d) == pytest.approx([theory.powers.delay(0.9, k, d) for k in range(0, 101, d)], rel=1e-9)
    cell = nn.SkipCell(1, 1, "linear", delay=d, rng=0)
    cell.W_hh.data, cell.W_skip.data = [[0.0]], [[0.9]]
    states = nn.unroll(cell, np.ones((100, 1)))
    states[-1][0].sum().backward()
    reached = [t for t in range(101) if states[t][0].grad is not None and states[t][0].grad[0] != 0]
    assert reached == list(range(100 % d, 101, d))


def test_paths_through_blocks_are_counted_and_weighted_by_the_binomial_theorem():
    assert ways_past.by_branches() == {k: (math.comb(10, k), pytest.approx(math.comb(10, k) * 0.5**k / 1.5**10)) for k in range(11)}


# P23 and P24: gates


@pytest.mark.parametrize("make, gate", [(ways_past.lstm, "f"), (ways_past.gru, "z")])
@pytest.mark.parametrize("b", [-1.0, 0.5, 3.0])
def test_gates_that_stand_still_keep_what_theory_says(make, gate, b):
    assert ways_past.constant(make(b, 0), gate) == pytest.approx(theory.powers.forget(b, 50), rel=1e-9)


def test_the_gradient_of_the_cell_is_the_product_of_the_links_and_what_the_gates_keep_that_of_their_corners():
    rng, cell = np.random.default_rng(0), ways_past.lstm(1.0, 0)
    states = nn.unroll(cell, rng.normal(0, 0.5, (12, 48)))
    h, c = states[-1]
    chain = Chain((h * rng.normal(size=48)).sum(), states[0][1], through=states[1:])
    chain.output.backward()
    size, (total, kept) = np.linalg.norm(c.grad), ways_past.passed(cell, "f", 0, 12)
    assert total[-1] == pytest.approx(math.log(np.linalg.norm(chain.gradients[0]) / size), abs=1e-9)
    links = [link.dense() for link in chain.links[:-1]]
    corner = c.grad
    for J in links[::-1]:  # of {h, c} → {h, c} the part c → c; the first link starts at c[0] alone
        corner = J[48:, -48:].T @ corner
    assert kept[-1] == pytest.approx(math.log(np.linalg.norm(corner) / size), abs=1e-9)


@pytest.mark.parametrize("make, gate", [(ways_past.lstm, "f"), (ways_past.gru, "z")])
def test_what_the_gate_keeps_never_grows_however_large_the_weights(make, gate):
    total, kept = ways_past.passed(make(1.0, 3, 10.0), gate, 3, 100)
    assert np.all(np.diff(kept) <= 0) and total[-1] > 10


# P25: formulas and exercises


def test_a_formula_is_carried_out_by_its_letters_and_a_wrong_one_gives_another_answer():
    rng = np.random.default_rng(0)
    values = {"g": rng.normal(size=3), "h": rng.normal(size=3), "W_hh": rng.normal(size=(3, 3))}
    np.testing.assert_allclose(index.carried_out("∂L/∂W_hh,ij = g_i h_j", values, (3, 3)), np.outer(values["g"], values["h"]))
    np.testing.assert_allclose(index.carried_out("∂L/∂h_j = Σ_i g_i W_hh,ij", values, (3,)), values["W_hh"].T @ values["g"])
    np.testing.assert_allclose(index.carried_out("∂L/∂z_i = g_i (1 - h_i * h_i)", values, (3,)), values["g"] * (1 - values["h"] ** 2))
    assert not np.allclose(index.carried_out("∂L/∂W_hh,ij = g_j h_i", values, (3, 3)), np.outer(values["g"], values["h"]))


def test_an_exercise_refuses_an_answer_that_is_wrong_by_a_sign():
    assert ways_past.passes(1, "def tanh_slope(y): return 1 - y * y") and not ways_past.passes(1, "def tanh_slope(y): return y * y - 1")


def test_a_clipping_that_bends_the_gradient_moves_P19_and_one_that_only_shortens_it_does_not(monkeypatch):
    def bending(leaves, threshold):
        clipped = clip_norm(leaves, threshold)
        for leaf in leaves.values():
            leaf.grad = np.sign(leaf.grad) * np.linalg.norm(leaf.grad) / math.sqrt(leaf.grad.size)
        return clipped

    monkeypatch.setattr(remedies, "clip_norm", bending)
    assert "clipped gradient − sum of its parts" in "".join(CLAIMS["P19"].run().moved)
    monkeypatch.setattr(remedies, "clip_norm", lambda leaves, threshold: clip_norm(leaves, threshold / 2))
    assert not [line for line in CLAIMS["P19"].run().moved if "parts" in line or "share" in line]
