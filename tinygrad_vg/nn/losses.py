"""How wrong is the output?  One number, the mean over the batch."""

from typing import Any

import numpy as np

from ..autodiff.reductions import log_softmax
from ..autodiff.structure import getitem, mean
from ..autodiff.table import square


def mse(output: Any, target: Any) -> Any:
    """mean (output − target)², over all entries; output and target of one shape, else ValueError."""
    if np.shape(output) != np.shape(target):
        raise ValueError(f"mse compares arrays of one shape; got output {np.shape(output)} and target {np.shape(target)}")
    return mean(square(output - target))


def cross_entropy(logits: Any, labels: Any) -> Any:
    """−log softmax(logits)[label], in nats, the mean over the batch.

    logits (classes,) with one label, or (batch, classes) with labels (batch,).  labels: whole numbers from 0 to classes − 1.
    TypeError for other labels, ValueError if they are out of range or their shape does not fit.
    """
    labels, shape = np.asarray(labels), np.shape(logits)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be whole numbers, the index of the right class; got {labels.dtype}")
    if not shape or labels.shape != shape[:-1] or labels.ndim > 1:
        raise ValueError(f"cross_entropy needs (classes,) and one label, or (batch, classes) and (batch,); got {shape} and {labels.shape}")
    if labels.size and not (0 <= labels.min() and labels.max() < shape[-1]):
        raise ValueError(f"labels must lie between 0 and {shape[-1] - 1}; got {labels.min()} to {labels.max()}")
    log_p = log_softmax(logits)
    if not labels.ndim:
        return -getitem(log_p, int(labels))
    return -mean(getitem(log_p, (np.arange(labels.size), labels)))
