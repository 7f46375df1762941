"""When in training did the gradient begin to vanish, and who did it?  The blame of a chain at chosen steps, kept as history.film.

    frame  what is kept of one step, a dictionary      nats  natural logarithm of a gain
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..chain import Chain
from ..chain.blame import CALLED, runs
from ..chain.factors import KINDS
from ..text.lines import wrapped
from ..text.numbers import from_log
from ..text.tables import evenly, table
from .leaves import gradient, leaves_of

COLUMNS, MARGIN = 6, 0.05  # steps in a table; how far beyond a level a curve must be to have crossed it, as a part of its largest value
Frame = dict[str, Any]


class Every(NamedTuple):
    """fit(..., watch=Every(50)) looks at the chain at steps 1, 51, 101, …

    chain  (loss, states) → the Chain to blame, made of the step's own graph, so that nothing is run again and no bit of the training
           changes. Without it: from the last of the states that loss_fn returns, with the gradient that arrived there, to the first
    """

    steps: int
    chain: Callable[[Any, Any], Chain] | None = None


def between(loss: Any, states: Any) -> Chain:
    """The chain that is watched without Every(chain=…)."""
    ends = [leaves for state in states or () if (leaves := leaves_of(state))]
    if len(ends) < 2:
        raise ValueError("to watch a chain, let loss_fn return (loss, states); or say which: Every(50, lambda loss, states: Chain(…))")
    last = max(ends[-1], key=lambda leaf: getattr(leaf, "birth", 0))  # h of (h, c), and of a stack the uppermost: what the loss reads
    return Chain(last, ends[0][-1], through=[tuple(leaves) for leaves in ends[1:-1]], seed=gradient(last))


def frame_of(chain: Chain, step: int = 0, loss: float = math.nan, clipped: Any = None) -> Frame:
    """What History says of a frame; links within one factor, such as a softmax, are taken together."""
    if not isinstance(chain, Chain):
        raise TypeError(f"Every(steps, chain) is given a function of (loss, states) that returns a Chain; it returned {chain!r}")
    blame, spans, names = chain.blame(), runs(chain)[::-1], chain.names
    at = [0, *(run.stop for run in spans)]
    passed = [{}] * (len(chain.links) - len(blame.by_link)) + [row["parts"] for row in blame.by_link]  # none where it had ended
    sums = [{kind: math.fsum(parts.get(kind, 0.0) for parts in passed[run.start : run.stop]) for kind in KINDS} for run in spans]
    nats = {group: math.fsum(x for kind, x in blame.parts.items() if kind.startswith(group)) for group in CALLED}
    hidden = np.max(np.nan_to_num(np.log(clipped[0]) - np.log(clipped[1])), initial=0.0) if clipped else 0.0
    return {
        "step": step, "loss": loss, "stations": [names[k] for k in at], "logs": [chain.log_product[k] for k in at],
        "links": [{kind: x for kind, x in row.items() if x} for row in sums], "nats": {group: x for group, x in nats.items() if x},
        "gates": {name: gate.open for name, gate in blame.gates.items() if math.isfinite(gate.open)},
        "clipped": float(hidden), "ended": "{at}: {why}".format(**blame.ended) if blame.ended else ""}


def minus(a: Frame, b: Frame) -> Frame:
    """What frame a has more than b."""
    if len(a["links"]) != len(b["links"]):
        raise ValueError(f"the chains differ in length at step {a['step']}: {len(a['links'])} links and {len(b['links'])}")
    less = lambda p, q: {name: p.get(name, 0.0) - q.get(name, 0.0) for name in {**p, **q}}  # noqa: E731
    return a | {"nats": less(a["nats"], b["nats"]), "links": [*map(less, a["links"], b["links"])], "loss": a["loss"] - b["loss"],
                "logs": [p - q for p, q in zip(a["logs"], b["logs"])], "gates": {}, "clipped": 0.0, "ended": "", "difference": True}


def film_table(film: list[Frame]) -> str:
    """What the factors did at some of the steps; when the weights' nats crossed 0, which is the edge, and a gate 1/2; what clipping hid."""
    at = evenly(range(len(film)), COLUMNS)
    nats, gates = (dict.fromkeys(name for frame in film for name in frame[key]) for key in ("nats", "gates"))
    curves = {f"{name} nats": [frame["nats"].get(name, 0.0) for frame in film] for name in nats}
    curves |= {f"gate {name} open": [frame["gates"].get(name, math.nan) for frame in film] for name in gates}
    rows = [("arrives", *(from_log(film[k]["logs"][0]) for k in at)), *((name, *(f"{y[k]:.2f}" for k in at)) for name, y in curves.items())]
    told = []
    for name, y in curves.items():
        over = [x - ("open" in name) / 2 for x in y]
        if k := next((k for k, x in enumerate(over) if x * over[0] < 0 and abs(x) > MARGIN * max(map(abs, y))), 0):
            told.append(f"{name}: from {y[0]:.2f} across {'1/2' if 'open' in name else '0'} at step {film[k]['step']}; {y[-1]:.2f} at last")
    most, gain = max(film, key=lambda frame: frame["clipped"]), float(np.median([frame["logs"][0] for frame in film]))
    if most["clipped"]:
        told.append(f"clipping cut {sum(frame['clipped'] > 0 for frame in film)} of {len(film)} frames, most at step {most['step']}: it "
                    f"hid {most['clipped']:.1f} nats, where the chain's gain was {most['logs'][0] - gain:+.1f} nats beside its median")
    return "\n".join([table(rows, ("step", *(str(film[k]["step"]) for k in at))), *map(wrapped, told * ("difference" not in film[0]))])
