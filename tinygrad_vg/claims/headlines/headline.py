"""What is a headline?  A published result, the same at a size two cores can do, and which of its sentences showed.

    rows    one dictionary for each run               checks  {a sentence of the result: whether it showed here}
    full    the whole experiment; else a part of it that takes seconds, and only the sentences which that part can decide

A sentence that did not show is printed as one. Where the text of a source was not read, the page says so.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...text import tables
from ...text.lines import wrapped
from ...training.learning import Row

Checks = dict[str, bool]
Measure = Callable[[bool], tuple[list[Row], Checks]]


class Result(NamedTuple):
    """What was found; str() is the whole page: what was published and done here, the figures, what showed, and how the two differ."""

    name: str
    rows: list[Row]
    checks: Checks
    seconds: float

    @property
    def outcome(self) -> str:
        """shown, in part, or not shown: all of the sentences, some, none."""
        return "shown" if all(self.checks.values()) else "in part" if any(self.checks.values()) else "not shown"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, the outcome among them."""
        return {**self._asdict(), "outcome": self.outcome}

    def __str__(self) -> str:
        one = HEADLINES[self.name]
        published = f"{one.published} ({one.known}.)" if one.known else one.published
        words = {"published": published, "here": one.ours, "differs": one.differs}
        told = [wrapped(f"{word + ':':11}{text}", hang=11) for word, text in words.items()]
        head = [f"{one.name}: {self.outcome} ({self.seconds:.1f} s)", wrapped(one.source, hang=0), *told]
        marks = [wrapped(f"  {'yes' if holds else 'NO '}  {sentence}", hang=5) for sentence, holds in self.checks.items()]
        return "\n".join([*head, "", tables.records(self.rows), "", *marks])


class Headline(NamedTuple):
    """One published result.

    slow   the full experiment takes more than ten seconds, up to three minutes for each of its runs
    known  how, if neither the source's text nor its abstract was read for this: "From memory", "At second hand"
    """

    name: str
    source: str
    published: str  # their setting and outcome
    ours: str  # the setting here
    differs: str  # what to keep in mind when comparing
    measure: Measure
    slow: bool
    known: str

    def run(self, full: bool = False) -> Result:
        """Measure it, a part or all of it, and time it."""
        start = time.perf_counter()
        rows, checks = self.measure(full)
        return Result(self.name, rows, {said: bool(holds) for said, holds in checks.items()}, time.perf_counter() - start)


HEADLINES: dict[str, Headline] = {}  # every headline by name: the registry


def headline(name: str, source: str, published: str, ours: str, differs: str, *, slow: bool = False, known: str = "") -> Any:
    """Enter the function that follows, full -> (rows, checks), below the words of a Headline."""

    def enter(measure: Measure) -> Measure:
        if name in HEADLINES:
            raise ValueError(f"there are two headlines called {name!r}")
        HEADLINES[name] = Headline(name, source, published, ours, differs, measure, slow, known)
        return measure

    return enter


def chosen(names: Iterable[str] = ()) -> list[Headline]:
    """The headlines of these names, or all; ValueError for an unknown name."""
    if unknown := [name for name in names if name not in HEADLINES]:
        raise ValueError(f"there is no headline {unknown[0]!r}; there are {', '.join(HEADLINES)}")
    return [one for name, one in HEADLINES.items() if not names or name in names]


def table(results: Iterable[Result]) -> str:
    """A line for each result, and one for each sentence that did not show."""
    rows: list[Any] = []
    for r in results:
        rows.append((r.name, r.outcome, f"{sum(r.checks.values())} of {len(r.checks)}", f"{r.seconds:.1f}"))
        rows += [wrapped(f"  NO   {said}", hang=5) for said, holds in r.checks.items() if not holds]
    return tables.table(rows, ("headline", "outcome", "sentences", "seconds"), left=2)


def listed(names: Iterable[str] = ()) -> str:
    """Headlines with their sources, all if none is named, without running any."""
    return tables.table([(one.name, "slow" * one.slow, one.source) for one in chosen(names)], left=3)
