"""How would one write it without an engine?  Backpropagation as a textbook has it, in plain NumPy: the way, not the limit.

Nothing is made in advance, and each step adds its part to a weight's gradient. Only the workloads that are networks.

    h states or activations   d gradient at a pre-activation   g gradient at a state   p parameters   c constants   G gradients
"""

from __future__ import annotations

import numpy as np
from limit import cross_entropy
from workloads import Workload


class ByHand:
    """Takes a workload; calling it returns the loss and the gradients."""

    def __init__(self, workload: Workload) -> None:
        self.p, self.c = workload.parameters, workload.constants


class Recurrent(ByHand):
    """What the RNN and the LSTM share: the readout, and what a step adds to the weights' gradients."""

    def readout(self, h: np.ndarray) -> tuple[float, np.ndarray, dict]:
        """The loss, the gradient at the last state, and the weights' gradients so far."""
        p = self.p
        error = h @ p["Wy"] + p["by"] - self.c["target"]
        G = {name: np.zeros_like(W) for name, W in p.items()} | {"Wy": h.T @ error, "by": error.sum(axis=0)}
        return 0.5 * np.sum(error * error), error @ p["Wy"].T, G

    def add(self, G: dict, x: np.ndarray, h: np.ndarray, d: np.ndarray) -> None:
        G["Wx"] += x.T @ d
        G["Wh"] += h.T @ d
        G["b"] += d.sum(axis=0)


class RNN(Recurrent):
    def __call__(self) -> tuple[float, dict]:
        p, xs, hs = self.p, self.c["inputs"], [self.c["start"]]
        for x in xs:
            hs.append(np.tanh(x @ p["Wx"] + hs[-1] @ p["Wh"] + p["b"]))
        loss, g, G = self.readout(hs[-1])
        for x, before, h in zip(xs[::-1], hs[-2::-1], hs[::-1]):
            d = g * (1 - h * h)
            self.add(G, x, before, d)
            g = d @ p["Wh"].T
        return loss, G


class LSTM(Recurrent):
    def __call__(self) -> tuple[float, dict]:
        p, xs, h = self.p, self.c["inputs"], self.c["start"]
        cell, steps = h, []
        for x in xs:
            z = x @ p["Wx"] + h @ p["Wh"] + p["b"]
            i, f, u, o = np.split(z, 4, axis=1)
            i, f, u, o, old = sigmoid(i), sigmoid(f), np.tanh(u), sigmoid(o), cell
            cell = f * old + i * u
            steps.append((x, h, old, i, f, u, o, np.tanh(cell)))
            h = o * steps[-1][-1]
        loss, g, G = self.readout(h)
        gc = np.zeros_like(h)
        for x, before, old, i, f, u, o, s in reversed(steps):
            gc = gc + g * o * (1 - s * s)
            d = np.hstack([gc * u * i * (1 - i), gc * old * f * (1 - f), gc * i * (1 - u * u), g * s * o * (1 - o)])
            self.add(G, x, before, d)
            g, gc = d @ p["Wh"].T, gc * f
        return loss, G


class MLP(ByHand):
    def __call__(self) -> tuple[float, dict]:
        p, hs, G = self.p, [self.c["x"]], {}
        depth = len(p) // 2 - 1
        for k in range(depth):
            hs.append(sigmoid(hs[-1] @ p[f"W{k}"] + p[f"b{k}"]))
        loss, error = cross_entropy(hs[-1] @ p["Wy"] + p["by"], self.c["labels"])
        G |= {"Wy": hs[-1].T @ error, "by": error.sum(axis=0)}
        g = error @ p["Wy"].T
        for k in reversed(range(depth)):
            d = g * hs[k + 1] * (1 - hs[k + 1])
            G |= {f"W{k}": hs[k].T @ d, f"b{k}": d.sum(axis=0)}
            g = d @ p[f"W{k}"].T
        return loss, G


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))
