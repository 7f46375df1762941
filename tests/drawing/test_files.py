"""How a drawing gets out: engines that are missing, hang or fail; files that are complete or untouched; notebooks."""

import os
import stat
import sys
import time
import xml.etree.ElementTree as ET

import pytest

from tinygrad_vg import Scalar
from tinygrad_vg.drawing import draw, render

needs_engine = pytest.mark.skipif(render.engine("png") is None, reason="needs pygraphviz or Graphviz's dot")
posix = pytest.mark.skipif(os.name != "posix", reason="fake programs are shell scripts")


@pytest.fixture
def graph():
    x = Scalar(0.5, "x")
    y = (x * x).tanh().named("y")
    y.backward()
    return y


@needs_engine
@pytest.mark.parametrize("suffix, start", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg"), ("dot", b"digraph")])
def test_every_format_is_saved_and_the_path_returned(graph, tmp_path, suffix, start):
    path = tmp_path / f"picture.{suffix.upper()}"
    assert draw(graph).save(str(path)) == path and path.read_bytes().startswith(start)
    assert os.listdir(tmp_path) == [path.name]


def test_without_an_engine_svg_and_dot_still_come_out(graph, no_engine, tmp_path):
    drawing = draw(graph)
    assert ET.fromstring(drawing.svg).tag.endswith("svg") and "y = tanh" in drawing.svg
    assert drawing.save(tmp_path / "a.svg").read_text() == drawing.svg and drawing.save(tmp_path / "a.dot").read_text() == drawing.dot


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_without_an_engine_png_and_pdf_say_both_remedies(graph, no_engine, tmp_path, suffix):
    with pytest.raises(RuntimeError, match=r'pip install "tinygrad_vg\[draw\]", or install Graphviz'):
        draw(graph).save(tmp_path / f"a.{suffix}")
    assert not (tmp_path / f"a.{suffix}").exists()


@posix
@pytest.mark.parametrize(
    "script, error, words",
    [
        ("exec /bin/sleep 60", TimeoutError, "within 0.3 s"),
        ("echo 'Error: no such thing' >&2; exit 1", RuntimeError, "no such thing"),
        ("echo 'Error: bad label' >&2; echo '</svg>'; exit 0", RuntimeError, "bad label"),
        ("exit 3", RuntimeError, "exit code 3"),
        ("exec 0<&-; exit 0", RuntimeError, "not complete"),
        ("echo '<svg><g>'", RuntimeError, "not complete"),
    ],
)
def test_an_engine_that_hangs_or_fails_is_named_and_svg_comes_out_in_columns(graph, fake_dot, tmp_path, script, error, words):
    fake_dot(script)
    began = time.monotonic()
    with pytest.raises(error, match=words):
        draw(graph, time_limit=0.3).save(tmp_path / "a.png")
    with pytest.warns(RuntimeWarning, match=words):
        assert "y = tanh" in draw(graph, time_limit=0.3).svg
    assert time.monotonic() - began < 5 and not (tmp_path / "a.png").exists()


@posix
def test_fontconfigs_grumbling_is_no_error(graph, fake_dot, recwarn):
    fake_dot("echo 'Fontconfig error: no fonts' >&2; echo '<svg>ours</svg>'")
    assert draw(graph).svg == "<svg>ours</svg>\n" and not recwarn


@posix
def test_a_dot_in_the_current_folder_or_without_permission_is_not_run(graph, no_engine, fake_dot, monkeypatch):
    fake_dot("exit 0", mode=0o644)
    assert render.engine("svg") is None
    fake_dot("exit 0")
    monkeypatch.chdir(no_engine)
    monkeypatch.setenv("PATH", ".")
    assert render.engine("svg") is None


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


def test_nothing_is_touched_when_the_picture_itself_fails(graph, no_engine, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        draw(graph).save(path)
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


def test_a_notebook_gets_text_and_svg_and_may_choose(graph):
    drawing = draw(graph)
    assert set(drawing._repr_mimebundle_()) == {"text/plain", "image/svg+xml"}
    assert set(drawing._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(drawing._repr_mimebundle_(exclude=["image/svg+xml"])) == {"text/plain"}
    assert drawing._repr_mimebundle_()["text/plain"] == "Drawing(3 boxes, 3 arrows)"


def test_in_a_notebook_a_picture_is_no_wider_than_its_cell_and_a_saved_one_keeps_its_size(graph, monkeypatch, tmp_path):
    for engine in ("as it is", "none"):
        if engine == "none":
            monkeypatch.setattr("tinygrad_vg.drawing.drawing.engine", lambda format: None)
        drawing = draw(graph)
        shown = ET.fromstring(drawing._repr_mimebundle_()["image/svg+xml"])
        saved = ET.fromstring(drawing.save(tmp_path / f"{engine}.svg").read_text(encoding="utf-8"))
        assert shown.get("style") == "max-width:100%;height:auto" and shown.get("viewBox") and "style" not in saved.attrib
        assert {**saved.attrib, "style": shown.get("style")} == shown.attrib


@needs_engine
def test_a_png_of_few_boxes_has_192_dots_per_inch_and_one_of_many_96(graph, tmp_path, monkeypatch):
    def width(drawing):
        return int.from_bytes(drawing.save(tmp_path / "a.png").read_bytes()[16:20], "big")

    crisp = width(draw(graph))
    monkeypatch.setattr("tinygrad_vg.drawing.drawing.CRISP", 1)
    assert crisp == pytest.approx(2 * width(draw(graph)), abs=3)


@needs_engine
def test_a_png_too_large_at_192_dots_per_inch_is_saved_at_96(tmp_path):
    x = Scalar(0.5, "x" * 200)
    for k in range(8):
        x = x.sin().named(f"{k}" + "W" * 199)
    width = int.from_bytes(draw(x).save(tmp_path / "a.png").read_bytes()[16:20], "big")
    assert 32767 / 2 < width < 32767


def test_a_notebook_is_never_shown_an_exception(graph, monkeypatch):
    drawing = draw(graph)
    drawing.picture = None
    monkeypatch.setattr(type(drawing), "__repr__", lambda self: "Drawing")
    assert "not shown" in drawing._repr_mimebundle_()["text/plain"]


def test_the_child_does_not_import_from_the_current_folder(graph, tmp_path, monkeypatch):
    pytest.importorskip("pygraphviz", reason="the child that is tested")
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert render.engine("png")[0] == sys.executable and render.render(draw(graph).dot, "png", 20).startswith(b"\x89PNG")


def test_a_pipe_a_device_or_a_loop_of_links_is_refused_and_left_alone(tmp_path):
    drawing = draw(Scalar(2.0, name="x") * 3)
    os.mkfifo(tmp_path / "pipe.svg")
    (tmp_path / "device.svg").symlink_to("/dev/null")
    (tmp_path / "loop.svg").symlink_to(tmp_path / "loop.svg")
    for name in ("pipe.svg", "device.svg", "loop.svg"):
        with pytest.raises(OSError, match=name):
            drawing.save(tmp_path / name)
    assert (tmp_path / "pipe.svg").is_fifo()
