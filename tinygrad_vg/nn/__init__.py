"""What are networks made of?

Layers, cells and losses, each a few lines that read like their formula: nothing is fused, every intermediate of the textbook is a node
with its textbook name. Written in ops that take arrays, Tensors and object arrays of Scalars, so every model runs these three ways.

Read init, layers, models, norms, mlp, then recurrent, gated, linear_cells, reservoir, or convolution, attention, losses; weights, with
layouts and weight_files, is how they get in and out; exported opens PyTorch's models.
"""

from . import init
from .attention import Attention, TransformerBlock
from .convolution import AvgPool1d, AvgPool2d, Conv1d, Conv2d, MaxPool1d, MaxPool2d
from .exported import load_model
from .gated import GRUCell, LSTMCell
from .layers import ACTIVATIONS, Dropout, Embedding, Linear, Module, Residual, one_hot
from .linear_cells import LRUCell, MinGRUCell, SelectiveCell
from .losses import binary_cross_entropy, cross_entropy, huber, kl, mse
from .mlp import MLP
from .norms import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from .recurrent import Bidirectional, Cell, LeakyCell, RNNCell, SkipCell, Stacked, cut, unroll
from .reservoir import Reservoir, memory_capacity
from .weight_files import read_weights
from .weights import load_weights, save_weights

__all__ = [
    "ACTIVATIONS", "Attention", "AvgPool1d", "AvgPool2d", "BatchNorm", "Bidirectional", "Cell", "Conv1d", "Conv2d", "Dropout", "Embedding",
    "GRUCell", "GroupNorm", "LRUCell", "LSTMCell", "LayerNorm", "LeakyCell", "Linear", "MLP", "MaxPool1d", "MaxPool2d", "MinGRUCell",
    "Module", "RMSNorm", "RNNCell", "Reservoir", "Residual", "SelectiveCell", "SkipCell", "Stacked", "TransformerBlock",
    "binary_cross_entropy", "cross_entropy", "cut", "huber", "init", "kl", "load_model", "load_weights", "memory_capacity", "mse",
    "one_hot", "read_weights", "save_weights", "unroll"]
