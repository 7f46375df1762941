"""01  A neuron: one number in, one number out, and the gradient by hand.

y = σ(w x + b). The chain rule says ∂y/∂w = σ′(z) · x, and the engine says the same, factor by factor.
"""

import sys

from tinygrad_vg import Chain, Scalar


def main(fast: bool = False) -> int:
    w, x, b = Scalar(0.5, name="w"), Scalar(2.0, name="x"), Scalar(-1.5, name="b")
    z = (w * x + b).named("z")
    y = z.sigmoid().named("y")
    y.backward()

    # %% by hand
    slope = y.data * (1 - y.data)
    print(f"y = σ({z.data:g}) = {y.data:.4f}, σ′(z) = y (1 - y) = {slope:.4f}")
    for leaf, factor in ((w, x.data), (x, w.data), (b, 1.0)):
        print(f"∂y/∂{leaf.name} = σ′(z) · {factor:g} = {slope * factor:+.4f}   the engine: {leaf.grad:+.4f}")

    # %% the same as a chain
    print()
    print(Chain(y, w))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
