"""Lines of the backward pass are left open, filled in, and graded: each wrong line is found, alone, and told how it is off."""

import ast
from functools import cache

import numpy as np
import pytest

import tinygrad_vg as vg
from tinygrad_vg import Scalar, Tensor, by_hand, nn
from tinygrad_vg.claims.models import NAMES, build
from tinygrad_vg.cli.main import main


def recurrent(cell, loss):
    rng = np.random.default_rng(0)
    cell, out = cell(3, 4, rng=rng), nn.Linear(4, 2, rng=rng, name="out")
    return loss(out(cell.output(nn.unroll(cell, rng.normal(size=(6, 3)))[-1])))


def layered(loss, **options):
    rng = np.random.default_rng(0)
    return loss(nn.MLP([4, 5, 5, 2], rng=rng, **options)(rng.normal(size=(6, 4))))


def recurrent_numbers(T):
    w, u, s = Scalar(0.9, name="w"), Scalar(-0.4, name="u"), Scalar(0.0, name="s")
    for t in range(T):
        s = (w * s + u * (0.1 * t)).tanh().relu() + (w * s).sigmoid()
    return (s * s).log()


def squares(y): return nn.mse(y, np.full(y.shape, 0.3))


def likelihood(y): return nn.cross_entropy(y, np.zeros(y.shape[:-1], int) + 1)


def huge(y): return vg.sum(vg.log(1 + y * y) + vg.exp(y) / 7)


LOSSES = {
    **{f"rnn {loss.__name__}": lambda loss=loss: recurrent(nn.RNNCell, loss) for loss in (squares, likelihood, huge)},
    **{f"lstm {loss.__name__}": lambda loss=loss: recurrent(nn.LSTMCell, loss) for loss in (squares, huge)},
    "gru squares": lambda: recurrent(nn.GRUCell, squares),
    **{f"mlp {loss.__name__}": lambda loss=loss: layered(loss) for loss in (squares, likelihood, huge)},
    "scalars": lambda: recurrent_numbers(6), "mlp relu": lambda: layered(squares, activation="relu"), "mlp float32": lambda: vg.mean(vg.square(Tensor(np.eye(3, dtype="f"), name="W") @ np.ones(3, "f")))}


@cache
def written(what): return by_hand(LOSSES[what]())


def filled(text, old, new):
    assert old in text
    return text.replace(old, new)


def open_lines(text): return [f"line {n}  {row.partition('  #')[0].strip()}: left open" for n, row in enumerate(text.splitlines(), 1) if "# ←" in row]


@pytest.mark.parametrize("what", LOSSES)
def test_the_program_itself_is_right_and_an_exercise_is_open_where_it_is(what):
    b = written(what)
    assert b.grade(b.text) == []
    with pytest.raises(ValueError, match="blanks must be from 1 to"):
        b.exercise(0)
    most = most_of(b)
    for blanks in {1, min(3, most), most}:
        for rng in (0, np.random.default_rng(1)):
            text = b.exercise(blanks, rng)
            opened = open_lines(text)
            assert len(opened) == blanks and b.grade(text) == opened
            assert [row.rpartition("← ")[2] for row in text.splitlines() if "# ←" in row] == [str(k + 1) for k in range(blanks)]
            assert all(a == c for a, c in zip(b.text.splitlines(), text.splitlines(), strict=True) if "# ←" not in c)


def test_a_program_with_its_weights_stacked_is_graded_too():
    b = by_hand(LOSSES["rnn squares"](), stack=True)
    assert b.grade(b.text) == [] and b.grade(text := b.exercise(5)) == open_lines(text)
    assert len(b.grade(filled(b.text, "g_W_hh = ", "g_W_hh = 2 * "))) == 1 == len(b.grade(filled(b.text, "g_z[t] = ", "g_z[t] = 2 * ")))


@pytest.mark.parametrize("model", NAMES)
def test_every_model_of_the_command_line_can_be_asked(model):
    asked = build(model, steps=5, width=4)
    b = by_hand(asked.loss, asked.model if asked.model.parameters() else None)
    assert b.grade(b.text) == []
    assert b.grade(text := b.exercise(1)) == open_lines(text)


def test_slopes_products_and_outer_products_come_first_and_rng_draws_others():
    b = written("rnn squares")
    taken = {n for rng in range(20) for n, row in enumerate(b.exercise(3, rng).splitlines()) if "# ←" in row}
    assert 5 <= len(taken)
    assert b.exercise(3, 5) == b.exercise(3, np.random.default_rng(5)) != b.exercise(3, 6)
    rows = b.text.splitlines()
    for rng in range(20):
        left = [row for row, now in zip(rows, b.exercise(3, rng).splitlines()) if "# ←" in now]
        assert sorted(("outer" in row) + 2 * (" @ " in row) + 3 * (" * " in row) for row in left) == [1, 2, 3]
    everything = b.exercise(most_of(b)).splitlines()
    assert not any("# ←" in row for row, was in zip(everything, rows) if was.endswith((" = g_d", " = g_h", " += g_z")) or "zeros" in was)


class Wrong(ast.NodeTransformer):
    """The code with its slope left out, transposed, and so on."""

    def __init__(self, how): self.how = how

    def visit_BinOp(self, node): return node.left if self.how == "dropped" and isinstance(node.op, ast.Mult) else self.generic_visit(node)

    def visit_Attribute(self, node): return node.value if self.how == "transposed" and node.attr == "T" else self.generic_visit(node)

    def visit_Call(self, node):
        if self.how == "transposed" and ast.unparse(node.func) == "np.outer":
            node.args.reverse()
        return self.generic_visit(node)


def wrong_texts(b, how):
    """(line, the program with this line wrong), one after the other."""
    rows, blanks = b.text.splitlines(), b.exercise(most_of(b)).splitlines()
    for n, (row, open_row) in enumerate(zip(rows, blanks), 1):
        if "# ←" in open_row:
            node = ast.parse(row.strip()).body[0]
            was = ast.unparse(node)
            if how in ("2", "-"):
                node.value = ast.parse({"2": f"2 * ({ast.unparse(node.value)})", "-": f"-({ast.unparse(node.value)})"}[how], mode="eval").body
            else:
                node.value = Wrong(how).visit(node.value)
            if ast.unparse(node) != was:
                yield n, ast.unparse(node), "\n".join([*rows[: n - 1], row[: len(row) - len(row.lstrip())] + ast.unparse(node), *rows[n:]])


def most_of(b):
    with pytest.raises(ValueError, match="blanks must be from 1 to [0-9]+, the lines of this backward pass that can be left open; got 1000000") as error:
        b.exercise(10**6)
    return int(str(error.value).split()[6][:-1])


@pytest.mark.parametrize("what", [what for what in LOSSES if what not in ("lstm huge", "gru squares")])
@pytest.mark.parametrize("how", ["2", "-", "dropped", "transposed"])
def test_one_wrong_line_is_one_finding_that_names_it(what, how):
    b = written(what)
    for n, line, text in wrong_texts(b, how):
        found = b.grade(text)
        assert len(found) == 1 and found[0].startswith(f"line {n}  {line}: "), (found, line)
        if how in "2-" and what != "scalars":  # where two lines add to one sum
            assert found[0].endswith({"2": "off by a factor 2", "-": "wrong sign"}[how])


SLOPE, BACK, OUTER = "g_h * (1 - h[t] * h[t])", "W_hh.T @ g_z", "np.outer(g_z, h[t - 1])"


def graded(*changes, what="rnn squares"):
    text = written(what).text
    for old, new in changes:
        text = filled(text, old, new)
    return written(what).grade(text)


def test_a_number_typed_in_for_a_formula_does_not_pass():
    b = written("mlp squares")
    for name, g in b()[1].items():
        line = next(row.strip() for row in b.text.splitlines() if row.strip().startswith(f"g_{name} = "))
        found = graded((line, f"g_{name} = np.array({g.tolist()!r})"), what="mlp squares")
        assert len(found) == 1 and f"  g_{name} = np.array(" in found[0] and ": right with the recorded values, with others off" in found[0]
    scalar = by_hand((Scalar(0.3, name="a") * Scalar(0.7, name="b")).tanh())
    found = scalar.grade(filled(scalar.text, " * b", " * 0.7"))  # in two lines
    assert len(found) == 2 and all(": right with the recorded values, with others off by a factor " in one for one in found)


def test_where_other_numbers_are_an_error_the_recorded_ones_decide():
    b = by_hand(vg.log(Scalar(1.05, name="x") - 1))
    assert b.grade(b.text) == [] and [one.partition("  ")[2] for one in b.grade(filled(b.text, "1 / d", "2 / d"))] == ["g_d = 2 / d: off by a factor 2"]


def test_mistakes_that_have_nothing_to_do_with_each_other_are_told_apart_in_the_order_of_lines():
    found = graded((SLOPE, "g_h * h[t]"), (OUTER, "np.outer(h[t - 1], g_z)"), (BACK, "..."), ("g_d = ", "g_d = -"))
    assert [one.partition(": ")[2].partition(";")[0] for one in found] == ["wrong sign", "at t=6 off", "at t=6 transposed", "left open"]


def test_how_it_is_off_is_said_in_a_few_words():
    assert graded((OUTER, f"3.73 * {OUTER}"))[0].endswith(f"  g_W_hh += 3.73 * {OUTER}: at t=6 off by a factor 3.73")
    assert graded((BACK, "W_xh.T @ g_z"))[0].endswith("  g_h = W_xh.T @ g_z: at t=6 shape (3,) where it should be (4,)")
    assert "at t=6 off; |g_z| is " in graded((SLOPE, "g_h * h[t]"))[0]
    assert graded((BACK, "W_hh @ g_z"))[0].endswith("; the right product, but for a .T")
    assert graded((BACK, "(W_hh.T @ g_z)[::-1]"))[0].endswith("at t=6 off, though |g_h| is right")
    assert graded((SLOPE, "None"))[0].endswith("  g_z = None: at t=6 missing")
    assert graded((SLOPE, "[[1], [2, 3]]"))[0].endswith("at t=6 a list, not numbers")
    assert graded((SLOPE, "g_h / 0"))[0].endswith("at t=6 not finite")
    assert graded(("g_W_hh += ", "g_W_xh * ")) and graded(("        g_b_h += g_z\n", "")) [0].startswith("b_h: off; |g_b_h| is 0 where it should be ")
    assert graded(('"W_hh": g_W_hh', '"W_hh": 2 * g_W_hh')) == ["W_hh: off by a factor 2"]
    assert graded(('"W_hh": g_W_hh, ', "")) == ["W_hh: missing"]
    assert graded(("return loss", "return 2 * loss")) == ["value: off by a factor 2"]


@pytest.mark.parametrize("old, new, words", [
    (SLOPE, "g_h * (1 - ", "SyntaxError: "), (SLOPE, "g_h[9]", "IndexError: index 9 is out of bounds"), (SLOPE, "g_y", "NameError: name 'g_y' is not defined"),
    (BACK, "W_hh.T @ d", "ValueError: matmul: "), (SLOPE, "exit('no')", "SystemExit: no"), (SLOPE, "sigmoid(g_h)", "NameError: ")])
def test_an_exception_is_one_finding_at_its_line(old, new, words):
    text = filled(written("rnn squares").text, old, new)
    n = next(n for n, row in enumerate(text.splitlines(), 1) if new in row)
    found = written("rnn squares").grade(text)
    assert len(found) == 1 and found[0].startswith(f"line {n}  {text.splitlines()[n - 1].partition('  #')[0].strip()}: {words}")


def test_a_text_that_is_no_program_is_one_finding_without_a_line():
    assert written("rnn squares").grade("") == ["NameError: there is no function forward_and_backward"]
    assert graded(("return loss, {", "0, {")) == ["TypeError: forward_and_backward must return the value and a dictionary of gradients"]
    assert "missing 1 required positional argument" in graded(("forward_and_backward(", "forward_and_backward(more, "))[0]


def test_right_results_are_right_whatever_the_names_inside():
    assert graded(("g_z", "gz"), ("W_hh", "A"), ('"A": g_A', '"W_hh": g_A')) == []
    assert graded(("g_z = ", "g_z = g_h\n        g_z = g_z * (1 - h[t]**2)\n        unused = ")) == []
    assert graded((SLOPE, "g_h / np.cosh(z_of(t)) ** 2"), ("    # backward", "    def z_of(t): return W_hh @ h[t - 1] + b_h + W_xh @ x[t]\n    # backward")) == []


def test_a_wrong_name_of_ones_own_is_one_finding_of_the_first_that_it_spoils():
    found = graded(("g_z", "gz"), ("(1 - h[t] * h[t])", "h[t]"))
    assert len(found) == 1 and found[0].endswith("; look at gz, too")
    found = graded(("g_z = ", "g_z = g_h\n        g_z = 2 * g_z * (1 - h[t] ** 2)\n        seen = "))
    assert len(found) == 1 and "g_z = 2 * g_z * (1 - h[t] ** 2): at t=6 off by a factor 2" in found[0]


def test_a_line_taken_out_is_one_finding_of_the_first_that_it_spoils():
    found = graded(("        g_h = W_hh.T @ g_z  # of h[t - 1]\n", ""))
    assert len(found) == 1 and "  g_z = g_h * (1 - h[t] * h[t]): at t=5 off; " in found[0] and found[0].endswith("; look at g_h, too")


def test_what_a_text_does_to_its_arguments_does_no_harm():
    b = written("rnn squares")
    before = {name: x.copy() for name, x in b.values.items()}
    assert b.grade(filled(b.text, "    # forward", "    W_hh *= 2")) != []
    assert all(np.array_equal(x, before[name]) for name, x in b.values.items())


def test_the_command_writes_an_exercise_once_and_grades_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["exercise", "--by-hand", "rnn", "--steps", "4", "--width", "5"]
    assert main(command) == 0
    text = (tmp_path / "by_hand_exercise.py").read_text(encoding="utf-8")
    assert text.count("# ←") == 3 and main(command) == 1
    assert "by_hand_exercise.py is there already" in capsys.readouterr().err
    assert main([*command, "--grade", "by_hand_exercise.py"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == open_lines(text) and err == ""
    assert main([*command, "--grade", "none.py"]) == 1
    assert "there is no file none.py; with --out in place of --grade" in capsys.readouterr().err
    assert main([*command, "--blanks", "1", "--draw", "3", "--out", "one.py"]) == 0 and (tmp_path / "one.py").read_text(encoding="utf-8").count("# ←") == 1
    assert main(["by_hand", *command[2:]]) == 0
    (tmp_path / "right.py").write_text(capsys.readouterr().out.partition("\n")[2], encoding="utf-8")
    assert main([*command, "--grade", "right.py"]) == 0
    assert capsys.readouterr().out.startswith("right, with the recorded values and with others")
    for wrong in (["3", "--by-hand", "rnn"], ["--grade", "right.py"], ["--steps", "3"], ["--draw", "3"], ["3", "--straight"], ["--by-hand", "rnn", "--out", "a.txt"]):
        assert main(["exercise", *wrong]) == 1
