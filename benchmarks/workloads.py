"""What is measured?  Nine models, each written once, in words that every system knows how to say.

A workload is parameters, constants, and a loss(E, p, c): E says tanh, sigmoid, affine, … in the words of one system, p are the
parameters as that system's leaves, c the constants as it likes them. Everything is float64, batch first, x @ W.

    x input   h state   c cell state (of the LSTM)   z pre-activation   T steps   H hidden units   B batch
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SMALL = 4  # no size exceeds it when a workload is only to be checked


@dataclass
class Workload:
    """kind: "products" (of matrices), "elementwise" (arrays, no product), "scalars" (one node per number)."""

    form: str  # which of the hand-written ones is its limit
    kind: str
    parameters: dict[str, Any]
    loss: Callable[[Any, dict, dict], Any]
    constants: dict[str, Any] = field(default_factory=dict)


def make(name: str, small: bool = False) -> Workload:
    """The workload of that name, at its size or at a tiny one."""
    model, sizes, _ = WORKLOADS[name]
    return model(**{size: min(n, SMALL) if small else n for size, n in sizes.items()})


def recurrent(form: str, T: int, H: int, B: int, loss: Callable, gates: int = 1) -> Workload:
    """What the RNN and the LSTM share: their parameters (of all gates side by side), inputs, target; the loss is on the last step."""
    rng = np.random.default_rng(7)
    parameters = {
        "Wx": 0.5 * rng.normal(size=(2, gates * H)),
        "Wh": np.hstack([np.linalg.qr(rng.normal(size=(H, H)))[0] for _ in range(gates)]),
        "b": 0.1 * rng.normal(size=gates * H),
        "Wy": rng.normal(size=(H, 2)) / math.sqrt(H),
        "by": np.zeros(2),
    }
    constants = {"inputs": list(0.5 * rng.normal(size=(T, B, 2))), "start": np.zeros((B, H)), "target": rng.normal(size=(B, 2))}
    return Workload(form, "products", parameters, loss, constants)


def rnn(T: int, H: int, B: int) -> Workload:
    def loss(E: Any, p: dict, c: dict) -> Any:
        Wx, Wh, b, h = p["Wx"], p["Wh"], p["b"], c["start"]
        for x in c["inputs"]:
            h = E.tanh(E.recurrent(x, Wx, h, Wh, b))
        return halved_square(E, E.affine(h, p["Wy"], p["by"]) - c["target"])

    return recurrent("rnn", T, H, B, loss)


def lstm(T: int, H: int, B: int) -> Workload:
    def loss(E: Any, p: dict, c: dict) -> Any:
        Wx, Wh, b, h = p["Wx"], p["Wh"], p["b"], c["start"]
        tanh, sigmoid, cell = E.tanh, E.sigmoid, h
        for x in c["inputs"]:
            i, f, g, o = E.gates(E.recurrent(x, Wx, h, Wh, b), H)
            cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(cell)
        return halved_square(E, E.affine(h, p["Wy"], p["by"]) - c["target"])

    workload = recurrent("lstm", T, H, B, loss, gates=4)
    workload.parameters["b"][H : 2 * H] += 1  # the forget gate starts open
    return workload


def halved_square(E: Any, error: Any) -> Any:
    return E.total(error * error) * 0.5


def mlp(depth: int, width: int, B: int) -> Workload:
    """Sigmoids that neither vanish nor explode: weights four times the usual, biases that centre them (docs/theory.md)."""
    rng, classes, parameters = np.random.default_rng(7), 10, {}
    for k in range(depth):
        parameters[f"W{k}"] = W = 4 * rng.normal(size=(width, width)) / math.sqrt(width)
        parameters[f"b{k}"] = -0.5 * W.sum(axis=0)
    parameters |= {"Wy": rng.normal(size=(width, classes)) / math.sqrt(width), "by": np.zeros(classes)}

    def loss(E: Any, p: dict, c: dict) -> Any:
        h, sigmoid, affine = c["x"], E.sigmoid, E.affine
        for k in range(depth):
            h = sigmoid(affine(h, p[f"W{k}"], p[f"b{k}"]))
        return E.cross_entropy(affine(h, p["Wy"], p["by"]), c["labels"])

    return Workload("mlp", "products", parameters, loss, {"x": rng.random((B, width)), "labels": rng.integers(0, classes, B)})


def quadratic(start: Any, steps: int) -> Workload:
    """x ← x·x + x, so often that only the cost of recording and sweeping an op is left. (From −½ the gradient would be 0.)"""

    def loss(E: Any, p: dict, c: dict) -> Any:
        x = p["x"]
        for _ in range(steps):
            x = x * x + x
        return E.total(x) if np.ndim(start) else x

    return Workload("quadratic", "elementwise", {"x": np.array(start)}, loss, {"steps": steps})


def sigmoids(steps: int) -> Workload:
    def loss(E: Any, p: dict, c: dict) -> Any:
        x, w, sigmoid = p["x"], p["w"], E.sigmoid
        for _ in range(steps):
            x = sigmoid(x * w)
        return x

    return Workload("sigmoids", "scalars", {"x": 0.5, "w": 0.98}, loss, {"steps": steps})


def moons(points: int, H: int) -> Workload:
    """micrograd's own example: two half moons, a 2-H-H-1 net of relu units, hinge loss and a pull towards small weights."""
    rng, sizes, parameters = np.random.default_rng(7), [2, H, H, 1], {}
    for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        parameters |= {f"W{k}[{i},{j}]": float(rng.uniform(-1, 1)) for i in range(n_out) for j in range(n_in)}
        parameters |= {f"b{k}[{i}]": float(rng.uniform(-0.1, 0.1)) for i in range(n_out)}
    angle, signs = np.linspace(0, math.pi, points), np.where(np.arange(points) % 2, 1, -1)
    upper, lower = np.stack([np.cos(angle), np.sin(angle)]), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)])
    places = (np.where(signs < 0, upper, lower) + 0.1 * rng.normal(size=(2, points))).T

    def loss(E: Any, p: dict, c: dict) -> Any:
        net, hinges = layers(p, sizes), []
        for place, sign in zip(places.tolist(), signs.tolist()):
            a = [E.number(x) for x in place]
            for k, layer in enumerate(net):
                z = [sum((w * x for w, x in zip(row, a)), b) for row, b in layer]
                a = [E.relu(one) for one in z] if k < 2 else z
            hinges.append(E.relu(1 + -sign * a[0]))
        return sum(hinges) * (1.0 / points) + 1e-4 * sum(w * w for w in p.values())

    return Workload("moons", "scalars", parameters, loss, {"places": places.tolist(), "signs": signs.tolist(), "sizes": sizes})


def layers(p: dict, sizes: list[int]) -> list:
    """Of each layer, of each unit: its weights and its bias."""
    return [
        [([p[f"W{k}[{i},{j}]"] for j in range(n_in)], p[f"b{k}[{i}]"]) for i in range(n_out)]
        for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]))
    ]


def single(steps: int) -> Workload:
    return quadratic(-0.4, steps)


def four(steps: int) -> Workload:
    return quadratic([-0.4, -0.3, -0.2, -0.1], steps)


WORKLOADS = {  # fmt: skip
    "S1": (moons, {"points": 100, "H": 16}, "moons, MLP 2-16-16-1, 65,000 nodes"),
    "S2": (sigmoids, {"steps": 10_000}, "sigmoid(0.98 x), 10,000 times"),
    "T1": (rnn, {"T": 100, "H": 32, "B": 1}, "tanh RNN, T 100, 32 units, batch 1"),
    "T2": (rnn, {"T": 100, "H": 128, "B": 32}, "tanh RNN, T 100, 128 units, batch 32"),
    "T3": (mlp, {"depth": 50, "width": 128, "B": 64}, "sigmoid MLP, depth 50, width 128, batch 64"),
    "T4": (mlp, {"depth": 200, "width": 16, "B": 1}, "sigmoid MLP, depth 200, width 16, batch 1"),
    "T5": (lstm, {"T": 100, "H": 64, "B": 16}, "LSTM, T 100, 64 units, batch 16"),
    "T6a": (single, {"steps": 1_000}, "x x + x, 1,000 times, one number"),
    "T6b": (four, {"steps": 1_000}, "x x + x, 1,000 times, four numbers"),
}
