"""What is the right answer, and what is wrong with another?  The engine says, on random inputs and random graphs.

A function gives one case, arguments and what the engine says to them; or it yields cases without end, the small ones first. Those at the
end say what is wrong with an answer; SLIPS are wrong answers that many have given.

    W weight (out, in)    h state    z pre-activation    y output, or value of an op    a, b its operands    g gradient    T steps
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, count, cycle
from typing import Any

import numpy as np

from .. import Scalar, Tensor, grad, history, linear, relu, sigmoid, softmax, tanh
from . import answers
from .grading import Case, Fault, numbers

STEPS = [lambda x, y: x + y, lambda x, y: x.sin() * y, lambda x, y: 0.5 - x, lambda x, y: x.tanh() * x]


def tanh_slope(rng: Any) -> Case:
    """(y,) and dy/dz of y = tanh z."""
    z = Scalar(rng.normal())
    y = z.tanh()
    return (y.data,), grad(y, z)


def neuron(rng: Any) -> Case:
    """(w, x, b) and the three derivatives of σ(w x + b)."""
    w, x, b = map(Scalar, rng.normal(size=3))
    return (w.data, x.data, b.data), grad(sigmoid(w * x + b), [w, x, b])


def scalar_rnns(rng: Any) -> Iterator[Case]:
    """(w, h[0], T) and ∂h[T]/∂h[0] of h ← σ(w h)."""
    for T in chain((1, 2), (int(rng.integers(1, 20)) for _ in count())):
        w, start = rng.uniform(0.5, 4.0), Scalar(rng.uniform())
        h = start
        for _ in range(T):
            h = sigmoid(w * h)
        yield (w, start.data, T), grad(h, start)


def linear_layers(of: int) -> Callable[[Any], Iterator[Case]]:
    """∂L/∂h (0) or ∂L/∂W (1) of z = W h, given g = ∂L/∂z."""

    def cases(rng: Any) -> Iterator[Case]:
        for m, n in chain([(2, 2), (2, 3)], (rng.integers(2, 5, size=2) for _ in count())):
            h, W, g = Tensor(rng.normal(size=n)), Tensor(rng.normal(size=(m, n))), rng.normal(size=m)
            yield (g, W.data, h.data), grad(linear(h, W), [h, W], seed=g)[of]

    return cases


def softmax_back(rng: Any) -> Case:
    """(y, g) and gᵀ ∂y/∂z of y = softmax z, 2 to 5 entries."""
    z = Tensor(rng.normal(size=rng.integers(2, 6)))
    y, g = softmax(z), rng.normal(size=z.size)
    return (y.data, g), grad(y, z, seed=g)


def rnn_gradients(rng: Any) -> Iterator[Case]:
    """(W, states, g) and gᵀ ∂h[T]/∂W, summed over all uses of W, of h ← tanh(W h)."""
    for T, n in chain([(1, 2), (2, 2)], ((int(rng.integers(1, 6)), int(rng.integers(2, 4))) for _ in count())):
        W, states = Tensor(rng.normal(size=(n, n))), [Tensor(rng.normal(size=n))]
        for _ in range(T):
            states.append(tanh(linear(states[-1], W)))
        g = rng.normal(size=n)
        yield (W.data, np.array([h.data for h in states]), g), grad(states[-1], W, seed=g)


def worst_gain(rng: Any) -> Case:
    """(W, slope, T) and the bound on the gain of T steps: (slope · σ_max(W))^T."""
    W, T = rng.normal(size=(4, 4)), int(rng.integers(1, 30))
    return (W, 0.25, T), (0.25 * np.linalg.svd(W, compute_uv=False)[0]) ** T


def relu_scale(rng: Any) -> Case:
    """(n,) and the factor on weights N(0, 1) that keeps |g| through a ReLU layer; measured, about √(2/n)."""
    n = int(rng.integers(100, 400))
    W, z, g = Tensor(rng.normal(size=(n, n))), Tensor(rng.normal(size=(50, n))), rng.normal(size=(50, n))
    pulled = grad(linear(z, W) * (relu(z.data) > 0), z, seed=g)
    return (n,), float(np.linalg.norm(g) / np.linalg.norm(pulled))


def forget_bias(rng: Any) -> Case:
    """(T, kept) and the b with σ(b)^T = kept: −ln(kept^(−1/T) − 1)."""
    T, kept = int(rng.integers(5, 200)), rng.uniform(0.1, 0.9)
    return (T, kept), float(-np.log(kept ** (-1 / T) - 1))


SLIPS: dict[str, dict[str, Callable]] = {
    "gain": {"each slope is taken at h[t−1], the state before its step": lambda w, h0, T: w * h0 * (1 - h0) * answers.gain(w, h0, T - 1)},
    "back_to_h": {"this is W g; its sum runs over the wrong index of W": lambda g, W, h: W @ g},
    "softmax_back": {"this is y (1 − y) g; but each z_j changes all y_i, not only y_j": lambda y, g: y * (1 - y) * g},
    "rnn_gradient": {"on the way back W stands where its transpose belongs": lambda W, h, g: answers.rnn_gradient(W.T, h, g)}}


# An engine, step by step


def outputs(rng: Any) -> Iterator[Scalar]:
    """Outputs of graphs: a diamond, equal values, ever more values used twice; 2⁴⁰ paths; 9,000 nodes deep."""
    x = Scalar(0.5)
    yield x * x.sin()
    x, y = Scalar(0.5), Scalar(0.5)
    yield x * y + x
    for size in range(2, 15):
        yield random_graph(rng, size)
    x = Scalar(0.5)
    for _ in range(40):
        x = x.sin() + 0.5 * x
    yield x
    x = w = Scalar(0.5)
    for _ in range(3000):
        x = 0.9 * x.sin() + w
    yield x
    while True:
        yield random_graph(rng, 30)


def random_graph(rng: Any, size: int) -> Scalar:
    """The last of `size` values, each made of two of the three before it."""
    nodes = [Scalar(rng.normal()) for _ in range(3)]
    for _ in range(size):
        nodes.append(STEPS[rng.integers(len(STEPS))](*(nodes[-k] for k in rng.integers(1, 4, size=2))))
    return nodes[-1]


def graphs(rng: Any) -> Iterator[Case]:
    """An output, named as all its history is, and the gradient of every node, the youngest first."""
    for output in outputs(rng):
        nodes = [node.named("v", i) for i, node in enumerate(history(output))][::-1]
        yield (output,), dict(zip(nodes, grad(output, nodes)))


def single_steps(rng: Any) -> Iterator[Case]:
    """Gradients so far and a child of leaves; then the gradients after its step."""
    for make, known in cycle([(lambda a, b: a * b, ""), (lambda a, b: a * a, ""), (lambda a, b: a / b, "ac"), (lambda a, b: 2 * a, "ac")]):
        a, b, c = (Scalar(rng.normal(), name=name) for name in "abc")
        child, g = make(a, b).named("y"), rng.normal()
        before = {child: g} | {node: rng.normal() for node in (a, c) if str(node.name) in known}
        parts = {node: g * grad(child, node) for node in history(child) if node is not child}
        yield (before, child), before | {node: before.get(node, 0.0) + part for node, part in parts.items()}


def softsigns(rng: Any) -> Iterator[Case]:
    """Near, at 0, far out; there g is so large that what it gives is not. The slope of 1 − 1/(1 + t), t = |a|, has all its digits."""
    for scale in cycle([1, 0, 1e9, 1e-9, 1e20]):
        a = scale * rng.normal(size=3)
        t, g = Tensor(np.abs(a)), rng.normal(size=3) * (1 + np.abs(a)) ** 2
        yield (a, g), (a / (1 + np.abs(a)), grad(1 - 1 / (1 + t), t, seed=g))


def products(rng: Any) -> Iterator[Case]:
    """(a, b, g) and (a b, gradients of both), by shapes that broadcast."""
    for shapes in cycle([((3,), (3,)), ((2, 3), (3,)), ((2, 1), (2, 3)), ((2, 1), (3,)), ((), (2, 3)), ((4, 1, 2), (3, 1)), ((2,), ())]):
        a, b = (Tensor(rng.normal(size=shape)) for shape in shapes)
        g = rng.normal(size=(a * b).shape)
        yield (a.data, b.data, g), ((a * b).data, grad(a * b, [a, b], seed=g))


# What is wrong with what a function gave


def misplaced(given: Any, wanted: dict, *_: Any) -> Fault | None:
    """What is wrong with an order: a node that does not belong in it, one that is missing or is there twice, a child after its parent."""
    if not isinstance(given, (list, tuple)):
        return Fault(f"the answer is of type {type(given).__name__}, wanted a list")
    at = {node: i for i, node in enumerate(given)}
    if strange := [node for node in given if node not in wanted]:
        return Fault(f"{called(strange[0])} stands in the list")
    if missing := [node for node in wanted if node not in at]:
        return Fault(f"{missing[0].name} is missing")
    if twice := [node for i, node in enumerate(given) if at[node] != i]:
        return Fault(f"{twice[0].name} stands in the list twice")
    for child in given:
        for edge in child.edges:
            if at[edge.parent] < at[child]:
                return Fault(f"{child.name} stands after {edge.parent.name}, its parent")
    return None


def first_wrong(given: Any, wanted: dict, what: str) -> tuple[Any, Fault | None]:
    """In a dictionary {node: number} the first node, in the order wanted, that is missing or wrong, and what is wrong with it."""
    if not isinstance(given, dict):
        return None, Fault(f"the answer is of type {type(given).__name__}, wanted a dictionary {{node: {what}}}")
    for node, right in wanted.items():
        told = f"the {what} of {node.name}"
        if fault := numbers(given[node], right, what=told) if node in given else Fault(f"{told} is missing"):
            return node, fault
    return None, None


def tangent_wrong(given: Any, wanted: dict, *_: Any) -> Fault | None:
    """The oldest node whose tangent is missing or wrong."""
    return first_wrong(given, wanted, "derivative")[1]


def astray(given: Any, wanted: dict, *arguments: Any) -> Fault | None:
    """What is wrong with a dictionary of gradients, told of the first node at which it is wrong, the youngest first."""
    node, fault = first_wrong(given, wanted, "gradient")
    if fault and node and node in given:
        parts = [wanted[child] * float(edge.local) for child in wanted for edge in child.edges if edge.parent is node]
        parts += [before[node] for before in arguments if isinstance(before, dict) and node in before]
        return slipped(fault, given[node], parts, node, wanted)
    if fault:
        return fault
    if strange := [node for node in given if node not in wanted]:
        return Fault(f"{called(strange[0])} is given a gradient")
    return None


def slipped(fault: Fault, given: Any, parts: list[float], node: Any, gradients: dict[Any, Any]) -> Fault:
    """A wrong gradient, and which slip it is: of several contributions there is only one, a child handed on too early, or all are
    there twice."""
    if len(parts) > 1 and any(numbers(given, part) is None for part in parts):
        return Fault(f"{fault.words}; of its {len(parts)} contributions it has only one", overwrites)
    uses = Counter(edge.parent for child in gradients for edge in child.edges)
    shared = [edge for child in gradients for edge in child.edges if edge.parent is node and uses[child] > 1]
    for edge in shared:
        child, local = edge.child, float(edge.local)
        some = [gradients[above] * float(e.local) for above in gradients for e in above.edges if e.parent is child]
        if any(numbers(given, sum(parts) - left * local) is None for part in some for left in (part, sum(some) - part)):
            return Fault(f"{fault.words}; {child.name or child.op} handed on before its {uses[child]} contributions had all arrived")
    twice = bool(shared) and numbers(given, 2 * sum(parts)) is None
    return fault._replace(words=fault.words + "; exactly twice as much: was a node visited twice?" * twice)


def called(x: Any) -> str:
    """What does not belong among the nodes, as it is told."""
    return f"{x.name or repr(x)}, which the output was not computed from," if isinstance(x, Scalar) else f"{x!r}, a constant,"


def overwrites(statement: ast.stmt) -> bool:
    """`gradients[parent] = …` or `parent.grad = …`, computed from something, but not from what was there."""
    if not isinstance(statement, ast.Assign) or not isinstance(to := statement.targets[0], (ast.Subscript, ast.Attribute)):
        return False
    key, value = ast.unparse(to.slice if isinstance(to, ast.Subscript) else to), statement.value
    return not isinstance(value, ast.Constant) and key not in map(ast.unparse, ast.walk(value))


def pulled_wrong(given: Any, wanted: tuple, *arguments: Any) -> Fault | None:
    """What is wrong with a pair (y, pull): with y, or else with what pull makes of g, the last argument: an array, or a pair of them."""
    if not (isinstance(given, (tuple, list)) and len(given) == 2 and callable(given[1])):
        return Fault("the answer is no pair (y, pull), where pull is a function of g")
    y, pull = given
    if fault := numbers(y, wanted[0], what="y"):
        return fault
    received = pull(arguments[-1].copy())
    if not isinstance(wanted[1], list):
        return numbers(received, wanted[1], what="pull(g)")
    if not isinstance(received, (tuple, list)) or len(received) != 2:
        return Fault("pull(g) is no pair (∂L/∂a, ∂L/∂b)")
    for name, part, right in zip("ab", received, wanted[1]):
        if fault := numbers(part, right, what=f"the gradient of {name}"):
            copies = np.shape(part) == np.shape(y) != np.shape(right)
            return Fault(fault.words + f"; {name} was repeated: sum over its copies" * copies)
    return None
