"""What follows from the gradient?  Jacobians, Hessians, and the Hessian times a vector, all from the same sweep."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .core import History, Node, as_node, describe, history, plain, sweep
from .guards import Unrecorded
from .maps import unit_arrays


def grad(output: Node, inputs: Any, seed: Any = None, create_graph: bool = False) -> Any:
    """The gradient of `output` with respect to `inputs`: a node, a list of nodes, or a model, {name: gradient} then; touches no .grad.

    seed          as in backward(); with create_graph it may be a node
    create_graph  False: floats for Scalars, arrays for Tensors. True: nodes, to be differentiated again

    Zeros where the output does not depend on the input. Errors as in backward(), and TypeError for an input that is not a node.
    """
    if isinstance(inputs, dict) or hasattr(inputs, "parameters"):
        leaves = inputs if isinstance(inputs, dict) else inputs.parameters()
        arrays = {k: isinstance(w, np.ndarray) for k, w in leaves.items()}  # of Scalars
        every = iter(grad(output, [x for k, w in leaves.items() for x in (w.flat if arrays[k] else [w])], seed, create_graph))
        taken = np.frompyfunc(lambda _: next(every), 1, 1)
        return {k: taken(w).astype(object if create_graph else float) if arrays[k] else next(every) for k, w in leaves.items()}
    results = gradients(differentiable(output), nodes(inputs, "grad"), seed, create_graph)
    return results if isinstance(inputs, (list, tuple)) else results[0]


def gradients(order: list[Any], wanted: list[Any], seed: Any = None, create_graph: bool = False) -> list[Any]:
    """The gradient of the last node of a history with respect to each of some nodes."""
    keep, found = set(wanted), {order[-1]: order[-1].start(seed, create_graph)}
    every_leaf = keep.issuperset(node for node in order if node.rule in (None, Unrecorded))  # then every node depends on one of them
    sweep(order, found, wanted=keep, inside=None if every_leaf else dependents(order, wanted), graph=create_graph)
    finished = [x.finalise(found[x]) if x in found else x.as_gradient(0.0, "zero") for x in wanted]
    return [x.own_copy(g) if not create_graph else g if isinstance(g, Node) else type(x)(g) for x, g in zip(wanted, finished)]


def jvp(output: Node, inputs: Any, tangents: Any) -> Any:
    """Forward mode on the recorded graph: how `output` moves when each of `inputs` moves along its tangent.

    inputs, tangents  one node and one array of its shape, or two lists of equal length
    Returns a float or an array of the output's shape: J t, with the same local derivatives as the reverse sweep.
    """
    wanted, given = nodes(inputs, "jvp"), tangents if isinstance(inputs, (list, tuple)) else [tangents]
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"jvp with a list of inputs needs a list of tangents, one for each; got {type(given).__name__}")
    if len(wanted) != len(given):
        raise ValueError(f"jvp needs one tangent for each input; got {len(wanted)} inputs and {len(given)} tangents")
    moved = {x: x.as_gradient(plain(t), f"the tangent of {describe(x)}") for x, t in zip(wanted, given)}
    for node in differentiable(output):
        if node not in moved and (parts := [edge.local.push(moved[edge.parent]) for edge in node.edges if edge.parent in moved]):
            moved[node] = node.finalise(sum(parts[1:], parts[0]))
    return output.own_copy(moved[output] if output in moved else output.as_gradient(0.0, "zero"))


def dependents(order: list[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes of `order` that are computed from any of `sources`, these included."""
    marked = set(sources)
    for node in order:
        if not marked.isdisjoint(node.variables):
            marked.add(node)
    return marked


def nodes(inputs: Any, what: str) -> list[Any]:
    """The inputs as a list of nodes; else TypeError."""
    return [as_node(x, what) for x in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]


def differentiable(output: Any) -> History:
    """The history of an output that has one, every leaf as it was when used; else an error that says why not."""
    order = history(output)
    output.check(order)
    return order


def jacobian(output: Node, input: Node) -> np.ndarray:
    """∂output/∂input, of shape output.shape + input.shape: by reverse or forward sweeps, whichever are fewer. TypeError for a function."""
    nodes((output, input), "jacobian")
    if output.size <= input.size:
        J = np.array([grad(output, input, seed=e) for e in unit_arrays(output.shape)], dtype=float)
    else:
        J = np.array([np.ravel(jvp(output, input, e)) for e in unit_arrays(input.shape)], dtype=float).T
    return J.reshape(output.shape + input.shape)


def hessian(output: Node, input: Node) -> np.ndarray:
    """∂²output/∂input² as an array of shape input.shape * 2; ValueError unless the output is one number."""
    nodes((output, input), "hessian")
    return jacobian(grad(output, input, create_graph=True), input)


def hvp(output: Node, input: Any, vector: Any) -> Any:
    """The Hessian of `output`, one number, times a vector of the input's shape, without building the Hessian.

    input, vector  a node and one array of its shape; two lists of equal length; or a model, {name: leaf}, and {name: array}
    Reverse over reverse: the gradient of ⟨gradient, vector⟩, in the form of grad(output, input).
    """
    if not isinstance(input, (list, tuple, dict)) and not hasattr(input, "parameters"):
        nodes((output, input), "hvp")
        return grad(grad(output, input, create_graph=True), input, seed=input.as_gradient(vector, "the vector"))
    slopes = grad(output, input, create_graph=True)
    several = isinstance(vector, (dict, list, tuple))
    parts, given = (x if isinstance(x, dict) else dict(enumerate(x)) for x in (slopes, vector if several else ()))
    if parts.keys() != given.keys():
        wanted = "dict of {} arrays, with the names of the leaves" if isinstance(slopes, dict) else "list of {} vectors"
        raise TypeError(f"hvp needs a {wanted.format(len(parts))}; got a {type(vector).__name__}{f' of {len(vector)}' if several else ''}")
    for name, slope in parts.items():
        if np.shape(given[name]) != np.shape(slope):
            raise ValueError(f"the vector of {name!r} must have shape {np.shape(slope)}; got {np.shape(given[name])}")
    return grad(sum(np.sum(slope * given[name]) for name, slope in parts.items()), input)
