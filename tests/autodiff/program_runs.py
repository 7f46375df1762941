"""How does a stored program run?  On whatever it is given: Tensors, object arrays of Scalars, plain or complex arrays, torch.

The steps name ops; a table says which function each is. ENGINE is the registry. PLAIN is NumPy alone and knows nothing of the
engine; it takes complex arrays, too, where every choice is made by the real part: the complex step. torch_table() is PyTorch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from samples import PLAIN as SAMPLED

import tinygrad_vg as vg

# The oracle's short names → the registry's
SHORT = {"sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative", "pow": "power", "broadcast": "broadcast_to"}


def renamed(table: dict[str, Callable]) -> dict[str, Callable]:
    short = {long: name for name, long in SHORT.items()}
    return {short.get(name, name): function for name, function in table.items()}


ENGINE = renamed(vg.OPS) | {"gt": lambda a, b: a > b, "gelu": vg.gelu_tanh}  # the stored programs have the approximation
PLAIN = renamed(SAMPLED) | {
    "gt": lambda a, b: np.real(a) > np.real(b), "gelu": SAMPLED["gelu_tanh"],
    "sign": lambda a: np.sign(np.real(a)),
    "astype": lambda x, dtype: np.asarray(x, np.result_type(x, dtype)),
}

# How a step calls its function, where it is not function(*args, **kw)
CALLS: dict[str, Callable] = {
    "getitem": lambda f, x, index: f(x, index),
    "reshape": lambda f, x, shape: f(x, shape),
    "transpose": lambda f, x, axes: f(x, axes),
    "concatenate": lambda f, *xs, axis: f(xs, axis=axis),
    "stack": lambda f, *xs, axis: f(xs, axis=axis),
    "split": lambda f, x, sections, axis, part: f(x, sections, axis=axis)[part],
    "einsum": lambda f, *xs, subscripts: f(subscripts, *xs),
    "broadcast": lambda f, x, shape: f(x, shape),
}


def encoded(x: np.ndarray) -> dict:
    return {"shape": list(x.shape), "dtype": str(x.dtype), "data": x.ravel().tolist()}


def decoded(x: Any) -> Any:
    return np.array(x["data"], x["dtype"]).reshape(x["shape"]) if isinstance(x, dict) else x


def weights(shape: tuple, phase: float = 1.0) -> np.ndarray:
    """Fixed numbers, different and of both signs."""
    return np.round(np.cos(phase + 2.0 * np.arange(math.prod(shape))), 3).reshape(shape)


def index_part(part: dict) -> Any:
    ((kind, value),) = part.items()
    if kind in ("array", "mask"):
        return decoded(value)
    return {"int": value, "slice": slice(*value) if kind == "slice" else None, "newaxis": None, "ellipsis": ...}[kind]


def parameter(key: str, value: Any) -> Any:
    return tuple(map(index_part, value)) if key == "index" else tuple(value) if isinstance(value, list) else value


def prepared(steps: Iterable[dict]) -> list[tuple]:
    """The steps as (out, op, args, kw), constants and indices decoded."""
    return [
        (
            step["out"],
            step["op"],
            [a if isinstance(a, str) else decoded(a["const"]) for a in step["args"]],
            {key: parameter(key, value) for key, value in step.get("kw", {}).items()},
        )
        for step in steps
    ]


def run(steps: list[tuple], inputs: dict, functions: dict[str, Callable]) -> dict:
    """Every value of the program, by name."""
    values = dict(inputs)
    for out, op, args, kw in steps:
        call = CALLS.get(op)
        xs = [values[a] if isinstance(a, str) else a for a in args]
        values[out] = call(functions[op], *xs, **kw) if call else functions[op](*xs, **kw)
    return values


H = 1e-30  # the complex step


class Trial:
    """A program, read back from its JSON, and what it gives: on Tensors, and in plain NumPy."""

    def __init__(self, program: dict):
        self.program = json.loads(json.dumps(program))
        self.steps = prepared(self.program["steps"])
        self.output = self.program["output"]
        self.inputs = {n: decoded(x) for n, x in self.program["inputs"].items()}

    def on_tensors(self, steps: Any = None) -> tuple[dict, dict]:
        leaves = {n: vg.Tensor(x, name=n) for n, x in self.inputs.items()}
        return leaves, run(self.steps if steps is None else steps, leaves, ENGINE)

    @cached_property
    def recorded(self) -> tuple[dict, dict]:
        return self.on_tensors()

    @cached_property
    def gradients(self) -> dict:
        leaves, values = self.recorded
        return dict(zip(leaves, vg.grad(values[self.output], list(leaves.values()))))

    def slopes(self, inputs: dict, n: str) -> np.ndarray:
        """The gradient with respect to one input, by the complex step, one entry at a time."""
        slopes = np.zeros(inputs[n].shape)
        for index in np.ndindex(slopes.shape):
            z = np.array(inputs[n], complex)
            z[index] += 1j * H
            slopes[index] = np.imag(run(self.steps, inputs | {n: z}, PLAIN)[self.output]) / H
        return slopes

    def tangents(self, phase: float) -> dict:
        return {n: weights(x.shape, phase + k) for k, (n, x) in enumerate(self.inputs.items())}

    @property
    def size(self) -> int:
        return sum(x.size for x in self.inputs.values())


def agree(got: dict, want: dict, rtol: float, what: str) -> None:
    """Equal to rtol of the largest entry of all that is wanted (or of 1e-3, if that is larger), shapes included."""
    unit = max([1e-3, *(float(np.max(np.abs(w), initial=0.0)) for w in want.values())])
    for n, w in want.items():
        g = np.asarray(got[n], float)
        assert g.shape == np.shape(w), f"{what} {n}: shape {g.shape} for {np.shape(w)}"
        off = np.abs(g - w)
        assert np.all(off <= rtol * unit), f"{what} {n}: off by {np.max(off) / unit:.2g}: {g.tolist()} for {np.asarray(w).tolist()}"


# ops some of whose operands may be plain numbers and arrays, which torch wants as tensors
TAKE_ARRAYS = set("add sub mul div pow maximum minimum gt where leaky_relu elu matmul linear".split())


def torch_table(torch: Any) -> dict[str, Callable]:
    """PyTorch's function for every op, called as ours are."""
    F = torch.nn.functional

    def tensor(x: Any) -> Any:
        return x if isinstance(x, torch.Tensor) else torch.as_tensor(x, dtype=None if np.asarray(x).dtype == bool else torch.float64)

    def on_tensors(f: Callable) -> Callable:
        return lambda *xs, **kw: f(*map(tensor, xs), **kw)

    def dims(x: Any, axis: Any) -> tuple:
        return tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)

    def reduction(f: Callable) -> Callable:
        return lambda x, axis=None, keepdims=False: f(x, dim=dims(x, axis), keepdim=keepdims)

    def selected(select: Callable) -> Callable:
        """What NumPy selects of the places 0, 1, 2, …, and then these entries: any index there is."""

        def entries(x: Any, *args: Any, **kw: Any) -> Any:
            places = select(np.arange(x.numel()).reshape(tuple(x.shape)), *args, **kw)
            return x.reshape(-1)[torch.as_tensor(places.copy())]

        return entries

    def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        for dim in sorted((d % x.ndim for d in dims(x, axis)), reverse=True):
            x = torch.prod(x, dim=dim, keepdim=keepdims)
        return x

    def linear(x: Any, W: Any, b: Any = None) -> Any:
        return x @ W.mT if b is None else x @ W.mT + (b if W.ndim == 2 or b.ndim == 3 else b[:, None, :])

    def elu(a: Any, alpha: Any = 1.0) -> Any:
        return torch.where(a > 0, a, alpha * torch.expm1(torch.where(a > 0, 0.0, a)))

    def squeezed(x: Any, axis: Any = None) -> Any:
        return torch.squeeze(x) if axis is None else torch.squeeze(x, axis)

    def gate(a: Any) -> Any:
        return 0.5 * (1 + torch.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))

    same_name = "abs sign square sqrt exp expm1 log log1p sin cos tanh sigmoid relu maximum minimum where matmul gt add sub mul div neg pow"
    table = {name: getattr(torch, name) for name in same_name.split()} | {
        "softplus": lambda a: F.softplus(a, threshold=100), "gelu": lambda a: F.gelu(a, approximate="tanh"),
        "leaky_relu": lambda a, slope=0.01: torch.where(a > 0, a, slope * a), "elu": elu, "linear": linear, "einsum": torch.einsum,
        "clip": lambda a, lo=None, hi=None: torch.clamp(a, lo, hi), "reshape": torch.reshape, "broadcast": torch.broadcast_to,
        "transpose": lambda x, axes: x.permute(axes or tuple(range(x.ndim))[::-1]), "squeeze": squeezed,
        "swapaxes": lambda x, axis1, axis2: x.transpose(axis1, axis2),
        "expand_dims": lambda x, axis: torch.unsqueeze(x, axis), "astype": lambda x, dtype: x.to(getattr(torch, dtype)),
        "concatenate": lambda xs, axis: torch.cat(xs, dim=axis), "stack": lambda xs, axis: torch.stack(xs, dim=axis),
        "getitem": selected(lambda x, index: np.asarray(x[index])), "take": selected(np.take), "diagonal": selected(np.diagonal),
        "split": lambda x, sections, axis: torch.tensor_split(x, sections, dim=axis),
        "sum": reduction(torch.sum), "mean": reduction(torch.mean), "max": reduction(torch.amax), "min": reduction(torch.amin),
        "var": reduction(lambda x, dim, keepdim: torch.var(x, dim=dim, correction=0, keepdim=keepdim)), "prod": prod,
        "logsumexp": reduction(torch.logsumexp), "softmax": lambda x, axis=-1: torch.softmax(x, dim=axis),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, dim=axis),
    }  # fmt: skip
    return {op: on_tensors(f) if op in TAKE_ARRAYS else f for op, f in table.items()}
