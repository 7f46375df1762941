"""What does a product of random factors do?  Its variance says one thing, a typical draw another.

    n factors, T steps, L layers    v variance of a factor    N width    γ Euler's constant    ψ, ψ₁ digamma, trigamma    q quantile
"""

import math
from typing import Any

import numpy as np

from .gaussian import in_floats, require, slope_spread

GAUSS = (-0.5 * (np.euler_gamma + math.log(2)), math.pi / math.sqrt(8))

#             kurtosis    mean and sd of ln|w|, at variance 1
FACTORS = {
    "normal":     (3.0, *GAUSS),
    "uniform":    (1.8, math.log(math.sqrt(3)) - 1, 1.0),
    "rademacher": (1.0, 0.0, 0.0)}


@in_floats
def product(kind: str, v: float, n: int) -> dict[str, float]:
    """Of Π w_i, n independent factors of mean 0 and variance v: var vⁿ (Goodfellow et al. 2016, sec. 10.7), kurtosis kⁿ,
    mean_log and sd_log of ln |Π| in nats, typical = e^mean_log.

    Exact for the kinds in FACTORS, v > 0. With Gaussian factors typical / √var = e^(−0.635 n): draws too rare to meet carry the variance.
    """
    require(kind in FACTORS and v > 0 and n >= 1, f"one of {', '.join(FACTORS)}, v > 0 and n ≥ 1; got {kind!r}, {v}, {n}")
    kurtosis, mu, sd = FACTORS[kind]
    mean_log = n * (0.5 * math.log(v) + mu)
    return dict(var=v**n, kurtosis=kurtosis**n, mean_log=mean_log, sd_log=math.sqrt(n) * sd, typical=math.exp(mean_log))


def choose_variance(target: float, n: int) -> float:
    """v = (v*)^(1/n): the factor's variance that gives the product's (Goodfellow et al. 2016, sec. 10.7); v* > 0, n ≥ 1."""
    require(target > 0 and n >= 1, f"v* > 0 and n ≥ 1; got {target}, {n}")
    return target ** (1 / n)


def scalar_spread(T: int, tied: bool) -> tuple[float, float]:
    """Mean and sd of ln |Π w| in nats, w ~ N(0, 1): −0.635 T either way, but sd 1.11 √T with fresh weights and 1.11 T with one."""
    mu, sd = GAUSS
    return mu * T, sd * (T if tied else math.sqrt(T))


def digamma(x: Any) -> np.ndarray:
    """ψ(x), x > 0: ψ(x) = ψ(x + 1) − 1/x up to x ≥ 10, then ln x − 1/2x − Σ B_2k / (2k x^2k)."""
    x, up = shifted(x)
    s = x**-2.0
    tail = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s / 132))))
    return np.log(x) - 0.5 / x - tail - (1 / up).sum(0)


def trigamma(x: Any) -> np.ndarray:
    """ψ₁ = ψ′ (x > 0), in the same two steps."""
    x, up = shifted(x)
    s = x**-2.0
    tail = s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * 5 / 66))))
    return 1 / x + s / 2 + tail / x + (up**-2.0).sum(0)


def shifted(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """x + 10, and the ten arguments x … x + 9 that were passed on the way; x > 0."""
    x = np.asarray(x, dtype=float)
    require(x > 0, f"digamma and trigamma are wanted at x > 0; got {x}")
    return x + 10, np.stack([x + k for k in range(10)])


def layer_log_gain(kind: str, N: int) -> tuple[float, float]:
    """Mean and variance of ln |W D v|² for one layer, in nats: what chance takes though the mean of |·|² is kept.

    linear  W ~ N(0, 1/N): χ²_N / N, so ψ(N/2) + ln(2/N) ≈ −1/N, and ψ₁(N/2) ≈ 2/N
    relu    W ~ N(0, 2/N): k ~ B(N, ½) units active; given that k ≥ 1 (all are dead with probability 2^−N) ≈ −5/2N, 5/N
    Exact; 5/N is the limit of Hanin & Nica 2020. The slope per layer is half the mean.
    """
    require(kind in ("linear", "relu") and N >= 1, f"linear or relu, N ≥ 1; got {kind!r}, {N}")
    if kind == "linear":
        return float(digamma(N / 2)) + math.log(2 / N), float(trigamma(N / 2))
    k = np.arange(1, N + 1)
    p = np.array([math.comb(N, i) / (2**N - 1) for i in k])
    psi = digamma(k / 2)
    return float(p @ psi) + math.log(4 / N), float(p @ trigamma(k / 2) + p @ (psi - p @ psi) ** 2)


def random_walk_gain(kind: str, N: int, exact: bool = True) -> float:
    """g such that W ~ N(0, g²/N) leaves ln |·| a random walk without drift.

    exact=False: Sussillo & Abbott 2014, e^(1/2N) and √2 e^(1.2/(max(N, 6) − 2.4)): within 0.1 % from N = 50 on, 0.5 % at N = 10.
    """
    mu, _ = layer_log_gain(kind, N)
    scale, fit = (1.0, 1 / (2 * N)) if kind == "linear" else (math.sqrt(2), 1.2 / (max(N, 6) - 2.4))
    return scale * math.exp(-mu / 2 if exact else fit)


def log_gain_sd(name: str, N: int, L: int, q: float = 1.0) -> float:
    """sd over draws of the total log gain of L untied layers: √(L [2 + 3 (μ₄/μ₂² − 1)] / 4N), μ_k = E φ′(√q z)^k.

    The large-N limit: √(L/2N) linear, √(5L/4N) relu. With tied weights it grows like L, not like √L.
    """
    require(N >= 1 and L >= 0, f"N ≥ 1 and L ≥ 0; got {N}, {L}")
    return math.sqrt(L * slope_spread(name, q) / (4 * N))


def lyapunov(N: int) -> np.ndarray:
    """(N,) exponents, largest first, of fresh W ~ N(0, 1/N) each step: ½ [ln(2/N) + ψ((N − i + 1)/2)], nats (Newman 1986).

    Exact in the limit of many steps. Their mean is E ln |det W| / N. Tied, they are ln |eigenvalues| of the one W.
    """
    require(N >= 1, f"N ≥ 1; got {N}")
    return 0.5 * (math.log(2 / N) + digamma(np.arange(N, 0, -1) / 2))


def wide_exponent(q: Any) -> Any:
    """½ ln(1 − q): the exponent that a share q of all exceeds, N → ∞; 0 ≤ q < 1.

    Untied (the limit of Newman's) and tied (the circular law: the eigenvalues of W fill the unit disc evenly) alike.
    """
    q = np.asarray(q, dtype=float)
    require((q >= 0) & (q < 1), f"a quantile is in [0, 1); got {q}")
    return 0.5 * np.log1p(-q)
