"""14  ReLU paths: along each open path the activation's factor is exactly 1, so only weights are left.

A small net, every path from an input to the output multiplied out: the open ones add up to the gradient (Glorot, Bordes & Bengio
2011). That does not keep it from vanishing: halve the weights, and every path of L layers loses 2^−L.
"""

import math
import sys

import numpy as np

from tinygrad_vg import Chain, Scalar, nn, paths, scalars


def net(scale: float) -> tuple[Scalar, np.ndarray]:
    """A 3-4-4-3-1 ReLU net of Scalars with fixed weights sin(1 + 3i + 7j + 11k), and its inputs."""
    model = nn.MLP([3, 4, 4, 3, 1], "relu", leaf=scalars, rng=0)
    for k, (m, n) in enumerate([(4, 3), (4, 4), (3, 4), (1, 3)]):
        for i in range(m):
            for j in range(n):
                model.layer(k + 1).W[i, j].data = scale * math.sin(1 + 3 * i + 7 * j + 11 * k)
    x = scalars(np.cos(1 + np.arange(3)), name="x")
    return model(x).item(), x


def main(fast: bool = False) -> int:
    y, x = net(1.0)
    y.backward()
    for i in range(3):
        found = paths(y, x[i])
        through = [path.product for path in paths(y, x[i], top=10_000).top if path.product]
        print(f"∂y/∂x[{i}] = {x[i].grad:+.9f}: {found.count} paths, {len(through)} open, their sum {math.fsum(through):+.9f}")
    print()
    print(paths(y, x[0], top=3))

    # %% half the weights
    half, x_half = net(0.5)
    half.backward()
    print(f"\nweights halved: the gradient is {x_half[0].grad / x[0].grad:.4f} of what it was; 0.5^4 = {0.5**4}\n")
    print(Chain(half, x_half[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
