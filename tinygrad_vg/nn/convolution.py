"""What is a convolution?  The same small matrix at every place: windows of x, laid out as columns, times W.

    x  input (…, channels, places)      y  output      k  size of the window      W  weights (out, in, k)      b  bias (out,)
"""

import functools
import math
from typing import Any

import numpy as np

from ..autodiff.products import matmul
from ..autodiff.reductions import max
from ..autodiff.structure import concatenate, expand_dims, getitem, mean, reshape, sum
from ..autodiff.tensor import Tensor
from .layers import Module, weight_and_bias

Sizes = int | tuple[int, ...]
Places = list[np.ndarray]  # for each axis the places that each window looks at: (k, windows), −1 for one outside


def convolution(x: Any, W: Any, b: Any, places: Places, groups: int = 1) -> Any:
    """y[…, o, p] = Σ W[o, i, j] x[…, i, places[j, p]] + b[o]; of each group of channels its own: the windows as columns, W times them.

    x (…, channels, n, …), W (out, in, k, …), in: channels of a group.  With seeds W is (seeds, out, in, k, …), x (seeds, batch, …).
    """
    axes, X = len(places), windows(x, places)
    *runs, n_out, n_in = np.shape(W)[:-axes]
    lead, outs, by_group = np.shape(x)[: -axes - 1], np.shape(X)[-axes:], (groups,) * (groups > 1)
    columns = reshape(X, (*lead, *by_group, n_in * math.prod(np.shape(W)[-axes:]), math.prod(outs)))
    y = matmul(reshape(W, (*runs, *(1,) * len(runs), *by_group, n_out // groups, -1)), columns)
    y = reshape(y, (*lead, n_out, math.prod(outs))) if by_group else y
    y = y if b is None else y + expand_dims(b, (1, 3) if runs else 1)
    return reshape(y, (*lead, n_out, *outs))


def max_pool(x: Any, places: Places) -> Any:
    """The largest of each window; those that tie share its gradient."""
    return max(windows(x, places, -math.inf), inside(places))


def avg_pool(x: Any, places: Places, least: int = -1, divisor: int | None = None) -> Any:
    """The sum over each window by the number of its places, those from `least` on, or by `divisor`."""
    X, by = windows(x, places), divisor or functools.reduce(np.multiply.outer, [(p >= least).sum(0) for p in places])
    whole = np.all(by == math.prod(map(len, places)))
    return mean(X, inside(places)) if whole else sum(X, inside(places)) / by


def inside(places: Places) -> tuple[int, ...]:
    """The axes of `windows` that lie within one window."""
    return tuple(range(-2 * len(places), -len(places)))


def windows(x: Any, places: Places, fill: float = 0.0) -> Any:
    """What each window sees along the last axes of x: (…, k, P), or (…, k, k, P, Q); `fill` where a place is −1 or less."""
    axes = len(places)
    if any(p.min(initial=0) < 0 for p in places):
        x, places = padded(x, [(0, 1)] * axes, fill), [np.maximum(p, -1) for p in places]
    index = [p.reshape([p.shape[b // axes] if b % axes == a else 1 for b in range(2 * axes)]) for a, p in enumerate(places)]
    return getitem(x, (..., *index))


def sliding(n: int, k: int, stride: int = 1, padding: int = 0, dilation: int = 1, up: bool = False) -> np.ndarray:
    """The places of windows that slide along n entries: place j of window p is stride · p + dilation · j − padding; up: as `count`.

    −1 in the padding, −2 beyond it, where only windows of `up` reach.
    """
    at = dilation * np.arange(k)[:, None] + stride * np.arange(count(n, k, stride, padding, dilation, up)) - padding
    return np.where((at >= 0) & (at < n), at, np.where(at < n + padding, -1, -2))


def count(n: int, k: int, stride: int = 1, padding: int = 0, dilation: int = 1, up: bool = False) -> int:
    """How many windows slide along n entries; up: one more if its start is still inside (torch's ceil_mode)."""
    free = n + 2 * padding - dilation * (k - 1) - 1
    return -(-free // stride) + (-(-free // stride) * stride < n + padding) if up else free // stride + 1


def padded(x: Any, pads: Any, fill: float = 0.0) -> Any:
    """x with so many of `fill` before and after each of its last axes: pads [(before, after), …]."""
    for axis, sizes in enumerate(pads, -len(pads)):
        shape, kind = np.shape(x), np.result_type(getattr(x, "dtype", float), fill)
        first, last = (np.full([n if a == axis % len(shape) else m for a, m in enumerate(shape)], fill, kind) for n in sizes)
        x = concatenate([part for part, n in ((first, sizes[0]), (x, 1), (last, sizes[1])) if n], axis) if any(sizes) else x
    return x


class Conv1d(Module):
    """y[o, p] = Σ W[o, i, j] x[i, stride · p + j] + b[o], sums over the channels i and the places j of the window.

    x (n_in, L) or (batch, n_in, L)  →  y (n_out, P) or (batch, n_out, P),  P = (L + 2 padding − dilation (k − 1) − 1) // stride + 1.
    size k, stride, padding (zeros at either end), dilation: as PyTorch's; weight (n_out, n_in, k), bias (n_out,) likewise.
    init, leaf, rng, seeds, name: see Linear; with seeds x is (seeds, batch, n_in, L).

        ∂y[o, p]/∂x[i, q] = W[o, i, q − stride · p]      (0 outside the window)
    """

    axes = 1

    def __init__(self, n_in: int, n_out: int, size: Sizes, stride: Sizes = 1, padding: Sizes = 0, *, dilation: Sizes = 1, bias: bool = True,
                 init: Any = "xavier", leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = ""):
        self.size, self.stride, self.dilation = (per_axis(n, self.axes, 1) for n in (size, stride, dilation))
        self.padding = per_axis(padding, self.axes, 0)
        shape = n_out, n_in, *self.size
        self.weight, self.bias = weight_and_bias(shape, init, bias=bias, leaf=leaf, rng=rng, seeds=seeds, name=name)

    def __call__(self, x: Any) -> Any:
        *runs, _, n_in = np.shape(self.weight)[: -self.axes]
        return convolution(x, self.weight, self.bias, places_of(self, x, (*runs, n_in)))


class Conv2d(Conv1d):
    """y[o, p, q] = Σ W[o, i, j, k] x[i, stride · p + j, stride · q + k] + b[o]: Conv1d with rows and columns.

    x (n_in, H, L) or (batch, n_in, H, L)  →  y (n_out, P, Q) or (batch, n_out, P, Q).  weight (n_out, n_in, k, k).  size, stride,
    padding, dilation: one number, or a pair for rows and columns.
    """

    axes = 2


class MaxPool1d(Module):
    """y = the largest of each window; it alone gets the gradient, and those that tie share it.

    x (…, L)  →  (…, P).  stride: size, if left out; padding: −inf at either end, at most half of size; as PyTorch's.
    """

    axes, pooled = 1, staticmethod(max_pool)

    def __init__(self, size: Sizes, stride: Sizes | None = None, padding: Sizes = 0):
        self.size, self.padding, self.dilation = per_axis(size, self.axes, 1), per_axis(padding, self.axes, 0), (1,) * self.axes
        self.stride = self.size if stride is None else per_axis(stride, self.axes, 1)
        if any(2 * p > k for p, k in zip(self.padding, self.size)):
            raise ValueError(f"padding is at most half of the window of {self.size}, else a window were empty; got {self.padding}")

    def __call__(self, x: Any) -> Any:
        return self.pooled(x, places_of(self, x, ()))


class MaxPool2d(MaxPool1d):
    """MaxPool1d with rows and columns: x (…, H, L)  →  (…, P, Q)."""

    axes = 2


class AvgPool1d(MaxPool1d):
    """y = the mean of each window, zeros of the padding counted: each entry gets 1/k of the gradient.  The rest as MaxPool1d."""

    pooled = staticmethod(avg_pool)


class AvgPool2d(AvgPool1d):
    """AvgPool1d with rows and columns: x (…, H, L)  →  (…, P, Q)."""

    axes = 2


def per_axis(n: Sizes, axes: int, least: int) -> tuple[int, ...]:
    """One number for each axis; ValueError if there are others than whole numbers of `least` or more, or too many."""
    sizes = tuple(n) if isinstance(n, (tuple, list)) else (n,) * axes
    if len(sizes) != axes or not all(isinstance(k, (int, np.integer)) and k >= least and k is not True for k in sizes):
        each = "" if axes == 1 else f", or {axes} of them, one for each axis"
        raise ValueError(f"size, stride, dilation and padding are whole numbers: expected one from {least} on{each}; got {n!r}")
    return sizes


def places_of(layer: Any, x: Any, lead: tuple[int, ...]) -> Places:
    """Where the windows of a layer slide; ValueError unless x has the channels (and seeds) of `lead`, and room for one window."""
    shape, axes = np.shape(x), layer.axes
    spans = [d * (k - 1) + 1 - 2 * p for k, p, d in zip(layer.size, layer.padding, layer.dilation)]
    fits = len(shape) >= axes and all(n >= span for n, span in zip(shape[-axes:], spans))
    if lead:
        *runs, channels = lead
        batched = len(shape) == len(runs) + 2 + axes or not runs and len(shape) == 1 + axes
        fits = fits and batched and shape[-axes - 1] == channels and [*shape[: len(runs)]] == runs
    if not fits:
        before = [*map(str, lead[:-1]), "batch", *map(str, lead[-1:])] if lead else ["…"]
        raise ValueError(f"{type(layer).__name__} takes x of shape ({', '.join([*before, *(f'{n} or more' for n in spans)])}); got {shape}")
    return [sliding(*each) for each in zip(shape[-axes:], layer.size, layer.stride, layer.padding, layer.dilation)]
