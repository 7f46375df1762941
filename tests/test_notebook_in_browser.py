"""Is the whole picture in its cell, and every column of a table straight?  In JupyterLab, trusted and not, and as nbconvert exports it."""

import importlib.util
import json
import os
import pathlib
import re
import runpy
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

DOCS = pathlib.Path(__file__).parent.parent / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = ("playwright", "nbformat", "nbclient", "ipykernel", "matplotlib")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}: the extras `browser`, `notebook`, `plot`"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on PATH"),
    pytest.mark.filterwarnings("ignore"),  # Jupyter's own
]
SETUP = """
import numpy as np
from tinygrad_vg import Chain, Scalar, draw, nn, reach, uses, verdict
cell, readout = nn.RNNCell(3, 4, "sigmoid", rng=0), nn.Linear(4, 3, rng=1, name="out")
states = nn.unroll(cell, np.eye(3)[np.arange(12) % 3])
losses = [nn.cross_entropy(readout(state), 2) for state in states[1:]]
chain = Chain(losses[-1], states[0], through=states)
x = Scalar(0.5, name="$x$")
"""
PICTURES = ["draw(chain, read='abcabcabcabc')", "draw(losses[3], fold='layer')", "draw((x * x).named('$y$'))"]
TABLES = [
    "chain", "chain.blame()", "chain.spectrum()", "verdict(losses[-1], states[0])", "reach(losses, states)", "uses(losses[-1], cell.W_hh)"]
LAB_STARTS, LAB_SHOWS = 60, 30_000  # seconds, milliseconds
PLACED = """() => [...document.querySelectorAll('.jp-OutputArea-output')].map(cell => {
    const out = cell.getBoundingClientRect(), seen = [...cell.querySelectorAll('svg, img')].filter(one => one.checkVisibility())
    const wide = one => !one.closest('svg') && one.clientWidth && one.scrollWidth > one.clientWidth + 1
    const room = box => [box.left - out.left, box.top - out.top, out.right - box.right, out.bottom - box.bottom, box.width, box.height]
    return {kinds: seen.map(one => one.tagName == 'IMG' ? one.src.slice(0, 15) : one.tagName), text: cell.innerText,
        scrolls: [cell, ...cell.querySelectorAll('*')].some(wide), boxes: seen.map(one => room(one.getBoundingClientRect())),
        complete: seen.every(one => one.tagName != 'IMG' || one.naturalWidth > 0), math: !!cell.querySelector('mjx-container')}
})"""
LETTERS = """() => [...document.querySelectorAll('.jp-OutputArea-output pre')].map(pre => {
    const words = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT), range = document.createRange(), lines = [[]]
    for (let node; node = words.nextNode();) [...node.data].forEach((letter, k) => {
        if (letter == '\\n') return lines.push([])
        range.setStart(node, k), range.setEnd(node, k + 1)
        const box = range.getBoundingClientRect()
        lines.at(-1).push([letter, box.left, box.top])
    })
    return lines
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one notebook twice, run, and different in a word: Jupyter trusts what is in a notebook, not its name."""
    import nbclient
    import nbformat

    place = tmp_path_factory.mktemp("notebooks")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (SETUP, *PICTURES, *TABLES)])
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(place)}}).execute()
    for name in ("trusted", "untrusted"):
        book.cells[0].source = f"{SETUP}# {name}"
        nbformat.write(book, place / f"{name}.ipynb")
    return place


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def lab(folder):
    """The address of a JupyterLab that serves the folder, has settings of its own, and trusts one of the two."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("needs jupyterlab: the extra `notebook`")
    places = ("_CONFIG_DIR", "_DATA_DIR", "_RUNTIME_DIR", "LAB_SETTINGS_DIR", "LAB_WORKSPACES_DIR")
    own = {f"JUPYTER{name}": str(folder / f"own{name}") for name in places}
    run = {"env": os.environ | own | {"IPYTHONDIR": str(folder / "own")}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-m", "jupyter", "trust", str(folder / "trusted.ipynb")], check=True, timeout=60, **run)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=secret", "--ServerApp.port_retries=0"]
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *options], **run)
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token=secret", server)
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}.ipynb?token=secret&reset"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address, server):
    end = time.monotonic() + LAB_STARTS
    while server.poll() is None and time.monotonic() < end:
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start within {LAB_STARTS} s")


def opened(browser, lab, name):
    """The notebook in a page that is high enough for all of it."""
    page = browser.new_page(viewport={"width": 1280, "height": 6000})
    page.goto(lab.format(name))
    page.wait_for_function(f"document.querySelectorAll('.jp-OutputArea-output').length == {len(PICTURES + TABLES)}", timeout=LAB_SHOWS)
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output img')].every(one => one.complete)")
    return page


def check_whole(cells, kind):
    """One picture of that kind in each of the first cells, all of it inside, and as wide as the cell or as it is by nature."""
    for code, cell in zip(PICTURES, cells):
        assert [found[: len(kind)] for found in cell["kinds"]] == [kind] and cell["complete"], code
        left, top, right, bottom, wide, high = cell["boxes"][0]
        assert min(left, top, right, bottom) >= -0.5 and not cell["scrolls"], (code, cell)
        assert wide > 200 and high > 20, (code, cell)


def check_straight(tables):
    """Every letter of a table stands where its column is, and those of a line on one line."""
    assert len(tables) == len(TABLES)
    for code, lines in zip(TABLES, tables):
        start, end = lines[0][0], max((line[-1] for line in lines), key=lambda letter: letter[1])
        column = (end[1] - start[1]) / (max(map(len, lines)) - 1)
        assert column > 5, code
        for line in lines:
            words = "".join(letter for letter, _, _ in line)
            assert all(abs(x - start[1] - k * column) < 1 for k, (_, x, _) in enumerate(line)), (code, words)
            tops = [top for letter, _, top in line if letter.isascii()] or [0]
            assert max(tops) - min(tops) < 1, (code, words)


@pytest.mark.slow
@pytest.mark.parametrize("name, kind", [("trusted", "svg"), ("untrusted", "data:image/png;")])
def test_in_jupyterlab_a_picture_is_whole_in_its_cell_and_tables_are_straight(lab, browser, name, kind):
    page = opened(browser, lab, name)
    cells = page.evaluate(PLACED)
    check_whole(cells, kind)
    assert not any(cell["math"] for cell in cells), "a name between dollars was taken for a formula"
    if name == "untrusted":
        assert not any(cell["text"].strip() for cell in cells[: len(PICTURES)]), "the words of the picture are left over"
    check_straight(page.evaluate(LETTERS))
    page.close()


@pytest.mark.slow
def test_the_pictures_of_a_page_are_in_its_notebook(lab, folder, browser):
    made = runpy.run_path(str(DOCS / "make_notebook.py"))["notebook"]((DOCS / "teaching.md").read_text(encoding="utf-8"))
    (folder / "lesson.ipynb").write_text(json.dumps(made), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 6000})
    page.goto(lab.format("lesson"))
    page.wait_for_function("document.querySelector('.jp-RenderedMarkdown img')?.naturalWidth > 1000", timeout=LAB_SHOWS)
    page.close()


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_as_html_a_picture_is_whole_and_tables_are_straight(folder, browser, theme):
    if importlib.util.find_spec("nbconvert") is None:
        pytest.skip("needs nbconvert: the extra `notebook`")
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter(theme=theme).from_filename(str(folder / "trusted.ipynb"))
    (folder / f"{theme}.html").write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1100, "height": 800}, offline=True)
    page.goto((folder / f"{theme}.html").as_uri())
    check_whole(page.evaluate(PLACED), "svg")
    check_straight(page.evaluate(LETTERS))
    look = "(where, what) => getComputedStyle(document.querySelector(where))[what]"
    ground = page.evaluate(f"({look})('.jp-OutputArea-output svg > rect', 'fill')")
    ink = page.evaluate(f"({look})('.jp-OutputArea-output pre', 'color')")
    assert [red(ground) > 128, red(ink) > 128] == [theme == "light", theme == "dark"]
    page.close()


def red(colour):
    """How much of it there is in rgb(…) or rgba(…)."""
    return int(re.findall(r"\d+", colour)[0])
