"""04  0.98ⁿ, and averages that mislead.

Five hundred factors of .98 leave 4e-5. But what counts is the geometric mean: factors of .5 and 1.46 average .98, too, and leave
far less. And of random factors with variance 1 the product has variance 1, and is nearly always nearly 0.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Scalar


def product(factors: np.ndarray) -> Chain:
    """h[n] = factor · h[n−1], as a graph, and its chain back to h[0]."""
    start = h = Scalar(1.0).named("h", 0)
    for t, w in enumerate(factors, 1):
        h = (float(w) * h).named("h", t)
    return Chain(h, start)


def main(fast: bool = False) -> int:
    n = 100 if fast else 500
    for name, factors in {"all .98": np.full(n, 0.98), ".5 and 1.46, in turn": np.resize([0.5, 1.46], n)}.items():
        log = product(factors).log_product[0]
        print(f"{name}: mean {factors.mean():.3f}, geometric mean {np.exp(log / n):.3f}")
        print(f"    product of {n}: 10^{log / np.log(10):.1f}")

    # %% random factors: the variance of the product is 1, its median is not
    draws = np.random.default_rng(0).normal(size=(20_000, 50)).prod(axis=1)
    print("\n50 normal factors, 20,000 draws:")
    print(f"    median |product| {np.median(np.abs(draws)):.1e}; exp(-.635 · 50) is {np.exp(-0.6352 * 50):.1e}")
    print(f"    variance {draws.var():.1e}; in theory 1, made by draws rarer than these\n")
    print(product(np.resize([0.5, 1.46], 12)))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
