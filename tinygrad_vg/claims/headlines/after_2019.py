"""What has been found since 2019?  The edge of stability, rank collapse, the curse of depth, parity, and reach over long lags.

    lr  learning rate    w  all weights, a row for each seed    S  sharpness, largest curvature; number of seeds    k  block of L, or lag
    h  state, or tokens (seeds, 1, T, d)    λ  what a step keeps of it: h ← a h + b, made of the input x    p  parity, ±1, or a power

Of each source the abstract was read, not the text. Tolerances were written down before the seeds were run.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import Tensor, grad, no_grad, reshape, sigmoid, square, stack, tanh
from ...nn import MLP, Attention, LayerNorm, Linear, Module, TransformerBlock, cross_entropy
from ...nn.layers import each, generators
from ...training import Adam, Batches, clip_norm, fit
from ...training.learning import Row
from ..rows.attention import likeness, reached, tower
from ..rows.later import sharpened
from .deep import CLASSES, FEATURES, five_classes
from .headline import Checks, headline


def spread(**figures: Any) -> Row:
    """The mean over seeds of each figure, and its standard deviation."""
    return {key: float(number) for name, x in figures.items() for key, number in ((name, np.mean(x)), (f"{name} sd", np.std(x)))}


@headline(
    "edge-of-stability", "Cohen, Kaur, Li, Kolter & Talwalkar 2021",
    "Full-batch descent: the sharpness rises to 2/lr and hovers just above; the loss goes up and down, and falls over long times.",
    "A tanh net of 321 weights fits the third Chebyshev polynomial at 20 points; lr · steps = 400 (fast: 100); power iteration by hvp.",
    "Theirs is CIFAR-10. start, end: in units of 2/lr, end the last quarter of the run; falls: its loss by the second's.", slow=True)
def edge_of_stability(full: bool) -> tuple[list[Row], Checks]:
    """rising: share of steps of the second half that raise the loss. Looked at every 21 steps, both ends of a cycle of two are seen."""
    rates, seeds, time = ((0.025, 0.05, 0.1), range(10), 400) if full else ((0.05, 0.1), range(5), 100)
    rows, found = list[Row](), []
    for lr in rates:
        S, losses = sharpened(lr, seeds, round(time / lr) + 1, 21, units=16, points=20, target=lambda x: 4 * x**3 - 3 * x)
        _, second, _, last = np.array_split(losses, 4)
        rising, falls = np.mean(np.diff(losses[len(losses) // 2 :], axis=0) > 0, axis=0), last.mean(axis=0) / second.mean(axis=0)
        found.append([lr / 2 * S[0], lr / 2 * S[-len(S) // 4 :].mean(axis=0), rising, falls])
        rows.append({"lr": lr, "2/lr": 2 / lr, **spread(**dict(zip(("start", "end", "rising", "falls"), found[-1])))})
    start, end, rising, falls = np.array(found).swapaxes(0, 1)
    means = end.mean(axis=1)
    checks = {
        "It starts below 2/lr, every seed": start.max() < 1,
        "It ends at 2/lr: each seed within 20 %, the means within 10 %": np.abs(end - 1).max() < 0.2 and np.abs(means - 1).max() < 0.1,
        "Twice the lr, half the sharpness, within 10 %": np.abs(means[1:] / means[:-1] - 1).max() < 0.1,
        "The loss falls: its last quarter below the second, the mean over seeds": falls.mean(axis=1).max() < 1}
    if full:
        checks["Just above: the means between 1 and 1.05"] = means.min() > 1 and means.max() < 1.05
        checks["And yet it rises in more than a tenth of the later steps, at each lr"] = rising.mean(axis=1).min() > 0.1
    return rows, checks


def query_share(h: Any, block: Any) -> np.ndarray:
    """(seeds,) |g| of W_q and W_k, their root mean square, by that of W_v, in a block on the way to h; a random gradient comes in."""
    W = getattr(block, "self_attn", block).in_proj_weight
    q, k, v = np.linalg.norm(np.split(grad(h, W, np.random.default_rng(0).normal(size=h.shape)), 3, axis=1), axis=(2, 3))
    return np.hypot(q, k) / (math.sqrt(2) * v)


def power(seeds: Iterable[int]) -> np.ndarray:
    """(seeds,) p where 1 − cosine becomes its p-th power, of tokens that a tenth and a thirtieth of their own tell apart, by attention."""
    rngs = generators(0, list(seeds))
    same, own = np.split(each(rngs, lambda rng: rng.normal(size=(1, 17, 32))), [1], axis=2)
    x, f = [Tensor(same + share * own) for share in (0.1, 0.03)], Attention(32, 4, seeds=rngs)
    return np.divide(*(np.log((1 - likeness(h[0])) / (1 - likeness(h[1]))) for h in ([f(one) for one in x], x)))  # after by before


@headline(
    "rank-collapse", "Dong, Cordonnier & Loukas 2021; Noci et al. 2022",
    "Attention alone makes tokens alike, doubly exponentially in depth; skips and MLPs stop it. Then no gradient reaches W_q and W_k.",
    "12 blocks of 32 units, 4 heads, 16 tokens from N(0, 1), at the start; ln gain of a random gradient; q,k: |g| of W_q, W_k by that of "
    "W_v in block 6. power: to which 1 − cosine is raised by one attention, of nearly equal tokens.",
    "Xavier weights at the start, no positions, no training; theirs are BERT and the like.")
def rank_collapse(full: bool) -> tuple[list[Row], Checks]:
    """Likeness of tokens, gain, and what queries and keys receive, of four stacks of twelve blocks."""
    seeds, alike, nats, shares = range(20 if full else 5), {}, {}, {}
    for name, kind in {"pre-LN": "pre", "post-LN": "post", "no skip": "alone", "no skip, MLP": "alone, MLP"}.items():
        h, g, blocks = tower(kind, 12, seeds)
        alike[name], nats[name], shares[name] = likeness(h[-1]), np.log(g[0] / g[-1]), query_share(h[-1], blocks[5])
    rows = [{"block": name, **spread(cosine=alike[name], nats=nats[name]), "q,k": float(shares[name].mean())} for name in alike]
    return [*rows, {"block": "attention once", **spread(power=(p := power(seeds)))}], {
        "Attention alone: cosine of tokens above .999, every seed": alike["no skip"].min() > 0.999,
        "Doubly exponential: it leaves the third power, within .1": abs(p.mean() - 3) < 0.1,
        "Skips stop it: below .9 with pre-LN, every seed": alike["pre-LN"].max() < 0.9,
        "MLPs without skips stop it: below .99, every seed": alike["no skip, MLP"].max() < 0.99,
        "Post-LN: more alike than pre-LN, every seed": np.min(alike["post-LN"] - alike["pre-LN"]) > 0,
        "Without skips the gradient loses 4 nats or more, every seed": nats["no skip"].max() < -4,
        "With pre-LN it loses none, every seed": nats["pre-LN"].min() > 0,
        "Attention alone: W_q, W_k get less than 1e-6 of W_v's, every seed": shares["no skip"].max() < 1e-6}


@headline(
    "curse-of-depth", "Sun et al. 2025",
    "Pre-LN: the variance grows exponentially with depth, deep blocks turn into the identity; LayerNorm scaling, 1/√l, mends it.",
    "At the start: 48 blocks of 32 units, 8 tokens. Trained: 24 blocks of 16, 8 tokens of the five classes, Adam 1e-3, 250 updates of 32, "
    "1,600 points; what leaving out one block adds to the loss on 400 others.",
    "Theirs are language models of 130 million weights and more. step: |h[l] − h[l−1]| / |h[l−1]| of block 48.", slow=True)
def curse_of_depth(full: bool) -> tuple[list[Row], Checks]:
    """first, deep: what leaving out a block of the first half costs, and of the deep one."""
    rows, rms, gain, step = list[Row](), {}, {}, {}
    for kind in ("pre-LN", "1/√l"):
        h, g, _ = tower("pre", 48, range(10 if full else 5), kind == "1/√l", 8)
        rms[kind], gain[kind] = np.sqrt([np.mean(x.data**2, axis=(1, 2, 3)) for x in h]), g[:-1] / g[1:]
        step[kind] = np.sqrt(np.mean((h[48].data - h[47].data) ** 2, axis=(1, 2, 3))) / rms[kind][47]
        gains = {f"gain {k}": gain[kind][k - 1] for k in (1, 8, 48)}
        rows.append({"net": kind, "updates": 0, **spread(**gains, rms=rms[kind][48], step=step[kind])})
    q = np.mean(rms["pre-LN"] ** 2, axis=1)  # the variance
    checks = {
        "Pre-LN: block 48 is nearly the identity: gain within 2 % of 1, every seed": np.abs(gain["pre-LN"][47] - 1).max() < 0.02,
        "Block 1 is not: above 1.15, every seed": gain["pre-LN"][0].min() > 1.15,
        "Exponential: blocks 25 to 48 multiply the variance by half of what 1 to 24 do, or more": q[48] / q[24] > q[24] / q[0] / 2,
        "Scaling keeps the rms below half of it, every seed": np.max(rms["1/√l"][48] / rms["pre-LN"][48]) < 0.5,
        "And block 48 takes larger steps, every seed": np.min(step["1/√l"] - step["pre-LN"]) > 0}
    if full:
        (loss, costs), (scaled, mended) = (left_out(24, range(5), scaling) for scaling in (False, True))
        for kind, test, cost in (("pre-LN", loss, costs), ("1/√l", scaled, mended)):
            rows.append({"net": kind, "updates": 250, **spread(loss=test, first=cost[:12].mean(axis=0), deep=cost[12:].mean(axis=0))})
        checks |= {
            "Trained: a block of the deep half is worth less than a tenth of one of the first": costs[12:].mean() < 0.1 * costs[:12].mean(),
            "With scaling the loss on other points is lower, the mean of 5 seeds": scaled.mean() < loss.mean(),
            "With scaling a block of the deep half is worth more": mended[12:].mean() > costs[12:].mean()}
    return rows, checks


def left_out(L: int, seeds: Iterable[int], scaled: bool, updates: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """After training: the loss on 400 other points (seeds,), and what leaving out each block adds to it (L, seeds)."""
    net: Any = Module()
    rngs, (x, labels) = generators(0, list(seeds)), five_classes()
    net.embed, net.norm, S = Linear(FEATURES, 8 * 16, seeds=rngs), LayerNorm(16, seeds=len(rngs)), len(rngs)
    net.blocks = [TransformerBlock(16, 2, hidden=32, scale=(k + 1) ** -0.5 if scaled else 1.0, seeds=rngs) for k in range(L)]
    net.readout = Linear(16, CLASSES, seeds=rngs)

    def answers(x: np.ndarray, without: int = -1) -> Any:
        h = reshape(net.embed(x), (*x.shape[:2], 8, 16))
        for k, block in enumerate(net.blocks):
            h = h if k == without else block(h)
        return net.readout(net.norm(h).mean(axis=2))

    loss = lambda _, rows: S * cross_entropy(reshape(answers(x[rows]), (-1, CLASSES)), labels[rows].ravel())  # noqa: E731
    fit(net, loss, Batches(lambda rng: rng.integers(0, 1600, (S, 32)), 1), Adam(net, 1e-3), updates, record=updates)
    with no_grad():
        found = np.array([[cross_entropy(z, labels[1600:]) for z in answers(np.array([x[1600:]] * S), k).data] for k in range(-1, L)])
    return found[0], found[1:] - found[0]


def parity_run(squash: Callable[[Any], Any], hidden: list[int], T: int, last: bool, seeds: Iterable[int], updates: int) -> np.ndarray:
    """(40, seeds) share of right signs at each of 40 steps, after learning the parity of T bits: at each step, or at the last alone."""
    net: Any = Module()
    rngs = generators(0, list(seeds))
    net.a, net.b, net.readout = *(Linear(1, 8, "normal", seeds=rngs) for _ in "ab"), MLP([8, *hidden, 1], "tanh", seeds=rngs)

    def answers(x: np.ndarray) -> Any:
        a, b = squash(net.a(x)), net.b(x)
        h = [b[:, 0]]
        for t in range(1, x.shape[1]):
            h.append(a[:, t] * h[-1] + b[:, t])
        return net.readout(stack(h, 1))[..., 0]

    def draw(rng: np.random.Generator, T: int = T, batch: int = 32) -> Any:
        x = rng.choice([-1.0, 1.0], (len(rngs), T, batch, 1))
        return x, np.cumprod(-x[..., 0], axis=1)  # −1 for an odd number of ones

    loss = lambda _, batch: square((answers(batch[0]) - batch[1])[:, -1 if last else 0 :]).mean(axis=(1, 2)).sum()  # noqa: E731
    fit(net, loss, Batches(draw, 1), Adam(net, 0.03), updates, record=updates, clip=lambda leaves: clip_norm(leaves, 1.0, per_seed=True))
    x, p = draw(np.random.default_rng(99), 40, 200)
    with no_grad():
        return np.mean(answers(x).data * p > 0, axis=2).T


@headline(
    "parity-by-eigenvalues", "Grazzi et al. 2024 (after Sarrof et al. 2024)",
    "Linear RNNs whose eigenvalues are all positive cannot solve parity; from −1 to 1 they can.",
    "h ← a h + b, 8 units, a and b made of the bit; T bits, Adam .03, 600 updates of 32, 10 seeds (fast: 200, 5); signs at steps 20 to 40.",
    "One diagonal layer, no Mamba. The theorem is about all lengths at a finite precision; this is one budget of training.", slow=True)
def parity_by_eigenvalues(full: bool) -> tuple[list[Row], Checks]:
    """Share of right signs at step T, and at steps 20 to 40 together."""
    seeds, updates, ranges = range(10 if full else 5), 600 if full else 200, {"(0, 1)": sigmoid, "(−1, 1)": tanh}
    settings: list[Any] = [([], 20, False), ([16], 20, False), ([], 20, True), ([], 40, True)] if full else [([], 20, False)]
    rows, late, at_T = list[Row](), {}, {}
    for name, squash, k, (hidden, T, last) in ((*pair, *setting) for pair in ranges.items() for setting in enumerate(settings)):
        right = parity_run(squash, hidden, T, last, seeds, updates)
        late[name, k], at_T[name, k] = right[19:].mean(axis=0), right[T - 1]
        rows.append({"λ": name, "readout": "MLP" if hidden else "linear", "T": T, "taught": "the last" if last else "all"})
        rows[-1] |= spread(**{"at T": at_T[name, k], "20 to 40": late[name, k]})
    checks = {
        "0 < λ < 1: a guess at steps 20 to 40, .45 to .55, every seed": np.abs(late["(0, 1)", 0] - 0.5).max() < 0.05,
        "−1 < λ < 1: above .95, four seeds of five or more": np.mean(late["(−1, 1)", 0] > 0.95) >= 0.8}
    if full:
        checks["0 < λ < 1, MLP as readout: still a guess, every seed"] = np.abs(late["(0, 1)", 1] - 0.5).max() < 0.05
        for k, T in ((2, 20), (3, 40)):
            checks[f"Taught at step {T} alone: 0 < λ < 1 below .65 there, every seed"] = at_T["(0, 1)", k].max() < 0.65
            checks[f"Taught at step {T} alone: −1 < λ < 1 above .95 there, half the seeds"] = np.mean(at_T["(−1, 1)", k] > 0.95) >= 0.5
    return rows, checks


def straighter(x: np.ndarray, y: np.ndarray) -> str:
    """Of logs y at lags x: whether a line is nearer to them over the lag, or over its logarithm; flat, if it falls by less than .1."""
    (slope, _), exponential, *_ = np.polyfit(x, y, 1, full=True)
    nearer = "exponential" if exponential.item() < np.polyfit(np.log(x), y, 1, full=True)[1].item() else "power"
    return "flat" if abs(slope) * (x[-1] - x[0]) < 0.1 else nearer


@headline(
    "long-range", "Ma & Najarian 2025",
    "What the past does to a state decays exponentially with the lag in RNNs and state space models; attention is not bound to that.",
    "16 units, 120 inputs from N(0, 1), losses from step 60 on, at the start: ln |∂L[t]/∂h[s]| by lag, the mean over pairs, from lag 5 to "
    "60; RNN of radius 1, LRU with |λ| from .9 to .99, a selective SSM, causal attention of 2 heads.",
    "Not trained. Attention without positions cannot know a lag; with a bias of −.1 a step (as ALiBi's) it is made to decay.")
def long_range(full: bool) -> tuple[list[Row], Checks]:
    """By lag: the slope of ln |∂L[t]/∂h[s]|, its shares of lag 0, and whether a line or a power fits it better."""
    nets, losses = ("RNN", "LRU", "SSM", "attention", "with bias"), range(59, 120, 1 if full else 12)
    seen = [reached(seed, nets, 120, losses) for seed in range(20 if full else 5)]
    found = {name: np.array([logs[name][:61] - logs[name][0] for logs in seen]) for name in nets}
    lags, rows, slopes = np.arange(5, 61), list[Row](), dict[str, np.ndarray]()
    for name, runs in found.items():
        mean, slopes[name] = np.mean(runs, axis=0), np.polyfit(lags, runs[:, 5:].T, 1)[0]
        shares = {f"lag {k}": math.exp(mean[k]) for k in (1, 10, 60)}
        rows.append({"net": name, **spread(slope=slopes[name]), **shares, "straighter": straighter(lags, mean[5:])})
    return rows, {
        "RNN, LRU, SSM: decay is nearer to exponential than to a power": all(row["straighter"] == "exponential" for row in rows[:3]),
        "RNN: loses more than .2 nats a step, every seed": slopes["RNN"].max() < -0.2,
        "LRU: between ln .9 and ln .99 a step, every seed": math.log(0.9) < slopes["LRU"].min() <= slopes["LRU"].max() < math.log(0.99),
        "Attention: no decay, within .01 a step, every seed": np.abs(slopes["attention"]).max() < 0.01,
        "At lag 60 the largest share of lag 0 is attention's": rows[3]["lag 60"] == max(row["lag 60"] for row in rows),
        "With a bias of −.1 a step: exponential, −.1 within .01, every seed": np.abs(slopes["with bias"] + 0.1).max() < 0.01}
