"""Every file the package writes comes out complete or not at all: weights, runs, the claims book, plots; pictures in drawing/test_faults.py.

The law is that of drawing/test_faults.py, the faults are the same: each call that can fail fails once, with every error of a disk.
"""

import errno
import os

import faults
import numpy as np
import pytest
from tally import count

from tinygrad_vg import claims, nn, training
from tinygrad_vg.cli import commands
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
