"""Is the cause really what the label says?  The proofs about values, and the table of all; none asks verdict.

A proof takes `build` and returns its claims, {what: (the figure, whether it holds)}. Those about factors are in diagnosis_gains.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import diagnosis_gains as gains
import numpy as np
from diagnosis_gains import GONE, Claims, above, below, finite, gain, gradient, holds, log_size, signal
from diagnosis_nets import Build, Net, Pass, leaves, numbers

from tinygrad_vg import grad, history


def cancelled(build: Callable) -> Claims:
    """Moved far, the source changes nothing, though it is in the graph and the loss asks; without the cause it has a gradient."""
    net = build(Build())
    p = net.forward()
    step = np.random.default_rng(1).normal(size=p.probe.shape)
    used, asked = any(node is p.probe for node in history(p.loss)), signal(p)
    p.probe.data = p.probe.data + step
    change = abs(net.forward().loss.item() - p.loss.item()) / (math.exp(asked) * np.linalg.norm(step))
    return {
        "used": holds(used), "signal": above(asked, math.log(1e-3)), "change of the loss": below(change, 1e-9),
        "without the cause": above(gain(build(Build("cause"))), -5),
    }  # fmt: skip


def converged(build: Callable) -> Claims:
    """The error is 1e-7 of the targets' spread, or nothing near is better; and the way back is sound."""
    net = build(Build())
    p = net.forward()
    seed = np.random.default_rng(3)
    outputs = leaves(p.prediction)
    pulled = grad(outputs[-1], leaves(p.probe), seed=seed.normal(size=np.shape(outputs[-1].data)))
    sound = log_size(pulled) - 0.5 * math.log(np.size(outputs[-1].data))
    done = nothing_better(net, seed) if net.facts.get("noise") else {"error": below(net.facts.get("error") or relative_error(p), 1e-7)}
    return {"way back": below(abs(sound), 6), **done}


def relative_error(p: Pass) -> float:
    """How far the predictions are from their targets, of the targets' spread; for classes the largest probability of a wrong one."""
    predictions = p.prediction if isinstance(p.prediction, list) else [p.prediction]
    z, y = np.array([numbers(a) for a in predictions]), np.asarray(p.target if isinstance(p.prediction, list) else [p.target])
    if y.dtype.kind != "i":
        return float(np.linalg.norm(z - y) / np.linalg.norm(y - y.mean()))
    shifted = np.exp(z - z.max(-1, keepdims=True))
    return float(np.max(1 - np.take_along_axis(shifted / shifted.sum(-1, keepdims=True), y[..., None], -1)))


def nothing_better(net: Net, rng: np.random.Generator) -> Claims:
    """From eight places around, one tenth away, the loss is larger and the gradient a million times what it is here."""
    here, sizes, losses = net.forward(), [], []
    least = log_size(gradient(here, here.source))
    at = [(leaf, numbers(leaf)) for leaf in leaves(here.source)]
    for _ in range(8):
        for leaf, value in at:
            leaf.data = value + 0.1 * rng.normal(size=np.shape(value)) * np.abs(value).max()
        there = net.forward()
        sizes.append(log_size(gradient(there, there.source)))
        losses.append(there.loss.item())
    for leaf, value in at:
        leaf.data = value
    return {
        "gradient beside those around": below(least - min(sizes), math.log(1e-6)),
        "the best of them": above(min(losses) / here.loss.item(), 1),
    }


def underflowed(build: Callable) -> Claims:
    """In float32 it is exactly 0; the same in float64 is a number, below the smallest that float32 has."""
    p, wide = build(Build()).forward(), build(Build("cause")).forward()
    true = log_size(gradient(wide, wide.probe))
    return {
        "entries not 0": below(sum(np.count_nonzero(g) for g in gradient(p, p.probe)), 0.5),
        "all in float32": holds(all(np.asarray(node.data).dtype == np.float32 for node in history(p.loss))),
        "ln of it in float64": below(true, math.log(1.4e-45)),
        "which is no 0": above(true, -700),
    }


def overflowed(build: Callable) -> Claims:
    """Leaves and data are finite; the true size of what comes out is beyond the dtype; without the cause all is finite."""
    net, sound = build(Build()), build(Build("cause")).forward()
    p = net.forward()
    limit = math.log(np.finfo(np.asarray(p.loss.data).dtype).max)
    largest = max(log_size([np.abs(node.data).max()]) for node in [*history(sound.loss)])
    return {
        "leaves finite": holds(finite([node.data for node in history(p.loss) if not node.parents])),
        "loss and gradient not": holds(not finite([p.loss.data, *gradient(p, p.probe)])),
        "true ln": above(net.facts.get("ln", largest), limit),
        "without the cause finite": holds(finite([sound.loss.data, *gradient(sound, sound.probe)])),
    }


def bad_data(build: Callable) -> Claims:
    """The data hold what is not finite, the leaves do not; with clean data loss and gradient are finite."""
    net, clean = build(Build()), build(Build("cause")).forward()
    p = net.forward()
    return {
        "bad numbers in the data": above(sum(np.sum(~np.isfinite(a)) for a in net.facts["data"]), 0.5),
        "leaves finite": holds(finite([node.data for node in history(p.loss) if not node.parents])),
        "loss and gradient not": holds(not finite([p.loss.data, *gradient(p, p.probe)])),
        "clean: finite, gain": above(log_size(gradient(clean, clean.probe)) - signal(clean), GONE),
    }


def infinite_slope(build: Callable) -> Claims:
    """The loss is finite, the gradient is not; the quotient of differences grows without end; an epsilon makes all finite."""
    net, sound = build(Build()), build(Build("cause")).forward()
    p, (f, a) = net.forward(), net.facts["kink"]
    quotients = [abs(f(a + d) - f(a)) / d for d in (1e-3, 1e-6, 1e-9)]
    return {
        "loss finite": holds(np.isfinite(p.loss.data)),
        "gradient not": holds(not finite(gradient(p, p.probe))),
        "growth of the quotient": above(min(quotients[1] / quotients[0], quotients[2] / quotients[1]), 1.4),
        "with an epsilon finite": holds(finite(gradient(sound, sound.probe))),
    }


def disconnected(build: Callable) -> Claims:
    """The source is not in the loss's history; joined again, it gets a gradient."""
    p, joined = build(Build()).forward(), build(Build("cause"))
    inside, probes = history(p.loss), leaves(p.probe)
    return {
        "in the history": below(sum(node is probe for node in inside for probe in probes), 0.5),
        "joined again": above(gain(joined), GONE),
    }


PROOFS: dict[str, Callable[[Callable], Claims]] = {
    "saturated": gains.saturated, "shallow slopes": gains.shallow, "contracting weights": gains.contracting,
    "exploding": gains.exploding, "dead": gains.dead, "short reach": gains.short_reach, "healthy": gains.healthy,
    "cancelled": cancelled, "converged": converged, "underflowed": underflowed, "overflowed": overflowed, "nan in the data": bad_data,
    "infinite slope": infinite_slope, "disconnected": disconnected,
}  # fmt: skip
