"""Makes torch_layers.npz, once: what PyTorch's further layers and its losses compute, with which weights, and every gradient.

    python tests/data/make_torch_layers.py        needs torch (the file was made with 2.14, on the CPU); the tests do not

Keys are case/kind/name, as in torch_answers.npz. kind: in (inputs; i is whole numbers), state (the layer's state_dict), out, seed (what
the output is multiplied by), grad (of every input and weight).
"""

import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
answers = {}


def note(case, kind, **tensors):
    answers.update({f"{case}/{kind}/{name}": tensor.detach().numpy().copy() for name, tensor in tensors.items()})


def ask(case, layer, call=lambda layer, x: layer(x), constants=None, **inputs):
    """Call the layer on the inputs, weigh its output with random numbers, and note everything."""
    constants, parameters = constants or {}, dict(layer.named_parameters()) if isinstance(layer, nn.Module) else {}
    for parameter in parameters.values():
        nn.init.normal_(parameter, std=0.7)
    inputs = {name: tensor.requires_grad_() for name, tensor in inputs.items()}
    y = call(layer, **inputs, **constants)
    seed = torch.randn_like(y)
    (y * seed).sum().backward()
    note(case, "in", **inputs, **constants)
    note(case, "state", **(layer.state_dict() if parameters else {}))
    note(case, "out", y=y)
    note(case, "seed", y=seed)
    note(case, "grad", **{name: tensor.grad for name, tensor in (inputs | parameters).items()})


def random(*shape):
    return torch.randn(*shape)


def look_up(layer, i):
    return layer(i)


def attend(layer, x, context=None, mask=None):
    y = x if context is None else context
    return layer(x, y, y, attn_mask=mask, need_weights=False)[0]


def masked(layer, x, mask):
    return layer(x, src_mask=mask)


def both_ways(layer, x):
    return layer(x)[0]


B, T, D = 2, 5, 6
causal = torch.full((T, T), -torch.inf).triu(1)
ask("embedding", nn.Embedding(7, 3), look_up, {"i": torch.tensor([[1, 4, 1], [0, 6, 4]])})
ask("conv1d", nn.Conv1d(3, 4, 3), x=random(B, 3, 8))
ask("conv1d_strided", nn.Conv1d(3, 4, 3, stride=2, padding=2, dilation=2), x=random(B, 3, 9))
ask("conv1d_single", nn.Conv1d(3, 4, 2, bias=False), x=random(3, 5))
ask("conv2d", nn.Conv2d(2, 3, 3), x=random(B, 2, 5, 6))
ask("conv2d_strided", nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0)), x=random(B, 2, 5, 4))
ask("maxpool1d", nn.MaxPool1d(3, 2, 1), x=random(B, 2, 7))
ask("maxpool2d", nn.MaxPool2d(2), x=random(B, 2, 5, 4))
ask("avgpool1d", nn.AvgPool1d(3, 2, 1), x=random(B, 2, 7))
ask("avgpool2d", nn.AvgPool2d((2, 3), 1), x=random(B, 2, 4, 5))
ask("rmsnorm", nn.RMSNorm(D), x=random(B, T, D))
ask("groupnorm", nn.GroupNorm(2, D), x=2 * random(B, D, 3, 2) + 1)
ask("groupnorm_plain", nn.GroupNorm(3, D), x=2 * random(B, D) + 1)
ask("attention", nn.MultiheadAttention(D, 1, batch_first=True), attend, x=random(B, T, D))
ask("attention_heads", nn.MultiheadAttention(D, 3, batch_first=True), attend, {"mask": causal}, x=random(B, T, D))
ask("attention_cross", nn.MultiheadAttention(D, 2, bias=False, batch_first=True), attend, x=random(B, T, D), context=random(B, 3, D))
block = {"d_model": D, "nhead": 2, "dim_feedforward": 8, "dropout": 0.0, "batch_first": True}
ask("block_pre", nn.TransformerEncoderLayer(**block, norm_first=True), masked, {"mask": causal}, x=random(B, T, D))
ask("block_post", nn.TransformerEncoderLayer(**block), masked, {"mask": causal}, x=random(B, T, D))
for kind in ("RNN", "LSTM", "GRU"):
    ask(f"bidirectional_{kind}", getattr(nn, kind)(3, 4, bidirectional=True), both_ways, x=random(T, B, 3))
    ask(f"biasless_{kind}", getattr(nn, kind)(3, 4, bias=False), both_ways, x=random(T, B, 3))
hidden = [layer for n in (3, 4) for layer in (nn.Linear(n, 4), nn.BatchNorm1d(4), nn.Tanh())]
ask("sequential", nn.Sequential(*hidden, nn.Linear(4, 2)), x=random(B + 3, 3))

labels, padded = torch.tensor([2, 0, 1, 2]), torch.tensor([[2, -100, 1], [-100, 0, 2]])
weight = torch.tensor([0.5, 2.0, 1.5])


def entropy(options, x, labels, weight=None):
    return functional.cross_entropy(x.movedim(-1, 1), labels, weight, **options)


ask("cross_entropy", {}, entropy, {"labels": labels}, x=random(4, 3))
ask("cross_entropy_time", {}, entropy, {"labels": padded}, x=random(2, 3, 3))
ask("cross_entropy_weight", {}, entropy, {"labels": padded, "weight": weight}, x=random(2, 3, 3))
ask("cross_entropy_smooth", {"label_smoothing": 0.1}, entropy, {"labels": labels}, x=random(4, 3))
ask("cross_entropy_all", {"label_smoothing": 0.2}, entropy, {"labels": padded, "weight": weight}, x=random(2, 3, 3))
sides = {"target": torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]])}
binary = functional.binary_cross_entropy_with_logits
ask("binary", None, lambda _, x, target: binary(x, target), sides, x=9 * random(2, 3))
ask("binary_weight", None, lambda _, x, target, pos_weight: binary(x, target, pos_weight=pos_weight), sides | {"pos_weight": 3 * weight}, x=random(2, 3))
ask("huber", None, lambda _, x, target: functional.huber_loss(x, target, delta=0.7), {"target": random(3, 4)}, x=random(3, 4))
p = torch.softmax(random(3, 4), -1)
p[0] = torch.tensor([0.0, 1.0, 0.0, 0.0])
ask("kl", None, lambda _, x, p: functional.kl_div(torch.log_softmax(x, -1), p, reduction="batchmean"), {"p": p}, x=random(3, 4))

np.savez_compressed(pathlib.Path(__file__).with_name("torch_layers.npz"), **answers)
print(f"{len(answers)} arrays, torch {torch.__version__}")
