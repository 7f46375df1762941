"""How far back does a gradient reach in this model, on an example of its task?  The Jacobian from its last state or layer to the first.

    h  state or hidden layer      c  memory      T  steps      d  delay
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import Chain, Tensor, nn
from ..training import teacher, temporal_order
from ..training.learning import Recurrent
from .models import back_in_time, hidden_layers
from .remedies import CLASSES, FEATURES

FRESH, THOUSANDTH = 10**6, math.log(1e-3)  # the seed of what no training sees; the gain that counts as gone


class Gains(NamedTuple):
    """ln gain at each station, from the output back, and how many steps back that is."""

    steps: list[int]
    typical: list[float]
    worst: list[float]

    @property
    def reach(self) -> float:
        """Steps back until the typical gain is below 1/1000; inf if it never is."""
        return next((float(t) for t, gain in zip(self.steps, self.typical) if gain < THOUSANDTH), math.inf)

    @property
    def rates(self) -> tuple[float, float]:
        """The typical gain and the worst, nats per step of the whole way back."""
        return self.typical[-1] / self.steps[-1], self.worst[-1] / self.steps[-1]


def gains(model: Any, setting: Any, seed: int) -> Gains:
    """The gains of one model, from the output of its last state or hidden layer for one example, back to the first."""
    through = through_time if isinstance(model, Recurrent) else through_layers
    with np.errstate(all="ignore"):
        chain, steps = through(model, setting, seed)
        horizon = chain.horizon(1e-300)
    n = len(horizon.gains["worst"])
    return Gains(steps[:n], horizon.gains["typical"][:n], horizon.gains["worst"])


def through_time(model: Recurrent, setting: Any, seed: int) -> tuple[Chain, list[int]]:
    """h[T] back to h[0] (of an LSTM c[0]) on one sequence of the task."""
    inputs, _ = next(temporal_order(setting.T, 1, rng=[seed, FRESH]))
    states = nn.unroll(model.cell, inputs[:, 0])
    source, through = back_in_time(model.cell, states)
    chain = Chain(model.cell.output(states[-1]), source, through=through[:-1], seed=np.ones(model.cell.n_hidden))
    return chain, [*range(len(through)), setting.T]


def through_layers(model: Any, setting: Any, seed: int) -> tuple[Chain, list[int]]:
    """The last hidden layer, of one example, back to the first, of the whole batch (which a batch norm couples)."""
    points, _ = next(teacher(FEATURES, CLASSES, 32, rng=[seed, FRESH]))
    output = model(Tensor(points if isinstance(getattr(model, "norm1", None), nn.BatchNorm) else points[:1]))
    layers = hidden_layers(output)
    last = layers[-1][0]
    return Chain(last, layers[0], through=layers[1:], seed=np.ones(last.shape)), [0, *range(len(layers))]
