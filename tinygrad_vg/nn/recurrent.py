"""What is a recurrence?  The same cell, with the same weights, once for every step of a sequence.

    x  input      h  state      z  pre-activation      t  time      W  weights (out, in)      b  bias
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autodiff.node import Node
from ..autodiff.products import linear
from ..autodiff.tensor import Tensor
from . import init as initial
from .layers import Module, activation_of


class RNNCell(Module):
    """h[t] = φ(z[t]),  z[t] = W_hh h[t−1] + W_xh x[t] + b_h.

    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  activation: sigmoid, tanh, relu, linear, or a function.
    init: a name or function of nn.init; leaf=scalars builds the same cell with one node per number.

        (∂h[t]/∂h[t−1])_ij = φ′(z_i) W_hh,ij
    """

    def __init__(self, n_in: int, n_hidden: int, activation: Any = "tanh", init: Any = "xavier", *, leaf: Any = Tensor, rng: Any = 0):
        rng, start = np.random.default_rng(rng), initial.of_name(init)
        self.activation, self.leaf, self.n_hidden = activation_of(activation), leaf, n_hidden
        self.W_xh = leaf(start((n_hidden, n_in), rng), name="W_xh")
        self.W_hh = leaf(start((n_hidden, n_hidden), rng), name="W_hh")
        self.b_h = leaf(np.zeros(n_hidden), name="b_h")

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        z = linear(h, self.W_hh, self.b_h) + linear(x, self.W_xh)
        h = named(self.activation(z), "h", t)
        return h if h is z else (named(z, "z", t), h)[1]

    def initial_state(self, batch: int | None = None) -> Any:
        """h[0], zeros: a leaf, so that gradients reach it. (n_hidden,), or (batch, n_hidden)."""
        return named(self.leaf(np.zeros(self.n_hidden if batch is None else (batch, self.n_hidden))), "h", 0)


def unroll(cell: Any, inputs: Sequence[Any], state: Any = None) -> list:
    """The states of the cell over a sequence: [h[0], h[1], …, h[T]], one more than there are inputs.

    inputs  a sequence of T inputs, or an array (T, n_in) or (T, batch, n_in)
    state   the first state; if left out, the cell's initial_state
    """
    inputs = list(inputs)
    if state is None:
        state = cell.initial_state(np.shape(inputs[0])[0] if inputs and np.ndim(inputs[0]) > 1 else None)
    states = [state]
    for x in inputs:
        states.append(cell(x, states[-1]))
    return states


def named(x: Any, base: str, t: int | None) -> Any:
    """x with the name base[t], or base[t,i] for each Scalar of an object array; plain arrays and unknown times go unnamed."""
    if t is not None and isinstance(x, Node) and x.name is None:
        x.named(base, t)
    elif t is not None and isinstance(x, np.ndarray) and x.dtype == object:
        for index, node in np.ndenumerate(x):
            if node.name is None:
                node.named(base, t, *index)
    return x


def time_of(state: Any) -> int | None:
    """The time of the step after `state`, from the state's name h[t]; None if it has no such name."""
    node = state.flat[0] if isinstance(state, np.ndarray) and state.dtype == object and state.size else state
    name = node.name if isinstance(node, Node) else None
    return name.index[0] + 1 if name and name.index else None
