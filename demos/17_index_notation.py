"""17  Matrix calculus in index notation: the gradient of a recurrent weight, derived, printed, and checked entry by entry.

    h_t,i = tanh(z_t,i)      z_t,i = Σ_j W_ij h_{t−1},j      ∂L/∂W_ij = Σ_t δ_t,i h_{t−1},j      δ_{t−1},j = φ′(z_{t−1},j) Σ_i W_ij δ_t,i
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, einsum, explain, square, tanh


def main(fast: bool = False) -> int:
    rng = np.random.default_rng(0)
    W, h = Tensor(rng.normal(size=(3, 3)), name="W"), Tensor(rng.normal(size=3)).named("h", 0)
    states = [h]
    for t in range(1, 5):
        z = einsum("ij,j->i", W, states[-1]).named("z", t)
        states.append(tanh(z).named("h", t))
    loss = square(states[-1]).sum().named("loss")
    loss.backward()

    # %% the rule of one op, with this graph's shapes
    print(explain(states[-1]))
    print()

    # %% the sum over t, in indices, by hand
    H = np.array([state.data for state in states])
    G, δ = np.zeros((3, 3)), 2 * H[-1] * (1 - H[-1] ** 2)
    for t in range(len(states) - 1, 0, -1):
        G += np.einsum("i,j->ij", δ, H[t - 1])
        δ = (1 - H[t - 1] ** 2) * np.einsum("ij,i->j", W.data, δ)
    print(f"largest difference from the engine: {np.abs(G - W.grad).max():.1e}\n")
    print(Chain(loss, states[0], through=states))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
