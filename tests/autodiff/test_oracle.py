"""Does the engine give PyTorch's answers?  518 stored programs, each with value, gradients and some Hessian products.

data/oracle_cases.json.gz was made with PyTorch 2.13 (float64, CPU), and every answer in it was confirmed by the complex step.
A program is a list of steps {out, op, args, kw}; an array is {shape, dtype, data}; nan and inf are text. The corner cases
only record PyTorch's convention (at a kink, a tie, a nan): four of them, all about nan, are not ours.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tally import count

import tinygrad_vg as vg

CASES = json.loads(gzip.decompress((Path(__file__).parents[1] / "data" / "oracle_cases.json.gz").read_bytes()))["cases"]
REQUIRED = [case for case in CASES if not case.get("torch_convention")]
CORNERS = [case for case in CASES if case.get("torch_convention")]
FAMILIES = sorted({case["family"] for case in REQUIRED})

# At nan PyTorch gives relu, maximum and minimum slope 1 and abs slope 0; ours are 0, by `a > b`, and sign(nan) = nan.
OUR_OWN = {"corner-30": "relu(nan)", "corner-33": "abs(nan)", "corner-43": "maximum nan", "corner-46": "minimum nan"}

OPS: dict[str, Any] = {
    name: getattr(np, name) for name in "exp log sqrt tanh abs maximum minimum matmul sum mean max where clip".split()
} | {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b, "neg": lambda a: -a, "gt": lambda a, b: a > b,
    "sigmoid": vg.sigmoid, "relu": vg.relu, "softmax": vg.softmax, "logsumexp": vg.logsumexp,
    "clip": lambda a, lo=None, hi=None: np.clip(a, lo, hi),
    "reshape": lambda a, shape: np.reshape(a, tuple(shape)),
    "transpose": lambda a, axes=None: np.transpose(a, axes),
    "broadcast": lambda a, shape: np.broadcast_to(a, tuple(shape)),
    "getitem": lambda a, index: a[tuple(index_part(part) for part in index)],
    "concatenate": lambda *xs, axis=0: np.concatenate(xs, axis=axis),
    "stack": lambda *xs, axis=0: np.stack(xs, axis=axis),
    "einsum": lambda *xs, subscripts: np.einsum(subscripts, *xs),
}  # fmt: skip


def decoded(x: Any) -> Any:
    return (
        np.array([float(v) if isinstance(v, str) else v for v in x["data"]], x["dtype"]).reshape(x["shape"])
        if isinstance(x, dict)
        else float(x)
    )


def index_part(part: dict) -> Any:
    """One part of an index: {"int": 3}, {"slice": [0, 4, 2]}, {"newaxis": true}, {"ellipsis": true}, {"array": …}, {"mask": …}."""
    ((kind, value),) = part.items()
    if kind in ("array", "mask"):
        return decoded(value).astype(int if kind == "array" else bool)
    return {"int": value, "slice": slice(*value) if kind == "slice" else None, "newaxis": None, "ellipsis": ...}[kind]


def run(case: dict, leaves: dict) -> Any:
    known = dict(leaves)
    for step in case["steps"]:
        args = [known[a] if isinstance(a, str) else decoded(a["const"]) for a in step["args"]]
        kw = {key: tuple(v) if key == "axis" and isinstance(v, list) else v for key, v in step.get("kw", {}).items()}
        known[step["out"]] = OPS[step["op"]](*args, **kw)
    return known[case["output"]]


def difference(got: Any, want: Any, rtol: float = 1e-9) -> str | None:
    """None if equal to rtol of the largest entry; the same shape, and nan and inf in the same places."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return f"shape {got.shape} for {want.shape}"
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return f"{got.tolist()} for {want.tolist()}"
    off = np.max(np.abs(got[finite] - want[finite]), initial=0.0)
    allowed = rtol * np.max(np.abs(want[finite]), initial=0.0) + 1e-13
    return None if off <= allowed else f"off by {off:.3g}, allowed {allowed:.3g}: {got.tolist()} for {want.tolist()}"


def differences(case: dict) -> list[str]:
    """What of value, gradients and Hessian product differs from PyTorch's."""
    leaves = {name: vg.Tensor(decoded(x), name=name) for name, x in case["inputs"].items()}
    with np.errstate(all="ignore"):
        output = run(case, leaves)
        output.backward(decoded(case["cotangent"]) if "cotangent" in case else None)
        found = {"value": difference(output.data, decoded(case["value"]))}
        for name, want in case["grads"].items():
            zeros = np.zeros(leaves[name].shape)  # a gradient that is null: the output does not depend on the input
            got = zeros if want is None and leaves[name].grad is None else leaves[name].grad
            found[f"gradient of {name}"] = difference(got, zeros if want is None else decoded(want))
        if "hvp" in case:
            names, xs = list(leaves), list(leaves.values())
            slope = sum((g * decoded(case["hvp"]["v"][n])).sum() for n, g in zip(names, vg.grad(output, xs, create_graph=True)))
            for name, got in zip(names, vg.grad(slope, xs)):
                found[f"Hessian product of {name}"] = difference(got, decoded(case["hvp"]["Hv"][name]), rtol=1e-7)
    return [f"{case['id']} ({case.get('note', case['family'])}): {what} {why}" for what, why in found.items() if why]


def test_all_programs_are_there():
    assert (len(REQUIRED), len(CORNERS), sum("hvp" in case for case in REQUIRED)) == (422, 96, 74)
    assert {step["op"] for case in CASES for step in case["steps"]} <= set(OPS)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_gradients_and_hessian_products_are_pytorchs(family):
    cases = [case for case in REQUIRED if case["family"] == family]
    count("stored programs against PyTorch", len(cases))
    wrong = [line for case in cases for line in differences(case)]
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:10])


@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # NumPy's own, for one of the corners
def test_conventions_are_pytorchs_but_for_four_about_nan():
    different = {case["id"]: differences(case) for case in CORNERS}
    assert {name: lines for name, lines in different.items() if lines}.keys() == OUR_OWN.keys(), different
    assert all(case["note"] == OUR_OWN[case["id"]] for case in CORNERS if case["id"] in OUR_OWN)
