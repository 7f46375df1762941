"""Which plots does the book show?  `python docs/make_plots.py` measures them and draws them into docs/plots/: all, or those named.

    g  gradient      h  state      W  matrix      T  steps      λ  eigenvalue      s  scale of weights      x, y  input, target
"""

import math
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from plot_style import BACK, BLUE, GREEN, LINE, LOG, LOOK, ORANGE, PURPLE, RED, SOFT  # isort: skip
from plot_style import back, beside, curve, labelled, panels, svg, tick, unrolled  # isort: skip
from plots_after_2019 import AFTER_2019

from tinygrad_vg import Scalar, Tensor, drawing, grad, history, nn, theory, training, verdict
from tinygrad_vg.claims import factorial
from tinygrad_vg.grid import processes
from tinygrad_vg.grid.phase import diagram

FOLDER = Path(__file__).parent / "plots"


def depth() -> Figure:
    """Thirty layers of 64 units: ln |gradient| against the layers gone back."""
    _, (ax,) = panels()
    x, seed = (np.random.default_rng(k).normal(size=64) for k in (1, 2))
    for name, activation, variance, shade, up in (
            ("tanh", "tanh", 4, RED, 7), ("ReLU (He)", "relu", 2, GREEN, 3), ("tanh", "tanh", 1, PURPLE, -3), ("ReLU", "relu", 1, BLUE, 0),
            ("sigmoid", "sigmoid", 1, ORANGE, 0)):
        net = nn.MLP([64] * 32, activation, partial(nn.init.normal, scale=math.sqrt(variance)), rng=0)
        curve(ax, range(31), back(layers(net, x), seed), f"{name}, σ_w² = {variance}", shade, up=up)
    return labelled(ax, "Every net is a straight line; its slope is its nats per layer", "layers back from the last one", LOG)


def recurrence() -> Figure:
    """The coordinates of a gradient along four eigenvectors; and three matrices, two of them with the same eigenvalues."""
    _, (left, right) = panels(2)
    W = nn.init.spectrum([1.1, 0.99, 0.9, -0.5], rng=0)
    values, Q = np.linalg.eigh(W)
    left.set(yscale="log", ylim=(1e-8, 1e4))
    for λ, each, shade in zip(values, np.abs(powers(W, Q.sum(axis=1), 60) @ Q).T, (BLUE, ORANGE, PURPLE, RED)):
        curve(left, range(61), each, f"λ = {λ:g}".replace("-", "−"), shade)
    labelled(left, "One W, four eigenvalues", BACK, "coordinate of the gradient")
    right.set(yscale="log", ylim=(1e-3, 1e2))
    for name, W, shade, up in (
            ("orthogonal", nn.init.orthogonal((2, 2), 0), GREEN, 7), ("0.9, and 5\nabove it", np.array([[0.9, 5], [0, 0.9]]), RED, -8),
            ("0.9 twice", 0.9 * np.eye(2), BLUE, 0)):
        curve(right, range(61), np.linalg.norm(powers(W, np.array([1.0, 0.0]), 60), axis=1), name, shade, up=up)
    return labelled(right, "The same λ = 0.9, with a detour", BACK, "|gradient|")


def cliff() -> Figure:
    """The loss after fifty steps of h ← σ(w h − 2.9), and eight steps of descent on it, plain and clipped."""
    _, (ax,) = panels(high=3.0)
    w = np.sort([*np.linspace(5, 6.8, 150), *np.linspace(5.79, 5.82, 50)])
    ax.plot(w, [valley(Scalar(x)).data for x in w], color=SOFT)
    for name, clip, shade, at in (
            ("plain descent is thrown across", math.inf, RED, (5.45, 0.25)), ("clipped at 0.01", 0.01, BLUE, (6.15, 0.02))):
        path = [6.6]
        for _ in range(8):
            g = grad(valley(x := Scalar(path[-1])), x)
            path.append(path[-1] - 9 * g * min(1.0, clip / abs(g)))
        ax.plot(path, [valley(Scalar(x)).data for x in path], "o-", color=shade, linewidth=1)
        ax.text(*at, name, color=shade, ha="center")
    ax.text(6.62, 0.1, "both start here", color=SOFT, ha="center")
    return labelled(ax, "A wall in the loss", "w", "loss", ylim=(0, 0.45))


def remedies() -> Figure:
    """Seven cells beside the plain one, on the same fifty inputs; and what clipping does to that one."""
    inputs, n = 0.3 * np.random.default_rng(0).normal(size=(50, 4)), 32
    plain = nn.RNNCell(4, n, rng=1)
    plain.W_hh.data = nn.init.with_radius(plain.W_hh.data, 0.9)
    cells = {"orthogonal W": nn.RNNCell(4, n, init=("xavier", "orthogonal"), rng=1),
             "ReLU, W = I": nn.RNNCell(4, n, "relu", init=("xavier", "identity"), rng=1), "leak, τ = 50": nn.LeakyCell(4, n, tau=50, rng=1),
             "skip, d = 5": nn.SkipCell(4, n, delay=5, rng=1), "GRU": nn.GRUCell(4, n, rng=1),
             "LSTM, bias 1": nn.LSTMCell(4, n, forget_bias=1, rng=1), "LSTM, bias 5": nn.LSTMCell(4, n, forget_bias=5, rng=1)}
    reference, *found = (unrolled(cell, inputs) for cell in (plain, *cells.values()))
    return beside("plain tanh, radius 0.9", reference, dict(zip(cells, found)) | {"clipped to 1/10": reference - math.log(10)}, BACK)


def remedies_in_depth() -> Figure:
    """Eight nets of fifty layers beside a sigmoid one."""
    x, seed = (np.random.default_rng(k).normal(size=(64, 32)) for k in (1, 2))
    nets: dict[str, tuple[Any, ...]] = {
        "": ("sigmoid", "xavier"), "σ, batch norm": ("sigmoid", "xavier", "batch"), "σ, layer norm": ("sigmoid", "xavier", "layer"),
        "ReLU, Xavier": ("relu", "xavier"), "ReLU, He": ("relu", "he"), "ReLU, batch norm": ("relu", "he", "batch"),
        "tanh, orthogonal": ("tanh", "orthogonal"), "tanh, residual": ("tanh", "xavier", None, True),
        "tanh, residual/√L": ("tanh", "xavier", None, 50**-0.5)}
    found = {name: back(layers(nn.MLP([32] * 52, *settings, rng=0), x), seed) for name, settings in nets.items()}
    return beside("sigmoid, Xavier", found.pop(""), found, "layers back")


def minima() -> Figure:
    """Two nets in training: of the gradient of their first weight, the signal and the chain, whose product it is."""
    _, (ax,) = panels(high=4.0)
    x, y = np.array([[-1.0], [-0.3], [0.4], [1.0]]), np.array([[0.5], [-0.5], [0.3], [-0.2]])
    for exponent, over in ((-12, -4.6), (-7, -3.6), (-2, -1.75)):
        ax.plot([exponent + 17, exponent - 2], [-17, 2], "--", color=LINE, linewidth=1.5, zorder=0)
        ax.text(over, exponent - over, f"|gradient| = {tick(exponent)}", color=SOFT, fontsize=9, rotation=-45, transform_rotates_text=True,
                rotation_mode="anchor", va="bottom", ha="center")
    for name, depth, activation, shade in (
            ("two tanh layers\nconverge", 2, "tanh", GREEN), ("nine sigmoid layers\nvanished, and stay", 9, "sigmoid", ORANGE)):
        net, path = nn.MLP([1, *[16] * depth, 1], activation, rng=0), []
        optimiser = training.SGD(net, 0.1, 0.9)
        for step in range(401):
            loss = nn.mse(net(x), y)
            if step in (0, 3, 10, 30, *range(50, 401, 50)):
                numbers = verdict(loss, net.layer(1).W).numbers
                path.append((numbers["log_gain"] / math.log(10), math.log10(numbers["signal"])))
            loss.backward(keep=False)
            optimiser.step()
            optimiser.zero_grad()
        ax.plot(*zip(*path), "o-", color=shade)
        ax.text(path[-1][0] + 0.1, path[-1][1] - 0.35, name, color=shade, va="top")
    return labelled(ax, "Two reasons for one small gradient", "log10 of the chain", "log10 of the signal", xlim=(-9, 1), ylim=(-11, 1))


@cache
def random_nets() -> Any:
    """Activation × tying × scale, 64 units, 50 steps, 40 draws."""
    return factorial.run()


def is_it_the_sigmoid() -> Figure:
    """What activation, tying and scale each do to the nats per step; and how the spread over draws grows."""
    _, (left, right) = panels(2)
    for k, target in enumerate([("relu", "tied", 1.0), ("sigmoid", "tied", 4.0), ("sigmoid", "tied", 1.0)]):
        for place, ((factor, nats), shade) in enumerate(zip(random_nets().attribution(target).items(), (ORANGE, PURPLE, GREEN))):
            at, size = k + 0.26 * (1 - place), float(np.mean(nats))
            left.barh(at, size, 0.24, color=shade)
            left.text(max(size, 0) + 0.04, at, f"{factor} {size:+.2f}".replace("-", "−"), color=shade, va="center", fontsize=9)
    left.set_yticks(range(3), ["ReLU\ns = 1", "sigmoid\ns = 4", "sigmoid\ns = 1"])
    labelled(left, "On average: the activation", "nats per step, from linear, untied, s = 1", "", xlim=(-1.8, 2.3))
    for row, shade in zip(factorial.growth(scales={"linear": 1.0}), (GREEN, PURPLE)):
        curve(right, row["T"], row["sd"], f"{row['tying']}\nas T^{row['exponent']:.1f}", shade, "o-")
    return labelled(right, "In luck: tying", "T, steps", "spread over draws, nats")


def predicted() -> Figure:
    """Mean-field theory beside sixteen random nets."""
    _, (ax,) = panels()
    for at, activation, shade in ((0, "linear", SOFT), (1, "relu", GREEN), (2, "tanh", BLUE), (3, "sigmoid", ORANGE)):
        for s in factorial.SCALES[activation]:
            measured = np.nanmean(random_nets().slopes((activation, "untied", s)))
            ax.plot(theory.meanfield.slope(activation, s * s, width=64), measured, "o", color=shade, markersize=7)
        ax.text(-1.8, 1.3 - 0.35 * at, activation, color=shade)
    ax.plot([-1.9, 1.5], [-1.9, 1.5], color=LINE, zorder=0)
    return labelled(ax, "Sixteen nets, where theory says", "nats per layer, predicted", "measured")


def phase_diagram() -> Figure:
    """How well a deep tanh net learns: depth × variance of its weights, three seeds; and up to which depth it should, 6 ξ."""
    _, (ax,) = panels(high=3.6)
    with processes(2) as executor:
        found = diagram(range(5, 41, 5), (0.25, 0.35, 0.5, 0.71, 1, 1.4, 2, 2.8, 4), executor=executor)
    drawing.plot(found, "accuracy", ax=ax, theory=lambda sw2: 6 * theory.meanfield.depth_scale("tanh", sw2), limits=(0.15, 0.75))
    for line in ax.lines:
        line.set_rasterized(True)  # the map and what lies on it keep their colours on a dark page
    ax.get_legend().remove()
    ax.set(xlabel="σ_w²", ylabel="depth")
    ax.set_title("Accuracy after 60 updates; dashed, theory: to a depth of 6 ξ")
    return ax.figure


def speed() -> Figure:
    """The table of speed.md: how many times the limit each system takes, a line for each workload."""
    lines = FOLDER.with_name("speed.md").read_text(encoding="utf-8").splitlines()
    head, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith(("| workload", "| T", "| S")))
    rows = [row for row in rows if len(row) == len(head)][::-1]
    _, (ax,) = panels(high=3.6)
    for name, mark, shade in (
            ("written", "|", GREEN), ("ours", "o", BLUE), ("scalars", "o", BLUE), ("torch", "s", ORANGE), ("MyGrad", "v", PURPLE),
            ("micrograd", "D", SOFT), ("autograd", "^", RED)):
        there = [(float(row[head.index(name)]), y) for y, row in enumerate(rows) if row[head.index(name)]]
        ax.plot(*zip(*there), mark, color=shade, markersize=7, markeredgewidth=2 if mark == "|" else 0, clip_on=False)
        if name != "ours":
            at = there[0 if name == "micrograd" else -1]
            ax.annotate(name.replace("scalars", "ours"), at, (0, 8), textcoords="offset points", ha="center", color=shade)
    ax.set(xscale="log", xlim=(0.9, 1200), ylim=(-0.5, len(rows) - 0.2), yticks=range(len(rows)), yticklabels=[row[0] for row in rows])
    return labelled(ax, "Near the limit: the program written out", "CPU time, times the limit", "")


def layers(net: Any, x: Any) -> list[Any]:
    """The states of a network, its input among them."""
    first = Tensor(x, name="x")
    return [first, *(node for node in history(net(first)) if node.name and node.name.base == "h")]


def powers(W: np.ndarray, g: np.ndarray, T: int) -> np.ndarray:
    """(T + 1, n): the gradients of h[T], h[T−1], …, h[0] of h ← W h, from g."""
    h = [Tensor(np.ones(len(W))).named("h", 0)]
    for t in range(1, T + 1):
        h.append((W @ h[-1]).named("h", t))
    return np.array(grad(h[-1], h[::-1], seed=g))


def valley(w: Scalar) -> Any:
    """(h[50] − 0.7)² of h ← σ(w h − 2.9)."""
    h: Any = 0.5
    for _ in range(50):
        h = (w * h - 2.9).sigmoid()
    return (h - 0.7) ** 2


PLOTS: tuple[Callable[[], Figure], ...] = (
    depth, recurrence, cliff, remedies, remedies_in_depth, minima, is_it_the_sigmoid, predicted, phase_diagram, speed,
    *AFTER_2019)  # fmt: skip


def main(*names: str) -> int:
    """Draw them all, or those named."""
    FOLDER.mkdir(exist_ok=True)
    with matplotlib.rc_context(LOOK):
        for plot in PLOTS:
            if not names or plot.__name__ in names:
                (path := FOLDER / f"{plot.__name__}.svg").write_text(svg(plot()), encoding="utf-8")
                print("wrote", path)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
