"""The contract of pictures: they fit a page, their type can be read on a slide, few arrows cross, and the same number has the same shade."""

import re
import xml.etree.ElementTree as ET
from functools import cache, partial
from itertools import combinations, pairwise, permutations

import make_gallery
import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, draw, nn, scalars
from tinygrad_vg.drawing import colours
from tinygrad_vg.drawing.canvas import INKS
from tinygrad_vg.drawing.layers import crossings, mesh
from tinygrad_vg.drawing.layout import layout
from tinygrad_vg.drawing.typography import formula, from_nats, named, small

PAGE, READABLE, WIDEST = 1280, 18, 2.4
CELLS = {"rnn": nn.RNNCell, "leaky": partial(nn.LeakyCell, tau=3.0), "lstm": nn.LSTMCell, "gru": nn.GRUCell, "skip": partial(nn.SkipCell, delay=3)}
NETS = {"mlp": {}, "residual": {"residual": True}, "batch norm": {"norm": "batch"}, "layer norm": {"norm": "layer"}}
FOLDS = {"none": {"fold": None}, "names": {"fold": "names"}, "layer": {"fold": "layer"}, "states": {"fold": "states"}, "rolled": {"fold": "rolled"}}


@cache
def model(name):
    """The loss of a cell after ten steps, or of nine layers, differentiated."""
    if name in CELLS:
        cell = CELLS[name](3, 4, rng=0)
        states = nn.unroll(cell, np.random.default_rng(0).normal(size=(10, 3)))
        loss = nn.mse(cell.output(states[-1]), np.ones(4)).named("loss")
    else:
        net = nn.MLP([4] * 9 + [2], "tanh", rng=0, **NETS[name])
        loss = nn.mse(net(Tensor(np.random.default_rng(0).normal(size=(8, 4)), "x")), np.ones((8, 2))).named("loss")
    loss.backward()
    return loss


def measured(drawing):
    """Least type in pixels when shown as wide as a slide, and width / height."""
    root = ET.fromstring(drawing.svg)
    wide, high = map(float, root.get("viewBox").split()[2:])
    sizes = [float(element.get("font-size")) for element in root.iter() if element.tag.endswith("}text")]
    return min(sizes) * PAGE / wide, wide / high


def test_the_gates_of_a_cell_are_set_in_one_way():
    for cell in (nn.LSTMCell(2, 2, rng=0), nn.GRUCell(2, 2, rng=0)):
        gates = [named(name) for name in cell.parameters() if re.fullmatch(r"W_[xh][ifgozrn]", name)]
        assert len(gates) >= 6 and all(name.isascii() for name in gates)
    assert [named(name) for name in ("W_hh", "W_xh", "b_h", "h[3]")] == ["Wₕₕ", "Wₓₕ", "bₕ", "h₃"]


@pytest.mark.parametrize("picture", make_gallery.PICTURES, ids=lambda picture: picture.__name__)
def test_every_picture_of_the_gallery_can_be_read_on_a_slide(picture):
    type_, aspect = measured(picture())
    assert type_ >= READABLE and aspect <= WIDEST + 1e-3


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", [*CELLS, *NETS])
def test_every_model_in_every_fold_fits_a_page_and_for_a_slide_can_be_read_on_one(name, fold):
    type_, aspect = measured(draw(model(name), **FOLDS[fold]))
    assert 0.4 <= aspect <= WIDEST + 1e-3
    assert fold != "states" or type_ >= READABLE


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_picture_runs_where_it_is_asked_to(direction):
    found = layout(draw(model("mlp"), fold=None).picture, direction == "down")
    ways = [way for way, square in zip(found.ways, found.square) if not square]
    assert ways and all((way[-1][1] > way[0][1]) if direction == "down" else (way[-1][0] > way[0][0]) for way in ways)
    with pytest.raises(ValueError, match="direction is 'right' or 'down', where the forward pass runs to; got 'up'"):
        draw(model("mlp"), direction="up")


def on_a_slide(drawing):
    """The size of its type in pixels on a slide of 1280 × 720."""
    return 18 * min(1280 / drawing.canvas.wide, 720 / drawing.canvas.high)


def neuron(born="wxb"):
    """(σ(w x + b) w − x)², its leaves made in this order."""
    leaves = {name: Scalar({"w": 0.9, "x": 0.5, "b": 0.1}[name], name) for name in born}
    w, x, b = map(leaves.get, "wxb")
    loss = (((w * x + b).sigmoid() * w - x) ** 2).named("loss")
    loss.backward()
    return loss


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_small_graph_stays_in_one_row_and_no_two_of_its_arrows_cross(direction):
    drawing = draw(neuron(), direction=direction)
    found = layout(drawing.picture, direction == "down")
    assert set(found.band) == {0} and not any(found.square)
    assert on_a_slide(drawing) >= 13
    stretches = [(k, *stretch) for k, way in enumerate(found.ways) for stretch in pairwise(way)]
    assert not [(a[0], b[0]) for a, b in combinations(stretches, 2) if a[0] != b[0] and cross(*a[1:], *b[1:])]


@pytest.mark.parametrize("direction", ["right", "down"])
def test_operands_of_a_difference_and_of_a_power_enter_in_their_order(direction):
    for born in permutations("wxb"):
        picture = draw(neuron(born)).picture
        found = layout(picture, direction == "down")
        for op in ("subtract", "power"):
            head = next(i for i, box in enumerate(picture.boxes) if box.op == op)
            ends = [found.ways[e][-1][direction == "right"] for e, arrow in enumerate(picture.arrows) if arrow.head == head]
            assert ends == sorted(ends) and len(ends) == 2


def test_an_rnn_of_three_steps_can_be_read_on_a_slide():
    states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.random.default_rng(0).normal(size=(3, 3)))
    loss = nn.mse(states[-1], np.ones(4)).named("loss")
    loss.backward()
    plain, folded = draw(loss), draw(loss, "states")
    assert on_a_slide(plain) >= 12 and plain.canvas.wide > plain.canvas.high
    assert on_a_slide(folded) >= 18 and len({layout(folded.picture).band[i] for arrow in folded.picture.arrows for i in arrow[:2]}) == 1


def cross(a, b, c, d):
    """Whether the stretches a b and c d cross."""
    def side(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_the_arrows_of_a_net_of_numbers_cross_seldom():
    net = nn.MLP([3, 4, 4, 1], "tanh", rng=0, leaf=scalars)
    y = net(scalars(np.array([1.0, -2.0, 0.5]), name="x")).item()
    y.backward()
    found = layout(draw(y, fold=None).picture)
    stretches = [(k, *stretch) for k, way in enumerate(found.ways) for stretch in pairwise(way)]
    crossed = {(a[0], b[0]) for a, b in combinations(stretches, 2) if a[0] != b[0] and cross(*a[1:], *b[1:])}
    assert len(crossed) <= 80


def test_crossings_are_counted_pair_by_pair():
    picture = draw(model("lstm"), fold=None).picture
    band = [[i for i, box in enumerate(picture.boxes) if box.kind == "alias"], [i for i, box in enumerate(picture.boxes) if box.op == "linear"]]
    found = mesh(picture, band, {})
    place = [{item: k for k, item in enumerate(column)} for column in found.columns]
    edges = [(place[0][a], place[1][b]) for a in band[0] for b in found.right.get(a, [])]
    assert crossings(found) == sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(edges, 2))


def contrast(a, b):
    def luminance(c):
        parts = [int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        return sum(k * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for k, v in zip((0.2126, 0.7152, 0.0722), parts))
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["rnn", "mlp"])
def test_all_words_have_a_contrast_of_four_and_a_half_in_light_and_in_dark(name):
    svg = draw(model(name), fold="layer").svg
    roles = set(re.findall(r'<text [^>]*?class="f-(\w+)', svg))
    assert roles and all(contrast(ink, page) >= 4.5 for role in roles for ink, page in zip(INKS[role], INKS["page"]))
    boxes = [(colours.fill_of(box.kind, box.heat), box) for box in draw(model(name), fold="layer").picture.boxes]
    assert all(contrast(fill, colours.ink(fill)) >= 4.5 for fill, _ in boxes)
    for span, middle in ((colours.ARROW_SPAN, colours.GREY), (6, colours.WHITE)):
        ends = {colours.colour(x, span, middle) for x in (-9, -6, -4, -2, 0, 2, 4, 6, 9, *(k / 2 * span for k in range(-2, 3)))}
        assert all(contrast(fill, colours.ink(fill)) >= 4.5 for fill in ends)


def test_names_formulas_and_numbers_are_set_as_in_print():
    assert [named(x) for x in ("h[4]", "W_hh", "layer2.W", "h[t-1]", "b_f", "loss", "h[1,0]", "x0")] == ["h₄", "Wₕₕ", "W₂", "hₜ₋₁", "b_f", "loss", "h[1,0]", "x0"]
    assert formula("1 - h[3] * h[3]") == "1 − h₃·h₃" and formula("-a ** 2") == "−a²"
    wanted = {0.2446: "0.24", 1.0: "1", -3.0: "−3", 784.0: "784", 12.6: "13", 12345.0: "1.2·10⁴", 1e-5: "10⁻⁵", -1.25e-37: "−1.2·10⁻³⁷", 0.0: "0", 9.99e-5: "10⁻⁴"}
    assert {x: small(x) for x in wanted} == wanted
    assert from_nats(-2000.0) == "2.6·10⁻⁸⁶⁹" and from_nats(0.0) == "1" and from_nats(float("-inf")) == "0"


def test_two_digits_are_on_the_picture_and_all_of_them_on_hover():
    box = next(box for box in draw(model("rnn"), fold=None).picture.boxes if box.name == "loss")
    assert len(box.lines[1]) <= 5 and repr(float(model("rnn").data))[:12] in box.tooltip


def test_an_input_is_called_by_what_it_is():
    constants = {box.lines[0] for box in draw(model("rnn"), fold=None).picture.boxes if box.kind == "constant"}
    assert {f"x{sub}" for sub in "₁₂₃₄₅₆₇₈₉"} <= constants
    rolled = {box.lines[0] for box in draw(model("rnn"), fold="rolled").picture.boxes if box.kind == "constant"}
    assert rolled == {"xₜ"}
