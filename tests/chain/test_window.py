"""A graph of windows gives what the whole graph gives: of every op in every layout, and of programs nobody thought of."""

import numpy as np
import pytest
from program_runs import Trial
from programs import random_program
from samples import cases
from tally import count

import tinygrad_vg as vg
from tinygrad_vg.autodiff.core import new_node, sweep
from tinygrad_vg.autodiff.structure import Select
from tinygrad_vg.chain.window import NEEDS, narrowed


def random_window(shape, rng):
    """A window of at least one number, if there is one."""
    starts = [rng.integers(0, max(n, 1)) for n in shape]
    return tuple([slice(int(a), int(rng.integers(a + 1, n + 1)) if n else 0) for a, n in zip(starts, shape)])


def pulled(ops, ends, g):
    gradients = {ops[-1]: g}
    with np.errstate(all="ignore"):
        sweep(ops, gradients, wanted=(), inside=ends.union(ops))
    return {end: end.finalise(gradients[end]) for end in ends if end in gradients}


def check(y, rng):
    """Pull a gradient back from a window of y both ways; returns how many numbers fewer there are in the graph of windows."""
    w = random_window(y.shape, rng)
    ops = [node for node in vg.history(new_node(vg.Tensor, y.data[w], Select(w), (y,))) if node.rule is not None]
    ends = {x for node in ops for x in node.variables if x.rule is None}
    small, count_of = narrowed(ops, ends), lambda ops: sum(node.size for node in ops)
    assert np.array_equal(small[-1].data, ops[-1].data, equal_nan=True)
    if all(np.all(np.isfinite(part)) for part in pulled(ops, ends, np.zeros(ops[-1].shape)).values()):
        g = rng.normal(size=ops[-1].shape)
        want, got = pulled(ops, ends, g), pulled(small, ends, g)
        assert want.keys() == got.keys()
        for end in want:
            np.testing.assert_allclose(got[end], want[end], rtol=1e-12, atol=1e-13 * np.max(np.abs(want[end]), initial=1.0))
        count("windows pulled back")
    return count_of(ops) - count_of(small)


@pytest.mark.parametrize("op", sorted(vg.OPS))
def test_a_window_of_every_op_pulls_back_as_all_of_it(op):
    rng = np.random.default_rng(0)
    for case in cases(op):
        y = case.function(*[vg.Tensor(x) for x in case.starts()])
        for _ in range(3):
            check(y, rng)


def test_a_window_of_any_program_pulls_back_as_all_of_it():
    rng, fewer = np.random.default_rng(1), 0
    for _ in range(400):
        _, values = Trial(random_program(rng)).recorded
        nodes = [value for value in values.values() if isinstance(value, vg.Tensor) and value.rule is not None and value.size > 1]
        fewer += sum([check(nodes[k], rng) > 0 for k in rng.integers(len(nodes), size=5)] if nodes else [])
    assert fewer > 500  # windows are indeed smaller


class Cumsum(vg.LinearOperation):
    """Sums so far: it mixes what a window keeps apart."""

    name = "cumsum"
    def value(self, x): return np.cumsum(x, axis=0)
    def adjoint(self, g): return np.cumsum(g[::-1], axis=0)[::-1]


def test_an_op_that_is_not_in_the_table_needs_all():
    assert Cumsum not in NEEDS
    for seed in range(5):
        x = vg.Tensor(np.random.default_rng(seed).normal(size=(9, 3)))
        assert check(vg.apply(Cumsum(), x * 2.0) * 3.0, np.random.default_rng(seed)) < 27  # x * 2 stays whole


def test_a_row_that_is_wrong_is_found(monkeypatch):
    x = vg.Tensor(np.random.default_rng(0).normal(size=(9, 9)))
    for y in (x.T, x @ x, x.sum(axis=0)):
        monkeypatch.setitem(NEEDS, type(y.rule), lambda rule, w, y, *xs: [w for _ in xs])
        with pytest.raises((AssertionError, ValueError)):
            for seed in range(5):
                check(y * 2.0, np.random.default_rng(seed))
