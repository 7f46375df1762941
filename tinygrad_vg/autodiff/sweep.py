"""How does the chain rule reach every node?  One walk over the history, youngest first.

A node's gradient is the sum over its children of (gradient of the child) × (local derivative on the edge). Youngest
first, every child comes before its parents: when the sweep arrives at a node, nobody is left to add to its gradient.
Forward mode is the same walk oldest first, with the same derivatives, pushed instead of pulled.

    g  gradient      t  tangent
"""

from collections import deque
from collections.abc import Container, Iterable
from typing import Any

from ..hints import numpys_words
from .node import Mode, Node, Unrecorded, as_node, check_unchanged, describe, history, latest_change, mode, plain


def sweep(
    order: list[Node], gradients: dict[Node, Any], keep: Container | None = None, inside: Container | None = None, graph: bool = False
) -> None:
    """Pull the given gradients back through `order` (a history, oldest first), adding to the dictionary as it goes.

    keep    the nodes whose gradients are wanted; those of other nodes are dropped once handed on. None: all. A leaf's stays in
            any case. Before it is read: node.settle(g), since it may still be waiting
    inside  the nodes that may receive a gradient. None: all
    graph   True: the gradients are nodes themselves, so that they can be differentiated again
    """
    watch = (mode.get() or Mode()).watch
    take = gradients.get if keep is None else gradients.pop
    for node in reversed(order):
        if node.rule is None or (g := take(node, None)) is None:  # a leaf; or nothing reached it
            continue
        if keep and node in keep:
            gradients[node] = g = node.settle(g)
        try:
            if watch:
                watch.passes(node, g, inside)
            node.hand_on(node, g, gradients, inside, graph)
        except Exception as error:
            if hasattr(error, "add_note"):  # Python 3.11 and later
                error.add_note(f"while differentiating {node.op} of {', '.join(map(describe, node.variables))}")
            raise


@numpys_words
def backward(output: Node, seed: Any = None, keep: bool = True) -> None:
    """Fill .grad of every node `output` was computed from: the gradient of `output` (or of seed · output).

    seed  the gradient to start from, of the output's shape; may be left out if the output is one number
    keep  False: fill the leaves only, and drop each interior gradient as soon as it has been handed on; an interior .grad of
          an earlier call stays as it was

    The gradients of leaves accumulate over calls (zero_grad() forgets them), those of interior nodes do not.
    Nothing is filled until all is computed: an exception or Ctrl-C leaves every .grad as it was.
    Raises ValueError for a seed that is missing or of another shape, RuntimeError if a leaf changed since the
    forward pass or the output was computed under no_grad().
    """
    order = differentiable(output)
    gradients = {output: start(output, seed)}
    sweep(order, gradients, keep=None if keep else ())  # (): the leaves' stay
    for node, g in gradients.items():
        if node.rule is None:
            g = node.settle(g)
            gradients[node] = g if node._grad is None else node.owned(node._grad + g)
    deque(map(Node.__dict__["_grad"].__set__, gradients.keys(), gradients.values()), maxlen=0)  # one C call: Ctrl-C cannot fall inside


def grad(output: Node, inputs: Any, seed: Any = None, create_graph: bool = False) -> Any:
    """The gradient of `output` with respect to each of `inputs` (one node, or a list of nodes); touches no .grad.

    seed          as in backward(); with create_graph it may be a node
    create_graph  False: floats for Scalars, arrays for Tensors. True: nodes, to be differentiated again

    Zeros where the output does not depend on the input. Errors as in backward(), and TypeError for an input that is not a node.
    """
    order, wanted = differentiable(output), nodes(inputs)
    keep, gradients = set(wanted), {output: start(output, seed, create_graph)}
    every = keep.issuperset(node for node in order if node.rule in (None, Unrecorded))  # then every node depends on one of them
    sweep(order, gradients, keep, inside=None if every else dependents(order, wanted), graph=create_graph)
    results = []
    for x in wanted:
        g = x.settle(gradients[x]) if x in gradients else x.like(0.0, "zero")
        results.append(x.owned(g) if not create_graph else g if isinstance(g, Node) else type(x)(g))  # type: ignore[call-arg]
    return results if isinstance(inputs, (list, tuple)) else results[0]


def jvp(output: Node, inputs: Any, tangents: Any) -> Any:
    """Forward mode on the recorded graph: how `output` moves when each of `inputs` moves along its tangent.

    inputs, tangents  one node and one array of its shape, or two lists of equal length
    Returns a float or an array of the output's shape: J t, with the same local derivatives as the reverse sweep.
    """
    wanted, given = nodes(inputs), tangents if isinstance(inputs, (list, tuple)) else [tangents]
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"jvp with a list of inputs needs a list of tangents, one for each; got {type(given).__name__}")
    if len(wanted) != len(given):
        raise ValueError(f"jvp needs one tangent for each input; got {len(wanted)} inputs and {len(given)} tangents")
    order = differentiable(output)
    moved = {x: x.like(plain(t), f"the tangent of {describe(x)}") for x, t in zip(wanted, given)}
    for node in order:
        parts = [edge.local.push(moved[edge.parent]) for edge in node.edges if edge.parent in moved] if node not in moved else []
        if parts:
            moved[node] = node.settle(sum(parts[1:], parts[0]))
    return output.owned(moved[output] if output in moved else output.like(0.0, "zero"))


def dependents(order: list[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes of `order` that are computed from any of `sources`, these included."""
    marked = set(sources)
    for node in order:
        if any(parent in marked for parent in node.variables):
            marked.add(node)
    return marked


def start(output: Node, seed: Any, graph: bool = False) -> Any:
    """The gradient the sweep starts from: the seed, or 1 if the output is one number."""
    if seed is None and output.size != 1:
        raise ValueError(
            f"{describe(output)} has shape {output.shape}, so it has no single gradient; pass a seed of that shape or reduce it with .sum()"
        )
    return output.like(1.0 if seed is None else seed if graph else plain(seed), "the seed")


def differentiable(output: Any) -> list[Node]:
    """The history of an output that has one, every leaf as it was when used; else an error that says why not."""
    order = history(as_node(output, "a gradient's history"))
    if output.rule is Unrecorded:
        raise RuntimeError(f"{describe(output)}: computed under no_grad(), so there is no history to differentiate; compute it outside")
    check_all_unchanged(order)
    return order


def check_all_unchanged(order: list[Node]) -> None:
    """RuntimeError if any leaf was given new data after one of these nodes was computed from it."""
    first = next((node.birth for node in order if node.rule is not None), 0)
    if latest_change[0] > first:  # something was assigned since the first of these nodes was made: look closely
        for child in order:
            for parent in child.variables:
                check_unchanged(child, parent)


def nodes(inputs: Any) -> list[Node]:
    """The inputs as a list of nodes; else TypeError."""
    listed = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    for x in listed:
        if not isinstance(x, Node):
            raise TypeError(f"the inputs must be nodes (Scalars or Tensors), got {type(x).__name__}; a plain array is a constant")
    return listed
