"""What does the same factor do, T times over?  Exact, nothing is random.

    w a number    W matrix    λ eigenvalues    Q orthonormal eigenvectors    h state    c coordinates    T, t, n steps    d delay    L depth
"""

import math
from typing import Any

import numpy as np

from .gaussian import in_floats, require, sigmoid


def eigen_solution(Q: Any, eigenvalues: Any, t: int, h: Any) -> np.ndarray:
    """h_t = W^t h_0 (n,) of a symmetric W = Q Λ Qᵀ; with g_t for h, the gradient g_0 = (Wᵀ)^t g_t.

    Q (n, n) orthogonal, its columns the eigenvectors; eigenvalues (n,). Goodfellow, Bengio & Courville 2016, eq. 10.39 prints
    Qᵀ Λ^t Q, for eigenvectors in rows. ValueError if Q Qᵀ is not I: a W that is not normal needs log_norms.
    """
    Q = np.asarray(Q, dtype=float)
    require(np.allclose(Q @ Q.T, np.eye(len(Q)), atol=1e-9), "Q must be orthogonal: W = Q Λ Qᵀ holds for symmetric W only; see log_norms")
    return Q @ (np.asarray(eigenvalues, dtype=float) ** t * (Q.T @ np.asarray(h, dtype=float)))


def shares(eigenvalues: Any, c: Any, t: int) -> np.ndarray:
    """(n,) the share of |h_t|² along each eigenvector: λ_i^2t c_i² / Σ. c (n,): Qᵀ h_0. ValueError if nothing is left."""
    c = np.asarray(c, dtype=float)
    lam = np.where(c == 0, 0.0, np.abs(np.asarray(eigenvalues, dtype=float)))
    require(np.any(lam * c), "no coordinate with an eigenvalue other than 0")
    a = (lam / lam.max()) ** (2 * t) * c * c
    return a / a.sum()


def step_rate(eigenvalues: Any, c: Any, t: int) -> float:
    """ln(|h_t+1| / |h_t|), in nats: it tends to ln max |λ_i| over the coordinates that are not 0."""
    return 0.5 * math.log(np.asarray(eigenvalues, dtype=float) ** 2 @ shares(eigenvalues, c, t))


def half_life(w: float) -> float:
    """Steps until w^t has halved; negative if it doubles. ValueError for w ≤ 0, w = 1 and w = ∞."""
    require(0 < w < math.inf and w != 1, f"half_life needs a finite w > 0, not 1; got {w}")
    return math.log(0.5) / math.log(w)


@in_floats
def residual(a: float, n: int) -> float:
    """The gain of n ≥ 0 layers x + a x: (1 + a)^n."""
    require(n >= 0, f"a number of layers is not negative; got {n}")
    return (1 + a) ** n


def leaky(tau: float, n: int) -> float:
    """What a leak alone keeps over n ≥ 0 steps: (1 − 1/τ)^n ≈ e^(−n/τ), for a time constant τ ≥ 1 (Goodfellow et al. 2016, sec. 10.9.2)."""
    require(tau >= 1 and n >= 0, f"a leak needs tau ≥ 1 and n ≥ 0; got {tau}, {n}")
    return (1 - 1 / tau) ** n


def forget(b: float, n: int) -> float:
    """What a constant forget gate keeps over n ≥ 0 steps: σ(b)^n, the cell path of an LSTM alone (Gers, Schmidhuber & Cummins 2000)."""
    require(n >= 0, f"a number of steps is not negative; got {n}")
    return float(sigmoid(b)) ** n


@in_floats
def delay(w: float, T: int, d: int) -> float:
    """The gain of h_t = w h_(t−d) over T steps: w^(T/d) (Lin et al. 1996). ValueError unless d divides T: else it is 0."""
    require(d >= 1 and T >= 0 and T % d == 0, f"T steps must be a multiple of the delay; got T = {T}, d = {d}")
    return w ** (T // d)


def log_norms(W: Any, T: int) -> np.ndarray:
    """(T + 1,) ln ‖W^t‖₂, t = 0 … T, in nats, of any square W; each product is rescaled, so none under- or overflows.

    ValueError if some W^t is exactly 0, and for T < 0.
    """
    require(T >= 0, f"a number of steps is not negative; got {T}")
    A = np.asarray(W, dtype=float)
    logs, product = np.zeros(T + 1), np.eye(len(A))
    for t in range(1, T + 1):
        product = product @ A
        size = np.linalg.norm(product, 2)
        require(size > 0, f"W is nilpotent: W^{t} = 0")
        logs[t], product = logs[t - 1] + math.log(size), product / size
    return logs


def gelfand(W: Any, t: int) -> float:
    """‖W^t‖^(1/t): σ_max at t = 1, and the spectral radius in the limit, from above (Gelfand 1941). ValueError for t < 1 and W^t = 0."""
    require(t >= 1, f"a root needs t ≥ 1; got {t}")
    return math.exp(log_norms(W, t)[t] / t)


def transient(W: Any, T: int) -> tuple[int, float, int]:
    """(t, ‖W^t‖) at the peak, and the first t after it with ‖W^t‖ < 1, looking at T steps (Trefethen & Embree 2005).

    ValueError if it is not below 1 after T steps: too few, or the spectral radius is 1 or more.
    """
    logs = log_norms(W, T)
    peak = int(np.argmax(logs))
    require(logs[-1] < 0, f"ln ‖W^t‖ is still {logs[-1]:.3g} after {T} steps: take more; it never ends if the spectral radius is 1 or more")
    return peak, math.exp(logs[peak]), peak + int(np.argmax(logs[peak:] < 0))


def largest_stable_step(L: int, tied: bool) -> float:
    """2 / λ_max(H) of ½ (Π w − 1)² at w = 1: 2/L with L weights of their own, 2/L² with one shared. H = J Jᵀ: exact."""
    require(L >= 1, f"a product has L ≥ 1 factors; got {L}")
    return 2 / L**2 if tied else 2 / L
