"""What a notebook is given of a drawing: HTML that fits a cell and disturbs nothing, and a PNG for where it is not trusted."""

import re
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, nn
from tinygrad_vg.drawing import draw, notebook
from tinygrad_vg.drawing.canvas import Canvas
from tinygrad_vg.text.lines import preformatted

TWO = '<svg width="40" height="30"><style>{}</style><rect id="a" class="ink" width="9" height="9"/></svg>'
LIGHT_AND_DARK = ".ink{fill:#010000}@media(prefers-color-scheme:dark){.ink{fill:#020000}}"


@pytest.fixture
def graph():
    x = Scalar(0.5, "x")
    y = (x * x).tanh().named("y")
    y.backward()
    return y


@pytest.fixture(scope="module")
def river():
    states = nn.unroll(nn.RNNCell(3, 4, "sigmoid", rng=0), np.eye(3))
    return draw(Chain((states[-1] ** 2).sum().named("loss"), states[0], through=states))


def image(bundle):
    Image = pytest.importorskip("PIL.Image", reason="needs matplotlib, which brings it along")
    return Image.open(BytesIO(b64decode(bundle["image/png"]))).convert("RGB")


def test_a_notebook_is_given_text_html_and_a_png_and_may_choose(river):
    pytest.importorskip("matplotlib")
    bundle = river._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "image/png"}
    assert set(river._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(river._repr_mimebundle_(exclude=["text/html"])) == {"text/plain", "image/png"}
    assert bundle["text/plain"] == repr(river)


def test_the_html_is_well_formed_and_the_picture_as_wide_as_its_cell_but_no_wider_than_it_is(graph, river):
    for drawing in (draw(graph), river):
        html = drawing._repr_mimebundle_()["text/html"]
        frame, behind = ET.fromstring(f"<div>{html}</div>")
        svg = frame[1]
        assert re.fullmatch(r"display:block;width:100%;max-width:\d+px;height:auto", svg.get("style")) and svg.get("viewBox")
        assert len(ET.tostring(svg)) > 1000 and "style=" not in drawing.svg.partition(">")[0]
        assert behind.tag in ("img", "p")


def test_without_matplotlib_or_for_a_picture_too_large_there_is_no_png_and_the_words_say_what_to_do(river, monkeypatch):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib.figure", None)
        bundle = river._repr_mimebundle_()
    monkeypatch.setattr(notebook, "LARGE", 1280 * 720 - 1)
    assert river._repr_mimebundle_() == bundle
    assert "image/png" not in bundle and "<img" not in bundle["text/html"] and "Trust Notebook" in bundle["text/html"]


def test_a_transparent_png_is_put_on_white():
    Image = pytest.importorskip("PIL.Image", reason="needs matplotlib, which brings it along")
    Image.new("RGBA", (40, 30), (0, 0, 0, 0)).save(buffer := BytesIO(), "png")
    shown = notebook.shown(TWO.format(""), buffer.getvalue, "two")
    assert image(shown).getcolors() == [(1200, (255, 255, 255))]


def test_letters_that_no_font_has_are_no_warning_in_a_notebook():
    pytest.importorskip("matplotlib")
    x = Scalar(0.5, "x")
    bundle = draw(Chain((x * 2.0).named("\U0001f40d漢"), x))._repr_mimebundle_()
    assert "image/png" in bundle and "漢" in bundle["text/html"]


def test_a_notebook_is_never_shown_an_exception(graph, monkeypatch):
    drawing = draw(graph)
    drawing.picture = None
    monkeypatch.setattr(type(drawing), "__repr__", lambda self: "Drawing")
    assert "not shown" in drawing._repr_mimebundle_()["text/plain"]


def test_the_same_picture_gives_the_same_html_and_another_one_other_names(graph, river):
    def names(bundle):
        return set(re.findall(r'(?:id|class)="([^"]+)"', bundle["text/html"]))

    one = draw(graph)._repr_mimebundle_()
    assert one == draw(graph)._repr_mimebundle_()
    assert names(one) & names(river._repr_mimebundle_()) <= {""}


def test_words_that_look_like_markup_stay_as_they_are():
    words = 'id=&quot;a&quot; class="b" href="#c" .ink{fill:red}'
    svg = f'<svg width="1" height="1"><text id="t">{words}</text></svg>'
    assert f">{words}</text>" in notebook.framed(svg, "")


@pytest.fixture(scope="module")
def page(browser):
    """A tab, the content of which each test sets anew."""
    return browser.new_page()


def fills(page, system, body="", styles=(LIGHT_AND_DARK, ".ink,rect{fill:#030000}")):
    """The colours of two pictures whose names are the same, and of what the page itself calls by these names."""
    page.emulate_media(color_scheme=system)
    pictures = [notebook.shown(TWO.format(style), lambda: b"", "words")["text/html"] for style in styles]
    own = '<svg><rect id="a" class="ink"/></svg>'
    page.set_content(f"<style>#a,.ink{{fill:#090000}}</style><body {body}>{''.join(pictures)}{own}")
    found = page.evaluate("[...document.querySelectorAll('rect')].map(box => getComputedStyle(box).fill)")
    assert page.evaluate("[...document.querySelectorAll('p')].every(words => !words.checkVisibility())")
    return [int(fill.removeprefix("rgb(").split(",")[0]) for fill in found]


@pytest.mark.parametrize("system, first", [("light", 1), ("dark", 2)])
def test_two_pictures_and_the_page_around_them_keep_their_own_colours(page, system, first):
    assert fills(page, system) == [first, 3, 9]


@pytest.mark.parametrize("body, first", [
    ('data-jp-theme-light="true"', 1), ('data-jp-theme-light="false"', 2), ('class="vscode-light"', 1), ('class="vscode-dark"', 2)])
@pytest.mark.parametrize("system", ["light", "dark"])
def test_a_page_that_says_that_it_is_light_or_dark_has_pictures_as_it_is(page, system, body, first):
    assert fills(page, system, body) == [first, 3, 9]


def test_cleansed_of_its_style_the_html_shows_the_png_and_no_word_of_the_picture(page, river):
    pytest.importorskip("matplotlib")
    html = river._repr_mimebundle_()["text/html"]
    page.set_viewport_size({"width": 848, "height": 900})
    for cleansed in (False, True):
        page.set_content(re.sub(r"(?s)<style.*?</style>|</?(?:svg|text|tspan|title|rect|path)[^>]*>", "", html) if cleansed else html)
        assert page.locator("img").is_visible() == cleansed and page.locator("div").first.is_visible() != cleansed
        assert bool(page.evaluate("document.body.innerText.trim()")) != cleansed
        box = page.locator("img" if cleansed else "svg").bounding_box()
        assert box["width"] == pytest.approx(848 - 16) and box["height"] == pytest.approx(832 * 720 / 1280, abs=1)


def test_the_columns_of_a_table_are_straight_in_a_font_that_lacks_some_letters(page):
    table = preformatted("W_hhᵀ |\n▏▎▍▋▊ |\n漢字x |\nשלום1 |\n12345 |")
    page.set_content(table.replace("font-family:", "font-family:'Liberation Mono',"))
    ends = page.evaluate("""() => {
        const pre = document.querySelector('pre'), range = document.createRange(), found = []
        for (const node of pre.childNodes) [...node.data ?? ''].forEach((letter, k) => {
            range.setStart(node, k), range.setEnd(node, k + 1)
            if (letter == '|') found.push(range.getBoundingClientRect().x)
        })
        return found
    }""")
    assert len(ends) == 5 and max(ends) - min(ends) < 0.6


def test_all_words_of_a_png_are_measured_by_one_renderer(monkeypatch):
    backend = pytest.importorskip("matplotlib.backends.backend_agg")
    made, real = [], backend.RendererAgg
    monkeypatch.setattr(backend, "RendererAgg", lambda *size: made.append(size) or real(*size))
    sheet = Canvas(200, 100, "words")
    for k in range(20):
        sheet.words(10, 4 * k, [("one", "ink"), ("two", "soft")])
    sheet.rendered("png")
    assert len(made) <= 3
