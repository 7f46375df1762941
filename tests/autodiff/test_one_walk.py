"""Is there one walk back, however one asks?  sweep(), contributions(), backward(), grad() and the maps on the edges give the same gradients.

y  output      g  gradient      part  what one child gives to one parent      W  a weight that is used many times
"""

import numpy as np
import pytest
from program_runs import Trial, run
from programs import random_program
from tally import count
from test_laws import spoil
from test_random_programs import NO_OBJECTS, ON_SCALARS

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, grad, history, linear, where
from tinygrad_vg.autodiff.calculus import dependents
from tinygrad_vg.autodiff.core import contributions, plain, sweep

# ---------------------------------------------------------------- five ways to ask, each a dictionary: node → gradient


def finished(gradients):
    return {node: plain(node.finalise(g)) for node, g in gradients.items()}


def swept(y, **how):
    gradients = {y: type(y)(y.start(None)) if how.get("graph") else y.start(None)}
    sweep(history(y), gradients, **how)
    return finished(gradients)


def folded(y, inside=None):
    gradients = {y: y.start(None)}
    for child, parent, part in contributions(history(y), gradients, inside):
        assert child in gradients and child.birth > parent.birth
        gradients[parent] = gradients[parent] + part if parent in gradients else part
    return finished(gradients)


def pulled(y):
    """Σ edge.local.pull(child's gradient), from the maps alone."""
    gradients = {y: y.start(None)}
    for child in reversed(history(y)):
        for edge in child.edges if child in gradients else ():
            part = edge.local.pull(gradients[child])
            gradients[edge.parent] = gradients[edge.parent] + part if edge.parent in gradients else part
    return finished(gradients)


def filled(y, keep=True):
    for node in history(y):
        node.zero_grad()
    y.backward(keep=keep)
    return {node: np.array(node.grad) for node in history(y) if node.grad is not None}


def asked_for(y, nodes, create_graph=False):
    return {node: plain(g) for node, g in zip(nodes, grad(y, nodes, create_graph=create_graph))}


def agree(got, want, rtol=1e-13, only=None):
    """The same nodes (or only these), and of each the same gradient, to rtol of the largest; of Tensors in the node's dtype."""
    assert only is not None or set(got) == set(want)
    unit = max([1e-300, *(float(np.max(np.abs(g), initial=0.0)) for g in want.values())])
    for node in want if only is None else only:
        a, b = np.asarray(got.get(node, 0.0)), np.asarray(want.get(node, 0.0))
        assert a.shape == np.shape(node.data) or node not in got
        assert isinstance(node, Scalar) or node not in got or a.dtype == node.dtype
        assert np.all(np.abs(a - b) <= rtol * unit), f"{node!r}: {a.tolist()} for {b.tolist()}"


def every_way_agrees(y):
    """The law, on the history of y."""
    order, want = history(y), swept(y)
    leaves = [node for node in order if node.rule is None]
    for other in (folded(y), filled(y)):
        agree(other, want, rtol=0)  # the same sums in the same order
    agree(pulled(y), want)
    agree(swept(y, graph=True), want)
    if leaves:
        agree(asked_for(y, leaves), want, only=leaves)
        agree(asked_for(y, leaves, create_graph=True), want, only=leaves)
        agree(filled(y, keep=False), want, only=leaves)
    agree(asked_for(y, list(order)), want, only=order)
    for node in order[:: max(1, len(order) // 5)]:
        inside = dependents(order, [node])
        agree(swept(y, inside=inside), want, only=[node])
        agree(folded(y, inside=inside), want, only=[node])
        kept = swept(y, wanted={node}, inside=inside)
        agree(kept, want, only=[node] if node in want else [])
        assert all(other is node or other.rule is None for other in kept), "what nobody wants is dropped"
    count("walks back, each asked for in seven ways")


# ---------------------------------------------------------------- random programs


@pytest.mark.parametrize("start", range(0, 120, 30))
def test_random_programs_of_tensors_are_walked_in_one_way(start):
    for seed in range(start, start + 30):
        trial = Trial(random_program(np.random.default_rng([7, seed])))
        every_way_agrees(trial.on_tensors()[1][trial.output])


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_random_programs_of_scalars_are_walked_in_one_way(start):
    for seed in range(start, start + 20):
        trial = Trial(random_program(np.random.default_rng([8, seed]), most_steps=6))
        if not NO_OBJECTS & {op for _, op, *_ in trial.steps}:
            leaves = {n: vg.scalars(x) for n, x in trial.inputs.items()}
            y = run(trial.steps, {n: x if x.ndim else x.item() for n, x in leaves.items()}, ON_SCALARS)[trial.output]
            if isinstance(y, Scalar):
                every_way_agrees(y)


# ---------------------------------------------------------------- weights used many times, selections

rng = np.random.default_rng(20261123)


def tensor(*shape, dtype=np.float64):
    return Tensor(rng.normal(size=shape).astype(dtype) / 2)


def recurrent(dtype=np.float64, steps=60):
    """W, U and b at every step, and the input cut into its steps: products and cuts wait to be added up."""
    W, U, b, xs, h = tensor(3, 3, dtype=dtype), tensor(3, 2, dtype=dtype), tensor(3, dtype=dtype), tensor(steps, 4, 2, dtype=dtype), 0.0
    for t in range(steps):
        h = vg.tanh(linear(xs[t], U, b) + linear(h, W) if t else linear(xs[t], U, b))
    return (h * h).sum()


def used_in_many_ways():
    """One W as a factor on the left and on the right, transposed, cut, summed, as it is."""
    W, x = tensor(3, 3), tensor(3)
    y = x
    for _ in range(8):
        y = vg.tanh(W @ y + y @ W + W.T @ x + W[0] * W[1:, 1].sum() + W[[0, 0, 2], [1, 1, 0]] + vg.einsum("ij,j->i", W, y)) + W.mean()
    return y.sum() + W.sum() + (W * W).max()


def cut_into_rows(dtype=np.float64):
    x = tensor(40, 3, dtype=dtype)
    return sum((row * row).sum() for row in x) + x[::2].sum() * x[5, 1] + x[x.data > 0].sum()


def selections():
    a, b = tensor(4, 3), tensor(3)
    y = where(a > b, a * b, vg.relu(b)) + vg.maximum(a, b) - vg.clip(a, -0.3, 0.3) * vg.minimum(b, 0.1)
    return y.max() + y.min(axis=0).sum() + vg.max(y * a, axis=1).sum() + vg.leaky_relu(y, 0.0).sum()


def of_one_scalar():
    w, y = Scalar(0.9), Scalar(0.5)
    for t in range(100):
        y = (w * y + w / (t + 1) - 0.1).tanh() + vg.maximum(w, y) * where(y > 0.3, w, y)
    return y


def nothing_but_a_leaf():
    return Tensor(2.0)


PROGRAMS = {
    "recurrent": recurrent, "recurrent, float32": lambda: recurrent(np.float32, 40), "a long recurrence": lambda: recurrent(steps=400),
    "used in many ways": used_in_many_ways, "cut into rows": cut_into_rows, "cut into rows, float32": lambda: cut_into_rows(np.float32),
    "selections": selections, "one Scalar": of_one_scalar, "a leaf": nothing_but_a_leaf, "a Scalar leaf": lambda: Scalar(2.0),
    "a gradient": lambda: grad((z := tensor(3)).prod() * z[0], z, create_graph=True)[1] + z[2],
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_weights_used_many_times_and_selections_are_walked_in_one_way(program):
    y = program()
    if any(getattr(node, "dtype", None) == np.float32 for node in history(y)):
        agree(folded(y), swept(y), rtol=0)
        agree(pulled(y), swept(y), rtol=1e-5)
    else:
        every_way_agrees(y)


@pytest.mark.parametrize(
    "program, rule", [(selections, vg.maximum.rule), (of_one_scalar, vg.tanh.rule.on_numbers), (recurrent, vg.tanh.rule)]
)
def test_a_sweep_that_hands_on_one_percent_too_much_is_found_out(program, rule, monkeypatch):
    spoil(monkeypatch, rule, 0)
    with pytest.raises(AssertionError):
        every_way_agrees(program())


def test_a_walk_leaves_the_gradients_of_another_as_they_were():
    """Parts that wait belong to one walk: asked twice, the answer is the same, and no .grad is touched."""
    y = recurrent(steps=20)
    first, again = folded(y), folded(y)
    agree(first, again, rtol=0)
    assert all(node.grad is None for node in history(y))
    filled(y)
    before = {node: np.array(node.grad) for node in history(y)}
    folded(y), swept(y), asked_for(y, list(history(y)))
    agree({node: np.array(node.grad) for node in history(y)}, before, rtol=0)


def test_only_what_is_inside_receives():
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    c = a * b
    y = (c + b).sum()
    inside = dependents(history(y), [a])
    assert inside == {a, c, *dependents(history(y), [c])}
    assert {parent for _, parent, _ in contributions(history(y), {y: np.array(1.0)}, inside={c, a})} == set()
    assert set(folded(y, inside)) == set(swept(y, inside=inside)) == inside


# ---------------------------------------------------------------- two functions of NumPy's that lost a gradient or a shape


@pytest.mark.parametrize("fill", [2.5, [1.0, 2.0, 3.0], [[1.0], [2.0]]])
def test_full_like_keeps_the_gradient_of_what_it_is_filled_with(fill):
    z, t = Tensor(np.zeros((2, 3))), Tensor(fill)
    y = np.full_like(z, t)
    assert isinstance(y, Tensor) and np.array_equal(y.data, np.full_like(z.data, fill))
    assert np.array_equal(grad((y * y).sum(), t), 2 * t.data * (6 // t.size))
    assert np.array_equal(grad((y * y).sum(), z), np.zeros((2, 3)))
    every_way_agrees((y * y).sum())


def test_full_like_takes_a_shape_and_of_a_plain_number_is_plain():
    t, z = Tensor(2.0), Tensor([1.0, 2.0])
    assert np.full_like(z, t, shape=(2, 2)).shape == (2, 2) and grad(np.full_like(z, t, shape=(2, 2)).sum(), t) == 4
    assert type(np.full_like(z, 3.0)) is np.ndarray and np.full_like(z, 3.0).tolist() == [3, 3]


def test_full_like_of_an_array_filled_with_a_tensor_loses_no_gradient_without_a_word():
    """NumPy asks the first operand only, so it cannot record."""
    with pytest.raises(TypeError, match="does not record on a Tensor"):
        np.full_like(np.zeros(3), Tensor(2.0))


@pytest.mark.parametrize("function", [np.prod, vg.prod, np.sum, np.mean, np.max])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (1, 1, 2)])
def test_along_no_axis_the_shape_is_numpys_and_every_entry_stays(function, keepdims, shape):
    x = rng.normal(size=shape)
    t = Tensor(x)
    y, want = function(t, axis=(), keepdims=keepdims), getattr(np, function.__name__)(x, axis=(), keepdims=keepdims)
    assert y.shape == np.shape(want) == shape and np.array_equal(y.data, want)
    assert np.array_equal(grad(y, t, seed=np.full(shape, 3.0)), np.full(shape, 3.0))


@pytest.mark.parametrize("axis", [(), None, 0, -1, (0, 1), (1,)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (2, 3)])
def test_a_product_has_numpys_shape_along_empty_axes_too(axis, keepdims, shape):
    x = rng.normal(size=shape)
    y = np.prod(t := Tensor(x), axis=axis, keepdims=keepdims)
    want = np.prod(x, axis=axis, keepdims=keepdims)
    assert y.shape == np.shape(want) and np.allclose(y.data, want, rtol=1e-14) and grad(y.sum(), t).shape == shape
