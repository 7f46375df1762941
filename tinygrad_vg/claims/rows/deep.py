"""What do the rows about networks share?  How weights start, the chain through a deep one, and what its gradient comes to.

    W  weight      n, N  units      ρ  spectral radius      h  hidden layer, or state      x  input      φ  activation
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import Chain, Tensor, nn
from ..models import hidden_layers


def times(scale: float, init: Callable[..., Any] = nn.init.normal) -> Callable[..., Any]:
    """A start for weights: `scale` times another, N(0, 1/n) if none is given."""
    return lambda shape, rng: scale * init(shape, rng)


def of_radius(rho: float) -> Callable[..., Any]:
    """A start for recurrent weights: N(0, 1/n), scaled to spectral radius ρ."""
    return lambda shape, rng: nn.init.with_radius(nn.init.normal(shape, rng), rho)


def layered(depth: int, width: int, activation: str, init: Any, seed: int, *, batch: int | None = None, **options: Any) -> Chain:
    """The chain from h[depth] of an MLP, pulled by a random gradient N(0, I), back to an input x ~ N(0, I), layer by layer.

    init  a name or function of nn.init, or a number s: W ~ N(0, s²/n)      batch  None for a single x      options  of nn.MLP
    """
    rng = np.random.default_rng(seed)
    net = nn.MLP([width] * (depth + 2), activation, times(init) if isinstance(init, float) else init, rng=rng, **options)
    x = Tensor(rng.normal(size=(width,) if batch is None else (batch, width)), name="x")
    return through([x, *hidden_layers(net(x))], rng.normal(size=x.shape))


def through(states: list[Any], seed: Any = None) -> Chain:
    """The chain from the last state, pulled by `seed`, back to the first, by way of all others."""
    return Chain(states[-1], states[0], through=states, seed=seed)


def descending(optimiser: Any, loss: Callable[[], Any]) -> Iterator[Any]:
    """Gradient descent without an end: the loss, its gradients in the leaves, before each step."""
    while True:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        yield value
        optimiser.step()


def curve(chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Layers passed, and the size of the gradient there, 1 at the output."""
    return np.arange(len(chain.stations)), np.exp(chain.log_product[::-1])


def unit_slopes(chain: Chain) -> np.ndarray:
    """φ′ at every unit of each layer of an MLP, (layers, …), read off the edges."""
    return np.array([h.edges[0].local.pull(np.ones(h.shape)) for (h,) in chain.stations[1:]])


def split(chain: Chain) -> tuple[float, float]:
    """Nats that the slopes cost, and that the weights do."""
    parts = chain.blame().parts
    slopes, weights = (parts[f"{kind} size"] + parts[f"{kind} alignment"] for kind in ("activation", "weight"))
    return slopes, weights
