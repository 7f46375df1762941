"""What does this node do to the gradient?  Its derivative in words, in matrix and index notation and in NumPy, with the graph's own names.

    g = ∂L/∂y      gradient at the node      δ_ij  1 where i = j, else 0      L  whatever comes after
"""

import ast
import re
from collections import Counter
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from ..autodiff.core import Edge, Node, describe, history
from ..autodiff.products import Linear, Matmul
from ..autodiff.structure import Transpose
from ..chain.factors import adds
from ..text.formulas import brief, derivative, name_of, number_of, parsed, text_of
from ..text.lines import clean, wrapped
from ..text.numbers import SUBSCRIPTS
from .loops import operands
from .naming import identifier, wish
from .prelude import HELPERS
from .prelude import called as calls
from .rules import Form, Use, called, form, gradient, letter, names, operand, rank, unused
from .statements import Figures
from .words import pull


class Explanation:
    """An explanation of a node or of a leaf's uses.

    .text   plain text           .tex  the formulas in TeX, one `aligned` block          .rows  one dict for each edge

    >>> import numpy as np
    >>> from tinygrad_vg import Tensor, linear
    >>> from tinygrad_vg.formulas.explain import explain
    >>> h, W = Tensor(np.ones(3), name="h"), Tensor(np.ones((2, 3)), name="W")
    >>> print(explain(linear(h, W).named("z"), of=W))
    z (2,) = linear(h (3,), W (2, 3)), with g = ∂L/∂z
    to W: linear: z = h Wᵀ
      matrix  ∂L/∂W = g hᵀ
      local   ∂z_i/∂W_kj = δ_ik h_j
      index   ∂L/∂W_ij = g_i h_j
      numpy   g_W = np.outer(g_z, h)
    """

    def __init__(self, title: str, rows: list[dict[str, str]], tex: list[str]):
        self.title, self.rows = title, rows
        lines = [title]
        for row in rows:
            lines.append(f"to {row['to']}{row.get('as', '')}: {row['words']}")
            lines += [f"  {kind:8}{row[kind]}" for kind in ("matrix", "local", "index", "numpy") if row.get(kind)]
        self.text = "\n".join(map(clean, lines))
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
        name, what = node.name or "x", "a leaf" if node.rule is None else f"made by {node.op}, from constants or unrecorded"
        advice = f"its gradient is the sum over its uses, ∂L/∂{name} = Σ gᵀ ∂y/∂{name}: explain(output, of=leaf) lists them"
        return Explanation(f"{name} {node.shape}: {what}; {advice}", [], [])
    return of_edges(node, edges)


def of_edges(node: Node, edges: list[Edge]) -> Explanation:
    """A row for each edge."""
    *given, y = called(edges[0])
    shapes = [f" {p.shape}" if hasattr(p, "shape") else "" for p in node.parents]
    title = f"{y} {node.shape} = {node.op}({', '.join(map(str.__add__, given, shapes))}){meanings(edges[0])}"
    often = Counter(edge.parent for child in history(node) for edge in child.edges)
    rows, tex = zip(*(told(edge, often[edge.parent]) for edge in edges))
    return Explanation(f"{title}, with {gradient(edges[0])} = ∂L/∂{y}", list(rows), sum(tex, []))


def meanings(edge: Edge, known: Collection[Node] = ()) -> str:
    """What the letters stand for that operands without a name were given: `, a = tanh(w * w)`; but for those known."""
    name, found = partial(letter, edge), dict[str, str]()
    for x, a in zip(edge.child.parents, called(edge)):
        if isinstance(x, Node) and x.parents and not x.name and x not in known:
            short = brief(x, name)
            found[a] = text_of(short) if short else f"{x.op}({', '.join(str(name(p) or '…') for p in x.parents)})"
    return "".join(f", {a} = {text}" for a, text in found.items())


def told(edge: Edge, uses: int) -> tuple[dict[str, str], list[str]]:
    """An edge in plain text; and in TeX, the local derivative and the gradient. What is one part of several is added, +=."""
    f, (y, x), here = form(edge), names(edge), [k for k, parent in enumerate(edge.child.parents, start=1) if parent is edge.parent]
    ix, J, own = f.indices
    left, below = f"∂⟨{y}|{ix}⟩/∂⟨{x}|{J}⟩", f"∂L/∂⟨{x}|{own}⟩"
    adds, part = ("+=" if n > 1 else "=" for n in (uses, len(here)))
    which = f", as operand {edge.index + 1}" * (len(here) > 1) + f", one of its {uses} uses" * (uses > len(here))
    return {
        "to": x, "as": which, "words": f.words, "formula": edge.formula_here,
        "matrix": f"∂L/∂{x} {adds} {f.plain(f.matrix)}",
        "local": f"{f.plain(left)} {part} {f.plain(f.local)}",
        "index": f"{f.plain(below)} {adds} {f.plain(f.entry)}",
        "numpy": in_numpy(edge, adds),
    }, [f"{f.tex(a)} &{'{+}=' if equals == '+=' else '='} {f.tex(b)}" for a, equals, b in ((left, part, f.local), (below, adds, f.entry))]


def in_numpy(edge: Edge, equals: str) -> str:
    """The same as a line of the program that by_hand writes; "" where NumPy alone has no words for it."""
    node = edge.child
    *named, y = (identifier(wish(x, False, False) if getattr(x, "name", None) else a) for x, a in zip((*node.parents, node), called(edge)))
    codes = [*map(parsed, named), *(ast.Constant(int(x)) if np.ndim(x) == 0 else ast.Name("i") for x in operands(node)[len(named) :])]
    codes[: len(named)] = [code if (x := number_of(p)) is None else ast.Constant(x) for code, p in zip(codes, node.parents)]
    try:
        code = pull(node, edge.index, ast.Name(f"g_{y}"), ast.Name(y), codes)
    except NotImplementedError:
        return ""
    return "" if HELPERS.keys() & calls(code) else f"g_{named[edge.index]} {equals} {ast.unparse(Figures({}).visit(code))}"


def of_uses(leaf: Node, edges: list[Edge], output: Node) -> Explanation:
    """The gradient of a leaf used several times: the sum over its uses, as one Σ_t where they are steps of one recurrence."""
    uses = as_uses(leaf, edges)
    name, users = operand(uses[0], uses[0].index), {edge.child for edge in uses}
    nameless = "" if leaf.name else ", which has no name,"
    title = f"{name} {leaf.shape}{nameless} is used {len(uses)} times; its gradient is the sum over its uses"
    if step := over_time(uses, output):
        f, span, edge = step
        left = f"∂L/∂⟨{name}|{f.indices[2]}⟩"
        row = {"to": name, "words": span, "formula": edge.formula, "index": f"{f.plain(left)} = {f.plain(f.entry)}"}
        return Explanation(f"{title}, each with the g of its own node", [row], [f"{f.tex(left)} &= {f.tex(f.entry)}"])
    rows, tex, known = [], [], {leaf, *users}
    for k, edge in enumerate(uses):
        f, (*given, y) = form(edge), called(edge)
        made = ("" if edge.child.name else f", {y} = {edge.child.op}({', '.join(given)})") + meanings(edge, known)
        known |= {x for x in edge.child.parents if isinstance(x, Node)}
        own = f"∂L/∂⟨{name}|{f.indices[2]}⟩"
        index = f"{f.plain(own)} {'+' if k else ''}= {f.plain(f.entry)}"
        formula = derivative(edge, partial(letter, edge))
        rows.append({"to": name, "words": f"{f.words}, {gradient(edge)} = ∂L/∂{y}{made}", "formula": formula, "index": index})
        tex.append(f"{f.tex(own)} &{'{+}' if k else ''}= {f.tex(f.entry)}")
    g = gradient(uses[0])[0]
    which = ", all of one node" if len(users) == 1 else f", each with the gradient of its own node, {g}₁, {g}₂ …"
    return Explanation(title + which, rows, tex)


def as_uses(leaf: Node, edges: list[Edge]) -> list[Edge]:
    """The edges, with a letter of its own for whatever has no name: the users y, or y₁, y₂ …, with gradients g₁, g₂ …"""
    users = list(dict.fromkeys(edge.child for edge in edges))
    taken = {str(name) for y in users for x in (y, *y.parents) if (name := name_of(x))}
    g, letters = unused("gδε", taken), dict[int, str]()
    taken |= {g, y := unused("yzqr", taken)}
    figures = {node: str(k).translate(SUBSCRIPTS) * (len(users) > 1) for k, node in enumerate(users, start=1)}
    letters |= {id(node): y + figures[node] for node in users if not node.name}
    for edge in (edges[0], *(Edge(node, k) for node in users for k in range(len(node.parents)))):
        x = edge.child.parents[edge.index]
        if id(x) not in letters and not name_of(x) and number_of(x) is None:
            letters[id(x)] = unused((operand(Use(edge, letters), edge.index), *"abcduvwpq"), taken)
            taken.add(letters[id(x)])
    return [Use(edge, letters, g + figures[edge.child]) for edge in edges]


def over_time(uses: list[Edge], output: Node) -> tuple[Form, str, Edge] | None:
    """The form Σ_t δ_t,i h_t−1,j and the meaning of t and δ, if all uses are the same sum or product, once a step; else None."""
    turned: dict[Node, list[Edge]] = {edge.child: [] for edge in uses if isinstance(edge.child.rule, Transpose)}
    for edge in (edge for child in history(output) if turned for edge in child.edges if edge.parent in turned):
        turned[edge.parent].append(edge)
    products = [found for edge in uses for found in product_of(edge, turned)]
    steps = [one_step(*found) for found in products]
    if len({edge.child for edge, _ in products}) < len(uses) or len({text for text, _ in steps}) > 1:
        return None
    (text, _), first = steps[0], products[0][0]
    base, start = base_of([other for _, other in steps])
    if base == "":
        return None
    f = form(first)
    own = f.indices[2] if isinstance(first.child.rule, Linear) else "ij"[: rank(uses[0].parent)]
    f = f._replace(entry="Σ_t " + text.replace("⟨X|", f"⟨{base}|{'t−1,' if start is not None else 't,'}"), indices=(*f.indices[:2], own))
    begin = 1 if start is None else start + 1
    what = f", {base}_t what multiplies it" if start is None and any(isinstance(other, Node) for _, other in steps) else ""
    span = f"the same {operand(uses[0], uses[0].index)} at every step t = {begin} … {begin + len(uses) - 1}"
    return f, f"{span}, δ_t = ∂L/∂{made_of(first.child, output)}{what}", first


def product_of(edge: Edge, turned: dict[Node, list[Edge]]) -> list[tuple[Edge, bool]]:
    """The edge of the sum or product that the use is part of, and whether by way of W.T; [] if it is anything else."""
    by_transpose = edge.child in turned
    if by_transpose and (edge.parent.ndim != 2 or len(turned[edge.child]) != 1):
        return []
    edge = turned[edge.child][0] if by_transpose else edge
    rule = edge.child.rule
    straight = rule.name == "add" or isinstance(rule, Linear) and edge.index > 0
    return [(edge, by_transpose)] if isinstance(rule, Matmul) and edge.parent.ndim == 2 or straight and not by_transpose else []


def one_step(edge: Edge, turned: bool) -> tuple[str, Any]:
    """What one use adds to the gradient, ⟨δ|t,i⟩ ⟨X|j⟩, in the letters of the leaf; and the other operand X, None in a sum."""
    f, g, rule = form(edge), gradient(edge), edge.child.rule
    own = f.indices[2][::-1] if turned else f.indices[2]
    factors = re.findall(r"⟨([^|⟩]*)\|([^⟩]*)⟩", f.entry)
    over = found[1] if (found := re.match(r"Σ_(\w+) ", f.entry)) else ""
    names = {} if isinstance(rule, Linear) else dict(zip(own + over, "ij"[: len(own)] + "nmpqr"))
    renamed = [(name, "".join(names.get(c, c) for c in index)) for name, index in factors]
    total = f"Σ_{''.join(names.get(c, c) for c in over)} " if over else ""
    delta = next(f"⟨δ|t,{index}⟩" for name, index in renamed if name == g)
    others = [f" ⟨X|{index}⟩" for name, index in renamed if name != g]
    return total + delta + "".join(others), edge.child.parents[1 - edge.index] if others else None


def base_of(others: list[Any]) -> tuple[str, int | None]:
    """(h, 0) if the other operands are h[0], h[1], …, the first perhaps under another name; (x, None) without names; else ('', None)."""
    labels = [getattr(other, "name", None) for other in others]
    skipped = not (labels[0] and labels[0].index)
    bases = {label.base if label and len(label.index) == 1 else None for label in labels[skipped:]}
    steps = [label.index[0] for label in labels[skipped:] if label and len(label.index) == 1]
    if steps and len(bases) == 1 and steps == list(range(steps[0], steps[0] + len(labels) - skipped)):
        return str(bases.pop()), steps[0] - skipped
    return ("x", None) if not any(labels[1:]) else ("", None)


def made_of(node: Node, output: Node) -> str:
    """z[t]: the name of the pre-activation that a product of one step is part of."""
    if node.name and node.name.index:
        return f"{node.name.base}[t]"
    children = {child: edge for child in history(output) for edge in child.edges if edge.parent is node}
    if len(children) == 1:
        ((child, edge),) = children.items()
        if adds(edge):
            return made_of(child, output)
        if child.name and child.name.index:
            return f"(what {child.name.base}[t] is the {child.op} of)"
    return f"(the {node.op} at t)"
