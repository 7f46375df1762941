"""What does a benchmark ask of an engine?  Leaves, constants, a few words and a backward pass; what most of them share."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import Workload

ALL = ("scalars", "elementwise", "products")


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
