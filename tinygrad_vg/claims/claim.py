"""What is a claim?  A sentence, a measurement, and the figures that decide whether the sentence holds.

    expected  {figure: the range it must lie in}, the figure that decides first
    found     what was measured: the same figures, and curves to look at

Words and ranges are data, in claims.toml, whose head explains them; a function in rows/ measures, below `@measures("P4")`.
A verdict is ours and fixed; whether it still stands comes out of the measurement: if a figure leaves its range, the claim has moved.
"""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..text.numbers import number, numbers

VERDICTS = {
    "true": "it holds as it says",
    "half": "it holds under a condition, or in part",
    "false": "it does not hold as written",
    "open": "an open question, answered",
    "remedy": "a way past it, or to work with it, built and measured",
    "source": "a note on a source, nothing to run"}


class Range(NamedTuple):
    """Where a figure must lie: low ≤ figure ≤ high."""

    low: float
    high: float
    text: str

    def __contains__(self, x: object) -> bool:
        return isinstance(x, (int, float)) and self.low <= x <= self.high


# what a formula may name, and what is told to whoever wrote a range that is none
NAMES = {"ln": math.log, "exp": math.exp, "sqrt": math.sqrt, "π": math.pi, "γ": 0.5772156649015329}
FORMS = 'write "0.5 ± 0.1", "1.1^50 ± 1e-9 rel", "at least 3", "at most 1e-12", "1 … 2", or "9" for exactly 9'


def ranged(text: str) -> Range:
    """The range that a text tells; ValueError if it tells none.

    >>> [0.6 in ranged(text) for text in ("0.5 ± 0.01", "0.5 ± 0.2 rel", "at least 3 / 5", "at most 0.5", "0.5 … 0.7", "0.6")]
    [False, True, True, False, True, True]
    """
    try:
        if not isinstance(text, str):
            raise TypeError("it must stand in quotes")
        range = range_of(text)
    except Exception as error:
        raise ValueError(f"{text!r} is no range: {error}; {FORMS}") from None
    if not range.low <= range.high:
        raise ValueError(f"{text!r} is no range: nothing lies in it; {FORMS}")
    return range


def range_of(text: str) -> Range:
    """The same, if the text is in one of these forms; any error otherwise."""
    if text.startswith("at least "):
        low = value(text.removeprefix("at least "))
        return Range(low, math.inf, f"at least {number(low)}")
    if text.startswith("at most "):
        high = value(text.removeprefix("at most "))
        return Range(-math.inf, high, f"at most {number(high)}")
    if "…" in text:
        low, high = map(value, text.split("…"))
        return Range(low, high, f"{number(low)} … {number(high)}")
    middle, within = text.split("±") if "±" in text else (text, "0")
    x, tolerance = value(middle), value(within.removesuffix(" rel"))
    tolerance *= abs(x) if within.endswith(" rel") else 1
    return Range(x - tolerance, x + tolerance, f"{number(x)} ± {number(tolerance, 2)}")


def value(formula: str) -> float:
    """What a formula such as `50 * ln(1.1^2)` comes to."""
    return float(eval(formula.strip().replace("^", "**"), {"__builtins__": {}}, NAMES))  # the text is a line of our own book


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


Measure = Callable[[], Found]


class Claim(NamedTuple):
    """One row of the claims book. `measure` is None for a note on a source."""

    id: str
    verdict: str
    sentence: str  # the claim, in our words
    answer: str  # what the figures say to it
    expected: Mapping[str, Range]
    measure: Measure | None
    slow: bool = False
    history: str = ""  # how the verdict or the measure changed, and why

    def to_dict(self) -> dict[str, Any]:
        """All that is known of it before it is run: plain numbers and text."""
        words = {"id": self.id, "verdict": self.verdict, "sentence": self.sentence, "answer": self.answer, "history": self.history}
        return {**words, "slow": self.slow, "expected": {name: numbers([range.low, range.high]) for name, range in self.expected.items()}}

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

    def figures(self) -> Iterator[tuple[str, float, str, bool]]:
        """Name, figure, the range it must lie in and whether it does: those that decide, then the others, which have none."""
        expected, found = self.claim.expected, self.found.figures
        for name, range in expected.items():
            yield name, (x := found.get(name, math.nan)), range.text, x in range
        yield from ((name, x, "", True) for name, x in found.items() if name not in expected)

    @property
    def moved(self) -> list[str]:
        """The figures that are not where they must be (a missing one is not either), each as a sentence."""
        wrong = [(name, number(x), range) for name, x, range, held in self.figures() if not held]
        return [f"{name} is {x if name in self.found.figures else 'missing'}, expected {range}" for name, x, range in wrong]

    @property
    def verdict(self) -> str:
        """The claim's verdict, or "MOVED" if a figure has left its range."""
        return "MOVED" if self.moved else self.claim.verdict

    @property
    def deciding(self) -> str:
        """The figure that decides, with its tolerance."""
        if not self.claim.expected:
            return "nothing to measure"
        name, x, range, _ = next(self.figures())
        return f"{name} = {number(x)} ({range})"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, every digit kept; nan and infinities as text."""
        figures = {name: numbers(float(x)) for name, x in self.found.figures.items()}
        found = {"verdict": self.verdict, "figures": figures, "moved": self.moved, "seconds": round(self.seconds, 3)}
        return self.claim.to_dict() | found


CLAIMS: dict[str, Claim] = {}  # by id, in the order of claims.toml
MEASURES: dict[str, Measure] = {}  # by id, what measures them


def measures(id: str) -> Callable[[Measure], Measure]:
    """Enter the function that follows as the one that measures this claim."""

    def enter(measure: Measure) -> Measure:
        if id in MEASURES:
            raise ValueError(f"{MEASURES[id].__name__} and {measure.__name__} both measure {id}; one of them needs another id")
        MEASURES[id] = measure
        return measure

    return enter


def book(text: str, functions: Mapping[str, Measure]) -> dict[str, Claim]:
    """The claims that this text (of claims.toml) tells, each with its function; ValueError if the two do not fit together."""
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"claims.toml is no TOML: {error}") from None
    for id, measure in functions.items():
        if id not in entries:
            raise ValueError(f"claims.toml has no {id}, which {measure.__name__} measures; write an entry [{id}], or correct the id")
    return {id: entered(id, entry, functions.get(id)) for id, entry in entries.items()}


FIELDS = {
    "verdict": (str, "text in quotes"), "sentence": (str, "text in quotes"), "answer": (str, "text in quotes"),
    "history": (str, "text in quotes"), "slow": (bool, "true or false"), "expected": (dict, "a table of figures and ranges")}


def entered(id: str, entry: Any, measure: Measure | None) -> Claim:
    """The claim that an entry makes."""
    for fault in faults(id, entry, measure):
        raise ValueError(f"claims.toml, {id}: {fault}")
    expected = {}
    for name, text in entry.get("expected", {}).items():
        try:
            expected[name] = ranged(text)
        except ValueError as error:
            raise ValueError(f"claims.toml, {id}, {name!r}: {error}") from None
    sentence, answer, history = (" ".join(entry.get(name, "").split()) for name in ("sentence", "answer", "history"))
    return Claim(id, entry["verdict"], sentence, answer, expected, measure, entry.get("slow", False), history)


def faults(id: str, entry: Any, measure: Measure | None) -> Iterator[str]:
    """What is wrong with an entry, its ranges apart, and what to do."""
    if not isinstance(entry, dict):
        yield f"a field that belongs to no entry; an entry begins with its id, as [P1], and has {', '.join(FIELDS)}"
    if unknown := [name for name in entry if name not in FIELDS]:
        yield f"there is no field {unknown[0]!r}; an entry has {', '.join(FIELDS)}"
    for name, (kind, told) in FIELDS.items():
        if not isinstance(entry.get(name, kind()), kind):
            yield f"{name} must be {told}, not {entry[name]!r}"
    if missing := [name for name in ("verdict", "sentence", "answer") if not entry.get(name)]:
        yield f"{missing[0]} is missing; an entry has a verdict, a sentence and an answer"
    if (verdict := entry["verdict"]) not in VERDICTS:
        yield f"there is no verdict {verdict!r}; it is one of {', '.join(VERDICTS)}"
    if measure and verdict == "source":
        yield f"a source is not measured, but {measure.__name__} does that; take another verdict, or remove the function"
    if not measure and verdict != "source":
        yield f'no function measures it; write one in claims/rows/ below @measures("{id}"), or call it a source'
    if bool(entry.get("expected")) != bool(measure):
        yield f"a claim has figures with their ranges, a source has none; mend [{id}.expected]"
