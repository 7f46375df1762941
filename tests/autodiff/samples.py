"""What is every op tried on?  For each op of the registry a list of samples: a call, the arrays it takes, which of them are nodes.

The same call is made twice, on Tensors with the op and on plain (also complex) arrays with PLAIN[op], which is written here
in NumPy alone and knows nothing of the engine. Values lie on a grid, so that operands differ and no kink is nearer than 0.02;
they fit float32 exactly, so that both dtypes differentiate at the same point.

    a sample meets the op in every memory layout: C order, Fortran order, negative strides, zero strides (broadcast),
    and in every odd shape: 0-d, axes of size 1, axes of size 0
"""


from __future__ import annotations

import operator
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

import tinygrad_vg as vg

STRIDES = ("C", "Fortran", "negative stride", "zero stride")
SHAPES = ("0-d", "size 1", "size 0")
LAYOUTS = STRIDES + SHAPES

# Ops whose plain form loses the imaginary part, so that the complex step does not apply, and why
CENTRAL = {
    "sign": "np.sign of a complex number is x / |x|, not a sign",
    "astype": "a cast to a real dtype drops the imaginary part",
}


@dataclass(frozen=True)
class Sample:
    """`function(*xs)` on nodes and `plain(*xs)` on arrays are the same call; xs[i] is a node for i in nodes, else a constant."""

    op: str
    label: str
    function: Callable[..., Any]
    plain: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    nodes: tuple[int, ...]
    layouts: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A sample in one layout: views[i](leaves[i]) is what the op sees, in that layout."""

    sample: Sample
    layout: str
    leaves: tuple[np.ndarray, ...]
    views: tuple[Callable, ...]

    def __str__(self) -> str:
        return f"{self.sample.op} [{self.sample.label}, {self.layout}]"

    def operands(self, xs: Any, dtype: Any) -> list:
        """What the op is given: the nodes of xs in the layout, and the constants, read-only, so kept in the layout too."""
        given, xs = [], iter(xs)
        for i, (leaf, view) in enumerate(zip(self.leaves, self.views)):
            given.append(view(next(xs)) if i in self.sample.nodes else constant(view(leaf.astype(dtype)), self.sample.op))
        return given

    def starts(self, dtype: Any = float) -> list[np.ndarray]:
        return [self.leaves[i].astype(dtype) for i in self.sample.nodes]

    def function(self, *xs: Any) -> Any:
        y = self.sample.function(*self.operands(xs, np.float32 if xs[0].dtype == np.float32 else float))
        return y.T if self.layout == "Fortran" and y.ndim > 1 else y

    def plain(self, *xs: Any) -> Any:
        y = np.asarray(self.sample.plain(*self.operands(xs, float)))
        return y.T if self.layout == "Fortran" and y.ndim > 1 else y


def constant(x: np.ndarray, op: str) -> Any:
    """A constant as the op is given it: a number for an elementwise op, else an array that is read-only."""
    if x.ndim == 0 and op in NUMBERS_WELCOME:
        return float(x)
    x.setflags(write=False)
    return x


def cases(op: str) -> list[Case]:
    return [
        Case(sample, layout, *zip(*[laid_out(x, layout) for x in sample.arrays]))
        for sample in SAMPLES.get(op, [])
        for layout in sample.layouts
    ]


def laid_out(x: np.ndarray, layout: str) -> tuple[np.ndarray, Callable]:
    """A leaf, and a view that shows it to the op with the values of x in the layout (zero stride: one value repeated)."""
    if x.ndim == 0 or layout not in STRIDES[1:]:
        return x, same
    if layout == "Fortran":
        return (x.T.copy(), np.transpose) if x.ndim > 1 else (np.stack([x, -x], axis=1), partial(at, index=(slice(None), 0)))
    if layout == "negative stride":
        back = (slice(None, None, -1),) * x.ndim
        return x[back].copy(), partial(at, index=back)
    axis = max((i for i, n in enumerate(x.shape) if n > 1), default=0)
    return np.take(x, [0], axis), partial(np.broadcast_to, shape=x.shape)


def same(x: Any) -> Any:
    return x


def at(x: Any, index: Any) -> Any:
    return x[index]


def grid(rng: Any, shape: tuple, low: float, high: float, offset: float = 0.5) -> np.ndarray:
    """Different numbers between low and high, from 32 equally spaced ones; another offset gives numbers that differ from these."""
    n = int(np.prod(shape))
    return (low + (high - low) * (rng.permutation(32)[:n] + offset) / 32).reshape(shape).astype(np.float32).astype(float)


def choices(n: int) -> list[tuple[int, ...]]:
    """Every way to choose which of n operands are nodes, at least one."""
    return [chosen for k in range(n, 0, -1) for chosen in combinations(range(n), k)]


# ---------------------------------------------------------------- the ops in NumPy alone, safe for complex numbers


# fmt: off
def plain_max(x, axis=None, keepdims=False): return np.max(x, axis=axis, keepdims=keepdims)  # complex numbers compare by real part first
def plain_min(x, axis=None, keepdims=False): return np.min(x, axis=axis, keepdims=keepdims)
def plain_gate(a): return 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a * a * a)))
def plain_erf(a):
    """erf of what is at most 6 by its series; of more it is 1. Of complex numbers with a small imaginary part, too."""
    x = np.where(np.abs(np.real(a)) < 6, a, 6 * np.sign(np.real(a)) + 1e-300 * a)
    term = total = x * 1.0
    scale = np.exp(-x * x)  # erf(x) = 2/√π exp(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, all terms of one sign
    for n in range(1, 160):
        term = term * 2 * x * x / (2 * n + 1)
        total = total + term
    return 2 / np.sqrt(np.pi) * scale * total
def plain_clip(a, lo=None, hi=None):
    a = a if lo is None else np.where(np.real(a) < lo, lo, a)
    return a if hi is None else np.where(np.real(a) > hi, hi, a)
def plain_var(x, axis=None, ddof=0, keepdims=False):
    centre = np.mean(x, axis=axis, keepdims=True)
    n = np.sum(np.ones(np.shape(x)), axis=axis, keepdims=True).max(initial=0) - ddof
    return np.sum((x - centre) ** 2, axis=axis, keepdims=keepdims) / (n or 1)
def plain_linear(x, W, b=None):
    y = np.einsum("...i,oi->...o", x, W) if np.ndim(W) == 2 else np.einsum("sbi,soi->sbo", x, W)
    return y if b is None else y + (b if np.ndim(W) == 2 or np.ndim(b) == 3 else np.expand_dims(b, 1))

PLAIN: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in (
    "add subtract multiply divide power negative square sqrt exp expm1 log log1p sin cos tanh where matmul einsum sum mean reshape transpose "
    "swapaxes expand_dims squeeze broadcast_to concatenate stack split take diagonal prod sign "
    "tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh log2 log10 reciprocal sinc").split()} | {
    "abs": lambda a: np.where(np.real(a) < 0, -a, a),
    "maximum": lambda a, b: np.where(np.real(a) > np.real(b), a, b),
    "minimum": lambda a, b: np.where(np.real(a) < np.real(b), a, b),
    "clip": plain_clip,
    "sigmoid": lambda a: 0.5 + 0.5 * np.tanh(a / 2),
    "relu": lambda a: np.where(np.real(a) > 0, a, 0),
    "leaky_relu": lambda a, slope=0.01: np.where(np.real(a) > 0, a, slope * a),
    "elu": lambda a, alpha=1.0: np.where(np.real(a) > 0, a, alpha * (np.exp(a) - 1)),
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "gelu": lambda a: 0.5 * a * (1 + plain_erf(a / np.sqrt(2))), "gelu_tanh": lambda a: a * plain_gate(a),
    "erf": lambda a: plain_erf(a), "erfc": lambda a: 1 - plain_erf(a),
    "cbrt": lambda a: np.where(np.real(a) < 0, -1, 1) * np.where(np.real(a) < 0, -a, a) ** (1 / 3),
    "deg2rad": lambda a: a * (np.pi / 180), "rad2deg": lambda a: a * (180 / np.pi),
    "arctan2": lambda a, b: np.where(np.real(b) > 0, 0, np.where(np.real(a) < 0, -np.pi, np.pi)) + np.arctan(a / b),
    "hypot": lambda a, b: np.sqrt(a * a + b * b), "logaddexp": lambda a, b: np.log(np.exp(a) + np.exp(b)),
    "logaddexp2": lambda a, b: np.log2(2**a + 2**b),
    "fmax": lambda a, b: np.where(np.real(a) > np.real(b), a, b), "fmin": lambda a, b: np.where(np.real(a) < np.real(b), a, b),
    "remainder": lambda a, b: a - np.floor(np.real(a) / np.real(b)) * b, "fmod": lambda a, b: a - np.trunc(np.real(a) / np.real(b)) * b,
    "xlogy": lambda a, b: a * np.log(b), "exp2": lambda a: np.exp(a * np.log(2)),
    "linear": plain_linear, "var": plain_var, "max": plain_max, "min": plain_min,
    "getitem": lambda x, index: x[index], "astype": lambda x, dtype: x.astype(dtype),
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "softmax": lambda x, axis=-1: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True),
    "log_softmax": lambda x, axis=-1: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)),
}
# fmt: on

# ---------------------------------------------------------------- elementwise ops: 24 samples each, in all seven layouts

UNARY_SHAPES = [(3,), (2, 3), (2, 1, 3), (4,), (3, 2), (1, 4), (2, 2, 2), (5,)]
BINARY_SHAPES = [
    ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3), ()), ((), (3,)), ((3,), (2, 1)), ((2, 2, 3), (2, 1)), ((1,), (2, 3)),
]  # fmt: skip
SMOOTH = [(-1.5, 1.5), (-5.0, 5.0), (0.001, 0.1)]
POSITIVE = [(0.3, 2.5), (0.05, 0.5), (1.0, 9.0)]

# op: the intervals its operand, or its operands, are drawn from
UNARY: dict[str, list] = dict.fromkeys(
    "negative abs sign square sin cos tanh sigmoid relu softplus gelu exp expm1".split(), SMOOTH
)
UNARY |= {
    "sign": [(-1.5, 1.5), (-5.0, 5.0), (0.1, 0.2)],
    "sqrt": POSITIVE,
    "log": POSITIVE,
    "log1p": [(-0.7, 2.0), (-0.01, 0.01), (1.0, 9.0)],
}
BINARY: dict[str, tuple] = dict.fromkeys("add subtract multiply maximum minimum leaky_relu elu".split(), ((-1.5, 1.5), (-1.5, 1.5)))
BINARY |= {"divide": ((-1.5, 1.5), (0.4, 2.0)), "power": ((0.4, 2.0), (-2.0, 2.5)), "elu": ((-1.5, 1.5), (0.2, 1.5))}
# those of more_rows.py
MORE_UNARY: dict[str, list] = dict.fromkeys("gelu_tanh arctan sinh cosh arcsinh exp2 deg2rad rad2deg sinc erf erfc".split(), SMOOTH)
MORE_UNARY |= dict.fromkeys("arcsin arccos arctanh".split(), [(-0.9, 0.9), (0.3, 0.8), (-0.1, 0.1)])
MORE_UNARY |= dict.fromkeys("log2 log10 reciprocal cbrt".split(), POSITIVE)
MORE_UNARY |= {"arccosh": [(1.2, 2.0), (1.5, 9.0), (2.0, 3.0)], "tan": [(-1.2, 1.2), (1.8, 4.4), (0.001, 0.1)]}
MORE_BINARY: dict[str, tuple] = dict.fromkeys("arctan2 hypot logaddexp logaddexp2 fmax fmin".split(), ((-1.5, 1.5), (-1.5, 1.5)))
MORE_BINARY |= dict.fromkeys("remainder fmod xlogy".split(), ((-1.5, 1.5), (0.4, 2.0)))
OPERATORS = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv, "power": operator.pow,
             "negative": operator.neg, "abs": operator.abs, "matmul": operator.matmul, "getitem": operator.getitem}  # fmt: skip
NUMBERS_WELCOME = {*BINARY, *MORE_BINARY, "where", "clip"}


def forms(op: str) -> list[Callable[..., Any]]:
    """The ways to call an op on Tensors: our function, NumPy's, a method, an operator."""
    ours, numpys = vg.OPS[op], getattr(np, op, None)
    ways = [ours]
    ways += [numpys] if numpys is not None and op in PLAIN and op != "astype" else []
    ways += [OPERATORS[op]] if op in OPERATORS else [lambda x, *args, **kw: getattr(x, op)(*args, **kw)] if hasattr(vg.Tensor, op) else []
    return ways


def call_on(call: Callable, op: Callable) -> Callable:
    return partial(call, op)


def apply(op: Callable, *xs: Any) -> Any:
    return op(*xs)


class Collector:
    """Collects samples, taking the ways to call an op in turn."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}

    def add(self, op: str, label: str, call: Callable, arrays: Any, nodes: Any, layouts: Any) -> None:
        mine = self.samples.setdefault(op, [])
        ways = forms(op) if 0 in nodes else forms(op)[:1]
        way = ways[(len(mine) + len(mine) // 4) % len(ways)]
        label = f"{len(mine)}: {label}; nodes {nodes} of shapes {[x.shape for x in arrays]}"
        mine.append(Sample(op, label, call_on(call, way), call_on(call, PLAIN[op]), tuple(arrays), tuple(nodes), layouts))

    def entrywise(self, op: str, label: str, call: Callable, arrays: Any, nodes: Any) -> None:
        """An elementwise sample in all layouts: its entries also as numbers, with axes of size 1, and with an axis of size 0."""
        self.add(op, label, call, arrays, nodes, STRIDES)
        self.add(op, label, call, [x.flat[0].reshape(()) for x in arrays], nodes, ("0-d",))
        self.add(op, label, call, [x.reshape((1, *x.shape, 1)) if x.ndim else x for x in arrays], nodes, ("size 1",))
        self.add(op, label, call, [x[..., :0] if x.ndim and x.shape[-1] > 1 else np.zeros((0,)) if x.ndim == 0 and i == 0 else x
                                   for i, x in enumerate(arrays)], nodes, ("size 0",))  # fmt: skip

    def structural(
        self, op: str, call: Callable, *shapes: Any, label: str = "", layouts: Any = STRIDES, low: float = -1.5, high: float = 1.5
    ) -> None:
        """One sample for each choice of nodes."""
        for nodes in choices(len(shapes)):
            rng = np.random.default_rng(zlib.crc32(f"{op} {label} {shapes} {nodes}".encode()))
            arrays = [grid(rng, shape, low, high, (i + 0.5) / len(shapes)) for i, shape in enumerate(shapes)]
            self.add(op, label, call, arrays, nodes, layouts)


def further_samples(collect: Collector) -> None:
    rng = np.random.default_rng(20261129)
    for op, intervals in MORE_UNARY.items():
        for shape in UNARY_SHAPES[1:4]:
            for low, high in intervals:
                collect.entrywise(op, f"from {low} to {high}", apply, [grid(rng, shape, low, high)], (0,))
    for op, intervals in MORE_BINARY.items():
        for shapes in BINARY_SHAPES[:3] + BINARY_SHAPES[5:6]:
            for nodes in choices(2):
                arrays = [grid(rng, shape, *interval, offset) for shape, interval, offset in zip(shapes, intervals, (0.25, 0.75))]
                collect.entrywise(op, "", apply, arrays, nodes)
    a, lo, hi = (grid(rng, (2, 3), *interval) for interval in ((-1.5, 1.5), (-0.7, -0.3), (0.2, 0.6)))
    collect.entrywise("clip", "bounds that are nodes", apply, [a, lo, hi], (0, 1, 2))


def elementwise_samples(collect: Collector) -> None:
    rng = np.random.default_rng(20261123)
    for op, intervals in UNARY.items():
        for shape in UNARY_SHAPES:
            for low, high in intervals:
                collect.entrywise(op, f"from {low} to {high}", apply, [grid(rng, shape, low, high)], (0,))
    for op, intervals in BINARY.items():
        for shapes in BINARY_SHAPES:
            for nodes in choices(2):
                arrays = [grid(rng, shape, *interval, offset) for shape, interval, offset in zip(shapes, intervals, (0.25, 0.75))]
                collect.entrywise(op, "", apply, arrays, nodes)
    for shapes in BINARY_SHAPES:
        a, b = (grid(rng, shape, -1.5, 1.5, offset) for shape, offset in zip(shapes, (0.25, 0.75)))
        c = grid(rng, shapes[0], -1.0, 1.0)
        for nodes in choices(2):
            collect.entrywise("where", "condition constant", lambda op, c, a, b: op(c > 0, a, b), [c, a, b], tuple(i + 1 for i in nodes))
        collect.entrywise("where", "condition from a", lambda op, a, b: op(a > 0, a, b), [a, b], (0, 1))
        lo, hi = np.sort([grid(rng, shapes[1], -1.5, 1.5), grid(rng, shapes[1], -1.5, 1.5) + 0.011], axis=0)
        collect.entrywise("clip", "lo and hi arrays", apply, [a, lo, hi], (0,))
        collect.entrywise("clip", "numbers", lambda op, a: op(a, -0.5, 0.7), [a], (0,))
        collect.entrywise("clip", "hi only", lambda op, a, hi: op(a, None, hi), [a, hi], (0,))
    for op in ("leaky_relu", "elu"):
        collect.entrywise(op, "default", apply, [grid(rng, (2, 3), -1.5, 1.5)], (0,))
        collect.entrywise(op, "a number", lambda op, a: op(a, 0.3), [grid(rng, (2, 3), -1.5, 1.5)], (0,))
    for exponent in (2, 3, -1, -2, 0, 1, 0.5, 2.5):
        low = -1.5 if exponent == int(exponent) else 0.1
        collect.entrywise("power", f"to the {exponent}", lambda op, a, n=exponent: op(a, n), [grid(rng, (2, 3), low, 1.5)], (0,))
    collect.entrywise("power", "2 to the a", lambda op, a: 2**a, [grid(rng, (2, 3), -1.5, 1.5)], (0,))
    collect.entrywise(
        "power",
        "integer exponents as an array",
        lambda op, a: op(a, np.arange(3, dtype=np.float32)),
        [grid(rng, (2, 3), -1.5, 1.5)[:, :1]],
        (0,),
    )
    for op in ("add", "multiply"):
        collect.entrywise(op, "a with itself", lambda op, a: op(a, a), [grid(rng, (2, 3), -1.5, 1.5)], (0,))


# ---------------------------------------------------------------- structure, products, reductions


def reduction_samples(collect: Collector, op: str, keepdims: bool = True) -> None:
    """Axes None, one, negative, several; with and without keepdims; and the odd shapes."""
    add = partial(collect.structural, op)
    axes = [((4,), None), ((4,), 0), ((2, 3), None), ((2, 3), 0), ((2, 3), 1), ((2, 3), -1), ((2, 2, 3), 1), ((2, 3, 2), (0, 2)), ((2, 2, 3), (-1, 0)),
            ((3, 2), (0,)), ((2, 2, 2), 2), ((2, 1, 3), None)]  # fmt: skip
    for shape, axis in axes:
        for keep in (False, True):
            add(lambda f, x, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep), shape, label=f"axis={axis}, keepdims={keep}")
    for keep in (False, True):
        add(lambda f, x, keep=keep: f(x, axis=None, keepdims=keep), (), label=f"keepdims={keep}", layouts=("0-d",))
        add(lambda f, x, keep=keep: f(x, axis=1, keepdims=keep), (2, 1, 3), label=f"axis=1, keepdims={keep}", layouts=("size 1",))
        add(lambda f, x, keep=keep: f(x, axis=(0, 2), keepdims=keep), (1, 3, 1), label=f"axis=(0, 2), keepdims={keep}", layouts=("size 1",))
        add(lambda f, x, keep=keep: f(x, axis=1, keepdims=keep), (0, 3), label=f"axis=1, keepdims={keep}", layouts=("size 0",))
        if op in ("sum", "prod"):
            add(lambda f, x, keep=keep: f(x, axis=0, keepdims=keep), (0, 3), label=f"axis=0, keepdims={keep}", layouts=("size 0",))


def softmax_samples(collect: Collector, op: str) -> None:
    add = partial(collect.structural, op)
    for shape, axis in [((4,), -1), ((4,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 3), -1), ((2, 3, 2), 1), ((2, 3), (0, 1)), ((2, 3), None)]:
        add(lambda f, x, axis=axis: f(x, axis=axis), shape, label=f"axis={axis}")
        add(lambda f, x, axis=axis: f(x, axis=axis), shape, label=f"axis={axis}, wide", low=-8, high=8)
    add(lambda f, x: f(x, axis=None), (), layouts=("0-d",))
    add(lambda f, x: f(x), (2, 1), layouts=("size 1",))
    add(lambda f, x: f(x, axis=0), (2, 1), layouts=("size 1",))
    add(lambda f, x: f(x), (0, 3), layouts=("size 0",))


def product_samples(collect: Collector) -> None:
    add = partial(collect.structural, "matmul")
    for shapes in [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)),
                   ((2, 1, 2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 2, 3), (2, 3, 2))]:  # fmt: skip
        add(apply, *shapes)
    add(lambda f, x: f(x, x), (3, 3), label="A @ A")
    add(lambda f, x: f(x.T, x), (3, 2), label="Aᵀ A")
    add(
        lambda f, a, b: f(f(np.reshape(a, (1,)), np.reshape(a, (1, 1))), np.reshape(b, (1,))),
        (),
        (),
        label="two numbers as vectors",
        layouts=("0-d",),
    )
    for shapes in [((1, 1), (1, 1)), ((1, 3), (3, 1)), ((2, 1), (1, 3)), ((1,), (1,)), ((1, 2, 3), (2, 3, 2)), ((1, 2, 3), (4, 3, 1))]:
        add(apply, *shapes, layouts=("size 1",))
    for shapes in [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0,), (0,)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((2, 0), (0,))]:
        add(apply, *shapes, layouts=("size 0",))

    add = partial(collect.structural, "linear")
    for shapes in [((3,), (2, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (2, 3)), ((3,), (2, 3), (2,)), ((2, 3), (4, 3), (4,)), ((2, 2, 3), (2, 3), (2,)),
                   ((2, 2, 3), (2, 2, 3)), ((2, 2, 3), (2, 2, 3), (2, 2)),
                   ((2, 3), (4, 3), (2, 4)), ((2, 2, 3), (4, 3), (2, 2, 4)), ((2, 2, 3), (2, 4, 3), (2, 2, 4)), ((3, 2), (3, 2), (3, 3))]:  # fmt: skip
        add(apply, *shapes)
    add(lambda f, x, W: f(f(x, W), W), (2, 3), (3, 3), label="W used twice")
    add(lambda f, x, V, h, W, b: f(h, W, f(x, V, b)), (2, 3), (4, 3), (2, 4), (4, 4), (4,), label="one added to another")
    add(
        lambda f, x, W, b: f(np.reshape(x, (1,)), np.reshape(W, (1, 1)), np.reshape(b, (1,))),
        (),
        (),
        (),
        label="three numbers",
        layouts=("0-d",),
    )
    for shapes in [((1,), (1, 1), (1,)), ((1, 3), (1, 3), (1,)), ((1, 2, 3), (1, 2, 3), (1, 2)), ((2, 1), (3, 1)), ((1, 3), (1, 3), (1, 1))]:
        add(apply, *shapes, layouts=("size 1",))
    for shapes in [((0, 3), (2, 3), (2,)), ((2, 0), (3, 0), (3,)), ((2, 3), (0, 3), (0,)), ((0,), (2, 0)), ((2, 0, 3), (2, 2, 3), (2, 2)), ((0, 3), (2, 3), (0, 2))]:
        add(apply, *shapes, layouts=("size 0",))

    add = partial(collect.structural, "einsum")
    for text, *shapes in [
        ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("i,i", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
        ("ij->j", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)), ("ij,ij->i", (2, 3), (2, 3)), ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
        ("b...,...->b...", (2, 3), (3,)), ("i,ij,j->", (2,), (2, 3), (3,)), ("ij,j", (2, 3), (3,)), ("ij,k->i", (2, 3), (2,)), ("iii->", (2, 2, 2)),
        ("...->...", (2, 3)), ("ba", (2, 3)), ("i...,i...->...", (2, 3), (2, 1)), ("bhqd,bhkd->bhqk", (1, 2, 2, 3), (1, 2, 2, 3)),
    ]:  # fmt: skip
        add(lambda f, *xs, text=text: f(text, *xs), *shapes, label=text)
    add(lambda f, x: f("ij,jk->ik", x, x), (3, 3), label="one operand twice")
    add(lambda f, x, y: f(",->", x, y), (), (), label=",->", layouts=("0-d",))
    add(lambda f, x: f("->", x), (), label="->", layouts=("0-d",))
    add(lambda f, x, y: f("...,...", x, y), (), (2,), label="...,... with a number", layouts=("0-d",))
    for text, *shapes in [("ij,jk->ik", (1, 3), (3, 1)), ("ii->i", (1, 1)), ("...i,...i", (1, 3), (2, 3)), ("i,j->ij", (1,), (1,))]:
        add(lambda f, *xs, text=text: f(text, *xs), *shapes, label=text, layouts=("size 1",))
    for text, *shapes in [
        ("ij,jk->ik", (0, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 2)),
        ("i,i", (0,), (0,)),
        ("ii->i", (0, 0)),
        ("ij->j", (0, 3)),
    ]:
        add(lambda f, *xs, text=text: f(text, *xs), *shapes, label=text, layouts=("size 0",))


def structure_samples(collect: Collector) -> None:
    """op: (arguments, shape) …, first in all memory layouts, then the odd shapes."""
    rows: dict[str, list] = {
        "reshape": [((s,), x) for x, s in [((6,), (2, 3)), ((2, 3), (6,)), ((2, 3), -1), ((2, 3), (3, 2)), ((2, 3), (3, -1)), ((2, 2, 3), (4, 3)), ((2, 3), (2, 1, 3)), ((4,), (2, 2)), ((2, 3), (1, 6))]],
        "transpose": [((), (2, 3)), ((), (2, 2, 3)), (((1, 0),), (2, 3)), (((2, 0, 1),), (2, 3, 2)), (((0, 2, 1),), (2, 3, 2)), (((-1, 0, 1),), (2, 3, 2)), ((), (4,)), (((0, 1),), (2, 3))],
        "swapaxes": [((0, 1), (2, 3)), ((1, 0), (2, 3)), ((0, 2), (2, 3, 2)), ((-1, -2), (2, 3, 2)), ((1, 1), (2, 3)), ((0, -1), (2, 2, 3)), ((0, 0), (4,)), ((-1, 0), (3, 2))],
        "expand_dims": [((0,), (3,)), ((1,), (3,)), ((-1,), (3,)), ((0,), (2, 3)), ((1,), (2, 3)), (((0, 2),), (2, 3)), (((0, -1),), (2, 3)), ((3,), (2, 2, 3))],
        "squeeze": [((), (1, 3)), ((0,), (1, 3)), ((-1,), (3, 1)), ((1,), (2, 1, 3)), (((0, 2),), (1, 3, 1)), ((), (2, 3)), ((), (1, 2, 1, 3)), ((-2,), (2, 1, 3))],
        "broadcast_to": [(((2, 3),), (3,)), (((2, 3),), (2, 1)), (((2, 3),), (1, 3)), (((2, 2, 3),), (2, 1)), (((4,),), (4,)), (((3, 2, 2),), (2,)), (((2, 4),), (1, 4)), (((2, 3, 2),), (3, 1))],
        "split": [],
        "getitem": [((i,), x) for x, i in [
            ((4,), 1), ((4,), -1), ((4,), slice(1, 3)), ((4,), slice(None, None, -2)), ((2, 3), 0), ((2, 3), (1, 2)), ((2, 3), (slice(None), 1)), ((2, 3), (..., None, 0)),
            ((2, 3), (0, slice(None, None, 2))), ((4,), np.array([0, 2, 2, 1])), ((4,), [3, 0, 0]), ((2, 3), np.array([1, 1, 0])), ((2, 3), (np.array([0, 1, 0]), np.array([2, 2, 2]))),
            ((2, 3), (slice(None), np.array([[0, 2], [1, 1]]))), ((4,), np.array([True, False, True, True])), ((2, 3), np.array([[True, False, True], [False, True, True]])),
            ((2, 3), (np.array([False, True]), slice(None))), ((2, 2, 3), (np.array([0, 1, 1]), slice(None), np.array([1, 1, 2]))), ((2, 3), np.int64(1)), ((2, 3), (None, 1, None)),
            ((4,), np.array([-1, -4])), ((2, 3), np.array([0, 1]).reshape(2, 1)), ((2, 3), ()), ((3, 2), (slice(2, 0, -1), [1, 0]))]],
        "take": [(([0, 2, 2],), (4,)), (([0, 5, 5],), (2, 3)), (([1, 0, 1], 0), (2, 3)), (([2, 2], 1), (2, 3)), (([2, 0], -1), (2, 3)), ((1, 0), (2, 3)), ((np.array([[0, 1], [1, 0]]), 1), (2, 3)), (([0, -1], 1), (2, 3, 2))],
        "diagonal": [((), (3, 3)), ((), (2, 3)), ((1,), (3, 3)), ((-1,), (3, 3)), ((0, 1, 2), (2, 3, 3)), ((0, 0, 2), (2, 3, 2)), ((1, 0, 1), (3, 2)), ((), (2, 2, 3)), ((0, 1, 0), (2, 3))],
        "astype": [((d,), x) for x in [(4,), (2, 3), (2, 2, 3), (3, 1)] for d in (np.float32, np.float64, "float32")],
    }  # fmt: skip
    odd: dict[str, dict[str, list]] = {
        "reshape": {"0-d": [(((1,),), ()), (((),), ()), ((-1,), ()), (((1, 1),), ())], "size 1": [(((),), (1,)), (((1, 1, 2),), (2, 1)), (((3,),), (1, 3, 1))], "size 0": [(((0, 2),), (0, 3)), (((3, 0),), (0,)), ((-1,), (2, 0))]},
        "transpose": {"0-d": [((), ()), (((),), ())], "size 1": [((), (1, 3)), (((1, 2, 0),), (1, 2, 1))], "size 0": [((), (0, 3)), (((1, 0, 2),), (2, 0, 1))]},
        "swapaxes": {"0-d": [], "size 1": [((0, 1), (1, 3)), ((0, 2), (1, 2, 1))], "size 0": [((0, 1), (0, 3)), ((0, -1), (2, 1, 0))]},
        "expand_dims": {"0-d": [((0,), ()), ((-1,), ()), (((0, 1),), ())], "size 1": [((0,), (1,)), ((1,), (1, 1))], "size 0": [((0,), (0,)), ((-1,), (0, 3))]},
        "squeeze": {"0-d": [((), ())], "size 1": [((), (1,)), ((), (1, 1, 1)), ((0,), (1, 1)), (((0, -1),), (1, 2, 1))], "size 0": [((), (1, 0)), ((0,), (1, 0, 3)), ((), (0,))]},
        "broadcast_to": {"0-d": [(((),), ()), (((3,),), ()), (((2, 1, 2),), ())], "size 1": [(((1, 1),), (1,)), (((1, 3),), (1, 1)), ((1,), ())], "size 0": [(((0, 3),), (3,)), (((2, 0),), (2, 1)), (((0,),), ()), (((0,),), (1,))]},
        "getitem": {"0-d": [(((),), ()), ((...,), ()), ((None,), ()), (((None, None),), ())], "size 1": [((0,), (1,)), (((0, 0),), (1, 1)), ((np.array([0, 0, 0]),), (1,)), ((np.array([True]),), (1, 2))],
                    "size 0": [((slice(0, 0),), (3,)), ((np.array([], int),), (3,)), ((np.array([False, False]),), (2,)), ((slice(None),), (0, 3)), (((slice(None), 1),), (0, 3)), (([],), (3,))]},
        "take": {"0-d": [((0,), ()), (([0, 0],), ())], "size 1": [(([0, 0], 0), (1, 3)), (([0],), (1, 1))], "size 0": [((np.array([], int), 0), (2, 3)), (([1, 1], 1), (0, 3))]},
        "diagonal": {"0-d": [], "size 1": [((), (1, 1)), ((), (1, 3))], "size 0": [((), (0, 0)), ((), (0, 3)), ((3,), (2, 3)), ((0, 1, 2), (0, 2, 2))]},
        "astype": {"0-d": [((np.float32,), ()), ((np.float64,), ())], "size 1": [((np.float32,), (1, 1)), ((float,), (1,))], "size 0": [((np.float32,), (0, 3)), ((float,), (0,))]},
    }  # fmt: skip
    for op, table in rows.items():
        low = -2.0 if op == "astype" else -1.5
        for layouts, these in [(STRIDES, table), *((((layout,), more)) for layout, more in odd.get(op, {}).items())]:
            for args, shape in these:
                collect.structural(
                    op, lambda f, x, args=args: f(x, *args), shape, label=f"arguments {args}", layouts=layouts, low=low, high=-low
                )
                if op != "astype":  # a cast of x * x is rounded, so differences of it are not exact
                    collect.structural(
                        op, lambda f, x, args=args: f(x * x, *args) * 0.5, shape, label=f"x * x, arguments {args}", layouts=layouts
                    )
    # 0-d: the nearest sensible sample is a number given its axes just before
    collect.structural("swapaxes", lambda f, x: f(x.reshape((1, 1)), 0, 1), (), label="a number as (1, 1)", layouts=("0-d",))
    collect.structural("diagonal", lambda f, x: f(x.reshape((1, 1))), (), label="a number as (1, 1)", layouts=("0-d",))

    add = partial(collect.structural, "split")
    for shape, sections, axis, k in [
        ((4,), 2, 0, 0),
        ((4,), 2, 0, 1),
        ((2, 3), 3, 1, 1),
        ((2, 3), 3, -1, 2),
        ((2, 3), 2, 0, 1),
        ((5,), [2, 3], 0, 1),
        ((2, 3), [1], 1, 1),
        ((5,), [1, 1], 0, 1),
        ((2, 4), 2, 1, 0),
    ]:
        add(lambda f, x, s=sections, axis=axis, k=k: f(x, s, axis=axis)[k], shape, label=f"part {k} of {sections} along {axis}")
    add(lambda f, x: f(x, 2, axis=1)[0] * f(x, 2, axis=1)[1], (2, 4), label="the product of both halves")
    add(lambda f, x: f(x.reshape((1,)), 1)[0], (), label="a number as (1,)", layouts=("0-d",))
    add(lambda f, x: f(x, 1, axis=0)[0], (1, 3), label="one part", layouts=("size 1",))
    add(lambda f, x: f(x, [1], axis=1)[1], (1, 3), label="part 1", layouts=("size 1",))
    add(lambda f, x: f(x, 3, axis=1)[1], (0, 3), label="part 1", layouts=("size 0",))
    add(lambda f, x: f(x, [0], axis=0)[0], (3,), label="an empty part", layouts=("size 0",))
    add(lambda f, x: f(x, 2, axis=0)[1], (0, 3), label="halves of nothing", layouts=("size 0",))

    for op, shapes in {"concatenate": [((2,), (3,), 0), ((2, 3), (1, 3), 0), ((2, 3), (2, 1), 1), ((2, 3), (2, 2), -1), ((2, 1, 2), (2, 2, 2), 1)],
                       "stack": [((3,), (3,), 0), ((3,), (3,), 1), ((2, 3), (2, 3), -1), ((2, 3), (2, 3), 1), ((2, 3), (2, 3), 0)]}.items():  # fmt: skip
        add = partial(collect.structural, op)
        for a, b, axis in shapes:
            add(lambda f, x, y, axis=axis: f([x, y], axis=axis), a, b, label=f"axis={axis}")
        add(lambda f, x: f([x, x, 2 * x], axis=0), (2, 3), label="the same three times")
        add(lambda f, x, y, z: f((x, y, z)), (2, 2), (2, 2), (2, 2), label="a tuple of three")
        add(lambda f, x: f([x]), (2, 3), label="alone")
        add(lambda f, x, y: f([x, y]), (1,), (1,), label="vectors of one", layouts=("size 1",))
        add(lambda f, x, y: f([x, y], axis=1), (1, 3), (1, 3), label="rows", layouts=("size 1",))
        add(lambda f, x, y: f([x, y], axis=1), (0, 2), (0, 2), label="no rows", layouts=("size 0",))
        add(lambda f, x, y: f([x, y]), (0,), (0,), label="nothing", layouts=("size 0",))
    collect.structural("concatenate", lambda f, x, y: f([x, y], axis=None), (2, 3), (2,), label="axis=None")
    collect.structural("concatenate", lambda f, x, y: f([x, y], axis=None), (), (), label="axis=None", layouts=("0-d",))
    collect.structural("concatenate", lambda f, x, y: f([x, y]), (0, 3), (2, 3), label="nothing and something", layouts=("size 0",))
    collect.structural("stack", lambda f, x, y: f([x, y]), (), (), label="numbers", layouts=("0-d",))


def collected() -> dict[str, list[Sample]]:
    collect = Collector()
    elementwise_samples(collect)
    further_samples(collect)
    structure_samples(collect)
    product_samples(collect)
    for op in "sum mean max min prod var logsumexp".split():
        reduction_samples(collect, op)
    collect.structural("var", lambda f, x: f(x, axis=1, ddof=1), (2, 3), label="ddof=1")
    collect.structural(
        "prod",
        lambda f, x: f(x * np.array([1, 0, 1], x.dtype if x.dtype == np.float32 else float), axis=1),
        (2, 3),
        label="a zero in each row",
    )
    collect.structural(
        "prod",
        lambda f, x: f(x * np.array([1, 0, 0], x.dtype if x.dtype == np.float32 else float), axis=1),
        (2, 3),
        label="two zeros in each row",
    )
    for op in ("softmax", "log_softmax"):
        softmax_samples(collect, op)
    return collect.samples


SAMPLES = collected()
