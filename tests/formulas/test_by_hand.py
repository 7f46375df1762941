"""The program written by hand computes what grad computes, on every op and on programs nobody thought of; and it stands alone."""

import subprocess
import sys

import numpy as np
import pytest
from by_hand_agrees import off
from program_runs import ENGINE, Trial, run, weights
from programs import random_program
from samples import SAMPLES, cases
from tally import count

import tinygrad_vg as vg
from tinygrad_vg import OPS, Rule, Tensor, by_hand, grad, nn, scalars
from tinygrad_vg.autodiff.maps import Diagonal
from tinygrad_vg.formulas import words


def summed(y):
    """One number that every entry of y has a share in."""
    return vg.sum(y * weights(y.shape).astype(y.dtype))


@pytest.mark.parametrize("op", [op for op in OPS if op in SAMPLES])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_op_is_written_right(op, dtype):
    for case in [*cases(op)][:: 1 if dtype is np.float64 else 3]:
        leaves = [Tensor(x, name=f"x{k}") for k, x in enumerate(case.starts(dtype))]
        with np.errstate(all="ignore"):
            output = summed(case.function(*leaves))
        program = by_hand(output, leaves)
        count("op samples written by hand")
        exact = all(node.dtype == np.float64 for node in vg.history(output))
        assert off(program, output) <= (1e-12 if exact else 2e-5), f"{case}\n{program}"
        for name, gradient in program()[1].items():
            assert np.asarray(gradient).dtype == program.leaves[name].dtype, f"{case}: {name}\n{program}"


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_are_written_right(seed):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        trial = Trial(random_program(rng))
        leaves, values = trial.on_tensors()
        if not isinstance(output := values[trial.output], Tensor):
            continue
        program = by_hand(output)
        count("random programs written by hand")
        assert off(program, output) <= 1e-11, str(program)
        moved = {n: Tensor(x.data + 1e-4 * rng.normal(size=x.shape), name=n) for n, x in leaves.items()}
        if "gt" in [op for _, op, *_ in trial.steps]:  # a branch is what it was when recorded
            continue
        after = run(trial.steps, moved, ENGINE)[trial.output]
        arguments = {str(leaf.name): argument for argument, leaf in program.leaves.items()}
        value, gradients = program(**{arguments[n]: x.data for n, x in moved.items() if n in arguments})
        assert abs(value - after.data) <= 1e-9 * max(1, abs(after.data))
        for n, argument in arguments.items():
            np.testing.assert_allclose(gradients[argument], grad(after, moved[n]), rtol=1e-8, atol=1e-9)


def networks():
    """{name: (loss, model)}: networks of every kind, small."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2])
    found = {}
    for name, options in {"plain": {}, "relu": {"activation": "relu"}, "residual": {"residual": True}, "batch": {"norm": "batch"}, "layer": {"norm": "layer"}}.items():
        model = nn.MLP([4, 5, 5, 3], **options)
        found[name] = nn.cross_entropy(model(x), labels), model
    for kind in (nn.RNNCell, nn.LSTMCell, nn.GRUCell):
        for batch in ((), (2,)):
            cell, out = kind(3, 4, rng=rng), nn.Linear(4, 2, rng=rng, name="out")
            states = nn.unroll(cell, rng.normal(size=(3, *batch, 3)))
            found[f"{kind.__name__} {batch}"] = nn.mse(out(cell.output(states[-1])), rng.normal(size=(*batch, 2))), None
    found["attention"] = attention(rng), None
    return found


def attention(rng):
    """Causal attention, and a readout of the last place."""
    X, Wq, Wk, Wv = (Tensor(rng.normal(size=shape), name=name) for name, shape in {"X": (7, 5), "Wq": (5, 5), "Wk": (5, 5), "Wv": (5, 5)}.items())
    A = vg.softmax((X @ Wq) @ (X @ Wk).T / np.sqrt(5) + np.where(np.tri(7) > 0, 0.0, -1e9)).named("A")
    return nn.mse((A @ (X @ Wv))[-1], np.zeros(5))


NETWORKS = networks()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_written_right_also_at_other_weights(name):
    loss, model = NETWORKS[name]
    program = by_hand(loss, model)
    for options in ({}, {"roll": False}, {"stack": True}):
        assert off(by_hand(loss, model, **options), loss) <= 1e-12
    for seed in range(3):
        rng = np.random.default_rng(seed)
        new = {argument: value_of(leaf) + 0.1 * rng.normal(size=np.shape(value_of(leaf))) for argument, leaf in program.leaves.items()}
        value, gradients = program(**new)
        for argument, gradient in gradients.items():
            d, step = rng.normal(size=np.shape(gradient)), 1e-6
            ahead, behind = (program(**new | {argument: new[argument] + s * d})[0] for s in (step, -step))
            assert abs((ahead - behind) / (2 * step) - np.sum(gradient * d)) < 1e-6 * max(1, abs(value))


def value_of(leaf):
    return np.stack([x.data for x in leaf]) if isinstance(leaf, list) else leaf.data


def test_rules_that_everybody_knows_are_one_line():
    backward = {name: (program := by_hand(*NETWORKS[name]).text)[program.index("# backward") :] for name in ("plain", "batch", "layer", "attention")}
    assert "g_z3 = (softmax(z3, -1) - one_hot(labels, z3)) / len(z3)" in backward["plain"]
    assert "(g_x̂ - g_x̂.mean(axis=-2, keepdims=True) - x̂" in backward["batch"] or "(g_x̂1 - g_x̂1.mean(axis=-2, keepdims=True) - x̂1" in backward["batch"]
    assert "mean(axis=-1, keepdims=True)" in backward["layer"] and "g_mean" not in backward["layer"] + backward["batch"]
    assert "A * (g_A - (g_A * A).sum(axis=-1, keepdims=True))" in backward["attention"] and "g_d = 2 * d / d.size" in backward["attention"]


def test_a_rule_that_everybody_knows_is_not_used_where_a_part_of_it_is_used_elsewhere():
    z, x = Tensor([0.3, -0.2, 0.5], name="z"), Tensor([[0.3, -0.2], [0.5, 1.0]], name="x")
    log_p, e, d = vg.log_softmax(z), vg.exp(z), vg.square(z)
    centred = x - vg.mean(x, axis=-1, keepdims=True)
    norm = centred / vg.sqrt(vg.mean(vg.square(centred), axis=-1, keepdims=True) + 1e-5)
    for loss in (log_p[0] * 2 - log_p[1], vg.sum(e / vg.sum(e, keepdims=True) * e), vg.sum(d) + d[0], vg.sum(norm * norm * centred), -log_p.named("p")[1]):
        for leaf in [node for node in vg.history(loss) if node.rule is None]:
            assert off(by_hand(loss, leaf), loss) <= 1e-12, str(by_hand(loss))


def test_scalars_are_written_in_their_names():
    w, x = scalars([0.5, -0.3], name="w"), vg.Scalar(2.0, name="x")
    loss = ((w[0] * x + w[1]).tanh() ** 2).named("loss")
    program = by_hand(loss)
    assert program.arguments == ["w0", "w1", "x"]
    assert off(program, loss) <= 1e-15


def test_a_word_that_is_wrong_is_caught(monkeypatch):
    x = Tensor([0.5, 1.0], name="x")
    output = vg.sum(vg.relu(x) * vg.relu(x))
    monkeypatch.setitem(words.SELECTED, "relu", ["np.where(y > 0, g, 1)"])
    assert off(by_hand(output), output) <= 1e-12
    monkeypatch.setitem(words.SELECTED, "relu", ["np.where(y > 0, -g, 0)"])
    assert off(by_hand(output), output) > 1


def test_what_has_no_words_is_refused_by_name():
    class Doubled(Rule):
        name = "doubled"
        def value(self, x): return 2 * x
        def local(self, i, y, xs): return Diagonal(2.0, np.shape(y))

    with pytest.raises(NotImplementedError, match="no words for doubled"):
        by_hand(vg.sum(vg.apply(Doubled(), Tensor([1.0]))))
    x = Tensor([1.0, 2.0], name="x")
    with pytest.raises(ValueError, match="pass a seed"):
        by_hand(x * 2)
    with pytest.raises(ValueError, match="does not depend on y"):
        by_hand(vg.sum(x), Tensor([1.0], name="y"))
    with pytest.raises(TypeError, match="gradients of leaves"):
        by_hand(vg.sum(y := x * 2), y)


def test_a_row_of_ones_own_is_written_from_its_text():
    swish = vg.OPS.get("test_swish") or vg.elementwise("test_swish(a)", "a * sigmoid(a)", "y + sigmoid(a) * (1 - y)")
    x = Tensor([0.5, -1.0], name="x")
    output = vg.sum(swish(x) ** 2)
    assert off(by_hand(output), output) <= 1e-15


def test_another_batch_another_dtype_a_missing_or_an_unknown_argument_is_an_error():
    x, W = np.ones((1, 3)), Tensor(np.ones((2, 3)), name="W")
    program = by_hand(vg.mean(vg.square(vg.linear(x, W))).named("loss"))
    assert program.arguments == ["W", "c"]
    with pytest.raises(ValueError, match=r"c must be float64 \(1, 3\), as it was recorded; got float64 \(6, 3\)"):
        program(c=np.ones((6, 3)))
    with pytest.raises(ValueError, match="float32"):
        program(W=np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match="no argument V; it takes W, c"):
        program(V=1.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'c'"):
        program.function(np.ones((2, 3)))


def test_gradients_share_no_memory_and_arguments_stay_as_they_are():
    a, b = Tensor(np.ones(3), name="a"), Tensor(np.ones(3), name="b")
    program = by_hand(vg.sum((a + b) * (a + b)))
    _, gradients = program()
    gradients["a"][:] = 7
    assert np.all(gradients["b"] == 4)


def test_the_program_saved_runs_where_the_package_cannot_be_imported(tmp_path):
    loss, model = NETWORKS["plain"]
    by_hand(loss, model).save(tmp_path / "backprop.py")
    code = "import runpy, sys; sys.modules['tinygrad_vg'] = None; "
    code += f"runpy.run_path({str(tmp_path / 'backprop.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"loss = {loss.item()}" in done.stdout


def test_gradients_that_are_whole_numbers_are_floats():
    x = Tensor([0.5, 1.0], name="x")
    for output in (vg.sum(x), -vg.sum(x), x[0], -x[1], 2 * vg.sum(x), vg.max(x), vg.sum(vg.stack([x, x]))):
        program = by_hand(output)
        assert program()[1]["x"].dtype == float and off(program, output) == 0, str(program)


def test_with_no_leaf_to_differentiate_it_is_the_forward_pass_alone():
    x = Tensor([0.5, -1.0], "x")
    assert by_hand(vg.sum(x * x), [])(x=[1.0, 2.0]) == (5.0, {})


def test_steps_print_each_line_with_the_size_of_what_it_makes(capsys):
    x = Tensor([3.0, 4.0], name="x")
    steps = by_hand(vg.sum(x * 2).named("L")).steps()
    assert [(line, name, round(size, 3)) for line, name, size in steps] == [
        ("L = (x * 2).sum()", "L", 14.0), ("g_x = np.full((2,), 1.0) * 2", "g_x", 2.828)]
    assert capsys.readouterr().out.splitlines()[0].endswith("|L| = 1.40e+01")
    with pytest.raises(ValueError, match="no line of the program makes g_h"):
        by_hand(vg.sum(x)).steps("g_h")


def test_the_steps_of_a_carried_gradient_are_the_chain():
    states = nn.unroll(nn.RNNCell(3, 4, rng=0), np.random.default_rng(0).normal(size=(6, 3)))
    loss = vg.sum(states[-1] * states[-1])
    steps = by_hand(loss).steps("g_h")
    sizes = [float(np.linalg.norm(grad(loss, state))) for state in states[::-1]]
    assert [step.turn for step in steps] == ["", "t=6", "t=5", "t=4", "t=3", "t=2", "t=1"]
    assert [step.size for step in steps] == pytest.approx(sizes, rel=1e-12)


def test_room_that_nothing_is_in_yet_is_no_step():
    states = nn.unroll(nn.LSTMCell(3, 4, rng=0), np.ones((6, 3)))
    steps = by_hand(vg.sum(states[-1][0])).run_in_steps()
    assert steps and not [step for step in steps if "np.empty" in step.line] and all(step.size < 100 for step in steps)
