"""What does one ask a model?  The questions of the command line: its chain, the uses of its weight, a verdict, an explanation.

Each gives the text to print and the same as plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..chain import side_by_side, uses, verdict
from ..claims.models import Asked, build
from ..formulas import explain
from ..text.lines import wrapped

Answer = tuple[str, dict[str, Any]]


def chains(first: Asked, others: list[Asked]) -> Answer:
    """The chain of the model, who is to blame, and how far back it reaches; several models side by side."""
    made = [(asked, asked.chain()) for asked in (first, *others)]
    found = [(asked.title, chain, chain.blame(), chain.horizon()) for asked, chain in made]
    if others:
        names = [asked.title.split(":")[0] for asked, _ in made]
        text = side_by_side([chain for _, chain in made], names)
        text += "\n\n" + "\n".join(f"{title}\n  {blame.sentence}" for title, _, blame, _ in found)
    else:
        text = f"{first.title}\n\n{found[0][1]}\n\n{found[0][2]}\n\n{found[0][3]}"
    return text, {"models": [{"title": t, "chain": c.to_dict(), "blame": b.to_dict(), "horizon": h.to_dict()} for t, c, b, h in found]}


def uses_of(asked: Asked) -> Answer:
    """Who contributed to the gradient of the model's (recurrent) weight: one row per use, and the same by distance to the loss."""
    if asked.weight is None:
        raise ValueError(f"{asked.title} has no weight that is learned; ask another model")
    found = uses(asked.loss, asked.weight)
    by_lag = found.by_lag()
    return f"{asked.title}\n\n{found}\n\n{by_lag}", {"title": asked.title, "uses": found.to_dict(), "by_lag": by_lag.to_dict()}


def verdict_on(asked: Asked) -> Answer:
    """Why the gradient at the far end of the chain, and that of each parameter, is small or large."""
    far = verdict(asked.loss, asked.source)
    every = verdict(asked.loss, asked.model) if asked.model.parameters() else None
    text = f"{asked.title}\n\n{far}" + (f"\n\n{every}" if every else "")
    return text, {"title": asked.title, "verdict": far.to_dict(), "parameters": every.to_dict() if every else None}


def explain_it(asked: Asked) -> Answer:
    """The derivative of the loss with respect to the model's weight, in words, matrices and indices."""
    if asked.weight is None:
        raise ValueError(f"{asked.title} has no weight that is learned; ask another model")
    found = explain(asked.loss, of=asked.weight)
    return f"{asked.title}\n\n{found}", {"title": asked.title, "explanation": found.to_dict()}


ONE: dict[str, Callable[[Asked], Answer]] = {"uses": uses_of, "verdict": verdict_on, "explain": explain_it}


def ask(question: str, name: str, vs: list[str], settings: Mapping[str, Any]) -> Answer:
    """The answer to `chain`, `uses`, `verdict` or `explain` about the model called `name`; `vs` names models to set beside its chain."""
    if vs and question != "chain":
        raise ValueError(f"--vs sets chains side by side; {question} is about one model")
    first = build(name, **settings)
    text, figures = chains(first, [build(other, **settings) for other in vs]) if question == "chain" else ONE[question](first)
    return wrapped(text), figures
