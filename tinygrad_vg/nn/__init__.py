"""What are networks made of?

Layers, cells and losses, each a few lines that read like their formula, built from the engine's own ops: nothing is fused,
every intermediate of the textbook is a node and carries its textbook name. Written once in the ops that take arrays,
Tensors and object arrays of Scalars, so every model runs three ways: no graph, a graph of arrays, one node per number.
"""

from . import init
from .layers import ACTIVATIONS, Linear, Module
from .losses import cross_entropy, mse
from .recurrent import RNNCell, unroll

__all__ = ["ACTIVATIONS", "Linear", "Module", "RNNCell", "cross_entropy", "init", "mse", "unroll"]
