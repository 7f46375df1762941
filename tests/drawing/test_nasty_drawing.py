"""Nasty cases of pictures and files, from the issue trackers of others: hostile names, hostile files, missing programs.

Where a case is tried on many names or at every point, the test is in test_hostile.py or test_faults.py and here is a short one.
"""

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import time
import xml.dom.minidom
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, draw, einsum, square, tanh
from tinygrad_vg.drawing.canvas import Canvas

posix = pytest.mark.skipif(os.name != "posix", reason="fake programs are shell scripts; links and pipes are POSIX")
ROOT = __file__.rpartition("/tests/")[0]


def graph(name):
    y = (Scalar(2.0, name) * 3.0).named("y")
    y.backward()
    return y


def words(text):
    return " ".join(text.split())


def texts(svg):
    return [words(element.text or "") for element in ET.fromstring(svg).iter() if element.tag.endswith("}text")]


def check_literal(name, shown=None):
    """The name is what is shown: three boxes and two arrows in DOT, and the words in both SVGs and on the page."""
    shown, drawing = name if shown is None else shown, draw(graph(name))
    lines = drawing.dot.rstrip("\n").split("\n")
    assert [len([line for line in lines if re.match(pattern, line)]) for pattern in (r"\tn\d+ \[", r"\tn\d+ -> n\d+ \[")] == [3, 2]
    assert len(lines) == 1 + 3 + 3 + 2 + 1 and lines[0] == "digraph {" and lines[-1] == "}"  # three looks, three boxes, two arrows
    if importlib.util.find_spec("pygraphviz"):
        from pygraphviz import AGraph

        graphviz = AGraph(string=drawing.dot)
        assert sorted(graphviz.nodes()) == ["n0", "n1", "n2"] and graphviz.number_of_edges() == 2
        graphviz.close()
    assert words(shown) in texts(drawing.svg)
    assert [box["name"] for box in data(drawing)["boxes"]][0] == shown
    return drawing


class Parts(HTMLParser):
    """What is in a page: the content of each script, and all tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.tags = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem:
            self.scripts[-1] += text


def data(drawing):
    return json.loads(Parts(drawing.html).scripts[0])


def python(program, *arguments, **settings):
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT, timeout=60, capture_output=True, **settings)


# --- DOT -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ['a"b', 'say \\"hi\\"'])
def test_render_dot_01_quotes_are_text(name):
    check_literal(name)


@pytest.mark.parametrize("name", ["a\\", "a\\\\", "\\", '\\"'])
def test_render_dot_02_a_backslash_at_the_end_is_text(name):
    check_literal(name)


@pytest.mark.parametrize("name", ["<b>x</b>", "<lambda> <map>", "<>", "<<table><tr><td>x</td></tr></table>>"])
def test_render_dot_04_angle_brackets_never_make_markup(name):
    assert "=<" not in re.sub(r'"(?:[^"\\\\]|\\\\.)*"', "", check_literal(name).dot)


def test_render_dot_05_entities_are_text():
    assert "&amp;amp; &amp;lt; &amp;#65;" in check_literal("&amp; &lt; &#65;").dot


@pytest.mark.parametrize("name", ["a]; evil [label=pwn", 'x" -> "y', 'x"]\n evil -> n0 ["', "/* */ // # x"])
def test_render_dot_06_no_name_injects_a_statement(name):
    check_literal(name, name.replace("\n", " "))


def test_render_dot_07_braces_bars_and_arrows_need_no_escape_since_no_box_is_a_record():
    assert "record" not in check_literal("{a|b}").dot
    y = einsum("ij,jk->ik", Tensor(np.eye(2), "{A|<p>B}"), Tensor(np.eye(2), "C")).sum()
    y.backward()
    picture = draw(y)
    assert "shape=box" in picture.dot and "{A|<p>B}" in texts(picture.svg) and "record" not in picture.dot


@pytest.mark.parametrize("name, shown", [(word, word) for word in ("node", "edge", "graph", "strict", "Digraph", "SUBGRAPH", "1.5", "-.5", "n1")] + [("", "leaf"), (" ", " ")])
def test_render_dot_08_keywords_numbers_and_nothing_are_names_like_others(name, shown):
    check_literal(name, shown)


@pytest.mark.parametrize("name, shown", [("a\nb", "a b"), ("a\r\nb", "a� b"), ("a\tb", "a�b"), ("a\0b", "a�b"), ("\x01", "�"), ("\x1b[31mred", "�[31mred"), ("\ufffe", "�"), ("\ud800", "�")])
def test_render_dot_09_a_name_is_one_line_and_what_cannot_be_seen_is_a_replacement_character(name, shown):
    drawing = check_literal(name, shown)
    for text in (drawing.dot, drawing.svg, drawing.html):
        assert not set(text) & {"\0", "\x01", "\x1b", "\ufffe", "\ud800", "\r"}
        text.encode("utf-8")


@pytest.mark.parametrize("name", ["x" * 20_000, '"' * 20_000, "\\" * 20_000, "&" * 20_000, "語" * 20_000])
def test_render_dot_10_a_name_of_twenty_thousand_characters_is_cut_with_an_ellipsis(name):
    drawing = check_literal(name, name[: 99 if name[0] == "語" else 199] + "…")  # 語 takes two columns
    assert max(len(quoted.encode()) for quoted in re.findall(r'"(?:[^"\\]|\\.)*"', drawing.dot)) < 16_384


@pytest.mark.parametrize("name, shown", [("漢字 é 😀", "漢字 é 😀"), ("\u202egnp.exe", "�gnp.exe"), ("a\u2066b\u2069", "a�b�"), ("שלום", "שלום")])
def test_render_dot_11_unicode_is_kept_and_what_turns_the_direction_of_writing_is_made_visible(name, shown):
    check_literal(name, shown)


@pytest.mark.parametrize("value, shown", [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "−inf"), (-0.0, "0"), (1e-320, "10⁻³²⁰"), (10**400, "inf"), (np.float32(0.1), "0.1"), (True, "1")])
def test_render_dot_12_odd_values_have_readable_labels(value, shown):
    with np.errstate(all="ignore"):
        leaf = draw(Scalar(value) if not isinstance(value, bool) else Scalar(float(value)))
        constant = draw(Scalar(1.0, "x") * value)
    assert leaf.picture.boxes[0].lines[1] == shown
    assert next(box.lines for box in constant.picture.boxes if box.kind == "constant") == (shown,)
    for drawing in (leaf, constant):
        assert shown in texts(drawing.svg) and shown in texts(drawing.svg)
        assert data(drawing)["boxes"]


def test_render_dot_13_the_same_graph_gives_the_same_bytes_in_every_process():
    program = (
        "import hashlib, numpy as np; from tinygrad_vg import nn, draw, square, Chain\n"
        "def once():\n"
        "    states = nn.unroll(nn.LSTMCell(3, 4, rng=0), np.ones((4, 3))); loss = square(states[-1][0]).sum(); loss.backward()\n"
        "    d = draw(loss); return [hashlib.sha256(text.encode()).hexdigest() for text in (d.dot, d.svg, d.html)]\n"
        "first, second = once(), once(); assert first == second, (first, second); print(first)"
    )
    answers = {python(program, env=os.environ | {"PYTHONHASHSEED": seed}, check=True).stdout for seed in "01"}
    assert len(answers) == 1


# --- SVG and the page ------------------------------------------------------------------------------------------------


def check_page(name):
    """A page has two scripts, the data and ours, whatever the name; the data have no '<' and give the name back."""
    text = draw(graph(name)).html
    page = Parts(text)
    assert len(page.scripts) == 2 and "<" not in page.scripts[0]
    assert page.scripts[1] == Parts(draw(graph("tame")).html).scripts[1]
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in Parts(draw(graph("tame")).html).tags]
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on") or key in ("href", "src", "xlink:href", "style", "srcdoc")]
    return page, json.loads(page.scripts[0])


def test_render_html_svg_01_a_script_in_a_name_does_not_end_ours():
    name = "</script><script>alert(1)</script>"
    page, found = check_page(name)
    assert "\\u003c/script>" in page.scripts[0] and found["boxes"][0]["name"] == name
    check_literal(name)


def test_render_html_svg_02_an_image_in_a_name_is_text_wherever_it_is_shown():
    name = "<img src=x onerror=alert(1)>"
    page, found = check_page(name)
    assert "img" not in [tag for tag, _ in page.tags] and found["boxes"][0]["title"].startswith(name)
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "createContextualFragment"):
        assert unsafe not in page.scripts[1]
    check_literal(name)


@pytest.mark.parametrize("name", ["]]>", "-->", "<!--<script>", "<!--", "--!>", "<![CDATA["])
def test_render_html_svg_04_no_name_opens_or_closes_a_comment_or_a_section(name):
    check_page(name)
    check_literal(name)


@pytest.mark.parametrize("name", ["javascript:alert(1)", "https://example.org/", "data:text/html,x"])
def test_render_html_svg_05_no_name_becomes_a_link(name):
    drawing = check_literal(name)
    assert "URL=" not in drawing.dot and "href=" not in drawing.dot
    for svg in (drawing.svg, drawing.svg):
        assert not [key for element in ET.fromstring(svg).iter() for key in element.attrib if key.rpartition("}")[2] == "href"]
    check_page(name)


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__"])
def test_render_html_svg_06_names_of_javascripts_own_are_only_values_of_the_data_never_keys(name):
    _, found = check_page(name)
    waiting, keys = [found], set()
    while waiting:
        here = waiting.pop()
        keys |= set(here) if isinstance(here, dict) else set()
        waiting += here.values() if isinstance(here, dict) else here if isinstance(here, list) else []
    assert name not in keys and found["boxes"][0]["name"] == name


@pytest.mark.parametrize("name", ["</title>", "</TITLE><script>", "\u2028", "a\u2029b", "</noscript>", "</svg>", "</style>"])
def test_render_html_svg_07_titles_and_line_separators_break_nothing(name):
    page, found = check_page(name)
    assert found["boxes"][0]["name"] == name and page.scripts[0].isascii()
    output = (Scalar(1.0) * 2.0).named(name)
    assert len(Parts(draw(output).html).scripts) == 2
    check_literal(name)


def test_render_html_svg_08_a_notebook_shows_a_hostile_name_as_text():
    name = '</svg><script>alert(1)</script>"\\N'
    bundle = draw(graph(name))._repr_mimebundle_()
    assert "<script" not in bundle["text/html"] and name in texts(f'<div>{bundle["text/html"]}</div>')
    assert set(bundle) <= {"text/plain", "text/html", "image/png"} and "\n" not in bundle["text/plain"]


def test_render_html_svg_09_a_page_asks_for_nothing_and_its_policy_forbids_it_to():
    text = draw(graph("x")).html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", source) for kind in ("script-src", "style-src") for source in rules[kind])
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    page = Parts(text)
    assert not [tag for tag, found in page.tags if tag in ("link", "img", "iframe", "object", "embed", "base") or {"src", "href", "action"} & set(found)]
    outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s'\"<>]*", re.sub(r"<svg[^>]*>", "", text))
    assert [address for address in outside if "www.w3.org" not in address] == []
    for reach in ("fetch(", "XMLHttpRequest", "WebSocket", "importScripts", "sendBeacon", "EventSource", "import("):
        assert reach not in page.scripts[1]
    assert "@import" not in text and "url(" not in text


def test_render_html_svg_10_without_javascript_the_picture_and_a_message_are_still_there():
    text = draw(graph("x")).html
    static = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    svg = re.search(r'<div id="view">(<svg.*?</svg>)</div>', static, flags=re.S)[1]
    assert {"x", "2", "y = multiply", "6"} <= set(texts(svg))
    assert "JavaScript is off" in re.search(r"<noscript>(.*?)</noscript>", static, flags=re.S)[1]
    assert "hidden" not in re.search(r'<section class="stage"[^>]*>\s*<div id="view"[^>]*>', static)[0]


def test_render_html_svg_11_a_page_of_a_hundred_thousand_nodes_is_refused_at_once_with_the_number():
    y = Scalar(0.5)
    for _ in range(100_000):
        y = y.sin()
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"5,000 boxes.*limit="):
        draw(y)
    assert time.monotonic() - began < 5
    for _ in range(97_000):
        y = y.parents[0]
    with pytest.raises(ValueError, match=r"page of 3,001 boxes.*3,000.*fold="):
        draw(y, fold=None, limit=10**6).html  # noqa: B018


def test_render_html_svg_12_every_svg_is_well_formed_with_ids_of_its_own_and_nothing_that_runs():
    h = Tensor(np.ones(2)).named("<h&", 0)
    for t in (1, 2, 3):
        h = tanh(h * Tensor([1.0, 2.0], "W\"'")).named("<h&", t)
    loss = square(h).sum()
    loss.backward()
    for svg in (draw(loss).svg, draw(loss).svg, draw(loss, fold="rolled").svg, draw(loss, fold="rolled").svg):
        xml.dom.minidom.parseString(svg.encode())
        elements = list(ET.fromstring(svg).iter())
        ids = [element.get("id") for element in elements if element.get("id")]
        assert len(ids) == len(set(ids)) and svg.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in svg
        assert not {element.tag.rpartition("}")[2] for element in elements} & {"script", "foreignObject", "use", "image"}
        assert not [key for element in elements for key in element.attrib if key.lower().startswith("on")]


# --- files -----------------------------------------------------------------------------------------------------------


@posix
def test_files_01_a_disk_that_fills_up_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "out.svg"
    path.write_bytes(b"old")
    program = """
import resource, signal, sys
from tinygrad_vg import Scalar, draw
drawing = draw(Scalar(2.0, "x") * 3.0)
drawing.svg
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    drawing.save(sys.argv[1])
except OSError as error:
    print(error)
"""
    said = python(program, path, text=True).stdout
    assert "File too large" in said and os.listdir(tmp_path) == ["out.svg"] and path.read_bytes() == b"old"


@posix
def test_files_03_every_odd_target_is_refused_in_words_or_written(tmp_path):
    drawing = draw(graph("x"))
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "full.svg").symlink_to("/dev/full")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "dangling.svg").symlink_to(tmp_path / "missing" / "a.svg")
    refused = {
        "missing/a.svg": FileNotFoundError, "folder.svg": IsADirectoryError, "full.svg": OSError, "file/a.svg": OSError, "dangling.svg": FileNotFoundError,
        "x" * 300 + ".svg": OSError, "no_suffix": ValueError, ".svg": ValueError, "a.svg.txt": ValueError, "a\0.svg": ValueError, "": ValueError,
    }  # fmt: skip
    for name, error in refused.items():
        with pytest.raises(error) as raised:
            drawing.save(tmp_path / name if name else "")
        assert str(raised.value)
    with pytest.raises(TypeError):
        drawing.save(bytes(tmp_path / "a.svg"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dangling.svg", "file", "folder.svg", "full.svg"]
    (tmp_path / "link.svg").symlink_to("target.svg")
    for name in ("a.svg", "ä.SVG", os.fsdecode(b"\xff\xfe.svg"), "link.svg"):
        assert drawing.save(tmp_path / name) == tmp_path / name
    assert (tmp_path / "link.svg").is_symlink() and (tmp_path / "target.svg").read_text(encoding="utf-8") == drawing.svg


def test_files_04_an_old_file_is_replaced_by_nothing_but_a_finished_picture(tmp_path, monkeypatch):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    with monkeypatch.context() as patch:
        patch.setattr(Canvas, "rendered", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            draw(graph("x")).save(path)
    assert path.read_bytes() == b"precious"
    assert draw(graph("x")).save(path).read_bytes().endswith(b"IEND\xaeB`\x82")


@posix
def test_files_05_of_two_processes_that_write_one_file_one_wins_whole(tmp_path):
    program = """
import sys
from tinygrad_vg import Scalar, draw
y = Scalar(0.5, sys.argv[2])
for _ in range(200):
    y = y.sin()
drawing = draw(y)
for _ in range(30):
    drawing.save(sys.argv[1])
"""
    path = tmp_path / "out.dot"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name], cwd=ROOT) for name in ("one", "another")]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_bytes())
    assert [writer.wait() for writer in writers] == [0, 0]
    seen.add(path.read_bytes())
    assert len(seen) <= 2 and all(text.startswith(b"digraph") and text.endswith(b"}\n") and text.count(b"->") == 200 for text in seen)
    assert os.listdir(tmp_path) == ["out.dot"]


def test_files_06_without_matplotlib_dot_svg_and_page_are_made_and_png_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    drawing = draw(graph("x"))
    for kind in ("dot", "svg", "html"):
        assert "y = multiply" in drawing.save(tmp_path / f"a.{kind}").read_text(encoding="utf-8")
    with pytest.raises(ImportError, match=r'pip install -e "\.\[draw\]"') as raised:
        drawing.save(tmp_path / "a.png")
    assert "\n" not in str(raised.value)


def program(folder, script):
    """A shell script called dot."""
    folder.mkdir(exist_ok=True)
    (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "dot").chmod(0o755)


@posix
def test_files_07_a_dot_that_misbehaves_is_none_of_our_business(monkeypatch, tmp_path):
    program(tmp_path / "bin", f"echo ran > {tmp_path}/ran; exec /bin/sleep 9")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for kind in ("dot", "svg", "png", "pdf", "html"):
        assert draw(graph("x")).save(tmp_path / f"a.{kind}").stat().st_size > 200
    assert not (tmp_path / "ran").exists()


@posix
@pytest.mark.parametrize("path", [".", "", ":", "./bin", "bin"])
def test_files_08_a_dot_in_the_current_folder_is_not_run(monkeypatch, tmp_path, path):
    for folder in (tmp_path, tmp_path / "bin"):
        program(folder, f"echo ran > {tmp_path}/ran; exit 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    assert "y = multiply" in draw(graph("x")).svg and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["-Tpng", "-o", "--help", "; rm -rf x", "$(touch ran)", "`touch ran`", "a b", "a'b", "|x", "é漢🔥", "%s%n", "~"])
def test_files_09_a_file_name_is_never_an_option_or_shell_text(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for kind in ("dot", "svg", "png"):
        assert os.fspath(draw(graph("x")).save(f"{name}.{kind}")) == f"{name}.{kind}"
        assert os.listdir(tmp_path) == [f"{name}.{kind}"]
        os.remove(tmp_path / f"{name}.{kind}")


@posix
@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX"}])
def test_files_10_files_are_utf_8_whatever_the_locale_and_a_closed_output_is_no_error(tmp_path, locale):
    program = """
import os, sys
from tinygrad_vg import Scalar, draw
os.close(1)
drawing = draw((Scalar(2.0, "\\u6f22 \\xe9 \\u2202") * 3.0).named("y"))
for kind in ("dot", "svg", "html"):
    drawing.save(os.path.join(sys.argv[1], f"a.{kind}"))
"""
    done = python(program, tmp_path, env=os.environ | locale)
    assert done.returncode == 0 and b"Error" not in done.stderr, done.stderr
    for kind in ("dot", "svg", "html"):
        assert "漢 é ∂" in (tmp_path / f"a.{kind}").read_text(encoding="utf-8")
