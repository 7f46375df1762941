"""Which text is read, and how does one reach the reader?  A file, standard input, or what comes with Python; standard output, a browser."""

import contextlib
import io
import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from ..text.lines import clean

# the signs of the page that ASCII has another way for
SIGNS = str.maketrans({"→": "->", "ᵀ": "'", "·": "*", "█": "#", "▒": "+", "»": ">", "…": "...", "Σ": "sum", "∞": "inf"})


def read(source: str | None) -> tuple[str, str]:
    """The text and what to call it; ValueError or OSError if it is not a readable text."""
    if source is None:
        return zen(), "the Zen of Python"
    title = "standard input" if source == "-" else clean(source)
    if source == "-" and not sys.stdin:
        raise ValueError("standard input is closed; give a file")
    raw = sys.stdin.buffer.read() if source == "-" else Path(source or " ").read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = f"byte {error.start} is {raw[error.start]:#04x}"
        raise ValueError(f"{title} is not UTF-8 text ({at}); convert it, or give another file") from None
    if "\0" in text:
        raise ValueError(f"{title} looks like a binary file (it contains NUL); give a text")
    if not text:
        raise ValueError(f"{title} is empty; give a text of a few dozen characters or more")
    return text, title


def zen() -> str:
    """Out of the standard library's `this`, which prints itself when imported."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        sys.modules.pop("this", None)
        import this  # noqa: F401
    return printed.getvalue()


def long_text() -> str:
    """Some 50,000 characters of English that come with Python; ValueError where they were left out."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise ValueError("this Python comes without its help topics; give a text with --text FILE") from None
    return "\n".join(topics[name] for name in sorted(topics))[:50_000]


def opened(place: Path) -> None:
    """Open a file in the browser; RuntimeError where there is none."""
    if not webbrowser.open(place.resolve().as_uri()):
        raise RuntimeError(f"there is no browser to open {place} with; open it by hand")


def show(text: str, *, figures: Any = None) -> None:
    """Print the text or, if given, the figures as one JSON document, every digit kept; in plain ASCII where the terminal knows no more.

    A reader that closes early is no error; a full disk is. ValueError for a nan or inf among the figures that was not turned into text.
    """
    if not sys.stdout:
        raise ValueError("standard output is closed; there is nowhere to print")
    encoding = sys.stdout.encoding or "ascii"
    printed = text if figures is None else json.dumps(figures, ensure_ascii=False, allow_nan=False, indent=1)
    try:
        printed.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(SIGNS).encode(encoding, "replace").decode(encoding)
        printed = plain if figures is None else json.dumps(figures, indent=1)
    try:
        print(printed, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit stays quiet
        if not isinstance(error, BrokenPipeError):
            raise
