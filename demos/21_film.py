"""21  The film: a tanh RNN and an LSTM learn to add two numbers; who takes the gradient, at which step of training?

`watch=Every(n)` keeps the exact blame of every link. When do the weights cross the edge, does a gate close, what did clipping hide?
"""

import sys

import numpy as np

from tinygrad_vg import Chain, nn
from tinygrad_vg.training import Adam, Every, History, adding, fit


class Adder(nn.Module):
    """A cell, and a readout of its last state."""

    def __init__(self, cell: nn.Cell):
        self.cell, self.readout = cell, nn.Linear(cell.n_hidden, 1, rng=1)


def loss_of(model: Adder, batch: tuple) -> tuple:
    states = nn.unroll(model.cell, batch[0])
    return nn.mse(model.readout(model.cell.output(states[-1])), batch[1]), states


def main(fast: bool = False) -> int:
    T, steps, every = (8, 40, 10) if fast else (30, 600, 20)
    runs = {}
    for name, cell in {"tanh RNN": nn.RNNCell(2, 24, rng=0), "LSTM": nn.LSTMCell(2, 24, rng=0)}.items():
        model = Adder(cell)
        runs[name] = fit(model, loss_of, adding(T, 20, rng=0), Adam(model, 0.01), steps, clip=1.0, watch=Every(every))
        print(f"{name}, {T} steps of time: what of the gradient at the end arrives at the start")
        print(History(film=runs[name].film))
        print(f"mean loss of the last tenth: {np.mean(runs[name].losses[-steps // 10 :]):.3f} (who learns nothing has 1/6)\n")

    # %% two films as one: what the LSTM lets through beyond the tanh RNN
    more = (runs["LSTM"] - runs["tanh RNN"]).film
    told = "; ".join(f"at step {frame['step']}: {frame['logs'][0]:+.1f}" for frame in (more[0], more[-1]))
    print(f"nats more in the LSTM {told}.")

    # %% the chain of the LSTM after training, link by link
    print()
    states = nn.unroll(model.cell, next(adding(T, 20, rng=1))[0])
    print(Chain(states[-1][0], states[0][1], through=states[1:-1], seed=np.ones(states[-1][0].shape)).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
