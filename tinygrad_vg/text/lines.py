"""What fits a line?  Names and formulas as text that any terminal or file can show, in a known number of columns."""

import html
import re
import textwrap
import unicodedata
from typing import Any

from .numbers import numbers

# what cannot be seen, or would turn the direction of writing: control characters, surrogates, bidirectional marks
SPANS = ((0, 32), (127, 160), (0xD800, 0xE000), (0x202A, 0x202F), (0x2066, 0x206A), (0xFFFE, 0x10000))
UNSEEN = {character: "\ufffd" for span in SPANS for character in range(*span)}

# what a font of one width may not have, so that it comes from another font, in another width
RARE = re.compile("[^\\x00-\\xff\u0300-\u036f\u0391-\u03c9←→…−∂√∞≤≥█▌▒]+")
MONO = "Menlo,'Cascadia Mono',Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
LOOK = f"font-family:{MONO};line-height:1.2;white-space:pre;overflow-x:auto;margin:0;text-align:left;color:inherit;background:none"


class Printed:
    """A result that shows itself in a notebook as it prints, in type of one width."""

    def _repr_html_(self) -> str:
        return preformatted(str(self))


class Result(Printed):
    """The same, that can be stored: as numbers and text, of the attributes (or methods) that are named in `kept`."""

    kept: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, every digit kept; nan and infinities as text, so json.dumps takes it."""
        found = {name: getattr(self, name) for name in self.kept}
        return {name: numbers(x() if callable(x) else x) for name, x in found.items()}

    def __repr__(self) -> str:
        return str(self)


def preformatted(text: str) -> str:
    """text as HTML, in columns: what is rare is held in as many of them as it has on a terminal."""
    held = RARE.sub(lambda run: f'<span style="display:inline-block;width:{width(run[0])}ch">{run[0]}</span>', html.escape(text))
    return f'<pre style="{LOOK}">{held}</pre>'


def clean(text: str) -> str:
    """text in one line that every format can hold; what cannot be seen becomes U+FFFD."""
    return " ".join(text.split("\n")).translate(UNSEEN)


def width(text: str) -> int:
    """Columns of a fixed-width font: East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def cut(text: str, columns: int, middle: bool = False) -> str:
    """text in at most so many columns; what is left out, at the end or in the middle, becomes an ellipsis."""
    if width(text) <= columns:
        return text
    head, tail = "", ""
    for k in range(len(text)):
        behind = middle and k % 2  # from both ends in turns
        more = text[-1 - len(tail)] if behind else text[len(head)]
        if width(head + tail + more) >= columns:
            break
        head, tail = (head, more + tail) if behind else (head + more, tail)
    return f"{head}…{tail}"


def wrapped(text: str, columns: int = 80, hang: int = 2) -> str:
    """Every line in at most so many columns; what does not fit goes on below, `hang` further in than the line began."""
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if len(line) > columns:
            indent = " " * (len(line) - len(line.lstrip()) + hang)
            lines[k] = textwrap.fill(line, columns, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines)
