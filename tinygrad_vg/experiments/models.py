"""Which model is asked about?  The networks of the debate, each with a loss at its end, ready for a Chain.

    T  steps, or layers      n  width      W  weights
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..autodiff.node import Node, history
from ..autodiff.tensor import Tensor
from ..chain import Chain

CLASSES = 4
RECURRENT: dict[str, Any] = {
    "rnn": nn.RNNCell, "linear-rnn": nn.RNNCell, "leaky": nn.LeakyCell, "skip": nn.SkipCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell,
    "esn": nn.Reservoir,
}  # fmt: skip
NAMES = ("mlp", "residual", *RECURRENT)


class Asked(NamedTuple):
    """A model after one forward pass: its loss, where the chain ends, the stations in between, and a weight to ask about."""

    title: str
    model: Any
    loss: Node
    source: Node
    through: list[Any]
    weight: Node | None

    def chain(self) -> Chain:
        """From the loss back to the source, through the states or layers."""
        return Chain(self.loss, self.source, through=self.through)


def build(
    name: str, *, steps: int = 20, width: int = 32, activation: str | None = None, init: str | None = None, radius: float | None = None,
    norm: str | None = None, text: str | None = None, tau: float = 10.0, delay: int = 5, forget_bias: float = 1.0, seed: int = 0,
) -> Asked:  # fmt: skip
    """The model called `name`, one of NAMES, with inputs of noise, or of the end of a text; ValueError for settings that do not fit.

    steps  layers of an mlp or residual net, time steps of the others      width  units in each
    """
    if name not in NAMES:
        raise ValueError(f"there is no model {name!r}; choose from {', '.join(NAMES)}")
    rng = np.random.default_rng(seed)
    if name in RECURRENT:
        if norm:
            raise ValueError(f"--norm belongs to mlp and residual; {name} has none")
        inputs = inputs_of(text, steps, width, rng)
        settings = {"activation": activation, "init": init, "radius": radius, "tau": tau, "delay": delay, "forget_bias": forget_bias}
        return recurrent(name, cell_of(name, inputs.shape[-1], width, settings, rng), inputs, rng)
    if text is not None or radius is not None:
        raise ValueError(f"--text and --radius belong to the recurrent models; {name} reads one input of noise")
    return deep(name, steps, width, activation or "tanh", init or "xavier", norm, rng)


def deep(name: str, depth: int, width: int, activation: str, init: str, norm: str | None, rng: Any) -> Asked:
    """An MLP of `depth` layers, or the same with residual connections, on a batch of 16 points of noise."""
    net = nn.MLP([width] * depth + [CLASSES], activation, init, norm, residual=name == "residual", rng=rng)
    x = Tensor(rng.normal(size=(16, width)), name="x")
    loss = nn.cross_entropy(net(x), rng.integers(0, CLASSES, 16)).named("loss")
    layers = [node for node in history(loss) if node.name and node.name.base == "h"]
    title = f"{name}: {depth} layers of {width} {activation} units, {init}{f', {norm} norm' if norm else ''}"
    return Asked(title, net, loss, x, layers, net.layer(1).W)


def cell_of(name: str, n_in: int, n: int, options: dict[str, Any], rng: Any) -> Any:
    """The cell of a recurrent model; ValueError for an option it does not have."""
    activation = "linear" if name == "linear-rnn" else options["activation"] or "tanh"
    if name in ("lstm", "gru"):
        if options["radius"] is not None or options["activation"]:
            raise ValueError(f"{name} has gates and several recurrent weights, so --radius and --activation do not fit it")
        extra = {"forget_bias": options["forget_bias"]} if name == "lstm" else {}
        return RECURRENT[name](n_in, n, options["init"] or "normal", rng=rng, **extra)
    if name == "esn":
        return nn.Reservoir(n_in, n, activation, radius=options["radius"] or 0.9, leak=1 / options["tau"], rng=rng)
    extra = {"leaky": {"tau": options["tau"]}, "skip": {"delay": options["delay"]}}.get(name, {})
    cell = RECURRENT[name](n_in, n, activation, options["init"] or "normal", rng=rng, **extra)
    if options["radius"] is not None:
        cell.W_hh.data = nn.init.with_radius(cell.W_hh.data, options["radius"])
    return cell


def recurrent(name: str, cell: Any, inputs: np.ndarray, rng: Any) -> Asked:
    """The cell over the inputs, a readout of its last state, and the loss; the chain goes back to the first state."""
    states = nn.unroll(cell, inputs)
    readout = nn.Linear(cell.n_hidden, CLASSES, rng=rng, name="out")
    loss = nn.cross_entropy(readout(cell.output(states[-1])).named("logits"), 0).named("loss")
    source = states[0][-1] if name == "lstm" else cell.output(states[0])
    through = states[cell.delay :] if name == "skip" else states[1:]
    weight = next((leaf for name, leaf in cell.parameters().items() if name in ("W_hh", "W_hf", "W_hr")), None)
    return Asked(f"{name}: {len(inputs)} steps, {cell.n_hidden} units", cell, loss, source, through, weight)


def inputs_of(text: str | None, steps: int, width: int, rng: Any) -> np.ndarray:
    """Noise (T, n) of size 0.3, or the last T characters of a text, one-hot; ValueError if there are too few."""
    if text is None:
        return 0.3 * rng.normal(size=(steps, width))
    alphabet = sorted(set(text))
    if len(text) < steps:
        raise ValueError(f"the text has {len(text)} characters, but {steps} steps need as many; use --steps {len(text)} or a longer text")
    return np.eye(len(alphabet))[[alphabet.index(character) for character in text[-steps:]]]
