"""How does a text reach the reader?  On standard output, whatever it can show."""

import json
import os
import sys

# the signs of the page that ASCII has another way for
SIGNS = str.maketrans({"→": "->", "ᵀ": "'", "·": "*", "█": "#", "▒": "+", "»": ">", "…": "...", "Σ": "sum", "∞": "inf"})


def show(text: str, is_json: bool) -> None:
    """Print, in plain ASCII where the terminal knows no more. A reader that closes early is no error; a full disk is."""
    if not sys.stdout:
        raise ValueError("standard output is closed; there is nowhere to print")
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=1) if is_json else text.translate(SIGNS).encode(encoding, "replace").decode(encoding)
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit stays quiet
        if not isinstance(error, BrokenPipeError):
            raise
