"""18  A real text: a character RNN learns, and its chain is looked at before and after.

The text is the Zen of Python, which every Python carries. Does training change how far back the gradient reaches?
"""

import sys
import textwrap
from typing import Any

import numpy as np

from tinygrad_vg import Chain, draw, nn
from tinygrad_vg.chain import side_by_side
from tinygrad_vg.cli.texts import zen
from tinygrad_vg.training import Adam, alphabet, characters, fit
from tinygrad_vg.training.learning import Recurrent


def chain(model: Recurrent, inputs: np.ndarray, label: int) -> Chain:
    """From the loss on the character that follows, back through every state."""
    logits, states = model(inputs)
    return Chain(nn.cross_entropy(logits, label).named("loss"), states[0], through=states)


def main(fast: bool = False) -> int:
    updates, n, T = (10, 12, 10) if fast else (400, 48, 25)
    text = zen()
    letters = alphabet(text)
    model = Recurrent(nn.RNNCell(len(letters), n, rng=0), len(letters), rng=1)
    end = np.eye(len(letters))[[letters.index(c) for c in text[-T - 1 : -1]]]
    label = letters.index(text[-1])
    before = chain(model, end, label)
    blamed = before.blame()  # now, since the weights are about to change

    def loss(model: Recurrent, batch: Any) -> Any:
        inputs, targets = batch
        return nn.cross_entropy(model.at_every_step(inputs)[0], targets.ravel())

    history = fit(model, loss, characters(text, T, 20, 0), Adam(model, 3e-3), updates, clip=1.0, record=updates // 10)
    print(f"{updates} updates: loss {history.losses[0]:.2f} to {np.mean(history.losses[-5:]):.2f} nats per character\n")

    # %% the same window, before and after
    after = chain(model, end, label)
    print(side_by_side([before, after], ["before", "after"]))
    for name, blame in (("before", blamed), ("after", after.blame())):
        print(textwrap.fill(f"{name}: {blame.sentence}", 80, subsequent_indent="    "))
    print(f"\ndrawn: {draw(after.output, chain=after)}; .save('text.html') makes the page\n")
    print(after.table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
