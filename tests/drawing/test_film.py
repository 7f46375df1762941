"""The map of a film says who took most and how much; its page holds a river for each frame, and nothing from elsewhere."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.image import imread
from pages import paused, violations

from tinygrad_vg import Chain, Tensor, drawing, nn, relu, training
from tinygrad_vg.drawing import plot
from tinygrad_vg.drawing.film import ENDED, FULL, GROWN, rivers_of, tints
from tinygrad_vg.drawing.river import PARTS, river
from tinygrad_vg.training import SGD, Every, History, fit
from tinygrad_vg.training.film import between, frame_of


def watched(cell, T=6, steps=5, scale=1.0, **options):
    """A run whose recurrent weights begin `scale` times as large."""
    for name, leaf in cell.parameters().items():
        if name.startswith("W_h"):
            leaf.data = scale * leaf.data

    def loss(cell, batch):
        states = nn.unroll(cell, batch[0])
        return ((cell.output(states[-1]) - 1.0) ** 2).sum(), states

    return fit(cell, loss, training.adding(T, 3, rng=0), SGD(cell, 0.01), steps, watch=Every(2), **options)


def test_a_river_of_a_frame_is_the_river_of_its_chain():
    for cell in (nn.RNNCell(2, 4, rng=0), nn.LSTMCell(2, 4, rng=0)):
        states = nn.unroll(cell, np.ones((5, 2)))
        loss = (cell.output(states[-1]) ** 2).sum().named("loss")
        loss.backward(keep=True)
        for chain in (between(loss, states), Chain(loss, between(loss, states).source, through=states[1:])):
            history = History(film=[frame_of(chain, 7, 0.25)])
            (found,), wanted = rivers_of(history, "a cell"), river(chain, about="a cell, step 7, loss 0.25")
            assert np.divide(found.sizes, found.sizes[-1]) == pytest.approx(np.divide(wanted.sizes, wanted.sizes[-1]))
            assert found._replace(sizes=[], chain=None, at=[]) == wanted._replace(sizes=[], chain=None, at=[])
            assert found.below[0][0] == "a cell, step 7, loss 0.25. "


CAUSES = {  # a run, and what nearly all of its links must say
    "slopes": (lambda: watched(nn.RNNCell(2, 6, "sigmoid", rng=0)), "slopes"),
    "weights": (lambda: watched(nn.RNNCell(2, 6, lambda z: z, rng=0), scale=0.2), "weights"),
    "gates": (lambda: watched(nn.LSTMCell(2, 6, rng=0)), "gates"),
    "growth": (lambda: watched(nn.RNNCell(2, 6, lambda z: z, rng=0), scale=3.0, clip=1.0), None),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cell_has_the_colour_of_who_took_most_and_a_shade_by_its_nats(cause):
    make, part = CAUSES[cause]
    rivers = rivers_of(make())
    cells, said = tints(rivers)
    wanted = GROWN if part is None else [*PARTS].index(part)
    assert wanted in said and ENDED not in said
    high = len(rivers[0].nats)
    assert cells.shape == (high, len(rivers), 4)
    hues = {}
    for j, one in enumerate(rivers):
        for k, row in enumerate(one.nats):
            total = one.logs[k] - one.logs[k + 1]
            assert cells[k, j, 3] == pytest.approx(min(1.0, abs(total) / FULL) ** 0.6)
            who = GROWN if total > 0 else min(range(len(PARTS)), key=lambda i: row[[*PARTS][i]])
            hues.setdefault(who, set()).add(tuple(cells[k, j, :3]))
    assert all(len(colours) == 1 for colours in hues.values()) and len(set().union(*hues.values())) == len(hues)
    assert set(hues) == said
    votes = [cells[k, j, :3].tolist() for k in range(high) for j in range(len(rivers))]
    assert votes.count(list(*hues[wanted])) > 0.6 * len(votes)


def dead():
    """A film of one frame in which the gradient ends on its way."""
    x = Tensor([1.0, 2.0], name="h[0]")
    y = (relu(x - 3.0).named("h", 1) * 2.0).named("h", 2)
    return History(film=[frame_of(Chain((y * 0.5).named("h", 3), x, through=[y], seed=np.ones(2)), 1, 0.0)])


def test_where_the_gradient_has_ended_the_map_is_dark_and_the_river_says_where():
    cells, said = tints(rivers_of(dead()))
    assert ENDED in said and np.all(cells[0, 0, :3] < 0.3) and cells[0, 0, 3] == 1
    assert "It ends at" in rivers_of(dead())[0].ended


def test_films_of_different_lengths_end_together(tmp_path):
    short, long = watched(nn.RNNCell(2, 4, rng=0), T=4).film, watched(nn.RNNCell(2, 4, rng=0), T=6).film
    cells, _ = tints(rivers_of(History(film=[short[0], long[0]])))
    assert cells.shape[:2] == (6, 2)
    assert np.all(cells[:2, 0, 3] == 0) and np.all(cells[2:, 0, 3] > 0)
    html = drawing.film(History(film=[short[0], long[0]]), tmp_path / "film.html").read_text(encoding="utf-8")
    last = [max(float(x) for x in re.findall('cx="([^"]*)"', svg)) for svg in re.findall("<svg.*?</svg>", html, re.S)]
    assert last == [1220.0, 1220.0]


def test_the_map_stands_at_the_steps_that_were_watched_with_the_names_of_the_stations():
    history = watched(nn.LSTMCell(2, 4, rng=0), clip=1e-3)
    ax = plot(history, "film").axes[0]
    (mesh,) = ax.collections
    assert np.array_equal(mesh.get_array(), tints(rivers_of(history))[0])
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 2, 4, 6]
    assert ax.yaxis.get_major_formatter()(1) == "{h₁, c₁}" and "▼ clipped" in ax.get_title(loc="left")
    assert {line.get_label() for line in plot(history, "gates").axes[0].lines} == {"f", "i", "o"}
    two = plot(history - watched(nn.LSTMCell(2, 4, rng=1)), "film").axes[0]
    assert "more than in the other run" in two.get_title(loc="left")
    with pytest.raises(ValueError, match=r"no film; watch the training: fit\(..., watch=Every\(50\)\)"):
        plot(training.History(), "film")


def page(tmp_path, **options):
    history = watched(nn.RNNCell(2, 4, rng=0), steps=9, **options)
    return history, drawing.film(history, tmp_path / "film.html", about="<b>a run</b>").read_text(encoding="utf-8")


def test_the_page_has_a_river_for_each_frame_the_last_one_open_and_the_map_of_all(tmp_path):
    history, html = page(tmp_path)
    stills = re.findall(r"<div( hidden)?>(<svg.*?</svg>)", html, re.S)
    assert [bool(hidden) for hidden, _ in stills] == [True] * 4 + [False]
    for (_, svg), frame in zip(stills, history.film):
        words = "".join(ET.fromstring(svg).itertext())
        assert f"<b>a run</b>, step {frame['step']}, loss" in words
    assert len({re.search(r'<polyline points="[\d.]+,([\d.]+)', svg)[1] for _, svg in stills}) == 1, "one scale for all"
    png = base64.b64decode(re.search('src="data:image/png;base64,([^"]*)"', html)[1])
    assert np.allclose(imread(io.BytesIO(png)), tints(rivers_of(history))[0][::-1], atol=1 / 255)
    assert not re.search(r'(src|href)="(?!data:)', html) and "default-src 'none'" in html and "{{" not in html
    assert "In training, what arrives at h₀ of the gradient at h₆ goes from" in html


def test_a_long_film_is_thinned_out_and_keeps_its_ends(tmp_path):
    film = watched(nn.RNNCell(2, 4, rng=0)).film
    history = History(film=[film[0] | {"step": k} for k in range(200)])
    html = drawing.film(history, tmp_path / "film.html").read_text(encoding="utf-8")
    steps = [int(k) for k in re.findall(r">step (\d+),", html)]
    assert len(steps) == 60 and (steps[0], steps[-1]) == (0, 199) and len(set(steps)) == 60


def test_what_is_no_film_and_no_page_is_refused(tmp_path):
    with pytest.raises(TypeError, match="draws the History that .* got dict"):
        drawing.film({}, tmp_path / "film.html")
    with pytest.raises(ValueError, match="html"):
        drawing.film(watched(nn.RNNCell(2, 4, rng=0)), tmp_path / "film.png")
    with pytest.raises(ValueError, match="a difference of two runs is no river; plot"):
        drawing.film(watched(nn.RNNCell(2, 4, rng=0)) - watched(nn.RNNCell(2, 4, rng=1)), tmp_path / "film.html")
    with pytest.raises(ValueError, match="this History has no film"):
        drawing.film(History(), tmp_path / "film.html")
    assert not list(tmp_path.iterdir())


def test_the_slider_moves_the_river_and_the_button_plays_it(tmp_path, goto):
    page(tmp_path)
    tab = goto((tmp_path / "film.html").as_uri(), alone=True)
    shown = "[...document.querySelectorAll('#stage > div')].map((still, k) => still.hidden ? -1 : k).filter((k) => k >= 0)"
    assert tab.evaluate(shown) == [4]
    assert [one for one in violations(tab) if one[0] in ("serious", "critical")] == []
    tab.focus("#at")
    tab.keyboard.press("ArrowLeft")
    assert tab.evaluate(shown) == [3]
    tab.keyboard.press("Home")
    assert tab.evaluate(shown) == [0]
    paused(tab).click("#play")
    tab.clock.run_for(4 * 150)
    assert tab.evaluate(shown) == [4] and tab.text_content("#play") == "❚❚ Pause"
    tab.clock.run_for(150)
    assert tab.text_content("#play") == "▶ Train"
    tab.click("#play")
    assert tab.evaluate(shown) == [0]
    tab.click("#play")
    assert tab.text_content("#play") == "▶ Train"
