"""What a model is, is one rule: a Module, {name: leaf}, leaves in a list or a tuple, one leaf; the same for whoever asks."""

import re

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, grad, nn, scalars, training
from tinygrad_vg.chain.verdict import verdict
from tinygrad_vg.nn.models import WANTED, parameters_of
from tinygrad_vg.training.history import gradient_table


def leaves():
    return Tensor([1.0, 2.0], name="w"), Tensor(3.0, name="b")


class Own(nn.Module):
    def __init__(self, w, b):
        self.w, self.b = w, b


class Foreign:
    def __init__(self, *leaves):
        self.leaves = leaves

    def parameters(self):
        yield from self.leaves


KINDS = {
    "module": Own,
    "not ours, parameters() as in PyTorch": Foreign,
    "dictionary": lambda w, b: {"w": w, "b": b},
    "list": lambda w, b: [w, b],
    "tuple": lambda w, b: (w, b),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_trains_clips_shows_its_gradients_and_is_saved_alike(kind, tmp_path):
    w, b = leaves()
    model = KINDS[kind](w, b)
    assert list(parameters_of(model).items()) == [("w", w), ("b", b)]
    loss = (w * w).sum() + b * b
    loss.backward()
    assert gradient_table(model) == gradient_table({"w": w, "b": b})
    assert training.clip_norm(model, 1.0).after == pytest.approx(1.0)
    assert training.clip_value(model, 0.1).share == 1.0
    assert training.l2_penalty(model, 2.0).item() == 14.0
    for make in (training.SGD, training.RMSProp, training.Adam, training.AdamW):
        assert list(make(model, lr=0.0).parameters) == ["w", "b"]
    training.SGD(model, lr=1.0).step()
    assert np.allclose(w.data, [0.9, 1.9]) and float(b.data) == pytest.approx(2.9)
    nn.save_weights(model, tmp_path / "weights.npz")
    again = KINDS[kind](*leaves())
    nn.load_weights(again, tmp_path / "weights.npz")
    assert [np.array(x.data).tolist() for x in parameters_of(again).values()] == [w.data.tolist(), float(b.data)]


@pytest.mark.parametrize("leaf", [Tensor([1.0], name="w"), Scalar(1.0, name="w"), scalars(np.ones((2, 2)), name="w")], ids=["Tensor", "Scalar", "Scalars"])
def test_one_leaf_is_a_model(leaf, tmp_path):
    assert parameters_of(leaf)["w"] is leaf and len(parameters_of(leaf)) == 1
    (np.sum(vg.square(leaf)) if isinstance(leaf, np.ndarray) else vg.square(leaf).sum() if leaf.shape else leaf * leaf).backward()
    training.SGD(leaf, lr=0.5).step()
    assert np.all(training.leaves.value(leaf) == 0)
    nn.save_weights(leaf, tmp_path / "weights.npz")
    assert np.all(nn.read_weights(tmp_path / "weights.npz")["w"] == 0)


def test_leaves_have_their_own_names_numbered_where_alike_and_each_counts_once():
    a, b, c, d = Tensor([1.0], name="W"), Tensor([2.0], name="b"), Tensor([3.0], name="W"), Tensor([4.0])
    assert list(parameters_of([a, b, c, d])) == ["W (1)", "b", "W (3)", "an unnamed Tensor"]
    assert list(parameters_of([a, b, a])) == ["W", "b"]
    assert list(parameters_of({"x": a, "y": a, "z": b})) == ["x", "z"]
    assert list(parameters_of([scalars([1.0, 2.0], name="v"), scalars([1.0]), b])) == ["v", "unnamed Scalars", "b"]


W = Tensor([1.0], name="w")
NONE = {
    "a number": (0.5, "got a float"),
    "an array": (np.ones(2), "got a ndarray"),
    "None": (None, "got a NoneType"),
    "a computed node": (W * 2.0, "got the Tensor made by multiply"),
    "a list with a number": ([W, 0.5], "got a list with a float"),
    "a tuple with a computed node": ((W, W * 2.0), "got a tuple with the Tensor made by multiply"),
    "a dictionary of arrays": ({"w": np.ones(2)}, "got a dict with a ndarray"),
    "values of a dictionary": ({"w": W}.values(), "got a dict_values"),
}  # fmt: skip


@pytest.mark.parametrize("case", NONE)
def test_what_is_no_model_is_refused_in_the_same_words_by_all(case, tmp_path):
    model, got = NONE[case]
    for ask in (
        parameters_of, lambda m: training.SGD(m, lr=0.1), lambda m: training.clip_norm(m, 1.0), gradient_table,
        lambda m: nn.save_weights(m, tmp_path / "w.npz"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=re.escape(f"{WANTED}; {got}")):
            ask(model)
    assert not (tmp_path / "w.npz").exists()


def test_the_verdict_judges_a_list_of_leaves_as_a_model_and_a_tuple_as_one_vector():
    w, b = leaves()
    loss = (w * w).sum() + b * b
    for model in (Own(w, b), {"w": w, "b": b}, [w, b], Foreign(w, b)):
        assert [part.source for part in verdict(loss, model).parts] == ["w", "b"]
    assert verdict(loss, (w, b)).parts == []
    V, b = scalars([1.0, 2.0], name="v"), Scalar(3.0, name="b")
    loss = np.sum(V * V) + b * b
    assert verdict(loss, V).parts == verdict(loss, list(V)).parts == []
    assert [part.source for part in verdict(loss, [V, b]).parts] == ["v", "b"]


def test_the_gradient_of_a_model_has_its_names():
    w, b = leaves()
    for model in ({"w": w, "b": b}, Own(w, b)):
        G = grad((w * w).sum() + b * b, model)
        assert {k: np.array(g).tolist() for k, g in G.items()} == {"w": [2.0, 4.0], "b": 6.0}
    V, s = scalars([1.0, 2.0], name="v"), Scalar(3.0, name="s")
    loss = np.sum(V * V * V) + s * s
    G, H = grad(loss, {"s": s, "V": V}), grad(loss, {"s": s, "V": V}, create_graph=True)
    assert G["s"] == 6.0 and G["V"].tolist() == [3.0, 12.0] and G["V"].dtype == float
    assert grad(H["s"], s) == 2.0 and grad(H["V"][1], V[1]) == 12.0
    net = nn.MLP([2, 3, 1])
    y = net(np.ones((4, 2))).sum()
    assert list(grad(y, net)) == list(net.parameters())
    assert all(np.array_equal(g, grad(y, leaf)) for g, leaf in zip(grad(y, net).values(), net.parameters().values()))
