"""What can the product do to any gradient?  Its singular values, link by link and so far, however long the chain.

    M = J_1ᵀ J_2ᵀ … J_nᵀ        kept as logarithms, see product.py: ten thousand links neither under- nor overflow

    Lyapunov exponents   (1/T) Σ ln |R_ii|, how fast each of n directions grows link by link; their sum is ln |det M| / T
    singular values      of M itself, how much it stretches from end to end; the largest is the worst gain

The two agree only if the links share their directions (normal W), and in the limit of long chains.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np

from ..autodiff.maps import DENSE_LIMIT
from ..text.lines import Result
from ..text.numbers import figure, shown, signed
from ..text.tables import folded, table
from .chain import Chain
from .product import KNOWN, CheckedProduct

AT_ONCE = 2**20  # numbers
NOT_KNOWN = f"?: not known to {KNOWN}; it depends on the last digits of the links"


class Spectrum(Result):
    """The singular values of a chain's links and of its running product. Logarithms in nats.

    .singular_values   per link, largest first               .radius     spectral radius per link; None where it is not square
    .running[i]        ln singular values of the product from the output back to stations[i]; zeros at the output
    .known[i]          for each of running[i], whether it is known to 0.01 nats, or the last digits of the links change it
    .lyapunov          finite-time Lyapunov exponents, (1/T) Σ ln |R_ii|, T links; as many as the smallest station has numbers
    .angle             degrees between the gradient at the source and the direction most stretched there

    Time and memory grow linearly with the number of links. ValueError where a station has no numbers or more than 2,000 (a dense
    Jacobian each is too much; a smaller model or batch shows the same) or a link holds nan or inf.
    """

    kept = ("links", "stations", "singular_values", "radius", "running", "known", "lyapunov", "lyapunov_known", "angle")

    def __init__(self, chain: Chain):
        check_sizes(chain)
        self.links, self.stations = [link.name for link in chain.links], list(chain.names)
        product = CheckedProduct(starting_frame(chain.links, chain.output.size))
        self.singular_values: list[np.ndarray] = []
        self.radius: list[float | None] = []
        self.running = [np.zeros(chain.output.size)]
        self.known = [np.ones(chain.output.size, dtype=bool)]
        for Js in stacks(reversed(chain.links)):
            sizes = np.linalg.svd(Js, compute_uv=False)
            self.singular_values += list(sizes)
            self.radius += spectral_radius(Js).tolist() if Js.shape[1] == Js.shape[2] else [None] * len(Js)
            logs, known = product.pull_all(Js, sizes[:, 0])
            self.running += list(logs)
            self.known += list(known)
        for listed in (self.singular_values, self.radius, self.running, self.known):
            listed.reverse()
        self.lyapunov, self.lyapunov_known = product.exponents(len(chain.links))
        self.angle = product.angle(np.ravel(chain.gradients[-1]))

    def __str__(self) -> str:
        rows = []
        for name, s, rho, *so_far in zip(self.links, self.singular_values, self.radius, self.running, self.known):
            told = ends(*so_far)
            rows.append((name, figure(s[0]), figure(s[-1]), shown(rho), told[0], told[-1]))
        per_link = ends(self.running[0] / max(len(self.links), 1), self.known[0])
        lines = [
            table(folded(rows[::-1]), ("link", "σ max", "σ min", "ρ", "ln σ max so far", "ln σ min so far")),
            f"per link, of {len(self.links)}      largest … smallest, nats",
            f"  ln singular values  {' … '.join(per_link)}   (of the product: end to end)",
            f"  Lyapunov exponents  {' … '.join(ends(self.lyapunov, self.lyapunov_known))}   (of the steps: diagonal of R)",
            f"angle of the gradient to the most stretched direction: {self.angle:.1f}°"]
        if len(self.running[0]) == 1:
            lines.append("one number at an end leaves one direction; for all, take a state as output")
        return "\n".join(lines + [NOT_KNOWN] * any("?" in line for line in lines[1:]))


def starting_frame(links: list, m: int) -> np.ndarray:
    """Orthonormal columns (m, k) to start from: the directions that the last links stretch most, second most, …

    Any frame gives the same M. This one has its columns in order of growth, and for a normal W it is W's own: then every R is
    diagonal, and the exponents are ln |λ| at once. Links that stretch all directions alike say nothing and are passed over.
    """
    M = np.eye(m)
    for link in reversed(links) if m > 1 else []:
        M = dense(link).T @ M
        M = M / (np.max(np.abs(M)) or 1.0)
        _, s, Vt = np.linalg.svd(M, full_matrices=False)
        if not s[-1] >= 0.999 * s[0] or len(s) < m:
            return Vt.T
    return np.eye(m)


def check_sizes(chain: Chain) -> None:
    """ValueError for none, or above 2,000 numbers in a station."""
    for name, g in zip(chain.names, chain.gradients):
        if not np.size(g):
            raise ValueError(f"{name} has no numbers, so there are no singular values; give the chain a source that is not empty")
        if np.size(g) > DENSE_LIMIT:
            raise ValueError(
                f"{name} has {np.size(g)} numbers; the spectrum needs dense Jacobians and stops at {DENSE_LIMIT}. Take a smaller "
                "model, one sequence of the batch, or stations with fewer numbers (through=…); the chain's gains need no dense matrix"
            )


def stacks(links: Iterable) -> Iterator[np.ndarray]:
    """The Jacobians of the links, (c, n_out, n_in): of links in a row that are alike, as many as have a million numbers together."""
    for shape, alike in groupby(map(dense, links), key=np.shape):
        while held := list(islice(alike, max(1, AT_ONCE // max(1, math.prod(shape))))):
            yield np.array(held)


def dense(link: Any) -> np.ndarray:
    """The Jacobian of a link, (n_out, n_in); ValueError, by name, if it holds nan or inf."""
    J = link.dense()
    if not np.all(np.isfinite(J)):
        raise ValueError(f"the link {link.name} holds nan or inf, so it has no singular values")
    return J


def spectral_radius(Js: np.ndarray) -> np.ndarray:
    """ρ, the largest |eigenvalue|, of each of several square matrices."""
    return np.max(np.abs(np.linalg.eigvals(Js)), axis=-1, initial=0.0)


def ends(logs: np.ndarray, known: np.ndarray) -> list[str]:
    """The first and the last, as text; one if there is but one."""
    return [signed(logs[k]) + ("" if known[k] else "?") for k in ((0, -1) if len(logs) > 1 else (0,))]


def spectrum(chain: Chain) -> Spectrum:
    """Singular values of each link and of the running product, Lyapunov exponents."""
    return Spectrum(chain)
