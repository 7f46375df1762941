"""What can be said on the command line?  The options of each command, and what they mean."""

from __future__ import annotations

import argparse
import contextlib
import math
from pathlib import Path
from typing import Any

from .. import nn
from ..claims.models import NAMES

MAIN = """\
A character RNN runs over the last characters of a text, predicts the one that follows, and is differentiated once. Printed: the loss,
the chain from the last state to the first, a sentence that says which factor decided, and the files of a picture and of a page that
steps through both passes. Other commands, each with its own --help: chain, uses, verdict, explain, draw, learn,
claims, exercise, factorial, laboratory, headlines, phase."""
QUESTIONS = {
    "chain": "the chain-rule product of a model, who is to blame for its size, and how far back it reaches",
    "uses": "who contributed to the gradient of a model's weight, by time step and by distance to the loss",
    "verdict": "why the gradient of a model is small or large",
    "explain": "the derivative of the loss with respect to a model's weight, in words and in index notation",
}


def main_parser() -> argparse.ArgumentParser:
    """The options of the main job, and what it is."""
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg", description=MAIN)
    p.add_argument("--text", metavar="FILE", help="a UTF-8 text, '-' for standard input (default: the Zen of Python)")
    p.add_argument("--steps", type=whole(1, 100_000), default=20, metavar="T", help="how many characters the RNN reads (20)")
    p.add_argument("--hidden", type=whole(1, 4096), default=32, metavar="N", help="size of the state (32)")
    p.add_argument("--activation", choices=["sigmoid", "tanh", "relu", "linear"], default="tanh", help="of the state (tanh)")
    p.add_argument("--radius", type=positive, default=1.0, metavar="R", help="spectral radius of the recurrent weight (1.0)")
    p.add_argument("--seed", type=whole(0, 2**63), default=0, metavar="K", help="of the random weights (0)")
    p.add_argument("--out", type=Path, default=Path("tinygrad_vg_out"), metavar="DIR", help="folder for the pictures (tinygrad_vg_out)")
    p.add_argument("--json", action="store_true", help="print one JSON document instead of the page")
    return p


def asking_parser(question: str) -> argparse.ArgumentParser:
    """The options of one question: the model, its settings, and how to print."""
    p = argparse.ArgumentParser(prog=f"python -m tinygrad_vg {question}", description=f"Print {QUESTIONS[question]}.")
    p.set_defaults(question=question)
    model_options(p)
    p.add_argument("--vs", choices=NAMES, action="append", default=[], help="another model, set beside the first (may be repeated)")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


def model_options(p: argparse.ArgumentParser) -> None:
    """Add the model and its settings to a parser."""
    p.add_argument("model", choices=NAMES, help="the model asked about")
    p.add_argument("--steps", type=whole(1, 100_000), metavar="T", help="time steps, or layers of mlp and residual (20)")
    p.add_argument("--width", type=whole(1, 4096), metavar="N", help="units in each (32)")
    p.add_argument("--activation", choices=[*nn.ACTIVATIONS], help="tanh if not given")
    p.add_argument("--init", choices=["zeros", "normal", "uniform", "xavier", "he", "orthogonal", "identity"], help="of the weights")
    p.add_argument("--radius", type=positive, metavar="R", help="spectral radius of the recurrent weight")
    p.add_argument("--norm", choices=["batch", "layer"], help="for mlp and residual")
    p.add_argument("--tau", type=positive, help="time constant of leaky and esn, 1 or more (10)")
    p.add_argument("--delay", type=whole(1, 1000), metavar="D", help="of skip (5)")
    p.add_argument("--forget-bias", type=finite, metavar="B", help="of lstm (1)")
    p.add_argument("--text", metavar="FILE", help="read the end of a text, one-hot, instead of noise")
    p.add_argument("--seed", type=whole(0, 2**63), metavar="K", help="of the random weights and the noise (0)")


MODEL = ("steps", "width", "activation", "init", "radius", "norm", "tau", "delay", "forget_bias", "text", "seed")


def draw_parser() -> argparse.ArgumentParser:
    """The options of `draw`: the model, its settings, what to fold, and the file."""
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg draw", description="Draw a model after one forward and one backward pass.")
    model_options(p)
    how = "auto, none, layer (a box for each step or layer), states (only the states: for a slide) or rolled (all steps drawn as one)"
    p.add_argument("--fold", default="auto", choices=["auto", "none", "layer", "states", "rolled"], help=how)
    p.add_argument("--window", type=int, nargs=2, metavar=("FIRST", "LAST"), help="draw these steps in full, the others folded")
    p.add_argument("--out", metavar="FILE", help="a .html (a page to step through), .svg, .png, .pdf or .dot (MODEL.html)")
    p.add_argument("--open", action="store_true", help="open it in the browser")
    return p


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


def claims_parser() -> argparse.ArgumentParser:
    """The options of `claims`: which ones, and how to print."""
    what = "Measure the claims of the debate and print the ledger; with ids, these claims in full."
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg claims", description=what)
    p.add_argument("ids", nargs="*", metavar="ID", help="P8, C3 …")
    p.add_argument("--list", action="store_true", help="print the claims without running any")
    p.add_argument("--slow", action="store_true", help="run the slow ones, too (some minutes each)")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    p.add_argument("--html", metavar="FILE", help="write one page with pictures")
    return p


STUDIES = {
    "factorial": "Activation × weight tying × scale: who makes the gradient small, attributed (ten seconds).",
    "laboratory": "Every remedy on two tasks: reach of the gradient, training, cost (ten seconds; --full one and a half minutes).",
}


def study_parser(name: str) -> argparse.ArgumentParser:
    """The options of `factorial` and `laboratory`."""
    p = argparse.ArgumentParser(prog=f"python -m tinygrad_vg {name}", description=STUDIES[name])
    p.set_defaults(study=name)
    if name == "laboratory":
        p.add_argument("--full", action="store_true", help="longer, deeper, more seeds and updates")
    p.add_argument("--picture", metavar="FILE", help="write the picture as .png, .svg or .pdf")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


def headlines_parser() -> argparse.ArgumentParser:
    """The options of `headlines`."""
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg headlines", description="The field's headline results at small size.")
    p.add_argument("names", nargs="*", metavar="NAME", help="which; all, if none is named")
    p.add_argument("--full", action="store_true", help="the whole experiment, minutes for a slow one; else a part of it, seconds")
    p.add_argument("--list", action="store_true", help="name them without running any")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


def exercise_parser() -> argparse.ArgumentParser:
    """The options of `exercise`: its number, a file with an answer, and what is told on request only."""
    what = "Print an exercise, or grade an answer: a Python file that defines the function asked for. 1 to 10: matrix calculus; "
    what += "11 to 15: build an autodiff engine, step by step."
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg exercise", description=what)
    p.add_argument("number", type=int, nargs="?", metavar="N", help="which one, 1 to 15; without a number, all of them")
    p.add_argument("file", nargs="?", metavar="FILE", help="your answer; the file is run")
    asked = p.add_mutually_exclusive_group()
    asked.add_argument("--hint", action="store_true", help="print where to start")
    asked.add_argument("--solution", action="store_true", help="print a right answer, a whole Python file")
    return p


def phase_parser() -> argparse.ArgumentParser:
    """The options of `phase`: the grid, and what runs it."""
    p = argparse.ArgumentParser(prog="python -m tinygrad_vg phase", description="Depth × variance of the weights: where tanh nets learn.")
    p.add_argument("--depths", type=whole(1, 1000), nargs="+", default=[5, 10, 20, 30], metavar="L", help="layers (5 10 20 30)")
    p.add_argument("--variances", type=positive, nargs="+", default=[0.5, 1.0, 1.5, 2.5, 4.0], metavar="V", help="(0.5 1 1.5 2.5 4)")
    p.add_argument("--seeds", type=whole(1, 10_000), default=3, metavar="K", help="runs for each point (3)")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--workers", type=whole(1, 1024), metavar="N", help="run in so many processes (here)")
    where.add_argument("--cluster", metavar="ADDRESS", help="run on a dask cluster, tcp://host:8786; 'local' makes one of two workers")
    p.add_argument("--store", metavar="FILE", help="a .jsonl file that keeps finished cells, so that a run can be taken up again")
    p.add_argument("--picture", metavar="FILE", help="write the diagram as .png, .svg or .pdf")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


def whole(low: int, high: int) -> Any:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"needs a whole number from {low} to {high}, got {text!r}")
        return int(text)

    return number


def finite(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise argparse.ArgumentTypeError(f"needs a number, got {text!r}")


def positive(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
