"""The command line: `python -m tinygrad_vg` reads a text and shows what happens to the gradient of an RNN that reads along.

`python -m tinygrad_vg chain MODEL` (or uses, verdict, explain) asks about a model of the debate instead; `draw MODEL` draws it;
`learn NAME` runs one of the learning experiments and prints its table; `claims` measures what the debate claims. Each has its own
--help.

A character RNN runs over the last characters of the text, predicts the one that follows, and is differentiated once. Printed:
the loss, the chain from the last state to the first, a sentence that says which factor decided, and the files of a picture
and of a page that steps through the two passes.
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
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .chain.text import clean
from .drawing import draw
from .experiments.options import (
    EXPERIMENTS, MODEL, QUESTIONS, asking_parser, claims_parser, draw_parser, exercise_parser, learn_parser, main_parser,
    phase_parser,
)  # fmt: skip
from .experiments.reading import run, sentence
from .experiments.texts import long_text, read
from .nn.saving import checked_path, save_whole

DRAWN_STEPS = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable; 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = bool(arguments) and arguments[0] in COMMANDS
    its_parser, run_it = COMMANDS[arguments[0] if named else ""]
    options = its_parser().parse_args(arguments[named:])
    try:
        run_it(options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        return complain(str(error), 1)
    except MemoryError:
        return complain("there is not enough memory for a model of this size; use smaller --hidden and --steps", 1)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    return 0


def answer(options: argparse.Namespace) -> None:
    """Answer one of the questions about a model of the debate."""
    from .experiments.asking import ask

    with np.errstate(all="ignore"):
        text, figures = ask(options.question, options.model, options.vs, settings(options))
    show(json.dumps(figures, ensure_ascii=False, allow_nan=False, indent=1) if options.json else text, options.json)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about the model, a text as the text itself."""
    given = {key: value for key, value in vars(options).items() if key in MODEL and value is not None}
    return given | ({"text": read(options.text)[0]} if options.text else {})


def draw_a_model(options: argparse.Namespace) -> None:
    """Draw a model of the debate after one forward and one backward pass, and say where the picture is."""
    from .experiments.models import build

    asked = build(options.model, **settings(options))
    place = Path(options.out or f"{options.model}.html")
    with np.errstate(all="ignore"):
        asked.loss.backward()
        drawing = draw(asked.loss, None if options.fold == "none" else options.fold, steps=options.window, chain=asked.chain())
    show(f"{asked.title}\nwrote {drawing.save(place)}: {drawing.size}", False)
    if options.open and not webbrowser.open(place.resolve().as_uri()):
        raise RuntimeError(f"there is no browser to open {place} with; open it by hand")


def learn(options: argparse.Namespace) -> None:
    """Run one of the learning experiments, which prints its table."""
    from .training import learning

    experiment = getattr(learning, EXPERIMENTS[options.name][0])
    given = {key: value for key, value in vars(options).items() if key not in ("name", "text") and value is not None}
    if options.name == "letters":
        given["text"] = read(options.text)[0] if options.text else long_text()
    experiment(**given)


def judge(options: argparse.Namespace) -> None:
    """Run claims and print the ledger, a claim in full, or write the page; RuntimeError, after printing, if a figure has moved."""
    from .experiments import claims

    wanted = claims.chosen(options.ids, options.slow)
    if options.list:
        return show(claims.listed(wanted), False)
    place = options.html and checked_path(options.html, (".html",))
    outcomes = list(claims.run(wanted, progress=bool(sys.stderr and sys.stderr.isatty())))
    if options.json:
        show(json.dumps([one.to_dict() for one in outcomes], ensure_ascii=False, allow_nan=False, indent=1), True)
    else:
        show("\n\n\n".join(map(claims.full, outcomes)) if options.ids else claims.ledger(outcomes), False)
    if place:
        save_whole(place, claims.page(outcomes).encode())
    if moved := [one.claim.id for one in outcomes if one.moved]:
        raise RuntimeError(f"the figures of {', '.join(moved)} have moved")


def exercise(options: argparse.Namespace) -> None:
    """Print an exercise, or grade an answer: RuntimeError, after printing, if it is wrong."""
    from .experiments import exercises

    if options.number is None:
        return show("\n".join(f"{n:>2}  {e.name}({e.arguments})" for n, e in exercises.EXERCISES.items()), False)
    if options.file is None:
        return show("\n".join(textwrap.fill(line, 80) for line in str(exercises.numbered(options.number)).split("\n")), False)
    graded = exercises.grade(options.number, Path(options.file))
    show(str(graded), False)
    if not graded.passed:
        raise RuntimeError(f"exercise {options.number} is not solved yet")


def phase_diagram(options: argparse.Namespace) -> None:
    """Run a grid of depths and variances, here, in processes or on a cluster, and print its table."""
    from .experiments import grid, phase

    with contextlib.ExitStack() as stack:
        executor: Any = None
        if options.cluster:
            executor = stack.enter_context(grid.cluster(options.cluster))
        elif options.workers:
            executor = stack.enter_context(grid.processes(options.workers))
        seen = counter if sys.stderr and sys.stderr.isatty() else None
        given = {"executor": executor, "store": options.store, "progress": seen}
        found = phase.diagram(options.depths, options.variances, options.seeds, **given)
    if options.picture:
        place = checked_path(options.picture, (".png", ".svg", ".pdf"))
        phase.picture(found).savefig(content := io.BytesIO(), format=place.suffix[1:].lower())
        save_whole(place, content.getvalue())
    show(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if options.json else phase.table(found), options.json)
    if found.failed:
        raise RuntimeError(f"{len(found.failed)} cells failed: {next(iter(found.failed.values()))}")


def counter(done: int, whole: int) -> None:
    """How far a grid has come, on stderr."""
    print(f"\r{done} of {whole}", end="\n" if done == whole else "", file=sys.stderr, flush=True)


def chain_of_a_text(options: argparse.Namespace) -> None:
    """The main job: forward and back once over the end of a text; a page or a JSON document, and two pictures."""
    text, title = read(options.text)
    with np.errstate(all="ignore"):
        result = run(text, options)
        printed = json_of(result) if options.json else page(result, title)
        save_pictures(result)
    show(printed, options.json)


def complain(message: str, code: int) -> int:
    """One line on stderr, if there is one."""
    if sys.stderr:
        print(f"tinygrad_vg: {clean(message)}", file=sys.stderr)
    return code


def save_pictures(result: dict[str, Any]) -> None:
    """Draw the graph into the folder, which is made if it is missing: the last steps as a picture, and a page."""
    picture, page = files(result)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ValueError(f"--out {picture.parent} is a file, not a folder; give a folder") from None
    draw(result["output"], steps=(first_drawn(result), result["options"].steps)).save(picture)
    draw(result["output"], chain=result["chain"]).save(page)


def first_drawn(result: dict[str, Any]) -> int:
    """The first of the steps the picture shows in full: of many, the last eight."""
    return max(0, result["options"].steps - DRAWN_STEPS + 1)


def files(result: dict[str, Any]) -> tuple[Path, Path]:
    folder = Path(result["options"].out)
    return folder / "rnn.svg", folder / "rnn.html"


def page(result: dict[str, Any], title: str) -> str:
    """What is printed for a reader."""
    options, chain = result["options"], result["chain"]
    shown = result["text"][-40:]
    late = ", its last eight steps in full" if first_drawn(result) else ""
    picture, page = files(result)
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
        f"wrote {picture}",
        f"  the graph{late}: gradients and slopes",
        f"wrote {page}",
        "  a page to open in a browser: step through both passes, ask what if",
    ])  # fmt: skip


def json_of(result: dict[str, Any]) -> str:
    """The same as one JSON document, every digit kept."""
    options = {key: value for key, value in vars(result["options"]).items() if key not in ("out", "json")}
    nats = {key: value if math.isfinite(value) else str(value) for key, value in result["parts"].items()}
    loss = result["loss"] if math.isfinite(result["loss"]) else str(result["loss"])
    plain = {key: result[key] for key in ("text", "next", "guess", "alphabet")}
    document = {"options": options, **plain, "loss": loss, "nats": nats, "sentence": sentence(result), "chain": result["chain"].to_dict()}
    return json.dumps({**document, "files": [*map(str, files(result))]}, ensure_ascii=False, allow_nan=False, indent=1)


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


COMMANDS: dict[str, tuple[Callable[[], argparse.ArgumentParser], Callable[[argparse.Namespace], None]]] = {
    "": (main_parser, chain_of_a_text),
    "draw": (draw_parser, draw_a_model),
    "learn": (learn_parser, learn),
    "claims": (claims_parser, judge),
    "exercise": (exercise_parser, exercise),
    "phase": (phase_parser, phase_diagram),
    **{question: (partial(asking_parser, question), answer) for question in QUESTIONS},
}

if __name__ == "__main__":
    sys.exit(main())
