"""The command line: `python -m tinygrad_vg` reads a text and shows what happens to the gradient of an RNN that reads along.

`python -m tinygrad_vg chain MODEL` (or uses, verdict, explain) asks about a model of the debate instead; `learn NAME` runs one of
the learning experiments and prints its table. Each has its own --help.

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
from .chain.text import clean
from .drawing import draw
from .experiments.reading import DRAWN_STEPS, run, sentence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable; 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments and arguments[0] in ("learn", *QUESTIONS) else None
    run_it = learn if command == "learn" else answer if command else chain_of_a_text
    its_parser = learn_parser() if command == "learn" else asking_parser(command) if command else parser()
    options = its_parser.parse_args(arguments[1:] if command else arguments)
    try:
        run_it(options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        return complain(str(error), 1)
    except MemoryError:
        return complain("there is not enough memory for a model of this size; use smaller --hidden and --steps", 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


QUESTIONS = {
    "chain": "the chain-rule product of a model, who is to blame for its size, and how far back it reaches",
    "uses": "who contributed to the gradient of a model's weight, by time step and by distance to the loss",
    "verdict": "why the gradient of a model is small or large",
    "explain": "the derivative of the loss with respect to a model's weight, in words and in index notation",
}


def answer(options: argparse.Namespace) -> None:
    """Answer one of the questions about a model of the debate."""
    from .experiments.asking import ask

    asked = ("question", "model", "vs", "json")
    given = {key: value for key, value in vars(options).items() if key not in asked and value is not None}
    if options.text:
        given["text"] = read(options.text)[0]
    with np.errstate(all="ignore"):
        text, figures = ask(options.question, options.model, options.vs, given)
    show(json.dumps(figures, ensure_ascii=False, allow_nan=False, indent=1) if options.json else text, options.json)


def asking_parser(question: str) -> argparse.ArgumentParser:
    """The options of one question: the model, its settings, and how to print."""
    from .experiments.models import NAMES

    p = argparse.ArgumentParser(prog=f"python -m tinygrad_vg {question}", description=f"Print {QUESTIONS[question]}.")
    p.set_defaults(question=question)
    p.add_argument("model", choices=NAMES, help="the model asked about")
    p.add_argument("--vs", choices=NAMES, action="append", default=[], help="another model, set beside the first (may be repeated)")
    p.add_argument("--steps", type=whole(1, 100_000), metavar="T", help="time steps, or layers of mlp and residual (20)")
    p.add_argument("--width", type=whole(1, 4096), metavar="N", help="units in each (32)")
    p.add_argument("--activation", choices=[*nn.ACTIVATIONS], help="tanh if not given")
    p.add_argument("--init", choices=["zeros", "normal", "uniform", "xavier", "he", "orthogonal", "identity"], help="of the weights")
    p.add_argument("--radius", type=positive, metavar="R", help="spectral radius of the recurrent weight")
    p.add_argument("--norm", choices=["batch", "layer"], help="for mlp and residual")
    p.add_argument("--tau", type=positive, help="time constant of leaky and esn (10)")
    p.add_argument("--delay", type=whole(1, 1000), metavar="D", help="of skip (5)")
    p.add_argument("--forget-bias", type=float, metavar="B", help="of lstm (1)")
    p.add_argument("--text", metavar="FILE", help="read the end of a text, one-hot, instead of noise")
    p.add_argument("--seed", type=whole(0, 2**63), metavar="K", help="of the random weights and the noise (0)")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


def learn(options: argparse.Namespace) -> None:
    """Run one of the learning experiments, which prints its table."""
    from .training import learning

    experiment = getattr(learning, EXPERIMENTS[options.name][0])
    given = {key: value for key, value in vars(options).items() if key not in ("name", "text") and value is not None}
    if options.name == "letters":
        given["text"] = read(options.text)[0] if options.text else long_text()
    experiment(**given)


EXPERIMENTS = {
    "digits": ("digits_mlp", "an MLP of depth 3 on handwritten digits (extra data)"),
    "sigmoid": ("deep_sigmoid", "sigmoid MLPs: shallow, deep, and deep with batch norm (extra data)"),
    "order": ("order_of_two", "temporal order with an RNN: SGD, and SGD with clipping (about a minute)"),
    "adding": ("long_sums", "adding two numbers 60 steps apart: a tanh RNN and an LSTM (some minutes)"),
    "narma": ("narma", "NARMA-10 with an echo state network"),
    "letters": ("letters", "the characters of a text: a tanh RNN and an LSTM (about a minute)"),
}


def learn_parser() -> argparse.ArgumentParser:
    """Which experiment, and the text for one of them."""
    listed = "\n".join(f"  {name:8} {what}" for name, (_, what) in EXPERIMENTS.items())
    p = argparse.ArgumentParser(
        prog="python -m tinygrad_vg learn", description=f"Run a learning experiment and print its table:\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    p.add_argument("name", choices=EXPERIMENTS)
    p.add_argument("--text", metavar="FILE", help="for letters: a UTF-8 text (default: the topics of Python's own help)")
    return p


def long_text() -> str:
    """Some 50,000 characters of English that come with Python; ValueError where they were left out."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise ValueError("this Python comes without its help topics; give a text with --text FILE") from None
    return "\n".join(topics[name] for name in sorted(topics))[:50_000]


def chain_of_a_text(options: argparse.Namespace) -> None:
    """The main job: forward and back once over the end of a text; a page or a JSON document, and a picture."""
    text, title = read(options.text)
    with np.errstate(all="ignore"):
        result = run(text, options)
        printed = json_of(result) if options.json else page(result, title)
    picture(result)
    show(printed, options.json)


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
        chain.table(typical=False),
        "",
        *textwrap.wrap(sentence(result), 80),
        "",
        f"wrote {picture_path(result)}",
        f"  the graph{late}: gradients and slopes",
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
