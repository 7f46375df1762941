"""How wrong is the output?  One number, the mean over the batch.

    z  logits (scores before a softmax or sigmoid)      p, q  probabilities      w  weight of a class      e  error
"""

from typing import Any

import numpy as np

from ..autodiff.core import plain
from ..autodiff.reductions import log_softmax, numbers_of
from ..autodiff.structure import getitem, mean, reshape, sum
from ..autodiff.table import absolute, log, softplus, square, where
from .layers import whole


def mse(output: Any, target: Any) -> Any:
    """mean (output − target)², over all entries; output and target of one shape, else ValueError."""
    one_shape("mse", output, target)
    return mean(square(output - target))


def huber(output: Any, target: Any, delta: float = 1.0) -> Any:
    """mean of e²/2 where |e| ≤ delta, and of delta (|e| − delta/2) elsewhere, e = output − target: no gradient is larger than delta.

    output and target of one shape, else ValueError; ValueError unless delta > 0.  Huber 1964; torch.nn.HuberLoss.
    """
    one_shape("huber", output, target)
    if not delta > 0:
        raise ValueError(f"delta is the error from which on the loss grows linearly, above 0; got {delta}")
    e = output - target
    size = absolute(e)
    return mean(where(numbers_of(plain(size)).real <= delta, 0.5 * square(e), delta * (size - 0.5 * delta)))


def cross_entropy(logits: Any, labels: Any, *, ignore_index: int | None = None, weight: Any = None, label_smoothing: float = 0.0) -> Any:
    """−log softmax(logits)[label], in nats, the mean over the batch (and time).

    logits (classes,) with one label, or (…, classes) with labels (…): (batch,), (batch, T).  labels: whole numbers from 0 to classes − 1.
    ignore_index     a label that does not count, such as −100 for padding
    weight           (classes,): each term times the weight of its label, over the sum of these weights
    label_smoothing  the share ε of each target that is spread over all classes: (1 − ε) (−log p[label]) + ε mean (−w log p)
    As torch.nn.CrossEntropyLoss, but for the axis of the classes, which is the last.
    TypeError for other labels, ValueError if they are out of range, if their shape does not fit, or if none counts.
    """
    labels, shape = np.asarray(labels), np.shape(logits)
    if not shape or labels.shape != shape[:-1]:
        raise ValueError(f"cross_entropy needs (classes,) and one label, or (batch, classes) and (batch,); got {shape} and {labels.shape}")
    rows = np.flatnonzero(labels != ignore_index)  # all of them, if it is None
    if labels.size and not rows.size:
        raise ValueError(f"every label is {ignore_index}, which does not count, so there is nothing to take the mean of")
    counted, log_p = whole(labels.ravel()[rows], shape[-1], "labels"), log_softmax(logits)
    if not labels.ndim and weight is None and not label_smoothing:
        return -getitem(log_p, int(labels))
    log_p = log_p if labels.ndim == 1 else reshape(log_p, (-1, shape[-1]))
    w = np.ones(shape[-1]) if weight is None else np.asarray(weight, float)
    if w.shape != shape[-1:]:
        raise ValueError(f"weight has one number for each of the {shape[-1]} classes; got shape {w.shape}")
    picked, each = getitem(log_p, (rows, counted)), w[counted]
    loss = -mean(picked) if weight is None else -sum(each * picked) / each.sum()
    if not label_smoothing:
        return loss
    spread = -sum(getitem(log_p, (rows,)) * w) / (each.sum() * shape[-1])
    return (1 - label_smoothing) * loss + label_smoothing * spread


def binary_cross_entropy(logits: Any, target: Any, *, pos_weight: Any = 1.0) -> Any:
    """−mean (target log σ(z) + (1 − target) log(1 − σ(z))), z the logits: no sigmoid before it; exact where the sigmoid saturates.

    target: 0 or 1, or in between, of the shape of the logits, else ValueError.  pos_weight: what the first term is multiplied by, a number
    or one for each output.  torch.nn.BCEWithLogitsLoss.
    """
    one_shape("binary_cross_entropy", logits, target)
    return mean(pos_weight * target * softplus(-logits) + (1 - target) * softplus(logits))


def kl(log_q: Any, p: Any) -> Any:
    """KL(p ‖ q) = Σ p (log p − log q) in nats, sums over the last axis, the mean over the others; a p of 0 counts nothing.

    log_q: log-probabilities (…, classes), as log_softmax gives them; p: probabilities of that shape, else ValueError.
    torch.nn.KLDivLoss(reduction="batchmean") of a batch (batch, classes).
    """
    one_shape("kl", log_q, p)
    log_p = log(where(numbers_of(plain(p)).real > 0, p, 1.0))
    return mean(sum(p * (log_p - log_q), axis=-1))


def one_shape(name: str, output: Any, target: Any) -> None:
    """ValueError unless both have the same shape."""
    if np.shape(output) != np.shape(target):
        raise ValueError(f"{name} compares arrays of one shape; got output {np.shape(output)} and target {np.shape(target)}")
