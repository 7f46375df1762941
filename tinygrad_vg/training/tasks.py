"""What is hard to learn over time?  Sequence tasks, each with the loss of somebody who has learned nothing.

A task is an endless iterator of batches. Inputs are (T, batch, n), ready for nn.unroll; labels are whole numbers, targets real.

    T  time steps      rng  a Generator or a seed; the iterator's only memory, as .rng
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..nn.layers import one_hot

Batch = tuple[np.ndarray, np.ndarray]


class Batches:
    """Endless batches: next() is draw(rng). All they remember is .rng, so saving its state saves where they are."""

    def __init__(self, draw: Callable[["np.random.Generator"], Any], rng: Any = 0):  # quoted: NumPy loads np.random when it is used
        self.draw, self.rng = draw, np.random.default_rng(rng)

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Any:
        return self.draw(self.rng)


def adding(T: int, batch: int = 20, rng: Any = 0) -> Batches:
    """Add the two marked numbers. Inputs (T, batch, 2): a number from U(0, 1), and a mark, one in each half; targets (batch, 1).

    Baseline: always answering 1 has the mean squared error Var(U₁ + U₂) = 1/6 (papers quote .167 and .1767).
    Hochreiter & Schmidhuber 1997, experiment 4, in the form of Le, Jaitly & Hinton 2015.
    """
    if T < 2:
        raise ValueError(f"adding needs at least two steps; got T = {T}")

    def draw(rng: np.random.Generator) -> Batch:
        numbers, marks, each = rng.uniform(size=(T, batch)), np.zeros((T, batch)), np.arange(batch)
        first, second = rng.integers(0, T // 2, batch), rng.integers(T // 2, T, batch)
        marks[first, each] = marks[second, each] = 1
        return np.stack([numbers, marks], axis=-1), (numbers[first, each] + numbers[second, each])[:, None]

    return Batches(draw, rng)


def copy_memory(T: int, batch: int = 20, rng: Any = 0) -> Batches:
    """Ten symbols, T steps of nothing but a sign at their end, then say the ten. Inputs (T + 20, batch, 10), labels (T + 20, batch).

    Inputs are one-hot: symbols are 0 … 7, 8 is blank and 9 the sign; the label is blank until the last ten steps.
    Baseline: memoryless_loss(T) = 10 ln 8 / (T + 20) nats per step (Arjovsky, Shah & Bengio 2016).
    """

    if T < 1:
        raise ValueError(f"copy_memory needs at least one step for its sign; got T = {T}")

    def draw(rng: np.random.Generator) -> Batch:
        symbols, blank = rng.integers(0, 8, (10, batch)), np.full((T + 10, batch), 8)
        shown = np.concatenate([symbols, blank])
        shown[T + 9] = 9
        return one_hot(shown, 10), np.concatenate([blank, symbols])

    return Batches(draw, rng)


def memoryless_loss(T: int) -> float:
    """10 ln 8 / (T + 20), in nats per step: copy_memory's best loss for a model that knows the time but none of the symbols."""
    return 10 * math.log(8) / (T + 20)


def temporal_order(T: int, batch: int = 20, rng: Any = 0) -> Batches:
    """In which order came A and B? Inputs (T, batch, 6) one-hot: A or B at two places, else one of c, d, e, f; labels (batch,).

    The places lie in 10–20 % and 40–50 % of the sequence; the label counts AA, AB, BA, BB from 0.
    Baseline: an error of 3/4, a loss of ln 4. Hochreiter & Schmidhuber 1997, experiment 6a; places as in Pascanu, Mikolov & Bengio 2013.
    """
    if T < 10:
        raise ValueError(f"temporal_order needs at least 10 steps; got T = {T}")

    def draw(rng: np.random.Generator) -> Batch:
        shown, each, pair = rng.integers(2, 6, (T, batch)), np.arange(batch), rng.integers(0, 2, (2, batch))
        shown[rng.integers(T // 10, max(T // 5, T // 10 + 1), batch), each] = pair[0]
        shown[rng.integers(4 * T // 10, max(T // 2, 4 * T // 10 + 1), batch), each] = pair[1]
        return one_hot(shown, 6), 2 * pair[0] + pair[1]

    return Batches(draw, rng)


def latch(T: int, batch: int = 20, *, noise: float = 0.2, held: int = 3, rng: Any = 0) -> Batches:
    """Hold one bit. Inputs (T, batch, 1): ±1 for the first `held` steps, then noise N(0, noise²); targets (batch, 1) are ±0.8.

    Baseline: always answering 0 has the mean squared error .64. After Bengio, Simard & Frasconi 1994, where
    the first inputs are themselves trained; they report that success falls as T and the noise grow.
    """

    def draw(rng: np.random.Generator) -> Batch:
        bit = rng.choice([-1.0, 1.0], (batch, 1))
        inputs = rng.normal(0.0, noise, (T, batch, 1))
        inputs[:held] = bit
        return inputs, 0.8 * bit

    return Batches(draw, rng)


def parity(T: int, batch: int = 20, rng: Any = 0) -> Batches:
    """Even or odd? Inputs (T, batch, 1) of 0 and 1; labels (batch,): 1 if the number of ones is odd.

    Baseline: an error of 1/2, a loss of ln 2, even for a model that misses a single bit.
    """

    def draw(rng: np.random.Generator) -> Batch:
        bits = rng.integers(0, 2, (T, batch))
        return bits[..., None].astype(float), bits.sum(0) % 2

    return Batches(draw, rng)


def delayed_recall(T: int, delay: int, batch: int = 20, *, symbols: int = 4, rng: Any = 0) -> Batches:
    """Say what came `delay` steps ago. Inputs (T, batch, symbols) one-hot; labels (T − delay, batch), of the steps from `delay` on.

    Baseline: ln(symbols) nats per step, as the symbols are independent.
    """
    if not 0 <= delay < T:
        raise ValueError(f"delay must lie from 0 to T - 1 = {T - 1}; got {delay}")

    def draw(rng: np.random.Generator) -> Batch:
        shown = rng.integers(0, symbols, (T, batch))
        return one_hot(shown, symbols), shown[: T - delay]

    return Batches(draw, rng)


def narma10(T: int, batch: int = 1, rng: Any = 0) -> Batches:
    """Follow a system with a memory of ten steps. Inputs (T, batch, 1) from U(0, .5); targets (T, batch, 1).

        y[t+1] = .3 y[t] + .05 y[t] Σ_{i<10} y[t−i] + 1.5 u[t−9] u[t] + .1

    The target at step t is y[t+1]. The system can run away: sequences in which |y| passes 2 are drawn again.
    Baseline: answering the mean has nrmse 1. Atiya & Parlos 2000.
    """

    def draw(rng: np.random.Generator) -> Batch:
        u = rng.uniform(0, 0.5, (T, batch))
        y = narma_response(u)
        while np.any(wild := ~np.all(np.abs(y) <= 2, axis=0)):
            u[:, wild] = rng.uniform(0, 0.5, (T, int(wild.sum())))
            y = narma_response(u)
        return u[..., None], y[..., None]

    return Batches(draw, rng)


def narma_response(u: np.ndarray) -> np.ndarray:
    """y[1], …, y[T] of narma10 for the inputs u[0], …, u[T−1] (along the first axis), from y = u = 0 before."""
    T, past = len(u), np.zeros((10, *u.shape[1:]))
    u, y = np.concatenate([past, u]), np.concatenate([past, np.zeros_like(u)])
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(9, 9 + T):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum(0) + 1.5 * u[t - 8] * u[t + 1] + 0.1
    return y[10:]


def nrmse(output: Any, target: Any) -> float:
    """√(mean (output − target)² / variance of target): 0 is perfect, 1 as good as answering the mean."""
    if np.shape(output) != np.shape(target):
        raise ValueError(f"nrmse compares arrays of one shape; got output {np.shape(output)} and target {np.shape(target)}")
    return float(np.sqrt(np.mean(np.square(np.asarray(output) - target)) / np.var(target)))


def sines(T: int, batch: int = 20, rng: Any = 0) -> Batches:
    """Go on with a sine of unknown period (8 to 32 steps) and phase. Inputs (T, batch, 1), targets (T, batch, 1): the next value.

    Baseline: answering 0 has the mean squared error 1/2.
    """

    def draw(rng: np.random.Generator) -> Batch:
        angle = 2 * np.pi * (np.arange(T + 1)[:, None] / rng.uniform(8, 32, batch) + rng.uniform(size=batch))
        return np.sin(angle)[:-1, :, None], np.sin(angle)[1:, :, None]

    return Batches(draw, rng)
