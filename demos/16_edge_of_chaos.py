"""16  The edge of chaos: theory says, before any training, how fast the gradient of a wide tanh net shrinks or grows.

Mean-field theory (Poole et al. 2016; Schoenholz et al. 2017) takes the width to infinity: one number, χ₁, decides. Measured here.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, history, nn, theory


def chain_of(variance: float, depth: int, width: int, seed: int) -> Chain:
    """A tanh net with weights N(0, variance / n), no biases, its input at the length that persists."""
    rng = np.random.default_rng(seed)
    net = nn.MLP([width] * depth + [width], "tanh", lambda shape, rng: nn.init.normal(shape, rng, variance**0.5), rng=rng)
    length = np.sqrt(theory.meanfield.q_star("tanh", variance, 0.0) / variance) if variance > 1 else 0.01
    x = Tensor(length * rng.normal(size=width), name="x")
    top = net(x)
    layers = [node for node in history(top) if node.name and node.name.base == "h"]
    return Chain(layers[-1], x, through=layers, seed=rng.normal(size=width))


def main(fast: bool = False) -> int:
    depth, width, seeds = (6, 24, 2) if fast else (20, 200, 10)
    print("variance   theory   measured (nats per layer)")
    for variance in (0.5, 0.81, 1.0, 1.3, 2.5, 4.0):
        found = [chain_of(variance, depth, width, seed).log_product[0] / (depth - 1) for seed in range(seeds)]
        predicted = theory.meanfield.slope("tanh", variance, 0.0)
        print(f"{variance:8}  {predicted:+.4f}   {np.mean(found):+.4f} ± {np.std(found) / np.sqrt(seeds):.4f}")
    print("\nwhere it neither shrinks nor grows, with biases of variance σ_b²:")
    for bias in (0.0, 0.05, 0.1, 0.2):
        print(f"  σ_b² = {bias:4}: σ_w² = {theory.meanfield.edge_of_chaos('tanh', bias)[0]:.4f}")
    print("\none net at the edge:")
    print(chain_of(1.0, min(depth, 10), width, 0).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
