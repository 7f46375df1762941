"""How is a long product of matrices kept without under- or overflow?  In two forms, each right where the other may not be.

    M = J_1ᵀ J_2ᵀ … J_nᵀ = Q · diag(exp d) · U      one link more:  Jᵀ Q = Q' R,  then diag(exp d') U' = R diag(exp d) U

LogProduct keeps logarithms of the sizes: it follows small singular values as well as large ones, exact for links changed in their
last digits. But what makes powers of a Jordan-like W small are its exact zeros, and QR fills them with roundings. In PlainProduct,
multiplied out and rescaled, a zero stays a zero; only its largest singular value is good.

Which digits are known? CheckedProduct takes each form a second time with links changed at random, and tells where the two
agree: QR's links by 16 roundings of their size, the plain product's entry by entry.

    J  Jacobian of a link      Q  orthonormal      R  upper triangular      W  matrix
"""

import math
from typing import Any

import numpy as np

from .factors import scaled

RANGE = 600.0  # nats that fit into the exponent of a float, with room to multiply
TURN = 9.0  # nats: four of sixteen digits
LAST_DIGITS, KNOWN, CERTAIN = 2.0**-48, 0.01, 1e-9  # how far links are changed; nats by which the logarithms may then differ
LEAST = 1e-290  # of an entry beside the largest, whose square and product with a link are still floats


class LogProduct:
    """A product of matrices, M = Q · diag(exp d) · U, built up from the right by pull(J): M becomes Jᵀ M.

    Q (n, r) orthonormal      d (r,) logarithms, nats      U (r, m) rows of length 1      stretched (r,)  Σ ln |R_ii| so far

    Digits are lost only if a direction was once the fastest by many nats and then fell behind: 1e-16 · e^(lead) of them.
    """

    def __init__(self, frame: np.ndarray):
        self.Q, self.U, r = frame, frame.T.copy(), frame.shape[1]
        self.d, self.stretched, self.allowed = np.zeros(r), np.zeros(r), np.full(r, TURN)

    def pull(self, J: np.ndarray) -> None:
        """Multiply by Jᵀ from the left. J is (n_out, n_in)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if np.any(self.d - self.stretched > self.allowed):
                self.reorder()
            self.Q, R = np.linalg.qr(J.T @ self.Q)
            self.stretched = self.stretched[: len(R)] + np.log(np.abs(np.diagonal(R)))
            self.d, self.U = rows_of(R, self.d, self.U)
            self.allowed = self.allowed[: len(R)]

    def reorder(self) -> None:
        """Take the directions in another order, the fastest first, and turn those within RANGE nats of it: M = (Q Q') · R' · U'.

        If a slow one comes before a fast one and R has it grow by the other's share alone, rows of U become alike, and the
        slow one is lost in rounding. So d, the size of the rows, may run ahead of the diagonal of R by TURN nats before this.
        """
        order = np.argsort(-self.d, kind="stable")
        self.Q, self.d, self.U, self.stretched = self.Q[:, order], self.d[order], self.U[order], self.stretched[order]
        top = self.d[0]
        m = int(np.sum(self.d >= top - RANGE)) if math.isfinite(top) else 0  # the others stay as they are
        if m:
            frame, L = np.linalg.qr(self.U[:m].T)  # U = Lᵀ · frameᵀ
            turn, R = np.linalg.qr(np.exp(self.d[:m] - top)[:, None] * L.T)
            self.Q[:, :m] = self.Q[:, :m] @ turn
            self.stretched[:m] = top + np.log(np.abs(np.diagonal(R)))
            self.d[:m], self.U[:m] = rows_of(R, np.full(len(R), top), frame.T)
        ahead = self.d - self.stretched
        self.allowed = np.where(np.isfinite(ahead), ahead + TURN, np.inf)

    def scaled(self) -> np.ndarray:
        """diag(exp d) U without its scale, (r, m); what is far smaller than the rest becomes 0."""
        top = float(np.max(self.d, initial=-math.inf))
        return np.exp(self.d - (top if math.isfinite(top) else 0.0))[:, None] * self.U


class PlainProduct:
    """The same product multiplied out, M = P · 2^exponent, with P of a length near 1.

    whole   no entry has become so small that it was lost, or will be, beside the largest
    """

    def __init__(self, m: int):
        self.P, self.exponent, self.whole = np.eye(m), 0, True

    def pull(self, J: np.ndarray) -> None:
        """Multiply by Jᵀ from the left."""
        made: Any = self.whole and (J != 0).T.astype(float) @ (self.P != 0) > 0  # the entries that no zero of J or P forbids
        self.P, shift, _ = scaled(J.T @ self.P)
        self.exponent += shift
        self.whole = self.whole and not np.any(np.abs(self.P[made]) < LEAST)


class CheckedProduct:
    """Both forms, and each a second time with its links changed in their last digits.

    largest_known  whether the plain product's largest singular value is certain
    rank           at most so many directions are left: in every link so many rows and columns are not all zero
    """

    def __init__(self, frame: np.ndarray):
        self.forms = LogProduct(frame), LogProduct(frame)
        self.plains = PlainProduct(len(frame)), PlainProduct(len(frame))
        self.rng, self.largest_known, self.rank = np.random.default_rng(0), True, frame.shape[1]

    def pull(self, J: np.ndarray, size: float) -> tuple:
        """Multiply by Jᵀ from the left; size: the largest singular value of J. What is dead, a row or column of zeros, stays dead."""
        noise = LAST_DIGITS * self.rng.uniform(-1.0, 1.0, J.shape)
        rows, columns = np.any(J, axis=1), np.any(J, axis=0)
        self.rank = min(self.rank, np.count_nonzero(rows), np.count_nonzero(columns))
        for form, changed in zip(self.forms, (J, J + size * noise * np.outer(rows, columns))):
            form.pull(changed)
        for plain, changed in zip(self.plains, (J, J + J * noise)):
            plain.pull(changed)
        states = [(form.d, form.U) for form in self.forms] + [(plain.P, plain.exponent) for plain in self.plains]
        return *(part for state in states for part in state), self.plains[0].whole, self.rank

    def pull_all(self, Js: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Multiply by one after the other, (c, n_out, n_in): (logs, known) after each, (c, r), ln singular values of M, largest first."""
        d, U, d2, U2, P, exponent, P2, exponent2, whole, rank = map(np.array, zip(*map(self.pull, Js, sizes)))
        logs, top = log_sizes(d, U), log_largest(P, exponent)
        known = agree(logs, log_sizes(d2, U2), KNOWN)
        certain = whole & agree(top, log_largest(P2, exponent2), CERTAIN)
        known &= ~certain[:, None] | (logs <= top[:, None] + KNOWN)
        logs[certain] = np.minimum(logs, top[:, None])[certain]
        logs[certain, :1], known[certain, :1] = top[certain, None], True
        gone = np.arange(logs.shape[1]) >= rank[:, None]
        logs[gone], known[gone] = -math.inf, True
        self.largest_known = bool(certain[-1])
        return logs, known

    def exponents(self, links: int) -> tuple[np.ndarray, np.ndarray]:
        """(exponents, known): Σ ln |R_ii| / links, largest first, and for each whether it is known to 0.01."""
        exponents, changed = (-np.sort(-form.stretched) / max(links, 1) for form in self.forms)
        return exponents, agree(exponents, changed, KNOWN)

    def angle(self, seed: np.ndarray) -> float:
        """Degrees, 0 to 90, between M · seed and the direction M stretches most; nan if M · seed is 0."""
        matrix = self.plains[0].P if self.largest_known else self.forms[0].scaled()
        moved, top = matrix @ seed, np.linalg.svd(matrix)[0][:, 0]
        along = float(moved @ top)
        return math.degrees(math.atan2(np.linalg.norm(moved - along * top), abs(along))) if np.any(moved) else math.nan


def rows_of(R: np.ndarray, logs: np.ndarray, U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(d', U') with diag(exp d') U' = R diag(exp logs) U and rows of U' of length 1."""
    sizes = np.log(np.abs(R)) + logs
    top = np.max(sizes, axis=1)
    top = np.where(np.isfinite(top), top, 0.0)
    rows = (np.sign(R) * np.exp(sizes - top[:, None])) @ U
    length = np.linalg.norm(rows, axis=1)
    return top + np.log(length), rows / np.where(length > 0, length, 1.0)[:, None]


def agree(a: Any, b: Any, tolerance: float) -> Any:
    """Whether logarithms are equal, or differ by no more than that."""
    with np.errstate(invalid="ignore"):
        return (np.asarray(a) == b) | (np.abs(np.subtract(a, b)) <= tolerance)


def log_largest(P: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """ln of the largest singular value of each P · 2^exponent, (c, n, m) and (c,)."""
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(P, 2, axis=(1, 2))) + exponent * math.log(2)


def log_sizes(d: np.ndarray, U: np.ndarray) -> np.ndarray:
    """ln singular values of each diag(exp d) U, (c, r) and (c, r, k), largest first: (c, r)."""
    order = np.argsort(-d, axis=1)
    d, U = np.take_along_axis(d, order, 1), np.take_along_axis(U, order[:, :, None], 1)
    logs = np.full(d.shape, -np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        narrow = d[:, 0] - d[:, -1] <= RANGE
        for k in np.flatnonzero(~narrow):
            wide(d[k], U[k], logs[k])
        L = np.asarray(np.linalg.qr(U[narrow].transpose(0, 2, 1), mode="r")).transpose(0, 2, 1)
        graded = np.exp(d[narrow] - d[narrow, :1])[:, :, None] * L
        logs[narrow] = d[narrow, :1] + np.log(np.linalg.svd(graded, compute_uv=False))
    return -np.sort(-logs, axis=1)


def wide(d: np.ndarray, U: np.ndarray, logs: np.ndarray) -> None:
    """The same for one whose range does not fit into a float, stretch by stretch, written into logs; those that are 0 stay −inf."""
    n = int(np.sum(np.isfinite(d)))
    d, U = d[:n], U[:n]
    for _ in range(2 if n and d[0] - d[-1] > RANGE else 0):
        U = turned(turned(U, d).T, d).T  # two steps of the QR iteration for singular values: U nears a diagonal
    L = np.asarray(np.linalg.qr(U.T, mode="r")).T
    for a, b in blocks(d):
        logs[a:b] = d[a] + np.log(np.linalg.svd(np.exp(d[a:b] - d[a])[:, None] * L[a:b, a:b], compute_uv=False))


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
