"""How is the book of claims read?  As a ledger, one claim in full, or one JSON document; as a page with pictures in pages.py.

Running a claim never stops the others: one that raises counts as moved, with the error in place of its figures.
"""

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..drawing import plot, terminal_plot
from ..drawing.axes import line, new_axes, words
from ..drawing.elements import counted
from ..drawing.terminal import WIDE
from ..text.lines import wrapped
from ..text.numbers import number
from ..text.tables import table
from .claim import CLAIMS, VERDICTS, Claim, Found, Outcome

MEANINGS = VERDICTS | {"MOVED": "a figure is not where it must be: the verdict no longer stands"}
LIMITS = ", 95 % "  # in the names of two curves, "… from" and "… to": the band around another one
COLOURS = ("#4d8fc4", "#d08700", "#009e73", "#8a63a8", "#c2589b", "#808080")  # readable on a white page and on a dark one


def chosen(ids: Iterable[str] = (), slow: bool = False) -> list[Claim]:
    """The claims of these ids, or all of them (the slow ones only if asked for); ValueError for an id there is none of."""
    wanted = {id.upper(): id for id in ids}
    if unknown := [id for key, id in wanted.items() if key not in map(str.upper, CLAIMS)]:
        raise ValueError(f"there is no claim {unknown[0]}; the claims are {', '.join(CLAIMS)}")
    return [claim for id, claim in CLAIMS.items() if (id.upper() in wanted if wanted else slow or not claim.slow)]


def run(claims: Iterable[Claim], progress: bool = False) -> Iterator[Outcome]:
    """Measure one claim after the other. progress: say on stderr which one is running."""
    claims = list(claims)
    for k, claim in enumerate(claims, 1):
        if progress:
            print(f"\r{k} of {len(claims)}: {claim.id:<5}", end="", file=sys.stderr, flush=True)
        yield outcome(claim)
    if progress:
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)


def outcome(claim: Claim) -> Outcome:
    """The outcome of one claim; an error becomes one, too."""
    try:
        with np.errstate(all="ignore"):
            return claim.run()
    except Exception as error:
        return Outcome(claim, Found({}, lines=f"{type(error).__name__}: {error}"), 0.0)


def ledger(outcomes: Iterable[Outcome]) -> str:
    """Two lines and more for each claim: verdict, the figure that decides and its tolerance; the sentence."""
    outcomes = list(outcomes)
    measured = [one for one in outcomes if one.claim.measure]
    moved = [one.claim.id for one in measured if one.moved]
    seconds, notes = sum(one.seconds for one in measured), len(outcomes) - len(measured)
    told = f"{counted(len(measured), 'claim')} measured in {seconds:.0f} s, {counted(notes, 'note')} on sources"
    end = f"MOVED: {', '.join(moved)}" if moved else "every figure is where it must be"
    rows: list[Any] = []
    for one in outcomes:
        rows += [(one.claim.id, one.verdict, one.deciding), *(set_in(f"! {line}", 5) for line in one.moved), set_in(one.claim.sentence, 5)]
    return f"{table(rows, left=3)}\n\n{legend(one.verdict for one in outcomes)}\n\n{wrapped(f'{told}; {end}', hang=0)}"


def set_in(text: str, indent: int) -> str:
    """The text, indented by so many spaces and wrapped."""
    return wrapped(" " * indent + text, hang=0)


def listed(claims: Iterable[Claim]) -> str:
    """The claims, without running any."""
    claims = list(claims)
    rows = [row for c in claims for row in ((c.id, c.verdict, "slow" * c.slow), set_in(c.sentence, 5))]
    return f"{table(rows, left=3)}\n\n{legend(c.verdict for c in claims)}"


def legend(verdicts: Iterable[str]) -> str:
    """What these words mean."""
    said = set(verdicts)
    return "\n".join(wrapped(f"{word}: {meaning}", hang=2) for word, meaning in MEANINGS.items() if word in said)


def full(one: Outcome) -> str:
    """One claim with every figure, its curves and what else it prints."""
    lines = [f"{'' if held else '!! '}{name} = {number(x, 6)}{range and f', expected {range}'}" for name, x, range, held in one.figures()]
    return "\n".join([read(one.claim, one.verdict), "", *(set_in(text, 2) for text in lines), *printed(one.found)]).rstrip()


def shown(claim: Claim) -> str:
    """One claim in full, as it stands in the book: nothing is run."""
    ranges = [set_in(f"{name}: must be {range.text}", 2) for name, range in claim.expected.items()]
    return "\n".join([read(claim, claim.verdict), "", *ranges]).rstrip()


def read(claim: Claim, verdict: str) -> str:
    """Verdict, sentence, answer, and what the verdict was before."""
    was = "" if verdict == claim.verdict else f"a figure left its range; was {claim.verdict}: "
    head = [f"{claim.id}: {verdict} ({was}{VERDICTS[claim.verdict]})", set_in(claim.sentence, 2), "", wrapped(claim.answer, hang=0)]
    return "\n".join([*head, *(["", wrapped(f"Changed: {claim.history}", hang=0)] if claim.history else [])])


def printed(found: Found, drawn: bool = False) -> list[str]:
    """The chain and the curves, unless a picture shows them, and what else there is to print; a blank line before each."""
    lines = [] if drawn or found.chain is None else ["", found.chain.table(typical=False)]
    for name, (x, y) in () if drawn else found.curves.items():
        lines += ["", wrapped(f"{name}: {found.axes[1]} against {found.axes[0]}", hang=0), terminal_plot(y, x)]
    return [*lines, *(["", found.lines] if found.lines else [])]


def picture(found: Found) -> Any:
    """A matplotlib Figure: what the claim draws itself, its chain, or its curves; None if there is nothing to see.

    Curves stand in one plot, on a logarithmic scale if they span more than three decades.
    """
    if found.picture or found.chain is not None:
        return found.picture() if found.picture else plot(found.chain)
    if not found.curves:
        return None
    ax = new_axes()[0]
    for k, (name, (x, y)) in enumerate((name, xy) for name, xy in found.curves.items() if LIMITS not in name):
        line(ax, x, np.asarray(y, dtype=float), name, color=COLOURS[k % len(COLOURS)])
        if band := [y for other, (_, y) in found.curves.items() if other.startswith(f"{name}{LIMITS}")]:
            ax.fill_between(x, *band, color=COLOURS[k % len(COLOURS)], alpha=0.2, linewidth=0, label=f"{name}, 95 %")
    sizes = [abs(v) for _, y in found.curves.values() for v in np.ravel(y) if v and math.isfinite(v)]
    if sizes and max(sizes) > WIDE * min(sizes) and all(np.all(np.asarray(y) >= 0) for _, y in found.curves.values()):
        ax.set_yscale("log")
    words(ax, "", *found.axes)
    return ax.figure
