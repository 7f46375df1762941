"""What does a layer do?  y = x Wᵀ + b, a row of a table, an activation, a skip connection, dropout.

    x  input      y  output      z  pre-activation      W  weights (out, in)      b  bias (out,)

A model is a Module: an object whose attributes are leaves, arrays, and other modules. Calling it is its formula.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autodiff.core import Node, plain
from ..autodiff.more_rows import gelu, gelu_tanh
from ..autodiff.products import linear
from ..autodiff.reductions import numbers_of
from ..autodiff.structure import getitem, reshape
from ..autodiff.table import elu, leaky_relu, relu, sigmoid, softplus, tanh, where
from ..autodiff.tensor import Tensor
from . import init as initial


def identity(z: Any) -> Any:
    """z itself: no activation."""
    return z


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": sigmoid, "tanh": tanh, "relu": relu, "linear": identity,
    "leaky_relu": leaky_relu, "elu": elu, "gelu": gelu, "gelu_tanh": gelu_tanh, "softplus": softplus, "identity": identity}


class Module:
    """Something with parameters: attributes that are leaves, and modules inside it, also in lists and dicts.

    Attributes that are arrays of plain numbers are buffers: kept with the weights, never given a gradient.
    `training` says which way layers behave that differ in training and use (BatchNorm, Dropout); train() and eval() set it.
    A model copies with copy.deepcopy.

    >>> class Twice(Module):
    ...     def __init__(self):
    ...         self.first, self.rest = Linear(2, 3), [Linear(3, 1)]
    >>> list(Twice().parameters())
    ['first.W', 'first.b', 'rest.0.W', 'rest.0.b']
    """

    training = True

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no formula; give it as a method __call__ (in PyTorch it is called forward)")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; TypeError where something computed would take the place of a leaf, so that parameters() lost it."""
        if isinstance(value, (Node, np.ndarray)) and is_leaf(vars(self).get(name)) and not (is_leaf(value) or is_buffer(value)):
            step = f"net.{name}.data = net.{name}.data - 0.1 * net.{name}.grad (and hand a state on as an argument, as in h = cell(x, h))"
            raise TypeError(f"{name} is a leaf; a computed node in its place would be no parameter. Assign its values: {step}")
        object.__setattr__(self, name, value)

    def parameters(self) -> dict[str, Any]:
        """{name: leaf}, of a module inside 'module.name'. A leaf used in two places appears once, by its first name."""
        named: dict[int, tuple[str, Any]] = {}
        for path, module in self.modules():
            for name, part in module.parts():
                if is_leaf(part):
                    named.setdefault(id(part), (path + name, part))
        return dict(named.values())

    def buffers(self) -> dict[str, np.ndarray]:
        """{name: array}, of a module inside 'module.name'."""
        return {path + name: part for path, module in self.modules() for name, part in vars(module).items() if is_buffer(part)}

    def state_dict(self) -> dict[str, np.ndarray]:
        """{name: a copy, as a plain array} of every parameter and buffer: all that load_weights needs."""
        every = {name: numbers_of(plain(leaf)) for name, leaf in self.parameters().items()} | self.buffers()
        return {name: np.array(x, order="C") for name, x in every.items()}

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {'×'.join(map(str, leaf.shape)) or '1'}" for name, leaf in self.parameters().items())
        return f"{type(self).__name__}({shapes if len(shapes) <= 120 else f'{len(self.parameters())} parameters'})"

    def train(self, mode: bool = True) -> Any:
        """From now on, behave as in training; returns the model."""
        for _, module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Any:
        """From now on, behave as in use: running statistics, no dropout; returns the model."""
        return self.train(False)

    def modules(self) -> Iterator[tuple[str, "Module"]]:
        """(path, module): this one, whose path is '', then those inside, each once; their paths end in a dot."""
        seen: set[Module] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if module not in seen:
                seen.add(module)
                yield path, module
                stack += [(f"{path}{name}.", part) for name, part in [*module.parts()][::-1] if isinstance(part, Module)]

    def parts(self) -> Iterator[tuple[str, Any]]:
        """(name, value) of every attribute; lists, tuples and dicts are opened, however deep: 'layers.0'."""
        stack = [*vars(self).items()][::-1]
        while stack:
            name, value = stack.pop()
            if isinstance(value, (list, tuple, dict)):
                pairs = value.items() if isinstance(value, dict) else enumerate(value)
                stack += [(f"{name}.{key}", part) for key, part in pairs][::-1]
            else:
                yield name, value


class Linear(Module):
    """y = x Wᵀ + b.

    x (n_in,), (batch, n_in) or (…, n_in)  →  y, n_out in the place of n_in.  init: a name or function of nn.init; leaf: Tensor or
    scalars; name is put before the parameters' names, as in `hidden.W`.  bias=False: no b.  seeds: see `generators`; then x is
    (seeds, batch, n_in) or (seeds, …, n_in).
    """

    def __init__(self, n_in: int, n_out: int, init: Any = "xavier",
                 *, bias: bool = True, leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = ""):
        self.W, self.b = weight_and_bias((n_out, n_in), init, ("W", "b"), bias=bias, leaf=leaf, rng=rng, seeds=seeds, name=name)

    def __call__(self, x: Any) -> Any:
        return affine(x, self.W, self.b)


class Embedding(Module):
    """y = W[i]: the row of a table that belongs to word i. The others get no gradient.

    i  whole numbers from 0 to n − 1, of any shape (…)  →  y (…, d).  weight (n, d) ~ N(0, 1), as PyTorch's; leaf, name: see Linear.
    With seeds the same words are looked up in every run: (seeds, …, d).  TypeError or ValueError for what is no word.
    """

    def __init__(self, n: int, d: int, *, leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = ""):
        self.n, rng = n, generators(rng, seeds)
        self.weight = leaf(each(rng, lambda rng: rng.normal(size=(n, d))), name=(name and name + ".") + "weight")

    def __call__(self, i: Any) -> Any:
        return embedding(self.weight, i)


def embedding(weight: Any, i: Any, padding: int = -1) -> Any:
    """The rows i of weight (n, d), or (seeds, n, d); that of `padding`, if it is one, gets no gradient."""
    i = whole(i, np.shape(weight)[-2])
    y = getitem(weight, (slice(None),) * (np.ndim(weight) - 2) + (i,))
    return where(i[..., None] == padding, plain(y), y) if padding >= 0 and np.any(i == padding) else y


def one_hot(i: Any, n: int) -> np.ndarray:
    """Rows of the identity, a plain array (…, n): 1.0 at place i, 0.0 elsewhere. i: whole numbers from 0 to n − 1, of any shape."""
    return np.eye(n)[whole(i, n)]


class Residual(Module):
    """y = x + a f(x): the gradient has a way past f (He et al. 2016).

    f  a module, or any function whose output has the shape of its input; a: a number, or a leaf to be learned.

        ∂y/∂x = I + a ∂f/∂x
    """

    def __init__(self, f: Callable[[Any], Any], a: Any = 1.0):
        self.f, self.a = f, a

    def __call__(self, x: Any) -> Any:
        y = self.f(x)
        if np.shape(y) != np.shape(x):
            raise ValueError(f"a residual block adds f(x) to x, so both need one shape; got f(x) {np.shape(y)} and x {np.shape(x)}")
        return x + self.a * y


class Dropout(Module):
    """In training y = x · mask / (1 − p), each entry of the mask 0 with probability p, else 1: E y = x. In use y = x.

    The mask is a constant of the graph (Srivastava et al. 2014, the inverted form). ValueError unless 0 ≤ p < 1.
    """

    def __init__(self, p: float, rng: Any = 0, *, seeds: Any = None):
        if not 0 <= p < 1:
            raise ValueError(f"dropout needs 0 ≤ p < 1, the share of entries set to 0; got {p}")
        self.p, self.rng = p, generators(rng, seeds)

    def __call__(self, x: Any) -> Any:
        if not self.training or self.p == 0:
            return x
        shape = np.shape(x) if isinstance(self.rng, np.random.Generator) else np.shape(x)[1:]
        mask = each(self.rng, lambda rng: rng.random(shape) >= self.p)
        return x * mask / (1 - self.p)


def weight_and_bias(shape: tuple[int, ...], init: Any, names: tuple[str, str] = ("weight", "bias"), *, bias: bool = True,
                    leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = "") -> tuple[Any, Any]:
    """Two leaves, or with bias=False one and None: a weight (out, in, …), drawn as the matrix (out, in · …), and a bias (out,) of zeros."""
    rng, start, prefix, n = generators(rng, seeds), initial.of_name(init), name and name + ".", shape[0]
    W = leaf(each(rng, lambda rng: initial.drawn(start, (n, math.prod(shape[1:])), rng).reshape(shape)), name=prefix + names[0])
    return W, leaf(each(rng, lambda rng: np.zeros(n)), name=prefix + names[1]) if bias else None


def affine(x: Any, W: Any, b: Any = None) -> Any:
    """y = x Wᵀ + b on the last axis; with an axis of seeds, whatever axes lie between it and the last."""
    if W.ndim < 3 or np.ndim(x) < 4:  # np.ndim(W) would take as long as half of linear(x, W, b)
        return linear(x, W, b)
    first, *between, n = np.shape(x)
    return reshape(linear(reshape(x, (first, -1, n)), W, b), (first, *between, np.shape(W)[-2]))


def whole(i: Any, n: int, what: str = "indices") -> np.ndarray:
    """i as an array of whole numbers; TypeError if they are none, ValueError unless they lie from 0 to n − 1."""
    i = np.asarray(plain(i))
    if i.dtype.kind not in "iu":
        raise TypeError(f"{what} must be whole numbers from 0 to {n - 1}; got {i.dtype}")
    if i.size and not (0 <= i.min() and i.max() < n):
        raise ValueError(f"{what} must lie between 0 and {n - 1}; got {i.min()} to {i.max()}")
    return i


def activation_of(name: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function behind `activation="tanh"`; a function is passed through. ValueError for an unknown name."""
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be a function or one of {', '.join(ACTIVATIONS)}; got {name!r}")
    return ACTIVATIONS[name]


def generators(rng: Any, seeds: Any) -> Any:
    """Where random numbers come from: one Generator, or with seeds a list of them, one for each run of a leading axis.

    seeds  a list such as range(20): run s is the model that rng=seeds[s] gives; or how many runs, split off from rng.
    A list of Generators stays as it is.  ValueError if seeds are none.
    """
    if isinstance(rng, list) and rng and isinstance(rng[0], np.random.Generator):
        return rng
    if seeds is None:
        return np.random.default_rng(rng)
    counted = isinstance(seeds, (int, np.integer))
    if seeds < 1 if counted else not len(seeds):
        raise ValueError(f"seeds is a list such as range(20), or how many runs, 1 or more; got {seeds!r}")
    return np.random.default_rng(rng).spawn(int(seeds)) if counted else [np.random.default_rng(seed) for seed in seeds]


def each(rng: Any, draw: Callable[["np.random.Generator"], np.ndarray]) -> np.ndarray:
    """draw(rng); with a list of generators one draw from each, stacked along a leading axis."""
    return draw(rng) if isinstance(rng, np.random.Generator) else np.stack([draw(one) for one in rng])


def named(x: Any, base: str, *index: int) -> Any:
    """x with the name base[index], or base[index,i] for each Scalar of an object array; what has a name keeps it."""
    if isinstance(x, Node) and x.name is None:
        x.named(base, *index)
    elif isinstance(x, np.ndarray) and x.dtype == object:
        for place, node in np.ndenumerate(x):
            named(node, base, *index, *place)
    return x


def is_leaf(x: Any) -> bool:
    """Whether x is a leaf: a Scalar or Tensor that no op made, or an object array of such Scalars."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return x.size > 0 and all(map(is_leaf, x.flat))
    return isinstance(x, Node) and x.rule is None


def is_buffer(x: Any) -> bool:
    """Whether x is an array of plain numbers."""
    return isinstance(x, np.ndarray) and x.dtype != object
