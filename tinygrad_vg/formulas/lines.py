"""How are the ops written that are no rows?  Products, reductions, and what moves numbers about: a line for the value, one for each pull.

    y  value      g  gradient at y      xs  the code of each operand      W, b, A, B  operands

Shapes are written as they were recorded.
"""

import ast
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autodiff.along import CumulativeSum
from ..autodiff.core import describe
from ..autodiff.linear_algebra import OfMatrix, Solve
from ..autodiff.maps import Broadcast
from ..autodiff.products import Einsum, Linear, Matmul
from ..autodiff.reductions import Extreme, LogSumExp
from ..autodiff.structure import Cast, Join, Reshape, Select, Sum, Transpose
from .statements import line

Codes = list[ast.expr]


def found(table: dict[Any, Any], node: Any) -> Any:
    """The entry for the kind of rule that made the node."""
    for kind, write in table.items():
        if isinstance(node.rule, kind):
            return write
    raise NotImplementedError(f"by_hand has no words for {node.op}, which made {describe(node)}; it knows the ops of the package, "
                              "and elementwise() rows of your own")


def dtype_of(x: Any) -> np.dtype:
    return np.dtype(getattr(x, "dtype", float))


def is_double(x: Any) -> bool:
    return dtype_of(x) == np.float64


def typed(x: Any, keyword: str = "") -> str:
    """The last argument of a call that makes an array of the dtype of x; float64 needs none."""
    return "" if is_double(x) else f", {keyword}np.{dtype_of(x)}"


def zeros_of(x: Any) -> ast.expr:
    """Zeros of a node's shape and dtype."""
    return line(f"np.zeros({x.shape[0] if len(x.shape) == 1 else x.shape}{typed(x)})")


def numbered(letter: str, codes: Codes) -> dict[str, ast.expr]:
    """{"x0": the first, "x1": the second …}"""
    return {f"{letter}{k}": code for k, code in enumerate(codes)}


def fitted(code: ast.expr, given: tuple[int, ...], shape: tuple[int, ...]) -> ast.expr:
    """code, of shape `given`, summed over the axes that broadcasting added to `shape` or stretched."""
    if given == shape:
        return code
    lead = len(given) - len(shape)
    axes = (*range(lead), *(k + lead for k, n in enumerate(shape) if n != given[k + lead]))
    if len(axes) == len(given) and math.prod(shape) == 1:
        return line("c.sum()", c=code) if not shape else line(f"c.sum().reshape({shape})", c=code)
    if len(axes) == lead and math.prod(given[:lead]) == 1:
        return line(f"c[{', '.join('0' * lead)}]", c=code)
    if len(axes) == lead:
        return line(f"c.sum(axis={axes[0] if len(axes) == 1 else axes})", c=code)
    return line(f"c.sum(axis={axes}, keepdims=True){f'.reshape({shape})' if lead else ''}", c=code)


def spread(node: Any, g: ast.expr) -> ast.expr:
    """g of a reduction as an array that broadcasts with what was reduced."""
    rule = node.rule
    return g if rule.keepdims or rule.axis is None else line(f"np.expand_dims(g, {rule.axis})", g=g)


def axes_of(rule: Any, *first: str, keepdims: bool = False) -> str:
    """The arguments of a reduction: `axis=1, keepdims=True`."""
    axis = () if rule.axis is None else (f"axis={rule.axis}",)
    return ", ".join((*first, *axis, *["keepdims=True"] * (rule.keepdims or keepdims)))


def total(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """sum and mean: everything that was added gets the same."""
    x = node.parents[0]
    n = max(x.size // max(node.size, 1), 1)
    g = g if node.op == "sum" or n == 1 else line(f"g / {n}", g=g)
    if not x.shape:
        return g
    if node.rule.axis is None and not node.rule.keepdims:
        return line(f"np.full({x.shape}, g{typed(node)})", g=g)
    return line(f"np.broadcast_to(g, {x.shape})", g=spread(node, g))


def to_operand(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """linear: W, x and b."""
    (x, W), rows = node.parents[:2], math.prod(node.shape[:-1])
    words, n_in, n_out = {"g": g, "x": xs[0], "W": xs[1]}, np.shape(W)[-1], np.shape(W)[-2]
    flat = len(np.shape(x)) > 2
    if i == 0:
        return line("W.T @ g" if node.ndim == 1 else "g @ W", **words)
    if i == 1 and W.ndim == 3:
        return line("g.swapaxes(1, 2) @ x", **words)
    if i == 1:
        batch = f"g.reshape({rows}, {n_out}).T @ x.reshape({rows}, {n_in})" if flat else "g.T @ x"
        return line("np.outer(g, x)" if node.ndim == 1 else batch, **words)
    b = node.parents[2].shape
    return g if b == node.shape else line("g.sum(axis=1)", g=g) if len(b) == 2 else fitted(g, node.shape, b)


def affine(node: Any, xs: Codes) -> ast.expr:
    """linear: W x + b for a vector, x Wᵀ + b for a batch."""
    x, W, *b = node.parents
    product = "W @ x" if node.ndim == 1 else "x @ W.T" if len(np.shape(W)) == 2 else "x @ W.swapaxes(1, 2)"
    bias = " + b[:, None, :]" if b and len(np.shape(W)) == 3 and len(np.shape(b[0])) == 2 else " + b" if b else ""
    return line(product + bias, **dict(zip("xWb", xs)))


def to_factor(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """matmul: the other factor, transposed; outer products where there are vectors."""
    A, B = map(np.shape, node.parents)
    words = {"g": g, "A": xs[0], "B": xs[1]}
    plain = {(2, 2): ("g @ B.T", "A.T @ g"), (2, 1): ("np.outer(g, B)", "A.T @ g"),
             (1, 2): ("B @ g", "np.outer(A, g)"), (1, 1): ("g * B", "g * A")}
    if (len(A), len(B)) in plain:
        return line(plain[len(A), len(B)][i], **words)
    row, column = (1, *A) if len(A) == 1 else A, (*B, 1) if len(B) == 1 else B
    shape = (*node.shape[: node.ndim - (len(A) > 1) - (len(B) > 1)], row[-2], column[-1])
    words["g"] = g if shape == node.shape else line(f"g.reshape({shape})", g=g)
    words["A"] = words["A"] if row == A else line("A[None]", **words)
    words["B"] = words["B"] if column == B else line("B[:, None]", **words)
    code = line("A.swapaxes(-1, -2) @ g" if i else "g @ B.swapaxes(-1, -2)", **words)
    stacks = (*shape[:-2], *((row[-1], column[-1]) if i else (row[-2], column[-2])))
    code = fitted(code, stacks, column if i else row)
    return code if (row, column)[i] == (A, B)[i] else line(f"c.reshape({(A, B)[i]})", c=code)


def to_term(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """einsum: another einsum, of the gradient and the other operands; δ for a repeated label, 1 for a lonely one."""
    rule, parents = node.rule, node.parents
    dtype = typed(node, "dtype=")
    terms = [(rule.out, node.shape, g), *((rule.labels[k], np.shape(x), xs[k]) for k, x in enumerate(parents) if k != i)]
    terms += [(labels, delta.shape, line(f"np.eye({len(delta)}{dtype})")) for labels, delta in rule.deltas]
    there = {pair for labels, shape, _ in terms for pair in zip(labels, shape)}
    lonely = [pair for pair in zip(rule.labels[i], parents[i].shape) if pair not in there]
    terms += [(label, (n,), line(f"np.ones({n}{dtype})")) for label, n in lonely]
    sizes: dict[str, int] = {}
    for labels, shape, _ in terms:
        sizes |= {label: n for label, n in zip(labels, shape) if n != 1 or label not in sizes}
    code = summation(",".join(labels for labels, _, _ in terms) + "->" + rule.labels[i], [code for _, _, code in terms])
    return fitted(code, tuple(sizes[label] for label in rule.labels[i]), parents[i].shape)


def summation(subscripts: str, xs: Codes) -> ast.expr:
    words = numbered("x", xs)
    return line(f"np.einsum({subscripts!r}, {', '.join(words)}{', optimize=True' * (len(words) > 2)})", **words)


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


def chosen(node: Any, xs: Codes) -> ast.expr:
    """x[index]."""
    return line(f"x[{index_text(node.rule.index)[0]}]", x=xs[0], **numbered("i", xs[1:]))


def put_back(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """Zeros, but g where it was taken from; an entry taken twice gets both."""
    text, operands = index_text(node.rule.index)
    twice = any(isinstance(x, np.ndarray) for x in operands)
    return line(f"{'add_back' if twice else 'put_back'}(g, {node.parents[0].shape}, np.s_[{text}])", g=g, **numbered("i", xs[1:]))


def joined(node: Any, xs: Codes) -> ast.expr:
    words = numbered("x", xs)
    axis = f", axis={node.rule.axis}" if node.rule.axis else ""
    return line(f"np.{node.op}([{', '.join(words)}]{axis})", **words)


def cut_out(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """concatenate and stack: the part of g that lies where operand i went."""
    text, ends = index_text(node.rule.index(i, node))
    return line(f"g[{text}]", g=g, **numbered("i", [ast.Constant(int(end)) for end in ends]))


def turned(node: Any, x: ast.expr, back: bool = False) -> ast.expr:
    """transpose: x with the axes of the node, or back with those that it had."""
    axes = [axis % max(node.ndim, 1) for axis in node.rule.axes]
    order = tuple(map(int, np.argsort(axes) if back else axes))
    return line("x.T" if order == tuple(range(node.ndim))[::-1] else f"x.transpose({order})", x=x)


def extreme(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """max and min: the entry that is chosen gets g; entries that tie share it."""
    top = line(f"x.{node.op}({axes_of(node.rule, keepdims=True)})", x=xs[0])
    return line(f"np.where(x == top, g * shares(x, top, {node.rule.axis}), 0)", g=spread(node, g), x=xs[0], top=top)


OF_MATRIX = {  # of a single matrix: the value, and what x receives of g
    "inv": ("np.linalg.inv(x)", "-np.linalg.inv(x).T @ g @ np.linalg.inv(x).T"),
    "det": ("np.linalg.det(x)", "g * np.linalg.det(x) * np.linalg.inv(x).T"),
    "slogdet": ("np.linalg.slogdet(x)[1]", "g * np.linalg.inv(x).T"),
    "cholesky": ("np.linalg.cholesky(x)", "cholesky_back(g, np.linalg.cholesky(x))"),
    "eigvalsh": ("np.linalg.eigvalsh(x)", "np.linalg.eigh(x)[1] * g @ np.linalg.eigh(x)[1].T")}


def of_matrix(node: Any, k: int, **words: ast.expr) -> ast.expr:
    """The value (k = 0) or the pull (k = 1) of a function of one matrix."""
    if node.op not in OF_MATRIX or len(node.parents[0].shape) > 2:
        raise NotImplementedError(f"by_hand has no words for {node.op} of {describe(node.parents[0])}, a matrix or a stack of them")
    return line(OF_MATRIX[node.op][k], **words)


def to_system(node: Any, i: int, g: ast.expr, xs: Codes) -> ast.expr:
    """solve: h = A⁻ᵀ g for b, and −h yᵀ for A."""
    A, b = map(np.shape, node.parents)
    if len(A) > 2 or len(b) > 2:
        raise NotImplementedError("by_hand has no words for solve of a stack of matrices")
    words = {"A": xs[0], "b": xs[1], "g": g}
    h, y = "np.linalg.solve(A.T, g)", "np.linalg.solve(A, b)"
    return line(h if i else f"-np.outer({h}, {y})" if len(b) == 1 else f"-{h} @ {y}.T", **words)


VALUES: dict[Any, Callable[[Any, Codes], ast.expr]] = {
    Linear: affine, Matmul: lambda node, xs: line("A @ B", A=xs[0], B=xs[1]),
    Einsum: lambda node, xs: summation(node.rule.subscripts, xs),
    (Sum, Extreme): lambda node, xs: line(f"x.{node.op}({axes_of(node.rule)})", x=xs[0]),
    LogSumExp: lambda node, xs: line(f"logsumexp({axes_of(node.rule, 'x')})", x=xs[0]),
    Reshape: lambda node, xs: line(f"x.reshape({node.shape})", x=xs[0]), Select: chosen, Join: joined,
    Transpose: lambda node, xs: turned(node, xs[0]),
    Broadcast: lambda node, xs: line(f"np.broadcast_to(x, {node.shape})", x=xs[0]),
    Cast: lambda node, xs: line(f"x.astype(np.{node.dtype})", x=xs[0]),
    CumulativeSum: lambda node, xs: line(f"np.cumsum(x, {node.rule.axis})", x=xs[0]),
    OfMatrix: lambda node, xs: of_matrix(node, 0, x=xs[0]), Solve: lambda node, xs: line("np.linalg.solve(A, b)", A=xs[0], b=xs[1])}
PULLS: dict[Any, Callable[[Any, int, ast.expr, Codes], ast.expr]] = {
    Linear: to_operand, Matmul: to_factor, Einsum: to_term, Sum: total, Extreme: extreme, Select: put_back, Join: cut_out,
    LogSumExp: lambda node, i, g, xs: line(f"g * softmax(x, {node.rule.axis})", g=spread(node, g), x=xs[0]),
    Reshape: lambda node, i, g, xs: line(f"g.reshape({node.parents[0].shape})", g=g),
    Transpose: lambda node, i, g, xs: turned(node, g, back=True),
    Broadcast: lambda node, i, g, xs: fitted(g, node.shape, node.parents[0].shape), Cast: lambda node, i, g, xs: g,
    CumulativeSum: lambda node, i, g, xs: line("np.flip(np.cumsum(np.flip(g, k), k), k)".replace("k", str(node.rule.axis)), g=g),
    OfMatrix: lambda node, i, g, xs: of_matrix(node, 1, g=g, x=xs[0]), Solve: to_system}
