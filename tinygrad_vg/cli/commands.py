"""What does each command do?  One function for each, its options above it: it prints, and raises if something is unusable or fails."""

import argparse
import contextlib
import io
import sys
from pathlib import Path
from typing import Any

from .. import claims, exercises, nn
from ..chain import side_by_side, uses, verdict
from ..claims.models import NAMES, Asked, build
from ..drawing import draw, plot
from ..formulas import ByHand, by_hand, explain
from ..text.files import checked_path, save_whole
from ..text.lines import wrapped
from ..text.tables import table
from ..training import learning
from .options import JSON, MODEL, OPEN, PICTURE, PROGRAM, SETTINGS, command, natural, of_weight, option, positive, settings, whole
from .texts import long_text, opened, read, show

PICTURES = (".png", ".svg", ".pdf")
EXPERIMENTS = {
    "digits": learning.digits_mlp, "sigmoid": learning.deep_sigmoid, "order": learning.order_of_two, "adding": learning.long_sums,
    "narma": learning.narma, "letters": learning.letters}


def answer(options: argparse.Namespace, asked: Asked, **found: Any) -> None:
    """Print what was found of a model, each below the other."""
    text = "\n\n".join(str(x) for x in (asked.title, *found.values()) if x is not None)
    figures = {"title": asked.title} | {name: None if x is None else x.to_dict() for name, x in found.items()}
    show(wrapped(text), figures=figures if options.json else None)


@command("chain", MODEL, *SETTINGS,
    option("--vs", choices=NAMES, action="append", default=[], help="another model, set beside the first (may be repeated)"), JSON)
def print_chain(options: argparse.Namespace) -> None:
    """Print the chain-rule product of a model, who is to blame for its size, and how far back it reaches."""
    given = settings(options)
    asked = [build(name, **given) for name in (options.model, *options.vs)]
    found = [(one.title, chain, chain.blame(), chain.horizon()) for one in asked for chain in [one.chain()]]
    if options.vs:
        text = side_by_side([chain for _, chain, _, _ in found], [title.split(":")[0] for title, *_ in found])
        text += "\n\n" + "\n".join(f"{title}\n  {blame.sentence}" for title, _, blame, _ in found)
    else:
        text = "\n\n".join(map(str, found[0]))
    figures = [{"title": t, "chain": c.to_dict(), "blame": b.to_dict(), "horizon": h.to_dict()} for t, c, b, h in found]
    show(wrapped(text), figures={"models": figures} if options.json else None)


@command("uses", MODEL, *SETTINGS, JSON)
def print_uses(options: argparse.Namespace) -> None:
    """Print who contributed to the gradient of a model's weight, by time step and by distance to the loss."""
    asked = of_weight(options)
    found = uses(asked.loss, asked.weight)
    answer(options, asked, uses=found, by_lag=found.by_lag())


@command("verdict", MODEL, *SETTINGS, JSON)
def print_verdict(options: argparse.Namespace) -> None:
    """Print why the gradient of a model is small or large."""
    asked = build(options.model, **settings(options))
    parameters = verdict(asked.loss, asked.model) if asked.model.parameters() else None
    answer(options, asked, verdict=verdict(asked.loss, asked.source), parameters=parameters)


@command("explain", MODEL, *SETTINGS, JSON)
def print_explanation(options: argparse.Namespace) -> None:
    """Print the derivative of the loss with respect to a model's weight, in words and in index notation."""
    asked = of_weight(options)
    answer(options, asked, explanation=explain(asked.loss, of=asked.weight))


@command("by_hand", MODEL, *SETTINGS, *PROGRAM,
    option("--steps-of", metavar="NAME", help="run it, and print the lines that make this name, with sizes: g_h"),
    option("--out", metavar="FILE", help="write it with its values as a .py that runs by itself"))
def print_program(options: argparse.Namespace) -> None:
    """Print the NumPy program that one would have written by hand for a model: forward, then backward."""
    program = program_of(options.model, options)
    if options.out:
        program.save(options.out)
    text = "\n".join(map(str, program.run_in_steps(options.steps_of))) if options.steps_of else program.text
    show(text + (f"\nwrote {options.out}" if options.out else ""))


def program_of(model: str, options: argparse.Namespace) -> ByHand:
    """The backward program of a built model, rolled into loops unless `--straight`."""
    asked = build(model, **settings(options))
    return by_hand(asked.loss, asked.model if asked.model.parameters() else None, roll=not options.straight, stack=options.stack)


@command("draw", MODEL, *SETTINGS,
    option("--fold", default="auto", choices=["auto", "none", "layer", "states", "rolled"], help="auto, none, layer (a box for each "
           "step or layer), states (only the states: for a slide) or rolled (all steps drawn as one)"),
    option("--window", type=int, nargs=2, metavar=("FIRST", "LAST"), help="draw these steps in full, the others folded"),
    option("--out", metavar="FILE", help="a .html (a page to step through), .svg, .png, .pdf or .dot (MODEL.html)"), OPEN)
def draw_model(options: argparse.Namespace) -> None:
    """Draw a model after one forward and one backward pass."""
    if options.window and options.window[0] > options.window[1]:
        raise ValueError(f"--window FIRST LAST: {options.window[0]} is behind {options.window[1]}; give the earlier step first")
    asked = build(options.model, **settings(options))
    place = Path(options.out or f"{options.model}.html")
    asked.loss.backward()
    drawing = draw(asked.loss, None if options.fold == "none" else options.fold, steps=options.window, chain=asked.chain(),
                   about=asked.title)
    show(f"{asked.title}\nwrote {drawing.save(place)}: {drawing.size}")
    if options.open:
        opened(place)


@command("learn", option("name", choices=EXPERIMENTS),
    option("--text", metavar="FILE", help="for letters: a UTF-8 text (default: the topics of Python's own help)"))
def learn(options: argparse.Namespace) -> None:
    """Run a learning experiment and print its table:

      digits   an MLP of depth 3 on handwritten digits (extra data)
      sigmoid  sigmoid MLPs: shallow, deep, and deep with batch norm (extra data)
      order    temporal order with an RNN: SGD, and SGD with clipping (about a minute)
      adding   adding two numbers 60 steps apart: a tanh RNN and an LSTM (some minutes)
      narma    NARMA-10 with an echo state network
      letters  the characters of a text: a tanh RNN and an LSTM (about a minute)
    """
    experiment: Any = EXPERIMENTS[options.name]
    if options.name == "letters":
        experiment(read(options.text)[0] if options.text else long_text())
    elif options.text is not None:
        raise ValueError(f"--text belongs to letters; {options.name} reads no text")
    else:
        experiment()


@command("claims", option("ids", nargs="*", metavar="ID", help="P8, C3 …"),
    [option("--list", action="store_true", help="print the claims without running any"),
     option("--show", action="store_true", help="print them in full, with what was changed, without running any"),
     option("--html", "--out", dest="out", metavar="FILE", help="write one page with pictures")],
    option("--slow", action="store_true", help="run the slow ones, too (half a minute)"), JSON)
def judge(options: argparse.Namespace) -> None:
    """Measure the claims of the debate and print the ledger; with ids, these claims in full."""
    unmeasured = options.list or options.show
    wanted = claims.chosen(options.ids, options.slow or unmeasured)
    if unmeasured:
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


@command("headlines", option("names", nargs="*", metavar="NAME", help="which; all, if none is named"),
    option("--full", action="store_true", help="the whole experiment, minutes for a slow one; else a part of it, seconds each"),
    option("--list", action="store_true", help="name them without running any"), JSON)
def show_headlines(options: argparse.Namespace) -> None:
    """The field's headline results at small size."""
    from ..claims import headlines

    wanted = headlines.chosen(options.names)
    if options.list:
        known = [{"name": one.name, "slow": one.slow, "source": one.source} for one in wanted]
        return show(headlines.listed(options.names), figures=known if options.json else None)
    results = [one.run(options.full) for one in wanted]
    pages = [*map(str, results), *([headlines.table(results)] if len(results) > 1 else [])]
    show("\n\n".join(pages), figures=[result.to_dict() for result in results] if options.json else None)


@command("factorial", PICTURE, JSON)
def run_factorial(options: argparse.Namespace) -> None:
    """Activation × weight tying × scale: who makes the gradient small, attributed (some seconds)."""
    from ..claims import factorial

    study(options, factorial.run)


@command("laboratory", option("--full", action="store_true", help="longer, deeper, more seeds and updates"), PICTURE, JSON)
def run_laboratory(options: argparse.Namespace) -> None:
    """Every remedy on two tasks: reach of the gradient, training, cost (half a minute; --full some minutes)."""
    from ..claims import laboratory

    study(options, laboratory.run, laboratory.FULL if options.full else laboratory.FAST)


def study(options: argparse.Namespace, run: Any, *size: Any) -> None:
    """Run a study, print its tables, and draw its picture if asked for."""
    place = options.out and checked_path(options.out, PICTURES)
    found = run(*size)
    show(str(found), figures=found.to_dict() if options.json else None)
    if place:
        save_figure(found.plot(), place)


@command("phase",
    option("--depths", type=whole(1, 1000), nargs="+", default=[5, 10, 20, 30], metavar="L", help="layers (5 10 20 30)"),
    option("--variances", type=positive, nargs="+", default=[0.5, 1.0, 1.5, 2.5, 4.0], metavar="V", help="(0.5 1 1.5 2.5 4)"),
    option("--seeds", type=whole(1, 10_000), default=3, metavar="K", help="runs for each point (3)"),
    option("--activation", choices=[*nn.ACTIVATIONS], help="of every layer (tanh)"),
    option("--width", type=whole(1, 4096), metavar="N", help="units in each layer (24)"),
    option("--updates", type=whole(1, 100_000), metavar="N", help="of the training (60)"),
    [option("--workers", type=whole(1, 1024), metavar="N", help="run in so many processes (here)"),
     option("--cluster", metavar="ADDRESS", help="run on a dask cluster, tcp://host:8786; 'local' makes one of two workers")],
    option("--store", metavar="FILE", help="a .jsonl file that keeps finished cells, so that a run can be taken up again, or shared"),
    option("--stale-ok", action="store_true", help="keep what other versions have put into the store, too"), PICTURE, JSON)
def phase_diagram(options: argparse.Namespace) -> None:
    """Depth × variance of the weights: where nets learn."""
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


def counter(done: int, whole: int) -> None:
    """How far a grid has come, on stderr."""
    print(f"\r{done} of {whole}", end="\n" if done == whole else "", file=sys.stderr, flush=True)


def save_figure(figure: Any, place: Path) -> None:
    """A matplotlib Figure as a file, complete or not at all."""
    figure.savefig(content := io.BytesIO(), format=place.suffix[1:].lower())
    save_whole(place, content.getvalue())


@command("exercise",
    option("number", type=int, nargs="?", metavar="N", help="which one, 1 to 26; without a number, all of them"),
    option("file", nargs="?", metavar="FILE", help="your answer; the file is run"),
    [option("--hint", action="store_true", help="print where to start"),
     option("--solution", action="store_true", help="print a right answer, a whole Python file"),
     option("--by-hand", choices=NAMES, metavar="MODEL", help=f"write a model's program, lines left open: {', '.join(NAMES)}")],
    option("--grade", metavar="FILE", help="with --by-hand: grade the program filled in; the file is run"),
    option("--blanks", type=whole(1, 1000), metavar="N", help="lines to fill in (3)"),
    option("--draw", type=natural, metavar="K", help="another number leaves other lines open (0)"),
    option("--out", metavar="FILE", help="where the exercise is written to (by_hand_exercise.py)"), *SETTINGS, *PROGRAM)
def exercise(options: argparse.Namespace) -> None:
    """Print an exercise, or grade an answer: a Python file that defines the function asked for. 1 to 10: matrix calculus; 11 to 15: build
    an autodiff engine, step by step; 16 to 20: layers of today by hand; 21 to 25: nets that do not learn; 26: a whole engine. With
    --by-hand: the backward pass of a model, lines of it left open."""
    if (options.hint or options.solution) and (options.number is None or options.file):
        raise ValueError("--hint and --solution go with the number of an exercise, and with no file")
    if settings(options) or any(vars(options)[name] for name in ("by_hand", "grade", "blanks", "draw", "out", "straight", "stack")):
        return fill_in(options)
    if options.number is None:
        return show(table(exercises.contents(), left=2))
    asked = exercises.numbered(options.number)
    if options.solution:
        return show(asked.solution.rstrip())
    if options.file is None:
        more = "\n\n(--hint tells where to start, --solution prints a right answer)"
        return show(wrapped(asked.hint if options.hint else f"{asked}{more}", hang=0))
    graded = exercises.grade(options.number, Path(options.file))
    show(wrapped(str(graded), hang=0))
    if not graded.passed:
        raise RuntimeError  # all is said


def fill_in(options: argparse.Namespace) -> None:
    """Write the program of a model with lines to fill in, or grade it: RuntimeError, after printing, if something is wrong."""
    if options.number is not None or not options.by_hand:
        raise ValueError("--grade, --blanks, --draw, --out and what is said about a model go with --by-hand MODEL, and with no number")
    program = program_of(options.by_hand, options)
    if options.grade is None:
        place = checked_path(options.out or "by_hand_exercise.py", (".py",))
        if place.exists():
            raise ValueError(f"{place} is there already; grade it with --grade {place}, or give another name with --out")
        save_whole(place, program.exercise(options.blanks or 3, options.draw or 0).encode())
        return show(f"wrote {place}: fill in each `...`; to grade it, add --grade {place} to the same command")
    if options.grade != "-" and not Path(options.grade).exists():
        raise ValueError(f"there is no file {options.grade}; with --out in place of --grade the same command writes it, to be filled in")
    found = program.grade(read(options.grade)[0])
    show("\n".join(found) or "right, with the recorded values and with others: the value and every gradient")
    if found:
        raise RuntimeError  # all is said


@command("lab",
    option("place", type=Path, nargs="?", default=Path("lab.html"), metavar="PLACE",
           help="a .html: all in one file (lab.html); another name: a folder with index.html, for a site"),
    option("--numpy", type=Path, metavar="WHEEL", help="NumPy for Pyodide, or a wheel that holds it, in place of the download"),
    option("--cache", type=Path, metavar="DIR", help="where downloads are kept (~/.cache/tinygrad_vg)"))
def write_lab(options: argparse.Namespace) -> None:
    """Write the lab, a page to open in a browser: an editor, this package and Python itself, examples and exercises. The page needs no
    network; to write it the first time does: some 85 MB are downloaded from npm and PyPI."""
    from . import lab

    show(lab.build(options.place, options.numpy, options.cache))
