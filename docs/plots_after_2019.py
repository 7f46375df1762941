"""Which plots does the book show of what came after 2019?  docs/make_plots.py draws them with the others.

    h  state      x  input      λ  eigenvalue      ν  λ = exp(−exp ν)      η  learning rate      u  tokens of length 1      T  steps
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from plot_style import BACK, BLUE, GREEN, LOG, ORANGE, PURPLE, RED, curve, labelled, panels, unrolled

from tinygrad_vg import Tensor, exp, grad, hvp, nn, reach, sqrt, stack, theory, training


def curse_of_memory() -> Figure:
    """E (dh/dλ)² and E (dh/dν)² of one unit, 200 sequences of white noise, and theory."""
    _, (ax,) = panels()
    λs, rng = np.array([0.5, 0.8, 0.9, 0.97, 0.99, 0.997]), np.random.default_rng(0)
    fine = 1 - np.geomspace(0.5, 0.002, 50)
    ax.set(xscale="log", yscale="log", xlim=(0.6, 0.002), ylim=(1e-2, 1e9))
    for scaled, name, shade, law in ((False, "h ← λ h + x:\nin λ", RED, [theory.memory.sensitivity(λ) for λ in fine]),
                                     (True, "LRU: in ν,\nλ = exp(−exp ν)", GREEN, (fine * np.log(fine) / (1 - fine**2)) ** 2)):
        found = []
        for λ in λs:
            leaf, h = Tensor(np.full(200, math.log(-math.log(λ)) if scaled else λ)), Tensor(np.zeros(200))
            weight = exp(-exp(leaf)) if scaled else leaf
            γ: Any = sqrt(1 - weight * weight) if scaled else 1.0
            for x in rng.normal(size=(int(8 / (1 - λ)), 200)):
                h = weight * h + γ * x
            found.append(np.mean(grad(h.sum(), leaf) ** 2))
        ax.plot(1 - λs, found, "o", color=shade, markersize=7)
        curve(ax, 1 - fine, law, name, shade)
    return labelled(ax, "λ → 1: every gain is about 1, and dh/dλ explodes", "1 − λ", "mean square of the derivative")


def edge_of_stability() -> Figure:
    """The largest curvature of a tanh net's loss, under gradient descent with three learning rates."""
    _, (ax,) = panels()
    x, label = training.two_moons(50, rng=0)
    for lr, shade in ((0.07, BLUE), (0.1, PURPLE), (0.2, RED)):
        net, rng, at, found = nn.MLP([2, 16, 16, 1], rng=0), np.random.default_rng(0), [], []
        leaves = list(net.parameters().values())
        v = [rng.normal(size=leaf.shape) for leaf in leaves]
        for step in range(801):
            loss = nn.mse(net(x), 2.0 * label[:, None] - 1)
            if step % 20 == 0:
                for _ in range(3 if step else 20):  # power iteration, from where the last one ended
                    size = math.sqrt(sum(np.sum(part**2) for part in v))
                    v = hvp(loss, leaves, [part / size for part in v])
                at.append(step)
                found.append(math.sqrt(sum(np.sum(part**2) for part in v)))
            for leaf, g in zip(leaves, grad(loss, leaves)):
                leaf.data = leaf.data - lr * g
        ax.plot([0, 800], [2 / lr] * 2, "--", color=shade, linewidth=1)
        curve(ax, at, found, f"η = {lr},\n2/η = {2 / lr:.3g}", shade)
    return labelled(ax, "Descent sharpens its valley until steps just fit: curvature 2/η", "step", "largest curvature", ylim=(0, 34))


def tokens() -> Figure:
    """Sixteen tokens through twelve blocks, and how alike they are; through 48, and how long they grow."""
    _, (left, right) = panels(2)
    for kind, name, shade, up in (("alone", "no skip", RED, 5), ("post", "norm after", ORANGE, -7), ("pre", "norm before", GREEN, 0)):
        unit = [h.data / np.linalg.norm(h.data, axis=1, keepdims=True) for h in tower(kind, 12)]
        curve(left, range(13), [(np.sum(u @ u.T) - 16) / 240 for u in unit], name, shade, up=up)
    labelled(left, "Without a skip all tokens become one", "blocks", "mean cosine of two tokens", xticks=range(0, 13, 3))
    for scaled, name, shade in ((False, "norm before", GREEN), (True, "and × 1/√l", BLUE)):
        curve(right, range(49), [math.sqrt(np.mean(h.data**2)) for h in tower("pre", 48, scaled)], name, shade)
    return labelled(right, "With one, what was said adds up", "blocks", "rms of the tokens")


def second_skip() -> Figure:
    """What of the loss at step 60 reaches the state k steps before: an RNN, an LRU, attention; means of ten draws."""
    _, (ax,) = panels()
    for name, shade in (("attention", GREEN), ("LRU", PURPLE), ("RNN", BLUE)):
        logs = np.mean([reached(name, seed) for seed in range(10)], axis=0)
        curve(ax, range(60), logs - logs[0], name + ",\n|λ| < 0.9" * (name == "LRU"), shade)
    return labelled(ax, "Attention is a second way past", "lag: steps back from the loss", "ln |∂L/∂h|, from lag 0")


def from_linear_to_mamba() -> Figure:
    """The way back through sixty steps of four recurrences that are linear in h."""
    _, (ax,) = panels(high=3.6)
    x = np.random.default_rng(0).normal(size=(60, 2))
    x[:, 1] = 0
    x[[19, 39], 1] = 1
    marked = nn.SelectiveCell(2, 8, rng=0)
    marked.W_xdt.data, marked.b_dt.data = np.tile([0.0, 7.0], (8, 1)), np.full(8, -5.0)
    gru = nn.MinGRUCell(2, 8, rng=0)
    gru.b_z.data = np.full(8, -2.2)
    for name, cell, shade in (
            ("LRU: |λ| from\n0.9 to 0.99", nn.LRUCell(2, 8, r_min=0.9, r_max=0.99, rng=0), PURPLE),
            ("selective: two\ninputs shut it", marked, RED), ("minGRU: a gate\nfor each step", gru, GREEN),
            ("h ← W h", nn.RNNCell(2, 8, "linear", "normal", rng=3), BLUE)):
        curve(ax, range(61), unrolled(cell, x), name, shade)
    return labelled(ax, "From one W to gates of the input", BACK, LOG)


def tower(kind: str, L: int, scaled: bool = False) -> list[Any]:
    """[h[0], …, h[L]]: sixteen tokens through L blocks with the norm before or after each branch; or through attention alone."""
    rng = np.random.default_rng(0)
    h = [Tensor(rng.normal(size=(16, 32)))]
    for block in range(1, L + 1):
        seed, scale = int(rng.integers(2**30)), 1 / math.sqrt(block) if scaled else 1.0
        f: Any = nn.Attention(32, 4, rng=seed) if kind == "alone" else nn.TransformerBlock(32, 4, kind, 64, rng=seed, scale=scale)
        h.append(f(h[-1]))
    return h


def reached(kind: str, seed: int, T: int = 60, n: int = 16) -> np.ndarray:
    """ln |∂L/∂h[T − k]|, k = 0 … T − 1, of a loss at the last of T steps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(T, n))
    if kind == "attention":
        states = [Tensor(row) for row in x]
        last = nn.Attention(n, 2, causal=True, rng=rng)(stack(states))[T - 1]
    else:
        states = nn.unroll(nn.RNNCell(n, n, rng=rng) if kind == "RNN" else nn.LRUCell(n, n, r_min=0.8, r_max=0.9, rng=rng), x)[1:]
        last = states[-1]
    return np.array(reach([nn.mse(last, np.zeros(n))], states, at=[T - 1]).log_matrix[0, ::-1])


AFTER_2019: tuple[Callable[[], Figure], ...] = (curse_of_memory, edge_of_stability, tokens, second_skip, from_linear_to_mamba)
