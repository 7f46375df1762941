"""How do weights get into a model, and out?  All of them or none, by name (layouts.py), from files that run no code (weight_files.py)."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.guards import put_in_place
from ..autodiff.reductions import numbers_of
from ..autodiff.scalar import Scalar
from ..text.files import save_whole
from .layers import Module, is_buffer
from .layouts import COUNTER, Row, Source, from_keras, matched, natural, wanted, whole, without_biases
from .models import parameters_of, state_of
from .weight_files import as_npz, as_safetensors, checked_suffix, read_weights

MOST = 12  # lines of an error
INSIDE = ("state_dict", "model_state_dict")  # where a checkpoint keeps the weights


def load_weights(model: Any, source: Any, prefix: str = "",
                 *, limit: int = 1 << 30, finite: bool = True, say: Callable[[str], Any] = print) -> Any:
    """Give the model's parameters and buffers the values in `source`; returns the model.

    model   a Module, {name: leaf}, leaves in a list or a tuple, or one leaf
    source  {name: array}, or a checkpoint that holds one as 'state_dict', or the path of an .npz or .safetensors file, of at most
            `limit` bytes (also when unpacked)
    prefix  only names that begin with it count, and it is taken off: "encoder."
    finite  nan and inf are refused; False: they are taken
    say     what is called with a text where names were matched by order and shape, or biases are 0 because there are none

    Each module takes its own names, PyTorch's (Linear, RNN, LSTM, GRU and their cells, also bidirectional, BatchNorm1d, LayerNorm and what
    is named as in PyTorch; the layers of a stacked one for Stacked), or Keras'. Modules of other names, such as 0. and 2. of a Sequential,
    are matched by kind, shape and number, if that leaves no choice. What is not in such a file, an RNN's nonlinearity or a norm's eps, is
    the model's. ValueError, with nothing changed, if a name is missing or unexpected or an array does not fit; TypeError for a module.
    """
    arrays = given_by(source, prefix, limit)
    rows, texts = fitted(model, arrays, prefix, finite, "these weights" if isinstance(source, Mapping) else str(source))
    new = {name: assembled(target, sources, arrays) for name, target, sources in rows}
    assign(leaves := parameters_of(model), {name: new[name] for name in leaves}, new_buffers(model, new))
    for text in texts:
        say(text)
    return model


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write all parameters and buffers to an .npz or .safetensors file: all of it, or the file stays as it was.

    model  a Module, {name: leaf}, leaves in a list or a tuple, or one leaf.   ValueError for another suffix.
    """
    write = {".npz": as_npz, ".safetensors": as_safetensors}[checked_suffix(path)]
    save_whole(Path(path), write(state_of(model)))


def given_by(source: Any, prefix: str, limit: int) -> dict[str, Any]:
    """{name: array}, or text that says why it is none, of the names that begin with the prefix. TypeError for a module."""
    if callable(getattr(source, "state_dict", None)):
        raise TypeError(f"load_weights takes the weights, not the {type(source).__name__} that has them; pass its state_dict()")
    given: Mapping[Any, Any] = source if isinstance(source, Mapping) else read_weights(source, limit)
    given = next((given[key] for key in INSIDE if isinstance(given.get(key), Mapping)), given)
    given = {str(name)[len(prefix) :]: as_array(value) for name, value in given.items() if str(name).startswith(prefix)}
    return from_keras(given)


def fitted(model: Any, arrays: Mapping[str, Any], prefix: str, finite: bool, origin: str) -> tuple[list[Row], list[str]]:
    """Where each parameter's values are, and what there is to say of that; ValueError if something does not fit."""
    rows = list(wanted(model, arrays))
    if not misfits(rows, arrays, finite):
        return rows, []
    hint = prefix_hint(model, arrays, prefix)
    places = matched(model, arrays) if isinstance(model, Module) and not hint else {}
    rows = list(wanted(model, arrays, places))
    wrong = misfits(rows, arrays, finite)
    rows = without_biases(rows, arrays)
    if misfits(rows, arrays, finite):
        rest = [f"… and {len(wrong) - MOST} more"] if len(wrong) > MOST else []
        raise ValueError("\n  ".join([f"{origin} do not fit the model; nothing was loaded", *hint, *wrong[:MOST], *rest]))
    pairs = ", ".join(f"{prefix}{place.before}{place.after and '…' + place.after} → {path}" for path, place in places.items())
    zeros = ", ".join(name for name, _, sources in rows if not sources)
    texts = [f"matched by kind, shape and number: {pairs}"] if pairs else []
    return rows, texts + ([f"there are no biases, so these are 0: {zeros}"] if zeros else [])


def misfits(rows: list[Row], arrays: Mapping[str, Any], finite: bool) -> list[str]:
    """A line for all that is wrong, in the order of the model; then what is unexpected, by name."""
    wrong = [text for _, target, sources in rows for source in sources for text in problems(source, target, arrays, finite)]
    known = {name for *_, sources in rows for name, _, _ in sources}
    known |= {name for name in arrays if name.endswith(COUNTER) and name.removesuffix(COUNTER) + "running_mean" in known}
    return [*dict.fromkeys(wrong), *(f"unexpected: {name}" for name in sorted(set(arrays) - known, key=natural))]


def prefix_hint(model: Any, arrays: Mapping[str, Any], prefix: str) -> list[str]:
    """Which prefix= would make every name the model's, if one would: module., _orig_mod., model. or any other."""
    common = os.path.commonprefix(list(arrays))
    for end in [k + 1 for k, sign in enumerate(common) if sign == "."]:
        stripped = {name[end:]: array for name, array in arrays.items()}
        rows = without_biases(list(wanted(model, stripped)), stripped)
        if not [line for line in misfits(rows, stripped, False) if re.match("missing|unexpected", line)]:
            return [f"every name begins with {prefix + common[:end]!r}; pass prefix={prefix + common[:end]!r}"]
    return []


def as_array(value: Any) -> np.ndarray | str:
    """A value of the dict as an array of numbers; text that says why, if it is none."""
    try:
        x = np.asarray(plain(value))
        return x if x.dtype.kind in "iu" else np.asarray(numbers_of(x))
    except (TypeError, ValueError, RuntimeError) as error:
        return f"is no array of numbers: {error}"


def problems(source: Source, target: Any, arrays: Mapping[str, Any], finite: bool) -> list[str]:
    """What is wrong with a source of `target`, if anything."""
    name, _, n = source
    shape, dtype = whole(np.shape(target), n), dtype_of(target)
    if name not in arrays:
        return [f"missing: {name} {shape}"]
    array = arrays[name]
    if isinstance(array, str):
        return [f"{name} {array}"]
    if array.shape != shape:
        return [f"{name} has shape {array.shape}, the model needs {shape}"]
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return [f"{name} holds {array.dtype}, the model needs {dtype}"]
    if finite and (bad := np.count_nonzero(~np.isfinite(array))):
        return [f"{name} has {bad} of {array.size} numbers that are nan or inf; if they are to be kept, pass finite=False"]
    with np.errstate(over="ignore"):
        lost = np.isinf(array.astype(dtype)) & ~np.isinf(array)
    return [f"{name} has numbers too large for the model's {dtype}"] if np.any(lost) else []


def assembled(target: Any, sources: list[Source], arrays: Mapping[str, Any]) -> np.ndarray:
    """The new value of a leaf or buffer: the parts of its sources, added up, in its dtype; 0 without any."""
    full = [arrays[name].astype(dtype_of(target)) for name, _, _ in sources]  # before the sum: int8 + int8 wraps around
    parts = [array if n == 1 else np.split(array, n)[k] for array, (_, k, n) in zip(full, sources)]
    return np.array(sum(parts[1:], parts[0]), order="C") if parts else np.zeros(np.shape(target), dtype_of(target))


def dtype_of(target: Any) -> np.dtype:
    """The dtype of a Tensor or buffer; Scalars hold float64."""
    return np.dtype(float) if isinstance(target, Scalar) or target.dtype == object else target.dtype


def assign(leaves: Mapping[str, Any], new: Mapping[str, Any], also: Iterable[tuple[Any, str, Any]] = ()) -> None:
    """Give leaves new values of their shapes, and objects new attributes: all of them at once, Ctrl-C cannot fall inside."""
    put_in_place({x: x.as_data(part) for name, w in new.items() for x, part in entries(leaves[name], w)}, also)


def entries(leaf: Any, w: Any) -> Iterable[tuple[Any, Any]]:
    """(leaf, w); of an object array each Scalar and its part of w, an array, or None for all."""
    return [(leaf, w)] if isinstance(leaf, Node) else zip(leaf.flat, [None] * leaf.size if w is None else np.ravel(w))


def new_buffers(model: Any, new: Mapping[str, np.ndarray]) -> list[tuple[Any, str, np.ndarray]]:
    """(module, name, array) for every buffer of the model."""
    modules = model.modules() if isinstance(model, Module) else ()
    return [(part, name, new[path + name]) for path, part in modules for name, x in vars(part).items() if is_buffer(x)]
