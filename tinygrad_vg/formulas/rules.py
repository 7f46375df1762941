"""What is the derivative of this op, on paper?  For an edge of any op: words, the matrix form and the index form.

    y  the node      x, W, A, …  its parents      g = ∂L/∂y      i, j, k  indices      δ_ij  1 where i = j, else 0

A form is written with entries in angle brackets, ⟨W|ij⟩; from that one text come the plain and the TeX version.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..autodiff.core import Edge, Node
from ..autodiff.maps import Broadcast
from ..autodiff.products import Einsum, Linear, Matmul, explicit
from ..autodiff.reductions import Weighted
from ..autodiff.rows import Elementwise
from ..autodiff.structure import Join, Reshape, Select, Sum, Transpose
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
    for kind, write in FORMS.items():
        if isinstance(edge.child.rule, kind):
            return write(edge)
    words = f"{edge.child.op}: a linear map J from small changes of {names(edge)[1]} to those of {names(edge)[0]}, J = {edge.formula}"
    return Form(words, "Jᵀ ⟨g|⟩", ("i", "j", "j"), "⟨J|ij⟩", "Σ_i ⟨g|i⟩ ⟨J|ij⟩")


class Use(Edge):
    """One of several uses of a leaf. Whatever has no name is called the same in all of them: letters, {node: letter}."""

    __slots__ = ("letters",)

    def __init__(self, edge: Edge, letters: dict[Node, str]):
        super().__init__(edge.child, edge.index)
        self.letters = letters


def letter(edge: Edge, x: Any) -> str | None:
    """The name of a node, or its letter among the uses of a leaf; None for what has neither."""
    return getattr(edge, "letters", {}).get(x) or str(x.name or "") or None if isinstance(x, Node) else None


def names(edge: Edge) -> tuple[str, str]:
    """(y, x): what the node and this parent are called."""
    return letter(edge, edge.child) or "y", operand(edge, edge.index)


def operand(edge: Edge, k: int) -> str:
    """The name of the k-th operand: its own, a number's digits, or the letter of the rule where it comes first."""
    parents, rule = edge.child.parents, edge.child.rule
    x = parents[k]
    if name := letter(edge, x):
        return name
    if isinstance(x, (int, float)) or isinstance(x, np.generic) and np.ndim(x) == 0:
        return f"{x:.4g}"
    k = next(i for i, parent in enumerate(parents) if parent is x)
    letters = getattr(rule, "operands", None) or (["x"] if len(parents) == 1 else [])
    return letters[k] if k < len(letters) else f"x{k + 1}"


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
    matrix = f"{'sum over the copies of ' if copies else ''}{f'diag({whole})' if ix else plain} ⟨g|⟩"
    words = f"{rule.name}: every entry of {y} depends on the matching entry of {x}{', which has several copies' if copies else ''}"
    return Form(words, matrix, (ix, at, own), f"⟪row⟫{kronecker}", f"{many}⟨g|{ix}⟩ ⟪row⟫", (plain, tex))


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
        matrix = f"⟨g|⟩ ⟨{W}|⟩" if lead else f"⟨{W}|⟩ᵀ ⟨g|⟩"
        return Form(words, matrix, (lead + "i", lead + "j", lead + "j"), f"⟨{W}|{s}ij⟩", f"Σ_i ⟨g|{lead}i⟩ ⟨{W}|{s}ij⟩")
    if edge.index == 1:
        matrix = f"⟨g|⟩ᵀ ⟨{x}|⟩" if lead else f"⟨g|⟩ ⟨{x}|⟩ᵀ"
        return Form(words, matrix, (lead + "i", s + "kj", s + "ij"), f"δ_ik ⟨{x}|{lead}j⟩", f"{total}⟨g|{lead}i⟩ ⟨{x}|{lead}j⟩")
    if rank(edge.parent) == rank(edge.child):
        return Form(words, "⟨g|⟩", (lead + "i", lead + "j", lead + "i"), "δ_ij", f"⟨g|{lead}i⟩")
    return Form(words, f"{total}⟨g|{batch}⟩", (lead + "i", s + "j", s + "i"), "δ_ij", f"{total}⟨g|{lead}i⟩")


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
        matrix = f"⟨g|⟩ ⟨{B}|⟩ᵀ" if j else f"outer ⟨g|⟩ ⟨{B}|⟩ᵀ" if i else f"⟨g|⟩ ⟨{B}|⟩"
        at = (S + i + j, a + ("l" if i else "") + "k", a + i + "k")
        return Form(words, matrix, at, f"⟨{B}|{b}k{j}⟩" + (" δ_il" if i else ""), f"{total}⟨g|{S}{i}{j}⟩ ⟨{B}|{b}k{j}⟩")
    matrix = f"⟨{A}|⟩ᵀ ⟨g|⟩" if i else f"outer ⟨{A}|⟩ ⟨g|⟩ᵀ" if j else f"⟨g|⟩ ⟨{A}|⟩"
    at = (S + i + j, b + "k" + ("l" if j else ""), b + "k" + j)
    return Form(words, matrix, at, f"⟨{A}|{a}{i}k⟩" + (" δ_jl" if j else ""), f"{total}⟨{A}|{a}{i}k⟩ ⟨g|{S}{i}{j}⟩")


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
    return Form(words, f"{total}⟨g|{out}⟩ {product}".strip(), (out, own, own), product or "1", f"{total}⟨g|{out}⟩ {product}".strip())


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
    return Form(f"{edge.child.op} of {x}: {what}", f"{part}spread ⟨g|⟩", (R, ix, ix), part.strip() or "1", f"{part}⟨g|{R}⟩")


def weighted(edge: Edge) -> Form:
    """max, min and logsumexp: entry i counts with weight w_i."""
    (y, x), (ix, R) = names(edge), kept(edge)
    logsumexp = edge.child.op == "logsumexp"
    w = f"exp(⟨{x}|{ix}⟩ - ⟨{y}|{R}⟩)" if logsumexp else f"⟨w|{ix}⟩"
    words = "w = softmax(x)" if logsumexp else "w = 1 at the entry that is chosen (1/k where k tie), else 0"
    return Form(f"{edge.child.op} of {x}: y moves by Σ w dx, {words}", "diag(w) spread ⟨g|⟩", (R, ix, ix), w, f"⟨g|{R}⟩ {w}")


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
    Reshape: ("reshape: the numbers of {x} in another shape", "reshape ⟨g|⟩ to {detail}", "⟨g|{ix}⟩ ‹at the same place in C order›",
              lambda edge, own: edge.parent.shape),
    Transpose: ("transpose: the axes of {x} in another order", "transpose ⟨g|⟩ back", "⟨g|{detail}⟩",
                lambda edge, own: "".join(own[axis] for axis in edge.child.rule.axes)),
    Select: ("{op}: {x}[{detail}]", "put ⟨g|⟩ back where it was taken from, else 0", "Σ ⟨g|{ix}⟩ ‹over what was taken from there›",
             lambda edge, own: ", ".join(map(indexed, edge.child.rule.index))),
    Join: ("{op}: {x} is the part [{detail}] of the result", "⟨g|⟩[{detail}]", "‹the entry of› ⟨g|⟩[{detail}]",
           lambda edge, own: part_of(edge.child, edge.index)),
    Broadcast: ("broadcast_to: {x} repeated", "sum of ⟨g|⟩ over the copies", "Σ ⟨g|{ix}⟩ ‹over the copies›", lambda edge, own: "")}
FORMS: dict[Any, Callable[[Edge], Form]] = {
    Elementwise: elementwise, Linear: linear, Matmul: matmul, Einsum: einsum, Sum: total, Weighted: weighted} | dict.fromkeys(MOVED, moved)
