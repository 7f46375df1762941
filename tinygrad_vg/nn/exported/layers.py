"""What do torch's larger ops compute?  Each a few lines of the engine's own ops, so that every intermediate is a node.

    x  input      y  output      W  weights      b  bias      k  size of a window      q, k, v  queries, keys, values

Arguments come in torch's order, and shapes are torch's: (batch, channels, places) for convolutions and pooling.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autodiff.core import plain
from ...autodiff.reductions import max as largest
from ...autodiff.reductions import softmax
from ...autodiff.structure import getitem, mean, reshape, swapaxes, transpose
from ...autodiff.structure import sum as total
from ...autodiff.table import multiply, sqrt, square, where
from .shapes import room

Places = list[np.ndarray]  # for each axis the places that each window looks at: (windows, k), −1 for one outside

# ---------------------------------------------------------------- windows


def windows(x: Any, places: Places, fill: float = 0.0) -> Any:
    """x (batch, channels, n, …) as (batch, channels, windows, k, …): what each window sees along each axis, `fill` outside."""
    axes = range(2 * len(places))
    room(*np.shape(x)[:2], *(p.size for p in places))
    index = [np.expand_dims(p, tuple(a for a in axes if a // 2 != i)) for i, p in enumerate(places)]
    seen = getitem(x, (slice(None), slice(None), *(np.maximum(p, 0) for p in index)))
    inside = np.ones((), bool)
    for p in index:
        inside = inside & (p >= 0)
    return seen if inside.all() else multiply(seen, inside) if fill == 0.0 else where(inside, seen, fill)


def sliding(x: Any, k: Any, stride: Any, padding: Any, dilation: Any = 1, up: bool = False) -> Places:
    """The places of windows that slide. up: one window more if its start is still inside (ceil_mode)."""
    found, each = [], [per_axis(v, np.ndim(x) - 2) for v in (k, stride or k, padding, dilation)]
    for n, k, s, p, d in zip(np.shape(x)[2:], *each):
        free = n + 2 * p - d * (k - 1) - 1
        count = (-(-free // s) if up else free // s) + 1
        count -= up and (count - 1) * s >= n + p
        room(count, k)
        at = s * np.arange(count)[:, None] + d * np.arange(k) - p
        found.append(np.where(at < n, np.maximum(at, -1), np.where(at < n + p, -1, -2)))  # −2: beyond the padding, too
    return found


def spread_out(x: Any, k: Any, stride: Any, padding: Any, output_padding: Any, dilation: Any) -> Places:
    """The places of a transposed convolution: entry q of x reaches the outputs stride · q + dilation · j − padding."""
    found, each = [], [per_axis(v, np.ndim(x) - 2) for v in (k, stride, padding, output_padding, dilation)]
    for n, k, s, p, o, d in zip(np.shape(x)[2:], *each):
        count = (n - 1) * s - 2 * p + d * (k - 1) + o + 1
        room(count, k)
        at = np.arange(count)[:, None] + p - d * np.arange(k)
        found.append(np.where((at % s == 0) & (at >= 0) & (at // s < n), at // s, -1))
    return found


def per_axis(n: Any, axes: int) -> list[int]:
    return list(n) * (axes // len(n)) if isinstance(n, (list, tuple)) else [n] * axes


def convolution(x: Any, W: Any, b: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
                groups: int) -> Any:
    """y[o, p] = Σ W[o, i, j] x[i, stride · p + dilation · j − padding] + b[o], or its transpose: the windows, times W."""
    axes, k = np.ndim(x) - 2, np.shape(W)[2:]
    if transposed:
        W = swapaxes(reshape(W, (groups, np.shape(W)[0] // groups, *np.shape(W)[1:])), 1, 2)
        X = windows(x, spread_out(x, k, stride, padding, output_padding, dilation))
    else:
        W = reshape(W, (groups, np.shape(W)[0] // groups, *np.shape(W)[1:]))
        X = windows(x, sliding(x, k, stride, padding, dilation))
    batch, outs, out = np.shape(x)[0], np.shape(X)[2::2], np.shape(W)[1]
    X = reshape(X, (batch, groups, np.shape(W)[2], *np.shape(X)[2:]))
    order = (1, 0, *range(3, 3 + 2 * axes, 2), 2, *range(4, 4 + 2 * axes, 2))  # groups, batch, windows; channels, k
    X = reshape(transpose(X, order), (groups, batch * math.prod(outs), -1))
    y = X @ swapaxes(reshape(W, (groups, out, -1)), 1, 2)
    y = transpose(reshape(y, (groups, batch, *outs, out)), (1, 0, 2 + axes, *range(2, 2 + axes)))
    y = reshape(y, (batch, groups * out, *outs))
    return y if b is None else y + reshape(b, (-1, *(1,) * axes))


def conv(x: Any, W: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """A convolution as conv1d, conv2d call it."""
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}; give it in numbers")
    return convolution(x, W, b, stride, padding, dilation, False, 0, groups)


def max_pool(x: Any, k: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> Any:
    """The largest of each window; those that tie share its gradient."""
    X = windows(x, sliding(x, k, stride, padding, dilation, ceil_mode), -math.inf)
    return largest(X, tuple(range(3, np.ndim(X), 2)))


def avg_pool(x: Any, k: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
             divisor_override: Any = None) -> Any:
    """The mean of each window, the zeros of the padding counted or not."""
    places = sliding(x, k, stride, padding, 1, ceil_mode)
    return mean_of(x, places, -1 if count_include_pad else 0, divisor_override)


def adaptive_avg_pool(x: Any, sizes: Any) -> Any:
    """So many means along each axis, of windows that cover it."""
    places = []
    room(*np.shape(x)[:2], *(m or 1 for m in per_axis(sizes, np.ndim(x) - 2)))
    for n, m in zip(np.shape(x)[2:], per_axis(sizes, np.ndim(x) - 2)):
        first, end = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
        at = first[:, None] + np.arange((end - first).max(initial=0))
        places.append(np.where(at < end[:, None], at, -1))
    return mean_of(x, places, 0)


def mean_of(x: Any, places: Places, least: int, divisor: Any = None) -> Any:
    """The sum over each window by the number of its places, those from `least` on."""
    X = windows(x, places)
    counts = np.ones(())
    for p in places:
        counts = np.multiply.outer(counts, (p >= least).sum(1))
    return total(X, tuple(range(3, np.ndim(X), 2))) / (divisor or counts)


def nearest(x: Any, sizes: Any = None, scales: Any = None) -> Any:
    """Each place repeated (upsample_nearest), to these sizes or by these factors."""
    shape = np.shape(x)[2:]
    sizes = [int(n * s) for n, s in zip(shape, scales)] if not sizes else sizes
    room(*np.shape(x)[:2], *sizes)
    steps = [n / m for n, m in zip(shape, sizes)] if not scales else [1 / s for s in scales]
    places = [np.minimum(np.floor(np.arange(m) * s).astype(int), n - 1)[:, None] for n, m, s in zip(shape, sizes, steps)]
    return reshape(windows(x, places), (*np.shape(x)[:2], *sizes))


# ---------------------------------------------------------------- norms, attention, lookup


def normalised(x: Any, axes: Any, eps: float, m: Any = None, v: Any = None) -> Any:
    """(x − m) / √(v + eps); mean and variance along axes, unless given."""
    centred = x - (mean(x, axes, keepdims=True) if m is None else m)
    return centred / sqrt((mean(square(centred), axes, keepdims=True) if v is None else v) + eps)


def scaled(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enable: bool = False) -> Any:
    """Over the last axes, those of `shape`."""
    return scaled(normalised(x, tuple(range(-len(shape), 0)), eps), weight, bias)


def rms_norm(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """x / √(mean x² + eps) over the last axes."""
    size = mean(square(x), tuple(range(-len(shape), 0)), keepdims=True) + (np.finfo(x.dtype).eps if eps is None else eps)
    return scaled(x / sqrt(size), weight, None)


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True) -> Any:
    """Over each group of channels and all places."""
    y = reshape(normalised(reshape(x, (np.shape(x)[0], groups, -1)), -1, eps), np.shape(x))
    return scaled(y, *(per_channel(p, x) for p in (weight, bias)))


def batch_norm(x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float) -> tuple:
    """(y, the batch's mean and 1/√(v + eps), the new running mean and variance), over all axes but the channels."""
    axes = (0, *range(2, np.ndim(x)))
    given = [] if training else [per_channel(p, x) for p in (running_mean, running_var)]
    y = scaled(normalised(x, axes, eps, *given), per_channel(weight, x), per_channel(bias, x))
    if not training or running_mean is None:
        return y, None, None, running_mean, running_var
    m, v, n = plain(x).mean(axes), plain(x).var(axes), np.size(plain(x)) // np.shape(x)[1]
    new = [(1 - momentum) * old + momentum * p for old, p in ((running_mean, m), (running_var, v * n / (n - 1)))]
    return y, m, 1 / np.sqrt(v + eps), *new


def per_channel(p: Any, x: Any) -> Any:
    """One number for each channel, to be broadcast with x (batch, channels, …)."""
    return p if p is None or np.ndim(x) == 2 else reshape(p, (-1, *(1,) * (np.ndim(x) - 2)))


def softmax_or(value: float) -> Callable[..., Any]:
    """softmax, but `value` where all are −∞: there torch's _safe_softmax has 0, its softmax nan; no gradient comes through."""
    def op(x: Any, dim: int, *_: Any, **how: Any) -> Any:
        hidden = (plain(x) == -math.inf).all(dim, keepdims=True)
        return where(hidden, value, softmax(where(hidden, 0.0, x), dim)) if hidden.any() else softmax(x, dim)
    return op


def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
              scale: float | None = None, enable_gqa: bool = False) -> Any:
    """softmax(q kᵀ · scale + mask) v, scale 1/√d; a mask of bools, False where q must not look, or of numbers; causal: not ahead."""
    if dropout_p or enable_gqa:
        raise NotImplementedError("attention with dropout or grouped queries; export in eval(), or with run_decompositions()")
    scores = (q @ swapaxes(k, -1, -2)) * (1 / math.sqrt(np.shape(q)[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = np.tri(*np.shape(scores)[-2:], dtype=bool)
    if attn_mask is not None:
        scores = where(attn_mask, scores, -math.inf) if attn_mask.dtype == bool else scores + attn_mask
    return softmax_or(0.0)(scores, -1) @ v


def embedding(weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:
    """The rows of weight; that of padding_idx gets no gradient."""
    x = getitem(weight, indices)
    padded = indices[..., None] == padding_idx
    return where(padded, plain(x), x) if padding_idx >= 0 and padded.any() else x
