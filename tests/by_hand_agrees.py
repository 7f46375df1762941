"""How far is a program written by hand from the engine?"""

import numpy as np

from tinygrad_vg import grad


def off(program, output, **values):
    """The largest difference in value and gradients, relative to the size of what it is; the gradients of layers lie on top of each other."""
    with np.errstate(all="ignore"):
        value, gradients = program(**values)
    groups = [leaf if isinstance(leaf, list) else [leaf] for leaf in program.leaves.values()]
    found = iter(grad(output, [leaf for group in groups for leaf in group]))  # one sweep for all
    parts = [[next(found) for _ in group] for group in groups]
    wanted = {name: np.stack(g) if isinstance(leaf, list) else g[0] for (name, leaf), g in zip(program.leaves.items(), parts)}
    pairs = [(value, output.data), *((gradients[name], want) for name, want in wanted.items())]
    for got, want in pairs:
        assert np.shape(got) == np.shape(want)
    differences = [np.max(np.abs(got - want) / np.maximum(1, np.abs(want)), initial=0.0) for got, want in pairs]
    assert not np.isnan(differences).any()
    return max(differences)
