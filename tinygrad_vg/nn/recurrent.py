"""What is a recurrence?  The same cell, with the same weights, once for every step of a sequence.

    x  input      h  state      z  pre-activation      t  time      d  delay      τ  time constant      W  weights (out, in)      b  bias
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..autodiff.products import linear
from ..autodiff.structure import concatenate
from ..autodiff.tensor import Tensor
from . import init as initial
from .layers import Module, activation_of, each, generators, named


class Cell(Module):
    """What all cells share: how their weights and their first state are made, and named.

    n_in, n_hidden  numbers of inputs and of units
    init   a name or function of nn.init; or a pair, for the weights from x and those from h: ("normal", "identity")
    bias   False: no b
    leaf   what a weight becomes, leaf(array, name=…): Tensor, or scalars, the same cell with one node per number
    seeds  range(k): k cells in one, each as rng=0, 1, … would draw it; or k, split off from rng. Weights are then
           (seeds, out, in), x (seeds, batch, n_in), h (seeds, batch, n_hidden)
    name   goes behind the name of every node, so that cells in a stack differ: with name="1" they are W_hh1, h1[t], z1[t]
    """

    def __init__(self, n_in: int, n_hidden: int, init: Any = "xavier",
                 *, bias: bool = True, leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = ""):
        initial.check_shape((n_hidden, n_in))
        self.n_in, self.n_hidden, self.biased, self.leaf, self.name = n_in, n_hidden, bias, leaf, name
        self.inits = [initial.of_name(start) for start in (init if isinstance(init, (tuple, list)) else (init, init))]
        self.rng = generators(rng, seeds)
        self.lead = (len(self.rng),) if isinstance(self.rng, list) else ()

    def weights(self, to: str, bias: Any = 0.0) -> tuple[Any, Any, Any]:
        """W_x·, W_h· and b_·, which lead from x and h to the gate (or state) `to`."""
        return self.weight(f"W_x{to}"), self.weight(f"W_h{to}"), self.bias(f"b_{to}", bias)

    def weight(self, base: str, n_out: int = 0) -> Any:
        """A leaf (n_out, n_in), or (seeds, n_out, n_in), for x if it is called W_x…, else for h; n_out is n_hidden if left out."""
        init, n_in = (self.inits[0], self.n_in) if base.startswith("W_x") else (self.inits[1], self.n_hidden)
        return self.leaf(each(self.rng, lambda rng: initial.drawn(init, (n_out or self.n_hidden, n_in), rng)), name=base + self.name)

    def bias(self, base: str, value: Any = 0.0) -> Any:
        """A leaf (n_hidden,), or (seeds, n_hidden), that starts at `value`; None with bias=False."""
        return self.leaf(np.full((*self.lead, self.n_hidden), value, dtype=float), name=base + self.name) if self.biased else None

    def first(self, base: str, batch: int | None, t: int = 0) -> Any:
        """The leaf base[t], zeros: (n_hidden,), (batch, n_hidden), or with seeds (seeds, batch, n_hidden)."""
        if self.lead and batch is None:
            raise ValueError("with an axis of seeds a state is (seeds, batch, n_hidden), so it needs a batch: initial_state(batch=1)")
        shape = (*self.lead, *(() if batch is None else (batch,)), self.n_hidden)
        return self.label(t, **{base: self.leaf(np.zeros(shape))})

    def label(self, t: int | None, **nodes: Any) -> Any:
        """Name the nodes: z=… becomes z[t], or z[t,i] for each Scalar; without a time they go unnamed. Returns the first."""
        for base, x in nodes.items():
            if t is not None:
                named(x, base + self.name, t)
        return next(iter(nodes.values()))

    def initial_state(self, batch: int | None = None) -> Any:
        """h[0], zeros: a leaf. (n_hidden,), (batch, n_hidden), or with seeds (seeds, batch, n_hidden)."""
        return self.first("h", batch)

    def output(self, state: Any) -> Any:
        """The h of a state: what a readout, or the next cell of a stack, gets to see."""
        return state[0] if isinstance(state, tuple) else state


class RNNCell(Cell):
    """h[t] = φ(z[t]),  z[t] = W_hh h[t−1] + W_xh x[t] + b_h.

    x (n_in,) or (batch, n_in), h (n_hidden,) or (batch, n_hidden).  activation: a name in nn.ACTIVATIONS, or a function.
    init, leaf, rng, seeds, name: see Cell.

        (∂h[t]/∂h[t−1])_ij = φ′(z_i) W_hh,ij
    """

    def __init__(self, n_in: int, n_hidden: int, activation: Any = "tanh", init: Any = "xavier", **options: Any):
        super().__init__(n_in, n_hidden, init, **options)
        self.activation = activation_of(activation)
        self.W_xh, self.W_hh, self.b_h = self.weights("h")

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        z = linear(h, self.W_hh, self.b_h) + linear(x, self.W_xh)
        h = self.activation(z)
        return self.label(t, h=h, z=z)  # h first: without an activation z is the same node, and h is the name it keeps


class LeakyCell(RNNCell):
    """h[t] = (1 − 1/τ) h[t−1] + (1/τ) φ(z[t]): units that forget with a time constant of τ steps, and an RNNCell at τ = 1.

    tau  a number ≥ 1, or an array (n_hidden,) of them, else ValueError.  The rest as in RNNCell.

        (∂h[t]/∂h[t−1])_ij = (1 − 1/τ) δ_ij + (1/τ) φ′(z_i) W_hh,ij

    Mozer 1992; El Hihi & Bengio 1996.
    """

    def __init__(self, n_in: int, n_hidden: int, activation: Any = "tanh", init: Any = "xavier", *, tau: Any, **options: Any):
        super().__init__(n_in, n_hidden, activation, init, **options)
        if not np.all(np.asarray(tau) >= 1):
            raise ValueError(f"tau is a time constant in steps, 1 (no memory of its own) or more; got {tau}")
        if np.shape(tau) not in ((), (n_hidden,)):
            raise ValueError(f"tau is one number or one for each of the {n_hidden} units; got shape {np.shape(tau)}")
        self.tau = np.array(tau, dtype=float) if np.ndim(tau) else tau

    def __call__(self, x: Any, h: Any) -> Any:
        t = time_of(h)
        z = linear(h, self.W_hh, self.b_h) + linear(x, self.W_xh)
        h = (1 - 1 / self.tau) * h + (1 / self.tau) * self.activation(z)
        return self.label(t, h=h, z=z)


class SkipCell(RNNCell):
    """h[t] = φ(z[t]),  z[t] = W_hh h[t−1] + W_skip h[t−d] + W_xh x[t] + b_h: T steps can be crossed in T/d.

    The state is (h[t], h[t−1], …, h[t−d+1]), the newest first.  delay: d ≥ 1, else ValueError.  The rest as in RNNCell.
    Only together do d states stop every path, so they are the stations: Chain(loss, states[0][0], through=states[d:]).

        (∂h[t]/∂h[t−1])_ij = φ′(z_i) W_hh,ij      (∂h[t]/∂h[t−d])_ij = φ′(z_i) W_skip,ij

    Lin, Horne, Tiňo & Giles 1996.
    """

    def __init__(self, n_in: int, n_hidden: int, activation: Any = "tanh", init: Any = "xavier", *, delay: int, **options: Any):
        super().__init__(n_in, n_hidden, activation, init, **options)
        if delay < 1:
            raise ValueError(f"delay is how many steps back the second connection reaches, 1 or more; got {delay}")
        self.delay, self.W_skip = delay, self.weight("W_skip")

    def __call__(self, x: Any, state: Any) -> Any:
        state = members(state, self.delay)
        h, oldest, t = state[0], state[-1], time_of(state[0])
        z = linear(h, self.W_hh, self.b_h) + linear(oldest, self.W_skip) + linear(x, self.W_xh)
        h = self.activation(z)
        return (self.label(t, h=h, z=z), *state[:-1])

    def initial_state(self, batch: int | None = None) -> Any:
        """(h[0], h[−1], …, h[1−d]), zeros: d leaves."""
        return tuple([self.first("h", batch, -k) for k in range(self.delay)])


class Stacked(Module):
    """Cells on top of each other: x goes into the first, the h of each into the next. The state is the tuple of their states.

    Each cell needs a name of its own, else ValueError:  Stacked([LSTMCell(3, 8, name="1"), LSTMCell(8, 8, name="2")])
    Their nodes are W_hi1, h1[t], W_hi2, h2[t], …; parameters() calls the weights cells.0.W_hi, cells.1.W_hi, ….
    """

    def __init__(self, cells: Sequence[Any]):
        for k, cell in enumerate(cells, start=1):
            if cell.name in {below.name for below in cells[: k - 1]}:
                raise ValueError(f"two stacked cells have the name {cell.name!r}; tell their nodes apart, as in RNNCell(…, name='{k}')")
        self.cells = list(cells)

    def __call__(self, x: Any, state: Any) -> Any:
        states = []
        for cell, old in zip(self.cells, members(state, len(self.cells))):
            states.append(cell(x, old))
            x = cell.output(states[-1])
        return tuple(states)

    def initial_state(self, batch: int | None = None) -> Any:
        """The tuple of the cells' first states."""
        return tuple([cell.initial_state(batch) for cell in self.cells])

    def output(self, state: Any) -> Any:
        """The h of the topmost cell."""
        return self.cells[-1].output(state[-1])


class Bidirectional(Module):
    """y[t] = [h→[t]; h←[t]]: one cell reads the sequence, another reads it from its end (Schuster & Paliwal 1997).

    inputs (T, n_in) or (T, batch, n_in), time first  →  a list of T outputs (2 n_hidden,) or (batch, 2 n_hidden).
    Give the cells names, so that their nodes differ: Bidirectional(RNNCell(3, 8), RNNCell(3, 8, name="r")). A cell counts its own
    steps: hr[1] has seen the last input only.  net.states(inputs) gives both lists of states, each from its first state on.
    """

    def __init__(self, forward: Any, reverse: Any):
        self.forward, self.reverse = forward, reverse

    def __call__(self, inputs: Any, states: Any = (None, None)) -> list:
        ahead, back = self.states(inputs, states)
        pairs = zip(ahead[1:], back[:0:-1])
        return [concatenate([self.forward.output(h), self.reverse.output(r)], -1) for h, r in pairs]

    def states(self, inputs: Any, states: Any = (None, None)) -> tuple[list, list]:
        """The states of both cells, T + 1 each, in the order in which they are computed; states: the pair to begin with."""
        sequence = list(inputs)
        return unroll(self.forward, sequence, states[0]), unroll(self.reverse, sequence[::-1], states[1])


def unroll(cell: Any, inputs: Any, state: Any = None, truncate: int | None = None) -> list:
    """The states of the cell over a sequence: [h[0], h[1], …, h[T]], one more than there are inputs.

    inputs    a sequence of T inputs, or an array (T, n_in), (T, batch, n_in) or (T, seeds, batch, n_in): time comes first.
              One with the batch first, (batch, T, n_in), is turned round by np.swapaxes(inputs, 0, 1)
    state     the first state; if left out, the cell's initial_state. states[-1] of an earlier call goes on from there
    truncate  k: no gradient goes further back than to the last multiple of k steps (counted from `state`). After every k
              steps the cell goes on from cut(state), so a loss at states[k] reaches back to states[0], a later one does not
    """
    sequence = list(inputs)
    if truncate is not None and truncate < 1:
        raise ValueError(f"truncate is the number of steps a gradient may go back, 1 or more, or None for all; got {truncate}")
    if state is None:
        shape = np.shape(sequence[0]) if sequence else np.shape(inputs)[1:]  # an array tells its batch even if T = 0
        state = cell.initial_state(shape[-2] if len(shape) > 1 else None)
    states = [state]
    for steps, x in enumerate(sequence):
        state = cut(states[-1]) if truncate and steps and steps % truncate == 0 else states[-1]
        states.append(cell(x, state))
    return states


def cut(state: Any) -> Any:
    """The state as fresh leaves with the same values and names, where a gradient ends; plain arrays stay what they are."""
    if isinstance(state, tuple):
        return tuple(map(cut, state))
    if isinstance(state, np.ndarray) and state.dtype == object:
        return np.frompyfunc(cut, 1, 1)(state)
    return type(state)(state.data, state.name) if isinstance(state, Node) else state


def members(state: Any, n: int) -> tuple:
    """The n parts of a state; ValueError if there are not n."""
    if not isinstance(state, (tuple, list)) or len(state) != n:
        given = f"{len(state)} parts" if isinstance(state, (tuple, list)) else f"one {type(state).__name__}"
        raise ValueError(f"the state of this cell is a tuple of {n}, as initial_state() makes it; got {given}")
    return tuple(state)


def time_of(h: Any) -> int | None:
    """The time of the step after the state h, from its name h[t]; None if it has no such name. TypeError for None or a tuple."""
    if h is None:
        raise TypeError("a cell needs the state before: cell(x, cell.initial_state()); nn.unroll(cell, inputs) begins there by itself")
    if isinstance(h, tuple):
        raise TypeError(f"the state of this cell is one h, as initial_state() makes it; got {len(h)} parts, as of another cell")
    node = h.flat[0] if isinstance(h, np.ndarray) and h.dtype == object and h.size else h
    name = node.name if isinstance(node, Node) else None
    return name.index[0] + 1 if name and name.index else None
