"""What is a convolution?  The same small matrix at every place: windows of x, laid out as columns, times W.

    x  input (…, channels, places)      y  output      k  size of the window      W  weights (out, in, k)      b  bias (out,)
"""

import math
from typing import Any

import numpy as np

from ..autodiff.products import matmul
from ..autodiff.reductions import max
from ..autodiff.structure import concatenate, expand_dims, getitem, mean, reshape
from ..autodiff.tensor import Tensor
from . import init as initial
from .layers import Module, each, generators

Sizes = int | tuple[int, ...]


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
        rng, start, prefix = generators(rng, seeds), initial.of_name(init), name and name + "."
        self.size, self.stride, self.dilation = (per_axis(n, self.axes, 1) for n in (size, stride, dilation))
        self.padding = per_axis(padding, self.axes, 0)
        n, shape = n_in * math.prod(self.size), (n_out, n_in, *self.size)
        self.weight = leaf(each(rng, lambda rng: initial.drawn(start, (n_out, n), rng).reshape(shape)), name=prefix + "weight")
        self.bias = leaf(each(rng, lambda rng: np.zeros(n_out)), name=prefix + "bias") if bias else None

    def __call__(self, x: Any) -> Any:
        *runs, n_out, n_in = np.shape(self.weight)[: -self.axes]
        check_places(self, x, (*runs, n_in))
        X = windows(padded(x, self.padding, 0.0), self.size, self.stride, self.dilation)
        *lead, _ = np.shape(x)[: -self.axes]
        columns = reshape(X, (*lead, n_in * math.prod(self.size), -1))
        W = reshape(self.weight, (*runs, *(1,) * len(runs), n_out, -1))
        y = matmul(W, columns)
        y = y if self.bias is None else y + expand_dims(self.bias, (1, 3) if runs else 1)
        return reshape(y, (*lead, n_out, *np.shape(X)[-self.axes :]))


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

    axes, fill, reduced = 1, -math.inf, staticmethod(max)

    def __init__(self, size: Sizes, stride: Sizes | None = None, padding: Sizes = 0):
        self.size, self.padding, self.dilation = per_axis(size, self.axes, 1), per_axis(padding, self.axes, 0), (1,) * self.axes
        self.stride = self.size if stride is None else per_axis(stride, self.axes, 1)
        if any(2 * p > k for p, k in zip(self.padding, self.size)):
            raise ValueError(f"padding is at most half of the window of {self.size}, else a window were empty; got {self.padding}")

    def __call__(self, x: Any) -> Any:
        check_places(self, x, ())
        X = windows(padded(x, self.padding, self.fill), self.size, self.stride, self.dilation)
        return self.reduced(X, tuple(range(-2 * self.axes, -self.axes)))


class MaxPool2d(MaxPool1d):
    """MaxPool1d with rows and columns: x (…, H, L)  →  (…, P, Q)."""

    axes = 2


class AvgPool1d(MaxPool1d):
    """y = the mean of each window, zeros of the padding counted: each entry gets 1/k of the gradient.  The rest as MaxPool1d."""

    fill, reduced = 0.0, staticmethod(mean)


class AvgPool2d(AvgPool1d):
    """AvgPool1d with rows and columns: x (…, H, L)  →  (…, P, Q)."""

    axes = 2


def windows(x: Any, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """The windows of the last axes of x: (…, k, P), or (…, k, k, P, Q); entry j of window p is x[…, stride · p + dilation · j]."""
    axes, index = len(size), []
    for a, (n, k, s, d) in enumerate(zip(np.shape(x)[-axes:], size, stride, dilation)):
        places = d * np.arange(k)[:, None] + np.arange(0, n - d * (k - 1), s)
        index.append(np.expand_dims(places, tuple(b for b in range(2 * axes) if b % axes != a)))
    return getitem(x, (..., *index))


def padded(x: Any, padding: tuple[int, ...], fill: float) -> Any:
    """x with `fill` before and after each of its last axes."""
    for axis, n in enumerate(padding, -len(padding)):
        if n:
            shape = [n if a == axis % np.ndim(x) else size for a, size in enumerate(np.shape(x))]
            edge = np.full(shape, fill, np.float32 if x.dtype == np.float32 else float)
            x = concatenate([edge, x, edge], axis)
    return x


def per_axis(n: Sizes, axes: int, least: int) -> tuple[int, ...]:
    """One number for each axis; ValueError if there are others than whole numbers of `least` or more, or too many."""
    sizes = (n,) * axes if isinstance(n, (int, np.integer)) else tuple(n)
    if len(sizes) != axes or not all(isinstance(k, (int, np.integer)) and k >= least for k in sizes):
        raise ValueError(f"expected a whole number from {least} on, or {axes} of them, one for each axis; got {n!r}")
    return sizes


def check_places(layer: Any, x: Any, lead: tuple[int, ...]) -> None:
    """ValueError unless x has the channels (and seeds) of `lead`, and room for one window."""
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
