"""What do torch's larger ops compute?  The functions that our own layers are made of, with torch's arguments, in torch's order.

    x  input      y  output      W  weights      b  bias      k  size of a window      q, k, v  queries, keys, values

Shapes are torch's: (batch, channels, places) for convolutions and pooling.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autodiff.core import plain
from ...autodiff.reductions import log_softmax, softmax
from ...autodiff.structure import getitem, mean, reshape, sum, swapaxes
from ...autodiff.table import softplus, where
from .. import attention, convolution, losses, norms
from ..convolution import Places
from ..layers import whole
from .shapes import room

# ---------------------------------------------------------------- windows


def sizes_of(x: Any, *sizes: Any) -> list[Any]:
    """For each axis of places how many there are, and its number of each of the sizes, which are one number, or one for each axis."""
    axes = np.ndim(x) - 2
    each = [list(n) * (axes // len(n)) if isinstance(n, (list, tuple)) else [n] * axes for n in sizes]
    return [*zip(np.shape(x)[2:], *each)]


def sliding(x: Any, k: Any, stride: Any, padding: Any, dilation: Any = 1, up: bool = False) -> Places:
    """The places of windows that slide. up: one window more if its start is still inside (ceil_mode)."""
    each = sizes_of(x, k, stride or k, padding, dilation)
    room(*np.shape(x)[:2], *(m * max(convolution.count(n, m, s, p, d, up), 1) for n, m, s, p, d in each))
    return [convolution.sliding(n, m, s, p, d, up) for n, m, s, p, d in each]


def spread_out(x: Any, k: Any, stride: Any, padding: Any, output_padding: Any, dilation: Any) -> Places:
    """The places of a transposed convolution: entry q of x reaches the outputs stride · q + dilation · j − padding."""
    found: Places = []
    for n, size, s, p, o, d in sizes_of(x, k, stride, padding, output_padding, dilation):
        count = (n - 1) * s - 2 * p + d * (size - 1) + o + 1
        room(*np.shape(x)[:2], count, size, *(p.size for p in found))
        at = np.arange(count) + p - d * np.arange(size)[:, None]
        found.append(np.where((at % s == 0) & (at >= 0) & (at // s < n), at // s, -1))
    return found


def convolve(x: Any, W: Any, b: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any, groups: int) -> Any:
    """y[o, p] = Σ W[o, i, j] x[i, stride · p + dilation · j − padding] + b[o], or its transpose."""
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}; give it in numbers")
    n, m, *k = np.shape(W)
    if not transposed:
        return convolution.convolution(x, W, b, sliding(x, k, stride, padding, dilation), groups)
    W = reshape(swapaxes(reshape(W, (groups, n // groups, m, *k)), 1, 2), (groups * m, n // groups, *k))
    return convolution.convolution(x, W, b, spread_out(x, k, stride, padding, output_padding, dilation), groups)


def max_pool(x: Any, k: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> Any:
    """The largest of each window."""
    return convolution.max_pool(x, sliding(x, k, stride, padding, dilation, ceil_mode))


def avg_pool(x: Any, k: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
             divisor_override: Any = None) -> Any:
    """The mean of each window, the zeros of the padding counted or not."""
    places = sliding(x, k, stride, padding, 1, ceil_mode)
    return convolution.avg_pool(x, places, -1 if count_include_pad else 0, divisor_override)


def adaptive_avg_pool(x: Any, sizes: Any) -> Any:
    """So many means along each axis, of windows that cover it."""
    places, each = [], sizes_of(x, sizes)
    room(*np.shape(x)[:2], *(m or 1 for _, m in each))
    for n, m in each:
        first, end = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
        at = first + np.arange((end - first).max(initial=0))[:, None]
        places.append(np.where(at < end, at, -1))
    return convolution.avg_pool(x, places, 0)


def nearest(x: Any, sizes: Any = None, scales: Any = None) -> Any:
    """Each place repeated (upsample_nearest), to these sizes or by these factors."""
    shape = np.shape(x)[2:]
    sizes = [int(n * s) for n, s in zip(shape, scales)] if not sizes else sizes
    room(*np.shape(x)[:2], *sizes)
    steps = [n / m for n, m in zip(shape, sizes)] if not scales else [1 / s for s in scales]
    places = [np.minimum(np.floor(np.arange(m) * s).astype(int), n - 1)[None] for n, m, s in zip(shape, sizes, steps)]
    return reshape(convolution.windows(x, places), (*np.shape(x)[:2], *sizes))


# ---------------------------------------------------------------- norms, attention, lookup


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = False) -> Any:
    """Over the last axes, those of `shape`."""
    return norms.scaled(norms.normalised(x, tuple(range(-len(shape), 0)), eps)[0], weight, bias)


def rms_norm(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """x / √(mean x² + eps) over the last axes."""
    eps = np.finfo(x.dtype).eps if eps is None else eps
    return norms.scaled(norms.rms_normalised(x, tuple(range(-len(shape), 0)), eps)[0], weight)


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True) -> Any:
    """Over each group of channels and all places."""
    return norms.scaled(norms.group_normalised(x, groups, eps)[0], *(norms.per_channel(p, x) for p in (weight, bias)))


def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float,
               cudnn_enabled: bool = False) -> tuple:
    """(y, the batch's mean and 1/√(v + eps), the new running mean and variance), over all axes but the channels."""
    given = [] if training else [norms.per_channel(p, x) for p in (running_mean, running_var)]
    x_hat, *found = norms.normalised(x, (0, *range(2, np.ndim(x))), eps, *given)
    y = norms.scaled(x_hat, norms.per_channel(weight, x), norms.per_channel(bias, x))
    if not training or running_mean is None:
        return y, None, None, running_mean, running_var
    m, v = (plain(p).ravel() for p in found)
    return y, m, 1 / np.sqrt(v + eps), *norms.followed((running_mean, running_var), (m, v), np.size(x) // len(m), momentum)


def softmax_or(value: float) -> Callable[..., Any]:
    """softmax, but `value` where all are −∞: there torch's _safe_softmax has 0, its softmax nan; no gradient comes through."""
    def op(x: Any, dim: int, half: bool = False) -> Any:
        hidden = (plain(x) == -math.inf).all(dim, keepdims=True)
        return where(hidden, value, softmax(where(hidden, 0.0, x), dim)) if hidden.any() else softmax(x, dim)
    return op


def attend(q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
           scale: float | None = None, enable_gqa: bool = False) -> Any:
    """softmax(q kᵀ · scale + mask) v, scale 1/√d; a mask of bools, False where q must not look, or of numbers; causal: not ahead."""
    if dropout_p or enable_gqa:
        raise NotImplementedError("attention with dropout or grouped queries; export in eval(), or with run_decompositions()")
    return softmax_or(0.0)(attention.masked(attention.scores(q, k, scale), attn_mask, is_causal), -1) @ v


# ---------------------------------------------------------------- losses; reduction: 0 each, 1 the mean, 2 the sum


def over(each: Any, reduction: int) -> Any:
    """What a loss makes of the losses of its entries."""
    return each if reduction == 0 else mean(each) if reduction == 1 else sum(each)


def nll_loss(log_p: Any, labels: Any, weight: Any = None, reduction: int = 1, ignore: int = -100) -> Any:
    """−w log_p[label], the classes along axis 1; the mean is over the weights w of the labels that count."""
    axis, counts = min(1, log_p.ndim - 1), labels != ignore
    i = whole(np.where(counts, labels, 0), log_p.shape[axis], "labels")
    w = np.where(counts, 1.0 if weight is None else plain(weight)[i], 0.0).astype(log_p.dtype)
    at = [*np.indices(i.shape)]
    each = -getitem(log_p, (*at[:axis], i, *at[axis:])) * w
    return over(each, reduction) * (w.size / w.sum() if reduction == 1 else 1)


def cross_entropy(z: Any, labels: Any, weight: Any = None, reduction: int = 1, ignore: int = -100, smoothing: float = 0.0) -> Any:
    """−w log softmax(z)[label], the classes along axis 1; the mean by the package's own loss."""
    axis = min(1, z.ndim - 1)
    if reduction == 1:
        options = {"ignore_index": ignore, "weight": weight, "label_smoothing": smoothing}
        return losses.cross_entropy(np.moveaxis(z, axis, -1) if z.ndim > 2 else z, labels, **options)
    if smoothing:
        raise NotImplementedError("label smoothing with another reduction than the mean")
    return nll_loss(log_softmax(z, axis), labels, weight, reduction, ignore)


def binary_cross_entropy(z: Any, target: Any, weight: Any = None, pos_weight: Any = 1.0, reduction: int = 1) -> Any:
    """−pos_weight target log σ(z) − (1 − target) log(1 − σ(z)), times weight."""
    each = (1.0 if pos_weight is None else pos_weight) * target * softplus(-z) + (1 - target) * softplus(z)
    return over(each if weight is None else each * weight, reduction)
