"""What no other test of the chain would miss: each of these laws was broken by a mutant that lived through all the others."""

import re
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Chain, Scalar, Tensor, nn, square
from tinygrad_vg.chain.blame import told
from tinygrad_vg.chain.eigen import eigen_view
from tinygrad_vg.chain.factors import norm
from tinygrad_vg.chain.paths import paths
from tinygrad_vg.chain.product import LogProduct, log_sizes
from tinygrad_vg.chain.spectrum import starting_frame
from tinygrad_vg.chain.table import side_by_side
from tinygrad_vg.chain.uses import uses
from tinygrad_vg.chain.verdict import KINDS, verdict
from tinygrad_vg.formulas.explain import explain
from tinygrad_vg.formulas.notation import tex_entry, tex_formula
from tinygrad_vg.text.lines import clean, cut, width, wrapped
from tinygrad_vg.text.numbers import from_log


def logs_of(product):
    """ln singular values of a LogProduct, largest first."""
    return log_sizes(product.d[None], product.U[None])[0]


@pytest.mark.parametrize("text", ["abcdefghijklmnopq", "h[123] → h[124]", "層正規化の出力は長い", "ab層cd"])
@pytest.mark.parametrize("middle", [False, True])
def test_what_is_cut_is_the_beginning_and_the_end_of_the_text_in_the_columns_asked_for(text, middle):
    for columns in range(2, width(text)):
        head, ellipsis, tail = cut(text, columns, middle).partition("…")
        assert ellipsis and text.startswith(head) and text.endswith(tail) and columns - 2 < width(head + tail) + 1 <= columns
        assert (-1 <= len(head) - len(tail) <= 2 or not text.isascii()) if middle else not tail
    assert cut(text, width(text), middle) == text


def test_a_link_that_loses_directions_leaves_the_singular_values_of_the_others():
    """Two directions become one in the first link; the later ones stretch so unlike that the directions change places."""
    M, product = np.eye(3), LogProduct(np.eye(3))
    for J in [np.array([[1.0, 0, 0], [0, 0, 0], [0, 1, 1]]), *[np.diag([1.0, 2.0, 3.0])] * 6]:
        M = J.T @ M
        product.pull(J)
        assert np.exp(logs_of(product)) == pytest.approx(np.linalg.svd(M, compute_uv=False), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (1, "1"),
        ((0, slice(1, 3)), "0, 1:3"),
        ((slice(None, None, 2), None), "::2, None"),
        ((..., -1), "…, -1"),
        (np.array([0, 1, 1]), "indices (3,)"),
        (np.array([True, False]), "mask (2,)"),
    ],
)
def test_the_explanation_of_a_selection_says_what_was_selected(index, text):
    x = Tensor(np.ones((2, 4)), name="x")
    assert f"getitem: x[{text}]" in explain(x[index]).text


def test_a_link_that_overflows_has_a_row_without_typical_and_worst_and_no_warning():
    x = Tensor([1e200, 1.0], name="x")
    with np.errstate(all="ignore"):
        y = ((x * x).named("y") * 2.0 * x).named("z")
        chain = Chain(y, x, seed=[1.0, 1.0])
    assert "inf" in chain.table()


def test_a_product_with_a_weight_belongs_to_the_model_even_where_a_difference_follows():
    """The loss is square(y): what it asks for is its gradient at y, and the weight between y and x is the model's."""
    w, x = Scalar(100.0, name="w"), Scalar(3.0, name="x")
    y = (w * (x - 1.0)).named("y")
    found = verdict(square(y), x).numbers
    assert found["signal"] == pytest.approx(2 * 200.0) and found["log_gain"] == pytest.approx(np.log(100.0))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [60, 80, 99])
def test_chains_side_by_side_keep_to_their_width_however_long_their_names(n, width):
    x = Scalar(0.5, name="x")
    chain = Chain(square(x * 2.0), x)
    lines = side_by_side([chain] * n, ["a name that is far longer than any column could be " * 3] * n, width).splitlines()
    assert max(map(len, lines)) <= max(width, 6 + 15 * n)


def test_a_matrix_and_a_vector_that_are_numbers_have_no_eigen_coordinates():
    for W, g in [(2.0, 1.0), ([[1.0]], 1.0), ([1.0], [1.0]), (np.ones((2, 2, 2, 2)), np.ones((2, 2))), (np.ones((0, 0)), [])]:
        with pytest.raises(ValueError, match=r"needs W \(n, n\) and a vector \(n,\)"):
            eigen_view(W, g=g)


def test_a_leaf_that_is_used_once_is_explained_where_it_is_used():
    x, w = Tensor(np.ones(2), name="x"), Tensor(np.ones(2), name="w")
    y = (x * w).named("y")
    assert explain(square(y), of=w).text == explain(y, of=w).text
    assert "∂L/∂w_i = g_i x_i" in explain(square(y), of=w).text


def test_an_eigen_view_says_whether_it_follows_a_state_or_a_gradient():
    W = [[0.9, 5.0], [0.0, 0.8]]
    state, gradient = eigen_view(W, h0=[0.0, 1.0], T=3), eigen_view(W, g=[1.0, 0.0], T=3)
    assert str(state).startswith("state through T = 3 steps") and state.to_dict()["of"] == "state"
    assert str(gradient).startswith("gradient through T = 3 steps") and gradient.to_dict()["of"] == "gradient"
    assert state.after(3) == pytest.approx(np.linalg.matrix_power(W, 3) @ [0.0, 1.0])
    assert gradient.after(3) == pytest.approx(np.linalg.matrix_power(W, 3).T @ [1.0, 0.0])


@pytest.mark.parametrize("n", [3, 40, 41, 60, 100])
def test_the_table_of_a_notebook_accounts_for_every_link(n):
    x = h = Scalar(0.5, name="x")
    for k in range(n):
        h = (h * (0.5 + k % 7 / 10)).named("h", k)
    page = Chain(h, x)._repr_html_()
    left_out = [int(count) for count in re.findall(r"… (\d+) links, together", page)]
    assert page.count(" → ") + sum(left_out) == n


def test_a_leaf_that_is_used_twice_is_the_sum_of_both_uses():
    x = Scalar(2.0, name="x")
    explained = explain((x * 3.0).named("a") + (x * 5.0).named("b"), of=x)
    assert "x () is used 2 times" in explained.text
    assert [row["index"] for row in explained.rows] == ["∂L/∂x = g₁ 3", "∂L/∂x += g₂ 5"]


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-150, 1.0, 1e150, 1e200, 2e307])
def test_a_length_is_proportional_to_the_scale_however_far_that_is_from_1(scale):
    assert norm([3 * scale, -4 * scale]) == pytest.approx(5 * scale, rel=1e-15 if scale > 1e-300 else 1e-3)
    assert norm(np.full((2, 8), scale)) == pytest.approx(4 * scale, rel=1e-15 if scale > 1e-300 else 1e-3)


def test_the_sentence_of_blame_names_the_two_largest_and_all_above_a_hundredth_of_the_largest():
    words = {"weight size": "the weights", "gate": "the gates", "norm": "the normalisations", "scale": "constant factors"}
    words["merge"] = "the merging of branches"
    for sizes in [(-50, 30, -5, 0.6, -0.4), (0.6, -50, -0.4, 5, 30), (-100, 0.2, 0.1, -0.3, 2), (-3, -2, -1, -0.5, -0.1)]:
        parts = dict(zip(words, sizes))
        told_of = told(SimpleNamespace(gates={}, parts=parts, slopes={}, ended=None))
        order = sorted(parts, key=lambda kind: -abs(parts[kind]))
        named = [kind for k, kind in enumerate(order) if k < 2 or abs(parts[kind]) > 0.01 * abs(parts[order[0]])]
        assert [kind for kind in order if words[kind] in told_of] == named
        assert sorted(named, key=lambda kind: told_of.index(words[kind])) == named


@pytest.mark.parametrize("t", [1e-100, 1e-3, 1.0, 1e100, 0.0])
def test_a_product_of_blocks_has_the_singular_values_of_its_blocks(t):
    """One block is 2 × 2, its slow direction before its fast one, so that they change places; the other a number, however small."""
    block, product = np.array([[0.5, 1.0], [0.0, 1.0]]), LogProduct(np.eye(3))
    J = np.zeros((3, 3))
    J[:2, :2], J[2, 2] = block.T, t
    for k in range(1, 18):
        product.pull(J)
        largest = np.linalg.norm(np.linalg.matrix_power(block, k), 2)
        with np.errstate(divide="ignore"):
            want = sorted([np.log(largest), k * np.log(0.5) - np.log(largest), k * np.log(t)], reverse=True)
        assert logs_of(product) == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_row_in_tex_means_what_the_row_means():
    rows = ["(a + b) * (a - b)", "a - (b - a)", "a - (b + a) * b", "-(a + b) * a", "a * (-b)", "a - -b", "(a - b) * -(a * b - a)"]
    for row in rows:
        tex = tex_formula(row, {})
        back = tex.replace(r"\left(", "(").replace(r"\right)", ")").replace(r" \, ", " * ")
        assert eval(back, {"a": 3.0, "b": 7.0}) == eval(row, {"a": 3.0, "b": 7.0}), tex


def test_what_cannot_be_seen_or_turns_the_direction_of_writing_is_replaced_and_nothing_else():
    turning = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    for c in map(chr, range(0x11000)):
        unseen = unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in turning or c in "\ufffe\uffff"
        if c != "\n":
            assert clean(f"a{c}b") == ("a\ufffdb" if unseen else f"a{c}b"), hex(ord(c))
    assert clean("a\nb") == "a b"


def test_branches_that_cancel_by_more_than_a_float_can_tell_still_add_up():
    x = Scalar(1.0, name="x")
    small = x * 1e-200
    blame = Chain(small + x * -1e200 + x * 1e200, x).blame()
    assert blame.total == pytest.approx(np.log(1e-200))
    assert sum(blame.parts.values()) == pytest.approx(blame.total) and blame.merges[0]["rounding"]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_verdict_counts_the_slopes_and_the_weights_and_not_the_sums(n):
    x = h = Scalar(0.5, name="x")
    for _ in range(n):
        h = vg.sigmoid(h * 3.0 + 1.0 - 0.5)
    numbers = verdict(square(h - 1.0), x).numbers
    assert numbers["factors"] == 2 * n
    assert numbers["per_factor"] == pytest.approx(numbers["log_gain"] / (2 * n))


@pytest.mark.parametrize(
    ("a", "b", "to_a", "to_b"),
    [
        ((2, 3), (3, 4), "g Bᵀ", "Aᵀ g"),
        ((3,), (3, 4), "g Bᵀ", "outer A gᵀ"),
        ((2, 3), (3,), "outer g Bᵀ", "Aᵀ g"),
        ((3,), (3,), "g B", "g A"),
    ],
)
def test_the_matrix_form_of_a_product_is_that_of_vectors_and_matrices(a, b, to_a, to_b):
    A, B = Tensor(np.ones(a), name="A"), Tensor(np.ones(b), name="B")
    assert [row["matrix"] for row in explain(A @ B).rows] == [f"∂L/∂A = {to_a}", f"∂L/∂B = {to_b}"]


def test_the_links_left_out_of_a_table_are_told_with_the_product_of_their_gains():
    x = h = Scalar(0.5, name="x")
    for k in range(60):
        h = (h * 10.0 ** -(k % 5 + 0.25)).named("h", k)
    chain = Chain(h, x)
    logs = [np.log10(link.gain) for link in reversed(chain.links)]
    told_of = re.findall(r"… (\d+) links, together 10\^(\S+) …", chain.table())
    worst = min(range(10, 50), key=lambda k: chain.links[-1 - k].gain)
    gaps = [gap for gap in (logs[10:worst], logs[worst + 1 : 50]) if gap]
    assert [(int(n), float(log)) for n, log in told_of] == [(len(gap), pytest.approx(sum(gap), abs=0.005)) for gap in gaps]


def test_a_quotient_is_a_scale_for_what_is_above_and_not_for_what_is_below():
    x = Scalar(2.0, name="x")
    above, below = Chain(x / 4.0, x).blame().parts, Chain(4.0 / x, x).blame().parts
    assert above["scale"] == pytest.approx(np.log(1 / 4)) and above["other"] == 0
    assert below["scale"] == 0 and below["other"] == pytest.approx(np.log(4 / 4))
    w = Scalar(5.0, name="w")
    assert Chain(x / w, x).blame().parts["weight size"] == pytest.approx(np.log(1 / 5))


def test_a_normalisation_within_a_link_is_one_factor_whatever_branches_it_is_made_of():
    x, layer = Tensor([1.0, -2.0, 0.5, 4.0], name="x"), nn.LayerNorm(4)
    for norm_of, scale in ((layer(x), 1.0), (layer(x * 3.0), 3.0)):
        blame = Chain(norm_of, x, through=[], seed=[1.0, 2.0, -1.0, 0.5]).blame()
        assert blame.parts["norm"] + np.log(scale) == pytest.approx(blame.total) and blame.parts["scale"] == pytest.approx(np.log(scale))
        assert blame.parts["merge"] == blame.parts["other"] == 0 and blame.merges == []


@pytest.mark.parametrize("W", [[[1.0, 0.5], [0.5, 2.0]], [[0.0, -1.0], [1.0, 0.0]], [[0.9, 5.0], [0.0, 0.8]], [[1.0, 1.0], [0.0, 1.0]]])
def test_an_eigen_view_warns_of_its_radius_exactly_where_the_matrix_is_not_normal(W):
    M = np.array(W)
    view = eigen_view(W, g=[1.0, 2.0], T=4)
    assert ("the radius alone misleads" in str(view)) == (not np.allclose(M @ M.T, M.T @ M))
    assert ("its eigenvectors do not span the space" in str(view)) == (view.coordinates is None) == (view.kind == "defective")


@pytest.mark.parametrize(("subscripts", "repeats"), [("ii->i", True), ("ii", True), ("ij->ji", False), ("ij->i", False)])
def test_the_explanation_of_an_einsum_says_where_its_derivative_is_0_for_a_repeated_index(subscripts, repeats):
    text = explain(vg.einsum(subscripts, Tensor(np.ones((2, 2)), name="A"))).text
    assert ("0 where the repeated indices differ" in text) == repeats


def test_the_slopes_of_blame_by_activation_add_up_to_its_parts():
    x = Scalar(0.7, name="x")
    blame = Chain(vg.tanh(vg.sigmoid(vg.tanh(x) * 2.0)), x).blame()
    assert set(blame.slopes) == {"tanh", "sigmoid"}
    a, b = np.tanh(0.7), 1 / (1 + np.exp(-2 * np.tanh(0.7)))
    assert blame.slopes["sigmoid"] == pytest.approx(np.log(b * (1 - b)))
    assert blame.slopes["tanh"] == pytest.approx(np.log((1 - a * a) * (1 - np.tanh(b) ** 2)))
    assert sum(blame.slopes.values()) == pytest.approx(blame.parts["activation size"] + blame.parts["activation alignment"])


@pytest.mark.parametrize("T", [0, 3, 40, 1500])
def test_the_last_column_of_an_eigen_view_is_the_size_of_each_coordinate_after_t_steps_even_below_every_float(T):
    view = eigen_view(np.diag([0.9, 0.5, -1.5]), g=[2.0, 3.0, 1.0], T=T)
    for line, size, c in zip(str(view).splitlines()[2:5], (1.5, 0.9, 0.5), (1.0, 2.0, 3.0)):
        *_, coordinate, after = line.split()
        assert float(coordinate) == c
        log = np.log10(c) + T * np.log10(size)
        if log < -400:
            mantissa, _, exponent = after.partition("e")
            assert np.log10(float(mantissa)) + int(exponent) == pytest.approx(log, abs=0.005)
        else:
            assert float(after) == pytest.approx(10**log, rel=6e-3)


def test_the_bars_of_uses_are_as_long_as_their_shares_and_hatched_where_they_pull_against_the_others():
    w, x = Scalar(1.0, name="w"), Scalar(1.0, name="x")
    text = str(uses((w * 4.0).named("a", 1) + (w * -1.0).named("a", 2) + (w * 2.0).named("a", 3) * x, w)).splitlines()[2:]
    bars = [line.split("%")[-1].strip() for line in text]
    assert [set(bar) for bar in bars] == [{"█"}, {"▒"}, {"█"}]
    full = len(bars[0])
    assert [len(bar) for bar in bars] == [full, round(full / 4), round(full / 2)] and max(map(len, text)) <= 80


def test_a_verdict_names_its_source_in_the_first_line_only_where_it_has_several():
    x, w = Scalar(0.5, name="x"), Scalar(0.5, name="w")
    loss = square(vg.tanh(x * w) - 1.0)
    one, both = verdict(loss, x), verdict(loss, {"x": x, "w": w})
    assert str(one).startswith(f"{one.kind}: {KINDS[one.kind][0]}.\n")
    assert str(both).startswith(f"{both.kind} at {both.source}: {KINDS[both.kind][0]}.\n")


def test_paths_that_all_pull_together_cancel_nothing_to_the_last_digit():
    rng = np.random.default_rng(0)
    for _ in range(100):
        x = h = Scalar(1.0, name="x")
        for a, b in rng.uniform(0.1, 3.0, (6, 2)):
            h = h * a + h * b
        assert 1 - 1e-14 < paths(h, x).cancellation <= 1
    mixed = x * 3.0 - x * 2.0
    assert paths(mixed, x).cancellation == pytest.approx(1 / 5)


@pytest.mark.parametrize(("row", "shown"), [("a if b else y", "a if b else y"), ("a and b", "a and b"), ("{a}", r"\{a\}")])
def test_what_a_row_in_tex_has_no_sign_for_stands_there_as_text(row, shown):
    assert tex_formula(row, {}) == rf"\text{{{shown}}}"


def test_a_weight_used_at_places_whose_names_tell_no_time_is_the_sum_of_its_uses():
    W, a, b = Tensor(np.ones((2, 3)), name="W"), Tensor(np.ones(3), name="a"), Tensor(np.ones(3), name="b")
    explained = explain(vg.linear(a, W).named("y") + vg.linear(b, W).named("z"), of=W)
    assert [row["index"] for row in explained.rows] == ["∂L/∂W_ij = g₁,i a_j", "∂L/∂W_ij += g₂,i b_j"]


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1), (2, 1, 0)])
def test_the_index_form_of_a_transposition_carried_out_is_the_gradient(axes):
    x = Tensor(np.ones((2, 3, 4)), name="x")
    y = vg.transpose(x, axes)
    g = np.random.default_rng(0).normal(size=y.shape)
    (row,) = explain(y).rows
    own, moved = re.fullmatch(r"∂L/∂x_(\w+) = g_(\w+)", row["index"]).groups()
    assert np.array_equal(np.einsum(f"{moved}->{own}", g), vg.grad(y, x, seed=g))


@pytest.mark.parametrize("name", [None, "W"])
def test_the_uses_of_an_array_of_scalars_are_those_of_its_name(name):
    W = vg.scalars([[1.0, 2.0], [3.0, 4.0]], name=name)
    found = uses((W @ np.array([1.0, 10.0])).sum() * 2.0, W)
    assert found.weight == (name or "an array of Scalars")
    assert np.array_equal(found.total, [[2.0, 20.0], [2.0, 20.0]])


def test_a_name_that_is_no_name_in_tex_is_text_with_its_index():
    assert tex_entry("W_hh", "ij") == "W_{hh,ij}"
    assert tex_entry("a[b", "i") == r"\text{a[b}_{i}" and tex_entry("a]b") == r"\text{a]b}" and tex_entry("") == r"\text{}"


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_wrapped_text_keeps_its_words_and_its_lines_and_its_width(columns):
    text = "one line\n  another, a little further in, that goes on and on for longer than any of the widths asked for here, or so\n\nlast"
    lines = wrapped(text, columns).split("\n")
    assert max(map(len, lines)) <= columns
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert lines[0] == "one line" and lines[-2:] == ["", "last"] and lines[1].startswith("  another")
    assert all(line.startswith("    ") for line in lines[2:-2])


@pytest.mark.parametrize("logs", [[0, -1, -2, -3], [0, -200, -300, -301], [300, 299, 298, -300], [0, -1, -601, -602]])
@pytest.mark.parametrize("times", [1, 2, 3, 30])
def test_a_diagonal_between_two_rotations_has_its_entries_as_singular_values_however_far_apart(logs, times):
    rng = np.random.default_rng(0)
    first, last = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    product = LogProduct(np.eye(4))
    for J in [first, *[np.diag(np.exp(logs))] * times, last]:
        product.pull(J)
    assert logs_of(product) == pytest.approx(times * np.array(logs), rel=1e-12, abs=1e-11)


def test_the_ten_heaviest_paths_are_kept_unless_another_number_is_asked_for():
    x = h = Scalar(1.0, name="x")
    for k in range(5):
        h = h * (1.0 + k) + h * 0.5
    assert len(paths(h, x).top) == 10 and len(paths(h, x, top=3).top) == 3 and len(paths(h, x, top=99).top) == 32


@pytest.mark.parametrize("digits", [2, 3, 5])
def test_a_number_given_by_its_logarithm_has_the_digits_asked_for_however_small_or_large(digits):
    for decades in [-400.3, -5.6, -3.01, -2.99, -0.5, 0.0, 0.3, 2.99, 3.01, 7.7, 400.3]:
        text = from_log(decades * np.log(10), digits)
        mantissa, _, exponent = text.partition("e")
        assert np.log10(float(mantissa)) + int(exponent or 0) == pytest.approx(decades, abs=0.22 * 10 ** (1 - digits))
        assert bool(exponent) == (not -3 <= decades < 3 or text == "9.8e+02") and len(mantissa.lstrip("0.").replace(".", "")) <= digits
    assert from_log(-np.inf) == "0" and from_log(np.inf) == "inf" and from_log(np.nan) == "nan"


def test_a_chain_starts_from_the_directions_of_the_last_link_that_tells_them_apart():
    W = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.2]])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    directions = np.linalg.eigh(W)[1][:, ::-1]
    for after in ([], [np.eye(3) * 0.5], [turn, np.eye(3)]):
        frame = starting_frame([SimpleNamespace(name="J", dense=lambda J=J: J) for J in [W @ W, W, *after]], 3)
        seen = np.linalg.multi_dot([np.eye(3), *(J.T for J in after[::-1]), frame])
        assert np.abs(seen.T @ directions) / np.linalg.norm(seen[:, 0]) == pytest.approx(np.eye(3), abs=1e-9)


def test_factors_are_put_in_brackets_where_there_are_several():
    x = Scalar(0.5, name="x")
    y = vg.tanh(x).named("y")
    z = vg.tanh(y).named("z")
    assert Chain(y, x, through=[]).links[0].factor == "1 - y * y"
    assert Chain(z, x, through=[]).links[0].factor == "(1 - y * y) · (1 - z * z)"
    assert Chain(z + 1.0, x, through=[]).links[0].factor == "(1 - y * y) · (1 - z * z)"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_verdict_on_a_group_is_named_after_its_first_member_and_says_that_there_are_more(n):
    group = tuple(Scalar(0.5, name=f"x{k}") for k in range(n))
    assert verdict(square(sum(vg.tanh(x) for x in group) - 1.0), group).source == "x0" + ", …" * (n > 1)


def test_a_seed_of_zero_ends_the_blame_at_the_output():
    x = Tensor([0.5, 0.7], name="x")
    chain = Chain(vg.tanh(vg.tanh(vg.tanh(x).named("a")).named("b")).named("c"), x, seed=[0.0, 0.0])
    assert chain.blame().ended == {"link": "c", "at": "c", "why": "the seed is zero"}
