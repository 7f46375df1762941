"""The gradient is the sum over paths: counted, added up and ranked without walking them, and checked by walking them."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, grad, history, maximum, nn, relu, scalars, sigmoid, sin, tanh
from tinygrad_vg.chain.paths import paths

ENTRIES = json.loads((pathlib.Path(__file__).parent.parent / "data" / "reference_spectrum.json").read_text())
UNARY = [tanh, sin, sigmoid, relu, lambda a: -a, lambda a: a * a, lambda a: 0.5 * a]
BINARY = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: maximum(a, b), lambda a, b: a / (1 + b * b)]


def random_graph(seed, size):
    """A source, and an output that depends on it, over a random graph of Scalars."""
    rng = np.random.default_rng(seed)
    nodes = [Scalar(float(x)) for x in rng.normal(size=3)]
    source = nodes[0]
    while len(nodes) < size:
        pick = [nodes[int(rng.integers(max(0, len(nodes) - 4), len(nodes)))] for _ in range(2)]
        if rng.random() < 0.4:
            nodes.append(UNARY[int(rng.integers(len(UNARY)))](pick[0]))
        else:
            nodes.append(BINARY[int(rng.integers(len(BINARY)))](*pick))
    return nodes[-1] + 0.1 * source, source


def walked(output, source):
    """The product of every path, by walking them one after the other."""
    products, stack = [], [(output, 1.0)]
    while stack:
        node, product = stack.pop()
        if node is source:
            products.append(product)
        else:
            stack += [(edge.parent, product * float(edge.local)) for edge in node.edges]
    return products


@pytest.mark.parametrize("block", range(10))
def test_sum_over_paths_is_the_gradient_of_any_graph(block):
    for seed in range(40 * block, 40 * block + 40):
        output, source = random_graph(seed, 40)
        found = paths(output, source, top=2)
        trust = 1e-12 * math.exp(found.log_absolute)
        assert found.total == pytest.approx(grad(output, source), rel=1e-12, abs=trust)


@pytest.mark.parametrize("block", range(5))
def test_count_top_and_absolute_sum_are_those_of_walking_every_path(block):
    for seed in range(1000 + 40 * block, 1040 + 40 * block):
        output, source = random_graph(seed, 14)
        products, found = walked(output, source), paths(output, source, top=7)
        absolute = np.sum(np.abs(products))
        assert found.count == len(products)
        assert found.active == np.count_nonzero(products)
        assert found.total == pytest.approx(np.sum(products), abs=1e-13 * absolute)
        assert math.exp(found.log_absolute) == pytest.approx(absolute, rel=1e-12)
        assert found.cancellation == pytest.approx(abs(np.sum(products)) / absolute, abs=1e-12)
        heaviest = sorted([abs(p) for p in products if p], reverse=True)[:7]
        assert [abs(path.product) for path in found.top] == pytest.approx(heaviest, rel=1e-12)


def test_a_path_tells_its_nodes_and_factors():
    for seed in range(50):
        output, source = random_graph(seed, 20)
        for path in paths(output, source).top:
            assert path.nodes[0] is source and path.nodes[-1] is output
            for parent, child, factor in zip(path.nodes, path.nodes[1:], path.factors):
                assert any(edge.parent is parent and float(edge.local) == factor for edge in child.edges)
            assert path.product == pytest.approx(math.prod(path.factors)) == pytest.approx(path.weights * path.slopes)
            assert path.log == pytest.approx(math.log(abs(path.product)))
    distinct = {(path.nodes, path.factors) for path in paths(*random_graph(3, 30), top=20).top}
    assert len(distinct) == len(paths(*random_graph(3, 30), top=20).top)


def residual(depth, factor=0.1):
    x = h = Scalar(1.0, name="x")
    for k in range(1, depth + 1):
        h = (h + factor * h).named("h", k)
    return h, x


def test_the_residual_chain_of_depth_60_has_2_to_the_60_paths():
    h, x = residual(60)
    found = paths(h, x, top=100)
    assert found.count == found.active == 2**60 == 1152921504606846976
    assert found.total == pytest.approx(1.1**60, rel=1e-12) == pytest.approx(grad(h, x), rel=1e-12)
    assert found.cancellation == pytest.approx(1)
    assert [path.product for path in found.top] == pytest.approx([1.0] + [0.1] * 60 + [0.01] * 39)
    against = paths(*residual(60, -0.1))
    assert against.cancellation == pytest.approx((0.9 / 1.1) ** 60, rel=1e-9)


def test_counts_stay_exact_and_logarithms_right_where_floats_give_up():
    h, x = residual(3000)
    assert paths(h, x, top=1).count == 2**3000
    assert "about 10^903 paths" in str(paths(h, x, top=1))
    h, x = residual(20_000)
    assert int(json.loads(json.dumps(paths(h, x, top=1).to_dict()))["count"], 16) == 2**20_000
    y = x
    for _ in range(20_000):
        y = 0.5 * y
    found = paths(y, x)
    assert found.count == 1 and found.top[0].product == 0
    assert found.top[0].log == pytest.approx(20_000 * math.log(0.5)) == pytest.approx(found.log_absolute)
    assert "2.5e-6021" in str(found)


@pytest.mark.parametrize("entry", [pytest.param(e, id=e["id"]) for e in ENTRIES if e["kind"] == "relu_paths"])
def test_a_relu_network_is_the_sum_of_its_active_paths_each_a_product_of_weights(entry):
    sizes, value, rel = entry["params"]["sizes"], entry["value"], entry["tol"]["rel"]
    x = scalars(np.cos(1.0 + np.arange(sizes[0])), name="x")
    h = x
    for layer, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        i, j = np.indices((n_out, n_in))
        z = scalars(np.sin(1 + 3 * i + 7 * j + 11 * layer), name=f"W{layer}") @ h
        h = z if layer == len(sizes) - 2 else relu(z)
    found = [paths(h[0], source, top=1000) for source in x]
    assert [f.total for f in found] == pytest.approx(value["grad_x"], rel=rel)
    assert sum(f.count for f in found) == value["total_paths"]
    assert sum(f.active for f in found) == sum(len(f.top) for f in found) == value["active_paths"]
    assert all(path.slopes == 1 and path.product == path.weights for f in found for path in f.top)
    y = sum(source.data * path.weights for source, f in zip(x, found) for path in f.top)
    assert y == pytest.approx(value["y"], rel=rel)


def test_the_paths_of_a_recurrence_pass_every_unit_at_every_step():
    n, T = 3, 5
    cell = nn.RNNCell(1, n, leaf=scalars, rng=np.random.default_rng(0))
    states = nn.unroll(cell, np.ones((T, 1)))
    found = paths(states[-1][0], states[0][0])
    assert found.count == n ** (T - 1)
    assert found.total == pytest.approx(grad(states[-1][0], states[0][0]), rel=1e-12)
    assert "h[0,0] → z[1," in str(found)


def test_paths_that_cancel_and_paths_that_are_dead():
    x = Scalar(2.0, name="x")
    found = paths((3 * x - 3 * x).named("y"), x)
    assert (found.count, found.total, found.cancellation) == (2, 0, 0)
    assert {path.product for path in found.top} == {3.0, -3.0}
    dead = paths(relu(-x), x)
    assert (dead.count, dead.active, dead.total, dead.top) == (1, 0, 0, [])
    assert math.isnan(dead.cancellation) and "0 active" in str(dead)


def test_from_a_node_to_itself_there_is_one_path_and_an_edge_taken_twice_is_two():
    x = Scalar(3.0, name="x")
    itself = paths(x, x)
    assert (itself.count, itself.total, itself.top[0].factors) == (1, 1, ())
    square = paths(x * x, x)
    assert (square.count, square.total) == (2, 6)


def test_no_gradient_is_touched_and_top_may_be_empty():
    output, source = random_graph(0, 20)
    assert paths(output, source, top=0).top == []
    assert all(node.grad is None for node in history(output))


def test_errors_say_what_to_do():
    x, y = Scalar(1.0, name="x"), Scalar(2.0, name="y")
    with pytest.raises(ValueError, match="x does not depend on y"):
        paths((x * 2).named("x"), y)
    with pytest.raises(TypeError, match="leaf=scalars"):
        paths(Tensor([1.0]).sum(), x)
    with pytest.raises(TypeError, match="the source must be a Scalar"):
        paths(x * 2, 3.0)
    with pytest.raises(ValueError, match="top is how many"):
        paths(x * 2, x, top=-1)
    zero = Scalar(0.0, name="zero")
    with pytest.raises(ValueError, match="slope of .* to zero is inf"):
        paths(np.sqrt(zero), zero)
    z = x * 2
    x.data = 5.0
    with pytest.raises(RuntimeError, match="new data"):
        paths(z, x)


def test_paths_that_differ_read_differently():
    x = Scalar(0.8, name="x")
    a, b = (x * x).named("a"), x.tanh().named("b")
    rows = str(paths(y := (a * b + b).named("y"), x)).splitlines()[4:]
    assert [row.split("  ")[0] for row in rows] == ["x → b → y", "x →₁ a →₁ multiply →₁ y", "x →₂ a →₁ multiply →₁ y", "x → b → multiply → y"]
    assert [path["nodes"] for path in paths(y, x).to_dict()["top"]] == [row.split("  ")[0] for row in rows]
    for output, source in (residual(4), random_graph(7, 14), (3 * x + 2 * x, x), (x * x, x)):
        found = paths(output, source, top=50).to_dict()["top"]
        assert len({path["nodes"] for path in found}) == len(found)


def test_it_prints_in_80_columns_and_survives_json():
    for output, source in (residual(60), residual(2), random_graph(5, 60)):
        found = paths(output, source, top=100)
        assert max(map(len, str(found).splitlines())) <= 80
        again = json.loads(json.dumps(found.to_dict()))
        assert again["count"] == found.count and len(again["top"]) == len(found.top)
