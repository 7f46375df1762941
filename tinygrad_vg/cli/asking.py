"""What does one ask a model?  The questions of the command line: its chain, the uses of its weight, a verdict, an explanation.

Each gives the text to print and the same as plain numbers.
"""

from typing import Any

from ..chain import side_by_side, uses, verdict
from ..claims.models import Asked
from ..formulas import explain

Answer = tuple[str, dict[str, Any]]


def chains(asked: list[Asked]) -> Answer:
    """The chain of the model, who is to blame, and how far back it reaches; several models side by side."""
    found = [(one.title, chain, chain.blame(), chain.horizon()) for one in asked for chain in [one.chain()]]
    if len(found) > 1:
        text = side_by_side([chain for _, chain, _, _ in found], [title.split(":")[0] for title, *_ in found])
        text += "\n\n" + "\n".join(f"{title}\n  {blame.sentence}" for title, _, blame, _ in found)
    else:
        text = "\n\n".join(map(str, found[0]))
    return text, {"models": [{"title": t, "chain": c.to_dict(), "blame": b.to_dict(), "horizon": h.to_dict()} for t, c, b, h in found]}


def about(question: str, asked: Asked) -> Answer:
    """The answer to a question about one model; ValueError where it is about a weight and the model has none."""
    found = answers(question, asked)
    text = "\n\n".join(str(x) for x in (asked.title, *found.values()) if x is not None)
    return text, {"title": asked.title} | {key: None if x is None else x.to_dict() for key, x in found.items()}


def answers(question: str, asked: Asked) -> dict[str, Any]:
    """Of `verdict`, why the gradient at the far end of the chain, and that of each parameter, is small or large; of `uses`, who contributed
    to that of the weight, one row per use, and the same by distance to the loss; of `explain`, its derivative in words and indices."""
    if question == "verdict":
        every = verdict(asked.loss, asked.model) if asked.model.parameters() else None
        return {"verdict": verdict(asked.loss, asked.source), "parameters": every}
    if asked.weight is None:
        raise ValueError(f"{asked.title} has no weight that is learned; ask another model")
    if question == "explain":
        return {"explanation": explain(asked.loss, of=asked.weight)}
    found = uses(asked.loss, asked.weight)
    return {"uses": found, "by_lag": found.by_lag()}
