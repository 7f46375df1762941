"""The command line: `python -m tinygrad_vg` reads a text and shows what happens to the gradient of an RNN that reads along.

COMMANDS, which the modules imported here fill, has the others, each with its own --help.
"""

import sys
from collections.abc import Sequence

import numpy as np

from ..hints import meant
from ..text.lines import clean
from . import commands, diagnosing, reading  # noqa: F401  (they fill COMMANDS)
from .options import COMMANDS, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. The exit code is 0; 1 with one line on stderr if something is unusable, without one if an answer is
    wrong; 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    if name not in COMMANDS:
        listed, near = ", ".join(filter(None, COMMANDS)), meant(name, COMMANDS)
        parser("").error(f"{name!r} is no command; there are {listed} (and a text is read with --text FILE){near}")
    options = parser(name).parse_args(arguments)
    try:
        with np.errstate(all="ignore"):
            COMMANDS[name][0](options)
        return 0
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        code, why = 1, str(error)
    except MemoryError:
        code, why = 1, "there is not enough memory for a model of this size; use fewer steps or units"
    except KeyboardInterrupt:
        code, why = 130, "interrupted"
    if why and sys.stderr:
        print(f"tinygrad_vg: {clean(why)}", file=sys.stderr)
    return code
