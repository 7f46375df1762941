"""What is printed is right: a formula on an edge, carried out, is the derivative; and it speaks of nothing that has no name."""

import ast
import math
import re

import numpy as np
import pytest
from samples import SAMPLES

import tinygrad_vg as vg
from tinygrad_vg import Chain, Scalar, Tensor
from tinygrad_vg.autodiff import more_rows, numerics
from tinygrad_vg.autodiff.core import plain
from tinygrad_vg.drawing.merged import rolled_formula
from tinygrad_vg.formulas.explain import explain
from tinygrad_vg.formulas.rules import called, gradient
from tinygrad_vg.text.formulas import row, written

WORDS = {name: getattr(np, name) for name in ("where", "exp", "log", "sin", "cos", "sqrt", "sign", "tanh", "maximum", "minimum", "cosh", "sinh", "hypot", "rint")}
WORDS |= {name: op for name, op in vg.OPS.items() if name not in WORDS} | {name: getattr(more_rows, name) for name in ("gelu_slope", "tanh_gate_slope", "sinc_slope")} | {"pi": math.pi, "below": numerics.below, "inf": math.inf}
ROWS = sorted(name for name, op in vg.OPS.items() if hasattr(getattr(op, "rule", None), "slopes") and name in SAMPLES)


@pytest.mark.parametrize("op", ROWS)
@pytest.mark.parametrize("names", [True, False], ids=["named", "without names"])
def test_a_formula_carried_out_is_the_derivative(op, names):
    checked = 0
    for sample in SAMPLES[op]:
        leaves = [Tensor(np.asarray(a, float), name=f"leaf{k}" if names else None) if k in sample.nodes else a for k, a in enumerate(sample.arrays)]
        with np.errstate(all="ignore"):
            y = sample.function(*leaves)
        if not hasattr(y.rule, "slopes") or y.op != op:
            continue
        letters = dict(zip(y.rule.operands, map(plain, y.parents)))
        known = WORDS | letters | {f"leaf{k}": plain(x) for k, x in enumerate(leaves)}
        for edge in y.edges:
            assert not re.search(r"\by\b|\bbase\b|\bpositive\b", edge.formula_here), edge.formula_here
            with np.errstate(all="ignore"):
                slope = np.broadcast_to(eval(edge.formula_here, {}, known), y.shape)
                true = np.broadcast_to(y.rule.pulls[edge.index](1.0, y.data, *letters.values()), y.shape)
            fine = np.isfinite(slope) & np.isfinite(true) if op == "power" else np.True_  # 0 ** 0 is what base() is for
            np.testing.assert_allclose(np.where(fine, slope, 0), np.where(fine, true, 0), rtol=2e-3, err_msg=edge.formula_here)
            checked += 1
    assert checked


PRINTED = {  # of x and of a leaf without a name
    "x ** 2":         (lambda x: x**2,               "2 * x",                          "2 * a"),
    "x ** 3":         (lambda x: x**3,               "3 * x ** 2",                     "3 * a ** 2"),
    "x ** 1":         (lambda x: x**1,               "1",                              "1"),
    "x ** 0":         (lambda x: x**0,               "0",                              "0"),
    "x ** 0.5":       (lambda x: x**0.5,             "0.5 / x ** 0.5",                 "0.5 / a ** 0.5"),
    "x ** 2.5":       (lambda x: x**2.5,             "2.5 * x ** 1.5",                 "2.5 * a ** 1.5"),
    "x ** -1":        (lambda x: x**-1,              "-1 / x ** 2",                    "-1 / a ** 2"),
    "2 / x":          (lambda x: 2 / x,              "-2 / x ** 2",                    "-2 / b ** 2"),
    "-2 / x":         (lambda x: -2 / x,             "2 / x ** 2",                     "2 / b ** 2"),
    "2 / x ** 2":     (lambda x: 2 / x**2, "-2 / x ** 4",                    "-2 / b ** 2"),
    "x / 2":          (lambda x: x / 2,              "1 / 2",                          "1 / 2"),
    "2 ** x":         (lambda x: 2**x,               "2 ** x * log(2)",                "2 ** b * log(2)"),
    "sigmoid":        (vg.sigmoid,                   "sigmoid(x) * (1 - sigmoid(x))",  "sigmoid(a) * (1 - sigmoid(a))"),
    "sigmoid(3 x)":   (lambda x: vg.sigmoid(3 * x),  "sigmoid(3 * x) * (1 - sigmoid(3 * x))", "sigmoid(a) * (1 - sigmoid(a))"),
    "tanh":           (vg.tanh,                      "1 - tanh(x) ** 2",               "1 - tanh(a) ** 2"),
    "exp":            (vg.exp,                       "exp(x)",                         "exp(a)"),
    "sqrt":           (vg.sqrt,                      "0.5 / sqrt(x)",                  "0.5 / sqrt(a)"),
    "elu":            (vg.elu,                       "where(x > 0, 1, exp(where(x > 0, 0, x)))", "where(a > 0, 1, exp(where(a > 0, 0, a)))"),
}  # fmt: skip


@pytest.mark.parametrize("printed", PRINTED)
def test_what_can_be_worked_out_is_worked_out(printed):
    function, named, unnamed = PRINTED[printed]
    x = Scalar(2.0, name="x")
    assert function(x).edges[-1].formula_here == named
    assert function(Scalar(2.0)).edges[-1].formula_here == unnamed


def test_a_chain_and_a_drawing_print_the_short_formula():
    x = Scalar(3.0, name="x")
    assert Chain(x**2, x).links[0].factor == "2 * x" and Chain(2.0 / x, x).links[0].factor == "-2 / x ** 2"
    T = Tensor([1.0, 2.0], name="T")
    assert Chain((T**3).sum(), T).links[0].factor == "diag(3 * T ** 2)"
    assert "∂child/∂parent = 2 * x" in vg.draw(x**2).svg


def test_a_node_with_a_name_is_called_by_it():
    x, z = Scalar(2.0, name="x"), Scalar(0.3, name="z")
    assert (2 / x).named("q").edges[0].formula_here == "-q / x"
    assert vg.sigmoid(z).named("f", 3).edges[0].formula_here == "f[3] * (1 - f[3])"


def test_operands_without_a_name_stand_as_their_formula_if_it_is_short_and_one_node_has_one_letter():
    w, x, u, v = Scalar(2.0, name="w"), Scalar(3.0, name="x"), Scalar(4.0), Scalar(5.0)
    assert [e.formula_here for e in (w * x + 1).edges] == ["1"]
    assert vg.sin(w * x + 1).edges[0].formula_here == "cos(w * x + 1)"
    assert vg.sin(w * x + w * w * x + 1).edges[0].formula_here == "cos(a)"
    assert vg.sin(u * x).edges[0].formula_here == "cos(a)"
    assert [e.formula_here for e in (u * u).edges] == ["a", "a"]
    assert [e.formula_here for e in (u * v).edges] == ["b", "a"]
    b = Scalar(1.0, name="b")
    assert [e.formula_here for e in (b / u).edges] == ["1 / a", "-b / a ** 2"]


def test_a_deep_graph_without_names_is_no_deep_formula():
    x = Scalar(0.5)
    for _ in range(5000):
        x = -x
    assert vg.tanh(x).edges[0].formula_here == "1 - tanh(a) ** 2"


def test_a_formula_keeps_its_brackets():
    assert written("a ** b", {"a": ast.Constant(-2.0), "b": ast.Constant(3.0)}) == "(-2) ** 3"
    assert written("a - (b - c)", {}) == "a - (b - c)"
    assert written("-(a / b) / b", {}) == "-a / b ** 2"
    assert written("1 * (a * 0 + b) ** 1 - 0", {}) == "b"
    assert written("np.arctan(a) * 1.0", {}) == "arctan(a)"


def test_a_step_of_a_rolled_recurrence_is_worked_out_too():
    h = Scalar(0.5).named("h", 0)
    y = (h**2).named("h", 1)
    assert rolled_formula(y.edges[0], {h: 0, y: 1}, "t") == "2 * h[t-1]"
    assert row(y.edges[0]) == "2 * a"


def test_a_power_is_explained_with_its_exponent_worked_out():
    x, n = Tensor([1.0, 2.0], name="x"), Tensor([2.0, 3.0], name="n")
    assert "∂L/∂x = diag(3 * x ** 2) g" in explain(x**3).text
    assert "∂L/∂x = diag(n * x ** (n - 1)) g" in explain(x**n).text and "log(x)" in explain(x**n).text


# ---- a leaf that is used several times


def test_a_leaf_without_a_name_has_one_letter_in_all_its_uses_and_each_use_its_own_gradient():
    a = Scalar(2.0)
    e = explain(a * a + a, of=a)
    assert e.title.startswith("a (), which has no name, is used 3 times")
    assert [row["index"] for row in e.rows] == ["∂L/∂a = g₁ a", "∂L/∂a += g₁ a", "∂L/∂a += g₂ 1"]
    assert {row["to"] for row in e.rows} == {"a"}
    assert e.rows[0]["words"].endswith("g₁ = ∂L/∂y₁, y₁ = multiply(a, a)") and e.rows[2]["words"].endswith("y₂ = add(y₁, a)")
    assert "&{+}= g_{2} 1" in e.tex


def test_users_with_names_are_called_by_them():
    x, w = Scalar(2.0, name="x"), Scalar(3.0, name="w")
    e = explain((x * w).named("u") + vg.tanh(x).named("v"), of=x)
    assert e.title.startswith("x () is used 2 times")
    assert [row["index"] for row in e.rows] == ["∂L/∂x = g₁ w", "∂L/∂x += g₂ (1 - v * v)"]
    assert e.rows[0]["words"].endswith("g₁ = ∂L/∂u") and e.rows[1]["words"].endswith("g₂ = ∂L/∂v")


def test_the_letter_of_a_leaf_is_that_of_nothing_else():
    u, v = Scalar(2.0), Scalar(3.0)
    assert [row["index"] for row in explain(v / u + u * v, of=u).rows] == ["∂L/∂b = g₁ (-y₁ / b)", "∂L/∂b += g₂ a"]
    a = Scalar(1.0, name="a")
    assert {row["to"] for row in explain(u * a + u, of=u).rows} == {"b"}


def test_the_sum_over_the_uses_carried_out_is_the_gradient():
    a, x = Scalar(2.0), Scalar(3.0, name="x")
    first, second = a * x, None
    second = first * a
    y = second + vg.tanh(a)
    rows = explain(y, of=a).rows
    gs = {f"g{'₁₂₃'[k]}": vg.grad(y, node) for k, node in enumerate((first, second, y.parents[1]))}
    values = {"a": 2.0, "x": 3.0, "y₁": first.data, "y₂": second.data, "y₃": y.parents[1].data} | gs
    texts = [re.sub(r"^.*?= (g.) (.*)$", r"\1 * (\2)", row["index"]) for row in rows]
    for k, figure in enumerate("₁₂₃", start=1):
        texts = [text.replace(figure, f"_{k}") for text in texts]
        values = {name.replace(figure, f"_{k}"): value for name, value in values.items()}
    assert sum(eval(text, {}, values) for text in texts) == pytest.approx(vg.grad(y, a), rel=1e-12)


def test_a_use_of_an_array_has_its_gradient_with_indices():
    W, h = Tensor(np.eye(2)), Tensor([1.0, 2.0], name="h")
    e = explain(vg.linear(h, W).named("z") + W @ h, of=W)
    assert [row["index"] for row in e.rows] == ["∂L/∂W_ij = g₁,i h_j", "∂L/∂W_ik += g₂,i h_k"]
    assert "g_{1,i} h_{j}" in e.tex and "g_{2,i} h_{k}" in e.tex


def test_what_comes_by_the_second_slot_of_one_node_is_added():
    a = Scalar(2.0)
    assert [row["index"] for row in explain(a * a).rows] == ["∂L/∂a += g a", "∂L/∂a += g a"]
    assert [row["local"] for row in explain(a * a).rows] == ["∂y/∂a += a", "∂y/∂a += a"]
    assert "to a, as operand 1: " in (text := explain(a * a).text) and "to a, as operand 2: " in text


def test_what_is_one_part_of_several_is_added_and_not_set_equal():
    x = Scalar(2.0, name="x")
    e = explain((x * x * x).named("y"))
    assert [row["index"] for row in e.rows] == ["∂L/∂a = g x", "∂L/∂x += g a"]
    assert "to x, one of its 3 uses: " in e.text and ", a = x * x, " in e.title
    assert e.rows[1]["numpy"] == "g_x += g_y * a" and "{+}= g a" in e.tex


# ---- letters mean one thing each


@pytest.mark.parametrize("name", ["a", "b", "y", "g", "z", "x"])
def test_a_letter_is_never_the_name_of_something_else(name):
    w, leaf = Scalar(2.0, name="w"), Scalar(0.7, name=name)
    for y in ((w * w).tanh() * leaf, leaf / (w * w).tanh(), ((w * w).tanh() * leaf).named("q")):
        for edge, told in zip(y.edges, explain(y).rows):
            values = dict(zip(called(edge), [*y.parents, y])) | {gradient(edge): 3.0}
            assert len(values) == 4
            g, rest = told["index"].split("= ")[1].split(" ", 1)
            assert eval(f"{g} * ({rest})", {name: float(getattr(x, "data", x)) for name, x in values.items()}) == pytest.approx(3.0 * float(edge.local))


@pytest.mark.parametrize("name", ["a", "b", "x1", "A", "y", "g", "w"])
def test_of_arrays_too(name):
    v, leaf = Tensor([2.0, 1.0], name="v"), Tensor([0.7, 0.3], name=name)
    for y in ((v * v).tanh() * leaf, (v * v).tanh() @ leaf, vg.einsum("i,i->", (v * v).tanh(), leaf), np.concatenate([v.tanh(), leaf]), leaf.max()):
        for edge in y.edges:
            names = [*called(edge), gradient(edge)]
            assert len({*names}) == len(names) and names[-1] == ("δ" if name == "g" else "g")
            assert f"{names[-1]} = ∂L/∂{names[-2]}" in explain(y).title
    assert "w_i" not in explain(leaf.max()).rows[0]["local"].split("=")[1] or name != "w"


def test_what_a_letter_stands_for_is_said():
    w, a = Scalar(2.0, name="w"), Scalar(1.0, name="a")
    assert explain(((w * w).tanh() * a).named("y")).title == "y () = multiply(b (), a ()), b = tanh(w * w), with g = ∂L/∂y"
    text = explain(((w * w).tanh() * w).named("y"), of=w).text
    assert text.count(", a = tanh(z₁)") == 1 and "g₂ a" in text
    deep = explain(vg.linear(Tensor([[1.0]], name="x"), Tensor([[2.0]], name="W")) * Tensor([[1.0]]).tanh())
    assert ", a = linear(x, W), b = tanh(…), with" in deep.title
