"""What does each command do?  One function for each: it is given the options, prints, and raises if something is unusable or fails."""

import argparse
import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import claims, exercises
from ..chain import side_by_side, uses, verdict
from ..claims.models import Asked, build
from ..drawing import draw, plot
from ..formulas import ByHand, by_hand, explain
from ..text.files import checked_path, save_whole
from ..text.lines import wrapped
from ..text.tables import table
from ..training import learning
from .options import EXPERIMENTS, SETTINGS
from .texts import long_text, opened, read, show

PICTURES = (".png", ".svg", ".pdf")
Answer = tuple[str, dict[str, Any]]  # the text to print, and the same as plain numbers


def answer(options: argparse.Namespace) -> None:
    """Answer one of the questions about a model of the debate."""
    given = settings(options)
    if options.vs and options.command != "chain":
        raise ValueError(f"--vs sets chains side by side; {options.command} is about one model")
    with np.errstate(all="ignore"):
        asked = [build(name, **given) for name in (options.model, *options.vs)]
        text, figures = chains(asked) if options.command == "chain" else about(options.command, asked[0])
    show(wrapped(text), figures=figures if options.json else None)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about the model, a text as the text itself."""
    given = {key: value for key, value in vars(options).items() if key in SETTINGS and value is not None}
    return given | ({"text": read(options.text)[0]} if options.text else {})


def chains(asked: list[Asked]) -> Answer:
    """The chain of the model, who is to blame, and how far back it reaches; several models side by side."""
    found = [(one.title, chain, chain.blame(), chain.horizon()) for one in asked for chain in [one.chain()]]
    if len(found) > 1:
        text = side_by_side([chain for _, chain, _, _ in found], [title.split(":")[0] for title, *_ in found])
        text += "\n\n" + "\n".join(f"{title}\n  {blame.sentence}" for title, _, blame, _ in found)
    else:
        text = "\n\n".join(map(str, found[0]))
    return text, {"models": [{"title": t, "chain": c.to_dict(), "blame": b.to_dict(), "horizon": h.to_dict()} for t, c, b, h in found]}


def about(question: str, asked: Asked) -> Answer:
    """The answer to a question about one model; ValueError where it is about a weight and the model has none.

    verdict  why the gradient at the far end of the chain, and that of each parameter, is small or large
    explain  the derivative in the weight, in words and in indices
    uses     who contributed to the gradient of the weight: one row per use, and the same by distance to the loss
    """
    if question != "verdict" and asked.weight is None:
        raise ValueError(f"{asked.title} has no weight that is learned; ask another model")
    found: dict[str, Any] = {}
    if question == "verdict":
        found["verdict"] = verdict(asked.loss, asked.source)
        found["parameters"] = verdict(asked.loss, asked.model) if asked.model.parameters() else None
    elif question == "explain":
        found["explanation"] = explain(asked.loss, of=asked.weight)
    else:
        found["uses"] = uses(asked.loss, asked.weight)
        found["by_lag"] = found["uses"].by_lag()
    text = "\n\n".join(str(x) for x in (asked.title, *found.values()) if x is not None)
    return text, {"title": asked.title} | {key: None if x is None else x.to_dict() for key, x in found.items()}


def write_by_hand(options: argparse.Namespace) -> None:
    """Print the program that one would have written for a model; or the lines, as they run, that make a name; and save it."""
    program = program_of(options.model, options)
    if options.out:
        program.save(options.out)
    text = "\n".join(map(str, program.run_in_steps(options.steps_of))) if options.steps_of else program.text
    show(text + (f"\nwrote {options.out}" if options.out else ""))


def program_of(model: str, options: argparse.Namespace) -> ByHand:
    """The backward program of a built model, rolled into loops unless `--straight`."""
    asked = build(model, **settings(options))
    return by_hand(asked.loss, asked.model if asked.model.parameters() else None, roll=not options.straight,
                   stack=options.stack)


def draw_a_model(options: argparse.Namespace) -> None:
    """Draw a model of the debate after one forward and one backward pass, and say where the picture is."""
    if options.window and options.window[0] > options.window[1]:
        raise ValueError(f"--window FIRST LAST: {options.window[0]} is behind {options.window[1]}; give the earlier step first")
    asked = build(options.model, **settings(options))
    place = Path(options.out or f"{options.model}.html")
    with np.errstate(all="ignore"):
        asked.loss.backward()
        drawing = draw(asked.loss, None if options.fold == "none" else options.fold, steps=options.window, chain=asked.chain())
    show(f"{asked.title}\nwrote {drawing.save(place)}: {drawing.size}")
    if options.open:
        opened(place)


def learn(options: argparse.Namespace) -> None:
    """Run one of the learning experiments, which prints its table; ValueError for a text where none is read."""
    if options.name == "letters":
        learning.letters(read(options.text)[0] if options.text else long_text())
    elif options.text is not None:
        raise ValueError(f"--text belongs to letters; {options.name} reads no text")
    else:
        getattr(learning, EXPERIMENTS[options.name][0])()


def judge(options: argparse.Namespace) -> None:
    """Run claims and print the ledger, a claim in full, or write the page; RuntimeError, after printing, if a figure has moved."""
    if options.out and (options.list or options.show):
        raise ValueError("--out writes a page of what was measured, but --list and --show measure nothing; leave one of them out")
    wanted = claims.chosen(options.ids, options.slow or options.list or options.show)
    if options.list or options.show:
        text = claims.listed(wanted) if options.list else "\n\n\n".join(map(claims.shown, wanted))
        return show(text, figures=[one.to_dict() for one in wanted] if options.json else None)
    place = options.out and checked_path(options.out, (".html",))
    outcomes = list(claims.run(wanted, progress=bool(sys.stderr and sys.stderr.isatty())))
    text = "\n\n\n".join(map(claims.full, outcomes)) if options.ids else claims.ledger(outcomes)
    show(text, figures=[one.to_dict() for one in outcomes] if options.json else None)
    if place:
        save_whole(place, claims.page(outcomes).encode())
    if moved := [one.claim.id for one in outcomes if one.moved]:
        raise RuntimeError(f"the figures of {', '.join(moved)} have moved")


def study(options: argparse.Namespace) -> None:
    """Run the factorial experiment or the remedy laboratory, print its tables, and draw its picture if asked for."""
    from ..claims import factorial, laboratory

    place = options.out and checked_path(options.out, PICTURES)
    found: Any = factorial.run() if options.command == "factorial" else laboratory.run(laboratory.FULL if options.full else laboratory.FAST)
    show(str(found), figures=found.to_dict() if options.json else None)
    if place:
        save_figure(found.plot(), place)


def field(options: argparse.Namespace) -> None:
    """Run headline results of the field and print what showed."""
    from ..claims import headlines

    wanted = headlines.chosen(options.names)
    if options.list:
        known = [{"name": one.name, "slow": one.slow, "source": one.source} for one in wanted]
        return show(headlines.listed(options.names), figures=known if options.json else None)
    results = [one.run(options.full) for one in wanted]
    pages = [*map(headlines.page, results), *([headlines.table(results)] if len(results) > 1 else [])]
    show("\n\n".join(pages), figures=[result.to_dict() for result in results] if options.json else None)


def save_figure(figure: Any, place: Path) -> None:
    """A matplotlib Figure as a file, complete or not at all."""
    figure.savefig(content := io.BytesIO(), format=place.suffix[1:].lower())
    save_whole(place, content.getvalue())


def exercise(options: argparse.Namespace) -> None:
    """Print an exercise, its hint or its solution, or grade an answer: RuntimeError, after printing, if it is wrong."""
    if (options.hint or options.solution) and (options.number is None or options.file):
        raise ValueError("--hint and --solution go with the number of an exercise, and with no file")
    if options.by_hand or options.grade or options.blanks or options.out or settings(options):
        return fill_in(options)
    if options.number is None:
        return show(table([(str(n), f"{e.name}({e.arguments})") for n, e in exercises.EXERCISES.items()], left=2))
    asked = exercises.numbered(options.number)
    if options.solution:
        return show(asked.solution.rstrip())
    if options.file is None:
        more = "\n\n(--hint tells where to start, --solution prints a right answer)"
        return show(wrapped(asked.hint if options.hint else f"{asked}{more}", hang=0))
    graded = exercises.grade(options.number, Path(options.file))
    show(wrapped(str(graded), hang=0))
    if not graded.passed:
        raise RuntimeError(f"exercise {options.number} is not solved yet; --hint tells where to start")


def fill_in(options: argparse.Namespace) -> None:
    """Write the program of a model with lines to fill in, or grade it: RuntimeError, after printing, if something is wrong."""
    if options.number is not None or not options.by_hand:
        raise ValueError("--grade, --blanks, --out and what is said about a model go with --by-hand MODEL, and with no number")
    program = program_of(options.by_hand, options)
    if options.grade is None:
        place = checked_path(options.out or "by_hand_exercise.py", (".py",))
        if place.exists():
            raise ValueError(f"{place} is there already; grade it with --grade {place}, or give another name with --out")
        save_whole(place, program.exercise(options.blanks or 3, options.draw or 0).encode())
        return show(f"wrote {place}: fill in each `...`; to grade it, add --grade {place} to the same command")
    found = program.grade(read(options.grade)[0])
    show("\n".join(found) or "right, with the recorded values and with others: the value and every gradient")
    if found:
        raise RuntimeError(f"{options.grade} is not right yet")


def phase_diagram(options: argparse.Namespace) -> None:
    """Run a grid of depths and variances, here, in processes or on a cluster, and print its table."""
    from ..grid import phase
    from ..grid import runs as grid

    place = options.out and checked_path(options.out, PICTURES)
    hired: Any = grid.processes(options.workers) if options.workers else contextlib.nullcontext()
    with grid.cluster(options.cluster) if options.cluster else hired as executor:
        seen = counter if sys.stderr and sys.stderr.isatty() else None
        net = {name: x for name in ("activation", "width", "updates") if (x := getattr(options, name))}
        found = phase.diagram(options.depths, options.variances, options.seeds, net, executor=executor, progress=seen, store=options.store,
                              stale_ok=options.stale_ok)
    if found.results and place:
        save_figure(plot(found), place)
    if found.results or options.json:
        show("" if options.json else phase.table(found), figures=found.to_dict() if options.json else None)
    if found.failed:
        raise RuntimeError(f"{len(found.failed)} cells failed: {next(iter(found.failed.values()))}")


def write_lab(options: argparse.Namespace) -> None:
    """Write the lab, one page or a folder."""
    from . import lab

    show(lab.build(options.place, options.numpy, options.cache))


def counter(done: int, whole: int) -> None:
    """How far a grid has come, on stderr."""
    print(f"\r{done} of {whole}", end="\n" if done == whole else "", file=sys.stderr, flush=True)
