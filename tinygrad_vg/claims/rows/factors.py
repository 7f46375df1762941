"""Which factor made it small?  Claims P6 to P8 of the post: a minimum or a lost gradient, a product, a sigmoid or a weight.

    W  weights      Q  orthogonal      x  input      h  state      w  one weight      y  prediction      g  gradient      T  steps
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ... import Chain, Scalar, Tensor, nn, sigmoid, square, tanh, verdict
from ..claim import Found, measures
from .deep import split
from .size import L, N, drawn, layers, through


class Case(NamedTuple):
    """A net that misses its target by `error`: the chain from the loss back to w, and what verdict says."""

    chain: Chain
    told: Any
    right: str  # the verdict that is right


def case(phi: Callable[[Tensor], Tensor], error: float, right: str) -> Case:
    """Thirteen layers, each where its slope is steepest; the loss is ½ error²."""
    w = y = Tensor(0.5, name="w")
    for _ in range(13):
        y = phi(y - y.data)
    loss = (0.5 * square(y.named("y") - (y.data - error))).named("loss")
    return Case(Chain(loss, w), verdict(loss, w), right)


@measures("P6")
def small_at_a_minimum() -> Found:
    far = 1e-8 / 0.25**13
    cases = {
        "converged": case(tanh, 1e-8, "converged"), "vanished": case(sigmoid, far, "shallow slopes"),
        "steady net, as far off": case(tanh, far, "healthy"), "shrinking net, no error": case(sigmoid, 1e-12, "converged"),
    }  # fmt: skip
    figures: dict[str, float] = {"verdicts that are right, of 4": sum(one.told.kind == one.right for one in cases.values())}
    for name in ("converged", "vanished"):
        chain, told, _ = cases[name]
        figures |= {f"|gradient|, {name}": abs(chain.gradients[0].item()), f"log gain, {name}, nats": told.numbers["log_gain"]}
        figures[f"loss, {name}"] = float(chain.output.data)
    curves = {name: (np.arange(len(c.chain.links) + 1), np.array(c.chain.log_product[::-1]) / math.log(10)) for name, c in cases.items()}
    lines = "\n".join(f"{name + ':':26}{one.told.kind:16}{one.told.figures()}" for name, one in cases.items())
    return Found(figures, curves, ("links back from the loss", "log10 |gradient|"), lines=lines)


@measures("P7")
def compounds() -> Found:
    h = x = Scalar(0.5, name="x")
    for t in range(1, 31):
        h = h.sigmoid().named("h", t)
    chain = Chain(h, x)
    slopes = [link.gain for link in chain.links]
    figures = {
        "product of 30 slopes": chain.gradients[0].item(),
        "|sum of logs − log of the product|": abs(math.fsum(map(math.log, slopes)) - math.log(chain.gradients[0].item())),
        "after 10 layers": math.prod(slopes[:10]), "after 20 layers": math.prod(slopes[:20]), "slope once it is steady": slopes[-1],
    }  # fmt: skip
    return Found(figures, chain=chain)


def deep_nets(seed: int) -> tuple[Chain, Chain, Chain]:
    """Fifty layers of the same weights as tanh layers; as the sigmoid layers they are in disguise; and as plain sigmoid layers.

    σ(z) = (1 + tanh(z / 2)) / 2, so h ← tanh(W h) is s ← σ(4 W s − 2 W 1) for s = (1 + h) / 2.
    """
    Ws, x, g = drawn(seed)
    h = np.tanh(x / 2)
    centred = layers([4 * W for W in Ws], (1 + h) / 2, sigmoid, [-2 * W.sum(axis=1) for W in Ws])
    return through(layers(Ws, h, tanh), g), through(centred, g), through(layers(Ws, sigmoid(x), sigmoid), g)


@measures("P8")
def not_linked_to_sigmoids() -> Found:
    nets = [deep_nets(seed) for seed in range(10)]
    slopes, weights = np.mean([split(centred) for _, centred, _ in nets], axis=0)
    plain = split(nets[0][2])
    rotated = through(layers([0.9 * nn.init.orthogonal((N, N), 0)] * L, drawn(0)[1], nn.ACTIVATIONS["linear"]), drawn(0)[2])
    figures = {
        "centred: slopes, nats": slopes, "centred: weights, nats": weights, "centred: kept, geometric mean": math.exp(slopes + weights),
        "plain: log10 kept": float(np.mean([net.log_product[0] for _, _, net in nets])) / math.log(10),
        "plain: slopes' part of the loss": plain[0] / sum(plain),
        "0.9 Q: kept over 0.9^50": math.exp(rotated.log_product[0]) / 0.9**50,
        "centred against tanh, off by": max(
            float(np.max(np.abs(b.gradients[0] / a.gradients[0] - 1))) for a, b, _ in nets
        ),
    }  # fmt: skip
    named = {"centred, weights × 4": nets[0][1], "plain sigmoid": nets[0][2], "no activation, 0.9 Q": rotated}
    curves = {name: (np.arange(L + 1), np.array(chain.log_product[::-1]) / math.log(10)) for name, chain in named.items()}
    return Found(figures, curves, ("layers back from the output", "log10 |gradient|"), lines=str(nets[0][1].blame().sentence))
