"""What does normalising do?  It takes off the mean and divides by the spread, and then the gradient sees both.

    m, v  mean and variance      x̂  x, normalised      γ, β  scale and shift, learned, one of each per unit (or channel)

The nodes are named mean, var, x̂, with the index given in the call: norm(z, 3) makes mean[3], var[3], x̂[3].
"""

from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.reductions import numbers_of
from ..autodiff.structure import expand_dims, mean, reshape
from ..autodiff.table import sqrt, square
from ..autodiff.tensor import Tensor
from .layers import Module, named


class LayerNorm(Module):
    """Each example is normalised over its own n units (Ba, Kiros & Hinton 2016): y = γ x̂ + β.

    x (n,), (batch, n) or (…, n)  →  y of the same shape.  seeds: how many runs lie along a leading axis; then x is (seeds, batch, n),
    or (seeds, batch, …, n).

        (∂x̂/∂x)_ij = (δ_ij − 1/n − x̂_i x̂_j / n) / √(v + eps)
    """

    def __init__(self, n: int, eps: float = 1e-5, *, leaf: Any = Tensor, seeds: int | None = None, name: str = ""):
        self.n, self.eps, prefix = n, eps, name and name + "."
        shape = (n,) if seeds is None else (seeds, n)
        self.gamma = leaf(np.ones(shape), name=prefix + "gamma")
        self.beta = leaf(np.zeros(shape), name=prefix + "beta")

    def __call__(self, x: Any, *index: int) -> Any:
        check_units(self, x, 1, self.gamma)
        m, v, centred = moments(x, -1, *index)
        return self.scaled(centred, v, *index)

    def scaled(self, centred: Any, v: Any, *index: int) -> Any:
        """γ x̂ + β."""
        x_hat = named(centred / sqrt(v + self.eps), "x̂", *index)
        return per_unit(self.gamma, x_hat) * x_hat + per_unit(self.beta, x_hat)


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
        check_units(self, x, 2, self.gamma)
        if not self.training:
            return self.scaled(x - per_unit(self.running_mean, x), per_unit(self.running_var, x), *index)
        batch, keep, new = np.shape(x)[-2], 1 - self.momentum, self.momentum
        if batch < 2:
            raise ValueError("batch norm needs a batch of two or more in training; call .eval() to use the running statistics")
        m, v, centred = moments(x, -2, *index)
        self.running_mean = keep * self.running_mean + new * values(m)[..., 0, :]
        self.running_var = keep * self.running_var + new * values(v)[..., 0, :] * batch / (batch - 1)
        return self.scaled(centred, v, *index)


class RMSNorm(Module):
    """y = γ x / √(mean x² + eps): the length is normalised, the mean stays (Zhang & Sennrich 2019).

    x (…, n)  →  y of the same shape.  weight γ (n,), as PyTorch's, whose eps is the smallest step above 1, too.  seeds: see LayerNorm.

        (∂x̂/∂x)_ij = (δ_ij − x̂_i x̂_j / n) / √(mean x² + eps)
    """

    def __init__(self, n: int, eps: float = 2.0**-52, *, leaf: Any = Tensor, seeds: int | None = None, name: str = ""):
        self.n, self.eps = n, eps
        self.weight = leaf(np.ones((n,) if seeds is None else (seeds, n)), name=(name and name + ".") + "weight")

    def __call__(self, x: Any, *index: int) -> Any:
        check_units(self, x, 1, self.weight)
        v = named(mean(square(x), -1, keepdims=True), "ms", *index)
        x_hat = named(x / sqrt(v + self.eps), "x̂", *index)
        return per_unit(self.weight, x_hat) * x_hat


class GroupNorm(Module):
    """The n channels of each example, in groups, are normalised together with all places (Wu & He 2018): y = γ x̂ + β.

    x (batch, n, …)  →  y of the same shape; groups must divide n, else ValueError.  weight γ and bias β (n,), as PyTorch's.
    seeds: how many runs lie along a leading axis; then x is (seeds, batch, n, …).
    """

    def __init__(self, groups: int, n: int, eps: float = 1e-5, *, leaf: Any = Tensor, seeds: int | None = None, name: str = ""):
        if groups < 1 or n % groups:
            raise ValueError(f"{n} channels cannot be cut into {groups} groups of one size")
        self.groups, self.n, self.eps, prefix = groups, n, eps, name and name + "."
        shape = (n,) if seeds is None else (seeds, n)
        self.weight, self.bias = leaf(np.ones(shape), name=prefix + "weight"), leaf(np.zeros(shape), name=prefix + "bias")

    def __call__(self, x: Any, *index: int) -> Any:
        runs, shape = np.shape(self.weight)[:-1], np.shape(x)
        lead = len(runs) + 1
        if len(shape) <= lead or shape[lead] != self.n or shape[: lead - 1] != runs:
            axes = ", ".join([*map(str, runs), "batch", str(self.n)])
            raise ValueError(f"GroupNorm of {self.n} channels takes x of shape ({axes}, …); got {shape}")
        m, v, centred = moments(reshape(x, (*shape[:lead], self.groups, -1)), -1, *index)
        x_hat = named(reshape(centred / sqrt(v + self.eps), shape), "x̂", *index)
        channels = (*runs, *(1,) * len(runs), self.n, *(1,) * (len(shape) - lead - 1))
        return reshape(self.weight, channels) * x_hat + reshape(self.bias, channels)


def moments(x: Any, axis: int, *index: int) -> tuple[Any, Any, Any]:
    """Mean and variance along an axis, which stays as an axis of size 1, and x − mean."""
    m = named(mean(x, axis, keepdims=True), "mean", *index)
    centred = x - m
    v = named(mean(square(centred), axis, keepdims=True), "var", *index)
    return m, v, centred


def per_unit(p: Any, x: Any) -> Any:
    """One number per unit, (n,), as it is; (seeds, n) with axes of size 1 for those of x in between: (seeds, 1, n)."""
    return p if np.ndim(p) == 1 else expand_dims(p, tuple(range(1, np.ndim(x) - 1)))


def values(x: Any) -> np.ndarray:
    """The real numbers behind a Tensor, an array or an object array of Scalars."""
    return np.real(numbers_of(plain(x)))


def check_units(norm: Any, x: Any, ndim: int, weight: Any) -> None:
    """ValueError unless the last axis of x holds the n units, with an axis for the batch (and one for the seeds) before it."""
    runs, shape = np.shape(weight)[:-1], np.shape(x)
    fits = len(shape) == len(runs) + 2 if ndim == 2 else not runs or len(shape) > 2
    if shape[-1:] != (norm.n,) or not fits or shape[: len(runs)] != runs:
        axes = [*map(str, runs), "batch" if ndim == 2 or runs else "…", str(norm.n)]
        raise ValueError(f"{type(norm).__name__} of {norm.n} units takes x of shape ({', '.join(axes)}); got {shape}")
