"""What does the loss ask of the output?  The loss as a function of it, and what a title says of both.

    z  the output, of several the first; logits where labels are classes      aim  the target, or labels
"""

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff.core import Node
from ..autodiff.structure import mean
from ..autodiff.table import softplus
from ..nn import binary_cross_entropy, cross_entropy, mse

AIMS = ("target", "labels", "y")
IGNORED = -100  # PyTorch's ignore_index
Loss = Callable[[Any], Any]


def first(output: Any) -> Any:
    """Of several outputs the first."""
    return output[0] if isinstance(output, tuple) else output


def aimed(output: Any, data: dict[str, np.ndarray], options: argparse.Namespace, rng: Any) -> tuple[Loss, str]:
    """(the loss of such an output, what a title says of it); the target is taken out of the data, or drawn if there is none.

    A single number is the loss itself. Labels that are whole numbers ask for cross entropy, if they are 0 and 1 for one logit each for
    the binary one, and other targets for the mean squared error. ValueError for what does not fit, with what to do.
    """
    z, kind = first(output), options.loss
    if not isinstance(z, Node):
        raise ValueError(f"the first output, {np.asarray(z).dtype} {np.shape(z)}, has no gradient; export the model with its logits first")
    aim = next((data.pop(name) for name in AIMS if name in data), None)
    if aim is None and not z.shape:
        return first, "; the model returns its loss"
    said = f" and a random target (the file has no {' or '.join(AIMS)})" if aim is None and options.data else ""
    if aim is None:
        kind = kind or "mse"
        aim = rng.normal(size=z.shape).astype(z.data.dtype) if kind == "mse" else \
            rng.integers(0, 2, z.shape) if kind == "bce" else rng.integers(0, z.shape[-1], z.shape[:-1])
    aim = aim.astype(int) if aim.dtype.kind == "b" else aim
    kind = kind or ("mse" if aim.dtype.kind == "f" else "bce" if yes_no(aim) and paired(z, aim) else "cross_entropy")
    loss, more = {"mse": near, "bce": yes_or_no, "cross_entropy": classes}[kind](output, aim)
    return lambda output: loss(first(output)), said + more


def near(output: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """The mean squared error."""
    z = first(output)
    if aim.shape != z.shape:
        way = "save labels.astype(int) for cross entropy" if fits(z.shape[:-1], aim) > paired(z, aim) else "save it in that shape"
        raise ValueError(f"the output has shape {z.shape}, the target {aim.shape}: mse compares entry with entry; {way}")
    hint = "; its target is 0 and 1: --loss bce, if these are labels" if yes_no(aim) and aim.any() and not aim.all() else ""
    return lambda z: mse(z, aim), hint


def yes_or_no(output: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """Binary cross entropy from logits; of a sigmoid, from what went into it."""
    z = first(output)
    if not paired(z, aim) or not ((aim >= 0) & (aim <= 1)).all():
        raise ValueError(f"the output has shape {z.shape}, the labels {aim.shape}: bce takes one for each entry, from 0 to 1")
    target, past = aim.reshape(z.shape).astype(z.dtype), z.op == "sigmoid"

    def loss(z: Any) -> Any:
        z = z.parents[0] if past else z
        return mean(softplus((1 - 2 * target) * z)) if yes_no(aim) else binary_cross_entropy(z, target)  # 0 and 1: one way to z
    return loss, "; the binary cross entropy" + " of what goes into its last sigmoid" * past


def classes(output: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """Cross entropy, the classes along the last axis, or, if only that fits, along axis 1 as in PyTorch."""
    z = first(output)
    if aim.dtype.kind not in "iu":
        raise ValueError(f"the labels are {aim.dtype} of shape {aim.shape}: cross entropy takes whole numbers, labels.astype(int)")
    axis = -1 if fits(z.shape[:-1], aim) else 1
    places = z.shape[:-1] if axis == -1 else z.shape[:1] + z.shape[2:]
    if paired(z, aim) or not fits(places, aim):
        raise ValueError(f"the output has shape {z.shape}, the labels {aim.shape}: {misfit(output, aim)}")
    labels, said = aim.reshape(places), "; classes along axis 1" * (axis == 1)
    if ignored := np.count_nonzero(labels == IGNORED):
        said += f"; {ignored} of {labels.size} labels are {IGNORED} and do not count"
    if (z.data >= 0).all() and np.allclose(z.data.sum(axis), 1):
        said += "; the output is a softmax already: give cross entropy the logits"
    return lambda z: cross_entropy(z if axis == -1 else np.moveaxis(z, 1, -1), labels, ignore_index=IGNORED), said


def fits(places: tuple, aim: np.ndarray) -> bool:
    """Whether there is a label for each place, in its shape, or in a row."""
    return aim.shape == places or aim.size == math.prod(places) and min(aim.ndim, len(places)) < 2


def misfit(output: Any, aim: np.ndarray) -> str:
    """What to do about labels that fit no class."""
    z, others = first(output), output[1:] if isinstance(output, tuple) else ()
    if paired(z, aim):
        return ("they look one-hot; give labels.argmax(-1), or --loss bce" if set(np.unique(aim)) <= {0, 1} else
                "cross entropy takes an output for each class; --loss mse, if these are no classes")
    if aim.T.shape == z.shape[:-1]:
        return "give labels.T"
    if better := next((np.shape(y) for y in others if fits(np.shape(y)[:-1], aim)), None):
        return f"the output that fits them, of shape {better}, is not the first; export the model with it in front"
    return f"cross entropy takes labels of shape {z.shape[:-1]}, {IGNORED} for one that does not count"


def paired(z: Any, aim: np.ndarray) -> bool:
    """Whether there is one number for each label, a last axis of size 1 apart."""
    bare = [shape[:-1] if shape[-1:] == (1,) else shape for shape in (z.shape, aim.shape)]
    return bare[0] == bare[1]


def yes_no(aim: np.ndarray) -> bool:
    """Whether all are 0 or 1, and they do not look one-hot, a single 1 in each row."""
    return set(np.unique(aim)) <= {0, 1} and not (aim.ndim > 1 and aim.shape[-1] > 1 and (aim.sum(-1) == 1).all())
