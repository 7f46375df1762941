"""Can it learn?

Optimisers, clipping, tasks and a loop that remembers what happened to the gradient at every step.
"""

from ..nn.layers import one_hot
from . import learning
from .checkpoint import load_run, save_run
from .clipping import clip_norm, clip_value
from .datasets import alphabet, characters, digits, minibatches, spirals, teacher, two_moons, unigram_entropy
from .film import Every
from .history import History, gradient_table
from .loop import Diverged, fit
from .optimisers import SGD, Adam, AdamW, Optimiser, RMSProp, constant, cosine, step_decay, warm_up
from .penalties import l2_penalty, vanishing_penalty
from .tasks import Batches, adding, copy_memory, delayed_recall, latch, memoryless_loss, narma10, nrmse, parity, sines, temporal_order

__all__ = [
    "SGD", "Adam", "AdamW", "Batches", "Diverged", "Every", "History", "Optimiser", "RMSProp", "adding", "alphabet", "characters",
    "clip_norm", "clip_value", "constant", "copy_memory", "cosine", "delayed_recall", "digits", "fit", "gradient_table",
    "l2_penalty", "latch", "learning", "load_run", "memoryless_loss", "minibatches", "narma10", "nrmse", "one_hot", "parity", "save_run",
    "sines", "spirals", "step_decay", "teacher", "temporal_order", "two_moons", "unigram_entropy", "vanishing_penalty", "warm_up"]
