"""What multiplies?  matmul, linear and einsum: maps that hold the other operand.

    y = x Wᵀ + b      ∂L/∂x = g W      ∂L/∂W = gᵀ x      ∂L/∂b = Σ g      (sums over the batch)
    Y = A B           ∂L/∂A = g Bᵀ     ∂L/∂B = Aᵀ g
"""

import math
from string import ascii_letters
from typing import Any

import numpy as np

from .core import Node
from .maps import Rule, apply, unbroadcast
from .tensor import DeferredSum, Tensor, of_two


class Product(Rule):
    """A product is linear in each of its operands: the push is the product itself with t in the place of x_i."""

    operands: list[str]

    def formula(self, i: int, names: Any = (), y: str = "y") -> str:
        """The other operand, which is what this one is multiplied by: `W` on the edge from linear to x."""
        return "1" if i == 2 else (names and names[1 - i]) or self.operands[1 - i]
    def forth(self, i: int, t: Any, y: Any, xs: Any) -> Any: return self.value(*xs[:i], t, *xs[i + 1 :])


class DeferredProducts(DeferredSum):
    """[(g, x), …]: products gᵀ x of a weight that is used many times. All g's and all x's, stacked, give the sum in one product.

    At batch 1 that is 1.4 to 3.3 times as quick with 128 units or more, a tenth with 32; in larger batches it hardly matters.
    """

    CHUNK = 1 << 18  # bytes that may wait

    def add_up(self) -> Any:
        """Σ gᵀ x, as Gᵀ X of all g's and all x's stacked."""
        G, X = self[0] if len(self) == 1 else map(np.concatenate, zip(*self))
        return G.T.dot(X)
    def most(self) -> int: return self.CHUNK // (self[-1][0].nbytes + self[-1][1].nbytes or 1)


def to_left(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂A = g Bᵀ. A vector b is a column, and of a matrix times a vector the part is an outer product."""
    if a.ndim == b.ndim == 2:
        return g.dot(b.T)
    if a.ndim == 2 and b.ndim == 1:
        return DeferredProducts([(g[None], b[None])]) if type(g) is np.ndarray else g.reshape(-1, 1) @ b.reshape(1, -1)
    return stacked(0, g, a, b)


def to_right(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂B = Aᵀ g. A vector a is a row."""
    if a.ndim == b.ndim == 2:
        return DeferredProducts(((a, g),)) if type(g) is np.ndarray else a.T @ g
    return a.reshape(-1, 1) @ g.reshape(1, -1) if a.ndim == 1 and b.ndim == 2 else stacked(1, g, a, b)


def stacked(i: int, g: Any, a: Any, b: Any) -> Any:
    """The part of operand i where there are stacks of matrices, or vectors."""
    A, B = (a.reshape(1, -1) if a.ndim == 1 else a), (b.reshape(-1, 1) if b.ndim == 1 else b)  # a row; a column
    G = g.reshape((*g.shape[: g.ndim - (a.ndim > 1) - (b.ndim > 1)], A.shape[-2], B.shape[-1]))  # the stacks, then a matrix
    part = G @ B.swapaxes(-1, -2) if i == 0 else A.swapaxes(-1, -2) @ G
    return unbroadcast(part, (A, B)[i].shape).reshape((a, b)[i].shape)


def affine(x: Any, W: Any, b: Any = None) -> Any:
    """y = x Wᵀ + b on arrays; ValueError unless they have the shapes of linear()."""
    try:
        if W.ndim == 2 and x.ndim:
            y = x.dot(W.T)
            if b is None:
                return y
            if b.shape == y.shape:
                return y + b
            if b.shape == W.shape[:1]:
                return y + (b[None] if len(y) == 1 else b)  # like to like is quicker
    except (AttributeError, ValueError):  # numbers; shapes that do not fit
        pass
    sx, sW, sb = np.shape(x), np.shape(W), None if b is None else np.shape(b)
    if len(sW) not in (2, 3) or not sx or sx[-1] != sW[-1] or sb not in (None, sW[:-1], (*sx[:-1], sW[-2])):
        raise ValueError(f"y = x Wᵀ + b needs x (…, in), W (out, in), b (out,) or of the shape of y; got x {sx}, W {sW}, b {sb}")
    if len(sx) != 3 or sx[0] != sW[0]:
        raise ValueError(f"W {sW} has a leading axis of seeds, so x must be (seeds, batch, in); got {sx}")
    y = x @ W.swapaxes(1, 2)
    return y if b is None else y + (b[:, None, :] if b.ndim == 2 else b)


def to_input(g: Any, x: Any, W: Any) -> Any:
    """∂L/∂x = g W."""
    return g.dot(W) if W.ndim == 2 else g @ W


def to_weight(g: Any, x: Any, W: Any) -> Any:
    """∂L/∂W = gᵀ x, summed over the batch."""
    if W.ndim == 3:
        return g.swapaxes(1, 2) @ x
    g, x = (g, x) if g.ndim == 2 else (rows(g), rows(x))
    return DeferredProducts([(g, x)]) if type(g) is np.ndarray else g.T @ x


def to_bias(g: Any, b: Any) -> Any:
    """∂L/∂b = Σ g over the batch, or g where b has the shape of y."""
    if g.size == b.size:
        return g.reshape(b.shape)
    return rows(g).sum(axis=0) if b.ndim == 1 else g.sum(axis=1)  # with seeds, b (seeds, out)


def rows(x: Any) -> Any:
    """x as a matrix, its last axis as it is."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


class OfTwo(Product):
    """A product of two operands, `to` what each of them receives: to_a(g, a, b) and to_b(g, a, b); and perhaps a summand."""

    to: tuple[Any, Any]

    def parts(self, node: Any, g: Any, inside: Any = None) -> Any:
        """What a, b and the summand receive of g; None for a constant, and for a node outside."""
        parents, (to_a, to_b) = node._parents, self.to
        a, b = parents if len(parents) == 2 else parents[:2]
        x = a._value if isinstance(a, Node) else a
        z = b._value if isinstance(b, Node) else b
        part_a = to_a(g, x, z) if x is not a and (inside is None or a in inside) else None
        part_b = to_b(g, x, z) if z is not b and (inside is None or b in inside) else None
        if len(parents) == 2:
            return part_a, part_b
        c = parents[2]
        return part_a, part_b, to_bias(g, c._value) if isinstance(c, Node) and (inside is None or c in inside) else None

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """What operand i receives of g, as an array or a node."""
        g = type(y)(g, None) if isinstance(y, Node) and not isinstance(g, Node) else g  # a plain seed would not record
        part = to_bias(g, xs[2]) if i == 2 else self.to[i](g, *xs[:2])
        return part.total() if isinstance(part, DeferredSum) else part


class Matmul(OfTwo):
    """A B, as NumPy multiplies: vectors, matrices, stacks."""

    name, operands, to = "matmul", ["A", "B"], (to_left, to_right)
    advice = "; if the inner sizes should match, transpose one of them with .T, a batch of them with swapaxes(x, -1, -2)"

    def value(self, A: Any, B: Any) -> Any:
        """A B; TypeError for a single number."""
        if type(A) is type(B) is np.ndarray and A.ndim == B.ndim == 2:
            return A.dot(B)
        if not np.ndim(A) or not np.ndim(B):
            raise TypeError(f"matmul needs arrays of one dimension or more, got shapes {np.shape(A)} and {np.shape(B)}; a number takes *")
        return A @ B


class Linear(OfTwo):
    """y = x Wᵀ + b, with or without b, which may have the shape of y."""

    name, operands, to = "linear", ["x", "W", "b"], (to_input, to_weight)
    value = staticmethod(affine)

    def forth(self, i: int, t: Any, y: Any, xs: Any) -> Any:
        """t Wᵀ for x, x tᵀ for W, and for b its t, broadcast to y."""
        x, W = xs[:2]
        if i < 2:
            return linear(x, t) if i else linear(t, W)
        return np.broadcast_to(t[:, None, :] if t.ndim == 2 and W.ndim == 3 else t, (*x.shape[:-1], t.shape[-1]))


class Einsum(Product):
    """Einstein summation. The pull to one operand is an einsum of the gradient and the other operands.

    Two additions make that true for every subscript. A label that an operand repeats ('ii') gets a name of its own and a
    product with δ; a label of the operand that nothing else has, or has in size 1 only, a product with 1.
    """

    name = "einsum"

    def __init__(self, subscripts: str, shapes: list[tuple[int, ...]]):
        self.subscripts, self.deltas = subscripts, list[tuple[str, np.ndarray]]()
        self.labels, self.out = explicit(subscripts, [len(shape) for shape in shapes])
        fresh = (label for label in ascii_letters if label not in "".join(self.labels) + self.out)
        for k, shape in enumerate(shapes):
            for j, (label, n) in enumerate(zip(self.labels[k], shape)):
                if label in self.labels[k][:j]:
                    new = next(fresh)
                    self.labels[k] = self.labels[k][:j] + new + self.labels[k][j + 1 :]
                    self.deltas.append((label + new, np.eye(n)))
    def value(self, *xs: Any) -> Any: return np.einsum(self.subscripts, *xs, optimize=len(xs) > 2)
    def formula(self, i: int, names: Any = (), y: str = "y") -> str: return f"einsum {self.subscripts!r}, all but operand {i}"

    def back(self, i: int, g: Any, y: Any, xs: Any) -> Any:
        """An einsum of g and the other operands, to the labels of operand i."""
        terms = [(self.out, g), *((self.labels[k], x) for k, x in enumerate(xs) if k != i), *self.deltas]
        there = {(label, n) for labels, x in terms for label, n in zip(labels, np.shape(x))}
        terms += [(label, np.ones(n)) for label, n in zip(self.labels[i], xs[i].shape) if (label, n) not in there]
        subscripts = ",".join(labels for labels, _ in terms) + "->" + self.labels[i]
        return unbroadcast(einsum(subscripts, *(x for _, x in terms)), xs[i].shape)


def explicit(subscripts: str, ranks: list[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the output, '...' and a missing output written out."""
    left, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"einsum {subscripts!r} names {len(terms)} operands, got {len(ranks)}")
    widths = [rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks)]
    dots = "".join(c for c in ascii_letters if c not in subscripts)[: max(widths)]
    labels = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths)]
    if not arrow:
        out = "..." * ("..." in left) + "".join(sorted(c for c in {*left} - {*",."} if left.count(c) == 1))
    return labels, out.replace("...", dots)


MATMUL, LINEAR = Matmul(), Linear()


def matmul(a: Any, b: Any) -> Any:
    """The matrix product a @ b of NumPy.

    a (…, n, k), b (…, k, m)  →  (…, n, m), the leading axes broadcast; a vector a (k,) counts as a row, b (k,) as a column,
    and the axis of size 1 is left out. ValueError if the inner sizes differ; TypeError for a single number, which takes *.
    """
    return matmul_of_tensors(a, b) if isinstance(a, Tensor) or isinstance(b, Tensor) else apply(MATMUL, a, b)


def linear(x: Any, W: Any, b: Any = None) -> Any:
    """y = x Wᵀ + b, for x (n,), (batch, n) or (…, n), W (m, n), b (m,) or None.

    b may also have the shape of y: linear(h, W, linear(x, V, b)) is h Wᵀ + x Vᵀ + b in two nodes.
    With a leading axis of seeds: x (seeds, batch, n), W (seeds, m, n), b (seeds, m). ValueError if the shapes do not fit.
    """
    if isinstance(W, Tensor):
        return linear_of_tensors(x, W) if b is None else W.record(LINEAR, (x, W, b))
    return apply(LINEAR, x, W) if b is None else apply(LINEAR, x, W, b)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein summation, as NumPy has it: einsum("ij,jk->ik", A, B) is A @ B.

    subscripts  a letter for each axis of each operand; after -> those of the result, the others are summed. 'ii', '...', no ->: as in NumPy
    operands    as many arrays or Tensors as there are terms; ValueError if the subscripts do not fit them, TypeError if they are no text
    """
    if not isinstance(subscripts, str):
        raise TypeError("einsum takes its subscripts as text, as in einsum('ij,jk->ik', A, B)")
    return apply(Einsum(subscripts, [np.shape(x) for x in operands]), *operands)


matmul.rule, linear.rule = MATMUL, LINEAR  # type: ignore[attr-defined]
(matmul_of_tensors, matmul_from_right), (linear_of_tensors, _) = of_two(matmul), of_two(linear)
