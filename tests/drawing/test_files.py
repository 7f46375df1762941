"""How a drawing gets out: in every format, as files that are complete or untouched; notebooks."""

import io
import os
import stat
import sys

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar
from tinygrad_vg.drawing import canvas, draw, drawing
from tinygrad_vg.drawing.colours import INKS

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX")


@pytest.fixture
def graph():
    x = Scalar(0.5, "x")
    y = (x * x).tanh().named("y")
    y.backward()
    return y


@pytest.mark.parametrize("suffix, start", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg"), ("dot", b"digraph")])
def test_every_format_is_saved_and_the_path_returned(graph, tmp_path, suffix, start):
    path = tmp_path / f"picture.{suffix.upper()}"
    assert draw(graph).save(str(path)) == path and path.read_bytes().startswith(start)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_for_a_slide_is_light_or_dark_whoever_looks_at_it(graph, tmp_path, theme):
    from PIL import Image

    page = INKS["page"][theme == "dark"]
    for made in (draw(graph, about="y of x"), draw(Chain(graph, graph.parents[0]))):
        corner = np.asarray(Image.open(made.save(tmp_path / "a.png", theme=theme)).convert("RGB"))[2, 2]
        assert f"#{bytes(corner).hex()}" == page
        svg = made.save(tmp_path / "a.svg", theme=theme).read_text(encoding="utf-8")
        assert f".f-page{{fill:{page}}}" in svg and "@media" not in svg and "@media" in made.svg
        assert (made.save(tmp_path / "a.pdf", theme="dark").read_bytes() == made.save(tmp_path / "b.pdf", theme=theme).read_bytes()) == (theme == "dark")


@pytest.mark.parametrize("name, theme", [("a.html", "dark"), ("a.dot", "light"), ("a.png", "night")])
def test_a_theme_that_there_is_not_is_refused(graph, tmp_path, name, theme):
    with pytest.raises(ValueError, match="theme is 'light' or 'dark', of .svg, .png or .pdf; a page is as who looks at it"):
        draw(graph).save(tmp_path / name, theme=theme)
    assert not os.listdir(tmp_path)


def test_a_graph_has_a_title_if_it_is_known_what_it_is(graph):
    plain, titled = draw(graph).canvas, draw(graph, about="one <neuron>")
    assert "one &lt;neuron&gt;</text>" in titled.svg and "<title>one &lt;neuron&gt;</title>" in titled.svg
    assert plain.high < titled.canvas.high and "<h1 class=\"name\">one &lt;neuron&gt;</h1>" in titled.html
    assert draw(graph, about="words " * 40).canvas.wide < 1280


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("failing", ["os.replace", "os.fsync", "os.chmod"])
@pytest.mark.parametrize("error", [OSError(28, "no space left"), KeyboardInterrupt()])
def test_a_file_is_complete_or_untouched(graph, tmp_path, monkeypatch, existing, failing, error):
    path = tmp_path / "a.dot"
    if existing:
        path.write_text("old")
    elif failing == "os.chmod":
        pytest.skip("a new file has no mode to keep")

    def fail(*_):
        raise error

    monkeypatch.setattr(failing, fail)
    with pytest.raises(type(error)):
        draw(graph).save(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == ([("a.dot", "old")] if existing else [])


def test_nothing_is_touched_when_the_picture_itself_fails(graph, monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[draw\]"'):
        draw(graph).save(path)
    assert "y = tanh" in draw(graph).svg, "an SVG needs nothing"
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.png"]


@posix
def test_the_mode_of_an_existing_file_is_kept_and_a_link_is_followed(graph, tmp_path):
    path, link = tmp_path / "a.dot", tmp_path / "link.dot"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    draw(graph).save(link)
    assert link.is_symlink() and path.read_text().startswith("digraph") and stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "name, error, words",
    [
        ("a.gif", ValueError, r"\.dot, \.svg, \.png, \.pdf, \.html; got 'a.gif'"),
        ("a", ValueError, "suffix"),
        ("missing/a.svg", FileNotFoundError, "no folder"),
        ("folder.svg", IsADirectoryError, "is a folder"),
    ],
)
def test_a_path_that_cannot_work_is_refused_before_anything_is_drawn(graph, tmp_path, monkeypatch, name, error, words):
    (tmp_path / "folder.svg").mkdir()
    drawing = draw(graph)
    monkeypatch.setattr(type(drawing), "rendered", lambda *_: pytest.fail("was drawn"))
    with pytest.raises(error, match=words):
        drawing.save(tmp_path / name)


def test_a_png_has_144_dots_per_inch_and_fewer_where_a_side_would_be_too_long(graph, tmp_path, monkeypatch):
    def width():
        return int.from_bytes(draw(graph).save(tmp_path / "a.png").read_bytes()[16:20], "big")

    wide = draw(graph).canvas.wide
    assert width() == pytest.approx(2 * wide, abs=2)
    monkeypatch.setattr(drawing, "LONGEST_SIDE", 1.5 * wide)
    assert width() == pytest.approx(1.5 * wide, rel=0.02)


PAINTED = {
    "rectangle": lambda sheet: sheet.rectangle(2, 3, 6, 6, "ink"), "path": lambda sheet: sheet.path([(2, 3), (9, 9)], "ink", line=4),
    "area": lambda sheet: sheet.path([(2, 3), (9, 3), (5, 9)], fill="#000000"), "dot": lambda sheet: sheet.dot(6, 6, 3, "ink"),
    "curve": lambda sheet: sheet.curve([("M", [(2, 3)]), ("C", [(4, 3), (8, 9), (9, 9)])], "ink", 4),
    "words": lambda sheet: sheet.words(2, 12, "H", size=12, bold=True)}


def pixels(sheet):
    """The grey of each point of a canvas as a PNG, a pixel a point."""
    Image = pytest.importorskip("PIL.Image", reason="needs matplotlib, which brings it along")
    return np.asarray(Image.open(io.BytesIO(sheet.rendered("png", 72))).convert("L")).astype(int)


def test_in_png_and_pdf_a_group_in_a_group_has_its_corner_where_the_svg_has_it():
    for paint in PAINTED.values():
        sheet = canvas.Canvas(90, 90, "nested")
        with sheet.group("", "", 10, 20), sheet.group("n", "box", 5, 5):
            paint(sheet)
        paint(sheet)
        found = np.argwhere(pixels(sheet) < 128)
        first, second = found[found[:, 0] < 20], found[found[:, 0] >= 20]
        np.testing.assert_allclose(second.mean(axis=0) - first.mean(axis=0), (25, 15), atol=0.2)


@pytest.mark.parametrize("paint", PAINTED.values(), ids=PAINTED)
def test_a_png_shows_what_the_svg_shows(paint):
    sheet = canvas.Canvas(90, 90, "one")
    paint(sheet)
    assert sheet.svg.count("\n") == 4 and np.any(pixels(sheet) < 128)


def test_a_pipe_a_device_or_a_loop_of_links_is_refused_and_left_alone(tmp_path):
    drawing = draw(Scalar(2.0, name="x") * 3)
    os.mkfifo(tmp_path / "pipe.svg")
    (tmp_path / "device.svg").symlink_to("/dev/null")
    (tmp_path / "loop.svg").symlink_to(tmp_path / "loop.svg")
    for name in ("pipe.svg", "device.svg", "loop.svg"):
        with pytest.raises(OSError, match=name):
            drawing.save(tmp_path / name)
    assert (tmp_path / "pipe.svg").is_fifo()
