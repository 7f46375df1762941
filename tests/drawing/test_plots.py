"""Plots show the very numbers of what they draw, mark what no axis can hold, take names as text, and leave pyplot alone."""

import io
import math
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, nn, reach, relu, square, tanh, training, uses
from tinygrad_vg.chain import Reach, Spectrum, Uses
from tinygrad_vg.chain.factors import KINDS
from tinygrad_vg.drawing import axes
from tinygrad_vg.drawing.cliff import cliff
from tinygrad_vg.drawing.colours import BLAME, SHADES
from tinygrad_vg.drawing.comparison import COMPARED
from tinygrad_vg.drawing.plots import PLOTS, plot
from tinygrad_vg.drawing.terminal import spark, terminal_plot
from tinygrad_vg.training.history import History

matplotlib = pytest.importorskip("matplotlib", reason='plots need matplotlib: pip install -e ".[plot]"')
from matplotlib.figure import Figure  # noqa: E402

CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
KINDS_OF = [(cls, kind) for cls, kinds in PLOTS.items() for kind in kinds]


def first(state):
    return state[1] if isinstance(state, tuple) else state


def model(cell="rnn", steps=6):
    cell = CELLS[cell](3, 4, rng=0)
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(steps, 3)))
    loss = square(states[-1][0] if isinstance(states[-1], tuple) else states[-1]).sum().named("loss")
    return cell, states, loss, Chain(loss, first(states[0]), through=states)


def run():
    cell = nn.RNNCell(3, 4, rng=0)
    inputs = np.random.default_rng(0).normal(size=(5, 3))

    def loss(cell, batch):
        states = nn.unroll(cell, batch)
        return square(states[-1]).sum(), states

    return training.fit(cell, loss, [inputs] * 4, training.SGD(cell, lr=0.1), 4, clip=1.0, radius=True, watch=training.Every(2))


def dead():
    x = y = Tensor([-1.0, -2.0], name="x")
    for t in range(1, 4):
        y = (relu(y) if t == 2 else tanh(y)).named("h", t)
    return Chain(y.sum().named("loss"), x)


def example(cls):
    cell, _, loss, chain = model()
    made = {"Chain": lambda: chain, "Blame": chain.blame, "Spectrum": chain.spectrum, "Uses": lambda: uses(loss, cell.W_hh), "History": run}
    made["Reach"] = lambda: reached("rnn")
    return made[cls.__name__]()


def reached(cell):
    _, states, _, _ = model(cell)
    return reach([square(state[0] if isinstance(state, tuple) else state).sum() for state in states[1:]], states)


def line(ax, label):
    (found,) = [line for line in ax.lines if line.get_label().startswith(label)]
    return found


def png(figure):
    figure.savefig(file := io.BytesIO(), format="png")
    return file.getvalue()


@pytest.mark.parametrize("cls, kind", KINDS_OF, ids=[f"{cls.__name__}-{kind}" for cls, kind in KINDS_OF])
def test_every_kind_makes_a_figure_with_labelled_axes_that_can_be_saved_and_shown(cls, kind):
    figure = plot(example(cls), kind)
    assert isinstance(figure, Figure)
    assert figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel()
    assert figure.axes[0].get_title(loc="left")
    assert png(figure).startswith(b"\x89PNG")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.get_facecolor()[3] == figure.axes[0].get_facecolor()[3] == 0


@pytest.mark.parametrize("cell", CELLS)
def test_the_curve_of_a_chain_is_its_log_product_in_powers_of_ten(cell):
    chain = model(cell)[3]
    shown = line(plot(chain).axes[0], "measured")
    assert np.array_equal(shown.get_ydata(), np.array(chain.log_product) / math.log(10))
    assert np.array_equal(shown.get_xdata(), np.arange(len(chain.stations)))


def test_a_number_as_theory_is_a_line_of_that_slope_through_the_output():
    chain = model()[3]
    y = line(plot(chain, theory=-0.5).axes[0], "theory").get_ydata()
    assert np.allclose(np.diff(y), 0.5 / math.log(10), atol=1e-15)
    assert y[-1] == 0


def test_theory_as_a_function_or_an_array_is_drawn_as_it_is():
    chain = model()[3]
    n = len(chain.links)
    given = [-0.1 * k**2 for k in range(n, -1, -1)]
    for theory in (given, lambda k: -0.1 * k**2):
        assert np.allclose(line(plot(chain, theory=theory).axes[0], "theory").get_ydata() * math.log(10), given)
    assert np.allclose(line(plot(chain.spectrum(), "running", theory=given).axes[0], "theory").get_ydata() * math.log(10), given)
    with pytest.raises(ValueError, match=f"{n + 1} stations, source first; got shape \\(2,\\)"):
        plot(chain, theory=[1.0, 2.0])
    with pytest.raises(ValueError, match="theory goes with"):
        plot(chain, "blame", theory=-1)


def test_the_heatmap_holds_the_logarithm_of_every_number_of_the_gradient():
    chain = model()[3]
    figure = plot(chain, "heatmap")
    shown = figure.axes[0].collections[0].get_array()
    seed = np.linalg.norm(chain.gradients[-1])
    assert np.allclose(np.asarray(shown), np.log10(np.abs(chain.gradients[:-1]) / seed).T, rtol=1e-12)
    assert figure.axes[1].get_ylabel() == "log10 (|gradient| / |seed|)"


def test_the_heatmap_refuses_stations_of_different_sizes_and_names_them():
    x = Tensor(np.ones(3), name="x")
    layers = nn.MLP([3, 4, 5, 4, 1], rng=0)
    with pytest.raises(ValueError, match="stations of one size; .* has 4 numbers, .* has 5"):
        plot(Chain(layers(x).sum(), x), "heatmap")


def test_zeros_nan_and_overflow_have_colours_of_their_own_in_the_heatmap():
    chain = model()[3]
    chain.gradients[1], chain.gradients[2] = np.array([0.0, math.nan, math.inf, 1.0]), np.zeros(4)
    ax = plot(chain, "heatmap").axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["zero", "nan", "overflow"]
    mesh = ax.collections[0]
    shades = [matplotlib.colors.to_hex(shade) for shade in mesh.to_rgba(mesh.get_array())[:3, 1]]
    assert shades == [axes.SPECIAL["zero"], axes.SPECIAL["nan"], axes.SPECIAL["inf"]]


@pytest.mark.parametrize("cell", CELLS)
def test_stacked_bars_sum_to_the_total_of_each_link_and_the_line_is_that_total(cell):
    chain = model(cell)[3]
    blame = chain.blame()
    for figure in (plot(blame), plot(chain, "blame")):
        ax = figure.axes[0]
        heights = np.array([[bar.get_height() for bar in bars] for bars in ax.containers])
        totals = [row["total"] for row in blame.by_link]
        assert np.allclose(heights.sum(axis=0), totals, atol=1e-9)
        assert np.array_equal(line(ax, "total").get_ydata(), totals)


def test_stacked_bars_touch_and_never_overlap():
    ax = plot(model("lstm")[3], "blame").axes[0]
    for k in range(len(ax.containers[0])):
        ends = (sorted((b.get_y(), b.get_y() + b.get_height())) for b in (c[k] for c in ax.containers))
        spans = sorted((round(low, 14), round(high, 14)) for low, high in ends)  # so that a bar of no height sorts by where it is
        assert all(low >= high - 1e-12 for (_, high), (low, _) in zip(spans, spans[1:]))


def test_a_plot_of_blame_says_where_it_begins_for_a_river_begins_elsewhere():
    chain = model("lstm")[3]
    title = plot(chain, "blame").axes[0].get_title(loc="left")
    assert title == f"Who changed the gradient from loss back to {chain.names[0]}: {chain.blame().total:+.1f} nats in all"


@pytest.mark.parametrize("kind", ["links", "running"])
def test_the_legend_of_a_spectrum_hides_no_curve(kind):
    figure = plot(model()[3].spectrum(), kind)
    png(figure)
    legend, axes = figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.x0 >= axes.x1 and legend.x1 <= figure.bbox.x1


def test_every_kind_of_blame_has_a_colour_of_its_own():
    assert len({BLAME[kind] for kind in KINDS}) == len(KINDS)


def test_the_spectrum_shows_largest_median_and_smallest_singular_values_exactly():
    spectrum = model()[3].spectrum()
    ax = plot(spectrum).axes[0]
    assert np.array_equal(line(ax, "largest").get_ydata(), [s[0] for s in spectrum.singular_values])
    assert np.array_equal(line(ax, "smallest").get_ydata(), [s[-1] for s in spectrum.singular_values])
    assert np.array_equal(line(ax, "each").get_ydata(), np.concatenate(spectrum.singular_values))


def test_the_running_spectrum_is_in_powers_of_ten_also_where_the_product_underflows():
    states = nn.unroll(nn.RNNCell(2, 3, "sigmoid", rng=0), np.ones((600, 2)))
    spectrum = Chain(states[-1], states[0], through=states, seed=np.ones(3)).spectrum()
    ax = plot(spectrum, "running").axes[0]
    assert np.array_equal(line(ax, "smallest").get_ydata(), np.array([s[-1] for s in spectrum.running]) / math.log(10))
    assert line(ax, "smallest").get_ydata()[0] < -400


def test_a_running_spectrum_of_one_direction_is_one_line():
    chain = model()[3]
    lines = [line.get_label() for line in plot(chain.spectrum(), "running").axes[0].lines if not line.get_label().startswith("_")]
    assert lines == ["the only direction"]


def test_bars_of_uses_are_their_shares_and_the_line_is_their_norms():
    cell, _, loss, _ = model()
    by_time = uses(loss, cell.W_hh)
    for those in (by_time, by_time.by_lag()):
        bars = {bar.get_x() + bar.get_width() / 2: bar.get_height() for bars in plot(those).axes[0].containers for bar in bars}
        assert {round(x): y for x, y in bars.items()} == {use.index: use.share for use in those}
        shown = plot(those, "norm").axes[0].lines[0]
        assert np.array_equal(shown.get_ydata(), [use.norm for use in those])
    assert "lag" in plot(by_time.by_lag()).axes[0].get_xlabel()


def test_a_history_has_a_panel_for_each_quantity_recorded():
    history = run()
    labels = [ax.get_ylabel() for ax in plot(history).axes]
    assert labels == ["loss", "|gradient|", "learning rate", "clipping factor"]
    for ax, key in zip(plot(history).axes, ("losses", "norm", "lr", "factor")):
        expected = history.losses if key == "losses" else history.column(key)
        assert np.array_equal(ax.lines[0].get_ydata(), expected)
        assert np.array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4])
    W = line(plot(history, "gradients").axes[0], "W_hh")
    assert np.array_equal(W.get_ydata(), history.column("gradients", "W_hh"))
    states = plot(history, "states").axes[0].collections[0].get_array()
    assert np.array_equal(np.asarray(states), np.log10(history.column("states")).T)


def test_a_history_without_records_says_what_there_is():
    history = training.History()
    with pytest.raises(ValueError, match="recorded: nothing"):
        plot(history)
    history.losses = [1.0, 0.5]
    assert len(plot(history).axes) == 1
    with pytest.raises(ValueError, match="this History has no 'radii'; recorded: loss"):
        plot(history, "radii")


@pytest.mark.parametrize("thing", [None, 3.0, [1.0], Scalar(1.0, name="x"), "chain"])
def test_another_thing_is_refused_with_the_names_of_what_can_be_plotted(thing):
    with pytest.raises(TypeError, match=f"a Chain, Blame, Spectrum, Uses, Reach, History, or a dict of several of one kind; got {type(thing).__name__}"):
        plot(thing)


@pytest.mark.parametrize("cls", PLOTS, ids=lambda cls: cls.__name__)
def test_an_unknown_kind_is_refused_with_the_kinds_there_are(cls):
    with pytest.raises(ValueError, match=f"no plot 'pie' of a {cls.__name__}; there is {', '.join(PLOTS[cls])}"):
        plot(example(cls), "pie")


def test_a_gradient_that_ends_is_marked_as_exact_zero_and_leaves_the_curve():
    chain = dead()
    ax = plot(chain).axes[0]
    zeros = np.isneginf(chain.log_product)
    assert np.array_equal(line(ax, "exact zero").get_xdata(), np.nonzero(zeros)[0])
    assert np.array_equal(np.isnan(line(ax, "measured").get_ydata()), zeros)
    assert "ends at h[2]" in plot(chain, "blame").axes[0].get_title(loc="left")
    for kind in PLOTS[Chain]:
        png(plot(chain, kind))
    png(plot(chain.spectrum()))
    png(plot(chain.spectrum(), "running"))


def test_a_gradient_of_nan_or_inf_is_marked_too():
    w, x = Scalar(1e200, name="w"), Scalar(1.0, name="x")
    over = Chain(((x * w) * w).named("y"), x)
    assert line(plot(over).axes[0], "measured").get_ydata()[0] == pytest.approx(400)  # the chain follows it beyond a float
    chain = Chain((x * Scalar(math.nan, name="v")).named("y"), x)
    assert list(line(plot(chain).axes[0], "nan").get_xdata()) == [0]
    for each in (over, chain):
        png(plot(each))
        png(plot(each, "blame"))
        png(plot(each, "heatmap"))


def test_losses_that_are_not_finite_are_marked_and_a_zero_on_a_logarithmic_axis():
    history = training.History()
    history.losses = [1e6, 1.0, 1e-6, 0.0, math.nan, math.inf, 1e300]
    figure = plot(history)
    ax = figure.axes[0]
    assert ax.get_yscale() == "log"
    marked = {label: list(line(ax, label).get_xdata()) for label in ("exact zero", "nan", "above 1e+250 or overflow")}
    assert marked == {"exact zero": [4], "nan": [5], "above 1e+250 or overflow": [6, 7]}
    png(figure)


COMPARED_KINDS = [(cls, kind) for cls, kinds in COMPARED.items() for kind in kinds if kind != "map"]  # maps: see test_reach.py


def several(cls):
    if cls is History:
        return {"one": run(), "other": run()}
    made = {}
    for name in ("rnn", "lstm"):
        cell, _, loss, chain = model(name)
        weight = cell.W_hh if name == "rnn" else cell.W_hf
        made[name] = {Chain: chain, Spectrum: chain.spectrum() if cls is Spectrum else None, Uses: uses(loss, weight), Reach: reached(name)}[cls]
    return made


@pytest.mark.parametrize("cls, kind", COMPARED_KINDS, ids=[f"{cls.__name__}-{kind}" for cls, kind in COMPARED_KINDS])
def test_several_of_one_kind_are_compared_in_colours_of_their_own_named_once(cls, kind):
    things = several(cls)
    ax = plot(things, kind).axes[0]
    curves = [curve for curve in ax.lines if curve.get_label().partition(",")[0] in things]
    assert [curve.get_label().partition(",")[0] for curve in curves] == list(things)
    assert [curve.get_color() for curve in curves] == list(SHADES[:2])
    assert len({curve.get_marker() for curve in curves}) == 2
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(texts) == len(set(texts)) >= 2
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc="left")
    assert png(ax.figure).startswith(b"\x89PNG")


def test_compared_chains_are_their_log_products_over_the_time_steps():
    chains = {"tanh": model("rnn", 6)[3], "LSTM": model("lstm", 9)[3]}
    ax = plot(chains).axes[0]
    for name, chain in chains.items():
        assert np.array_equal(line(ax, name).get_ydata(), np.array(chain.log_product) / math.log(10))
        assert list(line(ax, name).get_xdata()) == list(range(len(chain.stations)))
        assert line(ax, name).get_label() == f"{name}, {chain.log_product[0] / len(chain.links):+.3g} nats per link"
    assert ax.get_xlabel() == "time step or layer"


def test_where_the_names_tell_no_time_stations_are_numbered():
    x = Scalar(0.3, name="x")
    chains = {"named": model()[3], "not": Chain(x.tanh().sin(), x)}
    ax = plot(chains).axes[0]
    assert ax.get_xlabel() == "station" and list(line(ax, "not").get_xdata()) == [0, 1, 2]


def test_compared_runs_have_the_panels_that_all_of_them_have_and_one_legend():
    runs = {"one": run(), "two": training.History()}
    runs["two"].losses = [1.0, 0.5]
    assert [ax.get_ylabel() for ax in plot(runs).axes] == ["loss"]
    with pytest.raises(ValueError, match="the History 'two' has no 'norm'"):
        plot(runs, "norm")
    axes = plot({"one": run(), "two": run()}).axes
    assert [ax.get_legend() is not None for ax in axes] == [True, False, False, False]
    assert np.array_equal(axes[0].lines[1].get_ydata(), run().losses)


def test_what_no_axis_can_hold_is_marked_in_the_colour_of_its_curve_and_named_once():
    ax = plot({"dead": dead(), "dead, too": dead(), "alive": model()[3]}).axes[0]
    marks = [curve for curve in ax.lines if curve.get_label() == "exact zero"]
    assert [mark.get_color() for mark in marks] == list(SHADES[:2])
    assert [text.get_text() for text in ax.get_legend().get_texts()].count("exact zero") == 1


def test_more_curves_than_colours_differ_by_their_dashes():
    curves = plot({k: model()[3] for k in range(12)}).axes[0].lines
    assert len({(curve.get_color(), curve.get_linestyle()) for curve in curves}) == 12


@pytest.mark.parametrize(
    "things, error, words",
    [({}, ValueError, "nothing to compare"), ({"a": 1.0}, TypeError, "all of one kind; got float"), ({"a": model()[3], "b": training.History()}, TypeError, "got Chain, History"),
     ({"a": model()[3].blame()}, TypeError, "got Blame")],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_in_words(things, error, words):
    with pytest.raises(error, match=words):
        plot(things)


def test_kinds_and_theory_that_belong_to_one_are_refused_of_several():
    with pytest.raises(ValueError, match="no plot 'heatmap' of several; to compare there is gradient"):
        plot({"a": model()[3]}, "heatmap")
    with pytest.raises(ValueError, match="theory goes with one"):
        plot({"a": model()[3]}, theory=-1.0)


def test_axes_given_hold_a_comparison_and_a_legend_says_everything_once():
    ax = Figure().subplots()
    assert plot(several(Chain), ax=ax) is ax.figure
    two = Figure().subplots()
    for chain in several(Chain).values():
        plot(chain, ax=two)
    texts = [text.get_text() for text in two.get_legend().get_texts()]
    assert len(texts) == len(set(texts))


HOSTILE = ["$x$", r"$\frac{1}{$", r"\$a\$", "a\nb", "a\x1b[31m\0", "<b>&amp;", "_x", "{a|b}", "x" * 20_000, "%s %d", "$" * 7]


@pytest.mark.parametrize("name", HOSTILE, ids=[repr(name)[:20] for name in HOSTILE])
def test_a_name_is_text_and_nothing_else(name):
    w, x = Scalar(0.5, name="w"), Scalar(0.3, name=name)
    chain = Chain((w * x).tanh().named(name), x)
    for figure in [*(plot(chain, kind) for kind in PLOTS[Chain]), plot(chain.spectrum()), plot({name: chain}), plot(uses(w * x, x)), cliff(abs, [1.0, 2.0], name=name)]:
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            figure.savefig(file := io.StringIO(), format="svg")
        assert "\x1b" not in file.getvalue()
    if len(name) < 40 and "$" in name:
        assert name in file.getvalue(), "dollars are shown as they are"


def test_a_parameter_of_any_name_is_in_the_legend():
    history = training.History()
    history.losses, history.records = [1.0], [{"step": 1, "loss": 1.0, "gradients": {"_private": 1.0, "$W$": 2.0}}]
    texts = [text.get_text().strip() for text in plot(history, "gradients").axes[0].get_legend().get_texts()]
    assert texts == ["_private", r"\$W\$"]


def test_ticks_are_thinned_out_and_names_are_those_of_the_stations():
    chain = model(steps=300)[3]
    figure = plot(chain)
    figure.canvas.draw()
    ax = figure.axes[0]
    texts = {round(tick.get_position()[0]): tick.get_text() for tick in ax.get_xticklabels() if tick.get_text()}
    assert 2 <= len(texts) <= 13
    assert all(text == chain.names[at] for at, text in texts.items())
    boxes = [tick.get_window_extent() for tick in ax.get_xticklabels() if tick.get_text()]
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:]))


def test_axes_given_are_drawn_into_and_keep_their_colours():
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    before = left.get_facecolor()
    assert plot(model()[3], ax=left) is figure
    assert cliff(lambda w: w * w, [0, 1, 2], ax=right) is figure
    assert left.get_facecolor() == before
    assert left.lines and right.lines
    assert plot(run(), ax=figure.add_subplot()) is figure
    png(figure)


def test_no_global_state_of_matplotlib_is_touched():
    code = """
import io, sys
import tinygrad_vg.drawing.plots, tinygrad_vg.drawing.cliff, tinygrad_vg.drawing.terminal
assert "matplotlib" not in sys.modules, "imported only when something is drawn"
import matplotlib
before = matplotlib.rcParams.copy()
from tinygrad_vg import Chain, Scalar
x = Scalar(0.5, name="x")
tinygrad_vg.drawing.plots.plot(Chain(x.tanh(), x)).savefig(io.BytesIO())
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    chain = model()[3]
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (lambda: plot(chain), lambda: cliff(abs, [1.0])):
        with pytest.raises(ImportError, match=r'pip install -e "\.\[plot\]"'):
            draw()


def test_figures_can_be_pickled():
    figure = pickle.loads(pickle.dumps(plot(model()[3], theory=-1.0)))
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_the_cliff_shows_the_loss_at_each_weight_and_the_positions_visited():
    weights, path = np.linspace(-1, 2, 31), [1.5, 0.5, -0.5]
    figure = cliff(lambda w: (w - 0.2) ** 2, weights, path, name="w")
    curve, steps = figure.axes[0].lines[0], line(figure.axes[0], "steps")
    assert np.array_equal(curve.get_xdata(), weights)
    assert np.allclose(curve.get_ydata(), (weights - 0.2) ** 2, rtol=1e-15)
    assert np.array_equal(steps.get_xdata(), path)
    assert np.allclose(steps.get_ydata(), (np.array(path) - 0.2) ** 2)
    assert sorted(text.get_text() for text in figure.axes[0].texts if text.get_text()) == ["0", "1", "2"]
    assert figure.axes[0].get_yscale() == "linear"


def test_a_step_thrown_out_of_the_picture_stands_at_its_edge_with_its_value():
    figure = cliff(lambda w: math.exp(w), [0.0, 1.0], [0.5, -7000.0, 1e9, math.nan])
    at = line(figure.axes[0], "steps").get_xdata()
    assert np.all((at >= -0.1) & (at <= 1.1))
    assert "1: at -7e+03" in [text.get_text() for text in figure.axes[0].texts]
    png(figure)


def test_a_cliff_takes_a_logarithmic_axis_by_itself_and_marks_overflow():
    figure = cliff(lambda w: math.exp(w * w), np.linspace(0, 40, 21))
    ax = figure.axes[0]
    assert ax.get_yscale() == "log"
    assert line(ax, "above 1e+250 or overflow").get_xdata()[0] == 24.0  # e^576 = 1e250
    png(figure)
    both = cliff(lambda w: math.sinh(w), np.linspace(-30, 30, 21))
    assert both.axes[0].get_yscale() == "symlog"
    png(both)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 0.0, 1.0])
def test_a_cliff_that_is_nowhere_finite_or_flat_is_still_drawn(loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png(cliff(lambda w: loss, [1.0, 2.0], [1.0, 3.0]))
        png(cliff(lambda w: loss, [1.0], [1.0]))


def test_a_loss_may_be_a_node():
    figure = cliff(lambda w: Scalar(w) ** 2, [0.0, 1.0, 3.0])
    assert np.array_equal(figure.axes[0].lines[0].get_ydata(), [0.0, 1.0, 9.0])


def test_a_cliff_without_weights_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        cliff(abs, [])


def test_a_spark_falls_with_the_logarithm_of_the_sizes():
    assert spark([10.0**-k for k in range(8)]) == "█▇▆▅▄▃▂▁"
    assert spark([10.0**-k for k in range(8)], plain=True) == "#*+=-:._"
    assert spark(range(8), log=False) == "▁▂▃▄▅▆▇█"


def test_a_spark_shows_zero_nan_and_inf_by_signs_and_constants_in_the_middle():
    assert spark([1.0, 0.0, math.nan, math.inf]) == "▄0?∞"
    assert spark([0.1 + 0.2, 0.3]) == "▄▄"
    assert spark([0.0]) == "0"
    assert len(spark(np.ones(1000))) == 80
    assert spark([1.0, 1e-3, 1e-3, 1e-3], width=2) == "█▁"


@pytest.mark.parametrize("draw", [spark, terminal_plot])
@pytest.mark.parametrize("values", [[], [[1.0]], 3.0])
def test_what_is_no_sequence_of_numbers_is_refused(draw, values):
    with pytest.raises(ValueError, match="at least one"):
        draw(values)


CURVES = {
    "falling": 10.0 ** -np.arange(30.0), "constant": [2.0] * 5, "one point": [3.0], "zero": [0.0], "nan": [math.nan], "inf": [math.inf, -math.inf],
    "mixed": [1.0, math.nan, 0.0, math.inf, -1.0], "many": np.sin(np.arange(2000.0)), "huge": [1e308, -1e308], "zeros among": [1.0, 0.0, 1e-9],
}  # fmt: skip


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("curve", CURVES)
def test_a_plot_in_the_terminal_keeps_to_its_size_and_warns_of_nothing(curve, plain):
    lines = terminal_plot(CURVES[curve], title="a title", xlabel="steps", plain=plain).split("\n")
    assert len(lines) == 15
    assert max(map(len, lines)) <= 80
    assert not plain or all(text.isascii() for text in lines)


def test_a_plot_in_the_terminal_goes_from_the_top_left_to_the_bottom_right_if_the_curve_falls():
    rows = [row.partition("│")[2] for row in terminal_plot(np.arange(12.0)[::-1], width=30).split("\n")[:12]]
    places = [row.index("●") for row in rows]
    assert places == sorted(places) and len(set(places)) == 12


def test_sizes_a_thousandfold_apart_are_plotted_by_their_logarithm_and_that_is_said():
    assert "(log scale)" in terminal_plot([1.0, 1e-2, 1e-4])
    assert "(log scale)" not in terminal_plot([1.0, 0.5])
    assert "(log scale)" not in terminal_plot([1.0, 1e-2, -1e-4])


def test_the_terminal_refuses_axes_that_do_not_fit():
    with pytest.raises(ValueError, match="got 1 for 2"):
        terminal_plot([1, 2], [1])
    with pytest.raises(ValueError, match="30 columns"):
        terminal_plot([1, 2], width=8)


def test_ascii_is_used_where_stdout_takes_nothing_else(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert spark([1.0, 0.1]) == "#_"
    assert terminal_plot([1.0, 0.1]).isascii()


@pytest.mark.parametrize("height", range(3, 13))
def test_the_label_of_constant_data_stands_beside_them(height):
    rows = terminal_plot([2, 2, 2], height=height).splitlines()[:height]
    assert [row.startswith("2 ") for row in rows] == ["●" in row for row in rows] and sum("●" in row for row in rows) == 1


def test_a_logarithmic_axis_refuses_negative_numbers():
    with pytest.raises(ValueError, match="no place for negative numbers, such as -1.0; use log=False"):
        terminal_plot([1.0, -1.0, math.nan], log=True)


def test_what_is_too_large_for_an_axis_keeps_its_sign():
    history = run()
    history.losses = [1.0, 1e300, -1e300, -math.inf, math.inf, math.nan]
    ax = plot(history, "loss").axes[0]
    marked = {label: (list(line(ax, label).get_xdata()), line(ax, label).get_ydata()[0] > 0.5) for label in ("above 1e+250 or overflow", "below -1e+250 or overflow")}
    assert marked == {"above 1e+250 or overflow": ([2, 5], True), "below -1e+250 or overflow": ([3, 4], False)}
