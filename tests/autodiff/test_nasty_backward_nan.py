"""Nasty cases: what backward() promises, ops of one's own that misbehave, and finding the first nan."""

import inspect
import math
import sys

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, apply, detect_anomaly, grad, log, no_grad, tanh
from tinygrad_vg.autodiff.maps import LinearOperation
from tinygrad_vg.autodiff.products import Product
from tinygrad_vg.autodiff.rows import Elementwise

BOTH = pytest.mark.parametrize("leaf", [Scalar, Tensor])


class Double(LinearOperation):
    """An op of one's own: y = 2 x. Its transpose is handed in, so that it can misbehave."""

    name = "double"

    def __init__(self, adjoint=lambda g: 2 * g):
        self.adjoint = adjoint

    def value(self, x):
        return 2 * x


class Mix(Product):
    """Another: y = 2 a + 3 b, with `back` handed in."""

    name = "mix"

    def __init__(self, back):
        self.back = back

    def value(self, a, b):
        return 2 * a + 3 * b


# --- backward-protocol ------------------------------------------------------------------------------------------------


@BOTH
def test_backward_protocol_01_a_second_backward_after_a_reset_gives_the_same(leaf):
    x = leaf(3.0)
    y = x * x * x
    y.backward()
    x.grad = 0
    y.backward()
    assert x.grad == 27.0


@BOTH
def test_backward_protocol_02_leaves_accumulate_and_interior_nodes_do_not(leaf):
    x = leaf(3.0)
    square = x * x
    y = square * x
    y.backward()
    first = square.grad
    y.backward()
    assert x.grad == 54.0 and square.grad == first == 3.0 and y.grad == 1.0


def test_backward_protocol_04_a_vector_has_no_single_gradient():
    for call in (lambda x: x.backward(), lambda x: grad(x, x)):
        with pytest.raises(ValueError, match=r"v has shape \(2,\), so it has no single gradient; pass a seed of that shape or reduce it with .sum\(\)"):
            call(Tensor([1.0, 2.0], name="v"))


def test_backward_protocol_06_a_seed_must_have_the_shape_of_the_output():
    x = Tensor([1.0, 2.0])
    y = (x * 2).named("y")
    for seed in (np.ones(3), np.ones((2, 1)), 1.0):
        with pytest.raises(ValueError, match=r"the seed must have shape \(2,\), that of y; got \("):
            y.backward(seed)
    assert x.grad is None and y.grad is None


@BOTH
def test_backward_protocol_07_a_leaf_may_be_the_output(leaf):
    x = leaf(1.0)
    x.backward()
    assert x.grad == 1.0


def test_backward_protocol_08_a_constant_is_a_plain_array_and_has_no_backward():
    # ours: no requires_grad flag; what is not to be differentiated is simply not a Tensor
    with pytest.raises(TypeError, match="requires_grad"):
        Tensor(1.0, requires_grad=False)
    with pytest.raises(AttributeError):
        (np.array(1.0) * 2).backward()
    with pytest.raises(TypeError, match="plain values are constants"):
        grad(Tensor(1.0) * 2, np.array(1.0))


@BOTH
def test_backward_protocol_09_a_leaf_that_was_not_used_has_no_gradient(leaf):
    x, unused = leaf(1.0), leaf(1.0)
    y = x * 2
    y.backward()
    assert unused.grad is None and repr(unused) and str(unused)
    assert grad(y, unused) == 0.0


@BOTH
def test_backward_protocol_10_under_no_grad_values_are_right_and_backward_says_why_not(leaf):
    x = leaf(3.0)
    with no_grad():
        y = x * 2
    assert y.data == 6.0
    for call in (lambda: y.backward(), lambda: grad(y, x)):
        with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
            call()
    assert x.grad is None


@BOTH
def test_backward_protocol_11_recording_is_on_again_after_an_exception(leaf):
    x = leaf(3.0)
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    (x * 2).backward()
    assert x.grad == 2.0


@pytest.mark.parametrize("cut", range(4))
def test_backward_protocol_12_an_interrupted_backward_leaves_no_trace(cut):
    calls = iter(range(100))

    def adjoint(g):
        if next(calls) == cut:
            raise KeyboardInterrupt
        return 2 * g

    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    y = x * w
    for _ in range(4):
        y = y.record(Double(adjoint), (y,))
    z = (y * w).sum()
    with pytest.raises(KeyboardInterrupt):
        z.backward()
    assert all(node.grad is None for node in (x, w, y, z))
    z.backward()
    assert x.grad.tolist() == [16 * 9.0, 16 * 16.0] and w.grad.tolist() == [16 * 2 * 3.0, 16 * 2 * 2 * 4.0]


def test_backward_protocol_13_an_exception_in_an_op_of_ones_own_comes_through_with_a_note():
    def adjoint(g):
        raise ZeroDivisionError("mine")

    x = Tensor([1.0, 2.0], name="x")
    y = (x * 3 + x.record(Double(adjoint), (x,))).sum()
    with pytest.raises(ZeroDivisionError, match="mine") as error:
        y.backward()
    assert x.grad is None
    notes = " ".join(getattr(error.value, "__notes__", []))
    assert ("double" in notes and "x" in notes) or sys.version_info < (3, 11)  # which has no notes


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 2)), np.ones(()), None, (1, 2, 3)], ids=["(3,)", "(2, 2)", "()", "None", "tuple"])
def test_backward_protocol_14_an_op_of_ones_own_that_returns_a_wrong_gradient_is_named(wrong):
    x = Tensor([1.0, 2.0], name="x")
    y = x.record(Double(lambda g: wrong), (x,))
    with pytest.raises((ValueError, TypeError), match="double"):
        y.sum().backward()
    assert x.grad is None


def test_backward_protocol_14_a_gradient_is_asked_for_one_parent_at_a_time():
    # ours: back(i, …) returns the gradient of parent i, so it cannot return three for two; all of them at once are refused
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    a.record(Mix(lambda i, g, y, *xs: (2 * g, 3 * g)[i]), (a, b)).sum().backward()
    assert a.grad.tolist() == [2.0, 2.0] and b.grad.tolist() == [3.0, 3.0]
    with pytest.raises((ValueError, TypeError), match="mix"):
        a.record(Mix(lambda i, g, y, *xs: (2 * g, 3 * g, g)), (a, b)).sum().backward()


def test_backward_protocol_15_an_op_that_writes_into_the_gradient_it_is_given_harms_no_other():
    def adjoint(g):
        g *= 2
        return g

    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    inner = x.record(Double(adjoint), (x,))
    y = inner + w  # both receive the gradient of y, unchanged: the same array
    try:
        (y * 1.0).backward(np.ones(2))
    except ValueError as error:  # refused is as good as harmless
        assert "read-only" in str(error)
    else:
        assert w.grad.tolist() == y.grad.tolist() == inner.grad.tolist() == [1.0, 1.0] and x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_backward_protocol_16_a_cycle_cannot_be_made(leaf):
    a, b = leaf(1.0), leaf(2.0)
    c = a * b
    for node in (a, c):
        with pytest.raises(AttributeError):  # ours: parents cannot be assigned
            node.parents = (c, b)
    c.backward()
    assert (a.grad, b.grad) == (2.0, 1.0)


@BOTH
def test_backward_protocol_17_after_zero_grad_the_gradient_is_fresh(leaf):
    x = leaf(3.0)
    y = x * x
    y.backward()
    y.backward()
    x.zero_grad()
    assert x.grad is None
    y.backward()
    assert x.grad == 6.0


def test_backward_protocol_17_a_row_of_ones_own_works_on_both_kinds_of_node():
    cube = Elementwise("cube(a)", "a * a * a", "3 * a * a")  # compiled, but not put into the registry
    for leaf in (Scalar, Tensor):
        x = leaf(2.0)
        apply(cube, x).backward()
        assert x.grad == 12.0
        assert grad(grad(apply(cube, x), x, create_graph=True), x) == 12.0


# --- nan-inf-debug ----------------------------------------------------------------------------------------------------


@BOTH
def test_nan_inf_debug_01_the_op_that_made_the_first_nan_is_named_with_its_parents_and_line(leaf):
    x = leaf(0.5, name="x")
    with np.errstate(invalid="ignore"), detect_anomaly():
        z = (x - 1).named("z")
        with pytest.raises(FloatingPointError) as error:
            line = inspect.currentframe().f_lineno + 1
            log(z)
    for part in ("log made nan", "z = -0.5", f"{__file__}:{line}: log(z)"):
        assert part in str(error.value)


@BOTH
def test_nan_inf_debug_02_the_edge_that_made_the_first_nan_of_the_way_back_is_named(leaf):
    x = leaf(0.0, name="x")
    with np.errstate(all="ignore"), detect_anomaly():
        line = inspect.currentframe().f_lineno + 1
        root = x.sqrt()
        y = root * 0.0
        assert y.data == 0.0
        with pytest.raises(FloatingPointError) as error:
            y.backward()
    for part in ("sqrt", "x", "0.5 / y = inf", "gave nan", f"{__file__}:{line}: root = x.sqrt()"):
        assert part in str(error.value)
    assert x.grad is None


@BOTH
def test_nan_inf_debug_05_without_watching_a_nan_passes_quietly_and_shows(leaf):
    x = leaf(math.nan, name="x")
    y = tanh(x * 2.0 + 1.0).relu() - x.sigmoid()
    y.backward()
    assert "nan" in repr(x) and "nan" in repr(y) and math.isnan(y.data) and math.isnan(x.grad)
    z = Tensor([math.nan, 1.0])
    z.max().backward()
    assert z.grad.shape == (2,)
