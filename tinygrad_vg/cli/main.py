"""The command line: `python -m tinygrad_vg` reads a text and shows what happens to the gradient of an RNN that reads along.

COMMANDS, at the end, are the others, each with its own --help.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..drawing import draw
from ..hints import meant
from ..text.lines import clean, wrapped
from ..text.numbers import figure, numbers
from .commands import answer, as_json, draw_a_model, exercise, field, judge, learn, phase_diagram, study
from .options import QUESTIONS, parser
from .reading import run, sentence
from .texts import read, show

DRAWN_STEPS, PAGE_STEPS = 8, 30  # drawn in full: in the picture, on the page


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable; 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = bool(arguments) and arguments[0] in COMMANDS
    if arguments and not named and not arguments[0].startswith("-"):
        listed = ", ".join(filter(None, COMMANDS))
        near = meant(arguments[0], COMMANDS)
        parser("").error(f"{arguments[0]!r} is no command; there are {listed} (and a text is read with --text FILE){near}")
    options = parser(arguments[0] if named else "").parse_args(arguments[named:])
    try:
        COMMANDS[options.command](options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        return complain(str(error), 1)
    except MemoryError:
        return complain("there is not enough memory for a model of this size; use fewer steps or units", 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


def chain_of_a_text(options: argparse.Namespace) -> None:
    """The main job: forward and back once over the end of a text; a page or a JSON document, and two pictures."""
    text, title = read(options.text)
    with np.errstate(all="ignore"):
        result = run(text, options)
        printed = as_json(figures(result)) if options.json else page(result, title)
        save_pictures(result)
    show(printed, options.json)


def complain(message: str, code: int) -> int:
    """One line on stderr, if there is one."""
    if sys.stderr:
        print(f"tinygrad_vg: {clean(message)}", file=sys.stderr)
    return code


def save_pictures(result: dict[str, Any]) -> None:
    """Draw the graph into the folder, which is made if it is missing: the last steps as a picture, and a page."""
    (picture, web), loss, steps = files(result), result["output"], result["options"].steps
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ValueError(f"--out {picture.parent} is a file, not a folder; give a folder") from None
    draw(loss, steps=(first_drawn(result), steps)).save(picture)
    draw(loss, steps=(first_drawn(result, PAGE_STEPS), steps), chain=result["chain"]).save(web)


def first_drawn(result: dict[str, Any], most: int = DRAWN_STEPS) -> int:
    """The first of the steps that are drawn in full: of many, the last ones."""
    return max(0, result["options"].steps - most + 1)


def files(result: dict[str, Any]) -> tuple[Path, Path]:
    folder = Path(result["options"].out)
    return folder / "rnn.svg", folder / "rnn.html"


def page(result: dict[str, Any], title: str) -> str:
    """What is printed for a reader."""
    options, chain = result["options"], result["chain"]
    shown = result["text"][-40:]
    late = ", its last eight steps in full" if first_drawn(result) else ""
    passes = f"the last {PAGE_STEPS} steps" if first_drawn(result, PAGE_STEPS) else "both passes"
    picture, web = files(result)
    return "\n".join([
        f"{title}: an RNN of {options.hidden} {options.activation} units reads {len(result['text'])} characters",
        f"  {'…' if len(shown) < len(result['text']) else ''}{shown!r}",
        f"and predicts {result['guess']!r}; what follows is {result['next']!r}",
        f"loss {short(result['loss'])} nats (guessing among {result['alphabet']} characters: {math.log(result['alphabet']):.4f})",
        "",
        chain.table(typical=False),
        "",
        wrapped(sentence(result), hang=0),
        "",
        f"wrote {picture}",
        f"  the graph{late}: gradients and slopes",
        f"wrote {web}",
        f"  a page to open in a browser: step through {passes}, ask what if"])


def short(x: float) -> str:
    """Four decimals; where they would be all zeros, or the number would be long, three significant digits."""
    return f"{x:.4f}" if 1e-3 <= abs(x) < 1e6 else figure(x + 0.0)


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """The same for JSON, every digit kept."""
    options = {key: value for key, value in vars(result["options"]).items() if key not in ("out", "json", "command")}
    read = {key: numbers(result[key]) for key in ("text", "next", "guess", "alphabet", "loss")}
    nats = {key: numbers(value) for key, value in result["parts"].items()}
    last = {"sentence": sentence(result), "chain": result["chain"].to_dict(), "files": [*map(str, files(result))]}
    return {"options": options, **read, "nats": nats, **last}


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "": chain_of_a_text, "draw": draw_a_model, "learn": learn, "claims": judge, "exercise": exercise, "headlines": field,
    "factorial": study, "laboratory": study, "phase": phase_diagram, **dict.fromkeys(QUESTIONS, answer)}
