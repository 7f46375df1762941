"""12  Echo state networks: do not train the recurrence, and nothing has to come back through time.

The reservoir is drawn once, its spectral radius set; only the readout is fitted. What it remembers is the memory it was born with.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, nn
from tinygrad_vg.drawing import terminal_plot


def capacity(radius: float, n: int, T: int) -> np.ndarray:
    """How much of the input of k steps ago a linear readout recovers: r², for k = 1 … 2n."""
    u = np.random.default_rng(0).uniform(-1, 1, size=(T, 1))
    reservoir = nn.Reservoir(1, n, "linear", radius=radius, input_scale=0.1, rng=1)
    H, found = reservoir.states(u)[200:], []
    for k in range(1, 2 * n + 1):
        target = u[200 - k : T - k, 0]
        readout = reservoir.fit(H, target, washout=0, ridge=1e-12)
        found.append(np.corrcoef(H @ readout.W.data[0], target)[0, 1] ** 2)
    return np.array(found)


def main(fast: bool = False) -> int:
    n, T = (10, 400) if fast else (30, 1500)
    for radius in (0.5, 0.9, 0.99):
        memory = capacity(radius, n, T)
        print(f"radius {radius}: recovers {memory.sum():.1f} past inputs in all (at most {n}, the number of units)")
    print(f"\nshare of the input k steps ago that is recovered, radius {radius}")
    print(terminal_plot(memory, range(1, 2 * n + 1), xlabel="k", log=False))

    # %% nothing learns here, and still the chain can be asked how fast the past is forgotten
    reservoir = nn.Reservoir(1, n, radius=0.9, leak=0.5, rng=1)
    print(f"\nparameters that get a gradient: {list(reservoir.parameters()) or 'none'}")
    states = nn.unroll(reservoir, np.random.default_rng(2).uniform(-1, 1, size=(10, 1)))
    print(Chain(states[-1], states[0], through=states, seed=np.ones(n)))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
