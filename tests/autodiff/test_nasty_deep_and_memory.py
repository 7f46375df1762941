"""Nasty cases: graphs a million nodes deep or a hundred thousand wide, and memory that must come back at once.

The deep ones run in a thread with a stack of 256 kB and Python's usual recursion limit: any recursion over the graph,
in Python or in C, would crash.
"""

import contextlib
import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, concatenate, grad, history, linear, stack, tanh


@contextlib.contextmanager
def gc_off():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# CPython 3.13 frees nested objects on up to 10,000 levels of its own stack before it goes on without
STACK = 256 * 1024 if sys.version_info < (3, 13) else 1024 * 1024


def in_a_small_thread(f):
    """What f() returns, computed on a small stack; an exception comes through."""
    result, failure = [], []

    def target():
        try:
            result.append(f())
        except BaseException as error:
            failure.append(error)

    usual = threading.stack_size(STACK)
    try:
        thread = threading.Thread(target=target)
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def chain_of(leaf, n):
    x = y = leaf(1.0)
    for _ in range(n):
        y = y + 0.0
    return x, y


def test_deep_and_memory_01_a_chain_of_a_million_nodes():
    def run():
        x, y = chain_of(Scalar, 1_000_000)
        y.backward()
        del y
        return x.grad

    with gc_off():
        assert in_a_small_thread(run) == 1.0


def test_deep_and_memory_03_a_graph_that_was_never_swept_is_freed_with_its_output():
    def run():
        before = sys.getallocatedblocks()
        x, y = chain_of(Scalar, 200_000)  # ten times what would overflow the stack, were it freed by recursion
        built = sys.getallocatedblocks() - before
        del y
        return built, sys.getallocatedblocks() - before

    with gc_off():
        built, left = in_a_small_thread(run)
    assert built > 200_000 and left < 10_000  # Python itself keeps up to 2,000 tuples of each length for later


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
@pytest.mark.parametrize("copier", [copy.deepcopy, copy.copy, pickle.dumps])
def test_deep_and_memory_04_a_graph_is_not_copied_and_says_so_in_a_line(leaf, copier):
    def run():
        _, y = chain_of(leaf, 5_000)
        with pytest.raises(TypeError, match=r"y is part of a graph, which is neither copied nor pickled; take its value with \.data$"):
            copier(y.named("y"))
        return True

    assert in_a_small_thread(run)


def test_deep_and_memory_04_leaves_are_copied():
    for x in (Scalar(2.0, name="x"), Tensor([2.0], name="x"), Tensor(np.ones(2, "f4")).named("x", 3)):
        for twin in (copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))):
            assert type(twin) is type(x) and twin is not x and twin.name == x.name
            assert np.array_equal(twin.data, x.data) and np.asarray(twin.data).dtype == np.asarray(x.data).dtype


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_deep_and_memory_05_a_deep_node_prints_as_short_as_a_shallow_one(leaf):
    def run():
        _, y = chain_of(leaf, 5_000)
        shallow = leaf(1.0) + 0.0
        return [(str(n), repr(n), f"{n}", repr(n.edges[0]).replace("an unnamed " + leaf.__name__, "")[:20]) for n in (y, shallow)]

    deep, shallow = in_a_small_thread(run)
    assert deep == shallow


def test_deep_and_memory_06_the_history_of_a_hundred_thousand_nodes_is_walked_without_recursion():
    # drawing such a graph is tested with the drawings
    def run():
        x, y = chain_of(Scalar, 100_000)
        order = history(y)
        return len(order), order[0] is x, order[-1] is y, all(a.birth < b.birth for a, b in zip(order, order[1:]))

    assert in_a_small_thread(run) == (100_001, True, True, True)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_deep_and_memory_07_training_for_ten_thousand_steps_keeps_memory_flat(leaf):
    w, b = leaf(0.5, name="w"), leaf(0.1, name="b")

    def steps(n):
        for _ in range(n):
            loss = (tanh(w * 0.3 + b) - 0.7) ** 2
            w.zero_grad(), b.zero_grad()
            loss.backward()
            w.data, b.data = w.data - 0.01 * w.grad, b.data - 0.01 * b.grad

    with gc_off():
        steps(100)
        before = sys.getallocatedblocks()
        steps(9_900)
        after = sys.getallocatedblocks()
    assert after - before < 5_000  # one node kept per step would be 38,000, and no object is smaller than a block


@pytest.mark.parametrize("use", [lambda y: None, lambda y: y.backward(), lambda y: y.edges[0].local, repr, history,
                                 lambda y: grad(y, y.parents[0], create_graph=True)])  # fmt: skip
def test_deep_and_memory_08_an_interior_node_dies_with_the_last_output(use):
    for x in (Scalar(1.0), Tensor(1.0)):
        with gc_off():
            inner = tanh(x * 2.0)
            y = inner * 3.0
            use(y)
            alive = weakref.ref(inner)
            del inner
            assert alive() is not None
            del y
            assert alive() is None


def test_deep_and_memory_08_matrices_and_structure_ops_leave_no_cycle_either():
    with gc_off():
        W, x = Tensor(np.ones((2, 2))), Tensor(np.ones((3, 2)))
        inner = linear(x, W)
        y = stack([inner[0], inner.max(axis=0)]).logsumexp() + (inner @ W).T.reshape(-1)[[0, 0]].sum()
        y.backward()
        alive = weakref.ref(inner)
        del inner, y
        assert alive() is None


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_deep_and_memory_09_a_kept_loss_keeps_its_graph_and_a_kept_number_does_not(leaf):
    w, kept, numbers, inner = leaf(0.5), [], [], []
    with gc_off():
        for step in range(20):
            h = tanh(w * 0.3)
            loss = h * h
            loss.backward()
            inner.append(weakref.ref(h))
            kept.append(loss) if step % 2 else numbers.append(loss.item())
        del h, loss
        assert [ref() is not None for ref in inner] == [bool(step % 2) for step in range(20)]
        kept.clear()
        assert all(ref() is None for ref in inner)
    assert all(type(number) is float for number in numbers)


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_deep_and_memory_09_keep_false_leaves_gradients_on_leaves_only(leaf):
    w = leaf(0.5)
    h = tanh(w)
    loss = h * h
    loss.backward(keep=False)
    assert w.grad is not None and h.grad is None and loss.grad is None


def test_deep_and_memory_10_a_hundred_thousand_terms_added_one_by_one():
    def run():
        xs = [Scalar(1.0) for _ in range(100_000)]
        y = sum(xs)
        y.backward()
        return y.data, {x.grad for x in xs}

    assert in_a_small_thread(run) == (100_000.0, {1.0})


def operands_handed_around(f):
    """How many values f() and what it calls receive through *arguments: the work that a wide node can make quadratic."""
    count = 0

    def look(frame, event, argument):
        nonlocal count
        code = frame.f_code
        if event == "call" and code.co_flags & inspect.CO_VARARGS:
            count += len(frame.f_locals[code.co_varnames[code.co_argcount + code.co_kwonlyargcount]])

    sys.setprofile(look)
    try:
        f()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("join", [stack, concatenate])
def test_deep_and_memory_10_a_hundred_thousand_parents_of_one_node(join):
    def wide(n):
        xs = [Tensor(1.0 if join is stack else [1.0]) for _ in range(n)]
        return xs, join(xs).sum()

    assert operands_handed_around(wide(300)[1].backward) < 300 * 20  # linear in edges; else the next lines take minutes
    xs, y = wide(100_000)
    y.backward()
    assert y.data == 100_000.0 and {x.grad.item() for x in xs} == {1.0}


@pytest.mark.parametrize("leaf", [Scalar, Tensor])
def test_deep_and_memory_11_the_second_derivative_of_a_long_chain(leaf):
    def run():
        x = leaf(1.0)
        y = x * 1.0
        for _ in range(2_000):
            y = y + y * 1e-3
        z = y * y
        g = grad(z, x, create_graph=True)
        return float(grad(g, x)), len(history(g))

    second, nodes = in_a_small_thread(run)
    assert second == pytest.approx(2 * 1.001**4000, rel=1e-10) and nodes < 12 * 2_000
