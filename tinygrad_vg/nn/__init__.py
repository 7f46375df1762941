"""What are networks made of?

Layers, cells and losses, each a few lines that read like their formula, built from the engine's own ops: nothing is fused,
every intermediate of the textbook is a node and carries its textbook name. Written once in the ops that take arrays,
Tensors and object arrays of Scalars, so every model runs three ways: no graph, a graph of arrays, one node per number.

Read init (what the weights start from), layers, models (what is one), norms, mlp, then recurrent, gated and reservoir, and losses.
"""

from . import init
from .gated import GRUCell, LSTMCell
from .layers import ACTIVATIONS, Dropout, Linear, Module, Residual
from .losses import cross_entropy, mse
from .mlp import MLP
from .norms import BatchNorm, LayerNorm
from .recurrent import Cell, LeakyCell, RNNCell, SkipCell, Stacked, cut, unroll
from .reservoir import Reservoir, memory_capacity
from .weights import load_weights, read_weights, save_weights

__all__ = [
    "ACTIVATIONS", "BatchNorm", "Cell", "Dropout", "GRUCell", "LSTMCell", "LayerNorm", "LeakyCell", "Linear", "MLP", "Module", "RNNCell",
    "Reservoir", "Residual", "SkipCell", "Stacked", "cross_entropy", "cut", "init", "load_weights", "memory_capacity", "mse",
    "read_weights", "save_weights", "unroll"]
