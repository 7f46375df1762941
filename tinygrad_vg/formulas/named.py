"""Which gradients have a formula that everybody knows?  Where ops stand together as one of these, its pull is written in place of theirs.

    mean of squares        g_d = 2 * d / n
    softmax − one-hot      g_z = (softmax(z) - one_hot(labels, z)) / n, the gradient of cross entropy
    softmax                g_x = y * (g - (g * y).sum()), along its axis, for y = exp(x) / exp(x).sum()
    layer and batch norm   g_x = (g - mean(g) - x̂ * mean(g * x̂)) / s, for x̂ = (x − mean(x)) / s

What is named by whoever built the graph keeps a gradient of its own; but for a norm's mean and variance.
"""

import ast
from typing import Any

from ..autodiff.core import Node
from ..text.formulas import number_of
from .lines import index_text
from .statements import line


class Named:
    """Changes pulls, {node: [(parent, pull)]}, of a program."""

    def __init__(self, program: Any, made: list[Any]):
        self.program, self.pulls = program, program.pulls
        self.children: dict[Any, list[Any]] = {}
        for node in made:
            for x in node.parents:
                if isinstance(x, Node):
                    self.children.setdefault(x, []).append(node)
        for node in [*self.pulls]:
            for rule in (self.square, self.mean_of_squares, self.norm, self.softmax, self.cross_entropy):
                if node in self.pulls and (found := rule(node)):
                    x, pull, *inner = found
                    self.pulls[node] = [(x, pull)]
                    for other in inner:
                        self.pulls.pop(other, None)

    def within(self, node: Any, *by: Any, named: bool = False) -> bool:
        """Whether a node is used by these alone, so that it may stand inside a rule."""
        loop, turn, j = self.program.place.get(node, (None, 0, 0))
        same = loop is self.program.loop_of(by[0]) and turn == self.program.place.get(by[0], (None, 0, 0))[1]
        often = loop is None or len(self.children[node]) == len(self.children.get(loop.turns[-2][j], []))
        free = (named or not node.name) and node.rule is not None and node is not self.program.output and same and often
        return free and {*self.children[node]} <= {*by} and node.dtype == by[0].dtype

    def square(self, node: Any) -> Any:
        if node.op == "multiply" and node.parents[0] is node.parents[1]:
            x = node.parents[0]
            return x, line("g * (2 * x)", x=self.program.ref(x))

    def mean_of_squares(self, node: Any) -> Any:
        if node.op not in ("mean", "sum") or node.shape or not self.within(m := node.parents[0], node):
            return None
        if m.op == "square" or m.op == "multiply" and m.parents[0] is m.parents[1] or m.op == "power" and number_of(m.parents[1]) == 2:
            d = m.parents[0]
            return d, line("g * (2 * d / n)" if node.op == "mean" else "g * (2 * d)", d=self.program.ref(d), n=ast.Constant(m.size)), m

    def norm(self, node: Any) -> Any:
        """x̂ = (x − m) / sqrt(v + ε), v = mean((x − m)²)."""
        c, s = node.parents if node.op == "divide" else (None, None)
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
        e, s = node.parents if node.op == "divide" else (None, None)
        if op(e, "exp") and op(s, "sum") and s.rule.keepdims and op(f := s.parents[0], "exp") and f.parents[0] is e.parents[0] and e.shape == node.shape:
            if self.within(s, node) and self.within(e, node, s) and self.within(f, s, node):
                text = f"y * (g - (g * y).sum(axis={s.rule.axis}, keepdims=True))"
                return e.parents[0], line(text, y=self.program.ref(node)), e, s, f

    def cross_entropy(self, node: Any) -> Any:
        """−log softmax(z) at the labels, the mean over the rows or of one."""
        inner = [node]
        while inner[-1].op in ("negative", "mean") and not inner[-1].shape and self.within(inner[-1].parents[0], inner[-1]):
            inner.append(inner[-1].parents[0])
        ops, chosen = [x.op for x in inner], inner[-1]
        if ops not in (["negative", "mean", "getitem"], ["negative", "getitem"]) or not op(d := chosen.parents[0], "subtract"):
            return None
        z, e = d.parents
        labels, n = self.program.codes(chosen)[1:], chosen.size
        rows = len(labels) == 2 and z.ndim == 2 and ast.unparse(labels[0]) == f"np.arange({len(z)})" and index_text(chosen.rule.index)[0] == "i0, i1"
        if not (op(e, "logsumexp") and e.parents[0] is z and e.rule.keepdims and e.rule.axis in (-1, z.ndim - 1)):
            return None
        if (rows or z.ndim == len(labels) == 1) and self.within(d, chosen) and self.within(e, d):
            text = "softmax(z, -1) - one_hot(labels, z)"
            return z, line(f"g * (({text}) / n)" if n > 1 else f"g * ({text})", z=self.program.ref(z), labels=labels[-1], n=ast.Constant(n)), *inner[1:], d, e


def op(x: Any, name: str) -> bool:
    return isinstance(x, Node) and x.op == name
