"""How does a gradient become a step, and how large is it?  Each rule is its formula; what it remembers between steps is in s.

    w  parameter      g  gradient      s  memory of one parameter      lr  learning rate

Formulas, defaults and the place of eps as in PyTorch 2.13. A parameter without a gradient stays as it is.
A schedule is a function t → learning rate, t the steps taken so far, in place of a number: SGD(parameters, lr=cosine(0.1, steps=1000)).
"""

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..nn.models import parameters_of
from ..nn.weights import assign
from .leaves import assign_gradients, gradients_of, value, values

Schedule = Callable[[int], float]


class Optimiser:
    """What all share: parameters (of a model, {name: leaf}, or leaves), a learning rate (or a schedule), and for each parameter a
    memory, s: arrays of its shape, at first 0, and s.t, how often it was updated.

    t  steps taken so far      rate  the learning rate of the next step

    A rule of your own is a subclass with two lines: the names it remembers, and `update`. That returns the new w and sets s.v to new
    arrays; the old ones are read-only, for until all parameters are done nothing has changed.
    """

    remembers: tuple[str, ...] = ()
    alpha = eps = momentum = weight_decay = 0.0  # what a rule may have for settings

    def __init__(self, parameters: Any, lr: float | Schedule, **settings: float):
        for name, x in {"lr": 0.0 if callable(lr) else lr, **settings}.items():
            if not 0 <= x < np.inf:
                raise ValueError(f"{name} must be a number from 0 on; got {x}")
        self.parameters, self.lr, self.t = parameters_of(parameters), lr, 0
        for name, x in settings.items():
            setattr(self, name, float(x))
        blank = {name: {slot: np.zeros_like(w) for slot in self.remembers} for name, w in values(self.parameters).items()}
        self.memory = {name: SimpleNamespace(t=0, **slots) for name, slots in blank.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.parameters)} parameters, lr={self.rate:g}, {self.t} steps taken)"

    @property
    def rate(self) -> float:
        """The learning rate of step t: lr, or lr(t) of a schedule."""
        return float(self.lr(self.t) if callable(self.lr) else self.lr)

    def step(self) -> None:
        """Update every parameter that has a gradient; RuntimeError if none of them has one.

        All is computed first, then put in place at once: an exception or Ctrl-C leaves everything as before the step, or as after it.
        """
        lr, gradients = self.rate, gradients_of(self.parameters)
        if self.parameters and not gradients:
            raise RuntimeError(f"no gradient to follow: {', '.join(self.parameters)} have none; call loss.backward() before step()")
        memory, new = self.memory | {name: remembered(self.memory[name]) for name in gradients}, {}
        for name, g in gradients.items():
            memory[name].t += 1
            new[name] = self.update(value(self.parameters[name]), g, memory[name], lr)
        assign(self.parameters, new, [(self, "memory", memory), (self, "t", self.t + 1)])

    def update(self, w: Any, g: Any, s: Any, lr: float) -> Any:
        """The new value of one parameter."""
        raise TypeError(f"{type(self).__name__} needs update(w, g, s, lr), which returns the new value")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        assign_gradients(self.parameters, dict.fromkeys(self.parameters))

    def state_dict(self) -> dict[str, np.ndarray]:
        """All that the next step depends on but the parameters and lr, as arrays: t, and for each parameter W.t, W.v, …"""
        slots = {f"{name}.{slot}": np.array(x) for name, s in self.memory.items() for slot, x in vars(s).items()}
        return {"t": np.array(self.t), **slots}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what state_dict() gave; ValueError, and nothing changed, unless all names, shapes and dtypes fit."""
        assign({}, {}, self.new_state(state))

    def new_state(self, state: Mapping[str, Any]) -> list[tuple[Any, str, Any]]:
        """What of this optimiser changes, once all of `state` has been found to fit."""
        state = {key: np.asarray(x) for key, x in state.items()}
        check_fits(state, self.state_dict(), type(self).__name__)
        slots = {name: {slot: state[f"{name}.{slot}"].copy() for slot in vars(s)} for name, s in self.memory.items()}
        memory = {name: SimpleNamespace(**s | {"t": int(s["t"])}) for name, s in slots.items()}
        return [(self, "memory", memory), (self, "t", int(state["t"]))]


class SGD(Optimiser):
    """Gradient descent, with a running sum of gradients if momentum > 0.

    nesterov      look ahead: step along the gradient plus the momentum to come (Sutskever et al. 2013)
    weight_decay  adds weight_decay · w to the gradient: the slope of l2_penalty
    ValueError for a negative setting, or nesterov without momentum.
    """

    remembers = ("v",)

    def __init__(self, parameters: Any, lr: float | Schedule, momentum: float = 0.0, *, nesterov: bool = False, weight_decay: float = 0.0):
        if nesterov and not momentum:
            raise ValueError("nesterov needs momentum; pass momentum=0.9 or so")
        super().__init__(parameters, lr, momentum=momentum, weight_decay=weight_decay)
        self.nesterov = nesterov

    def update(self, w: Any, g: Any, s: Any, lr: float) -> Any:
        """v ← μ v + g;  w ← w − lr v, or w − lr (g + μ v) by Nesterov; g with weight decay."""
        g = g + self.weight_decay * w
        s.v = self.momentum * s.v + g
        return w - lr * (g + self.momentum * s.v if self.nesterov else s.v)


class RMSProp(Optimiser):
    """Each gradient divided by its own running size (Tieleman & Hinton 2012, lecture 6e)."""

    remembers = ("v", "m")

    def __init__(self, parameters: Any, lr: float | Schedule = 0.01, alpha: float = 0.99, *,
                 eps: float = 1e-8, momentum: float = 0.0, weight_decay: float = 0.0):
        super().__init__(parameters, lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay)

    def update(self, w: Any, g: Any, s: Any, lr: float) -> Any:
        """v ← α v + (1 − α) g²;  m ← μ m + g / (√v + ε);  w ← w − lr m."""
        g = g + self.weight_decay * w
        s.v = self.alpha * s.v + (1 - self.alpha) * g * g
        s.m = self.momentum * s.m + g / (np.sqrt(s.v) + self.eps)
        return w - lr * s.m


class Adam(Optimiser):
    """Running mean of the gradient over its running size, both freed of their start at 0 (Kingma & Ba 2015, algorithm 1).

    weight_decay  adds weight_decay · w to the gradient, so Adam rescales it too; AdamW does not
    """

    remembers = ("m", "v")
    decoupled = False  # whether the decay goes beside the moments, not through them

    def __init__(self, parameters: Any, lr: float | Schedule = 0.001, betas: tuple[float, float] = (0.9, 0.999), *,
                 eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(parameters, lr, eps=eps, weight_decay=weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie from 0 up to, not including, 1; got {betas}")
        self.betas = float(betas[0]), float(betas[1])

    def update(self, w: Any, g: Any, s: Any, lr: float) -> Any:
        """m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  w ← w − lr m̂ / (√v̂ + ε), m̂ and v̂ over 1 − βᵗ; g or w with decay."""
        if self.decoupled:
            w = w * (1 - lr * self.weight_decay)
        else:
            g = g + self.weight_decay * w
        β1, β2 = self.betas
        s.m = β1 * s.m + (1 - β1) * g
        s.v = β2 * s.v + (1 - β2) * g * g
        m = s.m / (1 - β1**s.t)
        v = s.v / (1 - β2**s.t)
        return w - lr * m / (np.sqrt(v) + self.eps)


class AdamW(Adam):
    """Adam, the weights shrunk by lr · weight_decay beside it, not through it (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(self, parameters: Any, lr: float | Schedule = 0.001, betas: tuple[float, float] = (0.9, 0.999), *,
                 eps: float = 1e-8, weight_decay: float = 0.01):
        super().__init__(parameters, lr, betas, eps=eps, weight_decay=weight_decay)


def remembered(s: SimpleNamespace) -> SimpleNamespace:
    """The memory of a parameter for a rule to write into; its arrays are shared, so they are read-only."""
    slots = {slot: x.view() if isinstance(x, np.ndarray) else x for slot, x in vars(s).items()}
    for x in slots.values():
        if isinstance(x, np.ndarray):
            x.setflags(write=False)
    return SimpleNamespace(**slots)


def check_fits(given: Mapping[str, Any], expected: Mapping[str, Any], owner: str) -> None:
    """ValueError, naming every key that is missing, unknown, or of another shape or dtype."""
    faults = [f"{key} is missing" for key in expected if key not in given]
    faults += [f"{key} is unknown" for key in given if key not in expected]
    for key, x, y in [(key, np.asarray(given[key]), np.asarray(y)) for key, y in expected.items() if key in given]:
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            faults.append(f"{key} is {x.dtype} {x.shape}, expected {y.dtype} {y.shape}")
    if faults:
        raise ValueError(f"this state does not fit {owner}: {'; '.join(faults)}")


def constant(lr: float) -> Schedule:
    """The same at every step."""
    return lambda t: lr


def step_decay(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """lr · factor^⌊t / every⌋: multiplied by `factor` after every `every` steps.

    >>> rate = step_decay(1.0, every=10, factor=0.5)
    >>> [rate(t) for t in (0, 9, 10, 25)]
    [1.0, 1.0, 0.5, 0.25]
    """
    if every < 1:
        raise ValueError(f"every must be at least one step; got {every}")
    return lambda t: lr * factor ** (t // every)


def cosine(lr: float, steps: int, end: float = 0.0) -> Schedule:
    """Half a cosine from lr at t = 0 down to `end` at t = steps, and `end` from there on (Loshchilov & Hutter 2017, eq. 5).

    >>> [round(cosine(1.0, 4)(t), 3) for t in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    return lambda t: end + (lr - end) * (1 + math.cos(math.pi * min(t / steps, 1.0))) / 2


def warm_up(lr: float | Schedule, steps: int) -> Schedule:
    """A straight line up to lr, reached at the step number `steps`, then lr itself (a number or a schedule).

    >>> [warm_up(1.0, 4)(t) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    return lambda t: (lr(t) if callable(lr) else lr) * min((t + 1) / steps, 1.0)
