"""10  Who contributed to dL/dW?  A healthy-looking gradient can be made of the last few steps alone.

A recurrent weight is used at every step, and its gradient is the sum over the uses. Split it, and see how far back it reaches.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, nn, uses


def main(fast: bool = False) -> int:
    T, n = (15, 8) if fast else (50, 32)
    rng = np.random.default_rng(0)
    cell = nn.RNNCell(4, n, "tanh", "normal", rng=rng)
    cell.W_hh.data = nn.init.with_radius(cell.W_hh.data, 0.9)
    states = nn.unroll(cell, 0.3 * rng.normal(size=(T, 4)))
    loss = nn.mse(states[-1], np.ones(n)).named("loss")
    found = uses(loss, cell.W_hh)

    # %% one row per use
    print(found)
    late = sum(use.share for use in found if use.index > T - 10)
    total, early = np.linalg.norm(found.total), found[1].norm  # (the first use is of h[0] = 0)
    print(f"\n|dL/dW_hh| = {total:.3g}: {late:.2%} from the last ten of {T} steps, {early:.0e} from the second")

    # %% the same by distance to the loss, and the chain that explains it
    print()
    print(found.by_lag())
    print()
    print(Chain(loss, states[0], through=states).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
