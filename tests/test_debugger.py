"""What the reading guide shows of pdb is what pdb prints: its session is run again, command by command."""

import doctest
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
PROMPT = "(Pdb) "
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.M | re.S)
PATIENCE = 20  # how often `n` is pressed where the guide elides lines


def guide():
    """The script of the guide, and its session as (command, what it prints); the first command is none."""
    script, session = BLOCK.findall((ROOT / "docs" / "reading_guide.md").read_text(encoding="utf-8"))
    first, *rest = session.split(PROMPT)
    return script, [("", first), *(step.split("\n", 1) for step in rest)]


def fits(want, got):
    return doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


class Debugger:
    """pdb on a script, in a process of its own."""

    def __init__(self, folder, script):
        (folder / "step.py").write_text(script, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1", "HOME": str(folder)}  # HOME: no .pdbrc
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pdb", "step.py"], cwd=folder, env=environment, text=True, encoding="utf-8", bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def answer(self, command):
        """What pdb prints after a command, up to its next prompt."""
        if command:
            self.process.stdin.write(command + "\n")
        printed = ""
        while not printed.endswith(PROMPT) and (letter := self.process.stdout.read(1)):
            printed += letter
        return printed.removesuffix(PROMPT)

    def close(self):
        self.process.kill()
        self.process.communicate()


def test_the_session_of_the_reading_guide_is_what_pdb_prints(tmp_path):
    script, steps = guide()
    debugger = Debugger(tmp_path, script)
    try:
        for command, want in steps[:-1]:
            got, pressed = debugger.answer(command), 1
            while command == "n" and want.startswith("...") and not fits(want, got) and pressed < PATIENCE:
                got, pressed = f"{got}{PROMPT}n\n{debugger.answer('n')}", pressed + 1
            assert fits(want, got), f"after {command!r} the guide shows\n{want}\nand pdb\n{got}"
    finally:
        debugger.close()
    assert steps[-1][0] == "q"


def test_a_wrong_line_in_the_guide_would_be_noticed():
    assert fits("> ...core.py(...)sweep()\n", "> /home/me/core.py(41)sweep()\n")
    assert not fits("-> return g * (1.0 - y * y),\n", "-> return g * (1.0 + y * y),\n")


def test_the_session_goes_on_until_a_second_part_arrives():
    _, steps = guide()
    looked = [want for command, want in steps if command == "p parent, part, so_far"]
    assert "name='x'" in looked[-1] and "None" not in looked[-1] and "None" in looked[1]
