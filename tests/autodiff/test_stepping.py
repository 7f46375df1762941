"""Can every line be stepped through?  A debugger, a traceback and inspect find the source of whatever runs."""

import inspect
import linecache
import sys
from pathlib import Path

import numpy as np
import pytest
from rows import row

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, grad, history, no_grad
from tinygrad_vg.autodiff import core
from tinygrad_vg.autodiff.rows import Elementwise

# ---------------------------------------------------------------- what is run

ONE_OPERAND = [vg.OPS[name] for name in "exp log log1p expm1 sqrt square sin cos tanh sigmoid relu sign gelu softplus".split()]


def watched(call):
    """The events of the call, in order: (what, file, line, function). What: 'call' or 'line'."""
    found = []

    def trace(frame, event, argument):
        if event in ("call", "line"):
            found.append((event, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return found


def scalar_arithmetic():
    w, x = Scalar(0.9, name="w"), Scalar(0.5)
    return 2 * w + x / 3 - (1 - x) * w**2 + 2**x - 1 / w + abs(-w) + np.float64(2) * x - w * w / x


def scalar_functions():
    w = Scalar(0.9)
    for f in ONE_OPERAND:
        w = f(w) * 0.5 + 1.0
    return w.tanh().sigmoid() + np.tanh(w) + vg.elu(w) + vg.leaky_relu(w, 0.1) + vg.clip(w, 0, 9) + vg.maximum(w, 0.5) + w.minimum(w * 2)


def scalar_special_points():
    """Where Python's floats raise and NumPy's do not, and where rows branch."""
    a = Scalar(0.0)
    return (a - 8.0) ** (1 / 3) + 1 / (a + 1e-320) + a**0 + a**2 + vg.exp(a + 1000.0) * 0.0 + vg.sigmoid(a - 1000.0) + vg.log(a + 1.0)


def scalar_where_and_arrays():
    w = vg.scalars([[0.1, 0.2], [0.3, 0.4]], name="w")
    h = np.tanh(w @ np.array([1.0, 2.0]) + w[0]) * w.sum(axis=1)
    return vg.where(h[0] > 0, h[0], h[1]).named("y") + vg.max(h) + vg.softmax(h)[0] + vg.concatenate([h, h])[3] + vg.mean(h)


def of_scalars(f):
    def call():
        (f() * 1.5).named("loss").backward()

    return call


def tensors():
    return Tensor(np.eye(3) + 0.1, name="W"), Tensor(np.arange(1.0, 4.0), name="x"), Tensor(np.ones((2, 3)), name="X")


def tensor_arithmetic():
    W, x, X = tensors()
    return 2 * W + x / 3 - (1 - x) * W**2 + 2**x - 1 / x + abs(-W) + np.ones(3) * x - x[:, None] * X[0] + np.float32(2) * x


def tensor_functions():
    W, x, _ = tensors()
    for f in ONE_OPERAND:
        x = f(x) * 0.5 + 1.0
    return x.tanh().sigmoid() + np.tanh(W) + vg.elu(x) + vg.leaky_relu(x, 0.1) + vg.clip(x, 0, 9) + vg.maximum(x, 0.5) + x.minimum(W)


def tensor_products():
    W, x, X = tensors()
    y = X @ W + W @ x + x @ W + vg.linear(X, W, x) + vg.linear(X, W) + np.matmul(X, W) + np.dot(x, W) + np.ones((2, 3)) @ W
    return y + vg.einsum("ij,jk->ik", X, W) + np.outer(x[:2], x) + vg.linear(X, W, X) + (x @ x) * X


def tensor_structure():
    W, x, X = tensors()
    y = vg.concatenate([X, W[:2]], axis=1).reshape(3, 4).T[:3, 1:2] + vg.stack([x, x])[0] + vg.expand_dims(x, 0) + vg.squeeze(x[None])
    y = (
        y
        + W[[0, 2, 2]]
        + W[W.data > 0.5].sum()
        + W[0, 1]
        + vg.take(x, [2, 1, 0])
        + vg.diagonal(W)
        + vg.broadcast_to(x, (3, 3))
        + W.swapaxes(0, 1)
    )
    return y + vg.split(x, 3)[1] + x.astype(np.float32) + sum(part for part in x) + np.full_like(W, x[1]) + np.trace(W)


def tensor_reductions():
    W, x, X = tensors()
    y = W.sum(axis=0) + W.mean(axis=1) + W.max(axis=0) + W.min(axis=1) + X.var(axis=0) + W.prod(axis=0) + vg.logsumexp(W, axis=1)
    return (
        y
        + vg.softmax(W)
        + vg.log_softmax(x)
        + x.max()
        + np.sum(W, 0, keepdims=True)
        + vg.where(x > 1.5, x, X[0] * 2)
        + vg.where(True, x, 0.0)
    )


def tensor_names():
    W, x, _ = tensors()
    h = x
    for t in range(6):
        h = np.tanh(W @ h + x).named("h", t)
    with no_grad():
        plain_one = np.tanh(W @ h)
    return h * plain_one.data + h.detach()


def of_tensors(f):
    def call():
        f().sum().named("loss").backward(keep=False)
        y = f()
        y.backward(np.ones(y.shape))

    return call


def own_row():
    with row("stepping_f(a, b)", "np.arctan(a) * tanh(b)", "tanh(b) / (1 + a * a)", "np.arctan(a) * (1 - tanh(b) ** 2)") as f:
        for a, b in ((Scalar(0.5), Scalar(2.0)), (Tensor([0.5, 1.0]), Tensor([[2.0], [3.0]])), (Scalar(0.5), 2.0), (0.5, Tensor([1.0]))):
            y = f(a, b)
            y.backward(np.ones(y.shape) if y.shape else None)


def again():
    for leaf in (Scalar, Tensor):
        a, b = leaf(0.5), leaf(0.25)
        y = (a * b + 1).tanh() ** b + vg.where(a > b, a, b) * vg.sigmoid(a) / b
        first = grad(y, [a, b], create_graph=True)
        grad(first[0] * first[1], [a, b])
        vg.jvp(y, [a, b], [1.0, 2.0])
        vg.hessian(y, a)
        [(edge.local.pull(1.0), edge.formula, edge.formula_here) for node in history(y) for edge in node.edges]
    W, x, _ = tensors()
    y = (vg.softmax(W @ x) * vg.linear(x, W, x)).max() + (x[1:] * x[:-1]).prod()
    vg.hvp(y, W, np.ones((3, 3)))


CALLS = {
    **{f.__name__: of_scalars(f) for f in (scalar_arithmetic, scalar_functions, scalar_special_points, scalar_where_and_arrays)},
    **{f.__name__: of_tensors(f) for f in (tensor_arithmetic, tensor_functions, tensor_products, tensor_structure, tensor_reductions, tensor_names)},
    "own row": own_row, "derivatives again": again,
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_line_that_runs_forward_and_backward_has_its_source(call):
    with np.errstate(all="ignore"):
        events = watched(call)
    lines = {(file, line) for _, file, line, _ in events if line}  # Python itself says 0 where a module begins
    lost = {(file, line) for file, line in lines if not linecache.getline(file, line).strip()}
    assert not lost and len(lines) > 50


def test_these_calls_run_every_row_of_the_table():
    with np.errstate(all="ignore"):
        files = {file for call in CALLS.values() for _, file, *_ in watched(call)}
    rows = [f.rule.name for f in vars(vg.autodiff.table).values() if isinstance(getattr(f, "rule", None), Elementwise)]
    missing = {f"<row {name}, of {kind}>" for name in rows for kind in ("arrays", "numbers")} - files
    assert not missing


# ---------------------------------------------------------------- where a debugger lands


def steps(y):
    return [event for event in watched(lambda: y.backward()) if event[0] == "call"][1:]  # the first is the lambda


@pytest.mark.parametrize("y", [Scalar(0.5) * 2, Tensor(0.5) * 2, Scalar(0.5), (Tensor([1.0, 2.0]) * 3.0).sum()], ids=repr)
def test_stepping_into_backward_lands_in_backward(y):
    _, file, line, name = steps(y)[0]
    assert name == "backward" and Path(file) == Path(core.__file__)
    assert linecache.getline(file, line).startswith("def backward(")


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_from_there_the_debugger_passes_history_and_sweep_and_stops_in_the_rows(leaf):
    x = leaf(0.5)
    calls = steps(vg.tanh(x) * x)
    names = [name for *_, name in calls]
    assert names.index("backward") < names.index("history") < names.index("sweep")
    rows = [file for _, file, _, name in calls if name in ("pull", "pull_a", "pull_b")]
    of = "numbers" if leaf is Scalar else "arrays"
    assert rows == [f"<row multiply, of {of}>", f"<row tanh, of {of}>"]


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_the_line_of_a_row_is_the_formula_of_its_edge(leaf):
    x = leaf(0.5)
    y = vg.tanh(x)
    lines = [linecache.getline(file, line) for what, file, line, _ in watched(lambda: y.backward()) if what == "line" and "<row" in file]
    assert any("g * (1.0 - y * y)" in line for line in lines) and y.edges[0].formula == "1 - y * y"


# ---------------------------------------------------------------- inspect


@pytest.mark.parametrize("name", sorted(vg.OPS))
def test_an_ops_source_is_to_be_had(name):
    assert inspect.getsource(vg.OPS[name]).startswith("def ")


def test_a_history_knows_its_nodes_from_others_of_the_same_value():
    x = Scalar(0.5)
    y = x * 2
    assert x in history(y) and y in history(y)
    assert Scalar(0.5) not in history(y) and 0.5 not in history(y)
