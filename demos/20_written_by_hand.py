"""20  The program behind a gradient: what one would have written by hand for an RNN, and what each turn of its loop leaves of the gradient.

    g_z = g_h * (1 - h[t] * h[t])      the slope of tanh      g_h = W_hh.T @ g_z      the weight: two lines, once for every step
"""

import sys

import numpy as np

from tinygrad_vg import Chain, by_hand, nn


def main(fast: bool = False) -> int:
    rng = np.random.default_rng(0)
    cell = nn.RNNCell(2, 4, rng=rng)
    states = nn.unroll(cell, rng.normal(size=(6, 2)))
    loss = nn.mse(states[-1], np.zeros(4)).named("loss")

    # %% the program, in the names of the graph
    program = by_hand(loss, cell)
    print(program.text[program.text.index("    # backward") :])

    # %% run it, and look at one name: the gradient at h[t], a line for each turn
    program.steps("g_h")
    print()

    # %% the same from the engine: the chain
    print(Chain(loss, states[0], through=states))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
