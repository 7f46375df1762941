"""03  Thirty sigmoid layers, factor by factor: nothing is saturated, and yet the gradient is gone.

Each layer multiplies the gradient by its slopes, never above 1/4, and by its weights, about 1. Blame adds up the logarithms.
"""

import sys
import textwrap

import numpy as np

from tinygrad_vg import Chain, Tensor, history, nn


def main(fast: bool = False) -> int:
    depth, width = (6, 8) if fast else (30, 64)
    net = nn.MLP([width] * depth + [4], "sigmoid", "normal", rng=0)
    x = Tensor(np.random.default_rng(1).normal(size=(8, width)), name="x")
    loss = nn.cross_entropy(net(x), np.arange(8) % 4).named("loss")
    layers = [node for node in history(loss) if node.name and node.name.base == "h"]
    chain = Chain(loss, x, through=layers)

    # %% how far from saturation the units are
    values = np.concatenate([h.data.ravel() for h in layers])
    print(f"units run from {values.min():.2f} to {values.max():.2f}; slopes from {np.min(values * (1 - values)):.3f} to 0.25\n")

    # %% the product, and who made it small
    print(chain)
    print()
    print(textwrap.fill(chain.blame().sentence, 80))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
