"""What if one layer is added to another within linear?  linear(h, W, linear(x, V, b)) is linear(h, W) + linear(x, V, b), to every question."""

import numpy as np
import pytest

from tinygrad_vg import Chain, Tensor, explain, linear, tanh, uses, verdict

FORMS = {
    "a sum": lambda h, x, W, V, b: linear(h, W) + linear(x, V, b),
    "x added to h": lambda h, x, W, V, b: linear(h, W, linear(x, V, b)),
    "h added to x": lambda h, x, W, V, b: linear(x, V, linear(h, W, b)),
}


def network(form, steps=12):
    """The loss of an RNN that contracts, and its leaves."""
    rng = np.random.default_rng(0)
    W, V, b = (Tensor(rng.normal(size=shape) / 4, name=name) for name, shape in (("W", (3, 3)), ("V", (3, 2)), ("b", 3)))
    h = h0 = Tensor(np.ones((4, 3)), name="h0")
    for t, x in enumerate(rng.normal(size=(steps, 4, 2)), 1):
        h = tanh(FORMS[form](h, x, W, V, b)).named("h", t)
    return (h * h).sum().named("loss"), {"W": W, "V": V, "b": b, "h0": h0}


@pytest.mark.parametrize("form", ["x added to h", "h added to x"])
@pytest.mark.parametrize("leaf", ["W", "V", "b", "h0"])
def test_verdict_uses_and_blame_are_those_of_the_sum(form, leaf):
    (loss, leaves), (same, others) = network(form), network("a sum")
    found, want = verdict(loss, leaves[leaf]), verdict(same, others[leaf])
    assert (found.kind, found.why) == (want.kind, want.why) and "contracting" in want.kind
    assert found.numbers == pytest.approx(want.numbers, rel=1e-9, abs=1e-12)
    if leaf != "h0":
        assert np.allclose([use.gradient for use in uses(loss, leaves[leaf])], [use.gradient for use in uses(same, others[leaf])], rtol=1e-12)
        assert str(explain(loss, leaves[leaf])).splitlines()[2:4] == str(explain(same, others[leaf])).splitlines()[2:4]
    else:
        chain, sums = Chain(loss, leaves[leaf]), Chain(same, others[leaf])
        assert np.allclose(chain.gradients[0], sums.gradients[0], rtol=1e-12)
        assert chain.blame().total == pytest.approx(sums.blame().total, abs=1e-9)
        assert [f for link in chain.links if (f := link.factor) != "1"] == [f for link in sums.links if (f := link.factor) != "1"]


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 3)])
def test_a_bias_counts_no_factor_of_its_own_with_and_without_a_batch(shape):
    W, b, V, c = (Tensor(np.full(shape, 0.3), name=name) for name, shape in (("W", (3, 3)), ("b", 3), ("V", (3, 3)), ("c", 3)))
    loss = linear(tanh(linear(np.ones(shape), W, b)), V, c).sum()
    assert [round(verdict(loss, x).numbers["factors"]) for x in (W, b, V, c)] == [3, 2, 1, 0]
    assert "for each of 0 factors" in str(verdict(loss, c))


def test_a_residual_step_is_one_plus_a_branch_however_it_is_written():
    W = Tensor(np.eye(3) / 3, name="W")
    for step in (lambda x: x + linear(x, W), lambda x: linear(x, W, x)):
        x = x0 = Tensor(np.ones((4, 3)), name="x")
        for _ in range(3):
            x = step(x)
        assert [link.factor for link in Chain(x, x0, seed=np.ones((4, 3))).links] == ["(1 + branch)"] * 3
        assert "of 0 factors" not in str(verdict(x.sum(), x0))
