"""Does verdict name the cause?  Networks with a planted cause: labelled by how they are made, proved without it, and only then judged.

Run it:  python benchmarks/diagnosis.py [--unseen | --all] [--prove] [--labels dead,healthy] [--json FILE]

A recipe draws a network from a seed: its sizes, scales, activation, batch and data. Its label is the string that verdict's kind should
be, asked about one leaf, one state or a whole model. A proof (diagnosis_gains.py, diagnosis_proofs.py) puts one thing right, or counts
zeros, or trains, and measures again; where it fails for a seed the next seed is drawn, and no label is ever changed. Even seeds are the
half that may be looked at while verdict is written (seen), odd ones are for the figure that is quoted (unseen): of these nothing is
printed but counts. --prove asks nobody, and prints how many seeds were drawn, and which claims failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diagnosis_done  # noqa: F401
import diagnosis_healthy  # noqa: F401
import diagnosis_nan  # noqa: F401
import diagnosis_numbers  # noqa: F401
import diagnosis_sequences  # noqa: F401
import diagnosis_vanishing  # noqa: F401
import diagnosis_weights  # noqa: F401
import diagnosis_zero  # noqa: F401
import numpy as np
from diagnosis_nets import RECIPES, Build, Pass, Recipe
from diagnosis_proofs import PROOFS

LABELS, OTHER, HALVES = list(PROOFS), "other", {"seen": 0, "unseen": 1, "fresh": 40_000}
TRIES = 10  # seeds for each network that is wanted


@dataclass
class Case:
    """A network whose label is proved: what to ask verdict about, and what it said."""

    recipe: str
    label: str
    half: str
    seed: int
    claims: dict
    network: Pass
    said: str = ""
    why: str = ""
    seconds: float = 0.0


@dataclass
class Record:
    """What became of the seeds of one recipe."""

    label: str
    cases: int = 0
    drawn: int = 0
    failed: Counter = field(default_factory=Counter)


def build_of(recipe: Recipe, seed: int) -> Any:
    """The network of a seed, as a function of a Build; the same in every process."""
    return recipe.make(np.random.default_rng([zlib.crc32(recipe.name.encode()), seed]))


def draw(recipe: Recipe, half: str, record: Record) -> Iterator[Case]:
    """The networks of a recipe in one half: from seed to seed, those whose proof holds."""
    for seed in range(HALVES[half], HALVES[half] + 2 * TRIES * recipe.count, 2):
        if record.cases == recipe.count:
            return
        build = build_of(recipe, seed)
        claims = PROOFS[recipe.label](build)
        record.drawn += 1
        record.failed.update([what for what, (_, so) in claims.items() if not so][:1])
        if all(so for _, so in claims.values()):
            record.cases += 1
            yield Case(recipe.name, recipe.label, half, seed, claims, build(Build()).forward())


def judge(case: Case) -> Case:
    """Ask verdict. An exception is an answer, too, and a wrong one; a kind that is no label is "other"."""
    from tinygrad_vg import verdict

    start = time.process_time()
    try:
        result = verdict(case.network.loss, case.network.source)
        far = "reach" in result.numbers and result.numbers["predictions"] > 1  # far losses do not reach; .kind is the cause
        kind, case.why = "short reach" if far and result.kind not in ("healthy", "converged") else str(result.kind), str(result.why)
    except Exception as error:
        kind, case.why = OTHER, f"{type(error).__name__}: {error}"
    case.seconds, case.said = time.process_time() - start, kind if kind in LABELS else OTHER
    return case


def matrix(cases: list[Case]) -> str:
    """Planted × said, and how much of each row is right."""
    found, columns = Counter((case.label, case.said) for case in cases), [*LABELS, OTHER]
    letters = "abcdefghijklmn-"
    lines = [f"{'planted':23}" + "".join(f"{letter:>3}" for letter in letters) + "  right"]
    for letter, label in zip(letters, LABELS):
        row = [found[label, said] for said in columns]
        share = f"{found[label, label] / sum(row):6.0%}" if any(row) else ""
        lines.append(f"{letter}  {label:20}" + "".join(f"{n or '.':>3}" for n in row) + share)
    return "\n".join(lines)


def figures(cases: list[Case]) -> dict:
    """Shares and counts over all."""
    ill, well = ([case for case in cases if (case.label == "healthy") == wanted] for wanted in (False, True))
    by_label = {label: [case.said == label for case in cases if case.label == label] for label in LABELS}
    return {
        "networks": len(cases), "right": sum(case.said == case.label for case in cases),
        "mean over the labels": float(np.mean([np.mean(found) for found in by_label.values() if found])),
        "ill": len(ill), "false healthy": sum(case.said == "healthy" for case in ill),
        "well": len(well), "false alarms": sum(case.said != "healthy" for case in well),
        "seconds in verdict": sum(case.seconds for case in cases),
    }  # fmt: skip


def summary(f: dict) -> str:
    """The figures in three lines."""
    return (
        f"right: {f['right']} of {f['networks']} ({f['right'] / f['networks']:.0%}); mean over the labels {f['mean over the labels']:.0%}\n"
        f"false healthy: {f['false healthy']} of {f['ill']} planted;  false alarms: {f['false alarms']} of {f['well']} controls\n"
        f"in verdict: {f['seconds in verdict']:.1f} s"
    )


def proofs(records: dict[str, Record]) -> str:
    """For each label: recipes, networks, seeds drawn, and the claims that failed."""
    lines = [f"{'label':20}{'recipes':>8}{'networks':>9}{'seeds':>6}  first claim that failed (how often)"]
    for label in LABELS:
        mine = [record for record in records.values() if record.label == label]
        failed = sum((record.failed for record in mine), Counter())
        told = ", ".join(f"{what} {n}" for what, n in failed.most_common())
        cases, drawn = sum(record.cases for record in mine), sum(record.drawn for record in mine)
        lines.append(f"{label:20}{len(mine):8}{cases:9}{drawn:6}  {told}"[:80])
    cases, drawn = sum(record.cases for record in records.values()), sum(record.drawn for record in records.values())
    return "\n".join([*lines, f"{'all':20}{len(records):8}{cases:9}{drawn:6}  {drawn - cases} redrawn"])


def wrong(cases: list[Case]) -> str:
    """What was misjudged in the half that may be looked at."""
    missed = [case for case in cases if case.said != case.label and case.half == "seen"]
    lines = [f"{case.recipe:24.24}{case.seed:4}  {case.label} -> {case.said}"[:80] for case in missed]
    return "\n".join(["misjudged, of the seen half (recipe, seed):", *lines]) if lines else ""


def written(cases: list[Case], records: dict[str, Record], found: dict) -> str:
    """All of it as JSON: why is left out for the unseen half."""
    rows = [
        {name: getattr(case, name) for name in ("recipe", "label", "half", "seed", "said", "seconds")}
        | {"claims": {what: figure if np.isfinite(figure) else str(figure) for what, (figure, _) in case.claims.items()}}
        | ({"why": case.why} if case.half == "seen" else {})
        for case in cases
    ]
    drawn = {name: {"cases": r.cases, "drawn": r.drawn, "failed": dict(r.failed)} for name, r in records.items()}
    return json.dumps({"figures": found, "cases": rows, "recipes": drawn}, indent=1)


def gathered(halves: list[str], labels: list[str]) -> tuple[list[Case], dict[str, Record]]:
    """The networks of these halves and labels, and what became of the seeds."""
    cases, records = [], {}
    for recipe in RECIPES.values():
        for half in halves if recipe.label in labels else []:
            record = Record(recipe.label)
            cases += draw(recipe, half, record)
            whole = records.setdefault(recipe.name, Record(recipe.label))
            whole.cases, whole.drawn, whole.failed = whole.cases + record.cases, whole.drawn + record.drawn, whole.failed + record.failed
    return cases, records


def options(arguments: list[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--unseen", dest="halves", action="store_const", const=["unseen"], help="the half that nobody tunes to")
    which.add_argument("--all", dest="halves", action="store_const", const=["seen", "unseen"], help="both halves")
    which.add_argument("--fresh", dest="halves", action="store_const", const=["fresh"], help="a third draw")
    parser.add_argument("--prove", action="store_true", help="only prove the labels, and count; verdict is not asked")
    parser.add_argument("--labels", type=lambda text: text.split(","), default=LABELS, help="only these, with commas between them")
    parser.add_argument("--json", metavar="FILE", help="also write all figures and claims there")
    found = parser.parse_args(arguments)
    if unknown := [label for label in found.labels if label not in LABELS]:
        parser.error(f"no such label: {', '.join(unknown)}; there are {', '.join(LABELS)}")
    return found


def main(arguments: list[str] | None = None) -> int:
    asked, start, found = options(arguments), time.perf_counter(), {}
    with np.errstate(all="ignore"):
        cases, records = gathered(asked.halves or ["seen"], asked.labels)
        if not asked.prove:
            found = figures([judge(case) for case in cases])
    print(f"{len(cases)} networks ({' and '.join(asked.halves or ['seen'])} half)\n")
    print(proofs(records) if asked.prove else "\n\n".join(filter(None, [matrix(cases), wrong(cases), summary(found)])))
    print(f"in all: {time.perf_counter() - start:.0f} s")
    if asked.json:
        Path(asked.json).write_text(written(cases, records, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
