"""Does it show at small size?  The learning experiments of the debate, each a function that prints and returns a table.

Every one is reproducible from its arguments. A row is a dictionary.
Several runs are trained at once, along a leading axis of seeds: weights (seeds, out, in), inputs (T, seeds, batch, n).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.guards import no_grad
from ..autodiff.structure import concatenate, reshape
from ..nn import MLP, Linear, LSTMCell, Module, Reservoir, RNNCell, cross_entropy, mse, unroll
from ..nn.init import normal, with_radius
from ..text.tables import records
from .clipping import clip_norm
from .datasets import alphabet, characters, digits, minibatches, unigram_entropy
from .loop import fit
from .optimisers import SGD, Adam
from .penalties import vanishing_penalty
from .tasks import Batches, adding, narma10, nrmse, temporal_order

Row = dict[str, Any]


class Recurrent(Module):
    """A cell and a linear readout: called on inputs it gives the output after the last step, and all states."""

    def __init__(self, cell: Any, n_out: int, *, init: Any = "xavier", rng: Any = 0, seeds: Any = None):
        self.cell, self.readout = cell, Linear(cell.n_hidden, n_out, init, rng=rng, seeds=seeds)

    def __call__(self, inputs: Any) -> tuple[Any, list]:
        states = unroll(self.cell, inputs)
        return self.readout(self.cell.output(states[-1])), states

    def at_every_step(self, inputs: Any) -> tuple[Any, list]:
        """The outputs of all steps, (T · batch, n_out), the steps below each other; and all states."""
        states = unroll(self.cell, inputs)
        return self.readout(concatenate([self.cell.output(state) for state in states[1:]])), states


def digits_mlp(steps: int = 1500, rng: Any = 0) -> list[Row]:
    """An MLP of depth 3 on the handwritten digits: passes 95 % on the test set."""
    return table([{"network": "relu, he, depth 3", **digits_run([64, 64, 32, 10], "relu", "he", None, Adam, 3e-3, steps, rng)}])


def deep_sigmoid(depth: int = 20, steps: int = 1000, rng: Any = 0) -> list[Row]:
    """A sigmoid MLP on the digits: shallow it learns, deep it stays at chance, deep with batch norm it learns again."""
    rows = []
    for name, layers, norm in [("depth 2", 2, None), (f"depth {depth}", depth, None), (f"depth {depth}, batch norm", depth, "batch")]:
        sizes = [64, *[48] * (layers - 1), 10]
        rows.append({"network": f"sigmoid, {name}", **digits_run(sizes, "sigmoid", "xavier", norm, SGD, 0.3, steps, rng)})
    return table(rows)


def digits_run(sizes: list[int], activation: str, init: str, norm: Any, make: Any, lr: float, steps: int, rng: Any) -> Row:
    """One network on the digits: test accuracy, the commonest class's share, last loss, |g| of the first and the last layer at step 1."""
    (points, labels), (test_points, test_labels) = digits()
    net = MLP(sizes, activation, init, norm, rng=rng)
    batches = minibatches(points, labels, 64, rng)
    history = fit(net, lambda net, batch: cross_entropy(net(batch[0]), batch[1]), batches, make(net, lr), steps, record=steps)
    with no_grad():
        right = np.argmax(plain(net.eval()(test_points)), axis=1) == test_labels
    first, last = (history.records[0]["gradients"][f"layer{k}.W"] for k in (1, net.depth))
    chance = np.bincount(test_labels).max() / len(test_labels)
    result = {"accuracy": float(right.mean()), "chance": float(chance), "loss": float(np.mean(history.losses[-20:]))}
    return {**result, "|g| first": first, "|g| last": last}


def for_seeds(task: Callable[..., Batches], T: int, seeds: int, batch: int = 20, rng: Any = 0) -> Batches:
    """Every seed its own batch: inputs (T, seeds, batch, n), answers (seeds, batch, …)."""
    batches = task(T, seeds * batch, rng)

    def draw(rng: np.random.Generator) -> Any:
        inputs, answers = batches.draw(rng)
        return inputs.reshape(T, seeds, batch, -1), answers.reshape(seeds, batch, *answers.shape[1:])

    return Batches(draw, rng)


def smart_tanh(shape: tuple[int, ...], rng: Any) -> np.ndarray:
    """Spectral radius 0.95, after the "smart tanh" start of Pascanu, Mikolov & Bengio 2013 (dense here, not 15-sparse)."""
    return with_radius(normal(shape, rng), 0.95)


def order_of_two(T: int = 30, updates: int = 9000, seeds: int = 4, penalty: float = 0.0) -> list[Row]:
    """Temporal order with SGD, lr .05, 50 tanh units, batch 20: plain, with clipping to 1; and with the vanishing penalty if not 0.

    A run has succeeded once it errs on less than 1 % of 500 sequences, tested every 100 updates; `at` says after how many;
    the errors are means over the seeds.
    """
    methods = {"SGD": (None, 0.0), "SGD, clipped": (1.0, 0.0)} | ({"SGD, clipped, penalty": (1.0, penalty)} if penalty else {})
    rows = []
    for name, (clip, strength) in methods.items():
        errors = order_run(T, updates, seeds, clip, strength)
        at = [next((100 * (k + 1) for k, error in enumerate(column) if error < 0.01), None) for column in errors.T]
        rows.append({"method": name, "T": T, "solved": sum(a is not None for a in at), "of": seeds, "at": at})
        rows[-1] |= {"best error": float(errors.min(0).mean()), "last error": float(errors[-1].mean())}
    return table(rows)


def order_run(T: int, updates: int, seeds: int, clip: float | None, strength: float) -> np.ndarray:
    """Errors on 500 fresh sequences after every 100 updates, (tests, seeds); ends early once every seed has succeeded."""
    model = Recurrent(RNNCell(6, 50, "tanh", ("normal", smart_tanh), seeds=range(seeds)), 4, init="normal", seeds=range(seeds))
    (inputs, labels), errors = next(for_seeds(temporal_order, T, seeds, 500, rng=10**6)), []

    def loss(model: Any, batch: Any) -> Any:
        logits, states = model(batch[0])
        total = seeds * cross_entropy(reshape(logits, (-1, 4)), batch[1].ravel())
        return total + strength * seeds * vanishing_penalty(total, states) if strength else total

    def test(history: Any) -> bool:
        if history.steps % 100 == 0:
            with no_grad():
                errors.append(np.mean(np.argmax(plain(model(inputs)[0]), axis=-1) != labels, axis=1))
        return bool(errors) and bool(np.all(np.min(errors, axis=0) < 0.01))

    clipping = (lambda parameters: clip_norm(parameters, clip, per_seed=True)) if clip else None
    fit(model, loss, for_seeds(temporal_order, T, seeds), SGD(model, 0.05), updates, clip=clipping, record=100, after=test)
    return np.array(errors)


def long_sums(T: int = 60, updates: int = 2500, seeds: int = 4) -> list[Row]:
    """Adding with Adam 3e-3, clipping to 1, 40 units: an LSTM gets under a mean squared error of .02 where a tanh RNN stays near 1/6."""
    return table([sums_run(name, make, T, updates, seeds) for name, make in {"tanh": RNNCell, "LSTM": LSTMCell}.items()])


def sums_run(name: str, make: Any, T: int, updates: int, seeds: int) -> Row:
    """One kind of cell: how many seeds succeed, and the mean squared error of each on the last 100 batches."""
    model = Recurrent(make(2, 40, seeds=range(seeds)), 1, seeds=range(seeds))
    errors: list[np.ndarray] = []

    def loss(model: Any, batch: Any) -> Any:
        output, _ = model(batch[0])
        errors.append(np.mean(np.square(plain(output) - batch[1]), axis=(1, 2)))
        return seeds * mse(output, batch[1])

    fit(model, loss, for_seeds(adding, T, seeds), Adam(model, 3e-3), updates, clip=lambda p: clip_norm(p, 1.0, per_seed=True), record=100,
        after=lambda history: bool(history.steps % 100 == 0 and np.all(np.mean(errors[-100:], axis=0) < 0.02)))
    last = np.mean(errors[-100:], axis=0)
    solved = int(np.sum(last < 0.02))
    return {"cell": name, "T": T, "solved": solved, "of": seeds, "baseline": 1 / 6, "mse": last.tolist(), "steps": len(errors)}


def letters(text: str, steps: int = 1500, units: int = 64, rng: Any = 0) -> list[Row]:
    """Characters of a text, windows of 25: the loss of a tanh RNN and an LSTM beside the unigram entropy, in nats per character."""
    rows, n = [], len(alphabet(text))
    for name, make in {"tanh": RNNCell, "LSTM": LSTMCell}.items():
        model = Recurrent(make(n, units, rng=rng), n, rng=rng)

        def loss(model: Any, batch: Any) -> Any:
            return cross_entropy(model.at_every_step(batch[0])[0], batch[1].ravel())

        history = fit(model, loss, characters(text, 25, 20, rng), Adam(model, 3e-3), steps, clip=1.0, record=100)
        rows.append({"cell": name, "steps": steps, "unigram entropy": unigram_entropy(text), "loss": float(np.mean(history.losses[-50:]))})
    return table(rows)


def narma(units: int = 100, radius: float = 0.9, seeds: int = 8, steps: int = 2000) -> list[Row]:
    """NARMA-10 with an echo state network, of which only the readout is fitted: an NRMSE near .36 with 100 units (Jaeger 2003)."""
    return table([narma_run(units, radius, seeds, steps)])


def narma_run(units: int, radius: float, seeds: int, steps: int = 2000) -> Row:
    """NRMSE over seeds, mean and sd, on as many steps as the readout is fitted to."""
    errors = []
    for seed in range(seeds):
        inputs, targets = next(narma10(2 * steps, 1, rng=seed))
        reservoir = Reservoir(1, units, radius=radius, input_scale=0.5, rng=seed)
        H, Y = reservoir.states(inputs[:, 0]), targets[:, 0]
        readout = reservoir.fit(H[:steps], Y[:steps])
        errors.append(nrmse(plain(readout(H[steps:])), Y[steps:]))
    return {"units": units, "radius": radius, "steps": steps, "of": seeds, "NRMSE": float(np.mean(errors)), "sd": float(np.std(errors))}


def table(rows: list[Row]) -> list[Row]:
    """Print the rows below their names, and return them."""
    print(records(rows))
    return rows
