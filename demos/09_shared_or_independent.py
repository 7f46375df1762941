"""09  Shared against independent weights: one grows by chance like √T, the other like T.

Linear layers with weights of their own: errors average out, the spread of the log gain grows like √T. The same weight throughout:
whatever its spectral radius is, it counts T times, and the spread grows like T. The mean is the same for one unit and in the limit
of wide layers; in between tying adds to it, here some hundredths of a nat a step.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, nn


def log_gain(T: int, n: int, shared: bool, seed: int) -> float:
    """ln of |gradient at h[0]| / |gradient at h[T]|."""
    rng = np.random.default_rng(seed)
    start = h = Tensor(rng.normal(size=n)).named("h", 0)
    W, states = Tensor(nn.init.normal((n, n), rng), name="W"), []
    for t in range(1, T + 1):
        W = W if shared or t == 1 else Tensor(nn.init.normal((n, n), rng))
        h = (W @ h).named("h", t)
        states.append(h)
    return Chain(h, start, through=states, seed=rng.normal(size=n)).log_product[0]


def main(fast: bool = False) -> int:
    seeds, n = (6, 8) if fast else (60, 32)
    print("ln gain over T linear layers: mean ± sd over seeds")
    spread: dict[bool, list[float]] = {True: [], False: []}
    for T in (25, 50, 100):
        cells = []
        for shared in (True, False):
            gains = [log_gain(T, n, shared, seed) for seed in range(seeds)]
            spread[shared].append(float(np.std(gains)))
            cells.append(f"{'shared' if shared else 'independent'} {np.mean(gains):+6.2f} ± {np.std(gains):5.2f}")
        print(f"  T = {T:3}: " + "     ".join(cells))
    for shared, sd in spread.items():
        power = np.polyfit(np.log([25, 50, 100]), np.log(sd), 1)[0]
        print(f"  the spread of {'shared' if shared else 'independent'} weights grows like T^{power:.2f}")

    # %% one draw of a shared weight: after a while every factor is the same
    rng = np.random.default_rng(0)
    W, h = Tensor(nn.init.normal((n, n), rng), name="W"), Tensor(rng.normal(size=n)).named("h", 0)
    states = [h]
    for t in range(1, 11):
        states.append((W @ states[-1]).named("h", t))
    print()
    print(Chain(states[-1], h, through=states, seed=rng.normal(size=n)).table())
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
