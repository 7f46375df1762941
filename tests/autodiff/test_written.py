"""A rule is text: what may stand in it, and what was once misread."""

import tracemalloc

import numpy as np
import pytest
from rows import row

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor


@pytest.mark.parametrize("number", ["1e-5", "1e+2", "2.5e-3", "1e5", "3", "0.5", ".5", "2."])
def test_any_number_may_stand_in_a_row(number):
    with row("written_scaled(e)", f"e * {number} + e", f"{number} + 1") as f:
        for x in (Scalar(2.0), Tensor(2.0)):
            y = f(x)
            y.backward()
            assert float(y.data) == 2 * float(number) + 2 and float(x.grad) == float(number) + 1


@pytest.mark.parametrize("letters", ["i j", "x xs", "part2 node", "e E", "a b"])
def test_operands_may_have_any_name_that_the_engine_does_not_use(letters):
    a, b = letters.split()
    with row(f"written_product({a}, {b})", f"{a} * {b}", b, a) as f:
        for u, v in ((Tensor([0.0, 1.0, 0.7]), Tensor([3.0, 3.0, 3.0])), (Scalar(0.0), Scalar(3.0))):
            for y in (f(u, v), vg.apply(f.rule, u, v)):
                du, dv = vg.grad(y, [u, v], seed=np.ones(np.shape(y.data)))
                assert np.array_equal(du, v.data) and np.array_equal(dv, u.data)


@pytest.mark.parametrize("name", ["rule", "apply", "selected", "g", "y", "np", "exp", "value"])
def test_a_name_that_the_engine_uses_is_refused_as_an_operand(name):
    with pytest.raises(ValueError, match="none with the name of an op, or one of"):
        vg.elementwise(f"written_f({name})", f"{name} * 2", "2")
    assert "written_f" not in vg.OPS


@pytest.mark.parametrize("name", ["value", "rule", "pull"])
def test_a_name_that_the_engine_uses_is_refused_as_an_op(name):
    with pytest.raises(ValueError, match="or one of apply, g"):
        vg.elementwise(f"{name}(a)", "a * 2", "2")


def test_an_op_called_type_harms_no_other():
    with row("type(a)", "a * 2", "2") as doubled, row("written_after(a)", "type(a) + 1", "2") as after:
        assert doubled(Tensor([1.0])).data == 2.0 and after(Tensor([1.0])).data == 3.0


def test_an_op_with_a_keyword_in_its_row_takes_scalars_and_tensors():
    with row("written_leaky(a, slope)", "leaky_relu(a, slope=slope)", "where(a > 0, 1.0, slope)", None) as f:
        for x in (Scalar(-2.0), Tensor(-2.0)):
            y = f(x, 0.25)
            y.backward()
            assert float(y.data) == -0.5 and float(x.grad) == 0.25


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_a_number_that_is_zero_divides_as_numpy_says(zero, dtype):
    x = Tensor(np.array([1.0, -2.0], dtype))
    with np.errstate(divide="ignore"):
        y = x / zero
        y.backward(np.ones(2))
        want = np.array([1.0, -2.0], dtype) / zero
    assert np.array_equal(y.data, want) and y.dtype == dtype
    assert np.isinf(x.grad).all() and x.grad.dtype == dtype


def test_the_rule_of_a_product_can_be_applied_again():
    A, B, W = Tensor(np.ones((4, 2))), Tensor(np.ones((2, 3))), Tensor(np.full((2, 3), 2.0))
    once = vg.apply(vg.matmul(A, B).rule, A, W)
    for y in (once, A.record(once.rule, (A, W))):
        W.zero_grad()
        y.sum().backward()
        assert W.grad.tolist() == [[4.0] * 3] * 2


def test_products_that_wait_take_little_memory_whichever_factor_is_the_large_one():
    W = Tensor(np.ones((500, 1)))
    x = np.ones((4, 1))
    loss = sum((vg.linear(x, W) * np.ones((4, 500))).sum() for _ in range(400))
    tracemalloc.start()
    loss.backward(keep=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert W.grad[0, 0] == 1600
    assert peak < 4 * 2**20


class Mine(Scalar):
    """A kind of Scalar of one's own."""


class Floating(Tensor):
    """A kind of Tensor of one's own."""


def test_a_subclass_of_a_node_is_a_node():
    for x in (Mine(2.0), Floating(2.0)):
        y = x * x + 3 * x - x / 2
        y.backward()
        assert float(y.data) == 9.0 and float(x.grad) == 6.5


@pytest.mark.parametrize("mine, plain", [(Mine, Scalar), (Floating, Tensor)])
def test_a_subclass_and_its_kind_both_receive_their_part(mine, plain):
    for kinds in ((mine, plain), (plain, mine)):
        a, b = kinds[0](3.0), kinds[1](5.0)
        y = a * b + a
        y.backward()
        assert (float(a.grad), float(b.grad)) == (6.0, 3.0)
        assert [float(g) for g in vg.grad(y, [a, b])] == [6.0, 3.0]


@pytest.mark.parametrize("op", [vg.logsumexp, vg.softmax, vg.log_softmax])
def test_whole_numbers_are_numbers_too(op):
    assert np.array_equal(op(np.array([1, 2, 3])), op(np.array([1.0, 2.0, 3.0])))


def test_numpys_own_names_of_arguments_are_understood():
    t, x = Tensor(np.arange(6.0).reshape(2, 3)), np.arange(6.0).reshape(2, 3)
    pairs = [
        (np.ravel(a=t), np.ravel(x)), (np.clip(a=t, a_min=0, a_max=1), np.clip(x, 0, 1)), (np.trace(t[:, :2]), np.trace(x[:, :2])),
        (np.outer(a=t, b=t), np.outer(x, x)), (np.dot(a=t, b=t.T), x @ x.T), (np.reshape(t, shape=(3, 2)), x.reshape(3, 2)),
        (np.transpose(t, axes=(1, 0)), x.T), (np.transpose(t, np.array([1, 0])), x.T), (np.transpose(t), x.T),
        *zip(np.split(t, indices_or_sections=3, axis=1), np.split(x, 3, axis=1), strict=True),
    ]  # fmt: skip
    for got, want in pairs:
        assert np.array_equal(got.data, want)


def test_an_empty_mask_selects_nothing():
    x, mask = Tensor(np.zeros((0, 3))), np.zeros((0, 3), bool)
    assert x[mask].shape == x.data[mask].shape == (0,)
    assert x[[]].shape == x.data[[]].shape


def test_where_on_an_object_array_of_plain_numbers_gives_plain_numbers():
    numbers = np.array([1, 2.0], dtype=object)
    chosen = vg.where(np.array([True, False]), numbers, numbers)
    assert [type(x) for x in chosen] == [int, float]
    assert vg.log_softmax(chosen).shape == vg.stack([chosen, chosen])[0].shape == (2,)
