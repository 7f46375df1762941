"""What became of every program of tests/data/public_cases.json?  Made after reports of users of other libraries: each is run, and its result is right.

Where the answer was decided otherwise, it stands in DECIDED, and docs/decisions.md says so.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tally import count

from tinygrad_vg import Tensor, jacobian, stack

CASES = {case["id"]: case for case in json.loads((Path(__file__).parent / "data" / "public_cases.json").read_text(encoding="utf-8"))["cases"]}


def close(*wanted, rtol=1e-6):
    """Whether a result is these numbers: one array for each part of it."""
    def check(result):
        parts = list(result) if isinstance(result, (tuple, list)) and len(wanted) > 1 else [result]
        return len(parts) == len(wanted) and all(np.allclose(np.asarray(getattr(p, "data", p)), w, rtol=rtol, atol=1e-9) for p, w in zip(parts, wanted))

    return check


def refused(kind, *words):
    """Whether the program was refused with this kind of error, in these words, in its own or in those of what caused it."""
    def check(error):
        return isinstance(error, kind) and all(word in f"{error} {error.__cause__}" for word in words)

    return check


# fmt: off
ANSWERS = {  # id: a check of what the program left in `result`, or of the error that it ended with
    "norm-at-zero":             close(np.zeros((2, 1))),
    "norm-hint-axis":           close([5, 5]),
    "sort-2d-hint":             close([[1, 2, 3], [7, 8, 9]], [[100, 1, 10], [100, 1, 10]]),
    "cumprod-zeros":            close([9, 0, 0], [4, 2, 6], [1, 2, 0, 0], [1, 32, 0, 0]),
    "portfolio-growth":         refused(TypeError, "write array @ x"),
    "std-constant-column":      close([[0, -0.5], [0, 0.5]]),
    "arctan2-masked":           close([1.10714872, 0, -2.03444394], [1.10714872, 0, -2.03444394]),
    "interp-fit":               close([2.5, 3], [0.5, 1, 0.5]),
    "gp-likelihood":            close(0.4477215844, [0.63922303, 0.04024479, 0.06452919]),
    "diag-blocks":              close([[20, 0], [0, 36]]),
    "rotation-nested-list":     close(-1.84189711),
    "mean-of-a-list":           refused(TypeError, "mean(stack([a, b]))"),
    "assign-block":             refused(TypeError, "stack([…])"),
    "logaddexp-softplus":       close([0.69314718, 1000, 0], [0.5, 1, 0]),
    "missing-ufunc-advice":     close([0.8, 0.2]),
    "bad-row-is-kept":          refused(ValueError, "coss means nothing in the row of mysin"),
    "rule-activation-verdict":  lambda kind: kind in ("saturated", "shallow slopes"),
    "log10-did-you-mean":       lambda said: len(said) == 2 and "np.pad, which records" in said[0] and "np.sort(x)" in said[1],
    "mT-hint":                  lambda result: result[0] == (2, 3, 3) and all("swapaxes(x, -1, -2)" in text for text in result[1:]),
    "round-mod-floor":          lambda result: all(type(y) is Tensor and y.op == "remainder" for y in result[:2]) and all(type(y) is np.ndarray for y in result[2:]),
    "causal-mask-verdict":      lambda result: result == (True, "healthy"),
    "causal-mask-anomaly":      lambda result: result is True,
    "fully-masked-row":         close([[-0.02491684, 0.02491684], [0, 0]]),
    "sqrt-of-relu":             close(*[[0, 0.25]] * 4),
    "norm-of-relu":             close([[0.5]], [[0]]),
    "nan-in-the-targets":       lambda lines: "look at the data" in " ".join(lines) and "overflowed" not in " ".join(lines),
    "nan-targets-masked":       lambda result: np.array_equal(result, [[np.nan, 0], [0, 0]], equal_nan=True),
    "pairwise-distances":       lambda result: "the slope of sqrt at 0 is infinite" in " ".join(result[1]) and "epsilon" in " ".join(result[1]),
    "step-activation":          lambda lines: "sign has no slope anywhere" in " ".join(lines) and "straight-through" in " ".join(lines),
    "sum-of-batchnorm":         lambda result: result == (True, "cancelled"),
    "anomaly-hides-the-entry":  lambda result: result == (True, True),
    "carried-state":            refused(RuntimeError, ".detach()", "of an LSTM each part"),
    "grad-of-a-dict":           lambda result: {k: g.shape for k, g in result.items()} == {"W": (1, 2), "b": (1,)},
    "keras-lstm-layout":        lambda result: close([-0.05864452, 0.33155991])(result[0]),
    "elu-far-left":             close([4.248354255291589e-18] * 3 + [0, 0], rtol=1e-12),  # and sigmoid and tanh as in PyTorch
    "rnn-gradient-check":       lambda result: result == [True, False, False, False, True],
    "two-ways-of-bptt":         lambda result: result is True,
    "padded-batch":             lambda result: result == (True, True),
    "wrong-lstm-return":        lambda result: result[:2] == ("disconnected", True) and not result[2].any(),
    "clip-not-finite":          lambda result: result[:2] + result[3:] == ["FloatingPointError", "FloatingPointError", "ValueError"] and result[2].tolist() == [1, 0],
    "softplus-fourth-derivative": close(0.5, 89, 1, -0.125),
    "unrolled-sgd-of-a-list":   close([0.01916368, -0.11347385, 0.05971851]),
    "softmax-loss-off-by-n":    close([0.05538, 0.16637, -0.22512, 0.00337], rtol=1e-2),
    "scipy-minimize":           lambda result: result == [True, True, True],
}
DECIDED = {  # what else than the report wanted
    "norm-hint-at-zero":        lambda result: bool(np.isnan(result).all()),  # sqrt(square(x).sum()) written out: the chain rule at its word; np.linalg.norm has 0
    "assign-element":           refused(ValueError, "joined: stack([…])"),  # NumPy's own error, ours as its cause
    "reassigned-weight":        lambda length: length == 105,  # W = W - 0.1 * W.grad is a computation like any other
    "verdict-of-two-modules":   lambda result: result[0].startswith("a station is a node") and "a list with a RNNCell" in result[1] and result[2].startswith("SGD(2 parameters"),
    "sequential-into-mlp":      lambda result: close([-0.08758142, 2.3535606])(result) if isinstance(result, np.ndarray) else refused(ValueError, "nothing was loaded")(result),
    "data-parallel-prefix":     lambda result: not isinstance(result, Exception),  # loads, or is refused
    "collapse-a-function":      lambda result: result[0] == 761,  # fold="layer", below
}
# fmt: on


def test_every_case_is_here():
    assert {f"public-{name}" for name in ANSWERS | DECIDED} == set(CASES) and len(CASES) == 51
    assert not ANSWERS.keys() & DECIDED.keys()
    count("programs from public reports", len(CASES))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("id", CASES)
def test_a_program_from_a_public_report_is_answered_right(id):
    if "scipy" in CASES[id]["code"]:
        pytest.importorskip("scipy")
    space: dict = {}
    try:
        exec(compile(CASES[id]["code"], f"<{id}>", "exec"), space)
        result = space["result"]
    except Exception as error:
        result = error
    name = id.removeprefix("public-")
    assert (ANSWERS | DECIDED)[name](result), f"{CASES[id]['expected']}\n{result!r}"


def test_what_the_errors_of_these_programs_say_to_write_is_right():
    """portfolio-growth, mean-of-a-list, assign-element, bad-row-is-kept: the program as the error says."""
    space: dict = {}
    exec(CASES["public-portfolio-growth"]["code"].replace("returns.dot(w)", "returns @ w"), space)
    assert np.allclose(space["result"], [-2.07954545, -1.92045455])
    exec(CASES["public-mean-of-a-list"]["code"].replace("np.mean([x, x + 2])", "mean(stack([x, x + 2]))"), space)
    assert space["result"] == 1
    b = Tensor([1.0, 2.0, 2.0])
    assert jacobian(stack([b[0] * b[0], b[1] * b[0] + b[2]]), b).tolist() == [[2, 0, 0], [2, 1, 1]]


def test_a_picture_of_layers_folds_a_function_that_is_called_often():
    """collapse-a-function: in the rolled picture its parts stand one by one; fold="layer" makes one box of what leads to each state."""
    space: dict = {}
    exec(CASES["public-collapse-a-function"]["code"].replace('.named("loss"))', '.named("loss"), fold="layer")'), space)
    boxes = int(re.search(r"(\d+) boxes", space["result"][1])[1])
    assert boxes < 60, boxes
