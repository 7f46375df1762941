"""How does DOT become a picture?  Graphviz lays it out, in a process of its own.

The engine is pygraphviz (its wheels bring the layout code along) or the program `dot`. Neither runs in this process: layout
cannot be interrupted, is not thread-safe, and reports half of its errors on stderr only. A child can be timed and stopped.
"""

import os
import sys
from importlib.util import find_spec

MISSING = 'PNG and PDF need a layout engine: pip install "tinygrad_vg[draw]", or install Graphviz so that `dot` is on PATH'
CHILD = """
import sys
sys.path = [p for p in sys.path if p]  # not from the current folder
from pygraphviz import AGraph
sys.stdout.buffer.write(AGraph(string=sys.stdin.buffer.read().decode()).draw(format=sys.argv[1], prog="dot"))
"""


def engine(format: str) -> list[str] | None:
    """The command that turns DOT on stdin into `format` on stdout; None if there is no engine."""
    from shutil import which  # these imports wait until there is something to draw

    try:
        installed = find_spec("pygraphviz") is not None
    except (ValueError, ImportError):
        installed = False
    if installed and sys.executable:
        return [sys.executable, "-c", CHILD, format]
    dot = which("dot")
    return [dot, f"-T{format}"] if dot and os.path.isabs(dot) else None


def render(dot: str, format: str, time_limit: float) -> bytes:
    """The DOT text as an svg, png or pdf file.

    RuntimeError without an engine or with Graphviz's own words if it fails, TimeoutError after `time_limit` seconds.
    """
    import subprocess

    command = engine(format)
    if command is None:
        raise RuntimeError(MISSING)
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=time_limit)
    except subprocess.TimeoutExpired:
        raise TimeoutError(
            f"Graphviz did not finish within {time_limit:g} s; draw less, or allow more: draw(output, time_limit={3 * time_limit:g})"
        ) from None
    except OSError as error:
        raise RuntimeError(f"Graphviz could not be started: {error}") from error
    complain(done.returncode, done.stderr.decode(errors="replace"), done.stdout, format)
    return done.stdout


def complain(code: int, stderr: str, picture: bytes, format: str) -> None:
    """RuntimeError if the engine failed, also where it says so on stderr only, or hands over half a picture."""
    said = [line for line in stderr.splitlines() if line.strip() and not line.startswith("Fontconfig")]
    errors = [line for line in said if line.startswith("Error:")]
    if any("too large for" in line for line in said) and format == "png":
        raise RuntimeError("the picture is too large for PNG, Graphviz says; save it as .svg or .pdf")
    if code or errors:
        raise RuntimeError(f"Graphviz failed (exit code {code}): {(errors or said[-1:] or ['it gave no reason'])[0][:500]}")
    whole = {"svg": is_svg, "png": lambda p: p.endswith(b"IEND\xaeB`\x82"), "pdf": lambda p: b"%%EOF" in p[-1024:]}
    if not whole[format](picture):
        raise RuntimeError(f"Graphviz ended without an error, but its {format} is not complete ({len(picture)} bytes)")


def is_svg(picture: bytes) -> bool:
    """Whether it is well-formed XML, and an svg."""
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(picture).tag.endswith("svg")
    except ElementTree.ParseError:
        return False
