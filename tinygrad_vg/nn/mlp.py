"""What is a deep network?  Layers one after another, each a matrix and an activation; and the remedies, in between.

    x  input      z  pre-activation      h  hidden layer      k  layer, from 1 to K      φ  activation
    a  size of what a residual layer adds

Layer k names its nodes z[k] and h[k]; a norm between them mean[k], var[k] and x̂[k].
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autodiff.tensor import Tensor
from .layers import Dropout, Linear, Module, activation_of, generators, named
from .norms import BatchNorm, LayerNorm

NORMS: dict[str, Any] = {"batch": BatchNorm, "layer": LayerNorm}


class MLP(Module):
    """h[k] = φ(z[k]),  z[k] = W h[k−1] + b,  h[0] = x.  The last layer is linear: the output is z[K].

    sizes       [n_in, hidden …, n_out]
    activation  a name in ACTIVATIONS or a function         init  a name or function of nn.init
    norm        "batch" or "layer": h[k] = φ(norm(z[k]))    residual  True or a number a: h[k] = h[k−1] + a φ(z[k]) where the sizes match
    dropout     the share p of each h[k] (of the branch, in a residual layer) set to 0 in training
    bias        False: no b             leaf  Tensor, or scalars for one node per number
    seeds       a list of seeds or a number: as many models at once; every weight has a leading axis of seeds, x is (seeds, batch, n_in)

    x (n_in,) or (batch, n_in)  →  (n_out,) or (batch, n_out).  Parameters: layer1.W (out, in), layer1.b, norm1.gamma, norm1.beta, …

        (∂h[k]/∂h[k−1])_ij = φ′(z_i) W_ij

    >>> net = MLP([2, 3, 1])
    >>> print(*net.parameters())
    layer1.W layer1.b layer2.W layer2.b
    >>> print(net(np.ones(2)).name)
    z[2]
    """

    def __init__(self, sizes: Sequence[int], activation: Any = "tanh", init: Any = "xavier", norm: str | None = None, residual: Any = False,
                 *, dropout: float = 0.0, bias: bool = True, leaf: Any = Tensor, rng: Any = 0, seeds: Any = None):
        if isinstance(sizes, int):
            given = [n for n in (sizes, activation, init, norm, residual) if type(n) is int]
            raise TypeError(f"sizes is one list, as in MLP({given if len(given) > 1 else [sizes, '…']}); got the number {sizes}")
        if len(sizes) < 2 or norm not in (None, *NORMS):
            raise ValueError(f"an MLP needs sizes [n_in, …, n_out] and norm None, 'batch' or 'layer'; got {list(sizes)} and {norm!r}")
        rng = generators(rng, seeds)
        runs = len(rng) if isinstance(rng, list) else None
        self.depth, self.activation = len(sizes) - 1, activation_of(activation)
        self.a = None if residual is None or residual is False else 1.0 if residual is True else residual
        for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), 1):
            setattr(self, f"layer{k}", Linear(n_in, n_out, init, bias=bias, leaf=leaf, rng=rng, name=f"layer{k}"))
            if norm and k < self.depth:
                setattr(self, f"norm{k}", NORMS[norm](n_out, leaf=leaf, seeds=runs, name=f"norm{k}"))
        self.dropout = Dropout(dropout, rng)

    def __call__(self, x: Any) -> Any:
        h = x
        for k in range(1, self.depth):
            z, norm = self.layer(k)(h), getattr(self, f"norm{k}", None)
            f = self.dropout(self.activation(z if norm is None else norm(z, k)))
            h = named(h + self.a * f if self.a is not None and np.shape(h) == np.shape(f) else f, "h", k)
            named(z, "z", k)
        return named(self.layer(self.depth)(h), "z", self.depth)

    def layer(self, k: int) -> Linear:
        """The layer that makes z[k], k from 1."""
        return getattr(self, f"layer{k}")
