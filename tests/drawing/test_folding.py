"""What is folded: nothing is lost, and every number on a folded box or arrow is the chain's own."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, draw, grad, group, history, linear, nn, scalars, square, tanh
from tinygrad_vg.chain.factors import norm
from tinygrad_vg.drawing.graph import canvas_of
from tinygrad_vg.drawing.merged import averaged, mean
from tinygrad_vg.drawing.typography import from_nats, small

CELLS = {
    "rnn": lambda: nn.RNNCell(3, 4, rng=0),
    "leaky": lambda: nn.LeakyCell(3, 4, tau=3.0, rng=0),
    "skip": lambda: nn.SkipCell(3, 4, delay=3, rng=0),
    "lstm": lambda: nn.LSTMCell(3, 4, rng=0),
    "gru": lambda: nn.GRUCell(3, 4, rng=0),
    "lru": lambda: nn.LRUCell(3, 4, rng=0),
    "mingru": lambda: nn.MinGRUCell(3, 4, rng=0),
    "selective": lambda: nn.SelectiveCell(3, 4, rng=0),
    "reservoir": lambda: nn.Reservoir(3, 4, rng=0),
    "of scalars": lambda: nn.RNNCell(3, 2, rng=0, leaf=scalars),
}


def recurrent(cell, T=9, every=False):
    """A loss at the end, or a sum of losses at every step, differentiated."""
    states = nn.unroll(cell, np.random.default_rng(1).normal(size=(T, 3)))
    loss = Scalar(0.0) if isinstance(cell.output(states[1]), np.ndarray) else 0.0
    for state in states[1 if every else -1 :]:
        loss = loss + sum(square(x) for x in np.ravel(cell.output(state))) if isinstance(loss, Scalar) else loss + square(cell.output(state)).sum()
    loss.backward()
    return loss, states


def deep(depth=9, **settings):
    net = nn.MLP([4] * depth + [3], rng=0, **settings)
    loss = nn.cross_entropy(net(np.random.default_rng(1).normal(size=(5, 4))), np.array([0, 1, 2, 0, 1])).named("loss")
    loss.backward()
    return loss


GRAPHS = {name: lambda cell=cell: recurrent(cell())[0] for name, cell in CELLS.items()}
GRAPHS |= {f"{name}, a loss at every step": lambda cell=cell: recurrent(cell(), every=True)[0] for name, cell in CELLS.items()}
GRAPHS |= {"mlp": deep, "residual": lambda: deep(residual=True), "batch norm": lambda: deep(norm="batch"), "layer norm": lambda: deep(norm="layer")}
FOLDS = {"rolled": {"fold": "rolled"}, "layer": {"fold": "layer"}, "states": {"fold": "states"}, "window": {"steps": (3, 5)}, "window by layer": {"fold": "layer", "steps": (3, 5)}, "none": {"fold": None}}


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_no_node_and_no_arrow_is_lost_in_any_fold(name, fold):
    output = GRAPHS[name]()
    picture = draw(output, **FOLDS[fold]).picture
    order = history(output)
    shown = [box for box in picture.boxes if box.kind not in ("constant", "alias")]
    assert sum(box.nodes for box in shown) == len(order)
    assert sum(arrow.count for arrow in picture.arrows) + sum(box.inside for box in picture.boxes) == sum(len(node.parents) for node in order)
    assert sorted(i for group in picture.groups for i in group.boxes) == sorted({i for group in picture.groups for i in group.boxes})


@pytest.mark.parametrize("fold", [fold for fold in FOLDS if fold != "none"])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_folded_picture_is_smaller_and_says_so_in_plain_words(name, fold):
    output = GRAPHS[name]()
    drawing = draw(output, **FOLDS[fold])
    assert len(drawing.picture.boxes) < len(draw(output, fold=None).picture.boxes)
    assert "are folded into" in drawing.picture.note and "=" not in drawing.picture.note
    assert drawing.picture.note in drawing.dot
    assert not draw(output, fold=None).picture.note


@pytest.mark.parametrize("name", CELLS)
def test_a_rolled_recurrence_is_as_large_as_one_step_whatever_the_number_of_steps(name):
    sizes = [len(draw(recurrent(CELLS[name](), T)[0], fold="rolled").picture.boxes) for T in (8, 20)]
    assert sizes[0] == sizes[1]


def read(words):
    """9.8·10⁻⁴ as a number."""
    plain = words.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--"))
    mantissa, power, exponent = plain.rpartition("10") if plain.startswith("10") or "·" in plain else (plain, "", "")
    return float(mantissa.rstrip("·") or 1) * 10.0 ** int(exponent or 0)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "of scalars"])
def test_the_loop_says_what_the_chain_says(name):
    cell = CELLS[name]()
    loss, states = recurrent(cell, T=12)
    loops = [arrow for arrow in draw(loss, fold="rolled").picture.arrows if arrow.loop]
    words = re.search(r"× (\d+) steps: gain (\S+) per step, (\S+) in all", loops[0].tooltip)
    n, each, whole = int(words[1]), read(words[2]), read(words[3])
    first = states[0] if isinstance(states[0], tuple) else (states[0],)
    newest = cell.output(states[-1])  # what the loss is computed from
    parts = [grad(newest, leaf, seed=newest.grad).ravel() for leaf in first]
    nats = math.log(norm(np.concatenate(parts)) / norm(newest.grad))
    assert n == 12
    assert each == pytest.approx(math.exp(nats / n), rel=5e-3)
    assert whole == pytest.approx(math.exp(nats), rel=5e-2)


def test_the_loop_of_ten_thousand_steps_says_what_no_float_can_hold():
    W = Tensor([[0.5]], "W")
    h = Tensor([1.0]).named("h", 0)
    for t in range(1, 10_001):
        h = tanh(W @ h).named("h", t)
    h.sum().backward()
    output = h.sum()
    output.backward()
    loop = next(arrow for arrow in draw(output).picture.arrows if arrow.loop)
    assert "× 10000 steps:" in loop.lines
    assert "10⁻³⁰¹¹" in loop.lines[-1]  # 0.5 ** 10_000 is about 5e-3011


def test_the_gains_between_layers_are_those_of_the_chain():
    net = nn.MLP([4] * 9 + [3], rng=0)
    x = Tensor(np.random.default_rng(1).normal(size=(5, 4)), "x")
    loss = nn.cross_entropy(net(x), np.array([0, 1, 2, 0, 1])).named("loss")
    loss.backward()
    layers = [node for node in history(loss) if node.name and node.name.base == "h"]
    wanted = [link.gain for link in Chain(loss, x, through=layers).links[1:-1]]
    picture = draw(loss, fold="layer").picture
    between = [arrow for arrow in picture.arrows if picture.boxes[arrow.tail].kind == picture.boxes[arrow.head].kind == "folded"]
    found = [float(arrow.tooltip.split("gain ")[1]) for arrow in between]
    assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-12)


def test_a_window_shows_its_steps_as_the_whole_picture_does():
    loss, _ = recurrent(nn.RNNCell(3, 4, rng=0), T=12)
    whole = {box.tooltip: box for box in draw(loss, fold=None).picture.boxes}
    window = [box for box in draw(loss, steps=(4, 6)).picture.boxes if box.kind == "node"]
    assert {f"{h} = tanh" for h in ("h₄", "h₅", "h₆")} <= {box.lines[0] for box in window}
    assert all(whole[box.tooltip].lines == box.lines and whole[box.tooltip].heat == box.heat for box in window)
    assert not any("h₃ = tanh" in box.lines or "h₇ = tanh" in box.lines for box in window)


def test_it_folds_by_itself_above_three_hundred_boxes():
    few, many = recurrent(nn.RNNCell(3, 4, rng=0), T=20)[0], recurrent(nn.RNNCell(3, 4, rng=0), T=80)[0]
    assert not draw(few).picture.note
    assert "folded" in draw(many).picture.note
    assert len(draw(many, fold=None).picture.boxes) > 300 > len(draw(many).picture.boxes)
    assert any("layer 40: h₄₀" in box.lines for box in draw(deep(80)).picture.boxes)


def test_a_graph_whose_names_speak_of_no_steps_is_never_folded():
    x = Scalar(0.5, "x")
    for _ in range(400):
        x = x * 0.99
    assert len(draw(x).picture.boxes) == 801
    with pytest.raises(ValueError, match="no steps or layers to fold.*named"):
        draw(x, fold="rolled")
    with pytest.raises(ValueError, match="no steps or layers to fold"):
        draw(x, steps=(1, 2))


@pytest.mark.parametrize(
    "settings, words",
    [({"fold": "rolling"}, "'auto', None, 'layer', 'states', 'names' or 'rolled'"), ({"steps": 3}, "pair"), ({"steps": (5, 3)}, "pair"), ({"steps": (1.5, 2)}, "pair"),
     ({"steps": (1, 2, 3)}, "pair"), ({"fold": "rolled", "steps": (1, 2)}, "no room"), ({"steps": (50, 60)}, "they run from 0 to 9")],
)
def test_what_cannot_be_folded_that_way_is_refused_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        draw(recurrent(nn.RNNCell(3, 4, rng=0))[0], **settings)


def test_for_a_slide_there_is_a_box_for_each_state_and_one_for_all_that_comes_after():
    states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.random.default_rng(0).normal(size=(3, 3)))
    loss = nn.mse(states[-1], np.ones(4)).named("loss")
    loss.backward()
    picture = draw(loss, fold="states").picture
    folded = [box for box in picture.boxes if box.kind == "folded"]
    assert [box.lines[0] for box in folded] == ["h₁", "h₂", "h₃"]
    assert [box.lines[1] for box in folded] == [f"|grad| {small(norm(node.grad))}" for node in states[1:]]
    assert [(box.lines[0], box.nodes) for box in picture.boxes if box.kind == "output"] == [("loss", 3)]
    assert all("uses W_hh, b_h, W_xh" in box.tooltip for box in folded[:3])
    assert "the steps use the shared weights" in picture.note and "weights" not in draw(loss, fold=None).picture.note
    wanted = [link.gain for link in Chain(loss, states[0], through=states).links]
    assert [float(arrow.tooltip.split("gain ")[1].split()[0]) for arrow in picture.arrows] == pytest.approx(wanted, rel=1e-12)


def test_the_slide_of_many_weights_has_one_box_for_them_and_an_output_without_a_name_is_called_by_its_op():
    loss, _ = recurrent(nn.LSTMCell(3, 4, rng=0), T=3)
    picture = draw(loss, fold="states").picture
    assert [box.lines[0] for box in picture.boxes] == ["W_xi, W_hi and 10 more", "h₀, c₀", "c₁, h₁", "c₂, h₂", "h₃", "add"]
    assert [group.label for group in picture.groups][0] == "shared weights" and picture.boxes[2].uses == (0,)
    assert "<svg" in draw(loss, fold="states").html


def test_fifty_boxes_of_steps_without_names_are_drawn_with_the_word_how_to_fold_them():
    cell, h = nn.RNNCell(3, 4, rng=0), Tensor(np.zeros(4))
    for x in np.ones((60, 3)):
        h = tanh(linear(h, cell.W_hh, cell.b_h) + linear(x, cell.W_xh))
    drawing = draw(h.sum())
    assert len(drawing.picture.boxes) > 300 and 'h.named("h", t), and draw folds them' in drawing.picture.note
    assert all("and draw folds them" in text for text in (drawing.dot, drawing.svg, drawing.html))
    assert not draw(h.sum(), fold=None).picture.note, "who asks for everything needs no advice"
    with pytest.raises(ValueError, match=r"more than 300 boxes; name the states .* so that it folds, draw a smaller part"):
        draw(h.sum(), limit=300)


def test_without_a_backward_pass_a_fold_shows_no_gradients():
    states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.ones((9, 3)))
    for fold in ("rolled", "layer"):
        picture = draw(square(states[-1]).sum(), fold).picture
        assert not any("grad" in line for box in picture.boxes for line in box.lines)
        assert not any("in all" in line for arrow in picture.arrows for line in arrow.lines)


def test_a_gradient_of_zero_is_zero_on_the_loop_too():
    cell = nn.RNNCell(3, 4, "relu", rng=0)
    cell.b_h.data = np.full(4, -100.0)
    loop = next(arrow for arrow in draw(recurrent(cell)[0], fold="rolled").picture.arrows if arrow.loop)
    assert not any("in all" in line for line in loop.lines) or "0 in all" in loop.lines


def relu_steps(slopes):
    """h <- w relu(h) with one w per step, positive or not, so that single slopes are 0."""
    W, h = Tensor([1.0], "W"), Tensor([1.0]).named("h", 0)
    for t, s in enumerate(slopes, 1):
        h = (tanh(h * 0.0) + W * h * s).named("h", t)
    loss = h.sum()
    loss.backward()
    return loss


def test_an_exact_zero_in_one_step_is_counted_in_words_and_dotted_only_where_all_are_zero():
    picture = draw(relu_steps([1.0, 1.0, 0.0, 1.0, 1.0]), fold="rolled").picture
    assert {arrow.lines[-1]: arrow.heat for arrow in picture.arrows if "1 (1 of 3 is 0)" in arrow.tooltip} == {"gain 1": 0.0}
    W, h = Tensor([0.0], "W"), Tensor([1.0]).named("h", 0)
    for t in range(1, 5):
        h = (W * h).named("h", t)
    h.sum().backward()
    assert -math.inf in {arrow.heat for arrow in draw(h.sum(), fold="rolled").picture.arrows}


def test_a_rolled_box_is_black_only_if_every_gradient_in_it_is_zero():
    states = nn.unroll(nn.LSTMCell(3, 4, rng=0), np.random.default_rng(0).normal(size=(6, 3)))
    loss = nn.mse(nn.LSTMCell(3, 4, rng=0).output(states[-1]), np.ones(4))
    loss.backward()
    c = next(box for box in draw(loss, fold="rolled").picture.boxes if box.name.startswith("c["))
    assert c.heat is not None and math.isfinite(c.heat)


def test_nan_in_one_step_says_nan_whatever_the_order():
    for gains in ([1.0, math.nan, 0.5], [math.nan, 1.0, 0.5], [1.0, 0.5, math.nan]):
        assert averaged(gains) == "nan" and math.isnan(mean(gains))
    assert (averaged([0.0, 4.0, 1.0, 0.0]), mean([0.0, 4.0])) == ("2 (2 of 4 are 0)", math.log10(4))
    assert mean([0.0, 0.0]) == -math.inf
    assert averaged([0.0, 0.0]) == "0"


def test_it_counts_the_boxes_that_are_drawn_aliases_too():
    for T in (34, 35, 36, 37, 38):
        loss = recurrent(nn.RNNCell(3, 4, rng=0), T)[0]
        whole = len(draw(loss, fold=None).picture.boxes)
        assert bool(draw(loss).picture.note) == (whole > 300), whole


def test_a_rolled_picture_of_a_weight_changed_since_still_comes():
    cell = nn.RNNCell(3, 4, rng=0)
    loss = recurrent(cell)[0]
    cell.W_hh.data = cell.W_hh.data * 2
    picture = draw(loss, fold="rolled").picture
    assert not any("in all" in line for arrow in picture.arrows for line in arrow.lines)


def test_a_fold_gives_the_same_text_in_every_process():
    program = (
        "import numpy as np, hashlib; from tinygrad_vg import nn, draw, square\n"
        "states = nn.unroll(nn.LSTMCell(3, 4, rng=0), np.ones((9, 3))); loss = square(states[-1][0]).sum(); loss.backward()\n"
        "print([hashlib.sha256(draw(loss, **k).dot.encode()).hexdigest() for k in ({'fold': 'rolled'}, {'fold': 'layer'}, {'steps': (2, 4)})])"
    )
    outputs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout for seed in "01"}
    assert len(outputs) == 1


def test_the_loop_leaves_out_the_shared_weights_and_counts_steps_not_indices():
    w, h = Scalar(0.9, name="w"), Scalar(0.5, name="x")
    states = [h]
    for t in (1, 2, 5, 6, 10**30):
        states.append((w * states[-1]).tanh().named("h", t))
    states[-1].backward()
    loop = next(arrow for arrow in draw(states[-1], "rolled").picture.arrows if arrow.loop)
    assert loop.lines[0] == "× 4 steps:"  # x has no index, so the first state is h[1]
    assert loop.lines[2] == f"{small(grad(states[-1], states[1]))} in all"
    assert "<svg" in draw(states[-1], "rolled").html


def test_the_loop_does_not_underflow_beside_a_weights_gradient():
    cell = nn.RNNCell(3, 4, rng=0)
    cell.W_hh.data = 0.01 * np.eye(4)
    loss, states = recurrent(cell, T=200)
    loop = next(arrow for arrow in draw(loss, "rolled").picture.arrows if arrow.loop)
    log10 = Chain(states[-1], states[0], seed=states[-1].grad).log_product[0] / math.log(10)
    assert loop.lines[2] == f"{from_nats(log10 * math.log(10))} in all"


def test_where_no_role_comes_twice_a_rolled_picture_has_every_node():
    x = Scalar(0.5, "x")
    y = (x * x).named("a", 1).sin().named("b", 2)
    y.backward()
    assert [box.name for box in draw(y, fold="rolled").picture.boxes] == ["x", "a[1]", "b[2]"]


def test_the_lines_of_a_note_stand_one_below_the_other_and_above_the_legend():
    picture = draw(GRAPHS["rnn"](), fold="states").picture._replace(note="so many words " * 60)
    svg = canvas_of(picture).svg
    lines = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:so many|words|many)', svg)]
    legend = min(float(y) for y in re.findall(r'<g class="legend">\s*<text x="[\d.]+" y="([\d.]+)"', svg))
    assert len(lines) > 2 and np.allclose(np.diff(lines), 30) and lines[-1] < legend


def test_of_many_steps_a_slide_shows_the_first_and_the_last_and_what_those_between_take_together():
    loss, states = recurrent(nn.RNNCell(3, 4, "sigmoid", rng=0), T=20)
    picture = draw(loss, fold="states").picture
    shown = [box.lines[0] for box in picture.boxes if box.kind == "folded"]
    assert shown == ["h₁", "h₂", "16 more like these", "h₁₉", "h₂₀"]
    between = next(arrow for arrow in picture.arrows if arrow.lines and arrow.lines[0].startswith("together"))
    more = next(box for box in picture.boxes if "more" in box.lines[0])
    assert more.lines[1:] == (f"|grad| {small(norm(states[18].grad))}", f"… {small(norm(states[3].grad))}")
    assert 10**more.heat == pytest.approx(np.sqrt(norm(states[18].grad) * norm(states[3].grad)) / norm(loss.grad), rel=1e-9)
    assert 10**between.heat == pytest.approx(norm(states[2].grad) / norm(states[18].grad), rel=1e-12)
    assert [box.lines[0] for box in draw(recurrent(nn.RNNCell(3, 4, rng=0), T=8)[0], fold="states").picture.boxes if box.kind == "folded"][-1] == "h₈"


@pytest.mark.parametrize("cell", ["rnn", "lstm", "lru", "selective", "of scalars"])
def test_a_box_for_each_name_holds_what_leads_to_that_name_alone_and_carries_its_whole_derivative(cell):
    loss, states = recurrent(CELLS[cell](), T=3)
    picture = draw(loss, fold="names").picture
    named_nodes = [node for node in history(loss) if node.name and node.rule is not None]
    boxes = {box.name: i for i, box in enumerate(picture.boxes)}
    assert {str(node.name) for node in named_nodes} <= boxes.keys()
    g = dict.fromkeys(range(len(picture.boxes)))
    for i in reversed(range(len(picture.boxes))):
        box = picture.boxes[i]
        g[i] = np.ones(np.shape(box.value)) if box.kind == "output" else g[i]
        for arrow in picture.arrows:
            if arrow.head == i and arrow.local is not None and g[i] is not None:
                tail = arrow.tail if picture.boxes[arrow.tail].of is None else picture.boxes[arrow.tail].of
                part = arrow.local.pull(g[i])
                g[tail] = part if g[tail] is None else g[tail] + part
    for node in named_nodes:
        if not picture.boxes[boxes[str(node.name)]].uses:
            assert np.allclose(g[boxes[str(node.name)]], node.grad, rtol=1e-9), node.name


def test_units_of_numbers_show_their_weights_on_the_arrows():
    net = nn.MLP([3, 4, 4, 1], rng=0, leaf=scalars)
    y = net(scalars(np.array([1.0, -2.0, 0.5]), name="x")).item()
    y.backward()
    picture = draw(y, fold="names").picture
    weights = {small(node.data) for node in history(y) if node.name and node.name.base.endswith("W")}
    drawn = {arrow.lines[0] for arrow in picture.arrows if "W[" in arrow.tooltip}
    assert drawn == weights and sum("W[" in arrow.tooltip for arrow in picture.arrows) == 3 * 4 + 4 * 4 + 4


def test_a_call_in_a_group_is_one_box_and_fold_none_draws_every_node():
    x, W = Tensor(np.ones(3), "x"), Tensor(np.eye(3), "W")
    with group("block"):
        with group("inner"):
            h = tanh(linear(x, W))
        h = h * 2.0
    loss = square(h).sum()
    loss.backward()
    picture = draw(loss).picture
    block = next(box for box in picture.boxes if box.kind == "folded")
    assert block.lines[0] == "block" and block.nodes == 3
    assert [box.lines[0] for box in draw(loss, fold=None).picture.boxes if box.kind == "node"] == ["linear", "tanh", "multiply", "square"]
    with pytest.raises(TypeError, match=r"group needs a name, such as group\('conv'\); got int"), group(3):
        pass


def test_a_group_that_fails_half_way_still_ends():
    with pytest.raises(ZeroDivisionError), group("half"):
        h = Tensor(np.ones(2), "x") * 2.0
        1 / 0  # noqa: B018
    after = (h + 1.0) * 2.0
    assert [box.lines[0] for box in draw(after).picture.boxes if box.kind in ("node", "output")] == ["multiply", "add", "multiply"]


def test_where_indices_fall_along_an_edge_the_error_names_the_edge():
    h = Tensor(np.ones(2), "x")
    for t in (1, 2, 4, 3):
        h = tanh(h).named("h", t)
    with pytest.raises(ValueError, match=r"no steps or layers to fold: indices must not fall along an edge, but h\[3\] is computed from h\[4\]"):
        draw(h.sum(), fold="layer")


def test_the_state_before_the_first_layer_belongs_to_no_layer():
    states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.ones((2, 3)))
    states[1].sum().backward()
    labels = [group.label for group in draw(states[1], fold=None).picture.groups]
    assert labels == ["t = 0", "t = 1"]
