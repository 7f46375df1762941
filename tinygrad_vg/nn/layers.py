"""What does a layer do?  y = x Wᵀ + b.

    x  input      y  output      W  weights (out, in)      b  bias (out,)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff.derivatives import relu, sigmoid, tanh
from ..autodiff.products import linear
from ..autodiff.tensor import Tensor
from . import init as initial

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu, "linear": lambda z: z}


class Module:
    """Something with parameters: attributes that are leaves, and modules inside it."""

    def parameters(self) -> dict[str, Any]:
        """{name: leaf}, in the order of assignment; of a module inside, 'module.name'."""
        named: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Module):
                named |= {f"{name}.{inner}": leaf for inner, leaf in value.parameters().items()}
            elif isinstance(value, Tensor) or isinstance(value, np.ndarray) and value.dtype == object:
                named[name] = value
        return named


class Linear(Module):
    """y = x Wᵀ + b.

    x (n_in,) or (batch, n_in)  →  y (n_out,) or (batch, n_out).  init: a name or function of nn.init; leaf: Tensor or scalars;
    name is put before the parameters' names, as in `hidden.W`.
    """

    def __init__(self, n_in: int, n_out: int, init: Any = "xavier", *, leaf: Any = Tensor, rng: Any = 0, name: str = ""):
        rng = np.random.default_rng(rng)
        prefix = name + "." if name else ""
        self.W = leaf(initial.of_name(init)((n_out, n_in), rng), name=prefix + "W")
        self.b = leaf(np.zeros(n_out), name=prefix + "b")

    def __call__(self, x: Any) -> Any:
        return linear(x, self.W, self.b)


def activation_of(name: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function behind `activation="tanh"`; a function is passed through. ValueError for an unknown name."""
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be a function or one of {', '.join(ACTIVATIONS)}; got {name!r}")
    return ACTIVATIONS[name]
