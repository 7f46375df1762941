"""How are the ops written that are no rows?  Products, reductions, and what moves numbers about: a line for the value, one for each pull.

    y  value      g  gradient at y      x0, x1 …  operands, also called x, W, b and A, B      i0, i1 …  numbers and arrays of an index

A line is a text in these letters; words.py puts in what they stand for. Shapes are written as they were recorded.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autodiff.along import CumulativeSum
from ..autodiff.core import describe
from ..autodiff.linear_algebra import OfMatrix, Solve
from ..autodiff.maps import Broadcast
from ..autodiff.products import Einsum, Linear, Matmul
from ..autodiff.reductions import Extreme, LogSumExp
from ..autodiff.structure import Cast, Join, Reshape, Select, Sum, Transpose


def texts(node: Any) -> tuple[Any, Any]:
    """The row of the table for the op that made a node: its value and its pull, each a text or what writes it."""
    stack = max(len(np.shape(x)) for x in node.parents) > 2
    if isinstance(node.rule, (OfMatrix, Solve)) and node.op in OF_MATRIX and not stack:
        return OF_MATRIX[node.op]
    for kind, row in TABLE.items():
        if isinstance(node.rule, kind):
            return row
    many = " of a stack of matrices" if node.op in OF_MATRIX and stack else ""
    raise NotImplementedError(f"by_hand has no words for {node.op}{many}, which made {describe(node)}; "
                              "it knows the ops of the package, and elementwise() rows of your own")


def dtype_of(x: Any) -> np.dtype:
    """The dtype of an array or node; float64 of a plain number."""
    return np.dtype(getattr(x, "dtype", float))


def is_double(x: Any) -> bool:
    """Whether it is float64, as plain numbers are."""
    return dtype_of(x) == np.float64


def typed(x: Any, keyword: str = "") -> str:
    """The last argument of a call that makes an array of the dtype of x; float64 needs none."""
    return "" if is_double(x) else f", {keyword}np.{dtype_of(x)}"


def fitted(text: str, given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What has the shape `given`, summed over the axes that broadcasting added to `shape` or stretched."""
    if given == shape:
        return text
    lead = len(given) - len(shape)
    axes = (*range(lead), *(k + lead for k, n in enumerate(shape) if n != given[k + lead]))
    if len(axes) == len(given) and math.prod(shape) == 1:
        return f"({text}).sum()" + (f".reshape({shape})" if shape else "")
    if len(axes) == lead and math.prod(given[:lead]) == 1:
        return f"({text})[{', '.join('0' * lead)}]"
    if len(axes) == lead:
        return f"({text}).sum(axis={axes[0] if len(axes) == 1 else axes})"
    return f"({text}).sum(axis={axes}, keepdims=True)" + (f".reshape({shape})" if lead else "")


def spread(node: Any, g: str = "g") -> str:
    """g of a reduction as an array that broadcasts with what was reduced."""
    rule = node.rule
    return g if rule.keepdims or rule.axis is None else f"np.expand_dims({g}, {rule.axis})"


def axes_of(rule: Any, *first: str, keepdims: bool = False) -> str:
    """The arguments of a reduction: `axis=1, keepdims=True`."""
    axis = () if rule.axis is None else (f"axis={rule.axis}",)
    return ", ".join((*first, *axis, *["keepdims=True"] * (rule.keepdims or keepdims)))


def reduced(node: Any) -> str:
    """x.sum(axis=0), and its like."""
    return f"x.{node.op}({axes_of(node.rule)})"


def total(node: Any, i: int) -> str:
    """sum and mean: everything that was added gets the same."""
    x = node.parents[0]
    n = max(x.size // max(node.size, 1), 1)
    g = "g" if node.op == "sum" or n == 1 else f"g / {n}"
    if not x.shape:
        return g
    if node.rule.axis is None and not node.rule.keepdims:
        return f"np.full({x.shape}, {g}{typed(node)})"
    return f"np.broadcast_to({spread(node, g)}, {x.shape})"


def extreme(node: Any, i: int) -> str:
    """max and min: the entry that is chosen gets g; entries that tie share it."""
    top = f"x.{node.op}({axes_of(node.rule, keepdims=True)})"
    return f"np.where(x == {top}, {spread(node)} * shares(x, {top}, {node.rule.axis}), 0)"


def affine(node: Any) -> str:
    """linear: W x + b for a vector, x Wᵀ + b for a batch."""
    _, W, *b = map(np.shape, node.parents)
    product = "W @ x" if node.ndim == 1 else "x @ W.T" if len(W) == 2 else "x @ W.swapaxes(1, 2)"
    return product + (" + b[:, None, :]" if b and len(W) == 3 and len(b[0]) == 2 else " + b" if b else "")


def to_operand(node: Any, i: int) -> str:
    """linear: W, x and b."""
    x, W, *b = map(np.shape, node.parents)
    if i == 0:
        return "W.T @ g" if node.ndim == 1 else "g @ W"
    if i == 2:
        return "g" if b[0] == node.shape else "g.sum(axis=1)" if len(b[0]) == 2 else fitted("g", node.shape, b[0])
    if len(W) == 3:
        return "g.swapaxes(1, 2) @ x"
    rows = math.prod(node.shape[:-1])
    batch = "g.T @ x" if len(x) == 2 else f"g.reshape({rows}, {W[0]}).T @ x.reshape({rows}, {W[1]})"
    return "np.outer(g, x)" if node.ndim == 1 else batch


def to_factor(node: Any, i: int) -> str:
    """matmul: the other factor, transposed; outer products where there are vectors."""
    A, B = map(np.shape, node.parents)
    plain = {(2, 2): ("g @ B.T", "A.T @ g"), (2, 1): ("np.outer(g, B)", "A.T @ g"),
             (1, 2): ("B @ g", "np.outer(A, g)"), (1, 1): ("g * B", "g * A")}
    if (len(A), len(B)) in plain:
        return plain[len(A), len(B)][i]
    row, column = (1, *A) if len(A) == 1 else A, (*B, 1) if len(B) == 1 else B
    shape = (*node.shape[: node.ndim - (len(A) > 1) - (len(B) > 1)], row[-2], column[-1])
    g = "g" if shape == node.shape else f"g.reshape({shape})"
    a, b = "A" if row == A else "A[None]", "B" if column == B else "B[:, None]"
    text, whole, own = ((f"{g} @ {b}.swapaxes(-1, -2)", row, A), (f"{a}.swapaxes(-1, -2) @ {g}", column, B))[i]
    text = fitted(text, (*shape[:-2], *whole[-2:]), whole)
    return text if whole == own else f"({text}).reshape({own})"


def summation(subscripts: str, terms: list[str]) -> str:
    """The einsum of these terms, letters and code."""
    return f"np.einsum({subscripts!r}, {', '.join(terms)}{', optimize=True' * (len(terms) > 2)})"


def to_term(node: Any, i: int) -> str:
    """einsum: another einsum, of the gradient and the other operands; δ for a repeated label, 1 for a lonely one."""
    rule, shapes, dtype = node.rule, [*map(np.shape, node.parents)], typed(node, "dtype=")
    terms = [(rule.out, node.shape, "g"), *((rule.labels[k], shape, f"x{k}") for k, shape in enumerate(shapes) if k != i)]
    terms += [(labels, delta.shape, f"np.eye({len(delta)}{dtype})") for labels, delta in rule.deltas]
    there = {pair for labels, shape, _ in terms for pair in zip(labels, shape)}
    terms += [(label, (n,), f"np.ones({n}{dtype})") for label, n in zip(rule.labels[i], shapes[i]) if (label, n) not in there]
    sizes: dict[str, int] = {}
    for labels, shape, _ in terms:
        sizes |= {label: n for label, n in zip(labels, shape) if n != 1 or label not in sizes}
    text = summation(",".join(labels for labels, _, _ in terms) + "->" + rule.labels[i], [text for _, _, text in terms])
    return fitted(text, tuple(sizes[label] for label in rule.labels[i]), shapes[i])


def index_text(index: Iterable[Any]) -> tuple[str, list[Any]]:
    """An index as text, every number and array in it an operand: x[1:3, rows] is ("i0:i1, i2", [1, 3, rows])."""
    found: list[Any] = []

    def place(x: Any) -> str:
        found.append(x)
        return f"i{len(found) - 1}"

    def text(part: Any) -> str:
        if isinstance(part, slice):
            ends = ["" if x is None else place(x) for x in (part.start, part.stop, part.step)]
            return ":".join(ends if ends[2] else ends[:2])
        return "..." if part is ... else "None" if part is None else place(part)

    return ", ".join(map(text, whole_numbers(index))) or "()", found


def whole_numbers(index: Iterable[Any]) -> list[Any]:
    """The parts of an index; a mask is the places where it is True, as NumPy itself takes it."""
    parts: list[Any] = []
    for part in index:
        mask = isinstance(part, np.ndarray) and part.dtype == bool
        parts += list(part.nonzero()) if mask and part.ndim else [part]
        if isinstance(part, (bool, np.bool_)) or mask and not part.ndim:
            raise NotImplementedError("by_hand has no words for an index that is True or False alone")
    return parts


def put_back(node: Any, i: int) -> str:
    """Zeros, but g where it was taken from; an entry taken twice gets both."""
    text, operands = index_text(node.rule.index)
    twice = any(isinstance(x, np.ndarray) for x in operands)
    return f"{'add_back' if twice else 'put_back'}(g, {node.parents[0].shape}, np.s_[{text}])"


def joined(node: Any) -> str:
    """np.stack([x0, x1], axis=1), and its like."""
    axis = f", axis={node.rule.axis}" if node.rule.axis else ""
    return f"np.{node.op}([{', '.join(f'x{k}' for k in range(len(node.parents)))}]{axis})"


def part_of(node: Any, i: int) -> str:
    """concatenate and stack: the index of where operand i went, `:, 2:5`."""
    *before, part = node.rule.index(i, node)
    return ":, " * len(before) + (f"{part.start}:{part.stop}" if isinstance(part, slice) else str(part))


def turned(node: Any, x: str = "x", back: bool = False) -> str:
    """transpose: x with the axes of the node, or back with those that it had."""
    axes = [axis % max(node.ndim, 1) for axis in node.rule.axes]
    order = tuple(map(int, np.argsort(axes) if back else axes))
    return f"{x}.T" if order == tuple(range(node.ndim))[::-1] else f"{x}.transpose({order})"


def to_system(node: Any, i: int) -> str:
    """solve: h = A⁻ᵀ g for b, and −h yᵀ for A."""
    h, y = "np.linalg.solve(A.T, g)", "np.linalg.solve(A, B)"
    return h if i else f"-np.outer({h}, {y})" if node.ndim == 1 else f"-{h} @ {y}.T"


OF_MATRIX: dict[str, tuple[Any, Any]] = {  # of a single matrix
    "inv": ("np.linalg.inv(x)", "-np.linalg.inv(x).T @ g @ np.linalg.inv(x).T"),
    "det": ("np.linalg.det(x)", "g * np.linalg.det(x) * np.linalg.inv(x).T"),
    "slogdet": ("np.linalg.slogdet(x)[1]", "g * np.linalg.inv(x).T"),
    "cholesky": ("np.linalg.cholesky(x)", "cholesky_back(g, np.linalg.cholesky(x))"),
    "eigvalsh": ("np.linalg.eigvalsh(x)", "np.linalg.eigh(x)[1] * g @ np.linalg.eigh(x)[1].T"),
    "solve": ("np.linalg.solve(A, B)", to_system)}
TABLE: dict[Any, tuple[Any, Any]] = {  # the value; what operand i receives
    Linear: (affine, to_operand), Matmul: ("A @ B", to_factor), Sum: (reduced, total), Extreme: (reduced, extreme),
    Einsum: (lambda y: summation(y.rule.subscripts, [f"x{k}" for k in range(len(y.parents))]), to_term),
    LogSumExp: (lambda y: f"logsumexp({axes_of(y.rule, 'x')})", lambda y, i: f"{spread(y)} * softmax(x, {y.rule.axis})"),
    Reshape: (lambda y: f"x.reshape({y.shape})", lambda y, i: f"g.reshape({y.parents[0].shape})"),
    Transpose: (turned, lambda y, i: turned(y, "g", back=True)),
    Select: (lambda y: f"x[{index_text(y.rule.index)[0]}]", put_back), Join: (joined, lambda y, i: f"g[{part_of(y, i)}]"),
    Broadcast: (lambda y: f"np.broadcast_to(x, {y.shape})", lambda y, i: fitted("g", y.shape, y.parents[0].shape)),
    Cast: (lambda y: f"x.astype(np.{y.dtype})", "g"),
    CumulativeSum: (lambda y: f"np.cumsum(x, {y.rule.axis})",
                    lambda y, i: "np.flip(np.cumsum(np.flip(g, k), k), k)".replace("k", str(y.rule.axis)))}
