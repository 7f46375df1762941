"""Which gradients have a formula that everybody knows?  Where ops stand together as one of these, its pull is written in place of theirs.

    mean of squares        g_d = 2 * d / d.size
    softmax − one-hot      g_z = (softmax(z) - one_hot(labels, z)) / len(z), the gradient of cross entropy
    softmax                g_x = y * (g - (g * y).sum()), along its axis, for y = softmax(x); it has a word of its own, too
    layer and batch norm   g_x = (g - mean(g) - x̂ * mean(g * x̂)) / s, for x̂ = (x − mean(x)) / s

What is named by whoever built the graph keeps a gradient of its own; but for a norm's mean and variance.
"""

import ast
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..text.formulas import number_of
from .lines import index_text
from .statements import line


class Named:
    """Changes pulls, {node: [(parent, pull)]}, of a program."""

    def __init__(self, program: Any):
        self.program, self.pulls, self.children = program, program.pulls, program.children
        for node in [*self.pulls]:
            for rule in (self.square, self.mean_of_squares, self.norm, self.softmax, self.log_of_one, self.cross_entropy):
                if node in self.pulls and (found := rule(node)):
                    x, pull, *inner = found
                    self.pulls[node] = [(x, pull)]
                    for other in inner:
                        self.pulls.pop(other, None)

    def within(self, node: Any, *by: Any, named: bool = False) -> bool:
        """Whether a node is used by these alone, so that it may stand inside a rule."""
        (loop, turn, j), user = self.program.at(node), self.program.at(by[0])
        same = loop is user.loop and turn == user.turn
        often = loop is None or len(self.children[node]) == len(self.children.get(loop.turns[-2][j], []))
        free = (named or not node.name) and node.rule is not None and node is not self.program.output and same and often
        return free and {*self.children[node]} <= {*by} and node.dtype == by[0].dtype

    def square(self, node: Any) -> Any:
        if (x := squared(node)) is None:
            return None
        self.aim(x)
        return (x, line("g * (2 * x)", x=self.program.ref(x))) if node.op == "multiply" else None  # the others' own rows say so

    def aim(self, d: Any) -> None:
        """A constant is the target where the square of its distance is taken."""
        if op(d, "subtract") and not isinstance(d.parents[1], Node) and isinstance(code := self.program.codes(d)[1], ast.Name):
            self.program.wishes[code.id] = "target"

    def mean_of_squares(self, node: Any) -> Any:
        if node.op not in ("mean", "sum") or node.shape or not self.within(m := node.parents[0], node) or (d := squared(m)) is None:
            return None
        self.aim(d)
        return d, line("g * (2 * d / d.size)" if node.op == "mean" else "g * (2 * d)", d=self.program.ref(d)), m

    def norm(self, node: Any) -> Any:
        """x̂ = (x − m) / sqrt(v + ε), v = mean((x − m)²)."""
        c, s = node.parents if node.op == "divide" else (node, node)
        if not (op(c, "subtract") and op(s, "sqrt") and op(s.parents[0], "add") and self.within(s, node)):
            return None
        (x, m), (v, eps) = c.parents, s.parents[0].parents
        if not (op(m, "mean") and op(v, "mean") and number_of(eps) is not None and m.parents[0] is x and op(q := v.parents[0], "square")):
            return None
        axis = m.rule.axis
        right = q.parents[0] is c and v.rule.axis == axis and m.rule.keepdims and v.rule.keepdims
        inner = right and self.within(c, node, q) and self.within(q, v) and self.within(s.parents[0], s)
        if inner and self.within(m, c, named=True) and self.within(v, s.parents[0], named=True):
            text = f"(g - g.mean(axis={axis}, keepdims=True) - y * (g * y).mean(axis={axis}, keepdims=True)) / s"
            return x, line(text, y=self.program.ref(node), s=self.program.ref(s)), c, s, s.parents[0], v, q, m

    def softmax(self, node: Any) -> Any:
        """exp(x) / sum(exp(x)), as one exp or as two."""
        e, s = node.parents if node.op == "divide" else (node, node)
        rows = op(s, "sum") and (e.ndim == 1 if s.rule.axis is None else s.rule.keepdims)
        if op(e, "exp") and rows and op(f := s.parents[0], "exp") and f.parents[0] is e.parents[0]:
            if e.shape == node.shape and self.within(s, node) and self.within(e, node, s) and self.within(f, s, node):
                x, inner, axis = e.parents[0], [e, f, s], -1 if s.rule.axis is None else s.rule.axis
                if op(x, "subtract") and self.within(x, e, f) and is_largest(x.parents[1], x.parents[0], axis):  # the helper does so, too
                    x, inner = x.parents[0], [*inner, x]
                self.program.values[node] = line(f"softmax(x, {axis})", x=self.program.ref(x))
                self.program.skipped |= {*inner}
                return x, line(f"y * (g - (g * y).sum(axis={axis}, keepdims=True))", y=self.program.ref(node)), *inner
        return None

    def log_of_one(self, node: Any) -> Any:
        """log(softmax(z)[label])."""
        chosen = node.parents[0]
        if node.op != "log" or node.shape or not op(chosen, "getitem"):
            return None
        if (y := chosen.parents[0]) in self.program.values and y.ndim == 1 and self.within(chosen, node) and self.within(y, chosen):
            z, labels = self.pulls[y][0][0], self.program.codes(chosen)[1]
            return z, line("g * (one_hot(labels, z) - y)", labels=labels, z=self.program.ref(z), y=self.program.ref(y)), chosen, y
        return None

    def cross_entropy(self, node: Any) -> Any:
        """−log softmax(z) at the labels, the mean over the rows or of one."""
        inner = [node]
        while inner[-1].op in ("negative", "mean") and not inner[-1].shape and self.within(inner[-1].parents[0], inner[-1]):
            inner.append(inner[-1].parents[0])
        ops, chosen = [x.op for x in inner], inner[-1]
        if ops not in (["negative", "mean", "getitem"], ["negative", "getitem"]) or not op(d := chosen.parents[0], "subtract"):
            return None
        z, e = d.parents
        labels = self.program.codes(chosen)[1:]
        every = [*map(ast.unparse, labels[:1])] == [f"np.arange({len(z) if z.ndim else 0})"]
        rows = len(labels) == z.ndim == 2 and every and index_text(chosen.rule.index)[0] == "i0, i1"
        if not (op(e, "logsumexp") and e.parents[0] is z and e.rule.keepdims and e.rule.axis in (-1, z.ndim - 1)):
            return None
        if (rows or z.ndim == len(labels) == 1) and self.within(d, chosen) and self.within(e, d):
            text = "(softmax(z, -1) - one_hot(labels, z))"
            code = line(f"g * ({text} / len(z))" if rows else f"g * {text}", z=self.program.ref(z), labels=labels[-1])
            return z, code, *inner[1:], d, e


def squared(node: Any) -> Any:
    """d, where a node is square(d), d ** 2 or d * d; else None."""
    d, *other = node.parents or [None]
    is_square = node.op == "square" or node.op == "multiply" and other[0] is d or node.op == "power" and number_of(other[0]) == 2
    return d if is_square else None


def is_largest(top: Any, x: Any, axis: int) -> bool:
    """Whether a constant is the largest entry of x along an axis, as the safe form of softmax subtracts it."""
    return not isinstance(top, Node) and np.array_equal(top, np.max(x.data, axis=axis, keepdims=True))


def op(x: Any, name: str) -> bool:
    """Whether x was made by the op of this name."""
    return isinstance(x, Node) and x.op == name
