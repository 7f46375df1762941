"""What does this node do to the gradient?  Its derivative in words, in matrix and in index notation, with the graph's own names.

    g = ∂L/∂y      gradient at the node      δ_ij  1 where i = j, else 0      L  whatever comes after
"""

from __future__ import annotations

from typing import Any

from ..autodiff.node import Edge, Node, describe, history
from ..autodiff.products import Linear
from .formulas import Form, form, names, operand
from .text import clean, wrapped


class Explanation:
    """An explanation of a node or of a leaf's uses.

    .text   plain text           .tex  the formulas in TeX, one `aligned` block          .rows  one dict for each edge

    >>> import numpy as np
    >>> from tinygrad_vg import Tensor, linear
    >>> from tinygrad_vg.chain.explain import explain
    >>> h, W = Tensor(np.ones(3), name="h"), Tensor(np.ones((2, 3)), name="W")
    >>> print(explain(linear(h, W).named("z"), of=W))
    z (2,) = linear(h (3,), W (2, 3)), with g = ∂L/∂z
    to W: linear: z = h Wᵀ
      matrix  ∂L/∂W = g hᵀ
      local   ∂z_i/∂W_kj = δ_ik h_j
      index   ∂L/∂W_ij = g_i h_j
    """

    def __init__(self, title: str, rows: list[dict[str, str]], tex: list[str]):
        self.title, self.rows = title, rows
        lines = [title, *(line for row in rows for line in lines_of(row))]
        self.text = "\n".join(clean(line) for line in lines)
        body = " \\\\\n".join(tex)
        self.tex = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}" if tex else ""

    def to_dict(self) -> dict[str, Any]:
        """The title, the rows and the TeX, as text."""
        return {"title": self.title, "rows": self.rows, "tex": self.tex}

    def _repr_latex_(self) -> str | None:
        return f"$\\displaystyle {self.tex}$" if self.tex else None

    def __str__(self) -> str:
        return wrapped(self.text)

    def __repr__(self) -> str:
        return f"Explanation({self.title})"


def explain(node: Node, of: Node | None = None) -> Explanation:
    """The local derivatives of a node, one for each of its edges.

    of  None: every edge. A parent: the edge to it. Any other leaf or node it depends on: the sum over all its uses,
        ∂L/∂W_ij = Σ_t g_t,i h_t−1,j for a weight used at every step

    A leaf has no edges, and does not know where it is used: explain(output, of=leaf) does. TypeError for what is no node,
    ValueError if `node` does not depend on `of`.
    """
    for x in (node, node if of is None else of):
        if not isinstance(x, Node):
            raise TypeError(f"explain needs a node (a Scalar or a Tensor), got {type(x).__name__}")
    edges = node.edges
    if of is not None and of is not node:
        edges = [edge for edge in edges if edge.parent is of]
        uses = [edge for child in history(node) for edge in child.edges if edge.parent is of]
        if not uses:
            raise ValueError(f"{describe(node)} does not depend on {describe(of)}, so there is nothing between them to explain")
        if len(uses) > len(edges):
            return of_uses(of, uses, node) if len(uses) > 1 else of_edges(uses[0].child, uses)
    if not edges:
        what = "a leaf" if node.rule is None else f"made by {node.op}, from constants or unrecorded"
        advice = f"its gradient is the sum over its uses, ∂L/∂{called(node)} = Σ gᵀ ∂y/∂{called(node)}: explain(output, of=leaf) lists them"
        return Explanation(f"{called(node)} {node.shape}: {what}; {advice}", [], [])
    return of_edges(node, edges)


def of_edges(node: Node, edges: list[Edge]) -> Explanation:
    """A row for each edge."""
    given = [f"{operand(edges[0], k)}{f' {p.shape}' if hasattr(p, 'shape') else ''}" for k, p in enumerate(node.parents)]
    y = str(node.name or "y")
    rows = [row(edge) for edge in edges]
    title = f"{y} {node.shape} = {node.op}({', '.join(given)}), with g = ∂L/∂{y}"
    return Explanation(title, rows, [tex for edge in edges for tex in tex_of(edge)])


def row(edge: Edge) -> dict[str, str]:
    """An edge in plain text."""
    f = form(edge)
    left, below = sides(edge, f)
    _, x = names(edge)
    return {
        "to": x, "words": f.words, "formula": edge.formula_here,
        "matrix": f"∂L/∂{x} = {f.plain(f.matrix)}",
        "local": f"{f.plain(left)} = {f.plain(f.local)}",
        "index": f"{f.plain(below)} = {f.plain(f.entry)}",
    }  # fmt: skip


def sides(edge: Edge, f: Form) -> tuple[str, str]:
    """∂y_i/∂x_j and ∂L/∂x_j: the left-hand sides."""
    (y, x), (ix, J, own) = names(edge), f.indices
    return f"∂⟨{y}|{ix}⟩/∂⟨{x}|{J}⟩", f"∂L/∂⟨{x}|{own}⟩"


def tex_of(edge: Edge) -> list[str]:
    """An edge in TeX: the local derivative and the gradient."""
    f = form(edge)
    left, below = sides(edge, f)
    return [f"{f.tex(left)} &= {f.tex(f.local)}", f"{f.tex(below)} &= {f.tex(f.entry)}"]


def called(node: Node) -> str:
    return str(node.name or "x")


def lines_of(row: dict[str, str]) -> list[str]:
    """A row as text."""
    head = f"to {row['to']}: {row['words']}"
    return [head, *(f"  {kind:8}{row[kind]}" for kind in ("matrix", "local", "index") if kind in row)]


def of_uses(leaf: Node, uses: list[Edge], output: Node) -> Explanation:
    """The gradient of a leaf used several times: the sum over its uses, as one Σ_t where they are steps of one recurrence."""
    name = called(leaf)
    title = f"{name} {leaf.shape} is used {len(uses)} times; its gradient is the sum over its uses, each with the g of its own node"
    forms = [form(edge) for edge in uses]
    left = sides(uses[0], forms[0])[1]
    if step := over_time(uses, forms, output):
        f, span = step
        row = {"to": name, "words": span, "formula": uses[-1].formula, "index": f"{f.plain(left)} = {f.plain(f.entry)}"}
        return Explanation(title, [row], [f"{f.tex(left)} &= {f.tex(f.entry)}"])
    rows, tex = [], []
    for k, (edge, f) in enumerate(zip(uses, forms)):
        words = f"{f.words}, g = ∂L/∂{edge.child.name or f'({edge.child.op})'}"
        own = sides(edge, f)[1]
        index = f"{f.plain(own)} {'+' if k else ''}= {f.plain(f.entry)}"
        rows.append({"to": name, "words": words, "formula": edge.formula_here, "index": index})
        tex.append(f"{f.tex(own)} &{'{+}' if k else ''}= {f.tex(f.entry)}")
    return Explanation(title, rows, tex)


def over_time(uses: list[Edge], forms: list[Form], output: Node) -> tuple[Form, str] | None:
    """The form Σ_t δ_t,i h_t−1,j and the meaning of t and δ, if all uses are one `linear`, once a step; else None."""
    first, inputs = uses[0], [edge.child.parents[0] for edge in uses]
    kinds = {(type(edge.child.rule), edge.index, f.indices) for edge, f in zip(uses, forms)}
    if len(kinds) > 1 or not isinstance(first.child.rule, Linear) or first.index == 0:
        return None
    labels = [getattr(x, "name", None) for x in inputs]
    bases = {label and label.base for label in labels}
    steps = [label.index[0] + 1 for label in labels if label and len(label.index) == 1]
    recurrent = len(bases) == 1 and len(steps) == len(uses) and steps == list(range(steps[0], steps[0] + len(uses)))
    if len(bases) > 1 or not recurrent and bases != {None}:
        return None
    x, shift = (bases.pop(), "t−1,") if recurrent else ("x", "t,")
    ix, lead = forms[0].indices[0], forms[0].indices[0][:-1]
    total = "Σ_t " + (f"Σ_{lead} " if lead else "")
    text = f"{total}⟨δ|t,{ix}⟩" + (f" ⟨{x}|{shift}{lead}j⟩" if first.index == 1 else "")
    start = steps[0] if recurrent else 1
    span = f"the same {called(first.parent)} at every step t = {start} … {start + len(uses) - 1}, δ_t = ∂L/∂{made_of(first.child, output)}"
    return forms[0]._replace(entry=text), span


def made_of(node: Node, output: Node) -> str:
    """z[t]: the name of the pre-activation that a `linear` of one step is part of."""
    if node.name:
        return f"{node.name.base}[t]"
    sums = [child for child in history(output) if child.op == "add" and node in set(child.variables)]
    return made_of(sums[0], output) if sums and len(sums) == 1 else "(the linear at t)"
