"""Does everything show itself in a notebook?  A real one, run without a screen."""

import pathlib
import re
import runpy

import pytest

from tinygrad_vg import exercises

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel: the extra `notebook`")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel: the extra `notebook`")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel: the extra `notebook`")

DOCS = pathlib.Path(__file__).parent.parent / "docs"
SETUP = """
import numpy as np
from tinygrad_vg import Chain, Scalar, draw, drawing, explain, nn, paths, uses, verdict
cell, readout = nn.RNNCell(3, 4, "sigmoid", rng=0), nn.Linear(4, 3, rng=1, name="out")
states = nn.unroll(cell, np.eye(3))
loss = nn.cross_entropy(readout(states[-1]), 2).named("loss")
chain = Chain(loss, states[0], through=states)
loss.backward()
w, x = Scalar(0.9, name="w"), Scalar(0.5, name="x")
h = (w * x).sigmoid().named("h")
"""
CELLS = {  # what a cell ends with: (a kind of output it must have, words in it)
    "draw(loss)": ("text/html", "loss"),
    "chain": ("text/html", "multiplied by"),
    "chain.blame()": ("text/html", "slopes"),
    "chain.spectrum()": ("text/html", "h[0] → h[1]"),
    "verdict(loss, states[0])": ("text/html", "gradient"),
    "uses(loss, cell.W_hh)": ("text/html", "share"),
    "paths(h, w)": ("text/html", "path"),
    "explain(loss)": ("text/latex", "partial"),
    "loss": ("text/plain", "Tensor("),
    "h": ("text/plain", "Scalar("),
    "drawing.plot(chain)": ("image/png", ""),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """{cell: {kind of output: content}}; ipykernel and its friends warn of things of their own."""
    cells = [nbformat.v4.new_code_cell(SETUP), *map(nbformat.v4.new_code_cell, CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    folder = tmp_path_factory.mktemp("notebook")
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    results = [[out for out in cell.outputs if out.output_type == "execute_result"] for cell in notebook.cells[1:]]
    return {cell: found[0]["data"] for cell, found in zip(CELLS, results)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cell", CELLS)
def test_what_a_cell_ends_with_shows_itself(outputs, cell):
    kind, words = CELLS[cell]
    assert kind in outputs[cell], f"{cell} shows itself as {', '.join(outputs[cell])}"
    assert words in outputs[cell][kind]


@pytest.mark.filterwarnings("ignore")
def test_what_a_notebook_is_given_runs_no_script_and_asks_for_nothing(outputs):
    for data in outputs.values():
        content = data.get("text/html", "")
        assert "<script" not in content and "onload" not in content and "http-equiv" not in content


MAKE = runpy.run_path(str(DOCS / "make_notebook.py"))


def executed(made, folder):
    """A notebook that was made of a page, run."""
    book = nbformat.from_dict(made)
    nbformat.validate(book)
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return book


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", ["teaching.md", pytest.param("recurrence.md", marks=pytest.mark.slow)])
def test_a_page_of_the_book_is_a_notebook_that_runs(page, tmp_path):
    text = (DOCS / page).read_text(encoding="utf-8")
    made = executed(MAKE["notebook"](text), tmp_path)
    answers = len(re.findall(r"^(?:>>>|\.\.\.)[^\n]*\n(?!>>>|\.\.\.|\n)", text, re.M))
    shown = [cell for cell in made.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) == answers > 3  # a notebook shows what a cell ends with: each answer of the page has one of its own


@pytest.mark.parametrize("page", sorted(place.name for place in DOCS.glob("*.md")))
def test_a_notebook_needs_no_file_beside_it(page):
    made = MAKE["notebook"](text := (DOCS / page).read_text(encoding="utf-8"))
    told = "\n".join(cell["source"] for cell in made["cells"] if cell["cell_type"] == "markdown")
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", told, flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    assert not [target for target in targets if not target.startswith(("https:", "data:image/"))]
    assert sum(target.startswith("data:image/") for target in targets) == len(re.findall(r"!\[[^\]]*\]\(", text))


@pytest.mark.filterwarnings("ignore")
def test_the_students_notebook_asks_and_grades_and_has_no_answers(tmp_path):
    made = executed(MAKE["students"]((DOCS / "teaching.md").read_text(encoding="utf-8")), tmp_path)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert [int(re.search(r"grade\((\d+)", cell.source)[1]) for cell in code] == [1, 2, 3, 23, 24, 25]
    told = "".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert told.startswith("# Exercises 1, 2, 3, 23, 24, 25\n") and "For teachers" not in told and "_{" not in told
    assert all("    ..." in cell.source and cell.outputs[0].text.strip() for cell in code)
    for cell, number in zip(code, (1, 2, 3, 23, 24, 25)):
        body = exercises.EXERCISES[number].solution.rpartition("return ")[2].splitlines()[0]
        assert body and body not in "".join(one.source for one in made.cells)
        assert "the function returns nothing" in cell.outputs[0].text
    solved = code[0].source.replace("...", "return 1 - y**2")
    assert "20" in executed(MAKE["whole"]([(True, solved)]), tmp_path).cells[0].outputs[0].text


def test_a_page_without_exercises_has_no_notebook_for_students():
    with pytest.raises(ValueError, match="names exercises"):
        MAKE["students"]("# A page\n")
