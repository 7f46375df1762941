"""How far is it?  One line on stderr, rewritten in place; nothing at all where nobody watches (a pipe, a file)."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .history import History

INTERVAL = 0.1  # seconds between two lines


@contextmanager
def progress_line(steps: int) -> Iterator[Callable[[History], None]]:
    """Gives a function that shows where a run of `steps` steps is; silent unless stderr is a terminal."""
    start, shown, terminal = time.monotonic(), [0.0], sys.stderr is not None and sys.stderr.isatty()

    def show(history: History) -> None:
        now = time.monotonic()
        if terminal and (now - shown[0] > INTERVAL or history.steps == steps):
            shown[0] = now
            text = f"step {history.steps}/{steps}  loss {history.losses[-1]:.4g}  {now - start:.0f} s"
            width = shutil.get_terminal_size().columns - 1
            print("\r" + f"{text:{width}}"[:width], end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if shown[0]:
            print(file=sys.stderr)
