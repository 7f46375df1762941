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

from ..chain import Chain
from ..drawing import draw
from ..hints import meant
from ..text.lines import clean, wrapped
from ..text.numbers import figure, numbers
from .commands import answer, draw_a_model, exercise, field, judge, learn, phase_diagram, study, write_by_hand, write_lab
from .diagnosing import diagnose
from .options import QUESTIONS, parser
from .reading import COMPARED_STEPS, beside, run, sentence
from .texts import opened, read, show

PAGE_STEPS, QUOTED = 30, 30  # drawn in full in the graph; characters of the text in a title


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable; 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    if command not in COMMANDS:
        listed, near = ", ".join(filter(None, COMMANDS)), meant(command, COMMANDS)
        parser("").error(f"{command!r} is no command; there are {listed} (and a text is read with --text FILE){near}")
    options = parser(command).parse_args(arguments)
    try:
        COMMANDS[command](options)
        return 0
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        code, why = 1, str(error)
    except MemoryError:
        code, why = 1, "there is not enough memory for a model of this size; use fewer steps or units"
    except KeyboardInterrupt:
        code, why = 130, "interrupted"
    if sys.stderr:
        print(f"tinygrad_vg: {clean(why)}", file=sys.stderr)
    return code


def chain_of_a_text(options: argparse.Namespace) -> None:
    """The main job: forward and back once over the end of a text; a page or a JSON document, and two pictures."""
    text, title = read(options.text)
    with np.errstate(all="ignore"):
        result = run(text, options)
        save_pictures(result, beside(text, options) if options.steps <= COMPARED_STEPS else {})
        show(page(result, title), figures=figures(result) if options.json else None)
    if options.open:
        opened(files(result)[1])


def save_pictures(result: dict[str, Any], others: dict[str, Chain]) -> None:
    """Draw the river into the folder, which is made if it is missing: as a picture, and as a page, where others can be compared."""
    (picture, web), chain, options = files(result), result["chain"], result["options"]
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ValueError(f"--out {picture.parent} is a file, not a folder; give a folder") from None
    shown = result["text"] if options.steps <= QUOTED else f"…{result['text'][-QUOTED:]}"
    about = f"{options.steps} steps of a {options.activation} RNN reading “{clean(shown)}”"
    steps = (max(0, options.steps - PAGE_STEPS + 1), options.steps)
    known = {"read": result["text"], "about": about, "steps": steps}
    draw(chain, **known).save(picture)
    draw(chain, **known, losses=result["losses"], beside={options.activation: chain} | others).save(web)


def files(result: dict[str, Any]) -> tuple[Path, Path]:
    """Where `demo` writes: rnn.svg and rnn.html, in the folder `--out`."""
    folder = Path(result["options"].out)
    return folder / "rnn.svg", folder / "rnn.html"


def page(result: dict[str, Any], title: str) -> str:
    """What is printed for a reader."""
    options, chain = result["options"], result["chain"]
    shown = result["text"][-40:]
    picture, web = files(result)
    return "\n".join([
        f"{title}: an RNN of {options.width} {options.activation} units reads {len(result['text'])} characters",
        f"  {'…' if len(shown) < len(result['text']) else ''}{shown!r}",
        f"and predicts {result['guess']!r}; what follows is {result['next']!r}",
        f"loss {short(result['loss'])} nats (guessing among {result['alphabet']} characters: {math.log(result['alphabet']):.4f})",
        "",
        chain.table(typical=False),
        "",
        wrapped(sentence(result), hang=0),
        "",
        f"wrote {picture}",
        "  the gradient on its way back, and the factors that it met",
        f"wrote {web}",
        "  a page to open in a browser: send the gradient back, ask what if, compare"])


def short(x: float) -> str:
    """Four decimals; where they would be all zeros, or the number would be long, three significant digits."""
    return f"{x:.4f}" if 1e-3 <= abs(x) < 1e6 else figure(x + 0.0)


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """The same for JSON, every digit kept."""
    options = {key: value for key, value in vars(result["options"]).items() if key not in ("out", "open", "json", "command")}
    read = {key: numbers(result[key]) for key in ("text", "next", "guess", "alphabet", "loss")}
    nats = {key: numbers(value) for key, value in result["parts"].items()}
    last = {"sentence": sentence(result), "chain": result["chain"].to_dict(), "files": [*map(str, files(result))]}
    return {"options": options, **read, "nats": nats, **last}


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "": chain_of_a_text, "draw": draw_a_model, "by_hand": write_by_hand, "diagnose": diagnose, "learn": learn, "claims": judge,
    "exercise": exercise, "headlines": field, "factorial": study, "laboratory": study, "phase": phase_diagram, "lab": write_lab,
    **dict.fromkeys(QUESTIONS, answer)}
