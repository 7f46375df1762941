"""The command line: `python -m tinygrad_vg` reads a text and shows what happens to the gradient of an RNN that reads along.

A character RNN runs over the last characters of the text, predicts the one that follows, and is differentiated once. Printed:
the loss, the chain from the last state to the first, a sentence that says which factor decided, and the file of the picture.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import nn
from .autodiff.tensor import Tensor
from .chain import Chain
from .chain.text import clean
from .drawing import draw

DRAWN_STEPS = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable; 130 after Ctrl-C."""
    options = parser().parse_args(argv)
    try:
        text, title = read(options.text)
        with np.errstate(all="ignore"):
            result = run(text, options)
            printed = json_of(result) if options.json else page(result, title)
        picture(result)
        show(printed, options.json)
    except (ValueError, OSError, RuntimeError) as error:
        return complain(str(error), 1)
    except MemoryError:
        return complain("there is not enough memory for a model of this size; use smaller --hidden and --steps", 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


def complain(message: str, code: int) -> int:
    """One line on stderr, if there is one."""
    if sys.stderr:
        print(f"tinygrad_vg: {clean(message)}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg", description=(__doc__ or "").partition("\n\n")[2])
    p.add_argument("--text", metavar="FILE", help="a UTF-8 text, '-' for standard input (default: the Zen of Python)")
    p.add_argument("--steps", type=whole(1, 100_000), default=20, metavar="T", help="how many characters the RNN reads (20)")
    p.add_argument("--hidden", type=whole(1, 4096), default=32, metavar="N", help="size of the state (32)")
    p.add_argument("--activation", choices=["sigmoid", "tanh", "relu", "linear"], default="tanh", help="of the state (tanh)")
    p.add_argument("--radius", type=positive, default=1.0, metavar="R", help="spectral radius of the recurrent weight (1.0)")
    p.add_argument("--seed", type=whole(0, 2**63), default=0, metavar="K", help="of the random weights (0)")
    p.add_argument("--out", type=Path, default=Path("tinygrad_vg_out"), metavar="DIR", help="folder for the picture (tinygrad_vg_out)")
    p.add_argument("--json", action="store_true", help="print one JSON document instead of the page")
    return p


def whole(low: int, high: int) -> Any:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"needs a whole number from {low} to {high}, got {text!r}")
        return int(text)

    return number


def positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")


def read(source: str | None) -> tuple[str, str]:
    """The text and what to call it; ValueError or OSError if it is not a readable text."""
    if source is None:
        return zen(), "the Zen of Python"
    title = "standard input" if source == "-" else clean(source)
    if source == "-" and not sys.stdin:
        raise ValueError("standard input is closed; give a file")
    raw = sys.stdin.buffer.read() if source == "-" else Path(source or " ").read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = f"byte {error.start} is {raw[error.start]:#04x}"
        raise ValueError(f"{title} is not UTF-8 text ({at}); convert it, or give another file") from None
    if "\0" in text:
        raise ValueError(f"{title} looks like a binary file (it contains NUL); give a text")
    if not text:
        raise ValueError(f"{title} is empty; give a text of a few dozen characters or more")
    return text, title


def zen() -> str:
    """Out of the standard library's `this`, which prints itself when imported."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        sys.modules.pop("this", None)
        import this  # noqa: F401
    return printed.getvalue()


def run(text: str, options: argparse.Namespace) -> dict[str, Any]:
    """One forward and one backward pass over the end of the text."""
    T, alphabet = options.steps, alphabet_of(text, options.steps)
    read_along, following = text[-T - 1 : -1], text[-1]
    rng = np.random.default_rng(options.seed)
    cell = nn.RNNCell(len(alphabet), options.hidden, options.activation, init="normal", rng=rng)
    cell.W_hh.data = nn.init.with_radius(cell.W_hh.data, options.radius)
    readout = nn.Linear(options.hidden, len(alphabet), rng=rng, name="out")
    inputs = np.eye(len(alphabet))[[alphabet.index(character) for character in read_along]]
    states, logits, loss = predict(cell, readout, inputs, cell.initial_state(), alphabet.index(following))
    drawn = loss
    if T > DRAWN_STEPS:  # the picture starts late, from the same state as a constant
        for leaf in (*cell.parameters().values(), *readout.parameters().values()):
            leaf.zero_grad()
        late = Tensor(states[-1 - DRAWN_STEPS].data).named("h", T - DRAWN_STEPS)
        drawn = predict(cell, readout, inputs[-DRAWN_STEPS:], late, alphabet.index(following))[2]
    return {
        "options": options,
        "text": read_along,
        "next": following,
        "guess": alphabet[int(np.argmax(logits.data))],
        "alphabet": len(alphabet),
        "loss": loss.item(),
        "chain": Chain(loss, states[0], through=states),
        "parts": parts(Chain(states[-1], states[0], seed=states[-1].grad)),
        "drawn": drawn,
    }


def alphabet_of(text: str, T: int) -> list[str]:
    """The characters of the text, each once; ValueError if there is too little of it."""
    if len(text) <= T:
        shorter = f"use --steps {len(text) - 1} or " if len(text) > 1 else ""
        raise ValueError(f"the text has {len(text)} characters, but {T} steps and the next one need {T + 1}; {shorter}give a longer text")
    alphabet = sorted(set(text))
    if len(alphabet) < 2:
        raise ValueError(f"the text repeats one character, {alphabet[0]!r}, so there is nothing to predict")
    return alphabet


def predict(cell: Any, readout: Any, inputs: Any, state: Any, label: int) -> tuple[list, Any, Any]:
    """Read along from a state, predict the character that follows, and differentiate the loss."""
    states = nn.unroll(cell, inputs, state)
    logits = readout(states[-1]).named("logits")
    loss = nn.cross_entropy(logits, label).named("loss")
    loss.backward()
    return states, logits, loss


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
        dead = f"every slope of {options.activation} on its way is 0"
        return f"{way} became exactly 0 at {chain.names[k]}: {dead if nats['slopes'] == -math.inf else 'the weights carry nothing on'}."
    what = f"kept its size ({nats['all']:+.1f} nats)"
    if abs(nats["all"]) >= 0.05:
        what = f"{'shrank' if nats['all'] < 0 else 'grew'} to {ratio(nats['all'])} of its size ({nats['all']:+.1f} nats)"
    if options.activation == "linear":
        return f"{way} {what}: with no slopes in the way, the recurrent weight W_hh alone did it."
    decided = max(("slopes", "weights"), key=lambda part: nats[part] * math.copysign(1, nats["all"]))
    name = {"slopes": f"the slopes of {options.activation}", "weights": "the recurrent weight W_hh"}
    together = nats["slopes"] * nats["weights"] > 0
    share = f"{nats[decided] / nats['all']:.0%} of it" if together else "the other pulled the other way"
    return (
        f"{way} {what}: the slopes of {options.activation} {nats['slopes']:+.1f}, the recurrent weight W_hh {nats['weights']:+.1f}. "
        f"What decided: {name[decided]} ({share})."
    )


def ratio(log: float) -> str:
    """exp(log) in two digits, also where a float would under- or overflow."""
    exponent = math.floor(log / math.log(10))
    return f"{math.exp(log):.2g}" if -3 <= exponent < 3 else f"{10 ** (log / math.log(10) - exponent):.1f}e{exponent:+03d}"


def picture(result: dict[str, Any]) -> None:
    """Draw the graph into the folder, which is made if it is missing."""
    place = picture_path(result)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ValueError(f"--out {place.parent} is a file, not a folder; give a folder") from None
    draw(result["drawn"]).save(place)


def picture_path(result: dict[str, Any]) -> Path:
    return Path(result["options"].out) / "rnn.svg"


def page(result: dict[str, Any], title: str) -> str:
    """What is printed for a reader."""
    options, chain = result["options"], result["chain"]
    shown = result["text"][-40:]
    first = options.steps - DRAWN_STEPS
    late = f" of the last {DRAWN_STEPS} steps, with h[{first}] as given" if first > 0 else ""
    return "\n".join([
        f"{title}: an RNN of {options.hidden} {options.activation} units reads {len(result['text'])} characters",
        f"  {'…' if len(shown) < len(result['text']) else ''}{shown!r}",
        f"and predicts {result['guess']!r}; what follows is {result['next']!r}",
        f"loss {result['loss']:.4f} nats (guessing among {result['alphabet']} characters: {math.log(result['alphabet']):.4f})",
        "",
        str(chain),
        "",
        *textwrap.wrap(sentence(result), 80),
        "",
        f"wrote {picture_path(result)}: the graph{late}; values, gradients, local derivatives",
    ])  # fmt: skip


def json_of(result: dict[str, Any]) -> str:
    """The same as one JSON document, every digit kept."""
    options = {key: value for key, value in vars(result["options"]).items() if key not in ("out", "json")}
    nats = {key: value if math.isfinite(value) else str(value) for key, value in result["parts"].items()}
    loss = result["loss"] if math.isfinite(result["loss"]) else str(result["loss"])
    plain = {key: result[key] for key in ("text", "next", "guess", "alphabet")}
    document = {"options": options, **plain, "loss": loss, "nats": nats, "sentence": sentence(result), "chain": result["chain"].to_dict()}
    return json.dumps({**document, "files": [str(picture_path(result))]}, ensure_ascii=False, allow_nan=False, indent=1)


def show(text: str, is_json: bool) -> None:
    """Print, in plain ASCII where the terminal knows no more. A reader that closes early is no error; a full disk is."""
    if not sys.stdout:
        raise ValueError("standard output is closed; there is nowhere to print")
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=1) if is_json else plain_signs(text).encode(encoding, "replace").decode(encoding)
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit stays quiet
        if not isinstance(error, BrokenPipeError):
            raise


def plain_signs(text: str) -> str:
    """The signs of the page that ASCII has another way for."""
    for sign, plain in {"→": "->", "ᵀ": "'", "·": "*", "█": "#", "▒": "+", "…": "...", "Σ": "sum", "∞": "inf"}.items():
        text = text.replace(sign, plain)
    return text


if __name__ == "__main__":
    sys.exit(main())
