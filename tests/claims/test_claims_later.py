"""Claims E1 to E9 and the sentences in between: the laws behind the rows, on paths that share no code with them; and fresh seeds."""

import math

import numpy as np
import pytest

from tinygrad_vg import Tensor, hessian, linear, nn, square, tanh
from tinygrad_vg.claims.claim import CLAIMS
from tinygrad_vg.claims.rows import attention, later, quotes

LATER = [id for id in CLAIMS if id.startswith("E")]


@pytest.mark.slow
@pytest.mark.parametrize("id", LATER)
def test_with_twenty_other_seeds_every_figure_is_in_the_same_range(id):
    figures = CLAIMS[id].measure(range(20, 40)).figures
    assert {name: figures[name] for name, range in CLAIMS[id].expected.items() if figures[name] not in range} == {}


@pytest.mark.parametrize("λ, scaled", [(0.5, False), (0.9, False), (0.9, True)])
def test_the_derivative_by_λ_is_its_own_recurrence(λ, scaled):
    T, x = int(6 / (1 - λ)), np.random.default_rng(3)
    x, h, by_λ = x.normal(size=(T, 20)), 0.0, 0.0
    for now in x * (math.sqrt(1 - λ * λ) if scaled else 1):
        h, by_λ = λ * h + now, λ * by_λ + h
    assert later.sensitivity(λ, scaled, [3]) == pytest.approx(np.mean((by_λ * (λ * math.log(λ) if scaled else 1)) ** 2), rel=1e-9)


def test_the_curvature_at_the_start_is_the_largest_of_the_hessian():
    rng, x = np.random.default_rng(5), np.linspace(-1, 1, 12)[:, None]
    flat = Tensor(np.concatenate([nn.init.normal(shape, rng).ravel() for shape in ((8, 1), (8, 8), (1, 8))]))
    h = tanh(linear(tanh(linear(x, flat[:8].reshape(8, 1))), flat[8:72].reshape(8, 8)))
    largest = np.abs(np.linalg.eigvalsh(hessian(square(linear(h, flat[72:].reshape(1, 8)) - np.sin(3 * x)).mean(), flat))).max()
    assert later.sharpened(0.2, [5], 1, 10)[0][0, 0] == pytest.approx(largest, rel=1e-3)


def test_equal_tokens_are_alike_and_orthogonal_ones_are_not():
    same, apart = (Tensor(np.array([[x]])) for x in (np.ones((4, 4)) * [1, 2, 3, 4], 5 * np.eye(4)))
    assert attention.likeness(same) == pytest.approx([1.0]) and attention.likeness(apart) == pytest.approx([0.0])


def test_the_reach_of_a_linear_recurrence_is_the_closed_form():
    rng = np.random.default_rng(7)
    _, out = rng.normal(size=(60, 16)), rng.normal(size=16)
    λ = np.tile(np.exp(-np.exp(nn.LRUCell(16, 16, r_min=0.9, r_max=0.99, rng=rng).nu.data)), 2)  # the size of each pair's
    reached = attention.reached(7, ["LRU"], 60, [59])["LRU"]
    np.testing.assert_allclose(reached, [math.log(np.linalg.norm(λ**k * out)) for k in range(60)], atol=1e-9)


def test_pieces_are_counted_where_a_unit_turns_on_or_off():
    x = np.linspace(-1, 1, 1001)[:, None]
    assert quotes.pieces(x > np.array([-0.5, 0.0, 0.7])) == 4 and quotes.pieces(x > 2) == 1
