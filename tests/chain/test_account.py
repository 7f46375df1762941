"""One account for blame and verdict: both say the same, the parts add up whatever cancels, and little is left as "other"."""

import glob
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Chain, Scalar, Tensor, exp, grad, history, linear, nn, relu, scalars, sigmoid, softmax, square, tanh, verdict
from tinygrad_vg.chain.account import by_place, walk_through
from tinygrad_vg.chain.factors import KINDS, kind_of
from tinygrad_vg.chain.stations import paths_between

# ---- blame is the verdict's account, term by term


def account_of_verdict(loss, prediction, source, through=None):
    """(the verdict's numbers by kind, blame's parts): the part of the loss left out, which is the seed's."""
    numbers = verdict(loss, source).numbers
    blame = Chain(prediction, source, through, seed=grad(loss, prediction)).blame()
    assert blame.ended is None
    assert blame.total == pytest.approx(numbers["log_gain"], abs=1e-9)
    return np.array([numbers[kind] for kind in KINDS]), np.array([blame.parts[kind] for kind in KINDS])


def agree(loss, prediction, source, through=None):
    told, blamed = account_of_verdict(loss, prediction, source, through)
    np.testing.assert_allclose(told, blamed, rtol=0, atol=1e-9 * (1 + np.abs(blamed).sum()))
    count("accounts of blame and verdict compared")


def random_mlp(seed):
    rng = np.random.default_rng(seed)
    one_of = lambda *choices: choices[rng.integers(len(choices))]  # noqa: E731
    depth, width, batch = rng.integers(1, 6), int(rng.integers(2, 8)), int(rng.integers(2, 8))
    net = nn.MLP(
        [3, *[width] * depth, 2], one_of("tanh", "sigmoid", "gelu", "leaky_relu", "softplus"), one_of("xavier", "he", "orthogonal"),
        one_of(None, "batch", "layer"), one_of(False, True, 0.5), dropout=one_of(0.0, 0.2), rng=seed,
    )  # fmt: skip
    x = Tensor(rng.normal(size=(batch, 3)), name="x")
    out = net(x)
    loss = one_of(lambda: nn.mse(out, rng.normal(size=(batch, 2))), lambda: nn.cross_entropy(out, rng.integers(0, 2, batch)))()
    return loss, out, x


def of_numbers(seed):
    """A network of Scalars, judged from one of its inputs."""
    rng = np.random.default_rng(seed)
    x = scalars(rng.normal(size=3))
    out = nn.MLP([3, *[3] * rng.integers(1, 4), 1], "tanh", residual=bool(seed % 2), leaf=scalars, rng=seed)(x)
    return nn.mse(out, np.ones(1)), out[0], x[seed % 3]


CELLS = {
    "RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "leaky": lambda *n, **o: nn.LeakyCell(*n, tau=4, **o),
    "stacked": lambda n_in, n, **o: nn.Stacked([nn.GRUCell(n_in, n, **o), nn.RNNCell(n, n, name="2", **o)]),
}  # fmt: skip


def random_recurrence(name):
    """From the loss at the last step back to what the first state was."""

    def make(seed):
        rng = np.random.default_rng(seed)
        n, T = int(rng.integers(2, 6)), int(rng.integers(2, 9))
        cell = CELLS[name](3, n, rng=seed)
        h = Tensor(rng.normal(size=n) * 0.5, name="h0")
        state = (h, *cell.initial_state()[1:]) if name in ("LSTM", "stacked") else h
        out = cell.output(nn.unroll(cell, rng.normal(size=(T, 3)), state)[-1])
        return nn.mse(out, np.ones(n)), out, h

    return make


def random_attention(seed):
    rng = np.random.default_rng(seed)
    x = Tensor(rng.normal(size=(int(rng.integers(2, 7)), 4)), name="x")
    out = attended(x, rng, causal=bool(seed % 2))
    out = x + out if seed % 3 else out
    return nn.mse(out, rng.normal(size=x.shape)), out, x


def attended(x, rng, causal=False):
    n, d = x.shape
    q, k, v = (x @ Tensor(rng.normal(size=(d, d)) / math.sqrt(d), name=name) for name in ("W_q", "W_k", "W_v"))
    mask = np.triu(np.full((n, n), -np.inf), 1) if causal else 0.0
    return softmax(q @ k.T / math.sqrt(d) + mask) @ v


def side_by_side(seed):
    """Two recurrent layers, and between them ops on all steps in one array."""
    rng, n = np.random.default_rng(seed), 4
    T, x = int(rng.integers(3, 9)), Tensor(rng.normal(size=(2, 3)), name="x")
    hs = nn.unroll(nn.RNNCell(3, n, rng=seed), [x, *rng.normal(size=(T - 1, 2, 3))])[1:]
    all_steps = vg.stack(hs, axis=(0, 1, 1)[seed % 3])
    y = (relu(all_steps) + all_steps, nn.LayerNorm(n)(tanh(all_steps)), linear(all_steps, Tensor(rng.normal(size=(n, n)), name="V")))[seed // 3 % 3]
    y, T = (y, T) if seed % 2 else (y[1:], T - 1) if seed % 3 == 0 else (y[:, 1:], T - 1)  # a selection of a selection
    out = nn.unroll(nn.GRUCell(n, n, rng=seed), [y[t] if seed % 3 == 0 else y[:, t] for t in range(T)])[-1]
    return nn.mse(out, rng.normal(size=(2, n))), out, x


RANDOM = {"MLP": random_mlp, "side by side": side_by_side, "numbers": of_numbers, "attention": random_attention, **{name: random_recurrence(name) for name in CELLS}}
HOW_MANY = {"MLP": 60, "side by side": 18, "numbers": 16, "attention": 20}


@pytest.mark.parametrize("name", RANDOM)
def test_blame_is_the_verdicts_account_term_by_term(name):
    for seed in range(HOW_MANY.get(name, 8)):
        agree(*RANDOM[name](seed))
        agree(*RANDOM[name](seed), through=[])


@pytest.mark.parametrize("name", RANDOM)
def test_by_place_it_is_the_same_account(name):
    """Each op a place of its own, or each kind of op: over all places the nats add up to blame's parts."""
    for seed in range(HOW_MANY.get(name, 8) // 4):
        loss, _, x = RANDOM[name](seed)
        chain = Chain(loss, x)
        for where in (lambda node: node.op, lambda node: str(node.birth % 7)):
            places = by_place(walk_through(chain.links, chain.directions[-1], where).together([x]).account)
            sums = {kind: math.fsum(nats[kind] for nats in places.values()) for kind in KINDS}
            assert math.fsum(sums.values()) == pytest.approx(chain.log_product[0], abs=1e-9 * (1 + sum(map(abs, sums.values()))))
            assert len(places) > 2 and min(nats["factors"] for nats in places.values()) >= 0


def test_of_two_lines_that_share_a_state_each_costs_its_own():
    """An LSTM's h and c are both handed to another: no node lies between the two, and yet each is told its own part."""
    first, second = (nn.LSTMCell(n, 4, forget_bias=bias, rng=0) for n, bias in ((3, -2.0), (2, 3.0)))
    x = np.random.default_rng(0).normal(size=(20, 3))
    handed = nn.unroll(first, x)
    state = nn.unroll(second, np.zeros((8, 2)), handed[-1])[-1]
    chain = Chain(nn.mse(state[0], np.ones(4)), handed[0][1])
    early = {*history(handed[-1][0]), *history(handed[-1][1])}
    places = by_place(walk_through(chain.links, chain.directions[-1], lambda node: "first" if node in early else "second").together(
        chain.stations[0]).account)
    took = {place: sum(nats.values()) - nats["factors"] for place, nats in places.items()}
    assert took["first"] < -30 and took["second"] > -8 and sum(took.values()) == pytest.approx(chain.log_product[0], abs=1e-9)


def test_a_weight_judged_at_its_use_is_blamed_from_that_node():
    net = nn.MLP([3, 5, 5, 2], "sigmoid", rng=0)
    out = net(np.random.default_rng(0).normal(size=(6, 3)))
    loss = nn.mse(out, np.ones((6, 2)))
    for leaf in (net.layer1.W, net.layer2.W, net.layer2.b):
        use = next(node for node in history(out) if leaf in set(node.variables))
        numbers = verdict(loss, net).parts[list(net.parameters()).index(leaf.name.base)].numbers
        parts = Chain(out, use, seed=grad(loss, out)).blame().parts
        assert [numbers[kind] for kind in KINDS] == pytest.approx([parts[kind] for kind in KINDS], abs=1e-9)


# What is one factor but has a station within, where the chain is cut.
X, W = np.random.default_rng(0).normal(size=(5, 4)), np.random.default_rng(1).normal(size=(4, 4))
SPLIT = {
    "softmax of the output": lambda z: softmax(z),
    "softmax by hand": lambda z: by_hand(z),
    "sigmoid by hand": lambda z: linear(1 / (1 + exp(-z)), W),
    "softplus by hand": lambda z: linear(vg.log(1 + exp(z)), W),
    "attention's scores": lambda z: softmax(z @ W / 2) @ np.ones((4, 4)) * X,
}


def by_hand(z):
    e = exp(z)
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize("through", [[], None], ids=["in one link", "cut at every station"])
def test_a_softmax_or_an_activation_written_in_ops_is_one_factor_however_the_chain_is_cut(name, through):
    x = Tensor(X, name="x")
    out = SPLIT[name](linear(x, W))
    agree(nn.mse(out, np.random.default_rng(2).normal(size=(5, 4))), out, x, through)


# ---- the parts add up


def scalar_ops(a, b):
    return [
        lambda: a * b + 0.5, lambda: a + b, lambda: tanh(a), lambda: relu(a), lambda: a - 0.5 * b, lambda: square(b) * 0.3,
        lambda: a * a * 0.2, lambda: a**3 * 0.1, lambda: sigmoid(b), lambda: a / (b * b + 1.0), lambda: vg.maximum(a, b), lambda: -a * 2.0,
        lambda: a - a, lambda: a * 2.0 - (a + a),                                    # cancels exactly
        lambda: (a * 0.1) * 3.0 - a * 0.3, lambda: -(a * 0.3) + (a * 0.1) * 3.0,     # to rounding
        lambda: a * (1 + 1e-8) - a, lambda: b + (a - a * (1 - 1e-8)),                # by a factor 1e-8
    ]  # fmt: skip


def tensor_ops(a, b):
    W = np.array([[0.9, -0.4, 0.2], [0.3, 0.8, -0.7], [-0.5, 0.1, 1.1]])
    more = [
        lambda: a - a.mean(axis=1, keepdims=True), lambda: a + b.sum(axis=0), lambda: linear(a, W), lambda: a @ W * 0.5,
        lambda: a * b.mean(), lambda: (a.T @ b) @ np.ones(3) + b, lambda: a[:, ::-1] * b, lambda: vg.concatenate([a[:1], b[1:]]),
    ]  # fmt: skip
    return [*scalar_ops(a, b), *more]


def block_ops(a, b):
    """With what is walked in one step beside other ways, and a node that is used whole and in part."""
    return [*tensor_ops(a, b), lambda: softmax(a), lambda: nn.LayerNorm(3)(a), lambda: by_hand(a) - b, lambda: a * b[0]]


def random_graph(seed, ops, scalar=False, source="x"):
    """(source, output, seed): a dozen ops at random, each on two of the last four results."""
    rng = np.random.default_rng(seed)
    x = Scalar(rng.normal(), name="x") if scalar else Tensor(rng.normal(size=(2, 3)), name="x")
    pool = [x]
    with np.errstate(all="ignore"):
        for _ in range(rng.integers(3, 14)):
            a, b = (pool[i] for i in rng.integers(max(0, len(pool) - 4), len(pool), 2))
            choices = ops(a, b)
            pool.append(choices[rng.integers(len(choices))]())
    return pool[0], pool[-1], rng.normal() if scalar else rng.normal(size=pool[-1].shape)


def missed(blame):
    """|Σ parts − total|, in units of what is allowed."""
    return abs(math.fsum(blame.parts.values()) - blame.total) / (1e-9 * (1 + math.fsum(map(abs, blame.parts.values()))))


def tried(ops, seeds, scalar=False):
    """(the seeds of blames that do not add up, of which those where nothing cancelled to rounding; how many did not end, and cancelled)."""
    wrong, plainly_wrong, whole, rounded = [], [], 0, 0
    for seed in seeds:
        x, y, g = random_graph(seed, ops, scalar)
        if x is y or x not in set(history(y)):
            continue
        blame = Chain(y, x, seed=g).blame()
        if blame.ended is None:
            rounds = any(merge["rounding"] for merge in blame.merges)
            whole, rounded = whole + 1, rounded + rounds
            if not missed(blame) <= 1:
                wrong.append(seed)
                plainly_wrong += [] if rounds else [seed]
    count("random graphs whose blame adds up", whole - len(wrong))
    return wrong, plainly_wrong, whole, rounded


def test_the_parts_add_up_in_random_graphs_of_numbers_whatever_cancels():
    wrong, _, whole, rounded = tried(scalar_ops, range(900), scalar=True)
    assert not wrong, wrong
    assert whole > 350 and rounded > 80, (whole, rounded)


@pytest.fixture(scope="module")
def of_tensors():
    return tried(tensor_ops, range(1100))


@pytest.fixture(scope="module")
def of_blocks():
    return tried(block_ops, range(450))


def test_the_parts_add_up_in_random_graphs_of_tensors_where_no_sum_cancels_to_rounding(of_tensors):
    _, wrong, whole, rounded = of_tensors
    assert not wrong, wrong
    assert whole > 600 and rounded > 120, (whole, rounded)


@pytest.mark.parametrize("graphs", ["of_tensors", "of_blocks"])
def test_the_parts_add_up_in_random_graphs_of_tensors_where_sums_cancel_to_rounding(graphs, request):
    wrong, _, whole, _ = request.getfixturevalue(graphs)
    assert not wrong and whole > 250, wrong


def kernel_of(lib):
    """Which kernels the BLAS of this process uses, in its own words."""
    return f"import ctypes; f = ctypes.CDLL({lib!r}).scipy_openblas_get_corename64_; f.restype = ctypes.c_char_p; kernel = f().decode()"


@pytest.mark.parametrize("kernel", ["Haswell", "Sandybridge", "Prescott"])
def test_the_parts_add_up_with_another_kernel_of_the_blas(kernel):
    libs = glob.glob(str(Path(np.__file__).parents[1] / "numpy.libs" / "*scipy_openblas64*"))
    if not libs:
        pytest.skip("this NumPy brings no OpenBLAS of its own, so its kernel cannot be chosen")
    code = (
        f"{kernel_of(libs[0])}\nimport json, sys; sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}\n"
        "import test_account as t\n"
        "print(json.dumps([kernel, t.tried(t.tensor_ops, range(2000, 2150)), t.not_adding_up(range(200))]))"
    )
    env = os.environ | {"OPENBLAS_CORETYPE": kernel}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    used, (_, wrong, whole, rounded), sums = json.loads(done.stdout)
    if used not in (kernel, {"Prescott": "Katmai"}.get(kernel)):
        pytest.skip(f"the BLAS does not know the kernel {kernel}, or the processor cannot run it; it took {used}")
    assert not wrong and whole > 60 and rounded > 15, (used, wrong, whole, rounded)
    assert not sums, sums


def not_adding_up(seeds):
    """Matrix products that cancel to rounding, each in one path: which of their blames do not add up."""
    wrong = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        W, x = rng.normal(size=(9, 7)), Tensor(rng.normal(size=(5, 9)), name="x")
        y = ((x @ W) * 0.1) * 3.0 - (x @ W) * 0.3 if seed % 2 else x @ (W * 0.1) * 3.0 - x @ (W * 0.3)
        blame = Chain(y, x, seed=rng.normal(size=y.shape)).blame()
        wrong += [seed] if blame.ended is None and not missed(blame) <= 1 else []
    return wrong


# what cancels to rounding where a sum is taken in another order than the sweep's
EARLIER = {
    "products of a weight, summed as one": lambda x, W: ((x @ W * 0.1).sum() * 3.0 - (x @ W).sum() * 0.3, W),
    "a normalisation beside another way": lambda x, W: (nn.LayerNorm(3)(x).sum() + ((x * 0.1) * 3.0 - x * 0.3).sum(), x),
    "two normalisations": lambda x, W: (((nn.LayerNorm(3)(x) * W * 0.1) * 3.0 - nn.LayerNorm(3)(x) * W * 0.3).sum(), x),
    "whole and in part": lambda x, W: (((x * 0.1) * 3.0 - x * 0.3 + x[0] * 0.1 * 3.0 - x[0] * 0.3).sum(), x),
    "softmax and itself": lambda x, W: (((softmax(x) * W * 0.1) * 3.0 - softmax(x) * W * 0.3).sum(), x),
}


@pytest.mark.parametrize("name", EARLIER)
def test_the_parts_add_up_where_the_sweep_adds_in_another_order(name):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        W, x = Tensor(rng.normal(size=(3, 3)), name="W"), Tensor(rng.normal(size=(3, 3)), name="x")
        y, source = EARLIER[name](x, W)
        blame = Chain(y, source).blame()
        assert blame.ended is not None or missed(blame) <= 1, (seed, blame.total, math.fsum(blame.parts.values()), blame.parts)


def two_back(a, b, steps=3000, by=0.3):
    """h_t = by · (h_{t−1} + h_{t−2}): no node stops every path, so that all of it is one link."""
    for _ in range(steps):
        a, b = b, by * a + by * b
    return b


WITHIN = {
    "stuck at the smallest number": lambda x: (two_back(x, tanh(x)), None),
    "below it": lambda x: (two_back(x, tanh(x), by=0.1), None),
    "above the largest on the way": lambda x: (x * 1e-200 * 1e-200 * 1e200 * 1e200, []),
}


@pytest.mark.parametrize("name", WITHIN)
def test_one_link_is_followed_below_and_above_what_a_float_can_hold(name):
    x = Scalar(0.5, name="x")
    y, through = WITHIN[name](x)
    blame = Chain(y, x, through).blame()
    assert blame.ended is None and missed(blame) <= 1, (blame.total, math.fsum(blame.parts.values()), blame.ended)


def test_the_parts_add_up_in_float32():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = Tensor(rng.normal(size=(2, 3)).astype(np.float32), name="x")
        blame = Chain(square(tanh(x @ rng.normal(size=(3, 3)))).sum(), x).blame()
        assert missed(blame) <= 1, (seed, missed(blame))


ROUNDED = {
    "as it is": lambda x: (x * 0.1) * 3.0 - x * 0.3,
    "the other way round": lambda x: -(x * 0.3) + (x * 0.1) * 3.0,
    "the later first": lambda x: (lambda b: (x * 0.1) * 3.0 - b)(x * 0.3),
}


@pytest.mark.parametrize("leaf", [Scalar, lambda value, name: Tensor(np.full((2, 3), value), name=name)], ids=["Scalar", "Tensor"])
@pytest.mark.parametrize("name", ROUNDED)
def test_what_is_left_of_branches_that_cancel_is_rounding_and_the_parts_still_add_up(name, leaf):
    x = leaf(0.7, name="x")
    f = ROUNDED[name](x)
    chain = Chain(f, x, seed=np.ones(f.shape) if f.shape else None)
    blame = chain.blame()
    assert 0.1 * 3.0 - 0.3 == 2**-54 and chain.log_product[0] == blame.total == pytest.approx(-54 * math.log(2), rel=1e-12)  # −37.4
    assert missed(blame) <= 1 and blame.ended is None
    assert blame.parts["merge"] == pytest.approx(blame.total - math.log(0.3), abs=1e-9)
    assert [merge["rounding"] for merge in blame.merges] == [True]
    assert f"{blame.total:.1f}" == "-37.4"


def test_what_cancels_by_a_factor_that_is_no_rounding_is_not_called_so():
    x = Scalar(0.7, name="x")
    blame = Chain(x * (1 + 1e-8) - x, x).blame()
    assert [merge["rounding"] for merge in blame.merges] == [False]
    assert blame.total == pytest.approx(math.log(1e-8), abs=1e-6) and missed(blame) <= 1
    assert blame.merges[0]["interference"] == pytest.approx(math.log(1e-8 / math.sqrt(2)), abs=1e-6)
    assert blame.parts["scale"] == pytest.approx(1, abs=1e-6)  # the share of the branch is 1e8, and its own gain 1e-8 nats


# ---- what is left as "other" of the commonest models

RNG = np.random.default_rng(7)
MODELS = {}


def model(name):
    return lambda make: MODELS.setdefault(name, make)


def inputs(n=16, d=4):
    return Tensor(RNG.normal(size=(n, d)), name="x")


def classified(net, x):
    return nn.cross_entropy(net(x), np.arange(len(x.data)) % 2), x


for activation in ("sigmoid", "tanh", "relu", "gelu"):
    model(f"MLP, {activation}, cross entropy")(lambda activation=activation: classified(nn.MLP([4, 8, 8, 2], activation), inputs()))
for remedy in ({"norm": "batch"}, {"norm": "layer"}, {"dropout": 0.3}, {"residual": True}):
    model(f"MLP, {remedy}")(lambda remedy=remedy: classified(nn.MLP([4, 8, 8, 8, 2], **remedy), inputs()))


@model("MLP, mean squared error")
def regressed():
    x = inputs()
    return nn.mse(nn.MLP([4, 8, 8, 2])(x), RNG.normal(size=(16, 2))), x


UNROLLED = {
    "tanh": lambda: nn.RNNCell(3, 5), "relu": lambda: nn.RNNCell(3, 5, activation="relu"), "leaky": lambda: nn.LeakyCell(3, 5, tau=5),
    "skip": lambda: nn.SkipCell(3, 5, delay=3), "LSTM": lambda: nn.LSTMCell(3, 5), "GRU": lambda: nn.GRUCell(3, 5),
    "LRU": lambda: nn.LRUCell(3, 6), "minGRU": lambda: nn.MinGRUCell(3, 5), "selective": lambda: nn.SelectiveCell(3, 5),
    "stacked LSTM": lambda: nn.Stacked([nn.LSTMCell(3, 5), nn.LSTMCell(5, 5, name="2")]),
}  # fmt: skip


def unrolled(name, every=False):
    x, cell = inputs(8, 3), UNROLLED[name]()
    states = nn.unroll(cell, x)
    outs = [cell.output(state) for state in states[1:]]
    return sum(nn.mse(out, np.ones(out.shape)) for out in (outs if every else outs[-1:])), x


for cell in UNROLLED:
    model(f"recurrent, {cell}")(lambda cell=cell: unrolled(cell))
model("recurrent, tanh, loss at every step")(lambda: unrolled("tanh", every=True))
model("recurrent, LSTM, loss at every step")(lambda: unrolled("LSTM", every=True))


@model("self-attention")
def attention(causal=False):
    x = inputs(6, 4)
    return nn.mse(attended(x, RNG, causal), np.ones((6, 4))), x


model("causal attention, −inf mask")(lambda: attention(causal=True))


@model("transformer block, norms first")
def block():
    x, d = inputs(6, 4), 4
    h = x + attended(nn.LayerNorm(d)(x), RNG, causal=True)
    W1, W2 = Tensor(RNG.normal(size=(16, d)) / 2, name="W1"), Tensor(RNG.normal(size=(d, 16)) / 4, name="W2")
    out = h + linear(vg.gelu(linear(nn.LayerNorm(d)(h), W1)), W2)
    return nn.cross_entropy(out, np.arange(6) % 4), x


@model("two heads, by reshape and transpose")
def heads():
    x, W = inputs(6, 4), [Tensor(RNG.normal(size=(4, 4)) / 2, name=name) for name in ("W_q", "W_k", "W_v", "W_o")]
    q, k, v = (np.transpose((x @ w).reshape(6, 2, 2), (1, 0, 2)) for w in W[:3])
    mixed = softmax(q @ np.swapaxes(k, 1, 2) / math.sqrt(2)) @ v
    return nn.mse(np.transpose(mixed, (1, 0, 2)).reshape(6, 4) @ W[3], np.ones((6, 4))), x


@model("attention by einsum")
def by_einsum():
    x, W = inputs(6, 4), [Tensor(RNG.normal(size=(4, 2, 2)) / 2, name=name) for name in ("W_q", "W_k", "W_v")]
    q, k, v = (vg.einsum("td,dhe->hte", x, w) for w in W)
    p = softmax(vg.einsum("hte,hse->hts", q, k) / math.sqrt(2))
    return square(vg.einsum("hts,hse->the", p, v) - 1.0).mean(), x


def leaf_w(*shape):
    return Tensor(RNG.normal(size=shape) / 2, name="W")


@model("logistic regression")
def logistic():
    x, y = inputs(), np.arange(16) % 2
    p = sigmoid(x @ leaf_w(4))
    return -(y * vg.log(p) + (1 - y) * vg.log(1 - p)).mean(), x


@model("linear regression")
def linear_regression():
    x = inputs()
    return square(x @ leaf_w(4) + 0.3 - RNG.normal(size=16)).mean(), x


@model("autoencoder")
def autoencoder():
    x = inputs()
    return nn.mse(nn.MLP([4, 6, 2, 6, 4])(x), x.data), x


@model("hinge loss")
def hinge():
    x, y = inputs(), np.where(np.arange(16) % 2, 1.0, -1.0)
    return vg.maximum(0.0, 1 - y * (tanh(x @ leaf_w(4, 6)) @ leaf_w(6))).mean(), x


@model("Huber loss")
def huber():
    x, y = inputs(), RNG.normal(size=16)
    e = tanh(x @ leaf_w(4, 6)) @ leaf_w(6) - y
    return vg.where(np.abs(e.data) < 1, 0.5 * square(e), vg.abs(e) - 0.5).mean(), x


@model("softmax written by hand")
def softmax_by_hand():
    x = inputs()
    z = tanh(x @ leaf_w(4, 6)) @ leaf_w(6, 3)
    p = by_hand(z - z.data.max(axis=1, keepdims=True))
    return -vg.log(p[np.arange(16), np.arange(16) % 3]).mean(), x


@model("variational autoencoder, Gaussian likelihood")
def variational():
    x = inputs()
    h = tanh(x @ leaf_w(4, 6))
    mu, logvar = h @ leaf_w(6, 2), h @ leaf_w(6, 2)
    z = mu + exp(0.5 * logvar) * RNG.normal(size=(16, 2))
    mean, log_s = tanh(z @ leaf_w(2, 6)) @ leaf_w(6, 4), tanh(z @ leaf_w(2, 6)) @ leaf_w(6, 4)
    likelihood = (0.5 * square((mean - x.data) / exp(log_s)) + log_s).sum(axis=1).mean()
    return likelihood + 0.5 * (exp(logvar) + square(mu) - 1 - logvar).sum(axis=1).mean(), x


@model("embedding, W[indices]")
def embedding():
    E = leaf_w(10, 4)
    return nn.cross_entropy(nn.MLP([4, 8, 2])(E[np.arange(12) % 7]), np.arange(12) % 2), E


@model("embedding by take, mean over words")
def embedding_by_take():
    E = leaf_w(10, 4)
    words = vg.take(E, np.arange(12).reshape(4, 3) % 7, axis=0)
    return nn.cross_entropy(nn.MLP([4, 8, 2])(words.mean(axis=1)), np.arange(4) % 2), E


@model("pooling: max over time")
def max_pooled():
    x = inputs()
    h = tanh(x @ leaf_w(4, 6))
    return nn.cross_entropy(vg.max(h, axis=0) @ leaf_w(6, 2), 1), x


@model("cosine similarity")
def cosine():
    x = inputs()
    a, b = tanh(x @ leaf_w(4, 6)), tanh(x @ leaf_w(4, 6))
    return (1 - (a * b).sum(axis=1) / vg.sqrt(square(a).sum(axis=1) * square(b).sum(axis=1))).mean(), x


@model("convolution of one dimension, by windows")
def convolution():
    x = inputs(12, 2)
    windows = np.stack([vg.getitem(x, slice(k, k + 3)).reshape(6) for k in range(10)])
    return square(relu(windows @ leaf_w(6, 4)).mean(axis=0) @ leaf_w(4, 1) - 1.0).sum(), x


@model("binary cross entropy from logits")
def from_logits():
    x, y = inputs(), np.arange(16) % 2
    z = tanh(x @ leaf_w(4, 6)) @ leaf_w(6)
    return (vg.softplus(z) - y * z).mean(), x


@pytest.mark.parametrize("name", MODELS)
def test_less_than_a_twentieth_of_the_nats_of_a_common_model_is_other(name):
    output, source = MODELS[name]()
    blame = Chain(output, source).blame()
    assert blame.ended is None and missed(blame) <= 1
    share = abs(blame.parts["other"]) / math.fsum(map(abs, blame.parts.values()))
    count(f"% other in {name}", round(100 * share, 1))
    path = paths_between(source, output)
    edges = {f"{node.op}, operand {e.index}" for node in path for e in node.edges if e.parent in set(path) and kind_of(node, e.index) == "other"}
    assert share < 0.05, (share, edges)
