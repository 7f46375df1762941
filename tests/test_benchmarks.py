"""The benchmarks run at tiny sizes, and what they time is right: every system has the gradients that were derived by hand."""

import ast
import json
import os
import pathlib
import sys

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "benchmarks"
SOURCES = sorted(FOLDER.glob("*.py"))
WORKLOADS = ["S1", "S2", "T1", "T2", "T3", "T4", "T5", "T6a", "T6b"]


@pytest.fixture(scope="module", autouse=True)
def scripts():
    """The scripts as modules. What they set for their own processes is undone."""
    environment, limit = dict(os.environ), sys.getrecursionlimit()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import compare
        import growth

        os.environ.clear()
        os.environ.update(environment)
        yield compare, growth
    sys.setrecursionlimit(limit)


@pytest.fixture
def compare(scripts):
    return scripts[0]


@pytest.fixture
def growth(scripts):
    return scripts[1]


def engines(kind):
    """The systems that are installed and run workloads of this kind."""
    from systems import SYSTEMS

    for name, system in SYSTEMS.items():
        if kind in system.kinds:
            try:
                yield name, system()
            except ImportError:
                continue


@pytest.mark.filterwarnings("ignore")  # what a peer warns of is its own business
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_system_agrees_with_the_gradients_by_hand(compare, name):
    from workloads import make

    workload, found = make(name, small=True), {}
    for system, engine in engines(workload.kind):
        program = engine.program(workload)
        found[system] = [compare.checked(program) for _ in range(2)]  # what a step leaves behind does not disturb the next
    right = found.pop("limit")[0]
    assert all(np.any(g) for g in right[1].values())
    assert found
    assert {s: e for s in found for e in [max(compare.disagreement(f, right) for f in found[s])] if not e < compare.TOLERANCE} == {}


def test_the_workloads_are_those_of_the_table(compare):
    assert list(compare.WORKLOADS) == WORKLOADS


class Fake:
    """A system whose gradients are off by so much, and which takes no time."""

    def __init__(self, system, off=0.0):
        self.system, self.off, self.asked = system, off, []

    def ask(self, question, argument=None):
        self.asked.append(question)
        return {"load": None, "check": (1.0, {"W": np.ones(3) + self.off}), "time": [1e-3] * (argument if question == "time" else 0)}[question]


@pytest.mark.parametrize("off", [1e-6, np.nan])
def test_a_system_whose_gradients_differ_is_named_and_not_timed(compare, off):
    wrong = Fake("torch", off)
    figures, left_out = compare.compare("T1", [Fake("limit"), Fake("ours", 1e-12), wrong], rounds=3)
    assert list(figures) == ["limit", "ours"]
    assert figures["ours"]["times limit"] == 1 and len(figures["ours"]["rounds"]) == 3
    assert "gradients differ" in left_out["torch"] and "time" not in wrong.asked


def test_the_tables_fit_eighty_columns(compare, growth):
    figures = {system: {"median": 9.87, "quiet": 9.87, "times limit": 9876.0} for system in compare.SYSTEMS}
    lines = compare.table(dict.fromkeys(WORKLOADS, figures), list(compare.SYSTEMS)).splitlines()
    lines += growth.table("T2, 128 units", {way: dict.fromkeys([100, 1_000, 10_000], (98.765, 9876.0)) for way in growth.WAYS}).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 4 * (2 + len(WORKLOADS)) + 3 + 1 + len(growth.WAYS)


def test_one_command_prints_a_table_and_draws_a_picture(compare, capsys, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(compare, "versions", lambda: dict.fromkeys(compare.SYSTEMS, "12.34.56"))  # as if all were installed
    arguments = ["--small", "--rounds", "1", "--workloads", "T1,S2", "--systems", "ours,scalars,mygrad", "--picture", str(tmp_path / "x.svg")]
    assert compare.main(arguments) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "T1 " in printed and "S2 " in printed and "scalars" in printed
    assert "the limit" in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_the_figures_come_as_json_too(compare, capsys):
    assert compare.main(["--small", "--rounds", "2", "--workloads", "T6b", "--systems", "ours", "--json", "--no-gc"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["results"]["T6b"]["ours"]["rounds"]) == 2
    assert found["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("arguments", [["--workloads", "T9"], ["--systems", "oars"], ["--rounds", "0"]], ids=" ".join)
def test_what_does_not_exist_is_refused_in_words(compare, arguments, capsys):
    with pytest.raises(SystemExit):
        compare.main(arguments)
    assert arguments[1] in capsys.readouterr().err


def test_growth_is_measured_and_fitted(growth, capsys):
    assert growth.main(["--parts", "chain,draw", "--lengths", "4,8,16"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert all(name in printed for name in ("Chain", "blame", "spectrum", "uses", "SVG"))
    assert growth.exponent([3.0, 12.0, 48.0], [1, 2, 4]) == pytest.approx(2)


@pytest.mark.parametrize("arguments", [["--parts", "charts"], ["--lengths", "100,x"], ["--lengths", "0"]], ids=" ".join)
def test_growth_refuses_what_does_not_exist_before_it_measures(growth, arguments, capsys):
    with pytest.raises(SystemExit):
        growth.main(arguments)
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_growth_asks_each_way(growth):
    for way in growth.WAYS:
        found = growth.recurrence(way, 3, 4, 2)
        assert found is None or found[0] >= 0
    assert growth.million(20)[0] >= 0


def test_a_start_that_fails_has_no_time(growth):
    assert growth.started("pass", 1) >= 0
    assert growth.started("import nothing_of_this_name", 1) is None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_benchmark_opens_with_its_question_and_stays_small(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert "?" in ast.get_docstring(tree).splitlines()[0]
    assert text.count("\n") <= 250
    assert all(node.end_lineno - node.lineno < 30 for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
