"""How does a file come out complete or not at all?  It is written beside its place and moved there in one step."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path


def checked_path(path: str | os.PathLike[str], suffixes: Collection[str]) -> Path:
    """path as a Path a file can be saved under.

    ValueError for an unknown suffix, IsADirectoryError for a folder, FileNotFoundError if its folder does not exist, OSError for
    a device, a pipe or a link that leads nowhere.
    """
    place = Path(path)
    try:
        target = place.resolve()
    except RuntimeError:  # Python below 3.13, where a loop of links is one
        raise OSError(f"{str(place)!r} is a link that leads back to itself") from None
    if target.is_symlink():  # later Pythons leave it unresolved
        raise OSError(f"{str(place)!r} is a link that leads back to itself")
    if place.suffix.lower() not in suffixes:
        raise ValueError(f"the suffix says what to save: {', '.join(suffixes)}; got {place.name!r}")
    if place.is_dir():
        raise IsADirectoryError(f"{str(place)!r} is a folder; add a file name to it")
    if place.exists() and not place.is_file():
        raise OSError(f"{str(place)!r} is not an ordinary file; save under another name")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(target.parent)!r}; create it first")
    return place


def save_whole(path: Path, content: bytes) -> None:
    """Write the file so that, whatever happens, it is the old one or the new one. A link is followed, an existing file's mode kept."""
    place = path.resolve()
    if not place.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {str(place.parent)!r}; create it first")
    temporary = place.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            if place.exists():
                os.chmod(temporary, stat.S_IMODE(place.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, place)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error  # with the name that was asked for
    finally:
        temporary.unlink(missing_ok=True)
