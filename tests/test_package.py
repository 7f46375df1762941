"""The package as others get it: one version, no file forgotten, and a wheel that works where nothing else is installed."""

import ast
import configparser
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest

import tinygrad_vg

ROOT = pathlib.Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
VERSIONS = re.compile(r'python -c "(import sys[^"]*)"')  # the line that prints what a report needs
CACHES = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "tinygrad_vg_out")

here_only = pytest.mark.skipif(not WORKFLOW.exists(), reason="a source distribution has no .github")


def text(path):
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text(ROOT / "setup.cfg"))
    return parser


def pythons(setup):
    """The versions of Python that the classifiers name, oldest first."""
    return re.findall(r"Python :: (3\.\d+)$", setup["metadata"]["classifiers"], re.M)


# ---------------------------------------------------------------- one version


def test_the_version_is_written_in_one_place_and_the_citation_agrees(setup):
    assert setup["metadata"]["version"] == "attr: tinygrad_vg.__version__"
    assert re.findall(r"^version: (.+)$", text(ROOT / "CITATION.cff"), re.M) == [tinygrad_vg.__version__]
    assert "version" not in text(ROOT / "pyproject.toml").replace("target-version", "")


def test_what_is_installed_has_that_version():
    try:
        assert importlib.metadata.version("tinygrad_vg") == tinygrad_vg.__version__
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a folder that was never installed")


def test_the_version_can_be_read_without_importing():
    """setuptools reads it so; else a build would need NumPy."""
    values = [node.value for node in ast.parse(text(ROOT / "tinygrad_vg" / "__init__.py")).body
              if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"]  # fmt: skip
    assert [ast.literal_eval(value) for value in values] == [tinygrad_vg.__version__]


def test_the_changelog_opens_with_this_version():
    assert re.findall(r"^## (\S+)", text(ROOT / "CHANGELOG.md"), re.M)[0] == tinygrad_vg.__version__


def test_license_and_authors_are_the_same_everywhere(setup):
    citation = text(ROOT / "CITATION.cff")
    assert setup["metadata"]["license_expression"] == "MIT" == re.search(r"^license: (.+)$", citation, re.M)[1]
    assert text(ROOT / "LICENSE").startswith("MIT License")
    assert setup["metadata"]["author"] in citation
    assert setup["metadata"]["author"] in text(ROOT / "LICENSE")


# ---------------------------------------------------------------- which Pythons, which files


def test_the_oldest_python_is_the_same_everywhere(setup):
    oldest = setup["options"]["python_requires"].removeprefix(">=")
    assert pythons(setup)[0] == oldest
    assert f'target-version = "py{oldest.replace(".", "")}"' in text(ROOT / "pyproject.toml")
    assert setup["mypy"].get("python_version", oldest) == oldest


@here_only
def test_the_workflow_runs_on_every_python_of_the_classifiers(setup):
    (row,) = re.findall(r"^ +python: \[(.+)\]$", text(WORKFLOW), re.M)
    assert re.findall(r'"([\d.]+)"', row) == pythons(setup)
    assert set(re.findall(r'python-version: "([\d.]+)"', text(WORKFLOW))) <= set(pythons(setup))


@here_only
def test_the_workflow_installs_extras_that_exist(setup):
    named = re.findall(r'-e "\.\[([\w,]+)\]"', text(WORKFLOW) + text(ROOT / "CONTRIBUTING.md"))
    assert len(named) >= 3
    assert {extra for names in named for extra in names.split(",")} <= set(setup["options.extras_require"])


def test_every_file_of_the_manifest_is_there():
    for line in text(ROOT / "MANIFEST.in").splitlines():
        command, *names = line.split()
        there = {"graft": pathlib.Path.is_dir, "include": pathlib.Path.is_file}.get(command, lambda path: True)
        assert [name for name in names if not there(ROOT / name)] == []


def test_every_file_of_the_package_that_is_no_module_is_package_data(setup):
    patterns = setup["options.package_data"]["tinygrad_vg"].split(", ")
    assets = [path.relative_to(ROOT / "tinygrad_vg") for path in (ROOT / "tinygrad_vg").rglob("*.*")
              if path.is_file() and path.suffix not in (".py", ".pyc")]  # fmt: skip
    assert len(assets) >= 6
    assert [path for path in assets if not any(path.match(pattern) for pattern in patterns)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_resolves(page):
    targets = (target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text(page)) if "://" not in target)
    assert [target for target in targets if target and not (ROOT / target).exists()] == []


def test_what_contributing_names_is_there():
    words = text(ROOT / "CONTRIBUTING.md")
    assert words.count("\n") <= 40
    rooms = re.findall(r"`(?:tinygrad_vg/)?(\w+/)`", words)
    assert len(rooms) >= 7
    assert [room for room in rooms if not (ROOT / "tinygrad_vg" / room).is_dir()] == []
    files = re.findall(r"(?:tests|tinygrad_vg)/[\w/]+\.py", words)
    assert [name for name in files if not (ROOT / name).is_file()] == []
    engine = re.findall(r"`(\w+\.py)`", words)
    assert [name for name in engine if not list(ROOT.glob(f"t*/autodiff/{name}"))] == []


def test_the_line_that_prints_versions_prints_them():
    lines = {line for path in (*FORMS, ROOT / "CONTRIBUTING.md") for line in VERSIONS.findall(text(path))}
    assert lines
    for line in lines:
        done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert tinygrad_vg.__version__ in done.stdout
        assert sys.version.split()[0] in done.stdout


# ---------------------------------------------------------------- built, opened, installed


def run(*command, **options):
    """A command that has ended; nothing of this folder was on its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    environment |= {"PYTHONUTF8": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **options.pop("env", {})}
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600, env=environment, **options)


def ran(*command, **options):
    """The output of a command that succeeds."""
    done = run(*command, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment_with(folder, *requirements):
    """The Python of a fresh virtual environment in which these are installed; where they cannot be had, the test is skipped."""
    ran(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = run(python, "-m", "pip", "install", "-q", "--retries", "1", *requirements)
    if done.returncode:
        pytest.skip((done.stderr.strip().splitlines() or ["pip cannot install " + " ".join(requirements)])[-1])
    return python


def setuptools_here():
    """The major version of setuptools in this environment; 0 if there is none."""
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


@pytest.fixture(scope="module")
def built(tmp_path_factory, setup):
    """The wheel and the source distribution of a copy of this folder, and the Python that built them."""
    place = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, place / "source", ignore=CACHES)
    python = sys.executable if setuptools_here() >= 77 else environment_with(place / "workshop", "setuptools>=77")
    for kind in ("sdist", "wheel"):
        ran(python, "-c", f"from setuptools import build_meta; build_meta.build_{kind}({str(place)!r})", cwd=place / "source")
        shutil.rmtree(place / "source" / "build", ignore_errors=True)
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    return wheel, sdist, python


def names_in(archive):
    """The files of a wheel, or of a source distribution without the folder all are in."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        return {member.name.partition("/")[2] for member in sdist if member.isfile()}


def sources(*folders):
    """What a checkout has in these folders, caches left out."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    }


@pytest.mark.slow
def test_the_wheel_is_the_package_and_nothing_else(built):
    wheel, _, _ = built
    names = {name for name in names_in(wheel) if not name.startswith(f"tinygrad_vg-{tinygrad_vg.__version__}.dist-info/")}
    assert names == sources("tinygrad_vg")
    assert {f"tinygrad_vg/{name}" for name in ("py.typed", "drawing/page.html", "drawing/page.css", "drawing/page.js", "claims/page.html")} <= names
    assert wheel.name == f"tinygrad_vg-{tinygrad_vg.__version__}-py3-none-any.whl"


@pytest.mark.slow
def test_installed_in_place_it_is_found_from_beside_the_folder_too(built, tmp_path):
    """The folder bears the package's name: setuptools' finder would be asked too late, but a folder in a .pth is not. This takes package_dir."""
    python, folder = built[2], tmp_path / "tinygrad_vg"
    shutil.copytree(ROOT, folder, ignore=CACHES)
    ran(python, "-c", f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})", cwd=folder)
    with zipfile.ZipFile(*tmp_path.glob("*.whl")) as wheel:
        (path,) = (wheel.read(name).decode().strip() for name in wheel.namelist() if name.endswith(".pth"))
    assert path == str(folder)
    assert "2.0" in ran(sys.executable, "-c", f"import sys; sys.path.append({path!r}); import tinygrad_vg; print(tinygrad_vg.Scalar(2.0))", cwd=tmp_path)


@pytest.mark.slow
def test_the_source_distribution_is_all_one_needs_to_work_on_it(built):
    _, sdist, _ = built
    names = names_in(sdist)
    pages = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.cfg"}
    assert pages | sources("tinygrad_vg", "tests", "demos", "docs", "benchmarks") <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".")]


@pytest.mark.slow
def test_the_source_distribution_builds_the_same_wheel(built, tmp_path):
    wheel, sdist, python = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (unpacked,) = tmp_path.iterdir()
    ran(python, "-c", f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})", cwd=unpacked)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / wheel.name) as other:
        assert {name: one.read(name) for name in one.namelist()} == {name: other.read(name) for name in other.namelist()}


@pytest.fixture(scope="module")
def installed(built, setup, tmp_path_factory):
    """The Python of an environment in which the wheel is installed with what it requires, and nothing else."""
    wheel, _, _ = built
    python = environment_with(tmp_path_factory.mktemp("installed"), *setup["options"]["install_requires"].split())
    ran(python, "-m", "pip", "install", "-q", "--no-index", wheel)
    ran(python, "-m", "pip", "check")
    return python


@pytest.mark.slow
def test_the_wheel_does_the_main_job_in_an_empty_folder(installed, tmp_path):
    assert "multiplied by" in ran(installed, "-W", "error", "-m", "tinygrad_vg", cwd=tmp_path)
    assert {path.name for path in (tmp_path / "tinygrad_vg_out").iterdir()} == {"rnn.svg", "rnn.html"}
    assert ran(installed, "-c", "import tinygrad_vg; print(tinygrad_vg.__file__)", cwd=tmp_path).startswith(str(installed.parent.parent))


@pytest.mark.slow
def test_the_command_and_a_demo_run_from_the_wheel(installed, tmp_path):
    assert "--activation" in ran(installed.with_name(f"tinygrad-vg{installed.suffix}"), "--help", cwd=tmp_path)
    assert "multiplied by" in ran(installed, "-W", "error", ROOT / "demos" / "01_a_neuron.py", cwd=tmp_path)


WITHOUT = {
    "draw": "vg.draw(vg.Scalar(1.0).tanh()).save('x.png')",
    "plot": "y = vg.Scalar(1.0, name='x').tanh(); vg.drawing.plot(vg.Chain(y, vg.history(y)[0]))",
    "weights": "vg.nn.save_weights(vg.nn.Linear(2, 1, rng=0), 'x.safetensors')",
    "data": "vg.training.digits()",
    "cluster": "import tinygrad_vg.grid as grid; grid.cluster('local').__enter__()",
}


@pytest.mark.slow
@pytest.mark.parametrize("extra", WITHOUT)
def test_an_extra_that_is_missing_says_how_to_install_it(installed, extra, tmp_path, setup):
    assert extra in setup["options.extras_require"]
    code = f"import tinygrad_vg as vg\ntry: {WITHOUT[extra]}\nexcept (ImportError, RuntimeError) as error: print(error)"
    assert f"pip install -e .[{extra}]" in ran(installed, "-c", code, cwd=tmp_path, env={"PATH": str(tmp_path)}).replace('"', "")


def test_the_dependency_group_of_the_tests_is_the_extra(setup):
    groups = tomllib.loads(text(ROOT / "pyproject.toml"))["dependency-groups"]
    assert groups["test"] == setup["options.extras_require"]["test"].split()
