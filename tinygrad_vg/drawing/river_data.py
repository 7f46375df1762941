"""What does the page need to redraw a river when a factor is replaced?  Every link as the engine walks it: its nodes, and the linear
map and the kind of each edge between them.

A weight that multiplies many rows at once is carried as itself, once, however many links use it.

    part  0 slopes, 1 weights, 2 gates, 3 norms, … of river.PARTS
"""

import math
import re
from itertools import pairwise
from typing import Any

import numpy as np

from ..autodiff.core import Node, describe, plain
from ..autodiff.products import Linear
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Select
from ..chain import Chain
from ..chain.blocks import Block, blocks_of
from ..chain.factors import kind_of, origin
from ..chain.links import Replaced
from ..formulas import by_hand
from ..text.lines import clean, cut
from .page_data import Data, Store, js_number, kept, map_data
from .river import PARTS, River, part_of
from .typography import pretty

SIGNS = {"sigmoid": "σ", "relu": "ReLU"}  # of the activations that are not called by the name of their op
PLACE = {part: k for k, part in enumerate(PARTS)}
MOST_PULLS = 256  # to find the matrix of a factor of several ops, such as a softmax


def river_data(river: River, label: str, store: Store, again: bool = False) -> Data:
    """A river for the page. "links" is null where a map is too large to be carried: then it can be read, but nothing replaced.

    again  carry what it takes to run the forward pass again with another weight, where each link is a weight and an activation
    """
    chain = river.chain
    spans = [range(*ends) for ends in pairwise(river.at)]
    with np.errstate(all="ignore"):
        links = [link_data(chain.links[run.start : run.stop], store) for run in spans]
    seed = store.add("maps", flat(chain.gradients[river.at[-1]]))
    carried = seed and all(link["edges"] is not None for link in links)
    seeds = [store.add("maps", flat(g)) for g in river.seeds or []] if carried else []
    names, hand = chain.names, by_hand_data(chain, spans)
    begun = forward_data(chain, links, spans, store) if again and carried else None
    return {
        "label": label, "about": river.about, "ended": river.ended, "carried": bool(carried), "seed": seed and seed[0],
        "seeds": [found and found[0] for found in seeds] or None, "forward": begun,
        "names": river.names, "raw": [clean(names[k]) for k in river.at], "read": river.read,
        "sizes": [js_number(size) for size in river.sizes], "logs": [js_number(log) for log in river.logs],
        "nats": [[js_number(row[part]) for part in PARTS] for row in river.nats],
        "links": [link | {"hand": text} for link, text in zip(links, hand)]}


def by_hand_data(chain: Chain, spans: list[range]) -> list[str]:
    """Of each link the lines of the program that by_hand writes; "" where there is none."""
    try:
        program = by_hand(chain.output)
    except (ValueError, NotImplementedError, RuntimeError):  # it is not one number, or has no words
        return ["" for _ in spans]
    links = [chain.links[span.start : span.stop] for span in spans]
    return ["\n".join(program.lines_between([x for link in some for x in link.ops], some[0].start)) for some in links]


def link_data(links: list[Any], store: Store) -> Data:
    """The nodes of some links in a row, parents before children, and the edges between them; "edges" is null if a map is left out."""
    if isinstance(links[0], Replaced):
        factor, local = links[0].factor, map_data(links[0].local, store)
        sizes = [math.prod(links[0].shape_in), math.prod(links[0].shape_out)]
        whole = {"c": 1, "p": 0, "k": PLACE["rest"], "name": factor, "m": local}
        around = {"sizes": sizes, "names": ["", ""], "start": [0], "end": [1], "formula": [], "factor": factor}
        return around | {"edges": [whole] if local else None}
    start = sorted(dict.fromkeys(links[0].start), key=lambda node: node.birth)
    ops = [node for link in links for node in link.ops if node not in set(start)]
    blocks = blocks_of([*start, *ops], {*start, *ops}, (*start, *links[-1].end))
    hidden = {node for block in blocks.values() for node in block.ops[:-1]}
    order = [*start, *(node for node in ops if node not in hidden)]
    number = {node: i for i, node in enumerate(order)}
    edges = [edge for node in order[len(start) :] for edge in edges_data(node, blocks.get(node), number, store)]
    factors = formula(edges, order)
    return {
        "sizes": [node.size for node in order], "names": [called(node) for node in order],
        "start": [number[node] for node in links[0].start], "end": [number[node] for node in links[-1].end],
        "edges": edges if all(edge["m"] for edge in edges) else None,
        "formula": factors, "factor": "" if factors else pretty(cut(clean(" · ".join(link.factor for link in links)), 60))}


def forward_data(chain: Chain, links: list[Data], spans: list[range], store: Store) -> Data | None:
    """The first state, and of each link the activation and what it was taken at; None where a link is more than h → φ(W h + …)."""
    if any([factor["k"] for factor in link["formula"]] != [1, 0] for link in links):
        return None
    last = [chain.links[run.stop - 1].ops[-1] for run in spans]
    weights = [edge["m"] for link in links for edge in link["edges"] if edge["k"] == PLACE["weights"]]
    if any(node.op not in ("sigmoid", "tanh", "relu") for node in last) or any(weight["kind"] != "rows" for weight in weights):
        return None
    values = [chain.stations[0][0], *(node.parents[0] for node in last)]
    found = [place[0] for node in values if (place := store.add("arrays", flat(node._value)))]
    return {"h": found[0], "z": found[1:], "op": [node.op for node in last]} if len(found) == len(values) else None


def edges_data(node: Node, block: Block | None, number: dict[Node, int], store: Store) -> list[Data]:
    """The edges into a node; those of a block lead from its end to its start."""
    if block:
        return [edge_data(number[node], number[block.start], block.kind, node.op, matrix_of(block, store))]
    found = []
    for edge in node.edges:
        if edge.parent in number:
            kind = kind_of(node, edge.index)
            other = origin(node.parents[1 - edge.index]) if len(node.parents) > 1 and edge.index < 2 else None
            name = describe(other) if isinstance(other, Node) and part_of(kind) in ("weights", "gates") else node.op
            entrywise = {"e": 1} if isinstance(node.rule, Elementwise) else {}
            found.append(edge_data(number[node], number[edge.parent], kind, name, map_of(edge, store)) | entrywise)
    return found


def edge_data(child: int, parent: int, kind: str, name: str, local: Data | None) -> Data:
    """An edge from the c-th node to the p-th: its part k, its name, its map m."""
    return {"c": child, "p": parent, "k": PLACE[part_of(kind)], "name": pretty(clean(name)), "m": local}


def map_of(edge: Any, store: Store) -> Data | None:
    """The map of an edge; of a layer's rows only the weight, which is that of all of them; of a sigmoid or a tanh its values; of
    a selection, however large, the places."""
    if edge.child.op in ("sigmoid", "tanh") and isinstance(edge.child.rule, Elementwise) and edge.child.shape:
        values, n = store.add("maps", flat(edge.child._value)), edge.child.size
        return {"kind": "diagonal", "of": edge.child.op, "rows": n, "columns": n, "d": values[0]} if values else None
    W: Any = plain(edge.child.parents[1]) if isinstance(edge.child.rule, Linear) and edge.index == 0 else None
    if np.ndim(W) == 2 and edge.child.size:
        found = store.add("maps", flat(W))
        rows = {"kind": "rows", "rows": edge.child.size, "columns": edge.parent.size, "out": W.shape[0]}
        return rows | {"d": found[0]} if found else None
    if type(edge.child.rule) is Select and 0 < edge.child.size * edge.parent.size < 2**31:
        places = np.arange(edge.parent.size).reshape(edge.parent.shape)[edge.child.rule.index].ravel()
        at = (places + edge.parent.size * np.arange(places.size)).astype("<i4")
        picked = kept(store, "sparse", index=at, d=np.ones(places.size))
        return {"rows": places.size, "columns": edge.parent.size} | picked if picked else None
    return map_data(edge.local, store)


def matrix_of(block: Block, store: Store) -> Data | None:
    """The matrix of a factor of several ops: one pull for each row."""
    end, columns = block.ops[-1], block.start.size
    if not 0 < end.size <= MOST_PULLS:
        return None
    found = store.add("maps", flat([block.pull(np.reshape(unit, end.shape)) for unit in np.eye(end.size)]))
    return {"kind": "dense", "rows": end.size, "columns": columns, "d": found[0]} if found else None


def flat(x: Any) -> np.ndarray:
    """All numbers in a row, as the page has them."""
    return np.ascontiguousarray(x, dtype="<f8").ravel()


def called(node: Node) -> str:
    """The name of a node, or its op."""
    return pretty(clean(describe(node))) if node.name else clean(node.op)


def formula(edges: list[Data], order: list[Node]) -> list[Data]:
    """The factors of a link that does not branch, in matrix order; [] for another. f: an activation, taken at; e: by entry."""
    if len(edges) != len(order) - 1 or {edge["p"] for edge in edges} != set(range(len(edges))):
        return []
    index = re.search(r"[₀-₉]+$", called(order[-1]))
    factors = []
    for edge in sorted(edges, key=lambda edge: edge["c"]):
        parent, child = order[edge["p"]], order[edge["c"]]
        if edge["k"] == PLACE["slopes"]:
            at = called(parent) if parent.name else f"z{index[0] if index else ''}"
            factors.append({"k": 0, "f": SIGNS.get(child.op, child.op), "at": at})
        elif not edge["m"] or edge["m"].get("x") != 1:
            factors.append({"k": edge["k"], "t": edge["name"], "e": edge.get("e", 0)})
    return factors
