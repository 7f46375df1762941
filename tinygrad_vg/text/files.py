"""How does a file come out complete or not at all?  It is written beside its place and moved there in one step."""

import os
import re
import stat
import time
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

DAY = 86_400  # seconds
SHORT = 24  # letters of the name that its temporary names begin with; a name has at most 255 bytes
TEMPORARY = re.compile(r"\.(.*)\.([0-9a-f]{8})\.([0-9]{1,10})\.[0-9a-f]{16}\.tmp", re.DOTALL)  # target, host, process, chance


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
    sweep_up(place)
    temporary = place.with_name(f".{place.name[:SHORT]}.{host()}.{os.getpid()}.{os.urandom(8).hex()}.tmp")
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
        with suppress(OSError):  # on a read-only file system this fails, too, and the first error says more
            temporary.unlink(missing_ok=True)


def sweep_up(place: Path) -> None:
    """Remove what processes that were killed while they wrote this file left beside it; never what may still be written."""
    with suppress(OSError), os.scandir(place.parent) as folder:
        for entry in folder:
            parts = TEMPORARY.fullmatch(entry.name)
            if parts and parts[1] == place.name[:SHORT]:
                with suppress(OSError):
                    if is_gone(parts[2], int(parts[3]), entry):
                        os.unlink(entry)


def is_gone(there: str, process: int, entry: os.DirEntry) -> bool:
    """Whether the process that wrote the file runs no more. One that cannot be asked for is gone a day after it last wrote."""
    if os.name != "posix" or there != host():  # on Windows os.kill would end it
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY
    try:
        os.kill(process, 0)  # signal 0 is none: it only asks
    except PermissionError:  # it is another user's
        return False
    except (ProcessLookupError, OverflowError):
        return True
    return False


def host() -> str:
    """Eight letters for this machine since its start and, in a container, its own count of processes."""
    known = os.uname().nodename if hasattr(os, "uname") else ""
    with suppress(OSError):  # Linux only
        known += Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(os.fsencode(known)):08x}"
