"""What of a weight that is used a thousand times?  Its contributions wait, and are summed as one product.

    g  gradient (…, out)      x  input (…, in)      gᵀ x  what one use contributes (out, in)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class Waiting(list):
    """Contributions gᵀ x to the gradient of a weight, [g, x, g, x, …], to be carried out together as one matrix product.

    A weight of an RNN receives one such product at each time step. G and X, the g's and x's of all steps laid below each
    other, give their sum in one go: Gᵀ X. Every `CHUNK` bytes the pairs so far are carried out, so memory stays small.
    """

    CHUNK = 1 << 18
    __array_ufunc__ = None  # array + waiting is left to __radd__
    done: Any = None  # the sum of what was carried out

    def __add__(self, other: Any) -> Waiting:
        """self, with the other's contributions (or an array) added to it: nobody else holds what is waiting."""
        if type(other) is Waiting:
            self.extend(other)
            other = other.done
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self and len(self) // 2 * (self[-2].nbytes + self[-1].nbytes) > self.CHUNK:
            self.done = self.total()
            self.clear()
        return self

    __radd__ = __add__

    def total(self) -> np.ndarray:
        """Gᵀ X, plus what was carried out before."""
        if not self:
            return self.done
        G, X = map(rows, self) if len(self) == 2 else map(below, (self[0::2], self[1::2]))
        product = G.T.dot(X)
        return product if self.done is None else self.done + product


def below(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays (n,), (batch, n), … laid below each other: (rows, n)."""
    return np.concatenate([part if part.ndim == 2 else rows(part) for part in parts])


def rows(x: Any) -> Any:
    """x as a matrix, its last axis as it is."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
