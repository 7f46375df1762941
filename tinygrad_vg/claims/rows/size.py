"""How large, how small, and which factor made it so?  Claims P1 to P8 of the post: sigmoids, weights, minima and products.

    W  weights      Q  orthogonal      b  bias      x  input      z  pre-activation      h  state      y  prediction      g  gradient
    w  one weight      N  width      L  layers      T  steps
"""

import math
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import Chain, Scalar, Tensor, grad, history, log, nn, sigmoid, square, tanh, training, verdict
from ..claim import Found, measures
from ..models import hidden_layers
from .deep import curve, descending, layered, split, through, times, unit_slopes

N, L = 64, 50


@measures("P1")
def suddenly() -> Found:
    """Decades per layer of |gradient|, and R² of the line, through sigmoid, tanh and linear layers."""
    figures, curves, back = {}, {}, np.arange(L + 1)
    for name, scale in (("sigmoid", 1.0), ("tanh", 1.0), ("linear at 1.4", 1.4)):
        chains = [layered(L, N, name.split()[0], scale, seed) for seed in range(10)]
        lines = np.array([chain.log_product[::-1] for chain in chains]) / math.log(10)
        figures[f"{name}, decades per layer"] = float(np.polyfit(back, lines.T, 1)[0].mean())
        figures[f"{name}, R² of the line, least"] = min(np.corrcoef(back, line)[0, 1] ** 2 for line in lines)
        curves[name] = curve(chains[0])
    return Found(figures, curves, ("layers back from the output", "|gradient|"))


def product_loss(model: dict[str, Any]) -> Scalar:
    """½ (h[50] − 1)² after h[t] = w h[t−1], from h[0] = 1."""
    h = Scalar(1.0).named("h", 0)
    for t in range(1, 51):
        h = (model["w"] * h).named("h", t)
    return (0.5 * square(h - 1.0)).named("loss")


def descend(w: float, clip: float | None, steps: int = 100) -> tuple[Any, float, str]:
    """SGD with learning rate 0.1 on the product: its history, the last finite w, and what went wrong, if anything."""
    model = {"w": Scalar(w, name="w")}
    try:
        run, what = training.fit(model, lambda m, _: product_loss(m), [None] * steps, training.SGD(model, 0.1), steps, clip=clip), ""
    except training.Diverged as error:
        run, what = error.history, f"from w = {w}, step {error.step}: {error.what}".partition(";")[0]
    return run, model["w"].data, what


def steps_to_nan(w: float) -> int:
    """After how many steps w itself is no number, if nobody stops the run."""
    model = {"w": Scalar(w, name="w")}
    walk = descending(training.SGD(model, 0.1), lambda: product_loss(model))
    return next((step for step, _ in zip(range(100), walk) if math.isnan(model["w"].data)), 100)


@measures("P2")
def thrown_off() -> Found:
    """The first step that is not finite in a descent on a product of weights, plain, and the losses when clipped."""
    plain, clipped = ([descend(w, clip) for w in (1.5, 1.75, 2.0)] for clip in (None, 1.0))
    w = plain[0][1]
    states = history(product_loss({"w": Scalar(w)}))
    infinite = [node.name.index[0] for node in states if node.name and node.name.index and math.isinf(node.data)]
    figures = {
        "first step that is not finite": max(run.steps for run, _, _ in plain) + 1,
        "h[t] that overflows, from w = 1.5: t": infinite[0],
        "log10 |w| after one step": math.log10(abs(w)),
        "steps until w is NaN": max(map(steps_to_nan, (1.5, 1.75, 2.0))),
        "steps that are finite, clipped": sum(int(np.sum(np.isfinite(run.losses))) for run, _, _ in clipped),
        "largest loss of the last ten, clipped": max(max(run.losses[-10:]) for run, _, _ in clipped),
        "the same of the best of the three": min(max(run.losses[-10:]) for run, _, _ in clipped)}
    curves = {f"clipped, from w = {w}": (np.arange(1, 101), run[0].losses) for w, run in zip((1.5, 1.75, 2.0), clipped)}
    return Found(figures, curves, ("step", "loss"), lines="\n".join(textwrap.fill(what, 80) for _, _, what in plain))


@measures("P3")
def stops_entirely() -> Found:
    """The share of each layer's weights that 50 steps of SGD change, in a sigmoid net of 40 layers."""
    rng, depth = np.random.default_rng(0), 40
    x, labels = rng.normal(size=(32, 4)), np.arange(32) % 2
    net = nn.MLP([4, *[16] * (depth - 1), 2], "sigmoid", rng=0)
    weights = {k: net.layer(k).W for k in range(1, depth + 1)}
    before = {k: W.data for k, W in weights.items()}
    run = training.fit(net, lambda net, x: nn.cross_entropy(net(x), labels), [x] * 50, training.SGD(net, 0.1), 50)
    changed = [float(np.mean(before[k] != W.data)) for k, W in weights.items()]
    figures = {
        "weights of layer 1 that changed, share": changed[0], "weights of the last layer that changed, share": changed[-1],
        "|gradient| of layer 1": run.records[-1]["gradients"]["layer1.W"],
        "loss, last over first": run.losses[-1] / run.losses[0], "last loss over ln 2": run.losses[-1] / math.log(2)}
    return Found(figures, {"changed in 50 steps": (np.arange(1, depth + 1), changed)}, ("layer", "share of the weights that changed"))


@measures("P4")
def flat_tails() -> Found:
    """|gradient| back through 50 sigmoids, each at z = 0, where it is steepest: 0.25^k."""
    h = x = Scalar(0.0, name="x")
    for t in range(1, 51):
        h = (h - h.data).sigmoid().named("h", t)  # each sigmoid where it is steepest
    best = np.exp(Chain(h, x).log_product[::-2])  # every other link is the subtraction
    figures = {"0.25^10": best[10], "slope at 0": best[1], "0.25^50": best[50]}
    return Found(figures, {"gradient": (np.arange(51), best)}, ("layers", "|gradient| at the input"))


@measures("P5")
def saturated() -> Found:
    """Slopes of the sigmoid at ±10 and in ten layers: median and share below 0.01, weights × 1 and × 30."""
    found = {scale: unit_slopes(layered(10, N, "sigmoid", float(scale), 0)) for scale in (1, 30)}
    ends = [Scalar(x, name="x") for x in (10.0, -10.0)]
    figures = {f"slope at {name}": Chain(x.sigmoid(), x).gradients[0].item() for name, x in zip(("10", "−10"), ends)}
    figures |= {f"median slope, scale {scale}": float(np.median(of)) for scale, of in found.items()}
    figures |= {f"the same in layer {k}, scale {scale}": float(np.median(of[k - 1])) for scale, of in found.items() for k in (1, 10)}
    figures |= {f"share below 0.01, scale {scale}": float(np.mean(of < 0.01)) for scale, of in found.items()}
    bins = np.linspace(0, 0.25, 11)
    shares = {f"scale {scale}, layer {k}": np.histogram(of[k - 1], bins)[0] / N for scale, of in found.items() for k in (1, 10)}
    return Found(figures, {name: (bins[:-1] + 0.0125, share) for name, share in shares.items()}, ("slope", "share of the units"))


@measures("P5b")
def by_a_parameter() -> Found:
    """|∂L/∂w| of one sigmoid unit: with a large input, and with a loss whose slope makes up for σ′."""
    def slope(z: float, x: float, loss: Any) -> float:
        w = Scalar(z / x, name="w")
        return abs(grad(loss((w * x).sigmoid()), w))

    σ, z = 1 / (1 + math.exp(-10)), np.linspace(-15, 0, 61)
    losses = {"½ (y − 1)²": lambda y: 0.5 * square(y - 1.0), "−ln y": lambda y: -log(y)}
    figures = {
        "at z = 10, x = 1e5: ∂y/∂w": slope(10, 1e5, lambda y: y), "at z = 10, x = 1: ∂y/∂w": slope(10, 1.0, lambda y: y),
        "σ′ · x · what comes after, off by": abs(slope(10, 3.0, losses["½ (y − 1)²"]) / (σ * (1 - σ) * 3 * (1 - σ)) - 1),
        "at z = −10, x = 1, loss −ln y: ∂L/∂w": slope(-10, 1.0, losses["−ln y"])}
    curves = {f"loss {name}": (z, np.array([slope(at, 1.0, loss) for at in z])) for name, loss in losses.items()}
    return Found(figures, curves, ("z = w x, x = 1", "|∂L/∂w|"))


def case(phi: Callable[[Tensor], Tensor], error: float) -> tuple[Chain, Any]:
    """Thirteen layers, each where its slope is steepest; the loss is ½ error²: the chain from it back to w, and its verdict."""
    w = y = Tensor(0.5, name="w")
    for _ in range(13):
        y = phi(y - y.data)
    loss = (0.5 * square(y.named("y") - (y.data - error))).named("loss")
    return Chain(loss, w), verdict(loss, w)


@measures("P6")
def small_at_a_minimum() -> Found:
    """Four nets, two of them with a gradient of one size: what the verdict says of each."""
    far = 1e-8 / 0.25**13
    cases = {
        "converged": case(tanh, 1e-8), "vanished": case(sigmoid, far),
        "steady net, as far off": case(tanh, far), "shrinking net, no error": case(sigmoid, 1e-12)}
    right = zip(cases.values(), ("converged", "shallow slopes", "healthy", "converged"))
    figures: dict[str, float] = {"verdicts that are right, of 4": sum(told.kind == kind for (_, told), kind in right)}
    for name in ("converged", "vanished"):
        chain, told = cases[name]
        figures |= {f"|gradient|, {name}": abs(chain.gradients[0].item()), f"log gain, {name}, nats": told.numbers["log_gain"]}
        figures[f"loss, {name}"] = float(chain.output.data)
    curves = {name: curve(chain) for name, (chain, _) in cases.items()}
    lines = "\n".join(f"{name + ':':26}{told.kind:16}{told.figures()}" for name, (_, told) in cases.items())
    return Found(figures, curves, ("links back from the loss", "|gradient|"), lines=lines)


@measures("P7")
def compounds() -> Found:
    """The product of 30 sigmoid slopes, and the sum of their logarithms beside the logarithm of the product."""
    h = x = Scalar(0.5, name="x")
    for t in range(1, 31):
        h = h.sigmoid().named("h", t)
    chain = Chain(h, x)
    slopes = [link.gain for link in chain.links]
    figures = {
        "product of 30 slopes": chain.gradients[0].item(),
        "|sum of logs − log of the product|": abs(math.fsum(map(math.log, slopes)) - math.log(chain.gradients[0].item())),
        "after 10 layers": math.prod(slopes[:10]), "after 20 layers": math.prod(slopes[:20]), "slope once it is steady": slopes[-1]}
    return Found(figures, chain=chain)


def deep_nets(seed: int) -> list[Chain]:
    """Fifty layers of the same weights as tanh layers; as the sigmoid layers they are in disguise; and as plain sigmoid layers.

    σ(z) = (1 + tanh(z / 2)) / 2, so h ← tanh(W h) is s ← σ(4 W s − 2 W 1) for s = (1 + h) / 2.
    """
    x, g = np.random.default_rng(seed).normal(size=(2, N))
    kinds = ("tanh", 1.0), ("sigmoid", 4.0), ("sigmoid", 1.0)
    nets = [nn.MLP([N] * (L + 2), activation, times(s), rng=seed) for activation, s in kinds]
    for centred in (nets[1].layer(k) for k in range(1, L + 1)):
        centred.b.data = -centred.W.data.sum(axis=1) / 2
    s = sigmoid(x)
    starts = [Tensor(start, name="x") for start in (2 * s - 1, s, s)]
    return [through([start, *hidden_layers(net(start))], g) for net, start in zip(nets, starts)]


@measures("P8")
def not_linked_to_sigmoids() -> Found:
    """Nats of slopes and of weights in deep nets: centred sigmoid, plain sigmoid and none (0.9 Q)."""
    nets = [deep_nets(seed) for seed in range(10)]
    slopes, weights = np.mean([split(centred) for _, centred, _ in nets], axis=0)
    plain = np.mean([split(net) for _, _, net in nets], axis=0)
    rotated = layered(L, N, "linear", times(0.9, nn.init.orthogonal), 0)
    figures = {
        "centred: slopes, nats": slopes, "centred: weights, nats": weights, "centred: kept, geometric mean": math.exp(slopes + weights),
        "plain: log10 kept": float(np.mean([net.log_product[0] for _, _, net in nets])) / math.log(10),
        "plain: slopes' part of the loss": plain[0] / sum(plain), "0.9 Q: kept over 0.9^50": math.exp(rotated.log_product[0]) / 0.9**50,
        "centred against tanh, off by": max(float(np.max(np.abs(b.gradients[0] / a.gradients[0] - 1))) for a, b, _ in nets)}
    named = {"centred, weights × 4": nets[0][1], "plain sigmoid": nets[0][2], "no activation, 0.9 Q": rotated}
    curves, lines = {name: curve(chain) for name, chain in named.items()}, f"Of seed 0, centred:\n{nets[0][1].blame().sentence}"
    return Found(figures, curves, ("layers back from the output", "|gradient|"), lines=lines)
