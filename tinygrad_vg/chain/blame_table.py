"""How is blame read?  As a table, nats by link and kind of factor, and as one sentence that says who decided."""

import math
from typing import Any

from ..text.lines import clean, wrapped
from ..text.numbers import signed
from ..text.tables import folded, table

ROUNDING = 1e-12  # nats
SHORT = {
    "activation size": "slopes", "activation alignment": "·align", "weight size": "weights", "weight alignment": "·align"}
CALLED = {
    "activation": "the activations' slopes", "weight": "the weights", "gate": "the gates", "attention": "attention",
    "norm": "the normalisations", "merge": "the merging of branches", "scale": "constant factors", "other": "everything else"}


def blame_table(blame: Any) -> str:
    """Nats by link (from the output back) and kind, the sum, and the sentence; what is zero, or mere rounding, is left blank."""
    whole = {"link": "sum", "parts": blame.parts, "total": math.fsum(blame.parts.values())}
    shown = folded(blame.by_link[::-1], lambda row: row["total"], left_out)
    head = ("nats by link", *(SHORT.get(kind, kind) for kind in blame.parts), "total")
    rows = [row if isinstance(row, str) else cells(row) for row in (*shown, whole)]
    return f"{table(rows, head)}\n{wrapped(clean(told(blame)), hang=0)}"


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row's texts: the link, its nats by kind (blank below ROUNDING), their total."""
    return row["link"], *(signed(x) if abs(x) > ROUNDING else "" for x in row["parts"].values()), signed(row["total"])


def left_out(rows: list[dict[str, Any]]) -> str:
    """The row that stands for links not shown: how many, and the sum of their nats."""
    return f"{len(rows)} links, together {signed(math.fsum(row['total'] for row in rows))}"


def told(blame: Any) -> str:
    """The largest contributors in words, largest first; what is under a hundredth of the largest is not mentioned."""
    sums = {group: math.fsum(x for kind, x in blame.parts.items() if kind.partition(" ")[0] == group) for group in CALLED}
    order = sorted((group for group in sums if abs(sums[group]) > ROUNDING), key=lambda group: -abs(sums[group]))
    order = [group for k, group in enumerate(order) if k < 2 or abs(sums[group]) > 0.01 * abs(sums[order[0]])]
    total = math.fsum(blame.parts.values())
    clauses = [f"{called(group, blame)} {verb(sums[group])} {amount(sums[group])}" for group in order]
    if clauses and sums[order[0]] * total > 0 and abs(sums[order[0]]) <= abs(total):
        clauses[0] += f" of {amount(total)} nats"
    elif clauses:
        clauses[0] += f" nats, and the sum is {total:+.1f}" if abs(total) >= 0.05 else f" nats, and the sum is {signed(total)}"
    if blame.ended:
        clauses.insert(0, f"the gradient ends at {blame.ended['at']} ({blame.ended['why']}), in the link {blame.ended['link']}")
    return "; ".join(clauses) or "nothing changed the gradient's length"


def called(group: str, blame: Any) -> str:
    """The sigmoid's slopes, if nearly all of it is its; of the gates the one that cost most, and how far it is open."""
    if group == "gate" and (gates := {name: gate for name, gate in blame.gates.items() if math.isfinite(gate.open)}):
        name = min(gates, key=lambda name: gates[name].nats)
        return f"the gates (most of all {name}, open to {gates[name].open:.2f})"
    sizes = {op: abs(nats) for op, nats in blame.slopes.items()} if group == "activation" else {}
    op = max(sizes, key=sizes.__getitem__, default="")
    return f"the {op}'s slopes" if op and sizes[op] >= 0.95 * math.fsum(sizes.values()) else CALLED[group]


def verb(nats: float) -> str:
    """What these nats did to the gradient: below 0 they cost, above they added."""
    return "cost" if nats < 0 else "added"


def amount(nats: float) -> str:
    """Nats with one decimal; two significant digits where that would show nothing."""
    return f"{abs(nats):.1f}" if abs(nats) >= 0.05 else f"{abs(nats):.1g}"
