"""How does a recorded graph become a PyTorch module?  For diagnosis_peers.py: layers and activations by name, the rest as constants.

A matrix that multiplies from the right, or is given to linear, becomes an nn.Linear, an activation its module, an op torch's own, and
what only moves numbers or adds them (sum, mean, getitem, …) a constant matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tinygrad_vg import Scalar, history

MODULES = {
    "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "elu": torch.nn.ELU,
    "softplus": torch.nn.Softplus, "leaky_relu": torch.nn.LeakyReLU,
}  # fmt: skip
OPS = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "negative": torch.neg, "exp": torch.exp,
    "log": torch.log, "sqrt": torch.sqrt, "square": torch.square, "abs": torch.abs, "sign": torch.sign, "matmul": torch.matmul,
    "maximum": torch.maximum, "power": torch.pow, "linear": torch.nn.functional.linear,
}  # fmt: skip
LARGEST = 4_000_000  # entries of a constant matrix


class Replay(torch.nn.Module):
    """A recorded loss as a module: forward(one) computes it again, times one. ValueError for a graph that it cannot express."""

    def __init__(self, loss: Any):
        super().__init__()
        self.order = history(loss)
        if any(isinstance(node, Scalar) for node in self.order):
            raise ValueError("Scalars")
        self.place = {node: k for k, node in enumerate(self.order)}
        self.uses: dict[Any, set] = {node: set() for node in self.order if node.op == "leaf"}
        for node in self.order:
            for k, parent in enumerate(node.parents):
                if self.inside(parent) and parent.op == "leaf":
                    self.uses[parent].add((node.op, k))
        self.made: dict[Any, torch.nn.Parameter] = {}
        self.steps = [self.step(node) for node in self.order]

    def inside(self, x: Any) -> bool:
        """Whether x is a node of the graph, not a constant."""
        return isinstance(x, type(self.order[-1])) and x in self.place

    def in_layers(self, leaf: Any) -> bool:
        """Whether a leaf is nothing but the matrix or bias of layers: W in x W, or W and b of linear."""
        if not self.inside(leaf) or leaf.op != "leaf":
            return False
        return self.uses[leaf] == {("matmul", 1)} and leaf.ndim == 2 or self.uses[leaf] in ({("linear", 1)}, {("linear", 2)})

    def parameter(self, leaf: Any) -> torch.nn.Parameter:
        """The parameter of a leaf, as an nn.Linear wants it: x W has W.T there."""
        turned = self.in_layers(leaf) and self.uses[leaf] == {("matmul", 1)}
        return self.made.setdefault(leaf, torch.nn.Parameter(torch.tensor(leaf.data.T.copy() if turned else leaf.data)))

    def step(self, node: Any) -> Callable[[list], torch.Tensor]:
        """How the value of a node comes from those before it."""
        if node.op == "leaf":
            return self.leaf(node)
        if node.op in ("linear", "matmul") and all(map(self.in_layers, node.parents[1:])):
            return self.layer(node)
        if node.op in MODULES:
            return self.activation(node)
        inputs = [self.reader(parent, node) for parent in node.parents]
        if node.op == "where":
            return lambda values: torch.where(inputs[0](values) != 0, inputs[1](values), inputs[2](values))
        if node.op == "logsumexp":
            return lambda values: torch.logsumexp(inputs[0](values), -1).reshape(node.shape)
        return (lambda values: OPS[node.op](*[read(values) for read in inputs])) if node.op in OPS else self.moved(node)

    def leaf(self, node: Any) -> Callable[[list], torch.Tensor]:
        """A leaf: a parameter of the module, unless layers have it."""
        if not self.in_layers(node):
            self.register_parameter(f"leaf_{self.place[node]}", self.parameter(node))
        return lambda values: self.made.get(node)

    def reader(self, parent: Any, node: Any) -> Callable[[list], Any]:
        """How an operand is read: a value of before, or a constant, as a buffer."""
        if self.inside(parent):
            return lambda values, k=self.place[parent]: values[k]
        array, name = np.asarray(parent), f"constant_{self.place[node]}_{len(self._buffers)}"
        self.register_buffer(name, torch.tensor(array.astype(node.dtype) if array.dtype != bool else array))
        return lambda values: getattr(self, name)

    def layer(self, node: Any) -> Callable[[list], torch.Tensor]:
        """An nn.Linear, one for each matrix and bias."""
        x, *leaves = node.parents
        name = "layer_" + "_".join(str(self.place[leaf]) for leaf in leaves)
        if name not in self._modules:
            module = torch.nn.Linear(1, 1, bias=len(leaves) > 1)
            for kind, leaf in zip(("weight", "bias"), leaves):
                setattr(module, kind, self.parameter(leaf))
            self.add_module(name, module)
        read = self.reader(x, node)
        return lambda values: self._modules[name](read(values))

    def activation(self, node: Any) -> Callable[[list], torch.Tensor]:
        """A module for each op and layer that it follows."""
        read, settings = self.reader(node.parents[0], node), [float(x) for x in node.parents[1:]]
        name = f"{node.op}_{self.origin(node.parents[0])}"
        if name not in self._modules:
            self.add_module(name, MODULES[node.op](*settings))
        return lambda values: self._modules[name](read(values))

    def origin(self, x: Any) -> int:
        """The place of the last matrix that leads to x, so that the steps of a recurrence share a module."""
        for _ in range(4):
            if not self.inside(x) or not x.parents:
                break
            if len(x.parents) > 1 and self.inside(x.parents[1]) and x.parents[1].op == "leaf":
                return self.place[x.parents[1]]
            x = next((parent for parent in x.parents if self.inside(parent)), x)
        return self.place.get(x, 0) if self.inside(x) else 0

    def moved(self, node: Any) -> Callable[[list], torch.Tensor]:
        """What moves numbers and adds them, as constant matrices. ValueError if they are too large."""
        if sum(node.size * edge.parent.size for edge in node.edges) > LARGEST:
            raise ValueError(f"{node.op} is too large")
        pairs = [(self.place[edge.parent], torch.tensor(edge.local.dense().astype(node.dtype))) for edge in node.edges]
        indices = [(k, J.argmax(1) if bool(((J == 1).sum(1) == 1).all() and (J.abs().sum(1) == 1).all()) else J) for k, J in pairs]
        return lambda values: sum(taken(values[k].reshape(-1), J) for k, J in indices).reshape(node.shape)

    def forward(self, one: torch.Tensor) -> torch.Tensor:
        values: list = []
        for step in self.steps:
            values.append(step(values))
        return values[-1] * one


def taken(x: torch.Tensor, J: torch.Tensor) -> torch.Tensor:
    """J x; or the entries of x that J counts, so that a nan stays where it is."""
    return x[J] if J.dtype == torch.int64 else J @ x
