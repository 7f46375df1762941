"""How do boxes and arrows become DOT?  One statement each, quoted by the graphviz package, in an order that never changes.

Time runs from left to right in one straight row: the boxes between h[t-1] and h[t] share a Graphviz group, the arrows along
the row are heavy, and the one that enters a new step is long enough for the step's other boxes to come before it. Without
these three, Graphviz draws the steps as a staircase.
"""

from __future__ import annotations

import html
from typing import Any

from .colours import ARROW_SPAN, GREY, SPECIAL, colour, ink, legend, span_of, thickness
from .elements import Arrow, Box, Picture

FONT = "Helvetica,Arial,sans-serif"
STYLE = {"constant": "filled", "leaf": "filled", "alias": "filled,dashed,rounded", "node": "filled,rounded", "output": "filled,rounded"}


def dot_text(picture: Picture) -> str:
    """The picture in the DOT language: boxes n0, n1, … in drawing order, one cluster for each group."""
    from graphviz import Digraph

    span = span_of(box.heat for box in picture.boxes)
    graph = Digraph(graph_attr=graph_look(picture), node_attr=dict(shape="box", fontname=FONT, fontsize="11", margin="0.08,0.05", height="0.3"))
    graph.edge_attr = dict(fontname=FONT, fontsize="9", fontcolor=GREY, arrowsize="0.6")
    grouped = {i for group in picture.groups for i in group.boxes}
    for number, group in enumerate(picture.groups):
        with graph.subgraph(name=f"cluster_{number}") as cluster:
            cluster.attr(label=label([group.label]), labelloc="t", style="rounded", color=GREY, fontcolor=GREY, penwidth="0.7", margin="9")
            for i in group.boxes:
                cluster.node(f"n{i}", **box_look(picture.boxes[i], span))
    for i in sorted(set(range(len(picture.boxes))) - grouped):
        graph.node(f"n{i}", **box_look(picture.boxes[i], span))
    where = {i: number for number, group in enumerate(picture.groups) for i in group.boxes}
    for arrow in picture.arrows:
        graph.edge(f"n{arrow.tail}", f"n{arrow.head}", **arrow_look(arrow), **arrow_place(arrow, picture, where))
    return graph.source


def graph_look(picture: Picture) -> dict[str, str]:
    look = dict(bgcolor="transparent", fontname=FONT, fontsize="10", fontcolor=GREY, nodesep="0.22", ranksep="0.28", nslimit="2", nslimit1="2")
    return look | dict(rankdir="LR", label=legend_label(picture), labelloc="b", labeljust="l", tooltip=" ")


def box_look(box: Box, span: float) -> dict[str, str]:
    fill = "#e2e2e2" if box.kind == "constant" else colour(box.heat, span)
    look = dict(label=label(box.lines), tooltip=label([box.tooltip]), style=STYLE[box.kind], fillcolor=fill, fontcolor=ink(fill), color=GREY)
    if box.kind == "alias":
        look |= dict(fontsize="9", height="0.2", margin="0.08,0.03")
    if box.kind == "output":
        look |= dict(penwidth="2.5")
    return look if box.row is None else look | dict(group=f"row{box.row}")


def arrow_look(arrow: Arrow) -> dict[str, str]:
    look = dict(label=label(arrow.lines), tooltip=label([arrow.tooltip]), labeltooltip=label([arrow.tooltip]), color=colour(arrow.heat, ARROW_SPAN, GREY))
    if look["color"] == SPECIAL["exactly 0"]:
        return look | dict(style="dotted", penwidth="2")
    return look | dict(penwidth=f"{thickness(arrow.heat):.2g}")


def arrow_place(arrow: Arrow, picture: Picture, where: dict[int, int]) -> dict[str, str]:
    """Heavy along a row, and long where the row enters a new step."""
    row = picture.boxes[arrow.head].row
    if row is None or picture.boxes[arrow.tail].row != row:
        return {}
    return dict(weight="10") if where.get(arrow.tail) == where.get(arrow.head) else dict(weight="10", minlen="2")


def label(lines: Any) -> str:
    """Lines of text as they are: no markup, no escapes, no entities."""
    from graphviz import escape, nohtml

    return nohtml("\\n".join(escape(line.replace("&", "&amp;")) for text in lines for line in text.split("\n")))


def legend_label(picture: Picture) -> str:
    """The legend as a small table; its words are ours, none come from the graph."""
    cells = ""
    for title, entries in legend([box.heat for box in picture.boxes], [arrow.heat for arrow in picture.arrows]):
        fields = "".join(f'<td bgcolor="{e.colour}" width="34"><font color="{ink(e.colour)}">{html.escape(e.text) or " "}</font></td>' for e in entries)
        cells += f"<tr><td align=\"left\">{html.escape(title)}</td>{fields}</tr>"
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="3">{cells}</table>>' if cells else ""
