"""Which model is asked about?  The networks of the debate, each with a loss at its end, ready for a Chain.

    T  steps, or layers      n  width      W  weights
"""

from typing import Any, NamedTuple

import numpy as np

from .. import Chain, Node, Tensor, history, nn

CLASSES = 4
NORMAL = {"init": "normal"}
MODELS: dict[str, tuple[Any, dict[str, Any], str]] = {  # its cell, what it is given anyway, and what it takes beside steps, width and seed
    "mlp": (None, {}, "activation init norm"),
    "residual": (None, {}, "activation init norm"),
    "rnn": (nn.RNNCell, NORMAL, "activation init radius text"),
    "linear-rnn": (nn.RNNCell, NORMAL | {"activation": "linear"}, "init radius text"),
    "leaky": (nn.LeakyCell, NORMAL | {"tau": 10.0}, "activation init radius tau text"),
    "skip": (nn.SkipCell, NORMAL | {"delay": 5}, "activation init radius delay text"),
    "lstm": (nn.LSTMCell, NORMAL, "init forget_bias text"),
    "gru": (nn.GRUCell, NORMAL, "init text"),
    "lru": (nn.LRUCell, NORMAL, "init text"),
    "mingru": (nn.MinGRUCell, NORMAL, "init text"),
    "selective": (nn.SelectiveCell, NORMAL, "init text"),
    "esn": (nn.Reservoir, {"radius": 0.9, "tau": 10.0}, "activation radius tau text")}
RECURRENT = ("W_hh", "W_hf", "W_hr", "nu", "W_xz", "W_xdt")
NAMES, OPTIONS = tuple(MODELS), {name: takes for name, (_, _, takes) in MODELS.items()}


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


def build(name: str, *, steps: int = 20, width: int = 32, seed: int = 0, **options: Any) -> Asked:
    """The model called `name`, one of NAMES, with inputs of noise, or of the end of a text.

    steps  layers of an mlp or residual net, time steps of the others      width  units in each
    options  those of OPTIONS that the model takes, None as if not given; ValueError for others, and for values that do not fit
    """
    if name not in NAMES:
        raise ValueError(f"there is no model {name!r}; choose from {', '.join(NAMES)}")
    given = {key: value for key, value in options.items() if value is not None}
    for option in given:
        if option not in OPTIONS[name].split():
            others = ", ".join(other for other in NAMES if option in OPTIONS[other].split())
            takes = ", ".join(map(spelt, OPTIONS[name].split()))
            raise ValueError(f"{spelt(option)} belongs to {others or 'no model'}; {name} takes {takes}")
    rng = np.random.default_rng(seed)
    if name in ("mlp", "residual"):
        return deep(name, steps, width, rng, **given)
    if given.get("delay", 1) > steps:
        raise ValueError(f"--delay {given['delay']} reaches further back than --steps {steps}; give more steps or a shorter delay")
    inputs = inputs_of(given.pop("text", None), steps, width, rng)
    return recurrent(name, cell_of(name, inputs.shape[-1], width, given, rng), inputs, rng)


def spelt(option: str) -> str:
    """As on the command line."""
    return "--" + option.replace("_", "-")


def deep(name: str, depth: int, width: int, rng: Any, activation: str = "tanh", init: str = "xavier", norm: str | None = None) -> Asked:
    """An MLP of `depth` layers, or the same with residual connections, on a batch of 16 points of noise; its chain goes back to them.

    activation, init, norm  as of nn.MLP, ValueError for none it knows      the weight asked about is that of the first layer
    """
    net = nn.MLP([width] * depth + [CLASSES], activation, init, norm, residual=name == "residual", rng=rng)
    x = Tensor(rng.normal(size=(16, width)), name="x")
    loss = nn.cross_entropy(net(x), rng.integers(0, CLASSES, 16)).named("loss")
    title = f"{name}: {depth} layers of {width} {activation} units, {init}{f', {norm} norm' if norm else ''}"
    return Asked(title, net, loss, x, hidden_layers(loss), net.layer(1).W)


def hidden_layers(output: Node) -> list[Any]:
    """The nodes h[1], h[2], … that the output of an MLP was computed from."""
    return [node for node in history(output) if node.name and node.name.base == "h"]


def cell_of(name: str, n_in: int, n: int, given: dict[str, Any], rng: Any) -> Any:
    """The cell of a recurrent model, with what is given; the esn turns its time constant into a leak."""
    kind, usual, _ = MODELS[name]
    settings = usual | given
    if name == "esn":
        return kind(n_in, n, leak=1 / settings.pop("tau"), **settings, rng=rng)
    radius = settings.pop("radius", None)
    cell = kind(n_in, n, **settings, rng=rng)
    if radius is not None:
        cell.W_hh.data = nn.init.with_radius(cell.W_hh.data, radius)
    return cell


def recurrent(name: str, cell: Any, inputs: np.ndarray, rng: Any) -> Asked:
    """The cell over inputs (T, n_in), a readout of its last state, and the loss, cross-entropy with class 0.

    The chain goes back to the first state; the weight asked about is one that decides what is kept of the state, None if none is learned.
    """
    states = nn.unroll(cell, inputs)
    readout = nn.Linear(cell.n_hidden, CLASSES, rng=rng, name="out")
    loss = nn.cross_entropy(readout(cell.output(states[-1])).named("logits"), 0).named("loss")
    source, through = back_in_time(cell, states)
    weight = next((leaf for name, leaf in cell.parameters().items() if name in RECURRENT), None)
    return Asked(f"{name}: {len(inputs)} steps, {cell.n_hidden} units", cell, loss, source, through, weight)


def back_in_time(cell: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    """Where a chain through the states ends, h[0] (of an LSTM c[0]), and its stations: all others, from h[d] on with a delay d."""
    source = states[0][1] if isinstance(cell, nn.LSTMCell) else cell.output(states[0])
    return source, states[getattr(cell, "delay", 1) :]


def inputs_of(text: str | None, steps: int, width: int, rng: Any) -> np.ndarray:
    """Noise (T, n) of size 0.3, or the last T characters of a text, one-hot; ValueError if there are too few."""
    if text is None:
        return 0.3 * rng.normal(size=(steps, width))
    alphabet = sorted(set(text))
    if len(text) < steps:
        raise ValueError(f"the text has {len(text)} characters, but {steps} steps need as many; use --steps {len(text)} or a longer text")
    return np.eye(len(alphabet))[[alphabet.index(character) for character in text[-steps:]]]
