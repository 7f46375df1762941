"""The book as a site: every page has its place, Sphinx takes a broken link for an error, and each session runs in the lab."""

import functools
import http.server
import importlib.util
import pathlib
import re
import runpy
import subprocess
import sys
import threading

import pytest

from tinygrad_vg.cli import lab

ROOT = pathlib.Path(__file__).parent.parent
MAKE = ROOT / "docs" / "make_site.py"


def test_every_page_has_its_place_in_the_contents_once():
    places = "".join(runpy.run_path(str(MAKE))["contents"]()).split()
    pages = [place for place in places if place.endswith(".md")]
    assert sorted(pages) == sorted({*pages}) and {page.name for page in (ROOT / "docs").glob("*.md")} < {*pages}


@pytest.mark.parametrize(("script", "given", "words"), [
    ("make_site.py", ["file"], "the site is a folder; file is a file"),
    ("make_notebook.py", ["none.md", "a.ipynb"], "No such file"),
    ("make_notebook.py", ["file", "a.md"], "what to save: .ipynb"),
    ("make_notebook.py", ["file", "none/a.ipynb"], "there is no folder"),
])  # fmt: skip
def test_what_cannot_be_made_is_said_in_a_line_and_nothing_is_written(script, given, words, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, *given])
    with pytest.raises(SystemExit):
        runpy.run_path(str(MAKE.with_name(script)))["main"]()
    assert words in capsys.readouterr().err and [place.name for place in tmp_path.iterdir()] == ["file"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, with a lab, without measured claims."""
    if not all(importlib.util.find_spec(name) for name in ("sphinx", "furo", "myst_parser", "latex2mathml")):
        pytest.skip("the extra `site` is not installed")
    try:
        lab.materials(lab.CACHE)
    except OSError as error:
        pytest.skip(f"needs Pyodide and its NumPy: {error}")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, MAKE, folder, "--without-claims"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_formulas_need_no_script_and_no_page_asks_for_another_place(site):
    page = (site / "chain_rule.html").read_text(encoding="utf-8")
    assert "<math" in page and "MathJax" not in page and (site / "searchindex.js").exists()
    for page in site.glob("*.html"):
        assert not re.search(r'<(script|img|link|iframe)[^>]*(src|href)="http', page.read_text(encoding="utf-8")), page


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_session_of_a_page_runs_in_the_lab_and_the_pages_are_accessible(site, browser, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home, asked = f"http://127.0.0.1:{server.server_port}/", []
        context = browser.new_context(color_scheme=scheme)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        for name in ("index.html", "chain_rule.html", "exercises.html"):
            page.goto(home + name)
            found = axe.run(page).response["violations"]
            assert [(one["id"], [node["html"][:160] for node in one["nodes"]][:3]) for one in found] == []
        page.goto(home + "chain_rule.html")
        with context.expect_page() as opened:
            page.locator("a.run").first.click()
        there = opened.value
        there.locator("#state", has_text="ready").wait_for(timeout=120_000)
        assert there.text_content("#output") == ""  # it waits for Run
        there.click("#run")
        there.locator("#state", has_text="done").wait_for(timeout=60_000)
        assert "2 paths from x to L, all active" in there.text_content("#output")
        assert {url.split(":")[0] for url in asked if not url.startswith(home)} <= {"blob", "data"}
        context.close()
        server.shutdown()
