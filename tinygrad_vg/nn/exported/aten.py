"""Which function of ours is which op of torch's?  A table: aten target → function, called with torch's arguments in torch's order.

A function that asks by name for `rng` or `label` is given the model's generator, or how nodes are named.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autodiff import more_rows as m
from ...autodiff import reductions, structure
from ...autodiff import table as t
from ...autodiff.along import cumprod, cumsum
from ...autodiff.core import plain
from ...autodiff.products import einsum
from ...autodiff.rearranging import flip
from ...autodiff.reductions import log_softmax, logsumexp, prod
from ...autodiff.rows import OPS as ROWS
from ...autodiff.structure import broadcast_to, concatenate, expand_dims, getitem, mean, reshape, stack, swapaxes, take, transpose
from ..layers import embedding
from ..norms import per_channel
from . import layers as f
from . import ops as o
from . import shapes as s
from .recurrent import cell, gru_step, lstm_step, rnn_step, unrolled

# fmt: off
ATEN: dict[str, Callable[..., Any]] = {op: function for ops, function in {
    # numbers, entry by entry
    "abs.default":                               t.absolute,
    "neg.default":                               t.negative,
    "rsqrt.default":                             lambda a: 1 / t.sqrt(a),
    "xlogy.Tensor":                              m.xlogy,
    "add.Tensor add.Scalar":                     lambda a, b, alpha=1: a + o.times(b, alpha),
    "sub.Tensor sub.Scalar":                     lambda a, b, alpha=1: a - o.times(b, alpha),
    "rsub.Scalar rsub.Tensor":                   lambda a, b, alpha=1: b - o.times(a, alpha),
    "mul.Tensor mul.Scalar":                     operator.mul,
    "div.Tensor div.Scalar div.Tensor_mode":     o.divided,
    "pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar": lambda a, b: t.square(a) if type(b) in (int, float) and b == 2 else t.power(a, b),
    "clamp.default":                             lambda a, min=None, max=None: t.clip(a, min, max),
    "hardtanh.default":                          lambda a, min=-1.0, max=1.0: t.clip(a, min, max),
    "clamp_min.default":                         lambda a, min: t.clip(a, min, None),
    "clamp_max.default":                         lambda a, max: t.clip(a, None, max),
    "where.self where.ScalarSelf where.ScalarOther where.Scalar": t.where,
    "masked_fill.Scalar masked_fill.Tensor":     lambda x, mask, value: t.where(mask, value, x),
    "addcmul.default":                           lambda x, a, b, value=1: x + o.times(a * b, value),
    "lerp.Scalar lerp.Tensor":                   lambda a, b, weight: a + weight * (b - a),
    "remainder.Scalar remainder.Tensor":         m.remainder,
    "fmod.Scalar fmod.Tensor":                   m.fmod,
    # activations
    "relu6.default":                             lambda a: t.clip(a, 0.0, 6.0),
    "leaky_relu.default":                        lambda a, slope=0.01: t.leaky_relu(a, slope),
    "prelu.default":                             lambda a, weight: t.where(a > 0, a, per_channel(weight, a) * a),
    "elu.default":                               o.elu_of,
    "selu.default":                              lambda a: o.elu_of(a, 1.6732632423543772, 1.0507009873554805),
    "celu.default":                              lambda a, alpha=1.0: o.elu_of(a, alpha, 1, 1 / alpha),
    "glu.default":                               o.glu,
    "silu.default":                              lambda a: a * t.sigmoid(a),
    "mish.default":                              lambda a: a * t.tanh(o.soft_plus(a)),
    "softplus.default":                          o.soft_plus,
    "hardsigmoid.default":                       lambda a: t.clip(a / 6 + 0.5, 0.0, 1.0),
    "hardswish.default":                         lambda a: a * t.clip(a / 6 + 0.5, 0.0, 1.0),
    "_safe_softmax.default":                     f.softmax_or(0.0),
    "_softmax.default softmax.int":              f.softmax_or(np.nan),
    "_log_softmax.default log_softmax.int":      lambda x, dim, half=False: log_softmax(x, dim),
    # sums and the like
    "sum.dim_IntList sum.default":               o.reduced(structure.sum),
    "mean.dim mean.default":                     o.reduced(mean),
    "amax.default max.default":                  o.reduced(reductions.max),
    "amin.default min.default":                  o.reduced(reductions.min),
    "logsumexp.default":                         o.reduced(logsumexp),
    "prod.dim_int prod.default":                 o.reduced(prod),
    "var.dim var.correction":                    o.variance,
    "std.dim std.correction":                    lambda *args, **how: t.sqrt(o.variance(*args, **how)),
    "max.dim":                                   o.chosen(reductions.max, np.argmax),
    "min.dim":                                   o.chosen(reductions.min, np.argmin),
    "max.other":                                 t.maximum,
    "min.other":                                 t.minimum,
    "cumsum.default":                            cumsum,
    "cumprod.default":                           cumprod,
    # products
    "mm.default bmm.default matmul.default mv.default dot.default": operator.matmul,
    "addmm.default baddbmm.default addmv.default": lambda b, x, W, beta=1, alpha=1: o.times(b, beta) + o.times(x @ W, alpha),
    "einsum.default":                            lambda equation, xs, path=None: einsum(equation, *xs),
    # layers
    "conv1d.default conv2d.default":             lambda x, W, b=None, stride=1, padding=0, dilation=1, groups=1:
        f.convolve(x, W, b, stride, padding, dilation, False, 0, groups),
    "convolution.default":                       f.convolve,
    "conv_transpose1d.default conv_transpose2d.input": lambda x, W, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1:
        f.convolve(x, W, b, stride, padding, dilation, True, output_padding, groups),
    "max_pool1d.default max_pool2d.default max_pool2d_with_indices.default": f.max_pool,
    "avg_pool1d.default avg_pool2d.default":     f.avg_pool,
    "adaptive_avg_pool1d.default adaptive_avg_pool2d.default _adaptive_avg_pool2d.default": f.adaptive_avg_pool,
    "upsample_nearest1d.vec upsample_nearest2d.vec": f.nearest,
    "layer_norm.default native_layer_norm.default": f.layer_norm,
    "rms_norm.default":                          f.rms_norm,
    "group_norm.default":                        f.group_norm,
    "instance_norm.default":                     lambda x, weight, bias, mean, var, use_input_stats, momentum, eps, cudnn_enabled:
        f.group_norm(x, x.shape[1], weight, bias, eps) if use_input_stats else f.batch_norm(x, weight, bias, mean, var, False, 0.0, eps),
    "native_group_norm.default": lambda x, weight, bias, n, c, places, groups, eps: f.group_norm(x, groups, weight, bias, eps),
    "batch_norm.default _native_batch_norm_legit_functional.default": f.batch_norm,
    "_native_batch_norm_legit_no_training.default": lambda x, weight, bias, mean, var, momentum, eps:
        f.batch_norm(x, weight, bias, mean, var, False, momentum, eps),
    "_native_batch_norm_legit.no_stats":         lambda x, weight, bias, training, momentum, eps:
        f.batch_norm(x, weight, bias, None, None, True, momentum, eps),
    "embedding.default":                         lambda W, i, padding=-1, by_frequency=False, sparse=False: embedding(W, i, padding),
    "scaled_dot_product_attention.default":      f.attend,
    "rnn_tanh.input":                            unrolled(rnn_step(t.tanh)),
    "rnn_relu.input":                            unrolled(rnn_step(t.relu)),
    "lstm.input":                                unrolled(lstm_step, 2),
    "gru.input":                                 unrolled(gru_step),
    "rnn_tanh_cell.default":                     cell(rnn_step(t.tanh)),
    "rnn_relu_cell.default":                     cell(rnn_step(t.relu)),
    "lstm_cell.default":                         cell(lstm_step, 2),
    "gru_cell.default":                          cell(gru_step),
    "dropout.default native_dropout.default":    o.dropout,
    # losses
    "cross_entropy_loss.default":                f.cross_entropy,
    "nll_loss_nd.default nll_loss.default":      f.nll_loss,
    "mse_loss.default":                          lambda x, y, reduction=1: f.over(t.square(x - y), reduction),
    "binary_cross_entropy_with_logits.default":  f.binary_cross_entropy,
    # shapes
    "view.default reshape.default _unsafe_view.default": reshape,
    "permute.default":                           transpose,
    "transpose.int":                             swapaxes,
    "t.default":                                 lambda x: transpose(x),
    "unsqueeze.default":                         expand_dims,
    "squeeze.default squeeze.dim squeeze.dims":  s.squeezed,
    "flatten.using_ints":                        s.flattened,
    "unflatten.int":                             s.unflattened,
    "expand.default":                            s.expanded,
    "broadcast_tensors.default":                 s.spread,
    "expand_as.default":                         lambda x, y: broadcast_to(x, np.shape(y)),
    "copy.default":                              lambda x, y, non_blocking=False: broadcast_to(y, np.shape(x)),
    "repeat.default tile.default":               s.tiled,
    "cat.default concat.default":                lambda xs, dim=0: concatenate(xs, dim),
    "stack.default":                             lambda xs, dim=0: stack(xs, dim),
    "split.Tensor split_with_sizes.default split.sizes": s.pieces,
    "chunk.default":                             lambda x, n, dim=0: s.pieces(x, -(-np.shape(x)[dim] // n), dim),
    "unbind.int":                                lambda x, dim=0: [s.at(x, dim, k) for k in range(np.shape(x)[dim])],
    "select.int":                                s.at,
    "slice.Tensor":                              s.between,
    "slice_scatter.default":                     s.put,
    "select_scatter.default":                    s.put_one,
    "index.Tensor":                              lambda x, indices: getitem(x, tuple(slice(None) if i is None else i for i in indices)),
    "index_select.default":                      lambda x, dim, index: take(x, index, dim),
    "gather.default":                            s.gathered,
    "flip.default":                              lambda x, dims: flip(x, tuple(dims)),
    "roll.default":                              lambda x, shifts, dims=None: np.roll(x, shifts, dims or None),
    "tril.default":                              lambda x, diagonal=0: np.tril(x, diagonal),
    "triu.default":                              lambda x, diagonal=0: np.triu(x, diagonal),
    "constant_pad_nd.default":                   s.padded,
    "pad.default":                               lambda x, pad, mode="constant", value=None: s.padded(x, pad, value, mode),
    "clone.default contiguous.default lift_fresh_copy.default to.dtype _to_copy.default type_as.default": lambda x, *how, **more: x,
    "detach.default detach_.default":            plain,
    # constants and random numbers
    "full.default full_like.default fill.Scalar": o.filled,
    "zeros.default zeros_like.default empty.memory_format empty_like.default": lambda x: o.filled(x, 0.0),
    "ones.default ones_like.default":            lambda x: o.filled(x, 1.0),
    "new_full.default":                          lambda x, size, value: o.filled(size, value),
    "new_zeros.default new_empty.default":       lambda x, size: o.filled(size, 0.0),
    "new_ones.default":                          lambda x, size: o.filled(size, 1.0),
    "empty_permuted.default":                    lambda size, order: o.filled(size, 0.0),
    "scalar_tensor.default":                     lambda value: np.array(value),
    "arange.default arange.start arange.start_step": o.counted,
    "rand.default rand_like.default":            o.drawn("random"),
    "randn.default randn_like.default":          o.drawn("standard_normal"),
    # values alone
    "bitwise_and.Tensor __and__.Tensor":         operator.and_,
    "bitwise_or.Tensor __or__.Tensor":           operator.or_,
    "logical_and.default":                       lambda x, y: np.logical_and(x, y),
    "logical_or.default":                        lambda x, y: np.logical_or(x, y),
    "logical_not.default":                       lambda x: np.logical_not(x),
    "bitwise_not.default":                       operator.invert,
    "isnan.default":                             lambda x: np.isnan(x),
    "isinf.default":                             lambda x: np.isinf(x),
    "any.default any.dim any.dims":              o.reduced(np.any),
    "all.default all.dim all.dims":              o.reduced(np.all),
    "argmax.default":                            o.reduced(np.argmax),
    "argmin.default":                            o.reduced(np.argmin),
    "floor.default":                             lambda x: np.floor(x),
    "ceil.default":                              lambda x: np.ceil(x),
    "round.default":                             lambda x: np.round(x),
    "trunc.default":                             lambda x: np.trunc(x),
    # sizes that the export left open, and what it checks
    "sym_size.int":                              lambda x, dim: np.shape(x)[dim],
    "_assert_scalar.default _assert_tensor_metadata.default sym_constrain_range_for_size.default sym_constrain_range.default":
        lambda *args, **how: None,
}.items() for op in ops.split()}
# fmt: on

# What torch calls as we do; with an "a" for our "arc"; as Python's module operator does
SAME = """exp expm1 exp2 log log1p log2 log10 sqrt square reciprocal sin cos tan sinh cosh sign erf erfc hypot logaddexp maximum minimum
    tanh sigmoid relu gelu linear""".split()
ARCS = "sin cos tan tan2 sinh cosh tanh".split()
COMPARED = "eq ne lt le gt ge".split()
SIZES = "add sub mul floordiv truediv mod neg and_ or_".split() + COMPARED  # what Python does with sizes that were left open

ATEN |= {f"{name}.default": ROWS[name] for name in SAME} | {f"a{name}.default": ROWS["arc" + name] for name in ARCS}
ATEN |= {f"{name}.{kind}": getattr(operator, name) for name in COMPARED for kind in ("Scalar", "Tensor")}

OPS = {f"torch.ops.aten.{name}": function for name, function in ATEN.items()}
OPS |= {f"_operator.{name}": getattr(operator, name) for name in SIZES}
SIGNATURES = {target: inspect.signature(function) for target, function in OPS.items()}
ASKS = {target: {"rng", "label"} & set(signature.parameters) for target, signature in SIGNATURES.items()}
