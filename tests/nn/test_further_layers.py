"""Embedding, convolution, pooling, attention, further norms and losses: laws, borders, and whether blame knows them."""

import numpy as np
import pytest

from tinygrad_vg import (
    Chain,
    Tensor,
    by_hand,
    draw,
    gradcheck,
    log_softmax,
    mean,
    nn,
    no_grad,
    reshape,
    scalars,
    square,
    stack,
    sum,
    tanh,
    verdict,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(2, 5, 6))


class Picture(nn.Module):
    """A convolution over x as a picture of one channel."""

    def __init__(self, **options):
        self.conv = nn.Conv2d(1, 2, 2, **options)

    def __call__(self, x):
        return self.conv(reshape(x, (*np.shape(x)[:-2], 1, 5, 6)))


# each takes (batch, 5, 6) and has weights, but for the pools
MAKERS = {
    "conv1d": lambda **o: nn.Conv1d(5, 5, 3, 2, 1, **o),
    "conv2d": lambda **o: Picture(**o),
    "attention": lambda **o: nn.Attention(6, 2, causal=True, **o),
    "block_pre": lambda **o: nn.TransformerBlock(6, 2, "pre", 7, **o),
    "block_post": lambda **o: nn.TransformerBlock(6, 2, "post", 7, **o),
    "block_plain": lambda **o: nn.TransformerBlock(6, 2, None, 7, **o),
    "linear": lambda **o: nn.Linear(6, 3, **o),
}
NORMS = {"rmsnorm": lambda **o: nn.RMSNorm(6, **o), "groupnorm": lambda **o: nn.GroupNorm(5, 5, **o), "layernorm": lambda **o: nn.LayerNorm(6, **o)}
POOLS = {"max1d": nn.MaxPool1d(2), "max2d": nn.MaxPool2d(2, 2, 1), "average1d": nn.AvgPool1d(2), "average2d": nn.AvgPool2d(2)}


@pytest.mark.parametrize("case", MAKERS)
def test_with_seeds_each_run_is_the_model_of_its_seed(case):
    runs = rng.normal(size=(3, 2, 5, 6))
    together = MAKERS[case](seeds=[4, 5, 6])(runs).data
    for k, seed in enumerate([4, 5, 6]):
        assert np.allclose(together[k], MAKERS[case](rng=seed)(runs[k]).data, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", NORMS)
def test_norms_with_seeds_have_a_weight_for_each_run(case):
    runs = rng.normal(size=(3, 2, 5, 6))
    norm = NORMS[case](seeds=3)
    for leaf in norm.parameters().values():
        leaf.data = rng.normal(size=leaf.shape)
    for k in range(3):
        one = NORMS[case]()
        for name, leaf in one.parameters().items():
            leaf.data = norm.parameters()[name].data[k]
        assert np.allclose(norm(runs).data[k], one(runs[k]).data, rtol=0, atol=1e-14)


def test_an_embedding_looks_the_same_words_up_in_every_run():
    table = nn.Embedding(7, 3, seeds=[1, 2])
    assert np.array_equal(table([[0, 6], [2, 2]]).data[1], nn.Embedding(7, 3, rng=2)([[0, 6], [2, 2]]).data)


@pytest.mark.parametrize("case", {**MAKERS, **NORMS, **POOLS})
def test_the_gradient_is_the_complex_steps(case):
    layer = POOLS.get(case) or (MAKERS | NORMS)[case]()
    gradcheck(lambda x: sum(square(layer(x))), Tensor(X[:, :, :]))


@pytest.mark.parametrize("case", {**MAKERS, **NORMS, **POOLS})
def test_blame_knows_every_layer(case):
    layer, x = POOLS.get(case) or (MAKERS | NORMS)[case](), Tensor(X, name="x")
    loss = mean(square(tanh(layer(x))))
    blame = Chain(loss, x).blame()
    size = np.abs(list(blame.parts.values())).sum()
    assert abs(np.sum(list(blame.parts.values())) - blame.total) <= 1e-9 * (1 + size)
    assert abs(blame.parts["other"]) < 0.05 * size
    kinds = {"att": "attention", "blo": "attention", "con": "weight size", "lin": "weight size", "rms": "norm", "gro": "norm", "lay": "norm"}
    assert blame.parts[kinds.get(case[:3], "scale")] != 0
    assert np.isclose(by_hand(loss)()[0], loss.data, rtol=1e-12)


@pytest.mark.parametrize("norm", ["pre", "post", None])
def test_the_outputs_of_blocks_are_the_stations_between_them(norm):
    x = h = Tensor(X, name="x")
    for k in (1, 2, 3):
        h = nn.TransformerBlock(6, 2, norm, 8, causal=True, rng=k, name=f"block{k}")(h, k)
    loss = nn.mse(h, rng.normal(size=X.shape))
    stations = [str(group[0].name) for group in Chain(loss, x).stations]
    assert [name for name in stations if name[0] in "uh"] == ["u[1]", "h[1]", "u[2]", "h[2]", "u[3]", "h[3]"]
    assert verdict(loss, x).kind == "healthy"
    assert draw(loss, fold="layer").svg.count("layer 2") >= 1


def test_a_later_place_is_not_seen_through_a_causal_mask():
    x = Tensor(X[0])
    for model in (nn.Attention(6, 3, causal=True), nn.TransformerBlock(6, 3, causal=True)):
        x.zero_grad()
        sum(model(x)[2]).backward()
        assert not x.grad[3:].any() and x.grad[:3].all()
    weights = nn.Attention(6)(x, mask=np.triu(np.full((5, 5), -np.inf), 1))
    assert np.array_equal(weights.data, nn.Attention(6, causal=True)(x).data)


def test_rezero_is_a_block_whose_a_is_a_leaf_that_starts_at_0():
    block = nn.TransformerBlock(6, 2, None, a=Tensor(0.0, name="a"))
    assert np.array_equal(block(X).data, X) and "a" in block.parameters()


def test_layer_norm_scaling_is_the_formula_and_keeps_a_deep_stack_from_growing():
    scaled, plain = (nn.TransformerBlock(6, 2, "pre", 7, scale=s) for s in (0.5, 1.0))
    for norm in (plain.norm1, plain.norm2):
        for leaf in norm.parameters().values():
            leaf.data = 0.5 * leaf.data
    assert np.allclose(scaled(X).data, plain(X).data, rtol=0, atol=1e-14)
    size = {}
    for power in (0.0, -0.5):
        h = X
        for k in range(1, 25):
            h = nn.TransformerBlock(6, 2, "pre", scale=k**power, rng=k)(h)
        size[power] = np.sqrt(np.mean(h.data**2))
    assert size[-0.5] < 0.75 * size[0.0]


def test_a_convolution_is_the_sum_that_its_docstring_says():
    conv, x = nn.Conv1d(2, 3, 3, stride=2, padding=1), rng.normal(size=(2, 6))
    conv.bias.data = rng.normal(size=3)
    z, W = np.pad(x, ((0, 0), (1, 1))), conv.weight.data
    y = [[sum(W[o] * z[:, 2 * p : 2 * p + 3]) + conv.bias.data[o] for p in range(3)] for o in range(3)]
    assert np.allclose(conv(x).data, y, rtol=0, atol=1e-14)


def test_both_directions_reach_a_place():
    net, x = nn.Bidirectional(nn.RNNCell(3, 4), nn.RNNCell(3, 4, name="r")), Tensor(rng.normal(size=(5, 2, 3)))
    y = net(x)
    assert len(y) == 5 and y[0].shape == (2, 8)
    ahead, back = net.states(x)
    assert np.array_equal(y[1].data, np.concatenate([ahead[2].data, back[4].data], -1)) and str(back[4].name) == "hr[4]"
    sum(y[1]).backward()
    assert x.grad.all()
    with no_grad():
        assert np.array_equal(stack(net(x.data, (np.zeros((2, 4)), np.zeros((2, 4))))), stack(y).data)


@pytest.mark.parametrize("call, words", [
    (lambda: nn.Embedding(3, 2)([0, 3]), "indices must lie between 0 and 2; got 0 to 3"),
    (lambda: nn.Embedding(3, 2)(-1), "got -1 to -1"),
    (lambda: nn.one_hot([4], 4), "between 0 and 3"),
    (lambda: nn.Conv1d(2, 3, 3)(np.ones((2, 2))), r"Conv1d takes x of shape \(batch, 2, 3 or more\); got \(2, 2\)"),
    (lambda: nn.Conv2d(2, 3, 3, padding=1)(np.ones((1, 3, 4, 4))), r"\(batch, 2, 1 or more, 1 or more\); got \(1, 3, 4, 4\)"),
    (lambda: nn.Conv1d(2, 3, 3, seeds=2)(np.ones((2, 2, 5))), r"\(2, batch, 2, 3 or more\)"),
    (lambda: nn.Conv2d(2, 3, (3, 3, 3)), "one from 1 on, or 2 of them, one for each axis"),
    (lambda: nn.Conv1d(2, 3, 3, stride=0), "expected one from 1 on; got 0"),
    (lambda: nn.Conv2d(2, 3, 3.0), "got 3.0"),
    (lambda: nn.Conv1d(2, 3, True), "got True"),
    (lambda: nn.MaxPool1d(2, padding=2), "at most half"),
    (lambda: nn.AvgPool2d(3)(np.ones((2, 5))), r"\(…, 3 or more, 3 or more\)"),
    (lambda: nn.Attention(6, 4), "6 units cannot be shared by 4 heads"),
    (lambda: nn.Attention(6)(np.ones((2, 5))), r"\(…, T, 6\), T ≥ 1; got \(2, 5\)"),
    (lambda: nn.Attention(6, 2.0), "heads is a whole number"),
    (lambda: nn.Attention(6)(np.ones((0, 6))), r"T ≥ 1; got \(0, 6\)$"),
    (lambda: nn.Attention(6)(np.ones((2, 6)), context=np.ones(6)), r"got \(2, 6\) and context \(6,\)"),
    (lambda: nn.Attention(6)(np.ones((2, 6)), mask="causal"), r"\(T, S\) or .* got 'causal'"),
    (lambda: nn.Attention(6)(np.ones((2, 6)), mask=False), "got False"),
    (lambda: nn.Attention(6)(np.ones((2, 6)), mask=np.eye(2, dtype=int)), "a bool, or a float to add"),
    (lambda: nn.Linear(2, 3, seeds=0), "1 or more; got 0"),
    (lambda: nn.Linear(2, 3, seeds=[]), r"1 or more; got \[\]"),
    (lambda: nn.TransformerBlock(6, norm="both"), "'pre', 'post' or None"),
    (lambda: nn.TransformerBlock(6, norm="post", scale=0.5), "norm='pre'; got norm='post' and scale=0.5"),
    (lambda: nn.GroupNorm(2, 5), "5 channels cannot be cut into 2 groups"),
    (lambda: nn.GroupNorm(2, 4)(np.ones((2, 5))), r"\(batch, 4, …\); got \(2, 5\)"),
    (lambda: nn.RMSNorm(4)(np.ones(3)), "RMSNorm of 4 units"),
    (lambda: nn.LayerNorm(0), "whole numbers from 1 on"),
    (lambda: nn.BatchNorm(4, -1.0), "eps ≥ 0; got n=4, seeds=None, eps=-1.0"),
    (lambda: nn.RMSNorm(4, seeds=range(2)), r"seeds, how many: .* seeds=range\(0, 2\)"),
    (lambda: nn.huber(np.ones(2), np.ones(2), 0), "above 0; got 0"),
    (lambda: nn.huber(np.ones(2), np.ones(3)), "huber compares arrays of one shape"),
    (lambda: nn.cross_entropy(np.ones((2, 3)), [-1, -1], ignore_index=-1), "every label is -1"),
    (lambda: nn.cross_entropy(np.ones((2, 3)), [-100, 1]), "between 0 and 2; got -100 to 1"),
    (lambda: nn.cross_entropy(np.ones((2, 3)), [0, 1], weight=[1, 2]), "one number for each of the 3 classes"),
])  # fmt: skip
def test_what_does_not_fit_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell, nn.LRUCell, nn.MinGRUCell, nn.SelectiveCell])
def test_the_state_of_another_kind_of_cell_is_refused_not_broadcast(cell):
    with pytest.raises(TypeError, match="is one h, .* got 2 parts"):
        cell(3, 4)(np.ones(3), (np.zeros(4), np.zeros(4)))


def test_a_mask_means_the_same_as_a_list_and_as_an_array():
    f, x, look = nn.Attention(4, 2), np.eye(4), [[True, False, True, True]] * 4
    assert np.array_equal(f(x, mask=look).data, f(x, mask=np.array(look)).data)
    assert not np.allclose(f(x, mask=look).data, f(x).data)


def test_lists_and_empty_batches_go_through():
    assert np.array_equal(nn.MaxPool1d(2, padding=1)([1.0, 3.0, 2.0]).data, [1.0, 3.0])
    assert nn.GroupNorm(2, 4)(np.ones((0, 4, 3))).shape == (0, 4, 3)


def test_blame_knows_words_and_both_directions():
    table, out, net = nn.Embedding(7, 3), nn.Linear(8, 7), nn.Bidirectional(nn.GRUCell(3, 4), nn.GRUCell(3, 4, name="r"))
    words = rng.integers(7, size=(5, 2))
    loss = nn.cross_entropy(out(stack(net(table(words)))), words)
    blame = Chain(loss, table.weight).blame()
    assert abs(blame.parts["other"]) < 0.05 * np.abs(list(blame.parts.values())).sum() and blame.parts["gate"] != 0
    assert np.isclose(by_hand(loss)()[0], loss.data, rtol=1e-12) and verdict(loss, table.weight).kind == "healthy"


def test_entries_that_tie_in_a_window_share_its_gradient():
    x = Tensor([[1.0, 1.0, 0.0, 2.0]])
    sum(nn.MaxPool1d(2)(x)).backward()
    assert np.array_equal(x.grad, [[0.5, 0.5, 0.0, 1.0]])


def test_a_pool_and_attention_keep_float32():
    assert nn.MaxPool2d(2, padding=1)(Tensor(X.astype(np.float32))).dtype == np.float32
    net, x = nn.Attention(6, 2, leaf=lambda array, name: Tensor(array.astype(np.float32), name)), rng.normal(size=(3, 6)).astype(np.float32)
    hidden = net(x, mask=np.tri(3, dtype=bool))
    net.causal = True
    assert hidden.dtype == net(x).dtype == np.float32 and np.array_equal(hidden.data, net(x).data)


def test_the_names_of_new_layers_are_pytorchs():
    for layer in (nn.TransformerBlock(6, 2), nn.Attention(6), nn.Conv2d(2, 3, 3), nn.GroupNorm(2, 4), nn.RMSNorm(4), nn.Embedding(3, 2)):
        assert {name.rpartition(".")[2].removeprefix("in_proj_") for name in layer.parameters()} <= {"weight", "bias"}, layer


def test_words_are_whole_numbers():
    with pytest.raises(TypeError, match="indices must be whole numbers from 0 to 2; got float64"):
        nn.Embedding(3, 2)([0.0])


@pytest.mark.parametrize("leaf", [Tensor, scalars])
def test_the_loss_at_every_step_is_the_mean_over_batch_and_time(leaf):
    logits, labels = rng.normal(size=(2, 4, 3)), rng.integers(3, size=(2, 4))
    flat = nn.cross_entropy(logits.reshape(8, 3), labels.ravel())
    assert np.isclose(float(nn.cross_entropy(leaf(logits), labels).data), flat, rtol=1e-14)


def test_losses_are_exact_where_they_saturate():
    z = Tensor([[40.0, -40.0], [-800.0, 800.0]])
    loss = nn.binary_cross_entropy(z, np.array([[1.0, 0.0], [0.0, 1.0]]))
    loss.backward()
    assert np.allclose(z.grad[0] * 4, [-4.248354255291589e-18, 4.248354255291589e-18], rtol=1e-12, atol=0) and not z.grad[1].any()
    p = np.array([0.0, 1.0])
    assert nn.kl(log_softmax(np.array([-800.0, 0.0])), p) == 0


LOSSES = {
    "binary_cross_entropy": lambda z: nn.binary_cross_entropy(z, (X[0] > 0) * 1.0),
    "huber": lambda z: nn.huber(z, X[0]),
    "kl": lambda z: nn.kl(log_softmax(z), np.full((5, 6), 1 / 6)),
    "cross_entropy": lambda z: nn.cross_entropy(z, np.arange(5) % 3, weight=np.arange(1.0, 7.0), label_smoothing=0.1, ignore_index=1),
}


@pytest.mark.parametrize("case", LOSSES)
def test_the_signal_of_a_verdict_is_measured_at_the_logits(case):
    net = nn.MLP([6, 4, 4, 6])
    z = net(X[0])
    loss = LOSSES[case](z)
    loss.backward()
    assert np.isclose(verdict(loss, net.layer1.W).numbers["signal"], np.linalg.norm(z.grad), rtol=1e-9)
