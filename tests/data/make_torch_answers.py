"""Makes torch_answers.npz, once: what PyTorch's layers compute, with which weights, and every gradient.

    python tests/data/make_torch_answers.py        needs torch (the file was made with 2.13, on the CPU); the tests do not

Keys are case/kind/name. kind: in (inputs), state (the layer's state_dict before the call, under its own names), out (outputs),
seed (what each output is multiplied by; the loss is the sum of these products), grad (of every input and weight),
after (buffers after the call).
"""

import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
answers = {}


def note(case, kind, **tensors):
    answers.update({f"{case}/{kind}/{name}": tensor.detach().numpy().copy() for name, tensor in tensors.items()})


def ask(case, layer, outputs_of, **inputs):
    """Call the layer on the inputs, weigh its outputs with random numbers, and note everything."""
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    inputs = {name: tensor.requires_grad_() for name, tensor in inputs.items()}
    outputs = outputs_of(layer, **inputs)
    seeds = {name: torch.randn_like(tensor) for name, tensor in outputs.items()}
    sum((outputs[name] * seeds[name]).sum() for name in outputs).backward()
    note(case, "in", **inputs)
    note(case, "state", **state)
    note(case, "out", **outputs)
    note(case, "seed", **seeds)
    note(case, "grad", **{name: tensor.grad for name, tensor in inputs.items()})
    note(case, "grad", **{name: parameter.grad for name, parameter in layer.named_parameters()})
    note(case, "after", **dict(layer.named_buffers()))


def plain(layer, x):
    return {"y": layer(x)}


def recurrent(layer, x, h0):
    y, h = layer(x, h0[None])
    return {"y": y, "h": h[0]}


def long_short(layer, x, h0, c0):
    y, (h, c) = layer(x, (h0[None], c0[None]))
    return {"y": y, "h": h[0], "c": c[0]}


def random(*shape):
    return torch.randn(*shape)


T, BATCH, N_IN, N = 5, 4, 3, 4
sequence = {"x": random(T, BATCH, N_IN), "h0": random(BATCH, N)}
ask("linear", torch.nn.Linear(N_IN, N), plain, x=random(BATCH, N_IN))
ask("linear_vector", torch.nn.Linear(N_IN, N), plain, x=random(N_IN))
ask("rnn_tanh", torch.nn.RNN(N_IN, N), recurrent, **sequence)
ask("rnn_relu", torch.nn.RNN(N_IN, N, nonlinearity="relu"), recurrent, x=random(T, BATCH, N_IN), h0=random(BATCH, N))
ask("lstm", torch.nn.LSTM(N_IN, N), long_short, x=random(T, BATCH, N_IN), h0=random(BATCH, N), c0=random(BATCH, N))
ask("gru", torch.nn.GRU(N_IN, N), recurrent, x=random(T, BATCH, N_IN), h0=random(BATCH, N))
ask("layernorm", torch.nn.LayerNorm(N), plain, x=random(BATCH, N))
ask("batchnorm_train", torch.nn.BatchNorm1d(N), plain, x=2 * random(BATCH, N) + 1)

seasoned = torch.nn.BatchNorm1d(N)
for _ in range(3):
    seasoned(2 * random(BATCH, N) + 1)
ask("batchnorm_eval", seasoned.eval(), plain, x=2 * random(BATCH, N) + 1)

for layer in "Sigmoid Tanh ReLU LeakyReLU ELU Softplus".split():
    ask(f"activation_{layer}", getattr(torch.nn, layer)(), plain, x=3 * random(7))
ask("activation_GELU", torch.nn.GELU(approximate="tanh"), plain, x=3 * random(7))

np.savez_compressed(pathlib.Path(__file__).with_name("torch_answers.npz"), **answers)
print(f"{len(answers)} arrays, torch {torch.__version__}")
