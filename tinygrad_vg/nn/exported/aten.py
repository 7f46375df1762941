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
from ...autodiff.products import einsum, linear
from ...autodiff.rearranging import flip
from ...autodiff.reductions import log_softmax, logsumexp, prod
from ...autodiff.structure import broadcast_to, concatenate, expand_dims, mean, reshape, stack, swapaxes, take, transpose
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
    "exp.default":                               t.exp,
    "expm1.default":                             t.expm1,
    "log.default":                               t.log,
    "log1p.default":                             t.log1p,
    "sqrt.default":                              t.sqrt,
    "rsqrt.default":                             lambda a: 1 / t.sqrt(a),
    "reciprocal.default":                        m.reciprocal,
    "square.default":                            t.square,
    "sin.default":                               t.sin,
    "cos.default":                               t.cos,
    "sign.default":                              t.sign,
    "tan.default":                               m.tan,
    "asin.default":                              m.arcsin,
    "acos.default":                              m.arccos,
    "atan.default":                              m.arctan,
    "atan2.default":                             m.arctan2,
    "sinh.default":                              m.sinh,
    "cosh.default":                              m.cosh,
    "asinh.default":                             m.arcsinh,
    "acosh.default":                             m.arccosh,
    "atanh.default":                             m.arctanh,
    "exp2.default":                              m.exp2,
    "log2.default":                              m.log2,
    "log10.default":                             m.log10,
    "hypot.default":                             m.hypot,
    "logaddexp.default":                         m.logaddexp,
    "xlogy.Tensor":                              m.xlogy,
    "erf.default":                               m.erf,
    "erfc.default":                              m.erfc,
    "add.Tensor add.Scalar":                     o.add,
    "sub.Tensor sub.Scalar":                     lambda a, b, alpha=1: a - o.times(b, alpha),
    "rsub.Scalar rsub.Tensor":                   lambda a, b, alpha=1: b - o.times(a, alpha),
    "mul.Tensor mul.Scalar":                     operator.mul,
    "div.Tensor div.Scalar div.Tensor_mode":     o.divided,
    "pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar": o.powered,
    "maximum.default":                           t.maximum,
    "minimum.default":                           t.minimum,
    "clamp.default":                             lambda a, min=None, max=None: t.clip(a, min, max),
    "hardtanh.default":                          lambda a, min=-1.0, max=1.0: t.clip(a, min, max),
    "clamp_min.default":                         lambda a, min: t.clip(a, min, None),
    "clamp_max.default":                         lambda a, max: t.clip(a, None, max),
    "where.self where.ScalarSelf where.ScalarOther where.Scalar": t.where,
    "masked_fill.Scalar masked_fill.Tensor":     lambda x, mask, value: t.where(mask, value, x),
    "addcmul.default":                           lambda x, a, b, value=1: x + o.times(a * b, value),
    "lerp.Scalar lerp.Tensor":                   lambda a, b, weight: a + weight * (b - a),
    "remainder.Scalar remainder.Tensor":         lambda a, b: a - np.floor(plain(a) / plain(b)) * b,
    "fmod.Scalar fmod.Tensor":                   lambda a, b: a - np.trunc(plain(a) / plain(b)) * b,
    # activations
    "tanh.default":                              t.tanh,
    "sigmoid.default":                           t.sigmoid,
    "relu.default":                              t.relu,
    "relu6.default":                             lambda a: t.clip(a, 0.0, 6.0),
    "leaky_relu.default":                        lambda a, slope=0.01: t.leaky_relu(a, slope),
    "prelu.default":                             lambda a, weight: t.where(a > 0, a, per_channel(weight, a) * a),
    "elu.default":                               o.elu_of,
    "selu.default":                              lambda a: o.elu_of(a, 1.6732632423543772, 1.0507009873554805),
    "celu.default":                              lambda a, alpha=1.0: o.elu_of(a, alpha, 1, 1 / alpha),
    "glu.default":                               o.glu,
    "gelu.default":                              m.gelu,
    "silu.default":                              o.silu,
    "mish.default":                              lambda a: a * t.tanh(o.soft_plus(a)),
    "softplus.default":                          o.soft_plus,
    "hardsigmoid.default":                       lambda a: t.clip(a / 6 + 0.5, 0.0, 1.0),
    "hardswish.default":                         lambda a: a * t.clip(a / 6 + 0.5, 0.0, 1.0),
    "_safe_softmax.default":                     f.softmax_or(0.0),
    "_softmax.default softmax.int":              f.softmax_or(np.nan),
    "_log_softmax.default log_softmax.int":      lambda x, dim, half=False, **how: log_softmax(x, dim),
    # sums and the like
    "sum.dim_IntList sum.default":               o.reduced(structure.sum),
    "mean.dim mean.default":                     o.reduced(mean),
    "amax.default max.default":                  o.reduced(reductions.max),
    "amin.default min.default":                  o.reduced(reductions.min),
    "logsumexp.default":                         o.reduced(logsumexp),
    "prod.dim_int prod.default":                 o.reduced(prod),
    "var.correction":                            o.variance,
    "var.dim":                                   o.variance_of,
    "std.dim":                                   lambda *args: t.sqrt(o.variance_of(*args)),
    "std.correction":                            lambda x, dim=None, **how: t.sqrt(o.variance(x, dim, **how)),
    "max.dim":                                   o.chosen(reductions.max, np.argmax),
    "min.dim":                                   o.chosen(reductions.min, np.argmin),
    "max.other":                                 t.maximum,
    "min.other":                                 t.minimum,
    "cumsum.default":                            lambda x, dim, **how: cumsum(x, dim),
    "cumprod.default":                           lambda x, dim, **how: cumprod(x, dim),
    # products
    "mm.default bmm.default matmul.default mv.default dot.default": operator.matmul,
    "addmm.default baddbmm.default addmv.default": o.addmm,
    "linear.default":                            linear,
    "einsum.default":                            lambda equation, xs, path=None: einsum(equation, *xs),
    # layers
    "conv1d.default conv2d.default":             f.conv,
    "convolution.default":                       f.convolve,
    "conv_transpose1d.default conv_transpose2d.input": lambda x, W, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1:
        f.convolve(x, W, b, stride, padding, dilation, True, output_padding, groups),
    "max_pool1d.default max_pool2d.default":     f.max_pool,
    "max_pool2d_with_indices.default":           lambda *args: (f.max_pool(*args), None),
    "avg_pool1d.default avg_pool2d.default":     f.avg_pool,
    "adaptive_avg_pool1d.default adaptive_avg_pool2d.default _adaptive_avg_pool2d.default": f.adaptive_avg_pool,
    "upsample_nearest1d.vec upsample_nearest2d.vec": f.nearest,
    "layer_norm.default":                        f.layer_norm,
    "native_layer_norm.default":                 lambda *args: (f.layer_norm(*args), None, None),
    "rms_norm.default":                          f.rms_norm,
    "group_norm.default":                        f.group_norm,
    "instance_norm.default":                     lambda x, weight, bias, mean, var, use_input_stats, momentum, eps, cudnn_enabled:
        f.group_norm(x, x.shape[1], weight, bias, eps) if use_input_stats else f.batch_norm(x, weight, bias, mean, var, False, 0.0, eps)[0],
    "native_group_norm.default":                 lambda x, weight, bias, n, c, places, groups, eps:
        (f.group_norm(x, groups, weight, bias, eps), None, None),
    "batch_norm.default":                        lambda *args: f.batch_norm(*args[:8])[0],
    "_native_batch_norm_legit_functional.default": f.batch_norm,
    "_native_batch_norm_legit_no_training.default": lambda x, weight, bias, mean, var, momentum, eps:
        f.batch_norm(x, weight, bias, mean, var, False, momentum, eps)[:3],
    "_native_batch_norm_legit.no_stats":         lambda x, weight, bias, training, momentum, eps:
        f.batch_norm(x, weight, bias, None, None, True, momentum, eps)[:3],
    "embedding.default":                         f.embedded,
    "scaled_dot_product_attention.default":      f.attend,
    "rnn_tanh.input":                            unrolled(rnn_step(t.tanh)),
    "rnn_relu.input":                            unrolled(rnn_step(t.relu)),
    "lstm.input":                                unrolled(lstm_step, 2),
    "gru.input":                                 unrolled(gru_step),
    "rnn_tanh_cell.default":                     cell(rnn_step(t.tanh)),
    "rnn_relu_cell.default":                     cell(rnn_step(t.relu)),
    "lstm_cell.default":                         cell(lstm_step, 2),
    "gru_cell.default":                          cell(gru_step),
    "dropout.default":                           lambda x, p, train, *, rng: o.dropout(x, p, train, rng=rng)[0],
    "native_dropout.default":                    o.dropout,
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
    "expand_as.default":                         lambda x, y: broadcast_to(x, np.shape(y)),
    "fill.Scalar":                               lambda x, value: o.constant(np.shape(x), value),
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
    "index.Tensor":                              s.indexed,
    "index_select.default":                      lambda x, dim, index: take(x, index, dim),
    "gather.default":                            s.gathered,
    "flip.default":                              lambda x, dims: flip(x, tuple(dims)),
    "roll.default":                              lambda x, shifts, dims: np.roll(x, shifts, dims),
    "tril.default":                              lambda x, diagonal=0: np.tril(x, diagonal),
    "triu.default":                              lambda x, diagonal=0: np.triu(x, diagonal),
    "constant_pad_nd.default":                   s.padded,
    "pad.default":                               s.padded_with,
    "clone.default contiguous.default lift_fresh_copy.default to.dtype _to_copy.default type_as.default": o.same,
    "detach.default detach_.default":            plain,
    # constants and random numbers
    "full.default new_full.default":             lambda *args, **how: o.constant(*args[-2:]),
    "full_like.default":                         lambda x, value, **how: o.constant(np.shape(x), value),
    "empty_permuted.default":                    lambda size, order, **how: o.constant(size, 0.0),
    "zeros.default empty.memory_format":                o.filled(0.0),
    "ones.default":                              o.filled(1.0),
    "zeros_like.default empty_like.default":     o.filled_like(0.0),
    "ones_like.default":                         o.filled_like(1.0),
    "new_zeros.default new_empty.default":       lambda x, size, **how: o.constant(size, 0.0),
    "new_ones.default":                          lambda x, size, **how: o.constant(size, 1.0),
    "scalar_tensor.default":                     lambda value, **how: np.array(value),
    "arange.default arange.start arange.start_step": o.counted,
    "rand.default rand_like.default":            o.drawn("random"),
    "randn.default randn_like.default":          o.drawn("standard_normal"),
    # values alone
    "eq.Scalar eq.Tensor":                       o.compared(np.equal),
    "ne.Scalar ne.Tensor":                       o.compared(np.not_equal),
    "lt.Scalar lt.Tensor":                       o.compared(np.less),
    "le.Scalar le.Tensor":                       o.compared(np.less_equal),
    "gt.Scalar gt.Tensor":                       o.compared(np.greater),
    "ge.Scalar ge.Tensor":                       o.compared(np.greater_equal),
    "logical_and.default bitwise_and.Tensor __and__.Tensor":    o.compared(np.bitwise_and),
    "logical_or.default bitwise_or.Tensor __or__.Tensor":      o.compared(np.bitwise_or),
    "logical_not.default":                       o.looked_at(np.logical_not),
    "bitwise_not.default":                       o.looked_at(np.invert),
    "isnan.default":                             o.looked_at(np.isnan),
    "isinf.default":                             o.looked_at(np.isinf),
    "any.default any.dim any.dims":              lambda x, dim=None, keepdim=False: np.any(plain(x), o.axes_of(dim), keepdims=keepdim),
    "all.default all.dim all.dims":              lambda x, dim=None, keepdim=False: np.all(plain(x), o.axes_of(dim), keepdims=keepdim),
    "argmax.default":                            lambda x, dim=None, keepdim=False: np.argmax(plain(x), dim, keepdims=keepdim),
    "argmin.default":                            lambda x, dim=None, keepdim=False: np.argmin(plain(x), dim, keepdims=keepdim),
    "floor.default":                             o.looked_at(np.floor),
    "ceil.default":                              o.looked_at(np.ceil),
    "round.default":                             o.looked_at(np.round),
    "trunc.default":                             o.looked_at(np.trunc),
    # sizes that the export left open, and what it checks
    "sym_size.int":                              lambda x, dim: np.shape(x)[dim],
    "_assert_scalar.default _assert_tensor_metadata.default sym_constrain_range_for_size.default sym_constrain_range.default": o.nothing,
}.items() for op in ops.split()}
SIZES = "add sub mul floordiv truediv mod neg eq ne lt le gt ge and_ or_".split()  # what Python does with sizes that were left open
# fmt: on

OPS = {f"torch.ops.aten.{name}": function for name, function in ATEN.items()}
OPS |= {f"_operator.{name}": getattr(operator, name) for name in SIZES}
SIGNATURES = {target: inspect.signature(function) for target, function in OPS.items()}
ASKS = {target: {"rng", "label"} & set(signature.parameters) for target, signature in SIGNATURES.items()}
