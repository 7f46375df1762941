"""The book as a site: every page has its place, and Sphinx takes a broken link for an error."""

import importlib.util
import pathlib
import runpy
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
MAKE = ROOT / "docs" / "make_site.py"


def test_every_page_has_its_place_in_the_contents_once():
    places = "".join(runpy.run_path(MAKE)["contents"]()).split()
    pages = [place for place in places if place.endswith(".md")]
    assert sorted(pages) == sorted({*pages}) and {page.name for page in (ROOT / "docs").glob("*.md")} < {*pages}


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_its_formulas_need_no_script(tmp_path):
    if not all(importlib.util.find_spec(name) for name in ("sphinx", "furo", "myst_parser", "latex2mathml")):
        pytest.skip("the extra `site` is not installed")
    done = subprocess.run([sys.executable, MAKE, tmp_path, "--without-claims"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "chain_rule.html").read_text(encoding="utf-8")
    assert "<math" in page and "mathjax" not in page.lower() and (tmp_path / "searchindex.js").exists()
