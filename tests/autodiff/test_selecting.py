"""Does what was not chosen receive nothing?  A selection is no product: an entry that is cut off has derivative exactly 0, whatever comes from above.

x  input      y  value      g  gradient from above: inf, -inf, nan      t  tangent, the same
"""

from functools import partial

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, clip, elu, grad, hessian, jvp, leaky_relu, maximum, minimum, relu, sqrt, square, where
from tinygrad_vg.autodiff.core import contributions
from tinygrad_vg.autodiff.rows import Elementwise

BY_ENTRY = [name for name, op in sorted(vg.OPS.items()) if isinstance(getattr(op, "rule", None), Elementwise)]
WILD = [np.inf, -np.inf, np.nan]
each_wild = pytest.mark.parametrize("g", WILD)

# fmt: off
# name: (y = f(x), an x that is cut off, an x that is chosen)
SELECTIONS = {
    "relu":                        (relu,                                          -1.0,  2.0),
    "x.relu()":                    (lambda x: x.relu(),                            -1.0,  2.0),
    "clip, below lo":              (lambda x: clip(x, 0.0, 1.0),                   -1.0,  0.5),
    "clip, above hi":              (lambda x: clip(x, 0.0, 1.0),                    3.0,  0.5),
    "clip without hi":             (lambda x: clip(x, 0.0),                        -1.0,  9.0),
    "clip at the bound":           (lambda x: clip(x, 0.0, 1.0),                   -1.0,  1.0),
    "np.clip":                     (lambda x: np.clip(x, 0.0, 1.0),                -1.0,  0.5),
    "maximum with a constant":     (lambda x: maximum(x, 0.0),                     -1.0,  2.0),
    "maximum of a constant":       (lambda x: maximum(0.0, x),                     -1.0,  2.0),
    "np.maximum":                  (lambda x: np.maximum(x, 0.0),                  -1.0,  2.0),
    "minimum with a constant":     (lambda x: minimum(x, 0.0),                      1.0, -2.0),
    "minimum of a constant":       (lambda x: minimum(0.0, x),                      1.0, -2.0),
    "fmax with a constant":        (lambda x: vg.fmax(x, 0.0),                     -1.0,  2.0),
    "fmin of a constant":          (lambda x: vg.fmin(0.0, x),                      1.0, -2.0),
    "where, if":                   (lambda x: where(x > 0, x, 5.0),                -1.0,  2.0),
    "where, else":                 (lambda x: where(x > 0, 5.0, x),                 1.0, -2.0),
    "leaky_relu of slope 0":       (lambda x: leaky_relu(x, 0.0),                  -1.0,  2.0),
    "elu of alpha 0":              (lambda x: elu(x, 0.0),                         -1.0,  2.0),
    "elu, its slope underflown":   (elu,                                         -800.0,  2.0),
}
# fmt: on
PRODUCTS = {"leaky_relu of slope 0", "elu of alpha 0", "elu, its slope underflown"}  # their slope is 0, but not by a comparison
each_selection = pytest.mark.parametrize("f, cut, chosen", SELECTIONS.values(), ids=SELECTIONS)


def same(got, want):
    """Equal entry by entry; nan is nan, and 0 is 0."""
    return np.array_equal(np.asarray(got, float), np.asarray(want, float), equal_nan=True)


def test_every_op_that_selects_is_here():
    met = {node.op for f, cut, _ in SELECTIONS.values() for node in vg.history(f(Scalar(cut)))} - {"leaf"}
    assert met == {name for name in BY_ENTRY if vg.OPS[name].rule.selects} | {"clip"}


# ---------------------------------------------------------------- one operand


@each_selection
@each_wild
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_of_a_tensor_the_entry_cut_off_receives_0_and_the_one_chosen_all_of_it(f, cut, chosen, g, dtype):
    x = Tensor(np.array([cut, chosen, cut], dtype))
    y = f(x)
    y.backward([g, g, 1.0])
    assert same(x.grad, [0, g, 0]) and x.grad.dtype == dtype
    assert same(grad(y, x, seed=[1.0, g, g]), [0, g, 0])
    assert same(grad(y, x, seed=[g, 3.0, g], create_graph=True).data, [0, 3, 0])
    assert same(jvp(y, x, [g, g, g]), [0, g, 0])


@each_selection
@each_wild
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_of_one_number_what_is_cut_off_receives_0_and_what_is_chosen_all_of_it(f, cut, chosen, g, leaf):
    for value, want in ((cut, 0.0), (chosen, g)):
        x = leaf(value)
        y = f(x)
        y.backward(g)
        assert same(x.grad, want)
        assert same(grad(y, x, seed=g, create_graph=True).data, want)
        assert same(jvp(y, x, g), want)
        (edge,) = y.edges
        assert same(edge.local.pull(g), want) and same(edge.local.push(g), want)


@pytest.mark.parametrize("name", [name for name in SELECTIONS if "." not in name])  # NumPy's own on an object array are not ours
def test_an_object_array_of_scalars_selects_as_scalars_do(name):
    f, cut, chosen = SELECTIONS[name]
    x = vg.scalars([cut, chosen])
    for y, g in zip(f(x), (np.inf, -np.inf)):
        y.backward(g)
    assert same([s.grad or 0.0 for s in x], [0, -np.inf])


@pytest.mark.parametrize("name", [name for name in SELECTIONS if name not in PRODUCTS])
@each_wild
def test_what_was_cut_off_is_0_in_the_second_derivative_too(name, g):
    """y² is differentiated once as a graph, then with a wild gradient from above. 0 is 0: NumPy has nothing to warn of."""
    f, cut, chosen = SELECTIONS[name]
    x = Tensor([cut, chosen])
    y = f(x)
    first = grad(square(y - y.data[0]), x, seed=[1.0, 1.0], create_graph=True)
    assert same(grad(first, x, seed=[g, g]), [0, 2 * g])


@pytest.mark.parametrize("f, cut", [(leaky_relu, 2.0), (elu, 2.0)])
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@each_wild
def test_a_slope_that_is_not_used_receives_0(f, cut, leaf, g):
    x, slope = leaf(cut), leaf(0.25)
    assert same(grad(f(x, slope), [x, slope], seed=g), [g, 0])


@each_wild
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_slope_that_is_not_0_passes_the_gradient_on(g, leaf):
    x = leaf(-1.0)
    assert same(grad(leaky_relu(x, 0.25), x, seed=g), g) and same(grad(elu(x), x, seed=g), g)


# ---------------------------------------------------------------- two operands, broadcast ones


@each_wild
@pytest.mark.parametrize("leaf", [Scalar, lambda value: Tensor([value])])
@pytest.mark.parametrize(
    "f", [maximum, minimum, lambda a, b: where(True, b, a), lambda a, b: where(False, a, b)], ids=["maximum", "minimum", "where", "else"]
)
def test_of_two_operands_one_receives_all_and_the_other_0(f, leaf, g):
    for a, b in ((1.0, 2.0), (-1.0, -2.0)):
        x, z = leaf(a), leaf(b)
        y = f(x, z)
        wants = [g if y.item() == value else 0.0 for value in (a, b)]
        seed = g if leaf is Scalar else [g]
        assert same(np.ravel(grad(y, [x, z], seed=seed)), wants)
        assert same(np.ravel([node.data for node in grad(y, [x, z], seed=seed, create_graph=True)]), wants)
        pulled = {edge.parent: np.ravel(edge.local.pull(seed)) for edge in y.edges}
        assert same(np.ravel([pulled[x], pulled[z]]), wants)


@each_wild
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("f", [maximum, minimum])
def test_two_operands_that_tie_share(f, leaf, g):
    x, z = leaf(1.0), leaf(1.0)
    assert same(grad(f(x, z), [x, z], seed=g), [g, g])  # half of inf is inf
    assert same(grad(f(x, z), [x, z], seed=3.0), [1.5, 1.5])


@each_wild
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_of_an_operand_that_was_broadcast_only_the_copies_chosen_are_added_up(g, dtype):
    x, b = Tensor(np.array([[0.0], [5.0]], dtype)), Tensor(np.array([1.0, -1.0, 2.0], dtype))
    seed = np.array([[g, 2.0, g], [3.0, 4.0, 5.0]], dtype)
    for y, (dx, db) in {
        maximum(x, b): ([[2], [12]], [g, 0, g]),
        where(np.array([[False, True, False], [True, True, True]]), x, b): ([[2], [12]], [g, 0, g]),
        minimum(-x, -b): ([[-2], [-12]], [-g, 0, -g]),
    }.items():
        for found in (grad(y, [x, b], seed=seed), [node.data for node in grad(y, [x, b], seed=seed, create_graph=True)]):
            assert same(found[0], dx) and same(found[1], db)
            assert [part.dtype for part in found] == [dtype, dtype]


@each_wild
def test_a_number_spread_over_an_array_receives_what_its_chosen_copies_receive(g):
    x = Tensor(0.5)
    assert same(grad(maximum(x, np.array([1.0, 0.0, 2.0])), x, seed=[g, 3.0, g]), 3.0)
    assert same(grad(clip(vg.broadcast_to(x, (2,)), np.array([1.0, 0.0]), 2.0), x, seed=[g, 3.0]), 3.0)
    assert same(jvp(maximum(x, np.array([1.0, 0.0, 2.0])), x, g), [0, g, 0])


# ---------------------------------------------------------------- max and min


@each_wild
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("f, sign", [(vg.max, 1), (vg.min, -1), (np.max, 1), (np.min, -1)])
def test_only_the_largest_entry_receives_and_those_that_tie_share(f, sign, keepdims, dtype, g):
    x = Tensor(sign * np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]], dtype))
    rows = f(x, axis=1, keepdims=keepdims)
    seed, want = np.reshape([g, 3.0], rows.shape), [[g, g, 0], [0, 3, 0]]  # half of inf is inf
    assert same(grad(rows, x, seed=seed), want) and grad(rows, x, seed=seed).dtype == dtype
    assert same(grad(rows, x, seed=seed, create_graph=True).data, want)
    assert same(rows.edges[0].local.pull(seed), want)
    whole = f(x, keepdims=keepdims)
    assert same(grad(whole, x, seed=np.full(whole.shape, g)), [[0, 0, 0], [0, g, 0]])
    columns = f(x, axis=0, keepdims=keepdims)
    assert same(grad(columns, x, seed=np.reshape([g, 1.0, g], columns.shape)), [[g, 0, 0], [0, 1, g]])


@each_wild
@pytest.mark.parametrize("f, sign", [(vg.max, 1), (vg.min, -1)])
def test_an_entry_that_is_not_the_largest_moves_nothing(f, sign, g):
    x = Tensor(sign * np.array([[1.0, 3.0], [4.0, 2.0]]))
    assert same(jvp(f(x, axis=1), x, [[g, 1.0], [1.0, g]]), [1, 1])
    assert same(jvp(f(x, axis=(0, 1)), x, [[g, g], [1.0, g]]), 1)


@each_wild
def test_of_an_array_of_scalars_only_the_largest_receives(g):
    x = vg.scalars([1.0, 3.0, 2.0])
    vg.max(x).backward(g)
    assert same([s.grad or 0.0 for s in x], [0, g, 0])


# ---------------------------------------------------------------- inside a graph, where the infinite slope is made


quiet = partial(np.errstate, all="ignore")
STEEP = {"sqrt": sqrt, "log": vg.log, "1 / ·": lambda x: 1 / x, "· ** -0.5": lambda x: x**-0.5, "· ** 0.3": lambda x: x**0.3}
CUT = {name: (f, cut, chosen) for name, (f, cut, chosen) in SELECTIONS.items() if f(Scalar(cut)).data == 0}


@pytest.mark.parametrize("steep", STEEP.values(), ids=STEEP)
@pytest.mark.parametrize("f, cut, chosen", CUT.values(), ids=CUT)
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_steep_function_of_what_is_constant_is_constant(steep, f, cut, chosen, leaf):
    x = leaf(cut)
    with quiet():
        assert grad(steep(f(x)), x) == 0
        assert grad(grad(steep(f(x)), x, create_graph=True), x) == 0
        assert hessian(steep(f(x)), x) == 0


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("f", [lambda x: square(sqrt(x)), lambda x: sqrt(x * 0), lambda x: sqrt(x) * 0, lambda x: sqrt(square(x))])
def test_a_product_keeps_its_zero_times_infinity(f, leaf):
    x = leaf(0.0)
    with quiet():
        assert np.isnan(grad(f(x), x))


@pytest.mark.parametrize("g", WILD)
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_times_zero_is_a_product_and_no_selection(leaf, g):
    x = leaf(2.0)
    with quiet():
        for y in (x * 0.0, 0.0 * x, x / np.inf, (x - 2.0) * x - 2.0 * (x - 2.0), square(x - 2.0)):
            assert np.isnan(grad(y, x, seed=g))
        assert np.isnan(grad(x * leaf(0.0), x, seed=g)) and np.isnan(jvp(x * 0.0, x, g))


@pytest.mark.parametrize("f", [vg.abs, vg.sign])
@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_a_slope_that_is_0_at_a_kink_is_a_product(f, leaf):
    x = leaf(0.0)
    with quiet():
        assert np.isnan(grad(f(x), x, seed=np.inf))


def test_a_mask_that_multiplies_is_a_product():
    x = Tensor([1.0, 2.0])
    with quiet():
        assert same(grad(x * np.array([True, False]), x, seed=[np.inf, np.inf]), [np.inf, np.nan])


@pytest.mark.parametrize("name", BY_ENTRY + ["max", "min", "clip"])
def test_what_the_sweep_hands_on_is_what_the_edge_pulls_also_of_a_wild_gradient(name):
    values = np.array([-2.0, -0.5, 0.0, 0.5, 1.0])
    n = {"clip": 3, "max": 1, "min": 1}.get(name) or len(vg.OPS[name].rule.operands)
    shapes = [(5, 1, 1), (1, 5, 1), (1, 1, 5)][:n]
    constants = {"clip": (1, 2), "where": (0,)}.get(name, ())
    xs = [values.reshape(shape) if i in constants else Tensor(values.reshape(shape)) for i, shape in enumerate(shapes)]
    with quiet():
        y = vg.OPS[name](*xs)
        for g in (*WILD, 0.0, 1.0):
            for seed in (np.full(y.shape, g), np.where(np.arange(y.size).reshape(y.shape) % 2 == 0, g, -1.0)):
                parts = [(parent, part) for _, parent, part in contributions([y], {y: seed})]
                for (parent, part), edge in zip(parts, y.edges, strict=True):
                    assert parent is edge.parent and same(part, edge.local.pull(seed))
