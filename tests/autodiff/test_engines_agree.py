"""Do all ways to a derivative lead to the same number?

    one model, three runs     on Tensors, on object arrays of Scalars, on complex arrays (the complex step)
    one graph, four products  reverse sweep = forward sweep = product of the local maps = complex step
    one function, five orders exp(x) sin(x), whose derivatives are known in closed form

A program is a list of steps (function, operands by position), drawn from a fixed seed; it runs on whatever it is given.
"""


from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from samples import BINARY, UNARY, cases

import tinygrad_vg as vg
from tinygrad_vg.autodiff.products import DeferredProducts
from tinygrad_vg.autodiff.structure import DeferredSelections, Select

H = 1e-30  # the complex step


def agree(got: Any, want: Any, rtol: float = 1e-13) -> bool:
    """Equal to rtol in units of max(1, |want|), shapes included."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    return got.shape == want.shape and bool(np.all(np.abs(got - want) <= rtol * np.maximum(1.0, np.abs(want))))


# ---------------------------------------------------------------- random programs on arrays

# What a step may do: keeps values moderate, so that 1e-13 means something. A number in place of a name makes it a constant.
ONE: dict[str, Callable] = {
    "tanh": vg.tanh, "np.tanh": np.tanh, "sin": np.sin, "cos": vg.cos, "sigmoid": vg.sigmoid, "softplus": vg.softplus, "gelu": vg.gelu_tanh,
    "elu": lambda a: vg.elu(a, 0.7), "leaky_relu": vg.leaky_relu, "relu": vg.relu, "abs": lambda a: vg.abs(a), "negative": lambda a: -a,
    "square": lambda a: np.square(np.tanh(a)), "exp": lambda a: np.exp(np.sin(a)), "expm1": lambda a: vg.expm1(np.cos(a)),
    "log": lambda a: np.log(a * a + 0.5), "log1p": lambda a: vg.log1p(vg.sigmoid(a)), "sqrt": lambda a: np.sqrt(a * a + 0.3),
    "cube": lambda a: np.tanh(a) ** 3, "reciprocal": lambda a: 1 / (a * a + 0.8), "two to the": lambda a: 2 ** np.tanh(a),
    "clip": lambda a: vg.clip(a, -0.8, 0.9), "where": lambda a: vg.where(a > 0.1, a * 0.5, np.sin(a)), "constant": lambda a: 0.5 - a * 1.5,
}  # fmt: skip
TWO: dict[str, Callable] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: np.tanh(a) * b, "divide": lambda a, b: a / (b * b + 1.0),
    "power": lambda a, b: (a * a + 0.5) ** np.tanh(b), "maximum": lambda a, b: vg.maximum(a, b + 0.003), "minimum": lambda a, b: vg.minimum(a, b - 0.003),
    "slope of leaky_relu": lambda a, b: vg.leaky_relu(a, np.tanh(b)), "alpha of elu": lambda a, b: vg.elu(a, np.tanh(b)),
}  # fmt: skip
SHAPED: dict[str, Callable] = {
    "sum": lambda a: vg.sum(np.tanh(a), axis=0, keepdims=True), "mean": lambda a: vg.mean(a, axis=-1, keepdims=True), "var": lambda a: vg.var(np.tanh(a), axis=1, keepdims=True),
    "max": lambda a: vg.max(a, axis=1, keepdims=True), "min": lambda a: vg.min(a, axis=0, keepdims=True), "prod": lambda a: vg.prod(np.tanh(a), axis=0, keepdims=True),
    "logsumexp": lambda a: vg.logsumexp(a, axis=1, keepdims=True), "softmax": lambda a: vg.softmax(a, axis=-1), "log_softmax": lambda a: vg.log_softmax(np.tanh(a), axis=0),
    "reversed": lambda a: a[::-1], "row": lambda a: a[1], "gathered": lambda a: a[np.array([0, 2, 2])], "masked": lambda a: vg.getitem(a, np.array([True, False, True])).sum(),
    "take": lambda a: vg.take(a, [2, 0, 1], axis=1), "diagonal": lambda a: vg.diagonal(a), "T": lambda a: a.T, "swapaxes": lambda a: vg.swapaxes(a, 0, 1),
    "reshape": lambda a: vg.transpose(vg.reshape(vg.expand_dims(a, 0), (3, 3))), "squeeze": lambda a: vg.squeeze(vg.expand_dims(a, 1), 1),
    "broadcast_to": lambda a: vg.broadcast_to(a[:1], (3, 3)), "split": lambda a: vg.concatenate(vg.split(a, [1], axis=1)[::-1], axis=1),
}  # fmt: skip
JOINED: dict[str, Callable] = {
    "matmul": lambda a, b: np.tanh(a) @ np.tanh(b), "linear": lambda a, b: vg.linear(np.tanh(a), np.tanh(b), a[0]),
    "einsum": lambda a, b: vg.einsum("ij,jk->ki", np.tanh(a), np.tanh(b)), "concatenate": lambda a, b: vg.concatenate([a[:1], b[1:]]),
    "stack": lambda a, b: vg.stack([a[0], b[1], a[0]]),
}  # fmt: skip
KINDS = {"one": (ONE, 1), "two": (TWO, 2), "shaped": (SHAPED, 1), "joined": (JOINED, 2)}
SHAPES = [(3, 3), (3, 3), (1, 3), (3, 1), (3,), ()]


def random_program(rng: Any) -> tuple[list, list]:
    """Inputs, and steps (name, function, positions of the operands, whether they must be 3 × 3)."""
    shapes = [(3, 3), *(SHAPES[k] for k in rng.integers(len(SHAPES), size=rng.integers(0, 3)))]
    inputs = [np.asarray(rng.uniform(-1.2, 1.2, shape)) for shape in shapes]
    steps = []
    for k in range(len(inputs), len(inputs) + rng.integers(3, 9)):
        table, arity = KINDS[("one", "two", "shaped", "joined")[rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])]]
        name = list(table)[rng.integers(len(table))]
        steps.append((name, table[name], rng.integers(0, k, arity).tolist(), table in (SHAPED, JOINED)))
    return inputs, steps


def run(steps: Sequence, inputs: Sequence) -> Any:
    """The model: the same code for Tensors, object arrays of Scalars and plain arrays. One number comes out."""
    values = list(inputs)
    for _, function, operands, square in steps:
        xs = [values[i] for i in operands]
        values.append(function(*[x * values[0] if np.ndim(x) == 0 else x + np.zeros((3, 3)) for x in xs] if square else xs))
    terms = [value * 0.3 if np.ndim(value) == 0 else vg.sum(value * 0.3) for value in values[len(inputs) :]]
    return sum(terms[1:], terms[0])


def by_complex_step(f: Callable, inputs: Sequence) -> list[np.ndarray]:
    gradients = []
    for k, x in enumerate(inputs):
        g = np.zeros(np.shape(x))
        for index in np.ndindex(g.shape):
            z = np.array(x, complex)
            z[index] += 1j * H
            g[index] = np.imag(f([*inputs[:k], z, *inputs[k + 1 :]])) / H
        gradients.append(g)
    return gradients


def by_tensors(steps: Sequence, inputs: Sequence) -> tuple:
    leaves = [vg.Tensor(x) for x in inputs]
    output = run(steps, leaves)
    output.backward()
    return output.item(), [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves]


def by_scalars(steps: Sequence, inputs: Sequence) -> tuple:
    leaves = [vg.scalars(x) for x in inputs]
    output = run(steps, [x if x.ndim else x.item() for x in leaves])
    assert isinstance(output, vg.Scalar)
    output.backward()
    return output.item(), [np.array([s.grad or 0.0 for s in x.flat]).reshape(x.shape) for x in leaves]


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_tensors_scalars_and_the_complex_step_agree_on_random_programs(first):
    for seed in range(first, first + 50):
        inputs, steps = random_program(np.random.default_rng([20261123, seed]))
        where = f"program {seed}: {[(name, operands) for name, _, operands, _ in steps]} on {[x.shape for x in map(np.asarray, inputs)]}"
        (tensor_value, tensor_grads), (scalar_value, scalar_grads) = by_tensors(steps, inputs), by_scalars(steps, inputs)
        complex_grads = by_complex_step(lambda xs, steps=steps: run(steps, xs), inputs)
        assert agree(scalar_value, tensor_value), where
        assert agree(run(steps, inputs), tensor_value), where
        for k, (t, s, c) in enumerate(zip(tensor_grads, scalar_grads, complex_grads)):
            assert agree(s, t), f"{where}: input {k}: Scalars {s.tolist()}, Tensors {t.tolist()}"
            assert agree(t, c, 1e-12), f"{where}: input {k}: Tensors {t.tolist()}, complex step {c.tolist()}"


def test_the_random_programs_use_every_step_there_is():
    """Guards against a generator that draws only easy programs; the seeds are fixed, so this is a fact about them."""
    programs = [random_program(np.random.default_rng([20261123, seed])) for seed in range(400)]
    used = Counter(name for _, steps in programs for name, *_ in steps)
    assert all(used[name] >= 10 for table, _ in KINDS.values() for name in table), used
    moved = [any(np.any(g) for g in by_tensors(steps, inputs)[1]) for inputs, steps in programs[:100]]
    assert sum(moved) >= 95


ROWS = [op for op in vg.OPS if op in UNARY or op in BINARY or op in ("where", "clip")]


@pytest.mark.parametrize("op", ROWS)
def test_a_row_is_the_same_for_a_scalar_and_for_a_tensor_to_the_second_order(op):
    """One text, compiled for floats, for arrays and for nodes: the three must not drift apart."""
    seen = 0
    for case in [case for case in cases(op) if case.layout == "0-d" and "as an array" not in case.sample.label]:
        call = case.sample.function.func  # NumPy's own clip and where are not promised on a Scalar, so: with our function
        results = []
        for leaf in (vg.Scalar, vg.Tensor):
            xs = [leaf(x) for x in case.starts()]
            given = iter(xs)
            y = call(vg.OPS[op], *[next(given) if i in case.sample.nodes else float(x) for i, x in enumerate(case.leaves)])
            first = vg.grad(y, xs, create_graph=True)
            second = [g for slope in first for g in vg.grad(slope, xs)]
            pushed = [vg.jvp(y, x, 1.0) for x in xs]
            results.append([y.item(), *(g.item() for g in first), *map(float, second), *map(float, pushed), *map(float, vg.grad(y, xs))])
        assert agree(*results), f"{case}: Scalar {results[0]}, Tensor {results[1]}"
        seen += 1
    assert seen >= 8


@pytest.mark.parametrize("chunk", [1, 500, 1 << 18])
def test_a_weight_used_many_times_collects_every_use(chunk, monkeypatch):
    """60 steps of h = tanh(W h + x), in a batch and alone, and W once more by itself: mixed uses, carried out in any portions."""

    monkeypatch.setattr(DeferredProducts, "CHUNK", chunk)
    rng = np.random.default_rng(5)
    W, H0, h0 = rng.normal(size=(3, 3)) / 2, rng.normal(size=(2, 3)), rng.normal(size=3)

    def loss(W: Any) -> Any:
        H, h, total = H0, h0, vg.sum(W * W) * 0.1
        for t in range(60):
            H, h = np.tanh(vg.linear(H, W) + 0.1 * t), np.tanh(W @ h + 0.1)
            total = total + vg.sum(H) * 0.1 + vg.sum(h * h) + (vg.sum(W[0]) if t % 20 == 0 else 0.0)
        return total

    leaf, objects = vg.Tensor(W), vg.scalars(W)
    loss(leaf).backward()
    loss(objects).backward()
    assert agree(leaf.grad, by_complex_step(lambda xs: loss(xs[0]), [W])[0], 1e-12)
    assert agree(np.vectorize(lambda s: s.grad)(objects), leaf.grad, 1e-12)
    assert agree(vg.grad(loss(leaf), leaf, create_graph=True).data, leaf.grad, 1e-12)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_use_whose_gradient_is_constant_meets_one_whose_gradient_is_a_node(turn):
    """Under create_graph the part of W in a plain sum is an array, that of W * W a node: they are added in either order."""
    W, x = vg.Tensor([[1.0, 2.0], [3.0, 4.0]]), np.ones((3, 2))
    for plain in (lambda: vg.linear(x, W).sum(), lambda: (x @ W).sum(), lambda: W[[0, 1, 1]].sum(), lambda: W[1].sum()):
        first, second = [plain, lambda: (W * W).sum()][::turn]
        y = first() + second()
        assert agree(vg.grad(y, W, create_graph=True).data, vg.grad(y, W))


def test_parts_of_an_array_are_put_back_together_whatever_they_overlap():
    """Rows, slices, single entries, entries chosen twice, and uses as a whole, in both orders of the sum."""
    rng = np.random.default_rng(8)
    A, x = rng.normal(size=(5, 3)), rng.normal(size=(2, 3))

    def terms(A: Any) -> list:
        rows = [vg.sum(A[t] ** 2) * (t + 1) for t in range(5)]
        return [*rows, vg.sum(A[1:4] ** 3), A[2, 1] ** 2, vg.sum(A[[0, 0, 3]] ** 2), vg.sum(vg.linear(x, A) ** 2), vg.sum(A**2), vg.sum(A[:, 1:] ** 2)]

    for order in ([*range(11)], [*range(11)][::-1], [8, 2, 9, 7, 1, 5, 6, 3, 10, 0, 4]):
        leaf = vg.Tensor(A)
        sum(terms(leaf)[k] for k in order).backward()
        assert agree(leaf.grad, by_complex_step(lambda xs: sum(terms(xs[0])[k] for k in order), [A])[0], 1e-12)


@pytest.mark.parametrize("uses", [1, 5])
def test_the_whole_is_made_once_for_as_many_parts_as_make_it_up(uses, monkeypatch):
    """A sequence cut into its steps: zeros of the whole once for each time it is used in full, not once for each step."""

    made, summed = [], DeferredSelections.add_up
    monkeypatch.setattr(DeferredSelections, "add_up", lambda self: made.append(len(self)) or summed(self))
    X = vg.Tensor(np.arange(600.0).reshape(200, 3))
    sum(vg.sum(X[t] * (k + 1)) for k in range(uses) for t in range(200)).backward()
    assert np.array_equal(X.grad, np.full((200, 3), sum(range(1, uses + 1))))
    assert len(made) <= uses + 1 and max(made) <= 201, made


@pytest.mark.parametrize("kind", ["products", "parts"])
def test_what_waits_stays_small_whatever_sizes_come_in_turn(kind):
    """Large and small by turns, many small after one large: never more than a chunk of products, or the whole array, and one more."""

    whole = np.zeros((500, 4))
    for counts in ([500, 1] * 40, [500, *[1] * 900], [1, 2, 3, 500] * 30, [*[1] * 700, 500, 500], [400, 7] * 60):
        waiting: Any = None
        largest = max(counts) * (20 * 7 * 8 if kind == "products" else 4 * 8)
        for n in counts:
            if kind == "products":
                part = DeferredProducts([(np.ones((20 * n, 3)), np.ones((20 * n, 4)))])
            else:
                selection = Select((slice(0, n),)).local(0, whole[:n], [whole])
                part = DeferredSelections([(selection, np.ones((n, 4)))])
            waiting = part if waiting is None else waiting + part
            held = sum(x.nbytes for pair in waiting for x in pair if isinstance(x, np.ndarray))
            assert held <= (DeferredProducts.CHUNK if kind == "products" else whole.nbytes) + largest
        if kind == "products":
            assert np.array_equal(waiting.total(), np.full((3, 4), 20.0 * sum(counts)))
        else:
            assert np.array_equal(waiting.total(), sum(np.arange(500) < n for n in counts)[:, None] * np.ones(4))


def test_what_waits_is_summed_before_anomalies_are_looked_for():
    """The gradient of W.T, used twice, waits when it is handed on to W."""
    W, x = vg.Tensor(np.arange(9.0).reshape(3, 3)), np.ones((4, 3))
    with vg.detect_anomaly():
        turned = W.T
        ((x @ turned).sum() + (x @ turned).sum()).backward()
    assert np.array_equal(W.grad, np.full((3, 3), 8.0)) and np.array_equal(turned.grad, np.full((3, 3), 8.0))


def test_the_gradient_of_a_node_made_without_a_graph_is_not_asked_for(monkeypatch):
    """grad() of every leaf: a constant made under no_grad() has a past that is none of theirs."""
    with vg.no_grad():
        C = vg.Tensor(np.eye(3)) * 2.0
    x, asked = vg.Tensor(np.ones(3)), []
    y = (C @ x).sum()
    assert np.array_equal(vg.grad(y, x), np.full(3, 2.0))
    matmul, parts = y.parents[0].rule, y.parents[0].rule.parts
    monkeypatch.setattr(matmul, "parts", lambda node, g, inside: asked.append(inside) or parts(node, g, inside))
    vg.grad(y, x)
    assert x in asked[0] and C not in asked[0]


@pytest.mark.parametrize("index", [(), ..., None, True], ids=["()", "...", "None", "True"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_of_a_leaf_without_axes_is_an_array_also_where_parts_waited(index, dtype):
    x = vg.Tensor(dtype(2.0))
    (x[index] * 3 + x).sum().backward()
    assert type(x.grad) is np.ndarray and x.grad.shape == () and x.grad.dtype == dtype
    x.grad[...] = 0
    assert x.grad == 0


# ---------------------------------------------------------------- five orders of exp(x) sin(x)


@pytest.mark.parametrize("leaf", [vg.Scalar, vg.Tensor], ids=["Scalar", "Tensor"])
@pytest.mark.parametrize("at", [-2.0, -0.3, 0.0, 0.7, 1.9])
def test_derivatives_of_order_1_to_5_are_the_closed_form(leaf, at):
    """dⁿ/dxⁿ eˣ sin x = 2^(n/2) eˣ sin(x + nπ/4)."""
    x = leaf(at)
    y = np.exp(x) * np.sin(x)
    for n in range(1, 6):
        y = vg.grad(y, x, create_graph=True)
        assert agree(y.item(), 2 ** (n / 2) * math.exp(at) * math.sin(at + n * math.pi / 4)), f"order {n}"


def test_derivatives_of_order_1_to_5_of_an_array_entry_by_entry():
    at = np.linspace(-2, 2, 9).reshape(3, 3)
    x = vg.Tensor(at)
    y = np.exp(x) * np.sin(x)
    for n in range(1, 6):
        y = vg.grad(y, x, seed=np.ones((3, 3)), create_graph=True)
        assert agree(y.data, 2 ** (n / 2) * np.exp(at) * np.sin(at + n * np.pi / 4)), f"order {n}"


# ---------------------------------------------------------------- reverse = forward = product of links = complex step

# name: function of numbers, nodes or complex numbers
SCALAR_STEPS: dict[str, Callable] = {
    **{name: ONE[name] for name in ("tanh", "sin", "cos", "sigmoid", "softplus", "gelu", "exp", "log", "sqrt", "cube", "reciprocal", "two to the", "constant")},
    **{name: TWO[name] for name in ("add", "subtract", "multiply", "divide", "power")},
}  # fmt: skip


def random_dag(rng: Any) -> tuple[list[float], Callable]:
    xs = rng.uniform(-1.2, 1.2, rng.integers(1, 4)).tolist()
    names = list(SCALAR_STEPS)
    steps = [
        (name := names[rng.integers(len(names))], rng.integers(0, k, 2 if name in TWO else 1))
        for k in range(len(xs), len(xs) + rng.integers(2, 12))
    ]

    def program(inputs: Sequence) -> Any:
        values = list(inputs)
        for name, operands in steps:
            values.append(SCALAR_STEPS[name](*[values[i] for i in operands]))
        return sum(values[len(values) // 2 :], 0.0) * 0.3

    return xs, program


def product_of_links(output: Any, source: Any) -> np.ndarray:
    """∂output/∂source as a matrix: oldest first, each node's is the sum over its edges of dense local · the parent's."""
    J: dict = {}
    for node in vg.history(output):
        J[node] = (
            np.eye(node.size)
            if node is source
            else sum((edge.local.dense() @ J[edge.parent] for edge in node.edges), np.zeros((node.size, source.size)))
        )
    return J[output]


@pytest.mark.parametrize("leaf", [vg.Scalar, vg.Tensor], ids=["Scalar", "Tensor"])
def test_reverse_forward_links_and_complex_step_agree_on_random_scalar_dags(leaf):
    for seed in range(150):
        xs, program = random_dag(np.random.default_rng([7, seed]))
        leaves = [leaf(x) for x in xs]
        output = program(leaves)
        reverse = vg.grad(output, leaves)
        for k, x in enumerate(leaves):
            where = f"dag {seed}, input {k}"
            assert agree(vg.jvp(output, x, 1.0), reverse[k]), where
            assert agree(product_of_links(output, x), np.reshape(reverse[k], (1, 1))), where
        assert all(agree(c, g, 1e-12) for c, g in zip(by_complex_step(program, xs), reverse)), f"dag {seed}"


@pytest.mark.parametrize("layers", [1, 2, 5, 20])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_reverse_forward_links_and_complex_step_agree_on_tanh_networks(width, layers):
    """A chain h = tanh(W h + b): here the links are the edges, and the Jacobian is their plain product."""
    rng = np.random.default_rng([width, layers])
    Ws, bs = rng.normal(size=(layers, width, width)) / math.sqrt(width), rng.normal(size=(layers, width)) / 2
    start, out = rng.normal(size=width), rng.normal(size=width)

    def network(h: Any) -> Any:
        for W, b in zip(Ws, bs):
            h = np.tanh(W @ h + b)
        return h

    x = vg.Tensor(start)
    y = network(x)
    J, node = np.eye(width), y
    while node is not x:
        (edge,) = node.edges
        J, node = J @ edge.local.dense(), edge.parent
    by_hand, h = np.eye(width), start
    for W, b in zip(Ws, bs):
        h = np.tanh(W @ h + b)
        by_hand = np.diag(1 - h * h) @ W @ by_hand
    columns = np.array([np.imag(network(start + 1j * H * e)) / H for e in np.eye(width)]).T
    objects = vg.scalars(start)
    scalar_rows = [list(vg.grad(h, list(objects))) for h in network(objects)]
    assert all(agree(other, J) for other in (vg.jacobian(y, x), product_of_links(y, x), by_hand, columns, scalar_rows))
    assert agree(vg.grad(y, x, seed=out), out @ J)
    assert agree(vg.jvp(y, x, out), J @ out)


def test_gradients_of_a_networks_weights_agree_in_both_engines_and_by_hand():
    """Backpropagation written out: δ = (1 - h²) Wᵀδ, ∂L/∂W = δ hᵀ."""
    rng = np.random.default_rng(3)
    Ws, x, target = rng.normal(size=(4, 3, 3)) / 1.5, rng.normal(size=3), rng.normal(size=3)

    def loss(Ws: Any) -> Any:
        h = x
        for W in Ws:
            h = np.tanh(W @ h)
        return vg.sum(vg.square(h - target)) / 2

    leaves = [vg.Tensor(W, name=f"W{i}") for i, W in enumerate(Ws)]
    loss(leaves).backward()
    objects = [vg.scalars(W) for W in Ws]
    loss(objects).backward()
    hs = [x]
    for W in Ws:
        hs.append(np.tanh(W @ hs[-1]))
    delta = hs[-1] - target
    for W, leaf, entries, h, below in zip(Ws[::-1], leaves[::-1], objects[::-1], hs[::-1], hs[-2::-1]):
        delta = (1 - h * h) * delta
        assert agree(leaf.grad, np.outer(delta, below))
        assert agree(np.vectorize(lambda s: s.grad)(entries), leaf.grad)
        delta = W.T @ delta
