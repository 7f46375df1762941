"""What is the right answer to 16 to 25?  The engine says; a net is mended if the verdict calls it healthy *and* it learns.

    T steps    N units    W weight    b bias    g gradient    x inputs    a the answers wanted
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import Chain, Tensor, grad, history, jvp, nn, sigmoid, softmax, tanh, training, verdict
from ..chain.kinds import Verdict
from ..training.learning import Recurrent
from .cases import outputs
from .grading import Case, Fault, numbers

T, N, LAYERS = 20, 16, 10  # of the nets to mend
LEARNT = 0.3  # a loss below this; guessing one of two is ln 2 = 0.69


def attention(rng: Any) -> Case:
    """(A, V, g) and the gradients in S and V of softmax(S) V."""
    steps, d = rng.integers(2, 5, size=2)
    S, V, g = Tensor(rng.normal(size=(steps, steps))), Tensor(rng.normal(size=(steps, d))), rng.normal(size=(steps, d))
    A = softmax(S)
    return (A.data, V.data, g), grad(A @ V, [S, V], seed=g)


def lstm_step(rng: Any) -> Case:
    """(f, i, new, c, g) and the gradients in z_f, z_i, z_new and c of f c + i new."""
    n = rng.integers(1, 4)
    zs, g = [Tensor(rng.normal(size=n)) for _ in range(4)], rng.normal(size=n)
    f, i, new, c = sigmoid(zs[0]), sigmoid(zs[1]), tanh(zs[2]), zs[3]
    return (f.data, i.data, new.data, c.data, g), grad(f * c + i * new, zs, seed=g)


def layer_norm(rng: Any) -> Case:
    """(x, g) and the gradient in x of (x − mean x) / std x."""
    x = Tensor(rng.normal(size=rng.integers(3, 6)))
    g = rng.normal(size=x.size)
    return (x.data, g), grad((x - np.mean(x)) / np.std(x), x, seed=g)


def forward_walks(rng: Any) -> Iterator[Case]:
    """An output, one of its leaves, and the tangent of every node, oldest first (of a long graph only the output's)."""
    for output in outputs(rng):
        nodes = [node.named("v", i) for i, node in enumerate(history(output))]
        depends = {source := next(node for node in nodes if not node.parents)}
        for node in nodes:
            depends |= {node} if depends & {*node.parents} else set()
        looked_at = nodes if len(nodes) <= 200 else nodes[-1:]
        yield (output, source), {node: jvp(node, source, 1.0) if node in depends else 0.0 for node in looked_at}


def several_wrong(given: Any, wanted: list, *_: Any, names: str) -> Fault | None:
    """The first of several arrays that is wrong."""
    if not isinstance(given, (tuple, list)) or len(given) != len(wanted):
        return Fault(f"the answer is not {len(wanted)} things: {names}")
    faults = (numbers(part, right, what=name) for part, right, name in zip(given, wanted, names.split(", ")))
    return next((fault for fault in faults if fault), None)


def recurrence(rng: Any) -> Case:
    """(W, states, g) and the nats that slopes and weights cost in h ← tanh(W h)."""
    steps, n = int(rng.integers(1, 8)), int(rng.integers(2, 5))
    W, g = Tensor(rng.normal(size=(n, n)), name="W"), rng.normal(size=n)
    states = [Tensor(rng.normal(size=n)).named("h", 0)]
    for t in range(1, steps + 1):
        states.append(tanh(W @ states[-1]).named("h", t))
    parts = Chain(states[-1], states[0], through=states[1:-1], seed=g).blame().parts
    taken = [parts[f"{kind} size"] + parts[f"{kind} alignment"] for kind in ("activation", "weight")]
    return (W.data, np.array([h.data for h in states]), g), taken


def planted(rng: Any) -> Case:
    """A tanh RNN with, at one step, W × 1e-4 or a bias of ±9."""
    where, what = int(rng.integers(1, T + 1)), str(rng.choice(["slopes", "weights"]))
    W, states = nn.init.orthogonal((N, N), rng=rng), [Tensor(0.1 * rng.normal(size=N)).named("h", 0)]
    for t in range(1, T + 1):
        here = t == where
        W_t, b = W * (1e-4 if here and what == "weights" else 1), rng.choice([-9.0, 9.0], N) if here and what == "slopes" else 0.0
        states.append(tanh(Tensor(W_t, name="W") @ states[-1] + b).named("h", t))
    return (nn.mse(states[-1], np.ones(N)).named("loss"), states), (where, what)


def cause_wrong(given: Any, wanted: tuple, *_: Any) -> Fault | None:
    """What is wrong with a pair (t, cause), the step first; None if nothing."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        return Fault("the answer is no pair (t, cause)")
    if given[0] != wanted[0]:
        return Fault(f"step {given[0]} is as the others are; look at the gain of each link")
    return None if given[1] == wanted[1] else Fault(f"the step is right; the cause is not {given[1]!r}")


def sizes(rng: Any) -> Case:
    """(n,) from 2 to 7; there are many right answers."""
    return (int(rng.integers(2, 8)),), None


def not_exploding(W: Any, _: None, n: int) -> Fault | None:
    """What is wrong with a W (n, n) that should have ρ ≤ 0.9 and |W⁸| ≥ 100; None if nothing."""
    W = np.asarray(W, dtype=float)
    if W.shape != (n, n):
        return Fault(f"W has shape {W.shape}, wanted {(n, n)}")
    radius, gain = np.max(np.abs(np.linalg.eigvals(W))), np.linalg.norm(np.linalg.matrix_power(W, 8), 2)
    if radius > 0.9 + 1e-9:
        return Fault(f"an eigenvalue is {radius:.3g} in size, more than 0.9")
    return None if gain >= 100 else Fault(f"after 8 steps the longest gradient is {gain:.3g} times as long, not 100")


# Nets that do not learn


def first_of(rng: Any) -> Iterator[tuple[Any, Any]]:
    """Batches of T inputs: noise, and at the first step what to answer."""
    while True:
        x, a = np.zeros((T, 32, 2)), rng.integers(0, 2, 32)
        x[:, :, 0], x[0, :, 1] = 0.3 * rng.normal(size=(T, 32)), 2 * a - 1
        yield x, a


def sides(rng: Any) -> Iterator[tuple[Any, Any]]:
    """Batches of points, and on which side of a plane they lie."""
    while True:
        x = rng.normal(size=(64, 8))
        yield x, (x[:, 0] + x[:, 1] > 0).astype(int)


def rnns(rng: Any) -> Case:
    """A tanh RNN whose weight is contracting; what tries another one."""

    def tried(W: Any) -> tuple[Verdict, float]:
        model = Recurrent(nn.RNNCell(2, N, rng=0), 2, rng=1)
        model.cell.W_hh.data = W
        return verdict_and_loss(model, first_of, training.Adam(model, lr=5e-3), 100)

    return (nn.init.with_radius(nn.init.normal((N, N), rng=rng), 0.5),), tried


def lstms(rng: Any) -> Case:
    """An LSTM whose forget gate is nearly closed."""

    def tried(b: Any) -> tuple[Verdict, float]:
        model = Recurrent(nn.LSTMCell(2, N, rng=0), 2, rng=1)
        model.cell.b_f.data = b
        return verdict_and_loss(model, first_of, training.Adam(model, lr=1e-2), 60)

    return (rng.uniform(-2, -1, N),), tried


def mlps(rng: Any) -> Case:
    """A deep net of sigmoids."""
    model = nn.MLP([8, *[N] * LAYERS, 2], "sigmoid", rng=rng)
    hidden = [model.layer(k) for k in range(2, LAYERS + 1)]
    before = np.array([layer.W.data for layer in hidden]), np.array([layer.b.data for layer in hidden])

    def tried(changed: Any) -> tuple[Verdict, float]:
        if not isinstance(changed, (tuple, list)) or len(changed) != 2:
            raise ValueError("the answer is no pair (W, b)")
        for layer, W, b in zip(hidden, *changed, strict=True):
            layer.W.data, layer.b.data = W, b
        return verdict_and_loss(model, sides, training.SGD(model, lr=0.3), 150)

    return before, tried


def verdict_and_loss(model: Any, task: Callable, optimiser: Any, updates: int) -> tuple[Verdict, float]:
    """What the verdict says before training, and the loss at its end."""

    def loss(model: Any, batch: Any) -> Any:
        answer = model(batch[0])
        return nn.cross_entropy(answer[0] if isinstance(answer, tuple) else answer, batch[1])

    found = verdict(loss(model, next(task(np.random.default_rng(3)))), model)
    history = training.fit(model, loss, task(np.random.default_rng(1)), optimiser, updates, record=updates)
    return found, float(np.mean(history.losses[-10:]))


def not_mended(given: Any, tried: Callable, *_: Any) -> Fault | None:
    """What is wrong with a mended net, by its verdict and its loss after training; None if nothing."""
    found, loss = tried(given)
    if found.kind != "healthy":
        return Fault(f"the verdict is still: {found.kind}, {found.means}")
    return None if loss < LEARNT else Fault(f"the verdict is healthy, but trained it still has a loss of {loss:.2f}; guessing has 0.69")
