"""Writes tests/data/reach.json: |∂L_t/∂h_s| of an RNN, an LSTM and causal attention over eight steps, as PyTorch (CPU, float64) has it.

Run once, with an interpreter that has torch:  python tests/data/make_reach.py

L_t = |V y_t − target_t|², with y_t the hidden state, or what attention gives at t. The state at s is replaced by a leaf and
the rest computed from there, so the h and c of the LSTM are differentiated each with the other held fixed.
"""

import importlib
import json
import math
import pathlib

torch = None  # imported below: the tests need none
T, N_IN, N = 8, 2, 3


def waves(*shape, phase):
    """Numbers between −1 and 1 that anybody can make again: sin(phase + 1, 2, 3, …)."""
    return torch.sin(phase + torch.arange(1.0, math.prod(shape) + 1, dtype=torch.float64)).reshape(shape)


def losses_of(outputs, wanted):
    return [((V @ y - target) ** 2).sum() for y, target in zip(outputs, wanted)]


def parts_of(state):
    return state if isinstance(state, tuple) else (state,)


def state_of(parts):
    return parts if len(parts) > 1 else parts[0]


def lengths(losses, leaves):
    """|∂L/∂leaves| of each loss, all leaves together."""
    found = [torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True) for loss in losses]
    return [math.sqrt(sum((g**2).sum().item() for g in parts if g is not None)) for parts in found]


def recurrent(kind):
    """The layer's weights, and the matrix: row t − 1 is the loss at h[t], column s the state at s, from 0 to T."""
    layer = kind(N_IN, N).double()
    with torch.no_grad():
        for k, weight in enumerate(layer.parameters()):
            weight.copy_(waves(*weight.shape, phase=10.0 * k))
    states, columns = [tuple(torch.zeros(1, N, dtype=torch.float64) for _ in range(2 if kind is torch.nn.LSTM else 1))], []
    for row in x:
        states.append(parts_of(layer(row[None], state_of(states[-1]))[1]))
    for s, state in enumerate(states):
        leaves = tuple(part.detach().requires_grad_() for part in state)
        outputs = [leaves[0][0]] * (s > 0) + (list(layer(x[s:], state_of(leaves))[0]) if s < T else [])
        columns.append([0.0] * (T - len(outputs)) + lengths(losses_of(outputs, targets[T - len(outputs) :]), leaves))
    return {name: weight.tolist() for name, weight in layer.state_dict().items()}, [list(row) for row in zip(*columns)]


def attention():
    """tanh(W x_s) are the states; queries, keys and values are linear in them, and each step looks at no later one."""
    weights = {name: waves(N, N_IN if name == "W" else N, phase=7.0 * k) for k, name in enumerate(("W", "Q", "K", "V"))}
    states = torch.tanh(x @ weights["W"].T).detach().requires_grad_()
    q, k, v = (states @ weights[name].T for name in ("Q", "K", "V"))
    losses = losses_of(torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0], targets)
    rows = [torch.autograd.grad(loss, states, retain_graph=True)[0].norm(dim=1).tolist() for loss in losses]
    return {name: weight.tolist() for name, weight in weights.items()}, rows


if __name__ == "__main__":
    torch = importlib.import_module("torch")
    x, targets, V = waves(T, N_IN, phase=0.5), waves(T, 2, phase=1.5), waves(2, N, phase=2.5)
    made = {"RNNCell": recurrent(torch.nn.RNN), "LSTMCell": recurrent(torch.nn.LSTM), "attention": attention()}
    data = {"torch": torch.__version__, "x": x.tolist(), "targets": targets.tolist(), "V": V.tolist()}
    data["cases"] = {name: {"weights": weights, "matrix": matrix} for name, (weights, matrix) in made.items()}
    path = pathlib.Path(__file__).with_name("reach.json")
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
