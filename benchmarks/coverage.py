"""How many of NumPy's functions record, here and elsewhere?  The calls of tests/data/numpy_calls.txt, gradients compared with differences.

    python benchmarks/coverage.py            a table: this package, and HIPS autograd and MyGrad where they are installed
    python benchmarks/coverage.py --missing  the same, and the calls that each of them lacks; --why: with what was said

A function records if every call of it in the file gives NumPy's value and the right gradient; in part, if some do. Wrong numbers are
counted by themselves. What this package refuses it refuses with a recommendation, which tests/autodiff/test_numpy_functions.py carries out.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[1] / "tests" / "autodiff")]

from numpy_calls import CALLS, LIST, Call  # noqa: E402

import tinygrad_vg as vg  # noqa: E402
from tinygrad_vg import hints  # noqa: E402


def weights(y: Any) -> np.ndarray:
    """A weight for every entry, so that one number depends on all."""
    return np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape)


def truth(call: Call) -> list[np.ndarray]:
    """The gradient by central differences of NumPy's own values."""
    xs, found = call.inputs(), []

    def total(*arrays: np.ndarray) -> float:
        return float(sum(np.sum(y * weights(y)) for y in map(np.asarray, call.on(np, arrays))))

    for k, x in enumerate(xs):
        slopes = np.zeros(np.shape(x))
        for i in np.ndindex(np.shape(x)):
            e = np.zeros(np.shape(x))
            e[i] = 1e-6
            slopes[i] = (total(*xs[:k], x + e, *xs[k + 1 :]) - total(*xs[:k], x - e, *xs[k + 1 :])) / 2e-6
        found.append(slopes)
    return found


def ours(call: Call) -> list:
    leaves = [vg.Tensor(x) for x in call.inputs()]
    total: Any = sum(np.sum(y * weights(y)) for y in call.on(np, leaves))
    return vg.grad(total, leaves)


def hips(call: Call) -> list:
    import autograd
    import autograd.numpy as anp

    def total(*xs: Any) -> Any:
        return sum(anp.sum(y * weights(y)) for y in call.on(anp, xs))

    return [autograd.grad(total, k)(*call.inputs()) for k in range(len(call.letters))]


def mygrad(call: Call) -> list:
    import mygrad

    leaves = [mygrad.tensor(x) for x in call.inputs()]
    try:
        results = call.on(np, leaves)
    except Exception:
        results = call.on(mygrad, leaves)
    if not all(isinstance(y, mygrad.Tensor) for y in results):
        raise TypeError("a plain array")
    sum(mygrad.sum(y * weights(y)) for y in results).backward()
    return [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves]


LIBRARIES: dict[str, tuple[str, Callable[[Call], list]]] = {
    "tinygrad_vg": ("tinygrad_vg", ours), "HIPS autograd": ("autograd", hips), "MyGrad": ("mygrad", mygrad)}


def judged(gradients: Callable[[Call], list], call: Call) -> str:
    """right, wrong or refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = gradients(call)
        except Exception as error:
            if "--why" in sys.argv:
                print(f"    {call.text}: {type(error).__name__}: {str(error)[:200]}")
            return "refused"
        fine = all(np.shape(g) == np.shape(t) and np.allclose(g, t, rtol=1e-5, atol=1e-6) for g, t in zip(found, truth(call), strict=True))
        return "right" if fine else "wrong"


def main() -> None:
    """Print the table."""
    print(f"{'of ' + str(len(LIST)) + ' functions of NumPy':24} records   in part   refused   calls right / wrong / refused")
    for name, (module, gradients) in LIBRARIES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            print(f"{name:24} not installed")
            continue
        calls = [call for call in CALLS if call.counts and call.there()]
        verdicts = {call: judged(gradients, call) for call in calls}
        by_name = {f: {verdicts[call] for call in calls if call.name == f} for f in LIST}
        all_right, none = [f for f in LIST if by_name[f] == {"right"}], [f for f in LIST if "right" not in by_name[f]]
        counts = [list(verdicts.values()).count(what) for what in ("right", "wrong", "refused")]
        part = len(LIST) - len(all_right) - len(none)
        print(f"{name:24} {len(all_right):7} {part:9} {len(none):9}   {' / '.join(map(str, counts)):>18}")
        if name == "tinygrad_vg":
            advised = [f for f in none if f in hints.NUMPY or f"linalg.{f}" in hints.NUMPY]
            print(f"{'':24} of those refused, with a recommendation that a test carries out: {len(advised)} ({', '.join(advised)})")
        for call in calls if "--missing" in sys.argv else ():
            if verdicts[call] != "right":
                print(f"    {verdicts[call]:8} {call.text}")


if __name__ == "__main__":
    main()
