"""What people asked in public: questions on vanishing, infinite and missing gradients, each as a small program with the answer it should get.

Every case has the id under which it was collected, and the thread that it comes from.
"""

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Tensor, detect_anomaly, grad, nn, sign, softmax, square, training, uses, verdict, where

CASES = []


def case(id, source):
    return lambda check: CASES.append(pytest.param(check, id=id)) or check


def attention(spelling):
    """Causal self-attention, its future masked in one of three spellings: (loss, W_q)."""
    r = np.random.default_rng(0)
    X, *W = (r.normal(size=shape) for shape in ((4, 3), (3, 3), (3, 3), (3, 3)))
    q, k, v = (Tensor(w, name=name) for w, name in zip(W, ("W_q", "W_k", "W_v")))
    future = np.triu(np.ones((4, 4), bool), 1)
    scores = (X @ q) @ (X @ k).T / np.sqrt(3)
    masked = {
        "added": lambda: scores + np.triu(np.full((4, 4), -np.inf), 1),
        "chosen": lambda: where(future, -np.inf, scores),
        "chosen the other way": lambda: where(~future, scores, -np.inf),
    }
    return square(softmax(masked[spelling](), axis=-1) @ (X @ v)).sum(), q


SPELLINGS = ("added", "chosen", "chosen the other way")


@case("public-causal-mask-verdict", "github: jax-ml/jax/issues/37422, jadore801120/attention-is-all-you-need-pytorch/issues/5")
def a_mask_is_no_overflow():
    """An −inf that a constant put there is no fault: only what flows back counts, and that is finite."""
    for spelling in SPELLINGS:
        loss, q = attention(spelling)
        found = verdict(loss, q)
        assert np.all(np.isfinite(grad(loss, q))) and found.kind == "healthy", (spelling, found)
        assert -6 < found.numbers["log_gain"] < 0 and "overflow" not in str(found)


@case("public-causal-mask-anomaly", "github: jax-ml/jax/issues/37422, jax-ml/jax/pull/37457")
def a_mask_is_no_anomaly():
    """The op did not make the inf: a constant operand holds it in that place already."""
    for spelling in SPELLINGS:
        with detect_anomaly():
            loss, q = attention(spelling)
            loss.backward()
        assert np.all(np.isfinite(q.grad))
    with pytest.raises(FloatingPointError), np.errstate(over="ignore"), detect_anomaly():
        np.exp(Tensor([0.0, 1000.0]) + np.array([-np.inf, 0.0]))  # beside a mask an inf that is made is found as ever


@case("public-nan-in-the-targets", "github: pytorch/pytorch/issues/64305, 89543, 67180")
def missing_targets_are_the_datas_fault():
    """The target holds a nan: look at the data. No weight has to be smaller."""
    net = nn.Linear(1, 2, rng=0)
    found = verdict(nn.mse(net(np.array([[0.5]])), np.array([[np.nan, 0.0]])), net)
    assert found.kind == "nan in the data" and found.numbers
    for part in (found, *found.parts):
        text = " ".join(str(part).split())
        assert part.kind == "nan in the data" and "a constant" in text and "[0, 0]" in text and "look at the data" in text
        assert "overflowed" not in text and "smaller weights" not in text


@case("public-nan-targets-masked", "github: pytorch/pytorch/issues/64305")
def a_mask_after_the_square_does_not_help():
    """0 · nan is nan: choose what is there before the error is squared, not after."""
    y = np.array([[np.nan, 0.0]])
    ok, gradients = ~np.isnan(y), []
    for masked in (lambda out: square(out - y)[ok].sum(), lambda out: square(out[ok] - y[ok]).sum()):
        net = nn.Linear(1, 2, rng=0)
        loss = masked(net(np.array([[0.0]])))
        assert np.isfinite(loss.item())
        if not gradients:
            assert verdict(loss, net.b).kind == "nan in the data"
        loss.backward()
        gradients.append(net.b.grad)
    np.testing.assert_array_equal(gradients, [[np.nan, 0.0], [0.0, 0.0]])


@case("public-pairwise-distances", "github: pytorch/pytorch/issues/37154, 37237")
def the_root_of_a_zero_diagonal():
    """The slope of sqrt is infinite at 0, and 0 · inf is nan: an epsilon under the root, or no diagonal."""
    X = Tensor([[0.0, 0.0], [3.0, 4.0]], name="X")
    squares = ((X[:, None] - X[None]) ** 2).sum(-1)
    found = verdict(np.sqrt(squares).sum(), X)
    text = " ".join(str(found).split())
    with np.errstate(all="ignore"):
        assert np.all(np.isnan(grad(np.sqrt(squares).sum(), X)))
    assert found.kind == "infinite slope" and "slope of sqrt at 0 is infinite" in text and "epsilon" in text and "leave out" in text
    assert "smaller weights" not in text
    np.testing.assert_allclose(grad(np.sqrt(squares + 1e-24).sum(), X), [[-1.2, -1.6], [1.2, 1.6]], rtol=1e-6)  # torch.cdist's


@case("public-step-activation", "discuss.pytorch.org/t/circumventing-an-indifferentiability-problem")
def a_step_has_no_slope_anywhere():
    """Dead, and no rectifier: neither a bias nor an initialisation helps, a smooth stand-in does."""
    W = Tensor([[1.0, 2.0], [3.0, 4.0]], name="W")
    found = verdict(vg.abs(sign(W @ np.array([1.0, 1.0])).sum() - 0.0), W)
    assert found.kind == "dead" and found.op == "sign"
    assert "tanh" in found.helps and "straight-through" in found.helps
    assert not any(word in found.helps for word in ("He init", "bias", "leaky"))
    y = W @ np.array([1.0, 1.0])
    through = vg.abs((y + (np.sign(y.data) - y.data)).sum() - 0.0)  # the straight-through estimate that it recommends
    assert through.item() == 2.0 and np.all(grad(through, W) == 1.0)


@case("public-sum-of-batchnorm", "github: HomericIntelligence/Mnemosyne/pull/310, apache/mxnet/issues/12369")
def the_sum_of_what_was_centred():
    """Batch norm takes off the mean, so the sum over the batch is a constant: its gradient is 0 but for rounding."""
    x = Tensor(np.random.default_rng(0).normal(size=(5, 3)), name="x")
    loss = nn.BatchNorm(3)(x).sum()
    assert np.abs(grad(loss, x)).max() < 1e-14
    assert verdict(loss, x).kind == "cancelled"


@case("public-anomaly-hides-the-entry", "codegenes.net/blog/logvarexp-goes-to-infinity-pytorch")
def one_entry_of_a_batch_overflows():
    """The message shows the entry: its index, and the operand there."""
    logvar = np.zeros((40, 8))
    logvar[17, 3] = 800.0
    with pytest.raises(FloatingPointError) as error, np.errstate(over="ignore"), detect_anomaly():
        np.exp(Tensor(logvar, name="logvar"))
    first = str(error.value).split(";")[0]
    assert "inf" in first and "[17, 3]" in first and "800" in first and "logvar" in first


@case("public-carried-state", "github: yunjey/pytorch-tutorial/issues/90, dpressel/dliss-tutorial/issues/1, NeuroTorch/NeuroTorch/issues/134")
def a_state_from_the_batch_before():
    """The forward pass was just run, and yet its state belongs to an earlier graph: hand it on with .detach()."""

    def trained(hand_on):
        cell, h, r = nn.RNNCell(2, 4, rng=0), None, np.random.default_rng(0)
        for _ in range(2):
            states = nn.unroll(cell, r.normal(size=(5, 2)), h)
            loss = square(states[-1]).sum()
            loss.backward()
            training.SGD(cell, 0.1).step()
            h = hand_on(states[-1])
        return loss.item()

    with pytest.raises(RuntimeError, match=r"\.detach\(\)"):
        trained(lambda h: h)
    assert np.isfinite(trained(lambda h: h.detach()))


@case("public-rnn-gradient-check", "datascience.stackexchange.com/questions/10545")
def a_hand_written_pass_back_with_one_transpose_missing():
    """uses() shows that the last step agrees and those before do not: the error is in what is handed on between steps."""
    r = np.random.default_rng(0)
    D, H, V, T = 3, 4, 3, 5
    X, Y = np.eye(D)[r.integers(0, D, T)], r.integers(0, V, T)
    A = {"W_xh": r.normal(size=(D, H)) / 2, "W_hh": r.normal(size=(H, H)) / 2, "W_hy": r.normal(size=(H, V)) / 2}

    def by_hand(handed_on):
        hs, ps = [np.zeros(H)], []
        for x in X:
            hs.append(np.tanh(x @ A["W_xh"] + hs[-1] @ A["W_hh"]))
            e = np.exp(hs[-1] @ A["W_hy"])
            ps.append(e / e.sum())
        parts, after = [None] * T, np.zeros(H)
        for t in reversed(range(T)):
            raw = (1 - hs[t + 1] ** 2) * (A["W_hy"] @ (ps[t] - np.eye(V)[Y[t]]) + after)
            parts[t], after = np.outer(hs[t], raw), raw @ handed_on
        return parts

    P = {name: Tensor(a, name=name) for name, a in A.items()}
    h, loss = Tensor(np.zeros(H)).named("h", 0), 0
    for t in range(T):
        h = np.tanh(X[t] @ P["W_xh"] + h @ P["W_hh"]).named("h", t + 1)
        loss = loss + nn.cross_entropy(h @ P["W_hy"], int(Y[t]))
    same = lambda parts: [bool(np.allclose(use.gradient, part)) for use, part in zip(uses(loss, P["W_hh"]), parts)]  # noqa: E731
    assert same(by_hand(A["W_hh"])) == [True, False, False, False, True]  # at the first both are 0: the state before it is
    assert all(same(by_hand(A["W_hh"].T)))


@case("public-two-ways-of-bptt", "github: pytorch/pytorch/issues/635")
def a_backward_a_step_or_one_for_all():
    """Gradients of leaves add up over calls of backward, so both ways give the same."""
    r = np.random.default_rng(0)
    W, xs, ys = Tensor(r.normal(size=(4, 4)) * 0.3, name="W"), r.normal(size=(6, 4)), r.normal(size=(6, 4))

    def losses():
        h = np.zeros(4)
        for x, y in zip(xs, ys):
            h = np.tanh(W @ h + x)
            yield nn.mse(h, y) / 6

    sum(losses()).backward()
    one = W.grad.copy()
    W.zero_grad()
    for loss in list(losses()):
        loss.backward()
    assert np.abs(W.grad - one).max() < 1e-15


@case("public-padded-batch", "github: keras-team/keras/issues/7878, pytorch/pytorch/issues/517, tensorflow/tensorflow/issues/1830")
def sequences_of_different_length_in_one_batch():
    """The state kept by where() behind each one's end, or the last valid one taken: both are the sum over the single sequences."""
    r = np.random.default_rng(0)
    L, X = np.array([6, 3, 1]), r.normal(size=(6, 3, 2))

    def gradient(last_states):
        cell = nn.RNNCell(2, 4, rng=0)
        return grad(square(last_states(cell)).sum(), cell.W_hh)

    def kept(cell):
        h = cell.initial_state(3)
        for t in range(6):
            h = where((t < L)[:, None], cell(X[t], h), h)
        return h

    single = sum(gradient(lambda cell: nn.unroll(cell, X[: L[b], b])[-1]) for b in range(3))
    taken = gradient(lambda cell: np.stack(nn.unroll(cell, X)[1:])[L - 1, np.arange(3)])
    np.testing.assert_allclose(gradient(kept), single, rtol=0, atol=1e-14)
    np.testing.assert_allclose(taken, single, rtol=0, atol=1e-14)


@case("public-wrong-lstm-return", "github: keras-team/keras/issues/16151, tensorflow/tensorflow/issues/54817")
def the_memory_that_the_loss_does_not_use():
    """What is made of the last c has no gradient, and the verdict says why; c itself has one, for h is made of it."""
    cell = nn.LSTMCell(2, 3, rng=0)
    h, c = nn.unroll(cell, np.ones((4, 2)))[-1]
    loss = square(h).sum()
    loss.backward()
    unused = c * 2.0
    assert verdict(loss, unused).kind == "disconnected"
    assert np.abs(c.grad).max() > 0 and np.all(grad(loss, unused) == 0)


@pytest.mark.parametrize("check", CASES)
def test_a_question_from_the_net_gets_the_answer_that_helps(check):
    check()
    count("questions from the net")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_three_spellings_of_a_mask_have_one_gradient_and_one_verdict(spelling):
    loss, q = attention(spelling)
    first, q_first = attention("added")
    np.testing.assert_allclose(grad(loss, q), grad(first, q_first), rtol=0, atol=1e-15)
    assert verdict(loss, q).numbers["log_gain"] == pytest.approx(verdict(first, q_first).numbers["log_gain"], abs=1e-12)
