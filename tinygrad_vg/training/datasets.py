"""What is there to learn without time, and from the real world?  Points, a teacher network, digits, characters of a text.

Points are (n, features), labels (n,) whole numbers; what is endless is a Batches (see tasks).
"""

import math
from collections import Counter
from typing import Any

import numpy as np

from ..nn.layers import one_hot
from .tasks import Batch, Batches


def minibatches(points: np.ndarray, labels: np.ndarray, size: int = 32, rng: Any = 0) -> Batches:
    """Endless batches of `size` different rows, drawn afresh each time (so that rng is all there is to save)."""
    if not 0 < size <= len(points) == len(labels):
        raise ValueError(f"need as many labels as points, and a size of 1 to {len(points)}; got {len(labels)} labels, size {size}")

    def draw(rng: np.random.Generator) -> Batch:
        chosen = rng.choice(len(points), size, replace=False)
        return points[chosen], labels[chosen]

    return Batches(draw, rng)


def two_moons(n: int = 200, noise: float = 0.1, rng: Any = 0) -> Batch:
    """Two interlocking half circles, each of one class. Points (n, 2), labels (n,), as evenly split as n allows.

    Baseline: an error of 1/2; a straight line gets to about 1/8. The set of scikit-learn's make_moons.
    """
    rng, labels = np.random.default_rng(rng), np.arange(n) % 2
    angle, sign = rng.uniform(0, np.pi, n), 1 - 2 * labels
    points = np.stack([sign * np.cos(angle) + labels, sign * np.sin(angle) + 0.5 * labels], axis=1)
    return points + rng.normal(0, noise, (n, 2)), labels


def spirals(n: int = 300, classes: int = 3, *, turns: float = 0.75, noise: float = 0.02, rng: Any = 0) -> Batch:
    """One spiral arm per class, from the centre out to radius 1. Points (n, 2), labels (n,), as evenly split as n allows.

    Baseline: an error of 1 − 1/classes. After Lang & Witbrock 1988, who have two arms of three turns.
    """
    rng, labels = np.random.default_rng(rng), np.arange(n) % classes
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 2 * np.pi * (turns * radius + labels / classes)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + rng.normal(0, noise, (n, 2)), labels


def teacher(n_in: int = 16, classes: int = 5, batch: int = 64, *, n_hidden: int = 32, rng: Any = 0) -> Batches:
    """Imitate another network. Points (batch, n_in) from N(0, 1), labels (batch,): the largest output of a fixed random tanh network.

    The teacher is drawn from rng at once, W ~ N(0, 4/n_in) and N(0, 1/n_hidden), its outputs centred and scaled on 4,096 points
    so that every class occurs. Baseline: an error of 1 − (share of the commonest class), about 1 − 1/classes.
    """
    rng = np.random.default_rng(rng)
    W, V = rng.normal(0, 2 / math.sqrt(n_in), (n_hidden, n_in)), rng.normal(0, 1 / math.sqrt(n_hidden), (classes, n_hidden))
    sample = np.tanh(rng.normal(size=(4096, n_in)) @ W.T) @ V.T
    centre, spread = sample.mean(0), sample.std(0)

    def draw(rng: np.random.Generator) -> Batch:
        points = rng.normal(size=(batch, n_in))
        return points, np.argmax((np.tanh(points @ W.T) @ V.T - centre) / spread, axis=1)

    return Batches(draw, rng)


def digits() -> tuple[Batch, Batch]:
    """Handwritten digits, 8 × 8: ((points, labels) to train on, (points, labels) to test on), 1,437 and 360, the same split always.

    Points (n, 64) from 0 to 1, labels 0 … 9. Baseline: an error of about .9. The 1,797 digits that come with scikit-learn, the
    test part of Alpaydin & Kaynak's optical recognition set (UCI 1998). ImportError, with the command to install it, without scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ImportError('digits() needs scikit-learn, the extra `data`: python -m pip install -e ".[data]"') from None
    points, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(labels))  # RandomState's stream never changes, a Generator's may
    points, labels = points[order] / 16, labels[order].astype(int)
    return (points[:1437], labels[:1437]), (points[1437:], labels[1437:])


def alphabet(text: str) -> str:
    """The characters of a text, each once, in order."""
    return "".join(sorted(set(text)))


def characters(text: str, T: int = 50, batch: int = 20, rng: Any = 0) -> Batches:
    """Guess the next character. Inputs (T, batch, len(alphabet(text))) one-hot, labels (T, batch), windows from anywhere in the text.

    Baseline: unigram_entropy(text) nats per character, of a guess that knows only how often each character occurs.
    """
    if len(text) <= T:
        raise ValueError(f"the text has {len(text)} characters; windows of T = {T} and the character after them need more")
    letters = alphabet(text)
    index = {letter: k for k, letter in enumerate(letters)}
    numbers = np.array([index[letter] for letter in text])

    def draw(rng: np.random.Generator) -> Batch:
        window = numbers[rng.integers(0, len(text) - T, batch) + np.arange(T + 1)[:, None]]
        return one_hot(window[:-1], len(letters)), window[1:]

    return Batches(draw, rng)


def unigram_entropy(text: str) -> float:
    """−Σ p ln p over the characters' frequencies p, in nats: the least loss of a guess that looks at nothing.

    >>> round(unigram_entropy("abab"), 4)
    0.6931
    """
    counts = Counter(text).values()
    return sum(-n / len(text) * math.log(n / len(text)) for n in counts)
