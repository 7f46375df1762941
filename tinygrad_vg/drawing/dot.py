"""How do boxes and arrows become DOT?  One statement each, quoted by the graphviz package, in an order that never changes.

Time runs from left to right in one straight row: the boxes between h[t-1] and h[t] share a Graphviz group, the arrows along
the row are heavy, and an arrow that enters a new step is so long that no two steps overlap. Without these three, Graphviz
draws the steps as a staircase. An arrow that reaches deep into a step (the cell of an LSTM, h[t-2], attention) would still be
led around the step and bend the row; a picture with such arrows is given the places of columns.py, and Graphviz draws the curves.
"""

import html
import math
from typing import Any

from .colours import ARROW_SPAN, GREY, colour, fill_of, ink, thickness
from .columns import FRAME, bounds, columns, layout
from .elements import Arrow, Box, Picture

FONT = "Helvetica,Arial,sans-serif"
BOX = dict(shape="box", fontname=FONT, fontsize="11", margin="0.08,0.05", height="0.3")
ARROW = dict(fontname=FONT, fontsize="9", fontcolor=GREY, arrowsize="0.6")
PAGE = dict(rankdir="LR", bgcolor="transparent", nodesep="0.22", ranksep="0.28", nslimit="2", nslimit1="2", tooltip=" ")
PAGE |= dict(fontname=FONT, fontsize="10", fontcolor=GREY, labelloc="b", labeljust="l")
CLUSTER = dict(labelloc="t", style="rounded", color=GREY, fontcolor=GREY, penwidth="0.7", margin="9")
LONGEST = 2  # columns an arrow between steps may span before boxes are given places
TANGLED = 8  # columns crossed per box, from which boxes are given places
CURVED = 150  # boxes up to which arrows are led around boxes: above, that takes longer than anybody waits
LOOK = dict(constant=dict(style="filled"), leaf=dict(style="filled"), folded=dict(peripheries="2"), output=dict(penwidth="2.5"))
LOOK |= dict(alias=dict(style="filled,dashed,rounded", fontsize="9", height="0.2", margin="0.08,0.03"))


def dot_text(picture: Picture) -> str:
    """The picture in the DOT language: boxes n0, n1, … in drawing order, one cluster for each group."""
    from graphviz import Digraph

    column = {i: number for number, members in enumerate(columns(picture)) for i in members}
    lengths = lengths_of(picture, column)
    folded = any(box.kind == "folded" for box in picture.boxes)
    placed = tangled(picture, column) or not folded and max(lengths, default=0) > LONGEST
    look = PAGE | dict(label=legend_label(picture))
    if placed:
        look |= dict(layout="nop", splines="true" if len(picture.boxes) <= CURVED else "line")
    graph = Digraph(graph_attr=look, node_attr=BOX, edge_attr=ARROW)
    places = layout(picture) if placed else []
    statements = [dict(name=f"n{i}", id=f"n{i}", **box_look(box)) for i, box in enumerate(picture.boxes)]
    for statement, place in zip(statements, places):
        statement["pos"] = f"{place.x:.0f},{-place.y:.0f}"
    framed = [group for group in picture.groups if group.label]
    for number, group in enumerate(framed):
        with graph.subgraph(name=f"cluster_{number}") as cluster:
            frame = CLUSTER | dict(label=label([group.label]))
            if placed:  # Graphviz measures upwards
                left, top, right, bottom = bounds([places[i] for i in group.boxes], *FRAME)
                frame |= dict(bb=f"{left:.0f},{-bottom:.0f},{right:.0f},{-top:.0f}")
            cluster.attr(**frame)
            for i in group.boxes:
                cluster.node(**statements[i])
    for i in sorted(set(range(len(picture.boxes))).difference(*(group.boxes for group in framed))):
        graph.node(**statements[i])
    for arrow, length in zip(picture.arrows, lengths):
        graph.edge(f"n{arrow.tail}", f"n{arrow.head}", **arrow_look(arrow), **arrow_place(arrow, length, picture))
    return graph.source


def box_look(box: Box) -> dict[str, str]:
    fill = fill_of(box.kind, box.heat)
    words = dict(label=label(box.lines), tooltip=tip(box.tooltip))
    look = words | dict(style="filled,rounded", fillcolor=fill, fontcolor=ink(fill), color=GREY) | LOOK.get(box.kind, {})
    of = dict(of=f"n{box.of}") if box.kind == "alias" else {}
    return look | of | ({} if box.row is None else dict(group=f"row{box.row}"))


def arrow_look(arrow: Arrow) -> dict[str, str]:
    hint, style = tip(arrow.tooltip), "dotted" if arrow.heat == -math.inf else "solid"
    words = dict(label=label(arrow.lines), tooltip=hint, labeltooltip=hint)
    return words | dict(color=colour(arrow.heat, ARROW_SPAN, GREY), penwidth=f"{thickness(arrow.heat):.2g}", style=style)


def tangled(picture: Picture, column: dict[int, int]) -> bool:
    """Whether arrows cross so many columns that Graphviz would take minutes: attention, or one number used everywhere."""
    crossed = sum(max(0, column[head] - column[tail] - 1) for tail, head, *_ in picture.arrows)
    return crossed > TANGLED * (len(picture.boxes) + 50)


def lengths_of(picture: Picture, column: dict[int, int]) -> list[int]:
    """How many columns each arrow from one step to another has to span, so that the steps do not overlap; 0 within a step."""
    step = {i: number for number, group in enumerate(picture.groups) for i in group.boxes}
    return [max(0, column[head] - column[tail]) if step.get(tail) != step.get(head) else 0 for tail, head, *_ in picture.arrows]


def arrow_place(arrow: Arrow, length: int, picture: Picture) -> dict[str, str]:
    """Heavy along a row of states, long from step to step."""
    if arrow.loop:
        return dict(constraint="false")
    tail, head = picture.boxes[arrow.tail], picture.boxes[arrow.head]
    heavy = dict(weight="10") if tail.row is not None and tail.row == head.row else {}
    return heavy | dict(minlen=str(length)) if length else heavy


def label(lines: Any) -> str:
    """Lines of text as they are: no markup, no escapes, no entities."""
    from graphviz import escape, nohtml

    return nohtml("\\n".join(escape(line.replace("&", "&amp;")) for text in lines for line in text.split("\n")))


def tip(text: str) -> str:
    """A tooltip, whose escapes Graphviz reads twice."""
    return label([text.replace("\\", "\\\\")])


def legend_label(picture: Picture) -> str:
    """The captions and the legend, as a small table; its words are ours, none come from the graph."""
    cells = "".join(f'<tr><td align="left" colspan="8">{html.escape(line)}</td></tr>' for line in picture.captions)
    for title, entries in picture.legend:
        cells += f'<tr><td align="left" width="105">{html.escape(title)}</td>'  # wider than any browser's font makes it
        for fill, text in entries:
            ground = f' bgcolor="{fill}"' if fill else ""
            cells += f'<td{ground} width="34"><font color="{ink(fill)}">{html.escape(text) or " "}</font></td>'
        cells += "</tr>"
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="3">{cells}</table>>' if cells else ""
