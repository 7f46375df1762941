"""How does a page of the book become a notebook?  `python docs/make_notebook.py docs/teaching.md lesson.ipynb` writes one.

Its prose becomes cells of text, with its pictures in them; what was typed in its sessions becomes cells to run, without the answers,
each ending where there was one. `--students` writes the exercises that the page names, an empty cell for each.
"""

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tinygrad_vg.cli.lab import exercises
from tinygrad_vg.text.files import checked_path, save_whole

DOCS = Path(__file__).parent
FENCE = re.compile(r"^```pycon\n(.*?)^```\n", re.M | re.S)
LINK = re.compile(r"(^```.*?^```$|`[^`\n]*`)|(!?)\[((?:[^\]`]|`[^`]*`)*)\]\((?!https?:)([^)\s]+)\)", re.M | re.S)
NAMED = re.compile(r"^\|.*exercises\S* ((?:\d+, )*\d+) \|", re.M)  # in a table
TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
EMPTY = """# Exercises {}

Fill in each `...` and run the cell, as often as you like: it says what is wrong, and in which line.
A hint: `from tinygrad_vg.exercises import EXERCISES`, then `print(EXERCISES[{}].hint)`."""


def notebook(page: str, folder: Path = DOCS) -> dict[str, Any]:
    """A notebook of a page out of this folder, as JSON has it; the session goes on from cell to cell, as in the page."""
    parts = enumerate(FENCE.split(page))
    return whole((bool(n % 2), text) for n, part in parts for text in (typed(part) if n % 2 else [alone(part.strip(), folder)]))


def students(page: str) -> dict[str, Any]:
    """A notebook of the exercises that a page names in its tables; ValueError if it names none."""
    numbers = [int(number) for run in NAMED.findall(page) for number in run.split(", ")]
    if not numbers:
        raise ValueError("no table of this page names exercises, as docs/teaching.md does")
    known, cells = {one["number"]: one for one in exercises()}, [(False, EMPTY.format(", ".join(map(str, numbers)), numbers[0]))]
    for number in numbers:
        asked = known[number]
        cells += [(False, f"## Exercise {number}\n\n{asked['question']}"),
                  (True, f"from tinygrad_vg.exercises import grade\n{asked['text']}\n\nprint(grade({number}, globals()))")]
    return whole(cells)


def whole(cells: Iterable[tuple[bool, str]]) -> dict[str, Any]:
    """Cells to run and cells of text as one notebook."""
    code: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": []}
    made = [(code if runs else {"cell_type": "markdown"}) | {"id": f"cell-{n}", "metadata": {}, "source": text}
            for n, (runs, text) in enumerate(cells) if text]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def typed(session: str) -> Iterator[str]:
    """What was typed up to each answer: a notebook shows the last of a cell."""
    lines: list[str] = []
    for line in [*session.splitlines(), "the end"]:
        if line.startswith((">>>", "...")):
            lines.append(line[4:])
        elif line and lines:
            yield "\n".join(lines).strip("\n")
            lines = []


def alone(text: str, folder: Path) -> str:
    """Text that needs nothing beside it: its pictures are in it; of what leads to other files or places the words are left."""
    def told(found: re.Match[str]) -> str:
        code, picture, words, target = found.groups()
        return code or (f"![{words}]({held(folder / target)})" if picture else words)

    return LINK.sub(told, text)


def held(place: Path) -> str:
    """A picture as an address that holds it."""
    return f"data:{TYPES[place.suffix]};base64,{base64.b64encode(place.read_bytes()).decode()}"


def main() -> int:
    """Write the notebook of the page named; the exit code is 2, and nothing is written, for a page that is none or another suffix."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("page", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--students", action="store_true", help="the exercises that the page names, with empty cells for the answers")
    asked = options.parse_args()
    try:
        place, page = checked_path(asked.out, (".ipynb",)), asked.page.read_text(encoding="utf-8")
        made = students(page) if asked.students else notebook(page, asked.page.parent)
    except (OSError, ValueError) as error:
        options.error(str(error))
    save_whole(place, json.dumps(made, ensure_ascii=False, indent=1).encode())
    print(f"wrote {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
