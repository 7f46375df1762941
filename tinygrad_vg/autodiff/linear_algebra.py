"""What do np.linalg's functions hand back?  solve, inv, det, cholesky, eigenvalues and singular values, norms; and further products.

    x, A  a matrix, or a stack of them      y  the value      t, g  what is pushed and pulled      mT  the last two axes exchanged

Rules: Giles 2008 (solve, inv, det), Murray 2016 (cholesky), Magnus 1985 (eigenvalues), written in ops, so for any order of derivative.
"""

import functools
import math
from collections.abc import Callable
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .along import root
from .core import Node, plain
from .maps import Rule, apply, unbroadcast
from .products import einsum, matmul
from .protocols import NUMPY, dot
from .reductions import max, min
from .structure import concatenate, diagonal, expand_dims, getitem, reshape, squeeze, sum
from .table import absolute, square, where

CLOSE = 1e-12  # eigenvalues that differ by less, of the largest, count as equal
LEVI_CIVITA = np.cross(np.eye(3)[:, None], np.eye(3))  # unit vector j × unit vector k


def symmetric(x: Any) -> Any:
    """(x + xᵀ) / 2."""
    return 0.5 * (x + x.mT)


def below(x: Any) -> Any:
    """Murray's Φ: the lower triangle, half the diagonal."""
    return x * (np.tri(x.shape[-1]) - 0.5 * np.eye(x.shape[-1]))


class OfMatrix(Rule):
    """A function of a square matrix, or of each of a stack: value(x), push(t, y, x) and pull(g, y, x)."""

    def __init__(self, name: str, value: Callable[..., Any], push: Callable[..., Any], pull: Callable[..., Any]):
        self.name, self.value, self.push, self.pull = name, value, push, pull  # type: ignore[method-assign]
    def forth(self, i: int, t: Any, y: Any, xs: Any) -> Any: return self.push(t, y, *xs)
    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any: return self.pull(g, y, *xs)


class Solve(Rule):
    """A⁻¹ b, b a matrix or, of a single A, a vector. With h = A⁻ᵀ g, b receives h and A receives −h yᵀ."""

    name = "solve"
    def value(self, A: Any, b: Any) -> Any: return np.linalg.solve(A, b)
    def formula(self, i: int, names: Any = (), y: str = "y") -> str: return "A⁻¹" if i else "A⁻¹ · y"
    def forth(self, i: int, t: Any, y: Any, xs: Any) -> Any: return solve(xs[0], t if i else -(t @ y)) + np.zeros(np.shape(y))

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """h = A⁻ᵀ g for b, −h yᵀ for A, of an operand's own shape."""
        h = solve(xs[0].mT, g)
        return unbroadcast(h if i else -(reshape(h, (-1, 1)) * y if y.ndim == 1 else h @ y.mT), xs[i].shape)


def solve(a: Any, b: Any) -> Any:
    """A⁻¹ b; a vector b of a stack is a column of each."""
    return getitem(apply(Solve(), a, reshape(b, (-1, 1))), (..., 0)) if np.ndim(b) == 1 and np.ndim(a) > 2 else apply(Solve(), a, b)


def cofactors(x: Any) -> Any:
    """∂ det x / ∂x, also where x is singular; of a node det(x) x⁻ᵀ, for which it must not be."""
    if isinstance(x, Node):
        return expand_dims(apply(DET, x), (-1, -2)) * apply(INV, x).mT
    U, s, V = np.linalg.svd(x)
    others = np.stack([np.prod(np.delete(s, k, -1), -1) for k in range(s.shape[-1])], -1)
    return (np.linalg.det(U) * np.linalg.det(V))[..., None, None] * (U * others[..., None, :]) @ V


def parted(M: Any, w: Any) -> Any:
    """M_ij / (w_j − w_i), 0 on the diagonal. ValueError where eigenvalues agree and M_ij is not 0: there is no derivative."""
    gap, size = w[..., None, :] - w[..., :, None], np.abs(plain(M))
    same = np.abs(plain(gap)) <= CLOSE * np.max(np.abs(plain(w)), initial=0)
    if np.any(same & ~np.eye(w.shape[-1], dtype=bool) & (size > 1e-8 * np.max(size, initial=0))):
        way = "use what treats them alike, as their sum, or move the matrix a little"
        raise ValueError(f"eigenvalues, or singular values, that are equal have no derivative one by one; {way}")
    return where(same, 0.0, M / where(same, 1.0, gap))


def pull_eigenvalues(g: Any, w: Any, x: Any) -> Any:
    """V diag(g) Vᵀ, if equal eigenvalues are treated alike."""
    parted(plain(g)[..., :, None] - plain(g)[..., None, :], plain(w))
    V = apply(VECTORS, x)
    return (V * g[..., None, :]) @ V.mT


def push_eigenvalues(t: Any, w: Any, x: Any) -> Any:
    """The diagonal of Vᵀ t V."""
    V = apply(VECTORS, x)
    parted(plain(M := V.mT @ symmetric(t) @ V), plain(w))
    return diagonal(M, 0, -2, -1)


INV = OfMatrix("inv", np.linalg.inv, lambda t, y, x: -(y @ t @ y), lambda g, y, x: -(y.mT @ g @ y.mT))
DET = OfMatrix("det", np.linalg.det, lambda t, y, x: sum(cofactors(x) * t, (-1, -2)),
               lambda g, y, x: expand_dims(g, (-1, -2)) * cofactors(x))
LOG_DET = OfMatrix("slogdet", lambda x: np.linalg.slogdet(x)[1], lambda t, y, x: sum(apply(INV, x).mT * t, (-1, -2)),
                   lambda g, y, x: expand_dims(g, (-1, -2)) * apply(INV, x).mT)
CHOLESKY = OfMatrix("cholesky", lambda x: np.linalg.cholesky(symmetric(x)),
                    lambda t, L, x: L @ below(solve(L, solve(L, symmetric(t)).mT).mT),  # L Φ(L⁻¹ t L⁻ᵀ)
                    lambda g, L, x: symmetric(solve(L.mT, solve(L.mT, below(L.mT @ g).mT).mT)))  # L⁻ᵀ Φ(Lᵀ g) L⁻¹, made symmetric
VALUES = OfMatrix("eigvalsh", lambda x: np.linalg.eigvalsh(symmetric(x)), push_eigenvalues, pull_eigenvalues)
VECTORS = OfMatrix("eigh", lambda x: np.linalg.eigh(symmetric(x))[1],
                   lambda t, V, x: V @ parted(V.mT @ symmetric(t) @ V, apply(VALUES, x)),  # V (F ∘ Vᵀ t V), F_ij = 1 / (w_j − w_i)
                   lambda g, V, x: symmetric(V @ parted(0.5 * (V.mT @ g - g.mT @ V), apply(VALUES, x)) @ V.mT))
SLOGDET, EIGH = (type(function(np.eye(1))) for function in (np.linalg.slogdet, np.linalg.eigh))  # NumPy's named tuples


def singular_values(x: Any, full_matrices: bool = True, compute_uv: bool = False) -> Any:
    """Largest first: the upper eigenvalues of [[0, x], [xᵀ, 0]], whose vectors are the singular ones."""
    if compute_uv:
        raise TypeError("np.linalg.svd of a Tensor gives singular values only: say compute_uv=False; vectors are those of eigh(x.T @ x)")
    above, below = (np.zeros((*x.shape[:-2], k, k), x.dtype) for k in x.shape[-2:])
    whole = concatenate([concatenate([above, x], -1), concatenate([x.mT, below], -1)], -2)
    return getitem(apply(VALUES, whole), (..., slice(-1, -np.min(x.shape[-2:]) - 1, -1)))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As vector_norm; of matrices Frobenius, by singular values (±2, nuc), or sums of columns (±1) or rows (±inf). At 0 the slope is 0."""
    axes = normalize_axis_tuple(range(np.ndim(x)) if axis is None else axis, np.ndim(x))
    if ord in (None, "fro") or len(axes) == 1:
        return vector_norm(x, 2 if ord in (None, "fro") else ord, axes, keepdims)
    if ord in ("nuc", 2, -2):
        s = singular_values(NUMPY[np.moveaxis](x, axes, (-2, -1)))
        y = expand_dims(sum(s, -1) if ord == "nuc" else getitem(s, (..., 0 if ord == 2 else -1)), axes)
    else:
        inner, outer = axes[::-1] if math.isinf(ord) else axes
        y = vector_norm(sum(absolute(x), inner, True), math.copysign(math.inf, ord), outer, True)
    return y if keepdims else squeeze(y, axes)


def vector_norm(x: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
    """(Σ |x|^p)^(1/p); ord inf and -inf are max |x| and min |x|."""
    if ord == 2:
        return root(sum(square(x), axis, keepdims))
    if ord == 0:
        return np.sum(plain(x) != 0, axis, dtype=x.dtype, keepdims=keepdims)
    if ord == 1 or math.isinf(ord):
        return (sum if ord == 1 else max if ord > 0 else min)(absolute(x), axis, keepdims)
    return root(sum(absolute(x) ** ord, axis, keepdims), ord)


def matrix_power(a: Any, n: int) -> Any:
    """a @ a @ … @ a, by squares; of a negative power the inverse."""
    if n < 2:
        return a if n == 1 else matrix_power(apply(INV, a), -n) if n else 0.0 * a + np.eye(a.shape[-1], dtype=a.dtype)
    half = matrix_power(a, n // 2)
    return half @ half @ a if n % 2 else half @ half


def tensordot(x: Any, b: Any, axes: Any = 2) -> Any:
    """Σ over axes of x and of b, given as two lists, or as how many of the last of x and the first of b."""
    n, m = np.ndim(x), np.ndim(b)
    of_x, of_b = (range(n - axes, n), range(axes)) if isinstance(axes, int) else (np.atleast_1d(part) for part in axes)
    left, right = list(range(n)), list(range(n, n + m))
    for i, j in zip(of_x, of_b, strict=True):
        right[j] = left[i]
    return einsum_of_numpy(x, left, b, right, [k for k in left + right if (k in left) != (k in right)])


def kron(x: Any, b: Any) -> Any:
    """Every entry of x times the whole of b."""
    p, q = ((1,) * (np.maximum(np.ndim(x), np.ndim(b)) - np.ndim(z)) + np.shape(z) for z in (x, b))
    pairs = reshape(x, [k for i in p for k in (i, 1)]) * reshape(b, [k for j in q for k in (1, j)])
    return reshape(pairs, [i * j for i, j in zip(p, q)])


def cross(x: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product of vectors of three."""
    axes = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    u, v = (NUMPY[np.moveaxis](z, k, -1) for z, k in zip((x, b), axes))
    if u.shape[-1] != 3 or v.shape[-1] != 3:
        raise ValueError(f"cross needs vectors of three, got shapes {np.shape(x)} and {np.shape(b)}")
    return NUMPY[np.moveaxis](einsum("jki,...j,...k->...i", LEVI_CIVITA, u, v), -1, axes[2])


def einsum_of_numpy(*operands: Any, optimize: Any = None) -> Any:
    """np.einsum: with text, or each operand followed by the list of its axes."""
    if isinstance(operands[0], str):
        return einsum(*operands)
    def label(axes: Any) -> str: return "".join("..." if k is ... else ascii_letters[k] for k in axes)
    xs, lists = operands[: len(operands) // 2 * 2 : 2], [label(axes) for axes in operands[1::2]]
    return einsum(",".join(lists) + (f"->{label(operands[-1])}" if len(operands) % 2 else ""), *xs)


NUMPY |= {getattr(np.linalg, name): functools.partial(apply, rule) for name, rule in {"inv": INV, "det": DET, "cholesky": CHOLESKY}.items()}
NUMPY |= {getattr(np.linalg, name): op for name, op in {
    "slogdet": lambda x: SLOGDET(np.linalg.slogdet(plain(x))[0], apply(LOG_DET, x)), "eigvalsh": lambda x, UPLO="L": apply(VALUES, x),
    "eigh": lambda x, UPLO="L": EIGH(apply(VALUES, x), apply(VECTORS, x)), "norm": norm,
    "svd": functools.partial(singular_values, compute_uv=True), "svdvals": singular_values,
    "matrix_power": matrix_power, "multi_dot": lambda arrays: functools.reduce(matmul, arrays), "matmul": matmul, "outer": NUMPY[np.outer],
    "tensordot": tensordot, "cross": cross, "trace": lambda x, offset=0: sum(diagonal(x, offset, -2, -1), -1), "solve": solve,
    "vecdot": lambda x, b, axis=-1: sum(x * b, axis), "diagonal": lambda x, offset=0: diagonal(x, offset, -2, -1),
    "vector_norm": vector_norm, "matrix_norm": lambda x, ord="fro", keepdims=False: norm(x, ord, (-2, -1), keepdims)}.items()}
NUMPY |= {np.tensordot: tensordot, np.kron: kron, np.cross: cross, np.vecdot: lambda x, b: sum(x * b, -1), np.einsum: einsum_of_numpy,
    np.vdot: lambda x, b: dot(reshape(x, -1), reshape(b, -1)),
    np.inner: lambda x, b: tensordot(x, b, (-1, -1)) if np.ndim(x) and np.ndim(b) else x * b}
if hasattr(np, "matvec"):  # NumPy 2.2 and later
    NUMPY |= {np.matvec: lambda A, x: sum(A * expand_dims(x, -2), -1), np.vecmat: lambda x, A: sum(expand_dims(x, -1) * A, -2)}
