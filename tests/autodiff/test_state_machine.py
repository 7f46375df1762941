"""Does the engine keep its promises in any order of events?  Hypothesis picks the events; a shadow model says what must hold.

Every value is an array of three. A shadow has the node's value, its Jacobian with respect to each leaf, computed forward by hand,
and the leaves it was computed from, as they were then: it is stale once one of them has been given new data.

    J  Jacobians by leaf      k  number of a leaf      i, j  positions in the pool, from the youngest and from the oldest
"""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tally import count

import tinygrad_vg as vg

AT, SEED, LARGEST = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5, 7, 9]), np.array([1.0, -2.0, 0.5]), 50.0
VALUES = st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=3, max_size=3).map(np.array)


class Breaks(vg.Rule):
    """An op whose derivative raises."""

    name = "breaks"
    value = staticmethod(np.sin)

    def local(self, i: int, y: Any, xs: Any) -> Any:
        raise ArithmeticError("this derivative breaks")


# op: (function, its Jacobians at these operands)
OPS: dict[str, tuple] = {
    "add": (lambda a, b: a + b, lambda a, b: [np.eye(3), np.eye(3)]),
    "multiply": (lambda a, b: a * b, lambda a, b: [np.diag(b), np.diag(a)]),
    "tanh": (np.tanh, lambda a: [np.diag(1 - np.tanh(a) ** 2)]),
    "view": (lambda a: a[::-1], lambda a: [np.eye(3)[::-1]]),
    "breaks": (lambda a: vg.apply(Breaks(), a), lambda a: [np.diag(np.cos(a))]),
}  # fmt: skip


@dataclass(eq=False)
class Shadow:
    node: Any
    value: np.ndarray
    J: dict[int, np.ndarray] = field(default_factory=dict)
    used: set[tuple[int, int]] = field(default_factory=set)  # (k, how many times that leaf had been given data)
    fails: Any = None  # what backward() raises


class Events(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.pool, self.leaves, self.grads, self.assigned = [], [], [], []
        self.make_leaf(np.array([0.5, -1.0, 0.25]))
        self.make_leaf(np.array([-0.75, 0.125, 1.0]))

    @precondition(lambda self: len(self.leaves) < 4)
    @rule(values=VALUES)
    def make_leaf(self, values):
        self.pool.append(Shadow(vg.Tensor(values), values, {len(self.leaves): np.eye(3)}))
        self.leaves.append(self.pool[-1])
        self.grads.append(None)
        self.assigned.append(0)

    def at(self, i):
        return self.pool[-1 - i % len(self.pool)]

    @rule(op=st.sampled_from(["add", "multiply", "tanh", "view"] * 3 + ["breaks"]), i=AT, j=AT)
    def compute(self, op, i, j):
        of = [self.at(i), self.at(-1 - j)][: 2 if op in ("add", "multiply") else 1]
        function, jacobians = OPS[op]
        want, locals_ = function(*(s.value for s in of)), jacobians(*(s.value for s in of))
        if np.max(np.abs(want)) > LARGEST or any(np.max(np.abs(J)) > 1e6 for s in of for J in s.J.values()):
            return
        made = Shadow(function(*(s.node for s in of)), want, fails=ArithmeticError if op == "breaks" else None)
        assert np.array_equal(made.node.data, want)
        for s, local in zip(of, locals_):
            made.J |= {k: made.J.get(k, 0.0) + local @ J for k, J in s.J.items()}
            made.used |= s.used | {(k, self.assigned[k]) for k, leaf in enumerate(self.leaves) if s is leaf}
            made.fails = made.fails or (s.fails if s.fails is ArithmeticError else None)  # one without a history is a constant
        self.pool.append(made)

    @rule(i=AT, raising=st.booleans())
    def compute_without_recording(self, i, raising):
        """A no_grad block, which may end in an op whose operands do not fit; that leaves no trace."""
        made = []

        def block():
            with vg.no_grad():
                made.append(np.tanh(self.at(i).node))
                _ = made[0] + np.ones(4 if raising else 3)

        assert raised(block) is (ValueError if raising else None)
        self.pool.append(Shadow(made[0], np.tanh(self.at(i).value), fails=RuntimeError))

    @rule(k=AT, values=VALUES)
    def assign(self, k, values):
        k %= len(self.leaves)
        self.leaves[k].node.data = self.leaves[k].value = values
        self.assigned[k] += 1

    @rule(i=AT, keep=st.booleans(), again=st.booleans())
    def backward(self, i, keep, again):
        interior = [s for s in self.pool if s.node.rule] or self.pool
        s = self.at(i) if i == 9 else interior[-1 - i % len(interior)]
        stale = any(self.assigned[k] != then for k, then in s.used)
        for _ in range(1 + again):
            assert raised(partial(s.node.backward, SEED, keep)) is (RuntimeError if stale else s.fails)
            for k, J in {} if stale or s.fails else s.J.items():
                self.grads[k] = SEED @ J if self.grads[k] is None else self.grads[k] + SEED @ J
        count("backward passes of the state machine", 1 + again)
        if keep and not (stale or s.fails or s in self.leaves):
            assert np.array_equal(s.node.grad, SEED)

    @rule(k=AT)
    def zero_grad(self, k):
        self.leaves[k % len(self.leaves)].node.zero_grad()
        self.grads[k % len(self.leaves)] = None

    @invariant()
    def gradients_are_the_shadows_and_share_memory_with_nothing(self):
        everything = [x for s in self.pool for x in (s.node.data, s.node.grad) if x is not None]
        for leaf, want in zip(self.leaves, self.grads):
            got = leaf.node.grad
            assert (got is None) == (want is None)
            if got is not None:
                assert np.allclose(got, want, rtol=1e-10, atol=1e-10 * np.max(np.abs(want)))
                assert got.flags.writeable and sum(np.may_share_memory(got, x) for x in everything) == 1  # with itself
        assert vg.autodiff.core.guard.get() is None, "ops do not record outside no_grad"

    def teardown(self):
        """Without the cyclic collector every node is freed: there are no cycles."""
        gc.disable()
        nodes = [weakref.ref(s.node) for s in self.pool]
        self.pool, self.leaves = [], []
        alive = sum(node() is not None for node in nodes)
        gc.enable()
        assert not alive or sys.exc_info()[0], f"{alive} of {len(nodes)} nodes are part of a cycle"  # an exception keeps its frames alive


def raised(action: Any) -> type | None:
    try:
        action()
    except Exception as error:
        return type(error)
    return None


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=200, stateful_step_count=40, derandomize=True, deadline=None)
