"""What does a folded box say?  How many nodes it stands for, and what the gradient does from one end of it to the other.

Two kinds: a stretch of the graph (a layer, or the steps outside a window), and the nodes of many steps that play the same role.

    g  gradient      n  how many steps
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node
from ..chain.factors import norm
from ..text.formulas import derivative
from ..text.lines import clean, cut
from ..text.numbers import from_log, number
from .elements import LONGEST_LABEL, Arrow, Box, changed, counted, gain, heat, label_of, one_line, value

SHOWN = 3  # names in a list of names


def folded_box(label: str, unit: list[Node], exits: list[Node], weights: list[Node], inside: int) -> Box:
    """A stretch of the graph: its ops, what leaves it and with which gradient, and the shared weights it uses."""
    ops = list(dict.fromkeys(node.op for node in unit if node.rule is not None))
    lines = [label, f"{counted(len(unit), 'node')}: {listed(map(clean, ops))}"]
    size = joint(node.grad for node in exits)
    if size is not None:
        lines.append(f"|grad| {number(size)}" + (f" of {listed(map(label_of, exits))}" if any(node.name for node in exits) else ""))
    if weights:
        lines.append(f"uses {listed(map(label_of, weights))}")
    words = [*lines, f"{counted(inside, 'arrow')} inside", *(f"{label_of(node)} {value(node.data)}" for node in exits[:20])]
    row = 0 if any(node.rule is not None for node in unit) else None
    return Box(labels(lines), "\n".join(words), "folded", heat(size), row, label, nodes=len(unit), inside=inside)


def state_box(label: str, unit: list[Node], exits: list[Node], weights: list[Node], inside: int) -> Box:
    """The same in few words: the names of the states that leave it, and their gradient; the rest is in the tooltip."""
    box, names = folded_box(label, unit, exits, weights, inside), [label_of(node) for node in exits if node.name]
    return box._replace(lines=labels([listed(names) or label, *(x.partition(" of ")[0] for x in box.lines[2:] if x.startswith("|grad|"))]))


def folded_arrow(tail: int, head: int, edges: list[Edge], exits: list[Node]) -> Arrow:
    """The edges into a stretch of the graph from one box: |what they hand to it| / |gradient of what leaves the stretch|."""
    many, size, parts = counted(len(edges), "arrow"), joint(node.grad for node in exits), dict[Node, Any]()
    if not size or any(changed(edge) or edge.child.grad is None for edge in edges):
        return Arrow(tail, head, (), many, count=len(edges))
    for edge in edges:
        part = edge.local.pull(edge.child.grad)
        parts[edge.parent] = parts[edge.parent] + part if edge.parent in parts else part
    ratio = (joint(parts.values()) or 0.0) / size
    return Arrow(tail, head, (f"gain {number(ratio, 3)}",), f"{many}\ngain {number(ratio, 17)}", heat(ratio), count=len(edges))


def rolled_box(unit: list[Node], row: int | None, letter: str, sizes: dict[Node, float]) -> Box:
    """The nodes of all steps with the same role: the gradient at the first and the last of them, the colour their geometric mean."""
    op = f" = {one_line(unit[0].op)}" if unit[0].name and unit[0].rule is not None else ""
    name = rolled_name(unit, letter) + op
    lines, words = [name, f"× {len(unit)}"], [name]
    known = [sizes[node] for node in unit if node in sizes]
    if known:
        lines.append(f"|grad| {number(known[0], 3)} … {number(known[-1], 3)}")
        words += [f"|gradient| at the first: {number(known[0], 17)}", f"|gradient| at the last: {number(known[-1], 17)}"]
    return Box(labels(lines), "\n".join(words), "folded", mean(known) if known else None, row, name, nodes=len(unit))


def rolled_arrow(tail: int, head: int, edges: list[Edge], step: dict, letter: str, sizes: dict[Node, float]) -> Arrow:
    """The same edge in every step: its derivative, and the geometric mean of its gains; an exact zero is not averaged away."""
    formula = one_line(rolled_formula(edges[-1], step, letter))
    lines, words = [cut(formula, LONGEST_LABEL)], [f"∂child/∂parent = {formula}", counted(len(edges), "arrow")]
    gains = [ratio for edge in edges if (ratio := gain(edge, sizes.get(edge.child))) is not None]
    if gains and not (formula == "1" and set(gains) == {1.0}):
        lines.append(f"gain {averaged(gains)}")
        words.append(f"gain from {number(np.min(gains), 6)} to {number(np.max(gains), 6)}, geometric mean {number(10 ** mean(gains), 6)}")
    if tail >= head:
        lines.append(f"× {len(edges)}")
    return Arrow(tail, head, tuple(lines), "\n".join(words), mean(gains) if gains else None, count=len(edges))


def with_loop_gain(arrows: list[Arrow], whole: tuple[int, float] | None) -> list[Arrow]:
    """The first loop says what a gradient carried back through all steps keeps, in each and in all."""
    k = next((k for k, arrow in enumerate(arrows) if arrow.loop), None)
    if k is None or whole is None:
        return arrows
    steps, nats = whole
    lines = (f"× {steps} steps:", f"gain {from_log(nats / steps, 3)} per step,", f"{from_log(nats)} in all")
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
    return number(10 ** mean(gains), 3) + words


def listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def labels(lines: list[str]) -> tuple[str, ...]:
    return tuple(cut(line, LONGEST_LABEL) for line in lines)
