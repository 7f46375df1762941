"""Nasty cases: indexing, matrix products and einsum, and what NumPy and the math module make of a node."""

import math

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, einsum, scalars, tanh

BOTH = pytest.mark.parametrize("leaf", [Scalar, Tensor])


def leaf_of(*shape):
    return Tensor(np.random.default_rng(0).normal(size=shape))


def agrees_with_differences(f, *xs):
    """Every gradient has its operand's shape and fits central differences of Σ cos(k) f_k."""

    def loss(*arrays):
        y = f(*arrays)
        return (y * np.cos(np.arange(y.size)).reshape(y.shape)).sum()

    loss(*xs).backward()
    for k, x in enumerate(xs):
        assert x.grad.shape == x.shape
        for index in np.ndindex(x.shape):
            high, low = ([y.data.copy() for y in xs] for _ in range(2))
            high[k][index] += 1e-6
            low[k][index] -= 1e-6
            assert x.grad[index] == pytest.approx((loss(*high) - loss(*low)) / 2e-6, abs=1e-8)
    return True


# --- indexing ---------------------------------------------------------------------------------------------------------


def test_indexing_01_an_entry_taken_twice_collects_both_contributions():
    x = Tensor([1.0])
    x[[0, 0]].sum().backward()
    assert x.grad.tolist() == [2.0]


def test_indexing_03_an_embedding_counts_how_often_each_row_was_used():
    C, ids = leaf_of(27, 10), np.random.default_rng(1).integers(0, 27, size=(32, 3))
    y = C[ids]
    y.sum().backward()
    assert y.shape == (32, 3, 10)
    assert np.array_equal(C.grad, np.repeat(np.bincount(ids.ravel(), minlength=27), 10).reshape(27, 10))


def test_indexing_04_a_reversed_slice_reverses_the_gradient():
    x, g = Tensor(np.ones((2, 3))), np.arange(6.0).reshape(2, 3)
    x[:, ::-1].backward(g)
    assert np.array_equal(x.grad, g[:, ::-1])


def test_indexing_06_a_slice_between_advanced_indices_follows_numpy():
    x = leaf_of(2, 3, 4)
    y, g = x[0, :, [1, 2]], np.arange(6.0).reshape(2, 3)
    assert np.array_equal(y.data, x.data[0, :, [1, 2]]) and y.shape == (2, 3)
    y.backward(g)
    expected = np.zeros((2, 3, 4))
    expected[0, :, 1], expected[0, :, 2] = g
    assert np.array_equal(x.grad, expected)


def test_indexing_07_a_mask_selects_and_its_length_is_checked():
    x = Tensor([1.0, 2.0, 3.0], name="x")
    x[np.array([True, False, True])].sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(IndexError, match=r"boolean.*x \(3,\)"):
        x[np.array([True, False])]


def test_indexing_07_a_list_of_bools_a_single_bool_and_a_plain_comparison_are_masks():
    for mask, expected in (([True, False, True], [1.0, 0.0, 1.0]), (True, [1.0, 1.0, 1.0]), (False, [0.0, 0.0, 0.0])):
        x = Tensor([1.0, -2.0, 3.0])
        y = x[mask]
        y.sum().backward()
        assert np.array_equal(y.data, x.data[mask]) and x.grad.tolist() == expected
    x = Tensor([1.0, -2.0, 3.0])
    x[x > 0].sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("index, shape", [((), ()), (None, (1,)), (..., ()), ((None, ...), (1,)), ((..., None, None), (1, 1))])
def test_indexing_08_a_0d_tensor_can_be_indexed(index, shape):
    x = Tensor(1.5)
    y = x[index]
    y.sum().backward()
    assert y.shape == shape and y.data.item() == 1.5 and x.grad == 1.0 and x.grad.shape == ()


def test_indexing_09_an_index_out_of_range_names_size_and_node():
    with pytest.raises(IndexError, match=r"getitem: index 5 is out of bounds.*size 3.*x \(3,\)"):
        Tensor([1.0, 2.0, 3.0], name="x")[5]


def test_indexing_10_assignment_to_an_entry_is_refused_with_advice():
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"not changed in place.*where\(\) or concatenate\(\)"):
        x[0] = 9.0
    with pytest.raises((TypeError, AttributeError)):
        del x[0]
    assert x.data.tolist() == [1.0, 2.0]


def test_indexing_11_an_index_must_be_whole_numbers():
    x = Tensor([1.0, 2.0], name="x")
    for node in (Tensor([0.0, 1.0]), Tensor(0.0), Scalar(0.0), (Tensor([0.0]),)):
        with pytest.raises(TypeError, match="an index must be whole numbers"):
            x[node]
    for wrong in (np.array([0.0, 1.0]), 1.5, "a", [0.5]):
        with pytest.raises(IndexError, match=r"getitem: .*x \(2,\)"):
            x[wrong]


def test_indexing_12_a_row_and_the_whole_accumulate_without_sharing_memory():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    y = x[0]
    z = x.sum() + y.sum()
    z.backward()
    assert x.grad.tolist() == [[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]
    assert y.grad.tolist() == [1.0, 1.0, 1.0]


# --- matmul-einsum ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a, b", [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((4, 2, 3), (3, 2)), ((2, 3), (4, 3, 2)), ((3,), (4, 3, 2)),
                                  ((4, 2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((2, 3), (3, 2)), ((1, 1), (1, 1))])  # fmt: skip
def test_matmul_einsum_01_matmul_of_every_rank(a, b):
    x, y = leaf_of(*a), leaf_of(*b)
    assert np.array_equal((x @ y).data, x.data @ y.data)
    assert agrees_with_differences(lambda a, b: a @ b, x, y)


def test_matmul_einsum_02_matrices_that_do_not_fit_are_named_and_T_is_suggested():
    A, B = Tensor(np.ones((2, 3)), name="A"), Tensor(np.ones((2, 3)), name="B")
    with pytest.raises(ValueError, match=r"matmul: .*A \(2, 3\), B \(2, 3\)") as error:
        A @ B
    assert ".T" in str(error.value)


def test_matmul_einsum_04_einsum_stretches_an_axis_of_one():
    x, y = Tensor([2.0, 2.0]), Tensor([2.0])
    z = einsum("i,i->", x, y)
    z.backward()
    assert z.data == np.einsum("i,i->", x.data, y.data) == 8.0
    assert x.grad.tolist() == [2.0, 2.0] and y.grad.tolist() == [4.0]


def test_matmul_einsum_06_a_repeated_label_reads_the_diagonal():
    X, g = leaf_of(3, 3, 2), np.arange(6.0).reshape(3, 2)
    y = einsum("iij->ij", X)
    y.backward(g)
    assert np.array_equal(y.data, np.einsum("iij->ij", X.data))
    expected = np.zeros((3, 3, 2))
    expected[[0, 1, 2], [0, 1, 2]] = g
    assert np.array_equal(X.grad, expected)


def test_matmul_einsum_07_labels_of_one_operand_alone_are_summed():
    X, Y = leaf_of(2, 3), leaf_of(4, 5)
    assert agrees_with_differences(lambda X: einsum("ij->i", X), X)
    X.zero_grad()
    z = einsum("ij,kl->", X, Y)
    z.backward()
    assert np.allclose(X.grad, np.full((2, 3), Y.data.sum())) and np.allclose(Y.grad, np.full((4, 5), X.data.sum()))


def test_matmul_einsum_08_an_ellipsis_broadcasts():
    X, y = leaf_of(2, 1, 3, 3), leaf_of(2, 4, 3)
    assert agrees_with_differences(lambda X, y: einsum("...ij,...j", X, y), X, y)


def test_matmul_einsum_09_one_node_may_be_both_operands():
    x = leaf_of(2, 3)
    einsum("ij,ij->ij", x, x).sum().backward()
    assert np.array_equal(x.grad, 2 * x.data)


# --- numpy-interop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", [np.add, np.subtract, np.multiply, np.divide, np.power, np.matmul, np.maximum])
def test_numpy_interop_01_an_array_on_the_left_records(op):
    x = Tensor([3.0, 4.0])
    y = op(np.array([1.0, 2.0]), x)
    y.sum().backward()
    assert type(y) is Tensor and np.array_equal(y.data, op(np.array([1.0, 2.0]), x.data)) and x.grad.shape == (2,)


@pytest.mark.parametrize("two", [np.float64(2), np.float32(2), np.int64(2), np.float16(2), np.array(2.0)])
def test_numpy_interop_02_a_numpy_number_on_either_side_records(two):
    for x in (Scalar(3.0), Tensor(3.0), Tensor([3.0])):
        for y in (two * x, x * two):
            assert type(y) is type(x) and y.item() == 6.0 and y.shape == x.shape
        (two * x).backward()
        assert x.grad == 2.0


def test_numpy_interop_04_numpys_functions_record():
    x = Tensor([1.0, -2.0])
    y = np.sum(np.maximum(np.exp(x), 1))
    y.backward()
    assert type(y) is Tensor and x.grad.tolist() == [math.e, 0.0]


@pytest.mark.parametrize("call", [np.nanmedian, np.unwrap, np.corrcoef, np.linalg.pinv, np.linalg.eig, np.fft.fft, np.asarray, np.array, np.trim_zeros,
                                  np.nan_to_num, np.add.reduce, lambda x: np.heaviside(x, x), lambda x: np.add(x, 1, out=np.zeros(2)), lambda x: np.array([x, x])])  # fmt: skip
def test_numpy_interop_04_what_does_not_record_is_refused_in_words(call):
    with pytest.raises(TypeError, match="Tensor|no derivative here"):
        call(Tensor([1.0, 2.0]))


def test_numpy_interop_05_scalars_stay_nodes_in_an_object_array_and_a_tensor_becomes_no_array():
    a, b = Scalar(1.0), Scalar(2.0)
    both = np.array([a, b])  # ours: an object array of Scalars is what scalars() makes, and it carries gradients
    assert both.dtype == object and both[0] is a and both[1] is b
    np.sum(np.tanh(both * scalars([1.0, 2.0]))).backward()
    assert a.grad is not None and b.grad is not None
    for conversion in (np.asarray, np.array, lambda t: np.array(t, dtype=float), lambda t: np.array([t]), lambda t: np.array([t, t], dtype=object)):
        with pytest.raises(TypeError, match=r"take its value with \.data"):
            conversion(Tensor([1.0, 2.0], name="x"))
    with pytest.raises(TypeError):
        np.array([a, b], dtype=float)


def test_numpy_interop_06_comparison_gives_a_mask_and_an_array_takes_no_node():
    x, array = Tensor([1.0, 2.0]), np.array([1.0, 2.0])
    mask = array == x
    assert type(mask) is np.ndarray and mask.dtype == bool and mask.tolist() == [True, True]
    with pytest.raises(TypeError, match="plain array"):
        array += x
    with pytest.raises(TypeError, match=r"\.data"):
        array[:] = x
    for node in (Tensor(1.0), Scalar(1.0)):
        with pytest.raises((TypeError, ValueError)):
            array[0] = node
    assert array.tolist() == [1.0, 2.0]


@BOTH
def test_numpy_interop_07_a_0d_array_behaves_as_a_number(leaf):
    results = []
    for three in (np.array(3.0), np.float64(3.0), 3.0, 3):
        x = leaf(1.0)
        y = three - x
        y.backward()
        results.append((float(y.data), y.shape, float(x.grad)))
    assert set(results) == {(2.0, (), -1.0)}


@BOTH
@pytest.mark.parametrize("f", [math.exp, math.sqrt, math.tanh, math.floor])
def test_numpy_interop_08_the_math_module_cannot_drop_the_gradient(leaf, f):
    with pytest.raises(TypeError):  # ours: no __float__, so math's own message; x.exp() and exp(x) record
        f(leaf(4.0))


def test_numpy_interop_09_a_seeded_run_repeats_bit_for_bit():
    def run():
        rng = np.random.default_rng(7)
        W, h, lines = Tensor(rng.normal(size=(5, 5)), name="W"), Tensor(rng.normal(size=5)), []
        for _ in range(3):
            y = tanh(W @ tanh(W @ h)).sum()
            W.zero_grad()
            y.backward()
            W.data = W.data - 0.1 * W.grad
            lines += [repr(y), repr(W), repr(y.edges[0])]
        return W.data.tobytes(), h.grad.tobytes(), lines

    assert run() == run()
