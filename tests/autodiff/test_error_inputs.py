"""What if a call is wrong?  It raises an error that teaches (what was expected, what came, what to do), and it leaves no trace.

A row is a wrong call, the type of its error, and what the error says (" … " stands for anything). A call names the leaves it wants:

    A, C (2, 3)   B (3, 2)   K (2, 2, 3)   W (4, 3)   b (4,)   v (3,)   n ()   E (0, 3), empty      Tensors
    s, w   Scalars           h (2,)   an object array of Scalars
"""

from __future__ import annotations

import copy
import gc
import pickle
import re
import sys
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor
from tinygrad_vg.autodiff.core import guard

OPS = sorted(vg.OPS)
I23, I32, O23 = np.ones((2, 3)), np.ones((3, 2)), np.zeros((2, 3))
MASKED, RAGGED, COMPLEX = np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), [[1.0], [1.0, 2.0]], np.full((2, 3), 1j)

# What is said more than once
REAL = "needs real numbers (float64 or float32) or arrays of them, not"
PARTS = "complex128; take .real and .imag as two arrays"
MIXED = "a Scalar and a Tensor do not mix: pass its .data"
OWN_OP = "would lose its gradient as a plain array; take its value with .data, or use an op of ours"
MASK = "a MaskedArray would lose its special meaning; pass np.asarray(…) of it, and mask with where()"
ONE_NUMBER = "for arrays use a Tensor, or scalars(array)"
AS_OBJECTS = "object; Scalars go through NumPy's operators on the object array itself, without a Tensor"
NO_INDEX = "an index must be whole numbers, a mask or slices; a node is neither: use x[indices.data.astype(int)]"
NODE = "needs a node (a Scalar or a Tensor), got"
NEEDS_NODE = f"history {NODE}"
SOMETHING = "needs numbers, arrays of them, Tensors or Scalars, got"
SEEDLESS = "has shape (2, 3), so it has no single gradient; pass a seed of that shape or reduce it with .sum()"
UNRECORDED = "computed under no_grad(), so there is no history to differentiate; compute it outside"
AGAIN = "no longer fits the value; run the forward pass again"
AFFINE = "linear: y = x Wᵀ + b needs x (…, in), W (out, in), b (out,) or of the shape of y; got"
NOT_IN = "; write it in other ops, or use .data for plain values"

# What belongs in no message: words of the machinery, which say nothing of the call
INTERNAL = ["has no attribute", "bad operand type", "unhashable", "<lambda>", "unsupported operand", "not iterable", "not callable",
            "not subscriptable", "did not contain a loop", "loop of ufunc", "index out of range", "cannot be interpreted",
            "recursion"]  # fmt: skip


def unrecorded(call: Callable) -> Any:
    with vg.no_grad():
        return call()


def watched(call: Callable) -> Any:
    with vg.detect_anomaly():
        return call()


def changed(leaf: Any, output: Any) -> Any:
    """The output, whose leaf has been given new data since (the same numbers, so that it can go on being used)."""
    leaf.data = leaf.data
    return output


def assign(node: Any, what: str, value: Any) -> None:
    setattr(node, what, value)


# ---------------------------------------------------------------- what whole families of ops refuse


# fmt: off
def of_one_operand(op: str) -> list:
    f = getattr(vg, op)
    made = f"the Tensor made by {op}"
    return [
        (lambda A: f(A).backward(),                          ValueError,   f"{made} {SEEDLESS}"),
        (lambda A: f(A).backward(np.ones(2)),                ValueError,   f"the seed must have shape (2, 3), that of {made}; got (2,)"),
        (lambda A: f(A).backward(COMPLEX),                   TypeError,    f"the seed {REAL} {PARTS}"),
        (lambda A: changed(A, f(A)).backward(I23),           RuntimeError, f"A was given … after {op} used it, so … {AGAIN}"),
        (lambda s: changed(s, f(s)).backward(),              RuntimeError, f"s was given new data after {op} used it"),
        (lambda s: f(s).backward([1.0, 2.0]),                TypeError,    f"the seed needs one real … (2,); {ONE_NUMBER}"),
        (lambda A: f(A, axis=0),                             TypeError,    f"{op}() got an unexpected keyword argument 'axis'"),
        (lambda A: f(A, A, A),                               TypeError,    f"{op}() takes "),
        (lambda: f(),                                        TypeError,    f"{op}() missing 1 required positional argument: 'a'"),
        (lambda: watched(lambda: f(Tensor([np.nan], "x"))),  FloatingPointError, f"{op} made nan at [0] of x = nan"),
    ]


def of_ufunc(op: str) -> list:
    g = {"abs": np.absolute}.get(op) or getattr(np, op)
    name = f"np.{g.__name__}"
    return [
        (lambda A: g(A, out=O23.copy()),    TypeError, f"{name} with out= would put a Tensor … `a = a + b`, which makes a new node"),
        (lambda s: g(s, out=np.zeros(())),  TypeError, f"{name} with out= would put a Scalar into a plain array"),
        (lambda A: g(A, where=I23 > 0),     TypeError, f"{name} on a Tensor takes no where; use where() or astype() around it"),
        (lambda A: g(A, dtype=np.float32),  TypeError, f"{name} on a Tensor takes no dtype; use where() or astype() around it"),
        (lambda A: g.at(A, [0]),            TypeError, f"{name}.at does not record on a Tensor; use np.sum, np.prod, np.max or np.min"),
    ]


def of_two_operands(op: str) -> list:
    f, g = getattr(vg, op), getattr(np, op)
    return [
        (lambda A: f(A, None),                TypeError,  f"{op} {REAL} NoneType"),
        (lambda A: f("text", A),              TypeError,  f"{op} {REAL} str"),
        (lambda A: f(A, 1j),                  TypeError,  f"{op} {REAL} complex"),
        (lambda A: f(A, COMPLEX),             TypeError,  f"{op} {REAL} {PARTS}"),
        (lambda A: f(A, np.array(["a"])),     TypeError,  f"{op} {REAL} <U1; convert it to numbers first"),
        (lambda A: f(A, MASKED),              TypeError,  MASK),
        (lambda A: f(A, RAGGED),              ValueError, f"{op} needs a regular array of numbers"),
        (lambda A: f(A, np.ones(2)),          ValueError, f"{op}: … with shapes (2,3) (2,)  (given A (2, 3), a constant (2,))"),
        (lambda A, B: f(A, B),                ValueError, "(given A (2, 3), B (3, 2))"),
        (lambda A, s: f(A, s),                TypeError,  f"{op} needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A, s: f(s, A),                TypeError,  f"{op} needs one plain number, got A; a Scalar and … do not mix: pass A.data"),
        (lambda v, h: f(v, h),                TypeError,  f"{op} {REAL} {AS_OBJECTS}"),
        (lambda s: f(s, [1.0, 2.0]),          TypeError,  f"{op} needs one real number, got list of shape (2,); {ONE_NUMBER}"),
        (lambda s: f("text", s),              TypeError,  f"{op} needs one real number, got str"),
        (lambda h: f(h, None),                TypeError,  f"{op} {SOMETHING} NoneType"),
        (lambda: f([1.0, 2.0], "text"),       TypeError,  f"{op} {SOMETHING} str"),
        (lambda h: f(h, np.ones(3)),          ValueError, "operands could not be broadcast together with shapes (2,) (3,)"),
        (lambda A: f(A),                      TypeError,  f"{op}() missing 1 required positional argument: 'b'"),
        (lambda A: f(A, A, A),                TypeError,  f"{op}() takes 2 positional arguments but 3 were given"),
        (lambda A: g(A, A, out=O23.copy()),   TypeError,  f"np.{op} with out= would put a Tensor into a plain array; write `a = a + b`"),
        (lambda A: g(A, 1.0, where=I23 > 0),  TypeError,  f"np.{op} on a Tensor takes no where; use where() or astype() around it"),
        (lambda A: g.reduce(A),               TypeError,  f"np.{op}.reduce does not record on a Tensor; use … np.max or np.min"),
        (lambda A: g.outer(A, A),             TypeError,  f"np.{op}.outer does not record on a Tensor; give one a new axis"),
        (lambda A: g.accumulate(A),           TypeError,  f"np.{op}.accumulate does not record on a Tensor; use np.cumsum"),
        (lambda A, C: f(A, C).backward(),     ValueError, f"the Tensor made by {op} {SEEDLESS}"),
    ]


def of_slope(op: str) -> list:
    f = getattr(vg, op)
    return [
        (lambda A: f(A, "text"),      TypeError,  f"{op} {REAL} str"),
        (lambda A: f(A, None),        TypeError,  f"{op} {REAL} NoneType"),
        (lambda A: f(A, MASKED),      TypeError,  MASK),
        (lambda A, s: f(A, s),        TypeError,  f"{op} needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda s, v: f(s, v),        TypeError,  f"{op} needs one plain number, got v; a Scalar and a Tensor do not mix: pass v.data"),
        (lambda A: f(A, np.ones(2)),  ValueError, "(given A (2, 3), a constant (2,))"),
        (lambda s: f(s, [0.1, 0.2]),  TypeError,  f"{op} needs one real number, got list of shape (2,); {ONE_NUMBER}"),
    ]


def of_axes(op: str, given: str = "", told: str = "", twice: str = "duplicate value in 'axis'") -> list:
    f = getattr(vg, op)
    method = lambda x, *args, **named: getattr(x, op)(*args, **named)  # noqa: E731
    return [
        (lambda A: f(A, 2),            ValueError, f"{told}axis 2 is out of bounds for array of dimension 2{given}"),
        (lambda A: method(A, -3),      ValueError, f"{told}axis -3 is out of bounds for array of dimension 2{given}"),
        (lambda A: f(A, axis=(0, 7)),  ValueError, f"{told}axis 7 is out of bounds for array of dimension 2{given}"),
        (lambda A: f(A, (0, 0)),       ValueError, f"{told}{twice}{given}"),
        *([] if op in ("sum", "mean", "max", "min", "logsumexp") else [(lambda A: f([A]), TypeError, f"A {OWN_OP}")]),  # those join the list
        (lambda A: f(A, dim=0),        TypeError,  f"{op}() got an unexpected keyword argument 'dim'"),
        (lambda: f(),                  TypeError,  f"{op}() missing 1 required positional argument: 'x'"),
        (lambda h: f(h, 1),            ValueError, "axis 1 is out of bounds for array of dimension 1"),
    ]


def of_reduction(op: str, made: str) -> list:
    f, g = getattr(vg, op), getattr(np, op, None)
    own = [
        (lambda A: f(A, 0).backward(),         ValueError, f"the Tensor made by {made} has shape (3,), so … reduce it with .sum()"),
        (lambda A: f(A).backward([1.0, 2.0]),  ValueError, f"the seed must have shape (), that of the Tensor made by {made}; got (2,)"),
        (lambda A: f(A, 0, False, True, 1),    TypeError,  f"{op}() takes from 1 to "),
    ]
    return own if g is None else [*own,
        (lambda A: g(A, out=np.zeros(())),  TypeError, f"np.{op} on a Tensor: {op}() got an unexpected keyword argument 'out'"),
        *([(lambda A: g(A, where=I23 > 0), TypeError, "np.var on a Tensor: var() got an … keyword argument 'where'")] if op == "var" else []),
        (lambda A, C: g([A, C]),            TypeError, f"A {OWN_OP}"),
    ]


def of_extreme(op: str) -> list:
    f, g = getattr(vg, op), getattr(np, op)
    empty = f"{op}: zero-size array to reduction operation {op}imum which has no identity (given E (0, 3))"
    return [
        (lambda E: f(E),          ValueError, empty),
        (lambda E: g(E, axis=0),  ValueError, empty),
    ]


# ---------------------------------------------------------------- the table: op → its wrong calls

ONE = "negative sign abs square sqrt exp expm1 log log1p sin cos tanh sigmoid softplus relu leaky_relu elu gelu".split()
ONE += "tan arcsin arccos arctan sinh cosh arcsinh arctanh exp2 log2 log10 reciprocal cbrt deg2rad rad2deg sinc erf erfc gelu_tanh".split()
TWO = "add subtract multiply divide power maximum minimum".split()
TWO += "arctan2 hypot logaddexp logaddexp2 fmax fmin remainder fmod".split()

ROWS: dict[str, list] = {
    **{op: of_one_operand(op) + (of_ufunc(op) if isinstance(getattr(np, op, None), np.ufunc) else []) for op in ONE},
    **{op: of_two_operands(op) for op in TWO},
    "leaky_relu": [*of_one_operand("leaky_relu"), *of_slope("leaky_relu"),
        (lambda A: vg.leaky_relu(A, negative_slope=0.1),  TypeError, "leaky_relu() got an unexpected keyword argument 'negative_slope'"),
    ],
    "elu": [*of_one_operand("elu"), *of_slope("elu"),
        (lambda A: vg.elu(A, slope=0.1),  TypeError, "elu() got an unexpected keyword argument 'slope'"),
    ],
    "arccosh": [row for row in of_ufunc("arccosh") if row[2].count("no dtype") == 0] + [
        (lambda A: vg.arccosh(A + 2).backward(),   ValueError, f"the Tensor made by arccosh {SEEDLESS}"),
        (lambda A: vg.arccosh(A + 2, axis=0),      TypeError,  "arccosh() got an unexpected keyword argument 'axis'"),
        (lambda: vg.arccosh(),                     TypeError,  "arccosh() missing 1 required positional argument: 'a'"),
    ],
    "xlogy": [
        (lambda A: vg.xlogy(A, None),              TypeError,  f"xlogy {REAL} NoneType"),
        (lambda A: vg.xlogy(A, np.ones(2)),        ValueError, "(given A (2, 3), a constant (2,))"),
        (lambda A, s: vg.xlogy(A, s),              TypeError,  f"xlogy needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda s: vg.xlogy(s, [1.0, 2.0]),        TypeError,  f"xlogy needs one real number, got list of shape (2,); {ONE_NUMBER}"),
        (lambda A: vg.xlogy(A),                    TypeError,  "xlogy() missing 1 required positional argument: 'b'"),
        (lambda A: vg.xlogy(A, A).backward(),      ValueError, f"the Tensor made by xlogy {SEEDLESS}"),
    ],
    "clip": [
        (lambda A, s: vg.clip(A, s, 1.0),        TypeError,  "a Scalar and a Tensor do not mix"),
        (lambda A: A.clip("text"),               TypeError,  f"clip {REAL} str"),
        (lambda A: vg.clip(A, 1j, 2.0),          TypeError,  f"clip {REAL} complex"),
        (lambda A: vg.clip(A, MASKED, 2.0),      TypeError,  MASK),
        (lambda A: vg.clip(A, RAGGED, 2.0),      ValueError, "clip needs a regular array of numbers"),
        (lambda A: vg.clip(A, np.ones(2), 1.0),  ValueError, "(given A (2, 3), a constant (2,), a constant ())"),
        (lambda s: vg.clip(s, [0.0, 1.0]),       TypeError,  f"clip needs one real number, got list of shape (2,); {ONE_NUMBER}"),
        (lambda A: vg.clip(A, 0.0, 1.0, 2.0),    TypeError,  "clip() takes from 1 to 3 positional arguments but 4 were given"),
        (lambda A: vg.clip(A, low=0.0),          TypeError,  "clip() got an unexpected keyword argument 'low'"),
        (lambda A: vg.clip(A, 0.0).backward(),   ValueError, f"the Tensor made by clip {SEEDLESS}"),
    ],
    "where": [
        (lambda A: vg.where(A, A, A),                 TypeError,  "where: condition must be … got a Tensor; … or compare it: x > 0"),
        (lambda s, w: vg.where(s, s, w),              TypeError,  "where: condition must be … got a Scalar; … or compare it: x > 0"),
        (lambda v: np.where(v, 1.0, 2.0),             TypeError,  "where: condition must be … got a Tensor; … or compare it: x > 0"),
        (lambda A: np.where(A),                       TypeError,  "np.where on a Tensor: where() … positional arguments: 'a' and 'b'"),
        (lambda A: vg.where(A > 0, A),                TypeError,  "where() missing 1 required positional argument: 'b'"),
        (lambda A: vg.where(A > 0, A, A, A),          TypeError,  "where() takes 3 positional arguments but 4 were given"),
        (lambda A, s: vg.where(A > 0, A, s),          TypeError,  f"where needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: vg.where(A > 0, None, A),          TypeError,  f"where {REAL} NoneType"),
        (lambda A: vg.where(A > 0, A, COMPLEX),       TypeError,  f"where {REAL} {PARTS}"),
        (lambda A: vg.where("text", A, A),            TypeError,  f"where {REAL} str"),
        (lambda A: vg.where(np.array([None]), A, A),  TypeError,  f"where {REAL} {AS_OBJECTS}"),
        (lambda A: vg.where([True, [False]], A, A),   ValueError, "where needs a regular array of numbers"),
        (lambda A: vg.where(np.ones(2, bool), A, A),  ValueError, "(given a constant (2,), A (2, 3), A (2, 3))"),
        (lambda A: vg.where(A > 0, A, np.ones(2)),    ValueError, "(given a constant (2, 3), A (2, 3), a constant (2,))"),
        (lambda s: vg.where(s > 0, s, [1.0, 2.0]),    TypeError,  f"where needs one real number, got list of shape (2,); {ONE_NUMBER}"),
        (lambda A: np.where(A > 0, A, MASKED),        TypeError,  MASK),
    ],

    # ------------------------------------------------------------ structure
    "reshape": [
        (lambda A: vg.reshape(A, 4),                  ValueError, "reshape: … size 6 into shape (4,) (given A (2, 3))"),
        (lambda A: A.reshape(2, 2),                   ValueError, "reshape: … size 6 into shape (2,2) (given A (2, 3))"),
        (lambda A: vg.reshape(A, (4, -1)),            ValueError, "reshape: … size 6 into shape (4,newaxis) (given A (2, 3))"),
        (lambda A: vg.reshape(A, (-1, -1)),           ValueError, "reshape: can only specify one unknown dimension (given A (2, 3))"),
        (lambda A: vg.reshape(A, (0, -1)),            ValueError, "reshape: … size 6 into shape (0,newaxis) (given A (2, 3))"),
        (lambda A: vg.reshape(A),                     ValueError, "reshape: … size 6 into shape () (given A (2, 3))"),
        (lambda E: vg.reshape(E, 3),                  ValueError, "reshape: … size 0 into shape (3,) (given E (0, 3))"),
        (lambda A: np.reshape(A, (5,)),               ValueError, "reshape: … size 6 into shape (5,) (given A (2, 3))"),
        (lambda A: np.reshape(A, (3, 2), order="F"),  TypeError,  "np.reshape on a Tensor: reshape() got an … keyword argument 'order'"),
        (lambda A: vg.reshape(A, 6).backward(),       ValueError, "the Tensor made by reshape has shape (6,), so … reduce it with .sum()"),
        (lambda h: vg.reshape(h, 3),                  ValueError, "cannot reshape array of size 2 into shape (3,)"),
        (lambda: vg.reshape(),                        TypeError,  "reshape() missing 1 required positional argument: 'x'"),
    ],
    "transpose": [
        (lambda A: vg.transpose(A, (0, 0)),   ValueError, "transpose: repeated axis in transpose (given A (2, 3))"),
        (lambda A: vg.transpose(A, (0,)),     ValueError, "transpose: axes don't match array (given A (2, 3))"),
        (lambda A: A.transpose(0, 1, 2),      ValueError, "transpose: axes don't match array (given A (2, 3))"),
        (lambda K: vg.transpose(K, (0, 1)),   ValueError, "transpose: axes don't match array (given K (2, 2, 3))"),
        (lambda A: vg.transpose(A, (0, 2)),   ValueError, "transpose: axis 2 is out of bounds for array of dimension 2 (given A (2, 3))"),
        (lambda A: np.transpose(A, (1, -3)),  ValueError, "transpose: axis -3 is out of bounds for array of dimension 2 (given A (2, 3))"),
        (lambda A: A.T.backward(),            ValueError, "the Tensor made by transpose has shape (3, 2), so … reduce it with .sum()"),
        (lambda A: A.T.backward(I23),         ValueError, "the seed must have shape (3, 2), … got (2, 3)"),
    ],
    "swapaxes": [
        (lambda A: vg.swapaxes(A, 0),               TypeError,  "swapaxes() missing 1 required positional argument: 'axis2'"),
        (lambda A: A.swapaxes(0, 1, 2),             TypeError,  "swapaxes() takes 3 positional arguments but 4 were given"),
        (lambda A: vg.swapaxes(A, 0, axis=1),       TypeError,  "swapaxes() got an unexpected keyword argument 'axis'"),
        (lambda A: A.swapaxes(0, 1).backward(),     ValueError, "the Tensor made by transpose has shape (3, 2), … pass a seed"),
        (lambda A: A.swapaxes(0, 1).backward(I23),  ValueError, "the seed must have shape (3, 2), … got (2, 3)"),
    ],
    "expand_dims": [
        (lambda A: vg.expand_dims(A, 4),                   ValueError, "axis 4 is out of bounds for array of dimension 3"),
        (lambda A: vg.expand_dims(A, -4),                  ValueError, "axis -4 is out of bounds for array of dimension 3"),
        (lambda A: np.expand_dims(A, (0, 5)),              ValueError, "axis 5 is out of bounds for array of dimension 4"),
        (lambda A: vg.expand_dims(A),                      TypeError,  "expand_dims() missing 1 required positional argument: 'axis'"),
        (lambda A: vg.expand_dims(A, 0, 1),                TypeError,  "expand_dims() takes 2 positional arguments but 3 were given"),
        (lambda v: vg.expand_dims(v, 0).backward(),        ValueError, "the Tensor made by reshape has shape (1, 3), … pass a seed"),
        (lambda v: vg.expand_dims(v, 0).backward(v.data),  ValueError, "the seed must have shape (1, 3), … got (3,)"),
    ],
    "squeeze": [
        (lambda A: vg.squeeze(A, 0),                  ValueError, "cannot select an axis to squeeze out which has size not equal to one"),
        (lambda A: np.squeeze(A[None], axis=(0, 1)),  ValueError, "cannot select an axis to squeeze out which has size not equal to one"),
        (lambda A: vg.squeeze(A, 2),                  ValueError, "axis 2 is out of bounds for array of dimension 2"),
        (lambda A: vg.squeeze(A, -3),                 ValueError, "axis -3 is out of bounds for array of dimension 2"),
        (lambda A: vg.squeeze(A[None], (0, 0)),       ValueError, "duplicate value in 'axis'"),
        (lambda A: A.squeeze(0, 1),                   TypeError,  "squeeze() takes from 1 to 2 positional arguments but 3 were given"),
        (lambda A: A[None].squeeze().backward(),      ValueError, f"the Tensor made by reshape {SEEDLESS}"),
    ],
    "broadcast_to": [
        (lambda A: vg.broadcast_to(A, (2, 4)),              ValueError, "(2,3)  and requested shape (2,4) (given A (2, 3))"),
        (lambda A: np.broadcast_to(A, (3, 3)),              ValueError, "(2,3)  and requested shape (3,3) (given A (2, 3))"),
        (lambda E: vg.broadcast_to(E, (2, 3)),              ValueError, "(0,3)  and requested shape (2,3) (given E (0, 3))"),
        (lambda A: vg.broadcast_to(A, 3),                   ValueError, "broadcast_to: input operand has more … (given A (2, 3))"),
        (lambda A: vg.broadcast_to(A, (2, -3)),             ValueError, "broadcast_to: all elements of broadcast … (given A (2, 3))"),
        (lambda A: vg.broadcast_to(A, ()),                  ValueError, "broadcast_to: cannot broadcast a non-scalar … (given A (2, 3))"),
        (lambda A: vg.broadcast_to(A),                      TypeError,  "broadcast_to() missing 1 required positional argument: 'shape'"),
        (lambda A: np.broadcast_to(A, (2, 3), subok=True),  TypeError,  "np.broadcast_to on a Tensor: … keyword argument 'subok'"),
        (lambda A, v: np.broadcast_arrays(A, v),            TypeError,  f"np.broadcast_arrays does not record on a Tensor{NOT_IN}"),
        (lambda v: vg.broadcast_to(v, (2, 3)).backward(),   ValueError, f"the Tensor made by broadcast_to {SEEDLESS}"),
    ],
    "concatenate": [
        (lambda: vg.concatenate([]),                     ValueError, "need at least one array to concatenate"),
        (lambda A, v: vg.concatenate([A, v]),            ValueError, "must have same number of dimensions"),
        (lambda A, B: vg.concatenate([A, B]),            ValueError, "(given A (2, 3), B (3, 2))"),
        (lambda A, B: np.vstack([A, B]),                 ValueError, "(given A (2, 3), B (3, 2))"),
        (lambda n: vg.concatenate([n, n]),               ValueError, "concatenate: zero-dimensional arrays … (given n (), n ())"),
        (lambda A: vg.concatenate([A, A], 2),            ValueError, "concatenate: axis 2 is out of bounds for array of … (given A (2, 3), A (2, 3))"),
        (lambda n: vg.concatenate(n),                    TypeError,  "n is a single number and has no length"),
        (lambda A, s: vg.concatenate([A, s]),            TypeError,  f"concatenate needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: vg.concatenate([A, None]),            TypeError,  f"concatenate {REAL} NoneType"),
        (lambda A: vg.concatenate([A, "text"]),          TypeError,  f"concatenate {REAL} str"),
        (lambda A: vg.concatenate([A, COMPLEX]),         TypeError,  f"concatenate {REAL} {PARTS}"),
        (lambda h, v: vg.concatenate([h, v]),            TypeError,  f"concatenate {REAL} {AS_OBJECTS}"),
        (lambda v: np.concatenate([v, MASKED]),          TypeError,  MASK),
        (lambda A: np.concatenate([A, A], out=I23),      TypeError,  "np.concatenate on a Tensor: concatenate() … keyword argument 'out'"),
        (lambda A: np.concatenate([A, A], dtype=float),  TypeError,  "np.concatenate on a Tensor: … keyword argument 'dtype'"),
        (lambda A: vg.concatenate([A, A], dim=0),        TypeError,  "concatenate() got an unexpected keyword argument 'dim'"),
        (lambda v: vg.concatenate([v, v]).backward(),    ValueError, "the Tensor made by concatenate … shape or reduce it with .sum()"),
    ],
    "stack": [
        (lambda: vg.stack([]),                   ValueError, "need at least one array to stack"),
        (lambda A, v: vg.stack([A, v]),          ValueError, "stack: all input arrays must have the same shape (given A (2, 3), v (3,))"),
        (lambda A, B: np.stack([A, B]),          ValueError, "stack: all … must have the same shape (given A (2, 3), B (3, 2))"),
        (lambda A, C: vg.stack([A, C], 3),       ValueError, "stack: axis 3 is out of bounds for array of … (given A (2, 3), C (2, 3))"),
        (lambda A: np.stack([A, A], axis=-4),    ValueError, "stack: axis -4 is out of bounds for array of … (given A (2, 3), A (2, 3))"),
        (lambda A, s: vg.stack([A, s]),          TypeError,  f"stack needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: vg.stack([A, None]),          TypeError,  f"stack {REAL} NoneType"),
        (lambda A: vg.stack([A, COMPLEX]),       TypeError,  f"stack {REAL} {PARTS}"),
        (lambda v, h: vg.stack([v, h]),          TypeError,  f"stack {REAL} {AS_OBJECTS}"),
        (lambda n: vg.stack(n),                  TypeError,  "n is a single number and has no length"),
        (lambda v: np.stack([v, MASKED]),        TypeError,  MASK),
        (lambda A: np.stack([A, A], out=I23),    TypeError,  "np.stack on a Tensor: stack() got an unexpected keyword argument 'out'"),
        (lambda v: vg.stack([v, v]).backward(),  ValueError, f"the Tensor made by stack {SEEDLESS}"),
    ],
    "split": [
        (lambda A: vg.split(A, 2, axis=1),        ValueError, "array split does not result in an equal division"),
        (lambda A: np.split(A, 5),                ValueError, "array split does not result in an equal division"),
        (lambda A: vg.split(A, -1),               ValueError, "split needs a number of equal parts, 1 or more, or a list of places; got -1"),
        (lambda A: vg.split(A),                   TypeError,  "split() missing 1 required positional argument: 'sections'"),
        (lambda A: vg.split(A, 1, 0, 0),          TypeError,  "split() takes from 2 to 3 positional arguments but 4 were given"),
        (lambda A: vg.split(A, 2, dim=1),         TypeError,  "split() got an unexpected keyword argument 'dim'"),
        (lambda A: vg.split(A, 2)[0].backward(),  ValueError, "the Tensor made by getitem has shape (1, 3), so … reduce it with .sum()"),
    ],
    "getitem": [
        (lambda A: A[2],                      IndexError, "getitem: index 2 is out of bounds for axis 0 with size 2 (given A (2, 3))"),
        (lambda A: A[0, -4],                  IndexError, "getitem: index -4 is out of bounds for axis 1 with size 3 (given A (2, 3))"),
        (lambda A: A[[0, 7]],                 IndexError, "getitem: index 7 is out of bounds for axis 0 with size 2 (given A (2, 3))"),
        (lambda A: A[0, 0, 0],                IndexError, "getitem: too many indices for array: array is … (given A (2, 3))"),
        (lambda n: n[0],                      IndexError, "getitem: too many indices for array: array is 0-dimensional, … (given n ())"),
        (lambda A: A[1.0],                    IndexError, "getitem: only integers, slices (`:`), ellipsis (`...`), … (given A (2, 3))"),
        (lambda A: A["text"],                 IndexError, "arrays are valid indices (given A (2, 3))"),
        (lambda A: A[None, {}],               IndexError, "arrays are valid indices (given A (2, 3))"),
        (lambda A: A[np.array([0.5])],        IndexError, "getitem: arrays used as indices must be of integer (or … (given A (2, 3))"),
        (lambda A: A[["text"]],               IndexError, "getitem: arrays used as indices must be of integer (or … (given A (2, 3))"),
        (lambda A, v: A[v],                   TypeError,  NO_INDEX),
        (lambda A, s: A[0, s],                TypeError,  NO_INDEX),
        (lambda A, h: A[h],                   IndexError, "getitem: arrays used as indices must be of integer (or … (given A (2, 3))"),
        (lambda A: A[np.ones((3, 3), bool)],  IndexError, "size of axis is 2 but size of corresponding boolean axis is 3 (given A (2,"),
        (lambda A: A[[0, 1], [0, 1, 2]],      IndexError, "getitem: shape mismatch: indexing arrays could not be … (given A (2, 3))"),
        (lambda A: A[..., ...],               IndexError, "getitem: an index can only have a single ellipsis ('...') (given A (2, 3))"),
        (lambda A: A[::0],                    ValueError, "getitem: slice step cannot be zero (given A (2, 3))"),
        (lambda A: A.__setitem__(0, 1.0),     TypeError,  "a Tensor is not changed in place, the … new one with where() or concatenate()"),
        (lambda A: vg.getitem(A),             TypeError,  "getitem() missing 1 required positional argument: 'index'"),
        (lambda h: vg.getitem(h, 2),          IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        (lambda A: A[0].backward(),           ValueError, "the Tensor made by getitem has shape (3,), so … reduce it with .sum()"),
    ],
    "take": [
        (lambda A: vg.take(A, 6),                     IndexError, "index 6 is out of bounds for axis 0 with size 6"),
        (lambda A: A.take([0, 2], 0),                 IndexError, "index 2 is out of bounds for axis 0 with size 2 (given A (2, 3))"),
        (lambda E: vg.take(E, 0),                     IndexError, "index 0 is out of bounds for axis 0 with size 0"),
        (lambda A: vg.take(A, 0, 2),                  ValueError, "axis 2 is out of bounds for array of dimension 2"),
        (lambda A: np.take(A, 0, -3),                 ValueError, "axis -3 is out of bounds for array of dimension 2"),
        (lambda A: vg.take(A, [0.5], 1),              IndexError, "arrays used as indices must be of integer (or boolean) type (given"),
        (lambda A: vg.take(A, "text"),                IndexError, "arrays used as indices must be of integer (or boolean) type"),
        (lambda A, s: vg.take(A, s),                  IndexError, "arrays used as indices must be of integer (or boolean) type"),
        (lambda A, v: vg.take(A, v),                  TypeError,  f"v {OWN_OP}"),
        (lambda A: vg.take(A, [True, False]),         IndexError, "size of axis is 6 but size of corresponding boolean axis is 2"),
        (lambda A: np.take(A, [0], mode="clip"),      TypeError,  "np.take on a Tensor: take() got an unexpected keyword argument 'mode'"),
        (lambda A: np.take(A, [0], out=np.zeros(1)),  TypeError,  "np.take on a Tensor: take() got an unexpected keyword argument 'out'"),
        (lambda A: vg.take(A, [0], 0, 1),             TypeError,  "take() takes from 2 to 3 positional arguments but 4 were given"),
    ],
    "diagonal": [
        (lambda v: vg.diagonal(v),             ValueError, "diag requires an array of at least two dimensions"),
        (lambda n: np.trace(n),                ValueError, "diag requires an array of at least two dimensions"),
        (lambda A: A.diagonal(0, 1, 1),        ValueError, "axis1 and axis2 cannot be the same"),
        (lambda A: vg.diagonal(A, 0, 0, 2),    ValueError, "axis2: axis 2 is out of bounds for array of dimension 2"),
        (lambda A: np.diagonal(A, axis1=-3),   ValueError, "axis1: axis -3 is out of bounds for array of dimension 2"),
        (lambda A: vg.diagonal(A, k=1),        TypeError,  "diagonal() got an unexpected keyword argument 'k'"),
        (lambda A: vg.diagonal(A).backward(),  ValueError, "the Tensor made by getitem has shape (2,), so … reduce it with .sum()"),
    ],
    "astype": [
        (lambda A: A.astype(int),                     TypeError,  "a Tensor is float32 or float64, not int64; … .data.astype(int64)"),
        (lambda A: A.astype(bool),                    TypeError,  "a Tensor is float32 or float64, not bool; … .data.astype(bool)"),
        (lambda A: vg.astype(A, complex),             TypeError,  "a Tensor is float32 or float64, not … with .data.astype(complex128)"),
        (lambda A: vg.astype(A, object),              TypeError,  "a Tensor is float32 or float64, not object; … .data.astype(object)"),
        (lambda A: A.astype("float16"),               TypeError,  "a Tensor is float32 or float64, not float16; … .data.astype(float16)"),
        (lambda A: np.astype(A, int),                 TypeError,  "a Tensor is float32 or float64, not int64; … .data.astype(int64)"),
        (lambda A: A.astype(np.float32, copy=False),  TypeError,  "astype() got an unexpected keyword argument 'copy'"),
        (lambda A: A.astype(),                        TypeError,  "astype() missing 1 required positional argument: 'dtype'"),
        (lambda A: A.astype("float32").backward(),    ValueError, f"the Tensor made by astype {SEEDLESS}"),
    ],

    # ------------------------------------------------------------ reductions
    **{op: [*of_axes(op, " (given A (2, 3))", f"{op}: "), *of_reduction(op, op)] for op in ("sum", "mean", "logsumexp")},
    **{op: [*of_axes(op, " (given A (2, 3))", f"{op}: "), *of_reduction(op, op), *of_extreme(op)] for op in ("max", "min")},
    "var": [*of_axes("var", " (given A (2, 3))"), *of_reduction("var", "divide"),
        (lambda n: vg.var(n, 0),             ValueError, "axis 0 is out of bounds for array of dimension 0 (given n ())"),
    ],
    "prod": [*of_axes("prod", twice="repeated axis"), *of_reduction("prod", "getitem"),
    ],
    "softmax": [*of_axes("softmax"),
        (lambda A: vg.softmax(A, 0, True),    TypeError,  "softmax() takes from 1 to 2 positional arguments but 3 were given"),
        (lambda A: vg.softmax(A).backward(),  ValueError, f"the Tensor made by divide {SEEDLESS}"),
    ],
    "log_softmax": [*of_axes("log_softmax", " (given A (2, 3))"),
        (lambda A: vg.log_softmax(A, 0, True),    TypeError,  "log_softmax() takes from 1 to 2 positional arguments but 3 were given"),
        (lambda A: vg.log_softmax(A).backward(),  ValueError, f"the Tensor made by subtract {SEEDLESS}"),
    ],

    # ------------------------------------------------------------ products
    "matmul": [
        (lambda A: A @ A,                              ValueError, "(given A (2, 3), A (2, 3)); if the inner sizes should match,"),
        (lambda A: vg.matmul(A, np.ones(2)),           ValueError, "(size 2 is different from 3) (given A (2, 3), a constant (2,)); if"),
        (lambda v: v @ np.ones(2),                     ValueError, "(size 2 is different from 3) (given v (3,), a constant (2,))"),
        (lambda B: np.ones((2, 2)) @ B,                ValueError, "(given a constant (2, 2), B (3, 2)); if the inner sizes should"),
        (lambda K: vg.matmul(K, np.ones((3, 3, 2))),   ValueError, "(given K (2, 2, 3), a constant (3, 3, 2))"),
        (lambda A: A.dot(A),                           ValueError, "(given A (2, 3), A (2, 3)); if the inner sizes should match,"),
        (lambda A: A @ 2.0,                            TypeError,  "matmul needs arrays … got shapes (2, 3) and (); a number takes *"),
        (lambda n, A: vg.matmul(n, A),                 TypeError,  "matmul needs arrays … got shapes () and (2, 3); a number takes *"),
        (lambda h: vg.matmul(h, 2.0),                  TypeError,  "matmul needs arrays … got shapes (2,) and (); a number takes *"),
        (lambda A, s: A @ s,                           TypeError,  f"matmul needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: A @ None,                           TypeError,  f"matmul {REAL} NoneType"),
        (lambda A: "text" @ A,                         TypeError,  f"matmul {REAL} str"),
        (lambda A: A @ COMPLEX.T,                      TypeError,  f"matmul {REAL} {PARTS}"),
        (lambda A, h: A @ h,                           TypeError,  f"matmul {REAL} {AS_OBJECTS}"),
        (lambda A: A @ MASKED,                         TypeError,  MASK),
        (lambda A: A @ RAGGED,                         ValueError, "matmul needs a regular array of numbers"),
        (lambda A, B: np.matmul(A, B, out=np.eye(2)),  TypeError,  "np.matmul with out= would put a … = a + b`, which makes a new node"),
        (lambda A, B: np.matmul(A, B, dtype=float),    TypeError,  "np.matmul on a Tensor takes no dtype; … around it"),
        (lambda A, K: np.dot(A, K),                    TypeError,  "np.dot of a stack of matrices pairs … you mean with matmul or einsum"),
        (lambda A: vg.matmul(A),                       TypeError,  "matmul() missing 1 required positional argument: 'b'"),
        (lambda A, B: (A @ B).backward(),              ValueError, "the Tensor made by matmul has shape (2, 2), … pass a seed"),
    ],
    "linear": [
        (lambda A, B: vg.linear(A, B),                      ValueError, f"{AFFINE} x (2, 3), W (3, 2), b None (given A (2, 3), B (3, 2))"),
        (lambda A, v: vg.linear(A, v),                      ValueError, f"{AFFINE} x (2, 3), W (3,), b None (given A (2, 3), v (3,))"),
        (lambda A, W, v: vg.linear(A, W, v),                ValueError, f"{AFFINE} x (2, 3), W (4, 3), b (3,) (given A (2, 3), W (4,"),
        (lambda A, W: vg.linear(A, W, np.ones((1, 4))),     ValueError, f"{AFFINE} x (2, 3), W (4, 3), b (1, 4)"),
        (lambda A, W: vg.linear(A, W, 1.0),                 ValueError, f"{AFFINE} x (2, 3), W (4, 3), b ()"),
        (lambda n, W: vg.linear(n, W),                      ValueError, f"{AFFINE} x (), W (4, 3), b None (given n (), W (4, 3))"),
        (lambda A: vg.linear(A, 2.0),                       ValueError, f"{AFFINE} x (2, 3), W (), b None"),
        (lambda A, K: vg.linear(A, K),                      ValueError, "linear: W (2, 2, 3) has a leading axis … got (2, 3)"),
        (lambda K, b: vg.linear(K, np.ones((2, 4, 3)), b),  ValueError, f"{AFFINE} x (2, 2, 3), W (2, 4, 3), b (4,)"),
        (lambda A, s: vg.linear(A, s),                      TypeError,  f"linear needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A, W, s: vg.linear(A, W, s),                TypeError,  f"linear needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda W: vg.linear(None, W),                      TypeError,  f"linear {REAL} NoneType"),
        (lambda A: vg.linear(A, "text"),                    TypeError,  f"linear {REAL} str"),
        (lambda A: vg.linear(A, COMPLEX),                   TypeError,  f"linear {REAL} {PARTS}"),
        (lambda h, W: vg.linear(h, W),                      TypeError,  f"linear {REAL} {AS_OBJECTS}"),
        (lambda W: vg.linear(RAGGED, W),                    ValueError, "linear needs a regular array of numbers"),
        (lambda A, W: vg.linear(A, W, MASKED),              TypeError,  MASK),
        (lambda A: vg.linear(A),                            TypeError,  "linear() missing 1 required positional argument: 'W'"),
        (lambda A, W, b: vg.linear(A, W, bias=b),           TypeError,  "linear() got an unexpected keyword argument 'bias'"),
        (lambda A, W, b: vg.linear(A, W, b).backward(),     ValueError, "the Tensor made by linear has shape (2, 4), … pass a seed"),
    ],
    "einsum": [
        (lambda A: vg.einsum("ij,jk->ik", A, A),        ValueError, "(given A (2, 3), A (2, 3))"),
        (lambda A: vg.einsum("ij,jk->ik", A),           ValueError, "einsum 'ij,jk->ik' names 2 operands, got 1"),
        (lambda A: vg.einsum("ij->i", A, A),            ValueError, "einsum 'ij->i' names 1 operands, got 2"),
        (lambda: vg.einsum("ij"),                       ValueError, "einsum 'ij' names 1 operands, got 0"),
        (lambda A: vg.einsum("ijk->i", A),              ValueError, "einsum: einstein sum subscripts string contains … (given A (2, 3))"),
        (lambda A: vg.einsum("i->i", A),                ValueError, "operand has more dimensions than subscripts given in einstein"),
        (lambda A: vg.einsum("ii", A),                  ValueError, "dimensions in operand 0 for collapsing index 'i' don't match (2"),
        (lambda A: vg.einsum("ij->k", A),               ValueError, "included output subscript 'k' which never appeared in an input"),
        (lambda A: vg.einsum("ij->ii", A),              ValueError, "includes output subscript 'i' multiple times (given A (2, 3))"),
        (lambda A: vg.einsum("i1->i", A),               ValueError, "invalid subscript '1' in einstein sum subscripts string,"),
        (lambda A: vg.einsum("ij-i", A),                ValueError, "does not contain proper '->' output specified (given A (2, 3))"),
        (lambda A: vg.einsum("i.j", A),                 ValueError, "contains a '.' that is not part of an ellipsis ('...') in operand"),
        (lambda A: vg.einsum(A, [0, 1]),                TypeError,  "einsum takes its subscripts as text, as in einsum('ij,jk->ik',"),
        (lambda A, s: vg.einsum("ij,->ij", A, s),       TypeError,  f"einsum needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: vg.einsum("ij,ij", A, None),         TypeError,  f"einsum {REAL} NoneType"),
        (lambda A: vg.einsum("ij,ij", A, COMPLEX),      TypeError,  f"einsum {REAL} {PARTS}"),
        (lambda A: vg.einsum("ij,j", A, MASKED),        TypeError,  MASK),
        (lambda v, h: vg.einsum("i,j", v, h),           TypeError,  f"einsum {REAL} {AS_OBJECTS}"),
        (lambda A: np.einsum("ij", A, out=O23.copy()),  TypeError,  "np.einsum on a Tensor: einsum() … unexpected keyword argument 'out'"),
        (lambda A: vg.einsum("ij->ji", A).backward(),   ValueError, "the Tensor made by einsum has shape (3, 2), … pass a seed"),
    ],
}
# ---------------------------------------------------------------- what is no op: leaves, sweeps, checks, chains

BESIDE: dict[str, list] = {
    "Tensor": [
        (lambda: Tensor([True]),                 TypeError,  f"a Tensor {REAL} bool; a condition belongs in where(), a mask of numbers"),
        (lambda: Tensor([1j]),                   TypeError,  f"a Tensor {REAL} {PARTS}"),
        (lambda: Tensor(["text"]),               TypeError,  f"a Tensor {REAL} <U4; convert it to numbers first"),
        (lambda: Tensor(np.array([None])),       TypeError,  f"a Tensor {REAL} {AS_OBJECTS}"),
        (lambda h: Tensor(h),                    TypeError,  f"a Tensor {REAL} {AS_OBJECTS}"),
        (lambda: Tensor(None),                   TypeError,  f"a Tensor {REAL} NoneType"),
        (lambda: Tensor(RAGGED),                 ValueError, "a Tensor needs a regular array of numbers"),
        (lambda: Tensor(MASKED),                 TypeError,  MASK),
        (lambda: Tensor(np.datetime64("2020")),  TypeError,  f"a Tensor {REAL} datetime64"),
        (lambda A: Tensor(A),                    TypeError,  "A is a node already; Tensor(x.data) starts a new graph from its value"),
        (lambda A, C: Tensor([A, C]),            TypeError,  f"A {OWN_OP}"),
    ],
    "Scalar": [
        (lambda: Scalar(None),             TypeError, "Scalar needs one real number, got NoneType"),
        (lambda: Scalar("text"),           TypeError, "Scalar needs one real number, got str"),
        (lambda: Scalar(1j),               TypeError, "Scalar needs one real number, got complex"),
        (lambda: Scalar([1.0]),            TypeError, f"Scalar needs one real number, got list of shape (1,); {ONE_NUMBER}"),
        (lambda: Scalar(np.ones(1)),       TypeError, f"Scalar needs one real number, got ndarray of shape (1,); {ONE_NUMBER}"),
        (lambda n: Scalar(n),              TypeError, "Scalar needs one plain number, got n; a … and a Tensor do not mix: pass n.data"),
        (lambda: vg.scalars([1.0, None]),  TypeError, "Scalar needs one real number, got NoneType"),
        (lambda: vg.scalars(["text"]),     TypeError, "Scalar needs one real number, got str"),
        (lambda A: vg.scalars(A),          TypeError, f"A {OWN_OP}"),
    ],
    "node": [
        (lambda A: A.named("B"),                   ValueError, "this node is already named A; a node is named once, so it cannot be B"),
        (lambda s: s.named("t", 1),                ValueError, "this node is already named s; a node is named once, so it cannot be t[1]"),
        (lambda A: assign(A, "data", np.ones(2)),  ValueError, "A has shape (2, 3); data of shape (2,) cannot replace its value"),
        (lambda A: assign(A, "data", None),        TypeError,  f"a Tensor {REAL} NoneType"),
        (lambda A, C: assign(A, "data", C),        TypeError,  "C is a node already; Tensor(x.data) starts a new graph from its value"),
        (lambda A: assign(A * 2, "data", I23),     ValueError, "the Tensor made by multiply was … the data of a leaf can be assigned"),
        (lambda s: assign(s, "data", [1.0]),       TypeError,  f"Scalar needs one real number, got list of shape (1,); {ONE_NUMBER}"),
        (lambda A: assign(A, "grad", np.ones(2)),  ValueError, "the gradient of A must have shape (2, 3), that of A; got (2,)"),
        (lambda A, C: assign(A, "grad", C),        TypeError,  "the gradient of A is a plain value, not a node; assign C.data"),
        (lambda s: assign(s, "grad", "text"),      TypeError,  "the gradient of s needs one real number, got str"),
        (lambda A: A.item(),                       ValueError, "item() needs exactly one number; A has shape (2, 3)"),
        (lambda A: bool(A),                        ValueError, "the truth of A, shape (2, 3), is … use (x.data > 0).any() or .all()"),
        (lambda n: len(n),                         TypeError,  "n is a single number and has no length"),
        (lambda n: list(n),                        TypeError,  "n is a single number and has no length"),
        (lambda A: f"{A:.2f}",                     ValueError, "item() needs exactly one number; A has shape (2, 3)"),
        (lambda A: copy.copy(A * 2),               TypeError,  "the Tensor made by multiply is part … pickled; take its value with .data"),
        (lambda s: copy.deepcopy(s * 2),           TypeError,  "the Scalar made by multiply is part … pickled; take its value with .data"),
        (lambda A: pickle.dumps(A * 2),            TypeError,  "the Tensor made by multiply is part … pickled; take its value with .data"),
        (lambda A: A.data.__setitem__(0, 1.0),     ValueError, "assignment destination is read-only"),
        (lambda A: A.data.setflags(write=True),    ValueError, "cannot set WRITEABLE flag to True of this array"),
    ],
    "numpy": [
        (lambda A: np.asarray(A),             TypeError, f"A {OWN_OP}"),
        (lambda A, C: np.array([A, C]),       TypeError, f"A {OWN_OP}"),
        (lambda A: np.linalg.qr(A),           TypeError, f"np.linalg.qr does not record on a Tensor{NOT_IN}; try np.linalg.cholesky"),
        (lambda A: np.fft.fft(A),             TypeError, f"np.fft.fft does not record on a Tensor{NOT_IN}"),
        (lambda A: np.unwrap(A),              TypeError, f"np.unwrap does not record on a Tensor{NOT_IN}"),
        (lambda A: np.corrcoef(A),            TypeError, f"np.corrcoef does not record on a Tensor{NOT_IN}; try np.cov(x)"),
        (lambda A: np.heaviside(A, 0.5),      TypeError, "np.heaviside has no derivative here; … a row with elementwise(), or use .data"),
        (lambda s: np.spacing(s),             TypeError, "np.spacing has no derivative here; write … a row with elementwise(), or use .data"),
        (lambda A, s: np.copysign(s, A),      TypeError, "np.copysign has no derivative here; … a row with elementwise(), or use .data"),
        (lambda A: np.linalg.inv(A),          ValueError, "inv: Last 2 dimensions of the array must be square (given A (2, 3))"),
        (lambda A: np.einsum(A, [0, 1], [2]),  ValueError, "einsum"),
        (lambda A: np.isnan(A, out=O23 > 0),  TypeError, "np.isnan with out= would put a Tensor … `a = a + b`, which makes a new node"),
        (lambda A: np.outer(A, "text"),       TypeError, f"reshape {SOMETHING} str"),
    ],
    "backward": [
        (lambda A: A.backward(),                             ValueError,   f"A {SEEDLESS}"),
        (lambda A: (A * 2).backward(I32),                    ValueError,   "the seed must have shape (2, 3), … got (3, 2)"),
        (lambda A: (A * 2).backward(1.0),                    ValueError,   "the seed must have shape (2, 3), … got ()"),
        (lambda A: (A * 2).named("y").backward(v3()),        ValueError,   "the seed must have shape (2, 3), that of y; got (3,)"),
        (lambda A: (A * 2).backward("text"),                 TypeError,    f"the seed {REAL} str"),
        (lambda A: (A * 2).backward(RAGGED),                 ValueError,   "the seed needs a regular array of numbers"),
        (lambda v: (v * 2).backward(MASKED),                 TypeError,    MASK),
        (lambda s: (s * 2).backward(1j),                     TypeError,    "the seed needs one real number, got complex"),
        (lambda A: unrecorded(lambda: A * 2).backward(),     RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda s: unrecorded(lambda: s * 2).backward(),     RuntimeError, f"the Scalar made by no_grad: {UNRECORDED}"),
        (lambda A, C: changed(C, (A * C).sum()).backward(),  RuntimeError, "C was given new data after … run the forward pass again"),
        (lambda s: changed(s, s * s * 2).backward(),         RuntimeError, "s was given new data after … run the forward pass again"),
        (lambda s: watched(lambda: (s - s).sqrt().backward()), FloatingPointError, "backward through sqrt, from the Scalar made by"),
    ],
    "grad": [
        (lambda A: vg.grad(A * 2, A),                ValueError,   f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A: vg.grad(A.sum(), np.ones(3)),     TypeError,    f"grad {NODE} ndarray; plain values are constants"),
        (lambda A: vg.grad(A.sum(), [A, None]),      TypeError,    f"grad {NODE} NoneType; plain values are constants"),
        (lambda A: vg.grad(3.0, A),                  TypeError,    f"{NEEDS_NODE} float"),
        (lambda A: vg.grad([A.sum()], A),            TypeError,    f"{NEEDS_NODE} list"),
        (lambda A: vg.grad(A * 2, A, np.ones(4)),    ValueError,   "the seed must have shape (2, 3), … got (4,)"),
        (lambda A, v: vg.grad(A * 2, A, v, create_graph=True), ValueError,   "the seed must have shape (2, 3), … got (3,)"),
        (lambda s, n: vg.grad(s * 2, s, n, create_graph=True), TypeError,    "the seed needs one plain number, … do not mix: pass n.data"),
        (lambda A: vg.grad(A.sum()),                 TypeError,    "grad() missing 1 required positional argument: 'inputs'"),
        (lambda A: vg.grad(unrecorded(A.sum), A),    RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda A: vg.grad(changed(A, A.sum()), A),  RuntimeError, "A was given new data after sum used it, … run the forward pass again"),
    ],
    "jvp": [
        (lambda A: vg.jvp(A * 2, A, np.ones(2)),         ValueError,   "the tangent of A must have shape (2, 3), that of A; got (2,)"),
        (lambda A: vg.jvp(A * 2, A, 1.0),                ValueError,   "the tangent of A must have shape (2, 3), that of A; got ()"),
        (lambda A: vg.jvp(A * 2, A, None),               TypeError,    f"the tangent of A {REAL} NoneType"),
        (lambda A: vg.jvp(A * 2, [A], []),               ValueError,   "jvp needs one tangent … input; got 1 inputs and 0 tangents"),
        (lambda A, C: vg.jvp(A * C, [A, C], [I23]),      ValueError,   "jvp needs one tangent … input; got 2 inputs and 1 tangents"),
        (lambda A: vg.jvp(A * 2, A.data, I23),           TypeError,    f"jvp {NODE} ndarray; plain values are constants"),
        (lambda A: vg.jvp(2.0, A, I23),                  TypeError,    f"{NEEDS_NODE} float"),
        (lambda s: vg.jvp(s * 2, s, [1.0]),              TypeError,    "the tangent of s needs one … use a Tensor, or scalars(array)"),
        (lambda A: vg.jvp(A * 2, A),                     TypeError,    "jvp() missing 1 required positional argument: 'tangents'"),
        (lambda A: vg.jvp(unrecorded(A.exp), A, I23),    RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda A: vg.jvp(changed(A, A.exp()), A, I23),  RuntimeError, "A was given new data after exp used … run the forward pass again"),
    ],
    "jacobian": [
        (lambda A: vg.jacobian(A * 2, np.ones(3)),       TypeError,    f"jacobian {NODE} ndarray"),
        (lambda A: vg.jacobian(A * 2, [A]),              TypeError,    f"jacobian {NODE} list"),
        (lambda A: vg.jacobian(A * 2),                   TypeError,    "jacobian() missing 1 required positional argument: 'input'"),
        (lambda A: vg.jacobian(unrecorded(A.exp), A),    RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda A: vg.jacobian(changed(A, A.exp()), A),  RuntimeError, "A was given new data after exp used … run the forward pass again"),
    ],
    "hessian": [
        (lambda A: vg.hessian(A * 2, A),                ValueError,   f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A: vg.hessian(A.sum(), None),           TypeError,    f"hessian {NODE} NoneType"),
        (lambda A: vg.hessian(A.sum(), [A]),            TypeError,    f"hessian {NODE} list"),
        (lambda A: vg.hessian(3.0, A),                  TypeError,    f"hessian {NODE} float"),
        (lambda A: vg.hessian(unrecorded(A.sum), A),    RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda A: vg.hessian(changed(A, A.sum()), A),  RuntimeError, "A was given new data after sum used … run the forward pass again"),
    ],
    "hvp": [
        (lambda A: vg.hvp((A * A).sum(), A, np.ones(2)),  ValueError, "the vector must have shape (2, 3), that of A; got (2,)"),
        (lambda A: vg.hvp((A * A).sum(), A, None),        TypeError,  f"the vector {REAL} NoneType"),
        (lambda A: vg.hvp((A * A).sum(), A),              TypeError,  "hvp() missing 1 required positional argument: 'vector'"),
        (lambda A: vg.hvp(A * A, A, I23),                 ValueError, f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A: vg.hvp((A * A).sum(), A.data, I23),    TypeError,  f"hvp {NODE} ndarray"),
        (lambda A: vg.hvp((A * A).sum(), [A], I23),       TypeError,  "hvp needs a list of 1 vectors; got a ndarray"),
        (lambda A: vg.hvp((A * A).sum(), [A], [I23, I23]), TypeError, "hvp needs a list of 1 vectors; got a list of 2"),
        (lambda A: vg.hvp((A * A).sum(), [A], [np.ones(2)]), ValueError, "the vector of 0 must have shape (2, 3); got (2,)"),
        (lambda A: vg.hvp((A * A).sum(), {"A": A}, [I23]), TypeError, "hvp needs a dict of 1 arrays, with the names of the leaves; got a list of 1"),
        (lambda A: vg.hvp((A * A).sum(), {"A": A}, {"B": I23}), TypeError, "hvp needs a dict of 1 arrays, with the names of the leaves; got"),
        (lambda s: vg.hvp(s * s, s, "text"),              TypeError,  "the vector needs one real number, got str"),
    ],
    "gradcheck": [
        (lambda A: vg.gradcheck(lambda x: 1.0, A),       TypeError,      "gradcheck needs a function … got float"),
        (lambda A: vg.gradcheck(lambda x: None, A),      TypeError,      "gradcheck needs a function … got NoneType"),
        (lambda A: vg.gradcheck(lambda x: [x], A),       TypeError,      "gradcheck needs a function … got list"),
        (lambda: vg.gradcheck(vg.abs, 0.0),              ValueError,     "not differentiable here: … 1 to the right"),
        (lambda: vg.gradcheck(vg.relu, np.zeros(2)),     ValueError,     "not differentiable here: … 1 to the right"),
        (lambda A: vg.gradcheck(lambda x: (x * x.data).sum(), A), AssertionError, "the derivative of output … the engine says"),
        (lambda A, s: vg.gradcheck(lambda x: x * s, A),  TypeError,      f"multiply needs Tensors or plain numbers, got s; {MIXED}"),
        (lambda A: vg.gradcheck(lambda x: unrecorded(x.exp), A), RuntimeError,   f"the Tensor made by no_grad: {UNRECORDED}"),
    ],
    "history": [
        (lambda: vg.history(None),        TypeError, f"{NEEDS_NODE} NoneType"),
        (lambda: vg.history(np.ones(2)),  TypeError, f"{NEEDS_NODE} ndarray"),
        (lambda A: vg.history([A]),       TypeError, f"{NEEDS_NODE} list"),
        (lambda h: vg.history(h),         TypeError, f"{NEEDS_NODE} ndarray"),
    ],
    "maps": [
        (lambda A: local(A.exp()).push(np.ones(2)),           ValueError,   "push needs shape (2, 3), got (2,)"),
        (lambda A: local(A.exp()).pull(I32),                  ValueError,   "pull needs shape (2, 3), got (3, 2)"),
        (lambda A: local(A.exp()) @ local(A.sum()),           ValueError,   "J @ K: J takes shape (2, 3), but K gives shape ()"),
        (lambda A: float(local(A.exp())),                     TypeError,    "only a 1×1 map is one number; … 3) to (2, 3); use .dense()"),
        (lambda: local(Tensor(np.ones(2001)).exp()).dense(),  ValueError,   "a dense map of 2001 × 2001 is … of 2000; use push and pull"),
        (lambda: local(Tensor(np.ones(2)) * np.array([np.inf, 1])).singular_values(), ValueError,   "holds nan or inf, so it has no"),
        (lambda A: local(changed(A, A.exp())),                RuntimeError, "A was given new data after exp … run the forward pass again"),
        (lambda A: vg.apply(vg.Rule(), A),                    TypeError,    "Rule needs a method value(*xs) that returns an array"),
        (lambda A: vg.LinearOperation().adjoint(1.0),         TypeError,    "LinearOperation needs a … returns its transpose times g"),
    ],
    "elementwise": [
        (lambda: vg.elementwise("tanh(a)", "a", "1"),         ValueError, "there is an op tanh already; choose another name"),
        (lambda: vg.elementwise("new(a)", "a"),               ValueError, "new(a) needs one to three … none with the name of an op"),
        (lambda: vg.elementwise("new(a, b)", "a * b", "b"),   ValueError, "new(a, b) needs one to three … none with the name of an op"),
        (lambda: vg.elementwise("new(g)", "g", "1"),          ValueError, "new(g) needs one to three … none with the name of an op"),
        (lambda: vg.elementwise("new(exp)", "exp", "1"),      ValueError, "new(exp) needs one to three … none with the name of an op"),
        (lambda: vg.elementwise("new(a, a)", "a", "1", "1"),  ValueError, "new(a, a) needs one to three … none with the name of an op"),
    ],
    "Chain": [
        (lambda A: vg.Chain(A * 2, A),                     ValueError,   f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A, v: vg.Chain(A.sum(), v),                ValueError,   "the Tensor made by sum does not … them, and the gradient is 0"),
        (lambda A: vg.Chain(A.sum(), None),                TypeError,    "the source of a chain must be a node … got NoneType"),
        (lambda A: vg.Chain(3.0, A),                       TypeError,    "the output of a chain must be a node … got float"),
        (lambda A, v: vg.Chain(A.sum(), A, [v]),           ValueError,   "v lies on no path from A to the Tensor made by sum"),
        (lambda A: vg.Chain(A.sum(), A, A),                TypeError,    "through is a list of stations; for one, write through=[A]"),
        (lambda A: vg.Chain(A.sum(), A, ["text"]),         TypeError,    "a station is a node or a group of nodes; got str"),
        (lambda A: vg.Chain(A * 2, A, seed=np.ones(2)),    ValueError,   "the seed must have shape (2, 3), … got (2,)"),
        (lambda A: vg.Chain(unrecorded(A.sum), A),         RuntimeError, f"the Tensor made by no_grad: {UNRECORDED}"),
        (lambda A: vg.Chain(changed(A, A.sum()), A),       RuntimeError, "A was given new data after sum … run the forward pass again"),
        (lambda A: vg.Chain(A.sum(), A).replace("no", 1),  KeyError,     "no links are called 'no'; the links are A → sum"),
        (lambda A: vg.Chain(A.sum(), A).replace(0, I23),   ValueError,   "A → sum takes shape (2, 3) to … shape, a number or a diagonal"),
        (lambda A: vg.Chain(A.sum(), A).horizon(0),        ValueError,   "the tolerance is a gain above 0, as 1e-3; got 0"),
    ],
    "questions": [
        (lambda A: vg.paths(A.sum(), A),           TypeError,  "the output must be a Scalar, got Tensor; … or use Chain for Tensors"),
        (lambda s, w: vg.paths(s * 2, w),          ValueError, "the Scalar made by multiply does … between them, and the gradient is 0"),
        (lambda s: vg.paths(s * 2, s, top=-1),     ValueError, "top is how many paths to keep, 0 or more; got -1"),
        (lambda A: vg.uses(A.sum(), None),         TypeError,  "uses needs a weight that is a node, or an array of Scalars; got NoneType"),
        (lambda A, v: vg.uses(A.sum(), v),         ValueError, "the Tensor made by sum does not … used nowhere, and the gradient is 0"),
        (lambda A: vg.uses(A * 2, A),              ValueError, f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A: vg.verdict(A * 2, A),           ValueError, f"the Tensor made by multiply {SEEDLESS}"),
        (lambda A: vg.verdict(A.sum(), ()),        TypeError,  "an empty group of sources has no … to judge; name at least one node"),
        (lambda: vg.explain(3.0),                  TypeError,  "explain needs a node (a Scalar or a Tensor), got float"),
        (lambda A, v: vg.explain(A.sum(), v),      ValueError, "the Tensor made by sum does not … is nothing between them to explain"),
        (lambda: vg.draw(3.0),                     TypeError,  f"{NEEDS_NODE} float"),
        (lambda A: vg.draw(A.sum(), fold="text"),  ValueError, "fold is … got 'text'"),
    ],
}
# fmt: on


def local(output: Any) -> Any:
    """The linear map on the first edge."""
    return output.edges[0].local


def v3() -> np.ndarray:
    return np.ones(3)


# ---------------------------------------------------------------- the tests


def fresh() -> dict[str, Any]:
    """New leaves, by name; their numbers lie between 0 and 1."""
    shapes = {"A": (2, 3), "C": (2, 3), "B": (3, 2), "K": (2, 2, 3), "W": (4, 3), "b": (4,), "v": (3,), "n": (), "E": (0, 3)}
    tensors = {name: Tensor(np.arange(1.0, np.prod(shape) + 1).reshape(shape) / 16, name) for name, shape in shapes.items()}
    return {**tensors, "s": Scalar(0.5, "s"), "w": Scalar(0.25, "w"), "h": vg.scalars([0.25, 0.5], "h")}


def refusal(call: Callable, leaves: dict[str, Any]) -> tuple[type, str]:
    """The type of the error and what it says; nothing of the exception is kept, which would hold on to the leaves."""
    try:
        result = call(*(leaves[name] for name in signature(call).parameters if name in leaves))
    except Exception as error:
        return type(error), str(error)
    raise AssertionError(f"nothing was raised; the call gave {result!r}")


def says(text: str, message: str) -> bool:
    """Whether the pieces of a message, between its " … ", are there in this order."""
    return re.search(".*".join(map(re.escape, message.split(" … "))), text, re.DOTALL) is not None


def trace(nodes: list) -> tuple:
    """What a call could leave behind: values, names, switches, ops."""
    return [np.array(node.data).tolist() for node in nodes], [str(node.name) for node in nodes], guard.get(), list(vg.OPS)


def holders(nodes: list) -> list:
    """How many hold on to each node: a node made of it would."""
    return [sys.getrefcount(node) for node in nodes]


def made_of(nodes: list) -> list:
    """The nodes, anywhere, that have one of these among their parents. (One that was refused before it had any may wait for the collector.)"""
    every = [x for x in gc.get_objects() if issubclass(type(x), vg.Node) and hasattr(x, "_parents")]
    return [x for x in every if any(p is node for p in x.parents for node in nodes)]


def gradients(nodes: list) -> list:
    return [None if node.grad is None else np.array(node.grad).tolist() for node in nodes]


def sum_up(nodes: list) -> None:
    """A right call with each leaf: the gradient of a sum is ones."""
    for node in nodes:
        (node.sum() if isinstance(node, Tensor) else node + 1).backward()


EVERY_ROW = [(f"{name}-{k}", *row) for name, rows in {**ROWS, **BESIDE}.items() for k, row in enumerate(rows)]


@pytest.mark.parametrize("call, error, message", [pytest.param(*row, id=name) for name, *row in EVERY_ROW])
def test_a_wrong_call_says_what_is_wrong_and_leaves_no_trace(call, error, message):
    leaves = fresh()
    nodes = [node for leaf in leaves.values() for node in (leaf if isinstance(leaf, np.ndarray) else [leaf])]
    before, held = trace(nodes), holders(nodes)

    kind, text = refusal(call, leaves)
    assert issubclass(kind, error) and says(text, message), f"{kind.__name__}: {text}"
    assert not [word for word in INTERNAL if word in text], f"says nothing of the call: {text}"
    assert trace(nodes) == before
    assert gradients(nodes) == [None] * len(nodes)

    for times in (1.0, 2.0):  # the leaves go on working; and the call is as wrong as it was where there are gradients to lose
        sum_up(nodes)
        ones = [np.full(node.shape, times).tolist() for node in nodes]
        assert gradients(nodes) == ones
        assert refusal(call, leaves) == (kind, text)
        assert gradients(nodes) == ones
    assert trace(nodes) == before
    # Nobody holds on to a leaf; or if somebody does, no node. (NumPy 2.4 does, to the operand of a reduce() that was refused.)
    assert holders(nodes) == held or not made_of(nodes)
    count("error inputs")


def test_every_op_has_five_wrong_calls_and_all_together_two_hundred():
    """The registry is walked: an op without error inputs fails here. Two rows of an op are never the same call."""
    few = {op: len(ROWS.get(op, [])) for op in OPS if len(ROWS.get(op, [])) < 5}
    assert not few, f"at least 5 wrong calls for each op; {few}"
    assert set(ROWS) <= set(OPS), f"no ops: {set(ROWS) - set(OPS)}"
    assert sum(len(ROWS[op]) for op in OPS) >= 200
    for name, rows in {**ROWS, **BESIDE}.items():
        calls = [call.__code__ for call, *_ in rows]
        alike = {(code.co_code, str(code.co_consts), code.co_names, code.co_varnames, code.co_freevars) for code in calls}
        assert len(alike) == len(calls), f"{name} has a row twice"


def test_a_call_that_is_right_or_that_leaves_a_node_behind_is_noticed():
    """The test above can fail: for a right call and for a node that is kept."""
    leaves = fresh()
    with pytest.raises(AssertionError, match="nothing was raised"):
        refusal(lambda A: vg.exp(A), leaves)
    assert says("reshape: cannot reshape A (2, 3)", "reshape: … A (2, 3)") and not says("A: reshape", "reshape … A")
    for kind in ("A", "s"):
        node = leaves[kind]
        held = holders([node])
        kept = [vg.exp(node)]
        assert holders([node]) != held and made_of([node]) == kept
        kept.clear()
        assert holders([node]) == held and made_of([node]) == []
