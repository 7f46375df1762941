"""Which place looks at which?  Attention, a transformer block and a language model, for the recipes of diagnosis.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from diagnosis_nets import Build

from tinygrad_vg import Tensor, nn


class Attention(nn.Module):
    """Causal self-attention with one head: softmax(Q Kᵀ / √d, -inf where a later place would be seen) V."""

    def __init__(self, d: int, rng: np.random.Generator, b: Build, bias: str = ""):
        self.d, self.b, self.side = d, b, bias
        self.W_q, self.W_k, self.W_v, self.W_o = [Tensor(nn.init.normal((d, d), rng), name=name) for name in ("W_q", "W_k", "W_v", "W_o")]
        self.bias = Tensor(rng.normal(size=d), name="bias") if bias else None

    def __call__(self, x: Any) -> Any:
        q, k = (x @ W + self.bias if side == self.side else x @ W for side, W in (("query", self.W_q), ("key", self.W_k)))
        scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(self.d)
        mask = np.triu(np.full(scores.shape[-2:], -np.inf), 1)
        return self.b.soft(scores, mask) @ (x @ self.W_v) @ self.W_o


class Block(nn.Module):
    """A transformer block, norms first: h = x + attention(norm(x)), then h + W₂ f(W₁ norm(h) + b₁)."""

    def __init__(self, d: int, rng: np.random.Generator, b: Build, f: str = "relu"):
        self.attention, self.f = Attention(d, rng, b), b.phi(f)
        self.norm1, self.norm2 = nn.LayerNorm(d, name="norm1"), nn.LayerNorm(d, name="norm2")
        self.W_1, self.W_2 = Tensor(nn.init.he((4 * d, d), rng).T, name="W_1"), Tensor(nn.init.normal((d, 4 * d), rng).T, name="W_2")
        self.b_1 = Tensor(np.zeros(4 * d), name="b_1")

    def __call__(self, x: Any) -> Any:
        h = x + self.attention(self.norm1(x))
        return h + self.f(self.norm2(h) @ self.W_1 + self.b_1) @ self.W_2


class Language(nn.Module):
    """Symbols to logits: an embedding, whatever body is given, and an output matrix of its own (untied)."""

    def __init__(self, V: int, d: int, body: list, rng: np.random.Generator, places: int = 0):
        self.E, self.body = Tensor(rng.normal(size=(V, d)), name="E"), body
        self.P = Tensor(0.5 * rng.normal(size=(places, d)), name="P") if places else None
        self.U = Tensor(nn.init.normal((V, d), rng).T, name="U")

    def __call__(self, symbols: np.ndarray) -> Any:
        h = self.E[symbols] if self.P is None else self.E[symbols] + self.P
        for part in self.body:
            h = part(h)
        return (h @ self.U).reshape(-1, self.U.shape[1])
