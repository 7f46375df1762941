"""Can every line be stepped through?  A debugger, a traceback and inspect find the source of whatever runs."""

import inspect
import linecache
import sys

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, history


def lines_run(call):
    """(file, line) of every line of Python that the call runs."""
    found = set()

    def trace(frame, event, argument):
        if event == "line":
            found.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return found


def of_scalars():
    w, x = Scalar(0.9, name="w"), Scalar(0.5, name="x")
    y = ((w * x + 1).tanh().sigmoid() ** 2).named("y")
    y.backward()
    assert w.grad is not None


def of_tensors():
    W, x = Tensor(np.eye(3), name="W"), Tensor(np.ones(3), name="x")
    y = np.tanh(W @ x)[:2].sum() + vg.where(x > 0, x, 0.0).max() * 2.0
    y.backward()
    assert W.grad is not None


@pytest.mark.parametrize("graph", [of_scalars, of_tensors])
def test_every_line_that_runs_forward_and_backward_has_its_source(graph):
    lost = {(file, line) for file, line in lines_run(graph) if not linecache.getline(file, line)}
    assert not lost


@pytest.mark.parametrize("name", ["tanh", "multiply", "where", "sum", "matmul"])
def test_an_ops_source_is_to_be_had(name):
    assert inspect.getsource(vg.OPS[name])


def test_a_history_knows_its_nodes_from_others_of_the_same_value():
    x = Scalar(0.5)
    y = x * 2
    assert x in history(y) and y in history(y)
    assert Scalar(0.5) not in history(y) and 0.5 not in history(y)
