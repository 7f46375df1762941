"""What does chance decide?  Sizes, data and scales for the recipes of diagnosis.py, all from the Generator r that a recipe is given."""

from __future__ import annotations

from typing import Any

import numpy as np

Draw = np.random.Generator


def whole(r: Draw, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(r.integers(low, high + 1))


def fresh(r: Draw) -> int:
    """A seed."""
    return whole(r, 0, 1 << 30)


def coin(r: Draw, p: float = 0.5) -> bool:
    """True with probability p."""
    return bool(r.random() < p)


def among(r: Draw, *choices: Any) -> Any:
    """One of the choices."""
    return choices[whole(r, 0, len(choices) - 1)]


def widths(r: Draw, shallowest: int, deepest: int) -> list[int]:
    """[n_in, hidden …, n_out], all hidden layers of one width."""
    return [whole(r, 2, 6), *[whole(r, 6, 16)] * whole(r, shallowest, deepest), whole(r, 1, 3)]


def data(r: Draw, n_in: int, n_out: int, classes: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A batch of inputs, and targets of size 1 or classes."""
    x = r.normal(size=(whole(r, 8, 32), n_in))
    classes = n_out > 1 and coin(r) if classes is None else classes
    return x, r.integers(0, n_out, len(x)) if classes else r.normal(size=(len(x), n_out))


def signs(r: Draw, n: int, low: float, high: float) -> np.ndarray:
    """n numbers between low and high, of either sign."""
    return r.uniform(low, high, n) * r.choice([-1.0, 1.0], n)


def sequence(r: Draw, shortest: int, longest: int) -> tuple[np.ndarray, int, int]:
    """Inputs (T, batch, n), the number of units, and a seed."""
    shape = whole(r, shortest, longest), whole(r, 2, 5), whole(r, 2, 4)
    return 0.5 * r.normal(size=shape), whole(r, 5, 12), fresh(r)


def last(r: Draw, batch: int) -> np.ndarray:
    """Targets for the end of a sequence: numbers, or one of two classes."""
    return r.normal(size=(batch, 2)) if coin(r) else r.integers(0, 2, batch)
