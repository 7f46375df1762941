"""How does each system say it?  Leaves, constants, a few words, a backward pass: what the workloads need, and nothing else.

program(workload) is a call that goes forward, backward, and returns the loss and the gradients; what it recorded is freed when it
returns. Every system is used as its own documentation would have it, with what makes it quick: torch with one thread and with addmm,
MyGrad without memory guards. A package that is missing raises ImportError.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import limit
import limit_scalars as scalars
import numpy as np
from workloads import Workload

ALL = ("scalars", "elementwise", "products")


class Limit:
    """Not an engine: gradients by hand, the measure of the others."""

    kinds = ALL
    programs = {"rnn": limit.RNN, "lstm": limit.LSTM, "mlp": limit.MLP, "moons": scalars.Moons, "sigmoids": scalars.Sigmoids}

    def program(self, workload: Workload) -> Any:
        if workload.form == "quadratic":
            return (scalars.Quadratic if workload.parameters["x"].ndim else scalars.SingleQuadratic)(workload)
        return self.programs[workload.form](workload)


class Engine:
    """What most engines share; in the words of one with .backward() and .grad, and arrays as constants."""

    kinds: tuple[str, ...] = ALL
    leaf: Any
    matmul: Any
    number: Any = staticmethod(lambda x: x)
    constant: Any = number
    total: Any = staticmethod(lambda x: x.sum())

    def program(self, workload: Workload) -> Any:
        p = {name: self.leaf(value) for name, value in workload.parameters.items()}
        c = {name: self.converted(value) for name, value in workload.constants.items()}

        def step() -> tuple[Any, dict]:
            for leaf in p.values():
                self.forget(leaf)
            loss = workload.loss(self, p, c)
            return loss.data, self.gradients(loss, p)

        return step

    def gradients(self, loss: Any, p: dict[str, Any]) -> dict[str, Any]:
        self.backward(loss)
        return {name: leaf.grad for name, leaf in p.items()}

    def converted(self, value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            return [self.constant(x) for x in value]
        return self.constant(value) if isinstance(value, np.ndarray) else value

    def forget(self, leaf: Any) -> None:
        leaf.grad = None

    def backward(self, loss: Any) -> None:
        loss.backward()

    def affine(self, x: Any, W: Any, b: Any) -> Any:
        return self.matmul(x, W) + b

    def recurrent(self, x: Any, Wx: Any, h: Any, Wh: Any, b: Any) -> Any:
        return self.matmul(x, Wx) + self.matmul(h, Wh) + b

    def gates(self, z: Any, H: int) -> Any:
        return z[:, :H], z[:, H : 2 * H], z[:, 2 * H : 3 * H], z[:, 3 * H :]

    @staticmethod
    def plain(gradient: Any) -> np.ndarray:
        """A gradient as the array that is compared."""
        return np.asarray(gradient, dtype=float)


class Ours(Engine):
    """tinygrad_vg with the ops of any engine: x @ W + b."""

    kinds = ("elementwise", "products")

    def __init__(self) -> None:
        import tinygrad_vg as vg

        self.leaf, self.matmul, self.tanh, self.sigmoid = vg.Tensor, vg.matmul, vg.tanh, vg.sigmoid
        self.cross_entropy, self.linear = vg.nn.cross_entropy, vg.linear

    def forget(self, leaf: Any) -> None:
        leaf.zero_grad()

    def backward(self, loss: Any) -> None:
        loss.backward(keep=False)  # leaves only, as torch


class Linear(Ours):
    """tinygrad_vg with its own linear, which has W (out, in): one node for a layer."""

    kinds = ("products",)

    def program(self, workload: Workload) -> Any:
        turned = {name: np.ascontiguousarray(value.T) for name, value in workload.parameters.items()}
        step = super().program(Workload(workload.form, workload.kind, turned, workload.loss, workload.constants))

        def turned_back() -> tuple[Any, dict]:
            loss, gradients = step()
            return loss, {name: gradient.T for name, gradient in gradients.items()}

        return turned_back

    def affine(self, x: Any, W: Any, b: Any) -> Any:
        return self.linear(x, W, b)

    def recurrent(self, x: Any, Wx: Any, h: Any, Wh: Any, b: Any) -> Any:
        return self.linear(x, Wx, b) + self.linear(h, Wh)


class Scalars(Ours):
    """tinygrad_vg, one node per number."""

    kinds = ("scalars",)

    def __init__(self) -> None:
        from tinygrad_vg import Scalar

        self.leaf, self.sigmoid, self.relu = Scalar, Scalar.sigmoid, Scalar.relu

    def backward(self, loss: Any) -> None:
        loss.backward()  # every node's gradient, as micrograd


class Torch(Engine):
    """PyTorch, eager."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, self.constant = torch, torch.tensor
        self.matmul, self.tanh, self.sigmoid, self.relu, self.total = torch.mm, torch.tanh, torch.sigmoid, torch.relu, torch.sum
        self.cross_entropy = torch.nn.functional.cross_entropy

    def leaf(self, value: Any) -> Any:
        return self.torch.tensor(value, dtype=self.torch.float64, requires_grad=True)


class Addmm(Torch):
    """PyTorch with its own node for a layer: the peer of our linear."""

    kinds = ("products",)

    def affine(self, x: Any, W: Any, b: Any) -> Any:
        return self.torch.addmm(b, x, W)

    def recurrent(self, x: Any, Wx: Any, h: Any, Wh: Any, b: Any) -> Any:
        addmm = self.torch.addmm
        return addmm(addmm(b, x, Wx), h, Wh)

    def gates(self, z: Any, H: int) -> Any:
        return z.chunk(4, 1)


class Autograd(Engine):
    """HIPS autograd: gradients of a function of arrays. Its sigmoid wants SciPy; it is given one as one node, as there."""

    def __init__(self) -> None:
        import autograd.extend
        import autograd.numpy as anp

        self.make_vjp, self.np, self.sigmoid = autograd.make_vjp, anp, autograd.extend.primitive(lambda x: 1 / (1 + np.exp(-x)))
        autograd.extend.defvjp(self.sigmoid, lambda y, x: lambda g: g * y * (1 - y))
        self.matmul, self.tanh, self.total = anp.dot, anp.tanh, anp.sum

    def relu(self, x: Any) -> Any:
        return self.np.maximum(x, 0.0)

    def cross_entropy(self, z: Any, labels: Any) -> Any:
        z = z - self.np.max(z, axis=1, keepdims=True)
        return self.np.mean(self.np.log(self.np.sum(self.np.exp(z), axis=1)) - z[np.arange(len(labels)), labels])

    def program(self, workload: Workload) -> Any:
        names, values = list(workload.parameters), list(workload.parameters.values())

        def loss(values: Any) -> Any:
            return workload.loss(self, {name: values[k] for k, name in enumerate(names)}, workload.constants)

        def step() -> tuple[Any, dict]:
            pull, value = self.make_vjp(loss)(values)
            return value, dict(zip(names, pull(np.ones_like(value))))

        return step


class MyGrad(Engine):
    """MyGrad without its memory guards, its own advice where time matters."""

    kinds = ("elementwise", "products")

    def __init__(self) -> None:
        import mygrad
        from mygrad.nnet.activations import sigmoid
        from mygrad.nnet.losses import softmax_crossentropy

        mygrad.turn_memory_guarding_off()
        self.leaf, self.matmul, self.tanh, self.total = mygrad.tensor, mygrad.matmul, mygrad.tanh, mygrad.sum
        self.sigmoid, self.cross_entropy = sigmoid, softmax_crossentropy

    def forget(self, leaf: Any) -> None:
        leaf.null_grad()


class Micrograd(Engine):
    """micrograd; it has no sigmoid, so it is given one in its own manner, and a longer stack, for it recurses over the graph."""

    kinds = ("scalars",)

    def __init__(self) -> None:
        from micrograd.engine import Value

        sys.setrecursionlimit(1_000_000)
        self.Value, self.leaf, self.number, self.relu = Value, Value, Value, Value.relu

    def forget(self, leaf: Any) -> None:
        leaf.grad = 0

    def sigmoid(self, x: Any) -> Any:
        y = self.Value(s := 1 / (1 + math.exp(-x.data)), (x,), "sigmoid")

        def backward() -> None:
            x.grad += s * (1 - s) * y.grad

        y._backward = backward
        return y


SYSTEMS = {
    "limit": Limit, "ours": Ours, "linear": Linear, "scalars": Scalars, "torch": Torch, "addmm": Addmm,
    "autograd": Autograd, "mygrad": MyGrad, "micrograd": Micrograd,
}  # fmt: skip
PACKAGES = {"torch": "torch", "addmm": "torch", "autograd": "autograd", "mygrad": "mygrad", "micrograd": "micrograd"}
