"""Blame is exact: its parts add up to the log of the gain, they are what theory says, and an end is named."""

import json
import math
import pathlib

import numpy as np
import pytest

from tinygrad_vg import Chain, Scalar, Tensor, concatenate, einsum, history, linear, nn, relu, scalars, sigmoid, square, tanh
from tinygrad_vg.nn import init

ENTRIES = json.loads((pathlib.Path(__file__).parents[1] / "data" / "reference_blame.json").read_text(encoding="utf-8"))
KEYS = {"act_size": "activation size", "act_align": "activation alignment", "w_size": "weight size", "w_align": "weight alignment"}


def adds_up(chain):
    """The chain's blame, after its sums have been checked: over kinds, over links, and each row over its kinds."""
    blame = chain.blame()
    allowed = 1e-9 * (1 + sum(map(abs, blame.parts.values())))
    assert blame.ended is None
    assert blame.total == chain.log_product[0]
    assert math.fsum(blame.parts.values()) == pytest.approx(blame.total, abs=allowed)
    assert [row["link"] for row in blame.by_link] == [link.name for link in chain.links]
    for row, link in zip(blame.by_link, chain.links):
        assert row["total"] == pytest.approx(math.log(link.gain), abs=1e-9 * (1 + sum(map(abs, row["parts"].values()))))
    for merge in blame.merges:
        assert math.fsum(share for _, share in merge["shares"]) == pytest.approx(1, abs=1e-9 * (1 + merge["negative"]))
    return blame


# ---- the parts add up


def random_graph(seed, leaf, ops):
    rng = np.random.default_rng(seed)
    pool = [leaf(rng)]
    for _ in range(rng.integers(3, 25)):
        a, b = (pool[i] for i in rng.integers(max(0, len(pool) - 4), len(pool), 2))
        pool.append(ops(a, b)[rng.integers(6)])
    return pool[0], pool[-1]


def scalar_graph(seed):
    return random_graph(
        seed, lambda rng: Scalar(0.3, name="x"), lambda a, b: [a * b + 0.5, a + b, tanh(a), a - 0.5 * b, sigmoid(b), a * 1.5]
    )


def tensor_graph(seed):
    W = Tensor(np.random.default_rng(seed).normal(size=(3, 3)), name="W")
    start = lambda rng: Tensor(rng.normal(size=(2, 3)), name="x")  # noqa: E731
    return random_graph(
        seed, start, lambda a, b: [a * b + 0.5, a + b, tanh(a), linear(a, W), sigmoid(b) * a, a.mean(axis=1, keepdims=True) - b]
    )


@pytest.mark.parametrize("graph", [scalar_graph, tensor_graph])
def test_blame_adds_up_in_random_graphs(graph):
    checked = ended = 0
    for seed in range(300):
        x, y = graph(seed)
        if x not in set(history(y)) or x is y:
            continue
        with np.errstate(all="ignore"):
            chain = Chain(y, x, seed=np.random.default_rng(seed).normal(size=y.shape))
        if chain.blame().ended:
            ended += 1
            assert not 0 < np.linalg.norm(chain.gradients[0]) < math.inf
        else:
            adds_up(chain)
            checked += 1
    assert checked > 200, (checked, ended)


X = np.random.default_rng(0).normal(size=(16, 4))
NETWORKS = [
    dict(activation="tanh"), dict(activation="relu", init="he"), dict(norm="batch"), dict(norm="layer"), dict(residual=True),
    dict(activation="gelu", residual=0.5, norm="layer"), dict(dropout=0.3), dict(activation="leaky_relu", residual=True, norm="batch"),
]  # fmt: skip


@pytest.mark.parametrize("options", NETWORKS, ids=str)
def test_blame_adds_up_in_deep_networks(options):
    x = Tensor(X, name="x")
    net = nn.MLP([4, *[16] * 10, 2], **{"activation": "sigmoid", "rng": 0, **options})
    blame = adds_up(Chain(nn.cross_entropy(net(x), np.arange(16) % 2).named("loss"), x))
    assert bool(blame.parts["norm"]) == ("norm" in options)
    assert (blame.parts["scale"] != pytest.approx(-math.log(4))) == ("dropout" in options or options.get("residual") == 0.5)  # the mean over 16
    assert blame.parts["activation size"] < 0


def test_blame_adds_up_from_the_loss_to_a_weight_and_in_use_of_a_norm():
    net = nn.MLP([4, 8, 8, 2], norm="batch", rng=0)
    net(X)
    adds_up(Chain(nn.mse(net.eval()(X), np.ones((16, 2))), net.layer1.W))


CELLS = {
    "RNN": (nn.RNNCell, {}, 1), "sigmoid": (nn.RNNCell, {"activation": "sigmoid"}, 1), "leaky": (nn.LeakyCell, {"tau": 20}, 1),
    "skip": (nn.SkipCell, {"delay": 5}, 5), "LSTM": (nn.LSTMCell, {}, 1), "GRU": (nn.GRUCell, {}, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_blame_adds_up_in_recurrent_networks_cut_at_their_states_or_not(name, leaf):
    kind, options, first = CELLS[name]
    T = 30 if leaf is Tensor else 7
    cell = kind(3, 4, rng=0, leaf=leaf, **options)
    states = nn.unroll(cell, np.random.default_rng(1).normal(size=(T, 3)))
    output, source = square(cell.output(states[-1])).sum().named("loss"), cell.output(states[0])
    source = source if leaf is Tensor else source[0]
    whole, cut = adds_up(Chain(output, source)), adds_up(Chain(output, source, through=states[first:]))
    assert whole.total == pytest.approx(cut.total, rel=1e-10)
    assert bool(whole.parts["gate"]) == (name in ("LSTM", "GRU"))


def test_blame_follows_a_gradient_far_below_the_smallest_float():
    x = Scalar(1.0, name="x")
    y = x
    for _ in range(3000):
        y = y * 0.5
    blame = adds_up_quietly(Chain(y, x))
    assert blame.parts["scale"] == pytest.approx(-3000 * math.log(2), rel=1e-12)
    T = Tensor(np.ones(3), name="x")
    z = T
    for k in range(2000):
        z = (sigmoid(linear(z, 0.5 * np.eye(3)))).named("h", k)
    blame = adds_up_quietly(Chain(z, T, seed=np.ones(3)))
    assert blame.total < -2000 * math.log(4)


def adds_up_quietly(chain):
    blame = chain.blame()
    assert math.fsum(blame.parts.values()) == pytest.approx(blame.total, rel=1e-9)
    return blame


# ---- and are what they should be


def test_a_layer_of_sigmoids_splits_by_hand():
    rng = np.random.default_rng(0)
    W, h, g = rng.normal(size=(5, 4)), Tensor(rng.normal(size=4), name="h"), rng.normal(size=5)
    y = sigmoid(linear(h, Tensor(W, name="W")))
    slope = (y * (1 - y)).data
    parts = Chain(y, h, seed=g).blame().parts
    size = math.log(math.sqrt(np.mean(slope**2)))
    assert parts["activation size"] == pytest.approx(size, rel=1e-12)
    assert parts["activation alignment"] == pytest.approx(math.log(np.linalg.norm(slope * g) / np.linalg.norm(g)) - size, rel=1e-10)
    size = math.log(np.linalg.norm(W) / math.sqrt(5))
    assert parts["weight size"] == pytest.approx(size, rel=1e-12)
    v = slope * g
    assert parts["weight alignment"] == pytest.approx(math.log(np.linalg.norm(W.T @ v) / np.linalg.norm(v)) - size, rel=1e-10)


@pytest.mark.parametrize("form", ["W @ h", "h @ W.T", "linear", "einsum", "batch", "seeds"])
def test_the_size_of_a_weight_is_the_rms_gain_of_a_random_gradient_however_it_is_written(form):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(5, 4))
    W, h = Tensor(A if form != "seeds" else np.stack([A] * 3), name="W"), Tensor(rng.normal(size=4), name="h")
    if form in ("batch", "seeds"):
        h = Tensor(rng.normal(size=(7, 4) if form == "batch" else (3, 7, 4)), name="h")
    y = W @ h if form == "W @ h" else h @ W.T if form == "h @ W.T" else einsum("oi,i->o", W, h) if form == "einsum" else linear(h, W)
    chain = Chain(y, h, seed=rng.normal(size=y.shape))
    J = Chain(y, h, seed=np.ones(y.shape), through=[]).links[0].dense()
    expected = math.log(np.linalg.norm(J) / math.sqrt(y.size))
    assert chain.blame().parts["weight size"] == pytest.approx(expected, rel=1e-12)


def test_products_of_other_forms_are_split_too():
    x, W = Tensor(np.array([1.0, 2.0, 3.0]), name="x"), Tensor(np.arange(9.0).reshape(3, 3) + 1, name="W")
    for y in (einsum("ii,i->i", W, x), einsum("i,ij,j->", x, W, x), W @ x * x, (x * x) @ W, linear(x, W, x), W.data @ x / x):
        adds_up(Chain(y, x, seed=np.ones(y.shape)))


def test_a_residual_block_splits_into_share_and_interference():
    rng = np.random.default_rng(1)
    W, x, g = 0.5 * rng.normal(size=(6, 6)), Tensor(rng.normal(size=6), name="x"), rng.normal(size=6)
    blame = Chain(x + linear(x, Tensor(W, name="W")), x, seed=g).blame()
    (merge,) = blame.merges
    c = W.T @ g
    r, cos = np.linalg.norm(c) / np.linalg.norm(g), c @ g / np.linalg.norm(c) / np.linalg.norm(g)
    assert blame.total == pytest.approx(0.5 * math.log(1 + 2 * r * cos + r * r), rel=1e-10)
    assert merge["interference"] == pytest.approx(blame.total - 0.5 * math.log(1 + r * r), rel=1e-10)
    shares = dict(merge["shares"])
    assert shares["add"] == pytest.approx(g @ (g + c) / np.sum((g + c) ** 2), rel=1e-12)
    assert merge["negative"] == max(0, -min(shares.values()))


def test_shares_may_be_negative_and_are_reported():
    x = Scalar(0.5, name="x")
    (merge,) = Chain(x * 3.0 - x * 2.0, x).blame().merges
    assert sorted(share for _, share in merge["shares"]) == pytest.approx([-2, 3])
    assert merge["negative"] == pytest.approx(2)


# ---- SCIENCE.md D4


def layers(params, seed):
    """The chain of one seed: h ← φ(W h + u), one W or one for each step."""
    rng = np.random.default_rng(1000 + seed)
    N, T, tied = params["N"], params["T"], params["tied"]
    draw = {
        "gauss": lambda: rng.normal(size=(N, N)) / math.sqrt(N),
        "orth": lambda: init.orthogonal((N, N), rng),
        "sym": lambda: symmetric(N, rng),
    }

    def weight():
        W = params["scale"] * draw[params["kind"]]()
        return Tensor(init.with_radius(W, params["rad"]) if "rad" in params else W, name="W")

    phi = nn.layers.ACTIVATIONS[params["act"]]
    h = x = Tensor(params["x0_sd"] * rng.normal(size=N), name="x")
    W = weight()
    for t in range(1, T + 1):
        z = linear(h, W if tied or t == 1 else weight())
        h = phi(z + params["u_sd"] * rng.normal(size=N) if "u_sd" in params else z).named("h", t)
    return Chain(h, x, seed=rng.normal(size=N))


def symmetric(N, rng):
    A = rng.normal(size=(N, N))
    return (A + A.T) / math.sqrt(2 * N) / 2


def entries(kind):
    return pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["id"]) for entry in ENTRIES if entry["kind"] == kind])


@entries("decomposition")
def test_the_reference_decompositions(entry):
    params, value, allowed = entry["params"], entry["value"]["decomp"], entry["tol"]["per_key"]
    blames = [adds_up(layers(params, seed)) for seed in range(params["seeds"])]
    for key, kind in KEYS.items():
        assert np.mean([blame.parts[kind] for blame in blames]) == pytest.approx(value[key][0], abs=allowed[key]["abs"]), kind
    assert np.mean([blame.total for blame in blames]) == pytest.approx(value["total"][0], abs=allowed["total"]["abs"])


@entries("residual_decomposition")
def test_the_reference_residual_networks(entry):
    params, value, allowed = entry["params"], entry["value"], entry["tol"]["per_key"]
    N, L, alpha = params["N"], params["L"], params["alpha"]
    rows = []
    for seed in range(20):
        rng = np.random.default_rng(2000 + seed)
        h = x = Tensor(rng.normal(size=N), name="x")
        for k in range(L):
            h = (h + linear(h, Tensor(alpha * rng.normal(size=(N, N)) / math.sqrt(N), name="W"))).named("h", k)
        blame = adds_up(Chain(h, x, seed=rng.normal(size=N)))
        interference = sum(merge["interference"] for merge in blame.merges)
        skip = np.mean([share for merge in blame.merges for child, share in merge["shares"] if child != "linear"])
        rows.append([blame.total, interference, blame.total - interference, skip])
    for key, mean in zip(("total", "interf", "half_log_r2", "share_skip"), np.mean(rows, axis=0)):
        assert mean == pytest.approx(value[key][0], abs=allowed[key]["abs"]), key
    assert L * 0.5 * math.log(1 + alpha**2) == pytest.approx(value["pred"], rel=1e-9)


@entries("lstm_decomposition")
def test_the_reference_lstms(entry):
    """c_1 to c_T in one chain: the shares of the memory's edge are the merges' at c[1] … c[T−1]."""
    params, value, allowed = entry["params"], entry["value"], entry["tol"]["per_key"]
    N, T, rows = params["N"], params["T"], []
    for seed in range(20):
        rng = np.random.default_rng(3000 + seed)
        cell = nn.LSTMCell(4 * N, N, ("zeros", "normal"), forget_bias=params["forget_bias"], rng=rng)
        for k, gate in enumerate("ifgo"):
            getattr(cell, f"W_x{gate}").data = 0.5 * np.eye(4 * N)[k * N : (k + 1) * N]
        states = nn.unroll(cell, rng.normal(size=(T, 4 * N)))
        h, seed_of_h = states[-1][0], rng.normal(size=N)
        blame = adds_up(Chain(h, states[1][1], seed=seed_of_h))
        after = Chain(h, states[-1][1], seed=seed_of_h).blame().total
        memory = [merge for merge in blame.merges if merge["at"].startswith("c[")]
        assert len(memory) == T - 1
        rows.append([blame.total - after, np.mean([dict(merge["shares"])["multiply"] for merge in memory])])
    for key, mean in zip(("total", "mean_share"), np.mean(rows, axis=0)):
        assert mean == pytest.approx(value[key][0], abs=allowed[key]["abs"]), key


# ---- how it ends, and how it is told


def test_dead_relus_end_the_table_and_are_named():
    x = Tensor([-1.0, -2.0], name="x")
    y = relu((x * 2.0).named("z")).named("h")
    blame = Chain((y * 3.0).sum().named("loss"), x).blame()
    assert blame.total == -math.inf
    assert (blame.ended["link"], blame.ended["at"]) == ("z → h", "h")
    assert blame.ended["why"] == "dead: the slope of relu is 0 wherever a gradient arrives"
    assert [row["link"] for row in blame.by_link] == ["h → multiply", "multiply → loss"]
    assert blame.sentence.startswith("the gradient ends at h (dead: ")


def test_a_zero_sum_at_a_merge_is_cancelled():
    x = Tensor(np.ones(3), name="x")
    z = (x * 2.0).named("z")
    blame = Chain((z - z).named("d").sum(), x).blame()
    assert (blame.ended["at"], blame.ended["why"]) == ("z", "cancelled: its branches sum to zero")
    assert blame.total == -math.inf


def test_an_underflow_within_branches_is_followed_and_not_called_dead():
    x = Scalar(1.0, name="x")
    y = x * 1e-200 * 1e-200
    blame = Chain((y + y * y).named("y"), x).blame()
    assert blame.ended is None
    a = x * 1e-200
    b = a * 1e-200
    blame = Chain((b + x * 0.0).named("y"), x).blame()
    assert blame.ended is None and blame.total == pytest.approx(-400 * math.log(10), abs=1e-9)


@pytest.mark.parametrize(("value", "why"), [(math.nan, "nan"), (math.inf, "inf")])
def test_what_is_not_finite_ends_the_table_by_name(value, why):
    x = Tensor(np.ones(2), name="x")
    y = ((x * 2.0).named("a") * np.array([value, 1.0])).named("b")
    blame = Chain((y * 3.0).named("c"), x, seed=np.ones(2)).blame()
    assert blame.ended == {"link": "a → b", "at": "a", "why": why}
    assert json.dumps(blame.to_dict(), allow_nan=False)
    assert "a" in str(blame)


def test_an_infinite_entry_that_reaches_nobody_is_named():
    x = Tensor([1.0, 2.0], name="x")
    y = concatenate([x * 3.0, x * np.array([0.5, 2.0]), np.array([1.0])]).named("y")
    blame = Chain(y * np.array([1.0, 1.0, 1.0, 1.0, math.inf]), x, seed=np.ones(5)).blame()
    assert (blame.ended["at"], blame.ended["why"]) == ("y", "inf")
    whole = Chain((y * np.array([1.0, 1.0, 1.0, 1.0, math.inf])), x, seed=np.ones(5), through=[]).blame()
    assert json.dumps(whole.to_dict(), allow_nan=False)


def test_blame_adds_up_in_single_precision():
    x = Tensor(X.astype(np.float32), name="x")
    net = nn.MLP([4, 8, 8, 8, 2], residual=True, rng=0)
    chain = Chain(net(x).astype(np.float32).sum(), x)
    blame = chain.blame()
    assert math.fsum(blame.parts.values()) == pytest.approx(blame.total, abs=1e-6)


def test_a_seed_of_zeros_ends_at_once():
    x = Tensor(np.ones(2), name="x")
    blame = Chain(x * 2.0, x, seed=np.zeros(2)).blame()
    assert blame.ended["why"] == "the seed is zero"
    assert str(blame)


def deep_sigmoid():
    rng = np.random.default_rng(0)
    h = x = Tensor(0.5 * rng.normal(size=64), name="x")
    for t in range(1, 21):
        h = sigmoid(linear(h, Tensor(rng.normal(size=(64, 64)) / 8, name="W"))).named("h", t)
    return Chain(h, x, through=[node for node in history(h) if node.name and node.name.base == "h"], seed=rng.normal(size=64))


def test_the_sentence_says_who_did_it():
    blame = deep_sigmoid().blame()
    assert blame.sentence.startswith("the sigmoid's slopes cost 28.")
    assert " nats" in blame.sentence
    assert "the weights" in blame.sentence


def test_the_table_fits_80_columns_folds_and_the_dictionary_survives_json():
    states = nn.unroll(nn.LSTMCell(3, 5, rng=0), np.ones((60, 3)))
    for chain in (deep_sigmoid(), Chain(square(states[-1][0]).sum(), states[0][1], through=states[1:])):
        blame = chain.blame()
        text = str(blame)
        assert max(map(len, text.splitlines())) <= 80
        assert len(text.splitlines()) < 60
        assert " ".join(text.splitlines()).endswith(blame.sentence)
        again = json.loads(json.dumps(blame.to_dict(), allow_nan=False))
        assert again["parts"] == blame.parts
        assert again["by_link"] == blame.by_link
    assert "links, together" in text
