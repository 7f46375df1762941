"""Which steps may a random program take?  For each op a way to choose operands and parameters, so that the op applies.

Each is a function (p, op, i, j, d) that appends a step to the program p and gives the name of its value, or None where it found
no operand that fits. i and j are positions in the pool; values nearer than 0.02 to a kink or a tie do not fit.

    p  the Builder      n, m  names of values in the program      v, w  such values      d  Digits, a source of choices
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from program_runs import PLAIN, encoded, weights

NEAR = 0.02  # no value comes nearer to a kink or a tie
LARGEST = 54  # entries of a value


class Digits:
    """Choices read off one number as digits in a mixed base. Those of 0 are all the first, so that is what shrinking leads to."""

    def __init__(self, number: int):
        self.number = number

    def below(self, n: int) -> int:
        self.number, k = divmod(self.number, max(n, 1))
        return k

    def of(self, options: Any) -> Any:
        return options[self.below(len(options))]

    def constant(self) -> dict:
        return {"const": (3 + self.below(15)) / 10 * self.of((1, -1))}

    def axis(self, ndim: int) -> int:
        return self.below(2 * ndim) - ndim

    def axes(self, ndim: int) -> Any:
        """None, one axis, or two."""
        kind = self.below(4)
        if ndim == 0 or kind == 3:
            return None
        return [0, self.below(ndim - 1) - ndim + 1] if kind == 2 and ndim > 1 else self.axis(ndim)


def clear(distance: Any) -> bool:
    return bool(np.min(np.abs(distance), initial=np.inf) >= NEAR)


# fmt: off
def smooth(p, op, i, j, d):   return p.push(op, p.pick(i))
def kinked(p, op, i, j, d):   return p.push(op, p.pick(i, clear))
def of_positive(p, op, i, j, d): return p.push(op, p.positive(p.pick(i)))
def cast(p, op, i, j, d):     return p.push(op, p.pick(i), dtype="float64")
# fmt: on


def two(p, op, i, j, d):
    n = p.pick(i)
    return p.push(op, *d.of([(n, p.like(n, j))] * 4 + [(n, d.constant()), (d.constant(), n)]))


def apart(p, op, i, j, d):
    n = p.pick(i)
    return p.push(op, n, p.like(n, j, lambda v, w: clear(v - w)))


def quotient(p, op, i, j, d):
    n, m = p.pick(i), p.pick(j)
    if d.below(5) == 0:
        return p.push(op, *d.of([(n, d.constant()), (d.constant(), p.positive(m))]))
    m = p.like(n, j)
    return p.push(op, n, m if m is None or clear(p.values[m] / 15) else p.positive(m))


def powers(p, op, i, j, d):
    n, kind = p.pick(i), d.below(3)
    if kind == 0:
        exponent = d.of((2.0, 3.0, -1.0, 0.5, -2.0, 1.0, 0.0, 2.5))
        return p.push(op, n if exponent in (0, 1, 2, 3) else p.positive(n), {"const": exponent})
    base = p.positive(n) if kind == 1 else {"const": d.of((0.5, 1.5, 2.0))}
    return p.push(op, base, p.like(n, j) if kind == 1 else n)


def with_slope(p, op, i, j, d):
    """leaky_relu and elu: the slope may be left out, a number, or a value of the program."""
    n = p.pick(i, clear)
    return p.push(op, *d.of([(n, p.like(n, j)), (n, d.constant()), (n,)]))


def clipped(p, op, i, j, d):
    bounds = {"lo": (d.below(10) - 10) / 10, "hi": (2 + d.below(10)) / 10}
    bounds = d.of([bounds, bounds, {"lo": bounds["lo"]}, {"hi": bounds["hi"]}])
    return p.push(op, p.pick(i, lambda v: all(clear(v - bound) for bound in bounds.values())), **bounds)


def chosen(p, op, i, j, d):
    n = p.pick(i, lambda v: clear(v - 0.1))
    m = p.like(n, j)
    if n is None or d.below(3) == 2:
        n = n or p.pick(i)
        mask = weights(p.values[n].shape, phase=d.below(7)) > 0
        return p.push(op, {"const": encoded(mask)}, *d.of([(n, p.like(n, j)), (d.constant(), n)]))
    return p.push(op, p.push("gt", n, {"const": 0.1}), *d.of([(n, m), (m, n), (m, d.constant())]))


def reduced(p, op, i, j, d):
    n = p.pick(i, lambda v: v.size or op in ("sum", "prod"))
    return n and p.push(op, n, axis=d.axes(p.values[n].ndim), keepdims=bool(d.below(2)))


def extreme(p, op, i, j, d):
    number, keepdims = d.below(2**16), bool(d.below(2))
    n = p.pick(i, lambda v: one_extreme(op, v, Digits(number).axes(v.ndim)))
    return n and p.push(op, n, axis=Digits(number).axes(p.values[n].ndim), keepdims=keepdims)


def one_extreme(op: str, v: np.ndarray, axis: Any) -> bool:
    """Whether exactly one entry is the largest (or smallest) along the axes, and no other near it."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    return bool(v.size and np.all(np.sum(np.abs(v - PLAIN[op](v, axis=axis, keepdims=True)) < NEAR, axis=axis) == 1))


def along_axis(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim and v.size)
    return n and p.push(op, n, axis=d.axis(p.values[n].ndim))


def arranged(p, op, i, j, d):
    """reshape, transpose, swapaxes, expand_dims, squeeze, broadcast_to."""
    least = {"swapaxes": 1, "transpose": d.below(3)}.get(op, 0)
    n = p.pick(i, lambda v: v.ndim >= least and (op != "squeeze" or 1 in v.shape)) or p.pick(i)
    shape, ndim = list(p.values[n].shape), p.values[n].ndim
    if op == "reshape":
        return p.push(op, n, shape=d.of([shape[::-1], [-1], [1, -1], [*shape, 1], [p.values[n].size, 1]]))
    if op == "transpose":
        order = list(range(ndim))
        return p.push(op, n, axes=d.of([None, order[1:] + order[:1], [k - ndim for k in order[::-1]], order[-1:] + order[:-1]]))
    if op == "broadcast":
        return p.push(op, n, shape=d.of([[], [2], [3], [2, 1]]) + [d.of((2, 3, 1)) if k == 1 else k for k in shape])
    if op == "swapaxes":
        return p.push(op, n, axis1=d.axis(ndim), axis2=d.axis(ndim)) if ndim else None
    ones = [k for k, side in enumerate(shape) if side == 1]
    return p.push(op, n, axis=d.axis(ndim + 1) if op == "expand_dims" else d.of([None, *ones, *(k - ndim for k in ones)]))


def indexed(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim and v.size)
    return n and p.push(op, n, index=d.of([basic, basic, basic, gathered, paired, masked])(p.values[n].shape, d))


def basic(shape: tuple, d: Digits) -> list[dict]:
    slices = ([1, None, None], [None, None, -1], [None, -1, None], [None, None, 2], [None, None, None], [-1, None, -2], [1, 1, None])
    parts = [d.of(({"slice": list(d.of(slices))}, {"slice": list(d.of(slices))}, {"int": d.axis(side)})) for side in shape]
    place = d.below(len(parts))
    return d.of([parts, parts[:1], [*parts[:place], {"newaxis": True}, *parts[place:]], [{"ellipsis": True}, parts[-1]]])


def gathered(shape: tuple, d: Digits) -> list[dict]:
    axis = d.below(len(shape))
    entries = np.array([d.axis(shape[axis]) for _ in range(4)]).reshape(d.of(((4,), (2, 2))))
    return [{"slice": [None, None, None]}] * axis + [{"array": encoded(entries)}]


def paired(shape: tuple, d: Digits) -> list[dict]:
    """Two integer arrays side by side, and with three axes, sometimes a slice between them."""
    arrays = [{"array": encoded(np.array([d.axis(side) for _ in range(3)]))} for side in shape]
    return [arrays[0], {"slice": [None, None, -1]}, arrays[2]] if len(shape) == 3 and d.below(2) else arrays[:2]


def masked(shape: tuple, d: Digits) -> list[dict]:
    return [{"mask": encoded(weights(shape[: 1 + d.below(len(shape))], phase=d.below(7)) > 0)}]


def taken(p, op, i, j, d):
    n = p.pick(i, lambda v: v.size)
    if n is None:
        return None
    axis = d.axis(p.values[n].ndim) if p.values[n].ndim and d.below(3) else None
    side = p.values[n].size if axis is None else p.values[n].shape[axis]
    return p.push(op, n, indices=[d.axis(side) for _ in range(1 + d.below(4))], axis=axis)


def diagonals(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim > 1)
    return p.push(op, n, offset=d.of((0, 1, -1)), **d.of([{"axis1": 0, "axis2": 1}, {"axis1": -1, "axis2": 0}]))


def parted(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim)
    axis = d.axis(p.values[n].ndim) if n else 0
    sections, part = d.of([([1], 1), ([1], 0), ([1, 2], 1), (p.values[n].shape[axis] or 1, 0), (1, 0)]) if n else (1, 0)
    return p.push(op, n, sections=sections, axis=axis, part=part)


def joined(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim or op == "stack")
    if n is None:
        return None
    axis = d.axis(p.values[n].ndim + (op == "stack"))
    m = p.pick(j, lambda w: works(PLAIN[op], [p.values[n], w], axis=axis))
    return p.push(op, *d.of([(n, m), (m, n), (n, m, n)]), axis=axis)


def works(function: Callable, *args: Any, **kw: Any) -> bool:
    try:
        return np.size(function(*args, **kw)) <= LARGEST
    except ValueError:
        return False


def product(p, op, i, j, d):
    n = p.pick(i, lambda v: v.ndim)
    m = n and p.pick(j, lambda w: w.ndim and works(np.matmul, p.values[n], w))
    constant = {"const": encoded(weights((p.values[n].shape[-1], 2) if n else ()))}
    return p.push(op, n, m if m and d.below(4) else constant)


def affine(p, op, i, j, d):
    """x Wᵀ + b, plain or with a leading axis of seeds in all three; b a bias, or of the shape of x Wᵀ."""
    n = p.pick(i, lambda v: v.ndim)
    if n is None:
        return None
    x = p.values[n].shape
    m = p.pick(j, lambda W: W.shape[-1:] == x[-1:] and (W.ndim == 2 or W.ndim == len(x) == 3 and W.shape[0] == x[0]))
    W: Any = m if m and d.below(4) else {"const": encoded(weights((1 + d.below(3), x[-1])))}
    b = p.pick(i + j, lambda b: b.shape in (p.value(W).shape[:-1], (*x[:-1], p.value(W).shape[-2])))
    return p.push(op, n, W, b) if b and d.below(3) else p.push(op, n, W)


SUBSCRIPTS = {
    1: "i,i-> i,j->ij i,i->i i,ij->j i-> i,j i,i,j->ij",
    2: "ij,jk->ik ij->ji ii-> ii->i ij,ij-> ij,kj->ik ij,jk ij,j->i ij->j ij,ij,jk->ik ...j,...j->...",
    3: "bij,bjk->bik bij->bji ...j->... bij,bkj->bik bij->jb iij->j bij,bij,ij->b ...i,...i bij,ij->b",
}


def einstein(p, op, i, j, d):
    rank = d.of((2, 3, 2, 1))
    n = p.pick(i, lambda v: v.ndim == rank) or p.pick(i, lambda v: v.ndim in SUBSCRIPTS)
    if n is None:
        return None
    v, texts = p.values[n], SUBSCRIPTS[p.values[n].ndim].split()
    if v.ndim > 1 and v.shape[0] != v.shape[1]:
        texts = [text for text in texts if text[:2] != "ii"]  # NumPy itself lets (0, 3) pass as a square
    text = d.of(texts)
    more = text.count(",")
    m = p.pick(j, lambda w: works(np.einsum, text, *[v] * more, w)) if more else n
    return p.push(op, *[n] * more, m, subscripts=text)


KINDS = {
    smooth: "neg square sin cos tanh sigmoid softplus gelu exp expm1", kinked: "abs relu sign",
    of_positive: "log sqrt log1p", two: "add sub mul", apart: "maximum minimum", quotient: "div", powers: "pow",
    with_slope: "leaky_relu elu", clipped: "clip", chosen: "where", reduced: "sum mean var prod logsumexp", extreme: "max min",
    along_axis: "softmax log_softmax", arranged: "reshape transpose swapaxes expand_dims squeeze broadcast", indexed: "getitem",
    taken: "take", diagonals: "diagonal", parted: "split", joined: "concatenate stack", cast: "astype", product: "matmul",
    affine: "linear", einstein: "einsum",
}  # fmt: skip
STEPS: dict[str, Callable] = {op: kind for kind, ops in KINDS.items() for op in ops.split()}
