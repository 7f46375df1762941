"""What does watching cost?  Training on adding with watch=Every(50) and without, by turns; the median ratio of CPU seconds.

Run it:  python benchmarks/film.py [--steps 100] [--rounds 15] [--length 60]
"""

import argparse
import os
import time
from statistics import median

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

from tinygrad_vg import nn, training
from tinygrad_vg.training.learning import Recurrent

CELLS = {"LSTM": nn.LSTMCell, "tanh RNN": nn.RNNCell}


def loss_of(model: Recurrent, batch: tuple) -> tuple:
    output, states = model(batch[0])
    return nn.mse(output, batch[1]), states


def seconds(cell: str, steps: int, length: int, watch: training.Every | None) -> float:
    """CPU seconds of so many steps, from the same weights and batches each time."""
    model = Recurrent(CELLS[cell](2, 32, rng=0), 1, rng=1)
    start = time.process_time()
    training.fit(model, loss_of, training.adding(length, 20, rng=0), training.Adam(model), steps, clip=1.0, watch=watch)
    return time.process_time() - start


def main(steps: int = 100, rounds: int = 15, length: int = 60) -> dict[str, float]:
    found = {}
    for cell in CELLS:
        pairs = [[seconds(cell, steps, length, watch) for watch in (None, training.Every(50))] for _ in range(rounds)]
        found[cell] = median(watched / plain for plain, watched in pairs)
        print(f"{cell}: {1000 * median(plain for plain, _ in pairs) / steps:.1f} ms a step; watched every 50th: × {found[cell]:.3f}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 100), ("rounds", 15), ("length", 60)):
        parser.add_argument(f"--{name}", type=int, default=default)
    main(**vars(parser.parse_args()))
