"""What is the mean of a function of a Gaussian?

    z ~ N(0, 1)        φ activation        q variance of a pre-activation        c correlation of two        P weights

Even grids: for smooth functions the error of the trapezoid rule falls exponentially in 1 / (h √q), h the step, and so does that of
Simpson's rule, for which a kink or a step at 0, on a node, costs no more than h⁴. So q is bounded, where tanh is still resolved to 1e-8
(for pairs 1e-5).
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

Function = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., Any])


def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + e^−x), written so that it cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x)))


#                                    φ                          φ′
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "linear":  (lambda x: x,                lambda x: np.ones_like(x)),
    "relu":    (lambda x: np.maximum(x, 0), lambda x: np.heaviside(x, 0)),
    "tanh":    (np.tanh,                    lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (sigmoid,                    lambda x: sigmoid(x) * sigmoid(-x))}


def require(holds: Any, message: str) -> None:
    """ValueError(message) unless `holds`, everywhere if it is an array."""
    if not np.all(holds):
        raise ValueError(message)


def in_floats(f: F) -> F:
    """f, with ValueError where a power or a quotient is beyond the largest float."""

    @wraps(f)
    def bounded(*args: Any, **options: Any) -> Any:
        try:
            with np.errstate(over="raise", divide="raise"):
                return f(*args, **options)
        except ArithmeticError:
            given = ", ".join(map(str, (*args, *options.values())))
            raise ValueError(f"{f.__name__}({given}): beyond the largest number of floating point") from None

    return cast(F, bounded)


def activation(name: str) -> tuple[Function, Function]:
    """(φ, φ′) by name; ValueError for a name that is not in ACTIVATIONS."""
    require(name in ACTIVATIONS, f"theory knows the activations {', '.join(ACTIVATIONS)}; got {name!r}")
    return ACTIVATIONS[name]


def grid(n: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """n = 4 k + 1 points z in ±reach, and their weights P: Simpson's times the density, made to sum to 1.

    0 is there twice, from the left and from the right, each with half its weight: a step is averaged as it should be.
    """
    z = np.linspace(-reach, reach, n)
    P = np.exp(-z * z / 2) * np.where(np.arange(n) % 2, 4.0, 2.0)
    z, P = np.insert(z, n // 2, -TINY), np.insert(P, n // 2, 0.5 * P[n // 2])
    z[n // 2 + 1], P[n // 2 + 1] = TINY, P[n // 2]
    return z, P / P.sum()


TINY = 1e-200
Z, P = grid(4001, 10.0)
Z2 = np.linspace(-8, 8, 321)
P2 = np.exp(-Z2 * Z2 / 2) / np.exp(-Z2 * Z2 / 2).sum()


def mean(f: Function, q: float = 1.0, center: float = 0.0) -> float:
    """E f(center + √q z). ValueError for q beyond 2500."""
    require(0 <= q <= 2500, f"the quadrature resolves variances from 0 to 2500; got {q:.4g}")
    return float(P @ f(center + math.sqrt(q) * Z))


def slope_moment(name: str, k: int, q: float = 1.0) -> float:
    """μ_k = E φ′(√q z)^k."""
    _, dphi = activation(name)
    return mean(lambda x: dphi(x) ** k, q)


def slope_spread(name: str, q: float) -> float:
    """2 + 3 (μ₄/μ₂² − 1): N times the variance, over draws, of a layer's ln |gradient|² at a finite width N."""
    return 2 + 3 * (slope_moment(name, 4, q) / slope_moment(name, 2, q) ** 2 - 1)


def mean_pair(f: Function, q: float, c: float) -> float:
    """E f(u) f(v) for u, v ~ N(0, q) with correlation c, f smooth. ValueError for q beyond 250."""
    require(0 <= q <= 250, f"the quadrature of pairs resolves variances from 0 to 250; got {q:.4g}")
    u, v = math.sqrt(q) * Z2[:, None], math.sqrt(q) * (c * Z2[:, None] + math.sqrt(1 - c * c) * Z2)
    return float(P2 @ (f(u) * f(v)) @ P2)


def falling_root(f: Callable[[float], float], low: float, high: float) -> float:
    """x in [low, high] where f, positive below and negative above, changes sign: 60 halvings."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return (low + high) / 2
