"""How is blame read?  As a table, nats by link and kind of factor, and as one sentence that says who decided."""

from __future__ import annotations

import math
from typing import Any

from ..text.lines import clean
from ..text.numbers import signed
from ..text.tables import MOST, WIDTH, folded, inserted, layout

ROUNDING = 1e-12  # nats
SHORT = {
    "activation size": "slopes", "activation alignment": "·align", "weight size": "weights", "weight alignment": "·align",
}  # fmt: skip
CALLED = {
    "activation": "the activations' slopes", "weight": "the weights", "gate": "the gates", "norm": "the normalisations",
    "merge": "the merging of branches", "scale": "constant factors", "other": "everything else",
}  # fmt: skip


def blame_table(blame: Any, width: int = WIDTH, most: int = MOST) -> str:
    """Nats by link (from the output back) and kind, the sum, and the sentence; what is zero, or mere rounding, is left blank."""
    rows = blame.by_link[::-1]
    kinds = [kind for kind in blame.parts if any(abs(row["parts"][kind]) > ROUNDING for row in rows)]
    shown = folded(len(rows), most, lambda k: rows[k]["total"])
    cells = [(clean(rows[k]["link"]), *numbers(rows[k]["parts"], kinds, rows[k]["total"])) for k in shown if isinstance(k, int)]
    head = ("nats by link", *(SHORT.get(kind, kind) for kind in kinds), "total")
    *lines, last = layout([head, *cells, ("sum", *numbers(blame.parts, kinds, math.fsum(blame.parts.values())))], [], width, texts=1)
    told_of = inserted(lines, shown, lambda a, b: f"{b - a} links, together {signed(math.fsum(r['total'] for r in rows[a:b]))}", width)
    return "\n".join([*told_of, last, *wrapped(told(blame), width)])


def numbers(parts: dict[str, float], kinds: list[str], total: float) -> list[str]:
    return [*(signed(parts[kind]) if abs(parts[kind]) > ROUNDING else "" for kind in kinds), signed(total)]


def wrapped(sentence: str, width: int) -> list[str]:
    """The sentence in lines."""
    lines = [""]
    for word in clean(sentence).split(" "):
        lines = [*lines, word] if lines[-1] and len(lines[-1]) + 1 + len(word) > width else [*lines[:-1], f"{lines[-1]} {word}".strip()]
    return lines


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
    """The sigmoid's slopes, if the sigmoid is the only activation."""
    ops = list(blame.slopes)
    return f"the {ops[0]}'s slopes" if group == "activation" and len(ops) == 1 else CALLED[group]


def verb(nats: float) -> str:
    return "cost" if nats < 0 else "added"


def amount(nats: float) -> str:
    """Nats with one decimal; two significant digits where that would show nothing."""
    return f"{abs(nats):.1f}" if abs(nats) >= 0.05 else f"{abs(nats):.1g}"
