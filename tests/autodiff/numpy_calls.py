"""The calls of tests/data/numpy_calls.txt: which functions of NumPy's, on which arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FILE = Path(__file__).parents[1] / "data" / "numpy_calls.txt"


class Call(NamedTuple):
    """A function's name, a call of it as text, and whether it belongs to the 136 that libraries are measured by."""

    name: str
    text: str
    counts: bool

    @property
    def letters(self) -> list[str]:
        """Its inputs, in order."""
        return sorted(set(re.findall(r"(?<![\w.\"])[A-Zp-z](?![\w(=\"])", self.text)) & INPUTS.keys())

    def on(self, library: Any, xs: Any) -> list:
        """Its results, on inputs of any kind."""
        found = eval(self.text, {"np": library, **dict(zip(self.letters, xs))})
        return [found] if hasattr(found, "shape") else list(found)

    def inputs(self) -> list[np.ndarray]:
        return [INPUTS[letter] for letter in self.letters]

    def there(self) -> bool:
        """Whether this NumPy has the function."""
        path = self.text.split("(")[0].split(".")[1:]
        home: Any = np
        for part in path:
            home = getattr(home, part, None)
        return home is not None


def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(16)
    found = {letter: rng.normal(size=shape) for letter, shape in dict(v=4, w=4, z=(), M=(2, 3), N=(2, 3), Q=(3, 3), T=(2, 3, 2), R=(2, 3, 3)).items()}
    half = rng.normal(size=(3, 3))
    return found | {
        "p": np.cumsum(rng.uniform(0.4, 0.9, 4)), "u": rng.uniform(-0.8, 0.8, 4), "S": half @ half.T + 2 * np.eye(3),
        "B": np.stack([half @ half.T + np.diag([1.0, 2.0, 3.0]), half.T @ half + np.diag([2.0, 1.0, 4.0])])}


INPUTS = inputs()
CALLS = [Call(*re.split(r"\s+", line, maxsplit=1), part == 0) for part, lines in enumerate(FILE.read_text(encoding="utf-8").split("---\n"))
         for line in lines.splitlines() if line and line[0] != "#"]
LIST = list(dict.fromkeys(call.name for call in CALLS if call.counts))
