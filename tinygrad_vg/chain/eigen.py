"""What does multiplying by the same matrix again and again do?  In eigen-coordinates: each is multiplied by its own λ, T times.

    A^T v = Σ_i λ_i^T c_i x_i       A = W for a state h, A = Wᵀ for a gradient g       v = Σ_i c_i x_i       (T: steps)

If W is normal (symmetric, orthogonal, …) the x_i are orthogonal and |λ_i|^T is the whole story. A complex pair turns as it grows
or shrinks. If W is not normal, coordinates may be large and cancel, and ‖W^t‖ first rises, however small the spectral radius
(Trefethen & Embree 2005); a defective W has no eigen-coordinates at all.
"""

import math
from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.maps import DENSE_LIMIT
from ..text.lines import Result
from ..text.numbers import figure, from_log, signed
from ..text.tables import folded, table
from .factors import exp, scaled
from .factors import log as ln


class EigenView(Result):
    """A linear recurrence in the coordinates of its eigenvectors, largest |λ| first; made by eigen_view(). Logarithms in nats.

    .kind          symmetric, normal, non-normal or defective       .radius     max |λ|
    .eigenvalues   λ (n,)                                            .vectors    x_i, the columns, of length 1
    .coordinates   c (n,), or None for a defective W                 .condition  of the matrix of eigenvectors: 1 if normal
    .log_factors   T ln |λ_i| (n,)                                   .peak       (t, ‖W^t‖) where it is largest, t ≥ 1
    .log_norms     ln ‖W^t‖₂ for t = 0 … T (T + 1,)
    """

    kept = ("of", "kind", "T", "radius", "eigenvalues", "coordinates", "condition", "log_factors", "log_norms", "peak")

    def __init__(self, A: np.ndarray, v: np.ndarray, T: int, of: str):
        self.A, self.v, self.T, self.of = A, v, T, of
        symmetric = bool(np.array_equal(A, A.T))
        values, vectors = np.linalg.eigh(A) if symmetric else np.linalg.eig(A)
        if not np.any(np.imag(values)):  # NumPy from 2.5 on gives complex numbers always
            values, vectors = np.real(values), np.real(vectors)
        order = np.argsort(-np.abs(values), kind="stable")
        self.eigenvalues, self.vectors = values[order], vectors[:, order]
        self.condition = 1.0 if symmetric else float(np.linalg.cond(self.vectors))
        scale = np.linalg.norm(A) ** 2 or 1.0
        normal = np.linalg.norm(A @ A.T - A.T @ A) <= 1e-12 * scale
        defective = self.condition > 1e12
        self.kind = "symmetric" if symmetric else "normal" if normal else "defective" if defective else "non-normal"
        self.coordinates = None if self.kind == "defective" else np.linalg.solve(self.vectors, v)
        self.radius = float(np.max(np.abs(self.eigenvalues)))
        with np.errstate(divide="ignore"):
            self.log_factors = T * np.log(np.abs(self.eigenvalues)) if T else np.zeros(len(A))
        self.log_norms = log_norms(A, T)
        t = 1 + int(np.argmax(self.log_norms[1:] >= np.max(self.log_norms[1:]) - 1e-10)) if T else 0  # the first of equals
        self.peak = (t, exp(float(self.log_norms[t])))

    def after(self, t: int) -> np.ndarray:
        """A^t v (n,): from the coordinates, or by plain multiplication where there are none."""
        if self.coordinates is None:
            return np.linalg.matrix_power(self.A, t) @ self.v
        return np.real(self.vectors @ (self.eigenvalues**t * self.coordinates))

    def __str__(self) -> str:
        with np.errstate(divide="ignore"):
            logs = np.log(np.abs([] if self.coordinates is None else self.coordinates))
        rows = [[eigenvalue(z), figure(abs(z)), signed(float(log))] for z, log in zip(self.eigenvalues, self.log_factors)]
        for row, c, log in zip(rows, logs, self.log_factors):
            row += [from_log(c, 3), from_log(log + c, 3)]
        n, (t, peak) = len(self.A), self.peak
        head = f"{self.of} through T = {self.T} steps of W, {n}×{n}, {self.kind}, spectral radius {figure(self.radius)}"
        shown = table(folded(rows), ("λ", "|λ|", "ln |λ|^T", "|coordinate|", "|λ|^T |coordinate|"))
        lines = [head, shown, f"largest ‖W^t‖ for t = 1 … {self.T}: {figure(peak)} at t = {t}"]
        if self.kind in ("non-normal", "defective"):
            lines.append(f"W is not normal (condition of its eigenvectors {figure(self.condition)}): the radius alone misleads")
        if self.kind == "defective":
            lines.append("its eigenvectors do not span the space, so there are no coordinates")
        return "\n".join(lines)


def eigen_view(W: Any, g: Any = None, *, h0: Any = None, T: int = 50) -> EigenView:
    """A linear recurrence h[t] = W h[t−1] in eigen-coordinates: a gradient g pulled back, or a state h0 carried on, T steps.

    W  (n, n), array or Tensor      g or h0  (n,); exactly one of them      Deep Learning (2016) eq. 10.36–10.39

    ValueError for other shapes, above n = 2,000 (dense eigenvectors), for nan or inf.

    >>> print(eigen_view([[0.9, 5.0], [0.0, 0.8]], g=[1.0, 0.0], T=20))
    gradient through T = 20 steps of W, 2×2, non-normal, spectral radius 0.9
    λ    |λ|  ln |λ|^T  |coordinate|  |λ|^T |coordinate|
    0.9  0.9     -2.11            50                6.08
    0.8  0.8     -4.46            50               0.576
    largest ‖W^t‖ for t = 1 … 20: 13.5 at t = 6
    W is not normal (condition of its eigenvectors 100): the radius alone misleads
    """
    W = np.asarray(plain(W), dtype=float)
    if (g is None) == (h0 is None):
        raise ValueError("give either g, a gradient to pull back, or h0, a state to carry on")
    v = np.asarray(plain(h0 if g is None else g), dtype=float)
    if v.ndim != 1 or W.shape != v.shape * 2 or not v.size:
        raise ValueError(f"eigen_view needs W (n, n) and a vector (n,); got W {W.shape} and {v.shape}")
    if len(W) > DENSE_LIMIT:
        raise ValueError(f"W is {len(W)} × {len(W)}; eigenvectors stop at {DENSE_LIMIT}. Chain's gains need no dense matrix")
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(v))):
        raise ValueError("W or the vector holds nan or inf, so there are no eigen-coordinates")
    return EigenView(W if g is None else W.T, v, T, "state" if g is None else "gradient")


def log_norms(A: np.ndarray, T: int) -> np.ndarray:
    """ln ‖A^t‖₂ for t = 0 … T, the power kept with its scale apart."""
    power, log, logs = np.eye(len(A)), 0.0, [0.0]
    for _ in range(T):
        power, e, _ = scaled(power @ A)
        log += e * math.log(2)
        logs.append(log + ln(float(np.linalg.norm(power, 2))))
    return np.array(logs)


def eigenvalue(z: Any) -> str:
    """-0.3, or 0.6 ± 0.8i, each of a pair with its sign."""
    return figure(float(z.real)) + (f" {'+' if z.imag > 0 else '−'} {figure(abs(float(z.imag)))}i" if z.imag else "")
