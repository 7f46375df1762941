"""The field's headline results: what a headline is, and 64 of the 68 reference runs within their tolerances (1 is not, 3 are too long).

data/reference_headlines.json was made with PyTorch (float32); streams of random numbers differ, so what is compared is what its
tolerances allow: mean accuracies to .12, ln ratios to .8, counts of seeds to 1, NRMSE to a factor of 3. Most runs are slow.
"""

import inspect
import json
import math
import pathlib
import re
from functools import cache

import numpy as np
import pytest

from tinygrad_vg import tanh, theory
from tinygrad_vg.claims import headlines
from tinygrad_vg.claims.headlines import HEADLINES, Result, after_2019, deep, dynamics, headline, over_time
from tinygrad_vg.cli.main import main

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_headlines.json").read_text())

FAST = (  # these take about a second each, or less
    "C.mg", "C.saxe_net.orth", "C.latch.T5.", "C.latch.T20.s0.8", "C.ff.He2015_Xavier_vs_He.d5", "C.ff.sigmoid_plain.d1.",
    "C.ff.sigmoid_plain.d5", "C.add.T10.smart",
)  # fmt: skip
TOO_LONG = ("C.temporal.T40",)  # 20,000 updates: five minutes and more for each of the three
MOVED = {"C.add.T60.irnn.clip1.0.reg0.0": "4 seeds of 4 are solved (and 12 of 12), the reference has 2 of 4"}


def entries(prefix):
    found = []
    for entry in REFERENCE:
        name = entry["id"]
        if name.startswith(prefix) and not name.startswith(TOO_LONG):
            marks = [] if name.startswith(FAST) else [pytest.mark.slow]
            if name in MOVED:
                continue
            found.append(pytest.param(entry["params"], entry["value"], entry["tol"], marks=marks, id=name))
    return found


def test_the_reference_is_whole_and_says_what_is_left_out():
    names = [entry["id"] for entry in REFERENCE]
    assert len(set(names)) == 68
    assert sum(name.startswith(TOO_LONG) for name in names) == 3
    assert set(MOVED) <= set(names)


# ---- what a headline is


def made_up(*holds):
    return Result("he-depth-30", [{"net": "a", "x": 0.12345, "each": [1.0, None]}, {"net": "b"}], dict(zip("PQR", holds)), 0.1)


def test_an_outcome_is_decided_by_its_sentences():
    assert [made_up(*holds).outcome for holds in ([True, True], [True, False], [False, False])] == ["shown", "in part", "not shown"]


def test_a_sentence_that_did_not_show_is_printed_as_one():
    assert "NO   Q" in str(made_up(True, False)) and "yes  P" in str(made_up(True, False))
    assert "NO   Q" in headlines.table([made_up(True, False)]) and "P" not in headlines.table([made_up(True, False)]).splitlines()[2]


def test_pages_and_tables_fit_80_columns_and_results_go_through_json():
    result = made_up(True, False, False)
    for text in (str(result), headlines.table([result] * 3), headlines.listed()):
        assert max(map(len, text.splitlines())) <= 80
    assert json.loads(json.dumps(result.to_dict()))["outcome"] == "in part"


def test_every_headline_says_what_was_published_what_is_done_here_and_how_they_differ():
    assert len(HEADLINES) >= 14
    for name, one in HEADLINES.items():
        assert name == one.name and all((one.source, one.published, one.ours, one.differs))


def test_a_page_says_so_where_its_source_was_not_read_and_the_documentation_marks_the_same_ones():
    not_read = {name for name, one in HEADLINES.items() if one.known}
    assert 0 < len(not_read) < len(HEADLINES)
    for name in HEADLINES:
        text = " ".join(str(made_up(True)._replace(name=name)).split())
        assert (name in not_read) == ("(From memory.)" in text or "(At second hand.)" in text)
    table = (pathlib.Path(__file__).parents[2] / "docs" / "headlines.md").read_text(encoding="utf-8")
    assert {name for name in HEADLINES if f"| {name} † " in table} == not_read


def test_two_headlines_cannot_have_one_name():
    with pytest.raises(ValueError, match="two headlines called 'latch'"):
        headline.headline("latch", "", "", "", "")(lambda full: ([], {}))


def test_an_unknown_headline_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no headline 'lach'; there are .*latch"):
        headlines.chosen(["lach"])


def test_the_command_lists_runs_and_prints_json(capsys):
    main(["headlines", "--list"])
    assert set(HEADLINES) == {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    main(["headlines", "--list", "glorot-slopes", "--json"])
    assert json.loads(capsys.readouterr().out) == [{"name": "glorot-slopes", "slow": False, "source": HEADLINES["glorot-slopes"].source}]
    main(["headlines", "glorot-slopes", "--json"])
    (result,) = json.loads(capsys.readouterr().out)
    assert result["outcome"] == "shown" and len(result["rows"]) == 2


def test_runs_repeat_themselves():
    for run in (lambda: deep.learned.__wrapped__(3, "tanh", "xavier", norm=True, residual=True, steps=3, seeds=2), lambda: over_time.latch_run.__wrapped__(4, updates=3, trials=5)):
        assert run() == run()


# ---- the reference runs


@pytest.mark.parametrize("params, value, tol", entries("C.ff."))
def test_a_deep_net_learns_as_well_as_the_reference_and_its_gradients_have_its_ratio(params, value, tol):
    init = params["init"]
    init = {"orth": "orthogonal"}.get(init) or (math.sqrt(float(init[1:])) if init[0] == "s" else init)
    row = deep.learned(params["depth"], params["act"], init, norm=params["norm"], residual=params["res"])
    assert row["chance"] == pytest.approx(value["majority"], abs=0.01)
    assert row["accuracy"] == pytest.approx(value["mean_acc"], abs=tol["mean_acc_abs"])
    if (ratio := value["log_gradW_first_over_last_hidden"]) is not None:
        assert row["ln ratio"] == pytest.approx(ratio, abs=tol["log_ratio_abs"])


@pytest.mark.parametrize("params, value, tol", entries("C.latch."))
def test_the_latch_succeeds_as_often_as_in_the_reference(params, value, tol):
    row = over_time.latch_run(params["T"], params["s"], params["w0"])
    assert row["success"] == pytest.approx(value["success"], abs=tol["success_abs"])


@pytest.mark.parametrize("params, value, tol", entries("C.temporal."))
def test_temporal_order_is_solved_by_as_many_seeds(params, value, tol):
    updates = {20: 2500, 30: 9000}.get(params["T"], value["iters"])
    row = over_time.order_row(params["T"], updates, METHODS[params["clip"], params.get("reg", 0.0)])
    assert row["solved"] == pytest.approx(value["success"], abs=tol["success_count_abs"])


METHODS = {how: name for name, how in over_time.METHODS.items()}


@pytest.mark.parametrize("params, value, tol", entries("C.add."))
def test_sums_are_learned_by_as_many_seeds(params, value, tol):
    row = over_time.sums({"smart": "tanh", "orth": "orthogonal", "irnn": "IRNN", "lstm": "LSTM"}[params["kind"]], params["T"])
    assert row["solved"] == pytest.approx(value["success"], abs=tol["success_count_abs"])


@pytest.mark.slow
def test_an_irnn_does_better_here_than_in_the_reference():
    (entry,) = [entry for entry in REFERENCE if entry["id"] in MOVED]
    row = over_time.sums("IRNN", entry["params"]["T"])
    assert row["solved"] == 4  # the reference has 2 ± 1: not reproduced, and said so in docs/headlines.md
    assert row["solved"] > entry["value"]["success"] + entry["tol"]["success_count_abs"]


@cache
def mackey():
    return {row["h"]: row for row in over_time.mackey_run((1, 17, 84))}


@pytest.mark.parametrize("params, value, tol", entries("C.mg."))
def test_an_echo_state_network_predicts_mackey_glass(params, value, tol):
    row = mackey()[params["h"]]
    assert abs(math.log(row["NRMSE"] / value["nrmse"])) < math.log(tol["per_key"]["factor"])


@pytest.mark.parametrize("params, value, tol", entries("C.saxe_net.orth"))
def test_orthogonal_linear_nets_take_the_same_steps_at_every_depth(params, value, tol):
    for L, steps in value.items():
        assert dynamics.linear_steps(int(L), "orthogonal") == pytest.approx(steps, rel=tol["rel"])


@pytest.mark.parametrize("params, value, tol", entries("C.saxe_net.gauss"))
def test_gaussian_linear_nets_take_longer_and_deep_ones_forever(params, value, tol):
    least, most = 1 - tol["rel"], 1 + tol["rel"]
    for L, steps in value.items():
        ours, known = dynamics.linear_steps(int(L), "gaussian"), [n for n in steps if n > 0]
        assert None not in ours if -1 not in steps else True
        assert all(n is None if not known else n is None or n > least * min(known) for n in ours)
        assert all(n < most * max(known) for n in ours if n is not None)


@pytest.mark.parametrize("params, value, tol", entries("A9.min_vs_vanish"))
def test_a_small_gradient_at_a_minimum_is_told_from_a_vanished_one(params, value, tol):
    """The data of the reference are not given; its loss at the start is therefore not compared, nor ratios of rounding errors."""
    L, activation, _, steps = params["args"]
    start, end = dynamics.start_and_end(L, activation, steps)
    assert start["ln ratio"] == pytest.approx(value["init"]["log_ratio"], abs=tol["qualitative"], rel=tol["qualitative"])
    if activation == "tanh":
        assert max(end["loss"], value["end"]["loss"]) < 1e-20 and max(end["|g| first"], end["|g| last"]) < 1e-12
    else:
        assert end["loss"] == pytest.approx(value["end"]["loss"], rel=tol["qualitative"])
        assert end["ln ratio"] == pytest.approx(value["end"]["log_ratio"], abs=tol["qualitative"])


# ---- after 2019: the laws behind the figures, on paths that share no code with them


def test_parity_is_learned_where_a_sign_can_flip_and_every_step_is_judged():
    right = after_2019.parity_run(tanh, [], 10, False, range(2), 120)
    assert right.shape == (40, 2) and right.min() > 0.95


def test_a_decay_that_is_none_is_called_flat_and_the_others_by_what_fits():
    lags = np.arange(5, 61)
    for word, logs in {"flat": -9e-4 * lags, "exponential": -0.03 * lags + 1, "power": -0.5 * np.log(lags)}.items():
        assert after_2019.straighter(lags, logs) == word


def test_what_the_map_of_trainability_says_of_six_xi_is_what_theory_says():
    said = re.findall(r"sw2 = ([\d.]+): .*6 ξ = ([\d.]+) says", inspect.getsource(HEADLINES["trainability-map"].measure))
    assert len(said) == 3
    for sw2, told in said:
        assert f"{6 * theory.meanfield.depth_scale('tanh', float(sw2)):.{len(told.partition('.')[2])}f}" == told


PART = {  # what does not show in the part that takes seconds; parity's is the first setting of the whole, rank-collapse runs whole below
    "edge-of-stability": [],
    "curse-of-depth": ["Exponential", "And block 48 takes larger steps"],
    "long-range": ["At lag 60"],
}


@pytest.mark.parametrize("name", PART)
def test_the_part_that_takes_seconds_decides_what_it_can(name):
    result = HEADLINES[name].run()
    missing = [said for said, holds in result.checks.items() if not holds]
    assert len(missing) == len(PART[name]) and all(map(str.startswith, missing, PART[name])), str(result)
    assert max(map(len, str(result).splitlines())) <= 80


# ---- the sentences, at full size

NOT_SHOWN = {  # the sentences that do not show at this size; all others do
    "latch": ["It is gone at T = 20"],
    "trainability-map": ["Chaotic, 30 layers, sw2 = 4", "Chaotic, 10 layers, sw2 = 9"],
    "residual-depth": ["Residual: 60 layers are no worse than 30"],
    "edge-of-stability": ["Just above"],
    "rank-collapse": ["MLPs without skips stop it"],
    "curse-of-depth": ["Exponential", "And block 48 takes larger steps", "With scaling a block of the deep half is worth more"],
    "parity-by-eigenvalues": ["Taught at step 40 alone: −1 < λ < 1"],
    "long-range": ["RNN, LRU, SSM: decay is nearer to exponential", "At lag 60"],
}


LONG = {"converged-or-vanished", "he-depth-30", "long-range"}  # twenty seconds each; the last five


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if one.slow or name in LONG else ()) for name, one in HEADLINES.items()]
)
def test_the_sentences_that_show_at_full_size_and_those_that_do_not(name):
    result = HEADLINES[name].run(full=True)
    missing = [said for said, holds in result.checks.items() if not holds]
    expected = NOT_SHOWN.get(name, [])
    assert len(missing) == len(expected) and all(map(str.startswith, missing, expected)), str(result)
    assert max(map(len, str(result).splitlines())) <= 80
    assert all(np.isfinite(x) for row in result.rows for x in row.values() if isinstance(x, float))
