"""What loss does it make?  Cliffs, overshoot, funnels, spikes, plateaus; all exact.

    w weight    b bias    x state, or distance from the minimum    y target    p power
    T steps    L depth    λ eigenvalue    u, s a mode and its goal
"""

import math
from typing import Any

import numpy as np

from .gaussian import in_floats, require, sigmoid


def cliff(w: Any, b: Any, T: int = 50, x: float = 0.5, y: float = 0.7) -> tuple[Any, Any, Any]:
    """(loss, ∂/∂w, ∂/∂b) of (σ(x_T) − y)² after x_t = w σ(x_t−1) + b; w, b: numbers, or arrays that broadcast.

    The set-up of Pascanu, Mikolov & Bengio 2013, fig. 6.

        ∂x_t/∂w = σ + w σ′ ∂x_t−1/∂w        ∂x_t/∂b = 1 + w σ′ ∂x_t−1/∂b
    """
    require(T >= 0, f"T ≥ 0 steps; got {T}")
    (w, b), state, by_w, by_b = map(np.asarray, (w, b)), np.asarray(x), np.asarray(0.0), np.asarray(0.0)
    for _ in range(T):
        s = sigmoid(state)
        gain = w * s * (1 - s)
        state, by_w, by_b = w * s + b, s + gain * by_w, 1 + gain * by_b
    s = sigmoid(state)
    outer = 2 * (s - y) * s * (1 - s)
    return (s - y) ** 2, outer * by_w, outer * by_b


@in_floats
def eigen_mode(eigenvalue: float, T: int, c: float, y: float) -> tuple[float, float, float]:
    """Loss, slope and curvature in λ of ½ (λ^T c − y)², T ≥ 2 whole: beyond λ = 1 all three explode, the curvature fastest.

    ValueError where one of them is beyond the largest float.
    """
    require(T >= 2 and T == int(T), f"T, whole, ≥ 2; got {T}")
    error = eigenvalue**T * c - y
    first, second = T * c * eigenvalue ** (T - 1), T * (T - 1) * c * eigenvalue ** (T - 2)
    found = 0.5 * error**2, error * first, first**2 + error * second
    require(np.isfinite(found), f"loss, slope and curvature within floating point; got {found}")
    return found


@in_floats
def overshoot(eigenvalue: float, T: int, c: float, y: float, lr: float) -> tuple[float, float]:
    """λ after one step of gradient descent on that loss, and the loss there as ln, in nats: −∞ where it is 0."""
    after = eigenvalue - lr * eigen_mode(eigenvalue, T, c, y)[1]
    error = abs(after**T * c - y)
    return after, math.log(0.5) + 2 * math.log(error) if error else -math.inf


def first_overflow(L: int, w: float, lr: float, tied: bool, steps: int = 50) -> int | None:
    """The step, from 1, at which gradient descent on ½ (Π w − 1)², L equal weights, meets a number that is not finite; None if within
    `steps` none is. Untied weights that start equal stay equal; a shared one has L times the slope. ValueError unless L, steps ≥ 1."""
    require(L >= 1 and L == int(L) and steps >= 1, f"L, whole, and steps ≥ 1; got {L}, {steps}")
    value = np.float64(w)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, steps + 1):
            error = value**L - 1
            slope = error * value ** (L - 1) * (L if tied else 1)
            if not np.isfinite(error**2 + slope):
                return step
            value = value - lr * slope
    return None


@in_floats
def funnel(x: float, p: float) -> tuple[float, float]:
    """(|slope|, curvature) of |x|^p at distance x > 0: p x^(p−1), p (p − 1) x^(p−2). Near 0 the slope dies only if p > 1."""
    require(x > 0 and p > 0, f"x > 0 and p > 0; got {x}, {p}")
    return p * x ** (p - 1), p * (p - 1) * x ** (p - 2)


@in_floats
def spike(x: float, e: float) -> tuple[float, float]:
    """(slope, curvature) of √(x² + e²), e > 0: x / √(x² + e²), e² / (x² + e²)^(3/2).

    The slope is 0.7 still at x = e; the price is a curvature of 1/e at 0.
    """
    require(e > 0, f"e > 0; got {e}")
    size = math.hypot(x, e)
    return x / size, e * e / size**3


@in_floats
def fractal_slope(a: float, b: int, K: int) -> float:
    """rms slope of Σ_0..K a^k cos(b^k π x): π √(½ Σ (ab)^2k), by Parseval; without bound in K if ab ≥ 1 (Weierstrass). b an integer ≥ 2."""
    require(b >= 2 and b == int(b) and K >= 0, f"the frequencies must differ and share a period: b an integer ≥ 2, K ≥ 0; got {b}, {K}")
    return math.pi * math.sqrt(0.5 * sum((a * b) ** (2 * k) for k in range(K + 1)))


def mode_time(L: int, s: float, start: float, end: float) -> float:
    """Time in which du/dt = L u^(2 − 2/L) (s − u) takes a mode of a deep linear net from start to end (Saxe, McClelland & Ganguli 2014).

        t = (1/Ls) ∫ u^(2/L − 1) dv        v = ln(u / (s − u))        Gauss–Legendre, 200 points

    0 < start < end < s: aligned, balanced layers; time in units of 1/lr.
    """
    require(0 < start < end < s and L >= 1, f"0 < start < end < s and L ≥ 1; got {start}, {end}, {s}, {L}")
    low, high = math.log(start / (s - start)), math.log(end / (s - end))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u = s * sigmoid((low + high) / 2 + (high - low) / 2 * nodes)
    return float(weights @ u ** (2 / L - 1)) * (high - low) / 2 / (L * s)


def sharpness_limit(lr: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The curvature up to which descent on ½ H x² stays: 2/lr; training pushes H up to it (Cohen et al. 2021, the edge of stability).

        x ← x − lr v,  v ← m v + H x                 H < 2 (1 + m) / lr
        nesterov: x ← x − lr (H x + m v)             H < 2 (1 + m) / (lr (1 + 2 m))

    The roots of the step reach −1 there. lr > 0 and 0 ≤ m < 1, else ValueError.
    """
    require(lr > 0 and 0 <= momentum < 1, f"lr > 0 and a momentum from 0 to 1; got {lr}, {momentum}")
    return 2 * (1 + momentum) / (lr * (1 + 2 * momentum * nesterov))
