"""What is an exported model?  The program, its parameters as leaves, and a call that makes the graph, op by op.

A model returns Tensors whose graph is made of the engine's own ops, so that all that is asked of a graph can be asked of it.
"""

import os
import weakref
from collections import Counter
from typing import Any

import numpy as np

from ...autodiff.core import Node, births, plain
from ...autodiff.structure import astype
from ...autodiff.tensor import Tensor
from ..layers import Module, named
from ..weight_files import SAVE, refuse_pickle
from .archive import WRITE, Meta
from .aten import ASKS, OPS, SIGNATURES
from .program import ALIAS, Program, Ref, Step, read_export

CELLS = {"RNNCell", "LSTMCell", "GRUCell"}  # torch's modules that are called once for each step
SIMPLER = (
    "in PyTorch, run_decompositions() in place of run_decompositions({}) writes many ops in simpler ones, and what changes in place (its "
    "name ends in _) without that; for others give it torch.export.default_decompositions() with a function of yours: {op: function}")
DETACH = "alias is what run_decompositions() makes of detach(), and of x[...], which has a gradient; export with run_decompositions({})"


class ExportedModel(Module):
    """What load_model returns: model(*inputs) -> a Tensor, or a tuple of them.

    inputs are arrays, or Tensors where a gradient is wanted, in the order of the export. .inputs says of which: {name: (shape,
    dtype)}, a size None where the export left it open. Parameters and buffers have torch's paths. .cuts: {line: how often the last call
    detached something there that had a gradient}; .frozen: the parameters that had requires_grad_(False).

    Names: states of recurrent nets h[t], c[t] (of the second layer h2[t], of the reverse direction hr[t]; with their module's path
    in front if there are several), the last node of a module its path, the numbers in it as index: layers[3].
    Norms and dropout behave as in the mode of the export, which train() and eval() cannot change; in training a call renews the
    running statistics.
    """

    def __init__(self, program: Program, rng: Any = 0):
        made: dict[int, Tensor] = {}  # one leaf where two parameters share their numbers
        self.inputs = {name: (program.metas[name].sizes, program.metas[name].dtype) if name in program.metas else ((), "int64")
                       for kind, name, _ in program.inputs if kind == "user_input" and isinstance(name, Ref)}
        for kind, path in [(kind, path) for kind, _, path in program.inputs if kind in ("parameter", "buffer")]:
            array = program.arrays[path]
            if path in vars(self) or hasattr(type(self), path):
                raise ValueError(f"a {kind} cannot be called {path!r} here, which is the name of something else")
            if kind == "parameter" and array.dtype.kind != "f":
                raise ValueError(f"the parameter {path} must be float64 or float32; it is {array.dtype}")
            vars(self)[path] = made.setdefault(id(array), Tensor(array, path)) if kind == "parameter" else array
        self.cuts: Counter[str] = Counter()
        self.frozen = {path for kind, name, path in program.inputs if kind == "parameter" and program.metas[name].frozen}
        self._program, self._rng = program, np.random.default_rng(rng)
        self._lines: dict[int, str] = {}  # of which line is each node that is alive, by its birth
        recurrent = {step.calls[-1][0] for step in program.steps if "label" in ASKS[step.target] and step.calls}
        self._names, self._several = names_of(program.steps), len(recurrent) > 1

    def __call__(self, *inputs: Any) -> Any:
        program, values = self._program, self._given(inputs)
        self.cuts = Counter()
        for k, step in enumerate(program.steps):
            born = next(births)
            try:
                made = self._results(step, values)
            except Exception as error:
                text = f"{step.target}{f' ({step.line})' if step.line else ''}: {error or type(error).__name__}"
                raise (NotImplementedError if isinstance(error, NotImplementedError) else ValueError)(text) from error
            if "detach" in step.target and any(isinstance(values.get(x), Node) for x in step.positional if isinstance(x, Ref)):
                self.cuts[step.line or "a line that the file does not say"] += 1
            values |= made
            new = [y for y in made.values() if isinstance(y, Node) and y.birth > born]
            self._remember(new, born, step.line)
            if new and k in self._names and new[0].name is None:
                new[0].named(*self._names[k])
        for kind, name, path in program.outputs:
            if kind == "buffer_mutation":
                vars(self)[path] = np.array(plain(values[name]))
        outputs = tuple([value_of(x, values) for kind, x, _ in program.outputs if kind == "user_output"])
        return outputs[0] if len(outputs) == 1 else outputs

    def where(self, node: Any) -> str | None:
        """The line of the model's source that made a node: `model.py:41  h = torch.tanh(z)`; None if the file does not say."""
        return self._lines.get(node.birth) if isinstance(node, Node) else None

    def _remember(self, nodes: list[Node], born: int, line: str | None) -> None:
        """`line` made these nodes, and all those behind them that are younger than `born`."""
        stack = [*nodes] if line else []
        while stack:
            node = stack.pop()
            if node.birth not in self._lines:
                self._lines[node.birth] = line or ""
                weakref.finalize(node, self._lines.pop, node.birth, None)
                stack += [parent for parent in node.variables if parent.birth > born]

    def _given(self, inputs: tuple) -> dict[str, Any]:
        """The values that the program begins with: inputs, parameters, buffers, constants, by their names in the graph."""
        program, held = self._program, vars(self)
        if len(inputs) != len(self.inputs):
            raise TypeError(f"the model takes {len(self.inputs)} inputs, {', '.join(self.inputs)}; got {len(inputs)}")
        values = {name: held[path] if kind != "tensor_constant" else program.arrays[path] for kind, name, path in program.inputs if path}
        return values | {name: as_input(x, name, program.metas.get(name)) for name, x in zip(self.inputs, inputs)}

    def _results(self, step: Step, values: dict[str, Any]) -> dict[str, Any]:
        """{name: what the op gives}; of several results a function may give the first alone, or more than have a name."""
        asks = {"rng": self._rng, "label": self._label(step)}
        keywords = {name: value_of(x, values) for name, x in step.keywords.items()} | {name: asks[name] for name in ASKS[step.target]}
        y = OPS[step.target](*[value_of(x, values) for x in step.positional], **keywords)
        if isinstance(y, list) and len(y) < len(step.outputs):
            raise ValueError(f"it gives {len(y)} results, the file says {len(step.outputs)}")
        results = y if isinstance(y, (tuple, list)) else [y]
        metas = self._program.metas
        return {name: as_recorded(x, metas.get(name)) for name, x in zip(step.outputs, results) if name and x is not None}

    def _label(self, step: Step) -> Any:
        """label(t, suffix, h=…, z=…) names the nodes of a step h[t], z[t], with the suffix behind h and z; t None: of this call."""
        path, _, number = step.calls[-1] if step.calls else ("", "", 0)
        before = f"{path}." if self._several and path else ""

        def label(t: int | None, suffix: str, **nodes: Any) -> tuple:
            return tuple([named(x, before + base + suffix, number + 1 if t is None else t) for base, x in nodes.items()])
        return label


def load_model(path: str | os.PathLike[str], *, rng: Any = 0, limit: int = 1 << 28) -> ExportedModel:
    """A PyTorch model from the file that torch.export.save wrote, without torch: model(*inputs) -> a Tensor, or a tuple of them.

    In PyTorch:  torch.export.save(torch.export.export(model, inputs).run_decompositions({}), "m.pt2")
    rng    a seed or Generator, for dropout and random numbers, if the model was exported with them
    limit  how many bytes the file, also when unpacked, and each value of its graph may have; its JSON a sixteenth of that
    ValueError, naming what is missing or wrong, for any other file; NotImplementedError that names all ops that are not known here.
    A pickle is never opened.
    """
    refuse_pickle(path, f"{WRITE}, or, for the weights alone, {SAVE}")
    program = read_export(path, limit)
    check_ops(program.steps, path)
    return ExportedModel(program, rng)


def check_ops(steps: list[Step], path: Any) -> None:
    """NotImplementedError that names every op that has no row in the table; ValueError for arguments that one cannot take."""
    if missing := {step.target: step.line for step in steps[::-1] if step.target not in OPS}:
        named = "".join(f"\n  {target[:80]}{f'  ({line[:80]})' if line else ''}" for target, line in sorted(missing.items())[:40])
        way = DETACH if ALIAS in missing else SIMPLER
        raise NotImplementedError(f"{str(path)!r} uses {len(missing)} ops that are not known here:{named}\n{way}")
    for step in steps:
        try:
            SIGNATURES[step.target].bind(*step.positional, **step.keywords, **dict.fromkeys(ASKS[step.target]))
        except TypeError as error:
            raise ValueError(f"cannot read a model from {str(path)!r}: {step.target} with these arguments: {error}") from None


def names_of(steps: list[Step]) -> dict[int, tuple]:
    """{number of a step: (base, *index)} for the last step of each call of a module, the innermost of those that end there."""
    last = {(path, number): (k, kind) for k, step in enumerate(steps) for path, kind, number in step.calls if path}
    often = dict(sorted(last))
    cells = {path for (path, _), (_, kind) in last.items() if kind in CELLS}
    names = {}
    for (path, number), (k, kind) in last.items():  # a module comes before those inside it
        words = [f"{path}.h" if len(cells) > 1 else "h"] if kind in CELLS else path.split(".")
        index = [number + 1] if kind in CELLS else [int(word) for word in words if word.isdecimal()] + [number] * (often[path] > 0)
        names[k] = ".".join(word for word in words if not word.isdecimal()) or "layer", *index
    return names


def value_of(x: Any, values: dict[str, Any]) -> Any:
    """An argument, the names in it replaced by what they stand for. NotImplementedError for one that its op does not give here."""
    if isinstance(x, Ref) and x not in values:
        raise NotImplementedError(f"{x} is a result that is not computed here")
    return values[x] if isinstance(x, Ref) else [value_of(part, values) for part in x] if isinstance(x, list) else x


def fits(shape: tuple, meta: Meta) -> bool:
    """Whether a shape has the exported sizes; None there stands for any."""
    return len(shape) == len(meta.sizes) and all(m in (None, n) for n, m in zip(shape, meta.sizes))


def as_input(x: Any, name: str, meta: Meta | None) -> Any:
    """An input in the dtype of the export; ValueError if it has another shape, or numbers of another kind."""
    if meta is None:  # a size
        return int(x)
    x = x if isinstance(x, Tensor) else np.asarray(x)
    if not fits(x.shape, meta):
        shape = tuple("any" if n is None else n for n in meta.sizes)
        raise ValueError(f"the input {name} must have shape {shape}, that of the export (dynamic_shapes= leaves sizes open); got {x.shape}")
    if not np.can_cast(x.dtype, meta.dtype, "same_kind"):
        raise ValueError(f"the input {name} must be {meta.dtype}; got {x.dtype}")
    return as_recorded(x, meta)


def as_recorded(y: Any, meta: Meta | None) -> Any:
    """A result in the dtype that the file says; ValueError for another shape than it says."""
    if meta is None:
        return y
    if not fits(np.shape(y), meta):
        raise ValueError(f"it gives a result of shape {np.shape(y)}, where the file says {meta.sizes}")
    if isinstance(y, Tensor) and meta.dtype.startswith("float"):
        return y if y.dtype == meta.dtype else astype(y, meta.dtype)
    return np.asarray(plain(y)).astype(meta.dtype, copy=False)
