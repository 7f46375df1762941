"""Which model is asked, on which data, and for which loss?  A patient, opened from a file.

A model exported by PyTorch (.pt2) is run as it is. Of weights alone (.npz, .safetensors) recurrent cells are made: what a file holds as
weight_hh, of one gate, three or four, is an RNN, a GRU or an LSTM; names as save_weights writes them tell the cell by themselves.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..autodiff.core import Node, history
from ..autodiff.tensor import Tensor
from ..nn import GRUCell, LSTMCell, RNNCell, Stacked, load_model, load_weights, unroll
from ..nn.linear_cells import LRUCell, MinGRUCell, SelectiveCell
from ..nn.weights import read_weights
from .aims import AIMS, aimed, squashed

CELLS: dict[int, Any] = {1: RNNCell, 3: GRUCell, 4: LSTMCell}  # by how many gates lie in weight_hh
OWN: dict[str, Any] = {  # by a name that only they have, of those that are left
    "nu": LRUCell, "A_log": SelectiveCell, "W_hz": GRUCell, "W_xz": MinGRUCell, "W_hf": LSTMCell, "W_hh": RNNCell}
STEPS, OPEN = 50, 8  # of a cell; of an axis that the export left open


class Patient(NamedTuple):
    """title; the loss; what the gradient goes back to; {name: leaf}; where(node), the line that made it, or None; the loss once more."""

    title: str
    loss: Node
    source: Node
    parameters: dict[str, Any]
    where: Callable[[Node], str | None]
    again: Callable[[], Node]
    cuts: Mapping[str, int] = MappingProxyType({})  # where something was detached, and how often


def exported(options: argparse.Namespace) -> Patient:
    """A model that PyTorch exported, on data, or on noise of the shapes that it was exported with."""
    model, rng = load_model(options.file), np.random.default_rng(0)
    data, about = data_of(options, model.inputs)
    given = {path: leaf.data for path, leaf in model.parameters().items()}
    check_finite(given, "a step before the export left it there: export the model before it breaks, or with smaller steps")
    rows, inputs = min((w.shape[0] for w in given.values() if w.ndim == 2), default=2), []
    for name, (sizes, dtype) in model.inputs.items():
        shape, kind = tuple(OPEN if n is None else n for n in sizes), np.dtype(dtype).kind
        noise = rng.integers(0, rows, shape) if kind in "iu" else rng.normal(size=shape)
        x = data.pop(name) if name in data else np.asarray(noise, dtype)
        x = x.astype(dtype) if np.can_cast(x.dtype, dtype, "same_kind") else x  # another the model refuses
        inputs.append(Tensor(x, name=name) if x.dtype.kind == kind == "f" else x)
    output = model(*inputs)
    of, said = aimed(output, data, options, rng)
    loss, starts = of(output), [x for x in inputs if isinstance(x, Node)] or [*model.parameters().values()]
    known = {*history(loss)}
    source = next((x for x in starts if x in known), starts[0])
    every, learnt = model.parameters(), {path: leaf for path, leaf in model.parameters().items() if path not in model.frozen}
    held = f"; {len(model.frozen)} of {len(every)} parameters are frozen, and not judged" * (0 < len(learnt) < len(every))
    title = f"{Path(options.file).name} on {about}{said}{squashed(loss)}{held}{unused(data)}"
    return Patient(title, loss, source, learnt or every, model.where, lambda: of(model(*inputs)), dict(model.cuts))


def of_weights(options: argparse.Namespace) -> Patient:
    """Recurrent cells with the weights of a file, on noise or on data, the loss on the last state."""
    given, rng = read_weights(options.file), np.random.default_rng(0)
    prefix, cells = cells_of(given)
    if not cells:
        raise ValueError(f"{options.file} holds no weights of a recurrent cell, such as weight_hh; export the model: docs/export.md")
    cell = Stacked(cells) if len(cells) > 1 else cells[0]
    load_weights(cell, {name: w for name, w in given.items() if name.startswith(prefix)}, prefix)
    n = cells[0].n_in
    data, about = data_of(options, {"x": ((None, n), "float64")})
    x = np.asarray(data.pop("x") if data else rng.normal(size=(STEPS, n)), float)
    if x.ndim not in (2, 3) or x.shape[-1] != n or not x.size:
        raise ValueError(f"x of {options.data} has shape {x.shape}; these cells read (T, {n}) or (T, batch, {n}), T ≥ 1")
    states = unroll(cell, x)
    output, first = cell.output(states[-1]), states[0]
    of, said = aimed(output, data, options, rng)
    while isinstance(first, tuple):
        first = first[-1]
    kind = type(cells[0]).__name__.removesuffix("Cell")
    kind = "tanh RNN" if kind == "RNN" else kind  # no file says whether it is ReLU, or leaks
    title = f"{Path(options.file).name}: {len(cells)} × {kind} over {len(x)} steps of {about}{said}{unused(data)}"
    return Patient(title, of(output), first, cell.parameters(), lambda node: None, lambda: of(cell.output(unroll(cell, x)[-1])))


def cells_of(given: dict[str, np.ndarray]) -> tuple[str, list[Any]]:
    """What comes before the names of the weights, and cells of their sizes: by PyTorch's names, or by their own; none if neither fits.

    ValueError for PyTorch's names with shapes of no cell.
    """
    recurrent = [name for name, w in given.items() if "weight_hh" in name and np.ndim(w) == 2]
    if recurrent:
        prefix = recurrent[0].partition("weight_hh")[0]
        into_of = {name: given.get(name.replace("_hh", "_ih"), np.array(0)).shape for name in recurrent if name.startswith(prefix)}
        sizes = [(into, given[name].shape) for name, into in into_of.items()]
        for into, (rows, n) in sizes:
            if len(into) != 2 or into[0] != rows or not n or rows not in (gates * n for gates in CELLS):
                raise ValueError(f"weight_ih is (g n, inputs) and weight_hh (g n, n), g = 1, 3 or 4 gates; got {into} and {rows, n}")
        return prefix, [CELLS[rows // n](into[1], n, name=str(k) if len(sizes) > 1 else "") for k, (into, (rows, n)) in enumerate(sizes, 1)]
    own, prefix = next(((name, name.removesuffix(mark)) for mark in OWN for name in given if name.endswith(mark)), ("", ""))
    inputs = max((w.shape for name, w in given.items() if name.startswith(f"{prefix}W_x")), default=())
    return prefix, [OWN[own.removeprefix(prefix)](inputs[1], inputs[0])] if own and len(inputs) == 2 else []


def data_of(options: argparse.Namespace, inputs: Any) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of --data by the names of the inputs, and how a title says what they are. A single array may have another name.

    ValueError for another file, if one is missing, or holds a nan or an inf.
    """
    if not options.data:
        return {}, "noise (give --data FILE.npz for your own)"
    try:
        given, said = dict(np.load(options.data, allow_pickle=False)), ""
    except OSError:
        raise
    except Exception:  # a damaged file fails anywhere in its reader, with any error
        given = {"": None}
    if not all(isinstance(x, np.ndarray) for x in given.values()):
        raise ValueError(f"{options.data} is no .npz of arrays; write one with np.savez({options.data!r}, x=…)")
    if absent := [name for name in inputs if name not in given]:
        other = [name for name in given if name not in inputs and name not in AIMS]
        if not len(inputs) == len(other) == 1:
            held = ", ".join(f"{name} {x.shape}" for name, x in given.items()) or "nothing"
            raise ValueError(f"{options.data} holds {held}; the model takes {', '.join(inputs)}: give each by its name, as in np.savez("
                             f"{options.data!r}, {', '.join(f'{name}=…' for name in inputs)}, target=…)")
        given[absent[0]], said = given.pop(other[0]), f" ({other[0]} as {absent[0]})"
    check_finite(given, f"leave out or fill in what is missing in {options.data}")
    return given, f"its data{said}"


def check_finite(arrays: dict[str, np.ndarray], help: str) -> None:
    """ValueError for a nan or an inf, which would be all that a verdict could find; a mask of 0 and −inf may be."""
    for name, x in arrays.items():
        if x.dtype.kind == "f" and not np.isfinite(x).all() and not set(np.unique(x)) <= {0.0, -np.inf}:
            held = {"nan": np.count_nonzero(np.isnan(x)), "inf": np.count_nonzero(np.isinf(x))}
            raise ValueError(f"{name} holds {' and '.join(f'{n} {word}' for word, n in held.items() if n)} of {x.size} numbers; {help}")


def unused(data: dict[str, np.ndarray]) -> str:
    """What is left of the data, for a title."""
    return f"; {', '.join(data)} of the file is not used" if data else ""
