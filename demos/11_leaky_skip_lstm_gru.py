"""11  Leaky units, skips, LSTM, GRU: six cells read the same forty steps; how far back do their gradients reach?

For each what the chain keeps, and which factors took it; at the end the links of one of them.

Each remedy adds a way back that does not go through W and φ′: a share of the old state, a shortcut over d steps, a gate near 1.
"""

import sys
import textwrap

import numpy as np

from tinygrad_vg import Chain, nn


def chain(cell: object, inputs: np.ndarray) -> Chain:
    """From a loss on the last output back to the first state."""
    states = nn.unroll(cell, inputs)
    loss = nn.mse(cell.output(states[-1]), np.ones(cell.n_hidden)).named("loss")
    source = states[0][-1] if isinstance(cell, nn.LSTMCell) else cell.output(states[0])
    through = states[cell.delay :] if isinstance(cell, nn.SkipCell) else states[1:]
    return Chain(loss, source, through=through)


def main(fast: bool = False) -> int:
    T, n = (12, 8) if fast else (40, 32)
    inputs = 0.3 * np.random.default_rng(0).normal(size=(T, 4))
    cells = {
        "plain tanh": nn.RNNCell(4, n, rng=1),
        "leaky, τ = 10": nn.LeakyCell(4, n, tau=10.0, rng=1),
        "skip, d = 5": nn.SkipCell(4, n, delay=5, rng=1),
        "LSTM, forget bias 1": nn.LSTMCell(4, n, forget_bias=1.0, rng=1),
        "LSTM, forget bias 5": nn.LSTMCell(4, n, forget_bias=5.0, rng=1),
        "GRU": nn.GRUCell(4, n, rng=1),
    }
    made = {}
    for name, cell in cells.items():
        if not isinstance(cell, (nn.LSTMCell, nn.GRUCell)):
            cell.W_hh.data = nn.init.with_radius(cell.W_hh.data, 0.9)
        made[name] = one = chain(cell, inputs)
        back = one.horizon(1e-3).actual
        reach = f"below 1e-3 after {back} steps" if back else "never below 1e-3"
        print(f"{name}: ln gain over {T} steps {one.log_product[0]:+.1f}, {reach}")
        print(textwrap.fill(one.blame().sentence, 80, initial_indent="    ", subsequent_indent="    "))
    print()
    print(made["LSTM, forget bias 1"].table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
