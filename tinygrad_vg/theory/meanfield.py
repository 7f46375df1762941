"""How fast does a gradient grow or shrink in a wide random net?

    h ← φ(W h + b)    W_ij ~ N(0, sw2/N)    b ~ N(0, sb2)    q variance of W h + b    c correlation of two inputs' W h + b
    χ₁ factor of |gradient|² per layer    ξ layers over which two inputs (and the gradients) forget their difference, by a factor e

N → ∞ (Poole et al. 2016; Schoenholz et al. 2017); `width` adds the correction for a finite N. sw2 > 0, sb2 ≥ 0 and q up
to 2500 (c up to q = 250), else ValueError.
"""

import math
from typing import Any

import numpy as np

from .gaussian import activation, falling_root, mean, mean_pair, require, slope_moment, slope_spread

HOMOGENEOUS = {"linear": 1.0, "relu": 2.0}  # φ(a x) = a φ(x): the slope does not depend on q; q itself has a limit below this sw2


def q_star(name: str, sw2: float, sb2: float = 0.0) -> float:
    """The variance that stays: q = sw2 E φ(√q z)² + sb2; 0 if it dies. ValueError for linear from sw2 = 1 on, relu from 2 on."""
    phi, dphi = activation(name)
    require(sw2 > 0 and sb2 >= 0, f"variances: sw2 > 0 and sb2 ≥ 0; got {sw2}, {sb2}")
    if name in HOMOGENEOUS:
        require(sw2 < HOMOGENEOUS[name], f"{name} has a fixed length only below sw2 = {HOMOGENEOUS[name]}; got {sw2}")
        return sb2 / (1 - sw2 / HOMOGENEOUS[name])
    if sb2 == 0 and phi(0.0) == 0 and sw2 * dphi(0.0) ** 2 <= 1:
        return 0.0
    return falling_root(lambda q: sw2 * mean(lambda x: phi(x) ** 2, q) + sb2 - q, 0.0, sw2 + sb2)


def length(name: str, sw2: float, sb2: float) -> float:
    """q where the slopes are taken: q*, or 1 for those whose slopes do not ask."""
    require(sw2 > 0 and sb2 >= 0, f"variances: sw2 > 0 and sb2 ≥ 0; got {sw2}, {sb2}")
    return 1.0 if name in HOMOGENEOUS else q_star(name, sw2, sb2)


def chi1(name: str, sw2: float, sb2: float = 0.0) -> float:
    """χ₁ = sw2 E φ′(√q* z)²: below 1 gradients vanish, above they explode. Exactly 1 on the edge (what is within 1e-12 of it)."""
    chi = sw2 * slope_moment(name, 2, length(name, sw2, sb2))
    return 1.0 if math.isclose(chi, 1, rel_tol=1e-12) else chi


def slope(name: str, sw2: float, sb2: float = 0.0, width: int | None = None) -> float:
    """d ln|gradient| / d layer, backwards, in nats: ½ ln χ₁, less [2 + 3 (μ₄/μ₂² − 1)] / 4N at a finite width.

    The correction, 1/2N linear and 5/4N relu, is to first order in 1/N, for untied weights only: tied over time they have the same slope as
    N → ∞, but gain where these lose at a finite N. ValueError for width < 1.
    """
    require(width is None or width >= 1, f"a width of 1 or more; got {width}")
    rate = 0.5 * math.log(chi1(name, sw2, sb2))
    return rate if width is None else rate - slope_spread(name, length(name, sw2, sb2)) / (4 * width)


def c_star(name: str, sw2: float, sb2: float = 0.0) -> float:
    """The correlation that two inputs end up with: 1 if χ₁ ≤ 1, else less (chaos).

    ValueError if q* = 0: nothing is left to correlate; and for linear and relu where they have no q*.
    """
    q, phi = q_star(name, sw2, sb2), activation(name)[0]
    require(q > 0, f"{name} at sw2 = {sw2}, sb2 = {sb2} forgets its input altogether (q* = 0): no correlation")
    if name in HOMOGENEOUS or chi1(name, sw2, sb2) <= 1:
        return 1.0
    return falling_root(lambda c: (sw2 * mean_pair(phi, q, c) + sb2) / q - c, 0.0, 1 - 1e-6)


def depth_scale(name: str, sw2: float, sb2: float = 0.0) -> float:
    """ξ = −1 / ln χ at c*: infinite at χ₁ = 1. Nets train up to a depth of about 6 ξ (Schoenholz et al. 2017)."""
    chi = chi1(name, sw2, sb2)
    if chi > 1:
        c, q = c_star(name, sw2, sb2), q_star(name, sw2, sb2)
        chi = sw2 * mean_pair(activation(name)[1], q, c)
    return math.inf if chi == 1 else -1 / math.log(chi)


def edge_of_chaos(name: str, sb2: float = 0.0) -> tuple[float, float]:
    """(sw2, q*) where χ₁ = 1, for tanh and sigmoid: sw2 = 1 / E φ′², sb2 = q − sw2 E φ² along the edge, solved for q.

    ValueError for linear and relu: χ₁ = 1 at sw2 = 1 and 2, whatever sb2.
    """
    phi, dphi = activation(name)
    require(name not in HOMOGENEOUS and sb2 >= 0, f"the edge is a curve for tanh and sigmoid, sb2 ≥ 0; got {name}, {sb2}")
    if sb2 == 0 and phi(0.0) == 0:
        return 1 / float(dphi(0.0)) ** 2, 0.0

    def missing(q: float) -> float:
        return sb2 - q + mean(lambda x: phi(x) ** 2, q) / slope_moment(name, 2, q)

    high = 1.0
    while missing(high) > 0:
        high *= 2
    q = falling_root(missing, 0.0, high)
    return 1 / slope_moment(name, 2, q), q


def as_sigmoid(W: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """(V, c) that make a sigmoid layer of the tanh layer (W, b): V = 4 W, c = 2 b − 2 W 1, since σ(2x) = (1 + tanh x) / 2.

    Exact: h = (1 + t)/2 at every layer if at the first, and the products of Jacobians are the same. So a sigmoid net that is centred
    and has four times the weights (sw2 times 16) has tanh's edge of chaos.
    """
    W, b = np.asarray(W, dtype=float), np.asarray(b, dtype=float)
    return 4 * W, 2 * b - 2 * W.sum(axis=-1)
