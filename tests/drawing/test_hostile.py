"""Five hundred hostile names: in DOT, SVG and the page each is text, shown as it is, and nothing else comes of it.

The catalogue is built of fragments with a fixed seed, so that it is the same everywhere; hypothesis adds names of its own.
A hostile picture is compared with a tame one of the same graph: it has the same tags, attributes and ids, only other words.
"""

import bisect
import itertools
import json
import random
import subprocess
import sys
import unicodedata
import xml.dom.minidom
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packed import graph_data, packed

from tinygrad_vg import Chain, Scalar, Tensor, draw, linear, square, tanh
from tinygrad_vg.autodiff.rows import elementwise
from tinygrad_vg.drawing.canvas import sheet
from tinygrad_vg.drawing.graph import canvas_of
from tinygrad_vg.drawing.typography import named, titled

needs_pygraphviz = pytest.mark.skipif(not find_spec("pygraphviz"), reason="needs pygraphviz, which reads the DOT back")

WHOLE = [
    "", " ", "   ", ".", "-", "_", "0", "1.5", "-.5", ".5e3", "nan", "None", "n0", "n1", "a0", "leaf", "node", "edge", "graph", "digraph", "subgraph", "strict", "Digraph", "cluster_0",
    "__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "name", "data", "\\", "\\\\", "a\\", "\\\"", "\"", "\"\"", "'", "`", "\0", "\n", "\n\n", "\r\n", "\t", "\x7f", "\x85",
    "x" * 199, "x" * 200, "x" * 201, "x" * 20_000, "&" * 20_000, "\"\\" * 10_000, "語" * 20_000, "🔥" * 20_000, "\n" * 20_000, "<<>>", "<", ">", "<>", "<b>", "<lambda> <map>", "=", "a = b", "h[3]", "h[t]", "[0]",
    "\u202e", "\u2066gnp.exe\u2069", "\ud800", "\udfff\ud800", "\ufffe", "\uffff", "\ufffd", "\u2028", "\u2029", "\u200b", "\ufeff", "\u0301\u0301\u0301", "👩\u200d🔬", "שלום", "\U0001fffe", "\U0010ffff",
]  # fmt: skip
FRAGMENTS = [
    '"', "'", "`", "\\", "\\\\", '\\"', "\\n", "\\l", "\\r", "\\N", "\\G", "\\L", "\\E", "\\T", "\\H", "<b>", "</b>", "<br/>", "<", ">", "<!--", "-->", "--", "]]>", "<![CDATA[", "<?xml?>", "<!DOCTYPE x>",
    "</script>", "<script>alert(1)</script>", "</SCRIPT >", "</title>", "</style>", "</svg>", "</textarea>", "<img src=x onerror=alert(1)>", " onload=alert(1) ", "javascript:alert(1)", "data:text/html,x",
    "https://example.org/?a&b", "//example.org", "URL=", 'href="', "{{data}}", "{{title}}", "{{", "}}", "${x}", "%s", "%n", "{0}", "{", "}", "|", "{a|b}", ":n", "->", "--", ";", "];", "a]; evil [label=pwn", 'x" -> "y', "digraph", "subgraph x {", "strict", "node", "edge",
    "&", "&amp;", "&lt;", "&#65;", "&#x41;", "&bogus;", "&nbsp;", "\n", "\r", "\r\n", "\t", "\0", "\x01", "\x08", "\x0b", "\x0c", "\x1b[31m", "\x7f", "\x85", "\x9b", "\u2028", "\u2029",
    "\u200e", "\u200f", "\u202a", "\u202e", "\u202c", "\u2066", "\u2069", "שלום", "مرحبا", "\ud800", "\udc00", "\udbff", "\ufffe", "\uffff", "\ufdd0", "\U0001ffff", "\ufeff", "\u200b", "\xad", "é", "e\u0301", "漢字", "🔥", "👩\u200d🔬", "𝒳", "∂", "↗", "…", "\xa0",
    " ", "  ", "0", "-1", "1e999", "#", "//", "/*", "*/", "@import", "expression(1)", "__proto__", "constructor", "x" * 300, "/etc/passwd", "..", "C:\\new", "CON", "=cmd()", ",", "[", "]", "[0]", "(", ")", "+",
]  # fmt: skip
COUNT, TOGETHER = 500, 25


def catalogue():
    """Every fragment alone, then random ones in a row, until there are five hundred different names."""
    rng = random.Random(24)
    names = dict.fromkeys([*WHOLE, *FRAGMENTS])
    while len(names) < COUNT:
        names["".join(rng.choices(FRAGMENTS, k=rng.randint(2, 8)))] = None
    return list(names)[:COUNT]


NAMES = catalogue()
RECURRENT = NAMES[2:-1:17]
FACTORS = [name for k, name in enumerate(NAMES) if k % 5 == 0 or name[:1] == "<"]


def shown(name, longest=200):
    """What is promised to be seen of a name, said in another way than the package does: one line, the unseen as U+FFFD, cut."""
    unseen = {"Cc", "Cs"}
    bidirectional = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    marked = ("\ufffd" if unicodedata.category(c) in unseen or unicodedata.bidirectional(c) in bidirectional or c in "\ufffe\uffff" else c for c in name.replace("\n", " "))
    text = "".join(marked)
    ends = list(itertools.accumulate(2 if unicodedata.east_asian_width(c) in "WF" else int(not unicodedata.combining(c)) for c in text))
    return text if not ends or ends[-1] <= longest else text[: bisect.bisect_right(ends, longest - 1)] + "…"


def chain_of(names):
    """Every name once on a leaf and once on a computed node."""
    h = Scalar(0.5, "x")
    for name in names:
        h = (h * Scalar(1.0, name)).named(name)
    h.backward()
    return h


def product_of(names):
    """Every name alone on an arrow, as the derivative with respect to the other factor; without gradients, so without gains."""
    y = Tensor(np.ones(2), "x")
    for name in names:
        y = y * Tensor(np.ones(2), name)
    return y


def recurrent(name):
    """A recurrence whose state, weights and inputs all have hostile names."""
    W, b = Tensor(0.5 * np.eye(2), name + "W"), Tensor(np.zeros(2), "b" + name)
    h = Tensor(np.ones(2)).named(name, 0)
    for t in range(1, 6):
        h = tanh(linear(h, W, b) + Tensor(np.ones(2)).named("x" + name, t)).named(name, t)
    loss = square(h).sum()
    loss.backward()
    return loss


FOLDS = [dict(fold=None), dict(fold="layer"), dict(fold="rolled"), dict(fold="states"), dict(steps=(2, 3)), dict(fold="layer", steps=(2, 3))]


@cache
def drawings():
    """{what: Drawing}: 20 chains of 25 names each, products of every fifth, and a recurrence in all five folds of every seventeenth."""
    made = {f"names {i} to {i + TOGETHER - 1}": draw(chain_of(NAMES[i : i + TOGETHER]), fold=None) for i in range(0, COUNT, TOGETHER)}
    made |= {f"factors from {i}": draw(product_of(FACTORS[i : i + TOGETHER]), fold=None) for i in range(0, len(FACTORS), TOGETHER)}
    for k, name in enumerate(RECURRENT):
        made |= {f"recurrence {k}, {fold}": draw(recurrent(name), **fold) for fold in FOLDS}
    return made


@cache
def tame():
    """The same graphs with names nobody could object to; those that are the same are drawn once."""
    chain, product = draw(chain_of([f"u{k}" for k in range(TOGETHER)]), fold=None), cache(lambda n: draw(product_of(["u"] * n), fold=None))
    made = {f"names {i} to {i + TOGETHER - 1}": chain for i in range(0, COUNT, TOGETHER)}
    made |= {f"factors from {i}": product(len(FACTORS[i : i + TOGETHER])) for i in range(0, len(FACTORS), TOGETHER)}
    for fold in FOLDS:
        made |= dict.fromkeys([f"recurrence {k}, {fold}" for k in range(len(RECURRENT))], draw(recurrent("u"), **fold))
    return made


CHILD = """
import json, sys
from pygraphviz import AGraph
answers = []
for dot in json.load(sys.stdin):
    graph = AGraph(string=dot)
    labels = {node: graph.get_node(node).attr["label"] for node in graph.nodes()}
    answers.append(dict(nodes=graph.nodes(), edges=[edge[:2] for edge in graph.edges()], clusters=len(graph.subgraphs()), labels=labels))
json.dump(answers, sys.stdout)
"""


@cache
def graphviz():
    """What Graphviz's parser reads of all drawings, in one process; it has nothing to complain about."""
    dots = [drawing.dot for drawing in drawings().values()]
    done = subprocess.run([sys.executable, "-c", CHILD], input=json.dumps(dots), capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr.strip() == ""
    return dict(zip(drawings(), json.loads(done.stdout)))


def tag(element):
    return element.tag.rpartition("}")[2]


def words(text):
    """Text as it is read: Graphviz writes blanks in a row as no-break spaces."""
    return " ".join(text.split())


@cache
def structure(svg):
    """Tags with the names of their attributes, and all ids; text and geometry left out."""
    return {(element.tag, *sorted(element.attrib), element.get("id")) for element in ET.fromstring(svg).iter()}


def check_harmless(svg):
    root = ET.fromstring(svg)
    xml.dom.minidom.parseString(svg.encode())
    ids = [element.get("id") for element in root.iter() if element.get("id") is not None]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert tag(element) in {"svg", "g", "a", "title", "text", "path", "polygon", "polyline", "rect", "ellipse", "style"}
        assert tag(element) != "style" or element.text == sheet()
        for key in element.attrib:
            assert not key.rpartition("}")[2].lower().startswith(("on", "href", "src", "style"))
    return root


def groups_of(root, kind):
    return {group.get("id"): group for group in root.iter() if tag(group) == "g" and (group.get("class") or "").split()[:1] == [kind]}


def texts(group):
    return [words(element.text or "") for element in group.iter() if tag(element) == "text"]


def test_the_catalogue_is_what_it_says():
    assert len(NAMES) == len(set(NAMES)) == COUNT
    everything = "".join(NAMES)
    assert all(fragment in everything for fragment in [*WHOLE, *FRAGMENTS])
    assert sum(len(name) == 20_000 for name in NAMES) >= 5
    assert NAMES == catalogue()


def test_a_box_says_the_literal_name_cleaned_and_cut():
    for i in range(0, COUNT, TOGETHER):
        names, boxes = NAMES[i : i + TOGETHER], drawings()[f"names {i} to {i + TOGETHER - 1}"].picture.boxes
        assert [box.lines[0] for box in boxes if box.kind == "leaf"] == ["x", *(named(shown(name)) if name else "leaf" for name in names)]
        computed = [titled(shown(name), "multiply") if name else "multiply" for name in names]
        assert [box.lines[0] for box in boxes if box.kind in ("node", "output")] == computed


def test_only_a_letter_with_an_index_is_set_in_another_way_than_it_is_written():
    changed = [name for name in map(shown, NAMES) if named(name) != name]
    assert changed == ["h[3]", "h[t]"]


def test_nothing_in_a_picture_breaks_a_line_or_turns_the_direction_of_writing():
    for drawing in drawings().values():
        parts = [*drawing.picture.boxes, *drawing.picture.arrows]
        for line in [line for part in parts for line in (*part.lines, *part.tooltip.split("\n"))]:
            assert line == shown(line, 2 * len(line))
            assert len(line) <= 3_000


@pytest.mark.parametrize("fold", FOLDS, ids=str)
def test_a_folded_picture_knows_its_states_by_their_hostile_name(fold):
    for k, name in enumerate(RECURRENT):
        picture = drawings()[f"recurrence {k}, {fold}"].picture
        wanted = shown(name)[:90]
        assert any(wanted in words for box in picture.boxes for words in (box.tooltip, *box.lines))


@needs_pygraphviz
def test_graphviz_reads_exactly_our_boxes_arrows_and_frames():
    for what, answer in graphviz().items():
        picture = drawings()[what].picture
        assert sorted(answer["nodes"]) == sorted(f"n{i}" for i in range(len(picture.boxes))), what
        assert sorted(map(tuple, answer["edges"])) == sorted((f"n{arrow.tail}", f"n{arrow.head}") for arrow in picture.arrows), what
        assert answer["clusters"] == sum(bool(group.label) for group in picture.groups), what


def test_columns_are_harmless_xml_in_which_every_box_and_arrow_shows_its_lines_as_they_are():
    for what, drawing in drawings().items():
        picture, root = drawing.picture, check_harmless(drawing.svg)
        for kind, worded, letters, parts in (("box", "box", "nn", picture.boxes), ("arrow", "words", "aw", picture.arrows)):
            groups, words = groups_of(root, kind), groups_of(root, worded)
            assert [*map(set, (groups, words))] == [{f"{letter}{i}" for i in range(len(parts))} for letter in letters], what
            for i, part in enumerate(parts):
                group, lines = groups[f"{letters[0]}{i}"], words[f"{letters[1]}{i}"]
                assert [element.text or "" for element in lines.iter() if tag(element) == "text"] == list(part.lines), what
                assert [element.text for element in group.iter() if tag(element) == "title"] == [part.tooltip], what


def test_columns_of_a_hostile_graph_have_the_tags_attributes_and_ids_of_a_tame_one():
    for what, drawing in drawings().items():
        assert structure(drawing.svg) == structure(tame()[what].svg), what  # a note may wrap elsewhere


class Page(HTMLParser):
    """Tags with the names of their attributes, ids, and the content of every script and of the title."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.skeleton, self.ids, self.scripts, self.titles, self.inside = [], [], {}, [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        found = dict(attributes)
        assert len(found) == len(attributes)
        self.skeleton.append((name, tuple(sorted(found))))
        self.ids += [found["id"]] if "id" in found else []
        self.inside = name
        if name == "script":
            self.inside = found.get("type", "script")
            assert self.inside not in self.scripts, "one script, and its data"
            self.scripts[self.inside] = ""
        if name == "title":
            self.titles.append("")

    def handle_endtag(self, name):
        self.inside = None

    def handle_data(self, text):
        if self.inside in self.scripts:
            self.scripts[self.inside] += text
        elif self.inside == "title":
            self.titles[-1] += text


@cache
def page(what, hostile=True):
    """The page of a drawing and what a parser finds in it."""
    text = (drawings() if hostile else tame())[what].html
    return text, Page(text)


PAGES = [f"names {i} to {i + TOGETHER - 1}" for i in range(0, COUNT, TOGETHER)] + [f"recurrence {k}, {FOLDS[k % len(FOLDS)]}" for k in range(len(RECURRENT))]


def test_a_page_is_one_document_with_the_tags_and_attributes_of_a_tame_one():
    for what in PAGES:
        text, found = page(what)
        assert set(found.scripts) == {"application/json", "script"}, what
        assert len(found.ids) == len(set(found.ids)), what
        assert sorted(found.skeleton) == sorted(page(what, hostile=False)[1].skeleton), what
        for name, attributes in found.skeleton:
            assert name not in {"iframe", "object", "embed", "link", "base", "img", "foreignobject", "a"}, what
            assert not any(key.startswith("on") or key in {"href", "src", "srcdoc", "xlink:href", "style", "action", "formaction"} for key in attributes), what
        text.encode("utf-8")


def test_the_script_of_a_page_is_the_same_whatever_the_names():
    scripts = {page(what)[1].scripts["script"] for what in PAGES}
    assert len(scripts) == 1 and scripts == {page(PAGES[0], hostile=False)[1].scripts["script"]}


def test_the_policy_of_a_page_lets_nothing_in():
    for what in PAGES[:3]:
        policy = page(what)[0].partition('Content-Security-Policy" content="')[2].partition('"')[0]
        assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy and "http" not in policy


def test_the_data_of_a_page_hold_every_hostile_name_as_text_and_can_not_end_their_script():
    for what in PAGES:
        picture, raw = drawings()[what].picture, page(what)[1].scripts["application/json"]
        assert "<" not in raw and all(c.isprintable() for c in raw if c < "\x7f"), what
        assert raw.isascii(), what
        data = json.loads(raw)
        assert [box["lines"][0] for box in data["boxes"]] == [box.lines[0] for box in picture.boxes], what
        assert [box["title"] for box in data["boxes"]] == [box.title for box in picture.boxes], what
        assert [(arrow["tail"], arrow["head"], tuple(arrow["lines"])) for arrow in data["arrows"]] == [a[:3] for a in picture.arrows], what
    for i in range(0, COUNT, TOGETHER):
        data = json.loads(page(f"names {i} to {i + TOGETHER - 1}")[1].scripts["application/json"])
        assert [box["name"] for box in data["boxes"] if box["kind"] == "leaf"] == ["x", *(shown(name) or "leaf" for name in NAMES[i : i + TOGETHER])]


def test_the_title_of_a_page_is_the_literal_name_of_the_output():
    for i in range(0, COUNT, TOGETHER):
        name = NAMES[i + TOGETHER - 1]
        (title,) = page(f"names {i} to {i + TOGETHER - 1}")[1].titles[:1]
        assert words(title)[:150] == words(shown(name))[:150]


def test_a_chain_beside_the_graph_keeps_hostile_names_as_text():
    for name in RECURRENT[::5]:
        h = [Tensor(np.ones(2)).named(name, 0)]
        for t in range(1, 4):
            h.append(tanh(h[-1] * Tensor([0.5, 2.0], name + "w")).named(name, t))
        loss = square(h[-1]).sum().named(name + "loss")
        text = draw(loss, chain=Chain(loss, h[0], through=h[1:])).html
        assert set(Page(text).scripts) == {"text/plain", "script"}
        assert packed(text)["models"][0]["raw"][0] == shown(name + "[0]", 10**6)
        assert graph_data(text)["boxes"][-1]["name"].startswith(shown(name + "loss")[:20])


def test_an_op_of_ones_own_with_an_odd_name_is_text_too():
    op = elementwise("test_odd(a)", "a * 2", "2.0")
    y = op(Scalar(1.0, "</script>\"\\N"))
    drawing = draw(y)
    assert [box.lines[0] for box in drawing.picture.boxes] == ["</script>\"\\N", "test_odd"]
    check_harmless(drawing.svg)


anything = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(st.characters(), max_size=8)), max_size=5).map("".join)


@settings(max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(anything, min_size=5, max_size=25))
def test_names_nobody_thought_of_are_text_in_dot_svg_and_columns(names):
    drawing = draw(chain_of(names), fold=None)
    picture = drawing.picture
    assert [box.lines[0] for box in picture.boxes if box.kind == "leaf"] == ["x", *(named(shown(name)) if name else "leaf" for name in names)]
    root = check_harmless(canvas_of(picture).svg)
    assert [list(map(words, box.lines)) for box in picture.boxes] == [texts(group) for group in groups_of(root, "box").values()]
    drawing.dot.encode()
    if find_spec("pygraphviz"):
        from pygraphviz import AGraph

        graph = AGraph(string=drawing.dot)
        assert set(graph.nodes()) == {f"n{i}" for i in range(len(picture.boxes))}
        assert graph.number_of_edges() == len(picture.arrows) and not graph.subgraphs()
        graph.close()


@settings(max_examples=8, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(anything)
def test_a_page_with_a_name_nobody_thought_of_keeps_it_as_text(name):
    found = Page(draw(chain_of([name, name + "2"]), fold=None).html)
    raw = found.scripts["application/json"]
    assert "<" not in raw and len(found.scripts) == 2
    assert [box["name"] for box in json.loads(raw)["boxes"] if box["kind"] == "leaf"] == ["x", shown(name) or "leaf", shown(name + "2")]
