"""How does each system say it?  The limit and ours here, the peers in peers.py.

program(workload) is a call that goes forward, backward, and returns the loss and the gradients; what it recorded is freed when it
returns.
"""

from __future__ import annotations

from typing import Any

import by_hand
import limit
import limit_scalars as scalars
import numpy as np
from engine import ALL, Engine
from peers import Addmm, Autograd, Jax, Micrograd, MyGrad, Torch
from workloads import Workload


class Limit:
    """Not an engine: gradients by hand, the measure of the others."""

    kinds: tuple[str, ...] = ALL
    programs: dict[str, Any] = {
        "rnn": limit.RNN, "lstm": limit.LSTM, "mlp": limit.MLP, "moons": scalars.Moons, "sigmoids": scalars.Sigmoids,
    }  # fmt: skip

    def program(self, workload: Workload) -> Any:
        if workload.form == "quadratic":
            return (scalars.Quadratic if workload.parameters["x"].ndim else scalars.SingleQuadratic)(workload)
        return self.programs[workload.form](workload)


class ByHand(Limit):
    """The same gradients as one would write them, without an eye on the clock."""

    kinds = ("products",)
    programs = {"rnn": by_hand.RNN, "lstm": by_hand.LSTM, "mlp": by_hand.MLP}


class Ours(Engine):
    """tinygrad_vg with the ops of any engine: x @ W + b."""

    kinds = ("elementwise", "products")

    def __init__(self) -> None:
        import tinygrad_vg as vg

        self.leaf, self.matmul, self.tanh, self.sigmoid = vg.Tensor, vg.matmul, vg.tanh, vg.sigmoid
        self.cross_entropy, self.linear = vg.nn.cross_entropy, vg.linear

    def constant(self, value: np.ndarray) -> np.ndarray:
        """Read-only, so that it is not copied whenever it is used: as the others make it a tensor once."""
        value = value.copy()
        value.setflags(write=False)
        return value

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
        return self.linear(h, Wh, self.linear(x, Wx, b))


class Scalars(Ours):
    """tinygrad_vg, one node per number."""

    kinds = ("scalars",)

    def __init__(self) -> None:
        from tinygrad_vg import Scalar

        self.leaf, self.sigmoid, self.relu = Scalar, Scalar.sigmoid, Scalar.relu

    def backward(self, loss: Any) -> None:
        loss.backward()  # every node's gradient, as micrograd


class Written:
    """Not the engine: it records once, and the program that by_hand writes of it is run."""

    kinds = ALL
    options: dict[str, bool] = {}

    def program(self, workload: Workload) -> Any:
        from tinygrad_vg import by_hand

        engine = Scalars() if workload.kind == "scalars" else Ours()
        p = {name: engine.leaf(value) for name, value in workload.parameters.items()}
        c = {name: engine.converted(value) for name, value in workload.constants.items()}
        written = by_hand(workload.loss(engine, p, c), p, **self.options)
        names = {id(leaf): name for name, leaf in p.items()}

        def step() -> tuple[Any, dict]:
            loss, gradients = written()
            found = {}
            for argument, leaf in written.leaves.items():
                pairs = zip(leaf, gradients[argument]) if isinstance(leaf, list) else [(leaf, gradients[argument])]
                found |= {names[id(x)]: g for x, g in pairs}
            return loss, found

        return step


class Stacked(Written):
    """The same, what is summed over the steps as one product."""

    options = {"stack": True}


SYSTEMS = {
    "limit": Limit, "hand": ByHand, "ours": Ours, "linear": Linear, "scalars": Scalars, "written": Written, "stacked": Stacked,
    "torch": Torch, "addmm": Addmm, "autograd": Autograd, "mygrad": MyGrad, "micrograd": Micrograd, "jax": Jax,
}  # fmt: skip
PACKAGES = {"torch": "torch", "addmm": "torch", "autograd": "autograd", "mygrad": "mygrad", "micrograd": "micrograd", "jax": "jax"}
