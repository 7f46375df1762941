"""How fast can it be?  The gradients of each workload derived by hand, in NumPy, in buffers made once.

Nothing is recorded; everything that is independent of the order of the steps is done at once (one product for all inputs, one
for a weight's gradient), the rest writes where it is needed. limit_scalars.py has the workloads without products.
Each class takes a workload; calling it returns the loss and the gradients, which the next call overwrites.

    h states or activations   d gradient at a pre-activation   g gradient at a state   p parameters   c constants   G gradients
"""

from __future__ import annotations

import numpy as np
from workloads import Workload

add, dot, exp, multiply, negative, reciprocal, subtract, tanh = (
    np.add, np.dot, np.exp, np.multiply, np.negative, np.reciprocal, np.subtract, np.tanh,
)  # fmt: skip
IN_CACHE = 30_000  # numbers: up to here slopes are taken for all steps at once, above it step by step


class Recurrent:
    """What the RNN and the LSTM share: buffers, all inputs in one product, the readout, the weights' gradients.

    Each adds forward(), the states from the inputs, and backward(), the d of every step from the last g.
    """

    def __init__(self, workload: Workload) -> None:
        self.p, c = workload.parameters, workload.constants
        self.T, (self.B, self.H) = len(c["inputs"]), c["start"].shape
        self.x, self.target = np.concatenate(c["inputs"]), c["target"]
        width = self.p["b"].size
        self.h = np.zeros((self.T + 1, self.B, self.H))
        self.z, self.d = np.empty((self.T, self.B, width)), np.empty((self.T, self.B, width))
        self.g = np.empty((self.B, self.H))
        self.hs, self.zs, self.ds, self.WhT = list(self.h), list(self.z), list(self.d), self.p["Wh"].T
        self.G = {name: np.empty_like(value) for name, value in self.p.items()}

    def __call__(self) -> tuple[float, dict]:
        z = self.z.reshape(len(self.x), -1)
        dot(self.x, self.p["Wx"], out=z)
        add(z, self.p["b"], out=z)
        self.forward()
        last, G = self.hs[-1], self.G
        error = last.dot(self.p["Wy"]) + self.p["by"] - self.target
        dot(last.T, error, out=G["Wy"])
        add.reduce(error, 0, out=G["by"])
        dot(error, self.p["Wy"].T, out=self.g)
        self.backward()
        d = self.d.reshape(len(self.x), -1)
        dot(self.h[:-1].reshape(len(d), -1).T, d, out=G["Wh"])
        dot(self.x.T, d, out=G["Wx"])
        add.reduce(d, 0, out=G["b"])
        return 0.5 * float(np.vdot(error, error)), G


class RNN(Recurrent):
    def forward(self) -> None:
        Wh, h = self.p["Wh"], self.hs[0]
        for z, after in zip(self.zs, self.hs[1:]):
            h.dot(Wh, after)
            add(after, z, after)
            h = tanh(after, after)

    def backward(self) -> None:
        g, WhT, at_once = self.g, self.WhT, self.h.size <= IN_CACHE
        if at_once:
            slopes(self.h[1:], self.d)
        for h, d in zip(self.hs[:0:-1], self.ds[::-1]):
            if not at_once:
                slopes(h, d)
            multiply(d, g, d)
            d.dot(WhT, g)


def slopes(y: np.ndarray, out: np.ndarray) -> None:
    """tanh′ where tanh is y."""
    multiply(y, y, out)
    subtract(1.0, out, out)


class LSTM(Recurrent):
    """All four gates in one array, activated by one tanh: sigmoid(z) = ½ + ½ tanh(½ z)."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        T, B, H = self.T, self.B, self.H
        candidate = np.arange(4 * H) // H == 2
        self.scale, self.shift = np.where(candidate, 1.0, 0.5), np.where(candidate, 0.0, 0.5)
        self.cells, self.tanhs = list(np.zeros((T + 1, B, H))), list(np.empty((T, B, H)))
        self.slope, self.part, self.g_cell = np.empty((B, 4 * H)), np.empty((B, H)), np.empty((B, H))
        self.gates, self.d_gates = [[[a[:, k : k + H] for k in range(0, 4 * H, H)] for a in block] for block in (self.zs, self.ds)]

    def forward(self) -> None:
        Wh, scale, shift, part, product = self.p["Wh"], self.scale, self.shift, self.part, self.slope
        h, cell = self.hs[0], self.cells[0]
        for z, (i, f, g, o), after, squashed, h_after in zip(self.zs, self.gates, self.cells[1:], self.tanhs, self.hs[1:]):
            dot(h, Wh, product)
            add(z, product, z)
            multiply(z, scale, z)
            tanh(z, z)
            multiply(z, scale, z)
            add(z, shift, z)
            multiply(f, cell, after)
            multiply(i, g, part)
            cell = add(after, part, after)
            tanh(cell, squashed)
            h = multiply(o, squashed, h_after)

    def backward(self) -> None:
        g, g_cell, part, slope, WhT, H = self.g, self.g_cell, self.part, self.slope, self.WhT, self.H
        candidate = slope[:, 2 * H : 3 * H]
        g_cell[:] = 0
        for t in range(self.T - 1, -1, -1):
            z, d, squashed, (i, f, c, o), (d_i, d_f, d_c, d_o) = self.zs[t], self.ds[t], self.tanhs[t], self.gates[t], self.d_gates[t]
            multiply(z, z, slope)
            subtract(z, slope, slope)
            slopes(c, candidate)
            multiply(g, squashed, d_o)
            slopes(squashed, part)
            multiply(part, o, part)
            multiply(part, g, part)
            add(g_cell, part, g_cell)
            multiply(g_cell, c, d_i)
            multiply(g_cell, self.cells[t], d_f)
            multiply(g_cell, i, d_c)
            multiply(d, slope, d)
            multiply(g_cell, f, g_cell)
            dot(d, WhT, g)


class MLP:
    """All layers have one width, so activations and gradients lie in two blocks."""

    def __init__(self, workload: Workload) -> None:
        self.p, self.labels = workload.parameters, workload.constants["labels"]
        x, depth = workload.constants["x"], len(workload.parameters) // 2 - 1
        self.h, self.d, self.g = np.empty((depth + 1, *x.shape)), np.empty((depth, *x.shape)), np.empty(x.shape)
        self.h[0], self.one = x, np.ones(x.shape)
        self.hs, self.ds = list(self.h), list(self.d)
        self.weights, self.biases = ([np.atleast_2d(self.p[f"{name}{k}"]) for k in range(depth)] for name in "Wb")
        self.transposed = [W.T for W in self.weights]
        self.GW, self.Gb = np.empty((depth, x.shape[1], x.shape[1])), np.empty((depth, x.shape[1]))
        self.G = {f"W{k}": G for k, G in enumerate(self.GW)} | {f"b{k}": G for k, G in enumerate(self.Gb)}

    def __call__(self) -> tuple[float, dict]:
        h, one = self.hs[0], self.one
        for W, b, after in zip(self.weights, self.biases, self.hs[1:]):
            h.dot(W, after)
            add(after, b, after)
            negative(after, after)
            exp(after, after)
            add(after, one, after)
            h = reciprocal(after, after)
        loss, error = cross_entropy(h.dot(self.p["Wy"]) + self.p["by"], self.labels)
        self.G |= {"Wy": h.T.dot(error), "by": add.reduce(error, 0)}
        dot(error, self.p["Wy"].T, self.g)
        self.backward(self.g)
        return loss, self.G

    def backward(self, g: np.ndarray) -> None:
        alone = len(g) == 1
        if alone:
            multiply(self.h[1:], self.h[1:], self.d)
            subtract(self.h[1:], self.d, self.d)
        for k in range(len(self.ds) - 1, -1, -1):
            h, d = self.hs[k + 1], self.ds[k]
            if not alone:
                multiply(h, h, d)
                subtract(h, d, d)
            multiply(d, g, d)
            if not alone:
                dot(self.hs[k].T, d, self.GW[k])
            if k:
                d.dot(self.transposed[k], g)
        if alone:
            multiply(self.h[:-1].transpose(0, 2, 1), self.d, self.GW)
        add.reduce(self.d, 1, out=self.Gb)


def cross_entropy(z: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss, and its gradient: softmax − one-hot."""
    p = exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    chosen = np.arange(len(labels)), labels
    loss = -float(np.log(p[chosen]).mean())
    p[chosen] -= 1
    return loss, p / len(labels)
