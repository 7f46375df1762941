"""How do boxes and arrows become DOT?  One statement each, quoted, in an order that never changes: for Graphviz, or any other program.

What is drawn here needs no Graphviz; the text is for who wants another layout, or to read the graph back.
"""

from typing import Any

from .colours import ARROW_SPAN, GREY, colour, fill_of, ink
from .elements import Arrow, Box, Picture

HEAD = ('graph [bgcolor=transparent rankdir=LR tooltip=" "]', 'node [fontname="Helvetica,Arial,sans-serif" fontsize=11 shape=box]',
        'edge [arrowsize=0.6 fontname="Helvetica,Arial,sans-serif" fontsize=9]')
STYLE = {"constant": "filled", "leaf": "filled", "alias": "filled,dashed,rounded"}


def dot_text(picture: Picture) -> str:
    """The picture in the DOT language: boxes n0, n1, … in drawing order, one cluster for each group."""
    lines = ["digraph {", *(f"\t{look}" for look in HEAD)]
    lines += [f"\tgraph [label={quoted(picture.captions)}]"] * bool(picture.captions)
    framed = [group for group in picture.groups if group.label]
    for number, group in enumerate(framed):
        lines += [f"\tsubgraph cluster_{number} {{", f"\t\tlabel={quoted([group.label])}"]
        lines += [f"\t\t{box_text(i, picture.boxes[i])}" for i in group.boxes] + ["\t}"]
    free = sorted(set(range(len(picture.boxes))).difference(*(group.boxes for group in framed)))
    return "\n".join([*lines, *(f"\t{box_text(i, picture.boxes[i])}" for i in free), *map(arrow_text, picture.arrows), "}\n"])


def box_text(i: int, box: Box) -> str:
    """A box as a statement of DOT: `n3 [id=n3 label="…" …]`."""
    fill = fill_of(box.kind, box.heat)
    look = dict(id=f"n{i}", label=quoted(box.lines), tooltip=tip(box.tooltip), fillcolor=f'"{fill}"', fontcolor=f'"{ink(fill)}"')
    look |= dict(style=f'"{STYLE.get(box.kind, "filled,rounded")}"')
    look |= dict(peripheries="2") if box.kind == "folded" else dict(penwidth="2.5") if box.kind == "output" else {}
    return f"n{i} {attributes(look | (dict(of=f'n{box.of}') if box.kind == 'alias' else {}))}"


def arrow_text(arrow: Arrow) -> str:
    """An arrow as a statement of DOT: `n1 -> n3 […]`; dotted if its gain is 0."""
    look = dict(label=quoted(arrow.lines), tooltip=tip(arrow.tooltip), color=f'"{colour(arrow.heat, ARROW_SPAN, GREY)}"')
    look |= dict(style="dotted") if arrow.heat == float("-inf") else {}
    return f"\tn{arrow.tail} -> n{arrow.head} {attributes(look)}"


def attributes(look: dict[str, str]) -> str:
    """DOT's attribute list: `[key=value key=value]`."""
    return f"[{' '.join(f'{key}={value}' for key, value in look.items())}]"


def quoted(lines: Any) -> str:
    """Lines of text as they are: no markup, no escapes, no entities."""
    escaped = [line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for text in lines for line in text.split("\n")]
    return '"' + "\\n".join(escaped) + '"'


def tip(text: str) -> str:
    """A tooltip, whose escapes Graphviz reads twice."""
    return quoted([text.replace("\\", "\\\\")])
