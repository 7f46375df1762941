"""What are the networks of diagnosis.py made of?  Builders; and Build, which makes a network as planted or with one thing put right.

    x inputs   y targets   z pre-activations   p prediction   f activation   b a Build   V how many symbols   T steps

A recipe takes a Generator, draws sizes, scales and data, and returns `build`, a function of a Build that gives a Net. The same
recipe, generator and Build always give the same network; two Builds differ in the one thing that is put right, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from tinygrad_vg import Tensor, nn, softmax, training

RECIPES: dict[str, Recipe] = {}
GRID = np.linspace(-8.0, 8.0, 1601)


@dataclass(frozen=True)
class Recipe:
    """A way of planting a cause, and how many networks of it each half gets."""

    name: str
    label: str
    make: Callable[[np.random.Generator], Callable[[Build], Net]]
    count: int = 2


@dataclass
class Pass:
    """One forward pass. `source` is what verdict is asked about, `probe` the part of it that is farthest from the loss."""

    loss: Any
    prediction: Any
    source: Any
    probe: Any = None
    target: Any = None
    losses: list = field(default_factory=list)
    states: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.probe = self.source if self.probe is None else self.probe


@dataclass
class Net:
    """A network and its forward pass, to be repeated after its leaves have changed; facts: what only its proof needs."""

    model: Any
    forward: Callable[[], Pass]
    facts: dict = field(default_factory=dict)


def recipe(label: str, count: int = 2) -> Callable:
    """Enter a function of a Generator among the recipes."""

    def enter(make: Callable) -> Callable:
        RECIPES[make.__name__] = Recipe(make.__name__, label, make, count)
        return make

    return enter


class Build:
    """How a network is made: as planted (right=None), or with one thing put right.

    right   "cause"    what was planted is left out            "slopes"  slopes of activations are 1, their values as they were
            "weights"  matrices of the model are orthogonal
    watch   keep in `seen`, for every activation, which share of its slopes is flat (below a tenth of its best), and which is exactly 0
    """

    def __init__(self, right: str | None = None, watch: bool = False):
        self.right, self.watch, self.seen = right, watch, [(0.0, 0.0)]

    def either(self, planted: Any, sound: Any) -> Any:
        """What was planted, or what stands in its place where the cause is put right."""
        return sound if self.right == "cause" else planted

    def phi(self, f: Any) -> Callable:
        """The activation f, a name or a function."""
        f = nn.ACTIVATIONS.get(f, f) if isinstance(f, str) else f

        def activation(z: Any) -> Any:
            y = f(z)
            if self.watch:
                self.seen.append(flatness(f, numbers(z)))
            return z + (numbers(y) - numbers(z)) if self.right == "slopes" else y

        return activation

    def soft(self, scores: Any, mask: Any = 0.0) -> Any:
        """softmax(scores + mask); with slopes put right its derivative is that of scores of ordinary size."""
        p = softmax(scores + mask, axis=-1)
        if self.watch:
            best = p.data.max(axis=-1)
            self.seen.append((float(np.mean(best * (1 - best) < 0.025)), 0.0))
        if self.right != "slopes":
            return p
        mild = softmax(scores + (numbers(scores) / numbers(scores).std() - numbers(scores)) + mask, axis=-1)
        return mild + (p.data - mild.data)

    def weights(self, *models: Any, gain: float = 1.0) -> None:
        """Make the matrices orthogonal, times gain, if that is what is put right."""
        for leaf in [leaf for model in models for leaf in leaves(model)] if self.right == "weights" else []:
            if np.ndim(leaf) == 2 and isinstance(leaf, Tensor):
                leaf.data = gain * nn.init.orthogonal(leaf.shape, 7)


def flatness(f: Callable, z: np.ndarray) -> tuple[float, float]:
    """Of the slopes of f at z: which share is below a tenth of its best, if f is a bounded curve; which is 0, if f is made of lines."""
    best, bounded, lines = shape(f)
    slopes = np.abs(f(z + 1e-4) - f(z - 1e-4)) / 2e-4
    return float(np.mean(slopes < best / 10) * (bounded and not lines)), float(np.mean(slopes == 0) * lines)


@cache
def shape(f: Callable) -> tuple[float, bool, bool]:
    """By differences: the largest slope of f between -8 and 8; whether f is bounded; whether it is made of straight lines."""
    slopes, far = np.diff(f(GRID)) / np.diff(GRID), f(np.array([-300.0, 300.0])) - f(np.array([-150.0, 150.0]))
    return float(np.abs(slopes).max()), bool(np.abs(far).max() < 1), len(np.unique(slopes.round(6))) < 5


def numbers(x: Any) -> Any:
    """The plain numbers behind a node, or behind an array of Scalars."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.array([node.data for node in x.flat]).reshape(x.shape)
    return getattr(x, "data", x) if not isinstance(x, np.ndarray) else x


def leaves(model: Any) -> list:
    """The nodes of a model, a dictionary, a list or tuple, an array of Scalars, or of one node."""
    if isinstance(model, nn.Module):
        model = model.parameters()
    if isinstance(model, np.ndarray):
        return list(model.flat)
    if isinstance(model, (dict, list, tuple)):
        return [node for part in (model.values() if isinstance(model, dict) else model) for node in leaves(part)]
    return [model]


def criterion(p: Any, y: Any) -> Any:
    """Cross-entropy where y are classes, else the mean squared error."""
    return nn.cross_entropy(p, y) if np.asarray(y).dtype.kind == "i" else nn.mse(p, y)


def together(**modules: Any) -> dict[str, Any]:
    """{"cell.W_hh": leaf}: the parameters of several modules, or leaves, as one model."""
    every = {name: part.parameters() if isinstance(part, nn.Module) else {"": part} for name, part in modules.items()}
    return {f"{name}.{key}".strip("."): leaf for name, part in every.items() for key, leaf in part.items()}


def feed(b: Build, net: Any, x: Any, y: Any, ask: Any = "first", probe: Any = None, gain: float = 1.0) -> Net:
    """net(x) against y. ask: "model", "first" (its first weights), or a leaf."""
    b.weights(net, gain=gain)
    first = next(iter(net.parameters().values()))
    source = {"model": net, "first": first}[ask] if isinstance(ask, str) else ask
    probe = probe if probe is not None else first if isinstance(ask, str) else source

    def forward() -> Pass:
        p = net(x)
        return Pass(criterion(p, y), p, source, probe, y)

    return Net(net, forward)


def recur(
    b: Build, cell: Any, out: Any, xs: Any, y: Any, ask: str = "h0", every: bool = False, *, state: Any = None, embed: Any = None
) -> Net:  # fmt: skip
    """A cell over xs, read out at the end (y), or with `every` at each step (y[t]). ask: "h0", "model", or a weight's name."""
    b.weights(cell, out)
    model = together(cell=cell, out=out) | ({} if embed is None else {"E": embed})

    def forward() -> Pass:
        states = nn.unroll(cell, xs if embed is None else [embed[x] for x in xs], state() if state else None)
        read = [out(cell.output(h)) for h in (states[1:] if every else states[-1:])]
        losses = [criterion(p, t) for p, t in zip(read, y if every else [y])]
        source = {"h0": states[0], "model": model}[ask] if ask in ("h0", "model") else getattr(cell, ask)
        loss = sum(losses[1:], losses[0]) / float(len(losses)) if every else losses[0]
        return Pass(loss, read if every else read[0], source, states[0], y, losses, states)

    return Net(model, forward, {"cell": cell})


def known(net: Net, **facts: Any) -> Net:
    """The net, with facts for its proof."""
    net.facts.update(facts)
    return net


def small(start: dict[str, Any], passing: Callable[[dict[str, Tensor]], Pass], **facts: Any) -> Net:
    """A model in a dictionary, one leaf for each array, and its pass."""
    model = {name: Tensor(value, name=name) for name, value in start.items()}
    return Net(model, lambda: passing(model), facts)


def train(net: Net, steps: int, lr: float) -> Net:
    """So many steps of Adam, on every leaf of the model."""
    optimiser = training.Adam({str(k): leaf for k, leaf in enumerate(leaves(net.model))}, lr)
    for _ in range(steps):
        net.forward().loss.backward(keep=False)
        optimiser.step()
        optimiser.zero_grad()
    return net
