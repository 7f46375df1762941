"""What is the product?  A Chain: the stations from source to output, the links between them, and what each link did.

    g_source = J_1ᵀ J_2ᵀ … J_nᵀ g_output        gain of link i = |g at its start| / |g at its end|

Exact in any graph, because no path goes round a station. The gradient is carried with a power of two kept apart, which
loses no digit and lets the product be followed far below the smallest float.

    g  gradient      J  Jacobian of a link
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from copy import copy
from typing import Any

import numpy as np

from ..autodiff.calculus import differentiable
from ..autodiff.core import Node, describe
from ..text.lines import cut, preformatted
from ..text.numbers import jsonable, numbers
from .account import walk_through
from .factors import norm, scaled
from .links import Link, Replaced, Without, as_map
from .stations import automatic, chosen, named, packed, paths_between, silent_edges, still_open, why_not
from .table import table

SAFE = (1e-290, 1e290)  # lengths at which a float keeps its digits


class Chain:
    """The chain-rule product from `output` back to `source`, computed when made.

    through  None: cut at every station, each link one op where the path does not branch
             a list of stations, each a node or a tuple of nodes, e.g. the states of an unrolled cell
    seed     the gradient to start from; may be left out if the output is one number

    .stations    groups of nodes as a list of tuples, source first     .gradients  the gradient at each station
    .links       links[i] maps stations[i] to stations[i+1]; each has .name, .local (a linear map), .gain, .factor (text)
    .log_product ln |gradient at station i| / |seed|, right even where the product of the links underflows

    print() and .table() show it; .blame(), .spectrum(), .horizon() ask who shrank it, how, and how far it reaches; .replace()
    gives the same product with one factor changed.

    ValueError if the output does not depend on the source or a station does not stop every path; RuntimeError if a leaf
    changed since the forward pass.

    >>> from tinygrad_vg import Scalar, Chain
    >>> x = Scalar(0.5, name="x")
    >>> y = (x * 2.0).named("y")
    >>> print(Chain(y.tanh().named("z"), x))
    link   multiplied by  gain  log10 product
    y → z  1 - z * z      0.42          -0.38  ▊
    x → y  2                 2          -0.08  ▏
    bar: 2 columns a decade, ▒ above 1, » beyond 6
    """

    blame: Any  # the questions that are asked of a chain are attached to it in __init__.py
    spectrum: Any
    horizon: Any

    def __init__(self, output: Node, source: Node, through: Iterable[Any] | None = None, seed: Any = None):
        for node, role in ((output, "output"), (source, "source")):
            if not isinstance(node, Node):
                hint = "; of a state (h, c) give one, as states[0][1]" if isinstance(node, tuple) else ""
                raise TypeError(f"the {role} of a chain must be a node (a Scalar or a Tensor), got {type(node).__name__}{hint}")
        differentiable(output)
        path = paths_between(source, output)
        self.output, self.source, self.seed = output, source, seed
        with np.errstate(all="ignore"):
            silent = silent_edges(path, start := output.start(seed))
        path, silent = (found, silent) if silent and (found := still_open(path, silent)) else (path, set())
        self.stations = automatic(path, silent) if through is None else chosen(through, path)
        on_path = set(path)
        self.links: list[Any] = [Link(a, b, on_path, silent) for a, b in zip(self.stations, self.stations[1:])]
        for link in self.links:
            if source in set(link.ops):
                raise ValueError(why_not(link.start, link.end, path, silent))
        with np.errstate(all="ignore"):
            self.pull_through(start)

    def pull_through(self, seed: Any) -> None:
        """Pull the seed back link by link: at each station the gradient, its direction (of a length near 1), the log of its size."""
        g, exponent = packed((self.output,), {self.output: seed}), 0
        first = length = norm(g)
        gradients, directions, logs = [g], [g], [0.0]
        for link in reversed(self.links):
            before = length
            g, far = pulled(link, g, length)
            g, shift, length = scaled(g)
            link.gain = float(np.ldexp(length, shift + far)) / before if before else math.nan
            exponent += far + shift
            gradients.append(np.ldexp(g, exponent))
            directions.append(g)
            logs.append(math.log(length / first) + exponent * math.log(2) if length and first else -math.inf)
        self.gradients, self.directions, self.log_product = gradients[::-1], directions[::-1], logs[::-1]

    @property
    def names(self) -> list[str]:
        """The stations' names, from the source to the output."""
        return [named(group) for group in self.stations]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, every digit kept; nan and infinities as text, so json.dumps takes it."""
        return {
            "source": describe(self.source), "output": describe(self.output), "stations": self.names,
            "links": [{"name": link.name, "factor": link.factor, "gain": jsonable(link.gain)} for link in self.links],
            "log_product": numbers(self.log_product), "gradients": [numbers(np.ravel(g)) for g in self.gradients]}

    def table(self, detail: bool = False, width: int = 80, typical: bool = True) -> str:
        """The chain as text: one row per link (detail: per op, where the path does not branch), from the output back.

        Beside the actual gain, where the link has at most 200 numbers on either side, the typical one, |J|_F / √n, that a
        random gradient would have (n: the link's output size), and the worst, σ_max. Above 40 rows it folds, and says so.
        """
        return table(self.detailed() if detail else self, width, typical=typical)

    def detailed(self) -> Chain:
        """The same chain, cut also at every station within its links: a row for each op where the path does not branch."""
        fine, k = Chain(self.output, self.source, [station for link in self.links for station in link.stations[1:]], self.seed), 0
        for link in self.links:
            if isinstance(link, Replaced):
                fine = fine.replace(k, link.local)
            k += len(link.stations) - 1
        return fine

    def replace(self, link: int | str, map: Any = 1.0, *, without: Any = None) -> Chain:
        """The same product with one factor replaced: what would the gradient be if …?

        link     its index, or its name (or that of its start, if that says which)
        map      a linear map; a number or an array for a diagonal, 1.0 being the identity; or a matrix (out, in)
        without  "tanh", or a weight or gate, or its name ("W", or for one index "W[3]"): leave the link as it is, in its branches
                 too, but for each edge with that factor. There slopes are 1, and a square weight is the identity

        The chain returned has no graph behind that link. KeyError or IndexError for no such link, ValueError for no such factor
        or if shapes do not fit.
        """
        i = self.index(link)
        other = copy(self)
        other.links = [copy(one) for one in self.links]
        old = other.links[i]
        other.links[i] = Replaced(old, as_map(map, old) if without is None else Without(old, without))
        with np.errstate(all="ignore"):
            other.pull_through(self.output.start(self.seed))
        return other

    def index(self, link: int | str) -> int:
        """Which link has this name, "h[3] → h[4]" or "h[3] -> h[4]", or starts at a station of this name."""
        if not isinstance(link, str):
            return range(len(self.links))[link]
        names, arrow = [one.name for one in self.links], re.sub(r"\s*(→|->)\s*", " → ", link)
        found = [i for i, name in enumerate(names) if name in (link, arrow)]
        found = found or [i for i, name in enumerate(self.names[:-1]) if name == link]
        if len(found) != 1:
            raise KeyError(f"{len(found) or 'no'} links are called {link!r}; the links are {cut(', '.join(names), 200, middle=True)}")
        return found[0]

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return preformatted(self.table(width=104))  # as wide as a cell of JupyterLab on a screen of 1280 pixels

    def __repr__(self) -> str:
        log = self.log_product[0] / math.log(10)
        return f"Chain({describe(self.output)} back to {describe(self.source)}: {len(self.links)} links, product 10^{log:+.2f})"


def pulled(link: Any, g: np.ndarray, length: float) -> tuple[np.ndarray, int]:
    """(gradient, exponent) of g pulled through a link; by a walk that keeps exponents, if a float under- or overflows within it."""
    found = link.pull(g)
    if SAFE[0] < norm(found) < SAFE[1] or not SAFE[0] < length < SAFE[1] or isinstance(link, Replaced):
        return found, 0
    walk = walk_through([link], g)
    at = {node: walk.at[node] for node in link.start if node in walk.at}
    top = max((part.e for part in at.values() if part.size), default=0)
    if not math.isfinite(walk.together(at).log):  # it is 0, or not finite, wherever it is kept
        return found, 0
    return packed(link.start, {node: np.ldexp(part.c, part.e - top) for node, part in at.items()}), top
