"""Which pictures does the gallery show?  `python docs/make_gallery.py` draws them all into docs/gallery/."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_vg import Chain, Scalar, Tensor, draw, history, linear, load_model, nn, reach, scalars, softmax, stack, tanh, training
from tinygrad_vg.drawing import Drawing, film, plot
from tinygrad_vg.drawing.axes import new_axes
from tinygrad_vg.training.learning import Recurrent

FOLDER = Path(__file__).parent / "gallery"
EXPORTED = Path(__file__).parents[1] / "tests/data/exported/rnn.pt2"


def sigmoid_chain() -> Drawing:
    """Three times h ← σ(w h): one number a box, one number an arrow."""
    w, h = Scalar(0.9, name="w"), Scalar(0.5).named("h", 0)
    for t in range(1, 4):
        h = (w * h).sigmoid().named("h", t)
    return differentiated(h)


def scalar_mlp() -> Drawing:
    """2-3-2-1, one node per number: units, and weights on the arrows."""
    net = nn.MLP([2, 3, 2, 1], "tanh", rng=1, leaf=scalars)
    y = net(scalars(np.array([1.0, -2.0]), name="x")).item()
    return differentiated((y - 1.0) ** 2, fold="names")


def rnn_unrolled() -> Drawing:
    """The last two of six steps of a tanh RNN, every node: the states run along the top, the weight's alias stands in each step."""
    return differentiated(recurrent(nn.RNNCell(3, 4, rng=0), 6), steps=(5, 6))


def rnn_rolled() -> Drawing:
    """The same cell over fifty steps, rolled into one."""
    return differentiated(recurrent(nn.RNNCell(3, 4, rng=0), 50), fold="rolled")


def lstm_step() -> Drawing:
    """The last of three steps of an LSTM, a box for each name, the others in one: four gates, and the cell's own path along the top."""
    return differentiated(recurrent(nn.LSTMCell(3, 4, rng=0), 3), fold="names", steps=(3, 3), about="One step of an LSTM")


def residual_mlp() -> Drawing:
    """Two residual layers: the shortcut carries the gradient past each branch."""
    return differentiated(deep(nn.MLP([4, 4, 4, 2], residual=True, rng=0)), fold="names")


def batch_norm() -> Drawing:
    """One sigmoid layer behind a batch norm, whose mean and variance are nodes too."""
    return differentiated(deep(nn.MLP([4, 4, 2], "sigmoid", norm="batch", rng=0)), fold="names")


def deep_mlp_folded() -> Drawing:
    """Ten sigmoid layers, one box each."""
    return differentiated(deep(nn.MLP([8] * 10 + [2], "sigmoid", rng=0)), fold="layer")


def slide() -> Drawing:
    """Twenty steps for a slide: the first and the last states, and one box for those in between."""
    return differentiated(recurrent(nn.RNNCell(3, 4, "sigmoid", rng=0), 20), fold="states", about="Twenty steps of a sigmoid RNN")


def river_shut_gate() -> Drawing:
    """Sixty steps of an LSTM whose forget gates stand half open: the cell's path, and what the gates let through."""
    states = nn.unroll(nn.LSTMCell(3, 16, forget_bias=0, rng=1), np.random.default_rng(0).normal(size=(60, 3)))
    logits = nn.Linear(16, 2, rng=2)(states[-1][0]).named("logits")
    return draw(Chain(logits, states[0][1], through=states[1:], seed=softmax(logits.data) - [0, 1]))


def river_exported() -> Drawing:
    """An nn.RNN of PyTorch, read from the file that torch.export wrote."""
    loss = nn.mse(load_model(EXPORTED)(np.ones((3, 5, 2))), np.zeros((3, 2))).named("loss")
    states = [node for node in history(loss) if node.name and node.name.base == "h"]
    return draw(Chain(loss, states[0], through=states[1:]))


def reaches() -> Any:
    """What of the loss at t reaches the state at s: an RNN, an LSTM and causal attention on the same sixty steps of noise."""
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(60, 3)), rng.normal(size=(60, 16))
    cells = {"RNN": nn.RNNCell(3, 16, rng=0), "LSTM, forget bias 3": nn.LSTMCell(3, 16, forget_bias=3.0, rng=0)}
    found = {}
    for name, cell in cells.items():
        states = nn.unroll(cell, x)[1:]
        found[name] = reach([nn.mse(cell.output(h), y) for h, y in zip(states, targets)], states)
    states = [tanh(linear(row, nn.init.xavier((16, 3), rng))) for row in Tensor(x)]
    out = causal_attention(stack(states), *(nn.init.xavier((16, 16), rng) for _ in range(3)))
    found["causal attention"] = reach([nn.mse(out[t], y) for t, y in enumerate(targets)], states)
    figure = plot(found)
    figure.set_size_inches(10, 3.2)
    return figure


def films() -> dict[str, tuple[training.History, Any]]:
    """The films of an LSTM and of a tanh RNN that learn to add two numbers, 60 steps apart at most: who takes the gradient, and when."""
    found = {}
    for name, cell, lr, below in (("film_lstm", nn.LSTMCell, 5e-3, "gates"), ("film_rnn", nn.RNNCell, 3e-3, "nats")):
        model = Recurrent(cell(2, 32, rng=0), 1, rng=1)
        history = training.fit(model, adding_loss, training.adding(60, 20, rng=0), training.Adam(model, lr), 1600, clip=1.0,
                               watch=training.Every(20))
        panels = new_axes(2)
        for ax, kind in zip(panels, ("film", below)):
            plot(history, kind, ax=ax)
        panels[0].set_xlabel("")
        panels[1].set_title("", loc="left")
        panels[0].get_gridspec().set_height_ratios([3, 1])
        panels[0].figure.set_size_inches(8, 5.4)
        found[name] = history, panels[0].figure
    return found


def adding_loss(model: Recurrent, batch: tuple) -> tuple:
    output, states = model(batch[0])
    return nn.mse(output, batch[1]), states


def causal_attention(H: Any, Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> Any:
    """One head; what comes after a step is masked by −inf."""
    T, n = H.shape
    scores = linear(H, Q) @ linear(H, K).T / np.sqrt(n) + np.triu(np.full((T, T), -np.inf), 1)
    return softmax(scores) @ linear(H, V)


def recurrent(cell: Any, T: int) -> Any:
    """The loss of a cell that reads T steps of noise."""
    states = nn.unroll(cell, np.random.default_rng(0).normal(size=(T, 3)))
    return nn.mse(cell.output(states[-1]), np.ones(4))


def deep(net: Any) -> Any:
    """The loss of a network on eight points of noise."""
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(8, net.layer(1).W.shape[1])), name="x")
    return nn.mse(net(x), rng.normal(size=(8, 2)))


def differentiated(loss: Any, **settings: Any) -> Drawing:
    loss = loss if loss.name else loss.named("loss")
    loss.backward()
    return draw(loss, **settings)


PICTURES: tuple[Callable[[], Drawing], ...] = (
    sigmoid_chain, scalar_mlp, rnn_unrolled, rnn_rolled, lstm_step, residual_mlp, batch_norm, deep_mlp_folded, slide,
    river_shut_gate, river_exported,
)  # fmt: skip


def main(folder: Path = FOLDER, suffix: str = ".svg") -> int:
    """Draw every picture into the folder."""
    folder.mkdir(exist_ok=True)
    for picture in PICTURES:
        print("wrote", picture().save(folder / f"{picture.__name__}{suffix}"))
    reaches().savefig(folder / "reach.png", dpi=110)
    for name, (run, figure) in films().items():
        figure.savefig(folder / f"{name}.png", dpi=110)
        print("wrote", folder / f"{name}.png", film(run, folder / f"{name}.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2]), *sys.argv[2:3]))
