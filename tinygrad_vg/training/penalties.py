"""What can be added to the loss?  A wish about the weights, or about the gradient itself.

    w  weight      h  state      g  gradient ∂loss/∂h
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autodiff.calculus import grad
from ..autodiff.core import Node
from ..autodiff.structure import mean
from ..autodiff.structure import sum as total
from ..autodiff.table import square, where
from ..autodiff.tensor import Tensor
from ..nn.models import parameters_of


def l2_penalty(parameters: Any, strength: float) -> Any:
    """strength / 2 · Σ w², over all parameters (of a model, {name: leaf}, or leaves), as a node to add to the loss.

    Its slope is strength · w, that of SGD's weight_decay. It pulls weights towards 0: a cure for explosion, poison for vanishing.
    """
    leaves = parameters_of(parameters).values()
    return strength / 2 * sum(total(square(leaf)) for leaf in leaves)


def vanishing_penalty(loss: Any, states: Sequence[Any]) -> Any:
    """How far each step is from keeping the gradient's length, as a node: multiply by a strength and add it to the loss.

        Ω = Σ_t ( |g[t+1] ∂h[t+1]/∂h[t]| / |g[t+1]| − 1 )²,   g[t] = ∂loss/∂h[t]

    loss    one number          states  [h[0], …, h[T]], Tensors (n,) or (batch, n), each made from the one before, as of nn.unroll
    Every sequence of a batch has its own lengths; Ω is the mean over the batch. Where g[t+1] is exactly 0 a step does not count.

    Pascanu, Mikolov & Bengio 2013, eq. 9. They differentiate only the direct mention of W_hh (eq. 10); here Ω is part of the
    graph and is differentiated in full, through g and h too. TypeError for states that are not Tensors, such as an LSTM's pairs.
    """
    for h in states:
        if not isinstance(h, Tensor):
            raise TypeError(f"the states must be Tensors, one per time step; got {type(h).__name__} (an LSTM's pairs have no single norm)")
    later: list[Any] = grad(loss, list(states[1:]), create_graph=True)
    return sum(deviation(grad(after, h, seed=g, create_graph=True), g) for g, h, after in zip(later, states, states[1:]))


def deviation(pulled: Node, g: Node) -> Any:
    """(|pulled| / |g| − 1)², the mean over the batch; 0 for those whose g is 0."""
    largest = np.max(np.abs(g.data), axis=-1, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0)  # a constant: it cancels in the ratio, and keeps squares from underflowing
    alive = largest[..., 0] > 0
    ratio = np.linalg.norm(pulled / scale, axis=-1) / where(alive, np.linalg.norm(g / scale, axis=-1), 1.0)
    return mean(square(ratio - 1) * alive)
