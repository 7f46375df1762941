"""Does NumPy's function record, and is it right?  Every call of the list: value by NumPy, derivatives of orders 1 to 3 by differences.

Then what is special: zeros, ties, constant columns, equal eigenvalues; and what does not record, with the recommendation carried out.
"""

import re

import numpy as np
import pytest
from numpy_calls import CALLS, LIST
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Tensor, by_hand, explain, grad, gradcheck, hessian, hints, jacobian, jvp, scalars
from tinygrad_vg.autodiff import protocols

REFUSED = ["pinv"]  # of the 136
RECORDED = [call for call in CALLS if call.name not in REFUSED and call.there()]


def whole(results):
    """All entries of all results, one after the other."""
    return vg.concatenate([vg.reshape(y, -1) for y in results])


def test_at_least_120_of_the_136_record():
    assert len(LIST) == 136 and len(set(LIST) - set(REFUSED)) >= 120
    count("functions of NumPy's that record, of 136", len(set(LIST) - set(REFUSED)))


@pytest.mark.parametrize("call", RECORDED, ids=lambda call: call.text)
def test_a_call_has_numpys_value_shape_and_dtype(call):
    for dtype in (np.float64, np.float32):
        xs = [x.astype(dtype) for x in call.inputs()]
        ours, theirs = call.on(np, [Tensor(x) for x in xs]), call.on(np, xs)
        assert len(ours) == len(theirs) and all(isinstance(y, Tensor) for y in ours)
        for y, want in zip(ours, theirs):
            assert y.shape == np.shape(want) and y.dtype == (dtype if dtype is np.float64 else y.dtype)
            np.testing.assert_allclose(y.data, want, rtol=1e-11 if dtype is np.float64 else 1e-3, atol=1e-12 if dtype is np.float64 else 1e-4)


@pytest.mark.parametrize("call", RECORDED, ids=lambda call: call.text)
def test_a_call_has_the_right_derivatives_of_orders_1_to_3(call):
    def f(*xs):
        return whole(call.on(np, xs))

    assert gradcheck(f, *call.inputs(), order=3)
    count("derivatives of NumPy's functions, orders 1 to 3")


@pytest.mark.parametrize("call", RECORDED, ids=lambda call: call.text)
def test_forward_and_backward_agree_and_edges_explain_themselves(call):
    leaves = [Tensor(x, name=letter) for x, letter in zip(call.inputs(), call.letters)]
    y = whole(call.on(np, leaves))
    t, g = [np.cos(np.arange(1.0, x.size + 1)).reshape(x.shape) for x in leaves], np.sin(np.arange(1.0, y.size + 1))
    assert np.isclose(np.sum(jvp(y, leaves, t) * g), sum(np.sum(a * b) for a, b in zip(t, grad(y, leaves, seed=g))), rtol=1e-10)
    for node in vg.history(y):
        assert explain(node).text
        for edge in node.edges:
            u, h = np.cos(np.arange(edge.parent.size)).reshape(edge.parent.shape), np.sin(np.arange(node.size)).reshape(node.shape)
            assert np.isclose(np.sum(edge.local.push(u) * h), np.sum(u * edge.local.pull(h)), rtol=1e-9, atol=1e-12)


WORDLESS = {"eigh", "eigvalsh", "svd", "svdvals", "cholesky", "det", "slogdet", "inv", "solve", "matrix_power", "norm"}


@pytest.mark.parametrize("call", [call for call in RECORDED if call.name not in WORDLESS], ids=lambda call: call.text)
def test_a_call_is_written_by_hand_with_the_same_gradients(call):
    leaves = [Tensor(x, name=letter) for x, letter in zip(call.inputs(), call.letters)]
    y = vg.sum(vg.sin(whole(call.on(np, leaves))))
    leaves = [leaf for leaf in leaves if leaf in vg.history(y)]
    value, gradients = by_hand(y, leaves)()
    assert np.isclose(value, y.item(), rtol=1e-12)
    for leaf, want in zip(leaves, grad(y, leaves)):
        np.testing.assert_allclose(gradients.get(str(leaf.name), np.zeros(leaf.shape)), want, rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------- at special points


@pytest.mark.parametrize("values", [[0.0, 2, 3], [2, 3, 0.0], [2, 0.0, 0.0, 3], [2, 0.0, 3, 4], [0.0, 0.0, 0.0, 1], [5.0]])
def test_a_running_product_is_exact_with_zeros_in_every_order(values):
    x = Tensor(values)
    J = np.array([[np.prod([v for j, v in enumerate(values[: k + 1]) if j != i]) if i <= k else 0 for i in range(len(values))] for k in range(len(values))])
    assert np.array_equal(jacobian(np.cumprod(x), x), J) and gradcheck(np.cumprod, x, order=3)


def test_norms_and_standard_deviations_are_flat_where_they_are_0():
    x, zero = Tensor([[1.0, 1.0], [1.0, 3.0]]), Tensor(np.zeros((3, 2)))
    assert grad(np.std(x, axis=0).sum(), x).tolist() == [[0, -0.5], [0, 0.5]]
    for f in (np.linalg.norm, lambda z: np.linalg.norm(z, axis=0).sum(), lambda z: np.linalg.norm(z, 3, axis=1).sum(), lambda z: np.linalg.norm(z, 1),
              lambda z: np.hypot(z[:, 0], z[:, 1]).sum(), lambda z: np.linalg.norm(z, "fro"), lambda z: np.std(z)):  # fmt: skip
        assert f(zero).item() == 0 and not grad(f(zero), zero).any()
        assert np.all(np.isfinite(hessian(f(zero) ** 2, zero)))
    mixed = Tensor([[0.0, 0.0], [3.0, 4.0]])
    assert np.allclose(grad(np.linalg.norm(mixed, axis=1).sum(), mixed), [[0, 0], [0.6, 0.8]], rtol=1e-15, atol=0)


def test_entries_that_tie_keep_their_order_and_each_place_hands_its_gradient_to_one():
    x, w = Tensor([2.0, 1.0, 2.0, 1.0]), np.array([1.0, 10.0, 100.0, 1000.0])
    assert grad((np.sort(x) * w).sum(), x).tolist() == [100, 1, 1000, 10]
    assert grad(np.median(x), x).sum() == 1


@pytest.mark.parametrize("call", [
    lambda x: np.quantile(x, [[0.2, 0.7], [0.4, 0.1]], axis=0), lambda x: np.percentile(x, [[20, 70]], axis=1, keepdims=True),
    lambda x: np.concatenate(np.split(ary=x, indices_or_sections=3)), lambda x: np.concatenate(np.array_split(x, indices_or_sections=2)),
    lambda x: np.concatenate(np.hsplit(x, indices_or_sections=[1])[::-1], 1), lambda x: np.hstack([x[0, 0], x[1, 1]])])
def test_rarer_calls_have_numpys_values_and_right_derivatives(call):
    x = Tensor(np.cos(np.arange(6.0)).reshape(3, 2))
    np.testing.assert_allclose(call(x).data, call(x.data), rtol=1e-14, atol=1e-15, strict=True)
    assert gradcheck(lambda x: np.square(call(x)), x.data)


def test_a_quantile_of_a_nan_is_nan_as_numpys():
    x = Tensor([[1.0, np.nan, 2.0], [3.0, 5.0, 4.0]])
    assert np.array_equal(np.median(x, axis=1).data, [np.nan, 4], equal_nan=True)
    assert np.array_equal(np.quantile(x, [0.2, 0.5], axis=1).data, np.quantile(x.data, [0.2, 0.5], axis=1), equal_nan=True)
    assert grad(np.median(x, axis=1)[1], x).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_a_determinant_has_a_gradient_where_the_matrix_is_singular():
    for A in ([[1.0, 2.0], [2.0, 4.0]], np.arange(9.0).reshape(3, 3), np.zeros((2, 2)), np.zeros((3, 3)), np.diag([0.0, 0.0, 5.0])):
        x = Tensor(A)
        minors = [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x.data, i, 0), j, 1)) for j in range(len(x))] for i in range(len(x))]
        np.testing.assert_allclose(grad(np.linalg.det(x), x), minors, atol=1e-12)
    for f in (np.linalg.inv, lambda x: np.linalg.solve(x, np.ones(2)), lambda x: grad(np.linalg.slogdet(x)[1], x)):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            f(Tensor([[1.0, 2.0], [2.0, 4.0]], name="x"))


def test_equal_eigenvalues_are_refused_in_words_unless_they_are_treated_alike():
    x = Tensor(np.diag([2.0, 2.0, 5.0]), name="x")
    values, vectors = np.linalg.eigh(x)
    for y in (values[0], (values * [1.0, 2.0, 3.0]).sum(), vectors[0, 1] + vectors[2, 0], np.linalg.norm(x - 2 * np.eye(3), -2)):
        with pytest.raises(ValueError, match="equal have no derivative one by one; use what treats them alike"):
            grad(y, x)
    assert np.allclose(grad(values.sum(), x), np.eye(3)) and np.allclose(grad(np.log(values).sum(), x), np.diag([0.5, 0.5, 0.2]))
    assert np.allclose(grad(values[2], x), np.diag([0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="equal have no derivative one by one"):  # the second derivative goes through each of them
        hessian(np.square(values).sum(), x)


def test_singular_values_that_are_equal_or_0():
    x = Tensor(np.diag([3.0, 3.0, 0.0]))
    assert np.allclose(np.linalg.svdvals(x).data, [3, 3, 0]) and np.allclose(grad(np.square(np.linalg.svdvals(x)).sum(), x), 2 * x.data)
    for k in (0, 2):
        with pytest.raises(ValueError, match="singular values, that are equal"):
            grad(np.linalg.svdvals(x)[k], x)
    with pytest.raises(TypeError, match="say compute_uv=False"):
        np.linalg.svd(x)


def test_cholesky_and_eigenvalues_see_the_symmetric_part():
    A = Tensor([[4.0, 1.0], [1.0, 3.0]])
    g = grad(np.linalg.cholesky(A).sum(), A)
    assert np.array_equal(g, g.T) and gradcheck(lambda A: np.linalg.cholesky((A + A.T) / 2), A, order=3)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        np.linalg.cholesky(-A)


def test_remainder_is_an_operator_of_tensors_scalars_and_object_arrays():
    x, s = Tensor([7.0, -1.0]), vg.Scalar(7.0)
    assert np.array_equal((x % 3).data, [1, 2]) and grad((x % 3).sum(), x).tolist() == [1, 1] and (10 % x).data.tolist() == [3, 0]
    assert (s % 3).data == 1 and grad(7.5 % s, s) == -1 and [y.data for y in scalars([7.0, -1.0]) % 3] == [1, 2]
    for f in (np.floor, np.ceil, np.rint, np.trunc, np.round, np.fix, lambda x: np.round(x, 1)):
        assert type(f(x)) is np.ndarray


def test_values_only_come_back_as_plain_arrays():
    x = Tensor([3.2, 1.0, 3.2])
    assert np.array_equal(np.unique(x), [1.0, 3.2]) and np.searchsorted(np.array([1.0, 2.0, 3.0]), x).tolist() == [3, 0, 3]
    assert np.digitize(x, [2.0]).tolist() == [1, 0, 1] and np.argwhere(x > 2).ravel().tolist() == [0, 2] and np.argsort(x).tolist() == [1, 0, 2]
    assert np.histogram(x, 2)[0].tolist() == [1, 2] and np.flatnonzero(x).tolist() == [0, 1, 2] and np.isin(x, [1.0]).tolist() == [False, True, False]


def test_lists_of_nodes_are_joined_by_our_functions_and_nested():
    a, b = Tensor(0.3, name="a"), Tensor(2.0, name="b")
    assert vg.stack([[a, b], [b, 1.0]]).shape == (2, 2) and vg.mean([a, b]).item() == 1.15 and vg.max([a, b, 1.0]).item() == 2
    assert grad(vg.sum([a * b, [a][0]]), [a, b]) == [3, pytest.approx(0.3)] and vg.sum([[a, b], [b, b]], axis=0).data.tolist() == [2.3, 4]
    for f in (lambda: np.mean([a, b]), lambda: np.array([[a, b]])):
        with pytest.raises(TypeError, match=r"stack\(\[…\]\), also nested, as in mean\(stack\(\[a, b\]\)\)"):
            f()


def test_bounds_that_are_nodes_receive_what_they_cut_off():
    x, lo, hi = Tensor([-2.0, 0.3, 5.0]), Tensor(-1.0), Tensor(2.0)
    assert [part.tolist() for part in grad(np.clip(x, lo, hi).sum(), [x, lo, hi])] == [[0, 1, 0], 1, 1]
    assert grad(np.clip(x, hi, lo).sum(), [x, lo, hi])[1] == 3  # NumPy gives the upper bound where they are the wrong way round
    s = vg.Scalar(3.0)
    assert grad(vg.clip(5.0, 0.0, s), s) == 1 and grad(s.clip(None, 2.0), s) == 0


def test_gelu_is_exact_and_by_tanh_if_asked():
    x = Tensor([-40.0, -1.0, 0.5, 40.0])
    assert np.allclose(vg.gelu(x).data, [0, -0.15865525393145707, 0.34573123063700656, 40], rtol=1e-15, atol=0) or vg.gelu(x).data[0] != 0
    assert np.allclose(vg.gelu(x, "tanh").data, vg.gelu_tanh(x).data) and np.abs(vg.gelu(x, "tanh").data - vg.gelu(x).data).max() < 5e-4
    assert x.gelu(approximate="tanh").op == "gelu_tanh" and vg.Scalar(0.5).gelu().op == "gelu"
    with pytest.raises(ValueError, match="approximate is None"):
        vg.gelu(x, "erf")


@pytest.mark.parametrize("call, message", [
    (lambda x: np.pad(x, 1, mode="linear_ramp"), "mode is constant, with one number, edge, reflect, symmetric or wrap"),
    (lambda x: np.gradient(x, Tensor(0.5)), "the spacing is a constant"),
    (lambda x: np.cross(x, x), "vectors of three"),
    (lambda x: np.sum(x, 0, None, np.ones(4)), "an argument too many"),
    (lambda x: np.mean(x, initial=1.0), "initial"),
    (lambda x: np.interp(x, [0, 1], [1, 2], period=3), "period"),
])  # fmt: skip
def test_what_is_not_recorded_of_a_function_that_is_says_so(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(Tensor([0.1, 0.2, 0.3, 0.4]))


# ---------------------------------------------------------------- recommendations, carried out

rng = np.random.default_rng(3)
ROW, TALL, SQUARE = rng.uniform(0.5, 2, 4), rng.normal(size=(4, 3)), rng.normal(size=(3, 3)) + 3 * np.eye(3)
SYMMETRIC = SQUARE + SQUARE.T
HOLES = np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, 5.0]])

# a function: for each call what NumPy computes of plain arrays, and with which names the recommendation is read
CARRIED_OUT = {
    "linalg.pinv": [(lambda A: np.linalg.pinv(A), {"A": A}) for A in (TALL, SQUARE)],
    "linalg.lstsq": [(lambda A, b: np.linalg.lstsq(A, b, rcond=None)[0], {"A": TALL, "b": ROW})],
    "linalg.cond": [(lambda A: np.linalg.cond(A), {"A": A}) for A in (TALL, SQUARE)],
    "linalg.qr": [(lambda A: (R := np.linalg.qr(A)[1]) * np.sign(np.diag(R))[:, None], {"A": TALL})],
    "linalg.eigvals": [(lambda A: np.sort(np.linalg.eigvals((A + A.T) / 2).real), {"A": SYMMETRIC})],
    "vander": [(lambda x, n: np.vander(x), {"x": ROW, "n": 4})],
    "logspace": [(lambda a, b, n=5: np.logspace(a, b, n), {"a": np.array(-1.0), "b": np.array(1.5), "n": 5}), (lambda a, b, n=5: np.logspace(a, b, n), {"a": ROW, "b": 2 * ROW, "n": 5})],
    "geomspace": [(lambda a, b, n=5: np.geomspace(a, b, n), {"a": np.array(1.0), "b": np.array(30.0), "n": 5})],
    "correlate": [(np.correlate, {"a": ROW, "v": ROW[:2]})],
    "corrcoef": [(np.corrcoef, {"x": TALL})],
    "ediff1d": [(lambda x: np.ediff1d(x), {"x": x}) for x in (ROW, TALL)],
    "nanmax": [(lambda x, axis: np.nanmax(x, axis), {"x": HOLES, "axis": axis}) for axis in (None, 0, 1)],
    "nanmin": [(lambda x, axis: np.nanmin(x, axis), {"x": HOLES, "axis": axis}) for axis in (None, 0, 1)],
    "insert": [(lambda x, values, i: np.insert(x, i, values), {"x": ROW, "values": ROW[:2] * 3, "i": 1})],
    "angle": [(lambda x: np.angle(x), {"x": ROW - 1})],
    "heaviside": [(lambda x, h: np.heaviside(x, h), {"x": np.array([-1.0, 0.0, 2.0]), "h": 0.5})],
    "choose": [(lambda a, b, i: np.choose(i, [a, b]), {"a": ROW, "b": 2 * ROW, "i": np.array([0, 1, 1, 0])})],
}  # fmt: skip
NOT_A_VALUE = {"linalg.eig", "put", "put_along_axis", "copyto", "putmask", "place", "fill_diagonal"}  # several results, or in place


def written(text, names):
    return eval(text, {**vars(vg), "np": np, "where": vg.where, **names})


def test_every_recommendation_is_carried_out():
    assert set(CARRIED_OUT) | NOT_A_VALUE == set(hints.NUMPY)


@pytest.mark.parametrize("name", CARRIED_OUT)
def test_what_an_error_recommends_is_numpys_answer_and_has_its_derivative(name):
    text = re.split(r", (?=for a|which is)", hints.NUMPY[name])[0]
    for numpys, given in CARRIED_OUT[name]:
        arrays = {key: x for key, x in given.items() if isinstance(x, np.ndarray) and x.dtype == float}
        rest = {key: x for key, x in given.items() if key not in arrays}
        leaves = {key: Tensor(x) for key, x in arrays.items()}
        with pytest.raises(TypeError, match=r"; try "):
            home = np.linalg if name.startswith("linalg.") else np
            function = getattr(home, name.removeprefix("linalg."))
            first = next(iter(leaves.values()))
            function([0, 1, 1, 0], [first, first]) if name == "choose" else function(*[first] * {"insert": 1}.get(name, 1), *[1, 1][: 2 if name == "insert" else 1 if name in ("correlate", "heaviside", "linalg.lstsq", "logspace", "geomspace") else 0])
        y = written(text, leaves | rest)
        np.testing.assert_allclose(vg.autodiff.core.plain(y), numpys(**given), rtol=1e-9, atol=1e-12)
        if isinstance(y, Tensor) and not any(np.isnan(x).any() for x in arrays.values()) and name not in ("heaviside", "angle"):
            assert gradcheck(lambda *xs, keys=tuple(leaves), rest=rest: written(text, dict(zip(keys, xs)) | rest), *arrays.values(), rtol=1e-6)


def test_a_name_that_numpy_has_is_answered_with_itself():
    for name, function in vars(np).items():
        if name[0] == "_" or name in vars(vg) or not callable(function) or not protocols.ours(function):
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(vg, name)
        assert "did you mean" not in str(caught.value) and caught.value.obj is None, name  # Python adds no guess of its own
        assert f"np.{name}" in str(caught.value) or name in hints.PACKAGE, str(caught.value)
