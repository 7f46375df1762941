"""What do tokens, norms and averages do to it?  Claims E6 to E9, of what came after the debate.

    h  tokens (seeds, 1, T, d), or state      x  input      a  scale of a branch      L  depth      T  time
    s  scale of the weights      σ′  slope of a sigmoid
"""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ... import Tensor, grad, nn, reach, stack, theory
from ...nn.layers import each, generators
from ..claim import Found, measures
from .deep import layered, of_radius
from .later import SEEDS


def tower(kind: str | None, L: int, seeds: Iterable[int], scaled: bool = False, tokens: int = 16) -> tuple[list[Any], np.ndarray, list]:
    """[h[0], …, h[L]], tokens of 32 units through L blocks; (L + 1, seeds) |gradient| there from a random one at the end; the blocks.

    kind    the norm of nn.TransformerBlock; "alone": attention and nothing past it; "alone, MLP": the two layers after it
    scaled  the norms of block l times 1/√l
    """
    rngs, blocks = generators(0, list(seeds)), list[Any]()
    h = [Tensor(each(rngs, lambda rng: rng.normal(size=(1, tokens, 32))))]
    for block in range(1, L + 1):
        runs, scale = [int(rng.integers(2**60)) for rng in rngs], 1 / math.sqrt(block) if scaled else 1.0
        norm = None if kind == "alone, MLP" else kind
        f: Any = nn.Attention(32, 4, seeds=runs) if kind == "alone" else nn.TransformerBlock(32, 4, norm, 64, seeds=runs, scale=scale)
        h.append(f.feed(f.self_attn(h[-1])) if kind == "alone, MLP" else f(h[-1]))
        blocks.append(f)
    g = np.array(grad(h[-1], h, each(rngs, lambda rng: rng.normal(size=(1, tokens, 32)))))
    return h, np.linalg.norm(g[:, :, 0], axis=(2, 3)), blocks


def likeness(h: Any) -> np.ndarray:
    """(seeds,) the mean cosine between two tokens."""
    u = h.data[:, 0] / np.linalg.norm(h.data[:, 0], axis=-1, keepdims=True)
    return (np.sum(u.sum(axis=1) ** 2, axis=1) / u.shape[1] - 1) / (u.shape[1] - 1)


@measures("E6")
def rank_collapse(seeds: Iterable[int] = SEEDS) -> Found:
    """Mean cosine between tokens after 12 blocks, and nats back through them: attention alone, norm after and before the skip."""
    figures, curves, ends = dict[str, float](), {}, []
    for name, kind in {"attention alone": "alone", "norm after the skip": "post", "norm before it": "pre"}.items():
        h, g, _ = tower(kind, 12, seeds)
        alike = np.array([likeness(one) for one in h])
        figures |= {f"{name}: mean cosine after 12 blocks": alike[-1].mean(), f"{name}: nats": float(np.log(g[0] / g[-1]).mean())}
        curves[name] = (np.arange(13), alike.mean(axis=1))
        ends.append(alike[-1])
    figures["share of draws in this order"] = float(np.mean((ends[0] > ends[1]) & (ends[1] > ends[2])))
    return Found(figures, curves, ("blocks", "mean cosine between two tokens"))


@measures("E7")
def curse_of_depth(seeds: Iterable[int] = SEEDS) -> Found:
    """The rms of the stream of 48 blocks, and the gain of each; theory's v is what makes its last rms right."""
    figures, curves, more = dict[str, float](), {}, {}
    for name, scaled in {"plain": False, "× 1/√l": True}.items():
        h, g, _ = tower("pre", 48, seeds, scaled)
        rms, gain = np.array([np.sqrt(np.mean(one.data**2)) for one in h]), np.mean(g[:-1] / g[1:], axis=1)
        more[name] = gain - 1
        figures |= {f"{name}: rms after 48 blocks": rms[48]} | {f"{name}: gain of block {k}": gain[k - 1] for k in (1, 8, 48)}
        v = (rms[48] ** 2 - 1) / np.sum(1 / np.arange(1, 49) if scaled else np.ones(48))
        figures[f"{name}: rms after 12 blocks ÷ theory"] = rms[12] / theory.rates.pre_norm(48, v, scaled)[0][12]
        curves[name] = (np.arange(49), rms)
    figures["gain − 1 of blocks 41 to 48, × 1/√l ÷ plain"] = more["× 1/√l"][40:].mean() / more["plain"][40:].mean()
    return Found(figures, curves, ("blocks", "rms of the stream"))


def reached(seed: int, nets: Iterable[str], T: int, at: Iterable[int], n: int = 16) -> dict[str, np.ndarray]:
    """By lag, ln of what a state or token does to readouts `at` these of T steps: a tanh RNN, an LRU with |λ| of 0.9 to 0.99, and so on."""
    rng = np.random.default_rng(seed)
    x, out = rng.normal(size=(T, n)), rng.normal(size=n)
    cells: dict[str, Any] = {
        "RNN": partial(nn.RNNCell, init=("xavier", of_radius(1.0))), "LRU": partial(nn.LRUCell, r_min=0.9, r_max=0.99),
        "SSM": nn.SelectiveCell}
    biases = {"attention": None, "with bias": -0.1 * np.maximum(np.subtract.outer(range(T), range(T)), 0)}
    found: dict[str, np.ndarray] = {}
    for name in nets:
        if name in cells:
            outputs = states = nn.unroll(cells[name](n, n, rng=rng), x)[1:]
        else:
            states = [Tensor(now) for now in x]
            outputs = nn.Attention(n, 2, causal=True, rng=rng)(stack(states), mask=biases[name])
        lags = reach([(outputs[t] * out).sum() for t in at], states, at=at).by_lag()
        found[name] = np.array([pairs.log_typical for pairs in lags])
    return found


@measures("E8")
def second_skip(seeds: Iterable[int] = SEEDS) -> Found:
    """Nats per step of ln |∂L/∂h| from lag 5 on: of a tanh RNN, an LRU and attention, mean over the draws."""
    runs, figures, curves = [reached(seed, ("LRU", "RNN", "attention"), 60, [59]) for seed in seeds], dict[str, float](), {}
    for name in ("RNN", "LRU", "attention"):
        logs = np.mean([run[name] for run in runs], axis=0)
        figures[f"{name}: nats per step"] = float(np.polyfit(np.arange(5, 60), logs[5:], 1)[0])
        figures[f"{name}: nats from lag 5 to lag 55"] = logs[55] - logs[5]
        curves[name] = (np.arange(60), logs)
    return Found(figures, curves, ("lag: steps back from the loss", "ln |∂L/∂h|, mean over the draws"))


@measures("E9")
def averaged_slopes(seeds: Iterable[int] = SEEDS) -> Found:
    """50 sigmoid layers of 64 units beside (s · mean σ′)^50, with the mean slope of that very net."""
    figures, rows = dict[str, float](), []
    for s in (1.0, 2.0, 4.0, 10.0):
        chains = [layered(50, 64, "sigmoid", s, seed) for seed in seeds]
        real = float(np.mean([chain.log_product[0] for chain in chains]))
        formula = float(np.mean([50 * math.log(s * np.mean([h.data * (1 - h.data) for (h,) in c.stations[1:]])) for c in chains]))
        figures[f"s = {s:g}: real less formula, nats"] = real - formula
        figures[f"s = {s:g}: real less mean field, nats"] = real - 50 * theory.meanfield.slope("sigmoid", s * s, width=64)
        rows.append((s, real, formula))
    scales, *both = zip(*rows)
    curves = {name: (scales, y) for name, y in zip(("the net", "(s · mean σ′)^50"), both)}
    return Found(figures, curves, ("scale s of the weights", "ln gain of 50 layers, nats"))
