"""What can the product do to any gradient?  Its singular values, link by link and so far, however long the chain.

    M = J_1ᵀ J_2ᵀ … J_nᵀ = Q · diag(exp d) · U · Vᵀ      one link more:  Jᵀ Q = Q' R,  then diag(exp d') U' = R diag(exp d) U

Only logarithms d of the sizes are kept, and rows of U of length 1, so ten thousand links neither under- nor overflow. Sizes are read
off in two ways that agree only if the links share their directions (normal W), and in the limit of long chains:

    Lyapunov exponents   (1/T) Σ ln |R_ii|, how fast each of n directions grows link by link; their sum is ln |det M| / T
    singular values      of M itself, how much it stretches from end to end; the largest is the worst gain

    J  Jacobian of a link      Q  orthonormal      R  upper triangular      W  matrix      λ  eigenvalue      g  gradient      h  state
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autodiff.maps import DENSE_LIMIT
from ..text.lines import Printed, clean
from ..text.numbers import figure, numbers, signed
from ..text.tables import aligned, shortened
from .chain import Chain

RANGE = 600.0  # nats that fit into the exponent of a float, with room to multiply
TURN = 9.0  # nats: four of sixteen digits


class Spectrum(Printed):
    """The singular values of a chain's links and of its running product. Logarithms in nats.

    .singular_values   per link, largest first               .radius     spectral radius per link; None where it is not square
    .running[i]        ln singular values of the product from the output back to stations[i]; zeros at the output
    .lyapunov          finite-time Lyapunov exponents, (1/T) Σ ln |R_ii|, T links; as many as the smallest station has numbers
    .angle             degrees between the gradient at the source and the direction most stretched there
    .condition         ln (largest / smallest singular value) per link and .running_condition of the product

    Time and memory grow linearly with the number of links. ValueError where a station has more than 2,000 numbers (a dense
    Jacobian each is too much; a smaller model or batch shows the same) or a link holds nan or inf.
    """

    def __init__(self, chain: Chain):
        check_sizes(chain)
        self.names, self.stations = [link.name for link in chain.links], list(chain.names)
        self.product = LogProduct(starting_frame(chain.links, chain.output.size))
        self.singular_values: list[np.ndarray] = []
        self.radius: list[float | None] = []
        self.running = [np.zeros(chain.output.size)]
        for link in reversed(chain.links):
            J = dense(link)
            self.product.pull(J)
            self.singular_values.append(np.linalg.svd(J, compute_uv=False))
            self.radius.append(radius(J) if J.shape[0] == J.shape[1] else None)
            self.running.append(self.product.log_singular_values())
        for listed in (self.singular_values, self.radius, self.running):
            listed.reverse()
        self.lyapunov = -np.sort(-self.product.stretched) / max(len(chain.links), 1)
        self.angle = self.product.angle(np.ravel(chain.gradients[-1]))

    @property
    def condition(self) -> list[float]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [float(np.log(s[0]) - np.log(s[-1])) for s in self.singular_values]

    @property
    def running_condition(self) -> list[float]:
        with np.errstate(invalid="ignore"):
            return [float(logs[0] - logs[-1]) for logs in self.running]

    def product_radius(self) -> float:
        """ρ(M)^(1/T): the largest |eigenvalue| of the whole product, per link. ValueError unless source and output are equal in size.

        What repeating the *whole* chain would do; one pass of a non-normal chain may stretch far more (see .running).
        """
        return math.exp(self.product.log_radius() / max(len(self.names), 1))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text; nan and infinities as text, so json.dumps takes it."""
        kept = ("singular_values", "radius", "running", "lyapunov", "angle", "condition", "running_condition")
        return {"links": self.names, "stations": self.stations} | {name: numbers(getattr(self, name)) for name in kept}

    def __str__(self) -> str:
        rows = [("link", "σ max", "σ min", "ρ", "ln σ max so far", "ln σ min so far")]
        for k in reversed(range(len(self.names))):
            s, logs, rho = self.singular_values[k], self.running[k], self.radius[k]
            at = "-" if rho is None else figure(rho)
            rows.append((clean(self.names[k]), figure(s[0]), figure(s[-1]), at, signed(logs[0]), signed(logs[-1])))
        per_link = self.running[0] / max(len(self.names), 1)
        lines = shortened(aligned(rows, left=0)) + [
            f"per link, of {len(self.names)}      largest … smallest, nats",
            f"  ln singular values  {ends(per_link)}   (of the product: end to end)",
            f"  Lyapunov exponents  {ends(self.lyapunov)}   (of the steps: diagonal of R)",
            f"angle of the gradient to the most stretched direction: {self.angle:.1f}°",
        ]
        if len(self.running[0]) == 1:
            lines.append("one number at an end leaves one direction; for all, take a state as output")
        return "\n".join(lines)

    __repr__ = __str__


class LogProduct:
    """A product of matrices, M = Q · diag(exp d) · U · Vᵀ, built up from the right by pull(J): M becomes Jᵀ M.

    Q (n, r) orthonormal      d (r,) logarithms, nats      U (r, k) rows of length 1      V (m, k) the frame it starts from
    stretched (r,)  Σ ln |R_ii| over the factors so far
    """

    def __init__(self, frame: np.ndarray):
        self.V = self.Q = frame
        k = frame.shape[1]
        self.U, self.d, self.stretched, self.allowed = np.eye(k), np.zeros(k), np.zeros(k), np.full(k, TURN)

    def pull(self, J: np.ndarray) -> None:
        """Multiply by Jᵀ from the left. J is (n_out, n_in)."""
        A = J.T @ self.Q
        with np.errstate(divide="ignore", invalid="ignore"):
            if np.any(self.d - self.stretched > self.allowed):
                self.reorder()
                A = J.T @ self.Q
            self.Q, R = np.linalg.qr(A)
            self.stretched = self.stretched[: len(R)] + np.log(np.abs(np.diagonal(R)))
            logs = np.log(np.abs(R)) + self.d
            top = np.max(logs, axis=1)
            top = np.where(np.isfinite(top), top, 0.0)
            rows = (np.sign(R) * np.exp(logs - top[:, None])) @ self.U
            size = np.linalg.norm(rows, axis=1)
            self.d, self.U = top + np.log(size), rows / np.where(size > 0, size, 1.0)[:, None]
            self.allowed = self.allowed[: len(R)]

    def reorder(self) -> None:
        """Take the directions in another order, the fastest first: M = (Q Q') · R' · (V P)ᵀ with Q' R' = diag(exp d) U P, P a permutation.

        Q' turns those that are within RANGE nats of the fastest; beside it the others are 0.

        If a slow one comes before a fast one and R has it grow by the other's share alone, rows of U become alike, and the
        slow one is lost in rounding. So d, the size of the rows, may run ahead of the diagonal of R by TURN nats before this.
        """
        order = np.argsort(-self.d, kind="stable")
        self.Q, self.d, self.U, self.stretched = self.Q[:, order], self.d[order], self.U[order], self.stretched[order]
        fast = self.d >= self.d[0] - RANGE  # the others, and those that are exactly 0, stay as they are
        m = int(np.sum(fast)) if math.isfinite(self.d[0]) else 0
        if m:
            matrix, top = self.scaled()
            columns = np.argsort(-np.linalg.norm(matrix, axis=0), kind="stable")
            turn, R = np.linalg.qr(matrix[:m, columns])
            peak = np.max(np.abs(R), axis=1, keepdims=True)
            R = R / np.where(peak > 0, peak, 1.0)  # its rows may be so small that their squares are 0
            size = np.linalg.norm(R, axis=1)
            self.Q, self.V, self.U = np.hstack([self.Q[:, :m] @ turn, self.Q[:, m:]]), self.V[:, columns], self.U[:, columns]
            self.U[:m] = R / np.where(size > 0, size, 1.0)[:, None]
            self.d[:m], self.stretched[:m] = (top + np.log(peak[:, 0]) + np.log(x) for x in (size, np.abs(np.diagonal(R))))
        ahead = self.d - self.stretched
        self.allowed = np.where(np.isfinite(ahead), ahead + TURN, np.inf)

    def log_singular_values(self) -> np.ndarray:
        """ln singular values of M (r,), largest first, small ones included: those of links changed in their last digits.

        Digits are lost only if a direction was once the fastest by many nats and then fell behind: 1e-16 · e^(lead) of them.
        """
        order = np.argsort(-self.d)
        logs, n = np.full(len(order), -np.inf), int(np.sum(np.isfinite(self.d)))
        d, U = self.d[order][:n], self.U[order][:n]
        for _ in range(2 if n and d[0] - d[-1] > RANGE else 0):
            U = turned(turned(U, d).T, d).T  # two steps of the QR iteration for singular values: U nears a diagonal
        L = np.asarray(np.linalg.qr(U.T, mode="r")).T
        with np.errstate(divide="ignore"):
            for a, b in blocks(d):
                graded = np.exp(d[a:b] - d[a])[:, None] * L[a:b, a:b]
                logs[a:b] = d[a] + np.log(np.linalg.svd(graded, compute_uv=False))
        return -np.sort(-logs)

    def scaled(self) -> tuple[np.ndarray, float]:
        """diag(exp d) U without its scale, (r, k), and the logarithm of that scale; what is far smaller than the rest becomes 0."""
        top = float(np.max(self.d, initial=-math.inf))
        return (np.exp(self.d - top)[:, None] * self.U, top) if math.isfinite(top) else (0.0 * self.U, 0.0)

    def angle(self, seed: np.ndarray) -> float:
        """Degrees, 0 to 90, between M · seed and the direction M stretches most; nan if M · seed is 0."""
        matrix, _ = self.scaled()
        moved, top = matrix @ (self.V.T @ seed), np.linalg.svd(matrix)[0][:, 0]
        along = float(moved @ top)
        return math.degrees(math.atan2(np.linalg.norm(moved - along * top), abs(along))) if np.any(moved) else math.nan

    def log_gain(self, seed: np.ndarray) -> float:
        """ln |M · seed| / |seed|."""
        matrix, log = self.scaled()
        with np.errstate(divide="ignore"):
            return float(np.log(np.linalg.norm(matrix @ (self.V.T @ seed)) / np.linalg.norm(seed)) + log)

    def log_radius(self) -> float:
        """ln of the largest |eigenvalue| of M. ValueError unless M is square."""
        if self.Q.shape[0] != self.V.shape[0]:
            raise ValueError(f"a product of shape {self.Q.shape[0]} × {self.V.shape[0]} is not square, so it has no eigenvalues")
        matrix, log = self.scaled()
        rho = radius(matrix @ (self.V.T @ self.Q))
        return math.log(rho) + log if rho else -math.inf


def starting_frame(links: list, m: int) -> np.ndarray:
    """Orthonormal columns (m, k) to start from: the directions that the last links stretch most, second most, …

    Any frame gives the same M. This one has its columns in order of growth, and for a normal W it is W's own: then every R is
    diagonal, and the exponents are ln |λ| at once. Links that stretch all directions alike say nothing and are passed over.
    """
    M = np.eye(m)
    for link in reversed(links):
        M = dense(link).T @ M
        M = M / (np.max(np.abs(M)) or 1.0)
        _, s, Vt = np.linalg.svd(M, full_matrices=False)
        if not s[-1] >= 0.999 * s[0] or len(s) < m:
            return Vt.T
    return np.eye(m)


def turned(U: np.ndarray, d: np.ndarray) -> np.ndarray:
    """One half-step: diag(exp d) U = diag(exp d) L Qᵀ, and of that K = diag(exp d) L diag(exp −d), (r, r), lower triangular."""
    L = np.asarray(np.linalg.qr(U.T, mode="r")).T
    return np.tril(L * np.exp(np.minimum(d[:, None] - d[None, :], 0.0)))


def blocks(d: np.ndarray) -> list[tuple[int, int]]:
    """Cut a falling sequence of logarithms, at its widest gaps, into stretches whose range fits into a float."""
    done, todo = [], [(0, len(d))] if len(d) else []
    while todo:
        a, b = todo.pop()
        if d[a] - d[b - 1] <= RANGE:
            done.append((a, b))
        else:
            cut = a + 1 + int(np.argmax(d[a : b - 1] - d[a + 1 : b]))
            todo += [(a, cut), (cut, b)]
    return done


def check_sizes(chain: Chain) -> None:
    """ValueError above 2,000 numbers in a station."""
    for name, g in zip(chain.names, chain.gradients):
        if np.size(g) > DENSE_LIMIT:
            raise ValueError(
                f"{name} has {np.size(g)} numbers; the spectrum needs dense Jacobians and stops at {DENSE_LIMIT}. Take a smaller "
                "model, one sequence of the batch, or stations with fewer numbers (through=…); the chain's gains need no dense matrix"
            )


def dense(link: Any) -> np.ndarray:
    """The Jacobian of a link, (n_out, n_in); ValueError, by name, if it holds nan or inf."""
    J = link.dense()
    if not np.all(np.isfinite(J)):
        raise ValueError(f"the link {link.name} holds nan or inf, so it has no singular values")
    return J


def radius(J: np.ndarray) -> float:
    """ρ(J), the largest |eigenvalue|."""
    return float(np.max(np.abs(np.linalg.eigvals(J)), initial=0.0))


def ends(logs: np.ndarray) -> str:
    return " … ".join(signed(x) for x in (logs[[0, -1]] if len(logs) > 1 else logs[:1]))


def spectrum(chain: Chain) -> Spectrum:
    """Singular values of each link and of the running product, Lyapunov exponents."""
    return Spectrum(chain)
