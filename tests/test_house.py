"""The house is in order: linted, typed, layered, small, quick to enter."""

import ast
import importlib.util
import pathlib
import subprocess
import sys

import guard
import pytest

import tinygrad_vg

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted((ROOT / "tinygrad_vg").rglob("*.py"))


def run(*command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["tinygrad_vg", "tests"])
def test_ruff_is_content(folder):
    run("ruff", "check", folder)


def test_mypy_is_content():
    run("mypy")


def test_every_module_imports_only_from_rooms_below_it():
    run("importlinter.cli", "lint-imports") if importlib.util.find_spec("importlinter.__main__") else lint_imports()


def lint_imports():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_loads_numpy_and_nothing_else_from_outside():
    code = (
        "import sys, numpy; before = set(sys.modules); import tinygrad_vg; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - set(sys.stdlib_module_names) - {'tinygrad_vg'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "", done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small_and_say_what_they_are_for(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 300
    assert ast.get_docstring(tree), "a module opens with the question it answers"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            body = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
            assert body <= 30, f"{node.name} has {body} lines"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and path.parent.name != "drawing":
            assert ast.get_docstring(node) or len(ast.unparse(node).splitlines()) <= 12, f"{node.name} has no docstring"


def public(body):
    """The functions and classes without a leading underscore, and the methods of such classes; nothing inside a function."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            yield from public(node.body) if isinstance(node, ast.ClassDef) else ()


def test_at_least_95_percent_of_the_public_names_have_a_docstring():
    found = [(f"{path.relative_to(ROOT)}: {node.name}", ast.get_docstring(node)) for path in SOURCES
             for node in public(ast.parse(path.read_text(encoding="utf-8")).body)]
    bare = [name for name, text in found if not text]
    assert len(found) > 1000 and len(bare) <= 0.05 * len(found), "\n".join([f"{len(bare)} of {len(found)} have no docstring:", *bare])


PUBLIC = """
    Scalar Tensor scalars grad jvp jacobian hessian hvp gradcheck no_grad detect_anomaly history Chain reach draw drawing nn theory
    training claims grid matmul linear einsum sum mean var max min prod logsumexp softmax log_softmax reshape transpose swapaxes
    expand_dims squeeze broadcast_to concatenate stack split take diagonal abs exp log log1p expm1 sqrt square sin cos tanh sigmoid
    relu leaky_relu softplus elu gelu maximum minimum clip where sign
""".split()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_explains_itself(name):
    public = getattr(tinygrad_vg, name)
    assert public.__doc__
    assert len(public.__doc__) > 20


def test_every_op_is_a_public_name():
    code = "import tinygrad_vg as vg; print(len(vg.OPS), [name for name in vg.OPS if not callable(getattr(vg, name, None))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)  # no other test's ops
    number, missing = done.stdout.split(maxsplit=1)
    assert int(number) > 50 and missing.strip() == "[]", done


def test_a_test_that_is_hidden_or_not_collected_fails_the_run(tmp_path):
    hidden = "def test_a():\n    pass\n\n\ndef test_a():\n    pass\n\n\nclass TestB:\n    def test_c(self):\n        pass\n"
    (tmp_path / "test_x.py").write_text(hidden, encoding="utf-8")
    wrong = guard.missing(tmp_path / "test_x.py", {"test_a"})
    assert wrong == ["test_x.py: test_a is there twice; the later hides the earlier", "test_x.py: test_c was not collected"]


def run_of(folder, processes, **files):
    """A test run, by so many processes, of a folder with these test files and with what watches over our own."""
    for name in ("conftest.py", "guard.py", "pages.py", "tally.py"):
        (folder / name).write_text((ROOT / "tests" / name).read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", processes, "."], cwd=folder, capture_output=True, text=True, timeout=120)


in_one_process_or_two = pytest.mark.parametrize("processes", ["0", "2"])


@in_one_process_or_two
def test_a_run_stops_if_a_test_is_hidden(tmp_path, processes):
    done = run_of(tmp_path, processes, x="def test_a():\n    pass\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    pass\n")
    assert done.returncode not in (0, 5), done.stdout
    assert "test_x.py: test_a is there twice; the later hides the earlier" in done.stdout


@in_one_process_or_two
def test_a_skip_without_a_reason_fails_the_run_and_a_run_says_how_much_was_tried(tmp_path, processes):
    tries = "import pytest, tally\n\n\n@pytest.mark.parametrize('n', range(20))\ndef test_x(n):\n    tally.count('times', n)\n"
    skips = "import pytest\n\n\n@pytest.mark.skip\ndef test_y():\n    pass\n\n\ndef test_z():\n    pytest.skip('why')\n"
    done = run_of(tmp_path, processes, x=tries, y=skips, whole="import pytest\npytest.skip(allow_module_level=True)\n")
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("skipped without a reason") == 2
    assert "test_y was skipped without a reason" in done.stdout and "test_whole.py was skipped without a reason" in done.stdout
    assert "tried: 190 times" in done.stdout and "20 passed, 3 skipped" in done.stdout


def test_every_file_with_tests_has_a_name_under_which_it_is_collected():
    for path in (ROOT / "tests").rglob("*.py"):
        assert path.name.startswith("test_") or not guard.written(ast.parse(path.read_text(encoding="utf-8"))), path
