"""Is it the sigmoid or the tying?  The attribution is exact, the measurement is the chain's, and the figures are the reference's."""

import json
import math
import pathlib
from itertools import product

import numpy as np
import pytest

from tinygrad_vg import Chain, grad
from tinygrad_vg.claims import factorial, recurrences
from tinygrad_vg.claims.factorial import BASE, FACTORS, SCALES, TARGETS, Factorial, counter_examples, growth, shapley
from tinygrad_vg.claims.recurrences import KINDS, draws, log_gains, states

FILE = pathlib.Path(__file__).parents[1] / "data" / "reference_factorial.json"
ENTRIES = {entry["id"]: entry for entry in json.loads(FILE.read_text(encoding="utf-8"))}
CELLS = [(activation, tying, s) for activation in SCALES for tying in ("untied", "tied") for s in (0.7, 4.0)]


def of_kind(kind):
    return pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if e["kind"] == kind], ids=lambda e: e["id"])


@pytest.fixture(scope="module")
def found():
    return factorial.run(lengths=())


@pytest.fixture(scope="module")
def grown():
    return {(row["activation"], row["tying"]): row for row in growth()}


# ---- the attribution


def random_values(seed):
    rng = np.random.default_rng(seed)
    table = {cell: rng.normal() * 10 ** rng.uniform(-3, 3) for cell in product("ab", "cd", "ef")}
    return table.__getitem__, table


@pytest.mark.parametrize("seed", range(20))
def test_shapley_parts_sum_to_the_difference_and_turn_sign_with_the_direction(seed):
    value, table = random_values(seed)
    base, target = ("a", "c", "e"), ("b", "d", "f")
    parts, size = shapley(value, base, target), max(map(abs, table.values()))
    assert math.fsum(parts) == pytest.approx(value(target) - value(base), abs=1e-14 * size)
    assert shapley(value, target, base) == pytest.approx([-part for part in parts], abs=1e-14 * size)


def test_shapley_parts_are_the_mean_over_the_orders_written_out_by_hand():
    value, _ = random_values(0)
    both, first, second = value(tuple("bde")), value(tuple("bce")), value(tuple("ade"))
    none = value(tuple("ace"))
    assert shapley(value, "ace", "bde") == pytest.approx([(first - none + both - second) / 2, (second - none + both - first) / 2, 0])


@pytest.mark.parametrize("cell", CELLS[::3])
def test_the_attribution_of_a_cell_to_itself_is_zero(found, cell):
    assert all(not np.any(part) for part in found.attribution(cell, base=cell).values())


def test_a_factor_that_changes_nothing_gets_nothing_and_two_that_do_the_same_get_the_same():
    assert shapley(lambda c: 7.0 * (c[0] == "y"), "xxx", "yyy") == pytest.approx([7, 0, 0])
    parts = shapley(lambda c: float(c.count("y")) ** 3, ("x",) * 3, ("y",) * 3)
    assert parts == pytest.approx([9, 9, 9])


@pytest.mark.parametrize("target", TARGETS)
def test_the_attribution_of_measured_slopes_sums_seed_by_seed(found, target):
    parts = found.attribution(target)
    assert list(parts) == list(FACTORS)
    assert sum(parts.values()) == pytest.approx(found.slopes(target) - found.slopes(BASE), abs=1e-12)


# ---- the measurement


@pytest.mark.parametrize("cell", CELLS)
def test_the_measured_slope_and_its_parts_are_those_of_the_chain(cell):
    W, h, g = next(draws(8, 12, 1, rng=3))
    through = states(cell, W, h)
    logs = log_gains(through[-1], g)[:, 0]
    chain = Chain(through[-1], through[0], through=through, seed=g)
    blame = chain.blame().parts
    assert logs.sum() == pytest.approx(chain.log_product[0], abs=1e-9)
    assert logs[:, 0].sum() == pytest.approx(blame["activation size"] + blame["activation alignment"], abs=1e-9)
    assert logs[:, 1].sum() == pytest.approx(blame["weight size"], abs=1e-9)
    assert logs[:, 2].sum() == pytest.approx(blame["weight alignment"], abs=1e-9)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell[0] != "relu"])
def test_every_seed_is_followed_on_its_own(cell):
    W, h, g = next(draws(6, 5, 4, rng=1))
    through = states(cell, W, h)
    pulled = grad(through[-1], through[0], seed=g)
    expected = np.log(np.linalg.norm(pulled, axis=(1, 2)) / np.linalg.norm(g, axis=(1, 2)))
    assert log_gains(through[-1], g).sum(axis=(0, 2)) == pytest.approx(expected, abs=1e-9)


def test_nothing_underflows():
    W, h, g = next(draws(4, 700, 1, rng=0))
    through = states(("sigmoid", "tied", 1.0), W, h)
    assert not np.any(grad(through[-1], through[0], seed=g))
    assert -1400 < log_gains(through[-1], g).sum() < -800


@pytest.mark.parametrize("activation", SCALES)
def test_tying_changes_nothing_in_a_single_step(activation):
    parts = factorial.run(N=8, T=1, seeds=3, scales={activation: (1.0,)}, lengths=()).parts
    assert np.array_equal(parts[activation, "tied", 1.0], parts[activation, "untied", 1.0])


@pytest.mark.parametrize("tying", ["untied", "tied"])
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_where_scale_commutes_it_adds_its_logarithm(found, activation, tying):
    once = found.slopes((activation, tying, 1.0))
    for s in (0.7, 1.4, 4.0):
        assert found.slopes((activation, tying, s)) == pytest.approx(once + math.log(s), abs=1e-12)


def test_the_draws_do_not_depend_on_how_many_fit_into_memory(monkeypatch):
    W, h, g = next(draws(3, 4, 5, rng=2))
    monkeypatch.setattr(recurrences, "BLOCK", 2 * 3 * 3 * 4)
    blocks = list(draws(3, 4, 5, rng=2))
    assert [len(block[0]) for block in blocks] == [2, 2, 1]
    for whole, parts in zip((W, h, g), zip(*blocks)):
        assert np.array_equal(whole, np.concatenate(parts))


# ---- the reference


@of_kind("factorial_slope")
def test_slopes_are_those_of_the_reference(found, entry):
    assert (found.N, found.T, len(found.slopes(BASE))) == tuple(entry["params"][key] for key in ("N", "T", "seeds"))
    measured = found.to_dict()["slopes"]
    assert set(measured) == set(entry["value"])
    for cell, (slope, sd, dead) in entry["value"].items():
        assert measured[cell][0] == pytest.approx(slope, abs=entry["tol"]["abs"]), cell
        assert 0.5 < measured[cell][1] / sd < 2, cell  # of 40 draws each: five standard errors, and some room for tied ones
        assert measured[cell][2] == dead


@of_kind("shapley_slope")
def test_attributions_are_those_of_the_reference(found, entry):
    (*base, s), (*target, after) = entry["params"]["base"], entry["params"]["target"]
    parts = {k: float(x.mean()) for k, x in found.attribution((*target, float(after)), (*base, float(s))).items()}
    parts["total"] = sum(parts.values())
    assert parts == pytest.approx(entry["value"], abs=entry["tol"]["abs"])


def test_from_linear_untied_to_sigmoid_tied_the_activation_decides_and_tying_hardly_matters(found):
    parts = found.attribution(("sigmoid", "tied", 1.0))
    assert parts["activation"].mean() == pytest.approx(-1.446, abs=0.03)
    assert parts["tying"].mean() == pytest.approx(0.041, abs=0.03)
    assert not np.any(parts["scale"])


@of_kind("sd_exponent")
def test_the_spread_grows_as_the_root_of_time_untied_and_as_time_tied(grown, entry):
    row = grown[entry["params"]["act"], entry["id"].rpartition(".")[2]]
    assert row["scale"] == pytest.approx(entry["params"]["scale"])
    assert row["exponent"] == pytest.approx(entry["value"]["exponent_T25_200"], abs=entry["tol"]["abs"])
    assert row["exponent"] == pytest.approx(1.0 if row["tying"] == "tied" else 0.5, abs=0.15)


@pytest.mark.parametrize("N", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_tied_and_untied_log_gains_are_those_of_the_reference(N):
    entry = ENTRIES[f"B7.tied.N{N}"]
    rows = growth(N, (1, 10, 50, 100, 200), entry["params"]["seeds"], rng=7, scales={"linear": 1.0})
    for row in rows:
        for T, mean, sd in zip(row["T"], row["mean"], row["sd"]):
            expected = entry["value"]["mean_std_log_gain"][row["tying"]][str(T)]
            assert mean == pytest.approx(expected[0], abs=5 * expected[1] / math.sqrt(200)), (row["tying"], T)
            assert sd == pytest.approx(expected[1], rel=0.2), (row["tying"], T)
    untied = rows[0]
    assert untied["mean"][-1] / 200 == pytest.approx(entry["value"]["untied_mean_per_step"], abs=5 * untied["sd"][-1] / 200 / math.sqrt(200))


@of_kind("scalar_spread")
def test_of_one_unit_the_spread_is_the_closed_form(entry):
    T, n = entry["params"]["T"], 4000
    untied, tied = growth(1, (T,), n, rng=5, scales={"linear": 1.0})
    exact = {"untied": entry["value"]["sd_untied"], "tied": entry["value"]["sd_tied"]}
    assert exact["tied"] == pytest.approx(T * math.pi / math.sqrt(8), rel=1e-10)
    for row, excess in ((untied, 4 / T), (tied, 4.0)):  # ln |w| of a normal w has an excess kurtosis of 4
        error = exact[row["tying"]] * math.sqrt((2 + excess) / (4 * n))
        assert row["sd"][0] == pytest.approx(exact[row["tying"]], abs=5 * error)
        assert row["mean"][0] == pytest.approx(entry["value"]["mean_either"], abs=5 * exact[row["tying"]] / math.sqrt(n))


def test_each_sentence_of_the_debate_has_its_counter_example():
    rows = {(row["claim"], row["network"][-3:]): row for row in counter_examples()}
    gain = {key: row["log gain"] for key, row in rows.items()}
    assert gain["sigmoids are needed", "9 x"] == pytest.approx(50 * math.log(0.9), rel=1e-12)
    exact = rows["sigmoids are enough", "0.5"]
    assert exact["log gain"] == 0.0
    assert (exact["slopes"], exact["weights"]) == pytest.approx((-50 * math.log(4), 50 * math.log(4)), rel=1e-12)
    assert math.exp(gain["sigmoids only shrink", "0.5"]) == pytest.approx(1.25**50, rel=1e-9)
    assert math.exp(gain["sigmoids only shrink", "501"]) == pytest.approx(4.49e-3, rel=2e-3)
    assert gain["tying is needed", "0 W"] == pytest.approx(-29.03, abs=5 * 0.47 / math.sqrt(20))
    assert abs(gain["tying is enough", "l Q"]) < 1e-11
    assert len(rows) == 6


# ---- what is shown


def test_the_page_fits_80_columns_and_survives_json_and_names_what_died():
    small = factorial.run(N=2, T=8, seeds=12, lengths=(4, 8))
    text = str(small)
    assert max(map(len, text.split("\n"))) <= 80
    dead = sum(entry[2] for entry in small.to_dict()["slopes"].values())
    assert dead > 0 and f"{dead} gradients became exactly zero" in text
    assert json.loads(json.dumps(small.to_dict()))["N"] == 2
    assert all(row["dead"] > 0 for row in growth(2, (4, 8), 12, scales={"relu": 1.0}))


def test_the_page_of_the_full_run_answers_the_question(found):
    text = str(found)
    assert f"the sigmoid {found.attribution(TARGETS[0])['activation'].mean():+.3f} nats a step" in text
    assert all(f"{activation:9}" in text for activation in SCALES)
    shown = found.to_dict()["parts"]["tanh|tied|4.0"]
    assert list(shown) == list(KINDS) and sum(shown.values()) == pytest.approx(found.slopes(("tanh", "tied", 4.0)).mean())


def test_the_picture_has_a_line_for_each_activation_and_tying(found):
    figure = found.plot()
    assert len(figure.axes[0].get_legend_handles_labels()[1]) == 8
    figure.savefig(__import__("io").BytesIO(), format="svg")


def test_what_cannot_be_measured_is_refused_with_the_reason(found):
    with pytest.raises(ValueError, match="two seeds or more"):
        factorial.run(seeds=1)
    with pytest.raises(KeyError, match=r"cell \('gelu', 'tied', 1.0\) was not run"):
        found.slopes(("gelu", "tied", 1.0))
    assert Factorial(2, 2, {BASE: np.zeros((3, 3))}, [], []).targets() == []
