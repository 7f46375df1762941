"""Which remedy helps, against what, and at what price?  One task for each family, one set of seeds, every remedy.

Recurrent nets learn the order of two symbols (temporal_order), deep ones to imitate a teacher; a family shares Adam's rate. For each:

    typical, worst  ln (|J|_F / √n) and ln σ_max of the Jacobian J from the last state (layer) to the first, in nats per step
    reach           steps back until the typical gain is below 1/1000      trained  the typical gain once more, after training
    right           share of fresh examples it gets right                   cost     processor time of an update, plain = 1

    J  Jacobian      h  state or hidden layer      c  memory      T  steps      L  hidden layers
"""

import math
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from .. import Chain, Tensor, no_grad, reshape
from ..autodiff.core import plain
from ..nn import BatchNorm, cross_entropy, unroll
from ..text.numbers import numbers
from ..training import Adam, Batches, Diverged, clip_norm, clip_value, fit, l2_penalty, one_hot, teacher, temporal_order
from ..training.learning import Recurrent, Row, for_seeds
from ..training.leaves import length
from .laboratory_shown import FRIENDS, page, picture
from .models import back_in_time, hidden_layers
from .remedies import CLASSES, FEATURES, ORDERS, PLAIN, REMEDIES, Remedy

FRESH, THOUSANDTH = 10**6, math.log(1e-3)  # the seed of what no training sees; the gain that counts as gone


class Setting(NamedTuple):
    """How much is run: T steps, L layers, seeds, updates of so many examples (deep: twice as many), Adam's rate for both families."""

    T: int = 16
    L: int = 10
    seeds: int = 3
    updates: int = 120
    batch: int = 20
    rates: tuple[float, float] = (0.01, 0.003)


FAST, FULL = Setting(), Setting(T=30, L=20, seeds=5, updates=500)


class Gains(NamedTuple):
    """ln gain at each station, from the output back, and how many steps back that is."""

    steps: list[int]
    typical: list[float]
    worst: list[float]

    @property
    def reach(self) -> float:
        """Steps back until the typical gain is below 1/1000; inf if it never is."""
        return next((float(t) for t, gain in zip(self.steps, self.typical) if gain < THOUSANDTH), math.inf)

    @property
    def rates(self) -> tuple[float, float]:
        """The typical gain and the worst, nats per step of the whole way back."""
        return self.typical[-1] / self.steps[-1], self.worst[-1] / self.steps[-1]


def gains(model: Any, setting: Setting, seed: int) -> Gains:
    """The gains of one model, from the output of its last state or hidden layer for one example, back to the first."""
    through = through_time if isinstance(model, Recurrent) else through_layers
    with np.errstate(all="ignore"):
        chain, steps = through(model, setting, seed)
        horizon = chain.horizon(1e-300)
    n = len(horizon.gains["worst"])
    return Gains(steps[:n], horizon.gains["typical"][:n], horizon.gains["worst"])


def through_time(model: Recurrent, setting: Setting, seed: int) -> tuple[Chain, list[int]]:
    """h[T] back to h[0] (of an LSTM c[0]) on one sequence of the task."""
    inputs, _ = next(temporal_order(setting.T, 1, rng=[seed, FRESH]))
    states = unroll(model.cell, inputs[:, 0])
    source, through = back_in_time(model.cell, states)
    chain = Chain(model.cell.output(states[-1]), source, through=through[:-1], seed=np.ones(model.cell.n_hidden))
    return chain, [*range(len(through)), setting.T]


def through_layers(model: Any, setting: Setting, seed: int) -> tuple[Chain, list[int]]:
    """The last hidden layer, of one example, back to the first, of the whole batch (which a batch norm couples)."""
    points, _ = next(teacher(FEATURES, CLASSES, 32, rng=[seed, FRESH]))
    output = model(Tensor(points if isinstance(getattr(model, "norm1", None), BatchNorm) else points[:1]))
    layers = hidden_layers(output)
    last = layers[-1][0]
    return Chain(last, layers[0], through=layers[1:], seed=np.ones(last.shape)), [0, *range(len(layers))]


def measured(remedy: Remedy, setting: Setting) -> Row:
    """One row: the gain at the start, the training, the gain after it."""
    seeds = range(setting.seeds)
    model = remedy.make(setting.L, seeds=seeds)
    singles = [remedy.make(setting.L, rng=seed) for seed in seeds]
    start = [gains(single, setting, seed) for seed, single in zip(seeds, singles)]
    right, seconds, note = trained(model, remedy, setting)
    end = [gains(taken_out(model, single, seed), setting, seed) for seed, single in zip(seeds, singles)]
    (typical, worst), (after, _) = (zip(*(g.rates for g in found)) for found in (start, end))
    half_way = (1 + 1 / (CLASSES if remedy.family == "deep" else ORDERS)) / 2
    return {
        "remedy": remedy.name, "family": remedy.family, "change": remedy.change, "typical": float(np.mean(typical)),
        "worst": float(np.mean(worst)), "sd": spread(typical), "trained sd": spread(after),
        "reach": float(np.mean([g.reach for g in start])), "longest": start[0].steps[-1], "trained": float(np.mean(after)),
        "right": right, "right sd": spread(right),
        "solved": sum(r > half_way for r in right), "of": len(right), "note": note, "seconds per update": seconds}


def spread(x: Sequence[float]) -> float:
    """The standard deviation over seeds; 0 of a single one, nan where one is not finite."""
    return float(np.std(x, ddof=min(1, len(x) - 1))) if np.all(np.isfinite(x)) else math.nan


def taken_out(model: Any, single: Any, k: int) -> Any:
    """Run k of a model with an axis of seeds, put into `single`, a model without."""
    leaves = model.parameters()
    for name, leaf in single.parameters().items():
        leaf.data = leaves[name].data[k]
    return single


def task(family: str, setting: Setting, batch: int, rng: Any) -> Batches:
    """Every seed its own examples: sequences (T, seeds, batch, n), or points (seeds, batch, n) of one teacher."""
    if family == "recurrent":
        return for_seeds(temporal_order, setting.T, setting.seeds, batch, rng)
    batches = teacher(FEATURES, CLASSES, setting.seeds * batch, rng=0)
    split = lambda points, labels: (points.reshape(setting.seeds, batch, -1), labels.reshape(setting.seeds, batch))  # noqa: E731
    return Batches(lambda rng: split(*batches.draw(rng)), rng)


def trained(model: Any, remedy: Remedy, setting: Setting) -> tuple[list[float], float, str]:
    """Train all seeds at once: what each gets right of 500 fresh examples, processor seconds per update, and what went wrong."""
    began, note = clocks(), ""
    if not model.parameters().keys() - {"readout.W", "readout.b"}:
        fit_readout(model, setting)
    else:

        def loss(model: Any, batch: Any) -> Any:
            logits, labels = answered(model, batch[0]), batch[1].ravel()
            total = setting.seeds * cross_entropy(reshape(logits, (labels.size, -1)), labels)
            return total + l2_penalty(model, remedy.decay) if remedy.decay else total

        deep = remedy.family == "deep"
        batch, rate = setting.batch * (1 + deep), setting.rates[deep]
        try:
            with np.errstate(all="ignore"):
                options: Any = {"clip": remedy.clip, "record": setting.updates}
                fit(model, loss, task(remedy.family, setting, batch, 1), Adam(model, rate), setting.updates, **options)
        except Diverged as error:
            note = f"diverged at update {error.step}"
    seconds = next((now - before for now, before in zip(clocks(), began) if now > before), math.nan) / setting.updates
    inputs, labels = next(task(remedy.family, setting, 500, FRESH))
    with no_grad(), np.errstate(all="ignore"):
        right = np.mean(np.argmax(plain(answered(model.eval(), inputs)), axis=-1) == labels, axis=1)
    model.train()
    return right.tolist(), seconds, note


def clocks() -> tuple[float, ...]:
    """Of the processor; and of the wall, for where the first stands still, as in a browser."""
    return time.process_time(), time.perf_counter()


def answered(model: Any, inputs: Any) -> Any:
    """The logits."""
    return model(inputs)[0] if isinstance(model, Recurrent) else model(inputs)


def fit_readout(model: Recurrent, setting: Setting) -> None:
    """What an echo state network does instead: the readout by ridge regression, on the sequences that the others are trained on."""
    start, seen = np.zeros((setting.seeds, setting.batch, model.cell.n_hidden)), []
    for inputs, labels in islice(task("recurrent", setting, setting.batch, 1), setting.updates):
        seen.append((plain(unroll(model.cell, inputs, start)[-1]), one_hot(labels, ORDERS)))
    last, answers = (np.concatenate(each, axis=1) for each in zip(*seen))
    fitted = [model.cell.fit(H, Y, washout=0, ridge=1e-4) for H, Y in zip(last, answers)]
    model.readout.W.data, model.readout.b.data = np.stack([f.W.data for f in fitted]), np.stack([f.b.data for f in fitted])


def clipping(setting: Setting) -> Row:
    """What clipping does to a gradient that vanished: |∂loss/∂W| of the first and the last layer of a sigmoid net, before and after.

    The thresholds are half the gradient's length, and half its largest entry, so that both have something to cut.
    """
    net = next(r for r in REMEDIES if (r.family, r.name) == ("deep", "sigmoid")).make(setting.L, rng=0)
    points, labels = next(teacher(FEATURES, CLASSES, 64, rng=0))
    found: Row = {}
    for how in ("before", "by norm", "by value"):
        for leaf in net.parameters().values():
            leaf.zero_grad()
        cross_entropy(net(points), labels).backward()
        every = [leaf.grad for leaf in net.parameters().values()]
        if how == "by norm":
            clip_norm(net, length(every) / 2)
        elif how == "by value":
            clip_value(net, max(float(np.max(np.abs(g))) for g in every) / 2)
        found[how] = [float(np.linalg.norm(net.layer(k).W.grad)) for k in (1, net.depth)]
    return found


class Laboratory:
    """What `run` found: .rows, one per remedy, and .clipping, the gradients before and after it; .friends() judges the false friends."""

    def __init__(self, setting: Setting, rows: list[Row], clipping: Row):
        self.setting, self.rows, self.clipping = setting, rows, clipping

    def row(self, family: str, remedy: str) -> Row | None:
        """The row of that name, if it was run."""
        return next((row for row in self.rows if (row["family"], row["remedy"]) == (family, remedy)), None)

    def friends(self) -> dict[str, bool | None]:
        """{sentence: whether the figures here bear it out}; None where its rows were not run."""
        return {sentence: answer and answer[0] for sentence, judge in FRIENDS.items() for answer in [judge(self)]}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text; a reach that is longer than what was measured as 'inf'."""
        rows = [{k: numbers(x) for k, x in row.items()} for row in self.rows]
        return {"setting": self.setting._asdict(), "rows": rows, "clipping": self.clipping, "friends": self.friends()}

    plot, __str__ = picture, page


def run(setting: Setting = FAST, remedies: Sequence[Remedy] = REMEDIES) -> Laboratory:
    """Every remedy measured, trained, measured again; on a free core FAST takes some ten seconds, FULL a minute and a half.

    ValueError for names that do not tell the remedies of a family apart.
    """
    if len({(r.family, r.name) for r in remedies}) < len(remedies):
        raise ValueError("two remedies of one family have the same name, so their rows could not be told apart")
    rows = [measured(remedy, setting) for remedy in remedies]
    first = {row["family"]: row["seconds per update"] for row in rows if row["remedy"] == PLAIN[row["family"]]}
    for row in rows:
        row["cost"] = row["seconds per update"] / first.get(row["family"], math.nan)
    return Laboratory(setting, rows, clipping(setting))
