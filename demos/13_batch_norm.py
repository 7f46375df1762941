"""13  Batch norm, both faces: it saves a deep sigmoid net, and makes a deep ReLU net explode.

Between a layer and its activation the units are brought to mean 0 and variance 1 over the batch. Dividing by a small deviation makes
gradients larger: for a sigmoid just what was missing, for ReLU too much, √(π/(π − 1)) per layer (Yang et al. 2019).
"""

import math
import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, history, nn


def chain(activation: str, init: str, norm: str | None, depth: int, width: int, batch: int) -> Chain:
    net = nn.MLP([width] * depth + [4], activation, init, norm, rng=0)
    x = Tensor(np.random.default_rng(1).normal(size=(batch, width)), name="x")
    loss = nn.cross_entropy(net(x), np.arange(batch) % 4).named("loss")
    layers = [node for node in history(loss) if node.name and node.name.base == "h"]
    return Chain(loss, x, through=layers)


def main(fast: bool = False) -> int:
    depth, width, batch = (8, 16, 32) if fast else (50, 64, 128)
    nets = {
        "sigmoid": ("sigmoid", "normal", None), "sigmoid, batch norm": ("sigmoid", "normal", "batch"),
        "ReLU": ("relu", "he", None), "ReLU, batch norm": ("relu", "he", "batch"),
    }  # fmt: skip
    made = {name: chain(*settings, depth, width, batch) for name, settings in nets.items()}
    for name, one in made.items():
        start = one.log_product[-2]  # after the loss and the last layer
        print(f"{name:>20}: gain from the last hidden layer to the input {math.exp(one.log_product[0] - start):.2g}")
    logs = made["ReLU, batch norm"].log_product[3:-4]  # away from the ends
    per_layer, theory = math.exp((logs[0] - logs[-1]) / (len(logs) - 1)), math.sqrt(math.pi / (math.pi - 1))
    print(f"\nReLU with batch norm: × {per_layer:.3f} per layer; theory √(π/(π − 1)) = {theory:.3f}")
    print("\nthe last layers of the sigmoid net with batch norm:")
    print(made["sigmoid, batch norm"].table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
