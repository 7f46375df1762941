"""24  Rank collapse: attention takes means, and means of means are all alike; a skip past it keeps the tokens apart.

Deep stacks without skips make one token of many (Dong et al. 2021), and with the differences the gradient goes, too (Noci et al. 2022).
With skips it matters where the norm stands: after each sum, or before each branch.
"""

import sys

import numpy as np

from tinygrad_vg import Chain, Tensor, nn


def tower(kind: str | None, blocks: int, seed: int, tokens: int = 16, d: int = 32) -> list[Tensor]:
    """[h[0], …, h[blocks]]; kind: the norm of a TransformerBlock, or None for attention and nothing past it."""
    rng = np.random.default_rng(seed)
    states = [Tensor(rng.normal(size=(tokens, d))).named("h", 0)]
    for k in range(1, blocks + 1):
        draw = int(rng.integers(2**30))
        block = nn.TransformerBlock(d, 4, kind, 64, rng=draw) if kind else nn.Attention(d, 4, rng=draw)
        h = block(states[-1])
        states.append(h if h.name else h.named("h", k))
    return states


def likeness(h: Tensor) -> float:
    """The mean cosine between two tokens."""
    u, n = h.data / np.linalg.norm(h.data, axis=1, keepdims=True), len(h.data)
    return float((np.sum(u @ u.T) - n) / (n * n - n))


def main(fast: bool = False) -> int:
    blocks, draws = (4, 2) if fast else (12, 5)
    kinds = {"attention alone": None, "norm after the skip": "post", "norm before it": "pre"}
    shown = (0, blocks // 4, blocks // 2, blocks)
    print("mean cosine of two tokens after")
    print(f"{'':20}" + "".join(f"{k:3} blocks" if k else "    start " for k in shown) + " ln |gradient|")
    for name, kind in kinds.items():
        alike, logs = [], []
        for seed in range(draws):
            states = tower(kind, blocks, seed)
            alike.append([likeness(states[k]) for k in shown])
            g = np.random.default_rng(seed).normal(size=states[-1].shape)
            logs.append(Chain(states[-1], states[0], through=states, seed=g).log_product[0])
        print(f"{name:20}" + "".join(f"{x:9.3f} " for x in np.mean(alike, axis=0)) + f"{np.mean(logs):+10.1f}")

    # %% block by block, without a skip
    states = tower(None, min(blocks, 8), 0)
    print()
    print(Chain(states[-1], states[0], through=states, seed=g).table(typical=False))
    return 0


if __name__ == "__main__":
    sys.exit(main("--fast" in sys.argv))
