"""What does a folded box say?  How many nodes it stands for, and what the gradient does from one end of it to the other.

Two kinds: a stretch of the graph (a layer, or the steps outside a window), and the nodes of many steps that play the same role.

    g  gradient      n  how many steps
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node
from ..autodiff.maps import FunctionMap, unit_arrays
from ..autodiff.scalar import Scalar
from ..chain.factors import norm
from ..chain.links import Link
from ..text.formulas import derivative
from ..text.lines import clean, cut
from ..text.numbers import number
from .elements import LONGEST_LABEL, Arrow, Box, changed, counted, gain, heat, label_of, one_line, value, with_gain, with_gradient
from .steps import family
from .typography import formula, from_nats, named, small, titled

SHOWN = 2  # names in a list of names
LARGEST = 64  # numbers in the end of a stretch whose whole derivative is worked out


def folded_box(label: str, unit: list[Node], exits: list[Node], weights: list[Node], inside: int, few_words: bool = False) -> Box:
    """A stretch of the graph: how many nodes, what leaves it and with which gradient; its ops and the shared weights it uses on hover.

    few_words  only the names of the states that leave it, and their gradient; of many steps at the last and the first of them, the
               colour their geometric mean
    """
    ops = list(dict.fromkeys(node.op for node in unit if node.rule is not None))
    names, size = [label_of(node) for node in exits if node.name], joint(node.grad for node in exits)
    lines = [f"{label}: {listed(map(named, names))}" if names and names[0] != label else label, counted(len(unit), "node")]
    words = [label, f"{lines[1]}: {', '.join(map(clean, ops))}"]
    if size is not None:
        lines.append(f"|grad| {small(size)}")
        words.append(f"|grad| {number(size, 17)}" + f" of {', '.join(names[:20])}" * bool(names))
    words += [f"uses {', '.join(map(label_of, weights))}"] * bool(weights)
    words += [f"{counted(inside, 'arrow')} inside", *(f"{label_of(node)} {value(node.data)}" for node in exits[:20])]
    row = 0 if any(node.rule is not None for node in unit) else None
    if few_words:
        lines[:2] = [label if " more" in label else listed(map(named, names)) or label]
    if " more" in label and size is not None and (first := joint(node.grad for node in firsts(unit, exits))) is not None:
        lines.append(f"… {small(first)}")
        words.append(f"|gradient| at the first: {number(first, 17)}")
        size = 10 ** mean([first, size])
    return Box(labels(lines), "\n".join(words), "folded", heat(size), row, label, nodes=len(unit), inside=inside)


def firsts(unit: list[Node], exits: list[Node]) -> list[Node]:
    """The oldest nodes of a stretch that have the names of those that leave it, but for the step."""
    oldest = {family(node): node for node in reversed(unit) if node.name}
    return [oldest.get(family(node), node) for node in exits]


def ended_box(box: Box, unit: list[Node], inside: int) -> Box:
    """Of a stretch that ends in one node: the box of that node, which says what else is in it."""
    ops = ", ".join(dict.fromkeys(clean(node.op) for node in unit if node.rule is not None))
    within = f"{counted(len(unit), 'node')}: {ops}\n{counted(inside, 'arrow')} inside"
    return with_gradient(box._replace(nodes=len(unit), inside=inside, within=within), box.grad)


def ended_arrow(tail: int, head: int, edges: list[Edge], end: Node, unit: list[Node]) -> Arrow:
    """Into a stretch that ends in one node: the whole derivative of that node, over all that lies in the stretch."""
    parent, note = edges[0].parent, counted(len(edges), "arrow")
    link, weight = Link((parent,), (end,), set(unit)), weight_of(edges, unit)
    arrow = Arrow(tail, head, formula=f"∂{label_of(end)}/∂{label_of(parent)}", count=len(edges), tooltip=note, word="")
    if end.size > LARGEST or any(map(changed, (edge for node in link.ops for edge in node.edges))):
        return arrow
    matrix = np.array([link.pull(e).ravel() for e in unit_arrays(link.shape_out)]).reshape(end.size, parent.size)
    push, pull = times(matrix, link.shape_out), times(matrix.T, link.shape_in)
    local = FunctionMap(push, pull, link.shape_in, link.shape_out, arrow.formula)
    slope = float(matrix[0, 0]) if isinstance(end, Scalar) else None
    size = norm(end.grad) if end.grad is not None else 0.0
    if slope is not None and weight is not None:
        told = f"{label_of(weight)} = {number(weight.data, 17)}" + ("" if weight.grad is None else f", gradient {number(weight.grad, 17)}")
        arrow, note = arrow._replace(word=small(weight.data)), f"{told}\n{note}"
    return with_gain(arrow._replace(local=local, slope=slope, note=note), norm(local.pull(end.grad)) / size if size else None)


def weight_of(edges: list[Edge], unit: list[Node]) -> Node | None:
    """The leaf that a number is multiplied by on its way into a unit, if it goes in there alone."""
    others = [node for node in edges[0].child.variables if node is not edges[0].parent]
    alone = len(edges) == 1 and edges[0].child.op == "multiply" and len(others) == 1
    return others[0] if alone and others[0].rule is None and others[0] in set(unit) else None


def times(matrix: np.ndarray, shape: tuple[int, ...]) -> Callable[[Any], np.ndarray]:
    """A matrix as a function of arrays."""
    return lambda x: (matrix @ np.ravel(x)).reshape(shape)


def folded_arrow(tail: int, head: int, edges: list[Edge], exits: list[Node], word: str = "gain") -> Arrow:
    """The edges into a stretch of the graph from one box: |what they hand to it| / |gradient of what leaves the stretch|."""
    many, size, parts = counted(len(edges), "arrow"), joint(node.grad for node in exits), dict[Node, Any]()
    if not size or any(changed(edge) or edge.child.grad is None for edge in edges):
        return Arrow(tail, head, (), many, count=len(edges))
    for edge in edges:
        part = edge.local.pull(edge.child.grad)
        parts[edge.parent] = parts[edge.parent] + part if edge.parent in parts else part
    ratio = (joint(parts.values()) or 0.0) / size
    return Arrow(tail, head, (f"{word} {small(ratio)}",), f"{many}\ngain {number(ratio, 17)}", heat(ratio), count=len(edges))


def rolled_box(unit: list[Node], row: int | None, letter: str) -> Box:
    """The nodes of all steps with the same role: the gradient at the first and the last of them, the colour their geometric mean."""
    base = rolled_name(unit, letter)
    op = one_line(unit[0].op) if unit[0].name and unit[0].rule is not None else ""
    name = base + f" = {op}" * bool(op)
    lines, words = [titled(base, op), f"× {len(unit)}"], [name]
    known = [norm(node.grad) for node in unit if node.grad is not None]
    if known:
        lines += [f"|grad| {small(known[-1])}", f"… {small(known[0])}"]
        words += [f"|gradient| at the first: {number(known[0], 17)}", f"|gradient| at the last: {number(known[-1], 17)}"]
    return Box(labels(lines), "\n".join(words), "folded", mean(known) if known else None, row, name, nodes=len(unit))


def rolled_arrow(tail: int, head: int, edges: list[Edge], step: dict, letter: str) -> Arrow:
    """The same edge in every step: its derivative, and the geometric mean of its gains; an exact zero is not averaged away."""
    text = one_line(rolled_formula(edges[-1], step, letter))
    lines, words = [cut(formula(text), LONGEST_LABEL)], [f"∂child/∂parent = {text}", counted(len(edges), "arrow")]
    gains = [ratio for edge in edges if (ratio := gain(edge)) is not None]
    if gains and not (text == "1" and set(gains) == {1.0}):
        lines.append(f"gain {averaged(gains)}".partition(" (")[0])
        words.append(f"gain from {number(np.min(gains), 6)} to {number(np.max(gains), 6)}, geometric mean {averaged(gains)}")
    if tail >= head:
        lines.append(f"× {len(edges)}")
    return Arrow(tail, head, tuple(lines), "\n".join(words), mean(gains) if gains else None, count=len(edges))


def with_loop_gain(arrows: list[Arrow], whole: tuple[int, float] | None) -> list[Arrow]:
    """The first loop says what a gradient carried back through all steps keeps, in each and in all."""
    k = next((k for k, arrow in enumerate(arrows) if arrow.loop), None)
    if k is None or whole is None:
        return arrows
    steps, nats = whole
    lines = (f"× {steps} steps:", f"gain {from_nats(nats / steps, 3)} per step,", f"{from_nats(nats)} in all")
    told = f"{arrows[k].tooltip}\nfrom the last state to the first, over all paths: {' '.join(lines)}"
    return [*arrows[:k], arrows[k]._replace(lines=lines, tooltip=told), *arrows[k + 1 :]]


def rolled_name(unit: list[Node], letter: str) -> str:
    """h[t] for h[1], h[2], …; a … z for other names."""
    first, last = unit[0], unit[-1]
    if first.name and last.name and first.name.index and first.name.base == last.name.base:
        return one_line(f"{first.name.base}[{','.join([letter, *map(str, first.name.index[1:])])}]")
    names = label_of(first), label_of(last)
    return names[0] if names[0] == names[1] else one_line(f"{names[0]} … {names[1]}")


def rolled_formula(edge: Edge, step: dict, letter: str) -> str:
    """The derivative on an edge, h[12] written h[t] and h[11] h[t-1]."""
    here = step.get(edge.child, 0)

    def relative(x: Any) -> str | None:
        if not isinstance(x, Node) or not x.name:
            return None
        if x not in step or not x.name.index:
            return str(x.name)
        shift = f"{letter}-{here - step[x]}" if step[x] < here else letter
        return f"{x.name.base}[{','.join([shift, *map(str, x.name.index[1:])])}]"

    return derivative(edge, relative)


def joint(gradients: Iterable[Any]) -> float | None:
    """The norm of several gradients laid end to end; None if one is missing."""
    found = list(gradients)
    return norm(np.array([norm(g) for g in found])) if found and all(g is not None for g in found) else None


def mean(sizes: list[float]) -> float:
    """log10 of the geometric mean of those that are not 0, which would make it 0: -inf if all are, nan if one is nan."""
    found = [heat(size) for size in sizes if size != 0]
    return float(np.mean(found)) if found else -math.inf  # type: ignore[arg-type]


def averaged(gains: list[float]) -> str:
    """The geometric mean as text; zeros stand beside that of the others: `0.9 (1 of 7 is 0)`."""
    zeros = gains.count(0.0)
    words = f" ({zeros} of {len(gains)} {'is' if zeros == 1 else 'are'} 0)" if 0 < zeros < len(gains) else ""
    return small(10 ** mean(gains)) + words


def listed(names: Iterable[str]) -> str:
    """"a, b, c and 4 more": the first SHOWN of the names."""
    names = list(names)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def labels(lines: list[str]) -> tuple[str, ...]:
    """The lines as they stand on a picture, each cut to LONGEST_LABEL letters."""
    return tuple(cut(line, LONGEST_LABEL) for line in lines)
