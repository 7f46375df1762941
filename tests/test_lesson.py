"""The lesson of docs/teaching.md: one network from slide to slide, and every slide has its minute."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
LESSON = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
TABLE = LESSON.partition("\n## The lesson")[2].partition("\n## ")[0]


def run(*arguments):
    command = [sys.executable, str(ROOT / "docs" / "make_slides.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesson") / "slides"
    assert run(folder, "--theme", "dark").returncode == 0
    return {place.name: place.read_text(encoding="utf-8") for place in folder.iterdir()}


def test_every_slide_has_its_minute_and_there_is_no_other(slides):
    assert {f"slides/{name}" for name in slides} == {*re.findall(r"slides/[\w.]+\w", TABLE)}
    rows = {start: line for line in TABLE.splitlines() for start in re.findall(r"^\| (\d+)–", line)}
    for name in slides:
        if name[:2] in rows:
            assert name in rows[name[:2]]


def test_the_graph_and_the_river_are_of_one_network(slides):
    graph = slides["25_graph.svg"]
    first, last = (size_in(graph, name) for name in ("h₀", "h₂₀"))
    assert "2.1 × 10⁻¹³" in slides["30_river.svg"] and first / last == pytest.approx(2.1e-13, rel=0.03)
    assert "2.1 × 10⁻¹³" in slides["78_remedies.svg"] and "2.1 × 10⁻¹³" in slides["rnn.html"]


def size_in(graph, name):
    """The gradient that stands in the box of that name."""
    text = re.search(rf">{name}</text>(?:\s*<text[^>]*>(?!\|grad)[^<]*</text>)?\s*<text[^>]*>\|grad\| ([^<]+)</text>", graph)[1]
    mantissa, _, power = text.partition("·10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


def test_slides_have_the_theme_that_was_asked_for(slides):
    assert all("@media" not in text and ".f-page{fill:#1" in text for name, text in slides.items() if name.endswith(".svg"))


def test_every_slide_is_16_to_9(slides):
    for name, text in slides.items():
        if name.endswith(".svg"):
            wide, high = (float(re.search(rf'{side}="([\d.]+)"', text)[1]) for side in ("width", "height"))
            assert wide / high == pytest.approx(16 / 9, rel=1e-3), name


def test_the_help_has_whole_sentences_and_the_norms_plain_names(slides):
    told = " ".join(run("--help").stdout.split())
    assert "writes them, and rnn.html, the page to play with." in told
    assert "norm after: " in slides["90_transformer.svg"] and "norm none" not in slides["90_transformer.svg"]


def test_every_command_for_the_lesson_is_of_the_sigmoid():
    made = re.findall(r"-m tinygrad_vg(?: draw rnn)? --.*", LESSON.partition("\n## The lesson")[0])
    assert made and all("--activation sigmoid" in command for command in made)


def test_where_no_folder_can_be_made_it_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file")
    assert done.returncode == 2 and "file" in done.stderr and "Traceback" not in done.stderr
