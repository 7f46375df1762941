"""What does normalising do?  It takes off the mean and divides by the spread, and then the gradient sees both.

    m, v  mean and variance      x̂  x, normalised      γ, β  scale and shift, learned, one of each per unit (or channel)

The nodes are named mean, var, x̂, with the index given in the call: norm(z, 3) makes mean[3], var[3], x̂[3].
"""

import math
from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.reductions import numbers_of
from ..autodiff.structure import expand_dims, mean, reshape
from ..autodiff.table import sqrt, square
from ..autodiff.tensor import Tensor
from .layers import Module, named


def normalised(x: Any, axes: Any, eps: float, m: Any = None, v: Any = None) -> tuple[Any, Any, Any]:
    """x̂ = (x − m) / √(v + eps), and m and v: mean and variance along axes, which stay with size 1, unless given."""
    m = mean(x, axes, keepdims=True) if m is None else m
    centred = x - m
    v = mean(square(centred), axes, keepdims=True) if v is None else v
    return centred / sqrt(v + eps), m, v


def rms_normalised(x: Any, axes: Any, eps: float) -> tuple[Any, Any]:
    """x̂ = x / √(m + eps), and m: the mean of x² along axes."""
    m = mean(square(x), axes, keepdims=True)
    return x / sqrt(m + eps), m


def group_normalised(x: Any, groups: int, eps: float, lead: int = 1) -> tuple[Any, Any, Any]:
    """x̂, m and v of each group of channels, those of the axis `lead` of x, together with all places."""
    x_hat, m, v = normalised(reshape(x, (*np.shape(x)[:lead], groups, math.prod(np.shape(x)[lead:]) // groups)), -1, eps)
    return reshape(x_hat, np.shape(x)), m, v


def followed(old: Any, new: Any, count: int, momentum: float) -> tuple[Any, Any]:
    """The running mean and variance, from those of `count` examples, that variance divided by count − 1."""
    (m_old, v_old), (m, v) = old, new
    return (1 - momentum) * m_old + momentum * m, (1 - momentum) * v_old + momentum * (v * count / (count - 1))


def scaled(x: Any, weight: Any, bias: Any = None) -> Any:
    """γ x + β, each if there is one."""
    x = x if weight is None else weight * x
    return x if bias is None else x + bias


def per_channel(p: Any, x: Any) -> Any:
    """One number for each channel, (n,) or (seeds, n), to be broadcast with x (batch, n, …) or (seeds, batch, n, …)."""
    if p is None:
        return p
    *runs, n = np.shape(p)
    shape = *runs, *(1,) * len(runs), n, *(1,) * (np.ndim(x) - 2 - len(runs))
    return p if shape == np.shape(p) else reshape(p, shape)


def per_unit(p: Any, x: Any) -> Any:
    """One number per unit, (n,), as it is; (seeds, n) with axes of size 1 for those of x in between: (seeds, 1, n)."""
    return p if np.ndim(p) == 1 else expand_dims(p, tuple(range(1, np.ndim(x) - 1)))


class Norm(Module):
    """What norms have in common: γ, 1 for each of n units, and perhaps β, 0; with seeds (seeds, n).  y = γ x̂ + β.

    ValueError unless n and seeds, how many, are whole numbers from 1 on and eps ≥ 0.
    """

    names: tuple[str, ...] = ("weight", "bias")
    bases: tuple[str, ...] = ("x̂", "mean", "var")  # the names what `normalised` gives
    placed: Any = staticmethod(per_unit)
    normalised: Any

    def __init__(self, n: int, eps: float = 1e-5, *, leaf: Any = Tensor, seeds: int | None = None, name: str = ""):
        self.n, self.eps, self.runs = n, eps, () if seeds is None else (seeds,)
        if not eps >= 0 or not all(isinstance(k, (int, np.integer)) and k >= 1 for k in (n, *self.runs)):
            raise ValueError(f"a norm takes n units and seeds, how many: whole numbers from 1 on; and eps ≥ 0; got {n=}, {seeds=}, {eps=}")
        for key, start in zip(self.names, (1.0, 0.0)):
            setattr(self, key, leaf(np.full((*self.runs, n), start), name=(name and name + ".") + key))

    def __call__(self, x: Any, *index: int) -> Any:
        found = self.normalised(x)
        for node, base in zip(found, self.bases):
            named(node, base, *index)
        return scaled(found[0], *(self.placed(getattr(self, key), x) for key in self.names))


class LayerNorm(Norm):
    """Each example is normalised over its own n units (Ba, Kiros & Hinton 2016): y = γ x̂ + β.

    x (n,), (batch, n) or (…, n)  →  y of the same shape.  seeds: how many runs lie along a leading axis; then x is (seeds, batch, n),
    or (seeds, batch, …, n).

        (∂x̂/∂x)_ij = (δ_ij − 1/n − x̂_i x̂_j / n) / √(v + eps)
    """

    names = "gamma", "beta"
    gamma: Any
    beta: Any

    def normalised(self, x: Any) -> tuple:
        """x̂, mean and variance of each example."""
        check_units(self, x, 1)
        return normalised(x, -1, self.eps)


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

    def normalised(self, x: Any) -> tuple:
        """x̂, mean and variance of each unit; in training the running ones follow."""
        check_units(self, x, 2)
        if not self.training:
            return normalised(x, -2, self.eps, per_unit(self.running_mean, x), per_unit(self.running_var, x))
        if np.shape(x)[-2] < 2:
            raise ValueError("batch norm needs a batch of two or more in training; call .eval() to use the running statistics")
        _, m, v = found = normalised(x, -2, self.eps)
        old, new = (self.running_mean, self.running_var), (values(m)[..., 0, :], values(v)[..., 0, :])
        self.running_mean, self.running_var = followed(old, new, np.shape(x)[-2], self.momentum)
        return found


class RMSNorm(Norm):
    """y = γ x / √(mean x² + eps): the length is normalised, the mean stays (Zhang & Sennrich 2019).

    x (…, n)  →  y of the same shape.  weight γ (n,), as PyTorch's, whose eps is the smallest step above 1, too.  seeds: see LayerNorm.

        (∂x̂/∂x)_ij = (δ_ij − x̂_i x̂_j / n) / √(mean x² + eps)
    """

    names, bases = ("weight",), ("x̂", "ms")

    def __init__(self, n: int, eps: float = 2.0**-52, **options: Any):
        super().__init__(n, eps, **options)

    def normalised(self, x: Any) -> tuple:
        """x̂ and the mean square of each example."""
        check_units(self, x, 1)
        return rms_normalised(x, -1, self.eps)


class GroupNorm(Norm):
    """The n channels of each example, in groups, are normalised together with all places (Wu & He 2018): y = γ x̂ + β.

    x (batch, n, …)  →  y of the same shape; groups must divide n, else ValueError.  weight γ and bias β (n,), as PyTorch's.
    seeds: how many runs lie along a leading axis; then x is (seeds, batch, n, …).
    """

    placed = staticmethod(per_channel)

    def __init__(self, groups: int, n: int, eps: float = 1e-5, **options: Any):
        if not isinstance(groups, (int, np.integer)) or groups < 1 or n % groups:
            raise ValueError(f"{n} channels cannot be cut into {groups} groups of one size")
        super().__init__(n, eps, **options)
        self.groups = groups

    def normalised(self, x: Any) -> tuple:
        """x̂, mean and variance of each group."""
        lead, shape = len(self.runs) + 1, np.shape(x)
        if len(shape) <= lead or shape[lead] != self.n or shape[: lead - 1] != self.runs:
            axes = ", ".join([*map(str, self.runs), "batch", str(self.n)])
            raise ValueError(f"GroupNorm of {self.n} channels takes x of shape ({axes}, …); got {shape}")
        return group_normalised(x, self.groups, self.eps, lead)


def values(x: Any) -> np.ndarray:
    """The real numbers behind a Tensor, an array or an object array of Scalars."""
    return np.real(numbers_of(plain(x)))


def check_units(norm: Norm, x: Any, ndim: int) -> None:
    """ValueError unless the last axis of x holds the n units, with an axis for the batch (and one for the seeds) before it."""
    runs, shape = norm.runs, np.shape(x)
    fits = len(shape) == len(runs) + 2 if ndim == 2 else not runs or len(shape) > 2
    if shape[-1:] != (norm.n,) or not fits or shape[: len(runs)] != runs:
        axes = [*map(str, runs), "batch" if ndim == 2 or runs else "…", str(norm.n)]
        raise ValueError(f"{type(norm).__name__} of {norm.n} units takes x of shape ({', '.join(axes)}); got {shape}")
