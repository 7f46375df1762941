"""What happens to the gradient of an RNN that reads along?  One forward and one backward pass over the end of a text."""

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, nn
from ..chain import Blame, Chain
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
    loss, the chain from the last state to the first, a sentence that says which factors decided, and the files of a picture and of a page
    that steps through both passes."""
    text, title = read(options.text)
    found = run(text, options)
    blame = found["between"].blame()
    said = sentence(blame, options.steps)
    files = save_pictures(found, options, beside(text, options) if options.steps <= COMPARED else {})
    figures = {name: numbers(found[name]) for name in ("text", "next", "guess", "alphabet", "loss")}
    figures["options"] = {name: x for name, x in vars(options).items() if name not in ("out", "open", "json")}
    figures |= {"blame": blame.to_dict(), "sentence": said, "chain": found["chain"].to_dict(), "files": [*map(str, files)]}
    show(page(title, found, said, options, *files), figures=figures if options.json else None)
    if options.open:
        opened(files[1])


def page(title: str, found: dict[str, Any], said: str, options: argparse.Namespace, picture: Path, web: Path) -> str:
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
        wrapped(said, hang=0),
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
    return {
        "text": read_along, "next": following, "guess": alphabet[int(np.argmax(logits.data))], "alphabet": len(alphabet),
        "loss": loss.item(), "losses": [*each, loss] if each else [], "chain": Chain(loss, first, through=states),
        "between": Chain(last, first, seed=last.grad)}


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


def sentence(blame: Blame, steps: int) -> str:
    """What happened to the gradient between the last state and the first, and who did it."""
    way = f"From h[{steps}] back to h[0]"
    if blame.ended:
        return f"{way} nothing arrives: {blame.sentence}."
    size = f"{'shrank' if blame.total < 0 else 'grew'} to {from_log(blame.total)} of its size"
    return f"{way} the gradient {'kept its size' if abs(blame.total) < 0.05 else size} ({blame.total:+.1f} nats): {blame.sentence}."
