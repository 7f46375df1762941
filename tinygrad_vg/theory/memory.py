"""What can be remembered, and what does it cost to remember nothing?

    W recurrent matrix    v input weights    K = [v, W v, W² v, …] what an input leaves behind, by lag    N units    T steps
    λ a weight, |λ| < 1    ν with λ = exp(−exp ν)    x white input of variance 1
"""

import math
from typing import Any

import numpy as np

from .gaussian import require


def linear_capacity(W: Any, v: Any, lags: int, cut: float = 1e-13) -> np.ndarray:
    """(lags,) how much of the variance of x[t − k] a readout of h ← W h + v x recovers, x white: MC_k = K_kᵀ (K Kᵀ)⁻¹ K_k.

    Each is in [0, 1]; the sum is the rank of K, at most N (Jaeger 2001). Directions weaker than `cut` of the strongest (in K Kᵀ) count as
    lost: in floating point the rank is often well below N. ValueError if the spectral radius is 1 or more: no stationary state.
    """
    W, K = np.asarray(W, dtype=float), [np.asarray(v, dtype=float)]
    require(lags >= 1 and W.shape == (K[0].size,) * 2, f"lags ≥ 1, v (N,) and W (N, N); got {lags}, {K[0].shape} and {W.shape}")
    require(K[0].ndim == 1 and K[0].size and np.all(np.isfinite(W)) and np.all(np.isfinite(K[0])), "v (N,) and W (N, N) are finite")
    require(np.max(np.abs(np.linalg.eigvals(W))) < 1, "a stationary state needs a spectral radius below 1")
    for _ in range(lags - 1):
        K.append(W @ K[-1])
    _, sizes, right = np.linalg.svd(np.stack(K, axis=1), full_matrices=False)
    return (right[sizes**2 > cut * sizes[0] ** 2] ** 2).sum(axis=0)


def copy_baseline(T: int, letters: int = 8, length: int = 10) -> float:
    """Cross-entropy, nats per step, of knowing when to answer but not what: length · ln(letters) / (T + 2 length).

    Arjovsky, Shah & Bengio 2016, sec. 5.1.
    """
    require(T >= 0 and letters >= 1 and length >= 1, f"T ≥ 0, letters ≥ 1 and length ≥ 1; got {T}, {letters}, {length}")
    return length * math.log(letters) / (T + 2 * length)


def adding_baseline(prediction: float = 1.0) -> float:
    """Mean squared error of a constant answer to the sum of two U(0, 1): 1/6 + (prediction − 1)²."""
    return 1 / 6 + (prediction - 1) ** 2


def sensitivity(eigenvalue: float) -> float:
    """E (dh/dλ)² of h ← λ h + x, in the long run: Σ k² λ^(2k−2) = (1 + λ²) / (1 − λ²)³ (Zucchet & Orvieto 2024, the curse of memory).

    No step's gain is above 1, and as |λ| → 1 it grows as (1 − |λ|)^−3 / 4. |λ| < 1, else ValueError.
    """
    q = eigenvalue * eigenvalue
    require(q < 1, f"|λ| < 1; got {eigenvalue}")
    return (1 + q) / (1 - q) ** 3


def lru_sensitivity(eigenvalue: float, scale_moves: bool = False) -> float:
    """E (dh/dν)² of h ← λ h + √(1 − λ²) x, λ = exp(−exp ν): bounded, whatever λ is (Orvieto et al. 2023, the LRU).

        dλ/dν = λ ln λ        (λ ln λ)² (1 + λ²) / (1 − λ²)² → 1/2 as λ → 1        the scale a parameter of its own, held
                              (λ ln λ)² / (1 − λ²)²          → 1/4                 scale_moves: it follows λ

    In the second h has variance 1 at every λ: its slope counts only what changes its direction. 0 < λ < 1, else ValueError.
    """
    require(0 < eigenvalue < 1, f"λ = exp(−exp ν) lies between 0 and 1; got {eigenvalue}")
    q, moved = eigenvalue**2, (eigenvalue * math.log(eigenvalue)) ** 2
    return moved * (1 if scale_moves else 1 + q) / (1 - q) ** 2
