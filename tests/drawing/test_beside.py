"""Several rivers in one picture: lines that lie above, looks and names that tell them apart, a title that compares, one axis."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from test_river import CELLS, contrast, gradients, net, scalars

from tinygrad_vg import Chain, Tensor, draw, nn
from tinygrad_vg.drawing.beside import called, headline, look
from tinygrad_vg.drawing.canvas import plotted, room
from tinygrad_vg.drawing.colours import INKS
from tinygrad_vg.drawing.river import PARTS, river, told
from tinygrad_vg.drawing.river_picture import lines_of, river_picture
from tinygrad_vg.drawing.typography import power

CHAINS = {name: net(cell, T=20, n=16) for name, cell in CELLS.items()} | {"sigmoid again": net(CELLS["sigmoid"], T=20, n=16, seed=1)}
LONG = {name: f"{name}, a name of many words"[:25] for name in CHAINS}


def compared(main, *others, name=str, **options):
    """The picture of one of CHAINS beside others, itself among them."""
    return draw(CHAINS[main], beside={name(one): CHAINS[one] for one in (main, *others)}, **options)


def elements(drawing, tag):
    return [e for e in ET.fromstring(drawing.svg).iter() if e.tag.endswith(tag)]


def points(line):
    return np.array([[float(x) for x in point.split(",")] for point in line.get("points").split()])


def test_a_line_that_lies_lower_is_drawn_above_the_area():
    drawn = [e for e in ET.fromstring(compared("LSTM", "sigmoid", "tanh").svg).iter() if e.tag.endswith(("polygon", "polyline"))]
    area = next(k for k, e in enumerate(drawn) if e.tag.endswith("polygon"))
    lines = [k for k, e in enumerate(drawn) if e.tag.endswith("polyline") and len(points(e)) == 21]
    assert len(lines) == 3 and all(k > area for k in lines)


def test_no_two_lines_look_alike_and_all_are_seen_on_page_and_area():
    looks = [look(k) for k in range(16)]
    assert len(set(looks)) == 16 and len({dash for *_, dash in looks[:7]} - {"6 5"}) == 7  # "6 5": of the page's "as it is"
    for ink, *_ in looks:
        assert all(contrast(INKS[ink][k], INKS[ground][k]) >= 3 for ground in ("page", "flow-mark") for k in (0, 1))
    assert plotted("", "ink", 3.0, "12 6")["ls"] == (0, (4.0, 2.0))  # of matplotlib, in widths of the line: as long as in the SVG


@pytest.mark.parametrize("names", [("LSTM", "sigmoid"), ("sigmoid", "sigmoid again", "tanh"), ("GRU", "sigmoid", "tanh", "LSTM"), tuple(CHAINS)])
def test_names_stand_in_the_picture_on_no_line_and_on_no_other_name(names):
    drawing = compared(*names, name=LONG.get)
    lines = [points(e) for e in elements(drawing, "polyline") if len(points(e)) == 21]
    texts = [e for e in elements(drawing, "text") if (e.text or "").startswith(tuple(LONG.values())) and e.get("font-size") == "18"]
    assert len(lines) == len(texts) == len(names)
    boxes = [(float(e.get("x")), float(e.get("y")), float(e.get("x")) + room(e.text, 18, bold=True)) for e in texts]
    for k, (a, y, b) in enumerate(boxes):
        assert 112 <= a and b <= 1220 and 172 <= y - 14
        assert all(b < c or d < a or abs(y - z) >= 18 for c, z, d in boxes[:k])
        at = np.linspace(a, b, 200)
        assert all(heights.max() < y - 14 or heights.min() > y + 4 for heights in (np.interp(at, *line.T) for line in lines))


@pytest.mark.parametrize("names", [("LSTM", "sigmoid"), ("GRU", "sigmoid", "tanh", "LSTM"), ("sigmoid",), ("LSTM",)])
def test_a_value_stands_at_the_height_where_its_line_ends(names):
    drawing = compared(*names)
    lines = [points(e) for e in elements(drawing, "polyline") if len(points(e)) == 21]
    for name, line in zip(names, [lines[0], *lines[1:]]):
        value = power(river(CHAINS[name]).logs[0])
        words = f"{name}: {value}" if len(names) > 1 else value
        y = next(float(e.get("y")) for e in elements(drawing, "text") if e.text == words and e.get("font-weight")) - 5
        assert abs(y - line[0, 1]) <= 30, (name, y, line[0])


CROWD = {"LSTM, forget bias 3": 0.52, "tanh": 0.3, "leaky": 0.35, "GRU": 8.7e-4, "sigmoid": 2.1e-13, "relu": 40.0}


def test_in_a_crowd_each_name_stands_where_its_line_ends_or_a_leader_goes_there():
    drawing = draw(scalars(*[300**0.05] * 20), beside={name: scalars(*[all**0.05] * 20) for name, all in CROWD.items()})
    lines = [points(e) for e in elements(drawing, "polyline")]
    ends, leaders = [line[0] for line in lines if len(line) == 21], [line for line in lines if len(line) == 2]
    for name, end in zip(["This one", *CROWD], ends, strict=True):
        x, y = next((float(e.get("x")) - 36, float(e.get("y")) - 6) for e in elements(drawing, "text") if (e.text or "").startswith(f"{name}: "))
        led = any(np.allclose(line, [end, (x, y)], atol=0.2) for line in leaders)
        assert math.dist(end, (x, y)) <= (100 if led else 24.5), name


def test_titles_have_one_size_in_all_pictures_and_break_rather_after_a_sentence():
    words = [[("".join(e.itertext()), e.get("font-size")) for e in elements(draw(chain), "text")[:3]] for chain in CHAINS.values()]
    assert {size for rows in words for text, size in rows if "radient" in text} == {"28"} == {rows[0][1] for rows in words}
    assert {size for rows in words for text, size in rows if "nats" in text} == {"18"}
    lstm = words[[*CHAINS].index("LSTM")]
    assert lstm[0][0].strip().endswith("arrives at h₀.") and lstm[1][0].startswith(("What the ", "The "))


def test_the_title_compares_at_most_three_within_the_slide_and_the_subtitle_says_who_did_it():
    drawing = compared("LSTM", "sigmoid", about="20 steps")
    keep = {name: power(river(chain).logs[0]) for name, chain in CHAINS.items()}
    title = f"LSTM: {keep['LSTM']} arrives at h₀; sigmoid: {keep['sigmoid']}"
    assert repr(drawing) == f"Drawing({title})" and drawing.canvas.title == title
    big, below = ("".join(e.itertext()) for e in elements(drawing, "text")[:2])
    assert big == title and below == "20 steps. LSTM: the gates did it; sigmoid: the slopes did it."
    slopes = next(e for e in elements(drawing, "tspan") if e.text == "slopes")
    assert slopes.get("class") == "f-slopes"  # of the one beside, though the LSTM has no slopes to speak of
    rivers = {LONG[name]: river(chain) for name, chain in CHAINS.items()}
    assert told(headline(rivers)).count(";") == 2 and len(lines_of(headline(rivers), 28, True)) == 2
    wordy = {called("x" * 99): rivers[LONG["GRU"]]._replace(about="many words " * 8), "y": rivers[LONG["tanh"]]}
    for drawn in (rivers, wordy):
        first, *others = drawn.items()
        words = [e for e in ET.fromstring(river_picture(first[1], dict(others), name=first[0]).svg).iter() if e.tag.endswith("text") and e.get("x") == "28.0"]
        assert all(room("".join(e.itertext()), float(e.get("font-size")), e.get("font-weight") == "600") <= 1224.5 for e in words)
        assert len(words) <= 4 and max(float(e.get("y")) for e in words) < 118


def test_where_each_arrives_who_did_it_and_whose_the_bars_are():
    rng, x = np.random.default_rng(0), np.eye(4)[[0, 1, 2, 3] * 5]
    states = nn.unroll(nn.LSTMCell(4, 8, rng=rng), x)
    lstm, others = Chain(states[-1][0].sum().named("loss"), states[0][1], through=states), {name: CHAINS[name] for name in ("sigmoid", "tanh")}
    drawing = draw(lstm, beside={"LSTM": lstm, **others, "dead": scalars(*[1.0] * 10, 0.0, *[1.0] * 9)})
    keep = {name: power(river(chain).logs[0]) for name, chain in {"LSTM": lstm, **others}.items()}
    assert repr(drawing) == f"Drawing(LSTM: {keep['LSTM']} arrives at c₀; sigmoid: {keep['sigmoid']} at h₀; tanh: {keep['tanh']} at h₀)"
    words = ["".join(e.itertext()) for e in elements(drawing, "text")]
    assert "; sigmoid, tanh: the slopes did it; dead: it ends at " in "".join(words[:4])
    lstm_river = river(lstm)
    [bars] = [text for text in words if text.startswith("Bars of LSTM: ")]
    assert "nats" in bars and bars == "Bars of LSTM: " + told(lstm_river.parts)
    all_kinds = lstm_river._replace(nats=[dict.fromkeys(PARTS, -9.9)] * 20)
    drawn = ET.fromstring(river_picture(all_kinds, {"tanh": river(others["tanh"])}, name="x" * 40).svg)
    [bars] = ["".join(e.itertext()) for e in drawn.iter() if e.tag.endswith("}text") and "".join(e.itertext()).startswith("Bars of")]
    assert "slopes −198.0 nats, " in bars and room(bars, 18) < 1140
    alone = "".join(ET.fromstring(draw(lstm).svg).itertext())
    assert "Bars of" not in alone and told(lstm_river.below) in alone


def test_the_main_river_without_a_name_is_this_one_and_alone_it_keeps_its_finding():
    assert repr(draw(CHAINS["tanh"], beside={"LSTM": CHAINS["LSTM"]})).startswith("Drawing(This one: ")
    assert repr(draw(CHAINS["sigmoid"], beside={"sigmoid": CHAINS["sigmoid"]})).startswith("Drawing(Of the gradient")


def test_a_river_that_ends_or_has_another_length_stands_beside():
    dead, short = scalars(0.0, 1.0, 0.5, 0.5), scalars(0.5, 0.5)
    words = ["".join(e.itertext()) for e in elements(draw(scalars(*[0.9] * 4), beside={"dead": dead, "short": short}), "text")]
    assert {"dead: 0", "short: 0.25"} <= set(words)
    assert "dead: 0 arrives at h₀; b: 0.66" in repr(draw(dead, beside={"dead": dead, "b": scalars(*[0.9] * 4)}))


def blocks(norm, named="h"):
    """Four blocks of a transformer, cut at every op: as many stations as the place of the norm leaves; and the states alone."""
    h = [Tensor(np.random.default_rng(0).normal(size=(3, 8)), name="x")]
    for k in range(1, 5):
        h.append(nn.TransformerBlock(8, 2, norm, rng=k)(h[-1], k) if named else nn.TransformerBlock(8, 2, norm, rng=k)(h[-1]))
    loss = nn.mse(h[-1], np.ones((3, 8))).named("loss")
    return Chain(loss, h[0]), Chain(loss, h[0], through=h[1:])


def test_chains_cut_at_every_op_are_compared_at_the_names_they_share(goto, tmp_path):
    (post, states), (pre, _) = blocks("post"), blocks("pre")
    assert len(post.links) > 1.5 * len(pre.links)
    drawing = draw(post, beside={"post": post, "pre": pre})
    one, other = drawing.rivers.values()
    assert one.names == other.names and {"x", "h₁", "h₂", "h₃", "h₄", "loss"} <= set(one.names)
    assert {len(points(e)) for e in elements(drawing, "polyline") if len(points(e)) > 2} == {len(one.names)}
    whole = river(post)
    assert one.logs[0] == whole.logs[0] and [one.sums[part] for part in one.sums] == pytest.approx([whole.sums[part] for part in one.sums])
    sizes = dict(zip(states.names, map(np.linalg.norm, states.gradients)))
    assert one.sizes[one.names.index("h₂")] == pytest.approx(sizes["h[2]"])
    page = goto(drawing.save(tmp_path / "page.html").as_uri())
    page.locator("#send").wait_for()
    assert np.allclose(gradients(page), one.sizes, rtol=1e-12)
    page.get_by_role("button", name="pre", exact=True).click()
    assert np.allclose(gradients(page), other.sizes, rtol=1e-12)


def test_chains_that_share_no_names_are_refused_with_what_to_do():
    def net(depth):
        x = y = Tensor(np.ones(3), "x")
        for _ in range(depth):
            y = np.tanh(y * 0.5)
        return Chain(y.sum().named("loss"), x)
    with pytest.raises(ValueError, match=r"5, 9 links, cut at every op, and share no names .* through=\[n for n in history"):
        draw(net(2), beside={"deeper": net(4)})
    assert "deeper: " in repr(draw(net(2), beside={"deeper": net(2)}))


def test_pictures_of_a_series_have_one_axis():
    def scale(drawing):
        words = {e.text: float(e.get("y")) for e in elements(drawing, "text") if e.get("x") == "94.0"}  # to the left of the axis
        assert {"1", "grows"} <= words.keys()
        return words
    series = list(CHAINS.values())
    first, *others = [scale(draw(chain, axis_of=series)) for chain in series]
    assert all(other == first for other in others)
    assert scale(compared("tanh", "LSTM", axis_of=iter(series)))["grows"] == first["grows"] != scale(draw(CHAINS["tanh"]))["grows"]


@pytest.mark.parametrize("name", CHAINS)
def test_the_way_of_the_gradient_is_written_below_the_river(name):
    drawing = draw(CHAINS[name])
    words = next(e for e in elements(drawing, "text") if e.text == "← the gradient flows back")
    foot = max((points(e)[:, 1].max() for e in elements(drawing, "polygon")), default=math.inf)
    bars = [float(e.get("y")) for e in elements(drawing, "rect") if "-mark" in (e.get("class") or "")]
    assert foot < float(words.get("y")) - 14 and float(words.get("y")) + 4 < min(bars)


@pytest.mark.parametrize("wrong", [{"beside": {"": CHAINS["LSTM"]}}, {"beside": {"x": 3}}, {"axis_of": [3]}])
def test_what_stands_beside_is_a_chain_with_a_name(wrong):
    with pytest.raises(TypeError, match="beside is {name: a Chain to compare with}, each with a name"):
        draw(CHAINS["tanh"], **wrong)
