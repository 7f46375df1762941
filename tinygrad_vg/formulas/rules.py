"""What is the derivative of this op, on paper?  For an edge of any op: words, the matrix form and the index form.

    y  the node      x, W, A, …  its parents      g = ∂L/∂y (∇ until it is named)      i, j, k  indices      δ_ij  1 where i = j, else 0

A form is written with entries in angle brackets, ⟨W|ij⟩; from that one text come the plain and the TeX version.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..autodiff.core import Edge, Node
from ..autodiff.maps import Broadcast
from ..autodiff.products import Einsum, Linear, Matmul, explicit
from ..autodiff.reductions import Weighted
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Join, Reshape, Select, Sum, Transpose
from ..text.formulas import number_of
from ..text.formulas import row as short_row
from .lines import part_of
from .notation import entry, escaped, tex_entry, tex_formula

LETTERS = "ijklmnpqrstuvw"
DIGITS = tuple("-0123456789")


class Form(NamedTuple):
    """What one edge does to the gradient. The forms hold ⟨name|index⟩; a row of the table stands in `row`."""

    words: str
    matrix: str  # ∂L/∂x, whole
    indices: tuple[str, str, str]  # of y and x in the local derivative, of x in the gradient
    local: str  # ∂y_i/∂x_j
    entry: str  # ∂L/∂x_j
    row: tuple[str, str] = ("", "")  # what ⟪row⟫ means, plain and as TeX

    def plain(self, text: str) -> str:
        """The form as plain text."""
        text = re.sub(r"⟨([^|⟩]*)\|([^⟩]*)⟩", lambda m: entry(m[1], m[2]), text)
        return re.sub("[‹›]", "", text.replace("⟪row⟫", self.row[0]))

    def tex(self, text: str) -> str:
        """The form as TeX: prose in \\text, a fraction for ∂a/∂b, \\sum for Σ, names with their indices below."""
        name = r"(⟨[^⟩]*⟩|L)"
        text = re.sub(r"‹([^›]*)›", lambda m: rf"\text{{ {escaped(m[1])} }}", text)
        text = re.sub(rf"∂{name}/∂{name}", r"\\frac{\\partial \1}{\\partial \2}", text)
        text = re.sub(r"\b1/(\d+)", r"\\frac{1}{\1}", text).replace("exp(", r"\exp(")
        text = re.sub(r"Σ_(\w+)", r"\\sum_{\1}", text).replace("Σ", r"\sum")
        text = re.sub(r"δ_(\w+)", r"\\delta_{\1}", text)
        text = re.sub(r"⟨([^|⟩]*)\|([^⟩]*)⟩", lambda m: tex_entry(m[1], m[2].replace("−", "-")), text)
        return text.replace("⟪row⟫", self.row[1]).replace("ᵀ", r"^{\top}")


def form(edge: Edge) -> Form:
    """The form of an edge, by the kind of op that made its child."""
    f = next(write for kind, write in FORMS.items() if isinstance(edge.child.rule, kind))(edge)
    matrix, entry = (text.replace("⟨∇|", f"⟨{gradient(edge)}|") for text in (f.matrix, f.entry))
    return f._replace(matrix=matrix, entry=entry)


class Use(Edge):
    """One of several uses of a leaf. Whatever has no name is called the same in all of them: letters, {id: letter}; g, the gradient."""

    __slots__ = ("g", "letters")

    def __init__(self, edge: Edge, letters: dict[int, str], g: str = ""):
        super().__init__(edge.child, edge.index)
        self.letters, self.g = letters, g


def gradient(edge: Edge) -> str:
    """What ∂L/∂y is called: g, unless a node here has that name."""
    return getattr(edge, "g", "") or next(g for g in ("g", "δ", "ε", "γ") if g not in called(edge))


def letter(edge: Edge, x: Any) -> str | None:
    """The name of a node, or its letter among the uses of a leaf; None for what has neither."""
    return getattr(edge, "letters", {}).get(id(x)) or str(getattr(x, "name", None) or "") or None


def names(edge: Edge) -> tuple[str, str]:
    """(y, x): what the node and this parent are called."""
    return called(edge)[-1], operand(edge, edge.index)


def operand(edge: Edge, k: int) -> str:
    """What the k-th operand is called."""
    return called(edge)[k]


def called(edge: Edge) -> list[str]:
    """What the operands are called, and last the node: a name, a number's digits, or a letter that nothing else here has."""
    parents, rule = edge.child.parents, edge.child.rule
    own = getattr(rule, "operands", None) or (["x"] if len(parents) == 1 else [f"x{k}" for k in range(1, len(parents) + 1)])
    nodes = [*parents, edge.child]
    found = {id(x): letter(edge, x) if (number := number_of(x)) is None else f"{number:.4g}" for x in nodes}
    for x, first in zip(nodes, [*own, "y"]):
        found[id(x)] = found[id(x)] or unused((first, *("zqr" if x is edge.child else "abcduvw")), {*found.values()})
    return [str(found[id(x)]) for x in nodes]


def unused(letters: Sequence[str], taken: Collection[str | None]) -> str:
    """The first of these letters that is not taken."""
    return next((a for a in letters if a not in taken), letters[0])


def rank(x: Any) -> int:
    """How many axes x has."""
    return len(x.shape) if isinstance(x, Node) else np.ndim(x)


def elementwise(edge: Edge) -> Form:
    """y_i depends on x_i only; where x was broadcast, its gradient is summed over the copies."""
    (y, x), rule, parents = names(edge), edge.child.rule, edge.child.parents
    ix = LETTERS[: rank(edge.child)]
    entries = [(operand(edge, k), broadcast(edge.child, parent, ix)) for k, parent in enumerate(parents)]
    own = entries[edge.index][1]
    at = "".join(j if i != "0" else "0" for i, j in zip(own, fresh(own, ix)))
    copies = "".join(i for i in ix if i not in own)
    many = f"Σ_{copies} " if copies else ""
    kronecker = "".join(f" δ_{i}{j}" for i, j in zip(own, at) if i != "0")
    row = short_row(edge)
    plain = in_brackets(substituted(row, dict(zip(rule.operands, (entry(*e) for e in entries))) | {"y": entry(y, ix)}))
    letters = {a: name if name.startswith(DIGITS) else tex_entry(name, i) for a, (name, i) in zip(rule.operands, entries)}
    tex = in_brackets(tex_formula(row, letters | {"y": tex_entry(y, ix)}), r"\left(", r"\right)")
    whole = substituted(row, dict(zip(rule.operands, (e[0] for e in entries))) | {"y": y})
    matrix = f"{'sum over the copies of ' if copies else ''}{f'diag({whole})' if ix else plain} ⟨∇|⟩"
    words = f"{rule.name}: every entry of {y} depends on the matching entry of {x}{', which has several copies' if copies else ''}"
    return Form(words, matrix, (ix, at, own), f"⟪row⟫{kronecker}", f"{many}⟨∇|{ix}⟩ ⟪row⟫", (plain, tex))


def broadcast(child: Node, parent: Any, ix: str) -> str:
    """The indices of an operand in an elementwise op: those of y from the right, 0 on an axis that was stretched."""
    shape, full = np.shape(getattr(parent, "data", parent)), child.shape
    ends = ix[len(ix) - len(shape) :]
    return "".join(i if n == m else "0" for i, n, m in zip(ends, shape, full[len(full) - len(shape) :]))


def substituted(row: str, letters: dict[str, str]) -> str:
    """A row of the table with these letters for its operands."""
    return re.sub(r"[a-zA-Z_]\w*", lambda word: letters.get(word[0], word[0]), row)


def in_brackets(text: str, left: str = "(", right: str = ")") -> str:
    """The text in brackets, unless it is one factor."""
    return f"{left}{text}{right}" if " " in text or text.startswith("-") else text


def linear(edge: Edge) -> Form:
    """y = x Wᵀ + b: the rows of x (a batch, leading axes) are summed over for W and b."""
    (y, _), (x, W) = names(edge), (operand(edge, 0), operand(edge, 1))
    seeds = rank(edge.child.parents[1]) == 3
    lead = ("s" if seeds else "") + "nmpqr"[: rank(edge.child) - 1 - seeds]
    s, batch = lead[:seeds], lead[seeds:]
    total = f"Σ_{batch} " if batch else ""
    words = f"linear: {y} = {x} {W}ᵀ" + (f" + {operand(edge, 2)}" if len(edge.child.parents) > 2 else "")
    if edge.index == 0:
        matrix = f"⟨∇|⟩ ⟨{W}|⟩" if lead else f"⟨{W}|⟩ᵀ ⟨∇|⟩"
        return Form(words, matrix, (lead + "i", lead + "j", lead + "j"), f"⟨{W}|{s}ij⟩", f"Σ_i ⟨∇|{lead}i⟩ ⟨{W}|{s}ij⟩")
    if edge.index == 1:
        matrix = f"⟨∇|⟩ᵀ ⟨{x}|⟩" if lead else f"⟨∇|⟩ ⟨{x}|⟩ᵀ"
        return Form(words, matrix, (lead + "i", s + "kj", s + "ij"), f"δ_ik ⟨{x}|{lead}j⟩", f"{total}⟨∇|{lead}i⟩ ⟨{x}|{lead}j⟩")
    if rank(edge.parent) == rank(edge.child):
        return Form(words, "⟨∇|⟩", (lead + "i", lead + "j", lead + "i"), "δ_ij", f"⟨∇|{lead}i⟩")
    return Form(words, f"{total}⟨∇|{batch}⟩", (lead + "i", s + "j", s + "i"), "δ_ij", f"{total}⟨∇|{lead}i⟩")


def matmul(edge: Edge) -> Form:
    """y = A B, vectors or matrices, in stacks; the gradient of what is shared by a stack is summed over it."""
    (y, _), (A, B) = names(edge), (operand(edge, 0), operand(edge, 1))
    ranks = [rank(p) for p in edge.child.parents]
    i, j = "i" if ranks[0] > 1 else "", "j" if ranks[1] > 1 else ""
    S = "stuv"[: rank(edge.child) - len(i + j)]
    a, b = (S[len(S) - max(r - 2, 0) :] if r > 2 else "" for r in ranks)
    mine, rest = ((a, j), (b, i))[edge.index]
    over = "".join(s for s in S if s not in mine) + rest
    total, words = f"Σ_{over} " if over else "", f"matmul: {y} = {A} {B}"
    if edge.index == 0:
        matrix = f"⟨∇|⟩ ⟨{B}|⟩ᵀ" if j else f"outer ⟨∇|⟩ ⟨{B}|⟩ᵀ" if i else f"⟨∇|⟩ ⟨{B}|⟩"
        at = (S + i + j, a + ("l" if i else "") + "k", a + i + "k")
        return Form(words, matrix, at, f"⟨{B}|{b}k{j}⟩" + (" δ_il" if i else ""), f"{total}⟨∇|{S}{i}{j}⟩ ⟨{B}|{b}k{j}⟩")
    matrix = f"⟨{A}|⟩ᵀ ⟨∇|⟩" if i else f"outer ⟨{A}|⟩ ⟨∇|⟩ᵀ" if j else f"⟨∇|⟩ ⟨{A}|⟩"
    at = (S + i + j, b + "k" + ("l" if j else ""), b + "k" + j)
    return Form(words, matrix, at, f"⟨{A}|{a}{i}k⟩" + (" δ_jl" if j else ""), f"{total}⟨{A}|{a}{i}k⟩ ⟨∇|{S}{i}{j}⟩")


def einsum(edge: Edge) -> Form:
    """The same einsum with g in the place of the operand: sum over every label that the operand has not."""
    rule, parents = edge.child.rule, edge.child.parents
    labels, out = explicit(rule.subscripts, [rank(p) for p in parents])
    others = [(operand(edge, k), label) for k, label in enumerate(labels) if k != edge.index]
    product = " ".join(f"⟨{name}|{label}⟩" for name, label in others)
    own = labels[edge.index]
    over = "".join(dict.fromkeys(c for c in "".join([out, *(label for _, label in others)]) if c not in own))
    twice = "; 0 where the repeated indices differ" if len(set(own)) < len(own) else ""
    words = f"einsum '{rule.subscripts}': a sum of products, so the derivative is the other factors{twice}"
    total = f"Σ_{over} " if over else ""
    return Form(words, f"{total}⟨∇|{out}⟩ {product}".strip(), (out, own, own), product or "1", f"{total}⟨∇|{out}⟩ {product}".strip())


def kept(edge: Edge) -> tuple[str, str]:
    """(ix, R): the indices of x, and those of them that a reduction keeps."""
    rule, n = edge.child.rule, rank(edge.parent)
    gone = set(range(n)) if rule.axis is None else set(normalize_axis_tuple(rule.axis, n))
    return LETTERS[:n], "".join(c for k, c in enumerate(LETTERS[:n]) if k not in gone)


def total(edge: Edge) -> Form:
    """sum and mean: g is spread over what was added up."""
    (_, x), (ix, R) = names(edge), kept(edge)
    n = edge.parent.size // max(edge.child.size, 1)
    part = "" if edge.child.op == "sum" else f"1/{n} "
    what = "every entry counts with weight 1" if not part else f"every entry counts with weight 1/{n}"
    return Form(f"{edge.child.op} of {x}: {what}", f"{part}spread ⟨∇|⟩", (R, ix, ix), part.strip() or "1", f"{part}⟨∇|{R}⟩")


def weighted(edge: Edge) -> Form:
    """max, min and logsumexp: entry i counts with weight w_i."""
    (y, x), (ix, R) = names(edge), kept(edge)
    logsumexp = edge.child.op == "logsumexp"
    w = unused("wvu", (x, y))
    each = f"exp(⟨{x}|{ix}⟩ - ⟨{y}|{R}⟩)" if logsumexp else f"⟨{w}|{ix}⟩"
    what = f"softmax({x})" if logsumexp else "1 at the entry that is chosen (1/k where k tie), else 0"
    words = f"{edge.child.op} of {x}: {y} moves by Σ {w} d{x}, {w} = {what}"
    return Form(words, f"diag({w}) spread ⟨∇|⟩", (R, ix, ix), each, f"⟨∇|{R}⟩ {each}")


def other(edge: Edge) -> Form:
    """An op of which only its map is known."""
    words = f"{edge.child.op}: a linear map J from small changes of {names(edge)[1]} to those of {names(edge)[0]}, J = {edge.formula}"
    return Form(words, "Jᵀ ⟨∇|⟩", ("i", "j", "j"), "⟨J|ij⟩", "Σ_i ⟨∇|i⟩ ⟨J|ij⟩")


def moved(edge: Edge) -> Form:
    """An op that moves numbers about: ∂y/∂x is 1 where the number went, else 0."""
    ix, own = LETTERS[: rank(edge.child)], LETTERS[: rank(edge.parent)]
    *texts, detail = next(row for kind, row in MOVED.items() if isinstance(edge.child.rule, kind))
    letters = {"op": edge.child.op, "x": names(edge)[1], "ix": ix, "detail": detail(edge, own)}
    words, matrix, index = (text.format_map(letters) for text in texts)
    return Form(words, matrix, (ix, fresh(own, ix), own), "‹1 if that entry went there, else 0›", index)


def fresh(own: str, used: str) -> str:
    """As many other letters: the indices of x in ∂y_i/∂x_j."""
    return "".join([c for c in LETTERS if c not in used][: len(own)])


def indexed(part: Any) -> str:
    """One part of an index, as it is written."""
    if part is None or part is ... or isinstance(part, int):
        return "…" if part is ... else str(part)
    if isinstance(part, slice):
        ends = ["" if x is None else str(x) for x in (part.start, part.stop, part.step)]
        return ":".join(ends if ends[2] else ends[:2])
    return f"{np.asarray(part).dtype.kind == 'b' and 'mask' or 'indices'} {np.shape(part)}"


MOVED: dict[Any, tuple[Any, ...]] = {  # words, ∂L/∂x whole, one entry of it, and the detail in them
    Reshape: ("reshape: the numbers of {x} in another shape", "reshape ⟨∇|⟩ to {detail}", "⟨∇|{ix}⟩ ‹at the same place in C order›",
              lambda edge, own: edge.parent.shape),
    Transpose: ("transpose: the axes of {x} in another order", "transpose ⟨∇|⟩ back", "⟨∇|{detail}⟩",
                lambda edge, own: "".join(own[axis] for axis in edge.child.rule.axes)),
    Select: ("{op}: {x}[{detail}]", "put ⟨∇|⟩ back where it was taken from, else 0", "Σ ⟨∇|{ix}⟩ ‹over what was taken from there›",
             lambda edge, own: ", ".join(map(indexed, edge.child.rule.index))),
    Join: ("{op}: {x} is the part [{detail}] of the result", "⟨∇|⟩[{detail}]", "‹the entry of› ⟨∇|⟩[{detail}]",
           lambda edge, own: part_of(edge.child, edge.index)),
    Broadcast: ("broadcast_to: {x} repeated", "sum of ⟨∇|⟩ over the copies", "Σ ⟨∇|{ix}⟩ ‹over the copies›", lambda edge, own: "")}
FORMS: dict[Any, Callable[[Edge], Form]] = {
    Elementwise: elementwise, Linear: linear, Matmul: matmul, Einsum: einsum, Sum: total, Weighted: weighted,
    **dict.fromkeys(MOVED, moved), object: other}
