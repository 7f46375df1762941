"""What no other test of the chain would miss: each of these laws was broken by a mutant that lived through all the others."""

import re
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Chain, Scalar, Tensor, square
from tinygrad_vg.chain.blame_table import told
from tinygrad_vg.chain.eigen import eigen_view
from tinygrad_vg.chain.explain import explain
from tinygrad_vg.chain.factors import norm
from tinygrad_vg.chain.notation import tex_formula
from tinygrad_vg.chain.spectrum import LogProduct
from tinygrad_vg.chain.table import side_by_side
from tinygrad_vg.chain.text import clean, cut, width
from tinygrad_vg.chain.verdict import verdict


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
        assert np.exp(product.log_singular_values()) == pytest.approx(np.linalg.svd(M, compute_uv=False), rel=1e-12, abs=1e-300)


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
    left_out = [int(count) for count in re.findall(r">… (\d+) links …<", page)]
    assert page.count("<tr>") - 1 - len(left_out) + sum(left_out) == n


def test_a_leaf_that_is_used_twice_is_the_sum_of_both_uses():
    x = Scalar(2.0, name="x")
    explained = explain((x * 3.0).named("a") + (x * 5.0).named("b"), of=x)
    assert "x () is used 2 times" in explained.text
    assert [row["index"] for row in explained.rows] == ["∂L/∂x = g 3", "∂L/∂x += g 5"]


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-150, 1.0, 1e150, 1e200, 2e307])
def test_a_length_is_proportional_to_the_scale_however_far_that_is_from_1(scale):
    assert norm([3 * scale, -4 * scale]) == pytest.approx(5 * scale, rel=1e-15 if scale > 1e-300 else 1e-3)
    assert norm(np.full((2, 8), scale)) == pytest.approx(4 * scale, rel=1e-15 if scale > 1e-300 else 1e-3)


def test_the_sentence_of_blame_names_the_two_largest_and_all_above_a_hundredth_of_the_largest():
    words = {"weight size": "the weights", "gate": "the gates", "norm": "the normalisations", "scale": "constant factors", "merge": "the merging of branches"}
    for sizes in [(-50.0, 30.0, -5.0, 0.6, -0.4), (0.6, -50.0, -0.4, 5.0, 30.0), (-100.0, 0.2, 0.1, -0.3, 2.0), (-3.0, -2.0, -1.0, -0.5, -0.1)]:
        parts = dict(zip(words, sizes))
        told_of = told(SimpleNamespace(parts=parts, slopes={}, ended=None))
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
        assert product.log_singular_values() == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_row_in_tex_means_what_the_row_means():
    for row in ["(a + b) * (a - b)", "a - (b - a)", "a - (b + a) * b", "-(a + b) * a", "a * (-b)", "a + b * a - b", "a - -b", "(a - b) * -(a * b - a)"]:
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


def test_branches_that_cancel_by_more_than_a_float_can_tell_are_one_term_without_shares():
    x = Scalar(1.0, name="x")
    small = x * 1e-200
    blame = Chain(small + x * -1e200 + x * 1e200, x).blame()
    assert blame.total == pytest.approx(np.log(1e-200))
    assert blame.parts["other"] == pytest.approx(blame.total) and sum(map(abs, blame.parts.values())) == pytest.approx(-blame.total)
    assert blame.merges == []


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_verdict_counts_the_slopes_and_the_weights_and_not_the_sums(n):
    x = h = Scalar(0.5, name="x")
    for _ in range(n):
        h = vg.sigmoid(h * 3.0 + 1.0 - 0.5)
    numbers = verdict(square(h - 1.0), x).numbers
    assert numbers["factors"] == 2 * n
    assert numbers["per_factor"] == pytest.approx(numbers["log_gain"] / (2 * n))
