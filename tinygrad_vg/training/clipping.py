"""What if the gradient is too long?  Shorten it before the step, and say by how much.

Clipping answers an explosion. It cannot bring back what has vanished: directions and relative sizes stay as they are.
"""

from typing import Any, NamedTuple

import numpy as np

from ..nn.models import parameters_of
from .leaves import assign_gradients, gradients_of, length


class ClippedNorm(NamedTuple):
    """before, after: the length of the gradient, all parameters together; factor: what it was multiplied by (1: nothing done)."""

    before: Any
    after: Any
    factor: Any


class ClippedValues(NamedTuple):
    """before, after: the length of the gradient, all parameters together; share: the part of its entries that were cut."""

    before: float
    after: float
    share: float


def clip_norm(parameters: Any, threshold: float, *, per_seed: bool = False) -> ClippedNorm:
    """If the gradient, all parameters laid end to end, is longer than threshold: g ← g · threshold / |g|. The direction stays.

    parameters  a model, {name: leaf}, or leaves      threshold  inf: the gradient is only measured
    per_seed    the first axis counts seeds, each clipped by itself (arrays are returned)
    Pascanu, Mikolov & Bengio 2013, algorithm 1. ValueError for a threshold that is not above 0,
    FloatingPointError for a gradient that is not finite, naming its parameter.
    """
    leaves, gradients = parameters_of(parameters), checked(parameters, threshold)
    before = length(gradients.values(), per_seed)
    most = min(threshold, np.finfo(float).max)
    factor = most / np.maximum(before, most)
    if np.any(factor < 1):
        by = {name: factor.reshape(-1, *[1] * (np.ndim(g) - 1)) if per_seed else float(factor) for name, g in gradients.items()}
        assign_gradients(leaves, {name: g * by[name] for name, g in gradients.items()})
    did: Any = factor if per_seed else float(factor)
    return ClippedNorm(before, before * did, did)


def clip_value(parameters: Any, threshold: float) -> ClippedValues:
    """Every entry of the gradient cut to the range from −threshold to threshold. The direction changes (Mikolov 2012).

    parameters  a model, {name: leaf}, or leaves.   ValueError for a threshold that is not above 0,
    FloatingPointError for a gradient that is not finite, naming its parameter.
    """
    leaves, gradients = parameters_of(parameters), checked(parameters, threshold)
    clipped = {name: np.clip(g, -threshold, threshold) for name, g in gradients.items()}
    assign_gradients(leaves, clipped)
    entries = sum(np.size(g) for g in gradients.values())
    cut = sum(int(np.sum(np.abs(g) > threshold)) for g in gradients.values())
    return ClippedValues(length(gradients.values()), length(clipped.values()), cut / entries if entries else 0.0)


def checked(parameters: Any, threshold: float) -> dict[str, Any]:
    """The gradients, all finite; else FloatingPointError. ValueError for a threshold that is not positive."""
    if not threshold > 0:
        raise ValueError(f"threshold must be positive; got {threshold}")
    gradients = gradients_of(parameters_of(parameters))
    for name, g in gradients.items():
        if not np.all(np.isfinite(g)):
            raise FloatingPointError(f"the gradient of {name} is not finite, and clipping cannot mend it; see detect_anomaly()")
    return gradients
