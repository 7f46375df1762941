"""Do the comments hold?  Claims C1 to C8: notation, sigmoids, and what is said to help. (C9 to C11 are in minima.)

    x  input      z  pre-activation      h  state      W  weight      g  gradient      ρ  spectral radius      T, t  time      L  layers
"""

import math
from typing import Any

import numpy as np

from ... import Chain, Tensor, einsum, explain, nn, square
from ...training import SGD, l2_penalty
from ..claim import Found, measures
from ..recurrences import tied_or_not
from .deep import curve, descending, layered, split, through, times, unit_slopes
from .index import all_carried_out


@measures("C1")
def index_notation() -> Found:
    """One network three times: by layers, by the engine's einsum, and its gradient by hand."""
    rng = np.random.default_rng(0)
    cell, x, target = nn.RNNCell(3, 5, rng=0), rng.normal(size=(8, 4, 3)), rng.normal(size=(4, 5))
    start = Tensor(rng.normal(size=(4, 5))).named("h", 0)
    states = nn.unroll(cell, x, start)
    loss = square(states[-1] - target).sum().named("loss")
    loss.backward()
    engine = [leaf.grad for leaf in (cell.W_hh, cell.W_xh, cell.b_h, start)]
    h = [state.data for state in states]
    W, V, b, first = (Tensor(leaf.data) for leaf in (cell.W_hh, cell.W_xh, cell.b_h, start))
    same = first
    for step in x:
        same = np.tanh(einsum("ij,nj->ni", W, same) + einsum("ik,nk->ni", V, step) + b)
    square(same - target).sum().backward()
    count, error = all_carried_out(loss)
    others = by_hand(h, x, cell.W_hh.data, 2 * (h[-1] - target)), [leaf.grad for leaf in (W, V, b, first)]
    off = [max(float(np.max(np.abs(a - b))) for a, b in zip(found, engine, strict=True)) for found in others]
    figures = {"by hand − engine": off[0], "in einsum − engine": off[1], "printed formulas − engine": error, "formulas carried out": count}
    return Found(figures, chain=Chain(loss, start, through=states), lines=explain(loss, of=cell.W_hh).rows[0]["index"])


def by_hand(h: list[np.ndarray], x: np.ndarray, W: np.ndarray, g: np.ndarray) -> list[Any]:
    """∂L/∂W_hh, ∂L/∂W_xh, ∂L/∂b and ∂L/∂h[0] of a tanh network, in index notation; n counts the sequences of the batch."""
    dW, dV, db = np.zeros_like(W), 0.0, 0.0
    for t in range(len(x), 0, -1):
        δ = np.einsum("ni,ni->ni", g, 1 - h[t] ** 2)
        dW, dV = dW + np.einsum("ni,nj->ij", δ, h[t - 1]), dV + np.einsum("ni,nk->ik", δ, x[t - 1])
        db = db + np.einsum("ni->i", δ)
        g = np.einsum("ni,ij->nj", δ, W)
    return [dW, dV, db, g]


@measures("C2")
def repeated_sigmoids() -> Found:
    """Twenty layers five ways, their log gains split between slopes and weights."""
    figures, curves = dict[str, float](), {}
    for activation, scale in (("sigmoid", 1.0), ("sigmoid", 4.0), ("tanh", 1.0), ("relu", 1.0), ("linear", 0.5)):
        name = activation + (f" × {scale:g}" if scale != 1 else "")
        chains = [layered(20, 64, activation, scale, seed) for seed in range(5)]
        slopes, weights = np.mean([split(chain) for chain in chains], axis=0).tolist()
        both = slopes + weights
        figures |= {f"nats of slopes, {name}": slopes, f"nats of weights, {name}": weights, f"nats in all, {name}": both}
        figures[f"share of slopes, {name}"] = slopes / both
        curves[name] = curve(chains[0])
    return Found(figures, curves, ("layers back", "|gradient|"))


@measures("C3")
def less_than_zero() -> Found:
    """The sign and the size of a million sigmoid slopes, z from −36 to 36, and of products of them."""
    z = np.linspace(-36, 36, 1_000_001)[:-1]
    slopes = sigmoid_slopes(z)
    products = np.cumprod(slopes[::32_258][:31])
    figures = {
        "of 1,000,000 slopes, 0 or less": int(np.sum(slopes <= 0)), "1 or more": int(np.sum(slopes >= 1)),
        "largest": slopes.max(), "smallest": slopes.min(), "largest logarithm": np.log(slopes).max(),
        "products of up to 31 above 0": int(np.sum(products > 0)),
        "slope at 40, rounded to float64": sigmoid_slopes(np.array([40.0]))[0]}
    return Found(figures, {"dσ/dz": (z[::4000], slopes[::4000])}, ("z", "slope of the sigmoid"))


def sigmoid_slopes(z: np.ndarray) -> np.ndarray:
    """The engine's slope of the sigmoid at each z."""
    leaf = Tensor(z, name="z")
    leaf.sigmoid().sum().backward()
    return np.asarray(leaf.grad)


@measures("C4")
def tails() -> Found:
    """The sigmoid's slope at ±10, 0.001, 19 and 20."""
    slopes, z = sigmoid_slopes(np.array([10.0, -10.0, 0.001, 20.0, 19.0])), np.linspace(-15, 15, 121)
    figures = dict(zip(("slope at 10", "slope at −10", "slope at 0.001"), slopes)) | {"slope at 20 ÷ at 19": slopes[3] / slopes[4]}
    return Found(figures, {"dσ/dz": (z, sigmoid_slopes(z))}, ("z", "slope of the sigmoid"))


@measures("C5")
def tied() -> Found:
    """How the sd of the ln gain grows with the steps T (the exponent), with one W for all steps and with a W for each."""
    lags = np.array([8, 16, 32, 64, 128])
    spread = {name: logs.std(axis=1)[lags] for name, logs in zip(("a W for each step", "shared W"), tied_or_not(16, 128, 80).values())}
    figures = {f"exponent, {name}": float(np.polyfit(np.log(lags[1:]), np.log(sd[1:]), 1)[0]) for name, sd in spread.items()}
    figures["sd shared ÷ sd of its own, T = 128"] = spread["shared W"][-1] / spread["a W for each step"][-1]
    return Found(figures, {name: (lags, sd) for name, sd in spread.items()}, ("steps back", "sd of the ln gain over 80 draws, nats"))


@measures("C6")
def rectified() -> Found:
    """ReLU nets of 50 layers: slopes other than 0 and 1, units that are off, and nats with variances 2/n and 1/n."""
    he, plain = [layered(50, 64, "relu", "he", seed) for seed in range(40)], layered(50, 64, "relu", 1.0, 0)
    batch = layered(50, 64, "relu", "he", 0, batch=64)
    found = unit_slopes(he[0])
    first, last = (batch.stations[k][0].data > 0 for k in (1, 50))
    figures = {
        "gain, 1/n ÷ 2/n": math.exp(plain.log_product[0] - he[0].log_product[0]),
        "slopes other than 0 and 1": int(np.sum((found != 0) & (found != 1))), "slopes": found.size,
        "share off, layer 1": float(np.mean(~first)), "nats, He": float(np.mean([chain.log_product[0] for chain in he])),
        "off for all inputs, layer 50": float(np.mean(~last.any(axis=0))),
        "off for all inputs, layer 1": float(np.mean(~first.any(axis=0)))}
    return Found(figures, {"variance 2/n (He)": curve(he[0]), "variance 1/n": curve(plain)}, ("layers back", "|gradient|"))


@measures("C7")
def decay() -> Found:
    """The gain over 50 linear steps, in nats, as L2 decay shrinks ρ from 1.1 or 0.95."""
    runs = {rho: decayed(rho) for rho in (1.1, 0.95)}
    figures: dict[str, float] = {"nats lost per factor": (runs[1.1][1][-1] - runs[1.1][1][0]) / 50, "ρ after, from 1.1": runs[1.1][0][-1]}
    for rho, (_, nats) in runs.items():
        figures |= {f"nats at ρ = {rho}, before": nats[0], f"nats at ρ = {rho}, after": nats[-1]}
    figures["steps from ρ = 1.1 to below 1"] = int(np.argmax(runs[1.1][0] < 1))
    curves = {f"from ρ = {rho}": (np.arange(0, 1001, 50), nats) for rho, (_, nats) in runs.items()}
    return Found(figures, curves, ("steps of L2 decay", "ln gain over 50 time steps, nats"))


def decayed(rho: float) -> tuple[np.ndarray, np.ndarray]:
    """ρ after 0 … 1000 steps of gradient descent on the L2 penalty alone; ln gain over 50 time steps, after every 50 of them."""
    cell = nn.RNNCell(1, 8, "linear", ("zeros", times(rho, nn.init.orthogonal)), rng=0)
    leaves, radii, nats = {"W_hh": cell.W_hh}, [], []
    for step, _ in zip(range(1001), descending(SGD(leaves, 0.1), lambda: l2_penalty(leaves, 0.001))):
        radii.append(np.linalg.norm(cell.W_hh.data, 2))  # W_hh is a multiple of an orthogonal matrix: its σ is ρ
        if step % 50 == 0:
            nats.append(through(nn.unroll(cell, np.zeros((50, 1))), np.ones(8)).log_product[0])
    return np.array(radii), np.array(nats)


@measures("C8")
def batch_norm() -> Found:
    """Nats back through 50 sigmoid and ReLU layers, with batch normalisation and without."""
    figures, curves = dict[str, float](), {}
    for activation, norm in (("sigmoid", None), ("sigmoid", "batch"), ("relu", None), ("relu", "batch")):
        chain = layered(50, 128, activation, "he" if activation == "relu" else 1.0, 0, batch=128, norm=norm)
        name, logs = activation + (", norm" if norm else ""), chain.log_product[::-1]
        figures |= {f"nats, {name}": logs[50], f"gain, {name}": math.exp(logs[50])}
        figures[f"nats a layer, {name}"] = (logs[48] - logs[3]) / 45  # away from both ends
        curves[name] = curve(chain)
    return Found(figures, curves, ("layers back", "|gradient|"))
