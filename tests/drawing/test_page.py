"""The page as text: well-formed, closed to the outside, within its budget, the same bytes every time, and its numbers are the engine's."""

import base64
import configparser
import fnmatch
import hashlib
import json
import math
import pathlib
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from packed import packed

from tinygrad_vg import Chain, Scalar, Tensor, grad, history, linear, nn
from tinygrad_vg.drawing import draw
from tinygrad_vg.drawing.elements import Arrow, Box, Group, Picture
from tinygrad_vg.drawing.layout import layout
from tinygrad_vg.drawing.page import page_html
from tinygrad_vg.drawing.page_data import Store, page_data
from tinygrad_vg.drawing.river import river

ROOT = __file__.rpartition("/tests/")[0]
VOID = {"meta", "input", "br", "link"}
HOSTILE = (
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]> --> <!--<script>", "javascript:alert(1)", "__proto__",
    "constructor", "</title>\u2028\u2029", "{{data}} {{title}}", "a\0b\x1b[31m\ud800", "\\u003c \\", "&lt;b&gt;", "x" * 20_000, "",
)  # fmt: skip


def rnn(T=4, n=3, readout=True):
    cell = nn.RNNCell(3, n, rng=0)
    states = nn.unroll(cell, np.eye(3)[np.arange(T) % 3])
    loss = nn.cross_entropy(nn.Linear(n, 3, rng=1, name="out")(states[-1]), 2).named("loss")
    return loss, states


def scalar_mlp():
    x, w = [Scalar(0.5, "x0"), Scalar(-0.3, "x1")], iter(np.random.default_rng(0).normal(size=12))
    h = [sum((Scalar(next(w)).named("w", i, j) * x[j] for j in (0, 1)), Scalar(next(w)).named("b", i)).tanh().named("h", i) for i in (0, 1)]
    y = (h[0] * Scalar(next(w), "v0") + h[1] * Scalar(next(w), "v1")).sigmoid().named("y")
    return ((y - 1.0) ** 2).named("loss"), x[0]


def hostile(name):
    h = Tensor(np.ones(2)).named(name, 0)
    for t in (1, 2):
        h = np.tanh(h * Tensor([2.0, 1.0], name + "w")).named(name, t)
    return h.sum()


class Page(HTMLParser):
    """The elements of a page: every tag closed where it must be, the text of each <script> and <style>."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.scripts, self.styles, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)
            {"script": self.scripts, "style": self.styles}.get(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("script", "style"):
            {"script": self.scripts, "style": self.styles}[self.open[-1]][-1] += text

    @property
    def data(self):
        return json.loads(self.scripts[0], parse_constant=lambda word: pytest.fail(f"{word} in JSON"))


def page(output, chain=None, **options):
    return Page(page_html(draw(output, None).picture, {} if chain is None else {"": river(chain)}, **options))


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def data_of(picture, budget=300_000):
    store = Store(budget)
    return page_data(picture, layout(picture), store) | {"blobs": store.blobs}


def array(data, k, kind="<f8"):
    """An array of the page, whose bytes are sorted: all first ones, then all second ones."""
    bytes = np.frombuffer(base64.b64decode(data["blobs"][k]), "u1").reshape(np.dtype(kind).itemsize, -1)
    return np.frombuffer(bytes.T.tobytes(), kind)


def matrix(data, m):
    """The matrix of a map in the page, written out."""
    if m["kind"] == "scale":
        return float(m["x"]) * np.eye(m["rows"], m["columns"])
    if m["kind"] == "diagonal":
        return np.diag(array(data, m["d"]))
    flat = np.zeros(m["rows"] * m["columns"])
    flat[array(data, m["index"], "<i4") if m["kind"] == "sparse" else slice(None)] = array(data, m["d"])
    return flat.reshape(m["rows"], m["columns"])


def test_the_page_is_one_closed_document_with_unique_ids():
    loss, states = rnn()
    found = page(loss, Chain(loss, states[0], through=states))
    assert len(found.ids) == len(set(found.ids)) and len(found.scripts) == 2 and len(found.styles) == 1
    assert ("html", {"lang": "en"}) in found.tags


def test_the_policy_lets_in_one_script_and_one_style_sheet_and_nothing_else():
    found = page(rnn()[0])
    policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy
    assert rules["script-src"] == f"'{digest(found.scripts[1])}'" and rules["style-src"] == f"'{digest(found.styles[0])}'"


def test_nothing_in_the_page_loads_links_or_runs_by_itself():
    found = page(hostile(HOSTILE[1]))
    names = {key for _, attrs in found.tags for key in attrs}
    assert not {name for name in names if name.startswith("on") or name in ("style", "href", "src", "xlink:href", "srcset", "action")}
    assert not {tag for tag, _ in found.tags} & {"link", "iframe", "object", "embed", "img", "a", "foreignobject", "base"}
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write", "fetch(", "XMLHttpRequest", "import(", "new Function"):
        assert forbidden not in found.scripts[1]


def test_the_boxes_and_arrows_of_the_data_are_those_of_the_svg():
    loss, _ = rnn()
    picture, found = draw(loss, None).picture, page(loss)
    ids = set(found.ids)
    assert {f"n{i}" for i in range(len(found.data["boxes"]))} == {i for i in ids if re.fullmatch(r"n\d+", i)}
    assert {f"a{i}" for i in range(len(found.data["arrows"]))} == {i for i in ids if re.fullmatch(r"a\d+", i)}
    assert [(a["tail"], a["head"]) for a in found.data["arrows"]] == [(a.tail, a.head) for a in picture.arrows]


@pytest.mark.parametrize("output", [rnn()[0], scalar_mlp()[0]], ids=["rnn", "scalars"])
def test_every_map_in_the_page_is_the_engines_own(output):
    picture = draw(output, None).picture
    data = data_of(picture)
    for arrow, told in zip(picture.arrows, data["arrows"]):
        assert (told["map"] is None) == (arrow.local is None)
        if arrow.local is not None:
            assert np.array_equal(matrix(data, told["map"]), arrow.local.dense())


def test_values_and_gradients_keep_every_bit():
    loss, _ = rnn()
    order = {str(node.name): node for node in history(loss) if node.name}
    data = page(loss).data
    for box in data["boxes"]:
        node = order.get(box["name"])
        if node is None or box["kind"] == "alias":
            continue
        wanted = grad(loss, node)
        for told, true in ((box["value"], node.data), (box["gradient"], wanted)):
            entries = array(data, told["blob"]) if isinstance(told, dict) else told
            assert np.array_equal(np.ravel(entries), np.ravel(true)), box["name"]


def test_numbers_are_put_in_the_place_of_letters():
    w, x = Scalar(0.5, "w"), Scalar(-2.0, "x")
    data = page((w * x).tanh().named("h")).data
    told = {(data["boxes"][a["tail"]]["name"], a["formula"]): a["numbers"] for a in data["arrows"]}
    assert told == {("w", "x"): "(-2)", ("x", "w"): "0.5", ("multiply", "1 - h * h"): "1 - (-0.7616) * (-0.7616)"}


def test_a_number_is_that_of_its_node_whatever_the_names():
    a, b, y, K = (Scalar(x, name) for x, name in zip((0.5, 0.6, 0.7, 0.8), ("b", "a", "y", "K")))

    def numbers(node):
        return [arrow["numbers"] for arrow in page(node).data["arrows"]]

    assert numbers(a * b) == ["0.6", "0.5"]  # named a and b, the wrong way round: each is known by its name
    assert numbers(y.tanh()) == ["1 - 0.6044 * 0.6044"]  # of the child, not of its parent, which is called y
    assert numbers(K.gelu()) == ["gelu_slope(0.8)"]


def test_nan_and_infinities_are_not_numbers_of_json():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = Tensor([math.inf, 1.0], "x") * math.nan + Tensor([1e308, 0.0], "z") * 1e10
        values = page(y.sum()).data["boxes"], page(Scalar(-math.inf, "s") + 1.0).data["boxes"]
    assert values[1][0]["value"] == "-Infinity"


def test_equal_maps_are_stored_once():
    few, many = (page(rnn(T)[0]).data for T in (3, 9))
    dense = [{a["map"]["d"] for a in data["arrows"] if a["map"] and a["map"]["kind"] == "dense"} for data in (few, many)]
    assert len(dense[0]) == len(dense[1])


@pytest.mark.parametrize("budget", [0, 20, 60, 300_000])
def test_the_budget_is_kept_and_maps_between_computed_nodes_come_first(budget):
    data = data_of(draw(rnn(6)[0], None).picture, budget)
    numbers = sum(len(base64.b64decode(text)) / 8 for text in data["blobs"])
    assert numbers <= 2 * budget
    missing = [a for a in data["arrows"] if a["map"] is None and a["formula"]]
    assert bool(missing) == (budget < 100) and all(a["size"] is not None for a in missing)
    if budget == 60:
        assert not [a for a in missing if data["boxes"][a["tail"]]["kind"] == "node"]


def test_arrays_above_4096_entries_are_left_out_with_shape_and_norm():
    x = Tensor(np.full((80, 80), 0.5), "x")
    told = next(box for box in page((x * 2.0).sum()).data["boxes"] if box["name"] == "x")
    assert told["value"] == {"left_out": 6400, "norm": 40.0, "shape": [80, 80]}


def test_a_batch_of_large_maps_still_makes_a_small_page_quickly():
    h = Tensor(np.ones((64, 64)) / 64, "h")
    for t in range(20):
        h = np.tanh(h @ Tensor(np.eye(64), f"W{t}"))
    assert len(page_html(draw(h.sum(), None).picture)) < 8e6


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_or_title_is_text_and_nothing_else(name):
    tame, wild = page(hostile("tame"), title="tame"), page(hostile(name), title=name)
    tags = [[tag for tag, _ in found.tags] for found in (tame, wild)]
    assert tags[0] == tags[1] and wild.scripts[1] == tame.scripts[1] and "<" not in wild.scripts[0]
    assert len(wild.data["boxes"]) == len(tame.data["boxes"])
    page_html(draw(hostile(name)).picture, title=name).encode()


def test_the_title_is_the_one_given_or_the_outputs_name():
    assert "<title>A &amp; B</title>" in page_html(draw(rnn()[0]).picture, title="A & B")
    assert "<title>loss</title>" in page_html(draw(rnn()[0]).picture)


def test_the_chain_of_another_graph_or_with_a_factor_replaced_still_makes_a_page():
    loss, states = rnn()
    chain = Chain(loss, states[0], through=states).replace(1, 1.0)
    assert packed(draw(loss, chain=chain).html)["models"][0]["links"][1]["factor"] == "[diag(1)]"
    assert packed(page_html(draw(loss).picture, {"": river(Chain(*scalar_mlp()))}))["models"]


def plain_graphs():
    """Two graphs without sums whose last digit may hang on where an array lies in memory."""
    return [scalar_mlp()[0], (Tensor([3.0, 4.0], "x") * np.array([1.0, 2.0])).named("y").sum()]


def test_the_same_graph_gives_the_same_bytes_in_any_process():
    code = (
        "import sys; sys.path[:0] = ['.', 'tests/drawing']; import test_page as t; "
        "sys.stdout.buffer.write(''.join(t.page_html(t.draw(y).picture) for y in t.plain_graphs()).encode())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONHASHSEED": seed}, check=True, cwd=ROOT).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == "".join(page_html(draw(y).picture) for y in plain_graphs()).encode()


def test_gradients_are_shown_though_no_backward_pass_has_been_run_and_none_is_left_behind():
    loss, _ = rnn()
    text = page_html(draw(loss).picture)
    assert "|grad| " in text and loss.grad is None


def test_the_gains_of_the_page_are_those_of_its_own_gradients():
    x, W = Tensor([1.0, 1.0], "x"), Tensor([[1.0, 0.0], [0.0, 10.0]], "W")
    h = linear(x, W).named("h")
    h[1:2].sum().backward()
    output = h[0:1].sum()
    gains = [line for arrow in page(output).data["arrows"] for line in arrow["lines"] if line.startswith("gain")]
    assert sorted(gains) == ["gain 1", "gain 1", "gain 1", "gain 1.4"]  # gain 10 is on the way of the other output


def test_after_two_passes_the_box_and_its_tooltip_show_one_and_the_sum_has_its_name():
    x = Scalar(2.0, "x")
    y = x * x
    y.backward()
    y.backward()
    text = page_html(draw(y, None).picture)
    assert Page(text).data["boxes"][0]["lines"][2] == "grad 4"
    assert text.partition('id="n0"')[2].partition("<title>")[2].partition("</title>")[0].split("\n")[2:] == ["gradient 4", ".grad, accumulated over passes, 8"]
    assert draw(y).picture.boxes[0].lines[2] == "grad 8" and "accumulated" not in draw(y).picture.boxes[0].tooltip


@pytest.mark.parametrize("fold", [{"fold": "rolled"}, {"fold": "layer"}, {"fold": "states"}, {"steps": (3, 4)}])
def test_the_boxes_that_are_not_folded_have_their_gradients_on_a_page_too(fold):
    loss, _ = rnn(6)
    whole = {box.title: box.gradient for box in draw(loss, None).picture.boxes if box.kind not in ("constant", "alias")}
    shown = [box for box in draw(loss, **fold).picture.boxes if box.kind in ("leaf", "node", "output")]
    assert shown and all(np.array_equal(box.gradient, whole[box.title]) for box in shown if not box.title.startswith("linear"))


def test_a_picture_without_gradients_makes_a_page_too():
    data = page(Tensor([1.0, 2.0], "x") * 2.0).data
    assert [box["gradient"] for box in data["boxes"] if box["kind"] == "output"] == [None]


@pytest.mark.parametrize("fold", ["layer", "rolled"])
def test_folded_pictures_make_a_page_with_their_note_above_the_legend(fold):
    loss, _ = rnn(6)
    loss.backward()
    picture = draw(loss, fold).picture
    text = page_html(picture)
    Page(text)
    assert picture.note and text.index('<p class="note">') < text.index('class="legend"')


def test_a_loop_runs_on_a_lane_of_its_own_above_the_boxes():
    boxes = [Box((name,), name, "node", name=name) for name in "abc"]
    arrows = [Arrow(0, 1), Arrow(1, 2), Arrow(2, 0, ("back",)), Arrow(1, 1, ("again",))]
    picture = Picture(boxes, arrows, [Group("one", [0, 1, 2])], "")
    made, found = layout(picture), Page(page_html(picture))
    xs = [place.x for place in made.places]
    assert xs == sorted(xs) and len(set(xs)) == 3
    assert [a["loop"] for a in found.data["arrows"]] == [False, False, True, True] == made.square
    lanes = {way[2][1] for way in made.ways[2:]}
    assert len(lanes) == 2 and 0 < min(lanes) <= max(lanes) < min(place.y - place.high / 2 for place in made.places)


def test_long_arrows_run_past_the_boxes_between():
    loss, _ = scalar_mlp()
    picture = draw(loss, None).picture
    made = layout(picture)
    for arrow, way in zip(picture.arrows, made.ways):
        for (x, y), (X, Y) in zip(way, way[1:]):
            for i, p in enumerate(made.places):
                level = y == Y and abs(p.y - y) < p.high / 2 and x < p.x - p.wide / 2 and p.x + p.wide / 2 < X
                assert i in (arrow.tail, arrow.head) or not level


def test_a_weight_used_everywhere_in_a_long_unnamed_graph_makes_no_endless_page():
    w, h = Scalar(0.9, "w"), Scalar(0.5, "x")
    for _ in range(1_000):
        h = (w * h).tanh()
    picture = draw(h, None).picture
    text = page_html(picture)
    assert len(text) < 5e6
    assert max(len(way) for way in layout(picture).ways) <= 30


def test_every_asset_is_packaged():
    setup = configparser.ConfigParser()
    setup.read(f"{ROOT}/setup.cfg", encoding="utf-8")
    patterns = setup["options.package_data"]["tinygrad_vg"].replace("\n", ",").split(",")
    for path in pathlib.Path(ROOT, "tinygrad_vg", "drawing").glob("page*.[hcj]*"):
        assert any(fnmatch.fnmatch(f"drawing/{path.name}", pattern.strip()) for pattern in patterns), f"{path.name} is in no wheel: see package_data"


def test_above_3000_boxes_the_page_is_refused_with_the_limit_and_the_way_out():
    y = Scalar(0.5)
    for _ in range(3_000):
        y = y.sin()
    with pytest.raises(ValueError, match=r"3,001 boxes.*limit of 3,000.*fold="):
        page_html(draw(y, None).picture)
