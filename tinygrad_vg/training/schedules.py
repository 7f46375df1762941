"""How large should the steps be, and when?  A schedule is a function t → learning rate, t the steps taken so far.

Pass one in place of a number: SGD(parameters, lr=cosine(0.1, steps=1000)).
"""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


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
