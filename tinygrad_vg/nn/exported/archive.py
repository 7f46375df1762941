"""What is in the archive of a torch.export file?  JSON and raw arrays: read without torch, without pickle, all of it or nothing.

    m/models/model.json                                the graph, its signature, the shape and dtype of every value
    m/data/weights/model_weights_config.json           {path of a parameter: the file of its numbers, dtype, sizes, strides, offset}
    m/data/weights/weight_0 …                          little-endian numbers;  data/constants likewise

What the file says twice must agree. A key that is missing, or of another kind than it must be, is named.
"""

import json
import math
import mmap
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 7: "float32", 8: "float64", 12: "bool"}
OTHERS = {6: "float16", 9: "complex", 10: "complex", 11: "complex", 13: "bfloat16"}  # torch has them, we have not
MODEL, FOLDERS = "models/model.json", {"data/weights/": "model_weights_config.json", "data/constants/": "model_constants_config.json"}
MOST = 100_000  # members of the archive, ops of the graph
WRITE = "torch.export.save(torch.export.export(model, inputs).run_decompositions({}), 'm.pt2')"


class Meta(NamedTuple):
    """What the file says of an array. A size, and then a stride, is None where the export left it open."""

    dtype: str
    sizes: tuple[int | None, ...]
    strides: tuple[int | None, ...]
    offset: int | None
    frozen: bool = False  # requires_grad is False


class Part:
    """A piece of JSON and its place, such as models/model.json.graph_module.graph.nodes[3], of which every ValueError speaks."""

    __slots__ = ("value", "place")

    def __init__(self, value: Any, place: str):
        self.value, self.place = value, place

    def __getitem__(self, key: str) -> "Part":
        if key not in self.of(dict):
            raise ValueError(f"{self.place} has no {key!r}")
        return Part(self.value[key], f"{self.place}.{key}")

    def of(self, kind: Any) -> Any:
        """The value, if it is of this kind. A whole number is a float, too, and so are the words for what JSON cannot write."""
        if kind is float and (type(self.value) is int or self.value in ("Infinity", "-Infinity", "NaN")):
            return float(self.value)
        if type(self.value) is not kind:
            raise self.error(f"must be of kind {kind.__name__}")
        return self.value

    def each(self) -> list["Part"]:
        """The entries of a list, each with its place `[k]`."""
        return [Part(x, f"{self.place}[{k}]") for k, x in enumerate(self.of(list))]

    def items(self) -> Iterator[tuple[str, "Part"]]:
        """(key, entry) of a dict."""
        return ((key, self[key]) for key in self.of(dict))

    def union(self) -> tuple[str, "Part"]:
        """(key, value) of a dict that must have one key: how torch writes a value of several possible kinds."""
        if len(self.of(dict)) != 1:
            raise self.error("must have one key")
        return next(self.items())

    def error(self, why: str) -> ValueError:
        """A ValueError, for raising, that says where in the file, why, and what stands there."""
        given = repr(self.value) if isinstance(self.value, (str, int, float, bool, type(None))) else f"a {type(self.value).__name__}"
        return ValueError(f"{self.place} {why}; got {given[:80]}")


def check_size(file: Any, limit: int) -> None:
    """ValueError for a file that is too large, or that lists so many members that their names alone would fill the memory."""
    if (size := os.fstat(file.fileno()).st_size) > limit:
        raise ValueError(f"it has more than {limit} bytes; if that is right, pass a larger limit=")
    if size:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if sum(1 for _ in re.finditer(rb"PK\x01\x02", content)) > MOST:
                raise ValueError(f"it has more than {MOST} members")


def checked_members(archive: Any, limit: int) -> Callable[[str], bytes]:
    """read(name) of a member by its name below the archive's one folder, once every name, size and check sum is in order."""
    members = {member.filename: member for member in archive.infolist()}
    odd = [name for name in members if re.search(r"[\\:\0]|^/|(^|/)(\.\.?|)(/|$)", name)]
    if odd or len(members) < len(archive.infolist()):
        raise ValueError(f"a member has the name of another, or one that leads elsewhere: {', '.join(map(repr, odd))[:200]}")
    root = next((name.removesuffix(MODEL) for name in members if re.fullmatch(f"[^/]+/{MODEL}", name)), None)
    if root is None or not all(name.startswith(root) for name in members):
        raise ValueError(f"it is no archive of torch.export.save, with one folder in which there is {MODEL}; in PyTorch, write {WRITE}")
    if sum(member.file_size for member in members.values()) > limit:
        raise ValueError(f"unpacked it has more than {limit} bytes; if that is right, pass a larger limit=")
    if broken := archive.testzip():
        raise ValueError(f"{broken} does not have its check sum")

    def read(name: str) -> bytes:
        if root + name not in members:
            raise ValueError(f"{name} is missing")
        if name.endswith(".json") and members[root + name].file_size > limit // 16:
            raise ValueError(f"{name} has more than {limit // 16} bytes; if that is right, pass a larger limit=")
        return archive.read(members[root + name])

    for name, right in {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little"}.items():
        if read(name) != right:
            raise ValueError(f"{name} must be {right.decode()}; got {read(name)[:20]!r}")
    return read


def as_json(read: Callable[[str], bytes], name: str) -> Part:
    """The JSON file of this name."""
    return Part(json.loads(read(name).decode()), name)


def meta_of(entry: Part) -> Meta:
    """What the file says of an array; ValueError unless NumPy has its dtype and torch keeps it as a plain block of numbers."""
    code = entry["dtype"].of(int)
    if code not in DTYPES:
        way = f", not {OTHERS[code]}: export model.double() or model.float()" if code in OTHERS else ""
        raise entry["dtype"].error(f"must be {', '.join(f'{k} ({name})' for k, name in DTYPES.items())}{way}")
    if entry["layout"].of(int) != 7:
        raise entry["layout"].error("must be 7, strided: sparse arrays are not read")
    sizes, strides = (tuple([whole_or_open(part) for part in entry[key].each()]) for key in ("sizes", "strides"))
    if len(sizes) != len(strides):
        raise entry["strides"].error("must have one entry for each size")
    return Meta(DTYPES[code], sizes, strides, whole_or_open(entry["storage_offset"]), not entry["requires_grad"].of(bool))


def whole_or_open(part: Part) -> int | None:
    """A whole number ≥ 0, or None for an expression in sizes that the export left open."""
    key, value = part.union()
    if key == "as_expr":
        return None
    if key != "as_int" or value.of(int) < 0:
        raise part.error("must be {as_int: a number of 0 or more} or {as_expr: …}")
    return int(value.value)


def stored_arrays(read: Callable[[str], bytes], limit: int, wanted: dict[str, Meta]) -> dict[str, np.ndarray]:
    """{path: array} of what the signature wants, each of the dtype and sizes that the graph says."""
    entries = {path: (folder, entry) for folder, file in FOLDERS.items() for path, entry in as_json(read, folder + file)["config"].items()}
    found: dict[Any, np.ndarray] = {}
    arrays = {}
    for path, meta in wanted.items():
        if path not in entries:
            raise ValueError(f"no config of {' and '.join(FOLDERS)} has {path!r}")
        folder, entry = entries[path]
        if entry["use_pickle"].of(bool):
            raise entry["use_pickle"].error("must be false: a pickle can run code when it is opened")
        if not re.fullmatch(r"[\w-][\w.-]*", name := entry["path_name"].of(str)):
            raise entry["path_name"].error("must be the name of a file beside it")
        if (own := meta_of(entry["tensor_meta"]))[:4] != meta[:4]:
            raise entry["tensor_meta"].error(f"must agree with the graph, {meta}, but is {own}")
        key = folder, name, meta
        if key not in found:
            found[key] = array_of(read(folder + name), meta, entry.place, limit)
        arrays[path] = found[key]
    return arrays


def array_of(content: bytes, meta: Meta, place: str, limit: int) -> np.ndarray:
    """The numbers of one array, taken from the block it lies in. ValueError unless all of them lie inside."""
    if None in (meta.offset, *meta.sizes, *meta.strides):
        raise ValueError(f"{place}.tensor_meta must have whole numbers as sizes, strides and storage_offset")
    sizes, strides = ([n or 0 for n in numbers] for numbers in (meta.sizes, meta.strides))
    offset, dtype = meta.offset or 0, np.dtype(meta.dtype)
    end = offset + (1 + sum((n - 1) * step for n, step in zip(sizes, strides)) if 0 not in sizes else 0)
    if end * dtype.itemsize > len(content) or len(content) % dtype.itemsize or math.prod(sizes) * dtype.itemsize > limit:
        raise ValueError(f"{place}: sizes {sizes}, strides {strides} and storage_offset {offset} do not fit its {len(content)} bytes")
    if meta.dtype == "bool" and content.strip(b"\0\1"):
        raise ValueError(f"{place}: a bool must be 0 or 1")
    block = np.frombuffer(content, dtype.newbyteorder("<"))[offset:]
    return np.lib.stride_tricks.as_strided(block, sizes, [step * dtype.itemsize for step in strides]).astype(dtype, order="C")
