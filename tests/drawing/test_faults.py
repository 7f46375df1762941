"""What happens when something fails: a disk that is full, a process that is stopped.

The law: an existing file stays as it is, nothing is left beside it, the error says what happened and to which file, and the
next save works. Faults are injected at the k-th call that could fail, for every k until a save goes through, not at samples.
"""

import errno
import os
import subprocess
import sys

import faults
import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, linear, square, tanh
from tinygrad_vg.drawing import draw
from tinygrad_vg.text import files as saving

posix = pytest.mark.skipif(os.name != "posix", reason="limits and signals are POSIX")
FORMATS = ["dot", "svg", "html", "png"]
ENDS = {"dot": b"}\n", "svg": b"</svg>", "html": b"</html>", "png": b"IEND\xaeB`\x82"}
ROOT = __file__.rpartition("/tests/")[0]


def recurrent(T=4):
    W, h = Tensor(0.5 * np.eye(2), "W"), Tensor(np.ones(2)).named("h", 0)
    for t in range(1, T + 1):
        h = tanh(linear(h, W)).named("h", t)
    loss = square(h).sum()
    loss.backward()
    return loss


@pytest.fixture(scope="module")
def drawing():
    """One drawing, every format of it made once: what is tried here is the writing."""
    made = draw(recurrent())
    ready = {kind: made.rendered(kind) for kind in FORMATS}
    made.rendered = lambda kind, theme="": ready[kind]
    return made


def complete(content, kind):
    return content.rstrip().endswith(ENDS[kind].rstrip())


# --- disks -----------------------------------------------------------------------------------------------------------


def sweep(kind, drawing, path, old, error, after=False):
    """The sweep of faults over a save of the drawing, which is whole at its end."""
    for call, raised in faults.sweep(drawing.save, path, old, error, after):
        assert raised or path.read_bytes() == drawing.rendered(kind)
        yield call, raised


@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
@pytest.mark.parametrize("code", faults.ERRORS, ids=[errno.errorcode[code] for code in faults.ERRORS])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_disk_that_fails_at_any_call_leaves_the_old_file_alone_and_is_named(drawing, tmp_path, kind, code, existing):
    path, old = tmp_path / f"picture.{kind}", b"the old file" if existing else None
    met = []
    for call, raised in sweep(kind, drawing, path, old, code):
        met.append(call)
        if raised is not None:
            assert raised.errno == code and os.strerror(code) in str(raised)
            assert (path.read_bytes() if existing else path.exists()) == (old if existing else False), call
            assert os.listdir(tmp_path) == ([path.name] if existing else []), call
    assert met == ["open", *(["chmod"] if existing else []), "write", "flush", "fsync", "close", "replace", ""]
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
def test_a_disk_that_fails_at_any_call_is_reported_with_the_file_that_was_asked_for(drawing, tmp_path, existing):
    path, silent = tmp_path / "picture.dot", []
    for call, raised in sweep("dot", drawing, path, b"old" if existing else None, errno.ENOSPC):
        if raised is not None and not (str(path) in str(raised) and ".tmp" not in str(raised)):
            silent.append((call, str(raised)))
    assert silent == []


@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=["Ctrl-C", "MemoryError"])
def test_an_interrupt_before_or_after_any_call_leaves_the_old_file_or_the_new_one(drawing, tmp_path, error, after, existing):
    path, old = tmp_path / "picture.html", b"the old file" if existing else None
    for call, raised in sweep("html", drawing, path, old, error, after):
        done = call == "replace" and after or raised is None
        wanted = drawing.rendered("html") if done else old
        assert (path.read_bytes() if path.exists() else None) == wanted, call
        assert os.listdir(tmp_path) == ([path.name] if wanted is not None else []), call
        path.unlink(missing_ok=True)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # between open and with
@pytest.mark.parametrize("existing", [True, False], ids=["over an old file", "a new file"])
def test_an_interrupt_at_any_line_of_the_writing_leaves_the_old_file_or_the_new_one(drawing, tmp_path, existing):
    path, new = tmp_path / "picture.svg", drawing.rendered("svg")
    lines = 0
    for k in range(1, 100):
        path.unlink(missing_ok=True)
        if existing:
            path.write_bytes(b"old")
        seen = [0]

        def trace(frame, event, _, seen=seen, k=k):
            if frame.f_code is not saving.save_whole.__code__:
                return None
            if event == "line":
                seen[0] += 1
                if seen[0] == k:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            drawing.save(path)
        except KeyboardInterrupt:
            sys.settrace(before)
            content = path.read_bytes() if path.exists() else None
            assert content in ((b"old" if existing else None), new), k
            assert os.listdir(tmp_path) == ([path.name] if content is not None else []), k
            lines += 1
        else:
            break
        finally:
            sys.settrace(before)
    assert lines >= 8 and path.read_bytes() == new


@pytest.mark.parametrize("kind", FORMATS)
def test_an_interrupt_while_the_picture_is_made_leaves_everything_as_it_was(tmp_path, monkeypatch, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"old")
    from tinygrad_vg.drawing import drawing as room

    def interrupt(*_):
        raise KeyboardInterrupt

    for name in ("dot_text", "canvas_of", "page_html"):
        monkeypatch.setattr(room, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw(recurrent()).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [path.name]
    assert complete(draw(recurrent()).save(path).read_bytes(), kind)


def run(program, *arguments):
    """The program in a process of its own; what it prints."""
    done = subprocess.run([sys.executable, "-c", PREAMBLE + program, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = """
import os, sys, warnings
warnings.simplefilter("error")
from tinygrad_vg import Scalar, draw
from pathlib import Path

def picture(n, name="x"):
    y = Scalar(0.5, name)
    for _ in range(n):
        y = y.tanh()
    return draw(y, fold=None)

"""


@posix
@pytest.mark.parametrize("kind", FORMATS)
def test_a_disk_that_is_full_in_earnest_leaves_the_old_file_alone(tmp_path, kind):
    """A limit on the size of files fails the write itself, half way, as a full disk does."""
    path = tmp_path / f"a.{kind}"
    path.write_bytes(b"old")
    said = run(
        """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
drawing = picture(20)
ready = drawing.rendered(path.suffix[1:])
drawing.rendered = lambda kind, theme="": ready
resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
try:
    drawing.save(path)
except OSError as error:
    print(error)
print(sorted(os.listdir(path.parent)), path.read_bytes())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
drawing.save(path)
print(sorted(os.listdir(path.parent)), path.stat().st_size > 700)
""",
        path,
    ).splitlines()
    assert said[0].startswith("[Errno 27] File too large")
    assert said[1:] == [f"['a.{kind}'] b'old'", f"['a.{kind}'] True"]


@posix
def test_a_folder_without_permission_is_named_and_the_old_file_stays(tmp_path):
    """Root may write anywhere, so root tries it as nobody."""
    become = "os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else "pass"
    folder = tmp_path / "locked"
    folder.mkdir()
    for name in ("old.dot", "old.html"):
        (folder / name).write_bytes(b"old")
        (folder / name).chmod(0o666)
    ancestors = {place: place.stat().st_mode for place in (tmp_path, *tmp_path.parents[:3])}
    program = f"""
drawing = picture(3)
drawing.dot, drawing.html
{become}
for name in ("new.dot", "old.dot", "new.html", "old.html"):
    try:
        drawing.save(Path(sys.argv[1]) / name)
    except PermissionError as error:
        print(name in str(error), os.strerror(error.errno) in str(error))
print(sorted(os.listdir(sys.argv[1])), (Path(sys.argv[1]) / "old.dot").read_bytes(), (Path(sys.argv[1]) / "old.html").read_bytes())
"""
    try:
        for place, mode in ancestors.items():  # so that nobody gets as far as the folder
            place.chmod(mode | 0o055)
        folder.chmod(0o555)
        said = run(program, folder).splitlines()
    finally:
        folder.chmod(0o755)
        for place, mode in ancestors.items():
            place.chmod(mode)
    assert said[-1] == "['old.dot', 'old.html'] b'old' b'old'"
    assert said[:-1] == ["True True"] * 4, "the message names the file and the reason"


KILLED = """
import random, signal, time
path = Path(sys.argv[1])
kind = path.suffix[1:]
first, second = (picture(n * (3 if kind == "dot" else 1), f"{n}") for n in (300, 400))  # DOT needs more nodes for as many bytes
contents = {first.rendered(kind), second.rendered(kind)}
first.save(path)
rng, hits, left = random.Random(1), 0, 0
for _ in range(12):
    child = os.fork()
    if not child:
        while True:
            second.save(path)
            first.save(path)
    time.sleep(rng.uniform(0.002, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    hits += path.read_bytes() in contents
    beside = sorted(p.name for p in path.parent.iterdir() if p != path)
    left += len(beside)
    assert all(name.startswith(".") and name.endswith(".tmp") for name in beside), beside
    for name in beside:
        (path.parent / name).unlink()
second.save(path)
print(hits, path.read_bytes() == second.rendered(kind), left <= 12, min(map(len, contents)) > 200_000)
"""


@posix
@pytest.mark.parametrize("kind", ["dot", "svg", "html"])
def test_a_writer_killed_at_any_moment_leaves_one_complete_file(tmp_path, kind):
    """At most one hidden .tmp file may stay beside it: who is killed cannot clear up."""
    assert run(KILLED, tmp_path / f"a.{kind}") == "12 True True True\n"


@posix
def test_ctrl_c_in_earnest_leaves_one_complete_file_and_nothing_beside_it(tmp_path):
    program = """
import random, signal, time
path, first, second = Path(sys.argv[1]), picture(900, "first"), picture(1100, "second")
contents = {first.rendered("dot"), second.rendered("dot")}
first.save(path)
rng, hits = random.Random(2), 0
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
for _ in range(12):
    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            while True:
                second.save(path)
                first.save(path)
        except KeyboardInterrupt:
            os._exit(3)
    time.sleep(rng.uniform(0.01, 0.03))
    os.kill(child, signal.SIGINT)
    _, status = os.waitpid(child, 0)
    hits += os.waitstatus_to_exitcode(status) == 3 and path.read_bytes() in contents and os.listdir(path.parent) == [path.name]
print(hits)
"""
    assert run(program, tmp_path / "a.dot") == "12\n"


@posix
def test_two_writers_at_once_leave_one_complete_file(tmp_path):
    program = """
path, first, second = Path(sys.argv[1]), picture(300, "first"), picture(400, "second")
first.rendered("dot"), second.rendered("dot")
child = os.fork()
for _ in range(40):
    (second if child else first).save(path)
if not child:
    os._exit(0)
os.waitpid(child, 0)
print(path.read_bytes() in (first.rendered("dot"), second.rendered("dot")), os.listdir(path.parent))
"""
    assert run(program, tmp_path / "a.dot") == "True ['a.dot']\n"


def test_a_disk_that_fails_once_does_not_spoil_the_next_save(drawing, tmp_path, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        faults.Faults(patch, 2, errno.ENOSPC)
        with pytest.raises(OSError):
            drawing.save(tmp_path / "a.dot")
    assert drawing.save(tmp_path / "a.dot").read_bytes() == drawing.rendered("dot")


@posix
def test_a_strict_umask_does_not_change_the_mode_of_an_existing_file(drawing, tmp_path):
    path = tmp_path / "a.dot"
    path.write_text("old")
    path.chmod(0o664)
    before = os.umask(0o077)
    try:
        drawing.save(path)
        fresh = drawing.save(tmp_path / "b.dot")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o664 and fresh.stat().st_mode & 0o777 == 0o600


def test_a_graph_of_one_leaf_is_saved_too(tmp_path):
    for kind in ("dot", "svg", "html"):
        assert complete(draw(Scalar(1.0)).save(tmp_path / f"a.{kind}").read_bytes(), kind)
