"""How does a page of the book become a notebook?  `python docs/make_notebook.py docs/teaching.md lesson.ipynb` writes one.

Its prose becomes cells of text, what was typed in its sessions becomes cells to run, without the answers.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from tinygrad_vg.text.files import checked_path, save_whole

FENCE = re.compile(r"^```pycon\n(.*?)^```\n", re.M | re.S)


def notebook(page: str) -> dict[str, Any]:
    """A notebook of a page, as JSON has it; the session goes on from cell to cell, as in the page."""
    cells = []
    for n, part in enumerate(FENCE.split(page)):
        lines = [line[4:] for line in part.splitlines() if line.startswith((">>>", "..."))] if n % 2 else part.strip().splitlines()
        kind: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": []} if n % 2 else {"cell_type": "markdown"}
        if lines:
            cells.append(kind | {"id": f"cell-{n}", "metadata": {}, "source": "\n".join(lines)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def main() -> int:
    """Write the notebook of the page named; the exit code is 2, and nothing is written, for a page that is none or another suffix."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("page", type=Path)
    options.add_argument("out", type=Path)
    asked = options.parse_args()
    try:
        place, page = checked_path(asked.out, (".ipynb",)), asked.page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        options.error(str(error))
    save_whole(place, json.dumps(notebook(page), ensure_ascii=False, indent=1).encode())
    print(f"wrote {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
