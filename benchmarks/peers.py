"""How do the others say it?  Each as its own documentation would have it, with what makes it quick.

torch with one thread and with addmm, autograd's own primitives, jax.jit, MyGrad without memory guards. What is missing raises ImportError.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from engine import Engine
from workloads import Workload


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


class Jax(Autograd):
    """jax.jit: not eager, but compiled before it is timed, loops unrolled. What a compiler makes of the same models."""

    kinds = ("products",)

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax, self.np, self.sigmoid = jax, jax.numpy, jax.nn.sigmoid
        self.matmul, self.tanh, self.total = jax.numpy.matmul, jax.numpy.tanh, jax.numpy.sum

    def program(self, workload: Workload) -> Any:
        function = self.jax.jit(self.jax.value_and_grad(lambda p: workload.loss(self, p, workload.constants)))
        parameters = {name: self.np.asarray(value) for name, value in workload.parameters.items()}
        return lambda: self.jax.block_until_ready(function(parameters))


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
