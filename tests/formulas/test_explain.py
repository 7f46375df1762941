"""An explanation is right, names what is there, and can be typeset: for every op that makes a node."""

import json
import re

import numpy as np
import pytest
from samples import SAMPLES

import tinygrad_vg as vg
from tinygrad_vg import OPS, Chain, Scalar, Tensor, grad, history, linear, nn, square
from tinygrad_vg.autodiff.products import Einsum, Linear, Matmul
from tinygrad_vg.formulas.explain import explain
from tinygrad_vg.formulas.notation import tex_formula
from tinygrad_vg.formulas.rules import form


def built(sample):
    """The sample's result, its leaves named leaf0, leaf1, …"""
    leaves = [Tensor(a, name=f"leaf{k}") if k in sample.nodes else a for k, a in enumerate(sample.arrays)]
    with np.errstate(all="ignore"):
        return sample.function(*leaves)


def balanced(tex):
    plain = re.sub(r"\\[{}]", "", tex)
    depths = np.cumsum([(c == "{") - (c == "}") for c in plain]) if plain else np.zeros(1)
    return depths.min() >= 0 and depths[-1] == 0 and tex.count(r"\left") == tex.count(r"\right")


@pytest.mark.parametrize("op", [op for op in OPS if op in SAMPLES])
def test_every_op_explains_itself_with_shapes_and_names_in_text_and_in_tex(op):
    for sample in SAMPLES[op]:
        y = built(sample)
        for node in history(y):
            e = explain(node)
            assert str(node.shape) in e.text
            assert e.text.isprintable() or "\n" in e.text
            assert balanced(e.tex) and not re.search("[⟨⟩‹›⟪⟫∂Σᵀ]", e.tex), e.tex
            assert not re.search("[⟨⟩‹›⟪⟫]", e.text), e.text
            assert len(e.rows) == len(node.edges)
            for edge in node.edges:
                assert str(edge.parent.shape) in e.text
                assert edge.parent.name is None or str(edge.parent.name) in e.text
            json.dumps(e.to_dict())


def test_every_op_of_the_registry_that_makes_a_node_has_a_sample():
    assert set(OPS) - set(SAMPLES) <= {name for name in OPS if name.startswith("test_")}


@pytest.mark.parametrize("op", ["linear", "matmul", "einsum"])
def test_the_index_form_of_a_product_carried_out_by_einsum_is_the_gradient(op):
    rng, checked = np.random.default_rng(0), 0
    for sample in SAMPLES[op]:
        y = built(sample)
        for node in [node for node in history(y) if isinstance(node.rule, (Linear, Matmul, Einsum))]:
            if len({id(parent) for parent in node.parents}) < len(node.parents) or not node.size or any(not x.size for x in node.variables):
                continue
            if op == "einsum" and node.rule.deltas or any(n == 1 for x in node.variables for n in x.shape):
                continue
            g = rng.normal(size=node.shape)
            for edge in node.edges:
                f = form(edge)
                factors = re.findall(r"⟨([^|⟩]*)\|([^⟩]*)⟩", f.entry)
                values = {"g": g} | {str(p.name): p.data for p in node.variables}
                values |= dict(zip(getattr(node.rule, "letters", ("x1", "x2")), [getattr(p, "data", p) for p in node.parents])) if len(values) == 1 else {}
                if all(name in values for name, _ in factors) and set(f.indices[2]) <= set("".join(i for _, i in factors)):
                    answer = np.einsum(",".join(i for _, i in factors) + "->" + f.indices[2], *(values[name] for name, _ in factors))
                    np.testing.assert_allclose(answer, grad(node, edge.parent, seed=g), rtol=1e-5, atol=1e-6)
                    checked += 1
    assert checked > 10


def test_a_weight_shared_over_time_is_one_sum_over_steps():
    cell = nn.RNNCell(3, 4)
    states = nn.unroll(cell, np.ones((5, 3)))
    loss = vg.sum(square(states[-1] - 1.0))
    e = explain(loss, of=cell.W_hh)
    assert "∂L/∂W_hh,ij = Σ_t δ_t,i h_t−1,j" in e.text
    assert "t = 1 … 5, δ_t = ∂L/∂z[t]" in e.text
    assert r"\frac{\partial L}{\partial W_{hh,ij}} &= \sum_{t} \delta_{t,i} h_{t-1,j}" in e.tex
    assert "∂L/∂b_h,i = Σ_t δ_t,i" in explain(loss, of=cell.b_h).text
    assert "∂L/∂W_xh,ij = Σ_t δ_t,i x_t,j" in explain(loss, of=cell.W_xh).text

    delta = {t: grad(loss, states[t].parents[0]) for t in range(1, 6)}
    by_formula = sum(np.outer(delta[t], states[t - 1].data) for t in delta)
    np.testing.assert_allclose(by_formula, grad(loss, cell.W_hh), rtol=1e-12)


def test_a_leaf_used_in_several_places_is_the_sum_of_its_uses():
    x = Scalar(2.0, name="x")
    e = explain(x * x + x, of=x)
    assert "x () is used 3 times" in e.text and e.text.count("+=") == 2


def test_a_leaf_says_where_to_ask():
    text = explain(Tensor([1.0, 2.0], name="w")).text
    assert "w (2,): a leaf" in text and "explain(output, of=leaf)" in text


def test_an_activation_shows_its_row_with_names_and_indices():
    z = Tensor([0.5, 1.0], name="z")
    e = explain(vg.tanh(z).named("h", 3))
    assert "∂h[3]_i/∂z_j = (1 - h[3]_i * h[3]_i) δ_ij" in e.text
    assert r"\frac{\partial h_{3,i}}{\partial z_{j}} &= \left(1 - h_{3,i} \, h_{3,i}\right) \delta_{ij}" in e.tex


def test_what_cannot_be_explained_says_why():
    x, w = Scalar(1.0, name="x"), Scalar(2.0, name="w")
    with pytest.raises(TypeError, match="needs a node"):
        explain(3.0)
    with pytest.raises(ValueError, match="does not depend on w"):
        explain(x * 2.0, of=w)


def test_names_are_only_text_in_tex():
    e = explain(linear(Tensor([1.0], name=r"a}\input{x"), Tensor([[1.0]], name="50%_$&")))
    assert balanced(e.tex) and r"\input" not in e.tex


def test_one_linear_added_to_another_hands_its_gradient_on_as_it_is():
    x, h, W, V, b = (Tensor(np.ones(shape), name=name) for name, shape in zip("xhWVb", ((2, 3), (2, 4), (4, 4), (4, 3), (4,))))
    z = linear(h, W, linear(x, V, b).named("v")).named("z")
    text = str(explain(z))
    assert "to v: linear: z = h Wᵀ + v" in text
    assert "∂L/∂v = g" in text and "∂L/∂v_ni = g_ni" in text
    chain = Chain(z, x, seed=np.ones((2, 4)))
    assert [link.factor for link in chain.links] == ["Vᵀ", "1"]
    assert np.allclose(chain.gradients[0], np.ones((2, 4)) @ V.data)


@pytest.mark.parametrize("row, tex", [
    ("(a * b) ** 2", r"{\left(a \, b\right)}^{2}"), ("(a ** b) ** 2", r"{\left({a}^{b}\right)}^{2}"), ("a ** (a * b)", r"{a}^{a \, b}")])
def test_a_power_is_one_of_all_that_stands_before_it(row, tex):
    assert tex_formula(row, {}) == tex
