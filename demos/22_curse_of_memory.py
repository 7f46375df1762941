"""22  The curse of memory: every step's gain is nearly 1, nothing vanishes, and yet one derivative explodes.

h[t] = λ h[t−1] + x[t] with white x. The parameter λ is used at every step, and dh/dλ sums its uses: its mean square is
(1 + λ²) / (1 − λ²)³ (Zucchet & Orvieto 2024). The LRU trains ν, λ = exp(−exp ν), and scales its input by √(1 − λ²).
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, exp, grad, sqrt, theory
from tinygrad_vg.drawing import terminal_plot


def last_state(leaf: Tensor, noise: np.ndarray, lru: bool) -> tuple[Tensor, list[Tensor]]:
    """h[T] of a sequence for each entry of the leaf, and all states."""
    λ = exp(-exp(leaf)) if lru else leaf
    γ = sqrt(1 - λ * λ) if lru else 1.0
    states = [Tensor(np.zeros(leaf.shape)).named("h", 0)]
    for t, x in enumerate(noise, start=1):
        states.append((λ * states[-1] + γ * x).named("h", t))
    return states[-1], states


def main(fast: bool = False) -> int:
    sequences, rng = (20 if fast else 400), np.random.default_rng(0)
    radii = (0.5, 0.9, 0.97) if fast else (0.5, 0.9, 0.97, 0.99, 0.997)
    print("              E (dh/dλ)²           E (dh/dν)², LRU")
    print("    λ      theory  measured        theory  measured")
    sizes = []
    for λ in radii:
        noise, found = rng.normal(size=(int(8 / (1 - λ)), sequences)), []
        for start, lru in ((λ, False), (np.log(-np.log(λ)), True)):
            leaf = Tensor(np.full(sequences, start), name="ν" if lru else "λ")
            found.append(np.mean(grad(last_state(leaf, noise, lru)[0].sum(), leaf) ** 2))
        law, other = theory.memory.sensitivity(λ), (λ * np.log(λ) / (1 - λ**2)) ** 2
        print(f"{λ:5}  {law:10.3g}{found[0]:10.3g}{other:14.3f}{found[1]:10.3f}")
        sizes.append(found[0])

    # %% the same as a curve
    print("\nE (dh/dλ)²")
    print(terminal_plot(sizes, -np.log10(1 - np.array(radii)), height=8, xlabel="−log10 (1 − λ)"))

    # %% and the chain of the last of them: as healthy as can be
    h, states = last_state(Tensor([radii[-1]], name="λ"), rng.normal(size=(8, 1)), False)
    print(f"\neight steps at λ = {radii[-1]}")
    print(Chain(h, states[0], through=states, seed=np.ones(1)).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
