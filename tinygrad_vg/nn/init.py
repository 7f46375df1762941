"""What do the weights start from?  Each function gives a plain array; whether the gradient survives begins here.

shape is (out, in), as everywhere in the field, or (seeds, out, in): one draw for each seed, none like another. rng is a
Generator or a seed.
"""

import math
from collections import Counter
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


def random_walk(shape: Shape, rng: Any = 0, activation: str = "linear") -> np.ndarray:
    """W_ij ~ N(0, g² / n_in): the mean of the *log* gain is 0, so that ln |gradient| walks at random and does not drift.

    g, in `random_walk_gain`, undoes what chance takes from a layer of finite width (Sussillo & Abbott 2014).
    """
    return normal(shape, rng, random_walk_gain(shape[-1], activation))


def random_walk_gain(n: int, activation: str = "linear") -> float:
    """g for layers of n units: exp(1/2n) if linear, √2 exp(1.2 / (max(n, 6) − 2.4)) with relu (a fit, good to 0.4 % from n = 10 on)."""
    if activation not in ("linear", "relu"):
        raise ValueError(f"random_walk knows its gain for linear and relu; got {activation!r}, for which normal(…, scale=g) takes your own")
    return math.exp(1 / (2 * n)) if activation == "linear" else math.sqrt(2) * math.exp(1.2 / (max(n, 6) - 2.4))


def xavier(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W_ij ~ N(0, 2 / (n_in + n_out)): a compromise between forward and backward (Glorot & Bengio 2010, eq. 12)."""
    return np.random.default_rng(rng).normal(0.0, math.sqrt(2 / (shape[-1] + shape[-2])), shape)


def he(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W_ij ~ N(0, 2 / n_in): twice the variance, since ReLU lets half of it through (He et al. 2015, eq. 10)."""
    return np.random.default_rng(rng).normal(0.0, math.sqrt(2 / shape[-1]), shape)


def orthogonal(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W with orthonormal rows or columns: every singular value is 1 (Saxe, McClelland & Ganguli 2014)."""
    *seeds, rows, columns = shape
    A = np.random.default_rng(rng).normal(size=(*seeds, max(rows, columns), min(rows, columns)))
    Q, R = np.linalg.qr(A)
    Q = Q * np.where(np.diagonal(R, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]  # uniform over all such matrices
    return Q if rows >= columns else Q.swapaxes(-1, -2)


def identity(shape: Shape, rng: Any = 0) -> np.ndarray:
    """W = I: what was there stays (Le, Jaitly & Hinton 2015, with ReLU: the IRNN)."""
    return np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy()


def spectrum(eigenvalues: Any, rng: Any = 0) -> np.ndarray:
    """W = Q Λ Qᵀ with the eigenvalues you ask for and a random orthogonal Q: normal, so its singular values are their sizes.

    eigenvalues  (n,), or (seeds, n) for one matrix per row. A pair a ± bi becomes the rotation block [[a, −b], [b, a]].
                 Either every complex one comes with its conjugate, or none does and each stands for its pair.

    ValueError if some complex eigenvalues have their conjugate and others lack it: a real matrix has them in pairs.

    >>> W = spectrum([0.9, 0.6 + 0.8j])
    >>> W.shape, bool(np.allclose(sorted(np.abs(np.linalg.eigvals(W))), [0.9, 1, 1]))
    ((3, 3), True)
    """
    rng = np.random.default_rng(rng)
    if np.ndim(eigenvalues) == 2:
        return np.stack([spectrum(row, rng) for row in eigenvalues])
    every = [x for one in one_of_each_pair(eigenvalues) for x in ([one, one.conjugate()] if one.imag else [one])]
    b = np.maximum(np.imag(every[:-1]), 0)
    L = np.diag(np.real(every)) + np.diag(b, -1) - np.diag(b, 1)
    Q = orthogonal(L.shape, rng)
    return Q @ L @ Q.T


def one_of_each_pair(eigenvalues: Any) -> list[complex]:
    """The real eigenvalues, and of each complex pair the member above the real axis."""
    numbers = [complex(x) for x in np.atleast_1d(eigenvalues)]
    above = Counter(x for x in numbers if x.imag > 0)
    below = Counter(x.conjugate() for x in numbers if x.imag < 0)
    if above & below and above != below:
        lonely = min((above - below) | (below - above), key=abs)
        raise ValueError(f"{lonely:.4g} or its conjugate has no partner while others have theirs; give all in pairs, or one of each")
    return [x for x in numbers if not x.imag] + list((above | below).elements())


def with_radius(W: np.ndarray, rho: Any) -> np.ndarray:
    """W (n, n), or (seeds, n, n), scaled to spectral radius rho, the largest |eigenvalue|; ValueError if all eigenvalues are 0."""
    radius = np.max(np.abs(np.linalg.eigvals(W)), axis=-1)
    if np.any(radius == 0):
        raise ValueError("a matrix whose eigenvalues are all 0 cannot be scaled to another spectral radius")
    return W * np.asarray(rho / radius)[..., None, None]


def check_shape(shape: Shape) -> None:
    """ValueError unless the shape of a weight, (out, in), is of whole numbers from 1 on."""
    if not all(isinstance(n, (int, np.integer)) and n >= 1 for n in shape):
        raise ValueError(f"a layer needs, in whole numbers, one input and one unit or more; got weights of shape {shape}, (out, in)")


def drawn(init: Callable[..., np.ndarray], shape: Shape, rng: Any) -> np.ndarray:
    """init(shape, rng), if that is what it gives; ValueError for a layer without units, or for another shape."""
    check_shape(shape)
    W = init(shape, rng)
    if np.shape(W) != shape:
        raise ValueError(f"init gave shape {np.shape(W)}, expected {shape}, (out, in)")
    return W


def of_name(init: str | Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The function behind `init="xavier"`; a function of (shape, rng) is passed through. ValueError for an unknown name."""
    if callable(init):
        return init
    known = {f.__name__: f for f in (zeros, normal, uniform, random_walk, xavier, he, orthogonal, identity)}
    if init not in known:
        raise ValueError(f"init must be a function of (shape, rng) or one of {', '.join(known)}; got {init!r}")
    return known[init]
