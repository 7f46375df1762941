"""06  Non-normal surprises: every eigenvalue is below 1, and the gradient grows twentyfold before it dies.

Eigenvalues give the rate after many steps; what happens on the way is up to the singular values. Below, the same radius twice.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor
from tinygrad_vg.chain import side_by_side
from tinygrad_vg.drawing import terminal_plot


def linear_rnn(W: np.ndarray, T: int) -> Chain:
    """h[t] = W h[t−1], and the gradient of h[T] in the direction that W stretches most on the way back."""
    start = h = Tensor(np.ones(2)).named("h", 0)
    states = []
    for t in range(1, T + 1):
        h = (W @ h).named("h", t)
        states.append(h)
    return Chain(h, start, through=states, seed=np.array([1.0, 0.0]))


def main(fast: bool = False) -> int:
    T = 30 if fast else 80
    tame, wild = np.diag([0.9, 0.9]), np.array([[0.9, 5.0], [0.0, 0.9]])
    for name, W in {"diagonal": tame, "non-normal": wild}.items():
        radius, stretch = max(abs(np.linalg.eigvals(W))), np.linalg.norm(W, 2)
        print(f"{name:>11}: spectral radius {radius:.2f}, largest singular value {stretch:.2f}")
    chain = linear_rnn(wild, T)
    gains = np.exp(chain.log_product)[::-1]
    print(f"\n|gradient| after t steps back, non-normal: it peaks at {gains.max():.1f}, {gains.argmax()} steps back")
    print(terminal_plot(gains, xlabel="steps back"))
    print()
    print(side_by_side([linear_rnn(tame, 10), linear_rnn(wild, 10)], ["diagonal", "non-normal"]))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
