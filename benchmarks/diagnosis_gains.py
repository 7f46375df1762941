"""How large is a gradient, and what brings it back?  The proofs about factors: one is put right, and the gradient is taken again.

A proof takes `build` and returns its claims, {what: (the figure, whether it holds)}; none asks verdict. Gains are ln (|gradient at the
probe| / |gradient at the prediction|), in nats, by grad(). GONE is e^-7, a thousandth; BACK is within a factor of 30; FAR is e^7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnosis_nets import Build, Net, Pass, leaves, numbers, train

from tinygrad_vg import grad, history

Claims = dict[str, tuple[float, bool]]
GONE, BACK, FAR, MODERATE = -7.0, -math.log(30), 7.0, (-6.0, 5.0)


def below(x: float, bound: float) -> tuple[float, bool]:
    """A figure, and whether it lies below the bound."""
    return float(x), bool(x < bound)


def above(x: float, bound: float) -> tuple[float, bool]:
    """A figure, and whether it lies above the bound."""
    return float(x), bool(x > bound)


def holds(claim: Any) -> tuple[float, bool]:
    """Something that is so or not."""
    return float(bool(claim)), bool(claim)


def log_size(arrays: list) -> float:
    """ln of the Euclidean length of all the numbers together, safe from under- and overflow."""
    flat = np.abs(np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays]))
    largest = flat.max()
    return float(np.log(largest) + np.log(np.linalg.norm(flat / largest))) if 0 < largest < np.inf else float(np.log(largest))


def gradient(p: Pass, at: Any) -> list:
    """∂loss/∂at, a list of arrays."""
    return grad(p.loss, leaves(at))


def signal(p: Pass) -> float:
    """ln |∂loss/∂prediction|."""
    return log_size(gradient(p, p.prediction))


def gain(net: Net, at: Any = None) -> float:
    """ln (|∂loss/∂probe| / |∂loss/∂prediction|) of a new pass; or at something else than the probe."""
    p = net.forward()
    return log_size(gradient(p, p.probe if at is None else at)) - signal(p)


def finite(arrays: list) -> bool:
    """Whether all numbers are."""
    return all(np.all(np.isfinite(a)) for a in arrays)


def saturated(build: Callable) -> Claims:
    """Flat parts: nine tenths of the units of some layer are there, and with slopes of 1 the gradient is back."""
    b = Build(watch=True)
    return {
        "gain": below(gain(build(b)), GONE),
        "with slopes 1": above(gain(build(Build("slopes"))), BACK),
        "flat share": above(max(flat for flat, _ in b.seen), 0.9),
    }


def shallow(build: Callable) -> Claims:
    """Nowhere near a bound, slopes of 1 bring it back, and orthogonal weights do not (or the weights are known to stretch all)."""
    b = Build(watch=True)
    net, least = build(b), "least singular value of the weights"
    innocent = {least: above(net.facts[least], 1)} if least in net.facts else {
        "with orthogonal weights": below(gain(build(Build("weights"))), BACK)
    }  # fmt: skip
    return {
        "gain": below(gain(net), GONE),
        "with slopes 1": above(gain(build(Build("slopes"))), BACK),
        **innocent,
        "flat share": below(max(flat for flat, _ in b.seen), 0.05),
        "share of slopes that are 0": below(max(off for _, off in b.seen), 0.5),
    }


def contracting(build: Callable) -> Claims:
    """Without the small factors, or with the gates open, it is back; slopes of 1 do not help."""
    net = build(Build())
    p = net.forward()
    return {
        "used": holds({*history(p.loss)}.issuperset(leaves(p.probe))),
        "gain": below(gain(net), GONE),
        "without the cause": above(gain(build(Build("cause"))), BACK),
        "with slopes 1": below(gain(build(Build("slopes"))), BACK),
    }


def exploding(build: Callable) -> Claims:
    """It is large, finite, and of ordinary size without the cause."""
    net = build(Build())
    p = net.forward()
    return {
        "gain": above(gain(net), FAR),
        "finite": holds(finite([numbers(p.loss), *gradient(p, p.probe)])),
        "without the cause": below(abs(gain(build(Build("cause")))), -BACK),
    }


def dead(build: Callable) -> Claims:
    """Every slope of some layer is 0, every entry of the gradient too, and slopes of 1 bring it back."""
    b = Build(watch=True)
    p = build(b).forward()
    return {
        "entries not 0": below(sum(np.count_nonzero(g) for g in gradient(p, p.probe)), 0.5),
        "share of slopes that are 0": above(max(off for _, off in b.seen), 0.999),
        "with slopes 1": above(gain(build(Build("slopes"))), BACK),
    }


def reach(p: Pass) -> float:
    """ln of how much of the last loss arrives at the states of the first half, the most of them, beside the nearest states."""
    h = [leaves(state) for state in p.states]
    flat = [node for state in h for node in state]
    found = iter(grad(p.losses[-1], flat))
    sizes = [log_size([next(found) for _ in state]) for state in h]
    return max(sizes[: len(sizes) // 2]) - float(np.median(sizes[-4:-1]))


def short_reach(build: Callable) -> Claims:
    """Less than a thousandth of a loss arrives half a sequence earlier, though the summed gradient of the recurrent weight is fine."""
    net = build(Build())
    cell = net.facts["cell"]
    recurrent = next(leaf for name, leaf in cell.parameters().items() if name.startswith("W_h"))
    p = net.forward()
    return {
        "losses": above(len(p.losses), 1), "far beside near": below(reach(p), math.log(1e-3)),
        "summed gain": above(gain(net, recurrent), GONE),
    }  # fmt: skip


def healthy(build: Callable) -> Claims:
    """Every leaf (but those idle by construction) has a gradient of moderate size; the loss falls clearly; far states are reached."""
    net = build(Build())
    p, idle = net.forward(), net.facts.get("idle", ())
    asked = signal(p)
    gains = [log_size(gradient(p, leaf)) - asked for leaf in leaves(net.model) if not any(leaf is other for other in idle)]
    far = {"far beside near": above(reach(p), math.log(1e-2))} if len(p.losses) > 1 else {}
    return {
        "smallest gain": above(min(gains), MODERATE[0]), "largest gain": below(max(gains), MODERATE[1]), **far,
        "loss left": below(trained(net), 0.6),
    }  # fmt: skip


def trained(net: Net) -> float:
    """The share of its loss that is left after training."""
    first = net.forward().loss.item()
    train(net, net.facts.get("steps", 150), net.facts.get("lr", 0.02))
    return net.forward().loss.item() / first
