"""How does it scale?

A run for each point of a grid, here, in processes or on a cluster, each finished cell kept in a file. Read results,
source, store, runs, and phase for an example: depth × variance of the weights.
"""

from .results import Grid
from .runs import cluster, processes, run
from .store import load, merge

__all__ = ["Grid", "cluster", "load", "merge", "processes", "run"]
