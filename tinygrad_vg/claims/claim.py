"""What is a claim?  A sentence, a measurement, and the figures that decide whether the sentence holds.

    expected  {figure: the range it must lie in}, the figure that decides first
    found     what was measured: the same figures, and curves to look at

A verdict is ours and fixed; whether it still stands comes out of the measurement: if a figure leaves its range, the claim has moved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..text.lines import clean
from ..text.numbers import jsonable, number

VERDICTS = {
    "true": "as it says",
    "half": "true under a condition, or in part",
    "false": "not as written",
    "open": "an open question, answered",
    "remedy": "a system or remedy, built and measured",
    "source": "a note on a source, nothing to run",
}


class Range(NamedTuple):
    """Where a figure must lie: low ≤ figure ≤ high."""

    low: float
    high: float
    text: str

    def __contains__(self, x: object) -> bool:
        return isinstance(x, (int, float)) and self.low <= x <= self.high


def near(value: float, within: float = 0.0, *, rel: float = 0.0) -> Range:
    """value ± within, or ± rel · |value|."""
    tolerance = max(within, rel * abs(value))
    return Range(value - tolerance, value + tolerance, f"{number(value)} ± {number(tolerance, 2)}")


def above(low: float) -> Range:
    """low or more, without an upper end."""
    return Range(low, math.inf, f"at least {number(low)}")


def below(high: float) -> Range:
    """high or less, without a lower end."""
    return Range(-math.inf, high, f"at most {number(high)}")


def between(low: float, high: float) -> Range:
    """From low to high, both ends included."""
    return Range(low, high, f"{number(low)} … {number(high)}")


class Found(NamedTuple):
    """What a measurement found.

    figures  {name: number}
    curves   {name: (x, y)}, to be plotted together      axes  what x and y are, with units
    chain    a Chain, if one shows it                     picture  a function that draws something else: () -> a matplotlib Figure
    lines    further lines to print: a table, a chain
    """

    figures: Mapping[str, float]
    curves: Mapping[str, tuple[Any, Any]] = {}
    axes: tuple[str, str] = ("", "")
    chain: Any = None
    picture: Callable[[], Any] | None = None
    lines: str = ""


class Claim(NamedTuple):
    """One row of the claims book. `measure` is None for a note on a source."""

    id: str
    verdict: str
    sentence: str  # the claim, in our words
    answer: str  # what the figures say to it
    expected: Mapping[str, Range]
    measure: Callable[[], Found] | None
    slow: bool = False

    def run(self) -> Outcome:
        """Measure, and compare."""
        start = time.perf_counter()
        found = self.measure() if self.measure else Found({})
        return Outcome(self, found, time.perf_counter() - start)


class Outcome(NamedTuple):
    """A claim with what was found."""

    claim: Claim
    found: Found
    seconds: float

    @property
    def moved(self) -> list[str]:
        """The figures that are not where they must be (a missing one is not either), each as a sentence."""
        figures = self.found.figures
        return [
            f"{name} is {number(figures[name]) if name in figures else 'missing'}, expected {range.text}"
            for name, range in self.claim.expected.items()
            if figures.get(name, math.nan) not in range
        ]

    @property
    def verdict(self) -> str:
        return "MOVED" if self.moved else self.claim.verdict

    @property
    def deciding(self) -> str:
        """The figure that decides, with its tolerance."""
        for name, range in self.claim.expected.items():
            return f"{name} = {number(self.found.figures.get(name, math.nan))} ({range.text})"
        return "nothing to measure"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, every digit kept; nan and infinities as text."""
        figures = {name: jsonable(float(x)) for name, x in self.found.figures.items()}
        expected = {name: [jsonable(range.low), jsonable(range.high)] for name, range in self.claim.expected.items()}
        words = {"id": self.claim.id, "verdict": self.verdict, "sentence": self.claim.sentence, "answer": self.claim.answer}
        return {**words, "figures": figures, "expected": expected, "moved": self.moved, "seconds": round(self.seconds, 3)}


CLAIMS: dict[str, Claim] = {}  # every claim by id: the registry


def claim(id: str, verdict: str, sentence: str, answer: str, expected: Mapping[str, Range], *, slow: bool = False) -> Any:
    """Enter the function that follows, which measures and returns a Found, into the claims book."""

    def enter(measure: Callable[[], Found]) -> Callable[[], Found]:
        note(id, verdict, sentence, answer, expected, measure, slow)
        return measure

    return enter


def note(id: str, verdict: str, sentence: str, answer: str, expected: Any = None, measure: Any = None, slow: bool = False) -> None:
    """Enter a claim; without a measurement, a note on a source."""
    if verdict not in VERDICTS or id in CLAIMS or (measure is None) != (verdict == "source") or bool(expected) != bool(measure):
        raise ValueError(f"claim {id}: a verdict is one of {', '.join(VERDICTS)}, an id is used once, and all but sources are measured")
    CLAIMS[id] = Claim(id, verdict, clean(sentence), clean(answer), expected or {}, measure, slow)

