"""Why does this model not learn?  A model from a file runs forward and back once: the verdict, and the blame by line of its source.

A model exported by PyTorch (.pt2) is run as it is. Of weights alone (.npz, .safetensors) recurrent cells are made: what a file holds as
weight_hh, of one gate, three or four, is an RNN, a GRU or an LSTM; names as save_weights writes them tell the cell by themselves.
"""

import argparse
import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, history
from ..autodiff.tensor import Tensor
from ..autodiff.variable import Name
from ..chain import Chain, verdict
from ..chain.account import by_place, walk_through
from ..chain.factors import KINDS, called, kind_of, origin
from ..chain.judging import GROUPS
from ..chain.kinds import SOUND
from ..chain.uses import next_names
from ..drawing import draw
from ..drawing.steps import borders
from ..nn import GRUCell, LSTMCell, RNNCell, Stacked, cross_entropy, load_model, load_weights, mse, unroll
from ..nn.linear_cells import LRUCell, MinGRUCell, SelectiveCell
from ..nn.weights import read_weights
from ..text.lines import clean, cut, wrapped
from ..text.tables import table
from .options import JSON, command, option
from .texts import show

CELLS: dict[int, Any] = {1: RNNCell, 3: GRUCell, 4: LSTMCell}  # by how many gates lie in weight_hh
OWN: dict[str, Any] = {  # by a name that only they have, of those that are left
    "nu": LRUCell, "A_log": SelectiveCell, "W_hz": GRUCell, "W_xz": MinGRUCell, "W_hf": LSTMCell, "W_hh": RNNCell}
STEPS, OPEN, LINES, WIDEST = 50, 8, 12, 8  # of a cell; of an axis that the export left open; shown of the source; nodes of a station
AIMS = ("target", "labels", "y")
CAUSES = {"dead": "slopes", "saturated": "slopes", "shallow slopes": "slopes", "contracting weights": "weights", "cancelled": "merges"}
SOUND_WORDS = {"healthy": "the gradient arrives in this pass. If the loss is flat all the same, the cause is elsewhere (the step size, the "
               "data), or comes with training: export the model again where it is stuck"}


class Patient(NamedTuple):
    """title; the loss; what the gradient goes back to; {name: leaf}; where(node), the line that made it, or None; the loss once more."""

    title: str
    loss: Node
    source: Node
    parameters: dict[str, Any]
    where: Callable[[Node], str | None]
    again: Callable[[], Node]


@command("diagnose", option("file", metavar="FILE", help="model.pt2, or weights"),
    option("--data", metavar="FILE.npz", help="arrays by the names of the inputs, and target or labels (default: noise)"),
    option("--loss", choices=["cross_entropy", "mse"], help="cross_entropy for labels that are whole numbers, else mse"),
    option("--html", "--out", dest="out", metavar="FILE", help="the gradient on its way back, as a page"), JSON)
def diagnose(options: argparse.Namespace) -> None:
    """Why a model of your own does not learn: its verdict, and the blame by line of its source. The file is a model that PyTorch exported
    (.pt2), or the weights of recurrent cells (.npz, .safetensors)."""
    patient = (exported if options.file.endswith(".pt2") else of_weights)(options)
    found = verdict(patient.loss, patient.parameters)
    chain = found.kind not in SOUND and found.chain() or Chain(patient.loss, patient.source)
    blame, lines = chain.blame(), by_line(chain, patient.where)
    start = next_names(history(chain.output))[chain.source] or called(chain.source)
    way = f"from {called(chain.output)} back to {clean(str(start))}"
    said = [*map(wrapped, (patient.title, in_short(found, chain, lines, patient.where), str(found), f"{way}: {blame.sentence}"))]
    took = {line: sum(nats.values()) - nats["factors"] for line, nats in lines.items()}
    order = sorted(took, key=took.__getitem__)
    if rows := [(f"{took[line]:+.2f}", f"{lines[line]['factors']:.0f} ×", cut(clean(line), 58)) for line in order]:
        said.append(table(rows[:LINES], ("nats", "factors", "line of the source"), left=3))
    if options.out:
        shown = by_step(chain if "uses" not in found.numbers else found.chain() or chain)
        said.append(f"wrote {draw(shown, about=patient.title).save(Path(options.out))}")
    said[1] += tried(found, chain, patient)  # last of all: after it no graph from before fits the weights
    figures = {"title": patient.title, "verdict": found.to_dict(), "blame": blame.to_dict(), "lines": took, "short": said[1]}
    show("\n\n".join(said), figures=figures if options.json else None)


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
        return f"In short: {SOUND_WORDS.get(found.kind, found.means)}."
    line, cost = culprit(found, chain, lines, where) if found.way else ("", "")
    at, _, code = cut(clean(line), 90).partition("  ")
    lag = f" Less than a thousandth arrives further back than {found.numbers['reach']:.0f} steps." if "reach" in found.numbers else ""
    return f"In short: {f'{at} `{code}`{cost}: ' if line else ''}{found.means}.{lag if found.way else ''} Try: {found.helps}."


def culprit(found: Any, chain: Chain, lines: dict[str, dict[str, float]], where: Callable[[Node], str | None]) -> tuple[str, str]:
    """The line to look at, and what it did: where the gradient ends, else where the factors that the verdict speaks of cost most."""
    if ended := chain.blame().ended:
        ops = (node for link in chain.links if link.name == ended["link"] for node in reversed(link.ops))
        return next((line for node in ops if (line := where(node))), ""), " is where the gradient ends"
    group = group_of(found)
    nats = {line: sum(kinds[kind] for kind in KINDS if group in ("", GROUPS[kind.partition(" ")[0]])) for line, kinds in lines.items()}
    line = (max if found.kind == "exploding" else min)(nats, key=nats.__getitem__, default="")
    part, total = sum(lines[line][kind] for kind in KINDS) if line else 0.0, chain.log_product[0]
    share = f"{abs(part):.1f} of {abs(total):.1f}" if abs(part) <= abs(total) else f"{abs(part):.1f}"
    return line, f" {'costs' if total < 0 else 'adds'} {share} nats" if part * total > 0 else ""


def tried(found: Any, chain: Chain, patient: Patient) -> str:
    """What the remedy leaves, where it can be tried on the spot: the square weights that carry the state, made orthogonal; else ''."""
    if found.op != "recurrent weights" or "uses" not in found.numbers:
        return ""
    on = {node for group in chain.stations for node in group}.union(*(link.ops for link in chain.links))
    edges = (edge for link in chain.links for node in link.ops for edge in node.edges if edge.parent in on)
    met = Counter(origin(edge.child.parents[1 - edge.index]) for edge in edges if kind_of(edge.child, edge.index) == "weight")
    weights = [W for W, times in met.items() if times > 1 and isinstance(W, Tensor) and W.ndim == 2 and W.shape[0] == W.shape[1]]
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


def exported(options: argparse.Namespace) -> Patient:
    """A model that PyTorch exported, on data, or on noise of the shapes that it was exported with."""
    model = load_model(options.file)
    data, about = data_of(options, model.inputs)
    rows = min((leaf.shape[0] for leaf in model.parameters().values() if leaf.ndim == 2), default=2)
    rng, inputs = np.random.default_rng(0), []
    for name, (sizes, dtype) in model.inputs.items():
        shape = tuple(OPEN if n is None else n for n in sizes)
        noise = rng.integers(0, rows, shape) if np.dtype(dtype).kind in "iu" else rng.normal(size=shape)
        inputs.append(np.asarray(data.pop(name, noise), dtype))
    leaves = [Tensor(x, name=name) if x.dtype.kind == "f" else x for name, x in zip(model.inputs, inputs)]

    def again() -> Node:
        output = model(*leaves)
        return loss_of(output[0] if isinstance(output, tuple) else output, data, options.loss, copy.deepcopy(rng))

    loss = again()
    starts = [x for x in leaves if isinstance(x, Node)] or [*model.parameters().values()]
    known = {*history(loss)}
    source = next((x for x in starts if x in known), starts[0])
    return Patient(f"{Path(options.file).name} on {about}", loss, source, model.parameters(), model.where, again)


def of_weights(options: argparse.Namespace) -> Patient:
    """Recurrent cells with the weights of a file, on noise or on data, the loss on the last state."""
    given, rng = read_weights(options.file), np.random.default_rng(0)
    prefix, cells = cells_of(given)
    if not cells:
        raise ValueError(f"{options.file} holds no weights of a recurrent cell, such as weight_hh; export the model: docs/export.md")
    cell = Stacked(cells) if len(cells) > 1 else cells[0]
    load_weights(cell, {name: w for name, w in given.items() if name.startswith(prefix)}, prefix)
    n = cells[0].n_in
    data, about = data_of(options, {"x": ((None, n), "float64")})
    x = np.asarray(data.get("x", rng.normal(size=(STEPS, n))), float)
    if x.ndim not in (2, 3) or x.shape[-1] != n or not x.size:
        raise ValueError(f"x of {options.data} has shape {x.shape}; these cells read (T, {n}) or (T, batch, {n}), T ≥ 1")

    def again(states: Any = None) -> Node:
        return loss_of(cell.output((states or unroll(cell, x))[-1]), data, options.loss, copy.deepcopy(rng))

    states = unroll(cell, x)
    loss, first = again(states), states[0]
    while isinstance(first, tuple):
        first = first[-1]
    kind = type(cells[0]).__name__.removesuffix("Cell")
    title = f"{Path(options.file).name}: {len(cells)} × {kind} over {len(x)} steps of {about}"
    return Patient(title, loss, first, cell.parameters(), lambda node: None, again)


def cells_of(given: dict[str, np.ndarray]) -> tuple[str, list[Any]]:
    """What comes before the names of the weights, and cells of their sizes: by PyTorch's names, or by their own; none if neither fits.

    ValueError for PyTorch's names with shapes of no cell.
    """
    recurrent = [name for name, w in given.items() if "weight_hh" in name and np.ndim(w) == 2]
    if recurrent:
        prefix = recurrent[0].partition("weight_hh")[0]
        into_of = {name: given.get(name.replace("_hh", "_ih"), np.array(0)).shape for name in recurrent if name.startswith(prefix)}
        sizes = [(into, given[name].shape) for name, into in into_of.items()]
        for into, (rows, n) in sizes:
            if len(into) != 2 or into[0] != rows or not n or rows not in (gates * n for gates in CELLS):
                raise ValueError(f"weight_ih is (g n, inputs) and weight_hh (g n, n), g = 1, 3 or 4 gates; got {into} and {rows, n}")
        return prefix, [CELLS[rows // n](into[1], n, name=str(k) if len(sizes) > 1 else "") for k, (into, (rows, n)) in enumerate(sizes, 1)]
    own, prefix = next(((name, name.removesuffix(mark)) for mark in OWN for name in given if name.endswith(mark)), ("", ""))
    inputs = max((w.shape for name, w in given.items() if name.startswith(f"{prefix}W_x")), default=())
    return prefix, [OWN[own.removeprefix(prefix)](inputs[1], inputs[0])] if own and len(inputs) == 2 else []


def data_of(options: argparse.Namespace, inputs: Any) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of --data by the names of the inputs, and how a title says what they are. A single array may have another name.

    ValueError for another file, if one is missing, or holds a nan, which would be all that a verdict could find.
    """
    if not options.data:
        return {}, "noise (give --data FILE.npz for your own)"
    try:
        given, said = dict(np.load(options.data, allow_pickle=False)), ""
    except OSError:
        raise
    except Exception:  # a damaged file fails anywhere in its reader, with any error
        given = {"": None}
    if not all(isinstance(x, np.ndarray) for x in given.values()):
        raise ValueError(f"{options.data} is no .npz of arrays; write one with np.savez({options.data!r}, x=…)")
    for name, x in given.items():
        if x.dtype.kind == "f" and (missing := np.count_nonzero(np.isnan(x))):
            raise ValueError(f"{missing} of {x.size} numbers of {name!r} in {options.data} are nan; leave out or fill in what is missing")
    if absent := [name for name in inputs if name not in given]:
        other = [name for name in given if name not in inputs and name not in AIMS]
        if not len(inputs) == len(other) == 1:
            held = ", ".join(f"{name} {x.shape}" for name, x in given.items()) or "nothing"
            raise ValueError(f"{options.data} holds {held}; the model takes {', '.join(inputs)}: give each by its name, as in np.savez("
                             f"{options.data!r}, {', '.join(f'{name}=…' for name in inputs)}, target=…)")
        given[absent[0]], said = given.pop(other[0]), f" ({other[0]} as {absent[0]})"
    aimed = any(name in given and name not in inputs for name in AIMS)
    return given, f"its data{said}" + f" and a random target (the file has no {' or '.join(AIMS)})" * (not aimed)


def loss_of(prediction: Any, data: dict[str, np.ndarray], kind: str | None, rng: Any) -> Node:
    """The loss that was asked for; without a target in the data, against one that is drawn. Classes lie along the last axis."""
    aim = next((data[name] for name in AIMS if name in data), None)
    classes = prediction.shape[-1] if prediction.shape else 1
    if (kind or ("cross_entropy" if aim is not None and aim.dtype.kind in "iu" else "mse")) == "mse":
        return mse(prediction, rng.normal(size=prediction.shape).astype(prediction.dtype) if aim is None else aim)
    labels = rng.integers(0, classes, prediction.shape[:-1]) if aim is None else aim
    return cross_entropy(prediction, np.reshape(labels, prediction.shape[:-1]))
