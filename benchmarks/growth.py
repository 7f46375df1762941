"""How does the cost grow?  With the length of a recurrence; with a million numbers; before the first gradient; with what is asked.

Run it:  python benchmarks/growth.py [--parts recurrence,scalars,start,chain,draw] [--lengths 100,1000,10000]

recurrence  T2 of compare.py with T steps: grad(), which keeps no interior gradient, and backward(), which fills all of them
scalars     a million scalar nodes
start       Python processes that import and do little else
chain       Chain, blame, spectrum, uses on an RNN of 8 units (chain_growth.py measures them)
draw        the picture of the same graph, folded: DOT and SVG

Times are CPU seconds. Memory is what a fresh process took at its peak beyond what it held before; in chain and draw it is what Python
allocated. The exponent is fitted over all lengths: 1 is linear.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import compare  # first: it sets the number of threads
import numpy as np
from chain_growth import measured, tasks
from systems import SYSTEMS, Linear, Ours
from workloads import rnn, sigmoids

from tinygrad_vg import draw, grad, nn, square

Figures = dict[int, tuple[float, float]]  # by length: CPU seconds, MB
START = {
    "Python": "pass",
    "import numpy": "import numpy",
    "import tinygrad_vg": "import tinygrad_vg",
    "and a first gradient": "from tinygrad_vg import Tensor; x = Tensor([1.0, 2.0]); (x * x).sum().backward()",
    "import torch": "import torch",
    "torch's first gradient": "import torch; x = torch.tensor([1.0, 2.0], requires_grad=True); (x * x).sum().backward()",
}


class WithGrad:
    """An engine of ours that is asked by grad()."""

    def gradients(self, loss: Any, p: dict) -> dict:
        return dict(zip(p, grad(loss, list(p.values()))))


class WithBackward:
    """An engine of ours that keeps every node's gradient."""

    def backward(self, loss: Any) -> None:
        loss.backward()


PARTS = ["recurrence", "scalars", "start", "chain", "draw"]
WAYS: dict[str, Any] = {
    "grad()": type("Grad", (WithGrad, Ours), {}),
    "backward()": type("Backward", (WithBackward, Ours), {}),
    "grad(), linear": type("LinearGrad", (WithGrad, Linear), {}),
    "backward(), linear": type("LinearBackward", (WithBackward, Linear), {}),
    "torch": SYSTEMS["torch"],
    "torch, addmm": SYSTEMS["addmm"],
}


def resident(peak: bool = False) -> float:
    """MB this process holds, or has held at most; nan where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:" if peak else "VmRSS:"):
                return int(line.split()[1]) / 1024
    return math.nan


def cost(program: Callable, repeats: int = 3) -> tuple[float, float]:
    """The least CPU seconds of a few runs, and what the first of them took at its peak, in MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak so far is forgotten
    before = resident()
    seconds = compare.timed(program, 1)
    taken = resident(peak=True) - before
    return min(seconds + compare.timed(program, repeats - 1)), taken


def recurrence(way: str, T: int, H: int = 128, B: int = 32) -> tuple[float, float] | None:
    """T2 with T steps, after a short one that loads what is loaded once; None if the package is missing."""
    try:
        engine = WAYS[way]()
    except ImportError:
        return None
    engine.program(rnn(2, H, B))()
    return cost(engine.program(rnn(T, H, B)))


def million(nodes: int = 1_000_000) -> tuple[float, float]:
    """So many Scalars in a chain of sigmoid(0.98 x)."""
    engine = SYSTEMS["scalars"]()
    engine.program(sigmoids(2))()
    return cost(engine.program(sigmoids(nodes // 2)))


def fresh(function: Callable, *arguments: Any) -> Any:
    """What it returns in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def started(code: str, repeats: int = 5) -> float | None:
    """CPU seconds of a process that runs it, the median of a few; None if it fails, for want of a package."""
    seconds = []
    for _ in range(repeats):
        before = os.times()
        if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode:
            return None
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return median(seconds)


def drawings(T: int) -> dict[str, Callable]:
    """What is drawn: the graph of an RNN of T steps."""
    cell = nn.RNNCell(4, 8, rng=0)
    loss = square(nn.unroll(cell, np.zeros((T, 4)))[-1]).sum().named("loss")
    return {"draw, DOT": lambda: draw(loss).dot, "draw, SVG": lambda: draw(loss).svg}


def grown(lengths: list[int], works: Callable[[int], dict[str, Callable]]) -> dict[str, Figures]:
    """Each work's figures at each length."""
    found: dict[str, Figures] = {}
    for T in lengths:
        for name, work in works(T).items():
            found.setdefault(name.replace(" and ", ", "), {})[T] = measured(work)
    return found


def table(title: str, rows: dict[str, Figures]) -> str:
    """Seconds and MB for each length, and their exponents, in 80 columns for three lengths."""
    lengths = list(next(iter(rows.values())))
    lines = [f"{title:19}" + "".join(f"{f'T = {T}':>16}" for T in lengths) + f"{'exponents':>12}"]
    for name, figures in rows.items():
        cells = "".join(f"{seconds:6.3f} s{megabytes:5.0f} MB" for seconds, megabytes in figures.values())
        lines.append(f"{name:19}{cells}{exponent([s for s, _ in figures.values()], lengths):7.2f}"
                     f"{exponent([m for _, m in figures.values()], lengths):5.2f}")  # fmt: skip
    return "\n".join(lines)


def exponent(y: list[float], lengths: list[int]) -> float:
    """The slope of log y over log T, fitted; nan where y is not above 0."""
    if len(lengths) < 2 or not min(y) > 0:
        return math.nan
    return float(np.polyfit(np.log(lengths), np.log(y), 1)[0])


def shown(part: str, lengths: list[int]) -> str:
    """One part, measured and printed."""
    if part == "recurrence":
        found = {way: {T: fresh(recurrence, way, T) for T in lengths} for way in WAYS}
        return table("T2, 128 units", {way: figures for way, figures in found.items() if None not in figures.values()})
    if part == "scalars":
        seconds, megabytes = fresh(million)
        return f"a million Scalars: {seconds:.1f} s, {megabytes:.0f} MB"
    if part == "start":
        found = {name: started(code) for name, code in START.items()}
        return "\n".join(f"{name:24}{seconds:6.2f} s" for name, seconds in found.items() if seconds is not None)
    return table("RNN of 8 units", grown(lengths, tasks if part == "chain" else drawings))


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--parts", default=",".join(PARTS), help="of %(default)s")
    options.add_argument("--lengths", default="100,1000,10000", help="three fit 80 columns")
    chosen = options.parse_args(arguments)
    parts, lengths = chosen.parts.split(","), chosen.lengths.split(",")
    if unknown := set(parts) - set(PARTS):
        options.error(f"there is no part {', '.join(unknown)}; parts: {', '.join(PARTS)}")
    if not all(T.isdecimal() and int(T) for T in lengths):
        options.error(f"lengths are whole numbers from 1 on, got {chosen.lengths}")
    began = time.perf_counter()
    for part in parts:
        print(shown(part, [int(T) for T in lengths]), end="\n\n", flush=True)
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
