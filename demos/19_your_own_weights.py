"""19  Your own weights: an RNN trained elsewhere, loaded under PyTorch's names, and asked where its gradient goes.

A file in PyTorch's layout is made here to have one; put the path of yours in its place (.safetensors or .npz, never a pickle).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from tinygrad_vg import Chain, nn, verdict


def some_file(folder: str, n_in: int, n: int) -> Path:
    """What torch.nn.RNN(n_in, n).state_dict() would hold, small weights and all."""
    rng, bound = np.random.default_rng(0), 1 / np.sqrt(n)
    shapes = {"weight_ih_l0": (n, n_in), "weight_hh_l0": (n, n), "bias_ih_l0": (n,), "bias_hh_l0": (n,)}
    path = Path(folder) / "model.npz"
    np.savez(path, **{name: rng.uniform(-bound, bound, size=shape) for name, shape in shapes.items()})
    return path


def main(fast: bool = False) -> int:
    T, n_in, n = (8, 3, 8) if fast else (30, 5, 32)
    cell = nn.RNNCell(n_in, n)
    with tempfile.TemporaryDirectory() as folder:
        nn.load_weights(cell, some_file(folder, n_in, n))
    W = cell.W_hh.data
    radius, stretch = max(abs(np.linalg.eigvals(W))), np.linalg.norm(W, 2)
    print(f"loaded W_hh {W.shape}: spectral radius {radius:.2f}, largest singular value {stretch:.2f}\n")

    states = nn.unroll(cell, np.random.default_rng(1).normal(size=(T, n_in)))
    loss = nn.mse(states[-1], np.ones(n)).named("loss")
    print(verdict(loss, states[0]))
    print()
    print(Chain(loss, states[0], through=states))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
