"""What does a remedy do to the slope?  d ln|gradient| per layer or step, in nats.

    φ activation    z ~ N(0, 1)    B batch size    a strength of a branch    u, f gates    b bias    q variance of a state
    W ~ N(0, sw2/N)    χ factor of |gradient|² per step
"""

import math
from typing import Any

import numpy as np

from .gaussian import activation, falling_root, mean, require, sigmoid, slope_moment


def batch_norm(name: str, B: int | None = None) -> float:
    """½ ln(E φ′² / Var φ) > 0: layers φ(batch norm(W h)) explode. B → ∞: relu ½ ln(π/(π − 1)) = 0.19 (Yang et al. 2019).

    Exact in B for linear only: ½ ln((B − 2)/(B − 3)), B > 3; others gain 0.5/B to 0.8/B more and refuse a B. Wide layers, B/N ≪ 1,
    away from both ends of the net.
    """
    phi, _ = activation(name)
    if B is not None:
        require(name == "linear" and B > 3, f"a finite B is known for linear, B > 3; got {name}, {B}")
        return 0.5 * math.log((B - 2) / (B - 3))
    return 0.5 * math.log(slope_moment(name, 2) / (mean(lambda x: phi(x) ** 2) - mean(phi) ** 2))


def residual(a: float) -> float:
    """½ ln(1 + a²) per block x + a f(x) if f keeps lengths on average, as W₂ relu(W₁ x), W₁ ~ N(0, 2/N), W₂ ~ N(0, 1/N). N → ∞.

    a = 1/√L keeps the total below ½, whatever L. Bounded f (tanh) gains less, see residual_layers.
    """
    return 0.5 * math.log1p(a * a)


def residual_layers(name: str, a: float, sw2: float, L: int, p: float = 1.0) -> np.ndarray:
    """(L,): ½ ln(1 + a² χ) of each layer h ← h + a φ(W h), the first one first, χ = sw2 E φ′(√(sw2 p) z)², p ← p + a² E φ(√(sw2 p) z)².

    p  mean square of an entry of h, at the start: it grows, so a bounded φ grows flat and the total only as √L. N → ∞, p sw2 up to 2500.
    """
    phi, rates = activation(name)[0], []
    require(L >= 0 and sw2 > 0 and p >= 0, f"L ≥ 0 layers, sw2 > 0 and p ≥ 0; got {L}, {sw2}, {p}")
    for _ in range(L):
        rates.append(0.5 * math.log1p(a * a * sw2 * slope_moment(name, 2, sw2 * p)))
        p += a * a * mean(lambda x: phi(x) ** 2, sw2 * p)
    return np.array(rates)


def forget_gate(b: float, sd: float) -> dict[str, float]:
    """Of f = σ(b + sd z), fresh at each step: mean E f, rms ½ ln E f² (of the mean square), typical E ln f, var_log Var ln f,
    timescale −1 / E ln f in steps.

    typical < rms: a noisy gate forgets faster than it does on average (Jensen). sd ≥ 0, and b from −300 to 700: beyond, f is 0 or 1 in
    floating point.
    """
    require(sd >= 0 and -300 <= b <= 700, f"sd ≥ 0 and b from −300 to 700; got {sd}, {b}")
    q, typical = sd * sd, mean(log_sigmoid, sd * sd, b)
    rms = 0.5 * math.log(mean(lambda x: np.exp(2 * log_sigmoid(x)), q, b))
    var_log = mean(lambda x: (log_sigmoid(x) - typical) ** 2, q, b)
    return dict(mean=mean(lambda x: np.exp(log_sigmoid(x)), q, b), rms=rms, typical=typical, var_log=var_log, timescale=-1 / typical)


def log_sigmoid(x: Any) -> Any:
    """ln σ(x) = −ln(1 + e^−x)."""
    return -np.logaddexp(0, -x)


def minimal_rnn(sw2: float, b: float) -> dict[str, float]:
    """q, chi, slope = ½ ln χ and keep = E u² of u = σ(W h + b), h ← u h + (1 − u) x, x ~ N(0, 1) fresh at each step (Chen et al. 2018).

        q = E(1 − u)² / (1 − E u²)        χ = E u² + sw2 (q + 1) E[u (1 − u)]²        u = σ(b + √(sw2 q) z)

    N → ∞, sw2 > 0, |b| ≤ 20; the same tied and untied. At N = 256 and b = 0, 24 draws lie below it by 0.002, 0.006, 0.015 (untied;
    sw2 = 1, 9, 25), and above it by 0.002, 0.017, 0.011 (tied); standard errors up to 0.004.
    """
    require(sw2 > 0 and abs(b) <= 20, f"sw2 > 0, and b from −20 to 20; got {sw2}, {b}")

    def keep(q: float) -> float:
        return mean(lambda x: sigmoid(x) ** 2, sw2 * q, b)

    q = falling_root(lambda q: q * keep(q) + mean(lambda x: sigmoid(-x) ** 2, sw2 * q, b) - q, 0.0, 1.0)
    chi = keep(q) + sw2 * (q + 1) * mean(lambda x: (sigmoid(x) * sigmoid(-x)) ** 2, sw2 * q, b)
    return dict(q=q, chi=chi, slope=0.5 * math.log(chi), keep=keep(q))


def l2_shrinkage(lr: float, decay: float, steps: int) -> float:
    """steps · ln(1 − lr·decay), nats: what decay alone does to the log of each weight, so to each linear factor. 0 ≤ lr·decay < 1."""
    require(0 <= lr * decay < 1 and steps >= 0, f"0 ≤ lr · decay < 1 and steps ≥ 0; got {lr * decay}, {steps}")
    return steps * math.log1p(-lr * decay)


def pre_norm(L: int, v: float = 1.0, scaled: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(L + 1,) rms of h after l blocks, and (L,) rms gain of each, of h ← h + f(norm(h)), h[0] of rms 1 (Sun et al. 2025).

        q_l = q_(l−1) + v / s_l        gain_l² = 1 + v / (s_l q_(l−1)) = q_l / q_(l−1)      s_l = l if scaled (norm × 1/√l), else 1

    v: variance that f makes of a normalised h; f homogeneous, as W₂ relu(W₁ u), so that its Jacobian has the same gain. Independent
    weights, N → ∞. Unscaled, q_l = 1 + v l: block l has gain 1 + 1/(2 l), nearly the identity, and all L together only √(1 + v L).
    Scaled, q_l = 1 + v (1 + 1/2 + … + 1/l): the rms grows as √ln l, and the deep blocks are nearer still to the identity.
    """
    require(L >= 1 and L == int(L) and 0 <= v < np.inf, f"L ≥ 1 blocks, a whole number, and a finite v ≥ 0; got {L}, {v}")
    q = 1 + np.concatenate([[0.0], np.cumsum(v / np.arange(1, L + 1) if scaled else np.full(L, v))])
    return np.sqrt(q), np.sqrt(q[1:] / q[:-1])
