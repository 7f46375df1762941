"""A grid of runs: the same numbers however it is run, nothing lost when a cell fails or the run is killed."""

import functools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from tinygrad_vg import grid
from tinygrad_vg.cli.main import main
from tinygrad_vg.grid import phase, runs

AXES = {"depth": [2, 4], "variance": [0.5, 1.5, 4.0], "seed": [0, 1]}


@pytest.fixture(scope="module")
def here():
    return grid.run(phase.cell, AXES)


def product(a, b):
    return {"product": a * b, "sum": a + b}


def noise(a, rng):
    return {"noise": rng.normal()}


def odd_fails(a, b):
    if a % 2:
        raise ZeroDivisionError("an odd\ncell")
    return {"x": a + b}


def test_every_point_has_its_result_and_its_place_in_the_array():
    found = grid.run(product, {"a": [1, 2, 3], "b": [10, 20]})
    assert found.array("product").tolist() == [[10, 20], [20, 40], [30, 60]]
    assert found.mean("sum", over="a").tolist() == [12, 22]
    assert found.results[3, 20] == {"product": 60.0, "sum": 23.0}
    assert "10" in str(found)
    assert repr(found) == "Grid(3 a × 2 b: 6 done, 0 failed)"
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_cells_random_numbers_depend_on_its_point_alone():
    a = grid.run(noise, {"a": [0, 1, 2]}).array("noise")
    b = grid.run(noise, {"a": [2, 0]}).array("noise")
    assert [a[2], a[0]] == b.tolist()
    assert len(set(a)) == 3


@pytest.mark.parametrize("batch", [1, 5])
def test_threads_give_what_a_plain_loop_gives(here, batch):
    with ThreadPoolExecutor(3) as executor:
        assert grid.run(phase.cell, AXES, executor=executor, batch=batch).results == here.results


def test_processes_give_what_a_plain_loop_gives_and_the_environment_is_as_before(here):
    before = dict(os.environ)
    with grid.processes(2) as executor:
        found = grid.run(phase.cell, AXES, executor=executor, batch=4)
    assert found.results == here.results
    assert list(found.results) == list(here.results)
    assert dict(os.environ) == before


def test_a_dask_cluster_gives_what_a_plain_loop_gives(here):
    pytest.importorskip("distributed", reason="needs the extra cluster")
    program = (
        "from tinygrad_vg import grid\nfrom tinygrad_vg.grid import phase\n"
        "if __name__ == '__main__':\n"
        "    with grid.cluster('local') as executor:\n"
        f"        found = grid.run(phase.cell, {AXES!r}, executor=executor, batch=4)\n"
        "    import json; print(json.dumps([[*key, *result.values()] for key, result in found.results.items()]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [[*key, *result.values()] for key, result in here.results.items()]


def test_one_failing_cell_does_not_lose_the_others():
    for executor in (None, ThreadPoolExecutor(2)):
        found = grid.run(odd_fails, {"a": [0, 1, 2], "b": [5]}, executor=executor)
        assert set(found.results) == {(0, 5), (2, 5)}
        assert found.failed == {(1, 5): "ZeroDivisionError: an odd cell"}
        assert np.isnan(found.array("x")[1, 0])
        assert "failed at (1, 5)" in str(found)


def test_finished_cells_are_kept_and_failed_ones_tried_again(tmp_path):
    store, runs = tmp_path / "runs.jsonl", []

    def cell(a):
        runs.append(a)
        if a == 2 and len(runs) < 4:
            raise ValueError("not yet")
        return {"x": a / 3, "bad": math.nan}

    first = grid.run(cell, {"a": [1, 2, 3]}, store=store)
    assert first.failed
    second = grid.run(cell, {"a": [1, 2, 3, 4]}, store=store)
    assert runs == [1, 2, 3, 2, 4]
    assert second.array("x").tolist() == [a / 3 for a in (1, 2, 3, 4)]
    assert not second.failed
    assert math.isnan(second.results[1,]["bad"])


def test_a_line_cut_short_is_taken_off_and_its_cell_run_again(tmp_path):
    store = tmp_path / "runs.jsonl"
    grid.run(product, {"a": [1, 2, 3], "b": [4]}, store=store)
    whole = store.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        store.write_bytes(whole[:cut])
        assert grid.run(product, {"a": [1, 2, 3], "b": [4]}, store=store).array("product").ravel().tolist() == [4, 8, 12]
        assert store.read_bytes() == whole


def test_a_run_killed_half_way_is_taken_up_where_it_was(here, tmp_path):
    store = tmp_path / "runs.jsonl"
    program = f"from tinygrad_vg import grid; from tinygrad_vg.grid import phase; grid.run(phase.cell, {AXES!r}, store={str(store)!r})"
    child = subprocess.Popen([sys.executable, "-c", program])
    while child.poll() is None and (not store.exists() or store.read_bytes().count(b"\n") < 5):
        time.sleep(0.005)
    child.kill()
    child.wait()
    seen = store.read_bytes().count(b"\n") - 1
    left = []
    found = grid.run(phase.cell, AXES, store=store, progress=lambda done, whole: left.append(done))
    assert json.dumps(found.to_dict()) == json.dumps(here.to_dict())
    assert 0 < len(left) == len(here.results) - seen


@pytest.mark.parametrize("content", [b"", b'{"axes": ["a", "b"], "cell": "other.cell"}\n', b"not json\n", b"no end of line"])
def test_a_file_that_belongs_to_something_else_is_refused_and_left_alone(tmp_path, content):
    store = tmp_path / "runs.jsonl"
    store.write_bytes(content)
    if content:
        with pytest.raises(ValueError, match="give another file"):
            grid.run(product, {"a": [1], "b": [2]}, store=store)
        assert store.read_bytes() == content
    else:
        assert grid.run(product, {"a": [1], "b": [2]}, store=store).results


def test_a_million_cells_are_never_all_waiting(monkeypatch):
    out = set()

    class Lazy:
        def submit(self, function, *arguments):
            future = Future()
            out.add(future)
            assert len([f for f in out if not f.done()]) <= runs.IN_FLIGHT
            future.set_result(function(*arguments))
            return future

    assert grid.run(product, {"a": range(500), "b": [1, 2]}, executor=Lazy(), batch=3).array("sum").shape == (500, 2)


def dies(a):
    if a == 2:
        os._exit(1)
    return {"x": a}


def test_a_worker_that_dies_does_not_lose_what_is_finished(tmp_path):
    with grid.processes(1) as executor:
        found = grid.run(dies, {"a": range(200)}, executor=executor, store=tmp_path / "runs.jsonl")
    assert found.failed.keys() >= {(a,) for a in range(2, 200)}
    assert len(found.results) + len(found.failed) == 200
    assert set(found.failed.values()) == {"not run: a worker died, of this cell or of another one (out of memory?)"}
    assert grid.run(dies, {"a": [0, 1]}, store=tmp_path / "runs.jsonl").array("x").tolist() == [0, 1]


def never(*_, **__):
    raise AssertionError("nothing is run")


@pytest.mark.parametrize("axes, batch, words", [
    ({}, 1, "at least one axis"),
    ({"a": [1]}, 0, "at least one"),
    ({"a": [1]}, 1.5, "a whole number of cells"),
    ({"a": [1]}, "2", "a whole number of cells"),
    ({"rng": [1]}, 1, "'rng' cannot be an axis"),
    ({"a": 3}, 1, "axis 'a' needs a list of values; got 3"),
    ({"a": "xyz"}, 1, "axis 'a' needs a list of values; got 'xyz'"),
    ({"a": [1], "sizes": [(1, 2), [3, 4]]}, 1, r"a value of axis 'sizes' is a number, a text, or a tuple of them; got \[3, 4\]"),
    ({"a": [abs]}, 1, "a value of axis 'a' is a number"),
])  # fmt: skip
def test_what_is_no_grid_is_refused_before_anything_is_run(axes, batch, words):
    with pytest.raises(ValueError, match=words):
        grid.run(never, axes, batch=batch, progress=never)


@pytest.mark.parametrize("cell, axes, executor", [(None, {"a": [1]}, None), (never, ["a"], None), (never, {"a": [1]}, 4),
    (never, {"a": [1]}, grid.processes(2))])  # fmt: skip
def test_what_is_no_cell_no_axes_or_no_executor_is_refused_before_anything_is_run(cell, axes, executor):
    with pytest.raises(TypeError, match="run takes a cell|with grid.processes"):
        grid.run(cell, axes, executor=executor)


@pytest.mark.parametrize("axes, words", [
    ({"a": [1], "c": [2]}, "the cell does not take c and needs b; it takes a, b, and the axes are a, c"),
    ({"a": [1]}, "the cell needs b; it takes a, b"),
    ({"a": [1], "b": [2], "seed": [3], "c": [4]}, "the cell does not take c, seed; it takes a, b"),
])  # fmt: skip
def test_axes_that_the_cell_does_not_take_are_named_before_anything_is_run(axes, words, tmp_path):
    with pytest.raises(TypeError, match=words):
        grid.run(product, axes, store=tmp_path / "runs.jsonl", progress=never)
    assert not list(tmp_path.iterdir())


def test_arguments_with_a_value_of_their_own_and_rng_may_be_left_out():
    def cell(a, rng, b=2, *, c=3, **more):
        return {"x": a * b * c + sum(more.values())}

    assert grid.run(cell, {"a": [1]}).array("x").tolist() == [6]
    assert grid.run(cell, {"a": [1], "c": [1], "z": [5]}).array("x").ravel().tolist() == [7]
    assert len(grid.run(lambda *, a: {"x": a}, {"a": [1]}).results) == 1


@pytest.mark.parametrize("x, words", [("ok", "'ok'"), ([[1], [1, 2]], r"\[\[1\], \[1, 2\]\]"), (None, "None")])
def test_a_result_that_is_no_number_is_named(x, words):
    found = grid.run(lambda a: {"good": 1, "status": x}, {"a": [1]})
    assert re.match(f"TypeError: the value 'status' is {words}; a cell returns numbers", found.failed[1,])


@pytest.mark.parametrize("cell", [lambda a: 3.0, lambda a: {"a": 7.0}])
def test_a_cell_that_gives_no_names_or_those_of_the_axes_has_failed(cell):
    assert "with other names than the axes; got" in grid.run(cell, {"a": [1]}).failed[1,]


def test_a_store_is_not_written_into_another_kind_of_file(tmp_path):
    with pytest.raises(ValueError, match="what to save: .jsonl; got 'cells.csv'"):
        grid.run(product, {"a": [1], "b": [1]}, store=tmp_path / "cells.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cell", [functools.partial(product, b=2), lambda a: {"x": a}])
def test_a_cell_without_a_name_of_its_own_is_run_but_not_kept(cell, tmp_path):
    assert len(grid.run(cell, {"a": [1, 2]}).results) == 2
    with pytest.raises(ValueError, match="needs a name of its own"):
        grid.run(cell, {"a": [1, 2]}, store=tmp_path / "runs.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", [b"{", b"3", b'{"point": [1, 4]}', b'{"point": [1, 4], "result": {"x": "y"}}', b'{"point": [1, 4], "result": 5}', b"\xff\xfe"])
def test_a_line_that_is_no_cell_is_named_and_the_file_left_alone(line, tmp_path):
    store = tmp_path / "runs.jsonl"
    grid.run(product, {"a": [1, 2], "b": [4]}, store=store)
    lines = store.read_bytes().splitlines(keepends=True)
    store.write_bytes(content := b"".join([*lines[:2], line + b"\n", *lines[2:], b"cut short"]))
    with pytest.raises(ValueError, match=r"line 3 of '.*runs.jsonl' is no finished cell"):
        grid.run(product, {"a": [1, 2], "b": [4]}, store=store)
    assert store.read_bytes() == content


def test_an_axis_there_is_none_of_is_not_averaged_over():
    with pytest.raises(ValueError, match="there is no axis 'c' to average over; the axes are a, b"):
        grid.run(product, {"a": [1], "b": [1]}).mean("sum", over="c")


def test_a_value_no_cell_has_is_named():
    with pytest.raises(KeyError, match="no cell has a value 'z'; they have product, sum"):
        grid.run(product, {"a": [1], "b": [1]}).array("z")


def test_the_command_prints_the_diagram_takes_a_run_up_and_draws_it(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    words = ["phase", "--depths", "2", "4", "--variances", "0.5", "1.5", "--seeds", "1"]
    assert main([*words, "--store", str(tmp_path / "x.jsonl"), "--out", str(tmp_path / "x.png")]) == 0
    first = capsys.readouterr().out
    assert main([*words, "--store", str(tmp_path / "x.jsonl")]) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, first.splitlines())) <= 80
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 4


def test_many_variances_are_printed_in_blocks_of_eighty_columns():
    variances = [0.001234567, *range(1, 15), 1.23456e-7, 1e300]
    found = grid.Grid({"depth": [7], "variance": variances, "seed": [0]})
    for k, variance in enumerate(variances):
        found.results[7, variance, 0] = {"accuracy": k / 100, "slope": -1.0}
    lines = phase.table(found).splitlines()
    assert max(map(len, lines)) <= 80
    heads = [word for line in lines[: len(lines) // 2] if line.startswith("depth") for word in line.split()[1:]]
    assert heads == [f"variance={x}" for x in ("0.00123457", *range(1, 15), "1.23456e-07", "1e+300")]
    assert [word for line in lines[: len(lines) // 2] if line.startswith("7 ") for word in line.split()[1:]] == [f"{k / 100:g}" for k in range(17)]
    assert "nan" not in phase.table(found)


def test_a_gradient_that_is_nowhere_finite_is_said_to_be(capsys):
    assert main(["phase", "--depths", "3", "--variances", "1e300", "1", "--seeds", "1"]) == 0
    assert "nan: the gradient is exactly 0 or overflows with every seed" in capsys.readouterr().out


def test_a_diagram_all_of_whose_cells_failed_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(phase, "cell", lambda depth, variance, seed: 1 / 0)
    assert main(["phase", "--depths", "3", "--variances", "1", "--seeds", "2"]) == 1
    assert capsys.readouterr() == ("", "tinygrad_vg: 2 cells failed: ZeroDivisionError: division by zero\n")


def test_processes_or_a_cluster_but_not_both(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["phase", "--workers", "2", "--cluster", "local"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_ctrl_c_takes_back_what_is_waiting(tmp_path):
    if not hasattr(signal, "SIGINT"):
        pytest.skip("no signals here")
    store = tmp_path / "x.jsonl"

    def stop(done, whole):
        if done == 2:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        grid.run(product, {"a": range(50), "b": [1]}, executor=executor, store=store, progress=stop)
    assert len(store.read_text().splitlines()) == 3


def test_a_negative_variance_is_refused_before_anything_is_run():
    with pytest.raises(ValueError, match="a variance is 0 or more; got -1"):
        phase.diagram([3], [1.0, -1.0], 1)
