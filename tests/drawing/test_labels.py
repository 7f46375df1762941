"""The words on the arrows of a graph: each at the end of its own arrow, struck by no other."""

import re
from itertools import pairwise

import numpy as np
import pytest

from tinygrad_vg import Scalar, nn
from tinygrad_vg.drawing import draw
from tinygrad_vg.drawing.layout import layout, letters


def small():
    a, b, c = Scalar(2.0, "a"), Scalar(-3.0, "b"), Scalar(10.0, "c")
    d = ((a * b).named("e") + c).named("d")
    return draw((d * d + a.tanh()).named("L"))


def lstm_step():
    states = nn.unroll(nn.LSTMCell(3, 4, rng=0), np.random.default_rng(0).normal(size=(3, 3)))
    loss = nn.mse(states[-1][0], np.ones(4)).named("loss")
    loss.backward()
    return draw(loss, fold="names", steps=(3, 3))


def points(way):
    """Along the curve that is drawn through a way."""
    t = np.linspace(0, 1, 60)
    for (x, y), (X, Y) in pairwise(way):
        middle = 3 * (1 - t) ** 2 * t * (x + X) / 2 + 3 * (1 - t) * t**2 * (x + X) / 2
        yield from zip((1 - t) ** 3 * x + middle + t**3 * X, y + (3 * t**2 - 2 * t**3) * (Y - y))


def read_out():
    """Twenty steps of an RNN for a slide, with what reads the last state."""
    states = nn.unroll(nn.RNNCell(3, 4, "sigmoid", rng=0), np.random.default_rng(0).normal(size=(20, 3)))
    loss = nn.cross_entropy(nn.Linear(4, 3, rng=1, name="out")(states[-1]), 2).named("loss")
    loss.backward()
    return draw(loss, fold="states")


@pytest.mark.parametrize("drawing", [small, read_out])
def test_no_other_arrow_strikes_the_words_in_a_small_graph(drawing):
    picture = drawing().picture
    found = layout(picture)
    for k, (arrow, (x, y)) in enumerate(zip(picture.arrows, found.labels)):
        wide = letters(arrow.lines[0]) / 2
        for other, way in enumerate(found.ways):
            struck = [p for p in points(way) if abs(p[0] - x) < wide and abs(p[1] - y) < 7]
            assert other == k or not struck, (arrow.lines, picture.arrows[other].lines)


@pytest.mark.parametrize("drawing", [small, lstm_step])
def test_words_are_drawn_over_all_arrows_with_an_edge_in_the_colour_of_the_page(drawing):
    svg = drawing().svg
    words = [found.start() for found in re.finditer(r'<text[^>]*paint-order="stroke"', svg)]
    assert len(words) > 6 and min(words) > svg.rindex("<polygon")
    assert all(re.match(r'<text[^>]*s-page"[^>]*stroke-width="7"', svg[start:]) for start in words)


def test_the_gains_of_four_gates_stand_beside_their_gates():
    picture = lstm_step().picture
    found = layout(picture)
    names = {i: box.lines[0] for i, box in enumerate(picture.boxes)}
    told = {names[arrow.tail][0]: at for arrow, at in zip(picture.arrows, found.labels) if names[arrow.head][0] in "c" and arrow.lines}
    places = {names[i][0]: place for i, place in enumerate(found.places)}
    assert {"i", "f", "g"} <= told.keys()
    for gate in "ifg":
        assert abs(told[gate][1] - places[gate].y) < places[gate].high / 2
