"""What can fail while a file is written?  Every call in turn: sweep() injects the fault at the k-th, for every k until a save goes through."""

import errno
import io
import os

import pytest

from tinygrad_vg.text import files as saving

ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENAMETOOLONG]


class Faults:
    """Counts the calls that can fail while a file is written, and at the k-th raises the error, before or after doing the work."""

    def __init__(self, monkeypatch, k, error, after=False):
        self.k, self.error, self.after, self.calls = k, error, after, []
        for module, name in ((os, "chmod"), (os, "fsync"), (os, "replace")):
            monkeypatch.setattr(module, name, self.failing(name, getattr(module, name)))
        monkeypatch.setattr(saving, "open", self.failing("open", self.open), raising=False)

    def failing(self, name, work):
        def call(*arguments, **named):
            self.calls.append(name)
            due = len(self.calls) == self.k
            if due and not self.after:
                raise self.raised(arguments)
            result = work(*arguments, **named)
            if due:
                raise self.raised(arguments)
            return result

        return call

    def raised(self, arguments):
        if not isinstance(self.error, int):
            return self.error
        named = [str(a) for a in arguments if isinstance(a, os.PathLike)]
        return OSError(self.error, os.strerror(self.error), *named[:1])

    def open(self, path, mode):
        file = open(path, mode, buffering=0)  # so that every write is one
        return Slow(self, file)


class Slow(io.RawIOBase):
    """A file whose write, flush and close can fail; a write that fails has written half."""

    def __init__(self, faults, file):
        self.file = file
        self.fileno = file.fileno
        self.half = lambda content: file.write(content[: len(content) // 2])
        whole = faults.failing("write", lambda content: file.write(content[len(content) // 2 :]))
        self.write = lambda content: (self.half(content), whole(content))[1]
        self.flush = faults.failing("flush", file.flush)
        self.shut = faults.failing("close", file.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.shut()
        finally:
            self.file.close()

    def close(self):
        self.file.close()


def sweep(save, path, old, error, after=False):
    """Save with the fault at every point in turn; gives the names of the calls, and '' for the save that went through."""
    for k in range(1, 50):
        if old is not None:
            path.write_bytes(old)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, k, error, after)
            try:
                save(path)
            except (OSError, KeyboardInterrupt, MemoryError) as raised:
                yield faults.calls[k - 1], raised
            else:
                assert len(faults.calls) < k, "a fault was swallowed"
                yield "", None
                return
    raise AssertionError("no end of calls")
