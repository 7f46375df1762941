"""What does the loss ask of the output?  The loss as a function of it, and what a title says of both.

    z  the output, of several the first; logits where labels are classes      aim  the target, or labels
"""

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff.core import Node, history
from ..chain.factors import is_softmax, origin
from ..nn import binary_cross_entropy, cross_entropy, mse

AIMS = ("target", "labels", "y")
IGNORED = -100  # PyTorch's ignore_index
Loss = Callable[[Any], Any]


def aimed(outputs: Any, data: dict[str, np.ndarray], options: argparse.Namespace, rng: Any) -> tuple[Loss, str]:
    """(the loss of such outputs, what a title says of it); the target is taken out of the data, or drawn if there is none.

    A single number is the loss itself. A target of 0 and 1, one for each logit, asks for the binary cross entropy, other whole numbers
    for cross entropy, and all else for the mean squared error. ValueError for what does not fit, with what to do.
    """
    z, *others = outputs if isinstance(outputs, tuple) else (outputs,)
    aim, kind, said = next((data.pop(name) for name in AIMS if name in data), None), options.loss, ""
    if not isinstance(z, Node):
        raise ValueError(f"the first output, {np.asarray(z).dtype} {np.shape(z)}, has no gradient; export the model with its logits first")
    if aim is None and not z.shape:
        return lambda z: z[0] if isinstance(z, tuple) else z, "; the model returns its loss"
    if aim is None:
        said, kind = f" and a random target (the file has no {' or '.join(AIMS)})" if options.data else "", kind or "mse"
        aim = rng.normal(size=z.shape).astype(z.data.dtype) if kind == "mse" else \
            rng.integers(0, 2, z.shape) if kind == "bce" else rng.integers(0, z.shape[-1], z.shape[:-1])
    aim = aim.astype(int) if aim.dtype.kind == "b" else aim
    binary = yes_no(aim) and paired(z, aim) and (aim.dtype.kind != "f" or aim.any() and not aim.all())
    kind = kind or ("bce" if binary else "mse" if aim.dtype.kind == "f" else "cross_entropy")
    if wrong := misfit(kind, z, aim, others):
        raise ValueError(f"the output has shape {z.shape}, the {aim.dtype} target {aim.shape}: {wrong}")
    loss, more = LOSSES[kind](z, aim)
    return lambda outputs: loss(outputs[0] if isinstance(outputs, tuple) else outputs), said + more


def misfit(kind: str, z: Any, aim: np.ndarray, others: list[Any]) -> str:
    """What to do about a target that does not fit; '' if it does."""
    if kind == "mse":
        return "" if aim.shape == z.shape else "mse compares entry with entry; save labels as whole numbers, others in the output's shape"
    if kind == "bce":
        return "" if paired(z, aim) and set(np.unique(aim)) <= {0, 1} else "bce takes 0 or 1 for each entry"
    if aim.dtype.kind not in "iu":
        return "cross entropy takes whole numbers: labels.astype(int)"
    if paired(z, aim):
        one_hot = "they look one-hot; give labels.argmax(-1), or --loss bce"
        return one_hot if set(np.unique(aim)) <= {0, 1} else "cross entropy takes an output for each class; --loss mse, if these are none"
    if fits(z.shape[:-1], aim) or fits(z.shape[:1] + z.shape[2:], aim):
        return ""
    if better := next((np.shape(y) for y in others if fits(np.shape(y)[:-1], aim)), None):
        return f"the output that fits, of shape {better}, is not the first; export the model with it in front"
    takes = f"cross entropy takes labels of shape {z.shape[:-1]}, {IGNORED} for one that does not count"
    return "give labels.T" if aim.T.shape == z.shape[:-1] else takes


def near(z: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """The mean squared error."""
    return lambda z: mse(z, aim), ""


def yes_or_no(z: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """Binary cross entropy from logits; of a sigmoid, from what went into it."""
    target, past = aim.reshape(z.shape).astype(z.dtype), z.op == "sigmoid"
    said = "; the binary cross entropy" + " of what goes into its last sigmoid" * past
    return lambda z: binary_cross_entropy(z.parents[0] if past else z, target), said


def classes(z: Any, aim: np.ndarray) -> tuple[Loss, str]:
    """Cross entropy, the classes along the last axis, or, if only that fits, along axis 1 as in PyTorch."""
    last = fits(z.shape[:-1], aim)
    labels, said = aim.reshape(z.shape[:-1] if last else z.shape[:1] + z.shape[2:]), "; classes along axis 1" * (not last)
    if ignored := np.count_nonzero(labels == IGNORED):
        said += f"; {ignored} of {labels.size} labels are {IGNORED} and do not count"
    return lambda z: cross_entropy(z if last else np.moveaxis(z, 1, -1), labels, ignore_index=IGNORED), said


def squashed(loss: Node) -> str:
    """What a title says if the loss takes logits and gets what a softmax or a sigmoid gave."""
    for node in history(loss):
        x = origin(node.parents[0]) if node.op in ("logsumexp", "softplus") else None
        x = origin(x.parents[0]) if isinstance(x, Node) and x.op == "negative" else x
        if is_softmax(x) or isinstance(x, Node) and x.op == "sigmoid":
            return f"; the loss takes logits and gets what a {'softmax' if is_softmax(x) else 'sigmoid'} gave: give it what went into that"
    return ""


LOSSES = {"mse": near, "bce": yes_or_no, "cross_entropy": classes}


def fits(places: tuple, aim: np.ndarray) -> bool:
    """Whether there is a label for each place, in its shape, or in a row."""
    return aim.shape == places or aim.size == math.prod(places) and min(aim.ndim, len(places)) < 2


def paired(z: Any, aim: np.ndarray) -> bool:
    """Whether there is one number for each label, a last axis of size 1 apart."""
    bare, other = (shape[:-1] if shape[-1:] == (1,) else shape for shape in (z.shape, aim.shape))
    return bare == other


def yes_no(aim: np.ndarray) -> bool:
    """Whether all are 0 or 1, and they do not look one-hot, a single 1 in each row."""
    return set(np.unique(aim)) <= {0, 1} and not (aim.ndim > 1 and aim.shape[-1] > 1 and (aim.sum(-1) == 1).all())
