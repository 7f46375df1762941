"""What if nothing is trained but the readout?  An echo state network: the recurrence stays as it was drawn.

No gradient has to come back through time, so none can vanish or explode; in exchange the memory is the one it was born with.

    x  input      h  state      a  leak      ρ  spectral radius      W  weights (out, in)      b  bias
    H  states, one row per step      Y  targets, the same      λ  ridge
"""

import math
from typing import Any

import numpy as np

from ..autodiff.tensor import Tensor
from . import init as initial
from .layers import Linear
from .recurrent import LeakyCell, unroll


class Reservoir(LeakyCell):
    """h[t] = (1 − a) h[t−1] + a φ(W_hh h[t−1] + W_xh x[t] + b_h): a LeakyCell, τ = 1/a, whose weights are constants.

    radius       ρ of W_hh; below 1 the state, as a rule, forgets where it started (the echo state property)
    leak         a, above 0 and at most 1, else ValueError
    input_scale  W_xh ~ U(−input_scale, input_scale); W_hh is drawn from N(0, 1/n) and scaled, b_h is 0
    leaf         what the first state becomes: Tensor, or scalars

    The weights are plain arrays and get no gradient, but one reaches h[0], so the chain through `unroll(reservoir, inputs)`
    can be inspected like any other.  activation, rng, seeds, name: see RNNCell.  Jaeger 2001; leak: Jaeger et al. 2007.
    """

    def __init__(self, n_in: int, n_hidden: int, activation: Any = "tanh", *, radius: float = 0.9, leak: float = 1.0,
                 input_scale: float = 1.0, leaf: Any = Tensor, **options: Any):
        if not 0 < leak <= 1:
            raise ValueError(f"leak is the share of the state that is renewed at each step, above 0 and at most 1; got {leak}")
        super().__init__(n_in, n_hidden, activation, ("uniform", "normal"), tau=1 / leak, leaf=fixed, **options)
        self.W_xh = fixed(input_scale * math.sqrt(n_in) * self.W_xh)
        self.W_hh = fixed(initial.with_radius(self.W_hh, radius))
        self.leaf = leaf

    def states(self, inputs: Any) -> np.ndarray:
        """h[1] … h[T] as one array (T, n_hidden), from h[0] = 0 and without a graph; inputs (T, batch, n_in) give (T, batch, n_hidden)."""
        start = np.zeros((*np.shape(inputs)[1:-1], self.n_hidden))
        return np.stack(unroll(self, np.asarray(inputs), start)[1:])

    @staticmethod
    def fit(states: Any, targets: Any, washout: int = 100, ridge: float = 1e-8) -> Linear:
        """The readout y = W h + b with the least Σ (y − target)² + λ |W|², as a Linear; the first `washout` steps are left out.

        states (T, n_hidden), targets (T,) or (T, n_out), or both with a batch behind T; seeds one at a time, states[:, s].
        ValueError for other shapes, if their T differ, or if no step is left.

            W = argmin |[H − H̄; √λ I] Wᵀ − [Y − Ȳ; 0]|²      b = ȳ − W h̄
        """
        if np.ndim(states) not in (2, 3) or len(states) != len(targets) or not 0 <= washout < len(states):
            given = f"states {np.shape(states)}, targets {np.shape(targets)}, washout {washout}"
            raise ValueError(f"fit needs states (T, …, n_hidden), targets (T, …) and a washout below T; got {given}")
        H = np.reshape(states[washout:], (-1, np.shape(states)[-1]))
        Y = np.reshape(targets[washout:], (len(H), -1))
        h, y, n = H.mean(axis=0), Y.mean(axis=0), H.shape[1]
        W = np.linalg.lstsq(np.vstack([H - h, math.sqrt(ridge) * np.eye(n)]), np.vstack([Y - y, np.zeros((n, Y.shape[1]))]))[0].T
        readout = Linear(n, Y.shape[1], "zeros", name="readout")
        readout.W.data, readout.b.data = W, y - W @ h
        return readout


def memory_capacity(reservoir: Reservoir, lags: int, steps: int = 4000, washout: int = 200, rng: Any = 0) -> np.ndarray:
    """How well a readout recalls an input of noise k steps later, k = 0 … lags − 1: squared correlations, on steps not fitted to.

    Their sum, the memory capacity, is at most n_hidden (Jaeger 2001); each is too large by about 1 / steps, by chance.
    """
    x = np.random.default_rng(rng).uniform(-1, 1, (2 * steps + washout, reservoir.n_in))
    H = reservoir.states(x)
    Y = np.stack([np.roll(x[:, 0], k) for k in range(lags)], axis=1)
    fitted, fresh = slice(0, steps + washout), slice(steps + washout, None)
    readout = reservoir.fit(H[fitted], Y[fitted], max(washout, lags))
    recalled = H[fresh] @ readout.W.data.T + readout.b.data
    return np.array([np.corrcoef(y, target)[0, 1] ** 2 for y, target in zip(recalled.T, Y[fresh].T)])


def fixed(array: np.ndarray, name: str = "") -> np.ndarray:
    """A copy closed to writing: a weight that is not trained, and that no step need copy."""
    array = np.array(array)
    array.setflags(write=False)
    return array
