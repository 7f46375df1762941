#!/usr/bin/env -S uv run -q
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""The commands of CONTRIBUTING.md as sessions: `nox` runs the tests, `nox -s slow`, `nox -s build`."""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, linter, type checker and import contracts among them."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """The long experiments."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Wheel and source distribution, checked."""
    session.install("build", "twine")
    session.run("python", "-m", "build")
    session.run("python", "-m", "twine", "check", "--strict", "dist/*")


if __name__ == "__main__":
    nox.main()
