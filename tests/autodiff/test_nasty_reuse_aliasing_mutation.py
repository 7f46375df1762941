"""Nasty cases: one node used many times, gradients that share memory, values that change behind the graph's back.

Each test carries the id of its case in its name (reuse-01 → test_reuse_01_…).
"""

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, tanh, where

# --- reuse ------------------------------------------------------------------------------------------------------------


def test_reuse_01_a_child_is_finished_before_its_parents_are_started():
    a = Scalar(1.0)
    b = a + a
    c = b + b
    c.backward()
    assert (a.grad, b.grad, c.grad) == (4.0, 2.0, 1.0)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_reuse_02_a_node_in_both_slots_of_an_op_counts_twice(leaf):
    x = leaf(3.0)
    y = x * x
    y.backward()
    assert x.grad == 6.0
    assert [edge.parent is x for edge in y.edges] == [True, True]


def test_reuse_03_a_node_on_several_paths_is_visited_once():
    x = Tensor([1.0])
    xa, x2 = x * 1.0, x * x
    f = x * xa + x2 * 1.0 + x * xa
    f.backward()
    assert x.grad.tolist() == [6.0]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_reuse_04_leaves_of_equal_value_stay_two_nodes(leaf):
    w1, w2 = leaf(3.0), leaf(3.0)
    (w1 + w2).backward()
    assert (w1.grad, w2.grad) == (1.0, 1.0)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_reuse_05_sixty_doublings_take_sixty_steps_not_two_to_the_sixty_paths(leaf):
    x = y = leaf(2.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_reuse_07_contributions_of_different_depth_add_up():
    x = Scalar(2.0)
    y = x * x
    z = y + y * y + x
    z.backward()
    assert x.grad == 2 * 2 + 4 * 2**3 + 1 == 37


def test_reuse_09_where_may_choose_between_a_node_and_itself():
    x = Tensor([1.0, 2.0])
    where([True, False], x, x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


# --- aliasing ---------------------------------------------------------------------------------------------------------


def test_aliasing_01_writing_into_one_gradient_changes_no_other():
    a, b, seed = Tensor([1.0, 2.0]), Tensor([3.0, 4.0]), np.ones(2)
    s = a + b
    s.backward(seed)
    a.grad[0] = 99
    assert b.grad.tolist() == s.grad.tolist() == seed.tolist() == [1.0, 1.0]
    for other in (b.grad, s.grad, seed):
        assert not np.shares_memory(a.grad, other)


@pytest.mark.parametrize("through", [lambda x: x.reshape(-1).sum(), lambda x: x.sum(), lambda x: x.T.sum(axis=0).sum(), lambda x: x[:, :].sum()])
def test_aliasing_03_the_gradient_of_a_leaf_is_its_own_and_writable(through):
    x = Tensor(np.ones((2, 3)))
    through(x).backward()
    assert x.grad.flags.writeable and x.grad.flags.owndata
    x.grad += 1
    assert x.grad.tolist() == [[2.0] * 3] * 2


def test_aliasing_05_a_leaf_and_a_constant_are_copied_in():
    a, c = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    x = Tensor(a)
    y = (x * x * c).sum()
    a[0] = c[0] = 100
    y.backward()
    assert x.grad.tolist() == [2.0, 8.0]


def test_aliasing_05_a_read_only_view_of_a_writable_array_is_copied_too():
    c = np.array([1.0, 2.0])
    spread = np.broadcast_to(c, (2, 2))  # not writable itself, but its memory is
    x = Tensor(np.ones((2, 2)))
    y = (x * spread).sum()
    c[0] = 100
    y.backward()
    assert x.grad.tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_aliasing_06_a_gradient_that_was_kept_does_not_change_when_another_is_added():
    x = Tensor([1.0, 2.0])
    (x * x).sum().backward()
    kept = x.grad
    (x * 3.0).sum().backward()
    assert kept.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [5.0, 7.0]


def test_aliasing_07_detach_gives_the_value_itself_and_nobody_can_write_into_it():
    x = Tensor([1.0, 2.0])
    y = x
    assert y is x and y.data is x.data
    with pytest.raises(ValueError, match="read-only"):
        x.detach()[0] = 9.0
    assert type(x.detach()) is np.ndarray and np.shares_memory(x.detach(), x.data)


# --- mutation ---------------------------------------------------------------------------------------------------------


def test_mutation_01_the_value_of_a_computed_node_cannot_be_changed_at_all():
    # ours: refused at once (values are read-only), so there is nothing to find out at backward
    x = Tensor([1.0, 2.0])
    b = (x * 1).named("b")
    y = (b * b).sum()
    with pytest.raises(ValueError, match="read-only"):
        b.data[0] = 100
    with pytest.raises(ValueError, match="b .*computed by multiply.*leaf"):
        b.data = np.array([100.0, 2.0])
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_mutation_03_a_leaf_with_new_data_is_refused_even_by_an_op_that_keeps_nothing(leaf):
    # ours: one rule for all ops, although the slope of + does not depend on x
    x = leaf(1.0, name="x")
    y = x + 1
    x.data = 100.0
    with pytest.raises(RuntimeError, match=r"x .*new data after add.*forward pass again"):
        y.backward()
    assert x.grad is None


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_mutation_04_a_step_between_forward_and_backward_is_refused(leaf):
    W = leaf(3.0, name="W")
    (W * W).backward()
    loss = W * W
    W.data = W.data - 0.1 * W.grad
    with pytest.raises(RuntimeError, match="W .*new data after multiply"):
        loss.backward()
    assert W.grad == 6.0


def test_mutation_04_the_second_child_that_used_the_old_value_is_found_too():
    W = Tensor([3.0], name="W")
    old = W * W
    W.data = [4.0]
    fresh = W * 2
    with pytest.raises(RuntimeError, match="W .*new data after multiply"):
        (fresh + old).backward()
    fresh.backward()
    assert W.grad.tolist() == [2.0]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_mutation_05_a_step_after_backward_raises_no_false_alarm(leaf):
    W = leaf(3.0)
    for value in (3.0, 3.0 - 0.1 * 6.0):
        W.zero_grad()
        (W * W).backward()
        assert W.grad == 2 * value
        W.data = W.data - 0.1 * W.grad


def test_mutation_05_in_place_steps_are_refused_because_data_is_read_only():
    W = Tensor([3.0])
    (W * W).sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        W.data -= 0.1 * W.grad
    assert W.data.tolist() == [3.0]


def test_mutation_06_plus_equals_makes_a_new_node():
    a = Tensor([1.0])
    old, kept = a, [a]
    a += Tensor([2.0])
    assert kept[0].data.tolist() == [1.0] and a.data.tolist() == [3.0]
    assert a is not old and a.parents[0] is old


def test_mutation_08_plus_equals_in_a_recurrence_gives_the_gradient_of_plus():
    gradients = []
    for in_place in (True, False):
        W, h = Tensor([[0.5, -0.3], [0.2, 0.8]]), Tensor([0.1, 0.2])
        for _ in range(5):
            if in_place:
                h += tanh(W @ h)
            else:
                h = h + tanh(W @ h)
        h.sum().backward()
        gradients.append(W.grad)
    assert np.array_equal(*gradients) and np.all(gradients[0] != 0)


def test_mutation_09_no_way_into_the_memory_of_a_value():
    x = Tensor([2.0, 1.0])
    y = (x * x).sum()
    with pytest.raises(ValueError, match="read-only"):
        np.add(x.data, 1, out=x.data)
    with pytest.raises(ValueError, match="read-only"):
        x.data.sort()
    for value in (x.data, (x * x).data, x.reshape(1, 2).data, x[:1].data):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            value.flags.writeable = True
    y.backward()
    assert x.grad.tolist() == [4.0, 2.0]


def test_mutation_10_new_data_is_copied_and_keeps_shape_and_dtype():
    x, a = Tensor(np.ones(2, "f4"), name="x"), np.array([5.0, 6.0])
    y = (x * x).sum()
    x.data = a
    a[0] = 100
    assert x.data.tolist() == [5.0, 6.0] and x.dtype == np.float32
    with pytest.raises(RuntimeError, match="x .*new data"):
        y.backward()
    with pytest.raises(ValueError, match=r"x has shape \(2,\).*\(3,\)"):
        x.data = np.ones(3)


def test_mutation_11_a_gradient_may_be_set_to_none_or_to_one_of_its_shape():
    x = Tensor([1.0, 2.0], name="x")
    (x * x).sum().backward()
    x.grad = None
    assert x.grad is None
    x.grad = [3, 4]
    assert x.grad.tolist() == [3.0, 4.0] and x.grad.dtype == np.float64
    for wrong in (5, np.ones(3), np.ones((2, 2))):
        with pytest.raises(ValueError, match=r"gradient of x must have shape \(2,\).*got \("):
            x.grad = wrong
    for wrong in ("5", {}, 1j):
        with pytest.raises(TypeError):
            x.grad = wrong
    assert x.grad.tolist() == [3.0, 4.0]
