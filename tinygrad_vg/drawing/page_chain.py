"""What does the page's chain tab show?  One row per link, from the output back, and who shrank the gradient there, in nats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..chain import Chain
from ..chain.blame_table import ROUNDING
from ..chain.table import typical_and_worst
from ..text.lines import clean
from .elements import Picture, label_of
from .page_maps import js_number

MOST = 2_000  # links


def chain_data(chain: Chain, picture: Picture) -> dict[str, Any]:
    """The chain for the page: names as text, each station with the number of its box where it is drawn."""
    place = {(id(box.value), box.name): i for i, box in reversed(list(enumerate(picture.boxes))) if box.kind != "constant"}
    rows = [
        {
            "link": clean(link.name), "factor": clean(link.factor), "gain": js_number(link.gain), "log10": js_number(log / math.log(10)),
            "box": box_of(station[0], place), "wide": typical_and_worst(link) if len(chain.links) <= 100 else ("", ""),
        }
        for link, log, station in zip(chain.links, chain.log_product, chain.stations)
    ]  # fmt: skip
    return {"rows": rows[::-1][:MOST], "blame": blame_data(chain), "ends": [clean(chain.names[-1]), clean(chain.names[0])]}


def box_of(node: Node, place: dict[tuple[int, str], int]) -> int | None:
    """The number of the box drawn for a node: the one of its name that holds the very same value."""
    return place.get((id(node.data), label_of(node)))


def blame_data(chain: Chain) -> dict[str, Any]:
    """The sentence, and the nats of each link by kind; kinds that did nothing are left out."""
    with np.errstate(all="ignore"):
        blame = chain.blame()
    kinds = [kind for kind in blame.parts if any(abs(row["parts"][kind]) > ROUNDING for row in blame.by_link)]
    rows = [{"link": clean(row["link"]), "parts": [js_number(row["parts"][kind]) for kind in kinds]} for row in blame.by_link[::-1]]
    return {"sentence": clean(blame.sentence), "kinds": kinds, "rows": rows[:MOST], "sum": [js_number(blame.parts[kind]) for kind in kinds]}
