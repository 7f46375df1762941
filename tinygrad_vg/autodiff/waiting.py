"""What of a weight that is used a thousand times, or an array cut into a thousand parts?  Its contributions wait, and are summed in one go.

    g  gradient (…, out)      x  input (…, in)      gᵀ x  what one use of a weight contributes (out, in)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np


class Waiting(list):
    """Contributions to one gradient, two entries of the list for each, to be summed together."""

    __array_ufunc__ = None  # array + waiting is left to __radd__
    dtype = None  # no node's, so that hand_on notices
    done: Any = None  # the sum of those that wait no longer

    # What each kind adds:  summed()  the sum of those that wait      fit()  how many like the last may wait: memory stays small
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __add__(self, other: Any) -> Waiting:
        """self, with the other's contributions (or an array) added to it: nobody else holds what is waiting."""
        if type(other) is type(self):
            self.extend(other)
            other = other.done
        elif isinstance(other, Waiting):
            other = other.total()
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self and len(self) > 2 * self.fit():
            self.done = self.total()
            self.clear()
        return self

    __radd__ = __add__

    def total(self) -> Any:
        """The sum of all contributions."""
        if not self:
            return self.done
        return self.summed() if self.done is None else self.done + self.summed()


class WaitingProducts(Waiting):
    """[g, x, g, x, …]: products gᵀ x of matrices.

    A weight of an RNN receives one of them at each time step. G and X, the g's and x's of all steps laid below each other,
    give their sum in one go: Gᵀ X.
    """

    CHUNK = 1 << 18  # bytes that may wait

    def summed(self) -> Any:
        G, X = self if len(self) == 2 else map(np.concatenate, (self[0::2], self[1::2]))
        return dot(G.T, X)

    def fit(self) -> int:
        return self.CHUNK // (self[-2].nbytes + self[-1].nbytes or 1)


class WaitingParts(Waiting):
    """[selection, g, selection, g, …]: parts of one array; the gates of an LSTM, the steps of a sequence.

    As many may wait as make up the whole, so that the whole is not made for each of them.
    """

    def summed(self) -> np.ndarray:
        whole = np.zeros(self[0].shape_in, self[1].dtype)
        for selection, g in zip(self[0::2], self[1::2]):
            selection.add(whole, g)
        return whole

    def fit(self) -> int:
        return math.prod(self[-2].shape_in) // (self[-1].size or 1)


def dot(A: Any, B: Any) -> Any:
    """A B of two matrices: for arrays .dot is the quick way, but with a node it does not record."""
    return A.dot(B) if type(A) is type(B) is np.ndarray else A @ B
