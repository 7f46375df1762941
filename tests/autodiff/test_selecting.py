"""What is cut off receives exactly 0, whatever comes from above; a product keeps 0 · inf = nan."""

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, grad

CUT_OFF = {  # a function, and where its slope is exactly 0
    "relu": (vg.relu, -1.0), "leaky_relu": (lambda x: vg.leaky_relu(x, 0.0), -1.0), "elu": (vg.elu, -800.0), "clip": (lambda x: vg.clip(x, 0, 1), 2.0),
    "maximum": (lambda x: vg.maximum(x, 0.5), -1.0), "minimum": (lambda x: vg.minimum(x, -5.0), -1.0),
    "where": (lambda x: vg.where(x > 0, x, 0.0), -1.0),
}  # fmt: skip
REDUCED = {"max": (vg.max, [0.0, np.inf]), "min": (vg.min, [np.inf, 0.0])}


def test_these_are_the_ops_that_select():
    selecting = {name for name, op in vg.OPS.items() if getattr(getattr(op, "rule", None), "selects", False)}
    assert selecting | {"clip"} == set(CUT_OFF)


@pytest.mark.parametrize("name", CUT_OFF)
@pytest.mark.parametrize("g", [1.0, np.inf, -np.inf, np.nan])
def test_what_is_cut_off_receives_exactly_0(name, g):
    f, a = CUT_OFF[name]
    for x, seed in ((Scalar(a), g), (Tensor(a), np.array(g)), (Tensor([a]), np.array([g]))):
        y = f(x)
        assert np.all(grad(y, x, seed=seed) == 0.0)
        assert np.all(y.edges[0].local.pull(np.full(y.shape, g)) == 0.0)


@pytest.mark.parametrize("name", CUT_OFF)
def test_so_does_its_own_graph(name):
    f, a = CUT_OFF[name]
    for x in (Scalar(a), Tensor([a])):
        one = type(x)(np.ones(x.shape))
        assert np.all(grad(f(x) * one, x, seed=np.full(x.shape, np.inf), create_graph=True).data == 0.0)


@pytest.mark.parametrize("name", REDUCED)
def test_of_several_entries_only_the_chosen_one_receives_an_infinite_gradient(name):
    reduction, want = REDUCED[name]
    x = Tensor([1.0, 2.0])
    assert grad(reduction(x), x, seed=np.array(np.inf)).tolist() == want


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("f", [lambda x: x * 0.0, abs, vg.sign])
def test_a_product_with_0_keeps_nan(f):
    for x, seed in ((Scalar(0.0), np.inf), (Tensor([0.0]), np.array([np.inf]))):
        assert np.all(np.isnan(grad(f(x), x, seed=seed)))
