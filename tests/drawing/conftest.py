"""What the tests of files share: a machine without Graphviz, and programs that only pretend to be `dot`."""

import pytest

from tinygrad_vg.drawing import render


@pytest.fixture
def no_engine(monkeypatch, tmp_path_factory):
    """No engine at all: pygraphviz is hidden and PATH holds one empty folder, which is returned."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.setattr(render, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def fake_dot(no_engine):
    """fake_dot(script) puts a shell script called dot into that folder, or into another."""

    def put(script, folder=no_engine, mode=0o755):
        (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "dot").chmod(mode)

    return put
