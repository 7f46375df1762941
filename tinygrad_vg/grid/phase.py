"""Where does a deep net keep its gradient, and where does it learn?  The cell of a phase diagram: depth × variance of the weights.

    σ_w²  variance of the weights times n      L  depth      slope  ln |gradient| per layer, in nats

Poole et al. 2016 and Schoenholz et al. 2017: a tanh net keeps signals where σ_w² is near 1 (without biases), the edge of chaos;
it learns up to a depth of about six times the distance over which two inputs stay distinguishable. Of a ReLU net the edge is at 2.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import Chain, Tensor, nn, no_grad
from ..training import SGD, fit, teacher
from .results import Grid
from .runs import run


def cell(
    depth: int, variance: float, seed: int, rng: np.random.Generator, activation: str = "tanh", width: int = 24, updates: int = 60
) -> dict[str, float]:
    """An MLP of `depth` layers, weights N(0, variance / n): its slope at the start, and its accuracy after a short training."""
    batches = teacher(width, batch=64, rng=seed)
    net = nn.MLP([width] * depth + [5], activation, lambda shape, rng: nn.init.normal(shape, rng, variance**0.5), rng=rng)
    points = Tensor(next(iter(batches))[0], name="x")
    top = net(points)
    chain = Chain(top, points, seed=rng.normal(size=top.shape))
    with np.errstate(all="ignore"):
        fit(net, lambda net, b: nn.cross_entropy(net(b[0]), b[1]), batches, SGD(net, 0.05, momentum=0.9), updates, record=updates)
    with no_grad():
        shown = [(net(x).data.argmax(-1) == labels).mean() for (x, labels), _ in zip(batches, range(8))]
    return {"accuracy": float(np.mean(shown)), "slope": chain.log_product[0] / depth}


def diagram(depths: Sequence[int], variances: Sequence[float], seeds: int = 3, net: Any = (), **options: Any) -> Grid:
    """The grid of runs.  net: what else the cell takes, {"activation": "relu"}      options: as for grid.run

    ValueError for a variance below 0.
    """
    if negative := [variance for variance in variances if variance < 0]:
        raise ValueError(f"a variance is 0 or more; got {negative[0]:g}")
    more = {name: [x] for name, x in dict(net).items()}
    return run(cell, {"depth": depths, "variance": variances, **more, "seed": range(seeds)}, **options)


def table(grid: Grid) -> str:
    """Accuracy and slope: one row for each depth, one column for each variance.

    grid  as of `diagram`; KeyError if every cell failed
    """
    note = "nan: the gradient is exactly 0 or overflows with every seed, or every cell failed"
    blocks = [grid.table(value) + f"\n{note}" * (not np.isfinite(grid.mean(value)).all()) for value in ("accuracy", "slope")]
    return "\n\n".join([*blocks, "accuracy: after a short training\nslope: ln |gradient| per layer at the start, nats"])
