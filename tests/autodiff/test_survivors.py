"""What no other test of the engine would miss: each of these laws was broken by a mutant that lived through all the others."""

import numpy as np
import pytest
from samples import SAMPLES

import tinygrad_vg as vg
from tinygrad_vg.autodiff.maps import FunctionMap, LinearOperation
from tinygrad_vg.autodiff.products import DeferredProducts


@pytest.fixture
def registry():
    """The table of ops, put back as it was."""
    before = dict(vg.OPS)
    yield
    vg.OPS.clear()
    vg.OPS.update(before)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_second_derivative_that_is_wrong_along_any_one_of_the_inputs_is_caught(k, registry):
    """The slope of the cube has the right value and the wrong slope."""
    vg.elementwise("survivors_inner(a)", "3 * a * a", "5 * a")
    cube = vg.elementwise("survivors_cube(a)", "a * a * a", "survivors_inner(a)")
    for inputs in ([0.3, 0.7, -0.4], [vg.Scalar(0.3), vg.Scalar(0.7), vg.Scalar(-0.4)]):
        with pytest.raises(AssertionError, match="the engine says"):
            vg.gradcheck(lambda *xs: sum(cube(x) if i == k else x * x for i, x in enumerate(xs)), *inputs, order=2)
        assert vg.gradcheck(lambda *xs: sum(x * x for x in xs), *inputs, order=2)


@pytest.mark.parametrize("shape_in", [(1,), (2000,), (2001,), (50, 41)])
@pytest.mark.parametrize("shape_out", [(1,), (2000,), (2001,), (50, 41)])
def test_a_map_is_written_out_up_to_2000_numbers_on_either_side_and_no_further(shape_in, shape_out):
    J = FunctionMap(lambda t: np.full(shape_out, np.sum(t)), lambda g: np.full(shape_in, np.sum(g)), shape_in, shape_out, "ones")
    m, n = np.prod(shape_out), np.prod(shape_in)
    if max(m, n) > 2000:
        with pytest.raises(ValueError, match=f"a dense map of {m} × {n} is above the limit of 2000"):
            J.dense()
    elif min(m, n) == 1:
        assert np.array_equal(J.dense(), np.ones((m, n)))


def test_products_that_wait_hold_no_more_than_a_chunk_and_are_their_sum():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(16, 64)), rng.normal(size=(16, 64))) for _ in range(200)]
    waiting = DeferredProducts(pairs[:1])
    for pair in pairs[1:]:
        waiting = waiting + DeferredProducts([pair])
        assert sum(array.nbytes for pair in waiting for array in pair) <= DeferredProducts.CHUNK
    assert np.allclose(waiting.total(), sum(g.T @ x for g, x in pairs), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("out", [2, 3])
def test_a_layer_with_a_leading_axis_of_seeds_is_the_layer_of_each_seed(out):
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(4, 5, 3)), rng.normal(size=(4, out, 3)), rng.normal(size=(4, out))
    for given in ([x, W], [x, W, b]):
        want = np.stack([vg.linear(*each) for each in zip(*given)])
        assert np.allclose(vg.linear(*given), want) and np.allclose(vg.linear(*map(vg.Tensor, given)).data, want)
        assert vg.gradcheck(vg.linear, *given)


@pytest.mark.parametrize("b", [0.5, [0.5], [0.5, 0.5], np.ones((3, 2)), np.ones((1, 3)), np.ones((2, 1)), np.ones((1, 2, 3))])
def test_a_bias_that_would_only_broadcast_is_refused(b):
    x, W = np.ones((2, 4)), np.ones((3, 4))
    for made in (np.asarray, vg.Tensor):
        with pytest.raises(ValueError, match=r"needs x \(…, in\), W \(out, in\), b \(out,\)"):
            vg.linear(made(x), made(W), made(b))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_an_error_of_one_in_a_hundred_million_along_any_one_of_three_inputs_is_caught_by_the_complex_step(k, registry):
    slopes = [slope if i != k else f"1.00000001 * {slope}" for i, slope in enumerate(["b * c", "a * c", "a * b"])]
    product = vg.elementwise("survivors_product(a, b, c)", "a * b * c", *slopes)
    for kind in (np.asarray, vg.Scalar):
        with pytest.raises(AssertionError, match=f"input {k}, entry 0: the engine says .*, complex step "):
            vg.gradcheck(product, *map(kind, (0.3, 0.7, -0.4)))


NUMPYS = {
    "outer": (np.outer, (3,), (4,)),
    "outer of matrices": (np.outer, (2, 3), (2, 2)),
    "vstack": (lambda a, b: np.vstack([a, b]), (3,), (2, 3)),
    "hstack": (lambda a, b: np.hstack([a, b]), (3,), (2,)),
    "hstack of matrices": (lambda a, b: np.hstack([a, b]), (2, 3), (2, 1)),
    "hstack of one": (lambda a: np.hstack([a]), (2, 3)),
    "vstack of one": (lambda a: np.vstack([a]), (3,)),
    "ravel": (np.ravel, (2, 3)),
    "trace": (np.trace, (3, 4)),
    "trace beside the diagonal": (lambda a: np.trace(a, 1), (3, 4)),
    "trace of a stack": (lambda a: np.trace(a, 0, 1, 2), (2, 3, 3)),
    "float_power": (lambda a: np.float_power(a, 1.5), (2, 3)),
    "fabs": (np.fabs, (2, 3)),
    "positive": (np.positive, (2, 3)),
    "amax": (lambda a: np.amax(a, 1), (2, 3)),
    "amin": (lambda a: np.amin(a, axis=0), (2, 3)),
    "dot": (np.dot, (2, 3), (3,)),
    "dot with a number": (np.dot, (2, 3), ()),
    "clip": (lambda a: np.clip(a, 0.6, 1.1), (2, 3)),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_a_function_of_numpy_with_arguments_of_its_own_is_what_numpy_makes_of_it(name):
    function, *shapes = NUMPYS[name]
    arrays = [np.random.default_rng(k).uniform(0.5, 1.5, shape) for k, shape in enumerate(shapes)]
    made = function(*map(vg.Tensor, arrays))
    assert made.shape == np.shape(function(*arrays)) and np.allclose(made.data, function(*arrays), rtol=1e-15, atol=0)
    assert vg.gradcheck(function, *arrays)


@pytest.mark.parametrize("x", [vg.Scalar(2.0), vg.Tensor([1.0, 2.0])])
def test_a_plus_sign_changes_nothing(x):
    assert +x is x and np.positive(x) is x


@pytest.mark.parametrize("kind", [vg.Scalar, vg.Tensor])
def test_the_formula_of_an_edge_in_the_names_of_its_graph_is_the_row_with_names_in_place_of_letters(kind):
    z, w = kind(0.3, name="z"), kind(0.7, name="w")
    assert vg.tanh(z).named("h", 3).edges[0].formula_here == "1 - h[3] * h[3]"
    assert vg.tanh(z).edges[0].formula == "1 - y * y" and vg.tanh(z).edges[0].formula_here == "1 - tanh(z) ** 2"
    assert [edge.formula_here for edge in (z * w).edges] == ["w", "z"]
    assert [edge.formula_here for edge in (z / 0.123456789).edges] == ["1 / 0.1235"]
    assert [edge.formula_here for edge in (z * vg.sin(w)).edges] == ["sin(w)", "z"]


@pytest.mark.parametrize("node", [vg.Scalar(2.0, name="w"), vg.Tensor([1.0], name="w")])
def test_a_tensor_of_a_node_is_refused_with_the_way_to_a_new_graph(node):
    with pytest.raises(TypeError, match=r"w is a node already; Tensor\(x.data\) starts a new graph"):
        vg.Tensor(node)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_that_is_read_only_is_taken_as_it_is_and_any_other_is_copied(dtype):
    x, locked = np.ones(3, dtype), np.ones(3, dtype)
    locked.setflags(write=False)
    assert not np.shares_memory((vg.Tensor(x) * x).parents[1], x)
    assert np.shares_memory((vg.Tensor(x) * locked).parents[1], locked)


@pytest.mark.parametrize("operands", ["", "a, b, c, d", "a, a", "g", "y", "np", "inf", "tanh"])
def test_a_row_has_one_to_three_operands_with_names_of_their_own(operands, registry):
    with pytest.raises(ValueError, match="needs one to three operands"):
        vg.elementwise(f"survivors_bad({operands})", "1.0", *["1"] * len([a for a in operands.split(",") if a]))
    vg.elementwise("survivors_good(a, b, c)", "a + b + c", "1", "1", "1")


@pytest.mark.parametrize("op", sorted(set(SAMPLES) & set(vg.OPS)))
def test_every_edge_has_a_formula_in_words(op):
    for sample in SAMPLES[op]:
        with np.errstate(all="ignore"):
            output = sample.function(*[vg.Tensor(a) if k in sample.nodes else a for k, a in enumerate(sample.arrays)])
        for edge in [edge for node in vg.history(output) for edge in node.edges]:
            assert isinstance(edge.formula, str) and edge.formula and edge.formula in repr(edge)
            assert isinstance(edge.formula_here, str) and edge.formula_here


@pytest.mark.parametrize("shape", [(1, 5, 3), (2, 5, 3), (4, 3), (1, 4, 5, 3), (4, 4, 5, 3), (3,)])
def test_an_input_without_the_seeds_of_its_weights_is_refused(shape):
    for made in (np.asarray, vg.Tensor):
        with pytest.raises(ValueError, match=r"has a leading axis of seeds, so x must be \(seeds, batch, in\)"):
            vg.linear(made(np.ones(shape)), made(np.ones((4, 2, 3))))


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 3)])
def test_a_gradient_depends_on_a_seed_that_is_a_node(shape):
    x, seed = vg.Tensor(np.full(shape, 0.3)), vg.Tensor(np.full(shape, 2.0))
    g = vg.grad(vg.sin(x), x, seed=seed, create_graph=True)
    assert np.allclose(g.data, 2 * np.cos(0.3))
    assert np.allclose(vg.grad(vg.sum(g), seed), np.cos(0.3)) and np.allclose(vg.grad(vg.sum(g), x), -2 * np.sin(0.3))


class Doubled(LinearOperation):
    name = "doubled"

    def value(self, x):
        return x * 2.0

    def adjoint(self, g):
        return g * 2.0


class Repeated(LinearOperation):
    name = "repeated"

    def value(self, x):
        return np.concatenate([np.ravel(x)] * 2)

    def adjoint(self, g):
        half = self.shape_out[0] // 2
        return (g[:half] + g[half:]).reshape(self.shape_in)


@pytest.mark.parametrize("rule", [Doubled(), Repeated()])
@pytest.mark.parametrize("shapes", [[(), (2,), (3,), ()], [(3,), (2, 2), (3,)], [(0,), (), (1,)]])
def test_one_rule_serves_nodes_of_several_shapes_and_each_edge_keeps_its_own_map(rule, shapes):
    leaves = [vg.Tensor(np.ones(shape)) for shape in shapes]
    outputs = [x.record(rule, (x,)) for x in leaves]
    for J, x, y in zip([y.edges[0].local for y in outputs], leaves, outputs):
        assert (J.shape_in, J.shape_out) == (x.shape, y.shape)
        assert np.array_equal(J.pull(np.ones(y.shape)), 2 * np.ones(x.shape)) and np.array_equal(J.push(x.data), y.data)
        assert np.array_equal(vg.grad(y, x, seed=np.ones(y.shape)), 2 * np.ones(x.shape))
        assert y.edges[0].local.shape_in == x.shape


def test_an_array_of_scalars_has_names_with_indices_exactly_where_a_name_is_given():
    assert [str(w.name) for w in vg.scalars(np.ones((2, 2)), name="W").flat] == ["W[0,0]", "W[0,1]", "W[1,0]", "W[1,1]"]
    assert [w.name for w in vg.scalars(np.ones((2, 2))).flat] == [None] * 4
