"""Every remedy is measured alike, the figures are the chain's, and the false friends are judged by their figures."""

import copy
import io
import json
import math

import numpy as np
import pytest

from tinygrad_vg import Chain, nn
from tinygrad_vg.claims import laboratory
from tinygrad_vg.claims.laboratory import FAST, FULL, Laboratory, Setting, clipping, gains, measured, trained
from tinygrad_vg.claims.remedies import PLAIN, REMEDIES, N, recurrent

SMALL = Setting(T=12, L=4, seeds=2, updates=3, batch=4)
EACH = pytest.mark.parametrize("remedy", REMEDIES, ids=lambda r: f"{r.family}: {r.name}")


def called(family, name):
    return next(r for r in REMEDIES if (r.family, r.name) == (family, name))


def typical(family, name, setting=FAST):
    """Nats per step at the start, the mean over two seeds."""
    found = [gains(called(family, name).make(setting.L, rng=seed), setting, seed) for seed in range(2)]
    return float(np.mean([g.typical[-1] / g.steps[-1] for g in found]))


@pytest.fixture(scope="module")
def small():
    return laboratory.run(SMALL)


# ---- the figures are the chain's


@pytest.mark.parametrize("name", ["tanh", "ReLU", "leaky", "GRU", "echo state"])
def test_typical_and_worst_are_those_of_the_spectrum(name):
    model = called("recurrent", name).make(0, rng=3)
    found = gains(model, SMALL, 3)
    chain, steps = laboratory.through_time(model, SMALL, 3)
    running = chain.spectrum().running[0]
    assert found.steps == steps == list(range(SMALL.T + 1))
    assert found.worst[-1] == pytest.approx(running[0], abs=1e-8)
    assert found.typical[-1] == pytest.approx(0.5 * math.log(np.sum(np.exp(2 * running)) / N), abs=1e-8)


def test_a_time_skip_is_counted_in_steps_not_in_links():
    found = gains(called("recurrent", "time skip").make(0, rng=0), SMALL, 0)
    assert found.steps == [0, 1, 2, 3, 4, 5, 6, 7, 12]
    assert len(found.typical) == len(found.worst) == 9


@pytest.mark.parametrize("name", ["tanh", "batch norm"])
def test_deep_gains_run_from_one_example_of_the_last_layer_to_the_first(name):
    model = called("deep", name).make(4, rng=0)
    chain, steps = laboratory.through_layers(model, SMALL, 0)
    assert steps == [0, 0, 1, 2, 3] and chain.stations[0][0].name.index == (1,)
    assert gains(model, SMALL, 0).typical[:2] == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("tolerance", [laboratory.THOUSANDTH])
def test_reach_is_the_first_step_below_a_thousandth(tolerance):
    found = laboratory.Gains([0, 1, 5], [0.0, tolerance + 0.1, tolerance - 0.1], [0.0, 0.0, 0.0])
    assert found.reach == 5 and found._replace(typical=[0.0, 0.0, 0.0]).reach == math.inf


@EACH
def test_run_k_of_many_is_the_model_of_seed_k(remedy):
    many, single = remedy.make(4, seeds=range(3)), remedy.make(4, rng=2)
    before = {name: leaf.data.copy() for name, leaf in single.parameters().items()}
    after = laboratory.taken_out(many, single, 2).parameters()
    assert all(np.array_equal(before[name], leaf.data) for name, leaf in after.items())


# ---- every remedy, alike


def test_every_remedy_has_a_row_and_the_page_fits_80_columns(small):
    assert [(row["family"], row["remedy"]) for row in small.rows] == [(r.family, r.name) for r in REMEDIES]
    text = str(small)
    assert max(map(len, text.split("\n"))) <= 80
    assert all(f"\n{r.name}  " in text for r in REMEDIES)
    for row in small.rows:
        assert row["worst"] >= row["typical"] and row["cost"] > 0 and len(row["right"]) == SMALL.seeds
    assert [row["cost"] for row in small.rows if row["remedy"] == PLAIN[row["family"]]] == [1, 1]


def test_where_the_processors_clock_stands_still_the_cost_is_measured_by_another(monkeypatch):
    monkeypatch.setattr(laboratory.time, "process_time", lambda: 0.0)
    rows = laboratory.run(SMALL, [REMEDIES[0], REMEDIES[-1]]).rows
    assert all(row["seconds per update"] > 0 for row in rows) and rows[0]["cost"] == 1


def test_it_survives_json_and_draws_every_row(small):
    assert len(json.loads(json.dumps(small.to_dict()))["rows"]) == len(REMEDIES)
    figure = small.plot()
    assert sum(len(ax.get_yticks()) for ax in figure.axes) == len(REMEDIES)
    figure.savefig(io.BytesIO(), format="svg")


def test_the_figures_but_the_times_are_reproducible():
    once, again = (measured(called("recurrent", "GRU"), SMALL) for _ in range(2))
    for row in (once, again):
        row.pop("seconds per update")
    assert once == again


def test_of_an_echo_state_network_only_the_readout_is_fitted():
    model = called("recurrent", "echo state").make(0, seeds=range(2))
    W = model.cell.W_hh.copy()
    right, _, _ = trained(model, called("recurrent", "echo state"), SMALL._replace(updates=100))
    assert set(model.parameters()) == {"readout.W", "readout.b"} and np.array_equal(model.cell.W_hh, W)
    assert np.any(model.readout.W.data) and np.mean(right) > 0.5


def test_a_run_that_diverges_is_a_row_that_says_so():
    row = measured(recurrent("ReLU", "", activation="relu"), SMALL._replace(rates=(1e200, 1.0)))
    assert "diverged at update" in row["note"]
    assert "diverged at update" in str(Laboratory(SMALL, [row | {"cost": 1.0}], clipping(SMALL)))


def test_two_remedies_of_one_name_are_refused():
    with pytest.raises(ValueError, match="could not be told apart"):
        laboratory.run(SMALL, [REMEDIES[0], REMEDIES[0]])


# ---- the false friends


def test_clipping_leaves_the_ratio_of_first_to_last_layer_as_it_was():
    found = clipping(FAST)
    before, by_norm, by_value = found["before"], found["by norm"], found["by value"]
    assert before[0] / before[1] < 1e-6
    assert by_norm[0] / by_norm[1] == pytest.approx(before[0] / before[1], rel=1e-9)
    assert by_norm[0] == pytest.approx(before[0] / 2, rel=1e-9)
    assert by_value[0] == before[0] and by_value[1] < before[1]


def test_batch_norm_makes_a_deep_relu_net_explode_and_saves_a_sigmoid_net():
    normed = typical("deep", "batch norm, ReLU")
    assert abs(typical("deep", "ReLU, He")) < 0.1
    assert normed == pytest.approx(0.208, abs=0.06)  # of 256 units and a batch of 32, as here: +0.208 nats a layer
    assert typical("deep", "sigmoid") == pytest.approx(-1.446, abs=0.06)
    assert abs(typical("deep", "batch norm")) < 0.1


def test_l2_worsens_vanishing():
    setting = FAST._replace(updates=80)
    plain, l2 = (measured(called("deep", name), setting) for name in ("sigmoid", "L2"))
    assert plain["typical"] == l2["typical"] < -1
    assert l2["trained"] < plain["trained"] - 0.5


def test_clipping_and_l2_start_where_the_plain_one_starts(small):
    for family, plain in PLAIN.items():
        start = small.row(family, plain)["typical"]
        assert all(small.row(family, name)["typical"] == start for name in ("clip by norm", "clip by value", "L2"))


def test_a_sentence_that_the_figures_do_not_bear_out_says_so(small):
    moved = copy.deepcopy(small)
    moved.row("deep", "batch norm, ReLU")["typical"] = -0.5
    moved.row("deep", "L2")["trained"] = 3.0
    moved.clipping["by norm"][0] *= 100
    assert moved.friends() == dict.fromkeys(small.friends(), False)
    assert str(moved).count("Not seen here: ") == 3
    assert Laboratory(SMALL, [], small.clipping).friends() == {
        "L2 worsens vanishing": None, "batch norm makes deep ReLU nets explode": None, "clipping does not restore what vanished": True,
    }  # fmt: skip


def test_an_orthogonal_matrix_alone_loses_nothing_and_the_identity_is_not_tanh():
    made = called("recurrent", "orthogonal").make(0, rng=0)
    assert made.cell.W_hh.data @ made.cell.W_hh.data.T == pytest.approx(np.eye(N), abs=1e-12)
    linear = nn.RNNCell(6, N, "linear", ("xavier", "orthogonal"), rng=0)
    states = nn.unroll(linear, np.zeros((20, 6)))
    assert Chain(states[-1], states[0], seed=np.ones(N)).log_product[0] == pytest.approx(0, abs=1e-12)


def test_residual_layers_of_root_size_grow_the_gradient_less_than_linear_ones_would():
    assert 0 < typical("deep", "residual") < 0.5 * math.log(1 + 1 / FAST.L)  # (1 + a²)^½ a layer, a² = 1/L


@pytest.mark.slow
def test_who_learns_and_who_does_not():
    """The full setting, two minutes: orderings, not accuracies."""
    found = laboratory.run(FULL)
    solved = {(row["family"], row["remedy"]): row["solved"] for row in found.rows}
    assert all(found.friends().values())
    for name in ("leaky", "time skip", "LSTM", "GRU", "echo state"):
        assert solved["recurrent", name] >= 4 and solved["recurrent", name] > solved["recurrent", "tanh"], name
    assert solved["recurrent", "orthogonal"] > solved["recurrent", "tanh"]
    assert solved["recurrent", "sigmoid"] == 0
    for name in ("sigmoid", "clip by norm", "clip by value", "L2"):
        assert solved["deep", name] == 0, name
    for name in ("residual", "batch norm", "orthogonal"):
        assert solved["deep", name] >= 4, name
