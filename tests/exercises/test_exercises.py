"""Twenty-six exercises: the right answers pass, wrong ones are shown their first mistake and its line, and the right answers are right by other means."""

import itertools
import pathlib
import sys

import numpy as np
import pytest

from tinygrad_vg import Scalar, history
from tinygrad_vg.cli.main import main
from tinygrad_vg.exercises import CASES, EXERCISES, cases_nets, grade, grading

DOCS = pathlib.Path(__file__).parents[2] / "docs"


RIGHT_SWEEP = "def sweep(output):" + EXERCISES[13].solution.partition("def sweep(output):")[2]


def written(number):
    exec(EXERCISES[number].solution, space := {})
    return space


@pytest.fixture
def graded(tmp_path, capsys, monkeypatch):
    """What the command prints of mine.py, a file with this text."""
    monkeypatch.chdir(tmp_path)

    def printed(number, text):
        pathlib.Path("mine.py").write_text(text, encoding="utf-8")
        code = main(["exercise", str(number), "mine.py"])
        out, err = capsys.readouterr()
        assert (code == 0) == out.startswith("right") and code in (0, 1) and err == ""
        assert max(map(len, out.splitlines())) <= 80
        return out

    return printed


@pytest.mark.parametrize("number", EXERCISES)
def test_every_solution_is_a_file_that_passes_and_fits_in_eighty_columns(number, capsys, graded):
    assert grade(number, written(number)).passed
    assert main(["exercise", str(number), "--solution"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert graded(number, text).startswith("right")


def test_where_there_is_no_file_it_is_said_what_belongs_into_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["exercise", "3", "mine.py"]) == 1
    assert capsys.readouterr().err == "tinygrad_vg: there is no file mine.py; give the Python file that you wrote `def gain(w, h0, T):` into\n"


@pytest.mark.parametrize("number", range(1, 11))
def test_every_scaled_solution_fails(number):
    right = written(number)[EXERCISES[number].name]
    for factor in (1.06, 0.94, -1.0, 0.0):
        result = grade(number, {EXERCISES[number].name: lambda *arguments, f=factor: f * np.asarray(right(*arguments))})
        assert not result.passed
        assert "the answer is" in result.words


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
    ("return np.outer(h, g)", "; transposed it would"),
    ("return np.ones(3)", "shape"),
    ("return g @@ h", "does not run: SyntaxError"),
    ("return undefined", "NameError: name 'undefined' is not defined\n  at mine.py:3\n      return undefined\n"),
    ("pass", "returns nothing\n  at mine.py:3\n"),
    ("return 'text'", "ValueError"),
    ("raise SystemExit(0)", "SystemExit: 0"),
    ("return np.dot(np.ones(7),\n        g)", "\n  at mine.py:3\n      return np.dot(np.ones(7),\n"),
    ("g += 1; return np.outer(g - 1, h)", "right"),  # changing an argument in place is the answer's own business
])  # fmt: skip
def test_a_wrong_answer_is_told_what_is_wrong_and_at_which_line(body, words, graded):
    assert words in graded(5, f"import numpy as np\ndef back_to_W(g, W, h):\n    {body}\n")


VISITED_TWICE = """
def sweep(output):
    nodes = [output]
    for node in nodes:
        nodes += [edge.parent for edge in node.edges]
    gradients = {output: 1.0}
    for child in sorted(nodes, key=lambda node: -node.birth):
        gradients = accumulate(gradients, child)
    return gradients
"""


@pytest.mark.parametrize("number, change, words", [
    (2, ("[slope * x, slope * w, slope]", "[slope * w, slope * x, slope]"), "0 of 20 cases are right; the answer is {} the right numbers, in another order"),
    (3, ("        h = 1 / (1 + np.exp(-w * h))\n        product *= w * h * (1 - h)", "        product *= w * h * (1 - h)\n        h = 1 / (1 + np.exp(-w * h))"),
     "0 of 20 cases are right; the answer is {} each slope is taken at h[t−1], the state before its step"),
    (4, ("W.T @ g", "W @ g"), "0 of 20 cases are right; the answer is {} this is W g; its sum runs over the wrong index of W"),
    (5, ("np.outer(g, h)", "np.outer(h, g)"), "0 of 20 cases are right; the answer is {} transposed it would be right"),
    (6, ("y * (g - g @ y)", "y * (1 - y) * g"), "0 of 20 cases are right; the answer is {} this is y (1 − y) g; but each z_j changes all y_i, not only y_j"),
    (7, ("g = W.T @", "g = W @"), "1 of 20 cases are right; then the answer is {} on the way back W stands where its transpose belongs"),
    (13, (RIGHT_SWEEP, VISITED_TWICE), "then the gradient of v[4] is {} exactly twice as much: was a node visited twice?"),
])  # fmt: skip
def test_a_slip_that_many_make_is_told_as_what_it_is(number, change, words, graded):
    wrong = EXERCISES[number].solution.replace(*change)
    assert wrong != EXERCISES[number].solution
    before, after = words.split(" {} ")
    out = " ".join(graded(number, wrong).split())
    assert before in out and f"; {after} at mine.py:" in out
    assert number != 3 or "for T = 1" in out


def test_a_function_that_takes_other_arguments_is_told_where_it_begins(graded):
    assert "2 positional arguments but 3 were given\n  at mine.py:2\n      def gain(w, T):\n" in graded(3, "\ndef gain(w, T):\n    return w\n").replace("3\nwere", "3 were")


def test_a_file_without_the_function_is_told_its_name(tmp_path, capsys, graded):
    assert "there is no function gain(w, h0, T) yet" in graded(3, "x = 1\n")
    assert main(["exercise", "3", str(tmp_path / "none.py")]) == 1
    assert "none.py" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["0", "1", "'enough'"])
def test_a_file_that_ends_python_is_no_answer(code, graded):
    out = graded(3, f"import sys\nsys.exit({code})\n")
    assert f"mine.py does not run: SystemExit: {code.strip(chr(39))}\n  at mine.py:2\n      sys.exit({code})\n" in out


def test_a_loop_without_end_is_stopped_at_its_line(graded, monkeypatch):
    monkeypatch.setattr(grading, "SECONDS", 0.1)
    assert "stopped after 0.1 seconds" in (out := graded(1, "def tanh_slope(y):\n    while True:\n        y = 1 - y\n"))
    assert "\n  at mine.py:2\n" in out or "\n  at mine.py:3\n" in out
    assert sys.gettrace() is None


def test_a_debugger_keeps_its_view(graded):
    seen = []
    before = sys.gettrace()
    sys.settrace(lambda frame, event, _: seen.append(frame.f_code.co_name))
    try:
        assert graded(1, "def tanh_slope(y):\n    return 1 - y * y\n").startswith("right")
    finally:
        sys.settrace(before)
    assert "tanh_slope" in seen


# An engine, step by step

RIGHT = EXERCISES[13].solution  # order, accumulate, sweep
SUM = "gradients[edge.parent] = gradients.get(edge.parent, 0.0) + part"
AS_FOUND = "    found = [output]\n    for node in found:\n        found += [e.parent for e in node.edges if e.parent not in found]\n    return found\n"
RECURSIVE = """
def order(output):
    done = {}
    def visit(node):
        for edge in node.edges:
            if edge.parent not in done:
                visit(edge.parent)
        done[node] = True
    visit(output)
    return list(done)[::-1]
"""


def line_of(text, part):
    return 1 + next(i for i, line in enumerate(text.splitlines()) if part in line)


@pytest.mark.parametrize("change, words", [
    ((", reverse=True", ""), "v[1] stands after v[0], its parent\n"),
    (("return sorted", "return [output, 0.5] + sorted"), "0.5, a constant, stands in the list\n"),
    (("return sorted", "return [output] + sorted"), "v[2] stands in the list twice\n"),
    (("return sorted(found", "return sorted(found - {output}"), "v[2] is missing\n"),
])  # fmt: skip
def test_a_wrong_order_is_told_which_node_is_out_of_place(change, words, graded):
    wrong = EXERCISES[11].solution.replace(*change)
    assert f"0 of 20 cases are right; {words}  at mine.py:{line_of(wrong, 'return')}\n" in graded(11, wrong)


def test_an_order_is_a_list(graded):
    assert "the answer is of type set, wanted a list\n" in graded(11, EXERCISES[11].solution.replace("return sorted(", "return set(sorted(", 1).replace("reverse=True)", "reverse=True))"))


def test_nodes_in_the_order_in_which_they_are_found_are_no_order(graded):
    assert "v[1] stands after v[0], its parent\n  at mine.py:5\n      return found\n" in graded(11, "def order(output):\n" + AS_FOUND)


def test_recursion_overflows_on_a_deep_graph_and_its_line_is_named(graded):
    out = graded(11, RECURSIVE)
    assert "16 of 20 cases are right; then RecursionError: maximum recursion depth exceeded" in out
    assert any(f"\n  at mine.py:{line}\n" in out for line in (4, 5, 6, 7))
    assert "in a graph of 9,001 nodes, 12,000 edges, 3,001 paths" in out


@pytest.mark.parametrize("number, variable", [(12, "a"), (13, "v[0]")])
def test_an_assignment_in_place_of_a_sum_is_found(number, variable, graded):
    wrong = RIGHT.replace(SUM, "gradients[edge.parent] = part").replace("gradients = {output: 1.0}", "gradients = {}\n    gradients[output] = 1.0")
    out = graded(number, wrong).replace("\n", " ")
    assert f"the gradient of {variable} is " in out
    assert "of its 2 contributions it has only one" in out
    assert f" at mine.py:{line_of(wrong, 'edge.parent] = part')}       gradients[edge.parent] = part " in out


def test_the_page_shows_what_is_printed(graded):
    wrong = "def accumulate(gradients, child):\n    for edge in child.edges:\n        gradients[edge.parent] = gradients[child] * float(edge.local)\n"
    assert f"```text\n{graded(12, wrong + '    return gradients')}```" in (DOCS / "exercises.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number, change, words", [
    (12, (SUM, SUM.replace("part", "-part")), "the gradient of a is 0.01386, wanted -0.01386\n"),
    (12, ("return gradients", "return {child: gradients[child]}"), "the gradient of a is missing\n"),
    (12, ("return gradients", "return gradients | {0.5: 1.0}"), "0.5, a constant, is given a gradient\n"),
    (12, ("return gradients", "return list(gradients)"), "the answer is of type list, wanted a dictionary {node:\ngradient}\n"),
    (13, ("float(edge.local)", "1.0"), "the gradient of v[1] is 1., wanted 0.5\n"),
    (13, ("in order(output)", "in [output]"), "the gradient of v[0] is 0.47943, wanted 0.91822"),
    (13, ("{output: 1.0}", "{output: 1.0, 2.0: 0.0}"), "2.0, a constant, is given a gradient\n"),
    (13, ("{output: 1.0}", "{}"), "KeyError"),
])  # fmt: skip
def test_a_wrong_gradient_is_told_the_first_node_wanted_and_given(number, change, words, graded):
    wrong = RIGHT.replace(*change)
    assert wrong != RIGHT
    out = graded(number, wrong)
    assert words in out and "\n  at mine.py:" in out


def test_a_sweep_along_every_path_is_too_slow(graded, monkeypatch):
    monkeypatch.setattr(grading, "SECONDS", 0.5)
    paths = (
        "def sweep(output):\n    total = {}\n    def back(node, g):\n        total[node] = total.get(node, 0.0) + g\n"
        "        for edge in node.edges:\n            back(edge.parent, g * float(edge.local))\n    back(output, 1.0)\n    return total\n"
    )
    out = graded(13, paths)
    assert "15 of 20 cases are right; then TimeoutError" in out and "visit each node once" in out.replace("\n", " ")
    assert "    in a graph of 121 nodes, 160 edges, 2^40 paths\n" in out


def test_the_graphs_have_diamonds_constants_equal_values_and_depth():
    outputs = [output for (output,), _ in itertools.islice(EXERCISES[13].cases(np.random.default_rng(0)), CASES)]
    nodes = [history(output) for output in outputs]
    assert max(map(len, nodes)) > 9000
    assert any(not isinstance(parent, Scalar) for node in nodes[5] for parent in node.parents)
    assert len({node.data for node in nodes[1][:2]}) == 1
    for output, (_, wanted) in zip(outputs[:16], EXERCISES[13].cases(np.random.default_rng(0))):
        output.backward()
        assert [node.grad for node in history(output)[::-1]] == pytest.approx([*wanted.values()], rel=1e-12)


@pytest.mark.parametrize("number, change, words", [
    (14, ("g * slope", "-g * slope"), "pull(g) is "),
    (14, ("/ (1 + np.abs(a)) ** 2", "/ (1 + np.abs(a))"), "pull(g) is "),
    (14, ("1 / (1 + np.abs(a)) ** 2", "(1 - np.abs(a / (1 + np.abs(a)))) ** 2"), "2 of 20 cases are right; then pull(g) is"),
    (14, ("return a / (1 + np.abs(a)), pull", "return a, pull"), "y is "),
    (14, ("return a / (1 + np.abs(a)), pull", "return pull"), "cases are right; the answer is no pair (y, pull)"),
    (15, ("fitted(g * a, b.shape)", "g * a"), "the gradient of b has shape (2, 3), wanted (3,); b was repeated: sum over its copies"),
    (15, ("part.sum(axis=ones, keepdims=True)", "part"), "the gradient of a has shape (2, 3), wanted (2, 1); a was repeated"),
    (15, ("fitted(g * b, a.shape), fitted(g * a, b.shape)", "fitted(g * a, a.shape), fitted(g * b, b.shape)"), "the gradient of a is "),
    (15, ("fitted(g * b, a.shape), fitted(g * a, b.shape)", "g"), "pull(g) is no pair"),
])  # fmt: skip
def test_a_wrong_pull_is_told_what_is_wrong_at_the_line_that_returned(number, change, words, graded):
    right = EXERCISES[number].solution
    wrong = right.replace(*change)
    assert wrong != right
    out = graded(number, wrong)
    assert words in out.replace("\n", " ")
    returned = "return a" if words.startswith(("y", "cases")) else line_of(wrong, "def pull") + 1
    line = line_of(wrong, change[1]) if returned == "return a" else returned
    assert f"\n  at mine.py:{line}\n" in out


RECURSIVE_ENGINE = """
    def backward(self):
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for x, _ in node.edges:
                    visit(x)
                order.append(node)
        visit(self)
"""
ALONG_PATHS = """
    def backward(self, g=1.0):
        self.grad += g
        for parent, local in self.edges:
            parent.backward(g * local)
"""


@pytest.mark.parametrize("change, words", [
    (("parent.grad += child.grad * local", "parent.grad = child.grad * local"), "3 of 20 cases are right; then a.grad is 0.585, wanted 1.17; of its 2 contributions it has only one"),
    (("1 - y * y", "1 - y"), "2 of 20 cases are right; then a.grad is"),
    (("self.grad = 1.0", "pass"), "0 of 20 cases are right; y.grad is 0., wanted 1."),
    (("self.data + other.data", "self.data - other.data"), "y.data is 0.294, wanted 0.926"),
    (("__mul__", "__matmul__"), "1 of 20 cases are right; then TypeError: unsupported operand type(s) for *: 'Value' and 'Value'"),
    (("reversed(order)", "order"), "of this program: "),
    (("self.grad = 1.0\n", RECURSIVE_ENGINE.partition("):")[2] + "        self.grad = 1.0\n"), "8 of 20 cases are right; then RecursionError"),
    (("    def backward(self):\n", ALONG_PATHS + "\n    def by_order(self):\n"), "7 of 20 cases are right; then TimeoutError: stopped after 0.5 seconds; a loop without end, or far too many steps; visit each node once"),
])  # fmt: skip
def test_an_engine_that_is_wrong_is_told_where_and_in_which_program(change, words, graded, monkeypatch):
    monkeypatch.setattr(grading, "SECONDS", 0.5 if "0.5" in words else 60.0)
    wrong = EXERCISES[26].solution.replace(*change)
    assert wrong != EXERCISES[26].solution
    out = " ".join(graded(26, wrong).split())
    assert words in out and " at mine.py:" in out and "a = Value(" in out


AS_THEY_COME = """
class Value:
    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = data, edges, 0.0
    def __add__(self, other):
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])
    def __mul__(self, other):
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])
    def tanh(self):
        y = np.tanh(self.data)
        return Value(y, [(self, 1 - y * y)])
    def backward(self):
        order, stack, self.grad = {}, [self], 1.0
        while stack:
            value = stack.pop()
            if value not in order:
                order[value] = True
                stack += [parent for parent, _ in value.edges]
        for child in order:
            for parent, local in child.edges:
                parent.grad += child.grad * local
"""


def test_a_gradient_that_is_handed_on_too_early_is_told_whose(graded):
    out = " ".join(graded(26, "import numpy as np\n" + AS_THEY_COME).split())
    assert "5 of 20 cases are right; then b.grad is" in out and "multiply handed on before its 2 contributions had all arrived" in out


def test_a_class_that_is_not_there_is_asked_for(graded):
    assert "there is no class Value yet" in graded(26, "x = 1\n")


def test_a_dataclass_is_watched_too(graded):
    head = "from dataclasses import dataclass, field\nimport numpy as np\n\n\n@dataclass(eq=False)\nclass Value:\n    data: float\n    edges: list = field(default_factory=list)\n    grad: float = 0.0\n"
    right = head + "\n    def __add__" + EXERCISES[26].solution.partition("    def __add__")[2]
    assert graded(26, right).startswith("right, on 20 random cases: Value is a whole engine, and agrees with ours")
    assert f"\n  at mine.py:{line_of(right, '+= child.grad')}\n" in graded(26, right.replace("+= child.grad", "= child.grad"))


# What is printed, and what only on request


def test_hint_and_solution_are_told_on_request_only(capsys):
    for number, exercise in EXERCISES.items():
        assert exercise.hint not in str(exercise)
        assert exercise.hint not in grade(number, {exercise.name: lambda *_: 0.0}).words
        assert main(["exercise", str(number)]) == 0
        assert exercise.hint[:30] not in (out := capsys.readouterr().out)
        assert exercise.solution[-30:] not in out
        assert main(["exercise", str(number), "--hint"]) == 0
        assert capsys.readouterr().out.split() == exercise.hint.split()
    for arguments in (["--hint"], ["3", "mine.py", "--solution"]):
        assert main(["exercise", *arguments]) == 1
        assert "go with the number of an exercise" in capsys.readouterr().err


def test_exercises_are_printed_in_eighty_columns(capsys):
    for number in EXERCISES:
        for option in ([], ["--hint"]):
            assert main(["exercise", str(number), *option]) == 0
            out = capsys.readouterr().out
            assert option or EXERCISES[number].head in out
            assert max(map(len, out.splitlines())) <= 80
    assert main(["exercise"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert sum(line[0].isdigit() for line in listed) == len(EXERCISES) == 26 and len(listed) == 31
    assert main(["exercise", "27"]) == 1
    assert "they are numbered 1 to 26" in capsys.readouterr().err
    assert CASES >= 20


# By hand, and nets that do not learn


@pytest.mark.parametrize("number", [16, 17, 20])
def test_of_several_answers_the_one_that_is_wrong_is_named(number, graded):
    right = written(number)[EXERCISES[number].name]
    for k, name in enumerate(EXERCISES[number].check.keywords["names"].split(", ")):
        def wrong(*arguments, k=k):
            return [part * (1.06 if i == k else 1) for i, part in enumerate(right(*arguments))]

        assert f"0 of 20 cases are right; {name} is" in grade(number, {EXERCISES[number].name: wrong}).words
    assert "the answer is not" in grade(number, {EXERCISES[number].name: lambda *arguments: 0.0}).words


def test_a_tangent_that_takes_one_edge_of_two_is_told_the_first_node(graded):
    wrong = EXERCISES[19].solution.replace("sum(parts)", "parts[0] if parts else 0.0")
    assert "0 of 20 cases are right; the derivative of v[2] is 0.47943, wanted 0.91822" in graded(19, wrong)


@pytest.mark.parametrize("answer, words", [
    (lambda loss, states: (1, "slopes"), "is as the others are"),
    (lambda loss, states: None, "returns nothing"),
    (lambda loss, states: 3, "no pair (t, cause)"),
    (lambda loss, states: (written(21)["find_cause"](loss, states)[0], "gates"), "the cause is not 'gates'"),
])  # fmt: skip
def test_another_cause_than_the_planted_one_is_not_taken(answer, words):
    assert words in grade(21, {"find_cause": answer}).words


@pytest.mark.parametrize("answer, words", [
    (lambda n: np.eye(n), "an eigenvalue is 1 in size"),
    (lambda n: 0.9 * np.eye(n), "0.43 times as long, not 100"),
    (lambda n: np.eye(n + 1), "W has shape"),
])  # fmt: skip
def test_a_matrix_that_does_not_explode_is_told_why(answer, words):
    assert words in grade(22, {"explode": answer}).words


@pytest.mark.parametrize("number, kind", [(23, "contracting weights"), (24, "contracting weights"), (25, "shallow slopes")])
def test_a_net_left_as_it_is_is_not_mended(number, kind):
    as_it_is = {EXERCISES[number].name: lambda *x: x[0] if len(x) == 1 else x}
    assert f"the verdict is still: {kind}" in grade(number, as_it_is).words


@pytest.mark.parametrize("answer", [3.0, [1.0], {"W": 1}])
def test_what_is_no_pair_is_said_to_be_none(answer):
    assert "the answer is no pair (W, b)" in grade(25, {"mend_mlp": lambda W, b: answer}).words


def test_a_healthy_verdict_is_not_enough(monkeypatch):
    monkeypatch.setattr(cases_nets, "LEARNT", 1e-9)
    assert "the verdict is healthy, but trained it still has a loss of" in grade(23, written(23)).words
