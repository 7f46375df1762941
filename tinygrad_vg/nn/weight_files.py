"""How is a file of weights read and written?  Whole, checked, and so that it can run no code.

A file is .npz, or .safetensors with the extra `weights`. A pickle (.pt) is never opened.
"""

import importlib
import io
import json
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SAVE = "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"


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


def checked_suffix(path: str | os.PathLike[str]) -> str:
    """.npz or .safetensors; ValueError for any other suffix, and why."""
    refuse_pickle(path, SAVE)
    if (suffix := Path(path).suffix.lower()) not in (".npz", ".safetensors"):
        raise ValueError(f"weights are kept in .npz or .safetensors files; got {str(path)!r}")
    return suffix


def refuse_pickle(path: str | os.PathLike[str], way: str) -> None:
    """ValueError for a file that is a pickle by its suffix, and what to write in its place."""
    if Path(path).suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"):
        raise ValueError(f"{str(path)!r} is a pickle, which can run code when it is opened; in PyTorch, write {way}")


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
        raise ImportError("a .safetensors file needs the extra `weights`: pip install -e \".[weights]\"") from None


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """CRC-32 of names, dtypes, shapes and numbers."""
    total = 0
    for name, array in sorted(arrays.items()):
        total = zlib.crc32(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes(), total)
    return f"{total:08x}"
