"""Can gradcheck be trusted, and can a user add an op?  It passes what is right, names what is wrong, and knows a kink.

The two documented ways to an op of one's own: a row, elementwise("swish(a)", value, slope), and a map, a LinearOperation.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from rows import row

import tinygrad_vg as vg
from tinygrad_vg.autodiff.maps import LinearOperation

X = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -1.3]])


class CumulativeSum(LinearOperation):
    """y_i = Σ_{j ≤ i} x_j along the last axis; the transpose adds up from the other end."""

    name = "cumulative_sum"

    def value(self, x: Any) -> Any:
        return np.cumsum(x, axis=-1)

    def adjoint(self, g: Any) -> Any:
        return np.cumsum(g[..., ::-1], axis=-1)[..., ::-1]


class WronglyTransposed(CumulativeSum):
    """Its adjoint is its value: the mistake one makes."""

    def adjoint(self, g: Any) -> Any:
        return np.cumsum(g, axis=-1)


def applied(rule: LinearOperation, x: Any) -> Any:
    return x.record(rule, (x,)) if isinstance(x, vg.Tensor) else rule.value(x)


# ---------------------------------------------------------------- what is right passes


@pytest.mark.parametrize("slope", ["1 - x - x * x", "1 - x + -2 * x - x * x + 2 * x", "-1 * x + 1 - x * x", "-x + 1 - x * x", "(1) - x * (1 + x)"])
def test_a_row_means_what_it_says_however_it_begins(slope):
    with row("checker_row(x)", "x - x * x / 2 - x * x * x / 3", slope) as f:
        assert vg.gradcheck(f, X, order=2) and vg.gradcheck(f, 0.3, order=2)


def test_a_gradient_that_is_infinite_is_infinite_times_the_slope():
    x = vg.Tensor([0.3, -0.3])
    vg.tanh(x).backward(np.array([np.inf, -np.inf]))
    assert np.array_equal(x.grad, [np.inf, -np.inf])


RIGHT = {
    "one input": (lambda x: vg.tanh(x) * x, X),
    "two inputs, broadcast": (lambda x, b: vg.sigmoid(x * b), X, X[0]),
    "two inputs, one of them a number": (lambda x, c: vg.exp(x * c).sum() if isinstance(x, vg.Tensor) else np.sum(np.exp(x * c)), X, 0.3),
    "a vector out": (lambda x: vg.softmax(x, axis=-1) @ np.array([1.0, 2.0, -1.0]), X),
    "linear, where the second derivative is zero": (lambda x: vg.sum(x * 2.0, axis=0), X),
    "a layer": (lambda x, W, b: vg.tanh(vg.linear(x, W, b)), X, X * 0.5, X[:, 0]),
    "no numbers at all": (lambda x: vg.exp(x), np.zeros((0, 3))),
    "the output does not depend on the input": (lambda x, y: vg.exp(y) * 1.0, X, X),
    "without a complex form": (lambda x: vg.exp(x) * (x > 0) if isinstance(x, vg.Tensor) else np.abs(x), X),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", RIGHT)
def test_gradcheck_passes_what_is_right(name, order):
    function, *inputs = RIGHT[name]
    assert (
        vg.gradcheck(function, *(x[:1, :2] if order == 3 and np.ndim(x) == 2 and name == "one input" else x for x in inputs), order=order)
        is True
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradcheck_takes_scalars_as_scalars(order):
    met = []

    def function(x: Any, y: Any) -> Any:
        met.append(type(x))
        return np.tanh(x * y) / (x * x + 1.0) + np.exp(y)

    assert vg.gradcheck(function, vg.Scalar(0.4), vg.Scalar(-1.2), order=order) is True
    assert vg.Scalar in met
    assert vg.Tensor not in met


def test_gradcheck_leaves_its_inputs_alone():
    x = vg.Tensor(X)
    vg.gradcheck(vg.tanh, x)
    assert x.grad is None
    assert np.array_equal(x.data, X)


# ---------------------------------------------------------------- what is wrong is caught, and named


WRONG_ROWS = {
    "by 1 %": ("checker_a(a)", "tanh(a)", "1.01 * (1 - y * y)"),
    "by one in a million": ("checker_b(a)", "a * a * a", "3 * a * a * 1.000001"),
    "a sign": ("checker_c(a)", "cos(a)", "sin(a)"),
    "zero": ("checker_d(a)", "exp(a)", "0 * y"),
    "nan": ("checker_e(a)", "exp(a)", "y * (inf - inf)"),
}


@pytest.mark.parametrize("name", WRONG_ROWS)
@pytest.mark.parametrize("kind", ["Tensor", "Scalar"])
def test_gradcheck_catches_a_wrong_row(name, kind):
    with row(*WRONG_ROWS[name]) as op:
        with pytest.raises(AssertionError, match="the engine says"):
            vg.gradcheck(op, X if kind == "Tensor" else vg.Scalar(0.3))
    assert not any(op.startswith("checker_") for op in vg.OPS)


def test_gradcheck_catches_the_operand_that_is_wrong_and_names_it():
    with row("checker_swapped(a, b)", "a * b + b", "b", "a") as op:  # ∂/∂b is a + 1
        with pytest.raises(AssertionError, match="input 1, entry"):
            vg.gradcheck(op, X, X + 0.1)


def test_gradcheck_catches_a_wrong_map():
    with pytest.raises(AssertionError, match="the engine says"):
        vg.gradcheck(lambda x: applied(WronglyTransposed(), x).sum() if isinstance(x, vg.Tensor) else np.sum(np.cumsum(x, -1)), X)


def test_gradcheck_catches_a_wrong_second_derivative_of_a_right_first():
    """The row's value is right, but it hides its dependence on a from the derivative's own graph."""
    with row("checker_inner(a)", "3 * a * a", "5 * a"):  # its slope is 6 a
        with row("checker_cube(a)", "a * a * a", "checker_inner(a)") as cube:
            assert vg.gradcheck(cube, X)
            with pytest.raises(AssertionError, match="the engine says"):
                vg.gradcheck(cube, X, order=2)


def test_the_message_names_the_worst_entry_with_both_numbers():
    """y_i = x_i³, slope wrong by a factor that grows with the entry: the last one is worst."""
    x = np.array([0.5, 1.0, 2.0, -1.5])
    with row("checker_worst(a)", "a * a * a", "3 * a * a + 0.01 * a * a * a * a * a * a * a * a") as op:
        with pytest.raises(AssertionError) as failure:
            vg.gradcheck(op, x)
    message = str(failure.value)
    found = re.search(r"output entry (\d+) .*input (\d+), entry (\d+): the engine says (\S+), complex step (\S+)", message)
    assert found, message
    assert [int(n) for n in found.groups()[:3]] == [2, 0, 2]
    assert float(found.group(4)) == pytest.approx(12 + 0.01 * 256)
    assert float(found.group(5).rstrip(",")) == pytest.approx(12)


KINKS = {
    "relu": vg.relu,
    "abs": vg.abs,
    "leaky_relu": vg.leaky_relu,
    "clip": lambda a: vg.clip(a, 0.0, 1.0),
    "max of two": lambda a: vg.maximum(a, 2 * a),
}


@pytest.mark.parametrize("name", KINKS)
@pytest.mark.parametrize("kind", ["Tensor", "Scalar"])
def test_at_a_kink_gradcheck_says_not_differentiable_here(name, kind):
    with pytest.raises(ValueError, match="not differentiable here"):
        vg.gradcheck(KINKS[name], np.array([0.5, 0.0]) if kind == "Tensor" else vg.Scalar(0.0))


def test_at_a_tie_gradcheck_says_not_differentiable_here():
    with pytest.raises(ValueError, match="not differentiable here: .*input 0, entry 1"):
        vg.gradcheck(lambda x: vg.max(x), np.array([1.0, 2.0, 2.0]))


def test_beside_a_kink_a_wrong_derivative_is_still_called_wrong():
    with row("checker_beside(a)", "maximum(a, 0.0)", "1.01 * (a > 0)") as op:
        with pytest.raises(AssertionError, match="the engine says"):
            vg.gradcheck(op, np.array([0.5, 0.3, -1.0]))


def test_gradcheck_refuses_a_function_that_returns_no_node():
    with pytest.raises(TypeError, match="returns one Scalar or Tensor"):
        vg.gradcheck(lambda x: x.data, X)


def test_a_looser_tolerance_is_taken_at_its_word():
    with row("checker_loose(a)", "tanh(a)", "1.001 * (1 - y * y)") as op:
        assert vg.gradcheck(op, X, rtol=1e-2)
        with pytest.raises(AssertionError):
            vg.gradcheck(op, X, rtol=1e-4)


# ---------------------------------------------------------------- an op of one's own


def test_a_row_of_ones_own_works_everywhere_an_op_does():
    with row("checker_swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)") as swish:
        s = 1 / (1 + np.exp(-X))
        value, slope = X * s, s + X * s * (1 - s)
        x = vg.Tensor(X, name="x")
        y = swish(x)
        assert y.op == "checker_swish"
        assert y.edges[0].formula == "y + sigmoid(a) * (1 - y)"
        assert np.allclose(y.data, value, rtol=1e-15)
        assert np.allclose(swish(X), value, rtol=1e-15)
        y.backward(np.ones(X.shape))
        assert np.allclose(x.grad, slope, rtol=1e-14)
        assert np.allclose(vg.jvp(y, x, X), slope * X, rtol=1e-14)
        assert np.allclose(y.edges[0].local.dense(), np.diag(slope.ravel()), rtol=1e-14)
        numbers = vg.scalars(X)
        for g, (node, number) in zip(slope.flat, zip(swish(numbers).flat, numbers.flat)):
            node.backward()
            assert number.grad == pytest.approx(g, rel=1e-14)
        first = vg.grad(vg.sum(swish(x)), x, create_graph=True)
        second = vg.grad(vg.sum(first), x)
        assert np.allclose(second, s * (1 - s) * (2 + X * (1 - 2 * s)), rtol=1e-13)
        assert vg.gradcheck(swish, X, order=3)
        assert vg.gradcheck(swish, vg.Scalar(0.4), order=3)
        assert swish(0.5) == pytest.approx(0.5 / (1 + np.exp(-0.5)))
    assert "checker_swish" not in vg.OPS


def test_a_row_of_two_operands_broadcasts_and_takes_constants():
    with row("checker_distance(a, b=1.0)", "sqrt(a * a + b * b)", "a / y", "b / y") as distance:
        a, b = vg.Tensor(X), vg.Tensor(X[0])
        distance(a, b).backward(np.ones(X.shape))
        y = np.hypot(X, X[0])
        assert np.allclose(a.grad, X / y)
        assert np.allclose(b.grad, (X[0] / y).sum(axis=0))
        assert b.grad.shape == (3,)
        assert vg.gradcheck(distance, X, X[0], order=2)
        assert vg.gradcheck(distance, X, order=2)
        assert vg.gradcheck(lambda a: distance(a, 2.0), vg.Scalar(0.3), order=2)


def test_a_row_may_take_an_operand_that_is_a_constant_only():
    with row("checker_scaled(a, s)", "a * s", "s", None) as scaled:
        assert vg.gradcheck(lambda a: scaled(a, 3.0), X)
        with pytest.raises(TypeError, match="s must be a constant"):
            scaled(vg.Tensor(X), vg.Tensor(X))


def test_a_map_of_ones_own_works_everywhere_an_op_does():
    x, weights = vg.Tensor(X, name="x"), np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]])
    lower = np.tril(np.ones((3, 3)))
    y = applied(CumulativeSum(), x)
    assert y.op == "cumulative_sum"
    assert np.array_equal(y.data, np.cumsum(X, -1))
    assert np.array_equal(y.edges[0].local.dense(), np.kron(np.eye(2), lower))
    y.backward(weights)
    assert np.allclose(x.grad, weights @ lower, rtol=1e-15)
    assert np.allclose(vg.jvp(y, x, weights), weights @ lower.T, rtol=1e-15)
    first = vg.grad(vg.sum(vg.square(y)), x, create_graph=True)
    assert np.allclose(first.data, 2 * y.data @ lower)
    assert np.allclose(vg.grad(first, x, seed=weights), 2 * weights @ lower.T @ lower)
    assert vg.gradcheck(lambda x: vg.tanh(applied(CumulativeSum(), x)), X, order=3)


def test_a_map_without_a_value_or_an_adjoint_says_which_method_is_missing():
    class Nothing(LinearOperation):
        name = "nothing"

    class OneWay(Nothing):
        def value(self, x: Any) -> Any:
            return x * 2.0

    x = vg.Tensor(X)
    with pytest.raises(TypeError, match=r"Nothing needs a method value\(\*xs\)"):
        x.record(Nothing(), (x,))
    with pytest.raises(TypeError, match=r"OneWay needs a method adjoint\(g\)"):
        x.record(OneWay(), (x,)).backward(np.ones(X.shape))


def test_a_rule_that_pushes_and_cannot_pull_says_which_method_is_missing():
    class OnlyForth(vg.Rule):
        def value(self, x: Any) -> Any:
            return x * 2.0

        def forth(self, i: int, t: Any, y: Any, xs: Any) -> Any:
            return t * 2.0

    with pytest.raises(TypeError, match=r"OnlyForth needs a method local\(i, y, xs\)"):
        vg.sum(vg.apply(OnlyForth(), vg.Tensor(X))).backward()


@pytest.mark.parametrize(
    ("signature", "slopes"),
    [("checker_bad(g)", ["1"]), ("checker_bad(y)", ["1"]), ("checker_bad(a, b)", ["1"]), ("checker_bad()", []), ("checker_bad", ["1"])],
)
def test_a_row_that_cannot_be_one_is_refused_and_leaves_no_trace(signature, slopes):
    with pytest.raises(ValueError, match="needs one to three operands"):
        vg.elementwise(signature, "a", *slopes)
    assert "checker_bad" not in vg.OPS
