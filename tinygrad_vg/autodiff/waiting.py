"""What of a weight that is used a thousand times?  Its contributions wait, and are summed as one product.

    g  gradient (…, out)      x  input (…, in)      gᵀ x  what one use contributes (out, in)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class Waiting:
    """Contributions gᵀ x to the gradient of a weight, kept as pairs and carried out together as one matrix product.

    A weight of an RNN receives one such product at each time step. G and X, the g's and x's of all steps laid below each
    other, give their sum in one go: Gᵀ X. Every `CHUNK` bytes the pairs so far are carried out, so memory stays small.
    """

    CHUNK = 1 << 18
    __slots__ = ("factors", "shape", "done")
    __array_ufunc__ = None
    done: Any

    def __init__(self, g: np.ndarray, x: np.ndarray):
        self.factors, self.done = [g, x], None
        self.shape = (g.shape[-1], x.shape[-1])

    def __add__(self, other: Any) -> Waiting:
        if type(other) is Waiting:
            self.factors += other.factors
            other = other.done
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self.factors and len(self.factors) * self.factors[-1].nbytes > self.CHUNK:
            self.done, self.factors = self.total(), []
        return self

    __radd__ = __add__

    def total(self) -> np.ndarray:
        """Gᵀ X, plus what was carried out before."""
        if not self.factors:
            return self.done
        product = below(self.factors[0::2]).T.dot(below(self.factors[1::2]))
        return product if self.done is None else self.done + product


def below(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays (n,), (batch, n), … laid below each other: (rows, n)."""
    return rows(parts[0]) if len(parts) == 1 else np.concatenate([part if part.ndim == 2 else rows(part) for part in parts])


def rows(x: Any) -> Any:
    """x as a matrix, its last axis as it is."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
