"""What does a random program look like?  A few arrays, and steps that each make a new one of those there are.

A program is what test_oracle.py stores, {inputs, steps: [{out, op, args, kw}], output}, so one that fails is a case already.
It is built from a list of draws (op, two positions in the pool, a number from which every further choice is read off), and
building never fails: an operand that does not fit is replaced by the next in the pool that does, log and sqrt get x * x + c,
what grows large is scaled down, and a step that still does not apply (or is nearer than 0.02 to a kink) is left out. What no
step uses in the end is summed with fixed weights: the output is one number, and every step counts.

    n  name of a value in the program      v, w  values
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from program_runs import PLAIN, decoded, encoded, prepared, run, weights
from program_steps import LARGEST, STEPS, Digits

LARGE = 4.0  # a larger value is scaled down before anything uses it


def anything(v: np.ndarray) -> bool:
    return True


def broadcasts(v: np.ndarray, w: np.ndarray) -> bool:
    try:
        return math.prod(np.broadcast_shapes(v.shape, w.shape)) <= LARGEST
    except ValueError:
        return False


class Builder:
    """A program in the making. `pool` names the values a step may use; `values` has all of them, in plain NumPy."""

    def __init__(self, inputs: list[np.ndarray]):
        self.inputs = {f"x{i}": x for i, x in enumerate(inputs)}
        self.values = dict(self.inputs)
        self.pool = list(self.inputs)
        self.steps: list[dict] = []
        self.used: set[str] = set()

    def value(self, arg: Any) -> np.ndarray:
        return self.values[arg] if isinstance(arg, str) else np.asarray(decoded(arg["const"]))

    def push(self, op: str, *args: Any, out: str = "v", **kw: Any) -> str | None:
        """Append a step and return the name of its value; None, and nothing appended, if it does not apply."""
        step = {"out": f"{out}{len(self.steps)}", "op": op, "args": list(args)} | ({"kw": kw} if kw else {})
        if None in args:
            return None
        try:
            with np.errstate(all="ignore"):
                v = np.asarray(run(prepared([step]), self.values, PLAIN)[step["out"]])
        except (ValueError, IndexError):
            return None
        if v.size > LARGEST or not np.all(np.isfinite(v)) or np.max(np.abs(v), initial=0) > 1e4:
            return None
        self.values[step["out"]] = v
        self.steps.append(step)
        self.used.update(a for a in args if isinstance(a, str))
        return step["out"]

    def pick(self, position: int, fits: Callable = anything) -> str | None:
        """The value at the position, or the next in the pool, round and round, that fits."""
        turned = [self.pool[(position + k) % len(self.pool)] for k in range(len(self.pool))]
        return next((n for n in turned if fits(self.values[n])), None)

    def like(self, n: str | None, position: int, fits: Callable = lambda v, w: True) -> str | None:
        """A value that broadcasts with n, and fits it."""
        return n and self.pick(position, lambda w: broadcasts(self.values[n], w) and fits(self.values[n], w))

    def positive(self, n: str | None) -> str | None:
        if n is None or np.min(self.values[n], initial=1.0) > 0.2:
            return n
        return self.push("add", self.push("mul", n, n), {"const": 0.5})

    def bounded(self, n: str | None) -> str | None:
        """n, or what n is when scaled down."""
        top = np.max(np.abs(self.values[n]), initial=0.0) if n else 0.0
        return n if top <= LARGE else self.push("mul", n, {"const": 2.0 ** -math.ceil(math.log2(top / 2))})

    def finish(self) -> dict:
        """Sum what is loose with fixed weights, and hand the program over."""
        loose = [n for n in (step["out"] for step in self.steps) if n not in self.used and self.values[n].dtype != bool]
        total: Any = None
        for n in loose or list(self.inputs):
            term = self.push("mul", n, {"const": encoded(weights(self.values[n].shape))}, out="end")
            term = self.push("sum", term, out="end", axis=None, keepdims=False)
            total = term if total is None else self.push("add", total, term, out="end")
        return {"family": "random", "inputs": {n: encoded(x) for n, x in self.inputs.items()}, "steps": self.steps, "output": total}


# ---------------------------------------------------------------- drawing


def build(inputs: list[np.ndarray], draws: Iterable[tuple[str, int, int, int]]) -> dict:
    """The program of these inputs and draws (op, two positions, a number)."""
    p = Builder(inputs)
    for op, i, j, number in draws:
        n = p.bounded(STEPS[op](p, op, i, j, Digits(number)))
        p.pool += [n] if n else []
    return p.finish()


SIDES = [2, 3, 1, 2, 3, 2, 3, 1, 2, 3, 0]  # how often which
FIRST = [0, 0, 0, 0, 1, 2, 3]  # of the sides, the first that an input has
POSITIONS = st.integers(0, 99)
ENTRIES = st.integers(-48, 48)


@st.composite
def programs(draw: Any, most_steps: int = 12) -> dict:
    """A strategy: up to four inputs of shapes that broadcast, sides 0 to 3, entries between -1.5 and 1.5 on a grid of 1/32."""
    sides = [draw(st.sampled_from(SIDES)) for _ in range(draw(st.sampled_from([2, 3, 1, 2, 3, 0])))]
    inputs = []
    for _ in range(draw(st.integers(1, 4))):
        shape = [1 if draw(st.integers(0, 4)) == 4 else side for side in sides[draw(st.sampled_from(FIRST)) :]]
        inputs.append(draw(hnp.arrays(np.int64, tuple(shape), elements=ENTRIES, fill=st.nothing())) / 32)
    step = st.tuples(st.sampled_from(sorted(STEPS)), POSITIONS, POSITIONS, st.integers(0, 2**40))
    count = draw(st.integers(1, most_steps))  # drawn first: lists of free length are mostly short
    return build([np.asarray(x) for x in inputs], draw(st.lists(step, min_size=count, max_size=count)))


def random_program(rng: np.random.Generator, most_steps: int = 12) -> dict:
    """The same from NumPy's random numbers, for when there are to be thousands."""
    sides = rng.choice(SIDES, rng.choice([2, 3, 1, 2, 3, 0]))
    shapes = [np.where(rng.random(sides.size) < 0.2, 1, sides)[rng.choice(FIRST) :] for _ in range(rng.integers(1, 5))]
    inputs = [np.asarray(rng.integers(-48, 49, shape) / 32) for shape in shapes]
    ops = rng.choice(sorted(STEPS), rng.integers(2, most_steps + 1))
    return build(inputs, [(str(op), *rng.integers(0, 100, 2).tolist(), int(rng.integers(2**40))) for op in ops])
