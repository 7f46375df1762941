"""The page in a real browser, from a file, without a network: what it shows is what the engine computes, and nothing else runs."""

import math
from functools import cache

import numpy as np
import pytest
from pages import paused, settled

from tinygrad_vg import Chain, Scalar, Tensor, grad, history, nn
from tinygrad_vg.drawing import draw
from tinygrad_vg.drawing.page import page_html
from tinygrad_vg.drawing.river import river
from tinygrad_vg.drawing.typography import small

HOSTILE = (
    "</script><script>document.title='pwned'</script>", "<img src=x onerror=\"document.title='pwned'\">", "]]> --> <!--<script>",
    "javascript:document.title='pwned'", "__proto__", "constructor", "toString", "</title>\u2028\u2029", "&lt;b&gt; &amp;", "\"' \\",
)  # fmt: skip


@pytest.fixture
def visit(goto, tmp_path):
    """Open the page of an output."""

    def opened(output, chain=None, fold=None, title="", budget=300_000, picture=None, **options):
        rivers = {} if chain is None else {"": river(chain)}
        file = tmp_path / f"page{len(list(tmp_path.iterdir()))}.html"
        file.write_text(page_html(picture or drawn(output, fold).picture, rivers, title, budget=budget), encoding="utf-8")
        page = goto(file.as_uri(), **{"viewport": {"width": 1300, "height": 800}} | options)
        if chain is not None:
            page.get_by_role("button", name="open in the full graph").click()
            page.wait_for_function("typeof boxes === 'object' && $('graph-view').hidden === false")
        return page

    return opened


def rnn(T=4, n=3):
    cell = nn.RNNCell(3, n, rng=0)
    states = nn.unroll(cell, np.eye(3)[np.arange(T) % 3])
    return nn.cross_entropy(nn.Linear(n, 3, rng=1, name="out")(states[-1]), 2).named("loss"), states


def lstm():
    states = nn.unroll(nn.LSTMCell(3, 3, rng=0), np.eye(3))
    return (states[-1][0] ** 2).sum().named("loss")


def residual():
    x = Tensor(np.linspace(-1, 1, 4), "x")
    return (nn.MLP([4] * 5, residual=True, rng=0)(x) ** 2).sum().named("loss")


def scalar_mlp():
    x, w = [Scalar(0.5, "x0"), Scalar(-0.3, "x1")], iter(np.random.default_rng(0).normal(size=12))
    h = [sum((Scalar(next(w)).named("w", i, j) * x[j] for j in (0, 1)), Scalar(next(w)).named("b", i)).tanh().named("h", i) for i in (0, 1)]
    y = (h[0] * Scalar(next(w), "v0") + h[1] * Scalar(next(w), "v1")).sigmoid().named("y")
    return ((y - 1.0) ** 2).named("loss"), x[0]


def gradient_of(output, name):
    return np.ravel(grad(output, next(node for node in history(output) if str(node.name) == name)))


drawn = cache(draw)


def number_of(output, name, fold=None):
    """The number of the box of that name."""
    boxes = drawn(output, fold).picture.boxes
    return next(i for i, box in enumerate(boxes) if box.name == name and box.kind != "alias")


def click(page, i):
    """Click a box, wherever it is."""
    page.evaluate(f"show({i})")
    page.locator(f"#n{i}").click()


def read(page, selector):
    """The full numbers behind what is shown."""
    return [np.array([float(x) for x in value.split()]) for value in page.locator(selector).evaluate_all("all => all.map(e => e.value)")]


def close(a, b):
    a, b = np.ravel(a), np.ravel(b)
    return a.shape == b.shape and np.linalg.norm(a - b) <= 1e-12 * np.linalg.norm(b)


@pytest.mark.parametrize("output", [scalar_mlp()[0], rnn()[0], lstm(), residual()], ids=["scalar MLP", "RNN", "LSTM", "residual MLP"])
def test_the_pages_own_sweep_gives_the_engines_gradients(visit, output):
    page = visit(output)
    pairs = page.evaluate("given.flatMap((g, i) => g && boxes[i].kind !== 'constant' ? [[Array.from(g), Array.from(base.g[i])]] : [])")
    assert len(pairs) > 20
    assert all(close(computed, engine) for engine, computed in pairs)


def test_a_click_on_a_scalar_shows_its_exact_numbers_and_the_contributions_that_sum_to_its_gradient(visit):
    loss, x0 = scalar_mlp()
    page = visit(loss)
    for name in ("x0", "h[1]", "y", "w[0,1]"):
        click(page, number_of(loss, name))
        node = next(node for node in history(loss) if str(node.name) == name)
        assert read(page, "#node .value")[0][0] == node.data and read(page, "#node .gradient")[0][0] == grad(loss, node)
        parts = read(page, "#node .part")
        assert close(sum(parts), grad(loss, node)) and close(read(page, "#node .total")[0], grad(loss, node))
        if node.rule is not None:
            assert read(page, "#node .local")[0][0] == float(node.edges[0].local)
    click(page, number_of(loss, "x0"))
    assert len(read(page, "#node .part")) == 2


def test_the_numbers_are_put_into_the_formula(visit):
    w, x = Scalar(0.5, "w"), Scalar(-2.0, "x")
    h = (w * x).tanh().named("h")
    page = visit(h)
    click(page, number_of(h, "h"))
    assert "∂h/∂multiply = 1 - h * h = 1 - (-0.7616) * (-0.7616) = 0.42" in page.locator("#node .formula").inner_text()


def test_contributions_to_a_shared_weight_come_from_every_step_and_sum_to_its_gradient(visit):
    loss, _ = rnn(5)
    page = visit(loss)
    click(page, number_of(loss, "W_hh"))
    parts = read(page, "#node .part")
    assert len(parts) == 5 and close(sum(parts), gradient_of(loss, "W_hh")) and close(read(page, "#node .total")[0], sum(parts))


def test_an_array_is_read_entry_by_entry_with_pointer_and_keys(visit):
    loss, _ = rnn()
    page = visit(loss)
    W = next(node for node in history(loss) if str(node.name) == "W_hh").data
    click(page, number_of(loss, "W_hh"))
    canvas, told = page.locator("#node canvas").first, page.locator("#node .read").first
    canvas.focus()
    assert told.inner_text() == f"[0,0] = {W[0, 0]!r}".replace("np.float64(", "").rstrip(")")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert told.inner_text().startswith("[1,1] = ") and float(told.inner_text().split("= ")[1]) == W[1, 1]
    canvas.hover(position={"x": 3, "y": 3})
    assert float(told.inner_text().split("= ")[1]) == W[0, 0]


def test_the_running_product_passes_the_stations_and_ends_at_the_gradient(visit):
    loss, states = rnn()
    page = visit(loss)
    click(page, number_of(loss, "h[1]"))
    chain = Chain(loss, states[1])
    logs = np.concatenate(read(page, "#node .station .log")) * math.log(10)
    assert np.allclose(logs, chain.log_product[-2::-1], rtol=0, atol=1e-12)
    assert np.allclose(np.concatenate(read(page, "#node .station .gain")), [link.gain for link in chain.links[::-1]], rtol=1e-12)


def test_arrow_keys_walk_enter_selects_escape_clears(visit):
    w, x = Scalar(0.5, "w"), Scalar(-2.0, "x")
    h = (w * x).named("z").tanh().named("h")
    page = visit(h)
    focus = "document.activeElement.id"
    page.locator("#view .box[tabindex='0']").focus()
    assert page.evaluate(focus) == f"n{number_of(h, 'h')}"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focus) == f"n{number_of(h, 'z')}"
    page.keyboard.press("ArrowLeft")
    first = page.evaluate(focus)
    page.keyboard.press("ArrowDown" if first == f"n{number_of(h, 'w')}" else "ArrowUp")
    assert {first, page.evaluate(focus)} == {f"n{number_of(h, name)}" for name in "wx"}
    page.keyboard.press("Enter")
    assert page.locator("#node h2").inner_text() in "wx"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#node h2").inner_text() == "z"
    assert page.locator("#view [tabindex='0'].box").count() == 1
    page.keyboard.press("Escape")
    assert page.locator(".chosen").count() == 0 and page.locator("#node h2").inner_text() == "No node selected"


def test_boxes_have_labels_for_a_screen_reader(visit):
    loss, states = rnn(2)
    page = visit(loss, Chain(loss, states[0], through=states))
    i = number_of(loss, "h[1]")
    label = page.locator(f"#n{i}").get_attribute("aria-label")
    assert label.startswith("h₁ = tanh, norm ") and ", |grad| " in label  # its words; the title has all digits
    assert page.locator(f"#n{i} title").text_content().startswith("h[1] = tanh\nvalue 3, norm ")
    assert page.locator(f"#n{i}").get_attribute("role") == "button"
    click(page, i)
    assert page.get_by_role("row").count() >= 3 and page.get_by_role("columnheader", name="log10 product").is_visible()


def test_question_mark_shows_the_keys_and_plus_minus_zero_zoom(visit):
    page = visit(rnn()[0])
    scale = "view.scale"
    before = page.evaluate(scale)
    page.keyboard.press("+")
    assert page.evaluate(scale) > before
    page.keyboard.press("-")
    assert math.isclose(page.evaluate(scale), before)
    page.keyboard.press("0")
    assert page.evaluate(scale) < before
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_the_page_opens_legible_at_its_right_end_and_pans_and_zooms(visit):
    loss, _ = rnn(20)
    page = visit(loss)
    i = number_of(loss, "loss")
    box = page.locator(f"#n{i} text").first.bounding_box()
    assert 0 < box["x"] < 900 and box["height"] >= 9
    page.mouse.move(300, 500)
    page.mouse.down()
    page.mouse.move(420, 500, steps=4)
    page.mouse.up()
    assert page.locator(f"#n{i} text").first.bounding_box()["x"] == pytest.approx(box["x"] + 120, abs=2)
    page.mouse.wheel(0, -300)
    assert page.locator(f"#n{i} text").first.bounding_box()["height"] > box["height"] * 1.2
    assert page.locator(".chosen").count() == 0
    page.locator("#fit").click()
    assert page.locator(f"#n{i}").bounding_box()["x"] < 900 and page.locator("#n0").bounding_box()["x"] >= 0


def test_the_page_of_few_boxes_opens_on_all_of_them(visit):
    loss = nn.mse(rnn(3)[1][-1], np.ones(3)).named("loss")
    for width, height in ((1280, 720), (1024, 768)):
        assert all_in_sight(visit(loss, fold="states", viewport={"width": width, "height": height}))


def three_steps():
    w, h = Scalar(0.9, name="w"), Scalar(0.5).named("h", 0)
    for t in range(1, 4):
        h = (w * h).sigmoid().named("h", t)
    return h


def all_in_sight(page):
    within = "[view.x, view.y, scene.wide - view.x - stage().w / view.scale, scene.high - view.y - stage().h / view.scale]"
    left, top, right, bottom = page.evaluate(within)
    return left <= 0 and top <= 0 and right <= 0 and bottom <= 0


WORDS_UNDER_BOXES = """[...document.querySelectorAll('.arrow:not(.gone) text')].filter((text) => text.checkVisibility() && [...document.querySelectorAll('.box:not(.gone)')].some((box) => {
    const a = text.getBoundingClientRect(), b = box.querySelector('rect').getBoundingClientRect();
    return a.left < b.right - 1 && a.right > b.left + 1 && a.top < b.bottom - 1 && a.bottom > b.top + 1; })).map((text) => text.textContent)"""


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768)], ids=["laptop", "projector"])
def test_what_is_all_in_sight_stays_so_beside_the_panel(visit, size):
    w, x, b = Scalar(0.9, "w"), Scalar(0.5, "x"), Scalar(0.1, "b")
    loss = (((w * x + b).sigmoid() * w - x) ** 2).named("loss")
    page = visit(loss, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    assert all_in_sight(page)
    page.locator(f"#n{number_of(loss, 'loss')}").click()
    assert page.locator("#panel").is_visible() and all_in_sight(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Play").click()
    assert page.locator("#panel").is_visible() and all_in_sight(page)


def test_fold_all_hides_no_words_shows_all_and_lets_the_panel_go(visit):
    deep = nn.mse(nn.MLP([4] * 5, rng=0)(Tensor(np.eye(4), "x")), np.ones((4, 4))).named("loss")
    for loss in (deep, nn.mse(rnn(3)[1][-1], np.ones(3)).named("loss")):
        page = visit(loss, fold="auto", viewport={"width": 1280, "height": 720})
        page.evaluate("select([...groupOf.keys()].at(-1))")
        page.get_by_role("button", name="Fold all").click()
        assert page.evaluate(WORDS_UNDER_BOXES) == [] and all_in_sight(page)
        assert page.locator("#panel").is_hidden()


def test_the_panel_sets_numbers_as_the_boxes_do(visit):
    x = Tensor([1.0, 2.0], "x")
    loss = ((x * 1e-6) ** 2).sum().named("loss")
    page = visit(loss)
    click(page, number_of(loss, "loss"))
    assert "5·10⁻¹²" in page.locator("#node").inner_text() and "e-" not in page.locator("#node").inner_text()


def test_of_an_array_the_panel_says_how_far_its_own_numbers_reach(visit):
    W = Tensor([[0.25, -0.1, 0.5], [0.2, 0.3, 0.4]], "W")
    loss = (W * W).sum().named("loss")
    page = visit(loss)
    click(page, number_of(loss, "W"))
    assert page.locator("#node .read").first.inner_text().startswith("from −0.1 to 0.5, brown below 0 and teal above")


def test_from_the_river_a_box_is_shown_among_others(visit):
    loss, states = rnn(20)
    page = visit(loss, Chain(loss, states[0], through=states[1:]), viewport={"width": 1280, "height": 720})
    x, y, right, below = page.evaluate("[view.x, view.y, view.x + stage().w / view.scale - scene.wide, view.y + stage().h / view.scale - scene.high]")
    assert x >= 0 and y >= 0 and right <= 0 and below <= 0
    assert page.evaluate("boxes.filter((_, i) => { const [x, y] = standing.get(unit(i)); return x > view.x && x < view.x + stage().w / view.scale && y > view.y && y < view.y + stage().h / view.scale; }).length") >= 12


def resize(page, size):
    """To this size, as soon as the page has seen it; its policy lets nothing wait in it."""
    page.set_viewport_size(size)
    for _ in range(200):
        if page.evaluate(f"innerWidth === {size['width']} && ground.w === stage().w && ground.h === stage().h"):
            return
        page.wait_for_timeout(20)
    pytest.fail("the page does not see that its size is another")


def test_what_fits_opens_whole_and_the_panel_takes_its_room_when_a_box_is_selected(visit):
    page = visit(h := three_steps(), viewport={"width": 1280, "height": 800})
    panel, before = page.locator("#panel"), page.evaluate("({...view})")
    assert not panel.is_visible() and not page.locator("#divider").is_visible() and all_in_sight(page)
    click(page, number_of(h, "h[3]"))
    assert panel.is_visible() and page.locator("#divider").get_attribute("aria-valuenow") == "410"
    right = page.locator(f"#n{number_of(h, 'h[3]')}").bounding_box()
    assert right["x"] + right["width"] <= panel.bounding_box()["x"]
    page.locator("#node button").first.focus()
    page.keyboard.press("Escape")
    assert not panel.is_visible() and page.evaluate("({...view})") == before and page.evaluate("document.activeElement.matches('.box')")


def test_another_size_of_window_shows_all_again_until_the_view_is_moved(visit):
    page = visit(three_steps(), viewport={"width": 1280, "height": 800})
    for size in ({"width": 1200, "height": 780}, {"width": 1500, "height": 900}):
        resize(page, size)
        assert all_in_sight(page)
    page.locator("#larger").click()
    scale = page.evaluate("view.scale")
    resize(page, {"width": 1280, "height": 800})
    assert page.evaluate("view.scale") == scale
    page.locator("#fit").click()
    assert all_in_sight(page)


def test_both_passes_play_to_the_end_one_op_at_a_time(visit):
    loss, _ = scalar_mlp()
    page = visit(loss, reduced_motion="reduce")
    page.locator("#step").fill("0")
    assert page.locator(".no-value").count() == page.evaluate("computed.length") and page.locator(".pending").count() == page.evaluate("boxes.filter(b => b.kind !== 'constant').length")
    waiting, said = [], []
    for _ in range(page.evaluate("last")):
        page.keyboard.press(".")
        waiting.append(page.evaluate("[document.querySelectorAll('.no-value').length, document.querySelectorAll('.pending').length]"))
        said.append(page.locator("#said").inner_text())
    assert waiting == sorted(waiting, reverse=True) and waiting[-1] == [0, 0]
    values = [v for v, _ in waiting]
    assert max(a - b for a, b in zip(values, values[1:])) == 1
    assert any("h[1] gets" in text and "from multiply" in text and "×" in text and "=" in text for text in said)
    assert "h[0] = tanh is −0.1317, from add, −0.1324" in "\n".join(said)


def test_in_the_backward_pass_a_gradient_appears_only_when_all_its_children_have_passed_theirs_on(visit):
    loss, _ = scalar_mlp()
    page = visit(loss)
    assert page.evaluate(
        """(() => { for (let k = forward + 1; k < last; k++) { step(k);
            const done = new Set(backward.slice(0, k - forward - 1));
            for (let i = 0; i < boxes.length; i++) if (boxes[i].kind !== 'constant') {
                const complete = outOf[i].every((e) => done.has(arrows[e].head));
                if (complete === boxAt[i].classList.contains('pending')) return [k, i]; } } return 'right'; })()"""
    ) == "right"  # fmt: skip


def test_play_runs_by_itself_and_a_step_at_a_time_where_motion_is_unwelcome(visit):
    h = Scalar(0.5, "x").tanh().named("h").sin()
    for motion in ("no-preference", "reduce"):
        page = paused(visit(h, alone=True, reduced_motion=motion))
        play = page.locator("#play")
        play.click()
        if motion == "no-preference":
            assert play.inner_text() == "Pause" and page.evaluate("at") == 0
            page.clock.run_for(900)
            play.click()
        page.clock.run_for(3_000)
        assert play.inner_text() == "Play" and page.evaluate("at") == 1


def test_the_finder_goes_from_hit_to_hit_and_shows_names_as_they_are(visit):
    loss, _ = rnn()
    page = visit(loss)
    page.keyboard.press("/")
    page.keyboard.type("h[")
    assert page.locator("#found button").all_inner_texts() == ["h[0]", "h[1] = tanh", "h[2] = tanh", "h[3] = tanh", "h[4] = tanh"]
    seen = []
    for _ in range(6):
        page.keyboard.press("Enter")
        seen.append(page.locator("#node h2").inner_text())
    assert seen == ["h[0]", "h[1]", "h[2]", "h[3]", "h[4]", "h[0]"]
    page.keyboard.press("Escape")
    assert page.locator(".hit").count() == 0 and not page.locator("#found").is_visible()


def replaced(page, child, parent, to):
    e = page.evaluate(f"arrows.findIndex((a) => a.head === {child} && real(a.tail) === {parent})")
    click(page, child)
    if isinstance(to, float):
        page.locator(f"#node input[data-edge='{e}']").fill(str(to))
        page.locator(f"#node input[data-edge='{e}']").press("Enter")
    else:
        page.locator(f"#node button[data-edge='{e}'][data-to='{to}']").click()
    return e


def test_what_if_a_slope_were_one_is_what_the_engines_chain_says(visit):
    loss, states = rnn()
    chain = Chain(loss, states[0], through=[states[0], *(n for n in history(loss) if str(n.name) in ("z[3]", "h[3]")), loss])
    page = visit(loss)
    e = replaced(page, number_of(loss, "h[3]"), number_of(loss, "z[3]"), "one")
    click(page, number_of(loss, "h[0]"))
    expected = chain.replace("z[3] → h[3]", 1.0).gradients[0]
    assert close(page.evaluate(f"Array.from(now.g[{number_of(loss, 'h[0]')}])"), expected)
    assert close(read(page, "#node .total")[0], expected) and page.locator("#node .was").count() > 0
    assert "replaced" in page.locator(f"#a{e}").get_attribute("class")
    assert f"|grad| {small(np.linalg.norm(expected))}" in page.locator(f"#n{number_of(loss, 'h[0]')}").text_content()


def test_what_if_several_factors_are_replaced_and_reset(visit):
    w, x = Scalar(0.5, "w"), Scalar(-2.0, "x")
    z = (w * x).named("z")
    h = z.tanh().named("h")
    y = (h * 3.0).named("y")
    page = visit(y)
    i = {name: number_of(y, name) for name in "wxzhy"}
    replaced(page, i["h"], i["z"], "one")
    replaced(page, i["z"], i["w"], 2.0)
    replaced(page, i["z"], i["x"], "zero")
    assert page.evaluate(f"[now.g[{i['w']}][0], now.g[{i['x']}][0]]") == [2.0 * -2.0 * 3.0, 0.0]
    assert "What if" in page.locator("#changed").inner_text() and "∂z/∂w × 2" in page.locator("#changed").inner_text()
    assert set(page.locator(".arrow.replaced text").all_text_contents()) == {"× 2", "→ 0", "→ 1"}
    fill = page.locator(f"#n{i['x']} rect").get_attribute("fill")
    page.locator("#reset").click()
    assert page.evaluate(f"now.g[{i['w']}][0]") == grad(y, w) and page.locator(".arrow.replaced").count() == 0
    assert page.locator(f"#n{i['x']} rect").get_attribute("fill") != fill
    assert "→" not in "".join(page.locator(".arrow text").all_text_contents())


def test_what_a_replacement_leaves_alone_keeps_the_engines_numbers(visit):
    x = Tensor(np.linspace(0.1, 1.3, 5, dtype=np.float32), "x")
    h = (x.sin() * np.float32(1.1)).named("h")
    a, b = h.exp().named("a"), h.tanh().named("b")
    loss = (a * b).sum().named("loss")
    page = visit(loss)
    given = page.evaluate("given.map((g) => g && Array.from(g))")
    replaced(page, number_of(loss, "b"), number_of(loss, "h"), "zero")
    same = page.evaluate("boxes.flatMap((_, i) => (unchanged(i) ? [[i, now.g[i] && Array.from(now.g[i])]] : []))")
    assert {number_of(loss, name) for name in "ab"} <= {i for i, _ in same} and all(g == given[i] for i, g in same)
    assert page.evaluate(f"unchanged({number_of(loss, 'x')})") is False
    for name, lines in (("a", 0), ("b", 0), ("x", 1)):
        click(page, number_of(loss, name))
        assert page.locator("#node dl .was").count() == lines
    page.locator("#reset").click()
    replaced(page, number_of(loss, "b"), number_of(loss, "h"), 1.0)  # times 1: nothing changes
    assert page.evaluate("boxes.every((_, i) => unchanged(i))") and page.locator(".was").count() == 0


def test_an_arrow_says_what_is_so_now_also_where_nothing_arrives(visit):
    x = Tensor([0.5, -1.0, 2.0], "x")
    z = (x * np.array([2.0, 3.0, 4.0])).named("z")
    loss = z.tanh().named("h").sum().named("loss")
    page = visit(loss)
    arrow = page.evaluate(f"arrows.findIndex((a) => a.head === {number_of(loss, 'z')} && boxes[a.tail].kind === 'leaf')")
    look = f"[arrowAt[{arrow}].children[1].getAttribute('stroke'), arrowAt[{arrow}].children[3].textContent]"
    first = page.evaluate(look)
    replaced(page, number_of(loss, "h"), number_of(loss, "z"), "zero")
    shade, words = page.evaluate(look)
    assert words.strip().endswith("nothing arrives") and shade == page.evaluate("looks.GREY")
    page.locator("#reset").click()
    assert page.evaluate(look) == first


def test_a_dead_slope_replaced_and_put_back_leaves_no_trace(visit):
    x = Tensor([-1.0, -2.0], "x")
    z = (x * 3.0).named("z")
    loss = (z.relu().named("h") * 2.0).sum().named("loss")
    page = visit(loss)
    look = "arrowAt.map((g) => [g.textContent, g.children[1].getAttribute('stroke'), g.children[1].getAttribute('stroke-dasharray'), g.getAttribute('class')])"
    first = page.evaluate(look)
    replaced(page, number_of(loss, "z"), number_of(loss, "x"), 2.0)
    replaced(page, number_of(loss, "h"), number_of(loss, "z"), "one")
    assert page.evaluate(f"norm(now.g[{number_of(loss, 'x')}])") == pytest.approx(12 * math.sqrt(2)) and page.evaluate(look) != first
    page.locator("#reset").click()
    page.keyboard.press("Escape")
    assert page.evaluate(look) == first


def test_a_page_of_the_last_steps_goes_back_through_them_and_asks_what_if(visit):
    loss, states = rnn(9)
    page = visit(loss, picture=draw(loss, steps=(7, 9)).picture)
    number = {box["title"]: i for i, box in reversed(list(enumerate(page.evaluate("boxes"))))}
    assert page.evaluate("hasGradients && last > forward + 5")
    page.evaluate("step(last)")
    said = page.evaluate("Array.from({ length: last - forward }, (_, n) => { step(forward + 1 + n); return $('said').textContent; })")
    assert any("h[8] gets" in text and "from linear" in text for text in said)
    h = number["h[8] = tanh"]
    click(page, h)
    assert close(page.evaluate(f"Array.from(now.g[{h}])"), gradient_of(loss, "h[8]")) and close(read(page, "#node .total")[0], gradient_of(loss, "h[8]"))
    replaced(page, number["h[9] = tanh"], number["z[9] = add"], "one")
    chain = Chain(loss, states[8], through=[states[8], *(n for n in history(loss) if str(n.name) in ("z[9]", "h[9]")), loss])
    assert close(page.evaluate(f"Array.from(now.g[{h}])"), chain.replace("z[9] → h[9]", 1.0).gradients[0])
    assert page.locator(".box.folded.stale").count() == 1 and "unknown" in page.locator("#changed").inner_text()
    assert not page.evaluate("boxes.some((b, i) => b.kind === 'folded' && now.g[i])")


def test_a_weight_also_used_in_a_folded_box_has_no_sum_and_is_unknown_after_a_replacement(visit):
    loss, _ = rnn(9)
    page = visit(loss, picture=draw(loss, steps=(7, 9)).picture)
    k = page.evaluate("boxes.findIndex((b) => b.name === 'W_hh' && b.of === null)")
    click(page, k)
    assert len(read(page, "#node .part")) == 3 and page.locator("#node .total").count() == 0 and "not known" in page.locator("#node").inner_text()
    assert close(page.evaluate(f"Array.from(now.g[{k}])"), gradient_of(loss, "W_hh"))
    number = {box["title"]: i for i, box in reversed(list(enumerate(page.evaluate("boxes"))))}
    replaced(page, number["h[9] = tanh"], number["z[9] = add"], "one")
    assert page.evaluate(f"now.g[{k}]") is None
    page.locator("#fold").click()
    assert page.locator(".frame:not(.gone) text:not(.gone)").all_text_contents() == []


def test_a_weight_becomes_the_identity_and_a_map_the_page_does_not_carry_says_so(visit):
    loss, states = rnn()
    page = visit(loss)
    line = next(i for i, box in enumerate(drawn(loss, None).picture.boxes) if any(a.head == i and a.tail == number_of(loss, "h[2]") for a in drawn(loss, None).picture.arrows))
    replaced(page, line, number_of(loss, "h[2]"), "one")
    assert close(page.evaluate(f"Array.from(now.g[{number_of(loss, 'h[2]')}])"), gradient_of(loss, "z[3]"))
    poor = visit(loss, budget=0)
    click(poor, line)
    assert "cannot be replaced" in poor.locator("#node").inner_text() and "norm" in poor.locator("#node").inner_text()


def test_groups_fold_and_unfold_by_click_and_key_and_no_arrow_is_lost(visit):
    loss, _ = rnn()
    page = visit(loss)
    total = page.evaluate("arrows.length")
    count = "arrowAt.filter((g) => !g.classList.contains('gone')).reduce((s, g) => s + Number(g.dataset.count), 0)"
    inside = "arrows.filter((a) => unit(a.tail) === unit(a.head)).length"
    wide = page.evaluate("scene.wide")
    assert page.evaluate(count) == total
    k = page.evaluate("groups.findIndex((g) => g.label === 't = 2')")
    page.evaluate(f"show({number_of(loss, 'z[2]')})")
    page.locator(f"#g{k} text").click()
    assert page.locator(f"#f{k}").is_visible() and not page.locator(f"#n{number_of(loss, 'z[2]')}").is_visible()
    assert page.evaluate(count) + page.evaluate(inside) == total and page.evaluate("scene.wide") <= wide + 1
    assert page.evaluate(f"squeezed(frames[{k}].right, frames[{k}].band) < frames[{k}].right"), "what is right of it moves up"
    assert page.locator(f"#f{k}").text_content().startswith("t = 2") and "nodes" in page.locator(f"#f{k}").text_content()
    page.locator("#fold").click()
    assert page.evaluate("foldedGroups.size") == 0 and page.evaluate(count) == total and page.evaluate("scene.wide") == wide
    page.locator("#fold").click()
    assert page.evaluate("foldedGroups.size === groups.length") and page.evaluate(count) + page.evaluate(inside) == total
    page.locator(f"#f{k}").evaluate("g => { focusable(lastOf(Number(g.id.slice(1)))); g.focus(); }")
    page.keyboard.press("Enter")
    assert page.locator(f"#n{number_of(loss, 'z[2]')}").is_visible()
    page.keyboard.press("f")
    assert not page.locator(f"#n{number_of(loss, 'z[2]')}").is_visible()


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_shown_as_it_is_and_runs_nothing(visit, name):
    h = Tensor(np.ones(2)).named(name, 0)
    for t in (1, 2):
        h = np.tanh(h * Tensor([2.0, 1.0], name + "w")).named(name, t)
    loss = h.sum().named(name)
    page = visit(loss, Chain(loss, h), title=name)
    i = page.evaluate("output - 2")
    shown = page.evaluate("boxes[output].name")
    for k in (i, number_of(loss, drawn(loss, None).picture.boxes[-1].name)):
        click(page, k)
    assert page.locator("#node h2").inner_text().split() == shown.split()
    page.locator("#search").fill(name[:12])
    assert shown.split()[0] in page.locator("#found").inner_text()
    page.locator("#search").press("Escape")
    page.evaluate("for (let k = 0; k <= last; k++) step(k)")
    assert page.title() != "pwned" and page.locator("img").count() == 0 and page.locator("script:not([type])").count() == 3  # what opens the river, the river, the graph


def test_by_night_text_frames_and_arrows_are_legible_on_the_dark_page(visit):
    page = visit(rnn()[0], color_scheme="dark")
    found = page.evaluate(
        """['.frame text', '.arrow text', 'h1', '#said'].map((s) => { const style = getComputedStyle(document.querySelector(s));
            return s.includes('text') ? style.fill : style.color; })"""
    )
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = [min(int(x) for x in text[4:-1].split(",")) for text in found]
    assert min(light) > 140 and max(int(x) for x in back[4:-1].split(",")) < 40
    arrows = page.evaluate("[...document.querySelectorAll('.arrow path')].map((p) => getComputedStyle(p).stroke)")
    assert not [stroke for stroke in arrows if max(int(x) for x in stroke[4:-1].split(",")) < 90]


def test_without_javascript_the_graph_and_a_message_still_show(visit):
    loss, _ = rnn()
    page = visit(loss, java_script_enabled=False)
    assert page.locator("#n0").is_visible() and page.locator(".noscript").is_visible()
    assert not page.locator("footer").is_visible() and not page.locator(".tools").is_visible()


def test_on_a_narrow_screen_the_panel_is_below_the_graph(visit):
    page = visit(loss := scalar_mlp()[0], viewport={"width": 420, "height": 800})
    click(page, number_of(loss, "h[1]"))
    graph, panel = page.locator("#view").bounding_box(), page.locator("#panel").bounding_box()
    assert panel["y"] >= graph["y"] + graph["height"] and graph["height"] > 150 and panel["width"] >= 400


@pytest.mark.parametrize("fold", ["layer", "rolled"])
def test_a_folded_picture_can_be_walked_and_selected(visit, fold):
    loss, _ = rnn(6)
    loss.backward()
    page = visit(loss, fold=fold)
    for i in range(page.evaluate("boxes.length")):
        page.evaluate(f"select({i})")
    said = page.evaluate("Array.from({ length: last + 1 }, (_, k) => { step(k); return $('said').textContent; })")
    assert any("is folded; it passes on" in text and "gain" in text for text in said)
    assert "folded" in page.locator(".note").inner_text()


def test_a_thousand_boxes_can_be_stepped_through_selected_and_asked_what_if(visit):
    loss, _ = rnn(140, 8)
    picture = draw(loss, None, limit=5_000).picture
    assert len(picture.boxes) >= 1_000
    page = visit(loss, picture=picture)
    page.evaluate("(() => { for (let k = last; k > last - 20; k--) step(k); })()")
    page.evaluate("select(400)")
    assert page.locator("#panel").inner_text()
    page.evaluate("replace(arrows.findIndex((a) => a.map && a.map.kind === 'diagonal'), { to: 'one' })")
    assert "What if" in page.locator("body").inner_text()  # how long each takes: benchmarks/pictures.py


# ── a large page, and what is out of sight ─────────────────────────────────────────────────────────────────────────


IN_THE_PAGE = "document.querySelectorAll('#view .box').length"
# boxes that touch what is in sight, half as much again on each side, and the room for the longest words
NEAR = """boxes.filter((_, i) => { const [x, y, w, h] = standing.get(unit(i)), W = stage().w / view.scale, H = stage().h / view.scale;
    return x + w / 2 > view.x - W - 150 && x - w / 2 < view.x + 2 * W + 150 && y + h / 2 > view.y - H - 150 && y - h / 2 < view.y + 2 * H + 150; }).length + 1"""
SEEN = """boxes.every((_, i) => { const [x, y, w, h] = standing.get(unit(i)), W = stage().w / view.scale, H = stage().h / view.scale;
    return boxAt[i].isConnected || x + w / 2 < view.x || x - w / 2 > view.x + W || y + h / 2 < view.y || y - h / 2 > view.y + H; })
    && arrows.every((_, e) => arrowAt[e].isConnected || arrowAt[e].classList.contains('gone') || !ways[e].some((x, n) => n % 2 === 0
        && x > view.x && x < view.x + stage().w / view.scale && ways[e][n + 1] > view.y && ways[e][n + 1] < view.y + stage().h / view.scale))"""


def test_only_what_is_in_sight_and_around_it_is_in_the_page_however_the_view_moves(visit):
    page = visit(rnn(60)[0])
    total = page.evaluate("boxes.length")
    assert total > 450 and page.evaluate(IN_THE_PAGE) < total / 5
    for move in ("view.x -= 900", "view.x -= 4000", "view.y -= 700", "view.x = view.y = 0", "zoom(0.6)", "zoom(3)", "show(3)", "start()"):
        page.evaluate(f"{move}; look()")
        assert page.evaluate(SEEN) and page.evaluate(f"{IN_THE_PAGE} <= {NEAR}"), move
    page.mouse.move(300, 300)
    for _ in range(25):
        page.mouse.down()
        page.mouse.move(600, 340)
        page.mouse.up()
        page.mouse.move(300, 300)
        assert page.evaluate(SEEN) and page.evaluate(f"{IN_THE_PAGE} <= {NEAR}")
    page.evaluate("fit()")
    assert page.evaluate(IN_THE_PAGE) == total and not page.locator("#n0 text").first.is_visible()


def test_what_is_asked_for_is_found_also_out_of_sight(visit):
    loss, _ = rnn(60)
    page = visit(loss)
    first = number_of(loss, "z[1]")
    there = f"boxAt[{first}].isConnected"
    assert not page.evaluate(there)
    page.locator("#search").fill("z[1]")
    page.locator("#search").press("Enter")
    assert page.locator("#node h2").inner_text() == "z[1]" and page.locator(f"#n{first}").is_visible()
    page.keyboard.press("Escape")
    page.evaluate("start()")
    assert page.evaluate(there), "the box that the Tab key reaches stays"
    page.locator("#view .box[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == f"n{number_of(loss, 'h[1]')}"
    page.evaluate(f"focusable(output); start(); step({page.evaluate('computed')}.indexOf({first}) + 1)")
    assert page.locator(f"#n{first}.now").is_visible()
    page.evaluate("step(last); start()")
    e = page.evaluate(f"into[{first}][0]")
    page.evaluate(f"replace({e}, {{ to: 'zero' }})")
    page.evaluate(f"show({first})")
    assert page.locator(f"#a{e}.replaced").count() == 1
    page.evaluate("start()")
    k = page.evaluate("groups.findIndex((g) => g.label === 't = 1')")
    page.evaluate(f"focusable({first}); start()")
    page.keyboard.press("f")
    page.evaluate(f"show({first})")
    assert page.locator(f"#f{k}").is_visible()


def test_for_printing_all_of_it_is_put_back(visit):
    page = visit(rnn(40)[0])
    before = page.evaluate(IN_THE_PAGE)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelectorAll('#view .box').length === boxes.length && document.querySelectorAll('#view .arrow').length === arrows.length")
    assert page.evaluate("[...document.querySelectorAll('#view .box')].map((g) => g.id)") == [f"n{i}" for i in range(page.evaluate("boxes.length"))]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(IN_THE_PAGE) == before


def test_two_fingers_zoom_around_their_middle_and_one_drags(visit):
    page = visit(rnn(20)[0], has_touch=True)
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *places):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]})

    fixed = "[view.x + 400 / view.scale, view.y + (300 - $('view').getBoundingClientRect().top) / view.scale, view.scale]"
    x, y, scale = page.evaluate(fixed)
    fingers("touchStart", (350, 300))
    fingers("touchStart", (350, 300), (450, 300))
    for far in (20, 40, 60, 80, 100):
        fingers("touchMove", (350 - far / 2, 300), (450 + far / 2, 300))
    fingers("touchEnd")
    X, Y, larger = page.evaluate(fixed)
    assert larger == pytest.approx(2 * scale, rel=0.02) and X == pytest.approx(x, abs=2) and Y == pytest.approx(y, abs=2)
    fingers("touchStart", (400, 300))
    for far in (10, 30, 50):
        fingers("touchMove", (400 + far, 300))
    fingers("touchEnd")
    again = page.evaluate("[view.x + 400 / view.scale, view.scale]")
    assert again[1] == larger and X - again[0] == pytest.approx(50 / larger, abs=2) and page.locator(".chosen").count() == 0


# ── stepping ───────────────────────────────────────────────────────────────────────────────────────────────────────

# where the head of each arrow is: nearer to the box at its start, or to that at its end
HEADS = """arrows.map(({ tail, head }, e) => { const [x, y] = arrowAt[e].children[2].getAttribute('points').split(' ')[1].split(',').map(Number);
    const far = (i) => { const [X, Y, w] = standing.get(unit(i)), side = i === tail ? X + w / 2 : X - w / 2; return Math.hypot(x - side, y - Y); };
    return far(tail) < far(head) ? 'parent' : 'child'; })"""


@pytest.mark.parametrize("output", [scalar_mlp()[0], rnn()[0]], ids=["scalar MLP", "RNN"])
def test_arrows_that_have_carried_the_gradient_back_point_to_the_parent(visit, output):
    page = visit(output)
    assert set(page.evaluate(HEADS)) == {"child"}
    for k in (1, "forward", "forward + 1", "forward + 2", "forward + 9", "last", "forward + 4", "0"):
        page.evaluate(f"step({k})")
        carried = page.evaluate("arrows.map(({ tail, head }) => at > forward + 1 && backward.slice(0, at - forward - 1).includes(head) && boxes[real(tail)].kind !== 'constant')")
        assert page.evaluate(HEADS) == ["parent" if back else "child" for back in carried], k
        lit = page.evaluate("arrowAt.flatMap((g, e) => (g.classList.contains('flow') ? [e] : []))")
        assert k == "0" or k == "forward + 1" or page.evaluate("forward") >= page.evaluate("at") or all(carried[e] for e in lit) and lit == page.evaluate("into[backward[at - forward - 2]].filter((e) => boxes[real(arrows[e].tail)].kind !== 'constant')")
    page.evaluate("step(last)")
    page.keyboard.press("Escape")
    assert set(page.evaluate(HEADS)) == {"child"} and page.locator(".now, .flow").count() == 0


def test_forward_steps_show_no_gradient_and_no_gain(visit):
    page = visit(rnn()[0], viewport={"width": 1900, "height": 1000})
    page.evaluate("fit(); zoom(Math.max(1, 0.3 / view.scale))")
    for k in range(1, page.evaluate("forward") + 1):
        page.evaluate(f"step({k})")
        told = page.evaluate("[...boxAt, ...arrowAt].map((g) => g.querySelector('title').textContent + (g.getAttribute('aria-label') ?? '')).join(' ')")
        assert "grad" not in told and "gain" not in told
        seen = page.evaluate("[...document.querySelectorAll('#view text')].filter((t) => getComputedStyle(t).visibility === 'visible').map((t) => t.textContent).join(' ')")
        assert "grad" not in seen and "gain" not in seen
        assert page.locator("#node .gradient, #node .gain, #node .part, #node .station, #node .so-far").count() == 0
    settled(page)
    assert set(page.evaluate("[...document.querySelectorAll('.arrow:not(.flow) > path')].map((p) => getComputedStyle(p).stroke)")) == {"rgb(128, 128, 128)"}


def test_the_panel_follows_the_steps_with_the_product_so_far(visit):
    loss, _ = rnn()
    page = visit(loss)
    for k in range(page.evaluate("forward + 2"), page.evaluate("last") + 1):
        page.evaluate(f"step({k})")
        i = page.evaluate("backward[at - forward - 2]")
        assert page.locator("#node h2").inner_text() == page.evaluate(f"nameOf({i})")
        assert read(page, "#node .so-far data")[0][0] == page.evaluate(f"norm(now.g[{i}]) / norm(now.g[output])")
        assert close(sum(read(page, "#node .part")), page.evaluate(f"Array.from(now.g[{i}])")) or i == page.evaluate("output")
    page.evaluate(f"step(last - 3); select({number_of(loss, 'W_hh')})")
    assert page.locator("#node h2").inner_text() == "W_hh" and len(read(page, "#node .part")) < 4 and page.locator("#node .total").count() == 0
    page.keyboard.press(".")
    assert page.locator("#node h2").inner_text() == page.evaluate("nameOf(backward[at - forward - 2])")


# ── what if, everywhere ────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_replacement_tooltips_names_boxes_panel_and_folded_groups_show_the_new_numbers(visit):
    loss, states = rnn()
    page = visit(loss)
    everything = "[...boxAt, ...arrowAt].map((g) => [g.outerHTML.replace(/ class=.*?>/, ''), g.getAttribute('aria-label')].join())"
    first = page.evaluate(everything)
    e = replaced(page, number_of(loss, "h[3]"), number_of(loss, "z[3]"), "one")
    for i, name in ((number_of(loss, name), name) for name in ("h[0]", "z[2]", "W_hh")):
        size = page.evaluate(f"norm(now.g[{i}])")
        assert size != pytest.approx(np.linalg.norm(gradient_of(loss, name)))
        title, label = page.evaluate(f"[boxAt[{i}].querySelector('title').textContent, boxAt[{i}].getAttribute('aria-label')]")
        assert float(title.split("gradient ")[1].split("norm ")[1].split("\n")[0]) == size
        assert f"|grad| {small(size)}" in label and f"|grad| {small(size)}" in page.evaluate(f"boxAt[{i}].textContent")
    assert "what if: → 1" in page.evaluate(f"arrowAt[{e}].querySelector('title').textContent")
    for k in page.evaluate("arrows.flatMap(({ head, map }, e) => (map && !unchanged(head) && now.c[e] ? [e] : []))"):
        told = page.evaluate(f"[arrowAt[{k}].querySelector('title').textContent, norm(now.c[{k}]) / norm(now.g[arrows[{k}].head])]")
        assert "gain" not in told[0] or float(told[0].split("gain ")[1].split()[0]) == pytest.approx(told[1])
    click(page, number_of(loss, "h[0]"))
    last_log = read(page, "#node .station .log")[-1][0]
    assert last_log == pytest.approx(math.log10(page.evaluate(f"norm(now.g[{number_of(loss, 'h[0]')}]) / norm(now.g[output])")))
    page.locator("#fold").click()
    k = page.evaluate("groups.findIndex((g) => g.label === 't = 1')")
    size = small(page.evaluate(f"norm(now.g[{number_of(loss, 'h[1]')}])"))
    for text in page.evaluate(f"[summary({k}).g.textContent, summary({k}).g.getAttribute('aria-label'), summary({k}).g.querySelector('title').textContent]"):
        assert f"|grad| {size}" in text
    assert "replaced only then" in page.evaluate(f"summary({k}).g.querySelector('title').textContent")
    page.locator("#fold").click()
    page.evaluate(f"step(forward + 1 + {page.evaluate('backward')}.indexOf({number_of(loss, 'z[2]')}) + 1)")
    assert read(page, "#node .so-far data")[0][0] == page.evaluate(f"norm(now.g[{number_of(loss, 'z[2]')}]) / norm(now.g[output])")
    page.evaluate("step(last)")
    page.locator("#reset").click()
    page.keyboard.press("Escape")
    assert [text.replace(' class="gone"', "") for text in page.evaluate(everything)] == first


def test_a_folded_box_says_why_nothing_in_it_is_replaced_and_that_its_gradient_is_unknown_then(visit):
    loss, _ = rnn(9)
    loss.backward()
    page = visit(loss, picture=draw(loss, steps=(7, 9)).picture)
    k = page.evaluate("boxes.findIndex((b) => b.kind === 'folded' && b.lines.join().includes('|grad|'))")
    first = page.evaluate(f"[boxAt[{k}].textContent, boxAt[{k}].getAttribute('aria-label')]")
    page.evaluate(f"select({k})")
    assert "nothing in it can be replaced" in page.locator("#node").inner_text()
    number = {box["title"]: i for i, box in reversed(list(enumerate(page.evaluate("boxes"))))}
    replaced(page, number["h[9] = tanh"], number["z[9] = add"], "one")
    page.evaluate(f"select({k})")
    assert "gradient unknown" in page.locator("#node").inner_text()
    for text in page.evaluate(f"[boxAt[{k}].textContent, boxAt[{k}].getAttribute('aria-label')]"):
        assert "unknown" in text and first[1].split("|grad| ")[1] not in text
    page.locator("#reset").click()
    assert page.evaluate(f"[boxAt[{k}].textContent, boxAt[{k}].getAttribute('aria-label')]") == first


# ── legible, and named ─────────────────────────────────────────────────────────────────────────────────────────────

STATES = {"as it opens": "0", "a box": "select(output)", "a step": "step(last - 3)", "what if": "replace(into[output][0], { to: 'zero' })", "folded": "foldAll()"}


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (390, 844)], ids=["wide", "at 200 %", "narrow"])
def test_nothing_is_cut_off_type_is_14_pixels_and_every_name_holds_the_words_in_sight(visit, size):
    for output in (rnn(9)[0], scalar_mlp()[0]):
        page = visit(output, viewport={"width": size[0], "height": size[1]})
        for state, code in STATES.items():
            page.evaluate(code)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
            assert page.locator("#view").bounding_box()["height"] >= 200
            small_type = page.evaluate("""[...document.querySelectorAll('#graph-view *')].filter((e) => e.checkVisibility() && !e.closest('title, #view') && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
                .filter((e) => { const m = e.getScreenCTM?.(); return parseFloat(getComputedStyle(e).fontSize) * (m ? m.a : 1) < 13.99; }).map((e) => e.outerHTML)""")
            assert small_type == [], state
            unnamed = page.evaluate("""[...document.querySelectorAll('#graph-view [aria-label]')].filter((e) => e.matches('button, input, .box, .frame') && e.checkVisibility())
                .filter((e) => { const words = e.matches('g') ? [...e.querySelectorAll('text')].filter((t) => getComputedStyle(t).visibility === 'visible' && t.checkVisibility()).map((t) => t.textContent) : [e.innerText || e.placeholder || ''];
                    return words.some((w) => !e.getAttribute('aria-label').includes(w.trim())); }).map((e) => e.outerHTML)""")
            assert unnamed == [], state
        page.evaluate("$('changed').hidden || $('reset').click(); start()")
        assert page.evaluate("view.scale * 18 >= 14")
