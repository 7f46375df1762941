"""How long does a picture take?  `python benchmarks/pictures.py`: large graphs drawn in each way, and a large page in a browser.

The browser part needs playwright and a chromium on PATH. Seconds are of the wall clock, from the graph to the file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_vg import draw, nn, scalars

IN_THE_PAGE = {
    "a step of the slider": "step(last - 20)",
    "a click": "select(400)",
    "what if": "replace(arrows.findIndex(a => a.map && a.map.kind === 'diagonal'), {to: 'one'})",
}
# frames a second: the view moves 25 units a frame, there and back, past what lies ready around it
PAN = """() => new Promise((done) => {
    const at = [];
    requestAnimationFrame(function frame(now) {
        if (at.push(now) === 121) return done(120_000 / (at.at(-1) - at[0]));
        view.x += (at.length % 120 < 60 ? -1 : 1) * 25; look();
        requestAnimationFrame(frame); }); })"""
FIRST_KEY = """() => new Promise((done) => { zoom(1.25); requestAnimationFrame(() => setTimeout(() => done(performance.now()))); })"""
TIMED = "() => {{ const start = performance.now(); {}; return performance.now() - start }}"


def rnn(T: int, n: int) -> Any:
    """The differentiated loss of a tanh RNN over T steps."""
    states = nn.unroll(nn.RNNCell(3, n, rng=0), np.random.default_rng(0).normal(size=(T, 3)))
    loss = nn.mse(states[-1], np.ones(n)).named("loss")
    loss.backward()
    return loss


def scalar_mlp() -> Any:
    """More than 5,000 nodes, one for each number."""
    y = nn.MLP([18] * 6 + [1], leaf=scalars, rng=0)(scalars(np.ones(18), name="x")).item()
    loss = (y * y).named("loss")
    loss.backward()
    return loss


def timed(what: str, graph: Callable[[], Any], suffix: str, folder: Path, **settings: Any) -> Path:
    """Draw a graph into a file and print how long it took."""
    output, start = graph(), time.perf_counter()
    drawing = draw(output, **settings)
    place = drawing.save(folder / f"x{suffix}")
    print(f"{what:44}{drawing.size:>28} {time.perf_counter() - start:6.2f} s")
    return place


def in_the_browser(page: Path) -> None:
    """How long it takes, in ms, until the page answers a reader, and what a reader does; and how smoothly it pans."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_context(offline=True, bypass_csp=True).new_page()
        tab.goto(page.as_uri())
        took = {"first answer": tab.evaluate(FIRST_KEY)}
        smooth = {"as it opens": tab.evaluate(PAN), "fitted": (tab.evaluate("fit()"), tab.evaluate(PAN))[1]}
        took |= {what: tab.evaluate(TIMED.format(code)) for what, code in IN_THE_PAGE.items()}
        print(f"in the page, {tab.evaluate('boxes.length'):,} boxes: " + ", ".join(f"{what} {ms:.0f} ms" for what, ms in took.items()))
        print("panned: " + ", ".join(f"{what} {frames:.0f} frames/s" for what, frames in smooth.items()))


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed("RNN of 400 steps, unrolled, svg", lambda: rnn(400, 32), ".svg", folder, fold=None)
        timed("RNN of 10,000 steps, rolled, svg", lambda: rnn(10_000, 32), ".svg", folder, fold="rolled")
        timed("RNN of 25,000 steps, auto, svg", lambda: rnn(25_000, 4), ".svg", folder)
        timed("MLP of Scalars, unfolded, svg", scalar_mlp, ".svg", folder, fold=None, limit=6_000)
        for T in (125, 312):
            page = timed(f"RNN of {T} steps, unfolded, page", partial(rnn, T, 8), ".html", folder, fold=None, limit=3_000)
            try:
                in_the_browser(page)
            except Exception as error:
                print(f"in the page: not measured, {str(error).splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
