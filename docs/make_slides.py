"""Which slides does the lesson have?  `python docs/make_slides.py slides` writes them, and rnn.html, the page to play with.

Each is 16 to 9, and is named by its minute in the table of docs/teaching.md.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_vg import Chain, Scalar, draw, nn
from tinygrad_vg.cli import reading
from tinygrad_vg.cli.options import parser
from tinygrad_vg.cli.texts import zen
from tinygrad_vg.drawing import Drawing
from tinygrad_vg.drawing.canvas import Canvas

GATED = "LSTM, forget bias 3"
reading.CELLS[GATED] = partial(nn.LSTMCell, forget_bias=3.0)


def slides(asked: Any) -> Iterator[tuple[int, str, Drawing]]:
    """(minute, name, picture): the recurrent ones all read the same 20 characters, as the page does."""
    text, series = zen(), ("", GATED, "GRU")
    found = {name or "sigmoid RNN": reading.run(text, asked, name) for name in series}
    chains, read = {name: one["chain"] for name, one in found.items()}, found["GRU"]["text"]
    yield 0, "neuron", slide(neuron())
    loss = chains["sigmoid RNN"].output
    yield 25, "graph", slide(draw(loss, "states", about=f"A sigmoid RNN reads {asked.steps} characters"))
    for minute, name, file in ((30, "sigmoid RNN", "river"), (76, GATED, "lstm"), (77, "GRU", "gru")):
        yield minute, file, draw(chains[name], read=read, about=name, axis_of=chains.values())
    yield 78, "remedies", draw(chains[GATED], read=read, about=f"{asked.steps} steps", beside=chains)
    blocks = {name: transformer(norm) for name, norm in (("norm before", "pre"), ("norm after", "post"), ("no norm", None))}
    yield 90, "transformer", draw(blocks["norm after"], about="12 transformer blocks, before training", beside=blocks)


def slide(graph: Drawing) -> Drawing:
    """A graph in the middle of a page of 16 to 9."""
    drawn = graph.canvas
    page = Canvas(max(drawn.wide, drawn.high * 16 / 9), max(drawn.high, drawn.wide * 9 / 16), drawn.title)
    with page.group("", "", (page.wide - drawn.wide) / 2, (page.high - drawn.high) / 2):
        page.shapes += drawn.shapes
    graph.canvas = page
    return graph


def neuron() -> Drawing:
    """σ(w x + b), two factors from y back to x."""
    w, x, b = Scalar(0.9, "w"), Scalar(0.5, "x"), Scalar(0.1, "b")
    y = (w * x + b).named("z").sigmoid().named("y")
    y.backward()
    return draw(y, about="One neuron: y = σ(w x + b)")


def transformer(norm: str | None) -> Chain:
    """Twelve blocks that predict the next of six words; the chain runs through what each block hands on."""
    blocks = [nn.TransformerBlock(8, 2, norm, causal=True, rng=k, name=f"block{k}") for k in range(1, 13)]
    words, out = nn.Embedding(20, 8, rng=0), nn.Linear(8, 20, rng=0)
    text = np.random.default_rng(0).integers(20, size=(4, 7))
    layers = [(words(text[:, :-1]) + nn.Embedding(6, 8, rng=1)(range(6))).named("h", 0)]
    for k, block in enumerate(blocks, start=1):
        layers.append(block(layers[-1], k))
    return Chain(nn.cross_entropy(out(layers[-1]), text[:, 1:]).named("loss"), layers[0], through=layers)


def main() -> int:
    """Write all of them into a folder, which is made if it is missing."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("out", type=Path, nargs="?", default=Path("slides"), metavar="FOLDER")
    options.add_argument("--theme", choices=["light", "dark"], default="", help="of the slides (an SVG without one is as who looks at it; the page always is)")
    options.add_argument("--format", choices=["svg", "png", "pdf"], default="svg")
    given = options.parse_args()
    asked = parser("").parse_args(["--activation", "sigmoid", "--out", str(given.out)])
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        for minute, name, drawing in slides(asked):
            print("wrote", drawing.save(given.out / f"{minute:02}_{name}.{given.format}", given.theme))
        found = reading.run(zen(), asked)
        others = {"sigmoid": found["chain"]} | reading.beside(zen(), asked)
        about = f"{asked.steps} steps of a sigmoid RNN reading “{found['text']}”"
        page = draw(found["chain"], read=found["text"], about=about, losses=found["losses"], beside=others)
        print("wrote", page.save(given.out / "rnn.html"))
    except OSError as error:
        options.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
