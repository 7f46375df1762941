"""The book's plots: all on a page, as they are measured now, small, and in inks that a dark screen has another of."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

matplotlib = pytest.importorskip("matplotlib", reason='plots need matplotlib: pip install -e ".[plot]"')
import make_plots  # noqa: E402
from plot_style import LOOK, svg  # noqa: E402

from tinygrad_vg.drawing.colours import INKS  # noqa: E402

DOCS = Path(make_plots.__file__).parent
PLOTS = {plot.__name__: plot for plot in make_plots.PLOTS}
DEBATE = ["depth", "recurrence", "remedies", "minima", "is_it_the_sigmoid", "theory", "after_2019", "linear_rnn_to_mamba"]
LONG = ("is_it_the_sigmoid", "predicted", "phase_diagram")  # forty draws of sixteen nets; sixty trainings

each = pytest.mark.parametrize("name", PLOTS)


def stored(name):
    return (make_plots.FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def words(text):
    """Every word of a picture, numbers at the ends of curves among them."""
    return ["".join(element.itertext()).strip() for element in ET.fromstring(text).iter() if element.tag.endswith("}text")]


def test_the_command_makes_the_plots_that_are_there():
    assert sorted(PLOTS) == sorted(path.stem for path in make_plots.FOLDER.iterdir())


def test_every_plot_and_every_picture_of_the_gallery_is_on_a_page_and_its_alternative_text_says_what_is_seen():
    shown = dict(pair[::-1] for page in DOCS.glob("*.md") for pair in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")))
    assert {f"{path.parent.name}/{path.name}" for folder in ("plots", "gallery") for path in (DOCS / folder).iterdir()} <= {*shown}
    assert all(len(alternative) > 80 for place, alternative in shown.items() if place.startswith("plots/"))


@pytest.mark.parametrize("page", DEBATE)
def test_every_chapter_of_the_debate_has_a_plot(page):
    assert "](plots/" in (DOCS / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in PLOTS])
def test_a_plot_says_what_is_measured_now(name):
    with matplotlib.rc_context(LOOK):
        assert words(stored(name)) == words(svg(PLOTS[name]()))


@each
def test_a_plot_is_small_has_no_date_and_a_dark_ink_for_every_ink(name):
    text = stored(name)
    assert len(text.encode()) < 60_000 and not re.search(r"\b20\d\d-", text)
    sheet = text[text.index("@media(prefers-color-scheme:dark)") :].partition("</style>")[0]
    drawn = {*re.findall(r"(fill|stroke): (#\w{6})", text.replace(sheet, ""))}
    pairs = dict(INKS.values())
    assert {light for _, light in drawn} <= {*pairs}
    assert all(f'[style*="{kind}: {light}"]{{{kind}:{pairs[light]}!important}}' in sheet for kind, light in drawn)


def test_the_same_plot_has_the_same_bytes():
    with matplotlib.rc_context(LOOK):
        assert svg(make_plots.cliff()) == svg(make_plots.cliff())
