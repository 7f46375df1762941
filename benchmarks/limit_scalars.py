"""How fast can it be, number by number?  The workloads without matrix products, their gradients derived by hand.

Where a workload is made of single numbers, they are Python floats here: quicker than NumPy, and what an engine of scalars has.
Each class takes a workload; calling it returns the loss and the gradients.

    a activations   z pre-activation   g gradient at an activation   p parameters   G gradients
"""

from __future__ import annotations

from math import exp
from operator import mul

import numpy as np
from workloads import Workload, layers


class Quadratic:
    """x ← x·x + x on an array; its slope is 2 x + 1."""

    def __init__(self, workload: Workload) -> None:
        start, steps = workload.parameters["x"], workload.constants["steps"]
        self.x, self.slope = np.empty((steps + 1, *start.shape)), np.empty((steps, *start.shape))
        self.x[0] = start
        self.xs, self.slopes, self.g = list(self.x), list(self.slope), np.empty(start.shape)

    def __call__(self) -> tuple[float, dict]:
        x, multiply, add, g = self.xs[0], np.multiply, np.add, self.g
        for after in self.xs[1:]:
            multiply(x, x, after)
            x = add(after, x, after)
        add(self.x[:-1], self.x[:-1], self.slope)
        add(self.slope, 1.0, self.slope)
        g.fill(1.0)
        for slope in reversed(self.slopes):
            multiply(g, slope, g)
        return float(x.sum()), {"x": g}


class SingleQuadratic:
    def __init__(self, workload: Workload) -> None:
        self.start, self.steps = float(workload.parameters["x"]), workload.constants["steps"]

    def __call__(self) -> tuple[float, dict]:
        xs, x, g = [], self.start, 1.0
        for _ in range(self.steps):
            xs.append(x)
            x = x * x + x
        for before in reversed(xs):
            g *= before + before + 1.0
        return x, {"x": g}


class Sigmoids:
    def __init__(self, workload: Workload) -> None:
        self.p, self.steps = workload.parameters, workload.constants["steps"]

    def __call__(self) -> tuple[float, dict]:
        x, w = self.p["x"], self.p["w"]
        xs = [x]
        for _ in range(self.steps):
            x = 1.0 / (1.0 + exp(-x * w))
            xs.append(x)
        g, g_w, y = 1.0, 0.0, xs.pop()
        for before in reversed(xs):
            g *= y * (1.0 - y)
            g_w += g * before
            g *= w
            y = before
        return x, {"x": g, "w": g_w}


class Moons:
    """Sums of products run in C, through sum(map(mul, …)); a point beyond the margin costs no backward pass."""

    def __init__(self, workload: Workload) -> None:
        self.p, self.sizes = workload.parameters, workload.constants["sizes"]
        self.points = list(zip(workload.constants["places"], workload.constants["signs"]))

    def __call__(self) -> tuple[float, dict]:
        net, total, p = layers(self.p, self.sizes), 0.0, self.p
        sums = [([[0.0] * len(row) for row, _ in layer], [0.0] * len(layer)) for layer in net]
        [(last, bias)] = net[2]
        for place, sign in self.points:
            second = hidden(net[1], first := hidden(net[0], place))
            hinge = 1 - sign * sum(map(mul, last, second), bias)
            if hinge > 0:
                total += hinge
                back(net, sums, (place, first, second), -sign / len(self.points))
        return total / len(self.points) + 1e-4 * sum(map(mul, p.values(), p.values())), self.gathered(sums)

    def gathered(self, sums: list) -> dict[str, float]:
        """The sums over the points by name, and the pull of each parameter towards 0."""
        G = {f"W{k}[{i},{j}]": g for k, (rows, _) in enumerate(sums) for i, row in enumerate(rows) for j, g in enumerate(row)}
        G |= {f"b{k}[{i}]": g for k, (_, biases) in enumerate(sums) for i, g in enumerate(biases)}
        return {name: G[name] + 2e-4 * value for name, value in self.p.items()}


def hidden(layer: list, inputs: list) -> list:
    return [z if (z := sum(map(mul, row, inputs), b)) > 0 else 0.0 for row, b in layer]


def back(net: list, sums: list, activations: tuple, seed: float) -> None:
    """Add one point's gradients; the layer above hands its g down, and units that are off are passed over."""
    g = [seed]
    for k in (2, 1, 0):
        (rows, biases), inputs, below = sums[k], activations[k], [0.0] * len(activations[k])
        for i, g_i in enumerate(g):
            if g_i:
                biases[i] += g_i
                rows[i] = [s + g_i * a for s, a in zip(rows[i], inputs)]
                if k:
                    below = [s + g_i * w for s, w in zip(below, net[k][i][0])]
        g = [g_j if a > 0 else 0.0 for g_j, a in zip(below, inputs)]
