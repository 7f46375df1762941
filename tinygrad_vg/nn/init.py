"""What do the weights start from?  Each function gives a plain array; whether the gradient survives begins here.

shape is (out, in), as everywhere in the field; rng is a Generator or a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def zeros(shape: Shape, rng: Any = 0) -> np.ndarray:
    """All zero: the usual bias."""
    return np.zeros(shape)


def normal(shape: Shape, rng: Any = 0, scale: float = 1.0) -> np.ndarray:
    """W_ij ~ N(0, scale² / n_in): a random W keeps the length of a vector, on average, at scale 1."""
    return np.random.default_rng(rng).normal(0.0, scale / math.sqrt(shape[-1]), shape)


def uniform(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W_ij ~ U(-1/√n_in, 1/√n_in), the default of PyTorch's layers: variance 1 / (3 n_in), so signals shrink by √3 a layer."""
    bound = 1 / math.sqrt(shape[-1])
    return np.random.default_rng(rng).uniform(-bound, bound, shape)


def xavier(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W_ij ~ N(0, 2 / (n_in + n_out)): a compromise between forward and backward (Glorot & Bengio 2010, eq. 12)."""
    return np.random.default_rng(rng).normal(0.0, math.sqrt(2 / (shape[-1] + shape[-2])), shape)


def he(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W_ij ~ N(0, 2 / n_in): twice the variance, since ReLU lets half of it through (He et al. 2015, eq. 10)."""
    return np.random.default_rng(rng).normal(0.0, math.sqrt(2 / shape[-1]), shape)


def orthogonal(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W with orthonormal rows or columns: every singular value is 1 (Saxe, McClelland & Ganguli 2014)."""
    rows, columns = shape
    Q, R = np.linalg.qr(np.random.default_rng(rng).normal(size=(max(shape), min(shape))))
    Q = Q * np.where(np.diag(R) < 0, -1.0, 1.0)  # uniform over all such matrices
    return Q if rows >= columns else Q.T


def identity(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W = I: what was there stays (Le, Jaitly & Hinton 2015, with ReLU: the IRNN)."""
    return np.eye(shape[0], shape[1])


def with_radius(W: np.ndarray, rho: float) -> np.ndarray:
    """W scaled to spectral radius rho, the largest |eigenvalue|; ValueError if all its eigenvalues are 0."""
    radius = float(np.max(np.abs(np.linalg.eigvals(W))))
    if radius == 0:
        raise ValueError("a matrix whose eigenvalues are all 0 cannot be scaled to another spectral radius")
    return W * (rho / radius)


def of_name(init: str | Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The function behind `init="xavier"`; a function of (shape, rng) is passed through. ValueError for an unknown name."""
    if callable(init):
        return init
    known = {f.__name__: f for f in (zeros, normal, uniform, xavier, he, orthogonal, identity)}
    if init not in known:
        raise ValueError(f"init must be a function of (shape, rng) or one of {', '.join(known)}; got {init!r}")
    return known[init]
