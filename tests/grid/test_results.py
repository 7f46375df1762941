"""What a grid gives: spreads over an axis, arrays, a table of 80 columns, a CSV that reads back, plots."""

import csv
import json
import re

import numpy as np
import pytest

from tinygrad_vg import drawing, grid, nn, training
from tinygrad_vg.cli.main import main
from tinygrad_vg.drawing import colours, grids
from tinygrad_vg.grid import phase

AXES = {"depth": [2, 3], "scale": [0.5, 1, 2.0], "seed": range(5)}


def profile(depth, scale, seed, rng):
    if seed == 4:
        raise ValueError("a comma, a \"quote\"\nand a line")
    return {"top": scale * rng.normal(), "layers": rng.normal(size=depth), "bad": np.nan if seed else 1.0}


@pytest.fixture(scope="module")
def found():
    return grid.run(profile, AXES)


def test_mean_sd_and_quantiles_are_numpys_over_the_cells_that_are_known(found):
    x = found.array("top")[..., :4]
    assert np.isnan(found.array("top")[..., 4]).all()
    assert np.allclose(found.mean("top"), x.mean(-1), rtol=1e-14)
    assert np.allclose(found.sd("top"), x.std(-1, ddof=1), rtol=1e-14)
    assert np.allclose(found.quantile("top", 0.3), np.quantile(x, 0.3, axis=-1), rtol=1e-14)
    assert np.allclose(found.quantile("top", [0.1, 0.9], over="scale")[..., :4], np.quantile(x, [0.1, 0.9], axis=1), rtol=1e-14)
    assert np.isnan(found.sd("bad")).all()  # one is left: no spread
    assert found.mean("bad").tolist() == [[1.0] * 3] * 2
    with pytest.raises(ValueError, match="there is no axis 'x'"):
        found.sd("top", over="x")


def test_arrays_are_results_and_shorter_ones_end_in_nan(found, tmp_path):
    whole = found.array("layers")
    assert whole.shape == (2, 3, 5, 3)
    assert np.isnan(whole[0, ..., 2]).all() and np.isfinite(whole[1, ..., :4, :]).all()
    assert found.mean("layers").shape == (2, 3, 3)
    kept = [grid.run(profile, AXES, store=tmp_path / "x.jsonl") for _ in range(2)][1]
    with grid.processes(1) as executor:
        other = grid.run(profile, AXES, executor=executor, batch=10)
    assert json.dumps(found.to_dict(), allow_nan=False) == json.dumps(kept.to_dict()) == json.dumps(other.to_dict())
    ragged = grid.run(lambda a: {"x": np.zeros([1] * a), "c": 0}, {"a": [1, 2]})
    with pytest.raises(ValueError, match=r"'x' has not as many axes in each cell; its shapes are \(1,\), \(1, 1\)"):
        ragged.array("x")
    assert "TypeError" in grid.run(lambda a: {"x": np.array([1j])}, {"a": [1]}).failed[1,]


def test_a_grid_prints_within_eighty_columns_and_says_what_is_left_out(found):
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) < 50
    assert "failed at (2, 0.5, 4): ValueError: a comma" in str(found)
    for block in str(found).split("\n\n"):
        assert block.split()[:3] == ["depth", "scale", "seed"]
    long = grid.run(lambda a, b, c: {f"a_long_name_{k}": a / 7 for k in range(9)}, {"a": range(50), "b": ["some text"], "c": [(1, 2)]})
    lines = str(long).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(f"a_long_name_{k}" in str(long) for k in range(9)) and "30 more rows" in str(long)


def test_axes_are_whole_beside_a_wide_array_which_is_cut():
    rates = [0.03, 0.2, 0.0001234]
    lines = str(grid.run(lambda rate, seed: {"x": 1.5, "wide": np.full((2, 3), -1.234e-5)}, {"rate": rates, "seed": [10]})).splitlines()
    assert [line.split()[:2] for line in lines[6:9]] == [["0.03", "10"], ["0.2", "10"], ["0.0001234", "10"]]
    assert lines[5].split() == ["rate", "seed", "wide"] and max(map(len, lines)) <= 80 and lines[8].endswith("…")


def test_a_part_of_a_grid_is_a_grid(found, tmp_path):
    part = found.at(scale=np.float64(1), depth=3)
    assert part.axes == {"depth": [3], "scale": [1], "seed": [0, 1, 2, 3, 4]} and [*found.axes["depth"]] == AXES["depth"]
    assert np.array_equal(part.array("top"), found.array("top")[1:, 1:2], equal_nan=True)
    assert part.failed == {(3, 1, 4): found.failed[3, 1, 4]} and repr(part) == "Grid(1 depth × 1 scale × 5 seed: 4 done, 1 failed)"
    part.save(tmp_path / "x.csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 6
    with pytest.raises(ValueError, match=r"there is no scale = 3; it is one of \[0.5, 1, 2.0\]"):
        found.at(scale=3)
    with pytest.raises(ValueError, match="there is no leak = 0.3; the axes are depth, scale, seed"):
        found.at(leak=0.3)
    pytest.importorskip("matplotlib")
    ax = drawing.plot(found.at(depth=2), "layers").axes[0]
    assert boxes(ax).shape == (3, 2) and ax.get_title(loc="left").strip() == "layers, mean of 5 seeds, depth = 2"


def test_a_table_has_two_axes_and_mean_and_sd_over_the_third(found):
    lines = found.table("top").splitlines()
    assert lines[0] == "top, mean ± sd over seed (5)" and lines[1].split() == ["depth", "scale=0.5", "scale=1", "scale=2"]
    cells = [cell.split(" ± ") for line in lines[2:] for cell in re.split(r"  +", line)[1:]]
    assert np.allclose([float(mean) for mean, _ in cells], found.mean("top").ravel(), atol=0.05)
    assert np.allclose([float(sd) for _, sd in cells], found.sd("top").ravel(), atol=0.05, rtol=0.05)
    assert found.at(seed=2).table("top").splitlines()[2].split()[1:] == [f"{x:.4g}" for x in found.array("top")[0, :, 2]]
    wide = grid.run(lambda a, b, c, d: {"x": a * b * d}, {"c": ["one"], "a": [1, 2], "d": [4], "b": [0.123456, 3]})
    assert wide.table("x").splitlines() == ["x, d = 4, c = one", "a  b=0.123456  b=3", "1      0.4938   12", "2      0.9876   24"]
    assert grid.run(lambda a: {"x": a}, {"a": [1, 2]}).table("x").splitlines() == ["x", "a  x", "1  1", "2  2"]
    with pytest.raises(ValueError, match=r"'layers' is over depth, scale, \(2, 3, 3\); hold some, with .at"):
        found.table("layers")
    with pytest.raises(ValueError, match="there is no axis 'x'"):
        found.table("top", over="x")


def test_a_csv_reads_back_to_the_last_digit(found, tmp_path):
    found.save(tmp_path / "x.csv")
    with open(tmp_path / "x.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found)
    assert list(rows[-2]) == ["depth", "scale", "seed", "top", "layers[0]", "layers[1]", "bad", "failed", "layers[2]"]
    for row, key in zip(rows, found.keys):
        assert tuple(float(row[name]) for name in AXES) == key
        assert row["failed"] == found.failed.get(key, "")
        if result := found.results.get(key):
            assert float(row["top"]) == result["top"]
            assert [float(row[f"layers[{k}]"]) for k in range(key[0])] == result["layers"].tolist()
    with pytest.raises(ValueError, match=".csv"):
        found.save(tmp_path / "x.txt")


def test_one_axis_is_a_curve_with_a_band_and_two_are_a_map(found):
    pytest.importorskip("matplotlib")
    one = grid.run(profile, {**AXES, "depth": [2]})
    ax = drawing.plot(one).axes[0]
    assert ax.lines[0].get_xydata().tolist() == [[x, y] for x, y in zip(AXES["scale"], one.mean("top")[0])]
    band = ax.collections[0].get_paths()[0].vertices
    assert np.allclose(band[:, 1].max(), np.max(one.mean("top") + one.sd("top")))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("scale", "top")
    assert ax.get_title(loc="left") == "top, mean of 5 seeds, depth = 2"
    ax = drawing.plot(found).axes[0]
    assert np.array_equal(boxes(ax), found.mean("top"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("scale", "depth")
    assert boxes(drawing.plot(one, "layers").axes[0]).shape == (3, 2)
    words = grid.run(lambda name: {"x": len(name), "no": np.nan}, {"name": ["b", "aa"]})
    assert drawing.plot(words).axes[0].lines[0].get_ydata().tolist() == [1, 2]
    assert drawing.plot(words, "no").axes[0].lines
    assert drawing.plot(grid.run(lambda seed: {"x": seed}, {"seed": [0, 1]})).axes[0].get_xlabel() == "seed"
    drawing.plot(grid.run(lambda a, b: {"x": np.inf}, {"a": [0, 1], "b": [0, 1]})).savefig("/dev/null", format="png")


def boxes(ax):
    """The values of a map, the first row at the bottom."""
    return ax.collections[0].get_array()


def test_numbers_lie_on_a_map_where_they_are_and_texts_at_whole_numbers():
    pytest.importorskip("matplotlib")
    scales, depths = [2.0, 0.5, 1.0], [1, 2, 4, 5]
    found = grid.run(lambda depth, scale: {"x": 10 * depth + scale}, {"depth": depths, "scale": scales})
    ax = drawing.plot(found).axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert np.allclose(ax.collections[0].get_coordinates()[0, :, 0], 2.0 ** np.arange(-1.5, 2)) and np.allclose(ax.get_xlim(), (2**-1.5, 2**1.5))
    assert np.allclose(ax.collections[0].get_coordinates()[:, 0, 1], [0.5, 1.5, 3, 4.5, 5.5])
    assert boxes(ax)[0].tolist() == [10.5, 11, 12] and [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "1", "2"]
    named = drawing.plot(grid.run(lambda net, k: {"x": k}, {"net": ["rnn", "gru"], "k": [1, 10, 10_000]})).axes[0]
    assert named.collections[0].get_coordinates()[:, 0, 1].tolist() == [-0.5, 0.5, 1.5] and named.get_xscale() == "log"
    assert [named.yaxis.get_major_formatter()(k) for k in (0, 1, 2)] == ["rnn", "gru", ""]


@pytest.mark.parametrize("values, log", [
    ([1, 2, 4, 8], True), ([0.1, 1, 10], True), ([1, 2, 5, 10, 20], True), ([10, 11, 12], False), ([5, 10, 20, 30], False), ([1, 2], False),
    ([1, 10_000], True), ([0, 1, 10], False), ([-4, -2, -1], False), ([3], False), ([True, False], False), (["1", "2", "4"], False)])  # fmt: skip
def test_an_axis_is_logarithmic_where_its_values_are_geometric_or_very_different(values, log):
    assert grids.Along.of(values).log == log


def test_theory_lies_over_a_map_and_beside_a_curve(found):
    pytest.importorskip("matplotlib")
    ax = drawing.plot(found, "top", theory=lambda scale: 2 + scale).axes[0]
    x, y = ax.lines[-1].get_data()
    assert np.allclose(y, 2 + x) and np.allclose(x[[0, -1]], ax.get_xlim()) and ax.get_ylim() == (1.5, 3.5)
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "theory" and ax.lines[-1].get_linestyle() == "--"
    one = grid.run(profile, {**AXES, "depth": [2], "scale": [2, 0.5]})
    for theory, heights in {"array": ([7, 8], [8, 7]), "number": (3, [3, 3]), "function": (lambda scale: -scale, [-0.5, -2])}.values():
        ax = drawing.plot(one, theory=theory).axes[0]
        assert ax.lines[-1].get_ydata()[[0, -1]].tolist() == heights and ax.lines[-1].get_label() == "theory"
    with pytest.raises(ValueError, match=r"one number for each of the 2 values to the right; got shape \(3,\)"):
        drawing.plot(one, theory=[1, 2, 3])


def test_limits_are_those_of_the_colours_and_of_a_curve_and_the_bar_says_what_is_beyond(found):
    pytest.importorskip("matplotlib")
    values = {"above": [[0, 1], [2, 300]], "both": [[-900, 0], [3, 2]]}
    two = grid.run(lambda a, b: {name: x[a][b] for name, x in values.items()}, {"a": [0, 1], "b": [0, 1]})
    for name, limits, shown, extend in (("above", (0, 4), (0, 4), "max"), ("both", (-3, 4), (-4, 4), "min"), ("above", (-1, 300), (-1, 300), "neither")):
        mesh = drawing.plot(two, name, limits=limits).axes[0].collections[0]
        assert mesh.get_clim() == shown and mesh.colorbar.extend == extend
    one = grid.run(profile, {**AXES, "depth": [2]})
    assert drawing.plot(one, limits=(-2, 9)).axes[0].get_ylim() == (-2, 9)
    for wrong in ((3, 1), (1, 1), 4, (0, np.inf), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"limits are the least and the largest value to be shown, \(low, high\)"):
            drawing.plot(two, limits=wrong)
    with pytest.raises(ValueError, match="limits go with a Grid, not with 'loss' of a History"):
        drawing.plot(training.History(), limits=(0, 1))


def test_a_line_is_where_a_map_of_both_signs_is_zero():
    pytest.importorskip("matplotlib")
    signs = grid.run(lambda a, b: {"x": a + b - 4, "no": a + b}, {"a": [1, 2, 3], "b": [1, 2, 3]})
    ax = drawing.plot(signs, "x").axes[0]
    (path,) = ax.collections[1].get_paths()
    assert np.allclose(path.vertices.sum(axis=1), 4) and [text.get_text() for text in ax.get_legend().get_texts()] == ["zero"]
    assert len(drawing.plot(signs, "no").axes[0].collections) == 1
    named = grid.run(lambda a, b: {"x": len(a) + b - 4}, {"a": ["a", "aaa"], "b": [1, 2, 3]})
    assert len(drawing.plot(named, "x").axes[0].collections) == 1  # between names there is nothing


def test_a_map_of_both_signs_has_its_middle_at_zero():
    colors = pytest.importorskip("matplotlib.colors")
    values = {"both": [[-1, 0], [3, np.nan]], "above": [[0, 1], [2, 3]], "below": [[0, -1], [-2, -3]]}
    found = grid.run(lambda a, b: {name: x[a][b] for name, x in values.items()}, {"a": [0, 1], "b": [0, 1]})
    image = drawing.plot(found, "both").axes[0].collections[0]
    shades = [colors.to_hex(image.cmap(image.norm(x))) for x in (-3, 0, 3, np.nan)]
    assert shades[::2] == [colours.BROWN, colours.TEAL] and shades[3] == colours.SPECIAL["nan"]
    assert np.allclose(colors.to_rgb(shades[1]), colors.to_rgb(colours.WHITE), atol=0.01)
    huge = grid.run(lambda a, b: {"x": [[-1, 1e300], [2, np.inf]][a][b]}, {"a": [0, 1], "b": [0, 1]})
    assert drawing.plot(huge).axes[0].collections[0].get_clim() == (-2, 2)
    for name in ("above", "below"):
        image = drawing.plot(found, name).axes[0].collections[0]
        assert image.cmap.name == "cividis" and image.get_clim() == (np.min(values[name]), np.max(values[name]))


def test_what_cannot_be_drawn_is_refused(found):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"over one axis or two, not over depth, scale, layers\[0\]; hold some, as in .at\(depth=2\)"):
        drawing.plot(found, "layers")
    with pytest.raises(ValueError, match="there is no plot 'z' of a Grid; there is top, layers, bad"):
        drawing.plot(found, "z")
    with pytest.raises(TypeError, match="got Grid"):
        drawing.plot(grid.Grid({"a": [1]}))
    with pytest.raises(ValueError, match=r"nothing to draw: 'x' is empty, of shape \(2, 0\)"):
        drawing.plot(grid.run(lambda a: {"x": np.zeros(0)}, {"a": [1, 2]}), "x")


def test_a_value_that_is_missing_because_every_cell_failed_says_why_they_did():
    with pytest.raises(KeyError, match="they have none: ZeroDivisionError"):
        grid.run(lambda a: {"x": 1 / a}, {"a": [0]}).array("x")
    assert str(grid.run(lambda a: {3: 1.0}, {"a": [0]})) == "a  3\n0  1"


def test_the_command_takes_activation_width_and_updates_and_gives_json(capsys, monkeypatch):
    words = ["phase", "--depths", "2", "--variances", "1", "2", "--seeds", "1", "--json"]
    assert main([*words, "--activation", "relu", "--width", "8", "--updates", "3"]) == 0
    given = json.loads(capsys.readouterr().out)
    net = {"activation": "relu", "width": 8, "updates": 3}
    assert given == phase.diagram([2], [1, 2], 1, net).to_dict()
    assert all(cell | net == cell for cell in given["cells"])
    assert given["axes"]["activation"] == ["relu"] and "relu" in nn.ACTIVATIONS
    monkeypatch.setattr(phase, "cell", lambda depth, variance, seed: 1 / 0)
    assert main(words) == 1
    assert len(json.loads(capsys.readouterr().out)["failed"]) == 2
