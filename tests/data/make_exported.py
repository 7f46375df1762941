"""Writes exported/*.pt2 and exported.npz: small PyTorch models as torch.export saves them, and what PyTorch computes with them.

    python tests/data/make_exported.py        needs torch (2.14 was used); the tests need neither torch nor this file

Each model has random float64 weights. Of each are stored its inputs, outputs, the loss Σ output² / 2 and the loss's gradients with
respect to every parameter and every floating input. The files are what torch writes, packed anew with compression.
"""

import io
import json
import pathlib
import warnings
import zipfile

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
T, B = 5, 3  # steps, batch


class Deep(nn.Module):
    """A deep MLP whose layers stand in a loop."""

    def __init__(self, activation, depth=12):
        super().__init__()
        self.layers, self.head, self.activation = nn.ModuleList(nn.Linear(4, 4) for _ in range(depth)), nn.Linear(4, 2), activation

    def forward(self, x):
        for layer in self.layers:
            x = self.activation(layer(x))
        return self.head(x)


class Recurrent(nn.Module):
    """A recurrent net, read at its last step or at every step."""

    def __init__(self, kind, every=False, hidden=3, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(2, hidden, batch_first=True, **options)
        self.head, self.every = nn.Linear(6 if options.get("bidirectional") else 3, 2), every

    def forward(self, x):
        out, state = self.rnn(x)
        return self.head(out if self.every else out[:, -1])


class TimeFirst(nn.Module):
    """Time first, states given and returned."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 3)

    def forward(self, x, h0):
        return self.gru(x, h0)


class ByCell(nn.Module):
    """A loop over nn.LSTMCell, as written by hand."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTMCell(2, 3), nn.Linear(3, 1)

    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 3)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
        return self.head(h)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 4, 2, stride=2, groups=2, bias=False)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = F.avg_pool2d(F.leaky_relu(self.conv2(x)), 2, ceil_mode=True)
        return F.log_softmax(self.head(torch.flatten(x, 1)), -1)


class Conv1d(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.wide = nn.Conv1d(2, 4, 3, padding=2, dilation=2), nn.GroupNorm(2, 4), nn.Conv1d(4, 4, 3, groups=4)

    def forward(self, x):
        x = F.max_pool1d(F.elu(self.norm(self.conv(x))), 3, 2, padding=1)
        return F.adaptive_avg_pool1d(F.softplus(self.wide(x)), 1).squeeze(-1)


class ResBlock(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.bn2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)

    def forward(self, x):
        return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks, self.head = nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.Sequential(ResBlock(), ResBlock()), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class Encoder(nn.Module):
    def __init__(self, pre, activation="relu"):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, activation=activation, batch_first=True, norm_first=pre)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class CausalBlock(nn.Module):
    def __init__(self, d=4, heads=2):
        super().__init__()
        self.ln1, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ln2, self.up, self.down, self.heads = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d), heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (p.view(b, t, self.heads, d // self.heads).transpose(1, 2) for p in self.qkv(self.ln1(x)).split(d, dim=2))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(a.transpose(1, 2).contiguous().view(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))


class GPT(nn.Module):
    """Tokens in, logits out; the last matrix is that of the embedding (tied)."""

    def __init__(self, words=7):
        super().__init__()
        self.wte, self.wpe, self.blocks = nn.Embedding(words, 4), nn.Embedding(T, 4), nn.ModuleList([CausalBlock(), CausalBlock()])
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, words, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Masked(nn.Module):
    """Attention written out, with a mask of -inf kept as a buffer."""

    def __init__(self, d=4):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.register_buffer("mask", torch.tril(torch.ones(T, T)).bool())

    def forward(self, x):
        scores = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) / x.shape[-1] ** 0.5
        return torch.softmax(scores.masked_fill(~self.mask, float("-inf")), -1) @ self.v(x)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(9, 4, padding_idx=0), nn.Linear(4, 3)

    def forward(self, tokens):
        there = (tokens != 0).unsqueeze(-1)
        mean = (self.embedding(tokens) * there).sum(1) / there.sum(1).clamp(min=1)
        return self.head(F.silu(mean))


class VAE(nn.Module):
    """Reconstruction, mean and log-variance; the noise is an input."""

    def __init__(self):
        super().__init__()
        self.enc, self.mu, self.logvar, self.dec = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 2), nn.Sequential(
            nn.Linear(2, 6), nn.GELU(), nn.Linear(6, 4), nn.Sigmoid())

    def forward(self, x, noise):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return self.dec(mu + noise * torch.exp(0.5 * logvar)), mu, logvar, kl


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.mid, self.up = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1)
        self.unpool = nn.ConvTranspose2d(2, 2, 2, stride=2)

    def forward(self, x):
        a = F.silu(self.down(x))
        b = F.hardtanh(self.mid(F.max_pool2d(a, 2)))
        b = F.interpolate(F.avg_pool2d(b, 2), scale_factor=2, mode="nearest") + b
        return self.up(torch.cat([a, F.interpolate(b, scale_factor=2, mode="nearest") + self.unpool(b)], 1))


class Mamba(nn.Module):
    """A selective scan, in closed form by cumulative sums of logs."""

    def __init__(self, d=3, n=2):
        super().__init__()
        self.A_log, self.D = nn.Parameter(torch.log(torch.arange(1.0, n + 1)).repeat(d, 1)), nn.Parameter(torch.ones(d))
        self.dt, self.bc, self.out, self.n = nn.Linear(d, d), nn.Linear(d, 2 * n), nn.Linear(d, 2), n

    def forward(self, x):
        dt = F.softplus(self.dt(x))
        b, c = self.bc(x).chunk(2, dim=-1)
        log_a = torch.cumsum(torch.einsum("btd,dn->btdn", dt, -torch.exp(self.A_log)), 1)
        h = torch.exp(log_a) * torch.cumsum(torch.einsum("btd,btn->btdn", dt * x, b) * torch.exp(-log_a), 1)
        return self.out(torch.einsum("btdn,btn->btd", h, c) + x * self.D)


class Scan(nn.Module):
    """The same as a loop: h[t] = exp(Δ A) h[t-1] + Δ B x[t]."""

    def __init__(self, d=3, n=2):
        super().__init__()
        self.A_log, self.dt, self.bc = nn.Parameter(torch.zeros(d, n)), nn.Linear(d, d), nn.Linear(d, 2 * n)

    def forward(self, x):
        dt, (b, c) = F.softplus(self.dt(x)), self.bc(x).chunk(2, -1)
        h, out = torch.zeros(x.shape[0], 3, 2, dtype=x.dtype), []
        for t in range(x.shape[1]):
            h = torch.exp(-dt[:, t, :, None] * torch.exp(self.A_log)) * h + (dt[:, t] * x[:, t])[..., None] * b[:, t, None]
            out.append((h * c[:, t, None]).sum(-1))
        return torch.stack(out, 1)


class Odds(nn.Module):
    """What else a forward may say: RMS norm, gather, where, min, max, prod, var, flip, roll, pad, repeat."""

    def __init__(self):
        super().__init__()
        self.norm, self.w = nn.RMSNorm(4), nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    def forward(self, x, index):
        x = self.norm(x) * torch.rsqrt(x.var(-1, keepdim=True, unbiased=True) + 1) + self.w.abs().repeat(x.shape[0], 1)
        y = torch.where(x > 0, x.clamp(-1, 1), torch.expm1(x)) + x.flip(-1) - torch.roll(x, 1, -1)
        y = torch.cat([y.gather(1, index), F.pad(y, (1, 0))[:, :2], y.amax(-1, keepdim=True), y.min(-1, keepdim=True).values], -1)
        return y.prod(-1), torch.logsumexp(y, -1), torch.erf(y), y.std(1)


class Functions(nn.Module):
    """Functions of each entry, of two arrays, of all."""

    def __init__(self):
        super().__init__()
        self.w, self.slope = nn.Parameter(torch.ones(4)), nn.PReLU(4)

    def forward(self, x, y):
        x = x * self.w
        one = [F.relu6(x), self.slope(x), F.mish(x), F.hardsigmoid(x), F.hardswish(x), F.silu(x), F.selu(x), F.softplus(x, 2.0), x.sin(),
               x.cos(), x.reciprocal(), x.square(), x.sign() * x, F.softmax(x, 0), F.rms_norm(x, (4,)), F.gelu(x), F.glu(x), F.celu(x, 2.0)]
        two = [torch.maximum(x, y), torch.max(x, y), torch.minimum(x, y), torch.min(x, y), torch.addcmul(x, x, y, value=0.5), 1 - x, 2 / y,
               torch.lerp(x, y, 0.25), torch.lerp(x, y, self.w), torch.remainder(x, 0.7), torch.remainder(x, y), torch.fmod(x, y), 2.0 ** x,
               (x.square() + 1) ** y, torch.rsub(x, y, alpha=2), torch.sub(x, y, alpha=0.5), x.clamp_min(0.1), x.clamp_max(0.1)]
        z = torch.sigmoid(x)
        two += [torch.tan(z), z.asin(), z.acos(), x.atan(), torch.atan2(x, y), z.sinh(), z.cosh(), x.asinh(), (1 + z).acosh(), z.atanh(), x.exp2(),
                z.log2(), z.log10(), torch.hypot(x, y), torch.logaddexp(x, y), torch.xlogy(x, z), x.erf(), x.erfc(), x.cumsum(0), x.cumprod(1)]
        all_of = [x.sum(), x.mean(), x.max(), x.min(), x.max(1).values, x.amin((0, 1)), x.prod(), x.std(0), x.logsumexp(1), x.std(),
                  x.var(1, True), torch.var(x, (0, 1), correction=0)]
        return torch.cat([v.flatten() for v in one + two + all_of])


class Products(nn.Module):
    """Products of vectors, matrices and stacks of them."""

    def __init__(self):
        super().__init__()
        self.A, self.v = nn.Parameter(torch.ones(3, 4)), nn.Parameter(torch.ones(4))

    def forward(self, x, y):
        parts = [self.A @ self.v, torch.mv(self.A, self.v), self.v.dot(self.v), torch.addmv(self.v[:3], self.A, self.v, beta=0.5), x @ self.A.T, torch.bmm(x, y),
                 torch.baddbmm(x @ y, x, y, alpha=2.0), self.A.mm(self.A.t()), torch.einsum("bij,kj->bik", x, self.A), x.matmul(y)]
        return torch.cat([v.flatten() for v in parts])


class Moves(nn.Module):
    """Views, pieces, and assignments to a part of an array. run_decompositions() may lose a detach()."""

    def __init__(self, cut):
        super().__init__()
        self.cut = cut
        self.w = nn.Parameter(torch.ones(2, 3, 4))

    def forward(self, x, index):
        w = self.w * 1
        w[:, 0] = x[0] * 2
        w[:, :, 1:3] = w[:, :, 1:3] * 3
        a, b = w.chunk(2, 2)
        still = w.detach() if self.cut else w
        parts = [a * b, *w.unbind(1), torch.stack([a, b], 1), w.unflatten(2, (2, 2)), w.flatten(1), w.tril(-1), w.triu(1), w.roll((1, 2), (0, 2)),
                 w.reshape(4, 6), torch.concat([a, b]), F.pad(w, (1, -1, 0, 2), value=0.5), w.new_zeros(2).fill_(3.0), w[:, index, 0], w[index],
                 w.squeeze(), w.mT, w.expand(2, 2, 3, 4), x.expand_as(w), w.flip(0, 2), *w.split([1, 3], 2), still.contiguous(),
                 torch.zeros_like(w).copy_(x), w.tile(2, 1, 1), w.permute(2, 0, 1), w[1].t(), w[..., ::2], w.index_select(0, index)]
        return torch.cat([v.flatten() for v in parts])


class Views(nn.Module):
    """The same without assignments, so that it can be exported as it is."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(2, 3, 4))

    def forward(self, x):
        w = self.w * x
        a, b = w.chunk(2, 2)
        parts = [a * b, w.unflatten(2, (2, 2)), w.transpose(1, 2).contiguous().reshape(2, 12), *w.split([1, 3], 2), x.expand_as(w), x[...] * w,
                 torch.dropout(w, 0.5, False), F.scaled_dot_product_attention(w, w, w)]
        return torch.cat([v.flatten() for v in parts])


class Random(nn.Module):
    """Dropout and noise, as in training."""

    def __init__(self):
        super().__init__()
        self.layer, self.drop = nn.Linear(4, 4), nn.Dropout(0.25)

    def forward(self, x):
        y = self.layer(x)
        return self.drop(y), y + torch.randn_like(y), y * torch.rand(3, 4, dtype=y.dtype), y + torch.rand_like(y) + torch.randn(4, dtype=y.dtype)


class Compared(nn.Module):
    """What has no gradient by itself: comparisons, masks, whole numbers, constants."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3, 4))

    def forward(self, x, y):
        w = self.w
        masks = [x > y, x >= y, x < y, x <= y, x == y, x != y, (x > 0) & (y > 0), (x > 0) | (y > 0), ~(x < 1), x.isnan(), x.isinf(), (x > 0).logical_not(),
                 (x < 0.1), (x > 0).any(1, True), (x > 0).all(1, True), (x > 9).any(), (x > -9).all(), torch.logical_or(x > 1, y > 1), x >= 0.2]
        total = w.masked_fill(x > 0, 0.5).sum() + torch.where(x > 0, w, 2.0).sum() + torch.where(x > 0, 3.0, w).sum()
        for k, mask in enumerate(masks):
            total = total + (w * w * mask).sum() * k
        place = x.argmax(1) + x.argmin(1) + torch.div(x.argmax(), 3, rounding_mode="floor")
        numbers = [torch.ones_like(x), torch.zeros_like(x), x.new_full((2,), 2.0), x.new_ones(2), torch.ones(2), torch.full((2,), 0.3), x.floor(),
                   x.ceil(), x.round(), x.trunc(), torch.arange(3.0), torch.arange(1, 3).double(), torch.empty_like(x).argmax().to(x.dtype) * 0, place.to(x.dtype),
                   torch.empty(2).argmin().to(x.dtype) * 0, x.new_empty(2).argmax() * 0, torch.where(x > 0, 1.0, 2.0).to(x.dtype), torch.tensor([1.0, 2.0]), place.type_as(x)]
        return torch.cat([(w.sum() * v).flatten() for v in numbers] + [total[None]])


class Cells(nn.Module):
    """torch's cells, one step each, in a loop."""

    def __init__(self):
        super().__init__()
        self.rnn, self.relu, self.lstm, self.gru = nn.RNNCell(2, 3), nn.RNNCell(3, 3, nonlinearity="relu"), nn.LSTMCell(3, 3), nn.GRUCell(3, 3)

    def forward(self, x, h):
        a = b = c = d = e = h
        for entry in x:
            a = self.rnn(entry, a)
            b = self.relu(a, b)
            c, d = self.lstm(b, (c, d))
            e = self.gru(c, e)
        return e, d


class Pools(nn.Module):
    """One dimension, in torch's own words."""

    def __init__(self):
        super().__init__()
        self.conv, self.up, self.bn = nn.Conv1d(2, 4, 3, padding=1), nn.ConvTranspose1d(4, 4, 3, stride=2, groups=2, output_padding=1), nn.BatchNorm1d(4)
        self.instance, self.group = nn.InstanceNorm1d(4), nn.GroupNorm(2, 4)

    def forward(self, x):
        x = F.max_pool1d(self.bn(self.conv(x)), 2)
        x = self.instance(F.avg_pool1d(self.up(x), 3, 2, padding=1, count_include_pad=False))
        y = F.interpolate(F.interpolate(x, scale_factor=2), size=5)
        return F.adaptive_avg_pool1d(self.group(y), 3), F.adaptive_avg_pool2d(y[None], (3, 2))


class AnySize(nn.Module):
    """A batch and a length that are left open."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        b, t, n = x.shape
        y = self.layer(x.reshape(b * t, n)).view(b, t * 3)
        return y.sum(1) / (t * 2) + x[:, t // 2].mean(1), torch.zeros(b, 2) + y[:, :2], torch.arange(t) * y.mean()


class Softly(nn.Module):
    """A mask that hides everything from one of the queries."""

    def __init__(self):
        super().__init__()
        self.q = nn.Linear(4, 4)

    def forward(self, x):
        mask = torch.ones(T, T, dtype=torch.bool).tril(-1)
        return F.scaled_dot_product_attention(self.q(x), x, x, attn_mask=mask)[:, 1:]


class Losses(nn.Module):
    """Losses that a model returns by itself: classes along axis 1, weights, labels that do not count, each reduction."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("w", torch.tensor([1.0, 0.5, 2.0, 3.0]))

    def forward(self, x, labels):
        z = self.layer(x)
        y, flat, some, log_p = z.transpose(1, 2), z.flatten(0, 1), torch.where(labels == 3, -100, labels), z.log_softmax(-1)
        losses = [F.cross_entropy(flat, labels.flatten()), F.cross_entropy(y, some, self.w), F.cross_entropy(y, labels, label_smoothing=0.1),
                  F.cross_entropy(y, some, self.w, reduction="sum"), F.cross_entropy(y, some, reduction="none"), F.cross_entropy(z[0, 0], labels[0, 0]),
                  F.nll_loss(log_p[0], labels[0]), F.nll_loss(log_p.transpose(1, 2), some, self.w), F.nll_loss(log_p[:, 0], some[:, 0], reduction="none"),
                  F.mse_loss(z, x), F.mse_loss(z, x, reduction="sum"), F.mse_loss(z, x, reduction="none")]
        p = torch.sigmoid(x)
        losses += [F.binary_cross_entropy_with_logits(z, p), F.binary_cross_entropy_with_logits(z, p, self.w, pos_weight=self.w, reduction="sum")]
        return torch.cat([loss.flatten() for loss in losses])


def mlp(train):
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.0 if train else 0.5), nn.Linear(6, 2))
    return model.train(train)


def normal(*shape):
    return torch.randn(*shape)


def words(*shape, n=7):
    return torch.randint(0, n, shape)


# name: (model, inputs, form)      form "fused": run_decompositions({}), as docs/export.md has it; "core": run_decompositions(); "raw": neither
CASES = {
    "mlp_tanh":         lambda: (Deep(torch.tanh), [normal(B, 4)], "fused"),
    "mlp_sigmoid_core": lambda: (Deep(torch.sigmoid), [normal(B, 4)], "core"),
    "mlp_bn_train":     lambda: (mlp(True), [normal(B, 4)], "core"),
    "mlp_bn_eval":      lambda: (mlp(False), [normal(B, 4)], "fused"),
    "mlp_raw":          lambda: (Deep(F.relu, 3), [normal(B, 4)], "raw"),
    "rnn":              lambda: (Recurrent("RNN"), [normal(B, T, 2)], "fused"),
    "rnn_relu_core":    lambda: (Recurrent("RNN", nonlinearity="relu"), [normal(B, T, 2)], "core"),
    "lstm2":            lambda: (Recurrent("LSTM", num_layers=2, every=True), [normal(B, T, 2)], "fused"),
    "lstm_core":        lambda: (Recurrent("LSTM"), [normal(B, T, 2)], "core"),
    "lstm_both_ways":   lambda: (Recurrent("LSTM", num_layers=2, bidirectional=True), [normal(B, T, 2)], "fused"),
    "gru":              lambda: (Recurrent("GRU"), [normal(B, T, 2)], "fused"),
    "gru_time_first":   lambda: (TimeFirst(), [normal(T, B, 2), normal(1, B, 3)], "fused"),
    "lstm_by_cell":     lambda: (ByCell(), [normal(B, T, 2)], "core"),
    "cnn":              lambda: (ConvNet(), [normal(2, 1, 9, 8)], "core"),
    "cnn_fused":        lambda: (ConvNet(), [normal(2, 1, 9, 8)], "fused"),
    "conv1d":           lambda: (Conv1d(), [normal(2, 2, 8)], "core"),
    "resnet_train":     lambda: (ResNet().train(), [normal(2, 1, 6, 6)], "core"),
    "resnet_eval":      lambda: (ResNet().eval(), [normal(2, 1, 6, 6)], "fused"),
    "encoder_post":     lambda: (Encoder(False), [normal(2, T, 4)], "fused"),
    "encoder_pre":      lambda: (Encoder(True, "gelu"), [normal(2, T, 4)], "core"),
    "gpt":              lambda: (GPT(), [words(2, T)], "fused"),
    "gpt_core":         lambda: (GPT(), [words(2, T)], "core"),
    "attention_masked": lambda: (Masked(), [normal(2, T, 4)], "core"),
    "words":            lambda: (Words(), [words(B, T, n=9)], "core"),
    "vae":              lambda: (VAE(), [normal(B, 4), normal(B, 2)], "core"),
    "unet":             lambda: (UNet(), [normal(1, 1, 8, 8)], "core"),
    "mamba":            lambda: (Mamba(), [normal(2, T, 3)], "core"),
    "scan":             lambda: (Scan(), [normal(2, T, 3)], "core"),
    "odds":             lambda: (Odds(), [normal(3, 4), words(3, 2, n=4)], "core"),
    "functions":        lambda: (Functions(), [normal(3, 4), normal(3, 4)], "fused"),
    "functions_core":   lambda: (Functions(), [normal(3, 4), normal(3, 4)], "core"),
    "products":         lambda: (Products(), [normal(2, 3, 4), normal(2, 4, 3)], "fused"),
    "products_core":    lambda: (Products(), [normal(2, 3, 4), normal(2, 4, 3)], "core"),
    "moves":            lambda: (Moves(True), [normal(2, 1, 4), words(2, n=2)], "fused"),
    "moves_core":       lambda: (Moves(False), [normal(2, 1, 4), words(2, n=2)], "core"),
    "compared":         lambda: (Compared(), [normal(3, 4), normal(3, 4)], "fused"),
    "compared_core":    lambda: (Compared(), [normal(3, 4), normal(3, 4)], "core"),
    "compared_raw":     lambda: (Compared(), [normal(3, 4), normal(3, 4)], "raw"),
    "cells":            lambda: (Cells(), [normal(T, B, 2), normal(B, 3)], "fused"),
    "pools":            lambda: (Pools(), [normal(2, 2, 8)], "fused"),
    "pools_core":       lambda: (Pools(), [normal(2, 2, 8)], "core"),
    "views_raw":        lambda: (Views(), [normal(2, 1, 4)], "raw"),
    "views_core":       lambda: (Views(), [normal(2, 1, 4)], "core"),
    "unet_raw":         lambda: (UNet(), [normal(1, 1, 8, 8)], "raw"),
    "rnn_relu":         lambda: (Recurrent("RNN", nonlinearity="relu", bias=False), [normal(B, T, 2)], "fused"),
    "random":           lambda: (Random(), [normal(3, 4)], "fused"),
    "random_core":      lambda: (Random(), [normal(3, 4)], "core"),
    "pools_raw":        lambda: (Pools().eval(), [normal(2, 2, 8)], "raw"),
    "hidden_query":     lambda: (Softly(), [normal(2, T, 4)], "core"),
    "float32":          lambda: (Deep(torch.tanh, 2).float(), [normal(B, 4).float()], "fused"),
    "lstm_states":      lambda: (Recurrent("LSTM"), [normal(B, T, 2)], "fused"),
    "any_batch":        lambda: (Deep(torch.tanh, 2), [normal(B, 4)], "open"),
    "any_size":         lambda: (AnySize(), [normal(B, 6, 2)], "open, core"),
    "losses":           lambda: (Losses(), [normal(B, T, 4), words(B, T, n=4)], "fused"),
    "losses_core":      lambda: (Losses(), [normal(B, T, 4), words(B, T, n=4)], "core"),
    "lstm_projected":   lambda: (Recurrent("LSTM", num_layers=2, proj_size=3, hidden=4, every=True), [normal(B, T, 2)], "fused"),
    "lstm_projected_bare": lambda: (Recurrent("LSTM", proj_size=3, hidden=4, bias=False, every=True), [normal(B, T, 2)], "fused")}


def exported(model, inputs, form):
    """The file's bytes. In an open form every size but the last is left open."""
    free = {"x": dict.fromkeys(range(inputs[0].ndim - 1), torch.export.Dim.AUTO)} if "open" in form else None
    program = torch.export.export(model, tuple(inputs), dynamic_shapes=free)
    if form != "raw":
        program = program.run_decompositions() if "core" in form else program.run_decompositions({})
    torch.export.save(program, buffer := io.BytesIO())
    return buffer.getvalue()


def packed(content):
    """The same archive, compressed, without what differs from run to run: times, addresses, torch's pickled samples of the inputs."""
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer := io.BytesIO(), "w") as new:
        for member in old.infolist():
            text = old.read(member)
            if member.filename.endswith("model.json"):
                model = json.loads(text)
                for node in model["graph_module"]["graph"]["nodes"]:
                    node["metadata"] = {key: text for key, text in node["metadata"].items() if key != "from_node"}
                text = json.dumps(model)
            if "sample_inputs" not in member.filename and "serialization_id" not in member.filename:
                new.writestr(zipfile.ZipInfo(member.filename), text, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def answers(model, inputs):
    """{kind/name: array}: inputs, outputs, the loss and every gradient."""
    given = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    outputs = model(*given)
    flat = torch.utils._pytree.tree_leaves(outputs)
    loss = sum((y * y).sum() for y in flat) / 2
    loss.backward()
    found = {f"in/{k}": x for k, x in enumerate(inputs)} | {f"out/{k}": y for k, y in enumerate(flat)} | {"loss": loss}
    found |= {f"grad/{k}": torch.zeros_like(x) if x.grad is None else x.grad for k, x in enumerate(given) if x.is_floating_point()}
    found |= {f"grad/{name}": torch.zeros_like(weight) if weight.grad is None else weight.grad for name, weight in model.named_parameters()}
    return {name: np.array(value.detach()) for name, value in found.items()}


def save(stored):
    """One vector for each case, and the layout of all of them: {case: {key: [shape, dtype]}}."""
    layout = {name: {key: [x.shape, str(x.dtype)] for key, x in found.items()} for name, found in stored.items()}
    vectors = {name: np.concatenate([x.ravel() for x in found.values()]) for name, found in stored.items()}
    np.savez_compressed(HERE / "exported.npz", layout=np.frombuffer(json.dumps(layout).encode(), np.uint8), **vectors)


def main():
    torch.set_default_dtype(torch.float64)
    warnings.filterwarnings("ignore")
    (HERE / "exported").mkdir(exist_ok=True)
    stored = {}
    for seed, (name, make) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        model, inputs, form = make()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
        content = exported(model, inputs, form)  # before the call, which changes the statistics of a norm in training
        (HERE / "exported" / f"{name}.pt2").write_bytes(content if name == "mlp_raw" else packed(content))
        stored[name] = answers(model, inputs)
    save(stored)


if __name__ == "__main__":
    main()
