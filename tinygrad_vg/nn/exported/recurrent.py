"""What do torch's fused recurrent ops compute?  One step after the other, each state a node with its name.

    x  input      h  state      c  memory      z  pre-activations      t  time      W  weights (out, in)      b  bias
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ...autodiff.products import linear
from ...autodiff.structure import concatenate, split, stack
from ...autodiff.table import sigmoid, tanh
from ...autodiff.tensor import Tensor
from .shapes import at


def rnn_step(phi: Callable[[Any], Any]) -> Callable[..., Any]:
    """h[t] = φ(z[t]),  z = W_hh h + b_hh + W_ih x + b_ih."""
    def step(x: Any, state: Any, W_ih: Any, W_hh: Any, b_ih: Any = None, b_hh: Any = None, *, label: Any) -> Any:
        z = linear(state[0], W_hh, b_hh) + linear(x, W_ih, b_ih)
        return label(h=phi(z), z=z)[:1]
    return step


def lstm_step(x: Any, state: Any, W_ih: Any, W_hh: Any, b_ih: Any = None, b_hh: Any = None, W_hr: Any = None, *, label: Any) -> Any:
    """c[t] = f c[t−1] + i g,  h[t] = o tanh(c[t]), or W_hr times that (proj_size); the gates' rows lie one below the other in W."""
    h, c = state
    i, f, g, o = split(linear(h, W_hh, b_hh) + linear(x, W_ih, b_ih), 4, -1)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    c = f * c + i * g
    h = o * tanh(c)
    return label(h=h if W_hr is None else linear(h, W_hr), c=c, i=i, f=f, g=g, o=o)[:2]


def gru_step(x: Any, state: Any, W_ih: Any, W_hh: Any, b_ih: Any = None, b_hh: Any = None, *, label: Any) -> Any:
    """h[t] = (1 − z) n + z h[t−1],  n = tanh(W_in x + b_in + r (W_hn h + b_hn))."""
    (h,) = state
    (xr, xz, xn), (hr, hz, hn) = split(linear(x, W_ih, b_ih), 3, -1), split(linear(h, W_hh, b_hh), 3, -1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = tanh(xn + r * hn)
    return label(h=(1 - z) * n + z * h, r=r, z=z, n=n)[:1]


def unrolled(step: Callable[..., Any], parts: int = 1) -> Callable[..., Any]:
    """torch's fused recurrent op, one step after the other: layers, both directions, states named h[0], h[1], … from the first on."""
    def op(x: Any, first: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool, bidirectional: bool,
           batch_first: bool, *, label: Any) -> Any:
        if dropout and train and num_layers > 1:
            raise NotImplementedError("dropout between recurrent layers; export with dropout=0, or in eval()")
        first, params = first if parts == 2 else [first], iter(params)
        projected = np.shape(first[0])[-1] != np.shape(first[-1])[-1]
        time, ways, last = int(batch_first and np.ndim(x) == 3), 2 if bidirectional else 1, list[Any]()
        sequence = [at(x, time, t) for t in range(np.shape(x)[time])]
        for layer in range(num_layers):
            outputs = []
            for way in range(ways):
                weights = [*islice(params, 4)] if has_biases else [*islice(params, 2), None, None]
                weights += islice(params, int(projected))
                suffix = str(layer + 1) * (num_layers > 1) + "r" * way
                states = [label(0, suffix, **dict(zip("hc", (leaf(at(part, 0, len(last))) for part in first))))]
                for t, entry in enumerate(sequence[::-1] if way else sequence, start=1):
                    states.append(step(entry, states[-1], *weights, label=partial(label, t, suffix)))
                last.append(states[-1])
                outputs.append([state[0] for state in (states[:0:-1] if way else states[1:])])
            sequence = outputs[0] if ways == 1 else [concatenate(pair, -1) for pair in zip(*outputs)]
        return stack(sequence, time), *(stack([state[part] for state in last]) for part in range(parts))
    return op


def leaf(x: Any) -> Any:
    """A first state of plain numbers as a leaf, so that gradients reach it."""
    return x if isinstance(x, Tensor) else Tensor(x)


def cell(step: Callable[..., Any], parts: int = 1) -> Callable[..., Any]:
    """One step of torch's nn.RNNCell, LSTMCell, GRUCell; it is called once for each."""
    def op(x: Any, state: Any, *params: Any, label: Any) -> Any:
        return step(x, state if parts == 2 else [state], *params, label=partial(label, None, ""))
    return op
