"""What would one have written by hand?  From a recorded graph the NumPy program: forward, then backward, in the graph's own names.

The program needs NumPy and nothing else. It is not used by the engine: a branch that was not taken is not in it.
"""

import base64
import io
import linecache
import os
from typing import Any

import numpy as np

from ..autodiff.calculus import differentiable
from ..autodiff.core import Node, describe
from ..text.files import checked_path, save_whole
from ..text.lines import Printed
from .exercise import findings, with_blanks
from .lines import dtype_of
from .program import Program
from .statements import text_of
from .steps import Step, watched
from .whole import Whole

MAIN = '''
if __name__ == "__main__":
    import base64
    import io

    VALUES = np.load(io.BytesIO(base64.b64decode("{values}")))
    value, gradients = forward_and_backward(**{{name: VALUES[name][()] for name in VALUES.files}})
    print("{what} =", value)
    for name, gradient in gradients.items():
        print("gradient of", name, "=", gradient, sep="\\n")
'''


class ByHand(Whole, Printed):
    """The program of a graph, which prints as its text.

    .text (or .source)  the program      .arguments  the names of what it takes, in order      .values  {name: as recorded}
    .leaves  {name: the leaf of the graph, or a list of them, one for each layer}, those whose gradients it returns

    >>> from tinygrad_vg import Tensor, sum, tanh
    >>> from tinygrad_vg.formulas import by_hand
    >>> x = Tensor([0.5, -1.0], name="x")
    >>> b = by_hand(sum(tanh(x)).named("L"))
    >>> print(b.text[b.text.index("def forward_and"):])
    def forward_and_backward(x):
        # forward
        check("float64", x=(x, 2))
        a = np.tanh(x)
        L = a.sum()
    <BLANKLINE>
        # backward: g_x is ∂L/∂x
        # L = a.sum()
        g_a = np.full((2,), 1.0)
        # a = np.tanh(x)
        g_x = g_a * (1 - a * a)
        return L, {"x": g_x}
    <BLANKLINE>
    >>> value, gradients = b(x=[0.0, 0.0])
    >>> gradients["x"]
    array([1., 1.])
    """

    def __init__(self, program: Program, stack: bool = False):
        super().__init__(program, stack)
        self.source, self.arguments = self.text, [*self.values, *self.lengths]
        self.function: Any = None

    def run(self, **values: Any) -> tuple[Any, dict[str, Any]]:
        """(value, {name: gradient}) at these values; what is left out is as it was recorded.

        TypeError for a name that is not in the program, ValueError for another shape or dtype than recorded.
        """
        given = self.given(values)
        if self.function is None:
            file, space = f"<{self.what} by hand, {id(self)}>", dict[str, Any]()
            linecache.cache[file] = len(self.text), None, self.text.splitlines(keepends=True), file
            exec(compile(self.text, file, "exec"), space)
            self.function = space["forward_and_backward"]
        return self.function(**given)

    __call__ = run

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """A value for each argument, those that were recorded where none is given."""
        if unknown := values.keys() - set(self.arguments):
            raise TypeError(f"the program has no argument {', '.join(sorted(unknown))}; it takes {', '.join(self.arguments)}")
        return self.values | {name: x if name in self.lengths else self.number(name, x) for name, x in values.items()}

    def number(self, name: str, x: Any) -> Any:
        """An argument as an array, or a number; lists and whole numbers in the dtype that was recorded."""
        dtype = dtype_of(self.values[name])
        return np.asarray(x, None if hasattr(x, "dtype") or dtype.kind != "f" else dtype)[()]

    def lines_between(self, after: Any, before: Any) -> list[str]:
        """The lines of the backward pass that lead from the gradients of some nodes to those of `before`: of one link of a chain.

        after  the nodes of the link, its end last
        """
        loop = self.program.at(after[-1]).loop
        wanted = {self.program.symbols.of(kind, self.program.last(x)) for x in (*after[:-1], *before) for kind in "gp"}
        return [text_of(s, self.naming.within(loop)) for s in self.backward.statements
                if s.loop is loop and s.target in wanted and not s.quote]

    def steps(self, of: str | None = None, **values: Any) -> list[Step]:
        """Run the program and print each line that is run, with the size of what it makes; the same as a list of (line, name, size).

        of  a name of the program, g_h: only the lines that make it.  values as for run(). ValueError if no line makes the name.
        """
        found = self.run_in_steps(of, **values)
        print("\n".join(map(str, found)))
        return found

    def run_in_steps(self, of: str | None = None, **values: Any) -> list[Step]:
        """The steps, without printing them."""
        found = watched(self.text, self.given(values), of)
        if not found:
            raise ValueError(f"no line of the program makes {of}; print it to see what does")
        return found

    def exercise(self, blanks: int = 3, rng: Any = 0) -> str:
        """The program with so many right-hand sides of its backward pass left open, `...  # ← 1`: lines to fill in.

        rng  which ones, a whole number or a NumPy Generator. ValueError if there are not so many.
        """
        return with_blanks(self.text, blanks, rng)

    def grade(self, text: str) -> list[str]:
        """What is wrong with an exercise filled in, which is run: each wrong line, and how far it is off; [] if all is right."""
        return findings(self.text, self.values, text)

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


def by_hand(output: Node, wrt: Any = None, *, roll: bool = True, stack: bool = False) -> ByHand:
    """The program that one would have written by hand to compute `output` and its gradient, in NumPy alone.

    wrt   leaves, or a model: whose gradients it returns; None: those of all leaves
    roll  what repeats is written as a loop over time steps or layers, for any number of them; False: every step is written out
    stack  what every step adds to a weight's gradient is written behind the loop, as one product of all steps: faster, and as exact

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
    return ByHand(Program(order, leaves, roll), stack)


def leaves_of(wrt: Any) -> list[Any]:
    """A leaf, a list of them, {name: leaf} or a model as a list of leaves; arrays of Scalars one by one."""
    found = wrt.parameters() if hasattr(wrt, "parameters") else wrt
    found = list(found.values()) if isinstance(found, dict) else found if isinstance(found, (list, tuple)) else [found]
    return [x for w in found for x in (w.flat if isinstance(w, np.ndarray) and w.dtype == object else [w])]
