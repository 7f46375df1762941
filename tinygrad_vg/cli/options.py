"""What can be said on the command line?  What a command is, and the options that several take; those of one alone stand beside it."""

import argparse
import contextlib
import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import nn
from ..claims.models import NAMES, Asked, build
from .texts import read

Option = tuple[tuple[str, ...], dict[str, Any]]
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], tuple[Any, ...]]] = {}  # its function and its options; '' for the main job


def command(name: str, *options: Any) -> Callable[..., Any]:
    """Make a function a command. Its docstring is what --help says; of options in a list only one may be given."""
    def known(run: Callable[[argparse.Namespace], None]) -> Any:
        COMMANDS[name] = run, options
        return run

    return known


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of a command, '' for the main job."""
    run, options = COMMANDS[name]
    about = inspect.getdoc(run) or ""
    shape = argparse.RawDescriptionHelpFormatter if "\n\n" in about else argparse.HelpFormatter
    others = "" if name else f"Other commands, each with its own --help: {', '.join(filter(None, COMMANDS))}."
    p = argparse.ArgumentParser(f"python -m tinygrad_vg {name}".rstrip(), description=about, epilog=others, formatter_class=shape)
    for one in options:
        group = p.add_mutually_exclusive_group() if isinstance(one, list) else p
        for names, settings in one if isinstance(one, list) else [one]:
            group.add_argument(*names, **settings)
    return p


def option(*names: str, **settings: Any) -> Option:
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


positive, natural = partial(finite, above=0), whole(0, 2**63)
JSON = option("--json", action="store_true", help="print one JSON document")
OPEN = option("--open", action="store_true", help="open the page in the browser")
PICTURE = option("--out", metavar="FILE", help="write the picture as .png, .svg or .pdf")
MODEL = option("model", choices=NAMES, help="the model asked about")
SETTINGS = [
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
    option("--seed", type=natural, metavar="K", help="of the random weights and the noise (0)")]
PROGRAM = [
    option("--straight", action="store_true", help="every step written out, no loops"),
    option("--stack", action="store_true", help="weights' gradients as one product behind the loop")]


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What was said about the model, a text as the text itself."""
    names = [names[0][2:].replace("-", "_") for names, _ in SETTINGS]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return given | ({"text": read(options.text)[0]} if "text" in given else {})


def of_weight(options: argparse.Namespace) -> Asked:
    """The model, whose weight is asked about; ValueError if it has none that is learned."""
    asked = build(options.model, **settings(options))
    if asked.weight is None:
        raise ValueError(f"{asked.title} has no weight that is learned; ask another model")
    return asked
