"""The lab: nothing unchecked gets into its page, a program's lines are found, and in a browser it does what Python does here."""

import hashlib
import inspect
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tinygrad_vg.cli import lab, lab_run
from tinygrad_vg.cli.main import main
from tinygrad_vg.exercises import EXERCISES

WHEEL = b"a wheel"
CHOICES = lab.examples() + lab.exercises()
HERE = pathlib.Path(__file__).parent.parent / "demos"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A small archive in place of Pyodide's, with a lock file that knows WHEEL; the function that gives the wheel can be replaced."""
    lock = {"info": {"version": "1", "python": "3"}, "packages": {
        "numpy": {"file_name": "numpy-2.whl", "version": "2", "sha256": hashlib.sha256(WHEEL).hexdigest()}, "other": {}}}
    with tarfile.open(tmp_path / "py.tgz", "w:gz") as tar:
        for name in (lab.LOCK, *lab.ENGINE):
            content = json.dumps(lock).encode() if name == lab.LOCK else name.encode()
            (entry := tarfile.TarInfo(f"package/{name}")).size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    monkeypatch.setattr(lab, "PYODIDE", (tmp_path / "py.tgz").as_uri())
    monkeypatch.setattr(lab, "SHA256", hashlib.sha256((tmp_path / "py.tgz").read_bytes()).hexdigest())
    monkeypatch.setattr(lab, "downloaded", lambda name: WHEEL)
    return tmp_path


@pytest.fixture
def write(registry, capsys):
    """What the command does: its code, and what it says."""

    def written(name, *arguments):
        code = main(["lab", str(registry / name), "--cache", str(registry / "cache"), *map(str, arguments)])
        return code, "".join(capsys.readouterr())

    return written


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Run a program as the lab does: what it says of it, and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(text, number=0):
        found = json.loads(lab_run.graded(number, text) if number else lab_run.run(text))
        return found, capsys.readouterr()

    return run


# ---------------------------------------------------------------- what it is made of


def test_the_page_holds_every_file_and_the_folder_has_them_beside_it(write, registry):
    assert write("lab.html")[0] == write("site")[0] == 0
    page, beside = (registry / "lab.html").read_text(encoding="utf-8"), (registry / "site" / "index.html").read_text(encoding="utf-8")
    names = {*lab.ENGINE, lab.LOCK, "numpy-2.whl", "tinygrad_vg.zip"}
    assert {*re.findall(r'id="([^"]+\.[^"]+)"', page)} == names == {p.name for p in (registry / "site").iterdir()} - {"index.html"}
    assert len(beside) < len(page)
    for text, connect in ((page, False), (beside, True)):
        policy = re.search(r'Policy" content="(.*?)"', text)[1]
        assert ("connect-src 'self'" in policy) is connect
        assert "unsafe-inline" not in policy and "'unsafe-eval'" not in policy and "http" not in policy
    assert json.loads((registry / "site" / lab.LOCK).read_text())["packages"].keys() == {"numpy"}


def test_what_was_downloaded_once_is_not_asked_for_again(write, registry, monkeypatch):
    assert write("lab.html")[0] == 0
    monkeypatch.setattr(lab, "PYODIDE", "file:///nowhere/py.tgz")
    monkeypatch.setattr(lab, "downloaded", None)
    assert write("again.html")[0] == 0
    assert (registry / "again.html").read_bytes() == (registry / "lab.html").read_bytes()


def test_another_sha256_than_the_known_one_is_refused(write, registry, monkeypatch):
    monkeypatch.setattr(lab, "downloaded", lambda name: b"another wheel")
    code, said = write("lab.html")
    assert code == 1 and "numpy-2.whl has sha256" in said and hashlib.sha256(WHEEL).hexdigest() in said
    (registry / "other.whl").write_bytes(b"a third")
    assert "other.whl has sha256" in write("lab.html", "--numpy", registry / "other.whl")[1]
    (registry / "cache" / "py.tgz").write_bytes(b"damaged")
    assert "py.tgz has sha256" in write("lab.html")[1]
    assert not (registry / "lab.html").exists()


def test_the_wheel_may_stand_inside_another(write, registry, monkeypatch):
    monkeypatch.setattr(lab, "downloaded", None)
    with zipfile.ZipFile(registry / "carrier.whl", "w") as carrier:
        carrier.writestr("some/folder/numpy-2.whl", WHEEL)
    assert write("lab.html", "--numpy", registry / "carrier.whl")[0] == 0


def test_where_it_cannot_be_had_it_is_said_what_to_do(write, monkeypatch):
    def unreachable(name):
        raise OSError("no network")

    monkeypatch.setattr(lab, "downloaded", unreachable)
    code, said = write("lab.html")
    assert code == 1 and "numpy-2.whl cannot be had (no network); get numpy-2.whl" in said and "--numpy FILE" in said
    monkeypatch.setattr(lab, "PYODIDE", "file:///nowhere/py.tgz")
    assert "py.tgz cannot be had" in write("lab.html", "--cache", "empty")[1]


def test_the_package_is_whole_and_packed_to_the_same_bytes():
    packed = lab.package()
    assert packed == lab.package()
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert {"tinygrad_vg/cli/lab_run.py", "tinygrad_vg/drawing/page.html", "tinygrad_vg/claims/claims.toml"} <= {*names}
    assert not any("__pycache__" in name for name in names)


# ---------------------------------------------------------------- what happens when a program is run


def test_the_readme_is_run_to_the_digits_that_it_shows(ran):
    found, printed = ran(CHOICES[0]["text"])
    assert printed.out.startswith("0.41997434161402647\nlink ") and "0.42" in found["page"]
    found, printed = ran(CHOICES[1]["text"])
    assert printed.out.startswith("Drawing(Of the gradient at h₅, only 5.2 × 10⁻⁴ arrives at h₀.")
    assert found["line"] == 0 and found["page"].startswith("<!doctype html>")
    assert ran("Some words.\n\n>>> for k in 1, 2:\n...     k + 1\n2\n3\n>>> 1 / 0\n")[1].out == "2\n3\n"


def test_an_exception_is_printed_from_the_program_on_and_its_line_is_known(ran):
    found, printed = ran("import tinygrad_vg as vg\nx = vg.Tensor([1.0, 2.0])\nprint('so far')\nx.backward()\n")
    assert found == {"line": 4, "page": "", "note": ""} and printed.out == "so far\n"
    assert printed.err.startswith('Traceback (most recent call last):\n  File "program.py", line 4, in <module>\n    x.backward()\n')
    assert "lab_run" not in printed.err and "pass a seed" in printed.err
    found, printed = ran("1 +\n")
    assert found["line"] == 1 and "SyntaxError" in printed.err
    assert ran("raise SystemExit(3)")[0]["line"] == 0


def test_of_several_pictures_the_last_one_drawn_is_shown(ran):
    text = "from tinygrad_vg import Scalar, Chain, draw\nx = Scalar(2.0, name='x')\ny = (x * x * 3).named('y')\n"
    assert "river-view" not in ran(text)[0]["page"]
    assert "river-view" in ran(text + "c = Chain(y, x)\nprint(c)")[0]["page"]
    assert "river-view" in ran(text + "exec('Chain(y, x)', {'Chain': Chain, 'x': x, 'y': y})")[0]["page"]  # in a module without a name
    drawn = ran(text + "draw(y)\nChain(y, x)\n")[0]["page"]
    assert drawn and "river-view" not in drawn
    assert "There is no picture: " in ran(text + "for _ in range(5000): y = y * 1.1\nChain(y, x)")[0]["note"]


def test_what_an_exercise_asks_stands_beside_it_and_not_in_what_is_typed_over():
    for one in (choice for choice in CHOICES if "number" in choice):
        assert one["question"] == inspect.getdoc(EXERCISES[one["number"]].answer) and one["question"] not in one["text"]
        assert re.search(r"\n?(def|class) .*:\n    \.\.\.\n$", one["text"]) and max(map(len, one["text"].splitlines())) < 60  # as wide as the editor


def test_an_exercise_is_graded_and_its_line_is_known(ran):
    assert ran(EXERCISES[13].solution, 13)[0] == {"passed": True, "line": 0}
    found, printed = ran("def tanh_slope(y):\n    return 1 - y\n", 1)
    assert found == {"passed": False, "line": 2} and "wanted" in printed.out
    assert ran("\nx = (", 1)[0] == {"passed": False, "line": 2}
    for choice in CHOICES:
        if "number" in choice:
            assert not ran(choice["text"], choice["number"])[0]["passed"]


def test_without_processes_the_package_is_imported_and_a_grid_is_run():
    code = (
        "import sys; sys.modules['_multiprocessing'] = None; import tinygrad_vg as vg, tinygrad_vg.cli.main; from tinygrad_vg.grid import run\n"
        "print(run(lambda a: {'b': 2 * a}, {'a': [1, 2]}).results)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "{(1,): {'b': 2.0}, (2,): {'b': 4.0}}\n", done.stderr
