"""What is a headline?  A published result, the same at a size two cores can do, and which of its sentences showed.

    rows    one dictionary for each run               checks  {a sentence of the result: whether it showed here}
    full    the whole experiment; else a part of it that takes seconds, and only the sentences which that part can decide

A sentence that did not show is printed as one. Where the text of a source was not read, the page says so: see NOT_READ.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ...training.learning import Row, shown

WIDTH = 80
Checks = dict[str, bool]
Measure = Callable[[bool], tuple[list[Row], Checks]]


NOT_READ = {  # these say what was published as we know it; the others had their text, or its abstract, before them
    "he-depth-30": "at second hand",
    **dict.fromkeys(("residual-depth", "trainability-map", "glorot-slopes", "saxe-linear-nets", "orthogonal-tanh"), "from memory"),
    **dict.fromkeys(("narma-10", "mackey-glass"), "from memory"),
}


class Result(NamedTuple):
    """What was found; str() is the table and the sentences, in 80 columns."""

    name: str
    rows: list[Row]
    checks: Checks
    seconds: float

    @property
    def outcome(self) -> str:
        """shown, in part, or not shown: all of the sentences, some, none."""
        return "shown" if all(self.checks.values()) else "in part" if any(self.checks.values()) else "not shown"

    def to_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "outcome": self.outcome}

    def __str__(self) -> str:
        marks = [folded(("yes  " if holds else "NO   ") + sentence, 2, 7) for sentence, holds in self.checks.items()]
        return "\n".join([columns(self.rows), "", *marks])


class Headline(NamedTuple):
    """One published result. slow: the full experiment takes more than ten seconds, up to three minutes for each of its runs."""

    name: str
    source: str
    published: str  # their setting and outcome
    ours: str  # the setting here
    differs: str  # what to keep in mind when comparing
    measure: Measure
    slow: bool

    @property
    def read(self) -> bool:
        """Whether the source's text was read for this; if not, `published` is from memory or at second hand."""
        return self.name not in NOT_READ

    def run(self, full: bool = False) -> Result:
        start = time.perf_counter()
        rows, checks = self.measure(full)
        return Result(self.name, rows, {said: bool(holds) for said, holds in checks.items()}, time.perf_counter() - start)


HEADLINES: dict[str, Headline] = {}  # every headline by name: the registry


def headline(name: str, source: str, published: str, ours: str, differs: str, *, slow: bool = False) -> Any:
    """Enter the function that follows, full -> (rows, checks)."""

    def enter(measure: Measure) -> Measure:
        if name in HEADLINES:
            raise ValueError(f"there are two headlines called {name!r}")
        HEADLINES[name] = Headline(name, source, published, ours, differs, measure, slow)
        return measure

    return enter


def chosen(names: Iterable[str] = ()) -> list[Headline]:
    """The headlines of these names, or all; ValueError for a name there is none of."""
    if unknown := [name for name in names if name not in HEADLINES]:
        raise ValueError(f"there is no headline {unknown[0]!r}; there are {', '.join(HEADLINES)}")
    return [one for name, one in HEADLINES.items() if not names or name in names]


def page(result: Result) -> str:
    """One headline in full: what was published, what was done here, the figures, what showed, and how the two differ."""
    one = HEADLINES[result.name]
    published = one.published if one.read else f"{one.published} ({NOT_READ[one.name].capitalize()}.)"
    words = {"published": published, "here": one.ours, "differs": one.differs}
    told = [folded(f"{word + ':':11}{text}", 0, 11) for word, text in words.items()]
    return "\n".join([f"{one.name}: {result.outcome} ({result.seconds:.1f} s)", folded(one.source), *told, "", str(result)])


def table(results: Iterable[Result]) -> str:
    """A line for each result, and one for each sentence that did not show."""
    lines = [f"{'headline':22}{'outcome':12}{'sentences':>9}{'seconds':>9}"]
    for r in results:
        lines.append(f"{r.name:22}{r.outcome:12}{f'{sum(r.checks.values())} of {len(r.checks)}':>9}{r.seconds:9.1f}")
        lines += [folded(f"NO   {said}", 2, 7) for said, holds in r.checks.items() if not holds]
    return "\n".join(lines)


def listed() -> str:
    """Every headline with its source, without running any."""
    return "\n".join(f"{one.name:22}{'slow' if one.slow else '':6}{one.source}" for one in HEADLINES.values())


def columns(rows: list[Row]) -> str:
    """The rows below their names; a name that a row has not stays blank there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([brief(row[name]) if name in row else "" for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [[f"{c:>{w}}" if k else f"{c:{w}}" for k, (c, w) in enumerate(zip(line, widths))] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def brief(x: Any) -> str:
    return " ".join(map(brief, x)) if isinstance(x, (list, np.ndarray)) else f"{x:.2g}" if isinstance(x, float) and abs(x) < 1 else shown(x)


def folded(text: str, first: int = 0, rest: int = 0) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * rest)
