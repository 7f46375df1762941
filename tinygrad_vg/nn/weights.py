"""How do weights get into a model, and out?  All of them or none, by name, and from files that cannot run code.

    own names      layer1.W, cells.0.b_h, norm1.running_mean …, as in model.state_dict()
    PyTorch's      layer1.weight, rnn.bias_ih_l0 …: its tensors, in which gates lie stacked, are cut up, its two biases added

A file is .npz, or .safetensors with the extra `weights`. A pickle (.pt) is never opened.
"""

import importlib
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.guards import put_in_place
from ..autodiff.reductions import numbers_of
from ..autodiff.scalar import Scalar
from ..text.files import save_whole
from .layers import Module, is_buffer, is_leaf
from .models import parameters_of, state_of

Source = tuple[str, int, int]  # the name of an array; which part of its rows, of how many
Layout = dict[str, list[Source]]  # own name: the sources that add up to it


def gates(letters: str) -> Layout:
    """Where a cell's weights are in PyTorch. letters: its gates, in the order in which their rows are stacked."""
    layout: Layout = {}
    for k, gate in enumerate(letters):
        rows = (k, len(letters))
        layout |= {f"W_x{gate}": [("weight_ih", *rows)], f"W_h{gate}": [("weight_hh", *rows)]}
        layout |= {f"b_{gate}": [("bias_ih", *rows), ("bias_hh", *rows)]}
    return layout


LINEAR: Layout = {"W": [("weight", 0, 1)], "b": [("bias", 0, 1)]}
LAYER_NORM: Layout = {"gamma": [("weight", 0, 1)], "beta": [("bias", 0, 1)]}
BATCH_NORM: Layout = LAYER_NORM | {name: [(name, 0, 1)] for name in ("running_mean", "running_var")}
RNN, LSTM = gates("h"), gates("ifgo")
GRU: Layout = gates("rzn") | {"b_n": [("bias_ih", 2, 3)], "b_hn": [("bias_hh", 2, 3)]}  # b_hn stays inside the reset product
LAYOUTS = {frozenset(layout): layout for layout in (LINEAR, LAYER_NORM, BATCH_NORM, RNN, LSTM, GRU)}
COUNTER = "num_batches_tracked"  # PyTorch counts the batches of a BatchNorm1d; nothing here depends on it


def load_weights(model: Any, source: Any, prefix: str = "", *, limit: int = 1 << 30) -> Any:
    """Give the model's parameters and buffers the values in `source`; returns the model.

    model   a Module, {name: leaf}, leaves in a list or a tuple, or one leaf
    source  {name: array}, or the path of an .npz or .safetensors file, of at most `limit` bytes (also when unpacked)
    prefix  only names that begin with it count, and it is taken off: "encoder."

    Each module takes its own names or PyTorch's (Linear, RNN, LSTM, GRU and their cells, BatchNorm1d, LayerNorm; the layers
    of a stacked one for Stacked). What is not in such a file, an RNN's nonlinearity or a norm's eps, is the model's.
    ValueError, with nothing changed, if a name is missing or unexpected or an array does not fit: every one is named.
    """
    given = dict(source) if isinstance(source, Mapping) else read_weights(source, limit)
    given = {str(name)[len(prefix) :]: value for name, value in given.items() if str(name).startswith(prefix)}
    arrays, rows = {name: as_array(value) for name, value in given.items()}, list(wanted(model, given))
    known = {name for *_, sources in rows for name, _, _ in sources}
    known |= {path + COUNTER for path, module in modules(model) if hasattr(module, "running_mean")}
    wrong = [text for _, target, sources in rows for source in sources for text in problems(source, target, arrays)]
    wrong += [f"unexpected: {name}" for name in given if name not in known]
    if wrong:
        origin = "these weights" if isinstance(source, Mapping) else str(source)
        raise ValueError("\n  ".join([f"{origin} do not fit the model; nothing was loaded", *dict.fromkeys(wrong)]))
    new = {name: assembled(target, sources, arrays) for name, target, sources in rows}
    assign(leaves := parameters_of(model), {name: new[name] for name in leaves}, new_buffers(model, new))
    return model


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write all parameters and buffers to an .npz or .safetensors file: all of it, or the file stays as it was.

    model  a Module, {name: leaf}, leaves in a list or a tuple, or one leaf.   ValueError for another suffix.
    """
    write = {".npz": as_npz, ".safetensors": as_safetensors}[checked_suffix(path)]
    save_whole(Path(path), write(state_of(model)))


def read_weights(path: str | os.PathLike[str], limit: int = 1 << 30) -> dict[str, np.ndarray]:
    """{name: array} of an .npz or .safetensors file. ValueError if it is damaged, larger than `limit` bytes, or neither."""
    read = {".npz": from_npz, ".safetensors": from_safetensors}[checked_suffix(path)]
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    try:
        if len(content) > limit:
            raise ValueError(f"it has more than {limit} bytes; if that is right, pass a larger limit=")
        return read(content, limit)
    except ImportError:
        raise
    except Exception as error:  # a damaged file fails anywhere in its reader, with any error
        raise ValueError(f"cannot read weights from {os.fspath(path)!r}: {error or type(error).__name__}") from error


def wanted(model: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, Any, list[Source]]]:
    """(own name, leaf or buffer, sources) of all that the model holds. A module's sources are PyTorch's if any of them is given."""
    if not isinstance(model, Module):
        yield from ((name, leaf, [(name, 0, 1)]) for name, leaf in parameters_of(model).items())
        return
    held = model.parameters() | model.buffers()
    for path, module in model.modules():
        own = [name for name, part in module.parts() if path + name in held and (is_leaf(part) or is_buffer(part))]
        layout = LAYOUTS.get(frozenset(own), {})
        foreign = {tensor for sources in layout.values() for tensor, _, _ in sources} - set(own)
        spelling = next((s for s in spellings(path) if any(s[0] + tensor + s[1] in given for tensor in foreign)), None)
        for name in own:
            before, after = spelling or (path, "")
            sources = layout[name] if spelling else [(name, 0, 1)]
            yield path + name, held[path + name], [(before + tensor + after, k, n) for tensor, k, n in sources]


def spellings(path: str) -> list[tuple[str, str]]:
    """What PyTorch puts before and after `weight_ih`: nothing in an RNNCell, _l0 in an RNN, _l1 in the second cell of a stack."""
    stacked = re.fullmatch(r"(.*)cells\.(\d+)\.", path)
    return [(path, ""), (path, "_l0")] + ([(stacked[1], f"_l{stacked[2]}")] if stacked else [])


def as_array(value: Any) -> np.ndarray | str:
    """A value of the dict as an array of numbers; text that says why, if it is none."""
    try:
        return np.asarray(numbers_of(plain(value)))
    except (TypeError, ValueError, RuntimeError) as error:
        return f"is no array of numbers: {error}"


def problems(source: Source, target: Any, arrays: Mapping[str, Any]) -> list[str]:
    """What is wrong with a source of `target`, if anything."""
    name, _, n = source
    shape, dtype = np.shape(target), dtype_of(target)
    whole = (n * shape[0], *shape[1:]) if shape else ()
    if name not in arrays:
        return [f"missing: {name} {whole}"]
    array = arrays[name]
    if isinstance(array, str):
        return [f"{name} {array}"]
    if array.shape != whole:
        return [f"{name} has shape {array.shape}, the model needs {whole}"]
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return [f"{name} holds {array.dtype}, the model needs {dtype}"]
    with np.errstate(over="ignore"):
        lost = np.isinf(array.astype(dtype)) & ~np.isinf(array)
    return [f"{name} has numbers too large for the model's {dtype}"] if np.any(lost) else []


def assembled(target: Any, sources: list[Source], arrays: Mapping[str, Any]) -> np.ndarray:
    """The new value of a leaf or buffer: the parts of its sources, added up, in its dtype."""
    rows = len(target) if np.shape(target) else 0
    whole = [arrays[name].astype(dtype_of(target)) for name, _, _ in sources]  # before the sum: int8 + int8 wraps around
    parts = [array if n == 1 else array[k * rows : (k + 1) * rows] for array, (_, k, n) in zip(whole, sources)]
    return np.array(sum(parts[1:], parts[0]), order="C")


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
    return [(part, name, new[path + name]) for path, part in modules(model) for name, x in vars(part).items() if is_buffer(x)]


def modules(model: Any) -> Iterable[tuple[str, Module]]:
    return model.modules() if isinstance(model, Module) else []


def checked_suffix(path: str | os.PathLike[str]) -> str:
    """.npz or .safetensors; ValueError for any other suffix, and why."""
    suffix = Path(path).suffix.lower()
    if suffix in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"):
        way_out = "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
        raise ValueError(f"{str(path)!r} is a pickle, which can run code when it is opened; in PyTorch, write {way_out}")
    if suffix not in (".npz", ".safetensors"):
        raise ValueError(f"weights are kept in .npz or .safetensors files; got {str(path)!r}")
    return suffix


def from_npz(content: bytes, limit: int) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; reading a member to its end checks its sum."""
    import zipfile  # waits until a file is read or written

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        if len(members) < len(archive.infolist()) or sum(member.file_size for member in members.values()) > limit:
            raise ValueError(f"two of its arrays have one name, or unpacked they have more than {limit} bytes (see limit=)")
        return {name: np.lib.format.read_array(io.BytesIO(archive.read(member))) for name, member in members.items()}


def as_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """What np.savez writes, with no name that clashes with its arguments and no time of day: same weights, same bytes."""
    import zipfile

    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name, array in arrays.items():
            np.lib.format.write_array(member := io.BytesIO(), array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def from_safetensors(content: bytes, limit: int) -> dict[str, np.ndarray]:
    """The arrays of a .safetensors file. The format has no sum to check; a file of ours brings one along."""
    load = safetensors().load
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    extra = header.pop("__metadata__", {})
    if odd := [f"{name} ({entry['dtype']})" for name, entry in header.items() if re.match("BF16|F8_|F6_|F4", entry["dtype"])]:
        raise ValueError(f"NumPy has no such numbers: {', '.join(odd)}; convert them first, in PyTorch with tensor.float()")
    arrays = load(content)
    if extra.get("tinygrad_vg.crc32", checksum(arrays)) != checksum(arrays):
        raise ValueError("the file is damaged: its contents do not have the sum it was written with")
    return arrays


def as_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays laid out in C order, without which the format stores other numbers and says nothing."""
    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    return safetensors().save(arrays, {"tinygrad_vg.crc32": checksum(arrays)})


def safetensors() -> Any:
    """The module safetensors.numpy; ImportError says how to get it."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError:
        raise ImportError("a .safetensors file needs the extra `weights`: pip install \"tinygrad_vg[weights]\"") from None


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """CRC-32 of names, dtypes, shapes and numbers."""
    total = 0
    for name, array in sorted(arrays.items()):
        total = zlib.crc32(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes(), total)
    return f"{total:08x}"
