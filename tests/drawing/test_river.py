"""The river: what it says is what the chain and its blame say, in words, in the picture and as the page's first view."""

import json
import math
import re
import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pytest
from packed import packed
from pages import by_day_and_by_night, paused, violations

from tinygrad_vg import Chain, Scalar, Tensor, draw, linear, nn, sigmoid, tanh
from tinygrad_vg.drawing.colours import INKS
from tinygrad_vg.drawing.page import page_html
from tinygrad_vg.drawing.page_data import Store
from tinygrad_vg.drawing.river import PARTS, river, river_of, told
from tinygrad_vg.drawing.river_data import map_of, river_data
from tinygrad_vg.drawing.river_picture import heaps, river_picture
from tinygrad_vg.drawing.typography import power, pretty


@cache
def net(cell, T=6, n=5, batch=None, seed=0):
    """The chain of an unrolled cell, from a loss back to its first state; tests only read it."""
    rng = np.random.default_rng(seed)
    states = nn.unroll(cell(3, n, rng=rng), rng.normal(size=(T, 3) if batch is None else (T, batch, 3)))
    first, last = (state[0] if isinstance(state, tuple) else state for state in (states[0], states[-1]))
    loss = (last * rng.normal(size=last.shape)).sum().named("loss")
    return Chain(loss, first, through=states)


def sigmoid_rnn(n_in, n, rng):
    return nn.RNNCell(n_in, n, "sigmoid", rng=rng)


CELLS = {"sigmoid": sigmoid_rnn, "tanh": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}


@pytest.mark.parametrize("cell", [*CELLS.values(), nn.LRUCell, nn.MinGRUCell, nn.SelectiveCell])
@pytest.mark.parametrize("batch", [None, 2])
def test_the_parts_of_every_link_add_up_to_what_the_chain_lost_there(cell, batch):
    chain = net(cell, n=6, batch=batch)
    found = river(chain)
    assert found.names[0] in ("h₀", "{h₀, c₀}") and found.names[-1] in ("h₆", "{h₆, c₆}")  # not at the loss
    assert found.logs[-1] == 0 and len(found.nats) == 6
    for k, row in enumerate(found.nats):
        assert math.fsum(row.values()) == pytest.approx(found.logs[k] - found.logs[k + 1], abs=1e-9)
    assert math.fsum(found.sums.values()) == pytest.approx(chain.log_product[0] - chain.log_product[-2], abs=1e-9)


def test_the_finding_names_how_much_arrives_and_the_factor_that_took_it():
    chain = net(sigmoid_rnn, T=20)
    found = river(chain)
    assert told(found.title) == f"Of the gradient at h₂₀, only {power(found.logs[0])} arrives at h₀. The slopes did it."
    assert {role: words for words, role in found.title}["slopes"] == "slopes"
    assert found.sums["slopes"] < found.sums["weights"]
    assert f"slopes −{abs(found.sums['slopes']):.1f} nats" in told(found.below)


def scalars(*factors):
    """h[t] = w[t] h[t−1], of scalars."""
    h = [Scalar(1.0, "h[0]")]
    for t, w in enumerate(factors, 1):
        h.append((Scalar(w, f"w[{t}]") * h[-1]).named("h", t))
    return Chain(h[-1], h[0], through=h)


@pytest.mark.parametrize("factors, words", [
    ((0.5, 0.5, 0.5), "Of the gradient at h₃, only 0.13 arrives at h₀. The weights did it."),
    ((2.0, 2.0, 2.0), "At h₀ the gradient is 8 times what it was at h₃. The weights did it."),
    ((1.0, 1.0), "The gradient survives: 1 of that at h₂ arrives at h₀. No factor changed it."),
    ((0.0, 1.0), "Nothing of the gradient at h₂ arrives at h₀: it is exactly 0."),
    ((1e300, 1e300), f"At h₀ the gradient is {power(600 * math.log(10))} times what it was at h₂. The weights did it.")])
def test_every_ending_has_its_words(factors, words):
    assert told(river(scalars(*factors)).title) == words


def test_parts_that_cancel_are_said_to_where_the_gradient_survives(visit):
    chain = net(sigmoid_rnn, T=20)
    page = visit(draw(chain))
    told_at = page.get_by_label(re.compile("^W ×")).evaluate("""(slider) => Array.from({ length: 51 }, (_, n) => {
        slider.value = (n + 10) / 10;
        slider.dispatchEvent(new Event("input"));
        return [document.querySelector("h1").innerText, Number(document.querySelector("[data-station='0']").dataset.gradient)]; })""")
    for words, size in told_at:
        keep = math.log(size / np.linalg.norm(chain.gradients[20]))
        assert (" survives" in words) == (math.log(0.2) <= keep <= math.log(1.4))
        assert ("gave back" in words) <= (" survives" in words)
    assert any("gave back" in words for words, _ in told_at[20:]) and len({size for _, size in told_at}) == 51



def test_what_was_read_is_one_for_each_step():
    chain = net(nn.RNNCell)
    assert river(chain, "abcdef").read == ["", *"abcdef"]
    with pytest.raises(ValueError, match="read has 3 entries, but 6 steps lead from h₀ to h₆; give one for each"):
        draw(chain, read="abc")
    with pytest.raises(TypeError, match=r"read, beside, losses and axis_of belong to a river: draw\(Chain"):
        draw(chain.output, read="abc")
    for belongs in ({"chain": chain}, {"direction": "down"}):
        with pytest.raises(TypeError, match="chain and direction belong to a graph"):
            draw(chain, **belongs)


@pytest.mark.parametrize("nats, words", [
    (math.log(2.1e-13), "2.1 × 10⁻¹³"), (math.log(0.05), "0.05"), (math.log(999), "1.0 × 10³"), (math.log(5e-3), "5.0 × 10⁻³"), (-2000.0, "2.6 × 10⁻⁸⁶⁹"), (-math.inf, "0")])
def test_sizes_are_written_with_powers_of_ten(nats, words):
    assert power(nats) == words


def test_names_have_subscripts():
    assert [pretty(name) for name in ("h[12]", "{h[1], c[1]}", "w[0,1]", "W_hh", "h[1][2]")] == ["h₁₂", "{h₁, c₁}", "w[0,1]", "W_hh", "h[1][2]"]


# ── the picture ────────────────────────────────────────────────────────────────────────────────────────────────────

def sizes(svg):
    return [float(element.get("font-size")) for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("T", [1, 3, 20, 100, 400])
def test_the_picture_is_16_to_9_with_type_of_18_pixels_and_holds_every_station(T):
    chain = net(sigmoid_rnn, T=T)
    svg = draw(chain).svg
    root = ET.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("1280", "720") and min(sizes(svg)) >= 18
    marks = {int(e.get("data-station")): float(e.get("data-gradient")) for e in root.iter() if e.get("data-station")}
    assert sorted(marks) == list(range(T + 1))
    assert all(marks[k] == pytest.approx(np.linalg.norm(chain.gradients[k]), rel=1e-12) for k in marks)


def test_the_bars_of_a_link_are_as_long_as_the_river_falls():
    chain = net(sigmoid_rnn, T=12)
    root = ET.fromstring(draw(chain).svg)
    dots = {int(e.get("data-station")): float(e.get("cy")) for e in root.iter() if e.get("data-station")}
    bars = [e for e in root.iter() if e.tag.endswith("rect") and "-mark" in (e.get("class") or "")]
    zero = max(float(e.get("y")) + (float(e.get("height")) if "weights" in e.get("class") else 0) for e in bars if "weights" in e.get("class"))
    drop = dots[0] - dots[12]
    long = sum(float(e.get("height")) * (1 if float(e.get("y")) + 0.2 >= zero - 1e9 and "slopes" in e.get("class") else 0) for e in bars)
    assert long == pytest.approx(-sum(row["slopes"] for row in river(chain).nats) / -river(chain).logs[0] * drop, rel=0.02)


def test_a_chain_of_one_station_is_a_river_without_a_link():
    output = net(sigmoid_rnn).output
    assert "survives: 1 of that at loss arrives at loss" in draw(Chain(output, output)).svg


def test_a_picture_is_saved_in_every_format_and_compares_rivers(tmp_path):
    one, other = net(sigmoid_rnn), net(nn.RNNCell)
    drawing = draw(one, read="abcdef", about="six steps", beside={"sigmoid": one, "tanh": other})
    for suffix, start in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("html", b"<!doctype"), ("dot", b"digraph")):
        assert drawing.save(tmp_path / f"river.{suffix}").read_bytes().startswith(start)
    words = "".join(ET.fromstring(drawing.svg).itertext())
    assert "tanh" in words and "six steps" in words and repr(drawing).startswith("Drawing(sigmoid: ")


def contrast(a, b):
    """The ratio of two colours' luminances, WCAG 2."""
    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["ink", "soft", "flow", "slopes", "weights", "gates", "norms", "rest", "growth", "now"])
def test_every_ink_for_words_is_legible(role, scheme):
    assert all(contrast(INKS[role][scheme], INKS[ground][scheme]) >= 4.5 for ground in ("page", "card", "faint"))


def test_a_hostile_name_is_text_in_picture_and_page():
    name = '</script><svg onload="x">&{{finding}}'
    h = [Tensor(np.ones(2)).named(name, 0)]
    for t in (1, 2):
        h.append(np.tanh(h[-1] * Tensor([2.0, 1.0], name + "w")).named(name, t))
    drawing = draw(Chain(h[-1].sum().named(name + "loss"), h[0], through=h), read=[name, "<b>"], about=name)
    assert not [e for e in ET.fromstring(drawing.svg).iter() if e.get("onload")]
    assert drawing.html.count("</script>") == 2 and 'onload="x"' not in drawing.html.replace("&quot;", "'")
    json.dumps(packed(drawing.html))
    river_picture(drawing.river)


# ── the page ───────────────────────────────────────────────────────────────────────────────────────────────────────

@pytest.fixture
def visit(goto, tmp_path):
    """Open the page of a drawing."""

    def opened(drawing, at="", **options):
        places = len(list(tmp_path.iterdir()))
        page = goto(drawing.save(tmp_path / f"page{places}.html").as_uri() + at, **options)
        page.locator("#send").wait_for()
        return page

    return opened


def gradients(page):
    return np.array([float(x) for x in page.locator("[data-station]").evaluate_all("all => all.map((e) => e.dataset.gradient)")])


def agree(page, wanted):
    """Stations, title, table and card show these sizes."""
    wanted = np.array(wanted)
    stations, rows, finding, name = page.evaluate("""[[...document.querySelectorAll("[data-station]")].map((e) => Number(e.dataset.gradient)),
        [...document.querySelectorAll("#rows tbody td:nth-child(2)")].map((e) => Number(e.title)), document.querySelector("h1").innerText, document.title]""")
    assert np.allclose(stations, wanted, rtol=1e-12, atol=0)
    assert np.allclose(rows[::-1], wanted, rtol=1e-12, atol=0)
    keep = math.log(wanted[0] / wanted[-1]) if wanted[0] else -math.inf
    assert power(keep) in finding and (page.locator("#models button").count() or name == finding)


def replaced(chain, change):
    """|gradient| at the stations of the river when each link's maps are changed: change(edge) is what stands in an edge's place."""
    last = len(chain.links) - 1
    g, sizes = chain.gradients[last], [np.linalg.norm(chain.gradients[last])]
    for link in chain.links[last - 1 :: -1]:
        at = dict(zip(link.end, np.split(np.ravel(g), np.cumsum([node.size for node in link.end])[:-1])))
        at = {node: part.reshape(node.shape) for node, part in at.items()}
        for node in reversed(link.ops):
            part = None if node in set(link.start) else at.pop(node, None)
            for edge in link.edges_of(node) if part is not None else ():
                at[edge.parent] = at.get(edge.parent, 0) + change(edge)(part)
        g = np.concatenate([np.ravel(at.get(node, np.zeros(node.shape))) for node in link.start])
        sizes.append(np.linalg.norm(g))
    return sizes[::-1]


def polar(W):
    U, _, V = np.linalg.svd(W)
    return U @ V


def is_slope(edge):
    return edge.child.op in ("sigmoid", "tanh", "relu")


WHAT_IFS = {
    "all slopes were 1": lambda edge: (lambda g: g) if is_slope(edge) else edge.local.pull,
    "W were orthogonal": lambda edge: (lambda g: g @ polar(edge.child.parents[1].data)) if edge.child.op == "linear" else edge.local.pull,
    "gates were 1": lambda edge: (lambda g: g) if edge.child.op == "multiply" and str(edge.parent.name)[0] in "ch" else edge.local.pull,
    "W ×": lambda edge: (lambda g: 2.5 * edge.local.pull(g)) if edge.child.op == "linear" else edge.local.pull}


@pytest.mark.parametrize("name", CELLS)
def test_every_what_if_is_what_the_engines_maps_give(visit, name):
    chain = net(CELLS[name], batch=2)
    page = visit(draw(chain))
    real = [np.linalg.norm(g) for g in chain.gradients[:-1]]
    agree(page, real)
    for what in WHAT_IFS:
        if "gates" in what and name not in ("LSTM", "GRU"):
            assert page.locator("#if-gates").is_hidden()
            continue
        if what == "W ×":
            page.get_by_label(re.compile("^W ×")).fill("2.5")
        else:
            page.get_by_role("button", name=what.replace("gates", {"LSTM": "forget gates", "GRU": "gates z"}.get(name, "gates"))).click()
        agree(page, replaced(chain, WHAT_IFS[what]))
        assert "what if" in page.locator("#chip").inner_text() and page.locator("#river .ghost").count() == 1
        page.locator("#chip").click()
        agree(page, real)


def lesson(cell):
    """The page's chain of the lesson in docs/teaching.md."""
    text, letters = "the gradient went back", "abcdefghijklmnopqrstuvwxyz "
    states = nn.unroll(cell, np.eye(27)[[letters.index(c) for c in text]])
    start = states[0][1] if isinstance(cell, nn.LSTMCell) else states[0]
    return Chain(nn.mse(cell.output(states[-1]), np.ones(16)).named("loss"), start, through=states[1:])


@cache
def drawn_lesson(cell):
    return draw(lesson(cell(27, 16, rng=0)))


def test_forget_gates_of_1_are_the_carousel_once_the_branches_are_cut(visit):
    cell = nn.LSTMCell(27, 16, rng=0)
    page = visit(drawn_lesson(nn.LSTMCell), "#what=gates1")
    assert "is 5.8 times" in page.locator("h1").inner_text()  # as docs/pictures.md says
    for W in (cell.W_hi, cell.W_hf, cell.W_hg, cell.W_ho):
        W.data = 0 * W.data
    sizes = gradients(visit(draw(lesson(cell)), "#what=gates1"))[:-1]
    assert np.allclose(sizes, sizes[0], rtol=1e-12)
    assert "survives: 1 of that" in visit(draw(lesson(nn.MinGRUCell(27, 16, rng=0))), "#what=gates1").locator("h1").inner_text()


def test_a_gate_inside_a_branch_is_not_what_keeps_the_state(visit):
    """A GRU whose reset gate comes before its product: r multiplies the state, too."""
    rng, h = np.random.default_rng(0), [Tensor(np.full(3, 0.3), "h[0]")]
    W_r, W_z, W_n = (Tensor(rng.normal(size=(3, 3)), name) for name in ("W_r", "W_z", "W_n"))
    for t in range(1, 4):
        r, z = sigmoid(linear(h[-1], W_r)).named("r", t), sigmoid(linear(h[-1], W_z)).named("z", t)
        h.append(((1 - z) * tanh(linear(r * h[-1], W_n)) + z * h[-1]).named("h", t))
    page = visit(draw(Chain(h[-1].sum().named("loss"), h[0], through=h)))
    assert page.locator("#if-gates").inner_text() == "gates z were 1"


def test_the_shade_is_the_link_of_the_card_and_holds_its_bars_alone(visit):
    page = visit(draw(net(sigmoid_rnn)), "#t=3")
    ends = "all => all.map((e) => e.getBoundingClientRect()).map((box) => [box.left, box.right])"
    [(left, right)], links = (page.locator(where).evaluate_all(ends) for where in (".column.on .shade", "[data-link]"))
    assert [k for k, (a, b) in enumerate(links) if left < b and a < right] == [3] and left <= links[3][0] and links[3][1] <= right
    assert "h₄ → h₃" in page.locator("#card").inner_text()
    river = page.locator("#river").bounding_box()
    page.mouse.move(links[3][1] + 1, river["y"] + river["height"] - 5)
    assert page.locator(".column.on").get_attribute("data-station") == "3"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_stays_in_its_panel_and_the_value_beside_no_tick(visit, scheme):
    for cell, at in ((nn.LSTMCell, ""), (nn.RNNCell, "#what=slopes1")):
        page = visit(drawn_lesson(cell), at, viewport={"width": 1280, "height": 800}, color_scheme=scheme)
        for wide in ("#card", *(".equation", "#by-hand") * (cell is nn.LSTMCell)):
            assert page.locator(wide).evaluate("e => e.scrollWidth <= e.clientWidth")
        value, *ticks = (page.locator(where).evaluate_all("all => all.map((e) => Number(e.getAttribute('y')))") for where in ("#river .value", "#river .soft[x='60']"))
        left, right = page.locator("#river .value").bounding_box()["x"], page.locator("#river .soft[x='60']").first.bounding_box()
        assert len(value) == 1 and ticks[0] and left - right["x"] - right["width"] >= 18
        assert abs(value[0] - 5 - page.locator("#river .dot").first.evaluate("e => Number(e.getAttribute('cy'))")) <= 30


@pytest.mark.parametrize("x", [1.0, 0.0, -2.0])
def test_one_link_is_replaced_as_the_chains_own_replace_does_it(visit, x):
    chain = net(nn.RNNCell)
    page = visit(draw(chain), "#t=2")
    if x == -2.0:
        page.get_by_label("this link times").fill("-2")
        page.get_by_label("this link times").press("Enter")
        wanted = [np.linalg.norm(g) * (2 if k <= 2 else 1) for k, g in enumerate(chain.gradients[:-1])]
    else:
        page.locator("#card").get_by_role("button", name="→ 1" if x else "→ 0").click()
        wanted = [np.linalg.norm(g) for g in chain.replace(2, x).gradients[:-1]]
    assert np.allclose(gradients(page), wanted, rtol=1e-12, atol=0)
    assert f"links=2:{'one' if x == 1 else x:g}" in page.url if x != 1 else "links=2:one" in page.url


@pytest.mark.parametrize("x, begins", [("0", "=0·∂L∂h4"), ("one", "=1·∂L∂h4"), ("0.5", "=0.5·Whh⊤·σ′(z4)⊙∂L∂h4"), ("-2", "=−2·Whh⊤·σ′(z4)⊙∂L∂h4")])
def test_the_panel_multiplies_out_to_what_is_shown_where_a_link_is_replaced(visit, x, begins):
    page = visit(draw(net(sigmoid_rnn)), f"#t=3&links=3:{x}")
    numbers, here = page.locator("#card .numbers").inner_text().split("\n")[-1], gradients(page)[3]
    parts = page.locator("#card .tile").evaluate_all("all => all.map((e) => Number(e.title))")
    assert math.prod(parts) == pytest.approx(here, rel=1e-12, abs=0) and numbers.split(" = ")[0] == power(math.log(here) if here else -math.inf)
    assert page.locator(".equation math").text_content().endswith(begins)
    assert page.locator(".step text.flow").all_text_contents()[-1:] == ([] if x in ("0", "one") else [power(math.log(here))])
    assert page.locator("#by-hand").is_visible() == bool(page.locator(".step").count()) == bool(page.locator(".strip.slopes").count())
    assert ("The link from h₄ to h₃ is replaced by 0." in page.locator("#about").inner_text()) == (x == "0")


def test_the_panel_of_the_last_station_has_words_for_every_cell(visit):
    page = visit(several(), "#t=6")
    for name in ("tanh", "LSTM", "GRU", "sigmoid"):
        page.get_by_role("button", name=name, exact=True).click()
        assert "Here the gradient is" in page.locator("#card").inner_text() and "null" not in page.locator("#card").inner_text()


@pytest.mark.parametrize("activation, code", [("sigmoid", "g_h * 1"), ("tanh", "g_h * 1"), ("relu", "g_h * 1")])
def test_slopes_of_1_are_1_in_the_formula_and_in_the_code(visit, activation, code):
    chain = net(lambda n_in, n, rng: nn.RNNCell(n_in, n, activation, rng=rng))
    page = visit(draw(chain), "#t=3&what=slopes1")
    assert page.locator(".equation math").text_content().endswith("=Whh⊤·1·∂L∂h4")
    assert page.locator("#by-hand code").first.text_content() == f"g_z = {code}\n"
    page.locator("#if-slopes").click()
    assert "′" in page.locator(".equation math").text_content() and code not in page.locator("#by-hand").text_content()


def test_the_gradient_is_sent_back_a_link_at_a_time_and_keys_step(visit):
    page = paused(visit(draw(net(sigmoid_rnn, T=5), read="abcde"), alone=True))
    page.locator("#speed").select_option("0.5")
    send, shown = page.locator("#send"), pytest.importorskip("playwright.sync_api").expect(page.locator("#river .dot"))
    send.click()
    page.clock.run_for(900)
    shown.to_have_count(2)
    assert send.inner_text() == "❚❚ Pause"
    send.click()
    assert "Send the gradient back" in send.inner_text()
    page.keyboard.press(".")
    shown.to_have_count(3)
    page.keyboard.press(",")
    shown.to_have_count(2)
    page.locator("#speed").select_option("4")
    send.click()
    page.clock.run_for(6 * 113)
    shown.to_have_count(6)
    page.keyboard.press("Home")
    page.locator("#river .column.on").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.station") == page.locator(".column.on").get_attribute("data-station") == "1"
    page.get_by_role("button", name="Forward pass").click()
    page.clock.run_for(6 * 50)
    shown.to_have_count(6)


def test_a_station_that_was_clicked_stays_till_one_clicks_elsewhere_or_leaves(visit):
    page = visit(draw(net(sigmoid_rnn)), "#t=5")
    shown, ground = lambda: page.locator("#card h2").inner_text().strip(), page.locator("#about").bounding_box()
    at = {k: page.locator(f"[data-station='{k}'] > rect").nth(1).bounding_box() for k in range(7)}
    over = lambda k: page.mouse.move(at[k]["x"] + at[k]["width"] / 2, at[k]["y"] + 100)  # noqa: E731
    over(4)
    assert shown() == "h₄"
    over(1)
    page.mouse.down()
    page.mouse.up()
    over(5)
    assert shown() == "h₁"  # on the way to the panel
    page.locator("#card").get_by_role("button", name="→ 0").click()
    assert "links=1:0" in page.url
    over(3)
    assert shown() == "h₁"
    page.mouse.click(ground["x"] + 5, ground["y"] + 5)
    over(3)
    assert shown() == "h₃"
    page.keyboard.press("ArrowLeft")
    over(5)
    assert shown() == "h₂"
    page.keyboard.press("Escape")
    over(4)
    assert shown() == "h₄"


def test_steps_by_key_go_from_the_station_that_is_shown(visit):
    for key, name in ((".", "h₃"), (",", "h₅")):
        page = visit(draw(net(sigmoid_rnn)), "#t=4")
        page.keyboard.press(key)
        assert page.locator("#card h2").inner_text().strip() == name


def test_space_plays_after_a_click_of_the_mouse_and_presses_the_button_that_the_tab_key_reached(visit):
    page = paused(visit(several(), alone=True))
    pause, linear = "❚❚ Pause", page.locator("#linear")
    for where in (linear, page.locator("#again"), page.get_by_text("rerun"), page.get_by_role("button", name="tanh")):
        where.click()
        page.keyboard.press(" ")
        assert page.locator("#send").inner_text() == pause
        page.keyboard.press(" ")
        assert page.locator("#send").inner_text() != pause
    page.locator("#save").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press(" ")
    assert linear.get_attribute("aria-pressed") == "false" and page.locator("#send").inner_text() != pause
    assert page.evaluate("document.activeElement.id") == "linear"


def test_the_keys_are_told_by_a_key_and_by_a_button(visit):
    page = visit(draw(net(sigmoid_rnn)), "#what=slopes1&t=4")
    keys = page.locator("#river-keys")
    for opens in (lambda: page.keyboard.press("?"), page.get_by_role("button", name="? keys").click):
        opens()
        assert keys.is_visible()
        page.keyboard.press(".")
        page.keyboard.press("Escape")
        assert not keys.is_visible() and "what=slopes1" in page.url and "t=4" in page.url  # the keys behind it are at rest


def test_the_forward_pass_gives_way_to_a_key_a_model_and_the_gradient(visit):
    one, expect = net(sigmoid_rnn, T=6), pytest.importorskip("playwright.sync_api").expect
    page = paused(visit(draw(one, read="abcdef", beside={"one": one, "other": net(nn.RNNCell, T=6)}), alone=True))
    letters = page.locator("#river .letter")
    for leave in (lambda: page.keyboard.press("."), page.get_by_role("button", name="other").click, page.locator("#send").click):
        page.get_by_role("button", name="Forward pass").click()
        page.clock.run_for(200)
        expect(letters).to_have_count(1)
        leave()
        expect(letters).to_have_count(6)
    assert page.locator("#send").inner_text() == "❚❚ Pause"


def test_what_cannot_be_replaced_is_not_said_to_be(visit, goto, tmp_path):
    drawing = draw(net(sigmoid_rnn), beside={"large": net(nn.LSTMCell, T=12, n=12)})
    (tmp_path / "small.html").write_text(page_html(drawing.picture, drawing.rivers, budget=400), encoding="utf-8")
    page = goto((tmp_path / "small.html").as_uri() + "#what=slopes1")
    page.locator("#chip").wait_for()
    page.get_by_role("button", name="large").click()
    assert page.locator("#left-out").is_visible() and not page.locator("#chip").is_visible() and page.locator(".ghost").count() == 0
    assert not goto((tmp_path / "small.html").as_uri() + "#model=1&what=slopes1&links=2:0").locator("#chip").is_visible()


def test_behind_a_link_of_0_no_factor_is_said_to_be_not_finite(visit):
    page = visit(draw(net(nn.LSTMCell)), "#links=3:0")
    assert gradients(page)[:4].tolist() == [0, 0, 0, 0] and "not finite" not in page.locator("#rows").text_content()
    for t in (0, 2, 3):
        assert not re.search("not finite|NaN", visit(draw(net(nn.RNNCell)), f"#links=3:0&t={t}").locator("#card").inner_text())


def test_models_are_compared_and_the_moment_stands_in_the_address(visit):
    one, other = net(sigmoid_rnn), net(nn.LSTMCell)
    drawing = draw(one, beside={"sigmoid": one, "LSTM": other})
    page = visit(drawing)
    assert page.locator("#if-gates").is_disabled()
    page.get_by_role("button", name="LSTM").click()
    agree(page, [np.linalg.norm(g) for g in other.gradients[:-1]])
    assert page.title() == drawing.canvas.title and "; LSTM: " in page.title()  # of the page, and of its picture without a script
    assert f"<title>{drawing.canvas.title}</title>" in drawing.html
    page.get_by_role("button", name="forget gates were 1").click()
    page.locator("[data-station='3']").click()
    again = visit(drawing, "#" + page.url.partition("#")[2])
    assert again.locator("h1").inner_text() == page.locator("h1").inner_text()
    assert again.locator("#card h2").inner_text() == page.locator("#card h2").inner_text()
    assert np.array_equal(gradients(again), gradients(page))


def test_the_card_multiplies_out_and_knows_the_product_so_far(visit):
    chain = net(sigmoid_rnn, T=8)
    page = visit(draw(chain), "#t=3")
    parts = page.locator("#card .tile").evaluate_all("all => all.map((e) => Number(e.title))")
    assert math.prod(parts) == pytest.approx(np.linalg.norm(chain.gradients[3]), rel=1e-12)
    so_far = float(page.locator("[data-so-far]").get_attribute("data-so-far"))
    assert so_far == pytest.approx(chain.log_product[3] - chain.log_product[8], abs=1e-12)
    assert "absolute size, h₄ → h₃" in page.locator("#card .numbers").inner_text() and "relative to h₈: " in page.locator("[data-so-far]").inner_text()
    assert page.locator("#card math").count() == 1 and "σ" in page.locator("#card math").text_content()


def test_the_full_graph_is_the_second_view_and_leads_back(visit):
    page = visit(draw(net(nn.RNNCell, T=3)), "#t=2")
    page.get_by_role("button", name="open in the full graph").click()
    page.locator("#view").wait_for()
    assert page.locator("#node h2").inner_text() == "h[2]" and page.locator("h1").count() == 1
    assert not page.locator("#as-is").is_visible()
    page.get_by_role("button", name="← the river").click()
    assert page.locator("#river").is_visible() and not page.locator("#graph-view").is_visible()
    page.locator("#if-slopes").click()
    page.get_by_role("button", name="open in the full graph").click()
    assert page.locator("#as-is").inner_text() == "the net as it was run: what is replaced in the river is not replaced here" and page.locator("#to-river").inner_text() == "← the river"


def test_the_stage_is_saved_as_a_picture(visit, tmp_path):
    page = visit(draw(net(nn.RNNCell)), "#scale=3", color_scheme="dark")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save picture").click()
    waiting.value.save_as(tmp_path / "river.svg")
    text = (tmp_path / "river.svg").read_text(encoding="utf-8")
    assert ET.fromstring(text).get("viewBox") == "0 0 1280 720" and page.locator("h1").inner_text() in "".join(ET.fromstring(text).itertext())
    assert re.search(r"dark\) \{\s*:root \{ --page: " + INKS["page"][1], text)  # light or dark with who looks at it


@pytest.mark.parametrize("state, words", [("#what=slopes1", "what if: all slopes 1."), ("#what=slopes1+orthogonal", "what if: all slopes 1, W orthogonal, these factors alone."), ("", "")])
def test_a_saved_picture_says_what_was_replaced_names_its_lines_and_is_as_wide_as_the_slide(visit, goto, tmp_path, state, words):
    page = visit(draw(net(sigmoid_rnn, T=20), read="'s do more of those!"), state)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save picture").click()
    waiting.value.save_as(tmp_path / "saved.svg")
    saved = goto((tmp_path / "saved.svg").as_uri(), color_scheme="dark")
    told_all = saved.locator("svg").first.text_content()
    assert words in told_all and ("as it is: " in told_all) == ("what if" in told_all) == bool(state)
    assert saved.locator(".column, .shade").count() == 0 and saved.locator(".ghost").count() == bool(state)
    dots = saved.locator(".dot").evaluate_all("all => all.map((e) => [e.getBoundingClientRect().left, e.r.baseVal.value])")
    assert max(x for x, _ in dots) > 1150 and {r for _, r in dots} == {4}
    assert saved.locator("rect").first.evaluate("e => getComputedStyle(e).fill") == "rgb(18, 21, 25)"  # dark with its reader
    assert saved.evaluate("Math.min(...[...document.querySelectorAll('text')].map((e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a))") >= 18


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)])
def test_all_models_of_a_page_have_one_axis_and_stand_beside_with_their_names(visit, size):
    chains = {"sigmoid": net(sigmoid_rnn, T=20), "tanh": net(nn.RNNCell, T=20), "LSTM": net(nn.LSTMCell, T=20)}
    page = visit(draw(chains["sigmoid"], beside=chains), viewport={"width": size[0], "height": size[1]})
    ticks, seen = "all => all.map((e) => [e.textContent, e.getAttribute('y')])", []
    for name in (*chains, "sigmoid"):
        page.get_by_role("button", name=name, exact=True).click()
        seen.append(page.locator("#river .soft[x='60']").evaluate_all(ticks))
        words = {one: f"{one}: {power(river(chain).logs[0])}" for one, chain in chains.items()}
        assert page.locator("#river .value").text_content() == words.pop(name)
        assert sorted(page.locator("#river .named").all_text_contents()) == sorted(words.values()) and page.locator("#river .other").count() == 2
    assert all([text for text, _ in one] == [text for text, _ in seen[0]] for one in seen)
    page.locator("#if-slopes").click()
    assert {"as it is: " + power(river(chains["sigmoid"]).logs[0])} < set(page.locator("#river .named").all_text_contents())
    boxes = page.locator("#river .named, #river .value, #river .slant").evaluate_all("all => all.map((e) => e.getBoundingClientRect()).map((b) => [b.left, b.top + 3, b.right, b.bottom - 3])")
    assert all(c <= x or z <= a or d <= y or w <= b for k, (a, b, c, d) in enumerate(boxes) for x, y, z, w in boxes[:k])


@pytest.mark.parametrize("at", ["", "#axis=linear"])
def test_on_the_page_a_name_far_from_where_its_line_ends_has_a_leader(visit, at):
    few = [0.52, 0.3, 0.35, 8.7e-4, 3.7e-5, 0.039]
    page = visit(draw(scalars(*[0.2] * 20), beside={f"the cell called {k}": scalars(*[all**0.05] * 20) for k, all in enumerate(few)}), at)
    ends, names, leaders = page.evaluate("""["other", "named", "leader"].map((kind) => [...document.querySelectorAll(`#river .${kind}`)].map((e) => ({
        other: () => [...e.getAttribute("d").matchAll(/[-.0-9]+/g)].slice(0, 2).map(Number), named: () => [e.textContent, e.getAttribute("x") - 30, e.getAttribute("y") - 5],
        leader: () => ["x1", "y1", "x2", "y2"].map((key) => Number(e.getAttribute(key))) })[kind]()))""")
    assert len(ends) == len(names) == 6
    for text, x, y in names:
        end = ends[int(text[len("the cell called ")])]
        assert math.dist(end, (x, y)) <= 24.5 or any(np.allclose(line, [*end, x, y], atol=0.1) for line in leaders)
        assert math.dist(end, (x, y)) <= 120


def test_the_horizon_crosses_no_words(visit):
    for size in ((1280, 720), (1024, 768)):
        page = visit(draw(net(sigmoid_rnn, T=20)), viewport={"width": size[0], "height": size[1]})
        where = "all => all.map((e) => e.getBoundingClientRect()).map((b) => [b.left, b.top, b.right, b.bottom])"
        [(x, top, _, foot)], words = page.locator("#river .horizon").evaluate_all(where), page.locator("#river text").evaluate_all(where)
        assert all(not (a < x < c and b < foot and top < d) for a, b, c, d in words)


def test_no_horizon_stands_at_the_end_where_nothing_lies_behind(visit):
    deep = scalars(*[0.25] * 20)
    for factors, marked in (([0.7] * 20, False), ([0.65] * 20, True)):
        chain = scalars(*factors)
        assert ("below 1/1000 from" in draw(chain, axis_of=[deep]).svg) == marked
        assert visit(draw(chain, beside={"deep": deep})).locator("#river .horizon").count() == marked


@pytest.mark.parametrize("cell", CELLS)
def test_formula_graph_and_code_stand_in_the_panel_without_scrolling(visit, cell):
    page = visit(draw(lesson({"sigmoid": lambda n, m, rng: nn.RNNCell(n, m, "sigmoid", rng=rng)}.get(cell, CELLS[cell])(27, 16, rng=0)), read="the gradient went back"))
    wide = page.evaluate("[...document.querySelectorAll('.equation math')].map((e) => [Math.max(e.scrollWidth, e.getBoundingClientRect().width), e.parentElement.clientWidth])")
    assert all(a <= b + 1 for a, b in wide) and len(wide) == 1
    if cell in ("sigmoid", "tanh"):
        assert page.evaluate("document.querySelector('#card').scrollHeight <= document.querySelector('#card').clientHeight") and page.locator(".step").count() == 1


@cache
def as_the_main_job():
    """A page of as many cells, letters and predictions as that of the main job."""
    rng, text = np.random.default_rng(0), "'s do more of those!"
    states = nn.unroll(sigmoid_rnn(3, 32, rng), rng.normal(size=(20, 3)))
    losses = [(h * rng.normal(size=32)).sum() for h in states[1:]]
    chain, others = Chain(losses[-1].named("loss"), states[0], through=states), ("tanh", "relu", "GRU", "leaky", "LSTM, forget bias 3")
    beside = {"sigmoid": chain} | {name: net(nn.GRUCell if name == "GRU" else nn.RNNCell, T=20) for name in others} | {"LSTM": net(nn.LSTMCell, T=20)}
    return draw(chain, read=text, about=f"20 steps of a sigmoid RNN reading “{text}”", losses=losses, beside=beside)


@pytest.mark.parametrize("state", ["", "#scale=4", "#what=slopes1+orthogonal&scale=4", "#links=12:0.5", "#links=12:0", "#model=1"])
@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)])
def test_the_last_row_of_the_panel_and_of_the_buttons_is_in_sight(visit, size, state):
    page = visit(as_the_main_job(), state, viewport={"width": size[0], "height": size[1]})
    card, one, controls, code = page.evaluate("""["#card", ".one", ".controls", "#by-hand"].map((where) => document.querySelector(where).getBoundingClientRect().bottom)""")
    assert controls <= size[1] and card - 2 <= one <= card  # no room below it
    assert code <= page.locator(".one").bounding_box()["y"] + 1


def test_a_formula_of_long_names_stands_in_two_lines(visit):
    h = [Tensor(np.ones(3)).named("a_state_of_a_long_name", 0)]
    for t in (1, 2):
        h.append(np.tanh(h[-1] * h[-1] + h[-1]).named("a_state_of_a_long_name", t))
    page = visit(draw(Chain(h[-1].sum().named("loss"), h[0], through=h)), "#t=1")
    assert page.locator(".equation math mtr").count() == 2 and "a_state" in page.locator(".equation math").text_content()


def test_no_button_moves_while_one_demonstrates(visit):
    chains = {"sigmoid": net(sigmoid_rnn), "LSTM": net(nn.LSTMCell), "GRU": net(nn.GRUCell)}
    page = visit(draw(chains["sigmoid"], beside=chains))
    places = lambda: page.locator(".controls button, .controls label").evaluate_all("all => all.map((e) => [e.id, e.offsetLeft, e.offsetTop, e.offsetWidth])")  # noqa: E731
    start = places()
    for name in ("LSTM", "GRU", "sigmoid"):
        page.get_by_role("button", name=name, exact=True).click()
        assert places() == start
    page.locator("#if-slopes").click()
    page.locator("#send").click()
    assert page.locator("#send").inner_text() == "❚❚ Pause" and places() == start


def test_the_forward_pass_speaks_of_no_gradient(visit):
    page = paused(visit(draw(net(sigmoid_rnn), read="abcdef"), alone=True))
    page.get_by_role("button", name="Forward pass").click()
    page.clock.run_for(2 * 200)
    assert page.locator("h1").inner_text() == "Forward: h₂ is computed from h₁ and ‘b’. No gradient yet."
    card, rest = page.evaluate("['#card', '#about'].map((e) => document.querySelector(e).textContent)")
    assert "No gradient yet" in card and "∂" not in card and "nats" not in rest
    page.clock.run_for(6 * 200)
    assert "arrives" in page.locator("h1").inner_text()


@cache
def compared(T, read):
    one = net(sigmoid_rnn, T)
    return draw(one, read=read, about=f"{T} steps", beside={"sigmoid": one, "LSTM": net(nn.LSTMCell, T)})


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (390, 844), (640, 360)])
def test_nothing_is_cut_off_and_no_type_is_below_14_pixels(visit, size):
    page = visit(compared(20, "'s do more of those!"), "#scale=4", viewport={"width": size[0], "height": size[1]})
    for _ in by_day_and_by_night(page):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        least = page.evaluate("""Math.min(...[...document.querySelectorAll('#river-view *')].filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length && !e.closest('title, math'))
            .map((e) => parseFloat(getComputedStyle(e).fontSize)))""")
        assert least >= 14


def test_a_large_chain_makes_a_page_that_can_be_read_though_nothing_can_be_replaced(visit):
    h = Tensor(np.ones((64, 64)) / 64, "h[0]")
    states = [h]
    for t in range(1, 4):
        states.append(np.einsum("ij,jk->ik", np.tanh(states[-1]), states[-1]).named("h", t))
    chain = Chain(states[-1].sum().named("loss"), h, through=states)
    page = visit(draw(chain))
    assert np.allclose(gradients(page), [np.linalg.norm(g) for g in chain.gradients[:-1]], rtol=1e-12)
    assert page.locator("#left-out").is_visible() and not page.locator("#what-if").is_visible()


def test_every_part_has_an_ink():
    assert all(ink in INKS and f"{ink}-mark" in INKS for ink in PARTS.values())


STATES = {"as it opens": [], "what if": ["#if-slopes"], "all of it": ["#tabled", "#linear"], "the last station": ["[data-station='6']"], "the graph": [".door"]}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [(1280, 720), (390, 844)], ids=["wide", "narrow"])
def test_a_checker_of_accessibility_finds_nothing_serious(visit, state, size):
    page = visit(compared(6, "abcdef"), viewport={"width": size[0], "height": size[1]})
    for selector in STATES[state]:
        page.locator(selector).first.click()
    for scheme in by_day_and_by_night(page):
        assert [one for one in violations(page) if one[0] in ("serious", "critical")] == [], scheme


def test_the_river_begins_at_any_prediction_and_every_row_is_a_row_of_reach(visit):
    from tinygrad_vg import reach

    rng, T = np.random.default_rng(0), 6
    for cell in (nn.RNNCell, nn.LSTMCell):
        states = nn.unroll(cell(3, 4, rng=rng), rng.normal(size=(T, 3)))
        hs = [state[0] if isinstance(state, tuple) else state for state in states]
        losses = [(h * rng.normal(size=4)).sum() for h in hs[1:]]
        chain = Chain(losses[-1].named("loss"), hs[0], through=states)
        page = visit(draw(chain, read="abcdef", losses=losses))
        wanted = reach(losses, states).matrix
        page.get_by_role("button", name="Every prediction").click()
        assert page.locator("#about").inner_text().endswith(". Now point at a letter.")
        for t in (2, 4, 6):
            page.locator(f"[data-letter='{t}']").hover()
            assert ("Now point" in page.locator("#about").inner_text()) == (t == 6)  # where it is as it was
            assert np.allclose(gradients(page)[1:], wanted[t - 1][1:], rtol=1e-12, atol=0)
            page.locator("[data-station='1']").hover()  # its dot is the large one
            assert page.locator("#river .dot").evaluate_all("all => all.map((e) => e.getAttribute('r'))") == ["4", "8", *"4" * (t - 1)]
            assert page.locator("h1").inner_text().count(f"{t}".translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))) >= 1
    with pytest.raises(ValueError, match="losses has 2 entries, but there are 6 steps"):
        draw(chain, losses=losses[:2])


def test_the_main_jobs_page_is_at_most_400_kilobytes(tmp_path):
    from tinygrad_vg.cli.main import main

    main(["--activation", "sigmoid", "--out", str(tmp_path)])
    assert (tmp_path / "rnn.html").stat().st_size <= 400_000


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_forward_pass_run_again_is_a_net_with_this_weight(visit, activation, batch):
    X, T = np.random.default_rng(1).normal(size=(5, 3) if batch is None else (5, batch, 3)), 5

    def unrolled(change):
        cell = nn.RNNCell(3, 4, activation, rng=0)
        cell.W_hh.data = change(cell.W_hh.data)
        return nn.unroll(cell, X)

    states = unrolled(lambda W: W)
    chain = Chain((states[-1] * 0.7).sum().named("loss"), states[0], through=states)
    page = visit(draw(chain))
    for change in (lambda W: 1.7 * W, polar):
        page.get_by_label("rerun").check()
        if change is polar:
            page.get_by_role("button", name="W were orthogonal").click()
        else:
            page.get_by_label(re.compile("^W ×")).fill("1.7")
        other = unrolled(change)
        wanted = Chain(other[T], other[0], through=other, seed=chain.gradients[T])
        agree(page, [np.linalg.norm(g) for g in wanted.gradients])
        assert "the net run again, gradient at h₅ kept" in page.locator("#chip").inner_text() and page.url.count("again") == 1
        page.locator("#chip").click()


@cache
def several():
    """A page of cells that differ in what can be replaced in them, and in length; the first can begin at any prediction."""
    rng = np.random.default_rng(0)
    states = nn.unroll(sigmoid_rnn(3, 5, rng), rng.normal(size=(6, 3)))
    losses = [(h * rng.normal(size=5)).sum() for h in states[1:]]
    chain = Chain(losses[-1].named("loss"), states[0], through=states)
    beside = {"sigmoid": chain, "tanh": net(nn.RNNCell), "LSTM": net(nn.LSTMCell), "GRU": net(nn.GRUCell), "short": net(sigmoid_rnn, T=4)}
    return draw(chain, losses=losses, beside=beside)


SHOWN = """() => [...["h1", "#about", "#chip", "#card", "#rows"].map((where) => document.querySelector(where).textContent), document.querySelector("#again").checked,
    ...[...document.querySelectorAll("[data-station]")].map((e) => e.dataset.gradient)]"""


def test_a_factor_alone_is_what_is_shown_after_a_rerun_and_a_visit_to_another_cell(visit):
    page, fresh = visit(several(), "#scale=4"), visit(several(), "#scale=4").evaluate(SHOWN)
    for other in ("LSTM", "tanh"):
        page.get_by_label("rerun").check()
        page.get_by_role("button", name=other, exact=True).click()
        page.get_by_role("button", name="sigmoid", exact=True).click()
        page.get_by_label("rerun").uncheck()
        assert page.evaluate(SHOWN) == fresh


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_is_what_a_fresh_page_of_this_address_shows(visit, seed):
    rng, page = np.random.default_rng(seed), visit(several(), "#scale=4")
    places = ["#models button", "#again:enabled"] * 3 + ["#what-if button:enabled", "#scale:enabled", "[data-station]", ".one button:not(.door)", "#linear", "<"]
    for turn in range(6):
        for where in [*rng.choice(places, size=6), *["#models button:first-child"] * (turn % 3 > 0)]:
            page.evaluate("""([where, share]) => {
                if (where === "<") return document.body.dispatchEvent(new KeyboardEvent("keydown", { key: where, bubbles: true }));
                const all = [...document.querySelectorAll(where)], one = all[Math.floor(share ** 2 * all.length)];
                if (one?.type === "range") { one.value = 0.5 + 5.5 * share; one.dispatchEvent(new Event("input")); }
                else one?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
            }""", [str(where), rng.random()])
        fresh = visit(several(), "#" + page.url.partition("#")[2])
        assert fresh.evaluate(SHOWN) == page.evaluate(SHOWN), page.url


def test_what_another_cell_does_not_have_is_there_again_when_one_comes_back(visit):
    page = visit(several(), "#scale=4&what=again+gates1&links=5:0.5")
    start, url = page.evaluate(SHOWN), page.url
    page.get_by_role("button", name="short", exact=True).click()
    assert "h₅" not in page.locator("#chip").inner_text() and page.locator("#again").is_disabled()
    page.get_by_role("button", name="sigmoid", exact=True).click()
    assert page.evaluate(SHOWN) == start and page.url == url and "→" not in page.locator("#chip").inner_text()


def test_a_gradient_too_large_for_a_float_has_a_place_on_a_linear_scale_too(visit):
    x = Tensor([1e-250, 2e-250], "x")
    page = visit(draw(Chain((x * 1e200 * 1e200).sum().named("loss"), x)), "#axis=linear")
    assert page.locator("#river .zero, #river .dot").count()
    assert "NaN" not in page.locator("#river").inner_html()


def post_norm(depth=12):
    """A transformer with the norm after the sum: what the norms take, merging branches give back in part."""
    h = [Tensor(np.random.default_rng(0).normal(size=(6, 16)), name="h0")]
    for k in range(1, depth + 1):
        h.append(nn.TransformerBlock(16, 2, "post", causal=True, rng=k, name=f"block{k}")(h[-1], k))
    return Chain(nn.mse(h[-1], np.ones((6, 16))).named("loss"), h[0], through=h[1:])


def test_the_title_names_the_norms_alone_and_nothing_of_opposite_sign_is_summed(visit):
    chain = post_norm()
    drawing, parts = draw(chain), chain.blame().parts
    assert parts["norm"] < -10 and parts["merge"] > 5 and chain.blame().total < 0
    assert told(drawing.river.title).endswith(" arrives at h0. The norms did it.") and ("norms", "norms") in drawing.river.title
    for words in (told(drawing.river.below), visit(drawing).locator("#about").inner_text()):
        assert f"norms −{-parts['norm']:.1f}" in words and f"merging branches gave {parts['merge']:.1f} back, " in words and " and " not in words
    assert visit(drawing).locator("h1").inner_text() == told(drawing.river.title)
    bars = [e.get("class") for e in ET.fromstring(drawing.svg).iter() if e.tag.endswith("rect")]
    assert bars.count("f-norms-mark") == 12


def test_kinds_of_one_ink_and_opposite_sign_have_a_bar_each():
    frame = {"stations": ["h0", "h1"], "logs": [1.0, 0.0], "links": [{"merge": 4.0, "attention": -2.4, "scale": -1.0}], "ended": ""}
    found = river_of(frame)
    assert heaps(found.nats[0])["rest"] == (-3.4, 4.0) and told(found.below).endswith("merging branches +4.0 nats, attention −2.4, constant factors −1.0.")
    assert told(found._replace(logs=[0.1, 0.0]).title).endswith("What the attention took, the merging branches gave back.")


def seen(colour, eye):
    """A colour as an eye sees it (Machado & others 2009), in Oklab, where distances are alike."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    light = np.clip(EYES[eye] @ [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts], 0, 1)
    cones = np.cbrt(np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]) @ light)
    return np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]) @ cones


EYES = {
    "all": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]])}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_norms_differ_from_every_other_ink_for_every_eye(eye, scheme):
    for end in ("", "-mark"):
        own = seen(INKS[f"norms{end}"][scheme], eye)
        assert min(np.linalg.norm(own - seen(INKS[f"{part}{end}"][scheme], eye)) for part in ("slopes", "weights", "gates", "rest", "flow")) > 0.1


@pytest.mark.parametrize("index", [np.s_[:, 2:4], np.s_[1], np.s_[[2, 0, 2], ::-1], np.s_[..., 3]])
def test_a_selection_travels_as_its_places(index):
    edge = Tensor(np.arange(12.0).reshape(3, 4))[index].edges[0]
    store = Store(1000)
    sent, blobs = map_of(edge, store), list(store.place)
    places, ones = (np.frombuffer(blobs[k][1], blobs[k][0]) for k in (sent["index"], sent["d"]))
    M = np.zeros(sent["rows"] * sent["columns"])
    M[places] = ones
    assert np.array_equal(M.reshape(sent["rows"], sent["columns"]), edge.local.dense())


def test_a_product_by_entry_has_no_transpose_on_the_page():
    x, w = Tensor(np.ones((2, 3)), name="x"), Tensor(np.full(3, 0.5), name="w")
    y = (nn.Linear(3, 3, rng=0)(tanh(x) * w)).named("y")
    data = river_data(river(Chain(y.sum(), x)), "", Store(1000))
    told = [(factor["t"], factor["e"]) for link in data["links"] for factor in link["formula"] if factor["k"] == 1]
    assert sorted(told) == [("W", 0), ("w", 1)]
