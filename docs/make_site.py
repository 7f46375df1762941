"""How is the book made into a site?  `python docs/make_site.py site/` writes it there; it needs the extra `site`.

The pages stay plain Markdown, which doctest runs. They are laid out in a folder for Sphinx beside the README as front page, a page
for each demo, the reference from the docstrings, the claims measured now, and the lab, in which each session of a page runs.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinygrad_vg import claims
from tinygrad_vg.cli import lab

DOCS = Path(__file__).parent
ROOT = DOCS.parent
ROOMS = ["", "nn", "drawing", "training", "theory", "claims", "grid", "exercises"]
MOVED = {"](../README.md": "](index.md", "](../demos/)": "](demos.md)", "](demos/)": "](demos.md)", "](docs/": "](",
         "](CONTRIBUTING.md)": "](contributing.md)", "\n\n```\n": "\n```\n"}  # doctest needs the empty line, a reader does not
CONTRIBUTORS = ["trust.md", "speed.md"]


def main() -> int:
    """Build the site; the exit code is that of Sphinx, which takes a warning for an error."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("out", type=Path, nargs="?", default=ROOT / "site")
    options.add_argument("--without-lab", action="store_true", help="no lab and no Run buttons (its parts are downloaded once, 85 MB)")
    options.add_argument("--without-claims", action="store_true", help="do not measure the claims (half a minute)")
    asked = options.parse_args()
    if asked.out.exists() and not asked.out.is_dir():
        options.error(f"the site is a folder; {asked.out} is a file")
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        lay_out(stage)
        if not asked.without_lab:
            print(lab.build(stage / "extra" / "lab").partition(";")[0])
            link(stage / "index.md", "lab/index.html", "Try all of it here, with nothing to install: the lab")
        if not asked.without_claims:
            measured = claims.page(list(claims.run(claims.chosen([], False))))
            (stage / "extra").mkdir(exist_ok=True)
            (stage / "extra" / "ledger.html").write_text(measured, encoding="utf-8")
            link(stage / "claims.md", "ledger.html", "The claims as they were measured for this site, with pictures")
        code = subprocess.run([sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", stage, asked.out]).returncode
    print(f"wrote {asked.out}" if not code else f"{asked.out} is not complete: Sphinx ended with {code}")
    return code


def link(page: Path, place: str, words: str) -> None:
    """A link behind the title of a page, to a file that Sphinx does not read."""
    title, _, rest = text(page).partition("\n\n")
    page.write_text(f'{title}\n\n<p><a href="{place}">{words}</a></p>\n\n{rest}', encoding="utf-8")


def lay_out(stage: Path) -> None:
    """Everything that Sphinx reads."""
    shutil.copytree(DOCS, stage, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "site"))
    shutil.copytree(DOCS / "site", stage, dirs_exist_ok=True)
    pages = {page.name: text(page) for page in DOCS.glob("*.md")}
    pages |= {"index.md": "\n".join([text(ROOT / "README.md"), *contents()]), "contributing.md": text(ROOT / "CONTRIBUTING.md"),
              "demos.md": "\n".join(demos()), "reference.md": "\n".join(reference())}
    for name, page in pages.items():
        for there, here in MOVED.items():
            page = page.replace(there, here)
        (stage / name).write_text(page, encoding="utf-8")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def contents() -> Iterator[str]:
    """The trees of pages, in the order of the book's table, a shelf for each of its parts."""
    shelf, shelves = "Begin", {"Begin": ["book.md"]}
    for line in text(DOCS / "book.md").partition("\n## ")[0].splitlines():
        if part := re.match(r"\| \*\*(.+)\*\*", line):
            shelf = part[1]
        cell = line.split("|")[1] if line.startswith("| ") else ""
        shelves.setdefault(shelf, []).extend(page for page in re.findall(r"\]\((\w+\.md)\)", cell) if page not in CONTRIBUTORS)
    shelves[shelf] += ["demos.md", "reference.md"]
    shelves["For contributors"] = ["contributing.md", *CONTRIBUTORS]
    missing = {page.name for page in DOCS.glob("*.md")} - {page for pages in shelves.values() for page in pages}
    if missing:
        raise ValueError(f"the table of book.md does not name {', '.join(sorted(missing))}")
    for name, pages in shelves.items():
        yield f"```{{toctree}}\n:hidden:\n:caption: {name}\n\n" + "\n".join(pages) + "\n```\n"


def demos() -> Iterator[str]:
    """Each demo in full, below its first line."""
    yield "# Demos\n\nScripts, one idea each: `python demos/01_a_neuron.py`.\n"
    for demo in sorted((ROOT / "demos").glob("*.py")):
        source = text(demo)
        title = re.search(r'"""(.+?)[\n"]', source)
        yield f"## {demo.stem}\n\n{title[1] if title else ''}\n\n```python\n{source}```\n"


def reference() -> Iterator[str]:
    """What the docstrings say, a room at a time."""
    yield "# Reference\n\nFrom the docstrings, in the order of the source.\n"
    for room in ROOMS:
        name = f"tinygrad_vg.{room}".rstrip(".")
        yield f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :imported-members:\n```\n"


if __name__ == "__main__":
    sys.exit(main())
