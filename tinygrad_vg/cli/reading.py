"""What happens to the gradient of an RNN that reads along?  One forward and one backward pass over the end of a text.

The result is a dictionary of plain figures, the chain from the loss to the first state, and what slopes and weights did.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import nn
from ..chain import Chain
from ..text.numbers import from_log

COMPARED_STEPS = 100  # up to which other cells are run, too, and a loss is asked at every step
CELLS: dict[str, Callable[..., Any]] = {
    **{name: partial(nn.RNNCell, activation=name, init="normal") for name in ("sigmoid", "tanh", "relu", "linear")},
    "LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "leaky": partial(nn.LeakyCell, init="normal", tau=10.0)}


def run(text: str, options: Any, cell: str = "") -> dict[str, Any]:
    """One forward and one backward pass over the end of the text, of an RNN, or of another cell of CELLS."""
    T, alphabet = options.steps, alphabet_of(text, options.steps)
    read_along, following = text[-T - 1 : -1], text[-1]
    rng = np.random.default_rng(options.seed)
    reader = CELLS[cell or options.activation](len(alphabet), options.width, rng=rng)
    if isinstance(reader, nn.RNNCell):
        reader.W_hh.data = nn.init.with_radius(reader.W_hh.data, options.radius)
    readout = nn.Linear(options.width, len(alphabet), rng=rng, name="out")
    states = nn.unroll(reader, np.eye(len(alphabet))[[alphabet.index(character) for character in read_along]])
    last, first = reader.output(states[-1]), states[0][-1] if isinstance(states[0], tuple) else states[0]
    logits = readout(last).named("logits")
    loss = nn.cross_entropy(logits, alphabet.index(following)).named("loss")
    seen = zip(states[1:-1], read_along[1:]) if T <= COMPARED_STEPS else ()
    each = [nn.cross_entropy(readout(reader.output(state)), alphabet.index(c)) for state, c in seen]
    loss.backward()
    return {
        "options": options, "text": read_along, "next": following, "guess": alphabet[int(np.argmax(logits.data))],
        "alphabet": len(alphabet), "loss": loss.item(), "output": loss, "losses": [*each, loss] if each else [],
        "chain": Chain(loss, first, through=states),
        "parts": parts(Chain(last, first, seed=last.grad))}


def beside(text: str, options: Any) -> dict[str, Chain]:
    """The chains of the other cells, of the same size and seed, over the same text."""
    return {name: run(text, options, name)["chain"] for name in CELLS if name not in (options.activation, "linear")}


def alphabet_of(text: str, T: int) -> list[str]:
    """The characters of the text, each once; ValueError if there is too little of it."""
    if len(text) <= T:
        shorter = f"use --steps {len(text) - 1} or " if len(text) > 1 else ""
        raise ValueError(f"the text has {len(text)} characters, but {T} steps and the next one need {T + 1}; {shorter}give a longer text")
    alphabet = sorted(set(text))
    if len(alphabet) < 2:
        raise ValueError(f"the text repeats one character, {alphabet[0]!r}, so there is nothing to predict")
    return alphabet


def parts(chain: Chain) -> dict[str, float]:
    """The log gain from the last state to the first, and what slopes and weights add to it, in nats."""
    total = {"slopes": 0.0, "weights": 0.0, "all": chain.log_product[0]}
    for link in chain.links:
        for node in link.ops:
            kind = "weights" if node.op == "linear" else "slopes" if node.op in nn.ACTIVATIONS else None
            if kind and not math.isnan(link.gain):  # nan: after an exact zero
                total[kind] += math.log(link.gain) if link.gain > 0 else -math.inf
    return total


def sentence(result: dict[str, Any]) -> str:
    """What happened to the gradient, and which factor did it."""
    options, nats, chain = result["options"], result["parts"], result["chain"]
    way = f"From h[{options.steps}] back to h[0] the gradient"
    if not all(map(math.isfinite, chain.log_product)):
        k = max(k for k, log in enumerate(chain.log_product) if not math.isfinite(log))
        if chain.log_product[k] != -math.inf:
            return f"{way} is no longer finite at {chain.names[k]}: values or gradients have overflowed there."
        if k == len(chain.links) - 1:
            return f"The gradient is exactly 0 from the start, at h[{options.steps}]: the loss is 0, the guess is certain and right."
        dead = f"every slope of {options.activation} on its way is 0"
        return f"{way} became exactly 0 at {chain.names[k]}: {dead if nats['slopes'] == -math.inf else 'the weights carry nothing on'}."
    kept = abs(nats["all"]) < 0.05
    what = "kept its size" if kept else f"{'shrank' if nats['all'] < 0 else 'grew'} to {from_log(nats['all'])} of its size"
    what += f" ({nats['all']:+.1f} nats)"
    if options.activation == "linear":
        return f"{way} {what}: with no slopes in the way, the recurrent weight W_hh alone did it."
    names = {"slopes": f"the slopes of {options.activation}", "weights": "the recurrent weight W_hh"}
    each = ", ".join(f"{name} {nats[part]:+.1f}" for part, name in names.items())
    decided = max(names, key=lambda part: nats[part] * math.copysign(1, nats["all"]))
    together = nats["slopes"] * nats["weights"] > 0
    share = f"{nats[decided] / nats['all']:.0%} of it" if together else "the other pulled the other way"
    return f"{way} {what}: {each}. What decided: {names[decided]} ({share})."
