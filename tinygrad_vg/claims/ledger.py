"""How is the book of claims read?  As a ledger, one claim in full, one JSON document, or one page with pictures.

Running a claim never stops the others: one that raises counts as moved, with the error in place of its figures.
"""

import base64
import html
import io
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..drawing import plot, terminal_plot
from ..drawing.axes import line, new_axes, words
from ..drawing.terminal import WIDE
from ..text.lines import wrapped
from ..text.numbers import number
from ..text.tables import table
from .claim import CLAIMS, VERDICTS, Claim, Found, Outcome

COLOURS = ("#4d8fc4", "#c9553f", "#009e73", "#e69f00", "#8a63a8", "#808080")  # readable on a white page and on a dark one


def chosen(ids: Iterable[str] = (), slow: bool = False) -> list[Claim]:
    """The claims of these ids, or all of them (the slow ones only if asked for); ValueError for an id there is none of."""
    wanted = [id.upper() for id in ids]
    if unknown := [id for id in wanted if id not in map(str.upper, CLAIMS)]:
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
    told = f"{len(measured)} claims measured in {seconds:.0f} s, {notes} notes on sources"
    end = f"MOVED: {', '.join(moved)}" if moved else "every figure is where it must be"
    rows: list[Any] = []
    for one in outcomes:
        rows += [(one.claim.id, one.verdict, one.deciding), *(set_in(f"! {line}", 5) for line in one.moved), set_in(one.claim.sentence, 5)]
    return f"{table(rows, left=3)}\n\n{wrapped(f'{told}; {end}', hang=0)}"


def set_in(text: str, indent: int) -> str:
    return wrapped(" " * indent + text, hang=0)


def listed(claims: Iterable[Claim]) -> str:
    """The claims, without running any."""
    return table([row for c in claims for row in ((c.id, c.verdict, "slow" * c.slow), set_in(c.sentence, 5))], left=3)


def full(one: Outcome) -> str:
    """One claim with every figure, its curves and what else it prints."""
    claim = one.claim
    head = [f"{claim.id}: {one.verdict} ({VERDICTS[claim.verdict]})", set_in(claim.sentence, 2), "", wrapped(claim.answer, hang=0)]
    return "\n".join([*head, "", details(one)]).rstrip()


def details(one: Outcome, drawn: bool = False) -> str:
    """Every figure, with the range it must lie in; what else there is; and, unless a picture shows them, the chain and the curves."""
    expected, found = one.claim.expected, one.found
    lines = []
    for name, range in expected.items():
        x = found.figures.get(name, math.nan)
        lines.append(set_in(f"{'' if x in range else '!! '}{name} = {number(x, 6)}, expected {range.text}", 2))
    lines += [f"  {name} = {number(x, 6)}" for name, x in found.figures.items() if name not in expected]
    if found.chain is not None and not drawn:
        lines += ["", found.chain.table(typical=False)]
    for name, (x, y) in () if drawn else found.curves.items():
        lines += ["", wrapped(f"{name}: {found.axes[1]} against {found.axes[0]}", hang=0), terminal_plot(y, x)]
    return "\n".join([*lines, *(["", found.lines] if found.lines else [])])


def picture(found: Found) -> Any:
    """A matplotlib Figure: what the claim draws itself, its chain, or its curves; None if there is nothing to see.

    Curves stand in one plot, on a logarithmic scale if they span more than three decades.
    """
    if found.picture or found.chain is not None:
        return found.picture() if found.picture else plot(found.chain)
    if not found.curves:
        return None
    ax = new_axes()[0]
    for k, (name, (x, y)) in enumerate(found.curves.items()):
        line(ax, x, np.asarray(y, dtype=float), name, color=COLOURS[k % len(COLOURS)])
    sizes = [abs(v) for _, y in found.curves.values() for v in np.ravel(y) if v and math.isfinite(v)]
    if sizes and max(sizes) > WIDE * min(sizes) and all(np.all(np.asarray(y) >= 0) for _, y in found.curves.values()):
        ax.set_yscale("log")
    words(ax, "", *found.axes)
    return ax.figure


def page(outcomes: Iterable[Outcome]) -> str:
    """The ledger as one HTML page that needs no network: a section for each claim, with its picture where matplotlib is installed."""
    outcomes = list(outcomes)
    index = " ".join(f'<a href="#{one.claim.id}">{one.claim.id}</a>' for one in outcomes)
    sections = "\n".join(map(section, outcomes))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The claims book</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<style>{STYLE}</style></head>
<body><h1>The claims book</h1><p>Every sentence of the debate, run and judged.</p><nav>{index}</nav>
{sections}
</body></html>
"""


STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 0 } pre { overflow-x: auto; font-size: .8rem; line-height: 1.3 } img { max-width: 100% }
b { border: 1px solid; border-radius: .3rem; padding: 0 .4rem; font-weight: 600 } .moved { color: #b2182b }"""


def section(one: Outcome) -> str:
    """A claim as a piece of HTML: sentence, verdict, answer, picture and figures."""
    claim, mark, drawn = one.claim, ' class="moved"' if one.moved else "", image(one.found)
    return (
        f'<h2 id="{claim.id}">{claim.id} <b{mark}>{one.verdict}</b> {html.escape(claim.sentence)}</h2>\n'
        f"<p>{html.escape(claim.answer)}</p>\n{drawn}<pre>{html.escape(details(one, bool(drawn)))}</pre>"
    )


def image(found: Found) -> str:
    """The picture as an <img> of SVG; nothing without matplotlib, or where there is nothing to see."""
    try:
        if (figure := picture(found)) is None:
            return ""
    except ImportError:
        return ""
    figure.savefig(buffer := io.BytesIO(), format="svg", metadata={"Date": None})
    return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}">\n'
