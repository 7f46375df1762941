"""08  The cliff: a gradient explodes, one step throws the weight across the valley, and there the gradient vanishes.

h[t] = w σ(h[t−1]) + b for 50 steps, loss (σ(h[50]) − .7)² (after Pascanu, Mikolov & Bengio 2013, fig. 6). Clipping saves the
progress made; it changes neither the landscape nor what has vanished.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Scalar, no_grad, square
from tinygrad_vg.drawing import terminal_plot

T = 50


def forward(w: Scalar, b: Scalar) -> tuple[Scalar, list[Scalar]]:
    """The loss, and all states."""
    states = [Scalar(0.5).named("h", 0)]
    for t in range(1, T + 1):
        states.append((w * states[-1].sigmoid() + b).named("h", t))
    return square(states[-1].sigmoid() - 0.7).named("loss"), states


def descend(steps: int, clip: float | None) -> list[tuple[float, float, float]]:
    """(w, loss, |gradient|) at each step of gradient descent, lr .05."""
    w, b, path = Scalar(4.5, name="w"), Scalar(-2.3, name="b"), []
    for _ in range(steps):
        loss, _ = forward(w, b)
        loss.backward(keep=False)
        g = np.array([w.grad, b.grad])
        size = float(np.linalg.norm(g))
        path.append((w.data, loss.data, size))
        g *= min(1.0, clip / size) if clip and size else 1.0
        w.data, b.data = w.data - 0.05 * g[0], b.data - 0.05 * g[1]
        w.zero_grad(), b.zero_grad()
    return path


def main(fast: bool = False) -> int:
    steps = 30 if fast else 300
    for name, clip in (("plain", None), ("clipped to .1", 0.1)):
        path = descend(steps, clip)
        w, loss, size = zip(*path)
        worst = int(np.argmax(size))
        print(f"{name:>13}: loss {loss[0]:.2g}, least {min(loss):.1g}, at the end {loss[-1]:.2g}")
        print(f"{'':15}largest |gradient| {size[worst]:.3g}, at step {worst}")

    # %% the loss along w
    with no_grad():
        grid = np.linspace(3.0, 6.0, 120)
        along = [forward(Scalar(x), Scalar(-2.3))[0].data for x in grid]
    print("\nthe loss along w, b = -2.3")
    print(terminal_plot(along, grid, xlabel="w"))
    loss, states = forward(Scalar(4.9, name="w"), Scalar(-2.55, name="b"))
    print("\nat the edge of the cliff")
    print(Chain(loss, states[0], through=states).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
