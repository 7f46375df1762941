"""15  Converged, or vanished?  The same tiny gradient twice, for opposite reasons.

In the one net the loss has nothing left to say, and the chain would carry it: converged. In the other the loss cries out, and the
chain carries nothing: vanished. A norm cannot tell them apart; a verdict can.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, nn, verdict


def main(fast: bool = False) -> int:
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(8, 8)), name="x")

    # %% a tanh net next to its target
    net = nn.MLP([8, 8, 2], "tanh", "orthogonal", rng=0)
    reached = nn.mse(net(x), net(x).data + 1e-7).named("loss")

    # %% a deep sigmoid net far from it
    deep = nn.MLP([8] * (8 if fast else 14) + [2], "sigmoid", "normal", rng=0)
    far = nn.mse(deep(x), np.ones((8, 2))).named("loss")

    for name, loss in {"near its target": reached, "deep, and far from it": far}.items():
        size = np.linalg.norm(Chain(loss, x).gradients[0])
        print(f"-- {name}: loss {loss.item():.2g}, |gradient at the input| {size:.1e}")
        print(verdict(loss, x))
        print()
    print(Chain(far, x).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
