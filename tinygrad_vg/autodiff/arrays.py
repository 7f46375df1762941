"""Which arrays may enter a graph, and as what?  Real numbers, in float64 or float32, locked so that nobody changes them."""

from typing import Any

import numpy as np

from .core import Node, describe

DOUBLE = np.dtype(np.float64)
LOST = "would lose its gradient as a plain array; take its value with .data, or use an op of ours"
REAL = (float, int, np.floating, np.integer, np.bool_)
NUMBERS = (Node, np.number, *REAL)
HINTS: dict[str, str] = {}  # what to do with an array of another kind, by the letter of its dtype; filled by hints.py


def number(x: Any, what: str) -> float:
    """x as a float, if it is one real number; else TypeError."""
    if type(x) is float:
        return x
    if isinstance(x, np.ndarray) and x.shape == () and x.dtype.kind in "fiub":
        x = x[()]
    if isinstance(x, REAL):
        try:
            return float(x)
        except OverflowError:
            return np.inf if x > 0 else -np.inf
    if isinstance(x, Node):
        raise TypeError(f"{what} needs one plain number, got {describe(x)}; a Scalar and a Tensor do not mix: pass {describe(x)}.data")
    shape = f" of shape {np.shape(x)}; for arrays use a Tensor, or scalars(array)" if isinstance(x, (np.ndarray, list, tuple)) else ""
    raise TypeError(f"{what} needs one real number, got {type(x).__name__}{shape}")


def leaf_array(data: Any) -> np.ndarray:
    """A locked copy of `data` in float32 or float64; TypeError for what cannot be differentiated with respect to."""
    if isinstance(data, Node):
        raise TypeError(f"{describe(data)} is a node already; Tensor(x.data) starts a new graph from its value")
    array = real_array(data, "fiu", "a Tensor")
    return locked_copy(array if array.dtype.kind == "f" else array.astype(float))


def constant(x: Any, what: str) -> Any:
    """x as a constant of the graph: numbers as they are, arrays copied unless they are read-only already."""
    if type(x) is not np.ndarray or x.dtype is not DOUBLE:
        if isinstance(x, REAL):
            return np.float64(x) if isinstance(x, (np.longdouble, np.float16)) else x
        x = real_array(x, "fiub", what)
    return x if is_locked(x) else locked_copy(x)


def real_array(x: Any, kinds: str, what: str) -> np.ndarray:
    """x as an array of the kinds of numbers allowed (f float32 or float64, i u integer, b bool); else an error that says what to do."""
    if isinstance(x, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"a {type(x).__name__} would lose its special meaning; pass np.asarray(…) of it, and mask with where()")
    if isinstance(x, Node):
        raise TypeError(f"{what} needs Tensors or plain numbers, got {describe(x)}; a Scalar and a Tensor do not mix: pass its .data")
    if isinstance(x, (list, tuple)) and (inside := [part for part in x if isinstance(part, Node) and hasattr(part, "dtype")]):
        way = "join them with stack([…])" if isinstance(x, list) else "of a cell's state take h: cell.output(state)"
        given = f"{what} was given a {type(x).__name__} that holds {', '.join(map(describe, inside))}; {way}"
        raise TypeError(f"{describe(inside[0])} {LOST}; {given}")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{what} needs a regular array of numbers: {error}") from None
    if array.dtype.kind not in kinds:
        hint = HINTS.get(array.dtype.kind, "convert it to numbers first")
        given = f"{array.dtype}; {hint}" if isinstance(x, (np.ndarray, list, tuple)) else type(x).__name__
        raise TypeError(f"{what} needs real numbers (float64 or float32) or arrays of them, not {given}")
    if array.dtype.kind == "f" or array.dtype.kind == "b" and what == "power":  # bool ** 2 is int8 to NumPy before 2.3
        array = array.astype(np.float32 if array.dtype.itemsize == 4 else np.float64, copy=False)
    return array


def numbers_or_scalars(x: Any, what: str) -> np.ndarray:
    """x, which is no node, as an array of numbers, or of Scalars; TypeError for None, text and the like."""
    array = np.asarray(x)
    if array.dtype.kind in "fiubc" or array.dtype == object and all(isinstance(v, NUMBERS) for v in array.flat):
        return array
    raise TypeError(f"{what} needs numbers, arrays of them, Tensors or Scalars, got {type(x).__name__}")


def locked(array: np.ndarray) -> np.ndarray:
    """A read-only view whose memory is read-only too, so that it cannot be unlocked; the array itself if it is one already."""
    if is_locked(array):
        return array
    owner: Any = array
    while isinstance(owner, np.ndarray):  # the array, the array it is a view of, and so on
        owner.setflags(write=False)
        owner = owner.base
    return array.view()


def locked_copy(array: np.ndarray) -> np.ndarray:
    """A copy that nobody can unlock: a view of it, and the view's owner is read-only."""
    copy = array.copy()
    copy.setflags(False)  # type: ignore[call-arg,unused-ignore]  # by place: by name it takes three times as long
    return copy.view()


def is_locked(array: Any) -> bool:
    """Whether neither the array nor the memory it is a view of can be written."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return True
