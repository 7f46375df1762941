"""Does it stay right when it is stopped, hurried, repeated for hours, or run elsewhere?  Interrupts, threads, long training, other processes."""

import gc
import hashlib
import math
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from interrupts import at_every_line, lines_of
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Chain, Scalar, Tensor, nn, no_grad, training
from tinygrad_vg.autodiff import core

# --- stopped


def lstm_loss():
    cell, xs = nn.LSTMCell(2, 3, rng=0), np.random.default_rng(1).normal(size=(4, 2))
    h, _ = nn.unroll(cell, xs)[-1]
    return (h * h).sum(), list(cell.parameters().values())


def scalar_loss():
    w, x = Scalar(0.7), Scalar(-0.3)
    y = x
    for _ in range(6):
        y = (w * y + x).tanh() * 1.5
    return y, [w, x]


@pytest.mark.parametrize("model", [lstm_loss, scalar_loss])
@pytest.mark.parametrize("keep", [True, False])
def test_ctrl_c_at_any_of_a_hundred_points_of_backward_leaves_all_gradients_as_before_or_all_complete(model, keep):
    right = gradients(*model(), keep)
    loss, leaves = model()
    loss.backward(keep=keep)
    lines = lines_of(lambda: loss.backward(keep=keep))
    for stop in np.random.default_rng(2).permutation(lines)[:25] + 1:
        loss, leaves = model()
        loss.backward(keep=keep)  # once, so that there is something to spoil
        with pytest.raises(KeyboardInterrupt):
            lines_of(lambda: loss.backward(keep=keep), stop)
        found = [np.array(leaf.grad) for leaf in leaves]
        assert equal(found, right) or equal(found, [2 * g for g in right])
        for leaf in leaves:
            leaf.zero_grad()
        assert equal(gradients(loss, leaves, keep), right)
        count("interrupts of backward")


def gradients(loss, leaves, keep=True):
    loss.backward(keep=keep)
    return [np.array(leaf.grad) for leaf in leaves]


def equal(found, wanted):
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_ctrl_c_at_any_line_leaves_no_lock_behind_for_other_threads():
    def make():
        x = Scalar(2.0)
        y = x * x
        return y.backward, (x, y)

    with ThreadPoolExecutor(1) as pool:
        for x, y in at_every_line(make):
            pool.submit(y.backward).result(timeout=60)
            assert x.grad in (4.0, 8.0)  # once, or twice if it was stopped when all was done
            count("interrupts of backward")


def test_ctrl_c_at_any_line_leaves_a_leaf_with_its_old_value_or_with_the_new_one_and_the_moment_of_it():
    def make():
        x = Tensor([1.0, 2.0])
        y = (x * x).sum()
        return lambda: setattr(x, "data", [3.0, 4.0]), (x, y)

    for x, y in at_every_line(make):
        try:
            y.backward()
        except RuntimeError:  # a leaf was given new data
            assert x.data.tolist() == [3.0, 4.0]
        else:
            assert x.data.tolist() == [1.0, 2.0] and x.grad.tolist() == [2.0, 4.0]
        count("interrupts of an assignment")
    assert x.data.tolist() == [3.0, 4.0]


# --- hurried


@pytest.fixture
def hurried():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("leaf", [Scalar(1.0), Tensor(1.0), Tensor(np.ones(3)), Tensor(np.ones(3_000))], ids=lambda leaf: f"{leaf.size}")
def test_threads_that_share_leaves_lose_no_addition(leaf, hurried):
    threads, calls = 8, 200

    def work(k):
        for _ in range(calls):
            y = leaf * (k + 1.0)
            y.backward(seed=np.ones(leaf.shape) if leaf.size > 1 else 1.0)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert np.all(leaf.grad == calls * sum(range(1, threads + 1)))
    count("backward passes onto shared leaves", threads * calls)


def test_threads_that_go_back_through_one_graph_lose_no_addition(hurried):
    loss, leaves = lstm_loss()
    loss.backward()
    right = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.zero_grad()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [loss.backward() for _ in range(16)], range(8)))
    for leaf, g in zip(leaves, right):
        assert leaf.grad == pytest.approx(128 * g, rel=1e-13, abs=1e-300)
    count("backward passes onto shared leaves", 128)


def test_a_signal_handler_may_call_backward_while_backward_fills():
    if not hasattr(signal, "setitimer"):
        pytest.skip("signals by the clock need POSIX")
    x, w, came = Scalar(2.0), Scalar(3.0), []
    y, z = x * x, w * w

    def handler(*_):
        z.backward()
        came.append(1)

    def alarm(*_):
        handler()
        signal.setitimer(signal.ITIMER_REAL, 2e-4)  # the next, so that none comes into a handler

    with core.filling:
        handler()  # in the middle of filling, for certain
    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 2e-4)
    calls = 0
    try:
        while len(came) < 300:
            y.backward()
            calls += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert x.grad == 4.0 * calls and w.grad == 6.0 * len(came)
    count("signals in backward", len(came))


FORKED = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")  # of forks beside threads
from tinygrad_vg import Scalar
sys.setswitchinterval(1e-6)
x, stop = Scalar(2.0), []

def work():
    y = x * x
    while not stop:
        y.backward()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
done = 0
for _ in range(100):
    child = os.fork()
    if not child:
        w = Scalar(3.0)
        (w * w * x).backward()
        helper = threading.Thread(target=(w * w).backward)
        helper.start()
        helper.join()
        os._exit(7 if w.grad == 18.0 else 1)
    done += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
stop.append(1)
for thread in threads:
    thread.join()
print(done)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_threads_fill_leaves_a_child_that_can_fill():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120)
    assert done.stdout == "100\n", done.stderr
    count("forks beside threads in backward", 100)


def one_of_many(seed):
    """A graph of its own, its gradients as bytes; now and then under no_grad, and with an error in between."""
    rng = np.random.default_rng(seed)
    W, x, s = Tensor(rng.normal(size=(3, 3))), Tensor(rng.normal(size=3)), Scalar(float(rng.normal()))
    with no_grad():
        silent = vg.tanh(x)
    y = (vg.tanh(vg.linear(x, W)) * silent.data + vg.sigmoid(x)).sum()
    y.backward()
    try:
        vg.linear(x, x)
    except ValueError:
        pass
    z = (s * s).sigmoid() + s
    z.backward()
    return W.grad.tobytes() + x.grad.tobytes() + repr(s.grad).encode()


def test_eight_threads_with_a_thousand_graphs_each_give_what_one_thread_gives():
    alone = [one_of_many(seed) for seed in range(1_000)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [one_of_many(seed) for seed in range(1_000)], range(8)))
    count("graphs made in threads", sum(map(len, together)))
    assert all(answers == alone for answers in together)


def test_no_grad_in_one_thread_lets_the_others_record():
    with ThreadPoolExecutor(1) as pool, no_grad():
        assert pool.submit(lambda: len((Scalar(2.0) * 3.0).parents)).result() == 2
        assert (Scalar(2.0) * 3.0).parents == ()


# --- repeated


def test_ten_thousand_training_steps_take_no_more_memory_than_a_thousand_and_raise_no_false_alarm():
    net = nn.MLP([2, 4, 1], rng=0)
    optimiser = training.Adam(net.parameters(), lr=1e-3)
    x, target = np.random.default_rng(0).normal(size=(4, 2)), np.ones((4, 1))

    def step():
        loss = nn.mse(net(x), target)
        optimiser.zero_grad()
        loss.backward(keep=False)
        optimiser.step()
        return loss.item()

    gc.collect()
    gc.disable()  # what only the collector could free would pile up
    tracemalloc.start()
    try:
        first = [step() for _ in range(1_000)][0]
        early = tracemalloc.get_traced_memory()[0]
        for _ in range(9_000):
            last = step()
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.enable()
    count("training steps", 10_000)
    assert abs(late - early) < 2**20
    assert last < first / 10


# --- run elsewhere

PROGRAM = """
import json, numpy as np, tinygrad_vg as vg
from tinygrad_vg import nn, Chain, draw, uses, verdict, explain
cell, readout = nn.RNNCell(2, 4, rng=0), nn.Linear(4, 2, rng=1, name="out")
states = nn.unroll(cell, np.random.default_rng(3).normal(size=(6, 2)))
loss = nn.cross_entropy(readout(states[-1]), 1).named("loss")
chain = Chain(loss, states[0], through=states)
loss.backward()
w, x = vg.Scalar(0.9, name="w"), vg.Scalar(0.5, name="x")
y = (w * x).tanh() + w * w
texts = [chain, chain.blame(), chain.spectrum(), uses(loss, cell.W_hh), verdict(loss, states[0]), explain(loss), vg.paths(y, w)]
for name, leaf in {**cell.parameters(), **readout.parameters()}.items():
    print(name, leaf.grad.tobytes().hex())
for result in texts:
    print(result, json.dumps(result.to_dict()) if hasattr(result, "to_dict") else "")
for drawing in (draw(loss), draw(y)):
    drawing.save("picture.html")
    print(drawing.dot, drawing.svg, open("picture.html", encoding="utf-8").read())
"""


def test_the_same_program_prints_draws_and_computes_the_same_bits_in_every_process_and_with_every_hash_seed(tmp_path):
    prints = set()
    for seed in range(4):
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        prints.add(hashlib.sha256(done.stdout).hexdigest())
        count("processes that print the same")
    assert len(prints) == 1


# --- printed


def test_the_factors_of_a_printed_chain_multiply_back_to_the_gradient_and_nothing_that_is_not_zero_prints_as_zero():
    rng = np.random.default_rng(4)
    for _ in range(40):
        w, x = Scalar(float(rng.uniform(-1.5, 1.5)), name="w"), Scalar(float(rng.normal()), name="x")
        h = x
        for t in range(1, 1 + int(rng.integers(2, 10))):
            h = (w * h).sigmoid().named("h", t) if rng.random() < 0.5 else (w * h).tanh().named("h", t)
        chain = Chain(h, x)
        h.backward()
        assert math.prod(float(link.local) for link in chain.links) == pytest.approx(x.grad, rel=1e-12)
        rows = re.findall(r" (\S+) +-?[\d.e+-]+(?: +[█▉-▏»]+)?$", str(chain).rpartition("\nbar:")[0], re.MULTILINE)
        gains = [link["gain"] for link in reversed(chain.to_dict()["links"])]
        assert [float(row) for row in rows] == pytest.approx(gains, rel=6e-3)
        assert math.prod(gains) == pytest.approx(abs(x.grad), rel=1e-12)
        count("printed chains multiplied back")
