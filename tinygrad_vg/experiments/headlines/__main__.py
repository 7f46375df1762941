"""python -m tinygrad_vg.experiments.headlines [name …] [--full] [--json] [--list]"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from . import chosen, listed, page, table


def main(given: Sequence[str] | None = None) -> None:
    """Run the headlines named, or all, and print each, then the table of outcomes."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_vg.experiments.headlines", description="The field's headline results, small.")
    parser.add_argument("names", nargs="*", metavar="name", help="which (default: all); see --list")
    parser.add_argument("--full", action="store_true", help="the whole experiment, minutes for a slow one; else a part of it, seconds")
    parser.add_argument("--json", action="store_true", help="the results as one JSON document")
    parser.add_argument("--list", action="store_true", help="name them, and run nothing")
    options = parser.parse_args(given)
    if options.list:
        return print(listed())
    results = [one.run(options.full) for one in chosen(options.names)]
    if options.json:
        return print(json.dumps([result.to_dict() for result in results]))
    print("\n\n".join([*map(page, results), *([table(results)] if len(results) > 1 else [])]))


if __name__ == "__main__":
    main()
