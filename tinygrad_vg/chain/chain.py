"""What is the product?  A Chain: the stations from source to output, the links between them, and what each link did.

    g_source = J_1ᵀ J_2ᵀ … J_nᵀ g_output        gain of link i = |g at its start| / |g at its end|

Exact in any graph, because no path goes round a station. The gradient is carried with a power of two kept apart, which
loses no digit and lets the product be followed far below the smallest float.

    g  gradient      J  Jacobian of a link
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.node import Node, describe
from ..autodiff.sweep import differentiable, start
from .links import Link
from .stations import automatic, chosen, named, packed, paths_between, why_not
from .table import table


class Chain:
    """The chain-rule product from `output` back to `source`, computed when made.

    through  None: cut at every station, each link one op where the path does not branch
             a list of stations, each a node or a tuple of nodes, e.g. the states of an unrolled cell
    seed     the gradient to start from; may be left out if the output is one number

    .stations    groups of nodes as a list of tuples, source first     .gradients  the gradient at each station
    .links       links[i] maps stations[i] to stations[i+1]; each has .name, .local (a linear map), .gain, .factor (text)
    .log_product ln |gradient at station i| / |seed|, right even where the product of the links underflows

    ValueError if the output does not depend on the source or a station does not stop every path; RuntimeError if a leaf
    changed since the forward pass.

    >>> from tinygrad_vg import Scalar, Chain
    >>> x = Scalar(0.5, name="x")
    >>> y = (x * 2.0).named("y")
    >>> print(Chain(y.tanh().named("z"), x))
    link  multiplied by gain log10 product
    y → z 1 - z * z     0.42         -0.38 █████████████████████████████████████████
    x → y 2                2         -0.08 ████████▎
    """

    def __init__(self, output: Node, source: Node, through: Iterable[Any] | None = None, seed: Any = None):
        for node, role in ((output, "output"), (source, "source")):
            if not isinstance(node, Node):
                raise TypeError(f"the {role} of a chain must be a node (a Scalar or a Tensor), got {type(node).__name__}")
        differentiable(output)
        path = paths_between(source, output)
        self.output, self.source = output, source
        self.stations = automatic(path) if through is None else chosen(through, path)
        on_path = set(path)
        self.links = [Link(a, b, on_path) for a, b in zip(self.stations, self.stations[1:])]
        for link in self.links:
            if source in set(link.ops):
                raise ValueError(why_not(link.start, link.end, path))
        with np.errstate(all="ignore"):
            self.gradients, self.log_product = self.pull_through(start(output, seed))

    def pull_through(self, seed: Any) -> tuple[list[np.ndarray], list[float]]:
        """Pull the seed back link by link: the gradient at each station and the log of its size relative to the seed's."""
        g, exponent = packed((self.output,), {self.output: seed}), 0
        size = norm(g)
        gradients, logs = [g], [0.0]
        for link in reversed(self.links):
            before = norm(g)
            g = link.pull(g)
            link.gain = norm(g) / before if before else math.nan
            shift = math.frexp(norm(g))[1] if math.isfinite(norm(g)) else 0
            g, exponent = np.ldexp(g, -shift), exponent + shift
            gradients.append(np.ldexp(g, exponent))
            logs.append(math.log(norm(g) / size) + exponent * math.log(2) if norm(g) and size else -math.inf)
        return gradients[::-1], logs[::-1]

    @property
    def names(self) -> list[str]:
        return [named(group) for group in self.stations]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, every digit kept; nan and infinities as text, so json.dumps takes it."""
        return {
            "source": describe(self.source),
            "output": describe(self.output),
            "stations": self.names,
            "links": [{"name": link.name, "factor": link.factor, "gain": jsonable(link.gain)} for link in self.links],
            "log_product": [jsonable(x) for x in self.log_product],
            "gradients": [[jsonable(x) for x in np.ravel(g).tolist()] for g in self.gradients],
        }

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        log = self.log_product[0] / math.log(10)
        return f"Chain({describe(self.output)} back to {describe(self.source)}: {len(self.links)} links, product 10^{log:+.2f})"


def norm(g: Any) -> float:
    """|g|, the Euclidean length over all entries; neither over- nor underflows on the way."""
    top = float(np.max(np.abs(g), initial=0.0))
    return top * float(np.linalg.norm(np.ravel(g / top))) if 0 < top < math.inf else top


def jsonable(x: float) -> Any:
    return x if math.isfinite(x) else str(x)
