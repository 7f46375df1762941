"""Nasty cases: Python numbers and 0-d arrays, broadcasting, and what operators, hashing, bool and iteration do to a node."""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, where

LN2 = math.log(2)

# --- python-scalars-0d ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_01_a_number_divided_by_a_node(leaf):
    x = leaf(2.0)
    y = 10 / x
    y.backward()
    assert (y.data, x.grad) == (5.0, -2.5)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_02_a_number_to_the_power_of_a_node(leaf):
    x = leaf(2.0)
    y = 2**x
    y.backward()
    assert y.data == 4.0 and x.grad == 4 * LN2 == 2.772588722239781


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_03_an_integer_leaf_is_a_float(leaf):
    x = leaf(2)
    y = x**-1
    y.backward()
    assert (y.data, x.grad) == (0.5, -0.25)
    assert type(Scalar(2).data) is float and Tensor(2).dtype == np.float64


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_04_a_node_gives_its_number_only_when_asked_by_name(leaf):
    x = leaf(3.0)
    assert x.item() == 3.0 and type(x.item()) is float
    assert format(x, ".3f") == f"{x:.3f}" == "3.000"
    for silent in (float, int, lambda x: round(x, 2), math.floor):  # ours: no __float__, which would drop the gradient
        with pytest.raises(TypeError):
            silent(x)


def test_python_scalars_0d_05_a_vector_is_not_a_number():
    with pytest.raises(TypeError):  # ours: no Tensor has a __float__, whatever its shape
        float(Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"item\(\) needs exactly one number; v has shape \(2,\)"):
        Tensor([1.0, 2.0], name="v").item()
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        format(Tensor([1.0, 2.0]), ".3f")


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_07_floor_division_is_refused_by_name_and_remainder_has_slope_1(leaf):
    with pytest.raises(TypeError, match="//"):
        leaf(5) // leaf(2)
    with pytest.raises(TypeError, match="np.floor_divide has no derivative here"):
        np.floor_divide(leaf(5), 2.0)
    for y, slopes in ((leaf(5) % leaf(2), [1, -2]), (np.mod(leaf(5), 2.0), [1]), (5 % leaf(2), [-2])):
        assert y.data == 1 and [float(edge.local) for edge in y.edges] == slopes


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_python_scalars_0d_09_pythons_sum_starts_at_zero(leaf):
    xs = [leaf(1.0), leaf(2.0), leaf(3.0)]
    y = sum(xs)
    y.backward()
    assert type(y) is leaf and y.data == 6.0
    assert [x.grad for x in xs] == [1.0, 1.0, 1.0]


def test_python_scalars_0d_10_pythons_zero_does_not_promote():
    x = Tensor(np.float32(1))
    y = sum([x, x])
    y.backward()
    assert x.dtype == y.dtype == y.data.dtype == x.grad.dtype == np.float32


# --- broadcasting -----------------------------------------------------------------------------------------------------


def leaves(*shapes):
    rng = np.random.default_rng(0)
    return [Tensor(rng.normal(size=shape)) for shape in shapes]


def test_broadcasting_01_an_added_axis_is_summed_over():
    x, y = leaves((3,), (2, 3))
    (x * y).sum().backward()
    assert x.grad.shape == (3,) and np.array_equal(x.grad, y.data.sum(0))


def test_broadcasting_02_added_and_stretched_axes_are_summed_over():
    x, y = leaves((2, 1, 3), (4, 1))
    (x * y).sum().backward()
    assert x.grad.shape == (2, 1, 3) and np.allclose(x.grad, y.data.sum(), rtol=1e-15)
    assert y.grad.shape == (4, 1) and np.allclose(y.grad, x.data.sum(), rtol=1e-15)


def test_broadcasting_03_both_operands_may_be_broadcast_at_once():
    a, b = Tensor([1.0]), Tensor([[1.0, 1.0]])
    (a * b).sum().backward()
    assert a.grad.tolist() == [2.0] and b.grad.tolist() == [[1.0, 1.0]]


def test_broadcasting_04_where_broadcasts_by_its_condition_too():
    x = Tensor([1.0, 2.0, 3.0])
    where([[True], [False]], x, np.ones((2, 3))).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_broadcasting_06_taking_off_the_mean_leaves_no_gradient_of_the_sum():
    x = Tensor([1.0, 2.0, 3.0, 4.0])
    (x - x.mean()).backward(np.ones(4))
    assert x.grad.shape == (4,) and np.all(np.abs(x.grad) <= 1e-16)


def test_broadcasting_07_the_gradient_of_a_0d_leaf_is_0d():
    x, y = Tensor(2.0), Tensor(np.ones((2, 3)))
    (x + y).sum().backward()
    assert type(x.grad) is np.ndarray and x.grad.shape == () and x.grad == 6.0


def test_broadcasting_09_shapes_that_do_not_fit_are_named_with_op_and_nodes():
    x, y = Tensor(np.ones((2, 3)), name="x"), Tensor(np.ones((3, 2)), name="y")
    with pytest.raises(ValueError, match=r"^add: .*x \(2, 3\), y \(3, 2\)"):
        x + y


def test_broadcasting_10_an_empty_stretched_axis_sums_to_zero():
    x, y = leaves((0, 3), (1, 3))
    (x * y).sum().backward()
    assert x.grad.shape == (0, 3) and y.grad.tolist() == [[0.0, 0.0, 0.0]]


def test_broadcasting_11_subtraction_from_a_0d_node_and_from_a_number():
    s, y = Tensor(1.0), Tensor(np.ones(3))
    (s - y).sum().backward()
    assert s.grad == 3.0 and y.grad.tolist() == [-1.0, -1.0, -1.0]
    y.zero_grad()
    (1.0 - y).sum().backward()
    assert y.grad.tolist() == [-1.0, -1.0, -1.0]


# --- operators-hash-bool-iter -----------------------------------------------------------------------------------------


def test_operators_hash_bool_iter_01_nodes_compare_by_value_and_hash_by_identity():
    assert (Scalar(1.0) == Scalar(1.0)) is True
    a, b, u, v = Scalar(1.0), Scalar(1.0), Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    assert hash(a) != hash(b) and len({a, b}) == 2 and {a: "a", b: "b"}[b] == "b"
    assert (u == v).tolist() == [True, True] and len({u, v}) == 2 and {u: "u", v: "v"}[v] == "v"


def test_operators_hash_bool_iter_01_hundreds_of_nodes_in_one_set_never_compare_values():
    class Loud(Tensor):
        def __eq__(self, other):
            raise AssertionError("the engine compared two nodes by value")

        __hash__ = Tensor.__hash__

    xs = [Loud([1.0, 2.0]) for _ in range(300)]
    y = sum((x * x for x in xs), 0.0)
    y.sum().backward()
    assert all(x.grad.tolist() == [2.0, 4.0] for x in xs)


def test_operators_hash_bool_iter_02_the_truth_of_a_vector_is_ambiguous():
    with pytest.raises(ValueError, match=r"truth.* v, shape \(2,\), is ambiguous"):
        if Tensor([1.0, 2.0], name="v"):
            pass


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_operators_hash_bool_iter_04_max_and_sorted_return_the_nodes_themselves(leaf):
    a, b = leaf(1.0), leaf(2.0)
    assert max(a, b) is b and min(a, b) is a
    assert [x is y for x, y in zip(sorted([b, a]), [a, b])] == [True, True]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_operators_hash_bool_iter_05_one_number_is_not_iterated_over(leaf):
    with pytest.raises(TypeError):
        iter(leaf(1.0))
    with pytest.raises(TypeError):
        list(leaf(1.0))


def test_operators_hash_bool_iter_06_a_tensor_unpacks_into_nodes_that_carry_gradients():
    x = Tensor([1.0, 2.0])
    a, b = x
    (3 * a + 5 * b).backward()
    assert x.grad.tolist() == [3.0, 5.0]
    rows = list(Tensor(np.ones((2, 3))))
    assert [row.shape for row in rows] == [(3,), (3,)] and len(Tensor(np.ones((2, 3)))) == 2
    with pytest.raises(TypeError, match="no length"):
        len(Tensor(1.0))


def test_operators_hash_bool_iter_07_membership_is_by_value():
    assert 3 in Tensor([1.0, 2.0, 3.0])
    assert 4 not in Tensor([1.0, 2.0, 3.0])
    assert 1.0 in Tensor(1.0)


@pytest.mark.parametrize("leaf", [Scalar, lambda v: Tensor([v])])
@pytest.mark.parametrize("stranger", [None, "x", object(), {}, 1j, {1.0}])
def test_operators_hash_bool_iter_08_strangers_are_refused_with_op_and_type(leaf, stranger):
    for op in (lambda a, b: a + b, lambda a, b: b * a, lambda a, b: a / b, lambda a, b: b**a):
        with pytest.raises(TypeError, match=rf"(add|multiply|divide|power).*{type(stranger).__name__}"):
            op(leaf(1.0), stranger)
    if stranger != 1j:
        with pytest.raises(TypeError, match="<"):
            Scalar(1.0) < stranger


def test_operators_hash_bool_iter_08_a_list_of_numbers_is_a_constant_for_a_tensor_only():
    x = Tensor([1.0])
    y = x + [2.0, 3.0]
    y.sum().backward()
    assert y.data.tolist() == [3.0, 4.0] and x.grad.tolist() == [2.0]
    with pytest.raises(TypeError, match="one real number, got list"):
        Scalar(1.0) + [2.0]


@pytest.mark.parametrize("x", [Scalar(1.0), Tensor(1.0), Tensor([1.0, 2.0])])
def test_operators_hash_bool_iter_09_no_node_equals_none(x):
    assert (x == None) is False and (x != None) is True and x is not None  # noqa: E711
    assert (None == x) is False and (None != x) is True  # noqa: E711


@pytest.mark.parametrize("leaf", [Scalar, Tensor, lambda v: Tensor([v])])
def test_operators_hash_bool_iter_10_and_or_not_go_by_value_and_return_a_node(leaf):
    x, y, zero = leaf(1.0), leaf(2.0), leaf(0.0)
    assert (x and y) is y and (x or y) is x and (zero and y) is zero and (zero or y) is y
    assert (not x) is False and (not zero) is True
