"""What does normalising do?  It takes off the mean and divides by the spread, and then the gradient sees both.

    m, v  mean and variance      x̂  x, normalised      γ, β  scale and shift, learned, one of each per unit

The nodes are named mean, var, x̂, with the index given in the call: norm(z, 3) makes mean[3], var[3], x̂[3].
"""

from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.reductions import numbers_of
from ..autodiff.structure import expand_dims, mean
from ..autodiff.table import sqrt, square
from ..autodiff.tensor import Tensor
from .layers import Module, named


class LayerNorm(Module):
    """Each example is normalised over its own n units (Ba, Kiros & Hinton 2016): y = γ x̂ + β.

    x (n,) or (batch, n)  →  y of the same shape.  seeds: how many runs lie along a leading axis; then x is (seeds, batch, n).

        (∂x̂/∂x)_ij = (δ_ij − 1/n − x̂_i x̂_j / n) / √(v + eps)
    """

    def __init__(self, n: int, eps: float = 1e-5, *, leaf: Any = Tensor, seeds: int | None = None, name: str = ""):
        self.n, self.eps, prefix = n, eps, name and name + "."
        shape = (n,) if seeds is None else (seeds, n)
        self.gamma = leaf(np.ones(shape), name=prefix + "gamma")
        self.beta = leaf(np.zeros(shape), name=prefix + "beta")

    def __call__(self, x: Any, *index: int) -> Any:
        check_units(self, x, 1)
        m, v, centred = moments(x, -1, *index)
        return self.scaled(centred, v, *index)

    def scaled(self, centred: Any, v: Any, *index: int) -> Any:
        """γ x̂ + β."""
        x_hat = named(centred / sqrt(v + self.eps), "x̂", *index)
        return per_unit(self.gamma) * x_hat + per_unit(self.beta)


class BatchNorm(LayerNorm):
    """Each unit is normalised over the batch (Ioffe & Szegedy 2015): y = γ x̂ + β.

    x (batch, n)  →  (batch, n).  seeds: how many runs lie along a leading axis; then x is (seeds, batch, n).
    In training m and v are the batch's, v = Σ (x − m)² / batch, and running_mean and running_var follow them:
    running ← (1 − momentum) running + momentum · new, the new variance divided by batch − 1. In use (`eval()`) they take their place.
    As PyTorch's BatchNorm1d. ValueError in training for a batch of one, whose variance is 0 whatever it holds.

        (∂x̂/∂x)_ij = (δ_ij − 1/B − x̂_i x̂_j / B) / √(v + eps)      for one unit, i and j in the batch of B
    """

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1, **options: Any):
        super().__init__(n, eps, **options)
        self.momentum = momentum
        self.running_mean, self.running_var = np.zeros_like(values(self.beta)), np.ones_like(values(self.gamma))

    def __call__(self, x: Any, *index: int) -> Any:
        check_units(self, x, 2)
        if not self.training:
            return self.scaled(x - per_unit(self.running_mean), per_unit(self.running_var), *index)
        batch, keep, new = np.shape(x)[-2], 1 - self.momentum, self.momentum
        if batch < 2:
            raise ValueError("batch norm needs a batch of two or more in training; call .eval() to use the running statistics")
        m, v, centred = moments(x, -2, *index)
        self.running_mean = keep * self.running_mean + new * values(m)[..., 0, :]
        self.running_var = keep * self.running_var + new * values(v)[..., 0, :] * batch / (batch - 1)
        return self.scaled(centred, v, *index)


def moments(x: Any, axis: int, *index: int) -> tuple[Any, Any, Any]:
    """Mean and variance along an axis, which stays as an axis of size 1, and x − mean."""
    m = named(mean(x, axis, keepdims=True), "mean", *index)
    centred = x - m
    v = named(mean(square(centred), axis, keepdims=True), "var", *index)
    return m, v, centred


def per_unit(p: Any) -> Any:
    """One number per unit, (n,), as it is; (seeds, n) with an axis for the batch: (seeds, 1, n)."""
    return p if np.ndim(p) == 1 else expand_dims(p, -2)


def values(x: Any) -> np.ndarray:
    """The real numbers behind a Tensor, an array or an object array of Scalars."""
    return np.real(numbers_of(plain(x)))


def check_units(norm: LayerNorm, x: Any, ndim: int) -> None:
    """ValueError unless the last axis of x holds the n units, with an axis for the batch (and one for the seeds) before it."""
    runs, shape = np.shape(norm.gamma)[:-1], np.shape(x)
    exactly = len(runs) + 2 if ndim == 2 or runs else len(shape)
    if shape[-1:] != (norm.n,) or len(shape) != exactly or shape[: len(runs)] != runs:
        axes = [*map(str, runs), "batch" if ndim == 2 or runs else "…", str(norm.n)]
        raise ValueError(f"{type(norm).__name__} of {norm.n} units takes x of shape ({', '.join(axes)}); got {shape}")
