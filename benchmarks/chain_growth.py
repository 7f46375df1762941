"""How do time and memory grow with the length of a chain?  A tanh RNN of 8 units; Chain, blame, spectrum, uses for growing T.

Run it:  python benchmarks/chain_growth.py [T …]
Printed: CPU seconds and peak memory (MB, by tracemalloc, in a pass of its own), and the exponent between the first and the last T:
1 is linear.
"""

from __future__ import annotations

import math
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from tinygrad_vg import Chain, nn, square, uses


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of one run, and the peak memory of another, in MB."""
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return seconds, peak


def tasks(T: int) -> dict[str, Callable[[], object]]:
    """What is measured on an RNN of T steps."""
    cell = nn.RNNCell(4, 8, init="normal", rng=0)
    inputs = 0.3 * np.random.default_rng(0).normal(size=(T, 4))

    def forward() -> tuple:
        states = nn.unroll(cell, inputs)
        return states, square(states[-1]).sum()

    states, loss = forward()
    chain = Chain(loss, states[0], through=states)
    return {
        "forward and backward": lambda: forward()[1].backward(),
        "Chain": lambda: Chain(loss, states[0], through=states),
        "blame": chain.blame,
        "spectrum": chain.spectrum,
        "uses": lambda: uses(loss, cell.W_hh),
    }


def main(lengths: list[int]) -> None:
    found = {T: {name: measured(work) for name, work in tasks(T).items()} for T in lengths}
    print(f"{'':22}" + "".join(f"{f'T = {T}':>18}" for T in lengths) + f"{'exponents':>16}")
    for name in found[lengths[0]]:
        cells = "".join(f"{found[T][name][0]:9.3f} s {found[T][name][1]:4.0f} MB" for T in lengths)
        span = math.log(lengths[-1] / lengths[0])
        exponents = [math.log(found[lengths[-1]][name][k] / found[lengths[0]][name][k]) / span for k in (0, 1)]
        print(f"{name:22}{cells}{exponents[0]:10.2f} {exponents[1]:5.2f}")


if __name__ == "__main__":
    main([int(T) for T in sys.argv[1:]] or [100, 1_000, 10_000])
