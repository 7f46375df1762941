"""What happens to the gradient of an RNN that reads along?  One forward and one backward pass over the end of a text."""

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, nn
from ..chain import Chain
from ..drawing import draw
from ..text.lines import clean, wrapped
from ..text.numbers import from_log, number, numbers
from .options import JSON, OPEN, command, natural, option, positive, whole
from .texts import opened, read, show

# steps up to which other cells are run, too, and a loss is asked at every step; those drawn in full in the graph; letters quoted
COMPARED, IN_FULL, QUOTED = 100, 30, 30
CELLS: dict[str, Callable[..., Any]] = {
    **{name: partial(nn.RNNCell, activation=name, init="normal") for name in ("sigmoid", "tanh", "relu", "linear")},
    "LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "leaky": partial(nn.LeakyCell, init="normal", tau=10.0)}


@command("",
    option("--text", metavar="FILE", help="a UTF-8 text, '-' for standard input (default: the Zen of Python)"),
    option("--steps", type=whole(1, 100_000), default=20, metavar="T", help="how many characters the RNN reads (20)"),
    option("--width", type=whole(1, 4096), default=32, metavar="N", help="size of the state (32)"),
    option("--activation", choices=["sigmoid", "tanh", "relu", "linear"], default="tanh", help="of the state (tanh)"),
    option("--radius", type=positive, default=1.0, metavar="R", help="spectral radius of the recurrent weight (1.0)"),
    option("--seed", type=natural, default=0, metavar="K", help="of the random weights (0)"),
    option("--out", type=Path, default=Path("tinygrad_vg_out"), metavar="DIR", help="folder for the pictures (tinygrad_vg_out)"),
    OPEN, JSON, option("--version", action="version", version=f"tinygrad_vg {__version__}"))
def read_text(options: argparse.Namespace) -> None:
    """A character RNN runs over the last characters of a text, predicts the one that follows, and is differentiated once. Printed: the
    loss, the chain from the last state to the first, a sentence that says which factor decided, and the files of a picture and of a page
    that steps through both passes."""
    text, title = read(options.text)
    found = run(text, options)
    files = save_pictures(found, options, beside(text, options) if options.steps <= COMPARED else {})
    figures = {name: numbers(found[name]) for name in ("text", "next", "guess", "alphabet", "loss", "nats", "sentence")}
    figures["options"] = {name: x for name, x in vars(options).items() if name not in ("out", "open", "json")}
    figures |= {"chain": found["chain"].to_dict(), "files": [*map(str, files)]}
    show(page(title, found, options, *files), figures=figures if options.json else None)
    if options.open:
        opened(files[1])


def page(title: str, found: dict[str, Any], options: argparse.Namespace, picture: Path, web: Path) -> str:
    """What is printed for a reader."""
    guessing = f"guessing among {found['alphabet']} characters: {number(math.log(found['alphabet']))}"
    return "\n".join([
        f"{title}: an RNN of {options.width} {options.activation} units reads {options.steps} characters",
        f"  {quoted(found['text'])!r}",
        f"and predicts {found['guess']!r}; what follows is {found['next']!r}",
        f"loss {number(found['loss'])} nats ({guessing})",
        "",
        found["chain"].table(typical=False),
        "",
        wrapped(found["sentence"], hang=0),
        "",
        f"wrote {picture}",
        "  the gradient on its way back, and the factors that it met",
        f"wrote {web}",
        "  a page to open in a browser: send the gradient back, ask what if, compare"])


def quoted(text: str) -> str:
    """The end of a text."""
    return text if len(text) <= QUOTED else f"…{text[-QUOTED:]}"


def save_pictures(found: dict[str, Any], options: argparse.Namespace, others: dict[str, Chain]) -> tuple[Path, Path]:
    """Draw the river into a folder, which is made if it is missing: as a picture, and as a page, where others can be compared."""
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ValueError(f"--out {options.out} is a file, not a folder; give a folder") from None
    about = f"{options.steps} steps of a {options.activation} RNN reading “{clean(quoted(found['text']))}”"
    steps = (max(0, options.steps - IN_FULL + 1), options.steps)
    known = {"read": found["text"], "about": about, "steps": steps}
    picture = draw(found["chain"], **known).save(options.out / "rnn.svg")
    compared = {options.activation: found["chain"]} | others
    return picture, draw(found["chain"], **known, losses=found["losses"], beside=compared).save(options.out / "rnn.html")


def run(text: str, options: argparse.Namespace, cell: str = "") -> dict[str, Any]:
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
    seen = zip(states[1:-1], read_along[1:]) if T <= COMPARED else ()
    each = [nn.cross_entropy(readout(reader.output(state)), alphabet.index(c)) for state, c in seen]
    loss.backward()
    chain, nats = Chain(loss, first, through=states), parts(Chain(last, first, seed=last.grad))
    return {
        "text": read_along, "next": following, "guess": alphabet[int(np.argmax(logits.data))], "alphabet": len(alphabet),
        "loss": loss.item(), "losses": [*each, loss] if each else [], "chain": chain, "nats": nats,
        "sentence": sentence(chain, nats, options)}


def beside(text: str, options: argparse.Namespace) -> dict[str, Chain]:
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


def sentence(chain: Chain, nats: dict[str, float], options: argparse.Namespace) -> str:
    """What happened to the gradient, and which factor did it."""
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
