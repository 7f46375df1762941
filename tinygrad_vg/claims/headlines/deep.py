"""Which deep networks learn?  Initialisation, normalisation and skips, on a teacher of five classes.

    z  pre-activation      h  hidden layer      g  gradient ∂loss/∂W      L  number of hidden layers      sw2  variance of W, times n_in

Five seeds are trained as one model. `ln ratio` is ln (|g of hidden layer 2| / |g of hidden layer L|) at the first update, the
mean over seeds: both weights are 48 × 48. It is the backward slope of the gradient less the forward slope of h, so where both
shrink alike it shows nothing (Xavier with ReLU, depth 30).
"""

import math
from functools import cache, partial
from typing import Any

import numpy as np

from ... import Chain, Tensor, no_grad, reshape
from ...autodiff.core import plain
from ...nn import MLP, cross_entropy
from ...nn.init import normal
from ...theory.meanfield import depth_scale
from ...training import SGD, Batches, fit
from ...training.learning import Row
from ...training.tasks import Batch
from ..models import hidden_layers
from .headline import Checks, headline

FEATURES, CLASSES, WIDTH = 32, 5, 48
SETTING = "MLP of width 48, five classes of a random tanh teacher, 2,000 points, 300 updates of 64, SGD with momentum .9, 5 seeds"
SYNTHETIC = "A synthetic task, an MLP and 300 updates; accuracy is that on the 2,000 points trained on."


def five_classes() -> Batch:
    """Points (2000, 32) from N(0, 1), labels (2000,): the largest of five outputs of a tanh network of 32 units, W ~ N(0, 1/n_in)."""
    rng = np.random.default_rng(0)
    x, W, V = rng.normal(size=(2000, FEATURES)), normal((32, FEATURES), rng), normal((CLASSES, 32), rng)
    return x, np.argmax(np.tanh(x @ W.T) @ V.T, axis=1)


@cache
def learned(
    L: int, activation: str, init: str | float, *, norm: bool = False, residual: bool = False, steps: int = 300, seeds: int = 5
) -> Row:
    """One network with L hidden layers: accuracy (mean and each seed), the share of the commonest class, ln ratio.

    Trained once for the same arguments, as headlines share networks: copy the row before you change it.

    init      of nn.init, or a number s: W ~ N(0, s² / n_in)
    norm      batch norm without scale and shift; in the test, too, over the whole batch
    residual  h[k] = h[k−1] + relu(z[k]) / √L
    """
    lr = 0.1 if activation == "sigmoid" else 0.01  # without which not even three layers of sigmoids start
    start = partial(normal, scale=init) if isinstance(init, float) else init
    (x, labels), sizes = five_classes(), [FEATURES, *[WIDTH] * L, CLASSES]
    net = MLP(sizes, activation, start, "batch" if norm else None, 1 / math.sqrt(L) if residual else False, seeds=range(seeds))
    parameters, ratio = {name: leaf for name, leaf in net.parameters().items() if name.startswith("layer")}, []

    def draw(rng: np.random.Generator) -> Batch:
        rows = rng.integers(0, len(x), (seeds, 64))
        return x[rows], labels[rows]

    def first(history: Any) -> None:
        if history.steps == 1:
            g = [np.linalg.norm(parameters[f"layer{k}.W"].grad, axis=(1, 2)) for k in (2, L)]
            ratio.append(float(np.mean(np.log(g[0] / g[1]))))

    def loss(net: Any, batch: Batch) -> Any:
        return seeds * cross_entropy(reshape(net(batch[0]), (-1, CLASSES)), batch[1].ravel())

    fit(net, loss, Batches(draw, 1), SGD(parameters, lr, 0.9), steps, record=steps, after=first if L > 2 else None)
    with no_grad():
        right = np.argmax(plain(net(np.broadcast_to(x, (seeds, *x.shape)))), axis=-1) == labels
    each, chance = np.mean(right, axis=1), float(np.bincount(labels).max() / len(labels))
    return {"L": L, "accuracy": float(each.mean()), "each": each.tolist(), "chance": chance, "ln ratio": ratio[0] if ratio else None}


def stuck(row: Row) -> bool:
    """Whether every seed answers hardly better than the commonest class."""
    return max(row["each"]) < row["chance"] + 0.05


@headline(
    "he-depth-30", "He, Zhang, Ren & Sun 2015", "30 layers of ReLU: with Xavier's init training stalls, with He's it converges.",
    f"{SETTING}, lr .01; L = 5 and 30.", f"{SYNTHETIC} Xavier's init halves the signal at each layer, here as there.",
    known="At second hand")
def he_depth(full: bool) -> tuple[list[Row], Checks]:
    """Accuracy of ReLU nets of 5 and 30 layers from Xavier's start and He's."""
    rows = [{"init": init, **learned(L, "relu", init)} for L in (5, 30) for init in ("xavier", "he")]
    shallow, (xavier, he) = rows[:2], rows[2:]
    return rows, {
        "At depth 5 both learn": min(min(row["each"]) for row in shallow) > 0.7,
        "At depth 30 Xavier's init stays at chance, every seed": stuck(xavier),
        "At depth 30 He's init learns: above Xavier's by .1 and more": he["accuracy"] > xavier["accuracy"] + 0.1}


@headline(
    "batch-norm-sigmoid", "Ioffe & Szegedy 2015, sec. 4.2.2",
    "Inception with sigmoids: 69.8 % on ImageNet with batch norm, chance without.",
    f"{SETTING}, lr .1; batch norm without scale and shift.", SYNTHETIC, slow=True)
def batch_norm_sigmoid(full: bool) -> tuple[list[Row], Checks]:
    """Accuracy of sigmoid nets, shallow and deep, with and without batch norm."""
    deep = 20 if full else 5
    plain_nets = {L: {"net": "sigmoid", **learned(L, "sigmoid", "xavier")} for L in ((1, 2, 3, 5, 20) if full else (1, 5))}
    normed = {L: {"net": "batch norm", **learned(L, "sigmoid", "xavier", norm=True)} for L in ((5, 20) if full else (5,))}
    checks = {
        "One hidden layer learns": plain_nets[1]["accuracy"] > 0.65,
        f"{deep} layers of sigmoids stay at chance, every seed": stuck(plain_nets[deep]),
        f"{deep} layers with batch norm learn: above .65": normed[deep]["accuracy"] > 0.65}
    rows = [*plain_nets.values(), *normed.values()]
    if full:
        rows.append({"net": "16 × variance", **learned(20, "sigmoid", 4.0)})
        checks["Weights four times as large do not help, as the sigmoid stays off centre"] = stuck(rows[-1])
    return rows, checks


@headline(
    "batch-norm-explodes", "Yang et al. 2019 (the rate as quoted by Luther 2020)",
    "Batch norm itself makes deep ReLU nets explode, by 1.21 a layer: beyond some depth they cannot learn.",
    f"{SETTING}, lr .01; He's init.", f"{SYNTHETIC} Batches of 64.", slow=True)
def batch_norm_explodes(full: bool) -> tuple[list[Row], Checks]:
    """ln ratio of the first layer's gradient to the last one's, and accuracy, with and without batch norm."""
    rows, checks = [], {}
    for L in (30, 60) if full else (30,):
        bare, normed = {"net": "relu", **learned(L, "relu", "he")}, {"net": "batch norm", **learned(L, "relu", "he", norm=True)}
        rate = normed["ln ratio"] / (L - 2)
        checks[f"{L} layers: gradients grow by .19 nats a layer, within .02"] = abs(rate - 0.5 * math.log(math.pi / (math.pi - 1))) < 0.02
        checks[f"{L} layers learn worse with batch norm than without"] = normed["accuracy"] < bare["accuracy"]
        rows += [bare, normed]
    return rows, checks


@headline(
    "residual-depth", "He, Zhang, Ren & Sun 2016", "Deeper plain nets get worse, residual ones do not.",
    f"{SETTING}, lr .01; He's init, h + relu(z) / √L.",
    f"{SYNTHETIC} No batch norm, one layer in a block, branches scaled by 1/√L.", slow=True, known="From memory")
def residual_depth(full: bool) -> tuple[list[Row], Checks]:
    """Accuracy of plain and residual nets of 30 and 60 layers."""
    depths = (30, 60) if full else (30,)
    bare = {L: {"net": "plain", **learned(L, "relu", "he")} for L in depths}
    skips = {L: {"net": "residual", **learned(L, "relu", "he", residual=True)} for L in ((10, *depths) if full else depths)}
    checks = {f"{L} layers: residual learns better, by .1 and more": skips[L]["accuracy"] > bare[L]["accuracy"] + 0.1 for L in depths}
    if full:
        checks["Plain: 60 layers are worse than 30"] = bare[60]["accuracy"] < bare[30]["accuracy"]
        checks["Residual: 60 layers are no worse than 30 (within .05)"] = skips[60]["accuracy"] > skips[30]["accuracy"] - 0.05
    return [*bare.values(), *skips.values()], checks


@headline(
    "trainability-map", "Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017",
    "A random tanh net trains if L is below about six depth scales ξ of mean-field theory.",
    f"{SETTING}, lr .01; W ~ N(0, sw2/n), b = 0.", f"{SYNTHETIC} Ten cells of the map; width 48 is far from infinite.",
    slow=True, known="From memory")
def trainability(full: bool) -> tuple[list[Row], Checks]:
    """Cells of the map, depth × variance: those on the ordered side, near the edge and on the chaotic side."""
    cells = [(L, sw2) for L in (10, 30) for sw2 in (0.5, 1.0, 1.5, 4.0, 9.0)] if full else [(30, sw2) for sw2 in (0.5, 1.5, 4.0)]
    reach = {sw2: x if math.isfinite(x) else "∞" for _, sw2 in cells for x in [6 * depth_scale("tanh", sw2)]}
    rows = [{"sw2": sw2, "6 ξ": reach[sw2], **learned(L, "tanh", math.sqrt(sw2))} for L, sw2 in cells]
    at = {cell: row["accuracy"] for cell, row in zip(cells, rows)}
    checks = {
        "Ordered, 30 layers, sw2 = .5: dead, as 6 ξ = 8.7 says": stuck(rows[cells.index((30, 0.5))]),
        "30 layers, sw2 = 1.5: learns": at[30, 1.5] > 0.65,
        "Chaotic, 30 layers, sw2 = 4: learns, as 6 ξ = 48 says": at[30, 4.0] > 0.65}
    if full:
        checks["Ordered, 10 layers, sw2 = .5: already harder than at sw2 = 1, by .1"] = at[10, 0.5] < at[10, 1.0] - 0.1
        checks["Chaotic, 10 layers, sw2 = 9: learns, as 6 ξ = 28 says"] = at[10, 9.0] > 0.65
        best = [max((right, sw2) for (depth, sw2), right in at.items() if depth == L)[1] for L in (10, 30)]
        checks["The best is near the edge, sw2 = 1 to 1.5, at both depths"] = {*best} <= {1.0, 1.5}
    return rows, checks


@headline(
    "glorot-slopes", "Glorot & Bengio 2010",
    "W ~ U(±1/√n) has n Var W = 1/3: the gradient shrinks by √3 a layer. Their init keeps it.",
    "tanh, width 400, 5 layers, inputs of sd .3, 20 nets; slope of ln |∂/∂h| per layer.",
    "At the start, one point; tanh's own slope takes a little more.", known="From memory")
def glorot(full: bool) -> tuple[list[Row], Checks]:
    """Nats per layer from the standard start and from Glorot's."""
    rows = [{"init": name, **slopes(init)} for name, init in {"U(±1/√n)": "uniform", "Glorot's": "xavier"}.items()]
    standard, normalised = (row["slope"] for row in rows)
    return rows, {
        "The standard init loses ½ ln 3 = .549 nats a layer, within .06": abs(standard + 0.5 * math.log(3)) < 0.06,
        "Glorot's loses less than .1": -0.1 < normalised < 0.1}


def slopes(init: str, nets: int = 20, rng: Any = 3) -> Row:
    """ln gain per layer, backwards from h[5] to the input: mean and standard error."""
    rng, found = np.random.default_rng(rng), []
    for _ in range(nets):
        net, x = MLP([400] * 7, "tanh", init, rng=rng), Tensor(0.3 * rng.normal(size=400))
        found.append(Chain(hidden_layers(net(x))[-1], x, seed=rng.normal(size=400)).log_product[0] / 5)
    return {"slope": float(np.mean(found)), "se": float(np.std(found, ddof=1) / math.sqrt(nets))}
