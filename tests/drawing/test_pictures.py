"""What is drawn: boxes and arrows against the history, aliases, steps, numbers, colours, DOT, SVG."""

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, history, linear, sigmoid, square, tanh
from tinygrad_vg.chain.factors import norm
from tinygrad_vg.drawing import colours, draw
from tinygrad_vg.drawing.graph import canvas_of
from tinygrad_vg.drawing.layout import layout
from tinygrad_vg.drawing.sketch import SHARED
from tinygrad_vg.drawing.steps import steps
from tinygrad_vg.drawing.typography import named
from tinygrad_vg.text.numbers import number

HOSTILE = {
    "quotes": "say \"hi\" 'there'",
    "backslashes": "C:\\new\\N\\",
    "backslash quote": '\\"',
    "markup": "<b>",
    "whole markup": "<table><tr><td>x</td></tr></table>",
    "script": "</script></svg><script>alert(1)</script>",
    "entity": "&lt;i&gt; &amp; &#65; &",
    "newlines": "a\nb\r\nc\td",
    "NUL": "a\0b\x01\x1b[31m",
    "right to left": "שלום \u202egnp.exe",
    "emoji": "🔥👩‍🔬",
    "20,000 characters": "x" * 20_000,
    "surrogate": "a\ud800b",
    "not a character": "\ufffe\uffff",
    "braces": "{a|b}:n w",
    "CDATA": "]]> -- <!--",
    "URL": "javascript:alert(1)",
    "empty": "",
}


def rnn(T=4, n=3, backward=True):
    rng = np.random.default_rng(0)
    W_xh, W_hh, b = Tensor(rng.normal(size=(n, 2)), "W_xh"), Tensor(0.4 * rng.normal(size=(n, n)), "W_hh"), Tensor(np.zeros(n), "b")
    h = Tensor(np.zeros(n)).named("h", 0)
    for t in range(1, T + 1):
        z = (linear(rng.normal(size=2), W_xh) + linear(h, W_hh, b)).named("z", t)
        h = tanh(z).named("h", t)
    loss = square(h).sum()
    if backward:
        loss.backward()
    return loss


def lstm(T=3, n=2):
    rng = np.random.default_rng(0)
    W = {gate: Tensor(rng.normal(size=(n, n)), f"W_{gate}") for gate in "ifgo"}
    h, c = Tensor(np.ones(n)).named("h", 0), Tensor(np.ones(n)).named("c", 0)
    for t in range(1, T + 1):
        i, f, g, o = (act(linear(h, W[k])).named(k, t) for k, act in zip("ifgo", (sigmoid, sigmoid, tanh, sigmoid)))
        c = (f * c + i * g).named("c", t)
        h = (o * tanh(c)).named("h", t)
    return square(h).sum()


def random_graph(seed):
    rng = np.random.default_rng(seed)
    pool = [Scalar(x, f"x{i}") for i, x in enumerate(rng.normal(size=3))]
    for _ in range(12):
        a, b = (pool[i] for i in rng.integers(len(pool), size=2))
        pool.append([a + b, a * b, a.tanh(), a - 2.0, b.sin()][rng.integers(5)])
    return pool[-1]


def titles(drawing):
    return [box.title if box.kind in ("leaf", "node", "output") else box.lines[0] for box in drawing.picture.boxes]


@pytest.mark.parametrize("seed", range(30))
def test_there_is_one_box_for_each_node_or_constant_and_one_arrow_for_each_parent_slot(seed):
    output = random_graph(seed)
    order, picture = history(output), draw(output).picture
    constants = sum(len(node.parents) - len(node.variables) for node in order)
    assert len(picture.boxes) == len(order) + constants
    assert len(picture.arrows) == sum(len(node.parents) for node in order)


def test_a_times_a_has_two_arrows_and_a_is_drawn_once():
    a = Scalar(3.0, "a")
    assert titles(draw(a * a)) == ["a", "multiply"]
    assert [(arrow.tail, arrow.head, arrow.lines) for arrow in draw(a * a).picture.arrows] == [(0, 1, ("3",)), (0, 1, ("3",))]
    assert titles(draw(a * a + a)) == ["a", "multiply", "add"]


def test_a_constant_is_a_grey_box_whose_arrow_has_no_derivative():
    picture = draw(Scalar(2.0, "x") * 5.0).picture
    assert [(box.kind, box.lines[0]) for box in picture.boxes] == [("leaf", "x"), ("constant", "5"), ("output", "multiply")]
    assert picture.arrows[1].lines == () and picture.arrows[1].heat is None


def test_a_shared_weight_has_one_real_box_without_arrows_and_an_alias_in_each_step():
    picture = draw(rnn(T=4)).picture
    for weight in ("W_xh", "W_hh", "b"):
        real = [i for i, box in enumerate(picture.boxes) if box.kind == "leaf" and box.name == weight]
        aliases = [i for i, box in enumerate(picture.boxes) if box.lines == (f"{named(weight)} ↗",)]
        groups = [group.label for group in picture.groups for i in aliases if i in group.boxes]
        assert len(real) == 1 and real[0] in dict(picture.groups)[SHARED] and groups == ["t = 1", "t = 2", "t = 3", "t = 4"]
        assert not any(arrow.tail == real[0] for arrow in picture.arrows)
        assert all(sum(arrow.tail == i for arrow in picture.arrows) == 1 for i in aliases)


def test_arrows_never_join_boxes_that_are_more_than_one_step_apart():
    picture = draw(rnn(T=6)).picture
    place = {i: number for number, group in enumerate(picture.groups) for i in group.boxes}
    last = len(picture.groups)
    assert max(place.get(a.head, last) - place.get(a.tail, last) for a in picture.arrows) == 1


def test_steps_are_read_from_the_names_and_the_loss_belongs_to_none():
    loss = rnn(T=2)
    step = steps(history(loss))
    by_name = {str(node.name): step[node] for node in history(loss) if node.name and node in step}
    assert {name: by_name[name] for name in ("h[0]", "z[1]", "h[1]", "z[2]", "h[2]")} == {
        "h[0]": 0,
        "z[1]": 1,
        "h[1]": 1,
        "z[2]": 2,
        "h[2]": 2,
    }
    assert loss not in step
    assert all(step[node] in (1, 2) for node in history(loss) if node.op == "linear")


def test_units_of_a_layer_and_entries_of_a_weight_are_not_steps():
    W = [Scalar(0.5).named("W", i) for i in range(2)]
    h = [(w * 2.0).tanh().named("h", i) for i, w in enumerate(W)]
    assert steps(history(h[0] + h[1])) == {} and steps(history((h[1] * 2).named("h", 0))) == {}


def test_layers_with_their_own_weights_are_called_layers():
    h = Scalar(0.5, "x")
    for k in (1, 2):
        h = (h * Scalar(0.9).named("w", k)).tanh().named("h", k)
    assert [group.label for group in draw(h).picture.groups] == ["layer 1", "layer 2"]


def test_a_loss_at_each_step_stays_in_its_step():
    w, h, losses = Scalar(0.9, "w"), Scalar(0.5).named("h", 0), []
    for t in (1, 2, 3):
        h = (w * h).tanh().named("h", t)
        losses.append((h - 1.0) ** 2.0)
    total = losses[0] + losses[1] + losses[2]
    step = steps(history(total))
    assert [step.get(loss) for loss in losses] == [1, 2, None] and total not in step
    assert draw(total).svg


def test_a_first_state_used_at_two_steps_is_not_a_weight():
    w, h = Scalar(0.9, "w"), [Scalar(0.5).named("h", 0)]
    for t in (1, 2, 3):
        h.append((w * h[-1] + h[max(t - 2, 0)]).tanh().named("h", t))
    picture = draw(h[-1]).picture
    assert [group.label for group in picture.groups] == [SHARED, "t = 0", "t = 1", "t = 2", "t = 3"]
    assert [picture.boxes[i].name for i in picture.groups[1].boxes] == ["h[0]"]


def test_a_transposed_weight_used_at_every_step_is_not_a_hub():
    W, h = Tensor(np.eye(2), "W"), Tensor(np.ones(2)).named("h", 0)
    W_T = W.T
    for t in range(1, 9):
        h = np.tanh(h @ W_T).named("h", t)
    picture = draw(h.sum()).picture
    assert max(sum(arrow.tail == i for arrow in picture.arrows) for i in range(len(picture.boxes))) <= 2


def test_gradients_are_shown_if_there_and_never_computed():
    loss = rnn(backward=False)
    assert "|grad|" not in draw(loss).dot and loss.grad is None
    loss.backward()
    assert "|grad|" in draw(loss).dot


def test_a_picture_without_gradients_says_how_to_get_them_and_the_page_which_has_some_does_not():
    loss, missing = rnn(backward=False), "no gradients: call backward() on the output before draw()"
    assert missing in draw(loss).dot and missing in draw(loss).svg and missing not in draw(loss).html
    assert missing in draw(loss, fold="layer").dot and "folded into" in draw(loss, fold="layer").dot
    assert not draw(Scalar(1.0, "x")).picture.captions, "one box alone has nothing to hand back"
    loss.backward()
    assert missing not in draw(loss).dot


def test_the_gains_along_the_row_multiply_to_the_gradient():
    x = Scalar(0.3, "x")
    y = (x * 2.0).tanh().sin()
    y.backward()
    assert math.prod(10**arrow.heat for arrow in draw(y).picture.arrows if arrow.heat is not None) == pytest.approx(x.grad, rel=1e-12)


def test_the_gain_of_a_tensors_arrow_is_the_contribution_over_the_childs_gradient():
    loss = rnn(T=3)
    picture = draw(loss).picture
    z, h = (next(i for i, box in enumerate(picture.boxes) if box.name == name and box.kind == "node") for name in ("z[2]", "h[2]"))
    arrow = next(arrow for arrow in picture.arrows if (arrow.tail, arrow.head) == (z, h))
    nodes = {str(node.name): node for node in history(loss)}
    assert 10**arrow.heat == pytest.approx(np.linalg.norm(nodes["z[2]"].grad) / np.linalg.norm(nodes["h[2]"].grad), rel=1e-12)


@pytest.mark.parametrize("x", [5e-324, 1e-200, -1e-5, 0.99999, 1e300])
def test_nothing_but_zero_prints_as_zero(x):
    assert float(number(x)) != 0 and number(0.0) == number(-0.0) == "0"
    assert norm(np.array([x, x])) == pytest.approx(abs(x) * math.sqrt(2), rel=0.5)


def test_zero_nan_and_inf_look_like_nothing_else():
    looks = [colours.colour(heat) for heat in (-math.inf, math.nan, math.inf, -9.0, 9.0, 0.0)]
    assert len(set(looks)) == 6 and all(len(look) == 7 for look in looks)


def test_blue_has_shrunk_and_red_has_grown():
    red, _, blue = (int(colours.colour(2.0)[i : i + 2], 16) for i in (1, 3, 5))
    assert red > blue and colours.colour(-2.0) != colours.colour(2.0)
    assert colours.colour(-6.0) == colours.BLUE and colours.colour(0.0) == colours.WHITE and colours.colour(6.0) == colours.RED


@pytest.mark.parametrize("heats", [[-0.44, 0.34], [-0.1, 0.0], [3.2], [-math.inf], [math.inf, math.nan, None], [-300.0], [-17.0, 0.0], [9.0]])
def test_the_scale_of_the_boxes_is_the_same_whatever_the_picture(heats):
    (title, fields), *others = colours.legend(heats, [])
    texts, grown = [field.text for field in fields], any(heat is not None and 0 < heat < math.inf for heat in heats)
    assert (title, others) == ("box: |gradient|", []) and texts[:5] == ["less", "10⁻⁶", "10⁻⁴", "10⁻²", "1"]
    assert ("10⁶" in texts) == grown, "red is in the legend only where something has grown"
    assert [fields[k].colour for k in (0, 1, 4)] == [colours.NAVY, colours.BLUE, colours.WHITE]
    odd = {colours.special(heat) for heat in heats if heat is not None and not math.isfinite(heat)}
    assert {field.text for field in fields if field.text in colours.SPECIAL} == odd


def steps_of(w, T):
    h = x = Scalar(1.0).named("h", 0)
    for t in range(1, T + 1):
        h = (h * w).named("h", t)
    h.backward()
    return h, x


def shades(output, **fold):
    """{(base, step): fill} of the states drawn."""
    return {box.name: colours.fill_of(box.kind, box.heat) for box in draw(output, **fold).picture.boxes if box.name.startswith("h[")}


def blueness(fill):
    red, _, blue = (int(fill[i : i + 2], 16) for i in (1, 3, 5))
    return (blue - red) / 255 if blue > 90 else 1.0  # navy: beyond the scale


def test_equal_sizes_have_equal_shades_in_all_pictures_and_relative_to_the_start_of_the_pass():
    for w, T in ((0.1, 3), (0.1, 9), (0.5, 20)):
        output, _ = steps_of(w, T)
        for name, fill in shades(output, fold=None).items():
            back = T - int(name[2:-1])
            assert fill == colours.colour(back * math.log10(w)) or abs(back * math.log10(w)) < 1e-12
    h, x = steps_of(0.1, 4)
    (h * 1000.0).backward(seed=1e-3)
    loud = h * 1e4
    loud.backward(seed=3.0)
    heats = [box.heat for box in draw(loud).picture.boxes if box.name == "h[4]"]
    assert heats == [pytest.approx(4.0)], "not |gradient| itself, but beside the gradient the pass starts with"


def test_a_vanished_net_is_bluer_than_a_healthy_one_and_what_is_below_the_scale_is_darker_still():
    vanished, healthy = (shades(steps_of(w, 20)[0], fold=None).values() for w in (0.2, 0.98))
    assert np.mean([blueness(fill) for fill in vanished]) > 3 * np.mean([blueness(fill) for fill in healthy])
    long = shades(steps_of(10 ** (-37 / 400), 400)[0], fold=None)
    assert len({long["h[0]"], long["h[340]"], long["h[397]"]}) == 3, "10⁻³⁷, 10⁻⁶ and 0.5"
    assert colours.colour(-37.0) == colours.NAVY != colours.colour(-6.0) == colours.BLUE and colours.colour(40.0) == colours.MAROON


def test_equal_gradients_have_equal_colours_in_dot_and_svg():
    x = Scalar(0.3, "x")
    y = ((x * 2.0).named("a") + (x * 2.0).named("b")) * 0.01
    y.backward()
    picture = draw(y).picture
    fills = {box.name: colours.fill_of(box.kind, box.heat) for box in picture.boxes if box.kind != "constant"}
    assert fills["a"] == fills["b"] == colours.mix(colours.WHITE, colours.BLUE, 2 / 6) != fills["x"]
    assert f'fillcolor="{fills["a"]}"' in draw(y).dot and fills["a"] in canvas_of(picture).svg


@pytest.mark.parametrize("w", [0.0, 5e-324, 1e308, math.inf, math.nan])
def test_pictures_of_zeros_and_infinities_have_a_scale_too(w):
    with np.errstate(all="ignore"):
        x = Scalar(1.0, "x")
        y = x * w * w
        y.backward()
        drawing = draw(y)
    assert "10⁻⁶" in drawing.svg and "<svg" in drawing.html


def luminance(c):
    parts = [int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(k * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for k, v in zip((0.2126, 0.7152, 0.0722), parts))


LINES = {*colours.SHADES, colours.FALL, colours.RISE, *(colours.colour(x, 1.0, colours.GREY) for x in (-0.5, 0.0, 0.5))}


@pytest.mark.parametrize("shade", sorted(LINES))  # in one order in every process
def test_lines_are_readable_on_white_and_on_black(shade):
    assert 1.05 / (luminance(shade) + 0.05) >= 3.0 and (luminance(shade) + 0.05) / 0.05 >= 4.0


def test_the_legend_shows_an_exact_zero_of_an_arrow_as_a_dotted_line_on_no_ground():
    (_, fields) = colours.legend([], [-math.inf, 0.0])[0]
    assert fields[-1] == ("", "···· zero") and colours.ink("") == "soft"
    drawing = draw(relu_of_a_negative_number())
    assert ">···· zero</text>" in drawing.svg and 'stroke-dasharray="2 4"' in drawing.svg


def relu_of_a_negative_number():
    y = Scalar(-1.0, "x").relu()
    y.backward()
    return y


@pytest.mark.parametrize("heat", [*np.linspace(-7, 7, 113), -math.inf, math.nan, math.inf])
def test_text_is_readable_on_every_fill(heat):
    fill = colours.colour(heat)
    low, high = sorted((luminance(fill), luminance(colours.ink(fill))))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_a_leaf_changed_since_is_marked_and_the_drawing_still_comes():
    x = Scalar(2.0, "x")
    y = x * x
    x.data = 5.0
    assert "changed since it was used" in draw(y).picture.boxes[0].lines


def test_the_same_graph_gives_the_same_bytes():
    code = "import sys; sys.path[:0] = ['.', 'tests/drawing']; import test_pictures as t; print(t.draw(t.rnn()).dot)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, env={"PYTHONHASHSEED": seed}, check=True, cwd=ROOT).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and draw(rnn()).dot == draw(rnn()).dot


def test_boxes_are_numbered_from_zero_whatever_was_born_before():
    first = draw(random_graph(0)).dot
    [Scalar(1.0) for _ in range(100)]
    assert draw(random_graph(0)).dot == first


def test_too_many_boxes_are_refused_with_the_limit_and_the_way_to_lift_it():
    y = Scalar(0.5)
    for _ in range(20):
        y = y.sin()
    with pytest.raises(ValueError, match=r"more than 20 boxes.*limit="):
        draw(y, limit=20)
    assert repr(draw(y, limit=21)) == "Drawing(21 boxes, 20 arrows)"
    for _ in range(100_000):
        y = y.sin()
    with pytest.raises(ValueError, match="more than 5,000 boxes"):
        draw(y)


def test_draw_takes_a_node_only():
    with pytest.raises(TypeError, match="needs a node"):
        draw(np.ones(3))


def test_a_drawing_does_not_keep_its_graph():
    import weakref

    x = Scalar(1.0, "x")
    y = x.sin()
    gone, drawing = weakref.ref(y), draw(y)
    del y
    assert gone() is None and "sin" in drawing.dot


def test_importing_the_package_loads_nothing_but_numpy():
    code = "import sys, tinygrad_vg.drawing; print({'graphviz', 'pygraphviz', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == "set()"


def hostile(name):
    h = Tensor(np.ones(2)).named(name, 0)
    for t in (1, 2):
        h = np.tanh(h * Tensor([2.0, 1.0], name + "w")).named(name, t)
    loss = h.sum()
    loss.backward()
    return loss


def check_svg(text, boxes):
    root = ET.fromstring(text)
    assert not [key for element in root.iter() for key in element.attrib if key.rpartition("}")[2] == "href"]
    assert not [element for element in root.iter() if element.tag.rpartition("}")[2] == "script"]
    ids = [element.get("id") for element in root.iter() if element.tag.endswith("}g")]
    assert {f"n{i}" for i in range(boxes)} <= set(ids)
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_columns_are_well_formed_and_show_a_hostile_name_as_it_is(name):
    drawing = draw(hostile(name))
    shown = check_svg(drawing.svg, len(drawing.picture.boxes))
    assert set(titles(drawing)) <= set(shown)


def test_long_names_are_cut_at_200_characters():
    title = titles(draw(Scalar(1.0, "x" * 20_000)))[0]
    assert len(title) == 200 and title.endswith("…")


def overlapping(places):
    return [(p, q) for i, p in enumerate(places) for q in places[:i]
            if abs(p.x - q.x) < (p.wide + q.wide) / 2 - 1e-6 and abs(p.y - q.y) < (p.high + q.high) / 2 - 1e-6]


@pytest.mark.parametrize("down", [False, True], ids=["right", "down"])
@pytest.mark.parametrize("output", [rnn(), lstm(), random_graph(3)], ids=["rnn", "lstm", "scalars"])
def test_arrows_run_ahead_in_a_band_no_two_boxes_overlap_and_all_lies_in_the_picture(output, down):
    picture = draw(output).picture
    found = layout(picture, down)
    for arrow in picture.arrows:
        a, b = found.places[arrow.tail], found.places[arrow.head]
        if found.band[arrow.tail] == found.band[arrow.head]:
            assert (a.y < b.y if down else a.x < b.x)
    assert overlapping(found.places) == []
    assert all(p.wide / 2 <= p.x <= found.wide - p.wide / 2 and p.high / 2 <= p.y <= found.high - p.high / 2 for p in found.places)
    assert all(0 <= x <= found.wide and 0 <= y <= found.high for way in found.ways for x, y in way)


@pytest.mark.parametrize("output", [rnn(), lstm()], ids=["rnn", "lstm"])
def test_every_state_of_a_band_stands_in_one_straight_row(output):
    picture = draw(output).picture
    found = layout(picture)
    for row in {box.row for box in picture.boxes} - {None}:
        for band in set(found.band):
            assert len({round(found.places[i].y, 6) for i, box in enumerate(picture.boxes) if box.row == row and found.band[i] == band}) <= 1



ROOT = __file__.rpartition("/tests/")[0]


def test_a_gain_that_reads_an_operand_changed_since_is_not_shown():
    a, b = Tensor([1.0, 2.0], "a"), Tensor([3.0, 4.0], "b")
    y = (a * b).named("y")
    y.sum().backward()
    assert draw(y).picture.arrows[0].lines == ("b", "gain 3.5")
    b.data = [30.0, 40.0]
    arrows = draw(y).picture.arrows
    assert [arrow.lines for arrow in arrows] == [("b",), ("a",)] and all("changed since" in arrow.tooltip for arrow in arrows)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_where_an_operand_has_changed_no_slope_is_shown_and_none_is_given(leaf):
    a, b = leaf(2.0, "a"), leaf(3.0, "b")
    y = a * b
    b.data = 30.0
    assert [arrow.lines for arrow in draw(y).picture.arrows] == [("b",), ("a",)]
    assert all("an operand has changed since" in arrow.tooltip for arrow in draw(y).picture.arrows)
    for edge in y.edges:
        with pytest.raises(RuntimeError, match="b was given new data after multiply used it"):
            edge.local  # noqa: B018


def test_the_chain_of_another_graph_is_refused():
    x, y = Scalar(0.5, "x").tanh(), Scalar(0.5, "z")
    loss = (y * 2.0).named("loss")
    with pytest.raises(ValueError, match="starts at loss, which is no part of the graph of the Scalar made by tanh"):
        draw(x, chain=Chain(loss, y))
    assert draw(loss, chain=Chain(loss, y)).html


def test_one_is_one_and_a_name_of_any_width_keeps_its_place():
    assert repr(draw(Scalar(1.0, "x"))) == "Drawing(1 box, 0 arrows)" and repr(draw(Scalar(1.0, "x").sin())) == "Drawing(2 boxes, 1 arrow)"
    assert titles(draw(Scalar(1.0, "\u8a9e" * 300)))[0] == "\u8a9e" * 99 + "…"
    assert len(titles(draw(Scalar(1.0, "e" + "\u0301" * 20_000)))[0]) <= 800


@pytest.mark.parametrize("limit", [0, -1, 2.5, None, "many", math.nan])
def test_a_limit_that_is_no_number_of_boxes_is_refused(limit):
    with pytest.raises(ValueError, match="limit is the most boxes to draw, a whole number"):
        draw(Scalar(1.0), limit=limit)


def test_the_numbers_of_a_small_graph_can_be_multiplied_as_they_are_printed():
    w, x = Scalar(4.0, name="w"), Scalar(0.5, name="x")
    h = (w * x).sigmoid().named("h")
    h.backward()
    words = re.findall(r">([^<>\n]+)</text>", draw(h).svg)
    assert {"0.881", "0.105", "grad 0.105", "4", "grad 0.42", "grad 0.0525"} <= set(words)  # 4 × 0.105 = 0.42
