"""Every file the package writes comes out complete or not at all: weights, runs, the claims book, plots; pictures in drawing/test_faults.py.

The law is that of drawing/test_faults.py, the faults are the same: each call that can fail fails once, with every error of a disk.
"""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import time

import faults
import numpy as np
import pytest
from tally import count

from tinygrad_vg import claims, nn, training
from tinygrad_vg.cli import commands
from tinygrad_vg.text import files
from tinygrad_vg.text.files import save_whole
from tinygrad_vg.training.checkpoint import load_run, save_run

NET = nn.MLP([2, 3, 1], rng=0)
RUN = NET, training.SGD(NET.parameters(), lr=0.1), [np.random.default_rng(0)]


def whole_weights(path):
    assert set(nn.read_weights(path)) == set(NET.state_dict())


def plot(path):
    figure = pytest.importorskip("matplotlib.figure", reason="plots need matplotlib").Figure()
    commands.save_figure(figure, path)


WRITERS = {  # a name: (the suffix, what writes, what reads it back)
    "weights as npz": (".npz", lambda path: nn.save_weights(NET, path), whole_weights),
    "weights as safetensors": (".safetensors", lambda path: nn.save_weights(NET, path), whole_weights),
    "a run": (".npz", lambda path: save_run(path, *RUN, training.History()), lambda path: load_run(path, *RUN)),
    "the claims book": (".html", lambda path: save_whole(path, claims.page([]).encode()), lambda path: path.read_text("utf-8").index("</html>")),
    "a plot": (".png", plot, lambda path: path.read_bytes().index(b"IEND")),
}


@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
@pytest.mark.parametrize("error", [*faults.ERRORS, KeyboardInterrupt()], ids=[*map(errno.errorcode.get, faults.ERRORS), "Ctrl-C"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_fails_at_any_call_leaves_the_old_file_alone(name, error, existing, tmp_path):
    suffix, write, read = WRITERS[name]
    if name == "weights as safetensors":
        pytest.importorskip("safetensors", reason="needs safetensors")
    path, old = tmp_path / f"x{suffix}", b"the old file" if existing else None
    for call, raised in faults.sweep(write, path, old, error):
        count("injected faults of files")
        if raised is not None:
            assert (path.read_bytes() if existing else path.exists()) == (old if existing else False), call
            assert os.listdir(tmp_path) == ([path.name] if existing else []), call
            if isinstance(error, int):
                assert raised.errno == error and str(path) in str(raised), call
    read(path)
    assert os.listdir(tmp_path) == [path.name]


# --- killed

WRITER = """
import os, sys, time
from pathlib import Path
from tinygrad_vg.text import files

def slow(number):
    print("half written", flush=True)
    time.sleep(600)

os.fsync = slow
files.save_whole(Path(sys.argv[1]), b"half")
"""
posix = pytest.mark.skipif(os.name != "posix", reason="kill -9, and whether a process lives, need POSIX")


def halted(path):
    """A process in the middle of writing the file."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "half written\n"
    return writer


def killed(writer):
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)


@posix
@pytest.mark.parametrize("name", ["x.npz", "ü" * 120 + ".npz", "a [b]\n*.npz"])
def test_what_a_killed_process_left_is_swept_up_by_the_next_save_and_what_a_living_one_writes_is_not(name, tmp_path):
    path, other = tmp_path / name, tmp_path / "other.npz"
    dead, living, elsewhere = halted(path), halted(path), halted(other)
    try:
        killed(dead)
        killed(elsewhere)
        assert len(os.listdir(tmp_path)) == 3  # all of them hidden
        save_whole(path, b"whole")
        (left,) = [n for n in os.listdir(tmp_path) if f".{living.pid}." in n]
        (of_other,) = [n for n in os.listdir(tmp_path) if f".{elsewhere.pid}." in n]
        assert sorted(os.listdir(tmp_path)) == sorted([name, left, of_other])
        assert (tmp_path / left).read_bytes() == b"half"
        assert all(n.startswith(".") and n.endswith(".tmp") for n in (left, of_other))
    finally:
        killed(living)
    save_whole(path, b"whole")
    save_whole(other, b"whole")
    assert sorted(os.listdir(tmp_path)) == sorted([name, "other.npz"])
    count("files of killed processes swept up", 3)


def test_of_a_process_on_another_host_what_it_left_is_swept_up_after_a_day(tmp_path):
    there = "0" * 8 if files.host() != "0" * 8 else "1" * 8
    old, young = (tmp_path / f".x.npz.{there}.{os.getpid()}.{k:016x}.tmp" for k in range(2))
    foreign = tmp_path / ".x.npz.notes.tmp"
    for place in (old, young, foreign):
        place.write_bytes(b"half")
    for place in (old, foreign):
        os.utime(place, times=(time.time() - 100_000,) * 2)
    save_whole(tmp_path / "x.npz", b"whole")
    assert sorted(os.listdir(tmp_path)) == sorted([young.name, foreign.name, "x.npz"])


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError], ids=["gone", "another user's"])
def test_where_a_process_cannot_be_asked_for_only_age_counts(tmp_path, monkeypatch, error):
    """On Windows os.kill would end the process; elsewhere it may be another user's."""
    def kill(process, signal):
        assert os.name == "posix" and signal == 0
        raise error

    here = files.host()
    left = tmp_path / f".x.npz.{here}.{os.getpid()}.{0:016x}.tmp"
    left.write_bytes(b"half")
    with os.scandir(tmp_path) as folder, monkeypatch.context() as patch:
        (entry,) = folder
        patch.setattr(os, "kill", kill)
        patch.setattr(os, "name", "nt")
        assert not files.is_gone(here, os.getpid(), entry)
    if os.name == "posix":
        monkeypatch.setattr(os, "kill", kill)
        save_whole(tmp_path / "x.npz", b"whole")
        assert left.exists() == (error is PermissionError)


def test_what_cannot_be_swept_up_stops_no_save(tmp_path, monkeypatch):
    left = tmp_path / f".x.npz.{'0' * 8}.1.{0:016x}.tmp"
    left.mkdir()
    os.utime(left, times=(0, 0))
    save_whole(tmp_path / "x.npz", b"whole")
    monkeypatch.setattr(os, "scandir", lambda _: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    save_whole(tmp_path / "x.npz", b"again")
    assert (tmp_path / "x.npz").read_bytes() == b"again" and left.is_dir()


@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
def test_on_a_read_only_file_system_the_message_names_the_file_that_was_asked_for(tmp_path, monkeypatch, existing):
    path = tmp_path / "x.npz"
    if existing:
        path.write_bytes(b"old")

    def refuse(place, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(place))

    monkeypatch.setattr(files, "open", refuse, raising=False)
    monkeypatch.setattr(pathlib.Path, "unlink", refuse)
    with pytest.raises(OSError) as caught:
        save_whole(path, b"new")
    assert caught.value.errno == errno.EROFS and str(path) in str(caught.value) and ".tmp" not in str(caught.value)
