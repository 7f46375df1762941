"""What of a weight that is used a thousand times?  Its contributions wait, and are summed in one go.

    g  gradient (…, out)      x  input (…, in)      gᵀ x  what one use of the weight contributes (out, in)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import ndarray


class Waiting(list):
    """Contributions to one gradient, [a, x, a, x, …], to be carried out together.

    Each kind of it says what their sum is, carried_out(), and how many bytes of x may wait for that, enough(), so that
    memory stays small.
    """

    __array_ufunc__ = None  # array + waiting is left to __radd__
    dtype = None  # not known before it is carried out
    done: Any = None  # the sum of what was carried out
    held, most = 0, -1  # bytes of x that wait, and how many may before somebody looks
    carried_out: Any
    enough: Any

    def __add__(self, other: Any) -> Waiting:
        """self, with the other's contributions (or an array) added to it: nobody else holds what is waiting."""
        if type(other) is type(self):
            self.extend(other)
            self.held += other.held or other[1].nbytes
            other = other.done
        elif isinstance(other, Waiting):
            other = other.total()
        if other is not None:
            self.done = other if self.done is None else self.done + other
        if self.held > self.most:
            self.look()
        return self

    __radd__ = __add__

    def look(self) -> None:
        """Carry out what waits if it is more than enough."""
        self.held, self.most = sum(x.nbytes for x in self[1::2]), self.enough()
        if self.held > self.most:
            self.done, self.held = self.total(), 0
            self.clear()

    def total(self) -> Any:
        """The sum of what waits and of what was carried out before."""
        if not self:
            return self.done
        return self.carried_out() if self.done is None else self.done + self.carried_out()


class WaitingProducts(Waiting):
    """[g, x, g, x, …]: products gᵀ x of matrices.

    A weight of an RNN receives one of them at each time step. G and X, the g's and x's of all steps laid below each other,
    give their sum in one go: Gᵀ X. `CHUNK` bytes of both may wait.
    """

    CHUNK = 1 << 18

    def carried_out(self) -> Any:
        G, X = self if len(self) == 2 else map(np.concatenate, (self[0::2], self[1::2]))
        return times(G.T, X)

    def enough(self) -> int:
        g, x = self[-2:]
        return self.CHUNK * x.nbytes // (g.nbytes + x.nbytes or 1)


def times(A: Any, B: Any) -> Any:
    """A B; where B is a plain matrix, .dot is the quick way."""
    return A.dot(B) if type(B) is ndarray and B.ndim == 2 else A @ B


def rows(x: Any) -> Any:
    """x as a matrix, its last axis as it is."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
