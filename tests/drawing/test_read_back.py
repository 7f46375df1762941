"""A graph read back from its DOT is the graph: aliases merged and constants dropped, it is isomorphic to the history.

The graphs have one output from which every node is reached, and parents have an order, so there is at most one isomorphism:
walk both from the output, parent by parent. What meets twice must have met before, and labels (name, op, value) must agree.
"""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from typing import NamedTuple

import numpy as np
import pytest

from tinygrad_vg import Scalar, Tensor, draw, history, linear, sigmoid, square, tanh

COUNT = 300


class Read(NamedTuple):
    """A graph as it is read: what each box says (title, value), and the boxes each was computed from, in order."""

    said: dict[int, tuple[str, str]]
    parents: dict[int, list[int]]
    output: int
    constants: int
    aliases: int


# --- random graphs ---------------------------------------------------------------------------------------------------


def random_graph(seed):
    rng = np.random.default_rng(seed)
    return (scalars_at_random, scalars_at_random, recurrent_scalars, recurrent_tensors, lstm, layers)[seed % 6](rng)


def scalars_at_random(rng):
    """Few leaves and many uses of them: a * a, constants, nodes without a name, two leaves of one name and value."""
    pool = [Scalar(round(x, 1), name) for x, name in zip(rng.normal(size=4), ["a", "b", None, "b"])]
    for k in range(rng.integers(1, 16)):
        a, b = (pool[i] for i in rng.integers(max(0, len(pool) - 6), len(pool), size=2))
        node = [a + b, a * b, a - b, a * a, a.tanh(), b.sin(), a - 2.0, 3.0 * b, a * 1.0][rng.integers(9)]
        pool.append(node.named(f"v{k}") if rng.random() < 0.4 else node)
    return pool[-1]


def recurrent_scalars(rng):
    """Shared weights, now and then a longer way back, a loss at each step, backward run or not."""
    w, u, b, late = Scalar(0.9, "w"), Scalar(0.3, "u"), Scalar(0.1, "b"), int(rng.integers(2, 4))
    h, loss = [Scalar(0.5).named("h", 0)], None
    for t in range(1, rng.integers(3, 8)):
        z = w * h[-1] + u * float(rng.normal()) + (b if rng.random() < 0.8 else 1.0)
        if t >= late and rng.random() < 0.5:
            z = z + h[t - late] * w
        h.append((z.named("z", t) if rng.random() < 0.5 else z).tanh().named("h", t))
        error = (h[-1] - 1.0) ** 2.0
        loss = error if loss is None or rng.random() < 0.3 else loss + error
    if rng.random() < 0.5:
        loss.backward()
    return loss


def recurrent_tensors(rng):
    n = 2
    W, U, b = Tensor(rng.normal(size=(n, n)), "W"), Tensor(rng.normal(size=(n, 1)), "U"), Tensor(np.zeros(n), "b")
    h, W_T = Tensor(np.ones(n)).named("h", 0), W.T
    for t in range(1, rng.integers(3, 8)):
        x = rng.normal(size=1) if rng.random() < 0.5 else Tensor(rng.normal(size=1), f"x{t}")
        z = linear(x, U) + (linear(h, W, b) if rng.random() < 0.5 else h @ W_T)
        h = tanh(z + h if rng.random() < 0.3 else z).named("h", t)
    return square(h).sum()


def lstm(rng):
    W = {gate: Tensor(rng.normal(size=(2, 2)), f"W_{gate}") for gate in "ifgo"}
    h, c = Tensor(np.ones(2)).named("h", 0), Tensor(np.ones(2)).named("c", 0)
    for t in range(1, rng.integers(2, 5)):
        i, f, g, o = (act(linear(h, W[k])) for k, act in zip("ifgo", (sigmoid, sigmoid, tanh, sigmoid)))
        c = (f * c + i * g).named("c", t)
        h = (o * tanh(c)).named("h", t)
    return square(h).sum()


def layers(rng):
    h = Tensor(rng.normal(size=(2, 3)), "x")
    for k in range(1, rng.integers(3, 7)):
        y = tanh(linear(h, Tensor(rng.normal(size=(3, 3))).named("W", k), Tensor(np.zeros(3)).named("b", k)))
        h = (y + h if rng.random() < 0.5 else y).named("h", k)
    return (h * h).sum() if rng.random() < 0.5 else square(h - 1.0).sum()


# --- reading DOT -----------------------------------------------------------------------------------------------------

VALUE = r'(?:"(?:[^"\\]|\\.)*"|-?[\d.]+|[A-Za-z_]\w*)'
ATTRIBUTES = rf"\[((?:\w+={VALUE})(?: \w+={VALUE})*)\]"
BOX = re.compile(rf"\t+n(\d+) {ATTRIBUTES}")
ARROW = re.compile(rf"\tn(\d+) -> n(\d+) {ATTRIBUTES}")
FRAME = re.compile(rf"\tsubgraph cluster_\d+ {{|\t}}|\t\t\w+={VALUE}(?: \w+={VALUE})*")
HEAD = re.compile(r"\t(?:graph|node|edge) \[.*\]")


def attributes(text):
    return {key: value[1:-1].replace('\\"', '"') if value.startswith('"') else value for key, value in re.findall(rf"(\w+)=({VALUE})", text)}


def statements(dot):
    """The boxes {number: attributes} and the arrows [(tail, head)] of the text; anything but one statement per line is an error."""
    lines = dot.splitlines()
    assert lines[0] == "digraph {" and lines[-1] == "}"
    boxes, arrows = {}, []
    for line in lines[1:-1]:
        if box := BOX.fullmatch(line):
            assert int(box[1]) not in boxes
            boxes[int(box[1])] = attributes(box[2])
        elif arrow := ARROW.fullmatch(line):
            arrows.append((int(arrow[1]), int(arrow[2])))
        else:
            assert HEAD.fullmatch(line) or FRAME.fullmatch(line), line
    return boxes, arrows


def read(boxes, arrows):
    """The graph: what stands for the same node merged, constants dropped. An alias says whose it is: `of`, or a title that only one box has."""
    said = {i: tuple(look["tooltip"].split("\\n")[:2]) for i, look in boxes.items()}
    kind = {i: "alias" if "dashed" in look["style"] else "constant" if look["fillcolor"] == "#e2e2e2" else "node" for i, look in boxes.items()}
    real = {i: i for i in boxes}
    for i in boxes:
        if kind[i] == "alias":
            alike = [int(boxes[i]["of"][1:])] if "of" in boxes[i] else [j for j in boxes if kind[j] == "node" and said[j][0] == said[i][0]]
            assert len(alike) == 1, f"{said[i][0]} may be any of {alike}"
            real[i] = alike[0]
    parents = {i: [] for i in boxes if kind[i] == "node"}
    for tail, head in arrows:
        if kind[tail] != "constant":
            parents[head].append(real[tail])
    used = {tail for tails in parents.values() for tail in tails}
    (output,) = (i for i in parents if i not in used)
    return Read({i: said[i] for i in parents}, parents, output, sum(k == "constant" for k in kind.values()), sum(k == "alias" for k in kind.values()))


# --- the check -------------------------------------------------------------------------------------------------------


@lru_cache(1_000)
def label(node):
    """What a box has to say of a node, written out anew: title and value, a number with all its digits."""
    name = str(node.name) if node.name else ""
    title = name or "leaf" if node.rule is None else f"{name} = {node.op}" if name else node.op
    x = np.asarray(node.data)
    return title, float(x) if x.shape == () else (x.shape, float(np.linalg.norm(x)))


def alike(said, node):
    title, value = label(node)
    if said[0] != title or not said[1].startswith("value "):
        return False
    shape, _, size = said[1].removeprefix("value ").rpartition(", norm ")
    if isinstance(value, float):
        return not shape and float(size) == value
    return bool(shape) and tuple(map(int, shape.split("×"))) == value[0] and math.isclose(float(size), value[1], rel_tol=1e-12)


def isomorphic(graph, output):
    """Whether graph and the history of output are one graph: parent slot by parent slot, and not one node more or less."""
    box_of, node_of = {output: graph.output}, {graph.output: output}
    waiting = [output]
    while waiting:
        node = waiting.pop()
        tails = graph.parents[box_of[node]]
        if not alike(graph.said[box_of[node]], node) or len(tails) != len(node.variables):
            return False
        for tail, parent in zip(tails, node.variables):
            if tail not in node_of and parent not in box_of:
                box_of[parent], node_of[tail] = tail, parent
                waiting.append(parent)
            elif node_of.get(tail) is not parent:
                return False
    return len(box_of) == len(graph.parents) == len(history(output))


def test_random_graphs_read_back_from_dot_are_isomorphic_to_their_histories():
    seen = Counter()
    for seed in range(COUNT):
        output = random_graph(seed)
        dot = draw(output, fold=None).dot
        graph = read(*statements(dot))
        assert isomorphic(graph, output), seed
        order = history(output)
        assert graph.constants == sum(len(node.parents) - len(node.variables) for node in order), seed
        seen["aliases"] += bool(graph.aliases)
        seen["constants"] += bool(graph.constants)
        seen["twice the same parent"] += any(len(node.variables) != len(set(node.variables)) for node in order)
        seen["unnamed"] += any(node.name is None for node in order)
        seen["named"] += any(node.name is not None for node in order)
        seen["frames"] += "cluster_0" in dot
        seen["leaves that look the same"] += len(set(graph.said.values())) < len(graph.said)
        seen["gradients"] += "grad " in dot
    assert all(count >= 15 for count in seen.values()) and len(seen) == 8, seen


def test_the_check_can_fail():
    found = Counter()
    for seed in range(36):
        output = random_graph(seed)
        boxes, arrows = statements(draw(output, fold=None).dot)
        graph = read(boxes, arrows)
        for i in graph.parents:
            for k in range(len(graph.parents[i])):
                less = graph._replace(parents=graph.parents | {i: graph.parents[i][:k] + graph.parents[i][k + 1 :]})
                found["an arrow less", isomorphic(less, output)] += 1
                for j in graph.parents:
                    if j < i and j != graph.parents[i][k]:
                        other = graph._replace(parents=graph.parents | {i: [*graph.parents[i][:k], j, *graph.parents[i][k + 1 :]]})
                        same = graph.said[j] == graph.said[graph.parents[i][k]] and not graph.parents[j] and not graph.parents[graph.parents[i][k]]
                        found["an arrow from elsewhere" + ", which looks the same" * same, isomorphic(other, output)] += 1
            changed = graph._replace(said=graph.said | {i: (graph.said[i][0], "value 0.123456")})
            found["another value", isomorphic(changed, output)] += 1
    assert not any(found[what, True] for what in ("an arrow less", "an arrow from elsewhere", "another value")), found
    assert min(found[what, False] for what in ("an arrow less", "an arrow from elsewhere", "another value")) > 500


CHILD = """
import json, sys
from pygraphviz import AGraph
answers = []
for dot in json.load(sys.stdin):
    graph = AGraph(string=dot)
    boxes = {node[1:]: dict(node.attr) for node in graph.nodes()}
    arrows = [(int(tail[1:]), int(head[1:])) for tail, head in graph.edges()]
    answers.append((boxes, arrows))
json.dump(answers, sys.stdout)
"""


def test_graphviz_itself_reads_the_same_graph():
    pytest.importorskip("pygraphviz", reason="Graphviz's own parser")
    outputs = [random_graph(seed) for seed in range(0, COUNT, 6)]
    dots = [draw(output, fold=None).dot for output in outputs]
    done = subprocess.run([sys.executable, "-c", CHILD], input=json.dumps(dots), capture_output=True, text=True, check=True, timeout=60)
    for output, dot, (boxes, arrows) in zip(outputs, dots, json.loads(done.stdout)):
        ours, ways = statements(dot)
        assert {int(i): {key: look[key] for key in ours[int(i)]} for i, look in boxes.items()} == ours
        assert sorted(map(tuple, arrows)) == sorted(ways)
        assert isomorphic(read({int(i): look for i, look in boxes.items()}, ways), output)
    assert len(dots) == 50


class Data(HTMLParser):
    """The data of a page."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.json = False, ""
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.inside = dict(attributes).get("type") == "application/json"

    def handle_data(self, text):
        self.json += text if self.inside else ""

    def handle_endtag(self, name):
        self.inside = False


def read_page(text):
    """The graph of a page, from its data and the titles of its boxes: an alias says of which box it is one."""
    data = json.loads(Data(text).json)
    titles = {int(i): unescape(title) for i, title in re.findall(r'<g id="n(\d+)"[^>]*><title>(.*?)</title>', text, re.S)}
    boxes = dict(enumerate(data["boxes"]))
    parents = {i: [] for i, box in boxes.items() if box["kind"] not in ("constant", "alias")}
    for arrow in data["arrows"]:
        tail = boxes[arrow["tail"]]
        if tail["kind"] != "constant":
            parents[arrow["head"]].append(arrow["tail"] if tail["of"] is None else tail["of"])
    kinds = Counter(box["kind"] for box in boxes.values())
    (output,) = (i for i, box in boxes.items() if box["kind"] == "output")
    return Read({i: tuple(titles[i].split("\n")[:2]) for i in parents}, parents, output, kinds["constant"], kinds["alias"])


def test_a_hundred_random_graphs_read_back_from_the_page_are_isomorphic_to_their_histories():
    for seed in range(0, COUNT, 10):
        output = random_graph(seed)
        assert isomorphic(read_page(draw(output, fold=None).html), output), seed


@pytest.mark.parametrize("names", [("w", "w"), (None, None)], ids=["of the same name", "without a name"])
def test_two_shared_weights_of_the_same_look_are_told_apart(names):
    w, u, h = Scalar(0.5, names[0]), Scalar(0.5, names[1]), Scalar(1.0).named("h", 0)
    for t in (1, 2, 3):
        h = (w * h + u * float(t)).tanh().named("h", t)
    assert isomorphic(read(*statements(draw(h).dot)), h)
    assert isomorphic(read_page(draw(h).html), h)


def test_two_transposed_weights_used_at_every_step_are_told_apart():
    W, U, h = Tensor(np.eye(2), "W"), Tensor(2 * np.eye(2), "U"), Tensor(np.ones(2)).named("h", 0)
    W_T, U_T = W.T, U.T
    for t in range(1, 7):
        h = tanh(h @ W_T + np.ones(2) @ U_T).named("h", t)
    output = h.sum()
    assert isomorphic(read(*statements(draw(output).dot)), output)
    assert isomorphic(read_page(draw(output).html), output)
