"""What does attention do?  Every place asks all others, and takes in a mean of what they say, weighted by how well they fit.

    x  input (…, T, d)      q, k, v  query, key, value      s  scores (T, T)      a  softmax of the scores: weights that sum to 1
    n  heads                z  what was taken in            W  weights (out, in)  b  bias
"""

import math
from typing import Any

import numpy as np

from ..autodiff.products import matmul
from ..autodiff.reductions import softmax
from ..autodiff.structure import reshape, split, swapaxes
from ..autodiff.tensor import Tensor
from .layers import Dropout, Module, activation_of, affine, generators, named, weight_and_bias
from .norms import LayerNorm


def scores(q: Any, k: Any, scale: float | None = None) -> Any:
    """s = q kᵀ scale, how well each key fits each query; scale is 1/√d, if left out."""
    s = matmul(q, swapaxes(k, -1, -2))
    return s / math.sqrt(np.shape(q)[-1]) if scale is None else s * scale


def masked(s: Any, mask: Any = None, causal: bool = False) -> Any:
    """s plus a mask of numbers, or −∞ where one of bools is False; causal: also −∞ where a key comes after the query."""
    if getattr(mask, "dtype", None) == np.bool_:
        mask = np.where(mask, np.float32(0), -np.float32(np.inf))
    s = s + mask if np.ndim(mask) else s
    return s + np.triu(np.full(np.shape(s)[-2:], -np.inf, np.float32), 1) if causal else s


class Projection(Module):
    """y = x Wᵀ + b: a Linear whose parameters are called as PyTorch's, weight (n_out, n_in) and bias (n_out,)."""

    def __init__(self, n_in: int, n_out: int, init: Any = "xavier", **options: Any):
        self.weight, self.bias = weight_and_bias((n_out, n_in), init, **options)

    def __call__(self, x: Any) -> Any:
        return affine(x, self.weight, self.bias)


class PlaceNorm(LayerNorm):
    """A LayerNorm whose parameters are called as PyTorch's: weight γ and bias β."""

    names = "weight", "bias"


class Attention(Module):
    """a = softmax(q kᵀ / √(d/n)),  y = (a v) W_oᵀ + b_o, in each of n heads on its own d/n of the d units (Vaswani et al. 2017).

    x (T, d) or (batch, T, d), batch first  →  y of the same shape.  heads must divide d, else ValueError.
    causal    place t sees places up to t only: the scores of later ones are −inf
    context   in the call: where keys and values come from, (…, S, d), if not from x
    mask      in the call, (T, S) or (…, heads, T, S): added to the scores, 0 or −inf; or bools, False where a query must not look
    in_proj_weight (3 d, d) and in_proj_bias (3 d,): of q, k, v, one below the other; out_proj: as in PyTorch's MultiheadAttention.
    bias, init, leaf, rng, seeds, name: see Linear; with seeds x is (seeds, batch, T, d).  attention(x, 3) names q[3], k[3], v[3], s[3]
    and a[3].
    """

    def __init__(self, d: int, heads: int = 1, causal: bool = False, init: Any = "xavier", *, bias: bool = True, leaf: Any = Tensor,
                 rng: Any = 0, seeds: Any = None, name: str = ""):
        if not isinstance(heads, (int, np.integer)) or heads < 1 or d % heads:
            raise ValueError(f"{d} units cannot be shared by {heads} heads of one size; heads is a whole number that divides d")
        options: dict[str, Any] = {"bias": bias, "leaf": leaf, "rng": generators(rng, seeds)}
        self.d, self.heads, self.causal = d, heads, causal
        both = weight_and_bias((3 * d, d), init, ("in_proj_weight", "in_proj_bias"), **options, name=name)
        self.in_proj_weight, self.in_proj_bias = both
        self.out_proj = Projection(d, d, init, **options, name=(name and name + ".") + "out_proj")

    def __call__(self, x: Any, *index: int, context: Any = None, mask: Any = None) -> Any:
        y = x if context is None else context
        if any(np.ndim(z) < 2 or np.shape(z)[-1] != self.d or not np.shape(z)[-2] for z in (x, y)):
            came = f"{np.shape(x)}{'' if context is None else f' and context {np.shape(y)}'}"
            raise ValueError(f"attention of {self.d} units takes x of shape (…, T, {self.d}), T ≥ 1; got {came}")
        mask = np.asarray(mask) if isinstance(mask, (list, tuple)) else mask
        if mask is not None and (not np.ndim(mask) or mask.dtype.kind in "iu"):
            raise ValueError(f"mask has a bool, or a float to add, for each query and key: (T, S) or (…, heads, T, S); got {mask!r}")
        W_q, W_k, W_v = split(self.in_proj_weight, 3, -2)
        b_q, b_k, b_v = (None,) * 3 if self.in_proj_bias is None else split(self.in_proj_bias, 3, -1)
        q = named(self.by_head(affine(x, W_q, b_q)), "q", *index)
        k = named(self.by_head(affine(y, W_k, b_k)), "k", *index)
        v = named(self.by_head(affine(y, W_v, b_v)), "v", *index)
        s = named(scores(q, k), "s", *index)
        a = named(softmax(masked(s, mask, self.causal)), "a", *index)
        z = reshape(swapaxes(matmul(a, v), -2, -3), np.shape(x))
        return self.out_proj(z)

    def by_head(self, x: Any) -> Any:
        """(…, T, d) as (…, heads, T, d / heads)."""
        return swapaxes(reshape(x, (*np.shape(x)[:-1], self.heads, self.d // self.heads)), -2, -3)


class TransformerBlock(Module):
    """Attention, then two layers at each place, both on the way past: a residual block (Vaswani et al. 2017).

        norm="pre"     u = x + a attention(s norm1(x)),    y = u + a f(s norm2(u)),    f(u) = W_2 φ(W_1 u + b_1) + b_2
        norm="post"    u = norm1(x + a attention(x)),      y = norm2(u + a f(u))
        norm=None      u = x + a attention(x),             y = u + a f(u)

    x (T, d) or (batch, T, d)  →  y of the same shape.  hidden: units of W_1, 4 d if left out.  activation: φ; dropout: of both branches.
    a: a number, or a leaf to be learned; a=Tensor(0.0) is ReZero (Bachlechner et al. 2021).  scale: s, a number; 1/√l in the l-th block
    is LayerNorm scaling (Sun et al. 2025); ValueError unless norm="pre".  Parameters by the names of PyTorch's TransformerEncoderLayer:
    self_attn.out_proj.weight, linear1.weight, norm1.bias, ….  The rest: see Attention.  block(x, 3) names u[3] and its output h[3]: of
    blocks one after another the stations.
    """

    def __init__(self, d: int, heads: int = 1, norm: str | None = "pre", hidden: int | None = None, activation: Any = "relu", *,
                 causal: bool = False, dropout: float = 0.0, a: Any = 1.0, scale: float = 1.0, init: Any = "xavier", bias: bool = True,
                 leaf: Any = Tensor, rng: Any = 0, seeds: Any = None, name: str = ""):
        if norm not in ("pre", "post", None):
            raise ValueError(f"norm is 'pre', 'post' or None; got {norm!r}")
        if scale != 1 and norm != "pre":
            raise ValueError(f"scale is a factor of the norms before the branches, norm='pre'; got norm={norm!r} and scale={scale}")
        self.scale = scale
        rng, hidden, prefix = generators(rng, seeds), 4 * d if hidden is None else hidden, name and name + "."
        options = {"init": init, "bias": bias, "leaf": leaf, "rng": rng}
        self.self_attn = Attention(d, heads, causal, **options, name=prefix + "self_attn")
        self.linear1 = Projection(d, hidden, **options, name=prefix + "linear1")
        self.linear2 = Projection(hidden, d, **options, name=prefix + "linear2")
        if norm:
            count = len(rng) if isinstance(rng, list) else None
            self.norm1, self.norm2 = (PlaceNorm(d, leaf=leaf, seeds=count, name=prefix + norm) for norm in ("norm1", "norm2"))
        self.norm, self.activation, self.a, self.dropout = norm, activation_of(activation), a, Dropout(dropout, rng)

    def __call__(self, x: Any, *index: int, mask: Any = None) -> Any:
        u = self.residual(x, lambda x: self.self_attn(x, *index, mask=mask), getattr(self, "norm1", None), *index)
        return named(self.residual(named(u, "u", *index), self.feed, getattr(self, "norm2", None), *index), "h", *index)

    def feed(self, u: Any) -> Any:
        """W_2 φ(W_1 u + b_1) + b_2."""
        return self.linear2(self.dropout(self.activation(self.linear1(u))))

    def residual(self, x: Any, f: Any, norm: Any, *index: int) -> Any:
        """x + a f(x), the norm before f, or after the sum."""
        y = norm(x, *index) if self.norm == "pre" else x
        y = f(y if self.scale == 1 else self.scale * y)
        y = x + self.a * self.dropout(y)
        return norm(y, *index) if self.norm == "post" else y
