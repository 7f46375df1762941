"""Why does this model not learn?  A model from a file runs forward and back once: the verdict, and the blame by line of its source."""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..autodiff.core import Node, history
from ..autodiff.tensor import Tensor
from ..autodiff.variable import Name
from ..chain import Chain, verdict
from ..chain.account import by_place, walk_through
from ..chain.causes import GROUPS
from ..chain.factors import KINDS, called, kind_of, origin
from ..chain.judging import FAR
from ..chain.kinds import IDLE, SOUND
from ..chain.uses import next_names
from ..drawing import draw
from ..drawing.steps import borders
from ..text.lines import clean, cut, wrapped
from ..text.tables import table
from .options import JSON, command, option
from .patient import Patient, exported, of_weights
from .texts import show

LINES, WIDEST = 12, 8  # shown of the source; nodes of a station
CAUSES = {"dead": "slopes", "saturated": "slopes", "shallow slopes": "slopes", "contracting weights": "weights", "cancelled": "merges"}
SOUND_WORDS = {"healthy": "the gradient arrives in this pass{}. If the loss is flat all the same, look first at the step size and the "
               "data; it can also come with training: export the model again where it is stuck"}


@command("diagnose", option("file", metavar="FILE", help="model.pt2, or weights"),
    option("--data", metavar="FILE.npz", help="arrays by the names of the inputs, and target or labels (default: noise)"),
    option("--loss", choices=["cross_entropy", "bce", "mse"], help="cross_entropy for labels (bce for 0 or 1 of one logit), else mse"),
    option("--html", "--out", dest="out", metavar="FILE", help="the gradient on its way back, as a page"), JSON)
def diagnose(options: argparse.Namespace) -> None:
    """Why a model of your own does not learn: its verdict, and the blame by line of its source. The file is a model that PyTorch exported
    (.pt2), or the weights of recurrent cells (.npz, .safetensors)."""
    patient = (exported if options.file.endswith(".pt2") else of_weights)(options)
    found = verdict(patient.loss, patient.parameters)
    shown = max(found.parts, key=lambda part: part.numbers.get("factors", 0.0)) if found.kind in SOUND else found  # all of a sound net
    chain = way_of(patient, shown, found)
    blame, lines = chain.blame(), by_line(chain, patient.where)
    start = next_names(history(chain.output))[chain.source] or called(chain.source)
    way = f"from {called(chain.output)} back to {clean(str(start))}"
    said = [*map(wrapped, (patient.title, in_short(found, chain, lines, patient.where), str(found), f"{way}: {blame.sentence}"))]
    took = {line: sum(nats.values()) - nats["factors"] for line, nats in lines.items()}
    order = sorted(took, key=took.__getitem__)
    if rows := [(f"{took[line]:+.2f}", f"{lines[line]['factors']:.0f} ×", cut(clean(line), 58)) for line in order]:
        said.append(table(rows[:LINES], ("nats", "factors", "line of the source"), left=3))
    if patient.cuts:
        cuts = "; ".join(f"{cut(clean(line), 70)} (×{times})" for line, times in patient.cuts.items())
        said[1] += wrapped(f"\nWhat lies before a detach() gets nothing through it, and was not judged: {cuts}.")
    if options.out:
        said.append(f"wrote {draw(by_step(chain), about=patient.title).save(Path(options.out))}")
    said[1] += tried(found, chain, patient)  # last of all: after it no graph from before fits the weights
    figures = {"title": patient.title, "verdict": found.to_dict(), "blame": blame.to_dict(), "lines": took, "short": said[1]}
    show("\n\n".join(said), figures=figures if options.json else None)


def way_of(patient: Patient, *found: Any) -> Chain:
    """The chain to show: that of a verdict, or else from the loss to the first of the inputs and parameters that a path leads to."""
    for one in found:
        if (chain := one.chain()) and chain.links:
            return chain
    known = {*history(patient.loss)}
    return Chain(patient.loss, next((x for x in (patient.source, *patient.parameters.values()) if x in known), patient.source))


def by_step(chain: Chain) -> Chain:
    """The chain cut at the states, or layers, that its nodes are named by, from a first state on if there is one; else as it is."""
    def steps(chain: Chain) -> list[tuple[Node, ...]]:
        return [group for group in borders(chain) if not any(node is chain.source for node in group)]

    groups = steps(chain)
    if len(groups) < 2 or max(map(len, groups)) > WIDEST:
        return chain
    before = {node.name: node for node in history(chain.output) if node.name and node.rule is None}
    first = [before.get(Name(x.name.base, (x.name.index[0] - 1, *x.name.index[1:]))) for x in groups[0] if x.name and x.name.index]
    start = next((x for x in first[::-1] if x is not None), chain.source)
    if start is not chain.source:
        groups = steps(Chain(chain.output, start, seed=chain.seed))
    elif start.name is None and len(groups[0]) == 1:
        start, *groups = groups[0][0], *groups[1:]
    return Chain(chain.output, start, groups, chain.seed)


def by_line(chain: Chain, where: Callable[[Node], str | None]) -> dict[str, dict[str, float]]:
    """{line of the source: nats by kind of the factors that it made, and how many "factors"}; empty where no file says."""
    with np.errstate(all="ignore"):
        walk = walk_through(chain.links, chain.directions[-1], lambda node: where(node) or "")
    return {line: nats for line, nats in by_place(walk.together(chain.stations[0]).account).items() if line}


def in_short(found: Any, chain: Chain, lines: dict[str, dict[str, float]], where: Callable[[Node], str | None]) -> str:
    """Line, cause and remedy in a sentence."""
    if found.kind in SOUND:
        idle = [part.source for part in found.parts if part.op == IDLE]
        least = min((part.numbers.get("log_gain", 0.0) for part in found.parts if part.op != IDLE), default=0.0)
        gain = f", at the least with {least:.1f} nats ({-FAR:.0f} are no loss, nor what gates, norms, means usually take)" * (least < -FAR)
        nothing = f" But {idle[0]}{f' and {len(idle) - 1} more change' if idle[1:] else ' changes'} nothing." if idle else ""
        return f"In short: {SOUND_WORDS.get(found.kind, found.means).format(gain)}.{nothing}"
    line, cost = culprit(found, chain, lines, where) if found.way else ("", "")
    at, _, code = cut(clean(line), 90).partition("  ")
    lag = f" Less than a thousandth arrives further back than {found.numbers['reach']:.0f} steps." if "reach" in found.numbers else ""
    near = found.numbers.get("nearest_log_gain", 0.0) >= -FAR
    if not near:
        lag += f" Even the nearest arrives with {found.numbers['nearest_log_gain']:.1f} nats: mend the way from the loss to it first."
    needed = ", if the task needs the far steps" if near else ", if the loss is flat"
    far = needed if lag and found.kind == "contracting weights" else ""
    return f"In short: {f'{at} `{code}`{cost}: ' if line else ''}{found.means}.{lag if found.way else ''} Try{far}: {found.helps}."


def culprit(found: Any, chain: Chain, lines: dict[str, dict[str, float]], where: Callable[[Node], str | None]) -> tuple[str, str]:
    """The line to look at, and what it did: where the gradient ends, or the weight meets small inputs, else where the factors that the
    verdict speaks of cost most."""
    if found.kind == "small inputs":
        return where(found.way[1]) or "", ""
    if ended := chain.blame().ended:
        ops = (node for link in chain.links if link.name == ended["link"] for node in reversed(link.ops))
        return next((line for node in ops if (line := where(node))), ""), " is where the gradient ends"
    group = group_of(found)
    nats = {line: sum(kinds[kind] for kind in KINDS if group in ("", GROUPS[kind.partition(" ")[0]])) for line, kinds in lines.items()}
    line = (max if found.kind == "exploding" else min)(nats, key=nats.__getitem__, default="")
    part, total = sum(lines[line][kind] for kind in KINDS) if line else 0.0, chain.log_product[0]
    share = f"{abs(part):.1f} of {abs(total):.1f}" if abs(part) <= abs(total) else f"{abs(part):.1f}"
    of = f", the most of {len(lines)} lines" * (abs(part) < abs(total) / 2)
    return line, f" {'costs' if total < 0 else 'adds'} {share} nats{of}" if part * total > 0 else ""


def tried(found: Any, chain: Chain, patient: Patient) -> str:
    """What the remedy leaves, where it can be tried on the spot: the square weights that carry the state, made orthogonal; else ''."""
    if found.op != "recurrent weights" or "uses" not in found.numbers:
        return ""
    on = {node for group in chain.stations for node in group}.union(*(link.ops for link in chain.links))
    edges = (edge for link in chain.links for node in link.ops for edge in node.edges if edge.parent in on)
    met: dict[Any, list[Any]] = defaultdict(list)
    for edge in sorted((edge for edge in edges if kind_of(edge.child, edge.index) == "weight"), key=lambda edge: edge.child.birth):
        met[origin(edge.child.parents[1 - edge.index])].append(edge)
    weights = [W for W, uses in met.items() if isinstance(W, Tensor) and W.ndim == 2 and W.shape[0] == W.shape[1]
               and uses[0].child in {*history(uses[-1].parent)}]  # what it multiplies was made by it
    if not weights:
        return ""
    before = [W.data for W in weights]
    for W in weights:
        U, _, Vt = np.linalg.svd(W.data)
        W.data = U @ Vt
    after = verdict(patient.again(), patient.parameters)
    for W, data in zip(weights, before):
        W.data = data
    left = f"{found.numbers['log_gain']:+.1f} → {after.numbers['log_gain']:+.1f} nats"
    then = "" if after.kind in SOUND else f" Then {after.means}; try: {after.helps}."
    return wrapped(f"\nTried here, {' and '.join(clean(str(W.name)) for W in weights)} orthogonal: {left}.{then}")


def group_of(found: Any) -> str:
    """The factors that a verdict speaks of, as blame groups them; '' for all."""
    word = found.op.partition(" ")[0]
    return {"gate": "gates", "softmax": "attention"}.get(word, word if word in GROUPS.values() else CAUSES.get(found.kind, ""))
