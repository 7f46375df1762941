"""What would one have written by hand?  From a recorded graph the NumPy program: forward, then backward, in the graph's own names.

The program needs NumPy and nothing else. It is not used by the engine: a branch that was not taken is not in it.
"""

import ast
import base64
import io
import linecache
import os
from typing import Any

import numpy as np

from ..autodiff.calculus import differentiable
from ..autodiff.core import Node, describe, plain
from ..text.files import checked_path, save_whole
from ..text.lines import Printed
from .naming import names_of
from .prelude import prelude
from .program import Program
from .statements import Quote, Statement, symbols, text_of, wrapped

HEAD = '''"""{what} and its gradient, written out: forward, then backward.

Fixed, as recorded: shapes and dtypes, the numbers in the code, which way each branch went. Arrays are arguments.
"""

import numpy as np
'''
MAIN = '''
if __name__ == "__main__":
    import base64
    import io

    VALUES = np.load(io.BytesIO(base64.b64decode("{values}")))
    value, gradients = forward_and_backward(**{{name: VALUES[name][()] for name in EXPECTED}})
    print("{what} =", value)
    for name, gradient in gradients.items():
        print("gradient of", name, "=", gradient, sep="\\n")
'''


class ByHand(Printed):
    """The program of a graph, which prints as its text.

    .text (or .source)  the program      .arguments  the names of what it takes, in order      .values  {name: as recorded}
    .leaves  {name: the leaf of the graph}, those whose gradients it returns

    >>> from tinygrad_vg import Tensor, sum, tanh
    >>> from tinygrad_vg.formulas import by_hand
    >>> x = Tensor([0.5, -1.0], name="x")
    >>> b = by_hand(sum(tanh(x)).named("L"))
    >>> print(b.text[b.text.index("def forward_and"):])
    def forward_and_backward(x):
        check(locals())
        # forward
        a = np.tanh(x)
        L = a.sum()
    <BLANKLINE>
        # backward: g_x is ∂L/∂x
        # L = a.sum()
        g_a = np.full((2,), 1)
        # a = np.tanh(x)
        g_x = g_a * (1 - a * a)
        return L, {"x": g_x}
    <BLANKLINE>
    >>> value, gradients = b(x=[0.0, 0.0])
    >>> gradients["x"]
    array([1., 1.])
    """

    def __init__(self, program: Program):
        lines = [*program.forward, *program.backward]
        statements = [s for s in lines if isinstance(s, Statement)]
        returned = list(program.gradients.values())
        used = [name for s in statements for name in (s.target, *symbols(s.code))] + returned
        known = {*program.nodes, *program.arguments, *(f"g{symbol[1:]}" for symbol in program.nodes)}
        arguments = [symbol for symbol in program.arguments if symbol in {*used, *program.gradients}]
        names = names_of(program, [*arguments, *(symbol for symbol in used if symbol in known), program.symbol[program.output]])
        self.names = {symbol: ast.unparse(name) for symbol, name in names.items()}
        self.arguments = [self.names[symbol] for symbol in arguments]
        self.values = {self.names[symbol]: np.asarray(plain(program.arguments[symbol]))[()] for symbol in arguments}
        self.leaves = {self.names[symbol]: program.nodes[symbol] for symbol in program.gradients}
        self.what = self.names[program.symbol[program.output]]
        self.text = self.source = "\n\n".join([self.head(), *prelude(s.code for s in statements), self.body(program, names)])
        self.function: Any = None

    def head(self) -> str:
        """What it is, what is fixed, and what is expected of each argument."""
        kinds = [f'"{name}": "{x.dtype} {x.shape}"' for name, x in self.values.items()]
        return HEAD.format(what=self.what) + "\n" + wrapped("EXPECTED = {", kinds, "}")

    def body(self, program: Program, names: dict[str, Any]) -> str:
        """The function itself."""
        first = next(iter(self.leaves), "x")
        lines = ["check(locals())", "# forward", *(text_of(statement, names) for statement in program.forward), ""]
        lines.append(f"# backward: g_{first} is ∂{self.what}/∂{first}")
        for item in program.backward:
            quoted = isinstance(item, Quote)
            lines.append(("# " if quoted else "") + text_of(item.statement if isinstance(item, Quote) else item, names))
        gradients = [f'"{self.names[leaf]}": {self.names[g]}' for leaf, g in program.gradients.items()]
        lines.append(wrapped(f"return {self.what}, {{", gradients, "}"))
        text = "\n".join(f"    {part}" if part else "" for row in lines for part in row.split("\n"))
        return wrapped("def forward_and_backward(", self.arguments, "):") + "\n" + text + "\n"

    def run(self, **values: Any) -> tuple[Any, dict[str, Any]]:
        """(value, {name: gradient}) at these values; what is left out is as it was recorded.

        TypeError for a name that the program has not, ValueError for another shape or dtype than recorded.
        """
        if unknown := values.keys() - self.values.keys():
            raise TypeError(f"the program has no argument {', '.join(sorted(unknown))}; it takes {', '.join(self.arguments)}")
        if self.function is None:
            file, space = f"<{self.what} by hand, {id(self)}>", dict[str, Any]()
            linecache.cache[file] = len(self.text), None, self.text.splitlines(keepends=True), file
            exec(compile(self.text, file, "exec"), space)
            self.function = space["forward_and_backward"]
        return self.function(**self.values | {name: np.asarray(x)[()] for name, x in values.items()})

    __call__ = run

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program and its values into one file: `python backprop.py` prints value and gradients.

        ValueError unless the name ends in .py, OSError where it cannot be written.
        """
        place, file = checked_path(path, [".py"]), io.BytesIO()
        np.savez(file, **self.values)  # type: ignore[arg-type,unused-ignore]
        values = base64.b64encode(file.getvalue()).decode()
        save_whole(place, (self.text + "\n" + MAIN.format(values=values, what=self.what)).encode())

    def to_dict(self) -> dict[str, Any]:
        """The text and the names of the arguments."""
        return {"text": self.text, "arguments": self.arguments}

    def __str__(self) -> str: return self.text
    def __repr__(self) -> str: return f"ByHand({self.what}, of {', '.join(self.arguments)})"


def by_hand(output: Node, wrt: Any = None) -> ByHand:
    """The program that one would have written by hand to compute `output` and its gradient, in NumPy alone.

    wrt  leaves, or a model: whose gradients it returns; None: those of all leaves

    Shapes, numbers and branches are as they were recorded: a program for another batch size is made by recording again.
    ValueError for an output that is not one number, and for a leaf that it does not depend on; TypeError for what is no leaf;
    NotImplementedError, with its name, for an op that has no words; RuntimeError if a leaf changed since the forward pass.
    """
    order = differentiable(output)
    output.start(None)
    leaves = [x for x in order if x.rule is None] if wrt is None else leaves_of(wrt)
    for x in leaves:
        if not isinstance(x, Node) or x.rule is not None:
            raise TypeError(f"by_hand gives gradients of leaves; got {describe(x) if isinstance(x, Node) else type(x).__name__}")
        if x not in order:
            raise ValueError(f"{describe(output)} does not depend on {describe(x)}, so there is no gradient to write")
    return ByHand(Program(order, leaves))


def leaves_of(wrt: Any) -> list[Any]:
    """A leaf, a list of them, {name: leaf} or a model as a list of leaves; arrays of Scalars one by one."""
    found = wrt.parameters() if hasattr(wrt, "parameters") else wrt
    found = list(found.values()) if isinstance(found, dict) else found if isinstance(found, (list, tuple)) else [found]
    return [x for w in found for x in (w.flat if isinstance(w, np.ndarray) and w.dtype == object else [w])]
