"""Ten exercises: the right answers pass, wrong ones are shown their first mistake, and the right answers are right by other means."""

import itertools

import numpy as np
import pytest

from tinygrad_vg.__main__ import main
from tinygrad_vg.experiments.exercises import CASES, EXERCISES, grade


def written(number, body=None):
    exercise, space = EXERCISES[number], {}
    exec(f"import numpy as np\ndef {exercise.name}({exercise.arguments}):\n    {body or exercise.solution}\n", space)
    return space


@pytest.mark.parametrize("number", range(1, 11))
def test_the_solution_passes_and_every_scaled_one_fails(number):
    assert grade(number, written(number)).passed
    right = written(number)[EXERCISES[number].name]
    for factor in (1.06, 0.94, -1.0, 0.0):
        graded = grade(number, {EXERCISES[number].name: lambda *arguments, f=factor: f * np.asarray(right(*arguments))})
        assert not graded.passed
        assert "Hint:" in graded.words
        assert "the answer is" in graded.words


@pytest.mark.parametrize("number", [1, 2])
def test_the_engines_derivatives_are_those_of_small_differences(number):
    functions = {1: None, 2: lambda w, x, b: 1 / (1 + np.exp(-(w * x + b)))}
    for arguments, wanted in itertools.islice(EXERCISES[number].cases(np.random.default_rng(5)), 5):
        if number == 1:
            z = np.arctanh(arguments[0])
            assert (np.tanh(z + 1e-6) - np.tanh(z - 1e-6)) / 2e-6 == pytest.approx(wanted, rel=1e-6)
        elif number == 2:
            for k in range(3):
                step = 1e-6 * np.eye(3)[k]
                assert (functions[2](*(arguments + step)) - functions[2](*(arguments - step))) / 2e-6 == pytest.approx(wanted[k], rel=1e-5)


@pytest.mark.parametrize("body, words", [
    ("return np.outer(h, g)", "shape"),
    ("return g @@ h", "does not run"),
    ("return undefined", "NameError"),
    ("pass", "returns nothing"),
    ("return 'text'", "ValueError"),
    ("raise SystemExit(0)", "SystemExit: 0"),
    ("g += 1; return np.outer(g - 1, h)", "right"),  # changing an argument in place is the answer's own business
])  # fmt: skip
def test_a_wrong_answer_is_told_what_is_wrong(tmp_path, body, words, capsys):
    file = tmp_path / "mine.py"
    file.write_text(f"import numpy as np\ndef back_to_W(g, W, h):\n    {body}\n")
    assert main(["exercise", "5", str(file)]) == (words != "right")
    assert words in capsys.readouterr().out


def test_a_file_without_the_function_is_told_its_name(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n")
    assert main(["exercise", "3", str(file)]) == 1
    assert "there is no function gain(w, h0, T) yet" in capsys.readouterr().out
    assert main(["exercise", "3", str(tmp_path / "none.py")]) == 1
    assert "none.py" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["0", "1", "'enough'"])
def test_a_file_that_ends_python_is_no_answer(code, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(f"import sys\nsys.exit({code})\n")
    assert main(["exercise", "3", str(file)]) == 1
    assert f"mine.py does not run: SystemExit: {code.strip(chr(39))}" in capsys.readouterr().out


def test_exercises_are_printed_in_eighty_columns(capsys):
    for number in range(1, 11):
        assert main(["exercise", str(number)]) == 0
        out = capsys.readouterr().out
        assert f"def {EXERCISES[number].name}" in out
        assert max(map(len, out.splitlines())) <= 80
    assert main(["exercise"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(EXERCISES) == 10
    assert main(["exercise", "11"]) == 1
    assert "they are numbered 1 to 10" in capsys.readouterr().err
    assert CASES >= 20
