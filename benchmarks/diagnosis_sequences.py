"""How far does a loss reach?  Recurrences, attention and language models: those that learn, and those with a reach that is too short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_attention import Attention, Block, Language
from diagnosis_draws import Draw, among, coin, fresh, sequence, whole
from diagnosis_nets import Build, Net, feed, known, recipe, recur

from tinygrad_vg import Tensor, nn


def at_every_step(r: Draw, make: Callable[[Build, int, int, int], Any]) -> Callable[[Build], Net]:
    """A cell with a loss at each of 30 to 50 steps; asked at a recurrent weight, or at all."""
    (xs, n, seed), classes = sequence(r, 30, 50), coin(r, 0.6)
    ys = r.integers(0, 3, xs.shape[:2]) if classes else r.normal(size=(*xs.shape[:2], 3))
    whole_model = coin(r)

    def build(b: Build) -> Net:
        cell = make(b, xs.shape[2], n, seed)
        recurrent = [name for name in cell.parameters() if name.startswith("W_h")]
        return recur(b, cell, nn.Linear(n, 3, rng=seed), xs, ys, "model" if whole_model else recurrent[seed % len(recurrent)], every=True)

    return build


@recipe("short reach", 3)
def rnn_short(r: Draw) -> Callable[[Build], Net]:
    """A tanh or sigmoid RNN that forgets within a few steps."""
    f, rho = among(r, "tanh", "sigmoid"), r.uniform(0.3, 0.65)

    def make(b: Build, size: int, n: int, seed: int) -> nn.RNNCell:
        cell = nn.RNNCell(size, n, b.phi(f), rng=seed)
        cell.W_hh.data = rho * (2 if f == "sigmoid" else 1) * nn.init.orthogonal((n, n), seed)
        return cell

    return at_every_step(r, make)


@recipe("short reach")
def language_short(r: Draw) -> Callable[[Build], Net]:
    """A language model: symbols, an embedding, a tanh RNN with a small recurrent matrix, and the next symbol at each step."""
    V, d, T, batch, rho, seed = whole(r, 4, 9), whole(r, 5, 10), whole(r, 30, 45), whole(r, 2, 4), r.uniform(0.3, 0.6), fresh(r)
    symbols = r.integers(0, V, (T + 1, batch))

    def build(b: Build) -> Net:
        cell, out, E = nn.RNNCell(d, d, b.phi("tanh"), rng=seed), nn.Linear(d, V, rng=seed), Tensor(nn.init.normal((V, d), seed), name="E")
        cell.W_hh.data = rho * nn.init.orthogonal((d, d), seed)
        return recur(b, cell, out, symbols[:-1], symbols[1:], "W_hh", every=True, embed=E)

    return build


@recipe("short reach")
def lstm_short(r: Draw) -> Callable[[Build], Net]:
    """An LSTM whose forget gates are half closed, as they are where nobody set their bias."""
    bias = r.uniform(-2, 0.2)
    return at_every_step(r, lambda b, size, n, seed: nn.LSTMCell(size, n, forget_bias=bias, rng=seed))


@recipe("short reach")
def gru_short(r: Draw) -> Callable[[Build], Net]:
    """A GRU whose update gates lean towards replacing."""
    bias = r.uniform(-2, 0)

    def make(b: Build, size: int, n: int, seed: int) -> nn.GRUCell:
        cell = nn.GRUCell(size, n, rng=seed)
        cell.b_z.data = np.full(n, bias)
        return cell

    return at_every_step(r, make)


def recall(r: Draw, T: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Which of two symbols stood first? Inputs (T, 16, 2) with noise all along, classes, units, a seed."""
    first, xs = r.integers(0, 2, 16), 0.4 * r.normal(size=(T, 16, 2))
    xs[0] += np.eye(2)[first]
    return xs, first, whole(r, 6, 12), fresh(r)


@recipe("healthy", 4)
def gates_for_six_steps(r: Draw) -> Callable[[Build], Net]:
    """An LSTM or GRU of a few steps, as it begins, that learns what stood first."""
    (xs, y, n, seed), kind = recall(r, whole(r, 4, 6)), among(r, nn.LSTMCell, nn.GRUCell)
    ask = among(r, "model", "W_hg" if kind is nn.LSTMCell else "W_hn")
    return lambda b: known(recur(b, kind(2, n, rng=seed), nn.Linear(n, 2, rng=seed), xs, y, ask), steps=200, lr=0.05)


def mild(shape: tuple, rng: Draw) -> np.ndarray:
    """An orthogonal matrix that leaves room for a second one."""
    return 0.6 * nn.init.orthogonal(shape, rng)


@recipe("healthy", 3)
def rnn_that_keeps(r: Draw) -> Callable[[Build], Net]:
    """A tanh, linear or leaky RNN, or one with skips, whose recurrent matrix is orthogonal."""
    (xs, y, n, seed), kind, ask = recall(r, whole(r, 6, 14)), among(r, "tanh", "linear", "leaky", "skip"), among(r, "h0", "model")

    def build(b: Build) -> Net:
        f, init = b.phi("linear" if kind == "linear" else "tanh"), (nn.init.xavier, nn.init.orthogonal)
        cell: Any = {
            "leaky": lambda: nn.LeakyCell(2, n, f, init, tau=8.0, rng=seed),
            "skip": lambda: nn.SkipCell(2, n, f, (nn.init.xavier, mild), delay=2, rng=seed),
        }.get(kind, lambda: nn.RNNCell(2, n, f, init, rng=seed))()
        return recur(b, cell, nn.Linear(n, 2, rng=seed), xs, y, ask)

    return build


@recipe("healthy", 4)
def loss_at_every_step(r: Draw) -> Callable[[Build], Net]:
    """A loss at each of twelve to thirty steps, and all of them reach back: say at every step what stood first."""
    (xs, y, n, seed), kind = recall(r, whole(r, 12, 30)), whole(r, 0, 2)

    def build(b: Build) -> Net:
        init = (nn.init.xavier, nn.init.orthogonal)
        cell: Any = [
            lambda: nn.RNNCell(2, n, b.phi("tanh"), init, rng=seed),
            lambda: nn.LSTMCell(2, n, forget_bias=5.0, rng=seed),
            lambda: nn.LeakyCell(2, n, b.phi("tanh"), init, tau=20.0, rng=seed),
        ][kind]()
        ask = "model" if seed % 2 else next(name for name in cell.parameters() if name.startswith("W_h"))
        return known(recur(b, cell, nn.Linear(n, 2, rng=seed), xs, [y] * len(xs), ask, every=True), steps=100)

    return build


@recipe("healthy", 3)
def causal_attention(r: Draw) -> Callable[[Build], Net]:
    """One layer of attention behind a mask of -inf: the mean of what has been seen, one sequence or a batch of them."""
    d, T, seed, batch = whole(r, 4, 8), whole(r, 4, 8), fresh(r), among(r, (), (4,))
    x, name = r.normal(size=(*batch, T, d)), among(r, "W_q", "W_k", "W_v", "model")
    y = np.cumsum(x, axis=-2) / np.arange(1, T + 1)[:, None]

    def build(b: Build) -> Net:
        net = Attention(d, np.random.default_rng(seed), b)
        return feed(b, net, x, y, "model" if name == "model" else getattr(net, name))

    return build


def language(r: Draw, ask: str, body: Callable[[int, Draw, Build], list], places: bool) -> Callable[[Build], Net]:
    """The next symbol of sequences that count around in steps of 1 or 2: (batch, T) symbols and as many to be said."""
    V, d, T, seed = whole(r, 4, 7), whole(r, 6, 10), whole(r, 4, 8), fresh(r)
    steps = np.arange(T + 1) * r.integers(1, 3, (6, 1)) + r.integers(0, V, (6, 1))
    symbols, following = steps[:, :-1] % V, (steps[:, 1:] % V).reshape(-1)

    def build(b: Build) -> Net:
        rng = np.random.default_rng(seed)
        net = Language(V, d, body(d, rng, b), rng, T if places else 0)
        return feed(b, net, symbols, following, "model" if ask == "model" else getattr(net, ask))

    return build


@recipe("healthy", 3)
def transformer(r: Draw) -> Callable[[Build], Net]:
    """One or two blocks over embeddings of symbols and places, untied from the output matrix."""
    layers = whole(r, 1, 2)
    return language(r, among(r, "model", "E", "U"), lambda d, rng, b: [Block(d, rng, b) for _ in range(layers)], True)


@recipe("healthy", 2)
def embedding_and_readout(r: Draw) -> Callable[[Build], Net]:
    """A bigram model: an embedding, an output matrix of its own, and at most a tanh between them."""
    curved = coin(r)
    return language(r, among(r, "model", "E"), lambda d, rng, b: [b.phi("tanh")] if curved else [], False)
