"""A store of finished cells: it refuses what other code made, is shared without double work, survives kill -9, and merges."""

import importlib.util
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tinygrad_vg import __version__, grid
from tinygrad_vg.grid import source

CODE = '''"""A cell."""
import json
import numpy as np

WIDTH, NETS = 4, {}
SIZES = np.arange(3.0)

class Scale:
    def __init__(self, by):
        self.by = by

SCALE = Scale(1.0)

class Net:
    gain = 2
    def out(self):
        return self.gain

def helper(x):
    """Says something."""
    return [x for _ in range(1)][0]

NETS["plain"] = lambda x: x + 1

def cell(scale, rng):
    net = Net()
    return {"x": helper(scale) * WIDTH * net.out() * SCALE.by + NETS["plain"](0) + SIZES.sum()}

def unused():
    return 1
'''


def module(folder, code=CODE, name="my_cell"):
    """The code as a module, freshly loaded."""
    (folder / f"{name}.py").write_text(code)
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    sys.modules[name] = loaded = importlib.util.module_from_spec(spec)
    exec(compile(code, str(folder / f"{name}.py"), "exec"), loaded.__dict__)
    return loaded


@pytest.mark.parametrize("old, new, words", [
    ("WIDTH, NETS = 4, ", "WIDTH, NETS = 400, ", r"my_cell.WIDTH was 4, is 400"),
    ("for _ in range(1)][0]", "for _ in range(1)][-1]", r"my_cell.helper was code \w+, is code \w+"),
    ("x + 1", "x + 2", r"my_cell.NETS was code \w+, is code"),
    ("gain = 2", "gain = 3", r"my_cell.Net.gain was 2, is 3"),
    ("return self.gain", "return -self.gain", r"my_cell.Net.out was code \w+, is code"),
    ("Scale(1.0)", "Scale(2.0)", r"my_cell.SCALE was code \w+, is code"),
    ("np.arange(3.0)", "np.arange(4.0)", r"my_cell.SIZES was code \w+, is code"),
    ("return {\"x\"", "return {\"y\"", r"my_cell.cell was code \w+, is code"),
])  # fmt: skip
def test_results_of_other_code_are_refused_and_the_change_is_named(tmp_path, old, new, words):
    store, axes = tmp_path / "runs.jsonl", {"scale": [1, 2]}
    first = grid.run(module(tmp_path).cell, axes, store=store)
    content, changed = store.read_bytes(), module(tmp_path, CODE.replace(old, new))
    with pytest.raises(ValueError, match=words) as refused:
        grid.run(changed.cell, axes, store=store)
    assert "runs.jsonl" in str(refused.value) and "stale_ok=True" in str(refused.value)
    assert store.read_bytes() == content
    assert grid.run(changed.cell, axes, store=store, stale_ok=True).results == first.results
    assert grid.run(changed.cell, axes, store=store).results == first.results  # from then on they count as made by it
    with pytest.raises(ValueError, match="made otherwise"):
        grid.run(module(tmp_path).cell, axes, store=store)


WRAPPED = '''"""Cells that reach their code through what wraps it."""
import functools

SCALE = 1

def scaled(by):
    def wrap(f):
        @functools.wraps(f)
        def wrapper(*x, **more):
            return f(*x, **more) * SCALE * by
        return wrapper
    return wrap

def kept(f):
    @functools.wraps(f)
    def wrapper(*x, **more):
        return {**f(*x, **more), "kept": 1 + 0}
    return wrapper

class Twice:
    def __init__(self, f):
        functools.update_wrapper(self, f)
        self.f = f
    def __call__(self, x):
        return self.f(x) + self.f(x)

class Net:
    def __init__(self, gain):
        self.gain = gain
    @functools.cached_property
    def out(self):
        return self.gain + 0.5
    @staticmethod
    @functools.cache
    def still(x):
        return x - 0
    def step(self, x):
        return x * self.gain

STEP = Net(3).step

@scaled(2)
@scaled(by=3)
def square(x):
    return x * x

@scaled(5)
def cube(x):
    return x**3

@Twice
def half(x):
    return x / 2

@functools.singledispatch
def sign(x):
    return x + 0.25

@sign.register
def _(x: int):
    return x + 0.125

def count(n):
    def down(k):
        return down(k - 1) + 1 if k else 0
    return down(n)

def lazy(y):
    return y

@kept
def cell(a):
    net = Net(1)
    return {"x": square(a) + cube(a) + half(a) + net.out + net.still(a) + STEP(a) + sign(a) + count(3) + lazy(a)}
'''


@pytest.mark.parametrize("old, new, words", [
    ("SCALE = 1", "SCALE = 2", "wrapped.SCALE was 1, is 2"),
    ("* SCALE * by", "+ SCALE * by", "wrapped.square was code"),
    ("@scaled(2)", "@scaled(4)", "wrapped.square.by was 2, is 4"),
    ("by=3", "by=4", "wrapped.square.f.by was 3, is 4"),
    ("@scaled(5)", "@scaled(4)", "wrapped.cube.by was 5, is 4"),
    ("return x * x\n", "return x * x + 1\n", "wrapped.square.f.f was code"),
    ("1 + 0}", "2 + 0}", "wrapped.cell was code"),
    ("net = Net(1)", "net = Net(2)", "wrapped.cell.f was code"),
    ("self.f(x) + self.f(x)", "self.f(x) - self.f(x)", "wrapped.Twice.__call__ was code"),
    ("x / 2", "x / 4", "wrapped.half was code"),
    ("self.gain + 0.5", "self.gain - 0.5", "wrapped.Net.out was code"),
    ("x - 0", "x - 1", "wrapped.Net.still was code"),
    ("STEP = Net(3)", "STEP = Net(4)", "wrapped.STEP was code"),
    ("x + 0.25", "x - 0.25", "wrapped.sign.__wrapped__ was code"),
    ("x + 0.125", "x - 0.125", "wrapped.sign.registry was code"),
    ("down(k - 1) + 1", "down(k - 1) + 2", "wrapped.count was code"),
    ("return y", "return -y", r"wrapped.lazy was code \w{8}, is code \w{8};"),
])  # fmt: skip
def test_a_change_in_what_wraps_a_function_and_in_what_it_wraps_is_seen(tmp_path, old, new, words):
    store = tmp_path / "runs.jsonl"
    assert WRAPPED.count(old) == 1
    first = grid.run(module(tmp_path, WRAPPED, "wrapped").cell, {"a": [1.5]}, store=store)
    assert not first.failed
    assert grid.run(module(tmp_path, WRAPPED, "wrapped").cell, {"a": [1.5]}, store=store).results == first.results
    with pytest.raises(ValueError, match=words) as refused:
        grid.run(module(tmp_path, WRAPPED.replace(old, new), "wrapped").cell, {"a": [1.5]}, store=store)
    assert not re.search(r"\w{9,}, is", str(refused.value))


def test_what_made_a_result_has_the_same_names_in_every_process(tmp_path):
    module(tmp_path, WRAPPED, "wrapped")
    program = "import wrapped, json; from tinygrad_vg.grid.source import made_by; print(json.dumps(made_by(wrapped.cell)))"
    seeds = [{**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)} for seed in ("1", "2")]
    told = [subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout for env in seeds]
    assert told[0] == told[1] and "wrapped.square.f.f" in told[0]


def test_a_package_that_may_be_edited_counts_by_its_files_and_an_installed_one_by_its_version(tmp_path):
    made = {}
    for place, text in itertools.product(("here", "site-packages"), ("x = 1", "x = 2")):
        (folder := tmp_path / place / "tinygrad_vg" / "nn").mkdir(parents=True, exist_ok=True)
        (folder / "init.py").write_text(text)
        source.version.cache_clear()
        made[place, text] = source.version(tmp_path / place / "tinygrad_vg")
    assert made["site-packages", "x = 1"] == made["site-packages", "x = 2"] == __version__
    assert made["here", "x = 1"] != made["here", "x = 2"]
    source.version.cache_clear()
    assert source.made_by(product)["tinygrad_vg"].startswith(__version__)


def test_what_does_not_change_a_result_is_not_refused(tmp_path):
    store = tmp_path / "runs.jsonl"
    grid.run(module(tmp_path).cell, {"scale": [1, 2]}, store=store)
    other = CODE.replace("Says", "Tells").replace("def unused():\n    return 1", "# a note\n\n\ndef other():\n    return 2")
    found = grid.run(module(tmp_path, other).cell, {"scale": [1, 2, 3]}, store=store)
    assert found.array("x").tolist() == [12, 20, 28]
    assert len(store.read_text().splitlines()) == 4


def test_another_version_is_named(tmp_path, monkeypatch):
    store = tmp_path / "runs.jsonl"
    grid.run(product, {"a": [1], "b": [2]}, store=store)
    here = np.__version__
    monkeypatch.setattr(np, "__version__", "1.0")
    with pytest.raises(ValueError, match=f"otherwise: numpy was {here}, is 1.0; give another file"):
        grid.run(product, {"a": [1], "b": [2]}, store=store)


def test_a_store_of_before_says_not_what_made_it_and_is_refused(tmp_path):
    store = tmp_path / "runs.jsonl"
    store.write_text(json.dumps({"cell": f"{product.__module__}.product", "axes": ["a", "b"]}) + '\n{"point": [1, 2], "result": {"x": 2}}\n')
    with pytest.raises(ValueError, match="numpy was unknown, is"):
        grid.run(product, {"a": [1], "b": [2]}, store=store)
    assert grid.run(product, {"a": [1], "b": [2]}, store=store, stale_ok=True).array("x").tolist() == [[2]]


def product(a, b):
    return {"x": a * b}


def drawn(a, rng):
    return {"x": rng.normal()}


def never(a):
    raise AssertionError("is not run")


def test_equal_values_are_one_point_whatever_their_type(tmp_path):
    numbers = [grid.run(drawn, {"a": [one]}).array("x")[0] for one in (1, 1.0, True, np.int64(1), np.float64(1), np.float32(1), np.bool_(True))]
    assert len(set(numbers)) == 1
    assert grid.run(drawn, {"a": [(1, 2.0)]}).array("x") == grid.run(drawn, {"a": [(np.float64(1), 2)]}).array("x")
    assert grid.run(drawn, {"a": [1.5]}).array("x")[0] != numbers[0]
    store = tmp_path / "runs.jsonl"
    grid.run(drawn, {"a": [1, 2, 0.5]}, store=store)
    content = store.read_bytes()
    found = grid.run(drawn, {"a": [np.float64(2), 1.0, 0.5]}, store=store)
    assert store.read_bytes() == content
    assert found.array("x")[1] == numbers[0]
    for twice in ([1, 1.0], [True, 1], [3, 3], [(1, 2), (1.0, 2)]):
        with pytest.raises(ValueError, match="a value of axis 'a' is there once; got"):
            grid.run(never, {"a": twice})
    with pytest.raises(ValueError, match="a value of axis 'a' is a number"):
        grid.run(never, {"a": [float("nan")]})


def test_stores_of_two_machines_become_one(tmp_path):
    p, q, both = (tmp_path / f"{name}.jsonl" for name in ("p", "q", "both"))
    grid.run(product, {"a": [1, 2], "b": [3]}, store=p)
    grid.run(product, {"a": [2, 5], "b": [3]}, store=q)
    assert grid.merge(both, p, q) == 3
    content, seen = both.read_bytes(), []
    whole = {"a": [1, 2, 5], "b": [3]}
    assert grid.run(product, whole, store=both, progress=lambda *done: seen.append(done)).array("x").ravel().tolist() == [3, 6, 15]
    assert not seen
    assert grid.merge(both, p) == 3  # adds to what is there
    assert both.read_bytes() == content
    (tmp_path / "cat.jsonl").write_bytes(p.read_bytes() + q.read_bytes())
    assert len(grid.run(product, whole, store=tmp_path / "cat.jsonl", progress=lambda *done: seen.append(done)).results) == 3
    assert not seen


def test_stores_that_disagree_are_refused_with_the_point_and_nothing_is_written(tmp_path):
    p, q, both = (tmp_path / f"{name}.jsonl" for name in ("p", "q", "both"))
    grid.run(product, {"a": [1, 2], "b": [3]}, store=p)
    q.write_text(p.read_text().replace('{"x": 6.0}', '{"x": 7.0}'))
    with pytest.raises(ValueError, match=r"the point \(2, 3\) gave \{'x': 6.0\} and, in '.*q.jsonl', \{'x': 7.0\}"):
        grid.merge(both, p, q)
    q.write_text(p.read_text().replace("product", "other"))
    with pytest.raises(ValueError, match="holds .*other over a, b, not .*product over a, b"):
        grid.merge(both, p, q)
    q.write_text(p.read_text().replace(np.__version__, "1.0"))
    with pytest.raises(ValueError, match="numpy was 1.0, is"):
        grid.merge(both, p, q)
    with pytest.raises(FileNotFoundError):
        grid.merge(both, p, tmp_path / "none.jsonl")
    q.write_text("hello\n")
    with pytest.raises(ValueError, match="q.jsonl' is no store"):
        grid.merge(both, q)
    with pytest.raises(ValueError, match="holds something else"):
        grid.merge(both, p, q)
    assert not both.exists()


SCRIPT = """
from tinygrad_vg import grid
class Scale:
    def __init__(self, by):
        self.by = [by] * 20
SCALE = Scale(2)
def cell(a):
    return {"x": SCALE.by[0] * a}
if __name__ == "__main__":
    grid.run(cell, {"a": [2, 1]}, store="runs.jsonl")
"""


def test_a_script_and_those_who_import_it_share_a_store_and_changes_are_still_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    axes, study = {"a": [1, 2]}, module(tmp_path, SCRIPT, "study")
    for words in (["study.py"], ["-m", "study"]):
        subprocess.run([sys.executable, *words], check=True)
        assert json.loads((tmp_path / "runs.jsonl").read_text().splitlines()[0])["cell"] == "study.cell"
    content = (tmp_path / "runs.jsonl").read_text()
    assert grid.run(study.cell, axes, store="runs.jsonl").array("x").tolist() == [2, 4]
    assert (tmp_path / "runs.jsonl").read_text() == content
    (tmp_path / "old.jsonl").write_text(content.replace("study.", "__main__."))  # as it was written before
    assert grid.run(study.cell, axes, store="old.jsonl").array("x").tolist() == [2, 4]
    assert grid.merge("all.jsonl", "old.jsonl", "runs.jsonl") == grid.merge("all.jsonl", "runs.jsonl", "old.jsonl") == 2
    study = module(tmp_path, SCRIPT.replace("Scale(2)", "Scale(3)"), "study")
    for store in ("runs.jsonl", "old.jsonl", "all.jsonl"):
        with pytest.raises(ValueError, match=r"study.SCALE was code \w+, is code"):
            grid.run(study.cell, axes, store=store)


def spans(a, b):
    return {"x": np.arange(a), "a of b": a * len(b)}


def test_a_store_is_read_without_its_cell_and_left_alone(tmp_path):
    store = tmp_path / "runs.jsonl"
    grid.run(spans, {"a": [10, 9], "b": ["z", "y"]}, store=store)
    grid.run(spans, {"a": [2], "b": ["y"]}, store=store)
    store.write_text(store.read_text().replace("spans", "gone").replace(np.__version__, "1.0") + '{"point": [7,')
    content, found = store.read_bytes(), grid.load(str(store))
    assert store.read_bytes() == content
    assert found.axes == {"a": [2, 9, 10], "b": ["z", "y"]}
    assert repr(found) == "Grid(3 a × 2 b: 5 done, 0 failed, 1 missing)"
    assert np.array_equal(found.array("a of b"), [[np.nan, 2], [9, 9], [10, 10]], equal_nan=True)
    assert found.array("x").shape == (3, 2, 10) and [*found.results] == [key for key in found.keys if key != (2, "z")]
    assert str(found).splitlines()[1].split() == ["2", "z"]


@pytest.mark.parametrize("content, words", [
    ("", "is no store"), ("hello\n", "is no store"), ("[1, 2]\n", "is no store"), ('{"cell": "a.b"}\n', "is no store"),
    ('{"cell": "m.cell", "axes": ["a"]}\n{"point": [1, 2], "result": {"x": 1}}\n', "line 2 of .* is no finished cell"),
    ('{"cell": "m.cell", "axes": ["a"]}\n{"cell": "m.other", "axes": ["a"]}\n', "holds m.cell over a, not m.other over a"),
])  # fmt: skip
def test_what_is_no_store_is_not_read(tmp_path, content, words):
    (tmp_path / "runs.jsonl").write_text(content)
    with pytest.raises(ValueError, match=words):
        grid.load(tmp_path / "runs.jsonl")
    with pytest.raises(FileNotFoundError):
        grid.load(tmp_path / "none.jsonl")


SLOW = """
import os, time
def cell(a):
    with open("log", "a") as log:
        log.write(f"{a}\\n")
    time.sleep(0.01)
    return {"x": a / 3}
if __name__ == "__main__":
    from tinygrad_vg import grid
    import slow
    grid.run(slow.cell, {"a": range(40)}, store="runs.jsonl", batch=5)
"""


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Another process, at work on a store, and the cell."""
    pytest.importorskip("fcntl", reason="needs locks of the operating system")
    monkeypatch.chdir(tmp_path)
    cell = module(tmp_path, SLOW, "slow").cell
    with subprocess.Popen([sys.executable, "slow.py"]) as child:
        until(lambda: os.path.exists("log"))
        yield child, cell
        child.kill()


def until(true):
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("waited 20 s in vain")


def test_two_processes_on_one_store_do_nothing_twice(other):
    child, cell = other
    found = grid.run(cell, {"a": np.arange(40.0)}, store="runs.jsonl", batch=3)
    assert found.array("x").tolist() == [a / 3 for a in range(40)]
    assert child.wait(timeout=60) == 0
    with open("log") as log:
        assert sorted(map(float, log.read().split())) == list(range(40))


def test_what_a_killed_process_was_at_is_done_by_the_other(other):
    child, cell = other
    child.send_signal(signal.SIGSTOP)  # it holds what it has claimed, five points or fewer, and goes no further
    seen = []

    def kill():
        with open("runs.jsonl") as store:
            until(lambda: (store.seek(0), len(store.read().splitlines()) >= 36)[1])
        time.sleep(0.1)
        seen.append(len(found))
        child.kill()

    found = []
    (killer := threading.Thread(target=kill)).start()
    result = grid.run(cell, {"a": range(40)}, store="runs.jsonl", progress=lambda done, whole: found.append(done))
    killer.join()
    assert result.array("x").tolist() == [a / 3 for a in range(40)]
    assert found[-1] == 40 and seen[0] < len(found)  # it waited for the claimed points, and did them after the kill
    with open("log") as log:
        assert len(log.read().split()) <= 45  # no more than the one batch that the other was in is done again


WORKING = """
import os, time
def cell(a):
    open(f"pid {os.getpid()}", "w").close()
    time.sleep(60 if a else 0)
    return {}
if __name__ == "__main__":
    from tinygrad_vg import grid
    with grid.processes(2) as executor:
        grid.run(cell, {"a": range(3)}, executor=executor)
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    pytest.importorskip("fcntl", reason="asks the operating system, as on Unix, whether a process is there")
    (tmp_path / "working.py").write_text(WORKING)
    with subprocess.Popen([sys.executable, "working.py"], cwd=tmp_path) as child:
        until(lambda: len([*tmp_path.glob("pid *")]) == 2)
        child.kill()
    for worker in [int(path.name.split()[1]) for path in tmp_path.glob("pid *")]:
        until(lambda worker=worker: gone(worker))


def gone(process):
    """Whether no process of this number runs; one that has ended may still wait for whoever is to notice."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False).stdout
    return not state.strip("\n ") or state.startswith("Z")


def test_a_full_disk_is_an_error_that_names_the_store_and_the_run_goes_on_later(tmp_path):
    resource = pytest.importorskip("resource", reason="needs limits of the operating system")
    store, before = tmp_path / "runs.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    grid.run(product, {"a": [0], "b": [1]}, store=store)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.stat().st_size + 100, before[1]))
        with pytest.raises(OSError, match=r"a finished cell could not be kept: .*: '.*runs.jsonl'"):
            grid.run(product, {"a": range(9), "b": [1]}, store=store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not store.read_bytes().endswith(b"\n")
    assert grid.run(product, {"a": range(9), "b": [1]}, store=store).array("x").ravel().tolist() == list(range(9))
    assert len(store.read_text().splitlines()) == 10


def test_a_script_without_a_guard_is_told_so_in_one_error(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from tinygrad_vg import grid\nwith grid.processes(2) as executor:\n    grid.run(print, {'a': [1]}, executor=executor)\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: no worker could start") and '__name__ == "__main__"' in done.stderr
    assert "bootstrapping" not in done.stderr and done.stderr.count("Traceback") == 1
