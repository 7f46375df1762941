"""07  Is it the sigmoid, or the same weight again and again?  Neither is needed, and neither is enough.

Five networks of one unit, a line for each; then the factors of the most surprising one.
"""

import math
import sys
from collections.abc import Callable

from tinygrad_vg import Chain, Scalar


def chain(step: Callable[[Scalar], Scalar], start: float, T: int = 50) -> Chain:
    """h[t] = step(h[t−1]), T times."""
    first = h = Scalar(start).named("h", 0)
    states = []
    for t in range(1, T + 1):
        h = step(h).named("h", t)
        states.append(h)
    return Chain(h, first, through=states)


def main(fast: bool = False) -> int:
    examples = {
        "no sigmoid, and it vanishes      h ← .9 h          ": chain(lambda h: 0.9 * h, 1.0),
        "sigmoids, and it stays           h ← σ(4h − 2)     ": chain(lambda h: (4 * h - 2).sigmoid(), 0.5),
        "sigmoids, and it explodes        h ← σ(5h − 2.5)   ": chain(lambda h: (5 * h - 2.5).sigmoid(), 0.5),
        "the same from elsewhere: gone    h ← σ(5h − 2.5)   ": chain(lambda h: (5 * h - 2.5).sigmoid(), 0.501),
        "the same weight, and it stays    h ← 1 h           ": chain(lambda h: 1.0 * h, 1.0),
    }
    for name, one in examples.items():
        print(f"{name} gain over 50 steps {math.exp(one.log_product[0]):.3g}")

    # %% each slope is at its best, 1/4, and each weight is 4
    print()
    print(chain(lambda h: (4 * h - 2).sigmoid(), 0.5, 6).table(detail=True))
    print("\nA factor is slope × weight. A sigmoid makes the one small; the other decides.")
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
