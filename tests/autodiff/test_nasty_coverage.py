"""Is every nasty case a test?  The ids of the cases, and a look at the names of the tests here and in the rooms beside."""

import ast
from pathlib import Path

from tally import count

CASES = {
    "reuse": "01 02 03 04 05 07 09",
    "aliasing": "01 03 05 06 07",
    "mutation": "01 03 04 05 06 08 09 10 11",
    "python-scalars-0d": "01 02 03 04 05 07 09 10",
    "broadcasting": "01 02 03 04 06 07 09 10 11",
    "operators-hash-bool-iter": "01 02 04 05 06 07 08 09 10",
    "kinks-ties": "01 03 05 06 07 08 09 10 11",
    "pow": "01 02 03 04 06 08 09 10",
    "log-div-sqrt": "01 03 04 05 06 08 09 10",
    "overflow": "01 02 04 05 07 08 09 10 11 12 13",
    "empty-and-size": "01 02 04 06 07 08 09 10",
    "dtype": "01 02 04 05 07 08 09 10 11 12",
    "indexing": "01 03 04 06 07 08 09 10 11 12",
    "matmul-einsum": "01 02 04 06 07 08 09",
    "numpy-interop": "01 02 04 05 06 07 08 09",
    "backward-protocol": "01 02 04 06 07 08 09 10 11 12 13 14 15 16 17",
    "higher-order": "01 02 04 05",
    "nan-inf-debug": "01 02 05",
    "deep-and-memory": "01 03 04 05 06 07 08 09 10 11",
    "render-dot": "01 02 04 05 06 07 08 09 10 11 12 13",
    "render-html-svg": "01 02 04 05 06 07 08 09 10 11 12",
    "files": "01 03 04 05 06 07 08 09 10",
}


def names_of_tests():
    for file in sorted(Path(__file__).parents[1].glob("*/test_nasty_*.py")):
        for part in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(part, ast.FunctionDef) and part.name.startswith("test_"):
                yield part.name


def test_every_nasty_case_has_a_test_that_carries_its_id():
    ids = [f"{area}-{number}" for area, numbers in CASES.items() for number in numbers.split()]
    assert len(ids) == len(set(ids)) == 190
    count("nasty cases", len(ids))
    names = list(names_of_tests())
    assert [id for id in ids if not any(name.startswith(f"test_{id.replace('-', '_')}_") for name in names)] == []


def test_no_two_tests_of_a_nasty_case_have_the_same_name():
    names = list(names_of_tests())
    assert len(names) == len(set(names))
