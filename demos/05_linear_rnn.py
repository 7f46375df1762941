"""05  A linear RNN: the gradient is a power of the matrix, and its eigenvalues say what becomes of it.

h[t] = W h[t−1] with W = Q Λ Qᵀ. Along eigenvector i the gradient is multiplied by λ_i at every step, so the largest wins.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, nn


def main(fast: bool = False) -> int:
    T, eigenvalues = (20 if fast else 100), [1.1, 0.99, 0.9, -0.5]
    W = Tensor(nn.init.spectrum(eigenvalues, rng=0), name="W")
    start = h = Tensor(np.ones(4)).named("h", 0)
    states = []
    for t in range(1, T + 1):
        h = (W @ h).named("h", t)
        states.append(h)
    g = np.random.default_rng(1).normal(size=4)
    chain = Chain(h, start, through=states, seed=g)

    # %% in the coordinates of the eigenvectors, every entry is a number to the power of T
    values, Q = np.linalg.eigh(W.data)
    for λ, before, after in zip(values, Q.T @ g, Q.T @ chain.gradients[0]):
        print(f"λ = {λ:+.2f}: {before:+.3f} becomes {after:+.3e}, and λ^{T} times it is {λ**T * before:+.3e}")
    print("(what is below 1e-16 of the largest is lost in its rounding)")
    top = chain.gradients[0] @ Q[:, np.argmax(np.abs(values))] / np.linalg.norm(chain.gradients[0])
    print(f"cosine between the gradient and the top eigenvector: {abs(top):.12f}\n")
    print(chain.table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
