"""23  Gates that see the input alone: the chain is the product of the gates, known before the first step.

A GRU's gates look at h, so a matrix stands in every factor. Those of a minGRU (Feng et al. 2024) and of a selective state space model
(Mamba, Gu & Dao 2023) do not. And a selective cell lets the input say how far back the gradient reaches.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, history, jacobian, nn
from tinygrad_vg.drawing import terminal_plot


def chain(cell: object, x: np.ndarray) -> Chain:
    states = nn.unroll(cell, x)
    return Chain(states[-1], states[0], through=states, seed=np.ones(cell.n_hidden))


def gates(last: object, name: str) -> np.ndarray:
    """The gates of all steps, (T, n), as the graph kept them."""
    return np.array([node.data for node in history(last) if node.name and node.name.base == name])


def main(fast: bool = False) -> int:
    T, n = (12, 4) if fast else (40, 16)
    x = np.random.default_rng(0).normal(size=(T, 2))
    for name, cell in (("", nn.GRUCell(2, n)), ("f", nn.MinGRUCell(2, n)), ("a", nn.SelectiveCell(2, n))):
        states = nn.unroll(cell, x)
        J = jacobian(states[-1], states[0])
        mixed = np.linalg.norm(J - np.diag(np.diag(J))) / np.linalg.norm(J)
        print(f"{type(cell).__name__:13} share of ∂h[{T}]/∂h[0] off the diagonal: {mixed:.2f}")
        if name:
            product = np.prod(gates(states[-1], name), axis=0)
            print(f"{'':13} off the product of its gates {name}: {np.max(np.abs(np.diag(J) / product - 1)):.0e}")

    # %% a selective cell that takes in what is marked, and passes the rest by
    marked, cell = T // 3, nn.SelectiveCell(2, n, rng=0)
    x[:, 1] = np.arange(T) == marked
    cell.W_xdt.data, cell.b_dt.data = np.tile([0.0, 7.0], (n, 1)), np.full(n, -5.0)
    selective = chain(cell, x)
    print(f"\n|gradient| in a selective cell whose gates shut at step {marked + 1} of {T}")
    print(terminal_plot(np.exp(selective.log_product[::-1]), height=8, xlabel="steps back"))

    # %% its links, around that step
    print()
    print(chain(cell, x[marked - 3 : marked + 4]).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
