"""What has been proposed?  Every remedy as a model of the same size: recurrent ones that read a sequence, deep ones that see a point.

Each differs from the plain one of its family in one thing, named in `change`. Where a remedy is a way to train, the model is the plain one.

    N  units      L  hidden layers      d  delay      τ  time constant
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .. import nn
from ..training import clip_norm, clip_value
from ..training.learning import Recurrent

N, DELAY, TAU, DECAY = 32, 5, 10.0, 0.01
SYMBOLS, ORDERS, FEATURES, CLASSES = 6, 4, 16, 5  # of the task temporal_order; of the task teacher


class Remedy(NamedTuple):
    """A row of the laboratory.

    make  (depth, **{rng or seeds}) → a model      depth  hidden layers; the recurrent ones do not need it
    clip  what is done to the gradient before a step      decay  strength of l2_penalty, added to the loss
    """

    name: str
    family: str
    change: str
    make: Callable[..., Any]
    clip: Callable[[dict[str, Any]], Any] | None = None
    decay: float = 0.0


def recurrent(name: str, change: str, cell: Any = nn.RNNCell, *, clip: Any = None, decay: float = 0.0, **settings: Any) -> Remedy:
    """A cell of N units with a readout of its last state."""
    return Remedy(name, "recurrent", change, lambda _, **d: Recurrent(cell(SYMBOLS, N, **settings, **d), ORDERS, **d), clip, decay)


def deep(name: str, change: str, activation: str = "sigmoid", *, clip: Any = None, decay: float = 0.0, **settings: Any) -> Remedy:
    """An MLP with hidden layers of N units; residual="root" means a = 1/√L."""

    def make(depth: int, **draw: Any) -> nn.MLP:
        chosen = settings | ({"residual": 1 / math.sqrt(depth)} if settings.get("residual") == "root" else {})
        return nn.MLP([FEATURES, *[N] * depth, CLASSES], activation, **chosen, **draw)

    return Remedy(name, "deep", change, make, clip, decay)


by_norm, by_value = partial(clip_norm, threshold=1.0, per_seed=True), partial(clip_value, threshold=0.1)
REMEDIES: tuple[Remedy, ...] = (
    recurrent("tanh", "the plain one, W ~ N(0, 1/N)"),
    recurrent("sigmoid", "another activation", activation="sigmoid"),
    recurrent("ReLU", "another activation", activation="relu", init="he"),
    recurrent("clip by norm", "gradients longer than 1 cut to 1", clip=by_norm),
    recurrent("clip by value", "entries beyond 0.1 cut to 0.1", clip=by_value),
    recurrent("L2", f"loss + {DECAY / 2:g} Σ w²", decay=DECAY),
    recurrent("orthogonal", "W_hh orthogonal", init=("xavier", "orthogonal")),
    recurrent("identity (IRNN)", "W_hh = I, ReLU", activation="relu", init=("xavier", "identity")),
    recurrent("leaky", f"τ = {TAU:g}", nn.LeakyCell, tau=TAU),
    recurrent("time skip", f"d = {DELAY}", nn.SkipCell, delay=DELAY),
    recurrent("LSTM", "gates, forget bias 1", nn.LSTMCell),
    recurrent("GRU", "gates", nn.GRUCell),
    recurrent("minGRU", "gates that do not see h", nn.MinGRUCell),
    recurrent("LRU", "linear, |λ| from 0.9 to 0.999", nn.LRUCell),
    recurrent("selective SSM", "linear, a step size from x", nn.SelectiveCell),
    recurrent("echo state", "leak 0.1, only the readout is fitted", nn.Reservoir, radius=0.95, leak=0.1, input_scale=0.5),
    deep("sigmoid", "the plain one, Xavier"),
    deep("tanh", "another activation", "tanh"),
    deep("ReLU, Xavier", "another activation", "relu"),
    deep("ReLU, He", "and W ~ N(0, 2/N)", "relu", init="he"),
    deep("random walk", "ReLU, g so that ln |g| is level", "relu", init=lambda shape, rng: nn.init.random_walk(shape, rng, "relu")),
    deep("orthogonal", "tanh, W orthogonal", "tanh", init="orthogonal"),
    deep("residual", "tanh, h + φ(z) / √L", "tanh", residual="root"),
    deep("batch norm", "before each sigmoid", norm="batch"),
    deep("batch norm, ReLU", "before each ReLU", "relu", init="he", norm="batch"),
    deep("layer norm", "before each sigmoid", norm="layer"),
    deep("layer norm, tanh", "before each tanh", "tanh", norm="layer"),
    deep("clip by norm", "gradients longer than 1 cut to 1", clip=by_norm),
    deep("clip by value", "entries beyond 0.1 cut to 0.1", clip=by_value),
    deep("L2", f"loss + {DECAY / 2:g} Σ w²", decay=DECAY))
PLAIN = {"recurrent": "tanh", "deep": "sigmoid"}
