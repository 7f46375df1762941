"""The loss that `diagnose` takes: what the shapes and numbers of an output and its labels ask for, and what is said where they do not fit."""

import argparse

import numpy as np
import pytest

from tinygrad_vg import Tensor, nn, sigmoid, softmax
from tinygrad_vg.cli.aims import aimed, squashed

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 5, 4))  # (B, T, classes)
Y = RNG.integers(0, 4, (3, 5))


def loss_of(z, aim=None, kind=None):
    """(the loss, what a title says)."""
    data = {} if aim is None else {"labels": np.asarray(aim)}
    loss, said = aimed(z, data, argparse.Namespace(loss=kind, data="data.npz"), np.random.default_rng(0))
    assert not data
    return loss(z), said


def test_whole_numbers_ask_for_cross_entropy_wherever_the_classes_lie():
    right = nn.cross_entropy(Z, Y)
    for z, labels in ((Z, Y), (Z, Y.ravel()), (Z.reshape(15, 4), Y), (np.moveaxis(Z, -1, 1), Y), (Z[0, 0], Y[0, 0])):
        loss, said = loss_of(Tensor(z), labels)
        assert loss.item() == pytest.approx(right if labels.size == 15 else nn.cross_entropy(Z[0, 0], Y[0, 0]))
        assert said == ("; classes along axis 1" if z.shape == (3, 4, 5) else "")


def test_minus_100_does_not_count_as_in_pytorch():
    labels = np.where(np.arange(5) < 3, Y, -100)
    loss, said = loss_of(Tensor(Z), labels)
    assert loss.item() == pytest.approx(nn.cross_entropy(Z[:, :3], Y[:, :3])) and said == "; 6 of 15 labels are -100 and do not count"


@pytest.mark.parametrize("aim", [np.array([[0], [1], [1]]), np.array([0, 1, 1]), np.array([False, True, True])])
def test_0_and_1_for_one_logit_ask_for_the_binary_cross_entropy(aim):
    z = Tensor([[0.3], [-0.5], [2.0]])
    for output in (z, z.reshape(3), sigmoid(z)):
        loss, said = loss_of(output, aim)
        assert loss.item() == pytest.approx(nn.binary_cross_entropy(z.data.ravel(), aim.ravel() * 1)) and "the binary cross entropy" in said
    assert loss_of(z, aim.reshape(3, 1) * 1.0)[1].endswith("the binary cross entropy"), "of floats, too, as torch's BCEWithLogitsLoss asks for"
    assert loss_of(z, aim * 1.0, "bce")[0].item() == loss_of(z, aim)[0].item()


def test_a_single_number_is_the_loss_itself():
    z = Tensor(2.0)
    assert loss_of(z)[0] is z and loss_of((z, Tensor(Z)))[0] is z


def test_a_target_is_drawn_for_each_loss_if_there_is_none():
    for kind in (None, "mse", "cross_entropy", "bce"):
        loss, said = loss_of(Tensor(Z), None, kind)
        assert np.isfinite(loss.item()) and "a random target (the file has no target" in said


def test_a_softmax_or_sigmoid_before_a_loss_that_takes_logits_is_said():
    for z, labels in ((softmax(Tensor(Z)), Y), (softmax(Tensor(Z), 1), Y[:, :4])):
        assert "gets what a softmax gave" in squashed(loss_of(z, labels)[0])
    z, yes = Tensor(Z[..., 0]), Y > 1
    assert "gets what a sigmoid gave" in squashed(nn.binary_cross_entropy(sigmoid(z), yes))
    assert squashed(nn.binary_cross_entropy(z, yes)) == squashed(nn.mse(sigmoid(z), yes * 1.0)) == squashed(loss_of(Tensor(Z), Y)[0]) == ""


@pytest.mark.parametrize(("z", "aim", "kind", "said"), [
    (Z, Y[:, 2:], None, "the output has shape (3, 5, 4), the int64 target (3, 3): cross entropy takes labels of shape (3, 5), -100 for one"),
    (Z, Y.T, None, "the int64 target (5, 3): give labels.T"),
    (Z, np.eye(4, dtype=int)[Y], None, "the int64 target (3, 5, 4): they look one-hot; give labels.argmax(-1)"),
    (Z, Y * 1.5, "cross_entropy", "the float64 target (3, 5): cross entropy takes whole numbers"),
    (Z[:, 0, :1], Y[:, 0] + 2, None, "shape (3, 1), the int64 target (3,): cross entropy takes an output for each class; --loss mse"),
    (Z[:, 0, :1], Y[:, 0] + 2, "bce", "bce takes 0 or 1 for each entry"),
    (Z[:, 0, :1], np.ones(3), None, "the output has shape (3, 1), the float64 target (3,): mse compares entry with entry; save labels"),
    (Z, Y + 1, None, "labels must lie between 0 and 3; got 1 to 4"),
    ((Z[:1, :, 0], Z), Y, None, "the output has shape (1, 5), the int64 target (3, 5): the output that fits, of shape (3, 5, 4), is not the first"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_with_both_shapes_and_what_to_do(z, aim, kind, said):
    output = tuple(map(Tensor, z)) if isinstance(z, tuple) else Tensor(z)
    with pytest.raises(ValueError) as error:
        loss_of(output, aim, kind)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_output_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match=r"int64 \(3, 5\), has no gradient"):
        loss_of(Z.argmax(-1))
