"""What is a model?  Anything whose parameters can be named: a Module, {name: leaf}, leaves in a list or a tuple, one leaf.

Whatever asks for a model, an optimiser, a verdict, a file of weights, asks here. A leaf is a Scalar, a Tensor, or an object array
of Scalars, that no op made.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..autodiff.core import describe, plain
from ..autodiff.reductions import numbers_of
from .layers import is_leaf

WANTED = "expected a model with parameters(), a dictionary {name: leaf}, a list or tuple of leaves, or one leaf"


def parameters_of(model: Any) -> dict[str, Any]:
    """{name: leaf}; a leaf with two names under the first only. TypeError for what is no model.

    Leaves without a dictionary have their own names, those that are alike numbered by their place: `W (1)`, `W (3)`.

    >>> from tinygrad_vg import Scalar
    >>> w, b = Scalar(2.0, name="w"), Scalar(1.0, name="b")
    >>> list(parameters_of([w, b]))
    ['w', 'b']
    >>> list(parameters_of({"gain": w, "again": w}))
    ['gain']
    """
    if is_leaf(model):
        return {called(model): model}
    found = model.parameters() if callable(getattr(model, "parameters", None)) else model
    if not isinstance(found, (Mapping, list, tuple)) and (found is model or not isinstance(found, Iterable)):
        raise TypeError(f"{WANTED}; got {what(model)}")
    leaves = list(found.values() if isinstance(found, Mapping) else found)
    if others := [x for x in leaves if not is_leaf(x)]:
        raise TypeError(f"{WANTED}; got a {type(model).__name__} with {what(others[0])}")
    kept: dict[int, tuple[str, Any]] = {}
    for name, leaf in zip(found if isinstance(found, Mapping) else numbered(leaves), leaves):
        kept.setdefault(id(leaf), (name, leaf))
    return dict(kept.values())


def state_of(model: Any) -> dict[str, np.ndarray]:
    """{name: a copy, as a plain array} of every parameter, and of a Module's buffers."""
    if hasattr(model, "state_dict"):
        return dict(model.state_dict())
    return {name: np.array(numbers_of(plain(leaf)), order="C") for name, leaf in parameters_of(model).items()}


def numbered(leaves: list[Any]) -> list[str]:
    """The name of each leaf, with its place in the list where another has the same."""
    names = [called(leaf) for leaf in leaves]
    alike = [called(leaf) for leaf in {id(leaf): leaf for leaf in leaves}.values()]
    return [name if alike.count(name) == 1 else f"{name} ({k})" for k, name in enumerate(names, start=1)]


def called(leaf: Any) -> str:
    """The name of a leaf; of an array of Scalars that which they share."""
    if not isinstance(leaf, np.ndarray):
        return describe(leaf)
    bases = {x.name.base if x.name else None for x in leaf.flat}
    return str(bases.pop() or "unnamed Scalars") if len(bases) == 1 else "Scalars"


def what(x: Any) -> str:
    """What came in place of a leaf or a model."""
    text = describe(x)
    return text if text != "a constant" else f"a{'n' if type(x).__name__[0] in 'aeiou' else ''} {type(x).__name__}"
